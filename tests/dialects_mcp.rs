//! Both sides of a Model Context Protocol session: FastMCP, the MCP SDK, and Traceloop's package.

mod support;

use support::made::Made;
use support::translated::{check_promises, translated};
use support::{cases, text};

const EMITTERS: &[&str] = &["fastmcp-4.1.2-native", "traceloop-mcp-0.62.4-fastmcp-2.14.7"];

#[test]
fn every_case_keeps_the_promises() {
    for case in EMITTERS.iter().flat_map(|emitter| cases(emitter)) {
        check_promises(&case, &translated(&case), &[]);
    }
}

/// The operation is `execute_tool` for `tools/call`, and not said otherwise; only the client's name is
/// the emitter's own.
#[test]
fn a_tool_call_is_an_execute_tool() {
    for span in EMITTERS.iter().flat_map(|emitter| cases(emitter)).flat_map(|case| translated(&case)) {
        let said = |key| text(&span.after.attributes, key);
        let Some(method) = said("mcp.method.name") else { continue };
        let expected = (method == "tools/call").then_some("execute_tool");
        assert_eq!(said("gen_ai.operation.name"), expected, "{}", span.before.name);
        let subject = match method {
            "tools/call" => said("gen_ai.tool.name").unwrap(),
            "prompts/get" => said("gen_ai.prompt.name").unwrap(),
            _ => continue,
        };
        if !span.before.name.ends_with(".tool") {
            assert_eq!(span.after.name, format!("{method} {subject}"));
        }
    }
}

#[test]
fn the_sdk_says_the_tool_in_the_name() {
    let span = Made::new(
        "mcp-python-sdk",
        "MCP send tools/call get_weather",
        said! { "mcp.method.name" => "tools/call", "jsonrpc.request.id" => "5" },
    )
    .kind(3);
    assert_eq!(
        span.says(),
        r#"tools/call get_weather (CLIENT)
  gen_ai.operation.name = execute_tool
  gen_ai.tool.name = get_weather
  jsonrpc.request.id = 5
  mcp.method.name = tools/call
"#
    );
    let span = Made::new(
        "mcp-python-sdk",
        "MCP send prompts/get hello",
        said! { "mcp.method.name" => "prompts/get", "jsonrpc.request.id" => "6" },
    )
    .kind(3);
    assert_eq!(
        span.says(),
        r#"prompts/get hello (CLIENT)
  gen_ai.prompt.name = hello
  jsonrpc.request.id = 6
  mcp.method.name = prompts/get
"#
    );
}

#[test]
fn traceloops_package_keeps_the_request() {
    let span = Made::new(
        "opentelemetry.instrumentation.mcp.instrumentation",
        "prompts/get.mcp",
        said! {
            "traceloop.entity.input" => r#"{"method":"prompts/get","params":{"name":"hello","arguments":{"name":"Ada"}}}"#,
            "traceloop.entity.output" => "{}",
        },
    );
    assert_eq!(
        span.says(),
        r#"prompts/get hello (CLIENT)
  gen_ai.prompt.name = hello
  mcp.method.name = prompts/get
  traceloop.entity.input = {"method":"prompts/get","params":{"name":"hello","arguments":{"name":"Ada"}}}
  traceloop.entity.output = {}
"#
    );
    let span = Made::new(
        "opentelemetry.instrumentation.mcp.instrumentation",
        "ResponseStreamWriter",
        said! { "mcp.response.value" => "{}", "mcp.request.id" => "3" },
    );
    assert_eq!(
        span.says(),
        r#"ResponseStreamWriter (INTERNAL)
  mcp.request.id = 3
  mcp.response.value = {}
"#
    );
}
