//! What `explain` says, as data; with `--format json` it is printed as it stands here, and
//! `docs/explain-json.md` says what each member is. The shape is stable: members are added, none is renamed
//! or removed while `version` stays 1.
//!
//! Every request goes through the stages of its signal's pipeline ([`Trial`]), the ones that a running
//! program is made of; what they note while they work is what is said here. Spans are in [`super::spans`],
//! log records in [`super::records`], metrics in [`super::metrics`].

use bytes::Bytes;
use serde::Serialize;

use crate::genai::explain::{Added, Change, KeyExplanation};
use crate::otlp::Signal;
use crate::otlp::represent::json;
use crate::otlp::value::Value;
use crate::otlp::wire::WireError;
use crate::service::trial::{Act, Trial, Verdict};

/// Everything that is said of an input.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Report {
    /// Of this shape.
    version: u32,
    /// The conventions that telemetry was translated to.
    pub(in crate::cli) target: &'static str,
    /// What it went through.
    pub(in crate::cli) pipelines: Vec<PipelineReport>,
    /// The spans that are shown.
    pub(in crate::cli) spans: Vec<SpanReport>,
    /// The log records that are shown.
    pub(in crate::cli) log_records: Vec<RecordReport>,
    /// The metrics that are shown.
    pub(in crate::cli) metrics: Vec<MetricReport>,
    /// What does not come out, shown or not.
    pub(in crate::cli) dropped: Vec<DroppedReport>,
    /// What was there.
    pub(in crate::cli) counts: Counts,
}

/// The pipeline of a signal.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct PipelineReport {
    /// Its id.
    pub(in crate::cli) id: String,
    /// The components that act on items, in order.
    pub(in crate::cli) stages: Vec<String>,
    /// Other pipelines of the signal, which are not shown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::cli) others: Vec<String>,
    /// Whether spans and log records would wait for each other, which is not shown.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::cli) joins_logs: bool,
}

/// What an input holds.
#[derive(Debug, Default, Serialize)]
pub(in crate::cli) struct Counts {
    pub(in crate::cli) spans: usize,
    /// Spans that are an LLM, tool, agent or retrieval operation.
    pub(in crate::cli) operations: usize,
    /// Those of them whose translation changes something.
    pub(in crate::cli) changed: usize,
    pub(in crate::cli) metrics: usize,
    pub(in crate::cli) data_points: usize,
    /// Data points of metrics that some dialect knows.
    pub(in crate::cli) known_data_points: usize,
    /// Those of them that do not pass byte for byte.
    pub(in crate::cli) changed_data_points: usize,
    pub(in crate::cli) log_records: usize,
    /// Log records that are events of the conventions, of any generation.
    pub(in crate::cli) events: usize,
    /// Those of them that do not pass byte for byte.
    pub(in crate::cli) changed_events: usize,
}

/// Items that a stage takes out.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct DroppedReport {
    /// `traces`, `metrics` or `logs`.
    pub(in crate::cli) signal: &'static str,
    #[serde(flatten)]
    pub(in crate::cli) by: DroppedBy,
    /// What the items are called.
    pub(in crate::cli) name: String,
    pub(in crate::cli) items: usize,
}

/// Who takes an item out, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::cli) struct DroppedBy {
    /// The component's id.
    pub(in crate::cli) stage: String,
    /// As in the program's own metrics.
    pub(in crate::cli) reason: &'static str,
}

/// Which emitter spoke.
#[derive(Debug, Default, Serialize)]
pub(in crate::cli) struct Recognised {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) dialect: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) margin: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) because: Option<String>,
}

