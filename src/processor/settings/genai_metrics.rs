//! Reads `connectors.genai_metrics`.

use super::{Compatibility, GenaiMetrics, LedgerWindow};
use crate::config::{Field, Section};

/// Reads the section.
pub fn read(section: &mut Section<'_>) -> GenaiMetrics {
    let default = GenaiMetrics::default();
    let metrics = GenaiMetrics {
        per_service: section.choice("count_per", &[("call", false), ("service", true)]).unwrap_or(default.per_service),
        max_series: section.count("max_series", "series", 1..=1_000_000).unwrap_or(default.max_series),
        metrics_expiration: section.interval("metrics_expiration").unwrap_or(default.metrics_expiration),
        metrics_flush_interval: section.interval("metrics_flush_interval").unwrap_or(default.metrics_flush_interval),
        compatibility: section.list("compatibility").map_or(default.compatibility, |names| compatibility(&names)),
        window: section.section("window").map_or(default.window, |mut section| window(&mut section)),
    };
    section.not_supported(&[
        ("histogram", "leave it out: the boundaries are those of the semantic conventions"),
        ("dimensions", "leave it out: the attributes are those of the semantic conventions"),
        ("aggregation_cardinality_limit", "max_series"),
    ]);
    section.without_effect(&[("exemplars", "exemplars are always kept")]);
    metrics
}

fn compatibility(names: &[Field<'_>]) -> Vec<Compatibility> {
    names.iter().filter_map(|name| name.choice(Compatibility::CHOICES)).collect()
}

fn window(section: &mut Section<'_>) -> LedgerWindow {
    let default = LedgerWindow::default();
    LedgerWindow {
        ttl: section.interval("ttl").unwrap_or(default.ttl),
        max_spans: section.count("max_spans", "spans", 1..=10_000_000).unwrap_or(default.max_spans),
    }
}
