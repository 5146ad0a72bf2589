//! One derived metric: what it is called and measured in, its bounds, and its series. Which metrics
//! there are is in [`super`]; what their series are labelled with, in [`super::labels`].

use std::time::Duration;

use super::SCOPE;
use crate::metrics::histogram::{Accumulator, Histogram, Total, Witness};
use crate::metrics::series::{LabelRefs, SeriesMap};
use crate::metrics::snapshot::{Family, Kind};

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
    name: &'static str,
    help: &'static str,
    unit: &'static str,
    kind: Kind,
    series: SeriesMap<A>,
}

impl<A: Accumulator> Metric<A> {
    fn family(&self) -> Family {
        Family {
            name: self.name.into(),
            help: self.help.into(),
            unit: self.unit.into(),
            kind: self.kind,
            scope: Some(SCOPE),
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
    fn name(&self) -> &'static str;
    fn len(&self) -> usize;
    fn snapshot(&self) -> Family;
}

impl<A: Accumulator> AnyMetric for Metric<A> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn len(&self) -> usize {
        self.series.len()
    }

    fn snapshot(&self) -> Family {
        self.family()
    }
}

/// How many series a metric may have and for how long.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
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
        Metric { name, help, unit, kind, series: SeriesMap::new(self.max_series, self.expiration, new) }
    }

    pub(super) fn tokens(self, name: &'static str, help: &'static str) -> Metric<Histogram> {
        self.metric(name, help, "{token}", Kind::Histogram, || Histogram::new(TOKENS))
    }

    pub(super) fn seconds(self, name: &'static str, help: &'static str) -> Metric<Histogram> {
        self.metric(name, help, "s", Kind::Histogram, || Histogram::new(SECONDS))
    }

    pub(super) fn total(self, name: &'static str, help: &'static str) -> Metric<Total> {
        self.metric(name, help, "{token}", Kind::Counter, Total::default)
    }
}
