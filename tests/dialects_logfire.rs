//! Logfire's LLM spans come out in the current words.

mod support;

use support::made::Made;
use support::translated::check_expected;

#[test]
fn every_case_says_what_was_said() {
    check_expected("logfire.txt", &["logfire-5.2.0"]);
}

/// Early releases: whole bodies, and a template for an operation.
#[test]
fn bodies_of_a_chat_with_tools() {
    let span = Made::new(
        "logfire.openai",
        "Chat Completion with {request_data[model]!r}",
        said! {
            "request_data" => r#"{"messages":[{"role":"system","content":"Be terse."},{"role":"user","content":"Weather?"}],"model":"gpt-4o","stream":false,"temperature":0.5,"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"user":"u-1"}"#,
            "async" => true,
            "gen_ai.system" => "openai",
            "gen_ai.request.model" => "gpt-4o",
            "gen_ai.response.model" => "gpt-4o-2024-08-06",
            "logfire.msg" => "Chat Completion with 'gpt-4o'",
            "logfire.tags" => ["LLM"],
            "response_data" => r#"{"message":{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},"usage":{"completion_tokens":13,"prompt_tokens":67,"total_tokens":80,"prompt_tokens_details":{"cached_tokens":32}}}"#,
        },
    );
    assert_eq!(
        span.says(),
        r#"chat gpt-4o (CLIENT)
  async = true (bool)
  gen_ai.input.messages = [{"role":"system","parts":[{"type":"text","content":"Be terse."}]},{"role":"user","parts":[{"type":"text","content":"Weather?"}]}]
  gen_ai.operation.name = chat
  gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"tool_call","id":"c1","name":"f","arguments":{"a":1}}],"finish_reason":""}]
  gen_ai.provider.name = openai
  gen_ai.request.model = gpt-4o
  gen_ai.request.stream = false (bool)
  gen_ai.request.temperature = 0.5 (double)
  gen_ai.response.model = gpt-4o-2024-08-06
  gen_ai.tool.definitions = [{"type":"function","name":"f","parameters":{"type":"object"}}]
  gen_ai.usage.cache_read.input_tokens = 32 (int)
  gen_ai.usage.input_tokens = 67 (int)
  gen_ai.usage.output_tokens = 13 (int)
  logfire.msg = Chat Completion with 'gpt-4o'
  logfire.tags = [LLM]
  request_data = {"messages":[{"role":"system","content":"Be terse."},{"role":"user","content":"Weather?"}],"model":"gpt-4o","stream":false,"temperature":0.5,"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"user":"u-1"}
"#
    );
}

/// The second span of a streamed call says what was streamed, and is no call.
#[test]
fn the_log_of_a_stream_keeps_its_name() {
    let span = Made::new(
        "logfire.openai",
        "streaming response from {request_data[model]!r} took {duration:.2f}s",
        said! {
            "logfire.span_type" => "log",
            "request_data" => r#"{"messages":[{"role":"user","content":"Hi"}],"model":"gpt-4o","stream":true}"#,
            "duration" => 0.5,
            "gen_ai.request.model" => "gpt-4o",
            "response_data" => r#"{"combined_chunk_content":"Hello.","chunk_count":3}"#,
        },
    );
    assert_eq!(
        span.says(),
        r#"streaming response from {request_data[model]!r} took {duration:.2f}s (INTERNAL)
  duration = 0.5 (double)
  gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Hi"}]}]
  gen_ai.operation.name = chat
  gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"Hello."}],"finish_reason":""}]
  gen_ai.provider.name = openai
  gen_ai.request.model = gpt-4o
  gen_ai.request.stream = true (bool)
  logfire.span_type = log
  response_data = {"combined_chunk_content":"Hello.","chunk_count":3}
"#
    );
}

