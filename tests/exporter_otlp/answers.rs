//! What the exporter makes of each answer: OTLP 1.11's tables, against a backend that gives them.

use super::*;

/// What becomes of a batch of five items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Taken at once.
    Sent,
    /// Taken, but for so many.
    Partial(usize),
    /// Sent again, counted as a retry of this reason, and taken then.
    Again(Setback),
    /// Given up.
    Rejected,
}

use Outcome::{Again, Partial, Rejected, Sent};
use Setback::{OtherStatus, Throttled, Timeout, Unavailable};

type Row = (String, Transport, Reply, Outcome);

/// "Failures" of OTLP/gRPC: by code, and whether there is a `RetryInfo`.
const CODES: [(Code, Outcome, Outcome); 16] = [
    (Code::Cancelled, Again(OtherStatus), Again(OtherStatus)),
    (Code::Unknown, Rejected, Rejected),
    (Code::InvalidArgument, Rejected, Rejected),
    (Code::DeadlineExceeded, Again(Timeout), Again(Timeout)),
    (Code::NotFound, Rejected, Rejected),
    (Code::AlreadyExists, Rejected, Rejected),
    (Code::PermissionDenied, Rejected, Rejected),
    (Code::ResourceExhausted, Rejected, Again(Throttled)),
    (Code::FailedPrecondition, Rejected, Rejected),
    (Code::Aborted, Again(OtherStatus), Again(OtherStatus)),
    (Code::OutOfRange, Again(OtherStatus), Again(OtherStatus)),
    (Code::Unimplemented, Rejected, Rejected),
    (Code::Internal, Rejected, Rejected),
    (Code::Unavailable, Again(Unavailable), Again(Unavailable)),
    (Code::DataLoss, Again(OtherStatus), Again(OtherStatus)),
    (Code::Unauthenticated, Rejected, Rejected),
];

/// "Failures" of OTLP/HTTP: 429, 502, 503 and 504 may be sent again, nothing else.
const STATUSES: [(u16, Outcome); 27] = [
    (200, Sent),
    (202, Sent),
    (204, Sent),
    (301, Rejected),
    (302, Rejected),
    (303, Rejected),
    (304, Rejected),
    (400, Rejected),
    (401, Rejected),
    (403, Rejected),
    (404, Rejected),
    (405, Rejected),
    (408, Rejected),
    (409, Rejected),
    (413, Rejected),
    (415, Rejected),
    (422, Rejected),
    (425, Rejected),
    (429, Again(Throttled)),
    (431, Rejected),
    (500, Rejected),
    (501, Rejected),
    (502, Again(Unavailable)),
    (503, Again(Unavailable)),
    (504, Again(Unavailable)),
    (505, Rejected),
    (507, Rejected),
];

/// `Retry-After` as servers write it, right and wrong: none of these makes the client wait here.
const RETRY_AFTER: [&str; 8] = [
    "0",
    "",
    "soon",
    "-5",
    "1.5",
    "99999999999999999999999999",
    "Sun, 06 Nov 1994 08:49:37 GMT",
    "Sunday, 06-Nov-94 08:49:37 GMT",
];

fn coded(code: Code, delay: Option<Duration>) -> Reply {
    let info = delay.map(|delay| {
        let retry_delay = Some(Delay { seconds: delay.as_secs() as i64, nanos: delay.subsec_nanos() as i32 });
        Any { type_url: RETRY_INFO.into(), value: RetryInfo { retry_delay }.encode_to_vec() }
    });
    let details = status::Status { code: code as i32, message: "so".into(), details: info.into_iter().collect() };
    Reply::Status(Status::with_details(code, "so", details.encode_to_vec().into()))
}

/// A success with a message of so many bytes.
fn long(length: usize) -> Reply {
    let partial = PartialSuccess { rejected: 0, error_message: "x".repeat(length) };
    Reply::Ok(ExportResponse { partial_success: Some(partial) }.encode_to_vec().into())
}

