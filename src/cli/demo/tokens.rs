//! Token totals: what was billed, what the scrape says, and what a sum over spans would say.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};

use serde::Deserialize;

/// Input and output tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Tokens {
    pub(super) input: u64,
    pub(super) output: u64,
}

impl Add for Tokens {
    type Output = Tokens;

    fn add(self, other: Tokens) -> Tokens {
        Tokens { input: self.input + other.input, output: self.output + other.output }
    }
}

impl AddAssign for Tokens {
    fn add_assign(&mut self, other: Tokens) {
        *self = *self + other;
    }
}

impl Sub for Tokens {
    type Output = Tokens;

    fn sub(self, other: Tokens) -> Tokens {
        Tokens { input: self.input.saturating_sub(other.input), output: self.output.saturating_sub(other.output) }
    }
}

impl fmt::Display for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>4} → {:>3}", self.input, self.output)
    }
}

/// A line of a scrape: `name{labels} value`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sample<'p> {
    pub(super) name: &'p str,
    labels: &'p str,
    pub(super) value: f64,
}

impl<'p> Sample<'p> {
    /// The value of a label; labels of this program's pages hold no escaped quotes.
    pub(super) fn label(&self, name: &str) -> Option<&'p str> {
        self.labels.split(',').find_map(|label| {
            let (key, value) = label.split_once('=')?;
            (key == name).then(|| value.trim_matches('"'))
        })
    }
}

/// The samples of a page in the classic text format.
pub(super) fn samples(page: &str) -> impl Iterator<Item = Sample<'_>> {
    page.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let (series, value) = line.rsplit_once(' ')?;
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        Some(Sample { name, labels: labels.trim_end_matches('}'), value: value.parse().ok()? })
    })
}

/// What a page counts in all.
pub(super) fn counted(page: &str) -> Tokens {
    let mut tokens = Tokens::default();
    for sample in samples(page).filter(|sample| sample.name == USAGE_SUM) {
        match sample.label("gen_ai_token_type") {
            Some("input") => tokens.input += sample.value as u64,
            Some("output") => tokens.output += sample.value as u64,
            _ => {}
        }
    }
    tokens
}

/// The sum of the histogram `gen_ai.client.token.usage` on a page.
pub(super) const USAGE_SUM: &str = "gen_ai_client_token_usage_sum";

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
# TYPE gen_ai_client_token_usage histogram
gen_ai_client_token_usage_sum{gen_ai_token_type=\"input\",gen_ai_request_model=\"a\"} 19
gen_ai_client_token_usage_sum{gen_ai_token_type=\"output\",gen_ai_request_model=\"a\"} 9
gen_ai_client_token_usage_sum{gen_ai_token_type=\"input\",gen_ai_request_model=\"b\"} 100
gen_ai_client_token_usage_count{gen_ai_token_type=\"input\",gen_ai_request_model=\"b\"} 1
up 1
";

    #[test]
    fn totals_are_sums_over_series() {
        assert_eq!(counted(PAGE), Tokens { input: 119, output: 9 });
        assert_eq!(counted(""), Tokens::default());
    }
}
