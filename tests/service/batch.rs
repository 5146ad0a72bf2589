//! Requests that are put together and cut between the queue and the backend: how many go out and how
//! large, that clients are answered as if each had gone alone, and that the books know every item.

use std::time::Duration;

use bytes::Bytes;
use dragoman::otlp::Signal;
use dragoman::otlp::check::check;
use dragoman::otlp::response::{ExportResponse, PartialSuccess};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

use crate::backend::{Backend, Reply, Seen};
use crate::client::sample;
use crate::rig::{Page, Rig, Way, plan};

/// A service with one exporter, called `backend`, of this type and with these settings.
fn yaml(processors: &str, kind: &str, backend: &Backend, settings: &str) -> String {
    format!(
        "receivers: {{ otlp: {{ protocols: {{ grpc: {{ endpoint: 127.0.0.1:0 }}, http: {{ endpoint: 127.0.0.1:0 }} }} }} }}
processors: {{ genai: , {processors} }}
exporters:
  {kind}/backend: {{ endpoint: \"http://{}\", timeout: 60s, {settings} }}
service:
  telemetry: {{ metrics: {{ address: 127.0.0.1:0 }} }}
  pipelines:
    traces: {{ receivers: [otlp], processors: [{first}], exporters: [{kind}/backend] }}
    metrics: {{ receivers: [otlp], processors: [{first}], exporters: [{kind}/backend] }}
    logs: {{ receivers: [otlp], processors: [{first}], exporters: [{kind}/backend] }}
",
        backend.address,
        first = processors.split(':').next().unwrap_or("genai"),
    )
}

/// What the backend gets next. Longer than this no request takes on a busy machine.
async fn next(backend: &mut Backend) -> Seen {
    tokio::time::timeout(Duration::from_secs(60), backend.next()).await.expect("a request that goes out")
}

/// Spans with names of a thousand bytes.
fn large(spans: usize) -> Bytes {
    let span = |number: usize| Span { name: format!("{number:01000}"), ..Span::default() };
    let scope_spans = vec![ScopeSpans { spans: (0..spans).map(span).collect(), ..ScopeSpans::default() }];
    ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] }
        .encode_to_vec()
        .into()
}

/// What a pipeline's books say of the exporter: exported, lost, queued. They balance.
fn leg(books: &Page, signal: Signal) -> (u64, u64, u64) {
    let pipeline = format!("pipeline=\"{signal}\"");
    let sum = |name: &str| books.sum(&format!("dragoman_pipeline_{name}"), &[&pipeline]);
    let (exported, lost) = (sum("exported_items_total"), sum("lost_items_total"));
    let queued = sum("queued_items");
    assert_eq!(sum("given_items_total"), exported + lost + queued, "{}", books.0);
    assert_eq!(sum("received_items_total"), sum("refused_items_total") + sum("outgoing_items_total"), "{}", books.0);
    (exported, lost, queued)
}

#[tokio::test]
async fn many_small_requests_become_one_and_each_client_is_answered_at_once() {
    for signal in Signal::ALL {
        let mut backend = Backend::start([]).await;
        let batch = "batch: { send_batch_size: 40, timeout: 1h }";
        let rig = Rig::start(plan(&yaml(batch, "otlp_grpc", &backend, ""))).await;
        for sent in 1..20u64 {
            rig.must_take(Way::ALL[sent as usize % 2], signal, sample(signal)).await;
            assert_eq!(leg(&rig.books().await, signal), (0, 0, 2 * sent), "acknowledged is queued");
        }
        assert!(backend.seen.try_recv().is_err(), "and waits for more");
        rig.must_take(Way::Grpc, signal, sample(signal)).await;
        let seen = next(&mut backend).await;
        assert_eq!(check(signal, &seen.body), Ok(40));
        let books = rig.books_when(|books| leg(books, signal) == (40, 0, 0)).await;
        let data_type = format!("data_type=\"{signal}\"");
        assert_eq!(books.sum("dragoman_exporter_requests_total", &["cause=\"size\"", &data_type]), 1);
        assert_eq!(books.sum("otelcol_exporter_queue_batch_send_size_sum", &[&data_type]), 40);
        rig.stop().await;
        assert!(backend.seen.try_recv().is_err());
    }
}

