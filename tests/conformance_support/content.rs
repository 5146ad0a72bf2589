//! What a translation must not lose: every text and number of what it took away stands somewhere in
//! the span that came of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dragoman::genai::settings::Target;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::Value as Tree;

use super::homes::{self, get, is_there};
use super::types::{Type, type_of};
use super::value::{Said, parsed, python, scalar, tree};

/// Members whose values are words of a shape and not content: they are put into the target's words,
/// or follow from where the content stands.
const WORDS: [&str; 14] = [
    "type",
    "role",
    "object",
    "finish_reason",
    "finishReason",
    "stop_reason",
    "index",
    // Of an old event that stands in a list: what it is, and which message it is a part of.
    "event.name",
    "gen_ai.message.index",
    "lc",
    "mime_type",
    "mimeType",
    "mediaType",
    "media_type",
];
/// Members that hold what an application made up.
const MADE_UP: [&str; 4] = ["arguments", "args", "parameters", "tool_input"];
/// Homes that hold content, which has to be there word for word.
const CONTENT: [&str; 8] = [
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.tool.definitions",
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result",
    "gen_ai.retrieval.documents",
    "gen_ai.retrieval.query.text",
];

/// Something that is gone.
#[derive(Debug)]
pub struct Lost {
    /// The attribute, or `event EVENT: ATTRIBUTE`.
    pub key: String,
    /// What of it.
    pub what: String,
}

/// What a span said and no longer says.
pub fn lost(scope: &str, before: &Span, after: &Span, target: Target) -> Vec<Lost> {
    let said = std::cell::OnceCell::new();
    let said = || said.get_or_init(|| Said::by(after));
    let mut found = Vec::new();
    for entry in &before.attributes {
        let value = tree(entry.value.as_ref());
        let now = get(&after.attributes, &entry.key);
        // A number that came as text, a model without its provider's prefix: repaired in place.
        let is_repaired = now.is_some() && type_of(&entry.key).is_some();
        if now.as_ref() == Some(&value) || is_repaired || is_reworded(&entry.key) {
            continue;
        }
        let rows: Vec<_> = homes::rows_of(scope, before, &entry.key, &value, target).collect();
        let is_content = |homes: &[&str]| homes.iter().any(|home| CONTENT.contains(home));
        if rows.iter().any(|(_, homes, value)| !is_content(homes) && is_said(homes, value, after, target)) {
            continue;
        }
        // A plain text has to stand where its home is; a structure may be spread over several.
        let is_text = matches!(&value, Tree::String(text) if parsed(text).is_none() && python(text).is_none());
        let gone = match rows.iter().all(|(_, homes, _)| is_content(homes)) && is_text && !rows.is_empty() {
            true if rows.iter().any(|(_, homes, _)| missing(&value, &Said::under(after, homes)).is_empty()) => continue,
            true => vec![scalar(&value).into_owned()],
            false => missing_of(&entry.key, &value, said()),
        };
        found.extend(gone.into_iter().map(|what| Lost { key: entry.key.clone(), what }));
    }
    let mut kept: Vec<_> = after.events.iter().collect();
    for event in &before.events {
        if let Some(place) = kept.iter().position(|kept| *kept == event) {
            kept.swap_remove(place);
            continue;
        }
        // A total follows from its parts, on an event as well.
        if event.name.ends_with("total_tokens") {
            continue;
        }
        for entry in event.attributes.iter().filter(|entry| !is_reworded(&entry.key)) {
            let gone = missing(&tree(entry.value.as_ref()), said());
            found.extend(
                gone.into_iter().map(|what| Lost { key: format!("event {}: {}", event.name, entry.key), what }),
            );
        }
    }
    found
}

/// What is not as it was although originals are kept. What stands under a target's own name is
/// repaired in place.
pub fn not_kept<'s>(before: &'s Span, kept: &'s Span) -> impl Iterator<Item = &'s str> {
    let attributes = before.attributes.iter().filter(|entry| !kept.attributes.contains(entry));
    let is_current = |key: &&str| type_of(key).is_some() || CONTENT.contains(key);
    let attributes = attributes.map(|entry| entry.key.as_str()).filter(move |key| !is_current(key));
    let events = before.events.iter().filter(|event| !kept.events.contains(event)).map(|event| event.name.as_str());
    attributes.chain(events)
}

