//! `fold_chunks`: a span or an event for every piece of a stream becomes two numbers, how many there
//! were and when the first one came.
//!
//! Which spans and events are chunks is in [`kind`]; what is known of streams until their parents come
//! by, in `streams`; how children are given another parent, in [`super::mend`]. Of events all is known
//! at once, for they stand on their span.

pub mod kind;
mod streams;

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::fast::RandomState;

use self::kind::{Kind, Kinds};
use self::streams::{Chunk, RESPONSE_CHUNKS, Streams, Untold, seconds_between};
use super::mend::{Counts, Key, Mender, Share, Taken};
use super::settings::FoldChunks as Settings;
use crate::otlp::span::Span;
use crate::otlp::traces::Spans;
use crate::pipeline::{Context, Pass, Stage};

/// Where the conventions have it, from 1.41 on.
const TIME_TO_FIRST_CHUNK: &str = "gen_ai.response.time_to_first_chunk";

const KINDS: usize = Kind::ALL.len();

/// The stage. One instance serves every request of its pipeline.
#[derive(Debug)]
pub struct FoldChunks {
    kinds: Kinds,
    mender: Arc<Mender>,
    streams: Mutex<Streams>,
    /// Spans and events that were folded, in the order of [`Kind::ALL`].
    folded: [AtomicU64; KINDS],
    untold: [AtomicU64; 3],
}

/// Why the count of a folded chunk stands nowhere.
const UNTOLD: [&str; 3] = ["late", "expired", "evicted"];

impl FoldChunks {
    /// A stage that folds these kinds, the only one of its pipeline that drops spans.
    pub fn new(settings: &Settings) -> FoldChunks {
        FoldChunks::sharing(settings, Share::alone(&settings.memory))
    }

    /// As [`FoldChunks::new`], beside others.
    pub fn sharing(settings: &Settings, share: Share) -> FoldChunks {
        FoldChunks {
            kinds: settings.kinds,
            mender: Arc::new(Mender::new(share, "chunk")),
            streams: Mutex::new(Streams::new(&settings.memory)),
            folded: Default::default(),
            untold: Default::default(),
        }
    }

    /// What was done to spans, as `drop` counts it.
    pub fn counts(&self) -> &Counts {
        self.mender.counts()
    }

    /// What gives children another parent, and counts.
    pub fn mender(&self) -> &Arc<Mender> {
        &self.mender
    }

    /// Spans and events that were folded.
    pub fn folded(&self) -> impl Iterator<Item = (Kind, u64)> {
        Kind::ALL.into_iter().zip(self.folded.each_ref().map(|count| count.load(Ordering::Relaxed)))
    }

    /// Folded chunks that stand in no count on a span, by why not.
    pub fn untold(&self) -> impl Iterator<Item = (&'static str, u64)> {
        UNTOLD.into_iter().zip(self.untold.each_ref().map(|count| count.load(Ordering::Relaxed)))
    }
}

impl Stage for FoldChunks {
    fn pass(&self) -> Box<dyn Pass + Send + '_> {
        Box::new(FoldPass {
            stage: self,
            taken: Taken::default(),
            chunks: Vec::new(),
            folded: [0; KINDS],
            untold: Untold::default(),
        })
    }
}

struct FoldPass<'s> {
    stage: &'s FoldChunks,
    taken: Taken,
    chunks: Vec<(Kind, Chunk)>,
    folded: [u64; KINDS],
    untold: Untold,
}

impl Pass for FoldPass<'_> {
    fn span(&mut self, span: &mut Span<'_>, _: &mut Context<'_, '_>) {
        if let Some(chunk) = chunk(span, self.stage.kinds) {
            self.taken.take(span);
            self.chunks.push(chunk);
            return;
        }
        self.fold_events(span);
    }

    fn drop_reason(&self) -> &'static str {
        self.stage.mender.reason()
    }

    fn finish(&mut self, spans: &mut Spans) {
        let mended = self.stage.mender.mend(spans, &self.taken);
        let mut new: HashSet<Key, RandomState> = HashSet::default();
        self.chunks.retain(|(_, chunk)| !mended.spared.contains(&chunk.span));
        for (kind, _) in &self.chunks {
            self.folded[*kind as usize] += 1;
        }
        // What is sent once more was counted when it came first.
        let chunks = self.chunks.iter().map(|(_, chunk)| *chunk);
        let chunks = chunks.filter(|chunk| !mended.repeated.contains(&chunk.span) && new.insert(chunk.span));
        let mut streams = self.stage.streams.lock().unwrap_or_else(PoisonError::into_inner);
        self.untold = streams.tell(chunks, spans);
    }

    fn commit(self: Box<Self>) {
        let Untold { late, expired, evicted } = self.untold;
        let totals = self.stage.folded.iter().zip(self.folded);
        for (total, count) in totals.chain(self.stage.untold.iter().zip([late, expired, evicted])) {
            if count > 0 {
                total.fetch_add(count, Ordering::Relaxed);
            }
        }
    }
}

impl FoldPass<'_> {
    /// Folds the events of a span that are chunks. Two instrumentations of one call write an event each for
    /// every chunk: those of one kind are counted, of the kind that has most.
    fn fold_events(&mut self, span: &mut Span<'_>) {
        let kinds = self.stage.kinds;
        let mut first = None;
        let mut counts = [0; KINDS];
        let mut gone = Vec::new();
        for (index, event) in span.events() {
            let Some(rule) = kind::of_event(event, kinds) else { continue };
            if event.attributes().next().is_some() && !rule.is_said_by(span) {
                continue;
            }
            counts[rule.kind as usize] += 1;
            first = first.into_iter().chain([event.time_unix_nano]).min();
            gone.push(index);
        }
        let Some(first) = first else { return };
        for index in gone {
            span.remove_event(index);
        }
        for (total, count) in self.folded.iter_mut().zip(counts) {
            *total += count;
        }
        if !span.has(RESPONSE_CHUNKS) {
            let most = counts.into_iter().max().unwrap_or(0);
            span.set(RESPONSE_CHUNKS, i64::try_from(most).unwrap_or(i64::MAX));
        }
        if !span.has(TIME_TO_FIRST_CHUNK)
            && let Some(seconds) = seconds_between(span.start_time_unix_nano(), first)
        {
            span.set(TIME_TO_FIRST_CHUNK, seconds);
        }
    }
}

/// A span that is a chunk of its parent's. Without a parent there would be nobody to tell.
fn chunk(span: &Span<'_>, kinds: Kinds) -> Option<(Kind, Chunk)> {
    let (kind, counted) = kind::of_span(span, kinds)?;
    let (trace, id, parent) = (span.trace_id()?, span.span_id()?, span.parent_span_id()?);
    let start_time_unix_nano = span.start_time_unix_nano();
    Some((kind, Chunk { span: (trace, id), parent: (trace, parent), start_time_unix_nano, counted }))
}
