//! The metrics that are derived from LLM calls: which there are under each target, and how a call is
//! recorded into them. One metric is `metric`'s, what its series are labelled with is `labels`', what is
//! left to an application that sends such metrics by itself is `beside`'s, and what older dashboards
//! call them is `compatibility`'s.
//!
//! Whether a call counts is the ledger's decision; this file records what it is told to. Names,
//! units, bounds and attributes: GenAI semantic conventions, "Generative AI metrics" (core 1.41,
//! and the GenAI repository as of October 2026 for `main`).

mod beside;
mod compatibility;
mod labels;
mod metric;

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use crate::genai::settings::Target;
use crate::otlp::span::Kind as SpanKind;

use super::call::Call;
use super::histogram::{Histogram, Total, Witness};
use super::ledger::{Direction, Recorder, Suppressed};
use super::native::Standing;
use super::otlp::{self, Encoded};
use super::own;
use super::snapshot::{Family, Scope, Source, unix_nano};
pub use compatibility::Compatibility;
use compatibility::LlamaStack;
use labels::{operation, service, token_type, with_error, with_modality};
use metric::{AnyMetric, Bounds, Metric};

/// The scope of everything that is derived here.
pub const SCOPE: Scope = Scope { name: "dragoman", version: env!("CARGO_PKG_VERSION") };

/// What stands before the names of metrics that are shown beside an application's own.
const APART: &str = "dragoman.";

/// The operations that the conventions call inference.
const INFERENCE: [&str; 3] = ["chat", "generate_content", "text_completion"];

/// Operations that no client metric covers: they run inside the application, and `main` gives them
/// metrics of their own.
const NOT_CLIENT: [&str; 3] = ["execute_tool", "invoke_workflow", "plan"];

/// How a target says how many tokens there were.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "a connector has one")]
enum Tokens {
    /// 1.41: one histogram with the direction as a label.
    ByType(Metric<Histogram>),
    /// main: the direction is in the name.
    ByName(Box<ByName>),
}

#[derive(Debug)]
struct ByName {
    input: Both,
    output: Both,
    cache_read: Metric<Total>,
    cache_write: Metric<Total>,
    reasoning: Metric<Total>,
}

/// A direction's sum, and its size per operation.
#[derive(Debug)]
struct Both {
    total: Metric<Total>,
    per_operation: Metric<Histogram>,
}

/// The derived metrics of one connector.
#[derive(Debug)]
pub struct Families {
    target: Target,
    tokens: Tokens,
    /// `main` only; under 1.41 `operation_duration` covers inference too.
    inference_duration: Option<Metric<Histogram>>,
    operation_duration: Metric<Histogram>,
    time_to_first_chunk: Metric<Histogram>,
    llama_stack: Option<LlamaStack>,
    suppressed: own::Counters,
    standing: Standing,
    bounds: Bounds,
}

impl Families {
    /// The metrics of a target, with nothing recorded. Each metric has at most `max_series` series
    /// and one more for what does not fit; a series that was idle for `expiration` goes (zero: never).
    pub fn new(target: Target, max_series: usize, expiration: Duration) -> Self {
        Self::of(target, Bounds { prefix: "", max_series, expiration })
    }

    /// As [`Families::new`], under names that no application's own metrics have: `dragoman.` and the
    /// target's name. A label would not do: a sum over a name adds up whatever is under it.
    pub fn apart(target: Target, max_series: usize, expiration: Duration) -> Self {
        Self::of(target, Bounds { prefix: APART, max_series, expiration })
    }

