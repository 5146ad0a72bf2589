//! Llama Stack's spans of every era come out in the current words, or as they were where there are none:
//! the recorded ones, and others made by hand for what no recording shows.

mod support;

use dragoman::genai::settings::Target;
use support::made::Made;
use support::translated::{Translated, check_expected, translated};
use support::{attribute, corpus, text};

const LS0: &str = "llama_stack.providers.inline.telemetry.meta_reference.telemetry";

const EMITTERS: &[&str] = &[
    "llama-stack-0.2.23",
    "llama-stack-0.4.4",
    "llama-stack-0.4.4-no-sqlite3",
    "llama-stack-0.7.2-optin",
    "llama-stack-0.7.3",
];

#[test]
fn every_case_says_what_was_said() {
    check_expected("llama_stack.txt", EMITTERS);
}

fn spans(case: &str, name: &str) -> Vec<Translated> {
    let spans: Vec<Translated> =
        translated(&corpus().join(case)).into_iter().filter(|span| span.before.name.starts_with(name)).collect();
    assert!(!spans.is_empty(), "{case} has no {name}");
    spans
}

/// A guardrail: all five facts stay where they are, the operation has a name, and no messages are made of it.
#[test]
fn a_shield_is_a_guardrail_and_is_not_touched() {
    for case in ["llama-stack-0.4.4/shield", "llama-stack-0.7.3/shield"] {
        for span in spans(case, "run_shield") {
            assert_eq!(span.before, span.after);
            let keys = [
                "request.shield_id",
                "request.messages",
                "response.metadata",
                "response.violation.level",
                "response.violation.user_message",
            ];
            for key in keys.map(|key| format!("llama_stack.safety.{key}")) {
                assert!(attribute(&span.after.attributes, &key).is_some(), "{key}");
            }
            let found = span.found.unwrap();
            assert_eq!(
                (found.operation.as_str(), found.dialect, found.model_call),
                ("guardrail", "llama-stack", false)
            );
        }
    }
    for span in spans("llama-stack-0.2.23/shield", "SafetyRouter.run_shield") {
        assert_eq!(span.before, span.after);
        assert_eq!(span.found.unwrap().operation, "guardrail");
    }
    // The shield behind the router is the same one.
    for span in spans("llama-stack-0.2.23/shield", "LlamaGuardSafetyImpl.run_shield") {
        assert_eq!(span.found, None);
    }
}

/// What a router calls is reported by its adapter as well, without the usage.
#[test]
fn only_the_router_is_the_call() {
    for span in translated(&corpus().join("llama-stack-0.2.23/chat_ollama_vllm")) {
        let is_call = span.before.name.starts_with("InferenceRouter.")
            || text(&span.before.attributes, "gen_ai.operation.name").is_some();
        assert_eq!(span.found.is_some(), is_call, "{}", span.before.name);
    }
}

