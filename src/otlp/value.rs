//! `AnyValue` and `KeyValue`: read as borrowed views, written straight to the wire form.
//!
//! A view is made only from bytes that [`check_any_value`] has accepted, so reading it cannot fail.

use std::borrow::Cow;

use super::wire::{
    Field, Payload, Reader, WireError, WireType, delimited_len, put_bytes, put_key, put_uint, put_varint, varint_len,
};

/// A borrowed `AnyValue`.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// No value is set, which OTLP allows.
    Empty,
    /// `string_value`.
    Str(Cow<'a, str>),
    /// `bool_value`.
    Bool(bool),
    /// `int_value`.
    Int(i64),
    /// `double_value`.
    Double(f64),
    /// `bytes_value`.
    Bytes(Cow<'a, [u8]>),
    /// `array_value`.
    Array(Array<'a>),
    /// `kvlist_value`.
    KvList(KvList<'a>),
}

/// The encoded `ArrayValue` of a [`Value::Array`].
#[derive(Debug, Clone, PartialEq)]
pub struct Array<'a>(Cow<'a, [u8]>);

/// The encoded `KeyValueList` of a [`Value::KvList`].
#[derive(Debug, Clone, PartialEq)]
pub struct KvList<'a>(Cow<'a, [u8]>);

impl<'a> Value<'a> {
    /// Reads an `AnyValue`'s encoded content. Of several values the last wins; arrays and lists
    /// that come in pieces are merged, as protobuf says of a repeated `oneof` member.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Value<'a> {
        // Most values: a short text, a number that is not large, and nothing else.
        match *bytes {
            [0x0a, length @ 0..0x80, ref text @ ..] if text.len() == usize::from(length) => Value::text(text),
            [0x18, number @ 0..0x80] => Value::Int(i64::from(number)),
            [0x18, low, high @ 0..0x80] => Value::Int(i64::from(low & 0x7f) | i64::from(high) << 7),
            _ => Value::parse_any(bytes),
        }
    }

    #[inline]
    fn text(bytes: &'a [u8]) -> Value<'a> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Value::Str(Cow::Borrowed(text)),
            Err(_) => Value::Empty,
        }
    }

    fn parse_any(bytes: &'a [u8]) -> Value<'a> {
        let mut value = Value::Empty;
        for field in fields(bytes) {
            value = match (field.number, field.payload) {
                (1, Payload::Bytes(text)) => Value::text(text),
                (2, Payload::Varint(flag)) => Value::Bool(flag != 0),
                (3, Payload::Varint(number)) => Value::Int(number as i64),
                (4, Payload::Fixed64(bits)) => Value::Double(f64::from_bits(bits)),
                (5, Payload::Bytes(more)) => match value {
                    Value::Array(Array(first)) => Value::Array(Array(concat(first, more))),
                    _ => Value::Array(Array(Cow::Borrowed(more))),
                },
                (6, Payload::Bytes(more)) => match value {
                    Value::KvList(KvList(first)) => Value::KvList(KvList(concat(first, more))),
                    _ => Value::KvList(KvList(Cow::Borrowed(more))),
                },
                (7, Payload::Bytes(bytes)) => Value::Bytes(Cow::Borrowed(bytes)),
                // A reference into the profiles dictionary: "as if this value were absent".
                (8, _) => Value::Empty,
                _ => value,
            };
        }
        value
    }

    /// As [`Value::parse`], without borrowing from `bytes`.
    pub fn parse_owned(bytes: &[u8]) -> Value<'static> {
        match Value::parse(bytes) {
            Value::Empty => Value::Empty,
            Value::Str(text) => Value::Str(Cow::Owned(text.into_owned())),
            Value::Bool(flag) => Value::Bool(flag),
            Value::Int(number) => Value::Int(number),
            Value::Double(number) => Value::Double(number),
            Value::Bytes(bytes) => Value::Bytes(Cow::Owned(bytes.into_owned())),
            Value::Array(Array(bytes)) => Value::Array(Array(Cow::Owned(bytes.into_owned()))),
            Value::KvList(KvList(bytes)) => Value::KvList(KvList(Cow::Owned(bytes.into_owned()))),
        }
    }

    /// The text, if this is a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if this is an integer.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        matches!(self, Value::Empty)
    }

    /// A string array.
    pub fn strings<I, S>(items: I) -> Value<'static>
    where
        I: IntoIterator<Item = S>,
        S: AsRef<str>,
    {
        let mut array = Vec::new();
        let mut element = Vec::new();
        for item in items {
            element.clear();
            put_bytes(&mut element, 1, item.as_ref().as_bytes());
            put_bytes(&mut array, 1, &element);
        }
        Value::Array(Array(Cow::Owned(array)))
    }

    /// Bytes that [`Value::encode`] appends.
    pub(super) fn encoded_len(&self) -> usize {
        match self {
            Value::Empty => 0,
            Value::Str(text) => delimited_len(1, text.len()),
            Value::Bool(_) => 2,
            Value::Int(number) => 1 + varint_len(*number as u64),
            Value::Double(_) => 9,
            Value::Array(Array(bytes)) => delimited_len(5, bytes.len()),
            Value::KvList(KvList(bytes)) => delimited_len(6, bytes.len()),
            Value::Bytes(bytes) => delimited_len(7, bytes.len()),
        }
    }

    /// Appends the content of the `AnyValue` message.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Value::Empty => {}
            Value::Str(text) => put_bytes(out, 1, text.as_bytes()),
            Value::Bool(flag) => put_uint(out, 2, u64::from(*flag)),
            Value::Int(number) => put_uint(out, 3, *number as u64),
            Value::Double(number) => {
                put_key(out, 4, WireType::Fixed64);
                out.extend_from_slice(&number.to_le_bytes());
            }
            Value::Array(Array(bytes)) => put_bytes(out, 5, bytes),
            Value::KvList(KvList(bytes)) => put_bytes(out, 6, bytes),
            Value::Bytes(bytes) => put_bytes(out, 7, bytes),
        }
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::Str(Cow::Borrowed(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Value::Str(Cow::Owned(text))
    }
}

