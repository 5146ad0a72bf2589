//! The stage that translates: every span that is an LLM operation, and every log record that is an
//! event of one, is put into the target's words.
//!
//! The meaning is in [`crate::genai`]; here are the pass over a batch and the counts of what became
//! of keys.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::join::{Joining, Room};
use super::settings::Genai as Settings;
use crate::genai::log::{Became, Records};
use crate::genai::translate::{Batch, Translation, Translator};
use crate::genai::{Capped, Tally, settings::Target};
use crate::metrics::own::Counter;
use crate::otlp::id::{SpanId, TraceId};
use crate::otlp::log_record::LogRecord;
use crate::otlp::span::{Span, StatusCode};
use crate::otlp::traces::{Origin, Visitor, edit};
use crate::pipeline::{CallNote, Context, Pass, Stage};

/// See the module's documentation.
#[derive(Debug)]
pub struct Genai {
    translator: Translator,
    /// In the order of [`Tally::counts`].
    counts: Arc<[AtomicU64]>,
    named: Mutex<Named>,
    /// Log records that other records of their calls carry now.
    folded: Counter,
    /// Where spans and the log records with their content wait for each other.
    room: Option<Arc<Room>>,
}

/// Counts by names that emitters write.
#[derive(Debug, Clone, Default)]
pub struct Named {
    /// `dragoman_genai_operations_total`: by the operation's name.
    pub operations: Capped<String>,
    /// `dragoman_unmapped_keys_total`: by scope and key.
    pub unmapped: Capped<(String, String)>,
}

impl Genai {
    /// The stage that `settings` describe.
    pub fn new(settings: &Settings) -> Genai {
        let translator = Translator::new(settings);
        let counts = translator.tally().counts().iter().map(|_| AtomicU64::new(0)).collect();
        Genai { translator, counts, named: Mutex::default(), folded: Counter::default(), room: None }
    }

    /// Operations and unknown keys of all accepted batches.
    pub fn named(&self) -> Named {
        self.named.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The target.
    pub fn target(&self) -> Target {
        self.translator.target()
    }

    /// Counts log records there that are dropped because another record says all that they said.
    pub fn counting_folded(mut self, folded: Counter) -> Genai {
        self.folded = folded;
        self
    }

    /// Lets spans and log records wait for each other there.
    pub fn joining(mut self, room: Arc<Room>) -> Genai {
        self.room = Some(room);
        self
    }

    fn begin(&self) -> GenaiPass<'_> {
        GenaiPass {
            stage: self,
            tally: self.translator.tally(),
            parents: None,
            records: None,
            folded: 0,
            joining: None,
        }
    }

    /// `dragoman_genai_keys_total`: dialect, outcome (`expressed`, `kept`, `discarded`), reason, and
    /// how many keys and events, of all accepted batches.
    pub fn key_counts(&self) -> Vec<(&'static str, &'static str, &'static str, u64)> {
        let tally = self.translator.tally();
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        counts
            .enumerate()
            .filter(|(_, count)| *count > 0)
            .map(|(place, count)| {
                let (dialect, outcome, reason) = tally.labels(place);
                (dialect, outcome, reason, count)
            })
            .collect()
    }
}

impl Stage for Genai {
    fn pass(&self) -> Box<dyn Pass + Send + '_> {
        Box::new(GenaiPass { joining: self.room.as_deref().map(Joining::new), ..self.begin() })
    }

    fn pass_released(&self) -> Box<dyn Pass + Send + '_> {
        Box::new(self.begin())
    }
}

struct GenaiPass<'s> {
    stage: &'s Genai,
    tally: Tally,
    /// Parents of the batch's spans with usage; made when first asked for.
    parents: Option<HashSet<(TraceId, SpanId)>>,
    /// Begun with the first log record.
    records: Option<Records<'s>>,
    folded: u64,
    joining: Option<Joining<'s>>,
}

