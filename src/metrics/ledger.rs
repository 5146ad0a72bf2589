//! The token ledger: every call to a provider is counted once, whatever wraps, repeats or
//! re-exports it.
//!
//! What a call is, comes from [`Call`]; what becomes of a count, is behind [`Recorder`]; between
//! them stand the rules of identity, in this file, and the bounded memory that they need, in
//! `ledger/memory.rs`. Why the rules are what they are: `docs/decisions/0003-ledger-identity.md`.
//!
//! Counting does not wait. A request's calls are judged together, those nearest to the provider
//! first, and what was counted stays counted when a better witness arrives later.

mod family;
mod index;
mod memory;

use std::cmp::Reverse;
use std::collections::HashSet;
use std::hash::{BuildHasher, Hash};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use foldhash::quality::RandomState;
use tokio::time::Instant;

use self::family::Families;
use self::memory::{Calls, Entry, Handle, Key, Link, Links, Seconds};
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
}

/// Where counts go.
pub trait Recorder: Send + Sync {
    /// A call's tokens in one direction; at most once a call and direction.
    fn tokens(&self, call: &Call, direction: Direction, tokens: u64);
    /// An operation ended; once an operation, failed ones included.
    fn duration(&self, call: &Call);
    /// Usage was not counted.
    fn suppressed(&self, reason: Suppressed);
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
            self.links.push(Sighting { trace: trace_key, span: key(hasher, (trace, span)), parent, remote });
        }
    }

    /// Notes a GenAI operation. Its span is to be noted as well.
    pub fn call(&mut self, call: Call) {
        self.calls.push(call);
    }
}

/// `SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK` and `SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK` of OTLP.
const PARENT_IS_REMOTE: u32 = 0x300;

/// A response id below this length may return: Ollama has 1,000 of them (`chatcmpl-417`). UUIDs and
/// the ids of OpenAI, Anthropic, Gemini and Mistral are longer.
const UNIQUE_ID_LENGTH: usize = 20;

/// Clocks of two machines may differ by this much, in nanoseconds.
const CLOCK_SKEW: u64 = 5_000_000_000;

/// Hops from a span towards its root that are followed.
const MAX_DEPTH: usize = 64;

/// Calls of one trace that are compared with a new one.
const MAX_RELATIVES: usize = 32;

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

/// Why a call that succeeded brings no tokens.
fn silence(call: &Call) -> Suppressed {
    match call.usage {
        usage if usage.estimated => Suppressed::Estimate,
        usage if usage.is_zero() => Suppressed::ZeroUsage,
        _ => Suppressed::NoUsage,
    }
}

/// What is counted for one span.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Verdict {
    tokens: bool,
    duration: bool,
    suppressed: Option<Suppressed>,
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
            recorder.suppressed(reason);
            if matches!(reason, Suppressed::SameResponse | Suppressed::SameTrace | Suppressed::Stacked) {
                recorder.counted_elsewhere(call);
            }
        }
    }
}

#[derive(Debug)]
struct Memory {
    calls: Calls,
    /// Links of traces that have a call.
    links: Links,
    /// Links of other traces. Most traffic is not GenAI, and must not push out what is.
    passing: Links,
}

/// A call that was counted, of which another span is a view.
#[derive(Debug, Clone, Copy)]
struct Match {
    counted: Handle,
    reason: Suppressed,
    /// Where the new span stands, seen from the span that matched.
    place: Place,
    /// Whether the two spans are in different processes.
    remote: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Above,
    Below,
    /// Beside, or not known.
    Elsewhere,
}

/// How two calls of a trace are related.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Path {
    /// One is below the other in the same process.
    Local,
    /// One is below the other, with a remote call between them.
    Remote,
    /// A span between them may be missing.
    Unknown,
}

/// The spans above a span.
#[derive(Debug, Default)]
struct Ancestry {
    /// Each with whether a remote call is on the way to it.
    above: Vec<(Key, bool)>,
    /// Whether the way to the root is known.
    complete: bool,
}

impl Ancestry {
    fn find(&self, span: Key) -> Option<bool> {
        self.above.iter().find(|(above, _)| span != 0 && *above == span).map(|(_, remote)| *remote)
    }
}

