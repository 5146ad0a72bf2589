//! Heads of requests: too many lines, too long, and two that disagree about where a body ends.

use std::io::Write;

use dragoman::otlp::Signal;

use crate::client::sample;
use crate::rig::{MIB, Setup, Target, flood, rest, wait};

const HEAD: &str = "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n";

/// A client that says no more is left soon.
const SHORT: &str = "read_header_timeout: 500ms, read_timeout: 500ms, idle_timeout: 500ms";

/// The status lines of all answers until the server closes.
fn answers(target: &Target, request: &[u8]) -> Vec<String> {
    let mut stream = target.connect(target.dragoman.http);
    // The server may close before all is written.
    drop(stream.write_all(request));
    let all = String::from_utf8_lossy(&rest(&mut stream)).into_owned();
    all.split("HTTP/1.1 ").skip(1).map(|answer| answer[..3].to_owned()).collect()
}

/// It is answered so. A client that a busy machine holds up is left as well, so it is sent until it was in
/// time.
#[track_caller]
fn assert_answered(target: &Target, request: &[u8], expected: &[&str]) {
    let mut came = Vec::new();
    let is_so = wait(|| {
        came = answers(target, request);
        came == expected
    });
    assert!(is_so, "{came:?} to {:.200}", String::from_utf8_lossy(request));
}

#[test]
fn heads_that_are_too_long_or_too_many_lines_are_refused() {
    let target = Target::start(Setup { protocols: SHORT, ..Setup::default() });
    let lines = |count: usize| (0..count).map(|line| format!("x-{line}: y\r\n")).collect::<String>();
    let one = |length: usize| format!("baggage: {}\r\n", "k=v,".repeat(length / 4));
    for (extra, status) in [
        (lines(50), "200"),
        (lines(10_000), "431"),
        (one(32 << 10), "200"),
        (one(1 << 20), "431"),
        (format!("{}: y\r\n", "x".repeat(1 << 20)), "431"),
    ] {
        let request = format!("{HEAD}Content-Length: 0\r\n{extra}\r\n");
        if status == "200" {
            assert_answered(&target, request.as_bytes(), &[status]);
            continue;
        }
        let came = answers(&target, request.as_bytes());
        assert!(came == [status] || came.is_empty(), "{came:?} to {:.60}", extra);
    }
    // A target of its own megabyte.
    let request = format!("POST /{} HTTP/1.1\r\nHost: x\r\n\r\n", "v".repeat(1 << 20));
    let came = answers(&target, request.as_bytes());
    assert!(came.is_empty() || came == ["414"] || came == ["431"], "{came:?}");
    target.assert_serves();
}

#[test]
fn a_head_without_an_end_is_cut_off_early() {
    let target = Target::start(Setup::default());
    for address in target.receivers() {
        for start in ["POST /", "POST /v1/traces HTTP/1.1\r\nx: ", "POST /v1/traces HTTP/1.1\r\n"] {
            let mut stream = target.connect(address);
            stream.write_all(start.as_bytes()).unwrap();
            let chunk = if start.ends_with('\n') { "x: y\r\n".repeat(1000) } else { "x".repeat(6000) };
            let written = flood(&mut stream, chunk.as_bytes(), 256 * MIB);
            assert!(written < 64 * MIB, "{written} bytes of a head were taken");
        }
    }
    target.assert_grown_less_than(10 * MIB, "heads without an end");
    target.assert_serves();
}

/// CVE-2026-29181 and its like: what other programs parse at some cost is passed over here, and
/// bounded.
#[test]
fn context_headers_cost_nothing() {
    let target = Target::start(Setup::default());
    let body = sample(Signal::Traces);
    let baggage = "k=v;p=q,".repeat(7000);
    let state = "a@b=c,".repeat(9000);
    for (name, value) in [
        ("baggage", baggage.as_str()),
        ("tracestate", &state),
        ("traceparent", "00-ffffffffffffffffffffffffffffffff-ffffffffffffffff-ff"),
        ("cookie", &state),
        ("forwarded", &baggage),
        ("authorization", &state),
    ] {
        for _ in 0..20 {
            assert_eq!(
                target.post("/v1/traces", "application/x-protobuf", &[(name, value)], &body).status,
                200,
                "{name}"
            );
        }
    }
    target.assert_grown_less_than(10 * MIB, "context headers");
}

/// Request smuggling: where a proxy in front sees another end of a body, what follows would be
/// somebody else's request. After such a head nothing more is read from its connection.
#[test]
fn a_body_with_two_ends_is_the_last_of_its_connection() {
    let target = Target::start(Setup { protocols: SHORT, ..Setup::default() });
    let hidden = format!("{HEAD}Connection: close\r\nContent-Length: 0\r\n\r\n");
    let two = |lines: &str, body: &str| format!("{HEAD}{lines}\r\n{body}{hidden}");
    let chunked = "0\r\n\r\n";
    for (lines, body) in [
        ("Content-Length: 0\r\nContent-Length: 5\r\n", ""),
        ("Content-Length: 0, 5\r\n", ""),
        ("Content-Length: +5\r\n", "abcde"),
        ("Content-Length: 0x5\r\n", "abcde"),
        ("Content-Length: -1\r\n", ""),
        ("Content-Length: 99999999999999999999999\r\n", ""),
        ("Content-Length : 0\r\n", ""),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", chunked),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", chunked),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", chunked),
        ("Transfer-Encoding: chunked, identity\r\n", chunked),
        ("Transfer-Encoding: gzip\r\n", chunked),
        ("Transfer-Encoding: xchunked\r\n", chunked),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding : x\r\n", chunked),
        ("Transfer-Encoding: chunked\r\n", "1;a=b\r\nx\r\n-0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "0x0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "10000000000000000\r\n"),
        ("Transfer-Encoding:\x0bchunked\r\n", chunked),
        ("X: a\r\n b\r\nContent-Length: 0\r\n", ""),
        ("X: a\rTransfer-Encoding: chunked\r\n", chunked),
        ("X: a\0b\r\nContent-Length: 0\r\n", ""),
    ] {
        let came = answers(&target, two(lines, body).as_bytes());
        assert!(came.len() <= 1, "{came:?} to {lines:?}");
    }
    // HTTP/1.0 knows no chunks.
    let request = two("Transfer-Encoding: chunked\r\n", chunked).replacen("HTTP/1.1", "HTTP/1.0", 1);
    assert!(answers(&target, request.as_bytes()).len() <= 1);
    // And two honest requests are two.
    assert_answered(&target, two("Content-Length: 0\r\n", "").as_bytes(), &["200", "200"]);
    assert_answered(&target, two("Transfer-Encoding: chunked\r\n", chunked).as_bytes(), &["200", "200"]);
    target.assert_serves();
}
