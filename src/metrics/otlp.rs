//! Families as an OTLP `ExportMetricsServiceRequest`, for the exporters of a metrics pipeline.

use std::collections::BTreeMap;
use std::time::SystemTime;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Exemplar as OtlpExemplar, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, Sum, exemplar, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

use super::snapshot::{Distribution, Exemplar, Family, Kind, Label, LabelValue, Scope, Series, Value, unix_nano};

/// The label that is the resource's.
const SERVICE: &str = "service.name";

/// An encoded request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The request in its wire form.
    pub body: Bytes,
    /// Data points in it.
    pub points: usize,
}

/// Encodes families as of `now`, with a resource for each service. Counters and histograms are
/// cumulative since their series began. Families of [`Kind::Info`] have no place in OTLP and are
/// left out, and so is what no derived metric is: summaries and exponential histograms. `None` if there is no point.
pub fn encode(families: &[Family], schema_url: &str, now: SystemTime) -> Option<Encoded> {
    let now = unix_nano(now);
    let mut points = 0;
    let mut services: BTreeMap<&LabelValue, Vec<ScopeMetrics>> = BTreeMap::new();
    let unnamed = LabelValue::Text("".into());
    for family in families {
        let mut by_service: BTreeMap<&LabelValue, Vec<&Series>> = BTreeMap::new();
        for series in &family.series {
            let service =
                series.labels.iter().find(|label| label.key == SERVICE).map_or(&unnamed, |label| &label.value);
            by_service.entry(service).or_default().push(series);
        }
        for (service, series) in by_service {
            let Some((data, count)) = data(family.kind, &series, now) else { continue };
            points += count;
            let metric = Metric {
                name: family.name.clone().into_owned(),
                description: family.help.clone().into_owned(),
                unit: family.unit.clone().into_owned(),
                data: Some(data),
                ..Metric::default()
            };
            let scopes = services.entry(service).or_default();
            let scope = family.scope.map(scope);
            match scopes.iter_mut().find(|metrics| metrics.scope == scope) {
                Some(metrics) => metrics.metrics.push(metric),
                None => scopes.push(ScopeMetrics { scope, metrics: vec![metric], schema_url: schema_url.to_owned() }),
            }
        }
    }
    if points == 0 {
        return None;
    }
    let resource_metrics = services
        .into_iter()
        .map(|(service, scope_metrics)| ResourceMetrics {
            resource: Some(resource(service, &unnamed)),
            scope_metrics,
            schema_url: String::new(),
        })
        .collect();
    Some(Encoded { body: ExportMetricsServiceRequest { resource_metrics }.encode_to_vec().into(), points })
}

fn resource(service: &LabelValue, unnamed: &LabelValue) -> Resource {
    let mut resource = Resource::default();
    if service != unnamed {
        resource.attributes.push(attribute(SERVICE, service));
    }
    resource
}

fn scope(scope: Scope) -> InstrumentationScope {
    InstrumentationScope {
        name: scope.name.to_owned(),
        version: scope.version.to_owned(),
        ..InstrumentationScope::default()
    }
}

fn data(kind: Kind, series: &[&Series], now: u64) -> Option<(metric::Data, usize)> {
    let temporality = i32::from(AggregationTemporality::Cumulative);
    let numbers = || -> Vec<_> { series.iter().filter_map(|series| number(series, now)).collect() };
    let (data, count) = match kind {
        Kind::Counter => {
            let data_points = numbers();
            let count = data_points.len();
            (metric::Data::Sum(Sum { data_points, aggregation_temporality: temporality, is_monotonic: true }), count)
        }
        Kind::Gauge => {
            let data_points = numbers();
            let count = data_points.len();
            (metric::Data::Gauge(Gauge { data_points }), count)
        }
        Kind::Histogram => {
            let data_points: Vec<_> = series.iter().filter_map(|series| histogram(series, now)).collect();
            let count = data_points.len();
            (metric::Data::Histogram(Histogram { data_points, aggregation_temporality: temporality }), count)
        }
        Kind::Summary | Kind::Info => return None,
    };
    (count > 0).then_some((data, count))
}

