//! The exporters' sections: what they hold once they are checked. How each is read from YAML is in
//! its own file below. Keys, aliases and defaults are the Collector's, except that nothing is
//! compressed unless asked for and that a queue is bounded in bytes.

pub mod batch;
pub mod debug;
pub mod otlp;
pub mod prometheus;

use std::fmt;
use std::time::Duration;

use crate::config::Secret;
use crate::metrics::application;
use crate::metrics::exposition::Style;
pub use crate::net::tls::ClientSettings as Tls;
use crate::net::tls::ServerSettings;
use crate::otlp::split::Limits;

/// Which transport an OTLP exporter uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// `otlp_grpc`, alias `otlp`.
    Grpc,
    /// `otlp_http`, alias `otlphttp`; protobuf bodies.
    Http,
}

/// `compression`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// As it is.
    #[default]
    None,
    /// gzip, level 1.
    Gzip,
    /// zstd, level 1.
    Zstd,
}

/// `exporters.otlp_grpc` and `exporters.otlp_http`.
#[derive(Clone, PartialEq)]
pub struct Otlp {
    /// gRPC or HTTP.
    pub transport: Transport,
    /// `endpoint`: `host:port` or a URL for gRPC, a base URL for HTTP.
    pub endpoint: String,
    /// `traces_endpoint`, `metrics_endpoint`, `logs_endpoint` (HTTP only): a whole URL each.
    pub signal_endpoints: [Option<String>; 3],
    /// `headers`, sent with every request. Values are secrets: never shown.
    pub headers: Vec<(String, Secret)>,
    /// `compression`.
    pub compression: Compression,
    /// `timeout` of one attempt.
    pub timeout: Duration,
    /// `auth.authenticator`: the extension that says who this program is.
    pub authenticator: Option<String>,
    /// `tls`.
    pub tls: Tls,
    /// `keepalive` (gRPC), `http2_read_idle_timeout` and `http2_ping_timeout` (HTTP); `None` asks no peer
    /// for a sign of life.
    pub keepalive: Option<Keepalive>,
    /// `proxy_url` (HTTP only); without it the environment decides. A secret if it holds a password.
    pub proxy_url: Option<Secret>,
    /// `retry_on_failure`.
    pub retry: Retry,
    /// `sending_queue`.
    pub queue: Queue,
    /// `sending_queue.batch`, or else what the `batch` processors of this exporter's pipelines say,
    /// in the order of [`Signal::ALL`](crate::otlp::Signal::ALL). `None`: requests go out as they came.
    pub batch: [Option<Batch>; 3],
    /// `max_request_size`: bytes of one request before compression at most; a larger one is cut.
    pub max_request_size: usize,
}

/// How an HTTP/2 connection is asked for a sign of life: a peer that does not answer a ping is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keepalive {
    /// `time`: a connection on which nothing came for so long is asked.
    pub time: Duration,
    /// `timeout`: it is closed if nothing came for so long after that.
    pub timeout: Duration,
    /// `permit_without_stream`: also a connection without a request under way.
    pub permit_without_stream: bool,
}

/// The Collector's.
impl Default for Keepalive {
    fn default() -> Self {
        Keepalive { time: Duration::from_secs(10), timeout: Duration::from_secs(10), permit_without_stream: false }
    }
}

/// `retry_on_failure`.
#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    /// `enabled`.
    pub enabled: bool,
    /// `initial_interval`.
    pub initial_interval: Duration,
    /// `randomization_factor`, 0 to 1.
    pub randomization_factor: f64,
    /// `multiplier`.
    pub multiplier: f64,
    /// `max_interval`.
    pub max_interval: Duration,
    /// `max_elapsed_time`; zero means for ever.
    pub max_elapsed_time: Duration,
}

/// `sending_queue`.
#[derive(Debug, Clone, PartialEq)]
pub struct Queue {
    /// `enabled`: without a queue nothing waits; what `num_consumers` cannot take at once is refused,
    /// retryably.
    pub enabled: bool,
    /// `num_consumers`: exports under way at once.
    pub num_consumers: usize,
    /// `queue_size`, in bytes (`sizer: bytes`, the only one): in memory, or of the files.
    pub bytes: usize,
    /// `storage`: the id of the `file_storage` extension that keeps the queue; `None` for memory.
    pub storage: Option<Box<str>>,
}

