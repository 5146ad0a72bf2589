//! One emitter, one target: what is right and what is not, case by case.

use std::cell::OnceCell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use dragoman::genai::settings::{Genai as Settings, Originals, Target};
use dragoman::processor::genai::Genai;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::Value as Tree;

use super::replay::{self, Case, Counter, Tokens, pass};
use super::usage::{self, Verdict, verdict};
use super::value::tree;
use super::{content, homes, shapes};

/// What was found in one case for one target.
#[derive(Default)]
pub struct Measured {
    /// Spans of the case.
    pub spans: usize,
    /// Spans that are an operation after translation.
    pub operations: usize,
    /// What is wrong, by what it is.
    pub left: Vec<String>,
    pub lost: Vec<String>,
    pub violations: Vec<String>,
    pub restless: Vec<String>,
    /// Keys and events that went with a reason.
    pub discarded: usize,
    /// Tokens.
    pub billed: Tokens,
    pub carried: bool,
    pub counted: Tokens,
    pub reversed: Tokens,
}

impl Measured {
    /// The worse of the verdicts on both orders of arrival.
    pub fn verdict(&self) -> Verdict {
        verdict(self.counted, self.billed).max(verdict(self.reversed, self.billed))
    }
}

/// A case for both targets.
pub struct CaseResult {
    /// `EMITTER/CASE`.
    pub name: String,
    /// As [`TARGETS`].
    pub targets: [Measured; 2],
}

/// An emitter's cases.
pub struct EmitterResult {
    /// The folder's name.
    pub name: String,
    /// In the order of replay.
    pub cases: Vec<CaseResult>,
}

/// Both targets.
pub const TARGETS: [Target; 2] = [Target::V1_41, Target::Main];

/// The stages that are made once.
struct Stages {
    replace: [Genai; 2],
    keep: [Genai; 2],
}

impl Stages {
    fn new() -> Stages {
        let stage = |target, originals| Genai::new(&Settings { target, originals, ..Default::default() });
        Stages {
            replace: TARGETS.map(|target| stage(target, Originals::Replace)),
            keep: TARGETS.map(|target| stage(target, Originals::Keep)),
        }
    }
}

/// Measures the emitters whose names begin with `prefix`, on all processors.
pub fn measure(prefix: &str) -> Vec<EmitterResult> {
    let emitters: Vec<String> = replay::emitters().into_iter().filter(|name| name.starts_with(prefix)).collect();
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(emitters.len());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                let stages = Stages::new();
                while let Some(name) = emitters.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = emitter(name, &stages);
                    results.lock().unwrap().push(result);
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap();
    results.sort_by(|one, other| one.name.cmp(&other.name));
    results
}

fn emitter(name: &str, stages: &Stages) -> EmitterResult {
    let cases = replay::cases(name);
    let mut results: Vec<CaseResult> = cases
        .iter()
        .map(|case| CaseResult {
            name: format!("{name}/{}", case.name),
            targets: std::array::from_fn(|target| judge(case, target, stages)),
        })
        .collect();
    // A server's spans name parents in earlier cases: one ledger for its whole life.
    let is_server = cases.iter().any(|case| case.name == "startup");
    for (target, stage) in stages.replace.iter().enumerate() {
        let order: Vec<usize> = (0..cases.len()).collect();
        let reverse: Vec<usize> = (0..cases.len()).rev().collect();
        for (place, tokens) in count(&cases, &order, is_server, stage, false) {
            results[place].targets[target].counted = tokens;
        }
        for (place, tokens) in count(&cases, &reverse, is_server, stage, true) {
            results[place].targets[target].reversed = tokens;
        }
    }
    EmitterResult { name: name.to_owned(), cases: results }
}

/// What is counted for every case, when they arrive in this order.
fn count(cases: &[Case], order: &[usize], is_server: bool, genai: &Genai, reverse: bool) -> Vec<(usize, Tokens)> {
    let mut counter = Counter::new();
    let mut counts = Vec::new();
    for place in order {
        if !is_server {
            counter = Counter::new();
        }
        let before = counter.total();
        let mut requests: Vec<&Bytes> = cases[*place].requests.iter().collect();
        if reverse {
            requests.reverse();
        }
        for request in requests {
            pass(request, genai, Some(&counter));
        }
        let after = counter.total();
        counts.push((*place, (after.0 - before.0, after.1 - before.1)));
    }
    counts
}

struct Scoped {
    scope: String,
    span: Span,
}

fn spans(body: &[u8]) -> Vec<Scoped> {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
    scopes
        .flat_map(|scope| {
            let name = scope.scope.map(|scope| scope.name).unwrap_or_default();
            scope.spans.into_iter().map(move |span| Scoped { scope: name.clone(), span })
        })
        .collect()
}

