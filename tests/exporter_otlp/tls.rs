//! TLS: whom the exporter trusts, and whom it does not.

use std::io::Write;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::*;
use dragoman::exporter::otlp::StartError;
use dragoman::exporter::settings::Tls;

struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// Its certificate as PEM.
    file: tempfile::NamedTempFile,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(issuer.pem().as_bytes()).unwrap();
        Authority { issuer, file }
    }

    /// A server's configuration with a certificate for `name`.
    fn server(&self, name: &str, alpn: &[&str]) -> rustls::ServerConfig {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        config
    }

    fn trusted(&self) -> Tls {
        Tls { ca_file: Some(self.file.path().to_owned()), ..Tls::default() }
    }
}

/// What becomes of one request to a backend with a certificate for `name`.
async fn outcome(
    transport: Transport,
    authority: &Authority,
    name: &str,
    alpn: &[&str],
    tls: Tls,
) -> (Event, Option<Version>) {
    let mut backend = Backend::over(Some(authority.server(name, alpn)), []).await;
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
        let outcome = outcome(transport, &authority, "127.0.0.1", alpn, authority.trusted()).await;
        assert_eq!(outcome, (SENT, Some(version)), "{transport:?} {alpn:?}");
    }
}

#[tokio::test]
async fn a_stranger_gets_nothing() {
    let (authority, other) = (Authority::new(), Authority::new());
    for transport in BOTH {
        let unknown = outcome(transport, &authority, "127.0.0.1", &["h2"], other.trusted()).await;
        assert_eq!(unknown, (LOST, None), "another authority");
        let misnamed = outcome(transport, &authority, "backend.example", &["h2"], authority.trusted()).await;
        assert_eq!(misnamed, (LOST, None), "another name");
    }
}

#[tokio::test]
async fn the_name_and_the_trust_can_be_overridden() {
    let (authority, other) = (Authority::new(), Authority::new());
    for transport in BOTH {
        let named = Tls { server_name_override: Some("backend.example".into()), ..authority.trusted() };
        assert_eq!(outcome(transport, &authority, "backend.example", &["h2"], named).await.0, SENT);
        let anyone = Tls { insecure_skip_verify: true, ..other.trusted() };
        assert_eq!(outcome(transport, &authority, "backend.example", &["h2"], anyone).await.0, SENT);
    }
}

#[tokio::test]
async fn settings_that_cannot_work_are_said_at_the_start() {
    let start = |tls| {
        let settings = Otlp { tls, ..Otlp::new(Transport::Grpc, "localhost:4317") };
        let (sender, _events) = mpsc::channel(1);
        OtlpExporter::start("otlp/test", &settings, Arc::new(Events(sender))).unwrap_err()
    };
    let missing = start(Tls { ca_file: Some("/nowhere/ca.pem".into()), ..Tls::default() });
    assert!(matches!(missing, StartError::Tls(_)) && missing.to_string().contains("/nowhere/ca.pem"), "{missing}");
    let mut empty = tempfile::NamedTempFile::new().unwrap();
    empty.write_all(b"not a certificate").unwrap();
    let empty = start(Tls { ca_file: Some(empty.path().to_owned()), ..Tls::default() });
    assert!(empty.to_string().contains("it holds no certificate"), "{empty}");
    let authority = Authority::new();
    let name = start(Tls { server_name_override: Some("no name".into()), ..authority.trusted() });
    assert!(name.to_string().contains("server_name_override \"no name\""), "{name}");
}
