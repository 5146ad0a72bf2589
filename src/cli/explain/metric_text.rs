//! Metrics for people. What comes again in every request, and points with one fate, are told once.

use std::fmt::Write;

use serde_json::Value as Json;

use super::keys::{INDENT, added, groups, section, wrapped};
use super::report::{MetricReport, OriginReport, PointReport, PointValue, Report};
use super::text::{origin, recognised};
use crate::cli::paint::{COLUMNS, Paint, count, shortened};
use crate::genai::explain::{Added, KeyExplanation};

/// Different values of a key, or of points, that are told one by one.
const MOST_VALUES: usize = 4;

/// Points of one metric with one fate.
struct Group<'r> {
    points: Vec<&'r PointReport>,
}

/// A metric over all requests.
struct Metric<'r> {
    first: &'r MetricReport,
    requests: usize,
    groups: Vec<Group<'r>>,
}

/// All metrics.
pub(super) fn metrics(report: &Report, paint: Paint) -> String {
    let mut metrics: Vec<Metric<'_>> = Vec::new();
    for metric in &report.metrics {
        let place = match metrics.iter().position(|known| is_same(known.first, metric)) {
            Some(place) => place,
            None => {
                metrics.push(Metric { first: metric, requests: 0, groups: Vec::new() });
                metrics.len() - 1
            }
        };
        let Some(known) = metrics.get_mut(place) else { continue };
        known.requests += 1;
        for point in &metric.points {
            match known.groups.iter_mut().find(|group| group.points.first().is_some_and(|of| is_alike(of, point))) {
                Some(group) => group.points.push(point),
                None => known.groups.push(Group { points: vec![point] }),
            }
        }
    }
    let mut out = String::new();
    for metric in &metrics {
        out.push('\n');
        self::metric(&mut out, metric, report.target, paint);
    }
    if report.counts.known_data_points > 0 {
        let line = "an application's own metrics are passed on, not counted again: no number is changed";
        writeln!(out, "\n{}", paint.dim(line)).ok();
    }
    out
}

fn is_same(one: &MetricReport, other: &MetricReport) -> bool {
    let of = |metric: &MetricReport| -> (OriginReport, String, String, &'static str) {
        (metric.origin.clone(), metric.name.clone(), metric.unit.clone(), metric.instrument)
    };
    of(one) == of(other)
}

/// Whether two points of a metric met the same fate, key by key.
fn is_alike(one: &PointReport, other: &PointReport) -> bool {
    let keys = |point: &PointReport| -> Vec<(String, &'static str, &'static str, Option<&'static str>)> {
        point.keys.iter().map(|key| (key.key.clone(), key.outcome, key.rule, key.to)).collect()
    };
    (one.outcome, one.reason, &one.name, &one.unit) == (other.outcome, other.reason, &other.name, &other.unit)
        && one.recognised.dialect == other.recognised.dialect
        && keys(one) == keys(other)
}

fn metric(out: &mut String, metric: &Metric<'_>, target: &str, paint: Paint) {
    let first = metric.first;
    let (name, unit) = (shortened(&first.name, 60), shortened(&first.unit, 16));
    let kind = if first.instrument.is_empty() { "no data" } else { first.instrument };
    let unit = if unit.is_empty() { "no unit".to_owned() } else { format!("unit {unit}") };
    writeln!(out, "{:>3}  {}   {kind}, {unit}", first.number, paint.strong(&name)).ok();
    let points: usize = metric.groups.iter().map(|group| group.points.len()).sum();
    let mut facts = origin(&first.origin);
    let points = count(points, "data point", "data points");
    facts.push(match metric.requests {
        1 => points,
        requests => format!("{points} in {requests} requests"),
    });
    wrapped(out, &facts, paint);
    if !first.known {
        writeln!(out, "{:INDENT$}{}", "", paint.dim("nothing to do with LLMs: it passes byte for byte")).ok();
    }
    let mut last = None;
    for group in &metric.groups {
        let Some(point) = group.points.first() else { continue };
        let facts = recognised(&point.recognised, target);
        if let Some(facts) = facts.as_ref().filter(|facts| last.as_ref() != Some(*facts)) {
            wrapped(out, facts, paint);
        }
        last = facts;
        fate(out, group, point, paint);
        writeln!(out, "{:INDENT$}{}", "", paint.dim(&shortened(&says(group), COLUMNS - INDENT))).ok();
        groups(out, &merged(group), paint);
        let (_, values) = distinct(group.points.iter().flat_map(|point| &point.added));
        added(out, "added: what the metric's name says, or the target asks for", values.iter(), paint);
    }
}

