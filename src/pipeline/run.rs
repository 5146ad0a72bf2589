//! A running pipeline: admission, the stages in one pass, then every exporter; and the fan-out
//! from a receiver to all pipelines of a signal.
//!
//! Nothing is processed before there is room for it everywhere, and nobody gets a batch or learns
//! from it before all pipelines have processed it: a refusal leaves no copy behind.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};

use bytes::Bytes;

use super::{Batch, Boxed, CallNote, Consumer, Context, Exporter, Onward, Pass, Permit, Stage};
use crate::metrics::own::{Counter, known};
use crate::otlp::Signal;
use crate::otlp::answer::{Reason, Refusal};
use crate::otlp::check;
use crate::otlp::log_record::LogRecord;
use crate::otlp::logs;
use crate::otlp::metrics::{self, Metric};
use crate::otlp::span::Span;
use crate::otlp::traces::{self, Origin, Outcome, Spans};

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
    /// Processors, then connectors' taps, in order.
    pub steps: Vec<Step>,
    /// Who gets the batch.
    pub exporters: Vec<Sink>,
    /// What came in and what went out.
    pub books: known::Pipeline,
}

/// A processor in its place, or a connector's tap.
pub struct Step {
    /// What looks at every span; `None` for a processor that passes all items of its pipeline on,
    /// as the memory limiter does with what it admitted.
    pub stage: Option<Arc<dyn Stage>>,
    /// What it was given and passed on; a tap has none.
    pub books: Option<known::Processor>,
}

/// An exporter, and where it is counted that it had no room.
#[derive(Clone)]
pub struct Sink {
    /// The exporter.
    pub exporter: Arc<dyn Exporter>,
    /// Items whose request was refused because this exporter's queue was full.
    pub enqueue_failed: Option<known::PerSignal>,
}

/// A batch that passed every step, none of which knows yet that it was accepted.
struct Processed<'p> {
    pipeline: &'p Pipeline,
    body: Bytes,
    received: usize,
    kept: usize,
    calls: Arc<[CallNote]>,
    walks: Vec<Walk<'p>>,
    /// Whether these items came in earlier, and were held back by the first of the steps.
    released: bool,
}

/// One step of one batch.
struct Walk<'p> {
    pass: Option<Box<dyn Pass + Send + 'p>>,
    books: Option<&'p known::Processor>,
    /// Items that the step was given.
    shown: usize,
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

    /// `released_by` is the place of the step that held these items back, if one did.
    fn process<'p>(&'p self, body: &'p Bytes, released_by: Option<usize>) -> Result<Processed<'p>, Refusal> {
        let first = released_by.unwrap_or(0);
        let begin = |(place, step): (usize, &'p Step)| Walk {
            pass: step.stage.as_ref().map(|stage| match released_by {
                Some(first) if first == place => stage.pass_released(),
                _ => stage.pass(),
            }),
            books: step.books.as_ref(),
            shown: 0,
        };
        let walks = self.steps.iter().enumerate().skip(first).map(begin).collect();
        let mut visitor = Fused { body, walks, calls: Vec::new() };
        let is_looked_at = visitor.walks.iter().any(|walk| walk.pass.is_some());
        let outcome = match self.signal {
            Signal::Traces => traces::edit(body, &mut visitor),
            Signal::Metrics if is_looked_at => metrics::edit(body, &mut visitor),
            Signal::Logs if is_looked_at => logs::edit(body, &mut visitor),
            Signal::Metrics | Signal::Logs => check::check(self.signal, body).map(|items| {
                visitor.walks.iter_mut().for_each(|walk| walk.shown = items);
                Outcome { body: body.clone(), received: items, kept: items }
            }),
        }
        .map_err(|error| malformed(self.signal, &error))?;
        Ok(Processed {
            pipeline: self,
            body: outcome.body,
            received: outcome.received,
            kept: outcome.kept,
            calls: visitor.calls.into(),
            walks: visitor.walks,
            released: released_by.is_some(),
        })
    }
}

/// The way on from a step of a pipeline.
pub struct Release {
    pipeline: Weak<Pipeline>,
    /// The step's place among the pipeline's.
    place: usize,
    panics: Counter,
}

impl Release {
    /// From the step at `place`; `panics` counts requests that failed by a defect.
    pub fn new(pipeline: &Arc<Pipeline>, place: usize, panics: Counter) -> Release {
        Release { pipeline: Arc::downgrade(pipeline), place, panics }
    }

    fn deliver(&self, pipeline: &Pipeline, body: &Bytes) -> Result<(), Refusal> {
        // A refusal is not counted as a failure to enqueue, for it will be tried again.
        let mut permits = Vec::with_capacity(pipeline.exporters.len());
        for sink in &pipeline.exporters {
            permits.push(sink.exporter.reserve(pipeline.signal, body.len())?);
        }
        let mut processed = pipeline.process(body, Some(self.place))?;
        processed.commit();
        processed.send(permits);
        Ok(())
    }
}

