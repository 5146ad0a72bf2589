//! Haystack's spans come out in the current words.

mod support;

use support::made::Made;
use support::translated::check_expected;

#[test]
fn every_case_says_what_was_said() {
    check_expected("haystack.txt", &["haystack-2.25.2", "haystack-3.4.0"]);
}

const COMPONENT: &str = "haystack.component.run";

/// Generators answer with texts, and say the rest apart.
#[test]
fn a_generator_completes() {
    let span = Made::new(
        "my_application",
        COMPONENT,
        said! {
            "haystack.component.name" => "llm",
            "haystack.component.type" => "AmazonBedrockGenerator",
            "haystack.component.input" => r#"{"prompt": "Once", "generation_kwargs": {"max_tokens": 10, "temperature": 0.5}}"#,
            "haystack.component.output" => r#"{"replies": ["upon a time"], "meta": [{"model": "m-1", "finish_reason": "length", "usage": {"prompt_tokens": 1, "completion_tokens": 10, "total_tokens": 11}}]}"#,
        },
    );
    assert_eq!(
        span.says(),
        r#"text_completion (CLIENT)
  gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Once"}]}]
  gen_ai.operation.name = text_completion
  gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"upon a time"}],"finish_reason":"length"}]
  gen_ai.provider.name = aws.bedrock
  gen_ai.request.max_tokens = 10 (int)
  gen_ai.request.temperature = 0.5 (double)
  gen_ai.response.finish_reasons = [length]
  gen_ai.response.model = m-1
  gen_ai.usage.input_tokens = 1 (int)
  gen_ai.usage.output_tokens = 10 (int)
  haystack.component.name = llm
  haystack.component.type = AmazonBedrockGenerator
"#
    );
}

#[test]
fn a_retriever_and_an_embedder() {
    let retriever = Made::new(
        "my_application",
        COMPONENT,
        said! {
            "haystack.component.name" => "retriever",
            "haystack.component.type" => "InMemoryBM25Retriever",
            "haystack.component.input" => r#"{"query": "What is a span?", "top_k": 3, "filters": null}"#,
            "haystack.component.output" => r#"{"documents": [{"id": "d1", "content": "A span is.", "meta": {"source": "a.md"}, "score": 0.9}]}"#,
        },
    );
    assert_eq!(
        retriever.says_in_main(),
        r#"retrieval (CLIENT)
  gen_ai.operation.name = retrieval
  gen_ai.retrieval.documents = [{"id":"d1","score":0.9,"content":"A span is.","metadata":{"source": "a.md"}}]
  gen_ai.retrieval.query.text = What is a span?
  gen_ai.retrieval.top_k = 3 (int)
  haystack.component.name = retriever
  haystack.component.type = InMemoryBM25Retriever
"#
    );
    let embedder = Made::new(
        "my_application",
        COMPONENT,
        said! {
            "haystack.component.name" => "embedder",
            "haystack.component.type" => "CohereTextEmbedder",
            "haystack.component.input" => r#"{"text": "hello"}"#,
            "haystack.component.output" => r#"{"embedding": [0.1, 0.2, 0.3], "meta": {"model": "embed-v3"}}"#,
        },
    );
    assert_eq!(
        embedder.says(),
        r#"embeddings (CLIENT)
  gen_ai.embeddings.dimension.count = 3 (int)
  gen_ai.operation.name = embeddings
  gen_ai.provider.name = cohere
  gen_ai.response.model = embed-v3
  haystack.component.input = {"text": "hello"}
  haystack.component.name = embedder
  haystack.component.output = {"embedding": [0.1, 0.2, 0.3], "meta": {"model": "embed-v3"}}
  haystack.component.type = CohereTextEmbedder
"#
    );
}

/// Messages of releases before 2.9.
#[test]
fn messages_with_underscores() {
    let span = Made::new(
        "my_application",
        "haystack.chat_generator.run",
        said! {
            "haystack.chat_generator.input" => r#"{"messages": [{"_role": "user", "_content": [{"text": "Hi"}], "_name": null, "_meta": {}}]}"#,
            "haystack.chat_generator.output" => r#"{"replies": [{"_role": "assistant", "_content": [{"text": "Hello."}], "_meta": {"model": "gpt-4o-mini", "finish_reason": "stop", "usage": {"prompt_tokens": 8, "completion_tokens": 2}}}]}"#,
        },
    );
    assert_eq!(
        span.says(),
        r#"chat (CLIENT)
  gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Hi"}]}]
  gen_ai.operation.name = chat
  gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"Hello."}],"finish_reason":"stop","meta":{"model": "gpt-4o-mini", "finish_reason": "stop", "usage": {"prompt_tokens": 8, "completion_tokens": 2}}}]
  gen_ai.provider.name = openai
  gen_ai.response.finish_reasons = [stop]
  gen_ai.response.model = gpt-4o-mini
  gen_ai.usage.input_tokens = 8 (int)
  gen_ai.usage.output_tokens = 2 (int)
"#
    );
}

/// A component that is none of these stays what it is, and is no operation.
#[test]
fn other_components_are_no_operations() {
    let attributes = said! {
        "haystack.component.name" => "tools",
        "haystack.component.type" => "ToolInvoker",
        "haystack.component.input" => r#"{"messages": [{"role": "assistant", "content": [{"text": "Hi"}]}]}"#,
        "haystack.component.visits" => 1,
    };
    let before = Made::new("my_application", COMPONENT, attributes);
    assert_eq!(
        before.says(),
        r#"haystack.component.run (INTERNAL)
  haystack.component.input = {"messages": [{"role": "assistant", "content": [{"text": "Hi"}]}]}
  haystack.component.name = tools
  haystack.component.type = ToolInvoker
  haystack.component.visits = 1 (int)
"#
    );
}

/// Without content there is no usage either, but what it is.
#[test]
fn a_call_without_content_and_a_named_pipeline() {
    let attributes =
        said! { "haystack.component.name" => "llm", "haystack.component.type" => "AzureOpenAIChatGenerator" };
    assert_eq!(
        Made::new("my_application", COMPONENT, attributes).says(),
        r#"chat (CLIENT)
  gen_ai.operation.name = chat
  gen_ai.provider.name = azure.ai.openai
  haystack.component.name = llm
  haystack.component.type = AzureOpenAIChatGenerator
"#
    );
    let attributes = said! {
        "haystack.pipeline.metadata" => r#"{"name": "rag"}"#,
        "haystack.pipeline.max_runs_per_component" => 100,
    };
    assert_eq!(
        Made::new("my_application", "haystack.pipeline.run", attributes).says(),
        r#"invoke_workflow rag (INTERNAL)
  gen_ai.operation.name = invoke_workflow
  gen_ai.workflow.name = rag
  haystack.pipeline.max_runs_per_component = 100 (int)
"#
    );
}
