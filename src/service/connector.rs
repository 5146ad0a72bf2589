//! The `genai_metrics` connector: one ledger and one set of metrics that any number of traces
//! pipelines feed. Prometheus exporters read the metrics when they are scraped; exporters that
//! send get them every `metrics_flush_interval`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Duration, Instant};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::ground::Ground;
use super::plan::Id;
use crate::genai::settings::Target;
use crate::metrics::families::Families;
use crate::metrics::ledger::Ledger;
use crate::otlp::Signal;
use crate::pipeline::account::{Leg, Origin};
use crate::pipeline::run::Sink;
use crate::pipeline::{Batch, Stage};
use crate::processor::genai_metrics::GenaiMetrics;
use crate::processor::settings::GenaiMetrics as Settings;

/// What a connector's memory and metrics are made of.
#[derive(Debug, PartialEq)]
pub(super) struct MadeOf {
    pub(super) settings: Settings,
    pub(super) target: Target,
    /// Its metrics have names that no application's own metrics have.
    pub(super) apart: bool,
}

impl MadeOf {
    /// Its metrics, with nothing recorded.
    pub(super) fn families(&self) -> Families {
        let make = if self.apart { Families::apart } else { Families::new };
        let settings = &self.settings;
        make(self.target, settings.max_series, settings.metrics_expiration).compatible_with(&settings.compatibility)
    }

    /// Its memory of calls, empty.
    pub(super) fn ledger(&self) -> Ledger {
        Ledger::new(&self.settings.window, self.settings.per_service)
    }
}

/// A connector that runs.
pub(super) struct Connector {
    pub(super) families: Arc<Families>,
    /// The last stage of every traces pipeline that feeds this connector.
    pub(super) tap: Arc<dyn Stage>,
    outlets: watch::Sender<Arc<Outlets>>,
    stop: CancellationToken,
    _stop: DropGuard,
    flushes: Mutex<Option<JoinHandle<Option<()>>>>,
}

/// Where the metrics are sent to, and how often.
#[derive(Default)]
pub(super) struct Outlets {
    pub(super) push: Vec<Push>,
    pub(super) interval: Duration,
}

/// An exporter that is sent to, and the books of the pipeline that it is sent for.
pub(super) struct Push {
    pub(super) sink: Sink,
    pub(super) leg: Leg,
}

impl Connector {
    /// Its metrics go nowhere before [`Connector::send_to`].
    pub(super) fn start(id: &Id, of: &MadeOf, ground: &Ground) -> Self {
        let families = Arc::new(of.families().reporting_to(&ground.own));
        let ledger = Arc::new(of.ledger());
        let tap = Arc::new(GenaiMetrics::new(ledger, Arc::clone(&families) as _));
        let outlets = watch::Sender::default();
        let stop = CancellationToken::new();
        let flushes = run(Arc::clone(&families), outlets.subscribe(), stop.clone());
        let flushes = ground.supervisor.spawn(format!("connector {id}"), &stop, flushes);
        let _stop = stop.clone().drop_guard();
        Connector { families, tap, outlets, stop, _stop, flushes: Mutex::new(Some(flushes)) }
    }

    /// Sends the metrics there from now on.
    pub(super) fn send_to(&self, outlets: Outlets) {
        self.outlets.send_replace(Arc::new(outlets));
    }

    /// Sends the metrics a last time. Whether that went well.
    pub(super) async fn stop(&self) -> bool {
        self.stop.cancel();
        let flushes = self.flushes.lock().unwrap_or_else(PoisonError::into_inner).take();
        match flushes {
            Some(flushes) => matches!(flushes.await, Ok(Some(()))),
            None => true,
        }
    }
}

/// Sends the metrics every interval, and once more when `stop` is cancelled.
async fn run(families: Arc<Families>, mut outlets: watch::Receiver<Arc<Outlets>>, stop: CancellationToken) {
    let mut current = Arc::clone(&outlets.borrow_and_update());
    let mut flushed = Instant::now();
    loop {
        let next = async {
            match current.push.is_empty() {
                true => std::future::pending().await,
                false => tokio::time::sleep_until(flushed + current.interval).await,
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => return flush(&families, &current),
            () = next => {
                flushed = Instant::now();
                flush(&families, &current);
            }
            changed = outlets.changed() => match changed {
                // The time since the last flush counts on: many changes do not put it off for ever.
                Ok(()) => current = Arc::clone(&outlets.borrow_and_update()),
                Err(_) => stop.cancelled().await,
            },
        }
    }
}

fn flush(families: &Families, outlets: &Outlets) {
    if outlets.push.is_empty() {
        return;
    }
    let Some(encoded) = families.to_otlp(SystemTime::now()) else { return };
    for Push { sink, leg } in &outlets.push {
        // The next flush says the same and more: what is cumulative is not lost by waiting.
        match sink.exporter.reserve(Signal::Metrics, encoded.body.len()) {
            // Nobody waits for an acknowledgement.
            Ok(permit) => drop(permit.send(Batch {
                signal: Signal::Metrics,
                body: encoded.body.clone(),
                open: leg.open(Origin::Derived, encoded.points),
                calls: Arc::default(),
            })),
            Err(refusal) => tracing::warn!("genai_metrics: not sent to {} this time: {refusal}", sink.id),
        }
    }
}
