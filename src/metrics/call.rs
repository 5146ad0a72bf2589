//! What the ledger and the histograms need to know of one LLM operation: read from a span that is
//! already in a target's words, whoever wrote them.

use std::hash::BuildHasher;

use foldhash::quality::FixedState;

use crate::otlp::span::{Kind, Span, StatusCode};
use crate::otlp::traces::Origin;
use crate::otlp::value::Value;
use crate::otlp::{SpanId, TraceId};

/// Token counts as the conventions mean them: input includes cache reads and writes, output
/// includes reasoning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// `gen_ai.usage.input_tokens`.
    pub input: Option<u64>,
    /// `gen_ai.usage.output_tokens`.
    pub output: Option<u64>,
    /// `gen_ai.usage.cache_read.input_tokens`.
    pub cache_read: Option<u64>,
    /// `gen_ai.usage.cache_creation.input_tokens` (1.41), `gen_ai.usage.cache_write.input_tokens` (main).
    pub cache_write: Option<u64>,
    /// `gen_ai.usage.reasoning.output_tokens`.
    pub reasoning: Option<u64>,
    /// `dragoman.usage.estimated`: the numbers are the emitter's guess.
    pub estimated: bool,
}

/// One LLM operation, as a span in a target's words tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The trace, if its id is valid.
    pub trace_id: Option<TraceId>,
    /// The span, if its id is valid.
    pub span_id: Option<SpanId>,
    /// The span's parent; `None` for a root.
    pub parent_span_id: Option<SpanId>,
    /// The span's kind.
    pub kind: Kind,
    /// `service.name` of the resource; empty if not said.
    pub service: String,
    /// `gen_ai.operation.name`.
    pub operation: String,
    /// `gen_ai.provider.name`; empty if not said.
    pub provider: String,
    /// `gen_ai.request.model`; empty if not said.
    pub request_model: String,
    /// `gen_ai.response.model`; empty if not said.
    pub response_model: String,
    /// `gen_ai.response.id`; empty if not said.
    pub response_id: String,
    /// `server.address`; empty if not said.
    pub server_address: String,
    /// `server.port`.
    pub server_port: Option<u16>,
    /// `error.type`, or `_OTHER` for status ERROR without one; `None` for a success.
    pub error_type: Option<String>,
    /// Tokens.
    pub usage: Usage,
    /// Nanoseconds since the epoch.
    pub start_time_unix_nano: u64,
    /// Nanoseconds since the epoch.
    pub end_time_unix_nano: u64,
    /// `gen_ai.response.time_to_first_chunk`, seconds.
    pub time_to_first_chunk: Option<f64>,
    /// A hash of what was asked and answered, and of the scope that says it: another instrumentation's
    /// report of equal messages is no repetition by itself. Zero unless the span carries both. Equal within
    /// one process for equal messages.
    pub content: u64,
}

#[cfg(test)]
impl Call {
    /// A chat with gpt-4o by the service `shop`, of which nothing else is known.
    pub(crate) fn sample() -> Call {
        Call {
            trace_id: None,
            span_id: None,
            parent_span_id: None,
            kind: Kind::Client,
            service: "shop".into(),
            operation: "chat".into(),
            provider: "openai".into(),
            request_model: "gpt-4o".into(),
            response_model: String::new(),
            response_id: String::new(),
            server_address: String::new(),
            server_port: None,
            error_type: None,
            usage: Usage::default(),
            start_time_unix_nano: 0,
            end_time_unix_nano: 0,
            time_to_first_chunk: None,
            content: 0,
        }
    }
}

impl Call {
    /// Reads a span that is in the words of either target. `None` if it is no GenAI operation.
    ///
    /// Numbers of another type, or below zero, are read as not said: repairing them is the
    /// translation's work.
    pub fn read(span: &Span<'_>, origin: &Origin<'_>) -> Option<Call> {
        let operation = text(span.get("gen_ai.operation.name")?)?;
        let mut call = Call {
            trace_id: span.trace_id(),
            span_id: span.span_id(),
            parent_span_id: span.parent_span_id(),
            kind: span.kind(),
            service: origin.resource.get("service.name").and_then(text).unwrap_or_default(),
            operation,
            provider: String::new(),
            request_model: String::new(),
            response_model: String::new(),
            response_id: String::new(),
            server_address: String::new(),
            server_port: None,
            error_type: None,
            usage: Usage::default(),
            start_time_unix_nano: span.start_time_unix_nano(),
            end_time_unix_nano: span.end_time_unix_nano(),
            time_to_first_chunk: None,
            content: 0,
        };
        let (mut asked, mut answered) = (0, 0);
        for (key, value) in span.attribute_bytes() {
            let text = || text(value.parse()).unwrap_or_default();
            let count = || value.parse().as_int().and_then(|count| u64::try_from(count).ok());
            match key {
                b"gen_ai.provider.name" => call.provider = text(),
                b"gen_ai.request.model" => call.request_model = text(),
                b"gen_ai.response.model" => call.response_model = text(),
                b"gen_ai.response.id" => call.response_id = text(),
                b"gen_ai.response.time_to_first_chunk" => {
                    call.time_to_first_chunk = match value.parse() {
                        Value::Double(seconds) if seconds.is_finite() && seconds >= 0.0 => Some(seconds),
                        _ => None,
                    };
                }
                b"gen_ai.usage.input_tokens" => call.usage.input = count(),
                b"gen_ai.usage.output_tokens" => call.usage.output = count(),
                b"gen_ai.usage.cache_read.input_tokens" => call.usage.cache_read = count(),
                b"gen_ai.usage.cache_creation.input_tokens" | b"gen_ai.usage.cache_write.input_tokens" => {
                    call.usage.cache_write = count();
                }
                b"gen_ai.usage.reasoning.output_tokens" => call.usage.reasoning = count(),
                b"dragoman.usage.estimated" => call.usage.estimated = value.parse() == Value::Bool(true),
                b"gen_ai.input.messages" => asked = content(value.as_bytes()),
                b"gen_ai.output.messages" => answered = content(value.as_bytes()),
                b"server.address" => call.server_address = text(),
                b"server.port" => call.server_port = count().and_then(|port| u16::try_from(port).ok()),
                b"error.type" => call.error_type = Some(text()).filter(|error| !error.is_empty()),
                _ => {}
            }
        }
        if asked != 0 && answered != 0 {
            let scope = content(origin.scope_name.as_bytes());
            call.content = content(&[asked, answered, scope].map(u64::to_le_bytes).concat());
        }
        if call.error_type.is_none() && span.status_code() == StatusCode::Error {
            call.error_type = Some("_OTHER".to_owned());
        }
        Some(call)
    }

