//! What a translation must not lose: every text and number of what it took away stands somewhere in
//! the span that came of it.

use dragoman::genai::settings::Target;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::Value as Tree;

use super::homes::{self, get};
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
/// Homes that hold content, which has to be there word for word.
pub const CONTENT: [&str; 8] = [
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
        let has_home = homes::homes(scope, before, &entry.key, &value, target)
            .any(|(_, home, said)| !CONTENT.contains(&home) && is_said(home, &said, after, target));
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

/// Whether a home that holds no content says something; its word for it may be another one.
fn is_said(home: &str, said: &Tree, after: &Span, target: Target) -> bool {
    // In main, a call that is not streamed is one that does not say that it is.
    let is_no = || scalar(said).eq_ignore_ascii_case("false");
    get(&after.attributes, home).is_some() || (home == "gen_ai.request.stream" && target == Target::Main && is_no())
}

/// Keys whose values are words that a target has others for.
fn is_reworded(key: &str) -> bool {
    let last = key.rsplit('.').next().unwrap_or(key);
    WORDS.contains(&last)
}

/// What of a value is not said.
pub fn missing(value: &Tree, said: &Said) -> Vec<String> {
    let mut gone = Vec::new();
    look(value, said, &mut gone);
    gone
}

fn look(value: &Tree, said: &Said, gone: &mut Vec<String>) {
    match value {
        Tree::Null | Tree::Bool(false) => {}
        Tree::Array(items) => items.iter().for_each(|item| look(item, said, gone)),
        Tree::Object(members) => {
            let members = members.iter().filter(|(name, _)| !WORDS.contains(&name.as_str()));
            members.for_each(|(_, member)| look(member, said, gone));
        }
        Tree::Bool(true) | Tree::Number(_) => {
            if !said.says_scalar(value) {
                gone.push(scalar(value).into_owned());
            }
        }
        Tree::String(text) => {
            if text.trim().is_empty() || said.says(text) {
            } else if let Some(inner) = parsed(text) {
                look(&inner, said, gone);
            } else if let Some((head, payload)) =
                text.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"))
            {
                let parts = [head, payload].into_iter().filter(|part| !said.says(part));
                gone.extend(parts.map(str::to_owned));
            } else if let Some(quoted) = python(text) {
                // The names of members are quoted too; a name that stands nowhere is no content.
                gone.extend(quoted.into_iter().filter(|quoted| !said.says(quoted)));
            } else {
                gone.push(text.clone());
            }
        }
    }
}
