//! How a receiver begins and ends.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dragoman::extension::health::Health;
use dragoman::net::{self, Drained, Limits};
use dragoman::otlp::Signal;
use dragoman::receiver::settings::Connection;
use dragoman::receiver::{Bound, Receiver};
use http::Request;
use http_body_util::Full;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::support::{Client, Mode, sample, settings, start, start_with};

fn grpc_frame(message: &[u8]) -> Bytes {
    [&[0][..], &(message.len() as u32).to_be_bytes(), message].concat().into()
}

#[tokio::test]
async fn a_port_in_use_is_told_before_anything_is_accepted() {
    let taken = Receiver::bind("otlp", &settings(Connection::default())).await.unwrap();
    let address = taken.http_addr().unwrap().to_string();
    let mut again = settings(Connection::default());
    again.http.as_mut().unwrap().endpoint.clone_from(&address);
    let error = Receiver::bind("otlp/2", &again).await.unwrap_err().to_string();
    assert!(error.contains(&address), "{error}");
    assert!(error.contains("receivers.otlp/2.protocols.http.endpoint"), "{error}");
}

#[tokio::test]
async fn only_the_protocols_that_are_named_are_bound() {
    let mut only_http = settings(Connection::default());
    only_http.grpc = None;
    let bound: Bound = Receiver::bind("otlp", &only_http).await.unwrap();
    assert!(bound.grpc_addr().is_none() && bound.http_addr().is_some());
}

#[tokio::test]
async fn a_shutdown_finishes_what_is_in_flight_and_takes_nothing_new() {
    let server = start().await;
    server.recorder.set(Mode::Wait);
    let (grpc, http) = (server.grpc, server.http);
    let body = sample(Signal::Traces);
    let (framed, plain) = (grpc_frame(&body), body.clone());
    let calls = [
        tokio::spawn(async move {
            Client::http2(grpc).await.post(Signal::Traces.grpc_path(), "application/grpc", "", framed).await
        }),
        tokio::spawn(
            async move { Client::http1(http).await.post("/v1/traces", "application/x-protobuf", "", plain).await },
        ),
    ];
    server.recorder.arrived.acquire_many(2).await.unwrap().forget();
    // Kept connections without a request do not hold up the end.
    let idle = [TcpStream::connect(grpc).await.unwrap(), TcpStream::connect(http).await.unwrap()];
    server.shutdown.cancel();
    // A listener that is gone refuses; one that is about to go may still accept.
    while TcpStream::connect(http).await.is_ok() || TcpStream::connect(grpc).await.is_ok() {
        tokio::task::yield_now().await;
    }
    server.recorder.gate.add_permits(2);
    for call in calls {
        let answer = call.await.unwrap();
        assert_eq!(answer.status, 200);
        assert!(matches!(answer.header("grpc-status"), "" | "0"));
    }
    assert_eq!(server.task.await.unwrap(), Drained::All);
    assert_eq!(server.recorder.taken().len(), 2);
    drop(idle);
}

#[tokio::test]
async fn the_drain_deadline_cuts_off_what_does_not_finish() {
    let server = start_with(Connection::default(), Duration::from_millis(50)).await;
    server.recorder.set(Mode::Wait);
    let (grpc, framed) = (server.grpc, grpc_frame(&sample(Signal::Traces)));
    let call = tokio::spawn(async move {
        Client::http2(grpc).await.post(Signal::Traces.grpc_path(), "application/grpc", "", framed).await
    });
    server.recorder.arrived.acquire().await.unwrap().forget();
    server.shutdown.cancel();
    assert_eq!(server.task.await.unwrap(), Drained::Cut);
    // The client sees a broken connection, not a success.
    assert!(call.await.is_err());
    assert!(server.recorder.taken().is_empty());
}

#[tokio::test]
async fn connections_beyond_the_maximum_wait_for_their_turn() {
    let server = start_with(Connection { max_connections: 1, ..Connection::default() }, Duration::from_secs(60)).await;
    server.recorder.set(Mode::Wait);
    let http = server.http;
    let post = move || async move {
        Client::http1(http).await.post("/v1/logs", "application/x-protobuf", "", sample(Signal::Logs)).await
    };
    let (first, second) = (tokio::spawn(post()), tokio::spawn(post()));
    server.recorder.arrived.acquire().await.unwrap().forget();
    server.recorder.gate.add_permits(1);
    // The second arrives only after the first connection is closed.
    server.recorder.arrived.acquire().await.unwrap().forget();
    assert_eq!(server.recorder.taken().len(), 1);
    server.recorder.gate.add_permits(1);
    assert_eq!(first.await.unwrap().status, 200);
    assert_eq!(second.await.unwrap().status, 200);
}

#[tokio::test]
async fn health_is_told_over_http() {
    let listener = net::bind("127.0.0.1:0", "extensions.health_check.endpoint").await.unwrap();
    let address = listener.local_addr().unwrap();
    let health = Health::new();
    let shutdown = CancellationToken::new();
    let handler = Arc::new(health.handler("/"));
    let serving = tokio::spawn(net::serve(listener, handler, Limits::default(), shutdown.clone()));
    let mut client = Client::http1(address).await;
    let get = || Request::get("/").body(Full::default()).unwrap();
    let answer = client.send(get()).await;
    assert_eq!(answer.status, 503);
    assert!(answer.body.starts_with(br#"{"status":"Server not available""#), "{answer:?}");
    health.set_ready(true);
    let answer = client.send(get()).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/json"));
    let page: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(page["status"], "Server available");
    assert!(page["upSince"].as_str().unwrap().ends_with('Z') && page["uptime"].as_str().unwrap().ends_with('s'));
    shutdown.cancel();
    assert_eq!(serving.await.unwrap(), Drained::All);
}
