//! The writing half of a translation: an operation's facts and lists become attributes, and what was
//! said by legacy keys goes. Reading is in [`super::job`], the whole in [`super::translate`].

use std::borrow::Cow;
use std::collections::HashSet;

use super::coerce::{says, written};
use super::content::{write_documents, write_messages, write_parts, write_tool_definitions};
use super::convention::{
    INPUT_MESSAGES, OUTPUT_MESSAGES, PROMPT_VARIABLE, RETRIEVAL_DOCUMENTS, SYSTEM_INSTRUCTIONS, TOOL_DEFINITIONS,
};
use super::dialect::Reason;
use super::field::{Field, Fields, Type};
use super::job::{SaidBy, merge_parts};
use super::operation::{Content, Operation, Scalar};
use super::read::{About, Claim, From, ListOf, Outcome};
use super::settings::Originals;
use super::source::Source;
use super::translate::{Read, Translator, key_of};
use crate::otlp::span::Span;
use crate::otlp::value::Value;

/// Attributes of ours that say how a span was translated.
const PROVENANCE_DIALECT: &str = "dragoman.dialect";
const PROVENANCE_TARGET: &str = "dragoman.target";
const PROVENANCE_KEPT: &str = "dragoman.keys_not_expressed";
/// Keys that are named at most.
const MAX_PROVENANCE_KEYS: usize = 64;

