//! Clients that are slow, broken or malicious, byte by byte over TCP.

use std::net::SocketAddr;
use std::time::Duration;

use dragoman::otlp::Signal;
use dragoman::otlp::answer::{Reason, Refusal};
use dragoman::receiver::settings::Connection;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{LIMIT, Mode, Server, sample, start, start_with};

const SHORT: Duration = Duration::from_millis(50);

async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

fn head(lines: &str) -> Vec<u8> {
    let head = "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n";
    format!("{head}{lines}\r\n").into_bytes()
}

/// Everything until the server closes.
async fn rest(mut stream: TcpStream) -> String {
    let mut all = Vec::new();
    // A reset ends it as well as a close does.
    #[allow(clippy::disallowed_methods, reason = "the peer is the receiver under test")]
    drop(stream.read_to_end(&mut all).await);
    String::from_utf8_lossy(&all).into_owned()
}

/// As many answers as are asked for, by their status lines.
async fn answers(stream: &mut TcpStream, count: usize) -> Vec<String> {
    let mut all = String::new();
    let mut chunk = [0; 4096];
    while all.matches("HTTP/1.1 ").count() < count || !all.contains("\r\n\r\n") {
        let read = stream.read(&mut chunk).await.unwrap();
        assert!(read > 0, "closed after {all}");
        all.push_str(&String::from_utf8_lossy(&chunk[..read]));
    }
    all.split("HTTP/1.1 ").skip(1).map(|answer| answer[..3].to_owned()).collect()
}

async fn with(connection: Connection) -> Server {
    start_with(connection, Duration::from_secs(60)).await
}

#[tokio::test]
async fn a_chunked_body_is_taken() {
    let server = start().await;
    let mut stream = connect(server.http).await;
    let body = sample(Signal::Traces);
    let mut request = head("Transfer-Encoding: chunked\r\n");
    for chunk in body.chunks(3) {
        request.extend(format!("{:x}\r\n", chunk.len()).bytes());
        request.extend(chunk);
        request.extend(b"\r\n");
    }
    request.extend(b"0\r\n\r\n");
    stream.write_all(&request).await.unwrap();
    assert_eq!(answers(&mut stream, 1).await, ["200"]);
    assert_eq!(server.recorder.taken(), [(Signal::Traces, body)]);
}

#[tokio::test]
async fn a_chunked_body_over_the_limit_is_refused_while_it_comes() {
    let server = start().await;
    let mut stream = connect(server.http).await;
    stream.write_all(&head("Transfer-Encoding: chunked\r\n")).await.unwrap();
    let chunk = [b"10000\r\n".to_vec(), vec![0; 0x10000], b"\r\n".to_vec()].concat();
    for _ in 0..=LIMIT / 0x10000 {
        stream.write_all(&chunk).await.unwrap();
    }
    // The body has no end yet.
    assert_eq!(answers(&mut stream, 1).await, ["413"]);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order_on_one_connection() {
    let server = start().await;
    let mut stream = connect(server.http).await;
    let body = sample(Signal::Traces);
    let mut requests = Vec::new();
    for length in [body.len(), 2, body.len()] {
        requests.extend(head(&format!("Content-Length: {length}\r\n")));
        requests.extend(&body[..length]);
    }
    stream.write_all(&requests).await.unwrap();
    assert_eq!(answers(&mut stream, 3).await, ["200", "400", "200"]);
    assert_eq!(server.recorder.taken().len(), 2);
}

#[tokio::test]
async fn an_announced_length_over_the_limit_is_refused_before_the_body_comes() {
    let server = start().await;
    let mut stream = connect(server.http).await;
    stream.write_all(&head(&format!("Content-Length: {}\r\n", LIMIT + 1))).await.unwrap();
    assert_eq!(answers(&mut stream, 1).await, ["413"]);
}

#[tokio::test]
async fn a_client_that_sends_all_of_a_refused_body_first_still_gets_its_answer() {
    let server = start().await;
    let mut stream = connect(server.http).await;
    let length = 16 * LIMIT;
    stream.write_all(&head(&format!("Content-Length: {length}\r\n"))).await.unwrap();
    // Far more than the sockets' buffers hold.
    stream.write_all(&vec![0; length]).await.unwrap();
    assert_eq!(answers(&mut stream, 1).await, ["413"]);
}

#[tokio::test]
async fn an_overload_is_answered_before_the_body_comes() {
    let server = start().await;
    server.recorder.set(Mode::RefuseEarly(Refusal::new(Reason::MemoryLimit, "no memory is left")));
    let mut stream = connect(server.http).await;
    stream.write_all(&head("Content-Length: 1000\r\n")).await.unwrap();
    assert_eq!(answers(&mut stream, 1).await, ["503"]);
}

#[tokio::test]
async fn a_request_without_a_host_or_with_two_is_malformed() {
    let server = start().await;
    for hosts in ["", "Host: a\r\nHost: b\r\n"] {
        let mut stream = connect(server.http).await;
        let request = format!("POST /v1/traces HTTP/1.1\r\n{hosts}Content-Type: application/x-protobuf\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        assert_eq!(answers(&mut stream, 1).await, ["400"], "{hosts:?}");
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_taken() {
    let server = start().await;
    let mut stream = connect(server.http).await;
    let body = sample(Signal::Traces);
    stream.write_all(&head("Content-Length: 10000\r\n")).await.unwrap();
    stream.write_all(&body).await.unwrap();
    stream.shutdown().await.unwrap();
    drop(rest(stream).await);
    assert!(server.recorder.taken().is_empty());
}

#[tokio::test]
async fn a_head_that_is_not_http_or_too_long_is_refused_and_the_next_connection_is_served() {
    let server = start().await;
    let long = head(&format!("X: {}\r\n", "x".repeat(100_000)));
    for request in [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(), b"GET\r\n\r\n".to_vec(), long] {
        for address in [server.http, server.grpc] {
            let mut stream = connect(address).await;
            // The server may close before all is written.
            drop(stream.write_all(&request).await);
            let answer = rest(stream).await;
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
        }
    }
    a_chunked_body_is_taken_by(&server).await;
}

async fn a_chunked_body_is_taken_by(server: &Server) {
    let mut stream = connect(server.http).await;
    stream.write_all(&head("Transfer-Encoding: chunked\r\n")).await.unwrap();
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    assert_eq!(answers(&mut stream, 1).await, ["200"]);
}

#[tokio::test]
async fn a_head_that_does_not_come_ends_the_connection() {
    let server = with(Connection { header_timeout: SHORT, ..Connection::default() }).await;
    for begun in ["", "POST /v1/tr", "PRI * HTTP/2"] {
        for address in [server.http, server.grpc] {
            let mut stream = connect(address).await;
            stream.write_all(begun.as_bytes()).await.unwrap();
            // Returns only if the server closes.
            drop(rest(stream).await);
        }
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_may_be_sent_again() {
    let server = with(Connection { body_timeout: SHORT, ..Connection::default() }).await;
    let mut stream = connect(server.http).await;
    stream.write_all(&head("Content-Length: 1000\r\n")).await.unwrap();
    let answer = rest(stream).await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert_eq!(server.recorder.books()[0].2, Some(Reason::Timeout));
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let server = with(Connection { header_timeout: SHORT, idle_timeout: SHORT, ..Connection::default() }).await;
    let mut stream = connect(server.http).await;
    stream.write_all(&head("Content-Length: 0\r\n")).await.unwrap();
    let answer = rest(stream).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    // HTTP/2: preface, settings, and then nothing but pings.
    let mut stream = connect(server.grpc).await;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00").await.unwrap();
    drop(rest(stream).await);
}
