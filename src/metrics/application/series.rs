//! One series of a family: what it shows, of one writer or of several.
//!
//! Several resources may say the same labels: worker processes of one service without
//! `service.instance.id`, scopes whose labels are left away, whatever is folded into the overflow
//! series. As soon as there is a second one, the series shows a total of its own, to which each adds
//! what came since it was last heard; so it neither jumps between them nor falls when one ends.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::point::Point;
use super::reason::Why;
use super::room::Room;
use super::stream::{Measured, Mode, Stream};
use super::value::{Number, Value};
use crate::metrics::snapshot::{
    self, Bounds, Buckets, Distribution, Exemplar, Kind, Label, LabelValue, Labels, NativeDistribution, Quantiles,
};

/// Exemplars of a series at most.
const MAX_EXEMPLARS: usize = 32;

/// Bytes that a series takes beside its labels and values, an entry for a writer, and an exemplar;
/// rounded up.
const SERIES_BYTES: usize = 480;
const WRITER_BYTES: usize = 160;
const EXEMPLAR_BYTES: usize = 192;

/// What a text costs beside its bytes.
const ALLOCATED: usize = 16;

/// One series.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) labels: Labels,
    /// The hash of its identity.
    pub(super) hash: u64,
    /// Bytes that it takes whatever its value is.
    bytes: usize,
    /// Milliseconds since the store's epoch.
    touched: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    shows: Shows,
    exemplars: Vec<Exemplar>,
    /// Bytes that are taken of the store's room.
    charged: usize,
}

#[derive(Debug)]
enum Shows {
    /// What its only writer says.
    One(u64, Stream),
    /// What all of its writers say together.
    Many(Box<Many>),
}

#[derive(Debug)]
struct Many {
    /// The earliest start and the latest time.
    start: u64,
    time: u64,
    total: Value,
    /// What each said last, and when it was heard.
    writers: HashMap<u64, (Stream, u64)>,
}

/// What became of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// The series shows it.
    Shown,
    /// It said that the series ends, and nobody else writes it.
    Ended,
}

/// Who writes a point, when, and where there is room for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hand<'r> {
    pub(super) writer: u64,
    /// Milliseconds since the store's epoch.
    pub(super) now: u64,
    /// Writers of one series at most.
    pub(super) most: usize,
    pub(super) room: &'r Room,
}

impl Series {
    /// Begins with a point.
    pub(super) fn begin(hash: u64, labels: Labels, stream: Stream, exemplars: Vec<Exemplar>, by: Hand<'_>) -> Series {
        let mut state = State { shows: Shows::One(by.writer, stream), exemplars: Vec::new(), charged: 0 };
        state.witness(exemplars);
        let bytes = SERIES_BYTES + labels.iter().map(label_bytes).sum::<usize>();
        let series = Series { hash, bytes, touched: AtomicU64::new(by.now), state: Mutex::new(state), labels };
        series.charge(&mut series.lock(), by.room);
        series
    }

    /// Makes it one that many write.
    pub(super) fn share(&self, by: Hand<'_>) {
        self.lock().share(by);
    }

    /// Takes a point.
    pub(super) fn take(&self, mode: Mode, point: Point, by: Hand<'_>) -> Result<Taken, Why> {
        let mut state = self.lock();
        let Some(value) = point.value else { return state.end(by.writer, point.time) };
        if by.room.is_out_of_bytes() && value.bytes() > state.value().bytes() {
            return Err(Why::SeriesLimit);
        }
        state.take(mode, Measured { start: point.start, time: point.time, value }, by)?;
        state.witness(point.exemplars);
        self.charge(&mut state, by.room);
        drop(state);
        self.touched.store(by.now, Ordering::Relaxed);
        Ok(Taken::Shown)
    }

    /// Keeps the store's room informed of what it takes.
    fn charge(&self, state: &mut State, room: &Room) {
        let takes = self.bytes + state.bytes();
        room.changed(state.charged, takes);
        state.charged = takes;
    }

    /// Gives its room back.
    pub(super) fn give_back(&self, room: &Room) {
        let mut state = self.lock();
        room.changed(state.charged, 0);
        state.charged = 0;
    }

