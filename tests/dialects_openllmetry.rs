//! OpenLLMetry's recorded spans of every era come out in the current words.

mod support;

use support::translated::{check_expected, check_promises, string, translated, translated_span};
use support::{attribute, cases, corpus, text};

const EMITTERS: &[&str] = &[
    "openllmetry-0.16.6",
    "openllmetry-0.40.9",
    "openllmetry-0.49.6",
    "openllmetry-0.62.4",
    "openllmetry-langchain+openai-0.26.5",
    "openllmetry-langchain+openai-0.40.9",
    "openllmetry-langchain-0.62.4",
    "traceloop-sdk-0.16.6",
    "traceloop-sdk-0.49.6",
    "traceloop-sdk-0.62.4",
    "traceloop-crewai-0.62.4",
    "traceloop-node-0.27.0-proto",
    "dual-langchain-0.49.6+openai-v2-2.4b0",
    "dual-openllmetry-openai-0.49.6+openai-v2-2.4b0",
    "app+litellm-proxy-1.65.8",
];

/// Keys whose whole content has a place in the current words.
const LEGACY: &[&str] = &[
    "llm.prompts.*",
    "llm.completions.*",
    "gen_ai.prompt.*",
    "gen_ai.completion.*",
    "llm.request.functions.*",
    "SpanAttributes.LLM_PROMPTS.*",
    "SpanAttributes.LLM_COMPLETIONS.*",
    "SpanAttributes.LLM_REQUEST_FUNCTIONS.*",
    "llm.vendor",
    "llm.request.type",
    "llm.request.model",
    "llm.response.model",
    "llm.request.max_tokens",
    "llm.temperature",
    "llm.top_p",
    "llm.frequency_penalty",
    "llm.presence_penalty",
    "llm.is_streaming",
    "gen_ai.is_streaming",
    "llm.usage.prompt_tokens",
    "llm.usage.completion_tokens",
    "llm.usage.total_tokens",
    "gen_ai.usage.prompt_tokens",
    "gen_ai.usage.completion_tokens",
    "gen_ai.usage.total_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "gen_ai.usage.reasoning_tokens",
    "llm.usage.reasoning_tokens",
    "gen_ai.openai.system_fingerprint",
    "gen_ai.openai.response.system_fingerprint",
    "gen_ai.openai.response.service_tier",
    "anthropic.message.stop_reason",
];

#[test]
fn every_case_keeps_the_promises() {
    // `None` as text, and empty lists, are words for nothing.
    let legacy = [LEGACY, &["llm.headers", "llm.request.reasoning_effort"]].concat();
    for case in EMITTERS.iter().flat_map(|emitter| cases(emitter)) {
        check_promises(&case, &translated(&case), &legacy);
    }
}

#[test]
fn every_case_says_what_was_said() {
    check_expected("openllmetry.txt", EMITTERS);
}

#[test]
fn the_wrappers_of_a_workflow_keep_their_keys() {
    for emitter in ["traceloop-sdk-0.49.6", "openllmetry-langchain-0.62.4", "traceloop-crewai-0.62.4"] {
        for span in cases(emitter).iter().flat_map(|case| translated(case)) {
            for entry in span.before.attributes.iter().filter(|entry| entry.key.starts_with("traceloop.")) {
                assert_eq!(attribute(&span.after.attributes, &entry.key), entry.value.as_ref(), "{}", entry.key);
            }
            if text(&span.before.attributes, "traceloop.span.kind").is_some() {
                assert_eq!((&span.before.name, span.before.kind), (&span.after.name, span.after.kind));
            }
        }
    }
}

#[test]
fn only_a_workflow_gets_the_workflows_name() {
    let spans = cases("traceloop-sdk-0.49.6").iter().flat_map(|case| translated(case)).collect::<Vec<_>>();
    assert!(spans.iter().any(|span| text(&span.after.attributes, "gen_ai.workflow.name").is_some()));
    for span in spans {
        if text(&span.before.attributes, "traceloop.span.kind") != Some("workflow") {
            assert_eq!(text(&span.after.attributes, "gen_ai.workflow.name"), None, "{}", span.before.name);
        }
    }
}

#[test]
fn a_current_span_of_an_official_package_is_not_touched() {
    for span in translated(&corpus().join("dual-genai-openai-1.3b0+openllmetry-openai-0.62.4/chat")) {
        if span.before.name == "chat gpt-4o-mini" {
            assert_eq!(span.before, span.after);
        }
    }
}

