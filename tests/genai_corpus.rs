//! Recorded requests of real emitters: what they mean after translation, and what must never
//! change.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail")]

mod genai_support;
mod support;

use dragoman::genai::settings::Target;
use genai_support::{all_settings, attributes, main, messages, replace, translate};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde_json::{Value, json};
use support::{cases, corpus, requests};

fn case(path: &str) -> Vec<bytes::Bytes> {
    requests(&corpus().join(path), "traces.pb")
}

/// The spans of a case's requests, translated.
fn translated(path: &str, settings: &dragoman::genai::settings::Genai) -> Vec<Span> {
    case(path).iter().flat_map(|body| translate(body, settings).spans).collect()
}

fn span<'s>(spans: &'s [Span], name: &str) -> &'s Span {
    spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no span {name}"))
}

/// Attributes without content, for comparison as a whole.
fn scalars(span: &Span) -> Value {
    let mut all = attributes(span);
    if let Some(all) = all.as_object_mut() {
        for key in ["gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.tool.definitions"] {
            all.remove(key);
        }
    }
    all
}

#[test]
fn the_codegemma_call_of_litellm() {
    let body = &case("litellm-proxy-1.40.18/codegemma_seed")[0];
    let done = translate(body, &replace());
    let call = span(&done.spans, "chat codegemma");
    assert_eq!(call.kind(), SpanKind::Client);
    assert_eq!(
        scalars(call),
        json!({
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "ollama",
            "gen_ai.request.model": "codegemma",
            "gen_ai.response.model": "codegemma",
            "gen_ai.response.id": "chatcmpl-8f01a1af-edb0-4cb2-bc9a-81af89eedd06",
            "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.request.stream": false,
            "gen_ai.usage.input_tokens": 19,
            "gen_ai.usage.output_tokens": 9,
        })
    );
    assert_eq!(
        messages(call, "gen_ai.input.messages"),
        json!([{
            "role": "user",
            "parts": [{"type": "text", "content": "Write a Python function that adds two numbers"}],
        }])
    );
    assert_eq!(
        messages(call, "gen_ai.output.messages"),
        json!([{
            "role": "assistant",
            "parts": [{"type": "text", "content": "def add(a, b):\n    return a + b"}],
            "finish_reason": "stop",
        }])
    );
    // The two other spans are no calls.
    let before = support::spans(body);
    for name in ["raw_gen_ai_request", "Received Proxy Server Request"] {
        assert_eq!(span(&done.spans, name), span(&before, name));
    }
    let note = done.translations.iter().flatten().next().unwrap();
    assert_eq!((note.dialect, note.target), ("litellm", Target::V1_41));
    assert_eq!((note.input_tokens, note.output_tokens), (Some(19), Some(9)));
    // The newer target says "not streamed" by absence and has no finish reasons in messages.
    let done = translate(body, &main());
    let call = span(&done.spans, "chat codegemma");
    assert_eq!(attributes(call).get("gen_ai.request.stream"), None);
    assert_eq!(messages(call, "gen_ai.output.messages")[0].get("finish_reason"), None);
}

/// LiteLLM 1.109 writes the answer without its tool call, and the call beside it.
#[test]
fn the_tool_call_of_litellm_1_109_stands_in_its_message() {
    let spans = translated("litellm-1.109.1/tools", &replace());
    let calls: Vec<&Span> = spans.iter().filter(|span| span.name == "chat gpt-4o-mini").collect();
    assert_eq!(
        messages(calls[0], "gen_ai.output.messages"),
        json!([{
            "role": "assistant",
            "parts": [{"type": "tool_call", "name": "get_weather", "arguments": {"city": "Paris"}}],
            "finish_reason": "tool_call",
        }])
    );
    let all = attributes(calls[0]);
    assert_eq!(all["gen_ai.response.finish_reasons"], json!(["tool_calls"]));
    assert_eq!(all.get("gen_ai.completion.0.function_call.name"), None);
    // What the conventions have no words for stays.
    assert_eq!(all["gen_ai.cost.total_cost"], json!(1.875e-5));
    assert_eq!(all["metadata.applied_guardrails"], json!("[]"));
}

#[test]
fn openai_v2_speaks_the_names_of_1_30() {
    let spans = translated("openai-v2-2.4b0/tools", &replace());
    assert_eq!(
        attributes(&spans[0]),
        json!({
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "gpt-4o-mini",
            "gen_ai.provider.name": "openai",
            "server.address": "127.0.0.1",
            "server.port": 18081,
            "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
            "gen_ai.response.finish_reasons": ["tool_calls"],
            "gen_ai.response.id": "chatcmpl-000070",
            "openai.response.service_tier": "default",
            "gen_ai.usage.input_tokens": 57,
            "gen_ai.usage.output_tokens": 17,
        })
    );
    assert_eq!((spans[0].name.as_str(), spans[0].kind()), ("chat gpt-4o-mini", SpanKind::Client));
    let spans = translated("openai-v2-2.4b0/embeddings", &replace());
    let embeddings = attributes(&spans[0]);
    assert_eq!(embeddings["gen_ai.provider.name"], json!("openai"));
    assert_eq!(embeddings.get("gen_ai.usage.output_tokens"), None);
}

