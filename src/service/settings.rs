//! The sections that belong to the program as a whole: `service.telemetry` and the extensions.

use crate::config::{Field, Section};
use crate::log::Logs;
use crate::net::tls::ServerSettings;

/// `service.telemetry`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telemetry {
    /// `metrics.address`, as `host:port`; the path is `/metrics`. `None` with `level: none`.
    pub metrics_address: Option<String>,
    /// `logs`.
    pub logs: Logs,
}

impl Default for Telemetry {
    fn default() -> Self {
        Telemetry { metrics_address: Some("127.0.0.1:8888".into()), logs: Logs::default() }
    }
}

/// `extensions.health_check`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    /// `endpoint`, as `host:port`.
    pub endpoint: String,
    /// `path`, beginning with `/`.
    pub path: String,
    /// `tls`; plain text without it.
    pub tls: Option<ServerSettings>,
}

impl Default for HealthCheck {
    fn default() -> Self {
        HealthCheck { endpoint: "127.0.0.1:13133".into(), path: "/".into(), tls: None }
    }
}

/// Whether there are self-metrics. The Collector's steps between all and none differ in detail only.
const METRIC_LEVELS: &[(&str, bool)] = &[("none", false), ("basic", true), ("normal", true), ("detailed", true)];

impl Telemetry {
    /// Reads the section.
    pub fn read(section: &mut Section<'_>) -> Telemetry {
        let default = Telemetry::default();
        let telemetry = Telemetry {
            metrics_address: section
                .section("metrics")
                .map_or(default.metrics_address, |mut section| metrics_address(&mut section)),
            logs: section.section("logs").map_or(default.logs, |mut section| Logs::read(&mut section)),
        };
        section.without_effect(&[
            ("traces", "this program does not trace itself"),
            ("resource", "self-metrics carry no resource of their own"),
        ]);
        telemetry
    }
}

fn metrics_address(section: &mut Section<'_>) -> Option<String> {
    let is_on = section.choice("level", METRIC_LEVELS).unwrap_or(true);
    let address = section.listener("address");
    let readers = section.list("readers").unwrap_or_default();
    // Every reader is checked, the last one counts.
    let mut from_readers: Vec<String> = readers.iter().filter_map(pull_address).collect();
    section.without_effect(&[("views", "every metric is shown")]);
    is_on.then(|| address.or(from_readers.pop()).or(Telemetry::default().metrics_address)).flatten()
}

/// `pull: { exporter: { prometheus: { host, port } } }`, the Collector's newer way to say it.
fn pull_address(reader: &Field<'_>) -> Option<String> {
    let mut reader = reader.section()?;
    reader
        .not_supported(&[("periodic", "self-metrics are scraped: pull: { exporter: { prometheus: { host, port } } }")]);
    let mut prometheus = reader.section("pull")?.section("exporter")?.section("prometheus")?;
    let host = prometheus.text("host");
    let port = prometheus.whole("port", "a port", 0..=65535);
    prometheus.without_effect(&[
        ("without_scope_info", "self-metrics have no scope"),
        ("without_type_suffix", "names are those of OpenMetrics"),
        ("without_units", "names are those of OpenMetrics"),
        ("with_resource_constant_labels", "self-metrics carry no resource of their own"),
    ]);
    let host = host.unwrap_or_else(|| "localhost".to_owned());
    let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host };
    Some(format!("{host}:{}", port.unwrap_or(8888)))
}

impl HealthCheck {
    /// Reads the section.
    pub fn read(section: &mut Section<'_>) -> HealthCheck {
        let default = HealthCheck::default();
        let path = section.field("path").filter(|field| !field.is_null()).and_then(|field| {
            let path = field.text()?;
            if !path.starts_with('/') {
                field.refuse("is not a path", "one that begins with /");
                return None;
            }
            Some(path)
        });
        let health_check = HealthCheck {
            endpoint: section.listener("endpoint").unwrap_or(default.endpoint),
            path: path.unwrap_or(default.path),
            tls: ServerSettings::read(section),
        };
        section.not_supported(&[("auth", "probes carry no credentials; stay on loopback or in the pod")]);
        section.without_effect(&[
            ("response_body", "the body is the Collector's default one"),
            ("check_collector_pipeline", "the state is that of the listeners"),
            ("use_v2", "there is one form of the answer"),
        ]);
        health_check
    }
}
