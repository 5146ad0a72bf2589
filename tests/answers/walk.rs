//! Every row in every way that it can be sent.

use std::io::Write;

use bytes::Bytes;
use dragoman::otlp::Signal;
use dragoman::otlp::response::ExportResponse;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans};
use prost::Message;

use crate::client::{Answer, grpc_status, sample, status};
use crate::sending::{Asked, Sending, http1, http2};
use crate::standing::{LIMIT, Standing, Target};
use crate::table::{Expected, ROWS, Row, Sent};

pub(crate) const PROTOBUF: &str = "application/x-protobuf";
pub(crate) const JSON: &str = "application/json";

/// How a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Grpc,
    /// HTTP, its version, and the encoding.
    Http(u8, &'static str),
}

const WAYS: [Way; 5] =
    [Way::Grpc, Way::Http(1, PROTOBUF), Way::Http(1, JSON), Way::Http(2, PROTOBUF), Way::Http(2, JSON)];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_is_answered_as_the_specification_says() {
    let mut answers = 0;
    let mut failures = 0;
    for standing in Standing::ALL {
        let rows: Vec<&Row> = ROWS.iter().filter(|row| row.standing == standing).collect();
        assert!(!rows.is_empty(), "{standing:?} is in no row");
        if !standing.is_known() {
            println!("{standing:?}: not in this version");
            continue;
        }
        for signal in Signal::ALL {
            let mut target = Target::start(standing, signal).await;
            for row in &rows {
                for way in WAYS {
                    let (answer, failure) = walk(&mut target, row, way, signal).await;
                    answers += usize::from(answer);
                    failures += usize::from(failure);
                }
            }
            assert!(target.delivered_nothing(), "a refused request was sent on: {standing:?} {signal}");
        }
    }
    println!("{answers} answers to {} rows, {failures} of them wrong", ROWS.len());
    assert_eq!(failures, 0, "each is shown above");
    assert!(answers > 500, "rows are left out: {answers}");
}

/// Sends one row in one way. Whether it can be sent so, and whether the answer is wrong.
async fn walk(target: &mut Target, row: &Row, way: Way, signal: Signal) -> (bool, bool) {
    let expected = match way {
        Way::Grpc => row.grpc,
        Way::Http(..) => row.http,
    };
    let Some(expected) = expected else { return (false, false) };
    let Some(asked) = request(row.sent, way, signal) else { return (false, false) };
    let case = format!("{}: {signal} over {way:?}", row.case);
    let before = if row.reason.is_empty() { 0 } else { target.refused(row.reason).await };
    let answer = match way {
        Way::Grpc => http2(target.grpc, asked.clone()).await,
        Way::Http(1, _) => http1(target.http, asked.clone()).await,
        Way::Http(..) => http2(target.http, asked.clone()).await,
    };
    let answer = answer.unwrap_or_else(|| panic!("{case}: no answer"));
    // All wrong answers are of interest, not only the first.
    let right = std::panic::catch_unwind(|| match way {
        Way::Grpc => check_grpc(&case, &answer, expected),
        Way::Http(_, format) => check_http(&case, row, &answer, expected, format),
    });
    if right.is_err() {
        return (true, true);
    }
    if expected == Expected::Success {
        delivered(target, row.sent, signal, &case).await;
    }
    if !row.reason.is_empty() {
        assert_eq!(target.refused(row.reason).await, before + 1, "{case}: not counted as {}", row.reason);
    }
    (true, false)
}

/// What was taken is at the backend, and is what was sent.
async fn delivered(target: &mut Target, sent: Sent, signal: Signal, case: &str) {
    match sent {
        // There is nothing to send.
        Sent::Empty => assert!(target.delivered_nothing(), "{case}"),
        Sent::NoItems => {
            if let Ok(seen) = tokio::time::timeout(std::time::Duration::ZERO, target.delivered()).await {
                assert_eq!(dragoman::otlp::check::count(signal, &seen.body), 0, "{case}");
            }
        }
        _ => {
            let seen = target.delivered().await;
            assert_eq!(seen.path, signal.grpc_path(), "{case}");
            assert_eq!(decoded(signal, &seen.body), decoded(signal, &sample(signal)), "{case}");
        }
    }
}

/// A message as prost shows it.
fn decoded(signal: Signal, wire: &[u8]) -> String {
    match signal {
        Signal::Traces => format!("{:?}", ExportTraceServiceRequest::decode(wire).unwrap()),
        Signal::Metrics => format!("{:?}", ExportMetricsServiceRequest::decode(wire).unwrap()),
        Signal::Logs => format!("{:?}", ExportLogsServiceRequest::decode(wire).unwrap()),
    }
}

