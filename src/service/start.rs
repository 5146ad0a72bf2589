//! A plan becomes a running program: exporters first, then pipelines, then every port is bound,
//! and only when all of that went well is anything accepted. A running program can take another plan
//! ([`Running::reload`]) in the same order, beside what runs.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use thiserror::Error;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::doors::{Answers, Doors, Group, Wanted};
use super::entrance::Entrance;
use super::exporters::{Exporter, Kind};
pub use super::ground::DebugOutput;
use super::ground::Ground;
use super::house::House;
use super::observers::ReceiverBooks;
use super::pages::{Metrics, Page};
use super::plan::{ExporterSettings, ExtensionSettings, Id, Plan};
use super::stop::Leaving;
use super::storages::Storages;
use crate::auth::AuthError;
use crate::bounded::budget::Claim;
use crate::bounded::buffer::Buffer;
use crate::defect;
use crate::exporter::queue::durable::QueueError;
use crate::metrics::exposition;
use crate::metrics::own::{Registry, known};
use crate::metrics::snapshot::Source;
use crate::net::tls::{ServerSettings, TlsError};
use crate::net::{self, Limits};
use crate::otlp::answer::{Reason, Refusal};
use crate::otlp::{Signal, json};
use crate::receiver::{Intake, Protocol, Transport};
use crate::storage::folder::FolderError;

/// Why the program does not start, or does not take another configuration. Nothing was accepted, or
/// changed.
#[derive(Debug, Error)]
pub enum StartError {
    /// A port could not be bound.
    #[error(transparent)]
    Bind(#[from] net::BindError),
    /// A port could not be bound while this program listens there at another address.
    #[error(
        "{error}; it may be this program's own {setting}, on {endpoint} until now: to listen on one port at another \
         address, restart the program"
    )]
    Overlap {
        /// The system's answer.
        error: net::BindError,
        /// Where this program listens.
        endpoint: String,
        /// What of it does.
        setting: String,
    },
    /// A listener's TLS settings.
    #[error("{section}.{source}")]
    Tls {
        /// The path of its section.
        section: String,
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
    /// A queue on disk cannot be handed on from one exporter to the next.
    #[error("requests wait for a disk that does not answer, so that no queue on it can be closed; try again later")]
    Busy,
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
#[derive(Debug, Clone, PartialEq, Eq)]
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
    pub(super) ground: Ground,
    plan: Plan,
    pub(super) house: House,
    pub(super) doors: Doors,
    addresses: Vec<Address>,
    /// How long requests in flight get where a listener is closed.
    drain: Duration,
    /// Houses that are being left. Each says how many items were lost with it.
    pub(super) leaving: JoinSet<u64>,
    reloads: known::Reloads,
}

/// What became of a configuration that was read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reloaded {
    /// It is in force.
    Applied,
    /// It is the one that was in force already.
    Unchanged,
}

/// Starts `plan`. `drain` is how long requests in flight get at the end; `output` makes what a
/// debug exporter writes to.
///
/// # Errors
/// [`StartError`], before anything was accepted.
pub async fn start(plan: Plan, drain: Duration, output: DebugOutput) -> Result<Running, StartError> {
    let ground = Ground::new(output);
    let mut running = Running {
        reloads: known::Reloads::new(&ground.own),
        ground,
        plan: Plan::default(),
        house: House::default(),
        doors: Doors::default(),
        addresses: Vec::new(),
        drain,
        leaving: JoinSet::new(),
    };
    // There is nothing to leave.
    running.apply(plan, Duration::ZERO).await?;
    running.in_force();
    running.ground.health.set_ready(true);
    Ok(running)
}

impl Running {
    /// Every listener.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// Waits until a part of the program has ended by a defect; its name. The program should be stopped
    /// then.
    pub async fn death(&self) -> String {
        self.ground.supervisor.death().await
    }

