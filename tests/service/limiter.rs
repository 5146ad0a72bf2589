//! One budget for what requests hold: it is taken before a body is read, grows with what the body
//! becomes, and refuses retryably before there is anything to hold.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use dragoman::otlp::Signal;
use flate2::write::GzEncoder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{Answer, Client, grpc_status, sample, status};
use crate::rig::{Rig, Way, plan};

/// Requests may hold 1 MiB together. The program itself takes more, so that the second guard is up
/// from the begin: above the spike, 1 MiB, nothing is admitted.
const LIMITER: &str = "limit_mib: 2, spike_limit_mib: 1";
const BUDGET: usize = 1 << 20;

/// A pipeline of logs, and one of traces with a limiter of its own.
fn yaml(logs: &str, traces: &str) -> String {
    format!(
        "receivers: {{ otlp: {{ protocols: {{ grpc: {{ endpoint: 127.0.0.1:0 }}, http: {{ endpoint: 127.0.0.1:0 }} }} }} }}
processors: {{ memory_limiter: {{ check_interval: 1h, {logs} }}, memory_limiter/2: {{ check_interval: 1h, {traces} }} }}
exporters: {{ debug: {{}} }}
service:
  telemetry: {{ metrics: {{ address: 127.0.0.1:0 }} }}
  pipelines:
    logs: {{ receivers: [otlp], processors: [memory_limiter], exporters: [debug] }}
    traces: {{ receivers: [otlp], processors: [memory_limiter/2], exporters: [debug] }}
"
    )
}

async fn start() -> Rig {
    Rig::start(plan(&yaml(LIMITER, LIMITER))).await
}

/// A request that announced its body and sends nothing of it, as long as it is not dropped.
struct Announced {
    _stream: TcpStream,
}

impl Announced {
    async fn new(rig: &Rig, bytes: usize) -> Announced {
        let before = claimed(rig).await;
        let mut stream = TcpStream::connect(rig.address("OTLP HTTP")).await.unwrap();
        stream.write_all(head(&format!("content-length: {bytes}")).as_bytes()).await.unwrap();
        rig.books_when(|books| books.sum("dragoman_memory_claimed_bytes", &[]) >= before + bytes as u64).await;
        Announced { _stream: stream }
    }
}

fn head(more: &str) -> String {
    format!("POST /v1/logs HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-protobuf\r\n{more}\r\n\r\n")
}

async fn claimed(rig: &Rig) -> u64 {
    rig.books().await.sum("dragoman_memory_claimed_bytes", &[])
}

/// Waits until every claim was given back.
async fn all_given_back(rig: &Rig) {
    rig.books_when(|books| books.sum("dragoman_memory_claimed_bytes", &[]) == 0).await;
}

/// The status line's code of an answer, and all of its text as far as it has come.
async fn answer_on(stream: &mut TcpStream) -> (u16, String) {
    let mut answer = Vec::new();
    let mut room = [0; 4096];
    while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = stream.read(&mut room).await.unwrap();
        assert!(read > 0, "no answer: {:?}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&room[..read]);
    }
    let text = String::from_utf8_lossy(&answer).to_lowercase();
    (text[9..12].parse().unwrap(), text)
}

fn gzip(content: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap().into()
}

async fn post(rig: &Rig, media_type: &str, encoding: &str, body: impl Into<Bytes>) -> Answer {
    Client::http1(rig.address("OTLP HTTP")).await.post("/v1/logs", media_type, encoding, body.into()).await
}

const PROTOBUF: &str = "application/x-protobuf";

fn to_come_back(answer: &Answer) {
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "1"), "{answer:?}");
    let (code, message, delay) = status(answer);
    assert_eq!((code, delay.as_deref()), (14, Some("1s")));
    assert!(message.starts_with("memory_limiter: "), "{message}");
}

