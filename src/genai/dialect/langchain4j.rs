//! LangChain4j's own observations, by Micrometer: current names with
//! every value as text, the provider under both names, and no usage, which is a metric only.

use super::{Dialect, Rule, SpanName, Tell};
use crate::genai::field::Field;
use crate::genai::values;

/// The dialect's name.
pub const NAME: &str = "langchain4j";

/// The dialect.
pub static LANGCHAIN4J: Dialect = Dialect {
    tells: &[Tell::scope_prefix("dev.langchain4j", 100), Tell::key_prefix("langchain4j.", 20)],
    keys: &[
        Rule::mapped("gen_ai.provider.name", Field::ProviderName, values::PROVIDER),
        Rule::mapped("gen_ai.system", Field::ProviderName, values::PROVIDER),
    ],
    kept: &[("langchain4j.", super::Reason::NoHome)],
    span_names: &[SpanName::Prefix("chat ")],
    ..Dialect::new(NAME)
};

#[cfg(test)]
mod tests {
    use crate::genai::dialect::coverage::unknown;

    /// The keys of the fact table, a concrete one for each of its rows.
    #[test]
    fn every_key_of_the_table_is_known() {
        assert_eq!(unknown(&["gen_ai.system", "gen_ai.provider.name", "gen_ai.response.finish_reasons"]), [""; 0]);
    }
}
