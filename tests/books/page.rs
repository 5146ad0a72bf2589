//! A page of self-metrics, and the identity that must hold on it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

const RECEIVED: &str = "dragoman_pipeline_received_items_total";
const RECOVERED: &str = "dragoman_pipeline_recovered_items_total";
const DROPPED: &str = "dragoman_pipeline_dropped_items_total";
const REFUSED: &str = "dragoman_pipeline_refused_items_total";
const HELD: &str = "dragoman_pipeline_held_items";
const QUEUED: &str = "dragoman_pipeline_queued_items";
const OUTGOING: &str = "dragoman_pipeline_outgoing_items_total";
const GIVEN: &str = "dragoman_pipeline_given_items_total";
const DERIVED: &str = "dragoman_pipeline_derived_items_total";
const EXPORTED: &str = "dragoman_pipeline_exported_items_total";
const LOST: &str = "dragoman_pipeline_lost_items_total";

/// Where items come from and where they are, of a pipeline and of each of its exporters.
const OF_PIPELINE: Sides = (&[RECEIVED], &[DROPPED, REFUSED, HELD, OUTGOING]);
const OF_EXPORTER: Sides = (&[GIVEN, RECOVERED, DERIVED], &[EXPORTED, LOST, QUEUED]);

/// What adds up to the same.
type Sides = (&'static [&'static str], &'static [&'static str]);

/// One line of the page.
#[derive(Debug)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: i128,
}

/// One scrape.
pub(crate) struct Page {
    text: String,
    samples: Vec<Sample>,
}

impl Page {
    /// Reads the text exposition format; no label of this program's own holds a comma or a quote.
    pub(crate) fn read(text: String) -> Page {
        let sample = |line: &str| {
            let (series, value) = line.rsplit_once(' ')?;
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let labels = labels.strip_suffix('}')?.split(',').filter(|label| !label.is_empty()).map(|label| {
                let (key, value) = label.split_once('=').unwrap();
                (key.to_owned(), value.trim_matches('"').to_owned())
            });
            let value = value.parse::<f64>().unwrap() as i128;
            Some(Sample { name: name.to_owned(), labels: labels.collect(), value })
        };
        let lines = text.lines().filter(|line| line.starts_with("dragoman_pipeline_") || line.starts_with("otelcol_"));
        let samples = lines.filter_map(sample).collect();
        Page { text, samples }
    }

    /// The sum of a metric's series that have all of `labels`.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> i128 {
        let has =
            |sample: &&Sample| labels.iter().all(|(key, value)| sample.labels.get(*key).is_some_and(|l| l == value));
        self.samples.iter().filter(|sample| sample.name == name).filter(has).map(|sample| sample.value).sum()
    }

    /// Pipelines and their exporters, as far as the page names them.
    fn ways(&self) -> BTreeSet<(String, String)> {
        let of_exporter = self.samples.iter().filter(|sample| sample.name == GIVEN);
        of_exporter.map(|sample| (sample.labels["pipeline"].clone(), sample.labels["exporter"].clone())).collect()
    }

    /// What does not balance, as text; empty if everything does.
    pub(crate) fn imbalance(&self) -> String {
        let mut wrong = String::new();
        let ways = self.ways();
        if ways.is_empty() {
            wrong += "no pipeline's books are on the page\n";
        }
        for sample in self.samples.iter().filter(|sample| sample.value < 0) {
            writeln!(wrong, "{sample:?} is below zero").unwrap();
        }
        let abandoned = self.lost(&[("reason", "abandoned")]);
        if abandoned != 0 {
            writeln!(wrong, "{abandoned} items were dropped and nobody said why").unwrap();
        }
        for (pipeline, exporter) in &ways {
            let pipeline = ("pipeline", pipeline.as_str());
            let exporter = ("exporter", exporter.as_str());
            wrong += &self.compare(OF_PIPELINE, &[pipeline]);
            wrong += &self.compare(OF_EXPORTER, &[pipeline, exporter]);
        }
        wrong
    }

    /// What was given to an exporter that has been in the pipeline from the start is what left it.
    pub(crate) fn ungiven(&self) -> String {
        let mut wrong = String::new();
        for (pipeline, exporter) in &self.ways() {
            let outgoing = self.sum(OUTGOING, &[("pipeline", pipeline)]);
            let given = self.sum(GIVEN, &[("pipeline", pipeline), ("exporter", exporter)]);
            if given != outgoing {
                writeln!(wrong, "{pipeline}: {outgoing} outgoing, {given} given to {exporter}").unwrap();
            }
        }
        wrong
    }

    fn compare(&self, (sources, fates): Sides, labels: &[(&str, &str)]) -> String {
        let total = |names: &[&str]| names.iter().map(|name| self.sum(name, labels)).sum::<i128>();
        let told = |names: &[&str]| {
            let told = names.iter().map(|name| format!("{} {name}", self.sum(name, labels)));
            told.collect::<Vec<_>>().join(" + ")
        };
        match (total(sources), total(fates)) {
            (one, other) if one == other => String::new(),
            (one, other) => format!("{labels:?}: {} = {one}, but {} = {other}\n", told(sources), told(fates)),
        }
    }

    /// Items on their way: held back or queued, in all pipelines.
    pub(crate) fn on_the_way(&self) -> i128 {
        self.sum(HELD, &[]) + self.sum(QUEUED, &[])
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn received(&self, labels: &[(&str, &str)]) -> i128 {
        self.sum(RECEIVED, labels)
    }

    pub(crate) fn recovered(&self, labels: &[(&str, &str)]) -> i128 {
        self.sum(RECOVERED, labels)
    }

    pub(crate) fn dropped(&self, labels: &[(&str, &str)]) -> i128 {
        self.sum(DROPPED, labels)
    }

    pub(crate) fn refused(&self, labels: &[(&str, &str)]) -> i128 {
        self.sum(REFUSED, labels)
    }

    pub(crate) fn held(&self, labels: &[(&str, &str)]) -> i128 {
        self.sum(HELD, labels)
    }

    pub(crate) fn exported(&self, labels: &[(&str, &str)]) -> i128 {
        self.sum(EXPORTED, labels)
    }

    pub(crate) fn queued(&self, labels: &[(&str, &str)]) -> i128 {
        self.sum(QUEUED, labels)
    }

    pub(crate) fn lost(&self, labels: &[(&str, &str)]) -> i128 {
        self.sum(LOST, labels)
    }
}
