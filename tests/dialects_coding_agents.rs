//! The spans of coding agents come out in the current words: made by hand, beside those that are recorded.

mod support;

use support::made::Made;

const CLAUDE: &str = "com.anthropic.claude_code.tracing";

/// As release 2.1.266 writes it: the input is without the cache.
#[test]
fn a_call_of_claude_code() {
    let span = || {
        Made::new(
            CLAUDE,
            "claude_code.llm_request",
            said! {
                "session.id" => "s-1",
                "span.type" => "llm_request",
                "model" => "claude-opus-5[1m]",
                "gen_ai.system" => "anthropic",
                "gen_ai.request.model" => "claude-opus-5",
                "input_tokens" => 2,
                "output_tokens" => 1200,
                "cache_read_tokens" => 84562,
                "cache_creation_tokens" => 7096,
                "ttft_ms" => 812,
                "success" => true,
                "stop_reason" => "tool_use",
                "query_source" => "repl_main_thread",
                "effort" => "high",
                "user_system_prompt" => "Be terse.",
                "new_context" => "Fix it.",
                "response.model_output" => "Looking.",
            },
        )
    };
    assert_eq!(
        span().says(),
        r#"chat claude-opus-5 (CLIENT)
  dragoman.usage.reported_input_tokens = 2 (int)
  effort = high
  gen_ai.conversation.id = s-1
  gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Fix it."}]}]
  gen_ai.operation.name = chat
  gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"Looking."}],"finish_reason":"tool_call"}]
  gen_ai.provider.name = anthropic
  gen_ai.request.model = claude-opus-5
  gen_ai.response.finish_reasons = [tool_use]
  gen_ai.response.time_to_first_chunk = 0.812 (double)
  gen_ai.system_instructions = [{"type":"text","content":"Be terse."}]
  gen_ai.usage.cache_creation.input_tokens = 7096 (int)
  gen_ai.usage.cache_read.input_tokens = 84562 (int)
  gen_ai.usage.input_tokens = 91660 (int)
  gen_ai.usage.output_tokens = 1200 (int)
  query_source = repl_main_thread
  session.id = s-1
  success = true (bool)
"#
    );
    let main = span().says_in_main();
    assert!(main.contains("  gen_ai.request.reasoning.level = high\n"), "{main}");
    assert!(main.contains("  gen_ai.usage.cache_write.input_tokens = 7096 (int)\n"), "{main}");
}

/// Older: the name alone says what it is, numbers are text, and the model's name has a size.
#[test]
fn an_older_call_of_claude_code() {
    let span = Made::new(
        CLAUDE,
        "claude_code.llm_request",
        said! {
            "model" => "claude-opus-4[1m]",
            "input_tokens" => "7",
            "output_tokens" => "10",
            "cache_read_tokens" => "0",
        },
    );
    assert_eq!(
        span.says(),
        r#"chat claude-opus-4 (CLIENT)
  gen_ai.operation.name = chat
  gen_ai.provider.name = anthropic
  gen_ai.request.model = claude-opus-4
  gen_ai.usage.cache_read.input_tokens = 0 (int)
  gen_ai.usage.input_tokens = 7 (int)
  gen_ai.usage.output_tokens = 10 (int)
"#
    );
}

#[test]
fn a_turn_and_a_tool_of_claude_code() {
    let turn = Made::new(
        CLAUDE,
        "claude_code.interaction",
        said! {
            "span.type" => "interaction",
            "session.id" => "s-1",
            "user_prompt" => "<REDACTED>",
            "interaction.sequence" => 1,
        },
    );
    assert_eq!(
        turn.says(),
        r#"invoke_agent claude-code (INTERNAL)
  gen_ai.agent.name = claude-code
  gen_ai.conversation.id = s-1
  gen_ai.operation.name = invoke_agent
  interaction.sequence = 1 (int)
  session.id = s-1
"#
    );
    let tool = Made::new(
        CLAUDE,
        "claude_code.tool",
        said! {
            "span.type" => "claude_code.tool",
            "tool_name" => "Bash",
            "tool_use_id" => "toolu_1",
            "gen_ai.tool.call.id" => "toolu_1",
            "tool_input" => r#"{"command": "ls"}"#,
            "duration_ms" => 1831,
        },
    )
    .event("tool.output", said! { "output" => "a.txt" });
    assert_eq!(
        tool.says(),
        r#"execute_tool Bash (INTERNAL)
  duration_ms = 1831 (int)
  gen_ai.operation.name = execute_tool
  gen_ai.tool.call.arguments = {"command": "ls"}
  gen_ai.tool.call.id = toolu_1
  gen_ai.tool.call.result = a.txt
  gen_ai.tool.name = Bash
"#
    );
    let execution =
        Made::new(CLAUDE, "claude_code.tool.execution", said! { "span.type" => "tool.execution", "success" => true });
    assert_eq!(
        execution.says(),
        "claude_code.tool.execution (INTERNAL)\n  span.type = tool.execution\n  success = true (bool)\n"
    );
}

