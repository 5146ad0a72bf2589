//! What the check takes, and one bad example for each of its rules.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue};
use serde_json::json;

use super::*;

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// What is wrong with a value, without its place.
fn wrong(key: &str, value: &Tree, target: Target) -> Vec<String> {
    let text = Value::StringValue(value.to_string());
    violations(&[attribute(key, text)], target).into_iter().map(|found| found.what).collect()
}

fn wrong_with(part: Tree) -> Vec<String> {
    wrong("gen_ai.input.messages", &json!([{"role": "user", "parts": [part]}]), Target::V1_41)
}

fn reply(finish_reason: Tree) -> Tree {
    json!([{"role": "assistant", "parts": [], "finish_reason": finish_reason}])
}

#[test]
fn what_is_published_is_right() {
    let input = json!([
        {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
        {"role": "user", "name": "Ada", "parts": [
            {"type": "text", "content": "Look."},
            {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "iVBORw0KGgo="},
            {"type": "file", "modality": "document", "file_id": "file-1"},
            {"type": "uri", "modality": "image", "mime_type": null, "uri": "https://example.com/a.png"},
        ]},
        {"role": "assistant", "parts": [
            {"type": "reasoning", "content": "They want weather."},
            {"type": "tool_call", "id": "a", "name": "weather", "arguments": {"city": "Paris"}},
            {"type": "tool_call", "id": null, "name": "now", "arguments": "Paris"},
            {"type": "server_tool_call", "id": "b", "name": "search", "server_tool_call": {"type": "web", "q": "x"}},
            {"type": "server_tool_call_response", "id": "b", "server_tool_call_response": {"type": "web", "n": 3}},
        ]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "a", "response": {"t": 21}}]},
    ]);
    let output = json!([{
        "role": "assistant",
        "parts": [{"type": "refusal", "content": "No."}, {"type": "compaction", "content": "…"}],
        "finish_reason": "stop",
    }]);
    let tools = json!([
        {"type": "function", "name": "f", "description": null, "parameters": {"type": "object"}},
        {"type": "web_search", "name": "web_search"},
    ]);
    for target in [Target::V1_41, Target::Main] {
        for (key, value) in [
            ("gen_ai.input.messages", &input),
            ("gen_ai.output.messages", &output),
            ("gen_ai.system_instructions", &json!([{"type": "text", "content": "Be brief."}])),
            ("gen_ai.tool.definitions", &tools),
            ("gen_ai.retrieval.documents", &json!([{"id": "d1", "score": 0.9, "content": "text"}])),
            ("gen_ai.tool.call.arguments", &json!({"city": "Paris"})),
            ("gen_ai.tool.call.result", &json!("21 degrees")),
        ] {
            assert_eq!(wrong(key, value, target), [""; 0], "{key}");
        }
    }
}

#[test]
fn a_list_of_objects_is_one() {
    for (text, what) in [("[{]", "is no JSON"), ("{}", "is no list"), ("[1]", "is no object"), ("\"[]\"", "is no list")]
    {
        let found = violations(&[attribute("gen_ai.input.messages", Value::StringValue(text.into()))], Target::V1_41);
        assert!(found.len() == 1 && found[0].what.starts_with(what), "{text}: {found:?}");
    }
    let structured = Value::ArrayValue(ArrayValue { values: vec![AnyValue::default()] });
    let found = violations(&[attribute("gen_ai.output.messages", structured)], Target::V1_41);
    assert_eq!(found[0].what, "is no object");
}

#[test]
fn messages_are_of_their_shape() {
    let key = "gen_ai.input.messages";
    for (message, what) in [
        (json!({"parts": []}), "has no role"),
        (json!({"role": "human", "parts": []}), "has the role \"human\""),
        (json!({"role": "user"}), "has no list of parts"),
        (json!({"role": "user", "parts": ["text"]}), "is no object"),
        (json!({"role": "user", "name": 1, "parts": []}), "has a name that is no text"),
        (json!({"role": "user", "parts": [], "content": "hi"}), "has a content, which is of another shape"),
        (json!({"role": "user", "parts": [], "finish_reason": "tool-calls"}), "has the finish_reason \"tool-calls\""),
    ] {
        assert_eq!(wrong(key, &json!([message]), Target::V1_41), [what]);
        assert_eq!(wrong(key, &json!([message]), Target::Main), [what]);
    }
}

