//! The shape in which metrics leave their stores: families of series, read at one moment. What
//! counts lives beside it ([`super::families`], [`super::own`]); what writes it down too
//! ([`super::exposition`] for Prometheus, [`super::otlp`] for OTLP).
//!
//! Names, units and label keys are OpenTelemetry's here; each writer translates them.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::otlp::{SpanId, TraceId};

/// Something that has metrics to show.
pub trait Source: Send + Sync {
    /// Adds a copy of its families as they are now. Never waits for more than a single recording.
    fn collect(&self, families: &mut Vec<Family>);
}

/// What a family's series hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A sum that only grows.
    Counter,
    /// A value that goes up and down.
    Gauge,
    /// A distribution over bounds that it brings along, or over exponential ones.
    Histogram,
    /// Quantiles that were computed where the values were measured.
    Summary,
    /// Labels whose value is always 1.
    Info,
}

/// The instrumentation scope of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    /// The scope's name.
    pub name: &'static str,
    /// The scope's version.
    pub version: &'static str,
}

/// One metric with all of its series.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// As OpenTelemetry names it, such as `gen_ai.client.token.usage`.
    pub name: Cow<'static, str>,
    /// One sentence.
    pub help: Cow<'static, str>,
    /// UCUM, such as `s` or `{token}`; empty for none.
    pub unit: Cow<'static, str>,
    /// What the series hold. A series that holds something else is left out by the writers.
    pub kind: Kind,
    /// Who measured, if that is to be shown. What applications send says so in its labels.
    pub scope: Option<Scope>,
    /// The namespace that readers know it under, whatever namespace the exporter has.
    pub namespace: Option<&'static str>,
    /// The series, in the order of their labels.
    pub series: Vec<Series>,
}

impl Family {
    /// A family of this program's own: without a unit beside its name, a scope, or a namespace.
    pub fn own(
        name: impl Into<Cow<'static, str>>,
        help: impl Into<Cow<'static, str>>,
        kind: Kind,
        series: Vec<Series>,
    ) -> Family {
        Family { name: name.into(), help: help.into(), unit: "".into(), kind, scope: None, namespace: None, series }
    }
}

/// One series.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its labels, every key once. `service.name` is the resource's.
    pub labels: Labels,
    /// When it began to count, in nanoseconds since the epoch; zero for a gauge.
    pub start_time_unix_nano: u64,
    /// When its last point was measured, in nanoseconds since the epoch; zero if that is not known.
    pub time_unix_nano: u64,
    /// Its value.
    pub value: Value,
}

impl Series {
    /// A series of which no times are known.
    pub fn timeless(labels: impl Into<Labels>, value: Value) -> Series {
        Series { labels: labels.into(), start_time_unix_nano: 0, time_unix_nano: 0, value }
    }
}

/// A series' labels, shared between its store and its snapshots.
pub type Labels = Arc<[Label]>;

/// Bytes that a label's text has at most, where it is kept and where it is shown.
pub const LONGEST_TEXT: usize = 1024;

/// A text of at most `bytes`, of which there are ten or more: of a longer one the beginning and, behind a `~`,
/// a checksum of all of it, so that two that differ stay two.
pub fn shortened(text: Cow<'_, str>, bytes: usize) -> Cow<'_, str> {
    if text.len() <= bytes {
        return text;
    }
    let sum = format!("~{:08x}", crc32fast::hash(text.as_bytes()));
    let end = text.floor_char_boundary(bytes.saturating_sub(sum.len()));
    format!("{}{sum}", text.get(..end).unwrap_or_default()).into()
}

/// One label, or attribute.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label {
    /// As OpenTelemetry names it.
    pub key: Cow<'static, str>,
    /// Its value.
    pub value: LabelValue,
}

impl Label {
    /// A label with a text.
    pub fn text(key: &'static str, value: impl Into<Box<str>>) -> Self {
        Label { key: Cow::Borrowed(key), value: LabelValue::Text(value.into()) }
    }
}

/// A label's value; the types that the derived metrics need.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LabelValue {
    /// A string.
    Text(Box<str>),
    /// An int.
    Integer(i64),
    /// A boolean.
    Bool(bool),
}

impl fmt::Display for LabelValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LabelValue::Text(text) => f.write_str(text),
            LabelValue::Integer(number) => number.fmt(f),
            LabelValue::Bool(flag) => flag.fmt(f),
        }
    }
}

