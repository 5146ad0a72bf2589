//! OpenMetrics 1.0 by prometheus-client, through a collector of our own: one descriptor a family,
//! then its series.
//!
//! The crate writes exemplars of its own histograms only (its exemplar type cannot be made
//! elsewhere), and those cannot be given counts. So the collector says beforehand how the lines of
//! a series end, and the writer, which sees every line pass, ends them so.

use std::collections::VecDeque;
use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use crate::metrics::snapshot::Kind;

use super::classic::label_text;
use super::page::{Page, PageExemplar, PageFamily, PageSeries, PageValue};

/// Writes a page.
///
/// # Errors
/// None that is known of: the crate's encoder fails only if the writer does, and writing to a
/// string does not fail.
pub(super) fn write(page: Page) -> Result<String, fmt::Error> {
    let tails = Tails::default();
    let mut registry = Registry::default();
    registry.register_collector(Box::new(PageCollector { page, tails: tails.clone() }));
    let mut lines = Lines { out: String::new(), tails };
    encode(&mut lines, &registry)?;
    Ok(lines.out)
}

/// How the next lines end.
#[derive(Debug, Clone, Default)]
struct Tails(Arc<Mutex<VecDeque<Option<String>>>>);

impl Tails {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Option<String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Announces the exemplars of a series whose first sample with room for one is `lines_before`
    /// lines away.
    fn announce<'e>(&self, lines_before: usize, exemplars: impl Iterator<Item = (usize, &'e PageExemplar)>) {
        let mut tails = self.lock();
        tails.clear();
        for (at, exemplar) in exemplars {
            tails.resize(lines_before + at, None);
            tails.push_back(Some(tail(exemplar)));
        }
    }
}

/// Passes on what the encoder writes, with an announced exemplar before the end of its line.
struct Lines {
    out: String,
    tails: Tails,
}

impl Write for Lines {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // The encoder ends every line with a write of its own; other line breaks are escaped.
        if text == "\n"
            && let Some(Some(tail)) = self.tails.lock().pop_front()
        {
            self.out.push_str(&tail);
        }
        self.out.push_str(text);
        Ok(())
    }
}

fn tail(exemplar: &PageExemplar) -> String {
    let millis = exemplar.time_unix_nano / 1_000_000;
    let (seconds, millis) = (millis / 1000, millis % 1000);
    format!(" # {{{}}} {:?} {seconds}.{millis:03}", label_text(&exemplar.labels), exemplar.value)
}

#[derive(Debug)]
struct PageCollector {
    page: Page,
    tails: Tails,
}

impl Collector for PageCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for family in self.page.families.iter().filter(|family| !family.series.is_empty()) {
            // The crate writes help as it is; in OpenMetrics it is escaped.
            let help = family.help.replace('\\', "\\\\").replace('"', "\\\"");
            let (name, unit) = split_unit(family);
            let mut metric = encoder.encode_descriptor(name, &help, unit.as_ref(), kind(family.kind))?;
            for series in &family.series {
                if family.kind == Kind::Info {
                    metric.encode_info(&series.labels_for_crate())?;
                } else if series.labels.is_empty() {
                    self.encode_value(&mut metric, family.kind, &series.value)?;
                } else {
                    let labels = series.labels_for_crate();
                    self.encode_value(&mut metric.encode_family(&labels)?, family.kind, &series.value)?;
                }
            }
        }
        Ok(())
    }
}

impl PageCollector {
    fn encode_value(&self, encoder: &mut MetricEncoder<'_>, kind: Kind, value: &PageValue) -> fmt::Result {
        match (kind, value) {
            (Kind::Counter, PageValue::Integer(value, exemplar)) => {
                self.tails.announce(0, exemplar.iter().map(|exemplar| (0, exemplar)));
                encoder.encode_counter::<NoLabelSet, u64, u64>(value, None)
            }
            (Kind::Counter, PageValue::Double(value)) => encoder.encode_counter::<NoLabelSet, f64, f64>(value, None),
            (_, PageValue::Integer(value, _)) => encoder.encode_gauge(value),
            (_, PageValue::Double(value)) => encoder.encode_gauge(value),
            (_, PageValue::Histogram { bounds, counts, sum, exemplars }) => {
                // The sum and the count come before the buckets.
                self.tails.announce(2, exemplars.iter().map(|(bucket, exemplar)| (*bucket, exemplar)));
                let count = counts.iter().fold(0_u64, |sum, count| sum.saturating_add(*count));
                let buckets: Vec<_> =
                    bounds.iter().copied().chain([f64::INFINITY]).zip(counts.iter().copied()).collect();
                encoder.encode_histogram::<NoLabelSet>(*sum, count, &buckets, None)
            }
        }
    }
}

impl PageSeries {
    fn labels_for_crate(&self) -> Vec<(&str, &str)> {
        self.labels.iter().map(|(name, value)| (&**name, value.as_str())).collect()
    }
}

/// The crate puts the unit behind the name itself.
fn split_unit(family: &PageFamily) -> (&str, Option<Unit>) {
    let split = family.unit.as_deref().and_then(|unit| {
        let name = family.name.strip_suffix(unit)?.strip_suffix('_')?;
        (!name.is_empty()).then(|| (name, Some(Unit::Other(unit.to_owned()))))
    });
    split.unwrap_or((&family.name, None))
}

fn kind(kind: Kind) -> MetricType {
    match kind {
        Kind::Counter => MetricType::Counter,
        Kind::Gauge => MetricType::Gauge,
        Kind::Histogram => MetricType::Histogram,
        Kind::Summary => MetricType::Unknown,
        Kind::Info => MetricType::Info,
    }
}
