//! Where dialects and conventions meet: a span is read into an [`Operation`], and the operation is
//! written back in the target's words.
//!
//! What stands under the target's own name in the target's own shape is never touched, so that a
//! second pass changes nothing. A legacy key goes only when all that it said is now said in the
//! target's words; every key that stays is counted with its reason.

use super::convention::{self, Convention, Names, is_model_call};
use super::dialect::{self, Action, Reason};
use super::field::{Field, Type};
use super::index::Index;
use super::job::{Guard, Job, SaidBy};
use super::operation::{Operation, Seen};
use super::passes::{Fates, PASSES};
use super::read::{About, Claim, From, Outcome, Reading, Recognised, Standing};
use super::settings::{Genai, Originals, Target};
use super::source::Source;
use super::tally::Tally;
use crate::otlp::id::SpanId;
use crate::otlp::span::{Kind, Span};
use crate::otlp::traces::Origin;

/// What only the other spans of a batch can answer. Asked rarely: once a bare key such as
/// `prompt_tokens` is met.
pub trait Batch {
    /// Whether a child of this span says token usage.
    fn children_have_usage(&mut self, span: SpanId) -> bool;
}

/// A batch of which nothing is known.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoBatch;

impl Batch for NoBatch {
    fn children_have_usage(&mut self, _: SpanId) -> bool {
        false
    }
}

/// A span that is an LLM, tool, agent or retrieval operation, after its translation.
#[derive(Debug, Clone, PartialEq)]
pub struct Translation {
    /// The dialect that won.
    pub dialect: &'static str,
    /// The target that the span was translated to.
    pub target: Target,
    /// `gen_ai.operation.name`, or what the emitter calls it where no target has a word for it
    /// (`guardrail`, `chain`); empty if nothing says.
    pub operation: String,
    /// Whether it is a call of a model: `chat`, `generate_content`, `text_completion`, `embeddings`.
    pub model_call: bool,
    /// Input tokens, cache reads and writes included.
    pub input_tokens: Option<i64>,
    /// Output tokens, reasoning included.
    pub output_tokens: Option<i64>,
    /// `error.type`.
    pub error_type: Option<String>,
}

/// Translates spans to one target.
#[derive(Debug)]
pub struct Translator {
    pub(super) index: Index,
    pub(super) convention: &'static Convention,
    pub(super) names: Names,
    pub(super) originals: Originals,
    /// Whether a span is to say how it was translated.
    pub(super) provenance: bool,
}

/// A span that was read and is ready to be written.
pub(super) struct Read<'s> {
    pub(super) recognised: Recognised,
    standing: Standing,
    /// See [`Job::is_renamed`].
    renamed: bool,
    pub(super) operation: Operation<'s>,
    pub(super) claims: Vec<Claim>,
    pub(super) said_by: SaidBy,
    /// See [`Job::told`].
    pub(super) told: Vec<(usize, Field)>,
    /// The new name, if the span gets one.
    pub(super) name: Option<String>,
    pub(super) kind: Option<Kind>,
}

impl Translator {
    /// A translator to the target that `settings` names. Mappings whose target attribute no
    /// convention knows, or whose key is the target's own, are left out; a configuration refuses
    /// them (see [`dialect::user::meaning`] and [`dialect::user::is_own`]).
    pub fn new(settings: &Genai) -> Translator {
        let convention = Convention::of(settings.target);
        let names = Names::of(convention);
        let user = dialect::user::rules(&settings.mappings, convention);
        Translator {
            index: Index::new(user, dialect::BUILT_IN).name(&names),
            convention,
            names,
            originals: settings.originals,
            provenance: settings.provenance,
        }
    }

    /// The target.
    pub fn target(&self) -> Target {
        self.convention.target
    }

    /// An empty tally of what becomes of keys.
    pub fn tally(&self) -> Tally {
        Tally::new(&self.index.dialects)
    }

    /// Translates a span in place. `None` for a span that is no LLM operation; it is not touched.
    pub fn translate(
        &self,
        span: &mut Span<'_>,
        origin: &Origin<'_>,
        batch: &mut dyn Batch,
        tally: &mut Tally,
    ) -> Option<Translation> {
        if !self.may_concern(span) {
            return None;
        }
        let mut fates = None;
        let mut translation = self.with_source(span, |source, span| {
            let read = self.read_span(source, span, origin, batch, false);
            for claim in read.as_ref().map_or_else(|claims| claims.as_slice(), |read| &read.claims) {
                if claim.outcome == Outcome::Kept(Reason::Unknown)
                    && let Some(key) = key_of(claim, source)
                {
                    tally.unmapped(origin.scope_name, key);
                }
            }
            let mut read = read.ok()?;
            self.write(&mut read, source, span);
            match self.is_unsettled(&read, source, span, origin) {
                true => fates = Some(Fates::new(&read.claims, source)),
                false => read.claims.iter().for_each(|claim| tally.count(claim)),
            }
            Some(self.translation(&read))
        })?;
        if let Some(mut fates) = fates {
            self.settle(span, origin, batch, &mut fates, &mut translation);
            fates.count(tally);
        }
        if !translation.operation.is_empty() {
            tally.operation(&translation.operation);
        }
        Some(translation)
    }

