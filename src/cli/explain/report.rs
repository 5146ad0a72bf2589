//! What `explain` says, as data; with `--format json` it is printed as it stands here. The shape is
//! stable: members are added, none is renamed or removed while `version` stays 1.
//!
//! ```json
//! {"version": 1, "target": "1.41",
//!  "spans": [{
//!    "number": 1, "trace_id": "5b8e…", "span_id": "eee1…", "parent_span_id": "",
//!    "service": "shop", "scope": "litellm", "scope_version": "",
//!    "operation": true, "changed": true,
//!    "dialect": "litellm", "margin": 173, "because": "the scope is litellm",
//!    "name": {"before": "litellm_request", "after": "chat codegemma"},
//!    "kind": {"before": "INTERNAL", "after": "CLIENT"},
//!    "keys": [{"key": "gen_ai.usage.prompt_tokens", "dialect": "litellm", "before": 19,
//!              "outcome": "expressed", "to": "gen_ai.usage.input_tokens", "after": 19,
//!              "removed": true, "rule": "renamed"}],
//!    "added": [{"key": "gen_ai.operation.name", "value": "chat"}]}],
//!  "counts": {"spans": 3, "operations": 1, "changed": 1, "data_points": 0, "log_records": 0}}
//! ```
//!
//! `keys` holds every attribute and then every event (`"event": true`) of the span once, in the
//! span's order. `outcome` is `expressed`, `kept` or `discarded`; `reason` says why, `current` where
//! nothing had to be done and `foreign` for a key that no dialect knows. Spans that are no LLM
//! operation are in `spans` with `--all` only; `counts` always counts them.

use std::collections::HashSet;

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value as Json;

use crate::genai::dialect::Reason;
use crate::genai::explain::{Added, Change, Explanation, KeyExplanation};
use crate::genai::translate::Translator;
use crate::otlp::id::{SpanId, TraceId};
use crate::otlp::represent::json;
use crate::otlp::span::Span;
use crate::otlp::traces::{Origin, Visitor, edit};
use crate::otlp::value::Value;
use crate::otlp::wire::WireError;
use crate::processor::genai::WholeBatch;

/// The rule of keys that nobody claimed. A dialect may know them all the same: of a chunk of a stream
/// only its time is read.
const FOREIGN: &str = "no dialect translates it; it passes as it came";

/// The rule of events whose attributes mean what they would mean on the span.
const LENDER: &str = "its attributes are read one by one, as the span's";

/// Everything that is said of an input.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Report {
    /// Of this shape.
    version: u32,
    /// The conventions that spans were translated to.
    pub(in crate::cli) target: &'static str,
    /// The spans that are shown.
    pub(in crate::cli) spans: Vec<SpanReport>,
    /// What was there.
    pub(in crate::cli) counts: Counts,
}

/// What an input holds.
#[derive(Debug, Default, Serialize)]
pub(in crate::cli) struct Counts {
    pub(in crate::cli) spans: usize,
    /// Spans that are an LLM, tool, agent or retrieval operation.
    pub(in crate::cli) operations: usize,
    /// Those of them that do not pass byte for byte.
    pub(in crate::cli) changed: usize,
    pub(in crate::cli) data_points: usize,
    pub(in crate::cli) log_records: usize,
}

/// One span.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct SpanReport {
    /// Its place in the input, from 1.
    pub(in crate::cli) number: usize,
    pub(in crate::cli) trace_id: String,
    pub(in crate::cli) span_id: String,
    pub(in crate::cli) parent_span_id: String,
    pub(in crate::cli) service: String,
    pub(in crate::cli) scope: String,
    pub(in crate::cli) scope_version: String,
    /// Whether it is an LLM operation.
    pub(in crate::cli) operation: bool,
    pub(in crate::cli) changed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) dialect: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) margin: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) because: Option<String>,
    pub(in crate::cli) name: Change<String>,
    pub(in crate::cli) kind: Change<&'static str>,
    pub(in crate::cli) keys: Vec<KeyExplanation>,
    pub(in crate::cli) added: Vec<Added>,
}

/// Translates every span and notes what was done; `all` shows those that are no LLM operation, too.
///
/// # Errors
/// Whatever prost would refuse.
pub(in crate::cli) fn report(traces: &[Bytes], translator: &Translator, all: bool) -> Result<Report, WireError> {
    let mut report =
        Report { version: 1, target: translator.target().name(), spans: Vec::new(), counts: Counts::default() };
    for body in traces {
        let mut each = Each { translator, body, parents: None, all, report: &mut report };
        edit(body, &mut each)?;
    }
    Ok(report)
}

struct Each<'r> {
    translator: &'r Translator,
    body: &'r Bytes,
    parents: Option<HashSet<(TraceId, SpanId)>>,
    all: bool,
    report: &'r mut Report,
}

