//! Keys for people: grouped by what became of them, in columns, long repetitions as one line and a number.

use std::fmt::Write;

use serde_json::Value as Json;

use super::values::{is_list, list, one_line};
use crate::cli::paint::{COLUMNS, Paint, pad, shortened, width};
use crate::genai::explain::{Added, KeyExplanation};

/// Columns before a key.
pub(super) const INDENT: usize = 5;
/// A value next to its key gets at least this many columns, or the target goes to a line of its own.
const LEAST_VALUE: usize = 10;
/// A value gets at most this many, so that what stands behind it is near.
const MOST_VALUE: usize = 40;
/// So many keys that differ in numbers only stand one by one; more are one line. Events are one line sooner:
/// they repeat each other, as a chunk the one before it.
const MOST_ALIKE: usize = 12;
const MOST_EVENTS: usize = 3;

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

/// Keys with one fate and one rule stand below each other, under the rule.
pub(super) fn groups(out: &mut String, keys: &[KeyExplanation], paint: Paint) {
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

pub(super) fn section(out: &mut String, mark: &str, heading: &str, paint: Paint) {
    writeln!(out, "   {} {}", paint.heading(mark), paint.heading(heading)).ok();
}

/// The most telling changes of an item, for a place with few lines.
pub(in crate::cli) fn rows(keys: &[&KeyExplanation], paint: Paint) -> String {
    let mut out = String::new();
    write_rows(&mut out, keys, paint);
    out
}

/// A row, and how many keys it stands for.
struct Row<'k> {
    name: String,
    key: &'k KeyExplanation,
    alike: usize,
}

/// Keys that say the same are one row; so are many that differ in numbers only.
fn folded<'k>(keys: &[&'k KeyExplanation]) -> Vec<Row<'k>> {
    let pattern = |key: &KeyExplanation| (key.event, without_numbers(&key.key));
    let mut alike: Vec<((bool, String), usize)> = Vec::new();
    for key in keys {
        let pattern = pattern(key);
        match alike.iter_mut().find(|(known, _)| *known == pattern) {
            Some((_, times)) => *times += 1,
            None => alike.push((pattern, 1)),
        }
    }
    let mut rows: Vec<Row<'k>> = Vec::new();
    let mut last: Option<&KeyExplanation> = None;
    for key in keys {
        let pattern = pattern(key);
        let times = alike.iter().find(|(known, _)| *known == pattern).map_or(1, |(_, times)| *times);
        let most = if key.event { MOST_EVENTS } else { MOST_ALIKE };
        if times > most {
            // The first one stands for all.
            if !rows.iter().any(|row| row.alike == times && row.key.event == pattern.0 && row.name == pattern.1) {
                rows.push(Row { name: pattern.1, key, alike: times });
            }
        } else if let Some(row) = rows.last_mut().filter(|_| last == Some(*key)) {
            row.alike += 1;
        } else {
            rows.push(Row { name: key.key.clone(), key, alike: 1 });
        }
        last = Some(key);
    }
    rows
}

/// `mlflow.chunk.item.12` as `mlflow.chunk.item.N`.
fn without_numbers(key: &str) -> String {
    let is_number = |segment: &&str| !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit());
    let segments = key.split('.').map(|segment| if is_number(&segment) { "N" } else { segment });
    segments.collect::<Vec<_>>().join(".")
}

/// Key, value, and the target's attribute where it is another one.
fn write_rows(out: &mut String, keys: &[&KeyExplanation], paint: Paint) {
    let rows = folded(keys);
    let column = rows.iter().map(|row| width(&key_text(&row.name, row.key.event))).max().unwrap_or_default();
    let targets: Vec<Option<String>> = rows.iter().map(|row| target_text(row.key)).collect();
    let room = COLUMNS.saturating_sub(INDENT + column + 2);
    let fits = |target: &str| 3 + width(target) + LEAST_VALUE <= room;
    let behind = targets.iter().flatten().filter(|target| fits(target)).map(|target| 3 + width(target)).max();
    let most = match behind {
        Some(behind) => MOST_VALUE.min(room - behind),
        None if targets.iter().any(Option::is_some) => MOST_VALUE.min(room),
        None => room,
    };
    let value = |row: &Row<'_>| match row.alike {
        1 => one_line(&row.key.before, most),
        alike => {
            let times = format!(" ({alike} times)");
            format!("{}{times}", one_line(&row.key.before, most.saturating_sub(width(&times))))
        }
    };
    let values: Vec<String> = rows.iter().map(value).collect();
    let value_column = values.iter().map(|value| width(value)).max().unwrap_or_default();
    for ((row, target), value) in rows.iter().zip(&targets).zip(&values) {
        let name = pad(&key_text(&row.name, row.key.event), column);
        match target {
            Some(target) if fits(target) => {
                let value = pad(value, value_column);
                writeln!(out, "{:INDENT$}{name}  {value} → {}", "", paint.good(target))
            }
            Some(target) => {
                writeln!(out, "{:INDENT$}{name}  {value}\n{:INDENT$}  → {}", "", "", paint.good(target))
            }
            None if row.key.removed => writeln!(out, "{:INDENT$}{name}  {}", "", paint.bad(value)),
            None => writeln!(out, "{:INDENT$}{name}  {value}", ""),
        }
        .ok();
        for said in &row.key.says {
            let room = COLUMNS.saturating_sub(INDENT + 7 + width(&said.key));
            let target = match is_list(&said.key) {
                true => said.key.clone(),
                false => format!("{} = {}", said.key, one_line(&said.value, room.min(MOST_VALUE))),
            };
            writeln!(out, "{:INDENT$}  → {}", "", paint.good(&target)).ok();
        }
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

/// Attributes that were not there before.
pub(super) fn added<'a>(out: &mut String, heading: &str, added: impl Iterator<Item = &'a Added> + Clone, paint: Paint) {
    let column = added.clone().map(|added| width(&key_text(&added.key, false))).max().unwrap_or_default();
    if column == 0 {
        return;
    }
    section(out, "+", heading, paint);
    for added in added {
        let key = pad(&key_text(&added.key, false), column);
        let value = match is_list(&added.key) {
            true => "see below".to_owned(),
            false => one_line(&added.value, COLUMNS.saturating_sub(INDENT + column + 2)),
        };
        writeln!(out, "{:INDENT$}{key}  {}", "", paint.good(&value)).ok();
    }
}

/// Messages, instructions and tools after translation, each list once.
pub(super) fn lists<'a>(
    out: &mut String,
    keys: impl Iterator<Item = &'a KeyExplanation>,
    added: &'a [Added],
    paint: Paint,
) {
    let from_keys = keys.filter_map(|key| Some((key.to?, key.after.as_ref()?)));
    let added = added.iter().map(|added| (added.key.as_str(), &added.value));
    let mut lists: Vec<(&str, &Json)> = Vec::new();
    for (key, value) in from_keys.chain(added).filter(|(key, _)| is_list(key)) {
        if !lists.iter().any(|(known, _)| *known == key) {
            lists.push((key, value));
        }
    }
    for (key, value) in lists {
        if let Some(lines) = list(value, COLUMNS - INDENT) {
            section(out, "=", key, paint);
            lines.iter().for_each(|line| writeln!(out, "{:INDENT$}{line}", "").unwrap_or_default());
        }
    }
}

/// Facts with dots between them, on as many lines as they take.
pub(super) fn wrapped(out: &mut String, facts: &[String], paint: Paint) {
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
