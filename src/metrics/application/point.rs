//! One data point, read from its bytes: its times, its value, its exemplars, or why it has none that
//! could be shown. Its attributes are [`super::labels`]'.
//!
//! The numbers are those of `opentelemetry/proto/metrics/v1/metrics.proto`. The bytes were checked
//! when their metric was.

use std::sync::Arc;

use super::explicit::Explicit;
use super::exponential::{Exponential, Side};
use super::labels;
use super::reason::Why;
use super::value::{Number, Summary, Value};
use crate::metrics::snapshot::{Exemplar, Label};
use crate::otlp::metrics::Kind;
use crate::otlp::value::{KeyValue, fields};
use crate::otlp::wire::{Field, Payload, Reader, WireType};
use crate::otlp::{SpanId, TraceId};

/// Buckets or quantiles of one point at most. Views of SDKs have a few dozen; 160 is the most that an
/// exponential histogram has by default.
const MAX_BUCKETS: usize = 1024;

/// Scales beyond which no double falls into another bucket, either way.
const SCALES: std::ops::RangeInclusive<i32> = -64..=64;

/// Exemplars of one point that are looked at.
const MAX_EXEMPLARS: usize = 64;

/// Characters that the attributes of an exemplar may have: OpenMetrics gives 128 to all of its labels,
/// and the ids with their names take 63.
const EXEMPLAR_CHARACTERS: usize = 65;

/// `DataPointFlags.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK`.
const NO_RECORDED_VALUE: u64 = 1;

/// A data point.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Point {
    /// When its series began, or its interval; zero if not said.
    pub(super) start: u64,
    /// When it was measured; zero if not said.
    pub(super) time: u64,
    /// `None` if its series ends here.
    pub(super) value: Option<Value>,
    /// The latest ones, in the order in which they came.
    pub(super) exemplars: Vec<Exemplar>,
}

/// What is to be known of a metric in order to read its points.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected {
    pub(super) kind: Kind,
    /// A sum that only grows: nothing below zero.
    pub(super) is_monotonic: bool,
}

/// Reads a point.
pub(super) fn read(expected: Expected, raw: &[u8]) -> Result<Point, Why> {
    let mut point = Point { start: 0, time: 0, value: None, exemplars: Vec::new() };
    let flags = if matches!(expected.kind, Kind::Gauge | Kind::Sum | Kind::Summary) { 8 } else { 10 };
    let mut ends = false;
    for field in fields(raw) {
        match (field.number, field.payload) {
            (2, Payload::Fixed64(nanos)) => point.start = nanos,
            (3, Payload::Fixed64(nanos)) => point.time = nanos,
            (number, Payload::Varint(bits)) if number == flags => ends = bits & NO_RECORDED_VALUE != 0,
            _ => {}
        }
    }
    if ends {
        return Ok(point);
    }
    point.value = Some(match expected.kind {
        Kind::Gauge | Kind::Sum => Value::Number(number(expected, raw)?),
        Kind::Histogram => Value::Explicit(explicit(raw)?),
        Kind::ExponentialHistogram => Value::Exponential(exponential(raw)?),
        Kind::Summary => Value::Summary(summary(raw)?),
    });
    let exemplars = match expected.kind {
        Kind::Sum if expected.is_monotonic => 5,
        Kind::Histogram => 8,
        Kind::ExponentialHistogram => 11,
        Kind::Sum | Kind::Gauge | Kind::Summary => return Ok(point),
    };
    let all = fields(raw).filter(|field| field.number == exemplars).take(MAX_EXEMPLARS);
    point.exemplars = all.filter_map(|field| exemplar(content(&field)?)).collect();
    Ok(point)
}

fn content<'a>(field: &Field<'a>) -> Option<&'a [u8]> {
    match field.payload {
        Payload::Bytes(content) => Some(content),
        _ => None,
    }
}

fn number(expected: Expected, raw: &[u8]) -> Result<Number, Why> {
    // Of a `oneof` the last member counts.
    let last = fields(raw).filter_map(|field| match (field.number, field.payload) {
        (4, Payload::Fixed64(bits)) => Some(Number::Double(f64::from_bits(bits))),
        (6, Payload::Fixed64(bits)) => Some(Number::Int(bits as i64)),
        _ => None,
    });
    let number = last.last().ok_or(Why::NoValue)?;
    // A gauge may say that there is no number at the moment.
    if expected.kind == Kind::Sum && !number.as_f64().is_finite() {
        return Err(Why::NotFinite);
    }
    if expected.is_monotonic && number.as_f64() < 0.0 {
        return Err(Why::Negative);
    }
    Ok(number)
}

