//! The whole sidecar under load: gRPC in, the full default pipeline, gRPC out to a sink that
//! discards. `cargo bench --bench load` prints the figures of `docs/performance.md`.
//!
//! The generator and the sink are this process; processor time and memory are read from the
//! sidecar's own `/proc` entries, so what they cost does not count.

#[path = "../support/mix.rs"]
mod mix;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};

const PATH: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(measure())
}

async fn measure() -> Result<(), Failure> {
    let sunk = Arc::new(AtomicU64::new(0));
    let sink = sink(Arc::clone(&sunk)).await?;
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("load.yaml");
    let [grpc, health, prometheus, own] = free_ports()?;
    std::fs::write(&config, configuration(sink, grpc, health, prometheus, own))?;

    let began = Instant::now();
    let mut sidecar = Sidecar::start(&config)?;
    while std::net::TcpStream::connect(health).is_err() {
        std::thread::sleep(Duration::from_micros(200));
    }
    println!("start to ready              {:>10.1} ms", began.elapsed().as_secs_f64() * 1e3);
    tokio::time::sleep(Duration::from_secs(2)).await;
    println!("resident, idle              {:>10.1} MiB", sidecar.resident("VmRSS:")? / 1024.0);

    throughput(&sidecar, grpc, 500, 4, 8_000).await?;
    throughput(&sidecar, grpc, 50, 4, 40_000).await?;
    println!("resident, highest           {:>10.1} MiB", sidecar.resident("VmHWM:")? / 1024.0);
    latency(&sidecar, grpc).await?;
    println!("spans at the sink           {:>10}  requests", sunk.load(Ordering::Relaxed));
    sidecar.child.kill()?;
    Ok(())
}

/// As fast as it goes: `connections` clients with one export in flight each, as SDKs do it.
async fn throughput(
    sidecar: &Sidecar,
    to: SocketAddr,
    spans: u64,
    connections: u64,
    requests: u64,
) -> Result<(), Failure> {
    // Ids differ between requests, so that the ledger and the memories work as they would. Made
    // before the clock starts, and before there is a connection that could wait for it.
    let bodies: Vec<Vec<Bytes>> = (0..connections)
        .map(|client| {
            (0..32).map(|index| framed(&mix::request(spans, (client * 32 + index) * spans, mix::sort))).collect()
        })
        .collect();
    let cpu = sidecar.cpu_seconds()?;
    let began = Instant::now();
    let mut clients = Vec::new();
    for bodies in bodies {
        clients.push(tokio::spawn(async move {
            let mut connection = connect(to).await?;
            for index in 0..requests / connections {
                export(&mut connection, bodies[index as usize % bodies.len()].clone()).await?;
            }
            Ok::<(), Failure>(())
        }));
    }
    for client in clients {
        client.await??;
    }
    let (seconds, cpu) = (began.elapsed().as_secs_f64(), sidecar.cpu_seconds()? - cpu);
    let total = (requests * spans) as f64;
    println!("{spans:>3}-span exports: throughput {:>9.0} spans/s", total / seconds);
    println!("{spans:>3}-span exports: processor  {:>9.2} CPU-s per million spans", cpu / total * 1e6);
    Ok(())
}

/// An open loop: one export of 50 spans every 5 ms, timed from when it was due.
async fn latency(sidecar: &Sidecar, to: SocketAddr) -> Result<(), Failure> {
    const EXPORTS: u32 = 3_000;
    let bodies: Vec<Bytes> = (0..64).map(|index| framed(&mix::request(50, index * 50, mix::sort))).collect();
    let mut connection = connect(to).await?;
    let cpu = sidecar.cpu_seconds()?;
    let began = Instant::now();
    let mut times = Vec::new();
    for index in 0..EXPORTS {
        let due = began + Duration::from_millis(5) * index;
        tokio::time::sleep_until(due.into()).await;
        let sent = Instant::now();
        export(&mut connection, bodies[index as usize % bodies.len()].clone()).await?;
        times.push(sent.elapsed());
    }
    let seconds = began.elapsed().as_secs_f64();
    times.sort();
    let at = |share: f64| times[(times.len() as f64 * share) as usize].as_secs_f64() * 1e3;
    println!("at {:>6.0} spans/s: p50        {:>8.2} ms", f64::from(EXPORTS) * 50.0 / seconds, at(0.5));
    println!("                  p99        {:>8.2} ms", at(0.99));
    println!("                  processor  {:>8.1} % of a core", (sidecar.cpu_seconds()? - cpu) / seconds * 100.0);
    Ok(())
}

struct Sidecar {
    child: Child,
}

