//! A map that remembers its most recent entries: at most so many, and each for at most so long.
//!
//! Entries stand in a ring in the order of their insertion, and a table of ring positions finds
//! them by key, so that an entry costs its own size and some six bytes, and the oldest entry is
//! always the next to go. 65,536 entries of 40 bytes take about 3 MiB.

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hash};

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use tokio::time::{Duration, Instant};

/// A bounded, expiring map. See the module's documentation.
#[derive(Debug)]
pub struct Recent<K, V> {
    /// Oldest first.
    ring: VecDeque<Entry<K, V>>,
    /// Serial numbers of the entries, found by their keys' hash.
    table: HashTable<u32>,
    /// The serial number of the ring's first entry; serial numbers wrap.
    first: u32,
    hasher: RandomState,
    max: usize,
    /// In milliseconds.
    ttl: u64,
    began: Instant,
    /// Milliseconds from `began` to the last tick.
    now: u32,
}

#[derive(Debug)]
struct Entry<K, V> {
    key: K,
    value: V,
    /// Whole milliseconds since `began`, so that an entry stays small; wraps after 49 days, which
    /// only ever shortens a memory of minutes.
    at: u32,
    /// Whether the table still points here; a key that was inserted again stands further on.
    live: bool,
}

impl<K: Hash + Eq, V> Recent<K, V> {
    /// A map of at most `max` entries (at least one), each remembered for `ttl`.
    pub fn new(max: usize, ttl: Duration) -> Self {
        Recent {
            ring: VecDeque::new(),
            table: HashTable::new(),
            first: 0,
            hasher: RandomState::default(),
            max: max.clamp(1, u32::MAX as usize / 2),
            ttl: u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX),
            began: Instant::now(),
            now: 0,
        }
    }

    /// Looks at the clock. Everything else is as of the last tick: a request asks hundreds of times,
    /// and a look at the clock costs as much as the answer.
    pub fn tick(&mut self) {
        self.now = self.began.elapsed().as_millis() as u32;
    }

    /// Entries that are held now, expired ones that were not yet swept included.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// The value under `key`, unless it was forgotten.
    pub fn get(&self, key: &K) -> Option<&V> {
        let entry = self.find(key)?;
        (!self.expired(entry)).then_some(&entry.value)
    }

    /// Whether `key` is remembered.
    pub fn contains(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// As [`Recent::get`], to change it.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let index = self.index(key)?;
        let is_due = self.ring.get(index).is_none_or(|entry| self.expired(entry));
        self.ring.get_mut(index).filter(|_| !is_due).map(|entry| &mut entry.value)
    }

    /// Remembers `value` under `key` from now on, in place of an earlier value. Returns how many
    /// entries had to be forgotten before their time to make room.
    pub fn insert(&mut self, key: K, value: V) -> usize {
        let mut evicted = 0;
        self.insert_with(key, value, |_, is_due| evicted += usize::from(!is_due));
        evicted
    }

    /// As [`Recent::insert`]; `gone` is given what is forgotten, and whether its time was over.
    pub fn insert_with(&mut self, key: K, value: V, mut gone: impl FnMut(V, bool)) {
        let hash = self.hasher.hash_one(&key);
        self.forget(hash, &key);
        while let Some(oldest) = self.ring.front() {
            let due = !oldest.live || self.expired(oldest);
            if !due && self.table.len() < self.max && self.ring.len() < self.max.saturating_mul(2) {
                break;
            }
            let is_due = self.expired(oldest);
            if let Some(value) = self.pop() {
                gone(value, is_due);
            }
        }
        let serial = self.first.wrapping_add(self.ring.len() as u32);
        self.ring.push_back(Entry { key, value, at: self.now, live: true });
        let (ring, hasher, first) = (&self.ring, &self.hasher, self.first);
        self.table.insert_unique(hash, serial, |serial| rehash(ring, hasher, first, *serial));
    }

    /// Forgets what has expired; `gone` is given it.
    pub fn sweep(&mut self, mut gone: impl FnMut(V)) {
        while self.ring.front().is_some_and(|oldest| !oldest.live || self.expired(oldest)) {
            if let Some(value) = self.pop() {
                gone(value);
            }
        }
    }

    fn expired(&self, entry: &Entry<K, V>) -> bool {
        u64::from(self.now.wrapping_sub(entry.at)) > self.ttl
    }

    fn index(&self, key: &K) -> Option<usize> {
        let hash = self.hasher.hash_one(key);
        let serial = self.table.find(hash, |serial| self.entry(*serial).is_some_and(|entry| entry.key == *key))?;
        Some(serial.wrapping_sub(self.first) as usize)
    }

    fn find(&self, key: &K) -> Option<&Entry<K, V>> {
        self.index(key).and_then(|index| self.ring.get(index))
    }

    fn entry(&self, serial: u32) -> Option<&Entry<K, V>> {
        self.ring.get(serial.wrapping_sub(self.first) as usize)
    }

    fn forget(&mut self, hash: u64, key: &K) {
        let (ring, first) = (&mut self.ring, self.first);
        let found = self.table.find_entry(hash, |serial| {
            ring.get(serial.wrapping_sub(first) as usize).is_some_and(|entry| entry.key == *key)
        });
        if let Ok(found) = found {
            let (serial, _) = found.remove();
            if let Some(entry) = ring.get_mut(serial.wrapping_sub(first) as usize) {
                entry.live = false;
            }
        }
    }

    /// Takes the oldest entry out, and returns what it held if that was still remembered.
    fn pop(&mut self) -> Option<V> {
        let oldest = self.ring.pop_front()?;
        if oldest.live {
            let serial = self.first;
            let hash = self.hasher.hash_one(&oldest.key);
            if let Ok(found) = self.table.find_entry(hash, |other| *other == serial) {
                found.remove();
            }
        }
        self.first = self.first.wrapping_add(1);
        oldest.live.then_some(oldest.value)
    }
}

