//! What is right and what is not, case by case and target by target.

use std::cell::OnceCell;
use std::fmt;

use bytes::Bytes;
use dragoman::genai::settings::{Genai as Settings, Originals, Target};
use dragoman::processor::genai::Genai;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::Value as Tree;

use super::usage;
use super::value::tree;
use super::{content, homes, shapes};
use crate::support::replay::{self, Arrival, Case, Tokens, count, pass};

/// Both targets.
pub const TARGETS: [Target; 2] = [Target::V1_41, Target::Main];

/// What can be wrong with a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A legacy key stands where its home should.
    Left,
    /// Something that was said is not said any more.
    Lost,
    /// A value is not of the published shape.
    Shape,
    /// A second pass, or a detour, leads elsewhere.
    Restless,
}

impl Fault {
    /// All of them, in the order of the page's columns.
    pub const ALL: [Fault; 4] = [Fault::Left, Fault::Lost, Fault::Shape, Fault::Restless];

    /// In the report and in `exceptions.tsv`.
    pub fn name(self) -> &'static str {
        match self {
            Fault::Left => "left",
            Fault::Lost => "lost",
            Fault::Shape => "shape",
            Fault::Restless => "restless",
        }
    }
}

/// Something that is wrong with a span.
#[derive(Debug)]
pub struct Finding {
    /// What kind of thing.
    pub fault: Fault,
    /// The span's name as it came.
    pub span: String,
    /// The key that it is about.
    pub key: String,
    /// The rest of the sentence.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:8} {}: {} {}", self.fault.name(), self.span, self.key, self.what)
    }
}

