//! The `genai` stage of a metrics pipeline, driven as a pipeline drives it, and requests for it.

use std::sync::Arc;

use bytes::Bytes;
use dragoman::genai::metric::Fate;
use dragoman::genai::settings::{Genai, Originals, Target};
use dragoman::metrics::native::Derived;
use dragoman::otlp::metrics::{Metric, Origin, Outcome, Visitor, edit};
use dragoman::pipeline::{Context, Pass, Stage};
use dragoman::processor::own_metrics::OwnMetrics;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    Histogram, HistogramDataPoint, Metric as Decoded, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
    number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

/// Every target and both ways with originals.
pub(crate) fn all_settings() -> Vec<Genai> {
    let originals = [Originals::Replace, Originals::Keep];
    let both = |target| originals.map(|originals| Genai { target, originals, ..Genai::default() });
    [Target::V1_41, Target::Main].into_iter().flat_map(both).collect()
}

pub(crate) fn to(target: Target) -> Genai {
    Genai { target, ..Genai::default() }
}

struct Drive<'s>(Box<dyn Pass + Send + 's>, &'s Bytes);

impl Visitor for Drive<'_> {
    fn metric(&mut self, metric: &mut Metric<'_>, origin: &Origin<'_>) {
        self.0.metric(metric, &mut Context { origin, body: self.1, call: None });
    }
}

/// Sends a request through a stage, accepted.
pub(crate) fn accept(stage: &OwnMetrics, body: &Bytes) -> Outcome {
    let mut drive = Drive(stage.pass(), body);
    let outcome = edit(body, &mut drive).unwrap();
    drive.0.commit();
    outcome
}

/// Sends a request through a stage of its own.
pub(crate) fn translate(settings: &Genai, body: &Bytes) -> (Outcome, Vec<(Fate, u64)>) {
    let stage = OwnMetrics::new(settings, Vec::new());
    let outcome = accept(&stage, body);
    (outcome, stage.fates())
}

pub(crate) fn stage(settings: &Genai, derived: Arc<dyn Derived>) -> OwnMetrics {
    OwnMetrics::new(settings, vec![derived])
}

pub(crate) fn decode(body: &[u8]) -> ExportMetricsServiceRequest {
    ExportMetricsServiceRequest::decode(body).unwrap()
}

/// Every metric with its service and scope.
pub(crate) fn metrics(body: &[u8]) -> Vec<(String, String, Decoded)> {
    let mut found = Vec::new();
    for resource in decode(body).resource_metrics {
        let attributes = resource.resource.unwrap_or_default().attributes;
        let service = crate::support::text(&attributes, "service.name").unwrap_or_default().to_owned();
        for scope in resource.scope_metrics {
            let name = scope.scope.unwrap_or_default().name;
            found.extend(scope.metrics.into_iter().map(|metric| (service.clone(), name.clone(), metric)));
        }
    }
    found
}

pub(crate) fn attributes(entries: &[(&str, &str)]) -> Vec<KeyValue> {
    let entry = |(key, value): &(&str, &str)| KeyValue {
        key: (*key).to_owned(),
        value: Some(AnyValue { value: Some(Value::StringValue((*value).to_owned())) }),
        ..KeyValue::default()
    };
    entries.iter().map(entry).collect()
}

/// One request of one scope.
pub(crate) fn request(service: &str, scope: &str, metrics: Vec<Decoded>) -> Bytes {
    let scope = InstrumentationScope { name: scope.to_owned(), ..InstrumentationScope::default() };
    let resource = Resource { attributes: attributes(&[("service.name", service)]), ..Resource::default() };
    let metrics = ScopeMetrics { scope: Some(scope), metrics, ..ScopeMetrics::default() };
    let resource =
        ResourceMetrics { resource: Some(resource), scope_metrics: vec![metrics], ..ResourceMetrics::default() };
    ExportMetricsServiceRequest { resource_metrics: vec![resource] }.encode_to_vec().into()
}

