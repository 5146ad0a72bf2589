//! A plan becomes a running program: exporters first, then pipelines, then every port is bound,
//! and only when all of that went well is anything accepted.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::connector::{Connector, Push};
use super::observers::{
    Drops, ExporterBooks, GenaiKeys, OwnMetricPoints, PipelineBooks, ReceiverBooks, failed_handshakes,
};
use super::pages;
use super::plan::{
    ConnectorSettings, ExporterSettings, ExtensionSettings, Id, Input, Output, PipelinePlan, Plan, ProcessorSettings,
    StagePlan,
};
use super::rooms::Rooms;
use super::storages::{DiskBooks, Storages};
use crate::auth::{AuthError, Authenticator};
use crate::bounded::budget::{Budget, Claim};
use crate::bounded::buffer::Buffer;
use crate::exporter::debug::DebugExporter;
use crate::exporter::otlp::{Given, OtlpExporter};
use crate::exporter::prometheus::Prometheus;
use crate::exporter::queue::durable::QueueError;
use crate::exporter::settings::Prometheus as PrometheusSettings;
use crate::extension::health::Health;
use crate::genai::settings::{NativeMetrics, Target};
use crate::metrics::exposition;
use crate::metrics::native::Derived;
use crate::metrics::own::process::Process;
use crate::metrics::own::{Registry, known};
use crate::metrics::snapshot::Source;
use crate::net::tls::{Acceptor, ServerSettings, TlsError};
use crate::net::{self, Limits, Listener};
use crate::otlp::answer::{Reason, Refusal};
use crate::otlp::{Signal, json};
use crate::pipeline::account::{Accounts, Leg};
use crate::pipeline::admission::{Admission, budget_of};
use crate::pipeline::run::{Fanout, Pipeline, Sink, Step};
use crate::pipeline::{Exporter, Stage};
use crate::processor::drop::DropSpans;
use crate::processor::genai::Genai;
use crate::processor::memory_limiter::MemoryLimiter;
use crate::processor::own_metrics::OwnMetrics;
use crate::processor::settings as processor;
use crate::receiver::settings::Connection;
use crate::receiver::{self, Guards, Intake, Receiver};
use crate::storage::folder::FolderError;

