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

/// What a Prometheus is started with, beside its configuration.
const FEATURES: &str = "exemplar-storage";

/// A series: its labels and its value now.
pub(crate) type Sample = (BTreeMap<String, String>, f64);

impl Scraper {
    /// Scrapes each target, as the job of that name, every five seconds, which is also what an unoptimised
    /// program on a busy machine has for its answer.
    pub(crate) fn start(jobs: &[(&str, SocketAddr)]) -> Scraper {
        Scraper::scraping(FEATURES, jobs, "")
    }

    /// Scrapes one target with these of Prometheus' features; its own `job` and `instance` win.
    pub(crate) fn of_one(features: &str, target: SocketAddr) -> Scraper {
        Scraper::scraping(features, &[("dragoman", target)], "honor_labels: true, ")
    }

    fn scraping(features: &str, jobs: &[(&str, SocketAddr)], more: &str) -> Scraper {
        let mut config = String::from("global: { scrape_interval: 5s, scrape_timeout: 5s }\nscrape_configs:\n");
        for (name, target) in jobs {
            config.push_str(&format!(
                "  - {{ job_name: {name}, {more}static_configs: [ {{ targets: [\"{target}\"] }} ] }}\n"
            ));
        }
        let mut scraper = Scraper::run(tempfile::tempdir().unwrap(), features, |_| config);
        let jobs = jobs.len() as f64;
        scraper.wait_for("sum(up)", |up| up == jobs);
        scraper
    }

    /// Runs a configuration, which may name its own address and the files of its folder.
    pub(crate) fn configured(folder: tempfile::TempDir, config: impl FnOnce(SocketAddr) -> String) -> Scraper {
        Scraper::run(folder, FEATURES, config)
    }

    fn run(folder: tempfile::TempDir, features: &str, config: impl FnOnce(SocketAddr) -> String) -> Scraper {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let process = Running::start(
            "prometheus",
            Command::new("prometheus")
                .arg(format!("--config.file={}", file(&folder, "prometheus.yml", &config(address)).display()))
                .arg(format!("--storage.tsdb.path={}", folder.path().join("tsdb").display()))
                .arg(format!("--web.listen-address={address}"))
                .arg(format!("--enable-feature={features}")),
        );
        Scraper { process, address, _folder: folder }
    }

    /// Where its API is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The series that an expression has now.
    pub(crate) fn ask(&self, expression: &str) -> Vec<Sample> {
        query(self.address, expression).unwrap_or_else(|problem| panic!("{expression}: {problem}"))
    }

    /// The finite values that an expression has now.
    pub(crate) fn values(&self, expression: &str) -> Result<Vec<f64>, String> {
        let values = query(self.address, expression)?.into_iter().map(|(_, value)| value);
        Ok(values.filter(|value| value.is_finite()).collect())
    }

    /// The one value of an expression.
    pub(crate) fn value(&self, expression: &str) -> Option<f64> {
        one(self.address, expression)
    }

    /// Waits until an expression has a value that is wanted, and returns it.
    pub(crate) fn wait_for(&mut self, expression: &str, wanted: impl Fn(f64) -> bool) -> f64 {
        let address = self.address;
        self.process.wait_for(expression, |_| one(address, expression).filter(|value| wanted(*value)))
    }

    /// `data` of an answer of the API below `/api/v1/`; what is wrong with the question, otherwise.
    pub(crate) fn api(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
        api(self.address, path, parameters)
    }

    /// The labels of the first exemplar of a metric.
    pub(crate) fn exemplar(&self, metric: &str) -> Value {
        let all = self.api("query_exemplars", &[("query", metric), ("start", "0"), ("end", "4102444800")]).unwrap();
        all[0]["exemplars"][0]["labels"].clone()
    }

    /// The targets that cannot be scraped, with the reason.
    pub(crate) fn errors(&self) -> Vec<String> {
        let targets = self.api("targets", &[]).unwrap();
        let bad = targets["activeTargets"].as_array().unwrap().iter();
        let bad = bad.filter(|target| target["health"] != "up" || target["lastError"] != "");
        bad.map(|target| format!("{}: {}", target["labels"]["job"], target["lastError"])).collect()
    }
}

fn one(address: SocketAddr, expression: &str) -> Option<f64> {
    match &query(address, expression).ok()?[..] {
        [(_, value)] => Some(*value),
        _ => None,
    }
}

fn query(address: SocketAddr, expression: &str) -> Result<Vec<Sample>, String> {
    let data = api(address, "query", &[("query", expression)])?;
    let sample = |series: &Value| {
        let labels = series["metric"].as_object()?.iter();
        let labels = labels.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()));
        Some((labels.collect(), series["value"][1].as_str()?.parse().ok()?))
    };
    let samples = data["result"].as_array().and_then(|result| result.iter().map(sample).collect());
    samples.ok_or_else(|| format!("no vector: {data}"))
}

fn api(address: SocketAddr, path: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
    let encoded = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let pairs: Vec<String> =
        parameters.iter().map(|(key, value)| format!("{}={}", encoded(key), encoded(value))).collect();
    let answer = get(address, &format!("/api/v1/{path}?{}", pairs.join("&"))).map_err(|error| error.to_string())?;
    let answer: Value = serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
    match answer["status"].as_str() {
        Some("success") => Ok(answer["data"].clone()),
        _ => Err(answer["error"].to_string()),
    }
}
