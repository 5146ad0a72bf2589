//! Every family's blocks and messages, as its emitters write them.

use serde_json::{Value as Tree, json};

use crate::genai::content::{
    Direction, check_messages, conversation_from_json, messages_from_json, parts_from_json, parts_from_text,
    system_instructions_from_text, write_messages, write_parts, write_tool_definitions,
};

const OUTPUT: Direction = Direction::Output { finish_reason: true };

/// The messages of a text: valid, and read back as themselves.
fn messages(text: &str, role: &str) -> Tree {
    let output = role == "assistant";
    let mut once = String::new();
    write_messages(&messages_from_json(text, role, false).unwrap_or_else(|| panic!("{text}")), output, &mut once);
    assert!(check_messages(&once, if output { OUTPUT } else { Direction::Input }), "{once}");
    let mut twice = String::new();
    write_messages(&messages_from_json(&once, role, false).unwrap(), output, &mut twice);
    assert_eq!(once, twice);
    serde_json::from_str(&once).unwrap()
}

fn input(tree: &Tree) -> Tree {
    messages(&tree.to_string(), "user")
}

/// The parts of a message's content.
fn parts(content: &Tree) -> Tree {
    input(&json!([{"role": "user", "content": content}]))[0]["parts"].clone()
}

/// Checks each block against the part that it becomes.
fn each(blocks: &[(Tree, Tree)]) {
    for (block, part) in blocks {
        assert_eq!(parts(&json!([block])), json!([part]), "{block}");
    }
}

