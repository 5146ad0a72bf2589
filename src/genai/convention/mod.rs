//! What targets can say: a convention is a table from fields to attribute names, and a few facts
//! that tables cannot hold. A target that grew out of another one lists only its differences.
//!
//! Knows nothing of emitters; those are in [`super::dialect`].

pub mod genai_main;
pub mod v1_41;

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::field::{Field, Type};
use super::operation::Operation;
use super::settings::Target;
use crate::otlp::span::Kind;

/// One target's words.
#[derive(Debug)]
pub struct Convention {
    /// Which target it is.
    pub target: Target,
    /// The convention that this one changes; `None` if it stands by itself.
    pub base: Option<&'static Convention>,
    /// Its attributes.
    pub names: &'static [Name],
    /// Attributes that are called otherwise for one `gen_ai.operation.name`.
    pub refined: &'static [(&'static str, Name)],
    /// Whether an output message must have a `finish_reason`.
    pub finish_reason_in_messages: bool,
    /// Whether a prompt template's variables are said, each under [`PROMPT_VARIABLE`] and its name.
    pub prompt_variables: bool,
    /// Whether `gen_ai.request.stream` = false is said; otherwise it is said by absence.
    pub says_not_streaming: bool,
}

/// How a field is written.
#[derive(Debug, Clone, Copy)]
pub struct Name {
    /// The field.
    pub field: Field,
    /// The attribute; `None` if the target has no words for the field.
    pub attribute: Option<&'static str>,
    /// The type that the attribute has.
    pub written: Type,
}

impl Name {
    /// A field whose attribute has the field's own type.
    pub const fn new(field: Field, attribute: &'static str) -> Name {
        Name { field, attribute: Some(attribute), written: field.value_type() }
    }
}

/// `gen_ai.input.messages`, in every target.
pub const INPUT_MESSAGES: &str = "gen_ai.input.messages";
/// `gen_ai.output.messages`, in every target.
pub const OUTPUT_MESSAGES: &str = "gen_ai.output.messages";
/// `gen_ai.system_instructions`, in every target.
pub const SYSTEM_INSTRUCTIONS: &str = "gen_ai.system_instructions";
/// `gen_ai.tool.definitions`, in every target.
pub const TOOL_DEFINITIONS: &str = "gen_ai.tool.definitions";

/// `gen_ai.retrieval.documents`, in every target.
pub const RETRIEVAL_DOCUMENTS: &str = "gen_ai.retrieval.documents";
/// What stands before a variable's name, in targets that have variables.
pub const PROMPT_VARIABLE: &str = "gen_ai.prompt.variable.";

/// How the span of an operation is called, and its kind.
#[derive(Debug, Clone, Copy)]
pub struct SpanShape {
    /// `gen_ai.operation.name`.
    pub operation: &'static str,
    /// What follows the operation's name, where it is said.
    pub subject: Option<Field>,
    /// The kind, where the convention asks for one and the emitter says INTERNAL for want of
    /// thought; `None` leaves it.
    pub kind: Option<Kind>,
}

const fn shape(operation: &'static str, subject: Option<Field>, kind: Option<Kind>) -> SpanShape {
    SpanShape { operation, subject, kind }
}

/// The span types of both targets. An operation of another name keeps its span's name and kind.
/// `rerank` is no operation of either; the name follows the pattern of its neighbours.
pub static SPANS: &[SpanShape] = &[
    shape("chat", Some(Field::RequestModel), Some(Kind::Client)),
    shape("generate_content", Some(Field::RequestModel), Some(Kind::Client)),
    shape("text_completion", Some(Field::RequestModel), Some(Kind::Client)),
    shape("embeddings", Some(Field::RequestModel), Some(Kind::Client)),
    shape("rerank", Some(Field::RequestModel), Some(Kind::Client)),
    shape("retrieval", Some(Field::DataSourceId), Some(Kind::Client)),
    shape("fetch_response", None, Some(Kind::Client)),
    shape("create_agent", Some(Field::AgentName), Some(Kind::Client)),
    // CLIENT for a remote agent, INTERNAL for one in the process: the emitter knows.
    shape("invoke_agent", Some(Field::AgentName), None),
    shape("invoke_workflow", Some(Field::WorkflowName), None),
    shape("execute_tool", Some(Field::ToolName), None),
    shape("plan", Some(Field::AgentName), None),
    shape("create_memory_store", None, None),
    shape("delete_memory_store", None, None),
    shape("search_memory", None, None),
    shape("create_memory", None, None),
    shape("update_memory", None, None),
    shape("upsert_memory", None, None),
    shape("delete_memory", None, None),
];

/// The name and the kind that the conventions give to the span of an operation. `None` where they
/// have no word for it, or leave the kind as it is.
pub fn name_and_kind(operation: &Operation<'_>) -> Option<(String, Option<Kind>)> {
    if let Some(method) = operation.text(Field::McpMethodName) {
        // `tools/call get_weather`, also where the same call is an `execute_tool`.
        let subject = operation.text(Field::ToolName).or(operation.text(Field::PromptName));
        return Some((named(method, subject), Some(Kind::Client)));
    }
    let name = operation.text(Field::OperationName)?;
    let shape = SPANS.iter().find(|shape| shape.operation == name)?;
    Some((named(name, shape.subject.and_then(|field| operation.text(field))), shape.kind))
}

fn named(operation: &str, subject: Option<&str>) -> String {
    match subject {
        Some(subject) => [operation, " ", subject].concat(),
        None => operation.to_owned(),
    }
}

