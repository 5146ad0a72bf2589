//! Configurations: whatever stands in one, loading it ends, and says what was wrong.

use dragoman::config::Source;
use dragoman::service::plan::Plan;

/// A message for a person: 50 problems, each with its place, its path and what was expected.
const MOST_SAID: usize = 100_000;

/// Loads; the messages must be printable too, because that is where places are looked up.
pub(crate) fn load(text: &str) -> Result<Plan, String> {
    let environment = |name: &str| match name {
        "A" => Some("[1, {b: c}]".to_owned()),
        "B" => Some("${env:B}".to_owned()),
        _ => None,
    };
    match Plan::load(&[Source::Yaml(text.to_owned())], &environment) {
        Ok((plan, warnings)) => {
            warnings.iter().for_each(|warning| assert!(!warning.to_string().is_empty()));
            Ok(plan)
        }
        Err(problems) => {
            assert!(!problems.problems.is_empty(), "a refusal without a reason");
            let said = problems.to_string();
            assert!(said.len() < MOST_SAID, "a message of {} bytes", said.len());
            Err(said)
        }
    }
}

/// Loads bytes as a file would be loaded, and as `explain` or a dump in a log would show the plan.
pub(crate) fn load_bytes(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(plan) = load(text) {
        assert!(!format!("{plan:?}").is_empty());
    }
}
