//! The messages of OTLP for the three signals, as one table: what a field is called in protobuf
//! and in JSON, what it holds, how often it may stand.
//!
//! [`super::check`] and [`super::json`] are driven by it. The spans' hot path,
//! [`super::traces`], has its own reader. The table is compared with the descriptors that
//! `opentelemetry-proto` ships, so it cannot drift from the protocol.

use super::signal::Signal;
use super::wire::WireType;

/// A message.
#[derive(Debug)]
pub struct Message {
    /// The message's name, without its package.
    pub name: &'static str,
    /// Its fields, in the order of their numbers.
    pub fields: &'static [Field],
    /// Where the items of a signal are that this message has to do with.
    pub items: Items,
}

/// What a message has to do with the items that are counted (spans, data points, log records).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Items {
    /// It holds none.
    None,
    /// It holds messages that hold or are some.
    Inside,
    /// It is one.
    Itself,
}

/// A field of a message.
#[derive(Debug)]
pub struct Field {
    /// The number on the wire.
    pub number: u32,
    /// The name in the `.proto` file; JSON readers take it as well.
    pub name: &'static str,
    /// The name in JSON. Empty for what only the profiles signal may use: OTLP says to treat it as
    /// absent elsewhere.
    pub json: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// How often it may stand, and whether its absence means something.
    pub rule: Rule,
}

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// UTF-8 text.
    String,
    /// A trace or span id of this many bytes: hexadecimal in JSON.
    Id(usize),
    /// Bytes: base64 in JSON.
    Bytes,
    /// `bool`
    Bool,
    /// `int32`
    Int32,
    /// `sint32` (zigzag)
    Sint32,
    /// `uint32`
    Uint32,
    /// `int64`
    Int64,
    /// `uint64`
    Uint64,
    /// `fixed32`
    Fixed32,
    /// `fixed64`
    Fixed64,
    /// `sfixed64`
    Sfixed64,
    /// `double`
    Double,
    /// An open enumeration.
    Enum(&'static Enum),
    /// A message.
    Message(&'static Message),
}

/// How often a field may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Once; its default value means the same as its absence. For a message absence counts.
    Singular,
    /// Once; absence is something else than the default value.
    Optional,
    /// At most one of all fields of this rule in the message. No message of OTLP has two `oneof`s.
    Oneof,
    /// Any number of times; scalars packed or not.
    Repeated,
    /// As [`Rule::Repeated`], and written to JSON also when empty, since readers exist that refuse
    /// an `arrayValue` without `values`.
    List,
}

/// An enumeration's names.
#[derive(Debug)]
pub struct Enum {
    /// Its name.
    pub name: &'static str,
    /// The names of its values, by number.
    pub values: &'static [&'static str],
}

impl Message {
    /// The field with this number.
    #[inline]
    pub fn field(&self, number: u32) -> Option<&'static Field> {
        let fields = self.fields;
        fields.iter().find(|field| field.number == number)
    }

    /// The position in [`Message::fields`] of the field of this name in JSON, in either spelling.
    #[inline]
    pub fn json_field(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| !field.json.is_empty() && (field.json == name || field.name == name))
    }
}

impl Kind {
    /// How the value is laid out on the wire.
    pub const fn wire_type(self) -> WireType {
        match self {
            Kind::String | Kind::Id(_) | Kind::Bytes | Kind::Message(_) => WireType::Bytes,
            Kind::Bool | Kind::Int32 | Kind::Sint32 | Kind::Uint32 | Kind::Int64 | Kind::Uint64 | Kind::Enum(_) => {
                WireType::Varint
            }
            Kind::Fixed32 => WireType::Fixed32,
            Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => WireType::Fixed64,
        }
    }
}

impl Rule {
    /// Whether the field may stand any number of times.
    pub const fn is_repeated(self) -> bool {
        matches!(self, Repeated | List)
    }
}