fn check_grpc(case: &str, answer: &Answer, expected: Expected) {
    assert_eq!(answer.status, 200, "{case}: {answer:?}");
    assert_eq!(answer.header("content-type"), "application/grpc", "{case}");
    assert_eq!(answer.header("grpc-accept-encoding"), "gzip, deflate, zstd", "{case}");
    if expected == Expected::Success {
        assert_eq!(answer.header("grpc-status"), "0", "{case}: {answer:?}");
        let (prefix, message) = answer.body.split_at(5);
        assert_eq!((prefix[0], prefix[1..].to_vec()), (0, (message.len() as u32).to_be_bytes().to_vec()), "{case}");
        assert_eq!(ExportResponse::decode(message).unwrap().partial_success, None, "{case}");
        return;
    }
    let (code, message, delay) = grpc_status(answer);
    assert!(!message.is_empty() && answer.body.is_empty(), "{case}: {answer:?}");
    match expected {
        Expected::Final(wanted) => {
            assert_eq!((code, delay), (wanted.into(), None), "{case}: {message}");
            // Without details at all: a client must not find a delay in there.
            assert_eq!(answer.header("grpc-status-details-bin"), "", "{case}");
        }
        Expected::Later(wanted) => {
            assert_eq!(code, i64::from(wanted), "{case}: {message}");
            assert!(delay.is_some_and(|delay| !delay.is_zero()), "{case}: {message}");
        }
        Expected::Success => panic!("{case}: {answer:?}"),
    }
}

fn check_http(case: &str, row: &Row, answer: &Answer, expected: Expected, format: &str) {
    // Nobody is sent what it did not ask for; an answer in plain is always allowed.
    assert_eq!(answer.header("content-encoding"), "", "{case}");
    if expected == Expected::Success {
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, format), "{case}: {answer:?}");
        match format {
            JSON => assert_eq!(answer.body, "{}", "{case}"),
            _ => assert_eq!(ExportResponse::decode(answer.body.clone()).unwrap().partial_success, None, "{case}"),
        }
        return;
    }
    // In the encoding of the request, and in one that people can read if that is unknown.
    let format = if matches!(row.sent, Sent::MediaType(_)) { JSON } else { format };
    assert_eq!(answer.header("content-type"), format, "{case}: {answer:?}");
    let (code, message, delay) = status(answer);
    assert_eq!(code, i64::from(row.code), "{case}: {message}");
    assert!(!message.is_empty(), "{case}");
    let retry_after = answer.header("retry-after");
    match expected {
        Expected::Final(wanted) => {
            assert_eq!((answer.status.as_u16(), delay, retry_after), (wanted, None, ""), "{case}: {message}");
        }
        Expected::Later(wanted) => {
            assert_eq!(answer.status, wanted, "{case}: {message}");
            let seconds: u64 = retry_after.parse().unwrap_or_else(|_| panic!("{case}: Retry-After {retry_after:?}"));
            assert_eq!(delay, Some(format!("{seconds}s")), "{case}");
        }
        Expected::Success => panic!("{case}: {answer:?}"),
    }
    // RFC 9110, sections 15.5.6 and 15.5.16.
    assert_eq!(answer.header("allow"), if answer.status == 405 { "POST" } else { "" }, "{case}");
    let accepted = if answer.status == 415 { "gzip, deflate, zstd" } else { "" };
    assert_eq!(answer.header("accept-encoding"), accepted, "{case}");
}

/// A request without an item.
fn no_items(signal: Signal) -> Vec<u8> {
    match signal {
        Signal::Traces => {
            let scope_spans = vec![ScopeSpans::default()];
            let resource = ResourceSpans { scope_spans, ..ResourceSpans::default() };
            ExportTraceServiceRequest { resource_spans: vec![resource] }.encode_to_vec()
        }
        Signal::Metrics => {
            let scope_metrics = vec![ScopeMetrics::default()];
            let resource = ResourceMetrics { scope_metrics, ..ResourceMetrics::default() };
            ExportMetricsServiceRequest { resource_metrics: vec![resource] }.encode_to_vec()
        }
        Signal::Logs => {
            let scope_logs = vec![ScopeLogs::default()];
            let resource = ResourceLogs { scope_logs, ..ResourceLogs::default() };
            ExportLogsServiceRequest { resource_logs: vec![resource] }.encode_to_vec()
        }
    }
}

fn compressed(encoding: &str, body: &[u8]) -> Vec<u8> {
    let level = flate2::Compression::fast();
    match encoding {
        "gzip" => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            encoder.write_all(body).unwrap();
            encoder.finish().unwrap()
        }
        "deflate" => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
            encoder.write_all(body).unwrap();
            encoder.finish().unwrap()
        }
        "zstd" => {
            // With a check sum at its end, so that a cut is seen whatever was cut.
            let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
            encoder.include_checksum(true).unwrap();
            encoder.write_all(body).unwrap();
            encoder.finish().unwrap()
        }
        _ => body.to_vec(),
    }
}

