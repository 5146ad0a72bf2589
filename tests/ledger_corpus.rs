//! The ledger against real telemetry: what is counted must be what the provider returned.
//!
//! Every case of these emitters goes through the `genai` stage and the ledger: request by request in
//! the order of arrival, the requests in reverse, and every span in a request of its own, the first
//! to end first and last. `case.json` says what the provider counted; for Anthropic its numbers
//! exclude cache reads and writes, which the conventions include.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use dragoman::metrics::call::Call;
use dragoman::metrics::ledger::{Direction, Ledger, LedgerWindow, Recorder, Suppressed};
use dragoman::otlp::span::Span;
use dragoman::otlp::traces::{self, Origin, Spans, Visitor};
use dragoman::pipeline::{Context, Pass, Stage};
use dragoman::processor::genai::Genai;
use dragoman::processor::genai_metrics::GenaiMetrics;
use dragoman::processor::settings::{self, Target};
use support::usage::differs;

/// LiteLLM and Traceloop in all eras, the two official OpenAI packages, also in Llama Stack, and
/// several of them together.
const EMITTERS: [&str; 12] = [
    "anthropic-sdk-native",
    "app+litellm-proxy",
    "app-otel-0.66b1",
    "dual-",
    "genai-openai",
    "litellm",
    "llama-stack-0.4.4",
    "openai-v2",
    "openllmetry",
    "sqlite-app-genai-openai",
    "sqlite-app-openllmetry",
    "traceloop-sdk",
];

/// Cases in which two reports of one call disagree, so that the order of arrival decides.
const REPORTS_DISAGREE: [&str; 3] =
    ["litellm-1.53.1-py3.10/stream", "litellm-1.53.1/stream", "openllmetry-0.62.4/anthropic_stream"];

#[derive(Default)]
struct Totals(Mutex<(u64, u64)>);

impl Recorder for Totals {
    fn tokens(&self, _: &Call, direction: Direction, tokens: u64) {
        let mut totals = self.0.lock().unwrap();
        match direction {
            Direction::Input => totals.0 += tokens,
            Direction::Output => totals.1 += tokens,
        }
    }

    fn duration(&self, _: &Call) {}

    fn suppressed(&self, _: Suppressed) {}
}

/// A pipeline of two stages: what the `genai` stage writes, the tap reads.
struct Pipeline<'s> {
    genai: Box<dyn Pass + Send + 's>,
    tap: Box<dyn Pass + Send + 's>,
    body: &'s Bytes,
}

impl Visitor for Pipeline<'_> {
    fn span(&mut self, span: &mut Span<'_>, origin: &Origin<'_>) {
        let mut context = Context { origin, body: self.body, call: None };
        self.genai.span(span, &mut context);
        self.tap.span(span, &mut context);
    }

    fn finish(&mut self, spans: &mut Spans) {
        self.genai.finish(spans);
        self.tap.finish(spans);
    }
}

fn count<'r>(target: Target, requests: impl IntoIterator<Item = &'r Bytes>) -> (u64, u64) {
    let totals = Arc::new(Totals::default());
    let genai = Genai::new(&settings::Genai { target, ..settings::Genai::default() });
    let ledger = Arc::new(Ledger::new(&LedgerWindow::default(), false));
    let metrics = GenaiMetrics::new(ledger, totals.clone());
    for body in requests {
        let mut pipeline = Pipeline { genai: genai.pass(), tap: metrics.pass(), body };
        traces::edit(body, &mut pipeline).unwrap();
        pipeline.genai.commit();
        pipeline.tap.commit();
    }
    let totals = totals.0.lock().unwrap();
    *totals
}

/// Every span of the requests in a request of its own, the first to end first.
fn one_by_one(requests: &[Bytes]) -> Vec<Bytes> {
    struct Only {
        wanted: usize,
        seen: usize,
        end: u64,
    }
    impl Visitor for Only {
        fn span(&mut self, span: &mut Span<'_>, _: &Origin<'_>) {
            if self.seen == self.wanted {
                self.end = span.end_time_unix_nano();
            } else {
                span.drop_span();
            }
            self.seen += 1;
        }
    }
    let mut spans = Vec::new();
    for request in requests {
        for wanted in 0..traces::check(request).unwrap() {
            let mut only = Only { wanted, seen: 0, end: 0 };
            let body = traces::edit(request, &mut only).unwrap().body;
            spans.push((only.end, body));
        }
    }
    spans.sort_by_key(|(end, _)| *end);
    spans.into_iter().map(|(_, body)| body).collect()
}

fn requests(case: &Path) -> Vec<Bytes> {
    let mut files: Vec<PathBuf> = fs::read_dir(case).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.to_string_lossy().ends_with(".traces.pb"));
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap().into()).collect()
}

/// Input and output tokens as the conventions count them.
fn provider_tokens(case: &Path) -> (u64, u64) {
    let case: serde_json::Value = serde_json::from_slice(&fs::read(case.join("case.json")).unwrap()).unwrap();
    let number = |value: &serde_json::Value, key: &str| value[key].as_u64().unwrap_or(0);
    let totals = &case["provider_tokens"];
    let cached: u64 = case["llm_calls"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|call| &call["usage"])
        .map(|usage| number(usage, "cache_read_input_tokens") + number(usage, "cache_creation_input_tokens"))
        .sum();
    (number(totals, "input") + cached, number(totals, "output"))
}

fn cases() -> Vec<(String, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut cases = Vec::new();
    for emitter in fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()) {
        let name = emitter.file_name().unwrap().to_string_lossy().into_owned();
        if !EMITTERS.iter().any(|prefix| name.starts_with(prefix)) {
            continue;
        }
        for case in fs::read_dir(&emitter).unwrap().map(|entry| entry.unwrap().path()) {
            if case.join("case.json").exists() {
                cases.push((format!("{name}/{}", case.file_name().unwrap().to_string_lossy()), case));
            }
        }
    }
    cases.sort();
    cases
}

#[test]
fn what_is_counted_is_what_the_provider_returned() {
    let cases = cases();
    assert!(cases.len() > 300, "only {} cases were found", cases.len());
    let mut wrong = Vec::new();
    let differs = differs();
    for (name, case) in &cases {
        let differs = differs.iter().find(|differs| differs.case == name);
        let expected = differs.map_or_else(|| provider_tokens(case), |differs| differs.counted);
        let requests = requests(case);
        let single = one_by_one(&requests);
        let mut ways = vec![
            ("in order", count(Target::V1_41, &requests)),
            ("in order, for main", count(Target::Main, &requests)),
            ("in reverse", count(Target::V1_41, requests.iter().rev())),
            ("one by one", count(Target::V1_41, &single)),
            ("one by one in reverse", count(Target::V1_41, single.iter().rev())),
        ];
        if REPORTS_DISAGREE.contains(&name.as_str()) {
            ways.truncate(3);
        }
        for (way, counted) in ways {
            if counted != expected {
                wrong.push(format!("{name}, {way}: counted {counted:?}, expected {expected:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_case_whose_reports_disagree_is_a_case() {
    let cases = cases();
    let gone: Vec<_> = REPORTS_DISAGREE.iter().filter(|name| !cases.iter().any(|(case, _)| case == **name)).collect();
    assert!(gone.is_empty(), "{gone:?}");
}