fn number(series: &Series, now: u64) -> Option<NumberDataPoint> {
    let (value, exemplar) = match &series.value {
        // OTLP's integers are signed.
        Value::Integer(value, exemplar) => {
            (number_data_point::Value::AsInt(i64::try_from(*value).unwrap_or(i64::MAX)), exemplar.as_ref())
        }
        Value::Signed(value) => (number_data_point::Value::AsInt(*value), None),
        Value::Double(value, exemplar) => (number_data_point::Value::AsDouble(*value), exemplar.as_ref()),
        Value::Histogram(_) | Value::Native(_) | Value::Summary(_) => return None,
    };
    Some(NumberDataPoint {
        attributes: attributes(&series.labels),
        start_time_unix_nano: series.start_time_unix_nano,
        time_unix_nano: now.max(series.start_time_unix_nano),
        exemplars: exemplar.map(otlp_exemplar).into_iter().collect(),
        flags: 0,
        value: Some(value),
    })
}

fn histogram(series: &Series, now: u64) -> Option<HistogramDataPoint> {
    let Value::Histogram(distribution) = &series.value else { return None };
    let Distribution { bounds, counts, sum, exemplars } = distribution;
    Some(HistogramDataPoint {
        attributes: attributes(&series.labels),
        start_time_unix_nano: series.start_time_unix_nano,
        time_unix_nano: now.max(series.start_time_unix_nano),
        count: distribution.count(),
        sum: *sum,
        bucket_counts: counts.to_vec(),
        explicit_bounds: bounds.to_vec(),
        exemplars: exemplars.iter().map(|(_, exemplar)| otlp_exemplar(exemplar)).collect(),
        ..HistogramDataPoint::default()
    })
}

fn otlp_exemplar(exemplar: &Exemplar) -> OtlpExemplar {
    OtlpExemplar {
        filtered_attributes: attributes(&exemplar.attributes),
        time_unix_nano: exemplar.time_unix_nano,
        span_id: exemplar.span_id.map(|id| id.0.to_vec()).unwrap_or_default(),
        trace_id: exemplar.trace_id.map(|id| id.0.to_vec()).unwrap_or_default(),
        value: Some(exemplar::Value::AsDouble(exemplar.value)),
    }
}

fn attributes(labels: &[Label]) -> Vec<KeyValue> {
    labels.iter().filter(|label| label.key != SERVICE).map(|label| attribute(&label.key, &label.value)).collect()
}

