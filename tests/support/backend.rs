//! A backend on loopback that speaks gRPC (through tonic's server, so that the client's framing is
//! judged by somebody else) and HTTP on one port, answers by a script and shows what it got.
#![allow(dead_code, reason = "every test uses a part of it")]

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, Version};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tonic::body::Body;
use tonic::codec::CompressionEncoding;
use tonic::server::{Grpc, UnaryService};

use crate::raw::Raw;

/// One answer.
#[derive(Clone)]
pub(crate) enum Reply {
    /// Success with this encoded response message.
    Ok(Bytes),
    /// A gRPC status.
    Status(tonic::Status),
    /// An HTTP answer, also to a gRPC call.
    Http(u16, Vec<(&'static str, String)>, Bytes),
    /// The connection is cut.
    Cut,
}

/// One request.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) version: Version,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    /// A gRPC message as tonic unpacked it, or an HTTP body as it came.
    pub(crate) body: Bytes,
}

pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    pub(crate) seen: mpsc::Receiver<Seen>,
}

#[derive(Clone)]
struct State {
    script: Arc<Mutex<VecDeque<Reply>>>,
    seen: mpsc::Sender<Seen>,
    cut: Arc<Notify>,
}

impl Backend {
    /// A backend that gives `script` and then only successes.
    pub(crate) async fn start(script: impl IntoIterator<Item = Reply>) -> Backend {
        Backend::over(None, script).await
    }

    /// As [`Backend::start`], over TLS.
    pub(crate) async fn over(tls: Option<rustls::ServerConfig>, script: impl IntoIterator<Item = Reply>) -> Backend {
        Backend::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), tls, script)
    }

    /// As [`Backend::over`], on a listener of the test's own.
    pub(crate) fn on(
        listener: TcpListener,
        tls: Option<rustls::ServerConfig>,
        script: impl IntoIterator<Item = Reply>,
    ) -> Backend {
        let address = listener.local_addr().unwrap();
        let (sender, seen) = mpsc::channel(1000);
        let script = Arc::new(Mutex::new(script.into_iter().collect()));
        let acceptor = tls.map(|config| tokio_rustls::TlsAcceptor::from(Arc::new(config)));
        tokio::spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                // A connection has its own cut, the script is everybody's.
                let state = State { script: script.clone(), seen: sender.clone(), cut: Arc::default() };
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    match acceptor {
                        None => serve(tcp, state).await,
                        Some(acceptor) => {
                            if let Ok(tls) = acceptor.accept(tcp).await {
                                serve(tls, state).await;
                            }
                        }
                    }
                });
            }
        });
        Backend { address, seen }
    }

    pub(crate) async fn next(&mut self) -> Seen {
        let seen = tokio::time::timeout(std::time::Duration::from_secs(60), self.seen.recv()).await;
        seen.unwrap_or_else(|_| panic!("no request came to the backend")).unwrap()
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, state: State) {
    let cut = state.cut.clone();
    let service = service_fn(move |request| answer(request, state.clone()));
    let builder = auto::Builder::new(TokioExecutor::new());
    tokio::select! {
        result = builder.serve_connection(TokioIo::new(stream), service) => drop(result),
        () = cut.notified() => {}
    }
}

async fn answer(request: Request<Incoming>, state: State) -> Result<Response<Body>, Infallible> {
    let reply = state.script.lock().unwrap().pop_front().unwrap_or(Reply::Ok(Bytes::new()));
    let is_grpc = request.headers().get("content-type").is_some_and(|value| value == "application/grpc");
    let (head, body) = request.into_parts();
    let seen =
        |body| Seen { version: head.version, path: head.uri.path().to_owned(), headers: head.headers.clone(), body };
    if is_grpc && !matches!(reply, Reply::Http(..) | Reply::Cut) {
        let call = Call { reply, seen: state.seen, template: Some(seen(Bytes::new())) };
        let mut grpc =
            Grpc::new(Raw).accept_compressed(CompressionEncoding::Gzip).accept_compressed(CompressionEncoding::Zstd);
        let request = Request::from_parts(head, body);
        return Ok(grpc.unary(call, request).await);
    }
    #[allow(clippy::disallowed_methods, reason = "limited")]
    let Ok(body) = Limited::new(body, 16 << 20).collect().await else {
        // It broke off, so nobody waits for an answer.
        return Ok(Response::builder().status(400).body(Body::empty()).unwrap());
    };
    let body = body.to_bytes();
    state.seen.send(seen(body)).await.unwrap();
    let full = |body: Bytes| Body::new(http_body_util::Full::new(body));
    match reply {
        Reply::Ok(body) => {
            Ok(Response::builder().header("content-type", "application/x-protobuf").body(full(body)).unwrap())
        }
        Reply::Http(status, headers, body) => {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            Ok(response.body(full(body)).unwrap())
        }
        Reply::Status(_) => panic!("a gRPC status for an HTTP request"),
        Reply::Cut => {
            state.cut.notify_one();
            std::future::pending().await
        }
    }
}

struct Call {
    reply: Reply,
    seen: mpsc::Sender<Seen>,
    template: Option<Seen>,
}

impl UnaryService<Bytes> for Call {
    type Response = Bytes;
    type Future =
        std::pin::Pin<Box<dyn Future<Output = Result<tonic::Response<Bytes>, tonic::Status>> + Send + 'static>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let seen = Seen { body: request.into_inner(), ..self.template.take().unwrap() };
        self.seen.try_send(seen).unwrap();
        let reply = self.reply.clone();
        Box::pin(async move {
            match reply {
                Reply::Ok(message) => Ok(tonic::Response::new(message)),
                Reply::Status(status) => Err(status),
                Reply::Http(..) | Reply::Cut => unreachable!(),
            }
        })
    }
}
