//! A failure that repeats is one line with a count: what was said before, from the same place in the
//! source and in the same words, is held back for a while, and then counted in one line.
//!
//! Words that differ are lines of their own, up to [`MOST_OF_A_PLACE`] of one place at a time; what goes
//! beyond is counted together. Nothing here grows with the number of lines.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio::time::Instant;
use tracing::callsite::Identifier;

use super::form::Repeated;
use super::record::Record;

/// Different words from one place that are told apart at a time.
const MOST_OF_A_PLACE: usize = 32;
/// The same from all places together. A kept line has some hundred bytes.
const MOST: usize = 512;

/// `sampling`, by another rule than the Collector's: nothing is left out uncounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sampling {
    /// `enabled`.
    pub enabled: bool,
    /// `tick`: how long the same is held back.
    pub tick: Duration,
    /// `initial`: how often it is written before that.
    pub initial: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Sampling { enabled: true, tick: Duration::from_secs(10), initial: 1 }
    }
}

/// A line that tells what was held back.
pub(super) type Summary = (Record, Repeated);

/// What was said lately.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    sampling: Sampling,
    places: HashMap<Identifier, Place>,
    /// Words that are kept, in all places.
    kept: usize,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Place {
    words: HashMap<u64, Words>,
    /// Those that there was no room for, together.
    others: Option<Words>,
}

/// The same words from one place.
#[derive(Debug)]
struct Words {
    record: Record,
    began: Instant,
    written: u64,
    held_back: u64,
}

impl Repeats {
    pub(super) fn new(sampling: Sampling) -> Repeats {
        Repeats { sampling, ..Repeats::default() }
    }

    /// Whether a line may be written now. If not, it is counted.
    pub(super) fn admits(&mut self, place: Identifier, record: &Record, now: Instant) -> bool {
        if !self.sampling.enabled {
            return true;
        }
        let key = self.hasher.hash_one(record);
        if let Some(words) = self.places.get_mut(&place).and_then(|place| place.words.get_mut(&key)) {
            return words.admits(self.sampling, now);
        }
        if self.is_full(&place) {
            self.forget(now);
        }
        let is_full = self.is_full(&place);
        let words = || Words { record: record.kept(), began: now, written: 1, held_back: 0 };
        let place = self.places.entry(place).or_default();
        if is_full {
            place.others.get_or_insert_with(words).held_back += 1;
            return false;
        }
        place.words.insert(key, words());
        self.kept += 1;
        true
    }

    fn is_full(&self, place: &Identifier) -> bool {
        self.kept >= MOST || self.places.get(place).is_some_and(|place| place.words.len() >= MOST_OF_A_PLACE)
    }

    /// Forgets what was said a while ago and not again.
    fn forget(&mut self, now: Instant) {
        let tick = self.sampling.tick;
        for place in self.places.values_mut() {
            place.words.retain(|_, words| words.held_back > 0 || !words.is_over(tick, now));
        }
        self.places.retain(|_, place| !place.words.is_empty() || place.others.is_some());
        self.kept = self.places.values().map(|place| place.words.len()).sum();
    }

    /// When there is something to tell.
    pub(super) fn next(&self) -> Option<Instant> {
        let all = self.places.values().flat_map(|place| place.words.values().chain(&place.others));
        all.filter(|words| words.held_back > 0).map(|words| words.began + self.sampling.tick).min()
    }

    /// What was held back until now, of that whose time is over.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Summary> {
        let tick = self.sampling.tick;
        self.tell(now, |words| words.is_over(tick, now))
    }

    /// What was held back until now.
    pub(super) fn all(&mut self, now: Instant) -> Vec<Summary> {
        self.tell(now, |_| true)
    }

    fn tell(&mut self, now: Instant, is_due: impl Fn(&Words) -> bool) -> Vec<Summary> {
        let initial = self.sampling.initial;
        let mut told: Vec<(Instant, Summary)> = Vec::new();
        for place in self.places.values_mut() {
            for words in place.words.values_mut().filter(|words| words.held_back > 0 && is_due(words)) {
                told.push((words.began, (words.record.clone(), words.repeated(now, false))));
                // What goes on is counted, and not said anew.
                *words = Words { began: now, written: initial, held_back: 0, record: words.record.clone() };
            }
            if let Some(others) = place.others.take_if(|others| is_due(others)) {
                let repeated = others.repeated(now, true);
                told.push((others.began, (others.record, repeated)));
            }
        }
        self.forget(now);
        told.sort_by_key(|(began, _)| *began);
        told.into_iter().map(|(_, summary)| summary).collect()
    }
}

