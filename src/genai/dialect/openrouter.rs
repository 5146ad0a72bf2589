//! OpenRouter's broadcast of the calls that went through it: current names, and a few of its own.

use super::{Dialect, Reason, Rule, Tell};

/// The dialect's name.
pub const NAME: &str = "openrouter";

/// The dialect.
pub static OPENROUTER: Dialect = Dialect {
    tells: &[
        Tell::scope_prefix("openrouter", 100),
        Tell::key_prefix("openrouter.", 20),
        Tell::key_prefix("trace.metadata.openrouter.", 20),
    ],
    keys: &[Rule::keep("openrouter.source", Reason::NoHome)],
    kept: &[("trace.metadata.openrouter.", Reason::NoHome), ("openrouter.", Reason::Unknown)],
    ..Dialect::new(NAME)
};

#[cfg(test)]
mod tests {
    use crate::genai::dialect::coverage::unknown;

    /// The keys of the fact table, a concrete one for each of its rows.
    #[test]
    fn every_key_of_the_table_is_known() {
        let keys = ["openrouter.source", "trace.metadata.openrouter.user"];
        assert_eq!(unknown(&keys), [""; 0]);
        assert_eq!(unknown(&["openrouter.drift"]), ["openrouter.drift"]);
    }
}
