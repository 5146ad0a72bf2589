//! The report for people: each span with its headline, its keys grouped by what became of them, and
//! the lists as conversations.

use std::fmt::Write;

use serde_json::Value as Json;

use super::report::{Report, SpanReport};
use super::values::{is_list, list, one_line};
use crate::cli::paint::{COLUMNS, Paint, count, pad, shortened, width};
use crate::genai::explain::KeyExplanation;
use crate::text::escaped;

/// Columns before a key.
const INDENT: usize = 5;
/// A value next to its key gets at least this many columns, or the target goes to a line of its own.
const LEAST_VALUE: usize = 10;
/// A value gets at most this many, so that what stands behind it is near.
const MOST_VALUE: usize = 40;

/// What became of keys, in the order in which it is told: what changed comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Expressed,
    Discarded,
    Kept,
    Current,
    Foreign,
}

fn fate(key: &KeyExplanation) -> Fate {
    match (key.outcome, key.reason) {
        ("expressed", "current") => Fate::Current,
        ("expressed", _) => Fate::Expressed,
        ("discarded", _) => Fate::Discarded,
        (_, "foreign") => Fate::Foreign,
        _ => Fate::Kept,
    }
}

/// The first lines: what is in the input.
pub(super) fn head(report: &Report, name: &str, paint: Paint) -> String {
    let counts = &report.counts;
    let mut out = format!("{}\n", paint.strong(&escaped(name, 1000)));
    if counts.spans > 0 {
        let spans = count(counts.spans, "span", "spans");
        let operations = count(counts.operations, "LLM operation", "LLM operations");
        let current = counts.operations.saturating_sub(counts.changed);
        write!(out, "{spans}, {operations}").ok();
        if counts.operations > 0 {
            write!(out, ": {} translated to {}, {current} current already", counts.changed, report.target).ok();
        }
        out.push('\n');
    }
    let beside = [
        (counts.data_points, count(counts.data_points, "metric data point", "metric data points")),
        (counts.log_records, count(counts.log_records, "log record", "log records")),
    ];
    let beside: Vec<String> = beside.into_iter().filter(|(number, _)| *number > 0).map(|(_, text)| text).collect();
    if !beside.is_empty() {
        let spans = if counts.spans == 0 { "no spans, but " } else { "also " };
        let line = "explain shows spans only: metrics and logs go through as they came";
        writeln!(out, "{spans}{}; {line}", beside.join(" and ")).ok();
    }
    out
}

/// One span.
pub(super) fn span(span: &SpanReport, target: &str, paint: Paint) -> String {
    let mut out = String::from("\n");
    headline(&mut out, span, target, paint);
    groups(&mut out, &span.keys, paint);
    if !span.added.is_empty() {
        section(&mut out, "+", "added: follows from several keys, or from the span itself", paint);
        let column = span.added.iter().map(|added| width(&key_text(&added.key, false))).max().unwrap_or_default();
        for added in &span.added {
            let key = pad(&key_text(&added.key, false), column);
            let value = match is_list(&added.key) {
                true => "see below".to_owned(),
                false => one_line(&added.value, COLUMNS.saturating_sub(INDENT + column + 2)),
            };
            writeln!(out, "{:INDENT$}{key}  {}", "", paint.good(&value)).ok();
        }
    }
    for (key, value) in lists(span) {
        if let Some(lines) = list(value, COLUMNS - INDENT) {
            section(&mut out, "=", key, paint);
            lines.iter().for_each(|line| writeln!(out, "{:INDENT$}{line}", "").unwrap_or_default());
        }
    }
    out
}