#[test]
fn genai_openai_is_current_and_passes_byte_for_byte() {
    for emitter in ["genai-openai-1.3b0", "genai-openai-1.3b0-spanandevent"] {
        for case in cases(emitter) {
            for body in requests(&case, "traces.pb") {
                for settings in all_settings() {
                    let done = translate(&body, &settings);
                    assert!(done.body == body, "{} for {:?}", case.display(), settings.target);
                    assert!(done.translations.iter().all(|translation| translation.is_some()));
                }
            }
        }
    }
}

fn emitters() -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(corpus()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_second_pass_changes_nothing() {
    for emitter in emitters() {
        for case in cases(&emitter) {
            for body in requests(&case, "traces.pb") {
                for settings in all_settings() {
                    let once = translate(&body, &settings);
                    let twice = translate(&once.body, &settings);
                    assert_eq!(once.spans, twice.spans, "{} for {settings:?}", case.display());
                    assert!(once.body == twice.body, "{} for {settings:?}", case.display());
                }
            }
        }
    }
}

/// The way from 1.41 to main and straight to main lead to the same place.
#[test]
fn what_1_41_says_main_can_say() {
    for emitter in emitters() {
        for case in cases(&emitter) {
            for body in requests(&case, "traces.pb") {
                let direct = translate(&body, &main());
                let detour = translate(&translate(&body, &replace()).body, &main());
                let tokens = |spans: &[Span]| -> Vec<Value> {
                    spans
                        .iter()
                        .map(|span| {
                            let all = attributes(span);
                            ["gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "gen_ai.operation.name"]
                                .map(|key| all[key].clone())
                                .into()
                        })
                        .collect()
                };
                assert_eq!(tokens(&direct.spans), tokens(&detour.spans), "{}", case.display());
            }
        }
    }
}

#[test]
fn keep_only_adds() {
    for emitter in emitters() {
        for case in cases(&emitter) {
            for body in requests(&case, "traces.pb") {
                let before = support::spans(&body);
                for settings in &all_settings()[1..=1] {
                    for (before, after) in before.iter().zip(translate(&body, settings).spans) {
                        let (before_attributes, after_attributes) = (attributes(before), attributes(&after));
                        for (key, value) in before_attributes.as_object().unwrap() {
                            let now = &after_attributes[key];
                            assert!(!now.is_null() || value.is_null(), "{key} of {} went", case.display());
                        }
                        assert_eq!(before.events, after.events);
                    }
                }
            }
        }
    }
}

/// How keys of LLM libraries begin.
const LLM_PREFIXES: &[&str] = &[
    "SpanAttributes.",
    "__",
    "ai.",
    "braintrust.",
    "codex.tool.phase",
    "codex.turn.token_usage.",
    "crew_",
    "crewai.",
    "embedding.",
    "fastmcp.",
    "gcp.vertex.agent",
    "gen_ai.",
    "genkit:",
    "haystack.",
    "input.",
    "langfuse.",
    "langsmith.",
    "langtrace.",
    "langwatch.",
    "llama_stack.",
    "llm.",
    "logfire.",
    "mcp",
    "mlflow.",
    "openai.",
    "openinference.",
    "openlit.",
    "output",
    "pydantic_ai.",
    "request_data",
    "response_data",
    "retrieval.",
    "server_label",
    "sk.",
    "span.type",
    "strands.",
    "tool",
    "traceloop.",
    "voltagent.",
];

/// How events of LLM libraries begin: LlamaIndex' are named after classes.
fn says_llm_event(name: &str) -> bool {
    ["gen_ai.", "LLM", "Embedding", "Retrieval"].iter().any(|prefix| name.starts_with(prefix))
}

/// Foreign spans of every recorded application come out as they went in.
#[test]
fn spans_without_llm_keys_are_not_touched() {
    let mut foreign = 0;
    for emitter in emitters() {
        for case in cases(&emitter) {
            for body in requests(&case, "traces.pb") {
                let done = translate(&body, &replace());
                for ((before, after), translation) in
                    support::spans(&body).iter().zip(&done.spans).zip(&done.translations)
                {
                    let says_llm = |key: &str| LLM_PREFIXES.iter().any(|prefix| key.starts_with(prefix));
                    let llm = before.attributes.iter().any(|entry| says_llm(&entry.key))
                        || before.events.iter().any(|event| says_llm_event(&event.name));
                    if !llm {
                        foreign += 1;
                        assert_eq!(before, after);
                        assert!(translation.is_none(), "{}", before.name);
                    }
                }
            }
        }
    }
    assert!(foreign > 100, "{foreign}");
}
