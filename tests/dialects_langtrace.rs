//! Langtrace's spans of every era come out in the current words.

mod support;

use dragoman::genai::settings::Target;
use support::made::Made;
use support::translated::{check_expected, translated};
use support::{cases, int, text};

const EMITTERS: &[&str] = &["langtrace-2.2.18", "langtrace-3.8.21", "anthropic-sdk-native-2.11.0"];
const OPENAI: &str = "langtrace_python_sdk.instrumentation.openai.instrumentation";

#[test]
fn every_case_says_what_was_said() {
    check_expected("langtrace.txt", EMITTERS);
}

fn made(name: &str) -> Made {
    Made::new(
        OPENAI,
        name,
        said! {
            "langtrace.sdk.name" => "langtrace-python-sdk",
            "langtrace.service.name" => "OpenAI",
            "langtrace.service.type" => "llm",
        },
    )
    .kind(3)
}

/// Releases 1.1 to 2.1: `llm.*`, and the counts as one JSON text.
#[test]
fn the_first_releases() {
    let span = made("openai.chat.completions.create")
        .with(said! {
            "url.full" => "https://api.openai.com/v1/",
            "llm.api" => "/chat/completions",
            "llm.model" => "gpt-4-0613",
            "llm.temperature" => 0.7,
            "llm.max_tokens" => "256",
            "llm.seed" => "42",
            "llm.stream" => false,
            "llm.response_format" => "json_object",
            "llm.system.fingerprint" => "fp",
            "llm.tools" => r#"["[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"object\"}}}]"]"#,
            "llm.prompts" => r#"[{"role":"user","content":"Hi"}]"#,
            "llm.responses" => r#"[{"role":"assistant","content":"Hello"}]"#,
            "llm.token.counts" => r#"{"input_tokens":29,"output_tokens":13,"total_tokens":42}"#,
            "llm.user" => "u",
        });
    let same = [
        "chat gpt-4-0613 (CLIENT)",
        "gen_ai.operation.name = chat",
        "gen_ai.provider.name = openai",
        "gen_ai.request.model = gpt-4-0613",
        "gen_ai.response.model = gpt-4-0613",
        "gen_ai.request.temperature = 0.7 (double)",
        "gen_ai.request.max_tokens = 256 (int)",
        "gen_ai.request.seed = 42 (int)",
        "gen_ai.output.type = json",
        "openai.response.system_fingerprint = fp",
        "gen_ai.usage.input_tokens = 29 (int)",
        "gen_ai.usage.output_tokens = 13 (int)",
        "server.address = api.openai.com",
        "url.full = https://api.openai.com/v1/",
        "langtrace.sdk.name = langtrace-python-sdk",
        "langtrace.service.type = llm",
        "llm.user = u",
        r#"gen_ai.tool.definitions = [{"type":"function","name":"f","parameters":{"type":"object"}}]"#,
        r#"gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Hi"}]}]"#,
    ];
    let old = [
        "gen_ai.request.stream = false (bool)",
        r#"gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"Hello"}],"finish_reason":""}]"#,
    ];
    let main = [r#"gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"Hello"}]}]"#];
    span.check(&[&same[..], &old].concat());
    span.check_main(&[&same[..], &main].concat());
}

/// Release 2.2: current names, content as attributes; tool calls beside an empty answer.
#[test]
fn content_as_attributes() {
    made("openai.chat.completions.create")
        .with(said! {
            "url.path" => "/chat/completions",
            "gen_ai.system" => "openai",
            "gen_ai.request.model" => "gpt-4o",
            "gen_ai.request.max_tokens" => 256.0,
            "gen_ai.request.top_k" => 3.0,
            "gen_ai.prompt" => r#"[{"role":"user","content":"Hi"}]"#,
            "gen_ai.completion" => r#"[{"role":"assistant","content":""}]"#,
            "gen_ai.response.tool_calls" => r#"[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]"#,
            "gen_ai.usage.prompt_tokens" => 29,
            "gen_ai.usage.completion_tokens" => 13,
            "gen_ai.usage.total_tokens" => 42,
            "gen_ai.usage.cached_tokens" => 8,
        })
        .check_main(&[
            "chat gpt-4o (CLIENT)",
            "gen_ai.operation.name = chat",
            "gen_ai.provider.name = openai",
            "gen_ai.request.model = gpt-4o",
            "gen_ai.request.max_tokens = 256 (int)",
            "gen_ai.request.choice.count = 3 (int)",
            "gen_ai.usage.input_tokens = 29 (int)",
            "gen_ai.usage.output_tokens = 13 (int)",
            "gen_ai.usage.cache_read.input_tokens = 8 (int)",
            "url.path = /chat/completions",
            "langtrace.sdk.name = langtrace-python-sdk",
            "langtrace.service.type = llm",
            r#"gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Hi"}]}]"#,
            r#"gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"tool_call","id":"c1","name":"f","arguments":{"a":1}}]}]"#,
        ]);
}

/// The first chunk's event says when it came.
#[test]
fn a_stream_in_events() {
    let span = made("anthropic.messages.create")
        .with(said! {
            "gen_ai.operation.name" => "chat",
            "gen_ai.system" => "anthropic",
            "gen_ai.request.model" => "claude-3",
            "gen_ai.request.stream" => true,
        })
        .event_at(1, "gen_ai.content.prompt", said! { "gen_ai.prompt" => r#"[{"role":"user","content":"Hi"}]"# })
        .event_at(40, "stream.start", said! {})
        .event_at(250, "gen_ai.completion.chunk", said! { "gen_ai.completion.chunk" => r#""He""# })
        .event_at(300, "gen_ai.completion.chunk", said! { "gen_ai.completion.chunk" => r#""llo""# })
        .event_at(310, "stream.end", said! {})
        .event_at(
            311,
            "gen_ai.content.completion",
            said! {
                "gen_ai.completion" => r#"[{"role":"assistant","content":"Hello"}]"#,
            },
        );
    span.check_main(&[
        "chat claude-3 (CLIENT)",
        "gen_ai.operation.name = chat",
        "gen_ai.provider.name = anthropic",
        "gen_ai.request.model = claude-3",
        "gen_ai.request.stream = true (bool)",
        "gen_ai.response.time_to_first_chunk = 0.25 (double)",
        "langtrace.sdk.name = langtrace-python-sdk",
        "langtrace.service.name = OpenAI",
        "langtrace.service.type = llm",
        r#"gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Hi"}]}]"#,
        r#"gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"Hello"}]}]"#,
        "event gen_ai.completion.chunk",
        r#"gen_ai.completion.chunk = "He""#,
        "event gen_ai.completion.chunk",
        r#"gen_ai.completion.chunk = "llo""#,
        "event stream.start",
        "event stream.end",
    ]);
}

/// The TypeScript SDK swaps the counts of streams; what it reported is noted, and nothing is swapped
/// twice.
#[test]
fn swapped_counts_of_streams() {
    let counts = |sdk: &str, stream: bool, system: &str| {
        let span = Made::new(
            "@langtrase/node-sdk",
            "openai.chat.completions.create",
            said! {
                "langtrace.sdk.name" => sdk,
                "langtrace.service.type" => "llm",
                "gen_ai.operation.name" => "chat",
                "gen_ai.system" => system,
                "gen_ai.request.model" => "gpt-4o",
                "gen_ai.request.stream" => stream,
                "gen_ai.usage.input_tokens" => 13,
                "gen_ai.usage.output_tokens" => 29,
            },
        )
        .kind(3)
        .to(Target::V1_41);
        let of = |key: &str| int(&span.attributes, key);
        (of("gen_ai.usage.input_tokens"), of("gen_ai.usage.output_tokens"), of("dragoman.usage.reported_input_tokens"))
    };
    let typescript = "@langtrase/typescript-sdk";
    assert_eq!(counts(typescript, true, "openai"), (Some(29), Some(13), Some(13)));
    assert_eq!(counts(typescript, false, "openai"), (Some(13), Some(29), None));
    assert_eq!(counts(typescript, true, "anthropic"), (Some(13), Some(29), None));
    assert_eq!(counts("langtrace-python-sdk", true, "openai"), (Some(13), Some(29), None));
}

/// Databases and frameworks are no operations; a rerank keeps its name and says query and documents.
#[test]
fn other_services() {
    let database = Made::new(
        "langtrace_python_sdk.instrumentation.chroma.instrumentation",
        "chromadb.collection.query",
        said! {
            "langtrace.service.type" => "vectordb",
            "langtrace.service.name" => "Chroma",
            "db.operation" => "query",
        },
    )
    .kind(3);
    database.check_main(&[
        "chromadb.collection.query (CLIENT)",
        "db.operation = query",
        "langtrace.service.name = Chroma",
        "langtrace.service.type = vectordb",
    ]);
    let rerank = Made::new(
        "langtrace_python_sdk.instrumentation.cohere.instrumentation",
        "cohere.rerank",
        said! {
            "langtrace.service.type" => "llm",
            "langtrace.service.name" => "Cohere",
            "gen_ai.operation.name" => "rerank",
            "gen_ai.request.model" => "rerank-v3.5",
            "gen_ai.cohere.rerank.query" => "Which?",
            "gen_ai.cohere.rerank.results" => r#"[{"index":1,"relevance_score":0.9,"document":{"text":"This."}}]"#,
        },
    )
    .kind(3);
    let span = rerank.to(Target::Main);
    assert_eq!(text(&span.attributes, "gen_ai.retrieval.query.text"), Some("Which?"));
    assert_eq!(text(&span.attributes, "gen_ai.provider.name"), Some("cohere"));
    assert_eq!(
        text(&span.attributes, "gen_ai.retrieval.documents"),
        Some(r#"[{"score":0.9,"content":"This.","index":1}]"#)
    );
    assert_eq!(text(&span.attributes, "gen_ai.cohere.rerank.results"), None);
}

/// Of LangChain's wrappers only the one that has the usage is a call.
#[test]
fn a_framework_s_call_is_the_one_with_the_usage() {
    for span in cases("langtrace-3.8.21").iter().flat_map(|case| translated(case)) {
        if span.before.name.starts_with("BaseChatModel") {
            let is_call = text(&span.after.attributes, "gen_ai.operation.name") == Some("chat");
            assert_eq!(is_call, int(&span.before.attributes, "gen_ai.usage.input_tokens").is_some());
        }
    }
}

/// A turn of tool calls is the bare list of them, sometimes with nothing left in it.
#[test]
fn bare_lists_of_calls_are_turns() {
    let prompt = |turn: &str| {
        let prompt = format!(
            r#"[{{"role":"user","content":"Hi"}},{turn},{{"role":"tool","tool_call_id":"c1","content":"18C"}}]"#
        );
        let span = made("openai.chat.completions.create")
            .with(said! { "gen_ai.operation.name" => "chat" })
            .event_at(1, "gen_ai.content.prompt", said! { "gen_ai.prompt" => &prompt })
            .to(Target::Main);
        text(&span.attributes, "gen_ai.input.messages").unwrap().to_owned()
    };
    let around = |parts: &str| {
        format!(
            r#"[{{"role":"user","parts":[{{"type":"text","content":"Hi"}}]}},{{"role":"assistant","parts":[{parts}]}},{{"role":"tool","parts":[{{"type":"tool_call_response","id":"c1","response":"18C"}}]}}]"#
        )
    };
    assert_eq!(
        prompt(r#"[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]"#),
        around(r#"{"type":"tool_call","id":"c1","name":"f","arguments":{"a":1}}"#)
    );
    assert_eq!(prompt(r#"[{"id": "", "type": ""}]"#), around(""));
}

#[test]
fn embeddings_have_no_output() {
    let span = made("openai.embeddings.create")
        .with(said! {
            "gen_ai.operation.name" => "embed",
            "gen_ai.usage.input_tokens" => 8,
            "gen_ai.usage.output_tokens" => 0,
        })
        .to(Target::Main);
    assert_eq!(text(&span.attributes, "gen_ai.operation.name"), Some("embeddings"));
    assert_eq!(int(&span.attributes, "gen_ai.usage.output_tokens"), None);
}
