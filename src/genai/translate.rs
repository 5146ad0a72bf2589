//! Where dialects and conventions meet: a span is read into an [`Operation`], and the operation is
//! written back in the target's words.
//!
//! What stands under the target's own name in the target's own shape is never touched, so that a
//! second pass changes nothing. A legacy key goes only when all that it said is now said in the
//! target's words; every key that stays is counted with its reason.

use super::coerce::{Coerced, coerce, is_of, written};
use super::content::{write_messages, write_parts, write_tool_definitions};
use super::convention::{Convention, INPUT_MESSAGES, Name, OUTPUT_MESSAGES, SYSTEM_INSTRUCTIONS, TOOL_DEFINITIONS};
use super::dialect::{self, Action, Reason};
use super::field::{Field, Type};
use super::index::Index;
use super::job::Job;
use super::operation::{Content, Operation, Scalar, Seen};
use super::passes::{Fates, PASSES};
use super::read::{About, Claim, From, ListOf, Outcome, Reading, Recognised, Source, Standing};
use super::settings::{Genai, Originals, Target};
use super::tally::Tally;
use crate::otlp::id::SpanId;
use crate::otlp::span::{Kind, Span};
use crate::otlp::traces::Origin;
use crate::otlp::value::Value;

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
    /// The convention's names by field, so that none is searched for.
    names: Vec<Option<(&'static str, Type)>>,
    pub(super) originals: Originals,
}

/// A span that was read and is ready to be written.
pub(super) struct Read<'s> {
    pub(super) recognised: Recognised,
    standing: Standing,
    pub(super) operation: Operation<'s>,
    pub(super) claims: Vec<Claim>,
    pub(super) said_by: [Option<usize>; Field::ALL.len()],
    /// The new name, if the span gets one.
    name: Option<String>,
    kind: Option<Kind>,
}

impl Translator {
    /// A translator to the target that `settings` names. Mappings whose target attribute no
    /// convention knows, or whose key is the target's own, are left out; a configuration refuses
    /// them (see [`dialect::user::meaning`] and [`dialect::user::is_own`]).
    pub fn new(settings: &Genai) -> Translator {
        let convention = Convention::of(settings.target);
        Translator {
            index: Index::new(dialect::user::rules(&settings.mappings, convention), dialect::BUILT_IN),
            convention,
            names: Field::ALL.iter().map(|field| convention.name(*field)).collect(),
            originals: settings.originals,
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
            let mut read = self.read(source, span, origin, batch)?;
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
                let mut read = self.read(source, span, origin, batch)?;
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
        read.standing.is_unsettled(&self.index, source, span, origin)
    }

    /// Whether a span may be an LLM operation; `false` is certain and costs some tens of
    /// nanoseconds.
    #[inline]
    pub(super) fn may_concern(&self, span: &Span<'_>) -> bool {
        self.index.may_concern(span.source_keys()) || span.events().any(|(_, event)| self.index.knows_event(event.name))
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
            let source = Source::new(&self.index, span, live.into_iter());
            return work(&source, span);
        }
        let mut bytes = Vec::new();
        span.write(&mut bytes);
        let mut copy = Span::new();
        // What was written from a valid span is valid.
        copy.parse(&bytes).ok()?;
        let source = Source::new(&self.index, &copy, live.into_iter());
        work(&source, span)
    }

    // --- reading -------------------------------------------------------------------------------

