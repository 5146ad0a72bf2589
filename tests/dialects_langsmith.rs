//! LangSmith's exported runs come out in the current words.

mod support;

use dragoman::genai::settings::Target;
use support::made::Made;
use support::text;
use support::translated::{check_expected, translated};

#[test]
fn every_case_says_what_was_said() {
    check_expected("langsmith.txt", &["langsmith-otel-0.14.17"]);
}

fn run(kind: &str, name: &str) -> Made {
    Made::new("langsmith", name, said! { "langsmith.span.kind" => kind, "langsmith.trace.name" => name })
}

/// A wrapped client's call: the request and the answer whole, Python's text of the token details.
#[test]
fn a_wrapped_call() {
    let span = run("llm", "ChatOpenAI")
        .with(said! {
            "gen_ai.operation.name" => "chat",
            "gen_ai.system" => "openai",
            "langsmith.metadata.ls_provider" => "azure",
            "langsmith.metadata.ls_model_name" => "gpt-4o",
            "langsmith.metadata.ls_temperature" => "0.5",
            "langsmith.metadata.thread_id" => "t-1",
            "langsmith.trace.session_name" => "project",
            "langsmith.request.streaming" => true,
            "gen_ai.prompt" => r#"{"messages":[{"role":"user","content":"Hi"}],"model":"gpt-4o","max_tokens":9}"#,
            "gen_ai.completion" => r#"{"id":"chatcmpl-1","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Hello"}}],"model":"gpt-4o-2024-08-06"}"#,
            "gen_ai.response.finish_reasons" => "stop,length",
            "gen_ai.usage.input_tokens" => 20,
            "gen_ai.usage.output_tokens" => 10,
            "gen_ai.usage.total_tokens" => 30,
            "gen_ai.usage.input_token_details" => "{'cache_read': 4, 'cache_creation': 2}",
            "gen_ai.usage.output_token_details" => "{'reasoning': 6}",
        });
    let same = [
        "chat gpt-4o (CLIENT)",
        "gen_ai.operation.name = chat",
        "gen_ai.provider.name = azure.ai.openai",
        // The guess stays beside what is known better.
        "gen_ai.system = openai",
        "gen_ai.request.model = gpt-4o",
        "gen_ai.request.temperature = 0.5 (double)",
        "gen_ai.request.max_tokens = 9 (int)",
        "gen_ai.request.stream = true (bool)",
        "gen_ai.conversation.id = t-1",
        "gen_ai.response.id = chatcmpl-1",
        "gen_ai.response.model = gpt-4o-2024-08-06",
        "gen_ai.response.finish_reasons = [stop, length]",
        "gen_ai.usage.input_tokens = 20 (int)",
        "gen_ai.usage.output_tokens = 10 (int)",
        "gen_ai.usage.cache_read.input_tokens = 4 (int)",
        "gen_ai.usage.reasoning.output_tokens = 6 (int)",
        "langsmith.trace.name = ChatOpenAI",
        "langsmith.trace.session_name = project",
        r#"gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Hi"}]}]"#,
    ];
    let old = [
        "gen_ai.usage.cache_creation.input_tokens = 2 (int)",
        r#"gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"Hello"}],"finish_reason":"stop"}]"#,
    ];
    let main = [
        "gen_ai.usage.cache_write.input_tokens = 2 (int)",
        r#"gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"Hello"}]}]"#,
    ];
    span.check(&[&same[..], &old].concat());
    span.check_main(&[&same[..], &main].concat());
}

