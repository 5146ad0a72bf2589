//! Why a generation ended: from the providers' words to the word of a message's `finish_reason`.
//!
//! `gen_ai.response.finish_reasons` keeps the provider's own words; only messages use these.

use std::borrow::Cow;

/// The message schema's words, and what providers say for them (`research/dialects-1.md`, section
/// 3.8, and `dialects-2.md`, section 7). Compared without regard to case.
const WORDS: &[(&str, &[&str])] = &[
    ("stop", &["stop", "end_turn", "stop_sequence", "complete", "completed", "eos", "eos_token", "finished"]),
    ("length", &["length", "max_tokens", "max_output_tokens", "incomplete"]),
    ("tool_call", &["tool_calls", "tool_call", "tool-calls", "tool_use", "function_call"]),
    (
        "content_filter",
        &[
            "content_filter",
            "content_filtered",
            "content-filter",
            "safety",
            "recitation",
            "guardrail_intervened",
            "refusal",
        ],
    ),
    ("error", &["error", "failed", "malformed_function_call"]),
];

/// The message schema's word for a provider's; any other word as it is.
pub fn message_finish_reason(reason: Cow<'_, str>) -> Cow<'_, str> {
    match known(&reason) {
        Some(word) => Cow::Borrowed(word),
        None => reason,
    }
}

/// The message schema's word for a provider's, if there is one.
pub(super) fn known(reason: &str) -> Option<&'static str> {
    WORDS.iter().find(|(_, said)| said.iter().any(|said| said.eq_ignore_ascii_case(reason))).map(|(word, _)| *word)
}
