//! The AI SDK's recorded spans come out in the current words, and so does what no recording has.
mod support;

use support::made::Made;
use support::translated::check_expected;

#[test]
fn every_recording_says_what_was_said() {
    check_expected(
        "vercel.txt",
        &[
            "vercel-ai-4.3.19-proto",
            "vercel-ai-5.0.277-proto",
            "vercel-ai-7.0.173-legacy-proto",
            "vercel-ai-7.0.173-proto",
        ],
    );
}

#[test]
fn a_call_of_version_4() {
    let call = Made::new(
        "ai",
        "ai.generateText.doGenerate",
        said! {
            "operation.name" => "ai.generateText.doGenerate weather",
            "resource.name" => "weather",
            "ai.operationId" => "ai.generateText.doGenerate",
            "ai.telemetry.functionId" => "weather",
            "ai.telemetry.metadata.sessionId" => "s1",
            "ai.telemetry.metadata.userId" => "u1",
            "ai.telemetry.metadata.tier" => "gold",
            "ai.model.provider" => "google.generative-ai",
            "ai.model.id" => "gemini-2.0-flash",
            "ai.settings.maxRetries" => 2,
            "ai.request.headers.authorization" => "secret",
            "ai.prompt.format" => "messages",
            "ai.prompt.messages" => r#"[{"role":"system","content":"Be brief."},{"role":"user","content":[{"type":"text","text":"Look"},{"type":"image","image":"https://x/cat.png","mimeType":"image/png"}]},{"role":"assistant","content":[{"type":"tool-call","toolCallId":"c1","toolName":"look","args":{"at":1}}]},{"role":"tool","content":[{"type":"tool-result","toolCallId":"c1","toolName":"look","result":{"t":18}}]}]"#,
            "ai.prompt.tools" => [r#"{"type":"function","name":"look","parameters":{"type":"object"}}"#],
            "ai.prompt.toolChoice" => r#"{"type":"auto"}"#,
            "gen_ai.system" => "google.generative-ai",
            "gen_ai.request.model" => "gemini-2.0-flash",
            "ai.response.finishReason" => "tool-calls",
            "ai.response.text" => "Let me see.",
            "ai.response.toolCalls" => r#"[{"toolCallType":"function","toolCallId":"c2","toolName":"look","args":"{\"at\":2}"}]"#,
            "ai.response.id" => "r1",
            "ai.response.model" => "gemini-2.0-flash-001",
            "ai.response.timestamp" => "2026-11-20T15:45:17.000Z",
            "ai.response.providerMetadata" => r#"{"openai":{"cachedPromptTokens":4,"reasoningTokens":3}}"#,
            "ai.usage.promptTokens" => 88,
            "ai.usage.completionTokens" => 13,
            "gen_ai.response.finish_reasons" => ["tool-calls"],
            "gen_ai.usage.input_tokens" => 88,
            "gen_ai.usage.output_tokens" => 13,
        },
    );
    assert_eq!(
        call.says(),
        r#"chat gemini-2.0-flash (CLIENT)
  ai.prompt.toolChoice = {"type":"auto"}
  ai.request.headers.authorization = secret
  ai.response.providerMetadata = {"openai":{"cachedPromptTokens":4,"reasoningTokens":3}}
  ai.response.timestamp = 2026-11-20T15:45:17.000Z
  ai.settings.maxRetries = 2 (int)
  ai.telemetry.functionId = weather
  ai.telemetry.metadata.tier = gold
  gen_ai.conversation.id = s1
  gen_ai.input.messages = [{"role":"system","parts":[{"type":"text","content":"Be brief."}]},{"role":"user","parts":[{"type":"text","content":"Look"},{"type":"uri","modality":"image","mime_type":"image/png","uri":"https://x/cat.png"}]},{"role":"assistant","parts":[{"type":"tool_call","id":"c1","name":"look","arguments":{"at":1}}]},{"role":"tool","parts":[{"type":"tool_call_response","id":"c1","response":{"t":18},"name":"look"}]}]
  gen_ai.operation.name = chat
  gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"Let me see."},{"type":"tool_call","id":"c2","name":"look","arguments":{"at":2}}],"finish_reason":"tool_call"}]
  gen_ai.provider.name = gcp.gemini
  gen_ai.request.model = gemini-2.0-flash
  gen_ai.response.finish_reasons = [tool-calls]
  gen_ai.response.id = r1
  gen_ai.response.model = gemini-2.0-flash-001
  gen_ai.tool.definitions = [{"type":"function","name":"look","parameters":{"type":"object"}}]
  gen_ai.usage.cache_read.input_tokens = 4 (int)
  gen_ai.usage.input_tokens = 88 (int)
  gen_ai.usage.output_tokens = 13 (int)
  gen_ai.usage.reasoning.output_tokens = 3 (int)
  user.id = u1
