//! What runs without a configuration file: the embedded default, and an OTLP exporter of the
//! environment's `OTEL_EXPORTER_OTLP_*` variables if they name an endpoint.
//!
//! The variables mean what they mean for an SDK (OpenTelemetry specification, "OTLP exporter"),
//! with one exception: if no protocol is said and the endpoint's port is 4317, it is gRPC, because
//! that port is registered for it.

use crate::config::{Environment, Place, Problem, Source, Warning};

/// The embedded default, as `dragoman config` prints it.
pub(super) const YAML: &str = include_str!("default.yaml");

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";

/// Keys of the exporter, and the variables that they are filled from.
const KEYS: &[(&str, &str)] = &[
    ("compression: ${env:OTEL_EXPORTER_OTLP_COMPRESSION}", "OTEL_EXPORTER_OTLP_COMPRESSION"),
    // Milliseconds in the variable.
    ("timeout: ${env:OTEL_EXPORTER_OTLP_TIMEOUT}ms", "OTEL_EXPORTER_OTLP_TIMEOUT"),
];

/// Keys below `tls`.
const TLS_KEYS: &[(&str, &str)] = &[
    ("insecure: ${env:OTEL_EXPORTER_OTLP_INSECURE}", "OTEL_EXPORTER_OTLP_INSECURE"),
    ("ca_file: ${env:OTEL_EXPORTER_OTLP_CERTIFICATE}", "OTEL_EXPORTER_OTLP_CERTIFICATE"),
];

/// The default's pipelines with their exporters, to which the environment's is added.
const PIPELINES: [(&str, &str); 3] =
    [("traces", "debug, genai_metrics"), ("metrics", "debug, prometheus"), ("logs", "debug")];

/// The sources to load when none was named.
pub(super) fn sources(environment: Environment<'_>) -> (Vec<Source>, Vec<Warning>) {
    let default = Source::Embedded { name: "embedded default", text: YAML };
    // The specification: an empty variable is an unset one.
    let variable = |name: &str| environment(name).filter(|value| !value.is_empty());
    let Some(endpoint) = variable(ENDPOINT) else { return (vec![default], Vec::new()) };
    let port = port_of(&endpoint);
    if is_here(&endpoint) && matches!(port, Some(4317 | 4318)) {
        let warning = Problem {
            place: Place { source: ENDPOINT.to_owned(), position: None },
            path: String::new(),
            message: "names this program's own receiver; nothing is exported there".to_owned(),
            expected: Some("the address of the backend".to_owned()),
            help: None,
        };
        return (vec![default], vec![Warning(warning)]);
    }
    let exporter = match variable(PROTOCOL).as_deref() {
        Some("grpc") => "otlp_grpc",
        Some(_) => "otlp_http",
        None if port == Some(4317) => "otlp_grpc",
        None => "otlp_http",
    };
    let mut text = format!("exporters:\n  {exporter}/environment:\n    endpoint: ${{env:{ENDPOINT}}}\n");
    if variable(PROTOCOL).is_some_and(|protocol| !matches!(protocol.as_str(), "grpc" | "http/protobuf")) {
        // Refused by the HTTP exporter, which knows what it can.
        text += &format!("    encoding: ${{env:{PROTOCOL}}}\n");
    }
    let set = |keys: &[(&'static str, &str)]| -> Vec<&'static str> {
        keys.iter().filter(|(_, name)| variable(name).is_some()).map(|(line, _)| *line).collect()
    };
    for line in set(KEYS) {
        text += &format!("    {line}\n");
    }
    if !set(KEYS).iter().any(|line| line.starts_with("timeout")) {
        text += "    timeout: 10s\n";
    }
    let mut tls = set(TLS_KEYS);
    if variable("OTEL_EXPORTER_OTLP_INSECURE").is_some_and(|insecure| insecure.eq_ignore_ascii_case("true")) {
        // In plain text there is nobody to trust; beside an authority `insecure` would mean nothing.
        tls.retain(|line| !line.starts_with("ca_file"));
    }
    if !tls.is_empty() {
        text += "    tls:\n";
        tls.iter().for_each(|line| text += &format!("      {line}\n"));
    }
    if let Some(headers) = variable("OTEL_EXPORTER_OTLP_HEADERS") {
        text += "    headers:\n";
        for (name, value) in pairs(&headers) {
            text += &format!("      - {{ name: {}, value: {} }}\n", quoted(&name), quoted(&value));
        }
    }
    text += "service:\n  pipelines:\n";
    for (pipeline, exporters) in PIPELINES {
        text += &format!("    {pipeline}: {{ exporters: [{exporters}, {exporter}/environment] }}\n");
    }
    (vec![default, Source::Made { of: "OTEL_EXPORTER_OTLP_* variables", text }], Vec::new())
}

fn authority(endpoint: &str) -> &str {
    let rest = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or(rest)
}

fn port_of(endpoint: &str) -> Option<u16> {
    authority(endpoint).rsplit_once(':')?.1.parse().ok()
}

fn is_here(endpoint: &str) -> bool {
    let host = authority(endpoint).rsplit_once(':').map_or("", |(host, _)| host);
    matches!(host.to_ascii_lowercase().as_str(), "localhost" | "127.0.0.1" | "[::1]" | "0.0.0.0" | "[::]")
}

/// `name=value,name=value`, as W3C Baggage: values are percent-encoded.
fn pairs(headers: &str) -> Vec<(String, String)> {
    headers
        .split(',')
        .filter(|pair| !pair.trim().is_empty())
        .map(|pair| match pair.split_once('=') {
            Some((name, value)) => (name.trim().to_owned(), percent_decoded(value.trim())),
            // Reported as a header without a value; the name may be a secret that lost its name.
            None => (String::new(), String::new()),
        })
        .collect()
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = match (first, after) {
            (b'%', [high, low, ..]) => char::from(*high).to_digit(16).zip(char::from(*low).to_digit(16)),
            _ => None,
        };
        match (escaped.and_then(|(high, low)| u8::try_from(high * 16 + low).ok()), after.get(2..)) {
            (Some(byte), Some(after)) => {
                bytes.push(byte);
                rest = after;
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A double-quoted YAML scalar that substitution leaves alone. JSON's escapes are YAML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text.replace('$', "$$")).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_values_are_percent_decoded() {
        assert_eq!(
            pairs("authorization=Bearer%20a%2Cb, x-team = core ,"),
            [("authorization".into(), "Bearer a,b".into()), ("x-team".into(), "core".into())]
        );
        assert_eq!(percent_decoded("100%"), "100%");
        assert_eq!(percent_decoded("%zz%4"), "%zz%4");
    }
}
