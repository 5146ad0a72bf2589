//! JSON strings: written from text, read back into text.
//!
//! Prompts are long and rarely hold anything that JSON escapes, so the work is to find quickly that
//! there is nothing to do: 32 bytes at a time in a loop that the compiler turns into vector
//! instructions. What it leaves are marks of the bytes that are something, so that no byte is looked at
//! twice; something is escaped every hundred bytes.

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
    let mut copied = 0;
    let mut escape = |at: usize, byte: u8| {
        // A special byte is a character by itself.
        out.push_str(text.get(copied..at).unwrap_or_default());
        copied = at + 1;
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
    };
    let bytes = text.as_bytes();
    let (blocks, rest) = bytes.as_chunks::<BLOCK>();
    for (number, block) in blocks.iter().enumerate() {
        let marks = marks(block);
        if marks == [0; _] {
            continue;
        }
        for (word, mut marks) in marks.into_iter().enumerate() {
            while marks != 0 {
                let at = word * size_of::<u64>() + (marks.trailing_zeros() / 8) as usize;
                escape(number * BLOCK + at, block[at % BLOCK]);
                marks &= marks - 1;
            }
        }
    }
    for (at, byte) in rest.iter().enumerate().filter(|(_, byte)| is_special(**byte)) {
        escape(blocks.len() * BLOCK + at, *byte);
    }
    out.push_str(text.get(copied..).unwrap_or_default());
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
    let (blocks, rest) = bytes.as_chunks::<BLOCK>();
    for (number, block) in blocks.iter().enumerate() {
        let marks = marks(block);
        if marks == [0; _] {
            continue;
        }
        let first = marks.into_iter().enumerate().find(|(_, marks)| *marks != 0);
        if let Some((word, marks)) = first {
            return number * BLOCK + word * size_of::<u64>() + (marks.trailing_zeros() / 8) as usize;
        }
    }
    blocks.len() * BLOCK + rest.iter().position(|&byte| is_special(byte)).unwrap_or(rest.len())
}

/// Bytes that are looked at together.
const BLOCK: usize = 32;

/// A bit in the byte of each special byte, by words of eight of them, the first one lowest.
#[inline]
fn marks(block: &[u8; BLOCK]) -> [u64; BLOCK / size_of::<u64>()] {
    // Two loops, of which the first becomes vector instructions.
    let mut flags = [0; BLOCK];
    for (flag, byte) in flags.iter_mut().zip(block) {
        *flag = u8::from(is_special(*byte));
    }
    let mut marks = [0; BLOCK / size_of::<u64>()];
    for (marks, flags) in marks.iter_mut().zip(flags.as_chunks().0) {
        *marks = u64::from_le_bytes(*flags);
    }
    marks
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
