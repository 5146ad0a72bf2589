//! Reads `exporters.prometheus`. Keys that would change what the series are called or say are
//! refused, because a dashboard would silently show something else; the rest is warned about.

use super::Prometheus;
use crate::config::Section;
use crate::net::tls::ServerSettings;

/// Reads the section.
pub fn read(section: &mut Section<'_>) -> Prometheus {
    let default = Prometheus::default();
    let prometheus = Prometheus {
        endpoint: section.listener("endpoint").unwrap_or(default.endpoint),
        namespace: namespace(section).unwrap_or(default.namespace),
        tls: ServerSettings::read(section),
    };
    section.interval("metric_expiration");
    section.choice("translation_strategy", &[("UnderscoreEscapingWithSuffixes", ())]);
    section.choice("add_metric_suffixes", &[("true", ())]);
    section.not_supported(&[
        ("auth", "scrapes carry no credentials here; stay on loopback or in the pod, or ask for client certificates: tls.client_ca_file"),
        ("const_labels", "add them in the scrape configuration, under static_configs.labels"),
        ("send_timestamps", "leave it out: a scrape has the scraper's time"),
        ("resource_constant_labels", "leave it out; join with target_info"),
    ]);
    section.without_effect(&[
        (
            "metric_expiration",
            "it is for metrics of applications, which this version does not expose; derived metrics go after the connector's metrics_expiration",
        ),
        ("enable_open_metrics", "OpenMetrics, with exemplars, is given to every scraper that accepts it"),
        ("without_scope_info", "labels of the scope stay"),
        ("resource_to_telemetry_conversion", "resource attributes are in target_info"),
        ("read_header_timeout", "scrapes have bounds of their own"),
        ("read_timeout", "scrapes have bounds of their own"),
        ("write_timeout", "scrapes have bounds of their own"),
        ("idle_timeout", "scrapes have bounds of their own"),
    ]);
    prometheus
}

/// A namespace is the beginning of a metric's name.
fn namespace(section: &mut Section<'_>) -> Option<String> {
    let field = section.field("namespace").filter(|field| !field.is_null())?;
    let text = field.text()?;
    let is_name = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
        && !text.starts_with(|c: char| c.is_ascii_digit());
    if !is_name {
        field.refuse("cannot begin the name of a metric", "letters, digits and _, not beginning with a digit");
        return None;
    }
    Some(text)
}
