//! The demo as it is told: a first minute, on one screen and a bit.

use std::fmt::Write;

use super::cases;
use super::play::{Played, Show};
use super::tokens::{Tokens, USAGE_SUM, samples};
use super::tree::tree;
use crate::cli::explain::keys::rows;
use crate::cli::explain::report::SpanReport;
use crate::cli::explain::text::changed;
use crate::cli::explain::values::{is_list, list};
use crate::cli::paint::{COLUMNS, Paint, count, pad, width};

const OPENING: &str = "\
Dragoman stands beside an application, takes whatever LLM telemetry it emits over OTLP, and hands on
one language: the current OpenTelemetry GenAI semantic conventions. Here it runs on free ports of
loopback, with an OTLP backend behind it. It gets what real libraries exported, byte for byte;";

const NEXT: &[(&str, &str)] = &[
    ("dragoman", "runs it: OTLP on 4317 and 4318, metrics on :9464/metrics"),
    ("dragoman explain traces.json", "shows it on your own telemetry, key by key, with the rule"),
    ("dragoman config > dragoman.yaml", "prints the default configuration, to add your backend to"),
];

/// A span worth showing, and the keys that tell the most.
struct Telling {
    case: &'static str,
    keys: &'static [&'static str],
}

const TELLING: [Telling; 2] = [
    Telling {
        case: cases::LITELLM.title,
        keys: &[
            "gen_ai.system",
            "gen_ai.response.model",
            "llm.is_streaming",
            "gen_ai.usage.prompt_tokens",
            "gen_ai.usage.completion_tokens",
            "SpanAttributes.LLM_PROMPTS.0.content",
        ],
    },
    Telling {
        case: cases::OPENLLMETRY.title,
        keys: &[
            "llm.request.type",
            "gen_ai.prompt.0.content",
            "gen_ai.completion.0.tool_calls.0.name",
            "gen_ai.completion.0.tool_calls.0.arguments",
            "gen_ai.completion.0.finish_reason",
        ],
    },
];

/// The whole story.
pub(super) fn tell(played: &Played, paint: Paint) -> String {
    let mut out = String::new();
    let sent: usize = played.shows.iter().map(|show| show.sent.len()).sum();
    let exported: usize = played.shows.iter().map(|show| show.exported.len()).sum();
    writeln!(out, "{OPENING}").ok();
    writeln!(out, "{sent} spans go in, {exported} come out. What follows is what that backend received.").ok();

    chapter(&mut out, "1  One language", paint);
    for telling in &TELLING {
        if let Some(show) = played.shows.iter().find(|show| show.case.title == telling.case) {
            show.explained.iter().take(1).for_each(|span| translated(&mut out, span, telling, paint));
        }
    }

    chapter(&mut out, "2  Less noise, and no orphans", paint);
    if let Some(show) = played.shows.iter().find(|show| show.case.title == cases::SERVICE.title) {
        let (sent, exported) = (show.sent.len(), show.exported.len());
        let whole = if played.problems.is_empty() { "; every span that stays has its parent" } else { "" };
        writeln!(out, "   {}: {sent} spans in, {exported} out{whole}", show.case.title).ok();
        tree(show, paint).iter().for_each(|line| writeln!(out, "     {line}").unwrap_or_default());
    }

    chapter(&mut out, "3  Every token once", paint);
    tokens(&mut out, played, paint);

    chapter(&mut out, "4  What Prometheus scrapes (labels shortened)", paint);
    scrape(&mut out, played, paint);

    if !played.problems.is_empty() {
        chapter(&mut out, "This is not as it should be", paint);
        played.problems.iter().for_each(|what| writeln!(out, "   {}", paint.bad(what)).unwrap_or_default());
    }
    chapter(&mut out, "Next", paint);
    let column = NEXT.iter().map(|(command, _)| width(command)).max().unwrap_or_default();
    for (command, what) in NEXT {
        writeln!(out, "   {}  {what}", paint.strong(&pad(command, column))).ok();
    }
    out
}

fn chapter(out: &mut String, title: &str, paint: Paint) {
    writeln!(out, "\n{}", paint.heading(title)).ok();
}

