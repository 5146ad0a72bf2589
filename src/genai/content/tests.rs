//! Reading, writing and checking against each other, and against serde_json.

use std::borrow::Cow;

use proptest::prelude::*;
use serde_json::{Value as Tree, json};

use super::*;
use crate::genai::message::{Message, Part};

const OUTPUT: Direction = Direction::Output { finish_reason: true };

fn written(messages: &[Message<'_>], with_finish_reason: bool) -> Tree {
    let mut out = String::new();
    write_messages(messages, with_finish_reason, &mut out);
    let direction = if with_finish_reason { OUTPUT } else { Direction::Input };
    assert!(check_messages(&out, direction), "written but not target-shaped: {out}");
    serde_json::from_str(&out).unwrap()
}

fn input(text: &str) -> Option<Tree> {
    Some(written(&messages_from_json(text, "user", false)?, false))
}

fn parts(parts: &[Part<'_>]) -> Tree {
    let mut out = String::new();
    write_parts(parts, &mut out);
    serde_json::from_str(&out).unwrap()
}

#[test]
fn openai_chat_messages() {
    let text = json!([
        {"role": "system", "content": "Be terse."},
        {"role": "user", "name": "ada", "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": "https://x.test/a.png", "detail": "low"}},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            {"type": "input_audio", "input_audio": {"data": "BBBB", "format": "wav"}},
            {"type": "file", "file": {"file_id": "file-1"}},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,CCCC"}},
        ]},
        {"role": "assistant", "content": null, "refusal": null, "annotations": [], "tool_calls": [
            {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"n\": 1.50, \"b\": 1}"}},
            {"id": "c2", "type": "function", "function": {"name": "g", "arguments": "{\"cut"}},
            {"id": "c3", "type": "function", "function": {"name": "h", "arguments": ""}},
        ]},
        {"role": "tool", "tool_call_id": "c1", "content": "{\"temp_c\": 18}"},
        {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "18C"}]},
        {"role": "assistant", "content": "", "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "ok"},
        {"role": "assistant", "refusal": "No.", "content": null, "reasoning_content": "Hm."},
    ]);
    let expected = json!([
        {"role": "system", "parts": [{"type": "text", "content": "Be terse."}]},
        {"role": "user", "name": "ada", "parts": [
            {"type": "text", "content": "What is this?"},
            {"type": "uri", "modality": "image", "uri": "https://x.test/a.png", "detail": "low"},
            {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "AAAA"},
            {"type": "blob", "modality": "audio", "mime_type": "audio/wav", "content": "BBBB"},
            {"type": "file", "modality": "document", "file_id": "file-1"},
            {"type": "blob", "modality": "document", "mime_type": "application/pdf", "content": "CCCC", "filename": "a.pdf"},
        ]},
        {"role": "assistant", "parts": [
            {"type": "tool_call", "id": "c1", "name": "f", "arguments": {"n": 1.50, "b": 1}},
            {"type": "tool_call", "id": "c2", "name": "g", "arguments": "{\"cut"},
            {"type": "tool_call", "id": "c3", "name": "h"},
        ]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "{\"temp_c\": 18}"}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c2", "response": "18C"}]},
        {"role": "assistant", "parts": [{"type": "tool_call", "name": "f", "arguments": {}}]},
        {"role": "tool", "name": "f", "parts": [{"type": "tool_call_response", "response": "ok"}]},
        {"role": "assistant", "parts": [
            {"type": "reasoning", "content": "Hm."},
            {"type": "refusal", "content": "No."},
        ]},
    ]);
    assert_eq!(input(&text.to_string()).unwrap(), expected);
}

