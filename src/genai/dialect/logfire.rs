//! Logfire's own integrations of OpenAI, Anthropic and others.
//!
//! Requests and answers stand in `request_data` and `response_data`, whole in early releases; current
//! names stand beside them since. Names of spans are templates that nobody filled in
//! (`Chat Completion with {request_data[model]!r}`). A streamed call has two spans: the request's own, and
//! one of no duration (`logfire.span_type` = `log`) that says what was streamed, with the usage; it is no
//! call and keeps its name. Plain Logfire spans are the application's: no key of theirs is read.

use super::pydantic_ai::split;
use super::{Action, Dialect, Reason, Rule, SpanName, Tell, body};
use crate::genai::field::Field;
use crate::genai::operation::{Operation, Scalar, Seen};
use crate::genai::values;

/// The dialect's name.
pub const NAME: &str = "logfire";

/// The dialect.
pub static LOGFIRE: Dialect = Dialect {
    tells: &[Tell::scope_prefix("logfire.", 100)],
    keys: &[
        Rule::mapped("gen_ai.system", Field::ProviderName, values::PROVIDER),
        Rule::mapped("gen_ai.provider.name", Field::ProviderName, values::PROVIDER),
        Rule::own("request_data", Action::Members(body::REQUEST)),
        Rule::own("response_data", Action::Members(RESPONSE)),
        // Of the responses API and of agents: what was said, and at the end what was answered.
        Rule::own("events", Action::Input),
        Rule::new("gen_ai.usage.raw", Action::Usage),
        Rule::own("async", Action::Keep(Reason::NoHome)),
        Rule::own("duration", Action::Keep(Reason::NoHome)),
    ],
    kept: &[
        // Growing counts of a stream, one after the other: never to be added up.
        ("gen_ai.usage.partial.", Reason::NoHome),
        ("logfire.", Reason::NoHome),
    ],
    span_names: &[
        SpanName::Prefix("Chat Completion with "),
        SpanName::Prefix("Completion with "),
        SpanName::Prefix("Embedding Creation with "),
        SpanName::Prefix("Responses API with "),
        SpanName::Prefix("Message with "),
    ],
    quirk: Some(quirk),
    ..Dialect::new(NAME)
};

/// What the integrations make of an answer.
const RESPONSE: &[Rule] = &[
    Rule::new("message", Action::Output),
    Rule::new("combined_chunk_content", Action::Output),
    Rule::new("text", Action::Output),
    Rule::field("finish_reason", Field::ResponseFinishReasons),
    Rule::new("usage", Action::Read(body::usage)),
];

fn quirk<'a>(operation: &mut Operation<'a>, seen: &Seen<'_, 'a>) {
    if operation.get(Field::OperationName).is_none()
        && let Some((_, name)) = TEMPLATES.iter().find(|(template, _)| seen.name.starts_with(template))
    {
        operation.set(Field::OperationName, Scalar::Str((*name).into()));
    }
    if seen.get("events").is_some() {
        split(operation, seen);
    }
}

/// Early releases say by the template alone which operation it is.
const TEMPLATES: &[(&str, &str)] = &[
    ("Chat Completion with ", "chat"),
    ("Responses API with ", "chat"),
    ("Message with ", "chat"),
    ("Completion with ", "text_completion"),
    ("Embedding Creation with ", "embeddings"),
];

#[cfg(test)]
mod tests {
    use crate::genai::dialect::coverage::unknown;

    /// The keys of the fact table, a concrete one for each of its rows.
    #[test]
    fn every_key_of_the_table_is_known() {
        let keys = [
            "request_data",
            "response_data",
            "events",
            "gen_ai.usage.raw",
            "gen_ai.usage.partial.input_tokens",
            "async",
            "duration",
            "logfire.msg_template",
        ];
        assert_eq!(unknown(&keys), [""; 0]);
    }
}
