//! The program under attack, and the tools that several attacks use.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use dragoman::otlp::Signal;
use tempfile::TempDir;

use crate::process::{Answer, Dragoman, file, get, http};

/// Longer than any step takes on a busy machine; a test that waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const MIB: u64 = 1 << 20;

/// What a test changes of the configuration, each in YAML's flow form without its brackets.
#[derive(Clone, Copy)]
pub(crate) struct Setup<'a> {
    /// Keys of both of the receiver's protocols.
    pub(crate) protocols: &'a str,
    /// Another exporter.
    pub(crate) exporter: &'a str,
    /// Another extension: its id, and its keys.
    pub(crate) extension: Option<(&'a str, &'a str)>,
    /// The exporters of each pipeline.
    pub(crate) exporters: &'a str,
    pub(crate) verbosity: &'a str,
    pub(crate) log_level: &'a str,
    pub(crate) max_series: usize,
}

impl Default for Setup<'_> {
    fn default() -> Self {
        Setup {
            protocols: "",
            exporter: "",
            extension: None,
            exporters: "debug",
            verbosity: "basic",
            log_level: "info",
            max_series: 2000,
        }
    }
}

/// A running program with a working folder of its own.
pub(crate) struct Target {
    pub(crate) dragoman: Dragoman,
    pub(crate) folder: TempDir,
    idle: u64,
}

