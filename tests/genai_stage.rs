//! The genai stage in a pass: what it notes, what it counts, and the guard of bare keys.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail")]

mod genai_support;
mod support;

use bytes::Bytes;
use dragoman::otlp::traces::{Origin, Visitor, edit};
use dragoman::pipeline::{CallNote, Context, Pass, Stage};
use dragoman::processor::genai::Genai;
use genai_support::{attributes, replace};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use serde_json::json;

fn run(stage: &Genai, body: &Bytes, commit: bool) -> (Vec<Span>, Vec<CallNote>) {
    struct One<'s>(Box<dyn Pass + Send + 's>, &'s Bytes, Vec<CallNote>);
    impl Visitor for One<'_> {
        fn span(&mut self, span: &mut dragoman::otlp::span::Span<'_>, origin: &Origin<'_>) {
            let mut context = Context { origin, body: self.1, call: None };
            self.0.span(span, &mut context);
            self.2.extend(context.call);
        }
    }
    let mut one = One(stage.pass(), body, Vec::new());
    let outcome = edit(body, &mut one).unwrap();
    if commit {
        one.0.commit();
    }
    (support::spans(&outcome.body), one.2)
}

fn bare(id: u8, parent: u8, kind: SpanKind, entries: &[(&str, i64)]) -> Span {
    let attributes = entries
        .iter()
        .map(|(key, value)| KeyValue {
            key: key.to_string(),
            value: Some(AnyValue { value: Some(Value::IntValue(*value)) }),
            ..KeyValue::default()
        })
        .collect();
    Span {
        name: format!("span {id}"),
        trace_id: vec![7; 16],
        span_id: vec![id; 8],
        parent_span_id: if parent == 0 { Vec::new() } else { vec![parent; 8] },
        kind: kind.into(),
        attributes,
        ..Span::default()
    }
}

fn request(spans: Vec<Span>) -> Bytes {
    let resource =
        ResourceSpans { scope_spans: vec![ScopeSpans { spans, ..ScopeSpans::default() }], ..ResourceSpans::default() };
    ExportTraceServiceRequest { resource_spans: vec![resource] }.encode_to_vec().into()
}

#[test]
fn bare_keys_count_only_under_their_guard() {
    let both = [("prompt_tokens", 29), ("completion_tokens", 13)];
    let body = request(vec![
        // Its child says usage: an estimate, or a sum.
        bare(1, 0, SpanKind::Internal, &both),
        bare(2, 1, SpanKind::Internal, &both),
        bare(3, 0, SpanKind::Server, &both),
        // One count alone says nothing.
        bare(4, 0, SpanKind::Internal, &both[..1]),
    ]);
    let stage = Genai::new(&replace());
    let (spans, _) = run(&stage, &body, true);
    let legacy = json!({"prompt_tokens": 29, "completion_tokens": 13});
    assert_eq!(attributes(&spans[0]), legacy);
    assert_eq!(attributes(&spans[1]), json!({"gen_ai.usage.input_tokens": 29, "gen_ai.usage.output_tokens": 13}));
    assert_eq!(attributes(&spans[2]), legacy);
    assert_eq!(attributes(&spans[3]), json!({"prompt_tokens": 29}));
}

#[test]
fn calls_are_noted_and_keys_counted_once_a_batch_is_accepted() {
    let body = &support::requests(&support::corpus().join("litellm-proxy-1.40.18/codegemma_seed"), "traces.pb")[0];
    let stage = Genai::new(&replace());
    let (_, calls) = run(&stage, body, false);
    assert!(stage.key_counts().is_empty(), "a refused batch counts nothing");
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].name, "chat codegemma");
    assert_eq!((calls[0].input_tokens, calls[0].output_tokens), (Some(19), Some(9)));
    assert_eq!((calls[0].dialect, calls[0].target, &calls[0].error), ("litellm", "1.41", &None));

    run(&stage, body, true);
    run(&stage, body, true);
    let counts = stage.key_counts();
    let total: u64 = counts.iter().map(|(_, _, _, count)| count).sum();
    // All 13 attributes of the call, twice.
    assert_eq!(total, 26, "{counts:?}");
    assert!(counts.contains(&("litellm", "discarded", "redundant", 2)), "{counts:?}");
}

#[test]
fn a_failed_call_is_noted_with_its_error() {
    let body = &support::requests(&support::corpus().join("genai-openai-1.3b0/error_429"), "traces.pb")[0];
    let (_, calls) = run(&Genai::new(&replace()), body, true);
    assert_eq!(calls[0].error.as_deref(), Some("openai.RateLimitError"));
}
