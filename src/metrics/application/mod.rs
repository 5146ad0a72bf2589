//! The metrics that applications send, kept to be scraped: the last value of each series, and the sums
//! of what comes as deltas.
//!
//! [`Store::take`] reads a request point by point; [`Store`] is a [`Source`] of what it holds. How the
//! series are called on a page, and what a page leaves out, is [`super::exposition`]'s. Everything that
//! is kept is bounded: series by [`Settings`], their labels in `labels`, what one of them has in
//! `point`. What one sender does wrong harms its own series only and is counted by [`Why`].

pub mod derived;
mod explicit;
mod exponential;
mod family;
mod labels;
mod point;
mod reason;
mod room;
mod series;
mod stream;
mod targets;
mod value;

#[cfg(test)]
mod tests;

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use foldhash::quality::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use tokio::time::Instant;

use self::family::{Family, MAKE_ROOM_EVERY, Now};
pub use self::labels::ResourceLabels;
use self::labels::{Common, Scratch};
use self::point::Expected;
pub use self::reason::{Report, Why};
use self::room::Room;
use self::stream::Mode;
use self::targets::Targets;
use super::snapshot::{self, Kind, Source};
use crate::otlp::metrics::{self, Metric, Origin, Visitor};
use crate::otlp::value::{KeyValue, fields};
use crate::otlp::wire::Payload;

/// Bytes of a metric's name and unit; the specification allows a name 255 characters and a unit 63.
const MAX_NAME: usize = 512;

/// What a store holds, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Series of one metric at most; the rest is folded into one series.
    pub cardinality_limit: usize,
    /// Series of all metrics at most.
    pub series_limit: usize,
    /// A series that no point came for in this time goes; zero for never.
    pub metric_expiration: Duration,
    /// Attributes of resources that become labels.
    pub resource_labels: ResourceLabels,
    /// Whether the instrumentation scope is said in labels.
    pub scope_labels: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            cardinality_limit: 2000,
            series_limit: 50_000,
            metric_expiration: Duration::from_secs(300),
            resource_labels: ResourceLabels::default(),
            scope_labels: true,
        }
    }
}

/// The metrics of applications.
#[derive(Debug)]
pub struct Store {
    settings: Settings,
    hasher: RandomState,
    epoch: Instant,
    room: Room,
    /// By name and unit: two units of one name are two names on the page.
    families: RwLock<HashTable<Arc<Family>>>,
    targets: Targets,
    /// Milliseconds since the epoch.
    make_room_after: AtomicU64,
}

impl Store {
    /// An empty store.
    pub fn new(settings: Settings) -> Store {
        Store {
            hasher: RandomState::default(),
            epoch: Instant::now(),
            room: Room::new(settings.cardinality_limit, settings.series_limit),
            families: RwLock::default(),
            targets: Targets::new(settings.cardinality_limit),
            make_room_after: AtomicU64::new(0),
            settings,
        }
    }

    /// Takes the points of an encoded `ExportMetricsServiceRequest`. Those of an application that is
    /// not understood are counted and harm nobody else's.
    pub fn take(&self, body: &Bytes) -> Report {
        let mut taking = Taking { store: self, now: self.now(), report: Report::default(), common: None };
        if metrics::edit(body, &mut taking).is_err() {
            // It was read before it came here.
            taking.report.lose(Why::Malformed, 0);
        }
        taking.report
    }

    /// How many series there are, overflow series and `target_info` not counted.
    pub fn series(&self) -> usize {
        self.room.series()
    }

    /// How many metrics are described in several ways; the first one is shown.
    pub fn disputed(&self) -> usize {
        self.all().iter().filter(|family| family.is_disputed()).count()
    }

    /// How many bytes they take, about.
    pub fn bytes(&self) -> usize {
        self.room.bytes()
    }

    fn now(&self) -> Now {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let now = millis(self.epoch.elapsed());
        let expiration = self.settings.metric_expiration;
        let idle_before = if expiration.is_zero() { 0 } else { now.saturating_sub(millis(expiration)) };
        Now { millis: now, idle_before }
    }

    /// The family of this name and unit, if there is one.
    fn family(&self, name: &str, unit: &str, kind: Kind) -> Result<Option<Arc<Family>>, Why> {
        if name.is_empty() || name.len() > MAX_NAME || unit.len() > MAX_NAME {
            return Err(Why::InvalidName);
        }
        let families = self.families.read().unwrap_or_else(PoisonError::into_inner);
        match families.find(self.hash_of(name, unit), |family| family.is(name, unit)) {
            Some(family) if family.kind == kind => Ok(Some(Arc::clone(family))),
            Some(_) => Err(Why::TypeConflict),
            None => Ok(None),
        }
    }

    /// The family of this name and unit, which is made if there is none. It is made for a point, so
    /// that there are never more of them than series.
    fn family_or_new(&self, name: &str, unit: &str, kind: Kind, now: Now) -> Result<Arc<Family>, Why> {
        if self.room.is_full() {
            self.make_room(now);
        }
        let mut families = self.families.write().unwrap_or_else(PoisonError::into_inner);
        let is_full = self.room.is_full() || families.len() >= self.settings.series_limit;
        let rehash = |family: &Arc<Family>| self.hash_of(&family.name, &family.unit);
        match families.entry(self.hash_of(name, unit), |family| family.is(name, unit), rehash) {
            Entry::Occupied(there) if there.get().kind == kind => Ok(Arc::clone(there.get())),
            Entry::Occupied(_) => Err(Why::TypeConflict),
            Entry::Vacant(_) if is_full => Err(Why::SeriesLimit),
            Entry::Vacant(vacant) => Ok(Arc::clone(vacant.insert(Arc::new(Family::new(name, unit, kind))).get())),
        }
    }

