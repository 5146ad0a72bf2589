//! The load: clients that send as SDKs do, lose their connection when the process dies, and come
//! back when it does.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use dragoman::otlp::Signal;
use fastrand::Rng;
use http::Request;
use http_body_util::Full;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::client::{Answer, Client};
use crate::items::{Id, request};
use crate::ledger::Ledger;

/// After a refusal, or when nobody listens.
const PAUSE: Duration = Duration::from_millis(2);

/// Requests under way at once on one gRPC connection.
const STREAMS: usize = 3;

/// Where to send.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    /// The process is being killed or started.
    Nowhere,
    /// It listens.
    At { life: usize, grpc: SocketAddr, http: SocketAddr },
    /// The clients end, after the answer that they wait for.
    Over,
}

/// All clients of a run.
pub(crate) struct Clients {
    target: watch::Sender<Target>,
    tasks: Vec<JoinHandle<()>>,
}

#[derive(Clone)]
struct Client1 {
    number: usize,
    signal: Signal,
    ledger: Arc<Ledger>,
    ids: Arc<AtomicU64>,
    target: watch::Receiver<Target>,
}

impl Clients {
    /// Starts `count` clients: every other over gRPC, two of three with spans.
    pub(crate) fn start(runtime: &Handle, count: usize, rng: &mut Rng, ledger: &Arc<Ledger>) -> Clients {
        let (target, receiver) = watch::channel(Target::Nowhere);
        // Ids of another run's items would be told from this one's.
        let ids = Arc::new(AtomicU64::new(rng.u64(1..1 << 31) << 32));
        let mut tasks = Vec::new();
        for number in 0..count {
            let signal = match number % 6 {
                4 => Signal::Metrics,
                5 => Signal::Logs,
                _ => Signal::Traces,
            };
            let client = Client1 { number, signal, ledger: ledger.clone(), ids: ids.clone(), target: receiver.clone() };
            let seed = rng.u64(..);
            tasks.push(match number % 2 {
                0 => runtime.spawn(client.over_grpc(seed)),
                _ => runtime.spawn(client.over_http(seed)),
            });
        }
        Clients { target, tasks }
    }

    /// Tells where the process is.
    pub(crate) fn point_at(&self, target: Target) {
        self.target.send_replace(target);
    }

    /// Lets all clients read the answers that are under way, and ends.
    pub(crate) async fn finish(self) {
        self.target.send_replace(Target::Over);
        for task in self.tasks {
            task.await.unwrap();
        }
    }
}

impl Client1 {
    /// The process, once it is there; `None` at the end.
    async fn process(&mut self) -> Option<(usize, SocketAddr, SocketAddr)> {
        let there = self.target.wait_for(|target| !matches!(target, Target::Nowhere)).await.unwrap();
        match *there {
            Target::At { life, grpc, http } => Some((life, grpc, http)),
            Target::Nowhere | Target::Over => None,
        }
    }

    async fn over_http(mut self, seed: u64) {
        let mut rng = Rng::with_seed(seed);
        while let Some((life, _, http)) = self.process().await {
            match Client::try_http1(http).await {
                Ok(connection) => self.send_all(connection, life, &mut rng).await,
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    async fn over_grpc(mut self, seed: u64) {
        let mut rng = Rng::with_seed(seed);
        while let Some((life, grpc, _)) = self.process().await {
            let Ok(Client::Http2(sender)) = Client::try_http2(grpc).await else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            let streams = (0..STREAMS).map(|_| {
                let (client, sender, mut rng) = (self.clone(), Client::Http2(sender.clone()), rng.fork());
                tokio::spawn(async move { client.send_all(sender, life, &mut rng).await })
            });
            for stream in streams.collect::<Vec<_>>() {
                stream.await.unwrap();
            }
        }
    }

    /// Sends one request after the other until the connection breaks or the process is another.
    async fn send_all(&self, mut connection: Client, life: usize, rng: &mut Rng) {
        while matches!(*self.target.borrow(), Target::At { life: now, .. } if now == life) {
            // Most are small; a few are as large as prompts are.
            let items = rng.u64(1..12);
            let padding = if rng.u8(..8) == 0 { rng.usize(..4000) } else { rng.usize(..200) };
            let first = self.ids.fetch_add(items, Ordering::Relaxed);
            let ids: Vec<Id> = (first..first + items).collect();
            let body = request(self.signal, &ids, padding);
            self.ledger.sent(self.signal, self.number, life, &ids);
            let request = match connection {
                Client::Http2(_) => Client::call_of(self.signal, &body),
                Client::Http1(_) => post(self.signal, body),
            };
            let Ok(answer) = connection.try_send(request).await else { return };
            match taken(&answer) {
                Some(true) => self.ledger.acknowledged(&ids),
                Some(false) => {
                    self.ledger.refused(ids.len());
                    tokio::time::sleep(PAUSE).await;
                }
                // The process died before it had said all.
                None => return,
            }
        }
    }
}

fn post(signal: Signal, body: Bytes) -> Request<Full<Bytes>> {
    Request::post(signal.http_path()).header("content-type", "application/x-protobuf").body(Full::new(body)).unwrap()
}

/// Whether the request was taken or is to be sent again; `None` for half an answer.
fn taken(answer: &Answer) -> Option<bool> {
    match (answer.status.as_u16(), answer.header("grpc-status")) {
        (200, "0") => Some(true),
        (200, "14") | (503 | 429, "") => Some(false),
        (200, "") if answer.header("content-type") == "application/grpc" => None,
        (200, "") => Some(true),
        _ => panic!("no answer to a good request: {answer:?}"),
    }
}
