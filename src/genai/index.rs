//! All dialects as one lookup: which dialects know a key, and what each means by it.
//!
//! Built once, at start. Most spans of a service are no LLM operations, so the first question,
//! [`Index::may_concern`], is answered by looking at a few bytes of each key, whatever the number
//! of dialects.

mod first_look;
mod prefixes;

use std::collections::HashMap;

use foldhash::fast::FixedState;

use self::first_look::FirstLook;
use self::prefixes::Prefixes;
use super::convention::{self, Convention};
use super::dialect::{Action, Dialect, EventAction, EventRule, Family, Piece, Reason, Rule, Sign, user::UserRule};
use super::field::Field;
use super::values::ValueMap;
use crate::otlp::traces::Origin;

/// Sets of dialects are 64 bits, and so are their scores a cache line or four.
pub(super) const MAX_DIALECTS: usize = 64;

const _: () = assert!(super::dialect::BUILT_IN.len() < MAX_DIALECTS, "one place is the user's");

/// A prefix that speaks for a dialect.
#[derive(Debug, Clone, Copy)]
struct PrefixTell {
    /// Which of all: each counts once for a span.
    place: u8,
    dialect: u8,
    weight: u16,
}

/// What one dialect means by a key.
#[derive(Debug, Clone)]
pub(super) struct Meaning {
    /// The dialect's number in [`Index::dialects`].
    pub(super) dialect: u8,
    /// Earlier rules of one dialect are preferred.
    pub(super) order: u16,
    pub(super) action: Action,
    pub(super) values: ValueMap,
    pub(super) guarded: bool,
    /// Counts only where something else speaks for the dialect.
    pub(super) own: bool,
    /// Is believed before the current name, where the dialect leads.
    pub(super) corrects: bool,
}

impl Meaning {
    /// What a rule says; `order` is its place in its table.
    pub(super) fn new(dialect: u8, order: usize, rule: &Rule) -> Meaning {
        let Rule { action, guarded, own, corrects, .. } = *rule;
        let order = order.min(usize::from(u16::MAX) - 100) as u16;
        let values = rule.values.map_or(ValueMap::None, ValueMap::Table);
        Meaning { dialect, order, action, values, guarded, own, corrects }
    }

    /// Whether a span with such a key has to be looked at: it may be an operation, and whether it is
    /// is said by the guard or by what else stands on the span.
    fn is_worth_a_look(&self) -> bool {
        self.guarded || self.starts()
    }

    /// Whether a span with such a key is an LLM operation, if this meaning counts.
    pub(super) fn starts(&self) -> bool {
        if self.guarded {
            return false;
        }
        starts(self.action)
    }
}

fn starts(action: Action) -> bool {
    match action {
        Action::Field(field) => !is_general(field),
        Action::Keep(_) | Action::Sentinel(_) | Action::Url | Action::Read(_) => false,
        // What says which operation it is, makes it one.
        Action::Copy(field) => field == Field::OperationName,
        // A common word; the operation has to be said by something else.
        Action::ByOperation(_) | Action::Variables => false,
        Action::Members(rules) => rules.iter().any(|rule| starts(rule.action)),
        Action::BySpanName(actions) => actions.iter().any(|(_, action)| starts(*action)),
        Action::Marks => true,
        Action::Total
        | Action::Input
        | Action::Messages(_)
        | Action::Body(..)
        | Action::Output
        | Action::Instructions
        | Action::Tools
        | Action::Documents
        | Action::Piece(..)
        | Action::Usage => true,
    }
}

/// All that is known of a key.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// Who means what by it, at most one meaning a dialect.
    pub(super) meanings: Vec<Meaning>,
    /// For whom it speaks, and how loudly.
    tells: Vec<(u8, u16)>,
    /// What its prefixes say, looked up beforehand: a known key is not compared with them span by span.
    prefix_tells: Vec<PrefixTell>,
}

impl Entry {
    /// The meaning that counts: of the dialect with the least rank, and of those that mean something
    /// by a common word only the ones that speak on the span.
    pub(super) fn meaning(&self, rank: impl Fn(u8) -> u32, speaks: impl Fn(u8) -> bool) -> Option<&Meaning> {
        self.meanings
            .iter()
            .filter(|meaning| !meaning.own || speaks(meaning.dialect))
            .min_by_key(|meaning| rank(meaning.dialect))
    }
}

/// A family's prefix and who uses it.
#[derive(Debug)]
pub(super) struct FamilyEntry {
    pub(super) prefix: &'static str,
    pub(super) families: Vec<(u8, &'static Family)>,
}

/// A key of a family, taken apart: `gen_ai.prompt.3.tool_calls.1.id` is number 3, inner number 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Member<'k> {
    pub(super) family: usize,
    /// `None` without a number (`gen_ai.completion.role`).
    pub(super) number: Option<u32>,
    pub(super) rest: &'k str,
}

