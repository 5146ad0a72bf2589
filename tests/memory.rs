//! The binary under more than it can take: its backend is stuck, clients send ten times what it may
//! hold, and its memory stays bounded, every request has an answer, and nothing that was acknowledged
//! is lost. The figures that it prints are those of docs/performance.md.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(dead_code, unreachable_pub, reason = "other tests use the rest of the support")]

#[path = "support/backend.rs"]
mod backend;
#[path = "support/process.rs"]
mod process;
#[path = "support/raw.rs"]
mod raw;

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use backend::Backend;
use dragoman::otlp::compression::{Compression, decompress};
use dragoman::otlp::{Signal, json};
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use process::{Dragoman, file, get, http};
use prost::Message;
use tokio::net::TcpListener;

const LIMIT_MIB: usize = 64;
/// The limit less 20 %.
const BUDGET: usize = LIMIT_MIB * 1024 / 5 * 4 * 1024;
const CLIENTS: usize = 16;

fn config(backend: SocketAddr, processors: &str, more: &str) -> String {
    format!(
        "receivers: {{ otlp: {{ protocols: {{ grpc: {{ endpoint: 127.0.0.1:0 }}, http: {{ endpoint: 127.0.0.1:0 }} }} }} }}
extensions: {{ health_check: {{ endpoint: 127.0.0.1:0 }} }}
processors: {{ memory_limiter: {{ check_interval: 100ms, limit_mib: {LIMIT_MIB} }}, genai: {{}} }}
exporters:
  otlp_http:
    endpoint: http://{backend}
    {more}
    timeout: 2s
    sending_queue: {{ queue_size: 1000000000 }}
    retry_on_failure: {{ initial_interval: 50ms, max_interval: 200ms, max_elapsed_time: 0s }}
service:
  extensions: [health_check]
  telemetry: {{ metrics: {{ address: 127.0.0.1:0 }} }}
  pipelines: {{ traces: {{ receivers: [otlp], processors: [{processors}], exporters: [otlp_http] }} }}
"
    )
}

fn text(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

/// Requests of one size, in each of the forms that clients send. A number stands in front of what all
/// of them have in common, which is made once.
struct Requests {
    bytes: usize,
    wire: Vec<u8>,
    gzip: Vec<u8>,
    json: String,
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn encoded(resource: &str, spans: Vec<Span>) -> Vec<u8> {
    let resource = Resource { attributes: vec![text("request", resource)], ..Resource::default() };
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    let resource = ResourceSpans { resource: Some(resource), scope_spans, ..ResourceSpans::default() };
    ExportTraceServiceRequest { resource_spans: vec![resource] }.encode_to_vec()
}

impl Requests {
    /// Of about `bytes`; every second span is an LLM call of an older dialect, so that the request is
    /// written anew.
    fn new(bytes: usize) -> Requests {
        let mut random = fastrand::Rng::with_seed(7);
        let mut span = |index: usize| {
            let id: Vec<u8> = (index + 1).to_be_bytes().to_vec();
            let trace_id = [id.clone(), id.clone()].concat();
            // Half of it is noise, so that compression has something to do and something to fail at.
            let noise: String = (0..512).map(|_| random.alphanumeric()).collect();
            let prompt = noise + &"Tell me more. ".repeat(40);
            let attributes = match index % 2 {
                0 => vec![text("http.route", "/v1"), text("app.note", &prompt)],
                _ => vec![
                    text("gen_ai.system", "openai"),
                    text("llm.request.type", "chat"),
                    text("gen_ai.request.model", "gpt-4o"),
                    text("gen_ai.prompt.0.role", "user"),
                    text("gen_ai.prompt.0.content", &prompt),
                ],
            };
            Span { trace_id, span_id: id, name: "work".into(), attributes, ..Span::default() }
        };
        let wire = encoded("common", (0..bytes / 1200).map(&mut span).collect());
        let numbered = [head(NUMBER), wire.clone()].concat();
        let json = json::encode(Signal::Traces, &numbered).unwrap();
        Requests { bytes, gzip: gzip(&wire), json: String::from_utf8(json.into()).unwrap(), wire }
    }

    /// The `number`th, and the headers that say how it is sent.
    fn get(&self, number: usize) -> (Vec<(&'static str, &'static str)>, Vec<u8>) {
        let protobuf = ("content-type", "application/x-protobuf");
        match number % 3 {
            0 => (vec![protobuf], [head(number), self.wire.clone()].concat()),
            // Two members of gzip are one stream.
            1 => (vec![protobuf, ("content-encoding", "gzip")], [gzip(&head(number)), self.gzip.clone()].concat()),
            _ => (
                vec![("content-type", "application/json")],
                self.json.replace(&name(NUMBER), &name(number)).into_bytes(),
            ),
        }
    }
}

/// The number that stands in the text that every request of JSON is made of.
const NUMBER: usize = 999_999;

fn name(number: usize) -> String {
    format!("number-{number:06};")
}

fn head(number: usize) -> Vec<u8> {
    encoded(&name(number), vec![Span { trace_id: vec![1; 16], span_id: vec![1; 8], ..Span::default() }])
}

/// The number of a request.
fn number_of(body: &[u8]) -> usize {
    let at = body.windows(7).position(|window| window == b"number-").unwrap() + 7;
    std::str::from_utf8(&body[at..at + 6]).unwrap().parse().unwrap()
}

/// A field of `/proc/PID/status`, in MiB.
fn mebibytes(dragoman: &Dragoman, field: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", dragoman.process.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

fn gauge(dragoman: &Dragoman, name: &str) -> f64 {
    let page = get(dragoman.own_metrics, "/metrics").unwrap().text();
    let series = page.lines().filter(|line| line.starts_with(name));
    series.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

/// Sends a request; whether it was taken. Anything but that and a refusal that asks to come back fails
/// the test.
fn send(to: SocketAddr, (headers, body): (Vec<(&str, &str)>, Vec<u8>)) -> bool {
    let answer = http(to, "POST", "/v1/traces", &headers, &body).unwrap();
    match answer.status {
        200 => true,
        503 => {
            assert!(answer.head.contains("retry-after: 1\r\n"), "{}", answer.head);
            false
        }
        status => panic!("{status}: {}\n{}", answer.head, String::from_utf8_lossy(&answer.body)),
    }
}

/// Sends requests from all clients at once until `offered` bytes were offered; the numbers
/// of those that were taken, and how many were refused.
fn flood(to: SocketAddr, requests: &Requests, first: usize, offered: usize) -> (Vec<usize>, usize) {
    let (next, taken, refused) = (AtomicUsize::new(0), Mutex::new(Vec::new()), AtomicUsize::new(0));
    let count = offered / requests.bytes;
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    let number = first + number;
                    match send(to, requests.get(number)) {
                        true => taken.lock().unwrap().push(number),
                        false => drop(refused.fetch_add(1, Ordering::Relaxed)),
                    }
                }
            });
        }
    });
    (taken.into_inner().unwrap(), refused.into_inner())
}

