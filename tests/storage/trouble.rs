//! A disk that is full, that cannot sync, that may not be written to.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use dragoman::storage::log::{Log, NoRoom};
use dragoman::storage::recovery::OpenError;
use dragoman::storage::segments::Record;

use super::faulty::{Fate, Faulty, Operation};
use super::{SMALL, append, ids, open, payload, try_open};

fn log(files: &Faulty, folder: &Path) -> Log {
    Log::open(Arc::new(files.clone()), folder, SMALL, Box::new(()), &mut |_, _| {}).expect("a log").0
}

/// Reserves, appends and waits.
pub(crate) fn push(log: &Log, id: u64, length: usize) -> Result<Record, NoRoom> {
    let payload = payload(id, length);
    log.reserve(payload.len())?;
    let (done, result) = mpsc::sync_channel(1);
    log.append(payload.len(), payload, Box::new(move |record| done.send(record).expect("somebody waits")));
    result.recv_timeout(Duration::from_secs(60)).expect("an answer")
}

/// Waits until `is_so`, within a generous bound.
pub(crate) fn wait(is_so: impl Fn() -> bool, what: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn full() -> io::Error {
    io::Error::from(io::ErrorKind::StorageFull)
}

#[test]
fn a_full_disk_refuses_and_is_used_again_when_there_is_room() {
    let root = tempfile::tempdir().expect("a folder");
    let is_full = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&is_full);
    let files = Faulty::new(move |operation| match operation {
        // Part of what is written finds room.
        Operation::Write if asked.load(Ordering::Relaxed) => Fate::Fails(full(), 50),
        _ => Fate::Works,
    });
    let log = log(&files, root.path());
    push(&log, 1, 100).expect("room");
    is_full.store(true, Ordering::Relaxed);
    let Err(NoRoom::Failed(failure)) = push(&log, 2, 100) else { panic!("it was full") };
    let text = failure.to_string();
    assert_eq!(failure.kind(), io::ErrorKind::StorageFull);
    assert!(text.contains(root.path().to_str().expect("text")) && text.contains("cannot write"), "{text}");
    // Said before any work is done.
    assert!(matches!(log.reserve(10), Err(NoRoom::Failed(_))));
    assert!(log.usage().failures.writes > 0);
    is_full.store(false, Ordering::Relaxed);
    wait(|| log.failure().is_none(), "the log tries by itself");
    push(&log, 3, 100).expect("room");
    assert_eq!(log.usage().taken, 64 + 2 * 256, "two records, nothing of the failed one");
    log.close();
    let (_, report, found) = open(root.path());
    assert_eq!((ids(&found), report.torn, report.damaged), (vec![1, 3], None, vec![]));
}

/// After a sync that failed, what was written to the file is not trusted, and not written again into
/// the same file.
#[test]
fn a_failed_sync_is_a_refusal_and_the_next_append_takes_another_file() {
    let root = tempfile::tempdir().expect("a folder");
    let files = Faulty::new(|_| Fate::Works);
    let (mut segments, ..) = try_open(Arc::new(files.clone()), root.path()).expect("a log");
    append(&mut segments, &[payload(1, 10)]);
    let mut fail = true;
    files.set(move |operation| match operation == Operation::Sync && std::mem::take(&mut fail) {
        true => Fate::Fails(io::Error::other("the disk is gone"), 0),
        false => Fate::Works,
    });
    let appended = segments.append(&[payload(2, 10)]);
    assert!(appended.records.is_empty());
    assert!(appended.failure.expect("a failure").to_string().contains("cannot sync"));
    assert_eq!(segments.failures().syncs, 1);
    append(&mut segments, &[payload(3, 10)]);
    assert_eq!(super::files(root.path(), "segment").len(), 2);
    files.forget();
    drop(segments);
    assert_eq!(ids(&open(root.path()).2), [1, 3]);
}

#[test]
fn a_folder_that_cannot_be_mended_is_not_opened() {
    let root = tempfile::tempdir().expect("a folder");
    let (mut segments, ..) = open(root.path());
    append(&mut segments, &[payload(1, 10)]);
    drop(segments);
    let file = super::files(root.path(), "segment").remove(0);
    let torn = [std::fs::read(&file).expect("a segment"), vec![1; 5]].concat();
    std::fs::write(&file, torn).expect("a segment");
    let read_only = || io::Error::from(io::ErrorKind::ReadOnlyFilesystem);
    let files = Faulty::new(move |operation| match operation {
        Operation::Read | Operation::Open => Fate::Works,
        _ => Fate::Fails(read_only(), 0),
    });
    let Err(error) = try_open(Arc::new(files), root.path()) else { panic!("it was opened") };
    assert!(matches!(&error, OpenError::Io { path, .. } if *path == file), "{error}");
    assert!(error.to_string().contains("read-only"), "{error}");
}

/// What is delivered meanwhile does not put it off: that is what makes room.
#[test]
fn a_busy_log_tries_again_all_the_same() {
    let root = tempfile::tempdir().expect("a folder");
    let is_full = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&is_full);
    let files = Faulty::new(move |operation| match operation {
        Operation::Write if asked.load(Ordering::Relaxed) => Fate::Fails(full(), 0),
        _ => Fate::Works,
    });
    let log = log(&files, root.path());
    let mut records: Vec<Record> = (0..200).map(|id| push(&log, id, 10).expect("room")).collect();
    is_full.store(true, Ordering::Relaxed);
    assert!(matches!(push(&log, 1000, 10), Err(NoRoom::Failed(_))));
    is_full.store(false, Ordering::Relaxed);
    // One after the other, each sooner than the log would try if it waited for quiet.
    while let Some(record) = records.pop() {
        if log.failure().is_none() {
            break;
        }
        log.acknowledge(record);
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(log.failure().is_none() && !records.is_empty(), "it waited for quiet");
}

/// What a failed write left behind is gone when something shorter comes after it.
#[test]
fn half_a_record_does_not_stay_behind_the_next_one() {
    let root = tempfile::tempdir().expect("a folder");
    let files = Faulty::new(|_| Fate::Works);
    let (mut segments, ..) = try_open(Arc::new(files.clone()), root.path()).expect("a log");
    append(&mut segments, &[payload(1, 10)]);
    files.set(|operation| match operation {
        Operation::Write => Fate::Fails(full(), 2000),
        _ => Fate::Works,
    });
    assert!(segments.append(&[payload(2, 3000)]).failure.is_some());
    files.set(|_| Fate::Works);
    append(&mut segments, &[payload(3, 10)]);
    drop(segments);
    let (_, report, found) = open(root.path());
    assert_eq!((ids(&found), report.torn, report.damaged), (vec![1, 3], None, vec![]));
}
