//! One run: several lives of one process on one folder, each ended by SIGKILL, and a last one that
//! delivers what is left.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::clients::{Clients, Target};
use crate::items;
use crate::ledger::{Ledger, Totals};
use crate::process::{self, Dragoman};
use crate::sink::{Mood, Sink, Took};
use crate::torn;

/// Longer than any step takes on a busy machine; a run that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// The queue's folder.
const QUEUE: &str = "queue";

/// So long a process may take to end; a backend that is down costs no more of a run.
const SHUTDOWN: &str = "200ms";

/// In all of these a backend loses nothing that it said it had.
const MOODS: [Mood; 9] = [
    Mood::Well,
    Mood::Well,
    Mood::Slow,
    Mood::Overloaded,
    Mood::Moody,
    Mood::Cutting,
    Mood::Silent,
    Mood::Down,
    Mood::Down,
];

/// Requests go out together, and are cut.
const CUTTING: &str = ", batch: { flush_timeout: 5ms, min_size: 20, max_size: 25 }";

/// After what the signal strikes. Whichever bound is reached first; none has a part in the verdict.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// So long after the process was started, ready or not.
    Start(Duration),
    /// So long after it was ready.
    Ready(Duration),
    /// When so many more items were acknowledged.
    Acknowledgements(u64),
    /// When so many more items arrived.
    Arrivals(u64),
}

impl Moment {
    fn any(rng: &mut Rng) -> Moment {
        let micros = |rng: &mut Rng, most: u64| Duration::from_micros(rng.u64(..most));
        match rng.u8(..8) {
            // While it binds its ports, opens its folder, reads what is there.
            0 | 1 => Moment::Start(micros(rng, 15_000)),
            2 => Moment::Ready(micros(rng, 3_000)),
            3 | 4 => Moment::Ready(micros(rng, 150_000)),
            5 | 6 => Moment::Acknowledgements(rng.u64(1..300)),
            _ => Moment::Arrivals(rng.u64(1..300)),
        }
    }
}

/// A run under way.
pub(crate) struct Run {
    seed: u64,
    rng: Rng,
    runtime: Runtime,
    ledger: Arc<Ledger>,
    sinks: Vec<Sink>,
    folder: TempDir,
    in_memory: bool,
    /// Which exporter leads to which sink: its type, and how its endpoint begins. The queue's folder is
    /// under its name, so it stays the same.
    exporters: Vec<(&'static str, &'static str)>,
    config: PathBuf,
    kills: u64,
    while_starting: u64,
    while_ending: u64,
    ends: u64,
    reloads: u64,
    /// What was done to files between two lives.
    torn: Vec<String>,
}

impl Run {
    /// Draws a run from its seed.
    pub(crate) fn new(seed: u64, in_memory: bool) -> Run {
        let mut rng = Rng::with_seed(seed);
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let count = if rng.u8(..4) == 0 { 2 } else { 1 };
        let ledger = Arc::new(Ledger::new(count));
        let took = |sink| {
            let ledger = Arc::clone(&ledger);
            let took: Took = Arc::new(move |signal, body| ledger.arrived(sink, &items::ids(signal, body)));
            took
        };
        let sinks: Vec<Sink> = (0..count).map(|number| runtime.block_on(Sink::start(took(number)))).collect();
        let folder = tempfile::tempdir().unwrap();
        let transports = [("otlp_grpc", ""), ("otlp_http", "http://")];
        let exporters = sinks.iter().map(|_| rng.choice(transports).unwrap()).collect();
        let config = folder.path().join("crash.yaml");
        let mut run = Run {
            seed,
            rng,
            runtime,
            ledger,
            sinks,
            folder,
            in_memory,
            exporters,
            config,
            kills: 0,
            while_starting: 0,
            while_ending: 0,
            ends: 0,
            reloads: 0,
            torn: Vec::new(),
        };
        run.configure();
        run
    }

    /// Writes a configuration, another one every time; the file is there whole or not at all.
    fn configure(&mut self) {
        let yaml = configuration(self);
        let new = process::file(&self.folder, "new.yaml", &yaml);
        std::fs::rename(new, &self.config).unwrap();
    }

