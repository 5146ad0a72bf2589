//! Another configuration while requests come in: nobody is refused, nothing is lost, sent twice or
//! counted twice, and the books balance at every scrape.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use dragoman::otlp::Signal;
use dragoman::service::start::{Reloaded, StartError};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::backend::{Backend, Reply, Seen};
use crate::client::{Client, sample};
use crate::corpus::{key_values, spans};
use crate::rig::{Page, Rig, Way, plan};

/// Tokens that every call of a client costs.
const TOKENS: u64 = 7;
const DEADLINE: Duration = Duration::from_secs(20);
/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A configuration. What is between braces differs from one to the next.
struct Yaml {
    genai: &'static str,
    drop: &'static str,
    grpc: &'static str,
    http: &'static str,
    jaeger: &'static str,
    exporters: &'static str,
    interval: &'static str,
}

const FIRST: Yaml = Yaml {
    genai: "",
    drop: "preset: sqlite",
    grpc: "",
    http: "",
    jaeger: "",
    exporters: "otlp_grpc/jaeger",
    interval: "60s",
};

impl Yaml {
    fn text(&self, backend: &Backend) -> String {
        let Yaml { genai, drop, grpc, http, jaeger, exporters, interval } = self;
        let address = backend.address;
        format!(
            "receivers:
  otlp:
    protocols:
      grpc: {{ endpoint: 127.0.0.1:0{grpc} }}
      http: {{ endpoint: 127.0.0.1:0{http} }}
processors: {{ genai: {{ {genai} }}, drop: {{ {drop} }} }}
connectors: {{ genai_metrics: {{ metrics_flush_interval: {interval} }} }}
exporters:
  otlp_grpc/jaeger: {{ endpoint: \"{address}\", tls: {{ insecure: true }}{jaeger} }}
  otlp_http/other: {{ endpoint: \"http://{address}\" }}
  prometheus: {{ endpoint: 127.0.0.1:0 }}
  debug: {{}}
extensions: {{ health_check: {{ endpoint: 127.0.0.1:0 }} }}
service:
  extensions: [health_check]
  telemetry: {{ metrics: {{ address: 127.0.0.1:0 }} }}
  pipelines:
    traces: {{ receivers: [otlp], processors: [genai, drop], exporters: [{exporters}, genai_metrics] }}
    metrics: {{ receivers: [genai_metrics], exporters: [prometheus] }}
"
        )
    }
}

/// One after another, and again from the first. Every span goes to one exporter that sends.
const TURNS: [Yaml; 6] = [
    FIRST,
    Yaml { genai: "originals: keep", ..FIRST },
    Yaml { jaeger: ", compression: gzip, sending_queue: { num_consumers: 2 }", ..FIRST },
    Yaml { drop: "rules: [{ name: noise }]", exporters: "otlp_grpc/jaeger, debug", ..FIRST },
    Yaml {
        grpc: ", max_recv_msg_size_mib: 4, max_concurrent_streams: 16",
        http: ", max_connections: 100",
        interval: "1s",
        ..FIRST
    },
    Yaml { exporters: "otlp_http/other", ..FIRST },
];

/// A call of a model, of ids that no other has.
fn call(number: u64) -> Span {
    Span {
        trace_id: u128::from(number).to_be_bytes().to_vec(),
        span_id: number.to_be_bytes().to_vec(),
        name: "chat gpt-4o".into(),
        attributes: key_values(&[
            ("gen_ai.operation.name", Value::StringValue("chat".into())),
            ("gen_ai.provider.name", Value::StringValue("openai".into())),
            ("gen_ai.request.model", Value::StringValue("gpt-4o".into())),
            ("gen_ai.usage.input_tokens", Value::IntValue(TOKENS as i64)),
        ]),
        ..Span::default()
    }
}

fn request(spans: Vec<Span>) -> Bytes {
    let scope = ScopeSpans { spans, ..ScopeSpans::default() };
    let resource = ResourceSpans { scope_spans: vec![scope], ..ResourceSpans::default() };
    ExportTraceServiceRequest { resource_spans: vec![resource] }.encode_to_vec().into()
}

/// How often each span came, by the number that it was made of.
type Arrived = Arc<Mutex<BTreeMap<u64, usize>>>;

async fn gather(mut seen: mpsc::Receiver<Seen>, arrived: Arrived) {
    while let Some(seen) = seen.recv().await {
        let mut arrived = arrived.lock().unwrap();
        for span in spans(&seen.body) {
            *arrived.entry(u64::from_be_bytes(span.span_id.try_into().unwrap())).or_default() += 1;
        }
    }
}

/// The books of every pipeline, at one scrape.
fn assert_balance(page: &Page) {
    let sum = |name: &str, labels: &[&str]| page.sum(name, labels);
    for pipeline in ["pipeline=\"traces\"", "pipeline=\"metrics\""] {
        let of = [pipeline];
        let received = sum("dragoman_pipeline_received_items_total", &of);
        let went = sum("dragoman_pipeline_dropped_items_total", &of)
            + sum("dragoman_pipeline_refused_items_total", &of)
            + sum("dragoman_pipeline_held_items", &of)
            + sum("dragoman_pipeline_outgoing_items_total", &of);
        assert_eq!(received, went, "{}", page.0);
        for exporter in ["otlp_grpc/jaeger", "otlp_http/other", "debug", "prometheus"] {
            let exporter = format!("exporter=\"{exporter}\"");
            let of = [pipeline, &exporter];
            let given = sum("dragoman_pipeline_given_items_total", &of)
                + sum("dragoman_pipeline_recovered_items_total", &of)
                + sum("dragoman_pipeline_derived_items_total", &of);
            let fates = sum("dragoman_pipeline_exported_items_total", &of)
                + sum("dragoman_pipeline_lost_items_total", &of)
                + sum("dragoman_pipeline_queued_items", &of);
            assert_eq!(given, fates, "{exporter}\n{}", page.0);
        }
    }
}

/// Every counter of a page, by its name and labels.
fn counters(page: &Page) -> BTreeMap<String, f64> {
    let lines = page.0.lines().filter(|line| !line.starts_with('#'));
    let series = lines.filter_map(|line| line.split(" # ").next()?.rsplit_once(' '));
    let counts = series.filter(|(name, _)| {
        let name = name.split('{').next().unwrap();
        name.ends_with("_total") || name.ends_with("_sum") || name.ends_with("_count")
    });
    counts.map(|(name, value)| (name.to_owned(), value.parse().unwrap())).collect()
}

fn assert_none_fell(before: &BTreeMap<String, f64>, after: &BTreeMap<String, f64>) {
    for (name, value) in before {
        let now = after.get(name).copied();
        assert!(now.is_some_and(|now| now >= *value), "{name} was {value} and is {now:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn reloads_under_load_refuse_nobody_lose_nothing_and_count_once() {
    const CLIENTS: usize = 8;
    const RELOADS: usize = 24;
    let mut backend = Backend::start([]).await;
    let (_, none) = mpsc::channel(1);
    let arrived = Arrived::default();
    drop(tokio::spawn(gather(std::mem::replace(&mut backend.seen, none), arrived.clone())));
    let mut rig = Rig::start(plan(&TURNS[0].text(&backend))).await;
    let addresses = rig.running.addresses().to_vec();

    let (numbers, is_over) = (Arc::new(AtomicU64::new(1)), Arc::new(AtomicBool::new(false)));
    let answered = Arc::<AtomicUsize>::default();
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (grpc, http) = (rig.address("OTLP gRPC"), rig.address("OTLP HTTP"));
        let (numbers, is_over, answered) = (numbers.clone(), is_over.clone(), answered.clone());
        clients.spawn(async move {
            // Connections that stay open over all reloads.
            let mut connection = match client % 2 {
                0 => Client::http2(grpc).await,
                _ => Client::http1(http).await,
            };
            while !is_over.load(Ordering::Relaxed) {
                let first = numbers.fetch_add(3, Ordering::Relaxed);
                let body = request((first..first + 3).map(call).collect());
                let answer = match client % 2 {
                    0 => connection.call(Signal::Traces, &body).await,
                    _ => {
                        let path = Signal::Traces.http_path();
                        connection.post(path, "application/x-protobuf", "", body).await
                    }
                };
                assert_eq!(answer.status, 200, "{answer:?}");
                assert!(client % 2 == 1 || answer.header("grpc-status") == "0", "{answer:?}");
                answered.fetch_add(1, Ordering::Relaxed);
            }
        });
    }

    let mut before = BTreeMap::new();
    for turn in 1..=RELOADS {
        // Every configuration sees requests.
        let enough = answered.load(Ordering::Relaxed) + CLIENTS;
        while answered.load(Ordering::Relaxed) < enough {
            tokio::time::sleep(Duration::from_millis(1)).await;
            assert!(clients.try_join_next().is_none(), "a client ended");
        }
        let page = rig.books().await;
        assert_balance(&page);
        let mut now = counters(&page);
        now.extend(counters(&rig.page().await));
        assert_none_fell(&before, &now);
        before = now;
        let next = plan(&TURNS[turn % TURNS.len()].text(&backend));
        assert_eq!(rig.running.reload(next, DEADLINE).await.unwrap(), Reloaded::Applied);
        assert_eq!(rig.running.addresses(), addresses, "no listener was closed");
        assert_eq!(rig.health().await.status, 200);
        // A new connection is taken, too.
        rig.must_take(Way::Json, Signal::Traces, "{}").await;
    }
    is_over.store(true, Ordering::Relaxed);
    clients.join_all().await;

    let sent = numbers.load(Ordering::Relaxed) - 1;
    let all_arrived = async {
        while (arrived.lock().unwrap().len() as u64) < sent {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    if tokio::time::timeout(PATIENCE, all_arrived).await.is_err() {
        let books = rig.books().await;
        panic!("{} of {sent} spans arrived:\n{}", arrived.lock().unwrap().len(), books.0);
    }
    let settled = |books: &Page| books.sum("dragoman_pipeline_queued_items", &[]) == 0;
    let books = rig.books_when(settled).await;
    assert_balance(&books);
    assert_eq!(books.sum("otelcol_receiver_accepted_spans_total", &[]), sent);
    assert_eq!(books.sum("dragoman_pipeline_received_items_total", &["pipeline=\"traces\""]), sent);
    assert_eq!(books.sum("dragoman_pipeline_lost_items_total", &[]), 0, "{}", books.0);
    assert_eq!(books.sum("dragoman_config_reloads_total", &["outcome=\"applied\""]), RELOADS as u64);
    assert_eq!(books.sum("dragoman_genai_operations_total", &["operation=\"chat\""]), sent, "over all stages");
    let tokens = "gen_ai_client_token_usage_sum";
    assert_eq!(rig.page().await.sum(tokens, &[]), sent * TOKENS, "every call counts once");
    rig.stop().await;
    // Nothing is sent any more, and nothing is on its way.
    let arrived = arrived.lock().unwrap();
    assert!(arrived.values().all(|count| *count == 1), "each of them once");
    eprintln!("{RELOADS} reloads under {sent} spans of {CLIENTS} clients");
}

#[tokio::test]
async fn what_cannot_be_applied_changes_nothing() {
    let mut backend = Backend::start([]).await;
    let mut rig = Rig::start(plan(&FIRST.text(&backend))).await;
    let addresses = rig.running.addresses().to_vec();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    let occupied = FIRST.text(&backend).replace(
        "protocols:\n      grpc: { endpoint: 127.0.0.1:0 }",
        &format!("protocols:\n      grpc: {{ endpoint: \"{taken}\" }}"),
    );
    let own = addresses.iter().find(|address| address.what == "health").unwrap().address.port();
    for (yaml, expected) in [
        (occupied, taken.to_string()),
        (
            FIRST.text(&backend).replace(
                "health_check: { endpoint: 127.0.0.1:0",
                &format!("health_check: {{ endpoint: \"0.0.0.0:{own}\""),
            ),
            "restart the program".into(),
        ),
        // What would change beside it does not.
        (
            Yaml { jaeger: ", tls: { ca_file: /nowhere/ca.pem }", drop: "rules: [{ name: \"chat gpt-4o\" }]", ..FIRST }
                .text(&backend)
                .replace("tls: { insecure: true }, ", ""),
            "/nowhere/ca.pem".into(),
        ),
    ] {
        let error: StartError = rig.running.reload(plan(&yaml), DEADLINE).await.unwrap_err();
        assert!(error.to_string().contains(&expected), "{error}");
        assert_eq!(rig.running.addresses(), addresses);
        rig.must_take(Way::Grpc, Signal::Traces, sample(Signal::Traces)).await;
        assert_eq!(spans(&backend.next().await.body).len(), 2, "they are not dropped");
    }
    let books = rig.books().await;
    assert_eq!(books.sum("dragoman_config_reloads_total", &["outcome=\"failed\""]), 3);
    assert_eq!(books.sum("dragoman_config_last_reload_successful", &[]), 0);
    let again = rig.running.reload(plan(&FIRST.text(&backend)), DEADLINE).await.unwrap();
    assert_eq!(again, Reloaded::Unchanged);
    let books = rig.books().await;
    assert_eq!(books.sum("dragoman_config_reloads_total", &["outcome=\"unchanged\""]), 1);
    assert_eq!(books.sum("dragoman_config_last_reload_successful", &[]), 1);
    assert!(books.sum("dragoman_config_last_reload_success_timestamp_seconds", &[]) > 1_700_000_000);
    rig.stop().await;
}

/// The queue of an exporter that is no longer named is delivered all the same; one that is the same
/// keeps its queue.
#[tokio::test]
async fn queues_outlive_the_configuration() {
    let down = || Reply::Status(tonic::Status::unavailable("later"));
    let mut backend = Backend::start([down(), down()]).await;
    let slow = ", retry_on_failure: { initial_interval: 50ms }";
    let yaml = Yaml { jaeger: slow, ..FIRST };
    let mut rig = Rig::start(plan(&yaml.text(&backend))).await;
    rig.must_take(Way::Grpc, Signal::Traces, request(vec![call(1)])).await;
    let kept = Yaml { genai: "originals: keep", jaeger: slow, ..FIRST };
    rig.running.reload(plan(&kept.text(&backend)), DEADLINE).await.unwrap();
    rig.must_take(Way::Grpc, Signal::Traces, request(vec![call(2)])).await;
    let gone = Yaml { exporters: "otlp_http/other", ..FIRST };
    rig.running.reload(plan(&gone.text(&backend)), DEADLINE).await.unwrap();
    rig.must_take(Way::Grpc, Signal::Traces, request(vec![call(3)])).await;
    let mut arrived = Vec::new();
    // Two were refused for now.
    for _ in 0..5 {
        arrived.extend(spans(&backend.next().await.body).into_iter().map(|span| span.span_id));
    }
    arrived.sort();
    arrived.dedup();
    assert_eq!(arrived, [1u64, 2, 3].map(|number| number.to_be_bytes().to_vec()));
    let books = rig.books_when(|books| books.sum("dragoman_pipeline_queued_items", &[]) == 0).await;
    assert_balance(&books);
    let to = |exporter: &str| books.sum("dragoman_pipeline_exported_items_total", &[exporter]);
    assert_eq!((to("otlp_grpc/jaeger"), to("otlp_http/other")), (2, 1));
    assert!(!books.has("otelcol_exporter_queue_capacity", &["otlp_grpc/jaeger"]), "it is gone");
    rig.stop().await;
}

/// A listener of another place: the earlier one is closed in good order, the new one is open.
#[tokio::test]
async fn listeners_come_and_go() {
    let backend = Backend::start([]).await;
    // An address that no other test listens on: nobody else takes its port while it is free.
    let own = FIRST.text(&backend).replace("http: { endpoint: 127.0.0.1:0", "http: { endpoint: 127.29.4.2:0");
    let mut rig = Rig::start(plan(&own)).await;
    let http = rig.address("OTLP HTTP");
    assert_eq!(http.ip().to_string(), "127.29.4.2");
    let mut kept = Client::http1(http).await;
    let path = Signal::Traces.http_path();
    let answer = kept.post(path, "application/x-protobuf", "", sample(Signal::Traces)).await;
    assert_eq!(answer.status, 200);
    let grpc_only = FIRST.text(&backend).replace("      http: { endpoint: 127.0.0.1:0 }\n", "");
    rig.running.reload(plan(&grpc_only), DEADLINE).await.unwrap();
    assert!(rig.running.addresses().iter().all(|address| address.what != "OTLP HTTP"));
    // It is closed in the background.
    let closed = async {
        while tokio::net::TcpStream::connect(http).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, closed).await.unwrap();
    rig.must_take(Way::Grpc, Signal::Traces, sample(Signal::Traces)).await;
    rig.running.reload(plan(&FIRST.text(&backend)), DEADLINE).await.unwrap();
    rig.must_take(Way::Protobuf, Signal::Traces, sample(Signal::Traces)).await;
    // A receiver of another name, on the same port: the socket is handed on.
    let fixed = |id: &str, text: &str| {
        text.replace("  otlp:\n", &format!("  {id}:\n"))
            .replace("receivers: [otlp]", &format!("receivers: [{id}]"))
            .replace("http: { endpoint: 127.0.0.1:0 }", &format!("http: {{ endpoint: \"{http}\" }}"))
    };
    for id in ["otlp", "otlp/renamed"] {
        rig.running.reload(plan(&fixed(id, &FIRST.text(&backend))), DEADLINE).await.unwrap();
        assert_eq!(rig.address("OTLP HTTP"), http);
        rig.must_take(Way::Protobuf, Signal::Traces, sample(Signal::Traces)).await;
    }
    assert!(rig.books().await.sum("otelcol_receiver_accepted_spans_total", &["receiver=\"otlp/renamed\""]) > 0);
    rig.stop().await;
}
