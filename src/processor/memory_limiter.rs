//! `memory_limiter`: refuses requests, retryably and before any work is done, when they would hold more
//! memory than they may.
//!
//! What decides is the budget: requests together hold at most the limit less the spike, and every byte
//! of theirs is claimed before it is there (`bounded::budget`).
//!
//! What the process takes beside that cannot be claimed, so the resident set, as the kernel and the
//! container's limit see it, is watched too. While it is above limit less spike, requests may hold what
//! they held when it was at its highest, less what it was too high by then. That much was part of it
//! and has not grown it; so an allocator that keeps the pages of what was freed shuts nobody out, and
//! whatever else grows is made room for. The spike is left to requests in any case.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

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
    /// What requests may hold until the resident set is looked at again.
    allowed: AtomicUsize,
    highest: Mutex<Option<Highest>>,
    measured: AtomicU64,
}

/// The resident set at its highest since it went over, and what requests held then.
#[derive(Debug, Clone, Copy)]
struct Highest {
    resident: u64,
    claimed: u64,
}

impl MemoryLimiter {
    /// A limiter of the process whose requests are counted by `process`. It has measured once.
    pub fn new(settings: Settings, process: &Budget) -> Arc<Self> {
        let budget = process.capped(settings.budget_bytes());
        let (allowed, measured) = (AtomicUsize::new(usize::MAX), AtomicU64::new(0));
        let limiter = MemoryLimiter { settings, budget, allowed, highest: Mutex::default(), measured };
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
            self.measure(resident, self.budget.most_taken() as u64);
        }
    }

    /// `claimed` is the most that requests held since the last measurement.
    fn measure(&self, resident: u64, claimed: u64) {
        let soft = self.settings.limit_bytes.saturating_sub(self.settings.spike_bytes);
        self.measured.store(resident, Ordering::Relaxed);
        let mut highest = self.highest.lock().unwrap_or_else(PoisonError::into_inner);
        let was_over = highest.is_some();
        *highest = match *highest {
            _ if resident <= soft => None,
            Some(highest) if highest.resident >= resident => Some(highest),
            _ => Some(Highest { resident, claimed }),
        };
        let room = |highest: Highest| highest.claimed.saturating_sub(highest.resident - soft);
        let allowed = highest.map_or(u64::MAX, |highest| room(highest).max(self.settings.spike_bytes));
        self.allowed.store(usize::try_from(allowed).unwrap_or(usize::MAX), Ordering::Relaxed);
        if was_over != highest.is_some() {
            let (mib, soft, allowed) = (resident >> 20, soft >> 20, allowed >> 20);
            if was_over {
                tracing::info!("memory_limiter: {mib} MiB resident, below {soft} MiB; taking requests as before");
            } else {
                tracing::warn!(
                    "memory_limiter: {mib} MiB resident, over {soft} MiB; requests may hold {allowed} MiB until it falls"
                );
            }
        }
    }
}

impl Admission for MemoryLimiter {
    fn admit(&self) -> Result<(), Refusal> {
        if self.budget.taken() <= self.allowed.load(Ordering::Relaxed) {
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
        let limiter = MemoryLimiter::new(settings, process);
        // Forgets how large this test's own process is.
        limiter.measure(0, 0);
        limiter
    }

    const MIB: usize = 1 << 20;

    impl MemoryLimiter {
        /// Measures, and says whether a request is admitted beside `taken` MiB.
        fn admits(&self, resident_mib: u64, taken: usize) -> bool {
            let claim = self.budget.overdraw(taken * MIB);
            self.measure(resident_mib << 20, self.budget.most_taken() as u64);
            let admitted = self.admit();
            drop(claim);
            if let Err(refusal) = &admitted {
                assert_eq!(refusal.reason, Reason::MemoryLimit);
                assert!(refusal.retry_after.is_some());
            }
            self.budget.most_taken();
            admitted.is_ok()
        }
    }

    #[test]
    fn requests_hold_the_limit_less_the_spike() {
        let process = Budget::default();
        let limiter = limiter(&process);
        assert!(limiter.admits(10, 0));
        let claim = limiter.budget().claim(80 * MIB).unwrap();
        let refusal = Refusal::from(limiter.budget().claim(1).unwrap_err());
        assert_eq!(refusal.reason, Reason::MemoryLimit);
        assert!(refusal.retry_after.is_some());
        assert_eq!(process.taken(), 80 * MIB, "one count for the process");
        drop(claim);
        assert!(limiter.budget().claim(80 * MIB).is_ok());
    }

    #[test]
    fn while_the_resident_set_is_high_requests_may_hold_less() {
        let limiter = limiter(&Budget::default());
        assert!(limiter.admits(80, 60));
        assert!(!limiter.admits(81, 60), "1 MiB too high: 59");
        assert!(limiter.admits(81, 59));
        assert!(!limiter.admits(95, 60), "15 MiB too high: 45");
        assert!(!limiter.admits(95, 46) && limiter.admits(95, 45));
        assert!(limiter.admits(80, 80), "it has fallen");
    }

    /// What is resident then is what the allocator keeps of the freed.
    #[test]
    fn a_resident_set_that_never_falls_shuts_nobody_out() {
        let limiter = limiter(&Budget::default());
        assert!(!limiter.admits(90, 75));
        for _ in 0..10 {
            assert!(limiter.admits(90, 0) && limiter.admits(89, 65) && !limiter.admits(90, 66));
        }
    }

    /// And what grows beside requests is made room for, down to the spike.
    #[test]
    fn what_grows_beside_requests_takes_their_room() {
        let limiter = limiter(&Budget::default());
        assert!(!limiter.admits(81, 21) && limiter.admits(81, 20));
        assert!(!limiter.admits(120, 50));
        assert!(limiter.admits(500, 20) && !limiter.admits(500, 21));
    }

    #[test]
    fn the_resident_set_of_a_test_is_some_megabytes() {
        let resident = resident_bytes().unwrap();
        assert!((1 << 20..4 << 30).contains(&resident), "{resident}");
    }
}
