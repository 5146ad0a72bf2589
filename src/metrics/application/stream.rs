//! One stream of points of one writer, and which of them count: cumulative points replace each other,
//! delta points add up, and neither goes back in time.
//!
//! Of delta points it is known which time they cover, as far as a bounded list of gaps reaches. So a
//! gap loses nothing, a point that comes late into a gap is counted, and one that says again what is
//! covered is not (metrics data model, "Stream Manipulations").

use super::reason::Why;
use super::value::{Number, Value};
use crate::otlp::metrics::{Kind, Temporality};

/// Gaps of one delta stream that are remembered.
const MAX_GAPS: usize = 8;

/// How the points of a stream relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// The last one counts.
    Gauge,
    /// Each says all since the start; with whether it only grows.
    Cumulative(bool),
    /// Each says what came since the one before; with whether that is never less than nothing.
    Delta(bool),
}

impl Mode {
    pub(super) fn of(kind: Kind, temporality: Temporality, is_monotonic: bool) -> Result<Mode, Why> {
        let only_grows = is_monotonic || kind != Kind::Sum;
        match (kind, temporality) {
            (Kind::Gauge, _) => Ok(Mode::Gauge),
            (Kind::Summary, _) | (_, Temporality::Cumulative) => Ok(Mode::Cumulative(only_grows)),
            (_, Temporality::Delta) => Ok(Mode::Delta(only_grows)),
            (_, Temporality::Unspecified) => Err(Why::TemporalityUnspecified),
        }
    }

    pub(super) fn only_grows(self) -> bool {
        matches!(self, Mode::Cumulative(true) | Mode::Delta(true))
    }
}

/// A point's times and value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Measured {
    /// Zero if not said.
    pub(super) start: u64,
    /// Zero if not said.
    pub(super) time: u64,
    pub(super) value: Value,
}

/// A stream.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stream {
    pub(super) mode: Mode,
    /// When what `value` says began; zero if not known.
    pub(super) start: u64,
    /// The time of the latest point.
    pub(super) time: u64,
    pub(super) value: Value,
    /// Times between `start` and `time` that no delta point covered.
    gaps: Vec<(u64, u64)>,
}

impl Stream {
    /// Begins with a point.
    pub(super) fn begin(mode: Mode, point: Measured) -> Stream {
        Stream { mode, start: point.start, time: point.time, value: point.value, gaps: Vec::new() }
    }

    /// Takes a point in. What it added to what was there is returned if that `is_wanted`.
    pub(super) fn take(&mut self, mode: Mode, point: Measured, is_wanted: bool) -> Result<Option<Value>, Why> {
        if !self.value.is_like(&point.value) {
            return Err(Why::TypeConflict);
        }
        if mode == self.mode {
            return match mode {
                Mode::Gauge => self.take_latest(point).map(|()| None),
                Mode::Cumulative(only_grows) => self.take_total(only_grows, point, is_wanted),
                Mode::Delta(_) => self.take_delta(point, is_wanted),
            };
        }
        match (self.mode, mode) {
            (Mode::Gauge, _) | (_, Mode::Gauge) => Err(Why::TypeConflict),
            // The writer was started again with another setting; else there are two of them.
            _ if point.start > 0 && point.start >= self.time => {
                let added = is_wanted.then(|| point.value.clone());
                *self = Stream::begin(mode, point);
                Ok(added)
            }
            _ => Err(Why::TemporalityConflict),
        }
    }

    /// A time that is not said is that of the arrival.
    fn check_time(&mut self, point: &Measured) -> Result<(), Why> {
        if point.time == 0 {
            return Ok(());
        }
        match point.time.cmp(&self.time) {
            std::cmp::Ordering::Less => return Err(Why::OutOfOrder),
            std::cmp::Ordering::Equal => return Err(Why::Repeated),
            std::cmp::Ordering::Greater => self.time = point.time,
        }
        Ok(())
    }

    fn take_latest(&mut self, point: Measured) -> Result<(), Why> {
        self.check_time(&point)?;
        self.start = point.start;
        self.value = point.value;
        Ok(())
    }

