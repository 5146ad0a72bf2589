//! One span, read until nothing more comes of it.
//!
//! Where several emitters spoke on a span, the keys by which one was known may be gone once they
//! are translated, and what was kept then means something else: a reader behind this one would
//! translate the span once more. The same holds where a quirk names the operation after keys were read
//! that mean something only beside its name. So it is read again here. Spans of one emitter are read once
//! (see [`Standing::is_unsettled`](super::read::Standing::is_unsettled)).

use std::collections::HashMap;

use super::read::{Claim, From, Outcome};
use super::source::Source;
use super::tally::Tally;
use super::translate::key_of;

/// How often a span is read at most. An emitter that fell silent stays so, so that two of them
/// need three readings.
pub(super) const PASSES: usize = 6;

/// What became of every key over several passes: what the first pass made of it, unless a later one
/// made something of what was kept.
#[derive(Debug)]
pub(super) struct Fates {
    claims: Vec<Claim>,
    /// The claims that may change: by key, or by the event's place in the span.
    kept: HashMap<Subject, usize>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
enum Subject {
    Attribute(String),
    Event(usize),
}

impl Fates {
    /// After the first pass.
    pub(super) fn new(claims: &[Claim], source: &Source<'_>) -> Fates {
        let kept = claims.iter().enumerate().filter(|(_, claim)| is_kept(claim));
        let kept = kept.filter_map(|(number, claim)| Some((subject(claim, source)?, number))).collect();
        Fates { claims: claims.to_vec(), kept }
    }

    /// After another pass.
    pub(super) fn update(&mut self, claims: &[Claim], source: &Source<'_>) {
        for claim in claims.iter().filter(|claim| !is_kept(claim)) {
            let before = subject(claim, source).and_then(|subject| self.kept.remove(&subject));
            if let Some(before) = before.and_then(|number| self.claims.get_mut(number)) {
                *before = *claim;
            }
        }
    }

    /// Counts every key once.
    pub(super) fn count(&self, tally: &mut Tally) {
        self.claims.iter().for_each(|claim| tally.count(claim));
    }
}

fn is_kept(claim: &Claim) -> bool {
    matches!(claim.outcome, Outcome::Kept(_) | Outcome::Open)
}

fn subject(claim: &Claim, source: &Source<'_>) -> Option<Subject> {
    match claim.from {
        From::Attribute(_) => key_of(claim, source).map(|key| Subject::Attribute(key.to_owned())),
        From::Event(number) => source.events.get(number).map(|event| Subject::Event(event.index)),
    }
}
