//! The report for people: what is in the input, each item with its headline and its [`keys`](super::keys),
//! what was dropped. Log records are told in [`super::record_text`], metrics in [`super::metric_text`].

use std::fmt::Write;

use super::keys::{INDENT, added, groups, lists, wrapped};
use super::report::{Counted, DroppedBy, DroppedReport, OriginReport, Recognised, Report, SpanReport};
use crate::cli::paint::{COLUMNS, Paint, count, shortened};
use crate::genai::explain::KeyExplanation;
use crate::otlp::Signal;
use crate::text::escaped;

/// Names of dropped items that are told one by one.
const MOST_NAMES: usize = 6;

/// The first lines: what is in the input, and what it goes through.
pub(super) fn head(report: &Report, name: &str, paint: Paint) -> String {
    let counts = &report.counts;
    let mut out = format!("{}\n", paint.strong(&escaped(name, 1000)));
    let lines = [
        (
            Signal::Traces,
            counts.spans,
            count(counts.spans, "span", "spans"),
            count(counts.operations, "LLM operation", "LLM operations"),
            counts.operations,
            counts.changed,
        ),
        (
            Signal::Logs,
            counts.log_records,
            count(counts.log_records, "log record", "log records"),
            count(counts.events, "event of LLM calls", "events of LLM calls"),
            counts.events,
            counts.changed_events,
        ),
        (
            Signal::Metrics,
            counts.data_points,
            count(counts.data_points, "data point", "data points"),
            count(counts.known_data_points, "of an LLM metric", "of LLM metrics"),
            counts.known_data_points,
            counts.changed_data_points,
        ),
    ];
    for (signal, all, items, known, known_items, changed) in lines {
        if all == 0 {
            continue;
        }
        write!(out, "{items}, {known}").ok();
        if known_items > 0 {
            let current = known_items.saturating_sub(changed);
            // What has no word in the target is no more current than what has, but it needs no change either.
            let rest = if signal == Signal::Traces { "current already" } else { "as they came" };
            write!(out, ": {changed} translated to {}, {current} {rest}", report.target).ok();
        }
        out.push('\n');
        let Some(pipeline) = report.pipelines.iter().find(|of| of.id.split('/').next() == Some(signal.name())) else {
            let line = format!("the configuration has no pipeline of {signal}: requests of them are refused");
            writeln!(out, "  {}", paint.bad(&line)).ok();
            continue;
        };
        let stages = match pipeline.stages.is_empty() {
            true => "no stage that looks at them".to_owned(),
            false => pipeline.stages.join(", "),
        };
        let mut line = format!("through pipeline {}: {stages}", pipeline.id);
        if !pipeline.others.is_empty() {
            write!(line, "; not shown: {}", pipeline.others.join(", ")).ok();
        }
        writeln!(out, "  {}", paint.dim(&shortened(&line, COLUMNS - 2))).ok();
        if pipeline.joins_logs {
            let line = "join_logs: spans and log records are shown as if they did not meet";
            writeln!(out, "  {}", paint.dim(line)).ok();
        }
    }
    out
}

/// One span.
pub(super) fn span(span: &SpanReport, target: &str, paint: Paint) -> String {
    let mut out = String::from("\n");
    headline(&mut out, span, target, paint);
    groups(&mut out, &span.keys, paint);
    added(&mut out, "added: follows from several keys, or from the span itself", span.added.iter(), paint);
    let mut stages: Vec<&str> = span.added_by.iter().map(|added| &*added.stage).collect();
    stages.dedup();
    for stage in stages {
        let by_stage = span.added_by.iter().filter(|added| added.stage == stage);
        added(&mut out, &format!("added by {stage}"), by_stage.map(|added| &added.added), paint);
    }
    lists(&mut out, span.keys.iter(), &span.added, paint);
    out
}

/// The last lines: what was left out, what is dropped, and the sum of keys.
pub(super) fn foot(report: &Report, paint: Paint) -> String {
    let mut out = String::new();
    let of_spans = report.spans.iter().flat_map(|span| &span.keys);
    let of_records = report.log_records.iter().flat_map(|record| record.keys.iter().chain(&record.body));
    let of_points = report.metrics.iter().flat_map(|metric| &metric.points).flat_map(|point| &point.keys);
    sum(&mut out, of_spans.chain(of_records).chain(of_points), paint);
    for signal in Signal::ALL {
        dropped(&mut out, report.dropped.iter().filter(|dropped| dropped.signal == signal.name()), signal, paint);
    }
    let counts = &report.counts;
    let hidden = [
        (counts.spans - report.spans.len(), "span is no LLM operation", "spans are no LLM operation", "span"),
        (
            counts.log_records - report.log_records.len(),
            "log record is no event of an LLM call",
            "log records are no event of an LLM call",
            "log record",
        ),
        (
            counts.metrics - report.metrics.len(),
            "metric has nothing to do with LLMs",
            "metrics have nothing to do with LLMs",
            "metric",
        ),
    ];
    for (items, one, many, item) in hidden {
        if items > 0 {
            let line = format!("{} and not touched; --all shows every {item}", count(items, one, many));
            writeln!(out, "{}", paint.dim(&line)).ok();
        }
    }
    out
}

fn sum<'k>(out: &mut String, keys: impl Iterator<Item = &'k KeyExplanation>, paint: Paint) {
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
}

