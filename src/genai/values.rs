//! Value maps: the words of emitters beside the words of the conventions.
//!
//! Words are compared without regard to ASCII case and surrounding blanks. A word that is in no
//! map passes through unchanged, for the conventions' enumerations are open.

use std::sync::Arc;

/// From an emitter's word to the conventions' word; `None` where the emitter's word says nothing
/// (`Unknown`, a framework's name), so that the value has to be found elsewhere.
pub type Table = [(&'static str, Option<&'static str>)];

/// The map of one rule.
#[derive(Debug, Clone, Default)]
pub enum ValueMap {
    /// Values are taken as they are.
    #[default]
    None,
    /// A built-in table.
    Table(&'static Table),
    /// A user's table; the words are compared exactly.
    User(Arc<[(String, String)]>),
}

/// What a map makes of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mapped<'m> {
    /// This word.
    To(&'m str),
    /// The word says nothing.
    Nothing,
    /// The map does not know the word.
    Unknown,
}

impl ValueMap {
    /// Looks a word up.
    pub fn look(&self, word: &str) -> Mapped<'_> {
        match self {
            ValueMap::None => Mapped::Unknown,
            ValueMap::Table(table) => look(table, word),
            ValueMap::User(table) => match table.iter().find(|(from, _)| from == word) {
                Some((_, to)) => Mapped::To(to),
                None => Mapped::Unknown,
            },
        }
    }
}

/// Looks a word up in a built-in table. An entry `word*` stands for all words that begin so.
pub fn look(table: &'static Table, word: &str) -> Mapped<'static> {
    let word = word.trim();
    let entry = table.iter().find(|(from, _)| match from.strip_suffix('*') {
        Some(prefix) => word.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix)),
        None => word.eq_ignore_ascii_case(from),
    });
    match entry {
        Some((_, Some(to))) => Mapped::To(to),
        Some((_, None)) => Mapped::Nothing,
        None => Mapped::Unknown,
    }
}

/// Whether a word is one for "nothing is known".
pub fn is_nothing(word: &str) -> bool {
    ["", "unknown", "none", "null", "_OTHER"].iter().any(|nothing| nothing.eq_ignore_ascii_case(word.trim()))
}

/// A reason for the end of an answer without the class that Python writes before an enumeration's member:
/// `FinishReason.STOP` is `STOP`.
pub fn enum_member(reason: &str) -> &str {
    let member = |class: &&str| reason.strip_prefix(*class).filter(|member| !member.is_empty());
    ["FinishReason.", "StopReason."].iter().find_map(member).unwrap_or(reason)
}

