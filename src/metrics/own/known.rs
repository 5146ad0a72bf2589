//! The names of the program's own metrics: the Collector's (`otelcol_*`) where the meaning is
//! equal, `dragoman_*` for what only this program has. A component takes the struct that fits it
//! and counts through it; no name is written anywhere else.

use crate::otlp::Signal;
use crate::otlp::answer::Reason;

use super::{Counter, Counters, Gauge, Registry};

/// A counter for each signal, in the order of [`Signal::ALL`].
#[derive(Debug, Clone)]
pub struct PerSignal([Counter; 3]);

impl PerSignal {
    fn new(own: &Registry, names: [&'static str; 3], help: &'static str, labels: Labels<'_>) -> Self {
        PerSignal(names.map(|name| own.counters(name, help, labels.names).with(labels.values)))
    }

    /// Adds items of a signal.
    pub fn add(&self, signal: Signal, items: usize) {
        self.of(signal).add_items(items);
    }

    /// The counter of a signal.
    pub fn of(&self, signal: Signal) -> &Counter {
        let [traces, metrics, logs] = &self.0;
        match signal {
            Signal::Traces => traces,
            Signal::Metrics => metrics,
            Signal::Logs => logs,
        }
    }
}

#[derive(Clone, Copy)]
struct Labels<'a> {
    names: &'static [&'static str],
    values: &'a [&'a str],
}

/// The three names that a prefix has, one for each signal's items.
macro_rules! per_signal {
    ($prefix:literal) => {
        [
            concat!($prefix, "_spans_total"),
            concat!($prefix, "_metric_points_total"),
            concat!($prefix, "_log_records_total"),
        ]
    };
}

/// What a receiver took and refused.
#[derive(Debug, Clone)]
pub struct Receiver {
    /// `otelcol_receiver_accepted_*_total{receiver,transport}`: items whose request was acknowledged.
    pub accepted: PerSignal,
    /// `otelcol_receiver_refused_*_total{receiver,transport}`: items whose request was refused.
    pub refused: PerSignal,
    requests: Counters,
    receiver: Box<str>,
    transport: Box<str>,
}

impl Receiver {
    /// `receiver` is the component's id, `transport` is `grpc` or `http`.
    pub fn new(own: &Registry, receiver: &str, transport: &str) -> Self {
        let labels = Labels { names: &["receiver", "transport"], values: &[receiver, transport] };
        Receiver {
            accepted: PerSignal::new(
                own,
                per_signal!("otelcol_receiver_accepted"),
                "Items that were received and acknowledged",
                labels,
            ),
            refused: PerSignal::new(
                own,
                per_signal!("otelcol_receiver_refused"),
                "Items that were received and refused",
                labels,
            ),
            requests: own.counters(
                "dragoman_receiver_refused_requests_total",
                "Requests that were refused, by reason; how many items they held may be unknown",
                &["receiver", "transport", "reason"],
            ),
            receiver: receiver.into(),
            transport: transport.into(),
        }
    }

    /// Counts a refused request.
    pub fn refused_request(&self, reason: Reason) {
        self.requests.with(&[&self.receiver, &self.transport, reason.answer().label]).increment();
    }
}

/// What became of the items that an exporter was given.
#[derive(Debug, Clone)]
pub struct Exporter {
    /// `otelcol_exporter_sent_*_total{exporter}`.
    pub sent: PerSignal,
    /// `otelcol_exporter_send_failed_*_total{exporter}`: given up for good.
    pub send_failed: PerSignal,
    /// `otelcol_exporter_enqueue_failed_*_total{exporter}`: there was no room.
    pub enqueue_failed: PerSignal,
    /// `otelcol_exporter_queue_size{exporter}`, in bytes.
    pub queue_size: Gauge,
    /// `otelcol_exporter_queue_capacity{exporter}`, in bytes.
    pub queue_capacity: Gauge,
    /// `otelcol_exporter_in_flight_requests{exporter}`.
    pub in_flight: Gauge,
    lost: Counters,
    exporter: Box<str>,
}

