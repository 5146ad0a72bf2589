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

const ID: &[&str] =
    &["id", "document_id", "documentId", "document.id", "doc_id", "id_", "node_id", "chunk_id", "file_id", "_id"];
const SCORE: &[&str] =
    &["score", "relevance_score", "relevanceScore", "similarity", "similarity_score", "document.score"];
const CONTENT: &[&str] = &["content", "page_content", "pageContent", "text", "document", "chunk", "document.content"];
const METADATA: &[&str] = &["metadata", "meta", "extra_info", "document.metadata"];

/// What a list of documents stands under in an answer or in a framework's record of one.
const LISTS: &[&str] = &[
    "documents",
    "docs",
    "results",
    "result",
    "matches",
    "hits",
    "points",
    "nodes",
    "source_nodes",
    "contexts",
    "source_documents",
    "ranking",
    "chunks",
    "data",
    "output",
    "outputs",
    "value",
];

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
        if *wrapper == "kwargs" && rest.has("lc") {
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
    rest.set_aside(OWN);
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

#[cfg(test)]
mod tests {
    use serde_json::{Value as Tree, json};

    use super::*;
    use crate::genai::content::{check_documents, write_documents};

    fn written_documents(text: &str) -> Option<Tree> {
        let mut out = String::new();
        write_documents(&documents_from_json(text, true)?, &mut out);
        assert!(check_documents(&out), "{out}");
        let mut again = String::new();
        write_documents(&documents_from_json(&out, false).unwrap(), &mut again);
        assert_eq!(again, out);
        Some(serde_json::from_str(&out).unwrap())
    }

    #[test]
    fn documents_of_every_source_are_one() {
        let expected = json!([{"id": "d1", "score": 0.50, "content": "Paris is in France.", "metadata": {"page": 1}}]);
        for form in [
            r#"[{"id":"d1","score":0.50,"content":"Paris is in France.","metadata":{"page":1}}]"#,
            r#"{"documents":[{"id":"d1","score":"0.50","content":"Paris is in France.","meta":{"page":1},"embedding":null}]}"#,
            r#"[{"lc":1,"type":"constructor","id":["langchain","schema","document","Document"],"kwargs":{"id":"d1","page_content":"Paris is in France.","metadata":{"page":1},"score":0.50}}]"#,
            r#"[[{"id":"d1","page_content":"Paris is in France.","metadata":{"page":1}},0.50]]"#,
            r#"[{"node":{"id_":"d1","text":"Paris is in France.","metadata":{"page":1},"relationships":{}},"score":0.50}]"#,
            r#"{"matches":[{"document":{"document_id":"d1","text":"Paris is in France.","metadata":{"page":1}},"relevance_score":0.50}]}"#,
            r#"[{"node":{"id_":"d1","embedding":null,"text":"Paris is in France.","metadata":{"page":1}},"score":0.50,"class_name":""}]"#,
            r#"{"type":"list","value":[{"document.id":"d1","document.content":"Paris is in France.","document.score":0.50,"document.metadata":"{\"page\":1}"}]}"#,
            r#"{"output":[{"id":"d1","text":"Paris is in France.","metadata":{"page":1},"score":0.50}]}"#,
            r#"["{\"document_id\":\"d1\",\"content\":\"Paris is in France.\",\"score\":0.50,\"metadata\":{\"page\":1}}"]"#,
            r#"[{'id': 'd1', 'score': 0.50, 'content': 'Paris is in France.', 'metadata': {'page': 1}}]"#,
        ] {
            assert_eq!(written_documents(form), Some(expected.clone()), "{form}");
        }
        assert_eq!(
            written_documents(r#"[{"id":7,"score":1,"index":0}]"#),
            Some(json!([{"id": "7", "score": 1, "index": 0}]))
        );
        // What is said twice, and what has a name of the schema's but is something else.
        assert_eq!(
            written_documents(
                r#"[{"node":{"id_":"d","text":"t","class_name":"TextNode"},"score":"high","class_name":"NodeWithScore"}]"#
            ),
            Some(
                json!([{"id": "d", "content": "t", "score_2": "high", "class_name": "NodeWithScore", "class_name_2": "TextNode"}])
            )
        );
        assert_eq!(
            written_documents(r#"{"results":[{"index":1,"relevance_score":0.9,"document":{"text":"t"}}],"id":"r"}"#),
            Some(json!([{"score": 0.9, "content": "t", "index": 1}]))
        );
        assert_eq!(written_documents(r#"["plain"]"#), Some(json!([{"content": "plain"}])));
        assert_eq!(written_documents("[]"), Some(json!([])));
        for text in ["hello", "[1]", r#"[{"a":1}]"#, r#"[{"id":"d"}]"#, "{}", "[{\"id\":\"d1\",\"cut"] {
            assert_eq!(written_documents(text), None, "{text}");
        }
    }

    #[test]
    fn documents_of_pieces() {
        let write = |score: &'static str, metadata: &'static str| {
            let mut out = String::new();
            let document = document_from_pieces(
                Some("d".into()),
                Some(score.into()),
                Some("t".into()),
                Some(metadata.into()),
                true,
            );
            write_documents(&[document], &mut out);
            assert!(check_documents(&out), "{out}");
            out
        };
        assert_eq!(write("0.50", "{\"a\": 1}"), r#"[{"id":"d","score":0.50,"content":"t","metadata":{"a": 1}}]"#);
        assert_eq!(write("", "{'a': None}"), r#"[{"id":"d","content":"t","metadata":{"a":null}}]"#);
        assert_eq!(write("high", "{\"cut"), r#"[{"id":"d","content":"t","metadata":"{\"cut","score_text":"high"}]"#);
    }

    #[test]
    fn checks_of_documents() {
        for (text, good) in [
            ("[]", true),
            (r#"[{"id":"d","score":0.5}]"#, true),
            (r#"[{"content":"t"}]"#, true),
            (r#"[{"id":7,"score":0.5}]"#, false),
            (r#"[{"id":"d","score":"0.5"}]"#, false),
            (r#"[{"id":"d","score":0.5,"page_content":"t"}]"#, false),
            (r#"[{"banana":1}]"#, false),
            (r#"["t"]"#, false),
            (r#"{"id":"d","score":0.5}"#, false),
        ] {
            assert_eq!(check_documents(text), good, "{text}");
        }
    }
}
