//! A buffer that asks its budget before it grows.

use bytes::Bytes;

use super::budget::{Claim, LEAST_CHARGE, Spent};

/// Bytes that come one after another, and the claim on them. Frozen, it is shared and gives its
/// claim back with the last who holds it.
#[derive(Debug, Default)]
pub struct Buffer {
    bytes: Vec<u8>,
    claim: Claim,
}

impl Buffer {
    /// An empty buffer; `claim` is what is claimed for it in advance.
    pub fn new(claim: Claim) -> Buffer {
        Buffer { bytes: Vec::new(), claim }
    }

    /// A buffer that has something in it, and the claim on its whole capacity.
    pub fn with_claim(bytes: Vec<u8>, claim: Claim) -> Buffer {
        Buffer { bytes, claim }
    }

    /// What is in it.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Makes room for `length` bytes in all, and not more than that if the length is known to be
    /// final; a buffer that may go on growing is given twice what it has.
    ///
    /// # Errors
    /// [`Spent`]; the buffer is as it was.
    pub fn room_for(&mut self, length: usize, is_final: bool) -> Result<(), Spent> {
        let capacity = self.bytes.capacity();
        if length <= capacity {
            return Ok(());
        }
        let wanted = if is_final { length } else { length.max(capacity.saturating_mul(2)) };
        // Both are there while the content moves, unless the allocator can do without.
        self.claim.grow_to(capacity.saturating_add(wanted))?;
        self.bytes.reserve_exact(wanted - self.bytes.len());
        self.claim.shrink_to(self.bytes.capacity());
        Ok(())
    }

    /// Appends `more`.
    ///
    /// # Errors
    /// [`Spent`]; nothing was appended.
    pub fn extend(&mut self, more: &[u8]) -> Result<(), Spent> {
        self.room_for(self.bytes.len().saturating_add(more.len()), false)?;
        self.bytes.extend_from_slice(more);
        Ok(())
    }

    /// Lets `fill` write at most `step` bytes behind what is there; it says how many it wrote.
    ///
    /// # Errors
    /// What `fill` says, [`Spent`] among it.
    pub fn fill<E: From<Spent>>(
        &mut self,
        step: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<usize, E> {
        let before = self.bytes.len();
        self.room_for(before.saturating_add(step), false)?;
        self.bytes.resize(before + step, 0);
        let filled = fill(self.bytes.get_mut(before..).unwrap_or_default());
        let written = filled.as_ref().map_or(0, |written| (*written).min(step));
        self.bytes.truncate(before + written);
        filled
    }

    /// Forgets what is in it, and gives its memory back.
    pub fn clear(&mut self) {
        self.bytes = Vec::new();
        self.claim.shrink_to(0);
    }

    /// The bytes alone, where nobody counts them any further.
    pub fn into_bytes(mut self) -> Vec<u8> {
        self.bytes.shrink_to_fit();
        self.bytes
    }

    /// The finished buffer, without the room that it did not need.
    ///
    /// # Errors
    /// [`Spent`] if it is smaller than what any buffer is charged, and that is not left.
    pub fn freeze(mut self) -> Result<Bytes, Spent> {
        self.bytes.shrink_to_fit();
        let size = self.bytes.capacity();
        self.claim.shrink_to(size.max(LEAST_CHARGE));
        self.claim.hold(self.bytes, size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounded::budget::Budget;

    #[test]
    fn it_holds_what_it_claimed_and_claims_before_it_holds() {
        let budget = Budget::new(10_000);
        let mut buffer = Buffer::new(budget.claim(0).unwrap());
        for _ in 0..30 {
            buffer.extend(&[7; 100]).unwrap();
            assert_eq!(budget.taken(), buffer.bytes.capacity());
        }
        let spent = buffer.extend(&[7; 7000]).unwrap_err();
        assert_eq!((spent.limit, buffer.bytes().len()), (10_000, 3000));
        let body = buffer.freeze().unwrap();
        assert_eq!((budget.taken(), &body[..]), (3000, &[7; 3000][..]));
        drop(body);
        assert_eq!(budget.taken(), 0);
    }

    #[test]
    fn a_known_length_is_claimed_once() {
        let budget = Budget::new(1000);
        let mut buffer = Buffer::new(budget.claim(800).unwrap());
        buffer.room_for(800, true).unwrap();
        assert_eq!((buffer.bytes.capacity(), budget.taken()), (800, 800));
        (0..8).for_each(|_| buffer.extend(&[1; 100]).unwrap());
        assert_eq!(budget.taken(), 800);
        assert!(buffer.extend(&[1]).is_err(), "it has to move, and two of it do not fit");
    }

    #[test]
    fn what_was_claimed_in_advance_and_not_needed_is_given_back() {
        let budget = Budget::new(100_000);
        let mut buffer = Buffer::new(budget.claim(50_000).unwrap());
        buffer.room_for(50_000, true).unwrap();
        buffer.extend(&[1; 500]).unwrap();
        let body = buffer.freeze().unwrap();
        assert_eq!((body.len(), budget.taken()), (500, 500));
        let empty = Buffer::new(budget.claim(50).unwrap()).freeze().unwrap();
        assert_eq!((empty.len(), budget.taken()), (0, 500 + LEAST_CHARGE));
    }

    #[test]
    fn what_is_filled_is_what_was_written() {
        let mut buffer = Buffer::default();
        let written: Result<usize, Spent> = buffer.fill(10, |room| {
            room[..3].copy_from_slice(b"abc");
            Ok(3)
        });
        assert_eq!((written, buffer.bytes()), (Ok(3), &b"abc"[..]));
        let failed: Result<usize, Spent> = buffer.fill(10, |_| Err(Spent { wanted: 1, taken: 1, limit: 1 }));
        assert!(failed.is_err());
        assert_eq!(buffer.bytes(), b"abc");
        assert_eq!(buffer.into_bytes(), b"abc");
    }
}
