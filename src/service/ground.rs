//! What stays whatever the configuration: the books and counters, the supervisor, the health state.

use std::io::Write;
use std::sync::Arc;

use super::entrance::Gate;
use super::observers::PipelineBooks;
use super::stages::{Counted, Holding};
use super::storages::DiskBooks;
use super::supervisor::Supervisor;
use crate::bounded::budget::Budget;
use crate::exporter::otlp::OtlpExporter;
use crate::extension::health::Health;
use crate::metrics::own::process::Process;
use crate::metrics::own::{Counter, Registry, known};
use crate::pipeline::account::Accounts;
use crate::processor::fold_chunks::FoldChunks;
use crate::processor::genai::Genai;
use crate::processor::join::Room;
use crate::processor::mend::Mender;
use crate::processor::own_metrics::OwnMetrics;

/// Makes the writer of a debug exporter.
pub type DebugOutput = Arc<dyn Fn() -> Box<dyn Write + Send> + Send + Sync>;

/// See the module's documentation.
pub(super) struct Ground {
    pub(super) own: Registry,
    pub(super) health: Health,
    pub(super) supervisor: Supervisor,
    pub(super) accounts: Arc<Accounts>,
    /// What all requests hold.
    pub(super) memory: Budget,
    /// Requests that a defect ended.
    pub(super) panics: Counter,
    pub(super) output: DebugOutput,
    pub(super) genai: Arc<Counted<Genai>>,
    pub(super) own_metrics: Arc<Counted<OwnMetrics>>,
    pub(super) drops: Arc<Counted<Mender>>,
    /// What was folded, and what of it no span tells.
    pub(super) folds: Arc<Counted<FoldChunks>>,
    pub(super) queues: Arc<Holding<OtlpExporter>>,
    pub(super) rooms: Arc<Holding<Room>>,
    pub(super) disks: Arc<DiskBooks>,
    pub(super) gate: Gate,
}

impl Ground {
    pub(super) fn new(output: DebugOutput) -> Ground {
        let (own, health) = (Registry::new(), Health::new());
        let queues = Arc::<Holding<OtlpExporter>>::default();
        let ground = Ground {
            supervisor: Supervisor::new(&own, health.clone()),
            health,
            accounts: Arc::default(),
            memory: Budget::default(),
            panics: own.counter("dragoman_request_panics_total", "Requests that a defect ended; each failed alone"),
            output,
            genai: Arc::default(),
            own_metrics: Arc::default(),
            drops: Arc::default(),
            folds: Arc::default(),
            disks: Arc::new(DiskBooks::new(Arc::clone(&queues))),
            queues,
            rooms: Arc::default(),
            gate: Arc::default(),
            own,
        };
        let own = &ground.own;
        own.add_source(Arc::new(Process::new()));
        let memory = ground.memory.clone();
        known::memory_claimed(own).observe(&[], move || memory.taken() as f64);
        own.add_source(Arc::new(PipelineBooks(Arc::clone(&ground.accounts))));
        own.add_source(Arc::clone(&ground.genai) as _);
        own.add_source(Arc::clone(&ground.own_metrics) as _);
        own.add_source(Arc::clone(&ground.drops) as _);
        own.add_source(Arc::clone(&ground.folds) as _);
        own.add_source(Arc::clone(&ground.queues) as _);
        own.add_source(Arc::clone(&ground.rooms) as _);
        own.add_source(Arc::clone(&ground.disks) as _);
        ground
    }
}
