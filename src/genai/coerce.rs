//! One value as the type that a field has: text "29" as 29, `"[\"stop\"]"` as a list.
//!
//! Emitters write the empty text, `[]` or -1 for "nothing"; those are absent, not wrong. What can
//! not be coerced is refused, and stays under its key.

use std::borrow::Cow;

use super::field::{Field, Type};
use super::operation::Scalar;
use super::values;
use crate::otlp::value::Value;

/// A coerced value.
#[derive(Debug, Clone, PartialEq)]
pub enum Coerced<'a> {
    /// The value, in the field's type.
    Value(Scalar<'a>),
    /// The source says that there is none.
    Absent,
    /// The value is not of this type.
    Refused,
}

/// A value as `field` has it.
pub fn coerce<'a>(field: Field, value: &Value<'a>) -> Coerced<'a> {
    let coerced = match field.value_type() {
        Type::Str => text(value),
        Type::Int => integer(value),
        Type::Double => double(value),
        Type::Bool => boolean(value),
        Type::Strings => strings(value),
    };
    match coerced {
        // -1 for "no limit", -1 for "unknown"; only a seed may be negative.
        Coerced::Value(Scalar::Int(number)) if number < 0 && field != Field::RequestSeed => Coerced::Absent,
        Coerced::Value(Scalar::Strings(reasons)) if field == Field::ResponseFinishReasons => {
            Coerced::Value(Scalar::Strings(reasons.into_iter().map(enum_member).collect()))
        }
        other => other,
    }
}

/// Whether a value is that of `fact` as `field` is to be written.
pub fn says(field: Field, kind: Type, value: &Value<'_>, fact: &Scalar<'_>) -> bool {
    let has_class = |item: Value<'_>| item.as_str().is_some_and(|text| values::enum_member(text).len() < text.len());
    is_of(kind, value)
        && matches!(coerce(field, value), Coerced::Value(value) if value == *fact)
        && match value {
            Value::Array(reasons) if field == Field::ResponseFinishReasons => !reasons.iter().any(has_class),
            _ => true,
        }
}

/// Whether a value has a type as it is.
pub fn is_of(kind: Type, value: &Value<'_>) -> bool {
    match (kind, value) {
        (Type::Str, Value::Str(_))
        | (Type::Int, Value::Int(_))
        | (Type::Double, Value::Double(_))
        | (Type::Bool, Value::Bool(_)) => true,
        (Type::Strings, Value::Array(array)) => array.iter().all(|element| matches!(element, Value::Str(_))),
        _ => false,
    }
}

/// The value to write for a fact, where the attribute's type may differ from the field's.
pub fn written<'s>(scalar: &'s Scalar<'_>, kind: Type) -> Value<'s> {
    match (scalar, kind) {
        (Scalar::Double(number), Type::Int) if is_whole(*number) => Value::Int(*number as i64),
        (Scalar::Int(number), Type::Double) => Value::Double(*number as f64),
        (Scalar::Str(text), _) => Value::from(text.as_ref()),
        (Scalar::Int(number), _) => Value::Int(*number),
        (Scalar::Double(number), _) => Value::Double(*number),
        (Scalar::Bool(flag), _) => Value::Bool(*flag),
        (Scalar::Strings(items), _) => Value::strings(items),
    }
}

fn text<'a>(value: &Value<'a>) -> Coerced<'a> {
    match value {
        Value::Str(text) if text.is_empty() => Coerced::Absent,
        Value::Str(text) => Coerced::Value(Scalar::Str(text.clone())),
        Value::Int(number) => Coerced::Value(Scalar::Str(number.to_string().into())),
        Value::Double(number) if number.is_finite() => Coerced::Value(Scalar::Str(number.to_string().into())),
        // A missing value that went through a list: OpenLLMetry's `reasoning_effort`.
        Value::Array(array) if array.iter().next().is_none() => Coerced::Absent,
        Value::Empty => Coerced::Absent,
        _ => Coerced::Refused,
    }
}

fn integer<'a>(value: &Value<'a>) -> Coerced<'a> {
    match value {
        Value::Int(number) => Coerced::Value(Scalar::Int(*number)),
        Value::Double(number) if is_whole(*number) => Coerced::Value(Scalar::Int(*number as i64)),
        Value::Str(text) => {
            let text = text.trim();
            if is_nothing(text) {
                return Coerced::Absent;
            }
            match (text.parse::<i64>(), text.parse::<f64>()) {
                (Ok(number), _) => Coerced::Value(Scalar::Int(number)),
                (_, Ok(number)) if is_whole(number) => Coerced::Value(Scalar::Int(number as i64)),
                _ => Coerced::Refused,
            }
        }
        Value::Empty => Coerced::Absent,
        _ => Coerced::Refused,
    }
}

fn double<'a>(value: &Value<'a>) -> Coerced<'a> {
    match value {
        Value::Double(number) if number.is_finite() => Coerced::Value(Scalar::Double(*number)),
        Value::Int(number) => Coerced::Value(Scalar::Double(*number as f64)),
        Value::Str(text) if is_nothing(text.trim()) => Coerced::Absent,
        Value::Str(text) => match text.trim().parse::<f64>() {
            Ok(number) if number.is_finite() => Coerced::Value(Scalar::Double(number)),
            _ => Coerced::Refused,
        },
        Value::Empty => Coerced::Absent,
        _ => Coerced::Refused,
    }
}

