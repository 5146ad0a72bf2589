//! Families of keys: which of their pieces a key is, by patterns that were taken apart beforehand.

use super::scores::Dialects;
use super::{Member, PrefixTell};
use crate::genai::dialect::{Family, List, Piece};

/// A family's prefix and who uses it.
#[derive(Debug)]
pub(in crate::genai) struct FamilyEntry {
    pub(super) prefix: &'static str,
    /// In the order of the dialects.
    pub(in crate::genai) families: Vec<KnownFamily>,
    pub(in crate::genai) dialects: Dialects,
    /// What prefixes say of each of its keys. `None` if one of them is longer than the family's: then keys
    /// differ.
    pub(super) prefix_tells: Option<Vec<PrefixTell>>,
}

/// One dialect's family.
#[derive(Debug)]
pub(in crate::genai) struct KnownFamily {
    pub(in crate::genai) dialect: u8,
    pub(in crate::genai) list: List,
    pieces: Vec<Pattern>,
    unindexed: Vec<Pattern>,
}

/// `role`, or `tool_calls.#.id` as what stands before and after the number.
#[derive(Debug)]
struct Pattern {
    before: &'static str,
    after: Option<&'static str>,
    piece: Piece,
}

impl FamilyEntry {
    pub(super) fn new(prefix: &'static str) -> FamilyEntry {
        FamilyEntry { prefix, families: Vec::new(), dialects: Dialects::default(), prefix_tells: None }
    }

    pub(super) fn add(&mut self, dialect: u8, family: &Family) {
        self.families.push(KnownFamily::new(dialect, family));
        self.dialects.add(dialect);
    }

    /// The family of a dialect.
    pub(in crate::genai) fn of(&self, dialect: u8) -> Option<&KnownFamily> {
        self.families.iter().find(|family| family.dialect == dialect)
    }

    /// Whether a key without a number is one of somebody's.
    pub(super) fn has_unindexed(&self, rest: &str) -> bool {
        self.families.iter().any(|family| family.unindexed.iter().any(|pattern| pattern.whole() == Some(rest)))
    }
}

impl KnownFamily {
    fn new(dialect: u8, family: &Family) -> KnownFamily {
        let patterns = |pieces: &[(&'static str, Piece)]| pieces.iter().map(Pattern::new).collect();
        KnownFamily {
            dialect,
            list: family.list,
            pieces: patterns(family.pieces),
            unindexed: patterns(family.unindexed),
        }
    }

    /// The piece that a key is, and its inner number.
    pub(in crate::genai) fn piece(&self, member: &Member<'_>) -> Option<(Piece, u32)> {
        let patterns = if member.number.is_some() { &self.pieces } else { &self.unindexed };
        patterns.iter().find_map(|pattern| pattern.inner(member.rest).map(|inner| (pattern.piece, inner)))
    }
}

impl Pattern {
    fn new((pattern, piece): &(&'static str, Piece)) -> Pattern {
        match pattern.split_once('#') {
            None => Pattern { before: pattern, after: None, piece: *piece },
            Some((before, after)) => Pattern { before, after: Some(after), piece: *piece },
        }
    }

    /// The pattern, if it has no number in it.
    fn whole(&self) -> Option<&'static str> {
        self.after.is_none().then_some(self.before)
    }

    /// The number in what matches; 0 where the pattern has none.
    #[inline]
    fn inner(&self, rest: &str) -> Option<u32> {
        match self.after {
            None => (self.before == rest).then_some(0),
            Some(after) => {
                let inner = rest.strip_prefix(self.before)?.strip_suffix(after)?;
                // `+1` would parse as a number, and is none.
                let plain = inner.bytes().all(|byte| byte.is_ascii_digit());
                plain.then(|| inner.parse().ok()).flatten()
            }
        }
    }
}
