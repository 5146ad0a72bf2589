//! The backend goes away, comes back, or does not.

use std::time::Duration;

use bytes::Bytes;
use dragoman::otlp::Signal;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use prost::Message;
use tokio::net::TcpSocket;
use tokio::time::Instant;

use crate::backend::Backend;
use crate::client::{grpc_status, status};
use crate::rig::{Page, Rig, Way, plan};

/// An address that refuses connections until the test listens on it; nobody else can take it.
pub(crate) fn reserved() -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    socket
}

/// A log record of about 20 KiB; the smallest queue has room for three.
fn large(number: usize) -> Bytes {
    let text = format!("{number}{}", "x".repeat(20_000));
    let record =
        LogRecord { body: Some(AnyValue { value: Some(any_value::Value::StringValue(text)) }), ..LogRecord::default() };
    let scope = ScopeLogs { log_records: vec![record], ..ScopeLogs::default() };
    let resource = ResourceLogs { scope_logs: vec![scope], ..ResourceLogs::default() };
    ExportLogsServiceRequest { resource_logs: vec![resource] }.encode_to_vec().into()
}

fn yaml(exporters: &[(&str, std::net::SocketAddr)]) -> String {
    let mut text =
        "receivers: { otlp: { protocols: { grpc: { endpoint: 127.0.0.1:0 }, http: { endpoint: 127.0.0.1:0 } } } }
extensions: { health_check: { endpoint: 127.0.0.1:0 } }
exporters:
"
        .to_owned();
    for (id, address) in exporters {
        text += &format!(
            "  {id}: {{ endpoint: \"http://{address}\", tls: {{ insecure: true }}, sending_queue: {{ queue_size: 65536 }}, \
             retry_on_failure: {{ initial_interval: 10ms, max_interval: 50ms, max_elapsed_time: 0s }} }}\n"
        );
    }
    let ids: Vec<&str> = exporters.iter().map(|(id, _)| *id).collect();
    text + &format!(
        "service:
  extensions: [health_check]
  telemetry: {{ metrics: {{ address: 127.0.0.1:0 }} }}
  pipelines: {{ logs: {{ receivers: [otlp], exporters: [{}] }} }}
",
        ids.join(", ")
    )
}

#[tokio::test]
async fn an_outage_is_buffered_then_refused_and_over_when_the_backend_is_back() {
    for exporter in ["otlp_grpc", "otlp_http"] {
        let socket = reserved();
        let address = socket.local_addr().unwrap();
        let rig = Rig::start(plan(&yaml(&[(exporter, address)]))).await;
        for number in 0..3 {
            rig.must_take(Way::Grpc, Signal::Logs, large(number)).await;
        }
        // Full: both transports say when to come back.
        let answer = rig.send(Way::Protobuf, Signal::Logs, large(3)).await;
        assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "1"));
        let (_, message, delay) = status(&answer);
        assert_eq!(delay.as_deref(), Some("1s"));
        assert!(message.contains(exporter) && message.contains("full"), "{message}");
        let answer = rig.send(Way::Grpc, Signal::Logs, large(3)).await;
        let (code, message, delay) = grpc_status(&answer);
        assert_eq!((code, delay), (14, Some(Duration::from_secs(1))), "{message}");
        let books = rig.books().await;
        let of = format!("exporter=\"{exporter}\"");
        assert_eq!(books.sum("otelcol_exporter_enqueue_failed_log_records_total", &[&of]), 2);
        assert_eq!(books.sum("otelcol_receiver_refused_log_records_total", &[]), 2);
        assert_eq!(books.sum("dragoman_exporter_held_items", &[&of]), 3);
        assert_eq!(books.sum("otelcol_receiver_accepted_log_records_total", &[]), 3);
        assert_eq!(rig.health().await.status, 200, "a backend that is down is no reason to restart this program");

        let retries = "dragoman_exporter_retries_total";
        let because = [of.as_str(), "data_type=\"logs\"", "reason=\"connection\""];
        let books = rig.books_when(|books| books.sum(retries, &because) > 1).await;
        assert_eq!(books.sum(retries, &because), books.sum(retries, &[]), "nothing answers, and nothing else is wrong");

        let mut backend = Backend::on(socket.listen(64).unwrap(), None, []);
        let mut arrived = Vec::new();
        for _ in 0..3 {
            arrived.push(backend.next().await.body);
        }
        arrived.sort();
        assert_eq!(arrived, [large(0), large(1), large(2)]);
        rig.books_when(|books| books.sum("dragoman_exporter_held_items", &[&of]) == 0).await;
        rig.must_take(Way::Protobuf, Signal::Logs, large(3)).await;
        assert_eq!(backend.next().await.body, large(3));
        rig.stop().await;
    }
}

