//! The backend of a run, in the test's own process so that nothing it saw is ever lost. It speaks
//! gRPC and HTTP on one port and has moods.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dragoman::otlp::Signal;
use fastrand::Rng;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::items;
use crate::ledger::Ledger;

/// What the backend does with what it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Takes everything.
    Well,
    /// Takes everything, and takes its time.
    Slow,
    /// 503, UNAVAILABLE.
    Overloaded,
    /// Half is taken, half is answered as by an overloaded one.
    Moody,
    /// Reads, and cuts the connection: sometimes it had taken the request, sometimes not.
    Cutting,
    /// Takes requests and never says so.
    Silent,
    /// Closes every connection.
    Down,
}

impl Mood {
    pub(crate) fn any(rng: &mut Rng) -> Mood {
        use Mood::{Cutting, Down, Moody, Overloaded, Silent, Slow, Well};
        rng.choice([Well, Well, Slow, Overloaded, Moody, Cutting, Silent, Down, Down]).unwrap()
    }
}

/// A running backend.
pub(crate) struct Sink {
    pub(crate) address: SocketAddr,
    mood: watch::Sender<Mood>,
}

#[derive(Clone)]
struct Taking {
    number: usize,
    mood: watch::Receiver<Mood>,
    ledger: Arc<Ledger>,
    cut: watch::Sender<bool>,
}

impl Sink {
    /// Starts sink `number`.
    pub(crate) async fn start(number: usize, ledger: &Arc<Ledger>) -> Sink {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, mood) = watch::channel(Mood::Well);
        let ledger = Arc::clone(ledger);
        Handle::current().spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                if *mood.borrow() == Mood::Down {
                    continue;
                }
                tcp.set_nodelay(true).unwrap();
                let (cut, _) = watch::channel(false);
                let taking = Taking { number, mood: mood.clone(), ledger: ledger.clone(), cut };
                tokio::spawn(serve(tcp, taking));
            }
        });
        Sink { address, mood: sender }
    }

    /// From now on it is in this mood.
    pub(crate) fn feels(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }
}

async fn serve(tcp: TcpStream, taking: Taking) {
    let (mut mood, mut cut) = (taking.mood.clone(), taking.cut.subscribe());
    let service = service_fn(move |request| answer(request, taking.clone()));
    let builder = auto::Builder::new(TokioExecutor::new());
    tokio::select! {
        served = builder.serve_connection(TokioIo::new(tcp), service) => drop(served),
        _ = mood.wait_for(|mood| *mood == Mood::Down) => {}
        _ = cut.wait_for(|cut| *cut) => {}
    }
}

async fn answer(request: Request<Incoming>, mut taking: Taking) -> Result<Response<Answer>, Infallible> {
    let is_grpc = request.headers().get("content-type").is_some_and(|value| value == "application/grpc");
    let path = request.uri().path().to_owned();
    let paths = |signal: &Signal| [signal.grpc_path(), signal.http_path()].contains(&path.as_str());
    let signal = Signal::ALL.into_iter().find(paths).unwrap_or_else(|| panic!("no signal of {path}"));
    #[allow(clippy::disallowed_methods, reason = "limited")]
    let Ok(body) = Limited::new(request.into_body(), 16 << 20).collect().await else {
        // Its sender was killed meanwhile; there is nobody who would read the answer.
        return Ok(overloaded(is_grpc));
    };
    let body = body.to_bytes();
    // Not compressed; gRPC's five bytes stand before a message.
    let message = if is_grpc { body.slice(5..) } else { body };
    let take = || taking.ledger.arrived(taking.number, &items::ids(signal, &message));
    let mood = *taking.mood.borrow();
    match mood {
        Mood::Well => take(),
        Mood::Slow => {
            tokio::time::sleep(Duration::from_millis(fastrand::u64(..20))).await;
            take();
        }
        Mood::Moody if fastrand::bool() => take(),
        Mood::Overloaded | Mood::Moody | Mood::Down => return Ok(overloaded(is_grpc)),
        Mood::Cutting | Mood::Silent => {
            if mood == Mood::Silent || fastrand::bool() {
                take();
            }
            if mood == Mood::Silent {
                drop(taking.mood.wait_for(|mood| *mood != Mood::Silent).await.map(|_| ()));
            }
            taking.cut.send_replace(true);
            std::future::pending().await
        }
    }
    Ok(success(is_grpc))
}

type Answer = http_body_util::combinators::UnsyncBoxBody<Bytes, Infallible>;

fn success(is_grpc: bool) -> Response<Answer> {
    if !is_grpc {
        let response = Response::builder().header("content-type", "application/x-protobuf");
        return response.body(Full::default().boxed_unsync()).unwrap();
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let body = Full::new(Bytes::from_static(&[0; 5])).with_trailers(async move { Some(Ok(trailers)) });
    Response::builder().header("content-type", "application/grpc").body(body.boxed_unsync()).unwrap()
}

fn overloaded(is_grpc: bool) -> Response<Answer> {
    let response = match is_grpc {
        true => Response::builder().header("content-type", "application/grpc").header("grpc-status", "14"),
        false => Response::builder().status(503),
    };
    response.body(Full::default().boxed_unsync()).unwrap()
}
