//! OTLP/JSON at the door: each form that OTLP 1.11 demands, each that the OpenTelemetry Collector
//! takes beyond it, and what is refused. What arrives at the backend is read by prost.
//!
//! The forms in depth, place by place, are the subject of `tests/otlp_json`.

use bytes::Bytes;
use dragoman::otlp::Signal;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::Message;

use crate::client::{Client, status};
use crate::standing::{Standing, Target};
use crate::walk::JSON;

/// What a span, a data point and a log record have in common, as prost reads it.
#[derive(Debug, Default, Clone, PartialEq)]
struct Item {
    trace_id: Vec<u8>,
    span_id: Vec<u8>,
    flags: u32,
    /// A span's kind, a log record's severity.
    number: i32,
    time: u64,
    attributes: Vec<KeyValue>,
}

fn item(signal: Signal, wire: &[u8]) -> Item {
    match signal {
        Signal::Traces => {
            let mut request = ExportTraceServiceRequest::decode(wire).unwrap();
            let span = request.resource_spans.remove(0).scope_spans.remove(0).spans.remove(0);
            Item {
                trace_id: span.trace_id,
                span_id: span.span_id,
                flags: span.flags,
                number: span.kind,
                time: span.start_time_unix_nano,
                attributes: span.attributes,
            }
        }
        Signal::Metrics => {
            let mut request = ExportMetricsServiceRequest::decode(wire).unwrap();
            let metric = request.resource_metrics.remove(0).scope_metrics.remove(0).metrics.remove(0);
            let Some(Data::Gauge(mut gauge)) = metric.data else { panic!("not a gauge: {:?}", metric.data) };
            let point = gauge.data_points.remove(0);
            Item {
                flags: point.flags,
                time: point.start_time_unix_nano,
                attributes: point.attributes,
                ..Item::default()
            }
        }
        Signal::Logs => {
            let mut request = ExportLogsServiceRequest::decode(wire).unwrap();
            let record = request.resource_logs.remove(0).scope_logs.remove(0).log_records.remove(0);
            Item {
                trace_id: record.trace_id,
                span_id: record.span_id,
                flags: record.flags,
                number: record.severity_number,
                time: record.observed_time_unix_nano,
                attributes: record.attributes,
            }
        }
    }
}

/// A document with one item of these members.
fn document(signal: Signal, members: &str) -> String {
    match signal {
        Signal::Traces => format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{members}}}]}}]}}]}}"#),
        Signal::Metrics => format!(
            r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"name":"m","gauge":{{"dataPoints":[{{{members}}}]}}}}]}}]}}]}}"#
        ),
        Signal::Logs => format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{{members}}}]}}]}}]}}"#),
    }
}

fn with(change: impl FnOnce(&mut Item)) -> Item {
    let mut item = Item::default();
    change(&mut item);
    item
}

