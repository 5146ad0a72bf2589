//! A service with settings for its listeners, and clients that speak TLS.

use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use dragoman::otlp::Signal;
use http::Request;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::client::{Answer, sample};
use crate::rig::{Rig, plan};

/// Everything is taken and shown by the debug exporter. `protocol` is what both protocols have
/// besides their endpoint, `extensions` the section of that name.
pub(crate) fn yaml(protocol: &str, extensions: &[(&str, &str)]) -> String {
    let sections: String = extensions.iter().map(|(id, section)| format!("  {id}: {section}\n")).collect();
    let ids: Vec<_> = extensions.iter().map(|(id, _)| *id).collect();
    format!(
        "receivers:\n  otlp:\n    protocols:\n      grpc: {{ endpoint: '127.0.0.1:0', {protocol} }}\n      \
         http: {{ endpoint: '127.0.0.1:0', {protocol} }}\nexporters: {{ debug: {{}} }}\nextensions:\n{sections}\
         service:\n  extensions: [{}]\n  telemetry: {{ metrics: {{ address: '127.0.0.1:0' }} }}\n  pipelines:\n    \
         traces: {{ receivers: [otlp], exporters: [debug] }}\n    metrics: {{ receivers: [otlp], exporters: [debug] }}\n    \
         logs: {{ receivers: [otlp], exporters: [debug] }}\n",
        ids.join(", ")
    )
}

pub(crate) async fn service(protocol: &str, extensions: &[(&str, &str)]) -> Rig {
    Rig::start(plan(&yaml(protocol, extensions))).await
}

/// `tls` with the pair that [`crate::authority::Pair::write`] wrote, and more.
pub(crate) fn tls(folder: &Path, more: &str) -> String {
    let file = |name: &str| folder.join(name).display().to_string();
    format!("tls: {{ cert_file: {}, key_file: {}, reload_interval: 20ms, {more} }}", file("tls.crt"), file("tls.key"))
}

pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// A request of two spans to the listener of `transport` over TLS; over HTTP/2 if both sides have it.
pub(crate) async fn send(rig: &Rig, transport: &str, config: &Arc<ClientConfig>) -> Outcome<Answer> {
    let address = rig.address(transport);
    let request = if transport == "OTLP gRPC" { grpc(Signal::Traces) } else { post(Signal::Traces) };
    ask(address, "localhost", config, request).await
}

pub(crate) fn grpc(signal: Signal) -> Request<Full<Bytes>> {
    let message = sample(signal);
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(message.len().try_into().unwrap());
    frame.put_slice(&message);
    let request = Request::post(format!("https://localhost{}", signal.grpc_path()));
    let request = request.header("content-type", "application/grpc").header("te", "trailers");
    request.body(Full::new(frame.freeze())).unwrap()
}

pub(crate) fn post(signal: Signal) -> Request<Full<Bytes>> {
    let request = Request::post(format!("https://localhost{}", signal.http_path()));
    request.header("content-type", "application/x-protobuf").body(Full::new(sample(signal))).unwrap()
}

/// One request over a connection of its own.
pub(crate) async fn ask(
    address: SocketAddr,
    name: &str,
    config: &Arc<ClientConfig>,
    request: Request<Full<Bytes>>,
) -> Outcome<Answer> {
    let name = ServerName::try_from(name.to_owned())?;
    let stream = TlsConnector::from(Arc::clone(config)).connect(name, TcpStream::connect(address).await?).await?;
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let response = if is_http2 {
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        drop(tokio::spawn(connection));
        sender.send_request(request).await?
    } else {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        drop(tokio::spawn(connection));
        let (mut head, body) = request.into_parts();
        head.uri = head.uri.path().parse()?;
        head.headers.insert("host", "localhost".parse()?);
        sender.send_request(Request::from_parts(head, body)).await?
    };
    let (head, body) = response.into_parts();
    #[allow(clippy::disallowed_methods, reason = "limited")]
    let body = Limited::new(body, 1 << 20).collect().await?;
    let trailers = body.trailers().cloned().unwrap_or_default();
    Ok(Answer { status: head.status, headers: head.headers, body: body.to_bytes(), trailers })
}

/// Whether a request was taken.
pub(crate) fn is_taken(answer: &Outcome<Answer>) -> bool {
    answer.as_ref().is_ok_and(|answer| answer.status == 200 && matches!(answer.header("grpc-status"), "" | "0"))
}

pub(crate) const BOTH: [&str; 2] = ["OTLP gRPC", "OTLP HTTP"];
