//! A backend with moods, for tests that keep a sidecar under load while its backend fails in every
//! way: it speaks gRPC and HTTP on one port, and what it took is told to the test. For a backend
//! that answers by a script and shows requests, see `backend.rs`.
#![allow(dead_code, reason = "every test uses a part of it")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dragoman::otlp::Signal;
use dragoman::otlp::response::{ExportResponse, PartialSuccess};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use prost::Message;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

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
    /// Cuts the connection more often than not: before or after it took the request.
    Cutting,
    /// Takes requests and never says so.
    Silent,
    /// Closes every connection.
    Down,
    /// Takes nothing, for good: 400, INVALID_ARGUMENT.
    Rejecting,
    /// Takes a request but for one of its items.
    Partial,
}

/// What is told of every request that the backend took, before it is answered.
pub(crate) type Took = Arc<dyn Fn(Signal, &[u8]) + Send + Sync>;

/// A running backend.
pub(crate) struct Sink {
    pub(crate) address: SocketAddr,
    mood: watch::Sender<Mood>,
}

#[derive(Clone)]
struct Taking {
    took: Took,
    mood: watch::Receiver<Mood>,
    cut: watch::Sender<bool>,
}

impl Sink {
    /// Starts a backend that is well.
    pub(crate) async fn start(took: Took) -> Sink {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, mood) = watch::channel(Mood::Well);
        tokio::spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                if *mood.borrow() == Mood::Down {
                    continue;
                }
                tcp.set_nodelay(true).unwrap();
                let (cut, _) = watch::channel(false);
                let taking = Taking { took: took.clone(), mood: mood.clone(), cut };
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
        return Ok(refusal(is_grpc, "14", 503));
    };
    let body = body.to_bytes();
    // Not compressed; gRPC's five bytes stand before a message.
    let message = if is_grpc { body.slice(5..) } else { body };
    let take = || (taking.took)(signal, &message);
    let mood = *taking.mood.borrow();
    match mood {
        Mood::Well => take(),
        Mood::Slow => {
            tokio::time::sleep(Duration::from_millis(fastrand::u64(..20))).await;
            take();
        }
        Mood::Moody if fastrand::bool() => take(),
        Mood::Cutting if fastrand::u8(..3) == 0 => take(),
        Mood::Overloaded | Mood::Moody | Mood::Down => return Ok(refusal(is_grpc, "14", 503)),
        Mood::Rejecting => return Ok(refusal(is_grpc, "3", 400)),
        Mood::Partial => {
            take();
            let partial = PartialSuccess { rejected: 1, error_message: "one too many".into() };
            return Ok(success(is_grpc, &ExportResponse { partial_success: Some(partial) }));
        }
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
    Ok(success(is_grpc, &ExportResponse::default()))
}

type Answer = http_body_util::combinators::UnsyncBoxBody<Bytes, Infallible>;

fn success(is_grpc: bool, message: &ExportResponse) -> Response<Answer> {
    let message = message.encode_to_vec();
    if !is_grpc {
        let response = Response::builder().header("content-type", "application/x-protobuf");
        return response.body(Full::from(message).boxed_unsync()).unwrap();
    }
    let mut frame = vec![0];
    frame.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    frame.extend(message);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let body = Full::from(frame).with_trailers(async move { Some(Ok(trailers)) });
    Response::builder().header("content-type", "application/grpc").body(body.boxed_unsync()).unwrap()
}

fn refusal(is_grpc: bool, code: &str, status: u16) -> Response<Answer> {
    let response = match is_grpc {
        true => Response::builder().header("content-type", "application/grpc").header("grpc-status", code),
        false => Response::builder().status(status),
    };
    response.body(Full::default().boxed_unsync()).unwrap()
}
