//! OpenTelemetry's names and units as Prometheus': the compatibility specification's "Metric
//! Metadata", with the Collector's `translation_strategy`. What becomes of a name that the scraper
//! cannot read is [`super::escaping`]'s.

use crate::metrics::snapshot::Kind;

use super::style::Translation;

/// A family's name as Prometheus has it, and its unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MetricName {
    /// With the unit; without `_total` and `_info`.
    pub(super) base: String,
    /// What the samples of a counter or info have behind the base: `_total`, `_info` or nothing.
    pub(super) suffix: &'static str,
    /// As the base ends in it, such as `seconds`.
    pub(super) unit: Option<String>,
}

/// UCUM units and the words that Prometheus uses.
const UNITS: &[(&str, &str)] = &[
    ("d", "days"),
    ("h", "hours"),
    ("min", "minutes"),
    ("s", "seconds"),
    ("ms", "milliseconds"),
    ("us", "microseconds"),
    ("ns", "nanoseconds"),
    ("By", "bytes"),
    ("KiBy", "kibibytes"),
    ("MiBy", "mebibytes"),
    ("GiBy", "gibibytes"),
    ("TiBy", "tebibytes"),
    ("KBy", "kilobytes"),
    ("kBy", "kilobytes"),
    ("MBy", "megabytes"),
    ("GBy", "gigabytes"),
    ("TBy", "terabytes"),
    ("m", "meters"),
    ("V", "volts"),
    ("A", "amperes"),
    ("J", "joules"),
    ("W", "watts"),
    ("g", "grams"),
    ("Cel", "celsius"),
    ("Hz", "hertz"),
    ("%", "percent"),
];

/// Units behind a `/`, as the Collector has them: its `m` is a minute here, UCUM's would be a meter.
const PER: &[(&str, &str)] = &[
    ("s", "second"),
    ("m", "minute"),
    ("min", "minute"),
    ("h", "hour"),
    ("d", "day"),
    ("w", "week"),
    ("mo", "month"),
    ("y", "year"),
];

/// A metric's name. `None` if nothing is left of it.
pub(super) fn metric(
    translation: Translation,
    namespace: &str,
    name: &str,
    unit: &str,
    kind: Kind,
) -> Option<MetricName> {
    let (mut base, unit) = match translation {
        Translation::UnderscoreEscapingWithSuffixes => with_suffixes(namespace, name, unit, kind)?,
        Translation::UnderscoreEscapingWithoutSuffixes => (without_suffixes(namespace, name)?, None),
        Translation::NoUtf8EscapingWithSuffixes => verbatim_with_suffixes(namespace, name, unit, kind)?,
        Translation::NoTranslation => (verbatim(namespace, name)?, None),
    };
    let own = match kind {
        Kind::Counter => "_total",
        Kind::Info => "_info",
        Kind::Gauge | Kind::Histogram | Kind::Summary => "",
    };
    // A counter that is not to be called `_total` goes by its own name; what is info ends in `_info`.
    let has = base.strip_suffix(own).map(str::len).filter(|length| *length > 0);
    let suffix = if has.is_some() || translation.adds_suffixes() || kind == Kind::Info { own } else { "" };
    if let Some(length) = has {
        base.truncate(length);
    }
    let unit = unit.filter(|unit| base.strip_suffix(unit.as_str()).is_some_and(|rest| rest.ends_with('_')));
    Some(MetricName { base, suffix, unit })
}

/// A label's name. Never empty, never one that Prometheus reserves (`__*`).
pub(super) fn label(translation: Translation, key: &str) -> String {
    let mut name = if translation.is_escaped() { words(key, '_') } else { printable(key) };
    if name.is_empty() || (translation.is_escaped() && name.starts_with(|first: char| first.is_ascii_digit())) {
        name.insert_str(0, "key_");
    } else if name.starts_with(if translation.is_escaped() { "_" } else { "__" }) {
        name.insert_str(0, "key");
    }
    name
}

/// Without what would confuse a scraper's lexer. A line break can be escaped and stays.
pub(super) fn printable(text: &str) -> String {
    text.replace(|c: char| c.is_control() && c != '\n', "\u{fffd}")
}

