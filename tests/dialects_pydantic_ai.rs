//! Pydantic AI's spans of every format come out in the current words.

mod support;

use support::made::Made;
use support::translated::check_expected;

const SCOPE: &str = "pydantic-ai";

#[test]
fn every_case_says_what_was_said() {
    let emitters = [
        "pydantic-ai-1.9.1-v1",
        "pydantic-ai-1.9.1-v1events",
        "pydantic-ai-1.9.1-v2",
        "pydantic-ai-2.68.0-v6",
        "pydantic-ai-2.68.0-vdefault",
    ];
    check_expected("pydantic_ai.txt", &emitters);
}

/// Format 1, a call of Gemini: the provider in Pydantic AI's word, details in Gemini's.
#[test]
fn events_of_a_gemini_call() {
    let span = Made::new(
        SCOPE,
        "chat gemini-2.5-flash",
        said! {
            "gen_ai.operation.name" => "chat",
            "gen_ai.system" => "google-gla",
            "gen_ai.request.model" => "gemini-2.5-flash",
            "model_request_parameters" => r#"{"function_tools": [{"name": "f", "description": "d", "parameters_json_schema": {"type": "object"}, "kind": "function"}], "output_mode": "native", "output_tools": [{"name": "answer", "parameters_json_schema": {"type": "object"}, "kind": "output"}]}"#,
            "events" => r#"[{"content": "Be terse.", "role": "system", "event.name": "gen_ai.system.message"}, {"content": "Look", "role": "user", "gen_ai.message.index": 0, "event.name": "gen_ai.user.message"}, {"index": 0, "message": {"role": "assistant", "content": "A cat.", "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": {"a": 1}}}]}, "event.name": "gen_ai.choice"}]"#,
            "logfire.json_schema" => "{}",
            "gen_ai.usage.input_tokens" => 18,
            "gen_ai.usage.output_tokens" => 58,
            "gen_ai.usage.details.thoughts_tokens" => 40,
            "gen_ai.usage.details.cache_read_tokens" => 9,
            "gen_ai.response.finish_reasons" => ["stop"],
        },
    );
    assert_eq!(
        span.says(),
        r#"chat gemini-2.5-flash (CLIENT)
  gen_ai.input.messages = [{"role":"system","parts":[{"type":"text","content":"Be terse."}]},{"role":"user","parts":[{"type":"text","content":"Look"}]}]
  gen_ai.operation.name = chat
  gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"A cat."},{"type":"tool_call","id":"c1","name":"f","arguments":{"a": 1}}],"finish_reason":"stop"}]
  gen_ai.output.type = json
  gen_ai.provider.name = gcp.gemini
  gen_ai.request.model = gemini-2.5-flash
  gen_ai.response.finish_reasons = [stop]
  gen_ai.tool.definitions = [{"type":"function","name":"f","description":"d","parameters":{"type": "object"},"kind":"function"},{"type":"function","name":"answer","parameters":{"type": "object"},"kind":"output"}]
  gen_ai.usage.cache_read.input_tokens = 9 (int)
  gen_ai.usage.input_tokens = 18 (int)
  gen_ai.usage.output_tokens = 58 (int)
  gen_ai.usage.reasoning.output_tokens = 40 (int)
  logfire.json_schema = {}
  model_request_parameters = {"function_tools": [{"name": "f", "description": "d", "parameters_json_schema": {"type": "object"}, "kind": "function"}], "output_mode": "native", "output_tools": [{"name": "answer", "parameters_json_schema": {"type": "object"}, "kind": "output"}]}
"#
    );
}

