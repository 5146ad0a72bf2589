//! Foreign text in places where it could speak: log lines, the debug exporter, pages of metrics,
//! answers, and paths of files.

use bytes::Bytes;
use dragoman::otlp::Signal;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;

use crate::process::{get, http};
use crate::rig::{Setup, Target};

/// Line ends of every kind, a terminal's sequences (CVE-2025-58160), NUL, what reorders a line, and a
/// label's end.
const HOSTILE: &str =
    "a\nINJECTED 1\r\nINJECTED 2\rINJECTED\x1b[2J\x1b]0;t\x07\0\u{85}\u{2028}\u{9b}31m\u{202e}\"} 1\nINJECTED{a=\"\\";

fn attributes(entries: &[(&str, &str)]) -> Vec<KeyValue> {
    let value = |text: &str| Some(AnyValue { value: Some(any_value::Value::StringValue(text.to_owned())) });
    entries
        .iter()
        .map(|(key, text)| KeyValue { key: (*key).to_owned(), value: value(text), ..KeyValue::default() })
        .collect()
}

fn resource(name: &str) -> Option<Resource> {
    Some(Resource { attributes: attributes(&[("service.name", name), (name, name)]), ..Resource::default() })
}

fn scope(name: &str) -> Option<InstrumentationScope> {
    Some(InstrumentationScope { name: name.into(), version: name.into(), ..InstrumentationScope::default() })
}

/// A request of one span with these attributes, of this scope.
pub(crate) fn span(entries: &[(&str, &str)], of: &str) -> Bytes {
    spans(vec![attributes(entries)], of, of)
}