"#
    );
}

#[test]
fn a_stream_of_version_6() {
    let call = Made::new(
        "ai",
        "ai.streamText.doStream",
        said! {
            "ai.operationId" => "ai.streamText.doStream",
            "ai.model.provider" => "amazon-bedrock",
            "ai.model.id" => "claude",
            "ai.settings.maxOutputTokens" => 100,
            "ai.settings.stopSequences" => ["x"],
            "ai.response.reasoning" => "Hm.",
            "ai.response.text" => "Here.",
            "ai.response.files" => r#"[{"type":"file","mediaType":"image/png","data":"AAAA"}]"#,
            "ai.response.finishReason" => "stop",
            "ai.response.msToFirstChunk" => 250,
            "ai.response.msToFinish" => 900.5,
            "ai.response.avgOutputTokensPerSecond" => 12.5,
            "ai.usage.inputTokens" => 100,
            "ai.usage.inputTokenDetails.noCacheTokens" => 30,
            "ai.usage.inputTokenDetails.cacheReadTokens" => 60,
            "ai.usage.inputTokenDetails.cacheWriteTokens" => 10,
            "ai.usage.cachedInputTokens" => 60,
            "ai.usage.outputTokens" => 20,
            "ai.usage.outputTokenDetails.textTokens" => 12,
            "ai.usage.outputTokenDetails.reasoningTokens" => 8,
            "ai.usage.reasoningTokens" => 8,
            "ai.usage.totalTokens" => 120,
        },
    )
    .event("ai.stream.firstChunk", said! { "ai.response.msToFirstChunk" => 250 })
    .event("ai.stream.finish", said! {});
    assert_eq!(
        call.says_in_main(),
        r#"chat claude (CLIENT)
  ai.response.avgOutputTokensPerSecond = 12.5 (double)
  ai.response.msToFinish = 900.5 (double)
  ai.usage.inputTokenDetails.noCacheTokens = 30 (int)
  gen_ai.operation.name = chat
  gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"reasoning","content":"Hm."},{"type":"text","content":"Here."},{"type":"blob","modality":"image","mime_type":"image/png","content":"AAAA"}]}]
  gen_ai.provider.name = aws.bedrock
  gen_ai.request.max_tokens = 100 (int)
  gen_ai.request.model = claude
  gen_ai.request.stop_sequences = [x]
  gen_ai.request.stream = true (bool)
  gen_ai.response.finish_reasons = [stop]
  gen_ai.response.time_to_first_chunk = 0.25 (double)
  gen_ai.usage.cache_read.input_tokens = 60 (int)
  gen_ai.usage.cache_write.input_tokens = 10 (int)
  gen_ai.usage.input_tokens = 100 (int)
  gen_ai.usage.output_tokens = 20 (int)
  gen_ai.usage.reasoning.output_tokens = 8 (int)
  gen_ai.usage.text.output_tokens = 12 (int)
  event ai.stream.firstChunk
    ai.response.msToFirstChunk = 250 (int)
  event ai.stream.finish
"#
    );
    let early = Made::new("ai", "ai.streamText.doStream", said! { "ai.operationId" => "ai.streamText.doStream" })
        .event("ai.stream.firstChunk", said! { "ai.response.msToFirstChunk" => 5.5 });
    assert_eq!(
        early.says(),
        "chat (CLIENT)
  gen_ai.operation.name = chat
  gen_ai.request.stream = true (bool)
  gen_ai.response.time_to_first_chunk = 0.0055 (double)
"
    );
}

