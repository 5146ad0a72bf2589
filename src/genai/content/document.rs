//! Retrieval documents: from the JSON of vector stores, frameworks and retrieval APIs, and from the
//! pieces of an indexed family.
//!
//! Only an id and a score have a place in the published schema; content and metadata ride along
//! under the names that most emitters use.

use std::borrow::Cow;

use super::json::{self, Kind, Node};
use super::make::json_string;
use super::members::Rest;
use super::read::repaired;
use super::value;
use crate::genai::message::{Document, Json};
use crate::otlp::value::Value;

/// The members of a written document.
const OWN: &[&str] = &["id", "score", "content", "metadata"];

/// What holds a document among what else its source says of a match, best first.
const WRAPPERS: &[&str] = &["kwargs", "node", "document"];

const ID: &[&str] = &["id", "document_id", "documentId", "doc_id", "id_", "node_id", "chunk_id", "file_id", "_id"];
const SCORE: &[&str] = &["score", "relevance_score", "relevanceScore", "similarity", "similarity_score"];
const CONTENT: &[&str] = &["content", "page_content", "pageContent", "text", "document", "chunk"];
const METADATA: &[&str] = &["metadata", "meta", "extra_info"];

/// What a list of documents stands under in an answer.
const LISTS: &[&str] =
    &["documents", "results", "matches", "nodes", "source_nodes", "contexts", "source_documents", "data", "chunks"];

/// How deep lists of lists, answers in answers and quoted lists are followed.
const UNWRAP: usize = 3;

/// The documents of a JSON list, of a single object or of an answer that holds a list: target-shaped
/// ones, OpenInference's, LangChain's, LlamaIndex's, Haystack's, Spring AI's, LangWatch's, those of
/// vector stores and rerankers, and plain texts. `None` if any element is none of these.
pub fn documents_from_json(text: &str, allow_python: bool) -> Option<Vec<Document<'_>>> {
    if let Some(node) = json::parse(text) {
        return documents(node, UNWRAP);
    }
    let repaired = repaired(text, allow_python)?;
    Some(own(documents(json::parse(&repaired)?, UNWRAP)?))
}

/// As [`documents_from_json`], of an attribute's value.
pub fn documents_from_value(value: &Value<'_>, allow_python: bool) -> Option<Vec<Document<'static>>> {
    match value {
        Value::Str(text) => documents_from_json(text, allow_python).map(own),
        Value::Array(_) | Value::KvList(_) => {
            let mut text = String::new();
            value::write_value(value, &mut text);
            documents_from_json(&text, allow_python).map(own)
        }
        _ => None,
    }
}

/// A document from the pieces of an indexed family; empty text is no piece. A score that is no number and
/// metadata that are no object are carried along as their text.
pub fn document_from_pieces<'a>(
    id: Option<Cow<'a, str>>,
    score: Option<Cow<'a, str>>,
    content: Option<Cow<'a, str>>,
    metadata: Option<Cow<'a, str>>,
    allow_python: bool,
) -> Document<'a> {
    let present = |text: Option<Cow<'a, str>>| text.filter(|text| !text.is_empty());
    let mut document =
        Document { id: present(id), content: content.map(|text| json_string(&text)), ..Document::default() };
    if let Some(text) = present(score) {
        match json::parse(&text).filter(|node| node.kind() == Kind::Number) {
            Some(number) => document.score = Some(Json(number.text().to_owned().into())),
            None => document.more = format!("\"score_text\":{}", json_string(&text).0).into(),
        }
    }
    document.metadata = present(metadata).map(|text| metadata_of(text, allow_python));
    document
}

