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

use ::http::{Request, Response};
use hyper::body::Incoming;
use thiserror::Error;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use self::grpc::Grpc;
pub use self::http::Http;
use crate::auth::Guard;
use crate::net::tls::{Acceptor, ServerSettings, TlsError};
use crate::net::{self, BindError, Drained, Handler, Limits, Listener};
use crate::pipeline::Consumer;
use access::Access;
pub use intake::{Intake, JsonDecoder, Observer, Transport};
pub use reply::Reply;
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
        let mut ports = Vec::new();
        for protocol in Protocol::of(settings) {
            let setting = format!("receivers.{id}.protocols.{}", protocol.transport().name());
            let acceptor = protocol.tls().map(|tls| Acceptor::start(&format!("{setting}.tls"), tls)).transpose();
            let acceptor = acceptor.map_err(|source| StartError::Tls { setting: setting.clone(), source })?;
            let tcp = net::bind(protocol.endpoint(), &format!("{setting}.endpoint")).await?;
            ports.push((Listener::from(tcp).with_tls(acceptor), protocol));
        }
        Ok(Bound { ports, guards: Guards::default() })
    }
}

/// Who lets requests in, by protocol; everybody is let in where there is none.
#[derive(Debug, Clone, Default)]
pub struct Guards {
    /// Of `protocols.grpc`.
    pub grpc: Option<Arc<Guard>>,
    /// Of `protocols.http`.
    pub http: Option<Arc<Guard>>,
}

/// One protocol of a receiver.
#[derive(Debug, Clone, PartialEq)]
pub enum Protocol {
    /// OTLP/gRPC.
    Grpc(settings::Grpc),
    /// OTLP/HTTP.
    Http(settings::Http),
}

impl Protocol {
    /// Those that a receiver has.
    pub fn of(settings: &Settings) -> impl Iterator<Item = Protocol> + use<> {
        let grpc = settings.grpc.clone().map(Protocol::Grpc);
        let http = settings.http.clone().map(Protocol::Http);
        grpc.into_iter().chain(http)
    }

    /// Which it is.
    pub fn transport(&self) -> Transport {
        match self {
            Protocol::Grpc(_) => Transport::Grpc,
            Protocol::Http(_) => Transport::Http,
        }
    }

    /// Where it is to be listened for: `host:port`, as it was configured.
    pub fn endpoint(&self) -> &str {
        match self {
            Protocol::Grpc(grpc) => &grpc.endpoint,
            Protocol::Http(http) => &http.endpoint,
        }
    }

    /// What all protocols have.
    pub fn connection(&self) -> &Connection {
        match self {
            Protocol::Grpc(grpc) => &grpc.connection,
            Protocol::Http(http) => &http.connection,
        }
    }

    /// `tls`, if it is not spoken in plain text.
    pub fn tls(&self) -> Option<&ServerSettings> {
        self.connection().tls.as_ref()
    }

    /// What answers whom `guard` lets in, and the bounds of its connections. At the end, requests in
    /// flight have `drain` to finish.
    pub fn answers(self, intake: Intake, guard: Option<Arc<Guard>>, drain: Duration) -> (Answers, Limits) {
        let access = Access(guard);
        match self {
            Protocol::Grpc(settings) => {
                let limits = limits(&settings.connection, settings.max_concurrent_streams, drain);
                (Answers::Grpc(Grpc { intake, settings, access }), limits)
            }
            Protocol::Http(settings) => {
                let limits = limits(&settings.connection, HTTP_MAX_CONCURRENT_STREAMS, drain);
                (Answers::Http(Http { intake, settings, access }), limits)
            }
        }
    }
}

/// What answers the requests of one protocol, for [`crate::net::serve`].
#[derive(Debug)]
pub enum Answers {
    /// OTLP/gRPC.
    Grpc(Grpc),
    /// OTLP/HTTP.
    Http(Http),
}

impl Handler for Answers {
    type Body = Reply;

    async fn handle(&self, request: Request<Incoming>) -> Response<Reply> {
        match self {
            Answers::Grpc(grpc) => grpc.handle(request).await,
            Answers::Http(http) => http.handle(request).await,
        }
    }
}

/// A receiver whose ports are taken and that accepts nothing yet.
#[derive(Debug)]
pub struct Bound {
    ports: Vec<(Listener, Protocol)>,
    guards: Guards,
}

impl Bound {
    /// Requests are let in by these.
    pub fn guarded(self, guards: Guards) -> Bound {
        Bound { guards, ..self }
    }

    /// Where gRPC is listened for, if it is.
    pub fn grpc_addr(&self) -> Option<SocketAddr> {
        self.address(Transport::Grpc)
    }

    /// Where HTTP is listened for, if it is.
    pub fn http_addr(&self) -> Option<SocketAddr> {
        self.address(Transport::Http)
    }

    fn address(&self, transport: Transport) -> Option<SocketAddr> {
        let (listener, _) = self.ports.iter().find(|(_, protocol)| protocol.transport() == transport)?;
        listener.local_addr().ok()
    }

    /// Serves until `shutdown` is cancelled; then requests in flight have `drain` to finish.
    pub async fn serve(self, intake: Intake, shutdown: CancellationToken, drain: Duration) -> Drained {
        let mut served = JoinSet::new();
        for (listener, protocol) in self.ports {
            let transport = protocol.transport();
            let guard = match transport {
                Transport::Grpc => self.guards.grpc.clone(),
                Transport::Http => self.guards.http.clone(),
            };
            let observer = Arc::clone(&intake.observer);
            let listener = listener.on_failed_handshake(move || observer.handshake_failed(transport));
            let (answers, limits) = protocol.answers(intake.clone(), guard, drain);
            served.spawn(net::serve(listener, Arc::new(answers), limits, shutdown.clone()));
        }
        match served.join_all().await.into_iter().all(|drained| drained == Drained::All) {
            true => Drained::All,
            false => Drained::Cut,
        }
    }
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
