//! Metrics of applications, from a receiver to the Prometheus page of a whole service in one process.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]
#![allow(dead_code, reason = "the harness is shared with other tests")]

#[path = "../support/client.rs"]
mod client;
#[path = "../support/mod.rs"]
mod corpus;
#[path = "../support/raw.rs"]
mod raw;
#[path = "../service/rig.rs"]
mod rig;

mod oracle;
mod recorded;
mod stays;

/// A service that shows what it gets; `keys` of the exporter, and processors of its pipeline.
fn shows(keys: &str, processors: &str) -> String {
    format!(
        "receivers:
  otlp: {{ protocols: {{ grpc: {{ endpoint: 127.0.0.1:0 }}, http: {{ endpoint: 127.0.0.1:0 }} }} }}
processors: {{ genai: {{ }} }}
exporters:
  prometheus: {{ endpoint: 127.0.0.1:0, {keys} }}
service:
  telemetry: {{ metrics: {{ address: 127.0.0.1:0 }} }}
  pipelines:
    metrics: {{ receivers: [otlp], processors: [{processors}], exporters: [prometheus] }}
"
    )
}
