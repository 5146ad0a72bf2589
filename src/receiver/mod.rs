//! OTLP over gRPC and over HTTP: bytes in.
//!
//! A receiver reads, bounds and decompresses a request, brings it into its wire form, hands it to a
//! [`Consumer`], and answers. What a request holds is the consumer's business; sockets and their
//! timeouts are [`crate::net`]'s. Both transports and all three signals are one path: a transport
//! says how a body is found in a request and how an answer is written.

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
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use self::grpc::Grpc;
pub use self::http::Http;
use crate::net::{self, BindError, Drained, Handler, Limits};
use crate::pipeline::Consumer;
pub use intake::{Intake, JsonDecoder, Observer, Transport};
pub use reply::Reply;
use settings::{Connection, Settings};

/// HTTP/2 requests at a time on one connection of the HTTP listener, which has no setting for it.
const HTTP_MAX_CONCURRENT_STREAMS: u32 = 128;

/// The `otlp` receiver.
#[derive(Debug, Clone, Copy)]
pub struct Receiver;

impl Receiver {
    /// Binds the endpoints of the receiver `id` (such as `otlp` or `otlp/2`). Nothing is accepted
    /// before [`Bound::serve`], so every listener of the program can be bound first.
    ///
    /// # Errors
    /// [`BindError`], whose text names the endpoint, the setting, and what to do.
    pub async fn bind(id: &str, settings: &Settings) -> Result<Bound, BindError> {
        let setting = |protocol| format!("receivers.{id}.protocols.{protocol}.endpoint");
        let grpc = match &settings.grpc {
            Some(grpc) => Some((net::bind(&grpc.endpoint, &setting("grpc")).await?, grpc.clone())),
            None => None,
        };
        let http = match &settings.http {
            Some(http) => Some((net::bind(&http.endpoint, &setting("http")).await?, http.clone())),
            None => None,
        };
        Ok(Bound { grpc, http })
    }
}

/// One protocol of a receiver: where it is to listen, who answers there, and within which bounds.
#[derive(Debug)]
pub struct Port {
    /// The protocol.
    pub transport: Transport,
    /// `host:port`, as it was configured.
    pub endpoint: String,
    /// Who answers.
    pub answers: Answers,
    /// Of its connections.
    pub limits: Limits,
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

/// The ports of a receiver with these settings. At the end, requests in flight have `drain` to finish.
pub fn ports(settings: &Settings, intake: &Intake, drain: Duration) -> Vec<Port> {
    let grpc = settings.grpc.as_ref().map(|grpc| Port {
        transport: Transport::Grpc,
        endpoint: grpc.endpoint.clone(),
        limits: limits(&grpc.connection, grpc.max_concurrent_streams, drain),
        answers: Answers::Grpc(Grpc { intake: intake.clone(), settings: grpc.clone() }),
    });
    let http = settings.http.as_ref().map(|http| Port {
        transport: Transport::Http,
        endpoint: http.endpoint.clone(),
        limits: limits(&http.connection, HTTP_MAX_CONCURRENT_STREAMS, drain),
        answers: Answers::Http(Http { intake: intake.clone(), settings: http.clone() }),
    });
    grpc.into_iter().chain(http).collect()
}

/// A receiver whose ports are taken and that accepts nothing yet.
#[derive(Debug)]
pub struct Bound {
    grpc: Option<(TcpListener, settings::Grpc)>,
    http: Option<(TcpListener, settings::Http)>,
}

impl Bound {
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
            let handler = Grpc { intake: intake.clone(), settings };
            listen(listener, handler, limits, &shutdown).await
        };
        let http = async {
            let Some((listener, settings)) = self.http else { return Drained::All };
            let limits = limits(&settings.connection, HTTP_MAX_CONCURRENT_STREAMS, drain);
            let handler = Http { intake: intake.clone(), settings };
            listen(listener, handler, limits, &shutdown).await
        };
        match tokio::join!(grpc, http) {
            (Drained::All, Drained::All) => Drained::All,
            _ => Drained::Cut,
        }
    }
}

async fn listen<H: Handler>(
    listener: TcpListener,
    handler: H,
    limits: Limits,
    shutdown: &CancellationToken,
) -> Drained {
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
