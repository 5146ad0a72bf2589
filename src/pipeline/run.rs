//! A running pipeline: admission, the stages in one pass, then every exporter; and the fan-out
//! from a receiver to all pipelines of a signal.
//!
//! Nothing is processed before there is room for it everywhere, and nobody gets a batch or learns
//! from it before all pipelines have processed it: a refusal leaves no copy behind.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock, Weak};

use bytes::Bytes;

use super::account::{self, Account, Leg, OpenItems};
use super::admission::{self, Admission, budget_of, pass_bytes};
use super::{Batch, Boxed, CallNote, Consumer, Context, Exporter, Onward, Pass, Permit, Receipt, Refused, Stage};
use crate::bounded::budget::{Budget, Claim};
use crate::bounded::work::{Work, aside};
use crate::metrics::own::{Counter, known};
use crate::otlp::Signal;
use crate::otlp::answer::{Reason, Refusal};
use crate::otlp::check;
use crate::otlp::log_record::LogRecord;
use crate::otlp::logs;
use crate::otlp::metrics::{self, Metric};
use crate::otlp::span::Span;
use crate::otlp::traces::{self, Origin, Outcome, Spans};

/// One pipeline of the configuration.
pub struct Pipeline {
    /// As in the configuration: `traces`, `traces/name`, ...
    pub id: String,
    /// What it carries.
    pub signal: Signal,
    /// Asked in turn before a request is taken.
    pub admission: Vec<Arc<dyn Admission>>,
    /// What its requests are claimed on.
    memory: Budget,
    /// Processors, then connectors' taps, in order.
    pub steps: Vec<Step>,
    /// Who gets the batch.
    exporters: Vec<Sink>,
    /// Where each item is.
    account: Arc<Account>,
    /// Of `exporters`, in their order.
    legs: Vec<Leg>,
}

/// A processor in its place, or a connector's tap.
pub struct Step {
    /// The component's id.
    pub id: Box<str>,
    /// What looks at every span; `None` for a processor that passes all items of its pipeline on,
    /// as the memory limiter does with what it admitted.
    pub stage: Option<Arc<dyn Stage>>,
    /// What it was given and passed on; a tap has none.
    pub books: Option<known::Processor>,
}

/// An exporter, and where it is counted that it had no room.
#[derive(Clone)]
pub struct Sink {
    /// The component's id.
    pub id: Arc<str>,
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
    id: &'p str,
    pass: Option<Box<dyn Pass + Send + 'p>>,
    books: Option<&'p known::Processor>,
    /// Items that the step was given.
    shown: usize,
    /// Items that it took out and gave back after the last one was seen; later steps did not see them.
    kept_again: usize,
}

impl Pipeline {
    /// A pipeline whose books are `account`.
    pub fn new(
        signal: Signal,
        account: Arc<Account>,
        admission: Vec<Arc<dyn Admission>>,
        steps: Vec<Step>,
        exporters: Vec<Sink>,
    ) -> Pipeline {
        let legs = exporters.iter().map(|sink| account.leg(&sink.id)).collect();
        let (id, memory) = (account.pipeline().to_owned(), budget_of(&admission));
        Pipeline { id, signal, admission, memory, steps, exporters, account, legs }
    }

    /// Where each of its items is.
    pub fn account(&self) -> &Arc<Account> {
        &self.account
    }

    fn admit(&self) -> Result<(), Refusal> {
        self.admission.iter().try_for_each(|admission| admission.admit())
    }

