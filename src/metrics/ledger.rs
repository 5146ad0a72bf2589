//! The token ledger: every call to a provider is counted once, whatever wraps, repeats or
//! re-exports it.
//!
//! What a call is, comes from [`Call`]; what becomes of a count, is behind [`Recorder`]; between
//! them stand the rules of identity, in `ledger/judge.rs`, and the bounded memory that they need, in
//! `ledger/memory.rs`. Why the rules are what they are: `docs/decisions/0003-ledger-identity.md`.
//!
//! Counting does not wait. A request's calls are judged together, those nearest to the provider
//! first, and what was counted stays counted when a better witness arrives later.

mod family;
mod index;
mod judge;
mod memory;

use std::hash::{BuildHasher, Hash};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use foldhash::quality::RandomState;
use tokio::time::Instant;

use self::family::Families;
use self::judge::{Memory, Verdict};
use self::memory::{Calls, Entry, Key, Links, Seconds};
use super::call::Call;
use crate::otlp::span::{Kind, Span};
use crate::otlp::{SpanId, TraceId};

/// How long and how much the ledger remembers.
#[derive(Debug, Clone, PartialEq)]
pub struct LedgerWindow {
    /// `window.ttl`.
    pub ttl: Duration,
    /// `window.max_spans`: spans, response ids and links that are remembered at most, each.
    pub max_spans: usize,
}

impl Default for LedgerWindow {
    fn default() -> Self {
        LedgerWindow { ttl: Duration::from_secs(600), max_spans: 32_768 }
    }
}

/// Which way tokens went: `gen_ai.token.type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// To the model.
    Input,
    /// From the model.
    Output,
}

/// Why usage that a span carries was not counted, or what could not be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Suppressed {
    /// The same span arrived before.
    ReExport,
    /// An agent, a workflow, a chain, a tool: the sum of calls that have spans of their own.
    NotACall,
    /// A call with the same response id was counted.
    SameResponse,
    /// A call above or below in the same trace was counted, and this is another view of it.
    SameTrace,
    /// Another instrumentation of the same process reported the call, in a trace of its own.
    Stacked,
    /// The answer came from a cache in the application: word for word an earlier answer to the
    /// same question, with its usage and without the provider's id for it.
    CachedAnswer,
    /// A call that succeeded and does not say its usage. Nothing is invented.
    NoUsage,
    /// As [`Suppressed::NoUsage`], with zeros in place of the numbers.
    ZeroUsage,
    /// The usage is an estimate of the emitter, and not what the provider counted.
    Estimate,
    /// The application sends the metric by itself, and the derived one gives way
    /// (`native_metrics: defer`).
    NativeMetrics,
}

impl Suppressed {
    /// All reasons.
    pub const ALL: [Suppressed; 10] = [
        Suppressed::ReExport,
        Suppressed::NotACall,
        Suppressed::SameResponse,
        Suppressed::SameTrace,
        Suppressed::Stacked,
        Suppressed::CachedAnswer,
        Suppressed::NoUsage,
        Suppressed::ZeroUsage,
        Suppressed::Estimate,
        Suppressed::NativeMetrics,
    ];

    /// The value of the self-metric's label `reason`.
    pub const fn name(self) -> &'static str {
        match self {
            Suppressed::ReExport => "re_export",
            Suppressed::NotACall => "not_a_model_call",
            Suppressed::SameResponse => "same_response_id",
            Suppressed::SameTrace => "same_call_in_trace",
            Suppressed::Stacked => "stacked_instrumentation",
            Suppressed::CachedAnswer => "cached_answer",
            Suppressed::NoUsage => "no_usage",
            Suppressed::ZeroUsage => "zero_usage",
            Suppressed::Estimate => "estimate",
            Suppressed::NativeMetrics => "native_metrics",
        }
    }

    /// For people.
    pub const fn because(self) -> &'static str {
        match self {
            Suppressed::ReExport => "the same span came before",
            Suppressed::NotACall => "it is no model call: the calls that it makes have spans of their own",
            Suppressed::SameResponse => "a call with the same response id was counted",
            Suppressed::SameTrace => "another span of this trace is the same call, and was counted",
            Suppressed::Stacked => "another instrumentation of the same process reported the call, and was counted",
            Suppressed::CachedAnswer => "the answer came from a cache: word for word an earlier one, with its usage",
            Suppressed::NoUsage => "it does not say its usage, and nothing is invented",
            Suppressed::ZeroUsage => "it says zeros, which stand for usage that was not reported",
            Suppressed::Estimate => "its usage is the emitter's estimate, and not what the provider counted",
            Suppressed::NativeMetrics => "the application sends this metric by itself (native_metrics: defer)",
        }
    }
}