    fn hash_of(&self, name: &str, unit: &str) -> u64 {
        self.hasher.hash_one((name, unit))
    }

    /// Sweeps, but not more often than once a second.
    fn make_room(&self, now: Now) {
        let after = self.make_room_after.load(Ordering::Relaxed);
        let next = now.millis.saturating_add(MAKE_ROOM_EVERY);
        let is_time = now.millis >= after
            && self.make_room_after.compare_exchange(after, next, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if is_time {
            self.sweep(now);
        }
    }

    /// What was idle goes, and metrics of which nothing is left.
    fn sweep(&self, now: Now) {
        let all = self.all();
        for family in &all {
            family.sweep(now.idle_before, &self.room);
        }
        if all.iter().any(|family| family.is_empty()) {
            drop(all);
            let mut families = self.families.write().unwrap_or_else(PoisonError::into_inner);
            // One that somebody is about to put a point into is held by him.
            families.retain(|family| Arc::strong_count(family) > 1 || !family.is_empty());
        }
    }

    fn all(&self) -> Vec<Arc<Family>> {
        self.families.read().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

impl Source for Store {
    fn collect(&self, families: &mut Vec<snapshot::Family>) {
        let now = self.now();
        self.sweep(now);
        families.extend(self.targets.snapshot(now));
        let mut all = self.all();
        all.sort_by(|a, b| (&a.name, &a.unit).cmp(&(&b.name, &b.unit)));
        families.extend(all.iter().map(|family| family.snapshot()).filter(|family| !family.series.is_empty()));
    }
}

/// A request that is being taken.
struct Taking<'s> {
    store: &'s Store,
    now: Now,
    report: Report,
    /// Of the scope that was seen last, with its place.
    common: Option<(usize, Common)>,
}

impl Taking<'_> {
    fn common<'c>(common: &'c mut Option<(usize, Common)>, store: &Store, now: Now, origin: &Origin<'_>) -> &'c Common {
        let place = origin.place();
        let fresh = common.take().filter(|(of, _)| *of == place).map(|(_, common)| common).unwrap_or_else(|| {
            let settings = &store.settings;
            let common = Common::new(origin, &settings.resource_labels, settings.scope_labels, &store.hasher);
            store.targets.hear(&origin.resource, common.resource, now);
            common
        });
        &common.insert((place, fresh)).1
    }

    fn points(&mut self, metric: &Metric<'_>, origin: &Origin<'_>) -> Result<(), Why> {
        let Some(kind) = metric.kind() else { return Ok(()) };
        let is_monotonic = metric.is_monotonic();
        let mode = Mode::of(kind, metric.temporality(), is_monotonic)?;
        let shown = kind_of(kind, is_monotonic);
        let unit = unit_of(metric.unit(), kind);
        let mut family = self.store.family(metric.name(), unit, shown)?;
        if let Some(family) = &family {
            family.describe(metric.description());
        }
        let common = Taking::common(&mut self.common, self.store, self.now, origin);
        let expected = Expected { kind, is_monotonic };
        let mut scratch = Scratch::default();
        for raw in metric.point_sources() {
            let attributes = fields(raw).filter_map(|field| match field.payload {
                Payload::Bytes(content) if field.number == kind.attributes() => Some(KeyValue::parse_checked(content)),
                _ => None,
            });
            let taken = point::read(expected, raw).and_then(|point| {
                let who = scratch.identify(attributes, common, &self.store.hasher)?;
                let family = match &family {
                    Some(family) => family,
                    None => {
                        let new = self.store.family_or_new(metric.name(), unit, shown, self.now)?;
                        new.describe(metric.description());
                        family.insert(new)
                    }
                };
                family.take(who, mode, point, self.now, &self.store.room)
            });
            self.report.count(taken);
        }
        Ok(())
    }
}

impl Visitor for Taking<'_> {
    fn metric(&mut self, metric: &mut Metric<'_>, origin: &Origin<'_>) {
        if let Err(why) = self.points(metric, origin) {
            self.report.lose(why, metric.point_count());
        }
    }
}

/// The unit by which a metric is named. Of a gauge `1` is a ratio; of a sum it counts things, and the
/// Collector's exporter says nothing of it (`llama_stack.concurrent_requests` has such a unit).
fn unit_of(unit: &str, kind: metrics::Kind) -> &str {
    if kind == metrics::Kind::Sum && unit.trim() == "1" { "" } else { unit }
}

/// What a metric is for Prometheus.
fn kind_of(kind: metrics::Kind, is_monotonic: bool) -> Kind {
    match kind {
        metrics::Kind::Sum if is_monotonic => Kind::Counter,
        metrics::Kind::Sum | metrics::Kind::Gauge => Kind::Gauge,
        metrics::Kind::Histogram | metrics::Kind::ExponentialHistogram => Kind::Histogram,
        metrics::Kind::Summary => Kind::Summary,
    }
}