    /// Runs it; the figures and, if there is anything wrong, what. With `keep`, the folder of a run
    /// in which something is wrong stays where it is.
    pub(crate) fn finish(mut self, keep: bool) -> (Totals, Option<String>) {
        let count = self.rng.usize(2..7);
        let clients = Clients::start(self.runtime.handle(), count, &mut self.rng, &self.ledger);
        let lives = self.rng.usize(2..9);
        for life in 0..lives {
            self.live_and_die(life, &clients);
            if self.rng.bool() {
                self.tear(life, &clients);
            }
            if self.rng.u8(..4) == 0 {
                self.configure();
            }
        }
        let log = self.last_life(lives, clients);
        let (mut totals, mut wrong) = self.ledger.verdict();
        totals.kills = self.kills;
        totals.while_starting = self.while_starting;
        totals.while_ending = self.while_ending;
        totals.ends = self.ends;
        totals.reloads = self.reloads;
        totals.torn = self.torn.len() as u64;
        if let Some(wrong) = &mut wrong {
            *wrong += &format!("\n  torn: {:#?}\n  its last life said:\n{log}", self.torn);
            if keep {
                *wrong += &format!("  its folder is {}", self.folder.keep().display());
            }
        }
        self.runtime.shutdown_background();
        (totals, wrong)
    }

    /// One life under load, until SIGKILL.
    fn live_and_die(&mut self, life: usize, clients: &Clients) {
        self.moods();
        let moment = Moment::any(&mut self.rng);
        self.ledger.lives(life);
        let mut process = Dragoman::spawn(&self.config, &["--shutdown-timeout", SHUTDOWN]);
        if let Moment::Start(delay) = moment {
            self.kills += 1;
            std::thread::sleep(delay);
            let ready = process.log().contains(" ready");
            assert!(!process.ended(), "it ended by itself:\n{}", process.log());
            process.kill();
            self.while_starting += u64::from(!ready);
            return;
        }
        let mut dragoman = Dragoman::ready(process);
        let before = (self.ledger.acknowledgements(), self.ledger.arrivals());
        clients.point_at(Target::At { life, grpc: dragoman.grpc, http: dragoman.http });
        match moment {
            Moment::Start(_) => {}
            Moment::Ready(delay) => std::thread::sleep(delay),
            Moment::Acknowledgements(items) => until(|| self.ledger.acknowledgements() >= before.0 + items),
            Moment::Arrivals(items) => until(|| self.ledger.arrivals() >= before.1 + items),
        }
        if self.rng.u8(..4) == 0 {
            // The queues are handed on to other exporters, or to the same ones again.
            self.reload(&dragoman);
            std::thread::sleep(Duration::from_micros(self.rng.u64(..50_000)));
        }
        if self.rng.bool() {
            // Another mood, and whatever it sets free is under way when the signal comes.
            self.moods();
            std::thread::sleep(Duration::from_micros(self.rng.u64(..20_000)));
        }
        assert!(!dragoman.process.ended(), "it ended by itself:\n{}", dragoman.process.log());
        // What is under way stays under way. No client may connect from now on: as soon as the process
        // is dead, any other one can have its port.
        clients.point_at(Target::Nowhere);
        if self.rng.u8(..4) == 0 {
            dragoman.process.signal("TERM");
            if self.rng.bool() {
                return self.end(&mut dragoman);
            }
            // Killed while it ends in good order; sometimes it is faster.
            self.while_ending += 1;
            std::thread::sleep(Duration::from_micros(self.rng.u64(..30_000)));
        }
        self.kills += 1;
        dragoman.process.kill();
    }

    /// It ends in good order, whatever its backend does, and what it leaves is for the next life.
    fn end(&mut self, dragoman: &mut Dragoman) {
        self.ends += 1;
        let code = dragoman.process.wait();
        let log = dragoman.process.log();
        // 3 is also for requests that were cut off unanswered.
        assert!(matches!(code, Some(0 | 3)), "seed {}: exit code {code:?}:\n{log}", self.seed);
        assert!(self.in_memory || !log.contains("; they are lost"), "seed {}:\n{log}", self.seed);
    }

    /// The power is cut as well. An answer that is still on its way counts as given, so every client
    /// has read what there is.
    fn tear(&mut self, life: usize, clients: &Clients) {
        let began = Instant::now();
        while !clients.are_idle() {
            assert!(began.elapsed() < PATIENCE, "seed {}: a client waits for a dead process in life {life}", self.seed);
            std::thread::sleep(Duration::from_micros(200));
        }
        let torn = torn::tear(&self.folder.path().join(QUEUE), &mut self.rng, &self.ledger.last_of_acknowledged());
        self.torn.extend(torn.into_iter().map(|what| format!("after life {life}: {what}")));
    }

