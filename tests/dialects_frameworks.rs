//! Mastra, Genkit, Sentry and LiveKit, of which there is no recording: spans made by hand.
mod support;

use support::made::Made;

const MASTRA: &str = "@mastra/otel-exporter";
const GENKIT: &str = "genkit-tracer";
const LIVEKIT: &str = "livekit-agents";

#[test]
fn mastra_a_generation() {
    let call = Made::new(
        MASTRA,
        "llm: 'gpt-4o'",
        said! {
            "mastra.span.type" => "model_generation",
            "gen_ai.operation.name" => "chat",
            "gen_ai.provider.name" => "openai",
            "gen_ai.request.model" => "gpt-4o",
            "gen_ai.agent.name" => "Weather",
            "gen_ai.response.finish_reasons" => r#"["stop"]"#,
            "gen_ai.system_instructions" => "Be brief.",
            "gen_ai.usage.input_tokens" => 100,
            "gen_ai.usage.output_tokens" => 20,
            "gen_ai.usage.reasoning_tokens" => 8,
            "gen_ai.usage.audio_input_tokens" => 3,
            "gen_ai.usage.cache_creation.input_tokens" => 5,
            "mastra.metadata.threadId" => "t1",
            "mastra.metadata.runId" => "r1",
            "mastra.completion_start_time" => "2023-11-14T22:13:20.250Z",
            "mastra.model_generation.input" => r#"{"messages":[{"role":"user","content":"Hi"}]}"#,
            "mastra.model_generation.output" => r#"{"text":"Ho","reasoning":"Hm.","toolCalls":[{"toolCallId":"c1","toolName":"look","args":{"at":1}}],"files":[]}"#,
        },
    );
    assert_eq!(
        call.says_in_main(),
        r#"chat gpt-4o (CLIENT)
  gen_ai.agent.name = Weather
  gen_ai.conversation.id = t1
  gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Hi"}]}]
  gen_ai.operation.name = chat
  gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"reasoning","content":"Hm."},{"type":"text","content":"Ho"},{"type":"tool_call","id":"c1","name":"look","arguments":{"at":1}}]}]
  gen_ai.provider.name = openai
  gen_ai.request.model = gpt-4o
  gen_ai.response.finish_reasons = [stop]
  gen_ai.response.time_to_first_chunk = 0.25 (double)
  gen_ai.system_instructions = [{"type":"text","content":"Be brief."}]
  gen_ai.usage.audio.input_tokens = 3 (int)
  gen_ai.usage.cache_write.input_tokens = 5 (int)
  gen_ai.usage.input_tokens = 100 (int)
  gen_ai.usage.output_tokens = 20 (int)
  gen_ai.usage.reasoning.output_tokens = 8 (int)
  mastra.completion_start_time = 2023-11-14T22:13:20.250Z
  mastra.metadata.runId = r1
"#
    );
}

/// As core 1.71 writes it: the calls are spans below, and the blocks of what was thought are there beside
/// their text.
#[test]
fn mastra_a_generation_around_its_calls() {
    let generation = Made::new(
        MASTRA,
        "model_generation o4-mini",
        said! {
            "mastra.span.type" => "model_generation",
            "gen_ai.operation.name" => "model_generation",
            "mastra.model_generation.input" => r#"{"messages":[{"role":"user","content":"Hi"}]}"#,
            "mastra.model_generation.output" => r#"{"text":"Ho","reasoning":[{"type":"reasoning","payload":{"id":"r1","text":"Hm."}}],"reasoningText":"Hm."}"#,
        },
    );
    assert_eq!(
        generation.says_in_main(),
        r#"model_generation o4-mini (INTERNAL)
  gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Hi"}]}]
  gen_ai.operation.name = model_generation
  gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"reasoning","content":"Hm."},{"type":"text","content":"Ho"}]}]
  mastra.model_generation.output = {"text":"Ho","reasoning":[{"type":"reasoning","payload":{"id":"r1","text":"Hm."}}],"reasoningText":"Hm."}
  mastra.span.type = model_generation
