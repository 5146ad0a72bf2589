//! The reading half of a translation: one span's claims become one [`Operation`].
//!
//! Facts are offered in the order of their rank; lists come as candidates, of which the first that
//! holds anything is taken and the others are compared with it. Here are single keys and facts; the
//! lists are in [`lists`], objects with members in [`members`], how tokens are counted in [`counts`],
//! and what nothing says and the rest tells in [`infer`]. Writing is in [`super::write`].

mod counts;
mod infer;
mod lists;
mod members;

use std::borrow::Cow;
use std::time::Duration;

use self::lists::PieceWork;
pub(super) use self::members::merge_parts;
use super::candidate::Candidate;
use super::coerce::{self, Coerced, coerce};
use super::content;
use super::convention::{Convention, Names};
use super::dialect::{Action, EventAction, Reason, Verdict};
use super::field::{Field, Fields, Type};
use super::index::{Dialects, Index};
use super::operation::{Offered, Operation, Scalar};
use super::read::{About, Claim, From, ListOf, Outcome, RANK_CURRENT, Reading, Speakers, Work};
use super::source::Source;
use super::usage;
use super::values::{self, Mapped, ValueMap};
use crate::otlp::value::Value;

/// Whether bare keys count on a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guard {
    /// They do.
    Open,
    /// They do if a model is found before they are read.
    Model,
    /// They do not.
    Closed,
}

/// The claim that said each field.
#[derive(Debug, Clone)]
pub(super) struct SaidBy([u32; Field::ALL.len()]);

impl SaidBy {
    const NOBODY: u32 = u32::MAX;

    pub(super) fn get(&self, field: Field) -> Option<usize> {
        Some(self.0[field as usize]).filter(|claim| *claim != Self::NOBODY).map(|claim| claim as usize)
    }

    /// Notes a claim, and returns the one before.
    fn set(&mut self, field: Field, claim: Option<usize>) -> Option<usize> {
        let before = self.get(field);
        self.0[field as usize] = claim.and_then(|claim| u32::try_from(claim).ok()).unwrap_or(Self::NOBODY);
        before
    }
}

impl Default for SaidBy {
    fn default() -> Self {
        SaidBy([Self::NOBODY; Field::ALL.len()])
    }
}

