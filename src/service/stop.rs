//! The end, in order: no new requests, requests in flight, what the connectors still have, the
//! exporters' queues, and the pages last, so that the books can be read to the end.

use std::time::Duration;

use tokio::time::Instant;

use super::start::Running;
use crate::net::Drained;

/// How the program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// Whether every request in flight was answered in time.
    pub drained: bool,
    /// Items that were still queued when the deadline came; counted as lost, by reason `shutdown`.
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
        self.background.cancel();
        for connector in self.connectors {
            drained &= connector.await.is_ok();
        }
        let deadline = Instant::now() + deadline;
        let mut lost = 0;
        for (id, exporter, books) in &self.otlp {
            exporter.shutdown(deadline).await;
            let left = books.undelivered();
            if left > 0 {
                tracing::warn!("{id}: {left} items were not delivered in time and are lost");
            }
            lost += left;
        }
        for exporter in &self.debug {
            exporter.shutdown(deadline).await;
        }
        self.pages.cancel();
        Stopped { drained, lost }
    }
}
