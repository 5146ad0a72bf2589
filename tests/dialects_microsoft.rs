//! Semantic Kernel, Agent Framework, AutoGen and the Azure AI clients: recorded spans, and others made by
//! hand for eras and languages that no recording shows.

mod support;

use support::made::Made;
use support::translated::check_expected;

const PYTHON: &str = "semantic_kernel.utils.telemetry.model_diagnostics.decorators";

const EMITTERS: &[&str] = &["semantic-kernel-1.45.0", "agent-framework-1.23.0"];

#[test]
fn every_case_says_what_was_said() {
    check_expected("microsoft.txt", EMITTERS);
}

/// Drafts' names, a list in a text, an event name of its own, and words of enumerations.
#[test]
fn semantic_kernel_for_dotnet() {
    let span = || {
        Made::new("Microsoft.SemanticKernel.Diagnostics", "chat.completions gpt-4o", said! {
            "gen_ai.operation.name" => "chat.completions",
            "gen_ai.system" => "openai",
            "gen_ai.request.model" => "gpt-4o",
            "gen_ai.request.max_token" => 100,
            "gen_ai.response.prompt_tokens" => 20,
            "gen_ai.response.completion_tokens" => 5,
            "gen_ai.response.finish_reason" => "[ToolCalls]",
            "gen_ai.response.id" => "chatcmpl-3",
        }).kind(3).event("gen_ai.system.message", said! {
            "gen_ai.system" => "openai",
            "gen_ai.event.content" => r#"{"role":"system","content":"Be terse."}"#,
        })
      .event("gen_ai.tool.developer", said! {
          "gen_ai.system" => "openai",
          "gen_ai.event.content" => r#"{"role":"developer","content":"Use tools."}"#,
      })
      .event("gen_ai.user.message", said! {
          "gen_ai.system" => "openai",
          "gen_ai.event.content" => r#"{"role":"user","content":"Weather?"}"#,
      })
      .event("gen_ai.choice", said! {
          "gen_ai.system" => "openai",
          "gen_ai.event.content" => r#"{"index":0,"message":{"content":"","role":"Assistant","tool_calls":[{"id":"c1","function":{"arguments":{"city":"Paris"},"name":"get_weather"},"type":"function"}]},"finish_reason":"ToolCalls"}"#,
      })
    };
    assert_eq!(
        span().says(),
        r#"chat gpt-4o (CLIENT)
  gen_ai.input.messages = [{"role":"system","parts":[{"type":"text","content":"Be terse."}]},{"role":"system","parts":[{"type":"text","content":"Use tools."}]},{"role":"user","parts":[{"type":"text","content":"Weather?"}]}]
  gen_ai.operation.name = chat
  gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"tool_call","id":"c1","name":"get_weather","arguments":{"city":"Paris"}}],"finish_reason":"tool_call"}]
  gen_ai.provider.name = openai
  gen_ai.request.max_tokens = 100 (int)
  gen_ai.request.model = gpt-4o
  gen_ai.response.finish_reasons = [tool_calls]
  gen_ai.response.id = chatcmpl-3
  gen_ai.usage.input_tokens = 20 (int)
  gen_ai.usage.output_tokens = 5 (int)
"#
    );
    let main = span().says_in_main();
    assert!(main.contains(r#"  gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"tool_call","id":"c1","name":"get_weather","arguments":{"city":"Paris"}}]}]"#), "{main}");
}

#[test]
fn the_oldest_semantic_kernel() {
    let span = Made::new(
        "Microsoft.SemanticKernel.Diagnostics",
        "text.completions m",
        said! {
            "gen_ai.operation.name" => "text.completions",
            "gen_ai.system" => "huggingface",
            "gen_ai.request.model" => "m",
        },
    )
    .kind(3)
    .event(
        "gen_ai.content.prompt",
        said! {
            "gen_ai.prompt" => "Once",
        },
    )
    .event(
        "gen_ai.content.completion",
        said! {
            "gen_ai.completion" => r#"[{"role":"assistant","content":"upon"}]"#,
        },
    );
    assert_eq!(
        span.says(),
        r#"text_completion m (CLIENT)
  gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Once"}]}]
  gen_ai.operation.name = text_completion
  gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"upon"}],"finish_reason":""}]
  gen_ai.provider.name = hugging_face
  gen_ai.request.model = m
"#
    );
}

