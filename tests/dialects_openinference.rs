//! OpenInference's recorded spans come out in the current words, and so does what no recording has.

mod support;

use dragoman::genai::settings::Target;
use support::made::Made;
use support::translated::check_expected;
use support::{attribute, int};

const OPENAI: &str = "openinference.instrumentation.openai";

#[test]
fn every_recording_says_what_was_said() {
    check_expected(
        "openinference.txt",
        &[
            "openinference-openai-0.1.66",
            "openinference-langchain-0.1.80",
            "openinference-langchain+openai-0.1.80",
            "openinference-llama-index-4.6.1",
            "openinference-crewai-1.1.21",
            "openinference-openai-agents-2.6.0",
            "openinference-js-openai-4.2.7-proto",
        ],
    );
}

#[test]
fn a_call_with_everything() {
    let call = Made::new(
        OPENAI,
        "ChatCompletion",
        said! {
            "openinference.span.kind" => "LLM",
            "llm.provider" => "azure",
            "llm.system" => "openai",
            "llm.model_name" => "gpt-4o-2024-08-06",
            "llm.invocation_parameters" => r#"{"model":"gpt-4o","max_completion_tokens":50,"temperature":0.5,"stop":["x"],"n":2,"seed":7,"reasoning":{"effort":"low"},"response_format":{"type":"json_schema"},"user":"u"}"#,
            "llm.input_messages.0.message.role" => "system",
            "llm.input_messages.0.message.content" => "Be brief.",
            "llm.input_messages.1.message.role" => "user",
            "llm.input_messages.1.message.name" => "Ada",
            "llm.input_messages.1.message.contents.0.message_content.type" => "text",
            "llm.input_messages.1.message.contents.0.message_content.text" => "What is this?",
            "llm.input_messages.1.message.contents.1.message_content.type" => "image",
            "llm.input_messages.1.message.contents.1.message_content.image.image.url" => "data:image/png;base64,AAAA",
            "llm.input_messages.2.message.role" => "assistant",
            "llm.input_messages.2.message.tool_calls.0.tool_call.id" => "c1",
            "llm.input_messages.2.message.tool_calls.0.tool_call.function.name" => "look",
            "llm.input_messages.2.message.tool_calls.0.tool_call.function.arguments" => r#"{"at":1}"#,
            "llm.input_messages.2.message.tool_calls.0.tool_call.reasoning_signature" => "c2ln",
            "llm.input_messages.10.message.role" => "tool",
            "llm.input_messages.10.message.tool_call_id" => "c1",
            "llm.input_messages.10.message.contents.0.message_content.type" => "text",
            "llm.input_messages.10.message.contents.0.message_content.text" => "a cat",
            "llm.output_messages.0.message.role" => "assistant",
            "llm.output_messages.0.message.content" => "A cat.",
            "llm.output_messages.0.message.contents.0.message_content.type" => "reasoning",
            "llm.output_messages.0.message.contents.0.message_content.text" => "It says so.",
            "llm.output_messages.0.message.contents.0.message_content.signature" => "s",
            "llm.output_messages.0.message.contents.1.message_content.type" => "text",
            "llm.output_messages.0.message.contents.1.message_content.text" => "A cat.",
            "llm.tools.0.tool.json_schema" => r#"{"type":"function","function":{"name":"look","parameters":{"type":"object"}}}"#,
            "llm.finish_reason" => "stop",
            "llm.token_count.prompt" => 100,
            "llm.token_count.prompt_details.cache_read" => 60,
            "llm.token_count.prompt_details.audio" => 3,
            "llm.token_count.completion" => 20,
            "llm.token_count.completion_details.reasoning" => 8,
            "llm.token_count.total" => 120,
            "llm.cost.total" => 0.25,
            "llm.prompt_template.template" => "What is {it}?",
            "llm.prompt_template.variables" => r#"{"it":"this"}"#,
            "llm.prompt_template.version" => "v3",
            "session.id" => "s1",
            "user.id" => "u1",
            "metadata" => r#"{"a":1}"#,
            "tag.tags" => ["t"],
            "output.value" => r#"{"id":"chatcmpl-1","created":1,"service_tier":"default"}"#,
            "output.mime_type" => "application/json",
        },
    );
    let said = call.says();
    assert_eq!(
        said,
        r#"chat gpt-4o (CLIENT)
  gen_ai.conversation.id = s1
  gen_ai.input.messages = [{"role":"system","parts":[{"type":"text","content":"Be brief."}]},{"role":"user","name":"Ada","parts":[{"type":"text","content":"What is this?"},{"type":"blob","modality":"image","mime_type":"image/png","content":"AAAA"}]},{"role":"assistant","parts":[{"type":"tool_call","id":"c1","name":"look","arguments":{"at":1},"reasoning_signature":"c2ln"}]},{"role":"tool","parts":[{"type":"tool_call_response","id":"c1","response":"a cat"}]}]
  gen_ai.operation.name = chat
  gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"reasoning","content":"It says so.","signature":"s"},{"type":"text","content":"A cat."}],"finish_reason":"stop"}]
  gen_ai.output.type = json
  gen_ai.provider.name = azure.ai.openai
  gen_ai.request.choice.count = 2 (int)
  gen_ai.request.max_tokens = 50 (int)
  gen_ai.request.model = gpt-4o
  gen_ai.request.seed = 7 (int)
  gen_ai.request.stop_sequences = [x]
  gen_ai.request.temperature = 0.5 (double)
  gen_ai.response.finish_reasons = [stop]
  gen_ai.response.id = chatcmpl-1
  gen_ai.response.model = gpt-4o-2024-08-06
  gen_ai.tool.definitions = [{"type":"function","name":"look","parameters":{"type":"object"}}]
  gen_ai.usage.cache_read.input_tokens = 60 (int)
  gen_ai.usage.input_tokens = 100 (int)
  gen_ai.usage.output_tokens = 20 (int)
  gen_ai.usage.reasoning.output_tokens = 8 (int)
  llm.cost.total = 0.25 (double)
  llm.invocation_parameters = {"model":"gpt-4o","max_completion_tokens":50,"temperature":0.5,"stop":["x"],"n":2,"seed":7,"reasoning":{"effort":"low"},"response_format":{"type":"json_schema"},"user":"u"}
  llm.prompt_template.template = What is {it}?
  llm.prompt_template.variables = {"it":"this"}
  llm.prompt_template.version = v3
  llm.token_count.prompt_details.audio = 3 (int)
  metadata = {"a":1}
  openai.response.service_tier = default
  output.value = {"id":"chatcmpl-1","created":1,"service_tier":"default"}
  session.id = s1
  tag.tags = [t]
  user.id = u1