/// The export request of a signal.
pub const fn request(signal: Signal) -> &'static Message {
    match signal {
        Signal::Traces => &TRACES,
        Signal::Metrics => &METRICS,
        Signal::Logs => &LOGS,
    }
}

const fn field(number: u32, name: &'static str, json: &'static str, kind: Kind, rule: Rule) -> Field {
    Field { number, name, json, kind, rule }
}

const fn message(name: &'static str, items: Items, fields: &'static [Field]) -> Message {
    Message { name, fields, items }
}

use Rule::{List, Oneof, Optional, Repeated, Singular};

const TRACE_ID: Kind = Kind::Id(16);
const SPAN_ID: Kind = Kind::Id(8);

// --- common and resource -----------------------------------------------------------------------

static ANY_VALUE: Message = message(
    "AnyValue",
    Items::None,
    &[
        field(1, "string_value", "stringValue", Kind::String, Oneof),
        field(2, "bool_value", "boolValue", Kind::Bool, Oneof),
        field(3, "int_value", "intValue", Kind::Int64, Oneof),
        field(4, "double_value", "doubleValue", Kind::Double, Oneof),
        field(5, "array_value", "arrayValue", Kind::Message(&ARRAY_VALUE), Oneof),
        field(6, "kvlist_value", "kvlistValue", Kind::Message(&KEY_VALUE_LIST), Oneof),
        field(7, "bytes_value", "bytesValue", Kind::Bytes, Oneof),
        field(8, "string_value_strindex", "", Kind::Int32, Oneof),
    ],
);

static ARRAY_VALUE: Message =
    message("ArrayValue", Items::None, &[field(1, "values", "values", Kind::Message(&ANY_VALUE), List)]);

static KEY_VALUE_LIST: Message =
    message("KeyValueList", Items::None, &[field(1, "values", "values", Kind::Message(&KEY_VALUE), List)]);

static KEY_VALUE: Message = message(
    "KeyValue",
    Items::None,
    &[
        field(1, "key", "key", Kind::String, Singular),
        field(2, "value", "value", Kind::Message(&ANY_VALUE), Singular),
        field(3, "key_strindex", "", Kind::Int32, Singular),
    ],
);

static SCOPE: Message = message(
    "InstrumentationScope",
    Items::None,
    &[
        field(1, "name", "name", Kind::String, Singular),
        field(2, "version", "version", Kind::String, Singular),
        field(3, "attributes", "attributes", Kind::Message(&KEY_VALUE), Repeated),
        field(4, "dropped_attributes_count", "droppedAttributesCount", Kind::Uint32, Singular),
    ],
);

static ENTITY_REF: Message = message(
    "EntityRef",
    Items::None,
    &[
        field(1, "schema_url", "schemaUrl", Kind::String, Singular),
        field(2, "type", "type", Kind::String, Singular),
        field(3, "id_keys", "idKeys", Kind::String, Repeated),
        field(4, "description_keys", "descriptionKeys", Kind::String, Repeated),
    ],
);

static RESOURCE: Message = message(
    "Resource",
    Items::None,
    &[
        field(1, "attributes", "attributes", Kind::Message(&KEY_VALUE), Repeated),
        field(2, "dropped_attributes_count", "droppedAttributesCount", Kind::Uint32, Singular),
        field(3, "entity_refs", "entityRefs", Kind::Message(&ENTITY_REF), Repeated),
    ],
);

// --- traces ------------------------------------------------------------------------------------

static TRACES: Message = message(
    "ExportTraceServiceRequest",
    Items::Inside,
    &[field(1, "resource_spans", "resourceSpans", Kind::Message(&RESOURCE_SPANS), Repeated)],
);

static RESOURCE_SPANS: Message = message(
    "ResourceSpans",
    Items::Inside,
    &[
        field(1, "resource", "resource", Kind::Message(&RESOURCE), Singular),
        field(2, "scope_spans", "scopeSpans", Kind::Message(&SCOPE_SPANS), Repeated),
        field(3, "schema_url", "schemaUrl", Kind::String, Singular),
    ],
);

