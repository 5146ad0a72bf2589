//! One HTTP client under both transports: connections, the request's body, and the bounded reading
//! of what comes back. What an answer means is in [`super::grpc`] and [`super::http`].

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::buf::Chain;
use bytes::{Buf, Bytes, BytesMut};
use http::header::{HeaderMap, HeaderName, HeaderValue, PROXY_AUTHORIZATION, USER_AGENT};
use http::{Method, Request, Response, Uri};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client as Hyper;
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use prost::Message as _;
use thiserror::Error;

use super::observe::Setback;
use super::proxy::{Proxies, Route};
use super::retry::Failure;
use super::settings::{Keepalive, Transport};
use super::tls::Connector;
use crate::auth::Credentials;
use crate::config::Secret;
use crate::otlp::response::ExportResponse;
use crate::text::{chain, escaped};

/// How much of an answer is read, and more is a failure for good (OTLP 1.11, "Response size").
const ANSWER_LIMIT: usize = 4 << 20;

/// How much of a refusal's words is read: they are cut for the log anyway.
const WORDS_LIMIT: usize = 64 << 10;

/// How much of a backend's message goes into a log line, in characters.
pub(crate) const MESSAGE_LIMIT: usize = 300;

/// What a backend took.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Items that it refused for good, while it took the rest.
    pub(crate) rejected: usize,
    /// Why, or a warning if nothing was rejected; escaped and cut.
    pub(crate) message: String,
}

/// A configured header that cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// Not a header's name.
    #[error("headers: {name:?} is no header name; expected letters, digits and dashes")]
    Name {
        /// What was said.
        name: String,
    },
    /// Not a header's value. It is not repeated: it is a secret.
    #[error("headers: the value of {name:?} has a character that no header can have, such as a line break")]
    Value {
        /// The header's name.
        name: String,
    },
}

/// Sends requests with the configured headers.
pub(crate) struct Client {
    hyper: Hyper<Connector, Payload>,
    headers: HeaderMap,
    credentials: Option<Arc<Credentials>>,
    transport: Transport,
    proxies: Arc<Proxies>,
}

/// To whom a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    /// The configured endpoint, for which the configured headers are.
    Own,
    /// Whom the endpoint redirected to: the configured headers, which hold its credentials, stay out.
    Other,
}

/// An answer that has begun to come.
pub(crate) struct Answered {
    pub(crate) response: Response<Incoming>,
    pub(crate) lease: Lease,
}

/// The use of a connection by one request. Given up before the answer is whole, which is what a
/// timeout does, it keeps later requests off that connection: a peer that vanished without a word
/// answers none of them either, and TCP itself takes a quarter of an hour to notice. What else is
/// under way on the connection may still end there.
pub(crate) struct Lease(Option<CaptureConnection>);

impl Lease {
    /// The answer is whole.
    pub(crate) fn done(mut self) {
        self.0 = None;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take()
            && let Some(connection) = connection.connection_metadata().as_ref()
        {
            connection.poison();
        }
    }
}

impl Client {
    /// A client of one exporter.
    pub(crate) fn new(
        transport: Transport,
        connector: Connector,
        headers: &[(String, Secret)],
        credentials: Option<Arc<Credentials>>,
        keepalive: Option<Keepalive>,
        proxies: Arc<Proxies>,
    ) -> Result<Self, HeaderError> {
        let mut hyper = Hyper::builder(TokioExecutor::new());
        hyper.timer(TokioTimer::new()).pool_timer(TokioTimer::new()).http2_only(transport == Transport::Grpc);
        if let Some(keepalive) = keepalive {
            hyper
                .http2_keep_alive_interval(keepalive.time)
                .http2_keep_alive_timeout(keepalive.timeout)
                .http2_keep_alive_while_idle(keepalive.permit_without_stream);
        }
        Ok(Client { hyper: hyper.build(connector), headers: header_map(headers)?, credentials, transport, proxies })
    }

    /// Posts `payload`. `headers` are the transport's own; they win over the configured ones.
    pub(crate) async fn post(
        &self,
        peer: Peer,
        uri: &Uri,
        headers: &HeaderMap,
        payload: Payload,
    ) -> Result<Answered, Failure> {
        let mut request = Request::new(payload);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri.clone();
        *request.headers_mut() = match peer {
            Peer::Own => self.headers.clone(),
            Peer::Other => HeaderMap::from_iter([(USER_AGENT, AGENT)]),
        };
        if let (Peer::Own, Some(credentials)) = (peer, &self.credentials) {
            let (name, value) = credentials.header();
            request.headers_mut().insert(name, value);
        }
        // Unlike `extend`, this replaces all values of a name.
        for (name, value) in headers {
            request.headers_mut().insert(name, value.clone());
        }
        // Meant for the proxy that reads the request, and for nobody behind it.
        if let Route::Forward(proxy) = self.proxies.route(self.transport, uri)
            && let Some(authorization) = &proxy.authorization
        {
            request.headers_mut().insert(PROXY_AUTHORIZATION, authorization.clone());
        }
        let lease = Lease(Some(capture_connection(&mut request)));
        match self.hyper.request(request).await {
            Ok(response) => Ok(Answered { response, lease }),
            // No answer at all is always worth another attempt.
            Err(error) => Err(Failure::Retryable(Setback::Connection, chain(&error), None)),
        }
    }
}