/// Operations that call a model: inference and embeddings.
pub fn is_model_call(operation: &str) -> bool {
    matches!(operation, "chat" | "generate_content" | "text_completion" | "embeddings")
}

/// A convention's names in both directions, so that none is searched for span by span.
#[derive(Debug)]
pub(super) struct Names {
    /// In the order of [`Field::ALL`].
    by_field: Vec<Option<(&'static str, Type)>>,
    by_name: HashMap<&'static str, Field, FixedState>,
    refined: &'static [(&'static str, Name)],
}

impl Names {
    pub(super) fn of(convention: &Convention) -> Names {
        let mut names = Names { by_field: Vec::new(), by_name: HashMap::default(), refined: convention.refined };
        for &field in Field::ALL {
            let name = convention.name(field);
            names.by_field.push(name);
            if let Some((attribute, _)) = name {
                names.by_name.entry(attribute).or_insert(field);
            }
        }
        names
    }

    /// How a field is written, beside whatever operation; `None` if the target has no words for it.
    #[inline]
    pub(super) fn get(&self, field: Field) -> Option<(&'static str, Type)> {
        self.by_field.get(field as usize).copied().flatten()
    }

    /// How a field is written beside an operation of this name.
    pub(super) fn beside(&self, field: Field, operation: Option<&str>) -> Option<(&'static str, Type)> {
        let refined = self.refined.iter().find(|(of, name)| name.field == field && Some(*of) == operation);
        match refined {
            Some((_, Name { attribute, written, .. })) => attribute.map(|attribute| (attribute, *written)),
            None => self.get(field),
        }
    }

    /// Whether the target has a word for a field, if only beside some operation.
    pub(super) fn has_home(&self, field: Field) -> bool {
        self.get(field).is_some()
            || self.refined.iter().any(|(_, name)| name.field == field && name.attribute.is_some())
    }

    /// The field that is written under this name, beside whatever operation.
    pub(super) fn field_of(&self, key: &str) -> Option<Field> {
        self.by_name.get(key).copied()
    }

    /// Whether a field is written under this name, if only beside some operation.
    pub(super) fn is_name_of(&self, field: Field, key: &str) -> bool {
        self.get(field).is_some_and(|(name, _)| name == key)
            || self.refined.iter().any(|(_, name)| name.field == field && name.attribute == Some(key))
    }

    /// Whether any field is written under this name, if only beside some operation.
    pub(super) fn is_name(&self, key: &str) -> bool {
        self.field_of(key).is_some() || self.refined.iter().any(|(_, name)| name.attribute == Some(key))
    }
}

/// The conventions of all targets.
pub static ALL: [&Convention; 2] = [&v1_41::V1_41, &genai_main::MAIN];

impl Convention {
    /// The convention of a target.
    pub fn of(target: Target) -> &'static Convention {
        match target {
            Target::V1_41 => &v1_41::V1_41,
            Target::Main => &genai_main::MAIN,
        }
    }

    /// How a field is written; `None` if the target has no words for it.
    pub fn name(&self, field: Field) -> Option<(&'static str, Type)> {
        match self.names.iter().find(|name| name.field == field) {
            Some(name) => name.attribute.map(|attribute| (attribute, name.written)),
            None => self.base.and_then(|base| base.name(field)),
        }
    }

    /// All names of the convention, its base's and its refined ones included.
    pub fn all_names(&self) -> impl Iterator<Item = Name> {
        let plain = Field::ALL.iter().filter_map(|&field| {
            self.name(field).map(|(attribute, written)| Name { field, attribute: Some(attribute), written })
        });
        plain.chain(self.refined.iter().map(|(_, name)| *name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_both_directions() {
        let names = Names::of(&genai_main::MAIN);
        for &field in Field::ALL {
            assert_eq!(names.get(field), genai_main::MAIN.name(field));
            assert!(names.get(field).is_none_or(|(name, _)| names.field_of(name) == Some(field)), "{field:?}");
        }
        let top_k = Field::RequestTopK;
        assert_eq!(names.beside(top_k, Some("retrieval")), Some(("gen_ai.retrieval.top_k", Type::Int)));
        assert_eq!(names.beside(top_k, Some("chat")), Some(("gen_ai.request.top_k", Type::Int)));
        assert!(names.is_name_of(top_k, "gen_ai.retrieval.top_k") && names.is_name("gen_ai.retrieval.top_k"));
        assert_eq!(names.field_of("gen_ai.retrieval.top_k"), None);
        assert!(names.has_home(top_k) && !names.has_home(Field::UsageTotalTokens));
        assert!(!names.is_name("llm.request.model"));
    }

    #[test]
    fn targets_differ_where_the_conventions_do() {
        let (old, new) = (&v1_41::V1_41, &genai_main::MAIN);
        let written = Field::UsageCacheWriteInputTokens;
        assert_eq!(old.name(written), Some(("gen_ai.usage.cache_creation.input_tokens", Type::Int)));
        assert_eq!(new.name(written), Some(("gen_ai.usage.cache_write.input_tokens", Type::Int)));
        assert_eq!(old.name(Field::RequestTopK), Some(("gen_ai.request.top_k", Type::Double)));
        assert_eq!(new.name(Field::RequestTopK), Some(("gen_ai.request.top_k", Type::Int)));
        assert_eq!(old.name(Field::RequestReasoningLevel), None);
        assert_eq!(new.name(Field::RequestReasoningLevel), Some(("gen_ai.request.reasoning.level", Type::Str)));
        assert_eq!(old.name(Field::UsageTotalTokens), None);
        assert_eq!(new.name(Field::RequestModel), old.name(Field::RequestModel));
    }
}
