//! The rules of identity: whether a call was counted already, as itself or as another span's view of
//! it. What they look things up in is [`super::memory`]; what comes of a verdict is [`super`]'s.

use std::cmp::Reverse;
use std::collections::HashSet;

use super::memory::{Calls, Entry, Handle, Key, Link, Links, Seconds};
use super::{Sighting, Suppressed};
use crate::metrics::call::Call;

/// Clocks of two machines may differ by this much, in nanoseconds.
const CLOCK_SKEW: u64 = 5_000_000_000;

/// Hops from a span towards its root that are followed.
const MAX_DEPTH: usize = 64;

/// Calls of one trace that are compared with a new one.
const MAX_RELATIVES: usize = 32;

/// What is counted for one span.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Verdict {
    pub(super) tokens: bool,
    pub(super) duration: bool,
    pub(super) suppressed: Option<Suppressed>,
}

/// What the rules remember.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) calls: Calls,
    /// Links of traces that have a call.
    pub(super) links: Links,
    /// Links of other traces. Most traffic is not GenAI, and must not push out what is.
    pub(super) passing: Links,
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
    /// One is below the other, and between them an agent or a tool ran.
    Apart,
}

/// The spans above a span.
#[derive(Debug, Default)]
struct Ancestry {
    above: Vec<Above>,
    /// Whether the way to the root is known.
    complete: bool,
}

impl Ancestry {
    fn find(&self, span: Key) -> Option<Above> {
        self.above.iter().find(|above| span != 0 && above.span == span).copied()
    }
}

impl Memory {
    pub(super) fn expire(&mut self, before: Seconds) {
        self.calls.expire(before);
        self.links.expire(before);
        self.passing.expire(before);
    }

    pub(super) fn remember_links(&mut self, sightings: &[Sighting], news: &[(Entry, Call)], now: Seconds) {
        let with_call: HashSet<Key> = news.iter().map(|(entry, _)| entry.trace).filter(|trace| *trace != 0).collect();
        // The spans of a trace stand together; asking once is enough for them.
        let mut last = (0, false);
        for link in sightings {
            if last.0 != link.trace {
                last = (link.trace, with_call.contains(&link.trace) || self.calls.has_trace(link.trace));
            }
            let (_, ours) = last;
            let links = if ours { &mut self.links } else { &mut self.passing };
            links.insert(Link::new(link.span, link.parent, link.remote, link.boundary), now);
        }
        // What passed before its trace had a call would soon be pushed out.
        if self.passing.len() == 0 {
            return;
        }
        for (entry, _) in news.iter().filter(|(entry, _)| entry.trace != 0) {
            let passed: Vec<Link> = std::iter::once(entry.span)
                .chain(self.above(entry.span).map(|above| above.span))
                .filter_map(|span| self.passing.get(span))
                .collect();
            for link in passed {
                self.links.insert(link, now);
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
    pub(super) fn order(&self, entry: &Entry, call: &Call) -> impl Ord + use<> {
        let known = self.calls.by_id(entry.id).is_some();
        let depth = self.above(entry.span).count();
        let silent = entry.tokens() == 0;
        let id = (call.trace_id, call.span_id);
        (!known, Reverse(depth), silent, Reverse(entry.start), Reverse(entry.end), id)
    }

    pub(super) fn judge(&mut self, mut entry: Entry, call: &Call, per_service: bool, now: Seconds) -> Verdict {
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
        for above in &ancestry.above {
            let Some(outer) = self.calls.by_span(above.span).and_then(|handle| self.calls.get(handle)) else {
                continue;
            };
            let path = above.path(outer);
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
            let (place, path, same) = if let Some(above) = others.find(entry.span) {
                let path = above.path(entry);
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
            // What an agent or a tool asks a model for is no part of the answer that it was started for
            // (ADK runs a sub-agent below the call that hands over to it).
            Path::Apart => false,
            Path::Unknown => outer.service != inner.service && families && equal && begins_within(outer, inner, 0),
        }
    }

    fn ancestry(&self, span: Key) -> Ancestry {
        let mut above = self.above(span);
        let list = above.by_ref().collect();
        Ancestry { above: list, complete: above.complete }
    }

    fn above(&self, span: Key) -> Upwards<'_> {
        Upwards { memory: self, at: Above { span, remote: false, apart: false }, steps: 0, complete: false }
    }
}

/// A span above another.
#[derive(Debug, Clone, Copy)]
struct Above {
    span: Key,
    /// Whether a remote call is on the way to it.
    remote: bool,
    /// Whether an agent or a tool is on the way to it.
    apart: bool,
}

impl Above {
    /// How the call that this span is, `outer`, stands to the one below.
    fn path(&self, outer: &Entry) -> Path {
        match () {
            () if self.apart => Path::Apart,
            () if self.remote || outer.server => Path::Remote,
            () => Path::Local,
        }
    }
}

/// The way from a span towards its root.
struct Upwards<'m> {
    memory: &'m Memory,
    at: Above,
    steps: usize,
    /// Whether it ended at the root.
    complete: bool,
}

impl Iterator for Upwards<'_> {
    type Item = Above;

    fn next(&mut self) -> Option<Above> {
        let link = self.memory.links.get(self.at.span).or_else(|| self.memory.passing.get(self.at.span))?;
        if link.parent == 0 {
            self.complete = true;
            return None;
        }
        // Parents that go round in a circle end here, too; a span that is its own parent at once.
        if self.steps >= MAX_DEPTH || link.parent == self.at.span {
            return None;
        }
        self.steps += 1;
        self.at =
            Above { span: link.parent, remote: self.at.remote | link.remote, apart: self.at.apart | link.boundary };
        Some(self.at)
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

/// Why a call that succeeded brings no tokens.
fn silence(call: &Call) -> Suppressed {
    match call.usage {
        usage if usage.estimated => Suppressed::Estimate,
        usage if usage.is_zero() => Suppressed::ZeroUsage,
        _ => Suppressed::NoUsage,
    }
}
