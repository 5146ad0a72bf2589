//! Answers: the body type of both transports, and OTLP/HTTP's success and error bodies.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, ALLOW, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use prost::Message;

use crate::otlp::answer::{Reason, Refusal};
use crate::otlp::compression::Compression;
use crate::otlp::status::Status;

/// A client's message is for a person: more than this many bytes would only strain the header
/// limits of gRPC clients, which end at 8 KiB.
const MESSAGE_BYTES: usize = 1024;

/// The body of an answer: some bytes, some trailers, either or none.
#[derive(Debug, Default)]
pub struct Reply {
    data: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl Reply {
    pub(super) fn new(data: Bytes) -> Self {
        Reply { data: (!data.is_empty()).then_some(data), trailers: None }
    }

    pub(super) fn with_trailers(self, trailers: HeaderMap) -> Self {
        Reply { trailers: Some(trailers), ..self }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let data = self.data.take().map(Frame::data);
        let frame = data.or_else(|| self.trailers.take().map(Frame::trailers));
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.data.as_ref().map_or(0, Bytes::len) as u64)
    }
}

/// The two encodings of OTLP/HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// `application/x-protobuf`.
    Protobuf,
    /// `application/json`.
    Json,
}

impl Format {
    /// What a request's Content-Type names, parameters (`; charset=utf-8`) aside.
    pub(super) fn of(headers: &HeaderMap) -> Option<Format> {
        let kind = media_type(headers)?;
        let formats = [Format::Protobuf, Format::Json];
        formats.into_iter().find(|format| format.media_type().eq_ignore_ascii_case(kind))
    }

    const fn media_type(self) -> &'static str {
        match self {
            Format::Protobuf => "application/x-protobuf",
            Format::Json => "application/json",
        }
    }
}

/// The media type of a Content-Type without its parameters.
pub(super) fn media_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    value.split(';').next().map(str::trim)
}

/// An empty `Export*ServiceResponse`: `partial_success` is unset, since all was taken.
pub(super) fn success(format: Format) -> Response<Reply> {
    let body = match format {
        Format::Protobuf => Bytes::new(),
        Format::Json => Bytes::from_static(b"{}"),
    };
    response(StatusCode::OK, format, body)
}

/// A refusal with its `google.rpc.Status`, in the request's encoding as OTLP 1.11 demands, or as
/// JSON, which people can read, where the request's is unknown.
pub(super) fn refusal(format: Option<Format>, refusal: &Refusal) -> Response<Reply> {
    let format = format.unwrap_or(Format::Json);
    let status = Status::of(&shortened(refusal));
    let body = match format {
        Format::Protobuf => status.encode_to_vec(),
        Format::Json => status.to_json(),
    };
    let code = StatusCode::from_u16(refusal.reason.answer().http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = response(code, format, body.into());
    let headers = response.headers_mut();
    match refusal.reason {
        Reason::MethodNotAllowed => {
            headers.insert(ALLOW, HeaderValue::from_static("POST"));
        }
        Reason::UnsupportedEncoding => {
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(Compression::ACCEPTED));
        }
        _ => {}
    }
    if let Some(after) = refusal.retry_after {
        // Whole seconds: rounded up, so that nobody comes too early.
        let seconds = after.as_secs().saturating_add(u64::from(after.subsec_nanos() > 0)).max(1);
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// The refusal with a message of bounded length.
pub(super) fn shortened(refusal: &Refusal) -> Refusal {
    let mut refusal = refusal.clone();
    if refusal.message.len() > MESSAGE_BYTES {
        let end = (0..=MESSAGE_BYTES).rev().find(|&at| refusal.message.is_char_boundary(at)).unwrap_or(0);
        refusal.message.truncate(end);
        refusal.message.push('…');
    }
    refusal
}

fn response(code: StatusCode, format: Format, body: Bytes) -> Response<Reply> {
    let mut response = Response::new(Reply::new(body));
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn retry_after_is_rounded_up_to_whole_seconds() {
        let mut refused = Refusal::new(Reason::QueueFull, "full");
        for (delay, header) in [(1, "1"), (1000, "1"), (1001, "2")] {
            refused.retry_after = Some(Duration::from_millis(delay));
            assert_eq!(refusal(None, &refused).headers()[RETRY_AFTER], header);
        }
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let refused = Refusal::new(Reason::Malformed, "é".repeat(10_000));
        let cut = shortened(&refused).message;
        assert!(cut.len() <= MESSAGE_BYTES + '…'.len_utf8() && cut.ends_with("é…"));
    }
}