#[test]
fn a_finish_reason_is_there_for_1_41_and_a_word_of_the_convention() {
    let key = "gen_ai.output.messages";
    let silent = json!([{"role": "assistant", "parts": []}]);
    assert_eq!(wrong(key, &silent, Target::V1_41), ["has no finish_reason"]);
    assert_eq!(wrong(key, &silent, Target::Main), [""; 0]);
    assert_eq!(wrong(key, &reply(Tree::Null), Target::V1_41), ["has no finish_reason"]);
    assert_eq!(wrong(key, &reply(Tree::Null), Target::Main), [""; 0]);
    assert_eq!(wrong(key, &reply(json!("STOP")), Target::Main), ["has the finish_reason \"STOP\""]);
    assert_eq!(wrong(key, &reply(json!("")), Target::Main), ["has the finish_reason \"\""]);
    assert_eq!(wrong(key, &reply(json!("")), Target::V1_41), [""; 0]);
    let stop = AnyValue { value: Some(Value::StringValue("stop".into())) };
    let reasons = Value::ArrayValue(ArrayValue { values: vec![stop] });
    let message = attribute(key, Value::StringValue(reply(json!("")).to_string()));
    let found = violations(&[message, attribute("gen_ai.response.finish_reasons", reasons)], Target::V1_41);
    assert_eq!(found[0].what, "has the finish_reason \"\"");
}

#[test]
fn parts_have_what_they_need() {
    for (part, what) in [
        (json!({"content": "hi"}), "has no type"),
        (json!({"type": "text"}), "has no text content"),
        (json!({"type": "text", "content": ["hi"]}), "has no text content"),
        (json!({"type": "reasoning", "text": "hm"}), "has no text content"),
        (json!({"type": "tool_call", "id": "a"}), "has no name"),
        (json!({"type": "tool_call", "name": ""}), "has no name"),
        (json!({"type": "tool_call", "name": "f", "id": 1}), "has a id that is no text"),
        (json!({"type": "tool_call", "name": "f", "arguments": "{\"a\": 1}"}), "has arguments as a text of JSON"),
        (json!({"type": "tool_call", "name": "f", "input": {}}), "has a input, which is of another shape"),
        (json!({"type": "tool_call_response", "id": "a"}), "has no response"),
        (json!({"type": "tool_call_response", "response": 1, "result": 1}), "has a result, which is of another shape"),
        (json!({"type": "server_tool_call", "server_tool_call": {"type": "web", "q": 1}}), "has no name"),
        (json!({"type": "server_tool_call", "name": "w"}), "has no server_tool_call with a type"),
        (
            json!({"type": "server_tool_call", "name": "w", "server_tool_call": {"type": "web"}}),
            "has a server_tool_call that says nothing but its type",
        ),
        (
            json!({"type": "server_tool_call_response", "server_tool_call_response": {"n": 1}}),
            "has no server_tool_call_response with a type",
        ),
        (json!({"type": "blob", "content": "AAAA"}), "has no modality"),
        (json!({"type": "blob", "modality": "picture", "content": "AAAA"}), "has the modality \"picture\""),
        (json!({"type": "blob", "modality": "image"}), "has no content"),
        (json!({"type": "blob", "modality": "image", "content": "?"}), "has content that is no base64"),
        (
            json!({"type": "blob", "modality": "image", "content": "AAAA", "mime_type": 1}),
            "has a mime_type that is no text",
        ),
        (json!({"type": "file", "modality": "image"}), "has no file_id"),
        (json!({"type": "uri", "modality": "image"}), "has no uri"),
        (
            json!({"type": "uri", "modality": "image", "uri": "data:image/png;base64,AAAA"}),
            "is a data: URL, which is a blob",
        ),
        (json!({"type": "image_url", "image_url": {}}), "is of type \"image_url\", which nobody knows"),
        (json!({"type": "refusal"}), "has no content"),
    ] {
        assert_eq!(wrong_with(part), [what]);
    }
}

#[test]
fn ids_and_their_order_hold() {
    let call = |id: &str| json!({"type": "tool_call", "id": id, "name": "f"});
    let answer = |id: &str| json!({"type": "tool_call_response", "id": id, "response": 1});
    let list = |parts: &[Tree]| {
        let messages: Vec<Tree> = parts.iter().map(|part| json!({"role": "tool", "parts": [part]})).collect();
        wrong("gen_ai.input.messages", &json!(messages), Target::V1_41)
    };
    assert_eq!(list(&[call("a"), answer("a")]), [""; 0]);
    // The call may stand in an earlier request.
    assert_eq!(list(&[answer("a")]), [""; 0]);
    assert_eq!(list(&[answer("a"), call("a")]), ["answers \"a\", which no earlier call has"]);
    assert_eq!(list(&[call("a"), answer("b")]), ["answers \"b\", which no earlier call has"]);
    assert_eq!(list(&[call("a"), call("a")]), ["has the id \"a\" of another call"]);
}

