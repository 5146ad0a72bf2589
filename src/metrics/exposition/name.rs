//! OpenTelemetry's names and units as Prometheus': the compatibility specification's
//! "UnderscoreEscapingWithSuffixes" ("Prometheus and OpenMetrics Compatibility", Metric Metadata).

/// A family's name as Prometheus has it, and its unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MetricName {
    /// With the unit, without `_total`.
    pub(super) base: String,
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

/// Units behind a `/`.
const PER: &[(&str, &str)] = &[("s", "second"), ("min", "minute"), ("h", "hour"), ("d", "day"), ("m", "meter")];

/// A metric's name. `None` if nothing is left of it.
pub(super) fn metric(namespace: &str, name: &str, unit: &str, is_gauge: bool) -> Option<MetricName> {
    let mut base = words(name, ':');
    // The suffix comes back where the sample is written; in between would come the unit.
    if let Some(rest) = base.strip_suffix("_total") {
        base.truncate(rest.len());
    }
    if base.is_empty() {
        return None;
    }
    if !namespace.is_empty() {
        base = format!("{}_{base}", words(namespace, ':'));
    }
    let unit = unit_words(unit, is_gauge);
    if let Some(unit) = &unit
        && !ends_in(&base, unit)
    {
        base.push('_');
        base.push_str(unit);
    }
    if base.starts_with(|first: char| first.is_ascii_digit()) {
        base.insert(0, '_');
    }
    Some(MetricName { base, unit })
}

/// A label's name. Never empty, never one that Prometheus reserves (`__*`).
pub(super) fn label(key: &str) -> String {
    let mut name = words(key, '_');
    if name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
        name.insert_str(0, "key_");
    }
    name
}

/// Whether a name is one that Prometheus takes for a metric.
#[cfg(test)]
pub(super) fn is_metric_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_' || first == ':')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
}

fn ends_in(base: &str, unit: &str) -> bool {
    base.strip_suffix(unit).is_some_and(|rest| rest.is_empty() || rest.ends_with('_'))
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

fn unit_words(unit: &str, is_gauge: bool) -> Option<String> {
    let unit = without_annotations(unit);
    let unit = unit.trim();
    if unit == "1" {
        return is_gauge.then(|| "ratio".to_owned());
    }
    let (over, under) = match unit.split_once('/') {
        Some((over, under)) => (over.trim(), under.trim()),
        None => (unit, ""),
    };
    let over = word(UNITS, over);
    let under = word(PER, under);
    let text = match (over.is_empty(), under.is_empty()) {
        (false, false) => format!("{over}_per_{under}"),
        (true, false) => format!("per_{under}"),
        (_, true) => over,
    };
    (!text.is_empty()).then_some(text)
}

fn word(table: &[(&str, &str)], unit: &str) -> String {
    match table.iter().find(|(ucum, _)| *ucum == unit) {
        Some((_, word)) => (*word).to_owned(),
        None => words(unit, '_'),
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
    use proptest::prelude::*;

    #[test]
    fn names_and_units() {
        for (name, unit, gauge, expected) in [
            ("gen_ai.client.token.usage", "{token}", false, "gen_ai_client_token_usage"),
            ("gen_ai.client.operation.duration", "s", false, "gen_ai_client_operation_duration_seconds"),
            (
                "gen_ai.client.inference.usage.input_tokens",
                "{token}",
                false,
                "gen_ai_client_inference_usage_input_tokens",
            ),
            ("process_cpu_seconds_total", "", false, "process_cpu_seconds"),
            ("process_cpu_seconds_total", "s", false, "process_cpu_seconds"),
            ("seconds", "s", false, "seconds"),
            ("milliseconds", "s", false, "milliseconds_seconds"),
            ("memory", "By", true, "memory_bytes"),
            ("throughput", "By/s", true, "throughput_bytes_per_second"),
            ("requests", "{request}/s", true, "requests_per_second"),
            ("utilization", "1", true, "utilization_ratio"),
            ("utilization", "1", false, "utilization"),
            ("a..b--c", "", false, "a_b_c"),
            ("9lives", "", false, "_9lives"),
            ("temp", "°F", true, "temp_F"),
            ("nested", "{a{b}c}s", true, "nested_seconds"),
            ("open", "{a", true, "open"),
        ] {
            assert_eq!(
                metric("", name, unit, gauge).map(|name| name.base).as_deref(),
                Some(expected),
                "{name} in {unit}"
            );
        }
        assert_eq!(metric("", "…", "s", false), None);
        assert_eq!(metric("", "_total", "s", false), None);
        assert_eq!(metric("my.app", "a", "s", false).map(|name| name.base).as_deref(), Some("my_app_a_seconds"));
    }

    #[test]
    fn labels() {
        for (key, expected) in [
            ("gen_ai.request.model", "gen_ai_request_model"),
            ("http.status-code", "http_status_code"),
            ("9", "key_9"),
            ("__name__", "_name_"),
            ("a:b", "a_b"),
            ("", "key_"),
            ("é", "key_"),
        ] {
            assert_eq!(label(key), expected, "{key}");
        }
    }

    proptest! {
        #[test]
        fn any_name_becomes_a_name(name in ".*", unit in ".*", namespace in ".*", key in ".*") {
            if let Some(found) = metric(&namespace, &name, &unit, true) {
                prop_assert!(is_metric_name(&found.base), "{:?}", found);
            }
            let key = label(&key);
            prop_assert!(is_metric_name(&key) && !key.contains(':') && !key.starts_with("__"), "{:?}", key);
        }
    }
}
