//! What the ledger remembers, and for how long: calls, and who is below whom.
//!
//! Everything is held in order of arrival; the oldest goes when there are too many or when its
//! time is over. Keys are keyed 64-bit hashes, so an entry is small and its size is fixed: 88 bytes
//! and four index entries a call, 24 bytes and one index entry a link. At the default window of 32,768
//! that is 2.75 + 1 MiB of calls, 0.75 + 0.25 MiB of links and 0.13 MiB of passing links at the most.

use std::collections::VecDeque;
use std::hash::BuildHasher;

use foldhash::quality::RandomState;

use super::family::Families;
use super::index::Index;

/// A keyed hash that stands for a trace, a span or a response id; zero is none.
pub(super) type Key = u64;

/// Seconds since the ledger was made.
pub(super) type Seconds = u32;

/// Names an entry as long as it is remembered; zero names none.
pub(super) type Handle = u32;

/// Entries in order of arrival. A handle is the low 31 bits of the entry's number, plus one.
#[derive(Debug)]
struct Recent<T> {
    entries: VecDeque<T>,
    /// The number of the entry that comes next.
    next: u64,
}

const NUMBER_MASK: u64 = 0x7fff_ffff;

impl<T> Recent<T> {
    const fn new() -> Self {
        Recent { entries: VecDeque::new(), next: 0 }
    }

    fn next_handle(&self) -> Handle {
        (self.next & NUMBER_MASK) as Handle + 1
    }

    fn oldest(&self) -> Option<(Handle, &T)> {
        let number = self.next.wrapping_sub(self.entries.len() as u64);
        Some(((number & NUMBER_MASK) as Handle + 1, self.entries.front()?))
    }

    fn push(&mut self, entry: T) {
        self.entries.push_back(entry);
        self.next = self.next.wrapping_add(1);
    }

    fn position(&self, handle: Handle) -> Option<usize> {
        let number = u64::from(handle.checked_sub(1)?);
        let age = self.next.wrapping_sub(number) & NUMBER_MASK;
        self.entries.len().checked_sub(usize::try_from(age).ok()?).filter(|at| *at < self.entries.len())
    }

    fn get(&self, handle: Handle) -> Option<&T> {
        self.entries.get(self.position(handle)?)
    }

    fn get_mut(&mut self, handle: Handle) -> Option<&mut T> {
        let at = self.position(handle)?;
        self.entries.get_mut(at)
    }

    fn bytes(&self) -> usize {
        self.entries.capacity() * size_of::<T>()
    }
}

/// Who a span's parent is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    pub(super) span: Key,
    /// Zero for a root.
    pub(super) parent: Key,
    seen: Seconds,
    /// Whether the parent is in another process: the span handles a remote call, or says so.
    pub(super) remote: bool,
    /// Whether the span is an agent's or a tool's.
    pub(super) boundary: bool,
}

impl Link {
    pub(super) fn new(span: Key, parent: Key, remote: bool, boundary: bool) -> Link {
        Link { span, parent, seen: 0, remote, boundary }
    }
}

/// A bounded number of links.
#[derive(Debug)]
pub(super) struct Links {
    links: Recent<Link>,
    spans: Index,
    max: usize,
}

impl Links {
    pub(super) fn new(max: usize) -> Self {
        Links { links: Recent::new(), spans: Index::default(), max: max.max(1) }
    }

    pub(super) fn get(&self, span: Key) -> Option<Link> {
        let is = |handle| self.links.get(handle).is_some_and(|link: &Link| link.span == span);
        self.links.get(self.spans.find(span, is)?).copied()
    }

    pub(super) fn insert(&mut self, link: Link, now: Seconds) {
        if self.get(link.span).is_some() {
            return;
        }
        while self.links.entries.len() >= self.max {
            self.forget_oldest();
        }
        let handle = self.links.next_handle();
        let span = link.span;
        self.links.push(Link { seen: now, ..link });
        let Links { links, spans, .. } = self;
        spans.insert(span, handle, |handle| links.get(handle).map_or(0, |link| link.span));
    }

    pub(super) fn expire(&mut self, before: Seconds) {
        while self.links.oldest().is_some_and(|(_, link)| link.seen < before) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some((handle, span)) = self.links.oldest().map(|(handle, link)| (handle, link.span)) else { return };
        let Links { links, spans, .. } = self;
        spans.remove(span, handle, |handle| links.get(handle).map_or(0, |link| link.span));
        links.entries.pop_front();
    }

    pub(super) fn len(&self) -> usize {
        self.links.entries.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.links.bytes() + self.spans.bytes()
    }
}

