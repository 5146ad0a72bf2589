//! From a receiver's bytes to every exporter: one pass over a batch, the stages in order.
//!
//! A [`Stage`] is configured once and lives as long as its pipeline; for each batch it opens a
//! [`Pass`], which sees every item before any pass sees the next one, and which takes effect on the
//! stage's memory (counters, the ledger) only when the whole batch was accepted. The drop stage is
//! the exception: it files its ids in `finish`, under the lock under which it looked them up.

pub mod account;
pub mod admission;
pub mod run;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use account::OpenItems;
use bytes::Bytes;

use crate::bounded::budget::Claim;
use crate::otlp::Signal;
use crate::otlp::answer::Refusal;
use crate::otlp::log_record::LogRecord;
use crate::otlp::metrics::Metric;
use crate::otlp::span::Span;
use crate::otlp::traces::{Origin, Spans};

/// An encoded `Export*ServiceRequest` on its way.
#[derive(Debug)]
pub struct Batch {
    /// Which request it is.
    pub signal: Signal,
    /// The request in its wire form.
    pub body: Bytes,
    /// The spans, data points or log records in it, until it is known what became of them.
    pub open: OpenItems,
    /// What the pipeline knows of the LLM calls in it; for people, not for other programs.
    pub calls: Arc<[CallNote]>,
}

/// One LLM operation of a batch, for the debug exporter's line.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CallNote {
    /// The span's name after translation, such as `chat gpt-4o`.
    pub name: String,
    /// Input tokens, if said.
    pub input_tokens: Option<i64>,
    /// Output tokens, if said.
    pub output_tokens: Option<i64>,
    /// The span's duration in nanoseconds.
    pub duration_nano: u64,
    /// The dialect that won, such as `litellm`.
    pub dialect: &'static str,
    /// The target that the span was translated to, such as `1.41`.
    pub target: &'static str,
    /// `error.type`, or `error` for a span with status ERROR; `None` if the call succeeded.
    pub error: Option<String>,
}

/// What stages know of an item besides the item itself.
#[derive(Debug)]
pub struct Context<'p, 'a> {
    /// The item's resource and scope.
    pub origin: &'p Origin<'a>,
    /// The whole request as it came, for the rare question that only other items can answer.
    pub body: &'p Bytes,
    /// Set by the `genai` stage for a span that is an LLM operation.
    pub call: Option<CallNote>,
}

/// A processor, or a connector's tap at the end of a pipeline.
pub trait Stage: Send + Sync {
    /// Begins a batch.
    fn pass(&self) -> Box<dyn Pass + Send + '_>;

    /// Begins a batch of items that this stage held back and lets go now (see [`Onward`]).
    fn pass_released(&self) -> Box<dyn Pass + Send + '_> {
        self.pass()
    }
}

/// The way on for what a stage held back. A stage that holds an item takes it out of its batch when
/// the batch is committed; from then on it answers for it, counts it as held, and lets it go here.
pub trait Onward: Send + Sync {
    /// Sends an encoded request through the stage that held its items and all that follow.
    ///
    /// # Errors
    /// A retryable refusal if an exporter has no room; nothing of the request was sent on.
    fn send_on(&self, body: &Bytes) -> Result<(), Refusal>;

    /// Takes held items out of the books that are not sent on, as dropped for `reason`.
    fn dropped(&self, items: usize, reason: &'static str);
}

/// A stage's work on one batch.
pub trait Pass {
    /// One span. Spans that an earlier stage dropped are not shown.
    fn span(&mut self, span: &mut Span<'_>, context: &mut Context<'_, '_>) {
        let _ = (span, context);
    }

    /// One log record. Records that an earlier stage dropped are not shown.
    fn log_record(&mut self, record: &mut LogRecord<'_>, context: &mut Context<'_, '_>) {
        let _ = (record, context);
    }

    /// One metric. Metrics of which earlier stages dropped all points are not shown.
    fn metric(&mut self, metric: &mut Metric<'_>, context: &mut Context<'_, '_>) {
        let _ = (metric, context);
    }

    /// After the last span of the batch.
    fn finish(&mut self, spans: &mut Spans) {
        let _ = spans;
    }

    /// How many of the items that this pass took out it holds back; they leave by [`Onward`].
    fn held(&self) -> usize {
        0
    }

    /// Why the other items that this pass took out are gone, as the books say it.
    fn drop_reason(&self) -> &'static str {
        "dropped"
    }

    /// The batch was accepted: what was learned may take effect. Not called for a refused batch.
    fn commit(self: Box<Self>) {}
}

/// A boxed future.
pub type Boxed<'f, T> = Pin<Box<dyn Future<Output = T> + Send + 'f>>;

/// Where a receiver hands a request to.
pub trait Consumer: Send + Sync {
    /// Asked before a request's body is read, so that an overload costs neither memory nor work.
    /// `bytes` is what the request will hold as far as that is known; the claim on them is the
    /// caller's, who makes it grow before it holds more.
    ///
    /// # Errors
    /// A retryable [`Refusal`] under overload; one for [`Reason::NotFound`](crate::otlp::answer::Reason::NotFound)
    /// if no pipeline takes the signal.
    fn admit(&self, signal: Signal, bytes: usize) -> Result<Claim, Refusal> {
        let _ = (signal, bytes);
        Ok(Claim::default())
    }

    /// Takes responsibility for a request, or says why not. `Ok` is the number of items taken;
    /// only after it may the client be told that its request was accepted.
    fn consume(&self, signal: Signal, body: Bytes) -> Boxed<'_, Result<usize, Refused>>;
}

/// A refusal, and how much was refused.
#[derive(Debug)]
pub struct Refused {
    /// Why.
    pub refusal: Refusal,
    /// The items of the request; zero if they cannot be known.
    pub items: usize,
}

impl From<Refusal> for Refused {
    /// Of a request whose items are not known.
    fn from(refusal: Refusal) -> Self {
        Refused { refusal, items: 0 }
    }
}

/// The end of a pipeline. Room is reserved before a batch is processed, so that no exporter gets a
/// batch that another one then refuses.
pub trait Exporter: Send + Sync {
    /// Reserves room for `bytes`.
    ///
    /// # Errors
    /// A retryable [`Refusal`] if there is no room.
    fn reserve(&self, signal: Signal, bytes: usize) -> Result<Box<dyn Permit + '_>, Refusal>;
}

/// Reserved room in an exporter; given back if dropped unused.
pub trait Permit: Send {
    /// Hands over the batch. Its size may differ from what was reserved.
    fn send(self: Box<Self>, batch: Batch) -> Receipt;
}

/// What an exporter says of a batch that it was handed.
pub enum Receipt {
    /// It has it.
    Taken,
    /// It has it and is writing it down: an acknowledgement must wait for the end of that. A retryable
    /// refusal says that it could not be written; the batch is delivered all the same, if the program
    /// lives so long. Dropping the future changes nothing.
    Pending(Boxed<'static, Result<(), Refusal>>),
}

impl Receipt {
    /// Waits until an acknowledgement may be given.
    ///
    /// # Errors
    /// Why none may.
    pub async fn wait(self) -> Result<(), Refusal> {
        match self {
            Receipt::Taken => Ok(()),
            Receipt::Pending(written) => written.await,
        }
    }
}
