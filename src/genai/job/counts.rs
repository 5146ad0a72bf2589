//! How tokens are counted: the conventions' input includes cached tokens, their output includes
//! reasoning. Who counts otherwise is repaired (`research/dialects-2.md`, section 4).
//!
//! A repair notes the reported number on the span, under a name of ours: nothing is lost by it, and a
//! second pass knows that it was done.

use super::Job;
use crate::genai::dialect::{Counts, Reason};
use crate::genai::field::Field;
use crate::genai::operation::Scalar;
use crate::genai::read::Outcome;

impl Job<'_, '_> {
    /// Repairs the counts of a span of which `counts` is known.
    pub(in crate::genai) fn repair_counts(&mut self, counts: Counts) {
        let count = |field| self.operation.int(field).and_then(|count| u64::try_from(count).ok());
        let (input, output) = (count(Field::UsageInputTokens), count(Field::UsageOutputTokens));
        let cached = count(Field::UsageCacheReadInputTokens)
            .unwrap_or(0)
            .saturating_add(count(Field::UsageCacheWriteInputTokens).unwrap_or(0));
        let reasoning = count(Field::UsageReasoningOutputTokens).unwrap_or(0);
        let total = count(Field::UsageTotalTokens);
        let sum = |parts: [u64; 3]| parts.into_iter().fold(0, u64::saturating_add);
        let other = output.unwrap_or(0);
        if let Some(input) = input
            && self.operation.get(Field::UsageReportedInputTokens).is_none()
            && excludes(
                input,
                cached,
                |added| total.map(|total| total == sum([input, other, added])),
                counts.input_excludes_cache,
            )
        {
            let repair = Repair {
                field: Field::UsageInputTokens,
                reported: Field::UsageReportedInputTokens,
                reason: Reason::InputWithoutCache,
                rule: "cached tokens were not part of the input; they are now",
            };
            self.repair(repair, input, cached);
        }
        let other = input.unwrap_or(0);
        if let Some(output) = output
            && self.operation.get(Field::UsageReportedOutputTokens).is_none()
            && excludes(
                output,
                reasoning,
                |added| total.map(|total| total == sum([output, other, added])),
                counts.output_excludes_reasoning,
            )
        {
            let repair = Repair {
                field: Field::UsageOutputTokens,
                reported: Field::UsageReportedOutputTokens,
                reason: Reason::OutputWithoutReasoning,
                rule: "reasoning tokens were not part of the output; they are now",
            };
            self.repair(repair, output, reasoning);
        }
    }

    fn repair(&mut self, repair: Repair, reported: u64, missing: u64) {
        let Ok(whole) = i64::try_from(reported.saturating_add(missing)) else { return };
        let Ok(reported) = i64::try_from(reported) else { return };
        self.operation.set(repair.field, Scalar::Int(whole));
        self.operation.set(repair.reported, Scalar::Int(reported));
        self.foreign = true;
        self.settle_field(repair.field, Outcome::Expressed(repair.reason), repair.rule);
    }
}

struct Repair {
    field: Field,
    reported: Field,
    reason: Reason,
    rule: &'static str,
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
