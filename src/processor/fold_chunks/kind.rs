//! What a chunk is: the spans and span events that emitters write once for every piece of a stream.
//!
//! A kind is a row or two here; what becomes of them is in [`super`]. Events that come once for a stream
//! (`First Token Stream Event`, `ai.stream.firstChunk`, `stream.end`) are none.

use crate::otlp::span::{Event, Kind as SpanKind, Span, StatusCode};

/// A kind of chunks, which can be switched on and off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// What an ASGI server sends: a span a message.
    AsgiSend,
    /// What it receives.
    AsgiReceive,
    /// OpenLLMetry's events, which are empty.
    Openllmetry,
    /// Langtrace's events, with the text of each piece.
    Langtrace,
    /// MLflow's events, with each piece as JSON.
    Mlflow,
    /// Mastra's spans, with the text of each part of an answer.
    Mastra,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 6] =
        [Kind::AsgiSend, Kind::AsgiReceive, Kind::Openllmetry, Kind::Langtrace, Kind::Mlflow, Kind::Mastra];

    /// As in a configuration and in the self-metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::AsgiSend => "asgi_send",
            Kind::AsgiReceive => "asgi_receive",
            Kind::Openllmetry => "openllmetry",
            Kind::Langtrace => "langtrace",
            Kind::Mlflow => "mlflow",
            Kind::Mastra => "mastra",
        }
    }

    /// Whether it is folded if nothing is said. What Mastra's chunks hold is repeated on another span, if
    /// at all, and a chunk by itself does not show whether.
    pub const fn is_default(self) -> bool {
        !matches!(self, Kind::Mastra)
    }
}

/// A set of kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kinds(u8);

impl Kinds {
    /// These kinds.
    pub fn new(kinds: impl IntoIterator<Item = Kind>) -> Kinds {
        Kinds(kinds.into_iter().fold(0, |set, kind| set | 1 << kind as u8))
    }

    /// Whether a kind is one of them.
    pub fn has(self, kind: Kind) -> bool {
        self.0 & 1 << kind as u8 != 0
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl Default for Kinds {
    fn default() -> Self {
        Kinds::new(Kind::ALL.into_iter().filter(|kind| kind.is_default()))
    }
}

/// What a chunk span is counted as on its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CountedAs {
    /// A piece of the response.
    Response,
    /// A piece of the request.
    Request,
    /// Nothing: it says that there is no more.
    Nothing,
}

/// Spans by the attribute that tells them.
struct SpanRule {
    kind: Kind,
    key: &'static str,
    value: &'static str,
    counted: CountedAs,
}

const fn asgi(kind: Kind, value: &'static str, counted: CountedAs) -> SpanRule {
    SpanRule { kind, key: "asgi.event.type", value, counted }
}

/// The messages of ASGI that come any number of times. Those that come once stay: `http.response.start`
/// has the status code and says when the headers went out, and the `websocket.*` ones of a connection's
/// begin and end say when that was.
const SPANS: &[SpanRule] = &[
    asgi(Kind::AsgiSend, "http.response.body", CountedAs::Response),
    asgi(Kind::AsgiSend, "websocket.send", CountedAs::Response),
    asgi(Kind::AsgiSend, "http.response.trailers", CountedAs::Nothing),
    asgi(Kind::AsgiReceive, "http.request", CountedAs::Request),
    asgi(Kind::AsgiReceive, "websocket.receive", CountedAs::Request),
    // What waited for the client to go, as it does after every response.
    asgi(Kind::AsgiReceive, "http.disconnect", CountedAs::Nothing),
    SpanRule { kind: Kind::Mastra, key: "mastra.span.type", value: "model_chunk", counted: CountedAs::Response },
];

/// The kind of a span that is a chunk and nothing more: one that failed, or has events or links of its
/// own, has something to say.
pub(super) fn of_span(span: &Span<'_>, kinds: Kinds) -> Option<(Kind, CountedAs)> {
    if span.kind() != SpanKind::Internal {
        return None;
    }
    let mut last = "";
    for rule in SPANS.iter().filter(|rule| kinds.has(rule.kind)) {
        // One look for all rules of a key.
        if rule.key == last {
            continue;
        }
        last = rule.key;
        let Some(value) = span.get(rule.key) else { continue };
        let said = value.as_str()?;
        let rule = SPANS.iter().find(|of| of.key == last && of.value == said && kinds.has(of.kind))?;
        let is_plain = span.status_code() != StatusCode::Error && span.events().next().is_none() && !span.has_links();
        return is_plain.then_some((rule.kind, rule.counted));
    }
    None
}

/// Events by their names.
pub(super) struct EventRule {
    pub(super) kind: Kind,
    /// `name*` stands for all that begin so.
    name: &'static str,
    /// Attributes of the span that say what all its chunks say together.
    whole: &'static [&'static str],
    /// An event that says it.
    whole_event: Option<&'static str>,
}

const EVENTS: &[EventRule] = &[
    EventRule { kind: Kind::Openllmetry, name: "llm.content.completion.chunk", whole: &[], whole_event: None },
    EventRule { kind: Kind::Openllmetry, name: "gen_ai.content.completion.chunk", whole: &[], whole_event: None },
    EventRule {
        kind: Kind::Langtrace,
        name: "gen_ai.completion.chunk",
        whole: &[],
        whole_event: Some("gen_ai.content.completion"),
    },
    EventRule { kind: Kind::Mlflow, name: "mlflow.chunk.item.*", whole: &["mlflow.spanOutputs"], whole_event: None },
];

/// Says it in the conventions' words, for every kind.
const MESSAGES: &str = "gen_ai.output.messages";

/// The rule of an event that is a chunk.
pub(super) fn of_event(event: &Event<'_>, kinds: Kinds) -> Option<&'static EventRule> {
    EVENTS.iter().find(|rule| {
        kinds.has(rule.kind)
            && match rule.name.strip_suffix('*') {
                Some(prefix) => event.name.starts_with(prefix),
                None => event.name == rule.name,
            }
    })
}

impl EventRule {
    /// Whether a span says elsewhere what its chunks say. A stream that broke has its last words in them.
    pub(super) fn is_said_by(&self, span: &Span<'_>) -> bool {
        span.status_code() != StatusCode::Error
            && (span.has(MESSAGES)
                || self.whole.iter().any(|key| span.has(key))
                || self.whole_event.is_some_and(|name| span.events().any(|(_, event)| event.name == name)))
    }
}
