//! What a scraper asks for: `Accept` and `Accept-Encoding` (RFC 9110, section 12.5), with the
//! media types of Prometheus' content negotiation.

use std::borrow::Cow;

pub use super::escaping::Escaping;
use super::style::Translation;

/// How a page is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0, with exemplars.
    OpenMetrics,
    /// The classic text format, 0.0.4 or, with names in quotes, 1.0.0.
    Classic,
    /// Delimited messages of `prometheus/client_model`, with exemplars and native histograms.
    Protobuf,
}

/// The format to answer in, and the `Content-Type` that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// How the page is written.
    pub format: Format,
    /// How names are.
    pub escaping: Escaping,
    /// The answer's `Content-Type`.
    pub content_type: Cow<'static, str>,
}

/// One media range of an `Accept` header.
struct Range<'a> {
    kind: &'a str,
    version: Option<&'a str>,
    escaping: Option<Escaping>,
    delimited_families: bool,
    quality: u16,
}

/// How closely a range names a format; a closer one decides over a wider one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Closeness {
    Anything,
    SomeText,
    Exact,
}

/// What a scraper thinks of one format.
#[derive(Clone, Copy)]
struct Wish<'a> {
    closeness: Closeness,
    quality: u16,
    version: Option<&'a str>,
    escaping: Option<Escaping>,
}

/// Chooses a format. A scraper that accepts none gets the classic one, as Prometheus' exposition
/// format specification says, instead of a 406.
pub fn choose(accept: Option<&str>, translation: Translation) -> Choice {
    let ranges: Vec<_> = accept.unwrap_or_default().split(',').filter_map(range).collect();
    let rank = |wish: &Option<Wish<'_>>| wish.map_or((0, Closeness::Anything), |wish| (wish.quality, wish.closeness));
    let (mut format, mut chosen) = (Format::Classic, wish(&ranges, Format::Classic));
    // Between equals the richer one, but only if it was asked for by name: a person's browser and
    // curl accept anything and want to read.
    for richer in [Format::OpenMetrics, Format::Protobuf] {
        let wished = wish(&ranges, richer);
        let (quality, closeness) = rank(&wished);
        if quality > 0 && closeness == Closeness::Exact && (quality, closeness) >= rank(&chosen) {
            (format, chosen) = (richer, wished);
        }
    }
    let version = chosen.and_then(|wish| wish.version);
    let asked = chosen.and_then(|wish| wish.escaping);
    let escaping = match asked.unwrap_or(Escaping::Underscores) {
        // The names are underscored, or this version of the format has no quotes.
        Escaping::Utf8 if translation.is_escaped() || (format != Format::Protobuf && version != Some("1.0.0")) => {
            Escaping::Underscores
        }
        escaping => escaping,
    };
    let base = match (format, version, escaping) {
        (Format::OpenMetrics, Some("0.0.1"), _) => "application/openmetrics-text; version=0.0.1; charset=utf-8",
        (Format::OpenMetrics, ..) => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        (Format::Classic, _, Escaping::Utf8) => "text/plain; version=1.0.0; charset=utf-8",
        (Format::Classic, ..) => "text/plain; version=0.0.4; charset=utf-8",
        (Format::Protobuf, ..) => {
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
        }
    };
    // A scraper that knows of schemes is told which one it got.
    let content_type = match asked {
        Some(_) => format!("{base}; escaping={}", escaping.name()).into(),
        None => base.into(),
    };
    Choice { format, escaping, content_type }
}

/// Whether an answer may be compressed with gzip.
pub fn accepts_gzip(accept_encoding: Option<&str>) -> bool {
    let mut any = false;
    for item in accept_encoding.unwrap_or_default().split(',') {
        let mut parts = item.split(';').map(str::trim);
        let coding = parts.next().unwrap_or_default();
        let Some(quality) = quality(parts) else { continue };
        if coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip") {
            return quality > 0;
        }
        any |= coding == "*" && quality > 0;
    }
    any
}

