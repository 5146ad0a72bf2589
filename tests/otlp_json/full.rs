//! Requests with every field set.

use opentelemetry_proto::tonic::common::v1::{EntityRef, InstrumentationScope};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

use super::*;

fn trace_id() -> Vec<u8> {
    (1..=16).collect()
}

fn span_id() -> Vec<u8> {
    (0xa1..=0xa8).collect()
}

fn every_value() -> Vec<KeyValue> {
    let list = KeyValueList { values: vec![key_value("inner", array(vec![text("x"), any(Value::BoolValue(true))]))] };
    vec![
        key_value("text", text("\"\\\n\r\t\u{1}é")),
        key_value("no text", text("")),
        key_value("bool", any(Value::BoolValue(false))),
        key_value("int", any(Value::IntValue(-5))),
        key_value("double", any(Value::DoubleValue(0.1))),
        key_value("large", any(Value::DoubleValue(1e300))),
        key_value("nan", any(Value::DoubleValue(f64::NAN))),
        key_value("infinite", any(Value::DoubleValue(f64::NEG_INFINITY))),
        key_value("bytes", any(Value::BytesValue(vec![0xfb, 0xff]))),
        key_value("list", any(Value::KvlistValue(list))),
        key_value("empty array", array(vec![])),
        key_value("empty list", any(Value::KvlistValue(KeyValueList { values: vec![] }))),
        key_value("empty", Some(AnyValue { value: None })),
        key_value("absent", None),
    ]
}

fn resource() -> Option<Resource> {
    let entity_refs = vec![EntityRef {
        schema_url: "u".into(),
        r#type: "service".into(),
        id_keys: vec!["a".into(), String::new()],
        description_keys: vec!["b".into()],
    }];
    Some(Resource { attributes: every_value(), dropped_attributes_count: 1, entity_refs })
}

fn scope() -> Option<InstrumentationScope> {
    Some(InstrumentationScope {
        name: "n".into(),
        version: "v".into(),
        attributes: every_value(),
        dropped_attributes_count: u32::MAX,
    })
}

pub(super) fn traces() -> Traces {
    let event = Event { time_unix_nano: 1, name: "e".into(), attributes: every_value(), dropped_attributes_count: 2 };
    let link = Link {
        trace_id: trace_id(),
        span_id: span_id(),
        trace_state: "s".into(),
        attributes: every_value(),
        dropped_attributes_count: 3,
        flags: 0x300,
    };
    let span = Span {
        trace_id: trace_id(),
        span_id: span_id(),
        trace_state: "a=b".into(),
        parent_span_id: span_id(),
        flags: 0x301,
        name: "chat".into(),
        kind: 3,
        start_time_unix_nano: u64::MAX,
        end_time_unix_nano: 2,
        attributes: every_value(),
        dropped_attributes_count: 4,
        events: vec![event],
        dropped_events_count: 5,
        links: vec![link],
        dropped_links_count: 6,
        status: Some(Status { message: "m".into(), code: 2 }),
    };
    let odd = Span { kind: -7, status: Some(Status { message: String::new(), code: 0 }), ..Span::default() };
    let scope_spans = vec![
        ScopeSpans { scope: scope(), spans: vec![span, odd, Span::default()], schema_url: "x".into() },
        ScopeSpans::default(),
    ];
    Traces { resource_spans: vec![ResourceSpans { resource: resource(), scope_spans, schema_url: "y".into() }] }
}

pub(super) fn logs() -> Logs {
    let record = LogRecord {
        time_unix_nano: 1,
        observed_time_unix_nano: 2,
        severity_number: 17,
        severity_text: "ERROR".into(),
        body: array(vec![text("b")]),
        attributes: every_value(),
        dropped_attributes_count: 3,
        flags: 1,
        trace_id: trace_id(),
        span_id: span_id(),
        event_name: "n".into(),
    };
    let log_records = vec![record, LogRecord { body: Some(AnyValue::default()), ..LogRecord::default() }];
    let scope_logs = vec![ScopeLogs { scope: scope(), log_records, schema_url: "x".into() }];
    Logs { resource_logs: vec![ResourceLogs { resource: resource(), scope_logs, schema_url: "y".into() }] }
}

pub(super) fn metrics() -> Metrics {
    let exemplars = vec![
        Exemplar {
            filtered_attributes: every_value(),
            time_unix_nano: 9,
            span_id: span_id(),
            trace_id: trace_id(),
            value: Some(exemplar::Value::AsInt(-1)),
        },
        Exemplar { value: Some(exemplar::Value::AsDouble(0.0)), ..Exemplar::default() },
    ];
    let point = |value| NumberDataPoint {
        attributes: every_value(),
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        exemplars: exemplars.clone(),
        flags: 1,
        value,
    };
    let gauge = Gauge { data_points: vec![point(Some(number_data_point::Value::AsDouble(f64::NAN))), point(None)] };
    let sum = Sum {
        data_points: vec![point(Some(number_data_point::Value::AsInt(i64::MIN)))],
        aggregation_temporality: 2,
        is_monotonic: true,
    };
    let histogram = HistogramDataPoint {
        attributes: every_value(),
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        count: u64::MAX,
        sum: Some(0.0),
        bucket_counts: vec![1, u64::MAX],
        explicit_bounds: vec![-1.5, f64::INFINITY],
        exemplars: exemplars.clone(),
        flags: u32::MAX,
        min: Some(-0.0),
        max: Some(3.5),
    };
    let buckets = |offset| Some(Buckets { offset, bucket_counts: vec![0, u64::MAX] });
    let exponential = ExponentialHistogramDataPoint {
        attributes: every_value(),
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        count: 3,
        sum: Some(f64::NAN),
        scale: i32::MIN,
        zero_count: 4,
        positive: buckets(-3),
        negative: buckets(i32::MAX),
        flags: 1,
        exemplars: exemplars.clone(),
        min: Some(1.0),
        max: Some(2.0),
        zero_threshold: 0.5,
    };
    let summary = SummaryDataPoint {
        attributes: every_value(),
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        count: 3,
        sum: 4.0,
        quantile_values: vec![ValueAtQuantile { quantile: 0.5, value: 6.0 }],
        flags: 1,
    };
    let metric = |name: &str, data| Metric {
        name: name.into(),
        description: "d".into(),
        unit: "{token}".into(),
        metadata: every_value(),
        data,
    };
    let metrics = vec![
        metric("gauge", Some(Data::Gauge(gauge))),
        metric("sum", Some(Data::Sum(sum))),
        metric(
            "histogram",
            Some(Data::Histogram(Histogram { data_points: vec![histogram], aggregation_temporality: 1 })),
        ),
        metric(
            "exponential",
            Some(Data::ExponentialHistogram(ExponentialHistogram {
                data_points: vec![exponential],
                aggregation_temporality: 2,
            })),
        ),
        metric("summary", Some(Data::Summary(Summary { data_points: vec![summary] }))),
        metric("none", None),
    ];
    let scope_metrics = vec![ScopeMetrics { scope: scope(), metrics, schema_url: "x".into() }];
    Metrics { resource_metrics: vec![ResourceMetrics { resource: resource(), scope_metrics, schema_url: "y".into() }] }
}
