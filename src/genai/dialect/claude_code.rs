//! Claude Code's own spans.
//!
//! Bare words, which mean this only here. The input leaves the cache out. A tool's call has a span of its
//! own (`claude_code.tool`) and, below it, others for asking the user and for running it, which no target
//! has words for. Content that the user did not release is `<REDACTED>`.

use super::{Action, Counts, Dialect, EventRule, Reason, Rule, SpanName, Tell, Verdict, instant};
use crate::genai::field::Field;
use crate::genai::operation::{Offered, Operation, Scalar, Seen};
use crate::genai::values::{self, Table};
use crate::otlp::value::Value;

/// The dialect's name.
pub const NAME: &str = "claude-code";

/// The dialect.
pub static CLAUDE_CODE: Dialect = Dialect {
    tells: &[Tell::scope_prefix("com.anthropic.claude_code", 100), Tell::span_name_prefix("claude_code.", 20)],
    keys: &[
        Rule { values: Some(SPAN_TYPE), ..Rule::own("span.type", Action::Field(Field::OperationName)) },
        Rule { values: Some(values::PROVIDER), ..Rule::new("gen_ai.system", Action::Field(Field::ProviderName)) },
        Rule::own("model", Action::Read(model)),
        Rule::own("input_tokens", Action::Field(Field::UsageInputTokens)),
        Rule::own("output_tokens", Action::Field(Field::UsageOutputTokens)),
        Rule::own("cache_read_tokens", Action::Field(Field::UsageCacheReadInputTokens)),
        Rule::own("cache_creation_tokens", Action::Field(Field::UsageCacheWriteInputTokens)),
        Rule::own("stop_reason", Action::Field(Field::ResponseFinishReasons)),
        Rule::own("effort", Action::Field(Field::RequestReasoningLevel)),
        Rule::own("ttft_ms", Action::Read(instant::first_chunk_millis)),
        content("user_system_prompt", Action::Instructions),
        content("user_prompt", Action::Input),
        content("new_context", Action::BySpanName(CONTEXT)),
        content("response.model_output", Action::Output),
        Rule::own("tool_name", Action::Field(Field::ToolName)),
        Rule::own("tool_use_id", Action::Field(Field::ToolCallId)),
        content("tool_input", Action::Field(Field::ToolCallArguments)),
        Rule::own("session.id", Action::Copy(Field::ConversationId)),
        Rule::own("query_source", Action::Keep(Reason::NoHome)),
        Rule::own("speed", Action::Keep(Reason::NoHome)),
        // Of one run: no agent of the conventions'.
        Rule::own("agent_id", Action::Keep(Reason::NoHome)),
        Rule::own("parent_agent_id", Action::Keep(Reason::NoHome)),
        Rule::keep("gen_ai.request.attempt", Reason::NoHome),
    ],
    events: &[EventRule::rules("tool.output", RESULT)],
    span_names: &[SpanName::Prefix("claude_code.")],
    counts: Counts { input_excludes_cache: Some(true), output_excludes_reasoning: None },
    quirk: Some(quirk),
    ..Dialect::new(NAME)
};

/// Content, which may be held back.
const fn content(key: &'static str, action: Action) -> Rule {
    Rule { values: Some(REDACTED), ..Rule::own(key, action) }
}

static REDACTED: &Table = &[("<REDACTED>", None)];

/// With and without the prefix of the spans' names.
static SPAN_TYPE: &Table = &[
    ("llm_request", Some("chat")),
    ("claude_code.llm_request", Some("chat")),
    ("interaction", Some("invoke_agent")),
    ("claude_code.interaction", Some("invoke_agent")),
    ("tool", Some("execute_tool")),
    ("claude_code.tool", Some("execute_tool")),
    ("tool.execution", None),
    ("claude_code.tool.execution", None),
    ("tool.blocked_on_user", None),
    ("claude_code.tool.blocked_on_user", None),
    ("hook", None),
    ("claude_code.hook", None),
    ("chat", Some("chat")),
    ("invoke_agent", Some("invoke_agent")),
    ("execute_tool", Some("execute_tool")),
];

