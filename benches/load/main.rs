//! The whole sidecar under load: gRPC in, the full default pipeline, gRPC out to a sink that
//! discards; once with the queue in memory and once with the queue on disk, in turn, so that the two
//! can be compared whatever else the machine does. `cargo bench --bench load` prints the figures of
//! `docs/performance.md`; `cargo bench --bench load -- --smoke` only shows that it runs.
//!
//! The generator and the sink are this process; processor time and memory are read from the
//! sidecar's own `/proc` entries, so what they cost does not count. The queue's folder is a temporary
//! one: `TMPDIR` says on which disk.

#[path = "../support/mix.rs"]
mod mix;
mod sidecar;
mod wire;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;

use sidecar::Sidecar;
use wire::{connect, export, framed, sink};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Clients with one export in flight each, as SDKs do it.
const CONNECTIONS: u64 = 4;

/// Where batches wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Queue {
    Memory,
    /// In a folder; an acknowledgement waits for `fdatasync`.
    File,
}

/// How much is sent.
struct Size {
    /// Rounds of both queues; the figures are the medians.
    rounds: usize,
    /// Exports of 500 spans, and of 50.
    exports: [u64; 2],
    /// Exports of 50 spans at a steady rate.
    steady: u32,
    idle: Duration,
}

const FULL: Size = Size { rounds: 3, exports: [8_000, 40_000], steady: 3_000, idle: Duration::from_secs(2) };
const SMOKE: Size = Size { rounds: 1, exports: [80, 400], steady: 100, idle: Duration::from_millis(100) };

/// What is measured: name, unit, decimals.
const FIGURES: [(&str, &str, usize); 10] = [
    ("start to ready", "ms", 1),
    ("resident, idle", "MiB", 1),
    ("500-span exports: throughput", "spans/s", 0),
    ("500-span exports: processor", "CPU-s per million spans", 2),
    ("50-span exports: throughput", "spans/s", 0),
    ("50-span exports: processor", "CPU-s per million spans", 2),
    ("resident, highest", "MiB", 1),
    ("10,000 spans/s: acknowledged, p50", "ms", 2),
    ("10,000 spans/s: acknowledged, p99", "ms", 2),
    ("10,000 spans/s: processor", "% of a core", 1),
];

type Measured = [f64; FIGURES.len()];

fn main() -> Result<(), Failure> {
    let size = if std::env::args().any(|argument| argument == "--smoke") { &SMOKE } else { &FULL };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (mut memory, mut file) = (Vec::new(), Vec::new());
    for _ in 0..size.rounds {
        memory.push(runtime.block_on(measure(Queue::Memory, size))?);
        file.push(runtime.block_on(measure(Queue::File, size))?);
    }
    println!("{:36}{:>12}{:>12}  file/memory", "", "memory", "file");
    for (index, (name, unit, decimals)) in FIGURES.iter().enumerate() {
        let (memory, file) = (median(&memory, index), median(&file, index));
        println!("{name:36}{memory:>12.decimals$}{file:>12.decimals$}  {:<11.2}  {unit}", file / memory);
    }
    Ok(())
}

