//! Tokens: what the provider billed, whether the telemetry carries it, and what is counted.

use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::Value as Tree;

use super::replay::{Case, Tokens};
use super::value::{parsed, python_numbers, tree};

/// Text inside of text; nothing recorded goes deeper.
const DEPTH: usize = 6;

/// What the provider billed for a case, as the conventions count it: Anthropic's input leaves out
/// what was read from and written to the cache.
pub fn billed(case: &Case) -> Tokens {
    let number = |value: &Tree, key: &str| value[key].as_u64().unwrap_or(0);
    let totals = &case.described["provider_tokens"];
    let cached: u64 = calls(case).map(|usage| cached(usage)).sum();
    (number(totals, "input") + cached, number(totals, "output"))
}

fn calls(case: &Case) -> impl Iterator<Item = &Tree> {
    let calls = case.described["llm_calls"].as_array().into_iter().flatten();
    calls.map(|call| &call["usage"]).filter(|usage| usage.is_object())
}

fn cached(usage: &Tree) -> u64 {
    let keys = ["cache_read_input_tokens", "cache_creation_input_tokens"];
    keys.iter().filter_map(|key| usage[key].as_u64()).sum()
}

/// Whether the provider's numbers stand in the telemetry: those of every call together on one span,
/// or the sums of all calls.
pub fn is_carried(case: &Case, spans: &[Span]) -> bool {
    let said: Vec<Vec<u64>> = spans.iter().map(usage_numbers).collect();
    let pair = |input: u64, output: u64| {
        said.iter().any(|said| said.contains(&input) && (output == 0 || said.contains(&output)))
    };
    let calls: Vec<&Tree> = case.described["llm_calls"].as_array().into_iter().flatten().collect();
    let each = calls.iter().all(|call| {
        let number = |key: &str| call[key].as_u64().unwrap_or(0);
        let (input, output) = (number("input_tokens"), number("output_tokens"));
        input + output == 0 || pair(input, output) || pair(input + cached(&call["usage"]), output)
    });
    let (input, output) = billed(case);
    each || pair(input, output)
}

/// The numbers under keys that speak of tokens or usage.
fn usage_numbers(span: &Span) -> Vec<u64> {
    let mut found = Vec::new();
    let events = span.events.iter().flat_map(|event| &event.attributes);
    for entry in span.attributes.iter().chain(events) {
        collect(&entry.key, &tree(entry.value.as_ref()), DEPTH, &mut found);
    }
    found
}

fn collect(path: &str, value: &Tree, depth: usize, found: &mut Vec<u64>) {
    let speaks = || {
        let path = path.to_ascii_lowercase();
        ["token", "usage", "eval_count"].iter().any(|word| path.contains(word))
    };
    match value {
        Tree::Null | Tree::Bool(_) => {}
        Tree::Number(number) => {
            if let Some(number) = number.as_f64().filter(|number| number.fract() == 0.0 && *number >= 0.0)
                && speaks()
            {
                found.push(number as u64);
            }
        }
        Tree::Array(items) => items.iter().for_each(|item| collect(path, item, depth, found)),
        Tree::Object(members) => {
            members.iter().for_each(|(name, member)| collect(&format!("{path}.{name}"), member, depth, found));
        }
        Tree::String(text) => {
            if let Ok(number) = text.trim().parse::<u64>() {
                collect(path, &number.into(), depth, found);
            } else if depth > 0 {
                if let Some(inner) = parsed(text) {
                    collect(path, &inner, depth - 1, found);
                } else {
                    for (name, number) in python_numbers(text) {
                        collect(&format!("{path}.{name}"), &number.into(), depth, found);
                    }
                }
            }
        }
    }
}

/// How what is counted stands to what was billed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Nothing was billed, and nothing is counted.
    Nothing,
    /// Exactly what was billed.
    Exact,
    /// More, in one direction at least.
    Over,
    /// Less, but something.
    Under,
    /// Nothing, though something was billed.
    None,
}

/// The verdict on a count.
pub fn verdict(counted: Tokens, billed: Tokens) -> Verdict {
    match (counted, billed) {
        ((0, 0), (0, 0)) => Verdict::Nothing,
        _ if counted == billed => Verdict::Exact,
        _ if counted.0 > billed.0 || counted.1 > billed.1 => Verdict::Over,
        ((0, 0), _) => Verdict::None,
        _ => Verdict::Under,
    }
}