#[test]
fn gemini() {
    each(&[
        (json!({"text": "Hi"}), json!({"type": "text", "content": "Hi"})),
        (
            json!({"text": "Hm.", "thought": true, "thoughtSignature": "s"}),
            json!({"type": "reasoning", "content": "Hm.", "thoughtSignature": "s"}),
        ),
        (
            json!({"functionCall": {"name": "f", "args": {"a": 1}}, "thought_signature": "s"}),
            json!({"type": "tool_call", "name": "f", "arguments": {"a": 1}, "thought_signature": "s"}),
        ),
        (
            json!({"function_response": {"id": "c", "name": "f", "response": {"t": 18}}, "text": null}),
            json!({"type": "tool_call_response", "id": "c", "response": {"t": 18}, "name": "f"}),
        ),
        (
            json!({"inlineData": {"mimeType": "image/png", "data": "AAAA"}}),
            json!({"type": "blob", "modality": "image", "mime_type": "image/png", "content": "AAAA"}),
        ),
        (
            json!({"file_data": {"mime_type": "video/mp4", "file_uri": "gs://b/v"}}),
            json!({"type": "uri", "modality": "video", "mime_type": "video/mp4", "uri": "gs://b/v"}),
        ),
        (
            json!({"executableCode": {"language": "PYTHON", "code": "1"}}),
            json!({"type": "server_tool_call", "name": "code_execution",
                "server_tool_call": {"type": "executable_code", "language": "PYTHON", "code": "1"}}),
        ),
        (
            json!({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}}),
            json!({"type": "server_tool_call_response",
                "server_tool_call_response": {"type": "code_execution_result", "outcome": "OUTCOME_OK", "output": "1"}}),
        ),
    ]);
    let request = json!({
        "model": "gemini-2.5-flash",
        "config": {
            "system_instruction": {"parts": [{"text": "Be terse."}], "role": "user"},
            "tools": [{"function_declarations": [{"name": "f", "description": "d", "parameters": {"type": "OBJECT"}}]}, {"google_search": {}}],
            "temperature": 0.5,
        },
        "contents": [
            {"role": "user", "parts": [{"text": "Hi"}]},
            {"role": "model", "parts": [{"function_call": {"id": "c", "name": "f", "args": {}}}]},
        ],
    })
    .to_string();
    let conversation = conversation_from_json(&request, "user", false).unwrap();
    let mut out = String::new();
    write_parts(&conversation.instructions, &mut out);
    assert_eq!(out, r#"[{"type":"text","content":"Be terse."}]"#);
    out.clear();
    write_messages(&conversation.messages, false, &mut out);
    assert_eq!(
        serde_json::from_str::<Tree>(&out).unwrap(),
        json!([
            {"role": "user", "parts": [{"type": "text", "content": "Hi"}]},
            {"role": "assistant", "parts": [{"type": "tool_call", "id": "c", "name": "f", "arguments": {}}]},
        ])
    );
    out.clear();
    write_tool_definitions(&conversation.tools, &mut out);
    assert_eq!(
        serde_json::from_str::<Tree>(&out).unwrap(),
        json!([
            {"type": "function", "name": "f", "description": "d", "parameters": {"type": "OBJECT"}},
            {"type": "google_search", "name": "google_search"},
        ])
    );
    let more: Tree = serde_json::from_str(&format!("{{{}}}", conversation.more)).unwrap();
    assert_eq!(more, json!({"model": "gemini-2.5-flash", "config": {"temperature": 0.5}}));
    let expected =
        json!([{"role": "assistant", "parts": [{"type": "text", "content": "Hi"}], "finish_reason": "stop"}]);
    for response in [
        json!({"candidates": [{"content": {"role": "model", "parts": [{"text": "Hi"}]}, "finishReason": "STOP", "index": 0}],
            "usageMetadata": {"promptTokenCount": 1}}),
        // What ADK writes.
        json!({"content": {"parts": [{"text": "Hi"}], "role": "model"}, "finish_reason": "STOP",
            "usage_metadata": {"prompt_token_count": 1}}),
    ] {
        assert_eq!(messages(&response.to_string(), "assistant"), expected, "{response}");
    }
    assert_eq!(
        messages(r#"{"candidates":[{"finishReason":"SAFETY","index":0}],"modelVersion":"g"}"#, "assistant"),
        json!([{"role": "assistant", "parts": [], "finish_reason": "content_filter"}])
    );
}

#[test]
fn bedrock() {
    each(&[
        (
            json!({"toolUse": {"toolUseId": "c", "name": "f", "input": {"city": "Paris"}}}),
            json!({"type": "tool_call", "id": "c", "name": "f", "arguments": {"city": "Paris"}}),
        ),
        (
            json!({"toolResult": {"toolUseId": "c", "status": "success", "content": [{"text": "18C"}]}}),
            json!({"type": "tool_call_response", "id": "c", "response": "18C", "status": "success"}),
        ),
        (
            json!({"toolResult": {"toolUseId": "c", "content": [{"json": {"t": 18}}]}}),
            json!({"type": "tool_call_response", "id": "c", "response": {"t": 18}}),
        ),
        (
            json!({"toolResult": {"toolUseId": "c", "content": [{"text": "a"}, {"text": "b"}]}}),
            json!({"type": "tool_call_response", "id": "c", "response": [{"text": "a"}, {"text": "b"}]}),
        ),
        (
            json!({"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "s"}}}),
            json!({"type": "reasoning", "content": "Hm.", "signature": "s"}),
        ),
        (
            json!({"reasoningContent": {"redactedContent": "AAAA"}}),
            json!({"type": "reasoningContent", "reasoningContent": {"redactedContent": "AAAA"}}),
        ),
        (
            json!({"image": {"format": "png", "source": {"bytes": "AAAA"}}}),
            json!({"type": "blob", "modality": "image", "mime_type": "image/png", "content": "AAAA"}),
        ),
        (
            json!({"document": {"format": "pdf", "name": "n", "source": {"s3Location": {"uri": "s3://b/d", "bucketOwner": "1"}}}}),
            json!({"type": "uri", "modality": "document", "mime_type": "application/pdf", "uri": "s3://b/d", "name": "n", "bucketOwner": "1"}),
        ),
        (
            json!({"citationsContent": {"content": [{"text": "Paris"}], "citations": [{"title": "T"}]}}),
            json!({"type": "text", "content": "Paris", "citations": [{"title": "T"}]}),
        ),
        (json!({"cachePoint": {"type": "default"}}), json!({"type": "cachePoint", "cachePoint": {"type": "default"}})),
    ]);
    // As Strands writes them into events.
    let answer = r#"[{"toolResult": {"toolUseId": "call_b07f12af073c7e8b08be1771", "status": "success", "content": [{"text": "18C in Paris"}]}}]"#;
    assert_eq!(
        messages(answer, "tool"),
        json!([{"role": "tool", "parts": [{"type": "tool_call_response", "id": "call_b07f12af073c7e8b08be1771",
            "response": "18C in Paris", "status": "success"}]}])
    );
    assert_eq!(
        messages(r#"[{"text": "You are terse."}]"#, "system"),
        json!([{"role": "system", "parts": [{"type": "text", "content": "You are terse."}]}])
    );
    assert_eq!(
        messages(
            r#"{"output":{"message":{"role":"assistant","content":[{"text":"Hi"}]}},"stopReason":"max_tokens","usage":{"inputTokens":1}}"#,
            "assistant"
        ),
        json!([{"role": "assistant", "parts": [{"type": "text", "content": "Hi"}], "finish_reason": "length"}])
    );
}

#[test]
fn ai_sdk() {
    each(&[
        (
            json!({"type": "tool-call", "toolCallId": "c", "toolName": "f", "args": {"a": 1}}),
            json!({"type": "tool_call", "id": "c", "name": "f", "arguments": {"a": 1}}),
        ),
        (
            json!({"type": "tool-call", "toolCallId": "c", "toolName": "f", "input": "{\"a\": 1}"}),
            json!({"type": "tool_call", "id": "c", "name": "f", "arguments": {"a": 1}}),
        ),
        (
            json!({"type": "tool-call", "toolCallId": "c", "toolName": "web_search", "input": {"q": "x"}, "providerExecuted": true}),
            json!({"type": "server_tool_call", "id": "c", "name": "web_search",
                "server_tool_call": {"type": "web_search", "input": {"q": "x"}}}),
        ),
        (
            json!({"type": "tool-result", "toolCallId": "c", "toolName": "f", "result": {"t": 18}}),
            json!({"type": "tool_call_response", "id": "c", "response": {"t": 18}, "name": "f"}),
        ),
        (
            json!({"type": "tool-result", "toolCallId": "c", "toolName": "f", "output": {"type": "json", "value": {"t": 18}}}),
            json!({"type": "tool_call_response", "id": "c", "response": {"t": 18}, "name": "f"}),
        ),
        (
            json!({"type": "tool-result", "toolCallId": "c", "output": {"type": "error-text", "value": "no"}}),
            json!({"type": "tool_call_response", "id": "c", "response": {"type": "error-text", "value": "no"}}),
        ),
        (
            json!({"type": "image", "image": "https://x.test/a.png", "mimeType": "image/png"}),
            json!({"type": "uri", "modality": "image", "mime_type": "image/png", "uri": "https://x.test/a.png"}),
        ),
        (
            json!({"type": "file", "data": "AAAA", "mediaType": "application/pdf", "filename": "a.pdf"}),
            json!({"type": "blob", "modality": "document", "mime_type": "application/pdf", "content": "AAAA", "filename": "a.pdf"}),
        ),
        (
            json!({"type": "image", "image": {"type": "Buffer", "data": [0, 16, 255]}, "mediaType": "image/png"}),
            json!({"type": "blob", "modality": "image", "mime_type": "image/png", "content": "ABD/"}),
        ),
        (
            json!({"type": "file", "data": {"0": 0, "1": 16, "2": 255}, "mediaType": "image/png"}),
            json!({"type": "blob", "modality": "image", "mime_type": "image/png", "content": "ABD/"}),
        ),
        (
            json!({"type": "image", "image": {"0": 256}, "mediaType": "image/png"}),
            json!({"type": "image", "image": {"0": 256}, "mediaType": "image/png"}),
        ),
        (
            json!({"type": "file", "data": {"type": "url", "url": "https://x.test/a"}, "mediaType": "audio/wav"}),
            json!({"type": "uri", "modality": "audio", "mime_type": "audio/wav", "uri": "https://x.test/a"}),
        ),
        (
            json!({"type": "reasoning", "text": "Hm.", "signature": "s"}),
            json!({"type": "reasoning", "content": "Hm.", "signature": "s"}),
        ),
    ]);
    // Of the recordings of 4.3.19 and 5.0.277.
    let root = r#"{"system":"You are terse.","prompt":"Hello, how are you?"}"#;
    let conversation = conversation_from_json(root, "user", false).unwrap();
    assert_eq!((conversation.instructions.len(), conversation.messages.len()), (1, 1));
    assert_eq!(&*conversation.more, "");
    assert_eq!(conversation_from_json(r#"{"prompt":"Hello"}"#, "user", false).unwrap().messages.len(), 1);
    let history = r#"[{"role":"user","content":[{"type":"text","text":"What is the weather in Paris?"}]},{"role":"assistant","content":[{"type":"tool-call","toolCallId":"call_d05aac9d0fb59e7de187a4d5","toolName":"getWeather","args":{"city":"Paris"}}]},{"role":"tool","content":[{"type":"tool-result","toolCallId":"call_d05aac9d0fb59e7de187a4d5","toolName":"getWeather","result":{"t":18,"city":"Paris"}}]}]"#;
    assert_eq!(
        messages(history, "user"),
        json!([
            {"role": "user", "parts": [{"type": "text", "content": "What is the weather in Paris?"}]},
            {"role": "assistant", "parts": [{"type": "tool_call", "id": "call_d05aac9d0fb59e7de187a4d5", "name": "getWeather", "arguments": {"city": "Paris"}}]},
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "call_d05aac9d0fb59e7de187a4d5", "response": {"t": 18, "city": "Paris"}, "name": "getWeather"}]},
        ])
    );
}

#[test]
fn langchain() {
    let ai = json!({"content": "", "additional_kwargs": {"refusal": null, "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        "response_metadata": {"finish_reason": "tool_calls"}, "type": "ai", "id": "run-1",
        "tool_calls": [{"name": "f", "args": {"city": "Paris"}, "id": "c", "type": "tool_call"}], "invalid_tool_calls": []});
    let said = json!([
        {"role": "system", "parts": [{"type": "text", "content": "Use tools."}]},
        {"role": "user", "parts": [{"type": "text", "content": "Weather?"}], "id": "h"},
        {"role": "assistant", "parts": [{"type": "tool_call", "id": "c", "name": "f", "arguments": {"city": "Paris"}}],
            "response_metadata": {"finish_reason": "tool_calls"}, "id": "run-1"},
        {"role": "tool", "name": "f", "parts": [{"type": "tool_call_response", "id": "c", "response": "18C"}], "status": "success"},
    ]);
    let class = |name: &str, kwargs: Tree| json!({"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", name], "kwargs": kwargs});
    let system = json!({"content": "Use tools.", "type": "system"});
    let human = json!({"content": "Weather?", "type": "human", "id": "h"});
    let tool = json!({"content": "18C", "type": "tool", "name": "f", "tool_call_id": "c", "status": "success"});
    let dictionary = |message: &Tree| json!({"type": message["type"], "data": message});
    for form in [
        json!({"messages": [[class("SystemMessage", system.clone()), class("HumanMessage", human.clone()), class("AIMessage", ai.clone()), class("ToolMessage", tool.clone())]]}),
        json!({"messages": [dictionary(&system), dictionary(&human), dictionary(&ai), dictionary(&tool)]}),
        json!({"messages": [&system, &human, &ai, &tool]}),
        json!([[&system, &human, &ai, &tool]]),
        json!({"output": [{"graph": null, "update": {"messages": [&system, &human, &ai, &tool]}}]}),
    ] {
        assert_eq!(input(&form), said, "{form}");
    }
    let generations = json!({"generations": [[{"text": "Hi", "generation_info": {"finish_reason": "stop", "logprobs": null}, "type": "ChatGeneration",
        "message": class("AIMessage", json!({"content": "Hi", "type": "ai", "id": "run-1"}))}]], "llm_output": null, "run": null, "type": "LLMResult"});
    assert_eq!(
        messages(&generations.to_string(), "assistant"),
        json!([{"role": "assistant", "parts": [{"type": "text", "content": "Hi"}], "finish_reason": "stop", "id": "run-1"}])
    );
    let prompt = json!({"lc": 1, "type": "constructor", "id": ["langchain", "prompts", "chat", "ChatPromptValue"],
        "kwargs": {"messages": [class("HumanMessage", json!({"content": "Hi", "type": "human"}))]}});
    assert_eq!(input(&prompt), json!([{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]));
    each(&[
        (
            json!({"type": "image", "source_type": "base64", "data": "AAAA", "mime_type": "image/png"}),
            json!({"type": "blob", "modality": "image", "mime_type": "image/png", "content": "AAAA"}),
        ),
        (
            json!({"type": "audio", "url": "https://x.test/a"}),
            json!({"type": "uri", "modality": "audio", "uri": "https://x.test/a"}),
        ),
        (
            json!({"type": "file", "source_type": "id", "id": "f"}),
            json!({"type": "file", "modality": "document", "file_id": "f"}),
        ),
        (
            json!({"type": "server_tool_call", "id": "s", "name": "web_search", "args": {"q": "x"}}),
            json!({"type": "server_tool_call", "id": "s", "name": "web_search", "server_tool_call": {"type": "web_search", "args": {"q": "x"}}}),
        ),
        (json!({"type": "reasoning", "reasoning": "Hm."}), json!({"type": "reasoning", "content": "Hm."})),
    ]);
}

#[test]
fn haystack() {
    let said = json!([
        {"role": "assistant", "parts": [
            {"type": "reasoning", "content": "Hm."},
            {"type": "tool_call", "id": "c", "name": "f", "arguments": {"city": "Paris"}},
        ], "finish_reason": "tool_call", "meta": {"finish_reason": "tool_calls"}},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c", "response": "18C",
            "origin": {"id": "c", "tool_name": "f", "arguments": {}}, "error": false}], "finish_reason": ""},
    ]);
    let call = json!([{"reasoning": {"reasoning_text": "Hm.", "extra": {}}}, {"tool_call": {"tool_name": "f", "arguments": {"city": "Paris"}, "id": "c", "extra": null}}]);
    let answer = json!([{"tool_call_result": {"result": "18C", "origin": {"id": "c", "tool_name": "f", "arguments": {}}, "error": false}}]);
    for form in [
        json!({"replies": [
            {"role": "assistant", "meta": {"finish_reason": "tool_calls"}, "name": null, "content": call},
            {"role": "tool", "meta": {}, "name": null, "content": answer},
        ]}),
        json!({"messages": [
            {"_role": "assistant", "_meta": {"finish_reason": "tool_calls"}, "_name": null, "_content": call},
            {"_role": "tool", "_meta": {}, "_name": null, "_content": answer},
        ]}),
    ] {
        assert_eq!(messages(&form.to_string(), "assistant"), said, "{form}");
    }
    each(&[(
        json!({"image": {"base64_image": "AAAA", "mime_type": "image/png", "detail": null}}),
        json!({"type": "blob", "modality": "image", "mime_type": "image/png", "content": "AAAA"}),
    )]);
    // A generator's replies are texts.
    assert_eq!(
        messages(r#"{"replies": ["Hi"], "meta": [{"model": "m"}], "usage": {}}"#, "assistant"),
        json!([{"role": "assistant", "parts": [{"type": "text", "content": "Hi"}], "finish_reason": ""}])
    );
}

#[test]
fn genkit_and_llama_index() {
    each(&[
        (
            json!({"toolRequest": {"ref": "c", "name": "f", "input": {"a": 1}}}),
            json!({"type": "tool_call", "id": "c", "name": "f", "arguments": {"a": 1}}),
        ),
        (
            json!({"toolResponse": {"ref": "c", "name": "f", "output": {"t": 18}}}),
            json!({"type": "tool_call_response", "id": "c", "response": {"t": 18}, "name": "f"}),
        ),
        (
            json!({"media": {"url": "data:image/png;base64,AAAA", "contentType": "image/png"}}),
            json!({"type": "blob", "modality": "image", "mime_type": "image/png", "content": "AAAA"}),
        ),
        (json!({"block_type": "text", "text": "Hi"}), json!({"type": "text", "content": "Hi"})),
        (
            json!({"block_type": "image", "url": "https://x.test/a", "image_mimetype": "image/png"}),
            json!({"type": "uri", "modality": "image", "mime_type": "image/png", "uri": "https://x.test/a"}),
        ),
        (
            json!({"block_type": "tool_call", "tool_call_id": "c", "tool_name": "f", "tool_kwargs": {"a": 1}}),
            json!({"type": "tool_call", "id": "c", "name": "f", "arguments": {"a": 1}}),
        ),
    ]);
    let genkit =
        r#"{"message":{"role":"model","content":[{"text":"Hi"}]},"finishReason":"stop","usage":{"inputTokens":1}}"#;
    let llama_index = r#"{"message":{"role":"assistant","additional_kwargs":{},"blocks":[{"text":"Hi"}]},"raw":{"id":"x","choices":[{"finish_reason":"stop"}]},"delta":null,"additional_kwargs":{}}"#;
    for (text, reason) in [(genkit, "stop"), (llama_index, "")] {
        assert_eq!(
            messages(text, "assistant"),
            json!([{"role": "assistant", "parts": [{"type": "text", "content": "Hi"}], "finish_reason": reason}])
        );
    }
}

#[test]
fn pydantic_ai_of_every_format() {
    // Format 1: events, of which those of one index are one message.
    let events = json!([
        {"content": "Use tools.", "role": "system", "gen_ai.system": "openai", "event.name": "gen_ai.system.message"},
        {"content": "Weather?", "role": "user", "gen_ai.message.index": 0, "event.name": "gen_ai.user.message"},
        {"role": "assistant", "content": "Let me see.", "gen_ai.message.index": 1, "event.name": "gen_ai.assistant.message"},
        {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{\"a\": 1}"}}],
            "gen_ai.message.index": 1, "event.name": "gen_ai.assistant.message"},
        {"content": "18C", "role": "tool", "id": "c", "name": "f", "gen_ai.message.index": 2, "event.name": "gen_ai.tool.message"},
        {"index": 0, "message": {"role": "assistant", "content": "It is 18C."}, "event.name": "gen_ai.choice"},
    ]);
    assert_eq!(
        input(&events),
        json!([
            {"role": "system", "parts": [{"type": "text", "content": "Use tools."}]},
            {"role": "user", "parts": [{"type": "text", "content": "Weather?"}]},
            {"role": "assistant", "parts": [
                {"type": "text", "content": "Let me see."},
                {"type": "tool_call", "id": "c", "name": "f", "arguments": {"a": 1}},
            ]},
            {"role": "tool", "name": "f", "parts": [{"type": "tool_call_response", "id": "c", "response": "18C"}]},
            {"role": "assistant", "parts": [{"type": "text", "content": "It is 18C."}]},
        ])
    );
    // Formats 2 to 5: parts of its own, and results under the user.
    let messages = json!([
        {"role": "user", "parts": [{"type": "image-url", "url": "https://x.test/a"}, {"type": "binary", "media_type": "audio/wav", "content": "AAAA"}]},
        {"role": "assistant", "parts": [{"type": "thinking", "content": "Hm."},
            {"type": "tool_call", "id": "c", "name": "f", "arguments": "{\"a\": 1}"}]},
        {"role": "user", "parts": [{"type": "tool_call_response", "id": "c", "name": "f", "result": "18C"}]},
        {"role": "user", "parts": [{"type": "text"}]},
    ]);
    assert_eq!(
        input(&messages),
        json!([
            {"role": "user", "parts": [
                {"type": "uri", "modality": "image", "uri": "https://x.test/a"},
                {"type": "blob", "modality": "audio", "mime_type": "audio/wav", "content": "AAAA"},
            ]},
            {"role": "assistant", "parts": [
                {"type": "reasoning", "content": "Hm."},
                {"type": "tool_call", "id": "c", "name": "f", "arguments": {"a": 1}},
            ]},
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c", "response": "18C", "name": "f"}]},
            // Content that the emitter was told to keep back.
            {"role": "user", "parts": [{"type": "text", "content": ""}]},
        ])
    );
}