#[test]
fn arguments_keep_their_number_text_and_order() {
    let text = r#"[{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"z\": 1.50, \"a\": 12345678901234567890123}"}}]}]"#;
    let mut out = String::new();
    write_messages(&messages_from_json(text, "user", false).unwrap(), false, &mut out);
    assert!(out.contains(r#""arguments":{"z": 1.50, "a": 12345678901234567890123}"#), "{out}");
}

#[test]
fn anthropic_messages_and_blocks() {
    let text = json!([
        {"role": "user", "content": [
            {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "AAAA"}},
            {"type": "document", "source": {"type": "url", "url": "https://x.test/a.pdf"}},
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "plain"}, "title": "T"},
            {"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}},
        ]},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "Let me see.", "signature": "sig"},
            {"type": "redacted_thinking", "data": "xyz"},
            {"type": "text", "text": "Looking.", "citations": null},
            {"type": "tool_use", "id": "t1", "name": "f", "input": {"city": "Paris"}},
            {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"q": "x"}},
        ]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "18C", "is_error": true}]},
    ]);
    let expected = json!([
        {"role": "user", "parts": [
            {"type": "blob", "modality": "image", "mime_type": "image/jpeg", "content": "AAAA"},
            {"type": "uri", "modality": "document", "uri": "https://x.test/a.pdf"},
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "plain"}, "title": "T"},
            {"type": "text", "content": "Hi", "cache_control": {"type": "ephemeral"}},
        ]},
        {"role": "assistant", "parts": [
            {"type": "reasoning", "content": "Let me see.", "signature": "sig"},
            {"type": "redacted_thinking", "data": "xyz"},
            {"type": "text", "content": "Looking."},
            {"type": "tool_call", "id": "t1", "name": "f", "arguments": {"city": "Paris"}},
            {"type": "server_tool_call", "id": "s1", "name": "web_search",
             "server_tool_call": {"type": "server_tool_use", "input": {"q": "x"}}},
        ]},
        {"role": "user", "parts": [{"type": "tool_call_response", "id": "t1", "response": "18C", "is_error": true}]},
    ]);
    assert_eq!(input(&text.to_string()).unwrap(), expected);
}

#[test]
fn the_items_of_one_response_are_one_message() {
    let text = json!([
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]},
        {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{\"a\":1}", "status": "completed"},
        {"type": "function_call_output", "call_id": "c1", "output": "18C"},
        {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant",
         "content": [{"type": "output_text", "text": "It is 18C.", "annotations": [], "logprobs": []}]},
        {"role": "user", "content": [{"type": "input_text", "text": "Thanks"}, {"type": "input_image", "image_url": "https://x.test/b"}]},
        {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "e"},
    ]);
    let expected = json!([
        {"role": "assistant", "parts": [
            {"type": "reasoning", "content": "Hm.", "id": "rs_1"},
            {"type": "tool_call", "id": "c1", "name": "f", "arguments": {"a": 1}, "item_id": "fc_1", "status": "completed"},
        ]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "18C"}]},
        {"role": "assistant", "parts": [{"type": "text", "content": "It is 18C."}], "id": "msg_1", "status": "completed"},
        {"role": "user", "parts": [
            {"type": "text", "content": "Thanks"},
            {"type": "uri", "modality": "image", "uri": "https://x.test/b"},
        ]},
        {"role": "assistant", "parts": [{"type": "reasoning", "content": "", "id": "rs_2", "encrypted_content": "e"}]},
    ]);
    assert_eq!(input(&text.to_string()).unwrap(), expected);
}

#[test]
fn two_items_that_both_say_more_stay_two_messages() {
    let text = json!([
        {"type": "message", "id": "msg_1", "role": "assistant", "content": [{"type": "output_text", "text": "a"}]},
        {"type": "message", "id": "msg_2", "role": "assistant", "content": [{"type": "output_text", "text": "b"}]},
    ]);
    let expected = json!([
        {"role": "assistant", "parts": [{"type": "text", "content": "a"}], "id": "msg_1"},
        {"role": "assistant", "parts": [{"type": "text", "content": "b"}], "id": "msg_2"},
    ]);
    assert_eq!(input(&text.to_string()).unwrap(), expected);
}

