//! A scrape's answer: families written for Prometheus, in the format that the scraper asks for.
//!
//! `page` makes of the families what Prometheus may see, `openmetrics` and `classic` write
//! it, [`accept`] chooses between them. The listener that takes the request is not here.

pub mod accept;
mod classic;
mod name;
mod openmetrics;
mod page;
#[cfg(test)]
mod strict;
mod style;

use std::borrow::Cow;
use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use self::accept::{Format, accepts_gzip, choose};
pub use self::page::LeftOut;
use self::page::Page;
pub use self::style::{Style, Translation};
use super::snapshot::Family;

/// An answer to a scrape.
#[derive(Debug, Clone)]
pub struct Scrape {
    /// `Content-Type`.
    pub content_type: Cow<'static, str>,
    /// `Content-Encoding`, if the body is compressed.
    pub content_encoding: Option<&'static str>,
    /// The page.
    pub body: Bytes,
    /// Why series are missing on it, an entry for each of them.
    pub left_out: Vec<LeftOut>,
}

/// Answers a scrape with `Accept` and `Accept-Encoding` headers as they came. A page of 2,000 histogram series is 6 MB and takes tens of milliseconds: not for a thread that has
/// requests to serve.
pub fn respond(families: Vec<Family>, style: &Style, accept: Option<&str>, accept_encoding: Option<&str>) -> Scrape {
    let choice = choose(accept);
    let (text, left_out) = render(families, style, choice.format);
    let compressed = if accepts_gzip(accept_encoding) { gzip(text.as_bytes()) } else { None };
    let (body, content_encoding) = match compressed {
        Some(body) => (body, Some("gzip")),
        None => (text.into_bytes(), None),
    };
    Scrape { content_type: choice.content_type, content_encoding, body: body.into(), left_out }
}

/// Writes families in a format; returns what is not on the page, too.
pub fn render(families: Vec<Family>, style: &Style, format: Format) -> (String, Vec<LeftOut>) {
    let mut page = Page::new(families, style);
    let left_out = std::mem::take(&mut page.left_out);
    let text = match format {
        Format::Classic => classic::write(&page),
        // An empty page is a valid one, and better than half a page.
        Format::OpenMetrics => openmetrics::write(page).unwrap_or_else(|fmt_error| {
            tracing::error!(error = %fmt_error, "the OpenMetrics page could not be written; an empty one is sent");
            "# EOF\n".to_owned()
        }),
    };
    (text, left_out)
}

/// `None` if compression fails, which it does not in memory; the page is then sent as it is.
fn gzip(text: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 8), Compression::fast());
    encoder.write_all(text).ok()?;
    encoder.finish().ok()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;
    use proptest::prelude::*;

    use super::strict::{Sample, parse};
    use super::*;
    use crate::metrics::snapshot::{Bounds, Distribution, Exemplar, Kind, Label, LabelValue, Labels, Series, Value};
    use crate::otlp::{SpanId, TraceId};

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

    fn both(families: &[Family]) -> (Vec<Sample>, Vec<LeftOut>) {
        let (classic, left_out) = render(families.to_vec(), &Style::default(), Format::Classic);
        let (open, left_out_open) = render(families.to_vec(), &Style::default(), Format::OpenMetrics);
        assert_eq!(left_out, left_out_open);
        let plain = |samples: Vec<Sample>| {
            let mut samples: Vec<_> = samples.into_iter().map(|sample| Sample { exemplar: None, ..sample }).collect();
            samples.sort_by(|a, b| (&a.name, &a.labels).cmp(&(&b.name, &b.labels)));
            samples
        };
        let samples = plain(parse(&classic, Format::Classic));
        assert_eq!(samples, plain(parse(&open, Format::OpenMetrics)), "the formats differ");
        (samples, left_out)
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
ns_a_duration_seconds_sum{gen_ai_request_model=\"m\"} 30000000.0
ns_a_duration_seconds_count{gen_ai_request_model=\"m\"} 3
ns_a_duration_seconds_bucket{le=\"0.5\",gen_ai_request_model=\"m\"} 1
ns_a_duration_seconds_bucket{le=\"16777216.0\",gen_ai_request_model=\"m\"} 1
ns_a_duration_seconds_bucket{le=\"+Inf\",gen_ai_request_model=\"m\"} 3 # {trace_id=\"abababababababababababababababab\",span_id=\"0101010101010101\"} 20000000.0 1700000000.123
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
ns_a_duration_seconds_bucket{le=\"16777216.0\",gen_ai_request_model=\"m\"} 1
ns_a_duration_seconds_bucket{le=\"+Inf\",gen_ai_request_model=\"m\"} 3
ns_a_duration_seconds_sum{gen_ai_request_model=\"m\"} 30000000.0
ns_a_duration_seconds_count{gen_ai_request_model=\"m\"} 3
";
        assert_eq!(page, expected);
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
        assert_eq!(shown.len(), 3, "{shown:?}");
        assert_eq!(samples.iter().filter(|sample| sample.name == "h_count").count(), 1);
        let count = |reason| left_out.iter().filter(|left_out| **left_out == reason).count();
        assert_eq!(LeftOut::ALL.map(count), [1, 2, 2, 3]);
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

    fn any_family() -> impl Strategy<Value = Family> {
        let key = prop_oneof!["[a-c._-]{0,3}", "le", ".{0,4}"];
        let value = prop_oneof![
            any::<u64>().prop_map(integer),
            any::<f64>().prop_map(|value| Value::Double(value, None)),
            (any::<f64>(), ".{0,80}")
                .prop_map(|(value, text)| { Value::Integer(1, Some(exemplar(value, vec![Label::text("k", text)]))) }),
            (".{0,90}").prop_map(|text| distribution(vec![(0, exemplar(0.2, vec![Label::text("k", text)]))])),
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
        let kind = proptest::sample::select(vec![Kind::Counter, Kind::Gauge, Kind::Histogram, Kind::Info]);
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
            let shown: usize = Page::new(families, &Style::default()).families.iter().map(|family| family.series.len()).sum();
            prop_assert_eq!(shown + left_out.len(), total);
        }
    }
}
