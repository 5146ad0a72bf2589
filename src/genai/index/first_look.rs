//! A cheap question before any hash: can this key be one of those that were added?
//!
//! Two sets of bits, one for whole keys and one for how keys begin; what it costs does not depend on
//! how many were added. A false yes costs one lookup in the index.

/// Words of each set: some 900 keys, two bits each, leave a foreign one a chance of 1 in 80.
const WORDS: usize = 256;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct FirstLook {
    keys: [u64; WORDS],
    prefixes: [u64; WORDS],
}

impl Default for FirstLook {
    fn default() -> Self {
        FirstLook { keys: [0; WORDS], prefixes: [0; WORDS] }
    }
}

impl FirstLook {
    pub(super) fn add_key(&mut self, key: &str) {
        if let Some((word, bit)) = of_key(key.as_bytes()) {
            self.keys[word] |= bit;
        }
    }

    /// A prefix has three bytes or more.
    pub(super) fn add_prefix(&mut self, prefix: &str) {
        if let Some((word, bit)) = of_start(prefix.as_bytes()) {
            self.prefixes[word] |= bit;
        }
    }

    #[inline]
    pub(super) fn may_know(&self, key: &[u8]) -> bool {
        of_start(key).is_some_and(|(word, bit)| self.prefixes[word] & bit == bit)
            || of_key(key).is_some_and(|(word, bit)| self.keys[word] & bit == bit)
    }
}

/// The word of a key and its bits there: its length, and eight bytes of its end, where keys of one family differ.
#[inline]
fn of_key(key: &[u8]) -> Option<(usize, u64)> {
    let end = match key.last_chunk::<8>() {
        Some(end) => u64::from_le_bytes(*end),
        None => key.iter().fold(0, |mixed: u64, byte| (mixed << 8) | u64::from(*byte)),
    };
    let first = u64::from(*key.first()?);
    Some(bit(end ^ (key.len() as u64) << 57 ^ first << 13))
}

#[inline]
fn of_start(key: &[u8]) -> Option<(usize, u64)> {
    let [a, b, c] = *key.first_chunk::<3>()?;
    Some(bit(u64::from_le_bytes([a, b, c, 0, 0, 0, 0, 0])))
}

#[inline]
fn bit(of: u64) -> (usize, u64) {
    let mixed = of.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    // The high bits are the mixed ones: 8 for the word, 6 for each of two bits in it.
    ((mixed >> 56) as usize % WORDS, 1 << ((mixed >> 50) & 63) | 1 << ((mixed >> 44) & 63))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_known() {
        let mut first = FirstLook::default();
        let keys = ["n", "model", "gen_ai.system", "gen_ai.usage.prompt_tokens"];
        keys.iter().for_each(|key| first.add_key(key));
        first.add_prefix("llm.input_messages.");
        assert!(keys.iter().all(|key| first.may_know(key.as_bytes())));
        assert!(first.may_know(b"llm.input_messages.12.message.role"));
        let foreign = ["http.route", "url.full", "server.address", "db.statement", "", "x", "network.peer.port"];
        assert_eq!(foreign.iter().filter(|key| first.may_know(key.as_bytes())).count(), 0);
    }
}
