//! OTLP/gRPC: a unary `Export` for each signal (OTLP 1.11, "OTLP/gRPC").
//!
//! The frame of a gRPC message is five bytes, so it is read here rather than by tonic's server codec:
//! that one answers OUT_OF_RANGE for an oversized message, which OTLP clients resend for ever,
//! takes a truncated deflate stream and the first of several gzip members for the whole message, and
//! leaves it to its caller to notice a second message. What the two transports accept is now one thing.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Version};
use http_body::Body;
use hyper::body::Incoming;
use prost::Message;

use super::access::Access;
use super::body::gather;
use super::intake::{Intake, Transport, plain};
use super::reply::{self, Format, Reply};
use super::settings;
use crate::net::Handler;
use crate::otlp::answer::{Reason, Refusal};
use crate::otlp::compression::Compression;
use crate::otlp::status::Status;
use crate::otlp::{Signal, grpc_frame};
use crate::pipeline::Refused;

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// The handler of the gRPC listener.
#[derive(Debug)]
pub struct Grpc {
    pub(super) intake: Intake,
    pub(super) settings: settings::Grpc,
    pub(super) access: Access,
}

impl Handler for Grpc {
    type Body = Reply;

    async fn handle(&self, request: Request<Incoming>) -> Response<Reply> {
        let (head, mut body) = request.into_parts();
        let signal = Signal::from_grpc_path(head.uri.path());
        let work = self.take(&head, &mut body, signal);
        match self.intake.run(Transport::Grpc, signal, work).await {
            Ok(()) => success(),
            Err(refused) if speaks_grpc(&head) => refusal(&refused),
            Err(refused) => {
                let mut response = reply::refusal(Format::of(&head.headers), &refused);
                self.access.challenge(&mut response);
                response
            }
        }
    }
}

impl Grpc {
    async fn take(
        &self,
        head: &Parts,
        body: &mut Incoming,
        signal: Option<Signal>,
    ) -> Result<(Signal, usize), Refused> {
        self.access.check(&head.headers).await?;
        let (signal, compression) = check(head, signal)?;
        let announced = body.size_hint().exact().and_then(|announced| usize::try_from(announced).ok());
        let (request, claim) = self.intake.admit(signal, head, announced)?;
        let limit = self.settings.max_message_bytes;
        let come = |come: &[u8]| grpc_frame::expect(come, limit);
        let frame = gather(body, self.settings.connection.body_timeout, claim, come).await?;
        let (compressed, message) = grpc_frame::message(frame)?;
        let compression = match (compressed, compression) {
            (false, _) => None,
            (true, Some(compression)) => Some(compression),
            (true, None) => {
                let message = "the message says that it is compressed, but no grpc-encoding says how";
                return Err(Refusal::new(Reason::Malformed, message).into());
            }
        };
        let message = plain(compression, message, limit, &request).await?;
        self.intake.deliver(signal, message).await
    }
}

/// Whether a media type is gRPC with protobuf messages. gRPC-Web is another protocol.
pub(super) fn is_grpc(media_type: &str) -> bool {
    ["application/grpc", "application/grpc+proto"].iter().any(|grpc| grpc.eq_ignore_ascii_case(media_type))
}

/// A refusal in the trailers-only form of gRPC. `RetryInfo` is in it if the client may come back.
pub(super) fn refusal(refusal: &Refusal) -> Response<Reply> {
    let status = Status::of(&reply::shortened(refusal));
    let details = if status.details.is_empty() { Bytes::new() } else { status.encode_to_vec().into() };
    let status = tonic::Status::with_details(tonic::Code::from_i32(status.code), status.message, details);
    let mut response = status.into_http::<Reply>();
    response.headers_mut().insert(GRPC_ACCEPT_ENCODING, HeaderValue::from_static(Compression::ACCEPTED));
    response
}

/// An empty `Export*ServiceResponse`: `partial_success` is unset, since all was taken.
fn success() -> Response<Reply> {
    let trailers = HeaderMap::from_iter([(GRPC_STATUS, HeaderValue::from_static("0"))]);
    let mut response = Response::new(Reply::new(Bytes::from_static(&[0; grpc_frame::PREFIX])).with_trailers(trailers));
    response.headers_mut().insert(CONTENT_TYPE, GRPC);
    response.headers_mut().insert(GRPC_ACCEPT_ENCODING, HeaderValue::from_static(Compression::ACCEPTED));
    response
}

fn speaks_grpc(head: &Parts) -> bool {
    head.version == Version::HTTP_2 && reply::media_type(&head.headers).is_some_and(is_grpc)
}

/// What a request's head must be before its body is worth reading.
fn check(head: &Parts, signal: Option<Signal>) -> Result<(Signal, Option<Compression>), Refusal> {
    if !speaks_grpc(head) {
        return Err(Refusal::new(
            Reason::UnsupportedEncoding,
            "this endpoint speaks OTLP/gRPC: expected HTTP/2 and content type application/grpc; \
             OTLP/HTTP has its own endpoint (port 4318 by default)",
        ));
    }
    if head.method != Method::POST {
        let message = format!("method {:.20}: expected POST", head.method.as_str());
        return Err(Refusal::new(Reason::MethodNotAllowed, message));
    }
    let Some(signal) = signal else {
        let message = format!("unknown service or method: {:.200}; expected Export of OTLP", head.uri.path());
        return Err(Refusal::new(Reason::NotFound, message));
    };
    let encoding = head.headers.get(GRPC_ENCODING).map_or(Ok(""), HeaderValue::to_str);
    let compression = Compression::from_name(encoding.unwrap_or("not text"))
        .map_err(|error| Refusal::new(Reason::UnsupportedEncoding, error.to_string()))?;
    Ok((signal, compression))
}
