//! Pages of families that nobody would write, in every strategy and text format.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use dragoman::metrics::exposition::{Style, Translation, respond};
use dragoman::metrics::snapshot::{
    Bounds, Buckets, Distribution, Exemplar, Family, Kind, Label, LabelValue, NativeDistribution, Quantiles, Scope,
    Series, Value,
};
use dragoman::otlp::{SpanId, TraceId};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// Pages of each strategy.
const PAGES: usize = 60;

/// What a scraper of this or that age asks for, and what its page is called then.
const TEXTS: &[(&str, &str)] = &[
    ("application/openmetrics-text;version=1.0.0", "om"),
    ("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8", "om"),
    ("application/openmetrics-text;version=1.0.0;escaping=values", "om"),
    ("text/plain;version=0.0.4", "txt"),
    ("text/plain;version=1.0.0;escaping=dots", "txt"),
];

/// A text that is short, odd, or both.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-c._-]{0,4}",
        ".{0,5}",
        "[\u{0}-\u{1f}\"\\\\{}#=, é\u{7f}\u{85}\u{2028}\u{feff}]{0,8}",
        proptest::sample::select(vec![
            "le",
            "quantile",
            "__name__",
            "_",
            "total",
            "job",
            "# EOF",
            "# TYPE a counter",
            "{schema:3}",
            "NaN",
            "a\nb 1",
        ])
        .prop_map(str::to_owned),
        "[xé]{300}",
    ]
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        -10.0..10.0_f64,
        proptest::sample::select(vec![
            0.0,
            -0.0,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::MIN_POSITIVE,
            1e6,
            1e-5
        ]),
    ]
}

fn label() -> impl Strategy<Value = Label> {
    let value = prop_oneof![
        text().prop_map(|text| LabelValue::Text(text.into())),
        any::<i64>().prop_map(LabelValue::Integer),
        any::<bool>().prop_map(LabelValue::Bool),
    ];
    (text(), value).prop_map(|(key, value)| Label { key: key.into(), value })
}

fn exemplar() -> impl Strategy<Value = Exemplar> {
    // The reference parser (0.23) takes the quote of a `\"` in an exemplar for the label's end; the
    // parser in src/metrics/exposition/strict.rs and Prometheus do not.
    let attribute = label().prop_map(|mut label| {
        if let LabelValue::Text(text) = &label.value {
            label.value = LabelValue::Text(text.replace('"', "'").into());
        }
        label
    });
    let attributes = proptest::collection::vec(attribute, 0..3);
    (number(), any::<bool>(), 0..=u64::MAX, attributes).prop_map(|(value, has_ids, time_unix_nano, attributes)| {
        Exemplar {
            value,
            time_unix_nano,
            trace_id: has_ids.then_some(TraceId([7; 16])),
            span_id: has_ids.then_some(SpanId([8; 8])),
            attributes,
        }
    })
}

fn explicit() -> impl Strategy<Value = Distribution> {
    let bounds = proptest::collection::vec(number(), 0..5);
    let counts = proptest::collection::vec(0..100_u64, 1..6);
    let exemplars = proptest::collection::vec((0..6_usize, exemplar()), 0..3);
    (bounds, counts, proptest::option::of(number()), exemplars, any::<bool>()).prop_map(
        |(mut bounds, mut counts, sum, exemplars, sorted)| {
            if sorted {
                bounds.retain(|bound| bound.is_finite());
                bounds.sort_by(f64::total_cmp);
                bounds.dedup();
                counts.resize(bounds.len() + 1, 3);
            }
            Distribution { bounds: Bounds::Shared(bounds.into()), counts: counts.into(), sum, exemplars }
        },
    )
}

fn exponential() -> impl Strategy<Value = NativeDistribution> {
    let scale = prop_oneof![-6..12_i32, any::<i32>()];
    let offset = prop_oneof![-50..50_i32, any::<i32>()];
    let side = (offset, proptest::collection::vec(0..9_u64, 0..20))
        .prop_map(|(offset, counts)| Buckets { offset, counts: counts.into() });
    let threshold = prop_oneof![Just(0.0), Just(1e-9), Just(3.0), number()];
    let exemplars = proptest::collection::vec(exemplar(), 0..3);
    (scale, side.clone(), side, threshold, proptest::option::of(number()), 0..9_u64, exemplars).prop_map(
        |(scale, positive, negative, zero_threshold, sum, zero_count, exemplars)| NativeDistribution {
            scale,
            zero_threshold,
            zero_count,
            count: zero_count + positive.counts.iter().chain(&negative.counts).sum::<u64>(),
            positive,
            negative,
            sum,
            exemplars,
        },
    )
}

fn integer() -> impl Strategy<Value = Value> {
    (any::<u64>(), proptest::option::of(exemplar())).prop_map(|(value, exemplar)| Value::Integer(value, exemplar))
}

fn double() -> impl Strategy<Value = Value> {
    (number(), proptest::option::of(exemplar())).prop_map(|(value, exemplar)| Value::Double(value, exemplar))
}

fn summary() -> impl Strategy<Value = Value> {
    (any::<u64>(), number(), proptest::collection::vec((-0.5..1.5_f64, number()), 0..5))
        .prop_map(|(count, sum, values)| Value::Summary(Quantiles { count, sum, values: values.into() }))
}

