//! Requests that are cut into parts: what a part holds, what is repeated in it, and where it ends.

#![allow(clippy::unwrap_used, reason = "helpers of tests stand outside of test functions")]

mod oracle;

use bytes::Bytes;
use dragoman::otlp::signal::Signal;
use dragoman::otlp::split::{Limits, Split, SplitError};
use dragoman::otlp::wire::{WireError, put_bytes};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use oracle::generate::{Entropy, Wildness, damage, wire};
use oracle::parts::{encoded_items, parts_are_the_whole, split};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

fn limits() -> impl Strategy<Value = Limits> {
    let bytes = prop_oneof![0..40usize, 40..400usize, Just(usize::MAX)];
    let items = prop_oneof![0..4usize, 4..20usize, Just(usize::MAX)];
    (bytes, items).prop_map(|(bytes, items)| Limits { bytes, items })
}

fn signal() -> impl Strategy<Value = Signal> {
    prop_oneof![Just(Signal::Traces), Just(Signal::Metrics), Just(Signal::Logs)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parts_hold_what_the_request_held(signal in signal(), seed in vec(any::<u8>(), 0..1500), limits in limits()) {
        parts_are_the_whole(signal, &wire(signal, &mut Entropy::new(&seed), Wildness::Any), limits);
    }

    #[test]
    fn what_is_no_request_is_refused_or_cut_and_nothing_panics(
        signal in signal(), seed in vec(any::<u8>(), 0..600), harm in vec(any::<u8>(), 0..12), limits in limits(),
    ) {
        let mut body = wire(signal, &mut Entropy::new(&seed), Wildness::Any);
        damage(&mut body, &mut Entropy::new(&harm));
        parts_are_the_whole(signal, &body, limits);
    }

    #[test]
    fn noise_does_not_panic(signal in signal(), body in vec(any::<u8>(), 0..64), limits in limits()) {
        parts_are_the_whole(signal, &body, limits);
    }
}

fn attribute(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(any_value::Value::StringValue(value.into())) });
    KeyValue { key: key.into(), value, ..Default::default() }
}

fn resource(name: &str) -> Option<Resource> {
    Some(Resource { attributes: vec![attribute("service.name", name)], ..Default::default() })
}

fn scope(name: &str) -> Option<InstrumentationScope> {
    Some(InstrumentationScope { name: name.into(), version: "2".into(), ..Default::default() })
}

fn spans(names: &[&str]) -> Vec<Span> {
    names.iter().map(|name| Span { name: (*name).into(), ..Default::default() }).collect()
}

fn traces() -> ExportTraceServiceRequest {
    let of = |name: &str, names: &[&str]| ScopeSpans {
        scope: scope(name),
        spans: spans(names),
        schema_url: format!("https://example.org/{name}"),
    };
    let resource = |name: &str, scope_spans| ResourceSpans {
        resource: resource(name),
        scope_spans,
        schema_url: "https://example.org/resource".into(),
    };
    let first = resource("first", vec![of("a", &["1", "2"]), of("b", &["3"])]);
    ExportTraceServiceRequest { resource_spans: vec![first, resource("second", vec![of("c", &["4"])])] }
}

/// `service/scope:spans` of each scope.
fn outline(body: &[u8]) -> Vec<String> {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let mut lines = Vec::new();
    for resource in &request.resource_spans {
        let Some(any_value::Value::StringValue(service)) =
            resource.resource.as_ref().and_then(|resource| resource.attributes[0].value.clone()?.value)
        else {
            panic!("a resource without a name")
        };
        for scope in &resource.scope_spans {
            let name = &scope.scope.as_ref().unwrap().name;
            assert_eq!(resource.schema_url, "https://example.org/resource");
            assert_eq!(scope.schema_url, format!("https://example.org/{name}"));
            let spans = scope.spans.iter().map(|span| span.name.as_str()).collect::<Vec<_>>().join(",");
            lines.push(format!("{service}/{name}:{spans}"));
        }
    }
    lines
}

fn by_items(items: usize) -> Limits {
    Limits { items, ..Limits::NONE }
}

