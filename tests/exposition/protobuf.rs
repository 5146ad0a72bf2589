//! The protobuf page, decoded with messages declared here from `proto/prometheus_client_model.proto`,
//! says what the text page says, as the reference parser reads that.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use dragoman::metrics::exposition::{Style, respond};
use proptest::test_runner::TestRunner;
use prost::Message;
use serde_json::Value as Json;

use super::generated::families;

const PROTOBUF: &str = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";

/// Pages that are compared.
const PAGES: usize = 80;

#[derive(Clone, PartialEq, Message)]
struct MetricFamily {
    #[prost(string, required, tag = "1")]
    name: String,
    #[prost(string, optional, tag = "2")]
    help: Option<String>,
    #[prost(enumeration = "MetricType", required, tag = "3")]
    kind: i32,
    #[prost(message, repeated, tag = "4")]
    metric: Vec<Metric>,
    #[prost(string, optional, tag = "5")]
    unit: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
enum MetricType {
    Counter = 0,
    Gauge = 1,
    Summary = 2,
    Untyped = 3,
    Histogram = 4,
}

#[derive(Clone, PartialEq, Message)]
struct Metric {
    #[prost(message, repeated, tag = "1")]
    label: Vec<LabelPair>,
    #[prost(message, optional, tag = "2")]
    gauge: Option<Gauge>,
    #[prost(message, optional, tag = "3")]
    counter: Option<Counter>,
    #[prost(message, optional, tag = "4")]
    summary: Option<Summary>,
    #[prost(message, optional, tag = "7")]
    histogram: Option<Histogram>,
    #[prost(int64, optional, tag = "6")]
    timestamp_ms: Option<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct LabelPair {
    #[prost(string, required, tag = "1")]
    name: String,
    #[prost(string, required, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Gauge {
    #[prost(double, required, tag = "1")]
    value: f64,
}

#[derive(Clone, PartialEq, Message)]
struct Counter {
    #[prost(double, required, tag = "1")]
    value: f64,
    #[prost(message, optional, tag = "2")]
    exemplar: Option<Exemplar>,
}

#[derive(Clone, PartialEq, Message)]
struct Exemplar {
    #[prost(message, repeated, tag = "1")]
    label: Vec<LabelPair>,
    #[prost(double, required, tag = "2")]
    value: f64,
    #[prost(message, optional, tag = "3")]
    timestamp: Option<prost_types::Timestamp>,
}

#[derive(Clone, PartialEq, Message)]
struct Quantile {
    #[prost(double, required, tag = "1")]
    quantile: f64,
    #[prost(double, required, tag = "2")]
    value: f64,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(uint64, required, tag = "1")]
    sample_count: u64,
    #[prost(double, required, tag = "2")]
    sample_sum: f64,
    #[prost(message, repeated, tag = "3")]
    quantile: Vec<Quantile>,
}

#[derive(Clone, PartialEq, Message)]
struct Histogram {
    #[prost(uint64, required, tag = "1")]
    sample_count: u64,
    #[prost(double, required, tag = "2")]
    sample_sum: f64,
    #[prost(message, repeated, tag = "3")]
    bucket: Vec<Bucket>,
    #[prost(sint32, optional, tag = "5")]
    schema: Option<i32>,
    #[prost(double, tag = "6")]
    zero_threshold: f64,
    #[prost(uint64, tag = "7")]
    zero_count: u64,
    #[prost(message, repeated, tag = "9")]
    negative_span: Vec<BucketSpan>,
    #[prost(sint64, repeated, packed = "false", tag = "10")]
    negative_delta: Vec<i64>,
    #[prost(message, repeated, tag = "12")]
    positive_span: Vec<BucketSpan>,
    #[prost(sint64, repeated, packed = "false", tag = "13")]
    positive_delta: Vec<i64>,
    #[prost(message, repeated, tag = "16")]
    exemplars: Vec<Exemplar>,
}

#[derive(Clone, PartialEq, Message)]
struct Bucket {
    #[prost(uint64, required, tag = "1")]
    cumulative_count: u64,
    #[prost(double, required, tag = "2")]
    upper_bound: f64,
    #[prost(message, optional, tag = "3")]
    exemplar: Option<Exemplar>,
}

#[derive(Clone, PartialEq, Message)]
struct BucketSpan {
    #[prost(sint32, required, tag = "1")]
    offset: i32,
    #[prost(uint32, required, tag = "2")]
    length: u32,
}

/// Samples by name, labels and, for a bucket or quantile, its number.
type Samples = BTreeMap<(String, BTreeMap<String, String>, Option<u64>), f64>;

/// Equal, up to what reading a number from JSON is wrong by.
fn same(one: Option<f64>, other: Option<f64>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => {
            one == other || (one.is_nan() && other.is_nan()) || (one - other).abs() <= one.abs() * 1e-15
        }
        _ => false,
    }
}

