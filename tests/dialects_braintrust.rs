//! Braintrust's attributes, and OpenRouter's, come out in the current words.

mod support;

use dragoman::genai::settings::Target;
use support::made::{Made, lines};
use support::text;

fn span(kind: &str) -> Made {
    Made::new("braintrust", "Chat Completion")
        .text("braintrust.span_attributes", &format!(r#"{{"type":"{kind}"}}"#))
        .text("braintrust.parent", "project_name:p")
}

#[test]
fn a_call() {
    span("llm")
        .text("braintrust.metadata", r#"{"provider":"openai","model":"gpt-4o","temperature":0.5}"#)
        .text("braintrust.input_json", r#"[{"role":"user","content":"Hi"}]"#)
        .text("braintrust.output_json", r#"[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Hello"}}]"#)
        .text(
            "braintrust.metrics",
            r#"{"prompt_tokens":20,"completion_tokens":10,"tokens":30,"prompt_cached_tokens":4,"completion_reasoning_tokens":6,"time_to_first_token":0.25}"#,
        )
        .text("braintrust.scores", r#"{"factuality":1}"#)
        .check(&[
            "CLIENT Chat Completion",
            "gen_ai.operation.name = chat",
            "gen_ai.provider.name = openai",
            "gen_ai.request.model = gpt-4o",
            "gen_ai.request.temperature = 0.5",
            "gen_ai.response.finish_reasons = [stop]",
            "gen_ai.response.time_to_first_chunk = 0.25",
            "gen_ai.usage.input_tokens = 20",
            "gen_ai.usage.output_tokens = 10",
            "gen_ai.usage.cache_read.input_tokens = 4",
            "gen_ai.usage.reasoning.output_tokens = 6",
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
        let span = span("llm").text("braintrust.input_json", input).to(Target::Main);
        assert_eq!(text(&span.attributes, "gen_ai.input.messages"), None);
        assert_eq!(text(&span.attributes, "braintrust.input_json"), Some(input));
    }
}

#[test]
fn tools_and_tasks() {
    span("tool")
        .text("braintrust.input_json", r#"{"city":"Paris"}"#)
        .text("braintrust.output_json", r#""18C""#)
        .check_main(&[
            "CLIENT Chat Completion",
            "gen_ai.operation.name = execute_tool",
            r#"gen_ai.tool.call.arguments = {"city":"Paris"}"#,
            r#"gen_ai.tool.call.result = "18C""#,
            "braintrust.parent = project_name:p",
        ]);
    let task = span("task").text("braintrust.input_json", r#"{"city":"Paris"}"#);
    assert_eq!(
        lines(&task.to(Target::Main)),
        [
            "CLIENT Chat Completion",
            r#"braintrust.input_json = {"city":"Paris"}"#,
            "braintrust.parent = project_name:p",
            r#"braintrust.span_attributes = {"type":"task"}"#
        ]
    );
}

#[test]
fn openrouter_speaks_the_current_words() {
    Made::new("openrouter", "chat gpt-4o")
        .text("openrouter.source", "broadcast")
        .text("trace.metadata.openrouter.user", "u")
        .text("gen_ai.operation.name", "chat")
        .text("gen_ai.system", "openai")
        .int("gen_ai.usage.prompt_tokens", 9)
        .check(&[
            "CLIENT chat gpt-4o",
            "gen_ai.operation.name = chat",
            "gen_ai.provider.name = openai",
            "gen_ai.usage.input_tokens = 9",
            "openrouter.source = broadcast",
            "trace.metadata.openrouter.user = u",
        ]);
}
