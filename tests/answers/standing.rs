//! In which state a program is when a row is sent to it, and how it is brought there.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use dragoman::bounded::budget::Claim;
use dragoman::bounded::buffer::Buffer;
use dragoman::config::Source;
use dragoman::otlp::Signal;
use dragoman::otlp::answer::{Reason, Refusal};
use dragoman::pipeline::{Boxed, Consumer, Refused};
use dragoman::receiver::settings::{Grpc, Http, Settings};
use dragoman::receiver::{Intake, Observer, Receiver, Transport};
use dragoman::service::plan::Plan;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::backend::{Backend, Seen};
use crate::client::sample;
use crate::rig::{Page, Rig, Way, plan};

/// What a body may have, as sent and decompressed.
pub(crate) const LIMIT: usize = 1 << 20;

/// The states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Everything is taken.
    Ready,
    /// The signal that is sent has no pipeline.
    NoPipeline,
    /// The one exporter's queue has no room for another byte.
    QueueFull,
    /// The memory limiter is over its limit.
    MemoryFull,
    /// Starting or stopping.
    NotReady,
    /// The pipeline panics.
    Defect,
    /// Clients must say who they are.
    Locked,
}

impl Standing {
    pub(crate) const ALL: [Standing; 7] = [
        Standing::Ready,
        Standing::NoPipeline,
        Standing::QueueFull,
        Standing::MemoryFull,
        Standing::NotReady,
        Standing::Defect,
        Standing::Locked,
    ];

    /// Whether this version has the state: it may come without authentication.
    pub(crate) fn is_known(self) -> bool {
        const LOCKED: &str =
            "receivers: { otlp: { protocols: { grpc: { auth: { authenticator: bearertokenauth } } } } }";
        let load = Plan::load(&[Source::Yaml(LOCKED.to_owned())], &|_| None);
        let unknown = |error: &dyn std::fmt::Display| error.to_string().contains("this version has no authentication");
        self != Standing::Locked || !load.is_err_and(|error| unknown(&error))
    }
}

/// A running program in a state.
pub(crate) struct Target {
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
    /// What the program sends on.
    backend: Option<Backend>,
    books: Books,
    /// Held for as long as the program runs.
    _socket: Option<TcpSocket>,
    _announced: Option<TcpStream>,
}

enum Books {
    Program(Box<Rig>),
    /// Refused requests by reason.
    Alone(Arc<Scripted>),
}

impl Target {
    /// A program in the state, for requests of `signal`.
    pub(crate) async fn start(standing: Standing, signal: Signal) -> Target {
        match standing {
            Standing::Ready => Target::program("", &Signal::ALL, None).await,
            Standing::Locked => Target::locked(signal).await,
            Standing::NoPipeline => {
                let others: Vec<Signal> = Signal::ALL.into_iter().filter(|other| *other != signal).collect();
                Target::program("", &others, None).await
            }
            Standing::QueueFull => {
                // An address that refuses connections, and that nobody else can take.
                let socket = TcpSocket::new_v4().unwrap();
                socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
                let target = Target::program("", &[signal], Some(socket)).await;
                fill(&target, signal).await;
                target
            }
            // Any process is larger, so that requests may hold 400 KiB, and one holds more.
            Standing::MemoryFull => {
                let limiter = "memory_limiter: { check_interval: 1h, limit_mib: 2 }";
                let mut target = Target::program(limiter, &[signal], None).await;
                target._announced = Some(announce(&target, signal, 1_000_000).await);
                target
            }
            Standing::NotReady => {
                Target::alone(Script::Refuse(Refusal::new(Reason::Unavailable, "the program is starting"))).await
            }
            Standing::Defect => Target::alone(Script::Panic).await,
        }
    }

    async fn program(processor: &str, signals: &[Signal], dead: Option<TcpSocket>) -> Target {
        Target::with(processor, signals, dead, ["", ""]).await
    }

    async fn locked(signal: Signal) -> Target {
        let auth = ", auth: { authenticator: bearertokenauth }";
        let extension = "extensions: { bearertokenauth: { token: secret } }";
        Target::with("", &[signal], None, [auth, extension]).await
    }

    /// A program with something more in each protocol, and something more beside them.
    async fn with(
        processor: &str,
        signals: &[Signal],
        dead: Option<TcpSocket>,
        [protocol, section]: [&str; 2],
    ) -> Target {
        let backend = match dead {
            Some(_) => None,
            None => Some(Backend::start([]).await),
        };
        let address = match (&dead, &backend) {
            (Some(socket), _) => socket.local_addr().unwrap(),
            (None, backend) => backend.as_ref().unwrap().address,
        };
        let names = if processor.is_empty() { "" } else { "memory_limiter" };
        let pipelines: Vec<String> = signals
            .iter()
            .map(|signal| format!("{signal}: {{ receivers: [otlp], processors: [{names}], exporters: [otlp_grpc] }}"))
            .collect();
        let yaml = format!(
            "receivers:
  otlp:
    protocols:
      grpc: {{ endpoint: 127.0.0.1:0, max_recv_msg_size_mib: 1{protocol} }}
      http: {{ endpoint: 127.0.0.1:0, max_request_body_size: {LIMIT}, read_timeout: 1h{protocol} }}
processors: {{ {processor} }}
{section}
exporters:
  otlp_grpc:
    endpoint: http://{address}
    tls: {{ insecure: true }}
    sending_queue: {{ sizer: bytes, queue_size: {} }}
    retry_on_failure: {{ max_elapsed_time: 0s }}
service:
  extensions: [{}]
  telemetry: {{ metrics: {{ address: 127.0.0.1:0 }} }}
  pipelines: {{ {} }}
",
            if backend.is_some() { 64 << 20 } else { 64 << 10 },
            if section.is_empty() { "" } else { "bearertokenauth" },
            pipelines.join(", ")
        );
        let rig = Rig::start(plan(&yaml)).await;
        let (grpc, http) = (rig.address("OTLP gRPC"), rig.address("OTLP HTTP"));
        Target { grpc, http, backend, books: Books::Program(Box::new(rig)), _socket: dead, _announced: None }
    }