fn attribute(key: &str, value: &LabelValue) -> KeyValue {
    let value = match value {
        LabelValue::Text(text) => any_value::Value::StringValue(text.to_string()),
        LabelValue::Integer(number) => any_value::Value::IntValue(*number),
        LabelValue::Bool(flag) => any_value::Value::BoolValue(*flag),
    };
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::metrics::snapshot::{Bounds, Labels};
    use crate::otlp::{SpanId, TraceId};

    const SCOPE: Scope = Scope { name: "dragoman", version: "1" };

    fn series(labels: &[Label], value: Value) -> Series {
        Series { labels: Labels::from(labels), start_time_unix_nano: 1_000, time_unix_nano: 0, value }
    }

    fn family(name: &'static str, kind: Kind, series: Vec<Series>) -> Family {
        Family {
            name: name.into(),
            help: "Help".into(),
            unit: "{token}".into(),
            kind,
            scope: Some(SCOPE),
            namespace: None,
            series,
        }
    }

    fn exemplar() -> Exemplar {
        Exemplar {
            value: 3.0,
            time_unix_nano: 1_500,
            trace_id: Some(TraceId([1; 16])),
            span_id: Some(SpanId([2; 8])),
            attributes: vec![],
        }
    }

    fn decode(families: &[Family]) -> (ExportMetricsServiceRequest, usize) {
        let encoded = encode(families, "https://schema", UNIX_EPOCH + Duration::from_nanos(2_000)).unwrap();
        (ExportMetricsServiceRequest::decode(encoded.body).unwrap(), encoded.points)
    }

    #[test]
    fn a_resource_for_each_service_and_sums_that_are_equal() {
        let service = |name: &str| Label::text("service.name", name);
        let distribution = |sum: f64| {
            Value::Histogram(Distribution {
                bounds: Bounds::Static(&[1.0, 4.0]),
                counts: [0, 2, 1].into(),
                sum: Some(sum),
                exemplars: vec![(1, exemplar())],
            })
        };
        let port = Label { key: "server.port".into(), value: LabelValue::Integer(443) };
        let overflow = Label { key: "otel.metric.overflow".into(), value: LabelValue::Bool(true) };
        let (request, points) = decode(&[
            family(
                "h",
                Kind::Histogram,
                vec![
                    series(&[service("a"), port], distribution(12.0)),
                    series(&[service("b")], distribution(30.0)),
                    series(&[overflow], distribution(7.0)),
                ],
            ),
            family("c", Kind::Counter, vec![series(&[service("a")], Value::Integer(u64::MAX, Some(exemplar())))]),
            family("g", Kind::Gauge, vec![series(&[service("b")], Value::Double(0.5, None))]),
            family("i", Kind::Info, vec![series(&[], Value::Integer(1, None))]),
        ]);
        assert_eq!(points, 5);
        let services: Vec<_> = request
            .resource_metrics
            .iter()
            .map(|metrics| {
                let attributes = &metrics.resource.as_ref().unwrap().attributes;
                let names = metrics.scope_metrics[0].metrics.iter().map(|metric| metric.name.as_str());
                (
                    attributes.iter().map(|a| format!("{:?}", a.value)).collect::<Vec<_>>().len(),
                    names.collect::<Vec<_>>(),
                )
            })
            .collect();
        assert_eq!(services, [(0, vec!["h"]), (1, vec!["h", "c"]), (1, vec!["h", "g"])]);

        let a = &request.resource_metrics[1].scope_metrics[0];
        assert_eq!((a.scope.as_ref().unwrap().name.as_str(), a.schema_url.as_str()), ("dragoman", "https://schema"));
        let Some(metric::Data::Histogram(histogram)) = &a.metrics[0].data else { panic!("{:?}", a.metrics[0]) };
        assert_eq!(histogram.aggregation_temporality(), AggregationTemporality::Cumulative);
        let point = &histogram.data_points[0];
        assert_eq!(
            (point.start_time_unix_nano, point.time_unix_nano, point.count, point.sum),
            (1_000, 2_000, 3, Some(12.0))
        );
        assert_eq!((&point.bucket_counts[..], &point.explicit_bounds[..]), (&[0, 2, 1][..], &[1.0, 4.0][..]));
        assert_eq!(point.attributes.len(), 1, "service.name is the resource's");
        assert_eq!(point.attributes[0].value.as_ref().unwrap().value, Some(any_value::Value::IntValue(443)));
        assert_eq!((&point.exemplars[0].trace_id[..], &point.exemplars[0].span_id[..]), (&[1; 16][..], &[2; 8][..]));

        let Some(metric::Data::Sum(sum)) = &a.metrics[1].data else { panic!("{:?}", a.metrics[1]) };
        assert!(sum.is_monotonic);
        assert_eq!(sum.data_points[0].value, Some(number_data_point::Value::AsInt(i64::MAX)));
        let total: f64 = request
            .resource_metrics
            .iter()
            .flat_map(|metrics| &metrics.scope_metrics[0].metrics)
            .filter_map(|metric| match &metric.data {
                Some(metric::Data::Histogram(histogram)) => Some(histogram.data_points.iter().filter_map(|p| p.sum)),
                _ => None,
            })
            .flatten()
            .sum();
        assert_eq!(total, 49.0);
    }

    #[test]
    fn nothing_recorded_is_no_request() {
        assert_eq!(encode(&[family("c", Kind::Counter, vec![])], "", UNIX_EPOCH), None);
        assert_eq!(encode(&[], "", UNIX_EPOCH), None);
    }
}
