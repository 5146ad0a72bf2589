//! Langfuse's observations come out in the current words.

mod support;

use dragoman::genai::settings::Target;
use support::made::Made;
use support::{int, text};

fn observation(kind: &str) -> Made {
    Made::new("langfuse-sdk", "answer", said! { "langfuse.observation.type" => kind })
}

/// A streamed generation: buckets, parameters, the first token's time in quotes.
#[test]
fn a_generation() {
    let span = observation("generation")
        .with(said! {
            "langfuse.observation.model.name" => "claude-sonnet-4",
            "langfuse.observation.model.parameters" => r#"{"temperature":0.5,"max_tokens":"256","custom":1}"#,
            "langfuse.observation.input" => r#"{"messages":[{"role":"system","content":"Be terse."},{"role":"user","content":"Hi"}]}"#,
            "langfuse.observation.output" => r#"{"role":"assistant","content":"Hello"}"#,
            "langfuse.observation.usage_details" => r#"{"input":20,"output":10,"cache_read_input_tokens":2048,"input_cache_creation":128,"output_reasoning_tokens":5,"total":2211}"#,
            "langfuse.observation.cost_details" => r#"{"total":0.1}"#,
            // 2.5 seconds after the span's start.
            "langfuse.observation.completion_start_time" => r#""2023-11-14T22:13:22.5Z""#,
            "langfuse.observation.prompt.name" => "greet",
            "langfuse.observation.prompt.version" => 7,
            "langfuse.session.id" => "s-1",
            "langfuse.user.id" => "u-1",
            "langfuse.trace.name" => "answer",
        });
    let same = [
        "answer (INTERNAL)",
        "gen_ai.operation.name = chat",
        "gen_ai.provider.name = anthropic",
        "gen_ai.request.model = claude-sonnet-4",
        "gen_ai.request.temperature = 0.5 (double)",
        "gen_ai.request.max_tokens = 256 (int)",
        "gen_ai.response.time_to_first_chunk = 2.5 (double)",
        "gen_ai.usage.input_tokens = 2196 (int)",
        "gen_ai.usage.output_tokens = 15 (int)",
        "gen_ai.usage.cache_read.input_tokens = 2048 (int)",
        "gen_ai.usage.reasoning.output_tokens = 5 (int)",
        "dragoman.usage.reported_input_tokens = 20 (int)",
        "dragoman.usage.reported_output_tokens = 10 (int)",
        "gen_ai.prompt.name = greet",
        "gen_ai.conversation.id = s-1",
        "user.id = u-1",
        // They say more, or nothing that a target has words for.
        r#"langfuse.observation.model.parameters = {"temperature":0.5,"max_tokens":"256","custom":1}"#,
        r#"langfuse.observation.cost_details = {"total":0.1}"#,
        r#"langfuse.observation.completion_start_time = "2023-11-14T22:13:22.5Z""#,
        "langfuse.trace.name = answer",
        r#"gen_ai.input.messages = [{"role":"system","parts":[{"type":"text","content":"Be terse."}]},{"role":"user","parts":[{"type":"text","content":"Hi"}]}]"#,
    ];
    let old = [
        "gen_ai.usage.cache_creation.input_tokens = 128 (int)",
        "langfuse.observation.prompt.version = 7 (int)",
        r#"gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"Hello"}],"finish_reason":""}]"#,
    ];
    let main = [
        "gen_ai.usage.cache_write.input_tokens = 128 (int)",
        "gen_ai.prompt.version = 7",
        r#"gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"Hello"}]}]"#,
    ];
    span.check(&[&same[..], &old].concat());
    span.check_main(&[&same[..], &main].concat());
}

