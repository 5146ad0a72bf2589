//! What is sent before a dashboard is looked at: the corpus in two halves, so that a rate has two
//! samples to lie between, what the corpus has nothing of, and what goes wrong on purpose.

use std::net::SocketAddr;
use std::path::Path;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
    metric::Data,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;

use crate::process::http;
use crate::support::replay::emitters;
use crate::support::{cases, corpus, key_values, requests};

const SIGNALS: [&str; 3] = ["traces", "metrics", "logs"];
const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json");

fn now() -> u64 {
    u64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos()).unwrap()
}

/// Sends a request and returns the answer's status.
pub(crate) fn send(to: SocketAddr, signal: &str, format: (&str, &str), body: &[u8]) -> u16 {
    http(to, "POST", &format!("/v1/{signal}"), &[format], body).unwrap().status
}

/// Sends every other case of every emitter: those with even places, then those with odd ones.
/// Llama Stack's metrics are [`servers`]'.
pub(crate) fn half(to: SocketAddr, half: usize) {
    for emitter in emitters() {
        for case in cases(&emitter).iter().skip(half).step_by(2) {
            for signal in SIGNALS {
                let metrics_of_a_server = signal == "metrics" && emitter.starts_with("llama-stack");
                for (ending, format) in [("pb", PROTOBUF), ("json", JSON)] {
                    for body in requests(case, &format!(".{signal}.{ending}")) {
                        if !metrics_of_a_server {
                            assert_eq!(send(to, signal, format, &body), 200, "{} {signal}", case.display());
                        }
                    }
                }
            }
        }
    }
}

/// The metrics of the recorded Llama Stack servers as they report them for the `round`th time, and those
/// of a server of OGX 0.8, which is not in the corpus.
pub(crate) fn servers(to: SocketAddr, round: u64) {
    for emitter in emitters().iter().filter(|emitter| emitter.starts_with("llama-stack")) {
        for case in cases(emitter) {
            for body in requests(&case, ".metrics.pb") {
                let mut request = ExportMetricsServiceRequest::decode(body).unwrap();
                // Four servers of one name would be one, whose numbers jump to and fro.
                for resource in request.resource_metrics.iter_mut().filter_map(|metrics| metrics.resource.as_mut()) {
                    resource.attributes.retain(|entry| entry.key != "service.instance.id");
                    resource.attributes.extend(key_values(&[("service.instance.id", said(emitter))]));
                }
                grow(&mut request, round);
                assert_eq!(send(to, "metrics", PROTOBUF, &request.encode_to_vec()), 200, "{emitter}");
            }
        }
    }
    let mut request = ogx();
    grow(&mut request, round);
    assert_eq!(send(to, "metrics", PROTOBUF, &request.encode_to_vec()), 200);
}

/// Every total, `round` times as large, as of now.
fn grow(request: &mut ExportMetricsServiceRequest, round: u64) {
    let factor = round as f64;
    let scopes = request.resource_metrics.iter_mut().flat_map(|resource| &mut resource.scope_metrics);
    for metric in scopes.flat_map(|scope| &mut scope.metrics) {
        match metric.data.as_mut().unwrap() {
            Data::Sum(sum) => {
                for point in &mut sum.data_points {
                    point.time_unix_nano = now();
                    match point.value.as_mut().unwrap() {
                        Number::AsInt(value) if sum.is_monotonic => *value *= round.cast_signed(),
                        Number::AsDouble(value) if sum.is_monotonic => *value *= factor,
                        // What is under way, which is nothing when a server has come to its end.
                        Number::AsInt(value) => *value = round.cast_signed(),
                        Number::AsDouble(value) => *value = factor,
                    }
                }
            }
            Data::Histogram(histogram) => {
                for point in &mut histogram.data_points {
                    point.time_unix_nano = now();
                    point.count *= round;
                    point.sum = point.sum.map(|sum| sum * factor);
                    point.bucket_counts.iter_mut().for_each(|count| *count *= round);
                    point.exemplars.clear();
                }
            }
            Data::Gauge(gauge) => gauge.data_points.iter_mut().for_each(|point| point.time_unix_nano = now()),
            Data::ExponentialHistogram(_) | Data::Summary(_) => {}
        }
    }
}

fn said(text: &str) -> Value {
    Value::StringValue(text.to_owned())
}

/// The metrics of OGX 0.8, with the names, units and attributes of its `telemetry/constants.py`.
fn ogx() -> ExportMetricsServiceRequest {
    let tool = [("tool_name", "web_search"), ("tool_group", "builtin::websearch"), ("provider", "tavily")];
    let vector = [("vector_db", "vs_1"), ("operation", "chunks"), ("provider", "sqlite-vec"), ("status", "success")];
    let call = [("api", "inference"), ("method", "chat")];
    let with = |attributes: &[(&'static str, &'static str)], status| [attributes, &[("status", status)]].concat();
    let metrics = vec![
        counter("ogx.tool_runtime.invocations_total", &[with(&tool, "success"), with(&tool, "error")]),
        seconds("ogx.tool_runtime.duration_seconds", &with(&tool, "success")),
        counter("ogx.vector_io.inserts_total", &[vector.to_vec()]),
        counter("ogx.vector_io.queries_total", &[vector.to_vec()]),
        counter("ogx.vector_io.deletes_total", &[vector.to_vec()]),
        seconds("ogx.vector_io.insert_duration_seconds", &vector),
        seconds("ogx.vector_io.retrieval_duration_seconds", &vector),
        counter("ogx.requests_total", &[with(&call, "success"), with(&call, "error")]),
    ];
    let scope = InstrumentationScope { name: "ogx.core".into(), ..Default::default() };
    let scope_metrics = vec![ScopeMetrics { scope: Some(scope), metrics, ..Default::default() }];
    let attributes = key_values(&[("service.name", said("ogx-server")), ("service.instance.id", said("ogx-0.8"))]);
    let resource = Some(Resource { attributes, ..Default::default() });
    let resource_metrics = vec![ResourceMetrics { resource, scope_metrics, ..Default::default() }];
    ExportMetricsServiceRequest { resource_metrics }
}

