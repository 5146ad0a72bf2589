//! What hides in a text: the counts of a whole usage object, the host of an URL.

use super::content::{json, python, write_value};
use super::field::Field;
use crate::otlp::value::Value;

/// The providers' names of counts, inside a usage object.
const COUNTS: &[(&str, Field)] = &[
    ("prompt_tokens", Field::UsageInputTokens),
    ("input_tokens", Field::UsageInputTokens),
    ("completion_tokens", Field::UsageOutputTokens),
    ("output_tokens", Field::UsageOutputTokens),
    ("cached_tokens", Field::UsageCacheReadInputTokens),
    ("cache_read_input_tokens", Field::UsageCacheReadInputTokens),
    ("cache_creation_input_tokens", Field::UsageCacheWriteInputTokens),
    // Bedrock's Converse.
    ("cacheReadInputTokens", Field::UsageCacheReadInputTokens),
    ("cacheWriteInputTokens", Field::UsageCacheWriteInputTokens),
    ("reasoning_tokens", Field::UsageReasoningOutputTokens),
];

/// The counts of a usage object: structured, JSON, a Python literal, or the representation of a
/// Python class (`CompletionUsage(prompt_tokens=29, ...)`).
pub(super) fn read(value: &Value<'_>, allow_python: bool) -> Vec<(Field, i64)> {
    let text = match value {
        Value::Str(text) => text.to_string(),
        Value::KvList(_) => {
            let mut text = String::new();
            write_value(value, &mut text);
            text
        }
        _ => return Vec::new(),
    };
    let mut counts = Vec::new();
    let translated;
    let text = match (json::parse(&text), allow_python) {
        (None, true) => match python::to_json(&text) {
            Some(json) => {
                translated = json;
                translated.as_str()
            }
            None => &text,
        },
        _ => &text,
    };
    match json::parse(text) {
        Some(node) => collect(node, 0, &mut counts),
        None => collect_class(text, &mut counts),
    }
    counts
}

fn collect(node: json::Node<'_>, depth: usize, counts: &mut Vec<(Field, i64)>) {
    for (key, value) in node.members() {
        if value.is_object() && depth < 2 {
            collect(value, depth + 1, counts);
        } else if let Some((_, field)) = COUNTS.iter().find(|(name, _)| *name == key)
            && let Ok(count) = value.text().parse::<i64>()
            && count >= 0
        {
            add(*field, count, counts);
        }
    }
}

fn collect_class(text: &str, counts: &mut Vec<(Field, i64)>) {
    for (at, _) in text.match_indices('=') {
        let (before, after) = (&text[..at], &text[at + 1..]);
        let name_start = before.rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_').map_or(0, |at| at + 1);
        // A separator is ASCII here or the name would not be one of ours.
        let Some(name) = before.get(name_start..) else { continue };
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        if let Some((_, field)) = COUNTS.iter().find(|(known, _)| *known == name)
            && let Ok(count) = after[..digits].parse::<i64>()
        {
            add(*field, count, counts);
        }
    }
}

fn add(field: Field, count: i64, counts: &mut Vec<(Field, i64)>) {
    if !counts.iter().any(|(known, _)| *known == field) {
        counts.push((field, count));
    }
}

/// Host and port of an URL, or of `host:port`.
pub(super) fn host_and_port(url: &str) -> Option<(&str, Option<i64>)> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next()?;
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, port.parse::<u16>().ok()),
        _ => (authority, None),
    };
    (!host.is_empty() && !host.contains(' ')).then_some((host, port.map(i64::from)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_found_in_every_spelling() {
        let texts = [
            r#"{"prompt_tokens": 29, "completion_tokens": 13, "prompt_tokens_details": {"cached_tokens": 8}}"#,
            "{'prompt_tokens': 29, 'completion_tokens': 13, 'prompt_tokens_details': {'cached_tokens': 8}}",
            "CompletionUsage(completion_tokens=13, prompt_tokens=29, details=Details(cached_tokens=8, audio=None))",
        ];
        for text in texts {
            let mut counts = read(&text.into(), true);
            counts.sort();
            let expected =
                [(Field::UsageInputTokens, 29), (Field::UsageOutputTokens, 13), (Field::UsageCacheReadInputTokens, 8)];
            assert_eq!(counts, expected, "{text}");
        }
        assert_eq!(read(&"no usage = at all".into(), true), []);
        assert_eq!(read(&"ü=1 ünprompt_tokens=3".into(), true), []);
    }

    #[test]
    fn hosts() {
        assert_eq!(host_and_port("http://h:11434/v1/"), Some(("h", Some(11434))));
        assert_eq!(host_and_port("https://api.openai.com/v1"), Some(("api.openai.com", None)));
        assert_eq!(host_and_port("https://u:p@host/x"), Some(("host", None)));
        assert_eq!(host_and_port("http://[::1]:8080/"), Some(("[::1]", Some(8080))));
        assert_eq!(host_and_port("not an url"), None);
    }
}
