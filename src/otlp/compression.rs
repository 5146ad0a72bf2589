//! Decompression of request and response bodies, bounded: the output's limit is checked while it is
//! made, and every decoder must reach its stream's end, so that no truncated body passes for a
//! shorter one.

use std::fmt;
use std::io::{self, Read};

use flate2::bufread::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};

use crate::bounded::budget::Spent;
use crate::bounded::buffer::Buffer;

/// Output is made in steps of this size, so the limit is passed by no more.
const STEP: usize = 64 << 10;

/// A body that has grown to more than so many times what was read of it is measured before it is kept. Recorded OTLP
/// grows up to 25 times; a run of zeros, with gzip, a thousand times.
const LIKELY_RATIO: usize = 64;

/// What is kept unmeasured of any body.
const LIKELY_BYTES: usize = 1 << 20;

/// The window that a zstd frame may ask for: 2^25 bytes. RFC 8878 recommends to support 8 MiB; what
/// libzstd would grant by default is 128 MiB.
const ZSTD_WINDOW_LOG: u32 = 25;

/// A compression that is understood here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    /// RFC 1952, any number of members.
    Gzip,
    /// RFC 1950 (zlib), which HTTP calls deflate; also RFC 1951 without the zlib frame, which some
    /// clients send under this name.
    Deflate,
    /// RFC 8878, any number of frames.
    Zstd,
}

impl Compression {
    /// All of them.
    pub const ALL: [Compression; 3] = [Compression::Gzip, Compression::Deflate, Compression::Zstd];

    /// For `Accept-Encoding` and `grpc-accept-encoding`.
    pub const ACCEPTED: &str = "gzip, deflate, zstd";

    /// The name in `Content-Encoding` and `grpc-encoding`.
    pub const fn name(self) -> &'static str {
        match self {
            Compression::Gzip => "gzip",
            Compression::Deflate => "deflate",
            Compression::Zstd => "zstd",
        }
    }

    /// What a `Content-Encoding` or `grpc-encoding` names: `Ok(None)` if the content is as it is.
    ///
    /// # Errors
    /// The name, if it is not spoken here.
    pub fn from_name(name: &str) -> Result<Option<Compression>, UnknownCompression> {
        const NAMES: [(&str, Option<Compression>); 8] = [
            ("", None),
            ("identity", None),
            ("none", None),
            ("gzip", Some(Compression::Gzip)),
            ("x-gzip", Some(Compression::Gzip)),
            ("deflate", Some(Compression::Deflate)),
            // The Collector's other name of it.
            ("zlib", Some(Compression::Deflate)),
            ("zstd", Some(Compression::Zstd)),
        ];
        let found = NAMES.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, compression)| compression).ok_or_else(|| UnknownCompression(shortened(name)))
    }
}

/// A compression that is not spoken here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownCompression(String);

impl fmt::Display for UnknownCompression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "compression {:?} is not supported; expected none or one of {}", self.0, Compression::ACCEPTED)
    }
}

impl std::error::Error for UnknownCompression {}

/// Why a body was not decompressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DecompressError {
    /// More than the limit comes out of it.
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
        /// What had been made when the work was stopped.
        produced: usize,
    },
    /// There is no memory left for what comes out of it.
    NoMemory(Spent),
    /// It is not what its name says, or ends early, or goes on after its end.
    Corrupt {
        /// What it should be.
        compression: Compression,
        /// The decoder's words.
        detail: String,
    },
}

impl fmt::Display for DecompressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecompressError::TooLarge { limit, .. } => {
                write!(f, "the body decompresses to more than the limit of {limit} bytes")
            }
            DecompressError::NoMemory(spent) => write!(f, "{spent}"),
            DecompressError::Corrupt { compression, detail } => {
                write!(f, "the body is not valid {}: {detail}", compression.name())
            }
        }
    }
}

impl std::error::Error for DecompressError {}

impl From<Spent> for DecompressError {
    fn from(spent: Spent) -> Self {
        DecompressError::NoMemory(spent)
    }
}

/// Decompresses a whole body of at most `limit` bytes.
///
/// # Errors
/// [`DecompressError`]. What is made is held up to `limit` and one step of 64 KiB (and a zstd
/// frame's window); where it grows beyond all likelihood, no more than 1 MiB is held before the end
/// was seen to be within the limit. So a hundred bombs at a time are not a hundred times the limit.
pub fn decompress(compression: Compression, input: &[u8], limit: usize) -> Result<Vec<u8>, DecompressError> {
    decompress_into(Buffer::default(), compression, input, limit).map(Buffer::into_bytes)
}

/// The same, into an empty buffer that has a claim on its memory.
///
/// # Errors
/// [`DecompressError`]; nothing is made for which there is no claim.
pub fn decompress_into(
    mut output: Buffer,
    compression: Compression,
    input: &[u8],
    limit: usize,
) -> Result<Buffer, DecompressError> {
    if !keep(&mut output, compression, input, limit, true)? {
        output.clear();
        measure(compression, input, limit)?;
        keep(&mut output, compression, input, limit, false)?;
    }
    Ok(output)
}

