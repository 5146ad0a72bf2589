//! What `batch` processors mean: the exporters of their pipelines put together, behind their queues,
//! what waits there. An exporter has one way of doing that for each signal; this is where it is
//! settled which.

use super::plan::{ExporterSettings, Id};
use super::wiring::Definition;
use crate::config::Field;
use crate::exporter::settings as exporter;
use crate::otlp::Signal;
use crate::otlp::split::Limits;
use crate::processor::settings as processor;

/// A `batch` processor in a pipeline.
pub(super) struct Use<'c> {
    pub(super) signal: Signal,
    /// Where the pipeline names it.
    pub(super) field: Field<'c>,
    pub(super) settings: processor::Batch,
    /// The pipeline's exporters.
    pub(super) exporters: Vec<Id>,
}

/// Says which `batch` processors have no effect, or not the one that their section says.
pub(super) fn check(uses: &[Use<'_>], exporters: &[Definition<'_, ExporterSettings>]) {
    let known =
        |id: &Id| exporters.iter().find(|definition| definition.id == *id).and_then(|found| found.known.as_ref());
    for (index, used) in uses.iter().enumerate() {
        let settings = used.exporters.iter().filter_map(known);
        if !settings.clone().any(|(_, settings)| matches!(settings, ExporterSettings::Otlp(_))) {
            used.field.warn("has no effect: nothing of this pipeline is sent anywhere; what is shown is shown at once");
            continue;
        }
        if !settings.clone().any(|(_, settings)| is_open(settings)) {
            used.field.warn(
                "has no effect: requests are put together behind the queues of otlp_grpc and otlp_http, and none of this pipeline is without a sending_queue.batch of its own",
            );
            continue;
        }
        let others = uses.iter().take(index).filter(|other| other.signal == used.signal);
        let differing = others.filter(|other| other.settings != used.settings);
        let shared = differing.flat_map(|other| &other.exporters).find(|id| used.exporters.contains(id));
        if let Some(id) = shared {
            used.field.warn(format!(
                "differs from the batch of another pipeline of {} into {id}: there the smaller of the two holds, value by value",
                used.signal
            ));
        }
    }
}

/// Whether an exporter leaves to its pipelines how it puts requests together.
fn is_open(settings: &ExporterSettings) -> bool {
    matches!(settings, ExporterSettings::Otlp(otlp) if otlp.queue.enabled && otlp.batch.iter().all(Option::is_none))
}

/// Writes what the processors say into the settings of their exporters.
pub(super) fn apply(uses: &[Use<'_>], exporters: &mut [(Id, ExporterSettings)]) {
    for (id, settings) in exporters {
        if !is_open(settings) {
            continue;
        }
        let ExporterSettings::Otlp(otlp) = settings else { continue };
        for (signal, batch) in Signal::ALL.into_iter().zip(&mut otlp.batch) {
            let of_signal = uses.iter().filter(|used| used.signal == signal && used.exporters.contains(id));
            *batch = of_signal.map(|used| behind_the_queue(used.settings)).reduce(exporter::Batch::strictest);
        }
    }
}

fn behind_the_queue(settings: processor::Batch) -> exporter::Batch {
    let items = |items| Limits { items, ..Limits::NONE };
    let processor::Batch { send_batch_size, timeout, send_batch_max_size } = settings;
    exporter::Batch {
        flush_timeout: timeout,
        // As in the Collector: without a time nothing is gathered at all.
        min_size: items(if timeout.is_zero() { 0 } else { send_batch_size }),
        max_size: if send_batch_max_size == 0 { Limits::NONE } else { items(send_batch_max_size) },
    }
}