"#
    );
    let main = call.says_in_main();
    for line in [
        "gen_ai.prompt.variable.it = this",
        "gen_ai.prompt.version = v3",
        "gen_ai.request.reasoning.level = low",
        "gen_ai.usage.audio.input_tokens = 3 (int)",
    ] {
        assert!(main.lines().any(|said| said.trim_start() == line), "{line}\n{main}");
    }
}

/// Of a call that nobody answered, the only model is the one that was asked for.
#[test]
fn a_failed_call_has_no_model_that_answered() {
    let said = Made::new(
        "openinference.instrumentation.anthropic",
        "Messages",
        said! {
            "openinference.span.kind" => "LLM",
            "llm.system" => "anthropic",
            "llm.model_name" => "claude-sonnet-4",
            "input.value" => "Hello",
            "input.mime_type" => "text/plain",
        },
    );
    assert_eq!(
        said.says(),
        r#"chat claude-sonnet-4 (CLIENT)
  gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Hello"}]}]
  gen_ai.operation.name = chat
  gen_ai.provider.name = anthropic
  gen_ai.request.model = claude-sonnet-4
"#
    );
}

#[test]
fn raw_requests_and_answers_are_read_where_nothing_else_is_said() {
    let said = Made::new(
        "@arizeai/openinference-instrumentation-openai",
        "OpenAI Chat Completions",
        said! {
            "openinference.span.kind" => "LLM",
            "input.value" => r#"{"model":"gpt-4o","messages":[{"role":"user","content":"Hi"}],"max_tokens":9}"#,
            "output.value" => r#"{"id":"chatcmpl-2","model":"gpt-4o-x","choices":[{"index":0,"message":{"role":"assistant","content":"Ho"},"finish_reason":"length"}],"usage":{"prompt_tokens":5,"completion_tokens":9,"prompt_tokens_details":{"cached_tokens":4}}}"#,
        },
    )
    .says_of(&["gen_ai.", "input", "output"]);
    assert_eq!(
        said,
        [
            r#"gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Hi"}]}]"#,
            "gen_ai.operation.name = chat",
            r#"gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"Ho"}],"finish_reason":"length"}]"#,
            "gen_ai.provider.name = openai",
            "gen_ai.request.max_tokens = 9 (int)",
            "gen_ai.request.model = gpt-4o",
            "gen_ai.response.finish_reasons = [length]",
            "gen_ai.response.id = chatcmpl-2",
            "gen_ai.response.model = gpt-4o-x",
            "gen_ai.usage.cache_read.input_tokens = 4 (int)",
            "gen_ai.usage.input_tokens = 5 (int)",
            "gen_ai.usage.output_tokens = 9 (int)",
            // What the counts are made of has no words in all.
            r#"output.value = {"id":"chatcmpl-2","model":"gpt-4o-x","choices":[{"index":0,"message":{"role":"assistant","content":"Ho"},"finish_reason":"length"}],"usage":{"prompt_tokens":5,"completion_tokens":9,"prompt_tokens_details":{"cached_tokens":4}}}"#,
        ]
    );
}

