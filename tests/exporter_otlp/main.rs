//! The OTLP exporter against a backend on loopback, over gRPC and over HTTP.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
#[path = "../support/authority.rs"]
mod authority;
#[path = "../support/backend.rs"]
mod backend;
mod connection;
#[path = "../support/faulty.rs"]
mod faulty;
mod proxy;
#[path = "../support/raw.rs"]
mod raw;
#[path = "../support/proxy.rs"]
mod recording;
mod tls;

use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use backend::{Backend, Reply};
use bytes::Bytes;
use dragoman::exporter::observe::{Loss, Observer, Setback};
use dragoman::exporter::otlp::OtlpExporter;
use dragoman::exporter::settings::{Compression, Otlp, Retry, Transport};
use dragoman::otlp::Signal;
use dragoman::otlp::response::{ExportResponse, PartialSuccess};
use dragoman::otlp::status::{self, Any, Delay, RETRY_INFO, RetryInfo};
use dragoman::pipeline::account::OpenItems;
use dragoman::pipeline::{Batch, Exporter};
use http::Version;
use prost::Message;
use tokio::sync::mpsc;
use tonic::{Code, Status};

const BOTH: [Transport; 2] = [Transport::Grpc, Transport::Http];

/// What an exporter reported.
#[derive(Debug, PartialEq, Eq)]
enum Event {
    Sent(Signal, usize),
    Failed(Signal, usize, Loss),
}

struct Events(mpsc::Sender<Event>, Arc<Mutex<Vec<Setback>>>);

impl Observer for Events {
    fn sent(&self, signal: Signal, items: usize) {
        self.0.try_send(Event::Sent(signal, items)).unwrap();
    }

    fn failed(&self, signal: Signal, items: usize, reason: Loss) {
        self.0.try_send(Event::Failed(signal, items, reason)).unwrap();
    }

    fn retried(&self, _: Signal, why: Setback) {
        self.1.lock().unwrap().push(why);
    }
}

struct Rig {
    exporter: OtlpExporter,
    events: mpsc::Receiver<Event>,
    /// Why attempts were made again.
    retries: Arc<Mutex<Vec<Setback>>>,
}

impl Rig {
    fn new(transport: Transport, backend: &Backend, change: impl FnOnce(&mut Otlp)) -> Rig {
        Rig::at(transport, backend.address, change)
    }

    fn at(transport: Transport, address: std::net::SocketAddr, change: impl FnOnce(&mut Otlp)) -> Rig {
        let mut settings = Otlp::new(transport, format!("http://{address}"));
        // An answer on loopback needs no patience, and a machine under load needs much.
        settings.timeout = Duration::from_secs(60);
        settings.retry = Retry { initial_interval: Duration::from_millis(1), ..Retry::default() };
        change(&mut settings);
        let (sender, events) = mpsc::channel(1000);
        let retries = Arc::default();
        let observer = Events(sender, Arc::clone(&retries));
        let exporter = OtlpExporter::start("otlp/test", &settings, Arc::new(observer)).unwrap();
        Rig { exporter, events, retries }
    }

    fn send(&self, signal: Signal, body: impl Into<Bytes>, items: usize) {
        let body = body.into();
        let permit = self.exporter.reserve(signal, body.len()).unwrap();
        drop(permit.send(Batch { signal, body, open: OpenItems::detached(items), calls: Arc::new([]) }));
    }

    async fn event(&mut self) -> Event {
        let event = tokio::time::timeout(Duration::from_secs(60), self.events.recv()).await;
        event.unwrap_or_else(|_| panic!("no word of a batch")).unwrap()
    }
}

fn partial_success(rejected: i64) -> Reply {
    let partial = PartialSuccess { rejected, error_message: "too old".into() };
    Reply::Ok(ExportResponse { partial_success: Some(partial) }.encode_to_vec().into())
}

/// No protobuf: the exporter must not care.
fn noise(length: usize) -> Bytes {
    let mut random = fastrand::Rng::with_seed(7);
    (0..length).map(|_| random.u8(..)).collect()
}

