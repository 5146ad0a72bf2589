//! Tokens: what the provider billed, whether the telemetry carries it, and what is counted.

use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::Value as Tree;

use super::value::{parsed, python_numbers, tree};
use crate::support::replay::{Case, Tokens};

/// Text inside of text; nothing recorded goes deeper.
const DEPTH: usize = 6;

/// What one call cost.
struct Bill {
    input: u64,
    output: u64,
    /// What the provider counts beside its input, and the conventions inside of it.
    cached: Vec<u64>,
    /// What the provider counts beside its output, and the conventions inside of it.
    thoughts: Vec<u64>,
}

fn bills(case: &Case) -> Vec<Bill> {
    let calls = case.described["llm_calls"].as_array().into_iter().flatten();
    let bill = |call: &Tree| {
        let beside =
            |keys: &[&str]| keys.iter().filter_map(|key| call["usage"][key].as_u64()).filter(|n| *n > 0).collect();
        Bill {
            input: call["input_tokens"].as_u64().unwrap_or(0),
            output: call["output_tokens"].as_u64().unwrap_or(0),
            // Anthropic's, and Bedrock's.
            cached: beside(&[
                "cache_read_input_tokens",
                "cache_creation_input_tokens",
                "cacheReadInputTokens",
                "cacheWriteInputTokens",
            ]),
            // Gemini's.
            thoughts: beside(&["thoughtsTokenCount"]),
        }
    };
    calls.map(bill).collect()
}

impl Bill {
    fn total(&self) -> Tokens {
        (self.input + self.cached.iter().sum::<u64>(), self.output + self.thoughts.iter().sum::<u64>())
    }
}

/// What the provider billed for a case, as the conventions count it.
pub fn billed(case: &Case) -> Tokens {
    bills(case).iter().map(Bill::total).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
}

/// Whether the provider's numbers stand in the telemetry: those of every call together on one span,
/// or the sums of all calls.
pub fn is_carried(case: &Case, spans: &[Span]) -> bool {
    let said: Vec<Vec<u64>> = spans.iter().map(usage_numbers).collect();
    let stand = |numbers: &[u64]| said.iter().any(|said| numbers.iter().all(|n| *n == 0 || said.contains(n)));
    let bills = bills(case);
    let each = bills.iter().all(|bill| {
        let (input, output) = bill.total();
        let inputs = [vec![input], [vec![bill.input], bill.cached.clone()].concat()];
        let outputs = [vec![output], [vec![bill.output], bill.thoughts.clone()].concat()];
        inputs.iter().any(|input| outputs.iter().any(|output| stand(&[input.clone(), output.clone()].concat())))
    });
    let (input, output) = billed(case);
    each || stand(&[input, output])
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
        !path.contains("total") && ["token", "usage", "eval_count"].iter().any(|word| path.contains(word))
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::conformance_support::value::attributes;

    fn case(calls: Tree) -> Case {
        Case { name: "chat".into(), described: json!({"llm_calls": calls}), requests: Vec::new() }
    }

    fn says(said: Tree) -> Span {
        Span { attributes: attributes(said), ..Span::default() }
    }

    #[test]
    fn what_a_provider_counts_beside_is_billed() {
        let anthropic = json!({"cache_read_input_tokens": 2048, "cache_creation_input_tokens": 128});
        let gemini = json!({"thoughtsTokenCount": 40});
        let calls = case(json!([
            {"input_tokens": 20, "output_tokens": 10, "usage": anthropic},
            {"input_tokens": 16, "output_tokens": 19, "usage": gemini},
            {"status": 429},
        ]));
        assert_eq!(billed(&calls), (2212, 69));
    }

    #[test]
    fn usage_is_found_wherever_it_stands() {
        let call = case(json!([{"input_tokens": 24, "output_tokens": 9, "usage": {}}]));
        for said in [
            json!({"llm.token_count.prompt": 24, "llm.token_count.completion": 9}),
            json!({"usage.in": "24", "usage.out": 9.0}),
            json!({"output": "{\"usage\": {\"prompt\": 24, \"completion\": 9}}"}),
            json!({"output": "Answer(usage=Usage(prompt_tokens=24, completion_tokens=9))"}),
            json!({"crew.usage": "{'prompt_tokens': 24, 'completion_tokens': 9}"}),
        ] {
            assert!(is_carried(&call, &[says(said.clone())]), "{said}");
        }
        for said in [
            json!({"usage.in": 24}),
            json!({"height": 24, "width": 9}),
            json!({"usage.in": 24, "usage.total_tokens": 9}),
        ] {
            assert!(!is_carried(&call, &[says(said.clone())]), "{said}");
        }
        assert!(!is_carried(&call, &[says(json!({"usage.in": 24})), says(json!({"usage.out": 9}))]));
    }

    #[test]
    fn every_call_or_their_sum_is_carried() {
        let calls = case(json!([
            {"input_tokens": 24, "output_tokens": 9, "usage": {}},
            {"input_tokens": 10, "output_tokens": 2, "usage": {}},
        ]));
        let pair = |input: u64, output: u64| says(json!({"usage.in": input, "usage.out": output}));
        assert!(is_carried(&calls, &[pair(24, 9), pair(10, 2)]));
        assert!(is_carried(&calls, &[pair(34, 11)]));
        assert!(!is_carried(&calls, &[pair(24, 9)]));
    }

    #[test]
    fn a_cache_is_part_of_what_is_carried() {
        let usage = json!({"cache_read_input_tokens": 2048});
        let call = case(json!([{"input_tokens": 20, "output_tokens": 10, "usage": usage}]));
        assert!(!is_carried(&call, &[says(json!({"usage.in": 20, "usage.out": 10}))]));
        assert!(is_carried(&call, &[says(json!({"usage.in": 20, "usage.out": 10, "usage.cached": 2048}))]));
        assert!(is_carried(&call, &[says(json!({"usage.in": 2068, "usage.out": 10}))]));
    }
}
