//! A parser for tests that takes nothing a scraper might refuse: stricter than Prometheus, and as
//! strict as the reference OpenMetrics parser in what these pages use.

use std::collections::{BTreeMap, HashSet};

use super::accept::Format;
use super::escaping::is_classic as is_metric_name;

/// One sample: name, labels in order of their names, value, exemplar.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sample {
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) value: f64,
    pub(super) exemplar: Option<(BTreeMap<String, String>, f64)>,
}

#[derive(Default)]
struct Open {
    name: String,
    kind: String,
    unit: Option<String>,
    help: bool,
    samples: Vec<Sample>,
}

/// Parses a page or panics with the line that is wrong.
pub(super) fn parse(page: &str, format: Format) -> Vec<Sample> {
    let mut done: HashSet<String> = HashSet::new();
    let mut open = Open::default();
    let mut samples = Vec::new();
    let mut ended = false;
    assert!(page.is_empty() || page.ends_with('\n'), "the last line has no end");
    for line in page.split_terminator('\n') {
        assert!(!ended, "something behind the end: {line}");
        assert!(!line.contains(|c: char| c.is_control()), "a control character: {line:?}");
        if line == "# EOF" {
            assert_eq!(format, Format::OpenMetrics, "the classic format has no end");
            ended = true;
        } else if let Some(rest) = line.strip_prefix("# ") {
            let mut words = rest.splitn(3, ' ');
            let (what, name, text) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
            assert!(is_metric_name(name), "no name: {line}");
            if open.name != name {
                close(&mut open, &mut done, &mut samples, format);
                open.name = name.to_owned();
            }
            assert!(open.samples.is_empty(), "a descriptor behind samples: {line}");
            match what {
                "HELP" => {
                    assert!(!std::mem::replace(&mut open.help, true), "twice: {line}");
                    unescape(text, format == Format::OpenMetrics);
                }
                "TYPE" => assert_eq!(std::mem::replace(&mut open.kind, text.to_owned()), "", "twice: {line}"),
                "UNIT" => {
                    assert_eq!(format, Format::OpenMetrics, "the classic format has no unit");
                    assert_eq!(open.unit.replace(text.to_owned()), None, "twice: {line}");
                    assert!(name.ends_with(&format!("_{text}")), "the name does not end in its unit: {line}");
                }
                _ => panic!("unknown descriptor: {line}"),
            }
        } else {
            let sample = sample(line, format);
            assert!(belongs(&sample.name, &open, format), "not a sample of {}: {line}", open.name);
            open.samples.push(sample);
        }
    }
    close(&mut open, &mut done, &mut samples, format);
    assert_eq!(ended, format == Format::OpenMetrics, "no end");
    samples
}

fn belongs(name: &str, open: &Open, format: Format) -> bool {
    let suffix = name.strip_prefix(&open.name);
    match (open.kind.as_str(), format) {
        ("counter", Format::OpenMetrics) => suffix == Some("_total"),
        ("counter", Format::Classic) | ("unknown", Format::OpenMetrics) | ("gauge", _) => suffix == Some(""),
        ("summary", _) => matches!(suffix, Some("" | "_sum" | "_count")),
        ("info", Format::OpenMetrics) => suffix == Some("_info"),
        ("histogram", _) => matches!(suffix, Some("_bucket" | "_sum" | "_count")),
        _ => false,
    }
}

fn close(open: &mut Open, done: &mut HashSet<String>, samples: &mut Vec<Sample>, format: Format) {
    let family = std::mem::take(open);
    if family.name.is_empty() {
        return;
    }
    let name = &family.name;
    assert!(!family.kind.is_empty(), "{name} lacks TYPE");
    let suffixes: &[&str] = match (family.kind.as_str(), format) {
        ("counter", Format::OpenMetrics) => &["", "_total", "_created"],
        ("histogram", _) => &["", "_bucket", "_sum", "_count", "_created"],
        ("summary", _) => &["", "_sum", "_count", "_created"],
        ("info", _) => &["", "_info"],
        _ => &[""],
    };
    for suffix in suffixes {
        assert!(done.insert(format!("{name}{suffix}")), "{name}{suffix} belongs to two families");
    }
    let mut seen = HashSet::new();
    for sample in &family.samples {
        assert!(seen.insert((&sample.name, &sample.labels)), "twice: {sample:?}");
        let suffix = sample.name.strip_prefix(name.as_str()).unwrap_or_default();
        assert!(
            !["_bucket", "_count", "_total"].contains(&suffix) || sample.value >= 0.0,
            "less than zero: {sample:?}"
        );
    }
    if family.kind == "histogram" {
        histogram(&family, format);
    }
    samples.extend(family.samples);
}

