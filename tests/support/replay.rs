//! The corpus through the stages of the product: every request through the `genai` stage and the
//! tap of the ledger, as a pipeline would have it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use dragoman::genai::Translator;
use dragoman::genai::settings::Genai as Settings;
use dragoman::genai::translate::NoBatch;
use dragoman::metrics::call::Call;
use dragoman::metrics::ledger::{Direction, Ledger, LedgerWindow, Recorder, Suppressed};
use dragoman::otlp::json;
use dragoman::otlp::signal::Signal;
use dragoman::otlp::span::Span;
use dragoman::otlp::traces::{self, Origin, Spans, Visitor};
use dragoman::pipeline::{Context, Pass, Stage};
use dragoman::processor::genai::Genai;
use dragoman::processor::genai_metrics::GenaiMetrics;

use super as support;

/// A recorded case and its requests, in order of arrival.
pub struct Case {
    /// The folder's name.
    pub name: String,
    /// `case.json`.
    pub described: serde_json::Value,
    /// What was sent, in the wire form.
    pub requests: Vec<Bytes>,
}

/// The folders of the corpus.
pub fn emitters() -> Vec<String> {
    let folders = std::fs::read_dir(support::corpus()).unwrap().map(|entry| entry.unwrap());
    let mut names: Vec<String> = folders
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The cases of an emitter: `startup`, the others by name, `shutdown`.
pub fn cases(emitter: &str) -> Vec<Case> {
    let folders = support::cases(emitter).into_iter().filter(|folder| folder.join("case.json").exists());
    folders
        .map(|folder| Case {
            name: folder.file_name().unwrap().to_str().unwrap().to_owned(),
            described: serde_json::from_slice(&std::fs::read(folder.join("case.json")).unwrap()).unwrap(),
            requests: requests(&folder),
        })
        .collect()
}

fn requests(folder: &Path) -> Vec<Bytes> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |file: PathBuf| {
        let body = std::fs::read(&file).unwrap();
        match file.to_str().unwrap() {
            name if name.ends_with(".traces.pb") => Some(Bytes::from(body)),
            name if name.ends_with(".traces.json") => Some(Bytes::from(json::decode(Signal::Traces, &body).unwrap())),
            _ => None,
        }
    };
    files.into_iter().filter_map(read).collect()
}

/// Input and output tokens.
pub type Tokens = (u64, u64);

/// What was counted, and what was not, by reason.
#[derive(Default)]
struct Totals(Mutex<Tokens>, Mutex<BTreeMap<&'static str, usize>>);

impl Recorder for Totals {
    fn tokens(&self, _: &Call, direction: Direction, tokens: u64) {
        let mut totals = self.0.lock().unwrap();
        match direction {
            Direction::Input => totals.0 += tokens,
            Direction::Output => totals.1 += tokens,
        }
    }

    fn duration(&self, _: &Call) {}

    fn suppressed(&self, reason: Suppressed) {
        *self.1.lock().unwrap().entry(reason.name()).or_default() += 1;
    }
}

/// A ledger and what it counted.
pub struct Counter {
    tap: GenaiMetrics,
    totals: Arc<Totals>,
}

impl Counter {
    /// A ledger that remembers nothing yet.
    pub fn new() -> Counter {
        let totals = Arc::new(Totals::default());
        let ledger = Arc::new(Ledger::new(&LedgerWindow::default(), false));
        Counter { tap: GenaiMetrics::new(ledger, totals.clone()), totals }
    }

    /// All that was counted until now.
    pub fn total(&self) -> Tokens {
        *self.totals.0.lock().unwrap()
    }

    /// What was left out until now, by reason.
    pub fn suppressed(&self) -> BTreeMap<&'static str, usize> {
        self.totals.1.lock().unwrap().clone()
    }
}

/// Stages one after the other; `finish` reaches each.
struct Pipeline<'s> {
    passes: Vec<Box<dyn Pass + Send + 's>>,
    body: &'s Bytes,
}

impl Visitor for Pipeline<'_> {
    fn span(&mut self, span: &mut Span<'_>, origin: &Origin<'_>) {
        let mut context = Context { origin, body: self.body, call: None };
        for pass in &mut self.passes {
            pass.span(span, &mut context);
        }
    }

    fn finish(&mut self, spans: &mut Spans) {
        for pass in &mut self.passes {
            pass.finish(spans);
        }
    }
}

/// What comes out of the `genai` stage, which `counter` sees, as it would in a pipeline.
pub fn pass(body: &Bytes, genai: &Genai, counter: Option<&Counter>) -> Bytes {
    let tap = counter.map(|counter| counter.tap.pass());
    let passes = [Some(genai.pass()), tap].into_iter().flatten().collect();
    let mut pipeline = Pipeline { passes, body };
    let out = traces::edit(body, &mut pipeline).unwrap().body;
    for pass in pipeline.passes {
        pass.commit();
    }
    out
}

/// What the product says that it threw away for a reason, span by span: keys and names of events.
pub fn discarded(body: &Bytes, settings: &Settings) -> Vec<Vec<String>> {
    struct Each(Translator, Vec<Vec<String>>);
    impl Visitor for Each {
        fn span(&mut self, span: &mut Span<'_>, origin: &Origin<'_>) {
            let told = self.0.explain(span, origin, &mut NoBatch);
            let keys = told.into_iter().flat_map(|told| told.keys);
            let keys = keys.filter(|key| key.outcome == "discarded" && !key.reason.is_empty());
            self.1.push(keys.map(|key| key.key).collect());
        }
    }
    let mut each = Each(Translator::new(settings), Vec::new());
    traces::edit(body, &mut each).unwrap();
    each.1
}
