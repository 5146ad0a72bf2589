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
        Name::new(Field::RequestPreviousResponseId, "gen_ai.request.previous_response.id"),
        Name::new(Field::UsageTextInputTokens, "gen_ai.usage.text.input_tokens"),
        Name::new(Field::UsageImageInputTokens, "gen_ai.usage.image.input_tokens"),
        Name::new(Field::UsageAudioInputTokens, "gen_ai.usage.audio.input_tokens"),
        Name::new(Field::UsageTextOutputTokens, "gen_ai.usage.text.output_tokens"),
        Name::new(Field::UsageImageOutputTokens, "gen_ai.usage.image.output_tokens"),
        Name::new(Field::UsageAudioOutputTokens, "gen_ai.usage.audio.output_tokens"),
        Name::new(Field::UsageTextCacheReadInputTokens, "gen_ai.usage.text.cache_read.input_tokens"),
        Name::new(Field::UsageImageCacheReadInputTokens, "gen_ai.usage.image.cache_read.input_tokens"),
        Name::new(Field::UsageAudioCacheReadInputTokens, "gen_ai.usage.audio.cache_read.input_tokens"),
        Name::new(Field::MemoryStoreId, "gen_ai.memory.store.id"),
        Name::new(Field::MemoryRecordId, "gen_ai.memory.record.id"),
        Name::new(Field::MemoryRecordCount, "gen_ai.memory.record.count"),
        Name::new(Field::MemoryQueryText, "gen_ai.memory.query.text"),
    ],
    refined: &[(
        "retrieval",
        Name { field: Field::RequestTopK, attribute: Some("gen_ai.retrieval.top_k"), written: Type::Int },
    )],
    finish_reason_in_messages: false,
    prompt_variables: true,
    says_not_streaming: false,
};
