//! Numbers as JSON writes them, quoted or not, into the integers and doubles of protobuf.

/// Why a text is not the integer that it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotInteger;

/// The whole number that a decimal text names, exactly; `1.50e2` is one, `1.5` is none. Leading
/// zeros and a plus sign, which quoted numbers may have in the Collector, are taken.
pub(super) fn integer(text: &str) -> Result<i128, NotInteger> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(text) => (true, text),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, signed(exponent).ok_or(NotInteger)?),
        None => (text, 0),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((_, "")) => return Err(NotInteger),
        Some(parts) => parts,
        None => (mantissa, ""),
    };
    if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return Err(NotInteger);
    }
    // Digits that say something: without zeros before and after them.
    let digits: &str = &[whole, fraction].concat();
    let trimmed = digits.trim_end_matches('0');
    let zeros = exponent + (digits.len() - trimmed.len()) as i64 - fraction.len() as i64;
    let significant = trimmed.trim_start_matches('0');
    if significant.is_empty() {
        return Ok(0);
    }
    // 2^64 has 20 digits.
    if zeros < 0 || significant.len() as i64 + zeros > 20 {
        return Err(NotInteger);
    }
    let value: i128 = significant.parse().map_err(|_| NotInteger)?;
    let value = value * 10i128.pow(zeros as u32);
    Ok(if negative { -value } else { value })
}

/// A decimal exponent, held within a range that no text of real size can reach.
fn signed(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value = digits.parse::<i64>().unwrap_or(i64::MAX).min(1 << 48);
    Some(if negative { -value } else { value })
}

/// The double that a text names. Without digits it is one of `NaN`, `Infinity` and their short
/// forms; with digits it must be finite.
pub(super) fn double(text: &str) -> Option<f64> {
    let value: f64 = text.parse().ok()?;
    (value.is_finite() || !text.bytes().any(|byte| byte.is_ascii_digit())).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_taken_exactly_in_every_spelling() {
        for (text, value) in [
            ("0", 0),
            ("-0", 0),
            ("0.000", 0),
            ("0e999999999999999999999", 0),
            ("7", 7),
            ("+7", 7),
            ("007", 7),
            ("1e3", 1000),
            ("1.50e2", 150),
            ("1500E-2", 15),
            ("2.0", 2),
            ("-9223372036854775808", i128::from(i64::MIN)),
            ("18446744073709551615", i128::from(u64::MAX)),
            ("9007199254740993", 9_007_199_254_740_993),
            ("0.00000000000000000000000000000000000000000000000000000000000000001e65", 1),
        ] {
            assert_eq!(integer(text), Ok(value), "{text}");
        }
        for text in [
            "",
            "-",
            "1.5",
            "1e-1",
            "1e400",
            "1e99999999999999999999",
            "x",
            "1.",
            ".5",
            "1e",
            "0x10",
            " 1",
            "1_0",
            "--1",
        ] {
            assert_eq!(integer(text), Err(NotInteger), "{text}");
        }
    }

    #[test]
    fn doubles_are_finite_or_named() {
        assert_eq!(double("1e3"), Some(1000.0));
        assert_eq!(double("-Infinity"), Some(f64::NEG_INFINITY));
        assert!(double("NaN").is_some_and(f64::is_nan));
        for text in ["1e400", "-1e999", "", "one", "0x1p3"] {
            assert_eq!(double(text), None, "{text}");
        }
    }
}
