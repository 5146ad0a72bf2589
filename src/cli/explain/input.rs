//! What `explain` reads: recorded OTLP in any of the forms in which it lies about. Each form becomes
//! requests in their wire form; what they mean is the neighbour's.
//!
//! | begins with | is |
//! |---|---|
//! | the magic of gzip or zstd | one of the others, compressed |
//! | `{` | OTLP/JSON: one document, or one after the other, as the Collector's file exporter writes a line each |
//! | a zero byte | messages each behind its length, as the Collector's file exporter writes `format: proto` |
//! | anything else | one request in protobuf |

use std::fs::File;
use std::io::Read;
use std::path::Path;

use bytes::Bytes;
use serde::de::IgnoredAny;

use crate::otlp::compression::{Compression, decompress};
use crate::otlp::traces::{Origin, Visitor, edit};
use crate::otlp::wire::{Payload, Reader, WireError, put_bytes};
use crate::otlp::{Signal, check, json};

/// How much is read, and how much may come out of a compressed file.
const LIMIT: usize = 64 << 20;

/// What every refusal ends with.
const EXPECTED: &str = "\n  expected recorded OTLP of traces, metrics or logs: one request in protobuf, or JSON, one document or one a \
     line, or what the Collector's file exporter writes; gzip or zstd, too";

/// Bytes of the length before each message of the Collector's `format: proto`, big endian.
const LENGTH: usize = 4;

/// Everything that was recorded.
#[derive(Debug, Default)]
pub(super) struct Input {
    /// The requests, in their wire form and in their order.
    pub(super) requests: Vec<(Signal, Bytes)>,
}

/// Reads a file, or standard input for `None`.
///
/// # Errors
/// What is wrong with it, and where, without the file's name.
pub(super) fn read(file: Option<&Path>) -> Result<Input, String> {
    let mut bytes = Vec::new();
    #[allow(clippy::disallowed_methods, reason = "a limit is taken")]
    match file {
        Some(path) => File::open(path)
            .map_err(|error| format!("cannot be opened: {error}"))?
            .take(LIMIT as u64 + 1)
            .read_to_end(&mut bytes),
        None => std::io::stdin().lock().take(LIMIT as u64 + 1).read_to_end(&mut bytes),
    }
    .map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() > LIMIT {
        return Err(format!("more than {} MiB; explain a part of it, such as its first lines", LIMIT >> 20));
    }
    let bytes = match compression_of(&bytes) {
        Some(compression) => decompress(compression, &bytes, LIMIT).map_err(|error| error.to_string())?,
        None => bytes,
    };
    requests(bytes)
}

fn compression_of(bytes: &[u8]) -> Option<Compression> {
    match bytes {
        [0x1f, 0x8b, ..] => Some(Compression::Gzip),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Compression::Zstd),
        _ => None,
    }
}

fn requests(bytes: Vec<u8>) -> Result<Input, String> {
    let mut input = Input::default();
    let begin = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes).trim_ascii_start();
    match begin.first() {
        None => return Err(format!("is empty{EXPECTED}")),
        Some(b'{' | b'[') => documents(&bytes, &mut input)?,
        Some(0) => messages(&bytes, &mut input)?,
        Some(_) => input.message(bytes, 0)?,
    }
    match input.requests.iter().any(|(signal, body)| check::count(*signal, body) > 0) {
        true => Ok(input),
        false => Err(format!("holds no span, no metric data point and no log record{EXPECTED}")),
    }
}

/// JSON documents, one behind the other.
fn documents(bytes: &[u8], input: &mut Input) -> Result<(), String> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = 1 + newlines(bytes.get(..error.valid_up_to()).unwrap_or_default());
        format!("line {line} (byte {}): the text is not UTF-8{EXPECTED}", error.valid_up_to())
    })?;
    let mut start = text.len() - text.trim_start_matches('\u{feff}').len();
    while let Some(rest) = text.get(start..).filter(|rest| !rest.trim_ascii_start().is_empty()) {
        let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<IgnoredAny>();
        // Of what is no JSON the decoder says best what is wrong.
        let end = match stream.next() {
            Some(Ok(_)) => stream.byte_offset(),
            _ => rest.len(),
        };
        let document = rest.get(..end).unwrap_or(rest);
        input.document(document).map_err(|error| {
            let before = newlines(text.get(..start).unwrap_or_default().as_bytes());
            let (line, byte) = (before + error.line, start + error.offset);
            let place = if error.path.is_empty() { String::new() } else { format!("{}: ", error.path) };
            format!("line {line} (byte {byte}): {place}{}{EXPECTED}", error.problem)
        })?;
        start += end.max(1);
    }
    Ok(())
}

