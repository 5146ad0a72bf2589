//! One LLM, tool, agent or retrieval operation, in nobody's words: what a dialect reads and a
//! convention writes.
//!
//! Facts come with a rank: the first that says a field is believed, later ones are compared with
//! it. Which attribute said what is noted in [`super::translate`], not here.

use std::borrow::Cow;

use super::dialect::Verdict;
use super::field::{Field, Fields};
use super::message::{Document, Message, Part, ToolDefinition};
use crate::otlp::span::Kind;
use crate::otlp::value::Value;

/// A field's value, already of the field's type.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar<'a> {
    /// UTF-8 text.
    Str(Cow<'a, str>),
    /// A 64-bit integer.
    Int(i64),
    /// A 64-bit float.
    Double(f64),
    /// A boolean.
    Bool(bool),
    /// A list of strings.
    Strings(Vec<Cow<'a, str>>),
}

impl<'a> Scalar<'a> {
    /// The text, if this is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Scalar::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if this is an integer.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Scalar::Int(number) => Some(*number),
            _ => None,
        }
    }
}

/// What became of a fact that was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offered {
    /// It is believed.
    Taken,
    /// The same was already known.
    Equal,
    /// Something else was already known, and stays.
    Conflict,
}

/// A list of messages, or what is known of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Content<T> {
    /// Nothing was said.
    #[default]
    Absent,
    /// It stands on the span in the published shape, which every target reads; it is not decoded.
    Current,
    /// It was read from something else and has to be written.
    Read(T),
    /// It was read, and a quirk made fields of it: nothing is left to be written.
    InFields,
}

impl<T> Content<T> {
    /// What was read, if it was.
    pub fn read(&self) -> Option<&T> {
        match self {
            Content::Read(value) => Some(value),
            _ => None,
        }
    }

    /// As [`Content::read`], to change it.
    pub fn read_mut(&mut self) -> Option<&mut T> {
        match self {
            Content::Read(value) => Some(value),
            _ => None,
        }
    }

    /// Whether nothing was said.
    pub fn is_absent(&self) -> bool {
        matches!(self, Content::Absent)
    }
}

/// An operation. See the module's documentation.
#[derive(Debug)]
pub struct Operation<'a> {
    /// What is believed, in the order in which it was said: some ten fields of all.
    facts: Vec<Scalar<'a>>,
    /// Where a field's fact is.
    places: [u8; FIELDS],
    said: Fields,
    current: Fields,
    /// `gen_ai.input.messages`.
    pub input: Content<Vec<Message<'a>>>,
    /// `gen_ai.output.messages`; finish reasons in the provider's words until they are written.
    pub output: Content<Vec<Message<'a>>>,
    /// `gen_ai.system_instructions`.
    pub instructions: Content<Vec<Part<'a>>>,
    /// `gen_ai.tool.definitions`.
    pub tools: Content<Vec<ToolDefinition<'a>>>,
    /// `gen_ai.retrieval.documents`.
    pub documents: Content<Vec<Document<'a>>>,
    /// A prompt template's variables, with their values.
    pub variables: Vec<(String, String)>,
    /// What the emitter calls it, where no target has words for that: `guardrail`, `chain`.
    pub named: Option<String>,
    /// What a quirk finds of keys, in place of what was made of them: that the operation says elsewhere all
    /// that they say, or that they say nothing. They go then, also if they are the target's own names of
    /// something that the quirk forgot.
    pub settled: Vec<(&'static str, Verdict)>,
}

const FIELDS: usize = Field::ALL.len();
/// Room for the facts of nearly every operation.
const USUAL_FACTS: usize = 16;

const _: () = assert!(FIELDS <= u8::MAX as usize, "a place is a byte");

