//! Bytes that changed on disk, and files that are not what they should be.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use dragoman::storage::files::Disk;
use dragoman::storage::recovery::OpenError;
use dragoman::storage::segments::ReadError;

use super::{append, files, ids, open, payload, try_open};

/// Three segments, of records 1..=3, 4..=6 and 7.
fn three(folder: &std::path::Path) {
    let (mut segments, ..) = open(folder);
    for id in 1..=7 {
        append(&mut segments, &[payload(id, 1300)]);
    }
    assert_eq!(files(folder, "segment").len(), 3);
}

/// A byte in every place, one at a time: all records but one come back, and the one is counted.
#[test]
fn a_changed_byte_costs_one_record_and_is_counted() {
    let root = tempfile::tempdir().expect("a folder");
    three(root.path());
    for file in files(root.path(), "segment") {
        let whole = fs::read(&file).expect("a segment");
        for place in (0..whole.len()).step_by(7) {
            // Every run begins with the same files.
            let folder = tempfile::tempdir().expect("a folder");
            for other in files(root.path(), "segment") {
                fs::copy(&other, folder.path().join(other.file_name().expect("a name"))).expect("a copy");
            }
            let mut changed = whole.clone();
            changed[place] ^= 0x10;
            let path = folder.path().join(file.file_name().expect("a name"));
            fs::write(&path, changed).expect("a segment");
            let (_, report, found) = open(folder.path());
            if place < 64 {
                assert_eq!((ids(&found), report.corrupt()), ((1..=7).collect(), 0), "{file:?} {place}");
                continue;
            }
            assert_eq!((found.len(), report.corrupt()), (6, 1), "{file:?} {place} {report:?}");
            assert_eq!(report.damaged[0].path, path);
            assert!(report.damaged[0].offset <= place as u64 && report.damaged[0].bytes >= 20);
        }
    }
}

#[test]
fn many_damaged_records_are_counted_by_their_numbers() {
    let root = tempfile::tempdir().expect("a folder");
    let (mut segments, ..) = open(root.path());
    let group: Vec<_> = (1..=10).map(|id| payload(id, 80)).collect();
    let mut records = append(&mut segments, &group);
    // The fourth and the fifth were delivered; nobody misses them.
    segments.acknowledge(records.drain(3..5).collect());
    drop(segments);
    let file = files(root.path(), "segment").remove(0);
    let mut content = fs::read(&file).expect("a segment");
    content[64 + 2 * 108..64 + 8 * 108].fill(0xee);
    fs::write(&file, content).expect("a segment");
    let (_, report, found) = open(root.path());
    assert_eq!(ids(&found), [1, 2, 9, 10]);
    assert_eq!(report.corrupt(), 4, "3, 6, 7 and 8: {report:?}");
}

#[test]
fn damage_of_what_was_acknowledged_is_no_loss() {
    let root = tempfile::tempdir().expect("a folder");
    let (mut segments, ..) = open(root.path());
    let mut records = append(&mut segments, &[payload(1, 80), payload(2, 80)]);
    segments.acknowledge(vec![records.remove(0)]);
    drop(segments);
    let file = files(root.path(), "segment").remove(0);
    let mut content = fs::read(&file).expect("a segment");
    content[100] ^= 1;
    fs::write(&file, content).expect("a segment");
    let (_, report, found) = open(root.path());
    assert_eq!((ids(&found), report.corrupt()), (vec![2], 0));
}

#[test]
fn a_segment_without_a_header_is_put_aside_and_its_records_are_counted() {
    let root = tempfile::tempdir().expect("a folder");
    three(root.path());
    let second = files(root.path(), "segment").remove(1);
    let mut content = fs::read(&second).expect("a segment");
    content[..64].fill(0);
    fs::write(&second, &content).expect("a segment");
    let (_, report, found) = open(root.path());
    assert_eq!(ids(&found), [1, 2, 3, 7]);
    assert_eq!(report.corrupt(), 3, "{report:?}");
    let aside = files(root.path(), "damaged");
    assert_eq!(fs::read(&aside[0]).expect("kept"), content);
    assert_eq!(open(root.path()).1.corrupt(), 0, "counted once");
}

