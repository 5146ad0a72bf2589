//! `join_logs` in the whole service: a call's content in log records, its span in another request, one
//! joined span at the backend, and books that balance.

use std::time::Duration;

use dragoman::otlp::Signal;
use opentelemetry_proto::tonic::trace::v1::Span;

use crate::backend::Backend;
use crate::corpus::{cases, requests, spans};
use crate::rig::{Rig, Way, plan};

fn yaml(backend: &Backend, wait: &str) -> String {
    format!(
        "receivers:
  otlp:
    protocols:
      grpc: {{ endpoint: 127.0.0.1:0 }}
processors: {{ genai: {{ join_logs: {{ enabled: true, wait_duration: {wait} }} }}, drop/sqlite: {{ preset: sqlite }} }}
connectors: {{ genai_metrics: {{}} }}
exporters:
  otlp_grpc/jaeger: {{ endpoint: \"{}\", tls: {{ insecure: true }} }}
  prometheus: {{ endpoint: 127.0.0.1:0 }}
service:
  telemetry: {{ metrics: {{ address: 127.0.0.1:0 }} }}
  pipelines:
    traces: {{ receivers: [otlp], processors: [genai, drop/sqlite], exporters: [otlp_grpc/jaeger, genai_metrics] }}
    metrics: {{ receivers: [genai_metrics], exporters: [prometheus] }}
    logs: {{ receivers: [otlp], processors: [genai], exporters: [otlp_grpc/jaeger] }}
",
        backend.address
    )
}

/// The spans that came by now.
fn sent(backend: &mut Backend) -> Vec<Span> {
    let mut all = Vec::new();
    while let Ok(seen) = backend.seen.try_recv() {
        if seen.path == Signal::Traces.grpc_path() {
            all.extend(spans(&seen.body));
        }
    }
    all
}

fn has(span: &Span, key: &str) -> bool {
    span.attributes.iter().any(|entry| entry.key == key)
}

/// Sends the recorded requests of an emitter that writes content to log records only. Returns how
/// many spans and log records that were.
async fn replay(rig: &Rig) -> (u64, u64) {
    let (mut spans_sent, mut records) = (0, 0);
    for case in cases("openai-v2-2.4b0-content") {
        for (suffix, signal) in [("logs.pb", Signal::Logs), ("traces.pb", Signal::Traces)] {
            for body in requests(&case, suffix) {
                let items = dragoman::otlp::check::count(signal, &body) as u64;
                match signal {
                    Signal::Traces => spans_sent += items,
                    _ => records += items,
                }
                rig.must_take(Way::Grpc, signal, body).await;
            }
        }
    }
    (spans_sent, records)
}

#[tokio::test]
async fn recorded_calls_get_the_content_of_their_log_records() {
    let mut backend = Backend::start([]).await;
    let rig = Rig::start(plan(&yaml(&backend, "5m"))).await;
    let (spans_in, records_in) = replay(&rig).await;
    let count = |books: &crate::rig::Page, name: &str, labels: &[&str]| books.sum(name, labels);
    let sent_spans = "otelcol_exporter_sent_spans_total";
    // Every call but the failed ones has both halves; those wait for what will not come. Log records have a
    // queue of their own.
    let books = rig
        .books_when(|books| {
            let held = count(books, "dragoman_processor_held_items", &["otel_signal=\"traces\""]);
            let sent = count(books, sent_spans, &[]);
            sent > 0 && sent + held == spans_in && count(books, "dragoman_pipeline_queued_items", &[]) == 0
        })
        .await;
    let held = |signal: &str| count(&books, "dragoman_processor_held_items", &[&format!("otel_signal=\"{signal}\"")]);
    let joined = count(&books, "dragoman_dropped_log_records_total", &["reason=\"joined\""]);
    let folded = count(&books, "dragoman_dropped_log_records_total", &["reason=\"folded\""]);
    assert!(joined > 0, "{}", books.0);
    let exported = count(&books, "otelcol_exporter_sent_log_records_total", &[]);
    assert_eq!(records_in, exported + joined + folded + held("logs"), "{}", books.0);
    // Nothing is counted as coming in twice.
    for (signal, items) in [("traces", spans_in), ("logs", records_in)] {
        let labels = ["processor=\"genai\"", &format!("otel_signal=\"{signal}\"")];
        assert_eq!(count(&books, "otelcol_processor_incoming_items_total", &labels), items, "{signal}");
        let pipeline = [&*format!("pipeline=\"{signal}\"")];
        assert_eq!(count(&books, "dragoman_pipeline_received_items_total", &pipeline), items, "{signal}");
    }
    let before_the_end = sent(&mut backend);
    let calls: Vec<&Span> = before_the_end.iter().filter(|span| has(span, "gen_ai.output.messages")).collect();
    assert!(!calls.is_empty() && calls.iter().all(|span| has(span, "gen_ai.input.messages")));
    rig.stop().await;
    // The end lets everything go.
    assert_eq!((before_the_end.len() + sent(&mut backend).len()) as u64, spans_in);
}

#[tokio::test]
async fn what_waits_at_the_end_is_delivered() {
    let mut backend = Backend::start([]).await;
    let rig = Rig::start(plan(&yaml(&backend, "5m"))).await;
    let case = cases("openai-v2-2.4b0-content").remove(0);
    let mut spans_in = 0;
    for body in requests(&case, "traces.pb") {
        spans_in += spans(&body).len();
        rig.must_take(Way::Grpc, Signal::Traces, body).await;
    }
    rig.stop().await;
    assert_eq!(sent(&mut backend).len(), spans_in);
}

/// Log records wait, the configuration changes, their spans come: the room is the same one. Then there is
/// to be no room: what waits in it goes on, through the pipelines of before.
#[tokio::test]
async fn what_waits_outlives_a_reload() {
    let mut backend = Backend::start([]).await;
    let first = yaml(&backend, "5m");
    let mut rig = Rig::start(plan(&first)).await;
    let (mut spans_in, mut records) = (0, 0);
    let send = async |rig: &Rig, suffix: &str, signal: Signal| {
        let mut items = 0;
        for body in cases("openai-v2-2.4b0-content").iter().flat_map(|case| requests(case, suffix)) {
            items += dragoman::otlp::check::count(signal, &body) as u64;
            rig.must_take(Way::Grpc, signal, body).await;
        }
        items
    };
    records += send(&rig, "logs.pb", Signal::Logs).await;
    let held = |books: &crate::rig::Page| books.sum("dragoman_processor_held_items", &[]);
    let waiting = held(&rig.books().await);
    assert!(waiting > 0);
    let patience = Duration::from_secs(20);
    let another = first
        .replace("insecure: true }", "insecure: true }, compression: gzip")
        .replace("{ preset: sqlite }", "{ rules: [{ name: noise }] }");
    rig.running.reload(plan(&another), patience).await.unwrap();
    assert_eq!(held(&rig.books().await), waiting);
    spans_in += send(&rig, "traces.pb", Signal::Traces).await;
    let joined = |books: &crate::rig::Page| books.sum("dragoman_dropped_log_records_total", &["reason=\"joined\""]);
    rig.books_when(|books| joined(books) > 0).await;

    records += send(&rig, "logs.pb", Signal::Logs).await;
    assert!(held(&rig.books().await) > 0);
    let none = another.replace("join_logs: { enabled: true, wait_duration: 5m }", "originals: keep");
    rig.running.reload(plan(&none), patience).await.unwrap();
    let books = rig.books_when(|books| held(books) == 0 && books.sum("dragoman_pipeline_queued_items", &[]) == 0).await;
    assert_eq!(books.sum("dragoman_pipeline_held_items", &[]), 0, "{}", books.0);
    assert_eq!(books.sum("dragoman_join_lost_items_total", &[]), 0);
    let exported = |pipeline: &str| books.sum("dragoman_pipeline_exported_items_total", &[pipeline]);
    let dropped = |pipeline: &str| books.sum("dragoman_pipeline_dropped_items_total", &[pipeline]);
    assert_eq!(exported("pipeline=\"traces\"") + dropped("pipeline=\"traces\""), spans_in);
    assert_eq!(exported("pipeline=\"logs\"") + dropped("pipeline=\"logs\""), records);
    rig.stop().await;
    assert_eq!(sent(&mut backend).len() as u64, spans_in);
}
