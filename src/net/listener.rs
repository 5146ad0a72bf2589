//! One accept loop for every listener of the program: HTTP/1.1 and HTTP/2 with prior knowledge,
//! bounded in connections, streams and time, and closed in order. Who answers may change meanwhile.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
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
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::accept::accept;
use super::tls::Acceptor;
use super::watch::{Expired, Watch, Watched};
use crate::defect;

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
    /// ends the request's stream (HTTP/2) or connection, and nothing else.
    fn handle(&self, request: Request<Incoming>) -> impl Future<Output = Response<Self::Body>> + Send;

    /// [`Handler::handle`] panicked; the request has no answer.
    fn panicked(&self, message: &str) {
        tracing::error!("a request could not be answered; this is a defect of dragoman: {message}");
    }
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
    tcp: Arc<TcpListener>,
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
        Listener::from(Arc::new(tcp))
    }
}

impl From<Arc<TcpListener>> for Listener {
    /// In plain text, on a socket that another one may take over.
    fn from(tcp: Arc<TcpListener>) -> Listener {
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

/// What answers on a listener, and within which bounds. It can be replaced while the listener is
/// open: requests from then on go to the new handler, over connections that are open already, too; the
/// bounds are those of connections from then on.
#[derive(Debug)]
pub struct Service<H>(watch::Sender<Arc<Current<H>>>);

#[derive(Debug)]
struct Current<H> {
    handler: Arc<H>,
    limits: Limits,
}

impl<H: Handler> Service<H> {
    /// What is to answer.
    pub fn new(handler: Arc<H>, limits: Limits) -> Self {
        Service(watch::Sender::new(Arc::new(Current { handler, limits })))
    }

    /// Lets another handler answer. The earlier one is dropped when its last request has been answered.
    pub fn replace(&self, handler: Arc<H>, limits: Limits) {
        self.0.send_replace(Arc::new(Current { handler, limits }));
    }

    /// Serves on `listener` until `shutdown` is cancelled; then accepts nothing more, lets requests in
    /// flight finish within [`Limits::drain`], closes every connection, and returns.
    pub fn serve(
        &self,
        listener: Listener,
        shutdown: CancellationToken,
    ) -> impl Future<Output = Drained> + Send + use<H> {
        run(listener, self.0.subscribe(), shutdown)
    }
}

/// Serves `handler` on `listener` as a [`Service`] that is never replaced does.
pub async fn serve<H: Handler>(
    listener: impl Into<Listener>,
    handler: Arc<H>,
    limits: Limits,
    shutdown: CancellationToken,
) -> Drained {
    Service::new(handler, limits).serve(listener.into(), shutdown).await
}

async fn run<H: Handler>(
    listener: Listener,
    current: watch::Receiver<Arc<Current<H>>>,
    shutdown: CancellationToken,
) -> Drained {
    let Listener { tcp: listener, tls, failed_handshake } = listener;
    let tasks = Tasks { tracker: TaskTracker::new(), kill: CancellationToken::new() };
    let slots = Arc::new(Slots::default());
    let current_of = current.clone();
    let server = Arc::new(Server { tasks: tasks.clone(), current: current_of, shutdown, tls, failed_handshake });
    let connections = async {
        let mut changes = current.clone();
        loop {
            let slot = slots.next(&mut changes).await;
            let stream = accept(&*listener).await;
            let server = Arc::clone(&server);
            drop(tasks.tracker.spawn(async move {
                server.connection(stream).await;
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
    let drain = current.borrow().limits.drain;
    if tokio::time::timeout(drain, tasks.tracker.wait()).await.is_ok() {
        return Drained::All;
    }
    tasks.kill.cancel();
    tasks.tracker.wait().await;
    Drained::Cut
}

/// The connections that there may be.
#[derive(Debug, Default)]
struct Slots {
    taken: AtomicUsize,
    freed: Notify,
}

/// The place of one connection.
struct Slot(Arc<Slots>);

impl Slots {
    /// Waits until there may be one more connection. There is one accept loop, so that nobody takes a
    /// slot between the look and the taking.
    async fn next<H>(self: &Arc<Self>, current: &mut watch::Receiver<Arc<Current<H>>>) -> Slot {
        loop {
            let most = current.borrow_and_update().limits.max_connections;
            if self.taken.load(Ordering::Acquire) < most {
                self.taken.fetch_add(1, Ordering::AcqRel);
                return Slot(Arc::clone(self));
            }
            tokio::select! {
                () = self.freed.notified() => {}
                changed = current.changed() => if changed.is_err() {
                    // Nobody can change the bounds anymore; connections still end.
                    self.freed.notified().await;
                },
            }
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::AcqRel);
        self.0.freed.notify_one();
    }
}

struct Server<H> {
    tasks: Tasks,
    current: watch::Receiver<Arc<Current<H>>>,
    shutdown: CancellationToken,
    tls: Option<Acceptor>,
    failed_handshake: Option<Box<dyn Fn() + Send + Sync>>,
}

impl<H: Handler> Server<H> {
    async fn connection(&self, stream: TcpStream) {
        let Some(tls) = &self.tls else { return self.requests(stream).await };
        let time = self.current.borrow().limits.header_timeout;
        let stream = tokio::select! {
            biased;
            // Nothing was asked yet, so there is nothing to finish.
            () = self.shutdown.cancelled() => return,
            stream = within(time, tls.accept(stream)) => stream,
        };
        match stream {
            Ok(stream) => self.requests(stream).await,
            Err(error) => {
                tracing::debug!(%error, "a TLS handshake failed");
                if let Some(report) = &self.failed_handshake {
                    report();
                }
            }
        }
    }

    async fn requests<S>(&self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (watch, builder) = {
            let limits = &self.current.borrow().limits;
            let watch = Arc::new(Watch::new(limits.header_timeout, limits.idle_timeout));
            (watch, builder(limits, self.tasks.clone()))
        };
        let service = service_fn(|request| {
            let busy = watch.begin();
            // The one of this moment, for the whole request.
            let current = Arc::clone(&self.current.borrow());
            async move {
                let response = answer(&*current.handler, request).await;
                drop(busy);
                Ok::<_, Infallible>(response)
            }
        });
        let io = TokioIo::new(Watched::new(stream, Arc::clone(&watch)));
        let mut connection = pin!(builder.serve_connection(io, service));
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
                () = self.tasks.kill.cancelled() => return,
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

/// Tells the handler of its panic, and lets it go on to end what the request came on: there is no
/// answer that could be given for the handler.
async fn answer<H: Handler>(handler: &H, request: Request<Incoming>) -> Response<H::Body> {
    let mut work = pin!(handler.handle(request));
    std::future::poll_fn(move |cx| -> Poll<Response<H::Body>> {
        catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))).unwrap_or_else(|panic| {
            handler.panicked(&defect::message(panic.as_ref()));
            resume_unwind(panic)
        })
    })
    .await
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

#[cfg(test)]
mod tests {
    use http_body_util::Full;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// Answers with its name, as soon as it may.
    struct Named {
        name: &'static str,
        may: CancellationToken,
        entered: AtomicUsize,
        panics: AtomicUsize,
    }

    impl Named {
        fn new(name: &'static str) -> Arc<Named> {
            let may = CancellationToken::new();
            may.cancel();
            Arc::new(Named { name, may, entered: AtomicUsize::new(0), panics: AtomicUsize::new(0) })
        }
    }

    impl Handler for Named {
        type Body = Full<Bytes>;

        async fn handle(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
            self.entered.fetch_add(1, Ordering::Relaxed);
            self.may.cancelled().await;
            assert!(request.uri().path() != "/defect", "a handler with a defect");
            Response::new(Full::from(self.name))
        }

        fn panicked(&self, message: &str) {
            assert_eq!(message, "a handler with a defect");
            self.panics.fetch_add(1, Ordering::Relaxed);
        }
    }

    struct Client(TcpStream);

    impl Client {
        async fn send(&mut self, path: &str) {
            let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
            self.0.write_all(request.as_bytes()).await.unwrap();
        }

        /// The next answer's body; empty if the connection ends.
        async fn body(&mut self) -> String {
            let mut read = Vec::new();
            let mut buffer = [0; 256];
            loop {
                let length = self.0.read(&mut buffer).await.unwrap();
                read.extend_from_slice(&buffer[..length]);
                let text = String::from_utf8(read.clone()).unwrap();
                match text.split_once("\r\n\r\n") {
                    Some((head, body)) if head.contains(&format!("content-length: {}", body.len())) => {
                        return body.to_owned();
                    }
                    _ if length == 0 => return text,
                    _ => {}
                }
            }
        }
    }

    struct Rig {
        service: Service<Named>,
        listener: Arc<TcpListener>,
        shutdown: CancellationToken,
        served: tokio::task::JoinHandle<Drained>,
    }

    impl Rig {
        async fn start(handler: &Arc<Named>, limits: Limits) -> Rig {
            let listener = Arc::new(TcpListener::bind("127.0.0.1:0").await.unwrap());
            let service = Service::new(Arc::clone(handler), limits);
            let shutdown = CancellationToken::new();
            let served = tokio::spawn(service.serve(Arc::clone(&listener).into(), shutdown.clone()));
            Rig { service, listener, shutdown, served }
        }

        async fn client(&self) -> Client {
            Client(TcpStream::connect(self.listener.local_addr().unwrap()).await.unwrap())
        }
    }

    #[tokio::test]
    async fn another_handler_answers_on_the_same_connection_and_what_is_in_flight_stays_with_the_first() {
        let may = CancellationToken::new();
        let first =
            Named { name: "first", may: may.clone(), entered: AtomicUsize::new(0), panics: AtomicUsize::new(0) };
        let first = Arc::new(first);
        let rig = Rig::start(&first, Limits::default()).await;
        let (mut waiting, mut kept) = (rig.client().await, rig.client().await);
        waiting.send("/").await;
        kept.send("/").await;
        while first.entered.load(Ordering::Relaxed) < 2 {
            tokio::task::yield_now().await;
        }
        let gone = Arc::downgrade(&first);
        drop(first);
        rig.service.replace(Named::new("second"), Limits::default());
        let mut new = rig.client().await;
        new.send("/").await;
        assert_eq!(new.body().await, "second");
        may.cancel();
        assert_eq!(waiting.body().await, "first");
        assert_eq!(kept.body().await, "first");
        for client in [&mut kept, &mut waiting] {
            client.send("/").await;
            assert_eq!(client.body().await, "second", "over a connection that was open");
        }
        assert_eq!(gone.strong_count(), 0, "who answers nobody is let go");
        rig.shutdown.cancel();
        assert_eq!(rig.served.await.unwrap(), Drained::All);
    }

    #[tokio::test]
    async fn a_socket_outlives_its_service() {
        let handler = Named::new("first");
        let rig = Rig::start(&handler, Limits::default()).await;
        rig.shutdown.cancel();
        rig.served.await.unwrap();
        // Nobody accepts, and nobody is refused: the connection waits in the socket.
        let mut client = Client(TcpStream::connect(rig.listener.local_addr().unwrap()).await.unwrap());
        client.send("/").await;
        let second = Service::new(Named::new("second"), Limits::default());
        let shutdown = CancellationToken::new();
        let served = tokio::spawn(second.serve(Arc::clone(&rig.listener).into(), shutdown.clone()));
        assert_eq!(client.body().await, "second");
        shutdown.cancel();
        served.await.unwrap();
    }

    #[tokio::test]
    async fn more_connections_are_let_in_when_the_bound_is_raised_or_one_ends() {
        let handler = Named::new("named");
        let few = |max_connections| Limits { max_connections, ..Limits::default() };
        let rig = Rig::start(&handler, few(1)).await;
        let (mut one, mut two) = (rig.client().await, rig.client().await);
        one.send("/").await;
        two.send("/").await;
        assert_eq!(one.body().await, "named");
        let early = tokio::time::timeout(Duration::from_millis(50), two.body()).await;
        assert!(early.is_err(), "there is one place: {early:?}");
        rig.service.replace(Arc::clone(&handler), few(2));
        assert_eq!(two.body().await, "named");
        let mut three = rig.client().await;
        three.send("/").await;
        drop(one);
        assert_eq!(three.body().await, "named");
        rig.shutdown.cancel();
        rig.served.await.unwrap();
    }

    #[tokio::test]
    async fn a_panic_is_told_and_ends_its_connection_only() {
        let handler = Named::new("named");
        let rig = Rig::start(&handler, Limits::default()).await;
        let (mut bad, mut good) = (rig.client().await, rig.client().await);
        bad.send("/defect").await;
        assert_eq!(bad.body().await, "");
        assert_eq!(handler.panics.load(Ordering::Relaxed), 1);
        good.send("/").await;
        assert_eq!(good.body().await, "named");
        rig.shutdown.cancel();
        rig.served.await.unwrap();
    }
}