/// The span around the whole is an agent's: its counts may be those of the last step only.
#[test]
fn the_whole_is_an_agent() {
    let whole = Made::new(
        "ai",
        "ai.generateText",
        said! {
            "operation.name" => "ai.generateText weather",
            "resource.name" => "weather",
            "ai.operationId" => "ai.generateText",
            "ai.telemetry.functionId" => "weather",
            "ai.model.provider" => "openai.chat",
            "ai.model.id" => "gpt-4o",
            "ai.prompt" => r#"{"system":"Be brief.","messages":[{"role":"user","content":"Hi"}]}"#,
            "ai.settings.seed" => 7,
            "ai.response.text" => "Ho",
            "ai.response.finishReason" => "stop",
            "ai.usage.promptTokens" => 137,
            "ai.usage.completionTokens" => 12,
        },
    );
    assert_eq!(
        whole.says(),
        r#"invoke_agent weather (INTERNAL)
  ai.usage.completionTokens = 12 (int)
  ai.usage.promptTokens = 137 (int)
  gen_ai.agent.name = weather
  gen_ai.input.messages = [{"role":"user","parts":[{"type":"text","content":"Hi"}]}]
  gen_ai.operation.name = invoke_agent
  gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"Ho"}],"finish_reason":"stop"}]
  gen_ai.provider.name = openai
  gen_ai.request.model = gpt-4o
  gen_ai.request.seed = 7 (int)
  gen_ai.response.finish_reasons = [stop]
  gen_ai.system_instructions = [{"type":"text","content":"Be brief."}]
"#
    );
    // Without a name of its own it keeps the one that says more.
    let nameless = Made::new(
        "ai",
        "ai.streamText",
        said! {
            "ai.operationId" => "ai.streamText",
            "ai.prompt" => r#"{"prompt":"Hi"}"#,
        },
    );
    assert_eq!(
        nameless.says_of(&["ai.", "gen_ai.operation"]),
        ["ai.streamText (INTERNAL)", "gen_ai.operation.name = invoke_agent"]
    );
}

#[test]
fn an_object_is_json() {
    let call = Made::new(
        "ai",
        "ai.generateObject.doGenerate",
        said! {
            "ai.operationId" => "ai.generateObject.doGenerate",
            "ai.model.id" => "gpt-4o",
            "ai.response.object" => r#"{"city":"Paris"}"#,
            "ai.usage.promptTokens" => f64::from(3),
        },
    );
    assert_eq!(
        call.says(),
        r#"chat gpt-4o (CLIENT)
  gen_ai.operation.name = chat
  gen_ai.output.messages = [{"role":"assistant","parts":[{"type":"text","content":"{\"city\":\"Paris\"}"}],"finish_reason":""}]
  gen_ai.output.type = json
  gen_ai.provider.name = openai
  gen_ai.request.model = gpt-4o
  gen_ai.usage.input_tokens = 3 (int)
"#
    );
}

#[test]
fn a_tool_call() {
    let call = Made::new(
        "shop",
        "ai.toolCall",
        said! {
            "ai.operationId" => "ai.toolCall",
            "ai.telemetry.functionId" => "weather",
            "ai.toolCall.name" => "getWeather",
            "ai.toolCall.id" => "c1",
            "ai.toolCall.args" => r#"{"city":"Paris"}"#,
            "ai.toolCall.result" => r#"{"t":18}"#,
        },
    );
    assert_eq!(
        call.says(),
        r#"execute_tool getWeather (INTERNAL)
  ai.telemetry.functionId = weather
  gen_ai.operation.name = execute_tool
  gen_ai.tool.call.arguments = {"city":"Paris"}
  gen_ai.tool.call.id = c1
  gen_ai.tool.call.result = {"t":18}
  gen_ai.tool.name = getWeather
"#
    );
}