    fn take_total(&mut self, only_grows: bool, point: Measured, is_wanted: bool) -> Result<Option<Value>, Why> {
        self.check_time(&point)?;
        let added = is_wanted.then(|| match (&point.value, &self.value) {
            // A sum that also falls says what there is now, whenever it began.
            (Value::Number(now), Value::Number(then)) if !only_grows => Value::Number(now.minus(*then)),
            (now, then) => {
                let began_anew = point.start != self.start && point.start != 0 && self.start != 0;
                let more = if began_anew { None } else { now.since(then) };
                more.unwrap_or_else(|| point.value.clone())
            }
        });
        self.start = point.start;
        let mut value = point.value;
        value.share(&self.value);
        self.value = value;
        Ok(added)
    }

    fn take_delta(&mut self, point: Measured, is_wanted: bool) -> Result<Option<Value>, Why> {
        // An interval of no length is one whose start is not said.
        let start = if point.start < point.time { point.start } else { 0 };
        if point.time > self.time {
            if start > self.time && self.time > 0 {
                if self.gaps.len() >= MAX_GAPS {
                    self.gaps.remove(0);
                }
                self.gaps.push((self.time, start));
            }
            self.time = point.time;
        } else if point.time > 0 {
            self.fill(start, point.time)?;
        }
        self.value.add(&point.value);
        if self.bounds_changed(&point.value) {
            // What cannot be added up is a beginning, which Prometheus takes for the reset that it is.
            self.start = start;
            self.value = point.value.clone();
        }
        Ok(is_wanted.then_some(point.value))
    }

    /// Covers an interval of the past.
    fn fill(&mut self, start: u64, time: u64) -> Result<(), Why> {
        if start > 0 && self.start > 0 && time <= self.start {
            if time < self.start {
                self.gaps.push((time, self.start));
                if self.gaps.len() > MAX_GAPS {
                    self.gaps.remove(0);
                }
            }
            self.start = start;
            return Ok(());
        }
        let within = |(from, to): &(u64, u64)| start > 0 && *from <= start && time <= *to;
        let Some(place) = self.gaps.iter().position(within) else { return Err(Why::Repeated) };
        let (from, to) = self.gaps.swap_remove(place);
        self.gaps.extend([(from, start), (time, to)].into_iter().filter(|(from, to)| from < to));
        self.gaps.truncate(MAX_GAPS);
        Ok(())
    }

