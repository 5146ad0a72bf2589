//! All dialects as one lookup: which dialects know a key, and what each means by it.
//!
//! Built once, at start. Most spans of a service are no LLM operations, so the first question,
//! [`Index::may_concern`], is answered by looking at a few bytes of each key, whatever the number
//! of dialects.

mod entry;
mod families;
mod first_look;
mod origins;
mod prefixes;
mod scores;

use std::collections::HashMap;

use foldhash::fast::FixedState;

pub(super) use self::entry::{Entry, Meaning};
use self::families::FamilyEntry;
pub(super) use self::families::KnownFamily;
use self::first_look::FirstLook;
use self::origins::Origins;
use self::prefixes::Prefixes;
use self::scores::MAX_DIALECTS;
pub(super) use self::scores::{Dialects, Scores};
use super::convention::{self, Convention, Names};
use super::dialect::{Action, Dialect, EventAction, EventRule, Reason, Sign, user::UserRule};
use super::field::{Field, Fields};
use super::values::ValueMap;
use crate::otlp::traces::Origin;

const _: () = assert!(super::dialect::BUILT_IN.len() < MAX_DIALECTS, "one place is the user's");

/// A prefix that speaks for a dialect.
#[derive(Debug, Clone, Copy)]
struct PrefixTell {
    /// Which of all: each counts once for a span.
    place: u8,
    dialect: u8,
    weight: u16,
}