#[test]
fn tools_retrievers_and_embeddings() {
    observation("tool")
        .with(said! { "langfuse.observation.input" => r#"{"city":"Paris"}"#, "langfuse.observation.output" => "18C" })
        .check(&[
            "answer (INTERNAL)",
            "gen_ai.operation.name = execute_tool",
            "gen_ai.tool.name = answer",
            r#"gen_ai.tool.call.arguments = {"city":"Paris"}"#,
            "gen_ai.tool.call.result = 18C",
        ]);
    observation("retriever")
        .with(said! {
            "langfuse.observation.input" => r#"{"query":"Paris"}"#,
            "langfuse.observation.output" => r#"[{"page_content":"Paris is in France.","metadata":{"page":1}}]"#,
        })
        .check(&[
            "answer (INTERNAL)",
            "gen_ai.operation.name = retrieval",
            "gen_ai.retrieval.query.text = Paris",
            r#"gen_ai.retrieval.documents = [{"content":"Paris is in France.","metadata":{"page":1}}]"#,
        ]);
    observation("embedding")
        .with(said! {
            "langfuse.observation.model.name" => "text-embedding-3-small",
            "langfuse.observation.input" => "hello",
            "langfuse.observation.usage_details" => r#"{"input":2,"total":2}"#,
        })
        .check(&[
            "answer (INTERNAL)",
            "gen_ai.operation.name = embeddings",
            "gen_ai.request.model = text-embedding-3-small",
            "gen_ai.usage.input_tokens = 2 (int)",
            r#"gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"hello"}]}]"#,
        ]);
}

/// What an agent was given is messages only if it is.
#[test]
fn agents() {
    let input = |input: &str| {
        let span = observation("agent").with(said! { "langfuse.observation.input" => input }).to(Target::Main);
        (
            text(&span.attributes, "gen_ai.input.messages").map(str::to_owned),
            text(&span.attributes, "langfuse.observation.input").map(str::to_owned),
        )
    };
    let messages = r#"[{"role":"user","content":"Hi"}]"#;
    let read = r#"[{"role":"user","parts":[{"type":"text","content":"Hi"}]}]"#;
    assert_eq!(input(messages), (Some(read.into()), None));
    for other in ["Hi", r#"{"args":[1],"kwargs":{}}"#] {
        assert_eq!(input(other), (None, Some(other.into())));
    }
}

/// A chain, an evaluator and a guardrail are named as what they are; `span` says nothing at all.
#[test]
fn other_observations_stay_what_they_are() {
    for kind in ["chain", "evaluator", "guardrail", "span", "event"] {
        let span = observation(kind).with(said! {
            "langfuse.observation.input" => "x",
            "langfuse.observation.output" => "y",
        });
        span.check(&[
            "answer (INTERNAL)",
            "langfuse.observation.input = x",
            "langfuse.observation.output = y",
            &format!("langfuse.observation.type = {kind}"),
        ]);
    }
}

/// Buckets exclude each other, unless the total proves that they do not; OpenAI's own object has totals
/// with details.
#[test]
fn usage() {
    let counts = |usage: &str| {
        let span = observation("generation")
            .with(said! {
                "langfuse.observation.usage_details" => usage,
            })
            .to(Target::V1_41);
        let of = |key: &str| int(&span.attributes, key);
        let stays = text(&span.attributes, "langfuse.observation.usage_details").is_some();
        (
            of("gen_ai.usage.input_tokens"),
            of("gen_ai.usage.output_tokens"),
            of("gen_ai.usage.cache_read.input_tokens"),
            stays,
        )
    };
    assert_eq!(counts(r#"{"input":10,"output":5}"#), (Some(10), Some(5), None, false));
    assert_eq!(counts(r#"{"input":10,"input_cached_tokens":4,"output":5}"#), (Some(14), Some(5), Some(4), false));
    assert_eq!(
        counts(r#"{"input":10,"cache_read_input_tokens":4,"output":5,"total":15}"#),
        (Some(10), Some(5), Some(4), false)
    );
    assert_eq!(
        counts(
            r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":4}}"#
        ),
        (Some(10), Some(5), Some(4), false)
    );
    assert_eq!(counts(r#"{"input":10,"output":5,"characters":30}"#), (Some(10), Some(5), None, true));
    assert_eq!(counts(r#"{"input":10,"input_audio_tokens":3,"output":5}"#), (Some(13), Some(5), None, true));
    assert_eq!(counts(r#"{"characters":30}"#), (None, None, None, true));
    assert_eq!(counts("{}"), (None, None, None, false));
    assert_eq!(counts("12"), (None, None, None, true));
}
