//! OTLP over gRPC: one unary call a request.
//!
//! The call is framed here rather than by `tonic::client::Grpc`, which would compress on the reactor
//! and again for each attempt, and copy each request into a buffer of its own. The status is read by
//! tonic.

use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, TE};
use http::{Response, StatusCode};
use hyper::body::Incoming;
use prost::Message as _;
use tonic::{Code, Status};

use super::client::{Answered, Client, MESSAGE_LIMIT, Payload, Peer, Taken, read, taken, too_long};
use super::compress::Message;
use super::delivery::Call;
use super::endpoint::Endpoint;
use super::observe::Setback;
use super::retry::Failure;
use crate::otlp::status;
use crate::pipeline::Boxed;
use crate::text::escaped;

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// Codes after which the same request may succeed (OTLP 1.11, "Failures"). RESOURCE_EXHAUSTED is
/// one only together with a `RetryInfo`.
const RETRYABLE: [(Code, Setback); 6] = [
    (Code::Cancelled, Setback::OtherStatus),
    (Code::DeadlineExceeded, Setback::Timeout),
    (Code::Aborted, Setback::OtherStatus),
    (Code::OutOfRange, Setback::OtherStatus),
    (Code::Unavailable, Setback::Unavailable),
    (Code::DataLoss, Setback::OtherStatus),
];

/// The code of an answer that has none, which a proxy gave ("HTTP to gRPC Status Code Mapping").
const BY_HTTP_STATUS: [(StatusCode, Code); 8] = [
    (StatusCode::BAD_REQUEST, Code::Internal),
    (StatusCode::UNAUTHORIZED, Code::Unauthenticated),
    (StatusCode::FORBIDDEN, Code::PermissionDenied),
    (StatusCode::NOT_FOUND, Code::Unimplemented),
    (StatusCode::TOO_MANY_REQUESTS, Code::Unavailable),
    (StatusCode::BAD_GATEWAY, Code::Unavailable),
    (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable),
    (StatusCode::GATEWAY_TIMEOUT, Code::Unavailable),
];

/// The `Export` call of one signal.
pub(crate) struct Grpc {
    client: Arc<Client>,
    endpoint: Endpoint,
    timeout: Option<HeaderValue>,
}

impl Grpc {
    /// A call that tells the backend its `timeout`; none if that is zero.
    pub(crate) fn new(client: Arc<Client>, endpoint: Endpoint, timeout: Duration) -> Self {
        // At most eight digits; that is 27 hours.
        let millis = timeout.as_millis().min(99_999_999);
        let timeout = (millis > 0).then(|| HeaderValue::from_str(&format!("{millis}m")).ok()).flatten();
        Grpc { client, endpoint, timeout }
    }

    async fn call(&self, message: &Message) -> Result<Taken, Failure> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, GRPC);
        headers.insert(TE, HeaderValue::from_static("trailers"));
        if let Some(timeout) = &self.timeout {
            headers.insert(GRPC_TIMEOUT, timeout.clone());
        }
        let encoding = message.compression.token();
        if let Some(encoding) = encoding {
            headers.insert(GRPC_ENCODING, HeaderValue::from_static(encoding));
        }
        let length = u32::try_from(message.body.len())
            .map_err(|_| Failure::Permanent("the request is longer than a gRPC message can be".into()))?;
        let mut prefix = BytesMut::with_capacity(5);
        prefix.put_u8(u8::from(encoding.is_some()));
        prefix.put_u32(length);
        let payload = Payload::new(prefix.freeze(), message.body.clone());
        let Answered { response, lease } = self.client.post(Peer::Own, &self.endpoint.uri, &headers, payload).await?;
        let answer = answer(response).await;
        lease.done();
        answer
    }
}

impl Call for Grpc {
    fn call<'s>(&'s self, message: &'s Message) -> Boxed<'s, Result<Taken, Failure>> {
        Box::pin(self.call(message))
    }

    fn endpoint(&self) -> &str {
        &self.endpoint.shown
    }
}

