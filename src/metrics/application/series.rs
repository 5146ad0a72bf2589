//! One series of a family: what it shows, of one writer or of several.
//!
//! Several resources may say the same labels: worker processes of one service without
//! `service.instance.id`, scopes whose labels are left away, whatever is folded into the overflow
//! series. As soon as there is a second one, the series shows a total of its own, to which each adds
//! what came since it was last heard; so it neither jumps between them nor falls when one ends.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::point::Point;
use super::reason::Why;
use super::stream::{Measured, Mode, Stream};
use super::value::{Number, Value};
use crate::metrics::snapshot::{self, Bounds, Buckets, Distribution, Exemplar, Kind, Labels, NativeDistribution, Quantiles};

/// Exemplars of a series at most.
const MAX_EXEMPLARS: usize = 32;

/// One series.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) labels: Labels,
    /// The hash of its identity.
    pub(super) hash: u64,
    /// Milliseconds since the store's epoch.
    touched: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    shows: Shows,
    exemplars: Vec<Exemplar>,
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
    most: usize,
}

/// What became of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// The series shows it.
    Shown,
    /// It said that the series ends, and nobody else writes it.
    Ended,
}

impl Series {
    /// Begins with a point of a writer.
    pub(super) fn begin(hash: u64, labels: Labels, now: u64, writer: u64, stream: Stream, exemplars: Vec<Exemplar>) -> Series {
        let mut state = State { shows: Shows::One(writer, stream), exemplars: Vec::new() };
        state.witness(exemplars);
        Series { labels, hash, touched: AtomicU64::new(now), state: Mutex::new(state) }
    }

    /// Begins a series that many write.
    pub(super) fn begin_shared(labels: Labels, now: u64, writer: u64, stream: Stream, exemplars: Vec<Exemplar>, most: usize) -> Series {
        let series = Series::begin(0, labels, now, writer, stream, exemplars);
        series.lock().share(now, most);
        series
    }

    /// Takes a point of a writer; of `most` writers at most.
    pub(super) fn take(&self, mode: Mode, writer: u64, point: Point, now: u64, most: usize) -> Result<Taken, Why> {
        let mut state = self.lock();
        let Some(value) = point.value else { return state.end(writer, point.time, now) };
        let measured = Measured { start: point.start, time: point.time, value };
        match &mut state.shows {
            // The last one counts, whoever says it.
            Shows::One(_, stream) if mode == Mode::Gauge || stream.mode == Mode::Gauge => {
                stream.take(mode, measured, false)?;
            }
            Shows::One(only, stream) if *only == writer => {
                stream.take(mode, measured, false)?;
            }
            Shows::One(..) => {
                state.share(now, most);
                state.add(mode, writer, measured, now)?;
            }
            Shows::Many(_) => state.add(mode, writer, measured, now)?,
        }
        state.witness(point.exemplars);
        drop(state);
        self.touched.store(now, Ordering::Relaxed);
        Ok(Taken::Shown)
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

impl State {
    /// From now on, of many writers.
    fn share(&mut self, now: u64, most: usize) {
        if let Shows::One(writer, stream) = &self.shows
            && stream.mode != Mode::Gauge
        {
            let (start, time, total) = (stream.start, stream.time, stream.value.clone());
            let writers = HashMap::from([(*writer, (stream.clone(), now))]);
            self.shows = Shows::Many(Box::new(Many { start, time, total, writers, most }));
        }
    }

    fn add(&mut self, mode: Mode, writer: u64, point: Measured, now: u64) -> Result<(), Why> {
        match &mut self.shows {
            Shows::Many(many) => many.take(mode, writer, point, now),
            // Of gauges the last one counts, whoever says it, and of two at one time the later one.
            Shows::One(_, stream) if point.time >= stream.time || point.time == 0 => {
                if mode != stream.mode {
                    return Err(Why::TypeConflict);
                }
                let time = stream.time.max(point.time);
                *stream = Stream { time, ..Stream::begin(mode, point) };
                Ok(())
            }
            Shows::One(..) => Err(Why::OutOfOrder),
        }
    }

    fn end(&mut self, writer: u64, time: u64, now: u64) -> Result<Taken, Why> {
        match &mut self.shows {
            Shows::One(_, stream) if time > 0 && time < stream.time => Err(Why::OutOfOrder),
            Shows::One(..) => Ok(Taken::Ended),
            Shows::Many(many) => {
                many.remove(writer);
                let _ = now;
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
        for exemplar in new {
            match value {
                Value::Explicit(histogram) => {
                    let bucket = histogram.bucket(exemplar.value);
                    self.exemplars.retain(|there| histogram.bucket(there.value) != bucket);
                }
                Value::Exponential(_) => {}
                Value::Number(_) | Value::Summary(_) => self.exemplars.clear(),
            }
            if self.exemplars.len() >= MAX_EXEMPLARS {
                self.exemplars.remove(0);
            }
            self.exemplars.push(exemplar);
        }
    }
}

impl Many {
    fn take(&mut self, mode: Mode, writer: u64, point: Measured, now: u64) -> Result<(), Why> {
        if !self.total.is_like(&point.value) {
            return Err(Why::TypeConflict);
        }
        let (start, time) = (point.start, point.time);
        let added = match self.writers.get_mut(&writer) {
            Some((stream, heard)) => {
                let added = stream.take(mode, point, true)?;
                *heard = now;
                added
            }
            None if self.writers.len() >= self.most => return Err(Why::CardinalityLimit),
            None => {
                let added = point.value.clone();
                self.writers.insert(writer, (Stream::begin(mode, point), now));
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
        let idle: Vec<u64> = self.writers.iter().filter(|(_, (_, heard))| *heard < before).map(|(writer, _)| *writer).collect();
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
