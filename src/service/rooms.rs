//! The waiting rooms of `join_logs`: one for each `genai` processor that has one, with a door in its
//! traces and one in its logs pipeline.

use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::ground::Ground;
use super::kept::Kept;
use super::plan::{Id, PipelineId, Plan, ProcessorSettings};
use crate::metrics::own::known;
use crate::otlp::Signal;
use crate::pipeline::run::{Pipeline, Release};
use crate::processor::join::{self, Books};
use crate::processor::settings::JoinLogs;

/// What a room is made of. What waits in it is in the books of its pipelines, so that it cannot move to
/// others.
#[derive(Debug, PartialEq)]
pub(super) struct MadeOf {
    settings: JoinLogs,
    /// What requests of its first pipeline may hold.
    memory_limit: usize,
    pipelines: Vec<PipelineId>,
}

/// A room, and the task that lets go what waited.
pub(super) struct Room {
    pub(super) room: Arc<join::Room>,
    _run: DropGuard,
}

impl Room {
    fn start(id: &Id, of: &MadeOf, ground: &Ground) -> Room {
        let own = &ground.own;
        let processor = id.to_string();
        let joined = known::dropped_log_records(own).with(&[&processor, "joined"]);
        let books = Books { outcomes: known::join_items(own), joined, lost: known::join_lost_items(own), processor };
        let room = join::Room::new(of.settings, books);
        let room = Arc::new(room.within(&ground.memory.capped(of.memory_limit)));
        ground.rooms.add(id.as_str(), &room);
        let stop = CancellationToken::new();
        let run = Arc::clone(&room).run(stop.clone());
        drop(ground.supervisor.spawn(format!("join_logs of {id}"), &stop, run));
        Room { room, _run: stop.drop_guard() }
    }

    /// Lets everything go, until `deadline`. Returns how many items are lost.
    pub(super) async fn close(&self, deadline: Instant) -> usize {
        self.room.close(deadline).await
    }
}

/// The rooms of a configuration.
#[derive(Default)]
pub(super) struct Rooms {
    pub(super) rooms: Kept<Id, MadeOf, Room>,
    /// Which room has a door at which step of which pipeline.
    doors: Vec<(Arc<join::Room>, PipelineId, usize)>,
}

/// Where a processor with a room stands.
pub(super) struct Door<'p> {
    /// The processor.
    pub(super) id: &'p Id,
    /// Its pipeline, and its place among the steps of that.
    pub(super) pipeline: &'p PipelineId,
    pub(super) place: usize,
    /// What all that the pipeline holds may take, in bytes.
    pub(super) memory_limit: usize,
}

impl Rooms {
    /// The room of the processor at `door`.
    pub(super) fn enter(
        &mut self,
        before: &Rooms,
        ground: &Ground,
        plan: &Plan,
        settings: JoinLogs,
        door: &Door<'_>,
    ) -> Arc<Room> {
        let Door { id, pipeline, place, memory_limit } = *door;
        let joins =
            |stage: &super::plan::StagePlan| stage.id == *id && matches!(&stage.settings, ProcessorSettings::Genai(_));
        let of_room = |pipeline: &&super::plan::PipelinePlan| {
            pipeline.signal != Signal::Metrics && pipeline.stages.iter().any(joins)
        };
        let pipelines = plan.pipelines.iter().filter(of_room).map(|pipeline| pipeline.id.clone()).collect();
        let of = match self.rooms.made_of(id) {
            // Its other door is there already.
            Some(of) => MadeOf { settings, memory_limit: of.memory_limit, pipelines },
            None => MadeOf { settings, memory_limit, pipelines },
        };
        let room = self.rooms.renew_always(&before.rooms, id.clone(), of, |of| Room::start(id, of, ground));
        self.doors.push((Arc::clone(&room.room), pipeline.clone(), place));
        room
    }

    /// What the rooms let go, goes on in these pipelines from now on.
    pub(super) fn lead_to<'p>(&self, pipeline_of: impl Fn(&PipelineId) -> Option<&'p Arc<Pipeline>>, ground: &Ground) {
        for (room, id, place) in &self.doors {
            if let Some(pipeline) = pipeline_of(id) {
                room.leads_to(id.signal, Arc::new(Release::new(pipeline, *place, ground.panics.clone())));
            }
        }
    }
}
