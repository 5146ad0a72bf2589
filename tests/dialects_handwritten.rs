//! Usage keys that people write by hand: the exact ones always count, the bare ones under the guard.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use bytes::Bytes;
use dragoman::genai::Translator;
use dragoman::genai::settings::Genai;
use dragoman::genai::translate::Batch;
use dragoman::otlp::SpanId;
use dragoman::otlp::traces::{self, Origin, Visitor};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use support::{attribute, int, key_values, spans, text};

const INTERNAL: i32 = 1;
const SERVER: i32 = 2;

/// A batch in which every span has a child with usage, or none has.
struct Children(bool);

impl Batch for Children {
    fn children_have_usage(&mut self, _: SpanId) -> bool {
        self.0
    }
}

fn translate(kind: i32, attributes: &[(&str, any_value::Value)], children: bool) -> Span {
    struct Translating(Translator, Children, dragoman::genai::Tally);
    impl Visitor for Translating {
        fn span(&mut self, span: &mut dragoman::otlp::span::Span<'_>, origin: &Origin<'_>) {
            self.0.translate(span, origin, &mut self.1, &mut self.2);
        }
    }
    let attributes = key_values(attributes);
    let span = Span { span_id: vec![7; 8], name: "ask".into(), kind, attributes, ..Default::default() };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..Default::default() }];
    let request =
        ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans, ..Default::default() }] };
    let translator = Translator::new(&Genai::default());
    let tally = translator.tally();
    let mut translating = Translating(translator, Children(children), tally);
    let outcome = traces::edit(&Bytes::from(request.encode_to_vec()), &mut translating).unwrap();
    spans(&outcome.body).remove(0)
}

fn number(number: i64) -> any_value::Value {
    any_value::Value::IntValue(number)
}

fn string(text: &str) -> any_value::Value {
    any_value::Value::StringValue(text.into())
}

fn tokens(span: &Span) -> (Option<i64>, Option<i64>) {
    (int(&span.attributes, "gen_ai.usage.input_tokens"), int(&span.attributes, "gen_ai.usage.output_tokens"))
}

#[test]
fn bare_counts_with_a_model_are_usage() {
    let span = translate(INTERNAL, &[("llm.model", string("gpt-4o")), ("prompt_tokens", string("29"))], false);
    assert_eq!(tokens(&span), (Some(29), None));
    assert_eq!(text(&span.attributes, "gen_ai.request.model"), Some("gpt-4o"));
    assert_eq!(attribute(&span.attributes, "prompt_tokens"), None);
    let span = translate(INTERNAL, &[("model", string("gpt-4o")), ("eval_count", number(13))], false);
    assert_eq!(tokens(&span), (None, Some(13)));
    assert_eq!(text(&span.attributes, "model"), Some("gpt-4o"));
}

#[test]
fn bare_counts_beside_their_sibling_are_usage() {
    let counts = [("input_tokens", number(29)), ("output_tokens", number(13)), ("total_tokens", number(42))];
    let span = translate(INTERNAL, &counts, false);
    assert_eq!(tokens(&span), (Some(29), Some(13)));
    assert_eq!(span.attributes.len(), 2, "{:?}", span.attributes);
    assert_eq!(span.name, "ask");
}

#[test]
fn a_lone_count_a_server_and_a_sum_over_children_stay_as_they_are() {
    let both = [("prompt_tokens", number(29)), ("completion_tokens", number(13))];
    for (kind, attributes, children) in
        [(INTERNAL, &both[..1], false), (SERVER, &both[..], false), (INTERNAL, &both[..], true)]
    {
        let span = translate(kind, attributes, children);
        assert_eq!(tokens(&span), (None, None));
        assert_eq!(span.attributes.len(), attributes.len());
    }
}

#[test]
fn exact_names_need_no_guard_and_are_believed_before_bare_ones() {
    let span = translate(
        SERVER,
        &[
            ("prompt_tokens", number(1)),
            ("llm.prompt_tokens", number(29)),
            ("usage.completion_tokens", any_value::Value::DoubleValue(13.0)),
            ("llm.tokens.total", number(42)),
            ("llm.provider", string("OpenAI")),
            ("llm.operation", string("completion")),
            ("llm.max_tokens", string("256")),
            ("llm.finish_reason", string("stop")),
            ("llm.cost_usd", any_value::Value::DoubleValue(0.5)),
        ],
        false,
    );
    assert_eq!(tokens(&span), (Some(29), Some(13)));
    assert_eq!(text(&span.attributes, "gen_ai.provider.name"), Some("openai"));
    assert_eq!(text(&span.attributes, "gen_ai.operation.name"), Some("text_completion"));
    assert_eq!(int(&span.attributes, "gen_ai.request.max_tokens"), Some(256));
    assert_eq!(int(&span.attributes, "prompt_tokens"), Some(1));
    assert!(attribute(&span.attributes, "llm.cost_usd").is_some());
    for gone in
        ["llm.prompt_tokens", "usage.completion_tokens", "llm.tokens.total", "llm.provider", "llm.finish_reason"]
    {
        assert_eq!(attribute(&span.attributes, gone), None, "{gone}");
    }
}

#[test]
fn a_whole_usage_object_is_read_and_stays() {
    for usage in [
        r#"{"prompt_tokens": 29, "completion_tokens": 13, "prompt_tokens_details": {"cached_tokens": 8}}"#,
        "{'prompt_tokens': 29, 'completion_tokens': 13, 'prompt_tokens_details': {'cached_tokens': 8}}",
        "CompletionUsage(completion_tokens=13, prompt_tokens=29, details=Details(cached_tokens=8))",
    ] {
        let span = translate(INTERNAL, &[("usage.model", string("gpt-4o")), ("usage", string(usage))], false);
        assert_eq!(tokens(&span), (Some(29), Some(13)), "{usage}");
        assert_eq!(int(&span.attributes, "gen_ai.usage.cache_read.input_tokens"), Some(8), "{usage}");
        assert_eq!(text(&span.attributes, "usage"), Some(usage));
    }
}