/// Protobuf messages, each behind its length.
fn messages(bytes: &[u8], input: &mut Input) -> Result<(), String> {
    let mut at = 0;
    let mut rest = bytes;
    while let Some((length, behind)) = rest.split_first_chunk::<LENGTH>() {
        let length = u32::from_be_bytes(*length) as usize;
        at += LENGTH;
        let Some((message, behind)) = behind.split_at_checked(length) else {
            let left = behind.len();
            return Err(format!("byte {at}: the message should have {length} bytes, and {left} are left{EXPECTED}"));
        };
        input.message(message.to_vec(), at)?;
        at += length;
        rest = behind;
    }
    match rest.is_empty() {
        true => Ok(()),
        false => Err(format!("byte {at}: the file ends in the middle of a message's length{EXPECTED}")),
    }
}

fn newlines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

impl Input {
    fn document(&mut self, text: &str) -> Result<(), json::JsonError> {
        // A document of another signal is a request without items: unknown keys are ignored.
        for signal in Signal::ALL {
            let request = json::decode(signal, text.as_bytes())?;
            if !request.is_empty() {
                self.requests.push((signal, Bytes::from(request)));
            }
        }
        Ok(())
    }

    /// A protobuf message that stands at byte `at`. It does not say which signal it is of: all three
    /// begin alike, and one may even be valid as another. A span says so by its two ids.
    fn message(&mut self, body: Vec<u8>, at: usize) -> Result<(), String> {
        let body = Bytes::from(body);
        let traces = identified(&body);
        if traces == Ok(false) || traces.is_err() {
            for signal in [Signal::Metrics, Signal::Logs] {
                if let Ok(1..) = check::check(signal, &body) {
                    self.requests.push((signal, body));
                    return Ok(());
                }
            }
        }
        match traces {
            Ok(_) => {
                self.requests.push((Signal::Traces, body));
                Ok(())
            }
            // Protobuf has control characters, text that people write has none.
            Err(_) if is_text(&body) => Err(format!("is text, and no JSON{EXPECTED}")),
            Err(error) => {
                let (offset, what) = place(&body);
                Err(format!("{what} at byte {}: {error}{EXPECTED}", at + offset))
            }
        }
    }
}

fn is_text(body: &[u8]) -> bool {
    std::str::from_utf8(body).is_ok_and(|text| !text.chars().any(|c| c.is_control() && !c.is_whitespace()))
}

/// Whether a traces request has spans with ids.
fn identified(body: &Bytes) -> Result<bool, WireError> {
    struct Look(bool);
    impl Visitor for Look {
        fn span(&mut self, span: &mut crate::otlp::span::Span<'_>, _: &Origin<'_>) {
            self.0 |= span.trace_id().is_some() && span.span_id().is_some();
        }
    }
    let mut look = Look(false);
    edit(body, &mut look).map(|_| look.0)
}

/// Where a request that was refused goes wrong: the smallest message around the defect.
fn place(body: &[u8]) -> (usize, &'static str) {
    const LEVELS: [(&str, &[u32]); 3] = [("resource_spans", &[1]), ("scope_spans", &[1, 2]), ("span", &[1, 2, 2])];
    let (mut base, mut content, mut found) = (0, body, (0, "the request"));
    for (what, path) in LEVELS {
        let number = path.last().copied().unwrap_or_default();
        let mut reader = Reader::new(content);
        let mut end = 0;
        let inner = loop {
            match reader.next() {
                Ok(Some(field)) => {
                    end = field.end;
                    if let Payload::Bytes(inner) = field.payload
                        && field.number == number
                        && check::check(Signal::Traces, &wrapped(inner, path)).is_err()
                    {
                        break Some((base + field.end - inner.len(), inner));
                    }
                }
                // The defect is of this message itself.
                Ok(None) => break None,
                Err(_) => return (base + end, "a field"),
            }
        };
        let Some((start, inner)) = inner else { return found };
        (base, content) = (start, inner);
        found = (start, what);
    }
    found
}

/// A request that holds nothing but this message.
fn wrapped(message: &[u8], path: &[u32]) -> Vec<u8> {
    path.iter().rev().fold(message.to_vec(), |inner, number| {
        let mut outer = Vec::with_capacity(inner.len() + 12);
        put_bytes(&mut outer, *number, &inner);
        outer
    })
}