impl<'a> From<Cow<'a, str>> for Value<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        Value::Str(text)
    }
}

impl From<bool> for Value<'_> {
    fn from(flag: bool) -> Self {
        Value::Bool(flag)
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Value::Int(number)
    }
}

impl From<f64> for Value<'_> {
    fn from(number: f64) -> Self {
        Value::Double(number)
    }
}

impl Array<'_> {
    /// The elements, in order.
    pub fn iter(&self) -> impl Iterator<Item = Value<'_>> {
        fields(&self.0).filter_map(|field| match (field.number, field.payload) {
            (1, Payload::Bytes(element)) => Some(Value::parse(element)),
            _ => None,
        })
    }

    /// The encoded `ArrayValue`.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl KvList<'_> {
    /// The entries, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Value<'_>)> {
        fields(&self.0).filter_map(|field| match (field.number, field.payload) {
            (1, Payload::Bytes(entry)) => {
                let entry = KeyValue::parse_checked(entry);
                let key = entry.key();
                let value = match entry.value {
                    Cow::Borrowed(bytes) => Value::parse(bytes),
                    Cow::Owned(bytes) => Value::parse_owned(&bytes),
                };
                Some((key, value))
            }
            _ => None,
        })
    }

    /// The value under `key`, if any.
    pub fn get(&self, key: &str) -> Option<Value<'_>> {
        self.iter().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// The encoded `KeyValueList`.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

fn concat<'a>(first: Cow<'a, [u8]>, more: &[u8]) -> Cow<'a, [u8]> {
    let mut all = first.into_owned();
    all.extend_from_slice(more);
    Cow::Owned(all)
}

/// The fields of bytes that were checked before; ends early where they were not.
pub(crate) fn fields<'a>(bytes: &'a [u8]) -> impl Iterator<Item = Field<'a>> {
    let mut reader = Reader::new(bytes);
    std::iter::from_fn(move || reader.next().ok().flatten())
}

/// A borrowed `KeyValue`: the key, and the encoded content of its `AnyValue`.
#[derive(Debug, Clone)]
pub struct KeyValue<'a> {
    /// The attribute's key, which was checked to be text. Kept as bytes, because most keys are only
    /// compared, and a second look at them as text would cost as much as the first.
    key: &'a [u8],
    /// The encoded `AnyValue`; owned only when it came in several pieces.
    pub value: Cow<'a, [u8]>,
    source: &'a [u8],
    /// The value's text if it is a long one, so that kilobytes are not validated again each time
    /// that somebody looks at them; empty otherwise.
    text: &'a str,
}

/// Text from this many bytes on is remembered as text.
const LONG_TEXT: usize = 256;