/// A value that mostly is one of the kind.
fn value(kind: Kind) -> impl Strategy<Value = Value> {
    let whatever = prop_oneof![
        integer(),
        double(),
        any::<i64>().prop_map(Value::Signed),
        explicit().prop_map(Value::Histogram),
        exponential().prop_map(Value::Native),
        summary(),
    ];
    let fitting = match kind {
        Kind::Counter => prop_oneof![integer(), double()].boxed(),
        Kind::Gauge => prop_oneof![integer(), double(), any::<i64>().prop_map(Value::Signed)].boxed(),
        Kind::Histogram => {
            prop_oneof![explicit().prop_map(Value::Histogram), exponential().prop_map(Value::Native)].boxed()
        }
        Kind::Summary => summary().boxed(),
        Kind::Info => integer().boxed(),
    };
    prop_oneof![1 => whatever, 9 => fitting]
}

fn all_series(kind: Kind) -> impl Strategy<Value = Vec<Series>> {
    let series =
        (proptest::collection::vec(label(), 0..4), value(kind), any::<u64>()).prop_map(|(labels, value, time)| {
            Series { labels: labels.into(), start_time_unix_nano: time / 2, time_unix_nano: time, value }
        });
    proptest::collection::vec(series, 0..8)
}

/// A family whose series are mostly of its kind.
fn family() -> impl Strategy<Value = Family> {
    let kinds = [Kind::Counter, Kind::Gauge, Kind::Histogram, Kind::Summary, Kind::Info];
    let kind = proptest::sample::select(kinds.to_vec());
    let kind_and_series = kind.prop_flat_map(|kind| (Just(kind), all_series(kind)));
    let name = prop_oneof!["[a-d]([._](total|sum|count|bucket|info|created|s|seconds))?", text()];
    let unit = prop_oneof![proptest::sample::select(vec!["", "s", "By/s", "{x}", "1"]).prop_map(str::to_owned), text()];
    let scope = proptest::option::of(Just(Scope { name: "library", version: "1" }));
    let namespace = proptest::option::weighted(0.2, Just("llama_stack"));
    (name, text(), unit, kind_and_series, scope, namespace).prop_map(
        |(name, help, unit, (kind, series), scope, namespace)| Family {
            name: name.into(),
            help: help.into(),
            unit: unit.into(),
            kind,
            scope,
            namespace,
            series,
        },
    )
}

/// Families for a page; the same in every run.
pub(crate) fn families(runner: &mut TestRunner) -> Vec<Family> {
    proptest::collection::vec(family(), 0..10).new_tree(runner).unwrap().current()
}

fn style(translation: Translation, number: usize) -> Style {
    Style {
        namespace: ["", "ns", "my.app", "9 \"lives\""][number % 4].into(),
        const_labels: if number.is_multiple_of(3) {
            vec![("const".into(), "a\"b\\".into()), ("a".into(), "c\nd".into())]
        } else {
            Vec::new()
        },
        translation,
        send_timestamps: number.is_multiple_of(5),
        scope_labels: number.is_multiple_of(2),
    }
}

/// Writes the pages into a folder; returns their paths by ending.
fn pages(folder: &Path) -> BTreeMap<&'static str, Vec<std::path::PathBuf>> {
    let mut runner = TestRunner::deterministic();
    let mut paths: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let mut shown = 0;
    for translation in Translation::ALL {
        for page in 0..PAGES {
            let families = families(&mut runner);
            let style = style(translation, page);
            for (way, (accept, ending)) in TEXTS.iter().enumerate() {
                let scrape = respond(families.clone(), &style, Some(accept), None);
                shown += scrape.body.len();
                let path = folder.join(format!("{}-{page}-{way}.{ending}", translation.name()));
                fs::write(&path, &scrape.body).unwrap();
                paths.entry(*ending).or_default().push(path);
            }
        }
    }
    assert!(shown > 1_000_000, "hardly anything is on the pages: {shown} bytes");
    paths
}

#[test]
fn the_reference_parser_reads_whatever_is_measured() {
    let Some(python) = super::python() else { return super::absent("the reference OpenMetrics parser") };
    let folder = tempfile::tempdir().unwrap();
    let paths = pages(folder.path());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/parse_openmetrics.py");
    let output = Command::new(python).arg(script).args(paths.values().flatten()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    let first = errors.lines().next().unwrap_or_default();
    let page = paths.values().flatten().find(|path| first.contains(&*path.file_name().unwrap().to_string_lossy()));
    let page = page.map(|path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()).unwrap_or_default();
    assert!(output.status.success(), "{} pages are refused, the first: {first}\n{page}", errors.lines().count());
    assert!(output.stdout.iter().filter(|byte| **byte == b'\n').count() > 10_000, "hardly a sample was read");
}

#[test]
fn promtool_reads_whatever_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    // A process each, so not all of them. Names in quotes are not for this version.
    for path in pages(folder.path()).remove("txt").unwrap_or_default().iter().step_by(9) {
        let page = fs::read_to_string(path).unwrap();
        match super::read(Command::new("promtool").args(["check", "metrics"]), &page) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return super::absent("promtool"),
            Err(error) => panic!("promtool: {error}"),
            Ok(Ok(_)) => {}
            Ok(Err(advice)) => assert!(!advice.contains("error while linting"), "{advice}\n{page}"),
        }
    }
}
