//! Protobuf's wire form: a small reader over hostile bytes, and the few writers that an edit needs.
//!
//! The reader accepts and refuses exactly what prost 0.14 accepts and refuses, because a request
//! that a strict peer would refuse must be refused here and never reach a batch. What a *message*
//! looks like is not known here; see [`super::schema`] and [`super::span`].

use thiserror::Error;

/// How deep messages may nest, as in prost: the outermost message is at depth 100, a message below
/// depth 0 is refused.
pub const DEPTH: u32 = 100;

/// Why bytes are not a protobuf message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WireError {
    /// The bytes end in the middle of a field.
    #[error("the message ends in the middle of {what} ({needed} bytes missing)")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// How many bytes more it takes.
        needed: u64,
    },
    /// A varint of more than ten bytes, or one that does not fit 64 bits.
    #[error("a varint is longer than 64 bits")]
    VarintOverflow,
    /// A field key outside of 32 bits, or with field number 0.
    #[error("{key} is not a field key")]
    BadKey {
        /// The key as read.
        key: u64,
    },
    /// A wire type that protobuf does not define.
    #[error("wire type {wire_type} of field {field} does not exist")]
    BadWireType {
        /// The field's number.
        field: u32,
        /// The three low bits of the key.
        wire_type: u8,
    },
    /// A known field in another wire type than its own.
    #[error("{message}.{field} has wire type {found:?}, expected {expected:?}")]
    WrongWireType {
        /// The message that the field belongs to.
        message: &'static str,
        /// The field's name.
        field: &'static str,
        /// The wire type in the bytes.
        found: WireType,
        /// The wire type of the field's declaration.
        expected: WireType,
    },
    /// A group that ends without having begun, or ends another one.
    #[error("a group ends that did not begin")]
    UnexpectedEndGroup,
    /// A string that is not UTF-8.
    #[error("{message}.{field} is not valid UTF-8")]
    NotUtf8 {
        /// The message that the field belongs to.
        message: &'static str,
        /// The field's name.
        field: &'static str,
    },
    /// Messages nested deeper than [`DEPTH`].
    #[error("messages are nested more than {DEPTH} deep")]
    TooDeep,
}

/// How a field is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireType {
    /// A base-128 number.
    Varint,
    /// Eight bytes, little endian.
    Fixed64,
    /// A length, then that many bytes.
    Bytes,
    /// The begin of a group (deprecated in protobuf, legal in unknown fields).
    StartGroup,
    /// The end of a group.
    EndGroup,
    /// Four bytes, little endian.
    Fixed32,
}

/// The value of one field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Payload<'a> {
    /// A base-128 number.
    Varint(u64),
    /// Eight bytes, little endian.
    Fixed64(u64),
    /// Four bytes, little endian.
    Fixed32(u32),
    /// A length-delimited field's content.
    Bytes(&'a [u8]),
    /// A whole group; unknown to every message of OTLP.
    Group,
}

impl Payload<'_> {
    /// The wire type that this payload came in.
    pub fn wire_type(&self) -> WireType {
        match self {
            Payload::Varint(_) => WireType::Varint,
            Payload::Fixed64(_) => WireType::Fixed64,
            Payload::Fixed32(_) => WireType::Fixed32,
            Payload::Bytes(_) => WireType::Bytes,
            Payload::Group => WireType::StartGroup,
        }
    }
}

/// One field of a message: its number, its value, and where it stands.
#[derive(Debug, Clone, Copy)]
pub struct Field<'a> {
    /// The field's number.
    pub number: u32,
    /// The field's value.
    pub payload: Payload<'a>,
    /// Offset of the field's key in the bytes that the reader was made from.
    pub start: usize,
    /// Offset of the first byte after the field.
    pub end: usize,
}