impl Sidecar {
    fn start(config: &std::path::Path) -> Result<Sidecar, Failure> {
        let child = Command::new(env!("CARGO_BIN_EXE_dragoman"))
            .arg("--config")
            .arg(config)
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()?;
        Ok(Sidecar { child })
    }

    fn resident(&self, what: &str) -> Result<f64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(what)).ok_or("no such line")?;
        Ok(line.trim().trim_end_matches("kB").trim().parse()?)
    }

    /// User and system time. The kernel counts in hundredths of a second.
    fn cpu_seconds(&self) -> Result<f64, Failure> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
        Ok(ticks / 100.0)
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn free_ports<const N: usize>() -> std::io::Result<[SocketAddr; N]> {
    let listeners: Vec<_> = (0..N).map(|_| std::net::TcpListener::bind(("127.0.0.1", 0))).collect::<Result<_, _>>()?;
    let mut ports = [SocketAddr::from(([127, 0, 0, 1], 0)); N];
    for (port, listener) in ports.iter_mut().zip(&listeners) {
        *port = listener.local_addr()?;
    }
    Ok(ports)
}

/// The embedded default with OTLP out in the place of the debug exporter.
fn configuration(
    sink: SocketAddr,
    grpc: SocketAddr,
    health: SocketAddr,
    prometheus: SocketAddr,
    own: SocketAddr,
) -> String {
    format!(
        "receivers:\n  otlp: {{ protocols: {{ grpc: {{ endpoint: \"{grpc}\" }} }} }}\n\
         processors:\n  memory_limiter: {{ check_interval: 1s, limit_mib: 256 }}\n  \
         genai: {{ target: \"1.41\", originals: replace }}\n  drop/sqlite: {{ preset: sqlite }}\n\
         connectors:\n  genai_metrics: {{}}\n\
         exporters:\n  prometheus: {{ endpoint: \"{prometheus}\" }}\n  otlp_grpc: {{ endpoint: \"{sink}\", tls: {{ insecure: true }} }}\n\
         extensions:\n  health_check: {{ endpoint: \"{health}\" }}\n\
         service:\n  extensions: [health_check]\n  telemetry: {{ metrics: {{ address: \"{own}\" }} }}\n  pipelines:\n    \
         traces: {{ receivers: [otlp], processors: [memory_limiter, genai, drop/sqlite], exporters: [otlp_grpc, genai_metrics] }}\n    \
         metrics: {{ receivers: [genai_metrics], exporters: [prometheus] }}\n"
    )
}

// --- gRPC by hand, so that neither side costs more than it must --------------------------------

fn framed(message: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(message.len() + 5);
    frame.put_u8(0);
    frame.put_u32(message.len() as u32);
    frame.put_slice(message);
    frame.freeze()
}

async fn connect(to: SocketAddr) -> Result<SendRequest<Full<Bytes>>, Failure> {
    let stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) =
        hyper::client::conn::http2::Builder::new(TokioExecutor::new()).handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            eprintln!("a connection to the sidecar ended: {error:?}");
        }
    });
    Ok(sender)
}

async fn export(connection: &mut SendRequest<Full<Bytes>>, frame: Bytes) -> Result<(), Failure> {
    let request = Request::post(format!("http://load{PATH}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::new(frame))?;
    let response = connection.send_request(request).await?;
    let mut status = response.headers().get("grpc-status").cloned();
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        if let Some(trailers) = frame?.trailers_ref() {
            status = trailers.get("grpc-status").cloned();
        }
    }
    match status {
        Some(status) if status == "0" => Ok(()),
        other => Err(format!("export refused: {other:?}").into()),
    }
}

async fn sink(requests: Arc<AtomicU64>) -> Result<SocketAddr, Failure> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let requests = Arc::clone(&requests);
            drop(stream.set_nodelay(true));
            let service = hyper::service::service_fn(move |request| discard(request, Arc::clone(&requests)));
            tokio::spawn(
                hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), service),
            );
        }
    });
    Ok(address)
}

async fn discard(
    request: Request<Incoming>,
    requests: Arc<AtomicU64>,
) -> Result<Response<impl Body<Data = Bytes, Error = Infallible>>, hyper::Error> {
    let mut body = request.into_body();
    while let Some(frame) = body.frame().await {
        drop(frame?);
    }
    requests.fetch_add(1, Ordering::Relaxed);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
    let frames = [Ok(Frame::data(Bytes::from_static(&[0; 5]))), Ok(Frame::trailers(trailers))];
    let mut response = Response::new(StreamBody::new(Frames(frames.into_iter())));
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/grpc"));
    Ok(response)
}

struct Frames(std::array::IntoIter<Result<Frame<Bytes>, Infallible>, 2>);

impl futures_core::Stream for Frames {
    type Item = Result<Frame<Bytes>, Infallible>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.next())
    }
}