fn rows() -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut row = |case: String, transport, reply, outcome| rows.push((case, transport, reply, outcome));
    for (code, without, with) in CODES {
        row(format!("{code:?}"), Transport::Grpc, Reply::Status(Status::new(code, "so")), without);
        row(format!("{code:?} with empty details"), Transport::Grpc, coded(code, None), without);
        row(format!("{code:?} with RetryInfo"), Transport::Grpc, coded(code, Some(Duration::from_millis(1))), with);
        row(format!("{code:?} with a RetryInfo of no delay"), Transport::Grpc, coded(code, Some(Duration::ZERO)), with);
        let junk = Reply::Status(Status::with_details(code, "so", Bytes::from_static(b"\xff\xff\xff")));
        row(format!("{code:?} with details that are none"), Transport::Grpc, junk, without);
    }
    for (status, outcome) in STATUSES {
        row(format!("{status}"), Transport::Http, Reply::Http(status, vec![], Bytes::new()), outcome);
    }
    for (status, why) in [(429, Throttled), (503, Unavailable)] {
        for after in RETRY_AFTER {
            let reply = Reply::Http(status, vec![("retry-after", after.into())], Bytes::new());
            row(format!("{status}, Retry-After {after:?}"), Transport::Http, reply, Again(why));
        }
    }
    // A delay does not make right what is final.
    let reply = Reply::Http(400, vec![("retry-after", "0".into())], Bytes::new());
    row("400 with Retry-After".into(), Transport::Http, reply, Rejected);
    for transport in BOTH {
        let mut row = |case: &str, reply, outcome| row(format!("{case} over {transport:?}"), transport, reply, outcome);
        row("a success", Reply::Ok(Bytes::new()), Sent);
        row("a partial success", partial_success(2), Partial(2));
        row("a partial success that rejects all", partial_success(5), Partial(5));
        row("one that rejects more than there was", partial_success(i64::MAX), Partial(5));
        row("one that rejects less than nothing", partial_success(-1), Sent);
        row("a warning", partial_success(0), Sent);
        // "Response size": up to 4 MiB are read, and more is final.
        row("a long answer", long(3 << 20), Sent);
        row("an answer that is too long", long((4 << 20) + 1), Rejected);
        row("a success that is none", Reply::Ok(Bytes::from_static(b"\xff\xff")), Rejected);
    }
    // Refusals are not read to their end: the status has said all.
    for (status, outcome) in [(503, Again(Unavailable)), (400, Rejected)] {
        let reply = Reply::Http(status, vec![], Bytes::from(vec![b'x'; 5 << 20]));
        row(format!("{status} with 5 MiB of words"), Transport::Http, reply, outcome);
    }
    let json = |text: &'static str| Reply::Http(200, vec![("content-type", "application/json".into())], text.into());
    row("a success in JSON".into(), Transport::Http, json("{}"), Sent);
    row(
        "a partial success in JSON".into(),
        Transport::Http,
        json(r#"{"partialSuccess":{"rejectedSpans":"2"}}"#),
        Partial(2),
    );
    row(
        "a page".into(),
        Transport::Http,
        Reply::Http(200, vec![("content-type", "text/html".into())], "<p>".into()),
        Sent,
    );
    // What a proxy answers instead of a gRPC server ("HTTP to gRPC Status Code Mapping").
    for (status, outcome) in [
        (400, Rejected),
        (401, Rejected),
        (403, Rejected),
        (404, Rejected),
        (413, Rejected),
        (429, Again(Throttled)),
        (500, Rejected),
        (502, Again(Unavailable)),
        (503, Again(Unavailable)),
        (504, Again(Unavailable)),
        (307, Rejected),
    ] {
        row(
            format!("{status} instead of gRPC"),
            Transport::Grpc,
            Reply::Http(status, vec![], "a proxy".into()),
            outcome,
        );
    }
    rows
}