"#
    );
    let output = r#"{"text":"Ho","reasoning":[]}"#;
    let nothing_thought = Made::new(
        MASTRA,
        "model_generation gpt-4o",
        said! { "mastra.span.type" => "model_generation", "mastra.model_generation.output" => output },
    );
    assert!(!nothing_thought.says_in_main().contains("reasoning"), "{}", nothing_thought.says_in_main());
}

/// A step repeats the usage of its generation; its raw type stands as an operation.
#[test]
fn mastra_steps_are_named_and_left() {
    let step = Made::new(
        MASTRA,
        "step: 0",
        said! {
            "mastra.span.type" => "model_step",
            "gen_ai.operation.name" => "model_step",
            "gen_ai.usage.input_tokens" => 100,
            "mastra.model_step.input" => "{}",
        },
    );
    assert_eq!(
        step.says(),
        "step: 0 (INTERNAL)
  gen_ai.operation.name = model_step
  gen_ai.usage.input_tokens = 100 (int)
  mastra.model_step.input = {}
  mastra.span.type = model_step
"
    );
    let tool = Made::new(
        MASTRA,
        "tool: 'look'",
        said! {
            "mastra.span.type" => "mcp_tool_call",
            "gen_ai.operation.name" => "mcp_tool_call",
            "gen_ai.tool.name" => "look",
            "mastra.mcp_tool_call.input" => r#"{"at":1}"#,
            "mastra.mcp_tool_call.output" => r#""cat""#,
        },
    );
    assert_eq!(
        tool.says(),
        r#"execute_tool look (INTERNAL)
  gen_ai.operation.name = execute_tool
  gen_ai.tool.call.arguments = {"at":1}
  gen_ai.tool.call.result = "cat"
  gen_ai.tool.name = look
"#
    );
}

#[test]
fn genkit_a_model() {
    let call = Made::new(
        GENKIT,
        "googleai/gemini-2.5-flash",
        said! {
            "genkit:type" => "action",
            "genkit:metadata:subtype" => "model",
            "genkit:name" => "googleai/gemini-2.5-flash",
            "genkit:path" => "/{flow,t:flow}",
            "genkit:state" => "success",
            "genkit:sessionId" => "s1",
            "genkit:input" => r#"{"messages":[{"role":"user","content":[{"text":"Hi"}]}],"config":{"temperature":0.5,"maxOutputTokens":9},"tools":[]}"#,
            "genkit:output" => r#"{"message":{"role":"model","content":[{"text":"Ho"}]},"finishReason":"stop","usage":{"inputTokens":10,"outputTokens":20,"thoughtsTokens":40,"cachedContentTokens":4,"totalTokens":70}}"#,
        },
    );
    assert_eq!(
        call.says(),
        r#"generate_content gemini-2.5-flash (CLIENT)
  dragoman.usage.reported_output_tokens = 20 (int)
  gen_ai.conversation.id = s1
  gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Hi"}]}]
  gen_ai.operation.name = generate_content
  gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"Ho"}],"finish_reason":"stop"}]
  gen_ai.provider.name = gcp.gemini
  gen_ai.request.max_tokens = 9 (int)
  gen_ai.request.model = gemini-2.5-flash
  gen_ai.request.temperature = 0.5 (double)
  gen_ai.response.finish_reasons = [stop]
  gen_ai.usage.cache_read.input_tokens = 4 (int)
  gen_ai.usage.input_tokens = 10 (int)
  gen_ai.usage.output_tokens = 60 (int)
  gen_ai.usage.reasoning.output_tokens = 40 (int)
  genkit:name = googleai/gemini-2.5-flash
  genkit:path = /{flow,t:flow}
  genkit:state = success
"#
    );
}