fn attributes(of: &[(&'static str, &'static str)]) -> Vec<KeyValue> {
    let value = |text: &str| Some(AnyValue { value: Some(said(text)) });
    of.iter().map(|(key, text)| KeyValue { key: (*key).into(), value: value(text), ..Default::default() }).collect()
}

fn counter(name: &str, series: &[Vec<(&'static str, &'static str)>]) -> Metric {
    let point = |of: &Vec<_>| NumberDataPoint {
        attributes: attributes(of),
        start_time_unix_nano: 1,
        value: Some(Number::AsInt(3)),
        ..Default::default()
    };
    let data_points = series.iter().map(point).collect();
    let sum =
        Sum { data_points, aggregation_temporality: AggregationTemporality::Cumulative.into(), is_monotonic: true };
    Metric { name: name.into(), unit: "1".into(), data: Some(Data::Sum(sum)), ..Default::default() }
}

fn seconds(name: &str, of: &[(&'static str, &'static str)]) -> Metric {
    let point = HistogramDataPoint {
        attributes: attributes(of),
        start_time_unix_nano: 1,
        count: 3,
        sum: Some(1.2),
        explicit_bounds: vec![0.1, 1.0],
        bucket_counts: vec![1, 2, 0],
        ..Default::default()
    };
    let aggregation_temporality = AggregationTemporality::Cumulative.into();
    let histogram = Histogram { data_points: vec![point], aggregation_temporality };
    Metric { name: name.into(), unit: "s".into(), data: Some(Data::Histogram(histogram)), ..Default::default() }
}

/// Calls of a service that does the same in every round: one that is streamed, partly from a cache and
/// with reasoning, one that fails, a tool, and a key that no dialect knows.
pub(crate) fn steady(to: SocketAddr, round: u64) {
    let text = |key: &'static str, text: &str| (key, said(text));
    let number = |key: &'static str, number| (key, Value::IntValue(number));
    let model = || {
        vec![
            text("gen_ai.operation.name", "chat"),
            text("gen_ai.provider.name", "openai"),
            text("gen_ai.request.model", "gpt-4o-mini"),
        ]
    };
    let streamed = [
        model(),
        vec![
            text("gen_ai.response.id", &format!("chatcmpl-steady-{round}")),
            number("gen_ai.usage.input_tokens", 900),
            number("gen_ai.usage.output_tokens", 300),
            number("gen_ai.usage.cache_read.input_tokens", 500),
            number("gen_ai.usage.cache_creation.input_tokens", 100),
            number("gen_ai.usage.reasoning.output_tokens", 120),
            ("gen_ai.response.time_to_first_chunk", Value::DoubleValue(0.4)),
            text("gen_ai.made_up.key", "nobody reads this"),
        ],
    ]
    .concat();
    let failed = [model(), vec![text("error.type", "rate_limit_exceeded")]].concat();
    let tool = vec![text("gen_ai.operation.name", "execute_tool"), text("gen_ai.tool.name", "get_weather")];
    let span = |place: u8, name: &str, kind, code, attributes: &[(&str, Value)]| {
        let id = [[place; 8], round.to_be_bytes()].concat();
        Span {
            trace_id: id.clone(),
            span_id: id[..8].iter().zip(&id[8..]).map(|(place, round)| place ^ round).collect(),
            name: name.into(),
            kind,
            start_time_unix_nano: now() - 2_000_000_000,
            end_time_unix_nano: now(),
            attributes: key_values(attributes),
            status: Some(Status { code, ..Default::default() }),
            ..Default::default()
        }
    };
    let spans = vec![
        span(1, "chat gpt-4o-mini", 3, 0, &streamed),
        span(2, "chat gpt-4o-mini", 3, 2, &failed),
        span(3, "execute_tool get_weather", 1, 0, &tool),
    ];
    let scope = Some(InstrumentationScope { name: "steady".into(), ..Default::default() });
    let scope_spans = vec![ScopeSpans { scope, spans, ..Default::default() }];
    let resource = Resource { attributes: key_values(&[("service.name", said("steady"))]), ..Default::default() };
    let resource_spans = vec![ResourceSpans { resource: Some(resource), scope_spans, ..Default::default() }];
    let body = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
    assert_eq!(send(to, "traces", PROTOBUF, &body), 200);
    // An SDK that did not hear the answer says it again: a re-export, which is not counted.
    assert_eq!(send(to, "traces", PROTOBUF, &body), 200);
}

/// Requests that no receiver takes, each with the answer that it must get.
pub(crate) fn refused(to: SocketAddr) {
    for (signal, format, body, status) in [
        ("traces", PROTOBUF, &b"not protobuf"[..], 400),
        ("traces", ("content-type", "text/plain"), b"", 415),
        ("nothing", PROTOBUF, b"", 404),
    ] {
        assert_eq!(send(to, signal, format, body), status, "{signal} {format:?}");
    }
}

/// Sends one recorded request until it is refused, which an exporter without a backend must come to.
pub(crate) fn until_full(to: SocketAddr) {
    let body = &requests(Path::new(&corpus().join("llama-stack-0.7.3/startup")), ".traces.pb")[0];
    let answers: Vec<u16> = (0..10_000).map(|_| send(to, "traces", PROTOBUF, body)).take_while(|s| *s == 200).collect();
    assert!(answers.len() < 10_000, "a queue without a backend is never full");
}
