//! The whole program, a proxy that breaks connections, and a backend behind it.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use dragoman::otlp::Signal;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

use crate::backend::{Backend, Reply};
use crate::faulty::{Fault, Faulty};
use crate::rig::{Rig, Way, plan};

const EXPORTERS: [&str; 2] = ["otlp_grpc", "otlp_http"];

/// Spans of one request.
const SPANS: u64 = 3;

/// Longer than any fault takes to be overcome on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What can befall a connection. The limits stand before a request's head, inside of it, inside of
/// its body, and at the begin and inside of an answer.
const FAULTS: [Fault; 16] = [
    Fault::Slow(Duration::from_millis(5)),
    Fault::Throttled(64),
    Fault::Refused,
    Fault::Silent,
    Fault::ResetInRequest(1),
    Fault::ResetInRequest(60),
    Fault::ResetInRequest(1500),
    Fault::ClosedInRequest(60),
    Fault::ClosedInRequest(1500),
    Fault::ResetInAnswer(1),
    Fault::ResetInAnswer(20),
    Fault::ClosedInAnswer(1),
    Fault::ClosedInAnswer(20),
    Fault::CutCable(1000),
    Fault::Garbage,
    Fault::EndlessHead,
];

fn yaml(exporter: &str, address: std::net::SocketAddr) -> String {
    format!(
        "receivers: {{ otlp: {{ protocols: {{ grpc: {{ endpoint: 127.0.0.1:0 }}, http: {{ endpoint: 127.0.0.1:0 }} }} }} }}
exporters:
  {exporter}:
    endpoint: http://{address}
    tls: {{ insecure: true }}
    timeout: 300ms
    retry_on_failure: {{ initial_interval: 10ms, max_interval: 50ms, max_elapsed_time: 0s }}
service:
  telemetry: {{ metrics: {{ address: 127.0.0.1:0 }} }}
  pipelines: {{ traces: {{ receivers: [otlp], exporters: [{exporter}] }} }}
"
    )
}

/// A request of its own, of some kilobytes, so that a limit can stand inside of it.
fn request(number: u64) -> Bytes {
    let span = |index: u64| Span {
        trace_id: vec![7; 16],
        span_id: (number * SPANS + index + 1).to_be_bytes().to_vec(),
        name: "x".repeat(800),
        ..Span::default()
    };
    let scope = ScopeSpans { spans: (0..SPANS).map(span).collect(), ..ScopeSpans::default() };
    let resource = ResourceSpans { scope_spans: vec![scope], ..ResourceSpans::default() };
    ExportTraceServiceRequest { resource_spans: vec![resource] }.encode_to_vec().into()
}

/// How often each span arrived.
#[derive(Default)]
struct Arrived(BTreeMap<Vec<u8>, u64>);

impl Arrived {
    fn add(&mut self, body: &[u8]) {
        let request = ExportTraceServiceRequest::decode(body).unwrap();
        let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
        for span in scopes.flat_map(|scope| scope.spans) {
            *self.0.entry(span.span_id).or_default() += 1;
        }
    }

