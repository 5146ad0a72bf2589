//! `verbosity: detailed`: every span, data point and log record with its attributes, read from the
//! wire form.
//!
//! The three requests have one shape (resource, scope, item, by the same field numbers), so there is
//! one walk, and one function a signal for its items. What follows is text for people: fields that
//! say nothing are left out, lines and the whole output are bounded.

use std::time::Duration;

use super::text::Lines;
use crate::otlp::Signal;
use crate::otlp::span::Kind;
use crate::otlp::value::{Value, fields};
use crate::otlp::wire::Payload;
use crate::text::{duration, timestamp};

/// Appends a whole request.
pub(super) fn request(out: &mut String, signal: Signal, body: &[u8]) {
    let item = match signal {
        Signal::Traces => span,
        Signal::Metrics => metric,
        Signal::Logs => log_record,
    };
    let mut lines = Lines::new(out);
    for resource in messages(body, 1) {
        lines.line(2, "resource", |_| {});
        for message in messages(resource, 1) {
            attributes(&mut lines, 4, message, 1);
        }
        for scope in messages(resource, 2) {
            lines.line(2, "scope", |line| {
                for message in messages(scope, 1) {
                    line.text(text(message, 1)).text(text(message, 2));
                }
                line.text(text(scope, 3));
            });
            for message in messages(scope, 1) {
                attributes(&mut lines, 4, message, 3);
            }
            for message in messages(scope, 2) {
                item(&mut lines, message);
            }
        }
    }
    lines.finish();
}

fn span(lines: &mut Lines<'_>, span: &[u8]) {
    let (start, end) = (number(span, 7).unwrap_or_default(), number(span, 8).unwrap_or_default());
    lines.line(4, "span", |line| {
        line.text(text(span, 5));
        line.word(Kind::from_number(number(span, 6).unwrap_or_default() as i32).name());
        line.word(&duration(Duration::from_nanos(end.saturating_sub(start))));
        for status in messages(span, 15) {
            match number(status, 3).unwrap_or_default() {
                1 => line.word("OK"),
                2 => line.word("ERROR"),
                _ => line,
            };
            line.text(text(status, 2));
        }
    });
    lines.line(6, "trace", |line| {
        line.hex(bytes(span, 1)).word("span").hex(bytes(span, 2));
        if !bytes(span, 4).is_empty() {
            line.word("parent").hex(bytes(span, 4));
        }
        line.word(&timestamp(start));
    });
    attributes(lines, 6, span, 9);
    for event in messages(span, 11) {
        lines.line(6, "event", |line| {
            let after = number(event, 1).unwrap_or_default().saturating_sub(start);
            line.text(text(event, 2)).word("after").word(&duration(Duration::from_nanos(after)));
        });
        attributes(lines, 8, event, 3);
    }
    for link in messages(span, 13) {
        lines.line(6, "link", |line| {
            line.word("trace").hex(bytes(link, 1)).word("span").hex(bytes(link, 2));
        });
        attributes(lines, 8, link, 4);
    }
}

fn log_record(lines: &mut Lines<'_>, record: &[u8]) {
    lines.line(4, "log record", |line| {
        line.text(text(record, 12)).text(text(record, 3));
        let time = number(record, 1).filter(|time| *time != 0).or_else(|| number(record, 11));
        line.word(&timestamp(time.unwrap_or_default()));
        for body in messages(record, 5) {
            line.value(&Value::parse(body));
        }
    });
    if !bytes(record, 9).is_empty() {
        lines.line(6, "trace", |line| {
            line.hex(bytes(record, 9)).word("span").hex(bytes(record, 10));
        });
    }
    attributes(lines, 6, record, 6);
}

/// A kind of metric: the field of its data in `Metric`, its name, and how its points are shown. A
/// point's start, time and flags have different numbers in each kind; the times are enough.
type Metric = (u32, &'static str, fn(&mut Lines<'_>, &[u8]));

const METRICS: [Metric; 5] = [
    (5, "gauge", number_point),
    (7, "sum", number_point),
    (9, "histogram", histogram_point),
    (10, "exponential histogram", exponential_point),
    (11, "summary", summary_point),
];

