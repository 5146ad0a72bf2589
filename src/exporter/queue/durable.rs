//! A queue on disk: a batch is acknowledged when it is synced, and stays until its fate is known, also
//! beyond the life of the process. How records are kept is [`crate::storage`]'s business.
//!
//! Bodies are kept in memory too while there is not much of them, so that a backend that keeps up
//! costs no reading. What an earlier process left comes first, and is in the books as recovered.

pub mod found;

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;
use tokio::sync::{Notify, oneshot};
use tracing::{error, info, warn};

use super::stored::{self, Head};
use super::{Backlog, Entry, Next, NoRoom, Slot};
use crate::exporter::observe::{DiskState, Loss, Observer, QueueState};
use crate::otlp::Signal;
use crate::otlp::answer::{Reason, Refusal};
use crate::pipeline::account::{Leg, OpenItems, Origin};
use crate::pipeline::{Boxed, Receipt};
use crate::storage::files::{Disk, Files};
use crate::storage::folder::{Folder, FolderError};
use crate::storage::log::{self, Log};
use crate::storage::recovery::{OpenError, Report};
use crate::storage::segments::{Options, Place, ReadError, Record};

/// Bodies of waiting entries that are kept in memory, in bytes; the others are read when it is their
/// turn.
const IN_MEMORY: usize = 8 << 20;

/// What a record has beside the request and the two ids, at most.
const OVERHEAD: usize = 64;

/// How often a disk is asked that does not answer, before the record is left for the next start.
const READS: usize = 5;

/// How long it is waited in between.
const BETWEEN_READS: Duration = Duration::from_secs(1);

/// Why a queue cannot be opened.
#[derive(Debug, Error)]
pub enum QueueError {
    /// Its folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Its log.
    #[error(transparent)]
    Log(#[from] OpenError),
}

/// A queue's log, open, with what an earlier process left in it.
pub struct Opened {
    log: Log,
    path: PathBuf,
    report: Report,
    found: Vec<(Record, Option<Head>)>,
}

/// Opens the queue of one signal of an exporter. Blocks while it reads what is there.
///
/// # Errors
/// [`QueueError`].
pub fn open(folder: &Arc<Folder>, options: Options, exporter: &str, signal: Signal) -> Result<Opened, QueueError> {
    open_on(Arc::new(Disk), folder, options, exporter, signal)
}

fn open_on(
    files: Arc<dyn Files>,
    folder: &Arc<Folder>,
    options: Options,
    exporter: &str,
    signal: Signal,
) -> Result<Opened, QueueError> {
    let place = folder.log(&[exporter, signal.name()])?;
    let path = place.path().to_owned();
    let mut found = Vec::new();
    let mut visit = |record, payload: &[u8]| found.push((record, Head::read(payload)));
    let (log, report) = Log::open(files, &path, options, Box::new(place), &mut visit)?;
    Ok(Opened { log, path, report, found })
}

/// A queue on disk.
pub(crate) struct Durable {
    name: Arc<str>,
    signal: Signal,
    path: PathBuf,
    observer: Arc<dyn Observer>,
    log: Arc<Log>,
    shared: Arc<Shared>,
    /// Items of pipelines that no longer end here. Their records are not acknowledged.
    held_items: u64,
    corrupt: AtomicU64,
}

/// What the log's thread fills.
#[derive(Default)]
struct Shared {
    held: Mutex<Held>,
    changed: Notify,
    /// Whether the last append failed.
    failing: AtomicBool,
}

#[derive(Default)]
struct Held {
    waiting: VecDeque<Waiting>,
    /// Bytes of the bodies in `waiting`.
    in_memory: usize,
    items: usize,
    reservations: usize,
    /// Entries that the log has and that are not in `waiting` yet.
    writing: usize,
    in_flight: usize,
    closed: bool,
}

struct Waiting {
    /// `None` if it must be read.
    body: Option<Bytes>,
    open: OpenItems,
    /// `None` if it could not be written; then there is a body.
    record: Option<Record>,
}

impl Durable {
    /// The queue of `signal` of the exporter `name`, at the end of the pipelines of `legs`.
    pub(crate) fn new(
        name: &Arc<str>,
        signal: Signal,
        observer: Arc<dyn Observer>,
        opened: Opened,
        legs: &[Leg],
    ) -> Durable {
        let Opened { log, path, report, found } = opened;
        let mut held = Held::default();
        let mut strangers: BTreeMap<String, u64> = BTreeMap::new();
        let mut unreadable = 0;
        for (record, head) in found {
            let Some(head) = head else {
                unreadable += 1;
                log.acknowledge(record);
                continue;
            };
            let is_ours = head.exporter == **name && head.signal == signal.name();
            let leg = legs.iter().find(|leg| is_ours && leg.pipeline() == head.pipeline);
            let Some(leg) = leg else {
                *strangers.entry(head.pipeline).or_default() += head.items;
                continue;
            };
            let items = usize::try_from(head.items).unwrap_or(usize::MAX);
            held.items = held.items.saturating_add(items);
            let open = leg.open(Origin::Recovered, items);
            held.waiting.push_back(Waiting { body: None, open, record: Some(record) });
        }
        found::say(name, signal, &path, &report, unreadable);
        if !held.waiting.is_empty() {
            info!(
                "exporter {name}: {} {} in {} requests from before the start are in {}; they are sent first",
                held.items,
                signal.items(),
                held.waiting.len(),
                path.display()
            );
        }
        let held_items = strangers.values().sum();
        if !strangers.is_empty() {
            warn!(
                "exporter {name}: {held_items} {} in {} came through pipelines that do not end here any more ({}); they stay on disk: bring the pipeline back, or delete the folder",
                signal.items(),
                path.display(),
                found::named(&strangers)
            );
        }
        Durable {
            name: Arc::clone(name),
            signal,
            path,
            observer,
            log: Arc::new(log),
            shared: Arc::new(Shared { held: Mutex::new(held), ..Shared::default() }),
            held_items,
            corrupt: AtomicU64::new(report.corrupt() + unreadable),
        }
    }

