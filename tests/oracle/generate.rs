//! Requests at the level of the wire: everything that protobuf allows and no encoder writes.
//! Fields in any order, singular fields repeated, unknown fields and groups, varints longer than
//! they need to be, values nested to the limit and beyond it.

use dragoman::otlp::schema::{Field, Items, Kind, Message, request};
use dragoman::otlp::signal::Signal;
use dragoman::otlp::wire::{WireType, put_bytes, put_key, put_varint};

/// Keys that attributes have and that edits name, so that they meet.
pub(crate) const KEYS: [&str; 10] = [
    "a",
    "k",
    "",
    "gen_ai.system",
    "gen_ai.request.model",
    "llm.request.model",
    "gen_ai.prompt.0.content",
    "db.system",
    "http.method",
    "schlüssel",
];

const TEXTS: [&str; 6] = ["", "x", "gpt-4o", "é\u{1}\"\\\n", "ein etwas längerer Text mit 😀 darin", "127.0.0.1"];

/// Decisions, taken from bytes; after the last one every decision is 0, which everywhere means
/// "no more".
pub(crate) struct Entropy<'a>(&'a [u8]);

impl<'a> Entropy<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Entropy(bytes)
    }

    pub(crate) fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((byte, rest)) => {
                self.0 = rest;
                *byte
            }
            None => 0,
        }
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::from(self.byte()) % limit
    }

    /// True in one of `of` cases, and never at the end.
    pub(crate) fn one_in(&mut self, of: usize) -> bool {
        self.below(of) == of - 1
    }

    pub(crate) fn pick<'t>(&mut self, from: &[&'t str]) -> &'t str {
        from[self.below(from.len())]
    }

    pub(crate) fn number(&mut self) -> u64 {
        match self.below(8) {
            0 => 0,
            1 => 1,
            2 => u64::MAX,
            3 => i64::MIN as u64,
            4 => u64::from(u32::MAX) + 1,
            5 => -1i32 as u64,
            6 => f64::NAN.to_bits(),
            _ => u64::from_le_bytes(std::array::from_fn(|_| self.byte())),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.0
    }
}

/// How wild a request may be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wildness {
    /// Anything that protobuf allows, and now and then what it does not.
    Any,
    /// What JSON can say as well: ids of their length, nothing that only profiles may hold.
    Json,
}

/// A request of `signal`.
pub(crate) fn wire(signal: Signal, entropy: &mut Entropy<'_>, wildness: Wildness) -> Vec<u8> {
    message(request(signal), entropy, wildness, 14)
}

fn message(schema: &'static Message, entropy: &mut Entropy<'_>, wildness: Wildness, depth: usize) -> Vec<u8> {
    let mut out = Vec::new();
    if depth == 0 {
        return out;
    }
    let most = match schema.items {
        Items::Itself => 16,
        Items::Inside => 8,
        Items::None => 4,
    };
    for _ in 0..entropy.below(most) {
        let choice = entropy.byte();
        if choice > 244 {
            unknown(schema, entropy, &mut out, 4);
            continue;
        }
        let field = &schema.fields[usize::from(choice) % schema.fields.len()];
        // Rather on to the items than into the attributes of a resource.
        let on = |field: &&Field| matches!(field.kind, Kind::Message(inner) if inner.items != Items::None);
        let field = match schema.fields.iter().find(on) {
            Some(on) if schema.items == Items::Inside && choice % 8 < 4 => on,
            _ => field,
        };
        if wildness == Wildness::Json && field.json.is_empty() {
            continue;
        }
        known(field, entropy, wildness, depth, &mut out);
    }
    out
}

fn known(field: &'static Field, entropy: &mut Entropy<'_>, wildness: Wildness, depth: usize, out: &mut Vec<u8>) {
    let content = match field.kind {
        Kind::Message(inner) if inner.name == "AnyValue" && entropy.one_in(64) => nested(entropy.below(56)),
        Kind::Message(inner) => message(inner, entropy, wildness, depth - 1),
        Kind::String if field.name == "key" => entropy.pick(&KEYS).as_bytes().to_vec(),
        Kind::String => entropy.pick(&TEXTS).as_bytes().to_vec(),
        Kind::Bytes => entropy.pick(&TEXTS).as_bytes().to_vec(),
        Kind::Id(length) => match entropy.below(4) {
            0 => vec![],
            1 if wildness == Wildness::Any => vec![0; length],
            2 if wildness == Wildness::Any => vec![7; entropy.below(20)],
            _ => (0..length).map(|_| entropy.byte() | 1).collect(),
        },
        kind => {
            if field.rule.is_repeated() && entropy.one_in(2) {
                let mut packed = Vec::new();
                for _ in 0..entropy.below(5) {
                    scalar(kind, entropy, &mut packed);
                }
                packed
            } else {
                key(entropy, field.number, kind.wire_type(), out);
                return scalar(kind, entropy, out);
            }
        }
    };
    key(entropy, field.number, WireType::Bytes, out);
    varint(entropy, content.len() as u64, out);
    out.extend_from_slice(&content);
}

