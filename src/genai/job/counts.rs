//! How tokens are counted: the conventions' input includes cached tokens, their output includes
//! reasoning. Who counts otherwise is repaired.
//!
//! A repair notes the reported number on the span, under a name of ours: nothing is lost by it, and a
//! second pass knows that it was done.

use super::Job;
use crate::genai::convention::is_model_call;
use crate::genai::dialect::{Counts, Reason};
use crate::genai::field::Field;
use crate::genai::operation::Scalar;
use crate::genai::read::{About, Outcome};
use crate::genai::translate::key_of;

impl Job<'_, '_> {
    /// Repairs the counts of a span of which `counts` is known, one that only the total says among them.
    pub(in crate::genai) fn repair_counts(&mut self, counts: Counts) {
        let counts = match self.speakers.leader(self.index) {
            Some(table) if table.counts_as_provider => {
                counts.or(of_provider(self.operation.text(Field::ProviderName).unwrap_or_default()))
            }
            _ => counts,
        };
        let (input, output) = (self.count(Field::UsageInputTokens), self.count(Field::UsageOutputTokens));
        let (read, written) = self.cached();
        let cached = read.saturating_add(written);
        let is_zero = input.unwrap_or(0) == 0 && output.unwrap_or(0) == 0 && input.or(output).is_some() && cached == 0;
        if is_zero {
            self.discard_zeros();
        }
        self.missing_count();
        let (input, output) = (self.count(Field::UsageInputTokens), self.count(Field::UsageOutputTokens));
        let reasoning = self.count(Field::UsageReasoningOutputTokens).unwrap_or(0);
        let total = self.count(Field::UsageTotalTokens);
        let sides = [
            (&INPUT, input, output, [read, written], counts.input_excludes_cache),
            (&OUTPUT, output, input, [reasoning, 0], counts.output_excludes_reasoning),
        ];
        for (repair, whole, other, parts, known) in sides {
            let Some(whole) = whole.filter(|_| self.operation.get(repair.reported).is_none()) else { continue };
            let sum = whole.saturating_add(other.unwrap_or(0));
            let missing = missing(whole, parts, |added| total.map(|total| total == sum.saturating_add(added)), known);
            if missing > 0 {
                self.repair(repair, whole, missing);
            }
        }
    }

    fn count(&self, field: Field) -> Option<u64> {
        self.operation.int(field).and_then(|count| u64::try_from(count).ok())
    }

    /// What was read from a cache, and what was written to it.
    fn cached(&self) -> (u64, u64) {
        let count = |field| self.count(field).unwrap_or(0);
        (count(Field::UsageCacheReadInputTokens), count(Field::UsageCacheWriteInputTokens))
    }

    /// No call has neither input nor output: such zeros stand for "nothing was reported" (adapters inject
    /// them where the provider sent no usage). What stands under the target's own name stays.
    fn discard_zeros(&mut self) {
        let is_call = self.operation.text(Field::OperationName).is_none_or(is_model_call);
        if !is_call || self.operation.get(Field::OperationName).is_none() && self.operation.named.is_some() {
            return;
        }
        for field in [Field::UsageInputTokens, Field::UsageOutputTokens] {
            let attribute = self.names.get(field).map(|(attribute, _)| attribute);
            for claim in &mut self.claims {
                if claim.about != About::Field(field) || !matches!(claim.outcome, Outcome::Expressed(_)) {
                    continue;
                }
                claim.outcome = match key_of(claim, self.source) == attribute {
                    true => Outcome::Kept(Reason::ZeroUsage),
                    false => Outcome::Discarded(Reason::ZeroUsage),
                };
                claim.rule = "a call has tokens: zeros say that nothing was reported";
            }
            self.operation.clear(field);
        }
        for (claim, total) in std::mem::take(&mut self.totals) {
            match self.claims.get_mut(claim) {
                Some(claim) if total == 0 => {
                    claim.outcome = Outcome::Discarded(Reason::ZeroUsage);
                    claim.rule = "a call has tokens: zeros say that nothing was reported";
                }
                _ => self.totals.push((claim, total)),
            }
        }
    }

    fn repair(&mut self, repair: &Repair, reported: u64, missing: u64) {
        let Ok(whole) = i64::try_from(reported.saturating_add(missing)) else { return };
        let Ok(reported) = i64::try_from(reported) else { return };
        self.operation.set(repair.field, Scalar::Int(whole));
        self.operation.set(repair.reported, Scalar::Int(reported));
        self.foreign = true;
        self.settle_field(repair.field, Outcome::Expressed(repair.reason), repair.rule);
    }
}

