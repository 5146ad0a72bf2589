//! What an exporter tells of itself, in numbers: items sent, items lost and why, and how full its
//! queue is. Who shows these numbers is not known here.

use crate::otlp::Signal;

/// Takes an exporter's counts. Every item that an exporter took is reported exactly once, as sent
/// or as lost.
pub trait Observer: Send + Sync {
    /// `items` were delivered.
    fn sent(&self, signal: Signal, items: usize);

    /// `items` were given up for good. A failed attempt that is made again is [`Observer::retried`].
    fn failed(&self, signal: Signal, items: usize, reason: Loss);

    /// A request of `items` goes out, and why it is as large as it is. Further attempts at the same
    /// request are not reported.
    fn request(&self, signal: Signal, items: usize, cause: Cause) {
        let _ = (signal, items, cause);
    }

    /// An attempt at a request failed, and another one is to come.
    fn retried(&self, signal: Signal, why: Setback) {
        let _ = (signal, why);
    }
}

/// Why an attempt failed that is worth another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Setback {
    /// There was no connection, or it broke before the answer was whole.
    Connection,
    /// There was no answer within `timeout`, or the backend says DEADLINE_EXCEEDED.
    Timeout,
    /// The backend has too much to do: 429, or RESOURCE_EXHAUSTED with a delay.
    Throttled,
    /// The backend, or a proxy before it, is not up to it now: 502, 503, 504, or UNAVAILABLE.
    Unavailable,
    /// Another status that OTLP says is worth another attempt.
    OtherStatus,
}

impl Setback {
    /// All of them.
    pub const ALL: [Setback; 5] =
        [Setback::Connection, Setback::Timeout, Setback::Throttled, Setback::Unavailable, Setback::OtherStatus];

    /// The value of the `reason` label in self-metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Setback::Connection => "connection",
            Setback::Timeout => "timeout",
            Setback::Throttled => "throttled",
            Setback::Unavailable => "unavailable",
            Setback::OtherStatus => "other_status",
        }
    }
}

/// Why a request is as large as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// A client sent it so.
    AsReceived,
    /// Put together, it reached the size that was waited for, or the next would have been too much.
    Size,
    /// The time to wait for others was over.
    Timeout,
    /// The queue has no room for what would have been waited for.
    QueueFull,
    /// The program stops, and nothing is waited for.
    Stopping,
    /// It is a part of a request that was too large.
    Cut,
}

impl Cause {
    /// All causes.
    pub const ALL: [Cause; 6] =
        [Cause::AsReceived, Cause::Size, Cause::Timeout, Cause::QueueFull, Cause::Stopping, Cause::Cut];

    /// The value of the `cause` label in self-metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Cause::AsReceived => "as_received",
            Cause::Size => "size",
            Cause::Timeout => "timeout",
            Cause::QueueFull => "queue_full",
            Cause::Stopping => "stopping",
            Cause::Cut => "cut",
        }
    }
}

/// Why items were given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Loss {
    /// The backend refused them with an answer that OTLP says is not to be retried.
    Rejected,
    /// The backend took the rest of their request and not them (`partial_success`).
    PartialSuccess,
    /// The last attempt that `retry_on_failure` allows failed.
    RetriesExhausted,
    /// They were still here when the shutdown's deadline came.
    Shutdown,
    /// One of them alone is larger than OTLP lets a client send (64 MiB), or their request could not be
    /// cut.
    TooLarge,
    /// The debug output was too slow, or closed.
    NotWritten,
    /// A defect of this program ended their export.
    Defect,
    /// The disk that they waited on gave other bytes back than were written.
    Corrupt,
}

impl Loss {
    /// All reasons.
    pub const ALL: [Loss; 8] = [
        Loss::Rejected,
        Loss::PartialSuccess,
        Loss::RetriesExhausted,
        Loss::Shutdown,
        Loss::TooLarge,
        Loss::NotWritten,
        Loss::Defect,
        Loss::Corrupt,
    ];

    /// The value of the `reason` label in self-metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Loss::Rejected => "rejected",
            Loss::PartialSuccess => "partial_success",
            Loss::RetriesExhausted => "retries_exhausted",
            Loss::Shutdown => "shutdown",
            Loss::TooLarge => "too_large",
            Loss::NotWritten => "not_written",
            Loss::Defect => "defect",
            Loss::Corrupt => "corrupt",
        }
    }
}

/// How full a queue is, at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueState {
    /// Bytes that are taken up by what was reserved, waits or is under way (`otelcol_exporter_queue_size`).
    pub bytes: usize,
    /// Bytes that there is room for (`otelcol_exporter_queue_capacity`).
    pub capacity: usize,
    /// Requests under way, between two attempts included (`otelcol_exporter_in_flight_requests`).
    pub in_flight: usize,
    /// Spans, data points or log records that wait or are under way.
    pub items: usize,
}

/// What a durable queue has on disk, and what went wrong there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DiskState {
    /// Bytes of its files.
    pub bytes: u64,
    /// Records that could not be read; what was in them is lost.
    pub corrupt_records: u64,
    /// Writes that failed.
    pub write_failures: u64,
    /// Syncs that failed.
    pub sync_failures: u64,
    /// Items of pipelines that no longer end here; they stay on disk.
    pub held_items: u64,
}