static SCOPE_SPANS: Message = message(
    "ScopeSpans",
    Items::Inside,
    &[
        field(1, "scope", "scope", Kind::Message(&SCOPE), Singular),
        field(2, "spans", "spans", Kind::Message(&SPAN), Repeated),
        field(3, "schema_url", "schemaUrl", Kind::String, Singular),
    ],
);

static SPAN: Message = message(
    "Span",
    Items::Itself,
    &[
        field(1, "trace_id", "traceId", TRACE_ID, Singular),
        field(2, "span_id", "spanId", SPAN_ID, Singular),
        field(3, "trace_state", "traceState", Kind::String, Singular),
        field(4, "parent_span_id", "parentSpanId", SPAN_ID, Singular),
        field(5, "name", "name", Kind::String, Singular),
        field(6, "kind", "kind", Kind::Enum(&SPAN_KIND), Singular),
        field(7, "start_time_unix_nano", "startTimeUnixNano", Kind::Fixed64, Singular),
        field(8, "end_time_unix_nano", "endTimeUnixNano", Kind::Fixed64, Singular),
        field(9, "attributes", "attributes", Kind::Message(&KEY_VALUE), Repeated),
        field(10, "dropped_attributes_count", "droppedAttributesCount", Kind::Uint32, Singular),
        field(11, "events", "events", Kind::Message(&EVENT), Repeated),
        field(12, "dropped_events_count", "droppedEventsCount", Kind::Uint32, Singular),
        field(13, "links", "links", Kind::Message(&LINK), Repeated),
        field(14, "dropped_links_count", "droppedLinksCount", Kind::Uint32, Singular),
        field(15, "status", "status", Kind::Message(&STATUS), Singular),
        field(16, "flags", "flags", Kind::Fixed32, Singular),
    ],
);

static EVENT: Message = message(
    "Event",
    Items::None,
    &[
        field(1, "time_unix_nano", "timeUnixNano", Kind::Fixed64, Singular),
        field(2, "name", "name", Kind::String, Singular),
        field(3, "attributes", "attributes", Kind::Message(&KEY_VALUE), Repeated),
        field(4, "dropped_attributes_count", "droppedAttributesCount", Kind::Uint32, Singular),
    ],
);

static LINK: Message = message(
    "Link",
    Items::None,
    &[
        field(1, "trace_id", "traceId", TRACE_ID, Singular),
        field(2, "span_id", "spanId", SPAN_ID, Singular),
        field(3, "trace_state", "traceState", Kind::String, Singular),
        field(4, "attributes", "attributes", Kind::Message(&KEY_VALUE), Repeated),
        field(5, "dropped_attributes_count", "droppedAttributesCount", Kind::Uint32, Singular),
        field(6, "flags", "flags", Kind::Fixed32, Singular),
    ],
);

static STATUS: Message = message(
    "Status",
    Items::None,
    &[
        field(2, "message", "message", Kind::String, Singular),
        field(3, "code", "code", Kind::Enum(&STATUS_CODE), Singular),
    ],
);

static SPAN_KIND: Enum = Enum {
    name: "SpanKind",
    values: &[
        "SPAN_KIND_UNSPECIFIED",
        "SPAN_KIND_INTERNAL",
        "SPAN_KIND_SERVER",
        "SPAN_KIND_CLIENT",
        "SPAN_KIND_PRODUCER",
        "SPAN_KIND_CONSUMER",
    ],
};

static STATUS_CODE: Enum =
    Enum { name: "StatusCode", values: &["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"] };

// --- metrics -----------------------------------------------------------------------------------

static METRICS: Message = message(
    "ExportMetricsServiceRequest",
    Items::Inside,
    &[field(1, "resource_metrics", "resourceMetrics", Kind::Message(&RESOURCE_METRICS), Repeated)],
);