    /// Bytes of the record of a request.
    fn record_bytes(&self, bytes: usize) -> usize {
        bytes + OVERHEAD + self.name.len()
    }

    async fn read(&self, place: Place, items: usize) -> Read {
        let (name, unit) = (&self.name, self.signal.items());
        let mut attempts = 1;
        loop {
            let reader = self.log.reader();
            let read = tokio::task::spawn_blocking(move || reader.read(place)).await;
            match read {
                Ok(Ok(payload)) => match stored::request(payload) {
                    Some(request) => return Read::Request(request),
                    None => return Read::Corrupt,
                },
                Ok(Err(error @ ReadError::Damaged { .. })) => {
                    error!("exporter {name}: {error}; {items} {unit} in it are lost");
                    return Read::Corrupt;
                }
                Ok(Err(_)) if attempts < READS => {
                    attempts += 1;
                    tokio::time::sleep(BETWEEN_READS).await;
                }
                Ok(Err(error)) => {
                    error!("exporter {name}: {error}; the {items} {unit} in it stay there for the next start");
                    return Read::NoAnswer;
                }
                // The runtime is ending.
                Err(_) => return Read::NoAnswer,
            }
        }
    }

    /// The body of an entry whose turn it is, with the rest of it; `None` if there is none any more.
    async fn complete(&self, waiting: Waiting) -> Option<Next> {
        let mut turn = Turn { shared: &self.shared, waiting: Some(waiting) };
        let (place, items) = turn.unread();
        let read = match place {
            Some(place) => self.read(place, items).await,
            None => Read::Request(Bytes::new()),
        };
        let Waiting { body, open, record } = turn.waiting.take()?;
        let items = open.items();
        let slot = |bytes| Slot { bytes, items, record };
        match (body, read) {
            (Some(body), _) | (None, Read::Request(body)) => {
                let slot = slot(body.len());
                Some(Next { body, open, slot })
            }
            (None, Read::Corrupt) => {
                self.corrupt.fetch_add(1, Ordering::Relaxed);
                self.observer.failed(self.signal, items, Loss::Corrupt);
                open.lost(Loss::Corrupt.label());
                self.settle(slot(0));
                None
            }
            (None, Read::NoAnswer) => {
                open.stay_queued();
                // It still takes its room.
                self.shared.held().in_flight -= 1;
                None
            }
        }
    }
}

/// What came of reading a record.
enum Read {
    Request(Bytes),
    /// It is lost.
    Corrupt,
    /// It may be read another time.
    NoAnswer,
}

/// An entry that was taken out; it goes back to its place if nobody waits for it any more.
struct Turn<'q> {
    shared: &'q Shared,
    waiting: Option<Waiting>,
}