fn scalar(kind: Kind, entropy: &mut Entropy<'_>, out: &mut Vec<u8>) {
    let value = entropy.number();
    match kind.wire_type() {
        WireType::Fixed64 => out.extend_from_slice(&value.to_le_bytes()),
        WireType::Fixed32 => out.extend_from_slice(&(value as u32).to_le_bytes()),
        _ => varint(entropy, value, out),
    }
}

/// An array in an array, so many times.
fn nested(depth: usize) -> Vec<u8> {
    let mut value = Vec::new();
    for _ in 0..depth {
        let mut array = Vec::new();
        put_bytes(&mut array, 1, &value);
        value.clear();
        put_bytes(&mut value, 5, &array);
    }
    value
}

fn key(entropy: &mut Entropy<'_>, number: u32, wire_type: WireType, out: &mut Vec<u8>) {
    let mut minimal = Vec::new();
    put_key(&mut minimal, number, wire_type);
    longer(entropy, minimal, out);
}

fn varint(entropy: &mut Entropy<'_>, value: u64, out: &mut Vec<u8>) {
    let mut minimal = Vec::new();
    put_varint(&mut minimal, value);
    longer(entropy, minimal, out);
}

/// The same varint, sometimes in more bytes than it needs.
fn longer(entropy: &mut Entropy<'_>, mut varint: Vec<u8>, out: &mut Vec<u8>) {
    if entropy.one_in(16) && varint.len() < 10 {
        let more = 1 + entropy.below(10 - varint.len());
        *varint.last_mut().unwrap() |= 0x80;
        varint.resize(varint.len() + more - 1, 0x80);
        varint.push(0);
    }
    out.extend_from_slice(&varint);
}

/// A field that the message does not have, of any wire type.
fn unknown(message: &Message, entropy: &mut Entropy<'_>, out: &mut Vec<u8>, depth: usize) {
    let number = match entropy.below(4) {
        0 => 1000,
        1 => (1 << 29) - 1,
        _ => (1..).find(|number| message.field(*number).is_none()).unwrap(),
    };
    match entropy.below(5) {
        0 => {
            key(entropy, number, WireType::Varint, out);
            let value = entropy.number();
            varint(entropy, value, out);
        }
        1 => {
            key(entropy, number, WireType::Fixed32, out);
            out.extend_from_slice(&[entropy.byte(); 4]);
        }
        2 => {
            key(entropy, number, WireType::Fixed64, out);
            out.extend_from_slice(&[entropy.byte(); 8]);
        }
        3 => {
            key(entropy, number, WireType::Bytes, out);
            varint(entropy, 3, out);
            // Unknown bytes need not be text.
            out.extend_from_slice(&[0xff, 0x80, entropy.byte()]);
        }
        _ => {
            key(entropy, number, WireType::StartGroup, out);
            while depth > 0 && entropy.one_in(2) {
                unknown(message, entropy, out, depth - 1);
            }
            key(entropy, number, WireType::EndGroup, out);
        }
    }
}

/// Damages a request: bytes changed, taken out, put in, said twice, cut off.
pub(crate) fn damage(bytes: &mut Vec<u8>, entropy: &mut Entropy<'_>) {
    for _ in 0..1 + entropy.below(3) {
        if bytes.is_empty() {
            return;
        }
        let at = (usize::from(entropy.byte()) << 8 | usize::from(entropy.byte())) % bytes.len();
        match entropy.below(6) {
            0 => bytes[at] ^= 1 << entropy.below(8),
            1 => bytes[at] = entropy.byte(),
            2 => drop(bytes.remove(at)),
            3 => bytes.insert(at, entropy.byte()),
            4 => bytes.truncate(at),
            _ => {
                let again = bytes[at..(at + 8).min(bytes.len())].to_vec();
                bytes.splice(at..at, again);
            }
        }
    }
}
