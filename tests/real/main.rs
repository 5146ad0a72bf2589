//! Dragoman between real peers: the official SDKs' exporters send, a real Jaeger and a real
//! Prometheus receive, and Phoenix and MLflow show. `tests/real/install.sh` builds or installs them;
//! `cargo test --features real --test real` runs this.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../support/mod.rs"]
mod support;

#[allow(dead_code, unreachable_pub, reason = "other tests use the rest of it")]
#[path = "../support/process.rs"]
mod process;

mod application_metrics;
mod dashboards;
mod isolated;
mod jaeger;
mod llama_stack;
mod mlflow;
mod models;
mod phoenix;
mod prometheus;
mod recorded;
mod scraper;
mod sdk;

use std::path::PathBuf;

/// Translated, shown on the terminal, counted; every listener on a port of its own choosing.
const CONFIG: &str = "
receivers:
  otlp: { protocols: { grpc: { endpoint: 127.0.0.1:0 }, http: { endpoint: 127.0.0.1:0 } } }
processors:
  genai:
connectors:
  genai_metrics:
exporters:
  debug: { verbosity: detailed }
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

/// Where `install.sh` puts what it installs.
fn tools() -> PathBuf {
    let cache = || {
        let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        base.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache")).join("dragoman-real")
    };
    std::env::var_os("DRAGOMAN_REAL_DIR").map(PathBuf::from).unwrap_or_else(cache)
}
