//! Spans on which two emitters spoke, one for each way in which a second pass once made something
//! else of what the first had left. What holds for all of them is in `genai_properties`.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail")]

mod genai_support;

use dragoman::genai::settings::{Genai, Mapping};
use genai_support::{Case, Done, all_settings, explain, keep, main, replace, translate};
use serde_json::json;

/// The span after one pass, and after another one that must not change it.
fn settled(case: Case, settings: &Genai) -> Done {
    let body = case.clone().request();
    let once = translate(&body, settings);
    assert!(translate(&once.body, settings).body == once.body, "a second pass changes {:?}", once.spans);
    case.run(settings)
}

fn litellm_beside_openllmetry() -> Case {
    Case::new("openai.chat")
        .scope("opentelemetry.instrumentation.openai.v1")
        .version("0.40.0")
        .text("SpanAttributes.LLM_COMPLETIONS.0.content", "Hello")
        .text("gen_ai.completion.10.tool_calls.1.arguments", "{}")
        .int("llm.openai.seed", 42)
}

#[test]
fn what_is_left_is_read_without_the_emitter_whose_keys_are_gone() {
    for settings in all_settings() {
        settled(litellm_beside_openllmetry(), &settings);
    }
    let done = settled(litellm_beside_openllmetry(), &replace());
    // LiteLLM's copy of a raw request becomes the draft's key again once LiteLLM is silent.
    assert_eq!(done.json()["gen_ai.request.seed"], json!(42));
    assert_eq!(done.translation.unwrap().dialect, "litellm", "the dialect that spoke first is named");
}

#[test]
fn a_scopes_own_correction_is_made_at_once() {
    let case = Case::new("x").scope("opentelemetry.instrumentation.bedrock").version("0.40.0");
    let done = settled(case.text("SpanAttributes.LLM_PROMPTS.0.content", "Hi"), &replace());
    assert_eq!(done.json()["gen_ai.provider.name"], json!("aws.bedrock"));
}

#[test]
fn every_key_is_counted_and_told_once_however_often_the_span_is_read() {
    let body = litellm_beside_openllmetry().request();
    let told = explain(&body, &replace()).unwrap();
    let keys: Vec<(&str, &str)> = told.keys.iter().map(|key| (key.key.as_str(), key.outcome)).collect();
    assert_eq!(
        keys,
        [
            ("SpanAttributes.LLM_COMPLETIONS.0.content", "expressed"),
            ("gen_ai.completion.10.tool_calls.1.arguments", "expressed"),
            ("llm.openai.seed", "expressed"),
        ]
    );
    let counted: u64 = translate(&body, &replace()).tally.iter().map(|(_, _, _, count)| count).sum();
    assert_eq!(counted, 3);
}

#[test]
fn a_word_that_its_own_dialect_lets_pass_is_read_as_under_the_current_name() {
    let done = settled(Case::new("litellm_request").text("llm.operation", "acompletion"), &replace());
    assert_eq!(done.json(), json!({"gen_ai.operation.name": "chat"}));
}

#[test]
fn a_named_total_is_a_sibling_of_bare_counts() {
    let case = Case::new("x").int("gen_ai.usage.total_tokens", 13).text("prompt_tokens", "null");
    let done = settled(case.int("usage.prompt_tokens", 1), &replace());
    assert_eq!(done.json(), json!({"gen_ai.usage.input_tokens": 1, "gen_ai.usage.output_tokens": 12}));
}

#[test]
fn a_correction_that_agrees_with_another_key_expresses_it() {
    let case = Case::new("x").scope("opentelemetry.instrumentation.bedrock").version("0.40.0");
    let case = case.text("gen_ai.system", "anthropic").text("llm.vendor", "aws.bedrock");
    assert_eq!(settled(case, &replace()).json(), json!({"gen_ai.provider.name": "aws.bedrock"}));
}

#[test]
fn what_is_said_by_absence_is_said_where_a_kept_key_says_otherwise() {
    let case = || Case::new("x").text("gen_ai.request.model", "m").bool("llm.is_streaming", false);
    assert!(settled(case(), &main()).json().get("gen_ai.request.stream").is_none());
    let done = settled(case().bool("litellm.request.streaming", true), &main());
    assert_eq!(done.json()["gen_ai.request.stream"], json!(false));
    assert_eq!(done.json()["litellm.request.streaming"], json!(true));
}

#[test]
fn pieces_of_a_list_that_says_otherwise_stay_together() {
    let pieces =
        [("llm.completions.0.tool_calls.0.arguments", "{}"), ("llm.completions.10.finish_reason", "tool_calls")];
    let case = Case::new("x").text("SpanAttributes.LLM_COMPLETIONS.0.finish_reason", "tool_calls");
    let done = settled(pieces.iter().fold(case, |case, (key, text)| case.text(key, text)), &replace());
    let json = done.json();
    assert!(pieces.iter().all(|(key, text)| json[key] == json!(text)), "{json}");
}

