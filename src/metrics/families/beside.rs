//! Derived metrics beside those that applications send by themselves: what is recorded, and what is left
//! to the application. The rule is [`crate::metrics::native`]'s.

use super::compatibility::LlamaStack;
use super::metric::Metric;
use super::{Families, Tokens, is_client, seconds, witness};
use crate::metrics::call::Call;
use crate::metrics::histogram::{Histogram, Total};
use crate::metrics::ledger::{Direction, Recorder, Suppressed};
use crate::metrics::native::{Derived, Subject};
use crate::metrics::series::LabelRefs;
use crate::metrics::snapshot::{Label, LabelValue};

impl Families {
    /// Whether a call may be recorded in a metric, and not left to its application.
    pub(super) fn is_ours(&self, metric: &str, call: &Call) -> bool {
        self.standing.may_record(&Subject { service: &call.service, metric, operation: &call.operation })
    }

    pub(super) fn observe(&self, metric: &Metric<Histogram>, labels: &LabelRefs<'_>, value: f64, call: &Call) -> bool {
        let is_ours = self.is_ours(metric.name(), call);
        if is_ours {
            metric.observe(labels, value, witness(call));
        }
        is_ours
    }

    pub(super) fn add(&self, metric: &Metric<Total>, labels: &LabelRefs<'_>, amount: u64, call: &Call) {
        if self.is_ours(metric.name(), call) {
            metric.add(labels, amount, witness(call));
        }
    }

    /// The metrics that say how many tokens there were.
    fn token_metrics(&self) -> [&str; 4] {
        match &self.tokens {
            Tokens::ByType(usage) => [usage.name(); 4],
            Tokens::ByName(by_name) => {
                let [input, output] = [&by_name.input, &by_name.output];
                [input.total.name(), input.per_operation.name(), output.total.name(), output.per_operation.name()]
            }
        }
    }

    /// Whether the tokens of a call that was recorded are counted here, and not left to its application.
    pub fn counts_tokens_of(&self, call: &Call) -> bool {
        let is_derived =
            |metric| self.standing.is_derived(&Subject { service: &call.service, metric, operation: &call.operation });
        self.token_metrics().into_iter().any(is_derived)
    }

    /// How long a call took, in seconds, if that is recorded here.
    pub fn duration_of(&self, call: &Call) -> Option<f64> {
        seconds(call).filter(|_| is_client(call))
    }

    /// A call's tokens are counted, if not for its service.
    pub(super) fn speak_for(&self, call: &Call) {
        let older = self.llama_stack.iter().flat_map(LlamaStack::all).map(Metric::name);
        for metric in self.token_metrics().into_iter().chain(older) {
            self.standing.is_counted(&Subject { service: &call.service, metric, operation: &call.operation });
        }
    }

    /// A call's tokens were left to its application. Counted once a call.
    pub(super) fn left(&self, call: &Call, direction: Direction) {
        let says_input = call.billed().is_some_and(|usage| usage.input.is_some());
        if direction == Direction::Input || !says_input {
            self.suppressed(call, Suppressed::NativeMetrics);
        }
    }
}

impl Derived for Families {
    fn derives(&self, metric: &str) -> bool {
        let mut found = false;
        self.for_each(|own| found |= own.name() == metric);
        found
    }

    fn has(&self, subject: &Subject<'_>) -> bool {
        self.standing.is_derived(subject)
    }

    fn give_way(&self, subject: &Subject<'_>) {
        if !self.standing.is_sent(subject) {
            return;
        }
        let says = |labels: &[Label], key: &str, text: &str| {
            let found = labels.iter().find(|label| label.key == key);
            found.map_or(text.is_empty(), |label| matches!(&label.value, LabelValue::Text(other) if **other == *text))
        };
        let is_meant = |labels: &[Label]| {
            says(labels, "service.name", subject.service)
                && (subject.operation.is_empty() || says(labels, "gen_ai.operation.name", subject.operation))
        };
        self.for_each(|metric| {
            if metric.name() == subject.metric {
                metric.remove(&is_meant);
            }
        });
    }
}
