//! Prometheus' protobuf format: delimited `io.prometheus.client.MetricFamily` messages
//! (`proto/prometheus_client_model.proto`, of prometheus/client_model). The only format with native
//! histograms.

use prost::Message;
use prost::encoding::encode_varint;

use crate::metrics::snapshot::{Distribution, Exemplar, Kind, NativeDistribution, Quantiles, Series, Value};

use super::labels::LabelSet;
use super::native;
use super::page::{Section, Writer};
use super::text::sorted_quantiles;

/// `MetricFamily.metric`.
const METRIC: u32 = 4;

/// The descriptors of a `MetricFamily`. Its metrics are written behind it one by one, so that no
/// more than one of them is ever held.
#[derive(Clone, PartialEq, Message)]
struct FamilyHead {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    #[prost(string, optional, tag = "2")]
    help: Option<String>,
    #[prost(int32, optional, tag = "3")]
    r#type: Option<i32>,
    #[prost(string, optional, tag = "5")]
    unit: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
struct Metric {
    #[prost(message, repeated, tag = "1")]
    label: Vec<LabelPair>,
    #[prost(message, optional, tag = "2")]
    gauge: Option<Gauge>,
    #[prost(message, optional, tag = "3")]
    counter: Option<Counter>,
    #[prost(message, optional, tag = "4")]
    summary: Option<Summary>,
    #[prost(message, optional, tag = "7")]
    histogram: Option<Histogram>,
    #[prost(int64, optional, tag = "6")]
    timestamp_ms: Option<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct LabelPair {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    #[prost(string, optional, tag = "2")]
    value: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
struct Gauge {
    #[prost(double, optional, tag = "1")]
    value: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
struct Counter {
    #[prost(double, optional, tag = "1")]
    value: Option<f64>,
    #[prost(message, optional, tag = "2")]
    exemplar: Option<ExemplarMessage>,
    #[prost(message, optional, tag = "3")]
    created_timestamp: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Message)]
struct Quantile {
    #[prost(double, optional, tag = "1")]
    quantile: Option<f64>,
    #[prost(double, optional, tag = "2")]
    value: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(uint64, optional, tag = "1")]
    sample_count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    sample_sum: Option<f64>,
    #[prost(message, repeated, tag = "3")]
    quantile: Vec<Quantile>,
    #[prost(message, optional, tag = "4")]
    created_timestamp: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Message)]
struct Histogram {
    #[prost(uint64, optional, tag = "1")]
    sample_count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    sample_sum: Option<f64>,
    #[prost(message, repeated, tag = "3")]
    bucket: Vec<Bucket>,
    #[prost(sint32, optional, tag = "5")]
    schema: Option<i32>,
    #[prost(double, optional, tag = "6")]
    zero_threshold: Option<f64>,
    #[prost(uint64, optional, tag = "7")]
    zero_count: Option<u64>,
    #[prost(message, repeated, tag = "9")]
    negative_span: Vec<BucketSpan>,
    #[prost(sint64, repeated, packed = "false", tag = "10")]
    negative_delta: Vec<i64>,
    #[prost(message, repeated, tag = "12")]
    positive_span: Vec<BucketSpan>,
    #[prost(sint64, repeated, packed = "false", tag = "13")]
    positive_delta: Vec<i64>,
    #[prost(message, optional, tag = "15")]
    created_timestamp: Option<Timestamp>,
    #[prost(message, repeated, tag = "16")]
    exemplars: Vec<ExemplarMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct Bucket {
    #[prost(uint64, optional, tag = "1")]
    cumulative_count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    upper_bound: Option<f64>,
    #[prost(message, optional, tag = "3")]
    exemplar: Option<ExemplarMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct BucketSpan {
    #[prost(sint32, optional, tag = "1")]
    offset: Option<i32>,
    #[prost(uint32, optional, tag = "2")]
    length: Option<u32>,
}

/// `Exemplar`.
#[derive(Clone, PartialEq, Message)]
struct ExemplarMessage {
    #[prost(message, repeated, tag = "1")]
    label: Vec<LabelPair>,
    #[prost(double, optional, tag = "2")]
    value: Option<f64>,
    #[prost(message, optional, tag = "3")]
    timestamp: Option<Timestamp>,
}

/// `google.protobuf.Timestamp`.
#[derive(Clone, PartialEq, Message)]
struct Timestamp {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

/// Writes messages.
pub(super) struct Protobuf {
    timestamps: bool,
    /// Where the family's message begins in the buffer.
    start: usize,
    exemplar: LabelSet,
    quantiles: Vec<(f64, f64)>,
}

impl Protobuf {
    pub(super) fn new(timestamps: bool) -> Self {
        Protobuf { timestamps, start: 0, exemplar: LabelSet::default(), quantiles: Vec::new() }
    }

    fn exemplar(&mut self, exemplar: &Exemplar) -> Option<ExemplarMessage> {
        if !exemplar.value.is_finite() {
            return None;
        }
        self.exemplar.read_exemplar(exemplar);
        (!self.exemplar.is_empty()).then(|| ExemplarMessage {
            label: pairs(&self.exemplar),
            value: Some(exemplar.value),
            timestamp: timestamp(exemplar.time_unix_nano),
        })
    }

    fn histogram(&mut self, distribution: &Distribution) -> Histogram {
        let Distribution { bounds, counts, sum, exemplars } = distribution;
        let mut cumulative = 0_u64;
        let mut bucket = Vec::with_capacity(counts.len());
        for (at, count) in counts.iter().enumerate() {
            cumulative = cumulative.saturating_add(*count);
            let bound = bounds.get(at).copied().unwrap_or(f64::INFINITY);
            let below = at.checked_sub(1).and_then(|at| bounds.get(at)).copied().unwrap_or(f64::NEG_INFINITY);
            let exemplar = exemplars.iter().find(|(bucket, _)| *bucket == at).map(|(_, exemplar)| exemplar);
            let exemplar = exemplar.filter(|exemplar| below < exemplar.value && exemplar.value <= bound);
            bucket.push(Bucket {
                cumulative_count: Some(cumulative),
                upper_bound: Some(bound),
                exemplar: exemplar.and_then(|exemplar| self.exemplar(exemplar)),
            });
        }
        Histogram { sample_count: Some(cumulative), sample_sum: Some(number(*sum)), bucket, ..Histogram::default() }
    }

    fn native(&mut self, distribution: &NativeDistribution) -> Histogram {
        let NativeDistribution { scale, positive, negative, zero_count, count, sum, exemplars, .. } = distribution;
        let (positive, negative) = (native::sparse(positive, *scale), native::sparse(negative, *scale));
        let spans = |spans: Vec<(i32, u32)>| -> Vec<BucketSpan> {
            let spans = spans.into_iter();
            spans.map(|(offset, length)| BucketSpan { offset: Some(offset), length: Some(length) }).collect()
        };
        // Native histograms' exemplars must have a time.
        let exemplars = exemplars.iter().filter(|exemplar| exemplar.time_unix_nano > 0);
        Histogram {
            sample_count: Some(*count),
            sample_sum: Some(number(*sum)),
            schema: Some(native::schema(distribution)),
            zero_threshold: Some(native::zero_threshold(distribution)),
            zero_count: Some(*zero_count),
            negative_span: spans(negative.spans),
            negative_delta: negative.deltas,
            positive_span: spans(positive.spans),
            positive_delta: positive.deltas,
            exemplars: exemplars.filter_map(|exemplar| self.exemplar(exemplar)).collect(),
            ..Histogram::default()
        }
    }

    fn summary(&mut self, summary: &Quantiles) -> Summary {
        sorted_quantiles(summary, &mut self.quantiles);
        let quantiles = self.quantiles.iter();
        Summary {
            sample_count: Some(summary.count),
            sample_sum: Some(number(Some(summary.sum))),
            quantile: quantiles
                .map(|(quantile, value)| Quantile { quantile: Some(*quantile), value: Some(number(Some(*value))) })
                .collect(),
            created_timestamp: None,
        }
    }
}

impl Writer for Protobuf {
    fn begin(&mut self, out: &mut Vec<u8>, section: &Section) {
        self.start = out.len();
        let kind = match section.kind {
            Kind::Counter => 0,
            Kind::Gauge | Kind::Info => 1,
            Kind::Summary => 2,
            Kind::Histogram => 4,
        };
        let head = FamilyHead {
            name: Some(format!("{}{}", section.name, section.suffix)),
            help: Some(section.help.clone()),
            r#type: Some(kind),
            unit: section.unit.clone(),
        };
        head.encode_raw(out);
    }

    fn series(&mut self, out: &mut Vec<u8>, section: &Section, labels: &LabelSet, series: &Series) {
        let mut metric = Metric { label: pairs(labels), ..Metric::default() };
        let created = timestamp(series.start_time_unix_nano);
        match (&series.value, section.kind) {
            (Value::Histogram(distribution), _) => {
                metric.histogram = Some(Histogram { created_timestamp: created, ..self.histogram(distribution) });
            }
            (Value::Native(distribution), _) => {
                metric.histogram = Some(Histogram { created_timestamp: created, ..self.native(distribution) });
            }
            (Value::Summary(summary), _) => {
                metric.summary = Some(Summary { created_timestamp: created, ..self.summary(summary) });
            }
            (Value::Integer(..), Kind::Info) => metric.gauge = Some(Gauge { value: Some(1.0) }),
            (Value::Integer(value, exemplar), Kind::Counter) => {
                let exemplar = exemplar.as_ref().and_then(|exemplar| self.exemplar(exemplar));
                metric.counter = Some(Counter { value: Some(*value as f64), exemplar, created_timestamp: created });
            }
            (Value::Double(value, exemplar), Kind::Counter) => {
                let exemplar = exemplar.as_ref().and_then(|exemplar| self.exemplar(exemplar));
                metric.counter = Some(Counter { value: Some(*value), exemplar, created_timestamp: created });
            }
            (Value::Integer(value, _), _) => metric.gauge = Some(Gauge { value: Some(*value as f64) }),
            (Value::Signed(value), _) => metric.gauge = Some(Gauge { value: Some(*value as f64) }),
            (Value::Double(value, _), _) => metric.gauge = Some(Gauge { value: Some(number(Some(*value))) }),
        }
        if self.timestamps && series.time_unix_nano > 0 {
            metric.timestamp_ms = i64::try_from(series.time_unix_nano / 1_000_000).ok();
        }
        prost::encoding::message::encode(METRIC, &metric, out);
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        // The length stands in front; what it is, is known only now.
        let end = out.len();
        let mut length = Vec::with_capacity(10);
        encode_varint((end - self.start) as u64, &mut length);
        out.extend_from_slice(&length);
        if let Some(message) = out.get_mut(self.start..) {
            message.rotate_right(length.len());
        }
    }

    /// The family's length is yet to come.
    fn settles_series(&self) -> bool {
        false
    }

    fn finish(&mut self, _: &mut Vec<u8>) {}
}

fn pairs(labels: &LabelSet) -> Vec<LabelPair> {
    let labels = labels.iter();
    labels.map(|(name, value)| LabelPair { name: Some(name.to_owned()), value: Some(value.to_owned()) }).collect()
}

/// What is not known is no number. One of those is Prometheus' mark of a series that has ended
/// (0x7ff0000000000002); no other is passed on than the usual one.
fn number(value: Option<f64>) -> f64 {
    value.filter(|value| !value.is_nan()).unwrap_or(f64::NAN)
}

/// `None` for what is not known.
fn timestamp(unix_nano: u64) -> Option<Timestamp> {
    let (seconds, nanos) = (unix_nano / 1_000_000_000, unix_nano % 1_000_000_000);
    (unix_nano > 0)
        .then(|| Some(Timestamp { seconds: i64::try_from(seconds).ok()?, nanos: i32::try_from(nanos).ok()? }))
        .flatten()
}

/// How many series a page has.
#[cfg(test)]
pub(super) fn count(mut page: &[u8]) -> usize {
    #[derive(Clone, PartialEq, Message)]
    struct Family {
        #[prost(message, repeated, tag = "4")]
        metric: Vec<Metric>,
    }
    let mut series = 0;
    while !page.is_empty() {
        series += Family::decode_length_delimited(&mut page).unwrap().metric.len();
    }
    series
}

#[cfg(test)]
mod tests {
    use prost_types::field_descriptor_proto::{Label, Type};

    /// Its name, number and type, and whether there may be many.
    type Field = (&'static str, i32, Type, bool);

    /// Every field that is written, with its number and type in the vendored file.
    #[test]
    fn the_messages_are_those_of_the_proto_file() {
        let source = include_str!("../../../proto/prometheus_client_model.proto");
        let file = protox_parse::parse("prometheus_client_model.proto", source).unwrap();
        // No syntax is said of the second version.
        assert_eq!((file.syntax(), file.package()), ("", "io.prometheus.client"));
        let written: &[(&str, &[Field])] = &[
            (
                "MetricFamily",
                &[
                    ("name", 1, Type::String, false),
                    ("help", 2, Type::String, false),
                    ("type", 3, Type::Enum, false),
                    ("metric", 4, Type::Message, true),
                    ("unit", 5, Type::String, false),
                ],
            ),
            (
                "Metric",
                &[
                    ("label", 1, Type::Message, true),
                    ("gauge", 2, Type::Message, false),
                    ("counter", 3, Type::Message, false),
                    ("summary", 4, Type::Message, false),
                    ("timestamp_ms", 6, Type::Int64, false),
                    ("histogram", 7, Type::Message, false),
                ],
            ),
            ("LabelPair", &[("name", 1, Type::String, false), ("value", 2, Type::String, false)]),
            ("Gauge", &[("value", 1, Type::Double, false)]),
            (
                "Counter",
                &[
                    ("value", 1, Type::Double, false),
                    ("exemplar", 2, Type::Message, false),
                    ("created_timestamp", 3, Type::Message, false),
                ],
            ),
            ("Quantile", &[("quantile", 1, Type::Double, false), ("value", 2, Type::Double, false)]),
            (
                "Summary",
                &[
                    ("sample_count", 1, Type::Uint64, false),
                    ("sample_sum", 2, Type::Double, false),
                    ("quantile", 3, Type::Message, true),
                    ("created_timestamp", 4, Type::Message, false),
                ],
            ),
            (
                "Histogram",
                &[
                    ("sample_count", 1, Type::Uint64, false),
                    ("sample_sum", 2, Type::Double, false),
                    ("bucket", 3, Type::Message, true),
                    ("schema", 5, Type::Sint32, false),
                    ("zero_threshold", 6, Type::Double, false),
                    ("zero_count", 7, Type::Uint64, false),
                    ("negative_span", 9, Type::Message, true),
                    ("negative_delta", 10, Type::Sint64, true),
                    ("positive_span", 12, Type::Message, true),
                    ("positive_delta", 13, Type::Sint64, true),
                    ("created_timestamp", 15, Type::Message, false),
                    ("exemplars", 16, Type::Message, true),
                ],
            ),
            (
                "Bucket",
                &[
                    ("cumulative_count", 1, Type::Uint64, false),
                    ("upper_bound", 2, Type::Double, false),
                    ("exemplar", 3, Type::Message, false),
                ],
            ),
            ("BucketSpan", &[("offset", 1, Type::Sint32, false), ("length", 2, Type::Uint32, false)]),
            (
                "Exemplar",
                &[
                    ("label", 1, Type::Message, true),
                    ("value", 2, Type::Double, false),
                    ("timestamp", 3, Type::Message, false),
                ],
            ),
        ];
        for (message, fields) in written {
            let message = file.message_type.iter().find(|found| found.name() == *message).unwrap();
            for (field, number, kind, repeated) in *fields {
                let field = message.field.iter().find(|found| found.name() == *field).unwrap();
                // The parser does not resolve the names of messages and enums: they have no type yet.
                let resolved = if field.r#type.is_some() { field.r#type() } else { *kind };
                assert_eq!((field.number(), resolved), (*number, *kind), "{}", field.name());
                assert_eq!(field.label() == Label::Repeated, *repeated, "{}", field.name());
            }
        }
        let kinds = file.enum_type.iter().find(|found| found.name() == "MetricType").unwrap();
        let kinds: Vec<_> = kinds.value.iter().map(|value| (value.name(), value.number())).collect();
        assert_eq!(&kinds[..3], [("COUNTER", 0), ("GAUGE", 1), ("SUMMARY", 2)]);
        assert_eq!(kinds[4], ("HISTOGRAM", 4));
    }
}