impl Turn<'_> {
    /// What must be read, and how many items it has.
    fn unread(&self) -> (Option<Place>, usize) {
        let Some(waiting) = &self.waiting else { return (None, 0) };
        let place = waiting.record.as_ref().filter(|_| waiting.body.is_none()).map(Record::place);
        (place, waiting.open.items())
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            let mut held = self.shared.held();
            held.in_flight = held.in_flight.saturating_sub(1);
            held.in_memory += waiting.in_memory();
            held.waiting.push_front(waiting);
            drop(held);
            self.shared.changed.notify_one();
        }
    }
}

impl Waiting {
    fn in_memory(&self) -> usize {
        self.body.as_ref().map_or(0, Bytes::len)
    }
}

impl Held {
    /// Whether an entry came, none will come, or neither is known yet.
    fn next(&mut self) -> Option<Option<Waiting>> {
        if let Some(waiting) = self.waiting.pop_front() {
            self.in_flight += 1;
            self.in_memory = self.in_memory.saturating_sub(waiting.in_memory());
            return Some(Some(waiting));
        }
        (self.closed && self.reservations == 0 && self.writing == 0).then_some(None)
    }
}

impl Shared {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A taken entry is nobody's business here any more.
    fn forget(&self, slot: &Slot) {
        let mut held = self.held();
        held.items = held.items.saturating_sub(slot.items);
        held.in_flight = held.in_flight.saturating_sub(1);
    }

    /// The log has written an entry, or failed to; it waits in either case.
    fn written(&self, body: Bytes, open: OpenItems, record: Option<Record>) {
        let mut held = self.held();
        held.writing = held.writing.saturating_sub(1);
        // What is not on disk must be here.
        let is_kept = record.is_none() || held.in_memory + body.len() <= IN_MEMORY;
        let waiting = Waiting { body: is_kept.then_some(body), open, record };
        held.in_memory += waiting.in_memory();
        held.waiting.push_back(waiting);
        let is_closed = held.closed;
        drop(held);
        match is_closed {
            true => self.changed.notify_waiters(),
            false => self.changed.notify_one(),
        }
    }

    /// Says once that writing does not work, and once that it does again.
    fn say(&self, name: &str, signal: Signal, failure: Option<&log::NoRoom>) {
        let is_failing = failure.is_some();
        if self.failing.swap(is_failing, Ordering::Relaxed) == is_failing {
            return;
        }
        match failure {
            Some(failure) => error!(
                "exporter {name}: {signal} cannot be kept on disk: {failure}; requests are refused, for clients to send again"
            ),
            None => info!("exporter {name}: {signal} are kept on disk again"),
        }
    }
}

impl Backlog for Durable {
    fn reserve(&self, bytes: usize) -> Result<(), NoRoom> {
        let mut held = self.shared.held();
        if held.closed {
            return Err(NoRoom::Closed);
        }
        self.log.reserve(self.record_bytes(bytes)).map_err(|no_room| match no_room {
            log::NoRoom::Full { taken, capacity } => NoRoom::Full { taken: whole(taken), capacity: whole(capacity) },
            log::NoRoom::TooLarge { capacity } => NoRoom::TooLarge { capacity: whole(capacity) },
            log::NoRoom::Failed(failure) => NoRoom::Failed(failure.to_string()),
            log::NoRoom::Closed => NoRoom::Dead(format!("nobody writes in {} any more", self.path.display())),
        })?;
        held.reservations += 1;
        Ok(())
    }

    fn release(&self, bytes: usize) {
        self.log.release(self.record_bytes(bytes));
        let mut held = self.shared.held();
        held.reservations = held.reservations.saturating_sub(1);
        if held.closed {
            self.shared.changed.notify_waiters();
        }
    }

