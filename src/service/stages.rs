//! What stages count by themselves and how much components hold, put into the self-metrics: over all
//! stages of a kind that there are or were, so that no count falls when a configuration is replaced.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::observers::{counter, family};
use crate::exporter::observe::QueueState;
use crate::exporter::otlp::OtlpExporter;
use crate::metrics::snapshot::{Family, Kind, Label, Series, Source};
use crate::otlp::Signal;
use crate::processor::fold_chunks::FoldChunks;
use crate::processor::genai::{Genai, Named};
use crate::processor::join::Room;
use crate::processor::mend::Mender;
use crate::processor::own_metrics::OwnMetrics;

/// Stages of one kind that count, and the counts of those that are gone.
pub(super) struct Counted<S: Counts>(Mutex<Counting<S>>);

struct Counting<S: Counts> {
    /// By the processor's id.
    stages: Vec<(Arc<str>, Arc<S>)>,
    gone: S::Totals,
}

/// A stage that counts.
pub(super) trait Counts: Send + Sync + Sized {
    /// Its counts, which add up with those of others.
    type Totals: Default + Clone + Send;

    /// Adds what the stage of this processor counted.
    fn add_to(&self, processor: &str, totals: &mut Self::Totals);

    /// Shows them.
    fn show(totals: Self::Totals, families: &mut Vec<Family>);
}

impl<S: Counts> Default for Counted<S> {
    fn default() -> Self {
        Counted(Mutex::new(Counting { stages: Vec::new(), gone: S::Totals::default() }))
    }
}

impl<S: Counts> Counted<S> {
    /// Shows the counts of a stage from now on, also after it is gone. A stage may be added again.
    pub(super) fn add(&self, processor: &str, stage: &Arc<S>) {
        let mut counting = self.counting();
        // What is held here only sees no batch anymore, and its counts are final.
        let Counting { stages, gone } = &mut *counting;
        stages.retain(|(processor, stage)| {
            let is_used = Arc::strong_count(stage) > 1;
            if !is_used {
                stage.add_to(processor, gone);
            }
            is_used
        });
        if !stages.iter().any(|(_, known)| Arc::ptr_eq(known, stage)) {
            stages.push((processor.into(), Arc::clone(stage)));
        }
    }

    fn totals(&self) -> S::Totals {
        let counting = self.counting();
        let mut totals = counting.gone.clone();
        for (processor, stage) in &counting.stages {
            stage.add_to(processor, &mut totals);
        }
        totals
    }

    fn counting(&self) -> MutexGuard<'_, Counting<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Counts> Source for Counted<S> {
    fn collect(&self, families: &mut Vec<Family>) {
        S::show(self.totals(), families);
    }
}

