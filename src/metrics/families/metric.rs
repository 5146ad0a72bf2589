//! One derived metric: what it is called and measured in, its bounds, and its series. Which metrics
//! there are is in [`super`]; what their series are labelled with, in [`super::labels`].

use std::borrow::Cow;
use std::time::Duration;

use super::SCOPE;
use crate::metrics::histogram::{Accumulator, Histogram, Total, Witness};
use crate::metrics::series::{LabelRefs, SeriesMap};
use crate::metrics::snapshot::{Family, Kind, Label};

/// Bounds of token histograms.
const TOKENS: &[f64] = &[
    1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0, 65536.0, 262144.0, 1048576.0, 4194304.0, 16777216.0,
    67108864.0,
];

/// Bounds of durations, in seconds.
const SECONDS: &[f64] = &[0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];

/// One metric and its series.
#[derive(Debug)]
pub(super) struct Metric<A> {
    name: Cow<'static, str>,
    help: &'static str,
    unit: &'static str,
    kind: Kind,
    namespace: Option<&'static str>,
    series: SeriesMap<A>,
}

impl<A: Accumulator> Metric<A> {
    /// On a page its name has this in front, and not what the exporter says.
    pub(super) fn known_in(mut self, namespace: &'static str) -> Self {
        self.namespace = Some(namespace);
        self
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    fn family(&self) -> Family {
        Family {
            name: self.name.clone(),
            help: self.help.into(),
            unit: self.unit.into(),
            kind: self.kind,
            scope: Some(SCOPE),
            namespace: self.namespace,
            series: self.series.snapshot(),
        }
    }
}

impl Metric<Histogram> {
    pub(super) fn observe(&self, labels: &LabelRefs<'_>, value: f64, witness: Option<Witness>) {
        self.series.record(labels, |histogram| histogram.observe(value, witness));
    }
}

impl Metric<Total> {
    pub(super) fn add(&self, labels: &LabelRefs<'_>, amount: u64, witness: Option<Witness>) {
        self.series.record(labels, |total| total.add(amount, witness));
    }
}

/// A metric of either kind, to be listed.
pub(super) trait AnyMetric {
    fn name(&self) -> &str;
    fn len(&self) -> usize;
    fn remove(&self, is: &dyn Fn(&[Label]) -> bool);
    fn snapshot(&self) -> Family;
}

impl<A: Accumulator> AnyMetric for Metric<A> {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> usize {
        self.series.len()
    }

    fn remove(&self, is: &dyn Fn(&[Label]) -> bool) {
        self.series.remove(is);
    }

    fn snapshot(&self) -> Family {
        self.family()
    }
}

/// What the metrics of one connector have in common: how many series each may have and for how long,
/// and what stands before its name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) prefix: &'static str,
    pub(super) max_series: usize,
    pub(super) expiration: Duration,
}

impl Bounds {
    fn metric<A: Accumulator>(
        self,
        name: &'static str,
        help: &'static str,
        unit: &'static str,
        kind: Kind,
        new: fn() -> A,
    ) -> Metric<A> {
        let name = match self.prefix {
            "" => Cow::Borrowed(name),
            prefix => Cow::Owned(format!("{prefix}{name}")),
        };
        Metric {
            name,
            help,
            unit,
            kind,
            namespace: None,
            series: SeriesMap::new(self.max_series, self.expiration, new),
        }
    }

    pub(super) fn tokens(self, name: &'static str, help: &'static str) -> Metric<Histogram> {
        self.metric(name, help, "{token}", Kind::Histogram, || Histogram::new(TOKENS))
    }

    pub(super) fn seconds(self, name: &'static str, help: &'static str) -> Metric<Histogram> {
        self.metric(name, help, "s", Kind::Histogram, || Histogram::new(SECONDS))
    }

    pub(super) fn total(self, name: &'static str, help: &'static str) -> Metric<Total> {
        self.total_of(name, help, "{token}")
    }

    pub(super) fn total_of(self, name: &'static str, help: &'static str, unit: &'static str) -> Metric<Total> {
        self.metric(name, help, unit, Kind::Counter, Total::default)
    }
}
