//! The store as a whole: requests as prost encodes them go in, families come out.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue as Attribute, any_value};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram,
    HistogramDataPoint, Metric as Said, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint,
    number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::metrics::snapshot::{Series, Value};

const DELTA: i32 = AggregationTemporality::Delta as i32;
const TOTAL: i32 = AggregationTemporality::Cumulative as i32;

fn attributes(entries: &[(&str, &str)]) -> Vec<Attribute> {
    let entry = |(key, value): &(&str, &str)| Attribute {
        key: (*key).to_owned(),
        value: Some(AnyValue { value: Some(any_value::Value::StringValue((*value).to_owned())) }),
        ..Attribute::default()
    };
    entries.iter().map(entry).collect()
}

const SHOP: &[(&str, &str)] = &[("service.name", "shop"), ("service.instance.id", "1")];

fn from(resource: &[(&str, &str)], scope: &str, metrics: Vec<Said>) -> Bytes {
    let resource = Resource { attributes: attributes(resource), ..Resource::default() };
    let scope = InstrumentationScope { name: scope.to_owned(), ..InstrumentationScope::default() };
    let scope = ScopeMetrics { scope: Some(scope), metrics, ..ScopeMetrics::default() };
    let resource =
        ResourceMetrics { resource: Some(resource), scope_metrics: vec![scope], ..ResourceMetrics::default() };
    ExportMetricsServiceRequest { resource_metrics: vec![resource] }.encode_to_vec().into()
}

fn metric(name: &str, data: Data) -> Said {
    Said { name: name.to_owned(), data: Some(data), ..Said::default() }
}

fn number(labels: &[(&str, &str)], start: u64, time: u64, value: i64) -> NumberDataPoint {
    NumberDataPoint {
        attributes: attributes(labels),
        start_time_unix_nano: start,
        time_unix_nano: time,
        value: Some(number_data_point::Value::AsInt(value)),
        ..NumberDataPoint::default()
    }
}

fn double(time: u64, value: f64) -> NumberDataPoint {
    NumberDataPoint { value: Some(number_data_point::Value::AsDouble(value)), ..number(&[], 1, time, 0) }
}

fn sum(temporality: i32, is_monotonic: bool, data_points: Vec<NumberDataPoint>) -> Data {
    Data::Sum(Sum { data_points, aggregation_temporality: temporality, is_monotonic })
}

fn gauge(data_points: Vec<NumberDataPoint>) -> Data {
    Data::Gauge(Gauge { data_points })
}

fn histogram(temporality: i32, data_points: Vec<HistogramDataPoint>) -> Data {
    Data::Histogram(Histogram { data_points, aggregation_temporality: temporality })
}

fn buckets(start: u64, time: u64, bounds: &[f64], counts: &[u64]) -> HistogramDataPoint {
    HistogramDataPoint {
        start_time_unix_nano: start,
        time_unix_nano: time,
        count: counts.iter().sum(),
        sum: Some(counts.iter().sum::<u64>() as f64),
        bucket_counts: counts.to_vec(),
        explicit_bounds: bounds.to_vec(),
        ..HistogramDataPoint::default()
    }
}

fn small(cardinality_limit: usize, series_limit: usize) -> Store {
    Store::new(Settings { cardinality_limit, series_limit, ..Settings::default() })
}

fn store() -> Store {
    Store::new(Settings::default())
}

/// Feeds one metric of the shop; what was lost.
fn feed(store: &Store, name: &str, data: Data) -> Vec<(Why, usize)> {
    store.take(&from(SHOP, "", vec![metric(name, data)])).lost().collect()
}

fn families(store: &Store) -> Vec<snapshot::Family> {
    let mut families = Vec::new();
    store.collect(&mut families);
    families
}

fn series(store: &Store) -> Vec<Series> {
    families(store).into_iter().filter(|family| family.kind != Kind::Info).flat_map(|family| family.series).collect()
}

/// Every series as `key=value,...` and its number.
fn numbers(store: &Store) -> Vec<(String, f64)> {
    let row = |series: Series| {
        let labels: Vec<_> = series.labels.iter().map(|label| format!("{}={}", label.key, label.value)).collect();
        let number = match series.value {
            Value::Integer(number, _) => number as f64,
            Value::Signed(number) => number as f64,
            Value::Double(number, _) => number,
            Value::Histogram(distribution) => distribution.count() as f64,
            Value::Native(distribution) => distribution.count as f64,
            Value::Summary(quantiles) => quantiles.count as f64,
        };
        (labels.join(","), number)
    };
    series(store).into_iter().map(row).collect()
}

fn rows(rows: &[(&str, f64)]) -> Vec<(String, f64)> {
    rows.iter().map(|(labels, number)| ((*labels).to_owned(), *number)).collect()
}

