//! Spans, through every stage of a traces pipeline: each before and after, key by key; what becomes of it
//! behind the translation; what is counted of it.

use std::collections::HashSet;

use bytes::Bytes;
use serde_json::Value as Json;

use super::report::{AddedBy, Counted, DroppedBy, OriginReport, Recognised, Report, SpanReport, hex};
use crate::genai::dialect::Reason;
use crate::genai::explain::{Added, Change, Explanation, KeyExplanation};
use crate::genai::translate::Translator;
use crate::otlp::Signal;
use crate::otlp::id::{SpanId, TraceId};
use crate::otlp::represent::json;
use crate::otlp::span::Span;
use crate::otlp::traces::{Origin, Spans, Visitor, edit};
use crate::otlp::value::Value;
use crate::otlp::wire::WireError;
use crate::pipeline::{Context, Pass};
use crate::processor::genai::WholeBatch;
use crate::service::trial::{Act, TrialPipeline, Verdict, Verdicts};

/// The rule of events whose attributes mean what they would mean on the span.
const LENDER: &str = "its attributes are read one by one, as the span's";

/// The rule of events that a later stage counts and lets go.
const CHUNK: &str = "a chunk of a stream, which is counted and goes";

type Place = (Option<TraceId>, Option<SpanId>);

/// Explains the spans of a request. Without a pipeline nothing becomes of them.
pub(super) fn explain(
    body: &Bytes,
    pipeline: Option<&TrialPipeline>,
    verdicts: &Verdicts,
    all: bool,
    report: &mut Report,
) -> Result<(), WireError> {
    let steps = pipeline.map(|pipeline| &*pipeline.steps).unwrap_or_default();
    let walks = steps.iter().filter_map(|step| {
        let walk = match &step.act {
            Act::Translate { translator, .. } => Walk::Translate(translator),
            Act::Drop(stage) => Walk::Pass(stage.pass()),
            Act::Count(tap) => Walk::Pass(crate::pipeline::Stage::pass(tap)),
            Act::Metrics(_) => return None,
        };
        Some((step.id.as_str(), walk))
    });
    let mut each = Each { body, walks: walks.collect(), parents: None, first: report.counts.spans, found: Vec::new() };
    edit(body, &mut each)?;
    let Each { walks, found, .. } = each;
    for (_, walk) in walks {
        if let Walk::Pass(pass) = walk {
            pass.commit();
        }
    }
    let counts_calls = steps.iter().any(|step| matches!(step.act, Act::Count(_)));
    let mut verdicts = verdicts.take();
    for Found { mut span, place } in found {
        report.counts.spans += 1;
        report.counts.operations += usize::from(span.operation);
        report.counts.changed += usize::from(span.operation && span.changed);
        if let Some(by) = &span.dropped {
            report.drop_items(Signal::Traces, by, &span.name.after, 1);
        }
        if span.operation {
            span.counted = Some(match (&span.dropped, counts_calls) {
                (Some(_), _) => Counted::nothing("dropped", "it is dropped before the connector sees it"),
                (None, false) => Counted::nothing("not_connected", "its pipeline feeds no genai_metrics connector"),
                (None, true) => counted(verdicts.get_mut(&place)),
            });
        }
        if span.operation || all {
            report.spans.push(span);
        }
    }
    Ok(())
}

/// A span that came twice in a request was counted at its first place.
fn counted(verdict: Option<&mut Verdict>) -> Counted {
    let Some(verdict) = verdict else {
        return Counted::nothing("no_usage_expected", "it is no call of a model and says no usage");
    };
    let said = verdict.clone();
    *verdict = Verdict { suppressed: verdict.suppressed, ..Verdict::default() };
    match said.input_tokens.is_some() || said.output_tokens.is_some() {
        true => Verdict { suppressed: None, ..said }.into(),
        false => said.into(),
    }
}

enum Walk<'r> {
    Translate(&'r Translator),
    Pass(Box<dyn Pass + Send + 'r>),
}

struct Found {
    span: SpanReport,
    place: Place,
}

struct Each<'r> {
    body: &'r Bytes,
    walks: Vec<(&'r str, Walk<'r>)>,
    parents: Option<HashSet<(TraceId, SpanId)>>,
    /// How many spans came in earlier requests.
    first: usize,
    found: Vec<Found>,
}

