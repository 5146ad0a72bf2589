//! A sidecar of the demo's own: every listener on a free port of loopback, the stages of the
//! embedded default, and a client that sends and scrapes as applications and Prometheus do.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{CONTENT_TYPE, TE};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::cases::Over;
use crate::config::Source;
use crate::otlp::Signal;
use crate::service::plan::Plan;
use crate::service::start::{Running, start};

/// The most of an answer that is read.
const ANSWER: usize = 1 << 20;
/// How long the sidecar gets to answer, and to deliver at the end.
const PATIENCE: Duration = Duration::from_secs(10);

/// The sidecar while it runs.
pub(super) struct Sidecar {
    running: Running,
    http1: Client<HttpConnector, Full<Bytes>>,
    http2: Client<HttpConnector, Full<Bytes>>,
}

fn config(backend: SocketAddr) -> String {
    format!(
        r#"
receivers:
  otlp: {{ protocols: {{ grpc: {{ endpoint: "127.0.0.1:0" }}, http: {{ endpoint: "127.0.0.1:0" }} }} }}
processors: {{ genai: {{}}, drop/sqlite: {{ preset: sqlite }} }}
connectors: {{ genai_metrics: {{}} }}
exporters:
  prometheus: {{ endpoint: "127.0.0.1:0" }}
  otlp_grpc/backend: {{ endpoint: "{backend}", tls: {{ insecure: true }} }}
service:
  telemetry: {{ metrics: {{ address: "127.0.0.1:0" }} }}
  pipelines:
    traces: {{ receivers: [otlp], processors: [genai, drop/sqlite], exporters: [otlp_grpc/backend, genai_metrics] }}
    metrics: {{ receivers: [genai_metrics], exporters: [prometheus] }}
"#
    )
}

impl Sidecar {
    /// Starts one that exports to `backend`.
    pub(super) async fn start(backend: SocketAddr) -> Result<Sidecar, String> {
        let source = Source::Made { of: "the demo's configuration", text: config(backend) };
        // Nothing of the environment: the demo is the same everywhere.
        let (plan, _) = Plan::load(&[source], &|_| None).map_err(|problems| problems.to_string())?;
        let running =
            start(plan, PATIENCE, Arc::new(|| Box::new(std::io::sink()))).await.map_err(|error| error.to_string())?;
        let client = |http2| Client::builder(TokioExecutor::new()).http2_only(http2).build(HttpConnector::new());
        Ok(Sidecar { running, http1: client(false), http2: client(true) })
    }

    fn address(&self, what: &str) -> Result<SocketAddr, String> {
        let address = self.running.addresses().iter().find(|address| address.what == what);
        address.map(|address| address.address).ok_or_else(|| format!("the sidecar does not listen for {what}"))
    }

    /// Exports a traces request to it, as an SDK does; returns once it was acknowledged.
    pub(super) async fn send(&self, over: Over, body: &'static [u8]) -> Result<(), String> {
        match over {
            Over::Http => {
                let uri = format!("http://{}{}", self.address("OTLP HTTP")?, Signal::Traces.http_path());
                let request = Request::post(uri).header(CONTENT_TYPE, "application/x-protobuf");
                let request = request.body(Full::from(body)).map_err(|error| error.to_string())?;
                read(self.http1.request(request).await).await.map(drop)
            }
            Over::Grpc => {
                let uri = format!("http://{}{}", self.address("OTLP gRPC")?, Signal::Traces.grpc_path());
                let request = Request::post(uri).header(CONTENT_TYPE, "application/grpc").header(TE, "trailers");
                // Not compressed, and the message's length.
                let mut message = BytesMut::with_capacity(body.len() + 5);
                message.put_u8(0);
                message.put_u32(u32::try_from(body.len()).map_err(|error| error.to_string())?);
                message.put_slice(body);
                let request = request.body(Full::from(message.freeze())).map_err(|error| error.to_string())?;
                let (_, trailers) = read(self.http2.request(request).await).await?;
                match trailers.get("grpc-status").and_then(|status| status.to_str().ok()) {
                    Some("0") => Ok(()),
                    status => Err(format!("the sidecar refused a request: grpc-status {status:?}")),
                }
            }
        }
    }

    /// The page that Prometheus scrapes.
    pub(super) async fn scrape(&self) -> Result<String, String> {
        self.page("Prometheus").await
    }

    /// The page of the sidecar's own metrics.
    pub(super) async fn self_metrics(&self) -> Result<String, String> {
        self.page("self-metrics").await
    }

    async fn page(&self, what: &str) -> Result<String, String> {
        let uri = format!("http://{}/metrics", self.address(what)?);
        let request = Request::get(uri).body(Full::default()).map_err(|error| error.to_string())?;
        let (body, _) = read(self.http1.request(request).await).await?;
        String::from_utf8(body.to_vec()).map_err(|error| error.to_string())
    }

    /// Stops it, once everything is delivered.
    pub(super) async fn stop(self) -> Result<(), String> {
        // Idle connections of the client would keep the receivers waiting.
        drop((self.http1, self.http2));
        let stopped = self.running.stop(PATIENCE).await;
        match stopped.lost {
            0 => Ok(()),
            lost => Err(format!("{lost} items were not delivered")),
        }
    }
}

/// The body of a good answer, and its trailers (or, of a gRPC answer that is nothing else, its
/// headers).
async fn read(
    answer: Result<Response<Incoming>, hyper_util::client::legacy::Error>,
) -> Result<(Bytes, HeaderMap), String> {
    let answer = answer.map_err(|error| format!("the sidecar does not answer: {error}"))?;
    let (head, body) = answer.into_parts();
    #[allow(clippy::disallowed_methods, reason = "limited")]
    let body = Limited::new(body, ANSWER).collect();
    let body = tokio::time::timeout(PATIENCE, body).await.map_err(|_| "the sidecar's answer does not end")?;
    let body = body.map_err(|error| format!("the sidecar's answer breaks off: {error}"))?;
    let trailers = body.trailers().cloned().unwrap_or_else(|| head.headers.clone());
    let body = body.to_bytes();
    match head.status.is_success() {
        true => Ok((body, trailers)),
        false => Err(format!("the sidecar answers {}: {}", head.status, String::from_utf8_lossy(&body))),
    }
}
