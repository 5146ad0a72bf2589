//! A real Prometheus scrapes the endpoint; PromQL returns the exact token sums. The two strict
//! parsers that were not written here read the same exposition.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::process::{Dragoman, file, http};
use crate::scraper::Scraper;
use crate::support::{corpus, requests, spans};
use crate::{CONFIG, tools};

/// What was sent, and what the provider says of it.
#[derive(Default)]
struct Bill {
    spans: usize,
    calls: u64,
    input: u64,
    output: u64,
}

/// Sends some recorded cases; returns what the provider billed.
fn feed(dragoman: &Dragoman) -> Bill {
    let mut bill = Bill::default();
    for case in ["litellm-proxy-1.40.18/codegemma_seed", "openllmetry-0.49.6/chat", "openllmetry-0.49.6/tools_stream"] {
        let case = corpus().join(case);
        for body in requests(&case, "traces.pb") {
            bill.spans += spans(&body).len();
            let headers = [("content-type", "application/x-protobuf")];
            assert_eq!(http(dragoman.http, "POST", "/v1/traces", &headers, &body).unwrap().status, 200);
        }
        let facts: Value = serde_json::from_slice(&std::fs::read(case.join("case.json")).unwrap()).unwrap();
        bill.calls += facts["llm_calls"].as_array().unwrap().len() as u64;
        bill.input += facts["provider_tokens"]["input"].as_u64().unwrap();
        bill.output += facts["provider_tokens"]["output"].as_u64().unwrap();
    }
    bill
}

#[test]
fn promql_returns_the_exact_token_sums() {
    let folder = tempfile::tempdir().unwrap();
    let dragoman = Dragoman::start(&file(&folder, "dragoman.yaml", CONFIG));
    let bill = feed(&dragoman);
    let mut prometheus = Scraper::start(&[("dragoman", dragoman.prometheus.unwrap())]);
    let sum = |direction: &str| format!("sum(gen_ai_client_token_usage_sum{{gen_ai_token_type=\"{direction}\"}})");
    let found = prometheus.wait_for(&sum("input"), |_| true);
    assert_eq!(found, bill.input as f64);
    assert_eq!(prometheus.value(&sum("output")), Some(bill.output as f64));
    assert_eq!(prometheus.value("sum(gen_ai_client_operation_duration_seconds_count)"), Some(bill.calls as f64));
    assert_eq!(prometheus.errors(), [""; 0]);

    let labels = prometheus.exemplar("gen_ai_client_token_usage_bucket");
    assert_eq!(labels["trace_id"].as_str().map(str::len), Some(32), "{labels}");
    assert_eq!(labels["span_id"].as_str().map(str::len), Some(16), "{labels}");
}

fn pipe(command: &mut Command, input: &[u8]) -> String {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    said
}

/// A page as the reference parser reads it: a JSON object for each sample.
fn samples(page: &[u8], option: &[&str]) -> Vec<Value> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/parse_openmetrics.py");
    let said = pipe(Command::new(tools().join("python/bin/python")).arg(script).args(option), page);
    said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The sum of a sample over all its series.
fn total(samples: &[Value], name: &str) -> f64 {
    let values = samples.iter().filter(|sample| sample["name"] == name).map(|sample| sample["value"].as_f64().unwrap());
    values.sum()
}

#[test]
fn both_strict_parsers_read_both_endpoints() {
    let folder = tempfile::tempdir().unwrap();
    let dragoman = Dragoman::start(&file(&folder, "dragoman.yaml", CONFIG));
    let bill = feed(&dragoman);
    let tokens = (bill.input + bill.output) as f64;
    let own = (dragoman.own_metrics, "otelcol_receiver_accepted_spans", "otelcol_receiver_accepted_spans_total");
    let derived = (dragoman.prometheus.unwrap(), "gen_ai_client_token_usage", "gen_ai_client_token_usage_sum");
    for (endpoint, family, sample) in [own, derived] {
        let open = [("accept", "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5")];
        let answer = http(endpoint, "GET", "/metrics", &open, &[]).unwrap();
        assert!(answer.head.contains("application/openmetrics-text"), "{}", answer.head);
        let open = samples(&answer.body, &[]);
        assert!(open.iter().any(|line| line["family"] == family), "{open:#?}");

        let classic = http(endpoint, "GET", "/metrics", &[("accept", "text/plain")], &[]).unwrap();
        assert!(classic.head.contains("text/plain"), "{}", classic.head);
        pipe(Command::new("promtool").args(["check", "metrics"]), &classic.body);
        let classic = samples(&classic.body, &["--classic"]);

        let expected = if endpoint == dragoman.own_metrics { bill.spans as f64 } else { tokens };
        assert_eq!((total(&open, sample), total(&classic, sample)), (expected, expected), "{sample}");
        if endpoint != dragoman.own_metrics {
            let exemplars = open.iter().filter_map(|line| line["exemplar"]["labels"]["trace_id"].as_str());
            assert_eq!(exemplars.map(str::len).max(), Some(32), "a bucket leads to its trace");
        }
    }
}