#[test]
fn a_completion_has_prompts() {
    let said = Made::new(
        OPENAI,
        "Completion",
        said! {
            "openinference.span.kind" => "LLM",
            "llm.model_name" => "gpt-3.5-turbo-instruct",
            "llm.prompts.0.prompt.text" => "Once",
            "llm.choices.0.completion.text" => " upon",
            "llm.token_count.prompt" => 1,
            "llm.token_count.completion" => 1,
        },
    );
    assert_eq!(
        said.says_in_main(),
        r#"text_completion gpt-3.5-turbo-instruct (CLIENT)
  gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Once"}]}]
  gen_ai.operation.name = text_completion
  gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":" upon"}]}]
  gen_ai.provider.name = openai
  gen_ai.request.model = gpt-3.5-turbo-instruct
  gen_ai.response.model = gpt-3.5-turbo-instruct
  gen_ai.usage.input_tokens = 1 (int)
  gen_ai.usage.output_tokens = 1 (int)
"#
    );
}

#[test]
fn a_tool_call() {
    let said = Made::new(
        "openinference.instrumentation.langchain",
        "get_weather",
        said! {
            "openinference.span.kind" => "TOOL",
            "tool.name" => "get_weather",
            "tool.description" => "Weather",
            "tool.parameters" => r#"{"type":"object","properties":{"city":{"type":"string"}}}"#,
            "input.value" => r#"{"city":"Paris"}"#,
            "input.mime_type" => "application/json",
            "output.value" => r#"{"type":"tool","data":{"content":"18C","tool_call_id":"c1"}}"#,
            "output.mime_type" => "application/json",
        },
    );
    assert_eq!(
        said.says(),
        r#"execute_tool get_weather (INTERNAL)
  gen_ai.operation.name = execute_tool
  gen_ai.tool.call.arguments = {"city":"Paris"}
  gen_ai.tool.call.id = c1
  gen_ai.tool.call.result = {"type":"tool","data":{"content":"18C","tool_call_id":"c1"}}
  gen_ai.tool.description = Weather
  gen_ai.tool.name = get_weather
  tool.parameters = {"type":"object","properties":{"city":{"type":"string"}}}
"#
    );
    let arguments = Made::new(
        "com.arize.instrumentation.langchain4j",
        "lookup",
        said! { "openinference.span.kind" => "TOOL", "tool.parameters" => r#"{"q": 1}"#, "output.value" => "x" },
    );
    assert_eq!(
        arguments.says_of(&["gen_ai.tool", "tool"]),
        [r#"gen_ai.tool.call.arguments = {"q": 1}"#, "gen_ai.tool.call.result = x", "gen_ai.tool.name = lookup"]
    );
}

#[test]
fn embeddings_say_their_dimensions_and_keep_their_vectors() {
    let said = Made::new(
        OPENAI,
        "CreateEmbeddings",
        said! {
            "openinference.span.kind" => "EMBEDDING",
            "embedding.model_name" => "text-embedding-3-small",
            "embedding.invocation_parameters" => r#"{"model":"text-embedding-3-small","encoding_format":"float"}"#,
            "embedding.embeddings.0.embedding.text" => "hello",
            "embedding.embeddings.0.embedding.vector" => [0.5, 1.0, 0.25],
            "llm.token_count.prompt" => 4,
            "llm.token_count.total" => 4,
        },
    );
    assert_eq!(
        said.says(),
        "embeddings text-embedding-3-small (CLIENT)
  embedding.embeddings.0.embedding.text = hello
  embedding.embeddings.0.embedding.vector = [0.5 (double), 1.0 (double), 0.25 (double)]
  gen_ai.embeddings.dimension.count = 3 (int)
  gen_ai.operation.name = embeddings
  gen_ai.request.encoding_formats = [float]
  gen_ai.request.model = text-embedding-3-small
  gen_ai.usage.input_tokens = 4 (int)
"
    );
    // The JavaScript package says the usage in the raw answer only.
    let raw = Made::new(
        "@arizeai/openinference-instrumentation-openai",
        "OpenAI Embeddings",
        said! {
            "openinference.span.kind" => "EMBEDDING",
            "embedding.model_name" => "text-embedding-3-small",
            "output.value" => r#"{"model":"text-embedding-3-small","usage":{"prompt_tokens":4,"total_tokens":4}}"#,
        },
    );
    assert_eq!(raw.says_of(&["gen_ai.usage"]), ["gen_ai.usage.input_tokens = 4 (int)"]);
}

#[test]
fn a_retrieval_and_a_rerank() {
    let said = Made::new(
        "openinference.instrumentation.llama_index",
        "VectorIndexRetriever.retrieve",
        said! {
            "openinference.span.kind" => "RETRIEVER",
            "input.value" => r#"{"query_bundle": {"query_str": "weather", "image_path": null}}"#,
            "retrieval.documents.0.document.id" => "d1",
            "retrieval.documents.0.document.score" => 0.5,
            "retrieval.documents.0.document.content" => "mild",
            "retrieval.documents.0.document.metadata" => r#"{"page":1}"#,
        },
    );
    assert_eq!(
        said.says(),
        r#"retrieval (CLIENT)
  gen_ai.operation.name = retrieval
  gen_ai.retrieval.documents = [{"id":"d1","score":0.5,"content":"mild","metadata":{"page":1}}]
  gen_ai.retrieval.query.text = weather
"#
    );
    let rerank = Made::new(
        "openinference.instrumentation.langchain",
        "CohereRerank",
        said! {
            "openinference.span.kind" => "RERANKER",
            "reranker.model_name" => "rerank-v3",
            "reranker.query" => "weather",
            "reranker.top_k" => 1,
            "reranker.input_documents.0.document.content" => "mild",
            "reranker.output_documents.0.document.id" => "d1",
            "reranker.output_documents.0.document.score" => 0.9,
        },
    );
    assert_eq!(
        rerank.says(),
        r#"rerank rerank-v3 (CLIENT)
  gen_ai.operation.name = rerank
  gen_ai.request.model = rerank-v3
  gen_ai.retrieval.documents = [{"id":"d1","score":0.9}]
  reranker.input_documents.0.document.content = mild
  reranker.query = weather
  reranker.top_k = 1 (int)
"#
    );
}

/// Agents wrap; chains, guardrails and graders are nothing that a target has words for.
#[test]
fn wrappers_are_no_calls() {
    let agent = Made::new(
        "openinference.instrumentation.crewai",
        "Reporter._execute_core",
        said! {
            "openinference.span.kind" => "AGENT",
            "graph.node.id" => "Reporter",
            "input.value" => "Report.",
            "output.value" => r#"{"raw": "Mild.", "agent": "Reporter"}"#,
        },
    );
    assert_eq!(
        agent.says(),
        r#"invoke_agent Reporter (INTERNAL)
  gen_ai.agent.name = Reporter
  gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Report."}]}]
  gen_ai.operation.name = invoke_agent
  gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"Mild."}],"finish_reason":""}]
  graph.node.id = Reporter
  output.value = {"raw": "Mild.", "agent": "Reporter"}