/// One span.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct SpanReport {
    /// Its place among the input's spans, from 1.
    pub(in crate::cli) number: usize,
    pub(in crate::cli) trace_id: String,
    pub(in crate::cli) span_id: String,
    pub(in crate::cli) parent_span_id: String,
    /// The parent that it goes out with, if that is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) new_parent_span_id: Option<String>,
    #[serde(flatten)]
    pub(in crate::cli) origin: OriginReport,
    /// Whether it is an LLM operation.
    pub(in crate::cli) operation: bool,
    pub(in crate::cli) changed: bool,
    #[serde(flatten)]
    pub(in crate::cli) recognised: Recognised,
    pub(in crate::cli) name: Change<String>,
    pub(in crate::cli) kind: Change<&'static str>,
    pub(in crate::cli) keys: Vec<KeyExplanation>,
    pub(in crate::cli) added: Vec<Added>,
    /// Attributes that other stages than the translation add.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::cli) added_by: Vec<AddedBy>,
    /// What was counted; absent for a span that is no LLM operation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) counted: Option<Counted>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) dropped: Option<DroppedBy>,
}

/// An attribute, and the stage that adds it.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct AddedBy {
    pub(in crate::cli) stage: String,
    #[serde(flatten)]
    pub(in crate::cli) added: Added,
}

/// What a connector counts of an operation.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(in crate::cli) struct Counted {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) input_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) output_tokens: Option<u64>,
    /// How long it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) duration_seconds: Option<f64>,
    /// Why its tokens are not counted: as in `dragoman_genai_suppressed_total`, or `dropped`,
    /// `not_connected`, `no_usage_expected`.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(in crate::cli) reason: &'static str,
    /// The same for people.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(in crate::cli) because: &'static str,
}

/// One log record.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct RecordReport {
    /// Its place among the input's log records, from 1.
    pub(in crate::cli) number: usize,
    pub(in crate::cli) trace_id: String,
    pub(in crate::cli) span_id: String,
    #[serde(flatten)]
    pub(in crate::cli) origin: OriginReport,
    /// `foreign`, `current`, `carrier`, `folded` or `unread`.
    pub(in crate::cli) became: &'static str,
    pub(in crate::cli) changed: bool,
    #[serde(flatten)]
    pub(in crate::cli) recognised: Recognised,
    pub(in crate::cli) event_name: Change<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) body: Option<KeyExplanation>,
    pub(in crate::cli) keys: Vec<KeyExplanation>,
    pub(in crate::cli) added: Vec<Added>,
    /// Numbers of the records that went into this one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::cli) carries: Vec<usize>,
    /// The number of the record that this one went into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) carried_by: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) dropped: Option<DroppedBy>,
}

/// One metric of one request.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct MetricReport {
    /// Its place among the input's metrics, from 1.
    pub(in crate::cli) number: usize,
    #[serde(flatten)]
    pub(in crate::cli) origin: OriginReport,
    pub(in crate::cli) name: String,
    pub(in crate::cli) unit: String,
    /// `gauge`, `sum`, `histogram`, `exponential histogram` or `summary`; empty if not said.
    pub(in crate::cli) instrument: &'static str,
    /// Whether some dialect knows it.
    pub(in crate::cli) known: bool,
    pub(in crate::cli) changed: bool,
    pub(in crate::cli) points: Vec<PointReport>,
}

/// One data point.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct PointReport {
    #[serde(flatten)]
    pub(in crate::cli) recognised: Recognised,
    /// The metric's name.
    pub(in crate::cli) name: Change<String>,
    /// The metric's unit.
    pub(in crate::cli) unit: Change<String>,
    pub(in crate::cli) outcome: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(in crate::cli) reason: &'static str,
    pub(in crate::cli) rule: &'static str,
    pub(in crate::cli) value: PointValue,
    pub(in crate::cli) keys: Vec<KeyExplanation>,
    pub(in crate::cli) added: Vec<Added>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) dropped: Option<DroppedBy>,
}

/// What a data point says, which no translation touches.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(in crate::cli) struct PointValue {
    /// Of a gauge or a sum.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) number: Option<serde_json::Number>,
    /// Of a distribution.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) count: Option<u64>,
    /// Of a distribution.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) sum: Option<f64>,
}