    /// Reads a span again until nothing more comes of it; the dialect that won first is named.
    #[cold]
    fn settle(
        &self,
        span: &mut Span<'_>,
        origin: &Origin<'_>,
        batch: &mut dyn Batch,
        fates: &mut Fates,
        translation: &mut Translation,
    ) {
        for _ in 1..PASSES {
            let again = self.with_source(span, |source, span| {
                let mut read = self.read_span(source, span, origin, batch, false).ok()?;
                self.write(&mut read, source, span);
                fates.update(&read.claims, source);
                *translation = Translation { dialect: translation.dialect, ..self.translation(&read) };
                Some(self.is_unsettled(&read, source, span, origin))
            });
            if again != Some(true) {
                return;
            }
        }
    }

    /// Whether a span would be read otherwise now that it is written.
    pub(super) fn is_unsettled(
        &self,
        read: &Read<'_>,
        source: &Source<'_>,
        span: &Span<'_>,
        origin: &Origin<'_>,
    ) -> bool {
        read.renamed || read.standing.is_unsettled(&self.index, source, span, origin)
    }

    /// Whether a span may be an LLM operation; `false` is certain and costs some tens of
    /// nanoseconds.
    #[inline]
    pub(super) fn may_concern(&self, span: &Span<'_>) -> bool {
        self.index.may_concern(span.source_key_bytes())
            || span.events().any(|(_, event)| self.index.knows_event(event.name))
    }

    /// Whether it is a call for embeddings, which has no messages.
    pub(super) fn is_embeddings(&self, read: &Read<'_>) -> bool {
        read.operation.text(Field::OperationName) == Some("embeddings")
    }

    /// Whether a key says token usage; for a [`Batch`].
    pub fn says_usage(&self, key: &str) -> bool {
        self.index.says(key, |action| {
            matches!(action, Action::Field(Field::UsageInputTokens | Field::UsageOutputTokens) | Action::Usage)
        })
    }

    /// Runs `work` with what the span says now: its source, or what earlier stages made of it.
    pub(super) fn with_source<T>(
        &self,
        span: &mut Span<'_>,
        work: impl FnOnce(&Source<'_>, &mut Span<'_>) -> Option<T>,
    ) -> Option<T> {
        let live: Vec<usize> = span.events().map(|(index, _)| index).collect();
        if !span.is_edited() {
            let source = Source::new(&self.index, span, live.into_iter(), true);
            return work(&source, span);
        }
        let mut bytes = Vec::new();
        span.write(&mut bytes);
        let mut copy = Span::new();
        // What was written from a valid span is valid.
        copy.parse(&bytes).ok()?;
        let source = Source::new(&self.index, &copy, live.into_iter(), false);
        work(&source, span)
    }

