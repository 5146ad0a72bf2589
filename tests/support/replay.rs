//! The corpus through the stages of the product: every request through the `genai` stage and the
//! tap of the ledger, as a pipeline would have it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
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

/// What `work` makes of every emitter whose name begins with `prefix`, by name; done on all processors.
pub fn each_emitter<T: Send>(prefix: &str, work: impl Fn(&str) -> T + Sync) -> Vec<T> {
    let emitters: Vec<String> = emitters().into_iter().filter(|name| name.starts_with(prefix)).collect();
    let next = AtomicUsize::new(0);
    let results = Mutex::new(BTreeMap::new());
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(emitters.len());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(name) = emitters.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = work(name);
                    results.lock().unwrap().insert(name, result);
                }
            });
        }
    });
    results.into_inner().unwrap().into_values().collect()
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

    fn suppressed(&self, _: &Call, reason: Suppressed) {
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

/// How what an emitter sent arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// Request by request, in the order of the recording.
    AsSent,
    /// The same requests, the last one first.
    Reversed,
    /// Every span in a request of its own, the first to end first.
    OneByOne,
    /// The same, the last to end first.
    OneByOneReversed,
}

/// What is counted for every case, in the order of `cases`, when they arrive in this way.
pub fn count(cases: &[Case], genai: &Genai, arrival: Arrival) -> Vec<Tokens> {
    // A server's spans name parents in earlier cases: one ledger for its whole life.
    let is_server = cases.iter().any(|case| case.name == "startup");
    let is_reversed = matches!(arrival, Arrival::Reversed | Arrival::OneByOneReversed);
    let mut counter = Counter::new();
    let mut one = |case: &Case| {
        if !is_server {
            counter = Counter::new();
        }
        let before = counter.total();
        let mut requests = match arrival {
            Arrival::AsSent | Arrival::Reversed => case.requests.clone(),
            Arrival::OneByOne | Arrival::OneByOneReversed => one_by_one(&case.requests),
        };
        if is_reversed {
            requests.reverse();
        }
        for request in &requests {
            pass(request, genai, Some(&counter));
        }
        let after = counter.total();
        (after.0 - before.0, after.1 - before.1)
    };
    if is_reversed {
        let mut counts: Vec<Tokens> = cases.iter().rev().map(&mut one).collect();
        counts.reverse();
        counts
    } else {
        cases.iter().map(one).collect()
    }
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
