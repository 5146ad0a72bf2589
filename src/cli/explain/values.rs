//! Attribute values and message lists in the words of people.

use serde_json::Value as Json;

use crate::cli::paint::{pad, shortened, width};

/// Columns of `assistant  `.
const ROLE: usize = 11;
/// Parts of a list that are shown.
const MOST_PARTS: usize = 12;

/// Attributes that hold a list as JSON text.
const LISTS: [&str; 4] =
    ["gen_ai.system_instructions", "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.tool.definitions"];

/// Whether `key` holds messages, parts or tools.
pub(in crate::cli) fn is_list(key: &str) -> bool {
    LISTS.contains(&key)
}

/// A value on one line: text as it is, but in quotes where it could be taken for something else.
pub(in crate::cli) fn one_line(value: &Json, columns: usize) -> String {
    match value {
        Json::String(text) if is_ambiguous(text) => format!("\"{}\"", shortened(text, columns.saturating_sub(2))),
        Json::String(text) => shortened(text, columns),
        Json::Null => shortened("(nothing)", columns),
        other => shortened(&other.to_string(), columns),
    }
}

/// Whether text reads like a number, a boolean, a list or nothing at all.
fn is_ambiguous(text: &str) -> bool {
    let word = text.trim();
    let is_word = ["true", "false", "null", "none"].iter().any(|known| known.eq_ignore_ascii_case(word));
    is_word
        || word.is_empty()
        || word.len() != text.len()
        || word.starts_with(['{', '[', '"'])
        || word.parse::<f64>().is_ok()
}

/// A list as lines: `user       What is …`, `assistant  tool_call get_weather({"city":"Paris"})`.
/// `None` for what is no such list.
pub(in crate::cli) fn list(value: &Json, columns: usize) -> Option<Vec<String>> {
    let parsed: Json = match value {
        Json::String(text) => serde_json::from_str(text).ok()?,
        other => other.clone(),
    };
    let mut lines = Vec::new();
    for item in parsed.as_array()? {
        let item = item.as_object()?;
        match item.get("parts").and_then(Json::as_array) {
            Some(parts) => {
                let mut role = member(item, "role").to_owned();
                for part in parts {
                    lines.push((std::mem::take(&mut role), part_text(part), None));
                }
                if parts.is_empty() {
                    lines.push((role, "(says nothing)".to_owned(), None));
                }
                if let (Some(line), Some(reason)) = (lines.last_mut(), item.get("finish_reason").and_then(Json::as_str))
                {
                    line.2 = Some(format!("  ({reason})"));
                }
            }
            // Instructions are parts without a message; tools are functions.
            None => lines.push((String::new(), part_text(&Json::Object(item.clone())), None)),
        }
    }
    let hidden = lines.len().saturating_sub(MOST_PARTS);
    let has_roles = lines.iter().any(|(role, ..)| !role.is_empty());
    let mut out: Vec<String> = lines
        .into_iter()
        .take(MOST_PARTS)
        .map(|(role, text, end)| {
            let label =
                if has_roles { format!("{} ", pad(&shortened(&role, ROLE - 1), ROLE - 1)) } else { String::new() };
            let end = end.map(|end| shortened(&end, 24)).unwrap_or_default();
            let room = columns.saturating_sub(width(&label) + width(&end));
            format!("{label}{}{end}", shortened(&text, room))
        })
        .collect();
    if hidden > 0 {
        out.push(format!("… and {hidden} more"));
    }
    Some(out)
}

fn part_text(part: &Json) -> String {
    let Some(part) = part.as_object() else { return part.to_string() };
    let json = |name: &str| part.get(name).map(plain).unwrap_or_default();
    match member(part, "type") {
        "text" => json("content"),
        "reasoning" => format!("reasoning: {}", json("content")),
        "tool_call" => format!("tool_call {}({})", member(part, "name"), json("arguments")),
        "tool_call_response" => format!("answers: {}", json("response")),
        "function" => format!("function {}  {}", member(part, "name"), json("description")),
        "blob" => format!("{} of {} base64 characters", member(part, "modality"), member(part, "content").len()),
        "file" => format!("{} in file {}", member(part, "modality"), json("file_id")),
        "uri" => format!("{} at {}", member(part, "modality"), json("uri")),
        _ => Json::Object(part.clone()).to_string(),
    }
}

fn member<'m>(object: &'m serde_json::Map<String, Json>, name: &str) -> &'m str {
    object.get(name).and_then(Json::as_str).unwrap_or_default()
}

fn plain(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_that_looks_like_something_else_is_quoted() {
        let shown = |value| one_line(&value, 30);
        assert_eq!(shown(json!("gpt-4o")), "gpt-4o");
        assert_eq!((shown(json!(19)), shown(json!("19"))), ("19".into(), "\"19\"".into()));
        assert_eq!((shown(json!(false)), shown(json!("False"))), ("false".into(), "\"False\"".into()));
        assert_eq!(
            (shown(json!(["stop"])), shown(json!("[\"stop\"]"))),
            ("[\"stop\"]".into(), "\"[\"stop\"]\"".into())
        );
        assert_eq!((shown(json!("")), shown(json!(null))), ("\"\"".into(), "(nothing)".into()));
    }

    #[test]
    fn messages_read_like_a_conversation() {
        let messages = json!([
            {"role": "user", "parts": [{"type": "text", "content": "Weather in\nParis?"}]},
            {"role": "assistant", "finish_reason": "tool_call", "parts": [
                {"type": "reasoning", "content": "a tool"},
                {"type": "tool_call", "id": "1", "name": "get_weather", "arguments": {"city": "Paris"}}]},
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "1", "response": "18C"}]},
        ]);
        assert_eq!(
            list(&Json::String(messages.to_string()), 90).unwrap(),
            [
                "user       Weather in\\nParis?",
                "assistant  reasoning: a tool",
                "           tool_call get_weather({\"city\":\"Paris\"})  (tool_call)",
                "tool       answers: 18C",
            ]
        );
        assert_eq!(list(&json!("no list"), 90), None);
    }

    #[test]
    fn hostile_messages_stay_within_their_columns() {
        let messages = json!([{"role": "r".repeat(500), "finish_reason": "f".repeat(500),
            "parts": vec![json!({"type": "text", "content": "x".repeat(5000)}); 100]}]);
        let lines = list(&messages, 80).unwrap();
        assert_eq!(lines.len(), MOST_PARTS + 1);
        assert!(lines.iter().all(|line| width(line) <= 80), "{lines:?}");
    }
}
