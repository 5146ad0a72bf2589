//! Requests of every signal in which each item can be told from all others, and how it is found
//! again in what arrives.

use bytes::Bytes;
use dragoman::otlp::Signal;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

/// An item's identity: no two items of a run share one, whatever their signal.
pub(crate) type Id = u64;

/// Bytes of a marker.
pub(crate) const MARKER: usize = 20;

const MARK: &str = "end-";

/// What stands at the end of the encoded request whose last item is `last`. It shows in a raw file
/// where a request ends.
fn marker(last: Id) -> String {
    format!("{MARK}{last:016x}")
}

/// The item of a marker, if these bytes are one.
pub(crate) fn marker_at(bytes: &[u8]) -> Option<Id> {
    let digits = bytes.strip_prefix(MARK.as_bytes())?;
    Id::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// A request of `ids`, each item with `padding` bytes beside its id.
pub(crate) fn request(signal: Signal, ids: &[Id], padding: usize) -> Bytes {
    let name = "x".repeat(padding);
    // The last field that is written.
    let schema_url = marker(*ids.last().unwrap());
    match signal {
        Signal::Traces => {
            let span = |id: &Id| Span {
                trace_id: vec![7; 16],
                span_id: id.to_be_bytes().to_vec(),
                name: name.clone(),
                ..Span::default()
            };
            let scope = ScopeSpans { spans: ids.iter().map(span).collect(), ..ScopeSpans::default() };
            let resource = ResourceSpans { scope_spans: vec![scope], schema_url, ..ResourceSpans::default() };
            ExportTraceServiceRequest { resource_spans: vec![resource] }.encode_to_vec()
        }
        Signal::Metrics => {
            let point = |id: &Id| NumberDataPoint {
                time_unix_nano: 5,
                value: Some(Value::AsInt(id.cast_signed())),
                ..NumberDataPoint::default()
            };
            let data = Some(Data::Gauge(Gauge { data_points: ids.iter().map(point).collect() }));
            let metric = Metric { name, data, ..Metric::default() };
            let scope = ScopeMetrics { metrics: vec![metric], ..ScopeMetrics::default() };
            let resource = ResourceMetrics { scope_metrics: vec![scope], schema_url, ..ResourceMetrics::default() };
            ExportMetricsServiceRequest { resource_metrics: vec![resource] }.encode_to_vec()
        }
        Signal::Logs => {
            let record = |id: &Id| LogRecord {
                severity_text: name.clone(),
                span_id: id.to_be_bytes().to_vec(),
                ..LogRecord::default()
            };
            let scope = ScopeLogs { log_records: ids.iter().map(record).collect(), ..ScopeLogs::default() };
            let resource = ResourceLogs { scope_logs: vec![scope], schema_url, ..ResourceLogs::default() };
            ExportLogsServiceRequest { resource_logs: vec![resource] }.encode_to_vec()
        }
    }
    .into()
}

/// The ids of an encoded request, as prost reads it.
pub(crate) fn ids(signal: Signal, body: &[u8]) -> Vec<Id> {
    let id = |bytes: &Vec<u8>| Id::from_be_bytes(bytes.as_slice().try_into().unwrap());
    match signal {
        Signal::Traces => {
            let request = ExportTraceServiceRequest::decode(body).unwrap();
            let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
            scopes.flat_map(|scope| &scope.spans).map(|span| id(&span.span_id)).collect()
        }
        Signal::Metrics => {
            let request = ExportMetricsServiceRequest::decode(body).unwrap();
            let scopes = request.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
            let points = scopes.flat_map(|scope| &scope.metrics).flat_map(|metric| match &metric.data {
                Some(Data::Gauge(gauge)) => &gauge.data_points,
                other => panic!("no gauge: {other:?}"),
            });
            points
                .map(|point| match point.value {
                    Some(Value::AsInt(id)) => id.cast_unsigned(),
                    other => panic!("no integer: {other:?}"),
                })
                .collect()
        }
        Signal::Logs => {
            let request = ExportLogsServiceRequest::decode(body).unwrap();
            let scopes = request.resource_logs.iter().flat_map(|resource| &resource.scope_logs);
            scopes.flat_map(|scope| &scope.log_records).map(|record| id(&record.span_id)).collect()
        }
    }
}
