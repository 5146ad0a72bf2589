//! How much memory a pass over a request takes beside the request's own bytes, found by its framing
//! alone: a request of a few hundred kilobytes may hold a hundred thousand empty spans, and what a
//! pass notes down of each is far more than the two bytes that it came in.

use super::signal::Signal;
use super::value::fields;
use super::wire::Payload;

/// What the walk and the stages note down of every item, resource and scope: where it stands, its ids,
/// what became of it.
const ITEM: usize = 256;

/// What is noted down of every field of the item that is being looked at, or attribute of its resource.
const FIELD: usize = 192;

/// A list that grows has room for twice what is in it, and is there once more while it moves.
const GROWTH: usize = 3;

/// The memory that lists take in a pass over an encoded request, in bytes. Of bytes that are no such
/// request, that of what can be read.
pub fn list_bytes(signal: Signal, body: &[u8]) -> usize {
    let mut noted: usize = 0;
    // Of the items and resources one is looked at after another.
    let mut most: usize = 0;
    for resource in messages(body, 1) {
        noted += 1;
        most = most.max(messages(resource, 1).map(count).sum());
        for scope in messages(resource, 2) {
            noted += 1;
            for item in messages(scope, 2) {
                noted += 1;
                most = most.max(match signal {
                    Signal::Traces | Signal::Logs => count(item),
                    Signal::Metrics => fields(item).map(|field| 1 + points(&field.payload)).sum(),
                });
            }
        }
    }
    noted.saturating_mul(ITEM).saturating_add(most.saturating_mul(FIELD)).saturating_mul(GROWTH)
}

/// The data points of a metric's field; of one that holds none, whatever it holds.
fn points(field: &Payload<'_>) -> usize {
    match field {
        Payload::Bytes(content) => count(content),
        _ => 0,
    }
}

/// How many fields a message has that can be read. Every field of every span is passed over here, before the
/// request is read in earnest: what nearly all of them are like takes six tenths of the instructions of reading them.
fn count(mut bytes: &[u8]) -> usize {
    let mut count = 0;
    loop {
        bytes = match after_usual(bytes) {
            Some(rest) => rest,
            None => match fields(bytes).next() {
                Some(field) => bytes.get(field.end..).unwrap_or_default(),
                None => return count,
            },
        };
        count += 1;
    }
}

/// What stands behind a field with a key of one byte, if it is a number, or content of less than 16 KiB.
#[inline]
fn after_usual(bytes: &[u8]) -> Option<&[u8]> {
    match bytes {
        [key @ 8..0x80, rest @ ..] => match (key & 7, rest) {
            (2, [length @ 0..0x80, rest @ ..]) => rest.get(usize::from(*length)..),
            (2, [low, high @ 0..0x80, rest @ ..]) => rest.get(usize::from(low & 0x7f) | usize::from(*high) << 7..),
            (0, [0..0x80, rest @ ..]) => Some(rest),
            (1, rest) => rest.get(8..),
            (5, rest) => rest.get(4..),
            _ => None,
        },
        _ => None,
    }
}

fn messages(bytes: &[u8], number: u32) -> impl Iterator<Item = &[u8]> {
    fields(bytes).filter_map(move |field| match field.payload {
        Payload::Bytes(content) if field.number == number => Some(content),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::otlp::wire::{put_bytes, put_varint};

    fn message(number: u32, content: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        put_bytes(&mut out, number, content);
        out
    }

    #[test]
    fn items_scopes_and_resources_count_however_small_they_are() {
        for signal in Signal::ALL {
            let items = message(2, b"").repeat(1000);
            let one_scope = message(1, &message(2, &items));
            assert_eq!(list_bytes(signal, &one_scope), (1000 + 2) * ITEM * GROWTH);
            let scopes = message(1, &message(2, b"").repeat(1000));
            assert_eq!(list_bytes(signal, &scopes), 1001 * ITEM * GROWTH);
            assert_eq!(list_bytes(signal, &message(1, b"").repeat(1000)), 1000 * ITEM * GROWTH);
        }
    }

    #[test]
    fn of_attributes_and_points_the_longest_list_counts() {
        let item = |fields: usize| message(2, &message(9, b"").repeat(fields));
        let scope = message(2, &[item(100), item(500), item(300)].concat());
        let resource = [message(1, &message(1, b"").repeat(400)), scope].concat();
        assert_eq!(list_bytes(Signal::Traces, &message(1, &resource)), (5 * ITEM + 500 * FIELD) * GROWTH);
        let metric = message(2, &message(5, &message(1, b"").repeat(700)));
        assert_eq!(list_bytes(Signal::Metrics, &message(1, &message(2, &metric))), (3 * ITEM + 701 * FIELD) * GROWTH);
    }

    /// Any bytes, and bytes that look like fields of every kind and length.
    fn any_message() -> impl Strategy<Value = Vec<u8>> {
        let content = proptest::collection::vec(any::<u8>(), 0..12);
        let wire_type = prop_oneof![Just(2u8), 0u8..8];
        let field = (0u32..40, wire_type, content, prop::sample::select(vec![1usize, 30, 3000]));
        let one = field.prop_map(|(number, wire_type, content, times)| {
            let mut out = Vec::new();
            match wire_type {
                2 => put_bytes(&mut out, number, &content.repeat(times)),
                _ => {
                    put_varint(&mut out, u64::from(number) << 3 | u64::from(wire_type));
                    out.extend_from_slice(&content);
                }
            }
            out
        });
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..40),
            proptest::collection::vec(one, 0..12).prop_map(|fields| fields.concat()),
        ]
    }

    proptest! {
        #[test]
        fn as_many_fields_count_as_can_be_read(bytes in any_message(), cut in 0usize..40) {
            let bytes = &bytes[..bytes.len().saturating_sub(cut)];
            prop_assert_eq!(count(bytes), fields(bytes).count());
        }
    }

    #[test]
    fn what_is_no_request_is_no_reason_to_panic() {
        for bytes in [&b"\x0a\xff"[..], b"\xff\xff\xff\xff\xff\xff", b"\x0a\x03\x12\x09\x01"] {
            for signal in Signal::ALL {
                let _: usize = list_bytes(signal, bytes);
            }
        }
    }
}