/// A row's request in one way; `None` if that way has no such request.
fn request(sent: Sent, way: Way, signal: Signal) -> Option<Asked> {
    let json = way != Way::Grpc && matches!(way, Way::Http(_, JSON));
    let valid =
        |wire: Vec<u8>| if json { dragoman::otlp::json::encode(signal, &wire).unwrap().into_bytes() } else { wire };
    let message = valid(sample(signal).to_vec());
    // The message, its encodings' names, and what is in place of a usual body.
    let (message, encoding) = match sent {
        Sent::Empty => (if json { b"{}".to_vec() } else { Vec::new() }, ""),
        Sent::NoItems => (valid(no_items(signal)), ""),
        Sent::Compressed(encoding) => (compressed(encoding, &message), encoding),
        Sent::UnknownEncoding => (message, "x-unheard-of"),
        Sent::TwoEncodings => (compressed("zstd", &compressed("gzip", &message)), "gzip, zstd"),
        Sent::CorruptEncoding(encoding) => {
            let whole = compressed(encoding, &message);
            (whole[..whole.len() - 3].to_vec(), encoding)
        }
        Sent::Truncated => (message[..message.len() - 1].to_vec(), ""),
        Sent::NotUtf8 => {
            // The sample's text, with a byte that no UTF-8 has.
            let text: &[u8] = match signal {
                Signal::Traces => b"chat gpt-4o",
                Signal::Metrics => b"requests",
                Signal::Logs => b"INFO",
            };
            let at = message.windows(text.len()).position(|window| window == text).unwrap();
            let mut message = message;
            message[at] = 0xff;
            (message, "")
        }
        Sent::OtherEncoding if json => (sample(signal).to_vec(), ""),
        Sent::OtherEncoding => (br#"{"resourceSpans":[]}"#.to_vec(), ""),
        Sent::DecompressedTooLarge => (compressed("gzip", &vec![b' '; LIMIT + 1]), "gzip"),
        _ => (message, ""),
    };
    let mut asked = Asked { method: "POST", path: String::new(), headers: Vec::new(), body: Sending::default() };
    match way {
        Way::Grpc => {
            asked.path = signal.grpc_path().to_owned();
            asked.headers = vec![("content-type", "application/grpc".into()), ("te", "trailers".into())];
            if !encoding.is_empty() {
                asked.headers.push(("grpc-encoding", encoding.into()));
            }
            let is_compressed = !matches!(encoding, "" | "identity") || sent == Sent::FlagAlone;
            let mut frame = vec![u8::from(is_compressed)];
            frame.extend((message.len() as u32).to_be_bytes());
            frame.extend(&message);
            match sent {
                Sent::Frame(before, after) => {
                    frame.splice(..before.len(), before.iter().copied());
                    frame.extend(after);
                    // Half a frame is nothing but its begin.
                    if before.len() > 1 {
                        frame.truncate(before.len());
                    }
                }
                Sent::NoMessage => frame.clear(),
                Sent::AnnouncedTooLarge => frame = [&[0][..], &(LIMIT as u32 + 1).to_be_bytes()].concat(),
                _ => {}
            }
            asked.body = Sending { announced: None, chunks: [Bytes::from(frame)].into(), hangs: false };
            asked.body.hangs = sent == Sent::AnnouncedTooLarge;
        }
        Way::Http(version, format) => {
            asked.path = signal.http_path().to_owned();
            // Compressed answers are welcome, and not needed.
            asked.headers = vec![("content-type", format.into()), ("accept-encoding", "gzip".into())];
            if !encoding.is_empty() {
                asked.headers.push(("content-encoding", encoding.into()));
            }
            asked.body = match sent {
                Sent::AnnouncedTooLarge => {
                    Sending { announced: Some(LIMIT as u64 + 1), hangs: true, ..Sending::default() }
                }
                Sent::StreamedTooLarge => {
                    let chunk = Bytes::from(vec![b' '; 64 << 10]);
                    Sending { announced: None, chunks: vec![chunk; LIMIT / (64 << 10) + 1].into(), hangs: false }
                }
                // HTTP/2 has no way to break off but a reset, which wants no answer.
                Sent::BreaksOff if version == 2 => return None,
                Sent::BreaksOff => Sending { announced: Some(message.len() as u64 + 1), ..Sending::whole(message) },
                Sent::Method("GET" | "DELETE" | "OPTIONS") => Sending::whole(Bytes::new()),
                _ => Sending::whole(message),
            };
        }
    }
    match sent {
        Sent::Method(method) => asked.method = method,
        Sent::Path(path) => asked.path = path.to_owned(),
        Sent::MediaType(media_type) => {
            asked.headers.retain(|(name, _)| *name != "content-type");
            if !media_type.is_empty() {
                asked.headers.push(("content-type", media_type.to_owned()));
            }
        }
        _ => {}
    }
    Some(asked)
}
