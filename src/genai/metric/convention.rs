//! What targets call metrics: a table for each. Units, instruments and attributes are those of the
//! GenAI semantic conventions, "Generative AI metrics" (core 1.41, and the GenAI repository as of
//! October 2026).

use super::{Direction, Measure};
use crate::genai::settings::Target;

/// The attribute that says which way tokens went, where the name does not.
pub const TOKEN_TYPE: &str = "gen_ai.token.type";

/// One target's metrics.
#[derive(Debug)]
pub struct Convention {
    /// Which target it is.
    pub target: Target,
    /// Its metrics.
    pub names: &'static [Name],
    /// Whether the names say which way tokens went, so that no attribute does.
    pub direction_in_name: bool,
}

/// How a target says a measure.
#[derive(Debug, PartialEq, Eq)]
pub struct Name {
    /// What is measured.
    pub measure: Measure,
    /// The metric's name.
    pub name: &'static str,
    /// The metric's unit.
    pub unit: &'static str,
    /// Whether it is a counter; all others are histograms.
    pub counter: bool,
    /// Attributes that every point has; a point that says something else under such a key keeps it,
    /// unless the value follows from the measure.
    pub attributes: &'static [(&'static str, &'static str)],
}

const TOKEN: &str = "{token}";
const SECOND: &str = "s";

const fn histogram(measure: Measure, name: &'static str, unit: &'static str) -> Name {
    Name { measure, name, unit, counter: false, attributes: &[] }
}

const fn seconds(measure: Measure, name: &'static str) -> Name {
    histogram(measure, name, SECOND)
}

const fn other(name: &'static str, unit: &'static str) -> Name {
    histogram(Measure::Other(name), name, unit)
}

/// A span's or a provider's usage does not say how its tokens divide into text, image and audio.
const fn counter(measure: Measure, name: &'static str) -> Name {
    Name { measure, name, unit: TOKEN, counter: true, attributes: &[("gen_ai.token.modality", "unknown")] }
}

const fn by_type(direction: Direction, attributes: &'static [(&'static str, &'static str)]) -> Name {
    let measure = Measure::Tokens(direction);
    Name { measure, name: "gen_ai.client.token.usage", unit: TOKEN, counter: false, attributes }
}

/// Core semantic conventions 1.41.
pub static V1_41: Convention = Convention {
    target: Target::V1_41,
    names: &[
        by_type(Direction::Input, &[(TOKEN_TYPE, "input")]),
        by_type(Direction::Output, &[(TOKEN_TYPE, "output")]),
        seconds(Measure::InferenceDuration, "gen_ai.client.operation.duration"),
        seconds(Measure::OperationDuration, "gen_ai.client.operation.duration"),
        seconds(Measure::TimeToFirstChunk, "gen_ai.client.operation.time_to_first_chunk"),
        seconds(Measure::TimePerOutputChunk, "gen_ai.client.operation.time_per_output_chunk"),
        other("gen_ai.server.request.duration", SECOND),
        other("gen_ai.server.time_per_output_token", SECOND),
        other("gen_ai.server.time_to_first_token", SECOND),
    ],
    direction_in_name: false,
};