/// Python in Python, and counts on events that share their keys.
#[test]
fn a_chat_of_the_router() {
    let span = || {
        Made::new(LS0, "InferenceRouter.openai_chat_completion", said! {
            "__autotraced__" => true,
            "__class__" => "InferenceRouter",
            "__method__" => "openai_chat_completion",
            "__type__" => "async",
            "__args__" => r#"{'model': 'openai/gpt-4o-mini', 'messages': "[{'role': 'system', 'content': 'Be terse.', 'name': None}, {'role': 'user', 'content': 'It\\'s hot?', 'name': None}]", 'max_tokens': 50, 'temperature': 0.5, 'stop': '', 'stream': 'False', 'tools': "[{'type': 'function', 'function': {'name': 'get_weather', 'parameters': {'type': 'object'}}}]", 'top_p': '', 'user': ''}"#,
            "output" => r#"{'id': 'chatcmpl-1', 'choices': [{'finish_reason': 'tool_calls', 'index': 0, 'logprobs': None, 'message': {'content': None, 'role': 'assistant', 'tool_calls': [{'id': 'call_1', 'function': {'arguments': '{"city": "Paris"}', 'name': 'get_weather'}, 'type': 'function'}]}}], 'created': 1, 'model': 'gpt-4o-mini-2024-07-18', 'service_tier': 'default', 'usage': {'completion_tokens': 13, 'prompt_tokens': 67, 'total_tokens': 80, 'prompt_tokens_details': {'cached_tokens': 32}}}"#,
            "__ttl__" => 604_800,
        }).event("metric.prompt_tokens", said! {
            "value" => 67,
            "unit" => "tokens",
            "model_id" => "openai/gpt-4o-mini",
            "provider_id" => "openai",
        })
      .event("metric.completion_tokens", said! {
          "value" => 13,
          "unit" => "tokens",
          "model_id" => "openai/gpt-4o-mini",
          "provider_id" => "openai",
      })
      .event("metric.total_tokens", said! {
          "value" => 80,
          "unit" => "tokens",
          "model_id" => "openai/gpt-4o-mini",
          "provider_id" => "openai",
      })
      .event("unstructured_log", said! { "message" => "hello", "severity" => "info" })
    };
    assert_eq!(
        span().says(),
        r#"InferenceRouter.openai_chat_completion (INTERNAL)
  __autotraced__ = true (bool)
  __class__ = InferenceRouter
  __method__ = openai_chat_completion
  __ttl__ = 604800 (int)
  __type__ = async
  gen_ai.input.messages = [{"role":"system","parts":[{"type":"text","content":"Be terse."}]},{"role":"user","parts":[{"type":"text","content":"It's hot?"}]}]
  gen_ai.operation.name = chat
  gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"tool_call","id":"call_1","name":"get_weather","arguments":{"city": "Paris"}}],"finish_reason":"tool_call"}]
  gen_ai.provider.name = openai
  gen_ai.request.max_tokens = 50 (int)
  gen_ai.request.model = openai/gpt-4o-mini
  gen_ai.request.stream = false (bool)
  gen_ai.request.temperature = 0.5 (double)
  gen_ai.response.finish_reasons = [tool_calls]
  gen_ai.response.id = chatcmpl-1
  gen_ai.response.model = gpt-4o-mini-2024-07-18
  gen_ai.tool.definitions = [{"type":"function","name":"get_weather","parameters":{"type":"object"}}]
  gen_ai.usage.cache_read.input_tokens = 32 (int)
  gen_ai.usage.input_tokens = 67 (int)
  gen_ai.usage.output_tokens = 13 (int)
  openai.response.service_tier = default
  output = {'id': 'chatcmpl-1', 'choices': [{'finish_reason': 'tool_calls', 'index': 0, 'logprobs': None, 'message': {'content': None, 'role': 'assistant', 'tool_calls': [{'id': 'call_1', 'function': {'arguments': '{"city": "Paris"}', 'name': 'get_weather'}, 'type': 'function'}]}}], 'created': 1, 'model': 'gpt-4o-mini-2024-07-18', 'service_tier': 'default', 'usage': {'completion_tokens': 13, 'prompt_tokens': 67, 'total_tokens': 80, 'prompt_tokens_details': {'cached_tokens': 32}}}
  event unstructured_log
    message = hello
    severity = info