impl Translator {
    pub(super) fn write(&self, read: &mut Read<'_>, source: &Source<'_>, span: &mut Span<'_>) {
        keep_contradicted(&mut read.claims, source);
        self.write_fields(read, source, span);
        self.write_lists(read, source, span);
        self.write_variables(read, source, span);
        merge_parts(&mut read.claims);
        if self.provenance {
            self.write_provenance(read, source, span);
        }
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
        let Read { operation, claims, said_by, .. } = read;
        let operation_name = operation.text(Field::OperationName);
        for field in operation.said().or(expressed(claims)).iter() {
            let Some(fact) = operation.get(field) else {
                // A quirk forgot it.
                settle(claims, field, Reason::NoHome, "the dialect takes it for something else; it stays");
                continue;
            };
            let Some((attribute, kind)) = self.name(field, operation_name) else {
                settle(claims, field, Reason::NoHome, "the target has no word for it; it stays");
                continue;
            };
            let existing = source.get(attribute);
            if existing.is_some_and(|value| says(field, kind, value, fact)) {
                stands(claims, source, attribute, true);
                continue;
            }
            if existing.is_none() && self.says_by_absence(field, fact) && !is_contested(claims, field) {
                continue;
            }
            let value = written(fact, kind);
            match self.renamed_from(field, said_by, claims, source, &value) {
                Some((number, from)) if existing.is_none() => {
                    span.rename_placed(source.place(number), from, attribute);
                }
                _ => span.set(attribute, value),
            }
            stands(claims, source, attribute, false);
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
        said_by: &SaidBy,
        claims: &[Claim],
        source: &Source<'k>,
        value: &Value<'_>,
    ) -> Option<(usize, &'k str)> {
        if self.originals == Originals::Keep {
            return None;
        }
        let claim = claims.get(said_by.get(field)?)?;
        let From::Attribute(number) = claim.from else { return None };
        if claim.part || !source.is_own(number) {
            return None;
        }
        let (key, existing) = source.attributes.get(number)?;
        let goes = matches!(claim.outcome, Outcome::Expressed(Reason::None))
            && !self.names.is_name_of(field, key)
            && !source.is_recoded(key);
        (goes && existing == value).then_some((number, *key))
    }

    fn write_lists(&self, read: &mut Read<'_>, source: &Source<'_>, span: &mut Span<'_>) {
        // What was said is written once more, as a rule; growing step by step would copy it.
        let length = span.source().len();
        let operation = &read.operation;
        let mut set = |attribute, write: &dyn Fn(&mut String)| {
            span.set_text(attribute, |text| {
                text.reserve(length);
                write(text);
            });
        };
        if let Content::Read(messages) = &operation.input {
            set(INPUT_MESSAGES, &|text| write_messages(messages, false, text));
        }
        if let Content::Read(messages) = &operation.output {
            let finish_reason = self.convention.finish_reason_in_messages;
            set(OUTPUT_MESSAGES, &|text| write_messages(messages, finish_reason, text));
        }
        if let Content::Read(parts) = &operation.instructions {
            set(SYSTEM_INSTRUCTIONS, &|text| write_parts(parts, text));
        }
        if let Content::Read(tools) = &operation.tools {
            set(TOOL_DEFINITIONS, &|text| write_tool_definitions(tools, text));
        }
        if let Content::Read(documents) = &operation.documents {
            set(RETRIEVAL_DOCUMENTS, &|text| write_documents(documents, text));
        }
        for list in ListOf::ALL {
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

    fn write_variables(&self, read: &mut Read<'_>, source: &Source<'_>, span: &mut Span<'_>) {
        let mut whole = true;
        for (name, value) in &read.operation.variables {
            let attribute = format!("{PROMPT_VARIABLE}{name}");
            match source.get(&attribute) {
                Some(existing) => whole &= existing.as_str() == Some(value),
                None => span.set(&attribute, value.as_str()),
            }
        }
        if !whole {
            for claim in read.claims.iter_mut().filter(|claim| claim.about == About::Variables) {
                claim.outcome = Outcome::Kept(Reason::Conflict);
                claim.rule = "a variable stands there with another value; this stays";
            }
        }
    }

    /// Says how the span was translated. What an earlier translation to the same target said stays: it
    /// saw the keys that are gone now.
    fn write_provenance(&self, read: &Read<'_>, source: &Source<'_>, span: &mut Span<'_>) {
        let target = self.target().name();
        if source.get(PROVENANCE_TARGET).and_then(Value::as_str) == Some(target) {
            return;
        }
        if source.get(PROVENANCE_DIALECT).is_none() {
            let dialect = self.index.dialects.get(usize::from(read.recognised.winner)).copied().unwrap_or_default();
            span.set(PROVENANCE_DIALECT, dialect);
        }
        span.set(PROVENANCE_TARGET, target);
        let is_kept = |claim: &&Claim| matches!(claim.outcome, Outcome::Kept(reason) if reason != Reason::Current);
        let kept = read.claims.iter().filter(is_kept).filter_map(|claim| key_of(claim, source));
        let kept: Vec<Cow<'_, str>> = kept.take(MAX_PROVENANCE_KEYS).map(Cow::Borrowed).collect();
        if !kept.is_empty() {
            span.set(PROVENANCE_KEPT, written(&Scalar::Strings(kept), Type::Strings));
        }
    }

    fn remove_originals(&self, read: &Read<'_>, source: &Source<'_>, span: &mut Span<'_>) {
        let operation_name = read.operation.text(Field::OperationName);
        // By the attribute's number, for of each key there is one.
        let mut kept = Numbers::default();
        for claim in &read.claims {
            if let (From::Attribute(number), Outcome::Kept(_) | Outcome::Open) = (claim.from, claim.outcome) {
                kept.add(number);
            }
        }
        for claim in &read.claims {
            let goes = match claim.outcome {
                Outcome::Expressed(reason) => reason != Reason::Current,
                Outcome::Discarded(_) => true,
                Outcome::Kept(_) | Outcome::Open => false,
            };
            if !goes {
                continue;
            }
            match claim.from {
                From::Event(number) => {
                    if let Some(event) = source.events.get(number) {
                        span.remove_event(event.index);
                    }
                }
                From::Attribute(number) if source.is_own(number) => {
                    let Some(key) = key_of(claim, source) else { continue };
                    if !kept.has(number) && !self.is_live(key, claim.about, &read.operation, operation_name) {
                        span.remove_placed(source.place(number), key);
                    }
                }
                From::Attribute(_) => {}
            }
        }
        for event in source.events.iter().filter(|event| !event.lent.is_empty()) {
            let is_said = |number: usize| {
                let mut claims = read.claims.iter().filter(|claim| claim.from == From::Attribute(number)).peekable();
                claims.peek().is_some()
                    && claims.all(|claim| matches!(claim.outcome, Outcome::Expressed(_) | Outcome::Discarded(_)))
            };
            if event.lent.clone().all(is_said) {
                span.remove_event(event.index);
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
}

pub(super) fn list_name(list: ListOf) -> &'static str {
    match list {
        ListOf::Input => INPUT_MESSAGES,
        ListOf::Output => OUTPUT_MESSAGES,
        ListOf::Instructions => SYSTEM_INSTRUCTIONS,
        ListOf::Tools => TOOL_DEFINITIONS,
        ListOf::Documents => RETRIEVAL_DOCUMENTS,
    }
}

fn is_absent(operation: &Operation<'_>, list: ListOf) -> bool {
    match list {
        ListOf::Input => operation.input.is_absent(),
        ListOf::Output => operation.output.is_absent(),
        ListOf::Instructions => operation.instructions.is_absent(),
        ListOf::Tools => operation.tools.is_absent(),
        ListOf::Documents => operation.documents.is_absent(),
    }
}

fn is_read(operation: &Operation<'_>, list: ListOf) -> bool {
    match list {
        ListOf::Input => operation.input.read().is_some(),
        ListOf::Output => operation.output.read().is_some(),
        ListOf::Instructions => operation.instructions.read().is_some(),
        ListOf::Tools => operation.tools.read().is_some(),
        ListOf::Documents => operation.documents.read().is_some(),
    }
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

/// What stands there twice, with different values, stays: the second is said nowhere else.
fn keep_contradicted(claims: &mut [Claim], source: &Source<'_>) {
    if source.contradicted.is_empty() {
        return;
    }
    for claim in
        claims.iter_mut().filter(|claim| matches!(claim.outcome, Outcome::Expressed(_) | Outcome::Discarded(_)))
    {
        if key_of(claim, source).is_some_and(|key| source.contradicted.binary_search(&key).is_ok()) {
            claim.outcome = Outcome::Kept(Reason::Conflict);
            claim.rule = "the key stands there twice and says two things; both stay";
        }
    }
}

/// The claim of the target's own attribute: it stands as it came, or it was written anew.
fn stands(claims: &mut [Claim], source: &Source<'_>, attribute: &str, as_it_came: bool) {
    let Some(claim) = claim_of(claims, source, attribute) else { return };
    if !as_it_came {
        make_way(claim);
    }
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
    if let Some(claim) = claim_of(claims, source, attribute) {
        make_way(claim);
    }
}

fn make_way(claim: &mut Claim) {
    if let Outcome::Kept(reason) = claim.outcome {
        claim.outcome = Outcome::Discarded(reason);
        claim.rule = "a valid value took the place of one that was none";
    }
}

/// The first claim of an attribute of this name.
fn claim_of<'c>(claims: &'c mut [Claim], source: &Source<'_>, attribute: &str) -> Option<&'c mut Claim> {
    if !source.may_have(attribute) {
        return None;
    }
    match source.number_of_only(attribute) {
        Some(number) => {
            let from = From::Attribute(number?);
            claims.iter_mut().find(|claim| claim.from == from)
        }
        None => claims.iter_mut().find(|claim| key_of(claim, source) == Some(attribute)),
    }
}

/// The fields that claims express.
fn expressed(claims: &[Claim]) -> Fields {
    let mut fields = Fields::default();
    for claim in claims {
        if let (About::Field(field), Outcome::Expressed(_)) = (claim.about, claim.outcome) {
            fields.add(field);
        }
    }
    fields
}

/// A set of attributes' numbers; those of nearly every span are in the first word.
#[derive(Default)]
struct Numbers {
    first: u128,
    more: HashSet<usize, foldhash::fast::RandomState>,
}

impl Numbers {
    fn add(&mut self, number: usize) {
        match number {
            0..128 => self.first |= 1 << number,
            _ => drop(self.more.insert(number)),
        }
    }

    fn has(&self, number: usize) -> bool {
        match number {
            0..128 => self.first & 1 << number != 0,
            _ => self.more.contains(&number),
        }
    }
}