    /// Reads a span; `None` if it is no LLM operation.
    pub(super) fn read<'s>(
        &self,
        source: &'s Source<'s>,
        span: &Span<'_>,
        origin: &Origin<'_>,
        batch: &mut dyn Batch,
    ) -> Option<Read<'s>> {
        let mut reading =
            Reading::new(&self.index, source, span.name(), origin, |field, key| self.is_name_of(field, key));
        let guarded = reading.has_guarded() && self.guard(&reading, source, span, batch);
        if !reading.starts && !guarded {
            return None;
        }
        let mut job = Job::new(&self.index, self.convention, source, reading.standing.speakers);
        job.read(&mut reading, guarded);
        // Quirks see it, for nothing may look otherwise to them once it stands under its name.
        job.infer_provider();
        if let Some(quirk) = reading.quirk(&self.index) {
            let seen = Seen {
                name: span.name(),
                kind: span.kind(),
                scope_name: origin.scope_name,
                attributes: &source.attributes,
            };
            quirk(&mut job.operation, &seen);
        }
        job.operation.clear(Field::UsageTotalTokens);
        let is_by_nature = |claim: &Claim| {
            matches!(claim.outcome, Outcome::Kept(Reason::NoHome | Reason::Copy | Reason::SaysMore | Reason::Unknown))
        };
        if job.operation.says_nothing() && job.claims.iter().all(is_by_nature) {
            // Only keys that stay anyway: a task of a workflow, the copy of a raw request.
            return None;
        }
        job.infer_operation();
        let embeddings = job.operation.text(Field::OperationName) == Some("embeddings");
        job.totals(embeddings);
        // Embeddings have no output; several emitters write a zero.
        if embeddings
            && job.operation.int(Field::UsageOutputTokens) == Some(0)
            && !job.operation.is_current(Field::UsageOutputTokens)
        {
            job.operation.clear(Field::UsageOutputTokens);
            job.settle_field(Field::UsageOutputTokens, Outcome::Discarded(Reason::Empty), "embeddings have no output");
        }
        job.reconsider();
        let (name, kind) = name_and_kind(&job.operation, reading.named_by_emitter, span);
        Some(Read {
            recognised: reading.recognised,
            standing: reading.standing,
            operation: job.operation,
            claims: job.claims,
            said_by: job.said_by,
            name,
            kind,
        })
    }

    /// A bare key counts with a model or its sibling, on a span that is not SERVER and none of whose
    /// children says usage (an estimate or a sum, then). A total or a usage object under a name that
    /// says what it is is a sibling: what follows from it will stand there as one.
    fn guard(&self, reading: &Reading<'_, '_>, source: &Source<'_>, span: &Span<'_>, batch: &mut dyn Batch) -> bool {
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
        span.kind() != Kind::Server
            && (model || siblings)
            && !span.span_id().is_some_and(|id| batch.children_have_usage(id))
    }

    fn name(&self, field: Field, operation: Option<&str>) -> Option<(&'static str, Type)> {
        let refined = self.convention.refined.iter().find(|(of, name)| Some(*of) == operation && name.field == field);
        match refined {
            Some((_, Name { attribute, written, .. })) => attribute.map(|attribute| (attribute, *written)),
            None => self.names.get(field as usize).copied().flatten(),
        }
    }

    fn is_name_of(&self, field: Field, key: &str) -> bool {
        self.names.get(field as usize).copied().flatten().is_some_and(|(name, _)| name == key)
            || self.convention.refined.iter().any(|(_, name)| name.field == field && name.attribute == Some(key))
    }

    // --- writing -------------------------------------------------------------------------------

    pub(super) fn write(&self, read: &mut Read<'_>, source: &Source<'_>, span: &mut Span<'_>) {
        self.write_fields(read, source, span);
        self.write_lists(read, source, span);
        if let Some(name) = &read.name {
            span.set_name(name);
        }
        if let Some(kind) = read.kind {
            span.set_kind(kind);
        }
        if self.originals == Originals::Replace {
            self.remove_originals(read, source, span);
        }
    }

    fn write_fields(&self, read: &mut Read<'_>, source: &Source<'_>, span: &mut Span<'_>) {
        let operation_name = read.operation.text(Field::OperationName).map(str::to_owned);
        let claimed = Fields::expressed(&read.claims);
        for &field in Field::ALL {
            if read.operation.get(field).is_none() && !claimed.has(field) {
                continue;
            }
            let Some(fact) = read.operation.get(field) else {
                // A quirk forgot it.
                settle(&mut read.claims, field, Reason::NoHome, "the dialect takes it for something else; it stays");
                continue;
            };
            let Some((attribute, kind)) = self.name(field, operation_name.as_deref()) else {
                settle(&mut read.claims, field, Reason::NoHome, "the target has no word for it; it stays");
                continue;
            };
            let existing = source.get(attribute);
            if let Some(value) = existing
                && is_of(kind, value)
                && matches!(coerce(field, value), Coerced::Value(value) if value == *fact)
            {
                stands(&mut read.claims, source, attribute, true);
                continue;
            }
            if existing.is_none() && self.says_by_absence(field, fact) && !is_contested(&read.claims, field) {
                continue;
            }
            let value = written(fact, kind);
            match self.renamed_from(field, &read.said_by, &read.claims, source, &value) {
                Some(from) if existing.is_none() => {
                    span.rename(from, attribute);
                }
                _ => span.set(attribute, value),
            }
            stands(&mut read.claims, source, attribute, false);
        }
    }

    /// Facts that the target says by leaving the attribute out, unless a key that stays says
    /// otherwise and would be taken for it.
    fn says_by_absence(&self, field: Field, fact: &Scalar<'_>) -> bool {
        match (field, fact) {
            (Field::RequestStream, Scalar::Bool(false)) => !self.convention.says_not_streaming,
            (Field::RequestChoiceCount, Scalar::Int(1)) => true,
            _ => false,
        }
    }

    /// The key that may simply be renamed: it said the fact, in the written type, and goes anyway.
    fn renamed_from<'k>(
        &self,
        field: Field,
        said_by: &[Option<usize>; Field::ALL.len()],
        claims: &[Claim],
        source: &Source<'k>,
        value: &Value<'_>,
    ) -> Option<&'k str> {
        if self.originals == Originals::Keep {
            return None;
        }
        let claim = claims.get((*said_by.get(field as usize)?)?)?;
        let From::Attribute(number) = claim.from else { return None };
        let (key, existing) = source.attributes.get(number)?;
        let goes = matches!(claim.outcome, Outcome::Expressed(Reason::None)) && !self.is_name_of(field, key);
        (goes && existing == value).then_some(*key)
    }

    fn write_lists(&self, read: &mut Read<'_>, source: &Source<'_>, span: &mut Span<'_>) {
        let mut text = String::new();
        let operation = &read.operation;
        if let Content::Read(messages) = &operation.input {
            write_messages(messages, false, &mut text);
            set_text(span, source, INPUT_MESSAGES, &mut text);
        }
        if let Content::Read(messages) = &operation.output {
            write_messages(messages, self.convention.finish_reason_in_messages, &mut text);
            set_text(span, source, OUTPUT_MESSAGES, &mut text);
        }
        if let Content::Read(parts) = &operation.instructions {
            write_parts(parts, &mut text);
            set_text(span, source, SYSTEM_INSTRUCTIONS, &mut text);
        }
        if let Content::Read(tools) = &operation.tools {
            write_tool_definitions(tools, &mut text);
            set_text(span, source, TOOL_DEFINITIONS, &mut text);
        }
        for list in [ListOf::Input, ListOf::Output, ListOf::Instructions, ListOf::Tools] {
            if is_read(operation, list) {
                displaced(&mut read.claims, source, list_name(list));
            }
            if is_absent(operation, list) {
                for claim in &mut read.claims {
                    if claim.about == About::List(list)
                        && matches!(claim.outcome, Outcome::Open | Outcome::Expressed(_))
                    {
                        claim.outcome = Outcome::Kept(Reason::Shape);
                        claim.rule = "the dialect takes it for something else; it stays";
                    }
                }
            }
        }
    }

    fn remove_originals(&self, read: &Read<'_>, source: &Source<'_>, span: &mut Span<'_>) {
        let operation_name = read.operation.text(Field::OperationName);
        let kept: Vec<&str> = read
            .claims
            .iter()
            .filter(|claim| matches!(claim.outcome, Outcome::Kept(_) | Outcome::Open))
            .filter_map(|claim| key_of(claim, source))
            .collect();
        let kept = Keys::new(kept);
        for claim in &read.claims {
            if !matches!(claim.outcome, Outcome::Expressed(Reason::None) | Outcome::Discarded(_)) {
                continue;
            }
            match claim.from {
                From::Event(number) => {
                    if let Some(event) = source.events.get(number) {
                        span.remove_event(event.index);
                    }
                }
                From::Attribute(_) => {
                    let Some(key) = key_of(claim, source) else { continue };
                    if !kept.has(key) && !self.is_live(key, claim.about, &read.operation, operation_name) {
                        span.remove(key);
                    }
                }
            }
        }
    }

    /// Whether the key is the target's own name of something that the span now says.
    fn is_live(&self, key: &str, about: About, operation: &Operation<'_>, operation_name: Option<&str>) -> bool {
        match about {
            About::Field(field) => {
                operation.get(field).is_some()
                    && self.name(field, operation_name).is_some_and(|(attribute, _)| attribute == key)
            }
            About::List(list) => key == list_name(list) && !is_absent(operation, list),
            _ => false,
        }
    }

    pub(super) fn translation(&self, read: &Read<'_>) -> Translation {
        let operation = &read.operation;
        Translation {
            dialect: self.index.dialects.get(usize::from(read.recognised.winner)).copied().unwrap_or_default(),
            target: self.convention.target,
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
            About::List(list) => Some(list_name(list)),
            _ => None,
        }
    }
}

