//! CrewAI's own telemetry, where it leaks into an application's provider. It is meant for the vendor, in
//! bare words that mean nothing to the conventions; only the span of a whole run says what a target has
//! words for. What most people use is OpenInference or OpenLLMetry.

use super::{Action, Dialect, Reason, Rule, SpanName, Tell};
use crate::genai::field::Field;
use crate::genai::operation::{Operation, Scalar, Seen};

/// The dialect's name.
pub const NAME: &str = "crewai";

/// The dialect.
pub static CREWAI: Dialect = Dialect {
    tells: &[Tell::scope("crewai.telemetry", 100)],
    keys: &[
        Rule::own("crew_key", Action::Marks),
        Rule::own("crew_id", Action::Keep(Reason::NoHome)),
        Rule::own("agent_role", Action::Keep(Reason::NoHome)),
        Rule::own("task_description", Action::Keep(Reason::NoHome)),
        Rule::own("formatted_description", Action::Keep(Reason::NoHome)),
        Rule::own("crewai_version", Action::Keep(Reason::NoHome)),
    ],
    span_names: &[SpanName::Exact("Crew Execution")],
    quirk: Some(quirk),
    ..Dialect::new(NAME)
};

fn quirk<'a>(operation: &mut Operation<'a>, seen: &Seen<'_, 'a>) {
    if seen.name == "Crew Execution" {
        operation.offer(Field::OperationName, Scalar::Str("invoke_workflow".into()));
    }
}

#[cfg(test)]
mod tests {
    use crate::genai::dialect::coverage::unknown;

    /// The keys of the fact table that are this emitter's own.
    #[test]
    fn every_key_of_the_table_is_known() {
        let keys = ["crew_id", "crew_key", "agent_role", "task_description", "formatted_description"];
        assert_eq!(unknown(&keys), [""; 0]);
    }
}
