//! What holds for every mixture of keys and values, sensible or not.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail")]

mod genai_support;

use dragoman::genai::settings::{Genai, Originals, Target};
use genai_support::{Case, Done, attributes, translate};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use proptest::prelude::*;
use serde_json::{Value, json};

/// Keys that several emitters have.
const KEYS: &[&str] = &[
    "gen_ai.system",
    "gen_ai.provider.name",
    "gen_ai.operation.name",
    "gen_ai.request.model",
    "gen_ai.response.model",
    "gen_ai.response.id",
    "gen_ai.request.max_tokens",
    "gen_ai.request.temperature",
    "gen_ai.request.top_k",
    "gen_ai.retrieval.top_k",
    "gen_ai.request.stream",
    "gen_ai.request.choice.count",
    "gen_ai.request.stop_sequences",
    "gen_ai.response.finish_reasons",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.prompt_tokens",
    "gen_ai.usage.completion_tokens",
    "gen_ai.usage.total_tokens",
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.tool.definitions",
    "gen_ai.tool.call.arguments",
    "gen_ai.prompt",
    "gen_ai.prompt.0.role",
    "gen_ai.prompt.0.content",
    "gen_ai.prompt.10.content",
    "gen_ai.prompt.name",
    "gen_ai.completion.0.role",
    "gen_ai.completion.0.content",
    "gen_ai.completion.0.finish_reason",
    "gen_ai.completion.1.finish_reason",
    "gen_ai.completion.0.function_call.name",
    "llm.request.type",
    "llm.request.model",
    "llm.is_streaming",
    "llm.usage.total_tokens",
    "llm.usage.prompt_tokens",
    "llm.request.functions.0.name",
    "llm.request.functions.0.parameters",
    "llm.headers",
    "llm.user",
    "server.address",
    "server.port",
    "error.type",
    "http.request.method",
];

/// Keys of LiteLLM.
const LITELLM: &[&str] = &[
    "SpanAttributes.LLM_PROMPTS.0.content",
    "SpanAttributes.LLM_COMPLETIONS.0.content",
    "gen_ai.completion.1.function_call.arguments",
    "metadata.user_api_key_hash",
    "metadata.usage_object",
];

/// Keys of OpenLLMetry.
const OPENLLMETRY: &[&str] = &[
    "gen_ai.prompt.1.user",
    "gen_ai.prompt.1.tool_call_id",
    "gen_ai.completion.0.tool_calls.0.name",
    "gen_ai.completion.0.tool_calls.0.arguments",
    "traceloop.span.kind",
    "traceloop.entity.name",
    "traceloop.entity.input",
];

/// Keys that people write.
const HANDWRITTEN: &[&str] = &["prompt_tokens", "completion_tokens", "total_tokens", "usage", "model"];

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        prop::sample::select(vec![
            json!("gpt-4o"),
            json!("openai"),
            json!("ollama/codegemma"),
            json!("Unknown"),
            json!("Langchain"),
            json!("chat"),
            json!("completion"),
            json!("embedding"),
            json!("retrieval"),
            json!("user"),
            json!("tool"),
            json!("thinking"),
            json!("stop"),
            json!("tool_calls"),
            json!("None"),
            json!("True"),
            json!("False"),
            json!("29"),
            json!(""),
            json!("\"\""),
            json!("[]"),
            json!("{\"a\": 1}"),
            json!("[\"stop\"]"),
            json!("['stop', None]"),
            json!("{'prompt_tokens': 29, 'completion_tokens': 13}"),
            json!("[{\"role\":\"user\",\"content\":\"Hi\"}]"),
            json!("[{\"role\":\"user\",\"parts\":[{\"type\":\"text\",\"content\":\"Hi\"}]}]"),
            json!("[{\"role\":\"assistant\",\"parts\":[]}]"),
            json!("[{\"role\":\"assistant\",\"parts\":[],\"finish_reason\":\"stop\"}]"),
            json!("[{\"type\":\"text\",\"content\":\"Be brief.\"}]"),
            json!("[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]"),
            json!("[{\"role\":\"user\",\"content\":\"cut"),
            json!(["stop"]),
            json!([]),
            json!([{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]),
            json!({"city": "Paris"}),
            json!(null),
            json!(true),
            json!(false),
            json!(0),
            json!(1),
            json!(-1),
            json!(29),
            json!(42),
            json!(0.5),
            json!(29.0),
        ]),
        "[ -~]{0,12}".prop_map(|text| json!(text)),
    ]
}