fn translated(out: &mut String, span: &SpanReport, telling: &Telling, paint: Paint) {
    let name = changed(&span.name.before, &span.name.after, paint);
    let kind = changed(span.kind.before, span.kind.after, Paint::plain());
    writeln!(out, "   {}: {name}   {kind}", telling.case).ok();
    let shown: Vec<_> =
        telling.keys.iter().filter_map(|key| span.keys.iter().find(|entry| entry.key == *key)).collect();
    out.push_str(&rows(&shown, paint));
    let lists = span.keys.iter().filter_map(|key| Some((key.to.filter(|to| is_list(to))?, key.after.as_ref()?)));
    for wanted in ["gen_ai.input.messages", "gen_ai.output.messages"] {
        let Some((_, value)) = lists.clone().find(|(key, _)| *key == wanted) else { continue };
        let column = pad(wanted, MESSAGES);
        for (place, line) in list(value, COLUMNS - MESSAGES - 7).unwrap_or_default().iter().enumerate() {
            let label = if place == 0 { paint.heading(&column) } else { " ".repeat(MESSAGES) };
            writeln!(out, "     {label}  {line}").ok();
        }
    }
    let rest = span.keys.len() - shown.len();
    writeln!(
        out,
        "     {}",
        paint.dim(&format!("and {}; explain shows every one", count(rest, "more key", "more keys")))
    )
    .ok();
}

/// Columns of `gen_ai.output.messages`.
const MESSAGES: usize = 22;
/// Columns of the table: a case, and three pairs of input and output.
const TITLE: usize = 44;

fn tokens(out: &mut String, played: &Played, paint: Paint) {
    let line = |out: &mut String, title: &str, billed: Tokens, counted: Tokens, summed: Tokens| {
        let mark = if counted == billed { paint.good("✓") } else { paint.bad("✗") };
        let summed = if summed == billed { summed.to_string() } else { paint.bad(&summed.to_string()) };
        writeln!(out, "   {}{billed}     {counted} {mark}     {summed}", pad(title, TITLE)).ok();
    };
    let head = "billed         counted          sum over spans";
    writeln!(out, "   {}{}", pad("input → output tokens", TITLE), paint.dim(head)).ok();
    let (mut billed, mut counted, mut summed) = Default::default();
    for Show { case, billed: bill, counted: count, .. } in &played.shows {
        let sum = played.shows.iter().find(|show| show.case.title == case.title).map(Show::summed).unwrap_or_default();
        line(out, case.title, *bill, *count, sum);
        (billed, counted, summed) = (billed + *bill, counted + *count, summed + sum);
    }
    line(out, "together", billed, counted, summed);
    let left_out = samples(&played.self_metrics).filter(|sample| sample.name == "dragoman_genai_suppressed_total");
    let left_out = left_out.filter(|sample| sample.value > 0.0).filter_map(|sample| {
        let reason = sample.label("reason")?;
        let words = REASONS.iter().find(|(known, _)| *known == reason).map(|(_, words)| format!(" ({words})"));
        Some(format!("{} {reason}{}", sample.value, words.unwrap_or_default()))
    });
    let left_out: Vec<String> = left_out.collect();
    writeln!(out, "   left out, by reason: {}", left_out.join(", ")).ok();
}

/// Why usage is not counted again, for somebody who has not read of it.
const REASONS: [(&str, &str); 2] = [("same_response_id", "two spans, one answer"), ("re_export", "one span twice")];

fn scrape(out: &mut String, played: &Played, paint: Paint) {
    let sums = samples(&played.page).filter(|sample| sample.name == USAGE_SUM);
    let lines = sums.map(|sample| {
        let text = |label: &str| sample.label(label).unwrap_or_default();
        let (service, model) = (text("service_name"), text("gen_ai_request_model"));
        let labels = format!(
            "{{service_name=\"{service}\", …model=\"{model}\", …token_type=\"{}\"}}",
            text("gen_ai_token_type")
        );
        (labels, sample.value)
    });
    let lines: Vec<(String, f64)> = lines.collect();
    let column = lines.iter().map(|(labels, _)| width(labels)).max().unwrap_or_default();
    writeln!(out, "   {USAGE_SUM}").ok();
    for (labels, value) in &lines {
        writeln!(out, "     {}  {}", pad(labels, column), paint.strong(&format!("{value:>4}"))).ok();
    }
}
