//! Connections of the exporters: what [`super::dial`] opened, and TLS over it where the URL says
//! `https`. What `tls` says is [`crate::net::tls`]'s.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use http::uri::Scheme;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tower_service::Service;

use super::cork::Corked;
use super::dial::{CONNECT_TIMEOUT, Dialed, Dialer};
use super::proxy::Proxies;
use super::settings::{Tls, Transport};
use crate::net::tls::{ClientTls, TlsError};

/// Opens connections, encrypted where the URL says `https`.
#[derive(Clone)]
pub(crate) struct Connector {
    dialer: Dialer,
    transport: Transport,
    /// Shared by the clones, of which hyper makes one for every connection.
    tls: Option<Arc<ClientTls>>,
}

impl Connector {
    /// A connector of the exporter at `path`. `encrypted` says whether any URL is `https`; if none is, no
    /// certificate is read.
    pub(crate) fn new(
        path: &str,
        transport: Transport,
        tls: &Tls,
        encrypted: bool,
        proxies: Arc<Proxies>,
    ) -> Result<Self, TlsError> {
        let dialer = Dialer::new(transport, proxies);
        let tls = match encrypted {
            true => Some(Arc::new(ClientTls::start(path, tls, alpn(transport))?)),
            false => None,
        };
        Ok(Connector { dialer, transport, tls })
    }
}

fn alpn(transport: Transport) -> &'static [&'static str] {
    match transport {
        Transport::Grpc => &["h2"],
        Transport::Http => &["h2", "http/1.1"],
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Corked<Stream>>;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.dialer.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let tls = match (uri.scheme() == Some(&Scheme::HTTPS), &self.tls) {
            (false, _) => None,
            (true, Some(tls)) => Some(Arc::clone(tls)),
            (true, None) => return Box::pin(async { Err("the connector was made for plain text".into()) }),
        };
        let server_name = match tls.as_ref().and_then(|tls| tls.server_name()) {
            Some(name) => Ok(name.clone()),
            // A URL writes an IPv6 address in brackets, a certificate does not.
            None => ServerName::try_from(uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned()),
        };
        let connecting = self.dialer.dial(uri);
        // gRPC is HTTP/2 always; HTTP/1.1 writes a request at once by itself.
        let is_corked = self.transport == Transport::Grpc;
        Box::pin(async move {
            let dialed = connecting.await?;
            let stream = match tls {
                None => Stream::Plain(dialed),
                Some(tls) => {
                    let handshake = tls.connector().connect(server_name?, dialed.stream);
                    let stream = tokio::time::timeout(CONNECT_TIMEOUT, handshake)
                        .await
                        .map_err(|_| "the TLS handshake took too long")?
                        .map_err(|error| format!("TLS handshake: {error}"))?;
                    Stream::Encrypted(Box::new(stream))
                }
            };
            Ok(TokioIo::new(Corked::new(stream, is_corked)))
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
