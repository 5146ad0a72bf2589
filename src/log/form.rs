//! A record as a line: text for people, or one JSON object for machines. Foreign text moves no
//! terminal's cursor in either, and a line stays one line.

use std::fmt::{self, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tracing::Level;

use super::record::{Record, Value};
use crate::text::{duration, timestamp, write_escaped};

/// `encoding`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// `console`: text for people.
    #[default]
    Console,
    /// `json`: an object a line.
    Json,
}

/// How many lines like a record were held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Repeated {
    pub(super) times: u64,
    /// In the last so much time.
    pub(super) within: Duration,
    /// They are of the same place in the source, and say other words.
    pub(super) differ: bool,
}

/// How lines look.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Form {
    pub(super) encoding: Encoding,
    /// `initial_fields`, in every line.
    pub(super) fields: Vec<(String, String)>,
}

/// Keys of a JSON line that are not `initial_fields`.
pub(super) const KEYS: &[&str] =
    &["timestamp", "level", "target", "message", "fields", "repeated", "window_seconds", "differ"];

impl Form {
    /// The line of a record, with its end.
    pub(super) fn line(&self, at: SystemTime, record: &Record, repeated: Option<Repeated>, is_colored: bool) -> String {
        let mut line = String::with_capacity(256);
        // Writing to a string does not fail.
        match self.encoding {
            Encoding::Console => self.console(&mut line, at, record, repeated, is_colored),
            Encoding::Json => self.json(&mut line, at, record, repeated),
        }
        .unwrap_or_default();
        line.push('\n');
        line
    }

    /// `2026-11-21T12:00:00.000Z  WARN exporter: message name=value … repeated 5 times in the last 10 s`.
    fn console(
        &self,
        out: &mut String,
        at: SystemTime,
        record: &Record,
        repeated: Option<Repeated>,
        is_colored: bool,
    ) -> fmt::Result {
        let paint = |code: &'static str| if is_colored { code } else { "" };
        let (dim, end) = (paint("\u{1b}[2m"), paint("\u{1b}[0m"));
        let level = paint(match record.level {
            Level::ERROR => "\u{1b}[31m",
            Level::WARN => "\u{1b}[33m",
            Level::INFO => "\u{1b}[32m",
            _ => "\u{1b}[34m",
        });
        write!(out, "{dim}{}{end} {level}{:>5}{end} {dim}{}:{end} ", time(at), record.level, record.target)?;
        escaped(out, &record.message)?;
        for (name, value) in &record.fields {
            write!(out, " {name}=")?;
            match value {
                Value::Text(text) => escaped(out, text)?,
                Value::Bool(value) => write!(out, "{value}")?,
                Value::Signed(value) => write!(out, "{value}")?,
                Value::Unsigned(value) => write!(out, "{value}")?,
                Value::Float(value) => write!(out, "{value}")?,
            }
        }
        for (name, value) in &self.fields {
            write!(out, " {name}=")?;
            escaped(out, value)?;
        }
        let Some(Repeated { times, within, differ }) = repeated else { return Ok(()) };
        let within = match within.as_secs() {
            0 => duration(within),
            seconds => format!("{seconds} s"),
        };
        match (differ, times) {
            (false, 1) => write!(out, " … repeated once in the last {within}"),
            (false, _) => write!(out, " … repeated {times} times in the last {within}"),
            (true, 1) => write!(out, " … and this is 1 of many that differ; it was held back in the last {within}"),
            (true, _) => write!(out, " … and {} more that differ, all held back in the last {within}", times - 1),
        }
    }

    fn json(&self, out: &mut String, at: SystemTime, record: &Record, repeated: Option<Repeated>) -> fmt::Result {
        let level = record.level.as_str().to_ascii_lowercase();
        write!(
            out,
            "{{\"timestamp\":\"{}\",\"level\":\"{level}\",\"target\":\"{}\",\"message\":",
            time(at),
            record.target
        )?;
        string(out, &record.message)?;
        for (number, (name, value)) in record.fields.iter().enumerate() {
            out.write_str(if number == 0 { ",\"fields\":{" } else { "," })?;
            string(out, name)?;
            out.write_char(':')?;
            match value {
                Value::Text(text) => string(out, text)?,
                Value::Bool(value) => write!(out, "{value}")?,
                Value::Signed(value) => write!(out, "{value}")?,
                Value::Unsigned(value) => write!(out, "{value}")?,
                Value::Float(value) if value.is_finite() => write!(out, "{value}")?,
                // JSON has no word for it.
                Value::Float(value) => string(out, &value.to_string())?,
            }
        }
        if !record.fields.is_empty() {
            out.write_char('}')?;
        }
        for (name, value) in &self.fields {
            out.write_char(',')?;
            string(out, name)?;
            out.write_char(':')?;
            string(out, value)?;
        }
        if let Some(Repeated { times, within, differ }) = repeated {
            write!(out, ",\"repeated\":{times},\"window_seconds\":{}", within.as_secs_f64())?;
            if differ {
                out.write_str(",\"differ\":true")?;
            }
        }
        out.write_char('}')
    }
}

