//! The reading half of a translation: one span's claims become one [`Operation`].
//!
//! Facts are offered in the order of their rank; lists come as candidates, of which the first that
//! holds anything is taken and the others are compared with it. What nothing says and the rest tells
//! is in [`infer`]; writing is in [`super::translate`].

mod infer;

use std::borrow::Cow;
use std::ops::Range;

use super::candidate::{self, Body, Candidate, add_calls, covers};
use super::coerce::{self, Coerced, coerce};
use super::content;
use super::convention::Convention;
use super::dialect::{Action, List, Piece, Reason, Verdict};
use super::field::{Field, Type};
use super::fold::{self, Numbered, text_of};
use super::index::{Index, piece};
use super::operation::{Content, Offered, Operation, Scalar};
use super::read::{About, Claim, From, ListOf, MemberWork, Outcome, RANK_CURRENT, Reading, Source, Speakers, Work};
use super::usage;
use super::values::{self, Mapped, ValueMap};
use crate::otlp::value::Value;

/// One span's translation, up to the operation.
pub(super) struct Job<'t, 's> {
    pub(super) index: &'t Index,
    pub(super) convention: &'static Convention,
    pub(super) source: &'s Source<'s>,
    speakers: Speakers,
    /// Whether texts may hold Python literals.
    python: bool,
    pub(super) operation: Operation<'s>,
    pub(super) claims: Vec<Claim>,
    /// The claim that said each field.
    pub(super) said_by: [Option<usize>; Field::ALL.len()],
    /// Fields whose attribute holds a legal value that no [`Scalar`] can hold.
    opaque: [bool; Field::ALL.len()],
    totals: Vec<(usize, i64)>,
    candidates: Vec<Candidate<'s>>,
    /// What was said otherwise first: the facts, with their claims, and the candidates.
    other_facts: Vec<(usize, Field, Scalar<'s>)>,
    other_candidates: Vec<Candidate<'s>>,
    /// Finish reasons that stood in pieces, with their claims.
    reasons: Vec<(usize, Cow<'s, str>)>,
    /// A prompt that was one text and not a list of messages.
    user_text: bool,
    /// Whether anything was said that is not yet in the target's words.
    pub(super) foreign: bool,
}

impl<'t, 's> Job<'t, 's> {
    pub(super) fn new(
        index: &'t Index,
        convention: &'static Convention,
        source: &'s Source<'s>,
        speakers: Speakers,
    ) -> Job<'t, 's> {
        Job {
            index,
            convention,
            source,
            speakers,
            python: false,
            operation: Operation::default(),
            claims: Vec::with_capacity(source.attributes.len() + source.events.len()),
            said_by: [None; Field::ALL.len()],
            opaque: [false; Field::ALL.len()],
            totals: Vec::new(),
            candidates: Vec::new(),
            other_facts: Vec::new(),
            other_candidates: Vec::new(),
            reasons: Vec::new(),
            user_text: false,
            foreign: false,
        }
    }

    /// Reads everything. `guarded` says whether bare keys count on this span.
    pub(super) fn read(&mut self, reading: &mut Reading<'_, 's>, guarded: bool) {
        self.claims.append(&mut reading.claims);
        for work in &reading.work {
            self.python = self.index.table(work.meaning.dialect).is_some_and(|table| table.python);
            self.key(*work, guarded);
        }
        reading.members.sort_by_key(|work| work.member.family);
        for group in reading.members.chunk_by(|a, b| a.member.family == b.member.family) {
            self.family(group);
        }
        self.events(reading.recognised.winner);
        for list in [ListOf::Input, ListOf::Output, ListOf::Instructions, ListOf::Tools] {
            self.resolve(list);
        }
        self.finish_reasons();
    }

    fn claim(&mut self, work: &Work<'_>, about: About, outcome: Outcome, rule: &'static str) -> usize {
        self.claims.push(Claim {
            from: From::Attribute(work.attribute),
            dialect: work.meaning.dialect,
            about,
            outcome,
            rule,
        });
        self.claims.len() - 1
    }

    // --- single keys ---------------------------------------------------------------------------

    fn key(&mut self, work: Work<'_>, guarded: bool) {
        let Some((_, value)) = self.source.attributes.get(work.attribute) else { return };
        if work.meaning.guarded && !guarded {
            let rule = "a bare key needs a model or its sibling on the same span, and no child with usage";
            self.claim(&work, About::Nothing, Outcome::Kept(Reason::Guarded), rule);
            return;
        }
        match work.meaning.action {
            Action::Field(field) => self.field(work, field, value),
            Action::Copy(field) => {
                // A hint in an unknown word is none.
                let hint = match (&work.meaning.values, value) {
                    (ValueMap::Table(table), Value::Str(word)) => values::look(table, word) != Mapped::Unknown,
                    _ => true,
                };
                let offered = match (hint, self.mapped(work, field, value)) {
                    (true, Some(Coerced::Value(scalar))) => self.offer(field, scalar, None),
                    _ => Offered::Equal,
                };
                let (reason, rule) = match offered {
                    Offered::Conflict => (Reason::Conflict, "something else was said first; this stays"),
                    _ => (Reason::SaysMore, "copied where nothing else says it; the key says more and stays"),
                };
                self.claim(&work, About::Field(field), Outcome::Kept(reason), rule);
            }
            Action::Total => self.total(work, value),
            Action::Input => self.list(work, ListOf::Input, value),
            Action::Output => self.list(work, ListOf::Output, value),
            Action::Instructions => self.list(work, ListOf::Instructions, value),
            Action::Tools => self.list(work, ListOf::Tools, value),
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
            Action::Read(read) => {
                let outcome = match read(&mut self.operation, value) {
                    Verdict::Expressed => Outcome::Expressed(Reason::None),
                    Verdict::Discarded(reason) => Outcome::Discarded(reason),
                    Verdict::Kept(reason) => Outcome::Kept(reason),
                };
                self.claim(&work, About::Nothing, outcome, "read by the dialect's own rule");
            }
        }
    }

    /// A value in the target's word and the field's type; `None` if the map says that the word is
    /// a name for something that is no value of this field.
    ///
    /// A word that a key's own dialect lets pass is read once more as it would be under the current
    /// name, where it will stand: dialects that share a span may have different words.
    fn mapped(&self, work: Work<'_>, field: Field, value: &Value<'s>) -> Option<Coerced<'s>> {
        let read = in_words(&work.meaning.values, field, value)?;
        if let (true, Coerced::Value(Scalar::Str(word))) = (work.rank != RANK_CURRENT, &read)
            && let Some((attribute, _)) = self.convention.name(field)
            && let Some(words) =
                self.index.words_of(field, attribute, |dialect| self.speakers.rank(self.index, dialect))
        {
            return in_words(words, field, &Value::Str(word.clone()));
        }
        Some(read)
    }

    fn field(&mut self, work: Work<'_>, field: Field, value: &Value<'s>) {
        let about = About::Field(field);
        let current = work.rank == RANK_CURRENT;
        let number = self.claims.len();
        let (outcome, rule) = match self.mapped(work, field, value) {
            None => (Outcome::Kept(Reason::NoHome), "the word names something else; it stays"),
            Some(Coerced::Absent) => {
                let outcome = match current && coerce::is_of(self.written_type(field), value) {
                    true => Outcome::Kept(Reason::Empty),
                    false => Outcome::Discarded(Reason::Empty),
                };
                (outcome, "an empty value is no value")
            }
            Some(Coerced::Refused) if current && is_any(field) => {
                self.opaque[field as usize] = true;
                (Outcome::Expressed(Reason::Current), "already in the target's words")
            }
            Some(Coerced::Refused) => {
                (Outcome::Kept(Reason::Uncoercible), "the value is not of the attribute's type; it stays")
            }
            Some(Coerced::Value(scalar)) => {
                let other = self.operation.get(field).is_some().then(|| scalar.clone());
                let outcome = match self.offer(field, scalar, Some(number)) {
                    Offered::Taken | Offered::Equal => Outcome::Expressed(Reason::None),
                    Offered::Conflict => {
                        self.other_facts.extend(other.map(|scalar| (number, field, scalar)));
                        Outcome::Kept(Reason::Conflict)
                    }
                };
                self.foreign |= !current;
                if current {
                    self.operation.mark_current(field);
                }
                (outcome, rule_of(work, current, outcome))
            }
        };
        self.claim(&work, about, outcome, rule);
    }

    fn written_type(&self, field: Field) -> Type {
        self.convention.name(field).map_or(field.value_type(), |(_, written)| written)
    }

    fn offer(&mut self, field: Field, value: Scalar<'s>, claim: Option<usize>) -> Offered {
        if self.opaque[field as usize] {
            return Offered::Conflict;
        }
        let offered = self.operation.offer(field, value);
        if offered == Offered::Taken
            && let Some(slot) = self.said_by.get_mut(field as usize)
            && let Some(before) = std::mem::replace(slot, claim)
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

    // --- lists ---------------------------------------------------------------------------------

    fn list(&mut self, work: Work<'_>, list: ListOf, value: &'s Value<'s>) {
        let current = work.rank == RANK_CURRENT;
        let body = candidate::body(list, value, current, self.convention, self.python);
        let number = self.claims.len();
        let (outcome, rule) = match &body {
            Ok(_) => (Outcome::Open, ""),
            Err(Reason::Empty) => (Outcome::Discarded(Reason::Empty), "an empty value is no value"),
            Err(reason) => (Outcome::Kept(*reason), "content in a shape that nobody knows stays"),
        };
        self.claim(&work, About::List(list), outcome, rule);
        if let Ok(body) = body {
            self.foreign |= !matches!(body, Body::Current(_));
            self.candidates.push(Candidate { list, rank: work.rank, body, claims: number..number + 1 });
        }
    }

    fn family(&mut self, group: &[MemberWork<'_, 's>]) {
        let Some(first) = group.first() else { return };
        let (family, dialect, rank) = (first.family, first.dialect, first.rank);
        let table = self.index.table(dialect);
        let python = table.is_some_and(|table| table.python);
        let mut pieces = Vec::with_capacity(group.len());
        let mut folded: Vec<(usize, About, Cow<'s, str>)> = Vec::with_capacity(group.len());
        let list = match family.list {
            List::Input => ListOf::Input,
            List::Output => ListOf::Output,
            List::Tools => ListOf::Tools,
        };
        for work in group {
            let Some((_, value)) = self.source.attributes.get(work.attribute) else { continue };
            let kept = |reason| Claim {
                from: From::Attribute(work.attribute),
                dialect,
                about: About::Nothing,
                outcome: Outcome::Kept(reason),
                rule: "a piece that no message has a place for stays",
            };
            let (piece, inner) = match piece(family, &work.member) {
                None => {
                    self.claims.push(kept(Reason::Unknown));
                    continue;
                }
                Some((Piece::Keep(reason), _)) => {
                    self.claims.push(kept(reason));
                    continue;
                }
                Some(known) => known,
            };
            let text = text_of(value).unwrap_or(Cow::Borrowed(""));
            self.user_text |= piece == Piece::UserText;
            let about = match piece {
                Piece::FinishReason => About::Field(Field::ResponseFinishReasons),
                _ => About::List(list),
            };
            let reason = if piece == Piece::FinishReason { text.clone() } else { Cow::Borrowed("") };
            folded.push((work.attribute, about, reason));
            pieces.push(Numbered { number: work.member.number.unwrap_or(0), inner, piece, text });
        }
        let start = self.claims.len();
        for (attribute, about, reason) in folded {
            if !reason.is_empty() {
                self.reasons.push((self.claims.len(), reason));
            }
            self.claims.push(Claim {
                from: From::Attribute(attribute),
                dialect,
                about,
                outcome: Outcome::Open,
                rule: "",
            });
        }
        let body = match family.list {
            List::Tools => Body::Tools(fold::tools(pieces, python)),
            list => Body::Messages(fold::messages(pieces, list, python)),
        };
        self.foreign = true;
        self.candidates.push(Candidate { list, rank, body, claims: start..self.claims.len() });
    }

    fn events(&mut self, winner: u8) {
        for list in [List::Input, List::Output] {
            let start = self.claims.len();
            let mut messages = Vec::new();
            for (number, event) in self.source.events.iter().enumerate() {
                let mut rules =
                    self.index.events.iter().filter(|(_, rule)| rule.name == event.name && rule.list == list);
                let first = rules.next();
                let Some((dialect, rule)) = rules.find(|(dialect, _)| *dialect == winner).or(first) else {
                    continue;
                };
                let python = self.index.table(*dialect).is_some_and(|table| table.python);
                let read = fold::event_messages(event, rule, python);
                let (outcome, rule) = match &read {
                    Some((_, true)) => (Outcome::Open, ""),
                    Some((_, false)) => (Outcome::Kept(Reason::SaysMore), "the event says more than its message"),
                    None => (Outcome::Kept(Reason::Shape), "content in a shape that nobody knows stays"),
                };
                let about = About::List(if list == List::Input { ListOf::Input } else { ListOf::Output });
                self.claims.push(Claim { from: From::Event(number), dialect: *dialect, about, outcome, rule });
                messages.extend(read.into_iter().flat_map(|(messages, _)| messages));
            }
            if !messages.is_empty() {
                let list = if list == List::Input { ListOf::Input } else { ListOf::Output };
                self.foreign = true;
                let body = Body::Messages(messages);
                self.candidates.push(Candidate { list, rank: 700, body, claims: start..self.claims.len() });
            }
        }
    }

    /// Takes the first candidate of a list and compares the others with it.
    fn resolve(&mut self, list: ListOf) {
        let mut candidates: Vec<Candidate<'s>> = Vec::new();
        let mut index = 0;
        while index < self.candidates.len() {
            match self.candidates[index].list == list {
                true => candidates.push(self.candidates.remove(index)),
                false => index += 1,
            }
        }
        candidates.sort_by_key(|candidate| candidate.rank);
        let mut candidates = candidates.into_iter();
        let Some(mut chosen) = candidates.next() else { return };
        for other in candidates {
            let (outcome, rule) = if covers(&chosen.body, &other.body, list) {
                (Outcome::Expressed(Reason::None), "the same already stands in the target's words")
            } else if add_calls(&mut chosen.body, &other.body, list) {
                (Outcome::Expressed(Reason::None), "tool calls that the messages lacked")
            } else {
                self.other_candidates.push(other);
                continue;
            };
            self.settle(other.claims, outcome, rule);
        }
        let current = matches!(chosen.body, Body::Current(_));
        let (outcome, rule) = match current {
            true => (Outcome::Expressed(Reason::Current), "already in the target's words"),
            false if chosen.rank == RANK_CURRENT => {
                (Outcome::Expressed(Reason::None), "repaired to the published shape")
            }
            false => (Outcome::Expressed(Reason::None), "folded into the published shape"),
        };
        self.settle(chosen.claims, outcome, rule);
        match (list, chosen.body) {
            (ListOf::Input, Body::Messages(messages)) => self.operation.input = Content::Read(messages),
            (ListOf::Output, Body::Messages(messages)) => self.operation.output = Content::Read(messages),
            (ListOf::Instructions, Body::Parts(parts)) => self.operation.instructions = Content::Read(parts),
            (ListOf::Tools, Body::Tools(tools)) => self.operation.tools = Content::Read(tools),
            (ListOf::Input, _) => self.operation.input = Content::Current,
            (ListOf::Output, _) => self.operation.output = Content::Current,
            (ListOf::Instructions, _) => self.operation.instructions = Content::Current,
            (ListOf::Tools, _) => self.operation.tools = Content::Current,
        }
    }

    /// Compares what was said otherwise with what is said in the end: a correction may agree with it.
    pub(super) fn reconsider(&mut self) {
        for (claim, field, scalar) in std::mem::take(&mut self.other_facts) {
            if self.operation.get(field) == Some(&scalar)
                && let Some(claim) = self.claims.get_mut(claim)
            {
                claim.outcome = Outcome::Expressed(Reason::None);
                claim.rule = "the correction of what was said first agrees with it";
            }
        }
        for other in std::mem::take(&mut self.other_candidates) {
            if self.agrees(&other) {
                let rule = "the same stands in the target's words";
                self.settle(other.claims, Outcome::Expressed(Reason::None), rule);
                continue;
            }
            // Pieces of one list stay together, a finish reason too that is expressed: without it
            // the rest would be another list.
            for claim in self.claims.get_mut(other.claims).unwrap_or_default() {
                if matches!(claim.outcome, Outcome::Open | Outcome::Expressed(_)) {
                    claim.outcome = Outcome::Kept(Reason::Conflict);
                    claim.rule = "other content was said first; this stays";
                }
            }
        }
    }

    fn agrees(&mut self, other: &Candidate<'s>) -> bool {
        let messages = match other.list {
            ListOf::Input => &mut self.operation.input,
            ListOf::Output => &mut self.operation.output,
            // Nothing changes these once they were compared.
            ListOf::Instructions | ListOf::Tools => return false,
        };
        let Content::Read(read) = messages else { return false };
        let mut body = Body::Messages(std::mem::take(read));
        let agrees = covers(&body, &other.body, other.list) || add_calls(&mut body, &other.body, other.list);
        if let (Content::Read(read), Body::Messages(body)) = (messages, body) {
            *read = body;
        }
        agrees
    }

    /// What becomes of all expressed claims of a field.
    pub(super) fn settle_field(&mut self, field: Field, outcome: Outcome, rule: &'static str) {
        for claim in &mut self.claims {
            if claim.about == About::Field(field) && matches!(claim.outcome, Outcome::Expressed(_)) {
                (claim.outcome, claim.rule) = (outcome, rule);
            }
        }
    }

    fn settle(&mut self, claims: Range<usize>, outcome: Outcome, rule: &'static str) {
        for claim in self.claims.get_mut(claims).unwrap_or_default() {
            if claim.outcome == Outcome::Open {
                claim.outcome = outcome;
                claim.rule = rule;
            }
        }
    }

    /// The attribute has the provider's words of all choices, each message the schema's word.
    fn finish_reasons(&mut self) {
        if let Some(messages) = self.operation.output.read() {
            let said: Vec<Cow<'s, str>> = messages
                .iter()
                .filter_map(|message| message.finish_reason.clone())
                .filter(|reason| !reason.is_empty())
                .collect();
            if !said.is_empty() {
                let first = self.reasons.first().map(|(claim, _)| *claim);
                self.offer(Field::ResponseFinishReasons, Scalar::Strings(said), first);
            }
        }
        let known = match self.operation.get(Field::ResponseFinishReasons) {
            Some(Scalar::Strings(known)) => known.clone(),
            _ => Vec::new(),
        };
        for (claim, reason) in std::mem::take(&mut self.reasons) {
            let word = content::message_finish_reason(reason.clone());
            let same = known.iter().any(|known| content::message_finish_reason(known.clone()) == word);
            let Some(claim) = self.claims.get_mut(claim) else { continue };
            (claim.outcome, claim.rule) = match same {
                true => (Outcome::Expressed(Reason::None), "collected into the list of finish reasons"),
                false => (Outcome::Kept(Reason::Conflict), "another reason was said first; this stays"),
            };
        }
        if let Some(messages) = self.operation.output.read_mut() {
            let aligned = messages.len() == known.len();
            for (message, reason) in messages.iter_mut().zip(known) {
                if message.finish_reason.as_ref().is_none_or(|reason| reason.is_empty()) && aligned {
                    message.finish_reason = Some(reason);
                }
            }
        }
    }
}

/// A value in the words of a map and the field's type; `None` as in [`Job::mapped`].
fn in_words<'s>(words: &ValueMap, field: Field, value: &Value<'s>) -> Option<Coerced<'s>> {
    let Value::Str(text) = value else { return Some(coerce(field, value)) };
    let word: Cow<'s, str> = match words {
        ValueMap::None => return Some(coerce(field, value)),
        ValueMap::Table(table) => match values::look(table, text) {
            Mapped::To(word) => word.into(),
            Mapped::Nothing if values::is_nothing(text) => return Some(Coerced::Absent),
            Mapped::Nothing => return None,
            Mapped::Unknown => return Some(coerce(field, value)),
        },
        map => match map.look(text) {
            Mapped::To(word) => word.to_owned().into(),
            _ => return Some(coerce(field, value)),
        },
    };
    Some(coerce(field, &Value::Str(word)))
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