/// The Collector's way: the name's words, those of the unit that are not among them, and `ratio` for
/// a gauge without dimension. The word `total` of a counter is moved to its end.
fn with_suffixes(namespace: &str, name: &str, unit: &str, kind: Kind) -> Option<(String, Option<String>)> {
    let mut tokens: Vec<&str> = name.split(|c: char| !(c.is_ascii_alphanumeric() || c == ':')).collect();
    tokens.retain(|token| !token.is_empty());
    let moved = match kind {
        Kind::Counter => "total",
        Kind::Gauge if unit.trim() == "1" => "ratio",
        _ => "",
    };
    if tokens.iter().any(|token| *token != moved) {
        tokens.retain(|token| *token != moved);
    }
    if tokens.is_empty() {
        return None;
    }
    let (unit, per) = unit_words(unit);
    let mut base = words(namespace, ':');
    for token in &tokens {
        append(&mut base, token);
    }
    for word in [&unit, &per] {
        if !word.is_empty() && !tokens.contains(&word.as_str()) {
            append(&mut base, word);
        }
    }
    if moved == "ratio" {
        append(&mut base, moved);
    }
    if base.starts_with(|first: char| first.is_ascii_digit()) {
        base.insert(0, '_');
    }
    let mut whole = unit;
    if !per.is_empty() {
        append(&mut whole, &per);
    }
    if moved == "ratio" {
        whole = moved.to_owned();
    }
    Some((base, Some(whole).filter(|unit| !unit.is_empty())))
}

fn append(base: &mut String, word: &str) {
    if !base.is_empty() {
        base.push('_');
    }
    base.push_str(word);
}

/// The words of the name alone. Unlike above, underscores are not folded.
fn without_suffixes(namespace: &str, name: &str) -> Option<String> {
    let valid = |c: char| c.is_ascii_alphanumeric() || c == ':' || c == '_';
    let mut base = String::new();
    for text in [namespace, name] {
        for token in text.split(|c: char| !valid(c)).filter(|token| !token.is_empty()) {
            append(&mut base, token);
        }
    }
    if base.starts_with(|first: char| first.is_ascii_digit()) {
        base.insert(0, '_');
    }
    (name.contains(|c: char| valid(c) && c != '_')).then_some(base)
}

fn verbatim(namespace: &str, name: &str) -> Option<String> {
    let mut base = String::new();
    if name.is_empty() {
        return None;
    }
    for text in [namespace, name].into_iter().filter(|text| !text.is_empty()) {
        append(&mut base, &printable(text));
    }
    Some(base)
}

/// The name as it is, with what is to stand behind it moved there if it is there already.
fn verbatim_with_suffixes(namespace: &str, name: &str, unit: &str, kind: Kind) -> Option<(String, Option<String>)> {
    let mut base = verbatim(namespace, name)?;
    let last = match kind {
        Kind::Counter => "total",
        Kind::Gauge if unit.trim() == "1" => "ratio",
        _ => "",
    };
    let (unit, per) = unit_words(unit);
    for suffix in [last, per.as_str()] {
        // A suffix stands behind a delimiter, whichever; something must be left in front of it.
        let rest = base.strip_suffix(suffix).and_then(|rest| rest.char_indices().next_back());
        if let Some((length, _)) = rest.filter(|(length, _)| !suffix.is_empty() && *length > 0) {
            base.truncate(length);
        }
    }
    if !unit.is_empty() && !base.ends_with(&unit) {
        append(&mut base, &unit);
    }
    let mut whole = unit;
    for word in [per.as_str(), if last == "ratio" { last } else { "" }] {
        if !word.is_empty() {
            append(&mut base, word);
            append(&mut whole, word);
        }
    }
    Some((base, Some(whole).filter(|unit| !unit.is_empty())))
}

/// Letters and digits as they are, with one `_` for whatever stands between them. `also` is allowed too.
fn words(text: &str, also: char) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_alphanumeric() || (c == also && c != '_') {
            out.push(c);
        } else if !out.ends_with('_') {
            out.push('_');
        }
    }
    // A name that begins with something strange does not begin with an underscore for it, but one
    // that was written with an underscore keeps it.
    if !text.starts_with('_') && out.starts_with('_') {
        out.remove(0);
    }
    if !text.ends_with('_') && out.ends_with('_') {
        out.pop();
    }
    if out == "_" { String::new() } else { out }
}

