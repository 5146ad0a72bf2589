//! An item's attributes and the changes made to them: the half of [`super::span::Span`] and its like
//! that finds, sets, removes and renames. What is not here: the item's own fields, which are its own
//! file's; how the whole is written, which is [`super::patch`]'s; what a value is, which is
//! [`super::value`]'s.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::ops::Range;

use super::patch::Patch;
use super::tags::{Tags, tag};
use super::value::{KeyValue, RawValue, Value, fields};
use super::wire::{Field, Payload, WireError, WireType, delimited_len, put_bytes, put_key, put_varint};

/// The key on the wire of a length-delimited field with a number below 16.
pub(super) const fn key(number: u32) -> u8 {
    (number as u8) << 3 | 2
}

/// With more attributes than this a lookup goes through an index: 128 is the SDKs' default limit,
/// so that a well-behaved span never pays for one, and a span of a hundred thousand keys cannot
/// make a stage that edits each of them quadratic.
pub(super) const INDEXED_ABOVE: usize = 128;

/// The attributes of one item, which are its field of this number. Reused from item to item.
#[derive(Debug, Default)]
pub(super) struct AttributeList<'a, const NUMBER: u32> {
    source: Vec<Attribute<'a>>,
    added: Vec<Option<Written>>,
    /// The fields of `Replaced` and added attributes.
    written: Vec<Written>,
    /// The [`tag`] of the key at each place, as long as there is no index: most of what stages ask
    /// for is not there, and eight tags are looked at for the price of one key. A tag may be out of
    /// date where an attribute was removed.
    tags: Tags<INDEXED_ABOVE>,
    scratch: Vec<u8>,
    index: Option<Index>,
    /// Whether any edit changed anything.
    edited: bool,
    /// Buffers for one edit, kept for their capacity.
    value: Vec<u8>,
    content: Vec<u8>,
    text: String,
}

/// Where the attributes of a key are, first one first. Holds live attributes only. An attribute's
/// place is its number in the source, or the source's length plus its number among the added.
type Index = HashMap<String, VecDeque<usize>, foldhash::fast::RandomState>;

#[derive(Debug)]
struct Attribute<'a> {
    entry: KeyValue<'a>,
    /// Where the field stands in the item.
    field: Range<usize>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Kept,
    Removed,
    /// Stands in `written` under this number.
    Replaced(u32),
}

/// A new field in the scratch buffer.
#[derive(Debug, Clone)]
struct Written {
    field: Range<usize>,
    key: Range<usize>,
    /// `None` if the `KeyValue` has no value at all.
    value: Option<Range<usize>>,
}

/// What an edit does with a value.
enum NewValue {
    /// It is what the value buffer holds.
    Buffer,
    /// There is none.
    Absent,
    /// It stays, byte for byte.
    AsItIs,
}

impl<'a, const NUMBER: u32> AttributeList<'a, NUMBER> {
    pub(super) fn clear(&mut self) {
        self.source.clear();
        self.added.clear();
        self.written.clear();
        self.scratch.clear();
        self.index = None;
        self.edited = false;
    }

    /// Checks and takes up an attribute of the source.
    #[inline(always)]
    pub(super) fn push(
        &mut self,
        field: &Field<'a>,
        message: &'static str,
        depth: Option<u32>,
    ) -> Result<(), WireError> {
        let content = field.bytes(message, "attributes")?;
        let entry = KeyValue::check(content, depth)?;
        self.tags.set(self.source.len(), entry.key_bytes());
        self.source.push(Attribute { entry, field: field.start..field.end, state: State::Kept });
        Ok(())
    }

    /// To be called after the last [`AttributeList::push`], and after adding.
    #[inline]
    pub(super) fn settle(&mut self) {
        if self.index.is_none() && self.source.len() + self.added.len() > INDEXED_ABOVE {
            self.build_index();
        }
    }

    #[cold]
    fn build_index(&mut self) {
        let mut index = Index::default();
        for place in 0..self.source.len() + self.added.len() {
            if let Some((key, _)) = self.at(place) {
                index.entry(text(key).to_owned()).or_default().push_back(place);
            }
        }
        self.index = Some(index);
    }

    // --- reading -------------------------------------------------------------------------------

