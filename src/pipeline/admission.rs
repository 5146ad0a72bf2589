//! What is asked before a request is taken: whether there is memory for it.
//!
//! Every byte of it is claimed on one budget, from the announcement of its body to the moment when the
//! last exporter has let go of it: `bounded::budget`. What the processes' limits are is read by
//! `processor::settings::memory_limiter`.

use std::sync::Arc;

use bytes::Bytes;

use crate::bounded::budget::{Budget, Claim, Spent};
use crate::otlp::Signal;
use crate::otlp::answer::Refusal;
use crate::otlp::outline;

/// Says whether a request may come in now, and how much all requests may hold together.
pub trait Admission: Send + Sync {
    /// Called before anything is done with a request.
    ///
    /// # Errors
    /// A retryable refusal.
    fn admit(&self) -> Result<(), Refusal>;

    /// What requests are claimed on.
    fn budget(&self) -> &Budget;
}

/// The budget of a request that several of them must admit: the smallest. Without any there is no
/// limit.
pub(super) fn smallest<'b>(budgets: impl Iterator<Item = &'b Budget>) -> Budget {
    budgets.min_by_key(|budget| budget.limit()).cloned().unwrap_or_default()
}

/// What the requests of a pipeline with this admission are claimed on.
pub fn budget_of(admission: &[Arc<dyn Admission>]) -> Budget {
    smallest(admission.iter().map(|admission| admission.budget()))
}

/// What a pass over `body` takes while it works: lists, what changed items become, and the request that
/// is written in the end.
pub(super) fn pass_bytes(signal: Signal, body: &[u8]) -> usize {
    outline::list_bytes(signal, body).saturating_add(body.len().saturating_mul(2))
}

/// The request that a pass wrote, with its share of what was claimed for the pass. One that the pass
/// left as it came has its claim already.
///
/// # Errors
/// [`Spent`], if it became larger than was foreseen and there is no room for that.
pub(super) fn hold(claim: &mut Claim, written: Bytes, came: &Bytes) -> Result<Bytes, Spent> {
    if written.is_empty() || written.as_ptr() == came.as_ptr() {
        return Ok(written);
    }
    let size = written.len();
    claim.hold(written, size)
}
