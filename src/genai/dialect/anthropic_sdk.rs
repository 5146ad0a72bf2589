//! Spans that the Anthropic SDK (from 2.x) and Anthropic's platform write by themselves, without any
//! instrumentation: current names, and a few of its own.
//!
//! What a sampler took away is not made up again: a span without an operation stays without one, for
//! it stands beside the span of whoever put the sampler there.

use super::{Dialect, Reason, Rule, SpanName, Tell};
use crate::genai::field::Field;

/// The dialect's name.
pub const NAME: &str = "anthropic-sdk";

/// The dialect.
pub static ANTHROPIC_SDK: Dialect = Dialect {
    tells: &[Tell::scope_prefix("com.anthropic.sdk.", 100), Tell::scope("com.anthropic.claude-platform", 100)],
    keys: &[Rule::field("anthropic.message.stop_reason", Field::ResponseFinishReasons)],
    kept: &[("anthropic.", Reason::NoHome)],
    span_names: &[SpanName::Prefix("anthropic.")],
    counts: super::Counts::INCLUSIVE,
    ..Dialect::new(NAME)
};

#[cfg(test)]
mod tests {
    use crate::genai::dialect::coverage::unknown;

    #[test]
    fn every_key_of_the_recordings_is_known() {
        let keys = ["anthropic.message.stop_reason", "anthropic.request.id", "anthropic.response.service_tier"];
        assert_eq!(unknown(&keys), [""; 0]);
    }
}