fn boolean<'a>(value: &Value<'a>) -> Coerced<'a> {
    match value {
        Value::Bool(flag) => Coerced::Value(Scalar::Bool(*flag)),
        Value::Int(0) => Coerced::Value(Scalar::Bool(false)),
        Value::Int(1) => Coerced::Value(Scalar::Bool(true)),
        Value::Str(text) => match text.trim() {
            "True" | "true" | "1" => Coerced::Value(Scalar::Bool(true)),
            "False" | "false" | "0" => Coerced::Value(Scalar::Bool(false)),
            nothing if is_nothing(nothing) => Coerced::Absent,
            _ => Coerced::Refused,
        },
        Value::Empty => Coerced::Absent,
        _ => Coerced::Refused,
    }
}

fn strings<'a>(value: &Value<'a>) -> Coerced<'a> {
    match value {
        Value::Array(array) => {
            let mut items = Vec::new();
            for element in array.iter() {
                match element {
                    Value::Str(text) if text.is_empty() => {}
                    Value::Str(text) => items.push(Cow::Owned(text.into_owned())),
                    Value::Empty => {}
                    _ => return Coerced::Refused,
                }
            }
            list(items)
        }
        Value::Str(text) if is_nothing(text.trim()) => Coerced::Absent,
        Value::Str(text) if text.trim_start().starts_with('[') => {
            // Several emitters write a list as its JSON text, under the current name too.
            match serde_json::from_str::<Vec<Option<String>>>(text) {
                Ok(items) => {
                    list(items.into_iter().flatten().filter(|item| !item.is_empty()).map(Cow::Owned).collect())
                }
                Err(_) => Coerced::Value(Scalar::Strings(vec![text.clone()])),
            }
        }
        Value::Str(text) => Coerced::Value(Scalar::Strings(vec![text.clone()])),
        Value::Empty => Coerced::Absent,
        _ => Coerced::Refused,
    }
}

/// As [`values::enum_member`].
fn enum_member(reason: Cow<'_, str>) -> Cow<'_, str> {
    match values::enum_member(&reason) {
        member if member.len() < reason.len() => member.to_owned().into(),
        _ => reason,
    }
}

fn list(items: Vec<Cow<'_, str>>) -> Coerced<'_> {
    if items.is_empty() { Coerced::Absent } else { Coerced::Value(Scalar::Strings(items)) }
}

/// `None`, `null`: how Python and JavaScript spell a missing value when asked for text.
fn is_nothing(text: &str) -> bool {
    matches!(text, "" | "None" | "null" | "undefined")
}

/// Whole, and small enough that a 64-bit float holds it exactly.
fn is_whole(number: f64) -> bool {
    number.is_finite() && number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int(value: Value<'static>) -> Coerced<'static> {
        coerce(Field::UsageInputTokens, &value)
    }

    #[test]
    fn integers() {
        for value in [Value::Int(29), Value::Double(29.0), "29".into(), " 29.0 ".into()] {
            assert_eq!(int(value), Coerced::Value(Scalar::Int(29)));
        }
        for value in ["".into(), "None".into(), Value::Int(-1), Value::Empty] {
            assert_eq!(int(value), Coerced::Absent);
        }
        for value in ["many".into(), Value::Double(0.5), Value::Double(f64::NAN), Value::Bool(true), "1e300".into()] {
            assert_eq!(int(value), Coerced::Refused);
        }
        assert_eq!(coerce(Field::RequestSeed, &Value::Int(-7)), Coerced::Value(Scalar::Int(-7)));
    }

    #[test]
    fn booleans() {
        for (value, flag) in [("True", true), ("false", false), ("0", false), ("1", true)] {
            assert_eq!(coerce(Field::RequestStream, &value.into()), Coerced::Value(Scalar::Bool(flag)));
        }
        assert_eq!(coerce(Field::RequestStream, &"".into()), Coerced::Absent);
        assert_eq!(coerce(Field::RequestStream, &"maybe".into()), Coerced::Refused);
    }

    #[test]
    fn lists() {
        let field = Field::ResponseFinishReasons;
        let stop = Coerced::Value(Scalar::Strings(vec!["stop".into()]));
        for value in [Value::strings(["stop"]), "stop".into(), "[\"stop\"]".into(), "[\"stop\", null]".into()] {
            assert_eq!(coerce(field, &value), stop);
        }
        let member = Coerced::Value(Scalar::Strings(vec!["MAX_TOKENS".into(), "FinishReason.".into()]));
        assert_eq!(coerce(field, &Value::strings(["FinishReason.MAX_TOKENS", "FinishReason."])), member);
        for value in [Value::strings([""; 1]), Value::strings([""; 0]), "[]".into(), "[null]".into(), "".into()] {
            assert_eq!(coerce(field, &value), Coerced::Absent);
        }
    }

    #[test]
    fn a_field_is_written_in_the_attributes_type() {
        assert_eq!(written(&Scalar::Double(40.0), Type::Int), Value::Int(40));
        assert_eq!(written(&Scalar::Double(0.5), Type::Int), Value::Double(0.5));
        assert_eq!(written(&Scalar::Double(40.0), Type::Double), Value::Double(40.0));
    }
}
