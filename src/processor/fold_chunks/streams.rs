//! What is known of streams whose chunks were folded, until their parents came by: chunks end before
//! the span that they belong to, and often go out in an earlier request.
//!
//! An entry stays after its parent has been told, until it expires: a request that is sent once more
//! gets the same numbers.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::kind::CountedAs;
use crate::bounded::recent::Recent;
use crate::otlp::traces::Spans;
use crate::processor::mend::Key;
use crate::processor::settings::DropMemory;

/// How many pieces the response had.
pub(super) const RESPONSE_CHUNKS: &str = "dragoman.response.chunks";
/// How many pieces the request had.
const REQUEST_CHUNKS: &str = "dragoman.request.chunks";
/// Seconds from the span's start to the first piece of its response, on a span that is no LLM call.
const TIME_TO_FIRST_CHUNK: &str = "dragoman.response.time_to_first_chunk";

/// The chunks of one parent.
#[derive(Debug, Clone, Copy, Default)]
struct Stream {
    response: u64,
    request: u64,
    /// When the first piece of the response began, in nanoseconds since the epoch.
    first: Option<u64>,
    /// Whether the parent has been given these numbers.
    told: bool,
}

impl Stream {
    fn add(&mut self, other: Stream) {
        self.response = self.response.saturating_add(other.response);
        self.request = self.request.saturating_add(other.request);
        self.first = self.first.into_iter().chain(other.first).min();
    }

    fn chunks(self) -> u64 {
        self.response.saturating_add(self.request)
    }
}

/// A chunk span.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chunk {
    pub(super) span: Key,
    pub(super) parent: Key,
    pub(super) start_time_unix_nano: u64,
    pub(super) counted: CountedAs,
}

/// Chunks that no parent tells of, by why not.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Untold {
    /// The parent had gone out.
    pub(super) late: u64,
    /// The parent did not come in time.
    pub(super) expired: u64,
    /// There was no room to remember them.
    pub(super) evicted: u64,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Streams(Recent<Key, Stream>);

impl Streams {
    pub(super) fn new(memory: &DropMemory) -> Streams {
        Streams(Recent::new(memory.max_spans, memory.ttl))
    }

    /// Takes in the chunks of a request, and tells the parents that are in it.
    pub(super) fn tell(&mut self, chunks: impl Iterator<Item = Chunk>, spans: &mut Spans) -> Untold {
        let mut untold = Untold::default();
        self.0.tick();
        self.0.sweep(|stream| untold.expired += untold_of(stream));
        let mut here: HashMap<Key, Stream, RandomState> = HashMap::default();
        for chunk in chunks {
            let stream = here.entry(chunk.parent).or_default();
            match chunk.counted {
                CountedAs::Response => {
                    stream.add(Stream { response: 1, first: Some(chunk.start_time_unix_nano), ..Stream::default() });
                }
                CountedAs::Request => stream.request += 1,
                CountedAs::Nothing => {}
            }
        }
        for (parent, mut stream) in here.into_iter().filter(|(_, stream)| stream.chunks() > 0) {
            match self.0.get(&parent).copied() {
                Some(known) if known.told => {
                    untold.late += stream.chunks();
                    continue;
                }
                Some(known) => stream.add(known),
                None => {}
            }
            self.0.insert_with(parent, stream, |stream, is_due| match is_due {
                true => untold.expired += untold_of(stream),
                false => untold.evicted += untold_of(stream),
            });
        }
        if !self.0.is_empty() {
            self.tell_parents(spans);
        }
        untold
    }

    fn tell_parents(&mut self, spans: &mut Spans) {
        let mut told: Vec<(usize, Stream)> = Vec::new();
        // What is held back comes by once more.
        let goes_out = spans.records().iter().enumerate().filter(|(_, record)| !record.dropped && !record.held);
        for (index, record) in goes_out {
            let (Some(trace), Some(span)) = (record.trace_id, record.span_id) else { continue };
            if let Some(stream) = self.0.get_mut(&(trace, span)) {
                stream.told = true;
                told.push((index, *stream));
            }
        }
        for (index, stream) in told {
            let start = spans.records().get(index).map_or(0, |record| record.start_time_unix_nano);
            let mut count = |key, chunks: u64| {
                if let Some(chunks) = i64::try_from(chunks).ok().filter(|_| is_streamed(chunks)) {
                    spans.set_if_absent(index, key, chunks);
                }
            };
            count(RESPONSE_CHUNKS, stream.response);
            count(REQUEST_CHUNKS, stream.request);
            if is_streamed(stream.response)
                && let Some(seconds) = stream.first.and_then(|first| seconds_between(start, first))
            {
                spans.set_if_absent(index, TIME_TO_FIRST_CHUNK, seconds);
            }
        }
    }
}

/// What came in one piece is no stream, and its span says nothing of chunks: most requests and responses.
fn is_streamed(chunks: u64) -> bool {
    chunks > 1
}

fn untold_of(stream: Stream) -> u64 {
    if stream.told { 0 } else { stream.chunks() }
}

/// `None` if the start is not known, or comes after it.
pub(super) fn seconds_between(start: u64, end: u64) -> Option<f64> {
    let nanoseconds = end.checked_sub(start).filter(|_| start > 0)?;
    Some(std::time::Duration::from_nanos(nanoseconds).as_secs_f64())
}
