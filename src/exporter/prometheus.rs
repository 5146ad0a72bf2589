//! The `prometheus` exporter: the derived metrics on a page to be scraped.
//!
//! The derived families are not sent here in batches; they are attached as sources and read when a
//! scrape comes, so that a count is on the page as soon as it is made. Metrics that applications
//! send over OTLP are not exposed yet: those that reach this exporter are counted, by reason. The
//! listener is in [`crate::service`].

use std::sync::Arc;

use crate::exporter::settings;
use crate::metrics::exposition::{self, LeftOut, Scrape, Style};
use crate::metrics::own::{Counters, Gauge, Registry};
use crate::metrics::snapshot::Source;
use crate::otlp::Signal;
use crate::otlp::answer::Refusal;
use crate::pipeline::{Batch, Exporter, Permit, Receipt};

/// A page of metrics.
pub struct Prometheus {
    id: Box<str>,
    style: Style,
    sources: Vec<Arc<dyn Source>>,
    not_exposed: Counters,
    left_out: [(LeftOut, Gauge); LeftOut::ALL.len()],
}

impl Prometheus {
    /// The exporter with this component id and no source yet.
    pub fn new(id: &str, settings: &settings::Prometheus, own: &Registry) -> Self {
        let left_out = own.gauges(
            "dragoman_prometheus_left_out_series",
            "Series that were left out of the last scrape, by reason",
            &["exporter", "reason"],
        );
        let exporter = Prometheus {
            id: id.into(),
            style: Style { namespace: settings.namespace.clone(), ..Style::default() },
            sources: Vec::new(),
            not_exposed: own.counters(
                "dragoman_prometheus_not_exposed_total",
                "Items that reached the Prometheus exporter and are not on its page, by reason",
                &["exporter", "reason"],
            ),
            left_out: LeftOut::ALL.map(|reason| (reason, left_out.with(&[id, reason.label()]))),
        };
        exporter.not_exposed.with(&[id, reason(Signal::Metrics)]);
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
        for source in &self.sources {
            source.collect(&mut families);
        }
        let scrape = exposition::respond(families, &self.style, accept, accept_encoding);
        for (reason, gauge) in &self.left_out {
            let count = scrape.left_out.iter().filter(|left_out| *left_out == reason).count();
            gauge.set(u64::try_from(count).unwrap_or(u64::MAX));
        }
        scrape
    }
}

impl Exporter for Prometheus {
    fn reserve(&self, _signal: Signal, _bytes: usize) -> Result<Box<dyn Permit + '_>, Refusal> {
        Ok(Box::new(Count(self)))
    }
}

/// Counts what it is given: nothing is kept, so there is always room.
struct Count<'e>(&'e Prometheus);

impl Permit for Count<'_> {
    fn send(self: Box<Self>, batch: Batch) -> Receipt {
        let reason = reason(batch.signal);
        self.0.not_exposed.with(&[&self.0.id, reason]).add_items(batch.open.items());
        batch.open.lost(reason);
        Receipt::Taken
    }
}

/// Why items of a signal are not exposed.
fn reason(signal: Signal) -> &'static str {
    match signal {
        Signal::Metrics => "application_metric",
        Signal::Traces | Signal::Logs => "not_a_metric",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
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

    #[test]
    fn what_is_not_on_the_page_is_counted() {
        let own = Registry::new();
        let exporter = Prometheus::new("prometheus", &settings::Prometheus::default(), &own);
        let zero = "dragoman_prometheus_not_exposed_total{exporter=\"prometheus\",reason=\"application_metric\"} 0\n";
        assert!(text(&own).contains(zero), "{}", text(&own));
        for (signal, items) in [(Signal::Metrics, 3), (Signal::Metrics, 4), (Signal::Logs, 5)] {
            let open = OpenItems::detached(items);
            let batch = Batch { signal, body: Bytes::new(), open, calls: Arc::from([]) };
            drop(exporter.reserve(signal, usize::MAX).unwrap().send(batch));
        }
        let text = text(&own);
        assert!(text.contains("reason=\"application_metric\"} 7\n"), "{text}");
        assert!(text.contains("reason=\"not_a_metric\"} 5\n"), "{text}");
    }

    #[test]
    fn a_count_is_on_the_next_scrape() {
        let own = Registry::new();
        let families = Arc::new(Families::new(Target::V1_41, 10, Duration::ZERO));
        let settings = settings::Prometheus { namespace: "llm".into(), ..settings::Prometheus::default() };
        let exporter = Prometheus::new("prometheus", &settings, &own).with_source(families.clone());
        assert_eq!(body(&exporter.respond(None, None)), "");
        let call = crate::metrics::call::Call {
            trace_id: None,
            span_id: None,
            parent_span_id: None,
            kind: crate::otlp::span::Kind::Client,
            service: "shop".into(),
            operation: "chat".into(),
            provider: "openai".into(),
            request_model: "gpt-4o".into(),
            response_model: String::new(),
            response_id: String::new(),
            server_address: String::new(),
            server_port: None,
            error_type: None,
            usage: Default::default(),
            start_time_unix_nano: 0,
            end_time_unix_nano: 0,
            time_to_first_chunk: None,
            content: 0,
        };
        families.tokens(&call, Direction::Output, 42);
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
        let exporter = Prometheus::new("p", &settings::Prometheus::default(), &own).with_source(Arc::new(Twice));
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