fn histogram(family: &Open, format: Format) {
    let mut groups: BTreeMap<BTreeMap<String, String>, Vec<&Sample>> = BTreeMap::new();
    for sample in &family.samples {
        let mut labels = sample.labels.clone();
        labels.remove("le");
        groups.entry(labels).or_default().push(sample);
    }
    for (labels, samples) in groups {
        let of =
            |suffix: &str| samples.iter().filter(|s| s.name == format!("{}{suffix}", family.name)).collect::<Vec<_>>();
        let (sums, counts, buckets) = (of("_sum"), of("_count"), of("_bucket"));
        match format {
            Format::OpenMetrics => assert!(sums.len() == counts.len() && sums.len() <= 1, "{labels:?}"),
            _ => assert!(counts.len() == 1 && sums.len() <= 1, "{labels:?}"),
        }
        let mut before = (f64::NEG_INFINITY, 0.0);
        for bucket in &buckets {
            let text = &bucket.labels["le"];
            let le: f64 = if text == "+Inf" { f64::INFINITY } else { text.parse().unwrap() };
            assert!(text == "+Inf" || text.contains(['.', 'e']), "a bound is written as a float: {text}");
            assert!(le > before.0 && bucket.value >= before.1, "buckets out of order: {labels:?}");
            if let Some((_, value)) = &bucket.exemplar {
                assert!(*value <= le && *value > before.0, "an exemplar of another bucket: {bucket:?}");
            }
            before = (le, bucket.value);
        }
        assert_eq!(before.0, f64::INFINITY, "{labels:?}");
        assert!(counts.iter().all(|count| count.value == before.1), "{labels:?}");
        if format == Format::OpenMetrics && !sums.is_empty() {
            assert!(sums[0].value >= 0.0, "{labels:?}");
            assert!(buckets.iter().all(|bucket| !bucket.labels["le"].starts_with('-')), "{labels:?}");
        }
    }
}

fn sample(line: &str, format: Format) -> Sample {
    let end = line.find(['{', ' ']).unwrap();
    let (name, rest) = line.split_at(end);
    assert!(is_metric_name(name), "no name: {line}");
    let (labels, rest) = if rest.starts_with('{') { label_set(rest, line) } else { (BTreeMap::new(), rest) };
    let rest = rest.strip_prefix(' ').unwrap_or_else(|| panic!("no space before the value: {line}"));
    let (value, exemplar) = match rest.split_once(" # ") {
        None => (rest, None),
        Some((value, exemplar)) => {
            assert_eq!(format, Format::OpenMetrics, "the classic format has no exemplars: {line}");
            assert!(name.ends_with("_bucket") || name.ends_with("_total"), "no place for an exemplar: {line}");
            let (labels, rest) = label_set(exemplar, line);
            let length: usize = labels.iter().map(|(k, v)| k.chars().count() + v.chars().count()).sum();
            assert!(length <= 128, "an exemplar of {length} characters: {line}");
            let mut numbers = rest.strip_prefix(' ').unwrap().split(' ');
            let measured: f64 = numbers.next().unwrap().parse().unwrap();
            assert!(numbers.next().is_none_or(|time| time.parse::<f64>().unwrap() >= 0.0), "no time: {line}");
            assert_eq!(numbers.next(), None, "{line}");
            (value, Some((labels, measured)))
        }
    };
    let value: f64 = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
    Sample { name: name.to_owned(), labels, value, exemplar }
}

/// Parses `{...}`; returns what is behind it.
fn label_set<'l>(text: &'l str, line: &str) -> (BTreeMap<String, String>, &'l str) {
    let mut labels = BTreeMap::new();
    let mut rest = text.strip_prefix('{').unwrap_or_else(|| panic!("no labels: {line}"));
    if let Some(rest) = rest.strip_prefix('}') {
        return (labels, rest);
    }
    loop {
        let (name, behind) = rest.split_once("=\"").unwrap_or_else(|| panic!("no label: {line}"));
        assert!(is_metric_name(name) && !name.contains(':') && !name.starts_with("__"), "no label name: {line}");
        let mut escaped = false;
        let end = behind
            .find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            })
            .unwrap_or_else(|| panic!("an open label: {line}"));
        let value = unescape(&behind[..end], true);
        assert!(!value.is_empty(), "an empty label: {line}");
        assert_eq!(labels.insert(name.to_owned(), value), None, "a label twice: {line}");
        rest = &behind[end + 1..];
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => return (labels, rest.strip_prefix('}').unwrap_or_else(|| panic!("open braces: {line}"))),
        }
    }
}

fn unescape(text: &str, quotes: bool) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('\\') => out.push('\\'),
                Some('n') => out.push('\n'),
                Some('"') if quotes => out.push('"'),
                other => panic!("no escape: {other:?} in {text}"),
            },
            '"' if quotes => panic!("a bare quote: {text}"),
            c => out.push(c),
        }
    }
    out
}
