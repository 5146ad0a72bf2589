//! What translation reads of a span, held beside it: its attributes and events, each key once.
//!
//! What the keys say is [`super::read`]'s.

use std::borrow::Cow;
use std::collections::HashMap;

use super::index::Index;
use crate::otlp::span::Span;
use crate::otlp::value::Value;

/// Everything of a span that translation reads, held so that the span itself may be edited. Of a key
/// that stands there twice, which OTLP forbids, the first is read; others that say the same share its
/// fate, and if one says something else all of them stay.
#[derive(Debug)]
pub(super) struct Source<'a> {
    pub(super) attributes: Vec<(&'a str, Value<'a>)>,
    /// Keys that stand there twice with different values, in order.
    pub(super) contradicted: Vec<&'a str>,
    /// Keys whose text was sent as bytes.
    recoded: Vec<&'a str>,
    /// Only events that some dialect knows.
    pub(super) events: Vec<SourceEvent<'a>>,
    /// How many of the attributes are the span's own. The others stand on events that say what could
    /// stand on the span, and are read after them.
    pub(super) own: usize,
    /// Whether an own attribute's number is also its place in the span.
    placed: bool,
    /// The [`mark`]s of all attributes: most names of the target are not there yet.
    marks: [u64; 4],
    /// When the span began.
    pub(super) start_time_unix_nano: u64,
}

/// A span event that may carry content.
#[derive(Debug)]
pub(super) struct SourceEvent<'a> {
    /// For [`Span::remove_event`].
    pub(super) index: usize,
    pub(super) name: &'a str,
    pub(super) time_unix_nano: u64,
    pub(super) attributes: Vec<(&'a str, Value<'a>)>,
    /// Those of its attributes that are read as if they stood on the span, as numbers in
    /// [`Source::attributes`]; they are not in `attributes` then.
    pub(super) lent: std::ops::Range<usize>,
}

