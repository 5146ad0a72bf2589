//! The waiting rooms of `join_logs`: one for each `genai` processor that has one, with a door in its
//! traces and one in its logs pipeline.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::plan::Id;
use crate::bounded::budget::Budget;
use crate::metrics::own::{Counter, Registry, known};
use crate::otlp::Signal;
use crate::pipeline::run::{Pipeline, Release};
use crate::processor::join::{Books, Room};
use crate::processor::settings::JoinLogs;

/// The rooms while the program is put together, and until its end.
#[derive(Default)]
pub(super) struct Rooms {
    rooms: BTreeMap<Id, Arc<Room>>,
    /// Doors of the pipeline that is being built: which room, and at which of its steps.
    doors: Vec<(Arc<Room>, usize)>,
}

impl Rooms {
    /// The room of a processor, which stands at `place` among the steps of the pipeline that is being
    /// built.
    pub(super) fn enter(
        &mut self,
        id: &Id,
        settings: JoinLogs,
        place: usize,
        own: &Registry,
        memory: &Budget,
    ) -> Arc<Room> {
        let make = || {
            let processor = id.to_string();
            let joined = known::dropped_log_records(own).with(&[&processor, "joined"]);
            let outcomes = known::join_items(own);
            let room = Room::new(settings, Books { outcomes, joined, lost: known::join_lost_items(own), processor });
            let room = Arc::new(room.within(memory));
            let held = known::held_items(own);
            for signal in [Signal::Traces, Signal::Logs] {
                let room = Arc::clone(&room);
                held.observe(&[id.as_str(), signal.name()], move || room.held(signal) as f64);
            }
            room
        };
        let room = self.rooms.entry(id.clone()).or_insert_with(make);
        self.doors.push((Arc::clone(room), place));
        Arc::clone(room)
    }

    /// The pipeline is built: what its rooms let go, goes on there.
    pub(super) fn lead_to(&mut self, pipeline: &Arc<Pipeline>, panics: &Counter) {
        for (room, place) in self.doors.drain(..) {
            room.leads_to(pipeline.signal, Arc::new(Release::new(pipeline, place, panics.clone())));
        }
    }

    /// Lets go what is complete and what waited long enough, until `stop` is cancelled.
    pub(super) fn run(&self, stop: &CancellationToken) {
        for room in self.rooms.values() {
            drop(tokio::spawn(Arc::clone(room).run(stop.clone())));
        }
    }

    /// Lets everything go, until `deadline`. Returns how many items are lost.
    pub(super) async fn close(&self, deadline: Instant) -> usize {
        let mut lost = 0;
        for room in self.rooms.values() {
            lost += room.close(deadline).await;
        }
        lost
    }
}