    /// Whether a model was called: inference or embeddings. Everything else, custom names included,
    /// repeats the usage of calls at best.
    pub fn is_model_call(&self) -> bool {
        MODEL_CALLS.contains(&self.operation.as_str())
    }

    /// Whether an agent or a tool ran: work of the application's own, in which models may be asked for what
    /// no answer around it can hold.
    pub fn is_own_work(&self) -> bool {
        OWN_WORK.contains(&self.operation.as_str())
    }

    /// Whether `gen_ai.client.operation.duration` is specified for the operation: for model calls,
    /// and for what else a client asks of a provider. Agents, workflows and tools in the process
    /// have metrics of their own.
    pub fn is_timed(&self) -> bool {
        self.is_model_call() || self.kind == Kind::Client && CLIENT_OPERATIONS.contains(&self.operation.as_str())
    }

    /// The tokens that count. `None` if no usage is said, or an estimate: some emitters write zeros for
    /// what they were not told. Embeddings have input only, whatever their span says.
    pub fn billed(&self) -> Option<Usage> {
        let output = self.usage.output.filter(|_| self.operation != "embeddings");
        let said = !self.usage.estimated && (self.usage.input.unwrap_or(0) > 0 || output.unwrap_or(0) > 0);
        said.then_some(Usage { output, ..self.usage })
    }
}

impl Usage {
    /// Whether counts are said that are all zero: an adapter wrote them where the provider sent nothing
    /// (watsonx in Llama Stack).
    pub fn is_zero(&self) -> bool {
        let counts = [self.input, self.output];
        counts.iter().any(Option::is_some) && counts.iter().flatten().all(|count| *count == 0)
    }
}

fn content(bytes: &[u8]) -> u64 {
    FixedState::with_seed(0).hash_one(bytes).max(1)
}

/// See [`Call::is_own_work`].
const OWN_WORK: [&str; 2] = ["invoke_agent", "execute_tool"];

/// `gen_ai.operation.name` of inference and embeddings.
const MODEL_CALLS: [&str; 4] = ["chat", "generate_content", "text_completion", "embeddings"];

/// Other operations of `gen_ai.client.operation.duration` in the conventions.
const CLIENT_OPERATIONS: [&str; 10] = [
    "create_agent",
    "invoke_agent",
    "retrieval",
    "create_memory_store",
    "delete_memory_store",
    "search_memory",
    "create_memory",
    "update_memory",
    "upsert_memory",
    "delete_memory",
];

