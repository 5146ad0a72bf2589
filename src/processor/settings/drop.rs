//! Reads `processors.drop`.

use super::{Drop, DropMemory, DropRule, Pattern};
use crate::config::{Field, Section};
use crate::otlp::span::{Kind, StatusCode};

/// More rules than this are a mistake; each is tried for every span.
const MAX_RULES: usize = 1000;

const KINDS: &[(&str, Kind)] = &[
    ("internal", Kind::Internal),
    ("server", Kind::Server),
    ("client", Kind::Client),
    ("producer", Kind::Producer),
    ("consumer", Kind::Consumer),
    ("unspecified", Kind::Unspecified),
];

const STATUSES: &[(&str, StatusCode)] =
    &[("unset", StatusCode::Unset), ("ok", StatusCode::Ok), ("error", StatusCode::Error)];

/// A preset: the attributes of which any one, with this value, takes a span out.
#[derive(Debug, Clone, Copy)]
struct Preset {
    attributes: &'static [&'static str],
    value: &'static str,
}

/// Names and scopes of spans are shared with other databases: only `db.system` tells sqlite, by
/// its older and its newer name.
const PRESETS: &[(&str, Preset)] =
    &[("sqlite", Preset { attributes: &["db.system", "db.system.name"], value: "sqlite" })];

/// Reads the section.
pub fn read(section: &mut Section<'_>) -> Drop {
    let mut rules: Vec<DropRule> = Vec::new();
    if let Some(preset) = section.choice("preset", PRESETS) {
        rules.extend(preset.attributes.iter().map(|attribute| DropRule {
            attributes: vec![((*attribute).to_owned(), Pattern::Exact(preset.value.to_owned()))],
            ..DropRule::default()
        }));
    }
    let items = section.list("rules").unwrap_or_default();
    if items.len() > MAX_RULES {
        section.refuse(format!("has {} rules", items.len()), format!("at most {MAX_RULES}"));
    }
    rules.extend(items.iter().take(MAX_RULES).filter_map(rule));
    let keep_errors = section.boolean("keep_errors").unwrap_or(false);
    let memory = section.section("memory").map_or_else(DropMemory::default, |mut section| memory(&mut section));
    if rules.is_empty() && !section.has_any(&["preset", "rules"]) {
        section.refuse("names nothing to drop", "preset: sqlite, or rules");
    }
    section.not_supported(&[
        ("traces", "rules, such as rules: [ { name: healthz } ]; there is no OTTL here"),
        ("spans", "rules, such as rules: [ { name: healthz } ]; there is no OTTL here"),
        ("trace_conditions", "rules, such as rules: [ { name: healthz } ]; there is no OTTL here"),
        ("error_mode", "leave it out: rules cannot fail"),
    ]);
    Drop { rules, keep_errors, memory }
}

/// How many dropped spans are remembered, and for how long.
pub(super) fn memory(section: &mut Section<'_>) -> DropMemory {
    let default = DropMemory::default();
    DropMemory {
        max_spans: section.count("max_spans", "spans", 0..=10_000_000).unwrap_or(default.max_spans),
        ttl: section.interval("ttl").unwrap_or(default.ttl),
    }
}

fn rule(item: &Field<'_>) -> Option<DropRule> {
    let mut section = item.section()?;
    let is_empty = section.is_empty();
    let rule = DropRule {
        resource: patterns(&mut section, "resource"),
        scope: section.field("scope").and_then(|field| pattern(&field)),
        name: section.field("name").and_then(|field| pattern(&field)),
        kind: section.choice("kind", KINDS),
        status: section.choice("status", STATUSES),
        attributes: patterns(&mut section, "attributes"),
    };
    if is_empty {
        section.refuse(
            "names nothing",
            "resource, scope, name, kind, status or attributes; all that are named must match",
        );
    }
    Some(rule)
}

fn patterns(section: &mut Section<'_>, key: &'static str) -> Vec<(String, Pattern)> {
    let Some(mut section) = section.section(key) else { return Vec::new() };
    let pair = |(key, field): (&str, Field<'_>)| Some((key.to_owned(), pattern(&field)?));
    section.entries().into_iter().filter_map(pair).collect()
}

/// `text`, or `{ regex: ... }`.
fn pattern(field: &Field<'_>) -> Option<Pattern> {
    const EXPECTED: &str = "text for the whole value, or { regex: ... }";
    if field.is_section() {
        return field.section()?.required("regex", "a regular expression")?.regex().map(Pattern::Regex);
    }
    if field.is_null() || field.is_list() {
        field.refuse("is no pattern", EXPECTED);
        return None;
    }
    field.text().map(Pattern::Exact)
}
