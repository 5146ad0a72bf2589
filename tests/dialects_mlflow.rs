//! MLflow's spans come out in the current words: the recorded ones, and others made by hand for span
//! types and modes that no recording shows.

mod support;

use support::made::Made;
use support::translated::check_expected;

const SCOPE: &str = "mlflow.tracing.provider";

#[test]
fn every_case_says_what_was_said() {
    check_expected("mlflow.txt", &["mlflow-3.17.2"]);
}

/// A body of Anthropic's API, whose input leaves the cache out; MLflow's own count does not.
#[test]
fn an_autologged_call_of_anthropic() {
    let span = || {
        Made::new(
            SCOPE,
            "Messages.create",
            said! {
                "mlflow.traceRequestId" => r#""tr-1""#,
                "mlflow.spanType" => r#""CHAT_MODEL""#,
                "mlflow.message.format" => r#""anthropic""#,
                "model" => r#""claude-sonnet-4""#,
                "max_tokens" => "200",
                "mlflow.spanInputs" => r#"{"model": "claude-sonnet-4", "max_tokens": 200, "system": "Be terse.", "messages": [{"role": "user", "content": "Hi"}], "metadata": {"user_id": "u"}}"#,
                "metadata" => r#"{"user_id": "u"}"#,
                "mlflow.chat.tokenUsage" => r#"{"input_tokens": 2196, "output_tokens": 10, "total_tokens": 2206, "cache_read_input_tokens": 2048, "cache_creation_input_tokens": 128}"#,
                "mlflow.spanOutputs" => r#"{"id": "msg_1", "model": "claude-sonnet-4-20250514", "content": [{"type": "text", "text": "Hello."}], "stop_reason": "end_turn", "usage": {"input_tokens": 20, "output_tokens": 10, "cache_read_input_tokens": 2048, "cache_creation_input_tokens": 128}}"#,
                "mlflow.linkedPrompts" => r#"[{"name": "greeting", "version": "3"}]"#,
                "session.id" => "s-1",
            },
        )
    };
    assert_eq!(
        span().says(),
        r#"chat claude-sonnet-4 (CLIENT)
  gen_ai.conversation.id = s-1
  gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Hi"}]}]
  gen_ai.operation.name = chat
  gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"Hello."}],"finish_reason":"stop"}]
  gen_ai.prompt.name = greeting
  gen_ai.provider.name = anthropic
  gen_ai.request.max_tokens = 200 (int)
  gen_ai.request.model = claude-sonnet-4
  gen_ai.response.finish_reasons = [end_turn]
  gen_ai.response.id = msg_1
  gen_ai.response.model = claude-sonnet-4-20250514
  gen_ai.system_instructions = [{"type":"text","content":"Be terse."}]
  gen_ai.usage.cache_creation.input_tokens = 128 (int)
  gen_ai.usage.cache_read.input_tokens = 2048 (int)
  gen_ai.usage.input_tokens = 2196 (int)
  gen_ai.usage.output_tokens = 10 (int)
  metadata = {"user_id": "u"}
  mlflow.linkedPrompts = [{"name": "greeting", "version": "3"}]
  mlflow.message.format = "anthropic"
  mlflow.traceRequestId = "tr-1"
  session.id = s-1
"#
    );
    let main = span().says_in_main();
    assert!(main.contains("  gen_ai.prompt.version = 3\n"), "{main}");
    assert!(!main.contains("mlflow.linkedPrompts"), "{main}");
    assert!(main.contains("  gen_ai.usage.cache_write.input_tokens = 128 (int)\n"), "{main}");
}

