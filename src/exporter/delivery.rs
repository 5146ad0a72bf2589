//! From a queue to a backend: consumers that take what waits, attempt it until its fate is known, and
//! account for every item of it.
//!
//! What goes out together is decided in [`merge`]; a request that is larger than the backend takes is
//! cut, and every part has a fate of its own. How a request is sent is a [`Call`]; when the next
//! attempt is, is decided in [`super::retry`]. There is one lane for each signal, so that a backend
//! that takes no metrics holds up no traces.

mod merge;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use super::client::Taken;
use super::compress::{Message, compress};
use super::notice::Notice;
use super::observe::{Cause, DiskState, Loss, Observer, QueueState, Setback};
use super::queue::durable::Opened;
use super::queue::{Backlog, Durable, Entry, Memory, NoRoom};
use super::retry::{Backoff, Failure};
use super::settings::{self, Compression, Queue, Retry};
use crate::bounded::budget::Budget;
use crate::defect;
use crate::otlp::Signal;
use crate::otlp::answer::{Reason, Refusal};
use crate::otlp::split::{Limits, Split};
use crate::pipeline::account::Leg;
use crate::pipeline::{Batch, Boxed, Permit, Receipt};
use crate::text;
use merge::{Gatherer, Group, Share};

/// What a client must not send more than, before compression (OTLP 1.11).
const LARGEST_REQUEST: usize = 64 << 20;

/// Backoff while the program waits to stop: there is no later time to be polite for.
const LONGEST_PAUSE_WHEN_STOPPING: Duration = Duration::from_secs(1);

/// How long the end waits for a disk, after everything else.
const LONGEST_END: Duration = Duration::from_secs(2);

/// One attempt to send one request.
pub(crate) trait Call: Send + Sync + 'static {
    /// Sends it. Dropping the future gives the attempt up.
    fn call<'s>(&'s self, message: &'s Message) -> Boxed<'s, Result<Taken, Failure>>;

    /// Where to, for people.
    fn endpoint(&self) -> &str;
}

/// What a lane needs to know of its exporter.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The exporter's id, such as `otlp_grpc/jaeger`.
    pub(crate) name: Arc<str>,
    pub(crate) compression: Compression,
    /// Of one attempt; zero is none.
    pub(crate) timeout: Duration,
    pub(crate) retry: Retry,
    pub(crate) queue: Queue,
    /// Of this signal.
    pub(crate) batch: Option<settings::Batch>,
    /// Bytes of one request at most.
    pub(crate) max_request_size: usize,
    /// Where what is made of a request counts.
    pub(crate) memory: Budget,
    /// Cancelled when a consumer ends by a defect: what is queued then waits for nobody.
    pub(crate) died: CancellationToken,
}

/// The queue of one signal and those who empty it.
pub(crate) struct Lane {
    shared: Arc<Shared>,
    consumers: TaskTracker,
}

/// A queue on disk, and the pipelines that end in it.
pub(crate) struct Stored<'l> {
    pub(crate) opened: Opened,
    pub(crate) legs: &'l [Leg],
}

struct Shared {
    signal: Signal,
    settings: Settings,
    backlog: Box<dyn Backlog>,
    gatherer: Gatherer,
    /// What no request is to exceed.
    limits: Limits,
    call: Box<dyn Call>,
    observer: Arc<dyn Observer>,
    /// When the shutdown's deadline is; `None` until it begins.
    stopping: watch::Sender<Option<Instant>>,
    /// No attempt before this moment: the backend asked for it.
    not_before: Mutex<Option<Instant>>,
    failing: AtomicBool,
    /// Items given up by the shutdown, for its line.
    unsent: AtomicU64,
    /// Items that it left on disk.
    kept: AtomicU64,
    retries: Notice,
    losses: Notice,
    warnings: Notice,
}

/// What became of a request.
enum Fate {
    Taken(Taken),
    Lost(Loss, String),
}