impl<'a> Source<'a> {
    /// Reads `read`, a view of the span as it is now; `live` are the indexes of its events. `is_span` says
    /// that it is the span itself, in which nobody changed anything yet.
    pub(super) fn new(index: &Index, read: &Span<'a>, live: impl Iterator<Item = usize>, is_span: bool) -> Source<'a> {
        let events = live
            .zip(read.events())
            .filter(|(_, (_, event))| index.knows_event(event.name))
            .map(|(number, (_, event))| SourceEvent {
                index: number,
                name: event.name,
                time_unix_nano: event.time_unix_nano,
                attributes: event.attributes().map(|entry| (entry.key(), text(entry.parse_value()))).collect(),
                lent: 0..0,
            })
            .collect();
        let mut recoded = Vec::new();
        let recode = |(key, value): (&'a str, Value<'a>)| {
            let is_bytes = matches!(value, Value::Bytes(_));
            let value = text(value);
            if is_bytes && matches!(value, Value::Str(_)) {
                recoded.push(key);
            }
            (key, value)
        };
        let mut attributes: Vec<(&str, Value<'_>)> = read.source_attributes().map(recode).collect();
        let all = attributes.len();
        let contradicted = keep_first(&mut attributes);
        let own = attributes.len();
        let start_time_unix_nano = read.start_time_unix_nano();
        let placed = is_span && own == all;
        let mut source =
            Source { attributes, contradicted, recoded, events, own, placed, marks: [0; 4], start_time_unix_nano };
        for event in &mut source.events {
            let start = source.attributes.len();
            if index.lends(event.name) {
                source.attributes.append(&mut event.attributes);
            }
            event.lent = start..source.attributes.len();
        }
        for (key, _) in &source.attributes {
            let (word, bit) = mark(key);
            source.marks[word] |= bit;
        }
        source
    }

    /// Whether there may be an attribute named `key`, the span's own or a lent one; `false` is certain.
    #[inline]
    pub(super) fn may_have(&self, key: &str) -> bool {
        let (word, bit) = mark(key);
        self.marks[word] & bit != 0
    }

    /// The value of the first of the span's attributes named `key`.
    pub(super) fn get(&self, key: &str) -> Option<&Value<'a>> {
        if !self.may_have(key) {
            return None;
        }
        self.own_attributes().iter().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// The number of the only attribute named `key`, if there is one. `None` if events lend attributes, whose
    /// keys may be the span's own once more.
    pub(super) fn number_of_only(&self, key: &str) -> Option<Option<usize>> {
        let own = self.own_attributes();
        (own.len() == self.attributes.len()).then(|| own.iter().position(|(name, _)| *name == key))
    }

    /// The attributes of the span itself.
    pub(super) fn own_attributes(&self) -> &[(&'a str, Value<'a>)] {
        self.attributes.get(..self.own).unwrap_or_default()
    }

    /// Whether the value of `key` is text that was sent as bytes.
    pub(super) fn is_recoded(&self, key: &str) -> bool {
        self.recoded.contains(&key)
    }

    /// The name of the event that an attribute stands on; `None` if it is the span's own.
    pub(super) fn lender(&self, attribute: usize) -> Option<&'a str> {
        if self.is_own(attribute) {
            return None;
        }
        self.events.iter().find(|event| event.lent.contains(&attribute)).map(|event| event.name)
    }

    /// The place of an own attribute in the span, if it is known.
    pub(super) fn place(&self, attribute: usize) -> Option<usize> {
        (self.placed && self.is_own(attribute)).then_some(attribute)
    }

    /// Whether an attribute is the span's own.
    pub(super) fn is_own(&self, attribute: usize) -> bool {
        attribute < self.own
    }
}

/// Text that was sent as bytes (LangSmith before 0.14 encodes the JSON of what a run took and gave) says what
/// the text says. Other bytes stay bytes.
fn text(value: Value<'_>) -> Value<'_> {
    match value {
        Value::Bytes(Cow::Borrowed(bytes)) => match std::str::from_utf8(bytes) {
            Ok(text) => Value::Str(Cow::Borrowed(text)),
            Err(_) => Value::Bytes(Cow::Borrowed(bytes)),
        },
        other => other,
    }
}

/// Leaves the first attribute of each key, and returns the keys whose others say something else.
fn keep_first<'a>(attributes: &mut Vec<(&'a str, Value<'a>)>) -> Vec<&'a str> {
    if !may_repeat(attributes) {
        return Vec::new();
    }
    let mut contradicted = Vec::new();
    let mut seen: HashMap<&str, Value<'a>, foldhash::fast::RandomState> = HashMap::default();
    attributes.retain(|(key, value)| match seen.get(key) {
        Some(first) => {
            if first != value {
                contradicted.push(*key);
            }
            false
        }
        None => {
            seen.insert(key, value.clone());
            true
        }
    });
    contradicted.sort_unstable();
    contradicted.dedup();
    contradicted
}

/// Whether a key may stand there twice; `false` is certain. A set of bits, for nearly no span repeats a
/// key, and hashing them all would cost as much as looking them up.
fn may_repeat(attributes: &[(&str, Value<'_>)]) -> bool {
    let mut bits = [0u64; 64];
    attributes.iter().any(|(key, _)| {
        let key = key.as_bytes();
        // All of it: the pieces of messages differ in the middle (`gen_ai.prompt.1.content`).
        let (words, rest) = key.as_chunks::<8>();
        let rest = rest.iter().fold(key.len() as u64, |rest, byte| rest << 8 | u64::from(*byte));
        let mix = |mixed: u64, word: u64| (mixed.rotate_left(29) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = mix(words.iter().fold(0, |mixed, word| mix(mixed, u64::from_le_bytes(*word))), rest);
        let (word, bit) = ((mixed >> 58) as usize, 1 << ((mixed >> 52) & 63));
        let repeats = bits[word] & bit != 0;
        bits[word] |= bit;
        repeats
    })
}

impl SourceEvent<'_> {
    pub(super) fn get(&self, key: &str) -> Option<&Value<'_>> {
        self.attributes.iter().find(|(name, _)| *name == key).map(|(_, value)| value)
    }
}

/// One of 256 bits, by the key's length and its end.
#[inline]
fn mark(key: &str) -> (usize, u64) {
    let end = match key.as_bytes() {
        [.., middle, _, _, _, last] => usize::from(*last) * 7 + usize::from(*middle) * 31,
        short => short.len(),
    };
    let mixed = key.len() * 5 + end;
    ((mixed >> 6) & 3, 1 << (mixed & 63))
}
