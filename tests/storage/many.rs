//! Many callers of one log: shared syncs, the bound, the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use dragoman::storage::files::Disk;
use dragoman::storage::log::{LEAST_CHARGE, Log, NoRoom};
use dragoman::storage::segments::{Options, Record};

use super::faulty::{Fate, Faulty, Operation};
use super::trouble::{push, wait};
use super::{SMALL, files, id, open, payload};

fn log(folder: &std::path::Path, options: Options) -> Log {
    Log::open(Arc::new(Disk), folder, options, Box::new(()), &mut |_, _| {}).expect("a log").0
}

/// While one sync is under way, the appends that come wait for one other, not for one each.
#[test]
fn one_sync_serves_all_that_came_meanwhile() {
    let root = tempfile::tempdir().expect("a folder");
    let syncs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&syncs);
    let (go, gate) = mpsc::sync_channel::<()>(0);
    let layer = Faulty::new(move |operation| {
        if operation == Operation::Sync && counted.fetch_add(1, Ordering::SeqCst) == 0 {
            gate.recv_timeout(Duration::from_secs(60)).expect("the test opens the gate");
        }
        Fate::Works
    });
    let options = Options::new(16 << 20, true);
    let log = Log::open(Arc::new(layer), root.path(), options, Box::new(()), &mut |_, _| {}).expect("a log").0;
    let (done, results) = mpsc::sync_channel(100);
    let append = |id| {
        let payload = payload(id, 100);
        log.reserve(payload.len()).expect("room");
        let done = done.clone();
        log.append(payload.len(), payload, Box::new(move |record| done.send(record).expect("room")));
    };
    append(0);
    wait(|| syncs.load(Ordering::SeqCst) == 1, "the first sync");
    (1..100).for_each(append);
    assert!(results.try_recv().is_err(), "nobody is told before the sync");
    go.send(()).expect("the log waits");
    let records: Vec<Record> = (0..100).map(|_| results.recv().expect("an answer").expect("room")).collect();
    assert_eq!(syncs.load(Ordering::SeqCst), 2);
    assert!(records.is_sorted_by_key(Record::number));
    log.close();
    assert_eq!(open(root.path()).2.len(), 100);
}

#[test]
fn a_full_log_refuses_and_has_room_again_when_records_are_acknowledged() {
    let root = tempfile::tempdir().expect("a folder");
    let log = log(root.path(), SMALL);
    let mut records = Vec::new();
    let refused = loop {
        match push(&log, records.len() as u64, 1000) {
            Ok(record) => records.push(record),
            Err(refused) => break refused,
        }
        let on_disk: u64 =
            files(root.path(), "segment").iter().map(|file| file.metadata().expect("a file").len()).sum();
        assert!(on_disk <= SMALL.max_bytes && log.usage().on_disk == on_disk);
    };
    assert!(matches!(refused, NoRoom::Full { taken, capacity: 65536 } if taken > 60_000), "{refused}");
    assert!(records.len() > 55, "{}", records.len());
    assert!(matches!(log.reserve(64 << 10), Err(NoRoom::TooLarge { capacity: 65536 })));
    // In an order of their own.
    while let Some(record) = records.pop() {
        log.acknowledge(record);
    }
    wait(|| log.usage().taken == 0, "all segments go, but for one that the next append replaces");
    // As large as it can be: whatever is left of the empty log makes room.
    let largest = 64 * 1024 - 256;
    push(&log, 99, largest).expect("an empty log takes what it can ever take");
    assert!(matches!(log.reserve(0), Err(NoRoom::Full { .. })));
}

#[test]
fn a_flood_of_tiny_records_is_bounded_by_what_it_costs_in_memory() {
    let root = tempfile::tempdir().expect("a folder");
    let log = log(root.path(), SMALL);
    let taken = (0..10_000).take_while(|_| log.reserve(1).is_ok()).count() as u64;
    assert!(taken <= SMALL.max_bytes / LEAST_CHARGE, "{taken}");
    (0..taken).for_each(|_| log.release(1));
    assert_eq!(log.usage().taken, 0);
    let records: Vec<Record> = (0..).map_while(|id| push(&log, id, 0).ok()).collect();
    assert!(records.len() as u64 <= SMALL.max_bytes / LEAST_CHARGE, "{}", records.len());
    assert!(records.len() > 200, "{}", records.len());
    // After a restart they are charged the same.
    let before = log.usage().taken;
    log.close();
    let log = self::log(root.path(), SMALL);
    assert_eq!(log.usage().taken, before);
}

#[test]
fn a_closed_log_finishes_what_it_took_and_takes_nothing_more() {
    let root = tempfile::tempdir().expect("a folder");
    let log = log(root.path(), SMALL);
    let (done, results) = mpsc::sync_channel(10);
    for id in 0..10 {
        let payload = payload(id, 10);
        log.reserve(payload.len()).expect("room");
        let done = done.clone();
        log.append(payload.len(), payload, Box::new(move |record| done.send(record).expect("room")));
    }
    log.close();
    let records: Vec<Record> = (0..10).map(|_| results.try_recv().expect("told").expect("on disk")).collect();
    assert_eq!(records.len(), 10);
    assert!(matches!(log.reserve(1), Err(NoRoom::Closed)));
    let (late, result) = mpsc::sync_channel(1);
    log.append(1, payload(11, 1), Box::new(move |record| late.send(record).expect("room")));
    assert!(matches!(result.try_recv(), Ok(Err(NoRoom::Closed))), "also an append that comes too late is told");
    assert_eq!(
        open(root.path()).2.iter().map(|(_, payload)| id(payload)).collect::<Vec<_>>(),
        (0..10).collect::<Vec<_>>()
    );
}

/// A defect of the thread is told to everybody who waits and who comes.
#[test]
fn a_log_whose_thread_is_gone_says_so() {
    let root = tempfile::tempdir().expect("a folder");
    let layer = Faulty::new(|operation| match operation {
        Operation::Sync => panic!("a defect, on purpose"),
        _ => Fate::Works,
    });
    let log = Log::open(Arc::new(layer), root.path(), SMALL, Box::new(()), &mut |_, _| {}).expect("a log").0;
    log.reserve(10).expect("room");
    let (done, result) = mpsc::sync_channel::<()>(1);
    log.append(10, payload(1, 2), Box::new(move |_| drop(done)));
    assert!(result.recv_timeout(Duration::from_secs(60)).is_err());
    wait(|| matches!(log.reserve(10), Err(NoRoom::Closed)), "reservations are refused");
}

#[test]
fn without_fsync_nothing_is_synced() {
    let root = tempfile::tempdir().expect("a folder");
    let layer = Faulty::new(|operation| match operation {
        Operation::Sync | Operation::SyncFolder => panic!("a sync"),
        _ => Fate::Works,
    });
    let options = Options { sync: false, ..SMALL };
    let log = Log::open(Arc::new(layer), root.path(), options, Box::new(()), &mut |_, _| {}).expect("a log").0;
    for id in 0..20 {
        let record = push(&log, id, 1000).expect("room");
        log.acknowledge(record);
    }
    log.close();
}
