//! Metrics that an application sends over OTLP, read by a real Prometheus: as OpenMetrics, and over
//! protobuf with native histograms.

use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram,
    HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint,
    exemplar, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

use crate::process::{Dragoman, file, http};
use crate::scraper::Scraper;

/// Metrics in, a page out.
const CONFIG: &str = "
receivers:
  otlp: { protocols: { grpc: { endpoint: 127.0.0.1:0 }, http: { endpoint: 127.0.0.1:0 } } }
exporters:
  prometheus: { endpoint: 127.0.0.1:0, namespace: app }
extensions:
  health_check: { endpoint: 127.0.0.1:0 }
service:
  extensions: [health_check]
  telemetry: { metrics: { address: 127.0.0.1:0 } }
  pipelines:
    metrics: { receivers: [otlp], exporters: [prometheus] }
";

fn attribute(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(any_value::Value::StringValue(value.into())) });
    KeyValue { key: key.into(), value, ..KeyValue::default() }
}

/// A metric of every kind, as an SDK would send it now.
fn request() -> Vec<u8> {
    let now = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()).unwrap();
    let start = now - 60_000_000_000;
    let cumulative = i32::from(AggregationTemporality::Cumulative);
    let exemplar = |value: f64| Exemplar {
        time_unix_nano: now,
        trace_id: vec![0xab; 16],
        span_id: vec![0xcd; 8],
        value: Some(exemplar::Value::AsDouble(value)),
        ..Exemplar::default()
    };
    let attributes = || vec![attribute("http.route", "/buy")];
    let number = |value, exemplars| NumberDataPoint {
        attributes: attributes(),
        start_time_unix_nano: start,
        time_unix_nano: now,
        value: Some(value),
        exemplars,
        flags: 0,
    };
    let integer = number_data_point::Value::AsInt;
    let sum = Sum {
        data_points: vec![number(integer(42), vec![exemplar(1.0)])],
        aggregation_temporality: cumulative,
        is_monotonic: true,
    };
    let explicit = HistogramDataPoint {
        attributes: attributes(),
        start_time_unix_nano: start,
        time_unix_nano: now,
        count: 10,
        sum: Some(7.0),
        bucket_counts: vec![0, 10, 0],
        explicit_bounds: vec![0.5, 1.0],
        exemplars: vec![exemplar(0.7)],
        ..HistogramDataPoint::default()
    };
    // Scale 0: 30 values in (1, 2], 10 in (4, 8].
    let exponential = ExponentialHistogramDataPoint {
        attributes: attributes(),
        start_time_unix_nano: start,
        time_unix_nano: now,
        count: 42,
        sum: Some(105.0),
        scale: 0,
        zero_count: 2,
        positive: Some(Buckets { offset: 0, bucket_counts: vec![30, 0, 10] }),
        exemplars: vec![exemplar(1.5)],
        ..ExponentialHistogramDataPoint::default()
    };
    let summary = SummaryDataPoint {
        attributes: attributes(),
        start_time_unix_nano: start,
        time_unix_nano: now,
        count: 9,
        sum: 18.0,
        quantile_values: vec![ValueAtQuantile { quantile: 0.5, value: 1.5 }],
        flags: 0,
    };
    let metrics = [
        ("calls", "{call}", metric::Data::Sum(sum)),
        ("level", "1", metric::Data::Gauge(Gauge { data_points: vec![number(integer(-7), vec![])] })),
        (
            "wait",
            "s",
            metric::Data::Histogram(Histogram { data_points: vec![explicit], aggregation_temporality: cumulative }),
        ),
        (
            "size",
            "By",
            metric::Data::ExponentialHistogram(ExponentialHistogram {
                data_points: vec![exponential],
                aggregation_temporality: cumulative,
            }),
        ),
        ("lag", "ms", metric::Data::Summary(Summary { data_points: vec![summary] })),
    ]
    .into_iter()
    .map(|(name, unit, data)| Metric {
        name: name.into(),
        description: format!("The {name}"),
        unit: unit.into(),
        data: Some(data),
        ..Metric::default()
    });
    let resource = Resource {
        attributes: vec![
            attribute("service.namespace", "shop"),
            attribute("service.name", "checkout"),
            attribute("service.instance.id", "pod-1"),
            attribute("k8s.pod.name", "checkout-0"),
        ],
        ..Resource::default()
    };
    let scope = InstrumentationScope { name: "meter".into(), version: "3".into(), ..InstrumentationScope::default() };
    let scope_metrics =
        vec![ScopeMetrics { scope: Some(scope), metrics: metrics.collect(), ..ScopeMetrics::default() }];
    let resource_metrics =
        vec![ResourceMetrics { resource: Some(resource), scope_metrics, ..ResourceMetrics::default() }];
    ExportMetricsServiceRequest { resource_metrics }.encode_to_vec()
}

