//! JSON text as attribute values with structure, which is what the conventions ask for on events.

use crate::genai::content::json::{self, Kind, Node};
use crate::genai::convention::{INPUT_MESSAGES, OUTPUT_MESSAGES, SYSTEM_INSTRUCTIONS, TOOL_DEFINITIONS};
use crate::otlp::span::Span;
use crate::otlp::value::{Value, put_key_value};
use crate::otlp::wire::put_bytes;

/// How many messages may stand within the value of a record's attribute, for a strict peer to read
/// it: of prost's hundred, the request and the levels down to the value take six.
const DEPTH: usize = 90;

/// Lists that are JSON text get their structure.
pub(super) fn give_structure(span: &mut Span<'_>) {
    for key in [INPUT_MESSAGES, OUTPUT_MESSAGES, SYSTEM_INSTRUCTIONS, TOOL_DEFINITIONS] {
        let Some(Value::Str(text)) = span.get(key) else { continue };
        let Some(list) = json::parse(&text).filter(|node| node.is_array()) else { continue };
        let mut value = Vec::new();
        encode(list, DEPTH, &mut value);
        span.set(key, Value::parse(&value));
    }
}

/// Appends the `AnyValue` of a JSON value. What is nested too deep for a peer stays JSON text.
fn encode(node: Node<'_>, depth: usize, out: &mut Vec<u8>) {
    match node.kind() {
        Kind::Null => {}
        Kind::Bool => Value::Bool(node.text() == "true").encode(out),
        Kind::Number => number(node.text()).encode(out),
        Kind::String => Value::from(node.as_str().unwrap_or_default()).encode(out),
        // An array is a message and each of its elements another one, an object's member one more.
        Kind::Array if depth >= 2 => {
            let (mut array, mut element) = (Vec::new(), Vec::new());
            for node in node.elements() {
                element.clear();
                encode(node, depth - 2, &mut element);
                put_bytes(&mut array, 1, &element);
            }
            put_bytes(out, 5, &array);
        }
        Kind::Object if depth >= 3 => {
            let (mut list, mut member) = (Vec::new(), Vec::new());
            for (key, node) in node.members() {
                member.clear();
                encode(node, depth - 3, &mut member);
                put_key_value(&mut list, 1, &key, &member);
            }
            put_bytes(out, 6, &list);
        }
        Kind::Array | Kind::Object => Value::from(node.text()).encode(out),
    }
}

/// A number; one that neither an integer nor a double can say stays text, digit by digit.
fn number(text: &str) -> Value<'_> {
    if let Ok(number) = text.parse::<i64>() {
        return Value::Int(number);
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && text.contains(['.', 'e', 'E']) => Value::Double(number),
        _ => Value::from(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::genai::content::write_value;
    use crate::otlp::value::check_any_value;
    use crate::otlp::wire;

    fn structured(text: &str) -> Vec<u8> {
        let mut value = Vec::new();
        encode(json::parse(text).unwrap(), DEPTH, &mut value);
        value
    }

    #[test]
    fn json_comes_back_as_it_went() {
        let text = r#"[{"role":"user","parts":[{"type":"x","n":-3,"d":0.5,"b":true,"no":null,"e":{},"l":[]}]}]"#;
        let mut back = String::new();
        write_value(&Value::parse(&structured(text)), &mut back);
        assert_eq!(back, text);
    }

    #[test]
    fn a_number_that_no_value_can_hold_keeps_its_digits() {
        let value = structured("[12345678901234567890]");
        let mut back = String::new();
        write_value(&Value::parse(&value), &mut back);
        assert_eq!(back, r#"["12345678901234567890"]"#);
    }

    #[test]
    fn what_is_nested_too_deep_for_a_peer_stays_text() {
        let text = format!("{}{}", r#"{"a":"#.repeat(60), "1".to_owned() + &"}".repeat(60));
        let value = structured(&text);
        // A record's attribute stands four messages below the request, its value five.
        check_any_value(&value, Some(wire::DEPTH - 5)).unwrap();
        let mut back = String::new();
        write_value(&Value::parse(&value), &mut back);
        assert!(back.contains(r#"{\"a\":"#), "{back}");
    }
}
