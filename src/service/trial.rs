//! What a plan's pipelines do to telemetry, with nothing around them: no listener, no queue, no page. Made
//! of the same stages as a running house (`house.rs`); for `explain`, which shows what each of them
//! did.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::connector::MadeOf;
use super::house::{meeting, remembered, stands_apart, target_of};
use super::plan::{ConnectorSettings, Id, Output, PipelineId, PipelinePlan, Plan, ProcessorSettings};
use crate::genai::settings::Target;
use crate::genai::translate::Translator;
use crate::metrics::call::Call;
use crate::metrics::families::Families;
use crate::metrics::ledger::{Direction, Ledger, Recorder, Suppressed};
use crate::metrics::native::Derived;
use crate::otlp::Signal;
use crate::otlp::id::{SpanId, TraceId};
use crate::pipeline::Stage;
use crate::processor::drop::DropSpans;
use crate::processor::fold_chunks::FoldChunks;
use crate::processor::genai_metrics::GenaiMetrics;
use crate::processor::mend::{Memory, Share};
use crate::processor::own_metrics::OwnMetrics;

/// A pipeline of each signal, and what was counted in them.
#[derive(Default)]
pub struct Trial {
    /// At most one of each signal.
    pub pipelines: Vec<TrialPipeline>,
    /// What the ledgers said of calls.
    pub verdicts: Arc<Verdicts>,
}

/// The stages of one pipeline.
pub struct TrialPipeline {
    /// Its id.
    pub id: PipelineId,
    /// Other pipelines of its signal, which are not tried.
    pub others: Vec<PipelineId>,
    /// What acts on items, in order.
    pub steps: Vec<TrialStep>,
}

/// One stage in its place.
pub struct TrialStep {
    /// The component's id.
    pub id: String,
    /// What it does.
    pub act: Act,
}

/// What a stage does.
#[allow(clippy::large_enum_variant, reason = "a pipeline has a handful")]
pub enum Act {
    /// Translates spans or log records.
    Translate {
        /// Puts them into the target's words.
        translator: Translator,
        /// Whether spans and log records wait for each other, which is not tried.
        joins: bool,
    },
    /// Translates metrics.
    Metrics(OwnMetrics),
    /// Takes spans away, or parts of them.
    Drop(Box<dyn Stage>),
    /// Counts calls.
    Count(GenaiMetrics),
}

impl Trial {
    /// The first pipeline of each signal that translates, or else the first one.
    pub fn of(plan: &Plan) -> Trial {
        let verdicts = Arc::default();
        let mut derived = HashMap::new();
        let mut counts = HashMap::new();
        for (id, ConnectorSettings::GenaiMetrics(settings)) in &plan.connectors {
            let (settings, target) = (settings.clone(), target_of(plan, id));
            let of = MadeOf { settings, target, apart: stands_apart(plan, id) };
            let families = Arc::new(of.families());
            counts.insert(id, (Arc::new(of.ledger()), Arc::clone(&families)));
            derived.insert(id, families);
        }
        let connector = |id: &Id| counts.get(id).map(|(ledger, families)| count(ledger, families, &verdicts));
        let pipelines = Signal::ALL.into_iter().filter_map(|signal| {
            let of_signal = || plan.pipelines.iter().filter(move |pipeline| pipeline.signal == signal);
            let chosen = of_signal().find(|pipeline| translates(pipeline)).or_else(|| of_signal().next())?;
            let others = of_signal().filter(|other| other.id != chosen.id).map(|other| other.id.clone()).collect();
            let derived = meeting(plan, chosen).filter_map(|id| derived.get(id));
            let derived = derived.map(|families| Arc::clone(families) as Arc<dyn Derived>).collect();
            let mut steps = steps(chosen, derived);
            for output in &chosen.exporters {
                let Output::Connector(id) = output else { continue };
                steps.extend(connector(id).map(|tap| TrialStep { id: id.to_string(), act: Act::Count(tap) }));
            }
            Some(TrialPipeline { id: chosen.id.clone(), others, steps })
        });
        Trial { pipelines: pipelines.collect(), verdicts }
    }

    /// The pipeline of a signal.
    pub fn pipeline(&self, signal: Signal) -> Option<&TrialPipeline> {
        self.pipelines.iter().find(|pipeline| pipeline.id.signal == signal)
    }

