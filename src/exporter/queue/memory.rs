//! A queue in memory: what it holds is lost with the process.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::{Backlog, Entry, LEAST_CHARGE, Next, NoRoom, Slot};
use crate::exporter::observe::QueueState;
use crate::pipeline::{Boxed, Receipt};

/// A queue in memory.
#[derive(Debug)]
pub(crate) struct Memory {
    capacity: usize,
    /// Batches that may be here at once, if these are bounded too.
    batches: Option<usize>,
    held: Mutex<Held>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Held {
    waiting: VecDeque<Entry>,
    bytes: usize,
    items: usize,
    reservations: usize,
    in_flight: usize,
    closed: bool,
}

impl Memory {
    /// A queue of `capacity` bytes.
    pub(crate) fn new(capacity: usize) -> Self {
        Memory { capacity, batches: None, held: Mutex::default(), changed: Notify::new() }
    }

    /// No queue: at most `batches` at once, each of which has a consumer waiting for it.
    pub(crate) fn unqueued(capacity: usize, batches: usize) -> Self {
        Memory { batches: Some(batches), ..Memory::new(capacity) }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn charge(bytes: usize) -> usize {
    bytes.max(LEAST_CHARGE)
}

impl Held {
    /// Whether an entry came, none will come, or neither is known yet.
    fn next(&mut self) -> Option<Option<Next>> {
        if let Some(Entry { body, open }) = self.waiting.pop_front() {
            self.in_flight += 1;
            let slot = Slot { bytes: body.len(), items: open.items(), record: None };
            return Some(Some(Next { body, open, slot }));
        }
        (self.closed && self.reservations == 0).then_some(None)
    }
}

impl Backlog for Memory {
    fn reserve(&self, bytes: usize) -> Result<(), NoRoom> {
        let mut held = self.held();
        let bytes = charge(bytes);
        if held.closed {
            return Err(NoRoom::Closed);
        }
        if bytes > self.capacity {
            return Err(NoRoom::TooLarge { capacity: self.capacity });
        }
        // What is held may be over the capacity, where batches grew after their reservation.
        if bytes > self.capacity.saturating_sub(held.bytes) {
            return Err(NoRoom::Full { taken: held.bytes, capacity: self.capacity });
        }
        if let Some(exports) = self.batches
            && held.reservations + held.waiting.len() + held.in_flight >= exports
        {
            return Err(NoRoom::Busy { exports });
        }
        held.bytes += bytes;
        held.reservations += 1;
        Ok(())
    }

    fn release(&self, bytes: usize) {
        let mut held = self.held();
        held.bytes = held.bytes.saturating_sub(charge(bytes));
        held.reservations = held.reservations.saturating_sub(1);
        if held.closed {
            self.changed.notify_waiters();
        }
    }

    fn push(&self, reserved: usize, entry: Entry) -> Receipt {
        let mut held = self.held();
        held.bytes = held.bytes.saturating_sub(charge(reserved)) + charge(entry.body.len());
        held.reservations = held.reservations.saturating_sub(1);
        held.items += entry.open.items();
        held.waiting.push_back(entry);
        match held.closed {
            // The last reservation: those who find nothing must learn that nothing will come.
            true => self.changed.notify_waiters(),
            false => self.changed.notify_one(),
        }
        Receipt::Taken
    }

    fn take(&self) -> Boxed<'_, Option<Next>> {
        Box::pin(async move {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if let Some(next) = self.held().next() {
                    return next;
                }
                changed.await;
            }
        })
    }

    fn settle(&self, slot: Slot) {
        let mut held = self.held();
        held.bytes = held.bytes.saturating_sub(charge(slot.bytes));
        held.items = held.items.saturating_sub(slot.items);
        held.in_flight = held.in_flight.saturating_sub(1);
    }

    fn close(&self) {
        self.held().closed = true;
        self.changed.notify_waiters();
    }

    fn state(&self) -> QueueState {
        let held = self.held();
        QueueState { bytes: held.bytes, capacity: self.capacity, in_flight: held.in_flight, items: held.items }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::pipeline::account::OpenItems;

    fn entry(bytes: usize) -> Entry {
        Entry { body: Bytes::from(vec![0; bytes]), open: OpenItems::detached(1) }
    }

    #[tokio::test]
    async fn room_is_taken_from_reservation_to_settlement() {
        let queue = Memory::new(1000);
        queue.reserve(600).unwrap();
        assert_eq!(queue.reserve(401), Err(NoRoom::Full { taken: 600, capacity: 1000 }));
        drop(queue.push(600, entry(700)));
        assert_eq!(queue.state(), QueueState { bytes: 700, capacity: 1000, in_flight: 0, items: 1 });
        let taken = queue.take().await.unwrap();
        assert_eq!(queue.reserve(400), Err(NoRoom::Full { taken: 700, capacity: 1000 }), "under way is not gone");
        assert_eq!(queue.state().in_flight, 1);
        queue.settle(taken.slot);
        assert_eq!(queue.state(), QueueState { capacity: 1000, ..QueueState::default() });
        queue.reserve(1000).unwrap();
        queue.release(1000);
        assert_eq!(queue.state().bytes, 0);
    }

    #[test]
    fn a_batch_that_can_never_fit_is_told_apart_from_one_that_must_wait() {
        let queue = Memory::new(1000);
        assert_eq!(queue.reserve(1001), Err(NoRoom::TooLarge { capacity: 1000 }));
    }

    #[test]
    fn a_flood_of_tiny_requests_is_bounded_too() {
        let queue = Memory::new(10 * LEAST_CHARGE);
        assert_eq!((0..100).take_while(|_| queue.reserve(2).is_ok()).count(), 10);
    }

    #[test]
    fn a_batch_that_grew_may_go_over_the_capacity_and_nothing_overflows() {
        let queue = Memory::new(1000);
        queue.reserve(1000).unwrap();
        drop(queue.push(1000, entry(3000)));
        assert_eq!(queue.reserve(1), Err(NoRoom::Full { taken: 3000, capacity: 1000 }));
    }

    #[test]
    fn without_a_queue_nothing_waits() {
        let queue = Memory::unqueued(10_000, 2);
        queue.reserve(10).unwrap();
        queue.reserve(10).unwrap();
        assert_eq!(queue.reserve(10), Err(NoRoom::Busy { exports: 2 }));
        queue.release(10);
        queue.reserve(10).unwrap();
    }

    #[tokio::test]
    async fn a_closed_queue_ends_after_its_last_reservation() {
        let queue = Memory::new(1000);
        queue.reserve(10).unwrap();
        queue.reserve(10).unwrap();
        queue.close();
        assert_eq!(queue.reserve(10), Err(NoRoom::Closed));
        drop(queue.push(10, entry(10)));
        let taken = queue.take().await.unwrap();
        queue.settle(taken.slot);
        let (last, ()) = tokio::join!(queue.take(), async {
            tokio::task::yield_now().await;
            queue.release(10);
        });
        assert!(last.is_none());
    }

    #[tokio::test]
    async fn every_consumer_of_a_closed_queue_is_told() {
        let queue = Memory::new(1000);
        let (one, two, ()) = tokio::join!(queue.take(), queue.take(), async {
            tokio::task::yield_now().await;
            queue.close();
        });
        assert!(one.is_none() && two.is_none());
    }
}
