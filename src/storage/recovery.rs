//! What an earlier process left in a log's folder: read at the start, mended, and said.
//!
//! Nothing is touched before all segments are known to be of a version that is known here. Then a
//! record that was not written to its end is cut off, damaged ones are passed over and counted, and
//! whatever is intact and not acknowledged comes back, in order. A segment of which nothing can be
//! read, not even its header, is put aside under another name.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use super::files::{Access, Files};
use super::frame::{ACKNOWLEDGEMENT, FRAME, HEADER, Header, Opening, Piece, Pieces, VERSION};
use super::segments::{LONGEST_SEGMENT, Named, Options, Place, Record, Segment, Segments};

/// Why a log cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// A later version of the program wrote here. Nothing was touched.
    #[error(
        "{} was written in format {version}, and this program reads format {VERSION} only: use the program that wrote it, or another folder; nothing was changed",
        path.display()
    )]
    Newer {
        /// The segment.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// The system refused.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// With what.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Records that are here and not acknowledged.
    pub records: u64,
    /// A record that was not written to its end, and was cut off.
    pub torn: Option<Torn>,
    /// Segments with records that are lost.
    pub damaged: Vec<Damage>,
}

/// The end of the newest segment that was cut off. Nobody was promised what stood there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torn {
    /// The segment.
    pub path: PathBuf,
    /// How many bytes.
    pub bytes: u64,
}

/// A segment in which not everything can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The segment.
    pub path: PathBuf,
    /// Where it begins.
    pub offset: u64,
    /// How many bytes.
    pub bytes: u64,
    /// Records that are lost by it, as far as their numbers tell.
    pub records: u64,
    /// Why nothing at all could be read; the segment then has another name now.
    pub unreadable: Option<String>,
}

impl Report {
    /// Records that are lost.
    pub fn corrupt(&self) -> u64 {
        self.damaged.iter().map(|damage| damage.records).sum()
    }
}

/// A file of the folder.
struct Found {
    path: PathBuf,
    length: u64,
}

impl Segments {
    /// Opens the log in `folder`, which must be there. `visit` gets every record that is not
    /// acknowledged, with its payload, in order. Blocks.
    ///
    /// # Errors
    /// [`OpenError`]; of [`OpenError::Newer`] nothing was touched.
    pub fn open(
        files: Arc<dyn Files>,
        folder: &Path,
        options: Options,
        visit: &mut dyn FnMut(Record, &[u8]),
    ) -> Result<(Segments, Report), OpenError> {
        let folder: Arc<Path> = folder.into();
        let listed = files.list(&folder).map_err(|source| failed("list", &folder, source))?;
        let mut found: BTreeMap<u64, Found> = BTreeMap::new();
        let mut acknowledged: BTreeMap<u64, Found> = BTreeMap::new();
        for (name, length) in listed {
            let file = Found { path: folder.join(&name), length };
            match Named::parse(&name) {
                Some(Named::Segment(first)) => drop(found.insert(first, file)),
                Some(Named::Acknowledgements(first)) => drop(acknowledged.insert(first, file)),
                None => {}
            }
        }
        for file in found.values() {
            let beginning = read(&*files, file, HEADER as u64).map_err(|source| failed("read", &file.path, source))?;
            if let Opening::Newer(version) = Opening::read(&beginning) {
                return Err(OpenError::Newer { path: file.path.clone(), version });
            }
        }

        let mut segments = Segments::empty(files, folder, options);
        let mut report = Report::default();
        let mut changed = false;
        let firsts: Vec<u64> = found.keys().copied().skip(1).collect();
        let mut nexts = firsts.into_iter().map(Some).chain([None]);
        for (first, file) in found {
            let next = nexts.next().flatten();
            let done = acknowledged.remove(&first);
            let at_most = first.saturating_add(file.length / FRAME as u64);
            segments.next = segments.next.max(at_most.saturating_add(1));
            changed |= segments.recover(first, &file, done.as_ref(), next, &mut report, visit)?;
        }
        // Left by a deletion that was not finished.
        for file in acknowledged.into_values() {
            segments.files.remove(&file.path).map_err(|source| failed("delete", &file.path, source))?;
            changed = true;
        }
        segments.delete_done();
        if changed && options.sync {
            let folder = &segments.folder;
            segments.files.sync_folder(folder).map_err(|source| failed("sync", folder, source))?;
        }
        Ok((segments, report))
    }

