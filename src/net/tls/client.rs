//! A client's side of TLS: whom it trusts, who it is.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::TlsConnector;

use super::error::TlsError;
use super::pem;
use super::settings::ClientSettings;
use crate::net::reread::Live;

/// Makes handshakes, always with the certificates that the files hold now.
#[derive(Debug)]
pub struct ClientTls {
    config: Live<ClientConfig>,
    server_name: Option<ServerName<'static>>,
}

impl ClientTls {
    /// Reads the certificates. `name` is the path of the component, for the log; `alpn` what is
    /// offered, best first. Must be called inside of a tokio runtime.
    ///
    /// # Errors
    /// What is wrong with the settings or the files.
    pub fn start(name: &str, settings: &ClientSettings, alpn: &'static [&'static str]) -> Result<ClientTls, TlsError> {
        let server_name = settings.server_name()?;
        let mut files: Vec<_> = settings.identity.iter().flat_map(|identity| identity.files()).collect();
        files.extend(settings.ca_file.clone());
        let (every, settings) = (settings.reload_interval, settings.clone());
        let config = Live::start(format!("{name}.tls"), files, every, move || config(&settings, alpn))?;
        Ok(ClientTls { config, server_name })
    }

    /// For the next connection.
    pub fn connector(&self) -> TlsConnector {
        TlsConnector::from(self.config.get())
    }

    /// The name that the server's certificate must have, and that it is asked for (SNI), if it is not
    /// the endpoint's.
    pub fn server_name(&self) -> Option<&ServerName<'static>> {
        self.server_name.as_ref()
    }
}

impl ClientSettings {
    /// `server_name_override`, read.
    fn server_name(&self) -> Result<Option<ServerName<'static>>, TlsError> {
        let Some(name) = &self.server_name_override else { return Ok(None) };
        let parsed = ServerName::try_from(name.clone());
        Ok(Some(parsed.map_err(|_| TlsError::ServerName { name: name.clone() })?))
    }
}

fn config(settings: &ClientSettings, alpn: &[&str]) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(settings.versions.protocols())?;
    let builder = match settings.insecure_skip_verify {
        true => builder.dangerous().with_custom_certificate_verifier(Arc::new(TrustAnyone(provider))),
        false => builder.with_root_certificates(roots(settings)?),
    };
    let mut config = match &settings.identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let (chain, key) = identity.load()?;
            builder.with_client_auth_cert(chain, key).map_err(|error| identity.refused(error))?
        }
    };
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    Ok(config)
}

fn roots(settings: &ClientSettings) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    if !settings.has_own_authorities() || settings.include_system_ca_certs_pool {
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() && !settings.has_own_authorities() {
            let reason = found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
            return Err(TlsError::NoSystemRoots { reason });
        }
    }
    if let Some(path) = &settings.ca_file {
        pem::add_file(&mut roots, "ca_file", path)?;
    }
    if let Some(text) = &settings.ca_pem {
        pem::add_text(&mut roots, "ca_pem", text)?;
    }
    Ok(roots)
}

/// `insecure_skip_verify`: any certificate will do, as long as the peer has its key.
#[derive(Debug)]
struct TrustAnyone(Arc<CryptoProvider>);

impl ServerCertVerifier for TrustAnyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