/// RFC 3339, in UTC.
fn time(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    timestamp(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

fn escaped(out: &mut String, text: &str) -> fmt::Result {
    text.chars().try_for_each(|character| write_escaped(out, character))
}

/// A string of JSON, in which everything that is not to be seen is escaped, and not only what JSON
/// demands: the line may be read on a terminal.
fn string(out: &mut String, text: &str) -> fmt::Result {
    out.write_char('"')?;
    let mut shown = String::new();
    for character in text.chars() {
        shown.clear();
        write_escaped(&mut shown, character)?;
        let is_itself = shown.chars().eq([character]);
        match character {
            '"' => out.write_str("\\\"")?,
            '\\' => out.write_str("\\\\")?,
            _ if is_itself => out.write_char(character)?,
            _ => character.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(out, "\\u{unit:04x}"))?,
        }
    }
    out.write_char('"')
}

#[cfg(test)]
mod tests {
    use super::super::record::LONGEST;
    use super::*;

    const HOSTILE: &str = "a\nERROR b\r\x1b[2J\0\u{2028}\u{202e}\"\\é";

    fn record() -> Record {
        let fields = vec![
            ("error", Value::Text(HOSTILE.into())),
            ("n", Value::Unsigned(5)),
            ("ok", Value::Bool(true)),
            ("part", Value::Float(0.5)),
            ("none", Value::Float(f64::NAN)),
            ("below", Value::Signed(-1)),
        ];
        Record { level: Level::WARN, target: "net", message: format!("said {HOSTILE}"), fields }
    }

    fn line(encoding: Encoding, record: &Record, repeated: Option<Repeated>) -> String {
        let form = Form { encoding, fields: vec![("pod".into(), "a\u{1b}b".into())] };
        form.line(UNIX_EPOCH + Duration::from_millis(1_763_692_810_123), record, repeated, false)
    }

    #[test]
    fn a_line_for_people_is_one_line_whoever_wrote_it() {
        let said = "a\\nERROR b\\r\\u{1b}[2J\\u{0}\\u{2028}\\u{202e}\"\\é";
        assert_eq!(
            line(Encoding::Console, &record(), None),
            format!(
                "2025-11-21T02:40:10.123Z  WARN net: said {said} error={said} n=5 ok=true part=0.5 none=NaN below=-1 \
                 pod=a\\u{{1b}}b\n"
            )
        );
    }

    #[test]
    fn a_line_for_machines_is_an_object_with_what_was_said() {
        let line = line(Encoding::Json, &record(), None);
        assert!(line.ends_with("}\n") && line.matches('\n').count() == 1, "{line}");
        assert!(
            !line.chars().any(|c| c != '\n' && c.is_control()) && !line.contains(['\u{2028}', '\u{202e}']),
            "{line}"
        );
        let object: serde_json::Value = serde_json::from_str(&line).unwrap();
        let expected = serde_json::json!({
            "timestamp": "2025-11-21T02:40:10.123Z", "level": "warn", "target": "net", "message": format!("said {HOSTILE}"),
            "fields": { "error": HOSTILE, "n": 5, "ok": true, "part": 0.5, "none": "NaN", "below": -1 }, "pod": "a\u{1b}b",
        });
        assert_eq!(object, expected);
        for key in object.as_object().unwrap().keys().filter(|key| *key != "pod") {
            assert!(KEYS.contains(&key.as_str()), "{key}");
        }
    }

    #[test]
    fn what_was_held_back_is_counted() {
        let record = Record::own(Level::ERROR, "no".into());
        for (times, within, differ, ends, json) in [
            (
                41,
                10_000,
                false,
                "log: no pod=a\\u{1b}b … repeated 41 times in the last 10 s\n",
                r#""repeated":41,"window_seconds":10}"#,
            ),
            (1, 500, false, " … repeated once in the last 500 ms\n", r#""repeated":1,"window_seconds":0.5}"#),
            (
                7,
                9_000,
                true,
                " … and 6 more that differ, all held back in the last 9 s\n",
                r#""repeated":7,"window_seconds":9,"differ":true}"#,
            ),
        ] {
            let repeated = Some(Repeated { times, within: Duration::from_millis(within), differ });
            let text = line(Encoding::Console, &record, repeated);
            assert!(text.ends_with(ends), "{text}");
            let object = line(Encoding::Json, &record, repeated);
            assert!(object.trim_end().ends_with(json), "{object}");
        }
    }

    #[test]
    fn a_line_has_an_end() {
        let long = Record { message: "x".repeat(LONGEST), ..record() };
        assert!(line(Encoding::Console, &long, None).chars().count() < 3 * LONGEST);
        assert!(long.kept().message.ends_with('…') && long.kept().message.len() < 500);
    }
}
