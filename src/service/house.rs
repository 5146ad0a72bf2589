//! What runs for one configuration: its components, joined to pipelines. A house is built beside the one
//! before it and takes over from it what stays the same; nothing flows through it before it is moved into
//! ([`House::move_in`]), and the earlier one is then left in good order ([`super::stop`]).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::connector::{self, Connector, Outlets, Push};
use super::entrance::{Entrance, Way};
use super::exporters::{self, Exporter};
use super::ground::Ground;
use super::kept::{Kept, Same};
use super::plan::{
    ConnectorSettings, ExporterSettings, ExtensionSettings, Id, Input, Output, PipelineId, PipelinePlan, Plan,
    ProcessorSettings, StagePlan,
};
use super::rooms::{Door, Room, Rooms};
use super::start::StartError;
use super::storages::{self, Storages};
use crate::auth::{self, Authenticator, Credentials, Guard};
use crate::genai::settings::{NativeMetrics, Target};
use crate::metrics::application::{self, Store};
use crate::metrics::families::Families;
use crate::metrics::native::Derived;
use crate::metrics::own::known;
use crate::otlp::Signal;
use crate::pipeline::Stage;
use crate::pipeline::admission::{Admission, budget_of};
use crate::pipeline::run::{Fanout, Pipeline, Step};
use crate::processor::drop::DropSpans;
use crate::processor::fold_chunks::FoldChunks;
use crate::processor::genai::Genai;
use crate::processor::memory_limiter;
use crate::processor::mend::{Memory, Share};
use crate::processor::own_metrics::OwnMetrics;
use crate::processor::settings;
use crate::receiver::Protocol;

/// A processor in its pipeline.
type Place = (PipelineId, Id);

/// See the module's documentation.
#[derive(Default)]
pub(super) struct House {
    authenticators: Kept<Id, auth::settings::Settings, Authenticator>,
    pub(super) connectors: Kept<Id, connector::MadeOf, Connector>,
    pub(super) exporters: Kept<Id, exporters::MadeOf, Exporter>,
    /// Of Prometheus exporters: they outlive what else is said of their exporter.
    stores: Kept<Id, application::Settings, Store>,
    /// By id; `default` is for pipelines that name none.
    limiters: Kept<String, settings::MemoryLimiter, Limiter>,
    genai: Kept<Place, (settings::Genai, Option<Same<Room>>), Genai>,
    own_metrics: Kept<Place, (settings::Genai, Vec<Same<Families>>), OwnMetrics>,
    /// What the stages of a pipeline that drop spans remember.
    memories: Kept<PipelineId, settings::DropMemory, Memory>,
    drops: Kept<Place, Sharing<settings::Drop>, DropSpans>,
    folds: Kept<Place, Sharing<settings::FoldChunks>, FoldChunks>,
    pub(super) rooms: Rooms,
    pub(super) pipelines: BTreeMap<PipelineId, Arc<Pipeline>>,
    /// Of the receivers.
    pub(super) entrances: Kept<Id, (), Entrance>,
    /// Requests on their way through these pipelines hold a token of it.
    pub(super) in_flight: TaskTracker,
}

/// What a stage is made of that drops spans: its settings, what its pipeline remembers of dropped spans, and
/// whether it is the last that does.
type Sharing<S> = (S, Same<Memory>, bool);

/// The stage that drops spans at this place: the one before if it is made of the same, or else a new one.
fn sharing<S: Clone + PartialEq, T>(
    kept: &mut Kept<Place, Sharing<S>, T>,
    before: &Kept<Place, Sharing<S>, T>,
    place: Place,
    settings: &S,
    share: Share,
    make: impl FnOnce(&S, Share) -> T,
) -> Arc<T> {
    let of = (settings.clone(), Same(Arc::clone(&share.memory)), share.is_last);
    kept.renew_always(before, place, of, |(settings, ..)| make(settings, share))
}

/// A memory limiter, and the task that measures.
struct Limiter {
    limiter: Arc<memory_limiter::MemoryLimiter>,
    _watch: DropGuard,
}

