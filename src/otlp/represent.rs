//! A value for readers that have no `AnyValue`: as JSON, and as one text. The rules are those of the
//! OpenTelemetry specification, "AnyValue representation for non-OTLP protocols" (common concepts).
//! OTLP's own JSON, in which a value says its type, is [`super::json`].

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

use super::value::Value;

/// A value as JSON: bytes as base64, no value as `null`, a number that JSON has no word for as text.
/// Lists nest no deeper than a request may.
pub(crate) fn json(value: &Value<'_>) -> Json {
    match value {
        Value::Empty => Json::Null,
        Value::Str(text) => Json::String(text.to_string()),
        Value::Bool(flag) => Json::Bool(*flag),
        Value::Int(number) => Json::from(*number),
        Value::Double(number) => match serde_json::Number::from_f64(*number) {
            Some(number) => Json::Number(number),
            None => Json::from(not_finite(*number)),
        },
        Value::Bytes(bytes) => Json::String(STANDARD.encode(bytes)),
        Value::Array(array) => array.iter().map(|element| json(&element)).collect(),
        Value::KvList(list) => list.iter().map(|(key, element)| (key.to_owned(), json(&element))).collect(),
    }
}

/// A value as one text: a string as it is, nothing as the empty text, a list or a map as [`json`] says it.
pub(crate) fn text(value: Value<'_>) -> Cow<'_, str> {
    match value {
        Value::Empty => Cow::Borrowed(""),
        Value::Str(text) => text,
        Value::Bool(flag) => Cow::Borrowed(if flag { "true" } else { "false" }),
        Value::Int(number) => number.to_string().into(),
        Value::Double(number) if number.is_finite() => number.to_string().into(),
        Value::Double(number) => not_finite(number).into(),
        Value::Bytes(bytes) => STANDARD.encode(bytes).into(),
        list @ (Value::Array(_) | Value::KvList(_)) => json(&list).to_string().into(),
    }
}

/// What a double is called that no digits can say.
pub(crate) fn not_finite(number: f64) -> &'static str {
    match number {
        _ if number.is_nan() => "NaN",
        _ if number > 0.0 => "Infinity",
        _ => "-Infinity",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::value::put_key_value;
    use crate::otlp::wire::put_bytes;

    /// `[1, "-Infinity", "a", true, {"nested": "aGVsbG8gd29ybGQ="}, null]`, by hand.
    fn nested() -> Vec<u8> {
        let mut map = Vec::new();
        let mut bytes = Vec::new();
        Value::Bytes(b"hello world".into()).encode(&mut bytes);
        put_key_value(&mut map, 1, "nested", &bytes);
        let mut array = Vec::new();
        let mut put = |content: &[u8]| put_bytes(&mut array, 1, content);
        for value in [Value::Int(1), Value::Double(f64::NEG_INFINITY), "a".into(), Value::Bool(true)] {
            let mut content = Vec::new();
            value.encode(&mut content);
            put(&content);
        }
        let mut content = Vec::new();
        put_bytes(&mut content, 6, &map);
        put(&content);
        put(&[]);
        let mut value = Vec::new();
        put_bytes(&mut value, 5, &array);
        value
    }

    /// As in the specification's examples.
    #[test]
    fn values_are_written_as_the_specification_says() {
        let of = |value: Value<'_>| text(value).into_owned();
        assert_eq!(of("hello world".into()), "hello world");
        assert_eq!(of(Value::Empty), "");
        assert_eq!(of(Value::Bool(false)), "false");
        assert_eq!(of(Value::Int(-123)), "-123");
        assert_eq!(of(Value::Double(2.5)), "2.5");
        assert_eq!(of(Value::Double(f64::NAN)), "NaN");
        assert_eq!(of(Value::Double(f64::INFINITY)), "Infinity");
        assert_eq!(of(Value::Double(f64::NEG_INFINITY)), "-Infinity");
        assert_eq!(of(Value::Bytes(b"hello world".into())), "aGVsbG8gd29ybGQ=");
        assert_eq!(of(Value::parse(&nested())), r#"[1,"-Infinity","a",true,{"nested":"aGVsbG8gd29ybGQ="},null]"#);
    }

    #[test]
    fn in_json_a_value_keeps_its_type() {
        assert_eq!(json(&Value::Double(f64::NAN)), "NaN");
        assert_eq!(json(&Value::Double(0.1)), 0.1);
        assert_eq!(json(&Value::Int(i64::MAX)), i64::MAX);
        assert_eq!(json(&Value::Empty), Json::Null);
        assert_eq!(json(&"1".into()), "1");
    }
}
