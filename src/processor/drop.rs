//! `drop`: takes spans that match a rule out of the traces without leaving orphans.
//!
//! A child of a dropped span is re-parented to the nearest kept ancestor. Where the dropped span
//! came in an earlier request, a bounded memory of dropped ids tells its parent. Where a child
//! came first and has gone out already, the span that it points at is kept, whatever the rules
//! say: an extra span is noise, an orphan breaks the tree.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::fast::RandomState;

use super::settings::{Drop as Settings, DropRule, Pattern};
use crate::bounded::recent::Recent;
use crate::otlp::span::{Span, StatusCode};
use crate::otlp::traces::{Record, Spans};
use crate::otlp::value::Value;
use crate::otlp::{SpanId, TraceId};
use crate::pipeline::{Context, Pass, Stage};

/// How many dropped spans in a row are looked through for a kept ancestor. Real chains have two
/// (`connect` and a statement); the bound also ends cycles.
const CHAIN: usize = 64;

/// Set in a span's flags if its parent is in another process.
const HAS_IS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

/// The stage. One instance serves every request of its pipeline.
#[derive(Debug)]
pub struct DropSpans {
    rules: Vec<DropRule>,
    keep_errors: bool,
    memory: Mutex<Memory>,
    counts: Counts,
}

#[derive(Debug)]
struct Memory {
    /// Dropped spans and their parents.
    dropped: Recent<Key, Option<SpanId>>,
    /// Parents of spans that went out, where the parent had not been seen.
    awaited: Recent<Key, ()>,
}

type Key = (TraceId, SpanId);

/// What this stage did, since the start.
#[derive(Debug, Default)]
pub struct Counts {
    /// Spans dropped.
    pub dropped: AtomicU64,
    /// Children given a new parent that stood in the same request.
    pub reparented_in_batch: AtomicU64,
    /// Children given a new parent that the memory knew.
    pub reparented_from_memory: AtomicU64,
    /// Spans that matched a rule and were kept because a child had gone out already.
    pub spared: AtomicU64,
    /// Children that could not be mended: the chain of dropped ancestors is a cycle or too long.
    pub unmended: AtomicU64,
    /// Ids that the memory gave up before their time; children that come later may be orphans.
    pub forgotten: AtomicU64,
}

impl DropSpans {
    /// A stage with these rules.
    pub fn new(settings: &Settings) -> Self {
        let memory = &settings.memory;
        DropSpans {
            rules: settings.rules.clone(),
            keep_errors: settings.keep_errors,
            memory: Mutex::new(Memory {
                dropped: Recent::new(memory.max_spans, memory.ttl),
                awaited: Recent::new(memory.max_spans, memory.ttl),
            }),
            counts: Counts::default(),
        }
    }

    /// What was done since the start.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    fn matches(&self, span: &Span<'_>, context: &Context<'_, '_>) -> bool {
        if self.keep_errors && span.status_code() == StatusCode::Error {
            return false;
        }
        self.rules.iter().any(|rule| rule.matches(span, context))
    }
}

impl Stage for DropSpans {
    fn pass(&self) -> Box<dyn Pass + Send + '_> {
        Box::new(DropPass { stage: self, candidates: false })
    }
}

struct DropPass<'s> {
    stage: &'s DropSpans,
    candidates: bool,
}

