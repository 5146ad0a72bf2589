//! Peers that take their time: they are cut off, and others are served meanwhile.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use dragoman::otlp::Signal;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric, number_data_point,
};
use prost::Message;

use crate::client::sample;
use crate::process::get;
use crate::rig::{MIB, PATIENCE, Setup, Target, rest, value, wait};

const SHORT: &str = "read_header_timeout: 300ms, read_timeout: 300ms, idle_timeout: 300ms";

/// As [`SHORT`] for bodies only: a head that a busy machine holds up is not what is tried.
const SHORT_BODIES: &str = "read_header_timeout: 1h, read_timeout: 300ms, idle_timeout: 1h";

const HEAD: &str = "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n";

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Sends a byte now and then, far faster than any timeout of one read, until it is cut off.
fn trickle(mut stream: TcpStream, bytes: impl Iterator<Item = u8>) {
    let began = std::time::Instant::now();
    for byte in bytes {
        assert!(began.elapsed() < PATIENCE, "it may trickle for ever");
        if stream.write_all(&[byte]).is_err() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    unreachable!("what trickles has no end");
}

#[test]
fn a_head_that_trickles_is_cut_off() {
    let target = Target::start(Setup { protocols: SHORT, ..Setup::default() });
    std::thread::scope(|scope| {
        for address in target.receivers() {
            let (first, second, third) = (target.connect(address), target.connect(address), target.connect(address));
            scope.spawn(|| trickle(first, HEAD.bytes().chain(std::iter::repeat(b'x'))));
            // Whole header lines, each of them in time.
            scope.spawn(|| trickle(second, HEAD.bytes().chain("a: b\r\n".bytes().cycle())));
            scope.spawn(|| trickle(third, PREFACE[..20].iter().copied().chain(std::iter::repeat(b'\r'))));
        }
        target.assert_serves();
    });
}

#[test]
fn a_body_that_trickles_is_refused() {
    let target = Target::start(Setup { protocols: SHORT_BODIES, ..Setup::default() });
    let heads = [format!("{HEAD}Content-Length: 100000\r\n\r\n"), format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n")];
    std::thread::scope(|scope| {
        for head in heads {
            let mut stream = target.connect(target.dragoman.http);
            let mut answer = stream.try_clone().unwrap();
            stream.write_all(head.as_bytes()).unwrap();
            let body = if head.contains("chunked") { &b"1\r\nx\r\n"[..] } else { b"x" };
            scope.spawn(move || trickle(stream, body.iter().copied().cycle()));
            let answer = String::from_utf8_lossy(&rest(&mut answer)).into_owned();
            assert!(answer.starts_with("HTTP/1.1 503 ") || answer.is_empty(), "{answer}");
        }
    });
    let page = target.own_metrics();
    assert_eq!(value(&page, &["refused_requests", "timeout"]), 2.0, "{page}");
    target.assert_serves();
}

/// The one who asks and does not read the answers: what is written for him is bounded, and he goes.
#[test]
fn a_client_that_reads_no_answers_is_cut_off() {
    let target = Target::start(Setup { protocols: SHORT, ..Setup::default() });
    let mut stream = target.connect(target.dragoman.http);
    let refused = format!("POST /{} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "x".repeat(100)).repeat(100);
    let began = std::time::Instant::now();
    while stream.write_all(refused.as_bytes()).is_ok() {
        assert!(began.elapsed() < PATIENCE, "answers may pile up for ever");
    }
    target.assert_grown_less_than(30 * MIB, "answers that nobody reads");
    target.assert_serves();
}

/// The same on a page of metrics, which is larger than a socket's buffers.
#[test]
fn a_scraper_that_does_not_read_the_page_holds_up_nobody() {
    let target = Target::start(Setup::default());
    let mut scrapers: Vec<TcpStream> = (0..40).map(|_| target.connect(target.dragoman.own_metrics)).collect();
    for scraper in &mut scrapers {
        let requests = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n".repeat(50);
        scraper.write_all(requests.as_bytes()).unwrap();
    }
    for _ in 0..5 {
        assert_eq!(get(target.dragoman.own_metrics, "/metrics").unwrap().status, 200);
        target.assert_serves();
    }
    target.assert_grown_less_than(30 * MIB, "pages that nobody reads");
}

/// Gauges that make a page of some eight megabytes.
fn eight_megabytes() -> Vec<u8> {
    let text = |value: String| Some(AnyValue { value: Some(any_value::Value::StringValue(value)) });
    let attribute = |key: String, value| KeyValue { key, value: text(value), ..KeyValue::default() };
    let point = |number: usize| NumberDataPoint {
        attributes: (0..8).map(|key| attribute(format!("key_{key}"), format!("{number:01000}"))).collect(),
        time_unix_nano: 1,
        value: Some(number_data_point::Value::AsInt(1)),
        ..NumberDataPoint::default()
    };
    let gauge = Gauge { data_points: (0..1000).map(point).collect() };
    let metric = Metric { name: "large".into(), data: Some(metric::Data::Gauge(gauge)), ..Metric::default() };
    let scope_metrics = vec![ScopeMetrics { metrics: vec![metric], ..ScopeMetrics::default() }];
    let resource_metrics = vec![ResourceMetrics { scope_metrics, ..ResourceMetrics::default() }];
    ExportMetricsServiceRequest { resource_metrics }.encode_to_vec()
}

/// The same on a page that no socket's buffers hold: who stands still makes room for who reads, and the
/// program does not hold a page for each.
#[test]
fn large_pages_that_nobody_reads_are_few() {
    let target = Target::start(Setup::default());
    let body = eight_megabytes();
    assert_eq!(target.post("/v1/metrics", "application/x-protobuf", &[], &body).status, 200);
    let prometheus = target.dragoman.prometheus.unwrap();
    let page = get(prometheus, "/metrics").unwrap().body.len() as u64;
    assert!(page > 8_000_000, "a page of {page} bytes");
    let held = target.grown();
    let mut scrapers: Vec<TcpStream> = (0..12).map(|_| target.connect(prometheus)).collect();
    for scraper in &mut scrapers {
        scraper.write_all("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n".repeat(3).as_bytes()).unwrap();
    }
    target.page_when(target.dragoman.own_metrics, "made room", |page| {
        value(page, &["dragoman_scrapes_cut_off_total"]) >= 1.0
    });
    // Who reads gets a whole page; on a machine so busy that he stands still as well, the next time.
    let is_whole =
        || get(prometheus, "/metrics").is_ok_and(|answer| answer.status == 200 && answer.body.len() as u64 == page);
    assert!(wait(is_whole), "nobody gets a whole page");
    target.assert_serves();
    // Four unread ones, and the one that is written, with what it is written from.
    target.assert_grown_less_than(held + 7 * page, "large pages that nobody reads");
}

/// Connections beyond the cap wait; those that say nothing make room in time.
#[test]
fn silent_connections_fill_the_cap_and_make_room() {
    let protocols = format!("{SHORT}, max_connections: 8");
    let target = Target::start(Setup { protocols: &protocols, ..Setup::default() });
    for address in target.receivers() {
        let mut silent: Vec<TcpStream> = (0..40).map(|_| target.connect(address)).collect();
        if address == target.dragoman.http {
            // Behind all of them.
            let body = sample(Signal::Traces);
            assert_eq!(target.post("/v1/traces", "application/x-protobuf", &[], &body).status, 200);
        }
        // Every one of them is told that it is over.
        silent.iter_mut().for_each(|stream| assert!(rest(stream).is_empty()));
    }
}

/// As many half-open connections as a hostile peer in the pod can have: each costs little.
#[test]
fn half_open_connections_cost_little() {
    let target = Target::start(Setup { protocols: "max_connections: 100", ..Setup::default() });
    let mut streams = Vec::new();
    for address in target.receivers() {
        for _ in 0..100 {
            let mut stream = target.connect(address);
            stream.write_all(HEAD.as_bytes()).unwrap();
            streams.push(stream);
        }
    }
    // None of these is accepted, and none is an error.
    for address in target.receivers() {
        streams.extend((0..50).map(|_| target.connect(address)));
    }
    assert_eq!(get(target.dragoman.health, "/").unwrap().status, 200);
    assert!(wait(|| sockets(&target) >= 200), "{} connections were accepted", sockets(&target));
    // The health endpoint's and the receivers' listeners beside them.
    assert!(sockets(&target) < 215, "{} connections", sockets(&target));
    let each = target.grown() / 200;
    assert!(each < 100 << 10, "{each} bytes a connection");
}

/// How many sockets the process holds.
fn sockets(target: &Target) -> usize {
    let folder = format!("/proc/{}/fd", target.dragoman.process.pid());
    let links = std::fs::read_dir(folder).unwrap().filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
    links.filter(|link| link.to_string_lossy().starts_with("socket:")).count()
}

/// A refused body is listened to for some time, so that its sender reads the answer; not for ever.
#[test]
fn a_refused_body_that_goes_on_is_cut_off() {
    let target = Target::start(Setup { protocols: SHORT_BODIES, ..Setup::default() });
    let mut stream = target.connect(target.dragoman.http);
    stream.write_all(format!("{HEAD}Content-Length: 99999999\r\n\r\n").as_bytes()).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    trickle(stream, std::iter::repeat(b'x'));
    target.assert_serves();
}