#[test]
fn a_torn_tail_is_cut_off_and_no_loss() {
    let root = tempfile::tempdir().expect("a folder");
    let (mut segments, ..) = open(root.path());
    append(&mut segments, &[payload(1, 100), payload(2, 100)]);
    drop(segments);
    let file = files(root.path(), "segment").remove(0);
    let whole = fs::read(&file).expect("a segment");
    let second = 64 + 128;
    for end in second..whole.len() {
        fs::write(&file, &whole[..end]).expect("a segment");
        let (_, report, found) = open(root.path());
        assert_eq!((ids(&found), report.corrupt()), (vec![1], 0), "{end}");
        assert_eq!(report.torn.map(|torn| torn.bytes), (end > second).then_some((end - second) as u64), "{end}");
        assert_eq!(fs::metadata(&file).expect("a segment").len(), second as u64);
    }
}

#[test]
fn a_newer_version_is_refused_and_nothing_is_touched() {
    let root = tempfile::tempdir().expect("a folder");
    three(root.path());
    let last = files(root.path(), "segment").remove(2);
    let mut content = fs::read(&last).expect("a segment");
    for copy in content[..64].chunks_exact_mut(32) {
        copy[8] = 2;
        let crc = crc32fast::hash(&copy[..28]);
        copy[28..].copy_from_slice(&crc.to_le_bytes());
    }
    fs::write(&last, &content).expect("a segment");
    // Something that would be mended otherwise.
    fs::write(root.path().join("00000000000000000099.done"), [1; 12]).expect("a file");
    let before: BTreeSet<_> =
        fs::read_dir(root.path()).expect("a folder").map(|entry| entry.expect("one").path()).collect();
    let Err(error) = try_open(Arc::new(Disk), root.path()) else { panic!("it was opened") };
    assert!(matches!(&error, OpenError::Newer { path, version: 2 } if *path == last), "{error}");
    let after: BTreeSet<_> =
        fs::read_dir(root.path()).expect("a folder").map(|entry| entry.expect("one").path()).collect();
    assert_eq!(before, after);
    assert_eq!(fs::read(&last).expect("a segment"), content);
}

/// What changes while the program runs is seen when it is read.
#[test]
fn a_record_that_changed_since_it_was_written_is_not_returned() {
    let root = tempfile::tempdir().expect("a folder");
    let (mut segments, ..) = open(root.path());
    let records = append(&mut segments, &[payload(1, 100), payload(2, 100)]);
    let file = files(root.path(), "segment").remove(0);
    let mut content = fs::read(&file).expect("a segment");
    content[100] ^= 1;
    fs::write(&file, content).expect("a segment");
    let reader = segments.reader();
    assert!(
        matches!(reader.read(records[0].place()), Err(ReadError::Damaged { number, .. }) if number == records[0].number())
    );
    assert_eq!(reader.read(records[1].place()).expect("intact").len(), 108);
    fs::remove_file(&file).expect("a segment");
    assert!(matches!(reader.read(records[1].place()), Err(ReadError::Io { .. })));
}

#[test]
fn files_of_others_are_left_alone() {
    let root = tempfile::tempdir().expect("a folder");
    let others = ["notes.txt", "1.segment", "+0000000000000000001.segment", "00000000000000000001.segment.old"];
    for other in others {
        fs::write(root.path().join(other), "mine").expect("a file");
    }
    let (mut segments, report, found) = open(root.path());
    assert_eq!((report, found), Default::default());
    let records = append(&mut segments, &[payload(1, 10_000)]);
    segments.acknowledge(records);
    drop(segments);
    open(root.path());
    for other in others {
        assert_eq!(fs::read(root.path().join(other)).expect("a file"), b"mine", "{other}");
    }
}