"#
    );
    let main = span().says_in_main();
    assert!(main.contains(r#"  gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"tool_call","id":"call_1","name":"get_weather","arguments":{"city": "Paris"}}]}]"#), "{main}");
    assert!(!main.contains(r#"gen_ai.request.stream"#), "{main}");
}

/// The router's own span ends before the first chunk. Without counts its stream says nothing that the router's
/// span does not.
#[test]
fn a_stream_of_the_router() {
    let span = Made::new(LS0, "InferenceRouter.stream_tokens_and_compute_metrics_openai_chat", said! {
        "__autotraced__" => true,
        "__class__" => "InferenceRouter",
        "__method__" => "stream_tokens_and_compute_metrics_openai_chat",
        "__args__" => r#"{'response': '<AsyncStream object at 0x7f>', 'model': "{'identifier': 'vllm/q'}", 'messages': "[{'role': 'user', 'content': 'Hi', 'name': None}]"}"#,
        "chunk_count" => "14",
    }).event("metric.prompt_tokens", said! {
        "value" => 4,
        "unit" => "tokens",
        "model_id" => "vllm/q",
        "provider_id" => "vllm",
    })
      .event("metric.completion_tokens", said! {
          "value" => 15,
          "unit" => "tokens",
          "model_id" => "vllm/q",
          "provider_id" => "vllm",
      });
    assert_eq!(
        span.says(),
        r#"InferenceRouter.stream_tokens_and_compute_metrics_openai_chat (INTERNAL)
  __args__ = {'response': '<AsyncStream object at 0x7f>', 'model': "{'identifier': 'vllm/q'}", 'messages': "[{'role': 'user', 'content': 'Hi', 'name': None}]"}
  __autotraced__ = true (bool)
  __class__ = InferenceRouter
  __method__ = stream_tokens_and_compute_metrics_openai_chat
  chunk_count = 14
  gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Hi"}]}]
  gen_ai.operation.name = chat
  gen_ai.provider.name = vllm
  gen_ai.request.model = vllm/q
  gen_ai.usage.input_tokens = 4 (int)
  gen_ai.usage.output_tokens = 15 (int)
"#
    );
    let span = Made::new(
        LS0,
        "InferenceRouter.stream_tokens_and_compute_metrics_openai_chat",
        said! {
            "__autotraced__" => true,
            "__class__" => "InferenceRouter",
            "__method__" => "stream_tokens_and_compute_metrics_openai_chat",
            "__args__" => r#"{'messages': "[{'role': 'user', 'content': 'Hi', 'name': None}]"}"#,
            "chunk_count" => "14",
        },
    );
    assert_eq!(
        span.says(),
        r#"InferenceRouter.stream_tokens_and_compute_metrics_openai_chat (INTERNAL)
  __args__ = {'messages': "[{'role': 'user', 'content': 'Hi', 'name': None}]"}
  __autotraced__ = true (bool)
  __class__ = InferenceRouter
  __method__ = stream_tokens_and_compute_metrics_openai_chat
  chunk_count = 14
"#
    );
}

#[test]
fn embeddings_of_the_router() {
    let span = Made::new(
        LS0,
        "InferenceRouter.openai_embeddings",
        said! {
            "__autotraced__" => true,
            "__class__" => "InferenceRouter",
            "__method__" => "openai_embeddings",
            "__args__" => r#"{'model': 'openai/text-embedding-3-small', 'input': "['a', 'b']", 'encoding_format': 'float', 'dimensions': 256, 'user': ''}"#,
            "output" => r#"{'object': 'list', 'data': [], 'model': 'text-embedding-3-small', 'usage': {'prompt_tokens': 8, 'total_tokens': 8}}"#,
        },
    );
    assert_eq!(
        span.says(),
        r#"InferenceRouter.openai_embeddings (INTERNAL)
  __args__ = {'model': 'openai/text-embedding-3-small', 'input': "['a', 'b']", 'encoding_format': 'float', 'dimensions': 256, 'user': ''}
  __autotraced__ = true (bool)
  __class__ = InferenceRouter
  __method__ = openai_embeddings
  gen_ai.embeddings.dimension.count = 256 (int)
  gen_ai.operation.name = embeddings
  gen_ai.provider.name = openai
  gen_ai.request.encoding_formats = [float]
  gen_ai.request.model = openai/text-embedding-3-small
  gen_ai.response.model = text-embedding-3-small
  gen_ai.usage.input_tokens = 8 (int)
  output = {'object': 'list', 'data': [], 'model': 'text-embedding-3-small', 'usage': {'prompt_tokens': 8, 'total_tokens': 8}}
"#
    );
}

/// The span's status is OK, and the exception stands under `error`.
#[test]
fn a_failed_call_of_the_router() {
    let span = Made::new(
        LS0,
        "InferenceRouter.openai_chat_completion",
        said! {
            "__autotraced__" => true,
            "__class__" => "InferenceRouter",
            "__method__" => "openai_chat_completion",
            "__args__" => r#"{'model': 'openai/gpt-4o-mini', 'messages': "[{'role': 'user', 'content': 'Hi', 'name': None}]"}"#,
            "error" => "Error code: 429 - {'error': {'message': 'Rate limit'}}",
        },
    );
    assert_eq!(
        span.says(),
        r#"InferenceRouter.openai_chat_completion (INTERNAL)
  __autotraced__ = true (bool)
  __class__ = InferenceRouter
  __method__ = openai_chat_completion
  error = Error code: 429 - {'error': {'message': 'Rate limit'}}
  error.type = _OTHER
  gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Hi"}]}]
  gen_ai.operation.name = chat
  gen_ai.provider.name = openai
  gen_ai.request.model = openai/gpt-4o-mini
"#
    );
}

/// watsonx.ai sent nothing; its adapter wrote zeros.
#[test]
fn zeros_of_an_adapter_are_no_usage() {
    let span = Made::new(LS0, "InferenceRouter.openai_chat_completion", said! {
        "__autotraced__" => true,
        "__class__" => "InferenceRouter",
        "__method__" => "openai_chat_completion",
        "__args__" => r#"{'model': 'watsonx/ibm/granite', 'messages': "[{'role': 'user', 'content': 'Hi', 'name': None}]"}"#,
        "output" => r#"{'id': 'chatcmpl-2', 'choices': [{'finish_reason': 'stop', 'index': 0, 'message': {'content': 'Hello.', 'role': 'assistant'}}], 'model': 'ibm/granite', 'usage': {'completion_tokens': 0, 'prompt_tokens': 0, 'total_tokens': 0}}"#,
    }).event("metric.prompt_tokens", said! {
        "value" => 0,
        "unit" => "tokens",
        "model_id" => "watsonx/ibm/granite",
        "provider_id" => "watsonx",
    })
      .event("metric.completion_tokens", said! {
          "value" => 0,
          "unit" => "tokens",
          "model_id" => "watsonx/ibm/granite",
          "provider_id" => "watsonx",
      })
      .event("metric.total_tokens", said! {
          "value" => 0,
          "unit" => "tokens",
          "model_id" => "watsonx/ibm/granite",
          "provider_id" => "watsonx",
      });
    assert_eq!(
        span.says(),
        r#"InferenceRouter.openai_chat_completion (INTERNAL)
  __autotraced__ = true (bool)
  __class__ = InferenceRouter
  __method__ = openai_chat_completion
  gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Hi"}]}]
  gen_ai.operation.name = chat
  gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"Hello."}],"finish_reason":"stop"}]
  gen_ai.provider.name = ibm.watsonx.ai
  gen_ai.request.model = watsonx/ibm/granite
  gen_ai.response.finish_reasons = [stop]
  gen_ai.response.id = chatcmpl-2
  gen_ai.response.model = ibm/granite
"#
    );
}