#[test]
fn a_completion_and_embeddings() {
    let completion = Made::new(
        "logfire.openai",
        "Completion with {request_data[model]!r}",
        said! {
            "request_data" => r#"{"model":"gpt-3.5-turbo-instruct","prompt":"Once"}"#,
            "response_data" => r#"{"finish_reason":"stop","text":" upon a time","usage":{"completion_tokens":3,"prompt_tokens":1,"total_tokens":4}}"#,
        },
    );
    assert_eq!(
        completion.says(),
        r#"text_completion gpt-3.5-turbo-instruct (CLIENT)
  gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Once"}]}]
  gen_ai.operation.name = text_completion
  gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":" upon a time"}],"finish_reason":"stop"}]
  gen_ai.provider.name = openai
  gen_ai.request.model = gpt-3.5-turbo-instruct
  gen_ai.response.finish_reasons = [stop]
  gen_ai.usage.input_tokens = 1 (int)
  gen_ai.usage.output_tokens = 3 (int)
"#
    );
    let embeddings = Made::new(
        "logfire.openai",
        "Embedding Creation with {request_data[model]!r}",
        said! {
            "request_data" => r#"{"input":"hello","model":"text-embedding-3-small","encoding_format":"base64"}"#,
            "response_data" => r#"{"usage":{"prompt_tokens":2,"total_tokens":2}}"#,
        },
    );
    assert_eq!(
        embeddings.says(),
        r#"embeddings text-embedding-3-small (CLIENT)
  gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"hello"}]}]
  gen_ai.operation.name = embeddings
  gen_ai.request.encoding_formats = [base64]
  gen_ai.request.model = text-embedding-3-small
  gen_ai.usage.input_tokens = 2 (int)
"#
    );
}

/// Anthropic's usage leaves the cache out, which the numbers prove.
#[test]
fn a_message_with_thoughts_and_cache() {
    let span = Made::new(
        "logfire.anthropic",
        "Message with {request_data[model]!r}",
        said! {
            "request_data" => r#"{"max_tokens":200,"system":"Be terse.","messages":[{"role":"user","content":"Hi"}],"model":"claude-sonnet-4"}"#,
            "gen_ai.operation.name" => "chat",
            "gen_ai.provider.name" => "anthropic",
            "gen_ai.request.model" => "claude-sonnet-4",
            "response_data" => r#"{"message":{"role":"assistant","content":"Hello."},"usage":{"input_tokens":20,"output_tokens":10,"cache_read_input_tokens":2048,"cache_creation_input_tokens":128}}"#,
            "gen_ai.usage.partial.output_tokens" => 4,
        },
    );
    assert_eq!(
        span.says_in_main(),
        r#"chat claude-sonnet-4 (CLIENT)
  dragoman.usage.reported_input_tokens = 20 (int)
  gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Hi"}]}]
  gen_ai.operation.name = chat
  gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"Hello."}]}]
  gen_ai.provider.name = anthropic
  gen_ai.request.max_tokens = 200 (int)
  gen_ai.request.model = claude-sonnet-4
  gen_ai.system_instructions = [{"type":"text","content":"Be terse."}]
  gen_ai.usage.cache_read.input_tokens = 2048 (int)
  gen_ai.usage.cache_write.input_tokens = 128 (int)
  gen_ai.usage.input_tokens = 2196 (int)
  gen_ai.usage.output_tokens = 10 (int)
  gen_ai.usage.partial.output_tokens = 4 (int)
"#
    );
}

/// Events of the responses API: the last is the answer.
#[test]
fn events_of_the_responses_api() {
    let span = Made::new(
        "logfire.openai",
        "Responses API with {gen_ai.request.model!r}",
        said! {
            "gen_ai.request.model" => "gpt-4o",
            "gen_ai.operation.name" => "chat",
            "request_data" => r#"{"model":"gpt-4o","stream":false}"#,
            "events" => r#"[{"event.name":"gen_ai.user.message","content":"Hi","role":"user"},{"event.name":"gen_ai.choice","index":0,"message":{"role":"assistant","content":"Hello."}}]"#,
        },
    );
    assert_eq!(
        span.says(),
        r#"chat gpt-4o (CLIENT)
  gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Hi"}]}]
  gen_ai.operation.name = chat
  gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"Hello."}],"finish_reason":""}]
  gen_ai.provider.name = openai
  gen_ai.request.model = gpt-4o
  gen_ai.request.stream = false (bool)
"#
    );
}

/// An application that uses Logfire for its own spans names its attributes as it likes.
#[test]
fn the_applications_own_spans_are_its_own() {
    let span = Made::new("logfire", "work", said! { "events" => "[\"a\"]", "request_data" => "{\"model\":\"T\"}" });
    assert_eq!(span.says(), "work (INTERNAL)\n  events = [\"a\"]\n  request_data = {\"model\":\"T\"}\n");
}
