//! What holds for every mixture of keys and values, sensible or not, of one emitter or of several.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail")]

mod genai_support;

use dragoman::genai::coerce::{Coerced, coerce, is_of};
use dragoman::genai::content::{Direction, check_messages, check_system_instructions, check_tool_definitions};
use dragoman::genai::convention::{self, Convention};
use dragoman::genai::field::Field;
use dragoman::genai::operation::Scalar;
use dragoman::genai::settings::{Genai, Originals, Target};
use genai_support::mixture::{case, settings};
use genai_support::{attributes, explain, translate};
use proptest::prelude::*;
use serde_json::Value;

/// `PROPTEST_CASES` for a long run.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(2000);
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 20_000, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_second_pass_changes_nothing(case in case(), settings in settings()) {
        let once = translate(&case.request(), &settings);
        let twice = translate(&once.body, &settings);
        prop_assert_eq!(&once.spans, &twice.spans);
        prop_assert!(once.body == twice.body);
    }
}