#[test]
fn every_kind_has_its_place() {
    let store = store();
    let exponential = ExponentialHistogramDataPoint {
        time_unix_nano: 2,
        count: 6,
        sum: Some(12.0),
        scale: 1,
        zero_count: 1,
        positive: Some(Buckets { offset: -2, bucket_counts: vec![2, 3] }),
        zero_threshold: 0.001,
        ..ExponentialHistogramDataPoint::default()
    };
    let summary = SummaryDataPoint {
        time_unix_nano: 2,
        count: 4,
        sum: 5.0,
        quantile_values: vec![ValueAtQuantile { quantile: 0.5, value: 1.5 }],
        ..SummaryDataPoint::default()
    };
    let body = from(
        SHOP,
        "",
        vec![
            metric("a.sum", sum(TOTAL, true, vec![number(&[], 1, 2, 7)])),
            metric("b.updown", sum(TOTAL, false, vec![number(&[], 1, 2, -7)])),
            metric("c.gauge", gauge(vec![double(2, 0.5)])),
            metric("d.histogram", histogram(TOTAL, vec![buckets(1, 2, &[1.0, 5.0], &[1, 2, 3])])),
            metric(
                "e.exponential",
                Data::ExponentialHistogram(ExponentialHistogram {
                    data_points: vec![exponential],
                    aggregation_temporality: TOTAL,
                }),
            ),
            metric("f.summary", Data::Summary(Summary { data_points: vec![summary] })),
            Said { name: "g.nothing".into(), ..Said::default() },
        ],
    );
    let report = store.take(&body);
    assert_eq!((report.taken, report.lost().count()), (6, 0));
    let families = families(&store);
    let names: Vec<_> = families.iter().map(|family| (&*family.name, family.kind)).collect();
    assert_eq!(
        names,
        [
            ("a.sum", Kind::Counter),
            ("b.updown", Kind::Gauge),
            ("c.gauge", Kind::Gauge),
            ("d.histogram", Kind::Histogram),
            ("e.exponential", Kind::Histogram),
            ("f.summary", Kind::Summary),
        ]
    );
    let value = |at: usize| families[at].series[0].value.clone();
    assert_eq!(value(0), Value::Integer(7, None));
    assert_eq!(value(1), Value::Signed(-7));
    assert_eq!(value(2), Value::Double(0.5, None));
    let Value::Histogram(distribution) = value(3) else { panic!("{:?}", value(3)) };
    assert_eq!(
        (&*distribution.bounds, &*distribution.counts, distribution.sum),
        (&[1.0, 5.0][..], &[1, 2, 3][..], Some(6.0))
    );
    let Value::Native(native) = value(4) else { panic!("{:?}", value(4)) };
    assert_eq!((native.scale, native.zero_count, native.zero_threshold, native.count), (1, 1, 0.001, 6));
    assert_eq!((native.positive.offset, &*native.positive.counts, native.sum), (-2, &[2, 3][..], Some(12.0)));
    let Value::Summary(quantiles) = value(5) else { panic!("{:?}", value(5)) };
    assert_eq!((quantiles.count, quantiles.sum, &*quantiles.values), (4, 5.0, &[(0.5, 1.5)][..]));
    assert_eq!((families[0].series[0].start_time_unix_nano, families[0].series[0].time_unix_nano), (1, 2));
}

#[test]
fn labels_say_attributes_scope_job_and_instance() {
    let store = store();
    let resource =
        &[("service.name", "shop"), ("service.namespace", "eu"), ("service.instance.id", "i-1"), ("host.name", "h")];
    let point = number(&[("z", "1"), ("job", "own"), ("a.b", "2")], 1, 2, 3);
    let mut request = ExportMetricsServiceRequest::decode(
        &from(resource, "lib", vec![metric("m", sum(TOTAL, true, vec![point]))])[..],
    )
    .unwrap();
    let scope = &mut request.resource_metrics[0].scope_metrics[0];
    scope.schema_url = "https://s/1".into();
    let said = scope.scope.as_mut().unwrap();
    said.version = "1.2".into();
    said.attributes = attributes(&[("tier", "gold"), ("name", "hidden")]);
    store.take(&request.encode_to_vec().into());
    let expected = "a.b=2,exported_job=own,z=1,otel_scope_name=lib,otel_scope_version=1.2,otel_scope_schema_url=https://s/1,\
                    otel_scope_tier=gold,job=eu/shop,instance=i-1";
    assert_eq!(numbers(&store), rows(&[(expected, 3.0)]));
    let target = families(&store).remove(0);
    assert_eq!((&*target.name, target.kind), ("target", Kind::Info));
    let labels: Vec<_> = target.series[0].labels.iter().map(|label| format!("{}={}", label.key, label.value)).collect();
    assert_eq!(labels, ["host.name=h", "job=eu/shop", "instance=i-1"]);
}

