//! Why a request is refused, and the one table that turns a reason into a gRPC code, an HTTP
//! status and a retry class (OTLP 1.11).

use std::fmt;
use std::time::Duration;

/// Whether a client may send a refused request again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Sending it again cannot help.
    Never,
    /// Later, after the delay that the answer names.
    Later,
}

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The body is not the message that it should be.
    Malformed,
    /// The body, or what it decompresses to, is over the limit.
    TooLarge,
    /// A compression or content type that is not spoken here.
    UnsupportedEncoding,
    /// It does not say who sends it, or not rightly.
    Unauthenticated,
    /// No such path or service.
    NotFound,
    /// Another method than POST.
    MethodNotAllowed,
    /// A queue is full.
    QueueFull,
    /// The memory limit is reached.
    MemoryLimit,
    /// The program is starting or stopping.
    Unavailable,
    /// The client did not send its request in time.
    Timeout,
    /// A defect of this program.
    Internal,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// The value of the `reason` label in self-metrics.
    pub label: &'static str,
    /// The gRPC status code (`google.rpc.Code`).
    pub grpc: i32,
    /// The HTTP status code.
    pub http: u16,
    /// Whether the client may try again.
    pub retry: Retry,
}

impl Reason {
    /// All reasons.
    pub const ALL: [Reason; 11] = [
        Reason::Malformed,
        Reason::TooLarge,
        Reason::UnsupportedEncoding,
        Reason::Unauthenticated,
        Reason::NotFound,
        Reason::MethodNotAllowed,
        Reason::QueueFull,
        Reason::MemoryLimit,
        Reason::Unavailable,
        Reason::Timeout,
        Reason::Internal,
    ];

    /// How a refusal for this reason is answered.
    pub const fn answer(self) -> Answer {
        const fn row(label: &'static str, grpc: i32, http: u16, retry: Retry) -> Answer {
            Answer { label, grpc, http, retry }
        }
        match self {
            Reason::Malformed => row("malformed", 3, 400, Retry::Never),
            Reason::TooLarge => row("too_large", 8, 413, Retry::Never),
            Reason::UnsupportedEncoding => row("unsupported_encoding", 12, 415, Retry::Never),
            Reason::Unauthenticated => row("unauthenticated", 16, 401, Retry::Never),
            Reason::NotFound => row("not_found", 12, 404, Retry::Never),
            Reason::MethodNotAllowed => row("method_not_allowed", 12, 405, Retry::Never),
            Reason::QueueFull => row("queue_full", 14, 503, Retry::Later),
            Reason::MemoryLimit => row("memory_limit", 14, 503, Retry::Later),
            Reason::Unavailable => row("unavailable", 14, 503, Retry::Later),
            Reason::Timeout => row("timeout", 14, 503, Retry::Later),
            Reason::Internal => row("internal", 13, 500, Retry::Never),
        }
    }
}

/// A refused request: the reason, and a sentence for the person who reads the client's log.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// What was wrong, where, what was expected.
    pub message: String,
    /// When to come back; set for every reason whose class is [`Retry::Later`].
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// A refusal; one that may be retried asks for `RETRY_AFTER`.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        let retry_after = (reason.answer().retry == Retry::Later).then_some(RETRY_AFTER);
        Refusal { reason, message: message.into(), retry_after }
    }
}

/// The delay that a retryable refusal asks for where nothing better is known.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}