/// A turn has the sum of its calls, which is no usage of its own.
#[test]
fn codex() {
    let turn = Made::new(
        "codex_cli_rs",
        "session_task.turn",
        said! {
            "thread.id" => "t-1",
            "turn.id" => "u-1",
            "model" => "gpt-5-codex",
            "codex.turn.reasoning_effort" => "medium",
            "codex.turn.token_usage.input_tokens" => 1200,
            "codex.turn.token_usage.output_tokens" => 80,
            "codex.turn.token_usage.total_tokens" => 1280,
        },
    );
    assert_eq!(
        turn.says_in_main(),
        r#"invoke_agent codex (INTERNAL)
  codex.turn.token_usage.input_tokens = 1200 (int)
  codex.turn.token_usage.output_tokens = 80 (int)
  codex.turn.token_usage.total_tokens = 1280 (int)
  gen_ai.agent.name = codex
  gen_ai.conversation.id = t-1
  gen_ai.operation.name = invoke_agent
  gen_ai.provider.name = openai
  gen_ai.request.model = gpt-5-codex
  gen_ai.request.reasoning.level = medium
  thread.id = t-1
  turn.id = u-1
"#
    );
    let call = Made::new(
        "codex_exec",
        "handle_responses",
        said! {
            "conversation.id" => "t-1",
            "model" => "gpt-5-codex",
            "gen_ai.usage.input_tokens" => 1200,
            "gen_ai.usage.output_tokens" => 80,
            "gen_ai.usage.cache_read.input_tokens" => 1024,
            "codex.usage.reasoning_output_tokens" => 0,
            "codex.usage.total_tokens" => 1280,
            "codex.request.reasoning_effort" => "high",
        },
    );
    assert_eq!(
        call.says(),
        r#"chat gpt-5-codex (CLIENT)
  codex.request.reasoning_effort = high
  gen_ai.conversation.id = t-1
  gen_ai.operation.name = chat
  gen_ai.provider.name = openai
  gen_ai.request.model = gpt-5-codex
  gen_ai.usage.cache_read.input_tokens = 1024 (int)
  gen_ai.usage.input_tokens = 1200 (int)
  gen_ai.usage.output_tokens = 80 (int)
"#
    );
    // Any other event of the answer's stream.
    let event = Made::new(
        "codex_exec",
        "handle_responses",
        said! { "thread.id" => 3, "codex.request.reasoning_effort" => "high", "from" => "output_item_done", "tool_name" => "shell" },
    );
    assert_eq!(
        event.says_in_main(),
        r#"handle_responses (INTERNAL)
  codex.request.reasoning_effort = high
  from = output_item_done
  thread.id = 3 (int)
  tool_name = shell
"#
    );
    // The rest of its tracing tree.
    let other = Made::new("codex_cli_rs", "run_sampling_request", said! { "model" => "gpt-5-codex", "busy_ns" => 7 });
    assert_eq!(other.says(), "run_sampling_request (INTERNAL)\n  busy_ns = 7 (int)\n  model = gpt-5-codex\n");
}

/// As release 0.169.0 writes it: the tracing library's `thread.id` is no conversation.
#[test]
fn codex_tells_conversations_from_threads() {
    let turn = |said| Made::new("codex_exec", "session_task.turn", said).says();
    let conversation = turn(said! { "thread.id" => "t-1", "model" => "gpt-5-codex" });
    assert!(conversation.contains("  gen_ai.conversation.id = t-1\n"), "{conversation}");
    let number = turn(said! { "thread.id" => 4, "model" => "gpt-5-codex" });
    assert!(!number.contains("gen_ai.conversation.id"), "{number}");
    let other = Made::new("codex_exec", "codex.turn_input", said! { "thread.id" => 4, "conversation.id" => "t-1" });
    assert!(!other.says().contains("gen_ai"), "{}", other.says());
}

#[test]
fn a_tool_of_codex() {
    let tool = Made::new(
        "codex_exec",
        "shell",
        said! {
            "thread.id" => 4,
            "tool_name" => "shell",
            "conversation.id" => "t-1",
            "call_id" => "call_1",
            "codex.tool.phase" => "dispatch",
            "aborted" => false,
        },
    );
    assert_eq!(
        tool.says(),
        r#"execute_tool shell (INTERNAL)
  aborted = false (bool)
  gen_ai.conversation.id = t-1
  gen_ai.operation.name = execute_tool
  gen_ai.tool.call.id = call_1
  gen_ai.tool.name = shell
  thread.id = 4 (int)
"#
    );
}

