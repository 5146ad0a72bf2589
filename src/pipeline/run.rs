//! A running pipeline: admission, the stages in one pass, then every exporter; and the fan-out
//! from a receiver to all pipelines of a signal.
//!
//! Nothing is processed before there is room for it everywhere, and nobody gets a batch before all
//! pipelines have processed it: a refusal leaves no copy behind.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use super::{Batch, Boxed, CallNote, Consumer, Context, Exporter, Pass, Permit, Stage};
use crate::metrics::own::{Counter, known};
use crate::otlp::Signal;
use crate::otlp::answer::{Reason, Refusal};
use crate::otlp::check;
use crate::otlp::span::Span;
use crate::otlp::traces::{self, Origin, Spans, Visitor};

/// Says whether a request may come in now.
pub trait Admission: Send + Sync {
    /// Called before anything is done with a request.
    ///
    /// # Errors
    /// A retryable refusal.
    fn admit(&self) -> Result<(), Refusal>;
}

/// One pipeline of the configuration.
pub struct Pipeline {
    /// As in the configuration: `traces`, `traces/name`, ...
    pub id: String,
    /// What it carries.
    pub signal: Signal,
    /// Asked in turn before a request is taken.
    pub admission: Vec<Arc<dyn Admission>>,
    /// Processors, then connectors' taps, in order; the books of those that have some.
    pub stages: Vec<(Arc<dyn Stage>, Option<known::Processor>)>,
    /// Who gets the batch.
    pub exporters: Vec<Sink>,
    /// What came in and what was dropped.
    pub counts: Counts,
}

/// An exporter, and where it is counted that it had no room.
#[derive(Clone)]
pub struct Sink {
    /// The exporter.
    pub exporter: Arc<dyn Exporter>,
    /// Items whose request was refused because this exporter's queue was full.
    pub enqueue_failed: Option<known::PerSignal>,
}

/// Items of a pipeline, since the start.
#[derive(Debug, Default)]
pub struct Counts {
    /// Taken from receivers.
    pub incoming: AtomicU64,
    /// Handed to exporters.
    pub outgoing: AtomicU64,
}

struct Processed {
    body: Bytes,
    received: usize,
    kept: usize,
    calls: Arc<[CallNote]>,
}

impl Pipeline {
    fn admit(&self) -> Result<(), Refusal> {
        self.admission.iter().try_for_each(|admission| admission.admit())
    }

    fn reserve(&self, body: &Bytes) -> Result<Vec<Box<dyn Permit + '_>>, Refusal> {
        let mut permits = Vec::with_capacity(self.exporters.len());
        for sink in &self.exporters {
            let permit = sink.exporter.reserve(self.signal, body.len()).inspect_err(|_| {
                if let Some(failed) = &sink.enqueue_failed {
                    failed.add(self.signal, check::count(self.signal, body));
                }
            })?;
            permits.push(permit);
        }
        Ok(permits)
    }

    fn process(&self, body: &Bytes) -> Result<Processed, Refusal> {
        if self.signal != Signal::Traces {
            let items = check::check(self.signal, body).map_err(|error| malformed(self.signal, &error))?;
            return Ok(Processed { body: body.clone(), received: items, kept: items, calls: Arc::default() });
        }
        let mut visitor = Fused {
            body,
            passes: self.stages.iter().map(|(stage, books)| (stage.pass(), books.as_ref(), 0)).collect(),
            calls: Vec::new(),
        };
        let outcome = traces::edit(body, &mut visitor).map_err(|error| malformed(self.signal, &error))?;
        visitor.commit(outcome.kept as u64);
        Ok(Processed {
            body: outcome.body,
            received: outcome.received,
            kept: outcome.kept,
            calls: visitor.calls.into(),
        })
    }

    fn send(&self, processed: Processed, permits: Vec<Box<dyn Permit + '_>>) {
        self.counts.incoming.fetch_add(processed.received as u64, Ordering::Relaxed);
        self.counts.outgoing.fetch_add(processed.kept as u64, Ordering::Relaxed);
        // Empty envelopes need not be made by a forwarder (OTLP 1.11).
        if processed.kept == 0 {
            return;
        }
        let batch = Batch { signal: self.signal, body: processed.body, items: processed.kept, calls: processed.calls };
        let mut permits = permits.into_iter().peekable();
        while let Some(permit) = permits.next() {
            match permits.peek() {
                Some(_) => permit.send(batch.clone()),
                None => return permit.send(batch),
            }
        }
    }
}

