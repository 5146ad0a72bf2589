//! A receiver on free ports with a consumer that records, and clients that can send anything.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use dragoman::bounded::budget::Claim;
use dragoman::bounded::buffer::Buffer;
use dragoman::net::Drained;
use dragoman::otlp::Signal;
use dragoman::otlp::answer::{Reason, Refusal};
use dragoman::pipeline::{Boxed, Consumer, Refused};
use dragoman::receiver::settings::{Connection, Grpc, Http, Settings};
use dragoman::receiver::{Intake, Observer, Receiver, Transport};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) use crate::client::{Answer, Client, http2_sender, sample, status};

/// How the consumer behaves.
#[derive(Debug, Clone)]
pub(crate) enum Mode {
    /// Takes what prost decodes.
    Take,
    /// Refuses every request.
    Refuse(Refusal),
    /// Refuses before a body is read.
    RefuseEarly(Refusal),
    /// Panics.
    Panic,
    /// Waits for a permit of the recorder's gate, then takes.
    Wait,
}

/// An entry of the books: signal, transport, reason if refused, items.
pub(crate) type Entry = (Option<Signal>, Transport, Option<Reason>, usize);

#[derive(Debug)]
pub(crate) struct Recorder {
    pub(crate) mode: Mutex<Mode>,
    pub(crate) gate: Semaphore,
    /// A permit for every request that reached the gate.
    pub(crate) arrived: Semaphore,
    pub(crate) taken: Mutex<Vec<(Signal, Bytes)>>,
    pub(crate) books: Mutex<Vec<Entry>>,
}

impl Recorder {
    pub(crate) fn set(&self, mode: Mode) {
        *self.mode.lock().unwrap() = mode;
    }

    pub(crate) fn taken(&self) -> Vec<(Signal, Bytes)> {
        std::mem::take(&mut self.taken.lock().unwrap())
    }

    pub(crate) fn books(&self) -> Vec<Entry> {
        std::mem::take(&mut self.books.lock().unwrap())
    }

    /// Takes a request as prost does.
    fn take(&self, signal: Signal, body: Bytes) -> Result<usize, Refused> {
        let decoded = match signal {
            Signal::Traces => ExportTraceServiceRequest::decode(body.as_ref()).map(drop),
            Signal::Metrics => ExportMetricsServiceRequest::decode(body.as_ref()).map(drop),
            Signal::Logs => ExportLogsServiceRequest::decode(body.as_ref()).map(drop),
        };
        decoded.map_err(|error| Refusal::new(Reason::Malformed, error.to_string()))?;
        let items = dragoman::otlp::check::count(signal, &body);
        self.taken.lock().unwrap().push((signal, body));
        Ok(items)
    }
}

impl Consumer for Recorder {
    fn admit(&self, _: Signal, _: usize) -> Result<Claim, Refusal> {
        match &*self.mode.lock().unwrap() {
            Mode::RefuseEarly(refusal) => Err(refusal.clone()),
            _ => Ok(Claim::default()),
        }
    }

    fn consume(&self, signal: Signal, body: Bytes) -> Boxed<'_, Result<usize, Refused>> {
        let mode = self.mode.lock().unwrap().clone();
        Box::pin(async move {
            match mode {
                Mode::Take | Mode::RefuseEarly(_) => self.take(signal, body),
                Mode::Refuse(refusal) => Err(Refused { refusal, items: dragoman::otlp::check::count(signal, &body) }),
                Mode::Panic => panic!("a consumer with a defect"),
                Mode::Wait => {
                    self.arrived.add_permits(1);
                    self.gate.acquire().await.unwrap().forget();
                    self.take(signal, body)
                }
            }
        })
    }
}

impl Observer for Recorder {
    fn accepted(&self, signal: Signal, transport: Transport, items: usize) {
        self.books.lock().unwrap().push((Some(signal), transport, None, items));
    }

    fn refused(&self, signal: Option<Signal>, transport: Transport, reason: Reason, items: usize) {
        self.books.lock().unwrap().push((signal, transport, Some(reason), items));
    }
}

/// Stands in for the JSON codec: any JSON object is the sample of its signal.
fn json(signal: Signal, text: &[u8], claim: Claim) -> Result<Buffer, Refusal> {
    match serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(text) {
        Ok(_) => Ok(Buffer::with_claim(sample(signal).into(), claim)),
        Err(error) => Err(Refusal::new(Reason::Malformed, error.to_string())),
    }
}

/// A running receiver.
pub(crate) struct Server {
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) task: JoinHandle<Drained>,
}

pub(crate) const LIMIT: usize = 1 << 20;

pub(crate) fn settings(connection: Connection) -> Settings {
    let endpoint = || "127.0.0.1:0".to_owned();
    Settings {
        grpc: Some(Grpc {
            endpoint: endpoint(),
            max_message_bytes: LIMIT,
            connection: connection.clone(),
            ..Grpc::default()
        }),
        http: Some(Http { endpoint: endpoint(), max_body_bytes: LIMIT, connection }),
    }
}

pub(crate) async fn start() -> Server {
    start_with(Connection::default(), Duration::from_secs(60)).await
}

pub(crate) async fn start_with(connection: Connection, drain: Duration) -> Server {
    let recorder = Arc::new(Recorder {
        mode: Mutex::new(Mode::Take),
        gate: Semaphore::new(0),
        arrived: Semaphore::new(0),
        taken: Mutex::default(),
        books: Mutex::default(),
    });
    let bound = Receiver::bind("otlp", &settings(connection)).await.unwrap();
    let (grpc, http) = (bound.grpc_addr().unwrap(), bound.http_addr().unwrap());
    let shutdown = CancellationToken::new();
    let intake = Intake { consumer: recorder.clone(), observer: recorder.clone(), json };
    let task = tokio::spawn(bound.serve(intake, shutdown.clone(), drain));
    Server { grpc, http, recorder, shutdown, task }
}

/// A body in every encoding that is taken: its `Content-Encoding`, and the bytes.
pub(crate) fn encodings(body: &[u8]) -> Vec<(&'static str, Bytes)> {
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    let level = flate2::Compression::fast();
    let mut gzip = GzEncoder::new(Vec::new(), level);
    let mut zlib = ZlibEncoder::new(Vec::new(), level);
    let mut raw = DeflateEncoder::new(Vec::new(), level);
    gzip.write_all(body).unwrap();
    zlib.write_all(body).unwrap();
    raw.write_all(body).unwrap();
    vec![
        ("", Bytes::copy_from_slice(body)),
        ("gzip", gzip.finish().unwrap().into()),
        ("deflate", zlib.finish().unwrap().into()),
        ("deflate", raw.finish().unwrap().into()),
        ("zstd", zstd::stream::encode_all(body, 1).unwrap().into()),
    ]
}

/// 200 MiB of zeros as gzip: a hundred members of 2 MiB.
pub(crate) fn bomb() -> Bytes {
    let (_, member) = encodings(&vec![0; 2 << 20]).swap_remove(1);
    member.repeat(100).into()
}
