//! Semantic Kernel, .NET and Python.
//!
//! Its first keys were drafts' (`gen_ai.response.prompt_tokens`), its finish reason stands under a
//! singular key: .NET writes the list of an enumeration's names into one text (`[Stop]`), Python the
//! representation of an enumeration's member (`FinishReason.STOP`). Messages come as span events or as
//! log records; as events they are official OpenTelemetry's, but for one name.
//! `AutoFunctionInvocationLoop` only wraps the calls and functions of one request.

use super::{Action, Dialect, EventRule, List, Piece, Reason, Rule, SpanName, Tell, Verdict};
use crate::genai::content;
use crate::genai::field::Field;
use crate::genai::message::ToolDefinition;
use crate::genai::operation::{Content, Operation, Scalar, Seen};
use crate::genai::values;
use crate::otlp::value::Value;

/// The dialect's name.
pub const NAME: &str = "semantic-kernel";

/// The dialect.
pub static SEMANTIC_KERNEL: Dialect = Dialect {
    tells: &[
        Tell::scope_prefix("Microsoft.SemanticKernel", 100),
        Tell::scope_prefix("semantic_kernel.", 100),
        Tell::key_prefix("sk.", 20),
    ],
    keys: &[
        Rule::mapped("gen_ai.operation.name", Field::OperationName, &OPERATION),
        Rule::mapped("gen_ai.system", Field::ProviderName, values::PROVIDER),
        Rule::new("gen_ai.response.finish_reason", Action::Read(finish_reason)),
        Rule::field("gen_ai.response.prompt_tokens", Field::UsageInputTokens),
        Rule::field("gen_ai.response.completion_tokens", Field::UsageOutputTokens),
        Rule::field("gen_ai.request.max_token", Field::RequestMaxTokens),
        Rule::new("sk.available_functions", Action::Piece(List::Tools, Piece::ToolName)),
    ],
    events: &[EventRule::message("gen_ai.tool.developer", List::Input, "developer", &["gen_ai.event.content"])],
    kept: &[("sk.", Reason::Unknown)],
    span_names: &[
        SpanName::Prefix("chat "),
        SpanName::Prefix("chat.completions "),
        SpanName::Prefix("text_completion "),
        SpanName::Prefix("text_completions "),
        SpanName::Prefix("text.completions "),
    ],
    quirk: Some(quirk),
    ..Dialect::new(NAME)
};

static OPERATION: [(&str, Option<&str>); 3] = [
    ("text_completions", Some("text_completion")),
    ("text.completions", Some("text_completion")),
    ("chat.completions", Some("chat")),
];

/// `FinishReason.STOP`, `[Stop]`, `[ToolCalls, Stop]` or a provider's word.
fn finish_reason<'a>(operation: &mut Operation<'a>, value: &Value<'a>) -> Verdict {
    let Some(text) = value.as_str() else { return Verdict::Kept(Reason::Uncoercible) };
    let list = text.trim().trim_start_matches('[').trim_end_matches(']');
    let words = list.split(',').map(|word| {
        let word = word.trim().trim_matches(['"', '\'']);
        snake(word.strip_prefix("FinishReason.").unwrap_or(word))
    });
    let words: Vec<_> = words.filter(|word| !values::is_nothing(word)).map(Into::into).collect();
    if words.is_empty() {
        return Verdict::Discarded(Reason::Empty);
    }
    operation.offer(Field::ResponseFinishReasons, Scalar::Strings(words));
    Verdict::Expressed
}

/// `ToolCalls` and `TOOL_CALLS` as `tool_calls`.
fn snake(word: &str) -> String {
    let camel = word.chars().any(|c| c.is_ascii_lowercase());
    let mut snake = String::with_capacity(word.len() + 2);
    for c in word.chars() {
        if camel && c.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

fn quirk<'a>(operation: &mut Operation<'a>, seen: &Seen<'_, 'a>) {
    finish_reasons(operation);
    functions(operation, seen);
}

/// The words of enumerations in the events of choices.
fn finish_reasons(operation: &mut Operation<'_>) {
    if let Content::Read(messages) = &mut operation.output {
        for message in messages {
            message.finish_reason = message.finish_reason.take().map(|reason| snake(&reason).into());
        }
    }
    if !operation.is_current(Field::ResponseFinishReasons)
        && let Some(Scalar::Strings(reasons)) = operation.get(Field::ResponseFinishReasons)
    {
        let reasons = reasons.iter().map(|reason| snake(reason).into()).collect();
        operation.set(Field::ResponseFinishReasons, Scalar::Strings(reasons));
    }
}

/// The functions that the model could call: names with commas between them, or JSON.
fn functions<'a>(operation: &mut Operation<'a>, seen: &Seen<'_, 'a>) {
    let Some(text) = seen.get("sk.available_functions").and_then(Value::as_str) else { return };
    let Content::Read(tools) = &mut operation.tools else { return };
    *tools = match content::tool_definitions_from_json(text, false) {
        Some(tools) => tools.into_iter().map(ToolDefinition::into_owned).collect(),
        None => {
            let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
            names.map(|name| content::tool_definition_from_pieces(name.to_owned().into(), None, None, false)).collect()
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::genai::dialect::coverage::unknown;

    /// The keys of the fact table, a concrete one for each of its rows.
    #[test]
    fn every_key_of_the_table_is_known() {
        let keys = [
            "gen_ai.operation.name",
            "gen_ai.system",
            "gen_ai.response.finish_reason",
            "gen_ai.response.prompt_tokens",
            "gen_ai.response.completion_tokens",
            "sk.available_functions",
            "gen_ai.agent.id",
            "gen_ai.agent.name",
            "gen_ai.agent.description",
        ];
        assert_eq!(unknown(&keys), [""; 0]);
    }

    #[test]
    fn words_of_enumerations() {
        for (word, snaked) in
            [("STOP", "stop"), ("TOOL_CALLS", "tool_calls"), ("ToolCalls", "tool_calls"), ("end_turn", "end_turn")]
        {
            assert_eq!(snake(word), snaked);
        }
    }
}