impl Exporter {
    /// `exporter` is the component's id.
    pub fn new(own: &Registry, exporter: &str) -> Self {
        let labels = Labels { names: &["exporter"], values: &[exporter] };
        let gauge = |name, help| own.gauges(name, help, &["exporter"]).with(&[exporter]);
        Exporter {
            sent: PerSignal::new(own, per_signal!("otelcol_exporter_sent"), "Items that were delivered", labels),
            send_failed: PerSignal::new(
                own,
                per_signal!("otelcol_exporter_send_failed"),
                "Items that were given up",
                labels,
            ),
            enqueue_failed: PerSignal::new(
                own,
                per_signal!("otelcol_exporter_enqueue_failed"),
                "Items that the queue had no room for",
                labels,
            ),
            queue_size: gauge("otelcol_exporter_queue_size", "Bytes in the queue, requests under way included"),
            queue_capacity: gauge("otelcol_exporter_queue_capacity", "Bytes that the queue has room for"),
            in_flight: gauge("otelcol_exporter_in_flight_requests", "Requests under way"),
            lost: own.counters(
                "dragoman_exporter_lost_items_total",
                "Items that were given up, by reason",
                &["exporter", "signal", "reason"],
            ),
            exporter: exporter.into(),
        }
    }

    /// Counts items that were given up for good.
    pub fn lost(&self, signal: Signal, items: usize, reason: &str) {
        self.send_failed.add(signal, items);
        self.lost.with(&[&self.exporter, signal.name(), reason]).add_items(items);
    }
}

/// What went into a processor and came out.
#[derive(Debug, Clone)]
pub struct Processor {
    /// `otelcol_processor_incoming_items_total{processor,otel_signal}`.
    pub incoming: Counter,
    /// `otelcol_processor_outgoing_items_total{processor,otel_signal}`.
    pub outgoing: Counter,
}

impl Processor {
    /// `processor` is the component's id.
    pub fn new(own: &Registry, processor: &str, signal: Signal) -> Self {
        let counter =
            |name, help| own.counters(name, help, &["processor", "otel_signal"]).with(&[processor, signal.name()]);
        Processor {
            incoming: counter("otelcol_processor_incoming_items_total", "Items that a processor was given"),
            outgoing: counter("otelcol_processor_outgoing_items_total", "Items that a processor passed on"),
        }
    }
}

/// What the memory limiter let in and refused.
#[derive(Debug, Clone)]
pub struct MemoryLimiter {
    /// `otelcol_processor_memory_limiter_accepted_*_total{processor}`.
    pub accepted: PerSignal,
    /// `otelcol_processor_memory_limiter_refused_*_total{processor}`.
    pub refused: PerSignal,
}

impl MemoryLimiter {
    /// `processor` is the component's id.
    pub fn new(own: &Registry, processor: &str) -> Self {
        let labels = Labels { names: &["processor"], values: &[processor] };
        MemoryLimiter {
            accepted: PerSignal::new(
                own,
                per_signal!("otelcol_processor_memory_limiter_accepted"),
                "Items that the memory limiter let in",
                labels,
            ),
            refused: PerSignal::new(
                own,
                per_signal!("otelcol_processor_memory_limiter_refused"),
                "Items that the memory limiter refused",
                labels,
            ),
        }
    }
}

/// What a `drop` processor did.
#[derive(Debug, Clone)]
pub struct Drop {
    dropped: Counters,
    /// `dragoman_drop_reparented_spans_total{processor}`: children that got a kept ancestor.
    pub reparented: Counter,
    /// `dragoman_drop_orphaned_spans_total{processor}`: children whose dropped parent could not be mended.
    pub orphaned: Counter,
    processor: Box<str>,
}

