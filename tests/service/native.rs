//! `native_metrics` in a whole service: an application's spans and its own metrics go in, and each
//! token comes out once, or twice under two names.

use bytes::Bytes;
use dragoman::otlp::Signal;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::Message;

use crate::backend::Backend;
use crate::corpus::{cases, requests};
use crate::rig::{Rig, Way, plan};

/// Its library reports every call in spans and in metrics.
const EMITTER: &str = "genai-openai-1.3b0";

fn yaml(backend: &Backend, rule: &str) -> String {
    format!(
        "receivers:
  otlp: {{ protocols: {{ grpc: {{ endpoint: 127.0.0.1:0 }}, http: {{ endpoint: 127.0.0.1:0 }} }} }}
processors: {{ genai: {{ native_metrics: {rule} }} }}
connectors: {{ genai_metrics: {{ metrics_flush_interval: 1h }} }}
exporters:
  otlp_grpc/backend: {{ endpoint: \"{}\", tls: {{ insecure: true }} }}
  prometheus: {{ endpoint: 127.0.0.1:0 }}
  debug: {{}}
service:
  telemetry: {{ metrics: {{ address: 127.0.0.1:0 }} }}
  pipelines:
    traces: {{ receivers: [otlp], processors: [genai], exporters: [debug, genai_metrics] }}
    metrics: {{ receivers: [otlp, genai_metrics], processors: [genai], exporters: [otlp_grpc/backend, prometheus] }}
",
        backend.address
    )
}

/// The spans of one case, and its metrics.
fn case() -> (Vec<Bytes>, Vec<Bytes>) {
    let case = cases(EMITTER).into_iter().find(|case| case.ends_with("chat")).unwrap();
    (requests(&case, "traces.pb"), requests(&case, "metrics.pb"))
}

/// Sums of token histograms by name, in requests of which the last report of a series counts.
fn tokens(bodies: &[Bytes]) -> Vec<(String, f64)> {
    let mut series = std::collections::BTreeMap::new();
    for body in bodies {
        let request = ExportMetricsServiceRequest::decode(&body[..]).unwrap();
        for metric in request.resource_metrics.into_iter().flat_map(|r| r.scope_metrics).flat_map(|s| s.metrics) {
            if let (true, Some(Data::Histogram(histogram))) = (metric.name.ends_with("token.usage"), metric.data) {
                for point in histogram.data_points {
                    series.insert((metric.name.clone(), format!("{:?}", point.attributes)), point.sum.unwrap());
                }
            }
        }
    }
    let mut sums = std::collections::BTreeMap::new();
    for ((name, _), sum) in series {
        *sums.entry(name).or_insert(0.0) += sum;
    }
    sums.into_iter().collect()
}

/// What the backend got of token histograms, what the scrape shows of them, and points that were
/// taken out, by reason.
struct Seen {
    backend: Vec<(String, f64)>,
    page: [u64; 2],
    discarded: u64,
    suppressed: u64,
}

async fn run(rule: &str, metrics_first: bool) -> Seen {
    let mut backend = Backend::start([]).await;
    let rig = Rig::start(plan(&yaml(&backend, rule))).await;
    let (traces, metrics) = case();
    let mut order = [(Signal::Traces, traces), (Signal::Metrics, metrics.clone())];
    if metrics_first {
        order.reverse();
    }
    for (signal, bodies) in &order {
        for body in bodies {
            rig.must_take(Way::Grpc, *signal, body.clone()).await;
        }
    }
    // What the application exports a minute later says it again.
    for body in &metrics {
        rig.must_take(Way::Grpc, Signal::Metrics, body.clone()).await;
    }
    let page = rig.page().await;
    let books = rig.books().await;
    let sum = |name: &str| page.sum(name, &[]);
    let page = [sum("gen_ai_client_token_usage_sum"), sum("dragoman_gen_ai_client_token_usage_sum")];
    let discarded = books.sum("dragoman_genai_metrics_total", &["outcome=\"discarded\"", "reason=\"derived\""]);
    let suppressed = books.sum("dragoman_genai_suppressed_total", &["reason=\"native_metrics\""]);
    // The derived ones are sent at the end.
    rig.stop().await;
    let received: Vec<Bytes> = std::iter::from_fn(|| backend.seen.try_recv().ok()).map(|seen| seen.body).collect();
    Seen { backend: tokens(&received), page, discarded, suppressed }
}

const TRUTH: f64 = 26.0;
const NAME: &str = "gen_ai.client.token.usage";

#[tokio::test]
async fn replaced_only_the_derived_ones_are_there() {
    let seen = run("replace", false).await;
    assert_eq!(seen.backend, [(NAME.to_owned(), TRUTH)]);
    assert_eq!(seen.page, [TRUTH as u64, 0]);
    assert!(seen.discarded > 0);
    assert_eq!(seen.suppressed, 0);
}

#[tokio::test]
async fn deferred_only_the_applications_are_there_whichever_came_first() {
    for metrics_first in [true, false] {
        let seen = run("defer", metrics_first).await;
        assert_eq!(seen.backend, [(NAME.to_owned(), TRUTH)]);
        assert_eq!(seen.page, [TRUTH as u64, 0]);
        assert_eq!((seen.discarded, seen.suppressed), (0, u64::from(metrics_first)));
    }
}

#[tokio::test]
async fn with_both_each_is_there_once_under_its_own_name() {
    let seen = run("both", false).await;
    assert_eq!(seen.backend, [(format!("dragoman.{NAME}"), TRUTH), (NAME.to_owned(), TRUTH)]);
    assert_eq!(seen.page, [TRUTH as u64, TRUTH as u64]);
    assert_eq!((seen.discarded, seen.suppressed), (0, 0));
}

/// What came before anything was derived for the service went on, but on the page it gives way.
#[tokio::test]
async fn on_the_page_each_token_is_there_once_whatever_came_first() {
    let seen = run("replace", true).await;
    assert_eq!(seen.page, [TRUTH as u64, 0]);
}

/// Without a rule both reach the page; what is derived stays.
#[tokio::test]
async fn on_the_page_each_token_is_there_once_without_a_rule() {
    let backend = Backend::start([]).await;
    let bare = yaml(&backend, "replace").replace("[otlp, genai_metrics], processors: [genai]", "[otlp, genai_metrics]");
    let rig = Rig::start(plan(&bare)).await;
    let (traces, metrics) = case();
    for (signal, bodies) in [(Signal::Metrics, metrics), (Signal::Traces, traces)] {
        for body in bodies {
            rig.must_take(Way::Protobuf, signal, body).await;
        }
    }
    assert_eq!(rig.page().await.sum("gen_ai_client_token_usage_sum", &[]), TRUTH as u64);
    assert!(rig.books().await.sum("dragoman_prometheus_left_out_series", &["reason=\"derived\""]) > 0);
    rig.stop().await;
}

/// Where the two never meet nothing is taken from either.
#[tokio::test]
async fn what_goes_elsewhere_than_the_derived_ones_is_let_be() {
    let mut backend = Backend::start([]).await;
    let apart = yaml(&backend, "replace").replace(
        "metrics: { receivers: [otlp, genai_metrics], processors: [genai], exporters: [otlp_grpc/backend, prometheus] }",
        "metrics/own: { receivers: [otlp], processors: [genai], exporters: [otlp_grpc/backend] }
    metrics/derived: { receivers: [genai_metrics], exporters: [prometheus] }",
    );
    let rig = Rig::start(plan(&apart)).await;
    let (traces, metrics) = case();
    for (signal, bodies) in [(Signal::Traces, traces), (Signal::Metrics, metrics)] {
        for body in bodies {
            rig.must_take(Way::Protobuf, signal, body).await;
        }
    }
    assert_eq!(rig.page().await.sum("gen_ai_client_token_usage_sum", &[]), TRUTH as u64);
    rig.stop().await;
    let received: Vec<Bytes> = std::iter::from_fn(|| backend.seen.try_recv().ok()).map(|seen| seen.body).collect();
    assert_eq!(tokens(&received), [(NAME.to_owned(), TRUTH)]);
}

#[tokio::test]
async fn deferred_on_a_page_alone_the_applications_are_there() {
    let backend = Backend::start([]).await;
    let page = yaml(&backend, "defer").replace("exporters: [otlp_grpc/backend, prometheus]", "exporters: [prometheus]");
    let rig = Rig::start(plan(&page)).await;
    let (traces, metrics) = case();
    for (signal, bodies) in [(Signal::Metrics, metrics), (Signal::Traces, traces)] {
        for body in bodies {
            rig.must_take(Way::Protobuf, signal, body).await;
        }
    }
    assert_eq!(rig.page().await.sum("gen_ai_client_token_usage_sum", &[]), TRUTH as u64);
    rig.stop().await;
}