impl House {
    /// Lays the foundation of what `plan` says: the connectors, and who lets in. What `before` has of the
    /// same is taken over, here and later.
    ///
    /// # Errors
    /// An authentication extension that cannot be started.
    pub(super) fn found(plan: &Plan, before: &House, ground: &Ground) -> Result<House, StartError> {
        let mut house = House::default();
        for (id, settings) in &plan.extensions {
            let ExtensionSettings::Auth(settings) = settings else { continue };
            let make = |settings: &_| {
                let started = Authenticator::start(id.as_str(), settings);
                started.map_err(|source| StartError::Auth { id: id.clone(), source })
            };
            house.authenticators.renew(&before.authenticators, id.clone(), settings.clone(), make)?;
        }
        for (_, settings) in &plan.receivers {
            for protocol in Protocol::of(settings) {
                if let Some(named) = &protocol.connection().authenticator
                    && house.guard(named).is_none()
                {
                    return Err(StartError::Unguarded { named: named.clone() });
                }
            }
        }
        for (id, settings) in &plan.exporters {
            house.credentials(settings)?;
            if let ExporterSettings::Prometheus(settings) = settings {
                let make = |settings: &application::Settings| Store::new(settings.clone());
                house.stores.renew_always(&before.stores, id.clone(), settings.store.clone(), make);
            }
        }
        for (id, ConnectorSettings::GenaiMetrics(settings)) in &plan.connectors {
            // How often it sends is no part of what it remembers.
            let defaults = settings::GenaiMetrics::default();
            let settings =
                settings::GenaiMetrics { metrics_flush_interval: defaults.metrics_flush_interval, ..settings.clone() };
            let of = connector::MadeOf { settings, target: target_of(plan, id), apart: stands_apart(plan, id) };
            let make = |of: &_| Connector::start(id, of, ground);
            house.connectors.renew_always(&before.connectors, id.clone(), of, make);
        }
        Ok(house)
    }

    fn authenticator(&self, named: &str) -> Option<&Arc<Authenticator>> {
        self.authenticators.iter().find(|(id, _)| id.as_str() == named).map(|(_, authenticator)| authenticator)
    }

    /// Who lets requests in by this name.
    pub(super) fn guard(&self, named: &str) -> Option<Arc<Guard>> {
        self.authenticator(named)?.guard.clone()
    }

    /// What an exporter says its name with, if it does.
    ///
    /// # Errors
    /// The extension that it names has no name to say.
    pub(super) fn credentials(&self, settings: &ExporterSettings) -> Result<Option<Arc<Credentials>>, StartError> {
        let ExporterSettings::Otlp(settings) = settings else { return Ok(None) };
        let Some(named) = &settings.authenticator else { return Ok(None) };
        let given = self.authenticator(named).and_then(|authenticator| authenticator.credentials.clone());
        given.map(Some).ok_or_else(|| StartError::Unguarded { named: named.clone() })
    }

    /// What an exporter is to be made of in this house.
    fn exporter_of(&self, plan: &Plan, id: &Id, settings: &ExporterSettings) -> exporters::MadeOf {
        let shows = match settings {
            ExporterSettings::Prometheus(_) => self.families(behind(plan, id)),
            ExporterSettings::Otlp(_) | ExporterSettings::Debug(_) => Vec::new(),
        };
        // That it is there was seen when the house was founded.
        let credentials = self.credentials(settings).unwrap_or_default().map(Same);
        let stored = storages::MadeOf::of(plan, id, settings);
        let keeps = self.stores.get(id).map(|store| Same(Arc::clone(store)));
        exporters::MadeOf { settings: settings.clone(), credentials, stored, shows, keeps }
    }

    /// Whether an exporter of this id runs and keeps its queue on disk.
    pub(super) fn is_stored(&self, id: &Id) -> bool {
        self.exporters.made_of(id).is_some_and(|of| of.stored.is_some())
    }

    /// Whether the exporter of this id is not taken over from `before`.
    pub(super) fn is_new(&self, before: &House, plan: &Plan, id: &Id) -> bool {
        let mut settings = plan.exporters.iter().filter(|(exporter, _)| exporter == id);
        settings.any(|(_, settings)| before.exporters.made_of(id) != Some(&self.exporter_of(plan, id, settings)))
    }