/// What the model sees anew, or what a tool told it.
const CONTEXT: &[(&str, Action)] = &[
    ("claude_code.interaction", Action::Input),
    ("claude_code.llm_request", Action::Input),
    ("claude_code.tool", Action::Field(Field::ToolCallResult)),
];

const RESULT: &[Rule] = &[
    content("output", Action::Field(Field::ToolCallResult)),
    content("content", Action::Field(Field::ToolCallResult)),
    content("diff", Action::Field(Field::ToolCallResult)),
];

fn model<'a>(operation: &mut Operation<'a>, value: &Value<'a>) -> Verdict {
    let Value::Str(name) = value else { return Verdict::Kept(Reason::Uncoercible) };
    let name = plain(name).map_or_else(|| name.clone(), Into::into);
    match operation.offer(Field::RequestModel, Scalar::Str(name)) {
        Offered::Conflict => Verdict::Kept(Reason::Conflict),
        Offered::Taken | Offered::Equal => Verdict::Expressed,
    }
}

fn quirk<'a>(operation: &mut Operation<'a>, seen: &Seen<'_, 'a>) {
    if let Some(model) = operation.text(Field::RequestModel)
        && let Some(plain) = plain(model)
    {
        operation.set(Field::RequestModel, Scalar::Str(plain.into()));
    }
    // Before `span.type`, the name is all that says it: one of Claude Code's own, for `chat` may be what a
    // translation made of another.
    let own_name = Some(seen.name).filter(|name| name.starts_with("claude_code."));
    let Some(said) = seen.get("span.type").and_then(Value::as_str).or(own_name) else { return };
    let values::Mapped::To(name) = values::look(SPAN_TYPE, said) else { return };
    if said.starts_with("claude_code.") && operation.named.is_none() {
        operation.offer(Field::OperationName, Scalar::Str(name.into()));
    }
    match name {
        "invoke_agent" => operation.offer(Field::AgentName, Scalar::Str("claude-code".into())),
        "chat" => operation.offer(Field::ProviderName, Scalar::Str("anthropic".into())),
        _ => return,
    };
}

/// A model's name without colours of the terminal and without the size of its context (`[1m]`); `None` if it
/// has neither.
fn plain(model: &str) -> Option<String> {
    let mut plain = String::with_capacity(model.len());
    let mut rest = model;
    while let Some((before, escape)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        let end = escape.find(|c: char| c.is_ascii_alphabetic()).map(|at| at + 1);
        rest = end.and_then(|end| escape.get(end..)).unwrap_or_default();
    }
    plain.push_str(rest);
    if let Some((name, size)) = plain.rsplit_once('[')
        && size.strip_suffix("m]").is_some_and(|size| size.bytes().all(|byte| byte.is_ascii_digit()))
    {
        plain.truncate(name.len());
    }
    (plain != model && !plain.is_empty()).then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::plain;
    use crate::genai::dialect::coverage::unknown;

    #[test]
    fn a_models_name_is_without_colours_and_sizes() {
        assert_eq!(plain("claude-opus-4[1m]").as_deref(), Some("claude-opus-4"));
        assert_eq!(plain("\u{1b}[1mclaude-opus-4\u{1b}[22m").as_deref(), Some("claude-opus-4"));
        assert_eq!(plain("claude-opus-4"), None);
        assert_eq!(plain("\u{1b}["), None);
        assert_eq!(plain("[1m]"), None);
    }

    /// The keys of the fact table, a concrete one for each of its rows. Rows of logs and metrics are not
    /// spans'.
    #[test]
    fn every_key_of_the_table_is_known() {
        let keys = [
            "span.type",
            "model",
            "gen_ai.system",
            "input_tokens",
            "output_tokens",
            "cache_read_tokens",
            "cache_creation_tokens",
            "user_prompt",
            "new_context",
            "response.model_output",
            "tool_name",
            "tool_input",
            "session.id",
            "query_source",
            "effort",
            "speed",
            "ttft_ms",
            "stop_reason",
            "gen_ai.response.finish_reasons",
            "user_system_prompt",
            "agent_id",
            "parent_agent_id",
        ];
        assert_eq!(unknown(&keys), [""; 0]);
    }
}