    /// Takes another plan. Listeners that both plans have stay open, exporters, connectors and
    /// processors whose settings are the same go on as they are, requests in flight end where they
    /// began; what is no longer wanted delivers what it has within `deadline`, in the background.
    ///
    /// # Errors
    /// [`StartError`]; nothing has changed then.
    pub async fn reload(&mut self, plan: Plan, deadline: Duration) -> Result<Reloaded, StartError> {
        let reloaded = if plan == self.plan {
            Reloaded::Unchanged
        } else {
            if let Err(error) = self.apply(plan, deadline).await {
                self.reload_failed("failed");
                return Err(error);
            }
            Reloaded::Applied
        };
        let outcome = match reloaded {
            Reloaded::Applied => "applied",
            Reloaded::Unchanged => "unchanged",
        };
        self.reloads.outcome(outcome).increment();
        self.in_force();
        Ok(reloaded)
    }

    /// Counts a configuration that was read again and is not valid.
    pub fn reload_was_invalid(&self) {
        self.reload_failed("invalid");
    }

    fn reload_failed(&self, outcome: &str) {
        self.reloads.outcome(outcome).increment();
        self.reloads.successful.set(0);
    }

    fn in_force(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.reloads.successful.set(1);
        self.reloads.last_success.set(now.as_secs());
    }

    /// Everything that can fail comes first, and changes nothing.
    async fn apply(&mut self, plan: Plan, deadline: Duration) -> Result<(), StartError> {
        // Every port before anything is accepted.
        let ready = self.doors.prepare(wanted(&plan, self.drain)).await?;
        let mut house = House::found(&plan, &self.house, &self.ground)?;
        let all = plan.exporters.iter().map(|(id, _)| id);
        let new: BTreeSet<&Id> = all.filter(|id| house.is_new(&self.house, &plan, id)).collect();
        // A queue on disk can be open once: who is replaced must close it before it is opened again.
        let handed_on = |(id, _): &&(Id, ExporterSettings)| new.contains(id) && self.house.is_stored(id);
        let handed_on: Vec<_> = plan.exporters.iter().filter(handed_on).collect();
        let mut shut = None;
        if !handed_on.is_empty() {
            for (id, settings) in &handed_on {
                Exporter::rehearse(id, settings, house.credentials(settings)?)?;
            }
            let gate = Arc::clone(&self.ground.gate).write_owned();
            shut = Some(timeout(HANDING_ON, gate).await.map_err(|_| StartError::Busy)?);
            for (id, _) in &handed_on {
                if let Some(exporter) = self.house.exporters.get(id) {
                    exporter.shutdown(Instant::now() + HANDING_ON).await;
                }
            }
        }
        let mut storages = Storages::default();
        let built = async {
            storages = Storages::open(&plan, &self.plan, |id| new.contains(id)).await?;
            house.build(&plan, &self.house, &mut storages, &self.ground)
        };
        if let Err(error) = built.await {
            if let Some((id, _)) = handed_on.first() {
                // The one before it is closed, and clients are refused until the next start.
                self.ground.supervisor.died(&format!("exporter {id}"), &error.to_string());
            }
            return Err(error);
        }
        // From here on nothing fails.
        self.ground.disks.look(&plan, storages);
        house.move_in(&plan, &self.ground);
        let closing = self.doors.open(ready, &house, &self.ground);
        drop(shut);
        let before = std::mem::replace(&mut self.house, house);
        let deadline = Instant::now() + deadline;
        let leaving = Leaving::of(before, &self.house);
        let supervisor = self.ground.supervisor.clone();
        self.leaving.spawn(async move {
            for door in closing {
                drop(door.await);
            }
            let left = defect::caught(leaving.leave(deadline, deadline)).await;
            left.map(|left| left.lost).unwrap_or_else(|defect| {
                supervisor.died("what a reload leaves behind", &defect);
                0
            })
        });
        self.plan = plan;
        self.addresses = self.doors.addresses();
        // Those that have left.
        while self.leaving.try_join_next().is_some() {}
        Ok(())
    }
}

/// How long requests wait at most, twice, while a queue on disk is handed on.
const HANDING_ON: Duration = Duration::from_secs(1);