/// As release 0.61.0 writes it.
#[test]
fn gemini_cli_streams_messages() {
    let call = Made::new(
        "gemini-cli",
        "llm_call",
        said! {
            "gen_ai.operation.name" => "llm_call",
            "gen_ai.output.messages" => r#"[{"role":"model","parts":[{"text":"H","thought":true}]},{"role":"model","parts":[{"text":"m.","thought":true}]},{"role":"model","parts":[{"text":"It is "}]},{"role":"model","parts":[{"text":"sunny."},{"functionCall":{"name":"f","args":{}}}]}]"#,
        },
    );
    let expected = r#"gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"reasoning","content":"Hm."},{"type":"text","content":"It is sunny."},{"type":"tool_call","name":"f","arguments":{}}],"finish_reason":""}]"#;
    assert!(call.says().contains(expected), "{}", call.says());
}

/// As release 0.61.0 writes it: objects of its own in the messages' place.
#[test]
fn gemini_cli_tells_what_a_tool_answered() {
    let asked = r#"{"callId":"f_1","name":"f","args":{"a":1},"isClientInitiated":false}"#;
    let answered = r#"{"status":"success","response":{"callId":"f_1","responseParts":[{"functionResponse":{"id":"f_1","name":"f","response":{"output":"ok"}}}]}}"#;
    let said = said! {
        "gen_ai.operation.name" => "tool_call",
        "gen_ai.tool.name" => "f",
        "gen_ai.input.messages" => asked,
        "gen_ai.output.messages" => answered,
    };
    let tool = Made::new("gemini-cli", "tool_call", said).says();
    for line in
        [r#"gen_ai.tool.call.arguments = {"a":1}"#, r#"gen_ai.tool.call.result = {"output":"ok"}"#, asked, answered]
    {
        assert!(tool.contains(line), "{tool}");
    }
}

#[test]
fn gemini_cli() {
    let call = Made::new(
        "gemini-cli",
        "llm_call",
        said! {
            "gen_ai.operation.name" => "llm_call",
            "gen_ai.agent.name" => "gemini-cli",
            "gen_ai.request.model" => "gemini-3-pro",
            "gen_ai.input.messages" => r#"[{"role":"user","parts":[{"text":"Hi"}]}]"#,
            "gen_ai.output.messages" => r#"[{"role":"model","parts":[{"text":"Hm.","thought":true},{"functionCall":{"id":"c1","name":"f","args":{"a":1}}}]}]"#,
            "gen_ai.usage.input_tokens" => 10,
            "gen_ai.usage.output_tokens" => 5,
        },
    );
    assert_eq!(
        call.says(),
        r#"generate_content gemini-3-pro (CLIENT)
  gen_ai.agent.name = gemini-cli
  gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Hi"}]}]
  gen_ai.operation.name = generate_content
  gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"reasoning","content":"Hm."},{"type":"tool_call","id":"c1","name":"f","arguments":{"a":1}}],"finish_reason":""}]
  gen_ai.provider.name = gcp.gemini
  gen_ai.request.model = gemini-3-pro
  gen_ai.usage.input_tokens = 10 (int)
  gen_ai.usage.output_tokens = 5 (int)
"#
    );
    let tool = Made::new(
        "gemini-cli",
        "tool_call",
        said! { "gen_ai.operation.name" => "tool_call", "gen_ai.tool.name" => "f", "gen_ai.tool.call_id" => "c1" },
    );
    assert_eq!(
        tool.says(),
        r#"execute_tool f (INTERNAL)
  gen_ai.operation.name = execute_tool
  gen_ai.tool.call.id = c1
  gen_ai.tool.name = f
"#
    );
    let around =
        Made::new("gemini-cli", "schedule_tool_calls", said! { "gen_ai.operation.name" => "schedule_tool_calls" });
    assert_eq!(around.says(), "schedule_tool_calls (INTERNAL)\n  gen_ai.operation.name = schedule_tool_calls\n");
}

#[test]
fn copilot_is_current() {
    let span = Made::new(
        "github.copilot",
        "chat gpt-5",
        said! {
            "gen_ai.operation.name" => "chat",
            "gen_ai.provider.name" => "openai",
            "gen_ai.request.model" => "gpt-5",
            "gen_ai.usage.input_tokens" => 100,
            "gen_ai.usage.cache_write.input_tokens" => 10,
            "github.copilot.cost" => 1.5,
        },
    );
    assert_eq!(
        span.kind(3).says(),
        r#"chat gpt-5 (CLIENT)
  gen_ai.operation.name = chat
  gen_ai.provider.name = openai
  gen_ai.request.model = gpt-5
  gen_ai.usage.cache_creation.input_tokens = 10 (int)
  gen_ai.usage.input_tokens = 100 (int)
  github.copilot.cost = 1.5 (double)
"#
    );
}
