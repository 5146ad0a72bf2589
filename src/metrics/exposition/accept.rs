//! What a scraper asks for: `Accept` and `Accept-Encoding` (RFC 9110, section 12.5), with the
//! media types of Prometheus' content negotiation.

use std::borrow::Cow;

/// How a page is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0, with exemplars.
    OpenMetrics,
    /// The classic text format, 0.0.4.
    Classic,
}

/// The format to answer in, and the `Content-Type` that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// How the page is written.
    pub format: Format,
    /// The answer's `Content-Type`.
    pub content_type: Cow<'static, str>,
}

/// One media range of an `Accept` header.
struct Range<'a> {
    kind: &'a str,
    version: Option<&'a str>,
    escaping: bool,
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
    escaping: bool,
}

/// Chooses a format. A scraper that accepts neither gets the classic one, as Prometheus' exposition
/// format specification says, instead of a 406.
pub fn choose(accept: Option<&str>) -> Choice {
    let ranges: Vec<_> = accept.unwrap_or_default().split(',').filter_map(range).collect();
    let openmetrics = wish(&ranges, Format::OpenMetrics);
    let classic = wish(&ranges, Format::Classic);
    // Between equals the richer one, but only if it was asked for by name: a person's browser and
    // curl accept anything and want to read.
    let rank = |wish: &Option<Wish<'_>>| wish.map_or((0, Closeness::Anything), |wish| (wish.quality, wish.closeness));
    let (format, wish, base) = match (rank(&openmetrics), rank(&classic)) {
        (open, text) if open.0 > 0 && open.1 == Closeness::Exact && open >= text => {
            (Format::OpenMetrics, openmetrics, "application/openmetrics-text")
        }
        _ => (Format::Classic, classic, "text/plain"),
    };
    // Names are always written with underscores; a scraper that can do more is told so.
    let escaping = if wish.is_some_and(|wish| wish.escaping) { "; escaping=underscores" } else { "" };
    let version = match format {
        Format::OpenMetrics => wish.and_then(|wish| wish.version).unwrap_or("1.0.0"),
        Format::Classic => "0.0.4",
    };
    Choice { format, content_type: format!("{base}; version={version}; charset=utf-8{escaping}").into() }
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
    let (kind, wide, versions) = match format {
        Format::OpenMetrics => ("application/openmetrics-text", "application/*", ["1.0.0", "0.0.1"]),
        Format::Classic => ("text/plain", "text/*", ["0.0.4", "1.0.0"]),
    };
    if range.kind.eq_ignore_ascii_case(kind) {
        return range.version.is_none_or(|version| versions.contains(&version)).then_some(Closeness::Exact);
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
    Some(Range { kind, version: parameter("version"), escaping: parameter("escaping").is_some(), quality })
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
                format!("{OPEN}{underscores}"),
            ),
            (Some("text/plain;version=1.0.0;escaping=allow-utf-8"), format!("{TEXT}{underscores}")),
        ] {
            assert_eq!(choose(accept).content_type, expected, "{accept:?}");
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
