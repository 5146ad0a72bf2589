//! A page of self-metrics, and the identity that must hold on it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

const RECEIVED: &str = "dragoman_pipeline_received_items_total";
const RECOVERED: &str = "dragoman_pipeline_recovered_items_total";
const DROPPED: &str = "dragoman_pipeline_dropped_items_total";
const REFUSED: &str = "dragoman_pipeline_refused_items_total";
const HELD: &str = "dragoman_pipeline_held_items";
const QUEUED: &str = "dragoman_pipeline_queued_items";
const EXPORTED: &str = "dragoman_pipeline_exported_items_total";
const LOST: &str = "dragoman_pipeline_lost_items_total";

/// Names and what a move is called here.
const OF_PIPELINE: [&str; 4] = [RECEIVED, DROPPED, REFUSED, HELD];
const OF_EXPORTER: [&str; 4] = [RECOVERED, QUEUED, EXPORTED, LOST];

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
    pub(crate) fn ways(&self) -> BTreeSet<(String, String)> {
        let of_exporter = self.samples.iter().filter(|sample| OF_EXPORTER.contains(&sample.name.as_str()));
        of_exporter.map(|sample| (sample.labels["pipeline"].clone(), sample.labels["exporter"].clone())).collect()
    }

    /// What does not balance, as text; empty if everything does.
    pub(crate) fn imbalance(&self) -> String {
        let mut wrong = String::new();
        let ways = self.ways();
        if ways.is_empty() {
            wrong += "no pipeline's books are on the page\n";
        }
        for sample in &self.samples {
            if sample.value < 0 {
                writeln!(wrong, "{sample:?} is below zero").unwrap();
            }
        }
        for (pipeline, exporter) in ways {
            let common = |name| self.sum(name, &[("pipeline", &pipeline)]);
            let own = |name| self.sum(name, &[("pipeline", &pipeline), ("exporter", &exporter)]);
            let [received, dropped, refused, held] = OF_PIPELINE.map(common);
            let [recovered, queued, exported, lost] = OF_EXPORTER.map(own);
            let (sources, fates) = (received + recovered, dropped + refused + held + queued + exported + lost);
            if sources != fates {
                writeln!(
                    wrong,
                    "{pipeline} to {exporter}: received {received} + recovered {recovered} = {sources}, but \
                     dropped {dropped} + refused {refused} + held {held} + queued {queued} + exported {exported} + \
                     lost {lost} = {fates}"
                )
                .unwrap();
            }
        }
        wrong
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