fn metric(lines: &mut Lines<'_>, metric: &[u8]) {
    for (field, name, point) in METRICS {
        for data in messages(metric, field) {
            lines.line(4, "metric", |line| {
                line.text(text(metric, 1)).word(name).text(text(metric, 3));
                // A gauge and a summary have no temporality, and no field of that number.
                match number(data, 2) {
                    Some(1) => line.word("delta"),
                    Some(2) => line.word("cumulative"),
                    _ => line,
                };
            });
            for message in messages(data, 1) {
                point(lines, message);
            }
        }
    }
}

fn number_point(lines: &mut Lines<'_>, point: &[u8]) {
    lines.line(6, "point", |line| {
        match (number(point, 6), double(point, 4)) {
            (Some(value), _) => line.word(&(value as i64).to_string()),
            (None, Some(value)) => line.word(&value.to_string()),
            (None, None) => line.word("no value"),
        };
        line.word(&timestamp(number(point, 3).unwrap_or_default()));
    });
    attributes(lines, 8, point, 7);
}

fn histogram_point(lines: &mut Lines<'_>, point: &[u8]) {
    lines.line(6, "point", |line| {
        line.count("count", number(point, 4)).double("sum", double(point, 5));
        line.double("min", double(point, 11)).double("max", double(point, 12));
        line.word(&timestamp(number(point, 3).unwrap_or_default()));
    });
    lines.line(8, "buckets", |line| {
        let mut bounds = fixed64s(point, 7).map(f64::from_bits);
        for count in fixed64s(point, 6) {
            match bounds.next() {
                Some(bound) => line.word(&format!("≤{bound}: {count}")),
                None => line.word(&format!("more: {count}")),
            };
        }
    });
    attributes(lines, 8, point, 9);
}

fn exponential_point(lines: &mut Lines<'_>, point: &[u8]) {
    lines.line(6, "point", |line| {
        line.count("count", number(point, 4)).double("sum", double(point, 5));
        line.double("min", double(point, 12)).double("max", double(point, 13)).count("zero", number(point, 7));
        // A `sint32`.
        let scale = number(point, 6).unwrap_or_default() as u32;
        let scale = (scale >> 1) as i32 ^ -((scale & 1) as i32);
        line.word(&format!("scale {scale}"));
        line.word(&timestamp(number(point, 3).unwrap_or_default()));
    });
    attributes(lines, 8, point, 1);
}

fn summary_point(lines: &mut Lines<'_>, point: &[u8]) {
    lines.line(6, "point", |line| {
        line.count("count", number(point, 4)).double("sum", double(point, 5));
        for value in messages(point, 6) {
            let (quantile, value) = (double(value, 1).unwrap_or_default(), double(value, 2).unwrap_or_default());
            line.word(&format!("p{}: {value}", quantile * 100.0));
        }
        line.word(&timestamp(number(point, 3).unwrap_or_default()));
    });
    attributes(lines, 8, point, 7);
}

fn attributes(lines: &mut Lines<'_>, indent: usize, message: &[u8], number: u32) {
    for entry in messages(message, number) {
        lines.line(indent, "", |line| {
            // A value in pieces is shown as pieces.
            line.attribute(text(entry, 1), messages(entry, 2).map(Value::parse));
        });
    }
}

/// The sub-messages (or strings) of a field.
fn messages(message: &[u8], number: u32) -> impl Iterator<Item = &[u8]> {
    fields(message).filter_map(move |field| match field.payload {
        Payload::Bytes(bytes) if field.number == number => Some(bytes),
        _ => None,
    })
}

/// The bytes of a field; empty if it is not there.
fn bytes(message: &[u8], number: u32) -> &[u8] {
    messages(message, number).last().unwrap_or_default()
}

fn text(message: &[u8], number: u32) -> &str {
    std::str::from_utf8(bytes(message, number)).unwrap_or_default()
}

/// The number of a field, as bits.
fn number(message: &[u8], number: u32) -> Option<u64> {
    let values = fields(message).filter(|field| field.number == number).filter_map(|field| match field.payload {
        Payload::Varint(value) | Payload::Fixed64(value) => Some(value),
        Payload::Fixed32(value) => Some(u64::from(value)),
        Payload::Bytes(_) | Payload::Group => None,
    });
    values.last()
}