/// A sign and for whom it speaks, and how loudly.
#[derive(Debug, Clone, Copy)]
struct Tell {
    sign: Sign,
    dialect: u8,
    weight: u16,
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
    /// Known keys, as places in `entries`.
    exact: HashMap<Box<str>, usize, FixedState>,
    entries: Vec<Entry>,
    /// The entries of the target's own names, in the order of [`Field::ALL`].
    named: Vec<Option<usize>>,
    pub(super) families: Vec<FamilyEntry>,
    family_prefixes: Prefixes<usize>,
    prefix_tells: Prefixes<PrefixTell>,
    /// How many of them there are.
    told: u8,
    origins: Origins,
    name_tells: Vec<Tell>,
    kept: Prefixes<(u8, Reason)>,
    /// The dialect that the conventions' own names belong to.
    otel: Dialects,
    /// The user's mappings, as a dialect without a table.
    user: Dialects,
    /// Fields whose current names hold some emitter's own words.
    reworded: Fields,
    pub(super) events: Vec<(u8, EventRule)>,
    /// What attributes mean on one event only.
    on_events: Vec<(EventRule, &'static str, Meaning)>,
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
            entries: Vec::new(),
            named: Vec::new(),
            families: Vec::new(),
            family_prefixes: Prefixes::default(),
            prefix_tells: Prefixes::default(),
            told: 0,
            origins: Origins::default(),
            name_tells: Vec::new(),
            otel: Dialects::default(),
            user: Dialects::default(),
            kept: Prefixes::default(),
            reworded: Fields::default(),
            events: Vec::new(),
            on_events: Vec::new(),
        };
        if !user.is_empty() {
            index.dialects.push(super::dialect::user::NAME);
            index.tables.push(None);
            index.user.add(0);
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
        index.origins.settle();
        for (key, place) in &index.exact {
            if let Some(entry) = index.entries.get_mut(*place) {
                entry.prefix_tells = index.prefix_tells.of(key).map(|(_, tell)| *tell).collect();
            }
        }
        for entry in &mut index.families {
            let tells = || index.prefix_tells.of(entry.prefix).map(|(_, tell)| *tell).collect();
            entry.prefix_tells = (!index.prefix_tells.continues(entry.prefix)).then(tells);
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
        for rule in dialect.keys {
            if let Action::Field(field) = rule.action
                && rule.values.is_some()
                && convention::ALL
                    .iter()
                    .any(|convention| convention.name(field).is_some_and(|(name, _)| name == rule.key))
            {
                self.reworded.add(field);
            }
        }
        if dialect.name == super::dialect::otel::NAME {
            self.otel.add(number);
            convention::ALL.iter().for_each(|convention| self.add_convention(number, convention));
        }
        for family in dialect.families {
            match self.families.iter_mut().find(|entry| entry.prefix == family.prefix) {
                Some(entry) => entry.add(number, family),
                None => {
                    self.first.add_prefix(family.prefix);
                    self.family_prefixes.add(family.prefix, self.families.len());
                    let mut entry = FamilyEntry::new(family.prefix);
                    entry.add(number, family);
                    self.families.push(entry);
                }
            }
        }
        for tell in dialect.tells {
            match tell.sign {
                Sign::Key(key) => {
                    self.entry_of(key).tells.push((number, tell.weight));
                }
                Sign::KeyPrefix(prefix) => {
                    self.prefix_tells
                        .add(prefix, PrefixTell { place: self.told, dialect: number, weight: tell.weight });
                    self.told = self.told.saturating_add(1);
                }
                sign @ (Sign::SpanName(_) | Sign::SpanNamePrefix(_)) => {
                    self.name_tells.push(Tell { sign, dialect: number, weight: tell.weight });
                }
                sign => self.origins.add(Tell { sign, dialect: number, weight: tell.weight }),
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
        self.entry_of(key).add(meaning);
    }

    /// The entry of a key, an empty one if it was not known.
    fn entry_of(&mut self, key: &str) -> &mut Entry {
        let place = match self.exact.get(key) {
            Some(place) => *place,
            None => {
                self.exact.insert(key.into(), self.entries.len());
                self.entries.push(Entry::default());
                self.entries.len() - 1
            }
        };
        &mut self.entries[place]
    }

    /// Takes up the names of the target, which are read span by span.
    pub(super) fn name(mut self, names: &Names) -> Index {
        let place = |field: &Field| names.get(*field).and_then(|(attribute, _)| self.exact.get(attribute).copied());
        self.named = Field::ALL.iter().map(place).collect();
        self
    }

    /// What is known of a field's current name.
    fn named(&self, field: Field) -> Option<&Entry> {
        self.entries.get(self.named.get(field as usize).copied().flatten()?)
    }

    #[inline]
    fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.get(*self.exact.get(key)?)
    }

    /// The table of a dialect; a user's mappings have none.
    pub(super) fn table(&self, dialect: u8) -> Option<&'static Dialect> {
        self.tables.get(usize::from(dialect)).copied().flatten()
    }

    /// The dialect that the conventions' own names belong to.
    pub(super) fn otel(&self) -> Dialects {
        self.otel
    }

    /// The user's mappings.
    pub(super) fn user(&self) -> Dialects {
        self.user
    }

    /// Whether one of these dialects gives this name to its spans; see
    /// [`super::dialect::SpanName::matches`].
    pub(super) fn names_span(
        &self,
        name: &str,
        scope_name: &str,
        has: impl Fn(&str) -> bool,
        speaking: Dialects,
    ) -> bool {
        speaking
            .iter()
            .filter_map(|dialect| self.table(dialect))
            .any(|table| table.span_names.iter().any(|known| known.matches(name, scope_name, &has)))
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

    /// The words in which a field's current name is read, if they are not its own. `first` says whose
    /// meaning counts.
    pub(super) fn words_of(&self, field: Field, first: impl Fn(Dialects) -> Option<u8>) -> Option<&ValueMap> {
        if !self.reworded.has(field) {
            return None;
        }
        let entry = self.named(field)?;
        let meaning = entry.meaning_of(first(entry.dialects)?)?;
        (!matches!(meaning.values, ValueMap::None)).then_some(&meaning.values)
    }

    /// The dialect whose meaning of a field's current name counts.
    pub(super) fn reader_of(&self, field: Field, first: impl Fn(Dialects) -> Option<u8>) -> Option<u8> {
        first(self.named(field)?.dialects)
    }

    /// Whether any dialect means something like this by a key.
    pub(super) fn says(&self, key: &str, wanted: impl Fn(Action) -> bool) -> bool {
        self.get(key).is_some_and(|entry| entry.meanings.iter().any(|meaning| wanted(meaning.action)))
    }

    /// What a key is.
    pub(super) fn find<'k>(&self, key: &'k str) -> Found<'_, 'k> {
        self.find_as(self.get(key), key)
    }

    /// As [`Index::find`] and [`Index::score`], with one look.
    pub(super) fn find_and_score<'k>(
        &self,
        key: &'k str,
        scores: &mut Scores,
        seen: &mut u128,
    ) -> (Found<'_, 'k>, bool) {
        let entry = self.get(key);
        let found = self.find_as(entry, key);
        (found, self.score_as(entry, &found, key, scores, seen))
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
                if entry.has_unindexed(rest) {
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
    pub(super) fn score(&self, key: &str, scores: &mut Scores, seen: &mut u128) -> bool {
        self.find_and_score(key, scores, seen).1
    }

    fn score_as(
        &self,
        entry: Option<&Entry>,
        found: &Found<'_, '_>,
        key: &str,
        scores: &mut Scores,
        seen: &mut u128,
    ) -> bool {
        let mut tells = false;
        let mut by_prefix = |tell: &PrefixTell| {
            let bit = 1u128.checked_shl(u32::from(tell.place)).unwrap_or(0);
            if *seen & bit == 0 {
                *seen |= bit;
                scores.add(tell.dialect, u32::from(tell.weight));
            }
            tells = true;
        };
        let of_family = match (entry, found) {
            (Some(entry), _) => Some(&entry.prefix_tells),
            (None, Found::Member(member)) => {
                self.families.get(member.family).and_then(|entry| entry.prefix_tells.as_ref())
            }
            _ => None,
        };
        match of_family {
            Some(known) => known.iter().for_each(by_prefix),
            None => self.prefix_tells.of(key).for_each(|(_, tell)| by_prefix(tell)),
        }
        for (dialect, weight) in entry.map_or(&[][..], |entry| &entry.tells) {
            tells = true;
            scores.add(*dialect, u32::from(*weight));
        }
        tells
    }

    /// Adds what a scope and a resource say for dialects.
    pub(super) fn score_origin(&self, origin: &Origin<'_>, scores: &mut Scores) -> Shown {
        self.origins.score(origin, scores)
    }

    /// As [`Index::score_origin`]: what a span's name says.
    pub(super) fn score_name(&self, name: &str, scores: &mut Scores) -> Shown {
        let mut shown = Shown::default();
        for tell in &self.name_tells {
            let shows = match tell.sign {
                Sign::SpanName(exact) => exact == name,
                Sign::SpanNamePrefix(prefix) => name.starts_with(prefix),
                _ => false,
            };
            if shows {
                shown.add(*tell, scores);
            }
        }
        shown
    }
}

/// Signs that a span's origin or name shows.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Shown([Option<Tell>; 4]);

impl Shown {
    fn add(&mut self, tell: Tell, scores: &mut Scores) {
        scores.add(tell.dialect, u32::from(tell.weight));
        if let Some(place) = self.0.iter_mut().find(|place| place.is_none()) {
            *place = Some(tell);
        }
    }

    /// What spoke loudest for a dialect.
    pub(super) fn loudest(&self, dialect: u8) -> Option<Sign> {
        let tells = self.0.iter().flatten().filter(|tell| tell.dialect == dialect);
        tells.max_by_key(|tell| tell.weight).map(|tell| tell.sign)
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialect::{Family, List, Piece};
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
            Found::Member(member) => {
                let family = index.families.get(member.family).and_then(|entry| entry.of(0));
                family.and_then(|family| family.piece(&member)).map(|(piece, inner)| (member.number, piece, inner))
            }
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