impl Words {
    fn admits(&mut self, sampling: Sampling, now: Instant) -> bool {
        if self.is_over(sampling.tick, now) && self.held_back == 0 {
            (self.began, self.written) = (now, 0);
        }
        let is_written = self.written < sampling.initial;
        if is_written {
            self.written += 1;
        } else {
            self.held_back += 1;
        }
        is_written
    }

    fn is_over(&self, tick: Duration, now: Instant) -> bool {
        now.saturating_duration_since(self.began) >= tick
    }

    fn repeated(&self, now: Instant, differ: bool) -> Repeated {
        Repeated { times: self.held_back, within: now.saturating_duration_since(self.began), differ }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;
    use tracing::Level;
    use tracing::callsite::{Callsite, DefaultCallsite};

    use super::*;

    /// Places in the source.
    macro_rules! place {
        () => {{
            static PLACE: DefaultCallsite = DefaultCallsite::new(&METADATA);
            static METADATA: tracing::Metadata<'static> = tracing::metadata! {
                name: "here", target: "dragoman::net", level: Level::WARN, fields: &["message"],
                callsite: &PLACE, kind: tracing::metadata::Kind::EVENT,
            };
            PLACE.metadata().callsite()
        }};
    }

    fn said(message: &str) -> Record {
        Record { level: Level::WARN, target: "net", message: message.into(), fields: Vec::new() }
    }

    fn told(summaries: Vec<Summary>) -> Vec<(String, u64, u64, bool)> {
        let told = summaries.into_iter();
        told.map(|(record, repeated)| (record.message, repeated.times, repeated.within.as_secs(), repeated.differ))
            .collect()
    }

    const TICK: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn the_same_from_one_place_is_one_line_and_a_count() {
        let (here, there) = (place!(), place!());
        let mut repeats = Repeats::new(Sampling::default());
        let say = |repeats: &mut Repeats, place: &Identifier, message: &str| {
            repeats.admits(place.clone(), &said(message), Instant::now())
        };
        assert!(say(&mut repeats, &here, "a"));
        assert!(say(&mut repeats, &there, "a"), "another place");
        assert!(say(&mut repeats, &here, "b"), "other words");
        assert_eq!(repeats.next(), None, "nothing is held back");
        advance(TICK / 2).await;
        assert_eq!((0..1000).filter(|_| say(&mut repeats, &here, "a")).count(), 0);
        assert_eq!(repeats.next(), Some(Instant::now() + TICK / 2));
        assert_eq!(told(repeats.due(Instant::now())), []);
        advance(TICK / 2).await;
        assert_eq!(told(repeats.due(Instant::now())), [("a".into(), 1000, 10, false)]);
        // It goes on: a line an interval.
        assert_eq!((0..7).filter(|_| say(&mut repeats, &here, "a")).count(), 0);
        advance(TICK).await;
        assert_eq!(told(repeats.due(Instant::now())), [("a".into(), 7, 10, false)]);
        // It was over: it is said anew.
        advance(TICK).await;
        assert_eq!(told(repeats.due(Instant::now())), []);
        assert!(say(&mut repeats, &here, "a"));
        assert!(!say(&mut repeats, &here, "a"));
        advance(TICK / 5).await;
        assert_eq!(told(repeats.all(Instant::now())), [("a".into(), 1, 2, false)]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_kept_is_bounded_and_what_is_not_is_counted() {
        let mut repeats = Repeats::new(Sampling::default());
        let here = place!();
        let admitted =
            (0..100_000).filter(|n| repeats.admits(here.clone(), &said(&n.to_string()), Instant::now())).count();
        assert_eq!((admitted, repeats.kept), (MOST_OF_A_PLACE, MOST_OF_A_PLACE));
        advance(TICK).await;
        let rest = 100_000 - MOST_OF_A_PLACE as u64;
        assert_eq!(told(repeats.due(Instant::now())), [(MOST_OF_A_PLACE.to_string(), rest, 10, true)]);
        assert_eq!(repeats.kept, 0, "what did not repeat is forgotten");
        // After a while there is room again, whether somebody asked for what is due or not.
        assert!((0..MOST_OF_A_PLACE).all(|n| repeats.admits(here.clone(), &said(&n.to_string()), Instant::now())));
        assert!(!repeats.admits(here.clone(), &said("x"), Instant::now()));
        advance(TICK).await;
        assert!(repeats.admits(here, &said("y"), Instant::now()));
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_written_as_often_as_asked_or_always() {
        let here = place!();
        let mut thrice = Repeats::new(Sampling { initial: 3, ..Sampling::default() });
        let mut always = Repeats::new(Sampling { enabled: false, ..Sampling::default() });
        let count = |repeats: &mut Repeats| {
            (0..10).filter(|_| repeats.admits(here.clone(), &said("a"), Instant::now())).count()
        };
        assert_eq!((count(&mut thrice), count(&mut always)), (3, 10));
    }
}