/// A base URL is no address.
#[test]
fn semantic_kernel_for_python() {
    let span = Made::new(
        PYTHON,
        "chat gpt-4o-mini",
        said! {
            "gen_ai.operation.name" => "chat",
            "gen_ai.system" => "openai",
            "gen_ai.request.model" => "gpt-4o-mini",
            "server.address" => "https://api.openai.com/v1",
            "error.type" => "RateLimit",
        },
    );
    assert_eq!(
        span.says(),
        r#"chat gpt-4o-mini (CLIENT)
  error.type = RateLimit
  gen_ai.operation.name = chat
  gen_ai.provider.name = openai
  gen_ai.request.model = gpt-4o-mini
  server.address = api.openai.com
"#
    );
    let span = Made::new(
        PYTHON,
        "text_completions m",
        said! {
            "gen_ai.operation.name" => "text_completions",
            "gen_ai.system" => "onnx",
            "gen_ai.request.model" => "m",
            "gen_ai.response.finish_reason" => "FinishReason.LENGTH",
        },
    );
    assert_eq!(
        span.says(),
        r#"text_completion m (CLIENT)
  gen_ai.operation.name = text_completion
  gen_ai.provider.name = onnx
  gen_ai.request.model = m
  gen_ai.response.finish_reasons = [length]
"#
    );
}

#[test]
fn the_functions_that_a_model_could_call() {
    let span =
        Made::new(PYTHON, "AutoFunctionInvocationLoop", said! { "sk.available_functions" => "weather-get, math-add" });
    assert_eq!(
        span.says(),
        r#"AutoFunctionInvocationLoop (INTERNAL)
  gen_ai.tool.definitions = [{"type":"function","name":"weather-get"},{"type":"function","name":"math-add"}]
"#
    );
}

#[test]
fn a_tool_call_without_an_id() {
    let span = Made::new(
        "agent_framework",
        "execute_tool f",
        said! {
            "gen_ai.operation.name" => "execute_tool",
            "gen_ai.tool.name" => "f",
            "gen_ai.tool.call.id" => "unknown",
            "gen_ai.tool.call.arguments" => "{}",
            "agent_framework.function.invocation.duration" => 0.1,
        },
    );
    assert_eq!(
        span.says(),
        r#"execute_tool f (INTERNAL)
  agent_framework.function.invocation.duration = 0.1 (double)
  gen_ai.operation.name = execute_tool
  gen_ai.tool.call.arguments = {}
  gen_ai.tool.name = f
"#
    );
}

/// Its executors are no operations.
#[test]
fn a_workflow_of_agents() {
    let span =
        Made::new("agent_framework", "workflow.run", said! { "workflow.id" => "w1", "workflow.name" => "Greeting" });
    assert_eq!(
        span.says(),
        r#"invoke_workflow Greeting (INTERNAL)
  gen_ai.operation.name = invoke_workflow
  gen_ai.workflow.name = Greeting
  workflow.id = w1
"#
    );
    let span = Made::new(
        "agent_framework",
        "executor.process Writer",
        said! { "executor.id" => "e", "executor.type" => "AgentExecutor", "workflow.id" => "w1" },
    );
    assert_eq!(
        span.says(),
        r#"executor.process Writer (INTERNAL)
  executor.id = e
  executor.type = AgentExecutor
  workflow.id = w1
"#
    );
}