/// A span that says it is a GenAI operation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// Zero if the span has no valid id.
    pub(super) span: Key,
    /// Zero if this is no model call, or has no valid trace id.
    pub(super) trace: Key,
    /// The response id; zero if not said.
    pub(super) id: Key,
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) families: Families,
    pub(super) service: u32,
    /// The call that was counted for this one; its own handle if that is itself.
    pub(super) counted: Handle,
    /// The call of the same trace that was remembered before.
    previous: Handle,
    seen: Seconds,
    /// Tokens as the span says them.
    pub(super) input: u32,
    /// See `input`.
    pub(super) output: u32,
    /// What was asked and answered, as a hash; zero if not known.
    pub(super) content: u32,
    /// Of these tokens, how many no call below in another process has accounted for.
    pub(super) left: u32,
    /// Whether the span handles a remote call.
    pub(super) server: bool,
    /// Whether the response id is too short to be unique.
    pub(super) weak_id: bool,
    /// Whether tokens were counted for this call.
    pub(super) tokens_counted: bool,
}

impl Entry {
    /// An entry that says nothing.
    pub(super) fn new(span: Key, families: Families) -> Entry {
        Entry {
            span,
            trace: 0,
            id: 0,
            start: 0,
            end: 0,
            families,
            service: 0,
            counted: 0,
            previous: 0,
            seen: 0,
            input: 0,
            output: 0,
            content: 0,
            left: 0,
            server: false,
            weak_id: false,
            tokens_counted: false,
        }
    }

    /// Nanoseconds.
    pub(super) fn duration(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    pub(super) fn tokens(&self) -> u64 {
        u64::from(self.input) + u64::from(self.output)
    }
}

/// A bounded number of calls, found by span, by response id, by trace and by usage.
#[derive(Debug)]
pub(super) struct Calls {
    hasher: RandomState,
    calls: Recent<Entry>,
    spans: Index,
    /// One call an id: the one that was counted last, or else the first.
    ids: Index,
    /// The last call of each trace.
    traces: Index,
    /// The last call of each service and usage.
    usages: Index,
    max: usize,
}

impl Calls {
    pub(super) fn new(max: usize, hasher: RandomState) -> Self {
        Calls {
            hasher,
            calls: Recent::new(),
            spans: Index::default(),
            ids: Index::default(),
            traces: Index::default(),
            usages: Index::default(),
            max: max.max(1),
        }
    }

    pub(super) fn get(&self, handle: Handle) -> Option<&Entry> {
        self.calls.get(handle)
    }

    pub(super) fn get_mut(&mut self, handle: Handle) -> Option<&mut Entry> {
        self.calls.get_mut(handle)
    }

    pub(super) fn by_span(&self, span: Key) -> Option<Handle> {
        (span != 0).then(|| self.find(&self.spans, span, |entry| entry.span))?
    }

    pub(super) fn by_id(&self, id: Key) -> Option<Handle> {
        (id != 0).then(|| self.find(&self.ids, id, |entry| entry.id))?
    }

    /// The last call of the same service with the same usage.
    pub(super) fn by_usage(&self, like: &Entry) -> Option<Handle> {
        let key = usage_key(like, &self.hasher);
        (key != 0).then(|| self.find(&self.usages, key, |entry| usage_key(entry, &self.hasher)))?
    }

    pub(super) fn has_trace(&self, trace: Key) -> bool {
        self.last_of(trace).is_some()
    }

    /// The trace's calls, the last one first.
    pub(super) fn in_trace(&self, trace: Key) -> impl Iterator<Item = (Handle, &Entry)> {
        let pair = |handle| Some((handle, self.get(handle)?));
        let first = self.last_of(trace).and_then(pair);
        std::iter::successors(first, move |(_, entry)| pair(entry.previous))
    }

    /// Remembers a call and forgets the oldest if there are too many. With `counted` zero, the call
    /// is its own.
    pub(super) fn push(&mut self, mut entry: Entry, now: Seconds) {
        while self.calls.entries.len() >= self.max {
            self.forget_oldest();
        }
        let handle = self.calls.next_handle();
        let own = entry.counted == 0;
        if own {
            entry.counted = handle;
        }
        entry.seen = now;
        let last = self.last_of(entry.trace);
        entry.previous = last.unwrap_or(0);
        let same_id = self.by_id(entry.id);
        let same_usage = self.by_usage(&entry);
        let usage_key = usage_key(&entry, &self.hasher);
        let Calls { hasher, calls, spans, ids, traces, usages, .. } = self;
        calls.push(entry);
        let hashes = Hashes { calls, hasher };
        spans.put(entry.span, handle, None, |handle| hashes.span(handle));
        if own || same_id.is_none() {
            ids.put(entry.id, handle, same_id, |handle| hashes.id(handle));
        }
        traces.put(entry.trace, handle, last, |handle| hashes.trace(handle));
        usages.put(usage_key, handle, same_usage, |handle| hashes.usage(handle));
    }

    /// Gives a call that said no response id the one that another report of it says.
    pub(super) fn adopt_id(&mut self, handle: Handle, id: Key, weak: bool) {
        let same_id = self.by_id(id);
        let Some(entry) = self.calls.get_mut(handle).filter(|entry| entry.id == 0) else { return };
        entry.id = id;
        entry.weak_id = weak;
        let Calls { hasher, calls, ids, .. } = self;
        let hashes = Hashes { calls, hasher };
        ids.put(id, handle, same_id, |handle| hashes.id(handle));
    }