impl Lane {
    /// Starts the consumers of `signal`. Must be called inside of a tokio runtime. `stored` is the queue
    /// on disk, if there is one.
    pub(crate) fn start(
        signal: Signal,
        settings: Settings,
        call: Box<dyn Call>,
        observer: Arc<dyn Observer>,
        stored: Option<Stored<'_>>,
    ) -> Lane {
        let consumers = settings.queue.num_consumers.max(1);
        let backlog: Box<dyn Backlog> = match stored {
            Some(Stored { opened, legs }) => {
                Box::new(Durable::new(&settings.name, signal, observer.clone(), opened, legs))
            }
            None if settings.queue.enabled => Box::new(Memory::new(settings.queue.bytes)),
            None => Box::new(Memory::unqueued(settings.queue.bytes, consumers)),
        };
        // Without a queue nothing waits.
        let batch = settings.batch.filter(|_| settings.queue.enabled);
        let most = batch.map_or(Limits::NONE, |batch| batch.max_size);
        let limits = Limits { bytes: most.bytes.min(settings.max_request_size).min(LARGEST_REQUEST), ..most };
        let shared = Arc::new(Shared {
            signal,
            settings,
            backlog,
            gatherer: Gatherer::new(batch, limits),
            limits,
            call,
            observer,
            stopping: watch::Sender::new(None),
            not_before: Mutex::default(),
            failing: AtomicBool::default(),
            unsent: AtomicU64::default(),
            kept: AtomicU64::default(),
            retries: Notice::default(),
            losses: Notice::default(),
            warnings: Notice::default(),
        });
        let tracker = TaskTracker::new();
        for _ in 0..consumers {
            let shared = shared.clone();
            tracker.spawn(async move {
                if let Err(defect) = defect::caught(consume(&shared)).await {
                    error!("exporter {}: a consumer ended by a defect of dragoman: {defect}", shared.settings.name);
                    shared.settings.died.cancel();
                }
            });
        }
        tracker.close();
        Lane { shared, consumers: tracker }
    }

    /// Sets room aside.
    pub(crate) fn reserve(&self, bytes: usize) -> Result<Box<dyn Permit + '_>, Refusal> {
        let room = match bytes > LARGEST_REQUEST {
            true => Err(NoRoom::TooLarge { capacity: LARGEST_REQUEST }),
            false => self.shared.backlog.reserve(bytes),
        };
        match room {
            Ok(()) => Ok(Box::new(Room { shared: &self.shared, reserved: Some(bytes) })),
            Err(no_room) => {
                match no_room {
                    NoRoom::Full { .. } => self.shared.gatherer.queue_is_full(),
                    // From now on nothing is taken, and waiting does not help.
                    NoRoom::Dead(_) => self.shared.settings.died.cancel(),
                    _ => {}
                }
                Err(refusal(&self.shared.settings.name, self.shared.signal, bytes, no_room))
            }
        }
    }

    /// How full the queue is.
    pub(crate) fn state(&self) -> QueueState {
        self.shared.backlog.state()
    }

    /// What the queue has on disk, if it is there.
    pub(crate) fn disk(&self) -> Option<DiskState> {
        self.shared.backlog.disk()
    }

    /// Takes no more, attempts what is left until `deadline`, and counts the rest as lost, unless it
    /// stays on disk.
    pub(crate) async fn shutdown(&self, deadline: Instant) {
        self.stop(deadline);
        // Consumers end by themselves at the deadline; one who waits for a permit that is still
        // out, or an observer that blocks, must not hold up the program.
        let patience = deadline + Duration::from_millis(100);
        drop(tokio::time::timeout_at(patience, self.consumers.wait()).await);
        let shared = &self.shared;
        shared.kept.fetch_add(shared.backlog.leave_waiting(), Ordering::Relaxed);
        if tokio::time::timeout(LONGEST_END, shared.backlog.end()).await.is_err() {
            warn!(
                "exporter {}: the disk does not answer; some {} may be sent twice",
                shared.settings.name, shared.signal
            );
        }
        let kept = shared.kept.load(Ordering::Relaxed);
        if let Some(place) = shared.backlog.place().filter(|_| kept > 0) {
            info!(
                "exporter {}: stopped with {kept} {} that {} did not take in time; they stay in {} and are sent after the next start",
                shared.settings.name,
                shared.signal.items(),
                shared.call.endpoint(),
                place.display(),
            );
        }
        let unsent = shared.unsent.load(Ordering::Relaxed);
        if unsent > 0 {
            warn!(
                "exporter {}: stopped with {unsent} {} that {} did not take in time; they are lost",
                shared.settings.name,
                shared.signal.items(),
                shared.call.endpoint(),
            );
        }
    }

    fn stop(&self, deadline: Instant) {
        self.shared.backlog.close();
        // Whoever waits gets one more attempt, also where the backend asked for more patience than
        // there is left: the alternative is to lose the batch without asking.
        *self.shared.not_before.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.shared.stopping.send_if_modified(|stopping| {
            let first = stopping.is_none();
            stopping.get_or_insert(deadline);
            first
        });
    }
}

