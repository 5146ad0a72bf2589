//! A program that may open few files: it takes what it can, refuses nobody for ever, and loses nothing.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use bytes::Bytes;
use dragoman::otlp::Signal;

use crate::backend::Backend;
use crate::client::sample;
use crate::process::{Dragoman, Running, file, get};

/// Descriptors that the program may have; it needs some twenty to stand.
const FILES: u32 = 48;

/// A request over a connection that is open already.
fn post(stream: &mut TcpStream, body: &Bytes) -> String {
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = Vec::new();
    let mut byte = [0];
    while !answer.ends_with(b"\r\n\r\n") {
        let read = stream.read_exact(&mut byte);
        assert!(read.is_ok(), "{read:?} after {}", String::from_utf8_lossy(&answer));
        answer.push(byte[0]);
    }
    String::from_utf8(answer).unwrap().split(' ').nth(1).unwrap().to_owned()
}

fn open_files(process: &Running) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", process.pid())).unwrap().count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_descriptors_what_is_acknowledged_waits_and_arrives_in_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut backend = Backend::start([]).await;
    let config = file(
        &folder,
        "config.yaml",
        &format!(
            "receivers: {{ otlp: {{ protocols: {{ grpc: {{ endpoint: 127.0.0.1:0 }}, http: {{ endpoint: 127.0.0.1:0 }} }} }} }}
extensions: {{ health_check: {{ endpoint: 127.0.0.1:0 }} }}
exporters:
  otlp_http:
    endpoint: http://{}
    retry_on_failure: {{ initial_interval: 10ms, max_interval: 50ms, max_elapsed_time: 0s }}
service:
  extensions: [health_check]
  telemetry: {{ metrics: {{ address: 127.0.0.1:0 }} }}
  pipelines: {{ traces: {{ receivers: [otlp], exporters: [otlp_http] }} }}
",
            backend.address
        ),
    );
    let limited = format!("ulimit -n {FILES}; exec \"$0\" --config \"$1\"");
    let mut command = Command::new("sh");
    command.arg("-c").arg(limited).arg(env!("CARGO_BIN_EXE_dragoman")).arg(&config).env("NO_COLOR", "1");
    let mut dragoman = Dragoman::run(&mut command);

    // Connections until there is not one descriptor left; the kernel accepts more on its own.
    let mut connections: Vec<TcpStream> = (0..2 * FILES).map(|_| TcpStream::connect(dragoman.http).unwrap()).collect();
    let began = Instant::now();
    while open_files(&dragoman.process) < FILES as usize {
        assert!(began.elapsed() < Duration::from_secs(60), "{} files are open", open_files(&dragoman.process));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Who is connected is served, though no connection to the backend can be opened now.
    let body = sample(Signal::Traces);
    let mut taken = 0;
    for stream in connections.iter_mut().take(5) {
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        assert_eq!(post(stream, &body), "200");
        taken += 1;
    }
    dragoman.process.wait_for("a word about it", |log| log.contains("Too many open files").then_some(()));
    assert!(backend.seen.try_recv().is_err(), "there was a descriptor left");

    // Some of them go: everything arrives, and new clients are served.
    connections.truncate(5);
    for _ in 0..taken {
        let seen = tokio::time::timeout(Duration::from_secs(60), backend.next()).await.expect("it never arrived");
        assert_eq!(seen.body, body);
    }
    let mut again = TcpStream::connect(dragoman.http).unwrap();
    again.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    assert_eq!(post(&mut again, &body), "200");
    drop(backend.next().await);
    let page = get(dragoman.own_metrics, "/metrics").unwrap().text();
    let sum = |name: &str| -> u64 {
        let lines =
            page.lines().filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() as u64).sum()
    };
    assert_eq!(sum("otelcol_receiver_accepted_spans_total"), 2 * (taken + 1));
    assert_eq!(sum("otelcol_exporter_send_failed_spans_total"), 0, "{page}");
    drop((connections, again));
    assert_eq!(dragoman.process.terminate(), Some(0), "{}", dragoman.process.log());
    println!("{taken} requests taken without a descriptor left, {taken} arrived");
}
