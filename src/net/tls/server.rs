//! A listener's side of TLS.

use std::io;
use std::sync::Arc;

use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::error::TlsError;
use super::pem;
use super::settings::ServerSettings;
use crate::net::reread::Live;

/// Takes handshakes, always with the certificates that the files hold now. A connection that is open
/// keeps those it began with.
#[derive(Debug)]
pub struct Acceptor(Live<ServerConfig>);

impl Acceptor {
    /// Reads the certificates. `name` is the path of the `tls` section, for the log. Must be called
    /// inside of a tokio runtime.
    ///
    /// # Errors
    /// What is wrong with the settings or the files.
    pub fn start(name: &str, settings: &ServerSettings) -> Result<Acceptor, TlsError> {
        let mut files: Vec<_> = settings.identity.files().collect();
        files.extend(settings.client_ca_file.clone().filter(|_| settings.client_ca_file_reload));
        let (every, settings) = (settings.reload_interval, settings.clone());
        Live::start(name.to_owned(), files, every, move || config(&settings)).map(Acceptor)
    }

    /// One handshake, without a time limit.
    pub(in crate::net) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        TlsAcceptor::from(self.0.get()).accept(stream).await
    }
}

fn config(settings: &ServerSettings) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(settings.versions.protocols())?;
    let builder = match &settings.client_ca_file {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            pem::add_file(&mut roots, "client_ca_file", path)?;
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(
                verifier.map_err(|error| TlsError::Setup(rustls::Error::General(error.to_string())))?,
            )
        }
    };
    let (chain, key) = settings.identity.load()?;
    let mut config = builder.with_single_cert(chain, key).map_err(|error| settings.identity.refused(error))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
