//! A hash index over entries that are held elsewhere: four bytes a slot, half of them free.
//!
//! Keys are hashes already and stay in the entries, so the standard map, which would hold them
//! again, costs four times as much. Handles are never zero; what a handle means is the owner's.

const EMPTY: u32 = 0;

/// Finds handles by the hash of what they stand for.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// A power of two, or none at all. At most half are used, so a search always ends.
    slots: Vec<u32>,
    used: usize,
}

impl Index {
    /// The handle under `hash` for which `is` holds.
    pub(super) fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        let mask = self.mask()?;
        let mut at = hash as usize & mask;
        loop {
            match self.slots[at] {
                EMPTY => return None,
                handle if is(handle) => return Some(handle),
                _ => at = (at + 1) & mask,
            }
        }
    }

    /// Adds a handle that is not in the index. `hash_of` is the hash of any handle in it.
    pub(super) fn insert(&mut self, hash: u64, handle: u32, hash_of: impl Fn(u32) -> u64) {
        if (self.used + 1) * 2 > self.slots.len() {
            let doubled = vec![EMPTY; (self.slots.len() * 2).max(16)];
            let old = std::mem::replace(&mut self.slots, doubled);
            for handle in old.into_iter().filter(|handle| *handle != EMPTY) {
                self.place(hash_of(handle), handle);
            }
        }
        self.place(hash, handle);
        self.used += 1;
    }

    /// Lets `handle` stand for `hash` instead of `before`. Zero stands for nothing and is left out.
    pub(super) fn put(&mut self, hash: u64, handle: u32, before: Option<u32>, hash_of: impl Fn(u32) -> u64) {
        if hash == 0 {
            return;
        }
        if let Some(before) = before {
            self.remove(hash, before, &hash_of);
        }
        self.insert(hash, handle, hash_of);
    }

    /// Removes a handle; nothing happens if it is not there.
    pub(super) fn remove(&mut self, hash: u64, handle: u32, hash_of: impl Fn(u32) -> u64) {
        let Some(mask) = self.mask() else { return };
        let mut hole = hash as usize & mask;
        while self.slots[hole] != handle {
            if self.slots[hole] == EMPTY {
                return;
            }
            hole = (hole + 1) & mask;
        }
        // Whoever stands behind the hole and would have liked to stand before it moves up.
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            let next = self.slots[at];
            if next == EMPTY {
                break;
            }
            let home = hash_of(next) as usize & mask;
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(hole) & mask {
                self.slots[hole] = next;
                hole = at;
            }
        }
        self.slots[hole] = EMPTY;
        self.used -= 1;
    }

    /// Bytes that are allocated.
    pub(super) fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<u32>()
    }

    fn mask(&self) -> Option<usize> {
        self.slots.len().checked_sub(1)
    }

    fn place(&mut self, hash: u64, handle: u32) {
        let Some(mask) = self.mask() else { return };
        let mut at = hash as usize & mask;
        while self.slots[at] != EMPTY {
            at = (at + 1) & mask;
        }
        self.slots[at] = handle;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is added and removed, with however many collisions, it answers as a map does.
        #[test]
        fn answers_as_a_map_does(steps in prop::collection::vec((any::<bool>(), 1u32..64), 0..400)) {
            // Eight handles share each hash's low bits.
            let hash_of = |handle: u32| u64::from(handle % 8) * 3;
            let mut index = Index::default();
            let mut model = BTreeMap::new();
            for (add, handle) in steps {
                if add && model.insert(handle, ()).is_none() {
                    index.insert(hash_of(handle), handle, hash_of);
                } else if !add {
                    model.remove(&handle);
                    index.remove(hash_of(handle), handle, hash_of);
                }
                prop_assert_eq!(index.used, model.len());
                for handle in 1..64 {
                    let found = index.find(hash_of(handle), |other| other == handle);
                    prop_assert_eq!(found.is_some(), model.contains_key(&handle));
                }
            }
        }
    }
}
