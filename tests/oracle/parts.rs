//! Cutting a request into parts, against prost: the parts hold the same items, in their order, each
//! below the same resource and scope, and unknown fields are still there.

use bytes::Bytes;
use dragoman::otlp::schema::{Items, Kind, Message, request};
use dragoman::otlp::signal::Signal;
use dragoman::otlp::split::{Limits, Part, Split, SplitError};
use dragoman::otlp::wire::{Payload, Reader};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::Message as _;

use super::{Logs, Metrics, Traces};

/// All parts.
pub(crate) fn split(signal: Signal, body: &Bytes, limits: Limits) -> Result<Vec<Part>, SplitError> {
    let mut split = Split::new(signal, body, limits);
    let mut parts = Vec::new();
    while let Some(part) = split.next()? {
        parts.push(part);
    }
    assert_eq!(split.next(), Ok(None), "the end is the end");
    Ok(parts)
}

/// Cuts `body`, and compares what came out with what prost makes of both.
pub(crate) fn parts_are_the_whole(signal: Signal, body: &[u8], limits: Limits) {
    let body = Bytes::copy_from_slice(body);
    let Some(expected) = items(signal, &body) else {
        // What is no request may be cut or refused; the items themselves are not looked into.
        drop(split(signal, &body, limits));
        return;
    };
    let parts = split(signal, &body, limits).expect("prost accepts it");
    let mut found = Vec::new();
    for part in &parts {
        let held = items(signal, &part.body).expect("a part is a request");
        assert_eq!(part.items, held.len(), "the count of a part");
        let is_within = part.body.len() <= limits.bytes && part.items <= limits.items;
        assert!(is_within || part.items <= 1, "{} bytes and {} items: {limits:?}", part.body.len(), part.items);
        found.extend(held);
    }
    assert_eq!(found, expected);
    let one = parts.iter().flat_map(|part| part.body.to_vec()).collect::<Vec<_>>();
    assert_eq!(items(signal, &one), Some(expected), "parts after each other are one request");
    if signal != Signal::Metrics {
        let encoded = parts.iter().flat_map(|part| encoded_items(signal, &part.body));
        assert_eq!(encoded.collect::<Vec<_>>(), encoded_items(signal, &body), "unknown fields included");
    }
    if body.len() <= limits.bytes && found.len() <= limits.items {
        assert_eq!(parts.len(), 1);
        assert_eq!(parts[0].body.as_ptr(), body.as_ptr(), "what fits is not copied");
    }
}

/// Every item, with what stands around it, as text: NaN is not equal to itself, its text is.
fn items(signal: Signal, body: &[u8]) -> Option<Vec<String>> {
    let mut all = Vec::new();
    match signal {
        Signal::Traces => {
            for resource in Traces::decode(body).ok()?.resource_spans {
                for scope in resource.scope_spans {
                    let around = (&resource.resource, &resource.schema_url, &scope.scope, &scope.schema_url);
                    all.extend(scope.spans.iter().map(|span| format!("{around:?} {span:?}")));
                }
            }
        }
        Signal::Logs => {
            for resource in Logs::decode(body).ok()?.resource_logs {
                for scope in resource.scope_logs {
                    let around = (&resource.resource, &resource.schema_url, &scope.scope, &scope.schema_url);
                    all.extend(scope.log_records.iter().map(|record| format!("{around:?} {record:?}")));
                }
            }
        }
        Signal::Metrics => {
            for resource in Metrics::decode(body).ok()?.resource_metrics {
                for scope in resource.scope_metrics {
                    let around = (&resource.resource, &resource.schema_url, &scope.scope, &scope.schema_url);
                    for mut metric in scope.metrics {
                        let points = metric.data.as_mut().map(take_points).unwrap_or_default();
                        all.extend(points.iter().map(|point| format!("{around:?} {metric:?} {point}")));
                    }
                }
            }
        }
    }
    Some(all)
}

/// The points, as text, which leaves what they have in common.
fn take_points(data: &mut Data) -> Vec<String> {
    fn text<P: std::fmt::Debug>(points: &mut Vec<P>) -> Vec<String> {
        points.drain(..).map(|point| format!("{point:?}")).collect()
    }
    match data {
        Data::Gauge(gauge) => text(&mut gauge.data_points),
        Data::Sum(sum) => text(&mut sum.data_points),
        Data::Histogram(histogram) => text(&mut histogram.data_points),
        Data::ExponentialHistogram(histogram) => text(&mut histogram.data_points),
        Data::Summary(summary) => text(&mut summary.data_points),
    }
}

/// Every span or log record as bytes, behind all bytes of its resource and of its scope that are not
/// spans or records themselves.
pub(crate) fn encoded_items(signal: Signal, body: &[u8]) -> Vec<Vec<Vec<u8>>> {
    fn walk(message: &'static Message, content: &[u8], around: &[Vec<u8>], out: &mut Vec<Vec<Vec<u8>>>) {
        let (mut own, mut children) = (Vec::new(), Vec::new());
        let mut reader = Reader::new(content);
        while let Some(field) = reader.next().expect("checked before") {
            let inner = message.field(field.number).map(|field| field.kind);
            match (inner, field.payload) {
                (Some(Kind::Message(inner)), Payload::Bytes(bytes)) if inner.items != Items::None => {
                    children.push((inner, bytes));
                }
                _ => own.extend_from_slice(&content[field.start..field.end]),
            }
        }
        if message.items == Items::Itself {
            out.push([around, &[content.to_vec()]].concat());
        }
        let around = [around, &[own]].concat();
        children.into_iter().for_each(|(inner, bytes)| walk(inner, bytes, &around, out));
    }
    let mut out = Vec::new();
    walk(request(signal), body, &[], &mut out);
    out
}
