//! One metric: a borrowed view of its bytes, and the interface through which stages change it.
//!
//! Parsing checks the metric as prost would and notes where its fields stand. Its data points are
//! looked at only if somebody asks for them, so that a metric of no interest costs its check. A
//! metric may be split: points that are moved to a [`Part`] leave it for a metric of another name,
//! which has everything else of it and stands behind it.

use std::ops::Range;

use super::point::Point;
use crate::otlp::check::check_message;
use crate::otlp::patch::{Patch, Singular};
use crate::otlp::schema;
use crate::otlp::value::fields;
use crate::otlp::wire::{DEPTH, Payload, Reader, WireError, put_bytes};

/// Numbers of fields of `Metric`.
mod number {
    pub(super) const NAME: u32 = 1;
    pub(super) const DESCRIPTION: u32 = 2;
    pub(super) const UNIT: u32 = 3;
}

/// The number of `data_points`, in every kind of data.
const POINTS: u32 = 1;

/// The number of `ScopeMetrics.metrics`.
const METRICS: u32 = 2;

/// `Metric.data`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Numbers that do not add up.
    Gauge,
    /// Numbers that add up.
    Sum,
    /// Distributions over explicit bounds.
    Histogram,
    /// Distributions over exponential bounds.
    ExponentialHistogram,
    /// Quantiles.
    Summary,
}

impl Kind {
    fn from_field(number: u32) -> Option<Kind> {
        Some(match number {
            5 => Kind::Gauge,
            7 => Kind::Sum,
            9 => Kind::Histogram,
            10 => Kind::ExponentialHistogram,
            11 => Kind::Summary,
            _ => return None,
        })
    }

    /// The number of `attributes` in the kind's data point.
    pub(crate) const fn attributes(self) -> u32 {
        match self {
            Kind::Gauge | Kind::Sum | Kind::Summary => 7,
            Kind::Histogram => 9,
            Kind::ExponentialHistogram => 1,
        }
    }

    /// In OTLP's words.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Gauge => "gauge",
            Kind::Sum => "sum",
            Kind::Histogram => "histogram",
            Kind::ExponentialHistogram => "exponential histogram",
            Kind::Summary => "summary",
        }
    }

    /// Whether it is a distribution.
    pub const fn is_histogram(self) -> bool {
        matches!(self, Kind::Histogram | Kind::ExponentialHistogram)
    }
}

/// `AggregationTemporality`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Temporality {
    /// Not said, or a number that this program does not know.
    Unspecified,
    /// Since the last report.
    Delta,
    /// Since the series began.
    Cumulative,
}

/// A metric that a [`Metric`] was split into; [`Part::SELF`] is the metric itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Part(u8);

impl Part {
    /// The metric itself.
    pub const SELF: Part = Part(0);
}

/// How many metrics one can become at most.
const MAX_PARTS: usize = 16;

/// More data points than this are not looked at: a view of each takes some hundred times what an
/// empty point takes in a hostile request. SDKs have 2,000 a metric at most by default.
pub const MAX_POINTS: usize = 65_536;

/// What a part is called and measured in.
#[derive(Debug, PartialEq)]
struct Identity {
    name: String,
    unit: String,
}

/// A metric and the changes made to it. See the module's documentation.
///
/// A `Metric` is made once for each request and parses one metric after another, so that its buffers
/// are reused. `'a` is the request's body.
#[derive(Debug, Default)]
pub struct Metric<'a> {
    raw: &'a [u8],
    name: &'a str,
    unit: &'a str,
    kind: Option<Kind>,
    /// Where name and unit stand; more than one range each if they are repeated.
    singular: Singular,
    /// The fields of the data that counts and their contents; more than one if it came in pieces.
    data: Vec<(Range<usize>, &'a [u8])>,
    came_with: usize,
    points: Option<Vec<Point<'a>>>,
    parts: Vec<Identity>,
}

impl<'a> Metric<'a> {
    /// A metric without content; [`Metric::parse`] fills it.
    pub fn new() -> Self {
        Metric::default()
    }

    /// Checks a metric's encoded content and makes this its view. Earlier content and changes go.
    /// The metric is taken to stand where a request has it, three messages deep.
    ///
    /// # Errors
    /// Whatever prost would refuse.
    pub fn parse(&mut self, bytes: &'a [u8]) -> Result<(), WireError> {
        self.parse_at(bytes, Some(DEPTH - 3))
    }