impl<'a> Field<'a> {
    /// The content of a length-delimited field.
    ///
    /// # Errors
    /// [`WireError::WrongWireType`] naming `message` and `field`.
    #[inline]
    pub fn bytes(&self, message: &'static str, field: &'static str) -> Result<&'a [u8], WireError> {
        match self.payload {
            Payload::Bytes(bytes) => Ok(bytes),
            _ => Err(self.wrong(message, field, WireType::Bytes)),
        }
    }

    /// The content of a string field.
    ///
    /// # Errors
    /// [`WireError::WrongWireType`] and [`WireError::NotUtf8`].
    #[inline]
    pub fn string(&self, message: &'static str, field: &'static str) -> Result<&'a str, WireError> {
        let bytes = self.bytes(message, field)?;
        std::str::from_utf8(bytes).map_err(|_| WireError::NotUtf8 { message, field })
    }

    /// The content of an integer, boolean or enumeration field.
    ///
    /// # Errors
    /// [`WireError::WrongWireType`].
    #[inline]
    pub fn varint(&self, message: &'static str, field: &'static str) -> Result<u64, WireError> {
        match self.payload {
            Payload::Varint(value) => Ok(value),
            _ => Err(self.wrong(message, field, WireType::Varint)),
        }
    }

    /// The content of a `fixed64`, `sfixed64` or `double` field, as bits.
    ///
    /// # Errors
    /// [`WireError::WrongWireType`].
    #[inline]
    pub fn fixed64(&self, message: &'static str, field: &'static str) -> Result<u64, WireError> {
        match self.payload {
            Payload::Fixed64(value) => Ok(value),
            _ => Err(self.wrong(message, field, WireType::Fixed64)),
        }
    }

    /// The content of a `fixed32` field.
    ///
    /// # Errors
    /// [`WireError::WrongWireType`].
    #[inline]
    pub fn fixed32(&self, message: &'static str, field: &'static str) -> Result<u32, WireError> {
        match self.payload {
            Payload::Fixed32(value) => Ok(value),
            _ => Err(self.wrong(message, field, WireType::Fixed32)),
        }
    }

    #[cold]
    fn wrong(&self, message: &'static str, field: &'static str, expected: WireType) -> WireError {
        WireError::WrongWireType { message, field, found: self.payload.wire_type(), expected }
    }
}

/// Reads the fields of one message, in the order in which they stand.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: u32,
}

