//! Dialects as a set, and how loudly something speaks for each.
//!
//! A span has something of two or three dialects out of forty, so that nothing here looks at all of
//! them.

/// Sets of dialects are 64 bits, and so are their scores a cache line or four.
pub(in crate::genai) const MAX_DIALECTS: usize = 64;

/// A set of dialects, by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::genai) struct Dialects(u64);

impl Dialects {
    #[inline]
    pub(in crate::genai) fn add(&mut self, dialect: u8) {
        self.0 |= bit(dialect);
    }

    #[inline]
    pub(in crate::genai) fn has(self, dialect: u8) -> bool {
        self.0 & bit(dialect) != 0
    }

    pub(in crate::genai) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether it is a single one.
    pub(in crate::genai) fn is_one(self) -> bool {
        self.0.is_power_of_two()
    }

    /// Those that are in both.
    #[inline]
    pub(in crate::genai) fn and(self, other: Dialects) -> Dialects {
        Dialects(self.0 & other.0)
    }

    /// Those that are in either.
    #[inline]
    pub(in crate::genai) fn or(self, other: Dialects) -> Dialects {
        Dialects(self.0 | other.0)
    }

    /// Those that are not in the other.
    #[inline]
    pub(in crate::genai) fn without(self, other: Dialects) -> Dialects {
        Dialects(self.0 & !other.0)
    }

    /// The one with the smallest number.
    #[inline]
    pub(in crate::genai) fn first(self) -> Option<u8> {
        (self.0 != 0).then_some(self.0.trailing_zeros() as u8)
    }

    /// All of them, the smallest number first.
    #[inline]
    pub(in crate::genai) fn iter(self) -> impl Iterator<Item = u8> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let first = Dialects(left).first()?;
            left &= left - 1;
            Some(first)
        })
    }

    /// How many have a smaller number.
    #[inline]
    pub(super) fn before(self, dialect: u8) -> usize {
        (self.0 & bit(dialect).wrapping_sub(1)).count_ones() as usize
    }
}

impl FromIterator<u8> for Dialects {
    fn from_iter<I: IntoIterator<Item = u8>>(dialects: I) -> Dialects {
        let mut all = Dialects::default();
        dialects.into_iter().for_each(|dialect| all.add(dialect));
        all
    }
}

/// No bit at all for a number that is none.
#[inline]
fn bit(dialect: u8) -> u64 {
    1u64.checked_shl(u32::from(dialect)).unwrap_or(0)
}

/// How loudly something speaks for each dialect.
#[derive(Debug, Clone)]
pub(in crate::genai) struct Scores {
    by_dialect: [u32; MAX_DIALECTS],
    /// Those that anything speaks for.
    scored: Dialects,
}

impl Default for Scores {
    fn default() -> Self {
        Scores { by_dialect: [0; MAX_DIALECTS], scored: Dialects::default() }
    }
}

impl Scores {
    #[inline]
    pub(in crate::genai) fn add(&mut self, dialect: u8, weight: u32) {
        if let Some(score) = self.by_dialect.get_mut(usize::from(dialect)) {
            *score = score.saturating_add(weight);
            self.scored.add(dialect);
        }
    }

    /// What was added for a dialect.
    #[inline]
    pub(in crate::genai) fn get(&self, dialect: u8) -> u32 {
        self.by_dialect.get(usize::from(dialect)).copied().unwrap_or(0)
    }

    /// The dialects that anything speaks for, with how loudly, in their order.
    #[inline]
    pub(in crate::genai) fn iter(&self) -> impl Iterator<Item = (u8, u32)> {
        self.scored.iter().map(|dialect| (dialect, self.get(dialect)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_gone_through_in_order() {
        let set: Dialects = [63, 0, 7, 200].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 7, 63]);
        assert_eq!([0, 7, 8, 63].map(|dialect| set.before(dialect)), [0, 1, 2, 2]);
        assert!(set.has(63) && !set.has(8) && !set.has(200));
        assert_eq!(Dialects::default().first(), None);
    }

    #[test]
    fn scores_add_up_and_only_what_scored_is_named() {
        let mut scores = Scores::default();
        for (dialect, weight) in [(40, 100), (3, 5), (40, u32::MAX), (64, 1)] {
            scores.add(dialect, weight);
        }
        assert_eq!(scores.iter().collect::<Vec<_>>(), [(3, 5), (40, u32::MAX)]);
    }
}
