//! The binary, its backends, and who reads its pages.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use dragoman::otlp::check;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::load::Tally;
use crate::page::Page;
use crate::process;
use crate::sink::{Mood, Sink, Took};

/// Longer than any step takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Two backends and what they took.
pub(crate) struct Backends {
    pub(crate) sinks: [Sink; 2],
    pub(crate) took: [Arc<Tally>; 2],
}

impl Backends {
    pub(crate) fn start(runtime: &Runtime) -> Backends {
        let took = [Arc::<Tally>::default(), Arc::default()];
        let sinks = took.each_ref().map(|tally| {
            let tally = Arc::clone(tally);
            let took: Took = Arc::new(move |signal, body| tally.add(signal, check::count(signal, body)));
            runtime.block_on(Sink::start(took))
        });
        Backends { sinks, took }
    }

    /// Both are in this mood from now on.
    pub(crate) fn feel(&self, mood: Mood) {
        self.sinks.iter().for_each(|sink| sink.feels(mood));
    }
}

/// What is configured of the exporters' queues.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Queue {
    /// In memory, each request for itself.
    Memory,
    /// On disk, and requests go out together.
    File,
}

/// Spans and log records wait for each other, sqlite spans go, queues are small and patience is short:
/// every way out is used.
pub(crate) fn configuration(folder: &TempDir, backends: &Backends, queue: Queue) -> PathBuf {
    configuration_with(folder, backends, queue, Sending { consumers: 4, gives_up: true })
}

/// How the exporters send.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sending {
    /// Consumers of each queue.
    pub(crate) consumers: usize,
    /// Whether a request is given up at all.
    pub(crate) gives_up: bool,
}

/// As [`configuration`], with exporters that send so. Written over another one, the file is there whole.
pub(crate) fn configuration_with(folder: &TempDir, backends: &Backends, queue: Queue, sending: Sending) -> PathBuf {
    let Sending { consumers, gives_up } = sending;
    // Room for some requests, not for all that come while nobody takes them.
    let size = format!("queue_size: 65536, num_consumers: {consumers}");
    let (queue, extension, named) = match queue {
        Queue::Memory => (format!("{{ {size} }}"), String::new(), ""),
        Queue::File => (
            format!(
                "{{ {size}, storage: file_storage/queue, batch: {{ flush_timeout: 5ms, min_size: 50, max_size: 60 }} }}"
            ),
            format!(
                ", file_storage/queue: {{ directory: \"{}\", create_directory: true }}",
                folder.path().join("queue").display()
            ),
            ", file_storage/queue",
        ),
    };
    let [a, b] = backends.sinks.each_ref().map(|sink| sink.address);
    let patience = if gives_up { "300ms" } else { "0s" };
    let retry = format!("{{ initial_interval: 5ms, max_interval: 50ms, max_elapsed_time: {patience} }}");
    let yaml = format!(
        "receivers: {{ otlp: {{ protocols: {{ grpc: {{ endpoint: \"127.0.0.1:0\" }}, http: {{ endpoint: \"127.0.0.1:0\" }} }} }} }}
processors:
  genai: {{ join_logs: {{ enabled: true, wait_duration: 100ms }} }}
  drop/sqlite: {{ preset: sqlite }}
connectors: {{ genai_metrics: {{}} }}
exporters:
  otlp_grpc/a:
    endpoint: \"{a}\"
    tls: {{ insecure: true }}
    retry_on_failure: {retry}
    sending_queue: {queue}
  otlp_http/b:
    endpoint: \"http://{b}\"
    retry_on_failure: {retry}
    sending_queue: {queue}
  prometheus: {{ endpoint: \"127.0.0.1:0\" }}
extensions: {{ health_check: {{ endpoint: \"127.0.0.1:0\" }}{extension} }}
service:
  extensions: [health_check{named}]
  telemetry: {{ metrics: {{ address: \"127.0.0.1:0\" }} }}
  pipelines:
    traces: {{ receivers: [otlp], processors: [genai, drop/sqlite], exporters: [otlp_grpc/a, otlp_http/b, genai_metrics] }}
    traces/raw: {{ receivers: [otlp], exporters: [otlp_http/b] }}
    metrics: {{ receivers: [otlp, genai_metrics], processors: [genai], exporters: [otlp_grpc/a, prometheus] }}
    logs: {{ receivers: [otlp], processors: [genai], exporters: [otlp_grpc/a] }}
"
    );
    let path = folder.path().join("books.yaml");
    std::fs::rename(process::file(folder, "new.yaml", &yaml), &path).unwrap();
    path
}

/// Reads the page as fast as it comes, and judges each.
pub(crate) struct Auditor {
    address: SocketAddr,
    latest: Arc<Mutex<Option<Arc<Page>>>>,
    scrapes: Arc<AtomicU64>,
    /// The process was told to end, and may stop answering.
    ending: Arc<AtomicBool>,
    reader: JoinHandle<u64>,
}

impl Auditor {
    pub(crate) fn start(address: SocketAddr) -> Auditor {
        let (latest, ending) = (Arc::<Mutex<Option<Arc<Page>>>>::default(), Arc::<AtomicBool>::default());
        let scrapes = Arc::<AtomicU64>::default();
        let (shown, told, read) = (Arc::clone(&latest), Arc::clone(&ending), Arc::clone(&scrapes));
        let reader = std::thread::spawn(move || {
            for scrapes in 0.. {
                let Some(answer) = whole_page(address) else {
                    assert!(told.load(Ordering::Relaxed), "the page is gone after {scrapes} scrapes");
                    return scrapes;
                };
                let page = Page::read(answer.text());
                let imbalance = page.imbalance() + &page.ungiven();
                assert!(imbalance.is_empty(), "scrape {scrapes}:\n{imbalance}\n{}", page.text());
                *shown.lock().unwrap() = Some(Arc::new(page));
                read.store(scrapes + 1, Ordering::Relaxed);
            }
            unreachable!()
        });
        Auditor { address, latest, scrapes, ending, reader }
    }

    /// Waits until a page says so.
    pub(crate) fn until(&self, what: &str, says: impl Fn(&Page) -> bool) -> Arc<Page> {
        let began = Instant::now();
        loop {
            let page = self.latest.lock().unwrap().clone();
            if let Some(page) = page.filter(|page| says(page)) {
                return page;
            }
            assert!(!self.reader.is_finished(), "the audit has ended before {what}; see above");
            if began.elapsed() > PATIENCE {
                let page = self.latest.lock().unwrap().clone();
                panic!("never {what}:\n{}", page.map_or_else(String::new, |page| page.text().to_owned()));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until so many more pages were read.
    pub(crate) fn look_again(&self, times: u64) {
        let before = self.scrapes.load(Ordering::Relaxed);
        self.until("so many pages", |_| self.scrapes.load(Ordering::Relaxed) >= before + times);
    }

    /// A page that was made after this call.
    pub(crate) fn now(&self) -> Page {
        Page::read(process::get(self.address, "/metrics").unwrap().text())
    }

    /// From now on the page may go away.
    pub(crate) fn expect_the_end(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }

    /// How many pages were read, once there are no more.
    pub(crate) fn finish(self) -> u64 {
        self.reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// A page, if it came whole.
fn whole_page(address: SocketAddr) -> Option<process::Answer> {
    let answer = process::get(address, "/metrics").ok()?;
    let length = answer.head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
    (length.parse() == Ok(answer.body.len())).then_some(answer)
}
