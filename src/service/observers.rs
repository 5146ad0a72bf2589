//! What components report, put into the self-metrics under the Collector's names.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::exporter::observe::{Cause, Loss, Observer as ExporterObserver};
use crate::metrics::own::{Counter, Counters, Registry, known};
use crate::metrics::snapshot::{Family, Kind, Label, Series, Source, Value};
use crate::otlp::Signal;
use crate::otlp::answer::Reason;
use crate::pipeline::account::{Accounts, Balances, LegBalances};
use crate::processor::drop::DropSpans;
use crate::processor::genai::{Genai, Named};
use crate::processor::own_metrics::OwnMetrics;
use crate::receiver::{Observer as ReceiverObserver, Transport};

/// The books of one receiver.
pub(super) struct ReceiverBooks {
    grpc: known::Receiver,
    http: known::Receiver,
    /// Of gRPC and of HTTP.
    failed_handshakes: [Counter; 2],
}

/// Connections whose TLS handshake failed, by listener.
pub(super) fn failed_handshakes(own: &Registry) -> Counters {
    const HELP: &str = "Connections that ended in their TLS handshake";
    own.counters("dragoman_tls_handshake_failures_total", HELP, &["listener"])
}

impl ReceiverBooks {
    pub(super) fn new(own: &Registry, receiver: &str) -> Self {
        let books = |transport: Transport| known::Receiver::new(own, receiver, transport.name());
        let failed = failed_handshakes(own);
        let failed = |protocol: &str| failed.with(&[&format!("receivers.{receiver}.protocols.{protocol}")]);
        ReceiverBooks {
            grpc: books(Transport::Grpc),
            http: books(Transport::Http),
            failed_handshakes: [failed("grpc"), failed("http")],
        }
    }

    fn of(&self, transport: Transport) -> &known::Receiver {
        match transport {
            Transport::Grpc => &self.grpc,
            Transport::Http => &self.http,
        }
    }
}

impl ReceiverObserver for ReceiverBooks {
    fn accepted(&self, signal: Signal, transport: Transport, items: usize) {
        self.of(transport).accepted.add(signal, items);
    }

    fn refused(&self, signal: Option<Signal>, transport: Transport, reason: Reason, items: usize) {
        let books = self.of(transport);
        if let Some(signal) = signal {
            books.refused.add(signal, items);
        }
        books.refused_request(reason);
    }

    fn handshake_failed(&self, transport: Transport) {
        let [grpc, http] = &self.failed_handshakes;
        match transport {
            Transport::Grpc => grpc.increment(),
            Transport::Http => http.increment(),
        }
    }
}

/// The books of one exporter.
pub(super) struct ExporterBooks {
    books: known::Exporter,
    /// Items that were still here when the shutdown's deadline came.
    undelivered: AtomicU64,
}

impl ExporterBooks {
    pub(super) fn new(books: known::Exporter) -> Self {
        ExporterBooks { books, undelivered: AtomicU64::new(0) }
    }

    pub(super) fn undelivered(&self) -> u64 {
        self.undelivered.load(Ordering::Relaxed)
    }
}

impl ExporterObserver for ExporterBooks {
    fn sent(&self, signal: Signal, items: usize) {
        self.books.sent.add(signal, items);
    }

    fn failed(&self, signal: Signal, items: usize, reason: Loss) {
        self.books.lost(signal, items, reason.label());
        if reason == Loss::Shutdown {
            self.undelivered.fetch_add(items as u64, Ordering::Relaxed);
        }
    }

    fn request(&self, signal: Signal, items: usize, cause: Cause) {
        self.books.request(signal, items, cause.label());
    }
}

/// Where every item of every pipeline is. Each pipeline's books are read at one moment, so that they
/// balance on the page as [`crate::pipeline::account`] says.
pub(super) struct PipelineBooks(pub(super) Arc<Accounts>);