/// What a native histogram says: its cumulative counts at bounds of any kind.
struct Native {
    name: String,
    labels: BTreeMap<String, String>,
    histogram: Histogram,
}

impl Native {
    /// Buckets as (lower, upper, count), by Prometheus' rule: bucket `i` ends at `2^(i / 2^schema)`.
    fn buckets(&self) -> Vec<(f64, f64, i64)> {
        let Histogram { negative_span, negative_delta, positive_span, positive_delta, .. } = &self.histogram;
        let width = 2.0_f64.powi(-self.histogram.schema.unwrap());
        let mut out = Vec::new();
        for (sign, spans, deltas) in [(1.0, positive_span, positive_delta), (-1.0, negative_span, negative_delta)] {
            let (mut index, mut count, mut deltas) = (0_i32, 0_i64, deltas.iter());
            for span in spans {
                index += span.offset;
                for _ in 0..span.length {
                    count += deltas.next().expect("a delta for each bucket");
                    let ends = [f64::from(index - 1) * width, f64::from(index) * width].map(|end| sign * end.exp2());
                    out.push((ends[0].min(ends[1]), ends[0].max(ends[1]), count));
                    index += 1;
                }
            }
            assert_eq!(deltas.next(), None, "a bucket for each delta");
        }
        out
    }
}

/// A page's samples as a classic text page would have them, and its native histograms.
fn decode(mut page: &[u8]) -> (Samples, Vec<Native>) {
    let (mut samples, mut natives) = (Samples::new(), Vec::new());
    while !page.is_empty() {
        let family = MetricFamily::decode_length_delimited(&mut page).unwrap();
        let mut add = |suffix: &str, labels: &BTreeMap<String, String>, own: Option<f64>, value: f64| {
            let key = (format!("{}{suffix}", family.name), labels.clone(), own.map(bits));
            assert_eq!(samples.insert(key, value), None, "twice: {}{suffix} {labels:?}", family.name);
        };
        for metric in &family.metric {
            let labels: BTreeMap<_, _> =
                metric.label.iter().map(|pair| (pair.name.clone(), pair.value.clone())).collect();
            assert_eq!(labels.len(), metric.label.len(), "a label twice");
            match family.kind() {
                MetricType::Counter => add("", &labels, None, metric.counter.as_ref().unwrap().value),
                MetricType::Gauge => add("", &labels, None, metric.gauge.as_ref().unwrap().value),
                MetricType::Summary => {
                    let summary = metric.summary.as_ref().unwrap();
                    for Quantile { quantile, value } in &summary.quantile {
                        add("", &labels, Some(*quantile), *value);
                    }
                    add("_sum", &labels, None, summary.sample_sum);
                    add("_count", &labels, None, summary.sample_count as f64);
                }
                MetricType::Histogram => {
                    let histogram = metric.histogram.clone().unwrap();
                    if histogram.schema.is_some() {
                        assert_eq!(histogram.bucket, [], "a native histogram has no classic buckets");
                        natives.push(Native { name: family.name.clone(), labels, histogram });
                        continue;
                    }
                    for bucket in &histogram.bucket {
                        add("_bucket", &labels, Some(bucket.upper_bound), bucket.cumulative_count as f64);
                    }
                    if !histogram.sample_sum.is_nan() {
                        add("_sum", &labels, None, histogram.sample_sum);
                    }
                    add("_count", &labels, None, histogram.sample_count as f64);
                }
                MetricType::Untyped => panic!("nothing is untyped"),
            }
        }
    }
    (samples, natives)
}

/// What tells a bound from others. There is one zero.
fn bits(bound: f64) -> u64 {
    (bound + 0.0).to_bits()
}

fn float(text: &str) -> f64 {
    match text {
        "+Inf" => f64::INFINITY,
        text => text.parse().unwrap(),
    }
}

