//! Points in time that emitters write as text, and the time to the first chunk that follows from one.

use super::{Reason, Verdict};
use crate::genai::coerce::{Coerced, coerce};
use crate::genai::field::Field;
use crate::genai::operation::{Operation, Scalar, Seen};
use crate::otlp::value::Value;

/// Under `key` stands as text when the first chunk came.
pub(super) fn first_chunk<'a>(operation: &mut Operation<'a>, seen: &Seen<'_, 'a>, key: &str) {
    let time = seen.get(key).and_then(Value::as_str).and_then(unix_nanos);
    if let Some(seconds) = time.and_then(|time| seconds_since(seen.start_time_unix_nano, time)) {
        operation.offer(Field::ResponseTimeToFirstChunk, Scalar::Double(seconds));
    }
}

/// The value is the time to the first chunk, in milliseconds.
pub(super) fn first_chunk_millis<'a>(operation: &mut Operation<'a>, value: &Value<'a>) -> Verdict {
    match coerce(Field::ResponseTimeToFirstChunk, value) {
        Coerced::Value(Scalar::Double(milliseconds)) if milliseconds > 0.0 => {
            operation.offer(Field::ResponseTimeToFirstChunk, Scalar::Double(milliseconds / 1000.0));
            Verdict::Expressed
        }
        Coerced::Value(_) | Coerced::Absent => Verdict::Discarded(Reason::Empty),
        Coerced::Refused => Verdict::Kept(Reason::Uncoercible),
    }
}

/// Nanoseconds since the epoch, of `2026-11-21T05:43:00.488Z`, also in JSON's quotes, once or twice. A time
/// without a zone is UTC.
pub(super) fn unix_nanos(text: &str) -> Option<u64> {
    let text = text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\\'));
    let (date, time) = text.split_once(['T', ' '])?;
    let mut date = date.splitn(3, '-').map(|part| part.parse::<u32>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let (time, zone) = match time.find(['Z', '+', '-']) {
        Some(at) => (time.get(..at)?, time.get(at..)?),
        None => (time, "Z"),
    };
    let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
    let mut parts = time.splitn(3, ':').map(|part| part.parse::<u32>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?);
    let is_date = (1970..10_000).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !is_date || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let local = days(year, month, day) * 86_400 + i64::from(hour * 3_600 + minute * 60 + second);
    let seconds = u64::try_from(local - offset(zone)?).ok()?;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos(fraction)?)
}

/// Seconds from the span's start to a later point in time.
pub(super) fn seconds_since(start_unix_nano: u64, end_unix_nano: u64) -> Option<f64> {
    let nanos = end_unix_nano.checked_sub(start_unix_nano)?;
    Some(std::time::Duration::from_nanos(nanos).as_secs_f64())
}

/// Days from the epoch to a day of the Gregorian calendar.
fn days(year: u32, month: u32, day: u32) -> i64 {
    let (year, month, day) = (i64::from(year), i64::from(month), i64::from(day));
    // Years begin in March, so that the day that is not always there is the last one.
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Seconds that a zone is ahead of UTC: `Z`, `+02:00`, `-0330`.
fn offset(zone: &str) -> Option<i64> {
    let sign = match zone.chars().next()? {
        'Z' => return (zone == "Z").then_some(0),
        '+' => 1,
        _ => -1,
    };
    let digits: String = zone.chars().filter(char::is_ascii_digit).collect();
    let (hours, minutes) =
        (digits.get(..2)?.parse::<i64>().ok()?, digits.get(2..4).unwrap_or("0").parse::<i64>().ok()?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
}

/// Nanoseconds, from the digits after the point.
fn nanos(fraction: &str) -> Option<u64> {
    if fraction.is_empty() {
        return Some(0);
    }
    let digits = fraction.get(..fraction.len().min(9))?;
    let scale = 10_u64.checked_pow(9 - u32::try_from(digits.len()).ok()?)?;
    digits.parse::<u64>().ok()?.checked_mul(scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_in_every_spelling() {
        let expected = 1_786_356_000_488_000_000;
        for text in [
            "2026-08-10T10:00:00.488Z",
            "\"2026-08-10T10:00:00.488Z\"",
            "\"\\\"2026-08-10T10:00:00.488Z\\\"\"",
            "2026-08-10T12:00:00.488000+02:00",
            "2026-08-10 06:30:00.488-0330",
            "2026-08-10T10:00:00.488",
        ] {
            assert_eq!(unix_nanos(text), Some(expected), "{text}");
        }
        assert_eq!(unix_nanos("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(unix_nanos("2000-02-29T00:00:00Z"), Some(951_782_400_000_000_000));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in
            ["", "T", "now", "2026-13-01T00:00:00Z", "2026-01-01", "2026-01-01T25:00:00Z", "1969-12-31T23:59:59Z"]
        {
            assert_eq!(unix_nanos(text), None, "{text}");
        }
        for text in ["2026-01-01T00:00:00.é", "2026-01-01T00:00:00+é", "99999999999-1-1T0:0:0Z"] {
            assert_eq!(unix_nanos(text), None, "{text}");
        }
    }
}
