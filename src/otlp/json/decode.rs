//! From OTLP/JSON to the wire form, driven by the table of messages.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::text::{Fault, Result, Step, Text, fault};
use super::{JsonError, Problem, number};
use crate::bounded::budget::{Claim, Spent};
use crate::bounded::buffer::Buffer;
use crate::otlp::schema::{self, Field, Kind, Message, Rule};
use crate::otlp::signal::Signal;
use crate::otlp::wire::{DEPTH, WireType, put_bytes, put_key, put_varint, varint_len};

/// The wire form of a request that came as OTLP/JSON; one that [`crate::otlp::check::check`]
/// accepts. It is at most some four times as long as the text (an array of one-digit numbers
/// becomes eight bytes each).
///
/// # Errors
/// The first thing in the text that cannot be the request, and where it is.
pub fn decode(signal: Signal, body: &[u8]) -> std::result::Result<Vec<u8>, JsonError> {
    decode_into(signal, body, Claim::default()).map(Buffer::into_bytes)
}

/// The same, into a buffer with a claim on its memory.
///
/// # Errors
/// As [`decode`]; [`Problem::NoMemory`] where there is nothing left to claim.
pub fn decode_into(signal: Signal, body: &[u8], claim: Claim) -> std::result::Result<Buffer, JsonError> {
    let text = match std::str::from_utf8(body) {
        Ok(text) => text,
        Err(error) => return Err(locate(body, *fault(error.valid_up_to(), Problem::NotUtf8))),
    };
    let mut room = Room { claim, bytes: body.len() };
    // Half of the text is enough for nearly every request, all of it for every one without arrays of
    // numbers; both are there while the content moves from the one to the other.
    let half = body.len() / 2;
    if let Err(spent) = room.claim.grow_to(body.len().saturating_add(half)) {
        return Err(locate(body, *fault(0, Problem::NoMemory(spent))));
    }
    let mut decoder = Decoder { text: Text::new(text), out: Vec::with_capacity(half), room };
    match decoder.message(schema::request(signal), Some(DEPTH)).and_then(|()| decoder.text.end()) {
        Ok(()) => {
            decoder.room.claim.shrink_to(decoder.out.capacity());
            Ok(Buffer::with_claim(decoder.out, decoder.room.claim))
        }
        Err(fault) => Err(locate(body, *fault)),
    }
}

/// Steps from the beginning that are told of a path; the last three are told, too.
const MOST_STEPS: usize = 12;

#[cold]
fn locate(body: &[u8], fault: Fault) -> JsonError {
    let before = String::from_utf8_lossy(body.get(..fault.at).unwrap_or(body));
    let line = before.rsplit('\n').next().unwrap_or_default();
    let mut path = String::new();
    for step in fault.path.iter().rev() {
        match step {
            Step::Index(index) => path.push_str(&format!("[{index}]")),
            Step::Key(key) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(key);
            }
        }
    }
    JsonError {
        problem: fault.problem,
        path: shortened(path),
        offset: fault.at,
        line: before.matches('\n').count() + 1,
        column: line.trim_start_matches('\u{feff}').chars().count() + 1,
    }
}

/// The path to a value that is nested a hundred deep would hide what is said of it.
fn shortened(path: String) -> String {
    let steps: Vec<&str> = path.split('.').collect();
    match steps.as_slice() {
        [first @ .., _, _, _] if first.len() > MOST_STEPS => {
            let (begin, end) = (steps.get(..MOST_STEPS), steps.get(steps.len() - 3..));
            format!("{}.….{}", begin.unwrap_or_default().join("."), end.unwrap_or_default().join("."))
        }
        _ => path,
    }
}

struct Decoder<'a> {
    text: Text<'a>,
    out: Vec<u8>,
    room: Room,
}

/// What the output may take: claimed before an array of numbers makes it longer than the text.
struct Room {
    claim: Claim,
    bytes: usize,
}

/// More than one number and its key take.
const NUMBER: usize = 32;

