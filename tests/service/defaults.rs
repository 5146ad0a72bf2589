//! The embedded default, without any file.

use bytes::Bytes;
use dragoman::otlp::Signal;
use dragoman::service::plan::ExtensionSettings;
use http::Request;
use http_body_util::Full;
use opentelemetry_proto::tonic::trace::v1::Span;

use crate::backend::Backend;
use crate::client::{Client, sample};
use crate::corpus::{cases, corpus, int, requests, spans, text};
use crate::rig::{Rig, Way, default_plan};

#[tokio::test]
async fn every_listener_of_the_default_answers() {
    let mut plan = default_plan(&|_| None);
    // An address that no other test listens on: nobody else has the port when this one is gone.
    for (_, extension) in &mut plan.extensions {
        if let ExtensionSettings::HealthCheck(health) = extension {
            health.endpoint = "127.29.4.1:0".to_owned();
        }
    }
    let rig = Rig::start(plan).await;
    let mut all: Vec<_> = rig.running.addresses().iter().map(|address| address.what).collect();
    all.sort_unstable();
    assert_eq!(all, ["OTLP HTTP", "OTLP gRPC", "Prometheus", "health", "self-metrics"]);
    assert_eq!(rig.health().await.status, 200);
    for way in Way::ALL {
        let body = if way == Way::Json { Bytes::from("{}") } else { Bytes::new() };
        rig.must_take(way, Signal::Logs, body).await;
    }
    assert!(rig.books().await.has("otelcol_receiver_accepted_spans_total", &[]));
    let health = rig.address("health");
    rig.stop().await;
    assert!(tokio::net::TcpStream::connect(health).await.is_err(), "nothing listens after the end");
}

#[tokio::test]
async fn the_pages_answer_what_is_no_scrape() {
    let rig = Rig::start(default_plan(&|_| None)).await;
    for what in ["Prometheus", "self-metrics"] {
        let mut client = Client::http1(rig.address(what)).await;
        let head = client.send(Request::head("/metrics").body(Full::default()).unwrap()).await;
        assert_eq!((head.status.as_u16(), head.body.len()), (200, 0), "{what}");
        assert_eq!(client.get("/").await.status, 404, "{what}");
        assert_eq!(client.post("/metrics", "text/plain", "", Bytes::new()).await.status, 405, "{what}");
        let openmetrics = Request::get("/metrics").header("accept", "application/openmetrics-text; version=1.0.0");
        let answer = client.send(openmetrics.body(Full::default()).unwrap()).await;
        assert!(answer.header("content-type").starts_with("application/openmetrics-text"), "{what}");
        assert!(answer.body.ends_with(b"# EOF\n"), "{what}");
    }
    rig.stop().await;
}

#[tokio::test]
async fn the_environments_endpoint_gets_all_signals() {
    for (protocol, path) in [("http/protobuf", "/v1/traces"), ("grpc", Signal::Traces.grpc_path())] {
        let mut backend = Backend::start([]).await;
        let endpoint = format!("http://{}", backend.address);
        let plan = default_plan(&|name| match name {
            "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(endpoint.clone()),
            "OTEL_EXPORTER_OTLP_PROTOCOL" => Some(protocol.to_owned()),
            "OTEL_EXPORTER_OTLP_HEADERS" => Some("authorization=Bearer%20hunter2".to_owned()),
            _ => None,
        });
        let rig = Rig::start(plan).await;
        let case = corpus().join("litellm-proxy-1.40.18/codegemma_seed");
        for request in requests(&case, "traces.pb") {
            rig.must_take(Way::Protobuf, Signal::Traces, request).await;
        }
        let seen = backend.next().await;
        assert_eq!(seen.path, path);
        assert_eq!(seen.headers["authorization"], "Bearer hunter2");
        assert!(spans(&seen.body).iter().any(|span| span.name == "chat codegemma"));
        for signal in [Signal::Metrics, Signal::Logs] {
            rig.must_take(Way::Grpc, signal, sample(signal)).await;
            assert_eq!(backend.next().await.body, sample(signal), "{signal}");
        }
        rig.stop().await;
        // What the connector derived goes there, too: the last flush is at the end.
        assert!(backend.next().await.path.contains("etrics"), "{protocol}");
    }
}

