//! The whole sidecar under load: gRPC in, the full default pipeline, gRPC out to a sink that
//! discards; once with the queue in memory and once with the queue on disk, in turn, so that the two
//! can be compared whatever else the machine does. `cargo bench --bench load` prints the figures of
//! `docs/performance.md`; `cargo bench --bench load -- --smoke` only shows that it runs, and
//! `cargo bench --bench load -- --beside BINARY` compares this build with another one, such as the one
//! before a change, both with the queue in memory.
//!
//! The generator and the sink are this process; processor time and memory are read from the
//! sidecar's own `/proc` entries, so what they cost does not count. The queue's folder is a temporary
//! one: `TMPDIR` says on which disk.

#[path = "../support/mix.rs"]
mod mix;
mod sidecar;
mod wire;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
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
#[derive(Debug, Clone, Copy)]
enum Queue {
    Memory,
    /// In a folder; an acknowledgement waits for `fdatasync`.
    File,
}

/// A column of the table.
struct Case {
    name: &'static str,
    binary: PathBuf,
    queue: Queue,
}

impl Case {
    fn new(name: &'static str, binary: impl Into<PathBuf>, queue: Queue) -> Case {
        Case { name, binary: binary.into(), queue }
    }

    /// What is compared, the one that the other is measured by first.
    fn both() -> Result<[Case; 2], Failure> {
        let this = env!("CARGO_BIN_EXE_dragoman");
        let mut arguments = std::env::args().skip_while(|argument| argument != "--beside").skip(1);
        let another = arguments.next();
        Ok(match another {
            Some(another) if Path::new(&another).is_file() => {
                [Case::new("another", another, Queue::Memory), Case::new("this", this, Queue::Memory)]
            }
            Some(another) => return Err(format!("--beside {another}: there is no such file; expected a binary").into()),
            None => [Case::new("memory", this, Queue::Memory), Case::new("file", this, Queue::File)],
        })
    }
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
const FIGURES: [(&str, &str, usize); 12] = [
    ("start to ready", "ms", 1),
    ("resident, idle", "MiB", 1),
    ("500-span exports: throughput", "spans/s", 0),
    ("500-span exports: processor", "CPU-s per million spans", 2),
    ("500-span exports: … in the kernel", "CPU-s per million spans", 2),
    ("50-span exports: throughput", "spans/s", 0),
    ("50-span exports: processor", "CPU-s per million spans", 2),
    ("50-span exports: … in the kernel", "CPU-s per million spans", 2),
    ("resident, highest", "MiB", 1),
    ("10,000 spans/s: acknowledged, p50", "ms", 2),
    ("10,000 spans/s: acknowledged, p99", "ms", 2),
    ("10,000 spans/s: processor", "% of a core", 1),
];

type Measured = [f64; FIGURES.len()];

fn main() -> Result<(), Failure> {
    let size = if std::env::args().any(|argument| argument == "--smoke") { &SMOKE } else { &FULL };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let cases = Case::both()?;
    let mut figures = [Vec::new(), Vec::new()];
    for _ in 0..size.rounds {
        for (case, figures) in cases.iter().zip(&mut figures) {
            figures.push(runtime.block_on(measure(case, size))?);
        }
    }
    let [first, second] = cases.map(|case| case.name);
    println!("{:36}{first:>12}{second:>12}  {second}/{first}", "");
    for (index, (name, unit, decimals)) in FIGURES.iter().enumerate() {
        let [one, other] = figures.each_ref().map(|figures| median(figures, index));
        println!("{name:36}{one:>12.decimals$}{other:>12.decimals$}  {:<11.2}  {unit}", other / one);
    }
    Ok(())
}

fn median(rounds: &[Measured], index: usize) -> f64 {
    let mut figures: Vec<f64> = rounds.iter().map(|round| round[index]).collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// One process, from its start to its end.
async fn measure(case: &Case, size: &Size) -> Result<Measured, Failure> {
    let sunk = Arc::new(AtomicU64::new(0));
    let sink = sink(Arc::clone(&sunk)).await?;
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("load.yaml");
    let ports: [SocketAddr; 4] = free_ports()?;
    let [grpc, health, ..] = ports;
    std::fs::write(&config, configuration(sink, ports, case.queue, folder.path()))?;

    let began = Instant::now();
    let mut sidecar = Sidecar::start(&case.binary, &config)?;
    while std::net::TcpStream::connect(health).is_err() {
        // Somebody else may have taken one of the ports meanwhile.
        sidecar.expect_alive()?;
        std::thread::sleep(Duration::from_micros(200));
    }
    let ready = began.elapsed().as_secs_f64() * 1e3;
    tokio::time::sleep(size.idle).await;
    let idle = sidecar.resident("VmRSS:")? / 1024.0;

    let [of_500, of_50] = size.exports;
    let [fast_500, cpu_500, kernel_500] = throughput(&sidecar, grpc, 500, of_500).await?;
    let [fast_50, cpu_50, kernel_50] = throughput(&sidecar, grpc, 50, of_50).await?;
    let highest = sidecar.resident("VmHWM:")? / 1024.0;
    let [p50, p99, busy] = latency(&sidecar, grpc, size.steady).await?;
    let sent = of_500 + of_50 + u64::from(size.steady);
    let arrived = sunk.load(Ordering::Relaxed);
    println!("{}: {arrived} of {sent} exports were at the sink when the last one was acknowledged", case.name);
    Ok([ready, idle, fast_500, cpu_500, kernel_500, fast_50, cpu_50, kernel_50, highest, p50, p99, busy])
}

/// As fast as it goes: spans a second, CPU-seconds per million spans, and how many of those in the kernel.
async fn throughput(sidecar: &Sidecar, to: SocketAddr, spans: u64, requests: u64) -> Result<[f64; 3], Failure> {
    // Ids differ between requests, so that the ledger and the memories work as they would. Made
    // before the clock starts, and before there is a connection that could wait for it.
    let bodies: Vec<Vec<Bytes>> = (0..CONNECTIONS)
        .map(|client| {
            (0..32).map(|index| framed(&mix::request(spans, (client * 32 + index) * spans, mix::sort))).collect()
        })
        .collect();
    let before = sidecar.cpu()?;
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
    let (seconds, after) = (began.elapsed().as_secs_f64(), sidecar.cpu()?);
    let (user, kernel) = (after.user - before.user, after.kernel - before.kernel);
    let total = (requests * spans) as f64;
    Ok([total / seconds, (user + kernel) / total * 1e6, kernel / total * 1e6])
}

/// An open loop: one export of 50 spans every 5 ms. How long its acknowledgement takes, p50 and p99 in
/// milliseconds, and how busy the process is, in percent of a core.
async fn latency(sidecar: &Sidecar, to: SocketAddr, exports: u32) -> Result<[f64; 3], Failure> {
    let bodies: Vec<Bytes> = (0..64).map(|index| framed(&mix::request(50, index * 50, mix::sort))).collect();
    let mut connection = connect(to).await?;
    let before = sidecar.cpu()?.sum();
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
    Ok([at(0.5), at(0.99), (sidecar.cpu()?.sum() - before) / seconds * 100.0])
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