impl Room {
    fn for_a_number_behind(&mut self, length: usize) -> std::result::Result<(), Spent> {
        if length + NUMBER > self.bytes {
            // The output is given twice its capacity, and is there twice while it moves.
            self.claim.grow_to(self.bytes.saturating_mul(3))?;
            self.bytes = self.bytes.saturating_mul(2).max(NUMBER);
        }
        Ok(())
    }
}

/// What was met of a message so far.
#[derive(Default)]
struct Met {
    /// Fields that were written, by their position in the table; no message has more than 32.
    fields: u32,
    /// Where the member of the `oneof` stands in the output.
    oneof: Option<(usize, usize)>,
}

/// A number, laid out as its kind asks.
#[derive(Clone, Copy)]
enum Scalar {
    Varint(u64),
    Fixed32(u32),
    Fixed64(u64),
}

impl Decoder<'_> {
    /// An object, as the content of `message`.
    fn message(&mut self, message: &'static Message, depth: Option<u32>) -> Result<()> {
        let Some(depth) = depth else {
            let at = self.text.position();
            return Err(fault(at, Problem::TooDeep));
        };
        if !self.text.eat(b'{') {
            return Err(self.text.unexpected(format!("an object ({})", message.name)));
        }
        if self.text.eat(b'}') {
            return Ok(());
        }
        let mut met = Met::default();
        loop {
            let key = self.text.string("a key")?;
            self.text.expect(b':', "a colon")?;
            match message.json_field(&key).and_then(|index| Some((index, message.fields.get(index)?))) {
                None => self.text.skip_value()?,
                // The default value of every field, says the JSON mapping of protobuf.
                Some(_) if self.text.eat_word("null") => {}
                Some((index, field)) => {
                    self.field(field, 1 << index, &mut met, depth.checked_sub(1)).map_err(|mut fault| {
                        fault.path.push(Step::Key(field.json));
                        fault
                    })?;
                }
            }
            if !self.text.eat(b',') {
                return self.text.expect(b'}', "a comma or the end of the object");
            }
        }
    }

    fn field(&mut self, field: &'static Field, bit: u32, met: &mut Met, below: Option<u32>) -> Result<()> {
        match field.rule {
            Rule::Repeated | Rule::List => self.array(field, below)?,
            Rule::Oneof => {
                // Of two members the last one counts, also where protobuf would merge them.
                if let Some((start, end)) = met.oneof.take() {
                    self.out.drain(start..end);
                }
                let start = self.out.len();
                self.value(field, true, below)?;
                met.oneof = Some((start, self.out.len()));
            }
            Rule::Optional => self.value(field, true, below)?,
            // A default is written only where it takes back an earlier value.
            Rule::Singular => self.value(field, met.fields & bit != 0, below)?,
        }
        met.fields |= bit;
        Ok(())
    }

    fn array(&mut self, field: &'static Field, below: Option<u32>) -> Result<()> {
        self.text.expect(b'[', "an array")?;
        if self.text.eat(b']') {
            return Ok(());
        }
        let packed = !matches!(field.kind.wire_type(), WireType::Bytes);
        let start = packed.then(|| self.open(field.number));
        let mut index = 0;
        loop {
            if let Err(spent) = self.room.for_a_number_behind(self.out.len()) {
                return Err(fault(self.text.position(), Problem::NoMemory(spent)));
            }
            let element = match field.kind {
                Kind::Message(_) if self.text.eat_word("null") => {
                    put_bytes(&mut self.out, field.number, &[]);
                    Ok(())
                }
                _ if packed => self.scalar(field.kind).map(|scalar| self.put(scalar)),
                _ => self.value(field, true, below),
            };
            element.map_err(|mut fault| {
                fault.path.push(Step::Index(index));
                fault
            })?;
            index += 1;
            if !self.text.eat(b',') {
                self.text.expect(b']', "a comma or the end of the array")?;
                break;
            }
        }
        if let Some(start) = start {
            self.close(start);
        }
        Ok(())
    }

    /// One value with its key on the wire; a default only if `always`.
    fn value(&mut self, field: &'static Field, always: bool, below: Option<u32>) -> Result<()> {
        match field.kind {
            Kind::Message(message) => {
                let start = self.open(field.number);
                self.message(message, below)?;
                self.close(start);
            }
            Kind::String => {
                let text = self.text.string("a string")?;
                self.put_bytes(field.number, text.as_bytes(), always);
            }
            Kind::Bytes => {
                let at = self.text.position();
                let text = self.text.string("a string in base64")?;
                let bytes = base64(&text).ok_or_else(|| unexpected(at, "a string in base64", &text))?;
                self.put_bytes(field.number, &bytes, always);
            }
            Kind::Id(length) => {
                let at = self.text.position();
                let text = self.text.string("an id as a string of hexadecimal digits")?;
                let mut id = [0; 16];
                let id = hexadecimal(&text, id.get_mut(..length).unwrap_or_default())
                    .ok_or_else(|| unexpected(at, &format!("{} hexadecimal digits", 2 * length), &text))?;
                self.put_bytes(field.number, id, always);
            }
            kind => {
                let scalar = self.scalar(kind)?;
                if always || !scalar.is_default() {
                    put_key(&mut self.out, field.number, kind.wire_type());
                    self.put(scalar);
                }
            }
        }
        Ok(())
    }

    fn put_bytes(&mut self, number: u32, bytes: &[u8], always: bool) {
        if always || !bytes.is_empty() {
            put_bytes(&mut self.out, number, bytes);
        }
    }

    fn put(&mut self, scalar: Scalar) {
        match scalar {
            Scalar::Varint(value) => put_varint(&mut self.out, value),
            Scalar::Fixed32(value) => self.out.extend_from_slice(&value.to_le_bytes()),
            Scalar::Fixed64(value) => self.out.extend_from_slice(&value.to_le_bytes()),
        }
    }

    /// Begins a length-delimited field; returns where its content begins. Its length is written by
    /// [`Decoder::close`].
    fn open(&mut self, number: u32) -> usize {
        put_key(&mut self.out, number, WireType::Bytes);
        self.out.push(0);
        self.out.len()
    }

    /// One byte was left for the length; a longer one moves the content. That is a copy for each
    /// of at most a hundred levels, and of a real request's bytes three.
    fn close(&mut self, start: usize) {
        let length = self.out.len() - start;
        let more = varint_len(length as u64) - 1;
        self.out.resize(start + length + more, 0);
        self.out.copy_within(start..start + length, start + more);
        let mut rest = length;
        for byte in self.out.iter_mut().skip(start - 1).take(more) {
            *byte = rest as u8 | 0x80;
            rest >>= 7;
        }
        if let Some(byte) = self.out.get_mut(start - 1 + more) {
            *byte = rest as u8;
        }
    }

    fn scalar(&mut self, kind: Kind) -> Result<Scalar> {
        Ok(match kind {
            Kind::Bool => Scalar::Varint(u64::from(self.boolean()?)),
            Kind::Int32 => Scalar::Varint(self.integer(i32::MIN.into(), i32::MAX.into())? as u64),
            Kind::Sint32 => {
                let value = self.integer(i32::MIN.into(), i32::MAX.into())? as i32;
                Scalar::Varint(u64::from(((value << 1) ^ (value >> 31)) as u32))
            }
            Kind::Uint32 => Scalar::Varint(self.integer(0, u32::MAX.into())? as u64),
            Kind::Int64 => Scalar::Varint(self.integer(i64::MIN.into(), i64::MAX.into())? as u64),
            Kind::Uint64 => Scalar::Varint(self.integer(0, u64::MAX.into())? as u64),
            Kind::Fixed32 => Scalar::Fixed32(self.integer(0, u32::MAX.into())? as u32),
            Kind::Fixed64 => Scalar::Fixed64(self.integer(0, u64::MAX.into())? as u64),
            Kind::Sfixed64 => Scalar::Fixed64(self.integer(i64::MIN.into(), i64::MAX.into())? as u64),
            Kind::Double => Scalar::Fixed64(self.double()?.to_bits()),
            Kind::Enum(names) => Scalar::Varint(self.enumeration(names)? as u64),
            // Not numbers; `value` reads them.
            Kind::String | Kind::Id(_) | Kind::Bytes | Kind::Message(_) => {
                return Err(self.text.unexpected("a number"));
            }
        })
    }

    fn boolean(&mut self) -> Result<bool> {
        if self.text.eat_word("true") {
            Ok(true)
        } else if self.text.eat_word("false") {
            Ok(false)
        } else {
            Err(self.text.unexpected("true or false"))
        }
    }

    fn integer(&mut self, min: i128, max: i128) -> Result<i128> {
        let expected = || format!("a whole number from {min} to {max}");
        let in_range = |text: &str| number::integer(text).ok().filter(|value| (min..=max).contains(value));
        self.numeric(expected, in_range)
    }

    fn double(&mut self) -> Result<f64> {
        self.numeric(|| "a number, \"NaN\", \"Infinity\" or \"-Infinity\"".to_owned(), number::double)
    }

    fn enumeration(&mut self, names: &'static schema::Enum) -> Result<i64> {
        let expected =
            || format!("a {} by number or by name, such as {}", names.name, names.values.last().unwrap_or(&""));
        let known = |text: &str| match names.values.iter().position(|name| *name == text) {
            Some(number) => Some(number as i64),
            // An enumeration is open: numbers that have no name yet go through.
            None => number::integer(text).ok().and_then(|number| i32::try_from(number).ok()).map(i64::from),
        };
        self.numeric(expected, known)
    }

    /// A number, as it is or quoted.
    fn numeric<T>(&mut self, expected: impl Fn() -> String, read: impl Fn(&str) -> Option<T>) -> Result<T> {
        let at = self.text.position();
        match self.text.peek() {
            Some(b'"') => {
                let text = self.text.string("a number")?;
                read(&text).ok_or_else(|| unexpected(at, &expected(), &text))
            }
            Some(b'-' | b'0'..=b'9') => {
                let text = self.text.number(expected())?;
                read(text).ok_or_else(|| {
                    let found = text.chars().take(40).collect();
                    fault(at, Problem::Unexpected { expected: expected(), found })
                })
            }
            _ => Err(self.text.unexpected(expected())),
        }
    }
}