/// What a key turned out to be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Found<'i, 'k> {
    Entry(&'i Entry),
    Member(Member<'k>),
    /// Under a prefix whose keys stay.
    Kept(u8, Reason),
    /// What it means on the event that it stands on.
    OnEvent(&'i Meaning),
    Foreign,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) dialects: Vec<&'static str>,
    tables: Vec<Option<&'static Dialect>>,
    first: FirstLook,
    exact: HashMap<Box<str>, Entry, FixedState>,
    pub(super) families: Vec<FamilyEntry>,
    family_prefixes: Prefixes<usize>,
    prefix_tells: Prefixes<PrefixTell>,
    /// How many of them there are.
    told: u8,
    origin_tells: Vec<(Sign, u8, u16)>,
    name_tells: Vec<(Sign, u8, u16)>,
    kept: Prefixes<(u8, Reason)>,
    /// The dialect that the conventions' own names belong to.
    otel: Option<u8>,
    /// Fields whose current names hold some emitter's own words.
    reworded: Vec<Field>,
    pub(super) events: Vec<(u8, EventRule)>,
    /// What attributes mean on one event only.
    on_events: Vec<(EventRule, &'static str, Meaning)>,
}

/// Fields that every kind of span may have: they never make a span an LLM operation.
fn is_general(field: Field) -> bool {
    matches!(
        field,
        Field::ErrorType
            | Field::ServerAddress
            | Field::ServerPort
            | Field::UserId
            | Field::NetworkTransport
            | Field::RpcResponseStatusCode
            | Field::JsonrpcRequestId
            | Field::AzureResourceProviderNamespace
            | Field::AzureServiceRequestId
    )
}

impl Index {
    /// An index of a user's rules, if any, and of `dialects`. The conventions' own names belong to
    /// the dialect called `otel`.
    pub(super) fn new(user: Vec<UserRule>, dialects: &[&'static Dialect]) -> Index {
        let mut index = Index {
            dialects: Vec::new(),
            tables: Vec::new(),
            first: FirstLook::default(),
            exact: HashMap::default(),
            families: Vec::new(),
            family_prefixes: Prefixes::default(),
            prefix_tells: Prefixes::default(),
            told: 0,
            origin_tells: Vec::new(),
            name_tells: Vec::new(),
            otel: None,
            kept: Prefixes::default(),
            reworded: Vec::new(),
            events: Vec::new(),
            on_events: Vec::new(),
        };
        if !user.is_empty() {
            index.dialects.push(super::dialect::user::NAME);
            index.tables.push(None);
            for (order, rule) in user.into_iter().enumerate() {
                let meaning = Meaning {
                    dialect: 0,
                    order: order.min(usize::from(u16::MAX)) as u16,
                    action: rule.action,
                    values: rule.values,
                    guarded: false,
                    own: false,
                    corrects: false,
                };
                index.add(&rule.key, meaning);
            }
        }
        for dialect in dialects {
            index.add_dialect(dialect);
        }
        for (key, entry) in &mut index.exact {
            entry.prefix_tells = index.prefix_tells.of(key).map(|(_, tell)| *tell).collect();
        }
        index
    }

    fn add_dialect(&mut self, dialect: &'static Dialect) {
        let number = self.dialects.len().min(MAX_DIALECTS - 1) as u8;
        self.dialects.push(dialect.name);
        self.tables.push(Some(dialect));
        for (order, rule) in dialect.keys.iter().enumerate() {
            self.add(rule.key, Meaning::new(number, order, rule));
        }
        self.reworded.extend(dialect.keys.iter().filter_map(|rule| match rule.action {
            Action::Field(field) if rule.values.is_some() => {
                let is_own =
                    |convention: &&Convention| convention.name(field).is_some_and(|(name, _)| name == rule.key);
                convention::ALL.iter().any(is_own).then_some(field)
            }
            _ => None,
        }));
        if dialect.name == super::dialect::otel::NAME {
            self.otel = Some(number);
            convention::ALL.iter().for_each(|convention| self.add_convention(number, convention));
        }
        for family in dialect.families {
            match self.families.iter_mut().find(|entry| entry.prefix == family.prefix) {
                Some(entry) => entry.families.push((number, family)),
                None => {
                    self.first.add_prefix(family.prefix);
                    self.family_prefixes.add(family.prefix, self.families.len());
                    self.families.push(FamilyEntry { prefix: family.prefix, families: vec![(number, family)] });
                }
            }
        }
        for tell in dialect.tells {
            match tell.sign {
                Sign::Key(key) => {
                    self.exact.entry(key.into()).or_default().tells.push((number, tell.weight));
                }
                Sign::KeyPrefix(prefix) => {
                    self.prefix_tells
                        .add(prefix, PrefixTell { place: self.told, dialect: number, weight: tell.weight });
                    self.told = self.told.saturating_add(1);
                }
                sign @ (Sign::SpanName(_) | Sign::SpanNamePrefix(_)) => {
                    self.name_tells.push((sign, number, tell.weight));
                }
                sign => self.origin_tells.push((sign, number, tell.weight)),
            }
        }
        for (prefix, reason) in dialect.kept {
            if *reason == Reason::Unknown {
                self.first.add_prefix(prefix);
            }
            self.kept.add(prefix, (number, *reason));
        }
        for event in dialect.events {
            self.events.push((number, *event));
            if let EventAction::Rules(rules) = event.action {
                let meanings = rules.iter().enumerate();
                self.on_events
                    .extend(meanings.map(|(order, rule)| (*event, rule.key, Meaning::new(number, order, rule))));
            }
        }
    }

    fn add_convention(&mut self, number: u8, convention: &Convention) {
        for name in convention.all_names() {
            let Some(attribute) = name.attribute else { continue };
            let meaning = Meaning {
                dialect: number,
                order: 0,
                action: Action::Field(name.field),
                values: ValueMap::None,
                guarded: false,
                own: false,
                corrects: false,
            };
            self.add(attribute, meaning);
        }
    }

    fn add(&mut self, key: &str, meaning: Meaning) {
        // A span with bare keys has to be looked at; whether it is an operation the guard says.
        if meaning.is_worth_a_look() {
            self.first.add_key(key);
        }
        let entry = self.exact.entry(key.into()).or_default();
        if !entry.meanings.iter().any(|known| known.dialect == meaning.dialect) {
            entry.meanings.push(meaning);
        }
    }

    /// The table of a dialect; a user's mappings have none.
    pub(super) fn table(&self, dialect: u8) -> Option<&'static Dialect> {
        self.tables.get(usize::from(dialect)).copied().flatten()
    }

    /// Whether it is the dialect that the conventions' own names belong to.
    pub(super) fn is_otel(&self, dialect: u8) -> bool {
        self.otel == Some(dialect)
    }

    /// Whether one of the dialects that `speaks` is true of gives this name to its spans; see
    /// [`super::dialect::SpanName::matches`].
    pub(super) fn names_span(
        &self,
        name: &str,
        scope_name: &str,
        has: impl Fn(&str) -> bool,
        speaks: impl Fn(u8) -> bool,
    ) -> bool {
        self.tables.iter().enumerate().any(|(number, table)| {
            table.is_some_and(|table| {
                speaks(number as u8) && table.span_names.iter().any(|known| known.matches(name, scope_name, &has))
            })
        })
    }

    /// Whether a span with these keys and events may be an LLM operation; `false` is certain.
    #[inline]
    pub(super) fn may_concern<'k>(&self, mut keys: impl Iterator<Item = &'k [u8]>) -> bool {
        keys.any(|key| self.first.may_know(key) && std::str::from_utf8(key).is_ok_and(|key| self.knows(key)))
    }

    /// Whether an event of this name carries content.
    pub(super) fn knows_event(&self, name: &str) -> bool {
        self.events.iter().any(|(_, event)| event.matches(name))
    }

    /// Whether the attributes of an event of this name are read as if they stood on the span.
    pub(super) fn lends(&self, name: &str) -> bool {
        let lends = |event: &EventRule| matches!(event.action, EventAction::Attributes | EventAction::Rules(_));
        self.events.iter().any(|(_, event)| lends(event) && event.matches(name))
    }

    /// Whether the attributes of an event of this name mean something there only.
    pub(super) fn has_rules_on(&self, event: &str) -> bool {
        self.on_events.iter().any(|(rule, ..)| rule.matches(event))
    }

    /// What an attribute means on an event of this name, and there only.
    pub(super) fn on_event(&self, event: &str, key: &str) -> Option<&Meaning> {
        let meant = |(rule, known, _): &&(EventRule, &str, Meaning)| *known == key && rule.matches(event);
        self.on_events.iter().find(meant).map(|(.., meaning)| meaning)
    }

    #[cold]
    fn knows(&self, key: &str) -> bool {
        match self.find(key) {
            Found::Entry(entry) => entry.meanings.iter().any(Meaning::is_worth_a_look),
            Found::Member(_) => true,
            // What nobody knows is counted, also where nothing else is known.
            Found::Kept(_, reason) => reason == Reason::Unknown,
            Found::OnEvent(_) | Found::Foreign => false,
        }
    }

    /// The words in which a field's current name is read, if they are not its own. `rank` says whose
    /// meaning counts.
    pub(super) fn words_of(&self, field: Field, attribute: &str, rank: impl Fn(u8) -> u32) -> Option<&ValueMap> {
        if !self.reworded.contains(&field) {
            return None;
        }
        let meaning = self.exact.get(attribute)?.meanings.iter().min_by_key(|meaning| rank(meaning.dialect))?;
        (!matches!(meaning.values, ValueMap::None)).then_some(&meaning.values)
    }

    /// The dialect whose meaning of a field's current name counts.
    pub(super) fn reader_of(&self, attribute: &str, rank: impl Fn(u8) -> u32) -> Option<u8> {
        let meanings = &self.exact.get(attribute)?.meanings;
        meanings.iter().map(|meaning| meaning.dialect).min_by_key(|dialect| rank(*dialect))
    }

    /// Whether any dialect means something like this by a key.
    pub(super) fn says(&self, key: &str, wanted: impl Fn(Action) -> bool) -> bool {
        self.exact.get(key).is_some_and(|entry| entry.meanings.iter().any(|meaning| wanted(meaning.action)))
    }

    /// What a key is.
    pub(super) fn find<'k>(&self, key: &'k str) -> Found<'_, 'k> {
        self.find_as(self.exact.get(key), key)
    }

    /// As [`Index::find`] and [`Index::score`], with one look.
    pub(super) fn find_and_score<'k>(
        &self,
        key: &'k str,
        scores: &mut [u32],
        seen: &mut u128,
    ) -> (Found<'_, 'k>, bool) {
        let entry = self.exact.get(key);
        (self.find_as(entry, key), self.score_as(entry, key, scores, seen))
    }

    fn find_as<'i, 'k>(&'i self, entry: Option<&'i Entry>, key: &'k str) -> Found<'i, 'k> {
        if let Some(entry) = entry
            && !entry.meanings.is_empty()
        {
            return Found::Entry(entry);
        }
        if let Some(member) = self.member(key) {
            return Found::Member(member);
        }
        match self.kept.longest(key) {
            Some((dialect, reason)) => Found::Kept(*dialect, *reason),
            None => Found::Foreign,
        }
    }

    fn member<'k>(&self, key: &'k str) -> Option<Member<'k>> {
        for (prefix, &family) in self.family_prefixes.of(key) {
            let (Some(entry), Some(rest)) = (self.families.get(family), key.strip_prefix(prefix)) else { continue };
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            if digits == 0 {
                if entry.families.iter().any(|(_, family)| family.unindexed.iter().any(|(name, _)| *name == rest)) {
                    return Some(Member { family, number: None, rest });
                }
                continue;
            }
            let Ok(number) = rest[..digits].parse::<u32>() else { continue };
            match rest.as_bytes().get(digits) {
                None => return Some(Member { family, number: Some(number), rest: "" }),
                Some(b'.') => return Some(Member { family, number: Some(number), rest: &rest[digits + 1..] }),
                Some(_) => {}
            }
        }
        None
    }

    /// Adds what a key says for dialects, and returns whether it says anything. `seen` notes which
    /// prefixes spoke already, for each counts once.
    pub(super) fn score(&self, key: &str, scores: &mut [u32], seen: &mut u128) -> bool {
        self.score_as(self.exact.get(key), key, scores, seen)
    }

    fn score_as(&self, entry: Option<&Entry>, key: &str, scores: &mut [u32], seen: &mut u128) -> bool {
        let mut tells = false;
        let mut by_prefix = |tell: &PrefixTell| {
            let bit = 1u128.checked_shl(u32::from(tell.place)).unwrap_or(0);
            if *seen & bit == 0 {
                *seen |= bit;
                add(scores, tell.dialect, u32::from(tell.weight));
            }
            tells = true;
        };
        match entry {
            Some(entry) => entry.prefix_tells.iter().for_each(by_prefix),
            None => self.prefix_tells.of(key).for_each(|(_, tell)| by_prefix(tell)),
        }
        for (dialect, weight) in entry.map_or(&[][..], |entry| &entry.tells) {
            tells = true;
            add(scores, *dialect, u32::from(*weight));
        }
        tells
    }

    /// Adds what a scope and a resource say for dialects.
    pub(super) fn score_origin(&self, origin: &Origin<'_>, scores: &mut [u32]) -> Shown {
        score_signs(&self.origin_tells, |sign| shows(sign, origin), scores)
    }

    /// As [`Index::score_origin`]: what a span's name says.
    pub(super) fn score_name(&self, name: &str, scores: &mut [u32]) -> Shown {
        let shows = |sign| match sign {
            Sign::SpanName(exact) => exact == name,
            Sign::SpanNamePrefix(prefix) => name.starts_with(prefix),
            _ => false,
        };
        score_signs(&self.name_tells, shows, scores)
    }
}