/// A cumulative histogram; a point for each sum and its attributes.
pub(crate) fn histogram(name: &str, unit: &str, points: &[(f64, &[(&str, &str)])]) -> Decoded {
    let point = |(sum, labels): &(f64, &[(&str, &str)])| HistogramDataPoint {
        attributes: attributes(labels),
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        count: 1,
        sum: Some(*sum),
        bucket_counts: vec![0, 1],
        explicit_bounds: vec![5.0],
        ..HistogramDataPoint::default()
    };
    let data_points = points.iter().map(point).collect();
    metric(name, unit, Data::Histogram(Histogram { data_points, aggregation_temporality: 2 }))
}

/// A cumulative, monotonic sum; a point for each number and its attributes.
pub(crate) fn sum(name: &str, unit: &str, points: &[(i64, &[(&str, &str)])]) -> Decoded {
    let point = |(number, labels): &(i64, &[(&str, &str)])| NumberDataPoint {
        attributes: attributes(labels),
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        value: Some(number_data_point::Value::AsInt(*number)),
        ..NumberDataPoint::default()
    };
    let data_points = points.iter().map(point).collect();
    metric(name, unit, Data::Sum(Sum { data_points, aggregation_temporality: 2, is_monotonic: true }))
}

fn metric(name: &str, unit: &str, data: Data) -> Decoded {
    Decoded { name: name.to_owned(), unit: unit.to_owned(), data: Some(data), ..Decoded::default() }
}

/// What a metric says, for people: name, unit, and each point's number and attributes.
pub(crate) fn said(body: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    for (_, _, metric) in metrics(body) {
        for (number, labels) in points(&metric) {
            let labels: Vec<_> = labels
                .iter()
                .map(|entry| format!("{}={}", entry.key, crate::support::text(&labels, &entry.key).unwrap_or("?")))
                .collect();
            lines.push(format!("{} {} {number} {}", metric.name, metric.unit, labels.join(" ")));
        }
    }
    lines
}

/// Each point's number (a distribution's sum) and attributes.
pub(crate) fn points(metric: &Decoded) -> Vec<(f64, Vec<KeyValue>)> {
    let numbers = |points: &[NumberDataPoint]| -> Vec<_> {
        let number = |point: &NumberDataPoint| match point.value {
            Some(number_data_point::Value::AsInt(number)) => number as f64,
            Some(number_data_point::Value::AsDouble(number)) => number,
            None => f64::NAN,
        };
        points.iter().map(|point| (number(point), point.attributes.clone())).collect()
    };
    match metric.data.as_ref() {
        Some(Data::Sum(sum)) => numbers(&sum.data_points),
        Some(Data::Gauge(gauge)) => numbers(&gauge.data_points),
        Some(Data::Histogram(histogram)) => {
            let points = histogram.data_points.iter();
            points.map(|point| (point.sum.unwrap_or(f64::NAN), point.attributes.clone())).collect()
        }
        Some(Data::ExponentialHistogram(histogram)) => {
            let points = histogram.data_points.iter();
            points.map(|point| (point.sum.unwrap_or(f64::NAN), point.attributes.clone())).collect()
        }
        Some(Data::Summary(summary)) => {
            summary.data_points.iter().map(|point| (point.sum, point.attributes.clone())).collect()
        }
        None => Vec::new(),
    }
}

/// A point without its attributes, and its metric without name, unit and points: what no translation
/// may touch.
pub(crate) fn untouchable(metric: &Decoded) -> Vec<String> {
    let mut points = Vec::new();
    match metric.data.clone() {
        Some(Data::Sum(mut sum)) => {
            for point in std::mem::take(&mut sum.data_points) {
                points.push(format!("{sum:?} {:?}", NumberDataPoint { attributes: Vec::new(), ..point }));
            }
        }
        Some(Data::Histogram(mut histogram)) => {
            for point in std::mem::take(&mut histogram.data_points) {
                points.push(format!("{histogram:?} {:?}", HistogramDataPoint { attributes: Vec::new(), ..point }));
            }
        }
        other => points.push(format!("{other:?}")),
    }
    points.iter().map(|point| format!("{} {point}", metric.description)).collect()
}