impl Visitor for Each<'_> {
    fn span(&mut self, span: &mut Span<'_>, origin: &Origin<'_>) {
        let (name, kind) = (span.name().to_owned(), span.kind().name());
        let trace = span.trace_id();
        let mut batch = WholeBatch { translator: self.translator, body: self.body, trace, parents: &mut self.parents };
        let explanation = self.translator.explain(span, origin, &mut batch);
        let mut written = Vec::new();
        span.write(&mut written);
        let changed = written != span.source();
        let counts = &mut self.report.counts;
        counts.spans += 1;
        counts.operations += usize::from(explanation.is_some());
        counts.changed += usize::from(changed);
        if explanation.is_none() && !self.all {
            return;
        }
        let operation = explanation.is_some();
        let mut explanation = explanation.unwrap_or_else(|| Explanation {
            dialect: "",
            margin: 0,
            because: String::new(),
            target: self.report.target,
            name: Change { before: name.clone(), after: name },
            kind: Change { before: kind, after: kind },
            keys: Vec::new(),
            added: Vec::new(),
        });
        let keys = every_key(span, std::mem::take(&mut explanation.keys));
        self.report.spans.push(SpanReport {
            number: self.report.counts.spans,
            trace_id: hex(trace),
            span_id: hex(span.span_id()),
            parent_span_id: hex(span.parent_span_id()),
            service: origin.resource.get("service.name").as_ref().map(text).unwrap_or_default(),
            scope: origin.scope_name.to_owned(),
            scope_version: origin.scope_version.to_owned(),
            operation,
            changed,
            dialect: operation.then_some(explanation.dialect),
            margin: operation.then_some(explanation.margin),
            because: operation.then_some(explanation.because),
            name: explanation.name,
            kind: explanation.kind,
            keys,
            added: explanation.added,
        });
    }
}

/// Every attribute and event of the span as it came, once: what is known of it, or that it is foreign.
fn every_key(span: &Span<'_>, known: Vec<KeyExplanation>) -> Vec<KeyExplanation> {
    let (events, attributes): (Vec<_>, Vec<_>) = known.into_iter().partition(|entry| entry.event);
    let (lent, attributes): (Vec<_>, Vec<_>) = attributes.into_iter().partition(|entry| entry.on.is_some());
    // Known keys come in the span's order, so each list is walked beside the span.
    let (mut events, mut attributes) = (events.into_iter().peekable(), attributes.into_iter().peekable());
    let mut keys = Vec::new();
    for (key, value) in span.source_attributes() {
        keys.push(attributes.next_if(|entry| entry.key == key).unwrap_or_else(|| foreign(key, false, json(&value))));
    }
    // What stands on events comes before them.
    keys.extend(lent);
    for (name, before) in all_events(span) {
        let known = events.next_if(|entry| entry.key == name);
        keys.push(known.or_else(|| lender(&name, &before, &keys)).unwrap_or_else(|| foreign(&name, true, before)));
    }
    // Nothing that was said is lost, whatever order it came in.
    keys.extend(attributes.chain(events));
    keys
}

/// An event whose attributes were read as the span's own, each of which is told by itself.
fn lender(name: &str, before: &Json, keys: &[KeyExplanation]) -> Option<KeyExplanation> {
    let lent: Vec<_> = keys.iter().filter(|key| key.on.as_deref() == Some(name)).collect();
    let dialect = lent.first()?.dialect;
    let is_said = |key: &String| lent.iter().any(|lent| lent.key == *key && lent.outcome != "kept");
    let (outcome, reason) = match before.as_object().is_some_and(|attributes| attributes.keys().all(is_said)) {
        true => ("expressed", ""),
        false => ("kept", Reason::SaysMore.name()),
    };
    let removed = lent.iter().all(|key| key.removed);
    Some(KeyExplanation { dialect, outcome, reason, removed, rule: LENDER, ..foreign(name, true, before.clone()) })
}

/// The events of the span as it came, removed ones included.
fn all_events(span: &Span<'_>) -> Vec<(String, Json)> {
    let mut source = Span::new();
    match source.parse(span.source()) {
        Ok(()) => {
            let events = source.events().map(|(_, event)| {
                let attributes =
                    event.attributes().map(|entry| (entry.key().to_owned(), json(&Value::parse(&entry.value))));
                (event.name.to_owned(), Json::Object(attributes.collect()))
            });
            events.collect()
        }
        // It was parsed before.
        Err(_) => Vec::new(),
    }
}

fn foreign(key: &str, event: bool, before: Json) -> KeyExplanation {
    KeyExplanation {
        key: key.to_owned(),
        event,
        on: None,
        dialect: "",
        before,
        outcome: "kept",
        reason: "foreign",
        to: None,
        after: None,
        removed: false,
        rule: FOREIGN,
    }
}

fn hex(id: Option<impl ToString>) -> String {
    id.map(|id| id.to_string()).unwrap_or_default()
}

fn text(value: &Value<'_>) -> String {
    value.as_str().map(str::to_owned).unwrap_or_else(|| json(value).to_string())
}
