//! The bytes that requests may hold, from the announcement of a body to its delivery: one count for
//! the whole process, and claims on it that are given back when they are dropped.
//!
//! A claim comes before the memory: whoever makes a buffer grow asks first. Once a buffer is done it
//! is joined to its claim ([`Claim::hold`]), so that the bytes are given back when the last of those
//! who share the buffer has dropped it, wherever that is. What a claim is for is not known here; the
//! RSS that all of the process takes is watched by `processor::memory_limiter`.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use crate::otlp::answer::{Reason, Refusal};

/// What a buffer is charged at least: holding one costs about this much beside its bytes.
pub const LEAST_CHARGE: usize = 256;

/// A limit, and what is taken of it. Clones, and budgets made by [`Budget::capped`], share one count.
#[derive(Debug, Clone)]
pub struct Budget {
    count: Arc<Count>,
    limit: usize,
}

#[derive(Debug, Default)]
struct Count {
    taken: AtomicUsize,
    /// The most that was taken since somebody asked.
    most: AtomicUsize,
}

/// Bytes of a budget that are spoken for; given back on drop.
#[derive(Debug)]
pub struct Claim {
    budget: Budget,
    bytes: usize,
    /// What the same request holds by other claims: to tell whether it could ever be taken.
    beside: usize,
}

/// There are not so many bytes left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// What the request would hold in all.
    pub wanted: usize,
    /// What is taken, by this request and by others.
    pub taken: usize,
    /// The limit.
    pub limit: usize,
}

impl Budget {
    /// A budget of which nothing is taken.
    pub fn new(limit: usize) -> Budget {
        Budget { count: Arc::default(), limit }
    }

    /// The same count with another limit: what others have taken counts here too.
    pub fn capped(&self, limit: usize) -> Budget {
        Budget { count: Arc::clone(&self.count), limit }
    }

    /// Claims are granted up to this many bytes.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// What is taken, under whatever limit.
    pub fn taken(&self) -> usize {
        self.count.taken.load(Ordering::Relaxed)
    }

    /// The most that was taken at once since this was asked last, under whatever limit.
    pub fn most_taken(&self) -> usize {
        let taken = self.taken();
        self.count.most.swap(taken, Ordering::Relaxed).max(taken)
    }

    /// Takes `bytes`, for a request that holds nothing yet.
    ///
    /// # Errors
    /// [`Spent`], if so many are not left.
    pub fn claim(&self, bytes: usize) -> Result<Claim, Spent> {
        self.claim_beside(0, bytes)
    }

    /// Takes `bytes` for a request that holds `held` bytes already, by other claims.
    ///
    /// # Errors
    /// [`Spent`], if so many are not left.
    pub fn claim_beside(&self, held: usize, bytes: usize) -> Result<Claim, Spent> {
        self.take(held, bytes)?;
        Ok(Claim { budget: self.clone(), bytes, beside: held })
    }

    /// Takes `bytes` even if that passes the limit: for what is on its way out, which must not wait
    /// for a budget that only becomes free when it has gone.
    pub fn overdraw(&self, bytes: usize) -> Claim {
        // Bytes that are there or will be; their sum fits the address space.
        let before = self.count.taken.fetch_add(bytes, Ordering::Relaxed);
        self.note(before.saturating_add(bytes));
        Claim { budget: self.clone(), bytes, beside: 0 }
    }

    /// Counts a buffer on its way out until the last who shares it has dropped it; see
    /// [`Budget::overdraw`].
    pub fn count(&self, buffer: Bytes) -> Bytes {
        let claim = self.overdraw(buffer.len().max(LEAST_CHARGE));
        Bytes::from_owner(Held { buffer, _claim: claim })
    }

    fn take(&self, held: usize, bytes: usize) -> Result<(), Spent> {
        let left = |taken: usize| taken.checked_add(bytes).filter(|sum| *sum <= self.limit);
        // It counts and publishes nothing, so no ordering is needed.
        match self.count.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left) {
            Ok(before) => {
                self.note(before.saturating_add(bytes));
                Ok(())
            }
            Err(taken) => Err(Spent { wanted: held.saturating_add(bytes), taken, limit: self.limit }),
        }
    }

    fn note(&self, taken: usize) {
        // Nearly always a read of what nobody has written for long.
        if taken > self.count.most.load(Ordering::Relaxed) {
            self.count.most.fetch_max(taken, Ordering::Relaxed);
        }
    }
}

impl Default for Budget {
    /// A budget without a limit.
    fn default() -> Self {
        Budget::new(usize::MAX)
    }
}

