//! The load: recorded requests of all signals over both transports, again and again, each until it is
//! answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use dragoman::otlp::{Signal, check};
use http::Request;
use http_body_util::Full;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::client::{Answer, Client, sample};
use crate::corpus::{cases, requests};

/// Between requests of one client, so that one exporter can keep up with all of them.
const PAUSE: Duration = Duration::from_millis(3);

/// Items, by signal.
#[derive(Debug, Default)]
pub(crate) struct Tally([AtomicU64; 3]);

impl Tally {
    pub(crate) fn add(&self, signal: Signal, items: usize) {
        self.0[signal as usize].fetch_add(items as u64, Ordering::Relaxed);
    }

    pub(crate) fn of(&self, signal: Signal) -> i128 {
        self.0[signal as usize].load(Ordering::Relaxed).into()
    }
}

/// Clients that run until they are stopped.
pub(crate) struct Load {
    over: Arc<AtomicBool>,
    /// Items of requests that were answered by a success.
    pub(crate) acknowledged: Arc<Tally>,
    /// Items of requests that were to be sent again later.
    pub(crate) refused: Arc<Tally>,
    clients: Vec<JoinHandle<()>>,
}

/// What the clients send in turn: spans with sqlite ones among them, calls whose content stands in
/// log records, and points.
fn recorded() -> Vec<Vec<(Signal, Bytes)>> {
    let of = |emitter: &str, suffix, signal| {
        let bodies = cases(emitter).into_iter().flat_map(|case| requests(&case, suffix)).collect::<Vec<_>>();
        assert!(!bodies.is_empty(), "{emitter} {suffix}");
        bodies.into_iter().map(|body| (signal, body)).collect::<Vec<_>>()
    };
    let sqlite = of("sqlite-app-openllmetry-0.49.6", ".traces.pb", Signal::Traces);
    let calls = of("openai-v2-2.4b0-content", ".traces.pb", Signal::Traces);
    let content = of("openai-v2-2.4b0-content", ".logs.pb", Signal::Logs);
    let mut metrics = of("litellm-1.80.17-metrics-events", ".metrics.pb", Signal::Metrics);
    metrics.push((Signal::Metrics, sample(Signal::Metrics)));
    let mut mixed = Vec::new();
    let length = calls.len().max(content.len()).max(metrics.len());
    for place in 0..length {
        for part in [&content, &calls, &metrics] {
            mixed.extend(part.get(place).cloned());
        }
    }
    vec![sqlite, calls, content, mixed, metrics]
}

impl Load {
    pub(crate) fn start(runtime: &Handle, grpc: SocketAddr, http: SocketAddr) -> Load {
        let (over, acknowledged, refused) = (Arc::<AtomicBool>::default(), Arc::default(), Arc::default());
        let mut clients = Vec::new();
        for (number, requests) in recorded().into_iter().enumerate() {
            let client = One {
                requests,
                to: if number % 2 == 0 { grpc } else { http },
                is_grpc: number % 2 == 0,
                over: Arc::clone(&over),
                acknowledged: Arc::clone(&acknowledged),
                refused: Arc::clone(&refused),
            };
            clients.push(runtime.spawn(client.run()));
        }
        Load { over, acknowledged, refused, clients }
    }

    /// The process is about to die: clients end as soon as they are not answered.
    pub(crate) fn expect_the_end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// Lets every client read its answer, and ends.
    pub(crate) async fn stop(self) -> (Arc<Tally>, Arc<Tally>) {
        self.over.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.await.unwrap();
        }
        (self.acknowledged, self.refused)
    }
}

struct One {
    requests: Vec<(Signal, Bytes)>,
    to: SocketAddr,
    is_grpc: bool,
    over: Arc<AtomicBool>,
    acknowledged: Arc<Tally>,
    refused: Arc<Tally>,
}

impl One {
    async fn run(self) {
        let mut connection = match self.is_grpc {
            true => Client::http2(self.to).await,
            false => Client::http1(self.to).await,
        };
        for (signal, body) in self.requests.iter().cycle() {
            if self.over.load(Ordering::Relaxed) {
                return;
            }
            let request = match self.is_grpc {
                true => Client::call_of(*signal, body),
                false => post(*signal, body.clone()),
            };
            let answer = match connection.try_send(request).await {
                Ok(answer) => answer,
                Err(error) => {
                    assert!(self.over.load(Ordering::Relaxed), "no answer: {error}");
                    return;
                }
            };
            let tally = if taken(&answer) { &self.acknowledged } else { &self.refused };
            tally.add(*signal, check::count(*signal, body));
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn post(signal: Signal, body: Bytes) -> Request<Full<Bytes>> {
    Request::post(signal.http_path()).header("content-type", "application/x-protobuf").body(Full::new(body)).unwrap()
}

/// Whether the request was taken, or is to be sent again.
fn taken(answer: &Answer) -> bool {
    match (answer.status.as_u16(), answer.header("grpc-status")) {
        (200, "0") => true,
        (200, "") if answer.header("content-type") != "application/grpc" => true,
        (200, "14") | (503 | 429, "") => false,
        _ => panic!("no answer to a good request: {answer:?}"),
    }
}