/// Waits until nothing is claimed.
fn all_given_back(dragoman: &Dragoman) {
    let began = Instant::now();
    while gauge(dragoman, "dragoman_memory_claimed_bytes") > 0.0 {
        assert!(began.elapsed() < Duration::from_secs(120), "claims were not given back");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What a backend sees until nothing is claimed anymore: how often each request.
fn drained(dragoman: &Dragoman, runtime: &tokio::runtime::Runtime, backend: &mut Backend) -> BTreeMap<usize, usize> {
    let mut seen = BTreeMap::new();
    let mut quiet = false;
    loop {
        let next = runtime.block_on(async { tokio::time::timeout(Duration::from_millis(200), backend.next()).await });
        match next {
            Ok(request) => {
                let is_compressed = request.headers.contains_key("content-encoding");
                let compression = is_compressed.then_some(Compression::Gzip);
                let body = compression.map(|gzip| decompress(gzip, &request.body, 64 << 20).unwrap());
                *seen.entry(number_of(body.as_deref().unwrap_or(&request.body))).or_default() += 1;
            }
            Err(_) if quiet => return seen,
            Err(_) => quiet = gauge(dragoman, "dragoman_memory_claimed_bytes") == 0.0,
        }
    }
}

#[test]
fn ten_times_what_a_stuck_backend_takes() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (compression, bytes) in [("none", 128 << 10), ("gzip", 1 << 20)] {
        let requests = Requests::new(bytes);
        // Connections are made, and nobody answers.
        let stuck = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let yaml = config(stuck.local_addr().unwrap(), "memory_limiter, genai", &format!("compression: {compression}"));
        let dragoman = Dragoman::start(&file(&folder, "memory.yaml", &yaml));
        std::thread::sleep(Duration::from_millis(300));
        let idle = mebibytes(&dragoman, "VmRSS:");

        let (mut taken, refused) = flood(dragoman.http, &requests, 0, 10 * BUDGET);
        let (claimed, peak) = (gauge(&dragoman, "dragoman_memory_claimed_bytes"), mebibytes(&dragoman, "VmHWM:"));
        println!(
            "{compression}, requests of {bytes} bytes: {} taken, {refused} refused; claimed {:.1} MiB; resident {idle:.1} MiB idle, {peak:.1} MiB at most",
            taken.len(),
            claimed / 1048576.0
        );
        // While more than the budget is resident nothing is taken either, so the room for requests is what the
        // idle process leaves: half of it without optimisation, and less where there are many processors, each of
        // which has memory of its own. A quarter of the room at least holds what was taken.
        let room = BUDGET.saturating_sub((idle * 1048576.0) as usize);
        assert!(refused > taken.len() && taken.len() * bytes > room / 4, "{} taken, {refused} refused", taken.len());
        // In a release build, which is smaller when idle, that leaves all of it below the limit. Where more than
        // two processors work on a request each, the allocator keeps for each thread what it freed last: a body
        // decoded, and written.
        let at_once = std::thread::available_parallelism().unwrap().get().min(CLIENTS);
        let kept = at_once.saturating_sub(2) * 2 * bytes;
        assert!(peak - idle < LIMIT_MIB as f64 + kept as f64 / 1048576.0, "{idle} MiB idle, {peak} MiB at most");

        // The backend is back: all that was acknowledged arrives, and there is room again.
        let mut backend = runtime.block_on(async { Backend::on(stuck, None, []) });
        let mut seen = drained(&dragoman, &runtime, &mut backend);
        let after = mebibytes(&dragoman, "VmRSS:");
        let (more, _) = flood(dragoman.http, &requests, 500_000, 8 * bytes);
        assert!(more.len() >= 4, "{} of 8 taken after the flood, {after} MiB resident", more.len());
        taken.extend(more);
        seen.extend(drained(&dragoman, &runtime, &mut backend));
        let lost: Vec<_> = taken.iter().filter(|number| !seen.contains_key(number)).collect();
        assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
        assert_eq!(seen.len(), taken.len(), "what was refused was sent on");
        println!("  delivered {} requests; {after:.1} MiB resident when empty", seen.len());
    }
}