/// What was found in one case for one target.
#[derive(Default)]
pub struct Measured {
    /// Spans that came.
    pub spans: usize,
    /// Spans that are an operation after translation.
    pub operations: usize,
    /// Keys and events that went without a home, for a reason that the program names.
    pub discarded: usize,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// What the provider billed.
    pub billed: Tokens,
    /// Whether the telemetry says it.
    pub carried: bool,
    /// What is counted when the requests arrive in order.
    pub counted: Tokens,
    /// What is counted when they arrive in reverse.
    pub reversed: Tokens,
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

impl EmitterResult {
    /// Every case with every target.
    pub fn measured(&self) -> impl Iterator<Item = (&CaseResult, &Measured, &'static str)> {
        self.cases.iter().flat_map(|case| case.targets.iter().zip(TARGETS).map(move |(one, to)| (case, one, to.name())))
    }
}

/// The stages that are made once.
struct Stages {
    replace: [Genai; 2],
    keep: [Genai; 2],
}

impl Stages {
    fn new() -> Stages {
        let stage = |target, originals| Genai::new(&Settings { target, originals, ..Settings::default() });
        Stages {
            replace: TARGETS.map(|target| stage(target, Originals::Replace)),
            keep: TARGETS.map(|target| stage(target, Originals::Keep)),
        }
    }
}

/// Measures the emitters whose names begin with `prefix`.
pub fn measure(prefix: &str) -> Vec<EmitterResult> {
    let stages = Stages::new();
    replay::each_emitter(prefix, |name| measure_emitter(name, &stages))
}

fn measure_emitter(name: &str, stages: &Stages) -> EmitterResult {
    let cases = replay::cases(name);
    let mut results: Vec<CaseResult> = cases
        .iter()
        .map(|case| CaseResult {
            name: format!("{name}/{}", case.name),
            targets: std::array::from_fn(|target| measure_case(case, target, stages)),
        })
        .collect();
    for (target, stage) in stages.replace.iter().enumerate() {
        for (result, tokens) in results.iter_mut().zip(count(&cases, stage, Arrival::AsSent)) {
            result.targets[target].counted = tokens;
        }
        for (result, tokens) in results.iter_mut().zip(count(&cases, stage, Arrival::Reversed)) {
            result.targets[target].reversed = tokens;
        }
    }
    EmitterResult { name: name.to_owned(), cases: results }
}

/// A span and the name of its scope.
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

fn measure_case(case: &Case, target: usize, stages: &Stages) -> Measured {
    let mut measured = Measured { billed: usage::billed(case), ..Measured::default() };
    let mut all = Vec::new();
    for request in &case.requests {
        let replaced = pass(request, &stages.replace[target], None);
        let kept = pass(request, &stages.keep[target], None);
        let before = spans(request);
        measured.judge(request, &before, &spans(&replaced), &spans(&kept), TARGETS[target]);
        let again = [(&replaced, &stages.replace[target], "replaced"), (&kept, &stages.keep[target], "kept")];
        for (body, stage, originals) in again {
            let twice = pass(body, stage, None);
            if twice != *body {
                measured.compare(body, &twice, &format!("in a second pass with originals {originals}"), |_| ());
            }
        }
        if TARGETS[target] == Target::Main {
            let detour = pass(&pass(request, &stages.replace[0], None), &stages.replace[target], None);
            if detour != replaced {
                measured.compare(&replaced, &detour, "by way of 1.41", normalise);
            }
        }
        all.extend(before.into_iter().map(|scoped| scoped.span));
    }
    measured.carried = usage::is_carried(case, &all);
    measured
}

impl Measured {
    /// Judges every span of a request: as it came, translated, and translated with originals kept.
    fn judge(&mut self, request: &Bytes, before: &[Scoped], after: &[Scoped], kept: &[Scoped], target: Target) {
        let discarded = OnceCell::new();
        let discarded =
            || discarded.get_or_init(|| replay::discarded(request, &Settings { target, ..Settings::default() }));
        for (place, ((Scoped { scope, span: before }, Scoped { span: after, .. }), Scoped { span: kept, .. })) in
            before.iter().zip(after).zip(kept).enumerate()
        {
            let is_operation = |key: &str| key == "gen_ai.operation.name" || key == "mcp.method.name";
            self.spans += 1;
            self.operations += usize::from(after.attributes.iter().any(|entry| is_operation(&entry.key)));
            let mut find = |fault, key: String, what: String| {
                self.findings.push(Finding { fault, span: before.name.clone(), key, what });
            };
            for left in homes::left(scope, before, after, target) {
                find(Fault::Left, left.key, format!("{} ({})", left.what, left.home));
            }
            let (reasoned, lost): (Vec<_>, Vec<_>) = content::lost(scope, before, after, target)
                .into_iter()
                .partition(|lost| discarded()[place].contains(&lost.key));
            self.discarded += reasoned.len();
            for lost in lost {
                find(Fault::Lost, lost.key, format!("{} is said nowhere", short(&lost.what)));
            }
            for key in content::not_kept(before, kept) {
                find(Fault::Lost, key.to_owned(), "is not as it was though originals are kept".to_owned());
            }
            for entry in after.attributes.iter().filter(|entry| !kept.attributes.contains(entry)) {
                find(Fault::Lost, entry.key.clone(), "is not said where originals are kept".to_owned());
            }
            let events = after.events.iter().flat_map(|event| shapes::violations(&event.attributes, target));
            for wrong in shapes::violations(&after.attributes, target).into_iter().chain(events) {
                find(Fault::Shape, wrong.key, [wrong.at.as_str(), wrong.what.as_str()].join(" ").trim().to_owned());
            }
        }
    }

    /// Finds the spans of which two requests say different things, after `even` made them even.
    fn compare(&mut self, one: &[u8], other: &[u8], what: &str, even: impl Fn(&mut Span)) {
        for (Scoped { span: mut one, .. }, Scoped { span: mut other, .. }) in spans(one).into_iter().zip(spans(other)) {
            even(&mut one);
            even(&mut other);
            if one == other {
                continue;
            }
            let gone = one.attributes.iter().filter(|entry| !other.attributes.contains(entry));
            let new = other.attributes.iter().filter(|entry| !one.attributes.contains(entry));
            let mut keys: Vec<&str> = gone.chain(new).map(|entry| entry.key.as_str()).collect();
            keys.sort_unstable();
            keys.dedup();
            let what = format!("is otherwise {what}");
            self.findings.push(Finding { fault: Fault::Restless, span: one.name, key: keys.join(", "), what });
        }
    }
}

/// Leaves out what main says by leaving it out: that a call is not streamed, and the finish reason
/// of a message, which `gen_ai.response.finish_reasons` says; and the order of attributes.
fn normalise(span: &mut Span) {
    span.attributes.sort_by(|one, other| one.key.cmp(&other.key));
    let not_streamed = Tree::Bool(false);
    span.attributes.retain(|entry| entry.key != "gen_ai.request.stream" || tree(entry.value.as_ref()) != not_streamed);
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
