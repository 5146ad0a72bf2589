//! Prefixes of keys, found without trying each of them.

const BUCKETS: usize = 64;

/// Values by the prefix of a key. A prefix has two bytes or more.
#[derive(Debug)]
pub(super) struct Prefixes<T> {
    /// By the first two bytes; the longest prefix first, for it says most.
    buckets: Vec<Vec<(&'static str, T)>>,
}

impl<T> Default for Prefixes<T> {
    fn default() -> Self {
        Prefixes { buckets: (0..BUCKETS).map(|_| Vec::new()).collect() }
    }
}

impl<T> Prefixes<T> {
    pub(super) fn add(&mut self, prefix: &'static str, value: T) {
        if let Some(bucket) = place(prefix).and_then(|place| self.buckets.get_mut(place)) {
            let before = bucket.iter().take_while(|(known, _)| known.len() >= prefix.len()).count();
            bucket.insert(before, (prefix, value));
        }
    }

    /// All whose prefix the key has, the longest first.
    #[inline]
    pub(super) fn of<'p, 'k: 'p>(
        &'p self,
        key: &'k str,
    ) -> impl Iterator<Item = (&'static str, &'p T)> + use<'p, 'k, T> {
        let bucket = place(key).and_then(|place| self.buckets.get(place)).map_or(&[][..], Vec::as_slice);
        bucket.iter().filter(move |(prefix, _)| key.starts_with(prefix)).map(|(prefix, value)| (*prefix, value))
    }

    /// Whether one of them is longer than `prefix` and begins with it.
    pub(super) fn continues(&self, prefix: &str) -> bool {
        let all = self.buckets.iter().flatten();
        all.map(|(known, _)| known).any(|known| known.len() > prefix.len() && known.starts_with(prefix))
    }

    /// The value of the longest prefix that the key has.
    pub(super) fn longest(&self, key: &str) -> Option<&T> {
        let bucket = place(key).and_then(|place| self.buckets.get(place))?;
        bucket.iter().find(|(prefix, _)| key.starts_with(prefix)).map(|(_, value)| value)
    }
}

#[inline]
fn place(key: &str) -> Option<usize> {
    let [first, second] = *key.as_bytes().first_chunk::<2>()?;
    Some((usize::from(first) * 31 + usize::from(second)) % BUCKETS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_comes_first() {
        let mut prefixes = Prefixes::default();
        for (number, prefix) in ["gen_ai.", "llm.", "gen_ai.prompt.", "gen_ai.usage."].into_iter().enumerate() {
            prefixes.add(prefix, number);
        }
        assert_eq!(prefixes.longest("gen_ai.prompt.0.role"), Some(&2));
        assert_eq!(prefixes.longest("gen_ai.foo"), Some(&0));
        assert_eq!(prefixes.longest("g"), None);
        assert_eq!(prefixes.of("gen_ai.prompt.0").map(|(_, number)| *number).collect::<Vec<_>>(), [2, 0]);
    }
}