/// The closest range that covers a format, and among equally close ones the one that is wanted most.
fn wish<'a>(ranges: &[Range<'a>], format: Format) -> Option<Wish<'a>> {
    ranges
        .iter()
        .filter_map(|range| {
            let closeness = covers(range, format)?;
            Some(Wish { closeness, quality: range.quality, version: range.version, escaping: range.escaping })
        })
        // `max_by_key` takes the last of equals, and a header's first is meant.
        .rev()
        .max_by_key(|wish| (wish.closeness, wish.quality))
}

fn covers(range: &Range<'_>, format: Format) -> Option<Closeness> {
    let (kind, wide) = match format {
        Format::OpenMetrics => ("application/openmetrics-text", "application/*"),
        Format::Classic => ("text/plain", "text/*"),
        Format::Protobuf => ("application/vnd.google.protobuf", "application/*"),
    };
    if range.kind.eq_ignore_ascii_case(kind) {
        let version = |known: [&str; 2]| range.version.is_none_or(|version| known.contains(&version));
        let covered = match format {
            Format::OpenMetrics => version(["1.0.0", "0.0.1"]),
            Format::Classic => version(["0.0.4", "1.0.0"]),
            Format::Protobuf => range.delimited_families,
        };
        return covered.then_some(Closeness::Exact);
    }
    if range.kind.eq_ignore_ascii_case(wide) {
        return Some(Closeness::SomeText);
    }
    (range.kind == "*/*").then_some(Closeness::Anything)
}

/// `None` for an item that is no media range, or whose quality is no number.
fn range(item: &str) -> Option<Range<'_>> {
    let mut parts = item.split(';').map(str::trim);
    let kind = parts.next().filter(|kind| kind.contains('/'))?;
    let quality = quality(parts.clone())?;
    let parameter = |name: &str| {
        parts.clone().find_map(|part| {
            let (key, value) = part.split_once('=')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
        })
    };
    let is = |name, value| parameter(name).is_some_and(|found| found.eq_ignore_ascii_case(value));
    Some(Range {
        kind,
        version: parameter("version"),
        escaping: parameter("escaping").and_then(Escaping::asked),
        delimited_families: is("proto", "io.prometheus.client.MetricFamily") && is("encoding", "delimited"),
        quality,
    })
}

