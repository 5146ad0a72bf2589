//! OTLP/gRPC: through tonic's client, and frame by frame.

use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use dragoman::otlp::Signal;
use dragoman::otlp::answer::{Reason, Refusal};
use dragoman::otlp::status::Status as RpcStatus;
use dragoman::receiver::Transport;
use http::uri::PathAndQuery;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use prost::Message;
use tonic::codec::CompressionEncoding;
use tonic::{Code, Status};

use crate::raw::Raw;
use crate::support::{Answer, Client, LIMIT, Mode, Server, bomb, encodings, http2_sender, sample, start};

/// A connection as tonic's client wants it.
#[derive(Clone)]
struct Channel(SendRequest<tonic::body::Body>);

impl tower_service::Service<Request<tonic::body::Body>> for Channel {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Response<Incoming>, hyper::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<tonic::body::Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}

async fn export(
    server: &Server,
    path: &'static str,
    encoding: Option<CompressionEncoding>,
    body: Bytes,
) -> Result<Bytes, Status> {
    let origin = "http://localhost".parse().unwrap();
    let mut client = tonic::client::Grpc::with_origin(Channel(http2_sender(server.grpc).await), origin);
    if let Some(encoding) = encoding {
        client = client.send_compressed(encoding).accept_compressed(encoding);
    }
    client.ready().await.unwrap();
    let path = PathAndQuery::from_static(path);
    client.unary(tonic::Request::new(body), path, Raw).await.map(tonic::Response::into_inner)
}

/// Sends frames as they are.
async fn send(server: &Server, path: &str, encoding: &str, body: impl Into<Bytes>) -> Answer {
    let mut request = Request::post(path).header("content-type", "application/grpc").header("te", "trailers");
    if !encoding.is_empty() {
        request = request.header("grpc-encoding", encoding);
    }
    Client::http2(server.grpc).await.send(request.body(Full::new(body.into())).unwrap()).await
}

/// A message in its frame.
fn frame(compressed: u8, message: &[u8]) -> Vec<u8> {
    let mut frame = vec![compressed];
    frame.extend((message.len() as u32).to_be_bytes());
    frame.extend(message);
    frame
}

#[tokio::test]
async fn every_signal_is_taken_in_every_compression() {
    let server = start().await;
    let compressions = [CompressionEncoding::Gzip, CompressionEncoding::Deflate, CompressionEncoding::Zstd];
    for signal in Signal::ALL {
        for compression in compressions.map(Some).into_iter().chain([None]) {
            let response = export(&server, signal.grpc_path(), compression, sample(signal)).await;
            // An empty response message: partial_success is unset.
            assert_eq!(response.unwrap(), "", "{signal} {compression:?}");
            assert_eq!(server.recorder.taken(), [(signal, sample(signal))]);
            assert_eq!(server.recorder.books(), [(Some(signal), Transport::Grpc, None, 2)]);
        }
        assert_eq!(export(&server, signal.grpc_path(), None, Bytes::new()).await.unwrap(), "");
        assert_eq!(server.recorder.taken().len(), 1);
        server.recorder.books();
    }
}

#[tokio::test]
async fn a_refusal_has_the_code_of_its_reason() {
    let server = start().await;
    let large = Bytes::from(vec![0; LIMIT + 1]);
    let gzip = Some(CompressionEncoding::Gzip);
    let unknown = "/opentelemetry.proto.collector.trace.v1development.TraceService/Export";
    for signal in Signal::ALL {
        let path = signal.grpc_path();
        let cases = [
            (path, None, Bytes::from_static(b"\x0a\x05ab"), Code::InvalidArgument, Reason::Malformed),
            // Never OUT_OF_RANGE, which clients send again, and without RetryInfo: it is final.
            (path, None, large.clone(), Code::ResourceExhausted, Reason::TooLarge),
            (path, gzip, large.clone(), Code::ResourceExhausted, Reason::TooLarge),
            (unknown, None, sample(signal), Code::Unimplemented, Reason::NotFound),
        ];
        for (path, compression, body, code, reason) in cases {
            let status = export(&server, path, compression, body).await.unwrap_err();
            assert_eq!(status.code(), code, "{status:?}");
            assert_eq!(status.details(), b"", "{status:?}");
            assert!(!status.message().is_empty());
            let books = server.recorder.books();
            assert!(matches!(books[..], [(_, Transport::Grpc, Some(found), 0)] if found == reason), "{books:?}");
        }
    }
    assert!(server.recorder.taken().is_empty());
}