fn explicit(raw: &[u8]) -> Result<Explicit, Why> {
    let mut said = Said::default();
    let (mut counts, mut bounds) = (Vec::new(), Vec::new());
    for field in fields(raw) {
        match (field.number, field.payload) {
            (4, Payload::Fixed64(count)) => said.count = count,
            (5, Payload::Fixed64(bits)) => said.sum = Some(f64::from_bits(bits)),
            (6, _) => repeated(&field, WireType::Fixed64, &mut counts)?,
            (7, _) => repeated(&field, WireType::Fixed64, &mut bounds)?,
            _ => {}
        }
    }
    let mut bounds: Vec<f64> = bounds.into_iter().map(f64::from_bits).collect();
    if counts.is_empty() && bounds.is_empty() {
        counts.push(said.count);
    }
    if counts.len() != bounds.len() + 1 {
        return Err(Why::BadBuckets);
    }
    // Some write down that the last bucket ends at infinity; there is nothing beyond.
    if bounds.last() == Some(&f64::INFINITY) {
        bounds.pop();
        let beyond = counts.pop().unwrap_or(0);
        if let Some(last) = counts.last_mut() {
            *last = last.saturating_add(beyond);
        }
    }
    if !bounds.iter().all(|bound| bound.is_finite()) || !bounds.is_sorted_by(|a, b| a < b) {
        return Err(Why::BadBuckets);
    }
    let sum = said.check(counts.iter().try_fold(0_u64, |sum, count| sum.checked_add(*count)))?;
    Ok(Explicit { bounds: Arc::from(bounds), counts: counts.into(), sum })
}

fn exponential(raw: &[u8]) -> Result<Exponential, Why> {
    let mut said = Said::default();
    let mut all = Exponential {
        scale: 0,
        zero_threshold: 0.0,
        zero_count: 0,
        positive: Side::default(),
        negative: Side::default(),
        sum: None,
    };
    for field in fields(raw) {
        match (field.number, field.payload) {
            (4, Payload::Fixed64(count)) => said.count = count,
            (5, Payload::Fixed64(bits)) => said.sum = Some(f64::from_bits(bits)),
            (6, Payload::Varint(scale)) => all.scale = zigzag(scale),
            (7, Payload::Fixed64(count)) => all.zero_count = count,
            (8, Payload::Bytes(side)) => read_side(side, &mut all.positive)?,
            (9, Payload::Bytes(side)) => read_side(side, &mut all.negative)?,
            (14, Payload::Fixed64(bits)) => all.zero_threshold = f64::from_bits(bits),
            _ => {}
        }
    }
    if !SCALES.contains(&all.scale) {
        return Err(Why::BadScale);
    }
    if !all.zero_threshold.is_finite() || all.zero_threshold < 0.0 {
        return Err(Why::BadBuckets);
    }
    let counts = all.positive.counts.iter().chain(&all.negative.counts);
    all.sum = said.check(counts.chain([&all.zero_count]).try_fold(0_u64, |sum, count| sum.checked_add(*count)))?;
    Ok(all)
}

fn read_side(raw: &[u8], side: &mut Side) -> Result<(), Why> {
    for field in fields(raw) {
        match (field.number, field.payload) {
            (1, Payload::Varint(offset)) => side.offset = zigzag(offset),
            (2, _) => repeated(&field, WireType::Varint, &mut side.counts)?,
            _ => {}
        }
    }
    // The index of the last bucket is a number of 32 bits, too.
    let last = i64::from(side.offset) + side.counts.len() as i64;
    if last > i64::from(i32::MAX) { Err(Why::BadBuckets) } else { Ok(()) }
}