    /// Room for `bytes` in every exporter; `full` is told which one has none.
    fn reserve(&self, bytes: usize, full: impl Fn(&Sink)) -> Result<Vec<Box<dyn Permit + '_>>, Refusal> {
        let exporters = self.exporters.iter();
        exporters.map(|sink| sink.exporter.reserve(self.signal, bytes).inspect_err(|_| full(sink))).collect()
    }

    /// Whether the pass looks at every item, rather than only checking the request.
    fn looks(&self) -> bool {
        self.signal == Signal::Traces || self.steps.iter().any(|step| step.stage.is_some())
    }

    /// `released_by` is the place of the step that held these items back, if one did. `claim` is what
    /// was claimed for the pass.
    fn process<'p>(
        &'p self,
        body: &'p Bytes,
        released_by: Option<usize>,
        mut claim: Claim,
    ) -> Result<Processed<'p>, Refusal> {
        let first = released_by.unwrap_or(0);
        let begin = |(place, step): (usize, &'p Step)| Walk {
            id: &step.id,
            pass: step.stage.as_ref().map(|stage| match released_by {
                Some(first) if first == place => stage.pass_released(),
                _ => stage.pass(),
            }),
            books: step.books.as_ref(),
            shown: 0,
            kept_again: 0,
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
        if released_by.is_some() {
            claim.overdraw(outcome.body.len().saturating_sub(claim.bytes()));
        }
        Ok(Processed {
            pipeline: self,
            body: admission::hold(&mut claim, outcome.body, body)?,
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

    /// `is_booked` is set as soon as the books have it that the items went on.
    fn deliver(&self, pipeline: &Pipeline, body: &Bytes, is_booked: &mut bool) -> Result<(), Refusal> {
        // A refusal is not counted as a failure to enqueue, for it will be tried again.
        let permits = pipeline.reserve(body.len(), |_| ())?;
        // On its way out, and what holds it holds memory too: it is not to wait for the budget.
        let claim = pipeline.memory.overdraw(pass_bytes(pipeline.signal, body));
        let processed = pipeline.process(body, Some(self.place), claim)?;
        *is_booked = true;
        // Whose items these are was told that they were taken when they were held back.
        drop(processed.take().send(permits));
        Ok(())
    }
}

impl Onward for Release {
    fn send_on(&self, body: &Bytes) -> Result<(), Refusal> {
        let Some(pipeline) = self.pipeline.upgrade() else {
            return Err(Refusal::new(Reason::Internal, "the pipeline is gone"));
        };
        let mut is_booked = false;
        let delivered = catch_unwind(AssertUnwindSafe(|| self.deliver(&pipeline, body, &mut is_booked)));
        delivered.unwrap_or_else(|_| {
            self.panics.increment();
            if is_booked {
                // They are on their way, or lost and in the books as such.
                return Ok(());
            }
            let what = format!("a defect in dragoman ended a request of held {}", pipeline.signal);
            Err(Refusal::new(Reason::Internal, what))
        })
    }

    fn dropped(&self, items: usize, reason: &'static str) {
        let Some(pipeline) = self.pipeline.upgrade() else { return };
        let processor = pipeline.steps.get(self.place).map_or("", |step| &step.id);
        pipeline.account.held_were_dropped(processor, reason, items);
    }
}

impl<'p> Processed<'p> {
    /// The batch was accepted: the books say so, and every step takes it into its memory. What goes out
    /// is to be sent.
    fn take(self) -> Accepted {
        let Processed { pipeline, body, received, kept, calls, walks, released } = self;
        // What a step passes on is what the next one is shown, and in the end what is kept. What a step
        // gave back goes on past those behind it.
        let unseen: usize = walks.iter().map(|walk| walk.kept_again).sum();
        let seen = walks.iter().skip(1).map(|walk| walk.shown).chain([kept.saturating_sub(unseen)]);
        let passed_on: Vec<usize> = walks.iter().zip(seen).map(|(walk, seen)| seen + walk.kept_again).collect();
        let mut outcome = account::Outcome { received, outgoing: kept, ..account::Outcome::default() };
        for (walk, passed_on) in walks.iter().zip(&passed_on) {
            let Some(pass) = &walk.pass else { continue };
            let held = pass.held();
            outcome.held += held;
            let dropped = walk.shown.saturating_sub(passed_on + held);
            if dropped > 0 {
                outcome.dropped.push((walk.id.into(), pass.drop_reason(), dropped));
            }
        }
        let open = match released {
            true => pipeline.account.released(outcome, &pipeline.legs),
            false => pipeline.account.taken(outcome, &pipeline.legs),
        };
        let mut is_first = true;
        for (walk, passed_on) in walks.into_iter().zip(passed_on) {
            if let Some(pass) = walk.pass {
                pass.commit();
            }
            if let Some(books) = walk.books {
                // What is released came in when it was held back.
                if !(released && std::mem::take(&mut is_first)) {
                    books.incoming.add_items(walk.shown);
                }
                books.outgoing.add_items(passed_on);
            }
        }
        Accepted { signal: pipeline.signal, body, calls, open }
    }
}

/// A batch that was accepted and goes out.
struct Accepted {
    signal: Signal,
    body: Bytes,
    calls: Arc<[CallNote]>,
    /// For each exporter.
    open: Vec<OpenItems>,
}

impl Accepted {
    fn send(self, permits: Vec<Box<dyn Permit + '_>>) -> Vec<Receipt> {
        let Accepted { signal, body, calls, open } = self;
        let batches =
            open.into_iter().map(|open| Batch { signal, body: body.clone(), open, calls: Arc::clone(&calls) });
        // Empty envelopes need not be made by a forwarder (OTLP 1.11).
        let sends = batches.zip(permits).filter(|(batch, _)| batch.open.items() > 0);
        sends.map(|(batch, permit)| permit.send(batch)).collect()
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
        for walk in &mut self.walks {
            if let Some(pass) = &mut walk.pass {
                let before = spans.kept_again();
                pass.finish(spans);
                walk.kept_again = spans.kept_again() - before;
            }
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
    /// For each signal, what its requests are claimed on: the smallest of its pipelines' budgets.
    memory: [Budget; 3],
    /// Requests in which a stage panicked; each failed alone.
    panics: Counter,
}

impl Fanout {
    /// A fan-out to these pipelines; `panics` counts requests that failed by a defect.
    pub fn new(pipelines: impl IntoIterator<Item = Arc<Pipeline>>, panics: Counter) -> Self {
        let mut fanout = Fanout { panics, ..Fanout::default() };
        for pipeline in pipelines {
            fanout.pipelines[pipeline.signal as usize].push(pipeline);
        }
        for (pipelines, memory) in fanout.pipelines.iter().zip(&mut fanout.memory) {
            *memory = admission::smallest(pipelines.iter().map(|pipeline| &pipeline.memory));
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

    /// `items` is how many the request has, for which it must be read; `is_booked` is set as soon as the
    /// books have the request.
    fn deliver(
        &self,
        signal: Signal,
        body: &Bytes,
        items: &dyn Fn() -> usize,
        is_booked: &mut bool,
    ) -> Result<(usize, Vec<Receipt>), Refusal> {
        let pipelines = self.pipelines(signal)?;
        let full = |sink: &Sink| {
            if let Some(failed) = &sink.enqueue_failed {
                failed.add(signal, items());
            }
        };
        let mut ready = Vec::with_capacity(pipelines.len());
        for pipeline in pipelines {
            ready.push((pipeline, pipeline.reserve(body.len(), full)?));
        }
        let mut sends = Vec::with_capacity(ready.len());
        let mut held = body.len();
        for (pipeline, permits) in ready {
            let bytes = if pipeline.looks() { pass_bytes(signal, body) } else { 0 };
            let claim = self.memory[signal as usize].claim_beside(held, bytes)?;
            let processed = pipeline.process(body, None, claim)?;
            held = held.saturating_add(processed.body.len());
            sends.push((processed, permits));
        }
        // Only now is it known that every pipeline takes the request: a step that learned from a
        // refused one would take its repetition for a copy.
        *is_booked = true;
        let items = sends.first().map_or(0, |(processed, _)| processed.received);
        let accepted: Vec<_> = sends.into_iter().map(|(processed, permits)| (processed.take(), permits)).collect();
        let receipts = accepted.into_iter().flat_map(|(accepted, permits)| accepted.send(permits)).collect();
        Ok((items, receipts))
    }

    /// Puts a request that no pipeline took into the books of each.
    fn book_refusal(&self, signal: Signal, items: usize, reason: Reason) {
        for pipeline in &self.pipelines[signal as usize] {
            pipeline.account.refused(reason, items);
        }
    }
}

impl Consumer for Fanout {
    fn admit(&self, signal: Signal, bytes: usize) -> Result<Claim, Refusal> {
        self.pipelines(signal)?.iter().try_for_each(|pipeline| pipeline.admit())?;
        Ok(self.memory[signal as usize].claim(bytes)?)
    }

    fn consume(&self, signal: Signal, body: Bytes) -> Boxed<'_, Result<usize, Refused>> {
        Box::pin(async move {
            // Read once, however many ask, and not at all if the request is taken.
            let counted = OnceLock::new();
            let items = || *counted.get_or_init(|| check::count(signal, &body));
            // A defect in one stage fails the request that met it and nothing else; the locks of
            // the stages recover from poisoning.
            let mut is_booked = false;
            let work = || catch_unwind(AssertUnwindSafe(|| self.deliver(signal, &body, &items, &mut is_booked)));
            let delivered = aside(Work::Process(body.len()), work).await;
            let delivered = delivered.unwrap_or_else(|_| {
                self.panics.increment();
                Err(Refusal::new(
                    Reason::Internal,
                    format!("a defect in dragoman ended this {signal} request; nothing of it was sent on"),
                ))
            });
            let (items, receipts) = delivered.map_err(|refusal| {
                let items = if refusal.reason == Reason::Malformed { 0 } else { items() };
                if !is_booked {
                    self.book_refusal(signal, items, refusal.reason);
                }
                Refused { refusal, items }
            })?;
            drop(body);
            for receipt in receipts {
                receipt.wait().await.map_err(|refusal| Refused { refusal, items })?;
            }
            Ok(items)
        })
    }
}
