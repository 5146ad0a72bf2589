//! Listeners that speak TLS.

use std::time::Duration;

use dragoman::otlp::Signal;
use http::Request;
use http_body_util::Full;
use rustls::version::{TLS12, TLS13};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::authority::{ALL_VERSIONS, Authority, Pair};
use crate::client::Client;
use crate::rig::{Rig, plan};
use crate::support::{BOTH, ask, is_taken, post, send, service, tls, yaml};

const FAILED: &str = "dragoman_tls_handshake_failures_total";

#[tokio::test]
async fn both_listeners_speak_tls_over_either_http_version() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    authority.issue("localhost").write(folder.path());
    let rig = service(&tls(folder.path(), ""), &[]).await;
    for transport in BOTH {
        let config = authority.client(None, ALL_VERSIONS, &["h2", "http/1.1"]);
        let answer = send(&rig, transport, &config).await;
        assert!(is_taken(&answer), "{transport}: {answer:?}");
    }
    for alpn in [&["http/1.1"][..], &[]] {
        let answer = send(&rig, "OTLP HTTP", &authority.client(None, ALL_VERSIONS, alpn)).await;
        assert!(is_taken(&answer), "{alpn:?}: {answer:?}");
    }
    assert_eq!(rig.books().await.sum(FAILED, &[]), 0);
}

#[tokio::test]
async fn a_failed_handshake_ends_that_connection_and_is_counted() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    authority.issue("localhost").write(folder.path());
    let rig = service(&tls(folder.path(), ""), &[]).await;
    for transport in BOTH {
        let mut plain = TcpStream::connect(rig.address(transport)).await.unwrap();
        plain.write_all(b"POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        #[allow(clippy::disallowed_methods, reason = "limited")]
        plain.take(1 << 16).read_to_end(&mut answer).await.ok();
        assert!(!answer.starts_with(b"HTTP"), "plain text was answered: {answer:?}");
        let stranger = send(&rig, transport, &Authority::new().client(None, ALL_VERSIONS, &["h2"])).await;
        assert!(!is_taken(&stranger));
        assert!(is_taken(&send(&rig, transport, &authority.client(None, ALL_VERSIONS, &["h2"])).await));
    }
    for listener in ["grpc", "http"] {
        let listener = format!("listener=\"receivers.otlp.protocols.{listener}\"");
        rig.books_when(|books| books.sum(FAILED, &[&listener]) == 2).await;
    }
}

#[tokio::test]
async fn only_clients_with_a_certificate_of_the_named_authority_are_let_in() {
    let (folder, authority, clients) = (tempfile::tempdir().unwrap(), Authority::new(), Authority::new());
    authority.issue("localhost").write(folder.path());
    let file = folder.path().join("clients.crt");
    std::fs::write(&file, clients.pem()).unwrap();
    let rig = service(&tls(folder.path(), &format!("client_ca_file: {}", file.display())), &[]).await;
    assert!(rig.running.addresses().iter().filter(|address| address.what.starts_with("OTLP")).all(|a| a.is_guarded));
    for transport in BOTH {
        for versions in [&[&TLS12][..], &[&TLS13]] {
            let ask = async |identity: Option<Pair>| {
                send(&rig, transport, &authority.client(identity.as_ref(), versions, &["h2"])).await
            };
            let right = ask(Some(clients.issue("client"))).await;
            assert!(is_taken(&right), "{transport} {versions:?}: {right:?}");
            assert!(!is_taken(&ask(None).await), "{transport}: none");
            assert!(!is_taken(&ask(Some(authority.issue("client"))).await), "{transport}: another authority's");
        }
    }
    rig.books_when(|books| books.sum(FAILED, &[]) == 8).await;
}

#[tokio::test]
async fn versions_are_bounded_on_both_ends() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    authority.issue("localhost").write(folder.path());
    for (settings, takes_12, takes_13) in [
        ("", true, true),
        ("min_version: '1.3'", false, true),
        ("max_version: '1.2'", true, false),
        ("min_version: '1.2', max_version: '1.3'", true, true),
    ] {
        let rig = service(&tls(folder.path(), settings), &[]).await;
        for transport in BOTH {
            let old = send(&rig, transport, &authority.client(None, &[&TLS12], &["h2"])).await;
            let new = send(&rig, transport, &authority.client(None, &[&TLS13], &["h2"])).await;
            assert_eq!((is_taken(&old), is_taken(&new)), (takes_12, takes_13), "{settings} {transport}");
        }
    }
}