/// Why the program does not start. Nothing was accepted.
#[derive(Debug, Error)]
pub enum StartError {
    /// A port could not be bound.
    #[error(transparent)]
    Bind(#[from] net::BindError),
    /// A receiver cannot be started.
    #[error(transparent)]
    Receiver(#[from] receiver::StartError),
    /// A page's TLS settings.
    #[error("{id}.{source}")]
    Tls {
        /// The path of its section.
        id: String,
        /// What is wrong.
        source: TlsError,
    },
    /// A component names an extension that does not let in, or says no name. The plan has no such name;
    /// should it have one, nothing is accepted.
    #[error("{named} does not run, or authenticates nobody")]
    Unguarded {
        /// The name.
        named: String,
    },
    /// An authentication extension cannot work with its settings.
    #[error("extensions.{id}.{source}")]
    Auth {
        /// The extension's id.
        id: Id,
        /// What is wrong.
        source: AuthError,
    },
    /// An exporter cannot work with its settings.
    #[error("exporters.{id}: {source}")]
    Exporter {
        /// The exporter's id.
        id: Id,
        /// What is wrong.
        source: crate::exporter::otlp::StartError,
    },
    /// The folder of a `file_storage` extension cannot be used.
    #[error("extensions.{id}: {source}")]
    Storage {
        /// The extension's id.
        id: Id,
        /// What is wrong.
        source: FolderError,
    },
    /// A queue on disk cannot be used.
    #[error("exporters.{id}: sending_queue.storage: {source}")]
    Queue {
        /// The exporter's id.
        id: Id,
        /// What is wrong.
        source: QueueError,
    },
    /// The system refused something that every program needs.
    #[error("{what}: {source}")]
    System {
        /// What was wanted.
        what: &'static str,
        /// The system's answer.
        source: std::io::Error,
    },
}

/// A listener that runs, for the log and for tests.
#[derive(Debug, Clone)]
pub struct Address {
    /// `OTLP gRPC`, `OTLP HTTP`, `Prometheus`, `health` or `self-metrics`.
    pub what: &'static str,
    /// The component's id.
    pub id: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// Whether it knows who asks: by `auth`, or by clients' certificates.
    pub is_guarded: bool,
}

/// The program while it runs.
pub struct Running {
    pub(super) addresses: Vec<Address>,
    pub(super) health: Health,
    /// Ends intake.
    pub(super) intake: CancellationToken,
    pub(super) receivers: Vec<JoinHandle<net::Drained>>,
    /// Ends connectors and background work, after intake.
    pub(super) background: CancellationToken,
    pub(super) connectors: Vec<JoinHandle<()>>,
    pub(super) pipelines: Vec<Arc<Pipeline>>,
    pub(super) rooms: Rooms,
    pub(super) otlp: Vec<(Id, Arc<OtlpExporter>, Arc<ExporterBooks>)>,
    pub(super) debug: Vec<Arc<DebugExporter>>,
    /// Ends the pages, last.
    pub(super) pages: CancellationToken,
}

impl Running {
    /// Every listener.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }
}

/// Makes the writer of a debug exporter.
pub type DebugOutput<'o> = &'o dyn Fn() -> Box<dyn Write + Send>;

/// Starts `plan`. `drain` is how long requests in flight get at the end; `output` makes what a
/// debug exporter writes to.
///
/// # Errors
/// [`StartError`], before anything was accepted.
pub async fn start(plan: Plan, drain: Duration, output: DebugOutput<'_>) -> Result<Running, StartError> {
    let own = Registry::new();
    own.add_source(Arc::new(Process::new()));
    let background = CancellationToken::new();
    // What runs already ends with a start that fails.
    let started = background.clone().drop_guard();
    let mut house = House { own: own.clone(), connectors: connectors(&plan, &own), ..House::default() };
    let memory = house.memory.clone();
    known::memory_claimed(&own).observe(&[], move || memory.taken() as f64);
    house.authenticators(&plan)?;
    house.storages = Storages::open(&plan).await?;
    for (id, settings) in &plan.exporters {
        house.exporter(&plan, id, settings, output)?;
    }
    let exporters = house.otlp.iter().map(|(id, exporter, _)| (id.clone(), Arc::clone(exporter))).collect();
    own.add_source(Arc::new(DiskBooks { exporters, left: std::mem::take(&mut house.storages.left) }));
    let mut pipelines = BTreeMap::new();
    let panics = own.counter("dragoman_request_panics_total", "Requests that a defect ended; each failed alone");
    for plan_of in &plan.pipelines {
        let pipeline = Arc::new(house.pipeline(&plan, plan_of, &background));
        house.rooms.lead_to(&pipeline, &panics);
        pipelines.insert(plan_of.id.to_string(), pipeline);
    }
    house.rooms.run(&background);
    own.add_source(Arc::new(PipelineBooks(Arc::clone(&house.accounts))));
    own.add_source(Arc::new(GenaiKeys(std::mem::take(&mut house.genai))));
    own.add_source(Arc::new(OwnMetricPoints(std::mem::take(&mut house.own_metrics))));
    house.derived_metrics_flow(&plan);

    // Every port before anything is accepted.
    let mut addresses = Vec::new();
    let mut receivers = Vec::new();
    for (id, settings) in &plan.receivers {
        let guards = house.guards(settings)?;
        let found = [
            ("OTLP gRPC", settings.grpc.as_ref().map(|grpc| &grpc.connection), guards.grpc.is_some()),
            ("OTLP HTTP", settings.http.as_ref().map(|http| &http.connection), guards.http.is_some()),
        ];
        let bound = Receiver::bind(id.as_str(), settings).await?.guarded(guards);
        for ((what, connection, has_guard), address) in found.into_iter().zip([bound.grpc_addr(), bound.http_addr()]) {
            let (Some(address), Some(connection)) = (address, connection) else { continue };
            let is_guarded = has_guard || asks_for_certificates(connection.tls.as_ref());
            addresses.push(Address { what, id: format!("receivers.{id}"), address, is_guarded });
        }
        receivers.push((id.clone(), bound));
    }
    let health = Health::new();
    let mut listeners = Vec::new();
    let mut door = Door { addresses: &mut addresses, own: &own };
    for (id, settings) in &plan.extensions {
        let ExtensionSettings::HealthCheck(settings) = settings else { continue };
        let id = format!("extensions.{id}");
        let bound = door.open("health", id, "endpoint", &settings.endpoint, settings.tls.as_ref()).await?;
        listeners.push((bound, Page::Health(settings.path.clone())));
    }
    for (id, settings, exporter) in house.prometheus {
        let id = format!("exporters.{id}");
        let bound = door.open("Prometheus", id, "endpoint", &settings.endpoint, settings.tls.as_ref()).await?;
        listeners.push((bound, Page::Metrics(Arc::new(move |accept, encoding| exporter.respond(accept, encoding)))));
    }
    if let Some(address) = &plan.telemetry.metrics_address {
        let id = "service.telemetry.metrics".to_owned();
        let bound = door.open("self-metrics", id, "address", address, None).await?;
        let own = own.clone();
        listeners.push((bound, Page::Metrics(Arc::new(move |accept, encoding| page(&own, accept, encoding)))));
    }

    let (intake, pages) = (CancellationToken::new(), CancellationToken::new());
    let receivers = receivers.into_iter().map(|(id, bound)| {
        let fed = plan.pipelines.iter().filter(|pipeline| pipeline.receivers.contains(&Input::Receiver(id.clone())));
        let fed = fed.filter_map(|pipeline| pipelines.get(&pipeline.id.to_string()).cloned());
        let intake_of = Intake {
            consumer: Arc::new(Fanout::new(fed, panics.clone())),
            observer: Arc::new(ReceiverBooks::new(&own, id.as_str())),
            json: transcode,
        };
        tokio::spawn(bound.serve(intake_of, intake.clone(), drain))
    });
    let receivers = receivers.collect();
    for (listener, page) in listeners {
        drop(tokio::spawn(serve(listener, page, health.clone(), pages.clone())));
    }
    let connectors = house.connectors.into_values();
    let connectors = connectors.map(|connector| tokio::spawn(Arc::new(connector).run(background.clone()))).collect();
    health.set_ready(true);
    Ok(Running {
        addresses,
        health,
        intake,
        receivers,
        background: started.disarm(),
        connectors,
        // Pipelines are held by the receivers' tasks, which end before the rooms do.
        pipelines: pipelines.into_values().collect(),
        rooms: house.rooms,
        otlp: house.otlp,
        debug: house.debug,
        pages,
    })
}

/// The components while the program is put together.
#[derive(Default)]
struct House {
    own: Registry,
    accounts: Arc<Accounts>,
    authenticators: BTreeMap<Id, Authenticator>,
    connectors: BTreeMap<Id, Connector>,
    sinks: BTreeMap<Id, Sink>,
    otlp: Vec<(Id, Arc<OtlpExporter>, Arc<ExporterBooks>)>,
    debug: Vec<Arc<DebugExporter>>,
    prometheus: Vec<(Id, PrometheusSettings, Arc<Prometheus>)>,
    genai: Vec<Arc<Genai>>,
    own_metrics: Vec<Arc<OwnMetrics>>,
    /// What all requests hold.
    memory: Budget,
    /// By id; `default` is for pipelines that name none.
    limiters: BTreeMap<String, Arc<MemoryLimiter>>,
    storages: Storages,
    rooms: Rooms,
}

impl House {
    fn authenticators(&mut self, plan: &Plan) -> Result<(), StartError> {
        for (id, settings) in &plan.extensions {
            let ExtensionSettings::Auth(settings) = settings else { continue };
            let authenticator = Authenticator::start(id.as_str(), settings)
                .map_err(|source| StartError::Auth { id: id.clone(), source })?;
            self.authenticators.insert(id.clone(), authenticator);
        }
        Ok(())
    }

    /// What the extension gives that a component names; nothing only where none is named.
    fn named<T>(
        &self,
        named: Option<&String>,
        give: impl FnOnce(&Authenticator) -> Option<T>,
    ) -> Result<Option<T>, StartError> {
        let Some(named) = named else { return Ok(None) };
        let found = self.authenticators.iter().find(|(id, _)| id.as_str() == named);
        let given = found.and_then(|(_, authenticator)| give(authenticator));
        given.map(Some).ok_or_else(|| StartError::Unguarded { named: named.clone() })
    }

    fn guards(&self, settings: &receiver::settings::Settings) -> Result<Guards, StartError> {
        let guard = |connection: Option<&Connection>| {
            let named = connection.and_then(|connection| connection.authenticator.as_ref());
            self.named(named, |authenticator| authenticator.guard.clone())
        };
        Ok(Guards {
            grpc: guard(settings.grpc.as_ref().map(|grpc| &grpc.connection))?,
            http: guard(settings.http.as_ref().map(|http| &http.connection))?,
        })
    }

    fn exporter(
        &mut self,
        plan: &Plan,
        id: &Id,
        settings: &ExporterSettings,
        output: DebugOutput<'_>,
    ) -> Result<(), StartError> {
        let books = || Arc::new(ExporterBooks::new(known::Exporter::new(&self.own, id.as_str())));
        let mut enqueue_failed = None;
        let exporter: Arc<dyn Exporter> = match settings {
            ExporterSettings::Otlp(settings) => {
                let books = books();
                let credentials =
                    self.named(settings.authenticator.as_ref(), |authenticator| authenticator.credentials.clone())?;
                let (stored, legs) = (self.storages.take(id), self.legs(plan, id));
                let given = Given { credentials, stored, legs: &legs, memory: self.memory.clone() };
                let exporter = OtlpExporter::start_with(id.as_str(), settings, Arc::clone(&books) as _, given)
                    .map_err(|source| StartError::Exporter { id: id.clone(), source })?;
                let exporter = Arc::new(exporter);
                self.queue_gauges(id, &exporter);
                enqueue_failed = Some(known::enqueue_failed(&self.own, id.as_str()));
                self.otlp.push((id.clone(), Arc::clone(&exporter), books));
                exporter
            }
            ExporterSettings::Debug(settings) => {
                let exporter = DebugExporter::start(id.as_str(), settings, output(), books())
                    .map_err(|source| StartError::System { what: "a thread for the debug exporter", source })?;
                let exporter = Arc::new(exporter);
                self.debug.push(Arc::clone(&exporter));
                exporter
            }
            ExporterSettings::Prometheus(settings) => {
                let mut exporter = Prometheus::new(id.as_str(), settings, &self.own);
                for connector in behind(plan, id).filter_map(|connector| self.connectors.get(connector)) {
                    exporter = exporter.with_source(Arc::clone(&connector.families) as _);
                }
                let exporter = Arc::new(exporter);
                self.prometheus.push((id.clone(), settings.clone(), Arc::clone(&exporter)));
                exporter
            }
        };
        self.sinks.insert(id.clone(), Sink { id: id.as_str().into(), exporter, enqueue_failed });
        Ok(())
    }

    /// The books of every pipeline that ends in an exporter.
    fn legs(&self, plan: &Plan, exporter: &Id) -> Vec<Leg> {
        let output = Output::Exporter(exporter.clone());
        let pipelines = plan.pipelines.iter().filter(|pipeline| pipeline.exporters.contains(&output));
        pipelines.map(|pipeline| self.accounts.of(&pipeline.id.to_string()).leg(exporter.as_str())).collect()
    }

    fn queue_gauges(&self, id: &Id, exporter: &Arc<OtlpExporter>) {
        let gauge = |name, help, read: fn(crate::exporter::observe::QueueState) -> usize| {
            let gauges = self.own.gauges(name, help, &["exporter", "data_type"]);
            for signal in Signal::ALL.into_iter().filter(|signal| exporter.takes(*signal)) {
                let exporter = Arc::clone(exporter);
                gauges.observe(&[id.as_str(), signal.name()], move || read(exporter.queue(signal)) as f64);
            }
        };
        gauge("otelcol_exporter_queue_size", "Bytes in the queue, requests under way included", |queue| queue.bytes);
        gauge("otelcol_exporter_queue_capacity", "Bytes that the queue has room for", |queue| queue.capacity);
        gauge("otelcol_exporter_in_flight_requests", "Requests under way", |queue| queue.in_flight);
        gauge("dragoman_exporter_held_items", "Items that wait or are under way", |queue| queue.items);
    }

    /// The memory limiters of a pipeline: those that it names, or else the one of every pipeline that
    /// names none.
    fn admission(&mut self, plan: &PipelinePlan, background: &CancellationToken) -> Vec<Arc<dyn Admission>> {
        let named = plan.stages.iter().filter_map(|stage| match &stage.settings {
            ProcessorSettings::MemoryLimiter(settings) => Some((stage.id.as_str(), settings.clone())),
            _ => None,
        });
        let mut limiters: Vec<_> = named.collect();
        if limiters.is_empty() {
            limiters.push(("default", processor::MemoryLimiter::of_this_machine()));
        }
        let limiters = limiters.into_iter().map(|(id, settings)| -> Arc<dyn Admission> {
            let limiter = self.limiters.entry(id.into()).or_insert_with(|| {
                let limiter = MemoryLimiter::new(settings, &self.memory);
                drop(tokio::spawn(Arc::clone(&limiter).watch(background.clone())));
                let limit = limiter.budget().limit() as f64;
                known::memory_limit(&self.own).observe(&[id], move || limit);
                limiter
            });
            Arc::clone(limiter) as _
        });
        limiters.collect()
    }

    fn pipeline(&mut self, whole: &Plan, plan: &PipelinePlan, background: &CancellationToken) -> Pipeline {
        let admission = self.admission(plan, background);
        let mut steps = Vec::new();
        for stage in &plan.stages {
            let books = known::Processor::new(&self.own, stage.id.as_str(), plan.signal);
            let acts: Option<Arc<dyn Stage>> = match &stage.settings {
                ProcessorSettings::MemoryLimiter(_) => None,
                // Its work is done behind the exporters' queues.
                ProcessorSettings::Batch(_) => None,
                ProcessorSettings::Genai(settings) if plan.signal == Signal::Metrics => {
                    let derived = meeting(whole, plan).filter_map(|id| self.connectors.get(id));
                    let derived = derived.map(|connector| Arc::clone(&connector.families) as Arc<dyn Derived>);
                    let own_metrics = Arc::new(OwnMetrics::new(settings, derived.collect()));
                    self.own_metrics.push(Arc::clone(&own_metrics));
                    Some(own_metrics)
                }
                ProcessorSettings::Genai(settings) => {
                    let mut genai = Genai::new(settings);
                    if let Some(join_logs) = settings.join_logs {
                        let memory = budget_of(&admission);
                        genai = genai.joining(self.rooms.enter(&stage.id, join_logs, steps.len(), &self.own, &memory));
                    }
                    if plan.signal == Signal::Logs {
                        let dropped = known::dropped_log_records(&self.own);
                        genai = genai.counting_folded(dropped.with(&[stage.id.as_str(), "folded"]));
                    }
                    let genai = Arc::new(genai);
                    self.genai.push(Arc::clone(&genai));
                    Some(genai)
                }
                ProcessorSettings::Drop(settings) => {
                    let drops = Arc::new(DropSpans::new(settings));
                    let processor = stage.id.to_string();
                    self.own.add_source(Arc::new(Drops { processor, stage: Arc::clone(&drops) }));
                    Some(drops)
                }
            };
            steps.push(Step { id: stage.id.as_str().into(), stage: acts, books: Some(books) });
        }
        let mut exporters = Vec::new();
        for output in &plan.exporters {
            match output {
                Output::Exporter(id) => exporters.extend(self.sinks.get(id).cloned()),
                Output::Connector(id) => {
                    let tap = self.connectors.get(id).map(|connector| Arc::clone(&connector.tap));
                    steps.extend(tap.map(|tap| Step { id: id.as_str().into(), stage: Some(tap), books: None }));
                }
            }
        }
        let account = self.accounts.of(&plan.id.to_string());
        Pipeline::new(plan.signal, account, admission, steps, exporters)
    }

    /// Exporters that send, behind each connector.
    fn derived_metrics_flow(&mut self, plan: &Plan) {
        for pipeline in plan.pipelines.iter().filter(|pipeline| pipeline.signal == Signal::Metrics) {
            for output in &pipeline.exporters {
                let Output::Exporter(id) = output else { continue };
                let reads_by_itself = self.prometheus.iter().any(|(prometheus, ..)| prometheus == id);
                let Some(sink) = self.sinks.get(id).filter(|_| !reads_by_itself) else { continue };
                for input in &pipeline.receivers {
                    if let Input::Connector(connector) = input
                        && let Some(connector) = self.connectors.get_mut(connector)
                        && !connector.push.iter().any(|push| push.sink.id == sink.id)
                    {
                        // An exporter behind several pipelines gets the metrics once, through the first.
                        let leg = self.accounts.of(&pipeline.id.to_string()).leg(id.as_str());
                        connector.push.push(Push { sink: sink.clone(), leg });
                    }
                }
            }
        }
    }
}

/// OTLP/JSON in its wire form.
fn transcode(signal: Signal, text: &[u8], claim: Claim) -> Result<Buffer, Refusal> {
    json::decode_into(signal, text, claim).map_err(|error| match error.problem {
        json::Problem::NoMemory(spent) => spent.into(),
        _ => Refusal::new(Reason::Malformed, error.to_string()),
    })
}

fn connectors(plan: &Plan, own: &Registry) -> BTreeMap<Id, Connector> {
    let made = plan.connectors.iter().map(|(id, ConnectorSettings::GenaiMetrics(settings))| {
        (id.clone(), Connector::new(settings, target_of(plan, id), stands_apart(plan, id), own))
    });
    made.collect()
}

/// The metrics speak the target of the spans that they are derived from.
fn target_of(plan: &Plan, connector: &Id) -> Target {
    let feeds = |pipeline: &&PipelinePlan| pipeline.exporters.contains(&Output::Connector(connector.clone()));
    let stages = plan.pipelines.iter().filter(feeds).flat_map(|pipeline| &pipeline.stages);
    let mut target = stages.filter_map(|stage| match &stage.settings {
        ProcessorSettings::Genai(settings) => Some(settings.target),
        _ => None,
    });
    target.next_back().unwrap_or_default()
}

/// Whether a connector's metrics are shown beside an application's own, which takes other names.
fn stands_apart(plan: &Plan, connector: &Id) -> bool {
    let both = |stage: &StagePlan| matches!(&stage.settings, ProcessorSettings::Genai(settings) if settings.native_metrics == NativeMetrics::Both);
    let metrics = plan.pipelines.iter().filter(|pipeline| pipeline.signal == Signal::Metrics);
    let beside = metrics.filter(|pipeline| pipeline.stages.iter().any(both));
    beside.flat_map(|pipeline| meeting(plan, pipeline)).any(|met| met == connector)
}

/// The connectors whose metrics come together with those of a metrics pipeline: in an exporter that
/// both feed. On a Prometheus exporter's page are derived metrics only, so that nothing meets there.
fn meeting<'p>(plan: &'p Plan, pipeline: &'p PipelinePlan) -> impl Iterator<Item = &'p Id> {
    let shows_both = |output: &&Output| match output {
        Output::Exporter(id) => {
            let mut exporters = plan.exporters.iter();
            !exporters.any(|(other, settings)| other == id && matches!(settings, ExporterSettings::Prometheus(_)))
        }
        Output::Connector(_) => false,
    };
    let outputs = pipeline.exporters.iter().filter(shows_both);
    let mut found: Vec<&Id> = Vec::new();
    for output in outputs {
        if let Output::Exporter(exporter) = output {
            found.extend(behind(plan, exporter));
        }
    }
    found.sort();
    found.dedup();
    found.into_iter()
}

/// The connectors whose metrics flow to an exporter.
fn behind<'p>(plan: &'p Plan, exporter: &Id) -> impl Iterator<Item = &'p Id> {
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

enum Page {
    Health(String),
    Metrics(Arc<pages::Write>),
}

/// Opens the listeners of pages.
struct Door<'d> {
    addresses: &'d mut Vec<Address>,
    own: &'d Registry,
}

