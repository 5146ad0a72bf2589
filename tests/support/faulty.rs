//! A TCP proxy that breaks connections on purpose, in the ways that networks and dying programs do.
#![allow(dead_code, reason = "every test uses a part of it")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What becomes of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// Every piece, in both directions, comes this much later.
    Slow(Duration),
    /// So few bytes at a time, each a millisecond after the other.
    Throttled(usize),
    /// Accepted and reset.
    Refused,
    /// Accepted and never answered.
    Silent,
    /// Reset after so many bytes of the request.
    ResetInRequest(usize),
    /// Closed in good order after so many bytes of the request.
    ClosedInRequest(usize),
    /// Reset after so many bytes of the answer.
    ResetInAnswer(usize),
    /// Closed in good order after so many bytes of the answer.
    ClosedInAnswer(usize),
    /// After so many bytes of the request nothing passes any more, and nobody is told: a cable was cut.
    CutCable(usize),
    /// As soon as something is sent, the answer is noise.
    Garbage,
    /// As soon as something is sent, the answer begins as HTTP/1.1 and never ends.
    EndlessHead,
}

/// A running proxy.
pub(crate) struct Faulty {
    pub(crate) address: SocketAddr,
    fault: watch::Sender<Fault>,
    injected: Arc<AtomicU64>,
    connections: Arc<AtomicU64>,
    left: Arc<AtomicU64>,
}

impl Faulty {
    /// A proxy before `backend`, without a fault.
    pub(crate) async fn before(backend: SocketAddr) -> Faulty {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let fault = watch::Sender::new(Fault::None);
        let [injected, connections, left] = [(); 3].map(|()| Arc::<AtomicU64>::default());
        let shared = Connection { backend, fault: fault.subscribe(), injected: injected.clone(), left: left.clone() };
        let count = connections.clone();
        tokio::spawn(async move {
            loop {
                let Ok((client, _)) = listener.accept().await else { continue };
                count.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(shared.clone().serve(client));
            }
        });
        Faulty { address, fault, injected, connections, left }
    }

    /// From now on connections are broken so, those that are open included. Those that are broken stay so.
    pub(crate) fn inject(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// How many connections a fault struck so far.
    pub(crate) fn injected(&self) -> u64 {
        self.injected.load(Ordering::Relaxed)
    }

    /// How many dead connections the client has left so far.
    pub(crate) fn left(&self) -> u64 {
        self.left.load(Ordering::Relaxed)
    }

    /// How many connections were accepted so far.
    pub(crate) fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }
}

#[derive(Clone)]
struct Connection {
    backend: SocketAddr,
    fault: watch::Receiver<Fault>,
    injected: Arc<AtomicU64>,
    left: Arc<AtomicU64>,
}

/// How a connection ended.
enum End {
    /// By itself.
    Closed,
    Reset,
    /// It is open, and dead.
    Silent,
}

impl Connection {
    async fn serve(mut self, client: TcpStream) {
        let fault = *self.fault.borrow_and_update();
        client.set_nodelay(true).unwrap();
        if fault == Fault::Refused {
            self.struck();
            return reset(client);
        }
        let Ok(server) = TcpStream::connect(self.backend).await else { return reset(client) };
        server.set_nodelay(true).unwrap();
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let mut pipes = Pipes { from_client, to_client, from_server, to_server, sent: 0, answered: 0 };
        let mut end = End::Closed;
        // A fault strikes an open connection with its next byte, counted from here.
        loop {
            let fault = *self.fault.borrow_and_update();
            if let Fault::Silent | Fault::Refused = fault {
                self.struck();
                end = if fault == Fault::Silent { End::Silent } else { End::Reset };
                break;
            }
            (pipes.sent, pipes.answered) = (0, 0);
            let struck = tokio::select! {
                struck = pipes.run(fault) => struck,
                Ok(()) = self.fault.changed() => continue,
            };
            if let Some(struck) = struck {
                self.struck();
                end = struck;
            }
            break;
        }
        match end {
            End::Closed => {}
            End::Reset => reset(pipes.from_client.reunite(pipes.to_client).unwrap()),
            // What comes is read, so that the sender's window never closes; nothing is said.
            End::Silent => {
                let mut sink = [0; 4096];
                while pipes.from_client.read(&mut sink).await.is_ok_and(|read| read > 0) {}
                self.left.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn struck(&self) {
        self.injected.fetch_add(1, Ordering::Relaxed);
    }
}

fn reset(stream: TcpStream) {
    // A close with unsent time of zero is a reset.
    #[allow(deprecated, reason = "nothing is left to be sent, so nothing blocks")]
    stream.set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
}

struct Pipes {
    from_client: OwnedReadHalf,
    to_client: OwnedWriteHalf,
    from_server: OwnedReadHalf,
    to_server: OwnedWriteHalf,
    sent: usize,
    answered: usize,
}

impl Pipes {
    /// Passes bytes on until a side closes, which is `None`, or the fault strikes.
    async fn run(&mut self, fault: Fault) -> Option<End> {
        let (mut up, mut down) = ([0; 16 << 10], [0; 16 << 10]);
        let most = match fault {
            Fault::Throttled(bytes) => bytes,
            _ => up.len(),
        };
        loop {
            tokio::select! {
                read = self.from_client.read(&mut up[..most]) => {
                    let read = read.unwrap_or(0);
                    if read == 0 {
                        return None;
                    }
                    let (limit, end) = match fault {
                        Fault::ResetInRequest(limit) => (limit, End::Reset),
                        Fault::ClosedInRequest(limit) => (limit, End::Closed),
                        Fault::CutCable(limit) => (limit, End::Silent),
                        Fault::Garbage => {
                            // Neither HTTP nor HTTP/2, whatever it is read as.
                            drop(self.to_client.write_all(&[0xa5; 512]).await);
                            return Some(End::Closed);
                        }
                        Fault::EndlessHead => {
                            drop(self.to_client.write_all(b"HTTP/1.1 200 OK\r\nx: ").await);
                            return Some(End::Silent);
                        }
                        _ => (usize::MAX, End::Closed),
                    };
                    let passed = read.min(limit - self.sent);
                    pass(&mut self.to_server, &up[..passed], fault).await?;
                    self.sent += passed;
                    if self.sent == limit {
                        return Some(end);
                    }
                }
                read = self.from_server.read(&mut down[..most]) => {
                    let read = read.unwrap_or(0);
                    if read == 0 {
                        return None;
                    }
                    let (limit, end) = match fault {
                        Fault::ResetInAnswer(limit) => (limit, End::Reset),
                        Fault::ClosedInAnswer(limit) => (limit, End::Closed),
                        _ => (usize::MAX, End::Closed),
                    };
                    let passed = read.min(limit - self.answered);
                    pass(&mut self.to_client, &down[..passed], fault).await?;
                    self.answered += passed;
                    if self.answered == limit {
                        return Some(end);
                    }
                }
            }
        }
    }
}

/// Writes a piece, as late as the fault says; `None` if nobody takes it.
async fn pass(to: &mut OwnedWriteHalf, bytes: &[u8], fault: Fault) -> Option<()> {
    match fault {
        Fault::Slow(delay) => tokio::time::sleep(delay).await,
        Fault::Throttled(_) => tokio::time::sleep(Duration::from_millis(1)).await,
        _ => {}
    }
    to.write_all(bytes).await.ok()
}
