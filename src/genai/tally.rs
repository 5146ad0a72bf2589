//! What became of keys, as counts for a metric: `dragoman_genai_keys_total{dialect,outcome,reason}`.
//!
//! The labels are bounded by construction: a table of every dialect, outcome and reason.

use super::dialect::Reason;
use super::read::{Claim, Outcome};

const OUTCOMES: [&str; 3] = ["expressed", "kept", "discarded"];

/// Counts of a batch, or of a lifetime.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    dialects: Vec<&'static str>,
    counts: Vec<u64>,
}

impl Tally {
    pub(super) fn new(dialects: &[&'static str]) -> Tally {
        let dialects = dialects.to_vec();
        let counts = vec![0; dialects.len() * OUTCOMES.len() * Reason::ALL.len()];
        Tally { dialects, counts }
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