/// The convention's name and kind, where the span has the name that its emitter gave it.
fn name_and_kind(operation: &Operation<'_>, named_by_emitter: bool, span: &Span<'_>) -> (Option<String>, Option<Kind>) {
    let Some(name) = operation.text(Field::OperationName).filter(|name| is_model_call(name)) else {
        return (None, None);
    };
    if !named_by_emitter || !matches!(span.kind(), Kind::Internal | Kind::Client | Kind::Unspecified) {
        return (None, None);
    }
    let name = match operation.text(Field::RequestModel) {
        Some(model) => format!("{name} {model}"),
        None => name.to_owned(),
    };
    (Some(name), (span.kind() == Kind::Internal).then_some(Kind::Client))
}

/// Operations whose spans are called after the model.
fn is_model_call(operation: &str) -> bool {
    matches!(operation, "chat" | "generate_content" | "text_completion" | "embeddings")
}

fn list_name(list: ListOf) -> &'static str {
    match list {
        ListOf::Input => INPUT_MESSAGES,
        ListOf::Output => OUTPUT_MESSAGES,
        ListOf::Instructions => SYSTEM_INSTRUCTIONS,
        ListOf::Tools => TOOL_DEFINITIONS,
    }
}

fn is_absent(operation: &Operation<'_>, list: ListOf) -> bool {
    match list {
        ListOf::Input => operation.input.is_absent(),
        ListOf::Output => operation.output.is_absent(),
        ListOf::Instructions => operation.instructions.is_absent(),
        ListOf::Tools => operation.tools.is_absent(),
    }
}

