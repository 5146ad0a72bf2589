//! A log of records in segment files: append and sync, acknowledge, delete. It blocks, and knows one
//! caller; concurrent ones come together in [`super::log`]. What is found at the start is read in
//! [`super::recovery`]; what the bytes mean is in [`super::frame`].
//!
//! Records are appended to the newest segment. A record that is no longer needed is acknowledged, in
//! any order: its number goes to a file beside its segment, which is not synced, for an acknowledgement
//! that is lost costs a repetition and nothing else. A segment goes when all of it is acknowledged.
//! Numbers are not used twice, also not after a failure, and nothing is appended to a segment that an
//! earlier process wrote: so an acknowledgement can never mean another record than it was made for.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;

use super::files::{Access, File, Files};
use super::frame::{FRAME, Frame, HEADER, Header};

/// The largest payload; a length that a segment claims beyond it is damage.
pub const LARGEST_PAYLOAD: usize = 128 << 20;

/// The longest segment: the most that a segment's usual end and one payload behind it make.
pub(super) const LONGEST_SEGMENT: u64 = (LARGEST_PAYLOAD as u64) * 2;

/// Bodies from here on are written by themselves instead of being copied together.
const LARGE: usize = 64 << 10;

/// Bytes that are written at once.
const BUFFER: usize = 256 << 10;

/// How a log is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Bytes that its folder may have.
    pub max_bytes: u64,
    /// Bytes after which a segment ends.
    pub segment_bytes: u64,
    /// Whether an append waits for the disk.
    pub sync: bool,
}

impl Options {
    /// A segment is at most this long, one record apart.
    const SEGMENT: u64 = 16 << 20;

    /// For a folder of `max_bytes`: of segments that are small enough for it to be emptied in steps.
    pub fn new(max_bytes: u64, sync: bool) -> Options {
        Options { max_bytes, segment_bytes: (max_bytes / 8).clamp(4 << 10, Options::SEGMENT), sync }
    }
}

/// What is appended: a head and a body, one behind the other. Two parts, so that a body need not be
/// copied to get a head.
#[derive(Debug, Clone, Default)]
pub struct Payload {
    /// The beginning.
    pub head: Vec<u8>,
    /// The rest.
    pub body: Bytes,
}

impl Payload {
    /// Bytes of both.
    pub fn len(&self) -> usize {
        self.head.len() + self.body.len()
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn crc(&self) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.head);
        hasher.update(&self.body);
        hasher.finalize()
    }
}

/// A record that was appended and not acknowledged. There is one for each, which ends in an
/// acknowledgement.
#[derive(Debug, PartialEq, Eq)]
pub struct Record(pub(super) Place);

/// Where a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub(super) number: u64,
    pub(super) segment: Header,
    pub(super) offset: u64,
    pub(super) length: u32,
}

impl Record {
    /// Rises from record to record.
    pub fn number(&self) -> u64 {
        self.0.number
    }

    /// Where it is.
    pub fn place(&self) -> Place {
        self.0
    }

    /// Bytes that it takes on disk.
    pub fn bytes(&self) -> u64 {
        self.0.bytes()
    }
}

impl Place {
    fn bytes(&self) -> u64 {
        FRAME as u64 + u64::from(self.length)
    }
}

/// Why nothing can be appended.
#[derive(Debug, Clone)]
pub struct Failure {
    folder: Arc<Path>,
    doing: &'static str,
    error: Arc<io::Error>,
}

impl Failure {
    pub(super) fn new(folder: &Arc<Path>, doing: &'static str, error: io::Error) -> Failure {
        Failure { folder: Arc::clone(folder), doing, error: Arc::new(error) }
    }

    /// What the system answered.
    pub fn kind(&self) -> io::ErrorKind {
        self.error.kind()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}: {}", self.doing, self.folder.display(), self.error)
    }
}

impl std::error::Error for Failure {}

/// Why a record cannot be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The disk gave other bytes than were written.
    #[error("record {number} in {} is damaged", path.display())]
    Damaged {
        /// The record.
        number: u64,
        /// Its segment.
        path: PathBuf,
    },
    /// The disk gave none.
    #[error("record {number} in {} cannot be read: {source}", path.display())]
    Io {
        /// The record.
        number: u64,
        /// Its segment.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

/// What became of a group of payloads.
#[derive(Debug)]
pub struct Appended {
    /// Those that are on disk: the first ones of the group.
    pub records: Vec<Record>,
    /// Why the others are not.
    pub failure: Option<Failure>,
}

/// What a log counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Failures {
    /// Writes, and files that could not be made.
    pub writes: u64,
    /// Syncs, of files and of the folder.
    pub syncs: u64,
}

