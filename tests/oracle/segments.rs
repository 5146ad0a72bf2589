//! Segments of a queue on disk: whatever stands in one, reading it ends, and what is read back is what
//! its checksums say.

use std::sync::Arc;

use dragoman::storage::files::Disk;
use dragoman::storage::frame::{FRAME, Frame, HEADER, Header, Opening, Piece, Pieces};
use dragoman::storage::segments::{Options, Segments};

/// The pieces of a segment cover it without a gap and overlap nowhere; records rise and are intact.
pub(crate) fn pieces(header: Header, segment: &[u8]) {
    let mut end = HEADER as u64;
    let mut last = None;
    for piece in Pieces::new(header, segment) {
        match piece {
            Piece::Record { number, offset, payload } => {
                assert_eq!(offset, end);
                assert!(number >= header.first && last.is_none_or(|last| number > last));
                last = Some(number);
                let at = offset as usize;
                let frame = Frame::read(&header, &segment[at..]).expect("a record has an intact head");
                assert_eq!((frame.number, frame.length as usize), (number, payload.len()));
                assert!(frame.is_intact(payload));
                assert_eq!(payload, &segment[at + FRAME..at + FRAME + payload.len()]);
                end += (FRAME + payload.len()) as u64;
            }
            Piece::Damaged { offset, bytes } => {
                assert_eq!(offset, end);
                assert!(bytes > 0);
                end += bytes;
            }
            Piece::Torn { offset } => {
                assert_eq!(offset, end);
                end = segment.len() as u64;
            }
        }
    }
    assert!(segment.len() < HEADER || end == segment.len() as u64);
}

/// Any bytes as a segment, as its acknowledgements, and as a folder of both.
pub(crate) fn segment(segment: &[u8], acknowledgements: &[u8]) {
    let opening = Opening::read(segment);
    let Opening::Header(header) = opening else { return };
    pieces(header, segment);
    // Never more than there is room for.
    assert!(header.acknowledged(acknowledgements).count() <= acknowledgements.len() / 12);
}

/// As [`segment`], through files: opening does not fail, what is visited can be read, and a second
/// opening finds the same.
pub(crate) fn folder(segment: &[u8], acknowledgements: &[u8]) {
    let first = match Opening::read(segment) {
        Opening::Header(header) => header.first,
        // Nothing may be touched.
        Opening::Newer(_) => return,
        Opening::Damaged => 1,
    };
    let root = tempfile::tempdir().expect("a folder");
    std::fs::write(root.path().join(format!("{first:020}.segment")), segment).expect("a file");
    std::fs::write(root.path().join(format!("{first:020}.done")), acknowledgements).expect("a file");
    let open = || {
        let mut found = Vec::new();
        let options = Options::new(1 << 20, false);
        let visit = &mut |record, payload: &[u8]| found.push((record, payload.to_vec()));
        let (segments, report) = Segments::open(Arc::new(Disk), root.path(), options, visit).expect("it opens");
        for (record, payload) in &found {
            assert_eq!(segments.reader().read(record.place()).expect("it can be read"), payload);
        }
        assert_eq!(report.records, found.len() as u64);
        found
    };
    assert_eq!(open(), open());
}

/// A segment with a header of its own, so that more than its first bytes are looked at: numbers,
/// lengths and damage come from `data`.
pub(crate) fn made(data: &[u8]) -> Vec<u8> {
    let header = Header { first: 1, salt: 7 };
    let mut segment = header.encode().to_vec();
    let mut number = 1;
    let mut rest = data;
    while let Some((&[kind, length], after)) = rest.split_first_chunk() {
        let (payload, after) = after.split_at(after.len().min(usize::from(length)));
        let claimed = payload.len() as u32 + u32::from(kind == 1) * 1000;
        let crc = crc32fast::hash(payload) ^ u32::from(kind == 2);
        number += u64::from(kind != 3) + u64::from(kind == 4) * 100;
        segment.extend_from_slice(&header.frame(number, claimed, crc));
        segment.extend_from_slice(payload);
        if kind == 5 {
            let last = segment.len() - 1;
            segment[last] ^= 1;
        }
        if kind == 6 {
            segment.extend_from_slice(&payload[..payload.len() / 2]);
        }
        rest = after;
    }
    segment
}