/// The GenAI repository's main branch.
pub static MAIN: Convention = Convention {
    target: Target::Main,
    names: &[
        histogram(Measure::Tokens(Direction::Input), "gen_ai.client.inference.operation.input_tokens", TOKEN),
        histogram(Measure::Tokens(Direction::Output), "gen_ai.client.inference.operation.output_tokens", TOKEN),
        counter(Measure::TokenTotal(Direction::Input), "gen_ai.client.inference.usage.input_tokens"),
        counter(Measure::TokenTotal(Direction::Output), "gen_ai.client.inference.usage.output_tokens"),
        counter(Measure::CacheReadTotal, "gen_ai.client.inference.usage.cache_read.input_tokens"),
        counter(Measure::CacheWriteTotal, "gen_ai.client.inference.usage.cache_write.input_tokens"),
        counter(Measure::ReasoningTotal, "gen_ai.client.inference.usage.reasoning.output_tokens"),
        seconds(Measure::InferenceDuration, "gen_ai.client.inference.duration"),
        seconds(Measure::OperationDuration, "gen_ai.client.operation.duration"),
        seconds(Measure::TimeToFirstChunk, "gen_ai.client.inference.time_to_first_chunk"),
        seconds(Measure::TimePerOutputChunk, "gen_ai.client.inference.time_per_output_chunk"),
        seconds(Measure::WorkflowDuration, "gen_ai.invoke_workflow.duration"),
        other("gen_ai.server.request.duration", SECOND),
        other("gen_ai.server.time_per_output_token", SECOND),
        other("gen_ai.server.time_to_first_token", SECOND),
        other("gen_ai.invoke_agent.duration", SECOND),
        other("gen_ai.invoke_agent.inference_calls", "{inference_call}"),
        other("gen_ai.invoke_agent.tool_calls", "{tool_call}"),
        other("gen_ai.execute_tool.duration", SECOND),
    ],
    direction_in_name: true,
};

/// The conventions of all targets.
pub static ALL: [&Convention; 2] = [&V1_41, &MAIN];

/// The operations that the conventions call inference.
pub const INFERENCE: [&str; 3] = ["chat", "generate_content", "text_completion"];

/// All other operations that the conventions know.
pub const OTHER_OPERATIONS: [&str; 15] = [
    "embeddings",
    "retrieval",
    "fetch_response",
    "execute_tool",
    "create_agent",
    "invoke_agent",
    "invoke_workflow",
    "plan",
    "create_memory_store",
    "delete_memory_store",
    "search_memory",
    "create_memory",
    "update_memory",
    "upsert_memory",
    "delete_memory",
];

/// Other spellings of a unit, by which nothing is measured differently.
const SPELLINGS: [(&str, &[&str]); 4] = [
    (TOKEN, &["token", "tokens", "{tokens}", "1", ""]),
    (SECOND, &["seconds", "second", "sec"]),
    ("{inference_call}", &["1", ""]),
    ("{tool_call}", &["1", ""]),
];

impl Convention {
    /// The convention of a target.
    pub fn of(target: Target) -> &'static Convention {
        match target {
            Target::V1_41 => &V1_41,
            Target::Main => &MAIN,
        }
    }

    /// How a measure is said; `None` if the target has no words for it.
    pub fn say(&'static self, measure: Measure) -> Option<&'static Name> {
        self.names.iter().find(|name| name.measure == measure)
    }

    /// A metric of the target by its name.
    pub fn find(&'static self, name: &str) -> Option<&'static Name> {
        self.names.iter().find(|own| own.name == name)
    }
}

impl Name {
    /// Whether what is measured in `unit` can be said to be in this metric's.
    pub fn measures_in(&self, unit: &str) -> bool {
        let spelled = |(own, others): &(&str, &[&str])| *own == self.unit && others.contains(&unit);
        unit == self.unit || SPELLINGS.iter().any(spelled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_unit_and_one_instrument() {
        for convention in ALL {
            for name in convention.names {
                let same = convention.names.iter().filter(|other| other.name == name.name);
                assert!(same.clone().all(|other| (other.unit, other.counter) == (name.unit, name.counter)), "{name:?}");
                let measures = convention.names.iter().filter(|other| other.measure == name.measure);
                assert_eq!(measures.count(), 1, "{name:?}");
            }
        }
    }

    #[test]
    fn milliseconds_are_no_spelling_of_seconds() {
        let name = V1_41.say(Measure::InferenceDuration).unwrap();
        assert!(name.measures_in("s") && name.measures_in("seconds"));
        assert!(!name.measures_in("ms") && !name.measures_in(""));
    }
}