#[tokio::test]
async fn every_signal_arrives_as_the_bytes_that_were_sent() {
    for transport in BOTH {
        let mut backend = Backend::start([]).await;
        let mut rig = Rig::new(transport, &backend, |_| {});
        for signal in Signal::ALL {
            for length in [1, 100, 1 << 20] {
                rig.send(signal, noise(length), 3);
                let seen = backend.next().await;
                assert_eq!(seen.body, noise(length), "{signal} over {transport:?}");
                let path = match transport {
                    Transport::Grpc => signal.grpc_path(),
                    Transport::Http => signal.http_path(),
                };
                assert_eq!(seen.path, path);
                assert_eq!(rig.event().await, Event::Sent(signal, 3));
            }
        }
    }
}

#[tokio::test]
async fn a_grpc_call_says_what_grpc_wants_to_know() {
    let mut backend = Backend::start([]).await;
    let rig = Rig::new(Transport::Grpc, &backend, |settings| {
        settings.headers = vec![
            ("X-Api-Key".into(), "hunter2".into()),
            ("content-type".into(), "text/plain".into()),
            ("te".into(), "gzip".into()),
        ];
    });
    rig.send(Signal::Traces, "spans", 1);
    let seen = backend.next().await;
    assert_eq!(seen.version, Version::HTTP_2);
    assert_eq!(seen.headers["x-api-key"], "hunter2");
    assert_eq!(seen.headers["content-type"], "application/grpc", "a configured header cannot break the protocol");
    assert_eq!(seen.headers["te"], "trailers");
    assert_eq!(seen.headers["grpc-timeout"], "60000m");
    assert_eq!(seen.headers["user-agent"], concat!("dragoman/", env!("CARGO_PKG_VERSION")));
    assert!(!seen.headers.contains_key("content-length") && !seen.headers.contains_key("grpc-encoding"));
}

#[tokio::test]
async fn an_http_request_is_a_post_of_protobuf() {
    let mut backend = Backend::start([]).await;
    let rig = Rig::new(Transport::Http, &backend, |settings| {
        settings.headers = vec![("Authorization".into(), "Bearer hunter2".into())];
    });
    rig.send(Signal::Traces, "spans", 1);
    let seen = backend.next().await;
    assert_eq!(seen.version, Version::HTTP_11);
    assert_eq!(seen.headers["authorization"], "Bearer hunter2");
    assert_eq!(seen.headers["content-type"], "application/x-protobuf");
    assert_eq!(seen.headers["content-length"], "5");
    assert_eq!(seen.headers["user-agent"], concat!("dragoman/", env!("CARGO_PKG_VERSION")));
    assert!(!seen.headers.contains_key("content-encoding"));
}

#[tokio::test]
async fn a_signals_own_url_is_used_as_it_is() {
    let mut backend = Backend::start([]).await;
    let url = format!("http://{}/in/spans", backend.address);
    let rig = Rig::new(Transport::Http, &backend, |settings| {
        settings.endpoint = String::new();
        settings.signal_endpoints = [Some(url), None, None];
    });
    rig.send(Signal::Traces, "spans", 1);
    assert_eq!(backend.next().await.path, "/in/spans");
    assert!(rig.exporter.takes(Signal::Traces) && !rig.exporter.takes(Signal::Logs));
    let refusal = rig.exporter.reserve(Signal::Logs, 1).map(drop).unwrap_err();
    assert!(refusal.message.contains("set endpoint or logs_endpoint"), "{refusal}");
}

