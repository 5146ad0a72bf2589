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

/// Appends foreign text: control characters escaped, so that it cannot move a terminal's cursor or
/// begin a line of its own, and cut after `limit` characters.
pub(crate) fn push_escaped(out: &mut String, text: &str, limit: usize) {
    for (index, character) in text.chars().enumerate() {
        if index == limit {
            out.push('…');
            return;
        }
        match character {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Bidirectional overrides reorder a whole line on a terminal.
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                out.extend(character.escape_unicode());
            }
            _ if character.is_control() => out.extend(character.escape_unicode()),
            _ => out.push(character),
        }
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
            drop(write!(text, ": {said}"));
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
    fn foreign_text_cannot_speak_to_the_terminal() {
        assert_eq!(escaped("a\x1b[2J\nb\u{202e}c", 100), "a\\u{1b}[2J\\nb\\u{202e}c");
        assert_eq!(escaped("ééé", 2), "éé…");
        assert_eq!(escaped("ééé", 3), "ééé");
    }
}
