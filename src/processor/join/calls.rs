//! What waits in the room of [`super`], by call, and in what order it goes: the bookkeeping behind its lock.
//! Who comes in and what is done with what goes is the room's.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use crate::bounded::budget::Claim;
use crate::genai::log::content::{Content, put_on};
use crate::otlp::span::Span;
use crate::otlp::traces::Envelope;
use crate::otlp::{Signal, SpanId, TraceId};

/// What one waiting item takes beside its bytes.
const OVERHEAD: usize = 256;

pub(super) type Key = (TraceId, SpanId);

/// An item that waits.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) key: Key,
    pub(super) bytes: Vec<u8>,
    pub(super) envelope: Arc<Envelope>,
}

impl Item {
    pub(super) fn size(&self) -> usize {
        size(self.bytes.len(), &self.envelope)
    }
}

pub(super) fn size(bytes: usize, envelope: &Envelope) -> usize {
    bytes + envelope.size() + OVERHEAD
}

#[derive(Default)]
pub(super) struct Inner {
    pub(super) calls: HashMap<Key, Call, foldhash::fast::RandomState>,
    /// When each call's wait ends, first one first. A call that is gone, or another one of the same
    /// ids, is told by its number.
    pub(super) ends: VecDeque<(Instant, Key, u64)>,
    pub(super) numbers: u64,
    /// What goes on as soon as there is room.
    pub(super) ready: Ready,
    /// Room that is taken: by what waits, what is ready, and what batches under way have reserved.
    pub(super) items: usize,
    pub(super) bytes: usize,
    /// The claim on `bytes`.
    pub(super) memory: Claim,
    pub(super) held: [usize; 2],
    pub(super) closed: bool,
}

#[derive(Default)]
pub(super) struct Ready {
    pub(super) spans: VecDeque<Out>,
    pub(super) logs: VecDeque<Out>,
}

/// Something on its way out.
pub(super) struct Out {
    pub(super) item: Item,
    /// Room that it takes, with that of log records that are on it now.
    pub(super) size: usize,
    /// Log records whose content is on it, and which go with it.
    pub(super) carries: usize,
    pub(super) outcome: &'static str,
}

/// What is known of one call.
#[derive(Default)]
pub(super) struct Call {
    pub(super) number: u64,
    pub(super) span: Option<Item>,
    pub(super) logs: Vec<(Item, Content)>,
}

impl Call {
    pub(super) fn is_complete(&self) -> bool {
        self.span.is_some()
            && self.logs.iter().any(|(_, content)| content.has_input())
            && self.logs.iter().any(|(_, content)| content.has_output())
    }
}

impl Inner {
    /// The call of these ids; one that is new waits until `end`.
    pub(super) fn call(&mut self, key: Key, end: Instant) -> &mut Call {
        let numbers = &mut self.numbers;
        let ends = &mut self.ends;
        self.calls.entry(key).or_insert_with(|| {
            *numbers += 1;
            ends.push_back((end, key, *numbers));
            Call { number: *numbers, ..Call::default() }
        })
    }

    pub(super) fn expire(&mut self, now: Instant) {
        while let Some((end, key, number)) = self.ends.front().copied() {
            let is_here = self.calls.get(&key).is_some_and(|call| call.number == number);
            if is_here && end > now {
                return;
            }
            self.ends.pop_front();
            if is_here && let Some(call) = self.calls.remove(&key) {
                self.leave(call);
            }
        }
    }

    /// A call's wait is over: its span goes on with what came, log records that cannot go on it go
    /// on as they came.
    pub(super) fn leave(&mut self, call: Call) {
        let is_complete = call.is_complete();
        let Some(mut span) = call.span else {
            call.logs.into_iter().for_each(|(item, _)| self.let_out(Signal::Logs, item, "alone"));
            return;
        };
        if call.logs.is_empty() {
            return self.let_out(Signal::Traces, span, "alone");
        }
        let mut size = span.size();
        let (mut contents, mut carries) = (Vec::new(), 0);
        for (item, content) in call.logs {
            if content.is_all {
                carries += 1;
                size += item.size();
            } else {
                self.let_out(Signal::Logs, item, "copied");
            }
            contents.push(content);
        }
        let mut bytes = Vec::new();
        let mut view = Span::new();
        // It was a valid span when it came.
        if view.parse(&span.bytes).is_ok() {
            put_on(&mut view, contents);
            view.write(&mut bytes);
            span.bytes = bytes;
        }
        let outcome = if is_complete { "joined" } else { "partly_joined" };
        self.ready.spans.push_back(Out { item: span, size, carries, outcome });
    }

    pub(super) fn let_out(&mut self, signal: Signal, item: Item, outcome: &'static str) {
        let out = Out { size: item.size(), item, carries: 0, outcome };
        match signal {
            Signal::Traces => self.ready.spans.push_back(out),
            Signal::Logs | Signal::Metrics => self.ready.logs.push_back(out),
        }
    }

    /// Gives back the room of something that is gone.
    pub(super) fn forget(&mut self, signal: Signal, out: &Out) {
        let [spans, logs] = &mut self.held;
        let own = if signal == Signal::Traces { spans } else { &mut *logs };
        *own = own.saturating_sub(1);
        *logs = logs.saturating_sub(out.carries);
        self.items = self.items.saturating_sub(1 + out.carries);
        self.give_back(out.size);
    }

    pub(super) fn give_back(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
        self.memory.shrink_to(self.bytes);
    }
}

/// One request of these items; neighbours of one scope share its envelope.
pub(super) fn request<'i>(items: impl Iterator<Item = &'i Item>) -> Bytes {
    let mut body = Vec::new();
    let mut items = items.peekable();
    while let Some(first) = items.next() {
        let mut group = vec![first.bytes.as_slice()];
        while let Some(next) = items.next_if(|next| next.envelope == first.envelope) {
            group.push(&next.bytes);
        }
        first.envelope.wrap(group.into_iter(), &mut body);
    }
    body.into()
}
