//! Every recorded emitter with and without `fold_chunks`: what goes, what stays, and how much smaller it
//! is. The figures are those of `docs/streaming.md`, which the test holds.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::path::PathBuf;

use bytes::Bytes;
use dragoman::processor::fold_chunks::kind::Kinds;
use dragoman::processor::settings::{Drop, FoldChunks};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use prost::Message;

use crate::rig::{Rig, With, count};
use crate::support::{self, replay};

/// Where the figures stand on the page.
const HEADING: &str = "\n## Measured\n";

/// Messages of ASGI that are a piece of something, and the two that end it.
const MESSAGES: [&str; 6] = [
    "http.request",
    "http.response.body",
    "websocket.send",
    "websocket.receive",
    "http.disconnect",
    "http.response.trailers",
];

fn is_chunk_span(span: &Span) -> bool {
    span.status.as_ref().is_none_or(|status| status.code != 2)
        && support::text(&span.attributes, "asgi.event.type").is_some_and(|message| MESSAGES.contains(&message))
}

fn is_chunk_event(event: &Event) -> bool {
    event.name.ends_with(".completion.chunk") || event.name.starts_with("mlflow.chunk.item.")
}

/// One emitter, or all of them.
#[derive(Default, Clone)]
struct Size {
    spans: usize,
    events: usize,
    bytes: usize,
    largest: usize,
}

impl Size {
    fn add(&mut self, body: &Bytes) {
        let spans = support::spans(body);
        self.bytes += body.len();
        self.events += spans.iter().map(|span| span.events.len()).sum::<usize>();
        self.spans += spans.len();
        self.largest = spans.iter().map(Span::encoded_len).chain([self.largest]).max().unwrap();
    }

    fn with(&self, other: &Size) -> Size {
        Size {
            spans: self.spans + other.spans,
            events: self.events + other.events,
            bytes: self.bytes + other.bytes,
            largest: self.largest.max(other.largest),
        }
    }
}

struct Measured {
    emitter: String,
    before: Size,
    after: Size,
    wrong: Vec<String>,
}

/// Translated to 1.41; nothing is dropped by a rule.
fn rig(fold: bool) -> Rig {
    let kinds = if fold { Kinds::default() } else { Kinds::new([]) };
    With { fold: FoldChunks { kinds, ..FoldChunks::default() }, drop: Drop::default(), ..With::genai() }.start()
}

fn key(span: &Span) -> (&[u8], &[u8]) {
    (&span.trace_id, &span.span_id)
}

/// What must not change of a span.
fn rest(span: &Span) -> Span {
    let mut span = span.clone();
    span.events.retain(|event| !is_chunk_event(event));
    span.attributes.retain(|entry| {
        !["dragoman.response.chunks", "dragoman.request.chunks", "dragoman.response.time_to_first_chunk"]
            .contains(&entry.key.as_str())
    });
    span
}

