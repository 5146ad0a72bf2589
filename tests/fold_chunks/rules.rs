//! What is a chunk, and what becomes of it.

use dragoman::processor::fold_chunks::kind::Kind;
use dragoman::processor::settings::{DropRule, Pattern};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use crate::rig::{
    With, asgi, at, count, double, error, event, id, int, link, request, seconds, server, span, text, told,
};

const FIRST: &str = "gen_ai.response.time_to_first_chunk";
const CHUNKS: &str = "dragoman.response.chunks";

/// A streamed response: what came in, the head, three pieces, and the wait for the client to go.
fn streamed() -> Vec<Span> {
    let mut start = asgi(3, 1, "http.response.start", 20);
    start.attributes.push(int("http.status_code", 200));
    vec![
        asgi(2, 1, "http.request", 1),
        start,
        asgi(4, 1, "http.response.body", 250),
        asgi(5, 1, "http.response.body", 300),
        asgi(6, 1, "http.response.body", 350),
        server(1),
        asgi(7, 1, "http.disconnect", 30),
    ]
}

#[tokio::test]
async fn the_messages_of_a_streamed_response_become_two_numbers_on_its_span() {
    let rig = With::default().start();
    let out = rig.spans(streamed()).await;
    let left: Vec<u64> = out.iter().map(|span| id(&span.span_id)).collect();
    assert_eq!(left, [3, 1], "the head with the status stays");
    assert_eq!(out[0], streamed()[1], "as it was");
    assert_eq!(told(&out[1]), (Some(3), None, Some(0.25)), "what came in was one piece");
    assert_eq!((rig.folded(Kind::AsgiSend), rig.folded(Kind::AsgiReceive)), (3, 2));
    assert_eq!(rig.untold(), [0; 3]);
    let dropped = rig.account.balances().dropped;
    assert_eq!(dropped.into_iter().collect::<Vec<_>>(), [(("fold_chunks".into(), "chunk"), 5)]);
}

#[tokio::test]
async fn messages_that_come_once_stay() {
    let rig = With::default().start();
    let once = [
        "http.response.start",
        "websocket.connect",
        "websocket.accept",
        "websocket.close",
        "websocket.disconnect",
        "lifespan.startup",
    ];
    for message in once {
        let body = request(vec![asgi(2, 1, message, 1)]);
        assert_eq!(rig.send(body.clone()).await, Some(body), "{message}");
    }
    for (message, counts) in [
        ("websocket.send", (Some(2), None)),
        ("websocket.receive", (None, Some(2))),
        ("http.response.trailers", (None, None)),
        ("http.disconnect", (None, None)),
    ] {
        let rig = With::default().start();
        let out = rig.spans(vec![asgi(2, 1, message, 1), asgi(3, 1, message, 2), server(1)]).await;
        assert_eq!(out.len(), 1, "{message}");
        assert_eq!((told(&out[0]).0, told(&out[0]).1), counts, "{message}");
    }
}

#[tokio::test]
async fn a_chunk_that_says_more_stays_as_it_is() {
    let chunk = || asgi(2, 1, "http.response.body", 1);
    let stays = [
        Span { status: error(), ..chunk() },
        Span { events: vec![event("exception", 1, vec![text("exception.type", "BrokenPipeError")])], ..chunk() },
        Span { links: vec![link()], ..chunk() },
        // Nobody could be told.
        Span { parent_span_id: Vec::new(), ..chunk() },
        Span { span_id: vec![0; 8], ..chunk() },
        // Not a message: a span of a request that somebody says more of.
        Span { kind: SpanKind::Server.into(), ..chunk() },
        Span { attributes: vec![int("asgi.event.type", 1)], ..chunk() },
    ];
    for span in stays {
        let rig = With::default().start();
        let body = request(vec![span.clone(), server(1)]);
        assert_eq!(rig.send(body.clone()).await, Some(body), "{span:?}");
    }
}