impl Source for PipelineBooks {
    fn collect(&self, families: &mut Vec<Family>) {
        let accounts = self.0.all();
        let books: Vec<(&str, Balances)> =
            accounts.iter().map(|account| (account.pipeline(), account.balances())).collect();
        for (name, help, kind, read) in OF_PIPELINES {
            let series = books.iter().map(|(pipeline, books)| counter(labels([("pipeline", pipeline)]), read(books)));
            families.push(Family { kind: *kind, ..family(name, help, series.collect()) });
        }
        let reasons = |books: &Balances| books.refused.clone();
        let refused = books.iter().flat_map(|(pipeline, books)| {
            reasons(books)
                .into_iter()
                .map(move |(reason, items)| counter(labels([("pipeline", pipeline), ("reason", reason)]), items))
        });
        families.push(family("dragoman_pipeline_refused_items_total", REFUSED, refused.collect()));
        let dropped = books.iter().flat_map(|(pipeline, books)| {
            books.dropped.iter().map(move |((processor, reason), items)| {
                counter(labels([("pipeline", pipeline), ("processor", processor), ("reason", reason)]), *items)
            })
        });
        families.push(family("dragoman_pipeline_dropped_items_total", DROPPED, dropped.collect()));
        let legs = || {
            let of = |(pipeline, books): &'_ (&'_ str, Balances)| {
                let exporters = books.exporters.clone().into_iter();
                let pipeline = (*pipeline).to_owned();
                exporters.map(move |(exporter, leg)| (pipeline.clone(), exporter, leg))
            };
            books.iter().flat_map(of)
        };
        for (name, help, kind, read) in OF_EXPORTERS {
            let series = legs().map(|(pipeline, exporter, leg)| {
                counter(labels([("pipeline", &pipeline), ("exporter", &exporter)]), read(&leg))
            });
            families.push(Family { kind: *kind, ..family(name, help, series.collect()) });
        }
        let lost = legs().flat_map(|(pipeline, exporter, leg)| {
            leg.lost.into_iter().map(move |(reason, items)| {
                counter(labels([("pipeline", &pipeline), ("exporter", &exporter), ("reason", reason)]), items)
            })
        });
        families.push(family("dragoman_pipeline_lost_items_total", LOST, lost.collect()));
    }
}

type Row<B> = (&'static str, &'static str, Kind, fn(&B) -> u64);

const OF_PIPELINES: &[Row<Balances>] = &[
    (
        "dragoman_pipeline_received_items_total",
        "Items that a pipeline was given by its receivers: dropped + refused + held + outgoing",
        Kind::Counter,
        |books| books.received,
    ),
    ("dragoman_pipeline_held_items", "Items that the processors hold back for a while", Kind::Gauge, |books| {
        books.held
    }),
    ("dragoman_pipeline_outgoing_items_total", "Items that went to every exporter", Kind::Counter, |books| {
        books.outgoing
    }),
];
const REFUSED: &str = "Items whose request a pipeline refused, by reason; their senders were told so";
const DROPPED: &str = "Items that a processor took out, by reason";
const LOST: &str = "Items that an exporter gave up, by reason";
const OF_EXPORTERS: &[Row<LegBalances>] = &[
    (
        "dragoman_pipeline_given_items_total",
        "Items that a pipeline gave to an exporter; with recovered and derived ones: exported + lost + queued",
        Kind::Counter,
        |leg| leg.given,
    ),
    (
        "dragoman_pipeline_recovered_items_total",
        "Items that an exporter's durable queue held when the program started",
        Kind::Counter,
        |leg| leg.recovered,
    ),
    (
        "dragoman_pipeline_derived_items_total",
        "Data points that connectors derived and gave to an exporter",
        Kind::Counter,
        |leg| leg.derived,
    ),
    ("dragoman_pipeline_exported_items_total", "Items that an exporter delivered", Kind::Counter, |leg| leg.exported),
    ("dragoman_pipeline_queued_items", "Items that wait in an exporter or are under way", Kind::Gauge, |leg| {
        leg.queued
    }),
];

