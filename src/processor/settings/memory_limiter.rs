//! Reads `processors.memory_limiter`: the Collector's keys. A share of the memory is a share of
//! what the container may use, or of the machine's if there is no such limit.

use std::time::Duration;

use super::MemoryLimiter;
use crate::bounded::available::available;
use crate::config::Section;

/// Of the memory there is, if nothing is said. The other half is for what is not counted: the
/// allocator's spare room, the buffers of sockets, the connectors' and processors' own memories.
const DEFAULT_LIMIT_PERCENTAGE: u64 = 50;

/// Of the limit, if nothing is said.
const DEFAULT_SPIKE_PERCENTAGE: u64 = 20;

/// The limit where nothing is said and the system does not tell how much memory there is.
const UNKNOWN: u64 = 256 << 20;

/// About what the program takes when its memories are full and it is idle: 8 MiB, and as much again
/// for the ids that `drop` and `genai_metrics` remember, and what the allocator keeps.
const OWN: u64 = 24 << 20;

/// More MiB than any machine has; keeps the arithmetic far from its end.
const MAX_MIB: u64 = 1 << 32;

impl MemoryLimiter {
    /// What limits requests where no `memory_limiter` says otherwise.
    pub fn of_this_machine() -> MemoryLimiter {
        let limit_bytes = default_limit(available());
        let spike_bytes = percent(DEFAULT_SPIKE_PERCENTAGE, limit_bytes);
        MemoryLimiter { check_interval: Duration::from_secs(1), limit_bytes, spike_bytes }
    }

    /// What requests may hold together: the limit less the spike.
    pub fn budget_bytes(&self) -> usize {
        usize::try_from(self.limit_bytes.saturating_sub(self.spike_bytes)).unwrap_or(usize::MAX)
    }
}

/// Reads the section.
pub fn read(section: &mut Section<'_>) -> MemoryLimiter {
    let check_interval = section.interval("check_interval").unwrap_or(Duration::from_secs(1));
    let in_mib = section.field("limit_mib").filter(|field| !field.is_null());
    let limit = in_mib.as_ref().and_then(|field| field.whole("MiB", 1..=MAX_MIB)).map(|mib| mib << 20);
    let limit_percentage = section.whole("limit_percentage", "percent", 1..=100);
    let spike = section.field("spike_limit_mib").filter(|field| !field.is_null());
    let spike_bytes = spike.as_ref().and_then(|field| field.whole("MiB", 1..=MAX_MIB)).map(|mib| mib << 20);
    let spike_share = section.field("spike_limit_percentage").filter(|field| !field.is_null());
    let spike_percentage = spike_share.as_ref().and_then(|field| field.whole("percent", 1..=100));
    section.without_effect(&[
        ("min_gc_interval_when_soft_limited", "there is no garbage collector"),
        ("min_gc_interval_when_hard_limited", "there is no garbage collector"),
        ("max_gc_interval_when_soft_limited", "there is no garbage collector"),
        ("max_gc_interval_when_hard_limited", "there is no garbage collector"),
    ]);

    let total = available();
    if limit_percentage.is_some() && limit.is_none() && total.is_none() {
        section.refuse("limit_percentage: the memory of this machine is not known", "limit_mib");
    }
    let from_percentage = limit_percentage.zip(total).map(|(share, of)| percent(share, of));
    let limit_bytes = limit.or(from_percentage).unwrap_or_else(|| default_limit(total));
    let spike_bytes = spike_bytes
        .or(spike_percentage.zip(total).map(|(share, of)| percent(share, of)))
        .unwrap_or_else(|| percent(DEFAULT_SPIKE_PERCENTAGE, limit_bytes));
    if let Some(field) = spike.or(spike_share)
        && spike_bytes >= limit_bytes
    {
        field.refuse("is not below the limit: every request would be refused", "less than the limit");
    }
    if let Some(field) = in_mib.filter(|_| limit_bytes < OWN) {
        field.warn("leaves little for requests: the program takes about as much without any");
    }
    MemoryLimiter { check_interval, limit_bytes, spike_bytes: spike_bytes.min(limit_bytes) }
}

fn default_limit(total: Option<u64>) -> u64 {
    total.map_or(UNKNOWN, |total| percent(DEFAULT_LIMIT_PERCENTAGE, total))
}

fn percent(share: u64, of: u64) -> u64 {
    of / 100 * share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_word_requests_may_hold_two_fifths_of_the_memory() {
        assert_eq!(default_limit(Some(1000 << 20)), 500 << 20);
        assert_eq!(default_limit(None), 256 << 20);
        let limiter = MemoryLimiter::of_this_machine();
        let share = limiter.budget_bytes() as f64 / available().unwrap() as f64;
        assert!((0.399..0.401).contains(&share), "{share}");
    }
}