async fn measure(emitter: &str) -> Measured {
    let (plain, fold, again) = (rig(false), rig(true), rig(true));
    let mut wrong = Vec::new();
    let (mut before, mut after) = (Size::default(), Size::default());
    let (mut all, mut left) = (Vec::new(), Vec::new());
    for request in replay::cases(emitter).into_iter().flat_map(|case| case.requests) {
        for (rig, size, spans) in [(&plain, &mut before, &mut all), (&fold, &mut after, &mut left)] {
            if let Some(body) = rig.send(request.clone()).await {
                size.add(&body);
                spans.extend(support::spans(&body));
                if std::ptr::eq(rig, &fold) && again.send(body.clone()).await != Some(body) {
                    wrong.push(format!("{emitter}: a second pass changes something"));
                }
            }
        }
    }
    // Tokens, messages and all else of what stays.
    let kept: Vec<Span> = all.iter().filter(|span| !is_chunk_span(span)).map(rest).collect();
    if kept != left.iter().map(rest).collect::<Vec<_>>() {
        wrong.push(format!("{emitter}: what is no chunk has changed"));
    }
    if plain.calls() != fold.calls() {
        wrong.push(format!("{emitter}: what derived metrics read has changed"));
    }
    let gone: HashSet<_> = all.iter().filter(|span| is_chunk_span(span)).map(key).collect();
    let is_orphan = |span: &&Span| gone.contains(&(&span.trace_id[..], &span.parent_span_id[..]));
    wrong.extend(left.iter().filter(is_orphan).map(|span| format!("{emitter}: {} is an orphan", span.name)));
    // On each span as many as went.
    let mut events: HashMap<(&[u8], &[u8]), i64> = HashMap::new();
    let mut messages: HashMap<(&[u8], &[u8]), i64> = HashMap::new();
    let mut seen = HashSet::new();
    for span in &all {
        // Some servers export each span twice.
        if !seen.insert(key(span)) {
            continue;
        }
        *events.entry(key(span)).or_default() +=
            span.events.iter().filter(|event| is_chunk_event(event)).count() as i64;
        let message = support::text(&span.attributes, "asgi.event.type").unwrap_or_default();
        if is_chunk_span(span) && ["http.response.body", "websocket.send"].contains(&message) {
            *messages.entry((&span.trace_id, &span.parent_span_id)).or_default() += 1;
        }
    }
    for span in &left {
        let of = |chunks: &HashMap<_, i64>| chunks.get(&key(span)).copied().unwrap_or(0);
        let messages = Some(of(&messages)).filter(|messages| *messages > 1).unwrap_or(0);
        let expected = of(&events) + messages;
        let said = count(span, "dragoman.response.chunks").unwrap_or(0);
        if said != expected || span.events.iter().any(is_chunk_event) {
            wrong.push(format!("{emitter}: {} says {said} chunks of {expected}", span.name));
        }
    }
    if fold.untold() != [0; 3] {
        wrong.push(format!("{emitter}: late, expired, evicted: {:?}", fold.untold()));
    }
    Measured { emitter: emitter.to_owned(), before, after, wrong }
}

fn page(results: &[Measured]) -> String {
    let mut page = String::from(
        "| emitter | spans | after | events | after | bytes | after | saved | largest span | after |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
    );
    let mut row = |name: &str, before: &Size, after: &Size| {
        let saved = 100.0 * (1.0 - after.bytes as f64 / before.bytes as f64);
        writeln!(
            page,
            "| {name} | {} | {} | {} | {} | {} | {} | {saved:.0} % | {} | {} |",
            before.spans,
            after.spans,
            before.events,
            after.events,
            before.bytes,
            after.bytes,
            before.largest,
            after.largest
        )
        .unwrap();
    };
    results.iter().for_each(|result| row(&result.emitter, &result.before, &result.after));
    let sum = |of: fn(&Measured) -> &Size| results.iter().map(of).fold(Size::default(), |sum, size| sum.with(size));
    row("all of them", &sum(|result| &result.before), &sum(|result| &result.after));
    page
}

#[test]
fn recorded_streams_become_small_and_stay_whole() {
    let results = replay::each_emitter("", |emitter| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(measure(emitter))
    });
    let wrong: Vec<&String> = results.iter().flat_map(|result| &result.wrong).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let has_chunks = |result: &Measured| {
        let (before, after) = (&result.before, &result.after);
        (before.spans, before.events) != (after.spans, after.events) || before.bytes != after.bytes
    };
    let results: Vec<Measured> = results.into_iter().filter(has_chunks).collect();
    assert!(results.len() > 10, "emitters with chunks: {}", results.len());

    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/streaming.md");
    let known = std::fs::read_to_string(&file).unwrap();
    let (text, _) = known.split_once(HEADING).expect("a heading of the figures");
    let (intro, _) = known[text.len() + HEADING.len()..].split_once("\n| emitter |").expect("a table");
    let page = format!("{text}{HEADING}{intro}\n{}", page(&results));
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(&file, &page).unwrap();
    }
    let known = std::fs::read_to_string(&file).unwrap();
    assert!(
        page == known,
        "docs/streaming.md is not what UPDATE_EXPECTED=1 cargo test --test fold_chunks writes:\n{page}"
    );
}
