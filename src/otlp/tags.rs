//! A byte a key: what [`super::attributes`] looks at before it compares keys. Where the attributes are and
//! when they go through an index instead is that file's.

/// The [`tag`] of the key at each of the first `PLACES` places.
#[derive(Debug)]
pub(super) struct Tags<const PLACES: usize>([u8; PLACES]);

impl<const PLACES: usize> Default for Tags<PLACES> {
    fn default() -> Self {
        Tags([0; PLACES])
    }
}

impl<const PLACES: usize> Tags<PLACES> {
    /// Says which key is at a place; nothing for a place beyond the last.
    #[inline]
    pub(super) fn set(&mut self, place: usize, key: &[u8]) {
        if let Some(slot) = self.0.get_mut(place) {
            *slot = tag(key);
        }
    }

    /// The first place from `first` on and before `end` that may have this tag. Eight at a time, by the
    /// classic test for a zero byte, which may mark a byte behind a true hit as well.
    #[inline]
    pub(super) fn find(&self, tag: u8, first: usize, end: usize) -> Option<usize> {
        const WIDTH: usize = size_of::<u64>();
        const ONES: u64 = u64::from_ne_bytes([0x01; WIDTH]);
        const HIGHS: u64 = u64::from_ne_bytes([0x80; WIDTH]);
        let (words, _) = self.0.as_chunks::<WIDTH>();
        let mut start = first - first % WIDTH;
        let mut wanted = u64::MAX << (8 * (first % WIDTH));
        for word in words.get(start / WIDTH..end.div_ceil(WIDTH))? {
            let differs = u64::from_le_bytes(*word) ^ (ONES * u64::from(tag));
            let same = differs.wrapping_sub(ONES) & !differs & HIGHS & wanted;
            if same != 0 {
                let place = start + (same.trailing_zeros() / 8) as usize;
                return (place < end).then_some(place);
            }
            start += WIDTH;
            wanted = u64::MAX;
        }
        None
    }
}

/// What tells most keys of a span apart: their lengths and ends.
#[inline]
pub(super) fn tag(key: &[u8]) -> u8 {
    let (last, middle) = match key {
        [.., middle, _, _, _, last] => (*last, *middle),
        _ => (key.last().copied().unwrap_or_default(), 0),
    };
    (key.len() as u8).wrapping_mul(37) ^ last.wrapping_mul(11) ^ middle
}
