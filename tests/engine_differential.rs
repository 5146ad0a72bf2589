//! The byte engine, the check of requests and the JSON codec against prost, over generated
//! requests. `fuzz/` runs the same functions without end.

mod oracle;

use bytes::Bytes;
use dragoman::otlp::signal::Signal;
use dragoman::otlp::traces::edit;
use oracle::edits::Plan;
use oracle::engine::{ReadEverything, edit_on_both_ways};
use oracle::generate::{Entropy, Wildness, damage, wire};
use oracle::{agree_on_refusal, json_is_a_request_or_refused, json_round_trip};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

fn signal() -> impl Strategy<Value = Signal> {
    prop_oneof![Just(Signal::Traces), Just(Signal::Metrics), Just(Signal::Logs)]
}

/// Enough decisions for a request of a few spans with a few attributes.
fn decisions() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..1500)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn edits_on_the_wire_are_edits_on_structs(seed in decisions(), plan in vec(any::<u8>(), 0..96)) {
        let body = wire(Signal::Traces, &mut Entropy::new(&seed), Wildness::Any);
        edit_on_both_ways(&body, &Plan::new(&mut Entropy::new(&plan)));
    }

    #[test]
    fn an_untouched_request_goes_on_as_it_came(seed in decisions()) {
        let body = Bytes::from(wire(Signal::Traces, &mut Entropy::new(&seed), Wildness::Any));
        if let Ok(outcome) = edit(&body, &mut ReadEverything) {
            prop_assert_eq!(outcome.body.as_ptr(), body.as_ptr());
            prop_assert_eq!(outcome.body.len(), body.len());
            prop_assert_eq!(outcome.kept, outcome.received);
        }
    }

    #[test]
    fn what_prost_refuses_is_refused_and_nothing_else(signal in signal(), seed in decisions(), harm in vec(any::<u8>(), 0..12)) {
        let mut body = wire(signal, &mut Entropy::new(&seed), Wildness::Any);
        agree_on_refusal(signal, &body);
        damage(&mut body, &mut Entropy::new(&harm));
        agree_on_refusal(signal, &body);
    }

    #[test]
    fn noise_is_refused_as_prost_refuses_it(signal in signal(), body in vec(any::<u8>(), 0..64)) {
        agree_on_refusal(signal, &body);
    }

    #[test]
    fn a_request_survives_the_way_to_json_and_back(signal in signal(), seed in decisions()) {
        json_round_trip(signal, &wire(signal, &mut Entropy::new(&seed), Wildness::Json));
    }

    #[test]
    fn damaged_json_is_refused_or_a_request(signal in signal(), seed in decisions(), harm in vec(any::<u8>(), 0..12)) {
        let body = wire(signal, &mut Entropy::new(&seed), Wildness::Json);
        if let Ok(json) = dragoman::otlp::json::encode(signal, &body) {
            let mut json = json.into_bytes();
            damage(&mut json, &mut Entropy::new(&harm));
            json_is_a_request_or_refused(signal, &json);
        }
    }
}

/// The generator reaches what the properties are about; otherwise they would say little.
#[test]
fn the_generated_requests_are_worth_the_name() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut spans, mut refused, mut edited, mut groups) = (0, 0, 0, 0);
    for _ in 0..400 {
        let seed = decisions().new_tree(&mut runner).unwrap().current();
        let body = wire(Signal::Traces, &mut Entropy::new(&seed), Wildness::Any);
        match oracle::prost(Signal::Traces, &body) {
            Some((items, text)) => {
                spans += items;
                edited += usize::from(text.contains("llm.request.model"));
            }
            None => refused += 1,
        }
        groups += usize::from(body.iter().any(|byte| byte & 7 == 3));
    }
    assert!(
        spans > 800 && edited > 40 && refused > 2 && refused < 200 && groups > 100,
        "{spans} spans, {edited} with a known key, {refused} refused, {groups} with groups"
    );
}