    /// Whether a writer's points are in it.
    pub(super) fn knows(&self, writer: u64) -> bool {
        match &self.lock().shows {
            Shows::One(only, _) => *only == writer,
            Shows::Many(many) => many.writers.contains_key(&writer),
        }
    }

    /// Whether it was last heard before a time.
    pub(super) fn is_idle(&self, before: u64) -> bool {
        self.touched.load(Ordering::Relaxed) < before
    }

    /// Forgets writers that were last heard before a time.
    pub(super) fn forget(&self, before: u64) {
        if let Shows::Many(many) = &mut self.lock().shows {
            many.forget(before);
        }
    }

    /// A copy of what it shows.
    pub(super) fn read(&self, kind: Kind) -> snapshot::Series {
        let state = self.lock();
        let (start, time, value) = match &state.shows {
            Shows::One(_, stream) => (stream.start, stream.time, &stream.value),
            Shows::Many(many) => (many.start, many.time, &many.total),
        };
        snapshot::Series {
            labels: Labels::clone(&self.labels),
            start_time_unix_nano: if kind == Kind::Gauge { 0 } else { start },
            time_unix_nano: time,
            value: shown(kind, value, &state.exemplars),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // What a panic left behind is a value that was there before.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn label_bytes(label: &Label) -> usize {
    let text = match &label.value {
        LabelValue::Text(text) => text.len() + ALLOCATED,
        LabelValue::Integer(_) | LabelValue::Bool(_) => 0,
    };
    let key = if matches!(label.key, Cow::Owned(_)) { label.key.len() + ALLOCATED } else { 0 };
    size_of::<Label>() + key + text
}

impl State {
    fn value(&self) -> &Value {
        match &self.shows {
            Shows::One(_, stream) => &stream.value,
            Shows::Many(many) => &many.total,
        }
    }

    fn bytes(&self) -> usize {
        let value = self.value().bytes();
        let writers = match &self.shows {
            Shows::One(..) => 0,
            Shows::Many(many) => many.writers.len() * (WRITER_BYTES + value),
        };
        value + writers + self.exemplars.len() * EXEMPLAR_BYTES
    }

    fn take(&mut self, mode: Mode, point: Measured, by: Hand<'_>) -> Result<(), Why> {
        match &mut self.shows {
            Shows::One(only, stream) if *only == by.writer => stream.take(mode, point, false).map(drop),
            // Of gauges the last one counts, whoever says it, and of two at one time the later one.
            Shows::One(only, stream) if stream.mode == Mode::Gauge => {
                if mode != Mode::Gauge {
                    return Err(Why::TypeConflict);
                }
                if point.time > 0 && point.time < stream.time {
                    return Err(Why::OutOfOrder);
                }
                *only = by.writer;
                let time = stream.time.max(point.time);
                *stream = Stream::begin(mode, point);
                stream.time = time;
                Ok(())
            }
            Shows::One(..) => {
                self.share(by);
                self.take(mode, point, by)
            }
            Shows::Many(_) if mode == Mode::Gauge => Err(Why::TypeConflict),
            Shows::Many(many) => many.take(mode, point, by),
        }
    }

    /// From now on, of many writers.
    fn share(&mut self, by: Hand<'_>) {
        if let Shows::One(writer, stream) = &self.shows
            && stream.mode != Mode::Gauge
        {
            let (start, time, total) = (stream.start, stream.time, stream.value.clone());
            let writers = HashMap::from([(*writer, (stream.clone(), by.now))]);
            self.shows = Shows::Many(Box::new(Many { start, time, total, writers }));
        }
    }

    fn end(&mut self, writer: u64, time: u64) -> Result<Taken, Why> {
        match &mut self.shows {
            Shows::One(_, stream) if time > 0 && time < stream.time => Err(Why::OutOfOrder),
            Shows::One(only, stream) if *only == writer || stream.mode == Mode::Gauge => Ok(Taken::Ended),
            Shows::One(..) => Ok(Taken::Shown),
            Shows::Many(many) => {
                many.remove(writer);
                Ok(if many.writers.is_empty() { Taken::Ended } else { Taken::Shown })
            }
        }
    }

    /// Keeps exemplars: the last ones, one a bucket.
    fn witness(&mut self, new: Vec<Exemplar>) {
        if new.is_empty() {
            return;
        }
        let value = match &self.shows {
            Shows::One(_, stream) => &stream.value,
            Shows::Many(many) => &many.total,
        };
        let exemplars = &mut self.exemplars;
        for exemplar in new {
            match value {
                Value::Explicit(histogram) => {
                    let bucket = histogram.bucket(exemplar.value);
                    exemplars.retain(|there| histogram.bucket(there.value) != bucket);
                }
                Value::Exponential(_) => {}
                Value::Number(_) | Value::Summary(_) => exemplars.clear(),
            }
            if exemplars.len() >= MAX_EXEMPLARS {
                exemplars.remove(0);
            }
            exemplars.push(exemplar);
        }
    }
}

impl Many {
    fn take(&mut self, mode: Mode, point: Measured, by: Hand<'_>) -> Result<(), Why> {
        if !self.total.is_like(&point.value) {
            return Err(Why::TypeConflict);
        }
        let (start, time) = (point.start, point.time);
        let is_full = self.writers.len() >= by.most;
        let added = match self.writers.get_mut(&by.writer) {
            Some((stream, heard)) => {
                let added = stream.take(mode, point, true)?;
                *heard = by.now;
                added
            }
            None if is_full => return Err(Why::CardinalityLimit),
            None => {
                let added = point.value.clone();
                self.writers.insert(by.writer, (Stream::begin(mode, point), by.now));
                Some(added)
            }
        };
        if let Some(added) = added {
            self.total.add(&added);
        }
        if start > 0 {
            self.start = if self.start == 0 { start } else { self.start.min(start) };
        }
        self.time = self.time.max(time);
        Ok(())
    }

    fn forget(&mut self, before: u64) {
        let idle: Vec<u64> =
            self.writers.iter().filter(|(_, (_, heard))| *heard < before).map(|(writer, _)| *writer).collect();
        idle.into_iter().for_each(|writer| self.remove(writer));
    }

    /// A sum of what is there now is less by what a writer had; one of all that ever was is not.
    fn remove(&mut self, writer: u64) {
        if let Some((stream, _)) = self.writers.remove(&writer)
            && !stream.mode.only_grows()
            && let (Value::Number(total), Value::Number(had)) = (&mut self.total, &stream.value)
        {
            *total = total.minus(*had);
        }
    }
}

fn shown(kind: Kind, value: &Value, exemplars: &[Exemplar]) -> snapshot::Value {
    let last = || exemplars.last().cloned();
    match value {
        Value::Number(Number::Int(number)) if kind == Kind::Counter => {
            snapshot::Value::Integer(u64::try_from(*number).unwrap_or(0), last())
        }
        Value::Number(Number::Int(number)) => snapshot::Value::Signed(*number),
        Value::Number(Number::Double(number)) => snapshot::Value::Double(*number, last()),
        Value::Explicit(histogram) => {
            let mut exemplars: Vec<_> =
                exemplars.iter().map(|exemplar| (histogram.bucket(exemplar.value), exemplar.clone())).collect();
            exemplars.sort_by_key(|(bucket, _)| *bucket);
            // Bounds may have changed since.
            exemplars.dedup_by_key(|(bucket, _)| *bucket);
            snapshot::Value::Histogram(Distribution {
                bounds: Bounds::Shared(histogram.bounds.clone()),
                counts: histogram.counts.clone(),
                sum: histogram.sum,
                exemplars,
            })
        }
        Value::Exponential(histogram) => {
            let [positive, negative] = [&histogram.positive, &histogram.negative]
                .map(|side| Buckets { offset: side.offset, counts: side.counts.as_slice().into() });
            snapshot::Value::Native(NativeDistribution {
                scale: histogram.scale,
                zero_threshold: histogram.zero_threshold,
                zero_count: histogram.zero_count,
                positive,
                negative,
                count: histogram.count(),
                sum: histogram.sum,
                exemplars: exemplars.to_vec(),
            })
        }
        Value::Summary(summary) => snapshot::Value::Summary(Quantiles {
            count: summary.count,
            sum: summary.sum,
            values: summary.quantiles.clone(),
        }),
    }
}