/// Where counts go.
pub trait Recorder: Send + Sync {
    /// A call's tokens in one direction; at most once a call and direction.
    fn tokens(&self, call: &Call, direction: Direction, tokens: u64);
    /// An operation ended; once an operation, failed ones included.
    fn duration(&self, call: &Call);
    /// A call's usage was not counted.
    fn suppressed(&self, call: &Call, reason: Suppressed);
    /// A call's tokens were counted, at another span of it, which may be another service's.
    fn counted_elsewhere(&self, call: &Call) {
        let _ = call;
    }
}

/// Remembers which calls were counted. Shared by all requests of a pipeline.
#[derive(Debug)]
pub struct Ledger {
    hasher: RandomState,
    /// Whether a call that two services report is counted for each of them.
    per_service: bool,
    ttl: Seconds,
    began: Instant,
    memory: Mutex<Memory>,
}

/// What one request shows; takes effect with [`Ledger::settle`].
#[derive(Debug)]
pub struct Sightings {
    hasher: RandomState,
    links: Vec<Sighting>,
    calls: Vec<Call>,
    /// The trace and the parent that were hashed last: the spans of a trace stand together, and so
    /// do siblings.
    last_trace: Option<(TraceId, Key)>,
    last_parent: Option<((TraceId, SpanId), Key)>,
}

#[derive(Debug, Clone, Copy)]
struct Sighting {
    trace: Key,
    span: Key,
    parent: Key,
    remote: bool,
    boundary: bool,
}

impl Sightings {
    /// Notes where a span stands. Every span counts, because a call and the call that it is made
    /// for are seldom parent and child: an HTTP client, a server and a router stand between them.
    pub fn span(&mut self, span: &Span<'_>) {
        let handles_remote_call = matches!(span.kind(), Kind::Server | Kind::Consumer);
        let remote = handles_remote_call || span.flags() & PARENT_IS_REMOTE == PARENT_IS_REMOTE;
        self.link(span.trace_id(), span.span_id(), span.parent_span_id(), remote);
    }

    /// As [`Sightings::span`], for a span that was dropped before: it links all the same.
    pub fn link(&mut self, trace: Option<TraceId>, span: Option<SpanId>, parent: Option<SpanId>, remote: bool) {
        if let (Some(trace), Some(span)) = (trace, span) {
            let hasher = &self.hasher;
            let parent = parent.map_or(0, |parent| cached(&mut self.last_parent, hasher, (trace, parent)));
            let trace_key = cached(&mut self.last_trace, hasher, trace);
            let span = key(hasher, (trace, span));
            self.links.push(Sighting { trace: trace_key, span, parent, remote, boundary: false });
        }
    }

    /// Notes a GenAI operation. Its span is to be noted just before.
    pub fn call(&mut self, call: Call) {
        if call.is_own_work()
            && let (Some(trace), Some(span)) = (call.trace_id, call.span_id)
        {
            let span = key(&self.hasher, (trace, span));
            if let Some(link) = self.links.last_mut().filter(|link| link.span == span) {
                link.boundary = true;
            }
        }
        self.calls.push(call);
    }
}

/// `SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK` and `SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK` of OTLP.
const PARENT_IS_REMOTE: u32 = 0x300;

/// A response id below this length may return: Ollama has 1,000 of them (`chatcmpl-417`). UUIDs and
/// the ids of OpenAI, Anthropic, Gemini and Mistral are longer.
const UNIQUE_ID_LENGTH: usize = 20;

/// Of the links that are remembered, the share that is kept for traces without a call so far.
const PASSING_SHARE: usize = 8;

/// As [`key`], of what was perhaps hashed just now.
fn cached<T: Hash + Copy + PartialEq>(last: &mut Option<(T, Key)>, hasher: &RandomState, of: T) -> Key {
    match last {
        Some((same, key)) if *same == of => *key,
        _ => last.insert((of, key(hasher, of))).1,
    }
}

