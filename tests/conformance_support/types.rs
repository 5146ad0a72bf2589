//! The types of the targets' attributes that are no content.

/// The type of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    Text,
    Int,
    Double,
    Number,
    Flag,
    Texts,
}

/// The type of a current attribute that is no content.
pub fn type_of(key: &str) -> Option<Type> {
    Some(match key {
        "gen_ai.operation.name"
        | "gen_ai.provider.name"
        | "gen_ai.request.model"
        | "gen_ai.response.model"
        | "gen_ai.response.id"
        | "gen_ai.conversation.id"
        | "gen_ai.output.type"
        | "gen_ai.agent.id"
        | "gen_ai.agent.name"
        | "gen_ai.agent.description"
        | "gen_ai.agent.version"
        | "gen_ai.tool.name"
        | "gen_ai.tool.type"
        | "gen_ai.tool.description"
        | "gen_ai.tool.call.id"
        | "gen_ai.workflow.name"
        | "gen_ai.data_source.id"
        | "gen_ai.prompt.name"
        | "gen_ai.prompt.version"
        | "gen_ai.retrieval.query.text"
        | "gen_ai.request.reasoning.level"
        | "openai.api.type"
        | "openai.request.service_tier"
        | "openai.response.service_tier"
        | "openai.response.system_fingerprint"
        | "error.type"
        | "mcp.method.name"
        | "mcp.session.id"
        | "server.address" => Type::Text,
        "gen_ai.request.max_tokens"
        | "gen_ai.request.seed"
        | "gen_ai.request.choice.count"
        | "gen_ai.retrieval.top_k"
        | "gen_ai.embeddings.dimension.count"
        | "server.port" => Type::Int,
        "gen_ai.request.temperature"
        | "gen_ai.request.top_p"
        | "gen_ai.request.frequency_penalty"
        | "gen_ai.request.presence_penalty"
        | "gen_ai.response.time_to_first_chunk" => Type::Double,
        "gen_ai.request.top_k" => Type::Number,
        "gen_ai.request.stream" => Type::Flag,
        "gen_ai.response.finish_reasons" | "gen_ai.request.stop_sequences" | "gen_ai.request.encoding_formats" => {
            Type::Texts
        }
        "gen_ai.usage.input_tokens"
        | "gen_ai.usage.output_tokens"
        | "gen_ai.usage.cache_read.input_tokens"
        | "gen_ai.usage.cache_creation.input_tokens"
        | "gen_ai.usage.cache_write.input_tokens"
        | "gen_ai.usage.reasoning.output_tokens"
        | "gen_ai.usage.audio.input_tokens"
        | "gen_ai.usage.audio.output_tokens" => Type::Int,
        _ => return None,
    })
}
