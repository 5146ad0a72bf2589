//! What a scrape costs: the time of a page of 1,000 and of 10,000 series in each format, with and
//! without gzip, and the memory that it takes beside its families.
//!
//! Of ten series three are counters, three gauges, three histograms of 15 buckets and one is an
//! exponential histogram of 160. Run with `cargo bench --bench scrape`; the figures are in
//! `docs/performance.md`. Each case runs in a process of its own, whose highest resident set is read
//! from Linux.

use std::env;
use std::fs;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dragoman::metrics::exposition::{Style, respond};
use dragoman::metrics::snapshot::{
    Bounds, Buckets, Distribution, Exemplar, Family, Kind, Label, Labels, NativeDistribution, Series, Value,
};
use dragoman::otlp::{SpanId, TraceId};

/// Scrapes of a case; the median is shown.
const ROUNDS: usize = 9;

/// Tells a process which case is its own.
const CASE: &str = "DRAGOMAN_SCRAPE_CASE";

const FORMATS: &[(&str, &str)] = &[
    ("OpenMetrics", "application/openmetrics-text;version=1.0.0"),
    ("text", "text/plain;version=0.0.4"),
    ("protobuf", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"),
];

const ENCODINGS: &[Option<&str>] = &[None, Some("gzip")];

const SIZES: &[usize] = &[1_000, 10_000];

fn exemplar(value: f64) -> Exemplar {
    Exemplar {
        value,
        time_unix_nano: 1_700_000_000_000_000_000,
        trace_id: Some(TraceId([7; 16])),
        span_id: Some(SpanId([7; 8])),
        attributes: Vec::new(),
    }
}

fn labels(number: usize) -> Labels {
    let model = format!("provider/model-{}", number % 40);
    let route = format!("/v1/routes/{number}");
    [
        ("job", "shop/checkout"),
        ("instance", "0a1b2c3d-checkout-7f9c"),
        ("otel_scope_name", "opentelemetry.instrumentation.openai_v2"),
        ("otel_scope_version", "2.1b0"),
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.request.model", &model),
        ("http.route", &route),
        ("server.address", "api.example.com"),
    ]
    .iter()
    .map(|(key, value)| Label::text(key, *value))
    .collect()
}

/// So many series, in ten families.
fn families(series: usize) -> Vec<Family> {
    let bounds: Arc<[f64]> = (0..14).map(|power| 0.01 * 2.0_f64.powi(power)).collect();
    let explicit = |number: usize| {
        Value::Histogram(Distribution {
            bounds: Bounds::Shared(Arc::clone(&bounds)),
            counts: (0..15).map(|bucket| (bucket * 7 + number as u64) % 1_000).collect(),
            sum: Some(1234.567 * number as f64),
            exemplars: vec![(3, exemplar(0.05)), (7, exemplar(1.0))],
        })
    };
    let native = |number: usize| {
        let counts: Box<[u64]> = (0..160).map(|bucket| (bucket * 7 + number as u64) % 1_000).collect();
        Value::Native(NativeDistribution {
            scale: 5,
            zero_threshold: 0.0,
            zero_count: 3,
            count: counts.iter().sum::<u64>() + 3,
            positive: Buckets { offset: -100, counts },
            negative: Buckets::default(),
            sum: Some(1234.567 * number as f64),
            exemplars: vec![exemplar(0.5)],
        })
    };
    (0..10)
        .map(|family| {
            let (kind, value): (_, &dyn Fn(usize) -> Value) = match family {
                0..3 => (Kind::Counter, &|number| Value::Integer(number as u64, Some(exemplar(1.0)))),
                3..6 => (Kind::Gauge, &|number| Value::Double(number as f64 * 0.37, None)),
                6..9 => (Kind::Histogram, &explicit),
                _ => (Kind::Histogram, &native),
            };
            let series = (0..series / 10).map(|number| Series {
                labels: labels(number),
                start_time_unix_nano: 1_690_000_000_000_000_000,
                time_unix_nano: 1_700_000_000_000_000_000,
                value: value(number),
            });
            Family {
                name: format!("application.measured.{family}").into(),
                help: "What an application measures".into(),
                unit: "s".into(),
                kind,
                scope: None,
                namespace: None,
                series: series.collect(),
            }
        })
        .collect()
}

/// A line of this process' status, in KiB.
fn status(name: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Runs a case and prints its row.
fn case(number: usize) {
    let series = SIZES[number % SIZES.len()];
    let (format, accept) = FORMATS[number / SIZES.len() % FORMATS.len()];
    let encoding = ENCODINGS[number / SIZES.len() / FORMATS.len()];
    let (style, stored) = (Style::default(), families(series));
    // A store copies what it holds for each scrape, and so is done here.
    let copied = |times: &mut Vec<Duration>| {
        let start = Instant::now();
        let families = stored.clone();
        times.push(start.elapsed());
        families
    };
    let (mut copies, mut scrapes) = (Vec::new(), Vec::new());
    let before = status("VmRSS:").unwrap_or_default();
    let mut bytes = 0;
    let mut peak = 0;
    for round in 0..ROUNDS {
        let families = copied(&mut copies);
        let start = Instant::now();
        let scrape = respond(families, &style, Some(accept), encoding);
        scrapes.push(start.elapsed());
        assert!(scrape.left_out.is_empty(), "{:?}", scrape.left_out);
        bytes = scrape.body.len();
        if round == 0 {
            peak = status("VmHWM:").unwrap_or_default().saturating_sub(before);
        }
    }
    copies.sort_unstable();
    scrapes.sort_unstable();
    let millis = |times: &[Duration]| times[times.len() / 2].as_secs_f64() * 1e3;
    println!(
        "| {series} | {format}{} | {:.1} ms | {:.1} ms | {:.2} MB | {:.1} MiB |",
        if encoding.is_some() { ", gzip" } else { "" },
        millis(&copies),
        millis(&scrapes),
        bytes as f64 / 1e6,
        peak as f64 / 1024.0,
    );
}

fn main() -> ExitCode {
    if let Some(number) = env::var(CASE).ok().and_then(|number| number.parse().ok()) {
        case(number);
        return ExitCode::SUCCESS;
    }
    println!("| series | format | copied | written | page | most memory, beside what is stored |");
    println!("|---|---|---|---|---|---|");
    let Ok(own) = env::current_exe() else { return ExitCode::FAILURE };
    for number in 0..SIZES.len() * FORMATS.len() * ENCODINGS.len() {
        match Command::new(&own).env(CASE, number.to_string()).status() {
            Ok(status) if status.success() => {}
            other => {
                eprintln!("case {number} failed: {other:?}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
