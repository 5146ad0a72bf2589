//! What receivers, exporters and pipelines report, put into the self-metrics under the Collector's names.
//! What stages count by themselves is in [`super::stages`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::exporter::observe::{Cause, Loss, Observer as ExporterObserver, Setback};
use crate::metrics::own::{Counters, Registry, known};
use crate::metrics::snapshot::{Family, Kind, Label, Series, Source, Value};
use crate::otlp::Signal;
use crate::otlp::answer::Reason;
use crate::pipeline::account::{Accounts, Balances, LegBalances};
use crate::receiver::{Observer as ReceiverObserver, Transport};

/// The books of one receiver.
pub(super) struct ReceiverBooks {
    grpc: known::Receiver,
    http: known::Receiver,
}

/// Connections whose TLS handshake failed, by listener.
pub(super) fn failed_handshakes(own: &Registry) -> Counters {
    const HELP: &str = "Connections that ended in their TLS handshake";
    own.counters("dragoman_tls_handshake_failures_total", HELP, &["listener"])
}

impl ReceiverBooks {
    pub(super) fn new(own: &Registry, receiver: &str) -> Self {
        let books = |transport: Transport| known::Receiver::new(own, receiver, transport.name());
        ReceiverBooks { grpc: books(Transport::Grpc), http: books(Transport::Http) }
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

    fn retried(&self, signal: Signal, why: Setback) {
        self.books.retried(signal, why.label());
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

pub(super) fn family(name: &'static str, help: &'static str, series: Vec<Series>) -> Family {
    Family::own(name, help, Kind::Counter, series)
}

pub(super) fn counter(labels: Vec<Label>, count: u64) -> Series {
    Series::timeless(labels, Value::Integer(count, None))
}
