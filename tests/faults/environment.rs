//! `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` of the real program's environment.

use std::process::Command;
use std::time::Duration;

use dragoman::otlp::Signal;

use crate::backend::Backend;
use crate::client::{Client, sample};
use crate::process::{Dragoman, Running, file};
use crate::proxy::{OPENED, Proxy};

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The first line of what a proxy was asked next.
async fn next(proxy: &mut Proxy) -> String {
    let head = tokio::time::timeout(PATIENCE, proxy.heads.recv()).await.expect("the proxy was not asked").unwrap();
    head.lines().next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_environments_proxies_are_used_and_their_passwords_are_not_logged() {
    let folder = tempfile::tempdir().unwrap();
    let mut backend = Backend::start([]).await;
    let mut plain = Proxy::start(backend.address, OPENED).await;
    let mut tls = Proxy::start(backend.address, OPENED).await;
    // Names that nobody but the proxies can resolve; the last is an exception, and so never reached.
    let config = file(
        &folder,
        "config.yaml",
        "receivers: { otlp: { protocols: { grpc: { endpoint: 127.0.0.1:0 }, http: { endpoint: 127.0.0.1:0 } } } }
extensions: { health_check: { endpoint: 127.0.0.1:0 } }
exporters:
  otlp_http: { endpoint: 'http://a.invalid:4318' }
  otlp_grpc: { endpoint: 'b.invalid:4317', tls: { insecure: true } }
  otlp_http/direct: { endpoint: 'http://c.direct.invalid:4318', retry_on_failure: { enabled: false } }
service:
  extensions: [health_check]
  telemetry: { metrics: { address: 127.0.0.1:0 } }
  pipelines: { traces: { receivers: [otlp], exporters: [otlp_http, otlp_grpc, otlp_http/direct] } }
",
    );
    let mut command = Command::new(env!("CARGO_BIN_EXE_dragoman"));
    command
        .arg("--config")
        .arg(&config)
        .env("NO_COLOR", "1")
        .env("HTTP_PROXY", format!("http://user:hunter2@{}", plain.address))
        .env("HTTPS_PROXY", tls.address.to_string())
        .env("NO_PROXY", ".direct.invalid");
    let mut dragoman = Dragoman::run(&mut command);
    let answer = Client::http2(dragoman.grpc).await.call(Signal::Traces, &sample(Signal::Traces)).await;
    assert_eq!(answer.header("grpc-status"), "0", "{answer:?}");
    assert_eq!(next(&mut plain).await, "POST http://a.invalid:4318/v1/traces HTTP/1.1");
    assert_eq!(next(&mut tls).await, "CONNECT b.invalid:4317 HTTP/1.1");
    for _ in 0..2 {
        let seen = tokio::time::timeout(PATIENCE, backend.next()).await.expect("it never arrived");
        assert_eq!(seen.body, sample(Signal::Traces));
    }
    // The exception went to the resolver, which knows no such name.
    dragoman
        .process
        .wait_for("the third exporter's loss", |log| log.contains("otlp_http/direct: 2 spans").then_some(()));
    assert!(plain.heads.try_recv().is_err());
    dragoman.process.signal("TERM");
    dragoman.process.wait();
    assert!(!dragoman.process.log().contains("hunter2"), "{}", dragoman.process.log());
}

#[test]
fn a_proxy_that_cannot_be_used_is_said_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let config = file(
        &folder,
        "config.yaml",
        "receivers: { otlp: { protocols: { http: { endpoint: 127.0.0.1:0 } } } }
exporters: { otlp_grpc: { endpoint: 'b.invalid:4317', tls: { insecure: true } } }
service: { pipelines: { traces: { receivers: [otlp], exporters: [otlp_grpc] } } }
",
    );
    let mut command = Command::new(env!("CARGO_BIN_EXE_dragoman"));
    command.arg("--config").arg(&config).env("NO_COLOR", "1");
    command.env("HTTPS_PROXY", "socks5://user:hunter2@127.0.0.1:1080");
    let mut dragoman = Running::start("dragoman", &mut command);
    let code = dragoman.wait();
    let said = dragoman.log();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("HTTPS_PROXY") && said.contains("socks5"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}
