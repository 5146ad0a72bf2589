//! Where accepted batches wait for their export, bounded in bytes.
//!
//! `Backlog` is what the delivery needs of a queue. `Memory` keeps batches as long as the program
//! lives, `Durable` keeps them on disk from `Backlog::push` to `Backlog::settle`, which is called
//! only when the entry's fate is known. Attempts are in `super::delivery`.

pub mod durable;
mod memory;
mod stored;

use std::path::Path;

use bytes::Bytes;

pub(crate) use durable::Durable;
pub(crate) use memory::Memory;

use super::observe::{DiskState, QueueState};
use crate::pipeline::account::OpenItems;
use crate::pipeline::{Boxed, Receipt};
use crate::storage::segments::Record;

/// What a batch is charged at least. Holding a batch costs about this much beside its body, and a
/// request may be as small as two bytes.
pub(crate) const LEAST_CHARGE: usize = 256;

/// A batch that waits.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The encoded request.
    pub(crate) body: Bytes,
    /// The spans, data points or log records in it.
    pub(crate) open: OpenItems,
}

/// An entry whose turn it is.
#[derive(Debug)]
pub(crate) struct Next {
    /// The encoded request.
    pub(crate) body: Bytes,
    /// The spans, data points or log records in it.
    pub(crate) open: OpenItems,
    /// Its place in the queue, until its fate is known.
    pub(crate) slot: Slot,
}

/// The place of a taken entry.
#[derive(Debug)]
pub(crate) struct Slot {
    bytes: usize,
    items: usize,
    /// Where it is on disk.
    record: Option<Record>,
}

impl Slot {
    /// Whether the entry is still there after the program ends, if it is not settled.
    pub(crate) fn is_on_disk(&self) -> bool {
        self.record.is_some()
    }
}

/// Why there is no room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoRoom {
    /// There will be, later.
    Full { taken: usize, capacity: usize },
    /// As many exports are under way as may be, and nothing may wait.
    Busy { exports: usize },
    /// There will never be.
    TooLarge { capacity: usize },
    /// The disk takes nothing at the moment: where, and why.
    Failed(String),
    /// Who wrote to the disk has ended by a defect: where.
    Dead(String),
    /// The exporter is stopping.
    Closed,
}

/// A queue.
pub(crate) trait Backlog: Send + Sync + 'static {
    /// Sets room for a request of `bytes` aside, until [`Backlog::push`] or [`Backlog::release`].
    fn reserve(&self, bytes: usize) -> Result<(), NoRoom>;

    /// Gives back what was reserved for `bytes`.
    fn release(&self, bytes: usize);

    /// Takes an entry into the room that was reserved for `reserved` bytes. The entry may have
    /// another size: its request was admitted, and translation made it grow or shrink.
    fn push(&self, reserved: usize, entry: Entry) -> Receipt;

    /// The next entry; `None` when the queue is closed and nothing more will come. Dropping the
    /// future loses nothing.
    fn take(&self) -> Boxed<'_, Option<Next>>;

    /// The fate of a taken entry is known: its room is free again.
    fn settle(&self, slot: Slot);

    /// The program ends before the fate of a taken entry is known: what is on disk stays there.
    fn leave(&self, slot: Slot) {
        self.settle(slot);
    }

    /// The program ends: what waits on disk stays there, and does not come any more. How many items.
    fn leave_waiting(&self) -> u64 {
        0
    }

    /// From now on, no reservations; what was reserved may still come.
    fn close(&self);

    /// Resolves when everything is written that was to be; called once, at the end.
    fn end(&self) -> Boxed<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    /// How full it is.
    fn state(&self) -> QueueState;

    /// What it has on disk, if it is kept there.
    fn disk(&self) -> Option<DiskState> {
        None
    }

    /// Where it is kept, if it is.
    fn place(&self) -> Option<&Path> {
        None
    }
}