impl Pass for GenaiPass<'_> {
    fn span(&mut self, span: &mut Span<'_>, context: &mut Context<'_, '_>) {
        let trace = span.trace_id();
        let translator = &self.stage.translator;
        let mut batch = WholeBatch { translator, body: context.body, trace, parents: &mut self.parents };
        if let Some(joining) = &mut self.joining
            && translator.lacks_content(span, context.origin, &mut batch)
            && joining.span(span, context.origin)
        {
            return;
        }
        let translated = translator.translate(span, context.origin, &mut batch, &mut self.tally);
        if let Some(translation) = translated
            && translation.model_call
        {
            context.call = Some(note(translation, span));
        }
    }

    fn log_record(&mut self, record: &mut LogRecord<'_>, context: &mut Context<'_, '_>) {
        let translator = &self.stage.translator;
        let joining = &mut self.joining;
        let records = self.records.get_or_insert_with(|| {
            let mut records = Records::new(translator);
            // Which records wait is decided for all of them at once: what is said by the others
            // together follows from it.
            if let Some(joining) = joining {
                records.leave_out(joining.logs(translator, context.body));
            }
            records
        });
        if records.leaves_out(record) {
            record.drop_record();
            return;
        }
        let became = records.translate(record, context.origin, context.body, &mut self.tally);
        self.folded += u64::from(became == Became::Folded);
    }

    fn held(&self) -> usize {
        self.joining.as_ref().map_or(0, Joining::held)
    }

    fn drop_reason(&self) -> &'static str {
        "folded"
    }

    fn commit(self: Box<Self>) {
        self.stage.folded.add(self.folded);
        for (total, count) in self.stage.counts.iter().zip(self.tally.counts()) {
            if *count > 0 {
                total.fetch_add(*count, Ordering::Relaxed);
            }
        }
        let mut named = self.stage.named.lock().unwrap_or_else(PoisonError::into_inner);
        named.operations.append(self.tally.operations);
        named.unmapped.append(self.tally.unmapped);
        drop(named);
        if let Some(joining) = self.joining {
            joining.commit();
        }
    }
}

fn note(translation: Translation, span: &Span<'_>) -> CallNote {
    let failed = (span.status_code() == StatusCode::Error).then(|| "error".to_owned());
    CallNote {
        name: span.name().to_owned(),
        input_tokens: translation.input_tokens,
        output_tokens: translation.output_tokens,
        duration_nano: span.end_time_unix_nano().saturating_sub(span.start_time_unix_nano()),
        dialect: translation.dialect,
        target: translation.target.name(),
        error: translation.error_type.or(failed),
    }
}

/// The whole request, looked through at most once, and only for bare keys.
pub(crate) struct WholeBatch<'p> {
    /// Knows which keys say usage.
    pub(crate) translator: &'p Translator,
    /// The request as it came.
    pub(crate) body: &'p Bytes,
    /// The trace of the span that asks.
    pub(crate) trace: Option<TraceId>,
    /// Parents of the request's spans with usage; made when first asked for.
    pub(crate) parents: &'p mut Option<HashSet<(TraceId, SpanId)>>,
}

impl Batch for WholeBatch<'_> {
    fn children_have_usage(&mut self, span: SpanId) -> bool {
        let parents = self.parents.get_or_insert_with(|| parents_of_usage(self.translator, self.body));
        self.trace.is_some_and(|trace| parents.contains(&(trace, span)))
    }
}

fn parents_of_usage(translator: &Translator, body: &Bytes) -> HashSet<(TraceId, SpanId)> {
    struct Look<'t> {
        translator: &'t Translator,
        parents: HashSet<(TraceId, SpanId)>,
    }
    impl Visitor for Look<'_> {
        fn span(&mut self, span: &mut Span<'_>, _: &Origin<'_>) {
            if let (Some(trace), Some(parent)) = (span.trace_id(), span.parent_span_id())
                && span.source_keys().any(|key| self.translator.says_usage(key))
            {
                self.parents.insert((trace, parent));
            }
        }
    }
    let mut look = Look { translator, parents: HashSet::new() };
    match edit(body, &mut look) {
        Ok(_) => look.parents,
        // The pass itself will meet the same error, and refuse the request.
        Err(_) => HashSet::new(),
    }
}
