//! What the process uses: memory, processor time, uptime. Read when asked, from `/proc`; where
//! there is no such thing only the times that need none are shown.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::metrics::snapshot::{Family, Kind, Label, Series, Source, Value};

/// Linux reports processor time to programs in hundredths of a second on every architecture that
/// Rust supports (`USER_HZ`, see proc(5)).
const TICKS_PER_SECOND: f64 = 100.0;

/// The process that this is.
#[derive(Debug)]
pub struct Process {
    started: SystemTime,
    since: Instant,
}

impl Process {
    /// Begins to measure uptime.
    pub fn new() -> Self {
        Process { started: SystemTime::now(), since: Instant::now() }
    }
}

impl Default for Process {
    fn default() -> Self {
        Process::new()
    }
}

impl Source for Process {
    fn collect(&self, families: &mut Vec<Family>) {
        let this = [Label::text("service.name", "dragoman"), Label::text("service.version", env!("CARGO_PKG_VERSION"))];
        let this = Series::timeless(this, Value::Integer(1, None));
        families.push(Family::own("target", "Who is scraped here", Kind::Info, vec![this]));
        let started = self.started.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        let cpu = fs::read_to_string("/proc/self/stat").ok().and_then(|stat| cpu_seconds(&stat));
        // VmRSS instead of /proc/self/statm: statm counts pages, whose size a program cannot learn
        // without a system call that needs unsafe code.
        let memory = fs::read_to_string("/proc/self/status").ok().and_then(|status| resident_bytes(&status));
        let uptime = Some(self.since.elapsed().as_secs_f64());
        use Kind::{Counter, Gauge};
        // The Collector's names and those of every Prometheus client library, so that either
        // kind of dashboard works.
        for (name, help, kind, value) in [
            ("otelcol_process_uptime_seconds_total", "Time since the program started", Counter, uptime),
            ("otelcol_process_cpu_seconds_total", "Processor time used, user and system", Counter, cpu),
            ("otelcol_process_memory_rss_bytes", "Resident memory", Gauge, memory),
            ("process_cpu_seconds_total", "Total user and system CPU time spent in seconds", Counter, cpu),
            ("process_resident_memory_bytes", "Resident memory size in bytes", Gauge, memory),
            (
                "process_start_time_seconds",
                "Start time of the process since the epoch in seconds",
                Gauge,
                Some(started),
            ),
        ] {
            let Some(value) = value else { continue };
            let series = Series::timeless([], Value::Double(value, None));
            families.push(Family::own(name, help, kind, vec![series]));
        }
    }
}

/// `utime` and `stime` of `/proc/self/stat`: fields 14 and 15, counted behind the program's name,
/// which may hold spaces and parentheses.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user.saturating_add(system) as f64 / TICKS_PER_SECOND)
}

/// `VmRSS` of `/proc/self/status`, which is in KiB.
fn resident_bytes(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib.saturating_mul(1024) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_behind_any_program_name() {
        let stat = "12 (a) R 1 (x)) S 1 12 12 0 -1 4194560 900 0 0 0 250 50 0 0 20 0 4 0 100 1000 200";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(cpu_seconds("12 (a"), None);
    }

    #[test]
    fn memory_is_in_bytes() {
        assert_eq!(resident_bytes("Name:\tdragoman\nVmRSS:\t    8192 kB\nThreads:\t3\n"), Some(8_388_608.0));
        assert_eq!(resident_bytes("Name:\tdragoman\n"), None);
    }
}
