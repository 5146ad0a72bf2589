//! Decompression against the same libraries used in another way: there the whole output is made at
//! once and looked at afterwards, here it is made in steps and bounded.

use std::io::{Read, Write};

use dragoman::otlp::compression::{Compression, DecompressError, decompress};
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use flate2::{Decompress, FlushDecompress, Status};

use super::generate::Entropy;

/// The most that the reference makes of an input; more is [`Reference::Large`].
const MOST: usize = 1 << 20;

/// By how much the limit may be passed before the work stops.
const STEP: usize = 64 << 10;

/// What a whole body is, without a limit.
#[derive(Debug, PartialEq)]
enum Reference {
    Content(Vec<u8>),
    /// More than [`MOST`] comes out, of which the end was not looked at.
    Large,
    Corrupt,
}

/// Bytes that may be anything: never over the limit, and what the reference makes of them.
pub(crate) fn any_bytes(compression: Compression, body: &[u8], limit: usize) {
    let limit = limit.min(MOST / 2);
    let expected = reference(compression, body);
    match (decompress(compression, body, limit), expected) {
        (Ok(content), Reference::Content(expected)) => {
            assert!(content.len() <= limit, "{} bytes passed the limit of {limit}", content.len());
            assert!(content == expected, "{compression:?}: {content:?} instead of {expected:?}");
            assert!(content.capacity() <= content.len() + STEP, "a queue counts the length, not the room");
        }
        (Err(DecompressError::TooLarge { limit: said, produced }), expected) => {
            assert!(said == limit && produced > limit && produced <= limit + STEP, "{produced} bytes, {limit} allowed");
            if let Reference::Content(expected) = expected {
                assert!(expected.len() > limit, "{compression:?}: {} bytes are within {limit}", expected.len());
            }
        }
        (Err(DecompressError::Corrupt { .. }), Reference::Corrupt | Reference::Large) => {}
        // In steps, the library takes what stands before the beginning for zeros (zlib refuses it).
        (Ok(content), Reference::Corrupt) if compression == Compression::Deflate => {
            assert!(content.len() <= limit, "{} bytes passed the limit of {limit}", content.len());
            assert_eq!(Reference::Content(content), after_zeros(body), "not even zeros");
        }
        // The reference makes everything at once and needs no window.
        (Err(DecompressError::Corrupt { detail, .. }), _) if detail.contains("too much memory") => {}
        (ours, expected) => panic!("{compression:?}: {ours:?} instead of {expected:?}"),
    }
}

/// What was compressed in any way comes back, is within a limit of its length, and over one of a
/// byte less; cut short it is nothing.
pub(crate) fn made(entropy: &mut Entropy<'_>) {
    let forms: [(Compression, Encoder); 4] = [
        (Compression::Gzip, gzip),
        (Compression::Deflate, zlib),
        (Compression::Deflate, raw),
        (Compression::Zstd, zstandard),
    ];
    let form = entropy.below(forms.len());
    let (compression, encode) = forms[form];
    // Only these have members, or frames.
    let members = if form == 1 || form == 2 { 1 } else { 1 + entropy.below(4) };
    let (mut content, mut body) = (Vec::new(), Vec::new());
    for _ in 0..members {
        let level = entropy.byte();
        let part = part(entropy);
        body.extend(encode(&part, level));
        content.extend(part);
    }
    let harm = entropy.byte();
    assert_eq!(decompress(compression, &body, content.len()).as_ref(), Ok(&content), "{compression:?}");
    if let Some(less) = content.len().checked_sub(1) {
        let over = decompress(compression, &body, less);
        assert!(matches!(over, Err(DecompressError::TooLarge { .. })), "{compression:?}: {over:?}");
    }
    // Without its last byte the last member has no end. A first member alone is whole.
    body.pop();
    let cut = decompress(compression, &body, content.len());
    assert!(matches!(cut, Err(DecompressError::Corrupt { .. })), "{compression:?}: {cut:?}");
    if let Some(byte) = body.get_mut(usize::from(harm)) {
        *byte ^= harm;
    }
    any_bytes(compression, &body, content.len());
}

/// Some text, repeated as often as makes it small when it is compressed.
fn part(entropy: &mut Entropy<'_>) -> Vec<u8> {
    let (length, times) = (entropy.below(64), 1 + entropy.below(4) * entropy.below(256));
    let text: Vec<u8> = (0..length).map(|_| entropy.byte()).collect();
    text.repeat(times)
}

type Encoder = fn(&[u8], u8) -> Vec<u8>;

fn level(level: u8) -> flate2::Compression {
    flate2::Compression::new(u32::from(level % 10))
}

fn gzip(content: &[u8], by: u8) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), level(by));
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn zlib(content: &[u8], by: u8) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), level(by));
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn raw(content: &[u8], by: u8) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), level(by));
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn zstandard(content: &[u8], by: u8) -> Vec<u8> {
    zstd::stream::encode_all(content, i32::from(by % 6)).unwrap()
}

fn reference(compression: Compression, body: &[u8]) -> Reference {
    match compression {
        Compression::Gzip => members(body),
        Compression::Deflate => stream(is_zlib(body), body),
        Compression::Zstd if body.is_empty() => Reference::Corrupt,
        Compression::Zstd => match zstd::bulk::decompress(body, MOST) {
            Ok(content) => Reference::Content(content),
            Err(error) if error.to_string().contains("too small") => Reference::Large,
            Err(_) => Reference::Corrupt,
        },
    }
}

/// RFC 1950, section 2.2: method 8, and two bytes that are a multiple of 31.
fn is_zlib(body: &[u8]) -> bool {
    let head = body.first_chunk::<2>().map(|head| (head[0] & 15, u16::from_be_bytes(*head)));
    head.is_none_or(|(method, head)| method == 8 && head % 31 == 0)
}

/// Each gzip member by itself.
fn members(body: &[u8]) -> Reference {
    let (mut rest, mut content) = (body, Vec::new());
    loop {
        let mut decoder = flate2::bufread::GzDecoder::new(&mut rest);
        #[allow(clippy::disallowed_methods, reason = "limited")]
        let read = decoder.by_ref().take(MOST as u64).read_to_end(&mut content);
        if content.len() >= MOST {
            return Reference::Large;
        }
        match read {
            Err(_) => return Reference::Corrupt,
            Ok(_) if rest.is_empty() => return Reference::Content(content),
            Ok(_) => {}
        }
    }
}

/// One deflate stream at once.
fn stream(is_zlib: bool, body: &[u8]) -> Reference {
    let mut state = Decompress::new(is_zlib);
    let mut content = Vec::with_capacity(MOST);
    match state.decompress_vec(body, &mut content, FlushDecompress::Finish) {
        Ok(Status::StreamEnd) if state.total_in() == body.len() as u64 => Reference::Content(content),
        _ if content.len() == MOST => Reference::Large,
        _ => Reference::Corrupt,
    }
}

/// One deflate stream behind a window of zeros.
fn after_zeros(body: &[u8]) -> Reference {
    const WINDOW: usize = 32 << 10;
    // RFC 1951, section 3.2.4: a block that is stored, and not the last.
    let mut stored = vec![0, 0x00, 0x80, 0xff, 0x7f];
    stored.extend([0; WINDOW]);
    let frame = if is_zlib(body) { 2..body.len() - 4 } else { 0..body.len() };
    stored.extend(&body[frame]);
    match stream(false, &stored) {
        Reference::Content(content) => Reference::Content(content[WINDOW..].to_vec()),
        other => other,
    }
}