#[test]
fn instructions_are_no_conversation() {
    let key = "gen_ai.system_instructions";
    let image = json!([{"type": "uri", "modality": "image", "uri": "https://example.com/a.png"}]);
    assert_eq!(wrong(key, &image, Target::V1_41), [""; 0]);
    // Main has narrowed them to text.
    assert_eq!(wrong(key, &image, Target::Main), ["is of type Some(\"uri\"), which is no instruction"]);
    let message = json!([{"role": "system", "content": "x"}]);
    assert_eq!(wrong(key, &message, Target::V1_41), ["is of type None, which is no instruction"]);
    assert_eq!(wrong(key, &json!([{"type": "text"}]), Target::V1_41), ["has no text content"]);
}

#[test]
fn tools_and_documents_are_of_their_shape() {
    for (tool, what) in [
        (json!({"name": "f"}), "has no type"),
        (json!({"type": "function"}), "has no name"),
        (json!({"type": "function", "name": "f", "description": 1}), "has a description that is no text"),
        (json!({"type": "function", "name": "f", "parameters": "{}"}), "has parameters that are no JSON schema"),
        (json!({"type": "function", "name": "f", "input_schema": {}}), "has a input_schema, which is of another shape"),
    ] {
        assert_eq!(wrong("gen_ai.tool.definitions", &json!([tool]), Target::V1_41), [what]);
    }
    let key = "gen_ai.retrieval.documents";
    let cases = [
        (json!({"score": 1.0}), vec!["has no id"], vec![]),
        (json!({"id": "d"}), vec!["has no score"], vec![]),
        (json!({"id": "d", "score": "high"}), vec!["has no score"], vec!["has no score"]),
        (json!({}), vec!["has no id", "has no score", "says nothing"], vec!["says nothing"]),
    ];
    for (document, v1_41, main) in cases {
        assert_eq!(wrong(key, &json!([document]), Target::V1_41), v1_41);
        assert_eq!(wrong(key, &json!([document]), Target::Main), main);
    }
}

#[test]
fn what_looks_like_json_is_json() {
    let found = |key: &str, text: &str| {
        violations(&[attribute(key, Value::StringValue(text.into()))], Target::V1_41)
            .into_iter()
            .map(|it| it.what)
            .next()
    };
    let (arguments, result) = ("gen_ai.tool.call.arguments", "gen_ai.tool.call.result");
    for good in ["{\"a\": 1}", "[]", "plain text", "[1 of 3]", "{\"cut", "\"quoted\"", "3"] {
        assert_eq!(found(arguments, good), None, "{good}");
        assert_eq!(found(result, good), None, "{good}");
    }
    assert_eq!(found(result, "{\"a\": 1,}").as_deref(), Some("looks like JSON and is none"));
    assert_eq!(found(arguments, "{'a': 1}").as_deref(), Some("is Python's repr"));
    assert_eq!(found(result, "{'a': 1}"), None);
    assert_eq!(found(result, "\"{\\\"a\\\": 1}\"").as_deref(), Some("is JSON in a text in JSON"));
}

#[test]
fn other_attributes_are_of_their_types() {
    let text = |text: &str| Value::StringValue(text.into());
    let bad = [
        ("gen_ai.request.model", Value::IntValue(1)),
        ("gen_ai.usage.input_tokens", text("12")),
        ("gen_ai.usage.output_tokens", Value::DoubleValue(1.0)),
        ("gen_ai.request.temperature", Value::IntValue(1)),
        ("gen_ai.request.top_k", text("3")),
        ("gen_ai.request.stream", text("False")),
        ("gen_ai.response.finish_reasons", text("[\"stop\"]")),
    ];
    for (key, value) in bad {
        assert_eq!(violations(&[attribute(key, value)], Target::V1_41).len(), 1, "{key}");
    }
    let good = [
        ("gen_ai.request.model", text("m")),
        ("gen_ai.usage.input_tokens", Value::IntValue(12)),
        ("gen_ai.request.temperature", Value::DoubleValue(1.0)),
        ("gen_ai.request.top_k", Value::DoubleValue(3.0)),
        ("gen_ai.request.stream", Value::BoolValue(false)),
        ("gen_ai.response.finish_reasons", Value::ArrayValue(ArrayValue::default())),
        ("their.own", text("x")),
    ];
    for (key, value) in good {
        assert_eq!(violations(&[attribute(key, value)], Target::V1_41), [], "{key}");
    }
}