impl Claim {
    /// What it holds.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes `more` bytes.
    ///
    /// # Errors
    /// [`Spent`], if so many are not left; the claim is as it was.
    pub fn grow(&mut self, more: usize) -> Result<(), Spent> {
        self.budget.take(self.beside.saturating_add(self.bytes), more)?;
        self.bytes += more;
        Ok(())
    }

    /// Takes what is missing to `bytes`; never gives back.
    ///
    /// # Errors
    /// [`Spent`], if so many are not left; the claim is as it was.
    pub fn grow_to(&mut self, bytes: usize) -> Result<(), Spent> {
        self.grow(bytes.saturating_sub(self.bytes))
    }

    /// Takes `more` bytes even if that passes the limit; see [`Budget::overdraw`].
    pub fn overdraw(&mut self, more: usize) {
        self.join(self.budget.overdraw(more));
    }

    /// Gives back what is more than `bytes`.
    pub fn shrink_to(&mut self, bytes: usize) {
        drop(self.split(self.bytes.saturating_sub(bytes)));
    }

    /// Makes `bytes` of it, or all there are, a claim of their own.
    pub fn split(&mut self, bytes: usize) -> Claim {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Claim { budget: self.budget.clone(), bytes, beside: self.beside.saturating_add(self.bytes) }
    }

    /// Nothing yet, for a request that holds `held` bytes by other claims.
    pub fn beside(&self, held: usize) -> Claim {
        Claim { budget: self.budget.clone(), bytes: 0, beside: held }
    }

    /// Adds the bytes of another claim on the same count.
    pub fn join(&mut self, mut other: Claim) {
        debug_assert!(Arc::ptr_eq(&self.budget.count, &other.budget.count), "claims on two budgets");
        self.bytes += std::mem::take(&mut other.bytes);
    }

    /// Joins a finished buffer to its claim: `size` bytes of it, which are given back when the last
    /// clone of the buffer is dropped. The claim keeps the rest.
    ///
    /// # Errors
    /// [`Spent`], if the claim has less and so many are not left.
    pub fn hold(&mut self, buffer: impl AsRef<[u8]> + Send + 'static, size: usize) -> Result<Bytes, Spent> {
        let size = size.max(LEAST_CHARGE);
        self.grow_to(size)?;
        Ok(Bytes::from_owner(Held { buffer, _claim: self.split(size) }))
    }
}

impl Default for Claim {
    /// Nothing, of a budget without a limit: where nobody counts.
    fn default() -> Self {
        Claim { budget: Budget::default(), bytes: 0, beside: 0 }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.budget.count.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A buffer, and the claim on its bytes.
struct Held<B> {
    buffer: B,
    _claim: Claim,
}

impl<B: AsRef<[u8]>> AsRef<[u8]> for Held<B> {
    fn as_ref(&self) -> &[u8] {
        self.buffer.as_ref()
    }
}

impl Spent {
    /// Whether the request could not be taken if there were no others.
    pub fn is_for_ever(&self) -> bool {
        self.wanted > self.limit
    }
}

impl fmt::Display for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Spent { wanted, taken, limit } = self;
        match self.is_for_ever() {
            true => write!(
                f,
                "the request takes {wanted} bytes of memory, and all requests together may take {limit} \
                 (memory_limiter); send less at once"
            ),
            false => write!(
                f,
                "memory_limiter: {taken} of {limit} bytes are taken by requests that are not delivered yet, and this \
                 one needs {wanted}; send it again later"
            ),
        }
    }
}

impl std::error::Error for Spent {}

