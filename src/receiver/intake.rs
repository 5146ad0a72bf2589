//! What both transports do with a request's body once they have it, and what they report.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;

use super::Consumer;
use super::body::UNKNOWN;
use crate::bounded::budget::Claim;
use crate::bounded::buffer::Buffer;
use crate::bounded::work::{Work, aside};
use crate::defect;
use crate::otlp::Signal;
use crate::otlp::answer::{Reason, Refusal};
use crate::otlp::compression::{Compression, DecompressError, decompress_into};
use crate::pipeline::Refused;

/// What a request takes beside its head's text and its body: the task, the state of its stream.
const REQUEST: usize = 1 << 10;

/// Brings an OTLP/JSON request into its wire form, within what it can claim; the refusal says what was
/// wrong and where.
pub type JsonDecoder = fn(Signal, &[u8], Claim) -> Result<Buffer, Refusal>;

/// How a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP.
    Http,
}

impl Transport {
    /// As in metric labels: `grpc`, `http`.
    pub const fn name(self) -> &'static str {
        match self {
            Transport::Grpc => "grpc",
            Transport::Http => "http",
        }
    }
}

/// Keeps the books of a receiver. Called once for every request.
pub trait Observer: Send + Sync {
    /// A request was taken, and its client is told so now.
    fn accepted(&self, signal: Signal, transport: Transport, items: usize);

    /// A request was refused. `signal` is `None` where the path names none; `items` is what could
    /// be counted, 0 for a body that was not read or is malformed.
    fn refused(&self, signal: Option<Signal>, transport: Transport, reason: Reason, items: usize);

    /// A connection ended before it could ask anything: its TLS handshake failed.
    fn handshake_failed(&self, _transport: Transport) {}
}

/// What a receiver works with.
#[derive(Clone)]
pub struct Intake {
    /// Where requests go.
    pub consumer: Arc<dyn Consumer>,
    /// Who counts them.
    pub observer: Arc<dyn Observer>,
    /// How OTLP/JSON is read.
    pub json: JsonDecoder,
}

impl fmt::Debug for Intake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Intake").finish_non_exhaustive()
    }
}

impl Intake {
    /// Does the work of one request, whatever becomes of it: reports it, and turns a panic into a
    /// refusal of this one request.
    pub(super) async fn run(
        &self,
        transport: Transport,
        signal: Option<Signal>,
        work: impl Future<Output = Result<(Signal, usize), Refused>>,
    ) -> Result<(), Refusal> {
        let done = defect::caught(work).await.unwrap_or_else(|panic| {
            tracing::error!(transport = transport.name(), panic, "a request could not be handled; this is a defect");
            Err(Refusal::new(Reason::Internal, "the request could not be handled; this is a defect of the receiver")
                .into())
        });
        match done {
            Ok((signal, items)) => {
                self.observer.accepted(signal, transport, items);
                Ok(())
            }
            Err(Refused { refusal, items }) => {
                tracing::debug!(transport = transport.name(), ?signal, %refusal, "request refused");
                self.observer.refused(signal, transport, refusal.reason, items);
                Err(refusal)
            }
        }
    }

    /// Asks whether a request may come in, and claims what it will hold before anything of its body is
    /// read: `announced` bytes, or the first few of a body of unknown length. The first claim is for
    /// the request as long as it lasts, the second one for its body.
    pub(super) fn admit(
        &self,
        signal: Signal,
        head: &Parts,
        announced: Option<usize>,
    ) -> Result<(Claim, Claim), Refusal> {
        let body = announced.unwrap_or(UNKNOWN);
        let text: usize = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        let bytes = body.saturating_add(REQUEST + head.uri.path().len() + text);
        let mut request = self.consumer.admit(signal, bytes)?;
        let body = request.split(body);
        Ok((request, body))
    }

    /// The wire form of a request that came as OTLP/JSON.
    pub(super) async fn transcoded(&self, signal: Signal, text: Bytes, request: &Claim) -> Result<Bytes, Refusal> {
        let claim = request.beside(request.bytes() + text.len());
        let wire = aside(Work::Transcode(text.len()), || (self.json)(signal, &text, claim)).await?;
        drop(text);
        Ok(wire.freeze()?)
    }

    /// Hands a request in its wire form to the consumer.
    pub(super) async fn deliver(&self, signal: Signal, body: Bytes) -> Result<(Signal, usize), Refused> {
        Ok((signal, self.consumer.consume(signal, body).await?))
    }
}

/// A body as it was before it was compressed, if it was.
pub(super) async fn plain(
    compression: Option<Compression>,
    body: Bytes,
    limit: usize,
    request: &Claim,
) -> Result<Bytes, Refusal> {
    let Some(compression) = compression else { return Ok(body) };
    let output = Buffer::new(request.beside(request.bytes() + body.len()));
    let work = || decompress_into(output, compression, &body, limit);
    let plain = aside(Work::Decompress(body.len()), work).await.map_err(|error| match error {
        DecompressError::NoMemory(spent) => spent.into(),
        DecompressError::TooLarge { .. } => Refusal::new(Reason::TooLarge, error.to_string()),
        DecompressError::Corrupt { .. } => Refusal::new(Reason::Malformed, error.to_string()),
    })?;
    drop(body);
    Ok(plain.freeze()?)
}
