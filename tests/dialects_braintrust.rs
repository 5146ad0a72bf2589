//! Braintrust's attributes, and OpenRouter's, come out in the current words.

mod support;

use dragoman::genai::settings::Target;
use support::made::Made;
use support::text;

fn span(kind: &str) -> Made {
    Made::new(
        "braintrust",
        "Chat Completion",
        said! {
            "braintrust.span_attributes" => &format!(r#"{{"type":"{kind}"}}"#),
            "braintrust.parent" => "project_name:p",
        },
    )
    .kind(3)
}

#[test]
fn a_call() {
    span("llm")
        .with(said! {
            "braintrust.metadata" => r#"{"provider":"openai","model":"gpt-4o","temperature":0.5}"#,
            "braintrust.input_json" => r#"[{"role":"user","content":"Hi"}]"#,
            "braintrust.output_json" => r#"[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Hello"}}]"#,
            "braintrust.metrics" => r#"{"prompt_tokens":20,"completion_tokens":10,"tokens":30,"prompt_cached_tokens":4,"completion_reasoning_tokens":6,"time_to_first_token":0.25}"#,
            "braintrust.scores" => r#"{"factuality":1}"#,
        })
        .check(&[
            "Chat Completion (CLIENT)",
            "gen_ai.operation.name = chat",
            "gen_ai.provider.name = openai",
            "gen_ai.request.model = gpt-4o",
            "gen_ai.request.temperature = 0.5 (double)",
            "gen_ai.response.finish_reasons = [stop]",
            "gen_ai.response.time_to_first_chunk = 0.25 (double)",
            "gen_ai.usage.input_tokens = 20 (int)",
            "gen_ai.usage.output_tokens = 10 (int)",
            "gen_ai.usage.cache_read.input_tokens = 4 (int)",
            "gen_ai.usage.reasoning.output_tokens = 6 (int)",
            "braintrust.parent = project_name:p",
            r#"braintrust.scores = {"factuality":1}"#,
            r#"gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Hi"}]}]"#,
            r#"gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"Hello"}],"finish_reason":"stop"}]"#,
        ]);
}

/// Any element that is no message leaves the whole list alone.
#[test]
fn what_is_no_list_of_messages_stays() {
    for input in [r#"[{"role":"user","content":"Hi"},7]"#, r#"{"question":"Hi"}"#, "not JSON"] {
        let span = span("llm").with(said! { "braintrust.input_json" => input }).to(Target::Main);
        assert_eq!(text(&span.attributes, "gen_ai.input.messages"), None);
        assert_eq!(text(&span.attributes, "braintrust.input_json"), Some(input));
    }
}

#[test]
fn tools_and_tasks() {
    span("tool")
        .with(said! { "braintrust.input_json" => r#"{"city":"Paris"}"#, "braintrust.output_json" => r#""18C""# })
        .check_main(&[
            "Chat Completion (CLIENT)",
            "gen_ai.operation.name = execute_tool",
            "gen_ai.tool.name = Chat Completion",
            r#"gen_ai.tool.call.arguments = {"city":"Paris"}"#,
            r#"gen_ai.tool.call.result = "18C""#,
            "braintrust.parent = project_name:p",
        ]);
    let task = span("task").with(said! { "braintrust.input_json" => r#"{"city":"Paris"}"# });
    task.check_main(&[
        "Chat Completion (CLIENT)",
        r#"braintrust.input_json = {"city":"Paris"}"#,
        "braintrust.parent = project_name:p",
        r#"braintrust.span_attributes = {"type":"task"}"#,
    ]);
}

#[test]
fn openrouter_speaks_the_current_words() {
    Made::new(
        "openrouter",
        "chat gpt-4o",
        said! {
            "openrouter.source" => "broadcast",
            "trace.metadata.openrouter.user" => "u",
            "gen_ai.operation.name" => "chat",
            "gen_ai.system" => "openai",
            "gen_ai.usage.prompt_tokens" => 9,
        },
    )
    .kind(3)
    .check(&[
        "chat gpt-4o (CLIENT)",
        "gen_ai.operation.name = chat",
        "gen_ai.provider.name = openai",
        "gen_ai.usage.input_tokens = 9 (int)",
        "openrouter.source = broadcast",
        "trace.metadata.openrouter.user = u",
    ]);
}
