//! What follows from what was said: a missing count from the total, the operation from its shape, the
//! provider from the host or the model, the kind of an error from the exception that the span recorded.
//! Reading what is said is in [`super`].

use super::Job;
use crate::genai::dialect::Reason;
use crate::genai::field::Field;
use crate::genai::operation::Scalar;
use crate::genai::read::{ListOf, Outcome};
use crate::genai::values;
use crate::otlp::span::{Span, StatusCode};

impl Job<'_, '_> {
    /// The side that only a total says.
    pub(super) fn missing_count(&mut self) {
        let embeddings = self.operation.text(Field::OperationName) == Some("embeddings");
        let mut next = 0;
        while let Some(&(claim, total)) = self.totals.get(next) {
            next += 1;
            let input = self.operation.int(Field::UsageInputTokens);
            let output = self.operation.int(Field::UsageOutputTokens);
            let (side, count, rule) = match (input, output) {
                (Some(input), None) if total > input && !embeddings => {
                    (Field::UsageOutputTokens, total - input, "output is the total without input")
                }
                (None, Some(output)) if total > output => {
                    (Field::UsageInputTokens, total - output, "input is the total without output")
                }
                (None, None) if embeddings => (Field::UsageInputTokens, total, "embeddings have input only"),
                _ => continue,
            };
            self.operation.offer(side, Scalar::Int(count));
            next -= 1;
            self.totals.remove(next);
            if let Some(claim) = self.claims.get_mut(claim) {
                (claim.outcome, claim.rule) = (Outcome::Expressed(Reason::None), rule);
            }
        }
    }

    /// Total tokens: no target has a word for them.
    pub(in crate::genai) fn totals(&mut self) {
        for (claim, total) in std::mem::take(&mut self.totals) {
            let input = self.operation.int(Field::UsageInputTokens);
            let output = self.operation.int(Field::UsageOutputTokens);
            let (outcome, rule) = match (input, output) {
                (Some(input), Some(output)) => match total.cmp(&input.saturating_add(output)) {
                    std::cmp::Ordering::Equal => {
                        (Outcome::Discarded(Reason::Redundant), "the total is the sum of input and output")
                    }
                    std::cmp::Ordering::Greater => {
                        (Outcome::Kept(Reason::AboveSum), "the total is above the sum: it counts something else too")
                    }
                    std::cmp::Ordering::Less => {
                        (Outcome::Kept(Reason::BelowSum), "the total is below the sum: one of them is wrong")
                    }
                },
                (Some(side), None) | (None, Some(side)) if total == side => {
                    (Outcome::Discarded(Reason::Redundant), "the total is the one side that was said")
                }
                (None, None) => (Outcome::Kept(Reason::NoHome), "no target has a word for a total"),
                _ => (Outcome::Kept(Reason::BelowSum), "the total is below the one side that was said"),
            };
            if let Some(claim) = self.claims.get_mut(claim) {
                (claim.outcome, claim.rule) = (outcome, rule);
            }
        }
    }

    /// The operation's name from its shape, where nothing says it.
    pub(in crate::genai) fn infer_operation(&mut self) {
        if let Some(name) = self.inferred_operation() {
            self.operation.set(Field::OperationName, Scalar::Str(name.into()));
        }
    }

    /// The operation's name as it would be inferred from what is known by now.
    pub(super) fn inferred_operation(&self) -> Option<&'static str> {
        if !self.foreign || self.operation.named.is_some() || self.operation.get(Field::OperationName).is_some() {
            return None;
        }
        let id = self.operation.text(Field::ResponseId).unwrap_or_default();
        let said = !self.operation.input.is_absent()
            || !self.operation.output.is_absent()
            || self.candidates.iter().any(|candidate| matches!(candidate.list, ListOf::Input | ListOf::Output));
        match () {
            () if self.user_text || id.starts_with("cmpl-") => Some("text_completion"),
            () if said || id.starts_with("chatcmpl-") => Some("chat"),
            () => None,
        }
    }

    /// The provider from the host that was called or the model's name, where nothing says it; the
    /// host also corrects `openai`, which clients call every server that speaks its protocol.
    pub(in crate::genai) fn infer_provider(&mut self) {
        if !self.foreign || self.operation.is_current(Field::ProviderName) {
            return;
        }
        let said = self.operation.text(Field::ProviderName);
        let host = self
            .operation
            .text(Field::ServerAddress)
            .and_then(|host| values::provider_of_host(host, self.operation.int(Field::ServerPort)));
        let model = self.operation.text(Field::RequestModel).or(self.operation.text(Field::ResponseModel));
        let provider = match (said, host) {
            (Some("openai") | None, Some(host)) => Some(host),
            (None, None) => model.and_then(values::provider_of_model),
            _ => None,
        };
        if let Some(provider) = provider {
            self.operation.set(Field::ProviderName, Scalar::Str(provider.into()));
        }
    }

    /// What the operation ended with, where nothing says it: the exception that the span recorded last.
    /// Exceptions of a span whose status is no error were handled.
    pub(in crate::genai) fn infer_error(&mut self, span: &Span<'_>) {
        if span.status_code() != StatusCode::Error || self.operation.get(Field::ErrorType).is_some() {
            return;
        }
        let exceptions = span.events().filter(|(_, event)| event.name == "exception");
        let kind = exceptions.filter_map(|(_, event)| event.get("exception.type")).last();
        if let Some(kind) = kind.as_ref().and_then(|kind| kind.as_str()).filter(|kind| !kind.is_empty()) {
            self.operation.set(Field::ErrorType, Scalar::Str(kind.to_owned().into()));
        }
    }
}
