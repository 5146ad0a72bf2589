//! Why a generation ended: from the providers' words to the word of a message's `finish_reason`.
//!
//! `gen_ai.response.finish_reasons` keeps the provider's own words; only messages use these.

use std::borrow::Cow;

use crate::genai::values::{self, FINISH_REASON, Mapped};

/// The message schema's word for a provider's, any other word as it is, and `""` for a word that
/// says nothing.
pub fn message_finish_reason(reason: Cow<'_, str>) -> Cow<'_, str> {
    match values::look(FINISH_REASON, values::enum_member(&reason)) {
        Mapped::To(word) => Cow::Borrowed(word),
        Mapped::Nothing => Cow::Borrowed(""),
        Mapped::Unknown => reason,
    }
}