/// One that connects and says nothing is ended after the header timeout. Meanwhile it has one of the
/// connections, and holds up nobody else.
#[tokio::test]
async fn a_handshake_has_the_header_timeout() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    authority.issue("localhost").write(folder.path());
    let config = authority.client(None, ALL_VERSIONS, &["h2"]);
    let slow = format!("{}, read_header_timeout: 1h, max_connections: 2", tls(folder.path(), ""));
    let rig = service(&slow, &[]).await;
    for transport in BOTH {
        let _silent = TcpStream::connect(rig.address(transport)).await.unwrap();
        assert!(is_taken(&send(&rig, transport, &config).await), "{transport}: held up");
    }

    let quick = format!("{}, read_header_timeout: 50ms, max_connections: 1", tls(folder.path(), ""));
    let rig = service(&quick, &[]).await;
    for transport in BOTH {
        let mut silent = TcpStream::connect(rig.address(transport)).await.unwrap();
        // There is one place, which is free again only when the silent one has lost it. On a busy machine a
        // handshake of ours may take longer as well.
        let ours = async { while !is_taken(&send(&rig, transport, &config).await) {} };
        let taken = tokio::time::timeout(Duration::from_secs(60), ours).await;
        assert!(taken.is_ok(), "{transport}");
        assert!(matches!(silent.read(&mut [0; 16]).await, Ok(0) | Err(_)), "{transport}: it is still open");
    }
    rig.books_when(|books| books.sum(FAILED, &[]) >= 2).await;
}

#[tokio::test]
async fn pages_speak_tls_where_they_are_told_to() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    authority.issue("localhost").write(folder.path());
    let tls = tls(folder.path(), "");
    let yaml = yaml("", &[("health_check", &format!("{{ endpoint: '127.0.0.1:0', {tls} }}"))]);
    let prometheus = format!("exporters: {{ debug: {{}}, prometheus: {{ endpoint: '127.0.0.1:0', {tls} }} }}");
    let yaml = yaml.replace("exporters: { debug: {} }", &prometheus).replace(
        "metrics: { receivers: [otlp], exporters: [debug] }",
        "metrics: { receivers: [otlp], exporters: [debug, prometheus] }",
    );
    let rig = Rig::start(plan(&yaml)).await;
    let config = authority.client(None, ALL_VERSIONS, &["http/1.1"]);
    for (what, path) in [("health", "/"), ("Prometheus", "/metrics")] {
        let get = Request::get(format!("https://localhost{path}")).body(Full::default()).unwrap();
        assert_eq!(ask(rig.address(what), "localhost", &config, get).await.unwrap().status, 200, "{what}");
    }
}

/// A refusal over TLS is as one in plain text, also while the client is still sending.
#[tokio::test]
async fn refusals_arrive_over_tls() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    authority.issue("localhost").write(folder.path());
    let settings = format!("{}, max_request_body_size: 1024", tls(folder.path(), ""));
    let yaml = yaml("", &[]).replacen(
        "http: { endpoint: '127.0.0.1:0',  }",
        &format!("http: {{ endpoint: '127.0.0.1:0', {settings} }}"),
        1,
    );
    let rig = Rig::start(plan(&yaml)).await;
    for alpn in ["h2", "http/1.1"] {
        let mut request = post(Signal::Traces);
        *request.body_mut() = Full::new(vec![0; 2 << 20].into());
        let config = authority.client(None, ALL_VERSIONS, &[alpn]);
        let answer = ask(rig.address("OTLP HTTP"), "localhost", &config, request).await.unwrap();
        assert_eq!(answer.status, 413, "{alpn}");
    }
    // The other listener stayed as it was.
    let answer = Client::http2(rig.address("OTLP gRPC")).await.call(Signal::Traces, b"").await;
    assert_eq!(answer.header("grpc-status"), "0");
}
