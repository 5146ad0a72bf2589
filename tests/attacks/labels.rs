//! Cardinality: telemetry and requests name things, and each name could be a series.

use dragoman::otlp::Signal;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};

use crate::process::{get, http};
use crate::rig::{MIB, Setup, Target, value};
use crate::text::spans;

/// How many distinct values are sent.
const DISTINCT: usize = 100_000;

/// In a request.
const BATCH: usize = 2000;

/// What the memories that fill may hold (docs/performance.md): 16 MiB wait for the debug exporter's thread, if
/// the machine is too busy to run it, and 16 MiB are ids. As much again is for what the allocator has of two
/// requests at a time, each decoded, processed and written, and for the pages.
const MOST_GROWN: u64 = 2 * (16 + 16) * MIB;

fn entry(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn text(value: String) -> any_value::Value {
    any_value::Value::StringValue(value)
}

/// Sends spans, a number each.
fn send(target: &Target, make: impl Fn(usize) -> Vec<KeyValue>) {
    for batch in 0..DISTINCT / BATCH {
        let lists = (0..BATCH).map(|number| make(batch * BATCH + number)).collect();
        let body = spans(lists, "x", "opentelemetry.instrumentation.openai");
        assert_eq!(target.post("/v1/traces", "application/x-protobuf", &[], &body).status, 200);
    }
}

fn series(page: &str, name: &str) -> usize {
    page.lines().filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{'))).count()
}

#[test]
fn a_hundred_thousand_models_are_as_many_series_as_are_allowed() {
    const MOST: usize = 50;
    let target = Target::start(Setup { max_series: MOST, ..Setup::default() });
    send(&target, |number| {
        vec![
            entry("gen_ai.operation.name", text("chat".into())),
            entry("gen_ai.system", text(format!("provider-{number}"))),
            entry("gen_ai.request.model", text(format!("model-{number}"))),
            entry("gen_ai.response.model", text(format!("model-{number}"))),
            entry("server.address", text(format!("host-{number}"))),
            entry("gen_ai.usage.input_tokens", any_value::Value::IntValue(3)),
            entry("gen_ai.usage.output_tokens", any_value::Value::IntValue(1)),
        ]
    });
    let prometheus = target.dragoman.prometheus.unwrap();
    let name = "gen_ai_client_token_usage_count";
    let own = target.own_metrics();
    let page = target.page_when(prometheus, "an overflow", |page| page.contains("overflow"));
    assert!(series(&page, name) <= 50 + 1, "{} series", series(&page, name));
    // No token is lost in it: 4 each.
    let tokens: f64 = page
        .lines()
        .filter(|line| line.starts_with("gen_ai_client_token_usage_sum{"))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum();
    assert_eq!(tokens, 4.0 * DISTINCT as f64);
    assert!(page.len() < 1 << 20 && own.len() < 1 << 20, "pages of {} and {} bytes", page.len(), own.len());
    target.assert_grown_less_than(MOST_GROWN, "100,000 models");
}

#[test]
fn a_hundred_thousand_unknown_keys_are_a_bounded_number_of_self_metrics() {
    let target = Target::start(Setup::default());
    send(&target, |number| {
        vec![
            entry("gen_ai.operation.name", text(format!("operation-{number}"))),
            entry("gen_ai.system", text("openai".into())),
            entry(&format!("gen_ai.unknown_{number}"), text(format!("{number}"))),
            entry(&format!("llm.unknown.{number}"), text(format!("{number}"))),
            entry(&format!("traceloop.association.properties.{number}"), text(format!("{number}"))),
        ]
    });
    let page = target.own_metrics();
    let rows = page.lines().filter(|line| !line.starts_with('#')).count();
    assert!(rows < 5000, "{rows} series");
    assert!(page.len() < 1 << 20, "a page of {} bytes", page.len());
    // What had no room is still counted, under a name that says so.
    assert!(page.contains("_other"), "{page}");
    let unmapped: f64 = page
        .lines()
        .filter(|line| line.starts_with("dragoman_unmapped_keys_total{"))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum();
    assert!(unmapped >= DISTINCT as f64, "{unmapped} unmapped keys are counted");
    target.assert_grown_less_than(MOST_GROWN, "100,000 keys");
}

/// CVE-2023-45142: methods, paths, agents and media types of requests were labels of metrics.
#[test]
fn what_a_request_says_of_itself_is_no_label() {
    let target = Target::start(Setup::default());
    let before = target.own_metrics();
    let body = crate::client::sample(Signal::Traces);
    for number in 0..500 {
        let name = format!("X{number}");
        let agent = [("user-agent", name.as_str()), ("content-type", name.as_str()), ("host", name.as_str())];
        http(target.dragoman.http, &name, "/v1/traces", &agent, &body).unwrap();
        http(target.dragoman.http, "POST", &format!("/{name}"), &agent, &body).unwrap();
        http(target.dragoman.http, "POST", "/v1/traces", &[("content-encoding", name.as_str())], &body).unwrap();
        get(target.dragoman.own_metrics, &format!("/{name}")).unwrap();
    }
    let page = target.own_metrics();
    assert!(!page.contains("X1"), "{page}");
    let count = |page: &str| page.lines().filter(|line| !line.starts_with('#')).count();
    assert!(count(&page) < count(&before) + 20, "{} series, {} before", count(&page), count(&before));
    assert_eq!(value(&page, &["refused_requests", "unsupported"]), 500.0, "{page}");
}