#[tokio::test]
async fn what_is_switched_off_stays_byte_for_byte() {
    for kind in Kind::ALL {
        let others: Vec<Kind> = Kind::ALL.into_iter().filter(|of| *of != kind).collect();
        let chunks = || match kind {
            Kind::AsgiSend => vec![asgi(2, 1, "http.response.body", 1), asgi(3, 1, "http.response.body", 2), server(1)],
            Kind::AsgiReceive => vec![asgi(2, 1, "http.request", 1), server(1)],
            Kind::Mastra => {
                vec![
                    Span { attributes: vec![text("mastra.span.type", "model_chunk")], ..span(2, 1, "chunk", 1) },
                    server(1),
                ]
            }
            Kind::Openllmetry => vec![call(vec![event("llm.content.completion.chunk", 40, vec![])])],
            Kind::Langtrace => vec![langtrace()],
            Kind::Mlflow => vec![mlflow(3)],
        };
        let body = request(chunks());
        assert_eq!(With::kinds(&others).start().send(body.clone()).await, Some(body.clone()), "{}", kind.name());
        let rig = With::kinds(&[kind]).start();
        let out = rig.spans(chunks()).await;
        let is_one = matches!(kind, Kind::AsgiReceive | Kind::Mastra);
        assert!(out.iter().all(|span| count(span, CHUNKS).is_some() != is_one), "{}", kind.name());
        assert!(rig.folded(kind) > 0, "{}", kind.name());
        let default = With::default().start().send(body.clone()).await;
        assert_eq!(default == Some(body), !kind.is_default(), "{}", kind.name());
    }
}

#[tokio::test]
async fn the_count_is_on_the_parent_of_a_mastra_chunk() {
    let chunk = |id| Span {
        attributes: vec![text("mastra.span.type", "model_chunk"), text("mastra.model_chunk.output", "Hello")],
        ..span(id, 1, "chunk: 'text'", 90)
    };
    let out = With::kinds(&[Kind::Mastra]).start().spans(vec![chunk(2), chunk(3), span(1, 9, "step: 0", 0)]).await;
    assert_eq!(out.len(), 1);
    assert_eq!(told(&out[0]), (Some(2), None, Some(0.09)));
}

#[tokio::test]
async fn a_body_in_one_piece_is_no_stream() {
    let rig = With::default().start();
    let out = rig.spans(vec![asgi(2, 1, "http.request", 1), asgi(3, 1, "http.response.body", 30), server(1)]).await;
    assert_eq!(out, [server(1)]);
    assert_eq!(rig.untold(), [0; 3]);
}

/// A call of a model that began at the beginning of time.
fn call(events: Vec<opentelemetry_proto::tonic::trace::v1::span::Event>) -> Span {
    Span { kind: SpanKind::Client.into(), events, ..span(1, 9, "openai.chat", 0) }
}

fn langtrace() -> Span {
    let piece = |milliseconds, text_: &str| {
        event("gen_ai.completion.chunk", milliseconds, vec![text("gen_ai.completion.chunk", text_)])
    };
    call(vec![
        event("stream.start", 10, vec![]),
        piece(30, "Hel"),
        piece(35, "lo"),
        event("stream.end", 40, vec![]),
        event("gen_ai.content.completion", 41, vec![text("gen_ai.completion", "Hello")]),
    ])
}

