//! The names of the program's own metrics: the Collector's (`otelcol_*`) where the meaning is
//! equal, `dragoman_*` for what only this program has. A component takes the struct that fits it
//! and counts through it. What components count by themselves is named where it is put on the page,
//! in [`crate::service`].

use crate::otlp::Signal;
use crate::otlp::answer::Reason;

use super::{Counter, Counters, Gauge, Gauges, Histograms, Registry};

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

/// `dragoman_memory_claimed_bytes`.
pub fn memory_claimed(own: &Registry) -> Gauges {
    own.gauges("dragoman_memory_claimed_bytes", "Bytes that requests hold, from announcement to delivery", &[])
}

/// `dragoman_memory_limit_bytes`: by `processor`; `default` is for pipelines without a memory_limiter.
pub fn memory_limit(own: &Registry) -> Gauges {
    own.gauges("dragoman_memory_limit_bytes", "Bytes that requests may hold together", &["processor"])
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
    lost: Counters,
    requests: Counters,
    retries: Counters,
    sizes: Histograms,
    exporter: Box<str>,
}

/// Items of a request: the bounds of the Collector's `exporter_queue_batch_send_size`.
const SIZES: &[f64] = &[
    10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1e3, 2e3, 3e3, 4e3, 5e3, 6e3, 7e3, 8e3, 9e3, 1e4, 2e4, 3e4,
    5e4, 1e5,
];

impl Exporter {
    /// `exporter` is the component's id.
    pub fn new(own: &Registry, exporter: &str) -> Self {
        let labels = Labels { names: &["exporter"], values: &[exporter] };
        Exporter {
            sent: PerSignal::new(own, per_signal!("otelcol_exporter_sent"), "Items that were delivered", labels),
            send_failed: PerSignal::new(
                own,
                per_signal!("otelcol_exporter_send_failed"),
                "Items that were given up",
                labels,
            ),
            lost: own.counters(
                "dragoman_exporter_lost_items_total",
                "Items that were given up, by reason",
                &["exporter", "signal", "reason"],
            ),
            requests: own.counters(
                "dragoman_exporter_requests_total",
                "Requests that were sent, repetitions aside, by why they were as large as they were",
                &["exporter", "data_type", "cause"],
            ),
            retries: own.counters(
                "dragoman_exporter_retries_total",
                "Attempts at requests that failed and are made again, by why they failed",
                &["exporter", "data_type", "reason"],
            ),
            sizes: own.histograms(
                "otelcol_exporter_queue_batch_send_size",
                "Spans, data points or log records of a request that was sent",
                &["exporter", "data_type"],
                SIZES,
            ),
            exporter: exporter.into(),
        }
    }

    /// Counts a request that goes out.
    pub fn request(&self, signal: Signal, items: usize, cause: &str) {
        self.requests.with(&[&self.exporter, signal.name(), cause]).increment();
        self.sizes.with(&[&self.exporter, signal.name()]).observe(items as f64);
    }

    /// Counts an attempt that failed and is made again.
    pub fn retried(&self, signal: Signal, reason: &str) {
        self.retries.with(&[&self.exporter, signal.name(), reason]).increment();
    }

    /// Counts items that were given up for good.
    pub fn lost(&self, signal: Signal, items: usize, reason: &str) {
        self.send_failed.add(signal, items);
        self.lost.with(&[&self.exporter, signal.name(), reason]).add_items(items);
    }
}