impl Default for Operation<'_> {
    fn default() -> Self {
        Operation {
            facts: Vec::with_capacity(USUAL_FACTS),
            places: [u8::MAX; FIELDS],
            said: Fields::default(),
            current: Fields::default(),
            input: Content::Absent,
            output: Content::Absent,
            instructions: Content::Absent,
            tools: Content::Absent,
            documents: Content::Absent,
            variables: Vec::new(),
            named: None,
            settled: Vec::new(),
        }
    }
}

impl<'a> Operation<'a> {
    /// What is believed of a field.
    pub fn get(&self, field: Field) -> Option<&Scalar<'a>> {
        self.facts.get(usize::from(self.places[field as usize])).filter(|_| self.said.has(field))
    }

    /// A text field's value.
    pub fn text(&self, field: Field) -> Option<&str> {
        self.get(field).and_then(Scalar::as_str)
    }

    /// An integer field's value.
    pub fn int(&self, field: Field) -> Option<i64> {
        self.get(field).and_then(Scalar::as_int)
    }

    /// Offers a fact. The first is believed, but a count of zero gives way to a count: several
    /// emitters write zero for "unknown".
    pub fn offer(&mut self, field: Field, value: Scalar<'a>) -> Offered {
        match self.get(field) {
            None => {
                self.set(field, value);
                Offered::Taken
            }
            Some(known) if *known == value => Offered::Equal,
            Some(Scalar::Int(0)) if is_count(field) => {
                self.set(field, value);
                Offered::Taken
            }
            Some(_) => Offered::Conflict,
        }
    }

    /// Says a field anew, whatever was believed before.
    pub fn set(&mut self, field: Field, value: Scalar<'a>) {
        self.said.add(field);
        let place = &mut self.places[field as usize];
        match self.facts.get_mut(usize::from(*place)) {
            Some(fact) => *fact = value,
            None => {
                // At most one for each field, so that it fits.
                *place = self.facts.len() as u8;
                self.facts.push(value);
            }
        }
    }

    /// Forgets a field.
    pub fn clear(&mut self, field: Field) {
        self.said.remove(field);
    }

    /// Whether the field stands on the span under the target's own name. What depends on the
    /// emitter's convention must not be repaired twice.
    pub fn is_current(&self, field: Field) -> bool {
        self.current.has(field)
    }

    pub(super) fn mark_current(&mut self, field: Field) {
        self.current.add(field);
    }

    /// The fields that are said.
    pub(super) fn said(&self) -> Fields {
        self.said
    }

    /// Whether nothing was said at all.
    pub fn says_nothing(&self) -> bool {
        self.said.is_empty()
            && self.input.is_absent()
            && self.output.is_absent()
            && self.instructions.is_absent()
            && self.tools.is_absent()
            && self.documents.is_absent()
            && self.variables.is_empty()
    }

    /// All fields that are said, in the order of [`Field::ALL`].
    pub fn facts(&self) -> impl Iterator<Item = (Field, &Scalar<'a>)> {
        self.said.iter().filter_map(|field| self.get(field).map(|fact| (field, fact)))
    }
}

fn is_count(field: Field) -> bool {
    matches!(
        field,
        Field::UsageInputTokens
            | Field::UsageOutputTokens
            | Field::UsageCacheReadInputTokens
            | Field::UsageCacheWriteInputTokens
            | Field::UsageReasoningOutputTokens
            | Field::UsageTotalTokens
    )
}

/// The span itself, as a dialect's quirk may look at it.
#[derive(Debug)]
pub struct Seen<'s, 'a> {
    /// The span's name.
    pub name: &'s str,
    /// The span's kind.
    pub kind: Kind,
    /// When the span began.
    pub start_time_unix_nano: u64,
    /// The instrumentation scope's name.
    pub scope_name: &'s str,
    /// All attributes, in order.
    pub attributes: &'s [(&'a str, Value<'a>)],
}

impl<'a> Seen<'_, 'a> {
    /// The value of the first attribute named `key`.
    pub fn get(&self, key: &str) -> Option<&Value<'a>> {
        self.attributes.iter().find(|(name, _)| *name == key).map(|(_, value)| value)
    }
}