impl Counts {
    /// What is known, or else what is known of another.
    fn or(self, other: Counts) -> Counts {
        Counts {
            input_excludes_cache: self.input_excludes_cache.or(other.input_excludes_cache),
            output_excludes_reasoning: self.output_excludes_reasoning.or(other.output_excludes_reasoning),
        }
    }
}

/// How a provider itself counts.
fn of_provider(provider: &str) -> Counts {
    match provider {
        "anthropic" | "aws.bedrock" => Counts { input_excludes_cache: Some(true), ..Counts::INCLUSIVE },
        "gcp.gemini" | "gcp.vertex_ai" | "gcp.gen_ai" => {
            Counts { output_excludes_reasoning: Some(true), ..Counts::INCLUSIVE }
        }
        _ => Counts::UNSAID,
    }
}

struct Repair {
    field: Field,
    reported: Field,
    reason: Reason,
    rule: &'static str,
}

const INPUT: Repair = Repair {
    field: Field::UsageInputTokens,
    reported: Field::UsageReportedInputTokens,
    reason: Reason::InputWithoutCache,
    rule: "cached tokens were not part of the input; they are now",
};

const OUTPUT: Repair = Repair {
    field: Field::UsageOutputTokens,
    reported: Field::UsageReportedOutputTokens,
    reason: Reason::OutputWithoutReasoning,
    rule: "reasoning tokens were not part of the output; they are now",
};

/// What has to be added to `whole` so that it includes both of its parts: what was read from the cache and
/// written to it, or the reasoning and nothing. Of parts that fit in one by one and not together, the second
/// is not inside: releases of LiteLLM counted what was read from the cache, and not what was written to it.
fn missing(whole: u64, parts: [u64; 2], is_total: impl Fn(u64) -> Option<bool>, known: Option<bool>) -> u64 {
    let part = parts[0].saturating_add(parts[1]);
    let one_by_one = parts[0] <= whole && whole < part;
    if one_by_one && known != Some(true) && is_total(part) != Some(true) {
        return parts[1];
    }
    if excludes(whole, part, is_total, known) { part } else { 0 }
}

/// Whether `part` is not in `whole`: proved by its size, then by the total, then by what is known of the
/// emitter. `is_total` says whether the total is the sum with so much added, if there is a total.
fn excludes(whole: u64, part: u64, is_total: impl Fn(u64) -> Option<bool>, known: Option<bool>) -> bool {
    if part == 0 {
        return false;
    }
    // More was read from the cache than was read at all.
    if whole < part {
        return true;
    }
    match (is_total(0), is_total(part)) {
        (Some(true), _) => known == Some(true),
        (_, Some(true)) => true,
        _ => known == Some(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_parts_that_fit_in_one_by_one_the_second_is_missing() {
        let total =
            |total: Option<u64>, whole: u64, other: u64| move |added| total.map(|total| total == whole + other + added);
        // LiteLLM 1.74: 53 that were not cached, and 2,048 that were read.
        assert_eq!(missing(2101, [2048, 128], total(Some(2112), 2101, 11), None), 128);
        assert_eq!(missing(2101, [2048, 128], total(None, 2101, 11), None), 128);
        // The emitter is known, or the total says it, or neither part can be inside.
        assert_eq!(missing(2101, [2048, 128], total(Some(2112), 2101, 11), Some(true)), 2176);
        assert_eq!(missing(2101, [2048, 128], total(Some(4288), 2101, 11), None), 2176);
        assert_eq!(missing(20, [2048, 128], total(None, 20, 10), None), 2176);
        assert_eq!(missing(2229, [2048, 128], total(None, 2229, 11), None), 0);
        assert_eq!(missing(20, [0, 128], total(None, 20, 10), None), 128);
    }

    #[test]
    fn the_numbers_decide_before_the_emitter() {
        let total =
            |total: Option<u64>, whole: u64, other: u64| move |added| total.map(|total| total == whole + other + added);
        // Anthropic by hand: 20 of 2,196 were not cached.
        assert!(excludes(20, 2176, total(None, 20, 10), None));
        // The total says which.
        assert!(excludes(3000, 2048, total(Some(5058), 3000, 10), None));
        assert!(!excludes(3000, 2048, total(Some(3010), 3000, 10), None));
        // Nothing says it, or the emitter is known.
        assert!(!excludes(3000, 2048, total(None, 3000, 10), None));
        assert!(excludes(3000, 2048, total(None, 3000, 10), Some(true)));
        assert!(!excludes(3000, 0, total(None, 3000, 10), Some(true)));
    }
}