#[tokio::test]
async fn a_call_is_on_the_scrape_and_the_terminal_once_it_is_acknowledged() {
    let rig = Rig::start(default_plan(&|_| None)).await;
    let mut tokens = 0;
    for case in cases("traceloop-sdk-0.49.6") {
        for request in requests(&case, "traces.pb") {
            rig.must_take(Way::Grpc, Signal::Traces, request).await;
            let page = rig.page().await;
            let now = page.sum("gen_ai_client_token_usage_sum", &["gen_ai_token_type=\"input\""]);
            assert!(now > tokens, "not counted when it was acknowledged:\n{}", page.0);
            tokens = now;
        }
    }
    let shown = rig.stop().await;
    let call = shown.lines().find(|line| line.starts_with("  chat gpt-4o-mini  57 → 17 tokens  ")).expect(&shown);
    assert!(call.ends_with("→1.41"), "{call}");
    assert!(shown.lines().any(|line| line.starts_with("traces  ") && line.contains(" spans  ")), "{shown}");
}

#[tokio::test]
async fn the_codegemma_call_is_current_when_it_arrives() {
    let mut backend = Backend::start([]).await;
    let endpoint = format!("http://{}", backend.address);
    let rig = Rig::start(default_plan(&|name| (name == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| endpoint.clone()))).await;
    let case = corpus().join("litellm-proxy-1.40.18/codegemma_seed");
    for request in requests(&case, "traces.pb") {
        rig.must_take(Way::Protobuf, Signal::Traces, request).await;
    }
    let spans = spans(&backend.next().await.body);
    let call = spans.iter().find(|span| span.name == "chat codegemma").unwrap();
    assert_eq!(text(&call.attributes, "gen_ai.operation.name"), Some("chat"));
    assert_eq!(int(&call.attributes, "gen_ai.usage.input_tokens"), Some(19));
    assert_eq!(int(&call.attributes, "gen_ai.usage.output_tokens"), Some(9));
    rig.stop().await;
}

/// Of 26 spans of a streamed answer 19 are messages of the server and of its clients, of which the one with
/// the status code stays.
#[tokio::test]
async fn the_messages_of_a_streamed_answer_are_folded_and_in_the_books() {
    let mut backend = Backend::start([]).await;
    let endpoint = format!("http://{}", backend.address);
    let rig = Rig::start(default_plan(&|name| (name == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| endpoint.clone()))).await;
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for request in requests(&corpus().join("llama-stack-0.7.3/chat_stream"), "traces.pb") {
        before.extend(spans(&request));
        rig.must_take(Way::Protobuf, Signal::Traces, request).await;
        after.extend(spans(&backend.next().await.body));
    }
    let messages = |spans: &[Span]| {
        spans.iter().filter_map(|span| text(&span.attributes, "asgi.event.type").map(str::to_owned)).collect::<Vec<_>>()
    };
    let pieces = messages(&before).iter().filter(|message| *message == "http.response.body").count();
    assert!(pieces > 10, "{pieces} pieces");
    assert_eq!(messages(&after), ["http.response.start"]);
    let server = after.iter().find(|span| span.name == "POST /v1/chat/completions").unwrap();
    assert_eq!(int(&server.attributes, "dragoman.response.chunks"), Some(pieces as i64));

    let books = rig.books().await;
    let folded = messages(&before).len() as u64 - 1;
    assert_eq!(books.sum("dragoman_folded_chunks_total", &["processor=\"fold_chunks\""]), folded);
    assert_eq!(books.sum("dragoman_folded_chunks_total", &["kind=\"asgi_send\""]), pieces as u64);
    assert_eq!(books.sum("dragoman_dropped_spans_total", &["processor=\"fold_chunks\"", "reason=\"chunk\""]), folded);
    assert_eq!(books.sum("dragoman_pipeline_dropped_items_total", &["reason=\"chunk\""]), folded);
    let dropped = books.sum("dragoman_pipeline_dropped_items_total", &["pipeline=\"traces\""]);
    let outgoing = books.sum("dragoman_pipeline_outgoing_items_total", &["pipeline=\"traces\""]);
    assert_eq!((outgoing, dropped + outgoing), (after.len() as u64, before.len() as u64));
    assert_eq!(books.sum("dragoman_fold_untold_chunks_total", &[]), 0);
    rig.stop().await;
}