/// A series' value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Of a counter or gauge that counts whole things, with the last exemplar of a counter.
    Integer(u64, Option<Exemplar>),
    /// Of a gauge that counts whole things and may fall below zero.
    Signed(i64),
    /// Of a counter or gauge that measures, with the last exemplar of a counter.
    Double(f64, Option<Exemplar>),
    /// Of a histogram over explicit bounds.
    Histogram(Distribution),
    /// Of a histogram over exponential bounds.
    Native(NativeDistribution),
    /// Of a summary.
    Summary(Quantiles),
}

/// A histogram's state.
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution {
    /// The buckets' inclusive upper bounds, ascending, without infinity.
    pub bounds: Bounds,
    /// How many fell into each bucket; one more than there are bounds.
    pub counts: Box<[u64]>,
    /// The sum of all values, if it is known.
    pub sum: Option<f64>,
    /// The last exemplar of each bucket that has one, with the bucket's index, in ascending order.
    pub exemplars: Vec<(usize, Exemplar)>,
}

impl Distribution {
    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }
}

/// The bounds of a histogram's buckets, shared by its series.
#[derive(Debug, Clone, PartialEq)]
pub enum Bounds {
    /// Those of a derived metric.
    Static(&'static [f64]),
    /// Those that an application sent.
    Shared(Arc<[f64]>),
}

impl Deref for Bounds {
    type Target = [f64];

    fn deref(&self) -> &[f64] {
        match self {
            Bounds::Static(bounds) => bounds,
            Bounds::Shared(bounds) => bounds,
        }
    }
}

/// An exponential histogram's state, as OTLP has it: bucket `index` holds the values in
/// `(base^index, base^(index+1)]`, where `base` is `2^(2^-scale)`.
#[derive(Debug, Clone, PartialEq)]
pub struct NativeDistribution {
    /// The resolution; any, as OTLP allows it.
    pub scale: i32,
    /// How far from zero a value may be to count as zero; zero if that was not said.
    pub zero_threshold: f64,
    /// How many values are zero, or next to it.
    pub zero_count: u64,
    /// The buckets of the positive values.
    pub positive: Buckets,
    /// The buckets of the negative values, by their distance from zero.
    pub negative: Buckets,
    /// How many values there are.
    pub count: u64,
    /// The sum of all values, if it is known.
    pub sum: Option<f64>,
    /// Exemplars, in no order.
    pub exemplars: Vec<Exemplar>,
}

/// One side of an exponential histogram.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Buckets {
    /// The index of the first bucket.
    pub offset: i32,
    /// How many values fell into that bucket and those that follow.
    pub counts: Box<[u64]>,
}

/// A summary's state.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantiles {
    /// How many values there were.
    pub count: u64,
    /// The sum of all values.
    pub sum: f64,
    /// Quantiles, between 0 and 1, each with the value at it.
    pub values: Box<[(f64, f64)]>,
}

/// One measurement that stands for others, with the span that it was made in.
#[derive(Debug, Clone, PartialEq)]
pub struct Exemplar {
    /// What was measured.
    pub value: f64,
    /// When it was recorded.
    pub time_unix_nano: u64,
    /// The trace.
    pub trace_id: Option<TraceId>,
    /// The span.
    pub span_id: Option<SpanId>,
    /// Attributes of the measurement that are no labels of the series.
    pub attributes: Vec<Label>,
}

/// Nanoseconds since the epoch; zero for a time before it or after the year 2554.
pub(crate) fn unix_nano(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).ok().and_then(|since| u64::try_from(since.as_nanos()).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_that_differ_at_their_end_stay_two() {
        let long = |end: char| shortened(format!("{}{end}", "é".repeat(2000)).into(), LONGEST_TEXT).into_owned();
        assert!(long('a').len() <= LONGEST_TEXT && long('a').len() > LONGEST_TEXT - 4);
        assert_ne!(long('a'), long('b'));
        assert_eq!(shortened("short".into(), LONGEST_TEXT), "short");
    }

    #[test]
    fn what_was_shortened_once_is_not_shortened_again() {
        for length in LONGEST_TEXT - 1..LONGEST_TEXT + 20 {
            let once = shortened("x".repeat(length).into(), LONGEST_TEXT).into_owned();
            assert_eq!(shortened(Cow::Borrowed(&once), LONGEST_TEXT), once, "{length}");
            assert_eq!(once.len(), length.min(LONGEST_TEXT));
        }
    }
}
