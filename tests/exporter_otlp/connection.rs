//! Connections that end, that are to end, and that are dead without a word.

use dragoman::exporter::settings::Keepalive;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::faulty::{Fault, Faulty};
use super::*;

/// Longer than any step takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

async fn soon<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| panic!("never: {what}"))
}

fn without_pings(settings: &mut Otlp) {
    settings.keepalive = None;
    settings.timeout = Duration::from_millis(200);
}

#[tokio::test]
async fn a_connection_on_which_an_attempt_timed_out_is_not_used_again() {
    for transport in BOTH {
        let mut backend = Backend::start([]).await;
        let proxy = Faulty::before(backend.address).await;
        let mut rig = Rig::at(transport, proxy.address, without_pings);
        rig.send(Signal::Traces, "spans", 1);
        assert_eq!(soon("the first batch", rig.event()).await, Event::Sent(Signal::Traces, 1));
        drop(backend.next().await);
        // The open connection dies; new ones are well.
        proxy.inject(Fault::Silent);
        rig.send(Signal::Traces, "spans", 2);
        while proxy.injected() == 0 {
            tokio::task::yield_now().await;
        }
        proxy.inject(Fault::None);
        assert_eq!(soon("another connection", rig.event()).await, Event::Sent(Signal::Traces, 2), "{transport:?}");
        assert!(proxy.connections() >= 2);
    }
}

#[tokio::test]
async fn a_peer_that_answers_no_ping_is_left() {
    let mut backend = Backend::start([]).await;
    let proxy = Faulty::before(backend.address).await;
    let mut rig = Rig::at(Transport::Grpc, proxy.address, |settings| {
        // The attempt alone would have all the patience of the world.
        settings.timeout = Duration::ZERO;
        let short = Duration::from_millis(100);
        settings.keepalive = Some(Keepalive { time: short, timeout: short, permit_without_stream: false });
    });
    rig.send(Signal::Traces, "spans", 1);
    assert_eq!(soon("the first batch", rig.event()).await, Event::Sent(Signal::Traces, 1));
    drop(backend.next().await);
    proxy.inject(Fault::CutCable(0));
    rig.send(Signal::Traces, "spans", 2);
    while proxy.injected() == 0 {
        tokio::task::yield_now().await;
    }
    proxy.inject(Fault::None);
    assert_eq!(soon("an unanswered ping", rig.event()).await, Event::Sent(Signal::Traces, 2));
}

#[tokio::test]
async fn an_idle_connection_is_pinged_if_that_is_permitted() {
    let mut backend = Backend::start([]).await;
    let proxy = Faulty::before(backend.address).await;
    let mut rig = Rig::at(Transport::Grpc, proxy.address, |settings| {
        let short = Duration::from_millis(100);
        settings.keepalive = Some(Keepalive { time: short, timeout: short, permit_without_stream: true });
    });
    rig.send(Signal::Traces, "spans", 1);
    assert_eq!(soon("the first batch", rig.event()).await, Event::Sent(Signal::Traces, 1));
    drop(backend.next().await);
    // No request is under way; without a ping nobody would notice before the next one.
    proxy.inject(Fault::Silent);
    soon("an unanswered ping", async {
        while proxy.left() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// A gRPC server that says GOAWAY on its first connection while a call is under way there.
async fn leaving(permits: Arc<Semaphore>, seen: mpsc::Sender<(usize, Bytes)>) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for number in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            let (permits, seen) = (permits.clone(), seen.clone());
            tokio::spawn(async move {
                let leave = Arc::new(tokio::sync::Notify::new());
                let leaves = leave.clone();
                let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                    let (permits, seen, leave) = (permits.clone(), seen.clone(), leave.clone());
                    async move {
                        #[allow(clippy::disallowed_methods, reason = "the exporter under test sends it")]
                        let body = request.into_body().collect().await.unwrap().to_bytes();
                        seen.send((number, body)).await.unwrap();
                        if number == 0 {
                            leave.notify_one();
                            permits.acquire().await.unwrap().forget();
                        }
                        let headers = [("content-type", "application/grpc"), ("grpc-status", "0")];
                        let mut response = Response::new(http_body_util::Empty::<Bytes>::new());
                        for (name, value) in headers {
                            response.headers_mut().insert(name, value.parse().unwrap());
                        }
                        Ok::<_, std::convert::Infallible>(response)
                    }
                });
                let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
                tokio::select! {
                    _ = connection.as_mut() => return,
                    () = leaves.notified() => connection.as_mut().graceful_shutdown(),
                }
                drop(connection.await);
            });
        }
    });
    address
}

#[tokio::test]
async fn after_goaway_what_is_under_way_ends_well_and_the_next_call_has_another_connection() {
    let permits = Arc::new(Semaphore::new(0));
    let (sender, mut seen) = mpsc::channel(100);
    let address = leaving(permits.clone(), sender).await;
    let mut rig = Rig::at(Transport::Grpc, address, |_| {});
    rig.send(Signal::Traces, "first", 1);
    let (connection, _) = soon("the first call", seen.recv()).await.unwrap();
    assert_eq!(connection, 0);
    rig.send(Signal::Traces, "second", 2);
    let (connection, body) = soon("the second call", seen.recv()).await.unwrap();
    assert!(body.ends_with(b"second"));
    assert_eq!(connection, 1, "the connection that is about to end takes nothing new");
    assert_eq!(soon("its answer", rig.event()).await, Event::Sent(Signal::Traces, 2));
    permits.add_permits(1);
    assert_eq!(soon("the first answer", rig.event()).await, Event::Sent(Signal::Traces, 1));
    assert!(seen.try_recv().is_err(), "nothing was sent twice");
}

#[tokio::test]
async fn an_answer_that_is_cut_off_is_no_answer() {
    for transport in BOTH {
        let mut backend = Backend::start([]).await;
        let proxy = Faulty::before(backend.address).await;
        proxy.inject(Fault::ResetInAnswer(20));
        let mut rig = Rig::at(transport, proxy.address, |_| {});
        rig.send(Signal::Traces, "spans", 1);
        while proxy.injected() == 0 {
            tokio::task::yield_now().await;
        }
        proxy.inject(Fault::None);
        assert_eq!(soon("another attempt", rig.event()).await, Event::Sent(Signal::Traces, 1), "{transport:?}");
        assert_eq!(backend.next().await.body, "spans", "at least once");
    }
}
