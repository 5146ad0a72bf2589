//! How much a store may hold: series of one metric, series of all, and the bytes of all.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that a series may take on average. A histogram with ten labels takes less than half of it.
const BYTES_A_SERIES: usize = 2048;

/// What there may be and what there is.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) per_metric: usize,
    pub(super) in_all: usize,
    series: AtomicUsize,
    bytes: AtomicUsize,
}

impl Room {
    pub(super) fn new(per_metric: usize, in_all: usize) -> Room {
        Room { per_metric, in_all, series: AtomicUsize::new(0), bytes: AtomicUsize::new(0) }
    }

    /// Series that there are, overflow series not counted.
    pub(super) fn series(&self) -> usize {
        self.series.load(Ordering::Relaxed)
    }

    /// Bytes that all series take, about.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Whether there is none for another series.
    pub(super) fn is_full(&self) -> bool {
        self.series() >= self.in_all || self.is_out_of_bytes()
    }

    /// Whether no series may grow.
    pub(super) fn is_out_of_bytes(&self) -> bool {
        self.bytes() >= self.in_all.saturating_mul(BYTES_A_SERIES)
    }

    /// Takes room for a series, if there is some.
    pub(super) fn take(&self) -> bool {
        let more = |series: usize| (series < self.in_all && !self.is_out_of_bytes()).then_some(series + 1);
        self.series.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// Gives the room of series back.
    pub(super) fn give_back(&self, series: usize) {
        self.series.fetch_sub(series, Ordering::Relaxed);
    }

    /// Something takes other bytes than before.
    pub(super) fn changed(&self, before: usize, now: usize) {
        if now >= before {
            self.bytes.fetch_add(now - before, Ordering::Relaxed);
        } else {
            self.bytes.fetch_sub(before - now, Ordering::Relaxed);
        }
    }
}