#[test]
fn parts_of_so_many_spans_repeat_resource_and_scope() {
    let body = Bytes::from(traces().encode_to_vec());
    let parts = |items| {
        let parts = split(Signal::Traces, &body, by_items(items)).unwrap();
        parts.iter().map(|part| (part.items, outline(&part.body))).collect::<Vec<_>>()
    };
    let expect = |items, lines: &[&str]| (items, lines.iter().map(ToString::to_string).collect::<Vec<_>>());
    assert_eq!(parts(1), ["first/a:1", "first/a:2", "first/b:3", "second/c:4"].map(|line| expect(1, &[line])));
    assert_eq!(parts(3), [expect(3, &["first/a:1,2", "first/b:3"]), expect(1, &["second/c:4"])]);
    assert_eq!(parts(4).len(), 1);
}

#[test]
fn parts_are_filled_and_one_large_span_has_a_part_of_its_own() {
    let mut request = traces();
    let spans = &mut request.resource_spans[0].scope_spans[0].spans;
    *spans = (0..1000).map(|number| Span { name: format!("span {number}"), ..Default::default() }).collect();
    spans[500].name = "x".repeat(5000);
    let body = Bytes::from(request.encode_to_vec());
    let limits = Limits { bytes: 2000, ..Limits::NONE };
    let parts = split(Signal::Traces, &body, limits).unwrap();
    let sizes = parts.iter().map(|part| (part.body.len(), part.items)).collect::<Vec<_>>();
    let large = sizes.iter().filter(|(bytes, _)| *bytes > 2000).collect::<Vec<_>>();
    assert!(matches!(large[..], [(5000.., 1)]), "{sizes:?}");
    let loose = sizes.iter().filter(|(bytes, _)| *bytes < 1980).count();
    assert!(loose <= 2, "only the last part and the one before the large span have room: {sizes:?}");
    assert_eq!(sizes.iter().map(|(_, items)| items).sum::<usize>(), 1002);
}

fn metric(name: &str, points: std::ops::Range<i64>) -> Metric {
    let point = |second: i64| NumberDataPoint { time_unix_nano: second as u64, ..Default::default() };
    let sum = Sum {
        data_points: points.map(point).collect(),
        aggregation_temporality: AggregationTemporality::Delta as i32,
        is_monotonic: true,
    };
    Metric {
        name: name.into(),
        description: "Tokens.".into(),
        unit: "{token}".into(),
        metadata: vec![attribute("origin", "test")],
        data: Some(Data::Sum(sum)),
    }
}

#[test]
fn a_metric_is_torn_apart_only_if_it_fits_no_part() {
    let metrics = vec![metric("small", 0..3), metric("large", 0..7), metric("last", 0..1)];
    let scope_metrics = vec![ScopeMetrics { metrics, ..Default::default() }];
    let request =
        ExportMetricsServiceRequest { resource_metrics: vec![ResourceMetrics { scope_metrics, ..Default::default() }] };
    let body = Bytes::from(request.encode_to_vec());
    let parts = split(Signal::Metrics, &body, by_items(4)).unwrap();
    let held = parts.iter().map(|part| {
        let request = ExportMetricsServiceRequest::decode(&part.body[..]).unwrap();
        let metrics = request.resource_metrics[0].scope_metrics[0].metrics.clone();
        let points = metrics.iter().map(|held| {
            let Some(Data::Sum(sum)) = held.data.clone() else { panic!("a sum") };
            let first = sum.data_points[0].time_unix_nano as i64;
            // Everything around the points is there.
            assert_eq!(*held, metric(&held.name, first..first + sum.data_points.len() as i64));
            (held.name.clone(), first, sum.data_points.len())
        });
        points.collect::<Vec<_>>()
    });
    let piece = |name: &str, first, points| (name.to_owned(), first, points);
    assert_eq!(
        held.collect::<Vec<_>>(),
        [
            vec![piece("small", 0, 3), piece("large", 0, 1)],
            vec![piece("large", 1, 4)],
            vec![piece("large", 5, 2), piece("last", 0, 1)],
        ]
    );
    let parts = split(Signal::Metrics, &body, by_items(7)).unwrap();
    assert_eq!(parts.iter().map(|part| part.items).collect::<Vec<_>>(), [3, 7, 1], "what fits a part is kept whole");
}