/// A request of one span for each list of attributes.
pub(crate) fn spans(lists: Vec<Vec<KeyValue>>, text: &str, of: &str) -> Bytes {
    let spans = lists.into_iter().map(|attributes| Span {
        trace_id: fastrand::u128(1..).to_be_bytes().to_vec(),
        span_id: fastrand::u64(1..).to_be_bytes().to_vec(),
        name: text.into(),
        trace_state: text.into(),
        status: Some(Status { code: 2, message: text.into() }),
        events: vec![Event { name: text.into(), attributes: attributes.clone(), ..Event::default() }],
        attributes,
        start_time_unix_nano: 1,
        end_time_unix_nano: 2,
        ..Span::default()
    });
    let scope_spans = vec![ScopeSpans { scope: scope(of), spans: spans.collect(), schema_url: text.into() }];
    let resource_spans = vec![ResourceSpans { resource: resource(text), scope_spans, schema_url: text.into() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec().into()
}

/// A request of one log record with these attributes and this body.
pub(crate) fn record(entries: &[(&str, &str)], text: &str) -> Bytes {
    let record = LogRecord {
        attributes: attributes(entries),
        body: Some(AnyValue { value: Some(any_value::Value::StringValue(text.to_owned())) }),
        severity_text: text.into(),
        event_name: text.into(),
        ..LogRecord::default()
    };
    let scope_logs = vec![ScopeLogs { scope: scope(text), log_records: vec![record], schema_url: text.into() }];
    let resource_logs = vec![ResourceLogs { resource: resource(text), scope_logs, schema_url: text.into() }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec().into()
}

fn metric(name: &str, text: &str) -> Bytes {
    let point = NumberDataPoint { attributes: attributes(&[(text, text), ("ok", text)]), ..NumberDataPoint::default() };
    let metric = Metric {
        name: name.into(),
        unit: text.into(),
        description: text.into(),
        data: Some(Data::Gauge(Gauge { data_points: vec![point] })),
        ..Metric::default()
    };
    let scope_metrics = vec![ScopeMetrics { scope: scope(text), metrics: vec![metric], schema_url: text.into() }];
    let resource_metrics = vec![ResourceMetrics { resource: resource(text), scope_metrics, schema_url: text.into() }];
    ExportMetricsServiceRequest { resource_metrics }.encode_to_vec().into()
}

/// Every signal with hostile text wherever text can stand, and calls of a model of such a name.
fn send_hostile_telemetry(target: &Target, text: &str) {
    let call = [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.system", text),
        ("gen_ai.request.model", text),
        ("gen_ai.response.model", text),
        ("error.type", text),
        ("server.address", text),
        (text, text),
    ];
    for scope in ["opentelemetry.instrumentation.openai", text] {
        let mut entries = attributes(&call);
        let tokens = AnyValue { value: Some(any_value::Value::IntValue(5)) };
        entries.push(KeyValue { key: "gen_ai.usage.input_tokens".into(), value: Some(tokens), ..KeyValue::default() });
        let body = spans(vec![entries], text, scope);
        assert_eq!(target.post("/v1/traces", "application/x-protobuf", &[], &body).status, 200);
    }
    let body = record(&call, text);
    assert_eq!(target.post("/v1/logs", "application/x-protobuf", &[], &body).status, 200);
    for name in [text, "requests", "gen_ai.client.token.usage"] {
        let body = metric(name, text);
        assert_eq!(target.post("/v1/metrics", "application/x-protobuf", &[], &body).status, 200);
    }
}

/// Requests that are refused with what they said in the sentence.
fn send_what_is_refused(target: &Target, text: &str) {
    let json = serde_json::to_string(text).unwrap();
    for body in [
        format!("{{\"resourceSpans\":[{{\"resource\":{{\"attributes\":[{{\"key\":1,\"value\":{json}}}]}}}}]}}"),
        format!("{{\"resourceSpans\":{json}}}"),
        format!("{{\"resourceSpans\":[{{\"scopeSpans\":[{{\"spans\":[{{\"traceId\":{json}}}]}}]}}]}}"),
        format!("{{\"resourceSpans\":[{{\"scopeSpans\":[{{\"spans\":[{{\"kind\":{json}}}]}}]}}]}}"),
        format!("{{{json}:{json}"),
        text.to_owned(),
    ] {
        let answer = target.post("/v1/traces", "application/json", &[], body.as_bytes());
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.body.len() < 4096, "an answer of {} bytes", answer.body.len());
    }
    // What HTTP lets through in a head: tabs, and bytes above 127.
    for (name, value) in [("content-type", "a\tINJECTED\u{85}"), ("content-encoding", "a\tINJECTED\u{9b}31m")] {
        let answer = http(target.dragoman.http, "POST", "/v1/traces", &[(name, value)], b"x").unwrap();
        assert_eq!(answer.status, 415, "{name}");
    }
}

/// A log line begins with its time, a line of the debug exporter with what it shows; neither begins
/// with what somebody sent.
fn assert_clean(log: &str) {
    assert!(log.contains("INJECTED"), "nothing of it is shown, so nothing was tested:\n{log}");
    for line in log.lines() {
        assert!(!line.starts_with("INJECTED"), "a line of the sender's own:\n{line:?}");
        let speaks = |c: char| c.is_control() || ('\u{2028}'..='\u{202e}').contains(&c);
        assert!(!line.chars().any(speaks), "it speaks to the terminal:\n{line:?}");
        assert!(line.len() < 16 << 10, "a line of {} bytes", line.len());
    }
}

#[test]
fn no_text_of_telemetry_begins_a_line_or_speaks_to_a_terminal() {
    for verbosity in ["basic", "detailed"] {
        let mut target = Target::start(Setup { verbosity, log_level: "debug", ..Setup::default() });
        send_hostile_telemetry(&target, HOSTILE);
        send_what_is_refused(&target, HOSTILE);
        target.assert_serves();
        assert_eq!(target.dragoman.process.terminate(), Some(0));
        assert_clean(&target.dragoman.process.log());
    }
}

/// Text of a hundred kilobytes is not a line of as many, nor an answer.
#[test]
fn long_text_is_cut_wherever_it_is_shown() {
    let mut target = Target::start(Setup { verbosity: "detailed", log_level: "debug", ..Setup::default() });
    let long = format!("{}INJECTED", "é".repeat(50_000));
    send_hostile_telemetry(&target, &long);
    send_what_is_refused(&target, &long);
    let page = target.own_metrics() + &target.page(target.dragoman.prometheus.unwrap());
    let longest = page.lines().map(str::len).max().unwrap();
    assert!(longest < 8 << 10, "a line of {longest} bytes on a page");
    assert_eq!(target.dragoman.process.terminate(), Some(0));
    let log = target.dragoman.process.log();
    let longest = log.lines().map(str::len).max().unwrap();
    assert!(longest < 16 << 10, "a line of {longest} bytes in the log");
}

/// A name of a metric, the name of a label, or its value (Prometheus text format, "Comments, help
/// text, and type information").
fn assert_is_a_page(page: &str) {
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line:?}"));
        assert!(value.parse::<f64>().is_ok(), "{line:?}");
        let Some((metric, labels)) = series.split_once('{') else {
            assert!(series.chars().all(name), "{line:?}");
            continue;
        };
        assert!(metric.chars().all(name), "{line:?}");
        let mut rest = labels.strip_suffix('}').unwrap_or_else(|| panic!("{line:?}"));
        while let Some((label, after)) = rest.split_once("=\"") {
            assert!(!label.is_empty() && label.trim_start_matches(',').chars().all(name), "{label:?} in {line:?}");
            let mut escaped = false;
            let end = after.char_indices().find(|&(_, c)| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            rest = &after[end.unwrap_or_else(|| panic!("{line:?}")).0 + 1..];
        }
        assert!(rest.is_empty(), "{rest:?} in {line:?}");
    }
}

#[test]
fn no_text_of_telemetry_makes_a_series_of_its_own() {
    let target = Target::start(Setup::default());
    send_hostile_telemetry(&target, HOSTILE);
    let prometheus = target.dragoman.prometheus.unwrap();
    let page = target.page_when(prometheus, "counted the call", |page| page.contains("INJECTED"));
    for page in [page, target.own_metrics()] {
        assert!(!page.lines().any(|line| line.starts_with("INJECTED")), "{page}");
        assert_is_a_page(&page);
    }
}

/// CVE-2026-47256: a file exporter of the Collector made a path of `service.name`. Nothing here makes
/// a path of telemetry; the working folder shows it.
#[test]
fn no_text_of_telemetry_is_a_path() {
    let mut target = Target::start(Setup { verbosity: "detailed", ..Setup::default() });
    for path in
        ["../../escaped", "/tmp/../escaped", "..\\..\\escaped", "escaped\0.log", "%2e%2e%2fescaped", "~/escaped"]
    {
        send_hostile_telemetry(&target, path);
    }
    assert_eq!(target.dragoman.process.terminate(), Some(0));
    let left: Vec<_> = std::fs::read_dir(&target.folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["config.yaml"]);
    let above = target.folder.path().parent().unwrap();
    assert!(!above.join("escaped").exists() && !above.parent().unwrap().join("escaped").exists());
}

/// The files of a queue on disk have their exporter's id in their names. A configuration may come from
/// a template that others fill in.
#[test]
fn no_component_id_is_a_path() {
    let exporter =
        "otlp_http/../../escaped: { endpoint: \"http://127.0.0.1:1\", sending_queue: { storage: file_storage } }";
    let mut target = Target::start(Setup {
        exporter,
        exporters: "otlp_http/../../escaped",
        extension: Some(("file_storage", "directory: store/queues, create_directory: true")),
        ..Setup::default()
    });
    target.assert_serves();
    target.dragoman.process.signal("KILL");
    target.dragoman.process.wait();
    let mut names = Vec::new();
    let mut folders = vec![target.folder.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(entry.path()),
                false => names.push(entry.path()),
            }
        }
    }
    let store = target.folder.path().join("store/queues");
    let (inside, outside): (Vec<_>, Vec<_>) = names.iter().partition(|name| name.starts_with(&store));
    assert!(!inside.is_empty(), "nothing was stored");
    assert_eq!(outside, [&target.folder.path().join("config.yaml")]);
    assert!(!target.folder.path().parent().unwrap().join("escaped").exists());
}

/// No listener serves files; a path is one of the few that are known, byte for byte.
#[test]
fn no_path_of_a_request_leads_anywhere_else() {
    let target = Target::start(Setup::default());
    let body = crate::client::sample(Signal::Traces);
    for path in [
        "/v1/../v1/traces",
        "/v1/./traces",
        "/v1//traces",
        "//v1/traces",
        "/v1/traces/",
        "/v1/traces/../../etc/passwd",
        "/v1/%74races",
        "/v1/traces%00",
        "/v1/traces;a=b",
        "/V1/Traces",
        "/../../../../etc/passwd",
        "/config.yaml",
        "/.git/config",
    ] {
        let answer = target.post(path, "application/x-protobuf", &[], &body);
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.body.len() < 1024, "{path}");
        for page in [target.dragoman.own_metrics, target.dragoman.prometheus.unwrap(), target.dragoman.health] {
            let answer = get(page, path).unwrap();
            assert_eq!(answer.status, 404, "{path} on {page}");
            assert!(answer.body.len() < 1024, "{path}");
        }
    }
    assert_eq!(target.post("/v1/traces?a=../b", "application/x-protobuf", &[], &body).status, 200);
}
