//! Every known way in which usage is said more than once, or wrongly: what is counted of it must be what
//! the provider billed.
//!
//! A trap is shown by a recording where there is one. Beside the sum a test says which rule of the
//! ledger had to hold, so that none passes because the emitter changed its mind.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::collections::BTreeMap;

use bytes::Bytes;
use dragoman::genai::settings::{Genai as Settings, Target};
use dragoman::processor::genai::Genai;
use support::replay::{Case, Counter, Tokens, cases, pass};

fn case(path: &str) -> Case {
    let (emitter, name) = path.split_once('/').unwrap();
    cases(emitter).into_iter().find(|case| case.name == name).unwrap_or_else(|| panic!("no case {path}"))
}

/// Input and output tokens as the provider billed them, in the conventions' way of counting.
fn billed(case: &Case) -> Tokens {
    let number = |value: &serde_json::Value| value.as_u64().unwrap_or(0);
    let calls = case.described["llm_calls"].as_array().unwrap();
    calls.iter().fold((0, 0), |(input, output), call| {
        let usage = &call["usage"];
        let cached = number(&usage["cache_read_input_tokens"]) + number(&usage["cache_creation_input_tokens"]);
        let thoughts = number(&usage["thoughtsTokenCount"]);
        (input + number(&call["input_tokens"]) + cached, output + number(&call["output_tokens"]) + thoughts)
    })
}

fn count(requests: &[&Bytes]) -> (Tokens, BTreeMap<&'static str, usize>) {
    let genai = Genai::new(&Settings { target: Target::V1_41, ..Settings::default() });
    let counter = Counter::new();
    for request in requests {
        pass(request, &genai, Some(&counter));
    }
    (counter.total(), counter.suppressed())
}

/// Counts a recorded case in both orders of arrival: the bill, each time, and `reasons` for the rest.
#[track_caller]
fn trap(path: &str, reasons: &[&str]) {
    let case = case(path);
    let billed = billed(&case);
    assert!(billed.0 > 0, "{path} shows nothing: no tokens were billed");
    let mut requests: Vec<&Bytes> = case.requests.iter().collect();
    for order in ["in order", "in reverse"] {
        let (counted, suppressed) = count(&requests);
        assert_eq!(counted, billed, "{path}, {order}; left out: {suppressed:?}");
        for reason in reasons {
            assert!(
                suppressed.contains_key(reason),
                "{path}, {order}: nothing was left out as {reason}: {suppressed:?}"
            );
        }
        requests.reverse();
    }
}

// --- the same span again ---------------------------------------------------------------------------

#[test]
fn every_span_is_exported_twice() {
    trap("llama-stack-0.2.23/chat", &["re_export"]);
    trap("llama-stack-0.2.23/tool_round_trip", &["re_export"]);
}

#[test]
fn an_export_is_tried_again() {
    let case = case("openai-v2-2.4b0/tools");
    let once: Vec<&Bytes> = case.requests.iter().collect();
    let twice = [once.clone(), once].concat();
    let (counted, suppressed) = count(&twice);
    assert_eq!(counted, billed(&case));
    assert!(suppressed.contains_key("re_export"), "{suppressed:?}");
}

// --- a parent says what its children say -----------------------------------------------------------

#[test]
fn a_parent_repeats_the_sum_under_the_same_keys() {
    trap("agent-framework-1.23.0/tool_round_trip", &["not_a_model_call"]);
    trap("pydantic-ai-1.9.1-v2/tool_round_trip", &["not_a_model_call"]);
    trap("vercel-ai-7.0.173-json/generate_text", &["not_a_model_call"]);
}

#[test]
fn a_parent_repeats_the_sum_under_other_keys() {
    trap("pydantic-ai-2.68.0-vdefault/tool_round_trip", &[]);
    // The AI SDK's roots keep theirs under its own keys.
    trap("vercel-ai-6.0.326-json/tool_round_trip", &[]);
    trap("vercel-ai-7.0.173-legacy-proto/tool_round_trip", &[]);
}

#[test]
fn a_parent_says_the_last_step_only() {
    trap("vercel-ai-4.3.19-json/tool_round_trip", &[]);
    trap("vercel-ai-5.0.277-proto/tool_round_trip", &[]);
}

#[test]
fn a_parent_accumulates_over_the_life_of_an_agent() {
    trap("strands-1.62.0/multi_turn", &["not_a_model_call"]);
    trap("strands-1.62.0/tool_round_trip", &["not_a_model_call"]);
}

#[test]
fn agents_nested_in_agents_and_a_workflow_repeat_their_calls() {
    trap("pydantic-ai-1.9.1-v1/nested_agents", &["not_a_model_call"]);
    trap("openlit-1.45.0/lc_agent", &["not_a_model_call"]);
}

/// A crew says the sum of its calls in a Python text, and under CrewAI's own instrumentation alone these
/// have no spans: a wrapper's sum is never counted, for nobody can tell whether they will come.
#[test]
fn a_crew_says_the_sum_in_python() {
    let case = case("traceloop-crewai-0.62.4/crew_tool");
    let (counted, _) = count(&case.requests.iter().collect::<Vec<_>>());
    assert_eq!(counted, (0, 0));
}

