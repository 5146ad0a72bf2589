//! An acknowledgement waits for what its exporters still have to write down, and its books do not.

use std::sync::{Arc, Mutex};

use dragoman::metrics::own::Counter;
use dragoman::otlp::Signal;
use dragoman::otlp::answer::{Reason, Refusal};
use dragoman::pipeline::account::{Account, OpenItems};
use dragoman::pipeline::run::{Fanout, Pipeline, Sink};
use dragoman::pipeline::{Batch, Consumer, Exporter, Permit, Receipt};
use tokio::sync::oneshot;

use crate::client::sample;

type Answer = oneshot::Sender<Result<(), Refusal>>;

/// An exporter that writes down what it gets when it is told to.
#[derive(Default)]
struct Slow {
    written: Mutex<Vec<(Answer, OpenItems)>>,
}

struct Room<'e>(&'e Slow);

impl Exporter for Slow {
    fn reserve(&self, _: Signal, _: usize) -> Result<Box<dyn Permit + '_>, Refusal> {
        Ok(Box::new(Room(self)))
    }
}

impl Permit for Room<'_> {
    fn send(self: Box<Self>, batch: Batch) -> Receipt {
        let (answer, written) = oneshot::channel();
        self.0.written.lock().unwrap().push((answer, batch.open));
        Receipt::Pending(Box::pin(async move { written.await.unwrap() }))
    }
}

fn pipeline(slow: &Arc<Slow>) -> (Fanout, Arc<Account>) {
    let sink = |id: &str| Sink { id: id.into(), exporter: Arc::clone(slow) as _, enqueue_failed: None };
    let account = Account::new("traces");
    let sinks = vec![sink("otlp/one"), sink("otlp/two")];
    let pipeline = Pipeline::new(Signal::Traces, Arc::clone(&account), Vec::new(), Vec::new(), sinks);
    (Fanout::new([Arc::new(pipeline)], Counter::default()), account)
}

#[tokio::test]
async fn a_client_is_told_when_every_exporter_has_written_it_down() {
    let slow = Arc::<Slow>::default();
    let (fanout, account) = pipeline(&slow);
    let mut request = fanout.consume(Signal::Traces, sample(Signal::Traces));
    for _ in 0..2 {
        assert!(poll(&mut request).await.is_none(), "not before it is written down");
        let (answer, open) = slow.written.lock().unwrap().pop().unwrap();
        open.exported();
        answer.send(Ok(())).unwrap();
    }
    assert_eq!(request.await.unwrap(), 2);
    let books = account.balances();
    assert_eq!((books.received, books.outgoing), (2, 2));
}

#[tokio::test]
async fn what_could_not_be_written_down_is_refused_and_delivered_all_the_same() {
    let slow = Arc::<Slow>::default();
    let (fanout, account) = pipeline(&slow);
    let mut request = fanout.consume(Signal::Traces, sample(Signal::Traces));
    assert!(poll(&mut request).await.is_none());
    let mut open = Vec::new();
    for (answer, items) in slow.written.lock().unwrap().drain(..) {
        answer.send(Err(Refusal::new(Reason::Unavailable, "the disk is full"))).unwrap();
        open.push(items);
    }
    let refused = request.await.unwrap_err();
    assert!(refused.refusal.retry_after.is_some(), "{}", refused.refusal);
    assert_eq!(refused.items, 2);
    // What came is in the queues, and on the books as such; it was not refused by the pipeline.
    let books = account.balances();
    assert_eq!((books.received, books.outgoing, books.refused.len()), (2, 2, 0));
    assert!(books.exporters.values().all(|leg| leg.queued == 2), "{books:?}");
    open.into_iter().for_each(OpenItems::exported);
    assert!(account.balances().exporters.values().all(|leg| leg.exported == 2));
}

/// The result if there is one now.
async fn poll<T>(future: &mut (impl Future<Output = T> + Unpin)) -> Option<T> {
    tokio::select! {
        biased;
        result = future => Some(result),
        () = tokio::task::yield_now() => None,
    }
}