static RESOURCE_METRICS: Message = message(
    "ResourceMetrics",
    Items::Inside,
    &[
        field(1, "resource", "resource", Kind::Message(&RESOURCE), Singular),
        field(2, "scope_metrics", "scopeMetrics", Kind::Message(&SCOPE_METRICS), Repeated),
        field(3, "schema_url", "schemaUrl", Kind::String, Singular),
    ],
);

static SCOPE_METRICS: Message = message(
    "ScopeMetrics",
    Items::Inside,
    &[
        field(1, "scope", "scope", Kind::Message(&SCOPE), Singular),
        field(2, "metrics", "metrics", Kind::Message(&METRIC), Repeated),
        field(3, "schema_url", "schemaUrl", Kind::String, Singular),
    ],
);

pub(super) static METRIC: Message = message(
    "Metric",
    Items::Inside,
    &[
        field(1, "name", "name", Kind::String, Singular),
        field(2, "description", "description", Kind::String, Singular),
        field(3, "unit", "unit", Kind::String, Singular),
        field(5, "gauge", "gauge", Kind::Message(&GAUGE), Oneof),
        field(7, "sum", "sum", Kind::Message(&SUM), Oneof),
        field(9, "histogram", "histogram", Kind::Message(&HISTOGRAM), Oneof),
        field(10, "exponential_histogram", "exponentialHistogram", Kind::Message(&EXPONENTIAL_HISTOGRAM), Oneof),
        field(11, "summary", "summary", Kind::Message(&SUMMARY), Oneof),
        field(12, "metadata", "metadata", Kind::Message(&KEY_VALUE), Repeated),
    ],
);

static GAUGE: Message = message(
    "Gauge",
    Items::Inside,
    &[field(1, "data_points", "dataPoints", Kind::Message(&NUMBER_DATA_POINT), Repeated)],
);

static SUM: Message = message(
    "Sum",
    Items::Inside,
    &[
        field(1, "data_points", "dataPoints", Kind::Message(&NUMBER_DATA_POINT), Repeated),
        field(2, "aggregation_temporality", "aggregationTemporality", Kind::Enum(&TEMPORALITY), Singular),
        field(3, "is_monotonic", "isMonotonic", Kind::Bool, Singular),
    ],
);

static HISTOGRAM: Message = message(
    "Histogram",
    Items::Inside,
    &[
        field(1, "data_points", "dataPoints", Kind::Message(&HISTOGRAM_DATA_POINT), Repeated),
        field(2, "aggregation_temporality", "aggregationTemporality", Kind::Enum(&TEMPORALITY), Singular),
    ],
);

static EXPONENTIAL_HISTOGRAM: Message = message(
    "ExponentialHistogram",
    Items::Inside,
    &[
        field(1, "data_points", "dataPoints", Kind::Message(&EXPONENTIAL_HISTOGRAM_DATA_POINT), Repeated),
        field(2, "aggregation_temporality", "aggregationTemporality", Kind::Enum(&TEMPORALITY), Singular),
    ],
);

static SUMMARY: Message = message(
    "Summary",
    Items::Inside,
    &[field(1, "data_points", "dataPoints", Kind::Message(&SUMMARY_DATA_POINT), Repeated)],
);

static TEMPORALITY: Enum = Enum {
    name: "AggregationTemporality",
    values: &[
        "AGGREGATION_TEMPORALITY_UNSPECIFIED",
        "AGGREGATION_TEMPORALITY_DELTA",
        "AGGREGATION_TEMPORALITY_CUMULATIVE",
    ],
};

static NUMBER_DATA_POINT: Message = message(
    "NumberDataPoint",
    Items::Itself,
    &[
        field(2, "start_time_unix_nano", "startTimeUnixNano", Kind::Fixed64, Singular),
        field(3, "time_unix_nano", "timeUnixNano", Kind::Fixed64, Singular),
        field(4, "as_double", "asDouble", Kind::Double, Oneof),
        field(5, "exemplars", "exemplars", Kind::Message(&EXEMPLAR), Repeated),
        field(6, "as_int", "asInt", Kind::Sfixed64, Oneof),
        field(7, "attributes", "attributes", Kind::Message(&KEY_VALUE), Repeated),
        field(8, "flags", "flags", Kind::Uint32, Singular),
    ],
);