"#
    );
    for kind in ["CHAIN", "GUARDRAIL", "EVALUATOR", "PROMPT"] {
        let named = Made::new(
            "openinference.instrumentation.langchain",
            "model",
            said! {
                "openinference.span.kind" => kind,
                "input.value" => "Hi",
                "llm.input_messages.0.message.role" => "user",
                "llm.input_messages.0.message.content" => "Hi",
            },
        );
        assert_eq!(
            named.says(),
            format!(
                r#"model (INTERNAL)
  gen_ai.input.messages = [{{"role":"user","parts":[{{"type":"text","content":"Hi"}}]}}]
  input.value = Hi
  openinference.span.kind = {kind}
"#
            )
        );
    }
}

/// Anthropic's agent SDK leaves the cache out of its input; with a total that agrees, too.
#[test]
fn exclusive_counts_are_repaired() {
    let said = Made::new(
        "openinference.instrumentation.claude_agent_sdk",
        "ClaudeSDKClient.receive_response",
        said! {
            "openinference.span.kind" => "LLM",
            "llm.model_name" => "claude-sonnet-4",
            "llm.token_count.prompt" => 3000,
            "llm.token_count.completion" => 10,
            "llm.token_count.total" => 3010,
            "llm.token_count.prompt_details.cache_read" => 1000,
            "llm.token_count.prompt_details.cache_write" => 500,
        },
    );
    assert_eq!(
        said.says_of(&["gen_ai.usage", "dragoman", "llm.token"]),
        [
            "dragoman.usage.reported_input_tokens = 3000 (int)",
            "gen_ai.usage.cache_creation.input_tokens = 500 (int)",
            "gen_ai.usage.cache_read.input_tokens = 1000 (int)",
            "gen_ai.usage.input_tokens = 4500 (int)",
            "gen_ai.usage.output_tokens = 10 (int)",
            "llm.token_count.total = 3010 (int)",
        ]
    );
}

