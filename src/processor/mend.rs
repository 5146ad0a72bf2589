//! Takes spans out of the traces without leaving orphans, whatever stage asks for it.
//!
//! A child of a dropped span is re-parented to the nearest kept ancestor. Where the dropped span
//! came in an earlier request, a bounded memory of dropped ids tells its parent. Where a child
//! came first and has gone out already, the span that it points at is kept, whatever its stage
//! says: an extra span is noise, an orphan breaks the tree.
//!
//! Each stage that drops spans has a mender of its own; those of one pipeline share the memory. Whatever
//! one of them does, the others know under the same lock: a chain of dropped spans may belong to several.
//! A span is spared by its own stage only. A stage that took nothing of a request leaves the mending to the
//! last one.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::fast::RandomState;

use super::settings::DropMemory;
use crate::bounded::recent::Recent;
use crate::otlp::span::Span;
use crate::otlp::traces::{Record, Spans};
use crate::otlp::{SpanId, TraceId};

/// How many dropped spans in a row are looked through for a kept ancestor. Real chains have two
/// (`connect` and a statement); the bound also ends cycles.
const CHAIN: usize = 64;

/// Set in a span's flags if its parent is in another process.
const HAS_IS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

/// See the module's documentation.
#[derive(Debug)]
pub struct Mender {
    reason: &'static str,
    share: Share,
    counts: Counts,
}

/// What the stages of one pipeline that drop spans remember together.
#[derive(Debug)]
pub struct Memory(Mutex<Remembered>);

impl Memory {
    /// An empty one, of these bounds.
    pub fn new(settings: &DropMemory) -> Memory {
        Memory(Mutex::new(Remembered {
            dropped: Recent::new(settings.max_spans, settings.ttl),
            awaited: Recent::new(settings.max_spans, settings.ttl),
        }))
    }
}

/// A stage's share in a memory.
#[derive(Debug, Clone)]
pub struct Share {
    /// The memory.
    pub memory: Arc<Memory>,
    /// Whether the stage is the last one of its pipeline that has a share.
    pub is_last: bool,
}

impl Share {
    /// All of a memory of its own.
    pub fn alone(settings: &DropMemory) -> Share {
        Share { memory: Arc::new(Memory::new(settings)), is_last: true }
    }
}

#[derive(Debug)]
struct Remembered {
    /// Dropped spans and their parents.
    dropped: Recent<Key, Option<SpanId>>,
    /// Parents of spans that went out, where the parent had not been seen.
    awaited: Recent<Key, ()>,
}

/// A span of a trace.
pub type Key = (TraceId, SpanId);

/// What a stage that drops spans did, since the start.
#[derive(Debug, Default)]
pub struct Counts {
    /// Spans dropped.
    pub dropped: AtomicU64,
    /// Children given a new parent that stood in the same request.
    pub reparented_in_batch: AtomicU64,
    /// Children given a new parent that the memory knew.
    pub reparented_from_memory: AtomicU64,
    /// Spans that were to be dropped and were kept because a child had gone out already.
    pub spared: AtomicU64,
    /// Children that could not be mended: the chain of dropped ancestors is a cycle or too long.
    pub unmended: AtomicU64,
    /// Ids that the memory gave up before their time; children that come later may be orphans.
    pub forgotten: AtomicU64,
}

/// The spans of one request that one stage takes out.
#[derive(Debug, Default)]
pub struct Taken {
    keys: HashSet<Key, RandomState>,
    spans: usize,
}

impl Taken {
    /// Drops a span.
    pub fn take(&mut self, span: &mut Span<'_>) {
        span.drop_span();
        self.spans += 1;
        if let (Some(trace), Some(id)) = (span.trace_id(), span.span_id()) {
            self.keys.insert((trace, id));
        }
    }
}

/// What became of the spans that a stage took out of a request.
#[derive(Debug, Default)]
pub struct Mended {
    /// They stay after all.
    pub spared: HashSet<Key, RandomState>,
    /// They had been dropped from an earlier request already, and were sent once more.
    pub repeated: HashSet<Key, RandomState>,
}

impl Mender {
    /// A mender with this memory; `reason` is why its stage drops spans, as the books say it.
    pub fn new(share: Share, reason: &'static str) -> Self {
        Mender { reason, share, counts: Counts::default() }
    }

