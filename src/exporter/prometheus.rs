//! The `prometheus` exporter: a page to be scraped, with what applications send and what is derived.
//!
//! What applications send over OTLP goes into a store ([`crate::metrics::application`]) before it is
//! acknowledged. Derived families are not sent here in batches; they are attached as sources. Both are
//! read when a scrape comes, so that a count is on the page as soon as it is made. Where the two would
//! say one name, the derived one has it. The listener is in [`crate::service`].

use std::sync::Arc;

use crate::exporter::settings;
use crate::metrics::application::{Store, Why, derived};
use crate::metrics::exposition::{self, LeftOut, Scrape, Style};
use crate::metrics::own::{Counters, Gauge, Registry, known};
use crate::metrics::snapshot::Source;
use crate::otlp::Signal;
use crate::otlp::answer::Refusal;
use crate::pipeline::account::OpenItems;
use crate::pipeline::{Batch, Exporter, Permit, Receipt};

/// Why items that are no data points are not on the page.
const NOT_A_METRIC: &str = "not_a_metric";

/// A page of metrics.
pub struct Prometheus {
    id: Box<str>,
    style: Style,
    sources: Vec<Arc<dyn Source>>,
    store: Arc<Store>,
    books: known::Exporter,
    not_exposed: Counters,
    left_out: [(LeftOut, Gauge); LeftOut::ALL.len()],
    /// Series of applications that say what is derived, too.
    derived: Gauge,
    disputed_help: Gauge,
    disputed_unit: Gauge,
    series: Gauge,
    bytes: Gauge,
}

impl Prometheus {
    /// The exporter with this component id, which keeps what applications send in `store`, and has no other
    /// source yet.
    pub fn new(id: &str, settings: &settings::Prometheus, store: Arc<Store>, own: &Registry) -> Self {
        let gauges = |name, help| own.gauges(name, help, &["exporter"]).with(&[id]);
        let left_out = own.gauges(
            "dragoman_prometheus_left_out_series",
            "Series that were left out of the last scrape, by reason",
            &["exporter", "reason"],
        );
        let disputed = own.gauges(
            "dragoman_prometheus_disputed_metrics",
            "Metrics on the page that are described in several ways, by what differs; one or none is shown",
            &["exporter", "what"],
        );
        let exporter = Prometheus {
            id: id.into(),
            style: settings.style.clone(),
            sources: Vec::new(),
            store,
            books: known::Exporter::new(own, id),
            not_exposed: own.counters(
                "dragoman_prometheus_not_exposed_total",
                "Items that reached the Prometheus exporter and are not on its page, by reason",
                &["exporter", "reason"],
            ),
            left_out: LeftOut::ALL.map(|reason| (reason, left_out.with(&[id, reason.label()]))),
            derived: left_out.with(&[id, "derived"]),
            disputed_help: disputed.with(&[id, "help"]),
            disputed_unit: disputed.with(&[id, "unit"]),
            series: gauges("dragoman_prometheus_series", "Series of applications that the Prometheus exporter holds"),
            bytes: gauges("dragoman_prometheus_series_bytes", "Bytes that series of applications take, about"),
        };
        // Shown from the start, so that a rate sees the first of a kind.
        for why in Why::ALL {
            exporter.not_exposed.with(&[id, why.label()]);
        }
        exporter
    }

    /// Puts a source's families on the page.
    #[must_use]
    pub fn with_source(mut self, source: Arc<dyn Source>) -> Self {
        self.sources.push(source);
        self
    }

    /// Answers a scrape with these `Accept` and `Accept-Encoding` headers. Writing a large page
    /// takes milliseconds: call it where that stops no one.
    pub fn respond(&self, accept: Option<&str>, accept_encoding: Option<&str>) -> Scrape {
        let mut families = Vec::new();
        // Of two that take one name the first stays: what is derived is counted by this program.
        for source in &self.sources {
            source.collect(&mut families);
        }
        let mut own = Vec::new();
        self.store.collect(&mut own);
        self.derived.set(derived::give_way(&families, &mut own) as u64);
        families.extend(own);
        self.measure();
        let scrape = exposition::respond(families, &self.style, accept, accept_encoding);
        for (reason, gauge) in &self.left_out {
            let count = scrape.left_out.iter().filter(|left_out| *left_out == reason).count();
            gauge.set(u64::try_from(count).unwrap_or(u64::MAX));
        }
        self.disputed_help.set((scrape.disputed.help + self.store.disputed()) as u64);
        self.disputed_unit.set(scrape.disputed.unit as u64);
        scrape
    }

