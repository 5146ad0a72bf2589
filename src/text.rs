//! Words for people: sizes, durations and foreign text, as log lines and the debug exporter show them.

use std::error::Error;
use std::fmt::Write;
use std::time::Duration;

/// `987 B`, `12.4 KB`, `3.1 MB`.
pub(crate) fn size(bytes: usize) -> String {
    let bytes = bytes as f64;
    match bytes {
        _ if bytes < 1e3 => format!("{bytes} B"),
        _ if bytes < 999.95e3 => format!("{:.1} KB", bytes / 1e3),
        _ if bytes < 999.95e6 => format!("{:.1} MB", bytes / 1e6),
        _ => format!("{:.1} GB", bytes / 1e9),
    }
}

/// `850 µs`, `12 ms`, `1.24 s`, `2 min 5 s`.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    match seconds {
        _ if seconds < 0.9995e-3 => format!("{:.0} µs", seconds * 1e6),
        _ if seconds < 0.9995 => format!("{:.0} ms", seconds * 1e3),
        _ if seconds < 59.995 => format!("{seconds:.2} s"),
        _ => {
            let seconds = seconds.round() as u64;
            format!("{} min {} s", seconds / 60, seconds % 60)
        }
    }
}

/// `2025-11-21T02:40:10.123Z`, from nanoseconds since the epoch.
pub(crate) fn timestamp(unix_nano: u64) -> String {
    if unix_nano == 0 {
        return "no time".into();
    }
    let seconds = unix_nano / 1_000_000_000;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days to a date of the Gregorian calendar, whose 400 years have 146,097 days; the year begins
    // in March, so that a leap day is its last. 64 bits of nanoseconds end in 2554.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let milli = unix_nano / 1_000_000 % 1000;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

/// Appends foreign text: control characters escaped, so that it cannot move a terminal's cursor or
/// begin a line of its own, and cut after `limit` characters.
pub(crate) fn push_escaped(out: &mut String, text: &str, limit: usize) {
    for (index, character) in text.chars().enumerate() {
        if index == limit {
            out.push('…');
            return;
        }
        // Writing to a string does not fail.
        write_escaped(out, character).ok();
    }
}

/// Writes a character of foreign text, escaped if it is none to be seen.
///
/// # Errors
/// Those of `out`.
pub(crate) fn write_escaped(out: &mut dyn Write, character: char) -> std::fmt::Result {
    match character {
        '\n' => out.write_str("\\n"),
        '\r' => out.write_str("\\r"),
        '\t' => out.write_str("\\t"),
        // Line and paragraph separators begin a line for some readers of logs; bidirectional
        // overrides reorder a whole line on a terminal.
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            write!(out, "{}", character.escape_unicode())
        }
        _ if character.is_control() => write!(out, "{}", character.escape_unicode()),
        _ => out.write_char(character),
    }
}

/// As [`push_escaped`].
pub(crate) fn escaped(text: &str, limit: usize) -> String {
    let mut out = String::new();
    push_escaped(&mut out, text, limit);
    out
}

/// An error and what caused it, on one line; a cause that repeats the one above it is left out.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    // Causes can be a ring in theory; eight are more than any that was seen.
    for _ in 0..8 {
        let Some(error) = cause else { break };
        let said = error.to_string();
        if !text.ends_with(&said) {
            write!(text, ": {said}").ok();
        }
        cause = error.source();
    }
    escaped(&text, 400)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_well() {
        let sizes = [0, 987, 1000, 12_400, 999_960, 3_100_000, 5_000_000_000].map(size);
        assert_eq!(sizes, ["0 B", "987 B", "1.0 KB", "12.4 KB", "1.0 MB", "3.1 MB", "5.0 GB"]);
    }

    #[test]
    fn durations_read_well() {
        let durations = [850_000, 999_900, 12_000_000, 1_240_000_000, 59_999_000_000, 125_000_000_000]
            .map(|nanos| duration(Duration::from_nanos(nanos)));
        assert_eq!(durations, ["850 µs", "1 ms", "12 ms", "1.24 s", "1 min 0 s", "2 min 5 s"]);
    }

    #[test]
    fn timestamps_are_dates() {
        let day = |days: u64| timestamp(days * 86_400_000_000_000);
        assert_eq!(timestamp(1), "1970-01-01T00:00:00.000Z");
        assert_eq!(day(59), "1970-03-01T00:00:00.000Z");
        assert_eq!(day(11_016), "2000-02-29T00:00:00.000Z");
        assert_eq!(day(11_017), "2000-03-01T00:00:00.000Z");
        assert_eq!(timestamp(1_763_692_810_123_000_000), "2025-11-21T02:40:10.123Z");
        assert_eq!(timestamp(u64::MAX), "2554-07-21T23:34:33.709Z");
        assert_eq!(timestamp(0), "no time");
    }

    #[test]
    fn foreign_text_cannot_speak_to_the_terminal() {
        assert_eq!(escaped("a\x1b[2J\nb\u{202e}c\u{2028}", 100), "a\\u{1b}[2J\\nb\\u{202e}c\\u{2028}");
        assert_eq!(escaped("ééé", 2), "éé…");
        assert_eq!(escaped("ééé", 3), "ééé");
    }
}