/// The last line: what was left out, and the sum of keys.
pub(super) fn foot(report: &Report, paint: Paint) -> String {
    let mut out = String::new();
    let keys = report.spans.iter().flat_map(|span| &span.keys);
    let (mut expressed, mut kept, mut discarded) = (0, 0, 0);
    keys.for_each(|key| match key.outcome {
        "expressed" => expressed += 1,
        "discarded" => discarded += 1,
        _ => kept += 1,
    });
    let all = expressed + kept + discarded;
    if all > 0 {
        let keys = paint.strong(&count(all, "key", "keys"));
        writeln!(out, "\n{keys}: {expressed} said in the target's words, {kept} kept, {discarded} discarded").ok();
    }
    let hidden = report.counts.spans - report.spans.len();
    if hidden > 0 {
        let (spans, verb) = (count(hidden, "span", "spans"), if hidden == 1 { "is no" } else { "are no" });
        writeln!(
            out,
            "{}",
            paint.dim(&format!("{spans} {verb} LLM operation and not touched; --all shows every span"))
        )
        .ok();
    }
    out
}

/// The most telling changes of a span, for a place with few lines.
pub(in crate::cli) fn rows(keys: &[&KeyExplanation], paint: Paint) -> String {
    let mut out = String::new();
    write_rows(&mut out, keys, paint);
    out
}

/// `before → after`, or what it is if it did not change.
pub(in crate::cli) fn changed(before: &str, after: &str, paint: Paint) -> String {
    let (before, after) = (shortened(before, 40), shortened(after, 40));
    match before == after {
        true => paint.strong(&after),
        false => format!("{before} → {}", paint.strong(&after)),
    }
}

fn headline(out: &mut String, span: &SpanReport, target: &str, paint: Paint) {
    let name = changed(&span.name.before, &span.name.after, paint);
    let kind = changed(span.kind.before, span.kind.after, Paint::plain());
    writeln!(out, "{:>3}  {name}   {kind}", span.number).ok();
    let mut facts = Vec::new();
    for (what, text) in [("service", &span.service), ("scope", &span.scope)] {
        if !text.is_empty() {
            facts.push(format!("{what} {}", shortened(text, 50)));
        }
    }
    facts.push(format!("span {}", span.span_id));
    wrapped(out, &facts, paint);
    match (span.dialect, span.margin, &span.because) {
        (Some(dialect), Some(margin), Some(because)) => {
            let because = shortened(because, 60);
            wrapped(
                out,
                &[
                    format!("dialect {dialect}: {because}"),
                    format!("ahead of the next by {margin}"),
                    format!("target {target}"),
                ],
                paint,
            );
            if !span.changed {
                let line = match span.keys.iter().any(|key| key.outcome == "expressed") {
                    true => "it speaks the target's words: it passes byte for byte",
                    false => "no target has words for what it is: it passes byte for byte",
                };
                writeln!(out, "{:INDENT$}{}", "", paint.good(line)).ok();
            }
        }
        _ => {
            writeln!(out, "{:INDENT$}{}", "", paint.dim("no LLM operation: it passes byte for byte")).ok();
        }
    }
}

/// Facts with dots between them, on as many lines as they take.
fn wrapped(out: &mut String, facts: &[String], paint: Paint) {
    let mut line = String::new();
    for fact in facts {
        if !line.is_empty() && INDENT + width(&line) + 3 + width(fact) > COLUMNS {
            writeln!(out, "{:INDENT$}{}", "", paint.dim(&line)).ok();
            line.clear();
        }
        line.push_str(if line.is_empty() { "" } else { " · " });
        line.push_str(fact);
    }
    writeln!(out, "{:INDENT$}{}", "", paint.dim(&line)).ok();
}

/// Keys with one fate and one rule stand below each other, under the rule.
fn groups(out: &mut String, keys: &[KeyExplanation], paint: Paint) {
    let mut groups: Vec<(Fate, &str, Vec<&KeyExplanation>)> = Vec::new();
    for key in keys {
        let fate = fate(key);
        match groups.iter_mut().find(|(of, rule, _)| *of == fate && *rule == key.rule) {
            Some((.., members)) => members.push(key),
            None => groups.push((fate, key.rule, vec![key])),
        }
    }
    groups.sort_by_key(|(fate, ..)| *fate);
    for (fate, rule, members) in groups {
        let (mark, heading) = match fate {
            Fate::Expressed => ("→", rule.to_owned()),
            Fate::Discarded => ("✗", format!("discarded: {rule}")),
            Fate::Kept => ("·", format!("kept: {rule}")),
            Fate::Current => ("=", rule.to_owned()),
            Fate::Foreign => ("·", format!("kept: {rule}")),
        };
        section(out, mark, &heading, paint);
        write_rows(out, &members, paint);
    }
}

