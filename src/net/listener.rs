//! One accept loop for every listener of the program: HTTP/1.1 and HTTP/2 with prior knowledge,
//! bounded in connections, streams and time, and closed in order.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::accept::accept;
use super::tls::Acceptor;
use super::watch::{Expired, Watch, Watched};

/// What the peer can make us hold is bounded: a stream's window, a connection's window, a head.
/// Larger windows brought nothing on loopback.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;
const HEAD_BYTES: usize = 64 << 10;

/// Answers the requests of a listener.
pub trait Handler: Send + Sync + 'static {
    /// The body of its answers.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static;

    /// Answers one request. The body of the request has no time limit of its own here. A panic
    /// ends the request's connection, and nothing else.
    fn handle(&self, request: Request<Incoming>) -> impl Future<Output = Response<Self::Body>> + Send;
}

/// The bounds of a listener.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// For a request's head, from its first byte; for a new connection's first head from the accept on,
    /// or from the end of the TLS handshake, which has as long.
    pub header_timeout: Duration,
    /// A connection without a request is closed after this.
    pub idle_timeout: Duration,
    /// More connections wait in the listener's backlog.
    pub max_connections: usize,
    /// Requests at a time on one HTTP/2 connection.
    pub max_concurrent_streams: u32,
    /// After the shutdown was asked for, requests in flight have so long to finish.
    pub drain: Duration,
}

impl Default for Limits {
    /// For a listener of which only few and small requests are expected.
    fn default() -> Self {
        Limits {
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            max_connections: 64,
            max_concurrent_streams: 16,
            drain: Duration::from_secs(5),
        }
    }
}

/// A bound socket, and what its connections begin with.
pub struct Listener {
    tcp: TcpListener,
    tls: Option<Acceptor>,
    failed_handshake: Option<Box<dyn Fn() + Send + Sync>>,
}

impl Listener {
    /// Every connection begins with a TLS handshake.
    pub fn with_tls(self, acceptor: Option<Acceptor>) -> Listener {
        Listener { tls: acceptor, ..self }
    }

    /// Calls `report` for every handshake that failed.
    pub fn on_failed_handshake(self, report: impl Fn() + Send + Sync + 'static) -> Listener {
        Listener { failed_handshake: Some(Box::new(report)), ..self }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The system's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

impl From<TcpListener> for Listener {
    /// In plain text.
    fn from(tcp: TcpListener) -> Listener {
        Listener { tcp, tls: None, failed_handshake: None }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("tcp", &self.tcp).field("tls", &self.tls.is_some()).finish_non_exhaustive()
    }
}

/// How a listener ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Every request in flight was answered.
    All,
    /// The deadline passed first; what was left was cut off.
    Cut,
}

/// Serves `handler` on `listener` until `shutdown` is cancelled; then accepts nothing more, lets
/// requests in flight finish within [`Limits::drain`], closes every connection, and returns.
pub async fn serve<H: Handler>(
    listener: impl Into<Listener>,
    handler: Arc<H>,
    limits: Limits,
    shutdown: CancellationToken,
) -> Drained {
    let Listener { tcp: listener, tls, failed_handshake } = listener.into();
    let tasks = Tasks { tracker: TaskTracker::new(), kill: CancellationToken::new() };
    let builder = builder(&limits, tasks.clone());
    let server = Arc::new(Server { builder, handler, limits, shutdown, tls, failed_handshake });
    let slots = Arc::new(Semaphore::new(server.limits.max_connections.min(Semaphore::MAX_PERMITS)));
    let connections = async {
        while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
            let stream = accept(&listener).await;
            let (server, kill) = (Arc::clone(&server), tasks.kill.clone());
            drop(tasks.tracker.spawn(async move {
                server.connection(stream, &kill).await;
                drop(slot);
            }));
        }
    };
    tokio::select! {
        biased;
        () = server.shutdown.cancelled() => {}
        () = connections => {}
    }
    drop(listener);
    tasks.tracker.close();
    if tokio::time::timeout(server.limits.drain, tasks.tracker.wait()).await.is_ok() {
        return Drained::All;
    }
    tasks.kill.cancel();
    tasks.tracker.wait().await;
    Drained::Cut
}

struct Server<H> {
    builder: Builder<Tasks>,
    handler: Arc<H>,
    limits: Limits,
    shutdown: CancellationToken,
    tls: Option<Acceptor>,
    failed_handshake: Option<Box<dyn Fn() + Send + Sync>>,
}

impl<H: Handler> Server<H> {
    async fn connection(&self, stream: TcpStream, kill: &CancellationToken) {
        let Some(tls) = &self.tls else { return self.requests(stream, kill).await };
        let stream = tokio::select! {
            biased;
            // Nothing was asked yet, so there is nothing to finish.
            () = self.shutdown.cancelled() => return,
            stream = within(self.limits.header_timeout, tls.accept(stream)) => stream,
        };
        match stream {
            Ok(stream) => self.requests(stream, kill).await,
            Err(error) => {
                tracing::debug!(%error, "a TLS handshake failed");
                if let Some(report) = &self.failed_handshake {
                    report();
                }
            }
        }
    }

    async fn requests<S>(&self, stream: S, kill: &CancellationToken)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let watch = Arc::new(Watch::new(self.limits.header_timeout, self.limits.idle_timeout));
        let service = service_fn(|request| {
            let busy = watch.begin();
            let handler = Arc::clone(&self.handler);
            async move {
                let response = handler.handle(request).await;
                drop(busy);
                Ok::<_, Infallible>(response)
            }
        });
        let io = TokioIo::new(Watched::new(stream, Arc::clone(&watch)));
        let mut connection = pin!(self.builder.serve_connection(io, service));
        let mut closing = false;
        loop {
            tokio::select! {
                biased;
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "a connection ended with an error");
                    }
                    return;
                }
                () = kill.cancelled() => return,
                () = self.shutdown.cancelled(), if !closing => {
                    closing = true;
                    connection.as_mut().graceful_shutdown();
                }
                expired = watch.expired() => match expired {
                    Expired::Head => return,
                    Expired::Idle => {
                        closing = true;
                        connection.as_mut().graceful_shutdown();
                        watch.close_soon();
                    }
                },
            }
        }
    }
}

/// A handshake within its time; zero is no limit.
async fn within<T>(time: Duration, handshake: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    if time.is_zero() {
        return handshake.await;
    }
    tokio::time::timeout(time, handshake).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

fn builder(limits: &Limits, tasks: Tasks) -> Builder<Tasks> {
    let mut builder = Builder::new(tasks);
    builder
        .http1()
        .timer(TokioTimer::new())
        // The watch does this, and does not count the time between two requests.
        .header_read_timeout(None)
        .max_buf_size(HEAD_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(limits.max_concurrent_streams)
        .max_header_list_size(HEAD_BYTES as u32);
    builder
}

/// The tasks of a listener: its connections, and the streams that hyper spawns for HTTP/2, so that
/// draining waits for both and the deadline ends both.
#[derive(Debug, Clone)]
struct Tasks {
    tracker: TaskTracker,
    kill: CancellationToken,
}

impl<F> hyper::rt::Executor<F> for Tasks
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, future: F) {
        let kill = self.kill.clone();
        drop(self.tracker.spawn(async move { kill.run_until_cancelled(future).await.is_some() }));
    }
}