/// The object that a text holds, or the text.
fn metadata_of(text: Cow<'_, str>, allow_python: bool) -> Json<'_> {
    let is_object = |text: &str| json::parse(text).is_some_and(Node::is_object);
    if is_object(&text) {
        return Json(text);
    }
    match repaired(&text, allow_python).filter(|repaired| is_object(repaired)) {
        Some(repaired) => Json(repaired.into()),
        None => json_string(&text),
    }
}

fn own(documents: Vec<Document<'_>>) -> Vec<Document<'static>> {
    documents.into_iter().map(Document::into_owned).collect()
}

fn documents(node: Node<'_>, unwrap: usize) -> Option<Vec<Document<'_>>> {
    match node.kind() {
        Kind::Array => {
            let mut all = Vec::new();
            for element in node.elements() {
                match element.kind() {
                    Kind::Array => match scored(element) {
                        Some(document) => all.push(document),
                        // One list for every query.
                        None => all.extend(documents(element, unwrap.checked_sub(1)?)?),
                    },
                    Kind::String => all.push(text_or_document(element, unwrap)?),
                    _ => all.push(document(element)?),
                }
            }
            Some(all)
        }
        Kind::Object => {
            let list = LISTS.iter().find_map(|name| node.get(name).filter(|list| list.is_array()));
            match list {
                Some(list) if document(node).is_none_or(|document| document.content.is_none()) => {
                    documents(list, unwrap.checked_sub(1)?)
                }
                _ => Some(vec![document(node)?]),
            }
        }
        Kind::String => {
            let text = node.as_str()?;
            Some(own(documents(json::parse(&text)?, unwrap.checked_sub(1)?)?))
        }
        _ => None,
    }
}

/// LangChain's pair of a document and its score.
fn scored(pair: Node<'_>) -> Option<Document<'_>> {
    let mut elements = pair.elements();
    let (node, score, None) = (elements.next()?, elements.next()?, elements.next()) else { return None };
    let mut document = document(node).filter(|document| document.score.is_none())?;
    document.score = Some(number(score)?);
    Some(document)
}

fn text_or_document(node: Node<'_>, unwrap: usize) -> Option<Document<'_>> {
    let text = node.as_str()?;
    let inner = json::parse(&text).filter(|inner| inner.is_object() && unwrap > 0).and_then(document);
    Some(match inner {
        Some(document) => document.into_owned(),
        None => Document { content: Some(Json(node.text().into())), ..Document::default() },
    })
}

fn document(node: Node<'_>) -> Option<Document<'_>> {
    if !node.is_object() {
        return None;
    }
    let mut rest = Rest::of(node);
    for wrapper in WRAPPERS {
        let Some(inner) = rest.take_kind(wrapper, Kind::Object) else { continue };
        if *wrapper == "kwargs" {
            // The rest of LangChain's envelope names its class.
            rest = Rest::of(inner);
        } else {
            rest.absorb(Rest::of(inner));
        }
    }
    let id = ID.iter().find_map(|key| {
        let node = rest.get(key).filter(|node| matches!(node.kind(), Kind::String | Kind::Number))?;
        rest.take(key);
        node.as_str().or(Some(Cow::Borrowed(node.text())))
    });
    let id = id.filter(|id| !id.is_empty());
    let score = SCORE.iter().find_map(|key| {
        let score = rest.get(key).and_then(number)?;
        rest.take(key);
        Some(score)
    });
    let content = CONTENT.iter().find_map(|key| rest.take(key));
    let metadata = METADATA.iter().find_map(|key| rest.take(key));
    if content.is_none() && (id.is_none() || score.is_none()) {
        return None;
    }
    Some(Document {
        id,
        score,
        content: content.map(|node| Json(node.text().into())),
        metadata: metadata.map(|node| match node.as_str() {
            Some(text) => metadata_of(text, false),
            None => Json(node.text().into()),
        }),
        more: rest.more(OWN)?,
    })
}

/// A number, also if it stands in a text.
fn number(node: Node<'_>) -> Option<Json<'_>> {
    match node.kind() {
        Kind::Number => Some(Json(node.text().into())),
        Kind::String => {
            let text = node.as_str()?;
            let number = json::parse(&text).filter(|inner| inner.kind() == Kind::Number)?;
            Some(Json(number.text().to_owned().into()))
        }
        _ => None,
    }
}
