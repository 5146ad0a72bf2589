//! The lists of an operation: messages, instructions, tools and documents, each from the first source
//! that holds any, with the others compared to it.

use std::borrow::Cow;
use std::ops::Range;

use super::{Given, Job};
use crate::genai::candidate::{self, Body, Candidate, add_calls, covers};
use crate::genai::coerce::Coerced;
use crate::genai::content::{self, json};
use crate::genai::dialect::{EventAction, List, Piece, Reason, Rule, Verdict};
use crate::genai::field::Field;
use crate::genai::fold::{self, Numbered, text_of};
use crate::genai::message::{Conversation, Document};
use crate::genai::operation::{Content, Offered, Scalar};
use crate::genai::read::{About, Claim, From, ListOf, MemberWork, Outcome, RANK_CURRENT, Work};
use crate::genai::translate::key_of;
use crate::genai::values::Mapped;
use crate::otlp::value::Value;

/// A piece in a key of its own.
pub(super) struct PieceWork<'s> {
    dialect: u8,
    list: List,
    rank: u32,
    pub(super) attribute: usize,
    part: bool,
    piece: Numbered<'s>,
}

/// What stands on events is believed after all keys, and before what means something only beside an
/// operation's name.
const RANK_EVENTS: u32 = 700;

impl<'s> Job<'_, 's> {
    pub(super) fn list(&mut self, work: Work<'_>, list: ListOf, given: Given<'_, 's>) {
        let current = work.rank == RANK_CURRENT;
        if let Some(text) = given.value().as_str()
            && work.meaning.values.look(text) == Mapped::Nothing
        {
            let rule = "a word that stands where content was held back";
            self.claim(&work, About::List(list), Outcome::Discarded(Reason::Empty), rule);
            return;
        }
        if !current && self.is_body_that_says_more(list, given) {
            let list = if list == ListOf::Output { List::Output } else { List::Input };
            return self.body(work, list, &[], given);
        }
        let body = match given {
            Given::Source(value) => candidate::body(list, value, current, self.convention, self.python),
            Given::Json(value)
                if matches!(list, ListOf::Input | ListOf::Output)
                    && content::messages_from_value(value, candidate::role_of(list), self.python).is_none() =>
            {
                Err(Reason::Shape)
            }
            Given::Made(value) | Given::Json(value) => {
                candidate::body(list, value, current, self.convention, self.python).map(Body::into_owned)
            }
        };
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

    /// Whether a value is a body that says more than its messages, which must not go with them.
    fn is_body_that_says_more(&self, list: ListOf, given: Given<'_, 's>) -> bool {
        let Some(text) = text_of(given.value()) else { return false };
        let text = if list == ListOf::Output { only_object(&text).unwrap_or(&text) } else { &text };
        if !text.trim_start().starts_with('{') {
            return false;
        }
        let role = candidate::role_of(list);
        matches!(list, ListOf::Input | ListOf::Output)
            && content::messages_from_json(text, role, self.python).is_some()
            && content::conversation_from_json(text, role, self.python)
                .is_some_and(|body| !(body.more.is_empty() && body.instructions.is_empty() && body.tools.is_empty()))
    }

    /// Messages, unless the value is something else.
    pub(super) fn messages(&mut self, work: Work<'_>, list: List, given: Given<'_, 's>) {
        let role = candidate::role_of(list_of(list));
        let are_messages =
            text_of(given.value()).is_some_and(|text| content::messages_from_json(&text, role, self.python).is_some());
        match are_messages {
            true => self.body(work, list, &[], given),
            false => {
                let rule = "these are no messages; they stay";
                self.claim(&work, About::List(list_of(list)), Outcome::Kept(Reason::NoHome), rule);
            }
        }
    }

    /// A whole body: its content, and what else it says by `rules`.
    pub(super) fn body(&mut self, work: Work<'_>, list: List, rules: &'static [Rule], given: Given<'_, 's>) {
        let list = list_of(list);
        let conversation = text_of(given.value()).and_then(|text| {
            // The only answer of a list is read as one that stands alone.
            let alone = only_object(&text).filter(|_| list == ListOf::Output).and_then(|body| {
                let read = content::conversation_from_json(body, candidate::role_of(list), self.python)?;
                (!read.more.is_empty()).then_some(read)
            });
            let read =
                alone.or_else(|| content::conversation_from_json(&text, candidate::role_of(list), self.python))?;
            Some(read.into_owned())
        });
        let Some(Conversation { messages, instructions, tools, more }) = conversation else {
            return self.list(work, list, given);
        };
        let nested = std::mem::replace(&mut self.part, true);
        for (list, body) in [
            (list, Body::Messages(messages)),
            (ListOf::Instructions, Body::Parts(instructions)),
            (ListOf::Tools, Body::Tools(tools)),
        ] {
            if !body.is_empty() {
                self.foreign = true;
                let number = self.claim(&work, About::List(list), Outcome::Open, "");
                self.candidates.push(Candidate { list, rank: work.rank, body, claims: number..number + 1 });
            }
        }
        if !more.is_empty() {
            self.members(work, rules, Given::Made(&Value::Str(format!("{{{more}}}").into())));
        }
        self.part = nested;
    }

    /// A piece of the only message; see [`Job::single_pieces`].
    pub(super) fn piece(&mut self, work: Work<'_>, list: List, piece: Piece, given: Given<'_, 's>) {
        let text = match given {
            Given::Source(value) => text_of(value),
            Given::Made(value) | Given::Json(value) => text_of(value).map(|text| Cow::Owned(text.into_owned())),
        };
        self.pieces.push(PieceWork {
            dialect: work.meaning.dialect,
            list,
            rank: work.rank,
            attribute: work.attribute,
            part: self.part,
            piece: Numbered { number: 0, inner: 0, piece, text: text.unwrap_or(Cow::Borrowed("")) },
        });
    }

    /// Pieces that stand in keys of their own: one message of each dialect and list.
    pub(super) fn single_pieces(&mut self) {
        let mut pieces = std::mem::take(&mut self.pieces);
        pieces.sort_by_key(|work| (work.dialect, work.list));
        let mut pieces = pieces.into_iter().peekable();
        while let Some(first) = pieces.next() {
            let (dialect, list) = (first.dialect, first.list);
            let mut group = vec![first];
            while let Some(next) = pieces.next_if(|next| (next.dialect, next.list) == (dialect, list)) {
                group.push(next);
            }
            self.fold(dialect, list, group);
        }
    }

    pub(super) fn family(&mut self, group: &[MemberWork<'_, 's>]) {
        let Some(first) = group.first() else { return };
        let (family, dialect, list) = (first.family, first.family.dialect, first.family.list);
        let mut pieces = Vec::with_capacity(group.len());
        for work in group {
            let Some((_, value)) = self.source.attributes.get(work.attribute) else { continue };
            let reason = match family.piece(&work.member) {
                None => Reason::Unknown,
                Some((Piece::Keep(reason), _)) => reason,
                Some((Piece::Vector, _)) => {
                    self.vector(work, value);
                    continue;
                }
                Some((piece, inner)) => {
                    let number = work.member.number.unwrap_or(0);
                    let text = text_of(value).unwrap_or(Cow::Borrowed(""));
                    pieces.push(PieceWork {
                        dialect,
                        list,
                        rank: work.rank,
                        attribute: work.attribute,
                        part: false,
                        piece: Numbered { number, inner, piece, text },
                    });
                    continue;
                }
            };
            self.claims.push(Claim {
                from: From::Attribute(work.attribute),
                dialect,
                about: About::Nothing,
                outcome: Outcome::Kept(reason),
                part: false,
                rule: "a piece that no message has a place for stays",
            });
        }
        self.fold(dialect, list, pieces);
    }

    /// Of a vector only its dimensions are said: a structured list, or the JSON of one. The vector stays.
    fn vector(&mut self, work: &MemberWork<'_, 's>, value: &Value<'s>) {
        let field = Field::EmbeddingsDimensionCount;
        let (outcome, rule) = match dimensions(value).map(|count| self.offer(field, Scalar::Int(count), None)) {
            None => (Outcome::Kept(Reason::Shape), "no vector; it stays"),
            Some(Offered::Conflict) => (Outcome::Kept(Reason::Conflict), "a vector of another length; it stays"),
            Some(_) => (Outcome::Kept(Reason::SaysMore), "the number of its dimensions is said; it stays"),
        };
        self.foreign = true;
        self.claims.push(Claim {
            from: From::Attribute(work.attribute),
            dialect: work.family.dialect,
            about: About::Field(field),
            outcome,
            part: false,
            rule,
        });
    }

    /// Folds the pieces of one list into a candidate, with a claim for each.
    fn fold(&mut self, dialect: u8, list: List, group: Vec<PieceWork<'s>>) {
        let Some(rank) = group.iter().map(|work| work.rank).min() else { return };
        let python = self.index.table(dialect).is_some_and(|table| table.python);
        let start = self.claims.len();
        for work in &group {
            let is_reason = work.piece.piece == Piece::FinishReason;
            self.user_text |= work.piece.piece == Piece::UserText;
            if is_reason && !work.piece.text.is_empty() {
                self.reasons.push((self.claims.len(), work.piece.text.clone()));
            }
            self.claims.push(Claim {
                from: From::Attribute(work.attribute),
                dialect,
                about: match is_reason {
                    true => About::Field(Field::ResponseFinishReasons),
                    false => About::List(list_of(list)),
                },
                outcome: Outcome::Open,
                part: work.part,
                rule: "",
            });
        }
        let pieces = group.into_iter().map(|work| work.piece).collect();
        let body = match list {
            List::Tools => Body::Tools(fold::tools(pieces, python)),
            List::Documents => Body::Documents(fold::documents(pieces, python)),
            List::Input | List::Output => Body::Messages(fold::messages(pieces, list, python)),
        };
        if let Body::Documents(documents) = &body
            && documents.iter().any(Document::is_nothing)
        {
            let (outcome, rule) = (Outcome::Kept(Reason::Shape), "a document without content, id and score stays");
            self.settle(start..self.claims.len(), outcome, rule);
            return;
        }
        self.foreign = true;
        self.candidates.push(Candidate { list: list_of(list), rank, body, claims: start..self.claims.len() });
    }

    pub(super) fn events(&mut self, winner: u8) {
        for wanted in [List::Input, List::Output] {
            let about = About::List(list_of(wanted));
            let start = self.claims.len();
            let mut messages = Vec::new();
            for (number, event) in self.source.events.iter().enumerate() {
                let mut rules = self.index.events.iter().filter_map(|(dialect, rule)| match rule.action {
                    EventAction::Message(message) if message.list == wanted && rule.matches(event.name) => {
                        Some((*dialect, message))
                    }
                    _ => None,
                });
                let first = rules.next();
                let Some((dialect, rule)) = rules.find(|(dialect, _)| *dialect == winner).or(first) else {
                    continue;
                };
                let python = self.index.table(dialect).is_some_and(|table| table.python);
                let read = fold::event_messages(event, &rule, python);
                let (outcome, rule) = match &read {
                    Some((none, true)) if none.is_empty() => {
                        (Outcome::Discarded(Reason::Empty), "an event without a text is no message")
                    }
                    Some((_, true)) => (Outcome::Open, ""),
                    Some((_, false)) => (Outcome::Kept(Reason::SaysMore), "the event says more than its message"),
                    None => (Outcome::Kept(Reason::Shape), "content in a shape that nobody knows stays"),
                };
                self.claims.push(Claim { from: From::Event(number), dialect, about, outcome, part: false, rule });
                messages.extend(read.into_iter().flat_map(|(messages, _)| messages));
            }
            if !messages.is_empty() {
                self.foreign = true;
                self.candidates.push(Candidate {
                    list: list_of(wanted),
                    rank: RANK_EVENTS,
                    body: Body::Messages(messages),
                    claims: start..self.claims.len(),
                });
            }
        }
    }

    /// Takes the first candidate of a list and compares the others with it.
    pub(super) fn resolve(&mut self, list: ListOf) {
        // The first of those that are believed soonest.
        let of_list = |candidate: &Candidate<'_>| candidate.list == list;
        let ranks = self.candidates.iter().enumerate().filter(|(_, candidate)| of_list(candidate));
        let Some((first, _)) = ranks.min_by_key(|(_, candidate)| candidate.rank) else { return };
        let mut chosen = self.candidates.remove(first);
        let mut others: Vec<Candidate<'s>> = self.candidates.extract_if(.., |candidate| of_list(candidate)).collect();
        others.sort_by_key(|candidate| candidate.rank);
        for other in others {
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
            (ListOf::Documents, Body::Documents(documents)) => self.operation.documents = Content::Read(documents),
            (ListOf::Input, _) => self.operation.input = Content::Current,
            (ListOf::Output, _) => self.operation.output = Content::Current,
            (ListOf::Instructions, _) => self.operation.instructions = Content::Current,
            (ListOf::Tools, _) => self.operation.tools = Content::Current,
            (ListOf::Documents, _) => self.operation.documents = Content::Current,
        }
    }

    /// Compares what was said otherwise with what is said in the end: a correction may agree with it.
    pub(in crate::genai) fn reconsider(&mut self) {
        for (key, verdict) in std::mem::take(&mut self.operation.settled) {
            for claim in self.claims.iter_mut().filter(|claim| key_of(claim, self.source) == Some(key)) {
                claim.about = About::Nothing;
                (claim.outcome, claim.rule) = match verdict {
                    Verdict::Expressed => (Outcome::Expressed(Reason::None), "the dialect has other words for it"),
                    Verdict::Repaired(reason) => (Outcome::Expressed(reason), "the dialect repairs it"),
                    Verdict::Discarded(reason) => (Outcome::Discarded(reason), "it says nothing here"),
                    Verdict::Kept(reason) => (Outcome::Kept(reason), "the dialect takes it for something else"),
                };
            }
        }
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
            ListOf::Instructions | ListOf::Tools | ListOf::Documents => return false,
        };
        let Content::Read(read) = messages else { return false };
        let mut body = Body::Messages(std::mem::take(read));
        let agrees = covers(&body, &other.body, other.list) || add_calls(&mut body, &other.body, other.list);
        if let (Content::Read(read), Body::Messages(body)) = (messages, body) {
            *read = body;
        }
        agrees
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
    pub(super) fn finish_reasons(&mut self) {
        if let Some(messages) = self.operation.output.read() {
            let said: Vec<Cow<'s, str>> = messages
                .iter()
                .filter_map(|message| message.finish_reason.clone())
                .filter(|reason| !reason.is_empty())
                .collect();
            if !said.is_empty()
                && let Some(Coerced::Value(said)) = self.as_current(Field::ResponseFinishReasons, Scalar::Strings(said))
            {
                let first = self.reasons.first().map(|(claim, _)| *claim);
                self.offer(Field::ResponseFinishReasons, said, first);
            }
        }
        let known = match self.operation.get(Field::ResponseFinishReasons) {
            Some(Scalar::Strings(known)) => known.clone(),
            _ => Vec::new(),
        };
        for (claim, reason) in std::mem::take(&mut self.reasons) {
            let word = content::message_finish_reason(reason.clone());
            let same = known.iter().any(|known| content::message_finish_reason(known.clone()) == word);
            let read = self.as_current(Field::ResponseFinishReasons, Scalar::Strings(vec![reason]));
            let Some(claim) = self.claims.get_mut(claim) else { continue };
            (claim.outcome, claim.rule) = match read {
                _ if same => (Outcome::Expressed(Reason::None), "collected into the list of finish reasons"),
                Some(Coerced::Absent) => (Outcome::Discarded(Reason::Empty), "an empty value is no value"),
                _ => (Outcome::Kept(Reason::Conflict), "another reason was said first; this stays"),
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

/// How many numbers a vector has.
pub(in crate::genai) fn dimensions(value: &Value<'_>) -> Option<i64> {
    let count = match value {
        Value::Array(array) => {
            array.iter().all(|number| matches!(number, Value::Double(_) | Value::Int(_))).then(|| array.iter().count())
        }
        Value::Str(text) => {
            let vector = json::parse(text).filter(|node| node.is_array())?;
            vector.elements().all(|node| node.kind() == json::Kind::Number).then(|| vector.elements().count())
        }
        _ => None,
    };
    i64::try_from(count.filter(|count| *count > 0)?).ok()
}

fn list_of(list: List) -> ListOf {
    match list {
        List::Input => ListOf::Input,
        List::Output => ListOf::Output,
        List::Tools => ListOf::Tools,
        List::Documents => ListOf::Documents,
    }
}

/// The object of a JSON list that holds one, and nothing else.
fn only_object(text: &str) -> Option<&str> {
    let list = json::parse(text.trim_start()).filter(|_| text.trim_start().starts_with('['))?;
    let mut elements = list.elements();
    match (elements.next(), elements.next()) {
        (Some(only), None) if only.is_object() => Some(only.text()),
        _ => None,
    }
}