fn median(rounds: &[Measured], index: usize) -> f64 {
    let mut figures: Vec<f64> = rounds.iter().map(|round| round[index]).collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// One process, from its start to its end.
async fn measure(queue: Queue, size: &Size) -> Result<Measured, Failure> {
    let sunk = Arc::new(AtomicU64::new(0));
    let sink = sink(Arc::clone(&sunk)).await?;
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("load.yaml");
    let ports: [SocketAddr; 4] = free_ports()?;
    let [grpc, health, ..] = ports;
    std::fs::write(&config, configuration(sink, ports, queue, folder.path()))?;

    let began = Instant::now();
    let mut sidecar = Sidecar::start(&config)?;
    while std::net::TcpStream::connect(health).is_err() {
        // Somebody else may have taken one of the ports meanwhile.
        sidecar.expect_alive()?;
        std::thread::sleep(Duration::from_micros(200));
    }
    let ready = began.elapsed().as_secs_f64() * 1e3;
    tokio::time::sleep(size.idle).await;
    let idle = sidecar.resident("VmRSS:")? / 1024.0;

    let [of_500, of_50] = size.exports;
    let [fast_500, cpu_500] = throughput(&sidecar, grpc, 500, of_500).await?;
    let [fast_50, cpu_50] = throughput(&sidecar, grpc, 50, of_50).await?;
    let highest = sidecar.resident("VmHWM:")? / 1024.0;
    let [p50, p99, busy] = latency(&sidecar, grpc, size.steady).await?;
    let sent = of_500 + of_50 + u64::from(size.steady);
    let arrived = sunk.load(Ordering::Relaxed);
    println!("{queue:?}: {arrived} of {sent} exports were at the sink when the last one was acknowledged");
    Ok([ready, idle, fast_500, cpu_500, fast_50, cpu_50, highest, p50, p99, busy])
}

/// As fast as it goes: spans a second, and CPU-seconds per million spans.
async fn throughput(sidecar: &Sidecar, to: SocketAddr, spans: u64, requests: u64) -> Result<[f64; 2], Failure> {
    // Ids differ between requests, so that the ledger and the memories work as they would. Made
    // before the clock starts, and before there is a connection that could wait for it.
    let bodies: Vec<Vec<Bytes>> = (0..CONNECTIONS)
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
            for index in 0..requests / CONNECTIONS {
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
    Ok([total / seconds, cpu / total * 1e6])
}

/// An open loop: one export of 50 spans every 5 ms. How long its acknowledgement takes, p50 and p99 in
/// milliseconds, and how busy the process is, in percent of a core.
async fn latency(sidecar: &Sidecar, to: SocketAddr, exports: u32) -> Result<[f64; 3], Failure> {
    let bodies: Vec<Bytes> = (0..64).map(|index| framed(&mix::request(50, index * 50, mix::sort))).collect();
    let mut connection = connect(to).await?;
    let cpu = sidecar.cpu_seconds()?;
    let began = Instant::now();
    let mut times = Vec::new();
    for index in 0..exports {
        let due = began + Duration::from_millis(5) * index;
        tokio::time::sleep_until(due.into()).await;
        let sent = Instant::now();
        export(&mut connection, bodies[index as usize % bodies.len()].clone()).await?;
        times.push(sent.elapsed());
    }
    let seconds = began.elapsed().as_secs_f64();
    times.sort();
    let at = |share: f64| times[(times.len() as f64 * share) as usize].as_secs_f64() * 1e3;
    Ok([at(0.5), at(0.99), (sidecar.cpu_seconds()? - cpu) / seconds * 100.0])
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
    [grpc, health, prometheus, own]: [SocketAddr; 4],
    queue: Queue,
    folder: &Path,
) -> String {
    let (storage, extension, named) = match queue {
        Queue::Memory => ("", String::new(), ""),
        Queue::File => (
            ", sending_queue: { storage: file_storage/queue }",
            format!(
                "  file_storage/queue: {{ directory: \"{}\", create_directory: true }}\n",
                folder.join("queue").display()
            ),
            ", file_storage/queue",
        ),
    };
    format!(
        "receivers:\n  otlp: {{ protocols: {{ grpc: {{ endpoint: \"{grpc}\" }} }} }}\n\
         processors:\n  memory_limiter: {{ check_interval: 1s, limit_mib: 256 }}\n  \
         genai: {{ target: \"1.41\", originals: replace }}\n  drop/sqlite: {{ preset: sqlite }}\n  fold_chunks: {{}}\n\
         connectors:\n  genai_metrics: {{}}\n\
         exporters:\n  prometheus: {{ endpoint: \"{prometheus}\" }}\n  \
         otlp_grpc: {{ endpoint: \"{sink}\", tls: {{ insecure: true }}{storage} }}\n\
         extensions:\n  health_check: {{ endpoint: \"{health}\" }}\n{extension}\
         service:\n  extensions: [health_check{named}]\n  telemetry: {{ logs: {{ level: warn }}, metrics: {{ address: \"{own}\" }} }}\n  pipelines:\n    \
         traces: {{ receivers: [otlp], processors: [memory_limiter, genai, fold_chunks, drop/sqlite], exporters: [otlp_grpc, genai_metrics] }}\n    \
         metrics: {{ receivers: [genai_metrics], exporters: [prometheus] }}\n"
    )
}
