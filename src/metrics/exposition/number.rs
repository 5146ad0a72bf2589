//! Numbers as text: values as any reader takes them, bucket bounds and quantiles as Prometheus
//! itself would write them.

use std::fmt::Arguments;
use std::io::Write;

/// Appends text. Memory does not refuse to be written to.
pub(super) fn put(out: &mut Vec<u8>, text: Arguments<'_>) {
    let before = out.len();
    if out.write_fmt(text).is_err() {
        out.truncate(before);
    }
}

/// A value. The infinities and what is no number have names of their own in every format.
pub(super) fn float(out: &mut Vec<u8>, value: f64) {
    if value.is_nan() {
        out.extend_from_slice(b"NaN");
    } else if value.is_infinite() {
        out.extend_from_slice(if value > 0.0 { b"+Inf" } else { b"-Inf" });
    } else {
        put(out, format_args!("{value:?}"));
    }
}

/// The value of an `le` or `quantile` label: what Prometheus writes (Go's `%g`, and always with a
/// point or an exponent) and makes of any other spelling, so that a scraper which changes formats
/// keeps its series: `0.5`, `1.0`, `1.6777216e+07`.
pub(super) fn bound(out: &mut Vec<u8>, value: f64) {
    let size = value.abs();
    if !value.is_finite() || size == 0.0 || (1e-4..1e6).contains(&size) {
        return float(out, if size == 0.0 { 0.0 } else { value });
    }
    let start = out.len();
    put(out, format_args!("{value:e}"));
    let written = out.get(start..).unwrap_or_default();
    let Some(at) = written.iter().position(|byte| *byte == b'e') else { return };
    let exponent =
        written.get(at + 1..).and_then(|text| std::str::from_utf8(text).ok()).and_then(|text| text.parse().ok());
    let exponent: i32 = exponent.unwrap_or_default();
    out.truncate(start + at);
    let sign = if exponent < 0 { '-' } else { '+' };
    put(out, format_args!("e{sign}{:02}", exponent.unsigned_abs()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_written_as_prometheus_writes_them() {
        // Go: strconv.FormatFloat(value, 'g', -1, 64), with ".0" behind what has no point or exponent.
        for (value, expected) in [
            (0.0, "0.0"),
            (-0.0, "0.0"),
            (1.0, "1.0"),
            (0.5, "0.5"),
            (-2.5, "-2.5"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (9.5367431640625e-7, "9.5367431640625e-07"),
            (999_999.0, "999999.0"),
            (1e6, "1e+06"),
            (16_777_216.0, "1.6777216e+07"),
            (-1e21, "-1e+21"),
            (1.5e300, "1.5e+300"),
            (f64::INFINITY, "+Inf"),
        ] {
            let mut out = Vec::new();
            bound(&mut out, value);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn a_value_may_be_no_number() {
        for (value, expected) in [
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (-1.5e-9, "-1.5e-9"),
            (3.0, "3.0"),
        ] {
            let mut out = Vec::new();
            float(&mut out, value);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
