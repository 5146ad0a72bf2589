//! The process that is measured, and what its `/proc` entries say of it.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::Failure;

/// A running sidecar; killed when dropped.
pub(crate) struct Sidecar {
    child: Child,
}

impl Sidecar {
    /// Starts a build of it on a configuration.
    pub(crate) fn start(binary: &Path, config: &Path) -> Result<Sidecar, Failure> {
        let child =
            Command::new(binary).arg("--config").arg(config).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn()?;
        Ok(Sidecar { child })
    }

    /// An error if it has ended, of which it has said why on standard error.
    pub(crate) fn expect_alive(&mut self) -> Result<(), Failure> {
        self.child.try_wait()?.map_or(Ok(()), |status| Err(format!("the sidecar ended: {status}").into()))
    }

    /// A line of its status, in KiB: `VmRSS:`, `VmHWM:`.
    pub(crate) fn resident(&self, what: &str) -> Result<f64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(what)).ok_or("no such line")?;
        Ok(line.trim().trim_end_matches("kB").trim().parse()?)
    }

    /// What it took so far. The kernel counts in hundredths of a second.
    pub(crate) fn cpu(&self) -> Result<Cpu, Failure> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        Ok(Cpu { user: fields[11].parse::<f64>()? / 100.0, kernel: fields[12].parse::<f64>()? / 100.0 })
    }
}

/// Processor time, in seconds.
pub(crate) struct Cpu {
    pub(crate) user: f64,
    pub(crate) kernel: f64,
}

impl Cpu {
    /// All of it.
    pub(crate) fn sum(&self) -> f64 {
        self.user + self.kernel
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
