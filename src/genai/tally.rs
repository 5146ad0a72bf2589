//! What became of keys, as counts for metrics: `dragoman_genai_keys_total{dialect,outcome,reason}`,
//! `dragoman_genai_operations_total{operation}` and `dragoman_unmapped_keys_total{scope,key}`.
//!
//! The labels of the first are bounded by construction: a table of every dialect, outcome and reason.
//! The others hold what emitters write, and are bounded by [`Capped`].

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::dialect::Reason;
use super::read::{Claim, Outcome};

const OUTCOMES: [&str; 3] = ["expressed", "kept", "discarded"];

/// Counts of a batch, or of a lifetime.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    dialects: Vec<&'static str>,
    counts: Vec<u64>,
    /// Operations by their name.
    pub operations: Capped<String>,
    /// Keys under a known prefix that no dialect knows, by scope and key.
    pub unmapped: Capped<(String, String)>,
}

/// Counts by what may be anything: of so many different ones at most, the rest together.
#[derive(Debug, Clone)]
pub struct Capped<K> {
    counts: BTreeMap<K, u64>,
    /// Those that came when there was no more room.
    pub others: u64,
}

/// Different labels of one metric.
const MAX_LABELS: usize = 256;
/// Bytes of a label that an emitter writes.
const MAX_LABEL: usize = 128;

impl<K> Default for Capped<K> {
    fn default() -> Self {
        Capped { counts: BTreeMap::new(), others: 0 }
    }
}

impl<K: Ord> Capped<K> {
    /// Counts some.
    pub fn add(&mut self, label: K, count: u64) {
        let full = self.counts.len() >= MAX_LABELS;
        match self.counts.entry(label) {
            Entry::Occupied(mut known) => *known.get_mut() += count,
            Entry::Vacant(_) if full => self.others += count,
            Entry::Vacant(free) => {
                free.insert(count);
            }
        }
    }

    /// As [`Capped::add`], where the label is nearly always known already.
    fn add_known<Q: Ord + ?Sized + ToOwned<Owned = K>>(&mut self, label: &Q, count: u64)
    where
        K: Borrow<Q>,
    {
        match self.counts.get_mut(label) {
            Some(known) => *known += count,
            None => self.add(label.to_owned(), count),
        }
    }

    /// Adds other counts to these.
    pub fn append(&mut self, other: Capped<K>) {
        other.counts.into_iter().for_each(|(label, count)| self.add(label, count));
        self.others += other.others;
    }

    /// All that were counted by themselves.
    pub fn iter(&self) -> impl Iterator<Item = (&K, u64)> {
        self.counts.iter().map(|(label, count)| (label, *count))
    }
}

impl Tally {
    pub(super) fn new(dialects: &[&'static str]) -> Tally {
        let dialects = dialects.to_vec();
        let counts = vec![0; dialects.len() * OUTCOMES.len() * Reason::ALL.len()];
        Tally { dialects, counts, operations: Capped::default(), unmapped: Capped::default() }
    }

    /// Counts a key that no dialect knows. Numbers in it count as one: `llm.foo.N.bar`.
    pub(super) fn unmapped(&mut self, scope: &str, key: &str) {
        self.unmapped.add((shortened(scope).to_owned(), without_numbers(shortened(key))), 1);
    }

    /// Counts an operation.
    pub(super) fn operation(&mut self, name: &str) {
        self.operations.add_known(shortened(name), 1);
    }

    pub(super) fn count(&mut self, claim: &Claim) {
        let (outcome, reason) = match claim.outcome {
            Outcome::Expressed(reason) => (0, reason),
            Outcome::Kept(reason) => (1, reason),
            Outcome::Discarded(reason) => (2, reason),
            // Nobody decided, so nothing was done to it.
            Outcome::Open => (1, Reason::Unknown),
        };
        let place = (usize::from(claim.dialect) * OUTCOMES.len() + outcome) * Reason::ALL.len() + reason as usize;
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
        }
    }

    /// The counts in a fixed order, zeros included; for adding them to counters of the same order.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Dialect, outcome and reason of the count at `place` of [`Tally::counts`].
    pub fn labels(&self, place: usize) -> (&'static str, &'static str, &'static str) {
        let reason = Reason::ALL.get(place % Reason::ALL.len()).copied().unwrap_or(Reason::None);
        let outcome = place / Reason::ALL.len() % OUTCOMES.len();
        let dialect = place / Reason::ALL.len() / OUTCOMES.len();
        let dialect = self.dialects.get(dialect).copied().unwrap_or_default();
        (dialect, OUTCOMES.get(outcome).copied().unwrap_or_default(), reason.name())
    }

    /// All counts that are not zero, with their labels.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &'static str, &'static str, u64)> {
        self.counts.iter().enumerate().filter(|(_, count)| **count > 0).map(|(place, count)| {
            let (dialect, outcome, reason) = self.labels(place);
            (dialect, outcome, reason, *count)
        })
    }
}

fn shortened(label: &str) -> &str {
    label.get(..label.floor_char_boundary(MAX_LABEL)).unwrap_or(label)
}

fn without_numbers(key: &str) -> String {
    let segments = key.split('.').map(|segment| match segment.bytes().all(|byte| byte.is_ascii_digit()) {
        true if !segment.is_empty() => "N",
        _ => segment,
    });
    segments.collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_anybody_writes_are_bounded() {
        let mut tally = Tally::new(&["x"]);
        tally.unmapped("acme", "llm.foo.0.bar");
        tally.unmapped("acme", "llm.foo.12.bar");
        let same = tally.unmapped.iter().collect::<Vec<_>>();
        assert_eq!(same, [(&("acme".to_owned(), "llm.foo.N.bar".to_owned()), 2)]);
        for number in 0..1000 {
            tally.unmapped("acme", &format!("llm.x{number}"));
        }
        assert_eq!((tally.unmapped.iter().count(), tally.unmapped.others), (MAX_LABELS, 1001 - MAX_LABELS as u64));
        tally.unmapped("ü".repeat(100).as_str(), &"k".repeat(1000));
        assert!(tally.unmapped.iter().all(|((scope, key), _)| scope.len() <= MAX_LABEL && key.len() <= MAX_LABEL));
    }
}
