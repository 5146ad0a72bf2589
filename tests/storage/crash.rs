//! A process that ends at every single operation on its files, with and without the power going, and
//! with a write that was done in part.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dragoman::storage::segments::{Payload, Record};

use super::faulty::{Fate, Faulty, Operation};
use super::{append, bytes, id, ids, open, payload, try_open};

/// What a client was told.
#[derive(Default)]
struct Promised {
    /// Payloads of appends that were reported as done.
    synced: BTreeMap<u64, Vec<u8>>,
    /// Payloads of all appends.
    appended: BTreeMap<u64, Vec<u8>>,
    /// Those that were acknowledged, whether or not the log came to write it down.
    acknowledged: BTreeSet<u64>,
}

/// A fixed life of a log: groups, acknowledgements out of order, a restart, segments that go.
fn script(files: &Faulty, folder: &Path, promised: &mut Promised) {
    let Ok((mut segments, ..)) = try_open(Arc::new(files.clone()), folder) else { return };
    let mut held: BTreeMap<u64, Record> = BTreeMap::new();
    let mut next = 0;
    let mut group = |segments: &mut dragoman::storage::segments::Segments,
                     held: &mut BTreeMap<u64, Record>,
                     promised: &mut Promised,
                     lengths: &[usize]| {
        let payloads: Vec<Payload> = lengths
            .iter()
            .map(|length| {
                next += 1;
                payload(next, *length)
            })
            .collect();
        promised.appended.extend(payloads.iter().map(|payload| (id(&bytes(payload)), bytes(payload))));
        for (record, payload) in segments.append(&payloads).records.into_iter().zip(&payloads) {
            let id = id(&bytes(payload));
            promised.synced.insert(id, bytes(payload));
            held.insert(id, record);
        }
    };
    let acknowledge = |segments: &mut dragoman::storage::segments::Segments,
                       held: &mut BTreeMap<u64, Record>,
                       promised: &mut Promised,
                       which: &[u64]| {
        let records: Vec<_> = which.iter().filter_map(|id| held.remove(id)).collect();
        promised.acknowledged.extend(which);
        segments.acknowledge(records);
    };
    group(&mut segments, &mut held, promised, &[10]);
    group(&mut segments, &mut held, promised, &[100, 0, 2000]);
    acknowledge(&mut segments, &mut held, promised, &[3]);
    group(&mut segments, &mut held, promised, &[3000, 900]);
    acknowledge(&mut segments, &mut held, promised, &[1, 6]);
    group(&mut segments, &mut held, promised, &[9000, 70_000, 5]);
    acknowledge(&mut segments, &mut held, promised, &[2, 4]);
    group(&mut segments, &mut held, promised, &[50]);
    acknowledge(&mut segments, &mut held, promised, &[8, 9]);
    // A restart in between: what is appended then goes to another segment.
    drop(segments);
    let Ok((mut segments, _, found)) = try_open(Arc::new(files.clone()), folder) else { return };
    held = found.into_iter().map(|(record, payload)| (id(&payload), record)).collect();
    group(&mut segments, &mut held, promised, &[60, 3900, 3900]);
    acknowledge(&mut segments, &mut held, promised, &[11, 12, 10, 7]);
    group(&mut segments, &mut held, promised, &[1]);
}

/// Reopens with the real layer, twice, and compares.
fn check(folder: &Path, promised: &Promised, what: &str) {
    for time in ["first", "second"] {
        let (segments, report, found) = open(folder);
        assert_eq!(report.corrupt(), 0, "{what}, {time}: {report:?}");
        let order = ids(&found);
        assert!(order.is_sorted_by(|one, other| one < other), "{what}, {time}: {order:?}");
        for (_, payload) in &found {
            assert_eq!(promised.appended.get(&id(payload)), Some(payload), "{what}, {time}: invented");
        }
        for (id, payload) in &promised.synced {
            let is_there = found.iter().any(|(_, other)| other == payload);
            assert!(is_there || promised.acknowledged.contains(id), "{what}, {time}: record {id} is lost");
        }
        // What is found can be read again by its record.
        for (record, payload) in &found {
            assert_eq!(segments.reader().read(record.place()).expect("readable"), payload, "{what}, {time}");
        }
    }
    let (mut segments, ..) = open(folder);
    append(&mut segments, &[payload(1000, 10)]);
    drop(segments);
    assert_eq!(ids(&open(folder).2).last(), Some(&1000), "{what}: it goes on");
}

fn ended() -> io::Error {
    io::Error::other("the process has ended")
}

/// Runs the script and ends the process at the operation `at`, of a write after `part` bytes.
fn end_at(at: usize, part: usize, is_power_cut: bool) -> usize {
    let root = tempfile::tempdir().expect("a folder");
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let files = Faulty::new(move |_| match counted.fetch_add(1, Ordering::Relaxed) {
        now if now < at => Fate::Works,
        now if now == at => Fate::Fails(ended(), part),
        _ => Fate::Fails(ended(), 0),
    });
    let mut promised = Promised::default();
    script(&files, root.path(), &mut promised);
    if is_power_cut {
        files.forget();
    }
    check(root.path(), &promised, &format!("ended at {at} after {part} bytes, power cut: {is_power_cut}"));
    count.load(Ordering::Relaxed)
}

#[test]
fn nothing_synced_is_lost_wherever_the_process_ends() {
    let operations = end_at(usize::MAX, 0, false);
    assert!(operations > 40, "the script does something: {operations}");
    for at in 0..=operations {
        for part in [0, 1, 19, 64, 70, 3000] {
            end_at(at, part, false);
        }
        end_at(at, 30, true);
    }
}

/// As above, but the process lives on: one operation fails, and every one after it works.
#[test]
fn nothing_synced_is_lost_when_one_operation_fails() {
    let operations = end_at(usize::MAX, 0, false);
    for at in 0..=operations {
        for (part, is_power_cut) in [(0, false), (25, false), (3000, false), (25, true)] {
            let root = tempfile::tempdir().expect("a folder");
            let mut left = at;
            let files = Faulty::new(move |operation| {
                left = left.wrapping_sub(1);
                match left == usize::MAX && operation != Operation::Read {
                    true => Fate::Fails(io::Error::from(io::ErrorKind::StorageFull), part),
                    false => Fate::Works,
                }
            });
            let mut promised = Promised::default();
            script(&files, root.path(), &mut promised);
            if is_power_cut {
                files.forget();
            }
            check(root.path(), &promised, &format!("failed at {at} after {part} bytes, power cut: {is_power_cut}"));
        }
    }
}
