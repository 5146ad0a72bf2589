//! Compares the table with the descriptors that `opentelemetry-proto` ships.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::otlp::value::fields;
use crate::otlp::wire::Payload;

/// What a descriptor says of a field: label, type, type name, whether in a `oneof`, JSON name.
#[derive(Debug, PartialEq)]
struct Described {
    name: String,
    json: String,
    repeated: bool,
    kind: u64,
    type_name: String,
    rule: Rule,
}

fn text(payload: Payload<'_>) -> String {
    let Payload::Bytes(bytes) = payload else { panic!("{payload:?} is not text") };
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn bytes(payload: Payload<'_>) -> &[u8] {
    let Payload::Bytes(bytes) = payload else { panic!("{payload:?} is not a message") };
    bytes
}

fn number(payload: Payload<'_>) -> u64 {
    let Payload::Varint(number) = payload else { panic!("{payload:?} is not a number") };
    number
}

/// The messages and enumerations of a `FileDescriptorSet`, by their name without the package
/// (see `google/protobuf/descriptor.proto`). Profiles are left out: their names repeat.
type Messages = BTreeMap<String, BTreeMap<u32, Described>>;
type Enums = BTreeMap<String, Vec<String>>;

fn descriptors() -> (Messages, Enums) {
    let mut messages = BTreeMap::new();
    let mut enums = BTreeMap::new();
    for file in fields(opentelemetry_proto::DESCRIPTORS) {
        let file = bytes(file.payload);
        let name = fields(file).find(|field| field.number == 1).map(|field| text(field.payload)).unwrap();
        if name.contains("profiles") || name.contains("tracez") {
            continue;
        }
        for field in fields(file) {
            match field.number {
                4 => describe_message(bytes(field.payload), &mut messages, &mut enums),
                5 => describe_enum(bytes(field.payload), &mut enums),
                _ => {}
            }
        }
    }
    (messages, enums)
}

fn describe_message(descriptor: &[u8], messages: &mut Messages, enums: &mut Enums) {
    let mut name = String::new();
    let mut described = BTreeMap::new();
    for field in fields(descriptor) {
        match field.number {
            1 => name = text(field.payload),
            2 => {
                let (number, field) = describe_field(bytes(field.payload));
                described.insert(number, field);
            }
            3 => describe_message(bytes(field.payload), messages, enums),
            4 => describe_enum(bytes(field.payload), enums),
            _ => {}
        }
    }
    messages.insert(name, described);
}

fn describe_field(descriptor: &[u8]) -> (u32, Described) {
    let mut described = Described {
        name: Default::default(),
        json: Default::default(),
        repeated: false,
        kind: 0,
        type_name: Default::default(),
        rule: Singular,
    };
    let mut its_number = 0;
    for field in fields(descriptor) {
        match field.number {
            1 => described.name = text(field.payload),
            3 => its_number = number(field.payload) as u32,
            4 => described.repeated = number(field.payload) == 3,
            5 => described.kind = number(field.payload),
            6 => described.type_name = text(field.payload).rsplit('.').next().unwrap().to_owned(),
            9 if described.rule == Singular => described.rule = Oneof,
            10 => described.json = text(field.payload),
            17 => described.rule = Optional,
            _ => {}
        }
    }
    (its_number, described)
}

fn describe_enum(descriptor: &[u8], enums: &mut Enums) {
    let mut name = String::new();
    let mut values = Vec::new();
    for field in fields(descriptor) {
        match field.number {
            1 => name = text(field.payload),
            2 => values.extend(fields(bytes(field.payload)).find(|f| f.number == 1).map(|f| text(f.payload))),
            _ => {}
        }
    }
    enums.insert(name, values);
}

fn compare(message: &'static Message, messages: &Messages, enums: &Enums, seen: &mut BTreeSet<&'static str>) {
    if !seen.insert(message.name) {
        return;
    }
    let described = &messages[message.name];
    let numbers: Vec<u32> = message.fields.iter().map(|field| field.number).collect();
    assert_eq!(numbers, described.keys().copied().collect::<Vec<_>>(), "{}", message.name);
    for field in message.fields {
        let described = &described[&field.number];
        let place = format!("{}.{}", message.name, field.name);
        assert_eq!(field.name, described.name, "{place}");
        assert_eq!(field.rule.is_repeated(), described.repeated, "{place}");
        if !described.repeated {
            assert_eq!(field.rule, described.rule, "{place}");
        }
        let (kind, type_name) = match field.kind {
            Kind::Double => (1, ""),
            Kind::Int64 => (3, ""),
            Kind::Uint64 => (4, ""),
            Kind::Int32 => (5, ""),
            Kind::Fixed64 => (6, ""),
            Kind::Fixed32 => (7, ""),
            Kind::Bool => (8, ""),
            Kind::String => (9, ""),
            Kind::Message(inner) => {
                compare(inner, messages, enums, seen);
                (11, inner.name)
            }
            Kind::Bytes | Kind::Id(_) => (12, ""),
            Kind::Uint32 => (13, ""),
            Kind::Enum(inner) => {
                assert_eq!(enums[inner.name], inner.values, "{place}");
                (14, inner.name)
            }
            Kind::Sfixed64 => (16, ""),
            Kind::Sint32 => (17, ""),
        };
        assert_eq!((kind, type_name), (described.kind, described.type_name.as_str()), "{place}");
        let profiles_only = field.name.ends_with("strindex");
        assert_eq!(field.json.is_empty(), profiles_only, "{place}");
        if !profiles_only {
            assert_eq!(field.json, described.json, "{place}");
        }
        let id = match field.name.rsplit('_').take(2).collect::<Vec<_>>()[..] {
            ["id", "trace"] => Some(16),
            ["id", "span"] => Some(8),
            _ => None,
        };
        assert_eq!(id, if let Kind::Id(length) = field.kind { Some(length) } else { None }, "{place}");
    }
}

#[test]
fn the_table_is_what_the_descriptors_say() {
    let (messages, enums) = descriptors();
    let mut seen = BTreeSet::new();
    for signal in Signal::ALL {
        compare(request(signal), &messages, &enums, &mut seen);
    }
    assert_eq!(seen.len(), 34, "{seen:?}");
}