    /// The target of the first stage that translates.
    pub fn target(&self) -> Option<Target> {
        self.pipelines.iter().flat_map(|pipeline| &pipeline.steps).find_map(|step| match &step.act {
            Act::Translate { translator, .. } => Some(translator.target()),
            Act::Metrics(metrics) => Some(metrics.target()),
            Act::Drop(_) | Act::Count(_) => None,
        })
    }
}

fn translates(pipeline: &PipelinePlan) -> bool {
    pipeline.stages.iter().any(|stage| matches!(stage.settings, ProcessorSettings::Genai(_)))
}

fn count(ledger: &Arc<Ledger>, families: &Arc<Families>, verdicts: &Arc<Verdicts>) -> GenaiMetrics {
    let witness = Witness { families: Arc::clone(families), verdicts: Arc::clone(verdicts) };
    GenaiMetrics::new(Arc::clone(ledger), Arc::new(witness))
}

/// The processors of a pipeline. Those that never look at an item are left out.
fn steps(pipeline: &PipelinePlan, mut derived: Vec<Arc<dyn Derived>>) -> Vec<TrialStep> {
    let (memory, last) = remembered(pipeline);
    let memory = Arc::new(Memory::new(&memory));
    let share = |id: &Id| Share { memory: Arc::clone(&memory), is_last: last == Some(id) };
    let acts = pipeline.stages.iter().filter_map(|stage| {
        let act = match &stage.settings {
            ProcessorSettings::MemoryLimiter(_) | ProcessorSettings::Batch(_) => return None,
            ProcessorSettings::Genai(settings) if pipeline.signal == Signal::Metrics => {
                Act::Metrics(OwnMetrics::new(settings, std::mem::take(&mut derived)))
            }
            ProcessorSettings::Genai(settings) => {
                Act::Translate { translator: Translator::new(settings), joins: settings.join_logs.is_some() }
            }
            ProcessorSettings::Drop(settings) => Act::Drop(Box::new(DropSpans::sharing(settings, share(&stage.id)))),
            ProcessorSettings::FoldChunks(settings) => {
                Act::Drop(Box::new(FoldChunks::sharing(settings, share(&stage.id))))
            }
        };
        Some(TrialStep { id: stage.id.to_string(), act })
    });
    acts.collect()
}

/// What was counted of one call, or why not.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Verdict {
    /// Tokens to the model.
    pub input_tokens: Option<u64>,
    /// Tokens from the model.
    pub output_tokens: Option<u64>,
    /// How long it took, in seconds.
    pub duration: Option<f64>,
    /// Why its tokens were not counted, or which there are none of.
    pub suppressed: Option<Suppressed>,
}

type Place = (Option<TraceId>, Option<SpanId>);

/// What ledgers said, by the calls' spans.
#[derive(Debug, Default)]
pub struct Verdicts(Mutex<HashMap<Place, Verdict>>);

impl Verdicts {
    /// What was said since the last time.
    pub fn take(&self) -> HashMap<Place, Verdict> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, call: &Call, note: impl FnOnce(&mut Verdict)) {
        let mut verdicts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        note(verdicts.entry((call.trace_id, call.span_id)).or_default());
    }
}

/// Notes what it is told to record, beside recording it.
struct Witness {
    families: Arc<Families>,
    verdicts: Arc<Verdicts>,
}

impl Recorder for Witness {
    fn tokens(&self, call: &Call, direction: Direction, tokens: u64) {
        self.families.tokens(call, direction, tokens);
        let is_ours = self.families.counts_tokens_of(call);
        self.verdicts.note(call, |verdict| match (is_ours, direction) {
            (true, Direction::Input) => verdict.input_tokens = Some(tokens),
            (true, Direction::Output) => verdict.output_tokens = Some(tokens),
            (false, _) => verdict.suppressed = Some(Suppressed::NativeMetrics),
        });
    }

    fn duration(&self, call: &Call) {
        self.families.duration(call);
        let seconds = self.families.duration_of(call);
        self.verdicts.note(call, |verdict| verdict.duration = seconds);
    }

    fn suppressed(&self, call: &Call, reason: Suppressed) {
        self.families.suppressed(call, reason);
        self.verdicts.note(call, |verdict| verdict.suppressed = Some(reason));
    }

    fn counted_elsewhere(&self, call: &Call) {
        self.families.counted_elsewhere(call);
    }
}
