//! Connections of the exporters: what [`super::dial`] opened, and TLS over it where the URL says
//! `https`.

use http::Uri;
use http::uri::Scheme;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower_service::Service;

use super::dial::{CONNECT_TIMEOUT, Dialed, Dialer};
use super::proxy::Proxies;
use super::settings::{Tls, Transport};

/// Why TLS cannot be set up.
#[derive(Debug, Error)]
pub enum TlsError {
    /// `ca_file` could not be read, or is no PEM file.
    #[error("tls.ca_file {path:?} cannot be read: {error}")]
    CaFile {
        /// The file.
        path: PathBuf,
        /// Why.
        error: rustls_pki_types::pem::Error,
    },
    /// `ca_file` has no certificate, or one that is none.
    #[error("tls.ca_file {path:?}: {reason}; expected PEM certificates of certificate authorities")]
    CaContent {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The system trusts nobody.
    #[error("no trusted certificate was found on this system{reason}; set tls.ca_file, or tls.insecure for plain text")]
    NoSystemRoots {
        /// What was tried.
        reason: String,
    },
    /// `server_name_override` is neither a DNS name nor an IP address.
    #[error("tls.server_name_override {name:?} is neither a DNS name nor an IP address")]
    ServerName {
        /// What was said.
        name: String,
    },
    /// rustls refused its configuration.
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
}

/// Opens connections, encrypted where the URL says `https`.
#[derive(Clone)]
pub(crate) struct Connector {
    dialer: Dialer,
    tls: Option<TlsConnector>,
    server_name: Option<ServerName<'static>>,
}

impl Connector {
    /// A connector. `encrypted` says whether any URL is `https`; if none is, no certificate is read.
    pub(crate) fn new(
        transport: Transport,
        tls: &Tls,
        encrypted: bool,
        proxies: Arc<Proxies>,
    ) -> Result<Self, TlsError> {
        let dialer = Dialer::new(transport, proxies);
        let server_name = match &tls.server_name_override {
            Some(name) => {
                let parsed = ServerName::try_from(name.clone());
                Some(parsed.map_err(|_| TlsError::ServerName { name: name.clone() })?)
            }
            None => None,
        };
        let tls = match encrypted {
            true => Some(TlsConnector::from(Arc::new(client_config(transport, tls)?))),
            false => None,
        };
        Ok(Connector { dialer, tls, server_name })
    }
}

fn client_config(transport: Transport, tls: &Tls) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    let mut config = match tls.insecure_skip_verify {
        true => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(TrustAnyone(provider))).with_no_client_auth()
        }
        false => builder.with_root_certificates(roots(tls)?).with_no_client_auth(),
    };
    config.alpn_protocols = match transport {
        Transport::Grpc => vec![b"h2".to_vec()],
        Transport::Http => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
    };
    Ok(config)
}

fn roots(tls: &Tls) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    let Some(path) = &tls.ca_file else {
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            let reason = found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
            return Err(TlsError::NoSystemRoots { reason });
        }
        return Ok(roots);
    };
    let unreadable = |error| TlsError::CaFile { path: path.clone(), error };
    for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
        let certificate = certificate.map_err(unreadable)?;
        roots
            .add(certificate)
            .map_err(|error| TlsError::CaContent { path: path.clone(), reason: error.to_string() })?;
    }
    if roots.is_empty() {
        return Err(TlsError::CaContent { path: path.clone(), reason: "it holds no certificate".into() });
    }
    Ok(roots)
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.dialer.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let tls = match (uri.scheme() == Some(&Scheme::HTTPS), &self.tls) {
            (false, _) => None,
            (true, Some(tls)) => Some(tls.clone()),
            (true, None) => return Box::pin(async { Err("the connector was made for plain text".into()) }),
        };
        let server_name = match &self.server_name {
            Some(name) => Ok(name.clone()),
            // A URL writes an IPv6 address in brackets, a certificate does not.
            None => ServerName::try_from(uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned()),
        };
        let connecting = self.dialer.dial(uri);
        Box::pin(async move {
            let dialed = connecting.await?;
            let stream = match tls {
                None => Stream::Plain(dialed),
                Some(tls) => {
                    let handshake = tls.connect(server_name?, dialed.stream);
                    let stream = tokio::time::timeout(CONNECT_TIMEOUT, handshake)
                        .await
                        .map_err(|_| "the TLS handshake took too long")?
                        .map_err(|error| format!("TLS handshake: {error}"))?;
                    Stream::Encrypted(Box::new(stream))
                }
            };
            Ok(TokioIo::new(stream))
        })
    }
}

/// An open connection.
#[derive(Debug)]
pub(crate) enum Stream {
    /// TCP.
    Plain(Dialed),
    /// TLS over TCP.
    Encrypted(Box<TlsStream<TcpStream>>),
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        match self {
            Stream::Encrypted(tls) if tls.get_ref().1.alpn_protocol() == Some(b"h2") => {
                Connected::new().negotiated_h2()
            }
            Stream::Plain(dialed) => Connected::new().proxy(dialed.forwarded),
            Stream::Encrypted(_) => Connected::new(),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(dialed) => Pin::new(&mut dialed.stream).poll_read(cx, buf),
            Stream::Encrypted(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(dialed) => Pin::new(&mut dialed.stream).poll_write(cx, buf),
            Stream::Encrypted(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(dialed) => Pin::new(&mut dialed.stream).poll_write_vectored(cx, bufs),
            Stream::Encrypted(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Stream::Plain(dialed) => dialed.stream.is_write_vectored(),
            Stream::Encrypted(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(dialed) => Pin::new(&mut dialed.stream).poll_flush(cx),
            Stream::Encrypted(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(dialed) => Pin::new(&mut dialed.stream).poll_shutdown(cx),
            Stream::Encrypted(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
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