fn double(message: &[u8], field: u32) -> Option<f64> {
    number(message, field).map(f64::from_bits)
}

/// The numbers of a repeated `fixed64` or `double`, packed or not.
fn fixed64s(message: &[u8], number: u32) -> impl Iterator<Item = u64> {
    fields(message).filter(move |field| field.number == number).flat_map(|field| {
        let (single, packed) = match field.payload {
            Payload::Fixed64(value) => (Some(value), &[][..]),
            Payload::Bytes(bytes) => (None, bytes),
            _ => (None, &[][..]),
        };
        let packed = packed.chunks_exact(8).filter_map(|chunk| chunk.try_into().ok()).map(u64::from_le_bytes);
        single.into_iter().chain(packed)
    })
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::common::v1::{
        AnyValue, ArrayValue, InstrumentationScope, KeyValue, any_value::Value as Any,
    };
    use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
    use opentelemetry_proto::tonic::metrics::v1::{
        Exemplar, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric,
        number_data_point,
    };
    use opentelemetry_proto::tonic::resource::v1::Resource;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span};
    use prost::Message;

    use super::*;

    fn attribute(key: &str, value: Any) -> KeyValue {
        KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
    }

    fn resource() -> Option<Resource> {
        let attributes = vec![attribute("service.name", Any::StringValue("api".into()))];
        Some(Resource { attributes, ..Resource::default() })
    }

    fn scope() -> Option<InstrumentationScope> {
        Some(InstrumentationScope { name: "litellm".into(), version: "1.0".into(), ..InstrumentationScope::default() })
    }

    fn shown(signal: Signal, request_message: &impl Message) -> String {
        let mut out = String::new();
        request(&mut out, signal, &request_message.encode_to_vec());
        out
    }

    fn spans(spans: Vec<Span>) -> ExportTraceServiceRequest {
        let scope_spans = vec![ScopeSpans { scope: scope(), spans, ..ScopeSpans::default() }];
        let resource_spans =
            vec![ResourceSpans { resource: resource(), scope_spans, schema_url: "https://opentelemetry.io".into() }];
        ExportTraceServiceRequest { resource_spans }
    }

    #[test]
    fn a_span_is_shown_with_everything_that_it_says() {
        let time = 1_763_692_810_123_000_000;
        let array = ["stop", "length"].map(|text| AnyValue { value: Some(Any::StringValue(text.into())) });
        let request = spans(vec![Span {
            trace_id: vec![0x0a; 16],
            span_id: vec![0x0b; 8],
            parent_span_id: vec![0x0c; 8],
            name: "chat gpt-4o".into(),
            kind: 3,
            start_time_unix_nano: time,
            end_time_unix_nano: time + 1_240_000_000,
            attributes: vec![
                attribute("gen_ai.request.model", Any::StringValue("gpt-4o\n\x1b[31m".into())),
                attribute("gen_ai.usage.input_tokens", Any::IntValue(532)),
                attribute("gen_ai.response.finish_reasons", Any::ArrayValue(ArrayValue { values: array.to_vec() })),
            ],
            events: vec![span::Event { time_unix_nano: time + 12_000_000, name: "first".into(), ..Default::default() }],
            links: vec![span::Link { trace_id: vec![1; 16], span_id: vec![2; 8], ..Default::default() }],
            status: Some(Status { message: "no".into(), code: 2 }),
            ..Span::default()
        }]);
        let expected = r#"  resource
    service.name = "api"
  scope  litellm  1.0
    span  chat gpt-4o  CLIENT  1.24 s  ERROR  no
      trace  0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a  span  0b0b0b0b0b0b0b0b  parent  0c0c0c0c0c0c0c0c  2025-11-21T02:40:10.123Z
      gen_ai.request.model = "gpt-4o\n\u{1b}[31m"
      gen_ai.usage.input_tokens = 532
      gen_ai.response.finish_reasons = ["stop", "length"]
      event  first  after  12 ms
      link  trace  01010101010101010101010101010101  span  0202020202020202
"#;
        assert_eq!(shown(Signal::Traces, &request), expected);
    }

    #[test]
    fn data_points_are_shown_with_their_values() {
        let attributes = vec![attribute("http.route", Any::StringValue("/".into()))];
        let sum = Sum {
            data_points: vec![NumberDataPoint {
                attributes: attributes.clone(),
                value: Some(number_data_point::Value::AsInt(-3)),
                ..NumberDataPoint::default()
            }],
            aggregation_temporality: 1,
            is_monotonic: true,
        };
        let histogram = Histogram {
            data_points: vec![HistogramDataPoint {
                attributes,
                count: 3,
                sum: Some(1.5),
                bucket_counts: vec![2, 1],
                explicit_bounds: vec![0.5],
                exemplars: vec![Exemplar::default()],
                max: Some(1.0),
                ..HistogramDataPoint::default()
            }],
            aggregation_temporality: 2,
        };
        let metric =
            |name: &str, data| Metric { name: name.into(), unit: "s".into(), data: Some(data), ..Metric::default() };
        let metrics =
            vec![metric("requests", metric::Data::Sum(sum)), metric("duration", metric::Data::Histogram(histogram))];
        let scope_metrics = vec![ScopeMetrics { scope: scope(), metrics, ..ScopeMetrics::default() }];
        let request = ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics { scope_metrics, ..ResourceMetrics::default() }],
        };
        let expected = r#"  resource
  scope  litellm  1.0
    metric  requests  sum  s  delta
      point  -3  no time
        http.route = "/"
    metric  duration  histogram  s  cumulative
      point  count 3  sum 1.5  max 1  no time
        buckets  ≤0.5: 2  more: 1
        http.route = "/"
