//! The log on disk: what survives a process that ends at any moment, a disk that forgets, fails or is
//! full, and bytes that changed. The file layer that does all of that is in `faulty.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod crash;
mod damage;
mod faulty;
mod many;
mod random;
mod trouble;

use std::path::Path;
use std::sync::Arc;

use dragoman::storage::files::{Disk, Files};
use dragoman::storage::recovery::{OpenError, Report};
use dragoman::storage::segments::{Options, Payload, Record, Segments};

/// Segments of 4 KiB, so that a few records make several.
const SMALL: Options = Options { max_bytes: 64 << 10, segment_bytes: 4 << 10, sync: true };

type Opened = (Segments, Report, Vec<(Record, Vec<u8>)>);

fn try_open(files: Arc<dyn Files>, folder: &Path) -> Result<Opened, OpenError> {
    let mut found = Vec::new();
    let (segments, report) =
        Segments::open(files, folder, SMALL, &mut |record, payload| found.push((record, payload.to_vec())))?;
    Ok((segments, report, found))
}

fn open(folder: &Path) -> Opened {
    try_open(Arc::new(Disk), folder).expect("the log can be opened")
}

/// A payload that says which it is, of some length.
fn payload(id: u64, length: usize) -> Payload {
    let mut body = id.to_le_bytes().to_vec();
    body.extend((0..length).map(|place| (place as u64 ^ id) as u8));
    // Cut anywhere: head and body are one payload.
    let tail = body.split_off(body.len().min(5));
    Payload { head: body, body: tail.into() }
}

fn bytes(payload: &Payload) -> Vec<u8> {
    [payload.head.as_slice(), &payload.body].concat()
}

fn id(payload: &[u8]) -> u64 {
    u64::from_le_bytes(payload[..8].try_into().expect("eight bytes"))
}

fn append(segments: &mut Segments, group: &[Payload]) -> Vec<Record> {
    let appended = segments.append(group);
    assert!(appended.failure.is_none(), "{:?}", appended.failure);
    appended.records
}

fn ids(found: &[(Record, Vec<u8>)]) -> Vec<u64> {
    found.iter().map(|(_, payload)| id(payload)).collect()
}

/// The files of a folder with an ending.
fn files(folder: &Path, ending: &str) -> Vec<std::path::PathBuf> {
    let listed = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = listed.filter(|path| path.extension().is_some_and(|own| own == ending)).collect();
    files.sort();
    files
}