#[test]
fn genkit_other_actions() {
    let action = |subtype: &str| {
        said! {
            "genkit:type" => "action",
            "genkit:metadata:subtype" => subtype,
            "genkit:name" => "look",
            "genkit:input" => r#"{"at":1}"#,
            "genkit:output" => r#""cat""#,
        }
    };
    assert_eq!(
        Made::new(GENKIT, "look", action("tool")).says(),
        r#"execute_tool look (INTERNAL)
  gen_ai.operation.name = execute_tool
  gen_ai.tool.call.arguments = {"at":1}
  gen_ai.tool.call.result = "cat"
  gen_ai.tool.name = look
  genkit:name = look
"#
    );
    assert_eq!(
        Made::new(GENKIT, "look", action("flow")).says(),
        r#"invoke_workflow look (INTERNAL)
  gen_ai.operation.name = invoke_workflow
  gen_ai.workflow.name = look
  genkit:input = {"at":1}
  genkit:name = look
  genkit:output = "cat"
"#
    );
    assert_eq!(
        Made::new(GENKIT, "look", action("evaluator")).says_of(&["look", "gen_ai", "genkit:meta"]),
        ["look (INTERNAL)", "genkit:metadata:subtype = evaluator"]
    );
    let retriever = Made::new(
        GENKIT,
        "docs",
        said! {
            "genkit:type" => "action",
            "genkit:metadata:subtype" => "retriever",
            "genkit:name" => "docs",
            "genkit:input" => r#"{"query":{"content":[{"text":"weather"}]},"options":{"k":2}}"#,
            "genkit:output" => r#"{"documents":[{"content":[{"text":"mild"}],"metadata":{"page":1}}]}"#,
        },
    );
    assert_eq!(
        retriever.says_of(&["retrieval", "gen_ai"]),
        [
            "retrieval docs (CLIENT)",
            "gen_ai.data_source.id = docs",
            "gen_ai.operation.name = retrieval",
            r#"gen_ai.retrieval.documents = [{"content":[{"text":"mild"}],"metadata":{"page":1}}]"#,
            "gen_ai.retrieval.query.text = weather",
        ]
    );
}

#[test]
fn sentry_both_eras() {
    let old = Made::new(
        "app",
        "openai.chat",
        said! {
            "sentry.op" => "ai.chat_completions.create.openai",
            "ai.model_id" => "gpt-4o",
            "ai.prompt_tokens.used" => 10,
            "ai.completion_tokens.used" => 20,
            "ai.total_tokens.used" => 30,
            "ai.input_messages" => r#"[{"role":"user","content":"Hi"}]"#,
            "ai.responses" => ["Ho"],
            "ai.tool_calls" => r#"[{"id":"c1","type":"function","function":{"name":"look","arguments":"{\"at\":1}"}}]"#,
            "ai.pipeline.name" => "p",
            "ai.streaming" => true,
        },
    );
    assert_eq!(
        old.says(),
        r#"openai.chat (INTERNAL)
  ai.pipeline.name = p
  gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Hi"}]}]
  gen_ai.operation.name = chat
  gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"Ho"},{"type":"tool_call","id":"c1","name":"look","arguments":{"at":1}}],"finish_reason":""}]
  gen_ai.provider.name = openai
  gen_ai.request.model = gpt-4o
  gen_ai.request.stream = true (bool)
  gen_ai.usage.input_tokens = 10 (int)
  gen_ai.usage.output_tokens = 20 (int)
  sentry.op = ai.chat_completions.create.openai
"#
    );
    let new = Made::new(
        "app",
        "invoke_agent Weather",
        said! {
            "sentry.op" => "gen_ai.invoke_agent",
            "gen_ai.agent.name" => "Weather",
            "gen_ai.request.messages" => r#"[{"role":"user","content":"Hi"}]"#,
            "gen_ai.response.text" => "Ho",
        },
    );
    assert_eq!(
        new.says_in_main(),
        r#"invoke_agent Weather (INTERNAL)
  gen_ai.agent.name = Weather
  gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Hi"}]}]
  gen_ai.operation.name = invoke_agent
  gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"Ho"}]}]
  sentry.op = gen_ai.invoke_agent