/// What stands under the current names wins; what they lack is added.
#[test]
fn dual_written_spans_become_one() {
    let said = Made::new(
        OPENAI,
        "ChatCompletion",
        said! {
            "openinference.span.kind" => "LLM",
            "gen_ai.operation.name" => "chat",
            "gen_ai.provider.name" => "openai",
            "gen_ai.request.model" => "gpt-4o",
            "gen_ai.request.top_k" => 3.0,
            "gen_ai.usage.input_tokens" => 10,
            "gen_ai.usage.output_tokens" => 20,
            "gen_ai.usage.cache_creation.input_tokens" => 2,
            "gen_ai.input.messages" => r#"[{"role":"user","parts":[{"type":"text","content":"Hi"}]}]"#,
            "llm.system" => "openai",
            "llm.model_name" => "gpt-4o",
            "llm.token_count.prompt" => 10,
            "llm.token_count.completion" => 20,
            "llm.token_count.prompt_details.cache_write" => 2,
            "llm.token_count.completion_details.reasoning" => 12,
            "llm.input_messages.0.message.role" => "user",
            "llm.input_messages.0.message.content" => "Hi",
        },
    );
    assert_eq!(
        said.says_in_main(),
        r#"chat gpt-4o (CLIENT)
  gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Hi"}]}]
  gen_ai.operation.name = chat
  gen_ai.provider.name = openai
  gen_ai.request.model = gpt-4o
  gen_ai.request.top_k = 3 (int)
  gen_ai.response.model = gpt-4o
  gen_ai.usage.cache_write.input_tokens = 2 (int)
  gen_ai.usage.input_tokens = 10 (int)
  gen_ai.usage.output_tokens = 20 (int)
  gen_ai.usage.reasoning.output_tokens = 12 (int)
"#
    );
}

