//! Structured attribute values as JSON text.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::escape::write_string;
use crate::otlp::represent::not_finite;
use crate::otlp::value::Value;

/// Appends `value` as JSON: bytes as base64, no value as `null`, a number that JSON has no word for
/// as text, as in `otlp::represent`.
pub fn write_value(value: &Value<'_>, out: &mut String) {
    match value {
        Value::Empty => out.push_str("null"),
        Value::Str(text) => write_string(text, out),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Int(number) => out.push_str(&number.to_string()),
        Value::Double(number) => match serde_json::Number::from_f64(*number) {
            Some(number) => out.push_str(&number.to_string()),
            None => write_string(not_finite(*number), out),
        },
        Value::Bytes(bytes) => write_string(&STANDARD.encode(bytes), out),
        Value::Array(array) => {
            out.push('[');
            for (at, element) in array.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_value(&element, out);
            }
            out.push(']');
        }
        Value::KvList(list) => {
            out.push('{');
            for (at, (key, element)) in list.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_string(key, out);
                out.push(':');
                write_value(&element, out);
            }
            out.push('}');
        }
    }
}