impl Drop {
    /// `processor` is the component's id.
    pub fn new(own: &Registry, processor: &str) -> Self {
        let counter = |name, help| own.counters(name, help, &["processor"]).with(&[processor]);
        Drop {
            dropped: own.counters("dragoman_dropped_spans_total", "Spans that were dropped", &["processor", "reason"]),
            reparented: counter(
                "dragoman_drop_reparented_spans_total",
                "Spans that were given a kept ancestor because their parent was dropped",
            ),
            orphaned: counter("dragoman_drop_orphaned_spans_total", "Spans that were exported with a dropped parent"),
            processor: processor.into(),
        }
    }

    /// The counter of spans that were dropped for a reason, such as a rule's name.
    pub fn dropped(&self, reason: &str) -> Counter {
        self.dropped.with(&[&self.processor, reason])
    }
}

/// `dragoman_genai_keys_total{dialect,outcome,reason}`: what became of the keys that a dialect
/// claimed. `outcome` is `expressed`, `kept` or `discarded`; `reason` may be empty.
pub fn genai_keys(own: &Registry) -> Counters {
    own.counters(
        "dragoman_genai_keys_total",
        "Attributes that a dialect claimed, by what became of them",
        &["dialect", "outcome", "reason"],
    )
}

/// `dragoman_genai_spans_total{dialect,operation}`: spans that were recognised as LLM operations.
pub fn genai_spans(own: &Registry) -> Counters {
    own.counters(
        "dragoman_genai_spans_total",
        "Spans that were recognised as LLM operations",
        &["dialect", "operation"],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::exposition::accept::Format;
    use crate::metrics::exposition::render;
    use crate::metrics::snapshot::Source;

    #[test]
    fn the_collectors_names_and_labels() {
        let own = Registry::new();
        let receiver = Receiver::new(&own, "otlp", "grpc");
        receiver.accepted.add(Signal::Traces, 7);
        receiver.refused.add(Signal::Metrics, 2);
        receiver.accepted.add(Signal::Logs, 3);
        receiver.refused_request(Reason::QueueFull);
        let exporter = Exporter::new(&own, "otlp/jaeger");
        exporter.sent.add(Signal::Traces, 5);
        exporter.lost(Signal::Logs, 4, "rejected");
        exporter.enqueue_failed.add(Signal::Metrics, 6);
        exporter.queue_size.set(10);
        Drop::new(&own, "drop/sqlite").dropped("sqlite").increment();
        let mut families = Vec::new();
        own.collect(&mut families);
        let (page, left_out) = render(families, "", Format::Classic);
        assert_eq!(left_out, []);
        let counted: Vec<_> = page.lines().filter(|line| !line.starts_with('#') && !line.ends_with(" 0")).collect();
        assert_eq!(
            counted,
            [
                r#"otelcol_receiver_accepted_spans_total{receiver="otlp",transport="grpc"} 7"#,
                r#"otelcol_receiver_accepted_log_records_total{receiver="otlp",transport="grpc"} 3"#,
                r#"otelcol_receiver_refused_metric_points_total{receiver="otlp",transport="grpc"} 2"#,
                r#"dragoman_receiver_refused_requests_total{receiver="otlp",transport="grpc",reason="queue_full"} 1"#,
                r#"otelcol_exporter_sent_spans_total{exporter="otlp/jaeger"} 5"#,
                r#"otelcol_exporter_send_failed_log_records_total{exporter="otlp/jaeger"} 4"#,
                r#"otelcol_exporter_enqueue_failed_metric_points_total{exporter="otlp/jaeger"} 6"#,
                r#"otelcol_exporter_queue_size{exporter="otlp/jaeger"} 10"#,
                r#"dragoman_exporter_lost_items_total{exporter="otlp/jaeger",signal="logs",reason="rejected"} 4"#,
                r#"dragoman_dropped_spans_total{processor="drop/sqlite",reason="sqlite"} 1"#,
            ]
        );
    }
}