    pub(super) fn parse_at(&mut self, bytes: &'a [u8], depth: Option<u32>) -> Result<(), WireError> {
        let came_with = check_message(&schema::METRIC, Reader::at_depth(bytes, depth)?)?;
        self.clear();
        self.raw = bytes;
        self.came_with = came_with;
        for field in fields(bytes) {
            let Payload::Bytes(content) = field.payload else { continue };
            let range = field.start..field.end;
            match (field.number, Kind::from_field(field.number)) {
                (number::NAME, _) => {
                    self.name = std::str::from_utf8(content).unwrap_or_default();
                    self.singular.note(field.number, range);
                }
                (number::UNIT, _) => {
                    self.unit = std::str::from_utf8(content).unwrap_or_default();
                    self.singular.note(field.number, range);
                }
                (_, Some(kind)) => {
                    // Of a `oneof` the last member counts; the same one again merges with it.
                    if self.kind != Some(kind) {
                        self.data.clear();
                        self.kind = Some(kind);
                    }
                    self.data.push((range, content));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn clear(&mut self) {
        self.name = "";
        self.unit = "";
        self.kind = None;
        self.singular.clear();
        self.data.clear();
        self.points = None;
        self.parts.clear();
    }

    // --- reading -------------------------------------------------------------------------------

    /// The name as it came.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// The unit as it came.
    pub fn unit(&self) -> &'a str {
        self.unit
    }

    /// The description as it came.
    pub fn description(&self) -> &'a str {
        let all = fields(self.raw).filter_map(|field| match field.payload {
            Payload::Bytes(content) if field.number == number::DESCRIPTION => std::str::from_utf8(content).ok(),
            _ => None,
        });
        all.last().unwrap_or_default()
    }

    /// What it holds; `None` if nothing.
    pub fn kind(&self) -> Option<Kind> {
        self.kind
    }

    /// The temporality of sums and histograms.
    pub fn temporality(&self) -> Temporality {
        match self.last_varint(2) {
            1 => Temporality::Delta,
            2 => Temporality::Cumulative,
            _ => Temporality::Unspecified,
        }
    }

    /// Whether it is a sum that only ever grows.
    pub fn is_monotonic(&self) -> bool {
        self.kind == Some(Kind::Sum) && self.last_varint(3) != 0
    }

    fn last_varint(&self, number: u32) -> u64 {
        let all = self.data.iter().flat_map(|(_, content)| fields(content));
        let found = all.filter_map(|field| match field.payload {
            Payload::Varint(value) if field.number == number => Some(value),
            _ => None,
        });
        found.last().unwrap_or(0)
    }

    /// Data points that it came with.
    pub fn point_count(&self) -> usize {
        self.came_with
    }

    /// The encoded content of every data point as it came, however many there are.
    pub fn point_sources(&self) -> impl Iterator<Item = &'a [u8]> {
        let all = self.data.iter().flat_map(|(_, content)| fields(content));
        all.filter_map(|field| match (field.number, field.payload) {
            (POINTS, Payload::Bytes(raw)) => Some(raw),
            _ => None,
        })
    }

    /// Data points that it has now, in whatever part.
    pub fn live_points(&self) -> usize {
        match &self.points {
            Some(points) => points.iter().filter(|point| !point.is_dropped()).count(),
            None => self.came_with,
        }
    }

    /// The metric's encoded content as it came.
    pub fn source(&self) -> &'a [u8] {
        self.raw
    }

    /// Whether all points that it came with were dropped.
    pub fn is_dropped(&self) -> bool {
        self.came_with > 0 && self.live_points() == 0
    }

    /// Whether anything was changed.
    pub fn is_edited(&self) -> bool {
        let touched = |point: &Point<'_>| point.is_edited() || point.part() != Some(Part::SELF);
        self.points.as_ref().is_some_and(|points| points.iter().any(touched))
    }

    // --- editing -------------------------------------------------------------------------------

    /// The data points in order, dropped ones included; none of a metric that came with more than
    /// [`MAX_POINTS`].
    pub fn points(&mut self) -> &mut [Point<'a>] {
        let data = &self.data;
        let Some(kind) = self.kind.filter(|_| self.came_with <= MAX_POINTS) else { return &mut [] };
        self.points.get_or_insert_with(|| {
            let all = data.iter().flat_map(|(_, content)| fields(content));
            let points = all.filter_map(|field| match (field.number, field.payload) {
                (POINTS, Payload::Bytes(raw)) => Some(Point::parse_checked(kind, raw)),
                _ => None,
            });
            points.collect()
        })
    }