fn summary(raw: &[u8]) -> Result<Summary, Why> {
    let mut said = Said { sum: Some(0.0), ..Said::default() };
    let mut quantiles = Vec::new();
    for field in fields(raw) {
        match (field.number, field.payload) {
            (4, Payload::Fixed64(count)) => said.count = count,
            (5, Payload::Fixed64(bits)) => said.sum = Some(f64::from_bits(bits)),
            (6, Payload::Bytes(quantile)) if quantiles.len() < MAX_BUCKETS => {
                let of = |number: u32| {
                    let found = fields(quantile).filter_map(move |field| match field.payload {
                        Payload::Fixed64(bits) if field.number == number => Some(f64::from_bits(bits)),
                        _ => None,
                    });
                    found.last().unwrap_or(0.0)
                };
                quantiles.push((of(1), of(2)));
            }
            (6, _) => return Err(Why::TooManyBuckets),
            _ => {}
        }
    }
    let is_right = quantiles.iter().all(|(quantile, _)| (0.0..=1.0).contains(quantile));
    if !is_right || !quantiles.is_sorted_by(|(a, _), (b, _)| a < b) {
        return Err(Why::BadQuantiles);
    }
    let sum = said.check(Some(said.count))?.unwrap_or(0.0);
    Ok(Summary { count: said.count, sum, quantiles: quantiles.into() })
}

/// What a distribution says of itself beside its buckets.
#[derive(Debug, Default, Clone, Copy)]
struct Said {
    count: u64,
    sum: Option<f64>,
}

impl Said {
    /// The sum, if both fit what the buckets say.
    fn check(self, counted: Option<u64>) -> Result<Option<f64>, Why> {
        if counted != Some(self.count) {
            return Err(Why::CountMismatch);
        }
        match self.sum {
            Some(sum) if !sum.is_finite() => Err(Why::NotFinite),
            sum => Ok(sum),
        }
    }
}

/// The values of a repeated field of numbers, packed or not.
fn repeated(field: &Field<'_>, wire_type: WireType, into: &mut Vec<u64>) -> Result<(), Why> {
    let number = |payload| match payload {
        Payload::Fixed64(number) | Payload::Varint(number) => Some(number),
        _ => None,
    };
    match field.payload {
        Payload::Bytes(packed) => {
            let mut reader = Reader::new(packed);
            while let Ok(Some(payload)) = reader.packed(wire_type) {
                if into.len() > MAX_BUCKETS {
                    return Err(Why::TooManyBuckets);
                }
                into.extend(number(payload));
            }
        }
        payload => into.extend(number(payload)),
    }
    if into.len() > MAX_BUCKETS { Err(Why::TooManyBuckets) } else { Ok(()) }
}

/// `sint32`.
fn zigzag(number: u64) -> i32 {
    let number = number as u32;
    (number >> 1) as i32 ^ -((number & 1) as i32)
}

/// An exemplar; `None` if it has nothing to say.
fn exemplar(raw: &[u8]) -> Option<Exemplar> {
    let mut exemplar =
        Exemplar { value: f64::NAN, time_unix_nano: 0, trace_id: None, span_id: None, attributes: Vec::new() };
    let mut room = EXEMPLAR_CHARACTERS;
    for field in fields(raw) {
        match (field.number, field.payload) {
            (2, Payload::Fixed64(nanos)) => exemplar.time_unix_nano = nanos,
            (3, Payload::Fixed64(bits)) => exemplar.value = f64::from_bits(bits),
            (6, Payload::Fixed64(bits)) => exemplar.value = bits as i64 as f64,
            (4, Payload::Bytes(id)) => exemplar.span_id = id.try_into().ok().filter(|id| *id != [0; 8]).map(SpanId),
            (5, Payload::Bytes(id)) => exemplar.trace_id = id.try_into().ok().filter(|id| *id != [0; 16]).map(TraceId),
            (7, Payload::Bytes(attribute)) => {
                let entry = KeyValue::parse_checked(attribute);
                let label = Label { key: entry.key().to_owned().into(), value: labels::own(entry.parse_value()) };
                let characters = label.key.chars().count() + label.value.to_string().chars().count();
                if let Some(rest) = room.checked_sub(characters) {
                    room = rest;
                    exemplar.attributes.push(label);
                }
            }
            _ => {}
        }
    }
    let says_something = exemplar.trace_id.is_some() || exemplar.span_id.is_some() || !exemplar.attributes.is_empty();
    (exemplar.value.is_finite() && says_something).then_some(exemplar)
}