    async fn all(&mut self, spans: u64, backend: &mut Backend, what: &str) {
        let arrive = async {
            while (self.0.len() as u64) < spans {
                self.add(&backend.next().await.body);
            }
        };
        let arrived = tokio::time::timeout(PATIENCE, arrive).await;
        assert!(arrived.is_ok(), "{what}: {} of {spans} spans arrived", self.0.len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_every_fault() {
    let (mut injected, mut requests, mut duplicates) = (0, 0, 0);
    for exporter in EXPORTERS {
        for fault in FAULTS {
            let case = format!("{exporter}, {fault:?}");
            let mut backend = Backend::start([]).await;
            let proxy = Faulty::before(backend.address).await;
            let rig = Rig::start(plan(&yaml(exporter, proxy.address))).await;
            let mut arrived = Arrived::default();
            // A connection that is open when the fault comes, and those that are opened in it.
            rig.must_take(Way::Grpc, Signal::Traces, request(0)).await;
            arrived.all(SPANS, &mut backend, &case).await;
            proxy.inject(fault);
            for number in 1..8 {
                let way = if number % 2 == 0 { Way::Grpc } else { Way::Protobuf };
                rig.must_take(way, Signal::Traces, request(number)).await;
            }
            match fault {
                // These let everything through in the end.
                Fault::Slow(_) | Fault::Throttled(_) => {
                    arrived.all(8 * SPANS, &mut backend, &case).await;
                    injected += 1;
                }
                // Struck more than once: an attempt was made again, and failed again.
                _ => {
                    let strikes = async {
                        while proxy.injected() < 20 {
                            tokio::time::sleep(Duration::from_millis(1)).await;
                        }
                    };
                    let struck = tokio::time::timeout(PATIENCE, strikes).await;
                    assert!(struck.is_ok(), "{case}: struck {} connections", proxy.injected());
                }
            }
            proxy.inject(Fault::None);
            rig.must_take(Way::Grpc, Signal::Traces, request(8)).await;
            arrived.all(9 * SPANS, &mut backend, &case).await;
            let books = rig
                .books_when(|books| {
                    books.sum("dragoman_exporter_held_items", &[]) == 0
                        && books.sum("otelcol_exporter_sent_spans_total", &[]) == 9 * SPANS
                })
                .await;
            assert_eq!(books.sum("otelcol_receiver_accepted_spans_total", &[]), 9 * SPANS, "{case}");
            assert_eq!(books.sum("otelcol_exporter_send_failed_spans_total", &[]), 0, "{case}");
            rig.stop().await;
            while let Ok(seen) = backend.seen.try_recv() {
                arrived.add(&seen.body);
            }
            assert_eq!(arrived.0.len() as u64, 9 * SPANS, "{case}");
            duplicates += arrived.0.values().map(|times| times - 1).sum::<u64>();
            injected += proxy.injected();
            requests += 9;
        }
    }
    println!(
        "{injected} faults injected, {requests} requests acknowledged, 0 spans lost, {duplicates} spans sent again"
    );
}

#[tokio::test]
async fn a_fault_that_does_not_end_is_counted_as_what_it_is() {
    for (exporter, fault, reason) in [
        ("otlp_grpc", Fault::Silent, "retries_exhausted"),
        ("otlp_http", Fault::ResetInRequest(60), "retries_exhausted"),
        ("otlp_grpc", Fault::Garbage, "retries_exhausted"),
    ] {
        let backend = Backend::start([]).await;
        let proxy = Faulty::before(backend.address).await;
        proxy.inject(fault);
        let yaml = yaml(exporter, proxy.address).replace("max_elapsed_time: 0s", "max_elapsed_time: 700ms");
        let rig = Rig::start(plan(&yaml)).await;
        for number in 0..5 {
            rig.must_take(Way::Protobuf, Signal::Traces, request(number)).await;
        }
        let lost = format!("reason=\"{reason}\"");
        let books = rig
            .books_when(|books| {
                books.sum("dragoman_exporter_lost_items_total", &["signal=\"traces\"", &lost]) == 5 * SPANS
            })
            .await;
        assert_eq!(books.sum("otelcol_exporter_sent_spans_total", &[]), 0);
        assert_eq!(books.sum("dragoman_exporter_held_items", &[]), 0);
        assert_eq!(books.sum("otelcol_receiver_accepted_spans_total", &[]), 5 * SPANS);
    }
}

#[tokio::test]
async fn a_backend_that_answers_in_every_wrong_way_is_counted_as_what_it_said() {
    // Refused, partly taken, refused for now, not OTLP at all, and well.
    let http = |status: u16, body: &'static [u8]| Reply::Http(status, vec![], Bytes::from_static(body));
    let script = vec![
        http(400, b"no"),
        http(503, b"later"),
        Reply::Http(200, vec![("content-type", "application/x-protobuf".into())], Bytes::from_static(b"\xff\xff")),
        http(302, b""),
        Reply::Cut,
        // partial_success { rejected_spans: 1 }
        Reply::Ok(Bytes::from_static(&[0x0a, 0x02, 0x08, 0x01])),
    ];
    let mut backend = Backend::start(script).await;
    let yaml = yaml("otlp_http", backend.address).replace("timeout: 300ms", "sending_queue: { num_consumers: 1 }");
    let rig = Rig::start(plan(&yaml)).await;
    for number in 0..6 {
        rig.must_take(Way::Protobuf, Signal::Traces, request(number)).await;
    }
    // What was sent is counted beside the books, and a page may be read between the two.
    let ends = ["otelcol_exporter_sent_spans_total", "otelcol_exporter_send_failed_spans_total"];
    let books = rig
        .books_when(|books| {
            let ended = ends.map(|name| books.sum(name, &[])).iter().sum::<u64>();
            books.sum("dragoman_exporter_held_items", &[]) == 0 && ended == 6 * SPANS
        })
        .await;
    let failed = |reason: &str| {
        books.sum("dragoman_exporter_lost_items_total", &["signal=\"traces\"", &format!("reason=\"{reason}\"")])
    };
    // Three were refused for good: 400, the success that is none (after the 503), 302.
    assert_eq!((failed("rejected"), failed("partial_success")), (3 * SPANS, 1), "{}", books.0);
    assert_eq!(books.sum("otelcol_exporter_sent_spans_total", &[]), 3 * SPANS - 1);
    drop(backend.next().await);
}