#[tokio::test]
async fn a_full_queue_of_one_exporter_leaves_no_copy_at_another() {
    let dead = reserved();
    let mut alive = Backend::start([]).await;
    let exporters = [("otlp_grpc/alive", alive.address), ("otlp_grpc/dead", dead.local_addr().unwrap())];
    let rig = Rig::start(plan(&yaml(&exporters))).await;
    for number in 0..3 {
        rig.must_take(Way::Grpc, Signal::Logs, large(number)).await;
        assert_eq!(alive.next().await.body, large(number));
    }
    assert_eq!(rig.send(Way::Protobuf, Signal::Logs, large(3)).await.status, 503);
    rig.books_when(|books| books.sum("dragoman_exporter_held_items", &["alive"]) == 0).await;
    assert!(alive.seen.try_recv().is_err(), "the client sends it again; once would be too often");
    drop(dead);
    tokio::time::pause();
    assert_eq!(rig.running.stop(Duration::from_secs(20)).await.lost, 3);
}

#[tokio::test]
async fn the_end_with_a_dead_backend_keeps_its_deadline_and_says_what_is_lost() {
    let dead = reserved();
    // One that takes connections and never answers, and one that is down.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let exporters =
        [("otlp_http/silent", silent.local_addr().unwrap()), ("otlp_grpc/dead", dead.local_addr().unwrap())];
    let rig = Rig::start(plan(&yaml(&exporters))).await;
    rig.must_take(Way::Grpc, Signal::Logs, large(0)).await;
    rig.must_take(Way::Protobuf, Signal::Logs, large(1)).await;
    tokio::time::pause();
    let began = Instant::now();
    let stopped = rig.running.stop(Duration::from_secs(20)).await;
    assert_eq!((stopped.drained, stopped.lost), (true, 4), "two records, two exporters");
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(20), "gave up early: {took:?}");
    assert!(took < Duration::from_secs(21), "{took:?}");
}

#[tokio::test]
async fn a_dead_backend_does_not_take_the_others_time_at_the_end() {
    let (dead, late) = (reserved(), reserved());
    let exporters = [("otlp_grpc/dead", dead.local_addr().unwrap()), ("otlp_grpc/late", late.local_addr().unwrap())];
    // The next attempt would be in an hour; the end asks once more at once.
    let yaml = yaml(&exporters).replace("10ms, max_interval: 50ms", "1h, max_interval: 1h");
    let rig = Rig::start(plan(&yaml)).await;
    rig.must_take(Way::Grpc, Signal::Logs, large(0)).await;
    rig.books_when(|books| books.sum("otelcol_exporter_in_flight_requests", &["late"]) == 1).await;
    let mut backend = Backend::on(late.listen(64).unwrap(), None, []);
    let page = rig.address("self-metrics");
    let stop = rig.running.stop(Duration::from_secs(20));
    let delivered = async {
        // A paused clock leaps over what sockets still have to do, so it goes on until that is done.
        while Page::read(page).await.sum("dragoman_exporter_held_items", &["late"]) > 0 {}
        tokio::time::pause();
    };
    let (stopped, ()) = tokio::join!(stop, delivered);
    assert_eq!(stopped.lost, 1, "only what was for the dead one");
    assert_eq!(backend.next().await.body, large(0));
}