    fn of(target: Target, bounds: Bounds) -> Self {
        let (tokens, inference_duration, first_chunk) = match target {
            Target::V1_41 => (
                Tokens::ByType(bounds.tokens("gen_ai.client.token.usage", "Number of input and output tokens used")),
                None,
                "gen_ai.client.operation.time_to_first_chunk",
            ),
            Target::Main => (
                Tokens::ByName(Box::new(ByName {
                    input: Both {
                        total: bounds.total(
                            "gen_ai.client.inference.usage.input_tokens",
                            "Number of input tokens used, cached tokens included",
                        ),
                        per_operation: bounds.tokens(
                            "gen_ai.client.inference.operation.input_tokens",
                            "Number of input tokens per inference operation",
                        ),
                    },
                    output: Both {
                        total: bounds.total(
                            "gen_ai.client.inference.usage.output_tokens",
                            "Number of output tokens used, reasoning tokens included",
                        ),
                        per_operation: bounds.tokens(
                            "gen_ai.client.inference.operation.output_tokens",
                            "Number of output tokens per inference operation",
                        ),
                    },
                    cache_read: bounds.total(
                        "gen_ai.client.inference.usage.cache_read.input_tokens",
                        "Number of input tokens served from a provider-managed cache",
                    ),
                    cache_write: bounds.total(
                        "gen_ai.client.inference.usage.cache_write.input_tokens",
                        "Number of input tokens written to a provider-managed cache",
                    ),
                    reasoning: bounds.total(
                        "gen_ai.client.inference.usage.reasoning.output_tokens",
                        "Number of output tokens used for reasoning",
                    ),
                })),
                Some(bounds.seconds("gen_ai.client.inference.duration", "Duration of an inference operation")),
                "gen_ai.client.inference.time_to_first_chunk",
            ),
        };
        let suppressed = own::Counters::new(
            "dragoman_genai_suppressed_total",
            "Token counts that were seen and not counted, by reason",
            &["reason"],
        );
        // Shown from the start, so that a rate sees the first of a kind.
        for reason in Suppressed::ALL {
            suppressed.with(&[reason.name()]);
        }
        Families {
            target,
            tokens,
            inference_duration,
            operation_duration: bounds.seconds("gen_ai.client.operation.duration", "Duration of a GenAI operation"),
            time_to_first_chunk: bounds.seconds(first_chunk, "Time from a request to the first chunk of its answer"),
            llama_stack: None,
            suppressed,
            standing: Standing::new(),
            bounds,
        }
    }

    /// Shows the tokens under older names too, within the same bounds.
    #[must_use]
    pub fn compatible_with(mut self, names: &[Compatibility]) -> Self {
        self.llama_stack = names.contains(&Compatibility::LlamaStack).then(|| LlamaStack::new(self.bounds));
        self
    }

    /// Shows what was suppressed among the program's own metrics, together with every other
    /// connector's.
    #[must_use]
    pub fn reporting_to(mut self, own: &own::Registry) -> Self {
        self.suppressed = own.register(self.suppressed);
        self
    }

    /// Which target's words these are.
    pub fn target(&self) -> Target {
        self.target
    }

    /// The metrics as an `ExportMetricsServiceRequest`: cumulative, a resource for each service.
    /// `None` if nothing was recorded.
    pub fn to_otlp(&self, now: SystemTime) -> Option<Encoded> {
        let mut families = Vec::new();
        self.collect(&mut families);
        otlp::encode(&families, schema_url(self.target), now)
    }

    /// How many series each metric has, overflow series not counted.
    pub fn series(&self) -> Vec<(Cow<'static, str>, usize)> {
        let mut sizes = Vec::new();
        self.for_each(|metric| sizes.push((metric.name().to_owned().into(), metric.len())));
        sizes
    }

    fn for_each<'s>(&'s self, mut visit: impl FnMut(&'s dyn AnyMetric)) {
        match &self.tokens {
            Tokens::ByType(usage) => visit(usage),
            Tokens::ByName(by_name) => {
                let ByName { input, output, cache_read, cache_write, reasoning } = &**by_name;
                for both in [input, output] {
                    visit(&both.total);
                    visit(&both.per_operation);
                }
                for part in [cache_read, cache_write, reasoning] {
                    visit(part);
                }
            }
        }
        if let Some(metric) = &self.inference_duration {
            visit(metric);
        }
        visit(&self.operation_duration);
        visit(&self.time_to_first_chunk);
        if let Some(metrics) = &self.llama_stack {
            metrics.for_each(&mut visit);
        }
    }
}

impl Recorder for Families {
    /// Adds the tokens of a call in one direction. Under `main` the parts of the direction that
    /// the call names (cache, reasoning) are added beside it; they are no part of another sum.
    fn tokens(&self, call: &Call, direction: Direction, tokens: u64) {
        let is_ours = match &self.tokens {
            Tokens::ByType(usage) => {
                let mut labels = service(call);
                labels.text("gen_ai.token.type", token_type(direction));
                operation(&mut labels, call);
                self.observe(usage, &labels, tokens as f64, call)
            }
            Tokens::ByName(by_name) => {
                let ByName { input, output, cache_read, cache_write, reasoning } = &**by_name;
                let labels = with_modality(call);
                let part = |metric: &Metric<Total>, amount: Option<u64>| {
                    if let Some(amount) = amount {
                        self.add(metric, &labels, amount, call);
                    }
                };
                let both = match direction {
                    Direction::Input => {
                        part(cache_read, call.usage.cache_read);
                        part(cache_write, call.usage.cache_write);
                        input
                    }
                    Direction::Output => {
                        part(reasoning, call.usage.reasoning);
                        output
                    }
                };
                self.add(&both.total, &labels, tokens, call);
                self.observe(&both.per_operation, &with_error(call), tokens as f64, call)
            }
        };
        if !is_ours {
            self.left(call, direction);
        }
        if let Some(metrics) = &self.llama_stack {
            metrics.add(self, call, direction, tokens);
        }
    }

