//! AutoGen.
//!
//! Its agents and tools are spans in current names, but for the provider, where AutoGen names itself;
//! the calls of models are the provider's instrumentation's. The runtime's own spans (`autogen send`,
//! `autogen process`) carry messaging keys only and are no operations.

use super::{Dialect, Reason, Rule, Tell};
use crate::genai::field::Field;
use crate::genai::values;

/// The dialect's name.
pub const NAME: &str = "autogen";

/// The dialect.
pub static AUTOGEN: Dialect = Dialect {
    tells: &[
        Tell::scope("autogen-core", 100),
        Tell::scope_prefix("autogen ", 100),
        Tell::scope_prefix("autogen_", 100),
        Tell::span_name_prefix("autogen ", 20),
    ],
    keys: &[
        Rule::mapped("gen_ai.system", Field::ProviderName, values::PROVIDER),
        Rule::own("messaging.operation", super::Action::Keep(Reason::NoHome)),
        Rule::own("messaging.destination", super::Action::Keep(Reason::NoHome)),
    ],
    ..Dialect::new(NAME)
};

#[cfg(test)]
mod tests {
    use crate::genai::dialect::coverage::unknown;

    /// The keys of the fact table, a concrete one for each of its rows; `messaging.message.*` is the
    /// messaging conventions' and passes.
    #[test]
    fn every_key_of_the_table_is_known() {
        let keys = ["gen_ai.system", "messaging.operation", "messaging.destination", "gen_ai.operation.name"];
        assert_eq!(unknown(&keys), [""; 0]);
    }
}