/// Formats 2 and 3: own words for parts, and answers of tools under the user.
#[test]
fn parts_in_own_words() {
    let span = Made::new(
        SCOPE,
        "chat claude-sonnet-4",
        said! {
            "gen_ai.operation.name" => "chat",
            "gen_ai.system" => "anthropic",
            "gen_ai.provider.name" => "anthropic",
            "gen_ai.request.model" => "claude-sonnet-4",
            "gen_ai.input.messages" => r#"[{"role":"user","parts":[{"type":"text","content":"Look"},{"type":"image-url","url":"https://e/x.png"},{"type":"binary","media_type":"image/png","content":"aGk="}]},{"role":"assistant","parts":[{"type":"thinking","content":"Hm."},{"type":"tool_call","id":"c1","name":"f","arguments":"{\"a\":1}"},{"type":"tool_call","id":"s1","name":"web_search","arguments":{"q":"x"},"builtin":true},{"type":"tool_call_response","id":"s1","name":"web_search","result":[{"url":"u"}],"builtin":true}]},{"role":"user","parts":[{"type":"tool_call_response","id":"c1","name":"f","result":{"b":2}}]}]"#,
            "gen_ai.output.messages" => r#"[{"role":"assistant","parts":[{"type":"text","content":"Done."}],"finish_reason":"stop"}]"#,
            "gen_ai.usage.input_tokens" => 2196,
            "gen_ai.usage.output_tokens" => 10,
            "gen_ai.usage.details.cache_write_tokens" => 128,
            "gen_ai.usage.details.cache_read_tokens" => 2048,
            "gen_ai.usage.details.input_tokens" => 20,
        },
    );
    assert_eq!(
        span.says_in_main(),
        r#"chat claude-sonnet-4 (CLIENT)
  gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Look"},{"type":"uri","modality":"image","uri":"https://e/x.png"},{"type":"blob","modality":"image","mime_type":"image/png","content":"aGk="}]},{"role":"assistant","parts":[{"type":"reasoning","content":"Hm."},{"type":"tool_call","id":"c1","name":"f","arguments":{"a":1}},{"type":"tool_call","id":"s1","name":"web_search","arguments":{"q":"x"},"builtin":true},{"type":"tool_call_response","id":"s1","response":[{"url":"u"}],"name":"web_search","builtin":true}]},{"role":"tool","parts":[{"type":"tool_call_response","id":"c1","response":{"b":2},"name":"f"}]}]
  gen_ai.operation.name = chat
  gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"Done."}],"finish_reason":"stop"}]
  gen_ai.provider.name = anthropic
  gen_ai.request.model = claude-sonnet-4
  gen_ai.usage.cache_read.input_tokens = 2048 (int)
  gen_ai.usage.cache_write.input_tokens = 128 (int)
  gen_ai.usage.details.input_tokens = 20 (int)
  gen_ai.usage.input_tokens = 2196 (int)
  gen_ai.usage.output_tokens = 10 (int)
"#
    );
}

/// The answer of an agent that is no text of the model's stays an answer of its own.
#[test]
fn a_result_that_is_not_what_was_said_last() {
    let span = Made::new(
        SCOPE,
        "agent run",
        said! {
            "model_name" => "gpt-4o",
            "agent_name" => "a",
            "pydantic_ai.all_messages" => r#"[{"role":"user","parts":[{"type":"text","content":"Hi"}]},{"role":"assistant","parts":[{"type":"text","content":"{\"x\":1}"}]}]"#,
            "final_result" => r#"{"x": 1}"#,
        },
    );
    assert_eq!(
        span.says(),
        r#"invoke_agent a (INTERNAL)
  gen_ai.agent.name = a
  gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Hi"}]},{"role":"assistant","parts":[{"type":"text","content":"{\"x\":1}"}]}]
  gen_ai.operation.name = invoke_agent
  gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"{\"x\": 1}"}],"finish_reason":""}]
  gen_ai.provider.name = openai
  gen_ai.request.model = gpt-4o
"#
    );
}

/// A wrapper around the tools of a step is nothing that a target has words for.
#[test]
fn running_tools_is_no_operation() {
    let span = Made::new(SCOPE, "running tools", said! { "tools" => ["f"], "logfire.msg" => "running 1 tool" });
    assert_eq!(span.says(), "running tools (INTERNAL)\n  logfire.msg = running 1 tool\n  tools = [f]\n");
}