    /// Records how long a call took, and how long its first chunk took if the call says so. A call
    /// without a start, or which ends before it begins, has no duration.
    fn duration(&self, call: &Call) {
        if !is_client(call) {
            return;
        }
        let inference = INFERENCE.contains(&call.operation.as_str());
        if let Some(seconds) = seconds(call) {
            let metric = match &self.inference_duration {
                Some(metric) if inference => metric,
                _ => &self.operation_duration,
            };
            self.observe(metric, &with_error(call), seconds, call);
        }
        if let Some(seconds) = call.time_to_first_chunk.filter(|seconds| *seconds >= 0.0) {
            let mut labels = service(call);
            operation(&mut labels, call);
            self.observe(&self.time_to_first_chunk, &labels, seconds, call);
        }
        if let Tokens::ByName(by_name) = &self.tokens
            && inference
            && call.error_type.is_some()
        {
            // `main`: a failed operation whose usage is unknown is recorded with zero tokens.
            // Some emitters write zeros for that, and the ledger counts none of them.
            let said = call.billed().unwrap_or_default();
            for (both, usage) in [(&by_name.input, said.input), (&by_name.output, said.output)] {
                if usage.is_none() {
                    self.observe(&both.per_operation, &with_error(call), 0.0, call);
                    if self.is_ours(both.total.name(), call) {
                        both.total.add(&with_modality(call), 0, None);
                    }
                }
            }
        }
    }

    /// The service's own count of the call would be a second one.
    fn counted_elsewhere(&self, call: &Call) {
        self.speak_for(call);
    }

    fn suppressed(&self, _: &Call, reason: Suppressed) {
        self.suppressed.with(&[reason.name()]).increment();
    }
}

impl Source for Families {
    fn collect(&self, families: &mut Vec<Family>) {
        self.for_each(|metric| {
            let family = metric.snapshot();
            if !family.series.is_empty() {
                families.push(family);
            }
        });
    }
}

/// Whether the operation's duration is a client's: an agent that runs in the application's own
/// process is not.
fn is_client(call: &Call) -> bool {
    match call.operation.as_str() {
        "invoke_agent" => call.kind != SpanKind::Internal,
        operation => !NOT_CLIENT.contains(&operation),
    }
}

fn seconds(call: &Call) -> Option<f64> {
    if call.start_time_unix_nano == 0 {
        return None;
    }
    let nanos = call.end_time_unix_nano.checked_sub(call.start_time_unix_nano)?;
    Some(Duration::from_nanos(nanos).as_secs_f64())
}

/// The exemplar carries the time of recording, not of the call: Prometheus refuses exemplars of a
/// series that go back in time, and calls do not end in the order in which they are reported.
fn witness(call: &Call) -> Option<Witness> {
    let trace_id = call.trace_id?;
    Some(Witness { time_unix_nano: unix_nano(SystemTime::now()), trace_id, span_id: call.span_id })
}

