//! Reads `exporters.prometheus`: the Collector's keys with the Collector's defaults, and bounds of our
//! own. What a key does to the page is [`Style`]'s, what it does to the store [`application::Settings`]'.

use super::Prometheus;
use crate::config::{Field, Section};
use crate::metrics::application::{self, ResourceLabels};
use crate::metrics::exposition::{Style, Translation};
use crate::net::tls::ServerSettings;

/// What of a resource is in `job` and `instance` already: `exclude_service_attributes`.
const SERVICE_ATTRIBUTES: [&str; 3] = ["service.name", "service.instance.id", "service.namespace"];

/// Patterns of resource attributes at most.
const MAX_PATTERNS: usize = 256;

/// Reads the section.
pub fn read(section: &mut Section<'_>) -> Prometheus {
    let default = Prometheus::default();
    let style = style(section);
    let prometheus = Prometheus {
        endpoint: section.listener("endpoint").unwrap_or(default.endpoint),
        store: store(section, &style),
        style,
        tls: ServerSettings::read(section),
    };
    section.not_supported(&[(
        "auth",
        "scrapes carry no credentials here; stay on loopback or in the pod, or ask for client certificates: tls.client_ca_file",
    )]);
    section.without_effect(&[
        ("enable_open_metrics", "OpenMetrics, with exemplars, is given to every scraper that accepts it"),
        ("sending_queue", "nothing waits here: points are on the page before they are acknowledged"),
        ("read_header_timeout", "scrapes have bounds of their own"),
        ("read_timeout", "scrapes have bounds of their own"),
        ("write_timeout", "scrapes have bounds of their own"),
        ("idle_timeout", "scrapes have bounds of their own"),
    ]);
    prometheus
}

fn style(section: &mut Section<'_>) -> Style {
    let strategies = Translation::ALL.map(|translation| (translation.name(), translation));
    // The older key says half of what the newer one does, which has the last word.
    let suffixes = section.boolean("add_metric_suffixes").unwrap_or(true);
    let older = if suffixes { Translation::default() } else { Translation::UnderscoreEscapingWithoutSuffixes };
    Style {
        namespace: namespace(section).unwrap_or_default(),
        const_labels: const_labels(section),
        translation: section.choice("translation_strategy", &strategies).unwrap_or(older),
        send_timestamps: section.boolean("send_timestamps").unwrap_or_default(),
        scope_labels: !section.boolean("without_scope_info").unwrap_or_default(),
    }
}

fn store(section: &mut Section<'_>, style: &Style) -> application::Settings {
    let default = application::Settings::default();
    application::Settings {
        cardinality_limit: section
            .count("cardinality_limit", "series", 1..=1_000_000)
            .unwrap_or(default.cardinality_limit),
        series_limit: section.count("series_limit", "series", 1..=10_000_000).unwrap_or(default.series_limit),
        metric_expiration: section.interval("metric_expiration").unwrap_or(default.metric_expiration),
        resource_labels: resource_labels(section),
        scope_labels: style.scope_labels,
    }
}

/// `resource_constant_labels`, or else what its predecessor says.
fn resource_labels(section: &mut Section<'_>) -> ResourceLabels {
    let older = section.section("resource_to_telemetry_conversion").map(|mut older| {
        let enabled = older.boolean("enabled").unwrap_or_default();
        let without_service = older.boolean("exclude_service_attributes").unwrap_or_default();
        let of = |keys: &[&str], are: bool| match are {
            true => keys.iter().map(|key| (*key).to_owned()).collect(),
            false => Vec::new(),
        };
        ResourceLabels { included: of(&["*"], enabled), excluded: of(&SERVICE_ATTRIBUTES, enabled && without_service) }
    });
    let newer = section.section("resource_constant_labels").map(|mut newer| {
        let mut patterns = |key| {
            let list = newer.list(key).unwrap_or_default();
            if let Some(beyond) = list.get(MAX_PATTERNS) {
                beyond.refuse("is one pattern too many", format!("at most {MAX_PATTERNS}"));
            }
            list.iter().filter_map(Field::text).collect::<Vec<_>>()
        };
        ResourceLabels { included: patterns("included"), excluded: patterns("excluded") }
    });
    newer.or(older).unwrap_or_default()
}

/// Labels of every series, in the order in which they stand there.
fn const_labels(section: &mut Section<'_>) -> Vec<(String, String)> {
    let Some(mut labels) = section.section("const_labels") else { return Vec::new() };
    let entries = labels.entries();
    entries.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.text()?))).collect()
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
