//! The rows: what is sent to whom, and what OTLP 1.11 says of it.

use crate::standing::Standing;

/// What a client does. Everything but the named fault is a valid request of two items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// Two items.
    Valid,
    /// A message without a byte; in JSON `{}`.
    Empty,
    /// A resource and a scope around no item.
    NoItems,
    /// The message in this compression.
    Compressed(&'static str),
    /// A body that says it is compressed in a way that nobody speaks here.
    UnknownEncoding,
    /// gzip inside of zstd, and both are named.
    TwoEncodings,
    /// A compressed body that is cut where its check sum is.
    CorruptEncoding(&'static str),
    /// The message breaks off inside of a field.
    Truncated,
    /// A string that is not UTF-8.
    NotUtf8,
    /// The body of another encoding than the media type says.
    OtherEncoding,
    /// A Content-Length, or a message length, over the limit; the body never comes.
    AnnouncedTooLarge,
    /// More than the limit without a word before it.
    StreamedTooLarge,
    /// Little that decompresses to more than the limit.
    DecompressedTooLarge,
    /// With this media type; none if it is empty.
    MediaType(&'static str),
    /// With this method.
    Method(&'static str),
    /// To this path.
    Path(&'static str),
    /// A body that ends before its announced length.
    BreaksOff,
    /// A gRPC frame that is not one whole message: these bytes before the message, those after it.
    Frame(&'static [u8], &'static [u8]),
    /// A compressed flag without a grpc-encoding.
    FlagAlone,
    /// A gRPC call without a message.
    NoMessage,
}

/// What comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Success with `partial_success` unset, since nothing was rejected.
    Success,
    /// This status, and neither `Retry-After` nor `RetryInfo`: the client drops the request.
    Final(u16),
    /// This status with a delay in `Retry-After` and `RetryInfo`: the client comes back.
    Later(u16),
}

use Expected::{Final, Later, Success};

/// A row.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) case: &'static str,
    /// In which state the program is.
    pub(crate) standing: Standing,
    pub(crate) sent: Sent,
    /// The gRPC code that is answered (`Success` is 0); `None` where gRPC has no such request.
    pub(crate) grpc: Option<Expected>,
    /// The HTTP status that is answered; `None` where HTTP has no such request.
    pub(crate) http: Option<Expected>,
    /// The `google.rpc.Code` in the body of an HTTP refusal.
    pub(crate) code: i32,
    /// The `reason` in the self-metrics; empty for a success, and where there is no request to count.
    pub(crate) reason: &'static str,
}

const fn row(
    case: &'static str,
    sent: Sent,
    grpc: Option<Expected>,
    http: Option<Expected>,
    code: i32,
    reason: &'static str,
) -> Row {
    Row { case, standing: Standing::Ready, sent, grpc, http, code, reason }
}

const fn taken(case: &'static str, sent: Sent) -> Row {
    row(case, sent, Some(Success), Some(Success), 0, "")
}

const fn in_state(standing: Standing, row: Row) -> Row {
    Row { standing, ..row }
}

const fn malformed(case: &'static str, sent: Sent) -> Row {
    row(case, sent, Some(Final(3)), Some(Final(400)), 3, "malformed")
}

const fn http_only(case: &'static str, sent: Sent, status: u16, code: i32, reason: &'static str) -> Row {
    row(case, sent, None, Some(Final(status)), code, reason)
}

const fn grpc_only(case: &'static str, sent: Sent, code: u16, reason: &'static str) -> Row {
    row(case, sent, Some(Final(code)), None, 0, reason)
}

const fn too_large(case: &'static str, sent: Sent) -> Row {
    row(case, sent, Some(Final(8)), Some(Final(413)), 8, "too_large")
}

/// A request that a state refuses, whatever it holds.
const fn refused(case: &'static str, standing: Standing, sent: Sent, reason: &'static str) -> Row {
    in_state(standing, row(case, sent, Some(Later(14)), Some(Later(503)), 14, reason))
}

/// The matrix.
pub(crate) const ROWS: &[Row] = &[
    // "Full Success": the response message, with partial_success unset. This receiver rejects a
    // request whole or takes it whole, so there is no partial success that it could report.
    taken("all is taken", Sent::Valid),
    taken("an empty request", Sent::Empty),
    taken("envelopes without an item", Sent::NoItems),
    // Compression: none and gzip must be taken.
    taken("gzip", Sent::Compressed("gzip")),
    taken("zstd", Sent::Compressed("zstd")),
    taken("deflate", Sent::Compressed("deflate")),
    taken("identity", Sent::Compressed("identity")),
    row("an unknown compression", Sent::UnknownEncoding, Some(Final(12)), Some(Final(415)), 12, "unsupported_encoding"),
    row("two compressions", Sent::TwoEncodings, Some(Final(12)), Some(Final(415)), 12, "unsupported_encoding"),
    malformed("gzip that is cut", Sent::CorruptEncoding("gzip")),
    malformed("zstd that is cut", Sent::CorruptEncoding("zstd")),
    malformed("deflate that is cut", Sent::CorruptEncoding("deflate")),
    // "Failures": bad data, never sent again.
    malformed("a message that breaks off", Sent::Truncated),
    malformed("text that is not UTF-8", Sent::NotUtf8),
    malformed("a body of another encoding", Sent::OtherEncoding),
    grpc_only("no message", Sent::NoMessage, 3, "malformed"),
    grpc_only("half a frame", Sent::Frame(&[0, 0], &[]), 3, "malformed"),
    grpc_only("two messages", Sent::Frame(&[], &[0, 0, 0, 0, 0]), 3, "malformed"),
    grpc_only("a compressed flag of 2", Sent::Frame(&[2], &[]), 3, "malformed"),
    grpc_only("a compressed flag and no compression", Sent::FlagAlone, 3, "malformed"),
    // RFC 9112, section 8: an error may be sent; nothing of the body is taken.
    http_only("a body that breaks off", Sent::BreaksOff, 400, 3, "malformed"),
    // Sizes, by the decompressed length: 413 since 1.11; RESOURCE_EXHAUSTED without RetryInfo.
    too_large("an announced length over the limit", Sent::AnnouncedTooLarge),
    row("more than the limit without a length", Sent::StreamedTooLarge, None, Some(Final(413)), 8, "too_large"),
    too_large("more than the limit when decompressed", Sent::DecompressedTooLarge),
    // Encodings of OTLP/HTTP; what gRPC does not speak is an HTTP answer (gRPC over HTTP/2, "Requests").
    http_only("no media type", Sent::MediaType(""), 415, 12, "unsupported_encoding"),
    http_only("another media type", Sent::MediaType("text/plain"), 415, 12, "unsupported_encoding"),
    http_only("a form", Sent::MediaType("application/x-www-form-urlencoded"), 415, 12, "unsupported_encoding"),
    http_only("gRPC-Web", Sent::MediaType("application/grpc-web+proto"), 415, 12, "unsupported_encoding"),
    // Methods and paths.
    http_only("GET", Sent::Method("GET"), 405, 12, "method_not_allowed"),
    http_only("PUT", Sent::Method("PUT"), 405, 12, "method_not_allowed"),
    http_only("DELETE", Sent::Method("DELETE"), 405, 12, "method_not_allowed"),
    http_only("OPTIONS", Sent::Method("OPTIONS"), 405, 12, "method_not_allowed"),
    grpc_only("a gRPC call by PUT", Sent::Method("PUT"), 12, "method_not_allowed"),
    http_only("an unknown path", Sent::Path("/v1/nothing"), 404, 12, "not_found"),
    http_only("a path with a slash more", Sent::Path("/v1/traces/"), 404, 12, "not_found"),
    http_only("a path in capitals", Sent::Path("/V1/TRACES"), 404, 12, "not_found"),
    http_only("profiles", Sent::Path("/v1development/profiles"), 404, 12, "not_found"),
    grpc_only(
        "an unknown method",
        Sent::Path("/opentelemetry.proto.collector.trace.v1.TraceService/Get"),
        12,
        "not_found",
    ),
    grpc_only(
        "gRPC profiles",
        Sent::Path("/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"),
        12,
        "not_found",
    ),
    grpc_only("gRPC health", Sent::Path("/grpc.health.v1.Health/Check"), 12, "not_found"),
    in_state(
        Standing::NoPipeline,
        row("a signal of no pipeline", Sent::Valid, Some(Final(12)), Some(Final(404)), 12, "not_found"),
    ),
    // "Throttling": before work is done, with a delay, whatever the body holds.
    refused("an exporter's queue is full", Standing::QueueFull, Sent::Valid, "queue_full"),
    refused("an exporter's queue is full, compressed", Standing::QueueFull, Sent::Compressed("gzip"), "queue_full"),
    refused("memory is full", Standing::MemoryFull, Sent::Valid, "memory_limit"),
    refused("memory is full, and the body is large", Standing::MemoryFull, Sent::DecompressedTooLarge, "memory_limit"),
    refused("memory is full, and the body is none", Standing::MemoryFull, Sent::Truncated, "memory_limit"),
    refused("not ready", Standing::NotReady, Sent::Valid, "unavailable"),
    // What cannot become right is refused as such, also by a program that takes nothing now.
    in_state(
        Standing::NotReady,
        http_only("not ready, another media type", Sent::MediaType("text/plain"), 415, 12, "unsupported_encoding"),
    ),
    // Who does not say who it is; nothing is taken and nothing is to be sent again as it was.
    in_state(
        Standing::Locked,
        row("no credentials", Sent::Valid, Some(Final(16)), Some(Final(401)), 16, "unauthenticated"),
    ),
    // A defect fails its request alone; the same request would fail again.
    in_state(Standing::Defect, row("a defect", Sent::Valid, Some(Final(13)), Some(Final(500)), 13, "internal")),
];
