//! What is remembered of streams: how long, how much, and what becomes of the rest.

use std::sync::atomic::Ordering;
use std::time::Duration;

use dragoman::processor::fold_chunks::kind::Kind;
use dragoman::processor::settings::DropMemory;
use opentelemetry_proto::tonic::trace::v1::Span;

use crate::rig::{With, asgi, count, event, id, request, server, span, text, told};

const LONGER: Duration = Duration::from_secs(121);

#[tokio::test(start_paused = true)]
async fn the_parent_may_come_in_a_later_request() {
    let rig = With::default().start();
    assert!(rig.spans(vec![asgi(2, 1, "http.response.body", 250), asgi(3, 1, "http.request", 1)]).await.is_empty());
    tokio::time::advance(Duration::from_secs(100)).await;
    assert!(rig.spans(vec![asgi(4, 1, "http.response.body", 200)]).await.is_empty());
    // A long stream is remembered from its last chunk on.
    tokio::time::advance(Duration::from_secs(100)).await;
    let out = rig.spans(vec![asgi(5, 1, "http.response.body", 260), server(1)]).await;
    assert_eq!(told(&out[0]), (Some(3), None, Some(0.2)));
    assert_eq!(rig.untold(), [0; 3]);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_sent_once_more_says_the_same() {
    let rig = With::default().start();
    let chunks = || vec![asgi(2, 1, "http.response.body", 250), asgi(2, 1, "http.response.body", 250)];
    let parent = || vec![asgi(3, 1, "http.response.body", 300), server(1)];
    for _ in 0..2 {
        for _ in 0..2 {
            assert!(rig.spans(chunks()).await.is_empty());
        }
        let first = rig.spans(parent()).await;
        assert_eq!(told(&first[0]), (Some(2), None, Some(0.25)));
        assert_eq!(first, rig.spans(parent()).await);
    }
    assert_eq!(rig.untold(), [0; 3]);
}

#[tokio::test(start_paused = true)]
async fn chunks_that_no_span_tells_of_are_counted() {
    let rig = With::default().start();
    rig.spans(vec![asgi(2, 1, "http.response.body", 250), server(1)]).await;
    assert!(rig.spans(vec![asgi(3, 1, "http.response.body", 260), asgi(4, 1, "http.request", 1)]).await.is_empty());
    assert_eq!(rig.untold(), [2, 0, 0], "the span had gone out");

    rig.spans(vec![asgi(6, 5, "http.response.body", 250), asgi(7, 5, "http.response.body", 250)]).await;
    tokio::time::advance(LONGER).await;
    let late = rig.spans(vec![server(5)]).await;
    assert_eq!(told(&late[0]), (None, None, None));
    assert_eq!(rig.untold(), [2, 2, 0], "it did not come in time");
    assert_eq!(rig.folded(Kind::AsgiSend), 4);
}

#[tokio::test(start_paused = true)]
async fn streams_are_remembered_within_a_bound() {
    let rig = With::memory(4).start();
    for stream in 1..=100 {
        let chunks = [1000, 2000].map(|id| asgi(id + stream, stream, "http.response.body", 5));
        assert!(rig.spans(chunks.to_vec()).await.is_empty());
    }
    assert_eq!(rig.untold(), [0, 0, 192]);
    let out = rig.spans((1..=100).map(server).collect()).await;
    let told: Vec<u64> = out.iter().filter(|span| told(span).0.is_some()).map(|span| id(&span.span_id)).collect();
    assert_eq!(told, [97, 98, 99, 100]);
}

/// A request as large as a receiver takes, of chunks and of parents that are never seen again.
#[tokio::test(start_paused = true)]
async fn a_hostile_request_costs_its_own_size() {
    let rig = With::default().start();
    let streams = 100_000;
    let spans: Vec<_> = (0..streams).map(|id| asgi(2 * id + 3, 2 * id + 2, "http.response.body", 5)).collect();
    assert!(rig.spans(spans).await.is_empty());
    let kept = DropMemory::default().max_spans as u64;
    assert_eq!(rig.untold(), [0, 0, streams - kept]);

    let chunk = |number| event("llm.content.completion.chunk", number, vec![]);
    let call = Span { events: (0..100_000).map(chunk).collect(), ..span(1, 9, "openai.chat", 0) };
    let one = rig.span(call).await;
    assert_eq!((one.events.len(), count(&one, "dragoman.response.chunks")), (0, Some(100_000)));
}

#[tokio::test(start_paused = true)]
async fn a_chunk_that_a_child_points_at_stays_and_is_not_counted() {
    let rig = With::default().start();
    assert_eq!(rig.spans(vec![span(3, 2, "parse", 2)]).await.len(), 1);
    let chunks = [2, 4, 5].map(|id| asgi(id, 1, "http.request", 1));
    let out = rig.spans(chunks.into_iter().chain([server(1)]).collect()).await;
    let left: Vec<u64> = out.iter().map(|span| id(&span.span_id)).collect();
    assert_eq!(left, [2, 1]);
    assert_eq!(told(&out[1]), (None, Some(2), None));
    assert_eq!(rig.fold.counts().spared.load(Ordering::Relaxed), 1);
    assert_eq!(rig.fold.counts().dropped.load(Ordering::Relaxed), 2);
    // The same of a rule's: what it spares goes on past the connector, and the books say so (see the rig).
    let sql = |id| {
        let mut span = span(id, 1, "SELECT", 1);
        span.attributes = vec![text("db.system", "sqlite")];
        span
    };
    assert_eq!(rig.spans(vec![span(9, 8, "work", 2)]).await.len(), 1);
    assert_eq!(rig.spans(vec![sql(8), sql(10)]).await.len(), 1);
    assert_eq!(rig.drop.counts().spared.load(Ordering::Relaxed), 1);
    assert_eq!(rig.account.balances().dropped[&("drop".into(), "rule")], 1);
}

/// What changes nothing in a request leaves its bytes alone.
#[tokio::test]
async fn a_request_without_chunks_goes_on_as_it_came() {
    let rig = With::default().start();
    rig.spans(vec![asgi(20, 19, "http.response.body", 250)]).await;
    let body = request(vec![span(2, 1, "work", 1), event_span()]);
    let out = rig.send(body.clone()).await.unwrap();
    assert_eq!(out.as_ptr(), body.as_ptr(), "the same buffer");
}

fn event_span() -> Span {
    let mut span = span(3, 1, "work", 1);
    span.events.push(event("exception", 1, vec![]));
    span
}