/// Anthropic's thinking has the number 0 and the finish reason, the answer the number 1.
#[test]
fn thoughts_and_their_answer_are_one_choice() {
    let span = translated_span(
        "opentelemetry.instrumentation.anthropic",
        "0.49.6",
        "anthropic.chat",
        &[
            ("gen_ai.request.model", string("claude-sonnet-4")),
            ("gen_ai.completion.0.role", string("thinking")),
            ("gen_ai.completion.0.content", string("Let me see.")),
            ("gen_ai.completion.0.finish_reason", string("end_turn")),
            ("gen_ai.completion.1.role", string("assistant")),
            ("gen_ai.completion.1.content", string("Paris.")),
        ],
    );
    assert_eq!(
        text(&span.attributes, "gen_ai.output.messages"),
        Some(
            r#"[{"role":"assistant","parts":[{"type":"reasoning","content":"Let me see."},{"type":"text","content":"Paris."}],"finish_reason":"stop"}]"#
        )
    );
}

/// openai-agents numbers the items of one answer.
#[test]
fn the_items_of_an_agents_answer_are_one_choice() {
    let span = translated_span(
        "opentelemetry.instrumentation.openai_agents",
        "0.49.6",
        "openai.response",
        &[
            ("gen_ai.request.model", string("gpt-4o")),
            ("gen_ai.completion.0.role", string("assistant")),
            ("gen_ai.completion.0.content", string("Looking.")),
            ("gen_ai.completion.1.role", string("assistant")),
            ("gen_ai.completion.1.tool_calls.0.id", string("c1")),
            ("gen_ai.completion.1.tool_calls.0.name", string("f")),
            ("gen_ai.completion.1.finish_reason", string("tool_calls")),
        ],
    );
    assert_eq!(
        text(&span.attributes, "gen_ai.output.messages"),
        Some(
            r#"[{"role":"assistant","parts":[{"type":"text","content":"Looking."},{"type":"tool_call","id":"c1","name":"f"}],"finish_reason":"tool_call"}]"#
        )
    );
}

/// The documents of a rerank stand there as system prompts, the scores as completions.
#[test]
fn a_rerank_has_no_messages() {
    let attributes = [
        ("llm.request.type", string("rerank")),
        ("gen_ai.system", string("Cohere")),
        ("gen_ai.request.model", string("rerank-v3.5")),
        ("gen_ai.prompt.0.role", string("system")),
        ("gen_ai.prompt.0.content", string("A document.")),
        ("gen_ai.completion.0.content", string("Doc 0, Score: 0.9")),
    ];
    let span = translated_span("opentelemetry.instrumentation.cohere", "0.49.6", "cohere.rerank", &attributes);
    for key in ["gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions"] {
        assert_eq!(text(&span.attributes, key), None, "{key}");
    }
    assert_eq!(text(&span.attributes, "gen_ai.operation.name"), Some("rerank"));
    assert_eq!(text(&span.attributes, "gen_ai.prompt.0.content"), Some("A document."));
    assert_eq!(text(&span.attributes, "gen_ai.completion.0.content"), Some("Doc 0, Score: 0.9"));
    assert_eq!(span.name, "rerank rerank-v3.5");
}

#[test]
fn the_service_is_the_provider_where_the_client_is_not() {
    let provider = |scope: &str, more: &[(&str, opentelemetry_proto::tonic::common::v1::any_value::Value)]| {
        let mut attributes = vec![("llm.request.type", string("chat")), ("gen_ai.request.model", string("m"))];
        attributes.extend(more.iter().cloned());
        let span = translated_span(scope, "0.30.0", "openai.chat", &attributes);
        text(&span.attributes, "gen_ai.provider.name").unwrap().to_owned()
    };
    let openai = "opentelemetry.instrumentation.openai.v1";
    assert_eq!(
        provider("opentelemetry.instrumentation.bedrock", &[("gen_ai.system", string("anthropic"))]),
        "aws.bedrock"
    );
    let azure = [("gen_ai.system", string("OpenAI")), ("gen_ai.openai.api_version", string("2024-02-01"))];
    assert_eq!(provider(openai, &azure), "azure.ai.openai");
    let ollama = [("gen_ai.system", string("OpenAI")), ("gen_ai.openai.api_base", string("http://h:11434/v1/"))];
    assert_eq!(provider(openai, &ollama), "ollama");
}