#[tokio::test]
async fn over_the_limit_requests_are_to_come_back_later() {
    let rig = start().await;
    let others = Announced::new(&rig, BUDGET - 4096).await;
    // Also one that could not be read.
    for body in [Bytes::from(vec![b'x'; 8192]), Bytes::from_iter([&b"\x0a\xff"[..], &[0; 8192]].concat())] {
        to_come_back(&rig.send(Way::Protobuf, Signal::Logs, body.clone()).await);
        let (code, message, delay) = grpc_status(&rig.send(Way::Grpc, Signal::Logs, body).await);
        assert_eq!((code, delay), (14, Some(Duration::from_secs(1))), "{message}");
    }
    let books = rig.books().await;
    assert_eq!(books.sum("dragoman_receiver_refused_requests_total", &["reason=\"memory_limit\""]), 4);
    assert_eq!(books.sum("otelcol_processor_incoming_items_total", &["processor=\"memory_limiter\""]), 0);
    assert_eq!(books.sum("dragoman_memory_limit_bytes", &["processor=\"memory_limiter\""]), BUDGET as u64);
    drop(others);
    all_given_back(&rig).await;
    for way in Way::ALL {
        rig.must_take(way, Signal::Logs, if way == Way::Json { "{}".into() } else { sample(Signal::Logs) }).await;
    }
    all_given_back(&rig).await;
    rig.stop().await;
}

#[tokio::test]
async fn an_announced_length_is_refused_before_a_byte_of_the_body_is_read() {
    let rig = start().await;
    for (announced, others, expected) in [(BUDGET - 8192, 500_000, 503), (BUDGET, 0, 413), (usize::MAX >> 1, 0, 413)] {
        let others = if others > 0 { Some(Announced::new(&rig, others).await) } else { None };
        let mut stream = TcpStream::connect(rig.address("OTLP HTTP")).await.unwrap();
        stream.write_all(head(&format!("content-length: {announced}")).as_bytes()).await.unwrap();
        let (code, text) = answer_on(&mut stream).await;
        assert_eq!(code, expected, "{text}");
        assert_eq!(text.contains("retry-after: 1"), code == 503, "{text}");
        drop((others, stream));
        all_given_back(&rig).await;
    }
    rig.stop().await;
}

/// A gRPC call says its length in its first five bytes, and nowhere else.
#[tokio::test]
async fn a_grpc_prefix_is_an_announcement() {
    let rig = start().await;
    let others = Announced::new(&rig, 500_000).await;
    assert_eq!(grpc_prefix(rig.address("OTLP gRPC"), 600_000).await, "14");
    drop(others);
    all_given_back(&rig).await;
    assert_eq!(grpc_prefix(rig.address("OTLP gRPC"), 2 * BUDGET as u32).await, "8", "never fits");
    all_given_back(&rig).await;
    rig.stop().await;
}

/// Announces a message of `length` bytes, sends nothing of it, and returns the status.
async fn grpc_prefix(address: SocketAddr, length: u32) -> String {
    let (body, frames) = futures_body();
    let mut sender = crate::client::http2_sender(address).await;
    let request = http::Request::post(format!("http://{address}{}", Signal::Logs.grpc_path()))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(body)
        .unwrap();
    let answer = sender.send_request(request);
    let [a, b, c, d] = length.to_be_bytes();
    frames.send(Bytes::from(vec![0, a, b, c, d])).await.unwrap();
    let answer = answer.await.unwrap();
    answer.headers()["grpc-status"].to_str().unwrap().to_owned()
}

/// A body whose frames are sent one by one.
fn futures_body() -> (Streamed, tokio::sync::mpsc::Sender<Bytes>) {
    let (send, receive) = tokio::sync::mpsc::channel(4);
    (Streamed(receive), send)
}

struct Streamed(tokio::sync::mpsc::Receiver<Bytes>);

impl http_body::Body for Streamed {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(cx).map(|frame| frame.map(|frame| Ok(http_body::Frame::data(frame))))
    }
}

