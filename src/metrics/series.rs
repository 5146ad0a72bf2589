//! The series of one metric: found by their labels, bounded in number, dropped when idle.
//!
//! What a series accumulates is in [`super::histogram`]; which labels a metric has, in
//! [`super::families`].

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::histogram::Accumulator;
use super::snapshot::{Label, LabelValue, Labels, Series, unix_nano};

/// The label of the series that takes what does not fit (OpenTelemetry metrics SDK, "Cardinality limits").
pub(crate) const OVERFLOW: &str = "otel.metric.overflow";

/// Bytes of a label's text that are kept. A model or host name is far below; a hostile one must
/// not fill the memory.
const MAX_TEXT: usize = 256;

/// Labels on a series at most.
const MAX_LABELS: usize = 12;

/// How often a full metric looks for idle series to make room. Looking costs a pass over all of them.
const MAKE_ROOM_EVERY: Duration = Duration::from_secs(1);

/// The labels of a measurement, borrowed from what was measured. They are put in one order by the
/// one who builds them: the same labels in another order would be another series.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LabelRefs<'a> {
    items: [(&'static str, ValueRef<'a>); MAX_LABELS],
    len: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum ValueRef<'a> {
    Text(&'a str),
    Integer(i64),
}

impl<'a> LabelRefs<'a> {
    pub(crate) fn new() -> Self {
        LabelRefs { items: [("", ValueRef::Integer(0)); MAX_LABELS], len: 0 }
    }

    /// Adds a label; an empty text is the same as no label.
    pub(crate) fn text(&mut self, key: &'static str, text: &'a str) -> &mut Self {
        if text.is_empty() {
            return self;
        }
        let end = text.floor_char_boundary(MAX_TEXT);
        self.push(key, ValueRef::Text(text.get(..end).unwrap_or(text)))
    }

    pub(crate) fn integer(&mut self, key: &'static str, number: i64) -> &mut Self {
        self.push(key, ValueRef::Integer(number))
    }

    fn push(&mut self, key: &'static str, value: ValueRef<'a>) -> &mut Self {
        if let Some(slot) = self.items.get_mut(self.len) {
            *slot = (key, value);
            self.len += 1;
        } else {
            debug_assert!(false, "MAX_LABELS is too small for {key}");
        }
        self
    }

    fn items(&self) -> &[(&'static str, ValueRef<'a>)] {
        self.items.get(..self.len).unwrap_or_default()
    }

    fn is(&self, labels: &[Label]) -> bool {
        let items = self.items();
        items.len() == labels.len()
            && items.iter().zip(labels).all(|((key, value), label)| {
                *key == label.key
                    && match (value, &label.value) {
                        (ValueRef::Text(a), LabelValue::Text(b)) => **a == **b,
                        (ValueRef::Integer(a), LabelValue::Integer(b)) => a == b,
                        _ => false,
                    }
            })
    }

    fn to_labels(self) -> Labels {
        self.items()
            .iter()
            .map(|(key, value)| Label {
                key: Cow::Borrowed(*key),
                value: match value {
                    ValueRef::Text(text) => LabelValue::Text((*text).into()),
                    ValueRef::Integer(number) => LabelValue::Integer(*number),
                },
            })
            .collect()
    }
}

/// The series of one metric.
///
/// A recording takes the map's lock for reading and the series' own lock; a reader copies the list
/// of series under the first and each series under the second, one at a time. So a scrape stops
/// no recording for longer than it takes to copy one series.
#[derive(Debug)]
pub(crate) struct SeriesMap<A> {
    max_series: usize,
    /// Zero for never.
    expiration: Duration,
    new: fn() -> A,
    hasher: foldhash::quality::RandomState,
    epoch: Instant,
    live: RwLock<Live<A>>,
}

#[derive(Debug)]
struct Live<A> {
    /// By the hash of the labels; more than one in a slot only if two label sets share a hash.
    by_hash: HashMap<u64, Vec<Arc<One<A>>>>,
    len: usize,
    overflow: Option<Arc<One<A>>>,
    /// Milliseconds since `epoch`.
    make_room_after: u64,
}

#[derive(Debug)]
struct One<A> {
    labels: Labels,
    start_time_unix_nano: u64,
    /// Milliseconds since `epoch`.
    touched: AtomicU64,
    state: Mutex<A>,
}

