//! A list of edits, made on the engine's spans and on prost's.

use dragoman::otlp::id::SpanId;
use dragoman::otlp::span::{Kind, Span};
use dragoman::otlp::value::{RawValue, Value};
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::Span as ProstSpan;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use prost::Message;

use super::generate::{Entropy, KEYS};

/// One edit of one span.
#[derive(Debug, Clone)]
pub(crate) enum Edit {
    Set(&'static str, AnyValue),
    Remove(&'static str),
    Rename(&'static str, &'static str),
    Name(&'static str),
    Kind(i32),
    Parent(Option<[u8; 8]>),
    RemoveEvent(usize),
    EventName(&'static str),
    Body(Option<AnyValue>),
    Drop,
}

/// Which edits are made on which spans, and which parents change after the last span.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plan {
    /// `None` is every span.
    pub(crate) edits: Vec<(Option<usize>, Edit)>,
    pub(crate) parents: Vec<(usize, Option<[u8; 8]>)>,
}

impl Plan {
    pub(crate) fn new(entropy: &mut Entropy<'_>) -> Plan {
        let mut plan = Plan::of_edits(entropy, edit);
        for _ in 0..entropy.below(4) {
            plan.parents.push((entropy.below(6), parent(entropy)));
        }
        plan
    }

    /// A plan for log records.
    pub(crate) fn for_records(entropy: &mut Entropy<'_>) -> Plan {
        Plan::of_edits(entropy, record_edit)
    }

    fn of_edits(entropy: &mut Entropy<'_>, edit: fn(&mut Entropy<'_>) -> Edit) -> Plan {
        let mut plan = Plan::default();
        for _ in 0..entropy.below(24) {
            let item = match entropy.below(8) {
                0 | 1 => None,
                number => Some(number - 2),
            };
            plan.edits.push((item, edit(entropy)));
        }
        plan
    }

    pub(crate) fn of(&self, span: usize) -> impl Iterator<Item = &Edit> {
        self.edits.iter().filter(move |(target, _)| target.is_none_or(|target| target == span)).map(|(_, edit)| edit)
    }
}

fn attribute_edit(choice: usize, entropy: &mut Entropy<'_>) -> Edit {
    match choice {
        0..=2 => Edit::Set(entropy.pick(&KEYS), value(entropy)),
        3 => Edit::Remove(entropy.pick(&KEYS)),
        _ => Edit::Rename(entropy.pick(&KEYS), entropy.pick(&KEYS)),
    }
}

fn record_edit(entropy: &mut Entropy<'_>) -> Edit {
    match entropy.below(10) {
        choice @ 0..=5 => attribute_edit(choice, entropy),
        6 => Edit::EventName(entropy.pick(&["gen_ai.choice", "", "x"])),
        7 | 8 => Edit::Body(entropy.one_in(2).then(|| value(entropy))),
        _ => Edit::Drop,
    }
}

fn edit(entropy: &mut Entropy<'_>) -> Edit {
    match entropy.below(10) {
        choice @ 0..=5 => attribute_edit(choice, entropy),
        6 => Edit::Name(entropy.pick(&["chat gpt-4o", "", "x"])),
        7 => Edit::Kind([3, 0, -1, 77, i32::MIN][entropy.below(5)]),
        8 => Edit::Parent(parent(entropy)),
        _ if entropy.one_in(2) => Edit::Drop,
        _ => Edit::RemoveEvent(entropy.below(3)),
    }
}

fn parent(entropy: &mut Entropy<'_>) -> Option<[u8; 8]> {
    entropy.one_in(2).then(|| [entropy.byte() | 1; 8])
}

fn value(entropy: &mut Entropy<'_>) -> AnyValue {
    let element = |text: &str| AnyValue { value: Some(any_value::Value::StringValue(text.to_owned())) };
    let value = match entropy.below(7) {
        0 => None,
        1 => Some(any_value::Value::StringValue(entropy.pick(&["", "gpt-4o", "x"]).to_owned())),
        2 => Some(any_value::Value::BoolValue(true)),
        3 => Some(any_value::Value::IntValue(entropy.number() as i64)),
        4 => Some(any_value::Value::DoubleValue(f64::from_bits(entropy.number()))),
        5 => Some(any_value::Value::BytesValue(vec![0xff, entropy.byte()])),
        _ => Some(any_value::Value::ArrayValue(opentelemetry_proto::tonic::common::v1::ArrayValue {
            values: vec![element("stop"), element("")],
        })),
    };
    AnyValue { value }
}

pub(crate) fn on_engine(edit: &Edit, span: &mut Span<'_>) {
    match edit {
        Edit::Set(key, value) => span.set(key, Value::parse(&value.encode_to_vec())),
        Edit::Remove(key) => drop(span.remove(key)),
        Edit::Rename(from, to) => drop(span.rename(from, to)),
        Edit::Name(name) => span.set_name(name),
        Edit::Kind(number) => span.set_kind(Kind::from_number(*number)),
        Edit::Parent(parent) => span.set_parent_span_id(parent.and_then(|id| SpanId::from_bytes(&id))),
        Edit::RemoveEvent(index) => span.remove_event(*index),
        Edit::Drop => span.drop_span(),
        Edit::EventName(_) | Edit::Body(_) => unreachable!("a span has none"),
    }
}

/// A span of prost's with what the engine knows beside it.
pub(crate) struct Reference {
    pub(crate) span: ProstSpan,
    events: Vec<Option<Event>>,
    pub(crate) dropped: bool,
    /// Whether an edit has changed anything.
    pub(crate) touched: bool,
}

impl Reference {
    pub(crate) fn new(mut span: ProstSpan) -> Self {
        let events = std::mem::take(&mut span.events).into_iter().map(Some).collect();
        Reference { span, events, dropped: false, touched: false }
    }

    pub(crate) fn into_span(mut self) -> ProstSpan {
        self.span.events = self.events.into_iter().flatten().collect();
        self.span
    }

    pub(crate) fn apply(&mut self, edit: &Edit) {
        self.touched |= apply_to_attributes(&mut self.span.attributes, edit);
        match edit {
            Edit::Set(..) | Edit::Remove(_) | Edit::Rename(..) => {}
            Edit::Name(name) => {
                self.touched |= self.span.name != *name;
                self.span.name = (*name).to_owned();
            }
            Edit::Kind(number) => {
                self.touched |= self.span.kind != *number;
                self.span.kind = *number;
            }
            Edit::Parent(parent) => self.set_parent(*parent),
            Edit::RemoveEvent(index) => {
                if let Some(event) = self.events.get_mut(*index) {
                    *event = None;
                    self.touched = true;
                }
            }
            Edit::Drop => self.dropped = true,
            Edit::EventName(_) | Edit::Body(_) => unreachable!("a span has none"),
        }
    }

    pub(crate) fn set_parent(&mut self, parent: Option<[u8; 8]>) {
        let parent = parent.and_then(|id| SpanId::from_bytes(&id));
        // What is no id says the same as no parent.
        if SpanId::from_bytes(&self.span.parent_span_id) != parent {
            self.span.parent_span_id = parent.map(|id| id.0.to_vec()).unwrap_or_default();
            self.touched = true;
        }
    }

    /// The engine reads back what was written, while it is being edited.
    pub(crate) fn assert_reads_alike(&self, span: &Span<'_>) {
        assert_eq!(span.name(), self.span.name);
        assert_eq!(span.kind().number(), self.span.kind);
        assert_eq!(span.parent_span_id(), SpanId::from_bytes(&self.span.parent_span_id));
        assert_eq!(span.span_id(), SpanId::from_bytes(&self.span.span_id));
        assert_eq!(span.start_time_unix_nano(), self.span.start_time_unix_nano);
        assert_eq!(span.end_time_unix_nano(), self.span.end_time_unix_nano);
        assert_eq!(span.flags(), self.span.flags);
        let status = self.span.status.clone().unwrap_or_default();
        assert_eq!(span.status_message(), status.message);
        assert_eq!(span.is_dropped(), self.dropped);
        assert_eq!(span.events().count(), self.events.iter().flatten().count());
        for ((_, event), expected) in span.events().zip(self.events.iter().flatten()) {
            assert_eq!((event.name, event.time_unix_nano), (expected.name.as_str(), expected.time_unix_nano));
            let keys = event.attributes().map(|entry| entry.key()).collect::<Vec<_>>();
            assert_eq!(keys, expected.attributes.iter().map(|entry| entry.key.as_str()).collect::<Vec<_>>());
            for entry in &expected.attributes {
                let first = expected.attributes.iter().find(|other| other.key == entry.key).unwrap();
                assert_value(event.get(&entry.key), &first.value);
            }
        }
        assert_attributes(span.attributes(), &self.span.attributes, |key| span.get(key));
        for key in KEYS {
            let expected = self.span.attributes.iter().any(|entry| entry.key == key);
            assert_eq!(span.has(key), expected, "{key}");
        }
    }
}

/// Makes an edit of attributes, if it is one. Returns whether it changed anything.
pub(crate) fn apply_to_attributes(attributes: &mut Vec<KeyValue>, edit: &Edit) -> bool {
    let first = |attributes: &[KeyValue], key: &str| attributes.iter().position(|entry| entry.key == key);
    match edit {
        Edit::Set(key, value) => match first(attributes, key) {
            Some(index) if same(&attributes[index].value, value) => false,
            Some(index) => {
                attributes[index].value = Some(value.clone());
                true
            }
            None => {
                let value = Some(value.clone());
                attributes.push(KeyValue { key: (*key).to_owned(), value, ..KeyValue::default() });
                true
            }
        },
        Edit::Remove(key) => {
            let before = attributes.len();
            attributes.retain(|entry| entry.key != *key);
            attributes.len() != before
        }
        Edit::Rename(from, to) => match first(attributes, from).filter(|_| first(attributes, to).is_none()) {
            Some(index) => {
                attributes[index].key = (*to).to_owned();
                true
            }
            None => false,
        },
        _ => false,
    }
}

/// The engine's attributes are prost's, in their order.
pub(crate) fn assert_attributes<'v>(
    attributes: impl Iterator<Item = (&'v str, RawValue<'v>)>,
    expected: &[KeyValue],
    get: impl Fn(&str) -> Option<Value<'v>>,
) {
    let attributes: Vec<_> = attributes.collect();
    assert_eq!(attributes.len(), expected.len());
    for ((key, value), entry) in attributes.into_iter().zip(expected) {
        assert_eq!(key, entry.key);
        assert_value(Some(value.parse()), &entry.value);
        let first = expected.iter().find(|other| other.key == key).unwrap();
        assert_value(get(key), &first.value);
    }
}

/// An index into the strings of profiles is "as if this value were absent".
fn plain(value: &Option<AnyValue>) -> AnyValue {
    match value {
        Some(AnyValue { value: Some(any_value::Value::StringValueStrindex(_)) }) | None => AnyValue::default(),
        Some(value) => value.clone(),
    }
}

pub(crate) fn same(old: &Option<AnyValue>, new: &AnyValue) -> bool {
    plain(old).encode_to_vec() == new.encode_to_vec()
}

pub(crate) fn assert_value(value: Option<Value<'_>>, expected: &Option<AnyValue>) {
    let mut bytes = Vec::new();
    value.expect("the attribute is there").encode(&mut bytes);
    let value = AnyValue::decode(&bytes[..]).expect("a value is written as one");
    assert_eq!(value.encode_to_vec(), plain(expected).encode_to_vec());
}
