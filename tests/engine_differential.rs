//! The byte engine, the check of requests and the JSON codec against prost, over generated
//! requests. `fuzz/` runs the same functions without end.

mod oracle;

use bytes::Bytes;
use dragoman::otlp::signal::Signal;
use dragoman::otlp::traces::edit;
use dragoman::otlp::wire::put_bytes;
use oracle::edits::Plan;
use oracle::engine::{ReadEverything, edit_on_both_ways};
use oracle::generate::{Entropy, Wildness, damage, wire};
use oracle::{agree_on_refusal, json_is_a_request_or_refused, json_round_trip, target};
use oracle::{metrics, records};
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
    fn edits_of_metrics_are_edits_on_structs(seed in decisions(), plan in vec(any::<u8>(), 0..128)) {
        let body = wire(Signal::Metrics, &mut Entropy::new(&seed), Wildness::Any);
        metrics::edit_on_both_ways(&body, &metrics::plan(&mut Entropy::new(&plan)));
    }

    #[test]
    fn edits_of_log_records_are_edits_on_structs(seed in decisions(), plan in vec(any::<u8>(), 0..96)) {
        let body = wire(Signal::Logs, &mut Entropy::new(&seed), Wildness::Any);
        records::edit_on_both_ways(&body, &Plan::for_records(&mut Entropy::new(&plan)));
    }

    #[test]
    fn a_segment_is_read_by_its_checksums(data in vec(any::<u8>(), 0..600), made in vec((0..8u8, vec(any::<u8>(), 0..30)), 0..20)) {
        target::segments(&data);
        let made: Vec<u8> = made.iter().flat_map(|(kind, payload)| [&[*kind, payload.len() as u8], &payload[..]].concat()).collect();
        for kind in [1, 0x0f] {
            target::segments(&[&[kind, 0], &made[..]].concat());
        }
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

/// `content` as a length-delimited field.
fn field(number: u32, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_bytes(&mut out, number, content);
    out
}

/// A request of `signal` with this encoded `AnyValue` in an attribute of its item, and with these
/// fields of the item's own.
fn item(signal: Signal, value: &[u8], more: &[u8]) -> Vec<u8> {
    let attribute = field(2, value);
    let (path, attributes): (&[u32], u32) = match signal {
        Signal::Traces => (&[1, 2, 2], 9),
        Signal::Metrics => (&[1, 2, 2, 9, 1], 9),
        Signal::Logs => (&[1, 2, 2], 6),
    };
    let item = [field(attributes, &attribute), more.to_vec()].concat();
    path.iter().rev().fold(item, |content, number| field(*number, &content))
}

#[test]
fn nesting_ends_where_prost_ends_it() {
    // What stands in the innermost value, at the limit and around it: nothing, a known field, an
    // unknown one, a group, a group in a group, a group that another one ends.
    let contents: [&[u8]; 6] = [
        &[],
        &[0x10, 1],
        &[0x98, 6, 1],
        &[0x9b, 6, 0x9c, 6],
        &[0x9b, 6, 0x9b, 6, 0x9c, 6, 0x9c, 6],
        &[0x9b, 6, 0xa4, 6],
    ];
    let mut taken = 0;
    for signal in Signal::ALL {
        for depth in 40..52 {
            for content in contents {
                let value = (0..depth).fold(content.to_vec(), |value, _| field(5, &field(1, &value)));
                let body = item(signal, &value, &[]);
                agree_on_refusal(signal, &body);
                let half = (0..depth).fold(field(6, content), |value, _| field(5, &field(1, &value)));
                agree_on_refusal(signal, &item(signal, &half, &[]));
                taken += usize::from(oracle::prost(signal, &body).is_some());
            }
        }
    }
    assert!(taken > 60 && taken < 180, "{taken} of 216 taken: the limit lies between");
}

#[test]
fn numbers_end_where_prost_ends_them() {
    for signal in Signal::ALL {
        for last in [0x00, 0x01, 0x02, 0x7f, 0x80, 0x81] {
            for length in 8..12 {
                let varint = [vec![0xff; length], vec![last]].concat();
                // As a value, as a key, as a length, in a group.
                let boolean = [vec![0x10], varint.clone()].concat();
                agree_on_refusal(signal, &item(signal, &boolean, &[]));
                agree_on_refusal(signal, &item(signal, &varint, &[]));
                agree_on_refusal(signal, &varint);
                agree_on_refusal(signal, &item(signal, &[vec![0x0a], varint.clone()].concat(), &[]));
                agree_on_refusal(signal, &item(signal, &[vec![0x9b, 6, 0x98, 6], varint, vec![0x9c, 6]].concat(), &[]));
            }
        }
    }
}

/// Bucket counts and bounds, packed and not, whole and cut.
#[test]
fn packed_numbers_are_read_as_prost_reads_them() {
    for length in 0..20 {
        let packed = [field(6, &vec![7; length]), field(7, &vec![0xff; length])];
        for more in packed {
            agree_on_refusal(Signal::Metrics, &item(Signal::Metrics, &[], &more));
        }
        // Exponential buckets hold varints.
        for byte in [0x01, 0xff] {
            let point = field(8, &field(2, &vec![byte; length]));
            let body = [1, 10, 2, 2, 1].iter().fold(point, |content, number| field(*number, &content));
            agree_on_refusal(Signal::Metrics, &body);
        }
    }
    agree_on_refusal(Signal::Metrics, &item(Signal::Metrics, &[], &[0x31, 1, 2, 3, 4, 5, 6, 7, 8]));
    agree_on_refusal(Signal::Metrics, &item(Signal::Metrics, &[], &[0x30, 1]));
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

/// Real payloads, and whatever fuzzing has found.
#[test]
fn the_corpus_of_the_fuzz_targets_holds() {
    type Target = fn(&[u8]);
    let targets: [(&str, Target); 10] = [
        ("engine", target::engine),
        ("edits_logs", target::edits_logs),
        ("edits_metrics", target::edits_metrics),
        ("check", target::check),
        ("json_decode", target::json_decode),
        ("yaml", target::yaml),
        ("decompress", target::decompress),
        ("grpc_frames", target::grpc_frames),
        ("segments", target::segments),
        ("split", target::split),
    ];
    for (name, target) in targets {
        let folder = format!("{}/fuzz/corpus/{name}", env!("CARGO_MANIFEST_DIR"));
        let mut inputs = 0;
        for entry in std::fs::read_dir(&folder).expect("the corpus is part of the project") {
            target(&std::fs::read(entry.unwrap().path()).unwrap());
            inputs += 1;
        }
        assert!(inputs > 2, "{folder} holds {inputs} inputs");
    }
}