fn any(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

/// An item whose one attribute, `k`, has this value.
fn attribute(value: Option<AnyValue>) -> Item {
    with(|item| item.attributes = vec![KeyValue { key: "k".into(), value, key_strindex: 0 }])
}

fn bytes(hex: &[u8], times: usize) -> Vec<u8> {
    hex.repeat(times)
}

const ALL: &[Signal] = &Signal::ALL;
const TRACES: &[Signal] = &[Signal::Traces];
const LOGS: &[Signal] = &[Signal::Logs];
/// Data points have no ids of their own.
const WITH_IDS: &[Signal] = &[Signal::Traces, Signal::Logs];
/// Where `flags` are W3C trace flags.
const WITH_FLAGS: &[Signal] = WITH_IDS;

type Taken = (&'static str, &'static [Signal], &'static str, Item);

fn taken() -> Vec<Taken> {
    let value = |case, json, value| (case, ALL, json, attribute(Some(value)));
    vec![
        ("no member", ALL, "", Item::default()),
        (
            "ids in lower case",
            WITH_IDS,
            r#""traceId":"abcdef0123456789abcdef0123456789","spanId":"abcdef0123456789""#,
            {
                let id = [0xab, 0xcd, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89];
                with(|item| (item.trace_id, item.span_id) = (bytes(&id, 2), bytes(&id, 1)))
            },
        ),
        ("ids in capitals", WITH_IDS, r#""traceId":"ABCDEF0123456789ABCDEF0123456789","spanId":"ABCDEF0123456789""#, {
            let id = [0xab, 0xcd, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89];
            with(|item| (item.trace_id, item.span_id) = (bytes(&id, 2), bytes(&id, 1)))
        }),
        ("snake_case ids", WITH_IDS, r#""trace_id":"0102030405060708090a0b0c0d0e0f10""#, {
            with(|item| item.trace_id = (1..=16).collect())
        }),
        ("an enumeration's number", TRACES, r#""kind":3"#, with(|item| item.number = 3)),
        ("an enumeration's name", TRACES, r#""kind":"SPAN_KIND_CLIENT""#, with(|item| item.number = 3)),
        ("an enumeration's number as text", TRACES, r#""kind":"3""#, with(|item| item.number = 3)),
        ("a number that no version names", TRACES, r#""kind":77"#, with(|item| item.number = 77)),
        ("a severity's number", LOGS, r#""severityNumber":9"#, with(|item| item.number = 9)),
        ("a severity's name", LOGS, r#""severityNumber":"SEVERITY_NUMBER_INFO""#, with(|item| item.number = 9)),
        ("64 bits as text", TRACES, r#""startTimeUnixNano":"18446744073709551615""#, with(|item| item.time = u64::MAX)),
        ("64 bits as a number", TRACES, r#""startTimeUnixNano":1762560000000000001"#, {
            with(|item| item.time = 1_762_560_000_000_000_001)
        }),
        ("64 bits as text, snake_case", LOGS, r#""observed_time_unix_nano":"5""#, with(|item| item.time = 5)),
        ("32 bits as text", ALL, r#""flags":"1""#, with(|item| item.flags = 1)),
        ("flags with the two of OTLP", WITH_FLAGS, r#""flags":769"#, with(|item| item.flags = 0x301)),
        (
            "members that no version knows",
            ALL,
            r#""future":{"a":[1,null,{"b":"c"}]},"flags":1"#,
            with(|item| item.flags = 1),
        ),
        ("null for a member", ALL, r#""flags":null,"attributes":null"#, Item::default()),
        value(
            "stringValue",
            r#""attributes":[{"key":"k","value":{"stringValue":"é"}}]"#,
            any(Value::StringValue("é".into())),
        ),
        value("boolValue", r#""attributes":[{"key":"k","value":{"boolValue":false}}]"#, any(Value::BoolValue(false))),
        value(
            "intValue as text",
            r#""attributes":[{"key":"k","value":{"intValue":"-9223372036854775808"}}]"#,
            any(Value::IntValue(i64::MIN)),
        ),
        value("intValue as a number", r#""attributes":[{"key":"k","value":{"intValue":7}}]"#, any(Value::IntValue(7))),
        value("doubleValue", r#""attributes":[{"key":"k","value":{"doubleValue":0.5}}]"#, any(Value::DoubleValue(0.5))),
        value(
            "doubleValue as text",
            r#""attributes":[{"key":"k","value":{"doubleValue":"-Infinity"}}]"#,
            any(Value::DoubleValue(f64::NEG_INFINITY)),
        ),
        value(
            "bytesValue",
            r#""attributes":[{"key":"k","value":{"bytesValue":"+/8="}}]"#,
            any(Value::BytesValue(vec![0xfb, 0xff])),
        ),
        value("no value in it", r#""attributes":[{"key":"k","value":{}}]"#, AnyValue::default()),
        ("no value at all", ALL, r#""attributes":[{"key":"k"}]"#, attribute(None)),
        value(
            "a mixed array",
            r#""attributes":[{"key":"k","value":{"arrayValue":{"values":[{"intValue":1},{"stringValue":"a"},{}]}}}]"#,
            {
                any(Value::ArrayValue(ArrayValue {
                    values: vec![any(Value::IntValue(1)), any(Value::StringValue("a".into())), AnyValue::default()],
                }))
            },
        ),
        value(
            "an empty array",
            r#""attributes":[{"key":"k","value":{"arrayValue":{}}}]"#,
            any(Value::ArrayValue(ArrayValue::default())),
        ),
        value(
            "a map",
            r#""attributes":[{"key":"k","value":{"kvlistValue":{"values":[{"key":"a","value":{"boolValue":true}}]}}}]"#,
            {
                let entry = KeyValue { key: "a".into(), value: Some(any(Value::BoolValue(true))), key_strindex: 0 };
                any(Value::KvlistValue(KeyValueList { values: vec![entry] }))
            },
        ),
        value(
            "snake_case values",
            r#""attributes":[{"key":"k","value":{"string_value":"x"}}]"#,
            any(Value::StringValue("x".into())),
        ),
        value(
            "stringValueStrindex is of profiles",
            r#""attributes":[{"key":"k","value":{"stringValueStrindex":3}}]"#,
            AnyValue::default(),
        ),
        ("keyStrindex is of profiles", ALL, r#""attributes":[{"key":"k","keyStrindex":3}]"#, attribute(None)),
    ]
}

/// What is refused: the members, or the whole document if they begin with `!`.
const REFUSED: &[(&str, &[Signal], &str)] = &[
    ("ids in base64", WITH_IDS, r#""traceId":"q83vASNFZ4mrze8BI0VniQ==""#),
    ("an id that is too short", WITH_IDS, r#""traceId":"abcd""#),
    ("an id that is no hexadecimal", WITH_IDS, r#""spanId":"zzzzzzzzzzzzzzzz""#),
    ("a name that no version knows", TRACES, r#""kind":"SPAN_KIND_OF_ALL""#),
    ("a number that does not fit", ALL, r#""flags":4294967296"#),
    ("a fraction for an integer", ALL, r#""flags":1.5"#),
    ("text for a list", ALL, r#""attributes":"k=v""#),
    ("a number for a string", ALL, r#""attributes":[{"key":1}]"#),
    ("base64 that is none", ALL, r#""attributes":[{"key":"k","value":{"bytesValue":"*"}}]"#),
    ("nothing", ALL, "!"),
    ("a list for the document", ALL, "![]"),
    ("null for the document", ALL, "!null"),
    ("a second document", ALL, "!{}{}"),
    ("a document that breaks off", ALL, r#"!{"resourceSpans":["#),
    ("another format", ALL, "!<xml/>"),
];

#[tokio::test]
async fn every_form_of_json_that_must_be_taken_is_taken_and_means_what_it_should() {
    let mut target = Target::start(Standing::Ready, Signal::Traces).await;
    let mut client = Client::http1(target.http).await;
    let mut forms = 0;
    for (case, signals, members, expected) in taken() {
        for signal in signals {
            let body = Bytes::from(document(*signal, members));
            let answer = client.post(signal.http_path(), JSON, "", body).await;
            assert_eq!((answer.status.as_u16(), &answer.body[..]), (200, &b"{}"[..]), "{case}, {signal}: {answer:?}");
            let seen = target.delivered().await;
            assert_eq!(item(*signal, &seen.body), expected, "{case}, {signal}");
            forms += 1;
        }
    }
    println!("{forms} forms of JSON taken");
}

#[tokio::test]
async fn what_is_no_otlp_json_is_a_400_that_says_where() {
    let mut target = Target::start(Standing::Ready, Signal::Traces).await;
    let mut client = Client::http1(target.http).await;
    for (case, signals, members) in REFUSED {
        for signal in *signals {
            let body = members.strip_prefix('!').map_or_else(|| document(*signal, members), str::to_owned);
            let answer = client.post(signal.http_path(), JSON, "", body.into()).await;
            let (code, message, delay) = status(&answer);
            assert_eq!((answer.status.as_u16(), code, delay), (400, 3, None), "{case}, {signal}: {message}");
            assert!(message.contains("line 1"), "{case}, {signal}: {message}");
        }
    }
    assert!(target.delivered_nothing());
}