#[test]
fn a_routers_prefix_goes_whoever_said_the_provider() {
    let case = Case::new("litellm_request").text("gen_ai.llm.system", "ollama");
    let done = settled(case.text("gen_ai.llm.response.model", "ollama/codegemma"), &replace());
    assert_eq!(done.json()["gen_ai.response.model"], json!("codegemma"));
}

#[test]
fn an_embedding_is_known_by_its_total_too() {
    let case = Case::new("x").scope("litellm").text("gen_ai.request.model", "text-embedding-3");
    let done = settled(case.int("llm.usage.completion_tokens", 0).int("llm.usage.total_tokens", 13), &replace());
    assert_eq!(
        done.json(),
        json!({
            "gen_ai.operation.name": "embeddings", "gen_ai.request.model": "text-embedding-3",
            "gen_ai.usage.input_tokens": 13,
        })
    );
}

#[test]
fn a_mapping_does_not_apply_to_a_current_name() {
    let mapping = |key: &str, to: &str, values: &[(&str, &str)]| Mapping {
        key: key.to_owned(),
        to: to.to_owned(),
        values: values.iter().map(|(from, to)| (from.to_string(), to.to_string())).collect(),
    };
    let settings = Genai {
        mappings: vec![
            mapping("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", &[]),
            mapping("gen_ai.provider.name", "gen_ai.provider.name", &[("openai", "mine")]),
        ],
        ..Genai::default()
    };
    let done = settled(Case::new("x").int("llm.tokens.input", 13).text("llm.provider", "openai"), &settings);
    assert_eq!(done.json(), json!({"gen_ai.usage.input_tokens": 13, "gen_ai.provider.name": "openai"}));
}

#[test]
fn content_that_makes_way_is_counted() {
    let case = Case::new("x").strings("gen_ai.input.messages", &[""]).text("gen_ai.prompt.0.content", "Hi");
    let done = settled(case, &keep());
    assert_eq!(done.messages("gen_ai.input.messages")[0]["role"], json!("user"));
    assert!(done.counted("otel", "discarded", "shape", 1));
}

#[test]
fn of_a_key_that_stands_there_twice_the_first_counts_and_nothing_is_lost() {
    for settings in all_settings() {
        let case = Case::new("x").strings("gen_ai.request.n", &[""]).int("gen_ai.request.n", 3);
        settled(case.text("gen_ai.system", "openai").text("gen_ai.system", "cohere"), &settings);
    }
    let case = Case::new("x").text("gen_ai.system", "openai").text("gen_ai.system", "cohere");
    let done = settled(case, &replace());
    assert_eq!(done.json()["gen_ai.provider.name"], json!("openai"));
    let systems: Vec<_> = done.span.attributes.iter().filter(|entry| entry.key == "gen_ai.system").collect();
    assert_eq!(systems.len(), 2, "{:?}", done.keys());
    // What says the same twice is said.
    let case = Case::new("x").text("gen_ai.system", "openai").text("gen_ai.system", "openai");
    assert_eq!(settled(case, &replace()).json(), json!({"gen_ai.provider.name": "openai"}));
}

#[test]
fn what_a_dialect_reads_of_a_current_name_is_believed_before_legacy_keys() {
    for settings in all_settings() {
        let case = Case::new("x").scope("Azure.AI.Inference").text("llm.request.model", "a");
        settled(case.text("reranker.model_name", "b").text("llm.request.model_name", "c"), &settings);
        let case = Case::new("x").scope("Azure.AI.Inference").strings("gen_ai.response.finish_reasons", &["stop"]);
        let done = settled(case.text("llm.finish_reason", "length"), &settings);
        assert_eq!(done.json()["gen_ai.response.finish_reasons"], json!(["stop"]));
    }
}

#[test]
fn documents_stay_where_another_list_of_them_is_kept() {
    let case = || {
        Case::new("x")
            .text("retrieval.documents.0.document.content", "Paris is in France.")
            .text("reranker.output_documents.0.document.id", "d1")
    };
    for settings in all_settings() {
        let done = settled(case(), &settings);
        let documents = json!([{"content": "Paris is in France."}]);
        assert_eq!(done.messages("gen_ai.retrieval.documents"), documents);
        assert_eq!(done.json()["reranker.output_documents.0.document.id"], json!("d1"));
    }
}

