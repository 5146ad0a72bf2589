//! What a page must say of requests, found by decoding them with prost: the sum over all series of each
//! metric, and how many label sets there are. Shares no code with what is tested.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{AggregationTemporality, NumberDataPoint};
use prost::Message;

/// Of one name on the page: how many series it has, and their sum.
pub(crate) type Sums = BTreeMap<String, (usize, f64)>;

/// What was said of intervals, from start to time.
type Intervals = BTreeMap<(u64, u64), f64>;

/// One thing that a writer says.
#[derive(Debug, Clone)]
struct Point {
    /// Name on the page and whether it is a gauge.
    name: String,
    is_gauge: bool,
    is_delta: bool,
    /// The whole resource, scope and attributes.
    writer: String,
    /// What the series can be told by on the page.
    series: String,
    start: u64,
    time: u64,
    value: f64,
}

/// What the page must say after these requests.
pub(crate) fn sums(bodies: &[Bytes]) -> Sums {
    let points: Vec<Point> = bodies.iter().flat_map(points).collect();
    let mut latest: BTreeMap<(&str, &str, &str), &Point> = BTreeMap::new();
    let mut deltas: BTreeMap<(&str, &str, &str), Intervals> = BTreeMap::new();
    for point in &points {
        // Of a gauge the latest one counts, whoever says it.
        let writer = if point.is_gauge { "" } else { &*point.writer };
        let key = (&*point.name, &*point.series, writer);
        if point.is_delta {
            deltas.entry(key).or_default().insert((point.start, point.time), point.value);
        } else {
            let there = latest.entry(key).or_insert(point);
            if point.time > there.time {
                *there = point;
            }
        }
    }
    let totals = latest.into_iter().map(|(key, point)| (key, point.value));
    let added = deltas.into_iter().map(|(key, all)| (key, all.values().sum::<f64>()));
    let mut sums = Sums::new();
    let mut series = BTreeSet::new();
    for ((name, labels, _), value) in totals.chain(added) {
        let sum = sums.entry(name.to_owned()).or_default();
        sum.0 += usize::from(series.insert((name.to_owned(), labels.to_owned())));
        sum.1 += value;
    }
    sums
}

/// How many data points there are.
pub(crate) fn count(bodies: &[Bytes]) -> usize {
    let is_one = |point: &Point| point.is_gauge || !point.name.ends_with("_count");
    bodies.iter().flat_map(points).filter(is_one).count()
}

fn points(body: &Bytes) -> Vec<Point> {
    let request = ExportMetricsServiceRequest::decode(&body[..]).unwrap();
    let mut all = Vec::new();
    for resource in request.resource_metrics {
        let attributes = resource.resource.map(|resource| resource.attributes).unwrap_or_default();
        let said =
            |key: &str| attributes.iter().find(|entry| entry.key == key).map(|entry| format!("{:?}", entry.value));
        let target = format!("{:?}", ["service.namespace", "service.name", "service.instance.id"].map(said));
        let whole = sorted(&attributes);
        for scope in resource.scope_metrics {
            let of = scope.scope.unwrap_or_default();
            let of = format!("{} {} {} {}", of.name, of.version, scope.schema_url, sorted(&of.attributes));
            for metric in scope.metrics {
                let mut put = |suffix: &str,
                               unit: &str,
                               is_gauge,
                               delta: i32,
                               attributes: &[KeyValue],
                               times: (u64, u64),
                               value| {
                    let labels = sorted(attributes);
                    all.push(Point {
                        name: name(&metric.name, unit, suffix),
                        is_gauge,
                        is_delta: delta == AggregationTemporality::Delta as i32,
                        writer: format!("{whole} {of} {labels}"),
                        series: format!("{target} {of} {labels}"),
                        start: times.0,
                        time: times.1,
                        value,
                    });
                };
                let times = |point: &NumberDataPoint| (point.start_time_unix_nano, point.time_unix_nano);
                match &metric.data {
                    Some(Data::Gauge(gauge)) => {
                        let unit = if metric.unit == "1" { "ratio" } else { &metric.unit };
                        for point in &gauge.data_points {
                            put("", unit, true, 0, &point.attributes, times(point), number(point));
                        }
                    }
                    Some(Data::Sum(sum)) => {
                        let suffix = if sum.is_monotonic { "_total" } else { "" };
                        for point in &sum.data_points {
                            put(
                                suffix,
                                &metric.unit,
                                false,
                                sum.aggregation_temporality,
                                &point.attributes,
                                times(point),
                                number(point),
                            );
                        }
                    }
                    Some(Data::Histogram(histogram)) => {
                        for point in &histogram.data_points {
                            let times = (point.start_time_unix_nano, point.time_unix_nano);
                            let delta = histogram.aggregation_temporality;
                            put("_count", &metric.unit, false, delta, &point.attributes, times, point.count as f64);
                            put("_sum", &metric.unit, false, delta, &point.attributes, times, point.sum.unwrap());
                        }
                    }
                    other => panic!("nothing of this kind was recorded: {other:?}"),
                }
            }
        }
    }
    all
}

fn number(point: &NumberDataPoint) -> f64 {
    match point.value.unwrap() {
        Value::AsDouble(number) => number,
        Value::AsInt(number) => number as f64,
    }
}

fn sorted(attributes: &[KeyValue]) -> String {
    let mut all: Vec<String> = attributes.iter().map(|entry| format!("{}={:?}", entry.key, entry.value)).collect();
    all.sort();
    all.join(",")
}

/// A name on the page, of the units that were recorded.
fn name(name: &str, unit: &str, suffix: &str) -> String {
    let unit = match unit {
        "s" => "seconds",
        "ms" => "milliseconds",
        "By" => "bytes",
        "ratio" => "ratio",
        "USD" => "USD",
        "" | "1" => "",
        unit if unit.starts_with('{') && unit.ends_with('}') => "",
        other => other,
    };
    let escaped: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
    let has_unit = unit.is_empty() || escaped.split('_').any(|word| word == unit);
    let base = if has_unit { escaped } else { format!("{escaped}_{unit}") };
    // Prometheus' translator moves a word `total` to the end: `total_tokens` is `tokens_total`.
    let words: Vec<&str> = base.split('_').filter(|word| suffix != "_total" || *word != "total").collect();
    format!("{}{suffix}", words.join("_"))
}