    /// The receiver alone, in front of a pipeline that does as it is told.
    async fn alone(script: Script) -> Target {
        let endpoint = || "127.0.0.1:0".to_owned();
        let settings = Settings {
            grpc: Some(Grpc { endpoint: endpoint(), max_message_bytes: LIMIT, ..Grpc::default() }),
            http: Some(Http { endpoint: endpoint(), max_body_bytes: LIMIT, ..Http::default() }),
        };
        let bound = Receiver::bind("otlp", &settings).await.unwrap();
        let (grpc, http) = (bound.grpc_addr().unwrap(), bound.http_addr().unwrap());
        let scripted = Arc::new(Scripted { script, refused: Mutex::default() });
        let json = |_, _: &[u8], _| Ok(Buffer::default());
        let intake = Intake { consumer: scripted.clone(), observer: scripted.clone(), json };
        drop(tokio::spawn(bound.serve(intake, CancellationToken::new(), Duration::from_secs(5))));
        Target { grpc, http, backend: None, books: Books::Alone(scripted), _socket: None, _announced: None }
    }

    /// What the backend got next.
    pub(crate) async fn delivered(&mut self) -> Seen {
        self.backend.as_mut().expect("a row that succeeds has a backend").next().await
    }

    /// Whether the backend got nothing more.
    pub(crate) fn delivered_nothing(&mut self) -> bool {
        self.backend.as_mut().is_none_or(|backend| backend.seen.try_recv().is_err())
    }

    /// How many requests were refused for `reason` so far.
    pub(crate) async fn refused(&self, reason: &str) -> u64 {
        match &self.books {
            Books::Program(rig) => {
                let page: Page = rig.books().await;
                page.sum("dragoman_receiver_refused_requests_total", &[&format!("reason=\"{reason}\"")])
            }
            Books::Alone(scripted) => {
                let refused = scripted.refused.lock().unwrap();
                refused.iter().filter(|known| known.answer().label == reason).count() as u64
            }
        }
    }
}

/// A request that announces a body and sends nothing of it, as long as its connection is open.
async fn announce(target: &Target, signal: Signal, bytes: usize) -> TcpStream {
    let Books::Program(rig) = &target.books else { unreachable!() };
    let mut stream = TcpStream::connect(target.http).await.unwrap();
    let path = signal.http_path();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-protobuf\r\ncontent-length: {bytes}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    rig.books_when(|books| books.sum("dragoman_memory_claimed_bytes", &[]) >= bytes as u64).await;
    stream
}

/// Fills the exporter's queue to the last bytes.
async fn fill(target: &Target, signal: Signal) {
    let Books::Program(rig) = &target.books else { unreachable!() };
    // A field that no version knows: it is passed on, and takes room.
    for padding in [20_000, 4000, 800, 100, 0] {
        let mut body = sample(signal).to_vec();
        if padding > 0 {
            body.extend([
                0xfa,
                0x3e,
                (padding & 0x7f | 0x80) as u8,
                (padding >> 7 & 0x7f | 0x80) as u8,
                (padding >> 14) as u8,
            ]);
            body.resize(body.len() + padding, 0);
        }
        let body = Bytes::from(body);
        while rig.send(Way::Protobuf, signal, body.clone()).await.status == 200 {}
    }
}

/// What the pipeline of a receiver alone does.
enum Script {
    Refuse(Refusal),
    Panic,
}

struct Scripted {
    script: Script,
    refused: Mutex<Vec<Reason>>,
}

impl Consumer for Scripted {
    fn admit(&self, _: Signal, _: usize) -> Result<Claim, Refusal> {
        match &self.script {
            Script::Refuse(refusal) => Err(refusal.clone()),
            Script::Panic => Ok(Claim::default()),
        }
    }

    fn consume(&self, _: Signal, _: Bytes) -> Boxed<'_, Result<usize, Refused>> {
        Box::pin(async { panic!("a pipeline with a defect") })
    }
}

impl Observer for Scripted {
    fn accepted(&self, _: Signal, _: Transport, _: usize) {}

    fn refused(&self, _: Option<Signal>, _: Transport, reason: Reason, _: usize) {
        self.refused.lock().unwrap().push(reason);
    }
}
