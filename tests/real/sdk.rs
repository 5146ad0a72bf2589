//! The official SDKs' own exporters send: Python over gRPC and over HTTP, JavaScript over
//! HTTP with JSON.

use std::process::Command;

use crate::process::{Dragoman, file, get};
use crate::{CONFIG, tools};

fn send_and_check(command: &mut Command, dragoman: &mut Dragoman) {
    let output = command.output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "the client failed: {said}");
    let prometheus = dragoman.prometheus.unwrap();
    let scrape = get(prometheus, "/metrics").unwrap().text();
    let sum = |direction: &str| {
        let line = scrape.lines().find(|line| {
            line.starts_with("gen_ai_client_token_usage_sum")
                && line.contains(&format!("gen_ai_token_type=\"{direction}\""))
        });
        line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
    };
    assert_eq!((sum("input"), sum("output")), (Some(123.0), Some(45.0)), "{scrape}\n{}", dragoman.process.log());
    let log = dragoman
        .process
        .wait_for("the span on the terminal", |log| log.contains("gen_ai.usage.input_tokens").then(|| log.to_owned()));
    assert!(!log.contains("gen_ai.usage.prompt_tokens"), "{log}");
}

fn start() -> (tempfile::TempDir, Dragoman) {
    let folder = tempfile::tempdir().unwrap();
    let dragoman = Dragoman::start(&file(&folder, "dragoman.yaml", CONFIG));
    (folder, dragoman)
}

fn script(name: &str) -> String {
    format!("{}/tests/real/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn python_over_grpc() {
    let (_folder, mut dragoman) = start();
    let endpoint = format!("http://{}", dragoman.grpc);
    let mut command = Command::new(tools().join("python/bin/python"));
    send_and_check(command.args([&script("send.py"), "grpc", &endpoint]), &mut dragoman);
}

#[test]
fn python_over_http_with_gzip() {
    let (_folder, mut dragoman) = start();
    let endpoint = format!("http://{}/v1/traces", dragoman.http);
    let mut command = Command::new(tools().join("python/bin/python"));
    send_and_check(command.args([&script("send.py"), "http", &endpoint]), &mut dragoman);
}

#[test]
fn javascript_over_http_with_json() {
    let (_folder, mut dragoman) = start();
    let endpoint = format!("http://{}/v1/traces", dragoman.http);
    let mut command = Command::new("node");
    command.arg(script("send.cjs")).arg(&endpoint).env("NODE_PATH", tools().join("node/node_modules"));
    send_and_check(&mut command, &mut dragoman);
}
