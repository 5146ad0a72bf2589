//! The load: clients that send as SDKs do, lose their connection when the process dies, and come
//! back when it does.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use dragoman::otlp::Signal;
use fastrand::Rng;
use http::Request;
use http_body_util::Full;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::client::{Answer, Client as Connection};
use crate::items::{Id, request};
use crate::ledger::Ledger;

/// After a refusal, or when nobody listens.
const PAUSE: Duration = Duration::from_millis(2);

/// So long after its process died, a request is given up: it is not acknowledged.
const AFTER_DEATH: Duration = Duration::from_secs(10);

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
    under_way: Arc<AtomicUsize>,
    tasks: Vec<JoinHandle<()>>,
}

#[derive(Clone)]
struct Client {
    number: usize,
    signal: Signal,
    ledger: Arc<Ledger>,
    ids: Arc<AtomicU64>,
    under_way: Arc<AtomicUsize>,
    target: watch::Receiver<Target>,
}

impl Clients {
    /// Starts `count` clients: every other over gRPC, two of three with spans.
    pub(crate) fn start(runtime: &Handle, count: usize, rng: &mut Rng, ledger: &Arc<Ledger>) -> Clients {
        let (target, receiver) = watch::channel(Target::Nowhere);
        // Ids of another run's items would be told from this one's.
        let ids = Arc::new(AtomicU64::new(rng.u64(1..1 << 31) << 32));
        let under_way = Arc::<AtomicUsize>::default();
        let mut tasks = Vec::new();
        for number in 0..count {
            let signal = match number % 6 {
                4 => Signal::Metrics,
                5 => Signal::Logs,
                _ => Signal::Traces,
            };
            let client = Client {
                number,
                signal,
                ledger: ledger.clone(),
                ids: ids.clone(),
                under_way: under_way.clone(),
                target: receiver.clone(),
            };
            let seed = rng.u64(..);
            tasks.push(match number % 2 {
                0 => runtime.spawn(client.over_grpc(seed)),
                _ => runtime.spawn(client.over_http(seed)),
            });
        }
        Clients { target, under_way, tasks }
    }

    /// Tells where the process is.
    pub(crate) fn point_at(&self, target: Target) {
        self.target.send_replace(target);
    }

    /// Whether no client waits for an answer, nor has one that it has not read yet.
    pub(crate) fn are_idle(&self) -> bool {
        self.under_way.load(Ordering::SeqCst) == 0
    }

    /// Lets all clients read the answers that are under way, and ends.
    pub(crate) async fn finish(self) {
        self.target.send_replace(Target::Over);
        for task in self.tasks {
            task.await.unwrap();
        }
    }
}

impl Client {
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
            match Connection::try_http1(http).await {
                Ok(connection) => self.send_all(connection, life, &mut rng).await,
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    async fn over_grpc(mut self, seed: u64) {
        let mut rng = Rng::with_seed(seed);
        while let Some((life, grpc, _)) = self.process().await {
            let Ok(Connection::Http2(sender)) = Connection::try_http2(grpc).await else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            let streams = (0..STREAMS).map(|_| {
                let (client, sender, mut rng) = (self.clone(), Connection::Http2(sender.clone()), rng.fork());
                tokio::spawn(async move { client.send_all(sender, life, &mut rng).await })
            });
            for stream in streams.collect::<Vec<_>>() {
                stream.await.unwrap();
            }
        }
    }

    /// Sends one request after the other until the connection breaks or the process is another.
    async fn send_all(&self, mut connection: Connection, life: usize, rng: &mut Rng) {
        loop {
            // First, so that who sees no request under way sees none come.
            let _under_way = UnderWay::new(&self.under_way);
            if !matches!(*self.target.borrow(), Target::At { life: now, .. } if now == life) {
                return;
            }
            match self.send_one(&mut connection, life, rng).await {
                Some(true) => {}
                Some(false) => tokio::time::sleep(PAUSE).await,
                None => return,
            }
        }
    }

    /// The process of this life has been dead for so long that no answer of it is on its way any more.
    async fn is_dead(&self, life: usize) {
        let mut target = self.target.clone();
        let is_dead = |target: &Target| match target {
            Target::Nowhere => true,
            Target::At { life: now, .. } => *now != life,
            Target::Over => false,
        };
        drop(target.wait_for(is_dead).await.map(|_| ()));
        tokio::time::sleep(AFTER_DEATH).await;
    }

    /// Whether a request was taken or refused; `None` if there was no answer, or half of one.
    async fn send_one(&self, connection: &mut Connection, life: usize, rng: &mut Rng) -> Option<bool> {
        // Most are small; a few are as large as prompts are.
        let items = rng.u64(1..12);
        let padding = if rng.u8(..8) == 0 { rng.usize(..4000) } else { rng.usize(..200) };
        let first = self.ids.fetch_add(items, Ordering::Relaxed);
        let ids: Vec<Id> = (first..first + items).collect();
        let body = request(self.signal, &ids, padding);
        self.ledger.sent(self.signal, self.number, life, &ids);
        let request = match connection {
            Connection::Http2(_) => Connection::call_of(self.signal, &body),
            Connection::Http1(_) => post(self.signal, body),
        };
        let answer = tokio::select! {
            answer = connection.try_send(request) => answer.ok()?,
            () = self.is_dead(life) => {
                self.ledger.given_up();
                return None;
            }
        };
        let taken = taken(&answer)?;
        match taken {
            true => self.ledger.acknowledged(&ids),
            false => self.ledger.refused(ids.len()),
        }
        Some(taken)
    }
}

/// A request is under way as long as this is.
struct UnderWay(Arc<AtomicUsize>);

impl UnderWay {
    fn new(count: &Arc<AtomicUsize>) -> UnderWay {
        count.fetch_add(1, Ordering::SeqCst);
        UnderWay(Arc::clone(count))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
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