/// What does not come out, a line for each stage and reason.
fn dropped<'d>(out: &mut String, items: impl Iterator<Item = &'d DroppedReport>, signal: Signal, paint: Paint) {
    let mut by_stage: Vec<(&DroppedBy, Vec<&DroppedReport>)> = Vec::new();
    for item in items {
        match by_stage.iter_mut().find(|(by, _)| **by == item.by) {
            Some((_, known)) => known.push(item),
            None => by_stage.push((&item.by, vec![item])),
        }
    }
    for (by, items) in by_stage {
        let (one, many) = match signal {
            Signal::Traces => ("span", "spans"),
            Signal::Metrics => ("data point", "data points"),
            Signal::Logs => ("log record", "log records"),
        };
        let all = count(items.iter().map(|item| item.items).sum(), one, many);
        writeln!(
            out,
            "{}",
            paint.bad(&shortened(&format!("{all} dropped by {}: {}", by.stage, why(by.reason)), COLUMNS))
        )
        .ok();
        let names = items.iter().take(MOST_NAMES).map(|item| match item.items {
            _ if item.name.is_empty() => format!("(no name) {}", item.items),
            1 => shortened(&item.name, 60),
            times => format!("{} {times}", shortened(&item.name, 60)),
        });
        let mut names: Vec<String> = names.collect();
        if items.len() > MOST_NAMES {
            names.push(format!("and {} other names", items.len() - MOST_NAMES));
        }
        wrapped(out, &names, paint);
    }
}

/// The reasons of stages, for people. Those of data points stand with the points.
fn why(reason: &'static str) -> &'static str {
    match reason {
        "rule" => "a rule of it matches (rule)",
        "chunk" => "chunks of streams, which are counted on their parents (chunk)",
        "folded" => "the record that carries their call says all that they said (folded)",
        reason => reason,
    }
}

/// `before → after`, or what it is if it did not change.
pub(in crate::cli) fn changed(before: &str, after: &str, paint: Paint) -> String {
    changed_within(before, after, 40, paint)
}

/// As [`changed`], each of at most so many columns.
pub(super) fn changed_within(before: &str, after: &str, columns: usize, paint: Paint) -> String {
    let (before, after) = (shortened(before, columns), shortened(after, columns));
    match before == after {
        true => paint.strong(&after),
        false => format!("{before} → {}", paint.strong(&after)),
    }
}

/// Service and scope, as facts.
pub(super) fn origin(origin: &OriginReport) -> Vec<String> {
    let said =
        [("service", &origin.service), ("scope", &origin.scope)].into_iter().filter(|(_, text)| !text.is_empty());
    said.map(|(what, text)| format!("{what} {}", shortened(text, 50))).collect()
}

/// What was recognised, as facts; `None` if nothing was.
pub(super) fn recognised(recognised: &Recognised, target: &str) -> Option<Vec<String>> {
    let dialect = recognised.dialect?;
    let because = shortened(recognised.because.as_deref().unwrap_or_default(), 60);
    let mut facts = vec![format!("dialect {dialect}: {because}")];
    facts.extend(recognised.margin.map(|margin| format!("ahead of the next by {margin}")));
    facts.push(format!("target {target}"));
    Some(facts)
}

fn headline(out: &mut String, span: &SpanReport, target: &str, paint: Paint) {
    let name = changed(&span.name.before, &span.name.after, paint);
    let kind = changed(span.kind.before, span.kind.after, Paint::plain());
    writeln!(out, "{:>3}  {name}   {kind}", span.number).ok();
    let mut facts = origin(&span.origin);
    facts.push(format!("span {}", span.span_id));
    wrapped(out, &facts, paint);
    match recognised(&span.recognised, target) {
        Some(facts) => {
            wrapped(out, &facts, paint);
            if !span.changed {
                let line = match span.keys.iter().any(|key| key.outcome == "expressed") {
                    true => "it speaks the target's words: its translation changes nothing",
                    false => "no target has words for what it is: its translation changes nothing",
                };
                writeln!(out, "{:INDENT$}{}", "", paint.good(line)).ok();
            }
        }
        None => {
            writeln!(out, "{:INDENT$}{}", "", paint.dim("no LLM operation: it is not translated")).ok();
        }
    }
    if let Some(counted) = &span.counted {
        wrapped(out, &counted_facts(counted), Paint::plain());
    }
    if let Some(parent) = &span.new_parent_span_id {
        let parent = if parent.is_empty() { "none" } else { parent };
        let line = format!("parent {} → {parent}: the one before is dropped", span.parent_span_id);
        writeln!(out, "{:INDENT$}{line}", "").ok();
    }
    if let Some(by) = &span.dropped {
        let line = format!("dropped by {}: {}", by.stage, why(by.reason));
        writeln!(out, "{:INDENT$}{}", "", paint.bad(&line)).ok();
    }
}

/// `counted: 17 input tokens, 9 output tokens, duration 0.520 s`, and why there are no tokens.
fn counted_facts(counted: &Counted) -> Vec<String> {
    let tokens = [(counted.input_tokens, "input"), (counted.output_tokens, "output")];
    let mut said: Vec<String> =
        tokens.into_iter().filter_map(|(tokens, way)| tokens.map(|tokens| format!("{tokens} {way} tokens"))).collect();
    said.extend(counted.duration_seconds.map(|seconds| format!("duration {seconds:.3} s")));
    match (said.is_empty(), counted.because) {
        (true, because) => vec![format!("not counted: {because}")],
        (false, "") => vec![format!("counted: {}", said.join(", "))],
        (false, because) => vec![format!("counted: {}", said.join(", ")), format!("no tokens: {because}")],
    }
}