/// Whether a home that holds no content says what a key said, as far as it has no word of its own
/// for it.
fn is_said(homes: &[&str], said: &Tree, after: &Span, target: Target) -> bool {
    if is_said_by_absence(homes, said, target) {
        return true;
    }
    homes.iter().any(|home| match get(&after.attributes, home) {
        Some(now) => agrees(home, said, &now),
        None => home.ends_with('*') && is_there(after, &[home]),
    })
}

/// In main, a call that is not streamed is one that does not say that it is.
pub fn is_said_by_absence(homes: &[&str], said: &Tree, target: Target) -> bool {
    homes == ["gen_ai.request.stream"] && target == Target::Main && scalar(said).eq_ignore_ascii_case("false")
}

/// Whether a home's value can have come from what a key said.
fn agrees(home: &str, said: &Tree, now: &Tree) -> bool {
    let number = |tree: &Tree| scalar(tree).trim().trim_matches('"').parse::<f64>().ok();
    match (home, type_of(home)) {
        // The dimension of a vector, the first chunk's moment: numbers that are worked out.
        ("gen_ai.embeddings.dimension.count" | "gen_ai.response.time_to_first_chunk", _) => true,
        // What was cached or thought may be counted in.
        ("gen_ai.usage.input_tokens" | "gen_ai.usage.output_tokens", _) => number(now) >= number(said),
        (_, Some(Type::Int | Type::Double | Type::Number)) => number(now) == number(said),
        (_, Some(Type::Text)) if !MAPPED.contains(&home) => {
            let (said, now) = (scalar(said).into_owned(), scalar(now).into_owned());
            said.contains(now.trim()) || now.contains(said.trim())
        }
        _ => true,
    }
}

/// Homes whose values are words for what a key said.
const MAPPED: [&str; 4] = ["gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.output.type", "gen_ai.tool.type"];

/// Keys whose values are words that a target has others for.
fn is_reworded(key: &str) -> bool {
    WORDS.contains(&last(key))
}

