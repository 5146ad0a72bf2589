//! What emitters call metrics and what they attach to them: a table for each, in a file of its own.
//! Adding a metric is one row. The targets' own names need no row: they are read from
//! [`super::convention`].

mod litellm;
mod llama_stack;
mod openlit;
mod openllmetry;
mod otel;
mod others;
mod pydantic_ai;

use super::Says;
use crate::genai::values::Table;

/// One emitter's metrics.
#[derive(Debug)]
pub struct Dialect {
    /// Its name, as for spans.
    pub name: &'static str,
    /// How the names of its instrumentation scopes begin.
    pub scopes: &'static [&'static str],
    /// An attribute that nobody else puts on a data point, for emitters whose scope users rename.
    pub tell: Option<&'static str>,
    /// Its metrics.
    pub metrics: &'static [Row],
    /// How the names of metrics begin that no target has words for.
    pub kept: &'static [&'static str],
    /// What its attributes mean, before those of `otel`, which hold for every dialect.
    pub attributes: &'static [Attribute],
}

impl Dialect {
    const fn new(name: &'static str) -> Dialect {
        Dialect { name, scopes: &[], tell: None, metrics: &[], kept: &[], attributes: &[] }
    }
}

/// One metric.
#[derive(Debug)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// What it measures.
    pub says: Says,
    /// What its name says besides, as attributes.
    pub implies: &'static [(&'static str, &'static str)],
    /// For a name that others may use too: the attribute that every point must have.
    pub only_with: Option<&'static str>,
    /// The scope of which it is a copy of what stands beside it in the target's words.
    pub copy_in: Option<&'static str>,
    /// What attributes mean on this metric only.
    pub attributes: &'static [Attribute],
}

impl Row {
    const fn new(name: &'static str, says: Says) -> Row {
        Row { name, says, implies: &[], only_with: None, copy_in: None, attributes: &[] }
    }
}

/// One attribute of data points.
#[derive(Debug)]
pub struct Attribute {
    /// The emitter's key.
    pub from: &'static str,
    /// The conventions' key; the same where only values differ.
    pub to: &'static str,
    /// From the emitter's words to the conventions'.
    pub values: Option<&'static Table>,
}

impl Attribute {
    const fn renamed(from: &'static str, to: &'static str) -> Attribute {
        Attribute { from, to, values: None }
    }

    const fn mapped(from: &'static str, to: &'static str, values: &'static Table) -> Attribute {
        Attribute { from, to, values: Some(values) }
    }

    /// The key is the conventions', the words are not.
    const fn reworded(key: &'static str, values: &'static Table) -> Attribute {
        Attribute::mapped(key, key, values)
    }
}

/// All dialects. The first one is that of what nobody in particular says.
pub static ALL: [&Dialect; 7] = [
    &otel::OTEL,
    &openllmetry::OPENLLMETRY,
    &openlit::OPENLIT,
    &litellm::LITELLM,
    &llama_stack::LLAMA_STACK,
    &pydantic_ai::PYDANTIC_AI,
    &others::OTHERS,
];

/// The dialect of what nobody in particular says.
pub static OTEL: &Dialect = &otel::OTEL;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::genai::metric::convention;

    #[test]
    fn a_metric_has_one_row_and_targets_names_have_none() {
        let mut seen = HashSet::new();
        for row in ALL.iter().flat_map(|dialect| dialect.metrics) {
            assert!(seen.insert(row.name), "{}", row.name);
            assert!(convention::ALL.iter().all(|target| target.find(row.name).is_none()), "{}", row.name);
        }
    }
}
