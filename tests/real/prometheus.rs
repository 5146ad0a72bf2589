//! A real Prometheus scrapes the endpoint; PromQL returns the exact token sums. The two strict
//! parsers that were not written here read the same exposition.

use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::process::{Dragoman, Running, file, free_port, get, http};
use crate::support::{corpus, requests};
use crate::tools;

const CONFIG: &str = "
receivers:
  otlp: { protocols: { grpc: { endpoint: 127.0.0.1:0 }, http: { endpoint: 127.0.0.1:0 } } }
processors:
  genai:
connectors:
  genai_metrics:
exporters:
  debug:
  prometheus: { endpoint: 127.0.0.1:0 }
extensions:
  health_check: { endpoint: 127.0.0.1:0 }
service:
  extensions: [health_check]
  telemetry: { metrics: { address: 127.0.0.1:0 } }
  pipelines:
    traces: { receivers: [otlp], processors: [genai], exporters: [debug, genai_metrics] }
    metrics: { receivers: [genai_metrics], exporters: [prometheus] }
";

/// Sends some recorded cases; returns what the provider billed.
fn feed(dragoman: &Dragoman) -> (u64, u64) {
    let (mut input, mut output) = (0, 0);
    for case in ["litellm-proxy-1.40.18/codegemma_seed", "openllmetry-0.49.6/chat", "openllmetry-0.49.6/tools"] {
        let case = corpus().join(case);
        for body in requests(&case, "traces.pb") {
            let headers = [("content-type", "application/x-protobuf")];
            assert_eq!(http(dragoman.http, "POST", "/v1/traces", &headers, &body).unwrap().status, 200);
        }
        let facts: Value = serde_json::from_slice(&std::fs::read(case.join("case.json")).unwrap()).unwrap();
        input += facts["provider_tokens"]["input"].as_u64().unwrap();
        output += facts["provider_tokens"]["output"].as_u64().unwrap();
    }
    (input, output)
}

fn query(address: SocketAddr, expression: &str) -> Option<f64> {
    let encoded: String = expression.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let answer = get(address, &format!("/api/v1/query?query={encoded}")).ok()?;
    let answer: Value = serde_json::from_slice(&answer.body).ok()?;
    answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
}

#[test]
fn promql_returns_the_exact_token_sums() {
    let folder = tempfile::tempdir().unwrap();
    let dragoman = Dragoman::start(&file(&folder, "dragoman.yaml", CONFIG));
    let (input, output) = feed(&dragoman);
    let target = dragoman.prometheus.unwrap();
    let config = file(
        &folder,
        "prometheus.yml",
        &format!(
            "global: {{ scrape_interval: 1s, scrape_timeout: 1s }}\n\
             scrape_configs: [ {{ job_name: dragoman, static_configs: [ {{ targets: [\"{target}\"] }} ] }} ]\n"
        ),
    );
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let mut prometheus = Running::start(
        "prometheus",
        Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("tsdb").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--enable-feature=exemplar-storage"),
    );
    let sum = |direction: &str| format!("sum(gen_ai_client_token_usage_sum{{gen_ai_token_type=\"{direction}\"}})");
    let found = prometheus.wait_for("the first sample", |_| query(address, &sum("input")));
    assert_eq!(found, input as f64);
    assert_eq!(query(address, &sum("output")), Some(output as f64));
    assert_eq!(query(address, "sum(gen_ai_client_operation_duration_seconds_count)"), Some(4.0));

    let targets: Value = serde_json::from_slice(&get(address, "/api/v1/targets").unwrap().body).unwrap();
    let scrape = &targets["data"]["activeTargets"][0];
    assert_eq!((scrape["health"].as_str(), scrape["lastError"].as_str()), (Some("up"), Some("")));

    let exemplars =
        get(address, "/api/v1/query_exemplars?query=gen_ai_client_token_usage_bucket&start=0&end=4102444800").unwrap();
    let exemplars: Value = serde_json::from_slice(&exemplars.body).unwrap();
    let labels = &exemplars["data"][0]["exemplars"][0]["labels"];
    assert_eq!(labels["trace_id"].as_str().map(str::len), Some(32), "{exemplars}");
    assert_eq!(labels["span_id"].as_str().map(str::len), Some(16), "{exemplars}");
}

fn pipe(command: &mut Command, input: &[u8]) -> String {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    said
}

#[test]
fn both_strict_parsers_read_both_endpoints() {
    let folder = tempfile::tempdir().unwrap();
    let dragoman = Dragoman::start(&file(&folder, "dragoman.yaml", CONFIG));
    feed(&dragoman);
    let python = tools().join("python/bin/python");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/parse_openmetrics.py");
    for endpoint in [dragoman.prometheus.unwrap(), dragoman.own_metrics] {
        let open = [("accept", "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5")];
        let answer = http(endpoint, "GET", "/metrics", &open, &[]).unwrap();
        assert!(answer.head.contains("application/openmetrics-text"), "{}", answer.head);
        pipe(Command::new(&python).arg(script), &answer.body);

        let classic = http(endpoint, "GET", "/metrics", &[("accept", "text/plain")], &[]).unwrap();
        assert!(classic.head.contains("text/plain"), "{}", classic.head);
        pipe(Command::new("promtool").args(["check", "metrics"]), &classic.body);
    }
}
