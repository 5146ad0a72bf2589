//! OTLP/HTTP: protobuf and JSON over POST (OTLP 1.11, "OTLP/HTTP").

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, HOST};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, Version};
use http_body::Body;
use hyper::body::Incoming;

use super::access::Access;
use super::body::{gather, linger};
use super::intake::{Intake, Transport, plain};
use super::reply::{self, Format, Reply};
use super::{grpc, settings};
use crate::bounded::budget::Claim;
use crate::net::Handler;
use crate::otlp::Signal;
use crate::otlp::answer::{Reason, Refusal};
use crate::otlp::compression::Compression;
use crate::otlp::span::Span;
use crate::otlp::traces::{self, Origin, Visitor};
use crate::pipeline::Refused;

/// The handler of the HTTP listener.
#[derive(Debug)]
pub struct Http {
    pub(super) intake: Intake,
    pub(super) settings: settings::Http,
    pub(super) access: Access,
}

impl Handler for Http {
    type Body = Reply;

    async fn handle(&self, request: Request<Incoming>) -> Response<Reply> {
        let (head, mut body) = request.into_parts();
        let format = Format::of(&head.headers);
        let route = Route::of(head.uri.path());
        let work = self.take(&head, &mut body, format, route);
        let done = self.intake.run(Transport::Http, route.map(|route| route.signal), work).await;
        let Err(refusal) = done else {
            return reply::success(format.unwrap_or(Format::Protobuf));
        };
        // Who is not let in has no claim on the connection for as long as a body may take.
        let lingers = !matches!(refusal.reason, Reason::Timeout | Reason::Unauthenticated);
        if head.version < Version::HTTP_2 && lingers && !body.is_end_stream() {
            drop(tokio::spawn(linger(body, self.settings.connection.body_timeout)));
        }
        match reply::media_type(&head.headers) {
            Some(kind) if grpc::is_grpc(kind) => grpc::refusal(&refusal),
            _ => {
                let mut response = reply::refusal(format, &refusal);
                self.access.challenge(&mut response);
                response
            }
        }
    }
}

impl Http {
    async fn take(
        &self,
        head: &Parts,
        body: &mut Incoming,
        format: Option<Format>,
        route: Option<Route>,
    ) -> Result<(Signal, usize), Refused> {
        self.access.check(&head.headers).await?;
        if head.version == Version::HTTP_11 && head.headers.get_all(HOST).iter().count() != 1 {
            return Err(Refusal::new(Reason::Malformed, "expected one Host header (RFC 9112, section 3.2)").into());
        }
        let (format, route) = check(head, format, route)?;
        let compression = compression(&head.headers)?;
        let announced = self.announced(body)?;
        let (request, claim) = self.intake.admit(route.signal, head, announced)?;
        let sent = self.read(body, announced, claim).await?;
        let sent = plain(compression, sent, self.settings.max_body_bytes, &request).await?;
        let wire = match format {
            Format::Protobuf => sent,
            Format::Json => self.intake.transcoded(route.signal, sent, &request).await?,
        };
        if route.guessed && !is_traces(&wire) {
            return Err(Refusal::new(
                Reason::NotFound,
                "only traces are taken at /, and this body holds none; expected POST to /v1/traces, /v1/metrics or /v1/logs",
            )
            .into());
        }
        self.intake.deliver(route.signal, wire).await
    }

    /// The length that Content-Length says, if it says one.
    fn announced(&self, body: &Incoming) -> Result<Option<usize>, Refusal> {
        let Some(announced) = body.size_hint().exact() else { return Ok(None) };
        let announced = usize::try_from(announced).unwrap_or(usize::MAX);
        if announced > self.settings.max_body_bytes { Err(self.too_large("as announced")) } else { Ok(Some(announced)) }
    }

    async fn read(&self, body: &mut Incoming, announced: Option<usize>, claim: Claim) -> Result<Bytes, Refusal> {
        gather(body, self.settings.connection.body_timeout, claim, |gathered| {
            if gathered.len() > self.settings.max_body_bytes { Err(self.too_large("as sent")) } else { Ok(announced) }
        })
        .await
    }

    fn too_large(&self, what: &str) -> Refusal {
        let limit = self.settings.max_body_bytes;
        let message = format!("the body {what} is over the limit of {limit} bytes (max_request_body_size)");
        Refusal::new(Reason::TooLarge, message)
    }
}

/// What a path asks for.
#[derive(Debug, Clone, Copy)]
struct Route {
    signal: Signal,
    /// The path does not name the signal.
    guessed: bool,
}

impl Route {
    /// LiteLLM before 1.80, given the base URL that `OTEL_EXPORTER_OTLP_ENDPOINT` is, posts its traces
    /// to `/`; so `/` is taken for traces if that is what the body holds.
    fn of(path: &str) -> Option<Route> {
        match path {
            "/" => Some(Route { signal: Signal::Traces, guessed: true }),
            _ => Signal::from_http_path(path).map(|signal| Route { signal, guessed: false }),
        }
    }
}

/// What a request's head must be before its body is worth reading.
fn check(head: &Parts, format: Option<Format>, route: Option<Route>) -> Result<(Format, Route), Refusal> {
    let path = head.uri.path();
    if reply::media_type(&head.headers).is_some_and(grpc::is_grpc) {
        return Err(Refusal::new(
            Reason::UnsupportedEncoding,
            "this endpoint speaks OTLP/HTTP; OTLP/gRPC has its own (port 4317 by default)",
        ));
    }
    let Some(route) = route else {
        let message = format!("no such path: {path:.100}; expected /v1/traces, /v1/metrics or /v1/logs");
        return Err(Refusal::new(Reason::NotFound, message));
    };
    if head.method != Method::POST {
        let message = format!("{:.20} {path}: expected POST", head.method.as_str());
        return Err(Refusal::new(Reason::MethodNotAllowed, message));
    }
    let Some(format) = format else {
        let found = reply::media_type(&head.headers).unwrap_or("none");
        let message = format!("Content-Type {found:.100}: expected application/x-protobuf or application/json");
        return Err(Refusal::new(Reason::UnsupportedEncoding, message));
    };
    Ok((format, route))
}

/// The one compression that Content-Encoding names, if any.
fn compression(headers: &HeaderMap) -> Result<Option<Compression>, Refusal> {
    let unsupported = |message| Refusal::new(Reason::UnsupportedEncoding, message);
    let mut found = None;
    for value in headers.get_all(CONTENT_ENCODING) {
        let value = value.to_str().map_err(|_| unsupported("Content-Encoding is not text".to_owned()))?;
        for name in value.split(',') {
            let named = Compression::from_name(name.trim()).map_err(|error| unsupported(error.to_string()))?;
            if found.is_some() && named.is_some() {
                return Err(unsupported("more than one compression on a body is not supported".to_owned()));
            }
            found = found.or(named);
        }
    }
    Ok(found)
}

/// Whether a request that does not say so holds traces: a metric or a log record, read as a span,
/// has no valid trace id. An empty request is one of any signal.
fn is_traces(wire: &Bytes) -> bool {
    struct Invalid(usize);
    impl Visitor for Invalid {
        fn span(&mut self, span: &mut Span<'_>, _: &Origin<'_>) {
            self.0 += usize::from(span.trace_id().is_none() || span.span_id().is_none());
        }
    }
    let mut invalid = Invalid(0);
    traces::edit(wire, &mut invalid).is_ok() && invalid.0 == 0
}