    /// The backend is well, and the process may do its work to the end. What it said.
    fn last_life(&mut self, life: usize, clients: Clients) -> String {
        self.sinks.iter().for_each(|sink| sink.feels(Mood::Well));
        self.ledger.lives(life);
        let mut dragoman = Dragoman::start(&self.config);
        if self.rng.bool() {
            clients.point_at(Target::At { life, grpc: dragoman.grpc, http: dragoman.http });
            let before = self.ledger.acknowledgements();
            until(|| self.ledger.acknowledgements() > before + 50);
            if self.rng.u8(..3) == 0 {
                self.reload(&dragoman);
                until(|| self.ledger.acknowledgements() > before + 150);
            }
        }
        let finished = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, clients.finish()).await });
        assert!(finished.is_ok(), "seed {}: a client got no answer:\n{}", self.seed, dragoman.process.log());
        // A sink has counted an item before the queue can be told, so what is missing when the
        // queue is empty is lost.
        let began = Instant::now();
        while !self.ledger.complete() && queued(&dragoman) > 0 {
            assert!(began.elapsed() < PATIENCE, "seed {}: never drained:\n{}", self.seed, dragoman.process.log());
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(dragoman.process.terminate(), Some(0), "seed {}:\n{}", self.seed, dragoman.process.log());
        dragoman.process.log()
    }

    fn reload(&mut self, dragoman: &Dragoman) {
        self.configure();
        dragoman.process.signal("HUP");
        self.reloads += 1;
    }

    fn moods(&mut self) {
        for sink in &self.sinks {
            sink.feels(self.rng.choice(MOODS).unwrap());
        }
    }
}

/// Waits for a moment to strike; there is no harm if it never comes.
fn until(reached: impl Fn() -> bool) {
    let began = Instant::now();
    while !reached() && began.elapsed() < Duration::from_millis(200) {
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Items that wait in any queue.
fn queued(dragoman: &Dragoman) -> u64 {
    let page = process::get(dragoman.own_metrics, "/metrics").unwrap().text();
    let of = |line: &str| line.strip_prefix("dragoman_exporter_held_items{")?.rsplit(' ').next()?.parse::<f64>().ok();
    let gauges: Vec<f64> = page.lines().filter_map(of).collect();
    assert!(!gauges.is_empty(), "no queues on the page:\n{page}");
    gauges.iter().sum::<f64>() as u64
}

fn configuration(run: &mut Run) -> String {
    let rng = &mut run.rng;
    // From one that is full after a few requests to one that never is.
    let size = rng.choice([1 << 16, 1 << 20, 64 << 20]).unwrap();
    let consumers = rng.choice([1, 3, 10]).unwrap();
    let storage = if run.in_memory { "" } else { ", storage: file_storage/queue" };
    // What goes out together, or in parts, has one record for each request all the same.
    let batch = rng.choice(["", "", ", batch: { flush_timeout: 5ms, min_size: 50 }", CUTTING]).unwrap();
    let mut exporters = String::new();
    let mut ids = Vec::new();
    for (number, (sink, (kind, scheme))) in run.sinks.iter().zip(&run.exporters).enumerate() {
        ids.push(format!("{kind}/{number}"));
        exporters += &format!(
            "  {kind}/{number}:
    endpoint: \"{scheme}{}\"
    tls: {{ insecure: true }}
    retry_on_failure: {{ initial_interval: 5ms, max_interval: 50ms, max_elapsed_time: 0s }}
    sending_queue: {{ queue_size: {size}, num_consumers: {consumers}{storage}{batch} }}
",
            sink.address
        );
    }
    let ids = ids.join(", ");
    let (extension, named) = match run.in_memory {
        true => (String::new(), ""),
        false => (
            format!(
                "  file_storage/queue: {{ directory: \"{}\", create_directory: true }}\n",
                run.folder.path().join(QUEUE).display()
            ),
            ", file_storage/queue",
        ),
    };
    format!(
        "receivers: {{ otlp: {{ protocols: {{ grpc: {{ endpoint: \"127.0.0.1:0\" }}, http: {{ endpoint: \"127.0.0.1:0\" }} }} }} }}
exporters:
{exporters}extensions:
  health_check: {{ endpoint: \"127.0.0.1:0\" }}
{extension}service:
  extensions: [health_check{named}]
  telemetry: {{ metrics: {{ address: \"127.0.0.1:0\" }} }}
  pipelines:
    traces: {{ receivers: [otlp], exporters: [{ids}] }}
    metrics: {{ receivers: [otlp], exporters: [{ids}] }}
    logs: {{ receivers: [otlp], exporters: [{ids}] }}
"
    )
}
