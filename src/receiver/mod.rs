//! OTLP over gRPC and over HTTP: bytes in.
//!
//! A receiver reads, bounds and decompresses a request, brings it into its wire form, hands it to a
//! [`Consumer`], and answers. What a request holds is the consumer's business; sockets and their
//! timeouts are [`crate::net`]'s. Both transports and all three signals are one path: a transport
//! says how a body is found in a request and how an answer is written.

mod access;
mod body;
mod grpc;
mod http;
mod intake;
mod reply;
pub mod settings;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::auth::Guard;
use crate::net::tls::{Acceptor, TlsError};
use crate::net::{self, BindError, Drained, Handler, Limits, Listener};
use crate::pipeline::Consumer;
use access::Access;
pub use intake::{Intake, JsonDecoder, Observer, Transport};
use settings::{Connection, Settings};

/// HTTP/2 requests at a time on one connection of the HTTP listener, which has no setting for it.
const HTTP_MAX_CONCURRENT_STREAMS: u32 = 128;

/// Why a receiver cannot be started. Nothing was accepted.
#[derive(Debug, Error)]
pub enum StartError {
    /// A port could not be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Its TLS settings.
    #[error("{setting}.{source}")]
    Tls {
        /// The path of the protocol's section.
        setting: String,
        /// What is wrong.
        source: TlsError,
    },
}

/// The `otlp` receiver.
#[derive(Debug, Clone, Copy)]
pub struct Receiver;

impl Receiver {
    /// Reads the certificates and binds the endpoints of the receiver `id` (such as `otlp` or `otlp/2`).
    /// Nothing is accepted before [`Bound::serve`], so every listener of the program can be bound first.
    ///
    /// # Errors
    /// [`StartError`], whose text names the endpoint or the file, the setting, and what to do.
    pub async fn bind(id: &str, settings: &Settings) -> Result<Bound, StartError> {
        let setting = |protocol| format!("receivers.{id}.protocols.{protocol}");
        let grpc = match &settings.grpc {
            Some(grpc) => Some((listener(&setting("grpc"), &grpc.endpoint, &grpc.connection).await?, grpc.clone())),
            None => None,
        };
        let http = match &settings.http {
            Some(http) => Some((listener(&setting("http"), &http.endpoint, &http.connection).await?, http.clone())),
            None => None,
        };
        Ok(Bound { grpc, http, guards: Guards::default() })
    }
}

async fn listener(setting: &str, endpoint: &str, connection: &Connection) -> Result<Listener, StartError> {
    let acceptor = connection.tls.as_ref().map(|tls| Acceptor::start(&format!("{setting}.tls"), tls)).transpose();
    let acceptor = acceptor.map_err(|source| StartError::Tls { setting: setting.to_owned(), source })?;
    let tcp = net::bind(endpoint, &format!("{setting}.endpoint")).await?;
    Ok(Listener::from(tcp).with_tls(acceptor))
}

/// Who lets requests in, by protocol; everybody is let in where there is none.
#[derive(Debug, Clone, Default)]
pub struct Guards {
    /// Of `protocols.grpc`.
    pub grpc: Option<Arc<Guard>>,
    /// Of `protocols.http`.
    pub http: Option<Arc<Guard>>,
}

/// A receiver whose ports are taken and that accepts nothing yet.
#[derive(Debug)]
pub struct Bound {
    grpc: Option<(Listener, settings::Grpc)>,
    http: Option<(Listener, settings::Http)>,
    guards: Guards,
}

impl Bound {
    /// Requests are let in by these.
    pub fn guarded(self, guards: Guards) -> Bound {
        Bound { guards, ..self }
    }

    /// Where gRPC is listened for, if it is.
    pub fn grpc_addr(&self) -> Option<SocketAddr> {
        self.grpc.as_ref().and_then(|(listener, _)| listener.local_addr().ok())
    }

    /// Where HTTP is listened for, if it is.
    pub fn http_addr(&self) -> Option<SocketAddr> {
        self.http.as_ref().and_then(|(listener, _)| listener.local_addr().ok())
    }

    /// Serves until `shutdown` is cancelled; then requests in flight have `drain` to finish.
    pub async fn serve(self, intake: Intake, shutdown: CancellationToken, drain: Duration) -> Drained {
        let grpc = async {
            let Some((listener, settings)) = self.grpc else { return Drained::All };
            let limits = limits(&settings.connection, settings.max_concurrent_streams, drain);
            let handler = grpc::Grpc { intake: intake.clone(), settings, access: Access(self.guards.grpc) };
            listen(reporting(listener, &intake, Transport::Grpc), handler, limits, &shutdown).await
        };
        let http = async {
            let Some((listener, settings)) = self.http else { return Drained::All };
            let limits = limits(&settings.connection, HTTP_MAX_CONCURRENT_STREAMS, drain);
            let handler = http::Http { intake: intake.clone(), settings, access: Access(self.guards.http) };
            listen(reporting(listener, &intake, Transport::Http), handler, limits, &shutdown).await
        };
        match tokio::join!(grpc, http) {
            (Drained::All, Drained::All) => Drained::All,
            _ => Drained::Cut,
        }
    }
}

fn reporting(listener: Listener, intake: &Intake, transport: Transport) -> Listener {
    let observer = Arc::clone(&intake.observer);
    listener.on_failed_handshake(move || observer.handshake_failed(transport))
}

async fn listen<H: Handler>(listener: Listener, handler: H, limits: Limits, shutdown: &CancellationToken) -> Drained {
    net::serve(listener, Arc::new(handler), limits, shutdown.clone()).await
}

fn limits(connection: &Connection, max_concurrent_streams: u32, drain: Duration) -> Limits {
    Limits {
        header_timeout: connection.header_timeout,
        idle_timeout: connection.idle_timeout,
        max_connections: connection.max_connections,
        max_concurrent_streams,
        drain,
    }
}