/// The encoded value of an attribute; parsed only when asked for.
#[derive(Debug, Clone, Copy)]
pub struct RawValue<'s> {
    bytes: &'s [u8],
    /// As in [`KeyValue`].
    text: &'s str,
}

impl<'s> RawValue<'s> {
    pub(super) fn new(bytes: &'s [u8]) -> Self {
        RawValue { bytes, text: "" }
    }

    /// The value.
    pub fn parse(self) -> Value<'s> {
        match self.text {
            "" => Value::parse(self.bytes),
            text => Value::Str(Cow::Borrowed(text)),
        }
    }

    /// The `AnyValue`'s encoded content.
    pub fn as_bytes(self) -> &'s [u8] {
        self.bytes
    }
}

impl<'a> KeyValue<'a> {
    /// Reads and checks a `KeyValue`'s encoded content.
    ///
    /// # Errors
    /// Whatever prost would refuse.
    #[inline(always)]
    pub fn check(bytes: &'a [u8], depth: Option<u32>) -> Result<KeyValue<'a>, WireError> {
        match KeyValue::check_usual(bytes) {
            Some(entry) if depth > Some(0) => Ok(entry),
            _ => KeyValue::check_any(bytes, depth),
        }
    }

    /// A key, then a scalar value, each in its shortest form, as every SDK writes them: some twenty
    /// times a span, so that this is where a request's check spends its time. `None` for anything
    /// else, right or wrong.
    #[inline(always)]
    fn check_usual(bytes: &'a [u8]) -> Option<KeyValue<'a>> {
        let [0x0a, length @ 0..0x80, rest @ ..] = bytes else { return None };
        let (key, rest) = rest.split_at_checked(usize::from(*length))?;
        let [0x12, rest @ ..] = rest else { return None };
        let value = whole(rest)?;
        let mut long = "";
        let is_right = match value {
            [0x0a, text @ ..] => match whole(text)? {
                // What stands between key and text is below 0x80 as well, if the text is short.
                text if text.len() < 0x80 => bytes.is_ascii() || (is_text(key) && is_text(text)),
                text if text.len() < LONG_TEXT => is_text(key) && is_text(text),
                text => {
                    long = std::str::from_utf8(text).ok()?;
                    is_text(key)
                }
            },
            [0x10, 0 | 1] => is_text(key),
            [0x18, number @ .., 0..0x80] => number.len() < 9 && number.iter().all(|byte| *byte >= 0x80) && is_text(key),
            [0x21, double @ ..] => double.len() == 8 && is_text(key),
            _ => false,
        };
        is_right.then_some(KeyValue { key, value: Cow::Borrowed(value), source: bytes, text: long })
    }

    #[cold]
    #[inline(never)]
    fn check_any(bytes: &'a [u8], depth: Option<u32>) -> Result<KeyValue<'a>, WireError> {
        let mut reader = Reader::at_depth(bytes, depth)?;
        let mut entry = KeyValue { key: &[], value: Cow::Borrowed(&[]), source: bytes, text: "" };
        while let Some(field) = reader.next()? {
            match field.number {
                1 => entry.key = field.string("KeyValue", "key")?.as_bytes(),
                2 => {
                    let value = field.bytes("KeyValue", "value")?;
                    check_any_value(value, reader.below())?;
                    entry.add_value(value);
                }
                3 => drop(field.varint("KeyValue", "key_strindex")?),
                _ => reader.unknown()?,
            }
        }
        Ok(entry)
    }

    /// Reads a `KeyValue` that was checked before.
    pub(crate) fn parse_checked(bytes: &'a [u8]) -> KeyValue<'a> {
        let mut entry = KeyValue { key: &[], value: Cow::Borrowed(&[]), source: bytes, text: "" };
        for field in fields(bytes) {
            match (field.number, field.payload) {
                (1, Payload::Bytes(key)) => entry.key = key,
                (2, Payload::Bytes(value)) => entry.add_value(value),
                _ => {}
            }
        }
        entry
    }

    /// A value that comes in pieces is their concatenation, which is how protobuf merges messages.
    fn add_value(&mut self, bytes: &'a [u8]) {
        self.value = match std::mem::take(&mut self.value) {
            Cow::Borrowed(&[]) => Cow::Borrowed(bytes),
            first => concat(first, bytes),
        };
    }

    /// The attribute's key.
    pub fn key(&self) -> &'a str {
        std::str::from_utf8(self.key).unwrap_or_default()
    }

    /// The attribute's key, to be compared.
    #[inline]
    pub(crate) fn key_bytes(&self) -> &'a [u8] {
        self.key
    }

    /// The value, to be parsed when asked for.
    pub(super) fn raw_value(&self) -> RawValue<'_> {
        RawValue { bytes: &self.value, text: self.text }
    }

    /// The value.
    pub fn parse_value(&self) -> Value<'a> {
        match (self.text, &self.value) {
            ("", Cow::Borrowed(bytes)) => Value::parse(bytes),
            ("", Cow::Owned(bytes)) => Value::parse_owned(bytes),
            (text, _) => Value::Str(Cow::Borrowed(text)),
        }
    }

