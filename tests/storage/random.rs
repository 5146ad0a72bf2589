//! Any order of appends, acknowledgements, restarts, failures and power cuts.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use dragoman::storage::segments::{Payload, Record};
use proptest::prelude::*;

use super::faulty::{Fate, Faulty};
use super::{append, bytes, files, id, ids, open, payload, try_open};

#[derive(Debug, Clone)]
enum Step {
    /// Payloads of these lengths.
    Append(Vec<usize>),
    /// The records at these places of those that are held.
    Acknowledge(Vec<usize>),
    /// One write fails after some bytes, later.
    Fail {
        after: usize,
        part: usize,
    },
    Restart,
    PowerCut,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop::collection::vec(prop_oneof![0..300usize, 3000..6000usize, Just(70_000)], 1..5).prop_map(Step::Append),
        4 => prop::collection::vec(0..20usize, 1..6).prop_map(Step::Acknowledge),
        1 => (0..6usize, 0..200usize).prop_map(|(after, part)| Step::Fail { after, part }),
        1 => Just(Step::Restart),
        1 => Just(Step::PowerCut),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_synced_and_not_acknowledged_is_there(steps in prop::collection::vec(step(), 1..40)) {
        let root = tempfile::tempdir().expect("a folder");
        let layer = || Faulty::new(|_| Fate::Works);
        let mut files_of = layer();
        let (mut segments, ..) = try_open(Arc::new(files_of.clone()), root.path()).expect("an empty folder");
        let mut held: BTreeMap<u64, Record> = BTreeMap::new();
        let mut synced: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
        let mut appended: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
        let mut acknowledged = BTreeSet::new();
        let mut next = 0;
        for step in steps {
            match step {
                Step::Append(lengths) => {
                    let group: Vec<Payload> = lengths.iter().map(|length| { next += 1; payload(next, *length) }).collect();
                    appended.extend(group.iter().map(|payload| (id(&bytes(payload)), bytes(payload))));
                    for (record, payload) in segments.append(&group).records.into_iter().zip(&group) {
                        synced.insert(id(&bytes(payload)), bytes(payload));
                        held.insert(id(&bytes(payload)), record);
                    }
                }
                Step::Acknowledge(places) => {
                    let which: BTreeSet<u64> = places.iter().filter_map(|place| held.keys().nth(*place).copied()).collect();
                    let records = which.iter().filter_map(|id| held.remove(id)).collect();
                    acknowledged.extend(which);
                    segments.acknowledge(records);
                }
                Step::Fail { mut after, part } => files_of.set(move |_| {
                    after = after.wrapping_sub(1);
                    match after == usize::MAX {
                        true => Fate::Fails(io::Error::from(io::ErrorKind::StorageFull), part),
                        false => Fate::Works,
                    }
                }),
                Step::Restart | Step::PowerCut => {
                    drop(segments);
                    if matches!(step, Step::PowerCut) {
                        files_of.forget();
                    }
                    files_of = layer();
                    let (opened, report, found) = try_open(Arc::new(files_of.clone()), root.path()).expect("a log");
                    prop_assert_eq!(report.corrupt(), 0, "{:?}", report);
                    prop_assert!(ids(&found).is_sorted_by(|one, other| one < other));
                    for (_, payload) in &found {
                        prop_assert_eq!(appended.get(&id(payload)), Some(payload), "invented");
                    }
                    let there: BTreeSet<u64> = ids(&found).into_iter().collect();
                    for id in synced.keys() {
                        prop_assert!(there.contains(id) || acknowledged.contains(id), "record {} is lost", id);
                    }
                    held = found.into_iter().map(|(record, payload)| (id(&payload), record)).collect();
                    synced.retain(|id, _| there.contains(id));
                    segments = opened;
                }
            }
        }
        // Everything acknowledged: nothing is left but the segment that is written to.
        files_of.set(|_| Fate::Works);
        segments.acknowledge(std::mem::take(&mut held).into_values().collect());
        let mut last = append(&mut segments, &[payload(1_000_000, 5000)]);
        segments.acknowledge(std::mem::take(&mut last));
        drop(segments);
        let (_, _, found) = open(root.path());
        let known = ids(&found).into_iter().all(|id| appended.contains_key(&id));
        prop_assert!(known);
        prop_assert!(files(root.path(), "segment").len() <= found.len());
    }
}
