//! Google's Genkit.
//!
//! Every span is an action of some type, with its input and output as JSON of Genkit's own shapes; the
//! model's usage is in its output only. The name of a model begins with its plugin's.

use super::{Action, Dialect, Reason, Rule, SpanName, Tell, Verdict};
use crate::genai::field::Field;
use crate::genai::operation::{Operation, Scalar};
use crate::genai::values::{self, Mapped};
use crate::otlp::value::Value;

/// The dialect's name.
pub const NAME: &str = "genkit";

/// The dialect.
pub static GENKIT: Dialect = Dialect {
    tells: &[Tell::scope("genkit-tracer", 100), Tell::key_prefix("genkit:", 60)],
    keys: &[
        Rule::mapped("genkit:metadata:subtype", Field::OperationName, &TYPE),
        // After all that says which operation it is.
        Rule::new("genkit:type", Action::ByOperation(&[("", Action::Read(kind))])),
        Rule::field("genkit:sessionId", Field::ConversationId),
        Rule::field("genkit:threadName", Field::ConversationId),
        Rule::new("genkit:name", Action::ByOperation(SUBJECT)),
        Rule::new("genkit:input", Action::ByOperation(INPUT)),
        Rule::new("genkit:output", Action::ByOperation(OUTPUT)),
        Rule::keep("genkit:path", Reason::NoHome),
        Rule::keep("genkit:qualifiedPath", Reason::NoHome),
        Rule::keep("genkit:state", Reason::NoHome),
        Rule::keep("genkit:isRoot", Reason::NoHome),
        Rule::keep("genkit:isFailureSource", Reason::NoHome),
        Rule::keep("genkit:init", Reason::NoHome),
    ],
    kept: &[("genkit:", Reason::Unknown), ("genkit:metadata:", Reason::NoHome)],
    span_names: &[SpanName::InScope("genkit-tracer")],
    ..Dialect::new(NAME)
};

/// The types of actions.
static TYPE: [(&str, Option<&str>); 9] = [
    ("model", Some("generate_content")),
    ("tool", Some("execute_tool")),
    ("tool.v2", Some("execute_tool")),
    ("embedder", Some("embeddings")),
    ("retriever", Some("retrieval")),
    ("reranker", Some("rerank")),
    ("flow", Some("invoke_workflow")),
    ("agent", Some("invoke_agent")),
    ("*", None),
];

/// Plugins whose models one provider serves.
static PLUGIN: [(&str, Option<&str>); 2] = [("googleai", Some("gcp.gemini")), ("vertexai", Some("gcp.vertex_ai"))];

const SUBJECT: &[(&str, Action)] = &[
    ("generate_content", Action::Read(model)),
    ("embeddings", Action::Read(model)),
    ("execute_tool", Action::Copy(Field::ToolName)),
    ("invoke_workflow", Action::Copy(Field::WorkflowName)),
    ("invoke_agent", Action::Copy(Field::AgentName)),
    ("retrieval", Action::Copy(Field::DataSourceId)),
];

const INPUT: &[(&str, Action)] = &[
    ("generate_content", Action::Members(REQUEST)),
    ("execute_tool", Action::Field(Field::ToolCallArguments)),
    ("retrieval", Action::Members(QUERY)),
    ("invoke_agent", Action::Members(TASK)),
];

const OUTPUT: &[(&str, Action)] = &[
    ("generate_content", Action::Members(ANSWER)),
    ("execute_tool", Action::Field(Field::ToolCallResult)),
    ("retrieval", Action::Members(FOUND)),
    ("invoke_agent", Action::Members(RESULT)),
];

const REQUEST: &[Rule] = &[
    Rule::keep("", Reason::Shape),
    Rule::new("messages", Action::Input),
    Rule::new("tools", Action::Tools),
    Rule::field("config.version", Field::RequestModel),
    Rule::field("config.temperature", Field::RequestTemperature),
    Rule::field("config.topP", Field::RequestTopP),
    Rule::field("config.topK", Field::RequestTopK),
    Rule::field("config.maxOutputTokens", Field::RequestMaxTokens),
    Rule::field("config.stopSequences", Field::RequestStopSequences),
    Rule::mapped("output.format", Field::OutputType, values::OUTPUT_TYPE),
];