/// A segment that is here.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) header: Header,
    pub(super) length: u64,
    /// Bytes of its acknowledgements.
    pub(super) acknowledged: u64,
    /// Records that are not acknowledged.
    pub(super) live: u64,
}

/// The segment that is written to.
struct Active {
    file: Box<dyn File>,
    segment: Segment,
    /// Not synced since it was made, nor is the folder.
    is_fresh: bool,
}

/// A log.
pub struct Segments {
    pub(super) files: Arc<dyn Files>,
    pub(super) folder: Arc<Path>,
    pub(super) options: Options,
    /// By their first numbers.
    pub(super) sealed: BTreeMap<u64, Segment>,
    active: Option<Active>,
    /// The next record's number.
    pub(super) next: u64,
    failures: Failures,
}

/// Reads records beside whoever appends.
#[derive(Clone)]
pub struct Reader {
    files: Arc<dyn Files>,
    folder: Arc<Path>,
}

impl Segments {
    pub(super) fn empty(files: Arc<dyn Files>, folder: Arc<Path>, options: Options) -> Segments {
        Segments {
            files,
            folder,
            options,
            sealed: BTreeMap::new(),
            active: None,
            next: 1,
            failures: Failures::default(),
        }
    }

    /// Reads records.
    pub fn reader(&self) -> Reader {
        Reader { files: Arc::clone(&self.files), folder: Arc::clone(&self.folder) }
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        let sealed = self.sealed.values();
        sealed.chain(self.active.as_ref().map(|active| &active.segment)).map(Segment::bytes).sum()
    }

    /// Bytes that the next append frees if it needs them: the newest segment, when all of it is
    /// acknowledged.
    pub fn reclaimable(&self) -> u64 {
        self.active.as_ref().filter(|active| active.segment.is_done()).map_or(0, |active| active.segment.bytes())
    }

    /// What went wrong so far.
    pub fn failures(&self) -> Failures {
        self.failures
    }

    /// Appends payloads, in their order, with one sync for as many as fit into a segment.
    pub fn append(&mut self, group: &[Payload]) -> Appended {
        let mut records = Vec::with_capacity(group.len());
        let mut rest = group;
        while !rest.is_empty() {
            let count = self.fitting(rest);
            let Some((chunk, others)) = rest.split_at_checked(count) else { break };
            match self.append_chunk(chunk) {
                Ok(written) => records.extend(written),
                Err(failure) => return Appended { records, failure: Some(failure) },
            }
            rest = others;
        }
        Appended { records, failure: None }
    }

    /// How many of the first payloads go into the newest segment, which is replaced if it is full.
    fn fitting(&mut self, group: &[Payload]) -> usize {
        let first = group.first().map_or(0, |payload| (FRAME + payload.len()) as u64);
        if let Some(active) = &self.active {
            let segment = &active.segment;
            let is_full = segment.length + first > self.options.segment_bytes && segment.length > HEADER as u64;
            let is_in_the_way = segment.is_done() && self.bytes() + first > self.options.max_bytes;
            if is_full || is_in_the_way {
                self.seal();
            }
        }
        let mut length = self.active.as_ref().map_or(HEADER as u64, |active| active.segment.length);
        let fits = |payload: &&Payload| {
            length += (FRAME + payload.len()) as u64;
            length <= self.options.segment_bytes
        };
        group.iter().take_while(fits).count().max(1)
    }

    fn append_chunk(&mut self, chunk: &[Payload]) -> Result<Vec<Record>, Failure> {
        let mut active = self.take_active()?;
        let begin = active.segment.length;
        let first = self.next;
        // Whatever happens below, these numbers are used.
        self.next = self.next.saturating_add(chunk.len() as u64);
        match write(&mut active, chunk, first) {
            Ok(records) => match self.sync(&mut active) {
                Ok(()) => {
                    active.segment.live += records.len() as u64;
                    let is_full = active.segment.length >= self.options.segment_bytes;
                    self.active = Some(active);
                    if is_full {
                        self.seal();
                    }
                    Ok(records)
                }
                Err(failure) => {
                    self.undo(active, begin, true);
                    Err(failure)
                }
            },
            Err(error) => {
                self.failures.writes += 1;
                let failure = Failure::new(&self.folder, "cannot write", error);
                self.undo(active, begin, false);
                Err(failure)
            }
        }
    }

