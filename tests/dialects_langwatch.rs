//! LangWatch's spans come out in the current words.

mod support;

use dragoman::genai::settings::Target;
use support::made::{Made, START};
use support::{int, text};

fn span(kind: &str) -> Made {
    Made::new("langwatch", "step", said! { "langwatch.span.type" => kind })
}

/// Typed envelopes around everything.
#[test]
fn a_call_in_envelopes() {
    let first_token = (START / 1_000_000) + 250;
    let call = span("llm")
        .with(said! {
            "gen_ai.request.model" => "gpt-4o",
            "langwatch.input" => r#"{"type":"chat_messages","value":[{"role":"user","content":"Hi"}]}"#,
            "langwatch.output" => r#"{"type":"chat_messages","value":[{"role":"assistant","content":"Hello"}]}"#,
            "langwatch.metrics" => r#"{"type":"json","value":{"promptTokens":9,"completionTokens":2,"tokensEstimated":true}}"#,
            "langwatch.params" => r#"{"type":"json","value":{"temperature":0.5}}"#,
            "langwatch.timestamps" => &format!(r#"{{"started_at":1,"first_token_at":{first_token}}}"#),
            "langwatch.thread.id" => "t-1",
            "langwatch.user.id" => "u-1",
            "langwatch.customer.id" => "c-1",
        });
    call.check_main(&[
        "step (INTERNAL)",
        "gen_ai.operation.name = chat",
        "gen_ai.provider.name = openai",
        "gen_ai.request.model = gpt-4o",
        "gen_ai.request.temperature = 0.5 (double)",
        "gen_ai.usage.input_tokens = 9 (int)",
        "gen_ai.usage.output_tokens = 2 (int)",
        "dragoman.usage.estimated = true (bool)",
        "gen_ai.response.time_to_first_chunk = 0.25 (double)",
        "gen_ai.conversation.id = t-1",
        "user.id = u-1",
        "langwatch.customer.id = c-1",
        &format!(r#"langwatch.timestamps = {{"started_at":1,"first_token_at":{first_token}}}"#),
        r#"gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Hi"}]}]"#,
        r#"gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"Hello"}]}]"#,
    ]);
}

/// Bare values mean the same; a cost has no home.
#[test]
fn a_call_without_envelopes() {
    let call = span("llm")
        .with(said! {
            "langwatch.input" => "Hi",
            "langwatch.output" => r#"{"type":"text","value":"Hello"}"#,
            "langwatch.metrics" => r#"{"promptTokens":9,"completionTokens":2,"cost":0.1}"#,
            "langwatch.params" => r#"{"temperature":0.5}"#,
        })
        .to(Target::V1_41);
    let said = |key: &str| text(&call.attributes, key);
    assert_eq!(said("gen_ai.input.messages"), Some(r#"[{"role":"user","parts":[{"type":"text","content":"Hi"}]}]"#));
    assert_eq!(
        said("gen_ai.output.messages"),
        Some(r#"[{"role":"assistant","parts":[{"type":"text","content":"Hello"}],"finish_reason":""}]"#)
    );
    assert_eq!(int(&call.attributes, "gen_ai.usage.input_tokens"), Some(9));
    assert!(said("langwatch.metrics").is_some());
    assert_eq!(said("langwatch.params"), None);
}

#[test]
fn tools_and_retrievals() {
    span("tool")
        .with(said! {
            "langwatch.input" => r#"{"type":"json","value":{"city":"Paris"}}"#,
            "langwatch.output" => r#"{"type":"text","value":"18C"}"#,
        })
        .check(&[
            "step (INTERNAL)",
            "gen_ai.operation.name = execute_tool",
            "gen_ai.tool.name = step",
            r#"gen_ai.tool.call.arguments = {"city":"Paris"}"#,
            "gen_ai.tool.call.result = 18C",
        ]);
    span("rag")
        .with(said! {
            "langwatch.input" => r#"{"type":"text","value":"Where?"}"#,
            "langwatch.rag.contexts" => r#"[{"document_id":"a","chunk_id":"1","content":"Paris is in France."}]"#,
        })
        .check(&[
            "step (INTERNAL)",
            "gen_ai.operation.name = retrieval",
            "gen_ai.retrieval.query.text = Where?",
            r#"gen_ai.retrieval.documents = [{"id":"a","content":"Paris is in France.","chunk_id":"1"}]"#,
        ]);
}

/// A workflow's input is messages only if it is; other types are named as what they are.
#[test]
fn wrappers() {
    let workflow = |input: &str| {
        let span = span("workflow").with(said! { "langwatch.input" => input }).to(Target::Main);
        text(&span.attributes, "gen_ai.input.messages").is_some()
    };
    assert!(workflow(r#"{"type":"chat_messages","value":[{"role":"user","content":"Hi"}]}"#));
    assert!(!workflow(r#"{"type":"json","value":{"a":1}}"#));
    assert!(!workflow(r#"{"type":"text","value":"Hi"}"#));
    let guardrail = span("guardrail").with(said! { "langwatch.input" => r#"{"type":"text","value":"Hi"}"# });
    guardrail.check_main(&[
        "step (INTERNAL)",
        r#"langwatch.input = {"type":"text","value":"Hi"}"#,
        "langwatch.span.type = guardrail",
    ]);
}
