//! What targets can say: a convention is a table from fields to attribute names, and a few facts
//! that tables cannot hold. A target that grew out of another one lists only its differences.
//!
//! Knows nothing of emitters; those are in [`super::dialect`].

pub mod genai_main;
pub mod v1_41;

use super::field::{Field, Type};
use super::settings::Target;

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