    /// Builds the rest. `storages` has the queues of new exporters.
    ///
    /// # Errors
    /// An exporter that cannot be started. Nothing has changed then.
    pub(super) fn build(
        &mut self,
        plan: &Plan,
        before: &House,
        storages: &mut Storages,
        ground: &Ground,
    ) -> Result<(), StartError> {
        for (id, settings) in &plan.exporters {
            let of = self.exporter_of(plan, id, settings);
            let make = |of: &_| {
                let output = Output::Exporter(id.clone());
                let pipelines = plan.pipelines.iter().filter(|pipeline| pipeline.exporters.contains(&output));
                let legs = pipelines.map(|pipeline| ground.accounts.of(&pipeline.id.to_string()).leg(id.as_str()));
                Exporter::start(id, of, storages.take(id), &legs.collect::<Vec<_>>(), ground)
            };
            self.exporters.renew(&before.exporters, id.clone(), of, make)?;
        }
        for pipeline_plan in &plan.pipelines {
            let pipeline = self.pipeline(before, ground, plan, pipeline_plan);
            self.pipelines.insert(pipeline_plan.id.clone(), Arc::new(pipeline));
        }
        for (id, _) in &plan.receivers {
            let make = |_: &()| Entrance::new(Arc::clone(&ground.gate));
            self.entrances.renew_always(&before.entrances, id.clone(), (), make);
        }
        Ok(())
    }

    /// The memory limiters of a pipeline: those that it names, or else the one of every pipeline that
    /// names none.
    fn admission(&mut self, before: &House, ground: &Ground, plan: &PipelinePlan) -> Vec<Arc<dyn Admission>> {
        let named = plan.stages.iter().filter_map(|stage| match &stage.settings {
            ProcessorSettings::MemoryLimiter(settings) => Some((stage.id.as_str(), settings.clone())),
            _ => None,
        });
        let mut limiters: Vec<_> = named.collect();
        if limiters.is_empty() {
            limiters.push(("default", settings::MemoryLimiter::of_this_machine()));
        }
        let limiters = limiters.into_iter().map(|(id, settings)| -> Arc<dyn Admission> {
            let make = |settings: &_| Limiter::start(id, settings, ground);
            let limiter = self.limiters.renew_always(&before.limiters, id.to_owned(), settings, make);
            Arc::clone(&limiter.limiter) as _
        });
        limiters.collect()
    }

    fn pipeline(&mut self, before: &House, ground: &Ground, whole: &Plan, plan: &PipelinePlan) -> Pipeline {
        let admission = self.admission(before, ground, plan);
        let memory_limit = budget_of(&admission).limit();
        let mut steps = Vec::new();
        for stage in &plan.stages {
            let books = known::Processor::new(&ground.own, stage.id.as_str(), plan.signal);
            let place = (plan.id.clone(), stage.id.clone());
            let acts: Option<Arc<dyn Stage>> = match &stage.settings {
                ProcessorSettings::MemoryLimiter(_) => None,
                // Its work is done behind the exporters' queues.
                ProcessorSettings::Batch(_) => None,
                ProcessorSettings::Genai(settings) if plan.signal == Signal::Metrics => {
                    let of = (settings.clone(), self.families(meeting(whole, plan)));
                    let make = |(settings, derived): &(_, Vec<Same<Families>>)| {
                        let derived = derived.iter().map(|Same(families)| Arc::clone(families) as Arc<dyn Derived>);
                        OwnMetrics::new(settings, derived.collect())
                    };
                    let own_metrics = self.own_metrics.renew_always(&before.own_metrics, place, of, make);
                    ground.own_metrics.add(stage.id.as_str(), &own_metrics);
                    Some(own_metrics)
                }
                ProcessorSettings::Genai(settings) => {
                    let room = settings.join_logs.map(|join_logs| {
                        let door = Door { id: &stage.id, pipeline: &plan.id, place: steps.len(), memory_limit };
                        Same(self.rooms.enter(&before.rooms, ground, whole, join_logs, &door))
                    });
                    let make = |(settings, room): &(settings::Genai, Option<Same<Room>>)| {
                        let mut genai = Genai::new(settings);
                        if let Some(Same(room)) = room {
                            genai = genai.joining(Arc::clone(&room.room));
                        }
                        if plan.signal == Signal::Logs {
                            let dropped = known::dropped_log_records(&ground.own);
                            genai = genai.counting_folded(dropped.with(&[stage.id.as_str(), "folded"]));
                        }
                        genai
                    };
                    let genai = self.genai.renew_always(&before.genai, place, (settings.clone(), room), make);
                    ground.genai.add(stage.id.as_str(), &genai);
                    Some(genai)
                }
                ProcessorSettings::Drop(settings) => {
                    let share = self.share(before, plan, stage);
                    let (kept, before) = (&mut self.drops, &before.drops);
                    let drops = sharing(kept, before, place, settings, share, DropSpans::sharing);
                    ground.drops.add(stage.id.as_str(), drops.mender());
                    Some(drops)
                }
                ProcessorSettings::FoldChunks(settings) => {
                    let share = self.share(before, plan, stage);
                    let (kept, before) = (&mut self.folds, &before.folds);
                    let folds = sharing(kept, before, place, settings, share, FoldChunks::sharing);
                    ground.drops.add(stage.id.as_str(), folds.mender());
                    ground.folds.add(stage.id.as_str(), &folds);
                    Some(folds)
                }
            };
            steps.push(Step { id: stage.id.as_str().into(), stage: acts, books: Some(books) });
        }
        let mut sinks = Vec::new();
        for output in &plan.exporters {
            match output {
                Output::Exporter(id) => sinks.extend(self.exporters.get(id).map(|exporter| exporter.sink.clone())),
                Output::Connector(id) => {
                    let tap = self.connectors.get(id).map(|connector| Arc::clone(&connector.tap));
                    steps.extend(tap.map(|tap| Step { id: id.as_str().into(), stage: Some(tap), books: None }));
                }
            }
        }
        let account = ground.accounts.of(&plan.id.to_string());
        Pipeline::new(plan.signal, account, admission, steps, sinks)
    }