fn last(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

/// Whether the total of a usage object says no more than its parts do.
fn is_sum_of_parts(usage: &serde_json::Map<String, Tree>) -> bool {
    let count = |name: &str| usage.get(name).and_then(Tree::as_u64);
    let sum = |one: &str, other: &str| Some(count(one)? + count(other)?);
    let parts = sum("prompt_tokens", "completion_tokens").or_else(|| sum("input_tokens", "output_tokens"));
    parts.is_some() && parts == count("total_tokens")
}

/// What of an attribute is not said.
fn missing_of(key: &str, value: &Tree, said: &Said) -> Vec<String> {
    let mut gone = Vec::new();
    // A model's parameters have names that are known.
    let made_up = MADE_UP.contains(&last(key)) && !key.ends_with("model.parameters");
    look(value, said, made_up, &mut gone);
    gone
}

/// What of a value is not said.
pub fn missing(value: &Tree, said: &Said) -> Vec<String> {
    missing_of("", value, said)
}

/// `made_up`: by the application or the model, names of members included, so that it is there as a
/// whole or not at all.
fn look(value: &Tree, said: &Said, made_up: bool, gone: &mut Vec<String>) {
    match value {
        Tree::Null | Tree::Bool(false) => {}
        Tree::Array(_) | Tree::Object(_) if made_up => {
            if !said.says_structure(value) {
                gone.push(value.to_string());
            }
        }
        Tree::Array(items) => items.iter().for_each(|item| look(item, said, false, gone)),
        Tree::Object(_) if buffer(value).is_some_and(|bytes| said.says(&STANDARD.encode(bytes))) => {}
        Tree::Object(members) => {
            // The class that LangChain serialised, which the message's role says.
            let is_class = |name: &str| name == "id" && members.contains_key("lc");
            let is_sum = |name: &str| name == "total_tokens" && is_sum_of_parts(members);
            let says = |name: &str| !WORDS.contains(&name) && !is_class(name) && !is_sum(name);
            for (name, member) in members.iter().filter(|(name, _)| says(name)) {
                look(member, said, MADE_UP.contains(&name.as_str()), gone);
            }
        }
        Tree::Bool(true) | Tree::Number(_) => {
            // A fraction may not come back from text to the last bit.
            let is_fraction = value.as_f64().is_some_and(|number| number.fract() != 0.0);
            let is_there = said.says_scalar(value) || is_fraction && said.says(&scalar(value));
            if !is_there {
                gone.push(scalar(value).into_owned());
            }
        }
        Tree::String(text) => {
            if let Some(inner) = parsed(text).filter(|_| made_up) {
                look(&inner, said, true, gone);
            } else if matches!(text.trim(), "" | "None" | "False" | "false") || said.says(text) {
            } else if let Some(inner) = parsed(text) {
                look(&inner, said, false, gone);
            } else if let Some((kind, payload)) = data_url(text) {
                let parts = [kind, payload].into_iter().filter(|part| !said.says(part));
                gone.extend(parts.map(str::to_owned));
            } else if let Some(turns) = turns(text) {
                turns.iter().for_each(|turn| look(&Tree::String(turn.clone()), said, false, gone));
            } else if let Some(quoted) = python(text) {
                let quoted = quoted.into_iter().filter(|(name, _)| !WORDS.contains(&name.as_str()));
                quoted.for_each(|(_, quoted)| look(&Tree::String(quoted), said, false, gone));
            } else {
                gone.push(text.clone());
            }
        }
    }
}

/// What OpenLIT made one text of: a line `role: ` begins each message.
fn turns(text: &str) -> Option<Vec<String>> {
    let said = |line: &str| {
        ["system: ", "user: ", "assistant: ", "tool: "]
            .iter()
            .find_map(|role| line.strip_prefix(role).map(str::to_owned))
    };
    let mut turns = Vec::new();
    for line in text.lines() {
        match (said(line), turns.last_mut()) {
            (Some(turn), _) => turns.push(turn),
            (None, Some(turn)) => *turn = format!("{turn}\n{line}"),
            (None, None) => return None,
        }
    }
    // A message of tool calls only.
    turns.retain(|turn| turn != "None");
    Some(turns)
}

/// What JavaScript makes of a Node `Buffer`.
fn buffer(value: &Tree) -> Option<Vec<u8>> {
    let bytes = value["data"].as_array().filter(|_| value["type"] == "Buffer")?;
    bytes.iter().map(|byte| byte.as_u64().and_then(|byte| u8::try_from(byte).ok())).collect()
}

/// The media type and the payload of a `data:` URL.
fn data_url(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix("data:")?.split_once(";base64,")
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::trace::v1::span::Event;
    use serde_json::json;

    use super::*;
    use crate::conformance_support::value::attributes;

    fn span(said: Tree) -> Span {
        Span { attributes: attributes(said), ..Span::default() }
    }

    fn found(before: Tree, after: Tree) -> Vec<String> {
        lost("", &span(before), &span(after), Target::V1_41).into_iter().map(|lost| lost.what).collect()
    }

    fn reply(text: &str) -> Tree {
        let messages = json!([{"role": "assistant", "parts": [{"type": "text", "content": text}]}]);
        json!({"gen_ai.output.messages": messages.to_string()})
    }

    #[test]
    fn a_text_that_went_stands_somewhere() {
        let legacy = json!({"gen_ai.completion.0.content": "Bonjour", "gen_ai.completion.0.role": "ai"});
        assert_eq!(found(legacy.clone(), reply("Bonjour")), [""; 0]);
        assert_eq!(found(legacy.clone(), reply("Bon")), ["Bonjour"]);
        assert_eq!(found(legacy.clone(), legacy.clone()), [""; 0]);
        // What is said elsewhere does not answer for it.
        let mut elsewhere = reply("");
        elsewhere["gen_ai.input.messages"] = reply("Bonjour")["gen_ai.output.messages"].clone();
        assert_eq!(found(legacy.clone(), elsewhere), ["Bonjour"]);
        // One whose home holds something is lost all the same.
        assert_eq!(found(json!({"gen_ai.completion": "Bonjour"}), reply("")), ["Bonjour"]);
    }

    #[test]
    fn a_structure_is_looked_through() {
        let body = json!({"choices": [{"message": {"role": "assistant", "content": "Bonjour"}}], "id": "c-1"});
        assert_eq!(found(json!({"output.value": body.to_string()}), reply("Bonjour")), ["c-1"]);
        assert_eq!(found(json!({"output.value": "{'content': 'Bonjour', 'id': 'c-1'}"}), reply("Bonjour")), ["c-1"]);
        let nested = json!({"output.value": "{'body': \"[{'role': 'human', 'content': 'Bonjour'}]\"}"});
        assert_eq!(found(nested.clone(), reply("Bonjour")), [""; 0]);
        assert_eq!(found(nested, reply("")), ["Bonjour"]);
        let image = json!({"url": "data:image/png;base64,AAAA"});
        assert_eq!(
            found(image.clone(), json!({"part": "{\"mime_type\":\"image/png\",\"content\":\"AAAA\"}"})),
            [""; 0]
        );
        assert_eq!(found(image, json!({"part": "{\"content\":\"AAAA\"}"})), ["image/png"]);
    }

    #[test]
    fn bytes_are_said_in_base64() {
        let image = json!({"prompt": "{\"image\":{\"type\":\"Buffer\",\"data\":[0,16,255]}}"});
        assert_eq!(found(image.clone(), json!({"part": "{\"content\":\"ABD/\"}"})), [""; 0]);
        assert_eq!(found(image, json!({"part": "{\"content\":\"ABDA\"}"})), ["0", "16", "255"]);
    }

    #[test]
    fn the_names_of_arguments_are_content() {
        let call = json!({"call": {"arguments": "{\"city\": \"Paris\"}"}});
        assert_eq!(found(call.clone(), json!({"arguments": "{\"city\":\"Paris\"}"})), [""; 0]);
        assert_eq!(found(call, json!({"arguments": "{\"town\":\"Paris\"}"})), [r#"{"city":"Paris"}"#]);
        let flat = json!({"llm.request.functions.0.parameters": "{\"n\": 1.0, \"unit\": null}"});
        assert_eq!(found(flat.clone(), json!({"gen_ai.tool.definitions": "[{\"parameters\":{\"n\":1}}]"})), [""; 0]);
        assert_eq!(found(flat, json!({"gen_ai.tool.definitions": "[{\"n\":2}]"})).len(), 1);
    }

    #[test]
    fn a_number_is_said_by_its_home() {
        let legacy = json!({"llm.temperature": 0.5, "llm.usage.prompt_tokens": 7});
        assert_eq!(
            found(legacy.clone(), json!({"gen_ai.request.temperature": 0.5, "gen_ai.usage.input_tokens": 9})),
            [""; 0]
        );
        let wrong = json!({"gen_ai.request.temperature": 0.7, "gen_ai.usage.input_tokens": 6});
        assert_eq!(found(legacy, wrong), ["0.5", "7"]);
        // A word of the target's own.
        assert_eq!(
            found(json!({"gen_ai.system": "AzureOpenAI"}), json!({"gen_ai.provider.name": "azure.ai.openai"})),
            [""; 0]
        );
        let stream = json!({"llm.is_streaming": "False"});
        assert_eq!(lost("", &span(stream), &Span::default(), Target::Main).len(), 0);
    }

    #[test]
    fn an_event_that_went_is_looked_for_too() {
        let event = Event {
            name: "gen_ai.choice".into(),
            attributes: attributes(json!({"message": "Bonjour"})),
            ..Event::default()
        };
        let before = Span { events: vec![event], ..Span::default() };
        assert_eq!(lost("", &before, &Span::default(), Target::Main)[0].key, "event gen_ai.choice: message");
        assert!(lost("", &before, &before, Target::Main).is_empty());
        assert!(lost("", &before, &span(reply("Bonjour")), Target::Main).is_empty());
    }

    #[test]
    fn what_is_kept_is_as_it_was() {
        let before = span(json!({"llm.request.model": "m", "gen_ai.request.stream": "False"}));
        let after = span(json!({"llm.request.model": "M", "gen_ai.request.stream": false}));
        assert_eq!(not_kept(&before, &after).collect::<Vec<_>>(), ["llm.request.model"]);
        assert_eq!(not_kept(&before, &before).count(), 0);
    }
}