impl Scalar {
    fn is_default(self) -> bool {
        match self {
            Scalar::Varint(value) | Scalar::Fixed64(value) => value == 0,
            Scalar::Fixed32(value) => value == 0,
        }
    }
}

#[cold]
fn unexpected(at: usize, expected: &str, text: &str) -> Box<Fault> {
    let found: String = text.chars().take(40).collect();
    let more = if found.len() < text.len() { "..." } else { "" };
    fault(at, Problem::Unexpected { expected: expected.to_owned(), found: format!("{found:?}{more}") })
}

/// Fills `id` from exactly two digits a byte. Nothing is an id too: the empty one, which many
/// senders write for a root's parent.
fn hexadecimal<'i>(text: &str, id: &'i mut [u8]) -> Option<&'i [u8]> {
    if text.is_empty() {
        return Some(&[]);
    }
    if text.len() != 2 * id.len() {
        return None;
    }
    for (byte, digits) in id.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let &[high, low] = digits else { return None };
        let digit = |digit: u8| char::from(digit).to_digit(16);
        *byte = (digit(high)? << 4 | digit(low)?) as u8;
    }
    Some(id)
}

/// Both alphabets, padded or not.
fn base64(text: &str) -> Option<Vec<u8>> {
    const CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, CONFIG);
    const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, CONFIG);
    let engine = if text.contains(['-', '_']) { URL_SAFE } else { STANDARD };
    engine.decode(text).ok()
}
