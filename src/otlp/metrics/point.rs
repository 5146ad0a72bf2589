//! One data point: a borrowed view of its bytes, and the changes made to its attributes. Everything
//! else of it (bounds, counts, exemplars, times, what this program does not know) is only ever copied.

use super::metric::{Kind, Part};
use crate::otlp::attributes::AttributeList;
use crate::otlp::patch::Patch;
pub use crate::otlp::value::RawValue;
use crate::otlp::value::{Value, fields};
use crate::otlp::wire::{Field, Payload};

/// The value of a number's data point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// `as_int`.
    Int(i64),
    /// `as_double`.
    Double(f64),
}

/// A data point of a [`Metric`](super::Metric).
#[derive(Debug)]
pub struct Point<'a> {
    kind: Kind,
    raw: &'a [u8],
    /// The number of the field differs from kind to kind and is told when it is written.
    attributes: AttributeList<'a, 1>,
    /// The part of the metric that it belongs to now; `None` if it was dropped.
    part: Option<Part>,
}

impl<'a> Point<'a> {
    /// A view of a point whose bytes were checked before.
    pub(super) fn parse_checked(kind: Kind, raw: &'a [u8]) -> Self {
        let mut attributes = AttributeList::default();
        for field in fields(raw).filter(|field| field.number == kind.attributes()) {
            // Checked with its metric, so that there is nothing to refuse.
            if attributes.push(&field, "DataPoint", Some(crate::otlp::wire::DEPTH)).is_err() {
                break;
            }
        }
        attributes.settle();
        Point { kind, raw, attributes, part: Some(Part::SELF) }
    }

    // --- reading -------------------------------------------------------------------------------

    /// The value of the first attribute named `key`, as it stands now.
    pub fn get(&self, key: &str) -> Option<Value<'_>> {
        self.attributes.get(key).map(RawValue::parse)
    }

    /// Whether there is an attribute named `key` now.
    pub fn has(&self, key: &str) -> bool {
        self.attributes.has(key)
    }

    /// All attributes as they stand now: those of the source in their order, then added ones.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, RawValue<'_>)> {
        self.attributes.iter()
    }

    /// The point's encoded content as it came.
    pub fn source(&self) -> &'a [u8] {
        self.raw
    }

    /// When the point's series began, in nanoseconds since the epoch.
    pub fn start_time_unix_nano(&self) -> u64 {
        self.fixed(2)
    }

    /// When it was measured, in nanoseconds since the epoch.
    pub fn time_unix_nano(&self) -> u64 {
        self.fixed(3)
    }

    /// The value of a gauge's or a sum's point; `None` if it has none.
    pub fn number(&self) -> Option<Number> {
        if !matches!(self.kind, Kind::Gauge | Kind::Sum) {
            return None;
        }
        // Of a `oneof` the last member counts.
        let last = fields(self.raw).filter_map(|field| match (field.number, field.payload) {
            (4, Payload::Fixed64(bits)) => Some(Number::Double(f64::from_bits(bits))),
            (6, Payload::Fixed64(bits)) => Some(Number::Int(bits as i64)),
            _ => None,
        });
        last.last()
    }

    /// How many measurements a distribution's or a summary's point holds, and their sum; `None` for other
    /// kinds. The sum may be unsaid.
    pub fn count_and_sum(&self) -> Option<(u64, Option<f64>)> {
        if matches!(self.kind, Kind::Gauge | Kind::Sum) {
            return None;
        }
        let is_sum = |field: &Field<'_>| field.number == 5 && matches!(field.payload, Payload::Fixed64(_));
        let sum = fields(self.raw).any(|field| is_sum(&field)).then(|| f64::from_bits(self.fixed(5)));
        Some((self.fixed(4), sum))
    }

    fn fixed(&self, number: u32) -> u64 {
        let found = fields(self.raw).filter_map(|field| match field.payload {
            Payload::Fixed64(bits) if field.number == number => Some(bits),
            _ => None,
        });
        found.last().unwrap_or(0)
    }

    /// Whether it was dropped.
    pub fn is_dropped(&self) -> bool {
        self.part.is_none()
    }

    /// The part of the metric that it belongs to now; `None` if it was dropped.
    pub fn part(&self) -> Option<Part> {
        self.part
    }

    /// Whether its own bytes changed.
    pub fn is_edited(&self) -> bool {
        self.attributes.is_edited()
    }

    // --- editing -------------------------------------------------------------------------------

    /// As [`Span::set`](crate::otlp::span::Span::set).
    pub fn set<'v>(&mut self, key: &str, value: impl Into<Value<'v>>) {
        self.attributes.set(key, &value.into());
    }

    /// As [`Span::remove`](crate::otlp::span::Span::remove).
    pub fn remove(&mut self, key: &str) -> bool {
        self.attributes.remove(key)
    }

    /// As [`Span::rename`](crate::otlp::span::Span::rename).
    pub fn rename(&mut self, from: &str, to: &str) -> bool {
        self.attributes.rename(from, to)
    }

    /// Takes back what was done to the attributes.
    pub fn restore(&mut self) {
        self.attributes.restore();
    }

    /// Gives the point to a part of its metric, which [`Metric::part`](super::Metric::part) gave.
    pub fn move_to(&mut self, part: Part) {
        self.part = Some(part);
    }

    /// Takes the point out of the request.
    pub fn drop_point(&mut self) {
        self.part = None;
    }

    // --- writing -------------------------------------------------------------------------------

    /// Appends the point's content with all changes made.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let mut patch = Patch::new(self.raw);
        self.attributes.patch_as(self.kind.attributes(), &mut patch);
        patch.write(out);
    }
}