/// What is measured and, behind it, `per_` what.
fn unit_words(unit: &str) -> (String, String) {
    let unit = without_annotations(unit);
    let (over, under) = match unit.split_once('/') {
        Some((over, under)) => (over.trim(), under.trim()),
        None => (unit.trim(), ""),
    };
    let over = if over == "1" { String::new() } else { word(UNITS, over) };
    let under = word(PER, under);
    (over, if under.is_empty() { under } else { format!("per_{under}") })
}

fn word(table: &[(&str, &str)], unit: &str) -> String {
    match table.iter().find(|(ucum, _)| *ucum == unit) {
        Some((_, word)) => (*word).to_owned(),
        None => words(unit, '_').trim_matches('_').to_owned(),
    }
}

/// Drops what stands in braces: `{token}` says what is counted, not in which unit.
fn without_annotations(unit: &str) -> String {
    let mut depth = 0_u32;
    unit.chars()
        .filter(|c| {
            match c {
                '{' => depth = depth.saturating_add(1),
                '}' => {
                    depth = depth.saturating_sub(1);
                    return false;
                }
                _ => {}
            }
            depth == 0
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::exposition::escaping::is_classic;
    use proptest::prelude::*;

    fn full(translation: Translation, namespace: &str, name: &str, unit: &str, kind: Kind) -> Option<String> {
        metric(translation, namespace, name, unit, kind).map(|name| name.base + name.suffix)
    }

    // The expectations are those of the Collector's translator (prometheus/otlptranslator).
    #[test]
    fn names_and_units() {
        use Kind::{Counter, Gauge, Histogram, Summary};
        for (name, unit, kind, expected) in [
            ("gen_ai.client.token.usage", "{token}", Histogram, "gen_ai_client_token_usage"),
            ("gen_ai.client.operation.duration", "s", Histogram, "gen_ai_client_operation_duration_seconds"),
            (
                "gen_ai.client.inference.usage.input_tokens",
                "{token}",
                Counter,
                "gen_ai_client_inference_usage_input_tokens_total",
            ),
            ("total_tokens", "tokens", Counter, "tokens_total"),
            ("prompt_tokens", "tokens", Counter, "prompt_tokens_total"),
            ("total.of.totals", "", Counter, "of_totals_total"),
            ("total", "", Counter, "total_total"),
            ("cache_total", "", Gauge, "cache_total"),
            ("process_cpu_seconds_total", "", Counter, "process_cpu_seconds_total"),
            ("process_cpu_seconds_total", "s", Counter, "process_cpu_seconds_total"),
            ("seconds", "s", Gauge, "seconds"),
            ("http.server.duration", "ms", Histogram, "http_server_duration_milliseconds"),
            ("seconds.of.fame", "s", Gauge, "seconds_of_fame"),
            ("memory", "By", Gauge, "memory_bytes"),
            ("throughput", "By/s", Gauge, "throughput_bytes_per_second"),
            ("requests", "{request}/s", Gauge, "requests_per_second"),
            ("requests", "1/s", Counter, "requests_per_second_total"),
            ("rate", "By/m", Gauge, "rate_bytes_per_minute"),
            ("custom_metric", "unit@with#special/chars", Gauge, "custom_metric_unit_with_special_per_chars"),
            ("metric__with__multiple", "unit__multiple", Gauge, "metric_with_multiple_unit_multiple"),
            ("utilization", "1", Gauge, "utilization_ratio"),
            ("cpu_usage_ratio", "1", Gauge, "cpu_usage_ratio"),
            ("utilization", "1", Histogram, "utilization"),
            ("items", "1", Counter, "items_total"),
            ("latency", "ms", Summary, "latency_milliseconds"),
            ("a..b--c", "", Gauge, "a_b_c"),
            ("9lives", "", Gauge, "_9lives"),
            ("temp", "°F", Gauge, "temp_F"),
            ("nested", "{a{b}c}s", Gauge, "nested_seconds"),
            ("open", "{a", Gauge, "open"),
            ("target", "", Kind::Info, "target_info"),
        ] {
            let found = full(Translation::UnderscoreEscapingWithSuffixes, "", name, unit, kind);
            assert_eq!(found.as_deref(), Some(expected), "{name} in {unit}");
        }
        let none = full(Translation::UnderscoreEscapingWithSuffixes, "ns", "…", "s", Gauge);
        assert_eq!(none, None);
        let namespaced =
            full(Translation::UnderscoreEscapingWithSuffixes, "llama_stack", "total_tokens", "tokens", Counter);
        assert_eq!(namespaced.as_deref(), Some("llama_stack_tokens_total"));
    }

    #[test]
    fn every_strategy_has_its_names() {
        use Kind::{Counter, Gauge, Histogram};
        for (translation, name, unit, kind, expected) in [
            (
                Translation::UnderscoreEscapingWithoutSuffixes,
                "http.requests",
                "{request}",
                Counter,
                "app_1_http_requests",
            ),
            (Translation::UnderscoreEscapingWithoutSuffixes, "a__b.@.c", "s", Histogram, "app_1_a__b_c"),
            (Translation::UnderscoreEscapingWithoutSuffixes, "a_total", "", Counter, "app_1_a_total"),
            (
                Translation::NoUtf8EscapingWithSuffixes,
                "http.requests",
                "s",
                Counter,
                "app.1_http.requests_seconds_total",
            ),
            (
                Translation::NoUtf8EscapingWithSuffixes,
                "requêsts.total",
                "1/s",
                Counter,
                "app.1_requêsts_per_second_total",
            ),
            (Translation::NoUtf8EscapingWithSuffixes, "cpu.seconds", "s", Gauge, "app.1_cpu.seconds"),
            (Translation::NoUtf8EscapingWithSuffixes, "cpu.ratio", "1", Gauge, "app.1_cpu_ratio"),
            (Translation::NoTranslation, "http.requests", "s", Counter, "app.1_http.requests"),
            (Translation::NoTranslation, "http.requests_total", "s", Counter, "app.1_http.requests_total"),
            (Translation::NoTranslation, "nul\u{0}", "", Gauge, "app.1_nul\u{fffd}"),
        ] {
            assert_eq!(full(translation, "app.1", name, unit, kind).as_deref(), Some(expected), "{translation:?}");
        }
        assert_eq!(full(Translation::NoTranslation, "app", "", "", Gauge), None);
        assert_eq!(full(Translation::UnderscoreEscapingWithoutSuffixes, "app", "_…", "", Gauge), None);
    }

    #[test]
    fn the_unit_is_what_the_name_ends_in() {
        for (name, unit, expected) in [
            ("a", "By/s", Some("bytes_per_second")),
            ("a_seconds", "s", Some("seconds")),
            ("seconds", "s", None),
            ("seconds_of_fame", "s", None),
            ("a", "1", Some("ratio")),
            ("a", "{token}", None),
        ] {
            let found = metric(Translation::UnderscoreEscapingWithSuffixes, "", name, unit, Kind::Gauge).unwrap();
            assert_eq!(found.unit.as_deref(), expected, "{name} in {unit}");
        }
    }

    #[test]
    fn labels() {
        for (key, expected, verbatim) in [
            ("gen_ai.request.model", "gen_ai_request_model", "gen_ai.request.model"),
            ("http.status-code", "http_status_code", "http.status-code"),
            ("9", "key_9", "9"),
            ("_private", "key_private", "_private"),
            ("__name__", "key_name_", "key__name__"),
            ("a:b", "a_b", "a:b"),
            ("", "key_", "key_"),
            ("é", "key_", "é"),
        ] {
            assert_eq!(label(Translation::UnderscoreEscapingWithSuffixes, key), expected, "{key}");
            assert_eq!(label(Translation::NoTranslation, key), verbatim, "{key}");
        }
    }

    proptest! {
        #[test]
        fn any_name_becomes_a_name(name in ".*", unit in ".*", namespace in ".*", key in ".*") {
            for translation in Translation::ALL {
                for kind in [Kind::Counter, Kind::Gauge] {
                    if let Some(found) = metric(translation, &namespace, &name, &unit, kind) {
                        prop_assert!(!found.base.is_empty());
                        prop_assert!(is_classic(&found.base) || !translation.is_escaped(), "{:?}", found);
                    }
                }
                let key = label(translation, &key);
                prop_assert!(!key.is_empty() && !key.starts_with("__"), "{:?}", key);
                prop_assert!(!translation.is_escaped() || (is_classic(&key) && !key.contains(':')), "{:?}", key);
            }
        }
    }
}