/// The tokenizer of Llama 3 counts for every model; the span that does so is no call.
#[test]
fn counts_of_the_own_api_are_estimates() {
    let span = Made::new(
        LS0,
        "InferenceRouter.chat_completion",
        said! {
            "__autotraced__" => true,
            "__class__" => "InferenceRouter",
            "__method__" => "chat_completion",
            "__args__" => r#"{'model_id': 'ollama/llama-guard3:1b', 'messages': "[{'role': 'user', 'content': 'Hi', 'context': None}]", 'sampling_params': "{'strategy': {'type': 'greedy'}, 'max_tokens': 0}"}"#,
            "output" => r#"{'metrics': [{'metric': 'prompt_tokens', 'value': 217, 'unit': None}, {'metric': 'completion_tokens', 'value': 14, 'unit': None}, {'metric': 'total_tokens', 'value': 231, 'unit': None}], 'completion_message': {'role': 'assistant', 'content': 'unsafe\nS9', 'stop_reason': 'end_of_turn', 'tool_calls': []}, 'logprobs': None}"#,
        },
    );
    assert_eq!(
        span.says(),
        r#"InferenceRouter.chat_completion (INTERNAL)
  __args__ = {'model_id': 'ollama/llama-guard3:1b', 'messages': "[{'role': 'user', 'content': 'Hi', 'context': None}]", 'sampling_params': "{'strategy': {'type': 'greedy'}, 'max_tokens': 0}"}
  __autotraced__ = true (bool)
  __class__ = InferenceRouter
  __method__ = chat_completion
  dragoman.usage.estimated = true (bool)
  gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Hi"}]}]
  gen_ai.operation.name = chat
  gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"unsafe\nS9"}],"finish_reason":"stop"}]
  gen_ai.provider.name = ollama
  gen_ai.request.model = ollama/llama-guard3:1b
  gen_ai.response.finish_reasons = [end_of_turn]
  gen_ai.usage.input_tokens = 217 (int)
  gen_ai.usage.output_tokens = 14 (int)
  output = {'metrics': [{'metric': 'prompt_tokens', 'value': 217, 'unit': None}, {'metric': 'completion_tokens', 'value': 14, 'unit': None}, {'metric': 'total_tokens', 'value': 231, 'unit': None}], 'completion_message': {'role': 'assistant', 'content': 'unsafe\nS9', 'stop_reason': 'end_of_turn', 'tool_calls': []}, 'logprobs': None}
