//! The demo's OTLP backend: keeps every traces request that the sidecar exports.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::net::Drained;
use crate::otlp::answer::{Reason, Refusal};
use crate::otlp::{Signal, check};
use crate::pipeline::{Boxed, Consumer, Refused};
use crate::receiver::settings::{Connection, Grpc, Settings};
use crate::receiver::{Intake, Observer, Receiver, Transport};

/// More than the demo exports; no buffer is without a bound.
const MOST_REQUESTS: usize = 64;

/// A backend that listens.
pub(super) struct Backend {
    address: SocketAddr,
    kept: Arc<Kept>,
    stop: CancellationToken,
    server: JoinHandle<Drained>,
}

#[derive(Default)]
struct Kept(Mutex<Vec<Bytes>>);

impl Kept {
    fn bodies(&self) -> MutexGuard<'_, Vec<Bytes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Consumer for Kept {
    fn consume(&self, signal: Signal, body: Bytes) -> Boxed<'_, Result<usize, Refused>> {
        let mut bodies = self.bodies();
        let taken = match bodies.len() < MOST_REQUESTS {
            true => Ok(check::count(signal, &body)),
            false => Err(Refusal::new(Reason::TooLarge, "the demo's backend is full").into()),
        };
        if taken.is_ok() {
            bodies.push(body);
        }
        Box::pin(std::future::ready(taken))
    }
}

struct Unobserved;

impl Observer for Unobserved {
    fn accepted(&self, _: Signal, _: Transport, _: usize) {}
    fn refused(&self, _: Option<Signal>, _: Transport, _: Reason, _: usize) {}
}

impl Backend {
    /// Listens for OTLP/gRPC on a free port of loopback.
    pub(super) async fn start() -> Result<Backend, String> {
        let minute = Duration::from_secs(60);
        let connection = Connection {
            header_timeout: minute,
            body_timeout: minute,
            idle_timeout: minute,
            max_connections: 16,
            ..Connection::default()
        };
        let grpc = Grpc {
            endpoint: "127.0.0.1:0".to_owned(),
            max_message_bytes: 4 << 20,
            max_concurrent_streams: 16,
            connection,
        };
        let settings = Settings { grpc: Some(grpc), http: None };
        let bound = Receiver::bind("demo", &settings).await.map_err(|error| error.to_string())?;
        let address = bound.grpc_addr().ok_or("the demo's backend has no address")?;
        let (kept, stop) = (Arc::new(Kept::default()), CancellationToken::new());
        let intake = Intake {
            consumer: Arc::clone(&kept) as _,
            observer: Arc::new(Unobserved),
            json: |_, _, _| Err(Refusal::new(Reason::UnsupportedEncoding, "the demo's backend reads no JSON")),
        };
        let server = tokio::spawn(bound.serve(intake, stop.clone(), Duration::from_secs(1)));
        Ok(Backend { address, kept, stop, server })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops listening; everything that it got.
    pub(super) async fn stop(self) -> Vec<Bytes> {
        self.stop.cancel();
        // Whatever the server made of its end, what was kept is kept.
        drop(self.server.await);
        std::mem::take(&mut *self.kept.bodies())
    }
}