impl<'a> Reader<'a> {
    /// A reader of an outermost message.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes, at: 0, depth: DEPTH }
    }

    /// A reader of a message at a given depth (see [`DEPTH`]; counts down).
    ///
    /// # Errors
    /// [`WireError::TooDeep`] if no message may stand at `depth`.
    #[inline]
    pub fn at_depth(bytes: &'a [u8], depth: Option<u32>) -> Result<Self, WireError> {
        match depth {
            Some(depth) => Ok(Reader { bytes, at: 0, depth }),
            None => Err(WireError::TooDeep),
        }
    }

    /// The depth of a message in one of this message's fields; `None` where none may stand.
    #[inline]
    pub fn below(&self) -> Option<u32> {
        self.depth.checked_sub(1)
    }

    /// The next field, or `None` at the end.
    ///
    /// # Errors
    /// Whatever makes the bytes not a message; see [`WireError`].
    #[inline]
    #[allow(clippy::should_implement_trait, reason = "fallible, and borrows nothing from the reader")]
    pub fn next(&mut self) -> Result<Option<Field<'a>>, WireError> {
        if self.at == self.bytes.len() {
            return Ok(None);
        }
        let start = self.at;
        let (number, wire_type) = self.key()?;
        let payload = match wire_type {
            WireType::Bytes => Payload::Bytes(self.take_delimited()?),
            WireType::Varint => Payload::Varint(self.varint()?),
            WireType::Fixed64 => Payload::Fixed64(u64::from_le_bytes(self.take()?)),
            WireType::Fixed32 => Payload::Fixed32(u32::from_le_bytes(self.take()?)),
            WireType::StartGroup => {
                self.skip_group(number)?;
                Payload::Group
            }
            WireType::EndGroup => return Err(WireError::UnexpectedEndGroup),
        };
        Ok(Some(Field { number, payload, start, end: self.at }))
    }

    /// The content of the next field, if its key is this one byte and its length is whole; otherwise
    /// nothing is read. A short cut past [`Reader::next`] for what most of a message consists of.
    #[inline]
    pub(super) fn next_if(&mut self, key: u8) -> Option<Field<'a>> {
        let rest = self.bytes.get(self.at..)?;
        let (head, length) = match *rest {
            [first, length @ 0..0x80, ..] if first == key => (2, usize::from(length)),
            [first, low, high @ 0..0x80, ..] if first == key => (3, usize::from(low & 0x7f) | usize::from(high) << 7),
            _ => return None,
        };
        let content = rest.get(head..head + length)?;
        let start = self.at;
        self.at += head + length;
        Some(Field { number: u32::from(key >> 3), payload: Payload::Bytes(content), start, end: self.at })
    }

    /// The next value of a packed field, whose content this reader was made from.
    ///
    /// # Errors
    /// [`WireError::Truncated`] and [`WireError::VarintOverflow`].
    #[inline]
    pub fn packed(&mut self, wire_type: WireType) -> Result<Option<Payload<'a>>, WireError> {
        if self.at == self.bytes.len() {
            return Ok(None);
        }
        Ok(Some(match wire_type {
            WireType::Fixed64 => Payload::Fixed64(u64::from_le_bytes(self.take()?)),
            WireType::Fixed32 => Payload::Fixed32(u32::from_le_bytes(self.take()?)),
            _ => Payload::Varint(self.varint()?),
        }))
    }

    /// Refuses an unknown field where prost would: at the depth limit even skipping is refused.
    ///
    /// # Errors
    /// [`WireError::TooDeep`].
    #[inline]
    pub fn unknown(&self) -> Result<(), WireError> {
        // A reader exists only at a depth where a message may stand, and prost's `skip_field`
        // is called one level below its message.
        if self.depth == 0 { Err(WireError::TooDeep) } else { Ok(()) }
    }

    #[inline]
    fn key(&mut self) -> Result<(u32, WireType), WireError> {
        let key = self.varint()?;
        let number = match u32::try_from(key) {
            Ok(key) if key >> 3 != 0 => key >> 3,
            _ => return Err(WireError::BadKey { key }),
        };
        let low = (key & 7) as u8;
        let wire_type = match low {
            0 => WireType::Varint,
            1 => WireType::Fixed64,
            2 => WireType::Bytes,
            3 => WireType::StartGroup,
            4 => WireType::EndGroup,
            5 => WireType::Fixed32,
            wire_type => return Err(WireError::BadWireType { field: number, wire_type }),
        };
        Ok((number, wire_type))
    }

    /// One varint; as in prost the tenth byte may only be 0 or 1.
    #[inline]
    pub fn varint(&mut self) -> Result<u64, WireError> {
        match self.bytes.get(self.at) {
            Some(&byte) if byte < 0x80 => {
                self.at += 1;
                Ok(u64::from(byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0u64;
        for (index, &byte) in self.bytes[self.at..].iter().take(10).enumerate() {
            if index == 9 && byte > 1 {
                return Err(WireError::VarintOverflow);
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                self.at += index + 1;
                return Ok(value);
            }
        }
        Err(WireError::Truncated { what: "a varint", needed: 1 })
    }

    #[inline]
    fn take<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        match self.bytes[self.at..].first_chunk::<N>() {
            Some(chunk) => {
                self.at += N;
                Ok(*chunk)
            }
            None => Err(WireError::Truncated {
                what: "a fixed-size number",
                needed: (N - (self.bytes.len() - self.at)) as u64,
            }),
        }
    }

    #[inline]
    fn take_delimited(&mut self) -> Result<&'a [u8], WireError> {
        let length = self.varint()?;
        let rest = &self.bytes[self.at..];
        if length > rest.len() as u64 {
            return Err(WireError::Truncated { what: "a length-delimited field", needed: length - rest.len() as u64 });
        }
        let length = length as usize;
        self.at += length;
        Ok(&rest[..length])
    }

    /// Skips to the end of group `number`. Groups nest without recursion here, so that hostile
    /// nesting costs depth and not stack.
    fn skip_group(&mut self, number: u32) -> Result<(), WireError> {
        let mut open = vec![number];
        // The group itself is skipped at the depth below its message, each inner field one lower.
        let mut depth = self.below().ok_or(WireError::TooDeep)?;
        while let Some(&innermost) = open.last() {
            let (field, wire_type) = self.key()?;
            if wire_type == WireType::EndGroup {
                if field != innermost {
                    return Err(WireError::UnexpectedEndGroup);
                }
                open.pop();
                depth += 1;
                continue;
            }
            if depth == 0 {
                return Err(WireError::TooDeep);
            }
            match wire_type {
                WireType::Varint => drop(self.varint()?),
                WireType::Fixed64 => drop(self.take::<8>()?),
                WireType::Fixed32 => drop(self.take::<4>()?),
                WireType::Bytes => drop(self.take_delimited()?),
                WireType::StartGroup => {
                    open.push(field);
                    depth -= 1;
                }
                WireType::EndGroup => {}
            }
        }
        Ok(())
    }
}

/// Bytes that `value` takes as a varint.
#[inline]
pub fn varint_len(value: u64) -> usize {
    // 1 + floor(log2(value) / 7), without a division; from prost.
    ((((value | 1).leading_zeros() ^ 63) * 9 + 73) / 64) as usize
}

/// Appends `value` as a minimal varint.
#[inline]
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends the key of a field.
#[inline]
pub fn put_key(out: &mut Vec<u8>, number: u32, wire_type: WireType) {
    let low = match wire_type {
        WireType::Varint => 0,
        WireType::Fixed64 => 1,
        WireType::Bytes => 2,
        WireType::StartGroup => 3,
        WireType::EndGroup => 4,
        WireType::Fixed32 => 5,
    };
    put_varint(out, u64::from(number) << 3 | low);
}

/// Appends a whole length-delimited field.
#[inline]
pub fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_key(out, number, WireType::Bytes);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends a whole varint field.
#[inline]
pub fn put_uint(out: &mut Vec<u8>, number: u32, value: u64) {
    put_key(out, number, WireType::Varint);
    put_varint(out, value);
}

/// Bytes that a length-delimited field takes whose content has `length` bytes.
#[inline]
pub fn delimited_len(number: u32, length: usize) -> usize {
    varint_len(u64::from(number) << 3) + varint_len(length as u64) + length
}