const AGENT: HeaderValue = HeaderValue::from_static(concat!("dragoman/", env!("CARGO_PKG_VERSION")));

fn header_map(configured: &[(String, Secret)]) -> Result<HeaderMap, HeaderError> {
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, AGENT);
    for (name, value) in configured {
        let key: HeaderName = name.parse().map_err(|_| HeaderError::Name { name: name.clone() })?;
        let mut value = HeaderValue::from_str(value.reveal()).map_err(|_| HeaderError::Value { name: name.clone() })?;
        // Keeps it out of debug output, and out of the peer's header compression table.
        value.set_sensitive(true);
        headers.insert(key, value);
    }
    Ok(headers)
}

/// A request's body: what stands before the message (gRPC's five bytes, or nothing) and the message,
/// as one frame and without a copy.
#[derive(Debug)]
pub(crate) struct Payload {
    prefix: Bytes,
    message: Option<Bytes>,
}

impl Payload {
    /// A body.
    pub(crate) fn new(prefix: Bytes, message: Bytes) -> Self {
        Payload { prefix, message: Some(message) }
    }
}

impl Body for Payload {
    type Data = Chain<Bytes, Bytes>;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let message = self.message.take();
        Poll::Ready(message.map(|message| Ok(Frame::data(std::mem::take(&mut self.prefix).chain(message)))))
    }

    fn is_end_stream(&self) -> bool {
        self.message.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let message = self.message.as_ref().map_or(0, Bytes::len);
        match self.prefix.is_empty() {
            true => SizeHint::with_exact(message as u64),
            // A gRPC request has no content-length.
            false => SizeHint::default(),
        }
    }
}

/// An answer's body, as far as it was read.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// At most as many bytes as were asked for.
    pub(crate) body: BytesMut,
    /// What stood after it.
    pub(crate) trailers: Option<HeaderMap>,
    /// Whether there was more.
    pub(crate) cut: bool,
}

/// Reads a successful answer's body up to what OTLP lets a client read.
pub(crate) async fn read(incoming: Incoming) -> Result<Read, Failure> {
    read_to(incoming, ANSWER_LIMIT).await
}

/// Reads the words of a refusal, or their begin.
pub(crate) async fn read_words(incoming: Incoming) -> BytesMut {
    read_to(incoming, WORDS_LIMIT).await.unwrap_or_default().body
}

async fn read_to(mut incoming: Incoming, limit: usize) -> Result<Read, Failure> {
    let mut read = Read::default();
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| Failure::Retryable(Setback::Connection, chain(&error), None))?;
        match frame.into_data() {
            Ok(data) if data.len() > limit - read.body.len() => {
                read.cut = true;
                return Ok(read);
            }
            Ok(data) => read.body.extend_from_slice(&data),
            Err(frame) => read.trailers = frame.into_trailers().ok(),
        }
    }
    Ok(read)
}

/// Reads the message of a successful answer, of whichever signal.
pub(crate) fn taken(message: &[u8]) -> Result<Taken, Failure> {
    let response = ExportResponse::decode(message)
        .map_err(|error| Failure::Permanent(format!("a success whose body is no Export*ServiceResponse: {error}")))?;
    Ok(response.partial_success.map_or_else(Taken::default, |partial| Taken {
        rejected: usize::try_from(partial.rejected).unwrap_or_default(),
        message: escaped(&partial.error_message, MESSAGE_LIMIT),
    }))
}

/// What is said of an answer that was longer than the limit.
pub(crate) fn too_long(what: &str) -> String {
    format!("{what} with a body of more than {ANSWER_LIMIT} bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_stay_out_of_debug_output_and_errors() {
        let secret = |value: &str| vec![("authorization".to_owned(), value.into())];
        let headers = header_map(&secret("Bearer hunter2")).unwrap();
        assert_eq!(headers["authorization"], "Bearer hunter2");
        assert!(!format!("{headers:?}").contains("hunter2"));
        let error = header_map(&secret("hunter2\r\nx: y")).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
        let error = header_map(&[("a b".into(), "hunter2".into())]).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }

    #[test]
    fn a_negative_count_of_rejected_items_is_none() {
        let response = ExportResponse {
            partial_success: Some(crate::otlp::response::PartialSuccess { rejected: -5, error_message: "a\nb".into() }),
        };
        let expected = Taken { rejected: 0, message: "a\\nb".into() };
        assert_eq!(taken(&response.encode_to_vec()), Ok(expected));
    }
}