/// What becomes of a group's points, in a line or two.
fn fate(out: &mut String, group: &Group<'_>, point: &PointReport, paint: Paint) {
    let one = group.points.len() == 1;
    let points = count(group.points.len(), "point", "points");
    let (stays, goes, its) = if one { ("stays", "goes", "its") } else { ("stay", "go", "their") };
    let unit = match point.unit.before == point.unit.after {
        true => String::new(),
        false => format!(", unit {} → {}", point.unit.before, point.unit.after),
    };
    let (mark, fate) = match (point.outcome, &point.dropped) {
        (_, Some(by)) => ("✗", format!("dropped by {}: {}", by.stage, point.rule)),
        _ if point.name.before != point.name.after => ("→", format!("{goes} to {}{unit}", point.name.after)),
        ("expressed", None) => ("=", format!("{stays} under {its} name, which is the target's{unit}")),
        _ => ("·", format!("{stays} under {its} name: {}", point.rule)),
    };
    section(out, mark, &shortened(&format!("{points} {fate}"), COLUMNS - INDENT), paint);
}

/// The keys of a group's points, each once, with their different values.
fn merged(group: &Group<'_>) -> Vec<KeyExplanation> {
    let Some(first) = group.points.first() else { return Vec::new() };
    let of = |key: &KeyExplanation| {
        let all = group.points.iter().flat_map(|point| &point.keys).filter(|other| other.key == key.key);
        let before = together(all.clone().map(|key| &key.before));
        let after = key.after.as_ref().map(|_| together(all.filter_map(|key| key.after.as_ref())));
        KeyExplanation { before, after, ..key.clone() }
    };
    first.keys.iter().map(of).collect()
}

/// Attributes by their keys, each with all its values.
fn distinct<'a>(added: impl Iterator<Item = &'a Added> + Clone) -> (usize, Vec<Added>) {
    let mut keys: Vec<&str> = Vec::new();
    for one in added.clone() {
        if !keys.contains(&one.key.as_str()) {
            keys.push(&one.key);
        }
    }
    let values = keys.iter().map(|key| {
        let values = added.clone().filter(|one| one.key == **key).map(|one| &one.value);
        Added { key: (*key).to_owned(), value: together(values) }
    });
    (keys.len(), values.collect())
}

/// One value, or all different ones in a text.
fn together<'v>(values: impl Iterator<Item = &'v Json>) -> Json {
    let mut different: Vec<&Json> = Vec::new();
    for value in values {
        if !different.contains(&value) {
            different.push(value);
        }
    }
    match &different[..] {
        [one] => (*one).clone(),
        several => {
            let text = |value: &&Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let mut all = several.iter().take(MOST_VALUES).map(text).collect::<Vec<_>>().join(", ");
            if several.len() > MOST_VALUES {
                write!(all, ", and {} more", several.len() - MOST_VALUES).ok();
            }
            Json::String(all)
        }
    }
}

/// What the points say: `says 17 in 1 measurement, 9 in 1 measurement`.
fn says(group: &Group<'_>) -> String {
    let text = |value: &PointValue| match (&value.number, value.count, value.sum) {
        (Some(number), ..) => number.to_string(),
        (None, Some(count), Some(sum)) => {
            format!("{sum} in {}", self::count(count as usize, "measurement", "measurements"))
        }
        (None, Some(count), None) => self::count(count as usize, "measurement", "measurements"),
        (None, None, _) => "no number".to_owned(),
    };
    let said = group.points.iter().take(MOST_VALUES).map(|point| text(&point.value));
    let mut said = said.collect::<Vec<_>>().join(", ");
    if group.points.len() > MOST_VALUES {
        write!(said, ", and {} more", group.points.len() - MOST_VALUES).ok();
    }
    format!("says {said}")
}