impl Drop for Lane {
    /// A lane that is dropped without a shutdown still accounts for what it holds.
    fn drop(&mut self) {
        self.stop(Instant::now());
    }
}

fn refusal(name: &str, signal: Signal, bytes: usize, no_room: NoRoom) -> Refusal {
    match no_room {
        NoRoom::Full { taken, capacity } => Refusal::new(
            Reason::QueueFull,
            format!(
                "the {signal} queue of exporter {name} is full: {taken} of {capacity} bytes are taken, and this request has {bytes}; send it again later"
            ),
        ),
        NoRoom::Busy { exports } => Refusal::new(
            Reason::QueueFull,
            format!(
                "exporter {name} has no queue (sending_queue.enabled: false) and {exports} exports of {signal} under way, as many as num_consumers allows; send the request again later"
            ),
        ),
        NoRoom::TooLarge { capacity } => Refusal::new(
            Reason::TooLarge,
            format!(
                "the request has {bytes} bytes and exporter {name} can never hold more than {capacity} (sending_queue.queue_size, and 64 MiB in any case); send less at once"
            ),
        ),
        NoRoom::Failed(why) | NoRoom::Dead(why) => Refusal::new(
            Reason::Unavailable,
            format!("exporter {name} cannot keep {signal} on disk: {why}; send the request again later"),
        ),
        NoRoom::Closed => {
            Refusal::new(Reason::Unavailable, format!("exporter {name} is stopping; send the request again later"))
        }
    }
}

/// Room in a lane's queue.
struct Room<'l> {
    shared: &'l Shared,
    reserved: Option<usize>,
}

impl Permit for Room<'_> {
    fn send(mut self: Box<Self>, batch: Batch) -> Receipt {
        match self.reserved.take() {
            // A request of which nothing is left is not sent: the room goes back.
            Some(reserved) if batch.body.is_empty() => {
                self.shared.backlog.release(reserved);
                Receipt::Taken
            }
            Some(reserved) => self.shared.backlog.push(reserved, Entry { body: batch.body, open: batch.open }),
            None => Receipt::Taken,
        }
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        if let Some(reserved) = self.reserved.take() {
            self.shared.backlog.release(reserved);
        }
    }
}

async fn consume(shared: &Shared) {
    while let Some(mut group) = shared.gatherer.next(&*shared.backlog, shared.stopping.subscribe()).await {
        shared.deliver(&mut group).await;
        group.into_slots().into_iter().for_each(|slot| shared.backlog.settle(slot));
    }
}

