//! Reads `processors.genai`.

use std::time::Duration;

use super::{Genai, JoinLogs, Mapping, NativeMetrics, Originals, Target};
use crate::config::{Field, Section, nearest};
use crate::genai::dialect::user::{is_own, meaning, targets};

/// More mappings than this are a mistake; each is looked up for every LLM span.
const MAX_MAPPINGS: usize = 1000;

/// What waits for its other half is in memory only.
const MAX_WAIT: Duration = Duration::from_secs(300);
const MAX_JOIN_ITEMS: usize = 1_000_000;
const MAX_JOIN_BYTES: usize = 1 << 30;

const TARGETS: &[(&str, Target)] = &[("1.41", Target::V1_41), ("main", Target::Main)];
const ORIGINALS: &[(&str, Originals)] = &[("replace", Originals::Replace), ("keep", Originals::Keep)];
const NATIVE_METRICS: &[(&str, NativeMetrics)] =
    &[("replace", NativeMetrics::Replace), ("defer", NativeMetrics::Defer), ("both", NativeMetrics::Both)];

/// Reads the section.
pub fn read(section: &mut Section<'_>) -> Genai {
    let target = section.choice("target", TARGETS).unwrap_or_default();
    let genai = Genai {
        target,
        originals: section.choice("originals", ORIGINALS).unwrap_or_default(),
        mappings: section.field("mappings").map(|field| mappings(&field, target)).unwrap_or_default(),
        native_metrics: section.choice("native_metrics", NATIVE_METRICS).unwrap_or_default(),
        provenance: section.boolean("provenance").unwrap_or_default(),
        join_logs: section.field("join_logs").and_then(|field| join_logs(&field)),
    };
    section.not_supported(&[
        ("sources", "leave it out: dialects are recognised span by span"),
        ("remove_originals", "originals: replace (the default) or originals: keep"),
        ("overwrite", "leave it out: a correct value that a span already has stays"),
    ]);
    genai
}

/// `None` if it is not enabled, which it is only by `enabled: true`.
fn join_logs(field: &Field<'_>) -> Option<JoinLogs> {
    if field.is_null() {
        return None;
    }
    let mut section = field.section()?;
    let default = JoinLogs::default();
    let enabled = match section.field("enabled").filter(|field| !field.is_null()) {
        Some(field) => field.boolean().unwrap_or(false),
        None => {
            field.warn("has no effect without enabled: true");
            false
        }
    };
    let wait_duration = section.field("wait_duration").and_then(|field| {
        let wait = field.interval()?;
        if wait > MAX_WAIT {
            field.refuse("is too long", "at most 5m: what waits is lost if the program crashes");
        }
        Some(wait)
    });
    let settings = JoinLogs {
        wait_duration: wait_duration.unwrap_or(default.wait_duration),
        max_items: section.count("max_items", "spans and log records", 1..=MAX_JOIN_ITEMS).unwrap_or(default.max_items),
        max_bytes: section.count("max_bytes", "bytes", 1..=MAX_JOIN_BYTES).unwrap_or(default.max_bytes),
    };
    enabled.then_some(settings)
}

/// `{ my.key: gen_ai.request.model }`, or a list of `{ key: ..., to: ..., values: { ... } }`.
fn mappings(field: &Field<'_>, target: Target) -> Vec<Mapping> {
    if field.is_null() {
        return Vec::new();
    }
    let mappings: Vec<Mapping> = if field.is_list() {
        field.list().unwrap_or_default().iter().filter_map(|item| mapping(item, target)).collect()
    } else {
        let Some(mut section) = field.section() else { return Vec::new() };
        let short = |(key, to): (&str, Field<'_>)| {
            refuse_own(key, target, &to);
            Some(Mapping { key: key.to_owned(), to: attribute(&to)?, values: Vec::new() })
        };
        section.entries().into_iter().filter_map(short).collect()
    };
    if mappings.len() > MAX_MAPPINGS {
        field.refuse("has too many entries", format!("at most {MAX_MAPPINGS}"));
    }
    mappings
}

fn mapping(item: &Field<'_>, target: Target) -> Option<Mapping> {
    let mut section = item.section()?;
    let key = section.required("key", "the attribute that the application writes");
    let to = section.required("to", "the attribute to write instead, such as gen_ai.request.model");
    let values = section.section("values").map(|mut values| {
        let pair = |(from, to): (&str, Field<'_>)| Some((from.to_owned(), to.text()?));
        values.entries().into_iter().filter_map(pair).collect()
    });
    let (field, key) = key.and_then(|field| field.text().map(|key| (field, key)))?;
    refuse_own(&key, target, &field);
    Some(Mapping { key, to: attribute(&to?)?, values: values.unwrap_or_default() })
}

/// A value that is current already stays, so such a mapping would never apply.
fn refuse_own(key: &str, target: Target, at: &Field<'_>) {
    if is_own(key, target) {
        at.refuse_key(
            format!("{key} is a name of target {} itself, whose values stay as they are", target.name()),
            "map the key of an application, or of an emitter",
        );
    }
}

fn attribute(field: &Field<'_>) -> Option<String> {
    let name = field.text()?;
    if name.is_empty() || name.contains(char::is_whitespace) {
        field.refuse("is not the name of an attribute", "a name such as gen_ai.request.model");
        return None;
    }
    // The translation has nowhere to put what it does not know, and would leave it out.
    if meaning(&name).is_none() {
        let near = nearest(&name, targets()).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        field.refuse(
            "is no attribute of the GenAI conventions",
            format!("one of theirs, such as gen_ai.request.model{near}"),
        );
        return None;
    }
    Some(name)
}