fn is_read(operation: &Operation<'_>, list: ListOf) -> bool {
    match list {
        ListOf::Input => operation.input.read().is_some(),
        ListOf::Output => operation.output.read().is_some(),
        ListOf::Instructions => operation.instructions.read().is_some(),
        ListOf::Tools => operation.tools.read().is_some(),
    }
}

fn set_text(span: &mut Span<'_>, source: &Source<'_>, attribute: &str, text: &mut String) {
    let same = source.get(attribute).and_then(Value::as_str) == Some(text.as_str());
    if !same {
        span.set(attribute, text.as_str());
    }
    text.clear();
}

/// Claims of a field that is not written after all.
fn settle(claims: &mut [Claim], field: Field, reason: Reason, rule: &'static str) {
    for claim in claims {
        if claim.about == About::Field(field) && matches!(claim.outcome, Outcome::Expressed(_)) {
            claim.outcome = Outcome::Kept(reason);
            claim.rule = rule;
        }
    }
}

/// Whether a key that stays says something else of a field.
fn is_contested(claims: &[Claim], field: Field) -> bool {
    let other = Outcome::Kept(Reason::Conflict);
    claims.iter().any(|claim| claim.about == About::Field(field) && claim.outcome == other)
}

/// The claim of the target's own attribute: it stands as it came, or it was written anew.
fn stands(claims: &mut [Claim], source: &Source<'_>, attribute: &str, as_it_came: bool) {
    if !as_it_came {
        displaced(claims, source, attribute);
    }
    let claim = claims.iter_mut().find(|claim| key_of(claim, source) == Some(attribute));
    let Some(claim) = claim else { return };
    match (as_it_came, claim.outcome) {
        (true, Outcome::Expressed(_)) => {
            claim.outcome = Outcome::Expressed(Reason::Current);
            claim.rule = "already in the target's words";
        }
        (false, Outcome::Expressed(_)) => claim.rule = "repaired in place",
        _ => {}
    }
}

/// The claim of the target's own attribute, whose value was none and made way.
fn displaced(claims: &mut [Claim], source: &Source<'_>, attribute: &str) {
    let claim = claims.iter_mut().find(|claim| key_of(claim, source) == Some(attribute));
    if let Some(claim) = claim
        && let Outcome::Kept(reason) = claim.outcome
    {
        claim.outcome = Outcome::Discarded(reason);
        claim.rule = "a valid value took the place of one that was none";
    }
}

pub(super) fn key_of<'k>(claim: &Claim, source: &Source<'k>) -> Option<&'k str> {
    match claim.from {
        From::Attribute(number) => source.attributes.get(number).map(|(key, _)| *key),
        From::Event(_) => None,
    }
}

/// A set of fields.
#[derive(Clone, Copy)]
struct Fields(u64);

const _: () = assert!(Field::ALL.len() <= 64, "a set of fields is 64 bits");

impl Fields {
    /// The fields that claims express.
    fn expressed(claims: &[Claim]) -> Fields {
        Fields(claims.iter().fold(0, |set, claim| match (claim.about, claim.outcome) {
            (About::Field(field), Outcome::Expressed(_)) => set | 1 << field as u64,
            _ => set,
        }))
    }

    fn has(self, field: Field) -> bool {
        self.0 & 1 << field as u64 != 0
    }
}

/// A set of keys; small ones are searched, for hashing them costs more.
enum Keys<'k> {
    Few(Vec<&'k str>),
    Many(std::collections::HashSet<&'k str, foldhash::fast::RandomState>),
}

impl<'k> Keys<'k> {
    fn new(keys: Vec<&'k str>) -> Keys<'k> {
        match keys.len() {
            0..=32 => Keys::Few(keys),
            _ => Keys::Many(keys.into_iter().collect()),
        }
    }

    fn has(&self, key: &str) -> bool {
        match self {
            Keys::Few(keys) => keys.contains(&key),
            Keys::Many(keys) => keys.contains(key),
        }
    }
}
