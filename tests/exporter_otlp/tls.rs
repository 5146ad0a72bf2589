//! TLS: whom the exporter trusts, and whom it does not.

use std::io::Write;
use std::path::Path;

use rustls::version::{TLS12, TLS13};

use super::*;
use crate::authority::{ALL_VERSIONS, Authority, Pair, swap};
use dragoman::exporter::otlp::StartError;
use dragoman::exporter::settings::Tls;
use dragoman::net::tls::Version::{V1_2, V1_3};
use dragoman::net::tls::{Identity, Pem, Versions};

fn trusting(authority: &Authority) -> Tls {
    Tls { ca_pem: Some(authority.pem().into()), ..Tls::default() }
}

/// What becomes of one request to a backend with a certificate for `name`.
async fn outcome(
    transport: Transport,
    authority: &Authority,
    name: &str,
    alpn: &[&str],
    tls: Tls,
) -> (Event, Option<Version>) {
    outcome_of(transport, authority.server(&authority.issue(name), false, ALL_VERSIONS, alpn), tls).await
}

/// As [`outcome`], with a backend of the test's own.
async fn outcome_of(transport: Transport, server: rustls::ServerConfig, tls: Tls) -> (Event, Option<Version>) {
    let mut backend = Backend::over(Some(server), []).await;
    let mut rig = Rig::new(transport, &backend, |settings| {
        settings.endpoint = match transport {
            // gRPC encrypts without being told.
            Transport::Grpc => backend.address.to_string(),
            Transport::Http => format!("https://{}", backend.address),
        };
        settings.tls = tls;
        settings.retry.enabled = false;
    });
    rig.send(Signal::Traces, "spans", 1);
    let event = rig.event().await;
    (event, backend.seen.try_recv().ok().map(|seen| seen.version))
}

const SENT: Event = Event::Sent(Signal::Traces, 1);
const LOST: Event = Event::Failed(Signal::Traces, 1, Loss::RetriesExhausted);

#[tokio::test]
async fn a_certificate_of_a_trusted_authority_is_taken() {
    let authority = Authority::new();
    let all = ["h2", "http/1.1"];
    let table = [
        (Transport::Grpc, &all[..], Version::HTTP_2),
        (Transport::Http, &all, Version::HTTP_2),
        (Transport::Http, &["http/1.1"], Version::HTTP_11),
        (Transport::Http, &[], Version::HTTP_11),
    ];
    for (transport, alpn, version) in table {
        let outcome = outcome(transport, &authority, "127.0.0.1", alpn, trusting(&authority)).await;
        assert_eq!(outcome, (SENT, Some(version)), "{transport:?} {alpn:?}");
    }
}

#[tokio::test]
async fn a_stranger_gets_nothing() {
    let (authority, other) = (Authority::new(), Authority::new());
    for transport in BOTH {
        let unknown = outcome(transport, &authority, "127.0.0.1", &["h2"], trusting(&other)).await;
        assert_eq!(unknown, (LOST, None), "another authority");
        let misnamed = outcome(transport, &authority, "backend.example", &["h2"], trusting(&authority)).await;
        assert_eq!(misnamed, (LOST, None), "another name");
    }
}

#[tokio::test]
async fn the_name_and_the_trust_can_be_overridden() {
    let (authority, other) = (Authority::new(), Authority::new());
    for transport in BOTH {
        let named = Tls { server_name_override: Some("backend.example".into()), ..trusting(&authority) };
        assert_eq!(outcome(transport, &authority, "backend.example", &["h2"], named).await.0, SENT);
        let anyone = Tls { insecure_skip_verify: true, ..trusting(&other) };
        assert_eq!(outcome(transport, &authority, "backend.example", &["h2"], anyone).await.0, SENT);
    }
}

#[tokio::test]
async fn settings_that_cannot_work_are_said_at_the_start() {
    let start = |tls| {
        let settings = Otlp { tls, ..Otlp::new(Transport::Grpc, "localhost:4317") };
        let (sender, _events) = mpsc::channel(1);
        OtlpExporter::start("otlp/test", &settings, Arc::new(Events(sender, Arc::default()))).unwrap_err()
    };
    let missing = start(Tls { ca_file: Some("/nowhere/ca.pem".into()), ..Tls::default() });
    assert!(matches!(missing, StartError::Tls(_)) && missing.to_string().contains("/nowhere/ca.pem"), "{missing}");
    let mut empty = tempfile::NamedTempFile::new().unwrap();
    empty.write_all(b"not a certificate").unwrap();
    let empty = start(Tls { ca_file: Some(empty.path().to_owned()), ..Tls::default() });
    assert!(empty.to_string().contains("it holds no certificate"), "{empty}");
    let authority = Authority::new();
    let name = start(Tls { server_name_override: Some("no name".into()), ..trusting(&authority) });
    assert!(name.to_string().contains("server_name_override \"no name\""), "{name}");
}

#[tokio::test]
async fn authorities_come_from_a_file_a_text_or_beside_the_systems() {
    let authority = Authority::new();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(authority.pem().as_bytes()).unwrap();
    let from_file = Tls { ca_file: Some(file.path().to_owned()), ..Tls::default() };
    let with_system = Tls { include_system_ca_certs_pool: true, ..trusting(&authority) };
    for transport in BOTH {
        for tls in [from_file.clone(), trusting(&authority), with_system.clone()] {
            assert_eq!(outcome(transport, &authority, "127.0.0.1", &["h2"], tls).await.0, SENT);
        }
    }
}

