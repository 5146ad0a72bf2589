//! A hostile backend: answers without end, and words that would speak in the log. CVE-2026-39882,
//! CVE-2026-40182, CVE-2026-40891 and CVE-2026-44967 are exporters that read all of such an answer.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use dragoman::otlp::Signal;

use crate::client::sample;
use crate::rig::{MIB, Setup, Target, flood, value};

/// The most that an exporter's reading makes the process hold: an answer of 4 MiB (OTLP 1.11) in a
/// buffer that grew by doubling, and the windows of a connection.
const MOST_GROWN: u64 = 20 * MIB;

/// The most that an endless answer is listened to.
const MOST_TAKEN: u64 = 64 * MIB;

/// A backend that treats each connection so; it ends with the test.
fn backend(treat: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let treat = std::sync::Arc::new(treat);
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let treat = treat.clone();
            std::thread::spawn(move || treat(stream));
        }
    });
    address
}

/// Reads a request's head, and what comes with it.
fn head(stream: &mut TcpStream) {
    let mut chunk = [0; 65536];
    drop(stream.read(&mut chunk));
}

fn exporting(kind: &str, to: SocketAddr, log_level: &'static str) -> Target {
    let exporter = format!(
        "{kind}: {{ endpoint: \"http://{to}\", tls: {{ insecure: true }}, compression: none, timeout: 5s, \
         retry_on_failure: {{ initial_interval: 50ms, max_interval: 50ms, max_elapsed_time: 300ms }} }}"
    );
    Target::start(Setup { exporter: &exporter, exporters: kind, log_level, ..Setup::default() })
}

/// Sends two log records; the books say when the exporter is done with them.
fn export(target: &Target) -> String {
    let answer = target.post("/v1/logs", "application/x-protobuf", &[], &sample(Signal::Logs));
    assert_eq!(answer.status, 200);
    target.page_when(target.dragoman.own_metrics, "an end of the batch", |page| {
        let lost = ["otelcol_exporter_send_failed_log_records", "otlp"];
        let sent = ["otelcol_exporter_sent_log_records", "otlp"];
        value(page, &lost) + value(page, &sent) == 2.0
    })
}

/// An answer that goes on: the beginning, and what then comes again and again.
fn endless(beginning: &'static [u8], again: Vec<u8>) -> (SocketAddr, std::sync::mpsc::Receiver<u64>) {
    let (taken, given) = std::sync::mpsc::sync_channel(16);
    let address = backend(move |mut stream| {
        head(&mut stream);
        drop(stream.write_all(beginning));
        taken.try_send(flood(&mut stream, &again, 4 * MOST_TAKEN)).ok();
    });
    (address, given)
}

#[test]
fn an_answer_without_an_end_is_not_read_to_it() {
    let chunk = [&b"10000\r\n"[..], &[b'x'; 0x10000], b"\r\n"].concat();
    let lines = b"x-again: and again and again and again and again\r\n".repeat(1000);
    let answers: [(&[u8], Vec<u8>); 5] = [
        (
            b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ntransfer-encoding: chunked\r\n\r\n",
            chunk.clone(),
        ),
        (
            b"HTTP/1.1 400 Bad\r\ncontent-type: application/x-protobuf\r\ntransfer-encoding: chunked\r\n\r\n",
            chunk.clone(),
        ),
        (b"HTTP/1.1 503 No\r\nretry-after: 99999999999999999999\r\ntransfer-encoding: chunked\r\n\r\n", chunk),
        (b"HTTP/1.1 200 OK\r\n", lines.clone()),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551615\r\n\r\n", lines),
    ];
    for (beginning, again) in answers {
        let (address, taken) = endless(beginning, again);
        let target = exporting("otlp_http", address, "info");
        let page = export(&target);
        let what = String::from_utf8_lossy(beginning);
        assert_eq!(value(&page, &["otelcol_exporter_sent_log_records", "otlp"]), 0.0, "{what}: {page}");
        let taken = taken.recv_timeout(crate::rig::PATIENCE).unwrap();
        assert!(taken < MOST_TAKEN, "{taken} bytes were taken of {what}");
        target.assert_grown_less_than(MOST_GROWN, &what);
        target.assert_serves();
    }
}

/// The same in HTTP/2's frames: data, head, and a head that never ends.
#[test]
fn a_grpc_answer_without_an_end_is_not_read_to_it() {
    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
    };
    // `:status: 200` is entry 8 of the static table.
    let field = [&[0, 1, b'x', 100][..], &[b'y'; 100]].concat();
    let data = frame(0, 0, 1, &[0; 16384]);
    let continuation = frame(9, 0, 1, &field.repeat(100));
    for (what, flags, again) in [("data", 4, data), ("continuations", 0, continuation)] {
        let beginning = [frame(4, 0, 0, &[]), frame(4, 1, 0, &[]), frame(1, flags, 1, &[0x88])].concat();
        let (address, taken) = endless(beginning.leak(), again);
        let target = exporting("otlp_grpc", address, "info");
        let page = export(&target);
        assert_eq!(value(&page, &["otelcol_exporter_sent_log_records", "otlp"]), 0.0, "{what}: {page}");
        let taken = taken.recv_timeout(crate::rig::PATIENCE).unwrap();
        // Data for a call that was given up is passed over, and the connection goes on for others.
        assert!(what == "data" || taken < MOST_TAKEN, "{taken} bytes of {what} were taken");
        target.assert_grown_less_than(MOST_GROWN, what);
        target.assert_serves();
    }
}

/// What a backend says goes into the log, on one line and cut.
#[test]
fn words_of_a_backend_do_not_speak_in_the_log() {
    use prost::Message;
    let hostile = format!("a\nINJECTED\r\x1b[2J\0\u{202e}{}", "z".repeat(100_000));
    let status = dragoman::otlp::status::Status { code: 3, message: hostile, details: Vec::new() }.encode_to_vec();
    let answer = [
        format!(
            "HTTP/1.1 400 INJ\tECTED\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
            status.len()
        )
        .into_bytes(),
        status,
    ]
    .concat();
    let address = backend(move |mut stream| {
        head(&mut stream);
        drop(stream.write_all(&answer));
    });
    let mut target = exporting("otlp_http", address, "debug");
    export(&target);
    let log = target.dragoman.process.log();
    target.dragoman.process.terminate();
    assert!(log.contains("INJECTED"), "its words are in the log:\n{log}");
    for line in log.lines() {
        assert!(!line.starts_with("INJECTED") && !line.chars().any(char::is_control), "{line:?}");
        assert!(!line.contains('\u{202e}') && line.len() < 4096, "{line:?}");
    }
}