/// `otelcol_exporter_enqueue_failed_*_total{exporter}`: items whose request was refused because the
/// queue of this exporter had no room. For exporters that have a queue.
pub fn enqueue_failed(own: &Registry, exporter: &str) -> PerSignal {
    let labels = Labels { names: &["exporter"], values: &[exporter] };
    let help = "Items that the queue had no room for";
    PerSignal::new(own, per_signal!("otelcol_exporter_enqueue_failed"), help, labels)
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

/// `dragoman_dropped_log_records_total{processor,reason}`.
pub fn dropped_log_records(own: &Registry) -> Counters {
    own.counters(
        "dragoman_dropped_log_records_total",
        "Log records that were dropped because another item says all that they said",
        &["processor", "reason"],
    )
}

/// `dragoman_join_items_total{processor,otel_signal,outcome}`.
pub fn join_items(own: &Registry) -> Counters {
    let help = "Spans without content and log records with it that waited for each other, by what came of it";
    own.counters("dragoman_join_items_total", help, &["processor", "otel_signal", "outcome"])
}

/// `dragoman_join_lost_items_total{processor,otel_signal,reason}`.
pub fn join_lost_items(own: &Registry) -> Counters {
    let help = "Items that were held back and that no exporter took, by reason";
    own.counters("dragoman_join_lost_items_total", help, &["processor", "otel_signal", "reason"])
}

/// How often the configuration was loaded, and how the last time went.
#[derive(Debug, Clone)]
pub struct Reloads {
    outcomes: Counters,
    /// `dragoman_config_last_reload_successful`: 1, or 0 after a configuration that was not taken.
    pub successful: Gauge,
    /// `dragoman_config_last_reload_success_timestamp_seconds`, since the epoch.
    pub last_success: Gauge,
}

impl Reloads {
    /// Nothing was loaded yet.
    pub fn new(own: &Registry) -> Self {
        let gauge = |name, help| own.gauges(name, help, &[]).with(&[]);
        Reloads {
            outcomes: own.counters(
                "dragoman_config_reloads_total",
                "Times that the configuration was read again, by what came of it",
                &["outcome"],
            ),
            successful: gauge(
                "dragoman_config_last_reload_successful",
                "Whether the configuration that was read last is in force",
            ),
            last_success: gauge(
                "dragoman_config_last_reload_success_timestamp_seconds",
                "When a configuration was last found to be in force or put in force, since the epoch",
            ),
        }
    }

    /// `dragoman_config_reloads_total{outcome}`.
    pub fn outcome(&self, outcome: &str) -> Counter {
        self.outcomes.with(&[outcome])
    }
}

/// `dragoman_task_deaths_total{task}`.
pub fn task_deaths(own: &Registry) -> Counters {
    let help = "Parts of the program that ended by a defect; the program ends after the first";
    own.counters("dragoman_task_deaths_total", help, &["task"])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::exposition::accept::Format;
    use crate::metrics::exposition::{Style, render};
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
        exporter.request(Signal::Traces, 30, "size");
        exporter.retried(Signal::Traces, "timeout");
        enqueue_failed(&own, "otlp/jaeger").add(Signal::Metrics, 6);
        Processor::new(&own, "genai", Signal::Logs).incoming.add(8);
        let mut families = Vec::new();
        own.collect(&mut families);
        let (page, left_out) = render(families, &Style::default(), Format::Classic);
        assert_eq!(left_out, []);
        let counted: Vec<_> = page
            .lines()
            .filter(|line| !line.starts_with('#') && !line.ends_with(" 0"))
            .filter(|line| !line.contains("_bucket{") || line.contains(r#"le="50.0""#))
            .collect();
        assert_eq!(
            counted,
            [
                r#"otelcol_receiver_accepted_spans_total{receiver="otlp",transport="grpc"} 7"#,
                r#"otelcol_receiver_accepted_log_records_total{receiver="otlp",transport="grpc"} 3"#,
                r#"otelcol_receiver_refused_metric_points_total{receiver="otlp",transport="grpc"} 2"#,
                r#"dragoman_receiver_refused_requests_total{receiver="otlp",transport="grpc",reason="queue_full"} 1"#,
                r#"otelcol_exporter_sent_spans_total{exporter="otlp/jaeger"} 5"#,
                r#"otelcol_exporter_send_failed_log_records_total{exporter="otlp/jaeger"} 4"#,
                r#"dragoman_exporter_lost_items_total{exporter="otlp/jaeger",signal="logs",reason="rejected"} 4"#,
                r#"dragoman_exporter_requests_total{exporter="otlp/jaeger",data_type="traces",cause="size"} 1"#,
                r#"dragoman_exporter_retries_total{exporter="otlp/jaeger",data_type="traces",reason="timeout"} 1"#,
                r#"otelcol_exporter_queue_batch_send_size_bucket{le="50.0",exporter="otlp/jaeger",data_type="traces"} 1"#,
                r#"otelcol_exporter_queue_batch_send_size_sum{exporter="otlp/jaeger",data_type="traces"} 30.0"#,
                r#"otelcol_exporter_queue_batch_send_size_count{exporter="otlp/jaeger",data_type="traces"} 1"#,
                r#"otelcol_exporter_enqueue_failed_metric_points_total{exporter="otlp/jaeger"} 6"#,
                r#"otelcol_processor_incoming_items_total{processor="genai",otel_signal="logs"} 8"#,
            ]
        );
    }
}
