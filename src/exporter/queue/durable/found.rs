//! What is in the folder of queues on disk at the start: what is said of a queue's own log, and of queues
//! that nobody has any use for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::{error, info, warn};

use super::super::stored::Head;
use crate::otlp::Signal;
use crate::storage::files::Disk;
use crate::storage::folder::Folder;
use crate::storage::recovery::Report;
use crate::storage::segments::{Options, Segments};

/// Files and pipelines that are named one by one.
const NAMED: usize = 5;

pub(super) fn say(name: &str, signal: Signal, path: &Path, report: &Report, unreadable: u64) {
    if let Some(torn) = &report.torn {
        info!(
            "exporter {name}: the last {} bytes of {} were never finished and are cut off; nobody was told that they were accepted",
            torn.bytes,
            torn.path.display()
        );
    }
    for damage in report.damaged.iter().take(NAMED) {
        let (records, bytes, offset) = (damage.records, damage.bytes, damage.offset);
        let segment = damage.path.display();
        match &damage.unreadable {
            Some(why) => {
                error!("exporter {name}: {records} requests of {signal} are lost: {why}; the file is now {segment}")
            }
            None => error!(
                "exporter {name}: {records} requests of {signal} are lost: {bytes} bytes from {offset} on in {segment} are damaged; the others are read"
            ),
        }
    }
    let others = report.damaged.len().saturating_sub(NAMED);
    if others > 0 || unreadable > 0 {
        error!(
            "exporter {name}: {} in all are lost in {}: {others} more damaged files, {unreadable} records that are no requests",
            report.corrupt() + unreadable,
            path.display()
        );
    }
}

/// Some of the pipelines, with their items.
pub(super) fn named(pipelines: &BTreeMap<String, u64>) -> String {
    let shown = pipelines.iter().take(NAMED).map(|(pipeline, items)| {
        let pipeline: String = pipeline.chars().take(100).collect();
        format!("{pipeline:?}: {items}")
    });
    let more = pipelines.len().saturating_sub(NAMED);
    let rest = (more > 0).then(|| format!("{more} more"));
    shown.chain(rest).collect::<Vec<_>>().join(", ")
}

/// A queue in a folder that no exporter of the configuration uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// Where it is.
    pub path: PathBuf,
    /// The exporter that it is of.
    pub exporter: String,
    /// Of which signal, as a pipeline's id says it.
    pub signal: String,
    /// Spans, data points or log records in it.
    pub items: u64,
}

/// Looks through the queues that nobody opened, and says what waits in them. Blocks.
pub fn left(folder: &Arc<Folder>) -> Vec<Left> {
    let unused = folder.unused().unwrap_or_else(|error| {
        warn!("{error}; what other exporters left there is not known");
        Vec::new()
    });
    let mut found = Vec::new();
    for place in unused {
        let path = place.path().to_owned();
        let mut left = Left { path, exporter: String::new(), signal: String::new(), items: 0 };
        // The bound does not matter: nothing is appended.
        let opened = Segments::open(Arc::new(Disk), place.path(), Options::new(0, true), &mut |_, payload| {
            if let Some(head) = Head::read(payload) {
                left.items += head.items;
                (left.exporter, left.signal) = (head.exporter, head.signal);
            }
        });
        match opened {
            Ok(_) if left.items == 0 => continue,
            Ok(_) => warn!(
                "{} holds {} items of {} for exporter {:?}, which is not in the configuration or has no storage there; they stay: bring it back, or delete the folder",
                left.path.display(),
                left.items,
                left.signal,
                left.exporter
            ),
            Err(error) => warn!("{}: {error}", left.path.display()),
        }
        found.push(left);
    }
    found
}