#[tokio::test]
async fn every_answer_is_understood_as_the_specification_says() {
    let rows = rows();
    let mut wrong = Vec::new();
    for (case, transport, reply, outcome) in &rows {
        let mut backend = Backend::start([reply.clone()]).await;
        let mut rig = Rig::new(*transport, &backend, |_| {});
        rig.send(Signal::Traces, "spans", 5);
        let expected = match outcome {
            Sent | Again(_) => vec![Event::Sent(Signal::Traces, 5)],
            Partial(5) => vec![Event::Failed(Signal::Traces, 5, Loss::PartialSuccess)],
            Partial(rejected) => vec![
                Event::Sent(Signal::Traces, 5 - rejected),
                Event::Failed(Signal::Traces, *rejected, Loss::PartialSuccess),
            ],
            Rejected => vec![Event::Failed(Signal::Traces, 5, Loss::Rejected)],
        };
        let mut events = vec![rig.event().await];
        rig.exporter.shutdown(tokio::time::Instant::now() + Duration::from_secs(60)).await;
        while let Ok(event) = rig.events.try_recv() {
            events.push(event);
        }
        let mut requests = 0;
        while backend.seen.try_recv().is_ok() {
            requests += 1;
        }
        let retries = rig.retries.lock().unwrap().clone();
        let again = if let Again(why) = outcome { vec![*why] } else { vec![] };
        if (&events, requests, &retries) != (&expected, 1 + again.len(), &again) {
            wrong.push(format!("{case}: {events:?} and {retries:?} after {requests} requests, expected {outcome:?}"));
        }
    }
    println!("{} answers, {} of them misunderstood", rows.len(), wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A backend that redirects to `location` with `status`.
async fn redirecting(status: u16, location: String) -> Backend {
    Backend::start(vec![Reply::Http(status, vec![("location", location)], Bytes::new()); 100]).await
}

fn with_secret(settings: &mut Otlp) {
    settings.headers = vec![("authorization".into(), "Bearer hunter2".into()), ("x-api-key".into(), "hunter2".into())];
}

#[tokio::test]
async fn a_redirect_that_keeps_the_request_is_followed_and_takes_no_secret_elsewhere() {
    for status in [307, 308] {
        let mut elsewhere = Backend::start([]).await;
        let mut backend = redirecting(status, format!("http://{}/in", elsewhere.address)).await;
        let mut rig = Rig::new(Transport::Http, &backend, with_secret);
        rig.send(Signal::Traces, "spans", 5);
        assert_eq!(rig.event().await, Event::Sent(Signal::Traces, 5));
        assert_eq!(backend.next().await.headers["x-api-key"], "hunter2");
        let seen = elsewhere.next().await;
        assert_eq!((seen.path.as_str(), &seen.body[..]), ("/in", &b"spans"[..]));
        assert_eq!(seen.headers["content-type"], "application/x-protobuf");
        // Another port is another origin.
        assert!(!seen.headers.contains_key("authorization") && !seen.headers.contains_key("x-api-key"), "{seen:?}");
    }
}

#[tokio::test]
async fn a_redirect_on_the_same_server_takes_the_headers_along() {
    let reply = Reply::Http(308, vec![("location", "/otlp/v1/traces".into())], Bytes::new());
    let mut backend = Backend::start([reply]).await;
    let mut rig = Rig::new(Transport::Http, &backend, with_secret);
    rig.send(Signal::Traces, "spans", 5);
    assert_eq!(rig.event().await, Event::Sent(Signal::Traces, 5));
    assert_eq!(backend.next().await.path, "/v1/traces");
    let seen = backend.next().await;
    assert_eq!((seen.path.as_str(), &seen.body[..]), ("/otlp/v1/traces", &b"spans"[..]));
    assert_eq!(seen.headers["authorization"], "Bearer hunter2");
}

#[tokio::test]
async fn redirects_in_a_ring_end() {
    let mut backend = redirecting(307, "/v1/traces".into()).await;
    let mut rig = Rig::new(Transport::Http, &backend, |_| {});
    rig.send(Signal::Traces, "spans", 5);
    assert_eq!(rig.event().await, Event::Failed(Signal::Traces, 5, Loss::Rejected));
    let mut requests = 0;
    while backend.seen.try_recv().is_ok() {
        requests += 1;
    }
    assert_eq!(requests, 11, "the first and ten redirects");
}
