//! The ledger against real telemetry: what is counted must be what the provider returned.
//!
//! Every case of every emitter goes through the `genai` stage and the ledger: request by request in
//! the order of arrival, the requests in reverse, and every span in a request of its own, the first
//! to end first and last. What the provider billed stands in `case.json`; the cases for which the
//! telemetry says something else stand in `tests/expected/usage.tsv`, each with its reason.

mod conformance_support;
mod support;

use conformance_support::usage::{billed, is_carried};
use dragoman::processor::genai::Genai;
use dragoman::processor::settings::{self, Target};
use support::replay::{self, Arrival, Case, Tokens, count};
use support::usage::{Differs, differs};

/// A case in which two reports of one call disagree, so that the first to arrive decides.
struct Disagreement {
    case: &'static str,
    arrival: Arrival,
    counted: Tokens,
    reason: &'static str,
}

/// The only cases in which the order of arrival changes what is counted, and what it is then.
const REPORTS_DISAGREE: [Disagreement; 8] = [
    Disagreement {
        case: "google-adk-1.39.1/agent",
        arrival: Arrival::OneByOneReversed,
        counted: (84, 116),
        reason: "of the emitter's two spans of a call only the outer one says the thoughts",
    },
    Disagreement {
        case: "google-adk-1.39.1/sequence",
        arrival: Arrival::OneByOneReversed,
        counted: (47, 100),
        reason: "of the emitter's two spans of a call only the outer one says the thoughts",
    },
    Disagreement {
        case: "google-adk-1.39.1/stream",
        arrival: Arrival::OneByOneReversed,
        counted: (63, 106),
        reason: "of the emitter's two spans of a call only the outer one says the thoughts",
    },
    Disagreement {
        case: "google-adk-1.39.1/sub_agent",
        arrival: Arrival::OneByOneReversed,
        counted: (130, 154),
        reason: "of the emitter's two spans of a call only the outer one says the thoughts",
    },
    Disagreement {
        case: "litellm-1.53.1-py3.10/stream",
        arrival: Arrival::OneByOne,
        counted: (13, 16),
        reason: "the emitter reports a stream twice, first with its own estimate, then with the provider's usage",
    },
    Disagreement {
        case: "litellm-1.53.1/stream",
        arrival: Arrival::OneByOne,
        counted: (13, 16),
        reason: "the emitter reports a stream twice, first with its own estimate, then with the provider's usage",
    },
    Disagreement {
        case: "openllmetry-0.62.4/anthropic_stream",
        arrival: Arrival::OneByOneReversed,
        counted: (14, 16),
        reason: "the provider's package reports the call as well, and the emitter says one token more than it",
    },
    Disagreement {
        case: "voltagent-2.10.0-proto/tools",
        arrival: Arrival::OneByOneReversed,
        counted: (249, 41),
        reason: "the emitter's span of the call has the usage of the last step, the one above it that of all",
    },
];

/// What must be counted for a case, given what is counted in the order of arrival: what was billed,
/// or what its row says, or nothing if the telemetry has no counts.
fn expected(name: &str, case: &Case, differs: &[Differs], in_order: Tokens) -> Tokens {
    if let Some(row) = differs.iter().find(|row| row.case == name) {
        return row.counted;
    }
    let spans = || case.requests.iter().flat_map(|body| support::spans(body)).collect::<Vec<_>>();
    if in_order == (0, 0) && !is_carried(case, &spans()) { (0, 0) } else { billed(case) }
}

#[test]
fn what_is_counted_is_what_the_provider_returned() {
    let stage = |target| Genai::new(&settings::Genai { target, ..settings::Genai::default() });
    let (released, main, differs) = (stage(Target::V1_41), stage(Target::Main), differs());
    let wrong = replay::each_emitter("", |emitter| {
        let cases = replay::cases(emitter);
        let in_order = count(&cases, &released, Arrival::AsSent);
        let mut wrong = Vec::new();
        let mut check = |arrival, to: &str, counted: &[Tokens]| {
            for ((case, counted), in_order) in cases.iter().zip(counted).zip(&in_order) {
                let name = format!("{emitter}/{}", case.name);
                let disagreement = REPORTS_DISAGREE.iter().find(|row| row.case == name && row.arrival == arrival);
                let (expected, reason) = match disagreement {
                    Some(row) => (row.counted, row.reason),
                    None => (expected(&name, case, &differs, *in_order), ""),
                };
                if *counted != expected {
                    wrong.push(format!(
                        "{name}, {arrival:?}, {to}: counted {counted:?}, expected {expected:?} {reason}"
                    ));
                }
            }
        };
        check(Arrival::AsSent, "1.41", &in_order);
        check(Arrival::AsSent, "main", &count(&cases, &main, Arrival::AsSent));
        for arrival in [Arrival::Reversed, Arrival::OneByOne, Arrival::OneByOneReversed] {
            check(arrival, "1.41", &count(&cases, &released, arrival));
        }
        (cases.len(), wrong)
    });
    let cases: usize = wrong.iter().map(|(cases, _)| cases).sum();
    assert!(cases > 600, "only {cases} cases were found");
    let wrong: Vec<String> = wrong.into_iter().flat_map(|(_, wrong)| wrong).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_case_whose_reports_disagree_is_a_case() {
    for row in &REPORTS_DISAGREE {
        assert!(support::corpus().join(row.case).join("case.json").exists(), "{}: {}", row.case, row.reason);
    }
}