    /// What follows the key, if the key comes first and a single value is all that follows.
    #[inline]
    pub(super) fn after_key(&self) -> Option<&'a [u8]> {
        let [0x0a, length @ 0..0x80, rest @ ..] = self.source else { return None };
        let (_, rest) = rest.split_at_checked(usize::from(*length))?;
        let [0x12, value @ ..] = rest else { return None };
        whole(value).map(|_| rest)
    }

    /// The `KeyValue`'s encoded content as it came.
    pub(super) fn source(&self) -> &'a [u8] {
        self.source
    }
}

/// Whether a short text is valid UTF-8, which is ASCII almost always.
#[inline]
fn is_text(bytes: &[u8]) -> bool {
    bytes.is_ascii() || std::str::from_utf8(bytes).is_ok()
}

/// The content of a length-delimited field whose length is of one to three bytes and takes up all
/// that is left.
#[inline]
fn whole(bytes: &[u8]) -> Option<&[u8]> {
    let (length, content) = match *bytes {
        [length @ 0..0x80, ref content @ ..] => (usize::from(length), content),
        [low, high @ 0..0x80, ref content @ ..] => (usize::from(low & 0x7f) | usize::from(high) << 7, content),
        [low, middle, high @ 0..0x80, ref content @ ..] => {
            (usize::from(low & 0x7f) | usize::from(middle & 0x7f) << 7 | usize::from(high) << 14, content)
        }
        _ => return None,
    };
    (content.len() == length).then_some(content)
}

/// Checks an `AnyValue`'s encoded content as prost would.
///
/// # Errors
/// What is wrong with it.
#[inline]
pub fn check_any_value(bytes: &[u8], depth: Option<u32>) -> Result<(), WireError> {
    let mut reader = Reader::at_depth(bytes, depth)?;
    while let Some(field) = reader.next()? {
        match field.number {
            1 => drop(field.string("AnyValue", "string_value")?),
            2 => drop(field.varint("AnyValue", "bool_value")?),
            3 => drop(field.varint("AnyValue", "int_value")?),
            4 => drop(field.fixed64("AnyValue", "double_value")?),
            5 => {
                let array = field.bytes("AnyValue", "array_value")?;
                check_list(array, reader.below(), "ArrayValue", check_any_value)?;
            }
            6 => {
                let list = field.bytes("AnyValue", "kvlist_value")?;
                check_list(list, reader.below(), "KeyValueList", |entry, depth| {
                    KeyValue::check(entry, depth).map(drop)
                })?;
            }
            7 => drop(field.bytes("AnyValue", "bytes_value")?),
            8 => drop(field.varint("AnyValue", "string_value_strindex")?),
            _ => reader.unknown()?,
        }
    }
    Ok(())
}

fn check_list(
    bytes: &[u8],
    depth: Option<u32>,
    message: &'static str,
    element: impl Fn(&[u8], Option<u32>) -> Result<(), WireError>,
) -> Result<(), WireError> {
    let mut reader = Reader::at_depth(bytes, depth)?;
    while let Some(field) = reader.next()? {
        match field.number {
            1 => element(field.bytes(message, "values")?, reader.below())?,
            _ => reader.unknown()?,
        }
    }
    Ok(())
}

/// Appends a `KeyValue` as field `number`, from an already encoded `AnyValue`.
pub fn put_key_value(out: &mut Vec<u8>, number: u32, key: &str, value: &[u8]) {
    let length = delimited_len(1, key.len()) + delimited_len(2, value.len());
    put_key(out, number, WireType::Bytes);
    put_varint(out, length as u64);
    put_bytes(out, 1, key.as_bytes());
    put_bytes(out, 2, value);
}