    /// Whether an addition left other bounds than the last point's: the series would have fewer and
    /// fewer of them.
    fn bounds_changed(&self, last: &Value) -> bool {
        match (&self.value, last) {
            (Value::Explicit(sum), Value::Explicit(last)) => sum.bounds != last.bounds,
            _ => false,
        }
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Value::Number(Number::Int(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::application::explicit::Explicit;

    const DELTA: Mode = Mode::Delta(true);
    const TOTAL: Mode = Mode::Cumulative(true);

    fn at(start: u64, time: u64, value: i64) -> Measured {
        Measured { start, time, value: value.into() }
    }

    /// Feeds points into a stream; what it says in the end, and what was not taken.
    fn run(mode: Mode, points: &[(u64, u64, i64)]) -> (Stream, Vec<Why>) {
        let mut points = points.iter().map(|(start, time, value)| at(*start, *time, *value));
        let mut stream = Stream::begin(mode, points.next().unwrap());
        let lost = points.filter_map(|point| stream.take(mode, point, false).err()).collect();
        (stream, lost)
    }

    #[test]
    fn of_totals_the_latest_counts() {
        let (stream, lost) = run(TOTAL, &[(1, 10, 5), (1, 30, 9), (1, 20, 7), (1, 30, 9), (1, 40, 12)]);
        assert_eq!((stream.start, stream.time, stream.value), (1, 40, 12.into()));
        assert_eq!(lost, [Why::OutOfOrder, Why::Repeated]);
    }

    #[test]
    fn a_reset_passes_on_whether_the_start_moved_or_not() {
        let (stream, lost) = run(TOTAL, &[(1, 10, 5), (12, 20, 2)]);
        assert_eq!((stream.start, stream.value, lost), (12, 2.into(), vec![]));
        let (stream, lost) = run(TOTAL, &[(1, 10, 5), (1, 20, 2)]);
        assert_eq!((stream.start, stream.value, lost), (1, 2.into(), vec![]));
    }

    #[test]
    fn deltas_add_up_from_the_first_start() {
        let (stream, lost) = run(DELTA, &[(1, 10, 5), (10, 20, 2), (20, 30, 3)]);
        assert_eq!((stream.start, stream.time, stream.value), (1, 30, 10.into()));
        assert_eq!(lost, []);
    }

    #[test]
    fn a_delta_that_is_said_again_is_not_counted_again() {
        let (stream, lost) = run(DELTA, &[(1, 10, 5), (1, 10, 5), (10, 20, 2), (10, 20, 2), (1, 10, 5)]);
        assert_eq!((stream.value, lost), (7.into(), vec![Why::Repeated; 3]));
    }

    #[test]
    fn a_gap_loses_nothing_and_is_filled_by_what_comes_late_once() {
        let points = [(1, 10, 1), (30, 40, 8), (20, 30, 4), (20, 30, 4), (10, 20, 2), (10, 20, 2), (30, 40, 8)];
        let (stream, lost) = run(DELTA, &points);
        assert_eq!((stream.value, lost), (15.into(), vec![Why::Repeated; 3]));
        assert_eq!((stream.start, stream.time), (1, 40));
    }

    #[test]
    fn what_came_before_the_first_is_counted_and_moves_the_start() {
        let (stream, lost) = run(DELTA, &[(20, 30, 1), (1, 10, 2), (10, 20, 4), (1, 10, 2)]);
        assert_eq!((stream.start, stream.value, lost), (1, 7.into(), vec![Why::Repeated]));
    }

    #[test]
    fn intervals_that_overlap_and_go_on_are_counted() {
        let (stream, lost) = run(DELTA, &[(1, 10, 1), (5, 15, 2), (3, 15, 4)]);
        assert_eq!((stream.value, lost), (3.into(), vec![Why::Repeated]));
    }

    #[test]
    fn a_start_that_is_not_said_is_the_time_before() {
        let (stream, lost) = run(DELTA, &[(0, 10, 1), (0, 20, 2), (0, 20, 2), (30, 30, 4), (30, 30, 4), (15, 20, 9)]);
        assert_eq!((stream.value, lost), (7.into(), vec![Why::Repeated; 3]));
    }

    #[test]
    fn a_time_that_is_not_said_is_that_of_arrival() {
        let (stream, lost) = run(DELTA, &[(0, 0, 1), (0, 0, 2)]);
        assert_eq!((stream.value, lost), (3.into(), vec![]));
        let (stream, lost) = run(Mode::Gauge, &[(0, 0, 1), (0, 0, 2)]);
        assert_eq!((stream.value, lost), (2.into(), vec![]));
    }

    #[test]
    fn another_temporality_is_a_restart_or_another_writer() {
        let (mut stream, _) = run(TOTAL, &[(1, 10, 5)]);
        assert_eq!(stream.take(DELTA, at(5, 15, 3), false), Err(Why::TemporalityConflict));
        assert_eq!(stream.take(DELTA, at(0, 15, 3), false), Err(Why::TemporalityConflict));
        assert_eq!(stream.take(Mode::Gauge, at(20, 30, 3), false), Err(Why::TypeConflict));
        assert_eq!(stream.take(DELTA, at(10, 20, 3), true), Ok(Some(3.into())));
        assert_eq!(stream.take(DELTA, at(20, 30, 4), false), Ok(None));
        assert_eq!(stream.value, 7.into());
    }

    #[test]
    fn what_was_added_is_told() {
        let (mut stream, _) = run(TOTAL, &[(1, 10, 5)]);
        assert_eq!(stream.take(TOTAL, at(1, 20, 8), true), Ok(Some(3.into())));
        assert_eq!(stream.take(TOTAL, at(1, 30, 2), true), Ok(Some(2.into())), "it fell");
        assert_eq!(stream.take(TOTAL, at(31, 40, 9), true), Ok(Some(9.into())), "it began anew");
        let up_and_down = Mode::Cumulative(false);
        let (mut stream, _) = run(up_and_down, &[(1, 10, 5)]);
        assert_eq!(stream.take(up_and_down, at(1, 20, 3), true), Ok(Some((-2).into())));
        assert_eq!(stream.take(up_and_down, at(21, 30, 1), true), Ok(Some((-2).into())));
    }

    #[test]
    fn deltas_over_other_bounds_begin_anew_with_them() {
        let over = |bound: f64, start, time| Measured {
            start,
            time,
            value: Value::Explicit(Explicit { bounds: [bound].into(), counts: [1, 2].into(), sum: Some(3.0) }),
        };
        let mut stream = Stream::begin(DELTA, over(1.0, 1, 10));
        stream.take(DELTA, over(2.0, 10, 20), false).unwrap();
        assert_eq!((stream.start, stream.value.clone()), (10, over(2.0, 0, 0).value));
    }
}