fn section(out: &mut String, mark: &str, heading: &str, paint: Paint) {
    writeln!(out, "   {} {}", paint.heading(mark), paint.heading(heading)).ok();
}

/// Key, value, and the target's attribute where it is another one. Equal rows that follow each
/// other, as of an event for each chunk of a stream, are one row and a number.
fn write_rows(out: &mut String, keys: &[&KeyExplanation], paint: Paint) {
    let mut distinct: Vec<(&KeyExplanation, usize)> = Vec::new();
    for key in keys {
        match distinct.last_mut() {
            Some((last, times)) if *last == *key => *times += 1,
            _ => distinct.push((key, 1)),
        }
    }
    let (keys, times): (Vec<&KeyExplanation>, Vec<usize>) = distinct.into_iter().unzip();
    let column = keys.iter().map(|key| width(&key_text(&key.key, key.event))).max().unwrap_or_default();
    let targets: Vec<Option<String>> = keys.iter().map(|key| target_text(key)).collect();
    let room = COLUMNS.saturating_sub(INDENT + column + 2);
    let fits = |target: &str| 3 + width(target) + LEAST_VALUE <= room;
    let behind = targets.iter().flatten().filter(|target| fits(target)).map(|target| 3 + width(target)).max();
    let most = match behind {
        Some(behind) => MOST_VALUE.min(room - behind),
        None if targets.iter().any(Option::is_some) => MOST_VALUE.min(room),
        None => room,
    };
    let values = keys.iter().zip(&times).map(|(key, times)| match times {
        1 => one_line(&key.before, most),
        _ => format!("{} ({times} times)", one_line(&key.before, most.saturating_sub(14))),
    });
    let values: Vec<String> = values.collect();
    let value_column = values.iter().map(|value| width(value)).max().unwrap_or_default();
    for ((key, target), value) in keys.iter().zip(&targets).zip(&values) {
        let name = pad(&key_text(&key.key, key.event), column);
        match target {
            Some(target) if fits(target) => {
                let value = pad(value, value_column);
                writeln!(out, "{:INDENT$}{name}  {value} → {}", "", paint.good(target))
            }
            Some(target) => {
                writeln!(out, "{:INDENT$}{name}  {value}\n{:INDENT$}  → {}", "", "", paint.good(target))
            }
            None if key.removed => writeln!(out, "{:INDENT$}{name}  {}", "", paint.bad(value)),
            None => writeln!(out, "{:INDENT$}{name}  {value}", ""),
        }
        .ok();
    }
}

fn key_text(key: &str, event: bool) -> String {
    let kind = if event { "event " } else { "" };
    shortened(&format!("{kind}{key}"), 60)
}

/// `gen_ai.request.stream = false`; the value only where it is no list and not what it was.
fn target_text(key: &KeyExplanation) -> Option<String> {
    let to = key.to?;
    if to == key.key {
        let repaired = key.after.as_ref().filter(|after| **after != key.before);
        return repaired.map(|after| if is_list(to) { "see below".to_owned() } else { one_line(after, MOST_VALUE) });
    }
    Some(match &key.after {
        Some(after) if *after != key.before && !is_list(to) => format!("{to} = {}", one_line(after, 24)),
        _ => to.to_owned(),
    })
}

/// The span's lists after translation, each once.
fn lists(span: &SpanReport) -> Vec<(&str, &Json)> {
    let from_keys = span.keys.iter().filter_map(|key| Some((key.to?, key.after.as_ref()?)));
    let added = span.added.iter().map(|added| (added.key.as_str(), &added.value));
    let mut lists: Vec<(&str, &Json)> = Vec::new();
    for (key, value) in from_keys.chain(added).filter(|(key, _)| is_list(key)) {
        if !lists.iter().any(|(known, _)| *known == key) {
            lists.push((key, value));
        }
    }
    lists
}