#[tokio::test]
async fn what_waits_for_more_fills_the_queue_and_what_it_has_no_room_for_is_not_acknowledged() {
    let mut backend = Backend::start([]).await;
    let queue = "sending_queue: { sizer: bytes, queue_size: 65536, batch: { sizer: items, min_size: 1000000, flush_timeout: 1h } }";
    let rig = Rig::start(plan(&yaml("", "otlp_grpc", &backend, queue))).await;
    let mut acknowledged = 0;
    let refused = loop {
        let answer = rig.send(Way::Protobuf, Signal::Traces, large(10)).await;
        if answer.status != 200 {
            break answer;
        }
        acknowledged += 10;
    };
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (503, "1"), "{refused:?}");
    assert!(acknowledged >= 50, "{acknowledged}");
    // Nobody waits for more where there is no room for more.
    assert_eq!(check(Signal::Traces, &next(&mut backend).await.body), Ok(acknowledged as usize));
    let books = rig.books_when(|books| leg(books, Signal::Traces) == (acknowledged, 0, 0)).await;
    assert_eq!(books.sum("dragoman_exporter_requests_total", &["cause=\"queue_full\""]), 1);
    rig.must_take(Way::Protobuf, Signal::Traces, large(10)).await;
    // Nor when the program stops.
    rig.stop().await;
    assert_eq!(check(Signal::Traces, &next(&mut backend).await.body), Ok(10));
}

#[tokio::test]
async fn a_request_larger_than_a_grpc_server_takes_arrives_in_parts_with_fates_of_their_own() {
    let rejected = PartialSuccess { rejected: 3, error_message: "too old".into() };
    let partial = ExportResponse { partial_success: Some(rejected) }.encode_to_vec();
    let refusal = tonic::Status::invalid_argument("no");
    let mut backend = Backend::start([
        Reply::Ok(partial.into()),
        Reply::Status(refusal),
        Reply::Status(tonic::Status::unavailable("")),
    ])
    .await;
    let retry = "retry_on_failure: { initial_interval: 1ms }";
    let rig = Rig::start(plan(&yaml("", "otlp_grpc", &backend, retry))).await;
    rig.must_take(Way::Protobuf, Signal::Traces, large(10_000)).await;
    // Three parts, the last of them twice. The server behind takes 4 MiB, as gRPC servers do.
    let mut parts = Vec::new();
    for _ in 0..4 {
        let seen = next(&mut backend).await;
        assert!(seen.body.len() <= 4 << 20, "{}", seen.body.len());
        parts.push(check(Signal::Traces, &seen.body).unwrap() as u64);
    }
    assert_eq!((parts[2], parts[0] + parts[1] + parts[2]), (parts[3], 10_000));
    let lost = 3 + parts[1];
    let books = rig.books_when(|books| leg(books, Signal::Traces) == (10_000 - lost, lost, 0)).await;
    let reason = |reason: &str| books.sum("dragoman_exporter_lost_items_total", &[&format!("reason=\"{reason}\"")]);
    assert_eq!((reason("partial_success"), reason("rejected")), (3, parts[1]));
    assert_eq!(books.sum("otelcol_exporter_sent_spans_total", &[]), 10_000 - lost);
    assert_eq!(books.sum("dragoman_exporter_requests_total", &["cause=\"cut\""]), 3);
    rig.stop().await;
}

#[tokio::test]
async fn no_message_is_over_the_limit_whatever_comes() {
    for (kind, signal) in
        ["otlp_grpc", "otlp_http"].into_iter().flat_map(|kind| Signal::ALL.map(|signal| (kind, signal)))
    {
        let mut backend = Backend::start([]).await;
        let settings = "max_request_size: 2000, sending_queue: { batch: { min_size: 100, flush_timeout: 1h } }";
        let rig = Rig::start(plan(&yaml("", kind, &backend, settings))).await;
        let one = sample(signal);
        for requests in [1, 100, 30, 2, 1, 250] {
            // Two encoded requests after each other are one.
            rig.must_take(Way::Protobuf, signal, one.repeat(requests)).await;
        }
        let Rig { running, .. } = rig;
        let stopped = running.stop(Duration::from_secs(20)).await;
        assert!(stopped.drained && stopped.lost == 0, "{stopped:?}");
        let mut items = 0;
        let mut count = 0;
        while let Ok(seen) = backend.seen.try_recv() {
            assert!(seen.body.len() <= 2000, "{} bytes of {signal} over {kind}", seen.body.len());
            items += check(signal, &seen.body).unwrap();
            count += 1;
        }
        assert_eq!(items, 2 * 384);
        assert!(count <= 2 * 384 * one.len() / 2000, "{count} requests of {signal} over {kind}");
    }
}