#[tokio::test]
async fn a_body_of_unknown_length_is_refused_when_it_outgrows_the_budget() {
    let rig = start().await;
    for (others, expected) in [(BUDGET / 2, 503), (0, 413)] {
        let others = if others > 0 { Some(Announced::new(&rig, others).await) } else { None };
        let mut stream = TcpStream::connect(rig.address("OTLP HTTP")).await.unwrap();
        stream.write_all(head("transfer-encoding: chunked").as_bytes()).await.unwrap();
        let chunk = [&b"4000\r\n"[..], &[b'x'; 0x4000], b"\r\n"].concat();
        let mut sent = 0;
        let (mut read, mut write) = stream.split();
        let mut answer = Vec::new();
        let mut room = [0; 4096];
        // Sends until it is answered, twice the budget at most.
        while sent < 2 * BUDGET && answer.is_empty() {
            tokio::select! {
                biased;
                read = read.read(&mut room) => answer.extend_from_slice(&room[..read.unwrap()]),
                written = write.write_all(&chunk) => { written.unwrap(); sent += 0x4000; }
            }
            tokio::task::yield_now().await;
        }
        if answer.is_empty() {
            let read = read.read(&mut room).await.unwrap();
            answer.extend_from_slice(&room[..read]);
        }
        let text = String::from_utf8_lossy(&answer).to_lowercase();
        assert!(text.starts_with(&format!("http/1.1 {expected}")), "{text}");
        drop((others, stream));
        all_given_back(&rig).await;
    }
    rig.stop().await;
}

#[tokio::test]
async fn what_comes_out_of_a_compressed_body_is_claimed_before_it_is_made() {
    let rig = start().await;
    let bomb = gzip(&vec![0; 10 << 20]);
    let half = gzip(&[&[0x0a, 0x80, 0x80, 0x18][..], &vec![0; 6 << 16]].concat());
    let answer = post(&rig, PROTOBUF, "gzip", bomb.clone()).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (413, ""), "{answer:?}");
    let others = Announced::new(&rig, BUDGET - (100 << 10)).await;
    to_come_back(&post(&rig, PROTOBUF, "gzip", half.clone()).await);
    drop(others);
    all_given_back(&rig).await;
    // The same body alone: it is read, and is no request.
    let answer = post(&rig, PROTOBUF, "gzip", half).await;
    assert_eq!(answer.status.as_u16(), 400, "{answer:?}");
    all_given_back(&rig).await;
    rig.stop().await;
}

#[tokio::test]
async fn what_json_becomes_is_claimed() {
    let rig = start().await;
    // 200 KB of text, of which 800 KB of doubles would be made.
    let body = |numbers: usize| {
        let bounds = vec!["1"; numbers].join(",");
        let metric = format!(r#"{{"histogram":{{"dataPoints":[{{"explicitBounds":[{bounds}]}}]}}}}"#);
        format!(r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{metric}]}}]}}]}}"#)
    };
    // No pipeline takes metrics, so the path of logs it is; what it does not know it passes over.
    let unknown = post(&rig, "application/json", "", body(100_000)).await;
    assert_eq!(unknown.status.as_u16(), 200, "{unknown:?}");
    let others = Announced::new(&rig, BUDGET - (250 << 10)).await;
    to_come_back(&post(&rig, "application/json", "", body(100_000)).await);
    drop(others);
    all_given_back(&rig).await;
    rig.stop().await;
}

/// Two bytes for a span, some hundred for what is noted down of it.
#[tokio::test]
async fn a_request_of_very_many_empty_items_is_charged_for_them() {
    let rig = start().await;
    let spans = [0x12, 0].repeat(20_000);
    let length = |bytes: usize| {
        [(bytes as u32 & 0x7f) as u8 | 0x80, (bytes as u32 >> 7 & 0x7f) as u8 | 0x80, (bytes >> 14) as u8]
    };
    let scope = [&[0x12][..], &length(spans.len()), &spans].concat();
    let body = [&[0x0a][..], &length(scope.len()), &scope].concat();
    let answer = rig.send(Way::Protobuf, Signal::Traces, body).await;
    assert_eq!(answer.status.as_u16(), 413, "{answer:?}");
    all_given_back(&rig).await;
    rig.stop().await;
}

