//! OTLP/HTTP: the answer to every kind of request.

use std::time::Duration;

use bytes::Bytes;
use dragoman::otlp::Signal;
use dragoman::otlp::answer::{Reason, Refusal};
use dragoman::receiver::Transport;
use http::{Method, Request};
use http_body_util::Full;

use crate::support::{Client, LIMIT, Mode, bomb, encodings, sample, start, status};

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

#[tokio::test]
async fn every_signal_is_taken_in_every_encoding_over_both_http_versions() {
    let server = start().await;
    for client in [&mut Client::http1(server.http).await, &mut Client::http2(server.http).await] {
        for signal in Signal::ALL {
            for (encoding, body) in encodings(&sample(signal)) {
                let answer = client.post(signal.http_path(), PROTOBUF, encoding, body).await;
                assert_eq!(answer.status, 200, "{signal} {encoding}");
                assert_eq!(answer.header("content-type"), PROTOBUF);
                // An empty response message: partial_success is unset.
                assert_eq!(answer.body, "");
                assert_eq!(server.recorder.taken(), [(signal, sample(signal))]);
            }
            for (encoding, body) in encodings(b"{}") {
                for media_type in [JSON, "application/json; charset=utf-8", "Application/JSON;charset=UTF-8"] {
                    let answer = client.post(signal.http_path(), media_type, encoding, body.clone()).await;
                    assert_eq!(answer.status, 200, "{signal} {encoding}");
                    assert_eq!(answer.header("content-type"), JSON);
                    assert_eq!(answer.body, "{}");
                    assert_eq!(server.recorder.taken(), [(signal, sample(signal))]);
                }
            }
            let books = server.recorder.books();
            assert_eq!(books.len(), 5 + 15);
            assert!(books.iter().all(|entry| *entry == (Some(signal), Transport::Http, None, 2)), "{books:?}");
        }
    }
}

#[tokio::test]
async fn an_identity_encoding_and_an_empty_request_are_taken() {
    let server = start().await;
    let mut client = Client::http1(server.http).await;
    for signal in Signal::ALL {
        let answer = client.post(signal.http_path(), PROTOBUF, "identity", sample(signal)).await;
        assert_eq!(answer.status, 200);
        let answer = client.post(signal.http_path(), PROTOBUF, "", Bytes::new()).await;
        assert_eq!(answer.status, 200);
    }
    assert_eq!(server.recorder.taken().len(), 6);
}

#[tokio::test]
async fn traces_at_the_root_are_taken_and_nothing_else_is() {
    let server = start().await;
    let mut client = Client::http1(server.http).await;
    assert_eq!(client.post("/", PROTOBUF, "", sample(Signal::Traces)).await.status, 200);
    assert_eq!(client.post("/", JSON, "", "{}".into()).await.status, 200);
    assert_eq!(server.recorder.taken().len(), 2);
    for signal in [Signal::Metrics, Signal::Logs] {
        let answer = client.post("/", PROTOBUF, "", sample(signal)).await;
        let (_, message, _) = status(&answer);
        assert!(message.contains("/v1/metrics"), "{message}");
        assert_eq!(answer.status, 404, "{signal}");
    }
    assert!(server.recorder.taken().is_empty());
}

#[tokio::test]
async fn a_refusal_has_its_status_code_and_a_status_body_in_the_requests_encoding() {
    let server = start().await;
    let mut client = Client::http1(server.http).await;
    let large = Bytes::from(vec![0; LIMIT + 1]);
    let (_, gzip_of_large) = encodings(&large).swap_remove(1);
    let valid = |format| if format == JSON { Bytes::from_static(b"{}") } else { sample(Signal::Traces) };
    for signal in Signal::ALL {
        let path = signal.http_path();
        for format in [PROTOBUF, JSON] {
            let cut_gzip = encodings(&valid(format)).swap_remove(1).1.slice(..12);
            // Method, path, encoding, body; then the HTTP status, the gRPC code and the reason.
            let cases: [(_, _, _, Bytes, _, _, _); 9] = [
                (Method::POST, "/v1/nothing", "", valid(format), 404, 12, Reason::NotFound),
                (Method::POST, "/v1/traces/", "", valid(format), 404, 12, Reason::NotFound),
                (Method::PUT, path, "", valid(format), 405, 12, Reason::MethodNotAllowed),
                (Method::POST, path, "snappy", valid(format), 415, 12, Reason::UnsupportedEncoding),
                (Method::POST, path, "gzip, zstd", valid(format), 415, 12, Reason::UnsupportedEncoding),
                (Method::POST, path, "", Bytes::from_static(b"\x0a\x05ab"), 400, 3, Reason::Malformed),
                (Method::POST, path, "gzip", cut_gzip, 400, 3, Reason::Malformed),
                (Method::POST, path, "gzip", gzip_of_large.clone(), 413, 8, Reason::TooLarge),
                (Method::POST, path, "", large.clone(), 413, 8, Reason::TooLarge),
            ];
            for (method, path, encoding, body, http, grpc, reason) in cases {
                let mut request = Request::builder().method(&method).uri(path).header("content-type", format);
                if !encoding.is_empty() {
                    request = request.header("content-encoding", encoding);
                }
                let answer = client.send(request.body(Full::new(body)).unwrap()).await;
                let case = format!("{method} {path} {format} {encoding}: {answer:?}");
                assert_eq!(answer.status, http, "{case}");
                assert_eq!(answer.header("content-type"), format, "{case}");
                let (code, message, delay) = status(&answer);
                assert_eq!((code, delay), (grpc, None), "{case}");
                assert!(!message.is_empty(), "{case}");
                assert_eq!(answer.header("retry-after"), "", "{case}");
                assert_eq!(answer.header("allow"), if http == 405 { "POST" } else { "" }, "{case}");
                let books = server.recorder.books();
                assert!(matches!(books[..], [(_, Transport::Http, Some(found), 0)] if found == reason), "{books:?}");
                if http == 413 {
                    // The rest of a body that is too large ends its connection.
                    client = Client::http1(server.http).await;
                }
            }
        }
    }
    assert!(server.recorder.taken().is_empty());
}

