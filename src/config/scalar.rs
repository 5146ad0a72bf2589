//! The texts that values are written in: durations as Go writes them, `host:port`, URLs.

use std::time::Duration;

/// Units of a duration, longest spelling first where one begins another.
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// The longest duration, as in Go: some 292 years.
const MAX_NANOSECONDS: u64 = i64::MAX as u64;

/// Reads a duration as Go writes it: `1m30s`, `200ms`, `1.5h`, `0`. `None` for anything else.
pub fn duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    let mut total = 0u64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let (_, scale) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
        total = total.checked_add(part(number, scale)?)?;
        rest = after;
    }
    (total <= MAX_NANOSECONDS).then(|| Duration::from_nanos(total))
}

/// Nanoseconds of `number` units of `scale`. In integers, so that `0.1s` is exactly 100 ms.
fn part(number: &str, scale: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut nanoseconds = whole.checked_mul(scale)?;
    let mut place = scale;
    for digit in fraction.chars() {
        place /= 10;
        nanoseconds = nanoseconds.checked_add(place.checked_mul(u64::from(digit.to_digit(10)?))?)?;
    }
    Some(nanoseconds)
}

/// Splits `host:port`, `[::1]:4317` or `:4317`. The host is without its brackets and may be empty.
pub(super) fn host_port(text: &str) -> Result<(&str, u16), &'static str> {
    let (host, port) = match text.strip_prefix('[') {
        Some(inside) => {
            let (host, after) = inside.split_once(']').ok_or("has a [ without its ]")?;
            if host.parse::<std::net::Ipv6Addr>().is_err() {
                return Err("has no IPv6 address in its brackets");
            }
            (host, after.strip_prefix(':').ok_or("has no port")?)
        }
        None => {
            let (host, port) = text.rsplit_once(':').ok_or("has no port")?;
            if host.contains(':') {
                return Err("is ambiguous: an IPv6 address stands in brackets");
            }
            if !is_host(host) {
                return Err("has a host that is neither a name nor an address");
            }
            (host, port)
        }
    };
    // `parse` alone would take `+4317`.
    if port.is_empty() || !port.chars().all(|c| c.is_ascii_digit()) {
        return Err("has a port that is not a number");
    }
    Ok((host, port.parse().map_err(|_| "has a port beyond 65535")?))
}

fn is_host(host: &str) -> bool {
    host.len() <= 253 && host.chars().all(|c| c.is_alphanumeric() || "-._".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_gos() {
        for (text, milliseconds) in [
            ("1s", 1_000),
            ("200ms", 200),
            ("1m30s", 90_000),
            ("1h0.5m", 3_630_000),
            ("0.1s", 100),
            (".5s", 500),
            ("1.s", 1_000),
            ("5000us", 5),
            ("5000µs", 5),
            ("0", 0),
            ("0s", 0),
            ("+1s", 1_000),
        ] {
            assert_eq!(duration(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in
            ["", "1", "s", "1 s", "-1s", "1d", "1S", ".s", "1..5s", "1.5", "1sx", "+", "99999999999h", "9223372036.9s"]
        {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn endpoints_have_a_host_and_a_port() {
        assert_eq!(host_port("localhost:4317"), Ok(("localhost", 4317)));
        assert_eq!(host_port("[::1]:0"), Ok(("::1", 0)));
        assert_eq!(host_port(":4317"), Ok(("", 4317)));
        for (text, wrong) in [
            ("localhost", "no port"),
            ("::1:4317", "brackets"),
            ("[::1]", "no port"),
            ("[::1:4317", "without its ]"),
            ("[x]:1", "no IPv6"),
            ("a:b", "not a number"),
            ("a:+1", "not a number"),
            ("a:", "not a number"),
            ("a:65536", "beyond 65535"),
            ("a b:1", "neither a name"),
            ("http://a:1", "brackets"),
        ] {
            assert!(host_port(text).is_err_and(|said| said.contains(wrong)), "{text}: {:?}", host_port(text));
        }
    }
}
