//! From every way in to every way out, for every signal.

use std::collections::BTreeSet;

use bytes::Bytes;
use dragoman::otlp::{Signal, json};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

use crate::backend::Backend;
use crate::client::sample;
use crate::corpus::{attribute, cases, corpus, requests, spans};
use crate::rig::{Rig, Way, plan};

const RECEIVER: &str =
    "receivers: { otlp: { protocols: { grpc: { endpoint: 127.0.0.1:0 }, http: { endpoint: 127.0.0.1:0 } } } }
processors: { genai: {}, drop/sqlite: { preset: sqlite } }
";

fn exporters(grpc: &Backend, http: &Backend) -> String {
    format!(
        "exporters:
  otlp_grpc: {{ endpoint: \"{}\", tls: {{ insecure: true }} }}
  otlp_http: {{ endpoint: \"http://{}\" }}
",
        grpc.address, http.address
    )
}

fn as_sent(way: Way, signal: Signal, wire: &Bytes) -> Bytes {
    match way {
        Way::Json => json::encode(signal, wire).unwrap().into(),
        Way::Grpc | Way::Protobuf => wire.clone(),
    }
}

/// Whether two requests are equal messages to prost.
fn same(signal: Signal, one: &[u8], other: &[u8]) -> bool {
    fn equal<M: Message + Default + PartialEq>(one: &[u8], other: &[u8]) -> bool {
        M::decode(one).unwrap() == M::decode(other).unwrap()
    }
    match signal {
        Signal::Traces => equal::<ExportTraceServiceRequest>(one, other),
        Signal::Metrics => equal::<ExportMetricsServiceRequest>(one, other),
        Signal::Logs => equal::<ExportLogsServiceRequest>(one, other),
    }
}

#[tokio::test]
async fn every_signal_from_every_way_in_to_every_way_out() {
    let (mut grpc, mut http) = (Backend::start([]).await, Backend::start([]).await);
    let rig = Rig::start(plan(&format!(
        "{RECEIVER}{}service:
  telemetry: {{ metrics: {{ level: none }} }}
  pipelines:
    traces: {{ receivers: [otlp], processors: [genai, drop/sqlite], exporters: [otlp_grpc, otlp_http] }}
    metrics: {{ receivers: [otlp], processors: [genai], exporters: [otlp_grpc, otlp_http] }}
    logs: {{ receivers: [otlp], processors: [genai], exporters: [otlp_grpc, otlp_http] }}
",
        exporters(&grpc, &http)
    )))
    .await;
    for signal in Signal::ALL {
        for way in Way::ALL {
            let wire = sample(signal);
            rig.must_take(way, signal, as_sent(way, signal, &wire)).await;
            let (one, other) = (grpc.next().await, http.next().await);
            assert_eq!((one.path.as_str(), other.path.as_str()), (signal.grpc_path(), signal.http_path()));
            assert_eq!(one.body, wire, "{signal} by {way:?}");
            assert_eq!(other.body, wire, "{signal} by {way:?}");
        }
    }
    rig.stop().await;
}

#[tokio::test]
async fn without_a_processor_recorded_metrics_and_logs_arrive_as_they_were() {
    let (mut grpc, mut http) = (Backend::start([]).await, Backend::start([]).await);
    let rig = Rig::start(plan(&format!(
        "{RECEIVER}{}service:
  telemetry: {{ metrics: {{ level: none }} }}
  pipelines:
    metrics: {{ receivers: [otlp], exporters: [otlp_grpc] }}
    logs: {{ receivers: [otlp], exporters: [otlp_http] }}
",
        exporters(&grpc, &http)
    )))
    .await;
    for (signal, suffix, backend, emitter) in [
        (Signal::Metrics, "metrics.pb", &mut grpc, "litellm-1.80.17-metrics-events"),
        (Signal::Logs, "logs.pb", &mut http, "app-otel-0.66b1-database-dup"),
    ] {
        let mut sent = 0;
        for case in cases(emitter) {
            for wire in requests(&case, suffix) {
                rig.must_take(Way::Protobuf, signal, wire.clone()).await;
                assert_eq!(backend.next().await.body, wire, "{signal} of {}", case.display());
                // Through JSON the order of fields may be another, the message is not.
                rig.must_take(Way::Json, signal, as_sent(Way::Json, signal, &wire)).await;
                assert!(same(signal, &backend.next().await.body, &wire), "{signal} of {}", case.display());
                sent += 1;
            }
        }
        assert!(sent > 0, "no recorded {signal}");
    }
    rig.stop().await;
}

#[tokio::test]
async fn one_receiver_feeds_pipelines_with_other_processors() {
    let (mut grpc, mut http) = (Backend::start([]).await, Backend::start([]).await);
    let rig = Rig::start(plan(&format!(
        "{RECEIVER}{}service:
  telemetry: {{ metrics: {{ address: 127.0.0.1:0 }} }}
  pipelines:
    traces: {{ receivers: [otlp], processors: [genai, drop/sqlite], exporters: [otlp_grpc] }}
    traces/raw: {{ receivers: [otlp], exporters: [otlp_http] }}
",
        exporters(&grpc, &http)
    )))
    .await;
    let case = corpus().join("sqlite-app-openllmetry-0.49.6/rag_sqlite");
    for request in requests(&case, "traces.pb") {
        rig.must_take(Way::Grpc, Signal::Traces, request.clone()).await;
        assert_eq!(http.next().await.body, request, "no processor, no change");
        let (before, after) = (spans(&request), spans(&grpc.next().await.body));
        let is_sqlite = |span: &&opentelemetry_proto::tonic::trace::v1::Span| {
            ["db.system", "db.system.name"].iter().any(|key| attribute(&span.attributes, key).is_some())
        };
        let dropped = before.iter().filter(is_sqlite).count();
        assert!(dropped > 0);
        assert_eq!(after.len(), before.len() - dropped);
        assert_eq!(after.iter().filter(is_sqlite).count(), 0);
        let kept: BTreeSet<_> = after.iter().map(|span| span.span_id.clone()).collect();
        let orphans =
            after.iter().filter(|span| !span.parent_span_id.is_empty() && !kept.contains(&span.parent_span_id));
        assert_eq!(orphans.count(), 0, "the case is one whole trace");
        assert!(after.iter().any(|span| attribute(&span.attributes, "gen_ai.operation.name").is_some()));
        let books = rig.books().await;
        let received = before.len() as u64;
        for (pipeline, outgoing) in [("pipeline=\"traces\"", after.len()), ("pipeline=\"traces/raw\"", before.len())] {
            assert_eq!(books.sum("dragoman_pipeline_received_items_total", &[pipeline]), received, "{pipeline}");
            assert_eq!(books.sum("dragoman_pipeline_outgoing_items_total", &[pipeline]), outgoing as u64, "{pipeline}");
        }
        assert_eq!(books.sum("otelcol_receiver_accepted_spans_total", &[]), received, "each once, whoever gets it");
    }
    rig.stop().await;
}

#[tokio::test]
async fn a_signal_without_a_pipeline_is_not_taken() {
    let (grpc, http) = (Backend::start([]).await, Backend::start([]).await);
    let rig = Rig::start(plan(&format!(
        "{RECEIVER}{}service:
  telemetry: {{ metrics: {{ address: 127.0.0.1:0 }} }}
  pipelines: {{ traces: {{ receivers: [otlp], exporters: [otlp_grpc] }} }}
",
        exporters(&grpc, &http)
    )))
    .await;
    let answer = rig.send(Way::Protobuf, Signal::Logs, sample(Signal::Logs)).await;
    assert_eq!(answer.status, 404);
    let answer = rig.send(Way::Grpc, Signal::Logs, sample(Signal::Logs)).await;
    assert_eq!(answer.header("grpc-status"), "12", "UNIMPLEMENTED");
    let books = rig.books().await;
    assert_eq!(books.sum("dragoman_receiver_refused_requests_total", &["reason=\"not_found\""]), 2);
    rig.stop().await;
}