"#
    );
    // Every span of Sentry's has the key.
    let foreign = Made::new("app", "GET /", said! { "sentry.op" => "http.server", "http.route" => "/" });
    assert_eq!(foreign.says(), "GET / (INTERNAL)\n  http.route = /\n  sentry.op = http.server\n");
}

#[test]
fn livekit_a_request_and_what_is_around_it() {
    let request = Made::new(
        LIVEKIT,
        "llm_request",
        said! {
            "gen_ai.operation.name" => "chat",
            "gen_ai.request.model" => "gpt-4o",
            "gen_ai.usage.input_tokens" => 10,
            "gen_ai.usage.output_tokens" => 20,
            "lk.chat_ctx" => r#"{"items":[{"id":"item_1","type":"message","role":"user","content":["Hi"]}]}"#,
            "lk.response.text" => "Ho",
            "lk.response.function_calls" => r#"[{"call_id":"c1","name":"look","arguments":"{\"at\":1}"}]"#,
            "lk.response.ttft" => 0.5,
            "lk.room_name" => "r",
        },
    );
    assert_eq!(
        request.says(),
        r#"chat gpt-4o (CLIENT)
  gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Hi"}],"id":"item_1"}]
  gen_ai.operation.name = chat
  gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"Ho"},{"type":"tool_call","id":"c1","name":"look","arguments":{"at":1}}],"finish_reason":""}]
  gen_ai.provider.name = openai
  gen_ai.request.model = gpt-4o
  gen_ai.response.time_to_first_chunk = 0.5 (double)
  gen_ai.usage.input_tokens = 10 (int)
  gen_ai.usage.output_tokens = 20 (int)
  lk.room_name = r
"#
    );
    let turn = Made::new(
        LIVEKIT,
        "agent_turn",
        said! { "lk.user_input" => "Hi", "lk.response.text" => "Ho", "lk.instructions" => "Be brief." },
    );
    assert_eq!(
        turn.says(),
        r#"agent_turn (INTERNAL)
  gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Hi"}]}]
  gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"Ho"}],"finish_reason":""}]
  gen_ai.system_instructions = [{"type":"text","content":"Be brief."}]
"#
    );
    let tool = Made::new(
        LIVEKIT,
        "function_tool",
        said! {
            "lk.function_tool.id" => "c1",
            "lk.function_tool.name" => "look",
            "lk.function_tool.arguments" => r#"{"at":1}"#,
            "lk.function_tool.output" => "cat",
            "lk.function_tool.is_error" => false,
        },
    );
    assert_eq!(
        tool.says(),
        r#"execute_tool look (INTERNAL)
  gen_ai.operation.name = execute_tool
  gen_ai.tool.call.arguments = {"at":1}
  gen_ai.tool.call.id = c1
  gen_ai.tool.call.result = cat
  gen_ai.tool.name = look
  lk.function_tool.is_error = false (bool)
"#
    );
}

/// As 1.42 writes it: what the provider answered stands in the output.
#[test]
fn genkit_tells_which_answer_it_is() {
    for output in [
        r#"{"message":{"role":"model","content":[{"text":"Ho"}]},"raw":{"id":"r-1","model":"m-1"}}"#,
        r#"{"message":{"role":"model","content":[{"text":"Ho"}]},"custom":{"responseId":"r-1","modelVersion":"m-1"}}"#,
    ] {
        let call = Made::new(
            GENKIT,
            "openai/gpt-4o",
            said! { "genkit:metadata:subtype" => "model", "genkit:name" => "openai/gpt-4o", "genkit:output" => output },
        );
        for line in ["  gen_ai.response.id = r-1\n", "  gen_ai.response.model = m-1\n"] {
            assert!(call.says().contains(line), "{}", call.says());
        }
    }
}
