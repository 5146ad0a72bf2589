//! VoltAgent's spans come out in the current words.

mod support;

use support::made::Made;

const SCOPE: &str = "@voltagent/core";

/// As release 2.10.0 writes them.
#[test]
fn an_agent_its_call_and_its_tool() {
    let agent = Made::new(
        SCOPE,
        "weather",
        said! {
            "span.type" => "agent",
            "entity.id" => "w1",
            "entity.name" => "weather",
            "input" => "Weather?",
            "output" => "Sunny.",
            "agent.instructions" => "You are terse.",
            "ai.model.name" => "gpt-4o-mini",
            "ai.response.finish_reason" => "stop",
        },
    );
    assert_eq!(
        agent.says(),
        r#"invoke_agent weather (INTERNAL)
  entity.id = w1
  entity.name = weather
  gen_ai.agent.id = w1
  gen_ai.agent.name = weather
  gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Weather?"}]}]
  gen_ai.operation.name = invoke_agent
  gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"Sunny."}],"finish_reason":"stop"}]
  gen_ai.provider.name = openai
  gen_ai.request.model = gpt-4o-mini
  gen_ai.response.finish_reasons = [stop]
  gen_ai.system_instructions = [{"type":"text","content":"You are terse."}]
"#
    );
    let call = Made::new(
        SCOPE,
        "llm:generateText",
        said! {
            "span.type" => "llm",
            "llm.operation" => "generateText",
            "llm.model" => "gpt-4o-mini",
            "llm.messages" => r#"[{"role":"user","content":"Weather?"}]"#,
            "llm.usage.prompt_tokens" => 24,
            "llm.usage.completion_tokens" => 11,
            "llm.usage.total_tokens" => 35,
        },
    );
    assert_eq!(
        call.says(),
        r#"chat gpt-4o-mini (CLIENT)
  gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Weather?"}]}]
  gen_ai.operation.name = chat
  gen_ai.provider.name = openai
  gen_ai.request.model = gpt-4o-mini
  gen_ai.usage.input_tokens = 24 (int)
  gen_ai.usage.output_tokens = 11 (int)
  llm.operation = generateText
"#
    );
    let tool = Made::new(
        SCOPE,
        "tool.execution:get_weather",
        said! {
            "span.type" => "tool",
            "tool.name" => "get_weather",
            "tool.call.id" => "call_1",
            "input" => r#"{"city":"Lyon"}"#,
            "output" => r#"{"degrees":21}"#,
        },
    );
    assert_eq!(
        tool.says(),
        r#"execute_tool get_weather (INTERNAL)
  gen_ai.operation.name = execute_tool
  gen_ai.tool.call.arguments = {"city":"Lyon"}
  gen_ai.tool.call.id = call_1
  gen_ai.tool.call.result = {"degrees":21}
  gen_ai.tool.name = get_weather
"#
    );
}
