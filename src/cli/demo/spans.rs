//! Spans as the demo compares them: what was sent and what the backend got.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::Value as Json;

use super::tokens::Tokens;
use crate::otlp::id::{SpanId, TraceId};
use crate::otlp::represent::json;
use crate::otlp::span::Span;
use crate::otlp::traces::{Origin, Visitor, edit};

/// Trace and span id.
pub(super) type Key = (TraceId, SpanId);

/// A span, whole.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) key: Key,
    pub(super) parent: Option<SpanId>,
    pub(super) name: String,
    pub(super) kind: &'static str,
    pub(super) attributes: BTreeMap<String, Json>,
}

impl Seen {
    /// Usage in the conventions' words.
    pub(super) fn tokens(&self) -> Tokens {
        let of = |key: &str| self.attributes.get(key).and_then(Json::as_u64).unwrap_or_default();
        Tokens { input: of("gen_ai.usage.input_tokens"), output: of("gen_ai.usage.output_tokens") }
    }

    /// The database that the span is a statement of.
    pub(super) fn database(&self) -> Option<&str> {
        ["db.system.name", "db.system"].iter().find_map(|key| self.attributes.get(*key)?.as_str())
    }
}

/// Every span of a request that has ids.
pub(super) fn spans(body: &Bytes) -> Result<Vec<Seen>, String> {
    struct Look(Vec<Seen>);
    impl Visitor for Look {
        fn span(&mut self, span: &mut Span<'_>, _: &Origin<'_>) {
            let (Some(trace), Some(id)) = (span.trace_id(), span.span_id()) else { return };
            self.0.push(Seen {
                key: (trace, id),
                parent: span.parent_span_id(),
                name: span.name().to_owned(),
                kind: span.kind().name(),
                attributes: span.attributes().map(|(key, value)| (key.to_owned(), json(&value.parse()))).collect(),
            });
        }
    }
    let mut look = Look(Vec::new());
    edit(body, &mut look).map_err(|error| error.to_string())?;
    Ok(look.0)
}