fn text(value: Value<'_>) -> Option<String> {
    match value {
        Value::Str(text) => Some(text.into_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::traces::{Visitor, edit};
    use crate::otlp::value::put_key_value;
    use crate::otlp::wire::{put_bytes, put_uint};

    /// A request of one span with these attributes and this status code.
    fn read(attributes: &[(&str, Value<'_>)], status: u64) -> Option<Call> {
        read_in("", attributes, status)
    }

    /// The same, in a scope of this name.
    fn read_in(scope: &str, attributes: &[(&str, Value<'_>)], status: u64) -> Option<Call> {
        #[derive(Default)]
        struct Reader(Option<Call>);
        impl Visitor for Reader {
            fn span(&mut self, span: &mut Span<'_>, origin: &Origin<'_>) {
                self.0 = Call::read(span, origin);
            }
        }
        let encoded = |value: &Value<'_>| {
            let mut bytes = Vec::new();
            value.encode(&mut bytes);
            bytes
        };
        let nested = |number, content: &[u8]| {
            let mut bytes = Vec::new();
            put_bytes(&mut bytes, number, content);
            bytes
        };
        let mut span = Vec::new();
        put_bytes(&mut span, 1, &[1; 16]);
        put_bytes(&mut span, 2, &[2; 8]);
        put_bytes(&mut span, 4, &[3; 8]);
        put_uint(&mut span, 6, 3);
        for (key, value) in attributes {
            put_key_value(&mut span, 9, key, &encoded(value));
        }
        let mut code = Vec::new();
        put_uint(&mut code, 3, status);
        put_bytes(&mut span, 15, &code);
        let mut resource = Vec::new();
        put_key_value(&mut resource, 1, "service.name", &encoded(&"shop".into()));
        let mut spans = nested(1, &resource);
        spans.extend(nested(2, &[nested(1, &nested(1, scope.as_bytes())), nested(2, &span)].concat()));
        let mut reader = Reader::default();
        edit(&nested(1, &spans).into(), &mut reader).unwrap();
        reader.0
    }

    #[test]
    fn reads_the_words_of_both_targets() {
        let said: [(&str, Value<'_>); 13] = [
            ("gen_ai.operation.name", "chat".into()),
            ("gen_ai.provider.name", "anthropic".into()),
            ("gen_ai.request.model", "claude-sonnet-4".into()),
            ("gen_ai.response.model", "claude-sonnet-4-20250514".into()),
            ("gen_ai.response.id", "msg_01".into()),
            ("gen_ai.response.time_to_first_chunk", 0.25.into()),
            ("gen_ai.usage.input_tokens", 2196.into()),
            ("gen_ai.usage.output_tokens", 10.into()),
            ("gen_ai.usage.cache_read.input_tokens", 2048.into()),
            ("gen_ai.usage.reasoning.output_tokens", 4.into()),
            ("server.address", "api.anthropic.com".into()),
            ("server.port", 443.into()),
            ("error.type", "timeout".into()),
        ];
        for cache_write in ["gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_write.input_tokens"] {
            let mut attributes = said.to_vec();
            attributes.push((cache_write, 128.into()));
            let call = read(&attributes, 2).unwrap();
            assert_eq!(call.service, "shop");
            assert_eq!((call.trace_id, call.span_id), (Some(TraceId([1; 16])), Some(SpanId([2; 8]))));
            assert_eq!((call.parent_span_id, call.kind), (Some(SpanId([3; 8])), Kind::Client));
            assert_eq!((&*call.operation, &*call.provider), ("chat", "anthropic"));
            assert_eq!((&*call.request_model, &*call.response_model), ("claude-sonnet-4", "claude-sonnet-4-20250514"));
            assert_eq!((&*call.response_id, call.time_to_first_chunk), ("msg_01", Some(0.25)));
            assert_eq!((&*call.server_address, call.server_port), ("api.anthropic.com", Some(443)));
            assert_eq!(call.error_type.as_deref(), Some("timeout"));
            let usage = Usage {
                input: Some(2196),
                output: Some(10),
                cache_read: Some(2048),
                cache_write: Some(128),
                reasoning: Some(4),
                estimated: false,
            };
            assert_eq!(call.usage, usage);
        }
    }

    /// A cache gives an answer again to the instrumentation that saw it before.
    #[test]
    fn content_is_equal_for_equal_messages_of_one_scope() {
        let of = |scope: &str, asked: &'static str, answered: &'static str| {
            let said = [
                ("gen_ai.operation.name", "chat".into()),
                ("gen_ai.input.messages", asked.into()),
                ("gen_ai.output.messages", answered.into()),
            ];
            read_in(scope, &said, 0).unwrap().content
        };
        let first = of("langchain", "Hi", "Hello");
        assert_eq!(of("langchain", "Hi", "Hello"), first);
        for other in [of("openai", "Hi", "Hello"), of("langchain", "Hi?", "Hello"), of("langchain", "Hi", "Hello!")] {
            assert_ne!(other, first);
        }
    }

    #[test]
    fn a_span_without_an_operation_is_none() {
        assert_eq!(
            read(&[("gen_ai.request.model", "gpt-4o".into()), ("gen_ai.usage.input_tokens", 5.into())], 0),
            None
        );
        assert_eq!(read(&[("gen_ai.operation.name", 5.into())], 0), None);
    }

    #[test]
    fn what_cannot_be_a_count_is_not_said() {
        let call = read(
            &[
                ("gen_ai.operation.name", "chat".into()),
                ("gen_ai.usage.input_tokens", (-1).into()),
                ("gen_ai.usage.output_tokens", "12".into()),
                ("gen_ai.response.time_to_first_chunk", f64::NAN.into()),
                ("server.port", 70_000.into()),
            ],
            0,
        )
        .unwrap();
        assert_eq!((call.usage, call.billed()), (Usage::default(), None));
        assert_eq!((call.time_to_first_chunk, call.server_port, call.error_type), (None, None, None));
    }

    #[test]
    fn a_failure_without_a_type_is_other() {
        let error = |status| read(&[("gen_ai.operation.name", "chat".into())], status).unwrap().error_type;
        assert_eq!(error(2).as_deref(), Some("_OTHER"));
        assert_eq!(error(1), None);
    }
}