#[test]
fn agent_framework_for_dotnet() {
    let span = || {
        Made::new(
            "Experimental.Microsoft.Extensions.AI",
            "chat gpt-4o",
            said! {
                "gen_ai.operation.name" => "chat",
                "gen_ai.provider.name" => "microsoft.foundry",
                "gen_ai.request.model" => "gpt-4o",
                "gen_ai.response.finish_reasons" => r#"["stop"]"#,
                "gen_ai.usage.input_tokens" => 30,
                "gen_ai.usage.output_tokens" => 3,
                "gen_ai.usage.cache_creation.input_tokens" => 4,
            },
        )
        .kind(3)
    };
    assert_eq!(
        span().says(),
        r#"chat gpt-4o (CLIENT)
  gen_ai.operation.name = chat
  gen_ai.provider.name = microsoft.foundry
  gen_ai.request.model = gpt-4o
  gen_ai.response.finish_reasons = [stop]
  gen_ai.usage.cache_creation.input_tokens = 4 (int)
  gen_ai.usage.input_tokens = 30 (int)
  gen_ai.usage.output_tokens = 3 (int)
"#
    );
    let main = span().says_in_main();
    assert!(main.contains(r#"  gen_ai.usage.cache_write.input_tokens = 4 (int)"#), "{main}");
    assert!(!main.contains(r#"gen_ai.usage.cache_creation.input_tokens"#), "{main}");
}

/// The runtime's spans are no operations.
#[test]
fn autogen_names_itself_as_provider() {
    let span = Made::new(
        "autogen-core",
        "invoke_agent Writer",
        said! {
            "gen_ai.operation.name" => "invoke_agent",
            "gen_ai.system" => "autogen",
            "gen_ai.agent.name" => "Writer",
            "gen_ai.agent.id" => "a1",
        },
    );
    assert_eq!(
        span.says(),
        r#"invoke_agent Writer (INTERNAL)
  gen_ai.agent.id = a1
  gen_ai.agent.name = Writer
  gen_ai.operation.name = invoke_agent
  gen_ai.system = autogen
"#
    );
    let span = Made::new(
        "autogen-core",
        "autogen send Writer",
        said! {
            "messaging.operation" => "publish",
            "messaging.destination" => "Writer",
            "messaging.message.size" => 3,
        },
    );
    assert_eq!(
        span.says(),
        r#"autogen send Writer (INTERNAL)
  messaging.destination = Writer
  messaging.message.size = 3 (int)
  messaging.operation = publish
"#
    );
}

/// `chat` is no model, `none` no reason.
#[test]
fn azure_inference_and_its_placeholders() {
    let span = Made::new(
        "azure.ai.inference",
        "chat",
        said! {
            "gen_ai.operation.name" => "chat",
            "gen_ai.system" => "az.ai.inference",
            "gen_ai.request.model" => "chat",
            "server.address" => "models.inference.ai.azure.com",
            "az.namespace" => "Microsoft.CognitiveServices",
            "az.client_request_id" => "r1",
            "gen_ai.response.finish_reasons" => ["none"],
            "gen_ai.usage.input_tokens" => 9,
            "gen_ai.usage.output_tokens" => 2,
        },
    )
    .kind(3)
    .event(
        "gen_ai.user.message",
        said! {
            "gen_ai.system" => "az.ai.inference",
            "gen_ai.event.content" => r#"{"role": "user", "content": "Hi"}"#,
        },
    )
    .event(
        "gen_ai.choice",
        said! {
            "gen_ai.system" => "az.ai.inference",
            "gen_ai.event.content" => r#"{"message": {"content": "Hello."}, "finish_reason": "stop", "index": 0}"#,
        },
    );
    assert_eq!(
        span.says(),
        r#"chat (CLIENT)
  az.client_request_id = r1
  azure.resource_provider.namespace = Microsoft.CognitiveServices
  gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Hi"}]}]
  gen_ai.operation.name = chat
  gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"Hello."}],"finish_reason":"stop"}]
  gen_ai.provider.name = azure.ai.inference
  gen_ai.response.finish_reasons = [stop]
  gen_ai.usage.input_tokens = 9 (int)
  gen_ai.usage.output_tokens = 2 (int)
  server.address = models.inference.ai.azure.com
"#
    );
    let span = Made::new(
        "azure.ai.inference",
        "chat gpt-4o",
        said! {
            "gen_ai.operation.name" => "chat",
            "gen_ai.system" => "az.ai.inference",
            "gen_ai.request.model" => "gpt-4o",
            "server.address" => "me.openai.azure.com",
            "gen_ai.response.finish_reasons" => ["stop", "none"],
        },
    )
    .kind(3);
    assert_eq!(
        span.says(),
        r#"chat gpt-4o (CLIENT)
  gen_ai.operation.name = chat
  gen_ai.provider.name = azure.ai.openai
  gen_ai.request.model = gpt-4o
  gen_ai.response.finish_reasons = [stop]
  server.address = me.openai.azure.com
"#
    );
}