impl From<Spent> for Refusal {
    fn from(spent: Spent) -> Self {
        let reason = if spent.is_for_ever() { Reason::TooLarge } else { Reason::MemoryLimit };
        Refusal::new(reason, spent.to_string())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_claim_gives_back_what_it_took() {
        let budget = Budget::new(1000);
        let mut claim = budget.claim(600).unwrap();
        assert_eq!(budget.claim(401).unwrap_err(), Spent { wanted: 401, taken: 600, limit: 1000 });
        claim.grow(400).unwrap();
        assert_eq!((claim.bytes(), budget.taken()), (1000, 1000));
        claim.shrink_to(300);
        assert_eq!((claim.bytes(), budget.taken()), (300, 300));
        claim.shrink_to(500);
        claim.grow_to(200).unwrap();
        assert_eq!(claim.bytes(), 300);
        let part = claim.split(100);
        assert_eq!((claim.bytes(), part.bytes(), budget.taken()), (200, 100, 300));
        drop(part);
        assert_eq!(budget.taken(), 200);
        drop(claim);
        assert_eq!(budget.taken(), 0);
    }

    #[test]
    fn a_request_that_never_fits_is_told_apart_from_one_that_must_wait() {
        let budget = Budget::new(1000);
        let mut claim = budget.claim(600).unwrap();
        let spent = claim.grow(500).unwrap_err();
        assert!(spent.is_for_ever());
        assert_eq!(Refusal::from(spent).reason, Reason::TooLarge);
        assert_eq!(claim.bytes(), 600);
        let spent = budget.claim(500).unwrap_err();
        assert!(!spent.is_for_ever());
        let refusal = Refusal::from(spent);
        assert_eq!(refusal.reason, Reason::MemoryLimit);
        assert!(refusal.retry_after.is_some() && refusal.message.contains("600 of 1000"), "{refusal}");
        assert!(budget.claim_beside(600, 500).unwrap_err().is_for_ever());
    }

    #[test]
    fn a_buffers_bytes_are_given_back_by_the_last_who_shares_it() {
        let budget = Budget::new(10_000);
        let mut claim = budget.claim(5000).unwrap();
        let body = claim.hold(vec![7; 3000], 3000).unwrap();
        drop(claim);
        assert_eq!(budget.taken(), 3000);
        let (copy, part) = (body.clone(), body.slice(10..20));
        drop((body, copy));
        assert_eq!(budget.taken(), 3000);
        assert_eq!(&part[..], [7; 10]);
        drop(part);
        assert_eq!(budget.taken(), 0);
    }

    #[test]
    fn a_flood_of_tiny_buffers_is_bounded_too() {
        let budget = Budget::new(10 * LEAST_CHARGE);
        let held: Vec<_> = std::iter::from_fn(|| budget.claim(0).unwrap().hold(vec![1, 2], 2).ok()).take(100).collect();
        assert_eq!(held.len(), 10);
    }

    #[test]
    fn a_lower_limit_counts_what_others_took() {
        let budget = Budget::new(1000);
        let low = budget.capped(300);
        let claim = budget.claim(400).unwrap();
        assert!(low.claim(1).is_err());
        assert!(budget.claim(600).is_ok());
        drop(claim);
        assert!(low.claim(300).is_ok());
    }

    #[test]
    fn what_goes_out_is_counted_and_never_refused() {
        let budget = Budget::new(100);
        let mut out = budget.overdraw(90);
        out.overdraw(60);
        assert_eq!((budget.taken(), out.bytes()), (150, 150));
        assert!(budget.claim(0).is_err());
        drop(out);
        let counted = budget.count(Bytes::from_static(&[7; 1000]));
        assert_eq!((budget.taken(), &counted[..]), (1000, &[7; 1000][..]));
        drop(counted);
        assert_eq!(budget.taken(), 0);
    }

    #[test]
    fn the_most_that_was_taken_is_remembered_until_somebody_asks() {
        let budget = Budget::new(1000);
        drop(budget.claim(700).unwrap());
        let claim = budget.capped(500).claim(300).unwrap();
        assert_eq!((budget.most_taken(), budget.most_taken()), (700, 300));
        drop(claim);
        assert_eq!((budget.most_taken(), budget.most_taken()), (300, 0));
        drop(budget.overdraw(1100));
        assert_eq!(budget.most_taken(), 1100);
    }

    #[test]
    fn no_number_of_bytes_overflows() {
        let budget = Budget::default();
        let claim = budget.claim(10).unwrap();
        assert!(budget.claim(usize::MAX).is_err());
        assert!(budget.claim_beside(usize::MAX, usize::MAX).unwrap_err().wanted == usize::MAX);
        drop(claim);
        assert_eq!(budget.taken(), 0);
    }

    /// What may be done to the claims that are alive; the first number chooses one.
    #[derive(Debug, Clone)]
    enum Step {
        Claim(usize),
        ClaimLow(usize),
        Grow(usize, usize),
        Shrink(usize, usize),
        Split(usize, usize),
        Join(usize, usize),
        Hold(usize, usize),
        Drop(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let (index, bytes) = (0..8_usize, 0..2000_usize);
        prop_oneof![
            bytes.clone().prop_map(Step::Claim),
            bytes.clone().prop_map(Step::ClaimLow),
            (index.clone(), bytes.clone()).prop_map(|(index, bytes)| Step::Grow(index, bytes)),
            (index.clone(), bytes.clone()).prop_map(|(index, bytes)| Step::Shrink(index, bytes)),
            (index.clone(), bytes.clone()).prop_map(|(index, bytes)| Step::Split(index, bytes)),
            (index.clone(), index.clone()).prop_map(|(one, other)| Step::Join(one, other)),
            (index.clone(), bytes).prop_map(|(index, bytes)| Step::Hold(index, bytes)),
            index.prop_map(Step::Drop),
        ]
    }

    proptest! {
        #[test]
        fn taken_is_the_sum_of_the_claims_and_within_the_limit(steps in proptest::collection::vec(step(), 0..100)) {
            const LIMIT: usize = 5000;
            let budget = Budget::new(LIMIT);
            let low = budget.capped(LIMIT / 2);
            let mut claims: Vec<Claim> = Vec::new();
            let mut buffers: Vec<(Bytes, usize)> = Vec::new();
            for step in steps {
                let before = budget.taken();
                let chosen = |index: usize, claims: &Vec<Claim>| (!claims.is_empty()).then(|| index % claims.len());
                match step {
                    Step::Claim(bytes) => match budget.claim(bytes) {
                        Ok(claim) => claims.push(claim),
                        Err(_) => prop_assert!(before + bytes > LIMIT),
                    },
                    Step::ClaimLow(bytes) => match low.claim(bytes) {
                        Ok(claim) => {
                            prop_assert!(before + bytes <= LIMIT / 2);
                            claims.push(claim);
                        }
                        Err(_) => prop_assert!(before + bytes > LIMIT / 2),
                    },
                    Step::Grow(index, bytes) => if let Some(at) = chosen(index, &claims) {
                        let granted = claims[at].grow(bytes).is_ok();
                        prop_assert!(granted || before + bytes > LIMIT / 2, "there was room under the lower limit too");
                    },
                    Step::Shrink(index, bytes) => if let Some(at) = chosen(index, &claims) {
                        claims[at].shrink_to(bytes);
                    },
                    Step::Split(index, bytes) => if let Some(at) = chosen(index, &claims) {
                        let part = claims[at].split(bytes);
                        claims.push(part);
                    },
                    Step::Join(one, other) => if let Some(at) = chosen(one, &claims) {
                        let one = claims.swap_remove(at);
                        match chosen(other, &claims) {
                            Some(at) => claims[at].join(one),
                            None => claims.push(one),
                        }
                    },
                    Step::Hold(index, bytes) => if let Some(at) = chosen(index, &claims) {
                        let held = claims[at].hold(vec![0; bytes], bytes);
                        buffers.extend(held.ok().map(|buffer| (buffer, bytes.max(LEAST_CHARGE))));
                    },
                    Step::Drop(index) => match chosen(index, &claims) {
                        Some(at) => drop(claims.swap_remove(at)),
                        None => drop(buffers.pop()),
                    },
                }
                let sum = claims.iter().map(Claim::bytes).sum::<usize>()
                    + buffers.iter().map(|(_, charge)| charge).sum::<usize>();
                prop_assert_eq!(budget.taken(), sum);
                prop_assert!(sum <= LIMIT);
            }
            drop((claims, buffers));
            prop_assert_eq!(budget.taken(), 0);
        }
    }

    #[test]
    fn threads_never_pass_the_limit_together_and_leave_nothing_behind() {
        const LIMIT: usize = 10_000;
        let budget = Budget::new(LIMIT);
        std::thread::scope(|scope| {
            for seed in 0..8 {
                let budget = budget.clone();
                scope.spawn(move || {
                    let mut random = fastrand::Rng::with_seed(seed);
                    let mut claims: Vec<Claim> = Vec::new();
                    for _ in 0..5000 {
                        match random.usize(..4) {
                            0 => claims.extend(budget.claim(random.usize(..3000))),
                            1 => {
                                if let Some(claim) = claims.last_mut() {
                                    let (before, more) = (claim.bytes(), random.usize(..3000));
                                    let granted = claim.grow(more).is_ok();
                                    assert_eq!(claim.bytes(), before + if granted { more } else { 0 });
                                }
                            }
                            2 => {
                                if let Some(claim) = claims.last_mut() {
                                    claim.shrink_to(random.usize(..3000));
                                }
                            }
                            _ => drop(claims.pop()),
                        }
                        // Of this thread alone; the count holds that of all.
                        let own: usize = claims.iter().map(Claim::bytes).sum();
                        let taken = budget.taken();
                        assert!(own <= taken && taken <= LIMIT, "{own} of {taken} of {LIMIT}");
                    }
                });
            }
        });
        assert_eq!(budget.taken(), 0);
    }
}