const ANSWER: &[Rule] = &[
    Rule::keep("", Reason::Shape),
    Rule::new("message", Action::Output),
    // Of releases before 1.0, one each for a choice.
    Rule::new("candidates", Action::Output),
    Rule::field("finishReason", Field::ResponseFinishReasons),
    Rule::field("candidates.0.finishReason", Field::ResponseFinishReasons),
    Rule::field("usage.inputTokens", Field::UsageInputTokens),
    Rule::field("usage.outputTokens", Field::UsageOutputTokens),
    // Gemini's thoughts are not part of the output: the total shows it.
    Rule::field("usage.thoughtsTokens", Field::UsageReasoningOutputTokens),
    Rule::field("usage.cachedContentTokens", Field::UsageCacheReadInputTokens),
    Rule::new("usage.totalTokens", Action::Total),
    // The provider's own answer.
    Rule::new("raw.id", Action::Copy(Field::ResponseId)),
    Rule::new("raw.model", Action::Copy(Field::ResponseModel)),
    Rule::new("custom.responseId", Action::Copy(Field::ResponseId)),
    Rule::new("custom.modelVersion", Action::Copy(Field::ResponseModel)),
];

const QUERY: &[Rule] =
    &[Rule::field("", Field::RetrievalQueryText), Rule::field("query.content.0.text", Field::RetrievalQueryText)];

const FOUND: &[Rule] = &[Rule::new("", Action::Documents), Rule::new("documents", Action::Documents)];
const TASK: &[Rule] =
    &[Rule::new("", Action::Input), Rule::new("messages", Action::Input), Rule::new("message", Action::Input)];
const RESULT: &[Rule] = &[Rule::new("", Action::Output), Rule::new("message", Action::Output)];

/// `action`, whose type is said beside it, or older releases' type itself.
fn kind<'a>(operation: &mut Operation<'a>, value: &Value<'a>) -> Verdict {
    let Some(word) = value.as_str() else { return Verdict::Kept(Reason::Uncoercible) };
    let known = operation.text(Field::OperationName).or(operation.named.as_deref());
    match (values::look(&TYPE, word), known) {
        (_, Some(_)) if word == "action" => Verdict::Discarded(Reason::Copy),
        (Mapped::To(name), Some(known)) if name == known => Verdict::Discarded(Reason::Copy),
        (Mapped::To(_), Some(_)) => Verdict::Kept(Reason::Conflict),
        (Mapped::To(name), None) => {
            operation.offer(Field::OperationName, Scalar::Str(name.into()));
            Verdict::Expressed
        }
        (Mapped::Nothing | Mapped::Unknown, _) => Verdict::Kept(Reason::NoHome),
    }
}

/// `googleai/gemini-2.5-flash`.
fn model<'a>(operation: &mut Operation<'a>, value: &Value<'a>) -> Verdict {
    let Some(name) = value.as_str() else { return Verdict::Kept(Reason::Uncoercible) };
    let (plugin, model) = name.split_once('/').unwrap_or(("", name));
    operation.offer(Field::RequestModel, Scalar::Str(model.to_owned().into()));
    let provider = match (values::look(&PLUGIN, plugin), values::look(values::PROVIDER, plugin)) {
        (Mapped::To(provider), _) | (Mapped::Unknown, Mapped::To(provider)) => Some(provider),
        _ => None,
    };
    if let Some(provider) = provider {
        operation.offer(Field::ProviderName, Scalar::Str(provider.into()));
    }
    Verdict::Kept(Reason::SaysMore)
}

#[cfg(test)]
mod tests {
    use crate::genai::dialect::coverage::unknown;

    /// The keys of the fact table, a concrete one for each of its rows.
    #[test]
    fn every_key_of_the_table_is_known() {
        let keys = [
            "genkit:type",
            "genkit:metadata:subtype",
            "genkit:input",
            "genkit:output",
            "genkit:name",
            "genkit:sessionId",
            "genkit:threadName",
            "genkit:metadata:context",
            "genkit:path",
            "genkit:state",
        ];
        assert_eq!(unknown(&keys), [""; 0]);
    }
}