fn rehash<K: Hash, V>(ring: &VecDeque<Entry<K, V>>, hasher: &RandomState, first: u32, serial: u32) -> u64 {
    ring.get(serial.wrapping_sub(first) as usize).map_or(0, |entry| hasher.hash_one(&entry.key))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn remembers_the_newest_and_forgets_the_oldest() {
        let mut recent = Recent::new(3, MINUTE);
        for key in 0..5 {
            recent.insert(key, key * 10);
        }
        assert_eq!([0, 1, 2, 3, 4].map(|key| recent.get(&key).copied()), [None, None, Some(20), Some(30), Some(40)]);
        assert_eq!(recent.len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn inserting_again_renews_an_entry() {
        let mut recent = Recent::new(2, MINUTE);
        recent.insert("a", 1);
        recent.insert("b", 2);
        assert_eq!(recent.insert("a", 3), 0);
        assert_eq!(recent.insert("c", 4), 1, "b was the oldest and had not expired");
        assert_eq!((recent.get(&"a"), recent.get(&"b"), recent.get(&"c")), (Some(&3), None, Some(&4)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_entry_expires() {
        let mut recent = Recent::new(10, MINUTE);
        recent.insert(1, ());
        tokio::time::advance(MINUTE).await;
        recent.tick();
        assert!(recent.contains(&1));
        tokio::time::advance(Duration::from_millis(1)).await;
        recent.tick();
        assert!(!recent.contains(&1));
        assert_eq!(recent.insert(2, ()), 0, "an expired entry makes room without being counted");
        assert_eq!(recent.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn stays_bounded_when_one_key_is_renewed_for_ever() {
        let mut recent = Recent::new(4, MINUTE);
        recent.insert(0, 0);
        for round in 1..10_000 {
            recent.insert(1, round);
        }
        assert_eq!(recent.get(&1), Some(&9_999));
        assert!(recent.ring.len() <= 8, "{} places for 4 entries", recent.ring.len());
    }
}