/// Where an item stood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::cli) struct OriginReport {
    pub(in crate::cli) service: String,
    pub(in crate::cli) scope: String,
    pub(in crate::cli) scope_version: String,
}

/// Sends every request through its pipeline, and notes what is done; `all` shows items that have nothing to
/// do with GenAI, too.
///
/// # Errors
/// Whatever prost would refuse.
pub(in crate::cli) fn report(requests: &[(Signal, Bytes)], trial: &Trial, all: bool) -> Result<Report, WireError> {
    let pipelines =
        trial.pipelines.iter().filter(|pipeline| requests.iter().any(|(signal, _)| *signal == pipeline.id.signal));
    let pipelines = pipelines.map(|pipeline| PipelineReport {
        id: pipeline.id.to_string(),
        stages: pipeline.steps.iter().map(|step| step.id.clone()).collect(),
        others: pipeline.others.iter().map(ToString::to_string).collect(),
        joins_logs: pipeline.steps.iter().any(|step| matches!(step.act, Act::Translate { joins: true, .. })),
    });
    let mut report = Report {
        version: 1,
        target: trial.target().unwrap_or_default().name(),
        pipelines: pipelines.collect(),
        spans: Vec::new(),
        log_records: Vec::new(),
        metrics: Vec::new(),
        dropped: Vec::new(),
        counts: Counts::default(),
    };
    for (signal, body) in requests {
        let pipeline = trial.pipeline(*signal);
        match signal {
            Signal::Traces => super::spans::explain(body, pipeline, &trial.verdicts, all, &mut report)?,
            Signal::Logs => super::records::explain(body, pipeline, all, &mut report)?,
            Signal::Metrics => super::metrics::explain(body, pipeline, all, &mut report)?,
        }
    }
    Ok(report)
}

impl Report {
    /// Notes that items do not come out.
    pub(super) fn drop_items(&mut self, signal: Signal, by: &DroppedBy, name: &str, items: usize) {
        let signal = signal.name();
        let same = |known: &&mut DroppedReport| known.signal == signal && known.by == *by && known.name == name;
        match self.dropped.iter_mut().find(same) {
            Some(known) => known.items += items,
            None => self.dropped.push(DroppedReport { signal, by: by.clone(), name: name.to_owned(), items }),
        }
    }
}

impl Recognised {
    /// Nobody, for an empty dialect.
    pub(super) fn new(dialect: &'static str, margin: Option<u32>, because: String) -> Recognised {
        match dialect.is_empty() {
            true => Recognised::default(),
            false => Recognised { dialect: Some(dialect), margin, because: Some(because) },
        }
    }
}

impl OriginReport {
    /// Of any signal.
    pub(super) fn new(service: Option<Value<'_>>, scope: &str, version: &str) -> OriginReport {
        let text = |value: &Value<'_>| value.as_str().map_or_else(|| json(value).to_string(), str::to_owned);
        OriginReport {
            service: service.as_ref().map(text).unwrap_or_default(),
            scope: scope.to_owned(),
            scope_version: version.to_owned(),
        }
    }
}

impl Counted {
    /// Nothing, for a reason.
    pub(super) fn nothing(reason: &'static str, because: &'static str) -> Counted {
        Counted { reason, because, ..Counted::default() }
    }
}

impl From<Verdict> for Counted {
    fn from(verdict: Verdict) -> Counted {
        let (reason, because) =
            verdict.suppressed.map_or(("", ""), |suppressed| (suppressed.name(), suppressed.because()));
        Counted {
            input_tokens: verdict.input_tokens,
            output_tokens: verdict.output_tokens,
            duration_seconds: verdict.duration,
            reason,
            because,
        }
    }
}

pub(super) fn hex(id: Option<impl ToString>) -> String {
    id.map(|id| id.to_string()).unwrap_or_default()
}
