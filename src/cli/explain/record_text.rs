//! Log records for people. Those that went into another one are told there, in a line.

use std::fmt::Write;

use super::keys::{INDENT, added, groups, lists, wrapped};
use super::report::{RecordReport, Report};
use super::text::{changed_within, origin, recognised};
use crate::cli::paint::{COLUMNS, Paint, count, shortened};
use crate::genai::explain::KeyExplanation;

/// Columns of an event's name; the longest one of the conventions has 42.
const MOST_NAME: usize = 42;

/// All records, but for those that others carry.
pub(super) fn records(report: &Report, paint: Paint) -> String {
    let mut out = String::new();
    for record in report.log_records.iter().filter(|record| record.carried_by.is_none()) {
        out.push('\n');
        self::record(&mut out, record, report, paint);
    }
    if report.counts.events > 0 {
        let line = "nothing is counted of log records: the spans of their calls say tokens and durations";
        writeln!(out, "\n{}", paint.dim(line)).ok();
    }
    out
}

fn record(out: &mut String, record: &RecordReport, report: &Report, paint: Paint) {
    let name = match record.event_name.before.as_str() {
        "" => "(without an event name)".to_owned(),
        before => changed_within(before, &record.event_name.after, MOST_NAME, paint),
    };
    let what = if record.became == "foreign" { "log record" } else { "event" };
    writeln!(out, "{:>3}  {name}   {what}", record.number).ok();
    let mut facts = origin(&record.origin);
    if !record.span_id.is_empty() {
        facts.push(format!("span {}", record.span_id));
    }
    if !facts.is_empty() {
        wrapped(out, &facts, paint);
    }
    if let Some(facts) = recognised(&record.recognised, report.target) {
        wrapped(out, &facts, paint);
    }
    let line = match (record.became, record.changed) {
        ("foreign", _) => "no event of an LLM call: it passes byte for byte",
        ("unread", _) => "an event in a shape that nobody knows: it passes byte for byte",
        ("carrier", _) => "an event of an old generation: this record carries the call now",
        (_, false) => "it speaks the target's words, or stays beside them: it passes byte for byte",
        (_, true) => "",
    };
    if !line.is_empty() {
        writeln!(out, "{:INDENT$}{}", "", paint.good(line)).ok();
    }
    carried(out, record, report);
    let keys: Vec<KeyExplanation> = record.body.iter().chain(&record.keys).cloned().collect();
    groups(out, &keys, paint);
    let heading = match record.became {
        "carrier" => "added: what the events of the call say together",
        _ => "added: follows from several keys",
    };
    added(out, heading, record.added.iter(), paint);
    lists(out, keys.iter(), &record.added, paint);
}

/// Which records went into this one: `records 1 to 3: gen_ai.system.message, gen_ai.user.message 2`.
fn carried(out: &mut String, record: &RecordReport, report: &Report) {
    if record.carries.is_empty() {
        return;
    }
    let mut names: Vec<(&str, usize)> = Vec::new();
    for number in &record.carries {
        let Some(other) = report.log_records.iter().find(|other| other.number == *number) else { continue };
        match names.iter_mut().find(|(name, _)| *name == other.event_name.before) {
            Some((_, times)) => *times += 1,
            None => names.push((&other.event_name.before, 1)),
        }
    }
    let names: Vec<String> = names
        .into_iter()
        .map(|(name, times)| match times {
            1 => shortened(name, 60),
            times => format!("{} {times} times", shortened(name, 60)),
        })
        .collect();
    let records = count(record.carries.len(), "other record goes", "other records go");
    let line = format!("{records} into it: {}", names.join(", "));
    writeln!(out, "{:INDENT$}{}", "", shortened(&line, COLUMNS - INDENT)).ok();
}
