//! `memory_limiter`: refuses requests, retryably and before any work is done, while the process
//! holds more memory than it should.
//!
//! What is measured is the resident set, as the kernel and the container's limit see it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio_util::sync::CancellationToken;

use super::settings::MemoryLimiter as Settings;
use crate::otlp::answer::{Reason, Refusal};
use crate::pipeline::run::Admission;

/// The limiter; [`MemoryLimiter::watch`] keeps its measurement fresh.
#[derive(Debug)]
pub struct MemoryLimiter {
    settings: Settings,
    over: AtomicBool,
    measured: AtomicU64,
}

impl MemoryLimiter {
    /// A limiter that has measured once.
    pub fn new(settings: Settings) -> Arc<Self> {
        let limiter = MemoryLimiter { settings, over: AtomicBool::new(false), measured: AtomicU64::new(0) };
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
            let (mib, soft) = (resident >> 20, soft >> 20);
            if over {
                tracing::warn!("memory_limiter: {mib} MiB resident, over {soft} MiB; refusing requests until it falls");
            } else {
                tracing::info!("memory_limiter: {mib} MiB resident, below {soft} MiB; taking requests again");
            }
        }
    }
}

impl Admission for MemoryLimiter {
    fn admit(&self) -> Result<(), Refusal> {
        if !self.over.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mib = self.measured.load(Ordering::Relaxed) >> 20;
        let limit = self.settings.limit_bytes >> 20;
        Err(Refusal::new(
            Reason::MemoryLimit,
            format!("memory_limiter: {mib} MiB of {limit} MiB in use; send this request again later"),
        ))
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

    #[test]
    fn refuses_retryably_above_the_soft_limit_and_admits_below() {
        let limiter = MemoryLimiter::new(Settings {
            check_interval: Duration::from_secs(1),
            limit_bytes: 100 << 20,
            spike_bytes: 20 << 20,
        });
        limiter.measure(80 << 20);
        assert!(limiter.admit().is_ok());
        limiter.measure((80 << 20) + 1);
        let refusal = limiter.admit().unwrap_err();
        assert_eq!(refusal.reason, Reason::MemoryLimit);
        assert!(refusal.retry_after.is_some());
        limiter.measure(10 << 20);
        assert!(limiter.admit().is_ok());
    }

    #[test]
    fn the_resident_set_of_a_test_is_some_megabytes() {
        let resident = resident_bytes().unwrap();
        assert!((1 << 20..4 << 30).contains(&resident), "{resident}");
    }
}
