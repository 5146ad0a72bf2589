//! GitHub Copilot's CLI and SDK: current names, and a few of its
//! own, which stay. An agent's span has the exact sum of its calls.

use super::{Counts, Dialect, Reason, Rule, Tell};

/// The dialect's name.
pub const NAME: &str = "github-copilot";

/// The dialect.
pub static GITHUB_COPILOT: Dialect = Dialect {
    tells: &[
        Tell::scope_prefix("github.copilot", 100),
        Tell::scope_prefix("@github/copilot", 100),
        Tell::key_prefix("github.copilot.", 20),
    ],
    keys: &[Rule::keep("enduser.pseudo.id", Reason::NoHome)],
    kept: &[("github.copilot.", Reason::NoHome)],
    counts: Counts::INCLUSIVE,
    ..Dialect::new(NAME)
};

#[cfg(test)]
mod tests {
    use crate::genai::dialect::coverage::unknown;

    /// The keys of the fact table, a concrete one for each of its rows.
    #[test]
    fn every_key_of_the_table_is_known() {
        let keys = [
            "github.copilot.cost",
            "github.copilot.nano_aiu",
            "github.copilot.total_premium_requests",
            "enduser.pseudo.id",
            "gen_ai.usage.cache_write.input_tokens",
        ];
        assert_eq!(unknown(&keys), [""; 0]);
    }
}