impl Target {
    /// With a budget larger than any attack's announcements: what is measured is what is really held,
    /// and no bound may depend on the machine's memory. The budget has its own tests.
    pub(crate) fn start(setup: Setup<'_>) -> Target {
        let Setup { protocols, exporter, extension, exporters, verbosity, log_level, max_series } = setup;
        let (more, keys) = extension.map_or(("", String::new()), |(id, keys)| (id, format!("{id}: {{ {keys} }}")));
        let yaml = format!(
            "receivers:
  otlp: {{ protocols: {{ grpc: {{ endpoint: \"127.0.0.1:0\", {protocols} }}, http: {{ endpoint: \"127.0.0.1:0\", {protocols} }} }} }}
processors:
  memory_limiter: {{ limit_mib: 1000000 }}
  genai: {{}}
  drop/sqlite: {{ preset: sqlite }}
connectors:
  genai_metrics: {{ max_series: {max_series} }}
exporters:
  debug: {{ verbosity: {verbosity} }}
  prometheus: {{ endpoint: \"127.0.0.1:0\" }}
  {exporter}
extensions:
  health_check: {{ endpoint: \"127.0.0.1:0\" }}
  {keys}
service:
  extensions: [health_check, {more}]
  telemetry: {{ logs: {{ level: {log_level} }}, metrics: {{ address: \"127.0.0.1:0\" }} }}
  pipelines:
    traces: {{ receivers: [otlp], processors: [memory_limiter, genai, drop/sqlite], exporters: [{exporters}, genai_metrics] }}
    metrics: {{ receivers: [otlp, genai_metrics], processors: [memory_limiter, genai], exporters: [{exporters}, prometheus] }}
    logs: {{ receivers: [otlp], processors: [memory_limiter, genai], exporters: [{exporters}] }}
"
        );
        let folder = tempfile::tempdir().unwrap();
        let config = file(&folder, "config.yaml", &yaml);
        let dragoman = Dragoman::start_in(folder.path(), &config);
        let idle = peak(&dragoman);
        Target { dragoman, folder, idle }
    }

    /// By how much the most memory that was ever resident is more than what an idle process holds, which is
    /// mostly its own code: the tests run a large unoptimised binary.
    pub(crate) fn grown(&self) -> u64 {
        peak(&self.dragoman) - self.idle
    }

    /// What an attack made the process hold is within a bound.
    #[track_caller]
    pub(crate) fn assert_grown_less_than(&self, most: u64, what: &str) {
        let grown = self.grown();
        println!("{what}: {:.1} of {:.0} MB more than idle", grown as f64 / 1e6, most as f64 / 1e6);
        assert!(grown < most, "{what}: {grown} bytes more than idle were resident");
    }

    /// The program is there and serves: everything that an attack must not have ended. Where an attack
    /// needs timeouts of some hundred milliseconds, a client that a busy machine holds up is cut off as
    /// well, so it asks until it was in time.
    pub(crate) fn assert_serves(&self) {
        assert_eq!(get(self.dragoman.health, "/").unwrap().status, 200);
        for signal in Signal::ALL {
            let body = crate::client::sample(signal);
            let headers = [("content-type", "application/x-protobuf")];
            let mut last = None;
            let is_taken = || {
                let answer = http(self.dragoman.http, "POST", signal.http_path(), &headers, &body);
                let answer = last.insert(answer.map(|answer| answer.status));
                matches!(answer, Ok(200))
            };
            assert!(wait(is_taken), "{signal} are not taken: {last:?}");
        }
    }

    /// A POST to the OTLP/HTTP endpoint over a connection of its own.
    pub(crate) fn post(&self, path: &str, media_type: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let headers: Vec<_> = [("content-type", media_type)].iter().chain(headers).copied().collect();
        http(self.dragoman.http, "POST", path, &headers, body).unwrap()
    }

    /// A page of metrics.
    pub(crate) fn page(&self, address: SocketAddr) -> String {
        let answer = get(address, "/metrics").unwrap();
        assert_eq!(answer.status, 200);
        answer.text()
    }

    /// The self-metrics.
    pub(crate) fn own_metrics(&self) -> String {
        self.page(self.dragoman.own_metrics)
    }

    /// Asks for a page until `done`.
    pub(crate) fn page_when(&self, address: SocketAddr, what: &str, done: impl Fn(&str) -> bool) -> String {
        let mut page = String::new();
        assert!(
            wait(|| {
                page = self.page(address);
                done(&page)
            }),
            "never {what}:\n{page}"
        );
        page
    }

    pub(crate) fn connect(&self, address: SocketAddr) -> TcpStream {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Both of the receiver's addresses.
    pub(crate) fn receivers(&self) -> [SocketAddr; 2] {
        [self.dragoman.http, self.dragoman.grpc]
    }
}

/// The most memory that was ever resident: `VmHWM`, bytes.
fn peak(dragoman: &Dragoman) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", dragoman.process.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Whether something comes true within the patience.
pub(crate) fn wait(mut done: impl FnMut() -> bool) -> bool {
    let began = std::time::Instant::now();
    while began.elapsed() < PATIENCE {
        if done() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

/// The value of the first series of a page that holds all of `parts`; 0 if there is none.
pub(crate) fn value(page: &str, parts: &[&str]) -> f64 {
    let line = page.lines().find(|line| !line.starts_with('#') && parts.iter().all(|part| line.contains(part)));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0.0)
}

/// Everything until the peer closes, a reset included.
pub(crate) fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let (mut all, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => return all,
            Ok(read) => all.extend_from_slice(&chunk[..read]),
            Err(error) => {
                let waited = [std::io::ErrorKind::WouldBlock, std::io::ErrorKind::TimedOut].contains(&error.kind());
                assert!(!waited, "the peer neither answered nor closed; so far: {}", String::from_utf8_lossy(&all));
                return all;
            }
        }
    }
}

/// Writes until the peer closes or `most` bytes were written; how many that were.
pub(crate) fn flood(stream: &mut TcpStream, chunk: &[u8], most: u64) -> u64 {
    let mut written = 0;
    while written < most && stream.write_all(chunk).is_ok() {
        written += chunk.len() as u64;
    }
    written
}

/// A gRPC message's frame.
pub(crate) fn frame(compressed: bool, message: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(u8::from(compressed));
    frame.put_u32(message.len().try_into().unwrap());
    frame.put_slice(message);
    frame.freeze()
}