/// One span's translation, up to the operation.
pub(super) struct Job<'t, 's> {
    pub(super) index: &'t Index,
    pub(super) convention: &'static Convention,
    names: &'t Names,
    pub(super) source: &'s Source<'s>,
    /// The span's name.
    name: &'t str,
    speakers: Speakers,
    /// Whether texts may hold Python literals.
    python: bool,
    /// Whether a member of an object is read, and not a key by itself.
    part: bool,
    pub(super) operation: Operation<'s>,
    pub(super) claims: Vec<Claim>,
    /// The claim that said each field.
    pub(super) said_by: SaidBy,
    /// Fields whose attribute holds a legal value that no [`Scalar`] can hold.
    opaque: Fields,
    totals: Vec<(usize, i64)>,
    candidates: Vec<Candidate<'s>>,
    /// Pieces that stand in keys of their own.
    pieces: Vec<PieceWork<'s>>,
    /// What was said otherwise first: the facts, with their claims, and the candidates.
    other_facts: Vec<(usize, Field, Scalar<'s>)>,
    other_candidates: Vec<Candidate<'s>>,
    /// Finish reasons that stood in pieces, with their claims.
    reasons: Vec<(usize, Cow<'s, str>)>,
    /// A prompt that was one text and not a list of messages.
    user_text: bool,
    /// The operation's name beside which keys were read that mean something only beside one.
    read_beside: Option<Option<String>>,
    /// Whether anything was said that is not yet in the target's words.
    pub(super) foreign: bool,
    /// For `explain`, if it asks: the fields that each attribute was the first to say.
    pub(super) told: Option<Vec<(usize, Field)>>,
}

impl<'t, 's> Job<'t, 's> {
    pub(super) fn new(
        index: &'t Index,
        convention: &'static Convention,
        names: &'t Names,
        source: &'s Source<'s>,
        name: &'t str,
        speakers: Speakers,
    ) -> Job<'t, 's> {
        Job {
            index,
            convention,
            names,
            source,
            name,
            speakers,
            python: false,
            part: false,
            operation: Operation::default(),
            claims: Vec::with_capacity(source.attributes.len() + source.events.len()),
            said_by: SaidBy::default(),
            opaque: Fields::default(),
            totals: Vec::new(),
            candidates: Vec::new(),
            pieces: Vec::new(),
            other_facts: Vec::new(),
            other_candidates: Vec::new(),
            reasons: Vec::new(),
            user_text: false,
            read_beside: None,
            foreign: false,
            told: None,
        }
    }

    /// Reads everything.
    pub(super) fn read(&mut self, reading: &mut Reading<'_, 's>, guard: Guard) {
        self.claims.append(&mut reading.claims);
        let is_late = |work: &Work<'_>| matches!(work.meaning.action, Action::ByOperation(_));
        for work in reading.work.iter().filter(|work| !is_late(work)) {
            self.key(*work, guard);
        }
        reading.members.sort_by_key(|work| work.member.family);
        for group in reading.members.chunk_by(|a, b| a.member.family == b.member.family) {
            self.family(group);
        }
        self.single_pieces();
        self.variable_keys();
        self.events(reading.recognised.winner);
        self.first_chunk();
        for work in reading.work.iter().filter(|work| is_late(work)) {
            self.read_beside = Some(self.operation.text(Field::OperationName).map(str::to_owned));
            self.key(*work, guard);
        }
        for list in ListOf::ALL {
            self.resolve(list);
        }
        self.finish_reasons();
    }

    /// Whether a key was read beside another name of the operation than the one that will stand there: a
    /// quirk had the last word, and the key may mean something else beside it.
    pub(super) fn is_renamed(&self) -> bool {
        self.read_beside.as_ref().is_some_and(|name| name.as_deref() != self.operation.text(Field::OperationName))
    }

    fn claim(&mut self, work: &Work<'_>, about: About, outcome: Outcome, rule: &'static str) -> usize {
        self.claims.push(Claim {
            from: From::Attribute(work.attribute),
            dialect: work.meaning.dialect,
            about,
            outcome,
            part: self.part,
            rule,
        });
        self.claims.len() - 1
    }

    // --- single keys ---------------------------------------------------------------------------

    fn key(&mut self, work: Work<'_>, guard: Guard) {
        let Some((_, value)) = self.source.attributes.get(work.attribute) else { return };
        let is_let_through = match guard {
            Guard::Open => true,
            // What an object holds, or a dialect's own rule finds, will stand there under a name of its own.
            Guard::Model => {
                [Field::RequestModel, Field::ResponseModel].iter().any(|field| self.operation.get(*field).is_some())
            }
            Guard::Closed => false,
        };
        if work.meaning.guarded && !is_let_through {
            let rule = "a bare key needs a model or its sibling on the same span, and no child with usage";
            self.claim(&work, About::Nothing, Outcome::Kept(Reason::Guarded), rule);
            return;
        }
        let table = self.index.table(work.meaning.dialect);
        self.python = table.is_some_and(|table| table.python);
        let decoded = table.filter(|table| table.json).and_then(|_| members::decoded(value));
        let before = self.told.is_some().then(|| self.facts());
        match &decoded {
            Some(value) => self.said(work, work.meaning.action, Given::Made(value)),
            None => self.said(work, work.meaning.action, Given::Source(value)),
        }
        if let (Some(before), Some(told)) = (before, &mut self.told) {
            let new = self.operation.facts().filter(|fact| !before.iter().any(|(field, said)| (*field, said) == *fact));
            told.extend(new.map(|(field, _)| (work.attribute, field)));
        }
    }

    #[cold]
    fn facts(&self) -> Vec<(Field, Scalar<'s>)> {
        self.operation.facts().map(|(field, fact)| (field, fact.clone())).collect()
    }

    /// Does what an action says of a value.
    fn said(&mut self, work: Work<'_>, action: Action, given: Given<'_, 's>) {
        let value = given.value();
        match action {
            Action::Field(field) => self.field(work, field, value),
            Action::Copy(field) => self.copy(work, field, value),
            Action::Total => self.total(work, value),
            Action::Input => self.list(work, ListOf::Input, given),
            Action::Output => self.list(work, ListOf::Output, given),
            Action::Messages(list) => self.messages(work, list, given),
            Action::Body(list, rules) => self.body(work, list, rules, given),
            Action::Instructions => self.list(work, ListOf::Instructions, given),
            Action::Tools => self.list(work, ListOf::Tools, given),
            Action::Documents => self.list(work, ListOf::Documents, given),
            Action::Piece(list, piece) => self.piece(work, list, piece, given),
            Action::Members(rules) => self.members(work, rules, given),
            Action::Variables => self.variables(work, value),
            Action::ByOperation(actions) => {
                let said = self.operation.text(Field::OperationName);
                // A second pass will find it written there.
                let operation = said.or(self.inferred_operation()).unwrap_or_default();
                let of = |name: &str| actions.iter().find(|(of, _)| *of == name).map(|(_, action)| *action);
                match of(operation).or_else(|| of("")) {
                    Some(action) => self.said(work, action, given),
                    None => {
                        let rule = "what it means depends on the operation, and to this one it means nothing";
                        self.claim(&work, About::Nothing, Outcome::Kept(Reason::NoHome), rule);
                    }
                }
            }
            Action::BySpanName(actions) => match actions.iter().find(|(prefix, _)| self.name.starts_with(prefix)) {
                Some((_, action)) => self.said(work, *action, given),
                None => {
                    let rule = "what it means depends on the span's name, and on this one it means nothing";
                    self.claim(&work, About::Nothing, Outcome::Kept(Reason::NoHome), rule);
                }
            },
            Action::Usage => {
                for (field, count) in usage::read(value, self.python) {
                    self.offer(field, Scalar::Int(count), None);
                    self.foreign = true;
                }
                let rule = "counts inside are taken where nothing else says them; the object stays";
                self.claim(&work, About::Usage, Outcome::Kept(Reason::SaysMore), rule);
            }
            Action::Url => {
                if let Some((host, port)) = value.as_str().and_then(usage::host_and_port) {
                    let host = Scalar::Str(host.to_owned().into());
                    if self.offer(Field::ServerAddress, host, None) == Offered::Taken
                        && let Some(port) = port
                    {
                        self.offer(Field::ServerPort, Scalar::Int(port), None);
                    }
                }
                let rule = "host and port are taken where nothing else says them; the URL stays";
                self.claim(&work, About::Server, Outcome::Kept(Reason::SaysMore), rule);
            }
            Action::Sentinel(nothing) => {
                let outcome = match value.as_str() == Some(nothing) {
                    true => Outcome::Discarded(Reason::Empty),
                    false => Outcome::Kept(Reason::NoHome),
                };
                self.claim(&work, About::Nothing, outcome, "a word for nothing goes, anything else stays");
            }
            Action::Keep(reason) => {
                let rule = "a key without a place in the conventions stays";
                self.claim(&work, About::Nothing, Outcome::Kept(reason), rule);
            }
            Action::Marks => {
                let rule = "a key without a place in the conventions stays; it says what the span is";
                self.claim(&work, About::Nothing, Outcome::Kept(Reason::NoHome), rule);
            }
            Action::Read(read) => {
                let outcome = match read(&mut self.operation, value) {
                    Verdict::Expressed => Outcome::Expressed(Reason::None),
                    Verdict::Repaired(reason) => Outcome::Expressed(reason),
                    Verdict::Discarded(reason) => Outcome::Discarded(reason),
                    Verdict::Kept(reason) => Outcome::Kept(reason),
                };
                if outcome == Outcome::Kept(Reason::Current)
                    && let Some(field) = self.field_of(work)
                {
                    self.operation.mark_current(field);
                }
                self.claim(&work, About::Nothing, outcome, own_rule(outcome));
            }
        }
    }

    /// The field that a key is the target's own name of.
    fn field_of(&self, work: Work<'_>) -> Option<Field> {
        let (key, _) = self.source.attributes.get(work.attribute)?;
        self.names.field_of(key).filter(|_| self.source.is_own(work.attribute) && !self.part)
    }

    fn copy(&mut self, work: Work<'_>, field: Field, value: &Value<'s>) {
        // A hint in an unknown word is none.
        let hint = match (&work.meaning.values, value) {
            (ValueMap::Table(table), Value::Str(word)) => values::look(table, word) != Mapped::Unknown,
            _ => true,
        };
        let offered = match (hint, self.mapped(work, field, value)) {
            (true, Some(Coerced::Value(scalar))) => self.offer(field, scalar, None),
            _ => Offered::Equal,
        };
        if offered != Offered::Conflict && self.field_of(work) == Some(field) {
            self.operation.mark_current(field);
        }
        let (reason, rule) = match offered {
            Offered::Conflict => (Reason::Conflict, "something else was said first; this stays"),
            _ => (Reason::SaysMore, "copied where nothing else says it; the key says more and stays"),
        };
        self.claim(&work, About::Field(field), Outcome::Kept(reason), rule);
    }

    /// A value in the target's word and the field's type; `None` if the map says that the word is
    /// a name for something that is no value of this field.
    ///
    /// A word that a key's own dialect lets pass is read once more as it would be under the current
    /// name, where it will stand: dialects that share a span may have different words.
    fn mapped(&self, work: Work<'_>, field: Field, value: &Value<'s>) -> Option<Coerced<'s>> {
        match in_words(&work.meaning.values, field, value)? {
            Coerced::Value(scalar) if work.rank != RANK_CURRENT => self.as_current(field, scalar),
            read => Some(read),
        }
    }

    /// A value as it would be read under the field's current name; `None` as in [`Job::mapped`].
    fn as_current(&self, field: Field, scalar: Scalar<'s>) -> Option<Coerced<'s>> {
        let first = |among: Dialects| self.speakers.first(self.index, among);
        match (self.index.words_of(field, first), scalar) {
            (Some(words), Scalar::Str(word)) => in_words(words, field, &Value::Str(word)),
            (Some(words), list @ Scalar::Strings(_)) => Some(without_placeholders(words, Coerced::Value(list))),
            (_, scalar) => Some(Coerced::Value(scalar)),
        }
    }

    fn field(&mut self, work: Work<'_>, field: Field, value: &Value<'s>) {
        let about = About::Field(field);
        let current = work.rank == RANK_CURRENT;
        let number = self.claims.len();
        let repaired = if is_any(field) && self.may_be_python(field) { from_python(value) } else { None };
        let value = repaired.as_ref().unwrap_or(value);
        let host;
        let (value, port) = match address(field, value) {
            Some((name, port)) => {
                host = Value::Str(name.into());
                (&host, port)
            }
            None => (value, None),
        };
        let (outcome, rule) = match self.mapped(work, field, value) {
            None => {
                if field == Field::OperationName && self.operation.named.is_none() {
                    self.operation.named = value.as_str().map(|word| word.trim().to_ascii_lowercase());
                }
                (Outcome::Kept(Reason::NoHome), "the word names something else; it stays")
            }
            Some(Coerced::Absent) => {
                let stands = current && coerce::is_of(self.written_type(field), value);
                // A number below zero is a word for nothing, as is one that a map says to be.
                let is_word = matches!(value, Value::Int(..0)) || is_placeholder(&work.meaning.values, field, value);
                let outcome = match stands && !is_word {
                    true => Outcome::Kept(Reason::Empty),
                    false => Outcome::Discarded(Reason::Empty),
                };
                (outcome, "an empty value is no value")
            }
            Some(Coerced::Refused) if current && is_any(field) => {
                self.opaque.add(field);
                (Outcome::Expressed(Reason::Current), "already in the target's words")
            }
            Some(Coerced::Refused) => {
                (Outcome::Kept(Reason::Uncoercible), "the value is not of the attribute's type; it stays")
            }
            Some(Coerced::Value(scalar)) => {
                let other = self.operation.get(field).is_some().then(|| scalar.clone());
                let outcome = match self.offer(field, scalar, Some(number)) {
                    Offered::Taken | Offered::Equal => {
                        if let Some(port) = port {
                            self.offer(Field::ServerPort, Scalar::Int(port), None);
                        }
                        Outcome::Expressed(Reason::None)
                    }
                    Offered::Conflict => {
                        self.other_facts.extend(other.map(|scalar| (number, field, scalar)));
                        Outcome::Kept(Reason::Conflict)
                    }
                };
                // What the target has no word for stays as it is: there is nothing to be put into words, now or later.
                self.foreign |= !current && self.names.has_home(field);
                if current {
                    self.operation.mark_current(field);
                }
                (outcome, rule_of(work, current, outcome))
            }
        };
        self.claim(&work, about, outcome, rule);
    }

    /// Whether a text may be Python's: under its own key, or once it stands under the current name.
    fn may_be_python(&self, field: Field) -> bool {
        let first = |among: Dialects| self.speakers.first(self.index, among);
        self.python
            || (self.index.reader_of(field, first))
                .and_then(|dialect| self.index.table(dialect))
                .is_some_and(|table| table.python)
    }

    fn written_type(&self, field: Field) -> Type {
        self.names.get(field).map_or(field.value_type(), |(_, written)| written)
    }

    fn offer(&mut self, field: Field, value: Scalar<'s>, claim: Option<usize>) -> Offered {
        if self.opaque.has(field) {
            return Offered::Conflict;
        }
        let offered = self.operation.offer(field, value);
        if offered == Offered::Taken
            && let Some(before) = self.said_by.set(field, claim)
            && let Some(before) = self.claims.get_mut(before)
        {
            // A zero that gave way to a count.
            before.outcome = Outcome::Discarded(Reason::Empty);
            before.rule = "a zero gives way to a count (several emitters write zero for unknown)";
        }
        offered
    }

    fn total(&mut self, work: Work<'_>, value: &Value<'s>) {
        let (outcome, rule) = match coerce(Field::UsageTotalTokens, value) {
            Coerced::Value(Scalar::Int(total)) => {
                self.totals.push((self.claims.len(), total));
                // For quirks only: no target has a word for it.
                self.operation.offer(Field::UsageTotalTokens, Scalar::Int(total));
                (Outcome::Open, "")
            }
            Coerced::Absent => (Outcome::Discarded(Reason::Empty), "an empty value is no value"),
            _ => (Outcome::Kept(Reason::Uncoercible), "the value is no number of tokens; it stays"),
        };
        self.foreign = true;
        self.claim(&work, About::Usage, outcome, rule);
    }

    /// When the first chunk of a stream came, where nothing but its event says it.
    fn first_chunk(&mut self) {
        let source = self.source;
        let index = self.index;
        let is_chunk = |name: &str| {
            index.events.iter().any(|(_, rule)| matches!(rule.action, EventAction::Chunk) && rule.matches(name))
        };
        let first = source.events.iter().filter(|event| is_chunk(event.name)).map(|event| event.time_unix_nano).min();
        if let Some(nanoseconds) = first.and_then(|time| time.checked_sub(source.start_time_unix_nano)) {
            let seconds = Duration::from_nanos(nanoseconds).as_secs_f64();
            self.offer(Field::ResponseTimeToFirstChunk, Scalar::Double(seconds), None);
            self.foreign = true;
        }
    }

    /// What becomes of all expressed claims of a field.
    pub(super) fn settle_field(&mut self, field: Field, outcome: Outcome, rule: &'static str) {
        for claim in &mut self.claims {
            if claim.about == About::Field(field) && matches!(claim.outcome, Outcome::Expressed(_)) {
                (claim.outcome, claim.rule) = (outcome, rule);
            }
        }
    }
}

/// A value of the span, or one that was found inside of it.
#[derive(Clone, Copy)]
pub(super) enum Given<'v, 's> {
    Source(&'s Value<'s>),
    Made(&'v Value<'static>),
    /// The text of a JSON list or object, which is never somebody's words.
    Json(&'v Value<'static>),
}

impl<'v, 's: 'v> Given<'v, 's> {
    fn value(self) -> &'v Value<'s> {
        match self {
            Given::Source(value) => value,
            Given::Made(value) | Given::Json(value) => value,
        }
    }
}

/// Host and port of what stands where the server's address should: the clients of Semantic Kernel and of
/// the Agent Framework write the base URL there, Mistral's the header `Host`.
fn address(field: Field, value: &Value<'_>) -> Option<(String, Option<i64>)> {
    let text = value.as_str().filter(|text| field == Field::ServerAddress && text.contains(':'))?;
    let (host, port) = usage::host_and_port(text)?;
    (text.contains("://") || port.is_some()).then(|| (host.to_owned(), port))
}

/// A value in the words of a map and the field's type; `None` as in [`Job::mapped`].
fn in_words<'s>(words: &ValueMap, field: Field, value: &Value<'s>) -> Option<Coerced<'s>> {
    if is_placeholder(words, field, value) {
        return Some(Coerced::Absent);
    }
    let Value::Str(text) = value else { return Some(without_placeholders(words, coerce(field, value))) };
    let word: Cow<'s, str> = match words {
        ValueMap::None => return Some(coerce(field, value)),
        ValueMap::Table(table) => match values::look(table, text) {
            Mapped::To(word) => word.into(),
            Mapped::Nothing if values::is_nothing(text) => return Some(Coerced::Absent),
            Mapped::Nothing => return None,
            // The text may be that of a list.
            Mapped::Unknown => return Some(without_placeholders(words, coerce(field, value))),
        },
        map => match map.look(text) {
            Mapped::To(word) => word.to_owned().into(),
            _ => return Some(coerce(field, value)),
        },
    };
    Some(coerce(field, &Value::Str(word)))
}

