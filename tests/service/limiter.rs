//! The memory limiter refuses before a body is read.

use std::time::Duration;

use bytes::Bytes;
use dragoman::otlp::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{grpc_status, sample, status};
use crate::rig::{Rig, Way, plan};

fn yaml() -> String {
    "receivers: { otlp: { protocols: { grpc: { endpoint: 127.0.0.1:0 }, http: { endpoint: 127.0.0.1:0 } } } }
processors: { memory_limiter: { check_interval: 1h, limit_mib: 2 } }
exporters: { debug: {} }
service:
  telemetry: { metrics: { address: 127.0.0.1:0 } }
  pipelines: { logs: { receivers: [otlp], processors: [memory_limiter], exporters: [debug] } }
"
    .to_owned()
}

#[tokio::test]
async fn over_the_limit_requests_are_to_come_back_later() {
    let rig = Rig::start(plan(&yaml())).await;
    // Also the very first request, and also one that could not be read.
    for body in [sample(Signal::Logs), Bytes::from_static(b"\x0a\xff")] {
        let answer = rig.send(Way::Protobuf, Signal::Logs, body.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "1"));
        let (_, message, delay) = status(&answer);
        assert!(message.starts_with("memory_limiter: ") && message.contains("2 MiB"), "{message}");
        assert_eq!(delay.as_deref(), Some("1s"));
        let (code, _, delay) = grpc_status(&rig.send(Way::Grpc, Signal::Logs, body).await);
        assert_eq!((code, delay), (14, Some(Duration::from_secs(1))));
    }
    let books = rig.books().await;
    assert_eq!(books.sum("dragoman_receiver_refused_requests_total", &["reason=\"memory_limit\""]), 4);
    assert_eq!(books.sum("otelcol_processor_incoming_items_total", &["processor=\"memory_limiter\""]), 0);
    rig.stop().await;
}

#[tokio::test]
async fn the_answer_does_not_wait_for_the_body() {
    let rig = Rig::start(plan(&yaml())).await;
    let mut stream = TcpStream::connect(rig.address("OTLP HTTP")).await.unwrap();
    let head =
        "POST /v1/logs HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-protobuf\r\ncontent-length: 1000000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 503");
    drop(stream);
    rig.stop().await;
}
