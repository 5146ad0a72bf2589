//! A real Prometheus that scrapes what a test names, and what it answers to PromQL.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Command;

use serde_json::Value;

use crate::process::{Running, file, free_port, get};

/// A Prometheus of one test, on loopback.
pub(crate) struct Scraper {
    process: Running,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

/// A series: its labels and its value now.
pub(crate) type Sample = (BTreeMap<String, String>, f64);

impl Scraper {
    /// Scrapes each target, as the job of that name, every five seconds, which is also what an unoptimised
    /// program on a busy machine has for its answer.
    pub(crate) fn start(jobs: &[(&str, SocketAddr)]) -> Scraper {
        let folder = tempfile::tempdir().unwrap();
        let mut config = String::from("global: { scrape_interval: 5s, scrape_timeout: 5s }\nscrape_configs:\n");
        for (name, target) in jobs {
            config
                .push_str(&format!("  - {{ job_name: {name}, static_configs: [ {{ targets: [\"{target}\"] }} ] }}\n"));
        }
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let mut process = Running::start(
            "prometheus",
            Command::new("prometheus")
                .arg(format!("--config.file={}", file(&folder, "prometheus.yml", &config).display()))
                .arg(format!("--storage.tsdb.path={}", folder.path().join("tsdb").display()))
                .arg(format!("--web.listen-address={address}")),
        );
        let jobs = jobs.len() as f64;
        process.wait_for("a scrape of every target", |_| (sum(address, "sum(up)") == Some(jobs)).then_some(()));
        Scraper { process, address, _folder: folder }
    }

    /// The series that an expression has now.
    pub(crate) fn ask(&self, expression: &str) -> Vec<Sample> {
        query(self.address, expression).unwrap_or_else(|| panic!("no answer to {expression}"))
    }

    /// The one value of an expression.
    pub(crate) fn value(&self, expression: &str) -> Option<f64> {
        sum(self.address, expression)
    }

    /// Waits until an expression has a value that is wanted.
    pub(crate) fn wait_for(&mut self, expression: &str, wanted: impl Fn(f64) -> bool) {
        let address = self.address;
        self.process.wait_for(expression, |_| sum(address, expression).filter(|value| wanted(*value)));
    }

    /// The targets that cannot be scraped, with the reason.
    pub(crate) fn errors(&self) -> Vec<String> {
        let targets: Value = serde_json::from_slice(&get(self.address, "/api/v1/targets").unwrap().body).unwrap();
        let active = targets["data"]["activeTargets"].as_array().unwrap().iter();
        active
            .map(|target| target["lastError"].as_str().unwrap().to_owned())
            .filter(|error| !error.is_empty())
            .collect()
    }
}

fn sum(address: SocketAddr, expression: &str) -> Option<f64> {
    match &query(address, expression)?[..] {
        [(_, value)] => Some(*value),
        _ => None,
    }
}

fn query(address: SocketAddr, expression: &str) -> Option<Vec<Sample>> {
    let encoded: String = expression.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let answer = get(address, &format!("/api/v1/query?query={encoded}")).ok()?;
    let answer: Value = serde_json::from_slice(&answer.body).ok()?;
    let sample = |series: &Value| {
        let labels = series["metric"].as_object()?.iter();
        let labels = labels.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()));
        Some((labels.collect(), series["value"][1].as_str()?.parse().ok()?))
    };
    answer["data"]["result"].as_array()?.iter().map(sample).collect()
}