    /// Reads a span. If it is no LLM operation, its keys of the known prefixes are what there is to say.
    pub(super) fn read<'s>(
        &self,
        source: &'s Source<'s>,
        span: &Span<'_>,
        origin: &Origin<'_>,
        batch: &mut dyn Batch,
    ) -> Result<Read<'s>, Vec<Claim>> {
        self.read_span(source, span, origin, batch, true)
    }

    /// As [`Translator::read`]; `told` says whether somebody wants to know how clearly the dialect won, and which
    /// key said which field.
    pub(super) fn read_span<'s>(
        &self,
        source: &'s Source<'s>,
        span: &Span<'_>,
        origin: &Origin<'_>,
        batch: &mut dyn Batch,
        told: bool,
    ) -> Result<Read<'s>, Vec<Claim>> {
        let mut reading = Reading::new(&self.index, source, span.name(), origin, &self.names, told);
        let guard = match reading.has_guarded() {
            true => self.guard(&reading, source, span, batch),
            false => Guard::Closed,
        };
        if !reading.starts && guard != Guard::Open {
            return Err(reading.claims);
        }
        let mut job =
            Job::new(&self.index, self.convention, &self.names, source, span.name(), reading.standing.speakers);
        job.told = told.then(Vec::new);
        job.read(&mut reading, guard);
        // Quirks see it, for nothing may look otherwise to them once it stands under its name.
        job.infer_provider();
        if let Some(quirk) = reading.quirk(&self.index) {
            let seen = Seen {
                name: span.name(),
                kind: span.kind(),
                start_time_unix_nano: source.start_time_unix_nano,
                scope_name: origin.scope_name,
                attributes: source.own_attributes(),
            };
            quirk(&mut job.operation, &seen);
            // It may have found the model; a second pass would see that and say the provider then.
            job.infer_provider();
        }
        job.infer_operation();
        job.repair_counts(reading.counts(&self.index));
        job.operation.clear(Field::UsageTotalTokens);
        let is_by_nature = |claim: &Claim| {
            matches!(claim.outcome, Outcome::Kept(Reason::NoHome | Reason::Copy | Reason::SaysMore | Reason::Unknown))
        };
        if job.operation.named.is_none() && job.operation.says_nothing() && job.claims.iter().all(is_by_nature) {
            // Only keys that stay anyway: a task of a workflow, the copy of a raw request.
            return Err(job.claims);
        }
        job.infer_operation();
        job.infer_error(span);
        let embeddings = job.operation.text(Field::OperationName) == Some("embeddings");
        job.totals();
        // Embeddings have no output; several emitters write a zero.
        if embeddings
            && job.operation.int(Field::UsageOutputTokens) == Some(0)
            && !job.operation.is_current(Field::UsageOutputTokens)
        {
            job.operation.clear(Field::UsageOutputTokens);
            job.settle_field(Field::UsageOutputTokens, Outcome::Discarded(Reason::Empty), "embeddings have no output");
        }
        job.reconsider();
        let (name, kind) = match reading.named_by_emitter {
            true => name_and_kind(&job.operation, span.kind()),
            false => (None, None),
        };
        Ok(Read {
            recognised: reading.recognised,
            standing: reading.standing,
            renamed: job.is_renamed(),
            operation: job.operation,
            claims: job.claims,
            said_by: job.said_by,
            told: job.told.unwrap_or_default(),
            name,
            kind,
        })
    }

    /// A bare key counts with a model or its sibling, on a span that is not SERVER and none of whose
    /// children says usage (an estimate or a sum, then). A total or a usage object under a name that
    /// says what it is is a sibling: what follows from it will stand there as one.
    fn guard(&self, reading: &Reading<'_, '_>, source: &Source<'_>, span: &Span<'_>, batch: &mut dyn Batch) -> Guard {
        let says = |wanted: &[Field]| {
            reading.work.iter().any(
                |work| matches!(work.meaning.action, Action::Field(field) | Action::Copy(field) if wanted.contains(&field)),
            )
        };
        let model = says(&[Field::RequestModel, Field::ResponseModel]) || source.get("model").is_some();
        let (input, output) = (says(&[Field::UsageInputTokens]), says(&[Field::UsageOutputTokens]));
        let known =
            |is: fn(Action) -> bool| reading.work.iter().any(|work| !work.meaning.guarded && is(work.meaning.action));
        let siblings = (input && output)
            || ((input || output) && known(|action| matches!(action, Action::Total)))
            || known(|action| matches!(action, Action::Usage));
        match () {
            () if span.kind() == Kind::Server => Guard::Closed,
            () if span.span_id().is_some_and(|id| batch.children_have_usage(id)) => Guard::Closed,
            () if model || siblings => Guard::Open,
            () => Guard::Model,
        }
    }

    pub(super) fn name(&self, field: Field, operation: Option<&str>) -> Option<(&'static str, Type)> {
        self.names.beside(field, operation)
    }

    pub(super) fn translation(&self, read: &Read<'_>) -> Translation {
        let operation = &read.operation;
        Translation {
            dialect: self.index.dialects.get(usize::from(read.recognised.winner)).copied().unwrap_or_default(),
            target: self.convention.target,
            operation: operation
                .text(Field::OperationName)
                .or(operation.named.as_deref())
                .unwrap_or_default()
                .to_owned(),
            model_call: operation.text(Field::OperationName).is_some_and(is_model_call),
            input_tokens: operation.int(Field::UsageInputTokens),
            output_tokens: operation.int(Field::UsageOutputTokens),
            error_type: operation.text(Field::ErrorType).map(str::to_owned),
        }
    }

    /// The attribute that says what a claim is about, if the target has one.
    pub(super) fn attribute_of(&self, about: About, operation: &Operation<'_>) -> Option<&'static str> {
        match about {
            About::Field(field) => {
                self.name(field, operation.text(Field::OperationName)).map(|(attribute, _)| attribute)
            }
            About::List(list) => Some(super::write::list_name(list)),
            _ => None,
        }
    }
}

pub(super) fn key_of<'k>(claim: &Claim, source: &Source<'k>) -> Option<&'k str> {
    match claim.from {
        From::Attribute(number) => source.attributes.get(number).map(|(key, _)| *key),
        From::Event(_) => None,
    }
}

/// The convention's name and kind, of a span that has the name that its emitter gave it. A SERVER span is
/// the server's own.
fn name_and_kind(operation: &Operation<'_>, kind: Kind) -> (Option<String>, Option<Kind>) {
    if !matches!(kind, Kind::Internal | Kind::Client | Kind::Unspecified) {
        return (None, None);
    }
    match convention::name_and_kind(operation) {
        Some((name, wanted)) => (Some(name), wanted.filter(|_| kind != Kind::Client)),
        None => (None, None),
    }
}