impl Memory {
    fn expire(&mut self, before: Seconds) {
        self.calls.expire(before);
        self.links.expire(before);
        self.passing.expire(before);
    }

    fn remember_links(&mut self, sightings: &[Sighting], news: &[(Entry, Call)], now: Seconds) {
        let with_call: HashSet<Key> = news.iter().map(|(entry, _)| entry.trace).filter(|trace| *trace != 0).collect();
        // The spans of a trace stand together; asking once is enough for them.
        let mut last = (0, false);
        for link in sightings {
            if last.0 != link.trace {
                last = (link.trace, with_call.contains(&link.trace) || self.calls.has_trace(link.trace));
            }
            let (_, ours) = last;
            let links = if ours { &mut self.links } else { &mut self.passing };
            links.insert(link.span, link.parent, link.remote, now);
        }
        // What passed before its trace had a call would soon be pushed out.
        if self.passing.len() == 0 {
            return;
        }
        for (entry, _) in news.iter().filter(|(entry, _)| entry.trace != 0) {
            let passed: Vec<Link> = std::iter::once(entry.span)
                .chain(self.above(entry.span).map(|(above, _)| above))
                .filter_map(|span| self.passing.get(span))
                .collect();
            for link in passed {
                self.links.insert(link.span, link.parent, link.remote, now);
            }
        }
    }

    /// The order in which the calls of a request are judged; it does not depend on the order in
    /// which they stand there.
    ///
    /// Repetitions of a call that is known come first: they tell what of a caller's tokens is
    /// accounted for. Then the deepest, which is the nearest to the provider, and without links the
    /// one that began last. Of two that began together the later one knows more: before the last
    /// chunk of a stream, LiteLLM up to 1.53 reports an estimate under the same response id.
    fn order(&self, entry: &Entry, call: &Call) -> impl Ord + use<> {
        let known = self.calls.by_id(entry.id).is_some();
        let depth = self.above(entry.span).count();
        let silent = entry.tokens() == 0;
        let id = (call.trace_id, call.span_id);
        (!known, Reverse(depth), silent, Reverse(entry.start), Reverse(entry.end), id)
    }

    fn judge(&mut self, mut entry: Entry, call: &Call, per_service: bool, now: Seconds) -> Verdict {
        let usage = entry.tokens() > 0;
        if self.calls.by_span(entry.span).is_some() {
            let said = usage || call.billed().is_some();
            return Verdict { suppressed: said.then_some(Suppressed::ReExport), ..Verdict::default() };
        }
        if !call.is_model_call() {
            let suppressed = call.billed().map(|_| Suppressed::NotACall);
            let duration = call.is_timed();
            if duration || suppressed.is_some() {
                self.calls.push(entry, now);
            }
            return Verdict { tokens: false, duration, suppressed };
        }
        let found = self
            .by_response_id(&entry, per_service)
            .or_else(|| self.by_trace(&entry, per_service))
            .or_else(|| self.by_usage(&entry))
            .or_else(|| self.by_content(&entry));
        let Some((found, counted)) = found.and_then(|found| Some((found, self.calls.get_mut(found.counted)?))) else {
            entry.tokens_counted = usage;
            self.calls.push(entry, now);
            let silent = !usage && call.error_type.is_none();
            return Verdict { tokens: usage, duration: true, suppressed: silent.then(|| silence(call)) };
        };
        let mut verdict = Verdict::default();
        entry.counted = found.counted;
        if usage && counted.tokens_counted {
            verdict.suppressed = Some(found.reason);
            if found.remote && found.reason == Suppressed::SameResponse {
                counted.left = 0;
            } else if found.remote && found.place != Place::Above {
                counted.left = counted.left.saturating_sub(entry.left);
            }
        } else if usage {
            verdict.tokens = true;
            if found.place == Place::Below {
                // A caller that does not know its usage may stand above several calls that do.
                entry.counted = 0;
                entry.tokens_counted = true;
            } else {
                counted.tokens_counted = true;
                (counted.input, counted.output, counted.left) = (entry.input, entry.output, entry.left);
            }
        }
        // One answer has one id: what one report leaves unsaid, the other knows.
        if entry.id == 0 {
            (entry.id, entry.weak_id) = (counted.id, counted.weak_id);
        } else if counted.id == 0 {
            self.calls.adopt_id(found.counted, entry.id, entry.weak_id);
        }
        self.calls.push(entry, now);
        verdict
    }