impl Shared {
    /// Resolves when the program stops and its deadline has come.
    async fn deadline(&self) {
        let mut stopping = self.stopping.subscribe();
        loop {
            let deadline = *stopping.borrow_and_update();
            match deadline {
                Some(deadline) => return tokio::time::sleep_until(deadline).await,
                // The sender is in `self`, so this cannot fail while somebody waits here.
                None => drop(stopping.changed().await),
            }
        }
    }

    /// Sends a group, in as many requests as it takes, and accounts for every item.
    async fn deliver(&self, group: &mut Group) {
        let is_merged = group.is_merged();
        let body = group.body();
        // Those that it is made of have their claims, and are gone now.
        let body = if is_merged { self.settings.memory.count(body) } else { body };
        if group.is_within(self.limits) {
            self.observer.request(self.signal, group.items(), group.cause);
            let fate = self.fate(&body).await;
            return self.end(group, fate);
        }
        let mut parts = Split::new(self.signal, &body, self.limits);
        loop {
            let part = match parts.next() {
                Ok(Some(part)) => part,
                // Whatever were left now would not have been in the request.
                Ok(None) => return,
                Err(error) => {
                    let fate = Fate::Lost(Loss::TooLarge, format!("{} bytes cannot be cut: {error}", body.len()));
                    return self.end(group, fate);
                }
            };
            self.observer.request(self.signal, part.items, Cause::Cut);
            match self.fate(&self.settings.memory.count(part.body)).await {
                fate @ Fate::Lost(Loss::Shutdown, _) => return self.end(group, fate),
                fate => self.account(group.take(part.items), fate),
            }
        }
    }

    /// Accounts for all of a group whose fate was open. What is on disk when the program ends stays
    /// there, also the rest of a request that was sent in part.
    fn end(&self, group: &mut Group, fate: Fate) {
        if let Fate::Lost(Loss::Shutdown, _) = fate {
            let mut kept = self.backlog.leave_waiting();
            for (open, slot) in group.take_stored() {
                kept += open.items() as u64;
                open.stay_queued();
                self.backlog.leave(slot);
            }
            self.kept.fetch_add(kept, Ordering::Relaxed);
            if group.items() == 0 {
                return;
            }
        }
        self.account(group.take_rest(), fate);
    }

    /// Attempts one request until its fate is known, or the shutdown's deadline comes.
    async fn fate(&self, body: &Bytes) -> Fate {
        tokio::select! {
            // First, so that what is left at the deadline is not attempted.
            biased;
            () = self.deadline() => Fate::Lost(Loss::Shutdown, String::new()),
            // A defect that one request brings out must not end the export of all others.
            fate = defect::caught(self.attempts(body)) => {
                fate.unwrap_or_else(|defect| Fate::Lost(Loss::Defect, defect))
            }
        }
    }

    async fn attempts(&self, body: &Bytes) -> Fate {
        if body.len() > LARGEST_REQUEST {
            let error = format!("{} bytes are more than OTLP allows, {LARGEST_REQUEST}", body.len());
            return Fate::Lost(Loss::TooLarge, error);
        }
        let mut stopping = self.stopping.subscribe();
        let mut stops = stopping.borrow_and_update().is_some();
        let message = self.compressed(body).await;
        let mut backoff = Backoff::new(&self.settings.retry);
        let mut first = None;
        loop {
            while let Some(until) = self.closed_until() {
                stops |= pause(until, &mut stopping).await;
            }
            let started = *first.get_or_insert_with(Instant::now);
            let (why, error, asked) = match self.attempt(&message).await {
                Ok(taken) => return Fate::Taken(taken),
                Err(Failure::Permanent(error)) => return Fate::Lost(Loss::Rejected, error),
                Err(Failure::Retryable(why, error, asked)) => (why, error, asked),
            };
            let Some(mut delay) = backoff.next(started.elapsed(), asked) else {
                return Fate::Lost(Loss::RetriesExhausted, error);
            };
            if let Some(asked) = asked {
                self.close_until(Instant::now() + asked.min(delay));
            } else if stops {
                delay = delay.min(LONGEST_PAUSE_WHEN_STOPPING);
            }
            self.failed_attempt(why, &error, delay);
            stops |= pause(Instant::now() + delay, &mut stopping).await;
        }
    }