    /// The part with this name and unit, to which points can be moved; the metric itself if it is
    /// called and measured so.
    pub fn part(&mut self, name: &str, unit: &str) -> Part {
        if (name, unit) == (self.name, self.unit) {
            return Part::SELF;
        }
        let found = self.parts.iter().position(|part| (part.name.as_str(), part.unit.as_str()) == (name, unit));
        let place = match found {
            Some(place) => place,
            // Never more than a convention has names for one metric.
            None if self.parts.len() + 1 >= MAX_PARTS => return Part::SELF,
            None => {
                self.parts.push(Identity { name: name.to_owned(), unit: unit.to_owned() });
                self.parts.len() - 1
            }
        };
        Part(u8::try_from(place + 1).unwrap_or_default())
    }

    /// What a part is called and measured in.
    pub fn identity(&self, part: Part) -> (&str, &str) {
        let at = usize::from(part.0).checked_sub(1).and_then(|place| self.parts.get(place));
        at.map_or((self.name, self.unit), |identity| (&identity.name, &identity.unit))
    }

    // --- writing -------------------------------------------------------------------------------

    /// The parts that have points.
    fn live_parts(&self) -> impl Iterator<Item = Part> {
        let all = (0..=self.parts.len()).filter_map(|place| Some(Part(u8::try_from(place).ok()?)));
        all.filter(|part| match &self.points {
            Some(points) => points.iter().any(|point| point.part() == Some(*part)),
            None => *part == Part::SELF,
        })
    }