impl Door<'_> {
    async fn open(
        &mut self,
        what: &'static str,
        id: String,
        key: &str,
        endpoint: &str,
        tls: Option<&ServerSettings>,
    ) -> Result<Listener, StartError> {
        let acceptor = tls.map(|tls| Acceptor::start(&format!("{id}.tls"), tls)).transpose();
        let acceptor = acceptor.map_err(|source| StartError::Tls { id: id.clone(), source })?;
        let mut listener = Listener::from(net::bind(endpoint, &format!("{id}.{key}")).await?);
        if acceptor.is_some() {
            let failed = failed_handshakes(self.own).with(&[&id]);
            listener = listener.with_tls(acceptor).on_failed_handshake(move || failed.increment());
        }
        let address =
            listener.local_addr().map_err(|source| StartError::System { what: "a listener's address", source })?;
        self.addresses.push(Address { what, id, address, is_guarded: asks_for_certificates(tls) });
        Ok(listener)
    }
}

fn asks_for_certificates(tls: Option<&ServerSettings>) -> bool {
    tls.is_some_and(|tls| tls.client_ca_file.is_some())
}

async fn serve(listener: Listener, page: Page, health: Health, stop: CancellationToken) -> net::Drained {
    let limits = Limits::default();
    match page {
        Page::Health(path) => net::serve(listener, Arc::new(health.handler(&path)), limits, stop).await,
        Page::Metrics(write) => net::serve(listener, Arc::new(pages::Metrics(write)), limits, stop).await,
    }
}

fn page(own: &Registry, accept: Option<&str>, encoding: Option<&str>) -> exposition::Scrape {
    let mut families = Vec::new();
    own.collect(&mut families);
    exposition::respond(families, "", accept, encoding)
}