/// `gen_ai.provider.name`.
pub static PROVIDER: &Table = &[
    ("openai", Some("openai")),
    ("text-completion-openai", Some("openai")),
    ("anthropic", Some("anthropic")),
    ("azure", Some("azure.ai.openai")),
    ("azure_openai", Some("azure.ai.openai")),
    ("azure.ai.openai", Some("azure.ai.openai")),
    ("az.ai.openai", Some("azure.ai.openai")),
    ("azure_text", Some("azure.ai.openai")),
    ("azure_ai", Some("azure.ai.inference")),
    ("azure.ai.inference", Some("azure.ai.inference")),
    ("az.ai.inference", Some("azure.ai.inference")),
    ("azure-ai-inference", Some("azure.ai.inference")),
    ("aws", Some("aws.bedrock")),
    ("aws bedrock", Some("aws.bedrock")),
    ("aws.bedrock", Some("aws.bedrock")),
    ("aws_bedrock", Some("aws.bedrock")),
    ("bedrock", Some("aws.bedrock")),
    ("bedrock_converse", Some("aws.bedrock")),
    ("google", Some("gcp.gen_ai")),
    ("gcp.gen_ai", Some("gcp.gen_ai")),
    ("gemini", Some("gcp.gemini")),
    ("gcp.gemini", Some("gcp.gemini")),
    ("vertexai", Some("gcp.vertex_ai")),
    ("vertex ai", Some("gcp.vertex_ai")),
    ("vertex_ai", Some("gcp.vertex_ai")),
    ("vertex_ai_beta", Some("gcp.vertex_ai")),
    ("vertex_ai-*", Some("gcp.vertex_ai")),
    ("gcp.vertex_ai", Some("gcp.vertex_ai")),
    ("cohere", Some("cohere")),
    ("cohere_chat", Some("cohere")),
    ("mistralai", Some("mistral_ai")),
    ("mistral", Some("mistral_ai")),
    ("mistral_ai", Some("mistral_ai")),
    ("codestral", Some("mistral_ai")),
    ("watsonx", Some("ibm.watsonx.ai")),
    ("watsonx_text", Some("ibm.watsonx.ai")),
    ("ibm.watsonx.ai", Some("ibm.watsonx.ai")),
    ("xai", Some("x_ai")),
    ("x_ai", Some("x_ai")),
    ("groq", Some("groq")),
    ("perplexity", Some("perplexity")),
    ("deepseek", Some("deepseek")),
    ("moonshot_ai", Some("moonshot_ai")),
    ("moonshot", Some("moonshot_ai")),
    ("ollama", Some("ollama")),
    ("ollama_chat", Some("ollama")),
    ("replicate", Some("replicate")),
    ("togetherai", Some("together_ai")),
    ("together", Some("together_ai")),
    ("together_ai", Some("together_ai")),
    ("alephalpha", Some("aleph_alpha")),
    ("aleph_alpha", Some("aleph_alpha")),
    ("huggingface", Some("hugging_face")),
    ("hugging_face", Some("hugging_face")),
    ("fireworks", Some("fireworks_ai")),
    ("fireworks_ai", Some("fireworks_ai")),
    ("openrouter", Some("openrouter")),
    ("hosted_vllm", Some("vllm")),
    ("vllm", Some("vllm")),
    ("azure-openai", Some("azure.ai.openai")),
    ("azureopenai", Some("azure.ai.openai")),
    ("amazon", Some("aws.bedrock")),
    ("amazon-bedrock", Some("aws.bedrock")),
    ("amazon_bedrock", Some("aws.bedrock")),
    ("google-gla", Some("gcp.gemini")),
    ("google_genai", Some("gcp.gemini")),
    ("google-genai", Some("gcp.gemini")),
    ("google.generative-ai*", Some("gcp.gemini")),
    ("google.ai.studio", Some("gcp.gemini")),
    ("generativelanguage", Some("gcp.gemini")),
    ("google-vertex", Some("gcp.vertex_ai")),
    ("google.vertex*", Some("gcp.vertex_ai")),
    ("google_vertexai", Some("gcp.vertex_ai")),
    ("x.ai", Some("x_ai")),
    ("grok", Some("x_ai")),
    ("watsonx_ai", Some("ibm.watsonx.ai")),
    ("ibm_watsonx", Some("ibm.watsonx.ai")),
    ("ibm.watson.ai", Some("ibm.watsonx.ai")),
    ("moonshotai", Some("moonshot_ai")),
    ("kimi", Some("moonshot_ai")),
    ("claude", Some("anthropic")),
    ("anthropic.messages", Some("anthropic")),
    ("openai.chat", Some("openai")),
    ("openai.responses", Some("openai")),
    ("openai.completion", Some("openai")),
    ("openai.embedding", Some("openai")),
    ("pplx", Some("perplexity")),
    // Frameworks and libraries between the application and a provider.
    ("langgraph", None),
    ("langchain core", None),
    ("haystack", None),
    ("crewai", None),
    ("autogen", None),
    ("ag2", None),
    ("strands-agents", None),
    ("strands_agents", None),
    ("spring_ai", None),
    ("gcp.vertex.agent", None),
    ("google_adk", None),
    ("pydantic_ai", None),
    ("openai_agents", None),
    ("claude_agent_sdk", None),
    ("vercel_ai", None),
    ("mastra", None),
    ("controlflow", None),
    ("dynamiq", None),
    ("phidata", None),
    ("agno", None),
    ("letta", None),
    ("mem0", None),
    ("embedchain", None),
    ("browser_use", None),
    ("mcp", None),
    ("langchain", None),
    ("llama_index", None),
    ("llamaindex", None),
    ("litellm", None),
    ("litellm_proxy", None),
    ("unknown", None),
    ("none", None),
    ("_OTHER", None),
    ("", None),
    ("null", None),
];

