//! The way from a receiver into the pipelines that it feeds: always into those that are in force at the
//! moment when a request is handed over, however long it took to come.

use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::bounded::budget::Claim;
use crate::otlp::Signal;
use crate::otlp::answer::Refusal;
use crate::pipeline::run::Fanout;
use crate::pipeline::{Boxed, Consumer, Refused};

/// One receiver's entrance.
#[derive(Default)]
pub(super) struct Entrance {
    way: RwLock<Option<Arc<Way>>>,
    gate: Gate,
}

/// Requests hold it while they go through the pipelines. Whoever has it alone may take a part of those
/// away: requests wait meanwhile.
pub(super) type Gate = Arc<tokio::sync::RwLock<()>>;

/// Into one house.
pub(super) struct Way {
    pub(super) fanout: Fanout,
    /// As long as a request is on this way, the house is not left.
    pub(super) _in_flight: TaskTrackerToken,
}

impl Entrance {
    /// It leads nowhere yet.
    pub(super) fn new(gate: Gate) -> Entrance {
        Entrance { way: RwLock::default(), gate }
    }

    /// Requests go there from now on.
    pub(super) fn lead_to(&self, way: Way) {
        *self.way.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(way));
    }

    fn way(&self) -> Option<Arc<Way>> {
        self.way.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Consumer for Entrance {
    fn admit(&self, signal: Signal, bytes: usize) -> Result<Claim, Refusal> {
        match self.way() {
            Some(way) => way.fanout.admit(signal, bytes),
            None => Fanout::default().admit(signal, bytes),
        }
    }

    fn consume(&self, signal: Signal, body: Bytes) -> Boxed<'_, Result<usize, Refused>> {
        Box::pin(async move {
            let _passing = self.gate.read().await;
            match self.way() {
                Some(way) => way.fanout.consume(signal, body).await,
                // No listener is opened before there is a way.
                None => Fanout::default().consume(signal, body).await,
            }
        })
    }
}