    /// The share of a stage in what its pipeline remembers of dropped spans: as much as all of them ask for.
    fn share(&mut self, before: &House, plan: &PipelinePlan, stage: &StagePlan) -> Share {
        let (memory, last) = remembered(plan);
        let is_last = last == Some(&stage.id);
        Share { memory: self.memories.renew_always(&before.memories, plan.id.clone(), memory, Memory::new), is_last }
    }

    fn families<'p>(&self, connectors: impl Iterator<Item = &'p Id>) -> Vec<Same<Families>> {
        connectors
            .filter_map(|id| self.connectors.get(id))
            .map(|connector| Same(Arc::clone(&connector.families)))
            .collect()
    }

    /// From now on all that comes flows through this house: derived metrics, items that were held back,
    /// requests.
    pub(super) fn move_in(&self, plan: &Plan, ground: &Ground) {
        for (id, ConnectorSettings::GenaiMetrics(settings)) in &plan.connectors {
            if let Some(connector) = self.connectors.get(id) {
                let push = self.pushes(plan, ground, id);
                connector.send_to(Outlets { push, interval: settings.metrics_flush_interval });
            }
        }
        self.rooms.lead_to(|id| self.pipelines.get(id), ground);
        for (id, entrance) in self.entrances.iter() {
            let fed = plan.pipelines.iter().filter(|of| of.receivers.contains(&Input::Receiver(id.clone())));
            let fed = fed.filter_map(|of| self.pipelines.get(&of.id).cloned());
            let fanout = Fanout::new(fed, ground.panics.clone());
            entrance.lead_to(Way { fanout, _in_flight: self.in_flight.token() });
        }
    }

    /// Exporters that send, behind a connector.
    fn pushes(&self, plan: &Plan, ground: &Ground, connector: &Id) -> Vec<Push> {
        let mut pushes: Vec<Push> = Vec::new();
        let fed = plan.pipelines.iter().filter(|pipeline| {
            pipeline.signal == Signal::Metrics && pipeline.receivers.contains(&Input::Connector(connector.clone()))
        });
        for pipeline in fed {
            for output in &pipeline.exporters {
                let Output::Exporter(id) = output else { continue };
                let Some(exporter) = self.exporters.get(id) else { continue };
                // It reads them by itself.
                let reads = matches!(exporter.kind, exporters::Kind::Prometheus(_));
                // An exporter behind several pipelines gets the metrics once, through the first.
                if !reads && !pushes.iter().any(|push| push.sink.id == exporter.sink.id) {
                    let leg = ground.accounts.of(&pipeline.id.to_string()).leg(id.as_str());
                    pushes.push(Push { sink: exporter.sink.clone(), leg });
                }
            }
        }
        pushes
    }
}

