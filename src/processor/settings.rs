//! The processors' and the connector's sections: what they hold once they are checked. How each is
//! read from YAML is in its own file below.

pub mod batch;
pub mod drop;
pub mod fold_chunks;
pub mod genai;
pub mod genai_metrics;
pub mod memory_limiter;

use std::time::Duration;

use regex::Regex;

pub use crate::genai::settings::{Genai, JoinLogs, Mapping, NativeMetrics, Originals, Target};
pub use crate::metrics::families::Compatibility;
pub use crate::metrics::ledger::LedgerWindow;
use crate::processor::fold_chunks::kind::Kinds;

/// `processors.memory_limiter`.
#[derive(Debug, Clone, PartialEq)]
pub struct MemoryLimiter {
    /// `check_interval`.
    pub check_interval: Duration,
    /// `limit_mib`, in bytes.
    pub limit_bytes: u64,
    /// `spike_limit_mib`, in bytes; requests are refused above limit minus spike.
    pub spike_bytes: u64,
}

/// `processors.batch`: what the exporters of the pipeline put together behind their queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// `send_batch_size`, in spans, data points or log records: from there on nothing more is waited
    /// for. With zero nothing is.
    pub send_batch_size: usize,
    /// `timeout`: how long is waited at most. Zero: not at all.
    pub timeout: Duration,
    /// `send_batch_max_size`: items of one request at most; zero is no limit.
    pub send_batch_max_size: usize,
}

impl Default for Batch {
    fn default() -> Self {
        Batch { send_batch_size: 8192, timeout: Duration::from_millis(200), send_batch_max_size: 0 }
    }
}

/// `processors.drop`: a span that matches any rule goes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Drop {
    /// `rules`, those of `preset` included.
    pub rules: Vec<DropRule>,
    /// `keep_errors`: spans with status ERROR stay.
    pub keep_errors: bool,
    /// `memory.max_spans` and `memory.ttl`.
    pub memory: DropMemory,
}

/// How long and how many dropped spans are remembered, so that children in other requests find
/// their nearest kept ancestor.
#[derive(Debug, Clone, PartialEq)]
pub struct DropMemory {
    /// Dropped ids that are remembered at most.
    pub max_spans: usize,
    /// For how long.
    pub ttl: Duration,
}

impl Default for DropMemory {
    fn default() -> Self {
        DropMemory { max_spans: 32_768, ttl: Duration::from_secs(120) }
    }
}

/// `processors.fold_chunks`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FoldChunks {
    /// `presets`: which chunks are folded.
    pub kinds: Kinds,
    /// `memory.max_spans` and `memory.ttl`, of folded spans and of streams whose parents have not come.
    pub memory: DropMemory,
}

/// One rule: everything that is named must match. A rule that names nothing matches nothing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DropRule {
    /// Resource attributes.
    pub resource: Vec<(String, Pattern)>,
    /// `scope`: the instrumentation scope's name.
    pub scope: Option<Pattern>,
    /// `name`: the span's name.
    pub name: Option<Pattern>,
    /// `kind`: `internal`, `server`, `client`, `producer`, `consumer`.
    pub kind: Option<crate::otlp::span::Kind>,
    /// `status`: `unset`, `ok`, `error`.
    pub status: Option<crate::otlp::span::StatusCode>,
    /// Span attributes; every one must match.
    pub attributes: Vec<(String, Pattern)>,
}

/// Exact text, or a regular expression over the whole value.
#[derive(Debug, Clone)]
pub enum Pattern {
    /// Equal to this. Numbers and booleans compare by their text.
    Exact(String),
    /// `regex: ...`.
    Regex(Regex),
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        match (self, other) {
            (Pattern::Exact(one), Pattern::Exact(other)) => one == other,
            (Pattern::Regex(one), Pattern::Regex(other)) => one.as_str() == other.as_str(),
            (Pattern::Exact(_), Pattern::Regex(_)) | (Pattern::Regex(_), Pattern::Exact(_)) => false,
        }
    }
}

/// `connectors.genai_metrics`.
#[derive(Debug, Clone, PartialEq)]
pub struct GenaiMetrics {
    /// `count_per`: `call` (once, at the span nearest to the provider) or `service`.
    pub per_service: bool,
    /// `max_series` a metric; the rest goes to one overflow series.
    pub max_series: usize,
    /// `metrics_expiration`: an idle series goes.
    pub metrics_expiration: Duration,
    /// `metrics_flush_interval`: how often OTLP exporters of the metrics pipeline get the metrics.
    pub metrics_flush_interval: Duration,
    /// `compatibility`: whose older names the tokens are shown under too.
    pub compatibility: Vec<Compatibility>,
    /// The memory of the ledger.
    pub window: LedgerWindow,
}

impl Default for GenaiMetrics {
    fn default() -> Self {
        GenaiMetrics {
            per_service: false,
            max_series: 2000,
            metrics_expiration: Duration::from_secs(300),
            metrics_flush_interval: Duration::from_secs(60),
            compatibility: Vec::new(),
            window: LedgerWindow::default(),
        }
    }
}