#[tokio::test]
async fn compressed_requests_decompress_to_what_was_sent() {
    // Text that compresses, below and above the size that is compressed off the reactor.
    for length in [1000, 200_000] {
        let body = Bytes::from((0..length).map(|i| (i / 9) as u8).collect::<Vec<_>>());
        for (compression, token) in [(Compression::Gzip, "gzip"), (Compression::Zstd, "zstd")] {
            let mut backend = Backend::start([]).await;
            let rig = Rig::new(Transport::Grpc, &backend, |settings| settings.compression = compression);
            rig.send(Signal::Traces, body.clone(), 1);
            let seen = backend.next().await;
            assert_eq!(seen.headers["grpc-encoding"], token);
            assert_eq!(seen.body, body, "as tonic decompressed it");

            let mut backend = Backend::start([]).await;
            let rig = Rig::new(Transport::Http, &backend, |settings| settings.compression = compression);
            rig.send(Signal::Traces, body.clone(), 1);
            let seen = backend.next().await;
            assert_eq!(seen.headers["content-encoding"], token);
            assert!(seen.body.len() < body.len() / 2);
            assert_eq!(decompressed(compression, &seen.body), body);
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "limited")]
fn decompressed(compression: Compression, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match compression {
        Compression::None => out.extend_from_slice(body),
        Compression::Gzip => drop(flate2::read::GzDecoder::new(body).take(1 << 20).read_to_end(&mut out).unwrap()),
        Compression::Zstd => out = zstd::bulk::decompress(body, 1 << 20).unwrap(),
    }
    out
}

#[tokio::test]
async fn what_may_succeed_later_is_sent_again_unchanged() {
    let script: [(Transport, Vec<Reply>); 2] = [
        (
            Transport::Grpc,
            vec![
                Reply::Status(Status::unavailable("starting")),
                Reply::Cut,
                Reply::Http(502, vec![], Bytes::from_static(b"a proxy's words")),
                Reply::Status(exhausted(Some(Duration::from_millis(1)))),
            ],
        ),
        (
            Transport::Http,
            vec![
                Reply::Http(503, vec![], Bytes::new()),
                Reply::Cut,
                Reply::Http(429, vec![("retry-after", "0".into())], Bytes::new()),
                // Longer than is read; the status has said all.
                Reply::Http(502, vec![], Bytes::from(vec![b'x'; 200_000])),
                Reply::Http(504, vec![], Bytes::new()),
            ],
        ),
    ];
    for (transport, script) in script {
        let attempts = script.len() + 1;
        let mut backend = Backend::start(script).await;
        let mut rig = Rig::new(transport, &backend, |_| {});
        rig.send(Signal::Traces, "spans", 3);
        for _ in 0..attempts {
            // Where tonic did not unpack it, gRPC's five bytes stand before it.
            assert!(backend.next().await.body.ends_with(b"spans"));
        }
        assert_eq!(rig.event().await, Event::Sent(Signal::Traces, 3));
    }
}

#[tokio::test]
async fn what_cannot_succeed_is_sent_once() {
    let scripts: Vec<(Transport, Vec<Reply>)> = vec![
        (
            Transport::Grpc,
            vec![
                Reply::Status(Status::invalid_argument("bad")),
                Reply::Status(Status::unauthenticated("who?")),
                Reply::Status(Status::internal("")),
                Reply::Status(exhausted(None)),
                Reply::Http(404, vec![], Bytes::new()),
                // HTTP where gRPC was expected.
                Reply::Http(200, vec![("content-type", "text/html".into())], Bytes::from_static(b"<html>")),
                // A success that is none.
                Reply::Ok(Bytes::from_static(b"\xff\xff")),
                Reply::Ok(noise(100_000)),
            ],
        ),
        (
            Transport::Http,
            vec![
                Reply::Http(400, vec![], Bytes::from_static(b"bad")),
                Reply::Http(401, vec![], Bytes::new()),
                Reply::Http(413, vec![], Bytes::new()),
                Reply::Http(500, vec![("retry-after", "0".into())], Bytes::new()),
                Reply::Http(302, vec![("location", "/elsewhere".into())], Bytes::new()),
                Reply::Ok(Bytes::from_static(b"\xff\xff")),
                Reply::Ok(noise(100_000)),
            ],
        ),
    ];
    for (transport, script) in scripts {
        for reply in script {
            let mut backend = Backend::start([reply]).await;
            let mut rig = Rig::new(transport, &backend, |_| {});
            rig.send(Signal::Logs, "records", 3);
            assert_eq!(rig.event().await, Event::Failed(Signal::Logs, 3, Loss::Rejected));
            drop(backend.next().await);
            rig.exporter.shutdown(tokio::time::Instant::now() + Duration::from_secs(60)).await;
            assert!(backend.seen.try_recv().is_err(), "there was a second request");
        }
    }
}

fn exhausted(delay: Option<Duration>) -> Status {
    let info = delay.map(|delay| {
        let retry_delay = Delay { seconds: delay.as_secs() as i64, nanos: delay.subsec_nanos() as i32 };
        let value = RetryInfo { retry_delay: Some(retry_delay) }.encode_to_vec();
        Any { type_url: RETRY_INFO.into(), value }
    });
    let details = status::Status { code: 8, message: "slowly".into(), details: info.into_iter().collect() };
    Status::with_details(Code::ResourceExhausted, "slowly", details.encode_to_vec().into())
}

#[tokio::test]
async fn the_delay_of_the_backend_is_honoured() {
    // The delay is beyond what is allowed in all, so the batch is given up at once; with the
    // configured backoff of a millisecond it would have been delivered.
    let hour = 3600;
    let date = httpdate::fmt_http_date(std::time::SystemTime::now() + Duration::from_secs(2 * hour));
    let later = |value: String| Reply::Http(503, vec![("retry-after", value)], Bytes::new());
    let script = [
        (Transport::Grpc, Reply::Status(exhausted(Some(Duration::from_secs(hour))))),
        (Transport::Http, later(hour.to_string())),
        (Transport::Http, later(date)),
    ];
    for (transport, reply) in script {
        let mut backend = Backend::start([reply]).await;
        let mut rig = Rig::new(transport, &backend, |_| {});
        rig.send(Signal::Traces, "spans", 3);
        drop(backend.next().await);
        assert_eq!(rig.event().await, Event::Failed(Signal::Traces, 3, Loss::RetriesExhausted));
    }
}

#[tokio::test]
async fn a_partial_success_is_counted_as_both() {
    for transport in BOTH {
        let backend = Backend::start([partial_success(2), partial_success(0)]).await;
        let mut rig = Rig::new(transport, &backend, |settings| settings.queue.num_consumers = 1);
        rig.send(Signal::Metrics, "points", 5);
        rig.send(Signal::Metrics, "points", 5);
        assert_eq!(rig.event().await, Event::Sent(Signal::Metrics, 3));
        assert_eq!(rig.event().await, Event::Failed(Signal::Metrics, 2, Loss::PartialSuccess));
        assert_eq!(rig.event().await, Event::Sent(Signal::Metrics, 5));
    }
}

#[tokio::test]
async fn a_backend_that_answers_in_its_own_words_took_the_request() {
    let reply = Reply::Http(200, vec![("content-type", "application/json".into())], Bytes::from_static(b"{}"));
    let backend = Backend::start([reply]).await;
    let mut rig = Rig::new(Transport::Http, &backend, |_| {});
    rig.send(Signal::Traces, "spans", 5);
    assert_eq!(rig.event().await, Event::Sent(Signal::Traces, 5));
}

#[tokio::test]
async fn a_backend_that_takes_no_metrics_holds_up_no_traces() {
    let later = Reply::Http(503, vec![("retry-after", "200".into())], Bytes::new());
    let mut metrics = Backend::start(vec![later; 2]).await;
    let traces = Backend::start([]).await;
    let mut rig = Rig::new(Transport::Http, &traces, |settings| {
        settings.signal_endpoints[1] = Some(format!("http://{}", metrics.address));
        settings.queue.num_consumers = 1;
    });
    rig.send(Signal::Metrics, "points", 1);
    rig.send(Signal::Metrics, "points", 1);
    drop(metrics.next().await);
    rig.send(Signal::Traces, "spans", 3);
    assert_eq!(rig.event().await, Event::Sent(Signal::Traces, 3));
    let held = rig.exporter.queue(Signal::Metrics);
    assert_eq!((held.items, held.in_flight), (2, 1));
}

#[tokio::test]
async fn shutdown_delivers_what_waits() {
    let mut backend = Backend::start([]).await;
    let mut rig = Rig::new(Transport::Grpc, &backend, |settings| settings.queue.num_consumers = 1);
    for _ in 0..50 {
        rig.send(Signal::Traces, "spans", 2);
    }
    rig.exporter.shutdown(tokio::time::Instant::now() + Duration::from_secs(60)).await;
    let mut sent = 0;
    while let Ok(event) = rig.events.try_recv() {
        assert_eq!(event, Event::Sent(Signal::Traces, 2));
        sent += 1;
    }
    assert_eq!(sent, 50);
    for _ in 0..50 {
        assert_eq!(backend.next().await.body, "spans");
    }
    assert!(rig.exporter.reserve(Signal::Traces, 1).is_err());
}
