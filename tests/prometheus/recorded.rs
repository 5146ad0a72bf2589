//! Every recorded emitter of metrics: what the page says is what it sent.

use bytes::Bytes;
use dragoman::otlp::Signal;

use crate::corpus::{cases, corpus, requests};
use crate::oracle::{self, Sums};
use crate::rig::{Page, Rig, Way, plan};
use crate::shows;

/// What a page says of all names that are no buckets.
fn said(page: &Page) -> Sums {
    let mut sums = Sums::new();
    for line in page.0.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        if !name.ends_with("_bucket") && name != "target_info" {
            let sum = sums.entry(name.to_owned()).or_default();
            sum.0 += 1;
            sum.1 += line.rsplit(' ').next().unwrap().parse::<f64>().unwrap();
        }
    }
    sums
}

fn assert_equal(emitter: &str, page: &Sums, expected: &Sums) {
    let names = |sums: &Sums| sums.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(page), names(expected), "{emitter}");
    for (name, (series, sum)) in expected {
        let (shown, said) = page[name];
        let is_equal = (said - sum).abs() <= 1e-9 * sum.abs().max(1.0);
        assert!(is_equal && shown == *series, "{emitter} {name}: {shown} series of {said}, expected {series} of {sum}");
    }
}

#[tokio::test]
async fn the_page_says_what_every_emitter_sent() {
    let mut points = 0;
    let mut emitters = 0;
    let mut folders: Vec<_> = std::fs::read_dir(corpus()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    folders.sort();
    for emitter in folders {
        let emitter = emitter.to_str().unwrap();
        let bodies: Vec<Bytes> = cases(emitter).iter().flat_map(|case| requests(case, "metrics.pb")).collect();
        if bodies.is_empty() {
            continue;
        }
        let rig = Rig::start(plan(&shows("", ""))).await;
        for body in &bodies {
            rig.must_take(Way::Protobuf, Signal::Metrics, body.clone()).await;
        }
        let expected = oracle::sums(&bodies);
        assert_equal(emitter, &said(&rig.page().await), &expected);
        // What an SDK that saw no answer sends again changes nothing.
        for body in &bodies {
            rig.must_take(Way::Protobuf, Signal::Metrics, body.clone()).await;
        }
        assert_equal(emitter, &said(&rig.page().await), &expected);
        let books = rig.books().await;
        let sum = |name: &str| books.sum(name, &["exporter=\"prometheus\""]);
        let sent = sum("otelcol_exporter_sent_metric_points_total");
        let lost = sum("dragoman_prometheus_not_exposed_total");
        assert_eq!(sent + lost, 2 * oracle::count(&bodies) as u64, "{emitter}");
        assert_eq!(sum("dragoman_pipeline_outgoing_items_total"), 0, "of no exporter");
        assert_eq!(sum("dragoman_pipeline_exported_items_total"), sent, "{emitter}");
        assert_eq!(sum("dragoman_pipeline_lost_items_total"), lost, "{emitter}");
        let reasons = ["repeated", "out_of_order"]
            .map(|reason| books.sum("dragoman_prometheus_not_exposed_total", &[&format!("reason=\"{reason}\"")]));
        assert_eq!(reasons.iter().sum::<u64>(), lost, "{emitter}: lost for no other reason");
        points += sent;
        emitters += 1;
        rig.stop().await;
    }
    assert!(emitters >= 45 && points > 1000, "{points} points of {emitters} emitters");
}

/// The dashboards of a stack with `namespace: ogx` and a job from `service.name`.
#[tokio::test]
async fn names_and_labels_are_those_that_dashboards_of_a_llama_stack_read() {
    let keys = "namespace: ogx, const_labels: { cluster: lab }, resource_to_telemetry_conversion: { enabled: true }";
    let rig = Rig::start(plan(&shows(keys, ""))).await;
    let emitter = "llama-stack-0.7.3";
    for body in cases(emitter).iter().flat_map(|case| requests(case, "metrics.pb")) {
        rig.must_take(Way::Grpc, Signal::Metrics, body).await;
    }
    let page = rig.page().await;
    let page = &page.0;
    for part in ["\nogx_", "job=\"", "otel_scope_name=\"", "service_name=\""] {
        assert!(page.contains(part), "{part} is not in\n{page}");
    }
    rig.stop().await;
}
