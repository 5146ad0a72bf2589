//! The `genai_metrics` connector: one ledger and one set of metrics that any number of traces
//! pipelines feed. Prometheus exporters read the metrics when they are scraped; exporters that
//! send get them every `metrics_flush_interval`.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::time::{Duration, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::genai::settings::Target;
use crate::metrics::families::Families;
use crate::metrics::ledger::Ledger;
use crate::metrics::own::Registry;
use crate::otlp::Signal;
use crate::pipeline::account::{Leg, Origin};
use crate::pipeline::run::Sink;
use crate::pipeline::{Batch, Stage};
use crate::processor::genai_metrics::GenaiMetrics;
use crate::processor::settings::GenaiMetrics as Settings;

/// A connector that runs.
pub(super) struct Connector {
    pub(super) families: Arc<Families>,
    /// The last stage of every traces pipeline that feeds this connector.
    pub(super) tap: Arc<dyn Stage>,
    /// Exporters of the metrics pipelines behind it that want to be sent to.
    pub(super) push: Vec<Push>,
    flush_interval: Duration,
}

/// An exporter that is sent to, and the books of the pipeline that it is sent for.
pub(super) struct Push {
    pub(super) sink: Sink,
    pub(super) leg: Leg,
}

impl Connector {
    /// `apart` if its metrics are to have names that no application's own metrics have.
    pub(super) fn new(settings: &Settings, target: Target, apart: bool, own: &Registry) -> Self {
        let make = if apart { Families::apart } else { Families::new };
        let families = make(target, settings.max_series, settings.metrics_expiration).reporting_to(own);
        let families = Arc::new(families);
        let ledger = Arc::new(Ledger::new(&settings.window, settings.per_service));
        let tap = Arc::new(GenaiMetrics::new(ledger, Arc::clone(&families) as _));
        Connector { families, tap, push: Vec::new(), flush_interval: settings.metrics_flush_interval }
    }

    /// Sends the metrics every interval, and once more when `stop` is cancelled.
    pub(super) async fn run(self: Arc<Self>, stop: CancellationToken) {
        if self.push.is_empty() {
            return;
        }
        let mut ticks = tokio::time::interval(self.flush_interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await;
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = ticks.tick() => self.flush(),
            }
        }
        self.flush();
    }

    fn flush(&self) {
        let Some(encoded) = self.families.to_otlp(SystemTime::now()) else { return };
        for Push { sink, leg } in &self.push {
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
}