#[test]
fn a_tool_a_retriever_and_an_embedding() {
    let tool = Made::new(
        SCOPE,
        "get_weather",
        said! {
            "mlflow.spanType" => r#""TOOL""#,
            "mlflow.spanFunctionName" => r#""get_weather""#,
            "mlflow.spanInputs" => r#"{"city": "Paris"}"#,
            "mlflow.spanOutputs" => r#""18C""#,
        },
    );
    assert_eq!(
        tool.says(),
        r#"get_weather (INTERNAL)
  gen_ai.operation.name = execute_tool
  gen_ai.tool.call.arguments = {"city": "Paris"}
  gen_ai.tool.call.result = 18C
  gen_ai.tool.name = get_weather
  mlflow.spanFunctionName = "get_weather"
"#
    );
    let retriever = Made::new(
        SCOPE,
        "VectorStoreRetriever",
        said! {
            "mlflow.spanType" => r#""RETRIEVER""#,
            "mlflow.spanInputs" => r#"{"query": "What is a span?"}"#,
            "mlflow.spanOutputs" => r#"[{"page_content": "A span is.", "metadata": {"source": "a.md"}, "id": "d1"}]"#,
        },
    );
    assert_eq!(
        retriever.says_in_main(),
        r#"VectorStoreRetriever (INTERNAL)
  gen_ai.operation.name = retrieval
  gen_ai.retrieval.documents = [{"id":"d1","content":"A span is.","metadata":{"source": "a.md"}}]
  gen_ai.retrieval.query.text = What is a span?
"#
    );
    let embedding = Made::new(
        SCOPE,
        "Embeddings",
        said! {
            "mlflow.spanType" => r#""EMBEDDING""#,
            "model" => r#""text-embedding-3-small""#,
            "mlflow.spanInputs" => r#"{"model": "text-embedding-3-small", "input": "hello"}"#,
            "mlflow.spanOutputs" => r#"{"object": "list", "data": [{"embedding": [0.1, 0.2]}], "model": "text-embedding-3-small", "usage": {"prompt_tokens": 2, "total_tokens": 2}}"#,
        },
    );
    assert_eq!(
        embedding.says(),
        r#"embeddings text-embedding-3-small (CLIENT)
  gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"hello"}]}]
  gen_ai.operation.name = embeddings
  gen_ai.request.model = text-embedding-3-small
  gen_ai.response.model = text-embedding-3-small
  gen_ai.usage.input_tokens = 2 (int)
  mlflow.spanOutputs = {"object": "list", "data": [{"embedding": [0.1, 0.2]}], "model": "text-embedding-3-small", "usage": {"prompt_tokens": 2, "total_tokens": 2}}
"#
    );
}

/// Span types that no target has words for are kept, and named.
#[test]
fn a_chain_stays_a_chain() {
    let chain = Made::new(
        SCOPE,
        "RunnableSequence",
        said! {
            "mlflow.spanType" => r#""CHAIN""#,
            "mlflow.spanInputs" => r#"{"messages": [{"role": "user", "content": "Hi"}]}"#,
            "mlflow.spanOutputs" => r#""Hello.""#,
        },
    );
    assert_eq!(
        chain.says(),
        r#"RunnableSequence (INTERNAL)
  mlflow.spanInputs = {"messages": [{"role": "user", "content": "Hi"}]}
  mlflow.spanOutputs = "Hello."
  mlflow.spanType = "CHAIN"
"#
    );
}

/// `MLFLOW_ENABLE_OTEL_GENAI_SEMCONV`: one name for two models, no word for completions, and bare
/// parameters that are still JSON.
#[test]
fn the_genai_mode() {
    let completion = Made::new(
        SCOPE,
        "generate_content gpt-3.5-turbo-instruct-0914",
        said! {
            "model" => r#""gpt-3.5-turbo-instruct""#,
            "prompt" => r#""Once upon a time""#,
            "temperature" => "0.5",
            "gen_ai.operation.name" => "generate_content",
            "gen_ai.request.model" => "gpt-3.5-turbo-instruct-0914",
            "gen_ai.usage.input_tokens" => 4,
            "gen_ai.usage.output_tokens" => 15,
        },
    );
    assert_eq!(
        completion.kind(3).says(),
        r#"text_completion gpt-3.5-turbo-instruct (CLIENT)
  gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Once upon a time"}]}]
  gen_ai.operation.name = text_completion
  gen_ai.provider.name = openai
  gen_ai.request.model = gpt-3.5-turbo-instruct
  gen_ai.request.temperature = 0.5 (double)
  gen_ai.response.model = gpt-3.5-turbo-instruct-0914
  gen_ai.usage.input_tokens = 4 (int)
  gen_ai.usage.output_tokens = 15 (int)
"#
    );
}

/// The bare words are MLflow's only where MLflow speaks.
#[test]
fn bare_parameters_of_others_are_theirs() {
    let foreign = Made::new("app", "work", said! { "model" => r#""x""#, "tools" => "[]", "stream" => "true" });
    assert_eq!(foreign.says(), "work (INTERNAL)\n  model = \"x\"\n  stream = true\n  tools = []\n");
}
