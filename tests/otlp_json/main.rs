//! OTLP/JSON against what OTLP 1.11 says and what the OpenTelemetry Collector takes beyond it:
//! every form that must be taken, every one that must be refused, on every signal that has it.
//! prost's messages say what a form means.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use dragoman::otlp::check::{check, count};
use dragoman::otlp::json::{Problem, decode, encode};
use dragoman::otlp::signal::Signal;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest as Logs;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest as Metrics;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest as Traces;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::Message;

mod full;

/// A request with one resource, one scope and one item, whose members are given; for metrics the
/// item is a data point of a gauge.
fn document(signal: Signal, item: &str) -> String {
    let (resources, scopes, items) = match signal {
        Signal::Traces => ("resourceSpans", "scopeSpans", format!(r#""spans":[{{{item}}}]"#)),
        Signal::Metrics => {
            ("resourceMetrics", "scopeMetrics", format!(r#""metrics":[{{"gauge":{{"dataPoints":[{{{item}}}]}}}}]"#))
        }
        Signal::Logs => ("resourceLogs", "scopeLogs", format!(r#""logRecords":[{{{item}}}]"#)),
    };
    format!(r#"{{"{resources}":[{{"{scopes}":[{{{items}}}]}}]}}"#)
}

/// The same with the attributes of resource, scope and item given.
fn with_attributes(signal: Signal, attributes: &str) -> String {
    let attributes = format!(r#""attributes":{attributes}"#);
    let document = document(signal, &attributes);
    let (head, tail) = document.split_once(":[{").unwrap();
    let (scopes, tail) = tail.split_once(":[{").unwrap();
    format!(r#"{head}:[{{"resource":{{{attributes}}},{scopes}:[{{"scope":{{{attributes}}},{tail}"#)
}

/// A decoded request of any signal, for comparison. NaN is not equal to itself, its text is.
fn meaning(signal: Signal, wire: &[u8]) -> String {
    match signal {
        Signal::Traces => format!("{:#?}", Traces::decode(wire).unwrap()),
        Signal::Metrics => format!("{:#?}", Metrics::decode(wire).unwrap()),
        Signal::Logs => format!("{:#?}", Logs::decode(wire).unwrap()),
    }
}

fn decoded(signal: Signal, json: &str) -> Vec<u8> {
    let wire = decode(signal, json.as_bytes()).unwrap_or_else(|error| panic!("{signal}: {error}\n{json}"));
    assert_eq!(check(signal, &wire).unwrap(), count(signal, &wire), "{json}");
    wire
}

/// The attributes of resource, scope and item.
fn attributes(signal: Signal, wire: &[u8]) -> [Vec<KeyValue>; 3] {
    match signal {
        Signal::Traces => {
            let mut resource = Traces::decode(wire).unwrap().resource_spans.remove(0);
            let mut scope = resource.scope_spans.remove(0);
            let item = scope.spans.remove(0).attributes;
            [resource.resource.unwrap().attributes, scope.scope.unwrap().attributes, item]
        }
        Signal::Metrics => {
            let mut resource = Metrics::decode(wire).unwrap().resource_metrics.remove(0);
            let mut scope = resource.scope_metrics.remove(0);
            let Some(Data::Gauge(mut gauge)) = scope.metrics.remove(0).data else { panic!("not a gauge") };
            let item = gauge.data_points.remove(0).attributes;
            [resource.resource.unwrap().attributes, scope.scope.unwrap().attributes, item]
        }
        Signal::Logs => {
            let mut resource = Logs::decode(wire).unwrap().resource_logs.remove(0);
            let mut scope = resource.scope_logs.remove(0);
            let item = scope.log_records.remove(0).attributes;
            [resource.resource.unwrap().attributes, scope.scope.unwrap().attributes, item]
        }
    }
}

fn any(value: Value) -> Option<AnyValue> {
    Some(AnyValue { value: Some(value) })
}

fn text(text: &str) -> Option<AnyValue> {
    any(Value::StringValue(text.to_owned()))
}

fn array(values: Vec<Option<AnyValue>>) -> Option<AnyValue> {
    any(Value::ArrayValue(ArrayValue { values: values.into_iter().map(Option::unwrap_or_default).collect() }))
}

fn key_value(key: &str, value: Option<AnyValue>) -> KeyValue {
    KeyValue { key: key.to_owned(), value, key_strindex: 0 }
}

/// Values: what the form is called, the form, what it means. Taken on every signal, in the
/// attributes of resource, scope and item.
#[test]
fn values_that_are_taken() {
    let rows: Vec<(&str, &str, Option<AnyValue>)> = vec![
        ("a string", r#"{"stringValue":"é\u00e9\n\"\\\/"}"#, text("éé\n\"\\/")),
        ("an empty string", r#"{"stringValue":""}"#, text("")),
        ("a boolean", r#"{"boolValue":false}"#, any(Value::BoolValue(false))),
        ("a quoted integer", r#"{"intValue":"-9223372036854775808"}"#, any(Value::IntValue(i64::MIN))),
        ("an integer as number", r#"{"intValue":9007199254740993}"#, any(Value::IntValue(9_007_199_254_740_993))),
        ("an integer with exponent", r#"{"intValue":1.5e3}"#, any(Value::IntValue(1500))),
        ("an integer with exponent, quoted", r#"{"intValue":"2E2"}"#, any(Value::IntValue(200))),
        ("an integer with a zero fraction", r#"{"intValue":7.0}"#, any(Value::IntValue(7))),
        ("zero", r#"{"intValue":0}"#, any(Value::IntValue(0))),
        ("a double", r#"{"doubleValue":-1.5e-7}"#, any(Value::DoubleValue(-1.5e-7))),
        ("a double without fraction", r#"{"doubleValue":3}"#, any(Value::DoubleValue(3.0))),
        ("a quoted double", r#"{"doubleValue":"0.25"}"#, any(Value::DoubleValue(0.25))),
        ("infinity", r#"{"doubleValue":"Infinity"}"#, any(Value::DoubleValue(f64::INFINITY))),
        ("negative infinity", r#"{"doubleValue":"-Infinity"}"#, any(Value::DoubleValue(f64::NEG_INFINITY))),
        ("NaN", r#"{"doubleValue":"NaN"}"#, any(Value::DoubleValue(f64::NAN))),
        ("bytes", r#"{"bytesValue":"+/8="}"#, any(Value::BytesValue(vec![0xfb, 0xff]))),
        ("bytes without padding", r#"{"bytesValue":"+/8"}"#, any(Value::BytesValue(vec![0xfb, 0xff]))),
        ("bytes in the URL-safe alphabet", r#"{"bytesValue":"-_8"}"#, any(Value::BytesValue(vec![0xfb, 0xff]))),
        ("no bytes", r#"{"bytesValue":""}"#, any(Value::BytesValue(vec![]))),
        ("no value", "{}", Some(AnyValue::default())),
        ("null for the value", "null", None),
        ("null for a member", r#"{"stringValue":null}"#, Some(AnyValue::default())),
        ("an array", r#"{"arrayValue":{"values":[{"intValue":"1"},{},{"boolValue":true}]}}"#, {
            array(vec![any(Value::IntValue(1)), None, any(Value::BoolValue(true))])
        }),
        ("an array with null in it", r#"{"arrayValue":{"values":[null,{"intValue":1}]}}"#, {
            array(vec![None, any(Value::IntValue(1))])
        }),
        ("an empty array", r#"{"arrayValue":{"values":[]}}"#, array(vec![])),
        ("an array object without values, as the Collector writes it", r#"{"arrayValue":{}}"#, array(vec![])),
        (
            "a key-value-list object without values",
            r#"{"kvlistValue":{}}"#,
            any(Value::KvlistValue(KeyValueList { values: vec![] })),
        ),
        (
            "a key-value list",
            r#"{"kvlistValue":{"values":[{"key":"a","value":{"intValue":1}},{"value":{}},{"key":"b"}]}}"#,
            any(Value::KvlistValue(KeyValueList {
                values: vec![
                    key_value("a", any(Value::IntValue(1))),
                    key_value("", Some(AnyValue::default())),
                    key_value("b", None),
                ],
            })),
        ),
        ("snake_case", r#"{"array_value":{"values":[{"string_value":"x"}]}}"#, array(vec![text("x")])),
        ("a surrogate pair", r#"{"stringValue":"\ud83d\ude00"}"#, text("😀")),
        ("a lone high surrogate", r#"{"stringValue":"a\ud800b"}"#, text("a\u{fffd}b")),
        ("a lone low surrogate", r#"{"stringValue":"a\udc00b"}"#, text("a\u{fffd}b")),
        ("a high surrogate before another escape", r#"{"stringValue":"\ud800\u0041"}"#, text("\u{fffd}A")),
        ("a high surrogate before a pair", r#"{"stringValue":"\ud800\ud83d\ude00"}"#, text("\u{fffd}😀")),
        ("a zero character", r#"{"stringValue":"\u0000"}"#, text("\0")),
        ("a key twice: the last wins", r#"{"stringValue":"a","stringValue":"b"}"#, text("b")),
        ("two members of a oneof: the last wins", r#"{"arrayValue":{},"intValue":2}"#, any(Value::IntValue(2))),
        (
            "an array twice: the last wins",
            r#"{"arrayValue":{"values":[{"intValue":1}]},"arrayValue":{"values":[{"intValue":2}]}}"#,
            array(vec![any(Value::IntValue(2))]),
        ),
        ("a member taken back by null stays", r#"{"intValue":2,"intValue":null}"#, any(Value::IntValue(2))),
        (
            "unknown members of any kind",
            r#"{"x":[{"y":[]},{},null,-1.5e3,"\u0041"],"stringValue":"v","z":{"a":{"b":true}}}"#,
            text("v"),
        ),
        ("a profiles-only member is absent", r#"{"stringValueStrindex":3}"#, Some(AnyValue::default())),
        ("white space", " {\t\"intValue\" :\r\n 1 } ", any(Value::IntValue(1))),
    ];
    for (name, json, value) in rows {
        for signal in Signal::ALL {
            let json = with_attributes(signal, &format!(r#"[{{"key":"k","value":{json}}}]"#));
            let wire = decoded(signal, &json);
            let expected = format!("{:?}", [key_value("k", value.clone())]);
            for attributes in attributes(signal, &wire) {
                assert_eq!(format!("{attributes:?}"), expected, "{name}, {signal}");
            }
        }
    }
}

/// Attributes as a whole: form, what it means.
#[test]
fn attribute_lists_that_are_taken() {
    let one = || vec![key_value("k", any(Value::IntValue(1)))];
    let rows: Vec<(&str, &str, Vec<KeyValue>)> = vec![
        ("null", "null", vec![]),
        ("none", "[]", vec![]),
        ("without key", r#"[{"value":{"intValue":1}}]"#, vec![key_value("", any(Value::IntValue(1)))]),
        ("null for the key", r#"[{"key":null,"value":{"intValue":1}}]"#, vec![key_value("", any(Value::IntValue(1)))]),
        ("null for an attribute", "[null]", vec![key_value("", None)]),
        ("without value", r#"[{"key":"k"}]"#, vec![key_value("k", None)]),
        ("key after value", r#"[{"value":{"intValue":1},"key":"k"}]"#, one()),
        ("key twice", r#"[{"key":"j","value":{"intValue":1},"key":"k"}]"#, one()),
        ("key taken back", r#"[{"key":"j","key":""}]"#, vec![key_value("", None)]),
        ("profiles-only key", r#"[{"key":"k","keyStrindex":9,"value":{"intValue":"1"}}]"#, one()),
        (
            "the same attribute twice",
            r#"[{"key":"k","value":{"intValue":1}},{"key":"k","value":{"intValue":1}}]"#,
            [one(), one()].concat(),
        ),
        // A repeated key of JSON that holds an array adds up, as in the Collector: nothing is lost.
        (
            "the list twice",
            r#"[{"key":"k","value":{"intValue":1}}],"attributes":[{"key":"k","value":{"intValue":1}}]"#,
            [one(), one()].concat(),
        ),
    ];
    for (name, json, expected) in rows {
        for signal in Signal::ALL {
            let wire = decoded(signal, &with_attributes(signal, json));
            for attributes in attributes(signal, &wire) {
                assert_eq!(attributes, expected, "{name}, {signal}");
            }
        }
    }
}

const ALL: &[Signal] = &Signal::ALL;
const TRACES: &[Signal] = &[Signal::Traces];
const METRICS: &[Signal] = &[Signal::Metrics];
const LOGS: &[Signal] = &[Signal::Logs];

/// Members of an item: the form, and a plainer one that means the same.
#[test]
fn item_members_that_are_taken() {
    let rows: &[(&str, &[Signal], &str, &str)] = &[
        (
            "snake_case",
            ALL,
            r#""time_unix_nano":"1","start_time_unix_nano":"2""#,
            r#""timeUnixNano":"1","startTimeUnixNano":"2""#,
        ),
        ("unknown member", ALL, r#""newer":{"than":["this"]},"attributes":[]"#, ""),
        (
            "both spellings, the last wins",
            TRACES,
            r#""start_time_unix_nano":1,"startTimeUnixNano":2"#,
            r#""startTimeUnixNano":"2""#,
        ),
        (
            "a time as number",
            TRACES,
            r#""startTimeUnixNano":1544712660000000000"#,
            r#""startTimeUnixNano":"1544712660000000000""#,
        ),
        (
            "a time beyond 2^63",
            TRACES,
            r#""endTimeUnixNano":"18446744073709551615""#,
            r#""endTimeUnixNano":18446744073709551615"#,
        ),
        (
            "upper-case ids",
            TRACES,
            r#""traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174""#,
            r#""traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174""#,
        ),
        ("empty ids", TRACES, r#""traceId":"","spanId":"","parentSpanId":"""#, ""),
        ("null ids", TRACES, r#""traceId":null,"spanId":null,"parentSpanId":null"#, ""),
        ("empty ids", LOGS, r#""traceId":"","spanId":"""#, ""),
        ("empty ids", METRICS, r#""exemplars":[{"traceId":"","spanId":""}]"#, r#""exemplars":[{}]"#),
        ("null for the name", TRACES, r#""name":null"#, ""),
        ("an empty name", TRACES, r#""name":"""#, ""),
        ("a name twice", TRACES, r#""name":"a","name":"b""#, r#""name":"b""#),
        ("a name taken back", TRACES, r#""name":"a","name":"""#, ""),
        ("a kind by name", TRACES, r#""kind":"SPAN_KIND_CLIENT""#, r#""kind":3"#),
        ("a kind as text", TRACES, r#""kind":"3""#, r#""kind":3"#),
        ("a kind without name", TRACES, r#""kind":77"#, r#""kind":"77""#),
        ("a negative kind", TRACES, r#""kind":-1"#, r#""kind":"-1""#),
        ("a kind taken back", TRACES, r#""kind":3,"kind":0"#, ""),
        (
            "a status code by name",
            TRACES,
            r#""status":{"code":"STATUS_CODE_ERROR","message":"m"}"#,
            r#""status":{"message":"m","code":2}"#,
        ),
        (
            "a status twice merges",
            TRACES,
            r#""status":{"code":2},"status":{"message":"m"}"#,
            r#""status":{"message":"m","code":2}"#,
        ),
        ("a severity by name", LOGS, r#""severityNumber":"SEVERITY_NUMBER_ERROR4""#, r#""severityNumber":20"#),
        ("flags", TRACES, r#""flags":"769""#, r#""flags":769"#),
        ("flags", LOGS, r#""flags":4294967295"#, r#""flags":"4294967295""#),
        ("flags", METRICS, r#""flags":"1""#, r#""flags":1"#),
        (
            "a 32-bit count as text",
            TRACES,
            r#""droppedAttributesCount":"5","dropped_events_count":"6""#,
            r#""droppedAttributesCount":5,"droppedEventsCount":6"#,
        ),
        ("a 32-bit count as text", LOGS, r#""droppedAttributesCount":"5""#, r#""droppedAttributesCount":5"#),
        (
            "events and links",
            TRACES,
            r#""events":[{"time_unix_nano":1}],"links":[{"trace_state":"x","dropped_attributes_count":"1"}]"#,
            r#""events":[{"timeUnixNano":"1"}],"links":[{"traceState":"x","droppedAttributesCount":1}]"#,
        ),
        ("a quoted double", METRICS, r#""asDouble":"2.5""#, r#""asDouble":2.5"#),
        ("NaN", METRICS, r#""asDouble":"NaN""#, r#""asDouble":"nan""#),
        ("an integer as number", METRICS, r#""asInt":-7"#, r#""asInt":"-7""#),
        (
            "two values, the last wins",
            METRICS,
            r#""asInt":1,"attributes":[{"key":"k"}],"asDouble":2"#,
            r#""attributes":[{"key":"k"}],"asDouble":2.0"#,
        ),
        ("an empty body", LOGS, r#""body":{}"#, r#""body":{"stringValue":null}"#),
        ("null for the body", LOGS, r#""body":null"#, ""),
        ("the event's name", LOGS, r#""event_name":"e""#, r#""eventName":"e""#),
    ];
    for (name, signals, given, plain) in rows {
        for &signal in *signals {
            let given = decoded(signal, &document(signal, given));
            let plain = decoded(signal, &document(signal, plain));
            assert_eq!(meaning(signal, &given), meaning(signal, &plain), "{name}, {signal}");
        }
    }
}

/// What a histogram or a summary may hold, which the other tables cannot reach.
#[test]
fn data_points_that_are_taken() {
    let metric = |members: &str| {
        decoded(
            Signal::Metrics,
            &format!(r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{{members}}}]}}]}}]}}"#),
        )
    };
    let rows = [
        (
            "a quoted sum, bounds and counts",
            r#""histogram":{"aggregationTemporality":"AGGREGATION_TEMPORALITY_DELTA","dataPoints":[
                {"count":"3","sum":"4.5","bucketCounts":["1",2],"explicitBounds":["0.5","Infinity"],"min":"NaN"}]}"#,
            r#""histogram":{"aggregationTemporality":1,"dataPoints":[
                {"count":3,"sum":4.5,"bucketCounts":[1,"2"],"explicitBounds":[0.5,"inf"],"min":"NaN"}]}"#,
        ),
        (
            "a zero sum is no absent sum",
            r#""histogram":{"dataPoints":[{"sum":0}]}"#,
            r#""histogram":{"dataPoints":[{"sum":"0.0"}]}"#,
        ),
        (
            "counts in two arrays add up",
            r#""histogram":{"dataPoints":[{"bucketCounts":[1],"bucket_counts":[2,3]}]}"#,
            r#""histogram":{"dataPoints":[{"bucketCounts":["1","2","3"]}]}"#,
        ),
        (
            "negative scale and offset",
            r#""exponential_histogram":{"data_points":[{"scale":"-3","positive":{"offset":-5,"bucket_counts":["18446744073709551615"]},"zero_threshold":"1e-9"}]}"#,
            r#""exponentialHistogram":{"dataPoints":[{"scale":-3,"positive":{"offset":"-5","bucketCounts":[18446744073709551615]},"zeroThreshold":1e-9}]}"#,
        ),
        (
            "quantiles",
            r#""summary":{"dataPoints":[{"quantile_values":[{"quantile":"0.99","value":"NaN"}]}]}"#,
            r#""summary":{"dataPoints":[{"quantileValues":[{"quantile":0.99,"value":"NaN"}]}]}"#,
        ),
        (
            "two kinds of data, the last wins",
            r#""gauge":{"dataPoints":[{},{}]},"sum":{"isMonotonic":true,"is_monotonic":false,"dataPoints":[{}]}"#,
            r#""sum":{"dataPoints":[{}]}"#,
        ),
    ];
    for (name, given, plain) in rows {
        assert_eq!(meaning(Signal::Metrics, &metric(given)), meaning(Signal::Metrics, &metric(plain)), "{name}");
    }
    let zero = Metrics::decode(&metric(rows[1].1)[..]).unwrap();
    let Some(Data::Histogram(histogram)) = &zero.resource_metrics[0].scope_metrics[0].metrics[0].data else {
        panic!("not a histogram")
    };
    assert_eq!(histogram.data_points[0].sum, Some(0.0));
    assert_eq!(histogram.data_points[0].min, None);
    // The points of the data that does not count are not counted.
    assert_eq!(check(Signal::Metrics, &metric(rows[5].1)), Ok(1));
}

/// Whole documents.
#[test]
fn documents_that_are_taken() {
    for signal in Signal::ALL {
        let item = document(signal, "");
        for (name, json, items) in [
            ("empty", "{}".to_owned(), 0),
            ("white space around", " \r\n\t{ } \n".to_owned(), 0),
            ("a byte order mark", format!("\u{feff}{item}"), 1),
            ("unknown members only", r#"{"x":1,"y":{"resourceSpans":[]}}"#.to_owned(), 0),
            ("null for the resources", item.split_once(":[").unwrap().0.to_owned() + ":null}", 0),
            ("another signal's document", document(Signal::ALL[(signal as usize + 1) % 3], ""), 0),
            (
                "snake_case down to the item",
                item.replace("resourceS", "resource_s")
                    .replace("resourceM", "resource_m")
                    .replace("resourceL", "resource_l")
                    .replace("scopeS", "scope_s")
                    .replace("scopeM", "scope_m")
                    .replace("scopeL", "scope_l")
                    .replace("logR", "log_r")
                    .replace("dataP", "data_p"),
                1,
            ),
        ] {
            let wire = decoded(signal, &json);
            assert_eq!(check(signal, &wire), Ok(items), "{name}, {signal}: {json}");
        }
    }
}

/// What is refused, and what is said about it. `@` stands for the path to the item.
#[test]
fn documents_that_are_refused() {
    let item =
        |signals: &'static [Signal], members: &str, message: &'static str| (signals, Ok(members.to_owned()), message);
    let whole = |json: &str, message: &'static str| (ALL, Err(json.to_owned()), message);
    let rows: Vec<(&[Signal], Result<String, String>, &str)> = vec![
        // Ids.
        item(
            TRACES,
            r#""traceId":"0x5b8efff798038103d269b633813fc60c""#,
            r#"@.traceId: expected 32 hexadecimal digits, found "0x5b8efff798038103d269b633813fc60c""#,
        ),
        item(TRACES, r#""traceId":"5b8efff798038103d269b633813fc6""#, "@.traceId: expected 32 hexadecimal digits"),
        item(TRACES, r#""spanId":"eee19b7ec3c1b17""#, "@.spanId: expected 16 hexadecimal digits"),
        item(TRACES, r#""parentSpanId":"eee19b7ec3c1b1zz""#, "@.parentSpanId: expected 16 hexadecimal digits"),
        item(TRACES, r#""traceId":"W47/95gDgQPSabYzgT/GDA==""#, "@.traceId: expected 32 hexadecimal digits"),
        item(TRACES, r#""traceId":"ééééééééééééééééé""#, "@.traceId: expected 32 hexadecimal digits"),
        item(TRACES, r#""traceId":12"#, "@.traceId: expected an id as a string of hexadecimal digits, found 12"),
        item(TRACES, r#""links":[{},{"spanId":"0"}]"#, "@.links[1].spanId: expected 16 hexadecimal digits"),
        item(LOGS, r#""spanId":"0xeee19b7ec3c1b1""#, "@.spanId: expected 16 hexadecimal digits"),
        item(METRICS, r#""exemplars":[{"traceId":"00"}]"#, "@.exemplars[0].traceId: expected 32 hexadecimal digits"),
        // Numbers.
        item(
            ALL,
            r#""attributes":[{"key":"k","value":{"intValue":1.5}}]"#,
            "@.attributes[0].value.intValue: expected a whole number from -9223372036854775808 to 9223372036854775807, found 1.5",
        ),
        item(ALL, r#""attributes":[{"value":{"intValue":"9223372036854775808"}}]"#, r#"found "9223372036854775808""#),
        item(ALL, r#""attributes":[{"value":{"intValue":""}}]"#, r#"found """#),
        item(ALL, r#""attributes":[{"value":{"intValue":true}}]"#, "found true"),
        item(ALL, r#""attributes":[{"value":{"intValue":01}}]"#, "expected a comma or the end of the object, found 1"),
        item(ALL, r#""attributes":[{"value":{"doubleValue":1e400}}]"#, "expected a number"),
        item(
            ALL,
            r#""attributes":[{"value":{"doubleValue":NaN}}]"#,
            r#"expected a number, "NaN", "Infinity" or "-Infinity", found NaN"#,
        ),
        item(ALL, r#""attributes":[{"value":{"doubleValue":"much"}}]"#, r#"found "much""#),
        item(ALL, r#""attributes":[{"value":{"boolValue":"true"}}]"#, "expected true or false"),
        item(ALL, r#""attributes":[{"value":{"bytesValue":"a"}}]"#, "expected a string in base64"),
        item(ALL, r#""attributes":[{"value":{"stringValue":5}}]"#, "expected a string, found 5"),
        item(
            TRACES,
            r#""startTimeUnixNano":-1"#,
            "@.startTimeUnixNano: expected a whole number from 0 to 18446744073709551615, found -1",
        ),
        item(TRACES, r#""endTimeUnixNano":18446744073709551616"#, "found 18446744073709551616"),
        item(TRACES, r#""droppedAttributesCount":4294967296"#, "expected a whole number from 0 to 4294967295"),
        item(
            TRACES,
            r#""kind":"CLIENT""#,
            r#"@.kind: expected a SpanKind by number or by name, such as SPAN_KIND_CONSUMER, found "CLIENT""#,
        ),
        item(TRACES, r#""kind":2147483648"#, "@.kind: expected a SpanKind"),
        // Shapes.
        item(ALL, r#""attributes":{}"#, "@.attributes: expected an array, found {"),
        item(ALL, r#""attributes":[1]"#, "@.attributes[0]: expected an object (KeyValue), found 1"),
        item(ALL, r#""attributes":[{"key":"k",}]"#, "@.attributes[0]: expected a key, found }"),
        item(ALL, r#""attributes":[{},]"#, "@.attributes[1]: expected an object (KeyValue), found ]"),
        item(ALL, r#""attributes":[{} {}]"#, "expected a comma or the end of the array"),
        item(METRICS, r#""exemplars":[{"asInt":null,"asInt":{}}]"#, "@.exemplars[0].asInt: expected a whole number"),
        // Strings.
        item(
            ALL,
            "\"attributes\":[{\"key\":\"a\nb\"}]",
            "a string holds the control character 0x0a, which must be escaped",
        ),
        item(ALL, r#""attributes":[{"key":"\x"}]"#, "a string holds a backslash that escapes nothing"),
        item(ALL, r#""attributes":[{"key":"\u12g4"}]"#, "a string holds a backslash that escapes nothing"),
        item(ALL, r#""attributes":[{"key":"\u+123"}]"#, "a string holds a backslash that escapes nothing"),
        // Unknown members must be JSON, too.
        item(ALL, r#""unknown":[1,2"#, "expected a comma or the end of the array, found }"),
        item(ALL, r#""unknown":[}"#, "expected a value, found }"),
        item(ALL, r#""unknown":{"a" 1}"#, "expected a colon, found 1"),
        item(ALL, r#""unknown":nul"#, "expected a value, found nul"),
        item(ALL, r#""unknown":-"#, "expected a value"),
        item(ALL, r#""unknown":1."#, "expected a value, found 1."),
        item(ALL, r#"unknown:1"#, "expected a key, found unknown:1"),
        // Documents.
        whole("", "line 1, column 1: expected an object (Export"),
        whole("null", "expected an object (Export"),
        whole("[]", "expected an object (Export"),
        whole("{", "expected a key, found the end of the text"),
        whole("{\"a", "line 1, column 2: a string does not end"),
        whole("{}{}", "line 1, column 3: the document has ended, but {"),
        whole("{}\n x", "line 2, column 2: the document has ended, but x follows"),
        whole("{}\0", "the document has ended"),
        whole("{} // comment", "the document has ended"),
        whole("\u{feff}\u{feff}{}", "expected an object"),
    ];
    for (signals, json, message) in rows {
        for &signal in signals {
            let path = match signal {
                Signal::Traces => "resourceSpans[0].scopeSpans[0].spans[0]",
                Signal::Metrics => "resourceMetrics[0].scopeMetrics[0].metrics[0].gauge.dataPoints[0]",
                Signal::Logs => "resourceLogs[0].scopeLogs[0].logRecords[0]",
            };
            let json = match &json {
                Ok(members) => document(signal, members),
                Err(whole) => whole.clone(),
            };
            let error = decode(signal, json.as_bytes()).map(|_| json.clone()).unwrap_err().to_string();
            let message = message.replace('@', path);
            assert!(error.contains(&message), "{json}\n{error}\n{message}");
        }
    }
}

#[test]
fn an_error_names_the_place_in_lines_columns_and_bytes() {
    let json = "{\n  \"resourceSpans\": [\n    {\"schemaUrl\": \"é\", \"scopeSpans\": 5}\n  ]\n}";
    let error = decode(Signal::Traces, json.as_bytes()).unwrap_err();
    assert_eq!((error.line, error.column), (3, 38));
    assert_eq!(&json[error.offset..error.offset + 2], "5}");
    assert_eq!(error.path, "resourceSpans[0].scopeSpans");
    assert_eq!(error.to_string(), "line 3, column 38: resourceSpans[0].scopeSpans: expected an array, found 5");
}

#[test]
fn text_that_is_not_utf_8_is_refused_where_it_is() {
    let error = decode(Signal::Logs, b"{\"x\":\"ab\xff\"}").unwrap_err();
    assert_eq!((error.problem, error.offset, error.column), (Problem::NotUtf8, 8, 9));
}

/// An `arrayValue` in an attribute of an item, so many arrays deep.
fn nested(signal: Signal, depth: usize) -> String {
    let value = r#"{"arrayValue":{"values":["#.repeat(depth) + "{}" + &"]}}".repeat(depth);
    document(signal, &format!(r#""attributes":[{{"key":"k","value":{value}}}]"#))
}

#[test]
fn values_nest_as_deep_as_in_protobuf_and_no_deeper() {
    // A hundred messages below the request: the path to the value takes five of traces' and logs',
    // seven of metrics', and each array two.
    for (signal, most) in [(Signal::Traces, 47), (Signal::Metrics, 46), (Signal::Logs, 47)] {
        decoded(signal, &nested(signal, most));
        let error = decode(signal, nested(signal, most + 1).as_bytes()).unwrap_err();
        assert_eq!(error.problem, Problem::TooDeep, "{signal}");
    }
}

/// Nesting that no table knows costs no stack, and a size that is no size at all.
#[test]
fn hostile_documents_are_answered_quickly() {
    let deep = 1_000_000;
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let json = format!(r#"{{"x":{}1{}}}"#, open.repeat(deep), close.repeat(deep));
        assert_eq!(decode(Signal::Traces, json.as_bytes()), Ok(vec![]));
        let json = format!(r#"{{"x":{}"#, open.repeat(deep));
        decode(Signal::Traces, json.as_bytes()).unwrap_err();
    }
    let digits = "9".repeat(1_000_000);
    for number in [digits.clone(), format!("0.{digits}e1000000"), format!("\"{digits}\""), format!("1e{digits}")] {
        let json = document(Signal::Traces, &format!(r#""startTimeUnixNano":{number}"#));
        decode(Signal::Traces, json.as_bytes()).unwrap_err();
    }
    // The same member again and again: each one takes the place of the one before.
    let again = r#""intValue":1,"#.repeat(200_000);
    let json = document(Signal::Logs, &format!(r#""body":{{{again}"stringValue":"x"}}"#));
    assert!(decoded(Signal::Logs, &json).len() < 20);
}

/// The examples that OTLP's authors publish.
#[test]
fn the_official_examples_survive_the_way_to_the_wire_and_back() {
    for (signal, json) in [
        (Signal::Traces, include_str!("../corpus/otlp-examples/trace.json")),
        (Signal::Metrics, include_str!("../corpus/otlp-examples/metrics.json")),
        (Signal::Logs, include_str!("../corpus/otlp-examples/logs.json")),
    ] {
        let wire = decoded(signal, json);
        assert!(count(signal, &wire) > 0);
        let mut given: serde_json::Value = serde_json::from_str(json).unwrap();
        let mut back: serde_json::Value = serde_json::from_str(&encode(signal, &wire).unwrap()).unwrap();
        canonical(&mut given);
        canonical(&mut back);
        assert_eq!(given, back, "{signal}");
    }
}

/// What two documents may differ in that mean the same: numbers as text, the case of ids, members
/// that hold their default.
fn canonical(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Number(number) => *value = number.as_f64().unwrap().to_string().into(),
        serde_json::Value::String(text) => *text = text.to_lowercase(),
        serde_json::Value::Array(values) => values.iter_mut().for_each(canonical),
        serde_json::Value::Object(members) => {
            members.values_mut().for_each(canonical);
            members.retain(|_, value| !matches!(value.as_str(), Some("" | "0")) && *value != serde_json::json!([]));
        }
        _ => {}
    }
}

/// Every field of every message, with a value of its own; without `..Default::default()`, so that
/// a new field in `opentelemetry-proto` stops this from compiling.
#[test]
fn every_field_survives_the_way_to_json_and_back() {
    for (signal, wire) in [
        (Signal::Traces, full::traces().encode_to_vec()),
        (Signal::Metrics, full::metrics().encode_to_vec()),
        (Signal::Logs, full::logs().encode_to_vec()),
    ] {
        let json = encode(signal, &wire).unwrap();
        assert_eq!(meaning(signal, &decoded(signal, &json)), meaning(signal, &wire), "{json}");
    }
}

/// How values are written (OTLP 1.11, "JSON Protobuf Encoding").
#[test]
fn json_is_written_as_otlp_says() {
    let json = encode(Signal::Traces, &full::traces().encode_to_vec()).unwrap();
    for part in [
        r#""traceId":"0102030405060708090a0b0c0d0e0f10""#,
        r#""kind":3"#,
        r#""startTimeUnixNano":"18446744073709551615""#,
        r#""droppedAttributesCount":4"#,
        r#"{"doubleValue":"NaN"}"#,
        r#"{"doubleValue":"-Infinity"}"#,
        r#"{"doubleValue":1e300}"#,
        r#"{"intValue":"-5"}"#,
        r#"{"bytesValue":"+/8="}"#,
        r#"{"arrayValue":{"values":[]}}"#,
        r#"{"kvlistValue":{"values":[]}}"#,
        r#"{"key":"empty","value":{}}"#,
        r#"{"key":"absent"}"#,
        r#"{"stringValue":"\"\\\n\r\t\u0001é"}"#,
        r#""flags":769"#,
    ] {
        assert!(json.contains(part), "{part}\n{json}");
    }
    assert_eq!(encode(Signal::Traces, &[]).unwrap(), "{}");
    // A default and an absent field are the same, and neither is written.
    assert_eq!(
        encode(Signal::Traces, &[10, 4, 18, 2, 18, 0]).unwrap(),
        r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{}]}]}]}"#
    );
    assert!(encode(Signal::Traces, &[10, 4, 18]).is_err());
}