    pub(super) fn expire(&mut self, before: Seconds) {
        while self.calls.oldest().is_some_and(|(_, entry)| entry.seen < before) {
            self.forget_oldest();
        }
    }

    pub(super) fn len(&self) -> usize {
        self.calls.entries.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.calls.bytes() + self.spans.bytes() + self.ids.bytes() + self.traces.bytes() + self.usages.bytes()
    }

    fn last_of(&self, trace: Key) -> Option<Handle> {
        (trace != 0).then(|| self.find(&self.traces, trace, |entry| entry.trace))?
    }

    fn find(&self, index: &Index, key: Key, of: impl Fn(&Entry) -> Key) -> Option<Handle> {
        index.find(key, |handle| self.calls.get(handle).is_some_and(|entry| of(entry) == key))
    }

    fn forget_oldest(&mut self) {
        let Some((handle, entry)) = self.calls.oldest().map(|(handle, entry)| (handle, *entry)) else { return };
        let usage_key = usage_key(&entry, &self.hasher);
        let Calls { hasher, calls, spans, ids, traces, usages, .. } = self;
        let hashes = Hashes { calls, hasher };
        spans.remove(entry.span, handle, |handle| hashes.span(handle));
        ids.remove(entry.id, handle, |handle| hashes.id(handle));
        traces.remove(entry.trace, handle, |handle| hashes.trace(handle));
        usages.remove(usage_key, handle, |handle| hashes.usage(handle));
        calls.entries.pop_front();
    }
}

/// The hash under which a handle stands in each of the indexes.
struct Hashes<'c> {
    calls: &'c Recent<Entry>,
    hasher: &'c RandomState,
}

impl Hashes<'_> {
    fn span(&self, handle: Handle) -> Key {
        self.calls.get(handle).map_or(0, |entry| entry.span)
    }

    fn id(&self, handle: Handle) -> Key {
        self.calls.get(handle).map_or(0, |entry| entry.id)
    }

    fn trace(&self, handle: Handle) -> Key {
        self.calls.get(handle).map_or(0, |entry| entry.trace)
    }

    fn usage(&self, handle: Handle) -> Key {
        self.calls.get(handle).map_or(0, |entry| usage_key(entry, self.hasher))
    }
}

/// Zero for a call without usage.
fn usage_key(entry: &Entry, hasher: &RandomState) -> Key {
    match entry.tokens() {
        0 => 0,
        _ => hasher.hash_one((entry.service, entry.input, entry.output)).max(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(span: Key, id: Key, trace: Key) -> Entry {
        let families = Families::of("", "", &RandomState::default());
        Entry { id, trace, ..Entry::new(span, families) }
    }

    #[test]
    fn sizes_are_as_documented() {
        assert_eq!(size_of::<Entry>(), 88);
        assert_eq!(size_of::<Link>(), 24);
    }

    #[test]
    fn the_oldest_goes_and_takes_its_keys_along() {
        let mut calls = Calls::new(3, RandomState::default());
        for n in 1..=5 {
            calls.push(entry(n, 10 + n, 20 + n % 2), 0);
        }
        assert_eq!(calls.len(), 3);
        assert!(calls.by_span(2).is_none() && calls.by_id(12).is_none());
        assert!(calls.by_span(3).is_some() && calls.by_id(13).is_some());
        // Calls 3 and 5 are of trace 21; 1 was, and is forgotten.
        let of_trace: Vec<Key> = calls.in_trace(21).map(|(_, entry)| entry.span).collect();
        assert_eq!(of_trace, [5, 3]);
        calls.push(entry(6, 0, 0), 0);
        calls.push(entry(7, 0, 0), 0);
        calls.push(entry(8, 0, 0), 0);
        assert!(!calls.has_trace(20) && !calls.has_trace(21));
    }

    #[test]
    fn time_takes_the_oldest_first() {
        let mut calls = Calls::new(9, RandomState::default());
        calls.push(entry(1, 0, 0), 5);
        calls.push(entry(2, 0, 0), 6);
        calls.expire(6);
        assert!(calls.by_span(1).is_none() && calls.by_span(2).is_some());
        let mut links = Links::new(9);
        links.insert(Link::new(1, 0, false, false), 5);
        links.insert(Link::new(2, 1, true, false), 6);
        links.expire(6);
        assert!(links.get(1).is_none());
        assert!(links.get(2).is_some_and(|link| link.parent == 1 && link.remote));
    }

    #[test]
    fn handles_outlive_the_turn_of_their_numbers() {
        let mut calls = Calls::new(4, RandomState::default());
        calls.calls.next = NUMBER_MASK - 1;
        for n in 1..=9 {
            calls.push(entry(n, n, n), 0);
            assert!(calls.by_span(n).and_then(|handle| calls.get(handle)).is_some_and(|entry| entry.span == n));
        }
        assert_eq!((6..=9).filter(|n| calls.by_id(*n).is_some()).count(), 4);
        assert!(calls.by_span(5).is_none());
    }
}