impl Onward for Release {
    fn send_on(&self, body: &Bytes) -> Result<(), Refusal> {
        let Some(pipeline) = self.pipeline.upgrade() else {
            return Err(Refusal::new(Reason::Internal, "the pipeline is gone"));
        };
        catch_unwind(AssertUnwindSafe(|| self.deliver(&pipeline, body))).unwrap_or_else(|_| {
            self.panics.increment();
            let what = format!("a defect in dragoman ended a request of held {}", pipeline.signal);
            Err(Refusal::new(Reason::Internal, what))
        })
    }
}

impl Processed<'_> {
    /// The batch was accepted: every step takes it into its memory and its books.
    fn commit(&mut self) {
        let released = self.released;
        // What a step passes on is what the next one is shown, and in the end what is kept.
        let passed_on: Vec<usize> = self.walks.iter().skip(1).map(|walk| walk.shown).chain([self.kept]).collect();
        for (walk, passed_on) in std::mem::take(&mut self.walks).into_iter().zip(passed_on) {
            if let Some(pass) = walk.pass {
                pass.commit();
            }
            if let Some(books) = walk.books {
                // What is released came in when it was held back.
                if !std::mem::take(&mut self.released) {
                    books.incoming.add_items(walk.shown);
                }
                books.outgoing.add_items(passed_on);
            }
        }
        if !released {
            self.pipeline.books.incoming.add_items(self.received);
        }
        self.pipeline.books.outgoing.add_items(self.kept);
    }

    fn send(self, permits: Vec<Box<dyn Permit + '_>>) {
        // Empty envelopes need not be made by a forwarder (OTLP 1.11).
        if self.kept == 0 {
            return;
        }
        let batch = Batch { signal: self.pipeline.signal, body: self.body, items: self.kept, calls: self.calls };
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

/// All stages as one visitor: each item passes every stage before the next item is read.
struct Fused<'s> {
    body: &'s Bytes,
    walks: Vec<Walk<'s>>,
    calls: Vec<CallNote>,
}

impl Fused<'_> {
    /// Shows an item to every step as long as none has dropped it: as long as there is something left
    /// of what is counted.
    fn show<I>(
        &mut self,
        item: &mut I,
        origin: &Origin<'_>,
        left: impl Fn(&I) -> Option<usize>,
        look: impl Fn(&mut dyn Pass, &mut I, &mut Context<'_, '_>),
    ) {
        let mut context = Context { origin, body: self.body, call: None };
        for walk in &mut self.walks {
            let Some(left) = left(item) else { return };
            walk.shown += left;
            if let Some(pass) = &mut walk.pass {
                look(&mut **pass, item, &mut context);
            }
        }
        if left(item).is_some()
            && let Some(call) = context.call
        {
            self.calls.push(call);
        }
    }
}

impl traces::Visitor for Fused<'_> {
    fn span(&mut self, span: &mut Span<'_>, origin: &Origin<'_>) {
        self.show(
            span,
            origin,
            |span| (!span.is_dropped()).then_some(1),
            |pass, span, context| pass.span(span, context),
        );
    }

    fn finish(&mut self, spans: &mut Spans) {
        for pass in self.walks.iter_mut().filter_map(|walk| walk.pass.as_mut()) {
            pass.finish(spans);
        }
    }
}

impl logs::Visitor for Fused<'_> {
    fn log_record(&mut self, record: &mut LogRecord<'_>, origin: &Origin<'_>) {
        let look = |pass: &mut dyn Pass, record: &mut LogRecord<'_>, context: &mut Context<'_, '_>| {
            pass.log_record(record, context);
        };
        self.show(record, origin, |record| (!record.is_dropped()).then_some(1), look);
    }
}

impl metrics::Visitor for Fused<'_> {
    fn metric(&mut self, metric: &mut Metric<'_>, origin: &Origin<'_>) {
        let left = |metric: &Metric<'_>| (!metric.is_dropped()).then(|| metric.live_points());
        let look = |pass: &mut dyn Pass, metric: &mut Metric<'_>, context: &mut Context<'_, '_>| {
            pass.metric(metric, context);
        };
        self.show(metric, origin, left, look);
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
        let mut sends = Vec::with_capacity(ready.len());
        for (pipeline, permits) in ready {
            sends.push((pipeline.process(body, None)?, permits));
        }
        // Only now is it known that every pipeline takes the request: a step that learned from a
        // refused one would take its repetition for a copy.
        sends.iter_mut().for_each(|(processed, _)| processed.commit());
        let items = sends.first().map_or(0, |(processed, _)| processed.received);
        for (processed, permits) in sends {
            processed.send(permits);
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
