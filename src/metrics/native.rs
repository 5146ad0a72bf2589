//! Who speaks for a service whose application sends, by itself, a metric that is derived from its
//! spans too. Passed on both, under one name, they would add up.
//!
//! The derived metrics ([`super::families`]) and the stage that sees an application's own
//! (`processor/own_metrics.rs`) know of each other only through [`Derived`]. What is remembered is
//! bounded: hashes of a service, a metric and an operation.

use std::hash::BuildHasher;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use foldhash::quality::RandomState;

use crate::bounded::recent::Recent;

/// Series that mean the same, whoever records them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Subject<'a> {
    /// `service.name`; empty if not said.
    pub service: &'a str,
    /// The metric's name.
    pub metric: &'a str,
    /// `gen_ai.operation.name`; empty for every operation.
    pub operation: &'a str,
}

/// Derived metrics, as an application's own see them.
pub trait Derived: Send + Sync {
    /// Whether there is such a metric among them.
    fn derives(&self, metric: &str) -> bool;

    /// Whether this is derived: recorded at least once, and not long ago.
    fn has(&self, subject: &Subject<'_>) -> bool;

    /// The application sends this by itself. For as long as it does, nothing of the kind is derived,
    /// and what was derived before is gone.
    fn give_way(&self, subject: &Subject<'_>);
}

/// Services, metrics and operations that are remembered at most, each way.
const MAX_SUBJECTS: usize = 16_384;

/// An application exports every minute by default; one that stopped is taken to have stopped after
/// this long.
const OWN_FOR: Duration = Duration::from_secs(600);

/// A service that made no call for a night still exports the totals of the day before. They must not
/// return for having been silent.
const DERIVED_FOR: Duration = Duration::from_secs(24 * 3600);

/// What is known of both sides.
#[derive(Debug)]
pub(super) struct Standing {
    hasher: RandomState,
    derived: Mutex<Recent<u64, ()>>,
    own: Mutex<Recent<u64, ()>>,
}

impl Standing {
    pub(super) fn new() -> Standing {
        let recent = |ttl| Mutex::new(Recent::new(MAX_SUBJECTS, ttl));
        Standing { hasher: RandomState::default(), derived: recent(DERIVED_FOR), own: recent(OWN_FOR) }
    }

    /// Whether a measurement may be recorded; it is taken to be then.
    pub(super) fn may_record(&self, subject: &Subject<'_>) -> bool {
        let any = self.key(&Subject { operation: "", ..*subject });
        let exact = self.key(subject);
        {
            let own = lock(&self.own);
            if !own.is_empty() && [any, exact].iter().any(|key| own.contains(key)) {
                return false;
            }
        }
        self.is_counted(subject);
        true
    }

    /// What a service would say is recorded, if not for this service.
    pub(super) fn is_counted(&self, subject: &Subject<'_>) {
        let mut derived = lock(&self.derived);
        for key in [self.key(&Subject { operation: "", ..*subject }), self.key(subject)] {
            if !derived.contains(&key) {
                derived.insert(key, ());
            }
        }
    }

    pub(super) fn is_derived(&self, subject: &Subject<'_>) -> bool {
        let key = self.key(subject);
        let any = self.key(&Subject { operation: "", ..*subject });
        // Where two pipelines have two rules, what gave way in one is not there for the other.
        let gave_way = {
            let own = lock(&self.own);
            own.contains(&key) || own.contains(&any)
        };
        !gave_way && lock(&self.derived).contains(&key)
    }

    /// Returns whether this is news.
    pub(super) fn is_sent(&self, subject: &Subject<'_>) -> bool {
        let key = self.key(subject);
        let mut own = lock(&self.own);
        let known = own.contains(&key);
        own.insert(key, ());
        !known
    }

    fn key(&self, subject: &Subject<'_>) -> u64 {
        self.hasher.hash_one(subject)
    }
}

fn lock(memory: &Mutex<Recent<u64, ()>>) -> MutexGuard<'_, Recent<u64, ()>> {
    // What a panic left behind is whole: an entry is there or not.
    let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
    memory.tick();
    memory
}
