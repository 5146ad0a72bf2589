use super::*;
use crate::otlp::span::Span;
use crate::otlp::value::put_key_value;
use crate::otlp::wire::put_uint;

const NUMBER: u32 = 9;

fn field(key: &str, value: i64) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_key_value(&mut bytes, NUMBER, key, &encoded(&Value::Int(value)));
    bytes
}

fn content(content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_bytes(&mut bytes, NUMBER, content);
    bytes
}

fn edited(source: &[u8], edit: impl FnOnce(&mut Span<'_>)) -> Vec<u8> {
    let mut span = Span::new();
    span.parse(source).unwrap();
    edit(&mut span);
    let mut out = Vec::new();
    span.write(&mut out);
    out
}

#[test]
fn of_a_repeated_key_get_set_and_rename_touch_the_first_and_remove_takes_all() {
    let source = [field("k", 1), field("other", 2), field("k", 3)].concat();
    let set = edited(&source, |span| {
        assert_eq!(span.get("k"), Some(Value::Int(1)));
        span.set("k", 9);
    });
    assert_eq!(set, [field("k", 9), field("other", 2), field("k", 3)].concat());
    let renamed = edited(&source, |span| {
        assert!(span.rename("k", "new"));
        assert_eq!(span.get("k"), Some(Value::Int(3)));
        assert!(!span.rename("k", "new"), "a value under the new name is there");
    });
    assert_eq!(renamed, [field("new", 1), field("other", 2), field("k", 3)].concat());
    assert_eq!(edited(&source, |span| assert!(span.remove("k"))), field("other", 2));
}

#[test]
fn a_rename_keeps_unknown_fields_and_the_value_byte_for_byte() {
    let mut value = Vec::new();
    // intValue 5 as a varint of three bytes, and a field that no AnyValue has.
    value.extend_from_slice(&[0x18, 0x85, 0x80, 0x00]);
    put_uint(&mut value, 100, 7);
    let mut source = Vec::new();
    put_uint(&mut source, 90, 1);
    put_bytes(&mut source, 2, &value);
    put_bytes(&mut source, 1, b"from");
    let mut expected = Vec::new();
    put_bytes(&mut expected, 1, b"to");
    put_uint(&mut expected, 90, 1);
    put_bytes(&mut expected, 2, &value);
    let out = edited(&content(&source), |span| {
        assert!(span.rename("from", "to"));
        assert_eq!(span.get("to"), Some(Value::Int(5)));
    });
    assert_eq!(out, content(&expected));
}

#[test]
fn a_new_value_keeps_unknown_fields_of_the_attribute() {
    let mut source = Vec::new();
    put_bytes(&mut source, 1, b"k");
    put_uint(&mut source, 90, 1);
    let mut expected = Vec::new();
    put_bytes(&mut expected, 1, b"k");
    put_bytes(&mut expected, 2, &encoded(&Value::Int(1)));
    put_uint(&mut expected, 90, 1);
    assert_eq!(edited(&content(&source), |span| span.set("k", 1)), content(&expected));
}

#[test]
fn a_rename_does_not_invent_a_value() {
    let keyed = |key: &str| {
        let mut bytes = Vec::new();
        put_bytes(&mut bytes, 1, key.as_bytes());
        content(&bytes)
    };
    let out = edited(&keyed("a"), |span| {
        span.rename("a", "b");
        span.rename("b", "c");
    });
    assert_eq!(out, keyed("c"));
}

#[test]
fn setting_an_equal_value_in_other_bytes_changes_nothing() {
    let mut source = Vec::new();
    put_bytes(&mut source, 1, b"k");
    put_bytes(&mut source, 2, &[0x18, 0x85, 0x80, 0x00]);
    let source = content(&source);
    let mut span = Span::new();
    span.parse(&source).unwrap();
    span.set("k", 5);
    assert!(!span.is_edited());
}

/// The same edits with and without the index give the same attributes.
#[test]
fn a_span_of_very_many_attributes_is_edited_as_a_small_one_is() {
    let edit = |count: i64| {
        let mut source = Vec::new();
        for number in 0..count {
            source.extend(field(&format!("k{}", number % (count / 2)), number));
        }
        edited(&source, |span| {
            for number in 0..count / 2 {
                let key = format!("k{number}");
                match number % 4 {
                    0 => assert!(span.remove(&key)),
                    1 => assert!(span.rename(&key, &format!("new{number}"))),
                    2 => span.set(&key, -1),
                    _ => span.set(&format!("added{number}"), 1),
                }
                // Every key stands twice; of a renamed one the second is left.
                let left = [None, Some(number + count / 2), Some(-1), Some(number)][(number % 4) as usize];
                assert_eq!(span.get(&key), left.map(Value::Int), "{key}");
            }
            assert!(span.remove("added3"));
            assert!(!span.has("added3"));
            span.set("k0", 0);
            assert_eq!(span.get("k0"), Some(Value::Int(0)));
        })
    };
    let big = 40 * INDEXED_ABOVE as i64;
    let out = edit(big);
    let mut span = Span::new();
    span.parse(&out).unwrap();
    let keys: Vec<&str> = span.source_keys().collect();
    let (removed, added) = (big / 2 / 4, big / 2 / 4);
    assert_eq!(keys.len() as i64, big - 2 * removed + added - 1 + 1);
    assert_eq!(keys.last(), Some(&"k0"));
    assert_eq!(keys.first(), Some(&"new1"));

    let out = edit(8);
    let mut span = Span::new();
    span.parse(&out).unwrap();
    let keys: Vec<&str> = span.source_keys().collect();
    assert_eq!(keys, ["new1", "k2", "k3", "k1", "k2", "k3", "k0"]);
}

#[test]
fn what_is_known_by_its_place_is_edited_as_by_its_name() {
    let source = [field("a", 1), field("b", 2), field("c", 3)].concat();
    // No place, the right one, a wrong one, one that is not there.
    for place in [None, Some(1), Some(0), Some(9)] {
        let out = edited(&source, |span| {
            assert!(span.rename_placed(place, "b", "new"));
            assert!(!span.rename_placed(place, "b", "newer"), "it is gone");
            assert!(!span.rename_placed(place, "c", "new"), "a value under the new name is there");
            assert_eq!(span.get("new"), Some(Value::Int(2)));
        });
        assert_eq!(out, [field("a", 1), field("new", 2), field("c", 3)].concat(), "{place:?}");
        let out = edited(&source, |span| {
            assert!(span.remove_placed(place, "b"));
            assert!(!span.remove_placed(place, "b"), "it is gone");
            span.set("b", 4);
            assert!(span.remove_placed(place, "b"), "it is there again");
        });
        assert_eq!(out, [field("a", 1), field("c", 3)].concat(), "{place:?}");
    }
}

#[test]
fn a_text_is_set_as_it_was_written_and_an_equal_one_changes_nothing() {
    let source = field("a", 1);
    let mut span = Span::new();
    span.parse(&source).unwrap();
    for text in ["a long text", "short"] {
        span.set_text("k", |out| {
            assert_eq!(out, "", "nothing is left of what was written before");
            out.push_str(text);
        });
        assert_eq!(span.get("k"), Some(Value::from(text)));
    }
    let mut once = Vec::new();
    span.write(&mut once);
    let mut again = Span::new();
    again.parse(&once).unwrap();
    again.set_text("k", |out| out.push_str("short"));
    assert!(!again.is_edited());
}