    fn push(&self, reserved: usize, entry: Entry) -> Receipt {
        let Entry { body, open } = entry;
        let head = Head {
            signal: self.signal.name().to_owned(),
            pipeline: open.leg().map_or("", Leg::pipeline).to_owned(),
            exporter: self.name.to_string(),
            items: open.items() as u64,
        };
        {
            let mut held = self.shared.held();
            held.reservations = held.reservations.saturating_sub(1);
            held.writing += 1;
            held.items += open.items();
        }
        let payload = head.payload(body.clone());
        let (tell, told) = oneshot::channel();
        let (shared, name, signal) = (Arc::clone(&self.shared), Arc::clone(&self.name), self.signal);
        let done = move |result: Result<Record, log::NoRoom>| {
            let failure = result.as_ref().err();
            shared.say(&name, signal, failure);
            let answer = match failure {
                None => Ok(()),
                Some(failure) => Err(Refusal::new(
                    Reason::Unavailable,
                    format!("exporter {name} could not write the request down: {failure}; send it again later"),
                )),
            };
            shared.written(body, open, result.ok());
            // Nobody need be waiting: a client that has gone, a connector.
            drop(tell.send(answer));
        };
        self.log.append(self.record_bytes(reserved), payload, Box::new(done));
        let name = Arc::clone(&self.name);
        Receipt::Pending(Box::pin(async move {
            let gone = |_| Err(Refusal::new(Reason::Unavailable, format!("exporter {name} has stopped writing")));
            told.await.unwrap_or_else(gone)
        }))
    }

    fn take(&self) -> Boxed<'_, Option<Next>> {
        Box::pin(async move {
            loop {
                let changed = self.shared.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                // Not in the condition: the lock would be held while it is read.
                let next = self.shared.held().next();
                match next {
                    Some(Some(waiting)) => {
                        if let Some(next) = self.complete(waiting).await {
                            return Some(next);
                        }
                    }
                    Some(None) => return None,
                    None => changed.await,
                }
            }
        })
    }

    fn settle(&self, slot: Slot) {
        self.shared.forget(&slot);
        if let Some(record) = slot.record {
            self.log.acknowledge(record);
        }
    }

    fn leave(&self, slot: Slot) {
        self.shared.forget(&slot);
    }

    fn leave_waiting(&self) -> u64 {
        let mut held = self.shared.held();
        let waiting = std::mem::take(&mut held.waiting);
        let (stay, lost) = waiting.into_iter().partition::<VecDeque<_>, _>(|waiting| waiting.record.is_some());
        held.waiting = lost;
        held.in_memory = held.waiting.iter().map(Waiting::in_memory).sum();
        let items = stay.iter().map(|waiting| waiting.open.items()).sum();
        held.items = held.items.saturating_sub(items);
        drop(held);
        stay.into_iter().for_each(|waiting| waiting.open.stay_queued());
        items as u64
    }

    fn close(&self) {
        self.shared.held().closed = true;
        self.shared.changed.notify_waiters();
    }

    fn end(&self) -> Boxed<'_, ()> {
        let log = Arc::clone(&self.log);
        Box::pin(async move { drop(tokio::task::spawn_blocking(move || log.close()).await) })
    }

    fn state(&self) -> QueueState {
        let usage = self.log.usage();
        let held = self.shared.held();
        QueueState {
            bytes: whole(usage.taken),
            capacity: whole(usage.capacity),
            in_flight: held.in_flight,
            items: held.items,
        }
    }

    fn disk(&self) -> Option<DiskState> {
        let usage = self.log.usage();
        Some(DiskState {
            bytes: usage.on_disk,
            corrupt_records: self.corrupt.load(Ordering::Relaxed),
            write_failures: usage.failures.writes,
            sync_failures: usage.failures.syncs,
            held_items: self.held_items,
        })
    }

    fn place(&self) -> Option<&Path> {
        Some(&self.path)
    }
}

impl Drop for Durable {
    /// What is on disk is not lost.
    fn drop(&mut self) {
        self.leave_waiting();
    }
}

fn whole(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
