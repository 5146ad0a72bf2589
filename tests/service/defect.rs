//! A defect in a stage fails the request that meets it, and nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use dragoman::metrics::own::{Counter, Registry, known};
use dragoman::otlp::Signal;
use dragoman::otlp::answer::{Reason, Refusal};
use dragoman::otlp::span::Span;
use dragoman::pipeline::account::Account;
use dragoman::pipeline::run::{Fanout, Pipeline, Sink, Step};
use dragoman::pipeline::{Batch, Consumer, Context, Exporter, Pass, Permit, Receipt, Stage};

use crate::client::sample;

/// Panics at a span while it is told to.
#[derive(Default)]
struct Defect {
    is_on: AtomicBool,
    committed: AtomicUsize,
}

struct DefectPass<'s>(&'s Defect);

impl Stage for Defect {
    fn pass(&self) -> Box<dyn Pass + Send + '_> {
        Box::new(DefectPass(self))
    }
}

impl Pass for DefectPass<'_> {
    fn span(&mut self, _: &mut Span<'_>, _: &mut Context<'_, '_>) {
        assert!(!self.0.is_on.load(Ordering::Relaxed), "a stage with a defect");
    }

    fn commit(self: Box<Self>) {
        self.0.committed.fetch_add(1, Ordering::Relaxed);
    }
}

/// Counts what it gets and what is reserved.
#[derive(Default)]
struct Counting {
    items: AtomicUsize,
    reserved: AtomicUsize,
}

struct Room<'e>(&'e Counting);

impl Exporter for Counting {
    fn reserve(&self, _: Signal, _: usize) -> Result<Box<dyn Permit + '_>, Refusal> {
        self.reserved.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(Room(self)))
    }
}

impl Permit for Room<'_> {
    fn send(self: Box<Self>, batch: Batch) -> Receipt {
        self.0.items.fetch_add(batch.open.items(), Ordering::Relaxed);
        batch.open.exported();
        Receipt::Taken
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.0.reserved.fetch_sub(1, Ordering::Relaxed);
    }
}

fn pipeline(own: &Registry, id: &str, stage: &Arc<Defect>, exporter: &Arc<Counting>) -> Arc<Pipeline> {
    let books = Some(known::Processor::new(own, id, Signal::Traces));
    let step = Step { id: "defect".into(), stage: Some(Arc::clone(stage) as _), books };
    let sink = Sink { id: "counting".into(), exporter: Arc::clone(exporter) as _, enqueue_failed: None };
    Arc::new(Pipeline::new(Signal::Traces, Account::new(id), Vec::new(), vec![step], vec![sink]))
}

#[tokio::test]
async fn a_panic_fails_one_request_and_leaves_no_trace_of_it_anywhere() {
    let own = Registry::new();
    let (sound, defect, exporter) = (Arc::<Defect>::default(), Arc::<Defect>::default(), Arc::<Counting>::default());
    let panics = Counter::default();
    // The pipeline with the defect comes after one without.
    let pipelines =
        [pipeline(&own, "traces/sound", &sound, &exporter), pipeline(&own, "traces/defect", &defect, &exporter)];
    let fanout = Fanout::new(pipelines.clone(), panics.clone());
    let request: Bytes = sample(Signal::Traces);

    defect.is_on.store(true, Ordering::Relaxed);
    let refused = fanout.consume(Signal::Traces, request.clone()).await.unwrap_err();
    assert_eq!((refused.refusal.reason, refused.items), (Reason::Internal, 2));
    assert_eq!(panics.get(), 1);
    assert_eq!(exporter.items.load(Ordering::Relaxed), 0, "nobody got it");
    assert_eq!(exporter.reserved.load(Ordering::Relaxed), 0, "the room was given back");
    assert_eq!(sound.committed.load(Ordering::Relaxed), 0, "nobody learned from it");
    for pipeline in &pipelines {
        let books = pipeline.account().balances();
        assert_eq!((books.received, books.refused["internal"], books.outgoing), (2, 2, 0));
    }

    defect.is_on.store(false, Ordering::Relaxed);
    assert_eq!(fanout.consume(Signal::Traces, request).await.unwrap(), 2, "the next request works");
    assert_eq!(exporter.items.load(Ordering::Relaxed), 4);
    assert_eq!(panics.get(), 1);
    for pipeline in &pipelines {
        let books = pipeline.account().balances();
        assert_eq!((books.received, books.outgoing, books.exporters["counting"].exported), (4, 2, 2));
    }
}