    fn take(&self, batch: Batch) {
        let Batch { signal, body, mut open, .. } = batch;
        if signal != Signal::Metrics {
            return self.lose(signal, open, NOT_A_METRIC);
        }
        let report = self.store.take(&body);
        for (why, points) in report.lost() {
            self.lose(signal, open.split(points), why.label());
        }
        let taken = open.split(report.taken);
        self.books.sent.add(signal, taken.items());
        taken.exported();
        // What was counted on the way here and cannot be read now.
        if open.items() > 0 {
            self.lose(signal, open, Why::Malformed.label());
        }
        self.measure();
    }

    fn lose(&self, signal: Signal, open: OpenItems, reason: &'static str) {
        self.not_exposed.with(&[&self.id, reason]).add_items(open.items());
        self.books.lost(signal, open.items(), reason);
        open.lost(reason);
    }

    fn measure(&self) {
        self.series.set(self.store.series() as u64);
        self.bytes.set(self.store.bytes() as u64);
    }
}

impl Exporter for Prometheus {
    fn reserve(&self, _signal: Signal, _bytes: usize) -> Result<Box<dyn Permit + '_>, Refusal> {
        Ok(Box::new(Take(self)))
    }
}

/// There is always room: what is too much is folded or counted.
struct Take<'e>(&'e Prometheus);