#[test]
fn a_real_prometheus_reads_every_kind() {
    let folder = tempfile::tempdir().unwrap();
    let dragoman = Dragoman::start(&file(&folder, "dragoman.yaml", CONFIG));
    let headers = [("content-type", "application/x-protobuf")];
    assert_eq!(http(dragoman.http, "POST", "/v1/metrics", &headers, &request()).unwrap().status, 200);
    let target = dragoman.prometheus.unwrap();
    let mut text = Scraper::of_one("exemplar-storage", target);
    let mut binary = Scraper::of_one("exemplar-storage,native-histograms", target);
    for (prometheus, form) in [(&mut text, "text"), (&mut binary, "protobuf")] {
        prometheus.wait_for("app_calls_total", |_| true);
        let labels = "job=\"shop/checkout\",instance=\"pod-1\",otel_scope_name=\"meter\",http_route=\"/buy\"";
        for (expression, expected) in [
            (format!("app_calls_total{{{labels}}}"), 42.0),
            (format!("app_level_ratio{{{labels}}}"), -7.0),
            (format!("app_wait_seconds_count{{{labels}}}"), 10.0),
            ("app_wait_seconds_sum".to_owned(), 7.0),
            ("app_wait_seconds_bucket{le=\"1.0\"}".to_owned(), 10.0),
            ("histogram_quantile(0.5, app_wait_seconds_bucket)".to_owned(), 0.75),
            ("app_lag_milliseconds{quantile=\"0.5\"}".to_owned(), 1.5),
            ("app_lag_milliseconds_count".to_owned(), 9.0),
            (
                "app_calls_total * on (job, instance) group_left (k8s_pod_name) \
                 target_info{k8s_pod_name=\"checkout-0\"}"
                    .to_owned(),
                42.0,
            ),
        ] {
            assert_eq!(prometheus.value(&expression), Some(expected), "{expression}");
        }
        assert_eq!(prometheus.errors(), [""; 0]);
        for series in ["app_calls_total", "app_wait_seconds_bucket"] {
            let labels = prometheus.exemplar(series);
            assert_eq!(labels["trace_id"], "ab".repeat(16), "{series} over {form}: {labels}");
            assert_eq!(labels["span_id"], "cd".repeat(8), "{series} over {form}: {labels}");
        }
    }
    // The exponential histogram: powers of two as text, a native one over protobuf.
    for (expression, expected) in [
        ("app_size_bytes_bucket{le=\"0.0\"}", 2.0),
        ("app_size_bytes_bucket{le=\"2.0\"}", 32.0),
        ("app_size_bytes_bucket{le=\"8.0\"}", 42.0),
        ("app_size_bytes_count", 42.0),
        ("app_size_bytes_sum", 105.0),
    ] {
        assert_eq!(text.value(expression), Some(expected), "{expression}");
    }
    for (expression, expected) in [
        ("histogram_count(app_size_bytes)", 42.0),
        ("histogram_sum(app_size_bytes)", 105.0),
        // Between 2 of 42 at zero and 32 of 42 up to 2.
        ("histogram_fraction(-1, 0.5, app_size_bytes)", 2.0 / 42.0),
        ("histogram_fraction(1, 2, app_size_bytes)", 30.0 / 42.0),
        ("histogram_fraction(4, 8, app_size_bytes)", 10.0 / 42.0),
    ] {
        let found = binary.value(expression).unwrap_or_else(|| panic!("{expression} has no value"));
        assert!((found - expected).abs() < 1e-9, "{expression}: {found}, not {expected}");
    }
    let quantile = binary.value("histogram_quantile(0.5, app_size_bytes)").unwrap();
    // The 21st value of 42 is the 19th of the 30 in (1, 2]; how a bucket is interpolated differs by version.
    assert!((1.0..=2.0).contains(&quantile), "{quantile}");
    let high = binary.value("histogram_quantile(0.99, app_size_bytes)").unwrap();
    assert!((4.0..=8.0).contains(&high), "{high}");
    assert_eq!(binary.value("app_size_bytes_bucket{le=\"2.0\"}"), None, "native only");

    // What is gone is stale at the next scrape, long before it would be forgotten (5 minutes).
    drop(dragoman);
    for prometheus in [&mut text, &mut binary] {
        prometheus.wait_for("up", |up| up == 0.0);
        for series in ["app_calls_total", "app_size_bytes", "app_size_bytes_count", "target_info"] {
            assert_eq!(prometheus.value(series), None, "{series} is not stale");
        }
    }
}