/// Makes all of it; `false` if it is `doubted` and has grown beyond all likelihood.
fn keep(
    output: &mut Buffer,
    compression: Compression,
    input: &[u8],
    limit: usize,
    doubted: bool,
) -> Result<bool, DecompressError> {
    let mut decoder = decoder(compression, input)?;
    loop {
        // A little over the limit is enough to see that it is passed.
        let step = STEP.min(limit.saturating_sub(output.bytes().len()).saturating_add(1));
        let read = output.fill(step, |room| decoder.read(room).map_err(corrupt(compression)))?;
        within(limit, output.bytes().len())?;
        if read == 0 {
            return Ok(true);
        }
        let consumed = input.len().saturating_sub(decoder.left());
        if doubted && output.bytes().len() > consumed.saturating_mul(LIKELY_RATIO).max(LIKELY_BYTES) {
            return Ok(false);
        }
    }
}

/// Makes all of it and keeps nothing.
fn measure(compression: Compression, input: &[u8], limit: usize) -> Result<(), DecompressError> {
    let mut decoder = decoder(compression, input)?;
    let (mut room, mut produced) = (vec![0; STEP], 0);
    loop {
        let read = decoder.read(&mut room).map_err(corrupt(compression))?;
        produced += read;
        within(limit, produced)?;
        if read == 0 {
            return Ok(());
        }
    }
}

fn within(limit: usize, produced: usize) -> Result<(), DecompressError> {
    if produced > limit { Err(DecompressError::TooLarge { limit, produced }) } else { Ok(()) }
}

fn corrupt(compression: Compression) -> impl Fn(io::Error) -> DecompressError {
    move |error| DecompressError::Corrupt { compression, detail: error.to_string() }
}

/// What makes the content, piece by piece.
trait Decoder: Read {
    /// Bytes of the input that were not looked at yet.
    fn left(&self) -> usize;
}

impl Decoder for MultiGzDecoder<&[u8]> {
    fn left(&self) -> usize {
        self.get_ref().len()
    }
}

impl Decoder for zstd::stream::read::Decoder<'_, &[u8]> {
    fn left(&self) -> usize {
        self.get_ref().len()
    }
}

impl Decoder for Inflate<'_> {
    fn left(&self) -> usize {
        self.rest.len()
    }
}

fn decoder<'i>(compression: Compression, input: &'i [u8]) -> Result<Box<dyn Decoder + 'i>, DecompressError> {
    Ok(match compression {
        Compression::Gzip => Box::new(MultiGzDecoder::new(input)),
        Compression::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(input).map_err(corrupt(compression))?;
            decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(corrupt(compression))?;
            Box::new(decoder)
        }
        Compression::Deflate => {
            let state = Decompress::new(is_zlib(input));
            Box::new(Inflate { state, rest: input, ended: false })
        }
    })
}

/// One zlib or raw deflate stream. Flate2's own readers end without an error where the input ends
/// before the stream does.
struct Inflate<'a> {
    state: Decompress,
    rest: &'a [u8],
    ended: bool,
}

impl Read for Inflate<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if self.ended {
            return Ok(0);
        }
        let (consumed, produced) = (self.state.total_in(), self.state.total_out());
        let status = self.state.decompress(self.rest, room, FlushDecompress::None)?;
        // Both are bounded by a slice's length.
        let consumed = (self.state.total_in() - consumed) as usize;
        let produced = (self.state.total_out() - produced) as usize;
        self.rest = self.rest.get(consumed..).unwrap_or_default();
        self.ended = status == Status::StreamEnd;
        match (self.ended, self.rest.is_empty()) {
            (true, false) => Err(io::Error::other("bytes follow the end of the stream")),
            (false, _) if produced == 0 => Err(io::Error::other("it ends before its stream does")),
            _ => Ok(produced),
        }
    }
}

/// RFC 1950, section 2.2: method 8, and a check that makes the first two bytes a multiple of 31.
fn is_zlib(input: &[u8]) -> bool {
    match input {
        [method, flags, ..] => method & 0x0f == 8 && (u16::from(*method) << 8 | u16::from(*flags)).is_multiple_of(31),
        _ => true,
    }
}

