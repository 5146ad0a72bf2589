//! FastMCP and the MCP SDK, both sides of a Model Context Protocol session.
//!
//! They speak the conventions' names. What is missing: a tool call is an `execute_tool`, and the SDK's
//! `MCP send tools/call get_weather` says the tool in the span's name only. Traceloop's package for MCP
//! is in [`super::openllmetry`].

use super::{Dialect, Reason, Rule, SpanName, Tell};
use crate::genai::field::Field;
use crate::genai::operation::{Operation, Scalar, Seen};

/// The dialect's name.
pub const NAME: &str = "mcp";

/// The dialect.
pub static MCP: Dialect = Dialect {
    tells: &[Tell::scope("fastmcp", 100), Tell::scope("mcp-python-sdk", 100), Tell::key_prefix("fastmcp.", 20)],
    keys: &[
        Rule::keep("fastmcp.server.name", Reason::NoHome),
        Rule::keep("fastmcp.component.key", Reason::NoHome),
        Rule::keep("fastmcp.component.type", Reason::NoHome),
        Rule::keep("fastmcp.provider.type", Reason::NoHome),
        Rule::keep("fastmcp.span.seam", Reason::NoHome),
    ],
    kept: &[("fastmcp.delegate.", Reason::NoHome), ("fastmcp.proxy.", Reason::NoHome), ("fastmcp.", Reason::Unknown)],
    span_names: &[SpanName::Prefix(SEND)],
    quirk: Some(quirk),
    ..Dialect::new(NAME)
};

const SEND: &str = "MCP send ";

fn quirk<'a>(operation: &mut Operation<'a>, seen: &Seen<'_, 'a>) {
    let method = operation.text(Field::McpMethodName).unwrap_or_default().to_owned();
    let field = match method.as_str() {
        "tools/call" => Field::ToolName,
        "prompts/get" => Field::PromptName,
        _ => return,
    };
    let subject = seen.name.strip_prefix(SEND).unwrap_or(seen.name);
    let subject = subject.strip_prefix(&method).and_then(|rest| rest.strip_prefix(' '));
    if let Some(subject) = subject.filter(|subject| !subject.is_empty()) {
        operation.offer(field, Scalar::Str(subject.to_owned().into()));
    }
    if method == "tools/call" {
        operation.offer(Field::OperationName, Scalar::Str("execute_tool".into()));
    }
}

#[cfg(test)]
mod tests {
    use crate::genai::dialect::coverage::unknown;

    /// What was recorded of FastMCP 4.1 and of the MCP SDK 2.3.
    #[test]
    fn every_key_of_the_recordings_is_known() {
        let keys = [
            "mcp.method.name",
            "mcp.protocol.version",
            "mcp.session.id",
            "mcp.resource.uri",
            "jsonrpc.request.id",
            "gen_ai.tool.name",
            "gen_ai.prompt.name",
            "error.type",
            "fastmcp.server.name",
            "fastmcp.component.key",
            "fastmcp.component.type",
            "fastmcp.provider.type",
            "fastmcp.span.seam",
        ];
        assert_eq!(unknown(&keys), [""; 0]);
    }
}
