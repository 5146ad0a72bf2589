//! What a configuration does not say, and whoever wrote it for a Collector cannot know: that spans are
//! translated, noise is dropped and tokens are counted only where a pipeline names who does it. Such a
//! configuration forwards, as it did there; it is said that it does no more, and what to write.
//!
//! Nothing is added to a configuration by itself: [why](../../docs/decisions/0020-a-stack-keeps-its-names.md).

use super::plan::{ExporterSettings, Id, Input, Output, PipelinePlan, Plan, ProcessorSettings, StagePlan};
use crate::config::Field;
use crate::otlp::Signal;

/// Where a page is opened if there is none.
const PAGE: &str = "127.0.0.1:9464";

/// Warns of pipelines that do less than is meant, or count twice. `pipelines` is the section.
pub(super) fn check(plan: &Plan, pipelines: &Field<'_>) {
    if overlay(plan).is_some() {
        pipelines.warn(
            "nothing is translated, dropped or counted: no pipeline names the genai processor; `dragoman validate` prints the lines to add",
        );
        return;
    }
    for pipeline in plan.pipelines.iter().filter(|pipeline| is_of_applications(pipeline) && !translates(pipeline)) {
        if let Some(exporter) = meets_derived(plan, pipeline) {
            pipelines.below(&[&pipeline.id.to_string()]).warn(format!(
                "GenAI metrics that applications send and the derived ones add up in {exporter}: name a genai processor here, whose native_metrics keeps them apart"
            ));
        }
    }
}

/// What to lay over a configuration that has nothing which a Collector has not: YAML for a second `--config`.
/// `None` for every other one, and if there are no spans.
pub(super) fn overlay(plan: &Plan) -> Option<String> {
    let of = |signal| plan.pipelines.iter().filter(move |pipeline| pipeline.signal == signal);
    of(Signal::Traces).next()?;
    // Who names anything of this program's own knows what it does.
    if !plan.connectors.is_empty() || plan.pipelines.iter().any(|pipeline| pipeline.stages.iter().any(is_ours)) {
        return None;
    }
    let on_a_page = of(Signal::Metrics).find(|pipeline| shows_a_page(plan, pipeline));
    let derived = on_a_page.or_else(|| of(Signal::Metrics).next());
    let mut lines = vec![
        "processors:".to_owned(),
        "  genai: {}                          # translates".to_owned(),
        "  fold_chunks: {}                    # the pieces of a streamed answer become their number".to_owned(),
        "  drop/sqlite: { preset: sqlite }    # takes sqlite spans out, without orphans".to_owned(),
        "connectors:".to_owned(),
        "  genai_metrics: {}                  # counts tokens and durations, each call once".to_owned(),
    ];
    if derived.is_none() {
        lines.push(format!("exporters:\n  prometheus/genai: {{ endpoint: {PAGE} }}"));
    }
    lines.push("service:\n  pipelines:".to_owned());
    for pipeline in &plan.pipelines {
        let is_derived = derived.is_some_and(|derived| derived.id == pipeline.id);
        lines.push(format!("    {}: {{ {} }}", quoted(&pipeline.id.to_string()), lists(pipeline, is_derived)));
    }
    if derived.is_none() {
        lines.push("    metrics: { receivers: [genai_metrics], exporters: [prometheus/genai] }".to_owned());
    }
    Some(lines.join("\n") + "\n")
}

/// The lists of a pipeline that change, whole: a later `--config` replaces a list.
fn lists(pipeline: &PipelinePlan, takes_derived: bool) -> String {
    let is_traces = pipeline.signal == Signal::Traces;
    let stages = |limit: bool| {
        let limits = move |stage: &&StagePlan| matches!(stage.settings, ProcessorSettings::MemoryLimiter(_)) == limit;
        pipeline.stages.iter().filter(limits).map(|stage| stage.id.as_str())
    };
    let acting: &[&str] = if is_traces { &["genai", "fold_chunks", "drop/sqlite"] } else { &["genai"] };
    let mut lists = Vec::new();
    if takes_derived {
        let own = pipeline.receivers.iter().map(|input| match input {
            Input::Receiver(id) | Input::Connector(id) => id.as_str(),
        });
        lists.push(list("receivers", own.chain(["genai_metrics"])));
    }
    lists.push(list("processors", stages(true).chain(acting.iter().copied()).chain(stages(false))));
    if is_traces {
        let own = pipeline.exporters.iter().map(|output| match output {
            Output::Exporter(id) | Output::Connector(id) => id.as_str(),
        });
        lists.push(list("exporters", own.chain(["genai_metrics"])));
    }
    lists.join(", ")
}

fn list<'i>(key: &str, ids: impl Iterator<Item = &'i str>) -> String {
    format!("{key}: [{}]", ids.map(quoted).collect::<Vec<_>>().join(", "))
}

/// An id as a word of YAML: behind its `/` almost everything may stand.
fn quoted(id: &str) -> String {
    let is_word = id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/'));
    if is_word { id.to_owned() } else { format!("'{}'", id.replace('\'', "''")) }
}

/// Whether no Collector has it.
fn is_ours(stage: &StagePlan) -> bool {
    match &stage.settings {
        ProcessorSettings::Genai(_) | ProcessorSettings::Drop(_) | ProcessorSettings::FoldChunks(_) => true,
        ProcessorSettings::MemoryLimiter(_) | ProcessorSettings::Batch(_) => false,
    }
}

fn translates(pipeline: &PipelinePlan) -> bool {
    pipeline.stages.iter().any(|stage| matches!(stage.settings, ProcessorSettings::Genai(_)))
}

/// A metrics pipeline that applications send to.
fn is_of_applications(pipeline: &PipelinePlan) -> bool {
    pipeline.signal == Signal::Metrics && pipeline.receivers.iter().any(|input| matches!(input, Input::Receiver(_)))
}

fn shows_a_page(plan: &Plan, pipeline: &PipelinePlan) -> bool {
    let is_page = |id: &Id| {
        let mut exporters = plan.exporters.iter();
        exporters.any(|(other, settings)| other == id && matches!(settings, ExporterSettings::Prometheus(_)))
    };
    pipeline.exporters.iter().filter_map(Output::exporter).any(is_page)
}

/// An exporter of a pipeline that a connector feeds too.
fn meets_derived<'p>(plan: &'p Plan, pipeline: &'p PipelinePlan) -> Option<&'p Id> {
    let feeds = |other: &PipelinePlan, id: &Id| {
        other.receivers.iter().any(|input| matches!(input, Input::Connector(_)))
            && other.exporters.iter().any(|output| output.exporter() == Some(id))
    };
    let exporters = pipeline.exporters.iter().filter_map(Output::exporter);
    exporters.into_iter().find(|id| plan.pipelines.iter().any(|other| feeds(other, id)))
}
