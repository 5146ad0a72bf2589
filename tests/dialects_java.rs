//! The spans of Spring AI and LangChain4j come out in the current words: made by hand, for none are
//! recorded. Micrometer makes text of every value.

mod support;

use support::made::Made;

const SCOPE: &str = "org.springframework.boot";

#[test]
fn a_call_of_spring_ai() {
    let span = || {
        Made::new(
            SCOPE,
            "chat gpt-4o",
            said! {
                "gen_ai.operation.name" => "chat",
                "gen_ai.system" => "openai",
                "gen_ai.request.model" => "gpt-4o",
                "gen_ai.response.model" => "gpt-4o-2024-08-06",
                "gen_ai.request.temperature" => "0.7",
                "gen_ai.request.top_k" => "5",
                "gen_ai.request.max_tokens" => "100",
                "gen_ai.request.stop_sequences" => r#"["a", "b"]"#,
                "gen_ai.response.finish_reasons" => r#"["TOOL_CALLS"]"#,
                "gen_ai.response.id" => "chatcmpl-1",
                "gen_ai.usage.input_tokens" => "17",
                "gen_ai.usage.output_tokens" => "9",
                "gen_ai.usage.total_tokens" => "26",
                "gen_ai.usage.cache_creation.input_tokens" => "3",
                "spring.ai.model.request.tool.names" => r#"["getWeather"]"#,
            },
        )
    };
    assert_eq!(
        span().kind(3).says(),
        r#"chat gpt-4o (CLIENT)
  gen_ai.operation.name = chat
  gen_ai.provider.name = openai
  gen_ai.request.max_tokens = 100 (int)
  gen_ai.request.model = gpt-4o
  gen_ai.request.stop_sequences = [a, b]
  gen_ai.request.temperature = 0.7 (double)
  gen_ai.request.top_k = 5.0 (double)
  gen_ai.response.finish_reasons = [TOOL_CALLS]
  gen_ai.response.id = chatcmpl-1
  gen_ai.response.model = gpt-4o-2024-08-06
  gen_ai.tool.definitions = [{"type":"function","name":"getWeather"}]
  gen_ai.usage.cache_creation.input_tokens = 3 (int)
  gen_ai.usage.input_tokens = 17 (int)
  gen_ai.usage.output_tokens = 9 (int)
"#
    );
    let main = span().kind(3).says_in_main();
    assert!(main.contains("  gen_ai.request.top_k = 5 (int)\n"), "{main}");
    assert!(main.contains("  gen_ai.usage.cache_write.input_tokens = 3 (int)\n"), "{main}");
}

/// `none` is no model; the operation's word is another one.
#[test]
fn embeddings_of_spring_ai() {
    let span = Made::new(
        SCOPE,
        "embedding none",
        said! {
            "gen_ai.operation.name" => "embedding",
            "gen_ai.system" => "vertex_ai",
            "gen_ai.request.model" => "none",
            "gen_ai.response.model" => "text-embedding-005",
            "gen_ai.request.embedding.dimensions" => "768",
            "gen_ai.usage.input_tokens" => "4",
            "gen_ai.usage.output_tokens" => "0",
            "gen_ai.usage.total_tokens" => "4",
        },
    );
    assert_eq!(
        span.kind(3).says(),
        r#"embeddings (CLIENT)
  gen_ai.embeddings.dimension.count = 768 (int)
  gen_ai.operation.name = embeddings
  gen_ai.provider.name = gcp.vertex_ai
  gen_ai.response.model = text-embedding-005
  gen_ai.usage.input_tokens = 4 (int)
  gen_ai.usage.output_tokens = 0 (int)
"#
    );
}