    async fn compressed(&self, body: &Bytes) -> Message {
        let mut message = compress(body.clone(), self.settings.compression).await;
        if message.compression != Compression::None {
            message.body = self.settings.memory.count(message.body);
        }
        message
    }

    async fn attempt(&self, message: &Message) -> Result<Taken, Failure> {
        let timeout = self.settings.timeout;
        if timeout.is_zero() {
            return self.call.call(message).await;
        }
        match tokio::time::timeout(timeout, self.call.call(message)).await {
            Ok(answer) => answer,
            Err(_) => {
                let error = format!("no answer within {}", text::duration(timeout));
                Err(Failure::Retryable(Setback::Timeout, error, None))
            }
        }
    }

    /// The moment until which the backend wants to be left alone, if that is still to come.
    fn closed_until(&self) -> Option<Instant> {
        let until = *self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        until.filter(|until| *until > Instant::now())
    }

    fn close_until(&self, until: Instant) {
        let mut not_before = self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        *not_before = Some(not_before.map_or(until, |before| before.max(until)));
    }

    fn failed_attempt(&self, why: Setback, error: &str, delay: Duration) {
        self.observer.retried(self.signal, why);
        self.failing.store(true, Ordering::Relaxed);
        if let Some(held_back) = self.retries.due() {
            warn!(
                "exporter {}: {} does not take {}: {error}; next attempt in {}{held_back}",
                self.settings.name,
                self.call.endpoint(),
                self.signal,
                text::duration(delay),
            );
        }
    }

    /// Reports every item of a request exactly once: to the counters first, so that what the books have as
    /// settled is counted.
    fn account(&self, share: Share, fate: Fate) {
        let items = share.items();
        let (name, signal, endpoint) = (&self.settings.name, self.signal, self.call.endpoint());
        match fate {
            Fate::Taken(Taken { rejected, message }) => {
                if self.failing.swap(false, Ordering::Relaxed) {
                    info!("exporter {name}: {endpoint} takes {signal} again");
                }
                let rejected = rejected.min(items);
                if items > rejected {
                    self.observer.sent(signal, items - rejected);
                }
                if rejected > 0 {
                    self.observer.failed(signal, rejected, Loss::PartialSuccess);
                }
                share.exported(rejected, Loss::PartialSuccess.label());
                if (rejected > 0 || !message.is_empty())
                    && let Some(held_back) = self.warnings.due()
                {
                    let unit = signal.items();
                    warn!(
                        "exporter {name}: {endpoint} took a request but {rejected} of {items} {unit}: {message:?}{held_back}"
                    );
                }
            }
            Fate::Lost(Loss::Shutdown, _) => {
                self.unsent.fetch_add(items as u64, Ordering::Relaxed);
                self.observer.failed(signal, items, Loss::Shutdown);
                share.lost(Loss::Shutdown.label());
            }
            Fate::Lost(loss, error) => {
                self.observer.failed(signal, items, loss);
                share.lost(loss.label());
                if let Some(held_back) = self.losses.due() {
                    let (unit, loss) = (signal.items(), loss.label());
                    warn!("exporter {name}: {items} {unit} for {endpoint} are lost ({loss}): {error}{held_back}");
                }
            }
        }
    }
}

/// Sleeps until `until`, or until the program begins to stop, which ends only one pause of a batch.
/// Whether it began is the result.
async fn pause(until: Instant, stopping: &mut watch::Receiver<Option<Instant>>) -> bool {
    tokio::select! {
        () = tokio::time::sleep_until(until) => false,
        Ok(()) = stopping.changed() => true,
    }
}

#[cfg(test)]
mod tests;
