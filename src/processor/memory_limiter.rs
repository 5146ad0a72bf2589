//! `memory_limiter`: refuses requests, retryably and before any work is done, when they would hold more
//! memory than they may.
//!
//! What decides is the budget: requests together hold at most the limit less the spike, and every byte
//! of theirs is claimed before it is there (`bounded::budget`). What the process takes beside that
//! cannot be claimed, so the resident set, as the kernel and the container's limit see it, is watched
//! too: while it is above limit less spike, requests may hold no more than the spike, which is the room
//! that is left. It never closes the door altogether, since an allocator keeps pages of what was freed:
//! a resident set that stays high with little claimed is room that the next requests will use again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio_util::sync::CancellationToken;

use super::settings::MemoryLimiter as Settings;
use crate::bounded::budget::Budget;
use crate::otlp::answer::{Reason, Refusal};
use crate::pipeline::admission::Admission;

/// The limiter; [`MemoryLimiter::watch`] keeps its measurement fresh.
#[derive(Debug)]
pub struct MemoryLimiter {
    settings: Settings,
    budget: Budget,
    over: AtomicBool,
    measured: AtomicU64,
}

impl MemoryLimiter {
    /// A limiter of the process whose requests are counted by `process`. It has measured once.
    pub fn new(settings: Settings, process: &Budget) -> Arc<Self> {
        let budget = process.capped(settings.budget_bytes());
        let limiter = MemoryLimiter { settings, budget, over: AtomicBool::new(false), measured: AtomicU64::new(0) };
        limiter.look();
        Arc::new(limiter)
    }

    /// Measures every `check_interval` until `stop`.
    pub async fn watch(self: Arc<Self>, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(self.settings.check_interval);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            self.look();
        }
    }

    fn look(&self) {
        if let Some(resident) = resident_bytes() {
            self.measure(resident);
        }
    }

    fn measure(&self, resident: u64) {
        let soft = self.settings.limit_bytes.saturating_sub(self.settings.spike_bytes);
        let over = resident > soft;
        self.measured.store(resident, Ordering::Relaxed);
        if self.over.swap(over, Ordering::Relaxed) != over {
            let (mib, soft, spike) = (resident >> 20, soft >> 20, self.settings.spike_bytes >> 20);
            if over {
                tracing::warn!(
                    "memory_limiter: {mib} MiB resident, over {soft} MiB; requests may hold {spike} MiB until it falls"
                );
            } else {
                tracing::info!("memory_limiter: {mib} MiB resident, below {soft} MiB; taking requests as before");
            }
        }
    }
}

impl Admission for MemoryLimiter {
    fn admit(&self) -> Result<(), Refusal> {
        let taken = self.budget.taken();
        if !self.over.load(Ordering::Relaxed)
            || u64::try_from(taken).is_ok_and(|taken| taken <= self.settings.spike_bytes)
        {
            return Ok(());
        }
        let mib = self.measured.load(Ordering::Relaxed) >> 20;
        let limit = self.settings.limit_bytes >> 20;
        Err(Refusal::new(
            Reason::MemoryLimit,
            format!("memory_limiter: {mib} MiB of {limit} MiB in use; send this request again later"),
        ))
    }

    fn budget(&self) -> &Budget {
        &self.budget
    }
}

/// The resident set of this process; `None` where the system does not tell.
pub fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A limiter of 100 MiB with a spike of 20 MiB.
    fn limiter(process: &Budget) -> Arc<MemoryLimiter> {
        let settings =
            Settings { check_interval: Duration::from_secs(1), limit_bytes: 100 << 20, spike_bytes: 20 << 20 };
        MemoryLimiter::new(settings, process)
    }

    #[test]
    fn requests_hold_the_limit_less_the_spike() {
        let process = Budget::default();
        let limiter = limiter(&process);
        limiter.measure(10 << 20);
        let claim = limiter.budget().claim(80 << 20).unwrap();
        let refusal = Refusal::from(limiter.budget().claim(1).unwrap_err());
        assert_eq!(refusal.reason, Reason::MemoryLimit);
        assert!(refusal.retry_after.is_some());
        assert_eq!(process.taken(), 80 << 20, "one count for the process");
        drop(claim);
        assert!(limiter.budget().claim(80 << 20).is_ok());
    }

    #[test]
    fn a_high_resident_set_leaves_requests_the_spike() {
        let process = Budget::default();
        let limiter = limiter(&process);
        let claim = process.claim((20 << 20) + 1).unwrap();
        limiter.measure(80 << 20);
        assert!(limiter.admit().is_ok());
        limiter.measure((80 << 20) + 1);
        let refusal = limiter.admit().unwrap_err();
        assert_eq!(refusal.reason, Reason::MemoryLimit);
        assert!(refusal.retry_after.is_some());
        limiter.measure(10 << 20);
        assert!(limiter.admit().is_ok());
        drop(claim);
    }

    /// What is resident then is what the allocator keeps, or what no refusal would free.
    #[test]
    fn a_resident_set_that_never_falls_locks_nobody_out() {
        let process = Budget::default();
        let limiter = limiter(&process);
        limiter.measure(500 << 20);
        let claim = process.claim(20 << 20).unwrap();
        assert!(limiter.admit().is_ok());
        let more = process.claim(1).unwrap();
        assert!(limiter.admit().is_err());
        drop((claim, more));
        assert!(limiter.admit().is_ok());
    }

    #[test]
    fn the_resident_set_of_a_test_is_some_megabytes() {
        let resident = resident_bytes().unwrap();
        assert!((1 << 20..4 << 30).contains(&resident), "{resident}");
    }
}