/// Parent and child say the same usage; only the child is the call.
#[test]
fn embeddings_are_the_inner_span() {
    let attributes = |id: &str| {
        said! {
            "ai.operationId" => id,
            "ai.model.provider" => "openai.embedding",
            "ai.model.id" => "text-embedding-3-small",
            "ai.values" => [r#""hello""#],
            "ai.embeddings" => ["[0.5,0.25]"],
            "ai.usage.tokens" => 2,
        }
    };
    assert_eq!(
        Made::new("ai", "ai.embedMany.doEmbed", attributes("ai.embedMany.doEmbed")).says(),
        r#"embeddings text-embedding-3-small (CLIENT)
  ai.embeddings = [[0.5,0.25]]
  ai.values = ["hello"]
  gen_ai.embeddings.dimension.count = 2 (int)
  gen_ai.operation.name = embeddings
  gen_ai.provider.name = openai
  gen_ai.request.model = text-embedding-3-small
  gen_ai.usage.input_tokens = 2 (int)
"#
    );
    assert_eq!(
        Made::new("ai", "ai.embedMany", attributes("ai.embedMany")).says_of(&[
            "ai.",
            "gen_ai.operation",
            "gen_ai.usage"
        ]),
        [
            "ai.embedMany (INTERNAL)",
            "ai.embeddings = [[0.5,0.25]]",
            "ai.operationId = ai.embedMany",
            "ai.usage.tokens = 2 (int)",
            r#"ai.values = ["hello"]"#,
        ]
    );
}

#[test]
fn a_rerank() {
    let call = Made::new(
        "ai",
        "ai.rerank.doRerank",
        said! {
            "ai.operationId" => "ai.rerank.doRerank",
            "ai.model.provider" => "cohere.reranking",
            "ai.model.id" => "rerank-v3",
            "ai.documents" => [r#""a""#],
            "ai.ranking" => [r#"{"index":0,"relevanceScore":0.9}"#],
        },
    );
    assert_eq!(
        call.says(),
        r#"rerank rerank-v3 (CLIENT)
  ai.documents = ["a"]
  ai.ranking = [{"index":0,"relevanceScore":0.9}]
  gen_ai.operation.name = rerank
  gen_ai.provider.name = cohere
  gen_ai.request.model = rerank-v3
"#
    );
}

#[test]
fn version_7_is_nearly_current() {
    let call = Made::new(
        "gen_ai",
        "chat gpt-4o",
        said! {
            "gen_ai.operation.name" => "chat",
            "gen_ai.provider.name" => "openai",
            "gen_ai.request.model" => "gpt-4o",
            "gen_ai.client.operation.duration" => 0.5,
            "gen_ai.client.operation.time_to_first_chunk" => 0.25,
            "gen_ai.client.operation.time_per_output_chunk" => 0.125,
            "gen_ai.usage.cache_creation.input_tokens" => 3,
            "ai.settings.context.tenant" => "t",
        },
    );
    assert_eq!(
        call.says_in_main(),
        "chat gpt-4o (INTERNAL)
  ai.settings.context.tenant = t
  gen_ai.client.operation.duration = 0.5 (double)
  gen_ai.client.operation.time_per_output_chunk = 0.125 (double)
  gen_ai.operation.name = chat
  gen_ai.provider.name = openai
  gen_ai.request.model = gpt-4o
  gen_ai.request.stream = true (bool)
  gen_ai.response.time_to_first_chunk = 0.25 (double)
  gen_ai.usage.cache_write.input_tokens = 3 (int)
"
    );
    let step = Made::new("gen_ai", "step 1", said! { "gen_ai.operation.name" => "agent_step" });
    assert_eq!(step.says(), "step 1 (INTERNAL)\n  gen_ai.operation.name = agent_step\n");
    let agent = Made::new(
        "gen_ai",
        "invoke_agent gpt-4o",
        said! {
            "gen_ai.operation.name" => "invoke_agent",
            "gen_ai.agent.name" => "weather",
            "gen_ai.request.model" => "gpt-4o",
            "gen_ai.usage.input_tokens" => 225,
        },
    );
    assert_eq!(agent.says_of(&["invoke_agent"]), ["invoke_agent weather (INTERNAL)"]);
}

#[test]
fn providers_are_told_by_what_stands_before_the_dot() {
    for (said, provider) in [
        ("openai.responses", "openai"),
        ("azure-openai.chat", "azure.ai.openai"),
        ("anthropic.messages", "anthropic"),
        ("google.vertex.chat", "gcp.vertex_ai"),
        ("mistral.chat", "mistral_ai"),
        ("xai.chat", "x_ai"),
        ("Cerebras.chat", "cerebras"),
        ("aws.bedrock", "aws.bedrock"),
    ] {
        let call = Made::new(
            "ai",
            "x",
            said! {
                "ai.operationId" => "ai.generateText.doGenerate",
                "ai.model.provider" => said,
            },
        );
        assert_eq!(call.says_of(&["gen_ai.provider"]), [format!("gen_ai.provider.name = {provider}")], "{said}");
    }
}
