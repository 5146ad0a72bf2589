//! JSON strings: written from text, read back into text.
//!
//! Prompts are long and rarely hold anything that JSON escapes, so the work is to find quickly that
//! there is nothing to do: 32 bytes at a time in a loop that the compiler turns into vector
//! instructions (something is escaped every hundred bytes, so larger blocks are looked through twice
//! too often), then eight at a time within a word, then byte by byte.

use std::borrow::Cow;

/// Appends `text` as a JSON string, quotes included.
pub fn write_string(text: &str, out: &mut String) {
    out.reserve(text.len() + 2);
    out.push('"');
    write_escaped(text, out);
    out.push('"');
}

/// Appends `text` as the inside of a JSON string.
pub fn write_escaped(text: &str, out: &mut String) {
    let mut rest = text;
    loop {
        let (plain, special) = split_plain(rest);
        out.push_str(plain);
        let Some(&byte) = special.as_bytes().first() else { return };
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x08 => out.push_str("\\b"),
            0x0c => out.push_str("\\f"),
            other => {
                out.push_str("\\u00");
                out.push(hex_digit(other >> 4));
                out.push(hex_digit(other & 15));
            }
        }
        rest = special.get(1..).unwrap_or_default();
    }
}

/// The text that the inside of a valid JSON string stands for.
pub(super) fn unescape(inside: &str) -> Cow<'_, str> {
    let (plain, mut rest) = split_plain(inside);
    if rest.is_empty() {
        return Cow::Borrowed(inside);
    }
    let mut text = String::with_capacity(inside.len());
    text.push_str(plain);
    while !rest.is_empty() {
        let (character, length) = match read_escape(rest.as_bytes()) {
            Some(escape) => escape,
            // Not valid JSON: what stands there is kept as it is.
            None => (rest.chars().next().unwrap_or_default(), rest.chars().next().map_or(1, char::len_utf8)),
        };
        text.push(character);
        let (plain, special) = split_plain(rest.get(length..).unwrap_or_default());
        text.push_str(plain);
        rest = special;
    }
    Cow::Owned(text)
}

/// Reads one escape, from its backslash: the character, and how many bytes it took. `None` if it is
/// not valid JSON or is half of a surrogate pair.
pub(super) fn read_escape(bytes: &[u8]) -> Option<(char, usize)> {
    let [b'\\', letter, ..] = bytes else { return None };
    let character = match letter {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return read_unicode_escape(bytes),
        _ => return None,
    };
    Some((character, 2))
}

/// `\uXXXX`, or the two of a surrogate pair.
pub(super) fn read_unicode_escape(bytes: &[u8]) -> Option<(char, usize)> {
    let unit = hex_unit(bytes)?;
    if let Some(character) = char::from_u32(unit) {
        return Some((character, 6));
    }
    let low = hex_unit(bytes.get(6..)?)?;
    let pair = char::decode_utf16([u16::try_from(unit).ok()?, u16::try_from(low).ok()?]).next()?.ok()?;
    Some((pair, 12))
}

/// The number in `\uXXXX`.
pub(super) fn hex_unit(bytes: &[u8]) -> Option<u32> {
    let [b'\\', b'u', digits @ ..] = bytes else { return None };
    hex_number(digits.get(..4)?)
}

/// A number of up to eight hexadecimal digits.
pub(super) fn hex_number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0_u32, |number, &digit| Some((number << 4) | char::from(digit).to_digit(16)?))
}

fn hex_digit(nibble: u8) -> char {
    char::from_digit(u32::from(nibble), 16).unwrap_or('0')
}

/// Splits before the first quote, backslash or control character.
fn split_plain(text: &str) -> (&str, &str) {
    text.split_at_checked(plain_prefix(text.as_bytes())).unwrap_or((text, ""))
}

/// How many bytes come before the first quote, backslash or control character.
pub(super) fn plain_prefix(bytes: &[u8]) -> usize {
    let mut done = 0;
    let (blocks, rest) = bytes.as_chunks::<32>();
    for block in blocks {
        if block.iter().fold(false, |found, &byte| found | is_special(byte)) {
            return done + word_prefix(block);
        }
        done += block.len();
    }
    done + word_prefix(rest)
}

fn word_prefix(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
    // The classic tests for a zero byte and for a byte below a bound. A borrow can mark bytes above
    // a true hit, never below it, so the lowest mark is exact.
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;

    let mut done = 0;
    let mut words = bytes.chunks_exact(8);
    for word in words.by_ref() {
        let word = word.try_into().map_or(0, u64::from_le_bytes);
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
        let marks = control | zero(word ^ (ONES * u64::from(b'"'))) | zero(word ^ (ONES * u64::from(b'\\')));
        if marks != 0 {
            return done + (marks.trailing_zeros() / 8) as usize;
        }
        done += 8;
    }
    let rest = words.remainder();
    done + rest.iter().position(|&byte| is_special(byte)).unwrap_or(rest.len())
}

fn is_special(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(text: &str) -> String {
        let mut out = String::new();
        write_string(text, &mut out);
        out
    }

    #[test]
    fn what_json_escapes_is_escaped_and_nothing_else() {
        assert_eq!(
            written("a\"b\\c\n\r\t\u{8}\u{c}\u{1}\u{1f}é\u{2028}😀/"),
            "\"a\\\"b\\\\c\\n\\r\\t\\b\\f\\u0001\\u001fé\u{2028}😀/\""
        );
    }

    #[test]
    fn a_special_byte_is_found_wherever_it_stands() {
        for length in 0..200 {
            for special in [b'"', b'\\', b'\n', 0, 0x1f] {
                for at in 0..length {
                    let mut bytes = vec![b'x'; length];
                    bytes[at] = special;
                    assert_eq!(plain_prefix(&bytes), at);
                }
            }
            assert_eq!(plain_prefix(&vec![0xe9; length]), length);
            assert_eq!(plain_prefix(&vec![b' '; length]), length);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_back_by_serde_json_and_by_unescape(text in "\\PC{0,40}|[\\x00-\\x7f]{0,200}|.{0,90}") {
            let json = written(&text);
            prop_assert_eq!(&serde_json::from_str::<String>(&json).unwrap(), &text);
            prop_assert_eq!(unescape(&json[1..json.len() - 1]), text);
        }

        #[test]
        fn escapes_mean_what_serde_json_says(inside in "(\\\\[\"\\\\/bfnrt]|\\\\u[0-9a-fA-F]{4}|\\\\ud83d\\\\ude00|[a-z é]){0,12}") {
            if let Ok(expected) = serde_json::from_str::<String>(&format!("\"{inside}\"")) {
                prop_assert_eq!(unescape(&inside), expected);
            }
        }
    }
}