impl Visitor for Each<'_> {
    fn span(&mut self, span: &mut Span<'_>, origin: &Origin<'_>) {
        let (name, kind) = (span.name().to_owned(), span.kind().name());
        let (trace, id) = (span.trace_id(), span.span_id());
        let mut told: Option<Explanation> = None;
        let (mut changed, mut dropped) = (false, None);
        let (mut added_by, mut gone) = (Vec::new(), Vec::new());
        for (stage, walk) in &mut self.walks {
            match walk {
                Walk::Translate(translator) => {
                    let (body, parents) = (self.body, &mut self.parents);
                    let mut batch = WholeBatch { translator, body, trace, parents };
                    let before = written(span);
                    if let Some(explanation) = translator.explain(span, origin, &mut batch) {
                        told = Some(explanation);
                        changed |= written(span) != before;
                    }
                }
                Walk::Pass(pass) => {
                    let keys: HashSet<String> = span.attributes().map(|(key, _)| key.to_owned()).collect();
                    let events: Vec<usize> = span.events().map(|(index, _)| index).collect();
                    pass.span(span, &mut Context { origin, body: self.body, call: None });
                    if span.is_dropped() {
                        dropped = Some(DroppedBy { stage: (*stage).to_owned(), reason: pass.drop_reason() });
                        break;
                    }
                    let new = span.attributes().filter(|(key, _)| !keys.contains(*key));
                    added_by.extend(new.map(|(key, value)| AddedBy {
                        stage: (*stage).to_owned(),
                        added: Added { key: key.to_owned(), value: json(&value.parse()) },
                    }));
                    gone.extend(events.into_iter().filter(|event| !span.events().any(|(index, _)| index == *event)));
                }
            }
        }
        let operation = told.is_some();
        let told = told.unwrap_or_else(|| Explanation {
            dialect: "",
            margin: 0,
            because: String::new(),
            target: "",
            name: Change { before: name.clone(), after: name },
            kind: Change { before: kind, after: kind },
            keys: Vec::new(),
            added: Vec::new(),
        });
        let mut keys = every_key(span, told.keys);
        chunks(&mut keys, &gone);
        let span = SpanReport {
            number: self.first + self.found.len() + 1,
            trace_id: hex(trace),
            span_id: hex(id),
            parent_span_id: hex(span.parent_span_id()),
            new_parent_span_id: None,
            origin: OriginReport::new(origin.resource.get("service.name"), origin.scope_name, origin.scope_version),
            operation,
            changed,
            recognised: Recognised::new(told.dialect, Some(told.margin), told.because),
            name: told.name,
            kind: told.kind,
            keys,
            added: told.added,
            added_by,
            counted: None,
            dropped,
        };
        self.found.push(Found { span, place: (trace, id) });
    }

    fn finish(&mut self, spans: &mut Spans) {
        let mut told = 0;
        for (stage, walk) in &mut self.walks {
            let Walk::Pass(pass) = walk else { continue };
            pass.finish(spans);
            let new = spans.attributes_to_come().skip(told);
            let new: Vec<_> = new.map(|(index, key, value)| (index, key, json(value))).collect();
            told += new.len();
            for (index, key, value) in new {
                let Some(Found { span, .. }) = self.found.get_mut(index) else { continue };
                let is_there = span.keys.iter().any(|known| known.key == key || known.to == Some(key))
                    || span.added_by.iter().any(|known| known.added.key == key);
                if !is_there {
                    let added = Added { key: key.to_owned(), value };
                    span.added_by.push(AddedBy { stage: (*stage).to_owned(), added });
                }
            }
        }
        for (record, Found { span, .. }) in spans.records().iter().zip(&mut self.found) {
            if !record.dropped {
                // Some spans are given back once their children are known.
                span.dropped = None;
            }
            let parent = hex(record.parent_span_id);
            span.new_parent_span_id = Some(parent).filter(|parent| *parent != span.parent_span_id && !record.dropped);
        }
    }
}

fn written(span: &Span<'_>) -> Vec<u8> {
    let mut written = Vec::new();
    span.write(&mut written);
    written
}

/// Events that a stage behind the translation took away, by their places among the span's.
fn chunks(keys: &mut [KeyExplanation], gone: &[usize]) {
    for (_, event) in keys.iter_mut().filter(|key| key.event).enumerate().filter(|(place, _)| gone.contains(place)) {
        (event.outcome, event.reason, event.rule) = ("discarded", "chunk", CHUNK);
        event.removed = true;
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
        keys.push(
            attributes
                .next_if(|entry| entry.key == key)
                .unwrap_or_else(|| KeyExplanation::foreign(key.to_owned(), false, json(&value))),
        );
    }
    // What stands on events comes before them.
    keys.extend(lent);
    for (name, before) in all_events(span) {
        let known = events.next_if(|entry| entry.key == name);
        keys.push(
            known
                .or_else(|| lender(&name, &before, &keys))
                .unwrap_or_else(|| KeyExplanation::foreign(name, true, before)),
        );
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
    Some(KeyExplanation {
        dialect,
        outcome,
        reason,
        removed,
        rule: LENDER,
        ..KeyExplanation::foreign(name.to_owned(), true, before.clone())
    })
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
