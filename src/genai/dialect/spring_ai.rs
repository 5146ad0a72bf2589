//! Spring AI, by Micrometer.
//!
//! Every value is text, numbers too, and `none` stands where there is none. Chat clients, advisors, tools
//! and vector stores have spans of one operation, `framework`; `spring.ai.kind` says which it is. Prompts
//! and answers are log records.

use super::{Action, Dialect, Reason, Rule, SpanName, Tell};
use crate::genai::field::Field;
use crate::genai::operation::{Operation, Scalar, Seen};
use crate::genai::values::{self, Table};
use crate::otlp::value::Value;

/// The dialect's name.
pub const NAME: &str = "spring-ai";

/// The dialect.
pub static SPRING_AI: Dialect = Dialect {
    tells: &[
        // The scope of every span of Spring Boot.
        Tell::scope_prefix("org.springframework", 20),
        Tell::key_prefix("spring.ai.", 20),
        Tell::key("gen_ai.request.embedding.dimensions", 20),
        Tell::key_prefix("db.vector.query.", 20),
    ],
    keys: &[
        Rule::mapped("gen_ai.operation.name", Field::OperationName, OPERATION),
        Rule { values: Some(KIND), ..Rule::new("spring.ai.kind", Action::Copy(Field::OperationName)) },
        Rule::mapped("gen_ai.system", Field::ProviderName, values::PROVIDER),
        Rule::mapped("gen_ai.provider.name", Field::ProviderName, values::PROVIDER),
        Rule::mapped("gen_ai.request.model", Field::RequestModel, NONE),
        Rule::mapped("gen_ai.response.model", Field::ResponseModel, NONE),
        Rule::field("gen_ai.request.embedding.dimensions", Field::EmbeddingsDimensionCount),
        Rule::new("gen_ai.usage.total_tokens", Action::Total),
        Rule::mapped("spring.ai.chat.client.conversation.id", Field::ConversationId, CONVERSATION),
        Rule::field("spring.ai.chat.client.stream", Field::RequestStream),
        Rule::new("spring.ai.model.request.tool.names", Action::Tools),
        Rule::new("spring.ai.chat.client.tool.names", Action::Tools),
        Rule::field("spring.ai.tool.definition.name", Field::ToolName),
        Rule::field("spring.ai.tool.definition.description", Field::ToolDescription),
        Rule::keep("spring.ai.tool.definition.schema", Reason::NoHome),
        Rule::field("spring.ai.tool.type", Field::ToolType),
        Rule::field("spring.ai.tool.call.id", Field::ToolCallId),
        Rule::field("spring.ai.tool.call.arguments", Field::ToolCallArguments),
        Rule::field("spring.ai.tool.call.result", Field::ToolCallResult),
        Rule::field("db.vector.query.content", Field::RetrievalQueryText),
        Rule::field("db.vector.query.top_k", Field::RequestTopK),
        Rule::new("db.vector.query.response.documents", Action::Documents),
        Rule::keep("db.vector.query.filter", Reason::NoHome),
        Rule::keep("db.vector.query.similarity_threshold", Reason::NoHome),
        Rule::keep("gen_ai.request.image.size", Reason::NoHome),
        Rule::keep("gen_ai.request.image.style", Reason::NoHome),
        Rule::keep("gen_ai.request.image.response_format", Reason::NoHome),
    ],
    kept: &[("spring.ai.advisor.", Reason::NoHome), ("spring.ai.", Reason::NoHome)],
    quirk: Some(quirk),
    span_names: &[SpanName::Prefix("tool_call "), SpanName::Prefix("embedding ")],
    ..Dialect::new(NAME)
};

static OPERATION: &Table = &[
    ("embedding", Some("embeddings")),
    ("text_completion", Some("text_completion")),
    ("chat", Some("chat")),
    ("embeddings", Some("embeddings")),
    ("image", None),
    ("framework", None),
];

/// A chat client and its advisors wrap a call; no target has words for them.
static KIND: &Table =
    &[("tool_call", Some("execute_tool")), ("chat_client", None), ("vector_store", None), ("advisor", None)];

static NONE: &Table = &[("none", None)];

static CONVERSATION: &Table = &[("default", None)];

fn quirk<'a>(operation: &mut Operation<'a>, seen: &Seen<'_, 'a>) {
    let text = |key: &str| seen.get(key).and_then(Value::as_str);
    let is_query = text("db.operation.name").or(text("db.operation")) == Some("query")
        || seen.attributes.iter().any(|(key, _)| key.starts_with("db.vector.query."));
    if is_query && operation.get(Field::OperationName).is_none() {
        operation.named = None;
        operation.set(Field::OperationName, Scalar::Str("retrieval".into()));
    } else if let Some(kind) = text("spring.ai.kind")
        && operation.get(Field::OperationName).is_none()
    {
        // More than the one word that all of them share.
        operation.named = Some(kind.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use crate::genai::dialect::coverage::unknown;

    /// The keys of the fact table, a concrete one for each of its rows. Rows of logs and metrics are not
    /// spans'.
    #[test]
    fn every_key_of_the_table_is_known() {
        let keys = [
            "gen_ai.operation.name",
            "gen_ai.system",
            "gen_ai.request.model",
            "gen_ai.response.model",
            "gen_ai.response.finish_reasons",
            "gen_ai.request.stop_sequences",
            "gen_ai.request.top_k",
            "gen_ai.request.embedding.dimensions",
            "gen_ai.request.image.size",
            "gen_ai.request.image.style",
            "gen_ai.request.image.response_format",
            "gen_ai.usage.input_tokens",
            "gen_ai.usage.total_tokens",
            "gen_ai.usage.cache_creation.input_tokens",
            "gen_ai.usage.cache_read.input_tokens",
            "spring.ai.kind",
            "spring.ai.chat.client.conversation.id",
            "spring.ai.chat.client.stream",
            "spring.ai.model.request.tool.names",
            "spring.ai.chat.client.tool.names",
            "spring.ai.tool.definition.name",
            "spring.ai.tool.definition.description",
            "spring.ai.tool.definition.schema",
            "spring.ai.tool.type",
            "spring.ai.tool.call.id",
            "spring.ai.tool.call.arguments",
            "spring.ai.tool.call.result",
            "spring.ai.advisor.name",
            "spring.ai.advisor.order",
            "db.vector.query.content",
            "db.vector.query.top_k",
            "db.vector.query.response.documents",
        ];
        assert_eq!(unknown(&keys), [""; 0]);
    }
}
