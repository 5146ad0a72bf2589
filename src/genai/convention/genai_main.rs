//! The GenAI repository's main branch, which has no release: what it changed since core 1.41.1.

use super::v1_41::V1_41;
use super::{Convention, Name};
use crate::genai::field::{Field, Type};
use crate::genai::settings::Target;

/// The convention.
pub static MAIN: Convention = Convention {
    target: Target::Main,
    base: Some(&V1_41),
    names: &[
        Name::new(Field::UsageCacheWriteInputTokens, "gen_ai.usage.cache_write.input_tokens"),
        Name { field: Field::RequestTopK, attribute: Some("gen_ai.request.top_k"), written: Type::Int },
        Name::new(Field::RequestReasoningLevel, "gen_ai.request.reasoning.level"),
        Name::new(Field::PromptVersion, "gen_ai.prompt.version"),
    ],
    refined: &[(
        "retrieval",
        Name { field: Field::RequestTopK, attribute: Some("gen_ai.retrieval.top_k"), written: Type::Int },
    )],
    finish_reason_in_messages: false,
    says_not_streaming: false,
};