    /// Why its stage drops spans.
    pub fn reason(&self) -> &'static str {
        self.reason
    }

    /// What was done since the start.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Gives the children of dropped spans another parent, after the last span of a request was seen.
    ///
    /// The memory is read and written under one lock, so that two requests of one trace at once cannot
    /// both miss what the other one did. Little after this can refuse the batch.
    pub fn mend(&self, spans: &mut Spans, taken: &Taken) -> Mended {
        if taken.spans == 0 && !self.share.is_last {
            return Mended::default();
        }
        let mut memory = self.share.memory.0.lock().unwrap_or_else(PoisonError::into_inner);
        memory.dropped.tick();
        memory.awaited.tick();
        let spared_before = spans.kept_again();
        let mended = Mended {
            spared: self.spare_awaited(spans, &memory, taken),
            repeated: match memory.dropped.is_empty() {
                true => HashSet::default(),
                false => taken.keys.iter().filter(|key| memory.dropped.contains(key)).copied().collect(),
            },
        };
        self.mend_children(spans, &mut memory);
        add(&self.counts.dropped, taken.spans.saturating_sub(spans.kept_again() - spared_before));
        mended
    }

    fn mend_children(&self, spans: &mut Spans, memory: &mut Remembered) {
        let counts = &self.counts;
        let mut dropped_here: HashMap<Key, Option<SpanId>, RandomState> = HashMap::default();
        for record in spans.records().iter().filter(|record| record.dropped) {
            if let Some(key) = key(record, record.span_id) {
                dropped_here.insert(key, record.parent_span_id);
            }
        }
        let mut mended = Vec::new();
        let mut unmended = 0;
        if !dropped_here.is_empty() || !memory.dropped.is_empty() {
            // Siblings stand together; asking once is enough for them.
            let mut last = (None, Ancestor::Same);
            let kept = spans.records().iter().enumerate().filter(|(_, record)| !record.dropped && !record.held);
            for (index, record) in kept {
                let Some(key) = key(record, record.parent_span_id) else { continue };
                if last.0 != Some(key) {
                    last = (Some(key), ancestor(record, &dropped_here, memory));
                }
                match last.1 {
                    Ancestor::Same => {}
                    Ancestor::Changed { parent, remembered } => mended.push((index, parent, remembered)),
                    Ancestor::Lost => unmended += 1,
                }
            }
        }
        for (index, parent, remembered) in mended {
            spans.set_parent(index, parent);
            add(if remembered { &counts.reparented_from_memory } else { &counts.reparented_in_batch }, 1);
        }
        add(&counts.unmended, unmended);
        remember(spans, memory, counts, dropped_here);
    }

    /// Keeps what the stage took but an earlier request's child points at.
    fn spare_awaited(&self, spans: &mut Spans, memory: &Remembered, taken: &Taken) -> HashSet<Key, RandomState> {
        let mut spared = HashSet::default();
        if memory.awaited.is_empty() || taken.keys.is_empty() {
            return spared;
        }
        let is_awaited = |record: &Record| {
            key(record, record.span_id).filter(|key| taken.keys.contains(key) && memory.awaited.contains(key))
        };
        let records = spans.records().iter().enumerate().filter(|(_, record)| record.dropped);
        let awaited: Vec<(usize, Key)> =
            records.filter_map(|(index, record)| Some((index, is_awaited(record)?))).collect();
        add(&self.counts.spared, awaited.len());
        for (index, key) in awaited {
            spans.keep(index);
            spared.insert(key);
        }
        spared
    }
}

fn key(record: &Record, span: Option<SpanId>) -> Option<Key> {
    Some((record.trace_id?, span?))
}

fn add(counter: &AtomicU64, count: usize) {
    if count > 0 {
        counter.fetch_add(count as u64, Ordering::Relaxed);
    }
}

#[derive(Debug, Clone, Copy)]
enum Ancestor {
    Same,
    Changed { parent: Option<SpanId>, remembered: bool },
    Lost,
}

/// The nearest ancestor of a kept span that was not dropped.
fn ancestor(
    record: &Record,
    dropped_here: &HashMap<Key, Option<SpanId>, RandomState>,
    memory: &Remembered,
) -> Ancestor {
    let mut parent = record.parent_span_id;
    let mut changed = false;
    let mut remembered = false;
    for _ in 0..CHAIN {
        let Some(key) = key(record, parent) else { break };
        let above = match dropped_here.get(&key) {
            Some(above) => *above,
            None => match memory.dropped.get(&key) {
                Some(above) => {
                    remembered = true;
                    *above
                }
                None => return if changed { Ancestor::Changed { parent, remembered } } else { Ancestor::Same },
            },
        };
        parent = above;
        changed = true;
        if parent.is_none() {
            break;
        }
    }
    match (changed, parent) {
        (false, _) => Ancestor::Same,
        (true, None) => Ancestor::Changed { parent: None, remembered },
        (true, Some(_)) => Ancestor::Lost,
    }
}

fn remember(
    spans: &Spans,
    memory: &mut Remembered,
    counts: &Counts,
    dropped_here: HashMap<Key, Option<SpanId>, RandomState>,
) {
    let mut forgotten = 0;
    for (key, parent) in dropped_here {
        forgotten += memory.dropped.insert(key, parent);
    }
    // A request has far fewer parents than spans, so it is the parents that are put into a table.
    let mut parents: HashMap<Key, bool, RandomState> = HashMap::default();
    let mut last = None;
    for record in spans.records().iter().filter(|record| !record.dropped && !record.held) {
        let remote = record.flags & HAS_IS_REMOTE != 0 && record.flags & IS_REMOTE != 0;
        let key = key(record, record.parent_span_id).filter(|_| !remote);
        if key != last {
            last = key;
            if let Some(key) = key {
                parents.entry(key).or_insert(false);
            }
        }
    }
    if parents.is_empty() {
        return add(&counts.forgotten, forgotten);
    }
    for key in spans.records().iter().filter_map(|record| key(record, record.span_id)) {
        if let Some(is_here) = parents.get_mut(&key) {
            *is_here = true;
        }
    }
    for (key, _) in parents.into_iter().filter(|(_, is_here)| !is_here) {
        forgotten += memory.awaited.insert(key, ());
    }
    add(&counts.forgotten, forgotten);
}
