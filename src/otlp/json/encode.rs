//! From the wire form to OTLP/JSON, driven by the table of messages.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::otlp::check::check;
use crate::otlp::represent::not_finite;
use crate::otlp::schema::{self, Field, Kind, Message, Rule};
use crate::otlp::signal::Signal;
use crate::otlp::value::fields;
use crate::otlp::wire::{Payload, Reader, WireError, WireType};

/// The OTLP/JSON of a request in its wire form, without white space. Fields stand in the order of
/// their numbers; of a repeated singular field the last one counts and messages merge, as for
/// every reader of protobuf.
///
/// # Errors
/// What makes the bytes no request of this signal.
pub fn encode(signal: Signal, body: &[u8]) -> Result<String, WireError> {
    // What was checked can be written without looking back: wire types, UTF-8 and depth are right.
    check(signal, body)?;
    let mut out = String::with_capacity(body.len() * 2);
    message(schema::request(signal), body, &mut out);
    Ok(out)
}

/// A field as it was met, with its position in the table.
type Met<'a> = (usize, Payload<'a>);

fn message(message: &'static Message, bytes: &[u8], out: &mut String) {
    let met = read(message, bytes);
    out.push('{');
    let mut first = true;
    for (index, field) in message.fields.iter().enumerate().filter(|(_, field)| !field.json.is_empty()) {
        let from = met.partition_point(|&(other, _)| other < index);
        let to = met.partition_point(|&(other, _)| other <= index);
        let met = met.get(from..to).unwrap_or_default();
        if !is_seen(field, met) {
            continue;
        }
        if !std::mem::take(&mut first) {
            out.push(',');
        }
        out.push('"');
        out.push_str(field.json);
        out.push_str("\":");
        match field.kind {
            _ if field.rule.is_repeated() => array(field, met, out),
            Kind::Message(inner) => {
                let pieces: Vec<&[u8]> = met.iter().filter_map(|&(_, piece)| content(piece)).collect();
                match pieces[..] {
                    [only] => self::message(inner, only, out),
                    // Messages merge by concatenation.
                    _ => self::message(inner, &pieces.concat(), out),
                }
            }
            kind => met.last().into_iter().for_each(|&(_, last)| value(kind, last, out)),
        }
    }
    out.push('}');
}

/// The fields of a message that count, in the order of the table.
fn read<'a>(message: &'static Message, bytes: &'a [u8]) -> Vec<Met<'a>> {
    let position = |number| message.fields.iter().position(|known| known.number == number);
    let is_oneof = |index: usize| message.fields.get(index).is_some_and(|known| known.rule == Rule::Oneof);
    let mut met: Vec<Met<'a>> = Vec::new();
    // The member of the `oneof` that counts, and where its run begins in `met`.
    let mut oneof: Option<(usize, usize)> = None;
    for field in fields(bytes) {
        let Some(index) = position(field.number) else { continue };
        if is_oneof(index) && oneof.is_none_or(|(member, _)| member != index) {
            oneof = Some((index, met.len()));
        }
        met.push((index, field.payload));
    }
    if let Some((_, from)) = oneof {
        let mut at = 0;
        met.retain(|&(index, _)| {
            at += 1;
            !is_oneof(index) || at > from
        });
    }
    // Stable, so that elements keep their order.
    met.sort_by_key(|&(index, _)| index);
    met
}