    /// One segment; whether the folder changed. `next` is the first number of the one behind it.
    fn recover(
        &mut self,
        first: u64,
        file: &Found,
        done: Option<&Found>,
        next: Option<u64>,
        report: &mut Report,
        visit: &mut dyn FnMut(Record, &[u8]),
    ) -> Result<bool, OpenError> {
        if file.length < HEADER as u64 && next.is_none() {
            // It was being made: nobody was promised anything in it.
            report.torn = Some(Torn { path: file.path.clone(), bytes: file.length });
            self.files.remove(&file.path).map_err(|source| failed("delete", &file.path, source))?;
            if let Some(done) = done {
                self.files.remove(&done.path).map_err(|source| failed("delete", &done.path, source))?;
            }
            return Ok(true);
        }
        // A disk that does not answer is no damage: its answer may come another time.
        let bytes = match file.length > LONGEST_SEGMENT {
            true => Vec::new(),
            false => read(&*self.files, file, file.length).map_err(|source| failed("read", &file.path, source))?,
        };
        let header = match header(first, file, &bytes) {
            Ok(header) => header,
            Err(why) => {
                let records = next.map_or(1, |next| next.saturating_sub(first)).clamp(1, most_records(file.length));
                self.put_aside(file, records, why, report)?;
                return Ok(true);
            }
        };
        let most = most_records(file.length).saturating_mul(ACKNOWLEDGEMENT as u64);
        let done_bytes = match done {
            Some(done) => read(&*self.files, done, most).map_err(|source| failed("read", &done.path, source))?,
            None => Vec::new(),
        };
        let acknowledged: HashSet<u64> = header.acknowledged(&done_bytes).collect();

        let mut segment = Segment { header, length: file.length, acknowledged: 0, live: 0 };
        segment.acknowledged = (done_bytes.len() / ACKNOWLEDGEMENT * ACKNOWLEDGEMENT) as u64;
        let mut gaps = Gaps { expected: first, open: None, found: None, acknowledged: &acknowledged };
        let mut torn = None;
        for piece in Pieces::new(header, &bytes) {
            match piece {
                Piece::Record { number, offset, payload } => {
                    gaps.close(number);
                    gaps.expected = number.saturating_add(1);
                    self.next = self.next.max(gaps.expected);
                    if !acknowledged.contains(&number) {
                        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
                        segment.live += 1;
                        report.records += 1;
                        visit(Record(Place { number, segment: header, offset, length }), payload);
                    }
                }
                Piece::Damaged { offset, bytes } => gaps.damaged(offset, bytes),
                Piece::Torn { offset } if next.is_none() => torn = Some(offset),
                Piece::Torn { offset } => gaps.damaged(offset, file.length - offset),
            }
        }
        let highest = acknowledged.iter().max().map_or(0, |number| number.saturating_add(1));
        gaps.close(next.unwrap_or(0).max(highest).max(gaps.expected.saturating_add(1)));
        if let Some((offset, bytes, records)) = gaps.found.filter(|(.., records)| *records > 0) {
            report.damaged.push(Damage { path: file.path.clone(), offset, bytes, records, unreadable: None });
        }
        if let Some(offset) = torn {
            report.torn = Some(Torn { path: file.path.clone(), bytes: file.length - offset });
            segment.length = offset;
            let cut = self.files.open(&file.path, Access::Write).and_then(|mut file| {
                file.truncate(offset)?;
                file.sync()
            });
            cut.map_err(|source| failed("cut off", &file.path, source))?;
        }
        if segment.live == 0 {
            self.files.remove(&file.path).map_err(|source| failed("delete", &file.path, source))?;
            if let Some(done) = done {
                self.files.remove(&done.path).map_err(|source| failed("delete", &done.path, source))?;
            }
            return Ok(true);
        }
        self.sealed.insert(first, segment);
        Ok(false)
    }

    /// Gives a segment that cannot be read a name under which it is no segment.
    fn put_aside(&self, file: &Found, records: u64, why: String, report: &mut Report) -> Result<(), OpenError> {
        let aside = file.path.with_extension("damaged");
        self.files.rename(&file.path, &aside).map_err(|source| failed("rename", &file.path, source))?;
        report.damaged.push(Damage { path: aside, offset: 0, bytes: file.length, records, unreadable: Some(why) });
        Ok(())
    }
}

/// Counts the records that damage took, by the numbers that are missing and not acknowledged.
struct Gaps<'a> {
    /// The number behind the last intact record's.
    expected: u64,
    /// Bytes of damage since then.
    open: Option<u64>,
    /// Where damage begins, its bytes and records.
    found: Option<(u64, u64, u64)>,
    acknowledged: &'a HashSet<u64>,
}

impl Gaps<'_> {
    fn damaged(&mut self, offset: u64, bytes: u64) {
        *self.open.get_or_insert(0) += bytes;
        let (_, total, _) = self.found.get_or_insert((offset, 0, 0));
        *total += bytes;
    }

    /// What is missing before `number`, if there was damage.
    fn close(&mut self, number: u64) {
        let Some(bytes) = self.open.take() else { return };
        let missing = (self.expected..number).take(usize::try_from(most_records(bytes)).unwrap_or(usize::MAX));
        let lost = missing.filter(|number| !self.acknowledged.contains(number)).count() as u64;
        if let Some((.., records)) = &mut self.found {
            *records += lost;
        }
    }
}

/// How many records there can be in so many bytes; at least one.
fn most_records(bytes: u64) -> u64 {
    (bytes / FRAME as u64).max(1)
}

fn read(files: &dyn Files, file: &Found, most: u64) -> io::Result<Vec<u8>> {
    let most = usize::try_from(file.length.min(most)).unwrap_or(usize::MAX);
    files.open(&file.path, Access::Read)?.read_at(0, most)
}

/// A segment's header, or why nothing of the segment can be read.
fn header(first: u64, file: &Found, bytes: &[u8]) -> Result<Header, String> {
    if file.length > LONGEST_SEGMENT {
        return Err(format!("it has {} bytes, and a segment has {LONGEST_SEGMENT} at most", file.length));
    }
    match Opening::read(bytes) {
        Opening::Header(header) if header.first == first => Ok(header),
        Opening::Header(_) => Err("it has another segment's name".to_owned()),
        Opening::Newer(_) | Opening::Damaged => Err("its header is damaged".to_owned()),
    }
}

fn failed(what: &'static str, path: &Path, source: io::Error) -> OpenError {
    OpenError::Io { what, path: path.to_owned(), source }
}