/// One operation's name for four kinds of spans.
#[test]
fn what_is_around_a_call_of_spring_ai() {
    let client = Made::new(
        SCOPE,
        "spring_ai chat_client",
        said! {
            "gen_ai.operation.name" => "framework",
            "gen_ai.system" => "spring_ai",
            "spring.ai.kind" => "chat_client",
            "spring.ai.chat.client.stream" => "false",
            "spring.ai.chat.client.conversation.id" => "c-1",
            "spring.ai.chat.client.advisors" => r#"["a"]"#,
        },
    );
    assert_eq!(
        client.says(),
        r#"spring_ai chat_client (INTERNAL)
  gen_ai.conversation.id = c-1
  gen_ai.operation.name = framework
  gen_ai.request.stream = false (bool)
  gen_ai.system = spring_ai
  spring.ai.chat.client.advisors = ["a"]
  spring.ai.kind = chat_client
"#
    );
    let tool = Made::new(
        SCOPE,
        "tool_call getWeather",
        said! {
            "gen_ai.operation.name" => "framework",
            "gen_ai.system" => "spring_ai",
            "spring.ai.kind" => "tool_call",
            "spring.ai.tool.definition.name" => "getWeather",
            "spring.ai.tool.definition.description" => "Weather.",
            "spring.ai.tool.definition.schema" => r#"{"type":"object"}"#,
            "spring.ai.tool.call.arguments" => r#"{"city":"Paris"}"#,
            "spring.ai.tool.call.result" => "18C",
        },
    );
    assert_eq!(
        tool.says(),
        r#"execute_tool getWeather (INTERNAL)
  gen_ai.operation.name = execute_tool
  gen_ai.system = spring_ai
  gen_ai.tool.call.arguments = {"city":"Paris"}
  gen_ai.tool.call.result = 18C
  gen_ai.tool.description = Weather.
  gen_ai.tool.name = getWeather
  spring.ai.kind = tool_call
  spring.ai.tool.definition.schema = {"type":"object"}
"#
    );
    let store = Made::new(
        SCOPE,
        "pg_vector query",
        said! {
            "db.operation.name" => "query",
            "db.system" => "pg_vector",
            "spring.ai.kind" => "vector_store",
            "db.vector.query.content" => "What is a span?",
            "db.vector.query.top_k" => "4",
            "db.vector.query.similarity_threshold" => "0.0",
            "db.vector.query.response.documents" => r#"["A span is."]"#,
        },
    );
    assert_eq!(
        store.says_in_main(),
        r#"pg_vector query (INTERNAL)
  db.operation.name = query
  db.system = pg_vector
  db.vector.query.similarity_threshold = 0.0
  gen_ai.operation.name = retrieval
  gen_ai.retrieval.documents = [{"content":"A span is."}]
  gen_ai.retrieval.query.text = What is a span?
  gen_ai.retrieval.top_k = 4 (int)
  spring.ai.kind = vector_store
"#
    );
    let advisor = Made::new(
        SCOPE,
        "call",
        said! {
            "gen_ai.operation.name" => "framework",
            "spring.ai.kind" => "advisor",
            "spring.ai.advisor.name" => "call",
            "spring.ai.advisor.order" => "0",
        },
    );
    assert_eq!(
        advisor.says(),
        r#"call (INTERNAL)
  gen_ai.operation.name = framework
  spring.ai.advisor.name = call
  spring.ai.advisor.order = 0
  spring.ai.kind = advisor
"#
    );
}

#[test]
fn a_call_of_langchain4j() {
    let span = Made::new(
        "dev.langchain4j",
        "chat gpt-4o",
        said! {
            "gen_ai.operation.name" => "chat",
            "gen_ai.system" => "openai",
            "gen_ai.provider.name" => "openai",
            "gen_ai.request.model" => "gpt-4o",
            "gen_ai.response.finish_reasons" => r#"["TOOL_EXECUTION"]"#,
            "gen_ai.request.max_tokens" => "100",
        },
    );
    assert_eq!(
        span.kind(3).says(),
        r#"chat gpt-4o (CLIENT)
  gen_ai.operation.name = chat
  gen_ai.provider.name = openai
  gen_ai.request.max_tokens = 100 (int)
  gen_ai.request.model = gpt-4o
  gen_ai.response.finish_reasons = [TOOL_EXECUTION]
"#
    );
}
