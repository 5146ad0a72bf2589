//! OTLP clients over connections of their own that can send anything, and a request of each signal.
#![allow(dead_code, unreachable_pub, reason = "every test uses a part of it")]

use std::net::SocketAddr;

use bytes::{BufMut, Bytes, BytesMut};
use dragoman::otlp::Signal;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use tokio::net::TcpStream;

/// Two items of a signal.
pub(crate) fn sample(signal: Signal) -> Bytes {
    match signal {
        Signal::Traces => {
            let span =
                Span { trace_id: vec![7; 16], span_id: vec![9; 8], name: "chat gpt-4o".into(), ..Span::default() };
            let scope = ScopeSpans { spans: vec![span; 2], ..ScopeSpans::default() };
            let resource = ResourceSpans { scope_spans: vec![scope], ..ResourceSpans::default() };
            ExportTraceServiceRequest { resource_spans: vec![resource] }.encode_to_vec()
        }
        Signal::Metrics => {
            let points = vec![NumberDataPoint { time_unix_nano: 5, ..NumberDataPoint::default() }; 2];
            let data = Some(Data::Gauge(Gauge { data_points: points }));
            let metric = Metric { name: "requests".into(), data, ..Metric::default() };
            let scope = ScopeMetrics { metrics: vec![metric], ..ScopeMetrics::default() };
            let resource = ResourceMetrics { scope_metrics: vec![scope], ..ResourceMetrics::default() };
            ExportMetricsServiceRequest { resource_metrics: vec![resource] }.encode_to_vec()
        }
        Signal::Logs => {
            let record = LogRecord { severity_text: "INFO".into(), time_unix_nano: 5, ..LogRecord::default() };
            let scope = ScopeLogs { log_records: vec![record; 2], ..ScopeLogs::default() };
            let resource = ResourceLogs { scope_logs: vec![scope], ..ResourceLogs::default() };
            ExportLogsServiceRequest { resource_logs: vec![resource] }.encode_to_vec()
        }
    }
    .into()
}

/// Why there is no answer.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) trailers: HeaderMap,
}

impl Answer {
    /// A header's text, or a trailer's; empty if there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).or_else(|| self.trailers.get(name));
        value.map_or("", |value| value.to_str().unwrap())
    }

    async fn read(response: hyper::Response<hyper::body::Incoming>) -> Result<Answer, Failure> {
        let (head, body) = response.into_parts();
        #[allow(clippy::disallowed_methods, reason = "limited")]
        let body = Limited::new(body, 4 << 20).collect().await?;
        let trailers = body.trailers().cloned().unwrap_or_default();
        Ok(Answer { status: head.status, headers: head.headers, body: body.to_bytes(), trailers })
    }
}

/// A connection that requests are sent over.
pub(crate) enum Client {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Client {
    pub(crate) async fn http1(address: SocketAddr) -> Client {
        Client::try_http1(address).await.unwrap()
    }

    /// As [`Client::http1`], to a server that may not be there.
    pub(crate) async fn try_http1(address: SocketAddr) -> Result<Client, Failure> {
        let stream = TcpStream::connect(address).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        drop(tokio::spawn(connection));
        Ok(Client::Http1(sender))
    }

    pub(crate) async fn http2(address: SocketAddr) -> Client {
        Client::Http2(http2_sender(address).await)
    }

    /// As [`Client::http2`], to a server that may not be there.
    pub(crate) async fn try_http2(address: SocketAddr) -> Result<Client, Failure> {
        Ok(Client::Http2(try_http2_sender(address).await?))
    }

    pub(crate) async fn send(&mut self, request: Request<Full<Bytes>>) -> Answer {
        self.try_send(request).await.unwrap()
    }

    /// As [`Client::send`], to a server that may go away.
    pub(crate) async fn try_send(&mut self, mut request: Request<Full<Bytes>>) -> Result<Answer, Failure> {
        Answer::read(match self {
            Client::Http1(sender) => {
                sender.ready().await?;
                request.headers_mut().entry("host").or_insert("localhost".parse()?);
                sender.send_request(request).await?
            }
            Client::Http2(sender) => {
                let (mut head, body) = request.into_parts();
                head.uri = format!("http://localhost{}", head.uri).parse()?;
                sender.send_request(Request::from_parts(head, body)).await?
            }
        })
        .await
    }

    /// POSTs a body with its media type and its Content-Encoding, if any.
    pub(crate) async fn post(&mut self, path: &str, media_type: &str, encoding: &str, body: Bytes) -> Answer {
        let mut request = Request::post(path).header("content-type", media_type);
        if !encoding.is_empty() {
            request = request.header("content-encoding", encoding);
        }
        self.send(request.body(Full::new(body)).unwrap()).await
    }

    /// One gRPC call with one message.
    pub(crate) async fn call(&mut self, signal: Signal, message: &[u8]) -> Answer {
        self.send(Client::call_of(signal, message)).await
    }

    /// The request of a gRPC call with one message.
    pub(crate) fn call_of(signal: Signal, message: &[u8]) -> Request<Full<Bytes>> {
        let mut frame = BytesMut::new();
        frame.put_u8(0);
        frame.put_u32(message.len().try_into().unwrap());
        frame.put_slice(message);
        let request =
            Request::post(signal.grpc_path()).header("content-type", "application/grpc").header("te", "trailers");
        request.body(Full::new(frame.freeze())).unwrap()
    }

    /// GETs a page.
    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Request::get(path).body(Full::default()).unwrap()).await
    }
}

pub(crate) async fn http2_sender<B>(address: SocketAddr) -> http2::SendRequest<B>
where
    B: http_body::Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + Unpin + 'static,
{
    try_http2_sender(address).await.unwrap()
}

async fn try_http2_sender<B>(address: SocketAddr) -> Result<http2::SendRequest<B>, Failure>
where
    B: http_body::Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + Unpin + 'static,
{
    let stream = TcpStream::connect(address).await?;
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    drop(tokio::spawn(async move { connection.await.is_ok() }));
    Ok(sender)
}

/// The fields of a `google.rpc.Status` body: code, message, and the delay of its RetryInfo.
pub(crate) fn status(answer: &Answer) -> (i64, String, Option<String>) {
    if answer.header("content-type") == "application/json" {
        let json: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        let delay = json["details"][0]["retryDelay"].as_str().map(str::to_owned);
        return (json["code"].as_i64().unwrap(), json["message"].as_str().unwrap().to_owned(), delay);
    }
    assert_eq!(answer.header("content-type"), "application/x-protobuf");
    let status = dragoman::otlp::status::Status::decode(answer.body.clone()).unwrap();
    let delay = status.retry_delay().map(|delay| format!("{}s", delay.as_secs()));
    (status.code.into(), status.message, delay)
}

/// The status of a gRPC answer: its code, its message, and the delay of its RetryInfo.
pub(crate) fn grpc_status(answer: &Answer) -> (i64, String, Option<std::time::Duration>) {
    let mut headers = answer.headers.clone();
    headers.extend(answer.trailers.clone());
    let status = tonic::Status::from_header_map(&headers).unwrap();
    let details = dragoman::otlp::status::Status::decode(status.details()).unwrap();
    (status.code() as i64, status.message().to_owned(), details.retry_delay())
}
