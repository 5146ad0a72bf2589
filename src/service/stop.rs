//! The end, in order: no new requests, requests in flight, what stages hold back, what the connectors
//! still have, the exporters' queues, and the pages last, so that the books can be read to the end.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::start::Running;
use crate::net::Drained;

/// How the program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// Whether every request in flight was answered in time.
    pub drained: bool,
    /// Items that were still held or queued when the deadline came; counted as lost, by reason
    /// `shutdown`.
    pub lost: u64,
}

impl Running {
    /// Ends the program within `deadline`, apart from the time that requests in flight were given
    /// at the start.
    pub async fn stop(self, deadline: Duration) -> Stopped {
        self.health.set_ready(false);
        self.intake.cancel();
        let mut drained = true;
        for receiver in self.receivers {
            drained &= matches!(receiver.await, Ok(Drained::All));
        }
        let begin = Instant::now();
        // Of a deadline that is short the queues need the other half.
        let held = self.rooms.close(begin + deadline / 2).await;
        drop(self.pipelines);
        self.background.cancel();
        for connector in self.connectors {
            drained &= connector.await.is_ok();
        }
        let deadline = begin + deadline;
        // All at once: one that waits for its backend must not take the others' time.
        let mut ends = JoinSet::new();
        for exporter in self.otlp.iter().map(|(_, exporter, _)| Arc::clone(exporter)) {
            ends.spawn(async move { exporter.shutdown(deadline).await });
        }
        for exporter in self.debug {
            ends.spawn(async move { exporter.shutdown(deadline).await });
        }
        while ends.join_next().await.is_some() {}
        self.pages.cancel();
        let queued: u64 = self.otlp.iter().map(|(.., books)| books.undelivered()).sum();
        let lost = queued + held as u64;
        Stopped { drained, lost }
    }
}