fn shortened(name: &str) -> String {
    name.chars().take(32).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use proptest::prelude::*;

    use super::*;

    const LIMIT: usize = 256 << 10;

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(content: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn raw(content: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn zstandard(content: &[u8]) -> Vec<u8> {
        zstd::stream::encode_all(content, 1).unwrap()
    }

    /// Every form, with what makes it.
    type Encoder = fn(&[u8]) -> Vec<u8>;
    const FORMS: [(Compression, Encoder); 4] = [
        (Compression::Gzip, gzip),
        (Compression::Deflate, zlib),
        (Compression::Deflate, raw),
        (Compression::Zstd, zstandard),
    ];

    proptest! {
        #[test]
        fn what_was_compressed_comes_back(content in proptest::collection::vec(any::<u8>(), 0..20_000)) {
            for (compression, encode) in FORMS {
                prop_assert_eq!(&decompress(compression, &encode(&content), LIMIT).unwrap(), &content);
            }
        }

        #[test]
        fn no_bytes_make_a_decoder_panic_or_pass_the_limit(input in proptest::collection::vec(any::<u8>(), 0..500)) {
            for compression in Compression::ALL {
                if let Ok(output) = decompress(compression, &input, 100) {
                    prop_assert!(output.len() <= 100);
                }
            }
        }
    }

    #[test]
    fn a_bomb_is_stopped_at_the_limit() {
        for (compression, encode) in FORMS {
            let bomb = encode(&vec![0; 4 << 20]);
            match decompress(compression, &bomb, LIMIT) {
                Err(DecompressError::TooLarge { limit, produced }) => {
                    assert_eq!(limit, LIMIT);
                    assert!(produced <= LIMIT + STEP, "{compression:?} made {produced} bytes");
                }
                other => panic!("{compression:?}: {:?}", other.map(|output| output.len())),
            }
        }
    }

    /// The attack's figure is in `tests/attacks/bombs.rs`, with a process of its own.
    #[test]
    fn what_grows_beyond_all_likelihood_is_refused_or_made_like_everything_else() {
        const LARGE: usize = 4 * LIKELY_BYTES;
        for (compression, encode) in FORMS {
            let body = encode(&vec![7; LARGE]);
            assert!(body.len() * LIKELY_RATIO < LARGE, "{compression:?}: {} bytes", body.len());
            assert_eq!(decompress(compression, &body, LARGE).map(|output| output.len()), Ok(LARGE));
            let over = decompress(compression, &body, LARGE - 1);
            assert!(
                matches!(over, Err(DecompressError::TooLarge { limit, .. }) if limit == LARGE - 1),
                "{compression:?}"
            );
            let cut = decompress(compression, &body[..body.len() - 1], LARGE);
            assert!(matches!(cut, Err(DecompressError::Corrupt { .. })), "{compression:?}");
        }
    }

    #[test]
    fn exactly_the_limit_is_within_it() {
        for (compression, encode) in FORMS {
            let body = encode(&vec![7; LIMIT]);
            assert_eq!(decompress(compression, &body, LIMIT).map(|output| output.len()), Ok(LIMIT));
            assert!(decompress(compression, &body, LIMIT - 1).is_err());
        }
    }

    #[test]
    fn a_truncated_body_never_passes_for_a_shorter_one() {
        let content: Vec<u8> = (0..5_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
        for (compression, encode) in FORMS {
            let body = encode(&content);
            for length in (1..body.len()).step_by(97).chain(body.len() - 8..body.len()) {
                let result = decompress(compression, &body[..length], LIMIT);
                assert!(result.is_err(), "{compression:?} cut to {length} of {} was taken", body.len());
            }
        }
    }

    #[test]
    fn what_follows_a_stream_is_not_ignored() {
        for (compression, encode) in FORMS {
            let mut body = encode(b"first");
            body.extend_from_slice(b"junk");
            assert!(decompress(compression, &body, LIMIT).is_err(), "{compression:?}");
        }
        for (compression, encode) in [FORMS[0], FORMS[3]] {
            let body = [encode(b"first, "), encode(b"second")].concat();
            assert_eq!(decompress(compression, &body, LIMIT).unwrap(), b"first, second", "{compression:?}");
        }
    }

    /// Found by fuzzing: the decoder takes a distance that leads before the beginning (which zlib refuses)
    /// for zeros. They are zeros, and nothing that was in the memory before.
    #[test]
    fn what_stands_before_the_beginning_is_zeros() {
        // Fixed codes: "a", then three bytes from two places back, and the end.
        let body = [0x4b, 0x04, 0x42, 0x00];
        match decompress(Compression::Deflate, &body, LIMIT) {
            Ok(content) => assert_eq!(content, [b'a', 0, b'a', 0]),
            Err(error) => assert!(matches!(error, DecompressError::Corrupt { .. })),
        }
    }

    #[test]
    fn a_zstd_window_beyond_the_bound_is_refused() {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(27).unwrap();
        encoder.write_all(b"small").unwrap();
        encoder.flush().unwrap();
        let body = encoder.finish().unwrap();
        assert!(matches!(decompress(Compression::Zstd, &body, LIMIT), Err(DecompressError::Corrupt { .. })));
    }

    #[test]
    fn names_are_those_of_http_and_the_collector() {
        assert_eq!(Compression::from_name("GZIP"), Ok(Some(Compression::Gzip)));
        assert_eq!(Compression::from_name("zlib"), Ok(Some(Compression::Deflate)));
        assert_eq!(Compression::from_name("identity"), Ok(None));
        let unknown = Compression::from_name("snappy").unwrap_err().to_string();
        assert!(unknown.contains("snappy") && unknown.contains("gzip, deflate, zstd"), "{unknown}");
    }
}