/// `gen_ai.token.type`. A total is neither.
pub static TOKEN_TYPE: &Table =
    &[("input", Some("input")), ("output", Some("output")), ("prompt", Some("input")), ("completion", Some("output"))];

/// `gen_ai.operation.name`. `rerank`, `image`, ... are custom operations and pass through.
pub static OPERATION: &Table = &[
    ("chat", Some("chat")),
    ("completion", Some("text_completion")),
    ("text_completion", Some("text_completion")),
    ("text.completion", Some("text_completion")),
    ("embedding", Some("embeddings")),
    ("embed", Some("embeddings")),
    ("embeddings", Some("embeddings")),
    ("agent", Some("invoke_agent")),
    ("tool", Some("execute_tool")),
    ("unknown", None),
    ("", None),
];

/// LiteLLM's call types, where `completion` is a chat. Others pass through.
pub static LITELLM_CALL_TYPE: &Table = &[
    ("completion", Some("chat")),
    ("acompletion", Some("chat")),
    ("responses", Some("chat")),
    ("aresponses", Some("chat")),
    ("anthropic_messages", Some("chat")),
    ("text_completion", Some("text_completion")),
    ("atext_completion", Some("text_completion")),
    ("embedding", Some("embeddings")),
    ("aembedding", Some("embeddings")),
    ("generate_content", Some("generate_content")),
    ("agenerate_content", Some("generate_content")),
    ("generate_content_stream", Some("generate_content")),
    ("agenerate_content_stream", Some("generate_content")),
    ("call_mcp_tool", Some("execute_tool")),
    ("rerank", Some("rerank")),
    ("arerank", Some("rerank")),
    ("vector_store_search", Some("retrieval")),
    ("avector_store_search", Some("retrieval")),
    ("chat", Some("chat")),
    ("unknown", None),
    ("none", None),
    ("", None),
];

/// `traceloop.span.kind` as an operation.
pub static TRACELOOP_KIND: &Table = &[
    ("workflow", Some("invoke_workflow")),
    ("agent", Some("invoke_agent")),
    ("tool", Some("execute_tool")),
    ("task", None),
    ("session", None),
    ("server", None),
    ("unknown", None),
];

/// `gen_ai.output.type`, from OpenAI's response formats.
pub static OUTPUT_TYPE: &Table = &[
    ("text", Some("text")),
    ("json_object", Some("json")),
    ("json_schema", Some("json")),
    ("json", Some("json")),
    ("", None),
];

/// A message's `finish_reason`; the attribute `gen_ai.response.finish_reasons` keeps the
/// provider's word.
pub static FINISH_REASON: &Table = &[
    ("stop", Some("stop")),
    ("end_of_turn", Some("stop")),
    ("end_of_message", Some("stop")),
    ("out_of_tokens", Some("length")),
    ("end_turn", Some("stop")),
    ("stop_sequence", Some("stop")),
    ("complete", Some("stop")),
    // Amazon Titan's.
    ("finish", Some("stop")),
    ("completed", Some("stop")),
    ("eos_token", Some("stop")),
    ("eos", Some("stop")),
    ("length", Some("length")),
    ("max_tokens", Some("length")),
    ("max_output_tokens", Some("length")),
    ("model_length", Some("length")),
    ("incomplete", Some("length")),
    ("content_filter", Some("content_filter")),
    ("content_filtered", Some("content_filter")),
    ("content-filter", Some("content_filter")),
    ("guardrail_intervened", Some("content_filter")),
    ("safety", Some("content_filter")),
    ("recitation", Some("content_filter")),
    ("refusal", Some("content_filter")),
    ("tool_call", Some("tool_call")),
    ("tool_calls", Some("tool_call")),
    ("tool-calls", Some("tool_call")),
    ("tool_use", Some("tool_call")),
    ("function_call", Some("tool_call")),
    ("error", Some("error")),
    ("failed", Some("error")),
    ("malformed_function_call", Some("error")),
    ("compaction", Some("compaction")),
    ("none", None),
    ("null", None),
    ("", None),
    ("model_context_window_exceeded", Some("length")),
    ("blocklist", Some("content_filter")),
    ("prohibited_content", Some("content_filter")),
    ("tool_execution", Some("tool_call")),
    // Strands' TypeScript SDK.
    ("endturn", Some("stop")),
    ("stopsequence", Some("stop")),
    ("tooluse", Some("tool_call")),
    ("maxtokens", Some("length")),
    ("limitoutputtokens", Some("length")),
    ("modelcontextwindowexceeded", Some("length")),
    ("contentfiltered", Some("content_filter")),
    ("guardrailintervened", Some("content_filter")),
];

