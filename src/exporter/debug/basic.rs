//! `verbosity: basic`: a line a batch, and a line for each LLM call of it.

use std::fmt::Write;
use std::time::Duration;

use crate::otlp::Signal;
use crate::pipeline::CallNote;
use crate::text::{duration, push_escaped, size};

/// Calls shown of one batch.
const MOST_CALLS: usize = 100;

/// Characters of a name.
const LONGEST_NAME: usize = 120;

/// Appends `traces  3 spans  12.4 KB`.
pub(super) fn batch(out: &mut String, signal: Signal, items: usize, bytes: usize) {
    let unit = match (signal, items) {
        (Signal::Traces, 1) => "span",
        (Signal::Traces, _) => "spans",
        (Signal::Metrics, 1) => "data point",
        (Signal::Metrics, _) => "data points",
        (Signal::Logs, 1) => "log record",
        (Signal::Logs, _) => "log records",
    };
    let size = size(bytes);
    push(out, format_args!("{signal}  {items} {unit}  {size}\n"));
}

/// Appends a line for each call.
pub(super) fn calls(out: &mut String, calls: &[CallNote]) {
    for note in calls.iter().take(MOST_CALLS) {
        out.push_str("  ");
        call(out, note);
        out.push('\n');
    }
    if calls.len() > MOST_CALLS {
        push(out, format_args!("  … and {} more\n", calls.len() - MOST_CALLS));
    }
}

/// Appends `chat gpt-4o  532 → 118 tokens  1.24 s  traceloop→1.41`, without an end of line.
fn call(out: &mut String, note: &CallNote) {
    push_escaped(out, &note.name, LONGEST_NAME);
    let tokens = |count: Option<i64>| count.map_or_else(|| "?".to_owned(), |count| count.to_string());
    let (input, output) = (tokens(note.input_tokens), tokens(note.output_tokens));
    let time = duration(Duration::from_nanos(note.duration_nano));
    push(out, format_args!("  {input} → {output} tokens  {time}"));
    match (note.dialect, note.target) {
        ("", "") => {}
        ("", target) => push(out, format_args!("  {target}")),
        (dialect, target) => push(out, format_args!("  {dialect}→{target}")),
    }
    if let Some(error) = &note.error {
        out.push_str("  error: ");
        push_escaped(out, error, LONGEST_NAME);
    }
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    out.write_fmt(text).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note() -> CallNote {
        CallNote {
            name: "chat gpt-4o".into(),
            input_tokens: Some(532),
            output_tokens: Some(118),
            duration_nano: 1_240_000_000,
            dialect: "traceloop",
            target: "1.41",
            error: None,
        }
    }

    fn line(note: &CallNote) -> String {
        let mut out = String::new();
        call(&mut out, note);
        out
    }

    #[test]
    fn a_batch_is_a_line() {
        let mut out = String::new();
        batch(&mut out, Signal::Traces, 3, 12_400);
        batch(&mut out, Signal::Metrics, 1, 90);
        assert_eq!(out, "traces  3 spans  12.4 KB\nmetrics  1 data point  90 B\n");
    }

    #[test]
    fn a_call_is_a_line() {
        assert_eq!(line(&note()), "chat gpt-4o  532 → 118 tokens  1.24 s  traceloop→1.41");
        let unknown = CallNote { output_tokens: None, dialect: "", ..note() };
        assert_eq!(line(&unknown), "chat gpt-4o  532 → ? tokens  1.24 s  1.41");
        let failed = CallNote { error: Some("rate_limit".into()), ..note() };
        assert!(line(&failed).ends_with("  error: rate_limit"));
        let hostile = CallNote { name: "chat\n\x1b[2J".into(), ..note() };
        assert!(line(&hostile).starts_with("chat\\n\\u{1b}[2J  "));
    }

    #[test]
    fn a_batch_of_very_many_calls_is_cut() {
        let mut out = String::new();
        calls(&mut out, &vec![note(); MOST_CALLS + 7]);
        assert_eq!(out.lines().count(), MOST_CALLS + 1);
        assert!(out.ends_with("  … and 7 more\n"));
    }
}
