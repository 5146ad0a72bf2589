//! Reads `processors.memory_limiter`: the Collector's keys. A share of the memory is a share of
//! what the container may use, or of the machine's if there is no such limit.

use std::fs::File;
use std::io::Read;
use std::time::Duration;

use super::MemoryLimiter;
use crate::config::Section;

/// Of the limit, if nothing is said.
const DEFAULT_SPIKE_PERCENTAGE: u64 = 20;

/// More MiB than any machine has; keeps the arithmetic far from its end.
const MAX_MIB: u64 = 1 << 32;

/// Reads the section.
pub fn read(section: &mut Section<'_>) -> MemoryLimiter {
    let check_interval = section.interval("check_interval").unwrap_or(Duration::from_secs(1));
    let limit = section.mebibytes("limit_mib", 1..=MAX_MIB);
    let limit_percentage = section.whole("limit_percentage", "percent", 1..=100);
    let spike = section.field("spike_limit_mib").filter(|field| !field.is_null());
    let spike_bytes = spike.as_ref().and_then(|field| field.whole("MiB", 1..=MAX_MIB)).map(|mib| mib << 20);
    let spike_percentage = section.whole("spike_limit_percentage", "percent", 1..=100);
    section.without_effect(&[
        ("min_gc_interval_when_soft_limited", "there is no garbage collector"),
        ("min_gc_interval_when_hard_limited", "there is no garbage collector"),
        ("max_gc_interval_when_soft_limited", "there is no garbage collector"),
        ("max_gc_interval_when_hard_limited", "there is no garbage collector"),
    ]);

    let total = limit_percentage.and_then(|_| total_memory());
    if limit_percentage.is_some() && limit.is_none() && total.is_none() {
        section.refuse("limit_percentage: the memory of this machine is not known", "limit_mib");
    }
    let percent = |share: u64, of: u64| of / 100 * share;
    let from_percentage = limit_percentage.zip(total).map(|(share, of)| percent(share, of));
    if limit.is_none() && limit_percentage.is_none() && !section.has_any(&["limit_mib", "limit_percentage"]) {
        section.refuse("has no limit", "limit_mib, such as limit_mib: 256, or limit_percentage");
    }
    let limit_bytes = limit.or(from_percentage).unwrap_or(u64::MAX);
    let spike_bytes = spike_bytes
        .or(spike_percentage.zip(total).map(|(share, of)| percent(share, of)))
        .unwrap_or_else(|| percent(DEFAULT_SPIKE_PERCENTAGE, limit_bytes));
    if let Some(field) = spike
        && spike_bytes >= limit_bytes
    {
        field.refuse("is not below the limit: every request would be refused", "less than limit_mib");
    }
    MemoryLimiter { check_interval, limit_bytes, spike_bytes: spike_bytes.min(limit_bytes) }
}

/// The memory that this process may use, in bytes.
fn total_memory() -> Option<u64> {
    let machine = small_file("/proc/meminfo").and_then(|text| machine_memory(&text));
    let container = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .into_iter()
        .filter_map(small_file)
        .find_map(|text| text.trim().parse().ok());
    // A container without a limit says `max`, or a number beyond the machine's memory.
    match (machine, container) {
        (Some(machine), Some(container)) => Some(machine.min(container)),
        (machine, container) => machine.or(container),
    }
}

fn small_file(path: &str) -> Option<String> {
    let mut text = String::new();
    File::open(path).ok()?.take(64 << 10).read_to_string(&mut text).ok()?;
    Some(text)
}

/// `MemTotal:  16318480 kB`
fn machine_memory(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_memory_is_in_kibibytes() {
        assert_eq!(machine_memory("MemTotal:       16318480 kB\nMemFree: 1 kB\n"), Some(16_318_480 * 1024));
        assert_eq!(machine_memory("nothing"), None);
    }
}
