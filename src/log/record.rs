//! A line before it has a form: what it says, with its fields typed and bounded.

use std::fmt::{self, Write};
use std::hash::{Hash, Hasher};

use tracing::field::{Field, Visit};
use tracing::{Event, Level};

use super::targets::{self, TARGETS};

/// The longest value of a field, in characters.
pub(super) const LONGEST: usize = 4096;

/// The same of a line that is kept to be counted.
const LONGEST_KEPT: usize = 400;

/// What is said, by whom, how loudly.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record {
    pub(super) level: Level,
    /// The part of the program, as people call it.
    pub(super) target: &'static str,
    pub(super) message: String,
    pub(super) fields: Vec<(&'static str, Value)>,
}

/// A field's value. Text is as it came: each form escapes it in its own way.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Text(String),
}

impl Record {
    /// What an event says.
    pub(super) fn of(event: &Event<'_>) -> Record {
        let metadata = event.metadata();
        let target = TARGETS.get(targets::of_module(metadata.target())).map_or("", |target| target.name);
        let mut record = Record { level: *metadata.level(), target, message: String::new(), fields: Vec::new() };
        event.record(&mut record);
        record
    }

    /// A line of the log's own.
    pub(super) fn own(level: Level, message: String) -> Record {
        Record { level, target: "log", message, fields: Vec::new() }
    }

    /// The same, short enough to be kept.
    pub(super) fn kept(&self) -> Record {
        let short = |text: &str| bounded(format_args!("{text}"), LONGEST_KEPT);
        let fields = self.fields.iter().map(|(name, value)| match value {
            Value::Text(text) => (*name, Value::Text(short(text))),
            other => (*name, other.clone()),
        });
        Record { level: self.level, target: self.target, message: short(&self.message), fields: fields.collect() }
    }

    fn put(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::Text(text)) => self.message = text,
            (name, value) => self.fields.push((name, value)),
        }
    }
}

/// What makes two lines of one place the same.
impl Hash for Record {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.message.hash(state);
        for (name, value) in &self.fields {
            name.hash(state);
            match value {
                Value::Bool(value) => value.hash(state),
                Value::Signed(value) => value.hash(state),
                Value::Unsigned(value) => value.hash(state),
                Value::Float(value) => value.to_bits().hash(state),
                Value::Text(value) => value.hash(state),
            }
        }
    }
}

impl Visit for Record {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Value::Bool(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Value::Signed(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, Value::Unsigned(value));
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        let text = || Value::Text(value.to_string());
        self.put(field, i64::try_from(value).map_or_else(|_| text(), Value::Signed));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        let text = || Value::Text(value.to_string());
        self.put(field, u64::try_from(value).map_or_else(|_| text(), Value::Unsigned));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, Value::Float(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, Value::Text(bounded(format_args!("{value}"), LONGEST)));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, Value::Text(bounded(format_args!("{value:?}"), LONGEST)));
    }
}

/// So much of a text; what is longer is not even written.
fn bounded(text: fmt::Arguments<'_>, longest: usize) -> String {
    let mut writer = Bounded { text: String::new(), left: longest };
    // A value that was cut ends its writing with an error, and so may one that cannot be shown.
    writer.write_fmt(text).unwrap_or_default();
    writer.text
}

struct Bounded {
    text: String,
    left: usize,
}

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            if self.left <= 1 {
                if self.left == 1 {
                    self.text.push('…');
                }
                self.left = 0;
                return Err(fmt::Error);
            }
            self.left -= 1;
            self.text.push(character);
        }
        Ok(())
    }
}
