//! Whatever the order in which spans arrive, and however they are cut into requests: no orphans, nothing
//! else is lost, and every folded chunk is counted, on its parent or beside.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use dragoman::processor::fold_chunks::kind::Kind;
use dragoman::processor::settings::{DropRule, Pattern};
use opentelemetry_proto::tonic::trace::v1::Span;
use proptest::prelude::*;

use crate::rig::{With, asgi, id, server, span, told};

const MESSAGES: [&str; 5] =
    ["http.response.body", "http.response.body", "websocket.receive", "http.disconnect", "http.response.start"];

/// A message, and what stands below it: nothing, a span, or a span below another one that a rule drops.
type Message = (usize, u8);

fn streams() -> impl Strategy<Value = Vec<Vec<Message>>> {
    prop::collection::vec(prop::collection::vec((0..MESSAGES.len(), 0u8..4), 0..7), 1..4)
}

/// All spans, parents first.
fn tree(streams: &[Vec<Message>]) -> Vec<Span> {
    let mut next = 100;
    let mut spans = Vec::new();
    for (number, messages) in (1..).zip(streams) {
        spans.push(server(number));
        for (milliseconds, (message, below)) in (1..).zip(messages) {
            let mut put = |parent: u64, make: &dyn Fn(u64, u64) -> Span| {
                next += 1;
                spans.push(make(next, parent));
                next
            };
            let message = put(number, &|id, parent| asgi(id, parent, MESSAGES[*message], milliseconds));
            let above = match below {
                2 => put(message, &|id, parent| span(id, parent, "noise", milliseconds)),
                _ => message,
            };
            if matches!(below, 1 | 2) {
                put(above, &|id, parent| span(id, parent, "work", milliseconds));
            }
        }
    }
    spans
}

fn message(span: &Span) -> Option<&str> {
    crate::support::text(&span.attributes, "asgi.event.type").filter(|message| *message != "http.response.start")
}

fn is_counted(span: &Span) -> bool {
    message(span).is_some_and(|message| message != "http.disconnect")
}

async fn check(spans: Vec<Span>, batches: Vec<Vec<Span>>) -> Result<(), TestCaseError> {
    let mut with = With::default();
    with.drop.rules.push(DropRule { name: Some(Pattern::Exact("noise".into())), ..DropRule::default() });
    let rig = with.start();
    let mut came_in = HashMap::new();
    let mut out = Vec::new();
    for (number, batch) in batches.into_iter().enumerate() {
        came_in.extend(batch.iter().map(|span| (id(&span.span_id), number)));
        out.extend(rig.spans(batch).await);
    }
    let left: HashSet<u64> = out.iter().map(|span| id(&span.span_id)).collect();
    prop_assert_eq!(left.len(), out.len(), "nothing goes out twice");
    for span in &out {
        let parent = id(&span.parent_span_id);
        prop_assert!(parent == 0 || left.contains(&parent), "{} is an orphan", id(&span.span_id));
    }
    for span in &spans {
        let goes = message(span).is_some() || span.name == "noise";
        prop_assert!(goes || left.contains(&id(&span.span_id)), "{} is gone", span.name);
    }
    let folded: Vec<&Span> = spans.iter().filter(|span| message(span).is_some()).collect();
    let folded: Vec<&Span> = folded.into_iter().filter(|span| !left.contains(&id(&span.span_id))).collect();
    prop_assert_eq!(rig.folded(Kind::AsgiSend) + rig.folded(Kind::AsgiReceive), folded.len() as u64);
    let mut on_spans = 0;
    for server in out.iter().filter(|span| span.parent_span_id.is_empty()) {
        let number = id(&server.span_id);
        let is_told = |span: &&&Span| {
            id(&span.parent_span_id) == number && came_in[&id(&span.span_id)] <= came_in[&number] && is_counted(span)
        };
        let (response, request): (Vec<&Span>, Vec<&Span>) =
            folded.iter().filter(is_told).partition(|span| span.name.ends_with("send"));
        let count = |spans: &[&Span]| Some(spans.len() as i64).filter(|count| *count > 1);
        let is_stream = response.len() > 1;
        let first = response.iter().filter(|_| is_stream).map(|span| span.start_time_unix_nano).min();
        let first = first.map(|first| Duration::from_nanos(first - server.start_time_unix_nano).as_secs_f64());
        prop_assert_eq!(told(server), (count(&response), count(&request), first));
        on_spans += response.len() + request.len();
    }
    // Whoever waits for a parent that was before them waits in vain.
    tokio::time::advance(Duration::from_secs(121)).await;
    rig.spans(vec![span(99, 0, "another", 1)]).await;
    let counted = folded.iter().filter(|span| is_counted(span)).count();
    prop_assert_eq!(on_spans as u64 + rig.untold().iter().sum::<u64>(), counted as u64);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_order_of_arrival_makes_an_orphan_or_loses_a_chunk(
        (spans, shuffled, cuts) in streams().prop_flat_map(|streams| {
            let spans = tree(&streams);
            let cuts = prop::collection::vec(any::<bool>(), spans.len());
            (Just(spans.clone()), Just(spans).prop_shuffle(), cuts)
        })
    ) {
        let mut batches = vec![Vec::new()];
        for (span, is_cut) in shuffled.into_iter().zip(cuts) {
            batches.last_mut().unwrap().push(span);
            if is_cut {
                batches.push(Vec::new());
            }
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(check(spans, batches))?;
    }
}
