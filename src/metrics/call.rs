//! What the ledger and the histograms need to know of one LLM operation: read from a span that is
//! already in a target's words, whoever wrote them.

use crate::otlp::{SpanId, TraceId, span::Kind};

/// Token counts as the conventions mean them: input includes cache reads and writes, output
/// includes reasoning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// `gen_ai.usage.input_tokens`.
    pub input: Option<u64>,
    /// `gen_ai.usage.output_tokens`.
    pub output: Option<u64>,
    /// `gen_ai.usage.cache_read.input_tokens`.
    pub cache_read: Option<u64>,
    /// `gen_ai.usage.cache_creation.input_tokens` (1.41), `gen_ai.usage.cache_write.input_tokens` (main).
    pub cache_write: Option<u64>,
    /// `gen_ai.usage.reasoning.output_tokens`.
    pub reasoning: Option<u64>,
}

/// One LLM operation, as a span in a target's words tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The trace, if its id is valid.
    pub trace_id: Option<TraceId>,
    /// The span, if its id is valid.
    pub span_id: Option<SpanId>,
    /// The span's parent; `None` for a root.
    pub parent_span_id: Option<SpanId>,
    /// The span's kind.
    pub kind: Kind,
    /// `service.name` of the resource; empty if not said.
    pub service: String,
    /// `gen_ai.operation.name`.
    pub operation: String,
    /// `gen_ai.provider.name`; empty if not said.
    pub provider: String,
    /// `gen_ai.request.model`; empty if not said.
    pub request_model: String,
    /// `gen_ai.response.model`; empty if not said.
    pub response_model: String,
    /// `gen_ai.response.id`; empty if not said.
    pub response_id: String,
    /// `server.address`; empty if not said.
    pub server_address: String,
    /// `server.port`.
    pub server_port: Option<u16>,
    /// `error.type`, or `_OTHER` for status ERROR without one; `None` for a success.
    pub error_type: Option<String>,
    /// Tokens.
    pub usage: Usage,
    /// Nanoseconds since the epoch.
    pub start_time_unix_nano: u64,
    /// Nanoseconds since the epoch.
    pub end_time_unix_nano: u64,
    /// `gen_ai.response.time_to_first_chunk`, seconds.
    pub time_to_first_chunk: Option<f64>,
}