    /// The call that was counted under the same response id, in whatever trace.
    fn by_response_id(&self, entry: &Entry, per_service: bool) -> Option<Match> {
        let other = self.calls.get(self.calls.by_id(entry.id)?)?;
        let agreed = || {
            entry.families.meet(other.families)
                && (overlap(entry, other) || entry.tokens() > 0 && equal_usage(entry, other))
        };
        let same = (!per_service || entry.service == other.service) && (!entry.weak_id || agreed());
        let remote = entry.service != other.service;
        let counted = other.counted;
        same.then_some(Match { counted, reason: Suppressed::SameResponse, place: Place::Elsewhere, remote })
    }

    /// A call of the same process, of any trace, with the same usage at the same time, of which one
    /// has a response id and the other has none. One instrumentation does not say ids now and not
    /// then, so these are two of them, around one call.
    fn by_usage(&self, entry: &Entry) -> Option<Match> {
        let other = self.calls.get(self.calls.by_usage(entry)?)?;
        let one_id = (entry.id == 0) != (other.id == 0);
        let same = one_id && entry.families.meet(other.families) && overlap(entry, other);
        let counted = other.counted;
        same.then_some(Match { counted, reason: Suppressed::Stacked, place: Place::Elsewhere, remote: false })
    }

    /// A call whose answer a cache gave again. The provider's answer had an id, so a call that went
    /// to the provider would have one too; and a cache is quicker (`LangChain` with a SQLite cache:
    /// 10 ms after 75 ms), which tells it from an emitter that says no id for streams.
    fn by_content(&self, entry: &Entry) -> Option<Match> {
        let other = self.calls.get(self.calls.by_usage(entry)?)?;
        let counted = other.counted;
        let other = self.calls.get(counted)?;
        // Within one request the later one may be judged first.
        let (again, first) = if entry.id == 0 { (entry, other) } else { (other, entry) };
        let same = again.id == 0
            && first.id != 0
            && entry.content != 0
            && entry.content == other.content
            && entry.families.meet(other.families)
            && again.duration() < first.duration() / 2;
        same.then_some(Match { counted, reason: Suppressed::CachedAnswer, place: Place::Elsewhere, remote: false })
    }

    /// A call of the same trace of which this one is another view.
    fn by_trace(&self, entry: &Entry, per_service: bool) -> Option<Match> {
        if entry.span == 0 {
            return None;
        }
        let ancestry = self.ancestry(entry.span);
        let matched = |other: &Entry, place: Place, path: Path| {
            // The span that was counted may have gone before the one that repeats it.
            self.calls.get(other.counted)?;
            let remote = path != Path::Local;
            Some(Match { counted: other.counted, reason: Suppressed::SameTrace, place, remote })
        };
        for (above, remote) in &ancestry.above {
            let Some(outer) = self.calls.by_span(*above).and_then(|handle| self.calls.get(handle)) else { continue };
            let path = if *remote || outer.server { Path::Remote } else { Path::Local };
            let comparable = outer.trace != 0 && (!per_service || outer.service == entry.service);
            if comparable
                && self.same_call(outer, entry, path)
                && let Some(found) = matched(outer, Place::Below, path)
            {
                return Some(found);
            }
        }
        let mut found = None;
        let mut below = Below::default();
        for (_, other) in self.calls.in_trace(entry.trace).take(MAX_RELATIVES) {
            if per_service && other.service != entry.service || ancestry.find(other.span).is_some() {
                continue;
            }
            let others = self.ancestry(other.span);
            let (place, path, same) = if let Some(remote) = others.find(entry.span) {
                let path = if remote || entry.server { Path::Remote } else { Path::Local };
                below.add(other);
                (Place::Above, path, self.same_call(entry, other, path))
            } else if !(ancestry.complete && others.complete) {
                let same = self.same_call(entry, other, Path::Unknown) || self.same_call(other, entry, Path::Unknown);
                (Place::Elsewhere, Path::Unknown, same)
            } else {
                continue;
            };
            let found_before = found.and_then(|found: Match| self.calls.get(found.counted));
            if same && found_before.is_none_or(|before| !before.tokens_counted) {
                found = matched(other, place, path).or(found);
            }
        }
        // A wrapper may have an id of its own and the sum of what is below it.
        found.or_else(|| matched(below.any.as_ref()?, Place::Above, Path::Local).filter(|_| below.add_up_to(entry)))
    }