/// Whether the field stands in the document: not if its absence says the same.
fn is_seen(field: &Field, met: &[Met<'_>]) -> bool {
    match (field.rule, met.last()) {
        (Rule::List, _) => true,
        (_, None) => false,
        (Rule::Singular, Some((_, last))) => match last {
            _ if matches!(field.kind, Kind::Message(_)) => true,
            // Readers take the low 32 bits of a longer varint.
            Payload::Varint(value) if matches!(field.kind, Kind::Bool | Kind::Int64 | Kind::Uint64) => *value != 0,
            Payload::Varint(value) => *value as u32 != 0,
            Payload::Fixed64(value) => *value != 0,
            Payload::Fixed32(value) => *value != 0,
            Payload::Bytes(bytes) => !bytes.is_empty(),
            Payload::Group => false,
        },
        // A packed field may come without a single value in it.
        (Rule::Repeated, _) if !matches!(field.kind.wire_type(), WireType::Bytes) => {
            met.iter().any(|&(_, payload)| !matches!(payload, Payload::Bytes(&[])))
        }
        _ => true,
    }
}

fn array(field: &'static Field, met: &[Met<'_>], out: &mut String) {
    out.push('[');
    let mut first = true;
    let mut separate = |out: &mut String| {
        if !std::mem::take(&mut first) {
            out.push(',');
        }
    };
    for &(_, payload) in met {
        match (field.kind, payload) {
            (Kind::Message(inner), Payload::Bytes(bytes)) => {
                separate(out);
                message(inner, bytes, out);
            }
            (Kind::String | Kind::Bytes | Kind::Id(_), _) => {
                separate(out);
                value(field.kind, payload, out);
            }
            (kind, Payload::Bytes(packed)) => {
                let mut reader = Reader::new(packed);
                while let Ok(Some(payload)) = reader.packed(kind.wire_type()) {
                    separate(out);
                    value(kind, payload, out);
                }
            }
            (kind, _) => {
                separate(out);
                value(kind, payload, out);
            }
        }
    }
    out.push(']');
}

fn content(payload: Payload<'_>) -> Option<&[u8]> {
    match payload {
        Payload::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}

fn value(kind: Kind, payload: Payload<'_>, out: &mut String) {
    let written = match (kind, payload) {
        (Kind::String, Payload::Bytes(bytes)) => quoted(std::str::from_utf8(bytes).unwrap_or_default(), out),
        (Kind::Id(_), Payload::Bytes(bytes)) => {
            out.push('"');
            let written = bytes.iter().try_for_each(|byte| write!(out, "{byte:02x}"));
            out.push('"');
            written
        }
        (Kind::Bytes, Payload::Bytes(bytes)) => write!(out, "\"{}\"", STANDARD.encode(bytes)),
        (Kind::Bool, Payload::Varint(value)) => write!(out, "{}", value != 0),
        (Kind::Int32 | Kind::Enum(_), Payload::Varint(value)) => write!(out, "{}", value as i32),
        (Kind::Sint32, Payload::Varint(value)) => {
            let value = value as u32;
            write!(out, "{}", (value >> 1) as i32 ^ -((value & 1) as i32))
        }
        (Kind::Uint32, Payload::Varint(value)) => write!(out, "{}", value as u32),
        (Kind::Int64, Payload::Varint(value)) => write!(out, "\"{}\"", value as i64),
        (Kind::Uint64, Payload::Varint(value)) => write!(out, "\"{value}\""),
        (Kind::Fixed32, Payload::Fixed32(value)) => write!(out, "{value}"),
        (Kind::Fixed64, Payload::Fixed64(value)) => write!(out, "\"{value}\""),
        (Kind::Sfixed64, Payload::Fixed64(value)) => write!(out, "\"{}\"", value as i64),
        (Kind::Double, Payload::Fixed64(bits)) => match f64::from_bits(bits) {
            value if value.is_finite() => write!(out, "{value:?}"),
            value => write!(out, "\"{}\"", not_finite(value)),
        },
        // Another wire type than the kind's, which the check has refused.
        _ => write!(out, "null"),
    };
    debug_assert!(written.is_ok(), "writing to a string cannot fail");
}

fn quoted(text: &str, out: &mut String) -> std::fmt::Result {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)) {
        let (clean, special) = rest.split_at(at);
        out.push_str(clean);
        let mut characters = special.chars();
        match characters.next() {
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some(character @ ('"' | '\\')) => out.extend(['\\', character]),
            Some(character) => write!(out, "\\u{:04x}", u32::from(character))?,
            None => {}
        }
        rest = characters.as_str();
    }
    out.push_str(rest);
    out.push('"');
    Ok(())
}