#[test]
fn a_metric_without_points_goes_on() {
    let empty = Metric { name: "empty".into(), data: Some(Data::Gauge(Gauge::default())), ..Default::default() };
    let metrics = vec![metric("first", 0..2), empty.clone(), metric("last", 0..2)];
    let scope_metrics = vec![ScopeMetrics { metrics, ..Default::default() }];
    let request =
        ExportMetricsServiceRequest { resource_metrics: vec![ResourceMetrics { scope_metrics, ..Default::default() }] };
    let body = Bytes::from(request.encode_to_vec());
    for limits in [by_items(1), by_items(3), Limits { bytes: 10, ..Limits::NONE }] {
        let parts = split(Signal::Metrics, &body, limits).unwrap();
        let one = parts.iter().flat_map(|part| part.body.to_vec()).collect::<Vec<_>>();
        let request = ExportMetricsServiceRequest::decode(&one[..]).unwrap();
        let scopes = request.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
        assert_eq!(scopes.flat_map(|scope| &scope.metrics).filter(|metric| **metric == empty).count(), 1, "{limits:?}");
    }
}

#[test]
fn unknown_fields_of_every_level_are_repeated() {
    let unknown = |number, text: &str| {
        let mut out = Vec::new();
        put_bytes(&mut out, number, text.as_bytes());
        out
    };
    let wrap = |number, content: &[u8]| {
        let mut out = Vec::new();
        put_bytes(&mut out, number, content);
        out
    };
    let spans = ["one", "two"].map(|name| wrap(2, &unknown(999, name))).concat();
    let scope = [unknown(15, "before"), spans, unknown(15, "after")].concat();
    let resource = [wrap(2, &scope), unknown(2000, "resource")].concat();
    let body = Bytes::from([wrap(1, &resource), unknown(3, "request")].concat());
    let parts = split(Signal::Traces, &body, by_items(1)).unwrap();
    let expected = |name: &str| {
        let scope = [unknown(15, "before"), unknown(15, "after")].concat();
        vec![unknown(3, "request"), unknown(2000, "resource"), scope, unknown(999, name)]
    };
    let found = parts.iter().map(|part| encoded_items(Signal::Traces, &part.body)).collect::<Vec<_>>();
    assert_eq!(found, [vec![expected("one")], vec![expected("two")]]);
}

#[test]
fn a_resource_that_fills_every_part_does_not_make_terabytes() {
    let spans = vec![Span::default(); 100_000];
    let scope_spans = vec![ScopeSpans { spans, ..Default::default() }];
    let resource = resource(&"x".repeat(100_000));
    let resource_spans = vec![ResourceSpans { resource, scope_spans, ..Default::default() }];
    let body = Bytes::from(ExportTraceServiceRequest { resource_spans }.encode_to_vec());
    let mut split = Split::new(Signal::Traces, &body, Limits { bytes: 100_000, ..Limits::NONE });
    let mut bytes = 0;
    let error = loop {
        match split.next() {
            Ok(Some(part)) => bytes += part.body.len(),
            Ok(None) => panic!("100,000 times 100,000 bytes"),
            Err(error) => break error,
        }
    };
    assert_eq!(error, SplitError::Envelopes { limit: 100_000 });
    assert!(bytes < 20 * body.len(), "{bytes} of {}", body.len());
    assert_eq!(split.next(), Ok(None));
}

#[test]
fn an_envelope_that_is_damaged_is_an_error() {
    let mut body = traces().encode_to_vec();
    body.truncate(body.len() - 1);
    let mut split = Split::new(Signal::Traces, &Bytes::from(body), by_items(1)).next().unwrap_err();
    assert!(matches!(split, SplitError::Wire(WireError::Truncated { .. })), "{split}");
    // A number where the resources are.
    split = Split::new(Signal::Traces, &Bytes::from_static(&[0x08, 1]), by_items(1)).next().unwrap_err();
    assert!(matches!(split, SplitError::Wire(WireError::WrongWireType { .. })), "{split}");
}
