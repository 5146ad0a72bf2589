//! The engine and the JSON codec against prost: what any request must come to, whichever way it
//! goes. Shared by the property tests and by the fuzz targets under `fuzz/`; each function panics
//! where the two ways disagree.

#![allow(dead_code, reason = "each of the programs that share this uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "an oracle reports by panicking")]

pub(crate) mod config;
pub(crate) mod decompress;
pub(crate) mod edits;
pub(crate) mod engine;
pub(crate) mod frames;
pub(crate) mod generate;
pub(crate) mod metrics;
pub(crate) mod parts;
#[path = "../support/raw.rs"]
mod raw;
pub(crate) mod records;
pub(crate) mod segments;
pub(crate) mod target;

use dragoman::otlp::check::{check, count};
use dragoman::otlp::json;
use dragoman::otlp::signal::Signal;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest as Logs;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest as Metrics;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest as Traces;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::Message;

/// What prost makes of a request: its items, and its text for comparison (NaN is not equal to
/// itself, its text is). `None` if prost refuses it.
pub(crate) fn prost(signal: Signal, body: &[u8]) -> Option<(usize, String)> {
    fn points(data: &Data) -> usize {
        match data {
            Data::Gauge(gauge) => gauge.data_points.len(),
            Data::Sum(sum) => sum.data_points.len(),
            Data::Histogram(histogram) => histogram.data_points.len(),
            Data::ExponentialHistogram(histogram) => histogram.data_points.len(),
            Data::Summary(summary) => summary.data_points.len(),
        }
    }
    Some(match signal {
        Signal::Traces => {
            let request = Traces::decode(body).ok()?;
            let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
            (scopes.map(|scope| scope.spans.len()).sum(), format!("{request:?}"))
        }
        Signal::Metrics => {
            let request = Metrics::decode(body).ok()?;
            let scopes = request.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
            let data = scopes.flat_map(|scope| &scope.metrics).filter_map(|metric| metric.data.as_ref());
            (data.map(points).sum(), format!("{request:?}"))
        }
        Signal::Logs => {
            let request = Logs::decode(body).ok()?;
            let scopes = request.resource_logs.iter().flat_map(|resource| &resource.scope_logs);
            (scopes.map(|scope| scope.log_records.len()).sum(), format!("{request:?}"))
        }
    })
}

/// The check accepts what prost accepts, and counts what prost counts.
pub(crate) fn agree_on_refusal(signal: Signal, body: &[u8]) {
    match (check(signal, body), prost(signal, body)) {
        (Ok(checked), Some((items, _))) => {
            assert_eq!(checked, items, "items of {signal}");
            assert_eq!(count(signal, body), items, "items of {signal}, uncheck");
        }
        (Err(_), None) => drop(count(signal, body)),
        (Ok(_), None) => panic!("{signal}: prost refuses what the check accepts"),
        (Err(error), Some(_)) => panic!("{signal}: the check refuses what prost accepts: {error}"),
    }
}

/// Any text may come as JSON; what is accepted is a request.
pub(crate) fn json_is_a_request_or_refused(signal: Signal, text: &[u8]) {
    let Ok(wire) = json::decode(signal, text) else { return };
    agree_on_refusal(signal, &wire);
    check(signal, &wire).expect("what was accepted as JSON is a request");
    assert!(wire.len() <= 5 * text.len() + 16, "{} bytes of JSON became {}", text.len(), wire.len());
    json_round_trip(signal, &wire);
}

/// A request goes to JSON and back without changing its meaning. Its ids must be of their length,
/// and it must be free of what only profiles may hold, because JSON cannot say either.
pub(crate) fn json_round_trip(signal: Signal, wire: &[u8]) {
    let Some((_, meaning)) = prost(signal, wire) else {
        json::encode(signal, wire).expect_err("prost refuses it");
        return;
    };
    let json = json::encode(signal, wire).expect("prost accepts it");
    let back = json::decode(signal, json.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{json}"));
    assert_eq!(prost(signal, &back).map(|(_, text)| text), Some(meaning), "{json}");
    // Written again it is the same text: one way of writing each request.
    assert_eq!(json::encode(signal, &back).as_ref(), Ok(&json));
}
