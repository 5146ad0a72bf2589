//! Strands' spans come out in the current words.

mod support;

use support::made::Made;
use support::translated::check_expected;

const SCOPE: &str = "strands.telemetry.tracer";

#[test]
fn every_case_says_what_was_said() {
    check_expected("strands.txt", &["strands-1.62.0"]);
}

/// As release 1.19 of the TypeScript SDK writes it: the service stands for the tracer and for the provider.
#[test]
fn the_typescript_sdk_is_strands_too() {
    let event = |text: &'static str| said! { "content" => text };
    let chat = Made::new(
        "web",
        "chat",
        said! {
            "gen_ai.operation.name" => "chat",
            "gen_ai.system" => "web",
            "gen_ai.request.model" => "gpt-4o-mini",
            "gen_ai.event.start_time" => "2026-11-21T15:57:20.740Z",
            "gen_ai.usage.prompt_tokens" => 84,
            "gen_ai.usage.completion_tokens" => 30,
        },
    )
    .event("gen_ai.user.message", event(r#"[{"text":"Weather?"}]"#))
    .event(
        "gen_ai.choice",
        said! {
            "finish_reason" => "toolUse",
            "message" => r#"[{"text":"Hm."},{"type":"toolUse","name":"f","toolUseId":"t1","input":{"a":1}}]"#,
        },
    );
    assert_eq!(
        chat.says(),
        r#"chat gpt-4o-mini (CLIENT)
  gen_ai.event.start_time = 2026-11-21T15:57:20.740Z
  gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Weather?"}]}]
  gen_ai.operation.name = chat
  gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"Hm."},{"type":"tool_call","id":"t1","name":"f","arguments":{"a":1}}],"finish_reason":"tool_call"}]
  gen_ai.provider.name = openai
  gen_ai.request.model = gpt-4o-mini
  gen_ai.response.finish_reasons = [toolUse]
  gen_ai.usage.input_tokens = 84 (int)
  gen_ai.usage.output_tokens = 30 (int)
