//! The scalar facts that can be said of an operation, each with the type in which it is held.
//!
//! A dialect is a table from its keys to these fields; a convention is a table from these fields
//! to its attribute names. Messages and other structured content are in [`super::message`].

/// How a field's value is held and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// UTF-8 text.
    Str,
    /// A 64-bit integer.
    Int,
    /// A 64-bit float.
    Double,
    /// A boolean.
    Bool,
    /// A list of strings.
    Strings,
}

macro_rules! fields {
    ($($(#[doc = $doc:literal])* $name:ident: $type:ident,)*) => {
        /// A scalar fact about an operation.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Field {
            $($(#[doc = $doc])* $name,)*
        }

        impl Field {
            /// All fields, in the order of their declaration.
            pub const ALL: &'static [Field] = &[$(Field::$name,)*];

            /// The type of the field's value.
            pub const fn value_type(self) -> Type {
                match self {
                    $(Field::$name => Type::$type,)*
                }
            }
        }
    };
}

fields! {
    /// `chat`, `text_completion`, `embeddings`, `execute_tool`, ...
    OperationName: Str,
    /// The provider as the client knows it: `openai`, `aws.bedrock`, ...
    ProviderName: Str,
    /// The model that was asked for.
    RequestModel: Str,
    /// The most tokens that the model may generate.
    RequestMaxTokens: Int,
    /// Sampling temperature.
    RequestTemperature: Double,
    /// Nucleus sampling.
    RequestTopP: Double,
    /// Top-k sampling; an integer in the newer target.
    RequestTopK: Double,
    /// Frequency penalty.
    RequestFrequencyPenalty: Double,
    /// Presence penalty.
    RequestPresencePenalty: Double,
    /// Sequences that end the generation.
    RequestStopSequences: Strings,
    /// Seed.
    RequestSeed: Int,
    /// How many choices were asked for; said only when not 1.
    RequestChoiceCount: Int,
    /// Whether the answer was streamed.
    RequestStream: Bool,
    /// Encoding formats asked for (embeddings).
    RequestEncodingFormats: Strings,
    /// Reasoning effort asked for.
    RequestReasoningLevel: Str,
    /// `text`, `json`, `image`, `speech`.
    OutputType: Str,
    /// The provider's id of the answer.
    ResponseId: Str,
    /// The model that answered.
    ResponseModel: Str,
    /// Why generation ended, in the provider's words, a choice each.
    ResponseFinishReasons: Strings,
    /// Seconds to the first chunk of a stream.
    ResponseTimeToFirstChunk: Double,
    /// Input tokens, cache reads and writes included.
    UsageInputTokens: Int,
    /// Output tokens, reasoning included.
    UsageOutputTokens: Int,
    /// Input tokens read from the provider's cache; part of the input tokens.
    UsageCacheReadInputTokens: Int,
    /// Input tokens written to the provider's cache; part of the input tokens.
    UsageCacheWriteInputTokens: Int,
    /// Reasoning tokens; part of the output tokens.
    UsageReasoningOutputTokens: Int,
    /// Total as an emitter says it; no target has a word for it.
    UsageTotalTokens: Int,
    /// Text tokens among the input.
    UsageTextInputTokens: Int,
    /// Image tokens among the input.
    UsageImageInputTokens: Int,
    /// Audio tokens among the input.
    UsageAudioInputTokens: Int,
    /// Text tokens among the output.
    UsageTextOutputTokens: Int,
    /// Image tokens among the output.
    UsageImageOutputTokens: Int,
    /// Audio tokens among the output.
    UsageAudioOutputTokens: Int,
    /// Text tokens among those read from the cache.
    UsageTextCacheReadInputTokens: Int,
    /// Image tokens among those read from the cache.
    UsageImageCacheReadInputTokens: Int,
    /// Audio tokens among those read from the cache.
    UsageAudioCacheReadInputTokens: Int,
    /// The input tokens as the emitter reported them, where they were repaired; a name of ours.
    UsageReportedInputTokens: Int,
    /// The output tokens as the emitter reported them, where they were repaired; a name of ours.
    UsageReportedOutputTokens: Int,
    /// Whether the token counts are the emitter's estimate and not the provider's numbers; a name of
    /// ours.
    UsageEstimated: Bool,
    /// The id of the response that the request goes on from.
    RequestPreviousResponseId: Str,
    /// A conversation's or session's id.
    ConversationId: Str,
    /// The id of the user on whose behalf it was asked.
    UserId: Str,
    /// An agent's id.
    AgentId: Str,
    /// An agent's name.
    AgentName: Str,
    /// An agent's description.
    AgentDescription: Str,
    /// An agent's version.
    AgentVersion: Str,
    /// A workflow's name.
    WorkflowName: Str,
    /// A tool's name.
    ToolName: Str,
    /// A tool's description.
    ToolDescription: Str,
    /// `function`, `extension`, `datastore`.
    ToolType: Str,
    /// A tool call's id.
    ToolCallId: Str,
    /// A tool call's arguments, as JSON text.
    ToolCallArguments: Str,
    /// A tool call's result, as JSON text.
    ToolCallResult: Str,
    /// A data source's id.
    DataSourceId: Str,
    /// The query of a retrieval.
    RetrievalQueryText: Str,
    /// The id of a memory store.
    MemoryStoreId: Str,
    /// The id of a memory record.
    MemoryRecordId: Str,
    /// How many memory records were found or written.
    MemoryRecordCount: Int,
    /// The query of a search in memory.
    MemoryQueryText: Str,
    /// `tools/call`, `tools/list`, ...
    McpMethodName: Str,
    /// An MCP session's id.
    McpSessionId: Str,
    /// The version of MCP that is spoken.
    McpProtocolVersion: Str,
    /// The resource that was read.
    McpResourceUri: Str,
    /// The request's id, as text.
    JsonrpcRequestId: Str,
    /// The code of a JSON-RPC error.
    RpcResponseStatusCode: Str,
    /// `pipe`, `tcp`, ...
    NetworkTransport: Str,
    /// Dimensions of an embedding.
    EmbeddingsDimensionCount: Int,
    /// A prompt template's name.
    PromptName: Str,
    /// A prompt template's version.
    PromptVersion: Str,
    /// What kind of error ended the operation.
    ErrorType: Str,
    /// The host that was called.
    ServerAddress: Str,
    /// The port that was called.
    ServerPort: Int,
    /// `chat_completions`, `responses`.
    OpenaiApiType: Str,
    /// OpenAI's service tier, as asked for.
    OpenaiRequestServiceTier: Str,
    /// OpenAI's service tier, as answered.
    OpenaiResponseServiceTier: Str,
    /// OpenAI's system fingerprint.
    OpenaiResponseSystemFingerprint: Str,
    /// Azure's resource provider, such as `Microsoft.CognitiveServices`.
    AzureResourceProviderNamespace: Str,
    /// Azure's id of the request.
    AzureServiceRequestId: Str,
}

/// A set of fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Fields(u128);

const _: () = assert!(Field::ALL.len() <= 128, "a set of fields is 128 bits");

impl Fields {
    #[inline]
    pub(super) fn add(&mut self, field: Field) {
        self.0 |= 1 << field as u32;
    }

    #[inline]
    pub(super) fn remove(&mut self, field: Field) {
        self.0 &= !(1 << field as u32);
    }

    #[inline]
    pub(super) fn has(self, field: Field) -> bool {
        self.0 & 1 << field as u32 != 0
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those that are in either.
    pub(super) fn or(self, other: Fields) -> Fields {
        Fields(self.0 | other.0)
    }

    /// All of them, in the order of [`Field::ALL`].
    pub(super) fn iter(self) -> impl Iterator<Item = Field> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let field = Field::ALL.get(left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(*field)
        })
    }
}
