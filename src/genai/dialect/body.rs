//! Bodies of provider APIs: requests and responses that frameworks record whole (MLflow, Logfire),
//! read member by member.
//!
//! OpenAI's chat completions, completions, embeddings and responses, Anthropic's messages, and whatever
//! speaks like them. Messages inside have shapes that [`crate::genai::content`] knows. A body that says
//! more than the conventions have words for stays where it is: most answers do, if only by the time at
//! which they were made.

use super::{Action, Reason, Rule, Verdict};
use crate::genai::content::json;
use crate::genai::field::Field;
use crate::genai::operation::{Offered, Operation, Scalar};
use crate::genai::values;
use crate::otlp::value::Value;

/// The members of a request; anything else is what was said to the model.
pub(super) const REQUEST: &[Rule] = &[
    Rule::new("", Action::Input),
    Rule::new("*", Action::Input),
    Rule::field("model", Field::RequestModel),
    Rule::new("messages", Action::Input),
    Rule::new("contents", Action::Input),
    Rule::new("prompt", Action::Input),
    Rule::new("input", Action::Input),
    Rule::new("instructions", Action::Instructions),
    Rule::new("system", Action::Instructions),
    Rule::new("tools", Action::Tools),
    Rule::new("functions", Action::Tools),
    Rule::field("temperature", Field::RequestTemperature),
    Rule::field("top_p", Field::RequestTopP),
    Rule::field("top_k", Field::RequestTopK),
    Rule::field("max_tokens", Field::RequestMaxTokens),
    Rule::field("max_completion_tokens", Field::RequestMaxTokens),
    Rule::field("max_output_tokens", Field::RequestMaxTokens),
    Rule::field("frequency_penalty", Field::RequestFrequencyPenalty),
    Rule::field("presence_penalty", Field::RequestPresencePenalty),
    Rule::field("stop", Field::RequestStopSequences),
    Rule::field("stop_sequences", Field::RequestStopSequences),
    Rule::field("seed", Field::RequestSeed),
    // Mistral's.
    Rule::field("random_seed", Field::RequestSeed),
    Rule::field("n", Field::RequestChoiceCount),
    Rule::field("stream", Field::RequestStream),
    Rule::field("encoding_format", Field::RequestEncodingFormats),
    Rule::field("dimensions", Field::EmbeddingsDimensionCount),
    Rule::field("previous_response_id", Field::RequestPreviousResponseId),
    Rule::field("reasoning_effort", Field::RequestReasoningLevel),
    Rule::field("reasoning.effort", Field::RequestReasoningLevel),
    Rule::mapped("response_format.type", Field::OutputType, values::OUTPUT_TYPE),
    Rule::mapped("text.format.type", Field::OutputType, values::OUTPUT_TYPE),
    Rule::new("service_tier", Action::Read(request_tier)),
];

/// The members of a response; anything else is what the model said.
pub(super) const RESPONSE: &[Rule] = &[
    Rule::new("", Action::Output),
    Rule::new("*", Action::Output),
    Rule::new("object", Action::Read(object)),
    Rule::field("id", Field::ResponseId),
    Rule::field("model", Field::ResponseModel),
    Rule::new("choices", Action::Output),
    Rule::new("candidates", Action::Output),
    Rule::new("output", Action::Output),
    Rule::new("content", Action::Output),
    Rule::new("generations", Action::Output),
    Rule::field("stop_reason", Field::ResponseFinishReasons),
    Rule::new("usage", Action::Read(usage)),
    Rule::new("usage_metadata", Action::Read(usage)),
    Rule::new("service_tier", Action::Read(response_tier)),
    Rule::field("system_fingerprint", Field::OpenaiResponseSystemFingerprint),
];

/// What answers say beside their content.
pub(super) const ANSWER: &[Rule] = &[
    Rule::new("object", Action::Read(object)),
    Rule::field("id", Field::ResponseId),
    Rule::field("model", Field::ResponseModel),
    Rule::new("usage", Action::Read(usage)),
    Rule::new("usage_metadata", Action::Read(usage)),
    Rule::new("service_tier", Action::Read(response_tier)),
    Rule::field("system_fingerprint", Field::OpenaiResponseSystemFingerprint),
];

/// The service tier has a name only where the API is OpenAI's.
fn request_tier<'a>(operation: &mut Operation<'a>, value: &Value<'a>) -> Verdict {
    tier(operation, value, Field::OpenaiRequestServiceTier)
}

fn response_tier<'a>(operation: &mut Operation<'a>, value: &Value<'a>) -> Verdict {
    tier(operation, value, Field::OpenaiResponseServiceTier)
}

fn tier<'a>(operation: &mut Operation<'a>, value: &Value<'a>, field: Field) -> Verdict {
    let model = operation.text(Field::RequestModel).or(operation.text(Field::ResponseModel));
    let is_openai = operation.text(Field::ProviderName).is_none_or(|provider| provider == "openai")
        && model.is_some_and(|model| values::provider_of_model(model) == Some("openai"));
    match value {
        Value::Str(tier) if is_openai => match operation.offer(field, Scalar::Str(tier.clone())) {
            Offered::Conflict => Verdict::Kept(Reason::Conflict),
            Offered::Taken | Offered::Equal => Verdict::Expressed,
        },
        _ => Verdict::Kept(Reason::SaysMore),
    }
}

