//! The bytes of a segment: its header, and the frames of its records. Nothing here touches a file;
//! which segments there are is [`super::segments`]' business.
//!
//! | what | bytes, all numbers little-endian |
//! |---|---|
//! | header, twice | magic 8, version 4, first number 8, salt 8, CRC32 of these 4 |
//! | record | length 4, number 8, CRC32 of the payload 4, CRC32 of salt and these 4; the payload |
//! | acknowledgement (in a file of its own) | number 8, CRC32 of salt and number 4 |
//!
//! A record's head has a checksum of its own, so that a damaged payload does not hide where the next
//! record begins. Where the head is damaged, the next intact record is searched for. The salt is
//! random in every segment: nobody who sends telemetry can write bytes that pass for a record when
//! the record around them is damaged. The header stands twice for the same reason as there are two
//! checksums: one flipped bit costs one record at most.

use crc32fast::Hasher;

/// The format's version that is written, and the highest that is read.
pub const VERSION: u32 = 1;

const MAGIC: [u8; 8] = *b"dragolog";
const COPY: usize = 32;

/// Bytes of a segment's header.
pub const HEADER: usize = 2 * COPY;

/// Bytes of a record beside its payload.
pub const FRAME: usize = 20;

/// Bytes of an acknowledgement.
pub const ACKNOWLEDGEMENT: usize = 12;

/// Payloads of candidates are checked, in search of the next intact record, up to this many times
/// the segment's size. Honest damage needs next to nothing of it.
const SEARCH: usize = 4;

/// A segment's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// No record of the segment has a lower number.
    pub first: u64,
    /// What the checksums begin with.
    pub salt: u64,
}

/// What stands at the beginning of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// A header that can be read.
    Header(Header),
    /// A header of a version that this program does not know.
    Newer(u32),
    /// Neither copy of the header is intact.
    Damaged,
}

impl Header {
    /// The header's bytes.
    pub fn encode(&self) -> [u8; HEADER] {
        let mut copy = Vec::with_capacity(HEADER);
        copy.extend_from_slice(&MAGIC);
        copy.extend_from_slice(&VERSION.to_le_bytes());
        copy.extend_from_slice(&self.first.to_le_bytes());
        copy.extend_from_slice(&self.salt.to_le_bytes());
        copy.extend_from_slice(&crc32fast::hash(&copy).to_le_bytes());
        let mut header = [0; HEADER];
        for half in header.chunks_exact_mut(COPY) {
            half.copy_from_slice(&copy);
        }
        header
    }

    /// The head of a record's frame.
    pub fn frame(&self, number: u64, length: u32, payload_crc: u32) -> [u8; FRAME] {
        let mut frame = [0; FRAME];
        let (fields, crc) = frame.split_at_mut(FRAME - 4);
        let values = length.to_le_bytes().into_iter().chain(number.to_le_bytes()).chain(payload_crc.to_le_bytes());
        fields.iter_mut().zip(values).for_each(|(byte, value)| *byte = value);
        crc.copy_from_slice(&self.seal(fields).to_le_bytes());
        frame
    }

    /// An acknowledgement of `number`.
    pub fn acknowledgement(&self, number: u64) -> [u8; ACKNOWLEDGEMENT] {
        let mut bytes = [0; ACKNOWLEDGEMENT];
        let (field, crc) = bytes.split_at_mut(8);
        field.copy_from_slice(&number.to_le_bytes());
        crc.copy_from_slice(&self.seal(field).to_le_bytes());
        bytes
    }

    /// The intact acknowledgements among `bytes`.
    pub fn acknowledged<'b>(&self, bytes: &'b [u8]) -> impl Iterator<Item = u64> + use<'b> {
        let header = *self;
        bytes.chunks_exact(ACKNOWLEDGEMENT).filter_map(move |slot| {
            let (number, rest) = take_u64(slot)?;
            let (crc, _) = take_u32(rest)?;
            (header.seal(slot.get(..8)?) == crc).then_some(number)
        })
    }

    fn seal(&self, fields: &[u8]) -> u32 {
        let mut hasher = Hasher::new();
        hasher.update(&self.salt.to_le_bytes());
        hasher.update(fields);
        hasher.finalize()
    }
}

impl Opening {
    /// Reads the beginning of a segment.
    pub fn read(bytes: &[u8]) -> Opening {
        let copies = bytes.chunks_exact(COPY).take(HEADER / COPY);
        let mut newer = None;
        for copy in copies {
            match read_copy(copy) {
                Some((VERSION, header)) => return Opening::Header(header),
                Some((version, _)) => newer = newer.max(Some(version)),
                None => {}
            }
        }
        newer.map_or(Opening::Damaged, Opening::Newer)
    }
}