/// By dialect, outcome and reason.
type Outcomes = BTreeMap<(&'static str, &'static str, &'static str), u64>;

fn add_outcomes(totals: &mut Outcomes, counts: impl Iterator<Item = (&'static str, &'static str, &'static str, u64)>) {
    for (dialect, outcome, reason, count) in counts {
        *totals.entry((dialect, outcome, reason)).or_default() += count;
    }
}

fn outcomes(totals: Outcomes) -> Vec<Series> {
    let series = |((dialect, outcome, reason), count)| {
        let labels = [("dialect", dialect), ("outcome", outcome), ("reason", reason)];
        counter(labels.map(|(key, value)| Label::text(key, value)).into(), count)
    };
    totals.into_iter().map(series).collect()
}

impl Counts for Genai {
    type Totals = (Outcomes, Named);

    fn add_to(&self, _: &str, (keys, named): &mut Self::Totals) {
        add_outcomes(keys, self.key_counts().into_iter());
        let Named { operations, unmapped } = self.named();
        named.operations.append(operations);
        named.unmapped.append(unmapped);
    }

    fn show((keys, named): Self::Totals, families: &mut Vec<Family>) {
        families.push(family(
            "dragoman_genai_keys_total",
            "Attributes and events that a dialect claimed, by what became of them",
            outcomes(keys),
        ));
        let operations = named.operations.iter().map(|(operation, count)| ([operation.as_str()], count));
        families.push(family(
            "dragoman_genai_operations_total",
            "Spans that were taken for a GenAI operation, by its name",
            with_others(["operation"], operations, named.operations.others),
        ));
        let unmapped = named.unmapped.iter().map(|((scope, key), count)| ([scope.as_str(), key.as_str()], count));
        families.push(family(
            "dragoman_unmapped_keys_total",
            "Keys under a known prefix that no dialect knows; they stay on the span",
            with_others(["scope", "key"], unmapped, named.unmapped.others),
        ));
    }
}

/// Data points that the `genai` stages of metrics pipelines saw.
impl Counts for OwnMetrics {
    type Totals = Outcomes;

    fn add_to(&self, _: &str, totals: &mut Outcomes) {
        let fates = self.fates().into_iter();
        add_outcomes(
            totals,
            fates.map(|((dialect, outcome, reason), points)| (dialect, outcome, reason.name(), points)),
        );
    }

    fn show(totals: Outcomes, families: &mut Vec<Family>) {
        families.push(family(
            "dragoman_genai_metrics_total",
            "Data points of GenAI metrics that applications sent, by what became of them",
            outcomes(totals),
        ));
    }
}

/// Series by names that emitters write, and one for those that there was no room for.
fn with_others<'n, const N: usize>(
    keys: [&'static str; N],
    counts: impl Iterator<Item = ([&'n str; N], u64)>,
    others: u64,
) -> Vec<Series> {
    let others = (others > 0).then_some(([OTHERS; N], others));
    let labels = |values: [&str; N]| keys.iter().zip(values).map(|(key, value)| Label::text(key, value)).collect();
    counts.chain(others).map(|(values, count)| counter(labels(values), count)).collect()
}

/// The label of what is counted together.
const OTHERS: &str = "_other";

type Shown = (&'static str, &'static str, Option<(&'static str, &'static str)>);

/// What is shown of stages that drop spans: name, help, and the label that tells two of one name apart. The
/// reason is the stage's.
const DROPS: [Shown; 6] = [
    ("dragoman_dropped_spans_total", "Spans that were dropped", Some(("reason", ""))),
    (
        "dragoman_drop_reparented_spans_total",
        "Spans that were given a kept ancestor because their parent was dropped",
        Some(("parent", "same_request")),
    ),
    (
        "dragoman_drop_reparented_spans_total",
        "Spans that were given a kept ancestor because their parent was dropped",
        Some(("parent", "earlier_request")),
    ),
    (
        "dragoman_drop_spared_spans_total",
        "Spans that were to be dropped and were kept because a child had gone out already",
        None,
    ),
    (
        "dragoman_drop_orphaned_spans_total",
        "Spans that went out with a dropped parent because the chain of ancestors never ends",
        None,
    ),
    (
        "dragoman_drop_forgotten_ids_total",
        "Ids that the memory gave up before their time; children that come later may be orphans",
        None,
    ),
];

impl Counts for Mender {
    /// By processor and reason, in the order of [`DROPS`].
    type Totals = BTreeMap<(Box<str>, &'static str), [u64; DROPS.len()]>;

    fn add_to(&self, processor: &str, totals: &mut Self::Totals) {
        let counts = self.counts();
        let counts = [
            &counts.dropped,
            &counts.reparented_in_batch,
            &counts.reparented_from_memory,
            &counts.spared,
            &counts.unmended,
            &counts.forgotten,
        ];
        for (total, count) in totals.entry((processor.into(), self.reason())).or_default().iter_mut().zip(counts) {
            *total += count.load(Ordering::Relaxed);
        }
    }

    fn show(totals: Self::Totals, families: &mut Vec<Family>) {
        let mut shown: Vec<Family> = Vec::new();
        for (place, (name, help, extra)) in DROPS.into_iter().enumerate() {
            let series = totals.iter().filter_map(|((processor, reason), counts)| {
                let mut labels = vec![Label::text("processor", &**processor)];
                let value = |value: &'static str| if value.is_empty() { *reason } else { value };
                labels.extend(extra.map(|(key, of)| Label::text(key, value(of))));
                Some(counter(labels, *counts.get(place)?))
            });
            match shown.iter_mut().find(|shown| shown.name == name) {
                Some(shown) => shown.series.extend(series),
                None => shown.push(family(name, help, series.collect())),
            }
        }
        families.extend(shown.into_iter().filter(|family| !family.series.is_empty()));
    }
}

/// Chunks of streams.
impl Counts for FoldChunks {
    /// By processor and kind; by processor and why no span tells of them.
    type Totals = [BTreeMap<(Box<str>, &'static str), u64>; 2];

    fn add_to(&self, processor: &str, [folded, untold]: &mut Self::Totals) {
        for (kind, count) in self.folded() {
            *folded.entry((processor.into(), kind.name())).or_default() += count;
        }
        for (reason, count) in self.untold() {
            *untold.entry((processor.into(), reason)).or_default() += count;
        }
    }

    fn show([folded, untold]: Self::Totals, families: &mut Vec<Family>) {
        let rows = [
            ("dragoman_folded_chunks_total", "Spans and events of chunks that were folded, by kind", "kind", folded),
            (
                "dragoman_fold_untold_chunks_total",
                "Folded chunks that stand in no span's count, by why not",
                "reason",
                untold,
            ),
        ];
        for (name, help, label, counts) in rows {
            let series = |((processor, of), count): ((Box<str>, &'static str), u64)| {
                counter(vec![Label::text("processor", &*processor), Label::text(label, of)], count)
            };
            let series: Vec<Series> = counts.into_iter().map(series).collect();
            if !series.is_empty() {
                families.push(family(name, help, series));
            }
        }
    }
}

/// Components that say how much they hold, by id. While one is replaced there are two of an id, whose
/// numbers add up.
pub(super) struct Holding<C>(Mutex<Vec<(Arc<str>, Weak<C>)>>);

impl<C> Default for Holding<C> {
    fn default() -> Self {
        Holding(Mutex::default())
    }
}

impl<C> Holding<C> {
    /// Shows a component until it is gone.
    pub(super) fn add(&self, id: &str, component: &Arc<C>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(_, component)| component.strong_count() > 0);
        all.push((id.into(), Arc::downgrade(component)));
    }

    /// Those that there are, with their ids.
    pub(super) fn all(&self) -> Vec<(Arc<str>, Arc<C>)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().filter_map(|(id, component)| Some((Arc::clone(id), component.upgrade()?))).collect()
    }

    fn family(
        &self,
        name: &'static str,
        help: &'static str,
        labels: [&'static str; 2],
        read: impl Fn(&C, Signal) -> Option<usize>,
    ) -> Family {
        let mut sums = BTreeMap::new();
        for (id, component) in self.all() {
            for (place, signal) in Signal::ALL.into_iter().enumerate() {
                if let Some(amount) = read(&component, signal) {
                    *sums.entry((Arc::clone(&id), place, signal.name())).or_insert(0u64) += amount as u64;
                }
            }
        }
        let [of, signal_label] = labels;
        let series = sums.into_iter().map(|((id, _, signal), amount)| {
            counter(vec![Label::text(of, &*id), Label::text(signal_label, signal)], amount)
        });
        Family { kind: Kind::Gauge, ..family(name, help, series.collect()) }
    }
}

/// The exporters' queues.
impl Source for Holding<OtlpExporter> {
    fn collect(&self, families: &mut Vec<Family>) {
        type Row = (&'static str, &'static str, fn(QueueState) -> usize);
        const ROWS: [Row; 4] = [
            ("otelcol_exporter_queue_size", "Bytes in the queue, requests under way included", |queue| queue.bytes),
            ("otelcol_exporter_queue_capacity", "Bytes that the queue has room for", |queue| queue.capacity),
            ("otelcol_exporter_in_flight_requests", "Requests under way", |queue| queue.in_flight),
            ("dragoman_exporter_held_items", "Items that wait or are under way", |queue| queue.items),
        ];
        let shown = ROWS.into_iter().map(|(name, help, read)| {
            self.family(name, help, ["exporter", "data_type"], |exporter, signal| {
                exporter.takes(signal).then(|| read(exporter.queue(signal)))
            })
        });
        families.extend(shown.filter(|family| !family.series.is_empty()));
    }
}

/// The waiting rooms of `join_logs`.
impl Source for Holding<Room> {
    fn collect(&self, families: &mut Vec<Family>) {
        let shown = self.family(
            "dragoman_processor_held_items",
            "Items that a processor holds back for a while and has not passed on yet",
            ["processor", "otel_signal"],
            |room, signal| (signal != Signal::Metrics).then(|| room.held(signal)),
        );
        families.extend((!shown.series.is_empty()).then_some(shown));
    }
}