/// The kind of the answer, which tells chats from completions.
fn object<'a>(operation: &mut Operation<'a>, value: &Value<'a>) -> Verdict {
    let said = operation.text(Field::OperationName);
    if value.as_str() == Some("text_completion")
        && !operation.is_current(Field::OperationName)
        && said.is_none_or(|name| name == "chat")
    {
        operation.set(Field::OperationName, Scalar::Str("text_completion".into()));
    }
    Verdict::Kept(Reason::NoHome)
}

/// The counts of usage objects, by their paths: OpenAI's of both APIs, Anthropic's, Gemini's, LangChain's.
const COUNTS: &[(&str, Field)] = &[
    ("prompt_tokens", Field::UsageInputTokens),
    ("input_tokens", Field::UsageInputTokens),
    ("prompt_token_count", Field::UsageInputTokens),
    ("completion_tokens", Field::UsageOutputTokens),
    ("output_tokens", Field::UsageOutputTokens),
    ("candidates_token_count", Field::UsageOutputTokens),
    ("total_tokens", Field::UsageTotalTokens),
    ("total_token_count", Field::UsageTotalTokens),
    ("prompt_tokens_details.cached_tokens", Field::UsageCacheReadInputTokens),
    ("input_tokens_details.cached_tokens", Field::UsageCacheReadInputTokens),
    ("cache_read_input_tokens", Field::UsageCacheReadInputTokens),
    ("cached_content_token_count", Field::UsageCacheReadInputTokens),
    ("prompt_tokens_details.cache_write_tokens", Field::UsageCacheWriteInputTokens),
    ("input_tokens_details.cache_write_tokens", Field::UsageCacheWriteInputTokens),
    ("cache_creation_input_tokens", Field::UsageCacheWriteInputTokens),
    ("completion_tokens_details.reasoning_tokens", Field::UsageReasoningOutputTokens),
    ("output_tokens_details.reasoning_tokens", Field::UsageReasoningOutputTokens),
    ("thoughts_token_count", Field::UsageReasoningOutputTokens),
    ("input_token_details.cache_read", Field::UsageCacheReadInputTokens),
    ("input_token_details.cache_creation", Field::UsageCacheWriteInputTokens),
    ("output_token_details.reasoning", Field::UsageReasoningOutputTokens),
];

/// The counts of a usage object, where nothing else says them. It goes if it says no other count than
/// these, and no other number than is believed.
pub(super) fn usage<'a>(operation: &mut Operation<'a>, value: &Value<'a>) -> Verdict {
    let Some(node) = value.as_str().and_then(json::parse).filter(|node| node.is_object()) else {
        return Verdict::Kept(Reason::Shape);
    };
    // All of one object or none of it: counts of two sources may be counted in two ways.
    let known = operation.int(Field::UsageInputTokens).is_some() || operation.int(Field::UsageOutputTokens).is_some();
    let mut says_more = false;
    let mut said = Vec::new();
    counts(node, "", 0, &mut |path, value| {
        let count = value.text().parse::<i64>().ok();
        match (COUNTS.iter().find(|(name, _)| *name == path), count) {
            (Some((_, field)), Some(count)) => said.push((*field, count)),
            _ => says_more |= !is_nothing(value),
        }
    });
    for (field, number) in &said {
        let is_detail = !matches!(field, Field::UsageInputTokens | Field::UsageOutputTokens);
        if !known || is_detail {
            operation.offer(*field, Scalar::Int(*number));
        }
    }
    let agrees = said.iter().all(|(field, number)| match (*field, operation.int(*field)) {
        (Field::UsageTotalTokens, None) => true,
        (Field::UsageInputTokens, Some(whole)) => whole == *number || whole == with_cache(*number, &said),
        (_, believed) => believed == Some(*number),
    });
    match (agrees, says_more) {
        (true, false) => Verdict::Expressed,
        (true, true) => Verdict::Kept(Reason::SaysMore),
        (false, _) => Verdict::Kept(Reason::Conflict),
    }
}

/// Anthropic's input leaves the cache out; who recorded the body may have added it.
fn with_cache(input: i64, said: &[(Field, i64)]) -> i64 {
    let cached = said
        .iter()
        .filter(|(field, _)| matches!(field, Field::UsageCacheReadInputTokens | Field::UsageCacheWriteInputTokens))
        .map(|(_, number)| *number);
    cached.fold(input, i64::saturating_add)
}

/// What stands in a usage object where nothing was counted, or nothing was asked for.
fn is_nothing(value: json::Node<'_>) -> bool {
    value.is_blank() || matches!(value.text(), "0" | "0.0" | "false" | r#""standard""# | r#""default""#)
}

fn counts<'a>(node: json::Node<'a>, path: &str, depth: usize, found: &mut impl FnMut(&str, json::Node<'a>)) {
    for (name, value) in node.members() {
        let path = format!("{path}{name}");
        match value.is_object() && depth < 2 {
            true => counts(value, &format!("{path}."), depth + 1, found),
            false => found(&path, value),
        }
    }
}