    pub(super) fn get(&self, key: &str) -> Option<RawValue<'_>> {
        self.at(self.position(key)?).map(|(_, value)| value)
    }

    /// Whether any of them was changed.
    pub(super) fn is_edited(&self) -> bool {
        self.edited
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.position(key).is_some()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, RawValue<'_>)> {
        self.iter_bytes().map(|(key, value)| (text(key), value))
    }

    pub(super) fn iter_bytes(&self) -> impl Iterator<Item = (&[u8], RawValue<'_>)> {
        (0..self.source.len() + self.added.len()).filter_map(|place| self.at(place))
    }

    pub(super) fn source(&self) -> impl Iterator<Item = &KeyValue<'a>> {
        self.source.iter().map(|attribute| &attribute.entry)
    }

    /// The attribute at a place as it stands now; `None` if it was removed.
    #[inline]
    fn at(&self, place: usize) -> Option<(&[u8], RawValue<'_>)> {
        let written = match self.source.get(place) {
            Some(attribute) => match attribute.state {
                State::Kept => return Some((attribute.entry.key_bytes(), attribute.entry.raw_value())),
                State::Removed => return None,
                State::Replaced(number) => self.written.get(number as usize)?,
            },
            None => self.added.get(place - self.source.len())?.as_ref()?,
        };
        let key = self.scratch.get(written.key.clone())?;
        let value = written.value.clone().and_then(|range| self.scratch.get(range)).unwrap_or_default();
        Some((key, RawValue::new(value)))
    }

    /// The place of the first attribute named `key`.
    #[inline]
    fn position(&self, key: &str) -> Option<usize> {
        match &self.index {
            Some(index) => index.get(key)?.front().copied(),
            None => self.position_from(key.as_bytes(), 0),
        }
    }

    /// The first place from `first` on of an attribute named `key`, without the index.
    fn position_from(&self, key: &[u8], mut first: usize) -> Option<usize> {
        let (tag, end) = (tag(key), self.source.len() + self.added.len());
        loop {
            let place = self.tags.find(tag, first, end)?;
            if self.at(place).is_some_and(|(name, _)| name == key) {
                return Some(place);
            }
            first = place + 1;
        }
    }

    // --- editing -------------------------------------------------------------------------------

    pub(super) fn set(&mut self, key: &str, value: &Value<'_>) {
        match self.position(key) {
            Some(place) => {
                self.value.clear();
                value.encode(&mut self.value);
                let same = self.at(place).is_some_and(|(_, old)| {
                    // An equal value in other bytes (a longer varint, say) is no change either.
                    *old.as_bytes() == *self.value || encoded(&old.parse()) == *self.value
                });
                if !same {
                    self.replace(place, key, NewValue::Buffer);
                }
            }
            None => {
                let written = self.write_new(key, value);
                let place = self.source.len() + self.added.len();
                self.tags.set(place, key.as_bytes());
                self.added.push(Some(written));
                self.edited = true;
                match &mut self.index {
                    Some(index) => index.entry(key.to_owned()).or_default().push_back(place),
                    None => self.settle(),
                }
            }
        }
    }

    /// As [`AttributeList::set`], of the text that `write` appends to what it is given.
    pub(super) fn set_text(&mut self, key: &str, write: impl FnOnce(&mut String)) {
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        write(&mut text);
        self.set(key, &Value::from(text.as_str()));
        self.text = text;
    }

    /// Returns whether there was one.
    pub(super) fn remove(&mut self, key: &str) -> bool {
        match &mut self.index {
            Some(index) => {
                let places = index.remove(key).unwrap_or_default();
                let found = !places.is_empty();
                places.into_iter().for_each(|place| self.take_out(place));
                found
            }
            None => {
                let mut next = self.position(key);
                let found = next.is_some();
                while let Some(place) = next {
                    self.take_out(place);
                    next = self.position_from(key.as_bytes(), place + 1);
                }
                found
            }
        }
    }

    /// As [`AttributeList::remove`], of a key that stands once in the source, at this place.
    pub(super) fn remove_placed(&mut self, place: Option<usize>, key: &str) -> bool {
        match place.filter(|place| self.is_as_it_came(*place, key)) {
            Some(place) => {
                self.take_out(place);
                true
            }
            None => self.remove(key),
        }
    }

    /// Whether a place of the source still holds this key as it came, and no index has to be told of changes.
    #[inline]
    fn is_as_it_came(&self, place: usize, key: &str) -> bool {
        self.index.is_none()
            && self.source.get(place).is_some_and(|attribute| {
                attribute.state == State::Kept && attribute.entry.key_bytes() == key.as_bytes()
            })
    }

    fn take_out(&mut self, place: usize) {
        self.edited = true;
        let sources = self.source.len();
        if let Some(attribute) = self.source.get_mut(place) {
            attribute.state = State::Removed;
        } else if let Some(written) = self.added.get_mut(place - sources) {
            *written = None;
        }
    }

    /// Returns whether there was one to rename.
    pub(super) fn rename(&mut self, from: &str, to: &str) -> bool {
        self.rename_placed(None, from, to)
    }

    /// As [`AttributeList::rename`], of a key that stands once in the source, at this place.
    pub(super) fn rename_placed(&mut self, place: Option<usize>, from: &str, to: &str) -> bool {
        if self.has(to) {
            return false;
        }
        let placed = place.filter(|place| self.is_as_it_came(*place, from));
        let Some(place) = placed.or_else(|| self.position(from)) else { return false };
        let written = match self.source.get(place) {
            Some(attribute) => match attribute.state {
                State::Kept => None,
                State::Removed => return false,
                State::Replaced(number) => self.written.get(number as usize),
            },
            None => self.added.get(place - self.source.len()).and_then(Option::as_ref),
        };
        let value = match written {
            None => NewValue::AsItIs,
            Some(Written { value: None, .. }) => NewValue::Absent,
            Some(Written { value: Some(range), .. }) => {
                self.value.clear();
                self.value.extend_from_slice(self.scratch.get(range.clone()).unwrap_or_default());
                NewValue::Buffer
            }
        };
        self.replace(place, to, value);
        if let Some(index) = &mut self.index {
            if let Some(places) = index.get_mut(from) {
                places.pop_front();
            }
            index.insert(to.to_owned(), VecDeque::from([place]));
        }
        true
    }

    fn replace(&mut self, place: usize, key: &str, value: NewValue) {
        self.edited = true;
        let sources = self.source.len();
        self.tags.set(place, key.as_bytes());
        let entry = self.source.get(place).map(|attribute| &attribute.entry);
        let base = entry.map(KeyValue::source).unwrap_or_default();
        let written = match (value, entry.map(KeyValue::after_key)) {
            // Nothing but a value beside the key, as nearly always.
            (NewValue::AsItIs, Some(Some(rest))) => {
                let value = entry.map_or(0, |entry| entry.value.len());
                self.write_pair(key, rest, value)
            }
            (value, _) => self.write(key, value, base),
        };
        if let Some(attribute) = self.source.get_mut(place) {
            attribute.state = State::Replaced(self.written.len() as u32);
            self.written.push(written);
        } else if let Some(slot) = self.added.get_mut(place - sources) {
            *slot = Some(written);
        }
    }

    /// Writes a whole new field to the scratch buffer, each byte once: a message list has kilobytes.
    fn write_new(&mut self, key: &str, value: &Value<'_>) -> Written {
        let length = value.encoded_len();
        let out = &mut self.scratch;
        let start = out.len();
        put_key(out, NUMBER, WireType::Bytes);
        put_varint(out, (delimited_len(1, key.len()) + delimited_len(2, length)) as u64);
        put_bytes(out, 1, key.as_bytes());
        let key = out.len() - key.len()..out.len();
        put_key(out, 2, WireType::Bytes);
        put_varint(out, length as u64);
        let value_start = out.len();
        value.encode(out);
        Written { field: start..out.len(), key, value: Some(value_start..out.len()) }
    }

    /// Writes a whole field to the scratch buffer, of which everything behind the key is known: a value of
    /// this length is the end of it.
    fn write_pair(&mut self, key: &str, rest: &[u8], value: usize) -> Written {
        let out = &mut self.scratch;
        let start = out.len();
        put_key(out, NUMBER, WireType::Bytes);
        put_varint(out, (delimited_len(1, key.len()) + rest.len()) as u64);
        put_bytes(out, 1, key.as_bytes());
        let key = out.len() - key.len()..out.len();
        out.extend_from_slice(rest);
        Written { field: start..out.len(), key, value: Some(out.len() - value..out.len()) }
    }

    /// Writes a whole field to the scratch buffer. What `base`, the attribute's content as it
    /// came, holds beside key and value goes along: a field that this program does not know must
    /// survive a rename.
    fn write(&mut self, key: &str, value: NewValue, base: &[u8]) -> Written {
        let content = &mut self.content;
        content.clear();
        put_bytes(content, 1, key.as_bytes());
        let key = content.len() - key.len()..content.len();
        // Almost always one.
        let mut pieces = Vec::new();
        if let NewValue::Buffer = value {
            put_bytes(content, 2, &self.value);
            pieces.push(content.len() - self.value.len()..content.len());
        }
        let as_it_is = matches!(value, NewValue::AsItIs);
        for field in fields(base).filter(|field| field.number > 2 || (field.number == 2 && as_it_is)) {
            content.extend_from_slice(base.get(field.start..field.end).unwrap_or_default());
            if let (2, Payload::Bytes(piece)) = (field.number, field.payload) {
                pieces.push(content.len() - piece.len()..content.len());
            }
        }

        let start = self.scratch.len();
        put_key(&mut self.scratch, NUMBER, WireType::Bytes);
        put_varint(&mut self.scratch, content.len() as u64);
        let base = self.scratch.len();
        let moved = |range: Range<usize>| range.start + base..range.end + base;
        self.scratch.extend_from_slice(content);
        let field = start..self.scratch.len();
        let value = match <[Range<usize>; 1]>::try_from(pieces) {
            Ok([only]) => Some(moved(only)),
            Err(pieces) if pieces.is_empty() => None,
            Err(pieces) => {
                // A value in pieces is read as their concatenation, which is how protobuf merges.
                let start = self.scratch.len();
                for piece in pieces {
                    self.scratch.extend_from_slice(content.get(piece).unwrap_or_default());
                }
                Some(start..self.scratch.len())
            }
        };
        Written { field, key: moved(key), value }
    }

    // --- writing -------------------------------------------------------------------------------

    /// The encoded `KeyValue` of every attribute as it stands now.
    pub(super) fn contents(&self) -> impl Iterator<Item = &[u8]> {
        let source = self.source.iter().filter_map(|attribute| match attribute.state {
            State::Kept => Some(attribute.entry.source()),
            State::Removed => None,
            State::Replaced(number) => self.written.get(number as usize).map(|written| self.content(written)),
        });
        source.chain(self.added.iter().flatten().map(|written| self.content(written)))
    }

    fn content(&self, written: &Written) -> &[u8] {
        let only = fields(self.field(written)).next();
        only.map_or(&[], |field| if let Payload::Bytes(content) = field.payload { content } else { &[] })
    }

    /// Puts these encoded `KeyValue`s, which were checked before, in the place of all attributes.
    pub(super) fn replace_all(&mut self, contents: &[&[u8]]) {
        self.edited = true;
        for place in 0..self.source.len() + self.added.len() {
            self.take_out(place);
        }
        for content in contents {
            let entry = KeyValue::parse_checked(content);
            let written = self.write(entry.key(), NewValue::AsItIs, content);
            self.tags.set(self.source.len() + self.added.len(), entry.key_bytes());
            self.added.push(Some(written));
        }
        self.index = None;
        self.settle();
    }

    /// Puts what changed in the place of what came; added attributes stand after the last one of the
    /// source.
    pub(super) fn patch<'s>(&'s self, patch: &mut Patch<'s>) {
        self.patch_as(NUMBER, patch);
    }

    /// As [`AttributeList::patch`], for a list whose message decides only when it is read which
    /// number its field has.
    pub(super) fn patch_as<'s>(&'s self, number: u32, patch: &mut Patch<'s>) {
        patch.reserve(self.source.len() + self.added.len());
        for attribute in &self.source {
            let field = match attribute.state {
                State::Kept => continue,
                State::Removed => Cow::Borrowed(&[][..]),
                State::Replaced(place) => {
                    self.written.get(place as usize).map_or(Cow::Borrowed(&[][..]), |new| self.field_as(number, new))
                }
            };
            patch.replace(attribute.field.clone(), field);
        }
        let end = self.source.last().map(|attribute| attribute.field.end);
        for written in self.added.iter().flatten() {
            patch.insert(end, self.field_as(number, written));
        }
    }

    fn field_as(&self, number: u32, written: &Written) -> Cow<'_, [u8]> {
        let field = self.field(written);
        if number == NUMBER {
            return Cow::Borrowed(field);
        }
        let mut renumbered = Vec::with_capacity(field.len());
        for only in fields(field) {
            if let Payload::Bytes(content) = only.payload {
                put_bytes(&mut renumbered, number, content);
            }
        }
        Cow::Owned(renumbered)
    }

    /// Takes every change back.
    pub(super) fn restore(&mut self) {
        for (place, attribute) in self.source.iter_mut().enumerate() {
            attribute.state = State::Kept;
            self.tags.set(place, attribute.entry.key_bytes());
        }
        self.added.clear();
        self.written.clear();
        self.scratch.clear();
        self.index = None;
        self.edited = false;
        self.settle();
    }

    fn field(&self, written: &Written) -> &[u8] {
        self.scratch.get(written.field.clone()).unwrap_or_default()
    }
}

/// A key as text; only whole strings get here.
fn text(key: &[u8]) -> &str {
    std::str::from_utf8(key).unwrap_or_default()
}

fn encoded(value: &Value<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.encode(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests;
