//! Agent frameworks and platforms whose recordings showed something that nothing else had: what comes out of
//! them is held by `tests/conformance.rs`; here stands what was wrong, rule by rule.

mod support;

use support::made::Made;

/// LangSmith before 0.14 sends the JSON of what a run took and gave as bytes.
#[test]
fn text_that_was_sent_as_bytes_is_text() {
    let prompt: &[u8] = br#"{"messages":[{"role":"user","content":"Hi"}],"model":"gpt-4o"}"#;
    let completion: &[u8] = br#"{"id":"chatcmpl-1","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Hello"}}]}"#;
    let call = Made::new(
        "langsmith",
        "ChatOpenAI",
        said! {
            "langsmith.span.kind" => "llm",
            "gen_ai.operation.name" => "chat",
            "gen_ai.request.model" => "gpt-4o",
            "gen_ai.prompt" => prompt,
            "gen_ai.completion" => completion,
        },
    );
    assert_eq!(
        call.says_of(&["gen_ai.input", "gen_ai.output", "gen_ai.prompt", "gen_ai.completion"]),
        [
            r#"gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Hi"}]}]"#,
            r#"gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"Hello"}],"finish_reason":"stop"}]"#,
        ]
    );
}

/// Bytes under a key that is renamed become text, and the tool's name stands in the run's.
#[test]
fn a_tool_of_langsmith_has_its_name_and_its_arguments() {
    let (arguments, result): (&[u8], &[u8]) = (br#"{"city":"Paris"}"#, br#"{"output":"22 degrees"}"#);
    let tool = Made::new(
        "langsmith",
        "get_weather",
        said! {
            "langsmith.span.kind" => "tool",
            "langsmith.trace.name" => "get_weather",
            "gen_ai.operation.name" => "execute_tool",
            "gen_ai.prompt" => arguments,
            "gen_ai.completion" => result,
        },
    );
    tool.check(&[
        "execute_tool get_weather (INTERNAL)",
        "gen_ai.operation.name = execute_tool",
        "gen_ai.tool.name = get_weather",
        r#"gen_ai.tool.call.arguments = {"city":"Paris"}"#,
        "gen_ai.tool.call.result = 22 degrees",
        "langsmith.trace.name = get_weather",
    ]);
}

/// Other bytes stay as they are.
#[test]
fn bytes_that_are_no_text_stay_bytes() {
    let image: &[u8] = &[0x89, 0x50, 0xff, 0xfe];
    let call = Made::new(
        "langsmith",
        "ChatOpenAI",
        said! { "langsmith.span.kind" => "llm", "gen_ai.request.model" => "gpt-4o", "langsmith.metadata.image" => image },
    );
    let written = call.says();
    assert!(written.contains("langsmith.metadata.image"), "{written}");
    assert!(!written.contains("input.messages"), "{written}");
}

fn langfuse(kind: &str, name: &str) -> Made {
    Made::new("langfuse-sdk", name, said! { "langfuse.observation.type" => kind })
}

#[test]
fn observations_give_their_names_to_tools_and_agents() {
    let named = |made: &Made| made.says_of(&["gen_ai.tool.name", "gen_ai.agent.name"]);
    assert_eq!(named(&langfuse("tool", "get_weather")), ["gen_ai.tool.name = get_weather"]);
    assert_eq!(named(&langfuse("agent", "travel")), ["gen_ai.agent.name = travel"]);
    assert!(named(&langfuse("retriever", "search")).is_empty());
    let langwatch = |kind: &str, name: &str| Made::new("langwatch", name, said! { "langwatch.span.type" => kind });
    assert_eq!(named(&langwatch("tool", "get_weather")), ["gen_ai.tool.name = get_weather"]);
    assert_eq!(named(&langwatch("agent", "travel")), ["gen_ai.agent.name = travel"]);
    let braintrust = Made::new("app", "get_weather", said! { "braintrust.span_attributes" => r#"{"type": "tool"}"# });
    assert_eq!(named(&braintrust), ["gen_ai.tool.name = get_weather"]);
}

/// The wrapper of OpenAI's client names its observations; an application's names stay.
#[test]
fn langfuse_s_wrapper_names_its_spans_and_an_application_its_own() {
    let call = |name: &str| {
        let call = langfuse("generation", name).with(said! { "langfuse.observation.model.name" => "gpt-4o-mini" });
        call.says().lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(call("OpenAI-generation"), "chat gpt-4o-mini (CLIENT)");
    assert_eq!(call("answer the question"), "answer the question (INTERNAL)");
}

/// How the function was called holds the query, and stays: it may hold more.
#[test]
fn a_decorated_retriever_says_its_query() {
    for (input, query) in [
        (r#"{"args": ["Paris?"], "kwargs": {}}"#, "Paris?"),
        (r#"{"args": [], "kwargs": {"query": "Berlin?", "k": 3}}"#, "Berlin?"),
    ] {
        let retriever = langfuse("retriever", "search").with(said! { "langfuse.observation.input" => input });
        let says = retriever.says_of(&["gen_ai.retrieval.query", "langfuse.observation.input"]);
        assert_eq!(
            says,
            [format!("gen_ai.retrieval.query.text = {query}"), format!("langfuse.observation.input = {input}")]
        );
    }
}

/// LangChain's callback hands on Python's text of a tool's input.
#[test]
fn arguments_in_python_become_json() {
    let tool = langfuse("tool", "get_weather").with(said! { "langfuse.observation.input" => "{'city': 'Paris'}" });
    assert_eq!(tool.says_of(&["gen_ai.tool.call.arguments"]), [r#"gen_ai.tool.call.arguments = {"city":"Paris"}"#]);
}

#[test]
fn langwatch_says_who_made_the_model_and_what_was_thought() {
    let call = Made::new(
        "langwatch",
        "llm",
        said! {
            "langwatch.span.type" => "llm",
            "gen_ai.request.model" => "anthropic/claude-sonnet-4-5",
            "langwatch.metrics" => r#"{"type": "json", "value": {"prompt_tokens": 20, "completion_tokens": 30, "reasoning_tokens": 24}}"#,
        },
    );
    call.check(&[
        "chat anthropic/claude-sonnet-4-5 (CLIENT)",
        "gen_ai.operation.name = chat",
        "gen_ai.provider.name = anthropic",
        "gen_ai.request.model = anthropic/claude-sonnet-4-5",
        "gen_ai.usage.input_tokens = 20 (int)",
        "gen_ai.usage.output_tokens = 30 (int)",
        "gen_ai.usage.reasoning.output_tokens = 24 (int)",
    ]);
}

/// Gemini's candidates leave out the thoughts, which ADK 1 says beside them; what comes through LiteLLM
/// holds them.
#[test]
fn adk_1_counts_thoughts_apart() {
    let call = |model: &str| {
        let call = Made::new(
            "gcp.vertex.agent",
            "call_llm",
            said! {
                "gen_ai.system" => "gcp.vertex.agent",
                "gen_ai.request.model" => model,
                "gen_ai.usage.input_tokens" => 50,
                "gen_ai.usage.output_tokens" => 100,
                "gen_ai.usage.experimental.reasoning_tokens" => 40,
            },
        );
        call.says_of(&["gen_ai.usage"])
    };
    assert_eq!(
        call("gemini-2.5-flash"),
        [
            "gen_ai.usage.input_tokens = 50 (int)",
            "gen_ai.usage.output_tokens = 140 (int)",
            "gen_ai.usage.reasoning.output_tokens = 40 (int)",
        ]
    );
    assert!(call("openai/o3-mini").contains(&"gen_ai.usage.output_tokens = 100 (int)".to_owned()));
}

/// AutoGen's results of functions are pieces of a message, each whole.
#[test]
fn results_of_functions_are_in_the_message() {
    let call = Made::new(
        "openinference.instrumentation.autogen_agentchat",
        "OpenAIChatCompletionClient.create",
        said! {
            "openinference.span.kind" => "LLM",
            "llm.model_name" => "gpt-4o-mini",
            "llm.input_messages.0.message.role" => "tool",
            "llm.input_messages.0.function.0" => r#"{"name": "get_weather", "content": "22 degrees", "call_id": "call_1", "is_error": false}"#,
            "llm.input_messages.0.function.1" => r#"{"name": "get_weather", "content": "9 degrees", "call_id": "call_2", "is_error": false}"#,
        },
    );
    assert_eq!(
        call.says_of(&["gen_ai.input.messages", "llm."]),
        [concat!(
            r#"gen_ai.input.messages = [{"role":"tool","parts":["#,
            r#"{"type":"tool_call_response","id":"call_1","response":"22 degrees","name":"get_weather","is_error":false},"#,
            r#"{"type":"tool_call_response","id":"call_2","response":"9 degrees","name":"get_weather","is_error":false}]}]"#
        )]
    );
}

/// smolagents' own roles, and the task that an agent is given.
#[test]
fn smolagents_speaks_of_calls_and_responses() {
    let call = Made::new(
        "openinference.instrumentation.smolagents",
        "OpenAIModel.generate",
        said! {
            "openinference.span.kind" => "LLM",
            "llm.model_name" => "gpt-4o-mini",
            "llm.input_messages.0.message.role" => "tool-call",
            "llm.input_messages.0.message.content" => "Calling tools",
            "llm.input_messages.1.message.role" => "tool-response",
            "llm.input_messages.1.message.content" => "Observation",
        },
    );
    let says = call.says();
    assert!(says.contains(r#""role":"assistant""#) && says.contains(r#""role":"tool""#), "{says}");
    let agent = Made::new(
        "openinference.instrumentation.smolagents",
        "ToolCallingAgent.run",
        said! {
            "openinference.span.kind" => "AGENT",
            "input.value" => r#"{"task": "What is the weather?", "stream": false, "reset": true}"#,
        },
    );
    assert_eq!(
        agent.says_of(&["gen_ai.input.messages"]),
        [r#"gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"What is the weather?"}]}]"#]
    );
}

/// LlamaIndex' own package says everything on events.
#[test]
fn llama_index_s_events_say_the_call() {
    let call = Made::new("llamaindex.opentelemetry.tracer", "OpenAI.chat", said! {})
        .event(
            "LLMChatStartEvent",
            said! {
                "messages" => r#"[{"role": "user", "additional_kwargs": {}, "blocks": [{"block_type": "text", "text": "Hi"}]}]"#,
                "model_dict.model_name" => "gpt-4o-mini",
                "class_name" => "LLMChatStartEvent",
            },
        )
        .event(
            "LLMChatEndEvent",
            said! {
                "response.raw.id" => "chatcmpl-1",
                "response.raw.model" => "gpt-4o-mini-2024-07-18",
                "response.raw.choices" => r#"[{"finish_reason": "stop", "index": 0, "message": {"content": "Hello", "role": "assistant"}}]"#,
                "response.raw.usage.prompt_tokens" => 20,
                "response.raw.usage.completion_tokens" => 10,
                "response.raw.usage.prompt_tokens_details.cached_tokens" => 8,
            },
        );
    let mut says = call.says_of(&["gen_ai."]);
    says.insert(0, call.says().lines().next().unwrap_or_default().to_owned());
    assert_eq!(
        says,
        [
            "chat gpt-4o-mini (CLIENT)",
            r#"gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Hi"}]}]"#,
            "gen_ai.operation.name = chat",
            r#"gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"Hello"}],"finish_reason":"stop"}]"#,
            "gen_ai.provider.name = openai",
            "gen_ai.request.model = gpt-4o-mini",
            "gen_ai.response.finish_reasons = [stop]",
            "gen_ai.response.id = chatcmpl-1",
            "gen_ai.response.model = gpt-4o-mini-2024-07-18",
            "gen_ai.usage.cache_read.input_tokens = 8 (int)",
            "gen_ai.usage.input_tokens = 20 (int)",
            "gen_ai.usage.output_tokens = 10 (int)",
        ]
    );
    let retriever = Made::new("llamaindex.opentelemetry.tracer", "VectorIndexRetriever.retrieve", said! {})
        .event("RetrievalStartEvent", said! { "str_or_query_bundle.query_str" => "Paris?" });
    assert_eq!(
        retriever.says_of(&["gen_ai."]),
        ["gen_ai.operation.name = retrieval", "gen_ai.retrieval.query.text = Paris?"]
    );
    // What else LlamaIndex does is no operation.
    assert_eq!(Made::new("llamaindex.opentelemetry.tracer", "TokenTextSplitter.split_text", said! {}).found(), None);
}