    /// Whether two calls of a trace, neither with the other's response id, are views of one.
    fn same_call(&self, outer: &Entry, inner: &Entry, path: Path) -> bool {
        let families = outer.families.meet(inner.families);
        let ids_differ = outer.id != 0 && inner.id != 0;
        let equal = equal_usage(outer, inner);
        match path {
            // Two instrumentations of one process read the same answer, so ids that differ are two
            // answers, as happens when a wrapper leaks its context into the next call.
            Path::Local => overlap(outer, inner) && (outer.server || families) && (!ids_differ || equal),
            // Gateways give answers ids of their own. A caller covers what is below it until its
            // tokens are used up; what is more than that was never in its answer.
            Path::Remote => {
                let counted = self.calls.get(outer.counted).unwrap_or(outer);
                let covers = counted.left > 0 || counted.tokens() == 0 || inner.tokens() == 0;
                begins_within(outer, inner, CLOCK_SKEW) && (equal || (outer.server || families) && covers)
            }
            // A server's span ends after what it did, and may arrive later. Without it, only calls
            // that agree in everything are one.
            Path::Unknown => outer.service != inner.service && families && equal && begins_within(outer, inner, 0),
        }
    }

    fn ancestry(&self, span: Key) -> Ancestry {
        let mut above = self.above(span);
        let list = above.by_ref().collect();
        Ancestry { above: list, complete: above.complete }
    }

    fn above(&self, span: Key) -> Above<'_> {
        Above { memory: self, at: span, remote: false, steps: 0, complete: false }
    }
}

/// The way from a span towards its root.
struct Above<'m> {
    memory: &'m Memory,
    at: Key,
    remote: bool,
    steps: usize,
    /// Whether it ended at the root.
    complete: bool,
}

impl Iterator for Above<'_> {
    /// As in [`Ancestry::above`].
    type Item = (Key, bool);

    fn next(&mut self) -> Option<(Key, bool)> {
        let link = self.memory.links.get(self.at).or_else(|| self.memory.passing.get(self.at))?;
        if link.parent == 0 {
            self.complete = true;
            return None;
        }
        // Parents that go round in a circle end here, too; a span that is its own parent at once.
        if self.steps >= MAX_DEPTH || link.parent == self.at {
            return None;
        }
        self.steps += 1;
        self.remote |= link.remote;
        self.at = link.parent;
        Some((self.at, self.remote))
    }
}

/// The calls that were counted below another.
#[derive(Debug, Default)]
struct Below {
    any: Option<Entry>,
    input: u64,
    output: u64,
}

impl Below {
    fn add(&mut self, entry: &Entry) {
        // A repetition was not counted, so it is not in the sum.
        if entry.tokens_counted {
            self.any = Some(*entry);
            self.input += u64::from(entry.input);
            self.output += u64::from(entry.output);
        }
    }

    fn add_up_to(&self, entry: &Entry) -> bool {
        entry.tokens() > 0 && self.input == u64::from(entry.input) && self.output == u64::from(entry.output)
    }
}

fn equal_usage(one: &Entry, other: &Entry) -> bool {
    one.tokens() > 0 && (one.input, one.output) == (other.input, other.output)
}

/// Whether two spans of one clock were open at the same time. A span without times may have been.
fn overlap(one: &Entry, other: &Entry) -> bool {
    begins_within(one, other, 0) || begins_within(other, one, 0)
}

fn begins_within(outer: &Entry, inner: &Entry, skew: u64) -> bool {
    let unknown = [outer.start, outer.end, inner.start].contains(&0);
    let earliest = outer.start.saturating_sub(skew);
    let latest = outer.end.saturating_add(skew);
    unknown || (earliest..=latest).contains(&inner.start)
}