/// A span of the application's own keeps its name; the kind follows the convention only beside it.
#[test]
fn an_applications_own_span_keeps_its_name() {
    let said = Made::new(
        "shop",
        "answer the customer",
        said! { "openinference.span.kind" => "LLM", "llm.model_name" => "gpt-4o", "llm.token_count.prompt" => 3 },
    );
    assert_eq!(said.says().lines().next(), Some("answer the customer (INTERNAL)"));
}

/// A call among contents, in a shape of which nobody knows the type, and thoughts kept from the caller.
#[test]
fn no_content_is_lost_for_its_type() {
    let said = Made::new(
        "openinference.instrumentation.anthropic",
        "Messages",
        said! {
            "openinference.span.kind" => "LLM",
            "llm.output_messages.0.message.role" => "assistant",
            "llm.output_messages.0.message.contents.0.message_content.type" => "reasoning",
            "llm.output_messages.0.message.contents.0.message_content.encrypted_content" => "xyz",
            "llm.output_messages.0.message.contents.1.message_content.type" => "hologram",
            "llm.output_messages.0.message.contents.1.message_content.data" => "h",
            "llm.output_messages.0.message.contents.2.message_content.type" => "tool_use",
            "llm.output_messages.0.message.contents.2.tool_call.id" => "t1",
            "llm.output_messages.0.message.contents.2.tool_call.function.name" => "f",
            "llm.output_messages.0.message.contents.2.tool_call.function.arguments" => r#"{"a":1}"#,
            "llm.output_messages.0.message.contents.3.message_content.text" => "Bye",
            "llm.output_messages.0.message.function_call_name" => "g",
            "llm.output_messages.0.message.function_call_arguments_json" => "{}",
        },
    );
    assert_eq!(
        said.says_of(&["gen_ai.output.messages"]),
        [concat!(
            r#"gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"reasoning","content":"","encrypted_content":"xyz"},"#,
            r#"{"type":"hologram","data":"h"},{"type":"tool_call","id":"t1","name":"f","arguments":{"a":1}},"#,
            r#"{"type":"text","content":"Bye"},{"type":"tool_call","name":"g","arguments":{}}],"finish_reason":""}]"#
        )]
    );
}

/// Mistral calls the seed otherwise, in the parameters as in the raw request.
#[test]
fn mistrals_seed() {
    let call = || {
        let said = said! { "openinference.span.kind" => "LLM", "llm.model_name" => "mistral-large-latest" };
        Made::new("openinference.instrumentation.mistralai", "MistralClient.chat", said)
    };
    let request = r#"{"model":"mistral-large-latest","random_seed":42}"#;
    for made in [
        call().with(said! { "llm.invocation_parameters" => request }),
        call().with(said! { "input.value" => request, "input.mime_type" => "application/json" }),
    ] {
        assert_eq!(int(&made.to(Target::V1_41).attributes, "gen_ai.request.seed"), Some(42));
    }
}