"#
    );
    let span = Made::new(
        LS0,
        "InferenceRouter.count_tokens_and_compute_metrics",
        said! {
            "__autotraced__" => true,
            "__class__" => "InferenceRouter",
            "__method__" => "count_tokens_and_compute_metrics",
            "__args__" => r#"{'prompt_tokens': '217'}"#,
            "output" => "[{'metric': 'prompt_tokens', 'value': 217}]",
        },
    )
    .event(
        "metric.completion_tokens",
        said! {
            "value" => 14,
            "unit" => "tokens",
            "model_id" => "m",
            "provider_id" => "ollama",
        },
    )
    .event(
        "metric.total_tokens",
        said! {
            "value" => 231,
            "unit" => "tokens",
            "model_id" => "m",
            "provider_id" => "ollama",
        },
    );
    assert_eq!(
        span.says(),
        r#"InferenceRouter.count_tokens_and_compute_metrics (INTERNAL)
  __args__ = {'prompt_tokens': '217'}
  __autotraced__ = true (bool)
  __class__ = InferenceRouter
  __method__ = count_tokens_and_compute_metrics
  output = [{'metric': 'prompt_tokens', 'value': 217}]
  event metric.completion_tokens
    model_id = m
    provider_id = ollama
    unit = tokens
    value = 14 (int)
  event metric.total_tokens
    model_id = m
    provider_id = ollama
    unit = tokens
    value = 231 (int)
"#
    );
}

#[test]
fn a_tool_of_the_router() {
    let span = Made::new(
        LS0,
        "ToolRuntimeRouter.invoke_tool",
        said! {
            "__autotraced__" => true,
            "__class__" => "ToolRuntimeRouter",
            "__method__" => "invoke_tool",
            "__args__" => r#"{'tool_name': 'get_weather', 'kwargs': {'city': 'Paris'}}"#,
            "output" => r#"{'content': '18C', 'error_message': None, 'error_code': None, 'metadata': None}"#,
        },
    );
    assert_eq!(
        span.says(),
        r#"ToolRuntimeRouter.invoke_tool (INTERNAL)
  __autotraced__ = true (bool)
  __class__ = ToolRuntimeRouter
  __method__ = invoke_tool
  gen_ai.operation.name = execute_tool
  gen_ai.tool.call.arguments = {"city":"Paris"}
  gen_ai.tool.call.result = {'content': '18C', 'error_message': None, 'error_code': None, 'metadata': None}
  gen_ai.tool.name = get_weather
  output = {'content': '18C', 'error_message': None, 'error_code': None, 'metadata': None}
"#
    );
}