/// The `q` parameter in thousandths; 1000 if there is none.
fn quality<'a>(parts: impl Iterator<Item = &'a str>) -> Option<u16> {
    for part in parts {
        if let Some((key, value)) = part.split_once('=')
            && key.trim().eq_ignore_ascii_case("q")
        {
            let value: f32 = value.trim().parse().ok()?;
            return (0.0..=1.0).contains(&value).then_some((value * 1000.0).round() as u16);
        }
    }
    Some(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
    const PROTO: &str = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

    #[test]
    fn every_accept_header_gets_its_format() {
        let underscores = "; escaping=underscores";
        for (accept, expected) in [
            (None, TEXT.to_owned()),
            (Some(""), TEXT.to_owned()),
            (Some("*/*"), TEXT.to_owned()),
            (Some("application/json"), TEXT.to_owned()),
            (Some("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"), TEXT.to_owned()),
            (Some("text/plain"), TEXT.to_owned()),
            (Some("application/openmetrics-text"), OPEN.to_owned()),
            (Some("Application/OpenMetrics-Text; Version=\"1.0.0\""), OPEN.to_owned()),
            (Some("application/openmetrics-text; version=0.0.1"), OPEN.replace("1.0.0", "0.0.1")),
            (
                Some("application/openmetrics-text;version=1.0.0, application/openmetrics-text;version=0.0.1"),
                OPEN.to_owned(),
            ),
            (Some("application/openmetrics-text; version=2.0.0, text/plain;q=0.1"), TEXT.to_owned()),
            (Some("application/openmetrics-text; version=2.0.0"), TEXT.to_owned()),
            (Some("text/plain, application/openmetrics-text"), OPEN.to_owned()),
            (Some("text/plain;q=0.9, application/openmetrics-text;q=0.8"), TEXT.to_owned()),
            (Some("application/openmetrics-text;q=0, */*"), TEXT.to_owned()),
            (Some("text/plain;q=0, application/openmetrics-text;q=0.1"), OPEN.to_owned()),
            (Some("text/plain;q=0.5, application/openmetrics-text;q=high"), TEXT.to_owned()),
            (Some("application/openmetrics-text;q=0.5, */*;q=0.1"), OPEN.to_owned()),
            // Prometheus 2.42 and 2.53.
            (
                Some(
                    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                     text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                ),
                OPEN.to_owned(),
            ),
            // Prometheus 3.5, without and with native histograms.
            (
                Some(
                    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                     application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
                     text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                ),
                format!("{OPEN}{underscores}"),
            ),
            (
                Some(
                    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,\
                     application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,*/*;q=0.2",
                ),
                PROTO.to_owned(),
            ),
            // Prometheus 2.42 with native histograms.
            (
                Some(
                    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,\
                     application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,\
                     text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                ),
                PROTO.to_owned(),
            ),
            (
                Some("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text"),
                TEXT.to_owned(),
            ),
            (Some("application/vnd.google.protobuf;proto=other;encoding=delimited, */*"), TEXT.to_owned()),
            (Some("application/*, text/plain;q=0.1"), TEXT.to_owned()),
            (Some(&format!("{PROTO};q=0.3, text/plain;q=0.4")), TEXT.to_owned()),
            (Some(&format!("{PROTO}, application/openmetrics-text, text/plain")), PROTO.to_owned()),
            (Some("text/plain;version=1.0.0;escaping=allow-utf-8"), format!("{TEXT}{underscores}")),
            (Some("text/plain;escaping=dots"), format!("{TEXT}; escaping=dots")),
            (Some("text/plain;escaping=runes"), TEXT.to_owned()),
        ] {
            assert_eq!(choose(accept, Translation::default()).content_type, expected, "{accept:?}");
        }
    }

    #[test]
    fn names_that_are_not_escaped_go_to_those_who_can_read_them() {
        let text = "text/plain; version=1.0.0; charset=utf-8";
        for (accept, expected, escaping) in [
            ("text/plain", TEXT.to_owned(), Escaping::Underscores),
            (
                "text/plain;version=0.0.4;escaping=allow-utf-8",
                format!("{TEXT}; escaping=underscores"),
                Escaping::Underscores,
            ),
            ("text/plain;version=1.0.0;escaping=allow-utf-8", format!("{text}; escaping=allow-utf-8"), Escaping::Utf8),
            ("text/plain;version=1.0.0;escaping=allow-utf8", format!("{text}; escaping=allow-utf-8"), Escaping::Utf8),
            ("text/plain;version=1.0.0;escaping=values", format!("{TEXT}; escaping=values"), Escaping::Values),
            (
                "application/openmetrics-text;version=0.0.1;escaping=allow-utf-8",
                format!("{}; escaping=underscores", OPEN.replace("1.0.0", "0.0.1")),
                Escaping::Underscores,
            ),
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8",
                format!("{OPEN}; escaping=allow-utf-8"),
                Escaping::Utf8,
            ),
            (&format!("{PROTO};escaping=allow-utf-8"), format!("{PROTO}; escaping=allow-utf-8"), Escaping::Utf8),
            (PROTO, PROTO.to_owned(), Escaping::Underscores),
        ] {
            let choice = choose(Some(accept), Translation::NoTranslation);
            assert_eq!((choice.content_type.as_ref(), choice.escaping), (expected.as_str(), escaping), "{accept}");
        }
    }

    #[test]
    fn gzip_only_if_it_was_asked_for() {
        for (header, expected) in [
            (None, false),
            (Some(""), false),
            (Some("gzip"), true),
            (Some("GZIP;q=0.5, br"), true),
            (Some("br, gzip;q=0"), false),
            (Some("*"), true),
            (Some("*;q=0"), false),
            (Some("gzip;q=0, *"), false),
            (Some("identity"), false),
            (Some("gzip;q=x"), false),
        ] {
            assert_eq!(accepts_gzip(header), expected, "{header:?}");
        }
    }
}