async fn answer(response: Response<Incoming>) -> Result<Taken, Failure> {
    let (head, incoming) = response.into_parts();
    // An answer without a message has its status in the headers.
    if let Some(status) = Status::from_header_map(&head.headers) {
        return match status.code() {
            Code::Ok => Ok(Taken::default()),
            _ => Err(failure(&status)),
        };
    }
    if head.status != StatusCode::OK {
        let code = BY_HTTP_STATUS.iter().find(|(http, _)| *http == head.status).map_or(Code::Unknown, |row| row.1);
        let failure = failure(&Status::new(code, format!("HTTP status {} instead of a gRPC answer", head.status)));
        return Err(match failure {
            Failure::Retryable(_, text, delay) if head.status == StatusCode::TOO_MANY_REQUESTS => {
                Failure::Retryable(Setback::Throttled, text, delay)
            }
            other => other,
        });
    }
    let read = read(incoming).await?;
    if read.cut {
        return Err(Failure::Permanent(too_long("an answer")));
    }
    match read.trailers.as_ref().and_then(Status::from_header_map) {
        Some(status) if status.code() == Code::Ok => taken(message(&read.body.freeze())?),
        Some(status) => Err(failure(&status)),
        None => Err(Failure::Permanent("an answer without a gRPC status; is this an OTLP/gRPC endpoint?".into())),
    }
}

/// The one message of a successful answer's body.
fn message(body: &Bytes) -> Result<&[u8], Failure> {
    match body.split_first_chunk::<5>() {
        // Some servers end a call with OK and no message at all.
        None if body.is_empty() => Ok(&[]),
        Some(([0, length @ ..], message)) if u32::from_be_bytes(*length) as usize == message.len() => Ok(message),
        // Compression was not offered, so nothing can be said of what is in there.
        _ => Err(Failure::Permanent("a success whose body is not one uncompressed gRPC message".into())),
    }
}

fn failure(status: &Status) -> Failure {
    let code = status.code();
    let text = format!("{} ({})", escaped(status.message(), MESSAGE_LIMIT), name(code));
    let delay = status::Status::decode(status.details()).ok().and_then(|details| details.retry_delay());
    let setback = match code {
        Code::ResourceExhausted => delay.map(|_| Setback::Throttled),
        _ => RETRYABLE.iter().find(|(retryable, _)| *retryable == code).map(|(_, setback)| *setback),
    };
    match setback {
        Some(setback) => Failure::Retryable(setback, text, delay),
        None => Failure::Permanent(text),
    }
}

/// The code as specifications and other programs' logs write it.
fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::status::{Any, Delay, RETRY_INFO, RetryInfo};

    fn with_retry_info(code: Code, delay: Option<i64>) -> Status {
        let retry_delay = delay.map(|seconds| Delay { seconds, nanos: 0 });
        let info = Any { type_url: RETRY_INFO.into(), value: RetryInfo { retry_delay }.encode_to_vec() };
        let details = status::Status { code: code as i32, message: String::new(), details: vec![info] };
        Status::with_details(code, "busy", details.encode_to_vec().into())
    }

    #[test]
    fn what_is_retried_is_the_specifications_table() {
        let retried: Vec<i32> = (1..=16)
            .filter(|code| matches!(failure(&Status::new(Code::from_i32(*code), "")), Failure::Retryable(_, _, None)))
            .collect();
        // CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS.
        assert_eq!(retried, [1, 4, 10, 11, 14, 15]);
    }

    #[test]
    fn retry_info_names_the_delay_and_makes_exhaustion_retryable() {
        let busy = |code, delay| failure(&with_retry_info(code, delay));
        assert!(matches!(
            busy(Code::Unavailable, Some(7)),
            Failure::Retryable(Setback::Unavailable, _, Some(delay)) if delay == Duration::from_secs(7)
        ));
        assert!(matches!(busy(Code::ResourceExhausted, Some(7)), Failure::Retryable(Setback::Throttled, _, Some(_))));
        assert!(matches!(busy(Code::ResourceExhausted, None), Failure::Retryable(..)));
        assert!(matches!(busy(Code::InvalidArgument, Some(7)), Failure::Permanent(_)));
    }

    #[test]
    fn a_success_holds_one_message_or_none() {
        let ok = |bytes: &'static [u8]| message(&Bytes::from_static(bytes)).map(<[u8]>::to_vec);
        assert_eq!(ok(b""), Ok(vec![]));
        assert_eq!(ok(b"\0\0\0\0\0"), Ok(vec![]));
        assert_eq!(ok(b"\0\0\0\0\x02ab"), Ok(b"ab".to_vec()));
        for bad in [&b"\0\0\0\0"[..], b"\x01\0\0\0\x02ab", b"\0\0\0\0\x03ab", b"\0\0\0\0\x01ab", b"\0\xff\xff\xff\xff"]
        {
            assert!(matches!(ok(bad), Err(Failure::Permanent(_))), "{bad:?}");
        }
    }

    #[test]
    fn the_name_of_a_code_is_its_specification_name() {
        for code in 0..=16 {
            let code = Code::from_i32(code);
            assert_eq!(name(code).replace('_', "").to_lowercase(), format!("{code:?}").to_lowercase());
        }
    }
}