#[test]
fn pieces_that_make_no_document_stay() {
    for (key, text) in [("metadata", r#"{"page":1}"#), ("score", "high"), ("content", "")] {
        let key = format!("retrieval.documents.0.document.{key}");
        for settings in all_settings() {
            let case = Case::new("x").text(&key, text).text("reranker.output_documents.0.document.id", "d1");
            assert_eq!(settled(case, &settings).json()[&key], json!(text));
        }
    }
}

#[test]
fn a_conversation_is_split_once() {
    for events in [
        r#"[{"role":"assistant","content":"Hello"}]"#,
        r#"[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"}]"#,
    ] {
        for settings in all_settings() {
            let done = settled(Case::new("chat m").scope("pydantic-ai").text("events", events), &settings);
            assert_eq!(done.messages("gen_ai.output.messages")[0]["role"], json!("assistant"));
            let input = done.json().get("gen_ai.input.messages").cloned();
            assert_eq!(input.is_some_and(|input| input.as_str().unwrap().contains("user")), events.contains("user"));
            assert!(done.counted("pydantic-ai", "expressed", "", 1));
        }
    }
}

#[test]
fn what_is_copied_from_a_current_name_stands_there_already() {
    let case = Case::new("x").scope("@arizeai/openinference").text("langsmith.request.streaming", "odd");
    let case = case.text("llm.input_messages.0.message.role", "user");
    let done = settled(case.text("llm.prompts.1.tool_calls.1.arguments", "odd"), &main());
    assert_eq!(done.json()["gen_ai.operation.name"], json!("chat"));
}

#[test]
fn a_count_that_only_the_total_says_is_repaired_at_once() {
    let case = Case::new("x").text("gen_ai.request.model", "m").int("gen_ai.usage.total_tokens", 29);
    let case = case.int("llm.usage.completion_tokens", 13).int("gen_ai.usage.cache_read_input_tokens", 29);
    let done = settled(case, &replace());
    assert_eq!(done.json()["gen_ai.usage.input_tokens"], json!(45));
    assert_eq!(done.json()["dragoman.usage.reported_input_tokens"], json!(16));
}

#[test]
fn an_events_role_is_the_conventions_word() {
    let case = Case::new("x").text("gen_ai.request.model", "m");
    let case = case.event("gen_ai.developer.message", &[("content", "Be brief."), ("other", "x")]);
    let done = settled(case.clone(), &replace());
    assert_eq!(done.messages("gen_ai.input.messages")[0]["role"], json!("system"));
    let done = settled(case.event("gen_ai.choice", &[("content", "Hi"), ("role", "unknown")]), &keep());
    assert_eq!(done.messages("gen_ai.output.messages")[0]["role"], json!("assistant"));
}

#[test]
fn a_python_literal_is_read_as_under_the_current_name() {
    let case = Case::new("x").resource("telemetry.sdk.name", "openlit");
    let case = case.text("gen_ai.operation.name", "execute_tool").text("haystack.agent.step.tool.input", "{'a': None}");
    for settings in all_settings() {
        let done = settled(case.clone(), &settings);
        assert_eq!(done.json()["gen_ai.tool.call.arguments"], json!(r#"{"a":null}"#));
    }
}

#[test]
fn a_model_that_a_dialects_own_rule_finds_opens_the_guard() {
    let case = Case::new("x").text("gen_ai.output.type", "text").text("llm.model_name", "m");
    let done = settled(case.int("eval_count", 42), &replace());
    assert_eq!(done.json()["gen_ai.usage.output_tokens"], json!(42));
}

#[test]
fn what_depends_on_the_operation_is_read_beside_the_name_that_a_quirk_gives_it() {
    let case = Case::new("Embedding Creation with m").scope("logfire.openai").text("gen_ai.request.model", "m");
    let done = settled(case.text("langfuse.observation.input", "Hi"), &replace());
    assert_eq!(done.json()["gen_ai.operation.name"], json!("embeddings"));
    assert_eq!(done.messages("gen_ai.input.messages")[0]["role"], json!("user"));
}

#[test]
fn what_a_later_pass_discards_is_told() {
    let case = Case::new("x").text("mastra.span.type", "model_generation").text("langsmith.span.kind", "chain");
    settled(case.clone(), &replace());
    let told = explain(&case.request(), &replace()).unwrap();
    assert_eq!((told.keys[0].key.as_str(), told.keys[0].outcome), ("mastra.span.type", "discarded"));
    let case = Case::new("x").text("mastra.span.type", "odd").text("langsmith.span.kind", "chain");
    assert_eq!(settled(case, &replace()).json()["gen_ai.operation.name"], json!("odd"));
}

#[test]
fn two_things_of_one_name_in_a_block_are_told_apart() {
    let of = |piece: &str| format!("llm.input_messages.0.message.contents.0.message_content.{piece}");
    let case =
        Case::new("x").text(&of("text"), "Hi").text(&of("image.image.url"), "a").text(&of("audio.audio.url"), "b");
    let message = settled(case, &replace()).messages("gen_ai.input.messages").to_string();
    assert!(message.contains(r#""url":"a""#) && message.contains(r#""url_2":"b""#), "{message}");
}

#[test]
fn a_kind_that_is_no_word_does_not_displace_a_current_name() {
    let case = Case::new("x").scope("openinference.instrumentation").text("langsmith.span.kind", "odd");
    let done = settled(case.text("openinference.span.kind", "LLM"), &replace());
    assert_eq!(done.json()["gen_ai.operation.name"], json!("chat"));
    // LangSmith's own exporter guesses the name, and knows the kind.
    let case = Case::new("x").scope("langsmith").text("langsmith.span.kind", "tool");
    let done = settled(case.text("gen_ai.operation.name", "chat"), &replace());
    assert_eq!(done.json()["gen_ai.operation.name"], json!("execute_tool"));
}
