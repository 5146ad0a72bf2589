//! OpenLLMetry's recorded spans of every era come out in the current words.

mod support;

use dragoman::genai::settings::Target;
use opentelemetry_proto::tonic::common::v1::any_value;
use support::made::{Made, Said};
use support::translated::{check_expected, check_promises, translated};
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

/// The wrappers get the convention's names and keep their keys; a task has no name in the convention.
#[test]
fn the_wrappers_of_a_workflow_keep_their_keys() {
    for emitter in ["traceloop-sdk-0.49.6", "openllmetry-langchain-0.62.4", "traceloop-crewai-0.62.4"] {
        for span in cases(emitter).iter().flat_map(|case| translated(case)) {
            for entry in span.before.attributes.iter().filter(|entry| entry.key.starts_with("traceloop.")) {
                assert_eq!(attribute(&span.after.attributes, &entry.key), entry.value.as_ref(), "{}", entry.key);
            }
            let said = |key: &str| text(&span.after.attributes, key).unwrap_or("-").to_owned();
            let name = match text(&span.before.attributes, "traceloop.span.kind") {
                Some("workflow") => format!("invoke_workflow {}", said("gen_ai.workflow.name")),
                Some("agent") => format!("invoke_agent {}", said("gen_ai.agent.name")),
                Some("tool") => format!("execute_tool {}", said("gen_ai.tool.name")),
                Some(_) => span.before.name.clone(),
                None => continue,
            };
            assert_eq!((&span.after.name, span.after.kind), (&name, span.before.kind));
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
    let span = Made::new(
        "opentelemetry.instrumentation.anthropic",
        "anthropic.chat",
        said! {
            "gen_ai.request.model" => "claude-sonnet-4",
            "gen_ai.completion.0.role" => "thinking",
            "gen_ai.completion.0.content" => "Let me see.",
            "gen_ai.completion.0.finish_reason" => "end_turn",
            "gen_ai.completion.1.role" => "assistant",
            "gen_ai.completion.1.content" => "Paris.",
        },
    )
    .kind(3)
    .version("0.49.6")
    .to(Target::V1_41);
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
    let span = Made::new(
        "opentelemetry.instrumentation.openai_agents",
        "openai.response",
        said! {
            "gen_ai.request.model" => "gpt-4o",
            "gen_ai.completion.0.role" => "assistant",
            "gen_ai.completion.0.content" => "Looking.",
            "gen_ai.completion.1.role" => "assistant",
            "gen_ai.completion.1.tool_calls.0.id" => "c1",
            "gen_ai.completion.1.tool_calls.0.name" => "f",
            "gen_ai.completion.1.finish_reason" => "tool_calls",
        },
    )
    .kind(3)
    .version("0.49.6")
    .to(Target::V1_41);
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
    let span = Made::new(
        "opentelemetry.instrumentation.cohere",
        "cohere.rerank",
        said! {
            "llm.request.type" => "rerank",
            "gen_ai.system" => "Cohere",
            "gen_ai.request.model" => "rerank-v3.5",
            "gen_ai.prompt.0.role" => "system",
            "gen_ai.prompt.0.content" => "A document.",
            "gen_ai.completion.0.content" => "Doc 0, Score: 0.9",
        },
    )
    .kind(3)
    .version("0.49.6")
    .to(Target::V1_41);
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
    let provider = |scope: &str, system: &str, more: &[(&'static str, &str)]| {
        let call = said! { "llm.request.type" => "chat", "gen_ai.request.model" => "m", "gen_ai.system" => system };
        let more = more.iter().map(|(key, value)| (*key, value.value()));
        let span = Made::new(scope, "openai.chat", call).with(more).kind(3).version("0.30.0").to(Target::V1_41);
        text(&span.attributes, "gen_ai.provider.name").unwrap().to_owned()
    };
    let openai = "opentelemetry.instrumentation.openai.v1";
    assert_eq!(provider("opentelemetry.instrumentation.bedrock", "anthropic", &[]), "aws.bedrock");
    assert_eq!(provider(openai, "OpenAI", &[("gen_ai.openai.api_version", "2024-02-01")]), "azure.ai.openai");
    assert_eq!(provider(openai, "OpenAI", &[("gen_ai.openai.api_base", "http://h:11434/v1/")]), "ollama");
}

/// What a workflow took and gave is messages only if it is.
#[test]
fn a_workflows_messages() {
    let workflow = |input: &str| {
        Made::new(
            "traceloop.tracer",
            "joke.workflow",
            said! {
                "traceloop.span.kind" => "workflow",
                "traceloop.workflow.name" => "joke",
                "traceloop.entity.input" => input,
            },
        )
        .version("0.40.0")
    };
    let call = r#"{"args": [], "kwargs": {"topic": "otel"}}"#;
    workflow(call).check(&[
        "invoke_workflow joke (INTERNAL)",
        "gen_ai.operation.name = invoke_workflow",
        "gen_ai.workflow.name = joke",
        "traceloop.span.kind = workflow",
        "traceloop.workflow.name = joke",
        &format!("traceloop.entity.input = {call}"),
    ]);
    let span = workflow(r#"{"inputs":{"messages":[{"role":"user","content":"Hi"}]}}"#).to(Target::Main);
    assert_eq!(
        text(&span.attributes, "gen_ai.input.messages"),
        Some(r#"[{"role":"user","parts":[{"type":"text","content":"Hi"}]}]"#)
    );
}

/// Documents, query and scores of a rerank, which stand there as messages.
#[test]
fn a_rerank_says_its_documents() {
    let span = Made::new(
        "opentelemetry.instrumentation.cohere",
        "cohere.rerank",
        said! {
            "llm.request.type" => "rerank",
            "gen_ai.system" => "Cohere",
            "gen_ai.request.model" => "rerank-v3.5",
            "gen_ai.prompt.0.role" => "system",
            "gen_ai.prompt.0.content" => "Paris is in France.",
            "gen_ai.prompt.1.role" => "system",
            "gen_ai.prompt.1.content" => "Rome is in Italy.",
            "gen_ai.prompt.2.role" => "user",
            "gen_ai.prompt.2.content" => "Where is Rome?",
            "gen_ai.completion.0.role" => "assistant",
            "gen_ai.completion.0.content" => "Doc 1, Score: 0.9",
        },
    )
    .kind(3)
    .version("0.40.0")
    .to(Target::Main);
    assert_eq!(text(&span.attributes, "gen_ai.retrieval.query.text"), Some("Where is Rome?"));
    assert_eq!(
        text(&span.attributes, "gen_ai.retrieval.documents"),
        Some(r#"[{"id":"1","score":0.9,"content":"Rome is in Italy."}]"#)
    );
    assert_eq!(text(&span.attributes, "gen_ai.prompt.1.content"), Some("Rome is in Italy."));
}

/// Of Cohere's second API each answer repeats its document below the score.
#[test]
fn a_score_before_its_document_is_read() {
    let span = &translated(&corpus().join("openllmetry-cohere-0.62.4/rerank"))[0].after;
    assert_eq!(
        text(&span.attributes, "gen_ai.retrieval.documents"),
        Some(
            r#"[{"id":"0","score":0.9,"content":"Paris is the capital of France."},{"id":"1","score":0.7,"content":"Rome is in Italy."}]"#
        )
    );
    assert_eq!(text(&span.attributes, "gen_ai.retrieval.query.text"), Some("What is the capital of France?"));
}

/// A role stands beside the prompt of endpoints that have none.
#[test]
fn ollamas_and_coheres_completions_complete_a_text() {
    for (scope, name) in [
        ("opentelemetry.instrumentation.ollama", "ollama.completion"),
        ("opentelemetry.instrumentation.cohere", "cohere.completion"),
        ("opentelemetry.instrumentation.together", "together.completion"),
    ] {
        let said = said! {
            "llm.request.type" => "completion",
            "gen_ai.request.model" => "codegemma",
            "gen_ai.prompt.0.role" => "user",
            "gen_ai.prompt.0.content" => "def f",
        };
        let span = Made::new(scope, name, said).kind(3).version("0.62.4").to(Target::V1_41);
        assert_eq!(span.name, "text_completion codegemma", "{name}");
    }
}

/// How many neighbours were asked for is no parameter of sampling.
#[test]
fn a_vector_databases_top_k_stays() {
    let said = said! { "db.system" => "Qdrant", "db.vector.query.top_k" => 2 };
    let made = Made::new("opentelemetry.instrumentation.qdrant", "qdrant.query_points", said).kind(3).version("0.62.4");
    let span = made.to(Target::V1_41);
    assert!(attribute(&span.attributes, "gen_ai.request.top_k").is_none());
    assert!(attribute(&span.attributes, "db.vector.query.top_k").is_some());
    assert_eq!(made.found(), None);
}

/// LangChain's wrapper of 0.26 has no word for the messages of tools.
#[test]
fn an_unknown_role_is_a_tools() {
    let span = Made::new(
        "opentelemetry.instrumentation.langchain",
        "ChatOpenAI.chat",
        said! {
            "llm.request.type" => "chat",
            "gen_ai.prompt.0.role" => "user",
            "gen_ai.prompt.0.content" => "Weather?",
            "gen_ai.prompt.1.role" => "assistant",
            "gen_ai.prompt.1.content" => "",
            "gen_ai.prompt.2.role" => "unknown",
            "gen_ai.prompt.2.content" => "18C",
        },
    )
    .kind(3)
    .version("0.40.0")
    .to(Target::Main);
    assert_eq!(
        text(&span.attributes, "gen_ai.input.messages"),
        Some(
            r#"[{"role":"user","parts":[{"type":"text","content":"Weather?"}]},{"role":"assistant","parts":[]},{"role":"tool","parts":[{"type":"tool_call_response","response":"18C"}]}]"#
        )
    );
}

/// Variables of a prompt have keys of their own, in the newer target too.
#[test]
fn variables_of_a_prompt() {
    let made = || {
        Made::new(
            "opentelemetry.instrumentation.openai.v1",
            "openai.chat",
            said! {
                "llm.request.type" => "chat",
                "traceloop.prompt.key" => "greet",
                "traceloop.prompt.version" => 3,
                "traceloop.prompt.template_variables.name" => "Ada",
            },
        )
        .kind(3)
        .version("0.40.0")
    };
    made().check(&[
        "chat (CLIENT)",
        "gen_ai.operation.name = chat",
        "gen_ai.prompt.name = greet",
        "traceloop.prompt.version = 3 (int)",
        "traceloop.prompt.template_variables.name = Ada",
    ]);
    made().check_main(&[
        "chat (CLIENT)",
        "gen_ai.operation.name = chat",
        "gen_ai.prompt.name = greet",
        "gen_ai.prompt.version = 3",
        "traceloop.prompt.version = 3 (int)",
        "gen_ai.prompt.variable.name = Ada",
    ]);
}

/// A chunk's event says when a stream's first chunk came; the error of a call is told by its body.
#[test]
fn first_chunks_and_errors() {
    let span = Made::new(
        "opentelemetry.instrumentation.openai.v1",
        "openai.chat",
        said! {
            "llm.request.type" => "chat",
            "gen_ai.prompt.prompt_error" => r#"{"error":{"type":"invalid_request_error","message":"no"}}"#,
        },
    )
    .kind(3)
    .version("0.40.0")
    .event_at(125, "llm.content.completion.chunk", said! {})
    .event_at(130, "llm.content.completion.chunk", said! {})
    .to(Target::V1_41);
    let seconds = attribute(&span.attributes, "gen_ai.response.time_to_first_chunk").unwrap();
    assert_eq!(seconds.value, Some(any_value::Value::DoubleValue(0.125)));
    assert_eq!(text(&span.attributes, "error.type"), Some("invalid_request_error"));
    assert_eq!(span.events.len(), 2);
}

/// Gateways write the same numbered keys under scopes of their own.
#[test]
fn a_gateways_indexed_prompts() {
    let span = Made::new(
        "tfy-llm-gateway",
        "ChatCompletion",
        said! {
            "gen_ai.system" => "openai",
            "gen_ai.request.model" => "gpt-4o",
            "gen_ai.prompt.0.role" => "user",
            "gen_ai.prompt.0.content" => "Hi",
            "gen_ai.completion.0.role" => "assistant",
            "gen_ai.completion.0.content" => "Hello",
            "gen_ai.completion.0.finish_reason" => "stop",
            "llm.usage.total_tokens" => 3,
            "gen_ai.usage.prompt_tokens" => 2,
            "gen_ai.usage.completion_tokens" => 1,
        },
    )
    .kind(3)
    .version("0.40.0");
    span.check(&[
        "ChatCompletion (CLIENT)",
        "gen_ai.operation.name = chat",
        "gen_ai.provider.name = openai",
        "gen_ai.request.model = gpt-4o",
        "gen_ai.response.finish_reasons = [stop]",
        "gen_ai.usage.input_tokens = 2 (int)",
        "gen_ai.usage.output_tokens = 1 (int)",
        r#"gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Hi"}]}]"#,
        r#"gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"Hello"}],"finish_reason":"stop"}]"#,
    ]);
}
