//! The series of one metric: found by their identity, bounded in number, gone when they are idle.
//! What one of them shows is in [`super::series`].
//!
//! A point takes the map's lock for reading and its series' own lock; a scrape copies the list of
//! series under the first and each series under the second, one after another. So neither waits for
//! more than a single series of the other's.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use hashbrown::HashTable;

use super::labels::Identity;
use super::point::Point;
use super::reason::Why;
use super::series::{Series, Taken};
use super::stream::{Measured, Mode, Stream};
use crate::metrics::series::OVERFLOW;
use crate::metrics::snapshot::{self, Kind, Label, LabelValue};

/// Writers of one series at most that are told apart; more are as many as cannot be shown.
const MAX_WRITERS: usize = 256;

/// How often a full metric looks for idle series to make room, in milliseconds.
const MAKE_ROOM_EVERY: u64 = 1000;

/// Bytes of a description that are kept.
const MAX_HELP: usize = 1024;

/// One metric.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) name: Box<str>,
    pub(super) unit: Box<str>,
    pub(super) kind: Kind,
    /// The first description that said something.
    help: OnceLock<Box<str>>,
    live: RwLock<Live>,
}

#[derive(Debug, Default)]
struct Live {
    series: HashTable<Arc<Series>>,
    overflow: Option<Arc<Series>>,
    /// Milliseconds since the store's epoch.
    make_room_after: u64,
}

/// How many series there may be.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) per_metric: usize,
    pub(super) in_all: usize,
    taken: AtomicUsize,
}

impl Room {
    pub(super) fn new(per_metric: usize, in_all: usize) -> Room {
        Room { per_metric, in_all, taken: AtomicUsize::new(0) }
    }

    /// How many there are.
    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    pub(super) fn is_full(&self) -> bool {
        self.taken() >= self.in_all
    }

    fn take(&self) -> bool {
        let more = |taken: usize| (taken < self.in_all).then_some(taken + 1);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    fn give_back(&self, series: usize) {
        self.taken.fetch_sub(series, Ordering::Relaxed);
    }
}

/// The moment at which a point arrives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    /// Milliseconds since the store's epoch.
    pub(super) millis: u64,
    /// What was last heard before this is idle; zero if nothing is.
    pub(super) idle_before: u64,
}

impl Family {
    pub(super) fn new(name: &str, unit: &str, kind: Kind) -> Family {
        Family { name: name.into(), unit: unit.into(), kind, help: OnceLock::new(), live: RwLock::default() }
    }

    /// Says what it is, if nobody did.
    pub(super) fn describe(&self, help: &str) {
        if !help.is_empty() && self.help.get().is_none() {
            let end = help.floor_char_boundary(MAX_HELP);
            // Another one may have said it at the same time.
            self.help.get_or_init(|| help.get(..end).unwrap_or_default().into());
        }
    }

    /// Takes a point into its series, or into the overflow series if there are too many.
    pub(super) fn take(&self, who: Identity<'_, '_>, mode: Mode, point: Point, now: Now, room: &Room) -> Result<(), Why> {
        // In the overflow series a writer is a stream.
        let hidden = who.hash ^ who.writer().rotate_left(32);
        let most = room.per_metric;
        {
            let live = self.read();
            if let Some(series) = live.find(who) {
                let series = Arc::clone(series);
                drop(live);
                return self.take_into(&series, mode, who.writer(), point, now, room);
            }
            if let Some(overflow) = &live.overflow {
                let is_full = (live.series.len() >= most || room.is_full()) && now.millis < live.make_room_after;
                if is_full || overflow.knows(hidden) {
                    return overflow.take(mode, hidden, point, now.millis, most).map(drop);
                }
            }
        }
        let Some(value) = point.value else { return Ok(()) };
        let mut live = self.write();
        // Between the two locks another point may have begun the series.
        if let Some(series) = live.find(who) {
            let point = Point { value: Some(value), ..point };
            return series.take(mode, who.writer(), point, now.millis, MAX_WRITERS).map(drop);
        }
        if (live.series.len() >= most || room.is_full()) && now.millis >= live.make_room_after {
            live.make_room_after = now.millis.saturating_add(MAKE_ROOM_EVERY);
            live.sweep(now.idle_before, room);
        }
        if live.series.len() < most && room.take() {
            let measured = Measured { start: point.start, time: point.time, value };
            let stream = Stream::begin(mode, measured);
            let series = Series::begin(who.hash, who.to_labels(), now.millis, who.writer(), stream, point.exemplars);
            live.series.insert_unique(who.hash, Arc::new(series), |series| series.hash);
            return Ok(());
        }
        match &live.overflow {
            Some(overflow) => {
                let point = Point { value: Some(value), ..point };
                overflow.take(mode, hidden, point, now.millis, most).map(drop)
            }
            None => {
                let labels = [Label { key: OVERFLOW.into(), value: LabelValue::Bool(true) }].into();
                let measured = Measured { start: point.start, time: point.time, value };
                let stream = Stream::begin(mode, measured);
                let series = Series::begin_shared(labels, now.millis, hidden, stream, point.exemplars, most);
                live.overflow = Some(Arc::new(series));
                Ok(())
            }
        }
    }

    fn take_into(&self, series: &Arc<Series>, mode: Mode, writer: u64, point: Point, now: Now, room: &Room) -> Result<(), Why> {
        if series.take(mode, writer, point, now.millis, MAX_WRITERS)? == Taken::Ended {
            let mut live = self.write();
            if let Ok(entry) = live.series.find_entry(series.hash, |other| Arc::ptr_eq(other, series)) {
                entry.remove();
                room.give_back(1);
            }
        }
        Ok(())
    }

    /// Whether it has no series.
    pub(super) fn is_empty(&self) -> bool {
        let live = self.read();
        live.series.is_empty() && live.overflow.is_none()
    }

    /// How many series it has, the overflow series not counted.
    pub(super) fn len(&self) -> usize {
        self.read().series.len()
    }

    /// What was idle goes.
    pub(super) fn sweep(&self, before: u64, room: &Room) {
        let is_idle = {
            let live = self.read();
            live.all().any(|series| series.is_idle(before)) || live.overflow.is_some()
        };
        if is_idle {
            self.write().sweep(before, room);
        }
    }

    /// A copy of all series, in the order of their labels.
    pub(super) fn snapshot(&self) -> snapshot::Family {
        let all: Vec<_> = self.read().all().cloned().collect();
        let mut series: Vec<_> = all.into_iter().map(|series| series.read(self.kind)).collect();
        series.sort_by(|a, b| a.labels.cmp(&b.labels));
        snapshot::Family {
            name: self.name.clone().into_string().into(),
            help: self.help.get().map(|help| help.clone().into_string()).unwrap_or_default().into(),
            unit: self.unit.clone().into_string().into(),
            kind: self.kind,
            scope: None,
            namespace: None,
            series,
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Live> {
        self.live.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Live> {
        self.live.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Live {
    fn find(&self, who: Identity<'_, '_>) -> Option<&Arc<Series>> {
        self.series.find(who.hash, |series| series.hash == who.hash && who.is(&series.labels))
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Series>> {
        self.series.iter().chain(&self.overflow)
    }

    fn sweep(&mut self, before: u64, room: &Room) {
        let had = self.series.len();
        self.series.retain(|series| {
            series.forget(before);
            !series.is_idle(before)
        });
        room.give_back(had - self.series.len());
        self.overflow.take_if(|series| {
            series.forget(before);
            series.is_idle(before)
        });
    }
}