#[tokio::test]
async fn a_retryable_refusal_carries_retry_info() {
    let server = start().await;
    let mut refusal = Refusal::new(Reason::MemoryLimit, "no memory is left");
    refusal.retry_after = Some(Duration::from_millis(1500));
    for (mode, items) in [(Mode::Refuse(refusal.clone()), 2), (Mode::RefuseEarly(refusal), 0)] {
        server.recorder.set(mode);
        for signal in Signal::ALL {
            let status = export(&server, signal.grpc_path(), None, sample(signal)).await.unwrap_err();
            assert_eq!((status.code(), status.message()), (Code::Unavailable, "no memory is left"));
            let details = RpcStatus::decode(status.details()).unwrap();
            assert_eq!((details.code, details.message.as_str()), (14, "no memory is left"));
            assert_eq!(details.retry_delay(), Some(Duration::from_millis(1500)));
            let entry = (Some(signal), Transport::Grpc, Some(Reason::MemoryLimit), items);
            assert_eq!(server.recorder.books(), [entry]);
        }
    }
}

#[tokio::test]
async fn a_call_that_is_not_one_whole_message_is_refused_and_never_half_taken() {
    let server = start().await;
    for signal in Signal::ALL {
        let message = sample(signal);
        let one = frame(0, &message);
        let two = [one.clone(), one.clone()].concat();
        let (_, zlib) = encodings(&message).swap_remove(2);
        let cases = [
            ("two messages", "", two, "one message"),
            ("no message", "", Vec::new(), "no message"),
            ("half a prefix", "", one[..3].to_vec(), "no message"),
            ("half a message", "", one[..one.len() - 1].to_vec(), "ends after"),
            ("a flag of 2", "", frame(2, &message), "flag"),
            ("compressed with nothing", "", frame(1, &message), "grpc-encoding"),
            ("not gzip", "gzip", frame(1, &message), "gzip"),
            // Cut after all of the content, where the check sum begins.
            ("half a deflate stream", "deflate", frame(1, &zlib[..zlib.len() - 4]), "deflate"),
        ];
        for (case, encoding, body, words) in cases {
            let answer = send(&server, signal.grpc_path(), encoding, body).await;
            assert_eq!(answer.header("grpc-status"), "3", "{case}: {answer:?}");
            let said = answer.header("grpc-message").replace("%20", " ");
            assert!(said.contains(words), "{case}: {said}");
        }
    }
    assert!(server.recorder.taken().is_empty());
}

#[tokio::test]
async fn a_message_that_is_not_compressed_may_come_under_a_grpc_encoding() {
    let server = start().await;
    let answer = send(&server, Signal::Traces.grpc_path(), "gzip", frame(0, &sample(Signal::Traces))).await;
    assert_eq!(answer.header("grpc-status"), "0");
    assert_eq!(answer.header("grpc-accept-encoding"), "gzip, deflate, zstd");
    assert_eq!(answer.body, vec![0; 5]);
}

#[tokio::test]
async fn an_unknown_compression_is_answered_with_those_that_are_known() {
    let server = start().await;
    let answer = send(&server, Signal::Traces.grpc_path(), "snappy", frame(1, b"x")).await;
    assert_eq!(answer.header("grpc-status"), "12");
    assert_eq!(answer.header("grpc-accept-encoding"), "gzip, deflate, zstd");
}

#[tokio::test]
async fn a_length_beyond_the_limit_is_refused_before_the_message_comes() {
    let server = start().await;
    let announced = [&[0][..], &u32::MAX.to_be_bytes()].concat();
    let answer = send(&server, Signal::Logs.grpc_path(), "", announced).await;
    assert_eq!(answer.header("grpc-status"), "8");
}

#[tokio::test]
async fn a_gzip_bomb_is_too_large() {
    let server = start().await;
    let bomb = bomb();
    assert!(bomb.len() < LIMIT);
    let answer = send(&server, Signal::Traces.grpc_path(), "gzip", frame(1, &bomb)).await;
    assert_eq!(answer.header("grpc-status"), "8");
    assert_eq!(answer.header("grpc-status-details-bin"), "");
}

#[tokio::test]
async fn a_panic_fails_its_call_only() {
    let server = start().await;
    let mut client = Client::http2(server.grpc).await;
    for (mode, code) in [(Mode::Panic, "13"), (Mode::Take, "0")] {
        server.recorder.set(mode);
        let path = Signal::Traces.grpc_path();
        let answer = client.post(path, "application/grpc", "", frame(0, &sample(Signal::Traces)).into()).await;
        assert_eq!(answer.header("grpc-status"), code);
    }
}

#[tokio::test]
async fn what_is_not_grpc_is_told_what_is_expected() {
    let server = start().await;
    let path = Signal::Traces.grpc_path();
    for media_type in ["application/x-protobuf", "application/grpc-web+proto", "text/plain"] {
        let answer = Client::http2(server.grpc).await.post(path, media_type, "", sample(Signal::Traces)).await;
        assert_eq!(answer.status, 415, "{media_type}");
    }
    // An OTLP/HTTP client on the wrong port.
    let mut client = Client::http1(server.grpc).await;
    let answer = client.post("/v1/traces", "application/json", "", "{}".into()).await;
    assert_eq!(answer.status, 415);
    assert!(String::from_utf8_lossy(&answer.body).contains("4318"), "{answer:?}");
    assert!(server.recorder.taken().is_empty());
}