/// Every listener that a plan has.
pub(super) fn wanted(plan: &Plan, drain: Duration) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    for (id, settings) in &plan.receivers {
        for protocol in Protocol::of(settings) {
            let what = match protocol.transport() {
                Transport::Grpc => "OTLP gRPC",
                Transport::Http => "OTLP HTTP",
            };
            let of = id.clone();
            wanted.push(Wanted {
                what,
                id: format!("receivers.{id}"),
                section: format!("receivers.{id}.protocols.{}", protocol.transport().name()),
                key: "endpoint",
                endpoint: protocol.endpoint().to_owned(),
                tls: protocol.tls().cloned(),
                has_guard: protocol.connection().authenticator.is_some(),
                group: Group::Intake,
                make: Box::new(move |house, ground| {
                    let guard = protocol.connection().authenticator.as_ref().and_then(|named| house.guard(named));
                    let (answers, limits) = protocol.answers(intake(&of, house, ground), guard, drain);
                    (Answers::Receiver(Box::new(answers)), limits)
                }),
            });
        }
    }
    let mut page = |what, id: String, key, endpoint: &str, tls: Option<&ServerSettings>, page: MakePage| {
        wanted.push(Wanted {
            what,
            section: id.clone(),
            id,
            key,
            endpoint: endpoint.to_owned(),
            tls: tls.cloned(),
            has_guard: false,
            group: Group::Pages,
            make: Box::new(move |house, ground| (Answers::Page(page(house, ground)), Limits::default())),
        });
    };
    for (id, settings) in &plan.extensions {
        let ExtensionSettings::HealthCheck(settings) = settings else { continue };
        let path = settings.path.clone();
        let health = Box::new(move |_: &House, ground: &Ground| Page::Health(ground.health.clone(), path));
        page("health", format!("extensions.{id}"), "endpoint", &settings.endpoint, settings.tls.as_ref(), health);
    }
    for (id, settings) in &plan.exporters {
        let ExporterSettings::Prometheus(settings) = settings else { continue };
        let of = id.clone();
        let derived = Box::new(move |house: &House, ground: &Ground| {
            let exporter = match house.exporters.get(&of).map(|exporter| &exporter.kind) {
                Some(Kind::Prometheus(exporter)) => Some(Arc::clone(exporter)),
                _ => None,
            };
            let write = move |accept: Option<&str>, encoding: Option<&str>| match &exporter {
                Some(exporter) => exporter.respond(accept, encoding),
                None => exposition::respond(Vec::new(), &exposition::Style::default(), accept, encoding),
            };
            Page::Metrics(Metrics::new(Arc::new(write), &ground.own, ground.panics.clone()))
        });
        page("Prometheus", format!("exporters.{id}"), "endpoint", &settings.endpoint, settings.tls.as_ref(), derived);
    }
    if let Some(address) = &plan.telemetry.metrics_address {
        let own = Box::new(|_: &House, ground: &Ground| {
            let own = ground.own.clone();
            let write = move |accept: Option<&str>, encoding: Option<&str>| own_page(&own, accept, encoding);
            Page::Metrics(Metrics::new(Arc::new(write), &ground.own, ground.panics.clone()))
        });
        page("self-metrics", "service.telemetry.metrics".to_owned(), "address", address, None, own);
    }
    wanted
}

type MakePage = Box<dyn FnOnce(&House, &Ground) -> Page + Send>;

/// What a receiver works with.
fn intake(receiver: &Id, house: &House, ground: &Ground) -> Intake {
    let entrance = house.entrances.get(receiver).cloned();
    Intake {
        consumer: entrance.unwrap_or_else(|| Arc::new(Entrance::new(Arc::clone(&ground.gate)))),
        observer: Arc::new(ReceiverBooks::new(&ground.own, receiver.as_str())),
        json: transcode,
    }
}

/// OTLP/JSON in its wire form.
fn transcode(signal: Signal, text: &[u8], claim: Claim) -> Result<Buffer, Refusal> {
    json::decode_into(signal, text, claim).map_err(|error| match error.problem {
        json::Problem::NoMemory(spent) => spent.into(),
        _ => Refusal::new(Reason::Malformed, error.to_string()),
    })
}

fn own_page(own: &Registry, accept: Option<&str>, encoding: Option<&str>) -> exposition::Scrape {
    let mut families = Vec::new();
    own.collect(&mut families);
    exposition::respond(families, &exposition::Style::default(), accept, encoding)
}