/// The magic and the version stay where they are in every version, and so does the checksum of the
/// first 28 bytes.
fn read_copy(copy: &[u8]) -> Option<(u32, Header)> {
    let (fields, crc) = copy.split_at_checked(COPY - 4)?;
    let (crc, _) = take_u32(crc)?;
    let rest = fields.strip_prefix(&MAGIC)?;
    let (version, rest) = take_u32(rest)?;
    let (first, rest) = take_u64(rest)?;
    let (salt, _) = take_u64(rest)?;
    (crc32fast::hash(fields) == crc).then_some((version, Header { first, salt }))
}

/// The head of a frame, intact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Bytes of the payload.
    pub length: u32,
    /// The record's number.
    pub number: u64,
    payload_crc: u32,
}

impl Frame {
    /// Reads the head at the beginning of `bytes`; `None` if it is damaged or not there.
    pub fn read(header: &Header, bytes: &[u8]) -> Option<Frame> {
        let fields = bytes.get(..FRAME - 4)?;
        let (crc, _) = take_u32(bytes.get(FRAME - 4..)?)?;
        if header.seal(fields) != crc {
            return None;
        }
        let (length, rest) = take_u32(fields)?;
        let (number, rest) = take_u64(rest)?;
        let (payload_crc, _) = take_u32(rest)?;
        Some(Frame { length, number, payload_crc })
    }

    /// Whether these bytes are the payload.
    pub fn is_intact(&self, payload: &[u8]) -> bool {
        crc32fast::hash(payload) == self.payload_crc
    }
}

/// What a segment consists of behind its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'b> {
    /// A record.
    Record {
        /// Its number.
        number: u64,
        /// Where its frame begins in the segment.
        offset: u64,
        /// Its payload, whose checksum is right.
        payload: &'b [u8],
    },
    /// Bytes that are no record.
    Damaged {
        /// Where they begin in the segment.
        offset: u64,
        /// How many.
        bytes: u64,
    },
    /// A record that was not written to its end, or room that was never written.
    Torn {
        /// Where the segment should end.
        offset: u64,
    },
}

/// Goes through a segment's pieces in their order. Numbers of records rise. Allocates nothing.
#[derive(Debug)]
pub struct Pieces<'b> {
    header: Header,
    segment: &'b [u8],
    offset: usize,
    least: u64,
    /// Bytes of payloads that the search may still check.
    search: usize,
}

impl<'b> Pieces<'b> {
    /// The pieces of `segment`, a whole file, whose header is `header`.
    pub fn new(header: Header, segment: &'b [u8]) -> Pieces<'b> {
        let search = segment.len().saturating_mul(SEARCH);
        Pieces { header, segment, offset: HEADER, least: header.first, search }
    }

    fn rest(&self, offset: usize) -> &'b [u8] {
        self.segment.get(offset..).unwrap_or_default()
    }

    /// The frame at `offset`, if its head is intact and its number may stand here.
    fn frame(&self, offset: usize) -> Option<Frame> {
        Frame::read(&self.header, self.rest(offset)).filter(|frame| frame.number >= self.least)
    }

    fn payload(&self, offset: usize, frame: &Frame) -> Option<&'b [u8]> {
        self.rest(offset).get(FRAME..)?.get(..usize::try_from(frame.length).ok()?)
    }

    /// Where the next intact record begins behind `offset`.
    fn search(&mut self, offset: usize) -> Option<usize> {
        let last = self.segment.len().checked_sub(FRAME)?;
        for candidate in offset.saturating_add(1)..=last {
            let Some(frame) = self.frame(candidate) else { continue };
            let Some(payload) = self.payload(candidate, &frame) else { continue };
            self.search = self.search.checked_sub(payload.len())?;
            if frame.is_intact(payload) {
                return Some(candidate);
            }
        }
        None
    }
}

impl<'b> Iterator for Pieces<'b> {
    type Item = Piece<'b>;

    fn next(&mut self) -> Option<Piece<'b>> {
        let begin = self.offset;
        let rest = self.rest(begin);
        if rest.is_empty() {
            return None;
        }
        let offset = begin as u64;
        let Some(frame) = self.frame(begin) else {
            if rest.len() < FRAME || rest.iter().all(|byte| *byte == 0) {
                self.offset = self.segment.len();
                return Some(Piece::Torn { offset });
            }
            let end = self.search(begin).unwrap_or(self.segment.len());
            self.offset = end;
            return Some(Piece::Damaged { offset, bytes: (end - begin) as u64 });
        };
        let Some(payload) = self.payload(begin, &frame) else {
            self.offset = self.segment.len();
            return Some(Piece::Torn { offset });
        };
        self.offset = begin + FRAME + payload.len();
        if !frame.is_intact(payload) {
            return Some(Piece::Damaged { offset, bytes: (FRAME + payload.len()) as u64 });
        }
        self.least = frame.number.saturating_add(1);
        Some(Piece::Record { number: frame.number, offset, payload })
    }
}

fn take_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (value, rest) = bytes.split_first_chunk()?;
    Some((u32::from_le_bytes(*value), rest))
}