fn key(hasher: &RandomState, of: impl Hash) -> Key {
    hasher.hash_one(of).max(1)
}

impl Ledger {
    /// An empty ledger.
    pub fn new(window: &LedgerWindow, per_service: bool) -> Ledger {
        // Handles hold 31 bits.
        let max = window.max_spans.min(1 << 30);
        let hasher = RandomState::default();
        Ledger {
            hasher: hasher.clone(),
            per_service,
            ttl: Seconds::try_from(window.ttl.as_secs()).unwrap_or(Seconds::MAX),
            began: Instant::now(),
            memory: Mutex::new(Memory {
                calls: Calls::new(max, hasher),
                links: Links::new(max),
                passing: Links::new(max / PASSING_SHARE),
            }),
        }
    }

    /// Begins a request.
    pub fn sightings(&self) -> Sightings {
        Sightings {
            hasher: self.hasher.clone(),
            links: Vec::new(),
            calls: Vec::new(),
            last_trace: None,
            last_parent: None,
        }
    }

    /// A request was accepted: its calls are judged and counted.
    pub fn settle(&self, sightings: Sightings, recorder: &dyn Recorder) {
        let now = Seconds::try_from(self.began.elapsed().as_secs()).unwrap_or(Seconds::MAX);
        let Sightings { links, calls, .. } = sightings;
        let mut news: Vec<(Entry, Call)> = calls.into_iter().map(|call| (self.entry(&call), call)).collect();
        let verdicts: Vec<Verdict> = {
            // What a panic left behind is whole: entries and indexes change together.
            let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
            memory.expire(now.saturating_sub(self.ttl));
            memory.remember_links(&links, &news, now);
            news.sort_by_cached_key(|(entry, call)| memory.order(entry, call));
            news.iter().map(|(entry, call)| memory.judge(*entry, call, self.per_service, now)).collect()
        };
        for ((_, call), verdict) in news.iter().zip(verdicts) {
            verdict.record(call, recorder);
        }
    }

    /// Calls that are remembered now, and links.
    pub fn remembered(&self) -> (usize, usize) {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        (memory.calls.len(), memory.links.len() + memory.passing.len())
    }

    /// Bytes that the memory takes now.
    pub fn bytes(&self) -> usize {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.calls.bytes() + memory.links.bytes() + memory.passing.bytes()
    }

    fn entry(&self, call: &Call) -> Entry {
        let small = |tokens: Option<u64>| u32::try_from(tokens.unwrap_or(0)).unwrap_or(u32::MAX);
        let span = match (call.trace_id, call.span_id) {
            (Some(trace), Some(span)) => key(&self.hasher, (trace, span)),
            _ => 0,
        };
        let families = Families::of(&call.request_model, &call.response_model, &self.hasher);
        let mut entry = Entry::new(span, families);
        entry.service = key(&self.hasher, &call.service) as u32;
        entry.start = call.start_time_unix_nano;
        entry.end = call.end_time_unix_nano;
        entry.server = call.kind == Kind::Server;
        if !call.is_model_call() {
            return entry;
        }
        entry.trace = call.trace_id.map_or(0, |trace| key(&self.hasher, trace));
        if !call.response_id.is_empty() {
            let service = if self.per_service { entry.service } else { 0 };
            entry.id = key(&self.hasher, (&call.response_id, service));
            entry.weak_id = call.response_id.len() < UNIQUE_ID_LENGTH;
        }
        if let Some(usage) = call.billed() {
            entry.input = small(usage.input);
            entry.output = small(usage.output);
            entry.left = entry.input.saturating_add(entry.output);
            entry.content = call.content as u32;
        }
        entry
    }
}

impl Verdict {
    fn record(self, call: &Call, recorder: &dyn Recorder) {
        if self.duration {
            recorder.duration(call);
        }
        if let Some(usage) = call.billed().filter(|_| self.tokens) {
            for (direction, tokens) in [(Direction::Input, usage.input), (Direction::Output, usage.output)] {
                if let Some(tokens) = tokens {
                    recorder.tokens(call, direction, tokens);
                }
            }
        }
        if let Some(reason) = self.suppressed {
            recorder.suppressed(call, reason);
            if matches!(reason, Suppressed::SameResponse | Suppressed::SameTrace | Suppressed::Stacked) {
                recorder.counted_elsewhere(call);
            }
        }
    }
}
