//! What a translation must not lose: every text and number of what it took away stands somewhere in
//! the span that came of it.

use dragoman::genai::settings::Target;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::Value as Tree;

use super::homes::{self, get, is_there};
use super::shapes::type_of;
use super::value::{Said, parsed, python, scalar, tree};

/// Members whose values are words of a shape and not content: they are put into the target's words,
/// or follow from where the content stands.
const WORDS: [&str; 12] = [
    "type",
    "role",
    "object",
    "finish_reason",
    "finishReason",
    "stop_reason",
    "index",
    "lc",
    "mime_type",
    "mimeType",
    "mediaType",
    "media_type",
];
/// Members that hold what an application made up.
const FREE: [&str; 6] = ["arguments", "args", "input", "parameters", "properties", "tool_input"];
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
        let has_home = homes::rows_of(scope, before, &entry.key, &value, target)
            .any(|(_, homes, said)| !CONTENT.contains(&homes[0]) && is_said(homes, &said, after, target));
        if !has_home {
            let gone = missing(&value, said());
            found.extend(gone.into_iter().map(|what| Lost { key: entry.key.clone(), what }));
        }
    }
    let mut kept: Vec<_> = after.events.iter().collect();
    for event in &before.events {
        if let Some(place) = kept.iter().position(|kept| *kept == event) {
            kept.swap_remove(place);
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

/// Whether a home that holds no content says something; its word for it may be another one.
fn is_said(homes: &[&str], said: &Tree, after: &Span, target: Target) -> bool {
    // In main, a call that is not streamed is one that does not say that it is.
    let is_no = || scalar(said).eq_ignore_ascii_case("false");
    is_there(after, homes) || (homes == ["gen_ai.request.stream"] && target == Target::Main && is_no())
}

/// Keys whose values are words that a target has others for.
fn is_reworded(key: &str) -> bool {
    let last = key.rsplit('.').next().unwrap_or(key);
    WORDS.contains(&last)
}

/// What of a value is not said.
pub fn missing(value: &Tree, said: &Said) -> Vec<String> {
    let mut gone = Vec::new();
    look(value, said, false, &mut gone);
    gone
}

/// `free`: the members' names are the application's own, and so content as well.
fn look(value: &Tree, said: &Said, free: bool, gone: &mut Vec<String>) {
    match value {
        Tree::Null | Tree::Bool(false) => {}
        Tree::Array(items) => items.iter().for_each(|item| look(item, said, free, gone)),
        Tree::Object(members) => {
            for (name, member) in members.iter().filter(|(name, _)| free || !WORDS.contains(&name.as_str())) {
                if free && !said.says(name) {
                    gone.push(name.clone());
                }
                // A list of inputs is a request's, not a tool's.
                let is_free = FREE.contains(&name.as_str()) && !(name == "input" && member.is_array());
                look(member, said, free || is_free, gone);
            }
        }
        Tree::Bool(true) | Tree::Number(_) => {
            if !said.says_scalar(value) {
                gone.push(scalar(value).into_owned());
            }
        }
        Tree::String(text) => {
            if text.trim().is_empty() || said.says(text) {
            } else if let Some(inner) = parsed(text) {
                look(&inner, said, free, gone);
            } else if let Some((kind, payload)) = data_url(text) {
                let parts = [kind, payload].into_iter().filter(|part| !said.says(part));
                gone.extend(parts.map(str::to_owned));
            } else if let Some(quoted) = python(text) {
                gone.extend(quoted.into_iter().filter(|quoted| !said.says(quoted)));
            } else {
                gone.push(text.clone());
            }
        }
    }
}

/// The media type and the payload of a `data:` URL.
fn data_url(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix("data:")?.split_once(";base64,")
}