fn settings() -> impl Strategy<Value = Genai> {
    (any::<bool>(), any::<bool>()).prop_map(|(main, keep)| Genai {
        target: if main { Target::Main } else { Target::V1_41 },
        originals: if keep { Originals::Keep } else { Originals::Replace },
        mappings: Vec::new(),
    })
}

fn case() -> impl Strategy<Value = Case> {
    // An emitter and what several have; two emitters on one span are tested by hand.
    let emitter = prop::sample::select(vec![
        ("litellm", LITELLM, "litellm_request"),
        ("", LITELLM, "litellm_request"),
        ("litellm", LITELLM, "raw_gen_ai_request"),
        ("opentelemetry.instrumentation.openai.v1", OPENLLMETRY, "openai.chat"),
        ("", OPENLLMETRY, "openai.chat"),
        ("app", HANDWRITTEN, "mine"),
    ]);
    let kind = prop::sample::select(vec![SpanKind::Internal, SpanKind::Client, SpanKind::Server]);
    let events = prop::collection::vec(
        (
            prop::sample::select(vec!["gen_ai.content.prompt", "gen_ai.choice", "gen_ai.tool.message", "exception"]),
            prop::sample::select(vec!["gen_ai.prompt", "message", "content", "finish_reason", "id", "other"]),
            value(),
        ),
        0..3,
    );
    let entries = emitter.prop_flat_map(|(scope, keys, name)| {
        let keys = [KEYS, keys].concat();
        (Just((scope, name)), prop::collection::vec((prop::sample::select(keys), value()), 0..14))
    });
    (entries, kind, events).prop_map(|(((scope, name), entries), kind, events)| {
        let case = Case::new(name).scope(scope).kind(kind);
        let case = entries.into_iter().fold(case, |case, (key, value)| case.structured_or_empty(key, value));
        events.into_iter().fold(case, |case, (name, key, value)| {
            let text = value.as_str().unwrap_or("text").to_owned();
            case.event(name, &[(key, &text)])
        })
    })
}

/// Keys that are gone were expressed or discarded: never more than were counted so.
fn gone(before: &Case, after: &Done) -> usize {
    let now = attributes(&after.span);
    attributes(before.span()).as_object().unwrap().keys().filter(|key| now.get(key.as_str()).is_none()).count()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_second_pass_changes_nothing(case in case(), settings in settings()) {
        let body = case.request();
        let once = translate(&body, &settings);
        let twice = translate(&once.body, &settings);
        prop_assert_eq!(&once.spans, &twice.spans);
        prop_assert!(once.body == twice.body);
    }

    #[test]
    fn nothing_disappears_unaccounted(case in case(), settings in settings()) {
        let done = case.clone().run(&settings);
        let count = |outcome: &str| -> u64 {
            done.tally.iter().filter(|(_, of, _, _)| *of == outcome).map(|(_, _, _, count)| count).sum()
        };
        let gone = gone(&case, &done) as u64;
        prop_assert!(gone <= count("expressed") + count("discarded"));
        if settings.originals == Originals::Keep {
            prop_assert_eq!(gone, 0);
        }
        if done.translation.is_none() {
            prop_assert!(done.unchanged);
        }
        // A current scalar of the right type is never replaced by another one, but for a zero.
        let (before, after) = (attributes(case.span()), attributes(&done.span));
        for key in ["gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"] {
            if let Some(number) = before[key].as_i64().filter(|number| *number > 0 && before[key].is_i64()) {
                prop_assert_eq!(after[key].as_i64(), Some(number), "{}", key);
            }
        }
    }
}