    /// The newest segment, taken out; one is made if there is none.
    fn take_active(&mut self) -> Result<Active, Failure> {
        if let Some(active) = self.active.take() {
            return Ok(active);
        }
        let header = Header { first: self.next, salt: fastrand::u64(..) };
        let path = self.folder.join(segment_name(header.first));
        let made = self.files.open(&path, Access::New).and_then(|mut file| {
            file.write_at(0, &header.encode())?;
            Ok(file)
        });
        match made {
            Ok(file) => {
                let segment = Segment { header, length: HEADER as u64, acknowledged: 0, live: 0 };
                Ok(Active { file, segment, is_fresh: true })
            }
            Err(error) => {
                self.failures.writes += 1;
                // Best effort: an empty segment that stays is removed at the next start. Its name is used.
                self.next = self.next.saturating_add(1);
                drop(self.files.remove(&path));
                Err(Failure::new(&self.folder, "cannot make a file", error))
            }
        }
    }

    fn sync(&mut self, active: &mut Active) -> Result<(), Failure> {
        if !self.options.sync {
            active.is_fresh = false;
            return Ok(());
        }
        let mut synced = active.file.sync();
        if active.is_fresh {
            synced = synced.and_then(|()| self.files.sync_folder(&self.folder));
        }
        active.is_fresh &= synced.is_err();
        synced.map_err(|error| {
            self.failures.syncs += 1;
            Failure::new(&self.folder, "cannot sync", error)
        })
    }

    /// Takes back what was written behind `begin`. A segment whose state is not certain afterwards is
    /// not written to again: a failed sync says that the system may have given up any part of it.
    fn undo(&mut self, mut active: Active, begin: u64, is_uncertain: bool) {
        active.segment.length = begin;
        if active.is_fresh && active.segment.live == 0 {
            let path = self.folder.join(segment_name(active.segment.header.first));
            drop(active);
            self.next = self.next.saturating_add(1);
            // Best effort, as above: nothing in it was promised.
            drop(self.files.remove(&path));
            return;
        }
        let is_cut = active.file.truncate(begin).is_ok();
        self.active = Some(active);
        if is_uncertain || !is_cut {
            self.seal();
        }
    }

    /// Ends the newest segment.
    fn seal(&mut self) {
        if let Some(active) = self.active.take() {
            let is_empty = active.segment.live == 0;
            self.sealed.insert(active.segment.header.first, active.segment);
            if is_empty {
                self.delete_done();
            }
        }
    }

    /// Tries whether `bytes` can be appended, and leaves nothing behind.
    ///
    /// # Errors
    /// They cannot.
    pub fn probe(&mut self, bytes: u64) -> Result<(), Failure> {
        let mut active = self.take_active()?;
        let begin = active.segment.length;
        let zeros = [0; LARGE];
        let mut written = 0;
        let mut result = Ok(());
        while written < bytes && result.is_ok() {
            let part = usize::try_from(bytes - written).unwrap_or(LARGE).min(LARGE);
            result = active.file.write_at(begin + written, zeros.get(..part).unwrap_or_default());
            written += part as u64;
        }
        let synced = match result {
            Ok(()) => self.sync(&mut active),
            Err(error) => {
                self.failures.writes += 1;
                Err(Failure::new(&self.folder, "cannot write", error))
            }
        };
        match &synced {
            Ok(()) => match active.file.truncate(begin) {
                Ok(()) => self.active = Some(active),
                Err(error) => {
                    self.undo(active, begin, true);
                    return Err(Failure::new(&self.folder, "cannot cut off a file", error));
                }
            },
            Err(_) => self.undo(active, begin, true),
        }
        synced
    }

    /// These records are no longer needed. A failure costs repetitions after a restart, and is
    /// counted.
    pub fn acknowledge(&mut self, records: Vec<Record>) {
        let mut by_segment: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for record in records {
            by_segment.entry(record.0.segment.first).or_default().push(record.0.number);
        }
        for (first, numbers) in by_segment {
            let active = self.active.as_mut().map(|active| &mut active.segment);
            let is_active = active.as_ref().is_some_and(|segment| segment.header.first == first);
            let segment = if is_active { active } else { self.sealed.get_mut(&first) };
            let Some(segment) = segment else { continue };
            segment.live = segment.live.saturating_sub(numbers.len() as u64);
            if !is_active && segment.live == 0 {
                continue;
            }
            let slots: Vec<u8> = numbers.iter().flat_map(|number| segment.header.acknowledgement(*number)).collect();
            let path = self.folder.join(acknowledgements_name(first));
            let opened = self.files.open(&path, Access::Write);
            match opened.and_then(|mut file| file.write_at(segment.acknowledged, &slots)) {
                Ok(()) => segment.acknowledged += slots.len() as u64,
                Err(_) => self.failures.writes += 1,
            }
        }
        self.delete_done();
    }

