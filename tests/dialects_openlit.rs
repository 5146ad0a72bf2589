//! OpenLIT's spans of every era come out in the current words.

mod support;

use dragoman::genai::settings::Target;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue};
use support::made::Made;
use support::translated::{check_expected, translated};
use support::{cases, corpus, int, text};

const EMITTERS: &[&str] = &["openlit-1.22.5", "openlit-1.45.0"];

#[test]
fn every_case_says_what_was_said() {
    check_expected("openlit.txt", EMITTERS);
}

/// Releases to 1.11: content in attributes, with words that are no longer the convention's.
#[test]
fn the_first_releases() {
    let span = Made::new(
        "openlit.otel.tracing",
        "openai.chat.completions",
        said! {
            "gen_ai.system" => "azure_openai",
            "gen_ai.type" => "chat",
            "gen_ai.endpoint" => "openai.chat.completions",
            "gen_ai.request.model" => "gpt-4",
            "gen_ai.request.max_tokens" => "",
            "gen_ai.request.user" => "",
            "gen_ai.request.is_stream" => false,
            "gen_ai.response.finish_reason" => "stop",
            "gen_ai.content.prompt" => "system: Be terse.\nTwice.\nuser: Hi: there",
            "gen_ai.content.completion" => "Hello",
            "gen_ai.usage.prompt_tokens" => 31,
            "gen_ai.usage.completion_tokens" => 11,
            "gen_ai.usage.total_tokens" => 42,
            "gen_ai.usage.cost" => 0.00042,
        },
    )
    .kind(3);
    let messages = r#"gen_ai.input.messages = [{"role":"system","parts":[{"type":"text","content":"Be terse.\nTwice."}]},{"role":"user","parts":[{"type":"text","content":"Hi: there"}]}]"#;
    let same = [
        "chat gpt-4 (CLIENT)",
        "gen_ai.operation.name = chat",
        "gen_ai.provider.name = azure.ai.openai",
        "gen_ai.endpoint = openai.chat.completions",
        "gen_ai.request.model = gpt-4",
        "gen_ai.response.finish_reasons = [stop]",
        "gen_ai.usage.input_tokens = 31 (int)",
        "gen_ai.usage.output_tokens = 11 (int)",
        "gen_ai.usage.cost = 0.00042 (double)",
        messages,
    ];
    let only_old = [
        "gen_ai.request.stream = false (bool)",
        r#"gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"Hello"}],"finish_reason":"stop"}]"#,
    ];
    let only_main = [r#"gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"Hello"}]}]"#];
    span.check(&[&same[..], &only_old].concat());
    span.check_main(&[&same[..], &only_main].concat());
}

/// Releases 1.12 to 1.16.0: a bare number for each choice, whose value is the text itself.
#[test]
fn several_choices_without_a_member() {
    let span = Made::new(
        "openlit.otel.tracing",
        "cohere.generate",
        said! {
            "gen_ai.system" => "cohere",
            "gen_ai.operation.name" => "chat",
            "gen_ai.request.model" => "command-r",
            "gen_ai.prompt" => "no role here",
            "gen_ai.completion.0" => "One",
            "gen_ai.completion.1" => "Two",
            "gen_ai.request.max_tokens" => -1,
            "gen_ai.usage.prompt_tokens" => 3,
            "gen_ai.usage.completion_tokens" => 2,
        },
    )
    .kind(3);
    span.check(&[
        "chat command-r (CLIENT)",
        "gen_ai.operation.name = chat",
        "gen_ai.provider.name = cohere",
        "gen_ai.request.model = command-r",
        "gen_ai.usage.input_tokens = 3 (int)",
        "gen_ai.usage.output_tokens = 2 (int)",
        r#"gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"no role here"}]}]"#,
        r#"gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"One"}],"finish_reason":""},{"role":"assistant","parts":[{"type":"text","content":"Two"}],"finish_reason":""}]"#,
    ]);
}

/// Releases 1.16.1 to 1.33.8 hold a choice in an event of its own; the answer to a request with tools
/// is a placeholder, which is none.
#[test]
fn choices_and_placeholders_in_events() {
    let made = || {
        Made::new(
            "openlit.otel.tracing",
            "openai.chat.completions",
            said! {
                "gen_ai.system" => "openai",
                "gen_ai.operation.name" => "chat",
                "gen_ai.request.model" => "gpt-4o",
            },
        )
        .kind(3)
        .event_at(
            5,
            "gen_ai.content.prompt",
            said! {
                "gen_ai.prompt" => "user: Weather?\nassistant: None\ntool: 18C",
            },
        )
    };
    let several = made()
        .event_at(
            9,
            "gen_ai.content.completion.0",
            said! {
                "gen_ai.completion" => "One",
            },
        )
        .event_at(9, "gen_ai.content.completion.1", said! { "gen_ai.completion" => "Two" });
    let span = several.to(Target::Main);
    assert_eq!(
        text(&span.attributes, "gen_ai.output.messages"),
        Some(
            r#"[{"role":"assistant","parts":[{"type":"text","content":"One"}]},{"role":"assistant","parts":[{"type":"text","content":"Two"}]}]"#
        )
    );
    assert_eq!(
        text(&span.attributes, "gen_ai.input.messages"),
        Some(
            r#"[{"role":"user","parts":[{"type":"text","content":"Weather?"}]},{"role":"assistant","parts":[]},{"role":"tool","parts":[{"type":"tool_call_response","response":"18C"}]}]"#
        )
    );
    assert!(span.events.is_empty());
    let placeholder =
        made().event_at(9, "gen_ai.content.completion", said! { "gen_ai.completion" => "Function called with tools" });
    let span = placeholder.to(Target::Main);
    assert_eq!(text(&span.attributes, "gen_ai.output.messages"), None);
    assert_eq!(span.events.len(), 1);
}

/// Releases 1.33.9 to 1.36.8 say content twice, and a metric's name as an attribute of the span.
#[test]
fn attribute_and_event_are_folded_once() {
    let span = Made::new(
        "openlit.instrumentation.openai",
        "chat gpt-4o",
        said! {
            "gen_ai.system" => "openai",
            "gen_ai.operation.name" => "chat",
            "gen_ai.request.model" => "gpt-4o",
            "gen_ai.request.is_stream" => true,
            "gen_ai.server.time_to_first_token" => 0.41,
            "gen_ai.server.time_per_output_token" => 0.02,
            "gen_ai.request.service_tier" => "auto",
            "gen_ai.response.service_tier" => "default",
            "gen_ai.response.system_fingerprint" => "fp",
            "gen_ai.request.stop_sequences" => Value::ArrayValue(ArrayValue::default()),
            "gen_ai.prompt" => "user: Weather in Paris?",
            "gen_ai.completion" => "Let me see.",
            "gen_ai.content.reasoning" => "A tool knows.",
            "gen_ai.tool.name" => "get_weather",
            "gen_ai.tool.call.id" => "call_1",
            "gen_ai.tool.args" => r#"{"city": "Paris"}"#,
            "gen_ai.usage.input_tokens" => 30,
            "gen_ai.usage.output_tokens" => 12,
            "gen_ai.client.token.usage" => 42,
            "gen_ai.usage.reasoning_tokens" => 5,
            "gen_ai.usage.prompt_tokens_details.cached_tokens" => 16,
        },
    )
    .kind(3)
    .event_at(1, "gen_ai.content.prompt", said! { "gen_ai.prompt" => "user: Weather in Paris?" })
    .event_at(2, "gen_ai.content.completion", said! { "gen_ai.completion" => "Let me see." });
    span.check(&[
        "chat gpt-4o (CLIENT)",
        "gen_ai.operation.name = chat",
        "gen_ai.provider.name = openai",
        "gen_ai.request.model = gpt-4o",
        "gen_ai.request.stream = true (bool)",
        "gen_ai.response.time_to_first_chunk = 0.41 (double)",
        "gen_ai.server.time_per_output_token = 0.02 (double)",
        "openai.request.service_tier = auto",
        "openai.response.service_tier = default",
        "openai.response.system_fingerprint = fp",
        "gen_ai.request.stop_sequences = []",
        "gen_ai.usage.input_tokens = 30 (int)",
        "gen_ai.usage.output_tokens = 12 (int)",
        "gen_ai.usage.reasoning.output_tokens = 5 (int)",
        "gen_ai.usage.cache_read.input_tokens = 16 (int)",
        r#"gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Weather in Paris?"}]}]"#,
        r#"gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"reasoning","content":"A tool knows."},{"type":"text","content":"Let me see."},{"type":"tool_call","id":"call_1","name":"get_weather","arguments":{"city": "Paris"}}],"finish_reason":""}]"#,
    ]);
}

/// Tool spans, with keys of their own until 1.36.8, and with Python's text of the arguments since.
#[test]
fn tools() {
    Made::new(
        "openlit.instrumentation.langchain",
        "execute_tool get_weather",
        said! {
            "gen_ai.operation.name" => "execute_tool",
            "gen_ai.tool.name" => "get_weather",
            "gen_ai.tool.input" => r#"{"city":"Paris"}"#,
            "gen_ai.tool.output" => "18C",
        },
    )
    .check(&[
        "execute_tool get_weather (INTERNAL)",
        "gen_ai.operation.name = execute_tool",
        "gen_ai.tool.name = get_weather",
        r#"gen_ai.tool.call.arguments = {"city":"Paris"}"#,
        "gen_ai.tool.call.result = 18C",
    ]);
    let span = Made::new(
        "openlit.instrumentation.langchain",
        "execute_tool get_weather",
        said! {
            "gen_ai.operation.name" => "execute_tool",
            "gen_ai.tool.call.arguments" => "{'city': 'Paris', 'now': True}",
        },
    )
    .kind(3)
    .to(Target::Main);
    assert_eq!(text(&span.attributes, "gen_ai.tool.call.arguments"), Some(r#"{"city":"Paris","now":true}"#));
}

/// An MCP call is an `execute_tool` with the protocol's method.
#[test]
fn mcp() {
    Made::new(
        "openlit.instrumentation.mcp",
        "mcp tools/call",
        said! {
            "gen_ai.operation.name" => "mcp_tool_call",
            "mcp.method" => "tools/call",
            "mcp.message_id" => "7",
            "mcp.tool.name" => "get_weather",
            "mcp.tool.arguments" => r#"{"city":"Paris"}"#,
            "mcp.transport.type" => "stdio",
        },
    )
    .kind(3)
    .check(&[
        "tools/call get_weather (CLIENT)",
        "gen_ai.operation.name = execute_tool",
        "mcp.method.name = tools/call",
        "jsonrpc.request.id = 7",
        "gen_ai.tool.name = get_weather",
        r#"gen_ai.tool.call.arguments = {"city":"Paris"}"#,
        "network.transport = pipe",
    ]);
}

/// A framework's or a database's span is no operation of the conventions: it is named as what it is.
#[test]
fn what_is_no_operation_stays_what_it_is() {
    let span = Made::new(
        "openlit.otel.tracing",
        "chroma.query",
        said! {
            "gen_ai.type" => "vectordb",
            "db.system" => "chroma",
            "db.n_results" => 3,
        },
    )
    .kind(3);
    span.check(&["chroma.query (CLIENT)", "db.n_results = 3 (int)", "db.system = chroma", "gen_ai.type = vectordb"]);
}

/// Anthropic's own input leaves cached tokens out, OpenAI's has them; both are handed through.
#[test]
fn counts_are_the_providers_own() {
    let made = |provider: &str| {
        let span = Made::new(
            "openlit.instrumentation.x",
            "chat m",
            said! {
                "gen_ai.operation.name" => "chat",
                "gen_ai.provider.name" => provider,
                "gen_ai.request.model" => "m",
                "gen_ai.usage.input_tokens" => 3000,
                "gen_ai.usage.output_tokens" => 10,
                "gen_ai.client.token.usage" => 3010,
                "gen_ai.usage.cache_read.input_tokens" => 2048,
            },
        )
        .kind(3)
        .to(Target::Main);
        (
            int(&span.attributes, "gen_ai.usage.input_tokens"),
            int(&span.attributes, "dragoman.usage.reported_input_tokens"),
        )
    };
    assert_eq!(made("anthropic"), (Some(5048), Some(3000)));
    assert_eq!(made("openai"), (Some(3000), None));
}

#[test]
fn the_calls_of_an_answer_are_said_once() {
    for span in translated(&corpus().join("openlit-1.45.0/tools_stream")) {
        for key in ["gen_ai.tool.name", "gen_ai.tool.call.id", "gen_ai.tool.args"] {
            assert_eq!(text(&span.after.attributes, key), None, "{key}");
        }
    }
}

/// A call that is not streamed has no first chunk.
#[test]
fn the_duration_of_a_call_is_no_time_to_first_chunk() {
    for span in cases("openlit-1.45.0").iter().flat_map(|case| translated(case)) {
        let is_streamed = span.before.attributes.iter().any(|entry| {
            entry.key == "gen_ai.request.stream"
                && entry.value == Some(AnyValue { value: Some(Value::BoolValue(true)) })
        });
        let says = span.after.attributes.iter().any(|entry| entry.key == "gen_ai.response.time_to_first_chunk");
        assert_eq!(says, is_streamed, "{}", span.before.name);
    }
}

/// Releases around 1.34: arguments as Python writes a dictionary, an event of an answer without a text, and
/// an enumeration's member with its class.
#[test]
fn what_python_made_of_an_answer() {
    Made::new(
        "openlit.otel.tracing",
        "chat m",
        said! {
            "gen_ai.operation.name" => "chat",
            "gen_ai.request.model" => "m",
            "gen_ai.response.finish_reasons" => ["FinishReason.MAX_TOKENS"],
            "gen_ai.completion" => "",
            "gen_ai.tool.name" => "get_weather",
            "gen_ai.tool.call.id" => "toolu_01",
            "gen_ai.tool.args" => "{'city': 'Paris'}",
        },
    )
    .kind(3)
    .event("gen_ai.content.completion", said! { "gen_ai.completion" => "" })
    .check(&[
        "chat m (CLIENT)",
        "gen_ai.operation.name = chat",
        "gen_ai.request.model = m",
        "gen_ai.response.finish_reasons = [MAX_TOKENS]",
        r#"gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"tool_call","id":"toolu_01","name":"get_weather","arguments":{"city":"Paris"}}],"finish_reason":"length"}]"#,
    ]);
}