#[test]
fn tools_that_the_provider_runs() {
    each(&[
        (
            json!({"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "x"}}),
            json!({"type": "server_tool_call", "id": "ws_1", "name": "web_search",
                "server_tool_call": {"type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "x"}}}),
        ),
        (
            json!({"type": "mcp_call", "id": "mcp_1", "name": "get_weather", "server_label": "w", "arguments": "{}", "output": "18C"}),
            json!({"type": "server_tool_call", "id": "mcp_1", "name": "get_weather",
                "server_tool_call": {"type": "mcp_call", "server_label": "w", "arguments": "{}", "output": "18C"}}),
        ),
        (
            json!({"type": "mcp_list_tools", "id": "l", "server_label": "w", "tools": [{"name": "f"}]}),
            json!({"type": "server_tool_call", "id": "l", "name": "mcp_list_tools",
                "server_tool_call": {"type": "mcp_list_tools", "server_label": "w", "tools": [{"name": "f"}]}}),
        ),
        (
            json!({"type": "code_interpreter_call", "id": "ci", "code": "1", "container_id": "c", "outputs": null}),
            json!({"type": "server_tool_call", "id": "ci", "name": "code_interpreter",
                "server_tool_call": {"type": "code_interpreter_call", "code": "1", "container_id": "c"}}),
        ),
        (
            json!({"type": "computer_call", "id": "i", "call_id": "c", "action": {"type": "click", "x": 1}}),
            json!({"type": "tool_call", "id": "c", "name": "computer", "arguments": {"type": "click", "x": 1}, "item_id": "i"}),
        ),
        (
            json!({"type": "custom_tool_call", "call_id": "c", "name": "f", "input": "free text"}),
            json!({"type": "tool_call", "id": "c", "name": "f", "arguments": "free text"}),
        ),
        (
            json!({"type": "mcp_tool_use", "id": "m", "name": "f", "server_name": "w", "input": {"a": 1}}),
            json!({"type": "server_tool_call", "id": "m", "name": "f",
                "server_tool_call": {"type": "mcp_tool_use", "server_name": "w", "input": {"a": 1}}}),
        ),
        (
            json!({"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"type": "web_search_result", "url": "u"}]}),
            json!({"type": "server_tool_call_response", "id": "s", "server_tool_call_response":
                {"type": "web_search_tool_result", "content": [{"type": "web_search_result", "url": "u"}]}}),
        ),
        (json!({"type": "compaction", "content": "s"}), json!({"type": "compaction", "content": "s"})),
        (json!({"type": "refusal", "refusal": "No"}), json!({"type": "refusal", "content": "No"})),
    ]);
}

#[test]
fn cohere_mistral_ollama_and_others() {
    let cohere = json!({
        "message": "And its population?",
        "preamble": "Be terse.",
        "chat_history": [{"role": "USER", "message": "Capital of France?"}, {"role": "CHATBOT", "message": "Paris."}],
        "tool_results": [{"call": {"name": "f", "parameters": {}}, "outputs": [{"t": 18}]}],
        "model": "command-r",
    })
    .to_string();
    let conversation = conversation_from_json(&cohere, "user", false).unwrap();
    let roles: Vec<_> = conversation.messages.iter().map(|message| &*message.role).collect();
    assert_eq!(roles, ["user", "assistant", "tool", "user"]);
    assert_eq!((conversation.instructions.len(), &*conversation.more), (1, "\"model\":\"command-r\""));
    let said = json!([{"role": "assistant", "parts": [{"type": "text", "content": "Hi"}], "finish_reason": "stop"}]);
    for form in [
        json!({"text": "Hi", "finish_reason": "COMPLETE", "generation_id": "g"}),
        json!({"id": "i", "message": {"role": "assistant", "content": [{"type": "text", "text": "Hi"}]}, "finish_reason": "COMPLETE", "usage": {}}),
        json!({"model": "m", "message": {"role": "assistant", "content": "Hi"}, "done": true, "done_reason": "stop"}),
        json!({"model": "m", "response": "Hi", "done": true, "done_reason": "stop", "context": [1, 2]}),
        json!({"results": [{"outputText": "Hi", "completionReason": "FINISH", "tokenCount": 1}], "inputTextTokenCount": 1, "finish_reason": "stop"}),
        json!({"choices": [{"text": "Hi", "index": 0, "finish_reason": "stop", "logprobs": null}]}),
        json!({"choices": [{"delta": {"role": "assistant", "content": "Hi"}, "index": 0, "finish_reason": "stop"}]}),
        json!({"message": {"role": "assistant", "content": "Hi"}, "usage": {"total_tokens": 1}, "finish_reason": "stop"}),
        json!({"combined_chunk_content": "Hi", "chunk_count": 3, "finish_reason": "stop"}),
    ] {
        let text = form.to_string();
        let mut out = String::new();
        let conversation = conversation_from_json(&text, "assistant", false).unwrap_or_else(|| panic!("{text}"));
        write_messages(&conversation.messages, true, &mut out);
        let mut read: Tree = serde_json::from_str(&out).unwrap();
        let message = read[0].as_object_mut().unwrap();
        message.retain(|key, _| ["role", "parts", "finish_reason"].contains(&key.as_str()));
        if form.get("results").is_some() {
            message.insert("finish_reason".into(), "stop".into());
        }
        assert_eq!(read, said, "{form}");
    }
    let ollama = json!([{"role": "user", "content": "What is this?", "images": ["AAAA"]}, {"role": "assistant", "content": "A cat", "thinking": "Hm."}]);
    assert_eq!(
        input(&ollama),
        json!([
            {"role": "user", "parts": [{"type": "text", "content": "What is this?"}, {"type": "blob", "modality": "image", "content": "AAAA"}]},
            {"role": "assistant", "parts": [{"type": "reasoning", "content": "Hm."}, {"type": "text", "content": "A cat"}]},
        ])
    );
    let spoken = json!([{"role": "assistant", "content": null, "audio": {"id": "a", "data": "AAAA", "transcript": "Hi"}}, {"role": "assistant", "audio": {"id": "a"}}]);
    assert_eq!(
        input(&spoken),
        json!([
            {"role": "assistant", "parts": [{"type": "blob", "modality": "audio", "content": "AAAA", "id": "a", "transcript": "Hi"}]},
            {"role": "assistant", "parts": [{"type": "file", "modality": "audio", "file_id": "a"}]},
        ])
    );
    each(&[
        (
            json!({"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}),
            json!({"type": "reasoning", "content": "Hm."}),
        ),
        (
            json!({"type": "text", "text": {"value": "Hi", "annotations": [{"type": "file_citation"}]}}),
            json!({"type": "text", "content": "Hi", "annotations": [{"type": "file_citation"}]}),
        ),
        (
            json!({"type": "image_file", "image_file": {"file_id": "f", "detail": "low"}}),
            json!({"type": "file", "modality": "image", "file_id": "f", "detail": "low"}),
        ),
        (
            json!({"type": "image", "data": "AAAA", "mimeType": "image/png"}),
            json!({"type": "blob", "modality": "image", "mime_type": "image/png", "content": "AAAA"}),
        ),
        (
            json!({"type": "resource", "resource": {"uri": "data://a", "blob": "AAAA", "mimeType": "application/pdf"}}),
            json!({"type": "blob", "modality": "document", "mime_type": "application/pdf", "content": "AAAA", "uri": "data://a"}),
        ),
    ]);
    let langwatch = r#"{"type":"chat_messages","value":[{"role":"user","content":"Hi"}]}"#;
    assert_eq!(messages(langwatch, "user"), json!([{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]));
    let autogen = json!([
        {"source": "user", "type": "UserMessage", "content": "Hi"},
        {"source": "agent", "type": "AssistantMessage", "content": [{"id": "c", "arguments": "{}", "name": "f"}]},
        {"type": "FunctionExecutionResultMessage", "content": [{"content": "18C", "name": "f", "call_id": "c", "is_error": false}]},
    ]);
    assert_eq!(
        input(&autogen),
        json!([
            {"role": "user", "name": "user", "parts": [{"type": "text", "content": "Hi"}]},
            {"role": "assistant", "name": "agent", "parts": [{"type": "tool_call", "id": "c", "name": "f", "arguments": {}}]},
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c", "response": "18C", "name": "f", "is_error": false}]},
        ])
    );
}

#[test]
fn nothing_is_lost_where_a_shape_is_not_whole() {
    // A block that is none, a part without what its type asks for, a call without a name.
    assert_eq!(
        input(
            &json!([{"role": "user", "content": [{"x": 1}, {"type": "tool_call", "id": "c"}, {"type": "banana", "y": 2}]}])
        ),
        json!([{"role": "user", "parts": [
            {"type": "text", "content": "{\"x\":1}"},
            {"type": "text", "content": "{\"id\":\"c\",\"type\":\"tool_call\"}"},
            {"type": "banana", "y": 2},
        ]}])
    );
    assert_eq!(
        input(
            &json!([{"role": "assistant", "content": "", "tool_calls": [{"id": "", "type": ""}]}, [{"id": "", "type": ""}]])
        ),
        json!([
            {"role": "assistant", "parts": [{"type": "text", "content": "{\"id\":\"\",\"type\":\"\"}"}]},
            {"role": "user", "parts": [{"type": "text", "content": "[{\"id\":\"\",\"type\":\"\"}]"}]},
        ])
    );
    // A role that says that there is none.
    assert_eq!(
        messages(
            r#"[{"role":"unknown","parts":[{"type":"text","content":"Hi"}],"finish_reason":"stop"}]"#,
            "assistant"
        ),
        json!([{"role": "assistant", "parts": [{"type": "text", "content": "Hi"}], "finish_reason": "stop"}])
    );
    // Two members of one name that say different things.
    assert_eq!(
        input(
            &json!([{"index": 0, "id": "choice", "message": {"role": "assistant", "content": "Hi", "id": "message"}}])
        ),
        json!([{"role": "assistant", "parts": [{"type": "text", "content": "Hi"}], "id": "message", "id_2": "choice"}])
    );
    let instructions =
        r#"[{"type": "text", "content": [{"type": "text", "text": "Long.", "cache_control": {"type": "ephemeral"}}]}]"#;
    let mut out = String::new();
    write_parts(&system_instructions_from_text(instructions, false), &mut out);
    assert_eq!(out, r#"[{"type":"text","content":"Long.","cache_control":{"type": "ephemeral"}}]"#);
}

#[test]
fn what_could_be_a_users_own_is_no_body() {
    for text in [
        r#"{"text":"hello"}"#,
        r#"{"prompt":"hello"}"#,
        r#"{"input":"hello"}"#,
        r#"{"response":"hello"}"#,
        r#"{"output":{"a":1}}"#,
        r#"{"q":"hello"}"#,
        r#"{"city":"Paris"}"#,
        r#"{"messages":"HumanMessage"}"#,
        r#"["ai","hello"]"#,
        r#"{"data":1,"type":"x"}"#,
    ] {
        assert!(messages_from_json(text, "user", true).is_none(), "{text}");
        assert_eq!(parts_from_text(text, true).len(), 1, "{text}");
    }
    assert_eq!(
        parts_from_text(r#"[{"text":"a"}]"#, false),
        [crate::genai::message::Part::Text(r#"[{"text":"a"}]"#.into())]
    );
    assert_eq!(
        parts_from_text(r#"[{"text":"a"},{"toolUse":{"toolUseId":"c","name":"f","input":{}}}]"#, false).len(),
        2
    );
    assert_eq!(parts_from_json(r#"[{"text":"a"}]"#, false).unwrap(), [crate::genai::message::Part::Text("a".into())]);
    assert_eq!(parts_from_json(r#"[{"a":1}]"#, false), None);
}

#[test]
fn bodies_are_followed_to_a_bound() {
    let mut text = json!([{"role": "user", "content": "Hi"}]);
    for _ in 0..20 {
        text = json!({"messages": [text]});
    }
    assert_eq!(conversation_from_json(&text.to_string(), "user", false), None);
    let count = 100_000;
    let members = |name: &str| (0..count).map(|at| format!("\"{name}{at}\":\"\"")).collect::<Vec<_>>().join(",");
    let wide = format!("{{\"message\":{{\"content\":\"Hi\",{}}},\"index\":0,{}}}", members("m"), members("m"));
    assert_eq!(messages_from_json(&wide, "user", false).unwrap().len(), 1);
    let odd = format!("[{{\"role\":\"user\",\"content\":[{}]}}]", vec!["{\"x\":1}"; count].join(","));
    assert_eq!(messages_from_json(&odd, "user", false).unwrap()[0].parts.len(), count);
    let nested = format!("{}{}{}", "[".repeat(60), "{\"type\":\"x\"}", "]".repeat(60));
    assert_eq!(messages_from_json(&nested, "user", false), None);
}