fn malformed(signal: Signal, error: &crate::otlp::wire::WireError) -> Refusal {
    Refusal::new(Reason::Malformed, format!("not a valid OTLP {signal} request: {error}"))
}

/// All stages as one visitor: each span passes every stage before the next span is read.
struct Fused<'s> {
    body: &'s Bytes,
    /// The passes in order, each with its books and how many spans it was shown.
    passes: Vec<(Box<dyn Pass + Send + 's>, Option<&'s known::Processor>, u64)>,
    calls: Vec<CallNote>,
}

impl Visitor for Fused<'_> {
    fn span(&mut self, span: &mut Span<'_>, origin: &Origin<'_>) {
        let mut context = Context { origin, body: self.body, call: None };
        for (pass, _, shown) in &mut self.passes {
            if span.is_dropped() {
                return;
            }
            *shown += 1;
            pass.span(span, &mut context);
        }
        if !span.is_dropped()
            && let Some(call) = context.call
        {
            self.calls.push(call);
        }
    }

    fn finish(&mut self, spans: &mut Spans) {
        for (pass, ..) in &mut self.passes {
            pass.finish(spans);
        }
    }
}

impl Fused<'_> {
    /// What a stage passes on is what the next one is shown, and in the end what is kept.
    fn commit(&mut self, kept: u64) {
        let shown: Vec<u64> = self.passes.iter().map(|(_, _, shown)| *shown).chain([kept]).collect();
        for (index, (pass, books, incoming)) in std::mem::take(&mut self.passes).into_iter().enumerate() {
            pass.commit();
            if let Some(books) = books {
                books.incoming.add(incoming);
                books.outgoing.add(shown.get(index + 1).copied().unwrap_or(kept));
            }
        }
    }
}

/// From a receiver to every pipeline that names it.
#[derive(Default)]
pub struct Fanout {
    pipelines: [Vec<Arc<Pipeline>>; 3],
    /// Requests in which a stage panicked; each failed alone.
    panics: Counter,
}

impl Fanout {
    /// A fan-out to these pipelines; `panics` counts requests that failed by a defect.
    pub fn new(pipelines: impl IntoIterator<Item = Arc<Pipeline>>, panics: Counter) -> Self {
        let mut fanout = Fanout { pipelines: Default::default(), panics };
        for pipeline in pipelines {
            fanout.pipelines[pipeline.signal as usize].push(pipeline);
        }
        fanout
    }

    /// Whether any pipeline takes `signal`.
    pub fn takes(&self, signal: Signal) -> bool {
        !self.pipelines[signal as usize].is_empty()
    }

    fn pipelines(&self, signal: Signal) -> Result<&[Arc<Pipeline>], Refusal> {
        let pipelines = &self.pipelines[signal as usize];
        if pipelines.is_empty() {
            return Err(Refusal::new(
                Reason::NotFound,
                format!("no pipeline takes {signal} here; add one under service.pipelines"),
            ));
        }
        Ok(pipelines)
    }

    fn deliver(&self, signal: Signal, body: &Bytes) -> Result<usize, Refusal> {
        let pipelines = self.pipelines(signal)?;
        let mut ready = Vec::with_capacity(pipelines.len());
        for pipeline in pipelines {
            ready.push((pipeline, pipeline.reserve(body)?));
        }
        let mut items = 0;
        let mut sends = Vec::with_capacity(ready.len());
        for (pipeline, permits) in ready {
            let processed = pipeline.process(body)?;
            items = processed.received;
            sends.push((pipeline, processed, permits));
        }
        for (pipeline, processed, permits) in sends {
            pipeline.send(processed, permits);
        }
        Ok(items)
    }
}

impl Consumer for Fanout {
    fn admit(&self, signal: Signal) -> Result<(), Refusal> {
        self.pipelines(signal)?.iter().try_for_each(|pipeline| pipeline.admit())
    }

    fn consume(&self, signal: Signal, body: Bytes) -> Boxed<'_, Result<usize, Refusal>> {
        Box::pin(async move {
            // A defect in one stage fails the request that met it and nothing else; the locks of
            // the stages recover from poisoning.
            catch_unwind(AssertUnwindSafe(|| self.deliver(signal, &body))).unwrap_or_else(|_| {
                self.panics.increment();
                Err(Refusal::new(
                    Reason::Internal,
                    format!("a defect in dragoman ended this {signal} request; nothing of it was sent on"),
                ))
            })
        })
    }
}