"#;
        assert_eq!(shown(Signal::Metrics, &request), expected);
    }

    #[test]
    fn a_log_record_is_shown_with_its_body() {
        let log_records = vec![LogRecord {
            severity_text: "INFO".into(),
            event_name: "gen_ai.choice".into(),
            observed_time_unix_nano: 1_763_692_810_000_000_000,
            body: Some(AnyValue { value: Some(Any::StringValue("hello".into())) }),
            attributes: vec![attribute("ok", Any::BoolValue(true))],
            ..LogRecord::default()
        }];
        let scope_logs = vec![ScopeLogs { scope: scope(), log_records, ..ScopeLogs::default() }];
        let request =
            ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }] };
        let expected = r#"  resource
  scope  litellm  1.0
    log record  gen_ai.choice  INFO  2025-11-21T02:40:10.000Z  "hello"
      ok = true
"#;
        assert_eq!(shown(Signal::Logs, &request), expected);
    }

    #[test]
    fn long_values_and_large_requests_are_cut() {
        let long = attribute("gen_ai.input.messages", Any::StringValue("é".repeat(1000)));
        let request = spans(vec![Span { attributes: vec![long; 2000], ..Span::default() }; 3]);
        let text = shown(Signal::Traces, &request);
        assert!(text.lines().all(|line| line.chars().count() < 600), "a line is bounded");
        assert!(text.len() < 512 * 1024, "the output is bounded, {} bytes", text.len());
        assert!(text.ends_with("\n  … the rest of this request is not shown\n"));
        let husks = ExportTraceServiceRequest { resource_spans: vec![ResourceSpans::default(); 100_000] };
        assert!(shown(Signal::Traces, &husks).len() < 512 * 1024, "of whatever it consists");
    }

    #[test]
    fn deep_nesting_ends_early() {
        let mut value = AnyValue { value: Some(Any::IntValue(1)) };
        for _ in 0..30 {
            value = AnyValue { value: Some(Any::ArrayValue(ArrayValue { values: vec![value] })) };
        }
        let attributes = vec![KeyValue { key: "deep".into(), value: Some(value), ..KeyValue::default() }];
        let text = shown(Signal::Traces, &spans(vec![Span { attributes, ..Span::default() }]));
        assert!(text.contains("deep = [[[[[[[[…]]]]]]]]"), "{text}");
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            for signal in Signal::ALL {
                let mut out = String::new();
                request(&mut out, signal, &bytes);
            }
        }
    }
}