/// The parameters of Bedrock's models, which OpenInference hands through.
#[test]
fn bedrocks_parameters() {
    for parameters in [
        r#"{"maxTokens":100,"topP":0.9}"#,
        r#"{"max_tokens":100,"p":0.9}"#,
        r#"{"max_gen_len":100,"top_p":0.9}"#,
        r#"{"max_new_tokens":100,"topP":0.9}"#,
        r#"{"inputText":"Hi","textGenerationConfig":{"maxTokenCount":100,"topP":0.9}}"#,
    ] {
        let said = said! {
            "openinference.span.kind" => "LLM",
            "llm.model_name" => "amazon.nova-lite-v1:0",
            "llm.invocation_parameters" => parameters,
        };
        let span = Made::new("openinference.instrumentation.bedrock", "bedrock.converse", said).to(Target::V1_41);
        assert_eq!(int(&span.attributes, "gen_ai.request.max_tokens"), Some(100), "{parameters}");
        assert!(attribute(&span.attributes, "gen_ai.request.top_p").is_some(), "{parameters}");
    }
}

/// Of a stream of Gemini's the thoughts are counted in the raw answer only.
#[test]
fn thoughts_of_a_gemini_stream_are_output() {
    let said = said! {
        "openinference.span.kind" => "LLM",
        "llm.provider" => "google",
        "llm.model_name" => "gemini-2.5-flash",
        "llm.token_count.prompt" => 21,
        "llm.token_count.completion" => 17,
        "llm.token_count.total" => 102,
        "output.value" => r#"{"usage_metadata":{"prompt_token_count":21,"candidates_token_count":17,"thoughts_token_count":64,"total_token_count":102},"model_version":"gemini-2.5-flash"}"#,
        "output.mime_type" => "application/json",
    };
    let span = Made::new("openinference.instrumentation.google_genai", "GenerateContentStream", said).to(Target::V1_41);
    assert_eq!(int(&span.attributes, "gen_ai.usage.output_tokens"), Some(81));
    assert_eq!(int(&span.attributes, "gen_ai.usage.reasoning.output_tokens"), Some(64));
}

/// As the JavaScript instrumentation of OpenAI's Agents writes it: a list of the only answer.
#[test]
fn an_answer_in_a_list_keeps_what_no_message_says() {
    let answer = r#"[{"id":"chatcmpl-1","created":1,"model":"gpt-4o-mini-2024-07-18","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"Sunny."},"finish_reason":"stop"}]}]"#;
    let call = Made::new(
        "@arizeai/openinference-instrumentation-openai-agents",
        "generation",
        said! {
            "openinference.span.kind" => "LLM",
            "llm.model_name" => "gpt-4o-mini",
            "llm.output_messages.0.message.role" => "assistant",
            "llm.output_messages.0.message.content" => "Sunny.",
            "output.value" => answer,
        },
    )
    .says();
    assert!(call.contains(answer), "{call}");
}

/// As the JavaScript instrumentation of Bedrock writes it: the answer alone says the cache.
#[test]
fn bedrocks_answer_says_the_cache() {
    let call = Made::new(
        "@arizeai/openinference-instrumentation-bedrock",
        "bedrock.converse",
        said! {
            "openinference.span.kind" => "LLM",
            "llm.provider" => "aws",
            "llm.model_name" => "claude-3-5-haiku-20241022",
            "llm.token_count.prompt" => 79,
            "llm.token_count.completion" => 25,
            "llm.token_count.total" => 2280,
            "output.value" => r#"{"stopReason":"end_turn","usage":{"inputTokens":79,"outputTokens":25,"totalTokens":2280,"cacheReadInputTokens":2048,"cacheWriteInputTokens":128}}"#,
        },
    )
    .says();
    for line in [
        "  gen_ai.usage.input_tokens = 2255 (int)\n",
        "  gen_ai.usage.cache_read.input_tokens = 2048 (int)\n",
        "  gen_ai.usage.cache_creation.input_tokens = 128 (int)\n",
    ] {
        assert!(call.contains(line), "{call}");
    }
}