static HISTOGRAM_DATA_POINT: Message = message(
    "HistogramDataPoint",
    Items::Itself,
    &[
        field(2, "start_time_unix_nano", "startTimeUnixNano", Kind::Fixed64, Singular),
        field(3, "time_unix_nano", "timeUnixNano", Kind::Fixed64, Singular),
        field(4, "count", "count", Kind::Fixed64, Singular),
        field(5, "sum", "sum", Kind::Double, Optional),
        field(6, "bucket_counts", "bucketCounts", Kind::Fixed64, Repeated),
        field(7, "explicit_bounds", "explicitBounds", Kind::Double, Repeated),
        field(8, "exemplars", "exemplars", Kind::Message(&EXEMPLAR), Repeated),
        field(9, "attributes", "attributes", Kind::Message(&KEY_VALUE), Repeated),
        field(10, "flags", "flags", Kind::Uint32, Singular),
        field(11, "min", "min", Kind::Double, Optional),
        field(12, "max", "max", Kind::Double, Optional),
    ],
);

static EXPONENTIAL_HISTOGRAM_DATA_POINT: Message = message(
    "ExponentialHistogramDataPoint",
    Items::Itself,
    &[
        field(1, "attributes", "attributes", Kind::Message(&KEY_VALUE), Repeated),
        field(2, "start_time_unix_nano", "startTimeUnixNano", Kind::Fixed64, Singular),
        field(3, "time_unix_nano", "timeUnixNano", Kind::Fixed64, Singular),
        field(4, "count", "count", Kind::Fixed64, Singular),
        field(5, "sum", "sum", Kind::Double, Optional),
        field(6, "scale", "scale", Kind::Sint32, Singular),
        field(7, "zero_count", "zeroCount", Kind::Fixed64, Singular),
        field(8, "positive", "positive", Kind::Message(&BUCKETS), Singular),
        field(9, "negative", "negative", Kind::Message(&BUCKETS), Singular),
        field(10, "flags", "flags", Kind::Uint32, Singular),
        field(11, "exemplars", "exemplars", Kind::Message(&EXEMPLAR), Repeated),
        field(12, "min", "min", Kind::Double, Optional),
        field(13, "max", "max", Kind::Double, Optional),
        field(14, "zero_threshold", "zeroThreshold", Kind::Double, Singular),
    ],
);

static BUCKETS: Message = message(
    "Buckets",
    Items::None,
    &[
        field(1, "offset", "offset", Kind::Sint32, Singular),
        field(2, "bucket_counts", "bucketCounts", Kind::Uint64, Repeated),
    ],
);

static SUMMARY_DATA_POINT: Message = message(
    "SummaryDataPoint",
    Items::Itself,
    &[
        field(2, "start_time_unix_nano", "startTimeUnixNano", Kind::Fixed64, Singular),
        field(3, "time_unix_nano", "timeUnixNano", Kind::Fixed64, Singular),
        field(4, "count", "count", Kind::Fixed64, Singular),
        field(5, "sum", "sum", Kind::Double, Singular),
        field(6, "quantile_values", "quantileValues", Kind::Message(&VALUE_AT_QUANTILE), Repeated),
        field(7, "attributes", "attributes", Kind::Message(&KEY_VALUE), Repeated),
        field(8, "flags", "flags", Kind::Uint32, Singular),
    ],
);

static VALUE_AT_QUANTILE: Message = message(
    "ValueAtQuantile",
    Items::None,
    &[field(1, "quantile", "quantile", Kind::Double, Singular), field(2, "value", "value", Kind::Double, Singular)],
);