/// Names and keys decide, for the scopes moved.
#[test]
fn tools_of_an_mcp_server() {
    let span = Made::new(
        "ogx.providers.inline.responses.builtin.responses.tool_executor",
        "invoke_mcp_tool",
        said! {
            "server_label" => "weather",
            "server_url" => "https://host:8443/mcp?x=1",
            "tool_name" => "get_weather",
        },
    );
    assert_eq!(
        span.says(),
        r#"tools/call get_weather (CLIENT)
  gen_ai.operation.name = execute_tool
  gen_ai.tool.name = get_weather
  mcp.method.name = tools/call
  server.address = host
  server.port = 8443 (int)
  server_label = weather
  server_url = https://host:8443/mcp?x=1
"#
    );
    let span = Made::new(
        "somewhere.else",
        "invoke_mcp_tool",
        said! { "server_label" => "weather", "server_url" => "https://host/mcp", "tool_name" => "get_weather" },
    );
    assert_eq!(
        span.says(),
        r#"tools/call get_weather (CLIENT)
  gen_ai.operation.name = execute_tool
  gen_ai.tool.name = get_weather
  mcp.method.name = tools/call
  server.address = host
  server_label = weather
  server_url = https://host/mcp
"#
    );
    let span = Made::new(
        "somewhere.else",
        "list_mcp_tools",
        said! {
            "server_label" => "weather",
            "server_url" => "https://host/mcp",
            "mcp_list_tools_id" => "mcp_list_1",
        },
    );
    assert_eq!(
        span.says(),
        r#"tools/list (CLIENT)
  mcp.method.name = tools/list
  mcp_list_tools_id = mcp_list_1
  server.address = host
  server_label = weather
  server_url = https://host/mcp
"#
    );
    let span = Made::new("ogx.providers.x", "invoke_tool", said! { "tool_name" => "web_search" });
    assert_eq!(
        span.says(),
        r#"execute_tool web_search (INTERNAL)
  gen_ai.operation.name = execute_tool
  gen_ai.tool.name = web_search
"#
    );
}

#[test]
fn bare_words_mean_nothing_elsewhere() {
    let span = Made::new(
        "app",
        "work",
        said! {
            "tool_name" => "hammer",
            "output" => "x",
            "server_label" => "y",
            "error" => "z",
        },
    );
    assert_eq!(
        span.says(),
        r#"work (INTERNAL)
  error = z
  output = x
  server_label = y
  tool_name = hammer
"#
    );
}

/// The zeros are counted with their reason.
#[test]
fn injected_zeros_are_told() {
    let span = Made::new(
        LS0,
        "InferenceRouter.openai_chat_completion",
        said! {
            "__method__" => "openai_chat_completion",
            "output" => "{'usage': {'completion_tokens': 0, 'prompt_tokens': 0}}",
        },
    );
    let said = span.to(Target::V1_41);
    assert_eq!(attribute(&said.attributes, "gen_ai.usage.input_tokens"), None);
    assert_eq!(attribute(&said.attributes, "gen_ai.usage.output_tokens"), None);
}

/// OGX has the same shields under another prefix.
#[test]
fn a_shield_of_ogx() {
    let span = Made::new(
        "ogx.core.routers.safety",
        "run_shield llama-guard",
        said! {
            "ogx.safety.request.shield_id" => "llama-guard",
            "ogx.safety.request.messages" => r#"[{"role": "user", "content": "Hi"}]"#,
            "ogx.safety.response.violation.level" => "error",
        },
    );
    assert_eq!(
        span.says(),
        r#"run_shield llama-guard (INTERNAL)
  ogx.safety.request.messages = [{"role": "user", "content": "Hi"}]
  ogx.safety.request.shield_id = llama-guard
  ogx.safety.response.violation.level = error
"#
    );
}