/// LangChain's serialised messages; the answer's id stands nowhere else.
#[test]
fn a_langchain_call() {
    let span = run("llm", "ChatAnthropic")
        .with(said! {
            "gen_ai.prompt" => r#"{"messages":[[{"lc":1,"type":"constructor","id":["langchain","schema","messages","HumanMessage"],"kwargs":{"content":"Hi","type":"human"}}]]}"#,
            "gen_ai.completion" => r#"{"generations":[[{"text":"Hello","type":"ChatGeneration","message":{"lc":1,"type":"constructor","id":["langchain","schema","messages","AIMessage"],"kwargs":{"content":"Hello","type":"ai","response_metadata":{"id":"msg_1","model":"claude-3-5-sonnet","stop_reason":"end_turn"}}}}]]}"#,
        })
        .to(Target::Main);
    let said = |key: &str| text(&span.attributes, key);
    assert_eq!(said("gen_ai.response.id"), Some("msg_1"));
    assert_eq!(said("gen_ai.response.model"), Some("claude-3-5-sonnet"));
    assert_eq!(said("gen_ai.input.messages"), Some(r#"[{"role":"user","parts":[{"type":"text","content":"Hi"}]}]"#));
    assert!(said("gen_ai.output.messages").unwrap().contains(r#"{"type":"text","content":"Hello"}"#));
}

/// The exporter calls retrievers embeddings; tools wrap what they took and gave.
#[test]
fn retrievers_and_tools() {
    run("retriever", "VectorStoreRetriever")
        .with(said! {
            "gen_ai.operation.name" => "embeddings",
            "gen_ai.system" => "langchain",
            "gen_ai.prompt" => r#"{"query":"Paris"}"#,
            "gen_ai.completion" => r#"{"documents":[{"page_content":"Paris is in France.","metadata":{"page":1}}]}"#,
        })
        .check_main(&[
            "retrieval (CLIENT)",
            "gen_ai.operation.name = retrieval",
            "gen_ai.system = langchain",
            "gen_ai.retrieval.query.text = Paris",
            r#"gen_ai.retrieval.documents = [{"content":"Paris is in France.","metadata":{"page":1}}]"#,
            "langsmith.trace.name = VectorStoreRetriever",
        ]);
    run("tool", "search")
        .with(said! {
            "gen_ai.operation.name" => "execute_tool",
            "gen_ai.tool.name" => "search",
            "gen_ai.prompt" => r#"{"input":"{\"q\":\"Paris\"}"}"#,
            "gen_ai.completion" => r#"{"output":"18C"}"#,
        })
        .check_main(&[
            "execute_tool search (INTERNAL)",
            "gen_ai.operation.name = execute_tool",
            "gen_ai.tool.name = search",
            r#"gen_ai.tool.call.arguments = {"q":"Paris"}"#,
            "gen_ai.tool.call.result = 18C",
            "langsmith.trace.name = search",
        ]);
    let span = run("tool", "search").with(said! { "gen_ai.prompt" => r#"{"city":"Paris"}"# }).to(Target::V1_41);
    assert_eq!(text(&span.attributes, "gen_ai.tool.call.arguments"), Some(r#"{"city":"Paris"}"#));
}

/// No target has words for these runs: what they took and gave stays, and the exporter's wrong word for
/// one goes.
#[test]
fn prompts_parsers_and_chains_are_no_operations() {
    let span = run("prompt", "ChatPromptTemplate").with(said! {
        "gen_ai.operation.name" => "chat",
        "gen_ai.prompt" => r#"{"input":"Paris"}"#,
        "gen_ai.completion" => r#"{"output":"Tell me of Paris."}"#,
    });
    span.check_main(&[
        "ChatPromptTemplate (INTERNAL)",
        r#"gen_ai.completion = {"output":"Tell me of Paris."}"#,
        r#"gen_ai.prompt = {"input":"Paris"}"#,
        "langsmith.span.kind = prompt",
        "langsmith.trace.name = ChatPromptTemplate",
    ]);
    for span in translated(&support::corpus().join("langsmith-otel-0.14.17/agent_tool_round_trip")) {
        if text(&span.before.attributes, "langsmith.span.kind") == Some("chain") {
            assert_eq!(span.before, span.after);
            assert_eq!(span.found.map(|found| found.operation).as_deref(), Some("chain"));
        }
    }
}