/// Texts for numbers, names of its own, and content on events.
#[test]
fn azure_projects() {
    let span = || {
        Made::new("azure.ai.projects", "responses gpt-4o", said! {
            "gen_ai.operation.name" => "responses",
            "gen_ai.provider.name" => "azure.openai",
            "gen_ai.request.model" => "gpt-4o",
            "gen_ai.request.temperature" => "0.5",
            "gen_ai.request.top_p" => "0.9",
            "gen_ai.request.max_output_tokens" => 100,
            "gen_ai.request.max_input_tokens" => 1000,
            "gen_ai.request.response_format" => "json_schema",
            "gen_ai.request.reasoning.effort" => "low",
            "gen_ai.request.tools" => r#"[{"type":"function","name":"f","parameters":{"type":"object"}}]"#,
            "gen_ai.usage.input_tokens" => 9,
            "gen_ai.usage.output_tokens" => 2,
            "gen_ai.usage.total_tokens" => 11,
            "gen_ai.input.messages" => r#"[{"role":"tool","parts":[{"type":"tool_call_response","id":"c1","result":"18C"}]}]"#,
        }).kind(3)
       .event("gen_ai.system.instructions", said! {
           "gen_ai.provider.name" => "azure.openai",
           "gen_ai.event.content" => r#"[{"type":"text","content":"Be terse."}]"#,
       })
       .event("gen_ai.output.messages", said! {
           "gen_ai.provider.name" => "azure.openai",
           "gen_ai.event.content" => r#"[{"role":"assistant","parts":[{"type":"text","content":"Fine."}],"finish_reason":"completed"}]"#,
       })
    };
    assert_eq!(
        span().says(),
        r#"chat gpt-4o (CLIENT)
  gen_ai.input.messages = [{"role":"tool","parts":[{"type":"tool_call_response","id":"c1","response":"18C"}]}]
  gen_ai.operation.name = chat
  gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"Fine."}],"finish_reason":"stop"}]
  gen_ai.output.type = json
  gen_ai.provider.name = azure.ai.openai
  gen_ai.request.max_input_tokens = 1000 (int)
  gen_ai.request.max_tokens = 100 (int)
  gen_ai.request.model = gpt-4o
  gen_ai.request.reasoning.effort = low
  gen_ai.request.temperature = 0.5 (double)
  gen_ai.request.top_p = 0.9 (double)
  gen_ai.response.finish_reasons = [completed]
  gen_ai.system_instructions = [{"type":"text","content":"Be terse."}]
  gen_ai.tool.definitions = [{"type":"function","name":"f","parameters":{"type":"object"}}]
  gen_ai.usage.input_tokens = 9 (int)
  gen_ai.usage.output_tokens = 2 (int)
"#
    );
    let main = span().says_in_main();
    assert!(
        main.contains(
            r#"  gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"Fine."}]}]"#
        ),
        "{main}"
    );
    assert!(main.contains(r#"  gen_ai.request.reasoning.level = low"#), "{main}");
    assert!(!main.contains(r#"gen_ai.request.reasoning.effort"#), "{main}");
}

/// The run is an agent's; the rest is REST and keeps its words.
#[test]
fn threads_of_azure_agents() {
    let span = Made::new(
        "azure.ai.agents",
        "process_thread_run",
        said! {
            "gen_ai.operation.name" => "process_thread_run",
            "gen_ai.system" => "az.ai.agents",
            "gen_ai.thread.id" => "t1",
            "gen_ai.thread.run.id" => "r1",
            "gen_ai.thread.run.status" => "completed",
            "gen_ai.agent.id" => "a1",
            "gen_ai.usage.input_tokens" => 9,
            "gen_ai.usage.output_tokens" => 2,
        },
    )
    .kind(3);
    assert_eq!(
        span.says(),
        r#"invoke_agent (CLIENT)
  gen_ai.agent.id = a1
  gen_ai.conversation.id = t1
  gen_ai.operation.name = invoke_agent
  gen_ai.provider.name = azure.ai.agents
  gen_ai.thread.run.id = r1
  gen_ai.thread.run.status = completed
  gen_ai.usage.input_tokens = 9 (int)
  gen_ai.usage.output_tokens = 2 (int)
"#
    );
    let span = Made::new(
        "azure.ai.agents",
        "list_run_steps",
        said! {
            "gen_ai.operation.name" => "list_run_steps",
            "gen_ai.system" => "az.ai.agents",
            "gen_ai.thread.id" => "t1",
            "gen_ai.run_step.status" => "completed",
            "gen_ai.usage.input_tokens" => 9,
        },
    )
    .kind(3);
    assert_eq!(
        span.says(),
        r#"list_run_steps (CLIENT)
  gen_ai.conversation.id = t1
  gen_ai.operation.name = list_run_steps
  gen_ai.provider.name = azure.ai.agents
  gen_ai.run_step.status = completed
  gen_ai.usage.input_tokens = 9 (int)
"#
    );
}
