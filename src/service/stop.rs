//! The end, in order: no new requests, requests in flight, what stages hold back, what the connectors
//! still have, the exporters' queues, and the pages last, so that the books can be read to the end.
//! What a reload leaves behind ends in the same order.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;

use super::connector::Connector;
use super::doors::Group;
use super::exporters::Exporter;
use super::house::House;
use super::rooms::Room;
use super::start::Running;
use crate::defect;
use crate::net::Drained;
use crate::pipeline::run::Pipeline;

/// How the program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// Whether every request in flight was answered in time.
    pub drained: bool,
    /// Items that were still held or queued when the deadline came; counted as lost, by reason
    /// `shutdown`.
    pub lost: u64,
}

/// What of a house is left, while the rest goes on in the next one.
pub(super) struct Leaving {
    in_flight: TaskTracker,
    pipelines: Vec<Arc<Pipeline>>,
    rooms: Vec<Arc<Room>>,
    connectors: Vec<Arc<Connector>>,
    exporters: Vec<Arc<Exporter>>,
}

impl Leaving {
    /// What `next` does not have of `house`.
    pub(super) fn of(house: House, next: &House) -> Leaving {
        let gone = Leaving {
            rooms: house.rooms.rooms.gone(&next.rooms.rooms),
            connectors: house.connectors.gone(&next.connectors),
            exporters: house.exporters.gone(&next.exporters),
            in_flight: house.in_flight.clone(),
            pipelines: house.pipelines.values().cloned().collect(),
        };
        gone.in_flight.close();
        gone
    }

    /// Leaves in good order. What stages hold back has until `held_until`, all together until `deadline`.
    pub(super) async fn leave(self, held_until: Instant, deadline: Instant) -> Stopped {
        // One that hangs must not keep the queues from being emptied in time.
        drop(timeout_at(held_until, self.in_flight.wait()).await);
        let mut held = 0;
        for room in &self.rooms {
            held += room.close(held_until).await as u64;
        }
        drop((self.pipelines, self.rooms));
        let mut drained = true;
        for connector in self.connectors {
            drained &= connector.stop().await;
        }
        // All at once: one that waits for its backend must not take the others' time.
        let mut ends = JoinSet::new();
        for exporter in self.exporters {
            ends.spawn(async move { exporter.shutdown(deadline).await });
        }
        let queued: u64 = ends.join_all().await.into_iter().sum();
        Stopped { drained, lost: held + queued }
    }
}

impl Running {
    /// Ends the program within `deadline`, apart from the time that requests in flight were given
    /// at the start.
    pub async fn stop(mut self, deadline: Duration) -> Stopped {
        self.ground.health.set_ready(false);
        let mut drained = true;
        for receiver in self.doors.close(Group::Intake) {
            drained &= matches!(receiver.await, Ok(Some(Drained::All)));
        }
        let begin = Instant::now();
        let end = begin + deadline;
        let leaving = Leaving::of(self.house, &House::default());
        // Of a deadline that is short the queues need the other half.
        let leave = defect::caught(leaving.leave(begin + deadline / 2, end));
        let earlier = async {
            let mut lost = 0;
            while let Some(left) = self.leaving.join_next().await {
                lost += left.unwrap_or_default();
            }
            lost
        };
        let (left, earlier) = tokio::join!(leave, timeout_at(end, earlier));
        let left = left.unwrap_or_else(|defect| {
            tracing::error!("the end was cut short by a defect of dragoman: {defect}");
            Stopped { drained: false, lost: 0 }
        });
        for page in self.doors.close(Group::Pages) {
            // They only read: nobody waits for them.
            drop(page);
        }
        Stopped { drained: drained && left.drained, lost: left.lost + earlier.unwrap_or_default() }
    }
}