/// How the requests that wait in a queue are put together on their way out. A measure that is not
/// meant has no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// `flush_timeout`: how long the first one waits for others at most. Zero: not at all.
    pub flush_timeout: Duration,
    /// `min_size`: from there on nothing more is waited for.
    pub min_size: Limits,
    /// `max_size`: what one request is not to exceed, [`Otlp::max_request_size`] aside.
    pub max_size: Limits,
}

impl Batch {
    /// What both allow: no telemetry waits longer, and none goes out in larger requests, than the
    /// settings of its own pipeline say.
    #[must_use]
    pub fn strictest(self, other: Batch) -> Batch {
        let least = |one: Limits, other: Limits| Limits {
            bytes: one.bytes.min(other.bytes),
            items: one.items.min(other.items),
        };
        Batch {
            flush_timeout: self.flush_timeout.min(other.flush_timeout),
            min_size: least(self.min_size, other.min_size),
            max_size: least(self.max_size, other.max_size),
        }
    }
}

impl Default for Retry {
    fn default() -> Self {
        Retry {
            enabled: true,
            initial_interval: Duration::from_secs(5),
            randomization_factor: 0.5,
            multiplier: 1.5,
            max_interval: Duration::from_secs(30),
            max_elapsed_time: Duration::from_secs(300),
        }
    }
}

impl Default for Queue {
    fn default() -> Self {
        Queue { enabled: true, num_consumers: 10, bytes: 64 << 20, storage: None }
    }
}

impl Otlp {
    /// The defaults of a transport.
    pub fn new(transport: Transport, endpoint: impl Into<String>) -> Self {
        let timeout = match transport {
            Transport::Grpc => Duration::from_secs(5),
            Transport::Http => Duration::from_secs(30),
        };
        Otlp {
            transport,
            endpoint: endpoint.into(),
            signal_endpoints: [None, None, None],
            headers: Vec::new(),
            compression: Compression::None,
            timeout,
            authenticator: None,
            tls: Tls::default(),
            keepalive: Some(Keepalive::default()),
            proxy_url: None,
            retry: Retry::default(),
            queue: Queue::default(),
            batch: [None; 3],
            max_request_size: match transport {
                Transport::Grpc => 4 << 20,
                Transport::Http => 20 << 20,
            },
        }
    }
}

/// Without what can be a secret: the headers' values, and URLs, which can hold a key or a password.
impl fmt::Debug for Otlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Otlp")
            .field("transport", &self.transport)
            .field("headers", &names)
            .field("compression", &self.compression)
            .field("timeout", &self.timeout)
            .field("tls", &self.tls)
            .field("keepalive", &self.keepalive)
            .field("retry", &self.retry)
            .field("queue", &self.queue)
            .field("batch", &self.batch)
            .field("max_request_size", &self.max_request_size)
            .finish_non_exhaustive()
    }
}

/// `exporters.prometheus`.
#[derive(Debug, Clone, PartialEq)]
pub struct Prometheus {
    /// `endpoint`, as `host:port`; the path is `/metrics`.
    pub endpoint: String,
    /// How the page is written: `namespace`, `const_labels`, `send_timestamps`, `without_scope_info`,
    /// `translation_strategy`.
    pub style: Style,
    /// What is kept of the metrics of applications: `metric_expiration`, `resource_constant_labels`,
    /// `cardinality_limit`, `series_limit`.
    pub store: application::Settings,
    /// `tls`; plain text without it.
    pub tls: Option<ServerSettings>,
}

impl Default for Prometheus {
    fn default() -> Self {
        Prometheus {
            endpoint: "127.0.0.1:9464".into(),
            style: Style::default(),
            store: application::Settings::default(),
            tls: None,
        }
    }
}

/// `exporters.debug`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Debug {
    /// `verbosity`.
    pub verbosity: Verbosity,
}

/// `exporters.debug.verbosity`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verbosity {
    /// A line a batch and a line an LLM call.
    #[default]
    Basic,
    /// Every span, point and record with its attributes.
    Detailed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_stay_out_of_debug_output() {
        let mut settings = Otlp::new(Transport::Http, "https://host?key=hunter2");
        settings.headers = vec![("authorization".into(), "Bearer hunter2".into())];
        settings.proxy_url = Some("http://user:hunter2@proxy".into());
        let shown = format!("{settings:?}");
        assert!(shown.contains("authorization") && !shown.contains("hunter2"), "{shown}");
    }
}