impl Limiter {
    fn start(id: &str, settings: &settings::MemoryLimiter, ground: &Ground) -> Limiter {
        let limiter = memory_limiter::MemoryLimiter::new(settings.clone(), &ground.memory);
        known::memory_limit(&ground.own).with(&[id]).set(limiter.budget().limit() as u64);
        let stop = CancellationToken::new();
        let watch = Arc::clone(&limiter).watch(stop.clone());
        drop(ground.supervisor.spawn(format!("memory limiter {id}"), &stop, watch));
        Limiter { limiter, _watch: stop.drop_guard() }
    }
}

/// How much the stages of a pipeline that drop spans remember together, and the last one of them.
pub(super) fn remembered(plan: &PipelinePlan) -> (settings::DropMemory, Option<&Id>) {
    let mut sharing = plan.stages.iter().filter_map(|stage| match &stage.settings {
        ProcessorSettings::Drop(settings) => Some((&stage.id, &settings.memory)),
        ProcessorSettings::FoldChunks(settings) => Some((&stage.id, &settings.memory)),
        _ => None,
    });
    let none = settings::DropMemory { max_spans: 0, ttl: Duration::ZERO };
    let memory = sharing.clone().fold(none, |all, (_, one)| settings::DropMemory {
        max_spans: all.max_spans.saturating_add(one.max_spans),
        ttl: all.ttl.max(one.ttl),
    });
    (memory, sharing.next_back().map(|(id, _)| id))
}

/// The metrics speak the target of the spans that they are derived from.
pub(super) fn target_of(plan: &Plan, connector: &Id) -> Target {
    let feeds = |pipeline: &&PipelinePlan| pipeline.exporters.contains(&Output::Connector(connector.clone()));
    let stages = plan.pipelines.iter().filter(feeds).flat_map(|pipeline| &pipeline.stages);
    let mut target = stages.filter_map(|stage| match &stage.settings {
        ProcessorSettings::Genai(settings) => Some(settings.target),
        _ => None,
    });
    target.next_back().unwrap_or_default()
}

/// Whether a connector's metrics are shown beside an application's own, which takes other names.
pub(super) fn stands_apart(plan: &Plan, connector: &Id) -> bool {
    let both = |stage: &StagePlan| matches!(&stage.settings, ProcessorSettings::Genai(settings) if settings.native_metrics == NativeMetrics::Both);
    let metrics = plan.pipelines.iter().filter(|pipeline| pipeline.signal == Signal::Metrics);
    let beside = metrics.filter(|pipeline| pipeline.stages.iter().any(both));
    beside.flat_map(|pipeline| meeting(plan, pipeline)).any(|met| met == connector)
}

/// The connectors whose metrics come together with those of a metrics pipeline: in an exporter that
/// both feed.
pub(super) fn meeting<'p>(plan: &'p Plan, pipeline: &'p PipelinePlan) -> impl Iterator<Item = &'p Id> + use<'p> {
    let mut found: Vec<&Id> = Vec::new();
    for output in &pipeline.exporters {
        if let Output::Exporter(exporter) = output {
            found.extend(behind(plan, exporter));
        }
    }
    found.sort();
    found.dedup();
    found.into_iter()
}

/// The connectors whose metrics flow to an exporter.
fn behind<'p>(plan: &'p Plan, exporter: &Id) -> impl Iterator<Item = &'p Id> + use<'p> {
    let output = Output::Exporter(exporter.clone());
    let pipelines = plan.pipelines.iter().filter(move |pipeline| pipeline.exporters.contains(&output));
    let mut found: Vec<&Id> = Vec::new();
    for input in pipelines.flat_map(|pipeline| &pipeline.receivers) {
        if let Input::Connector(id) = input
            && !found.contains(&id)
        {
            found.push(id);
        }
    }
    found.into_iter()
}