/// The samples of each text page, as the reference parser reads them, but for sums that are no number.
fn read(python: &Path, paths: &[std::path::PathBuf]) -> BTreeMap<String, Samples> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/parse_openmetrics.py");
    let output = Command::new(python).arg(script).args(paths).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut pages: BTreeMap<String, Samples> = BTreeMap::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let sample: Json = serde_json::from_str(line).unwrap();
        let mut labels: BTreeMap<String, String> = serde_json::from_value(sample["labels"].clone()).unwrap();
        let name = sample["name"].as_str().unwrap();
        let own = match sample["type"].as_str().unwrap() {
            "histogram" => labels.remove("le"),
            "summary" => labels.remove("quantile"),
            _ => None,
        };
        let value = match &sample["value"] {
            Json::String(text) if text == "nan" => f64::NAN,
            Json::String(text) => text.parse().unwrap(),
            value => value.as_f64().unwrap(),
        };
        if value.is_nan() && name.ends_with("_sum") && sample["type"] == "histogram" {
            continue;
        }
        let key = (name.to_owned(), labels, own.map(|own| bits(float(&own))));
        pages.entry(sample["file"].as_str().unwrap().to_owned()).or_default().insert(key, value);
    }
    pages
}

#[test]
fn the_binary_page_says_what_the_text_page_says() {
    let Some(python) = super::python() else { return super::absent("the reference OpenMetrics parser") };
    let folder = tempfile::tempdir().unwrap();
    let mut runner = TestRunner::deterministic();
    let (mut paths, mut binary) = (Vec::new(), BTreeMap::new());
    for page in 0..PAGES {
        let families = families(&mut runner);
        let path = folder.path().join(format!("{page}.txt"));
        fs::write(&path, respond(families.clone(), &Style::default(), None, None).body).unwrap();
        paths.push(path);
        let scrape = respond(families, &Style::default(), Some(PROTOBUF), None);
        assert!(scrape.content_type.starts_with("application/vnd.google.protobuf"), "{}", scrape.content_type);
        binary.insert(format!("{page}.txt"), decode(&scrape.body));
    }
    let text = read(&python, &paths);
    let (mut compared, mut natives_compared) = (0, 0);
    for (page, (mut samples, natives)) in binary {
        let mut text = text.get(&page).cloned().unwrap_or_default();
        for native in natives {
            let Native { name, labels, histogram } = &native;
            let buckets = native.buckets();
            let zero = histogram.zero_count as i64;
            assert_eq!(buckets.iter().map(|(.., count)| count).sum::<i64>() + zero, histogram.sample_count as i64);
            let threshold = histogram.zero_threshold;
            let key = |suffix: &str, own| (format!("{name}{suffix}"), labels.clone(), own);
            let count = text.remove(&key("_count", None));
            assert!(same(count, Some(histogram.sample_count as f64)), "{name}: {count:?}");
            if !histogram.sample_sum.is_nan() {
                let sum = text.remove(&key("_sum", None));
                assert!(same(sum, Some(histogram.sample_sum)), "{name}: {sum:?}");
            }
            let classic: Vec<_> = text
                .iter()
                .filter(|((sample, of, _), _)| *sample == format!("{name}_bucket") && of == labels)
                .map(|(key, value)| (key.clone(), *value))
                .collect();
            assert!(!classic.is_empty(), "{name} is not on the text page");
            for (key, shown) in classic {
                let bound = f64::from_bits(key.2.unwrap());
                // A bound is a bucket's end, up to what its calculation here is wrong by. Buckets
                // that reach into the zero bucket are on either side of its end.
                let clear = |end: f64| end.abs() > threshold * (1.0 + 1e-9);
                let below: i64 = buckets
                    .iter()
                    .filter(|(_, upper, _)| *upper <= bound + bound.abs() * 1e-9)
                    .map(|(.., count)| count)
                    .sum();
                let below = below + if bound >= 0.0 { zero } else { 0 };
                if clear(bound) && threshold <= 1e-128 {
                    assert_eq!(shown, below as f64, "{name} at {bound}: {buckets:?}");
                }
                text.remove(&key);
            }
            natives_compared += 1;
        }
        compared += samples.len();
        for (key, value) in std::mem::take(&mut samples) {
            let found = text.remove(&key);
            assert!(same(found, Some(value)), "page {page}: {key:?} is {found:?}, not {value}");
        }
        assert_eq!(text, Samples::new(), "page {page}: only in the text");
    }
    assert!(compared > 1_000 && natives_compared > 20, "hardly anything was compared: {compared}, {natives_compared}");
}
