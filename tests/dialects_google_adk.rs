//! The spans of Google's ADK come out in the current words.

mod support;

use support::made::Made;
use support::translated::check_expected;

const SCOPE: &str = "gcp.vertex.agent";

#[test]
fn every_case_says_what_was_said() {
    check_expected("google_adk.txt", &["google-adk-2.13.0"]);
}

/// Python of 2025: whole bodies, the framework for a provider, output without thoughts.
#[test]
fn a_call_with_its_bodies() {
    let span = || {
        Made::new(
            SCOPE,
            "call_llm",
            said! {
                "gen_ai.system" => "gcp.vertex.agent",
                "gen_ai.request.model" => "gemini-2.5-flash",
                "gcp.vertex.agent.invocation_id" => "e-1",
                "gcp.vertex.agent.session_id" => "s-1",
                "gcp.vertex.agent.event_id" => "v-1",
                "gcp.vertex.agent.llm_request" => r#"{"model": "gemini-2.5-flash", "config": {"system_instruction": "Be terse.", "temperature": 0.5, "max_output_tokens": 100, "tools": [{"function_declarations": [{"name": "f", "description": "d", "parameters": {"type": "OBJECT"}}]}]}, "contents": [{"parts": [{"text": "Weather?"}], "role": "user"}]}"#,
                "gcp.vertex.agent.llm_response" => r#"{"content": {"parts": [{"text": "Hm.", "thought": true}, {"function_call": {"id": "c1", "name": "f", "args": {"city": "Paris"}}}], "role": "model"}, "finish_reason": "STOP", "usage_metadata": {"prompt_token_count": 18, "candidates_token_count": 18, "thoughts_token_count": 40, "cached_content_token_count": 9, "total_token_count": 76}}"#,
                "gen_ai.usage.input_tokens" => 18,
                "gen_ai.usage.output_tokens" => 18,
                "gen_ai.response.finish_reasons" => ["stop"],
            },
        )
    };
    assert_eq!(
        span().says(),
        r#"generate_content gemini-2.5-flash (CLIENT)
  dragoman.usage.reported_output_tokens = 18 (int)
  gcp.vertex.agent.event_id = v-1
  gcp.vertex.agent.invocation_id = e-1
  gen_ai.conversation.id = s-1
  gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Weather?"}]}]
  gen_ai.operation.name = generate_content
  gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"reasoning","content":"Hm."},{"type":"tool_call","id":"c1","name":"f","arguments":{"city": "Paris"}}],"finish_reason":"stop"}]
  gen_ai.provider.name = gcp.gemini
  gen_ai.request.max_tokens = 100 (int)
  gen_ai.request.model = gemini-2.5-flash
  gen_ai.request.temperature = 0.5 (double)
  gen_ai.response.finish_reasons = [stop]
  gen_ai.system = gcp.vertex.agent
  gen_ai.system_instructions = [{"type":"text","content":"Be terse."}]
  gen_ai.tool.definitions = [{"type":"function","name":"f","description":"d","parameters":{"type": "OBJECT"}}]
  gen_ai.usage.cache_read.input_tokens = 9 (int)
  gen_ai.usage.input_tokens = 18 (int)
  gen_ai.usage.output_tokens = 58 (int)
  gen_ai.usage.reasoning.output_tokens = 40 (int)
"#
    );
}

/// Python and Java; words for nothing go.
#[test]
fn tools() {
    let tool = Made::new(
        SCOPE,
        "execute_tool f",
        said! {
            "gen_ai.operation.name" => "execute_tool",
            "gen_ai.system" => "gcp.vertex.agent",
            "gen_ai.tool.name" => "f",
            "gen_ai.tool.type" => "FunctionTool",
            "gen_ai.tool_call.id" => "c1",
            "gcp.vertex.agent.llm_request" => "{}",
            "gcp.vertex.agent.llm_response" => "{}",
            "gcp.vertex.agent.tool_call_args" => r#"{"city": "Paris"}"#,
            "gcp.vertex.agent.tool_response" => r#"{"result": "18C"}"#,
        },
    );
    assert_eq!(
        tool.says(),
        r#"execute_tool f (INTERNAL)
  gen_ai.operation.name = execute_tool
  gen_ai.system = gcp.vertex.agent
  gen_ai.tool.call.arguments = {"city": "Paris"}
  gen_ai.tool.call.id = c1
  gen_ai.tool.call.result = {"result": "18C"}
  gen_ai.tool.name = f
  gen_ai.tool.type = function
"#
    );
    let merged = Made::new(
        SCOPE,
        "execute_tool (merged)",
        said! {
            "gen_ai.operation.name" => "execute_tool",
            "gen_ai.tool.name" => "(merged tools)",
            "gcp.vertex.agent.tool_call_args" => "N/A",
            "gcp.vertex.agent.tool_response" => "<not specified>",
        },
    );
    assert_eq!(
        merged.says(),
        r#"execute_tool (merged tools) (INTERNAL)
  gen_ai.operation.name = execute_tool
  gen_ai.tool.name = (merged tools)
"#
    );
}

/// The model says whose service it was, as far as it can.
#[test]
fn the_framework_is_no_provider() {
    let provider = |model: &str| {
        let attributes = said! { "gen_ai.system" => "gcp.vertex.agent", "gen_ai.request.model" => model };
        let span = Made::new(SCOPE, "call_llm", attributes).says();
        span.lines().find_map(|line| line.trim().strip_prefix("gen_ai.provider.name = ").map(str::to_owned))
    };
    assert_eq!(provider("gemini-2.5-flash").as_deref(), Some("gcp.gemini"));
    assert_eq!(
        provider("projects/p/locations/l/publishers/google/models/gemini-2.5-flash").as_deref(),
        Some("gcp.vertex_ai")
    );
    assert_eq!(provider("openai/gpt-4o-mini").as_deref(), Some("openai"));
    assert_eq!(provider("gemma-3").as_deref(), Some("gcp.gen_ai"));
    assert_eq!(provider("acme/model"), None);
}