fn mlflow(chunks: u64) -> Span {
    let item =
        |number| event(&format!("mlflow.chunk.item.{number}"), 50 + number, vec![text("mlflow.chunk.value", "{}")]);
    let mut span = call((0..chunks).map(item).collect());
    span.attributes = vec![text("mlflow.spanOutputs", r#"{"choices": []}"#)];
    span
}

fn names(span: &Span) -> Vec<&str> {
    span.events.iter().map(|event| event.name.as_str()).collect()
}

#[tokio::test]
async fn events_of_chunks_go_and_others_stay() {
    let out = With::default().start().span(langtrace()).await;
    assert_eq!(names(&out), ["stream.start", "stream.end", "gen_ai.content.completion"]);
    assert_eq!((count(&out, CHUNKS), seconds(&out, FIRST)), (Some(2), Some(0.03)));
    assert_eq!(out.dropped_events_count, 0, "that is what its emitter had no room for");

    let out = With::default().start().span(mlflow(12)).await;
    assert!(out.events.is_empty());
    assert_eq!((count(&out, CHUNKS), seconds(&out, FIRST)), (Some(12), Some(0.05)));

    for name in ["First Token Stream Event", "ai.stream.firstChunk", "llm.content.completion", "mlflow.chunk"] {
        let body = request(vec![call(vec![event(name, 40, vec![])])]);
        assert_eq!(With::default().start().send(body.clone()).await, Some(body), "{name}");
    }
}

/// Two versions of OpenLLMetry on one span write an event each for every chunk.
#[tokio::test]
async fn chunks_that_two_emitters_tell_of_are_counted_once() {
    let mut span = mlflow(3);
    span.events.extend((0..4).map(|number| event("llm.content.completion.chunk", 40 + number, vec![])));
    let rig = With::default().start();
    let out = rig.span(span).await;
    assert_eq!((count(&out, CHUNKS), seconds(&out, FIRST)), (Some(4), Some(0.04)));
    assert_eq!((rig.folded(Kind::Mlflow), rig.folded(Kind::Openllmetry)), (3, 4));
}

#[tokio::test]
async fn text_that_stands_nowhere_else_stays() {
    let without_whole = |mut span: Span| {
        span.attributes.clear();
        span.events.retain(|event| event.name != "gen_ai.content.completion");
        span
    };
    for span in [langtrace(), mlflow(3)] {
        for kept in [without_whole(span.clone()), Span { status: error(), ..span.clone() }] {
            let body = request(vec![kept]);
            assert_eq!(With::default().start().send(body.clone()).await, Some(body));
        }
        let mut said = without_whole(span);
        said.attributes.push(text("gen_ai.output.messages", "[]"));
        assert!(count(&With::default().start().span(said).await, CHUNKS).is_some());
    }
    // Empty events say nothing but when they were.
    let broken = call(vec![event("llm.content.completion.chunk", 40, vec![])]);
    let out = With::default().start().span(Span { status: error(), ..broken }).await;
    assert_eq!((names(&out).len(), count(&out, CHUNKS), seconds(&out, FIRST)), (0, Some(1), Some(0.04)));
}

#[tokio::test]
async fn what_the_emitter_said_stays() {
    let with = |attributes: Vec<KeyValue>| Span {
        attributes,
        ..call(vec![event("llm.content.completion.chunk", 40, vec![])])
    };
    let out = With::default().start().span(with(vec![double(FIRST, 0.001), int(CHUNKS, 99)])).await;
    assert_eq!((names(&out).len(), count(&out, CHUNKS), seconds(&out, FIRST)), (0, Some(99), Some(0.001)));
    let first = double("dragoman.response.time_to_first_chunk", 0.5);
    let server = Span { attributes: vec![first, int(CHUNKS, 7)], ..server(1) };
    let chunks = [2, 3].map(|id| asgi(id, 1, "http.response.body", 250));
    let out = With::default().start().spans(chunks.into_iter().chain([server]).collect()).await;
    assert_eq!(told(&out[0]), (Some(7), None, Some(0.5)));
    // An event before the span's start says nothing.
    let early = Span { start_time_unix_nano: at(90), ..with(vec![]) };
    let out = With::default().start().span(early).await;
    assert_eq!((count(&out, CHUNKS), seconds(&out, FIRST)), (Some(1), None));
}

#[tokio::test]
async fn a_second_pass_changes_nothing() {
    for spans in [streamed(), vec![langtrace()], vec![mlflow(9)]] {
        let once = With::default().start().send(request(spans)).await.unwrap();
        assert_eq!(With::default().start().send(once.clone()).await, Some(once));
    }
}

/// Behind a translation and in front of it the same is read by who counts.
#[tokio::test]
async fn derived_metrics_see_the_time_of_the_first_chunk() {
    let mut span = call((0..3).map(|number| event("llm.content.completion.chunk", 40 + number, vec![])).collect());
    span.attributes = vec![text("llm.request.type", "chat"), text("gen_ai.request.model", "gpt-4o")];
    let with = With::genai();
    let rig = with.start();
    let out = rig.span(span).await;
    assert_eq!((count(&out, CHUNKS), seconds(&out, FIRST)), (Some(3), Some(0.04)));
    let calls = rig.calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].time_to_first_chunk, Some(0.04));
}

#[tokio::test]
async fn children_of_a_chunk_get_its_parent() {
    // An application inside of another one writes its messages below the outer one's.
    let rig = With::default().start();
    let nested = vec![asgi(2, 1, "http.request", 1), asgi(3, 2, "http.request", 1), span(4, 3, "parse", 2), server(1)];
    let out = rig.spans(nested).await;
    let parents: Vec<(u64, u64)> = out.iter().map(|span| (id(&span.span_id), id(&span.parent_span_id))).collect();
    assert_eq!(parents, [(4, 1), (1, 0)]);

    // A chain of which one stage drops this and another that.
    let rule = DropRule { name: Some(Pattern::Exact("noise".into())), ..DropRule::default() };
    let mut with = With::default();
    with.drop.rules.push(rule);
    let rig = with.start();
    assert!(rig.spans(vec![span(3, 2, "noise", 2)]).await.is_empty());
    assert!(rig.spans(vec![asgi(2, 1, "http.request", 1)]).await.is_empty());
    let out = rig.spans(vec![span(4, 3, "parse", 3)]).await;
    assert_eq!(id(&out[0].parent_span_id), 1);
}
