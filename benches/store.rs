//! What it costs to keep what applications send: a point, a series, a copy for a scrape.
//!
//! 10,000 series with five attributes each, as counters and as histograms of 15 buckets, in requests of
//! 500 points. Run with `cargo bench --bench store`; the memory of a series is printed first. What
//! the page costs is `scrape`'s.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dragoman::metrics::application::{Settings, Store};
use dragoman::metrics::snapshot::Source;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
    number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

const SERIES: u64 = 10_000;
const METRICS: u64 = 10;
const POINTS: u64 = 500;
const BUCKETS: usize = 15;

fn attribute(key: &str, value: String) -> KeyValue {
    let value = Some(AnyValue { value: Some(any_value::Value::StringValue(value)) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn attributes(series: u64) -> Vec<KeyValue> {
    vec![
        attribute("http.request.method", ["GET", "POST"][series as usize % 2].to_owned()),
        attribute("http.route", format!("/v1/customers/{series}/orders")),
        attribute("server.address", "api.internal.example".to_owned()),
        attribute("gen_ai.request.model", format!("model-{}", series % 7)),
        attribute("network.protocol.version", "1.1".to_owned()),
    ]
}

#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Histogram,
}

/// All series once, at a time, in requests of one metric each.
fn requests(kind: Kind, time: u64) -> Vec<Bytes> {
    let temporality = AggregationTemporality::Cumulative as i32;
    let request = |first: u64| {
        let data = match kind {
            Kind::Counter => {
                let point = |series| NumberDataPoint {
                    attributes: attributes(series),
                    start_time_unix_nano: 1,
                    time_unix_nano: time,
                    value: Some(number_data_point::Value::AsInt(time as i64)),
                    ..NumberDataPoint::default()
                };
                let data_points = (first..first + POINTS).map(point).collect();
                Data::Sum(Sum { data_points, aggregation_temporality: temporality, is_monotonic: true })
            }
            Kind::Histogram => {
                let point = |series| HistogramDataPoint {
                    attributes: attributes(series),
                    start_time_unix_nano: 1,
                    time_unix_nano: time,
                    count: BUCKETS as u64 * time,
                    sum: Some(time as f64),
                    bucket_counts: vec![time; BUCKETS],
                    explicit_bounds: (1..BUCKETS).map(|bound| bound as f64).collect(),
                    ..HistogramDataPoint::default()
                };
                let data_points = (first..first + POINTS).map(point).collect();
                Data::Histogram(Histogram { data_points, aggregation_temporality: temporality })
            }
        };
        let name = format!("metric.{}", first / (SERIES / METRICS));
        let metric = Metric { name, description: "What it is".into(), data: Some(data), ..Metric::default() };
        let scope = InstrumentationScope { name: "library".into(), version: "1.2.3".into(), ..Default::default() };
        let scope = ScopeMetrics { scope: Some(scope), metrics: vec![metric], ..ScopeMetrics::default() };
        let of = [("service.name", "shop"), ("service.instance.id", "9b2f"), ("host.name", "node-1")];
        let attributes = of.iter().map(|(key, value)| attribute(key, (*value).to_owned())).collect();
        let resource = Some(Resource { attributes, ..Resource::default() });
        let resource = ResourceMetrics { resource, scope_metrics: vec![scope], ..ResourceMetrics::default() };
        Bytes::from(ExportMetricsServiceRequest { resource_metrics: vec![resource] }.encode_to_vec())
    };
    (0..SERIES).step_by(POINTS as usize).map(request).collect()
}

fn feed(store: &Store, requests: &[Bytes]) -> usize {
    requests.iter().map(|request| store.take(request).taken).sum()
}

fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
    pages.unwrap_or_default() * 4096
}

fn store(c: &mut Criterion) {
    // Before anything is freed that could be used again.
    let kinds = [(Kind::Counter, "counter"), (Kind::Histogram, "histogram")];
    let all = kinds.map(|(kind, name)| (name, requests(kind, 1), (2..42).map(|time| requests(kind, time)).collect()));
    let all: [(_, _, Vec<Vec<Bytes>>); 2] = all;
    let all = all.map(|(name, first, rounds)| {
        let before = resident();
        let held = Store::new(Settings::default());
        assert_eq!(feed(&held, &first), SERIES as usize);
        let taken = resident().saturating_sub(before) / SERIES;
        println!("{name}: {taken} bytes a series resident, {} as the store counts", held.bytes() as u64 / SERIES);
        (name, first, rounds, held)
    });
    for (name, first, rounds, held) in all {
        let mut group = c.benchmark_group(format!("store/{name}"));
        group.throughput(Throughput::Elements(POINTS)).measurement_time(Duration::from_secs(5));
        // A point that is not newer is not taken: each round has the time after the one before.
        group.bench_function("take", |b| {
            b.iter_custom(|iterations| {
                let mut spent = Duration::ZERO;
                let mut left = iterations;
                while left > 0 {
                    let store = Store::new(Settings::default());
                    feed(&store, &first);
                    for request in rounds.iter().flatten().take(left as usize) {
                        let begun = Instant::now();
                        black_box(store.take(request));
                        spent += begun.elapsed();
                        left -= 1;
                    }
                }
                spent
            });
        });
        group.throughput(Throughput::Elements(SERIES));
        group.bench_function("collect", |b| {
            b.iter(|| {
                let mut families = Vec::new();
                held.collect(&mut families);
                families
            });
        });
        group.finish();

        // The slowest request while somebody scrapes again and again: nobody waits for a whole copy.
        let done = std::sync::atomic::AtomicBool::new(false);
        let slowest = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    let mut families = Vec::new();
                    held.collect(&mut families);
                    black_box(families);
                }
            });
            let times = rounds.iter().flatten().map(|request| {
                let begun = Instant::now();
                black_box(held.take(request));
                begun.elapsed()
            });
            let mut times: Vec<Duration> = times.collect();
            done.store(true, std::sync::atomic::Ordering::Relaxed);
            times.sort();
            (times[times.len() / 2], times[times.len() * 99 / 100])
        });
        println!(
            "{name}: a request of {POINTS} points under scrapes without pause: {:?} median, {:?} p99",
            slowest.0, slowest.1
        );
    }
}

criterion_group!(benches, store);
criterion_main!(benches);
