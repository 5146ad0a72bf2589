//! The writers together: what is on a page, in every format, whatever is measured.

use std::collections::BTreeMap;
use std::io::Read;

use flate2::read::GzDecoder;
use proptest::prelude::*;

use super::accept::{Choice, Escaping, Format};
use super::strict::{Sample, parse};
use super::*;
use crate::metrics::snapshot::{
    Bounds, Buckets, Distribution, Exemplar, Kind, Label, LabelValue, Labels, NativeDistribution, Quantiles, Scope,
    Series, Value,
};
use crate::otlp::{SpanId, TraceId};

const PROTOBUF: &str = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";

fn family(name: &'static str, kind: Kind, series: Vec<Series>) -> Family {
    Family { name: name.into(), help: "Help".into(), unit: "".into(), kind, scope: None, namespace: None, series }
}

fn series(labels: &[(&'static str, &str)], value: Value) -> Series {
    let labels: Labels = labels.iter().map(|(key, value)| Label::text(key, *value)).collect();
    Series { labels, start_time_unix_nano: 0, time_unix_nano: 0, value }
}

fn namespace(namespace: &str) -> Style {
    Style { namespace: namespace.into(), ..Style::default() }
}

fn integer(value: u64) -> Value {
    Value::Integer(value, None)
}

fn exemplar(value: f64, attributes: Vec<Label>) -> Exemplar {
    Exemplar {
        value,
        time_unix_nano: 1_700_000_000_123_456_789,
        trace_id: Some(TraceId([0xab; 16])),
        span_id: Some(SpanId([0x01; 8])),
        attributes,
    }
}

fn distribution(exemplars: Vec<(usize, Exemplar)>) -> Value {
    Value::Histogram(Distribution {
        bounds: Bounds::Static(&[0.5, 16_777_216.0]),
        counts: [1, 0, 2].into(),
        sum: Some(3e7),
        exemplars,
    })
}

/// The classic page's samples, and what is left out of both text pages. OpenMetrics may lack only
/// what it has no room for: sums of what can become less, with their counts, and negative quantiles.
fn both(families: &[Family]) -> (Vec<Sample>, Vec<LeftOut>) {
    let style = Style::default();
    let (classic, left_out) = render(families.to_vec(), &style, Format::Classic);
    let (open, left_out_open) = render(families.to_vec(), &style, Format::OpenMetrics);
    assert_eq!(left_out, left_out_open);
    let plain = |samples: Vec<Sample>| -> BTreeMap<String, Sample> {
        let plain = samples.into_iter().map(|sample| Sample { exemplar: None, ..sample });
        plain.map(|sample| (format!("{sample:?}"), sample)).collect()
    };
    let mut samples = plain(parse(&classic, Format::Classic));
    let shown = samples.values().cloned().collect();
    for key in plain(parse(&open, Format::OpenMetrics)).keys() {
        assert!(samples.remove(key).is_some(), "only in OpenMetrics: {key}");
    }
    for sample in samples.values() {
        let of_a_sum = sample.name.ends_with("_sum") || sample.name.ends_with("_count");
        assert!(of_a_sum || sample.labels.contains_key("quantile"), "not in OpenMetrics: {sample:?}");
    }
    (shown, left_out)
}

fn one_of_each() -> Vec<Family> {
    let mut duration = family(
        "a.duration",
        Kind::Histogram,
        vec![series(&[("gen_ai.request.model", "m")], distribution(vec![(2, exemplar(2e7, vec![]))]))],
    );
    duration.unit = "s".into();
    vec![
        family("up.requests", Kind::Counter, vec![series(&[], Value::Integer(7, Some(exemplar(3.0, vec![]))))]),
        family("size", Kind::Gauge, vec![series(&[("queue", "a")], Value::Double(1.5, None))]),
        duration,
        family("target", Kind::Info, vec![series(&[("service.name", "dragoman")], integer(1))]),
    ]
}

#[test]
fn openmetrics() {
    let (page, left_out) = render(one_of_each(), &namespace("ns"), Format::OpenMetrics);
    let expected = "\
# HELP target Help
# TYPE target info
target_info{service_name=\"dragoman\"} 1
# HELP ns_up_requests Help
# TYPE ns_up_requests counter
ns_up_requests_total 7 # {trace_id=\"abababababababababababababababab\",span_id=\"0101010101010101\"} 3.0 1700000000.123
# HELP ns_size Help
# TYPE ns_size gauge
ns_size{queue=\"a\"} 1.5
# HELP ns_a_duration_seconds Help
# TYPE ns_a_duration_seconds histogram
# UNIT ns_a_duration_seconds seconds
ns_a_duration_seconds_bucket{le=\"0.5\",gen_ai_request_model=\"m\"} 1
ns_a_duration_seconds_bucket{le=\"1.6777216e+07\",gen_ai_request_model=\"m\"} 1
ns_a_duration_seconds_bucket{le=\"+Inf\",gen_ai_request_model=\"m\"} 3 # {trace_id=\"abababababababababababababababab\",span_id=\"0101010101010101\"} 20000000.0 1700000000.123
ns_a_duration_seconds_sum{gen_ai_request_model=\"m\"} 30000000.0
ns_a_duration_seconds_count{gen_ai_request_model=\"m\"} 3
# EOF
";
    assert_eq!(page, expected);
    assert_eq!(left_out, []);
    parse(&page, Format::OpenMetrics);
}

#[test]
fn classic() {
    let (page, _) = render(one_of_each(), &namespace("ns"), Format::Classic);
    let expected = "\
# HELP target_info Help
# TYPE target_info gauge
target_info{service_name=\"dragoman\"} 1
# HELP ns_up_requests_total Help
# TYPE ns_up_requests_total counter
ns_up_requests_total 7
# HELP ns_size Help
# TYPE ns_size gauge
ns_size{queue=\"a\"} 1.5
# HELP ns_a_duration_seconds Help
# TYPE ns_a_duration_seconds histogram
ns_a_duration_seconds_bucket{le=\"0.5\",gen_ai_request_model=\"m\"} 1
ns_a_duration_seconds_bucket{le=\"1.6777216e+07\",gen_ai_request_model=\"m\"} 1
ns_a_duration_seconds_bucket{le=\"+Inf\",gen_ai_request_model=\"m\"} 3
ns_a_duration_seconds_sum{gen_ai_request_model=\"m\"} 30000000.0
ns_a_duration_seconds_count{gen_ai_request_model=\"m\"} 3
";
    assert_eq!(page, expected);
}

/// What applications send.
fn application() -> Vec<Family> {
    let native = NativeDistribution {
        scale: 1,
        zero_threshold: 0.0,
        zero_count: 2,
        // (1, 1.41], (1.41, 2], (2, 2.83], (2.83, 4]
        positive: Buckets { offset: 0, counts: [1, 0, 2, 4].into() },
        negative: Buckets::default(),
        count: 9,
        sum: Some(16.5),
        exemplars: vec![exemplar(3.5, vec![])],
    };
    let unknown = Distribution {
        bounds: Bounds::Shared([-1.0, 1.0].into()),
        counts: [1, 2, 3].into(),
        sum: None,
        exemplars: Vec::new(),
    };
    let quantiles = Quantiles { count: 7, sum: 3.5, values: [(0.99, 2.0), (0.5, f64::NAN), (1.5, 1.0)].into() };
    let mut measured = series(&[("k", "1")], Value::Double(1.5, Some(exemplar(0.5, vec![]))));
    measured.time_unix_nano = 1_700_000_000_500_000_000;
    let mut renamed = family("total_tokens", Kind::Counter, vec![series(&[], integer(5))]);
    (renamed.unit, renamed.namespace) = ("tokens".into(), Some("llama_stack"));
    vec![
        family("cost", Kind::Counter, vec![measured]),
        family(
            "level",
            Kind::Gauge,
            vec![
                series(&[("k", "1")], Value::Signed(-7)),
                series(&[("k", "2")], Value::Double(f64::NAN, None)),
                series(&[("k", "3")], Value::Double(f64::NEG_INFINITY, None)),
            ],
        ),
        family("wait", Kind::Histogram, vec![series(&[], Value::Native(native))]),
        family("offset", Kind::Histogram, vec![series(&[], Value::Histogram(unknown))]),
        family("size", Kind::Summary, vec![series(&[("quantile", "x")], Value::Summary(quantiles))]),
        renamed,
    ]
}

#[test]
fn every_kind_in_openmetrics() {
    let style = Style { namespace: "app".into(), send_timestamps: true, ..Style::default() };
    let (page, left_out) = render(application(), &style, Format::OpenMetrics);
    let expected = "\
# HELP app_cost Help
# TYPE app_cost counter
app_cost_total{k=\"1\"} 1.5 1700000000.500 # {trace_id=\"abababababababababababababababab\",span_id=\"0101010101010101\"} 0.5 1700000000.123
# HELP app_level Help
# TYPE app_level gauge
app_level{k=\"1\"} -7
app_level{k=\"2\"} NaN
app_level{k=\"3\"} -Inf
# HELP app_wait Help
# TYPE app_wait histogram
app_wait_bucket{le=\"0.0\"} 2
app_wait_bucket{le=\"1.0\"} 2
app_wait_bucket{le=\"2.0\"} 3
app_wait_bucket{le=\"4.0\"} 9 # {trace_id=\"abababababababababababababababab\",span_id=\"0101010101010101\"} 3.5 1700000000.123
app_wait_bucket{le=\"8.0\"} 9
app_wait_bucket{le=\"16.0\"} 9
app_wait_bucket{le=\"32.0\"} 9
app_wait_bucket{le=\"64.0\"} 9
app_wait_bucket{le=\"128.0\"} 9
app_wait_bucket{le=\"256.0\"} 9
app_wait_bucket{le=\"+Inf\"} 9
app_wait_sum 16.5
app_wait_count 9
# HELP app_offset Help
# TYPE app_offset histogram
app_offset_bucket{le=\"-1.0\"} 1
app_offset_bucket{le=\"1.0\"} 3
app_offset_bucket{le=\"+Inf\"} 6
# HELP app_size Help
# TYPE app_size summary
app_size{quantile=\"0.5\",exported_quantile=\"x\"} NaN
app_size{quantile=\"0.99\",exported_quantile=\"x\"} 2.0
app_size_sum{exported_quantile=\"x\"} 3.5
app_size_count{exported_quantile=\"x\"} 7
# HELP llama_stack_tokens Help
# TYPE llama_stack_tokens counter
# UNIT llama_stack_tokens tokens
llama_stack_tokens_total 5
# EOF
";
    assert_eq!(page, expected);
    assert_eq!(left_out, []);
    let (classic, _) = render(application(), &style, Format::Classic);
    let has = |line: &str| assert!(classic.contains(line), "{line} is not in {classic}");
    has("\napp_cost_total{k=\"1\"} 1.5 1700000000500\n");
    has("\napp_offset_bucket{le=\"+Inf\"} 6\napp_offset_count 6\n");
    has("# TYPE llama_stack_tokens_total counter\n");
}

#[test]
fn names_are_as_they_are_for_those_who_can_read_them() {
    let mut request = family(
        "http.request",
        Kind::Histogram,
        vec![series(&[("url.path", "/"), ("a\"b", "c")], distribution(vec![]))],
    );
    request.unit = "s".into();
    let style = Style {
        translation: Translation::NoUtf8EscapingWithSuffixes,
        const_labels: vec![("env".into(), "test".into())],
        ..Style::default()
    };
    let requests = family("plain", Kind::Counter, vec![series(&[], integer(1))]);
    let accept = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8";
    let page = respond(vec![request.clone(), requests], &style, Some(accept), None);
    let labels = "\"url.path\"=\"/\",\"a\\\"b\"=\"c\",env=\"test\"";
    let expected = format!(
        "# HELP \"http.request_seconds\" Help\n\
         # TYPE \"http.request_seconds\" histogram\n\
         # UNIT \"http.request_seconds\" seconds\n\
         {{\"http.request_seconds_bucket\",le=\"0.5\",{labels}}} 1\n\
         {{\"http.request_seconds_bucket\",le=\"1.6777216e+07\",{labels}}} 1\n\
         {{\"http.request_seconds_bucket\",le=\"+Inf\",{labels}}} 3\n\
         {{\"http.request_seconds_sum\",{labels}}} 30000000.0\n\
         {{\"http.request_seconds_count\",{labels}}} 3\n\
         # HELP plain Help\n\
         # TYPE plain counter\n\
         plain_total{{env=\"test\"}} 1\n\
         # EOF\n"
    );
    assert_eq!(std::str::from_utf8(&page.body).unwrap(), expected);

    for (escaping, line) in [
        (Escaping::Underscores, "http_request_seconds_sum{url_path=\"/\",a_b=\"c\",env=\"test\"} 30000000.0\n"),
        (Escaping::Dots, "http_dot_request__seconds_sum{url_dot_path=\"/\",a_b=\"c\",env=\"test\"} 30000000.0\n"),
        (
            Escaping::Values,
            "U__http_2E_request__seconds_sum{U__url_2E_path=\"/\",U__a_22_b=\"c\",env=\"test\"} 30000000.0\n",
        ),
    ] {
        let choice = Choice { format: Format::Classic, escaping, content_type: "".into() };
        let mut output = Output::new(false);
        page::write(vec![request.clone()], &style, &choice, &mut output);
        let text = String::from_utf8(output.finish().unwrap()).unwrap();
        assert!(text.contains(line), "{escaping:?}: {text}");
        parse(&text, Format::Classic);
    }
}

#[test]
fn a_counter_without_its_suffix_is_still_a_counter() {
    let style = Style { translation: Translation::UnderscoreEscapingWithoutSuffixes, ..Style::default() };
    let families = || {
        vec![
            family("calls", Kind::Counter, vec![series(&[], Value::Integer(3, Some(exemplar(1.0, vec![]))))]),
            family("bytes_total", Kind::Counter, vec![series(&[], integer(4))]),
        ]
    };
    let (classic, _) = render(families(), &style, Format::Classic);
    assert!(classic.contains("# TYPE calls counter\ncalls 3\n"), "{classic}");
    assert!(classic.contains("# TYPE bytes_total counter\nbytes_total 4\n"), "{classic}");
    // OpenMetrics knows no such counter, and no exemplar on what is none.
    let (open, _) = render(families(), &style, Format::OpenMetrics);
    assert!(open.contains("# TYPE calls unknown\ncalls 3\n"), "{open}");
    assert!(open.contains("# TYPE bytes counter\nbytes_total 4\n"), "{open}");
    parse(&open, Format::OpenMetrics);
}

#[test]
fn what_the_configuration_says_of_labels_is_done() {
    let mut measured =
        family("a", Kind::Gauge, vec![series(&[("env", "own"), ("le", "stays"), ("zone.id", "b")], integer(1))]);
    measured.scope = Some(Scope { name: "library", version: "2" });
    let const_labels = vec![("env".into(), "prod".into()), ("zone-id".into(), "c".into())];
    for (scope_labels, scope) in [(true, ",otel_scope_name=\"library\",otel_scope_version=\"2\""), (false, "")] {
        let style = Style { const_labels: const_labels.clone(), scope_labels, ..Style::default() };
        let (page, _) = render(vec![measured.clone()], &style, Format::Classic);
        let line = format!(
            "a{{exported_env=\"own\",le=\"stays\",exported_zone_id=\"b\"{scope},env=\"prod\",zone_id=\"c\"}} 1\n"
        );
        assert!(page.ends_with(&line), "{page}");
    }
}

#[test]
fn another_description_or_unit_is_dropped_and_no_series() {
    let said = |help: &'static str, labels: &[(&'static str, &str)]| {
        let mut said = family("a.seconds", Kind::Gauge, vec![series(labels, integer(1))]);
        said.help = help.into();
        said
    };
    let mut with_unit = said("", &[("k", "3")]);
    (with_unit.name, with_unit.unit) = ("a".into(), "s".into());
    let families =
        vec![said("", &[("k", "1")]), said("first", &[("k", "2")]), with_unit, said("second", &[("k", "4")])];
    let (page, left_out) = render(families, &Style::default(), Format::OpenMetrics);
    assert_eq!(left_out, []);
    let expected = "# HELP a_seconds first\n# TYPE a_seconds gauge\n# UNIT a_seconds seconds\n";
    assert!(page.starts_with(expected), "{page}");
    assert_eq!(parse(&page, Format::OpenMetrics).len(), 4);
}

#[test]
fn a_huge_label_does_not_make_a_huge_page() {
    let huge = |end: &str| "é".repeat(1_000_000) + end;
    let values = [huge("a"), huge("b")];
    let several = values.iter().map(|value| series(&[("k", value.as_str())], distribution(vec![]))).collect();
    let (page, left_out) = render(vec![family("h", Kind::Histogram, several)], &Style::default(), Format::OpenMetrics);
    assert!(page.len() < 16 * 1024, "{}", page.len());
    assert_eq!(left_out, [], "they stay apart");
    parse(&page, Format::OpenMetrics);
}

#[test]
fn nothing_is_a_page_too() {
    assert_eq!(render(vec![], &Style::default(), Format::Classic).0, "");
    assert_eq!(render(vec![], &Style::default(), Format::OpenMetrics).0, "# EOF\n");
}

#[test]
fn label_values_are_escaped() {
    let odd = "a\"b\\c\nd\u{0}e\rf{}, =#é";
    let (samples, _) = both(&[family("a", Kind::Gauge, vec![series(&[("k", odd)], integer(1))])]);
    assert_eq!(samples[0].labels["k"], "a\"b\\c\nd\u{fffd}e\u{fffd}f{}, =#é");
    let (page, _) = render(
        vec![family("a", Kind::Gauge, vec![series(&[("k", "\"\\\n")], integer(1))])],
        &Style::default(),
        Format::OpenMetrics,
    );
    assert!(page.contains(r#"a{k="\"\\\n"} 1"#), "{page}");
}

#[test]
fn help_stays_on_its_line() {
    let mut odd = family("a", Kind::Gauge, vec![series(&[], integer(1))]);
    odd.help = "a \"b\" \\ c\n# TYPE a counter".into();
    let (open, _) = render(vec![odd.clone()], &Style::default(), Format::OpenMetrics);
    assert!(open.starts_with("# HELP a a \\\"b\\\" \\\\ c # TYPE a counter\n"), "{open}");
    let (classic, _) = render(vec![odd], &Style::default(), Format::Classic);
    assert!(classic.starts_with("# HELP a a \"b\" \\\\ c # TYPE a counter\n"), "{classic}");
}

#[test]
fn what_would_spoil_the_page_is_left_out_and_counted() {
    let good = series(&[("k", "good")], integer(1));
    let (samples, left_out) = both(&[
        family(
            "a.b",
            Kind::Gauge,
            vec![
                good.clone(),
                series(&[("x", "1"), ("y", "2")], integer(1)),
                series(&[("y", "2"), ("x", "1")], integer(2)),
                series(&[("k", "nan")], Value::Double(f64::NAN, None)),
                series(&[("k", "wrong")], distribution(vec![])),
            ],
        ),
        // One family under two names that become one: the series join, what is said twice is not.
        family("a_b", Kind::Gauge, vec![good, series(&[("k", "more")], integer(5))]),
        family("a-b", Kind::Counter, vec![series(&[], integer(1))]),
        family("…", Kind::Counter, vec![series(&[], integer(1))]),
        family("h", Kind::Histogram, vec![series(&[], distribution(vec![]))]),
        family("h.count", Kind::Gauge, vec![series(&[], integer(1))]),
        family("c", Kind::Counter, vec![series(&[], Value::Double(-1.0, None))]),
    ]);
    let shown: Vec<_> = samples.iter().filter(|sample| !sample.name.starts_with('h')).collect();
    assert_eq!(shown.len(), 4, "{shown:?}");
    assert_eq!(samples.iter().filter(|sample| sample.name == "h_count").count(), 1);
    let count = |reason| left_out.iter().filter(|left_out| **left_out == reason).count();
    assert_eq!(LeftOut::ALL.map(count), [1, 1, 1, 2, 2, 0]);
}

#[test]
fn labels_that_become_one_are_joined() {
    let (samples, _) = both(&[family(
        "h",
        Kind::Histogram,
        vec![series(&[("b.c", "2"), ("z", ""), ("b-c", "1"), ("le", "5")], distribution(vec![]))],
    )]);
    let sum = samples.iter().find(|sample| sample.name == "h_sum").unwrap();
    let labels: Vec<_> = sum.labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(labels, [("b_c", "1;2"), ("exported_le", "5")]);
}

#[test]
fn an_exemplar_has_128_characters_at_most() {
    // trace_id and span_id with their names take 63.
    let long = |key: &'static str, characters: usize| Label::text(key, "é".repeat(characters));
    for (attributes, kept) in [
        (vec![long("k", 64)], vec!["k"]),
        (vec![long("k", 65)], vec![]),
        (vec![long("a", 60), long("b", 10), long("c", 3)], vec!["a", "c"]),
        (vec![Label::text("trace_id", "x")], vec![]),
    ] {
        let value = distribution(vec![(0, exemplar(0.1, attributes))]);
        let (page, _) = render(
            vec![family("h", Kind::Histogram, vec![series(&[], value)])],
            &Style::default(),
            Format::OpenMetrics,
        );
        let samples = parse(&page, Format::OpenMetrics);
        let (labels, _) = samples.iter().find_map(|sample| sample.exemplar.clone()).unwrap();
        let more: Vec<_> = labels.keys().filter(|key| !key.ends_with("_id")).cloned().collect();
        assert_eq!(more, kept);
        assert_eq!(labels["trace_id"], "ab".repeat(16));
    }
}

#[test]
fn an_exemplar_stays_with_its_own_line() {
    let families = [
        family(
            "a",
            Kind::Counter,
            vec![
                series(&[("k", "1")], integer(1)),
                series(&[("k", "2")], Value::Integer(2, Some(exemplar(2.0, vec![])))),
                series(&[("k", "3")], integer(3)),
            ],
        ),
        family(
            "h",
            Kind::Histogram,
            vec![
                series(&[("k", "1")], distribution(vec![(0, exemplar(0.25, vec![])), (2, exemplar(2e7, vec![]))])),
                series(&[("k", "2")], distribution(vec![])),
            ],
        ),
        family("z", Kind::Gauge, vec![series(&[], integer(1))]),
    ];
    let (page, _) = render(families.to_vec(), &Style::default(), Format::OpenMetrics);
    let with: Vec<_> = parse(&page, Format::OpenMetrics)
        .into_iter()
        .filter_map(|sample| {
            let (_, value) = sample.exemplar?;
            let le = sample.labels.get("le").cloned().unwrap_or_default();
            Some((sample.name, sample.labels["k"].clone(), le, value))
        })
        .collect();
    let row = |name: &str, k: &str, le: &str, value| (name.to_owned(), k.to_owned(), le.to_owned(), value);
    assert_eq!(
        with,
        [row("a_total", "2", "", 2.0), row("h_bucket", "1", "0.5", 0.25), row("h_bucket", "1", "+Inf", 2e7),]
    );
}

#[test]
fn the_answer_is_compressed_if_asked() {
    let plain = respond(one_of_each(), &Style::default(), Some("text/plain"), None);
    assert_eq!(plain.content_encoding, None);
    let packed = respond(one_of_each(), &Style::default(), Some("text/plain"), Some("gzip, deflate"));
    assert_eq!(packed.content_encoding, Some("gzip"));
    let mut text = String::new();
    GzDecoder::new(&packed.body[..]).take(1 << 20).read_to_string(&mut text).unwrap();
    assert_eq!(text.as_bytes(), plain.body);
}

fn any_native() -> impl Strategy<Value = NativeDistribution> {
    let scale = prop_oneof![-6..12_i32, any::<i32>()];
    let offset = prop_oneof![-50..50_i32, any::<i32>()];
    let side = (offset, proptest::collection::vec(0..9_u64, 0..20))
        .prop_map(|(offset, counts)| Buckets { offset, counts: counts.into() });
    let threshold = prop_oneof![Just(0.0), Just(1e-9), Just(3.0), any::<f64>()];
    let sum = proptest::option::of(any::<f64>());
    (scale, side.clone(), side, threshold, sum, 0..9_u64, ".{0,90}").prop_map(
        |(scale, positive, negative, zero_threshold, sum, zero_count, text)| NativeDistribution {
            scale,
            zero_threshold,
            zero_count,
            count: zero_count + positive.counts.iter().sum::<u64>() + negative.counts.iter().sum::<u64>(),
            positive,
            negative,
            sum,
            exemplars: vec![exemplar(0.2, vec![]), exemplar(-7.0, vec![Label::text("k", text)])],
        },
    )
}

fn any_family() -> impl Strategy<Value = Family> {
    let key = prop_oneof!["[a-c._-]{0,3}", "le", ".{0,4}"];
    let value = prop_oneof![
        any::<u64>().prop_map(integer),
        any::<f64>().prop_map(|value| Value::Double(value, None)),
        (any::<f64>(), ".{0,80}")
            .prop_map(|(value, text)| { Value::Integer(1, Some(exemplar(value, vec![Label::text("k", text)]))) }),
        (".{0,90}").prop_map(|text| distribution(vec![(0, exemplar(0.2, vec![Label::text("k", text)]))])),
        any::<i64>().prop_map(Value::Signed),
        (any::<f64>(), proptest::collection::vec((-0.5..1.5_f64, any::<f64>()), 0..4))
            .prop_map(|(sum, values)| Value::Summary(Quantiles { count: 3, sum, values: values.into() })),
        any_native().prop_map(Value::Native),
    ];
    let label_value = prop_oneof![
        ".{0,6}".prop_map(|text| LabelValue::Text(text.into())),
        any::<i64>().prop_map(LabelValue::Integer),
        any::<bool>().prop_map(LabelValue::Bool),
    ];
    let label = (key, label_value).prop_map(|(key, value)| Label { key: key.into(), value });
    let series = (proptest::collection::vec(label, 0..4), value).prop_map(|(labels, value)| Series {
        labels: labels.into(),
        start_time_unix_nano: 0,
        time_unix_nano: 0,
        value,
    });
    let kind = proptest::sample::select(vec![Kind::Counter, Kind::Gauge, Kind::Histogram, Kind::Summary, Kind::Info]);
    let name = prop_oneof!["[ab]([._](total|sum|info|s))?", ".{0,5}"];
    let unit = proptest::sample::select(vec!["", "s", "By/s", "{x}", "1", "\"\n"]);
    (name, ".{0,10}", unit, kind, proptest::collection::vec(series, 0..4)).prop_map(
        |(name, help, unit, kind, series)| Family {
            name: name.into(),
            help: help.into(),
            unit: unit.into(),
            kind,
            scope: None,
            namespace: None,
            series,
        },
    )
}

proptest! {
    #[test]
    fn whatever_is_measured_the_page_can_be_read(families in proptest::collection::vec(any_family(), 0..6)) {
        let total: usize = families.iter().map(|family| family.series.len()).sum();
        let (_, left_out) = both(&families);
        let binary = respond(families, &Style::default(), Some(PROTOBUF), None);
        prop_assert_eq!(&binary.left_out, &left_out);
        let shown = protobuf::count(&binary.body);
        prop_assert_eq!(shown + left_out.len(), total);
    }
}