fn judge(case: &Case, target: usize, stages: &Stages) -> Measured {
    let mut measured = Measured { billed: usage::billed(case), ..Measured::default() };
    let mut all = Vec::new();
    let aim = TARGETS[target];
    for request in &case.requests {
        let replaced = pass(request, &stages.replace[target], None);
        let kept = pass(request, &stages.keep[target], None);
        let (before, after, with_originals) = (spans(request), spans(&replaced), spans(&kept));
        let discarded = OnceCell::new();
        let discarded =
            || discarded.get_or_init(|| replay::discarded(request, &Settings { target: aim, ..Settings::default() }));
        let triples = before.iter().zip(&after).zip(&with_originals).enumerate();
        for (place, ((Scoped { scope, span: before }, Scoped { span: after, .. }), Scoped { span: kept, .. })) in
            triples
        {
            measured.spans += 1;
            let is_operation = |key: &str| key == "gen_ai.operation.name" || key == "mcp.method.name";
            measured.operations += usize::from(after.attributes.iter().any(|entry| is_operation(&entry.key)));
            let here = &before.name;
            let left = homes::left(scope, before, after, aim).into_iter();
            measured.left.extend(left.map(|left| format!("{here}: {} {} ({})", left.key, left.what, left.home)));
            let (reasoned, lost): (Vec<_>, Vec<_>) = content::lost(scope, before, after, aim)
                .into_iter()
                .partition(|lost| discarded()[place].iter().any(|(key, _)| *key == lost.key));
            measured.discarded += reasoned.len();
            let lost = lost.into_iter();
            measured.lost.extend(lost.map(|lost| format!("{here}: {}: {}", lost.key, short(&lost.what))));
            let changed = before.attributes.iter().filter(|entry| !kept.attributes.contains(entry));
            let changed = changed.filter(|entry| !homes::is_current(&entry.key));
            measured
                .lost
                .extend(changed.map(|entry| format!("{here}: {}: changed though originals are kept", entry.key)));
            let events = after.events.iter().flat_map(|event| shapes::violations(&event.attributes, aim));
            for wrong in shapes::violations(&after.attributes, aim).into_iter().chain(events) {
                measured.violations.push(format!("{here}: {}{} {}", wrong.key, wrong.at, wrong.what));
            }
        }
        let again = [(&replaced, &stages.replace[target], "replaced"), (&kept, &stages.keep[target], "kept")];
        for (body, stage, originals) in again {
            let twice = pass(body, stage, None);
            if twice != *body {
                let what = format!("a second pass with originals {originals}");
                measured.restless.extend(differences(body, &twice, &what, false));
            }
        }
        if aim == Target::Main {
            let detour = pass(&pass(request, &stages.replace[0], None), &stages.replace[target], None);
            if detour != replaced {
                measured.restless.extend(differences(&replaced, &detour, "by way of 1.41", true));
            }
        }
        all.extend(before.into_iter().map(|scoped| scoped.span));
    }
    measured.carried = usage::is_carried(case, &all);
    measured
}

/// The spans of which two requests say different things; the order of attributes is not looked at
/// if `meaning` alone counts.
fn differences(one: &[u8], other: &[u8], what: &str, meaning: bool) -> Vec<String> {
    let mut found = Vec::new();
    for (one, other) in spans(one).into_iter().zip(spans(other)) {
        let (mut one, mut other) = (one.span, other.span);
        if meaning {
            for span in [&mut one, &mut other] {
                normalise(span);
            }
        }
        if one == other {
            continue;
        }
        let gone = one.attributes.iter().filter(|entry| !other.attributes.contains(entry));
        let new = other.attributes.iter().filter(|entry| !one.attributes.contains(entry));
        let mut keys: Vec<&str> = gone.chain(new).map(|entry| entry.key.as_str()).collect();
        keys.dedup();
        found.push(format!("{}: {what}: {}", one.name, keys.join(", ")));
    }
    found
}

/// What main says by leaving it out is left out: that a call is not streamed, and the finish reason
/// of a message, which `gen_ai.response.finish_reasons` says.
fn normalise(span: &mut Span) {
    span.attributes.sort_by(|one, other| one.key.cmp(&other.key));
    span.attributes
        .retain(|entry| entry.key != "gen_ai.request.stream" || tree(entry.value.as_ref()) != Tree::Bool(false));
    for entry in span.attributes.iter_mut().filter(|entry| entry.key == "gen_ai.output.messages") {
        if let Tree::String(text) = tree(entry.value.as_ref())
            && let Ok(Tree::Array(mut messages)) = serde_json::from_str(&text)
        {
            for message in messages.iter_mut().filter_map(Tree::as_object_mut) {
                message.remove("finish_reason");
            }
            let text = Tree::Array(messages).to_string();
            entry.value = Some(AnyValue { value: Some(any_value::Value::StringValue(text)) });
        }
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((at, _)) => format!("{:?}…", &text[..at]),
        None => format!("{text:?}"),
    }
}
