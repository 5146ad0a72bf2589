//! Names from before the conventions, beside them on request: what dashboards read that were made for an
//! emitter which counted tokens by itself. The calls, the ledger's judgement and the bounds are those of
//! the metrics in [`super`], so that the sums are equal; only names and labels differ.
//!
//! Llama Stack up to 0.3 had three sums, labelled with the ids under which it knew a model and its
//! provider. What a server that still sends them says is `processor/own_metrics.rs`' to sort out, by the
//! rule of [`crate::metrics::native`]: each token once under each name.

use std::borrow::Cow;

use super::metric::{AnyMetric, Bounds, Metric};
use super::{Families, labels::service};
use crate::metrics::call::Call;
use crate::metrics::histogram::Total;
use crate::metrics::ledger::Direction;

/// Whose old names are wanted: an item of `connectors.genai_metrics.compatibility`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compatibility {
    /// `llama_stack`: `prompt_tokens`, `completion_tokens` and `total_tokens`, by `model_id` and
    /// `provider_id`.
    LlamaStack,
}

impl Compatibility {
    /// As a configuration names them.
    pub const CHOICES: &[(&str, Compatibility)] = &[("llama_stack", Compatibility::LlamaStack)];
}

/// The sums of Llama Stack: `llama_stack_prompt_tokens_total`, `llama_stack_completion_tokens_total` and
/// `llama_stack_tokens_total` on a Prometheus page.
#[derive(Debug)]
pub(super) struct LlamaStack {
    prompt: Metric<Total>,
    completion: Metric<Total>,
    total: Metric<Total>,
}

impl LlamaStack {
    /// Under every rule the names are the old ones: a name of its own would be read by no dashboard.
    pub(super) fn new(bounds: Bounds) -> LlamaStack {
        let metric =
            |name, help| Bounds { prefix: "", ..bounds }.total_of(name, help, "tokens").known_in("llama_stack");
        LlamaStack {
            prompt: metric("prompt_tokens", "Number of tokens in prompts, cached tokens included"),
            completion: metric("completion_tokens", "Number of tokens in completions, reasoning tokens included"),
            total: metric("total_tokens", "Number of tokens in prompts and completions"),
        }
    }

    pub(super) fn all(&self) -> [&Metric<Total>; 3] {
        [&self.prompt, &self.completion, &self.total]
    }

    pub(super) fn for_each<'s>(&'s self, visit: &mut impl FnMut(&'s dyn AnyMetric)) {
        self.all().into_iter().for_each(|metric| visit(metric));
    }

    /// Adds what the ledger counts.
    pub(super) fn add(&self, families: &Families, call: &Call, direction: Direction, tokens: u64) {
        let model = model_id(call);
        let mut labels = service(call);
        labels.text("model_id", &model).text("provider_id", &call.provider);
        let part = match direction {
            Direction::Input => &self.prompt,
            Direction::Output => &self.completion,
        };
        for metric in [part, &self.total] {
            families.add(metric, &labels, tokens, call);
        }
    }
}

/// A model as Llama Stack names it, with its provider in front: `openai/gpt-4o-mini`,
/// `vllm/Qwen/Qwen3-0.6B`. A span has either that or the provider's own name of it.
fn model_id(call: &Call) -> Cow<'_, str> {
    let model = match call.request_model.as_str() {
        "" => call.response_model.as_str(),
        model => model,
    };
    let provider = call.provider.as_str();
    let is_qualified = model.strip_prefix(provider).is_some_and(|rest| rest.starts_with('/'));
    if provider.is_empty() || model.is_empty() || is_qualified {
        Cow::Borrowed(model)
    } else {
        Cow::Owned(format!("{provider}/{model}"))
    }
}
