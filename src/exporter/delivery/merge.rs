//! What goes out together: requests that wait behind each other become one, up to the size and the
//! time that `batch` allows. They were acknowledged one by one when they came into the queue, so
//! nobody waits for this but the backend.
//!
//! Two encoded requests after each other are one request, so that putting together is appending.
//! What is larger than one request may be is cut by [`crate::otlp::split`].

use std::collections::VecDeque;

use bytes::Bytes;
use tokio::sync::{Mutex, Notify, watch};
use tokio::time::Instant;

use crate::exporter::observe::Cause;
use crate::exporter::queue::{Backlog, Next, Slot};
use crate::exporter::settings::Batch;
use crate::otlp::split::Limits;
use crate::pipeline::account::OpenItems;

/// Takes entries out of a queue, one group after another.
#[derive(Debug)]
pub(super) struct Gatherer {
    batch: Option<Batch>,
    limits: Limits,
    /// One consumer gathers at a time: two would share out what could have gone out together. Here
    /// stands the entry that was too much for the group before, with the time when it was taken.
    left_over: Mutex<Option<(Next, Instant)>>,
    /// Ends the waiting of the one who gathers.
    full: Notify,
}

/// Entries that go out together.
#[derive(Debug)]
pub(super) struct Group {
    bodies: Vec<Bytes>,
    bytes: usize,
    items: usize,
    /// Those whose fate is not known yet, or not of all of their items.
    entries: VecDeque<(OpenItems, Slot)>,
    /// The places of the others.
    done: Vec<Slot>,
    /// Why it was not waited for more.
    pub(super) cause: Cause,
}

impl Gatherer {
    /// `limits` are those of one request.
    pub(super) fn new(batch: Option<Batch>, limits: Limits) -> Self {
        Gatherer { batch, limits, left_over: Mutex::new(None), full: Notify::new() }
    }

    /// A request was refused because the queue is full: what is gathered goes out now.
    pub(super) fn queue_is_full(&self) {
        self.full.notify_waiters();
    }

    /// The next group; `None` when the queue is closed and nothing more will come. From the moment
    /// that `stopping` says so on nothing is waited for.
    pub(super) async fn next(
        &self,
        backlog: &dyn Backlog,
        mut stopping: watch::Receiver<Option<Instant>>,
    ) -> Option<Group> {
        let Some(batch) = self.batch else {
            return backlog.take().await.map(Group::of);
        };
        let mut left_over = self.left_over.lock().await;
        let (first, since) = match left_over.take() {
            Some(first) => first,
            None => (backlog.take().await?, Instant::now()),
        };
        let mut group = Group::of(first);
        let mut until = since + batch.flush_timeout;
        let mut stops = false;
        group.cause = Cause::Size;
        while !group.reaches(batch.min_size) && !group.reaches(self.limits) {
            let next = tokio::select! {
                biased;
                next = backlog.take() => next,
                begun = begins(&mut stopping), if !stops => {
                    stops = begun;
                    until = Instant::now();
                    continue;
                }
                () = self.full.notified() => {
                    group.cause = Cause::QueueFull;
                    break;
                }
                () = tokio::time::sleep_until(until) => {
                    group.cause = if stops { Cause::Stopping } else { Cause::Timeout };
                    break;
                }
            };
            match next {
                Some(next) if group.fits(&next, self.limits) => group.push(next),
                Some(next) => {
                    *left_over = Some((next, Instant::now()));
                    break;
                }
                None => {
                    group.cause = Cause::Stopping;
                    break;
                }
            }
        }
        Some(group)
    }
}

/// Resolves when the program begins to stop, at once if it has begun.
async fn begins(stopping: &mut watch::Receiver<Option<Instant>>) -> bool {
    // Where there is no sender any more there is nothing to wait for either.
    drop(stopping.wait_for(Option::is_some).await);
    true
}

impl Group {
    fn of(Next { body, open, slot }: Next) -> Group {
        Group {
            bytes: body.len(),
            items: open.items(),
            bodies: vec![body],
            entries: VecDeque::from([(open, slot)]),
            done: Vec::new(),
            cause: Cause::AsReceived,
        }
    }

    fn push(&mut self, Next { body, open, slot }: Next) {
        self.bytes += body.len();
        self.items += open.items();
        self.bodies.push(body);
        self.entries.push_back((open, slot));
    }

    fn reaches(&self, size: Limits) -> bool {
        self.bytes >= size.bytes || self.items >= size.items
    }

    fn fits(&self, next: &Next, limits: Limits) -> bool {
        self.bytes + next.body.len() <= limits.bytes && self.items + next.open.items() <= limits.items
    }

    /// Whether it may go out as it is.
    pub(super) fn is_within(&self, limits: Limits) -> bool {
        self.bytes <= limits.bytes && self.items <= limits.items
    }

    /// Whether one request is to be made of several.
    pub(super) fn is_merged(&self) -> bool {
        self.bodies.len() > 1
    }

    /// One request of all.
    pub(super) fn body(&mut self) -> Bytes {
        match self.bodies.len() {
            1 => self.bodies.pop().unwrap_or_default(),
            _ => {
                let mut body = Vec::with_capacity(self.bytes);
                // One after the other is given back as soon as it is copied.
                self.bodies.drain(..).for_each(|one| body.extend_from_slice(&one));
                body.into()
            }
        }
    }

    /// The first `items` whose fate is not known yet, or as many as there are.
    pub(super) fn take(&mut self, items: usize) -> Share {
        let mut share = Share(Vec::new());
        let mut missing = items;
        while let Some((open, _)) = self.entries.front_mut() {
            if open.items() > missing {
                share.0.push(open.split(missing));
                break;
            }
            missing -= open.items();
            if let Some((open, slot)) = self.entries.pop_front() {
                share.0.push(open);
                self.done.push(slot);
            }
        }
        share
    }

    /// All items whose fate is not known yet.
    pub(super) fn take_rest(&mut self) -> Share {
        self.take(usize::MAX)
    }

    /// The entries whose fate is not known yet and that a disk holds.
    pub(super) fn take_stored(&mut self) -> VecDeque<(OpenItems, Slot)> {
        let (stored, others) = std::mem::take(&mut self.entries).into_iter().partition(|(_, slot)| slot.is_on_disk());
        self.entries = others;
        stored
    }

    /// How many items there are whose fate is not known yet.
    pub(super) fn items(&self) -> usize {
        self.entries.iter().map(|(open, _)| open.items()).sum()
    }

    /// The places of its entries, which are free again.
    pub(super) fn into_slots(self) -> Vec<Slot> {
        self.done.into_iter().chain(self.entries.into_iter().map(|(_, slot)| slot)).collect()
    }
}

/// Items of one outgoing request: some of one pipeline, or of several.
#[derive(Debug)]
pub(super) struct Share(Vec<OpenItems>);

impl Share {
    /// How many.
    pub(super) fn items(&self) -> usize {
        self.0.iter().map(OpenItems::items).sum()
    }

    /// `rejected` of them were not taken, all others were. Which ones a backend rejected it does not
    /// say; the first are counted.
    pub(super) fn exported(self, rejected: usize, reason: &'static str) {
        let mut rejected = rejected;
        for mut open in self.0 {
            let lost = open.split(rejected);
            rejected -= lost.items();
            lost.lost(reason);
            open.exported();
        }
    }

    /// They were given up.
    pub(super) fn lost(self, reason: &'static str) {
        self.0.into_iter().for_each(|open| open.lost(reason));
    }
}