#[test]
fn resource_attributes_become_labels_where_that_is_asked_for_and_scopes_can_be_left_away() {
    let store = Store::new(Settings {
        resource_labels: ResourceLabels { included: vec!["host.*".into()], excluded: vec!["host.id".into()] },
        scope_labels: false,
        ..Settings::default()
    });
    let resource = &[("service.name", "shop"), ("host.name", "h"), ("host.id", "x")];
    for scope in ["one", "two"] {
        let point = number(&[], 1, 2, 3);
        store.take(&from(resource, scope, vec![metric("m", sum(TOTAL, true, vec![point]))]));
    }
    assert_eq!(numbers(&store), rows(&[("host.name=h,job=shop", 6.0)]), "two scopes that share their labels add up");
}

/// The page calls a gauge of unit `1` a ratio; what is under way is none.
#[test]
fn a_sum_that_counts_things_has_no_unit() {
    let store = store();
    let counts = |data| Said { unit: "1".to_owned(), ..metric("concurrent_requests", data) };
    store.take(&from(SHOP, "", vec![counts(sum(TOTAL, false, vec![number(&[], 1, 2, 3)]))]));
    store.take(&from(SHOP, "", vec![Said { name: "fill".to_owned(), ..counts(gauge(vec![double(2, 0.5)])) }]));
    let units = families(&store).into_iter().filter(|family| family.kind == Kind::Gauge);
    let units: Vec<(String, String)> = units.map(|family| (family.name.to_string(), family.unit.to_string())).collect();
    assert_eq!(units, [("concurrent_requests", ""), ("fill", "1")].map(|(name, unit)| (name.into(), unit.into())));
}

#[test]
fn the_order_of_attributes_makes_no_other_series() {
    let store = store();
    feed(&store, "m", sum(DELTA, true, vec![number(&[("a", "1"), ("b", "2")], 1, 2, 3)]));
    feed(&store, "m", sum(DELTA, true, vec![number(&[("b", "2"), ("a", "1"), ("a", "9")], 2, 3, 4)]));
    assert_eq!(numbers(&store), rows(&[("a=1,b=2,job=shop,instance=1", 7.0)]));
}

#[test]
fn one_bad_series_harms_no_other() {
    let store = store();
    let good = |labels: &[(&str, &str)]| number(labels, 1, 2, 1);
    let bad = [
        (vec![NumberDataPoint { value: None, ..good(&[]) }, good(&[("k", "good")])], Why::NoValue),
        (vec![double(2, f64::NAN), good(&[("k", "good")])], Why::NotFinite),
        (vec![double(2, f64::INFINITY), good(&[("k", "good")])], Why::NotFinite),
        (vec![number(&[], 1, 2, -1), good(&[("k", "good")])], Why::Negative),
    ];
    for (place, (points, why)) in bad.into_iter().enumerate() {
        let name = format!("m{place}");
        assert_eq!(feed(&store, &name, sum(TOTAL, true, points)), [(why, 1)]);
    }
    assert_eq!(numbers(&store), rows(&[("k=good,job=shop,instance=1", 1.0); 4]));
    let many: Vec<(String, String)> = (0..200).map(|at| (format!("k{at}"), "v".to_owned())).collect();
    let many: Vec<_> = many.iter().map(|(key, value)| (&**key, &**value)).collect();
    assert_eq!(feed(&store, "m9", gauge(vec![good(&many)])), [(Why::TooManyAttributes, 1)]);
    assert_eq!(feed(&store, "m9", sum(0, true, vec![good(&[])])), [(Why::TemporalityUnspecified, 1)]);
    assert_eq!(feed(&store, "", gauge(vec![good(&[])])), [(Why::InvalidName, 1)]);
    assert_eq!(feed(&store, &"x".repeat(600), gauge(vec![good(&[])])), [(Why::InvalidName, 1)]);
}

#[test]
fn a_gauge_may_have_no_number() {
    let store = store();
    assert_eq!(feed(&store, "m", gauge(vec![double(2, f64::NAN)])), []);
    assert!(numbers(&store)[0].1.is_nan());
}

