//! Exporters that run: how each is started, what is watched of it, and how it ends.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::ground::Ground;
use super::kept::Same;
use super::observers::ExporterBooks;
use super::plan::{ExporterSettings, Id};
use super::start::StartError;
use super::storages;
use crate::auth::Credentials;
use crate::exporter::debug::DebugExporter;
use crate::exporter::otlp::{Given, OtlpExporter};
use crate::exporter::prometheus::Prometheus;
use crate::exporter::queue::durable::Opened;
use crate::metrics::application::Store;
use crate::metrics::families::Families;
use crate::metrics::own::{Registry, known};
use crate::otlp::Signal;
use crate::pipeline::account::Leg;
use crate::pipeline::run::Sink;

/// What an exporter is made of.
#[derive(PartialEq)]
pub(super) struct MadeOf {
    pub(super) settings: ExporterSettings,
    /// What it says its name with.
    pub(super) credentials: Option<Same<Credentials>>,
    /// Its queues on disk, if it keeps them there.
    pub(super) stored: Option<storages::MadeOf>,
    /// Derived metrics that it shows by itself.
    pub(super) shows: Vec<Same<Families>>,
    /// What it holds of the metrics of applications.
    pub(super) keeps: Option<Same<Store>>,
}

/// An exporter that runs.
pub(super) struct Exporter {
    pub(super) sink: Sink,
    pub(super) kind: Kind,
    stop: CancellationToken,
    _stop: DropGuard,
}

pub(super) enum Kind {
    Otlp(Arc<OtlpExporter>, Arc<ExporterBooks>),
    Debug(Arc<DebugExporter>),
    Prometheus(Arc<Prometheus>),
}

impl Exporter {
    /// `queues` are its queues on disk, `legs` the books of the pipelines that end in it.
    pub(super) fn start(
        id: &Id,
        of: &MadeOf,
        queues: BTreeMap<Signal, Opened>,
        legs: &[Leg],
        ground: &Ground,
    ) -> Result<Exporter, StartError> {
        let own = &ground.own;
        let books = || Arc::new(ExporterBooks::new(known::Exporter::new(own, id.as_str())));
        let mut enqueue_failed = None;
        let (exporter, kind): (Arc<dyn crate::pipeline::Exporter>, Kind) = match &of.settings {
            ExporterSettings::Otlp(settings) => {
                let books = books();
                let observer = Arc::clone(&books) as _;
                let credentials = of.credentials.as_ref().map(|Same(credentials)| Arc::clone(credentials));
                let given = Given { credentials, stored: queues, legs, memory: ground.memory.clone() };
                let exporter = OtlpExporter::start_with(id.as_str(), settings, observer, given)
                    .map_err(|source| StartError::Exporter { id: id.clone(), source })?;
                let exporter = Arc::new(exporter);
                ground.queues.add(id.as_str(), &exporter);
                enqueue_failed = Some(known::enqueue_failed(own, id.as_str()));
                (Arc::clone(&exporter) as _, Kind::Otlp(exporter, books))
            }
            ExporterSettings::Debug(settings) => {
                let exporter = DebugExporter::start(id.as_str(), settings, (ground.output)(), books())
                    .map_err(|source| StartError::System { what: "a thread for the debug exporter", source })?;
                let exporter = Arc::new(exporter);
                (Arc::clone(&exporter) as _, Kind::Debug(exporter))
            }
            ExporterSettings::Prometheus(settings) => {
                let store = match &of.keeps {
                    Some(Same(store)) => Arc::clone(store),
                    None => Arc::new(Store::new(settings.store.clone())),
                };
                let mut exporter = Prometheus::new(id.as_str(), settings, store, own);
                for Same(families) in &of.shows {
                    exporter = exporter.with_source(Arc::clone(families) as _);
                }
                let exporter = Arc::new(exporter);
                (Arc::clone(&exporter) as _, Kind::Prometheus(exporter))
            }
        };
        let stop = CancellationToken::new();
        let died = match &kind {
            Kind::Otlp(exporter, _) => Some(exporter.died()),
            Kind::Debug(exporter) => Some(exporter.died()),
            // Nothing of it runs by itself.
            Kind::Prometheus(_) => None,
        };
        if let Some(died) = died {
            let stopped = stop.clone();
            let lives = async move {
                tokio::select! {
                    () = stopped.cancelled() => {}
                    () = died.cancelled() => {}
                }
            };
            drop(ground.supervisor.spawn(format!("exporter {id}"), &stop, lives));
        }
        let sink = Sink { id: id.as_str().into(), exporter, enqueue_failed };
        Ok(Exporter { sink, kind, _stop: stop.clone().drop_guard(), stop })
    }

    /// Whether an exporter of these settings can be started, as far as that can be said without its queue.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn rehearse(
        id: &Id,
        settings: &ExporterSettings,
        credentials: Option<Arc<Credentials>>,
    ) -> Result<(), StartError> {
        let ExporterSettings::Otlp(settings) = settings else { return Ok(()) };
        let silent = Arc::new(ExporterBooks::new(known::Exporter::new(&Registry::new(), id.as_str())));
        let given = Given { credentials, ..Given::default() };
        let started = OtlpExporter::start_with(id.as_str(), settings, silent, given);
        started.map(drop).map_err(|source| StartError::Exporter { id: id.clone(), source })
    }

    /// Takes nothing more and delivers what is left until `deadline`. Returns how many items are lost.
    pub(super) async fn shutdown(&self, deadline: Instant) -> u64 {
        self.stop.cancel();
        match &self.kind {
            Kind::Otlp(exporter, books) => {
                exporter.shutdown(deadline).await;
                books.undelivered()
            }
            Kind::Debug(exporter) => {
                exporter.shutdown(deadline).await;
                0
            }
            Kind::Prometheus(_) => 0,
        }
    }
}
