//! The queues on disk: opened before anything else is started, and what is in them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::plan::{ExporterSettings, ExtensionSettings, Id, Output, Plan};
use super::stages::Holding;
use super::start::StartError;
use crate::exporter::observe::DiskState;
use crate::exporter::otlp::OtlpExporter;
use crate::exporter::queue::durable::found::{self, Left};
use crate::exporter::queue::durable::{self, Opened};
use crate::extension::file_storage::FileStorage;
use crate::metrics::snapshot::{Family, Kind, Label, Series, Source, Value};
use crate::otlp::Signal;
use crate::storage::folder::Folder;
use crate::storage::segments::Options;

/// What is on disk.
#[derive(Default)]
pub(super) struct Storages {
    queues: BTreeMap<Id, BTreeMap<Signal, Opened>>,
    /// What no exporter of the plan takes, by the extension.
    left: BTreeMap<Id, Vec<Left>>,
}

/// What an exporter's queues on disk are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MadeOf {
    extension: Id,
    settings: FileStorage,
    /// Of the pipelines that end in the exporter.
    signals: Vec<Signal>,
}

impl MadeOf {
    /// `None` for an exporter that keeps nothing on disk.
    pub(super) fn of(plan: &Plan, exporter: &Id, settings: &ExporterSettings) -> Option<MadeOf> {
        let ExporterSettings::Otlp(settings) = settings else { return None };
        let storage = settings.queue.storage.as_deref()?;
        plan.extensions.iter().find_map(|(id, settings)| match settings {
            ExtensionSettings::FileStorage(settings) if id.as_str() == storage => {
                let signals = Signal::ALL.into_iter().filter(|signal| ends_in(plan, exporter, *signal)).collect();
                Some(MadeOf { extension: id.clone(), settings: settings.clone(), signals })
            }
            _ => None,
        })
    }
}

/// Whether a pipeline of `signal` ends in `exporter`.
fn ends_in(plan: &Plan, exporter: &Id, signal: Signal) -> bool {
    let output = Output::Exporter(exporter.clone());
    plan.pipelines.iter().any(|pipeline| pipeline.signal == signal && pipeline.exporters.contains(&output))
}

impl Storages {
    /// Opens the folder of every `file_storage` that the plan uses, and in it the queues of the
    /// exporters that name it and do not run already (`is_new`): of the signals that they are at the end
    /// of a pipeline of.
    pub(super) async fn open(plan: &Plan, before: &Plan, is_new: impl Fn(&Id) -> bool) -> Result<Storages, StartError> {
        let known = |wanted: &Wanted| {
            let is_same = |(id, of): &(Id, ExtensionSettings)| {
                *id == wanted.id && matches!(of, ExtensionSettings::FileStorage(of) if *of == wanted.settings)
            };
            wanted.queues.is_empty() && before.extensions.iter().any(is_same)
        };
        let wanted = plan.extensions.iter().filter_map(|(id, settings)| storage(id, settings, plan, &is_new));
        let wanted: Vec<_> = wanted.filter(|wanted| !known(wanted)).collect();
        if wanted.is_empty() {
            return Ok(Storages::default());
        }
        let opened = tokio::task::spawn_blocking(move || {
            let mut storages = Storages::default();
            let mut folders = Vec::new();
            for Wanted { id, settings, queues } in wanted {
                let folder = settings.open().map_err(|source| StartError::Storage { id: id.clone(), source })?;
                storages.open_queues(&folder, &settings, queues)?;
                folders.push((id, folder));
            }
            for (id, folder) in folders {
                storages.left.insert(id, found::left(&folder));
            }
            Ok(storages)
        });
        opened.await.map_err(|error| StartError::System { what: "a queue on disk", source: error.into() })?
    }

    fn open_queues(
        &mut self,
        folder: &Arc<Folder>,
        settings: &FileStorage,
        queues: Vec<(Id, Signal, usize)>,
    ) -> Result<(), StartError> {
        for (exporter, signal, bytes) in queues {
            let bytes = settings.max_size.unwrap_or(u64::MAX).min(bytes as u64);
            let opened = durable::open(folder, Options::new(bytes, settings.fsync), exporter.as_str(), signal)
                .map_err(|source| StartError::Queue { id: exporter.clone(), source })?;
            self.queues.entry(exporter).or_default().insert(signal, opened);
        }
        Ok(())
    }