static EXEMPLAR: Message = message(
    "Exemplar",
    Items::None,
    &[
        field(2, "time_unix_nano", "timeUnixNano", Kind::Fixed64, Singular),
        field(3, "as_double", "asDouble", Kind::Double, Oneof),
        field(4, "span_id", "spanId", SPAN_ID, Singular),
        field(5, "trace_id", "traceId", TRACE_ID, Singular),
        field(6, "as_int", "asInt", Kind::Sfixed64, Oneof),
        field(7, "filtered_attributes", "filteredAttributes", Kind::Message(&KEY_VALUE), Repeated),
    ],
);

// --- logs --------------------------------------------------------------------------------------

static LOGS: Message = message(
    "ExportLogsServiceRequest",
    Items::Inside,
    &[field(1, "resource_logs", "resourceLogs", Kind::Message(&RESOURCE_LOGS), Repeated)],
);

static RESOURCE_LOGS: Message = message(
    "ResourceLogs",
    Items::Inside,
    &[
        field(1, "resource", "resource", Kind::Message(&RESOURCE), Singular),
        field(2, "scope_logs", "scopeLogs", Kind::Message(&SCOPE_LOGS), Repeated),
        field(3, "schema_url", "schemaUrl", Kind::String, Singular),
    ],
);

static SCOPE_LOGS: Message = message(
    "ScopeLogs",
    Items::Inside,
    &[
        field(1, "scope", "scope", Kind::Message(&SCOPE), Singular),
        field(2, "log_records", "logRecords", Kind::Message(&LOG_RECORD), Repeated),
        field(3, "schema_url", "schemaUrl", Kind::String, Singular),
    ],
);

static LOG_RECORD: Message = message(
    "LogRecord",
    Items::Itself,
    &[
        field(1, "time_unix_nano", "timeUnixNano", Kind::Fixed64, Singular),
        field(2, "severity_number", "severityNumber", Kind::Enum(&SEVERITY), Singular),
        field(3, "severity_text", "severityText", Kind::String, Singular),
        field(5, "body", "body", Kind::Message(&ANY_VALUE), Singular),
        field(6, "attributes", "attributes", Kind::Message(&KEY_VALUE), Repeated),
        field(7, "dropped_attributes_count", "droppedAttributesCount", Kind::Uint32, Singular),
        field(8, "flags", "flags", Kind::Fixed32, Singular),
        field(9, "trace_id", "traceId", TRACE_ID, Singular),
        field(10, "span_id", "spanId", SPAN_ID, Singular),
        field(11, "observed_time_unix_nano", "observedTimeUnixNano", Kind::Fixed64, Singular),
        field(12, "event_name", "eventName", Kind::String, Singular),
    ],
);

static SEVERITY: Enum = Enum {
    name: "SeverityNumber",
    values: &[
        "SEVERITY_NUMBER_UNSPECIFIED",
        "SEVERITY_NUMBER_TRACE",
        "SEVERITY_NUMBER_TRACE2",
        "SEVERITY_NUMBER_TRACE3",
        "SEVERITY_NUMBER_TRACE4",
        "SEVERITY_NUMBER_DEBUG",
        "SEVERITY_NUMBER_DEBUG2",
        "SEVERITY_NUMBER_DEBUG3",
        "SEVERITY_NUMBER_DEBUG4",
        "SEVERITY_NUMBER_INFO",
        "SEVERITY_NUMBER_INFO2",
        "SEVERITY_NUMBER_INFO3",
        "SEVERITY_NUMBER_INFO4",
        "SEVERITY_NUMBER_WARN",
        "SEVERITY_NUMBER_WARN2",
        "SEVERITY_NUMBER_WARN3",
        "SEVERITY_NUMBER_WARN4",
        "SEVERITY_NUMBER_ERROR",
        "SEVERITY_NUMBER_ERROR2",
        "SEVERITY_NUMBER_ERROR3",
        "SEVERITY_NUMBER_ERROR4",
        "SEVERITY_NUMBER_FATAL",
        "SEVERITY_NUMBER_FATAL2",
        "SEVERITY_NUMBER_FATAL3",
        "SEVERITY_NUMBER_FATAL4",
    ],
};

#[cfg(test)]
mod descriptors;