#[tokio::test]
async fn every_pipeline_has_its_own_limit_on_one_count() {
    let rig = Rig::start(plan(&yaml(LIMITER, "limit_mib: 1000000"))).await;
    let others = Announced::new(&rig, BUDGET - 4096).await;
    let body = Bytes::from(vec![0x0a; 8192]);
    to_come_back(&rig.send(Way::Protobuf, Signal::Logs, body.clone()).await);
    // Read, and found to be no request.
    assert_eq!(rig.send(Way::Protobuf, Signal::Traces, body).await.status.as_u16(), 400);
    drop(others);
    rig.stop().await;
}

#[tokio::test]
async fn a_request_that_goes_to_several_pipelines_has_the_smallest_of_their_limits() {
    for (first, second) in [(LIMITER, "limit_mib: 1000000"), ("limit_mib: 1000000", LIMITER)] {
        let rig = Rig::start(plan(&yaml(first, second).replace("    traces:", "    logs/2:"))).await;
        let answer = rig.send(Way::Protobuf, Signal::Logs, vec![0x0a; 2 * BUDGET]).await;
        assert_eq!(answer.status.as_u16(), 413, "{answer:?}");
        rig.stop().await;
    }
}

#[tokio::test]
async fn without_a_limiter_there_is_a_limit_all_the_same() {
    let yaml = yaml(LIMITER, LIMITER).replace("processors: [memory_limiter], ", "");
    let rig = Rig::start(plan(&yaml)).await;
    let limit = rig.books().await.sum("dragoman_memory_limit_bytes", &["processor=\"default\""]) as f64;
    let share = limit / dragoman::bounded::available::available().unwrap() as f64;
    assert!((0.39..0.41).contains(&share), "{share}");
    rig.stop().await;
}

/// What waits for its export is claimed until the last exporter has let go of it.
#[tokio::test]
async fn a_queued_request_holds_its_bytes() {
    let unreachable = tokio::net::TcpSocket::new_v4().unwrap();
    unreachable.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let exporter = format!(
        "otlp/x: {{ endpoint: \"http://{}\", tls: {{ insecure: true }}, retry_on_failure: {{ initial_interval: 10ms, max_interval: 10ms, max_elapsed_time: 0s }} }}",
        unreachable.local_addr().unwrap()
    );
    let yaml = yaml(LIMITER, LIMITER)
        .replace("exporters: { debug: {} }", &format!("exporters: {{ debug: {{}}, {exporter} }}"))
        .replace("exporters: [debug]", "exporters: [debug, otlp/x]");
    let rig = Rig::start(plan(&yaml)).await;
    let mut body = sample(Signal::Logs).to_vec();
    // An unknown field makes it larger.
    body.extend_from_slice(&[0xfa, 0x01, 0x80, 0x80, 0x06]);
    body.resize(body.len() + 98_304, 7);
    let body = Bytes::from(body);
    let mut taken = 0;
    while rig.send(Way::Protobuf, Signal::Logs, body.clone()).await.status == 200 {
        taken += 1;
        assert!(taken < 20);
    }
    assert!((8..=10).contains(&taken), "{taken}");
    let books = rig.books().await;
    let queued = books.sum("otelcol_exporter_queue_size", &["data_type=\"logs\""]);
    let claimed = books.sum("dragoman_memory_claimed_bytes", &[]);
    assert!(queued == taken * body.len() as u64 && (queued..BUDGET as u64).contains(&claimed), "{queued} {claimed}");
    to_come_back(&rig.send(Way::Protobuf, Signal::Logs, body).await);
    let backend = crate::backend::Backend::on(unreachable.listen(16).unwrap(), None, []);
    all_given_back(&rig).await;
    drop(backend);
    rig.stop().await;
}