fn score_signs(tells: &[(Sign, u8, u16)], shows: impl Fn(Sign) -> bool, scores: &mut [u32]) -> Shown {
    let mut shown = Shown::default();
    let mut places = shown.0.iter_mut();
    for (sign, dialect, weight) in tells {
        if shows(*sign) {
            add(scores, *dialect, u32::from(*weight));
            if let Some(place) = places.next() {
                *place = Some((*dialect, *weight, *sign));
            }
        }
    }
    shown
}

/// Signs that a span's origin or name shows.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Shown([Option<(u8, u16, Sign)>; 4]);

impl Shown {
    /// What spoke loudest for a dialect.
    pub(super) fn loudest(&self, dialect: u8) -> Option<Sign> {
        let signs = self.0.iter().flatten().filter(|(of, _, _)| *of == dialect);
        signs.max_by_key(|(_, weight, _)| *weight).map(|(_, _, sign)| *sign)
    }
}

/// Whether a scope or a resource shows a sign; names and keys are looked at elsewhere.
fn shows(sign: Sign, origin: &Origin<'_>) -> bool {
    match sign {
        Sign::Scope(scope) => origin.scope_name == scope,
        Sign::ScopePrefix(prefix) => origin.scope_name.starts_with(prefix),
        Sign::UnversionedScopePrefix(prefix) => {
            origin.scope_name.starts_with(prefix)
                && origin.scope_version.starts_with("0.")
                && origin.schema_url.is_empty()
        }
        Sign::SchemaScopePrefix(prefix) => origin.scope_name.starts_with(prefix) && !origin.schema_url.is_empty(),
        Sign::Resource(key, value) => origin.resource.get(key).is_some_and(|found| found.as_str() == Some(value)),
        Sign::SpanName(_) | Sign::SpanNamePrefix(_) | Sign::Key(_) | Sign::KeyPrefix(_) => false,
    }
}