impl Pass for DropPass<'_> {
    fn span(&mut self, span: &mut Span<'_>, context: &mut Context<'_, '_>) {
        if self.stage.matches(span, context) {
            span.drop_span();
            self.candidates = true;
        }
    }

    fn drop_reason(&self) -> &'static str {
        "rule"
    }

    // The memory is read and written under one lock, so that two requests of one trace at once
    // cannot both miss what the other one did. Nothing after this can refuse the batch.
    fn finish(&mut self, spans: &mut Spans) {
        let mut memory = self.stage.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.dropped.tick();
        memory.awaited.tick();
        mend(spans, &mut memory, &self.stage.counts, self.candidates);
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

fn mend(spans: &mut Spans, memory: &mut Memory, counts: &Counts, candidates: bool) {
    let mut dropped_here: HashMap<Key, Option<SpanId>, RandomState> = HashMap::default();
    if candidates {
        spare_awaited(spans, memory, counts);
        for record in spans.records().iter().filter(|record| record.dropped) {
            if let Some(key) = key(record, record.span_id) {
                dropped_here.insert(key, record.parent_span_id);
            }
        }
    }
    let mut mended = Vec::new();
    let mut unmended = 0;
    if !dropped_here.is_empty() || !memory.dropped.is_empty() {
        // Siblings stand together; asking once is enough for them.
        let mut last = (None, Ancestor::Same);
        for (index, record) in spans.records().iter().enumerate().filter(|(_, record)| !record.dropped && !record.held)
        {
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
    add(&counts.dropped, spans.records().iter().filter(|record| record.dropped).count());
    remember(spans, memory, counts, dropped_here);
}

/// Keeps what a rule matched but an earlier request's child points at.
fn spare_awaited(spans: &mut Spans, memory: &Memory, counts: &Counts) {
    if memory.awaited.is_empty() {
        return;
    }
    let spared: Vec<usize> = spans
        .records()
        .iter()
        .enumerate()
        .filter(|(_, record)| {
            record.dropped && key(record, record.span_id).is_some_and(|key| memory.awaited.contains(&key))
        })
        .map(|(index, _)| index)
        .collect();
    add(&counts.spared, spared.len());
    for index in spared {
        spans.keep(index);
    }
}

#[derive(Debug, Clone, Copy)]
enum Ancestor {
    Same,
    Changed { parent: Option<SpanId>, remembered: bool },
    Lost,
}

/// The nearest ancestor of a kept span that was not dropped.
fn ancestor(record: &Record, dropped_here: &HashMap<Key, Option<SpanId>, RandomState>, memory: &Memory) -> Ancestor {
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
    memory: &mut Memory,
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

impl DropRule {
    /// The `sqlite` preset: either generation of the attribute and nothing else. Names and scopes
    /// are shared with other databases (`connect`, `INSERT`, the SQLAlchemy scope).
    pub fn sqlite() -> Vec<DropRule> {
        ["db.system", "db.system.name"]
            .into_iter()
            .map(|key| DropRule {
                attributes: vec![(key.to_owned(), Pattern::Exact("sqlite".to_owned()))],
                ..DropRule::default()
            })
            .collect()
    }

    fn names_something(&self) -> bool {
        !self.resource.is_empty()
            || !self.attributes.is_empty()
            || self.scope.is_some()
            || self.name.is_some()
            || self.kind.is_some()
            || self.status.is_some()
    }

    fn matches(&self, span: &Span<'_>, context: &Context<'_, '_>) -> bool {
        self.names_something()
            && self.kind.is_none_or(|kind| kind == span.kind())
            && self.status.is_none_or(|status| status == span.status_code())
            && self.name.as_ref().is_none_or(|pattern| pattern.matches(span.name()))
            && self.scope.as_ref().is_none_or(|pattern| pattern.matches(context.origin.scope_name))
            && self.attributes.iter().all(|(key, pattern)| pattern.matches_value(span.get(key)))
            && self.resource.iter().all(|(key, pattern)| pattern.matches_value(context.origin.resource.get(key)))
    }
}

impl Pattern {
    fn matches(&self, text: &str) -> bool {
        match self {
            Pattern::Exact(exact) => exact == text,
            Pattern::Regex(regex) => regex.is_match(text),
        }
    }

    fn matches_value(&self, value: Option<Value<'_>>) -> bool {
        match value {
            Some(Value::Str(text)) => self.matches(&text),
            Some(Value::Int(number)) => self.matches(&number.to_string()),
            Some(Value::Double(number)) => self.matches(&number.to_string()),
            Some(Value::Bool(flag)) => self.matches(if flag { "true" } else { "false" }),
            _ => false,
        }
    }
}