/// Quadratic work over any of these would take minutes.
#[test]
fn hostile_sizes_take_linear_time() {
    let count = 100_000;
    let members = (0..count).map(|at| format!("\"m{at}\":1")).collect::<Vec<_>>().join(",");
    let wide = format!("[{{\"role\":\"user\",\"content\":\"Hi\",{members}}}]");
    assert_eq!(messages_from_json(&wide, "user", false).unwrap().len(), 1);
    let calls = (0..count).map(|at| format!("{{\"id\":\"c{at}\",\"name\":\"f\"}}")).collect::<Vec<_>>().join(",");
    let many = format!("[{{\"role\":\"assistant\",\"tool_calls\":[{calls}]}}]");
    assert_eq!(messages_from_json(&many, "user", false).unwrap()[0].parts.len(), count);
    let blocks = format!("[{}]", vec![r#"{"type":"text","text":"a"}"#; count].join(","));
    assert_eq!(parts_from_text(&blocks, true).len(), count);
    assert_eq!(python::to_json(&format!("[{}]", vec!["(1)"; count].join(","))).unwrap().len(), 2 * count + 1);
}

#[test]
fn badly_made_parts_are_mended() {
    let text = json!([
        {"role": "user", "parts": [{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": "https://x.test/a"}}]},
        {"role": "assistant", "parts": [], "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"city\": \"Paris\"}"}}]},
        {"role": "tool", "parts": [{"type": "text", "content": "{\"temp_c\": 18}"}], "tool_call_id": "c1"},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c2", "result": {"t": 1}}]},
    ]);
    let expected = json!([
        {"role": "user", "parts": [
            {"type": "text", "content": "hi"},
            {"type": "uri", "modality": "image", "uri": "https://x.test/a"},
        ]},
        {"role": "assistant", "parts": [{"type": "tool_call", "id": "c1", "name": "f", "arguments": {"city": "Paris"}}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "{\"temp_c\": 18}"}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c2", "response": {"t": 1}}]},
    ]);
    assert!(!check_messages(&text.to_string(), Direction::Input));
    assert_eq!(input(&text.to_string()).unwrap(), expected);
}

#[test]
fn choices_carry_their_finish_reason_into_the_message() {
    let text = json!([
        {"index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant", "content": null},
         "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"index": 1, "finish_reason": "weird", "message": {"role": "assistant", "content": "Hi"}, "logprobs": null},
        {"index": 2, "message": {"content": "Ho"}},
    ]);
    let expected = json!([
        {"role": "assistant", "parts": [{"type": "tool_call", "id": "c", "name": "f", "arguments": {}}], "finish_reason": "tool_call"},
        {"role": "assistant", "parts": [{"type": "text", "content": "Hi"}], "finish_reason": "weird"},
        {"role": "assistant", "parts": [{"type": "text", "content": "Ho"}], "finish_reason": ""},
    ]);
    let text = text.to_string();
    assert_eq!(written(&messages_from_json(&text, "assistant", false).unwrap(), true), expected);
}

#[test]
fn python_text_is_read_where_it_is_expected() {
    let text = r#"[{'role': 'user', 'content': [{'type': 'text', 'text': "it's"}]}, {'role': 'assistant', 'content': None, 'tool_calls': [{'id': 'c', 'type': 'function', 'function': {'name': 'f', 'arguments': '{"a": 1}'}}]}]"#;
    assert_eq!(messages_from_json(text, "user", false), None);
    let messages = messages_from_json(text, "user", true).unwrap();
    let expected = json!([
        {"role": "user", "parts": [{"type": "text", "content": "it's"}]},
        {"role": "assistant", "parts": [{"type": "tool_call", "id": "c", "name": "f", "arguments": {"a": 1}}]},
    ]);
    assert_eq!(written(&messages, false), expected);
    let blocks = "[{'type': 'text', 'text': 'a'}, {'type': 'image_url', 'image_url': {'url': 'https://x.test/a'}}]";
    assert_eq!(parts_from_text(blocks, true).len(), 2);
    assert_eq!(parts_from_text(blocks, false), [Part::Text(blocks.into())]);
}

#[test]
fn wrapped_and_quoted_lists_are_unwrapped_to_a_bound() {
    let list = json!([{"role": "user", "content": "Hi"}]);
    let expected = json!([{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]);
    assert_eq!(input(&json!({"messages": list}).to_string()).unwrap(), expected);
    assert_eq!(input(&json!({"role": "user", "content": "Hi"}).to_string()).unwrap(), expected);
    assert_eq!(input(&json!([json!({"role": "user", "content": "Hi"}).to_string()]).to_string()).unwrap(), expected);
    let mut quoted = list.to_string();
    for _ in 0..3 {
        quoted = json!(quoted).to_string();
        assert_eq!(input(&quoted).unwrap(), expected);
    }
    assert_eq!(input(&json!(quoted).to_string()), None);
}

#[test]
fn what_a_user_typed_or_a_limit_cut_stays_text() {
    let texts = [
        "hello",
        "[1, 2]",
        "{\"a\": 1}",
        "[]",
        "{}",
        "[{\"type\": \"banana\"}]",
        "[{\"type\": \"text\"}]",
        "{\"type\": \"object\", \"properties\": {}}",
        "[{\"type\": \"text\", \"text\": \"a\"}, {\"x\": 1}]",
        "[{\"type\": \"text\", \"text\": \"cut of",
        "[{\"type\": \"text\", \"text\": 7}]",
        "(see below)",
        "\"\"",
        " ",
        "[{'type': 'text', 'text': 'cut",
        "{'a': 1}",
        "['a', 'b']",
    ];
    for text in texts {
        for allow_python in [false, true] {
            assert_eq!(parts_from_text(text, allow_python), [Part::Text(text.into())], "{text}");
            let messages = messages_from_json(text, "user", allow_python);
            assert!(messages.is_none_or(|messages| messages.is_empty()), "{text}");
        }
    }
    assert_eq!(parts_from_text("", true), []);
}

#[test]
fn half_an_emoji_does_not_cost_the_conversation() {
    let text = r#"[{"role":"user","content":"cut \ud83d"},{"role":"user","content":"whole \ud83d\ude00"}]"#;
    let expected = json!([
        {"role": "user", "parts": [{"type": "text", "content": "cut \u{fffd}"}]},
        {"role": "user", "parts": [{"type": "text", "content": "whole 😀"}]},
    ]);
    assert_eq!(input(text).unwrap(), expected);
}

#[test]
fn structured_values_are_read_like_their_json() {
    use crate::otlp::value::{Value, put_key_value};
    use crate::otlp::wire::put_bytes;

    let mut body = Vec::new();
    let mut value = Vec::new();
    Value::from("Hi").encode(&mut value);
    put_key_value(&mut body, 1, "content", &value);
    let mut any = Vec::new();
    put_bytes(&mut any, 6, &body);
    let messages = messages_from_value(&Value::parse(&any), "user", false).unwrap();
    assert_eq!(written(&messages, false), json!([{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]));
    assert_eq!(messages_from_value(&Value::Int(7), "user", false), None);
}

#[test]
fn system_instructions_come_as_text_blocks_or_messages() {
    let expected = json!([{"type": "text", "content": "Be terse."}]);
    for text in [
        "Be terse.",
        r#"[{"type":"text","text":"Be terse."}]"#,
        r#"["Be terse."]"#,
        r#"[{"role":"system","content":"Be terse."}]"#,
        r#"{"role":"system","parts":[{"type":"text","content":"Be terse."}]}"#,
    ] {
        assert_eq!(parts(&system_instructions_from_text(text, false)), expected, "{text}");
    }
    assert_eq!(
        parts(&system_instructions_from_text("[{\"a\":1}]", false)),
        json!([{"type": "text", "content": "[{\"a\":1}]"}])
    );
}

#[test]
fn tool_definitions_of_every_api_are_one() {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let expected = json!([{"type": "function", "name": "f", "description": "d", "parameters": schema}]);
    let same = [
        json!([{"type": "function", "function": {"name": "f", "description": "d", "parameters": schema}}]),
        json!([{"type": "function", "name": "f", "description": "d", "parameters": schema}]),
        json!([{"name": "f", "description": "d", "input_schema": schema}]),
        json!([{"type": "custom", "name": "f", "description": "d", "input_schema": schema}]),
        json!([{"name": "f", "description": "d", "parameters": schema.to_string()}]),
        json!([{"toolSpec": {"name": "f", "description": "d", "inputSchema": {"json": schema}}}]),
        json!([{"functionDeclarations": [{"name": "f", "description": "d", "parameters": schema}]}]),
        json!([json!({"type": "function", "function": {"name": "f", "description": "d", "parameters": schema}})
            .to_string()]),
        json!({"name": "f", "description": "d", "parameters": schema}),
        json!({"name": "f", "description": "d", "inputSchema": schema, "annotations": null}),
        json!([{"lc": 1, "type": "constructor", "id": ["x"], "kwargs": {"name": "f", "description": "d", "args_schema": schema}}]),
        json!([json!([{"name": "f", "description": "d", "parameters": schema}]).to_string()]),
    ];
    let write = |text: &str| {
        let mut out = String::new();
        write_tool_definitions(&tool_definitions_from_json(text, false)?, &mut out);
        assert!(check_tool_definitions(&out), "{out}");
        Some(serde_json::from_str::<Tree>(&out).unwrap())
    };
    for (at, form) in same.iter().enumerate() {
        let text = form.to_string();
        assert_eq!(check_tool_definitions(&text), at == 1, "{text}");
        assert_eq!(write(&text).unwrap(), expected, "{text}");
    }
    assert_eq!(
        write(r#"[{"type":"web_search_preview","search_context_size":"low"},{"type":"function","function":{"name":"g","strict":true}}]"#).unwrap(),
        json!([
            {"type": "web_search_preview", "name": "web_search_preview", "search_context_size": "low"},
            {"type": "function", "name": "g", "strict": true},
        ])
    );
    // Haystack's, whose function is the place of its code; Gemini's own; names alone.
    assert_eq!(
        write(r#"[{"type":"haystack.tools.tool.Tool","data":{"name":"f","parameters":{},"function":"__main__.f","outputs_to_string":null}},{"google_search":{}},"g"]"#).unwrap(),
        json!([
            {"type": "function", "name": "f", "parameters": {}, "function_2": "__main__.f"},
            {"type": "google_search", "name": "google_search"},
            {"type": "function", "name": "g"},
        ])
    );
    assert_eq!(write("[{\"a\":1}]"), None);
    assert_eq!(write("[1]"), None);
    assert_eq!(write(r#"["{\"name\":\"cut"]"#), None);
    assert_eq!(write(r#"["<FunctionTool object>"]"#), None);
}

#[test]
fn tool_definitions_of_pieces() {
    let write = |description: &'static str, parameters: &'static str| {
        let mut out = String::new();
        let tool = tool_definition_from_pieces("f".into(), Some(description.into()), Some(parameters.into()), true);
        write_tool_definitions(&[tool], &mut out);
        assert!(check_tool_definitions(&out), "{out}");
        out
    };
    assert_eq!(write("", "null"), r#"[{"type":"function","name":"f"}]"#);
    assert_eq!(
        write("d", "{\"b\": 1.0, \"a\": {}}"),
        r#"[{"type":"function","name":"f","description":"d","parameters":{"b": 1.0, "a": {}}}]"#
    );
    assert_eq!(write("", "{'a': None}"), r#"[{"type":"function","name":"f","parameters":{"a":null}}]"#);
    assert_eq!(write("", "{\"cut"), r#"[{"type":"function","name":"f","parameters":"{\"cut"}]"#);
}

#[test]
fn checks_refuse_what_only_has_a_type() {
    let message = |part: &str| format!(r#"[{{"role":"user","parts":[{part}]}}]"#);
    let good = [
        r#"{"type":"text","content":""}"#,
        r#"{"type":"text","content":"a","more":[1]}"#,
        r#"{"type":"reasoning","content":"a"}"#,
        r#"{"type":"tool_call","name":"f"}"#,
        r#"{"type":"tool_call","id":null,"name":"f","arguments":"x"}"#,
        r#"{"type":"tool_call_response","response":null}"#,
        r#"{"type":"blob","modality":"image","content":"AA","mime_type":null}"#,
        r#"{"type":"file","modality":"image","file_id":"f"}"#,
        r#"{"type":"uri","modality":"image","uri":"u"}"#,
        r#"{"type":"server_tool_call","name":"s","server_tool_call":{"type":"x"}}"#,
        r#"{"type":"server_tool_call_response","server_tool_call_response":{"type":"x"}}"#,
        r#"{"type":"refusal","content":"No"}"#,
        r#"{"type":"banana"}"#,
    ];
    let bad = [
        r#""text""#,
        r#"{"content":"a"}"#,
        r#"{"type":7,"content":"a"}"#,
        r#"{"type":"text"}"#,
        r#"{"type":"text","text":"a"}"#,
        r#"{"type":"text","content":7}"#,
        r#"{"type":"reasoning","content":null}"#,
        r#"{"type":"tool_call","id":"c"}"#,
        r#"{"type":"tool_call","name":"f","id":7}"#,
        r#"{"type":"tool_call_response","result":1}"#,
        r#"{"type":"blob","content":"AA"}"#,
        r#"{"type":"file","file":{"file_id":"f"}}"#,
        r#"{"type":"uri","uri":"u"}"#,
        r#"{"type":"server_tool_call","name":"s","server_tool_call":{}}"#,
        r#"{"type":"server_tool_call_response","server_tool_call_response":"x"}"#,
        r#"{"type":"image_url","image_url":{"url":"u"}}"#,
        r#"{"type":"tool_use","id":"t","name":"f","input":{}}"#,
        r#"{"type":"thinking","thinking":"x"}"#,
        r#"{"type":"refusal","refusal":"No"}"#,
        r#"{"type":"tool_call","name":"f","arguments":"{\"a\":1}"}"#,
    ];
    for part in good {
        assert!(check_messages(&message(part), Direction::Input), "{part}");
        assert!(check_system_instructions(&format!("[{part}]")), "{part}");
    }
    for part in bad {
        assert!(!check_messages(&message(part), Direction::Input), "{part}");
        assert!(!check_system_instructions(&format!("[{part}]")), "{part}");
    }
}

#[test]
fn checks_of_messages() {
    let without = Direction::Output { finish_reason: false };
    for (text, in_input, in_output, in_output_without) in [
        ("[]", true, true, true),
        (r#"[{"role":"user","parts":[]}]"#, true, false, true),
        (r#"[{"role":"user","name":null,"parts":[],"finish_reason":"stop"}]"#, true, true, true),
        (r#"[{"role":"user","parts":[],"finish_reason":""}]"#, true, true, true),
        (r#"[{"role":"user","parts":[],"finish_reason":"tool_calls"}]"#, true, false, false),
        (r#"[{"role":"user","parts":[],"finish_reason":null}]"#, true, false, true),
        (r#"[{"role":"user","parts":[],"finish_reason":"stop","tool_calls":[{"id":"c"}]}]"#, false, false, false),
        (r#"[{"role":"tool","parts":[],"finish_reason":"stop","tool_call_id":"c"}]"#, false, false, false),
        (r#"[{"role":"user","content":"Hi"}]"#, false, false, false),
        (r#"[{"role":7,"parts":[]}]"#, false, false, false),
        (r#"[{"role":"model","parts":[]}]"#, false, false, false),
        (r#"[{"role":"unknown","parts":[]}]"#, false, false, false),
        (r#"[{"role":"critic","parts":[]}]"#, true, false, true),
        (r#"[{"role":"user","parts":{}}]"#, false, false, false),
        (r#"[{"parts":[]}]"#, false, false, false),
        (r#"{"role":"user","parts":[]}"#, false, false, false),
        (r#"["a"]"#, false, false, false),
        ("hello", false, false, false),
        ("", false, false, false),
    ] {
        assert_eq!(check_messages(text, Direction::Input), in_input, "{text}");
        assert_eq!(check_messages(text, OUTPUT), in_output, "{text}");
        assert_eq!(check_messages(text, without), in_output_without, "{text}");
    }
}

#[test]
fn finish_reasons_in_the_schemas_words() {
    for (said, word) in [
        ("stop", "stop"),
        ("end_turn", "stop"),
        ("STOP", "stop"),
        ("COMPLETE", "stop"),
        ("completed", "stop"),
        ("eos", "stop"),
        ("max_tokens", "length"),
        ("MAX_TOKENS", "length"),
        ("max_output_tokens", "length"),
        ("length", "length"),
        ("SAFETY", "content_filter"),
        ("content_filtered", "content_filter"),
        ("refusal", "content_filter"),
        ("tool_calls", "tool_call"),
        ("tool_use", "tool_call"),
        ("function_call", "tool_call"),
        ("failed", "error"),
        ("pause_turn", "pause_turn"),
        ("", ""),
    ] {
        assert_eq!(message_finish_reason(said.into()), word, "{said}");
    }
}

fn any_text() -> impl Strategy<Value = Cow<'static, str>> {
    ".{0,20}".prop_map(Cow::Owned)
}

/// The id of a call, if it has one; an empty one is none.
fn any_id() -> impl Strategy<Value = Option<Cow<'static, str>>> {
    proptest::option::of(any_text()).prop_map(|id| id.filter(|id| !id.is_empty()))
}

fn any_part() -> impl Strategy<Value = Part<'static>> {
    let json = || {
        prop_oneof![Just("null"), Just("{\"a\": 1.50}"), Just("[\"\\u00e9\"]"), Just("7")]
            .prop_map(|text| crate::genai::message::Json(text.into()))
    };
    let plain =
        prop_oneof![
            any_text().prop_map(Part::Text),
            any_text().prop_map(Part::Reasoning),
            (any_id(), any_text(), json()).prop_map(|(id, name, arguments)| Part::ToolCall {
                id,
                name,
                arguments: (&*arguments.0 != "null").then_some(arguments)
            }),
            (any_id(), json()).prop_map(|(id, response)| Part::ToolCallResponse { id, response }),
            (any_text(), proptest::option::of(any_text()), any_text())
                .prop_map(|(modality, mime_type, content)| Part::Blob { modality, mime_type, content }),
            (any_text(), proptest::option::of(any_text()), any_text())
                .prop_map(|(modality, mime_type, uri)| Part::Uri { modality, mime_type, uri }),
            (any_text(), proptest::option::of(any_text()), any_text())
                .prop_map(|(modality, mime_type, file_id)| Part::File { modality, mime_type, file_id }),
        ];
    prop_oneof![
        4 => plain.clone(),
        1 => plain.prop_map(|part| Part::Extended { part: Box::new(part), more: "\"signature\":\"s\",\"n\":1.0".into() }),
        1 => Just(Part::Generic(crate::genai::message::Json("{\"type\":\"banana\",\"x\":[1]}".into()))),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_target_shaped_and_read_back_the_same(
        list in proptest::collection::vec((prop_oneof![Just("user"), Just("assistant"), Just("system")], proptest::option::of(any_text()), proptest::collection::vec(any_part(), 0..4)), 0..4)
    ) {
        let messages: Vec<Message<'_>> = list
            .into_iter()
            .map(|(role, name, parts)| Message { role: role.into(), name, parts, ..Message::default() })
            .collect();
        let mut out = String::new();
        write_messages(&messages, false, &mut out);
        prop_assert!(check_messages(&out, Direction::Input), "{}", out);
        prop_assert!(serde_json::from_str::<Tree>(&out).is_ok());
        let again = messages_from_json(&out, "user", false).unwrap();
        prop_assert_eq!(&again, &messages);
    }

    #[test]
    fn no_text_is_ever_lost(text in "[\\[\\]{}'\":, a-z]{0,30}|.{0,40}", allow_python: bool) {
        let parts = parts_from_text(&text, allow_python);
        match &parts[..] {
            [] => prop_assert!(text.is_empty()),
            [Part::Text(same)] => prop_assert_eq!(same, &text),
            _ => prop_assert!(false, "{:?}", parts),
        }
        messages_from_json(&text, "user", allow_python);
        system_instructions_from_text(&text, allow_python);
        tool_definitions_from_json(&text, allow_python);
        check_messages(&text, Direction::Input);
        check_tool_definitions(&text);
    }

    #[test]
    fn reading_what_was_written_changes_nothing_more(tree in any_conversation()) {
        let text = tree.to_string();
        if let Some(messages) = messages_from_json(&text, "user", false) {
            let mut once = String::new();
            write_messages(&messages, true, &mut once);
            prop_assert!(check_messages(&once, OUTPUT), "{}", once);
            let mut twice = String::new();
            write_messages(&messages_from_json(&once, "user", false).unwrap(), true, &mut twice);
            prop_assert_eq!(once, twice);
        }
    }
}

/// Arrays of objects made of the members that messages and blocks are made of, in any combination.
fn any_conversation() -> impl Strategy<Value = Tree> {
    let word = prop_oneof![
        Just("text"),
        Just("image_url"),
        Just("tool_use"),
        Just("tool_result"),
        Just("function_call"),
        Just("message"),
        Just("reasoning"),
        Just("user"),
        Just("tool"),
        Just("assistant"),
        Just("stop"),
        Just("tool_calls"),
        proptest::sample::select(vec![
            "human",
            "ai",
            "constructor",
            "ChatGeneration",
            "gen_ai.choice",
            "tool-call",
            "tool-result",
            "server_tool_use",
            "web_search_tool_result",
            "mcp_call",
            "blob",
            "uri",
            "file",
            "image",
            "binary",
            "image-url",
            "thinking",
            "tool_call",
            "tool_call_response",
            "server_tool_call",
            "compaction",
            "AssistantMessage",
            "chat_messages",
        ]),
        Just("{\"a\":1}"),
        Just(""),
        Just("[{\"type\":\"text\",\"text\":\"a\"}]"),
    ]
    .prop_map(Tree::from);
    let leaf = prop_oneof![4 => word, 1 => Just(Tree::Null), 1 => Just(json!(7))];
    let key = prop_oneof![
        Just("type"),
        Just("role"),
        Just("content"),
        Just("parts"),
        Just("text"),
        Just("id"),
        Just("name"),
        Just("tool_calls"),
        Just("tool_call_id"),
        Just("function"),
        Just("arguments"),
        Just("image_url"),
        Just("url"),
        Just("message"),
        Just("finish_reason"),
        Just("summary"),
        Just("call_id"),
        Just("input"),
        Just("tool_use_id"),
        Just("response"),
        Just("refusal"),
        Just("other"),
        proptest::sample::select(vec![
            "lc",
            "kwargs",
            "data",
            "blocks",
            "generation_info",
            "delta",
            "candidates",
            "choices",
            "messages",
            "system",
            "toolUse",
            "toolUseId",
            "toolResult",
            "functionCall",
            "args",
            "tool_call",
            "result",
            "thinking",
            "images",
            "audio",
            "output",
            "value",
            "additional_kwargs",
            "response_metadata",
            "event.name",
            "_role",
            "messageType",
            "finishReason",
            "server_tool_call",
            "uri",
            "modality",
            "mime_type",
            "source",
            "file_id",
            "block_type",
            "model",
            "gen_ai.message.index",
            "index",
            "logprobs",
            "toolCallId",
            "toolName",
            "media",
            "reasoning",
            "update",
        ]),
    ];
    let object = leaf.prop_recursive(4, 60, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Tree::from),
            proptest::collection::btree_map(key.clone(), inner, 0..7)
                .prop_map(|map| map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
        ]
    });
    proptest::collection::vec(object, 1..4).prop_map(Tree::from)
}

#[test]
fn tool_calls_in_any_spelling() {
    let expected = json!([{"type": "tool_call", "id": "c", "name": "f", "arguments": {"a": 1}}]);
    for text in [
        r#"[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]"#,
        r#"[{"toolCallType":null,"toolCallId":"c","toolName":"f","args":"{\"a\":1}"}]"#,
        r#"[{"type":"tool-call","toolCallId":"c","toolName":"f","input":{"a":1}}]"#,
        r#"{"id":"c","name":"f","args":{"a":1},"type":"tool_call"}"#,
        r#"["{\"id\":\"c\",\"name\":\"f\",\"arguments\":{\"a\":1}}"]"#,
    ] {
        let mut read = parts(&tool_calls_from_json(text, false).unwrap());
        read[0].as_object_mut().unwrap().retain(|_, value| !value.is_null());
        assert_eq!(read, expected, "{text}");
    }
    assert_eq!(tool_calls_from_json(r#"[{"a":1}]"#, false), None);
}
