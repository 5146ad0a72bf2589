//! Every item is counted once, under the Collector's names where the meaning is equal, and the
//! books balance.

use bytes::Bytes;
use dragoman::otlp::Signal;

use crate::backend::{Backend, Reply};
use crate::client::sample;
use crate::corpus::{cases, requests, spans};
use crate::rig::{Page, Rig, Way, plan};

fn yaml(backend: &Backend) -> String {
    format!(
        "receivers:
  otlp:
    protocols:
      grpc: {{ endpoint: 127.0.0.1:0, max_recv_msg_size_mib: 1 }}
      http: {{ endpoint: 127.0.0.1:0, max_request_body_size: 1048576 }}
processors: {{ memory_limiter: {{ check_interval: 1s, limit_mib: 4096 }}, genai: {{}}, drop/sqlite: {{ preset: sqlite }} }}
connectors: {{ genai_metrics: {{}} }}
exporters:
  otlp_grpc/jaeger: {{ endpoint: \"{}\", tls: {{ insecure: true }} }}
  prometheus: {{ endpoint: 127.0.0.1:0 }}
  debug: {{}}
service:
  telemetry: {{ metrics: {{ address: 127.0.0.1:0 }} }}
  pipelines:
    traces: {{ receivers: [otlp], processors: [memory_limiter, genai, drop/sqlite], exporters: [otlp_grpc/jaeger, debug, genai_metrics] }}
    metrics: {{ receivers: [otlp, genai_metrics], processors: [memory_limiter, genai], exporters: [debug, prometheus] }}
    logs: {{ receivers: [otlp], processors: [memory_limiter, genai], exporters: [otlp_grpc/jaeger, debug] }}
",
        backend.address
    )
}

const JAEGER: &str = "exporter=\"otlp_grpc/jaeger\"";
const DEBUG: &str = "exporter=\"debug\"";

fn held(books: &Page, signal: &str) -> u64 {
    books.sum("dragoman_exporter_held_items", &[JAEGER, signal])
}

#[tokio::test]
async fn received_is_sent_and_dropped_and_lost_and_held() {
    // The backend refuses one request for good.
    let backend = Backend::start([Reply::Status(tonic::Status::invalid_argument("no"))]).await;
    let rig = Rig::start(plan(&yaml(&backend))).await;
    let (mut received, mut sent) = (0, 0);
    for emitter in ["sqlite-app-openllmetry-0.49.6", "litellm-proxy-1.40.18"] {
        for case in cases(emitter) {
            for request in requests(&case, "traces.pb") {
                received += spans(&request).len() as u64;
                let way = if sent % 2 == 0 { Way::Grpc } else { Way::Protobuf };
                rig.must_take(way, Signal::Traces, request).await;
                sent += 1;
            }
        }
    }
    for signal in [Signal::Metrics, Signal::Logs] {
        rig.must_take(Way::Grpc, signal, sample(signal)).await;
    }
    for way in [Way::Grpc, Way::Protobuf, Way::Json] {
        let malformed = rig.send(way, Signal::Traces, Bytes::from_static(b"\x0a\xff no request")).await;
        assert!(malformed.status == 400 || malformed.header("grpc-status") == "3", "{malformed:?}");
        let large = rig.send(way, Signal::Traces, vec![b' '; 2 << 20]).await;
        assert!(large.status == 413 || large.header("grpc-status") == "8", "{large:?}");
    }

    let books = rig.books_when(|books| held(books, "data_type=\"") == 0).await;
    let sum = |name: &str, labels: &[&str]| books.sum(name, labels);
    assert_eq!(sum("otelcol_receiver_accepted_spans_total", &["receiver=\"otlp\""]), received);
    assert!(sum("otelcol_receiver_accepted_spans_total", &["transport=\"grpc\""]) > 0);
    assert!(sum("otelcol_receiver_accepted_spans_total", &["transport=\"http\""]) > 0);
    let dropped = sum("dragoman_dropped_spans_total", &["processor=\"drop/sqlite\"", "reason=\"rule\""]);
    let delivered = sum("otelcol_exporter_sent_spans_total", &[JAEGER]);
    let lost = sum("dragoman_exporter_lost_items_total", &[JAEGER, "signal=\"traces\"", "reason=\"rejected\""]);
    assert!(dropped > 0 && delivered > 0 && lost > 0, "{dropped} {delivered} {lost}");
    assert_eq!(received, dropped + delivered + lost, "{}", books.0);
    assert_eq!(sum("otelcol_exporter_send_failed_spans_total", &[JAEGER]), lost);

    // Every step is given what the one before it passed on.
    let processor = |name: &str, of: &str| sum(name, &[&format!("processor=\"{of}\""), "otel_signal=\"traces\""]);
    let (incoming, outgoing) = ("otelcol_processor_incoming_items_total", "otelcol_processor_outgoing_items_total");
    for of in ["memory_limiter", "genai"] {
        assert_eq!((processor(incoming, of), processor(outgoing, of)), (received, received), "{of}");
    }
    let drop = "drop/sqlite";
    assert_eq!((processor(incoming, drop), processor(outgoing, drop)), (received, received - dropped));
    let traces = "pipeline=\"traces\"";
    assert_eq!(sum("dragoman_pipeline_received_items_total", &[traces]), received);
    assert_eq!(sum("dragoman_pipeline_outgoing_items_total", &[traces]), received - dropped);
    for (signal, items) in [("metrics", 2), ("logs", 2)] {
        for of in ["memory_limiter", "genai"] {
            let labels = [format!("processor=\"{of}\""), format!("otel_signal=\"{signal}\"")];
            let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
            assert_eq!((sum(incoming, &labels), sum(outgoing, &labels)), (items, items), "{of} {signal}");
        }
    }
    assert_eq!(sum("otelcol_receiver_accepted_metric_points_total", &[]), 2);
    assert_eq!(sum("otelcol_exporter_sent_log_records_total", &[JAEGER]), 2);

    // Refusals are counted apart.
    assert_eq!(sum("dragoman_receiver_refused_requests_total", &["reason=\"malformed\""]), 3);
    assert_eq!(sum("dragoman_receiver_refused_requests_total", &["reason=\"too_large\""]), 3);

    // The debug exporter's thread may still be writing.
    let out = received - dropped;
    rig.books_when(|books| books.sum("otelcol_exporter_sent_spans_total", &[DEBUG]) == out).await;
    rig.stop().await;
}

#[tokio::test]
async fn points_that_the_prometheus_exporter_cannot_show_are_counted_by_reason() {
    let backend = Backend::start([]).await;
    let rig = Rig::start(plan(&yaml(&backend))).await;
    // These two points have no value.
    rig.must_take(Way::Protobuf, Signal::Metrics, sample(Signal::Metrics)).await;
    let books = rig.books().await;
    let labels = ["exporter=\"prometheus\"", "reason=\"no_value\""];
    for name in ["dragoman_prometheus_not_exposed_total", "dragoman_pipeline_lost_items_total"] {
        assert_eq!(books.sum(name, &labels), 2, "{name}");
    }
    assert!(!rig.page().await.0.contains("requests"));
    rig.stop().await;
}

#[tokio::test]
async fn only_what_has_a_queue_shows_one() {
    let backend = Backend::start([]).await;
    let rig = Rig::start(plan(&yaml(&backend))).await;
    let books = rig.books().await;
    for name in [
        "otelcol_exporter_queue_size",
        "otelcol_exporter_queue_capacity",
        "otelcol_exporter_in_flight_requests",
        "otelcol_exporter_enqueue_failed_spans_total",
    ] {
        assert!(books.has(name, &[JAEGER]), "{name}");
        for without in [DEBUG, "exporter=\"prometheus\""] {
            assert!(!books.has(name, &[without]), "{name} {without}");
        }
    }
    assert_eq!(books.sum("otelcol_exporter_queue_capacity", &[JAEGER, "data_type=\"traces\""]), 64 << 20);
    // A name stands on the page once.
    let mut types: Vec<_> = books.0.lines().filter(|line| line.starts_with("# TYPE")).collect();
    let all = types.len();
    types.sort_unstable();
    types.dedup();
    assert_eq!(types.len(), all);
    rig.stop().await;
}
