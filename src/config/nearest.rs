//! What a misspelt word was probably meant to be.

/// Words longer than this are not compared: the comparison is quadratic, and no key is that long.
const MAX_LENGTH: usize = 64;

/// The candidate that is nearest to `word`, if one is near enough to be meant: at most one edit in
/// three characters, case aside.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let word: Vec<char> = word.to_lowercase().chars().take(MAX_LENGTH + 1).collect();
    if word.len() > MAX_LENGTH {
        return None;
    }
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let letters: Vec<char> = candidate.to_lowercase().chars().take(MAX_LENGTH + 1).collect();
            if letters.len() > MAX_LENGTH {
                return None;
            }
            let edits = distance(&word, &letters);
            (edits <= (word.len().max(letters.len()) / 3).max(1)).then_some((edits, candidate))
        })
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions and substitutions from one word to the other; two neighbours swapped
/// count as one edit (optimal string alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &y) in b.iter().enumerate() {
            let cell = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX / 2);
            let mut best = (cell(&last, j) + usize::from(x != y)).min(cell(&last, j + 1) + 1).min(cell(&row, j) + 1);
            let swapped = j > 0 && i > 0 && a.get(i - 1) == Some(&y) && b.get(j - 1) == Some(&x);
            if swapped {
                best = best.min(cell(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_found_and_another_word_is_not() {
        let keys = ["endpoint", "timeout", "compression", "tls"];
        for (word, meant) in [
            ("endpiont", Some("endpoint")),
            ("end_point", Some("endpoint")),
            ("Endpoint", Some("endpoint")),
            ("time_out", Some("timeout")),
            ("tsl", Some("tls")),
            ("batch", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, keys), meant, "{word}");
        }
    }

    #[test]
    fn long_words_cost_nothing() {
        assert_eq!(nearest(&"x".repeat(100_000), ["endpoint"]), None);
    }
}