impl<A> One<A> {
    fn record(&self, now: u64, record: impl FnOnce(&mut A)) {
        self.touched.store(now, Ordering::Relaxed);
        record(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl<A> Live<A> {
    fn find(&self, hash: u64, labels: &LabelRefs<'_>) -> Option<&Arc<One<A>>> {
        self.by_hash.get(&hash)?.iter().find(|one| labels.is(&one.labels))
    }

    fn sweep(&mut self, touched_before: u64) {
        let idle = |one: &Arc<One<A>>| one.touched.load(Ordering::Relaxed) < touched_before;
        self.by_hash.retain(|_, slot| {
            slot.retain(|one| !idle(one));
            !slot.is_empty()
        });
        self.len = self.by_hash.values().map(Vec::len).sum();
        self.overflow.take_if(|one| idle(one));
    }
}

impl<A: Accumulator> SeriesMap<A> {
    /// No series yet; `new` begins one. With an `expiration` of zero a series stays for ever.
    pub(crate) fn new(max_series: usize, expiration: Duration, new: fn() -> A) -> Self {
        SeriesMap {
            max_series,
            expiration,
            new,
            hasher: foldhash::quality::RandomState::default(),
            epoch: Instant::now(),
            live: RwLock::new(Live { by_hash: HashMap::new(), len: 0, overflow: None, make_room_after: 0 }),
        }
    }

    /// Records into the series with these labels, or into the overflow series if there are too many.
    pub(crate) fn record(&self, labels: &LabelRefs<'_>, record: impl FnOnce(&mut A)) {
        let hash = self.hasher.hash_one(labels.items());
        let now = self.now();
        {
            let live = self.read();
            if let Some(one) = live.find(hash, labels) {
                return one.record(now, record);
            }
            if live.len >= self.max_series
                && now < live.make_room_after
                && let Some(overflow) = &live.overflow
            {
                return overflow.record(now, record);
            }
        }
        let mut live = self.write();
        // Between the two locks another recording may have begun the series.
        if let Some(one) = live.find(hash, labels) {
            return one.record(now, record);
        }
        if live.len >= self.max_series && now >= live.make_room_after {
            live.make_room_after = now.saturating_add(millis(MAKE_ROOM_EVERY));
            self.expire(&mut live, now);
        }
        if live.len < self.max_series {
            let one = self.begin(now, labels.to_labels());
            one.record(now, record);
            live.by_hash.entry(hash).or_default().push(one);
            live.len += 1;
        } else {
            let overflow = live.overflow.get_or_insert_with(|| {
                self.begin(now, Arc::from([Label { key: OVERFLOW.into(), value: LabelValue::Bool(true) }]))
            });
            overflow.record(now, record);
        }
    }

    /// Every series that is not idle, in the order of their labels.
    pub(crate) fn snapshot(&self) -> Vec<Series> {
        let now = self.now();
        // The map is swept only if there is something to sweep, so that scrapes mostly read.
        if let Some(before) = self.idle_before(now) {
            let live = self.read();
            let idle = live.all().any(|one| one.touched.load(Ordering::Relaxed) < before);
            drop(live);
            if idle {
                self.write().sweep(before);
            }
        }
        let all: Vec<_> = self.read().all().cloned().collect();
        let mut series: Vec<_> = all
            .into_iter()
            .map(|one| Series {
                labels: Arc::clone(&one.labels),
                start_time_unix_nano: one.start_time_unix_nano,
                time_unix_nano: 0,
                value: one.state.lock().unwrap_or_else(PoisonError::into_inner).read(),
            })
            .collect();
        series.sort_by(|a, b| a.labels.cmp(&b.labels));
        series
    }

    /// Ends the series that `is` says, which begin anew with their next recording.
    pub(crate) fn remove(&self, is: impl Fn(&[Label]) -> bool) {
        let mut live = self.write();
        live.by_hash.retain(|_, slot| {
            slot.retain(|one| !is(&one.labels));
            !slot.is_empty()
        });
        live.len = live.by_hash.values().map(Vec::len).sum();
    }

    /// How many series there are, the overflow series not counted.
    pub(crate) fn len(&self) -> usize {
        self.read().len
    }

    fn begin(&self, now: u64, labels: Labels) -> Arc<One<A>> {
        Arc::new(One {
            labels,
            start_time_unix_nano: unix_nano(SystemTime::now()),
            touched: AtomicU64::new(now),
            state: Mutex::new((self.new)()),
        })
    }

    fn expire(&self, live: &mut Live<A>, now: u64) {
        if let Some(before) = self.idle_before(now) {
            live.sweep(before);
        }
    }

    fn idle_before(&self, now: u64) -> Option<u64> {
        if self.expiration.is_zero() { None } else { now.checked_sub(millis(self.expiration)) }
    }

    fn now(&self) -> u64 {
        millis(self.epoch.elapsed())
    }

    fn read(&self) -> RwLockReadGuard<'_, Live<A>> {
        self.live.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Live<A>> {
        self.live.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<A> Live<A> {
    fn all(&self) -> impl Iterator<Item = &Arc<One<A>>> {
        self.by_hash.values().flatten().chain(&self.overflow)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::histogram::Total;
    use crate::metrics::snapshot::Value;

    const TTL: Duration = Duration::from_secs(300);

    fn map(max_series: usize) -> SeriesMap<Total> {
        SeriesMap::new(max_series, TTL, Total::default)
    }

    fn add(map: &SeriesMap<Total>, model: &str, amount: u64) {
        map.record(LabelRefs::new().text("model", model), |total| total.add(amount, None));
    }

    fn shown(map: &SeriesMap<Total>) -> Vec<(String, u64)> {
        map.snapshot()
            .into_iter()
            .map(|series| {
                let labels: Vec<_> =
                    series.labels.iter().map(|label| format!("{}={}", label.key, label.value)).collect();
                match series.value {
                    Value::Integer(value, _) => (labels.join(","), value),
                    other => panic!("a total reads as {other:?}"),
                }
            })
            .collect()
    }

    fn owned(rows: &[(&str, u64)]) -> Vec<(String, u64)> {
        rows.iter().map(|(labels, value)| ((*labels).to_owned(), *value)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_fit_is_counted_in_one_overflow_series() {
        let map = map(2);
        for (model, amount) in [("a", 1), ("b", 2), ("c", 4), ("d", 8), ("a", 16), ("c", 32)] {
            add(&map, model, amount);
        }
        assert_eq!(shown(&map), owned(&[("model=a", 17), ("model=b", 2), ("otel.metric.overflow=true", 44)]));
        assert_eq!(map.len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_series_goes_and_starts_again_at_zero() {
        let map = map(10);
        add(&map, "a", 1);
        add(&map, "b", 1);
        tokio::time::advance(TTL - Duration::from_secs(1)).await;
        add(&map, "b", 1);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(shown(&map), owned(&[("model=b", 2)]));
        add(&map, "a", 5);
        assert_eq!(shown(&map), owned(&[("model=a", 5), ("model=b", 2)]));
        tokio::time::advance(TTL * 2).await;
        assert_eq!(shown(&map), []);
    }

    #[tokio::test(start_paused = true)]
    async fn idle_series_make_room_without_a_scrape() {
        let map = map(1);
        add(&map, "a", 1);
        add(&map, "b", 1);
        tokio::time::advance(TTL + Duration::from_secs(2)).await;
        add(&map, "c", 7);
        assert_eq!(shown(&map), owned(&[("model=c", 7)]));
    }

    #[tokio::test(start_paused = true)]
    async fn an_expiration_of_zero_keeps_series_for_ever() {
        let map = SeriesMap::new(10, Duration::ZERO, Total::default);
        add(&map, "a", 1);
        tokio::time::advance(TTL * 1000).await;
        assert_eq!(shown(&map), owned(&[("model=a", 1)]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_text_is_cut_between_characters() {
        let map = map(10);
        let long = format!("{}é{}", "x".repeat(MAX_TEXT - 1), "y".repeat(1 << 20));
        add(&map, &long, 1);
        assert_eq!(shown(&map), owned(&[(&format!("model={}", "x".repeat(MAX_TEXT - 1)), 1)]));
    }

    #[test]
    fn nothing_is_lost_between_recorders_and_readers() {
        let map = map(3);
        std::thread::scope(|scope| {
            for thread in 0..4_usize {
                let map = &map;
                scope.spawn(move || {
                    for turn in 0..5_000_usize {
                        add(map, ["a", "b", "c", "d", "e"][(turn + thread) % 5], 1);
                    }
                });
            }
            let mut last = 0;
            for _ in 0..50 {
                let now = shown(&map).iter().map(|(_, value)| value).sum();
                assert!(now >= last, "a counter went back from {last} to {now}");
                last = now;
            }
        });
        assert_eq!(shown(&map).iter().map(|(_, value)| value).sum::<u64>(), 20_000);
    }
}