    /// Appends the content of the first part that has points, with all changes made. What did not
    /// change is copied as it came, in its order.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self.live_parts().next() {
            Some(first) if self.is_edited() => self.write_part(first, out),
            _ => out.extend_from_slice(self.raw),
        }
    }

    /// Appends the other parts that have points, as whole fields of their scope.
    pub fn write_behind(&self, out: &mut Vec<u8>) {
        let mut content = Vec::new();
        for part in self.live_parts().skip(1) {
            content.clear();
            self.write_part(part, &mut content);
            put_bytes(out, METRICS, &content);
        }
    }

    fn write_part(&self, part: Part, out: &mut Vec<u8>) {
        let mut patch = Patch::new(self.raw);
        let (name, unit) = self.identity(part);
        for (number, old, new) in [(number::NAME, self.name, name), (number::UNIT, self.unit, unit)] {
            if old != new {
                let mut field = Vec::new();
                put_bytes(&mut field, number, new.as_bytes());
                patch.singular(&self.singular, number, field);
            }
        }
        let mut content = Vec::new();
        self.write_data(part, &mut content);
        let mut pieces = self.data.iter();
        if let Some((at, _)) = pieces.next() {
            let mut field = Vec::new();
            if let Some(kind) = fields(self.raw.get(at.clone()).unwrap_or_default()).next() {
                put_bytes(&mut field, kind.number, &content);
            }
            patch.replace(at.clone(), field);
        }
        for (at, _) in pieces {
            patch.replace(at.clone(), Vec::new());
        }
        patch.write(out);
    }

    /// Appends the data with the points of a part only.
    fn write_data(&self, part: Part, out: &mut Vec<u8>) {
        let mut points = self.points.iter().flatten();
        let mut edited = Vec::new();
        for (_, content) in &self.data {
            for field in fields(content) {
                let raw = content.get(field.start..field.end).unwrap_or_default();
                if !matches!((field.number, field.payload), (POINTS, Payload::Bytes(_))) {
                    out.extend_from_slice(raw);
                    continue;
                }
                match points.next() {
                    Some(point) if point.part() != Some(part) => {}
                    Some(point) if point.is_edited() => {
                        edited.clear();
                        point.write(&mut edited);
                        put_bytes(out, POINTS, &edited);
                    }
                    _ => out.extend_from_slice(raw),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::value::{Value, put_key_value};
    use crate::otlp::wire::put_uint;

    fn nested(number: u32, content: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_bytes(&mut bytes, number, content);
        bytes
    }

    /// A field that no message of OTLP has.
    fn unknown(value: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_uint(&mut bytes, 900, value);
        bytes
    }

    fn attribute(number: u32, key: &str, text: &str) -> Vec<u8> {
        let mut value = Vec::new();
        Value::from(text).encode(&mut value);
        let mut bytes = Vec::new();
        put_key_value(&mut bytes, number, key, &value);
        bytes
    }

    /// A point with something unknown on both sides of its attribute.
    fn point(kind: Kind, key: &str) -> Vec<u8> {
        [unknown(1), attribute(kind.attributes(), key, "v"), unknown(2)].concat()
    }

    fn metric(name: &str, data: u32, points: &[Vec<u8>]) -> Vec<u8> {
        let points: Vec<u8> = points.iter().flat_map(|point| [unknown(3), nested(1, point)].concat()).collect();
        let data = nested(data, &[points, unknown(4)].concat());
        [nested(1, name.as_bytes()), unknown(5), data, unknown(6)].concat()
    }

    #[test]
    fn what_is_not_known_survives_a_split_in_every_part() {
        for (kind, number) in [
            (Kind::Gauge, 5),
            (Kind::Sum, 7),
            (Kind::Histogram, 9),
            (Kind::ExponentialHistogram, 10),
            (Kind::Summary, 11),
        ] {
            let source = metric("one", number, &[point(kind, "a"), point(kind, "b")]);
            let mut metric = Metric::new();
            metric.parse(&source).unwrap();
            let two = metric.part("two", "u");
            metric.points()[1].rename("b", "c");
            metric.points()[1].move_to(two);
            let (mut first, mut behind) = (Vec::new(), Vec::new());
            metric.write(&mut first);
            metric.write_behind(&mut behind);
            // What stands before a point that left stays where it was.
            let data = |points: &[u8]| nested(number, &[points, &unknown(4)].concat());
            let left = data(&[unknown(3), nested(1, &point(kind, "a")), unknown(3)].concat());
            assert_eq!(first, [nested(1, b"one"), unknown(5), left, unknown(6)].concat(), "{kind:?}");
            let moved = data(&[unknown(3), unknown(3), nested(1, &point(kind, "c"))].concat());
            let expected = [nested(1, b"two"), unknown(5), moved, unknown(6), nested(3, b"u")].concat();
            assert_eq!(behind, nested(METRICS, &expected), "{kind:?}");
        }
    }

    #[test]
    fn changes_that_are_taken_back_leave_the_metric_as_it_came() {
        let source = metric("one", 7, &[point(Kind::Sum, "a")]);
        let mut metric = Metric::new();
        metric.parse(&source).unwrap();
        let two = metric.part("two", "");
        let point = &mut metric.points()[0];
        point.set("a", "other");
        point.set("b", "more");
        point.move_to(two);
        assert!(metric.is_edited());
        let point = &mut metric.points()[0];
        point.restore();
        point.move_to(Part::SELF);
        assert!(!metric.is_edited());
        let mut out = Vec::new();
        metric.write(&mut out);
        assert_eq!(out, source);
    }

    #[test]
    fn of_data_that_is_said_twice_the_last_counts_and_pieces_of_it_add_up() {
        let sum = |key| nested(7, &nested(1, &point(Kind::Sum, key)));
        let gauge = nested(5, &nested(1, &point(Kind::Gauge, "g")));
        let source = [sum("dead"), gauge, sum("a"), sum("b")].concat();
        let mut metric = Metric::new();
        metric.parse(&source).unwrap();
        assert_eq!((metric.kind(), metric.point_count()), (Some(Kind::Sum), 2));
        let keys: Vec<bool> = metric.points().iter().zip(["a", "b"]).map(|(point, key)| point.has(key)).collect();
        assert_eq!(keys, [true, true]);
        metric.points()[0].drop_point();
        let mut out = Vec::new();
        metric.write(&mut out);
        let mut again = Metric::new();
        again.parse(&out).unwrap();
        assert_eq!((again.point_count(), again.points()[0].has("b")), (1, true));
    }

    #[test]
    fn a_metric_has_so_many_parts_at_most() {
        let source = metric("one", 7, &[point(Kind::Sum, "a")]);
        let mut metric = Metric::new();
        metric.parse(&source).unwrap();
        assert_eq!(metric.part("one", ""), Part::SELF);
        let parts: Vec<Part> = (0..2 * MAX_PARTS).map(|number| metric.part(&format!("p{number}"), "")).collect();
        assert_eq!(parts.iter().filter(|part| **part != Part::SELF).count(), MAX_PARTS - 1);
        assert_eq!(metric.part("p3", ""), parts[3]);
        assert_eq!(metric.identity(parts[3]), ("p3", ""));
    }
}