fn take_u64(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (value, rest) = bytes.split_first_chunk()?;
    Some((u64::from_le_bytes(*value), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Header = Header { first: 7, salt: 0x0123_4567_89ab_cdef };

    fn segment(payloads: &[&[u8]]) -> Vec<u8> {
        let mut bytes = HERE.encode().to_vec();
        for (number, payload) in (HERE.first..).zip(payloads) {
            let length = u32::try_from(payload.len()).unwrap();
            bytes.extend_from_slice(&HERE.frame(number, length, crc32fast::hash(payload)));
            bytes.extend_from_slice(payload);
        }
        bytes
    }

    fn numbers(bytes: &[u8]) -> (Vec<u64>, usize) {
        let pieces: Vec<_> = Pieces::new(HERE, bytes).collect();
        let records = pieces.iter().filter_map(|piece| match piece {
            Piece::Record { number, .. } => Some(*number),
            _ => None,
        });
        let damaged = pieces.iter().filter(|piece| matches!(piece, Piece::Damaged { .. })).count();
        (records.collect(), damaged)
    }

    #[test]
    fn records_come_back_as_they_were_written() {
        let bytes = segment(&[b"one", b"", b"three"]);
        assert_eq!(Opening::read(&bytes), Opening::Header(HERE));
        let pieces: Vec<_> = Pieces::new(HERE, &bytes).collect();
        assert_eq!(
            pieces,
            [
                Piece::Record { number: 7, offset: 64, payload: b"one" },
                Piece::Record { number: 8, offset: 87, payload: b"" },
                Piece::Record { number: 9, offset: 107, payload: b"three" },
            ]
        );
    }

    /// Every bit of a segment, flipped alone: at most the record that it stands in is missing, and
    /// the damage is seen.
    #[test]
    fn a_flipped_bit_costs_one_record_at_most() {
        let whole = segment(&[b"the first", b"the second", b"the third"]);
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let Opening::Header(header) = Opening::read(&bytes) else { panic!("bit {bit}: no header") };
            assert_eq!(header, HERE, "bit {bit}");
            let (found, damaged) = numbers(&bytes);
            if bit / 8 < HEADER {
                assert_eq!((found, damaged), (vec![7, 8, 9], 0), "bit {bit}");
                continue;
            }
            let hit = if bit / 8 < 93 {
                7
            } else if bit / 8 < 123 {
                8
            } else {
                9
            };
            let left: Vec<u64> = (7..=9).filter(|number| *number != hit).collect();
            assert_eq!((found, damaged), (left, 1), "bit {bit}");
        }
    }

    #[test]
    fn what_was_not_written_to_its_end_is_torn() {
        let whole = segment(&[b"the first", b"the second"]);
        let second = 93;
        for end in second..whole.len() {
            let (found, damaged) = numbers(&whole[..end]);
            assert_eq!((found, damaged), (vec![7], 0), "{end}");
        }
        let mut zeros = whole[..second].to_vec();
        zeros.resize(5000, 0);
        assert_eq!(numbers(&zeros), (vec![7], 0));
    }

    /// Telemetry that contains a record does not become one when the record around it is damaged,
    /// since its author does not know the salt.
    #[test]
    fn a_record_inside_of_a_record_is_none() {
        let elsewhere = Header { first: 7, salt: 5 };
        let mut forged = elsewhere.frame(8, 4, crc32fast::hash(b"fake")).to_vec();
        forged.extend_from_slice(b"fake");
        let mut bytes = segment(&[&forged, b"true"]);
        bytes[HEADER] ^= 1;
        assert_eq!(numbers(&bytes), (vec![8], 1));
        let Some(Piece::Record { payload, .. }) = Pieces::new(HERE, &bytes).nth(1) else { panic!() };
        assert_eq!(payload, b"true");
    }

    #[test]
    fn a_newer_version_is_told_apart_from_damage() {
        let mut bytes = HERE.encode();
        for copy in bytes.chunks_exact_mut(COPY) {
            copy[8] = 2;
            let crc = crc32fast::hash(&copy[..COPY - 4]);
            copy[COPY - 4..].copy_from_slice(&crc.to_le_bytes());
        }
        assert_eq!(Opening::read(&bytes), Opening::Newer(2));
        assert_eq!(Opening::read(&[0; HEADER]), Opening::Damaged);
        assert_eq!(Opening::read(&[]), Opening::Damaged);
    }

    #[test]
    fn damaged_acknowledgements_are_passed_over() {
        let mut bytes = Vec::new();
        (7..10).for_each(|number| bytes.extend_from_slice(&HERE.acknowledgement(number)));
        bytes[ACKNOWLEDGEMENT] ^= 4;
        bytes.push(1);
        assert_eq!(HERE.acknowledged(&bytes).collect::<Vec<_>>(), [7, 9]);
    }
}