fn add(scores: &mut [u32], dialect: u8, weight: u32) {
    if let Some(score) = scores.get_mut(usize::from(dialect)) {
        *score = score.saturating_add(weight);
    }
}

/// The piece that `rest` is, and its inner number.
pub(super) fn piece(family: &Family, member: &Member<'_>) -> Option<(Piece, u32)> {
    let pieces = if member.number.is_some() { family.pieces } else { family.unindexed };
    pieces.iter().find_map(|(pattern, piece)| match pattern.split_once('#') {
        None => (*pattern == member.rest).then_some((*piece, 0)),
        Some((before, after)) => {
            let inner = member.rest.strip_prefix(before)?.strip_suffix(after)?;
            // `+1` would parse as a number, and is none.
            let plain = inner.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| inner.parse().ok()).flatten().map(|inner| (*piece, inner))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::dialect::List;
    use super::*;

    const FAMILY: Family = Family {
        prefix: "x.prompt.",
        list: List::Input,
        pieces: &[("role", Piece::Role), ("tool_calls.#.name", Piece::CallName), ("", Piece::Content)],
        unindexed: &[("role", Piece::Role)],
    };
    static DIALECT: Dialect = Dialect { families: &[FAMILY], ..Dialect::new("x") };

    fn read(key: &str) -> Option<(Option<u32>, Piece, u32)> {
        let index = Index::new(Vec::new(), &[&DIALECT]);
        match index.find(key) {
            Found::Member(member) => piece(&FAMILY, &member).map(|(piece, inner)| (member.number, piece, inner)),
            _ => None,
        }
    }

    #[test]
    fn a_family_key_needs_a_number() {
        assert_eq!(read("x.prompt.10.role"), Some((Some(10), Piece::Role, 0)));
        assert_eq!(read("x.prompt.0.tool_calls.12.name"), Some((Some(0), Piece::CallName, 12)));
        assert_eq!(read("x.prompt.0"), Some((Some(0), Piece::Content, 0)));
        assert_eq!(read("x.prompt.role"), Some((None, Piece::Role, 0)));
        for key in ["x.prompt.name", "x.prompt.0x.role", "x.prompt.99999999999.role", "x.prompt.0.tool_calls.+1.name"] {
            assert_eq!(read(key), None, "{key}");
        }
    }
}