#[tokio::test]
async fn an_unknown_content_type_is_named_in_a_json_status() {
    let server = start().await;
    let mut client = Client::http1(server.http).await;
    let answer = client.post("/v1/traces", "text/csv", "", "a,b".into()).await;
    assert_eq!(answer.status, 415);
    let (_, message, _) = status(&answer);
    assert!(message.contains("text/csv") && message.contains(PROTOBUF), "{message}");
    let without = Request::post("/v1/traces").body(Full::default()).unwrap();
    assert_eq!(client.send(without).await.status, 415);
}

#[tokio::test]
async fn a_retryable_refusal_says_when_to_come_back() {
    let server = start().await;
    let mut refusal = Refusal::new(Reason::QueueFull, "the queue of otlp/backend is full");
    refusal.retry_after = Some(Duration::from_secs(7));
    let mut client = Client::http1(server.http).await;
    // Full at the end of the pipeline, and refused before the body is read.
    for (mode, items) in [(Mode::Refuse(refusal.clone()), 2), (Mode::RefuseEarly(refusal), 0)] {
        server.recorder.set(mode);
        for signal in Signal::ALL {
            for (format, body) in [(PROTOBUF, sample(signal)), (JSON, "{}".into())] {
                let answer = client.post(signal.http_path(), format, "", body).await;
                assert_eq!(answer.status, 503);
                assert_eq!(answer.header("retry-after"), "7");
                let expected = (14, "the queue of otlp/backend is full".to_owned(), Some("7s".to_owned()));
                assert_eq!(status(&answer), expected);
                let entry = (Some(signal), Transport::Http, Some(Reason::QueueFull), items);
                assert_eq!(server.recorder.books(), [entry]);
            }
        }
    }
}

#[tokio::test]
async fn a_signal_without_a_pipeline_is_not_found() {
    let server = start().await;
    server.recorder.set(Mode::RefuseEarly(Refusal::new(Reason::NotFound, "no pipeline takes logs")));
    let mut client = Client::http1(server.http).await;
    assert_eq!(client.post("/v1/logs", PROTOBUF, "", sample(Signal::Logs)).await.status, 404);
}

#[tokio::test]
async fn a_panic_fails_its_request_only() {
    let server = start().await;
    server.recorder.set(Mode::Panic);
    for client in [&mut Client::http1(server.http).await, &mut Client::http2(server.http).await] {
        let answer = client.post("/v1/traces", PROTOBUF, "", sample(Signal::Traces)).await;
        assert_eq!(answer.status, 500);
        assert_eq!(status(&answer).0, 13);
        let books = server.recorder.books();
        assert_eq!(books, [(Some(Signal::Traces), Transport::Http, Some(Reason::Internal), 0)]);
        server.recorder.set(Mode::Take);
        assert_eq!(client.post("/v1/traces", PROTOBUF, "", sample(Signal::Traces)).await.status, 200);
        assert_eq!(server.recorder.books().len(), 1);
        server.recorder.set(Mode::Panic);
    }
}

#[tokio::test]
async fn a_gzip_bomb_is_too_large() {
    let server = start().await;
    let bomb = bomb();
    assert!(bomb.len() < LIMIT);
    let mut client = Client::http1(server.http).await;
    for format in [PROTOBUF, JSON] {
        let answer = client.post("/v1/traces", format, "gzip", bomb.clone()).await;
        assert_eq!(answer.status, 413);
        assert_eq!(status(&answer).0, 8);
    }
}

#[tokio::test]
async fn a_grpc_call_is_told_where_grpc_is() {
    let server = start().await;
    let mut client = Client::http2(server.http).await;
    let answer = client.post(Signal::Traces.grpc_path(), "application/grpc", "", Bytes::new()).await;
    assert_eq!((answer.header("content-type"), answer.header("grpc-status")), ("application/grpc", "12"));
    assert!(answer.header("grpc-message").contains("4317"), "{answer:?}");
}