#[test]
fn histograms_that_contradict_themselves_are_not_taken() {
    let wrong = |change: fn(&mut HistogramDataPoint)| {
        let mut point = buckets(1, 2, &[1.0, 5.0], &[1, 2, 3]);
        change(&mut point);
        feed(&store(), "h", histogram(TOTAL, vec![point]))
    };
    assert_eq!(wrong(|_| {}), []);
    assert_eq!(wrong(|point| point.count = 7), [(Why::CountMismatch, 1)]);
    assert_eq!(wrong(|point| point.bucket_counts = vec![u64::MAX, u64::MAX, 3]), [(Why::CountMismatch, 1)]);
    assert_eq!(wrong(|point| point.explicit_bounds = vec![5.0, 1.0]), [(Why::BadBuckets, 1)]);
    assert_eq!(wrong(|point| point.explicit_bounds = vec![1.0, 1.0]), [(Why::BadBuckets, 1)]);
    assert_eq!(wrong(|point| point.explicit_bounds = vec![f64::NAN, 1.0]), [(Why::BadBuckets, 1)]);
    assert_eq!(wrong(|point| point.explicit_bounds.clear()), [(Why::BadBuckets, 1)]);
    assert_eq!(wrong(|point| point.bucket_counts.clear()), [(Why::BadBuckets, 1)]);
    assert_eq!(wrong(|point| point.sum = Some(f64::NAN)), [(Why::NotFinite, 1)]);
    assert_eq!(wrong(|point| point.sum = None), []);
    assert_eq!(wrong(|point| (point.bucket_counts, point.explicit_bounds) = (vec![], vec![])), [], "a count alone");
    assert_eq!(
        wrong(|point| {
            point.explicit_bounds = (0..2000).map(f64::from).collect();
            point.bucket_counts = vec![0; 2001];
        }),
        [(Why::TooManyBuckets, 1)]
    );
}

#[test]
fn an_upper_bound_of_infinity_is_none() {
    let store = store();
    feed(&store, "h", histogram(TOTAL, vec![buckets(1, 2, &[1.0, f64::INFINITY], &[1, 2, 0])]));
    let Value::Histogram(distribution) = series(&store).remove(0).value else { panic!() };
    assert_eq!((&*distribution.bounds, &*distribution.counts), (&[1.0][..], &[1, 2][..]));
}

#[test]
fn a_name_has_one_type_and_the_first_description() {
    let store = store();
    let point = || number(&[], 1, 2, 1);
    let said = |description: &str, unit: &str, data| Said {
        description: description.into(),
        unit: unit.into(),
        ..metric("m", data)
    };
    store.take(&from(SHOP, "", vec![said("", "s", sum(TOTAL, true, vec![point()]))]));
    for (data, why) in [
        (gauge(vec![point()]), Why::TypeConflict),
        (sum(TOTAL, false, vec![point()]), Why::TypeConflict),
        (histogram(TOTAL, vec![buckets(1, 2, &[], &[1])]), Why::TypeConflict),
    ] {
        let report = store.take(&from(SHOP, "", vec![said("other", "s", data)]));
        assert_eq!(report.lost().collect::<Vec<_>>(), [(why, 1)]);
    }
    // In another unit it has another name on the page.
    store.take(&from(SHOP, "", vec![said("in bytes", "By", gauge(vec![point()]))]));
    store.take(&from(SHOP, "", vec![said("first", "s", sum(TOTAL, true, vec![number(&[], 1, 3, 2)]))]));
    store.take(&from(SHOP, "", vec![said("second", "s", sum(TOTAL, true, vec![number(&[], 1, 4, 3)]))]));
    let found: Vec<_> =
        families(&store).iter().map(|family| (family.unit.to_string(), family.help.to_string(), family.kind)).collect();
    assert_eq!(found, [("By".into(), "in bytes".into(), Kind::Gauge), ("s".into(), "first".into(), Kind::Counter)]);
}

#[test]
fn who_describes_a_metric_in_another_way_loses_nothing_and_is_counted() {
    let said = |name: &str, description: &str| {
        let data = gauge(vec![number(&[("by", description)], 1, 10, 5)]);
        Said { description: description.into(), ..metric(name, data) }
    };
    let store = store();
    for (name, description) in [("a", ""), ("a", "first"), ("a", "second"), ("a", "third"), ("b", "B"), ("b", "")] {
        assert_eq!(store.take(&from(&[], "", vec![said(name, description)])).taken, 1);
    }
    assert_eq!(store.disputed(), 1);
    assert_eq!(store.series(), 6);
}

#[test]
fn explicit_and_exponential_histograms_live_in_one_family_but_not_in_one_series() {
    let store = store();
    let exponential = |labels: &[(&str, &str)]| {
        let point =
            ExponentialHistogramDataPoint { attributes: attributes(labels), time_unix_nano: 9, ..Default::default() };
        Data::ExponentialHistogram(ExponentialHistogram { data_points: vec![point], aggregation_temporality: TOTAL })
    };
    assert_eq!(feed(&store, "h", histogram(TOTAL, vec![buckets(1, 2, &[], &[4])])), []);
    assert_eq!(feed(&store, "h", exponential(&[("k", "v")])), []);
    assert_eq!(feed(&store, "h", exponential(&[])), [(Why::TypeConflict, 1)]);
    assert_eq!(series(&store).len(), 2);
}

