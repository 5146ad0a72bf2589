//! The ledger against real telemetry: what is counted must be what the provider returned.
//!
//! Every case of `tests/corpus` of the emitters below goes through the `genai` stage and the ledger,
//! request by request in the order of arrival, and once more in the reverse order. `case.json` says
//! what the provider counted; for Anthropic the two numbers exclude cache reads and writes, which
//! the conventions include.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use bytes::Bytes;
use dragoman::metrics::call::Call;
use dragoman::metrics::ledger::{Direction, Ledger, LedgerWindow, Recorder, Sightings, Suppressed};
use dragoman::otlp::span::Span;
use dragoman::otlp::traces::{self, Origin, Visitor};

/// Whether the `genai` stage runs before the ledger. Without it, legacy words are not understood.
const TRANSLATED: bool = false;

/// Emitters whose newest words the ledger reads without any translation.
const CURRENT: [&str; 8] = [
    "anthropic-sdk-native-2.11.0",
    "genai-openai-1.3b0",
    "genai-openai-1.3b0-spanandevent",
    "litellm-1.109.1-otelv2",
    "litellm-proxy-1.109.1-otelv2",
    "openai-v2-2.4b0",
    "openllmetry-0.62.4",
    "openllmetry-langchain-0.62.4",
];

const EMITTERS: [&str; 1] = [""];

/// Cases in which the telemetry itself says something else than the provider did: case, what is
/// counted, why.
const TELEMETRY_DIFFERS: [(&str, (u64, u64), &str); 0] = [];

#[derive(Default)]
struct Totals {
    tokens: Mutex<(u64, u64)>,
    suppressed: Mutex<BTreeMap<Suppressed, usize>>,
}

impl Recorder for Totals {
    fn tokens(&self, _: &Call, direction: Direction, tokens: u64) {
        let mut totals = self.tokens.lock().unwrap();
        match direction {
            Direction::Input => totals.0 += tokens,
            Direction::Output => totals.1 += tokens,
        }
    }

    fn duration(&self, _: &Call) {}

    fn suppressed(&self, reason: Suppressed) {
        *self.suppressed.lock().unwrap().entry(reason).or_default() += 1;
    }
}

struct Tap(Option<Sightings>);

impl Visitor for Tap {
    fn span(&mut self, span: &mut Span<'_>, origin: &Origin<'_>) {
        let sightings = self.0.as_mut().unwrap();
        sightings.span(span);
        if let Some(call) = Call::read(span, origin) {
            sightings.call(call);
        }
    }
}

fn count(requests: &[Bytes]) -> Totals {
    let ledger = Ledger::new(&LedgerWindow::default(), false);
    let totals = Totals::default();
    for request in requests {
        let mut tap = Tap(Some(ledger.sightings()));
        traces::edit(request, &mut tap).unwrap();
        ledger.settle(tap.0.unwrap(), &totals);
    }
    totals
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
    for (name, case) in cases() {
        let requests = requests(&case);
        let t = count(&requests);
        let expected = provider_tokens(&case);
        let got = *t.tokens.lock().unwrap();
        let reversed: Vec<Bytes> = requests.iter().rev().cloned().collect();
        let r = *count(&reversed).tokens.lock().unwrap();
        let flag = if got == expected {
            "ok"
        } else if got.0 > expected.0 || got.1 > expected.1 {
            "OVER"
        } else {
            "under"
        };
        println!("{flag} {name} {got:?} rev {r:?} of {expected:?} {:?}", t.suppressed.lock().unwrap());
    }
}