"#
    );
    let tool = Made::new(
        "web",
        "execute_tool f",
        said! {
            "gen_ai.operation.name" => "execute_tool",
            "gen_ai.provider.name" => "web",
            "gen_ai.tool.name" => "f",
            "gen_ai.event.start_time" => "2026-11-21T15:57:21.487Z",
        },
    )
    .event("gen_ai.tool.message", said! { "role" => "tool", "content" => r#"{"a":1}"#, "id" => "t1" })
    .event("gen_ai.choice", said! { "message" => r#"[{"json":{"b":2}}]"#, "id" => "t1" });
    assert_eq!(
        tool.says(),
        r#"execute_tool f (INTERNAL)
  gen_ai.event.start_time = 2026-11-21T15:57:21.487Z
  gen_ai.operation.name = execute_tool
  gen_ai.tool.call.arguments = {"a":1}
  gen_ai.tool.call.id = t1
  gen_ai.tool.call.result = [{"json":{"b":2}}]
  gen_ai.tool.name = f
"#
    );
    let cycle = Made::new("web", "execute_agent_loop_cycle", said! { "agent_loop.cycle_id" => "cycle-1" })
        .event("gen_ai.user.message", event(r#"[{"text":"Weather?"}]"#));
    assert!(!cycle.says().contains("gen_ai.operation.name"), "{}", cycle.says());
}

/// Bedrock: the input is without what was read from and written to the cache.
#[test]
fn a_call_of_bedrock_with_thoughts_and_cache() {
    let span = || {
        Made::new(
            SCOPE,
            "chat",
            said! {
                "gen_ai.operation.name" => "chat",
                "gen_ai.system" => "strands-agents",
                "gen_ai.request.model" => "us.anthropic.claude-sonnet-4-20250514-v1:0",
                "gen_ai.usage.prompt_tokens" => 20,
                "gen_ai.usage.input_tokens" => 20,
                "gen_ai.usage.completion_tokens" => 10,
                "gen_ai.usage.output_tokens" => 10,
                "gen_ai.usage.total_tokens" => 2206,
                "gen_ai.usage.cache_read_input_tokens" => 2048,
                "gen_ai.usage.cache_write_input_tokens" => 128,
                "gen_ai.server.time_to_first_token" => 250,
            },
        )
        .event("gen_ai.user.message", said! {
            "content" => r#"[{"text": "Look"}, {"image": {"format": "png", "source": {"bytes": "aGk="}}}]"#,
        })
        .event("gen_ai.choice", said! {
            "finish_reason" => "tool_use",
            "message" => r#"[{"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "s"}}}, {"toolUse": {"toolUseId": "t1", "name": "f", "input": {"a": 1}}}]"#,
        })
    };
    assert_eq!(
        span().says(),
        r#"chat us.anthropic.claude-sonnet-4-20250514-v1:0 (CLIENT)
  dragoman.usage.reported_input_tokens = 20 (int)
  gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Look"},{"type":"blob","modality":"image","mime_type":"image/png","content":"aGk="}]}]
  gen_ai.operation.name = chat
  gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"reasoning","content":"Hm.","signature":"s"},{"type":"tool_call","id":"t1","name":"f","arguments":{"a": 1}}],"finish_reason":"tool_call"}]
  gen_ai.provider.name = aws.bedrock
  gen_ai.request.model = us.anthropic.claude-sonnet-4-20250514-v1:0
  gen_ai.response.finish_reasons = [tool_use]
  gen_ai.response.time_to_first_chunk = 0.25 (double)
  gen_ai.system = strands-agents
  gen_ai.usage.cache_creation.input_tokens = 128 (int)
  gen_ai.usage.cache_read.input_tokens = 2048 (int)
  gen_ai.usage.input_tokens = 2196 (int)
  gen_ai.usage.output_tokens = 10 (int)
"#
    );
    let main = span().says_in_main();
    assert!(main.contains("gen_ai.usage.cache_write.input_tokens = 128 (int)"), "{main}");
}

/// Anthropic's own API: the total is of the two counts, without the cache.
#[test]
fn anthropic_counts_without_the_cache() {
    let span = Made::new(
        SCOPE,
        "chat",
        said! {
            "gen_ai.operation.name" => "chat",
            "gen_ai.provider.name" => "strands-agents",
            "gen_ai.request.model" => "claude-sonnet-4",
            "gen_ai.usage.input_tokens" => 3000,
            "gen_ai.usage.output_tokens" => 10,
            "gen_ai.usage.total_tokens" => 3010,
            "gen_ai.usage.cache_read_input_tokens" => 2048,
        },
    );
    assert_eq!(
        span.says(),
        r#"chat claude-sonnet-4 (CLIENT)
  dragoman.usage.reported_input_tokens = 3000 (int)
  gen_ai.operation.name = chat
  gen_ai.provider.name = anthropic
  gen_ai.request.model = claude-sonnet-4
  gen_ai.usage.cache_read.input_tokens = 2048 (int)
  gen_ai.usage.input_tokens = 5048 (int)
  gen_ai.usage.output_tokens = 10 (int)
  gen_ai.usage.total_tokens = 3010 (int)
"#
    );
}

/// The opt-in: one event with current attributes, on a tool's span too.
#[test]
fn the_latest_conventions_on_an_event() {
    const DETAILS: &str = "gen_ai.client.inference.operation.details";
    let call = Made::new(
        SCOPE,
        "chat",
        said! {
            "gen_ai.operation.name" => "chat",
            "gen_ai.provider.name" => "strands-agents",
            "gen_ai.request.model" => "gpt-4o-mini",
        },
    )
    .event(DETAILS, said! {
        "gen_ai.input.messages" => r#"[{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]"#,
        "gen_ai.system_instructions" => r#"[{"type": "text", "content": "Be terse."}]"#,
    })
    .event(DETAILS, said! {
        "gen_ai.output.messages" => r#"[{"role": "assistant", "parts": [{"type": "text", "content": "Hello."}], "finish_reason": "end_turn"}]"#,
    });
    assert_eq!(
        call.says(),
        r#"chat gpt-4o-mini (CLIENT)
  gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Hi"}]}]
  gen_ai.operation.name = chat
  gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"Hello."}],"finish_reason":"stop"}]
  gen_ai.provider.name = openai
  gen_ai.request.model = gpt-4o-mini
  gen_ai.response.finish_reasons = [end_turn]
  gen_ai.system_instructions = [{"type":"text","content":"Be terse."}]
"#
    );
    let tool = Made::new(
        SCOPE,
        "execute_tool f",
        said! { "gen_ai.operation.name" => "execute_tool", "gen_ai.tool.name" => "f", "gen_ai.tool.call.id" => "t1" },
    )
    .event(DETAILS, said! {
        "gen_ai.input.messages" => r#"[{"role": "tool", "parts": [{"type": "tool_call", "name": "f", "id": "t1", "arguments": {"a": 1}}]}]"#,
    })
    .event(DETAILS, said! {
        "gen_ai.output.messages" => r#"[{"role": "tool", "parts": [{"type": "tool_call_response", "id": "t1", "response": [{"text": "18C"}]}]}]"#,
    });
    assert_eq!(
        tool.says(),
        r#"execute_tool f (INTERNAL)
  gen_ai.operation.name = execute_tool
  gen_ai.tool.call.arguments = {"a": 1}
  gen_ai.tool.call.id = t1
  gen_ai.tool.call.result = 18C
  gen_ai.tool.name = f
"#
    );
}