/// The certificate and key that [`Pair::write`] wrote.
fn identity(folder: &Path) -> Option<Identity> {
    let file = |name: &str| Pem::File(folder.join(name));
    Some(Identity { certificate: file("tls.crt"), key: file("tls.key") })
}

fn as_text(pair: &Pair) -> Option<Identity> {
    let text = |pem: &str| Pem::Text(pem.into());
    Some(Identity { certificate: text(&pair.certificate), key: text(&pair.key) })
}

#[tokio::test]
async fn a_backend_that_asks_for_a_certificate_gets_the_configured_one() {
    let (authority, other) = (Authority::new(), Authority::new());
    let folder = tempfile::tempdir().unwrap();
    let (right, wrong) = (authority.issue("client"), other.issue("client"));
    right.write(folder.path());
    for transport in BOTH {
        for versions in [&[&TLS12][..], &[&TLS13]] {
            for (identity, expected) in
                [(identity(folder.path()), SENT), (as_text(&right), SENT), (as_text(&wrong), LOST), (None, LOST)]
            {
                let server = authority.server(&authority.issue("127.0.0.1"), true, versions, &["h2"]);
                let tls = Tls { identity, ..trusting(&authority) };
                assert_eq!(outcome_of(transport, server, tls).await.0, expected, "{transport:?} {versions:?}");
            }
        }
    }
}

#[tokio::test]
async fn versions_below_and_above_what_is_allowed_are_not_spoken() {
    let authority = Authority::new();
    let pair = authority.issue("127.0.0.1");
    for transport in BOTH {
        for (server, min, max, expected) in [
            (&TLS12, V1_2, V1_3, SENT),
            (&TLS13, V1_2, V1_3, SENT),
            (&TLS12, V1_3, V1_3, LOST),
            (&TLS13, V1_2, V1_2, LOST),
        ] {
            let server = authority.server(&pair, false, &[server], &["h2"]);
            let tls = Tls { versions: Versions { min, max }, ..trusting(&authority) };
            assert_eq!(outcome_of(transport, server, tls).await.0, expected, "{transport:?} {min:?} {max:?}");
        }
    }
}

/// What the client names in its first message is what the server chooses its certificate by.
#[tokio::test]
async fn the_server_is_asked_for_by_the_name_it_is_to_have() {
    let authority = Authority::new();
    for transport in BOTH {
        let pair = authority.issue("backend.example");
        let mut server = authority.server(&pair, false, ALL_VERSIONS, &["h2"]);
        let mut by_name = rustls::server::ResolvesServerCertUsingSni::new();
        let provider = rustls::crypto::ring::default_provider();
        let key = rustls::sign::CertifiedKey::from_der(pair.parts().0, pair.parts().1, &provider).unwrap();
        by_name.add("backend.example", key).unwrap();
        server.cert_resolver = Arc::new(by_name);
        let named = Tls { server_name_override: Some("backend.example".into()), ..trusting(&authority) };
        assert_eq!(outcome_of(transport, server.clone(), named).await.0, SENT);
        assert_eq!(outcome_of(transport, server, trusting(&authority)).await.0, LOST, "by its address");
    }
}

/// A certificate that the backend refuses is replaced, as the kubelet replaces it; a retry delivers.
#[tokio::test]
async fn a_certificate_that_was_replaced_is_used_for_the_next_connection() {
    let (authority, other) = (Authority::new(), Authority::new());
    for transport in BOTH {
        let folder = tempfile::tempdir().unwrap();
        for (version, issuer) in [("v1", &other), ("v2", &authority)] {
            std::fs::create_dir(folder.path().join(version)).unwrap();
            issuer.issue("client").write(&folder.path().join(version));
        }
        swap(folder.path(), "v1");
        let server = authority.server(&authority.issue("127.0.0.1"), true, ALL_VERSIONS, &["h2"]);
        let backend = Backend::over(Some(server), []).await;
        let mut rig = Rig::new(transport, &backend, |settings| {
            settings.endpoint = format!("https://{}", backend.address);
            settings.tls = Tls {
                identity: identity(&folder.path().join("current")),
                reload_interval: Duration::from_millis(10),
                ..trusting(&authority)
            };
            settings.retry.max_interval = Duration::from_millis(20);
            settings.retry.max_elapsed_time = Duration::from_secs(60);
        });
        rig.send(Signal::Traces, "spans", 1);
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(rig.events.try_recv().is_err(), "the first certificate was taken");
        swap(folder.path(), "v2");
        assert_eq!(rig.event().await, SENT);
    }
}

/// The backend's authority is replaced by another, in its file.
#[tokio::test]
async fn an_authority_that_was_replaced_is_trusted() {
    let (authority, other) = (Authority::new(), Authority::new());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.crt");
    for transport in BOTH {
        std::fs::write(&file, other.pem()).unwrap();
        let server = authority.server(&authority.issue("127.0.0.1"), false, ALL_VERSIONS, &["h2"]);
        let backend = Backend::over(Some(server), []).await;
        let mut rig = Rig::new(transport, &backend, |settings| {
            settings.endpoint = format!("https://{}", backend.address);
            settings.tls.ca_file = Some(file.clone());
            settings.tls.reload_interval = Duration::from_millis(10);
            settings.retry.max_interval = Duration::from_millis(20);
            settings.retry.max_elapsed_time = Duration::from_secs(60);
        });
        rig.send(Signal::Traces, "spans", 1);
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(rig.events.try_recv().is_err(), "a stranger was trusted");
        std::fs::write(&file, authority.pem()).unwrap();
        assert_eq!(rig.event().await, SENT);
    }
}