/// A provider, from the host (and port) that was called.
pub static PROVIDER_HOST: [(&str, &str); 16] = [
    ("api.openai.com", "openai"),
    ("*.openai.azure.com", "azure.ai.openai"),
    ("*.services.ai.azure.com", "azure.ai.inference"),
    ("api.anthropic.com", "anthropic"),
    ("*aiplatform.googleapis.com", "gcp.vertex_ai"),
    ("generativelanguage.googleapis.com", "gcp.gemini"),
    ("bedrock-runtime.*.amazonaws.com", "aws.bedrock"),
    ("api.groq.com", "groq"),
    ("api.deepseek.com", "deepseek"),
    ("api.mistral.ai", "mistral_ai"),
    ("api.x.ai", "x_ai"),
    ("api.perplexity.ai", "perplexity"),
    ("api.cohere.com", "cohere"),
    ("api.moonshot.ai", "moonshot_ai"),
    ("openrouter.ai", "openrouter"),
    ("*:11434", "ollama"),
];

/// A provider, from how the model's name begins.
pub static PROVIDER_MODEL: [(&str, &str); 10] = [
    ("gpt-", "openai"),
    ("o1", "openai"),
    ("o3", "openai"),
    ("o4", "openai"),
    ("claude", "anthropic"),
    ("gemini", "gcp.gemini"),
    ("command", "cohere"),
    ("mistral", "mistral_ai"),
    ("grok", "x_ai"),
    ("deepseek", "deepseek"),
];

/// The provider behind a host, with its port where it is known.
pub fn provider_of_host(host: &str, port: Option<i64>) -> Option<&'static str> {
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    PROVIDER_HOST
        .iter()
        .find(|(pattern, _)| match pattern.split_once('*') {
            None => host.eq_ignore_ascii_case(pattern),
            Some(("", suffix)) if suffix.starts_with(':') => port == suffix,
            Some((prefix, suffix)) => {
                host.len() >= prefix.len() + suffix.len() && host.starts_with(prefix) && host.ends_with(suffix)
            }
        })
        .map(|(_, provider)| *provider)
}

/// The provider whose models are called so.
pub fn provider_of_model(model: &str) -> Option<&'static str> {
    PROVIDER_MODEL.iter().find(|(prefix, _)| model.starts_with(prefix)).map(|(_, provider)| *provider)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_compared_without_case_and_blanks() {
        assert_eq!(look(PROVIDER, " OpenAI "), Mapped::To("openai"));
        assert_eq!(look(PROVIDER, "vertex_ai-anthropic_models"), Mapped::To("gcp.vertex_ai"));
        assert_eq!(look(PROVIDER, "Langchain"), Mapped::Nothing);
        assert_eq!(look(PROVIDER, "in-house"), Mapped::Unknown);
        assert_eq!(look(LITELLM_CALL_TYPE, "completion"), Mapped::To("chat"));
        assert_eq!(look(OPERATION, "completion"), Mapped::To("text_completion"));
    }

    #[test]
    fn a_host_tells_the_provider() {
        assert_eq!(provider_of_host("api.openai.com", None), Some("openai"));
        assert_eq!(provider_of_host("me.openai.azure.com", Some(443)), Some("azure.ai.openai"));
        assert_eq!(provider_of_host("bedrock-runtime.eu-west-1.amazonaws.com", None), Some("aws.bedrock"));
        assert_eq!(provider_of_host("10.0.0.7", Some(11434)), Some("ollama"));
        assert_eq!(provider_of_host("10.0.0.7", Some(8080)), None);
        assert_eq!(provider_of_model("claude-3-5-sonnet"), Some("anthropic"));
    }
}