#[test]
fn the_end_of_a_series_takes_it_away_and_what_follows_begins_anew() {
    let store = store();
    let end = NumberDataPoint { flags: 1, value: None, ..number(&[], 1, 5, 0) };
    feed(&store, "m", sum(DELTA, true, vec![number(&[], 1, 2, 3)]));
    assert_eq!(
        feed(&store, "m", sum(DELTA, true, vec![NumberDataPoint { time_unix_nano: 1, ..end.clone() }])),
        [(Why::OutOfOrder, 1)]
    );
    assert_eq!(numbers(&store).len(), 1);
    let report = store.take(&from(SHOP, "", vec![metric("m", sum(DELTA, true, vec![end.clone()]))]));
    assert_eq!((report.taken, numbers(&store).len(), store.series()), (1, 0, 0));
    // Of a series that is not there nothing is to be done.
    assert_eq!(feed(&store, "m", sum(DELTA, true, vec![end])), []);
    feed(&store, "m", sum(DELTA, true, vec![number(&[], 5, 6, 4)]));
    assert_eq!(numbers(&store)[0].1, 4.0);
}

#[test]
fn of_a_counter_and_of_each_bucket_the_last_exemplar_stays() {
    let store = store();
    let exemplar = |trace: u8, value: i64| Exemplar {
        filtered_attributes: attributes(&[("short", "x"), ("long", &"y".repeat(100))]),
        time_unix_nano: 5,
        span_id: vec![trace; 8],
        trace_id: vec![trace; 16],
        value: Some(opentelemetry_proto::tonic::metrics::v1::exemplar::Value::AsInt(value)),
    };
    let counted = NumberDataPoint { exemplars: vec![exemplar(1, 1), exemplar(2, 2)], ..number(&[], 1, 2, 3) };
    feed(&store, "a", sum(TOTAL, true, vec![counted.clone()]));
    feed(&store, "b", gauge(vec![counted]));
    for (time, all) in [(2, vec![exemplar(1, 3), exemplar(2, 9)]), (3, vec![exemplar(3, 4), exemplar(0, 0)])] {
        let point = HistogramDataPoint { exemplars: all, ..buckets(1, time, &[5.0], &[2, 1]) };
        feed(&store, "h", histogram(TOTAL, vec![point]));
    }
    let all = series(&store);
    let Value::Integer(3, Some(kept)) = &all[0].value else { panic!("{:?}", all[0]) };
    assert_eq!((kept.value, kept.trace_id.map(|id| id.0[0]), kept.attributes.len()), (2.0, Some(2), 1));
    assert_eq!(all[1].value, Value::Signed(3), "a gauge has none");
    let Value::Histogram(distribution) = &all[2].value else { panic!("{:?}", all[2]) };
    let kept: Vec<_> = distribution.exemplars.iter().map(|(bucket, exemplar)| (*bucket, exemplar.value)).collect();
    assert_eq!(kept, [(0, 0.0), (1, 9.0)]);
}

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(start_paused = true)]
async fn an_idle_series_goes_with_its_family_and_its_target() {
    let store = store();
    let resource = &[("service.name", "shop"), ("service.instance.id", "1"), ("host.name", "h")];
    let say =
        |name: &str, time| store.take(&from(resource, "", vec![metric(name, gauge(vec![number(&[], 0, time, 1)]))]));
    say("a", 1);
    say("b", 1);
    tokio::time::advance(Duration::from_secs(299)).await;
    // Points of long ago are as good as any: what counts is when they come.
    say("b", 2);
    tokio::time::advance(Duration::from_secs(2)).await;
    let names: Vec<_> = families(&store).iter().map(|family| family.name.to_string()).collect();
    assert_eq!(names, ["target", "b"]);
    assert_eq!((store.series(), store.all().len()), (1, 1));
    tokio::time::advance(HOUR).await;
    assert_eq!((families(&store).len(), store.series(), store.bytes()), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_is_in_one_series_and_adds_up() {
    let store = small(2, 100);
    let labels = ["a", "b", "c", "d"];
    let points =
        |round: u64| labels.iter().map(move |label| number(&[("k", label)], 1, round, 10 * round as i64)).collect();
    for round in 1..=3 {
        assert_eq!(feed(&store, "total", sum(TOTAL, true, points(round))), []);
    }
    let deltas = |round: u64| labels.iter().map(move |label| number(&[("k", label)], round, round + 1, 10)).collect();
    for round in [1, 2, 2, 3] {
        feed(&store, "delta", sum(DELTA, true, deltas(round)));
    }
    let shown = |name: &str| {
        let found = families(&store).into_iter().find(|family| family.name == name).unwrap();
        let of = |series: &Series| {
            let Value::Integer(number, _) = series.value else { panic!("{series:?}") };
            (series.labels[0].value.to_string(), number)
        };
        found.series.iter().map(of).collect::<Vec<_>>()
    };
    for name in ["total", "delta"] {
        assert_eq!(shown(name), [("a".into(), 30), ("b".into(), 30), ("true".into(), 60)], "{name}");
    }
    // One of the two hidden ones starts again: the total goes on.
    feed(&store, "total", sum(TOTAL, true, vec![number(&[("k", "c")], 50, 60, 5)]));
    assert_eq!(shown("total")[2], ("true".into(), 65));
    // Four times as many are told apart there; more are lost, by reason.
    let more = ["e", "f", "g", "h", "i", "j", "k", "l", "m"].map(|label| number(&[("k", label)], 1, 70, 1));
    assert_eq!(feed(&store, "total", sum(TOTAL, true, more.into())), [(Why::CardinalityLimit, 3)]);
}

#[tokio::test(start_paused = true)]
async fn what_was_hidden_stays_so_until_it_is_idle() {
    let store = small(1, 100);
    let say = |label: &str, time: u64| {
        feed(&store, "m", sum(TOTAL, true, vec![number(&[("k", label)], 1, time, time as i64)]))
    };
    say("a", 10);
    say("b", 10);
    tokio::time::advance(Duration::from_secs(200)).await;
    say("b", 20);
    tokio::time::advance(Duration::from_secs(200)).await;
    // There is room again, but what `b` had is in the overflow series.
    say("b", 30);
    assert_eq!(numbers(&store), rows(&[("otel.metric.overflow=true", 30.0)]));
    tokio::time::advance(HOUR).await;
    assert_eq!(numbers(&store), []);
    say("b", 40);
    assert_eq!(numbers(&store), rows(&[("k=b,job=shop,instance=1", 40.0)]));
}

#[test]
fn of_gauges_that_do_not_fit_the_last_one_is_shown_and_of_sums_that_fall_the_total() {
    let store = small(1, 100);
    let points = |time: u64, values: [i64; 3]| {
        let labels = ["a", "b", "c"];
        labels.iter().zip(values).map(|(label, value)| number(&[("k", label)], 1, time, value)).collect::<Vec<_>>()
    };
    assert_eq!(feed(&store, "g", gauge(points(2, [1, 2, 3]))), []);
    assert_eq!(feed(&store, "g", gauge(points(3, [4, 5, 6]))), []);
    assert_eq!(feed(&store, "u", sum(TOTAL, false, points(2, [1, 20, 300]))), []);
    assert_eq!(feed(&store, "u", sum(TOTAL, false, points(3, [1, 10, 200]))), []);
    let shown: Vec<f64> = numbers(&store).into_iter().map(|(_, number)| number).collect();
    assert_eq!(shown, [4.0, 6.0, 1.0, 210.0]);
    let end = NumberDataPoint { flags: 1, ..number(&[("k", "b")], 1, 4, 0) };
    feed(&store, "u", sum(TOTAL, false, vec![end]));
    assert_eq!(numbers(&store)[3].1, 200.0, "what is there no more is not in it");
}

#[test]
fn histograms_that_do_not_fit_add_up_bucket_by_bucket() {
    let store = small(1, 100);
    let point = |label: &str, time, counts: &[u64]| HistogramDataPoint {
        attributes: attributes(&[("k", label)]),
        ..buckets(1, time, &[1.0, 5.0], counts)
    };
    feed(
        &store,
        "h",
        histogram(TOTAL, vec![point("a", 2, &[9, 9, 9]), point("b", 2, &[1, 2, 3]), point("c", 2, &[1, 0, 0])]),
    );
    feed(&store, "h", histogram(TOTAL, vec![point("b", 3, &[2, 2, 5]), point("c", 3, &[1, 0, 4])]));
    let Value::Histogram(overflow) = &series(&store)[1].value else { panic!() };
    assert_eq!((&*overflow.counts, overflow.sum), (&[3, 2, 9][..], Some(14.0)));
}

#[test]
fn there_is_a_limit_to_all_series_and_what_is_there_goes_on() {
    let store = small(2000, 3);
    let say = |name: &str, label: &str, time| feed(&store, name, gauge(vec![number(&[("k", label)], 0, time, 1)]));
    for label in ["1", "2", "3", "4", "5"] {
        assert_eq!(say("a", label, 1), []);
    }
    assert_eq!(say("b", "1", 1), [(Why::SeriesLimit, 1)]);
    assert_eq!(say("a", "1", 2), []);
    assert_eq!((store.series(), series(&store).len()), (3, 4));
}

#[test]
fn labels_and_buckets_count_towards_the_limit() {
    let store = small(2000, 4);
    let long: Vec<(String, String)> = (0..10).map(|at| (format!("k{at}"), "v".repeat(1000))).collect();
    let long: Vec<_> = long.iter().map(|(key, value)| (&**key, &**value)).collect();
    assert_eq!(feed(&store, "a", gauge(vec![number(&long, 0, 1, 1)])), []);
    assert!(store.bytes() > 10_000, "{}", store.bytes());
    assert_eq!(feed(&store, "b", gauge(vec![number(&[], 0, 1, 1)])), [(Why::SeriesLimit, 1)]);
}

#[test]
fn processes_of_one_job_without_an_instance_add_up() {
    let store = store();
    let from_process = |pid: &str, start, time, value| {
        let resource = &[("service.name", "workers"), ("process.pid", pid)];
        store.take(&from(resource, "", vec![metric("m", sum(TOTAL, true, vec![number(&[], start, time, value)]))]))
    };
    from_process("1", 1, 10, 100);
    from_process("2", 2, 11, 40);
    from_process("1", 1, 20, 110);
    from_process("2", 2, 21, 45);
    assert_eq!(numbers(&store), rows(&[("job=workers", 155.0)]));
    // A third one takes the place of the first.
    from_process("3", 25, 30, 3);
    assert_eq!(numbers(&store)[0].1, 158.0);
}

#[test]
fn a_second_resource_of_one_name_replaces_what_is_known_of_it() {
    let store = store();
    for version in ["1", "2"] {
        let resource = &[("service.name", "shop"), ("service.instance.id", "1"), ("service.version", version)];
        store.take(&from(resource, "", vec![metric("m", gauge(vec![number(&[], 0, 1, 1)]))]));
    }
    let target = families(&store).remove(0);
    let labels: Vec<_> = target.series.iter().map(|series| series.labels[0].value.to_string()).collect();
    assert_eq!(labels, ["2"]);
}

#[test]
fn scrapes_and_recordings_at_once_lose_nothing() {
    let store = small(4, 100);
    std::thread::scope(|scope| {
        for thread in 0..4_usize {
            let store = &store;
            scope.spawn(move || {
                for turn in 0..300_u64 {
                    let label = ["a", "b", "c", "d", "e"][(turn as usize + thread) % 5];
                    let point = number(&[("k", label), ("t", ["0", "1", "2", "3"][thread])], turn + 1, turn + 2, 1);
                    assert_eq!(
                        feed(store, "m", sum(DELTA, true, vec![point])).iter().map(|lost| lost.1).sum::<usize>(),
                        0
                    );
                }
            });
        }
        let mut last = 0.0;
        for _ in 0..50 {
            let now: f64 = numbers(&store).iter().map(|(_, number)| number).sum();
            assert!(now >= last, "a counter went back from {last} to {now}");
            last = now;
        }
    });
}

/// A point of any kind, for better or worse.
fn any_data() -> impl Strategy<Value = Said> {
    let names = prop_oneof![Just("a"), Just("b"), Just("c")];
    let label = || prop_oneof![Just("1"), Just("2"), Just("3"), Just("4"), Just("5")];
    let temporality = prop_oneof![Just(DELTA), Just(TOTAL), Just(0)];
    let times = || (0..6_u64, 0..8_u64);
    let double = prop_oneof![any::<f64>(), -3.0..9.0];
    let flags = prop_oneof![9 => Just(0), 1 => Just(1_u32)];
    let numbers = (label(), times(), any::<i64>(), double, any::<bool>(), flags).prop_map(
        |(label, (start, time), int, double, is_int, flags)| NumberDataPoint {
            flags,
            value: Some(match is_int {
                true => number_data_point::Value::AsInt(int % 50),
                false => number_data_point::Value::AsDouble(double),
            }),
            ..number(&[("k", label)], start, time, 0)
        },
    );
    let bounds =
        prop_oneof![Just(vec![]), Just(vec![1.0]), Just(vec![1.0, 5.0]), Just(vec![2.0, 5.0]), Just(vec![5.0, 1.0])];
    let counts = || proptest::collection::vec(prop_oneof![0..9_u64, Just(u64::MAX)], 0..4);
    let explicit =
        (label(), times(), bounds, counts(), any::<bool>()).prop_map(|(label, (start, time), bounds, counts, fits)| {
            let count = counts.iter().fold(0_u64, |sum, count| sum.wrapping_add(*count));
            HistogramDataPoint {
                attributes: attributes(&[("k", label)]),
                start_time_unix_nano: start,
                time_unix_nano: time,
                count: if fits { count } else { 1 },
                bucket_counts: counts,
                explicit_bounds: bounds,
                ..HistogramDataPoint::default()
            }
        });
    let side = || (any::<i32>(), counts()).prop_map(|(offset, bucket_counts)| Some(Buckets { offset, bucket_counts }));
    let exponential = (label(), times(), any::<i32>(), side(), side(), any::<f64>()).prop_map(
        |(label, (start, time), scale, positive, negative, zero_threshold)| {
            let of = |side: &Option<Buckets>| {
                side.iter().flat_map(|side| side.bucket_counts.clone()).fold(0, u64::wrapping_add)
            };
            ExponentialHistogramDataPoint {
                attributes: attributes(&[("k", label)]),
                start_time_unix_nano: start,
                time_unix_nano: time,
                count: of(&positive).wrapping_add(of(&negative)),
                scale: scale % 40,
                positive,
                negative,
                zero_threshold,
                ..ExponentialHistogramDataPoint::default()
            }
        },
    );
    let data = prop_oneof![
        numbers.clone().prop_map(|point| gauge(vec![point])),
        (temporality.clone(), any::<bool>(), numbers).prop_map(|(temporality, grows, point)| sum(
            temporality,
            grows,
            vec![point]
        )),
        (temporality.clone(), explicit).prop_map(|(temporality, point)| histogram(temporality, vec![point])),
        (temporality, exponential).prop_map(|(aggregation_temporality, point)| {
            Data::ExponentialHistogram(ExponentialHistogram { data_points: vec![point], aggregation_temporality })
        }),
    ];
    (names, data).prop_map(|(name, data)| metric(name, data))
}

proptest! {
    #[test]
    fn whatever_comes_nothing_breaks_and_no_bound_is_passed(all in proptest::collection::vec((any_data(), any::<bool>()), 0..60)) {
        let store = small(2, 5);
        for (said, other) in &all {
            let resource: &[_] = if *other { &[("service.name", "shop"), ("process.pid", "2")] } else { &[("service.name", "shop")] };
            let report = store.take(&from(resource, "", vec![said.clone()]));
            prop_assert_eq!(report.taken + report.lost().map(|(_, points)| points).sum::<usize>(), 1);
            prop_assert!(store.series() <= 5);
        }
        let families = families(&store);
        prop_assert!(families.iter().all(|family| family.series.len() <= 3));
        for series in families.iter().flat_map(|family| &family.series) {
            match &series.value {
                Value::Histogram(distribution) => {
                    prop_assert_eq!(distribution.counts.len(), distribution.bounds.len() + 1);
                    prop_assert!(distribution.bounds.is_sorted_by(|a, b| a < b));
                }
                Value::Native(distribution) => prop_assert!(distribution.positive.counts.len() <= 1024),
                _ => {}
            }
        }
    }

    /// An application that counts, reported once as totals and once as deltas, in any split.
    #[test]
    fn deltas_in_any_split_say_what_totals_say(
        steps in proptest::collection::vec((0..3_usize, proptest::collection::vec(0..9_u64, 3), any::<bool>(), any::<bool>()), 1..40),
    ) {
        let (totals, deltas) = (store(), store());
        let mut counted = [[0_u64; 3]; 3];
        let mut last = [1_u64; 3];
        let (mut total_batch, mut delta_batch) = (Vec::new(), Vec::new());
        for (round, (who, counts, flush, repeat)) in steps.iter().enumerate() {
            let time = 10 * (round as u64 + 1);
            let label = ["x", "y", "z"][*who];
            for (sum, count) in counted[*who].iter_mut().zip(counts) {
                *sum += count;
            }
            let whole = |temporality, start, counts: &[u64]| {
                let point = HistogramDataPoint { attributes: attributes(&[("k", label)]), ..buckets(start, time, &[1.0, 5.0], counts) };
                let sum_of = counts.iter().sum::<u64>() as i64;
                vec![
                    metric("h", histogram(temporality, vec![point])),
                    metric("s", sum(temporality, true, vec![number(&[("k", label)], start, time, sum_of)])),
                ]
            };
            total_batch.extend(whole(TOTAL, 1, &counted[*who]));
            let delta = whole(DELTA, last[*who], counts);
            delta_batch.extend(delta.clone());
            if *repeat {
                delta_batch.extend(delta);
            }
            last[*who] = time;
            if *flush {
                deltas.take(&from(SHOP, "", std::mem::take(&mut delta_batch)));
            }
        }
        totals.take(&from(SHOP, "", total_batch));
        deltas.take(&from(SHOP, "", delta_batch));
        let without_times = |store: &Store| {
            let all = series(store).into_iter();
            all.map(|series| Series { start_time_unix_nano: 0, ..series }).collect::<Vec<_>>()
        };
        prop_assert_eq!(without_times(&totals), without_times(&deltas));
    }
}