impl Permit for Take<'_> {
    fn send(self: Box<Self>, batch: Batch) -> Receipt {
        self.0.take(batch);
        Receipt::Taken
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::metrics::call::Call;
    use crate::metrics::families::Families;
    use crate::metrics::ledger::{Direction, Recorder};
    use crate::metrics::snapshot::{Family, Kind, Label, Series, Value};
    use crate::pipeline::account::OpenItems;
    use crate::processor::settings::Target;

    fn text(own: &Registry) -> String {
        let mut families = Vec::new();
        own.collect(&mut families);
        exposition::render(families, &Style::default(), exposition::accept::Format::Classic).0
    }

    fn body(scrape: &Scrape) -> &str {
        std::str::from_utf8(&scrape.body).unwrap()
    }

    /// A request with one gauge and one sum that is neither cumulative nor delta.
    fn request() -> Bytes {
        use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
        use opentelemetry_proto::tonic::metrics::v1::metric::Data;
        use opentelemetry_proto::tonic::metrics::v1::{
            Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, number_data_point,
        };
        use prost::Message;
        let point = || NumberDataPoint {
            value: Some(number_data_point::Value::AsInt(4)),
            time_unix_nano: 1,
            ..NumberDataPoint::default()
        };
        let gauge = Data::Gauge(Gauge { data_points: vec![point()] });
        let sum = Data::Sum(Sum { data_points: vec![point(), point()], ..Sum::default() });
        let metric = |name: &str, data| Metric { name: name.into(), data: Some(data), ..Metric::default() };
        let metrics = vec![metric("queue.size", gauge), metric("requests", sum)];
        let scope_metrics = vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }];
        let resource_metrics = vec![ResourceMetrics { scope_metrics, ..ResourceMetrics::default() }];
        ExportMetricsServiceRequest { resource_metrics }.encode_to_vec().into()
    }

    /// With a store of its own.
    fn exporter(id: &str, settings: &settings::Prometheus, own: &Registry) -> Prometheus {
        Prometheus::new(id, settings, Arc::new(Store::new(settings.store.clone())), own)
    }

    #[test]
    fn what_applications_send_is_on_the_page_or_counted_by_reason() {
        let own = Registry::new();
        let exporter = exporter("prometheus", &settings::Prometheus::default(), &own);
        let zero = "dragoman_prometheus_not_exposed_total{exporter=\"prometheus\",reason=\"repeated\"} 0\n";
        assert!(text(&own).contains(zero), "{}", text(&own));
        for (signal, body, items) in [(Signal::Metrics, request(), 3), (Signal::Logs, Bytes::new(), 5)] {
            let batch = Batch { signal, body, open: OpenItems::detached(items), calls: Arc::from([]) };
            drop(exporter.reserve(signal, usize::MAX).unwrap().send(batch));
        }
        let shown = exporter.respond(None, None);
        assert_eq!(body(&shown), "# TYPE queue_size gauge\nqueue_size 4\n");
        let text = text(&own);
        for line in [
            "not_exposed_total{exporter=\"prometheus\",reason=\"temporality_unspecified\"} 2\n",
            "not_exposed_total{exporter=\"prometheus\",reason=\"not_a_metric\"} 5\n",
            "otelcol_exporter_sent_metric_points_total{exporter=\"prometheus\"} 1\n",
            "otelcol_exporter_send_failed_metric_points_total{exporter=\"prometheus\"} 2\n",
            "dragoman_prometheus_series{exporter=\"prometheus\"} 1\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
    }

    #[test]
    fn a_count_is_on_the_next_scrape() {
        let own = Registry::new();
        let families = Arc::new(Families::new(Target::V1_41, 10, Duration::ZERO));
        let settings = settings::Prometheus {
            style: Style { namespace: "llm".into(), ..Style::default() },
            ..settings::Prometheus::default()
        };
        let exporter = exporter("prometheus", &settings, &own).with_source(families.clone());
        assert_eq!(body(&exporter.respond(None, None)), "");
        families.tokens(&Call::sample(), Direction::Output, 42);
        let scrape = exporter.respond(Some("application/openmetrics-text"), None);
        assert_eq!(scrape.content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
        let expected = format!(
            "llm_gen_ai_client_token_usage_sum{{service_name=\"shop\",gen_ai_token_type=\"output\",\
             gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"openai\",gen_ai_request_model=\"gpt-4o\",\
             otel_scope_name=\"dragoman\",otel_scope_version=\"{}\"}} 42.0\n",
            env!("CARGO_PKG_VERSION")
        );
        assert!(body(&scrape).contains(&expected), "{}", body(&scrape));
    }

    /// Help and unit are comments: who disagrees about them loses nothing, and is counted.
    #[test]
    fn metrics_that_are_described_in_several_ways_are_all_there_and_counted() {
        struct Disputed;
        impl Source for Disputed {
            fn collect(&self, families: &mut Vec<Family>) {
                for (name, help, unit, label) in [
                    ("a_seconds", "A", "", "1"),
                    ("a", "another", "s", "2"),
                    ("b", "", "", "3"),
                    ("b", "B", "", "4"),
                    ("c_ms_seconds", "C", "s", "5"),
                ] {
                    families.push(Family {
                        name: name.into(),
                        help: help.into(),
                        unit: unit.into(),
                        kind: Kind::Gauge,
                        scope: None,
                        namespace: None,
                        series: vec![Series {
                            labels: Arc::from([Label::text("k", label)]),
                            start_time_unix_nano: 0,
                            time_unix_nano: 0,
                            value: Value::Integer(1, None),
                        }],
                    });
                }
            }
        }
        let own = Registry::new();
        let exporter = exporter("p", &settings::Prometheus::default(), &own).with_source(Arc::new(Disputed));
        let scrape = exporter.respond(None, None);
        for series in ["a_seconds{k=\"1\"} 1\n", "a_seconds{k=\"2\"} 1\n", "b{k=\"3\"} 1\n", "b{k=\"4\"} 1\n"] {
            assert!(body(&scrape).contains(series), "{}", body(&scrape));
        }
        assert_eq!(body(&scrape).matches("# HELP a_seconds ").count(), 1);
        assert!(text(&own).contains("disputed_metrics{exporter=\"p\",what=\"help\"} 1\n"), "{}", text(&own));
        assert!(text(&own).contains("disputed_metrics{exporter=\"p\",what=\"unit\"} 0\n"), "{}", text(&own));
    }

    #[test]
    fn a_bad_series_is_left_out_and_shown_as_such() {
        struct Twice;
        impl Source for Twice {
            fn collect(&self, families: &mut Vec<Family>) {
                let series = Series {
                    labels: Arc::from([Label::text("k", "v")]),
                    start_time_unix_nano: 0,
                    time_unix_nano: 0,
                    value: Value::Integer(1, None),
                };
                families.push(Family {
                    name: "a".into(),
                    help: "A".into(),
                    unit: "".into(),
                    kind: Kind::Gauge,
                    scope: None,
                    namespace: None,
                    series: vec![series.clone(), series],
                });
            }
        }
        let own = Registry::new();
        let exporter = exporter("p", &settings::Prometheus::default(), &own).with_source(Arc::new(Twice));
        for _ in 0..2 {
            assert_eq!(body(&exporter.respond(None, None)), "# HELP a A\n# TYPE a gauge\na{k=\"v\"} 1\n");
        }
        let text = text(&own);
        assert!(
            text.contains("left_out_series{exporter=\"p\",reason=\"duplicate_series\"} 1\n"),
            "each scrape counts for itself: {text}"
        );
    }
}
