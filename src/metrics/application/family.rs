//! The series of one metric: found by their identity, bounded in number, gone when they are idle.
//! What one of them shows is in [`super::series`].
//!
//! A point takes the map's lock for reading and its series' own lock; a scrape copies the list of
//! series under the first and each series under the second, one after another. So neither waits for
//! more than a single series of the other's.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use hashbrown::HashTable;

use super::labels::Identity;
use super::point::Point;
use super::reason::Why;
use super::room::Room;
use super::series::{Hand, Series, Taken};
use super::stream::{Measured, Mode, Stream};
use crate::metrics::series::OVERFLOW;
use crate::metrics::snapshot::{self, Kind, Label, LabelValue};

/// Writers of one series at most that are told apart; more are as many as cannot be shown.
const MAX_WRITERS: usize = 256;

/// Streams that are told apart in an overflow series, as a multiple of the series that are shown. A
/// stream there costs a fifth of a series.
const HIDDEN: usize = 4;

/// How often a full metric looks for idle series to make room, in milliseconds.
pub(super) const MAKE_ROOM_EVERY: u64 = 1000;

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
    /// Whether another one said something else.
    is_disputed: AtomicBool,
    live: RwLock<Live>,
}

#[derive(Debug, Default)]
struct Live {
    series: HashTable<Arc<Series>>,
    overflow: Option<Arc<Series>>,
    /// Milliseconds since the store's epoch.
    make_room_after: u64,
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
        Family {
            name: name.into(),
            unit: unit.into(),
            kind,
            help: OnceLock::new(),
            is_disputed: AtomicBool::new(false),
            live: RwLock::default(),
        }
    }

    pub(super) fn is(&self, name: &str, unit: &str) -> bool {
        *self.name == *name && *self.unit == *unit
    }

    /// Says what it is, if nobody did.
    pub(super) fn describe(&self, help: &str) {
        if help.is_empty() {
            return;
        }
        let help = help.get(..help.floor_char_boundary(MAX_HELP)).unwrap_or_default();
        if **self.help.get_or_init(|| help.into()) != *help {
            self.is_disputed.store(true, Ordering::Relaxed);
        }
    }

    /// Whether it is described in several ways.
    pub(super) fn is_disputed(&self) -> bool {
        self.is_disputed.load(Ordering::Relaxed)
    }

    /// Takes a point into its series, or into the overflow series if there are too many.
    pub(super) fn take(
        &self,
        who: Identity<'_, '_>,
        mode: Mode,
        point: Point,
        now: Now,
        room: &Room,
    ) -> Result<(), Why> {
        let by = Hand { writer: who.writer(), now: now.millis, most: MAX_WRITERS, room };
        // To the overflow series every stream is a writer.
        let hidden = Hand {
            writer: who.hash ^ who.writer().rotate_left(32),
            most: room.per_metric.saturating_mul(HIDDEN),
            ..by
        };
        {
            let live = self.read();
            if let Some(series) = live.find(who) {
                let series = Arc::clone(series);
                drop(live);
                return self.take_into(&series, mode, point, by);
            }
            if let Some(overflow) = &live.overflow {
                let is_full = (live.series.len() >= room.per_metric || room.is_full()) && by.now < live.make_room_after;
                if is_full || overflow.knows(hidden.writer) {
                    return overflow.take(mode, point, hidden).map(drop);
                }
            }
        }
        let Some(value) = point.value else { return Ok(()) };
        let mut live = self.write();
        // Between the two locks another point may have begun the series.
        if let Some(series) = live.find(who) {
            return series.take(mode, Point { value: Some(value), ..point }, by).map(drop);
        }
        if (live.series.len() >= room.per_metric || room.is_full()) && by.now >= live.make_room_after {
            live.make_room_after = by.now.saturating_add(MAKE_ROOM_EVERY);
            live.sweep(now.idle_before, room);
        }
        let measured = Measured { start: point.start, time: point.time, value };
        if live.series.len() < room.per_metric && room.take() {
            let stream = Stream::begin(mode, measured);
            let series = Series::begin(who.hash, who.to_labels(), stream, point.exemplars, by);
            live.series.insert_unique(who.hash, Arc::new(series), |series| series.hash);
            return Ok(());
        }
        if let Some(overflow) = &live.overflow {
            return overflow.take(mode, Point { value: Some(measured.value), ..point }, hidden).map(drop);
        }
        let labels = [Label { key: OVERFLOW.into(), value: LabelValue::Bool(true) }].into();
        let series = Series::begin(0, labels, Stream::begin(mode, measured), point.exemplars, hidden);
        series.share(hidden);
        live.overflow = Some(Arc::new(series));
        Ok(())
    }

    fn take_into(&self, series: &Arc<Series>, mode: Mode, point: Point, by: Hand<'_>) -> Result<(), Why> {
        if series.take(mode, point, by)? == Taken::Ended {
            let mut live = self.write();
            if let Ok(entry) = live.series.find_entry(series.hash, |other| Arc::ptr_eq(other, series)) {
                entry.remove();
                series.give_back(by.room);
                by.room.give_back(1);
            }
        }
        Ok(())
    }

    /// Whether it has no series.
    pub(super) fn is_empty(&self) -> bool {
        let live = self.read();
        live.series.is_empty() && live.overflow.is_none()
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
            let stays = !series.is_idle(before);
            if !stays {
                series.give_back(room);
            }
            stays
        });
        room.give_back(had - self.series.len());
        if let Some(overflow) = &self.overflow {
            overflow.forget(before);
            if overflow.is_idle(before) {
                overflow.give_back(room);
                self.overflow = None;
            }
        }
    }
}