/// The schema that defines the metrics; `main` has none that resolves.
const fn schema_url(target: Target) -> &'static str {
    match target {
        Target::V1_41 => "https://opentelemetry.io/schemas/1.41.1",
        Target::Main => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::call::Usage;
    use crate::metrics::exposition::accept::Format;
    use crate::metrics::exposition::{Style, render};
    use crate::metrics::snapshot::{Label, Value};
    use crate::otlp::{SpanId, TraceId};

    fn call() -> Call {
        Call {
            trace_id: Some(TraceId([0x11; 16])),
            span_id: Some(SpanId([0x22; 8])),
            response_model: "gpt-4o-2024-08-06".into(),
            response_id: "r1".into(),
            server_address: "api.openai.com".into(),
            server_port: Some(443),
            start_time_unix_nano: 1_000_000_000,
            end_time_unix_nano: 2_500_000_000,
            ..Call::sample()
        }
    }

    fn families(target: Target) -> Families {
        Families::new(target, 2000, Duration::ZERO)
    }

    /// Every `_sum`, `_count` and `_total` line of the page, without the scope's labels.
    fn sums(families: &Families) -> Vec<String> {
        let mut snapshot = Vec::new();
        families.collect(&mut snapshot);
        for family in &mut snapshot {
            family.scope = None;
        }
        let (page, left_out) = render(snapshot, &Style::default(), Format::Classic);
        assert_eq!(left_out, []);
        page.lines().filter(|line| !line.starts_with('#') && !line.contains("_bucket{")).map(str::to_owned).collect()
    }

    const CALL: &str = "gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"openai\",\
        gen_ai_request_model=\"gpt-4o\",gen_ai_response_model=\"gpt-4o-2024-08-06\",\
        server_address=\"api.openai.com\",server_port=\"443\"";

    #[test]
    fn the_last_published_convention() {
        let families = families(Target::V1_41);
        let mut call = call();
        families.tokens(&call, Direction::Input, 532);
        families.tokens(&call, Direction::Output, 118);
        families.duration(&call);
        call.time_to_first_chunk = Some(0.25);
        call.error_type = Some("timeout".into());
        families.duration(&call);
        let name = "gen_ai_client_token_usage";
        let duration = "gen_ai_client_operation_duration_seconds";
        let chunk = "gen_ai_client_operation_time_to_first_chunk_seconds";
        assert_eq!(
            sums(&families),
            [
                format!("{name}_sum{{service_name=\"shop\",gen_ai_token_type=\"input\",{CALL}}} 532.0"),
                format!("{name}_count{{service_name=\"shop\",gen_ai_token_type=\"input\",{CALL}}} 1"),
                format!("{name}_sum{{service_name=\"shop\",gen_ai_token_type=\"output\",{CALL}}} 118.0"),
                format!("{name}_count{{service_name=\"shop\",gen_ai_token_type=\"output\",{CALL}}} 1"),
                format!("{duration}_sum{{service_name=\"shop\",{CALL}}} 1.5"),
                format!("{duration}_count{{service_name=\"shop\",{CALL}}} 1"),
                format!("{duration}_sum{{service_name=\"shop\",{CALL},error_type=\"timeout\"}} 1.5"),
                format!("{duration}_count{{service_name=\"shop\",{CALL},error_type=\"timeout\"}} 1"),
                format!("{chunk}_sum{{service_name=\"shop\",{CALL}}} 0.25"),
                format!("{chunk}_count{{service_name=\"shop\",{CALL}}} 1"),
            ]
        );
    }

    #[test]
    fn the_convention_of_main() {
        let families = families(Target::Main);
        let mut call = call();
        call.usage = Usage {
            input: Some(532),
            output: Some(118),
            cache_read: Some(500),
            cache_write: Some(0),
            reasoning: Some(64),
            estimated: false,
        };
        families.tokens(&call, Direction::Input, 532);
        families.tokens(&call, Direction::Output, 118);
        families.duration(&call);
        call.operation = "embeddings".into();
        families.duration(&call);
        let usage = "gen_ai_client_inference_usage";
        let operation = "gen_ai_client_inference_operation";
        let modal = format!("service_name=\"shop\",gen_ai_token_modality=\"unknown\",{CALL}");
        let embeddings = CALL.replace("\"chat\"", "\"embeddings\"");
        assert_eq!(
            sums(&families),
            [
                format!("{usage}_input_tokens_total{{{modal}}} 532"),
                format!("{operation}_input_tokens_sum{{service_name=\"shop\",{CALL}}} 532.0"),
                format!("{operation}_input_tokens_count{{service_name=\"shop\",{CALL}}} 1"),
                format!("{usage}_output_tokens_total{{{modal}}} 118"),
                format!("{operation}_output_tokens_sum{{service_name=\"shop\",{CALL}}} 118.0"),
                format!("{operation}_output_tokens_count{{service_name=\"shop\",{CALL}}} 1"),
                format!("{usage}_cache_read_input_tokens_total{{{modal}}} 500"),
                format!("{usage}_cache_write_input_tokens_total{{{modal}}} 0"),
                format!("{usage}_reasoning_output_tokens_total{{{modal}}} 64"),
                format!("gen_ai_client_inference_duration_seconds_sum{{service_name=\"shop\",{CALL}}} 1.5"),
                format!("gen_ai_client_inference_duration_seconds_count{{service_name=\"shop\",{CALL}}} 1"),
                format!("gen_ai_client_operation_duration_seconds_sum{{service_name=\"shop\",{embeddings}}} 1.5"),
                format!("gen_ai_client_operation_duration_seconds_count{{service_name=\"shop\",{embeddings}}} 1"),
            ]
        );
    }

    #[test]
    fn main_records_a_failed_call_without_usage_as_zero() {
        let families = families(Target::Main);
        let failed = Call { error_type: Some("429".into()), ..call() };
        families.duration(&failed);
        let sums = sums(&families);
        let has = |start: &str, end: &str| sums.iter().any(|line| line.starts_with(start) && line.ends_with(end));
        assert!(has("gen_ai_client_inference_usage_input_tokens_total{", "} 0"), "{sums:#?}");
        assert!(has("gen_ai_client_inference_operation_output_tokens_count{", "error_type=\"429\"} 1"), "{sums:#?}");
        assert!(has("gen_ai_client_inference_operation_output_tokens_sum{", "error_type=\"429\"} 0.0"), "{sums:#?}");
    }

    #[test]
    fn what_is_not_said_is_no_label() {
        let families = families(Target::V1_41);
        let bare = Call {
            service: String::new(),
            provider: String::new(),
            request_model: String::new(),
            response_model: String::new(),
            server_address: String::new(),
            ..call()
        };
        families.duration(&bare);
        assert_eq!(
            sums(&families)[0],
            "gen_ai_client_operation_duration_seconds_sum{gen_ai_operation_name=\"chat\"} 1.5"
        );
    }

    #[test]
    fn only_a_clients_duration_that_is_known_is_recorded() {
        let families = families(Target::V1_41);
        for call in [
            Call { operation: "execute_tool".into(), ..call() },
            Call { operation: "invoke_agent".into(), kind: SpanKind::Internal, ..call() },
            Call { start_time_unix_nano: 0, ..call() },
            Call { start_time_unix_nano: 9_000_000_000, ..call() },
            Call { start_time_unix_nano: 0, time_to_first_chunk: Some(f64::NAN), ..call() },
        ] {
            families.duration(&call);
        }
        assert_eq!(sums(&families), Vec::<String>::new());
        families.duration(&Call { operation: "invoke_agent".into(), ..call() });
        assert_eq!(sums(&families).len(), 2);
    }

    #[test]
    fn an_exemplar_leads_to_the_span() {
        let families = families(Target::V1_41);
        families.tokens(&call(), Direction::Input, 5);
        families.tokens(&Call { trace_id: None, ..call() }, Direction::Input, 1000);
        let mut snapshot = Vec::new();
        families.collect(&mut snapshot);
        let Value::Histogram(distribution) = &snapshot[0].series[0].value else { panic!("no histogram") };
        let [(bucket, exemplar)] = &distribution.exemplars[..] else { panic!("{distribution:?}") };
        assert_eq!((*bucket, exemplar.value), (2, 5.0));
        assert_eq!((exemplar.trace_id, exemplar.span_id), (call().trace_id, call().span_id));
        assert!(exemplar.time_unix_nano > 0);
    }

    #[test]
    fn connectors_share_the_account_of_what_was_suppressed() {
        let own = own::Registry::new();
        let first = families(Target::V1_41).reporting_to(&own);
        let second = families(Target::Main).reporting_to(&own);
        first.suppressed(&call(), Suppressed::ReExport);
        second.suppressed(&call(), Suppressed::ReExport);
        let mut snapshot = Vec::new();
        own.collect(&mut snapshot);
        assert_eq!(snapshot.len(), 1);
        let shown: Vec<_> = snapshot[0].series.iter().map(|series| (&*series.labels, &series.value)).collect();
        assert_eq!(shown.len(), Suppressed::ALL.len(), "all reasons are there from the start");
        let counted: Vec<_> = shown.iter().filter(|(_, value)| **value != Value::Integer(0, None)).collect();
        assert_eq!(counted, [&(&[Label::text("reason", "re_export")][..], &Value::Integer(2, None))]);
    }

    #[test]
    fn services_stay_apart() {
        let families = Families::new(Target::V1_41, 2, Duration::ZERO);
        for service in ["a", "b", "c", "d", "a"] {
            families.tokens(&Call { service: service.into(), ..call() }, Direction::Input, 10);
        }
        let mut snapshot = Vec::new();
        families.collect(&mut snapshot);
        let seen: Vec<_> = snapshot[0]
            .series
            .iter()
            .map(|series| match &series.value {
                Value::Histogram(distribution) => (series.labels[0].value.to_string(), distribution.sum.unwrap()),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(seen, [("true".into(), 20.0), ("a".into(), 20.0), ("b".into(), 10.0)]);
        assert_eq!(
            families.series().iter().map(|(name, len)| (&**name, *len)).collect::<Vec<_>>(),
            [
                ("gen_ai.client.token.usage", 2),
                ("gen_ai.client.operation.duration", 0),
                ("gen_ai.client.operation.time_to_first_chunk", 0)
            ]
        );
    }
}