    /// Deletes the segments of which everything is acknowledged. One that cannot be deleted is tried
    /// again the next time.
    pub(super) fn delete_done(&mut self) {
        let done = self.sealed.iter().filter(|(_, segment)| segment.live == 0).map(|(first, _)| *first);
        let done: Vec<u64> = done.collect();
        let mut deleted = false;
        for first in done {
            // The records first: acknowledgements without records are harmless, not so the reverse.
            if self.files.remove(&self.folder.join(segment_name(first))).is_err() {
                self.failures.writes += 1;
                continue;
            }
            deleted = true;
            let segment = self.sealed.remove(&first);
            if segment.is_some_and(|segment| segment.acknowledged > 0) {
                // One that stays is removed at the next start.
                drop(self.files.remove(&self.folder.join(acknowledgements_name(first))));
            }
        }
        if deleted && self.options.sync && self.files.sync_folder(&self.folder).is_err() {
            self.failures.syncs += 1;
        }
    }
}

/// Writes the frames of `chunk` at the segment's end. Its length is right only if all went well.
fn write(active: &mut Active, chunk: &[Payload], first: u64) -> io::Result<Vec<Record>> {
    let header = active.segment.header;
    let mut records = Vec::with_capacity(chunk.len());
    let mut buffer = Vec::new();
    let mut end = active.segment.length;
    for (number, payload) in (first..).zip(chunk) {
        let length = u32::try_from(payload.len()).ok().filter(|_| payload.len() <= LARGEST_PAYLOAD);
        let length = length.ok_or_else(|| io::Error::other(format!("a record of {} bytes", payload.len())))?;
        records.push(Record(Place { number, segment: header, offset: end + buffer.len() as u64, length }));
        buffer.extend_from_slice(&header.frame(number, length, payload.crc()));
        buffer.extend_from_slice(&payload.head);
        let is_large = payload.body.len() >= LARGE;
        if !is_large {
            buffer.extend_from_slice(&payload.body);
        }
        if is_large || buffer.len() >= BUFFER {
            active.file.write_at(end, &buffer)?;
            end += buffer.len() as u64;
            buffer.clear();
        }
        if is_large {
            active.file.write_at(end, &payload.body)?;
            end += payload.body.len() as u64;
        }
    }
    if !buffer.is_empty() {
        active.file.write_at(end, &buffer)?;
        end += buffer.len() as u64;
    }
    active.segment.length = end;
    Ok(records)
}

impl Segment {
    fn bytes(&self) -> u64 {
        self.length + self.acknowledged
    }

    /// Whether it holds nothing but records that are acknowledged.
    fn is_done(&self) -> bool {
        self.live == 0 && self.length > HEADER as u64
    }
}

impl Reader {
    /// A record's payload. Blocks.
    ///
    /// # Errors
    /// [`ReadError`], for bytes that are not those that were written.
    pub fn read(&self, record: Place) -> Result<Bytes, ReadError> {
        let path = self.folder.join(segment_name(record.segment.first));
        let read = self.files.open(&path, Access::Read).and_then(|mut file| {
            let most = usize::try_from(record.bytes()).unwrap_or(usize::MAX);
            file.read_at(record.offset, most)
        });
        let bytes = match read {
            Ok(bytes) => Bytes::from(bytes),
            Err(source) => return Err(ReadError::Io { number: record.number, path, source }),
        };
        let frame = Frame::read(&record.segment, &bytes);
        let is_it = |frame: &Frame| frame.number == record.number && frame.length == record.length;
        match (frame.filter(is_it), bytes.get(FRAME..)) {
            (Some(frame), Some(payload))
                if payload.len() as u64 == u64::from(frame.length) && frame.is_intact(payload) =>
            {
                Ok(bytes.slice(FRAME..))
            }
            _ => Err(ReadError::Damaged { number: record.number, path }),
        }
    }
}

/// A segment's file.
pub(super) fn segment_name(first: u64) -> String {
    format!("{first:020}.{SEGMENT}")
}

/// The file of a segment's acknowledgements.
pub(super) fn acknowledgements_name(first: u64) -> String {
    format!("{first:020}.{ACKNOWLEDGEMENTS}")
}

const SEGMENT: &str = "segment";
const ACKNOWLEDGEMENTS: &str = "done";

/// A file of the log, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    Segment(u64),
    Acknowledgements(u64),
}

impl Named {
    /// `None` for a name that the log does not give.
    pub(super) fn parse(name: &str) -> Option<Named> {
        let (first, kind) = name.split_once('.')?;
        let number = first.parse().ok()?;
        if segment_name(number).strip_suffix(SEGMENT)?.strip_suffix('.')? != first {
            return None;
        }
        match kind {
            SEGMENT => Some(Named::Segment(number)),
            ACKNOWLEDGEMENTS => Some(Named::Acknowledgements(number)),
            _ => None,
        }
    }
}