fn labels<const N: usize>(labels: [(&'static str, &str); N]) -> Vec<Label> {
    labels.map(|(key, value)| Label::text(key, value)).into()
}

/// What the `genai` stages did with keys.
pub(super) struct GenaiKeys(pub(super) Vec<Arc<Genai>>);

impl Source for GenaiKeys {
    fn collect(&self, families: &mut Vec<Family>) {
        families.push(family(
            "dragoman_genai_keys_total",
            "Attributes and events that a dialect claimed, by what became of them",
            by_outcome(self.0.iter().flat_map(|stage| stage.key_counts())),
        ));
        let mut named = Named::default();
        for stage in &self.0 {
            let Named { operations, unmapped } = stage.named();
            named.operations.append(operations);
            named.unmapped.append(unmapped);
        }
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

/// What the `genai` stages of metrics pipelines did with data points.
pub(super) struct OwnMetricPoints(pub(super) Vec<Arc<OwnMetrics>>);

impl Source for OwnMetricPoints {
    fn collect(&self, families: &mut Vec<Family>) {
        let fates = self.0.iter().flat_map(|stage| stage.fates());
        families.push(family(
            "dragoman_genai_metrics_total",
            "Data points of GenAI metrics that applications sent, by what became of them",
            by_outcome(fates.map(|((dialect, outcome, reason), points)| (dialect, outcome, reason.name(), points))),
        ));
    }
}

/// Series by dialect, outcome and reason, over all stages.
fn by_outcome(counts: impl Iterator<Item = (&'static str, &'static str, &'static str, u64)>) -> Vec<Series> {
    let mut totals = std::collections::BTreeMap::new();
    for (dialect, outcome, reason, count) in counts {
        *totals.entry([("dialect", dialect), ("outcome", outcome), ("reason", reason)]).or_insert(0u64) += count;
    }
    let series = |(labels, count): ([(&'static str, &str); 3], u64)| {
        counter(labels.map(|(key, value)| Label::text(key, value)).into(), count)
    };
    totals.into_iter().map(series).collect()
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

/// What one `drop` stage did.
pub(super) struct Drops {
    pub(super) processor: String,
    pub(super) stage: Arc<DropSpans>,
}

impl Source for Drops {
    fn collect(&self, families: &mut Vec<Family>) {
        let counts = self.stage.counts();
        let mut add =
            |name: &'static str, help: &'static str, series: &[(Option<(&'static str, &str)>, &AtomicU64)]| {
                let series = series.iter().map(|(extra, count)| {
                    let mut labels = vec![Label::text("processor", self.processor.as_str())];
                    labels.extend(extra.map(|(key, value)| Label::text(key, value)));
                    counter(labels, count.load(Ordering::Relaxed))
                });
                families.push(family(name, help, series.collect()));
            };
        add("dragoman_dropped_spans_total", "Spans that were dropped", &[(Some(("reason", "rule")), &counts.dropped)]);
        add(
            "dragoman_drop_reparented_spans_total",
            "Spans that were given a kept ancestor because their parent was dropped",
            &[
                (Some(("parent", "same_request")), &counts.reparented_in_batch),
                (Some(("parent", "earlier_request")), &counts.reparented_from_memory),
            ],
        );
        add(
            "dragoman_drop_spared_spans_total",
            "Spans that matched a rule and were kept because a child had gone out already",
            &[(None, &counts.spared)],
        );
        add(
            "dragoman_drop_orphaned_spans_total",
            "Spans that went out with a dropped parent because the chain of ancestors never ends",
            &[(None, &counts.unmended)],
        );
        add(
            "dragoman_drop_forgotten_ids_total",
            "Ids that the memory gave up before their time; children that come later may be orphans",
            &[(None, &counts.forgotten)],
        );
    }
}

fn family(name: &'static str, help: &'static str, series: Vec<Series>) -> Family {
    Family { name: name.into(), help: help.into(), unit: "".into(), kind: Kind::Counter, scope: None, series }
}

fn counter(labels: Vec<Label>, count: u64) -> Series {
    Series { labels: labels.into(), start_time_unix_nano: 0, value: Value::Integer(count, None) }
}