    /// The queues of an exporter, by signal.
    pub(super) fn take(&mut self, exporter: &Id) -> BTreeMap<Signal, Opened> {
        self.queues.remove(exporter).unwrap_or_default()
    }
}

/// A folder, and the queues in it with their bounds.
struct Wanted {
    id: Id,
    settings: FileStorage,
    queues: Vec<(Id, Signal, usize)>,
}

fn storage(id: &Id, settings: &ExtensionSettings, plan: &Plan, is_new: &impl Fn(&Id) -> bool) -> Option<Wanted> {
    let ExtensionSettings::FileStorage(settings) = settings else { return None };
    let mut queues = Vec::new();
    for (exporter, of) in &plan.exporters {
        let ExporterSettings::Otlp(of) = of else { continue };
        if of.queue.storage.as_deref() != Some(id.as_str()) || !is_new(exporter) {
            continue;
        }
        let signals = Signal::ALL.into_iter().filter(|signal| ends_in(plan, exporter, *signal));
        queues.extend(signals.map(|signal| (exporter.clone(), signal, of.queue.bytes)));
    }
    Some(Wanted { id: id.clone(), settings: settings.clone(), queues })
}

/// What the queues on disk tell of themselves.
pub(super) struct DiskBooks {
    queues: Arc<Holding<OtlpExporter>>,
    left: Mutex<BTreeMap<Id, Vec<Left>>>,
}

impl DiskBooks {
    pub(super) fn new(queues: Arc<Holding<OtlpExporter>>) -> DiskBooks {
        DiskBooks { queues, left: Mutex::default() }
    }

    /// What lies in the folders of `plan` beside the queues that run; `storages` looked into some.
    pub(super) fn look(&self, plan: &Plan, storages: Storages) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.extend(storages.left);
        left.retain(|id, _| plan.extensions.iter().any(|(extension, _)| extension == id));
    }
}

type Row = (&'static str, &'static str, Kind, fn(&DiskState) -> u64);

const HELD: &str = "dragoman_queue_held_items";

const ROWS: &[Row] = &[
    ("dragoman_queue_disk_bytes", "Bytes of a queue's files", Kind::Gauge, |disk| disk.bytes),
    (
        "dragoman_queue_corrupt_records_total",
        "Requests in a queue on disk that could not be read and are lost",
        Kind::Counter,
        |disk| disk.corrupt_records,
    ),
    (
        "dragoman_queue_write_failures_total",
        "Writes of a queue on disk that failed; the requests were refused",
        Kind::Counter,
        |disk| disk.write_failures,
    ),
    (
        "dragoman_queue_sync_failures_total",
        "Syncs of a queue on disk that failed; the requests were refused",
        Kind::Counter,
        |disk| disk.sync_failures,
    ),
    (HELD, "Items on disk of pipelines and exporters that are not in the configuration", Kind::Gauge, |disk| {
        disk.held_items
    }),
];

impl Source for DiskBooks {
    fn collect(&self, families: &mut Vec<Family>) {
        let mut disks: BTreeMap<_, DiskState> = BTreeMap::new();
        for (id, exporter) in self.queues.all() {
            for (place, signal) in Signal::ALL.into_iter().enumerate() {
                // One that has just been replaced has given its disk away: the later one tells.
                let Some(disk) = exporter.disk(signal) else { continue };
                disks.insert((Arc::clone(&id), place, signal.name()), disk);
            }
        }
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (name, help, kind, read) in ROWS {
            let of_disks = disks.iter().map(|((id, _, signal), disk)| series(id, signal, read(disk)));
            let of_left = left.values().flatten().filter(|_| *name == HELD);
            let of_left = of_left.map(|left| series(&left.exporter, &left.signal, left.items));
            let series: Vec<Series> = of_disks.chain(of_left).collect();
            if !series.is_empty() {
                families.push(Family::own(*name, *help, *kind, series));
            }
        }
    }
}

fn series(exporter: &str, signal: &str, value: u64) -> Series {
    let short = |text: &str| text.chars().take(256).collect::<String>();
    let labels = vec![Label::text("exporter", short(exporter)), Label::text("data_type", short(signal))];
    Series::timeless(labels, Value::Integer(value, None))
}