/// Whether a word stands there for want of a value, such as the model `chat`. Only operations and
/// providers can be something else instead.
fn is_placeholder(words: &ValueMap, field: Field, value: &Value<'_>) -> bool {
    let ValueMap::Table(table) = words else { return false };
    let is_nothing = |text: &str| values::look(table, text) == Mapped::Nothing;
    match value {
        _ if matches!(field, Field::OperationName | Field::ProviderName) => false,
        Value::Str(text) => is_nothing(text),
        Value::Array(array) => {
            let mut items = array.iter().peekable();
            items.peek().is_some() && items.all(|item| item.as_str().is_some_and(is_nothing))
        }
        _ => false,
    }
}

/// A list without the words that stand there for want of a value.
fn without_placeholders<'s>(words: &ValueMap, coerced: Coerced<'s>) -> Coerced<'s> {
    match (words, coerced) {
        (ValueMap::Table(table), Coerced::Value(Scalar::Strings(mut items))) => {
            items.retain(|item| values::look(table, item) != Mapped::Nothing);
            match items.is_empty() {
                true => Coerced::Absent,
                false => Coerced::Value(Scalar::Strings(items)),
            }
        }
        (_, coerced) => coerced,
    }
}

/// The JSON of a Python literal.
fn from_python(value: &Value<'_>) -> Option<Value<'static>> {
    let text = value.as_str().filter(|text| content::json::parse(text).is_none())?;
    content::python::to_json(text).map(|json| Value::Str(Cow::Owned(json)))
}

/// Fields that the conventions type as `any`.
fn is_any(field: Field) -> bool {
    matches!(field, Field::ToolCallArguments | Field::ToolCallResult)
}

fn rule_of(work: Work<'_>, current: bool, outcome: Outcome) -> &'static str {
    match (outcome, &work.meaning.values) {
        (Outcome::Kept(_), _) => "something else was said first; this stays",
        _ if current => "already under the target's name",
        (_, ValueMap::None) => "renamed",
        _ => "renamed, in the conventions' word",
    }
}

/// What `explain` says of a key of which a function of the dialect made fields.
pub(super) const OWN_RULE: &str = "read by the dialect's own rule";

/// What `explain` says of a key that a function of the dialect read.
fn own_rule(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Discarded(Reason::Redundant | Reason::Copy) => "other keys say it",
        Outcome::Discarded(_) => "the dialect's own rule: it says nothing",
        Outcome::Kept(_) => "the dialect's own rule leaves it as it is",
        Outcome::Expressed(_) | Outcome::Open => OWN_RULE,
    }
}
