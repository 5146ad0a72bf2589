//! What a power cut does to a queue's files and `kill -9` does not: what was written and not synced
//! is gone, half there, or zeros, and there may be other bytes behind the end.
//!
//! Only that may be taken away which nobody was promised. A record ends with the request that it
//! holds, and every request of these tests ends with a marker, so whatever stands behind the last
//! marker of an acknowledged request in the newest segment is fair game. Of the acknowledgements'
//! file nothing is ever synced.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use fastrand::Rng;

use crate::items::{Id, MARKER, marker_at};

/// Damages some of the queues below `folder`, if there are any yet. What was done, in words.
pub(crate) fn tear(folder: &Path, rng: &mut Rng, acknowledged: &[Id]) -> Vec<String> {
    let promised: HashSet<Id> = acknowledged.iter().copied().collect();
    let mut done = Vec::new();
    for queue in entries(folder).into_iter().filter(|path| path.is_dir()) {
        let named = |kind: &str| {
            let is_it = |path: &PathBuf| path.extension().is_some_and(|extension| extension == kind);
            entries(&queue).into_iter().rfind(is_it)
        };
        if let Some(segment) = named("segment").filter(|_| rng.bool()) {
            done.push(newest_segment(&segment, rng, &promised));
        }
        if let Some(acknowledgements) = named("done").filter(|_| rng.u8(..4) == 0) {
            done.push(spoil(&acknowledgements, 0, rng));
        }
    }
    done
}

/// Files and folders, sorted; names of segments rise.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(listed) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = listed.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn newest_segment(path: &Path, rng: &mut Rng, promised: &HashSet<Id>) -> String {
    let bytes = fs::read(path).unwrap();
    let fair = promised_bytes(&bytes, promised);
    if fair == 0 && rng.u8(..3) == 0 {
        // Nor was its name.
        fs::remove_file(path).unwrap();
        return format!("{}: removed", path.display());
    }
    spoil(path, fair, rng)
}

/// Where the last request ends that somebody was promised; zero if there is none.
fn promised_bytes(bytes: &[u8], promised: &HashSet<Id>) -> usize {
    let ends = (0..bytes.len().saturating_sub(MARKER - 1)).rev();
    let end = ends.map(|begin| begin..begin + MARKER);
    let mut promised = end.filter(|place| marker_at(&bytes[place.clone()]).is_some_and(|id| promised.contains(&id)));
    promised.next().map_or(0, |place| place.end)
}

/// Damages a file behind its first `fair` bytes.
fn spoil(path: &Path, fair: usize, rng: &mut Rng) -> String {
    let mut bytes = fs::read(path).unwrap();
    let length = bytes.len();
    let cut = rng.usize(fair..=length);
    let more = rng.usize(1..5000);
    let what = match rng.u8(..5) {
        0 => {
            bytes.truncate(cut);
            format!("cut at {cut}")
        }
        1 => {
            bytes[cut..].fill(0);
            format!("zeros from {cut}")
        }
        2 => {
            bytes.resize(length + more, 0);
            format!("{more} zeros behind the end")
        }
        3 => {
            bytes.extend(std::iter::repeat_with(|| rng.u8(..)).take(more));
            format!("{more} random bytes behind the end")
        }
        _ => {
            // A block that was used before.
            bytes.truncate(cut);
            let from = rng.usize(..=cut);
            bytes.extend_from_within(from..cut.min(from + more));
            format!("cut at {cut}, bytes from {from} again")
        }
    };
    fs::write(path, bytes).unwrap();
    format!("{}: {what} of {length}, {fair} promised", path.display())
}