// --- two views of one call -------------------------------------------------------------------------

#[test]
fn two_instrumentations_are_nested() {
    trap("dual-openllmetry-openai-0.49.6+openai-v2-2.4b0/chat", &["same_response_id"]);
    // Embeddings have no response id.
    trap("dual-openllmetry-openai-0.49.6+openai-v2-2.4b0/embeddings", &["same_call_in_trace"]);
}

#[test]
fn two_instrumentations_are_siblings() {
    trap("dual-langchain-0.62.4+genai-openai-1.3b0/lc_chain", &["same_response_id"]);
}

#[test]
fn two_instrumentations_are_in_separate_traces() {
    trap("openinference-langchain+openai-0.1.80/chat", &["same_response_id"]);
    trap("openinference-langchain+openai-0.1.80/agent_tool_round_trip", &["same_response_id"]);
}

#[test]
fn a_client_and_the_proxy_that_it_calls() {
    trap("app+litellm-proxy-1.65.8/app_chat", &["same_response_id"]);
    trap("app+litellm-proxy-1.65.8/app_chat_linked", &["same_response_id"]);
}

#[test]
fn a_framework_a_client_and_a_proxy() {
    trap("app+litellm-proxy-1.65.8/app_lc_chain", &["same_response_id"]);
    trap("app+litellm-proxy-1.65.8/app_lc_chain_linked", &["same_response_id"]);
}

#[test]
fn the_server_span_is_the_call_where_nothing_below_it_is() {
    trap("litellm-proxy-1.65.8/multiturn", &[]);
    trap("litellm-proxy-1.109.1/chat", &[]);
}

#[test]
fn two_callbacks_of_one_stream() {
    trap("litellm-1.40.18/text_completion", &["same_response_id"]);
    trap("litellm-1.53.1/text_completion", &["same_response_id"]);
}

#[test]
fn an_answer_from_a_cache_is_no_call() {
    trap("sqlite-app-openllmetry-0.49.6/lc_sqlite_cache", &["cached_answer"]);
}

#[test]
fn the_copy_of_a_raw_request_is_no_usage() {
    trap("litellm-1.53.1/chat", &[]);
}

#[test]
fn embeddings_stand_on_the_root_and_on_its_child() {
    trap("vercel-ai-6.0.326-json/embed", &[]);
    trap("vercel-ai-7.0.173-json/embed", &[]);
}

// --- where usage hides -----------------------------------------------------------------------------

#[test]
fn usage_in_json() {
    trap("mlflow-3.17.2/tool_round_trip", &[]);
    trap("haystack-3.4.0/pipeline_chat", &[]);
    trap("haystack-2.25.2/agent_tool_round_trip", &[]);
}

#[test]
fn usage_in_python_text() {
    trap("llama-stack-0.2.23/multi_turn_system", &[]);
}

#[test]
fn usage_on_a_span_that_is_a_log_line() {
    trap("logfire-5.2.0/chat_stream", &[]);
    trap("logfire-5.2.0/responses_stream", &[]);
}

#[test]
fn embeddings_under_another_key() {
    trap("vercel-ai-4.3.19-json/embed_many", &[]);
    trap("vercel-ai-5.0.277-proto/embed", &[]);
}

#[test]
fn old_and_new_key_on_one_span() {
    trap("litellm-proxy-1.109.1-otelv2/chat", &[]);
    trap("strands-1.62.0/agent", &[]);
    trap("vercel-ai-4.3.19-proto/generate_text", &[]);
}

// --- other ways to count ---------------------------------------------------------------------------

#[test]
fn cached_tokens_are_part_of_the_input_or_beside_it() {
    // Anthropic's input beside its cache, and the same added up already.
    trap("openlit-1.45.0/anthropic_cache", &[]);
    trap("anthropic-sdk-native-2.11.0/anthropic_cache", &[]);
    trap("openllmetry-0.49.6/anthropic_cache", &[]);
    // OpenAI's cached tokens are part of it.
    trap("openlit-1.45.0/reasoning_cached", &[]);
}

#[test]
fn reasoning_is_part_of_the_output() {
    trap("google-adk-2.13.0/agent", &[]);
    trap("openinference-openai-0.1.66/reasoning", &[]);
    trap("pydantic-ai-2.68.0-vdefault/responses_reasoning", &[]);
}

#[test]
fn embeddings_have_no_output() {
    trap("langtrace-3.8.21/embeddings", &[]);
    trap("openinference-openai-0.1.66/embeddings", &[]);
}

/// A failure brings no tokens, also where its emitter writes zeros, and nothing is invented for a stream
/// whose provider was not asked for usage.
#[test]
fn what_was_not_said_is_not_counted() {
    for path in [
        "litellm-1.80.17/error_429",
        "openinference-openai-0.1.66/chat_stream_no_usage",
        "mlflow-3.17.2/chat_stream_no_usage",
        "logfire-5.2.0/chat_stream_no_usage",
        "vercel-ai-6.0.326-json/error_429",
    ] {
        let case = case(path);
        let (counted, _) = count(&case.requests.iter().collect::<Vec<_>>());
        assert_eq!(counted, (0, 0), "{path}");
    }
}
