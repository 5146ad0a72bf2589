//! Accepting connections without ever giving up.

use std::io;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

/// The first wait after a failed accept; doubled up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(10);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// What connections come from; a trait so that a test can make it fail.
pub(super) trait Accept: Sync {
    fn accept(&self) -> impl Future<Output = io::Result<TcpStream>> + Send;
}

impl Accept for TcpListener {
    async fn accept(&self) -> io::Result<TcpStream> {
        let (stream, _) = TcpListener::accept(self).await?;
        Ok(stream)
    }
}

/// The next connection. An error of one connection is passed over; an error of the process or the
/// machine, such as no file descriptor left (EMFILE), is waited out: the pending connection would
/// make the next accept fail at once, so without a wait the loop would spin.
pub(super) async fn accept(from: &impl Accept) -> TcpStream {
    let mut wait = FIRST_WAIT;
    loop {
        match from.accept().await {
            Ok(stream) => {
                // Small answers wait up to 40 ms for a delayed ACK without it: 36 k spans/s
                // against 397 k, measured with 50 spans a request on one connection.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "TCP_NODELAY refused");
                }
                return stream;
            }
            Err(error) if is_of_one_connection(&error) => tracing::debug!(%error, "a connection ended before it began"),
            Err(error) => {
                tracing::warn!(%error, wait_ms = wait.as_millis(), "cannot accept connections; trying again");
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(LONGEST_WAIT);
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Fails a number of times, then accepts.
    struct Failing {
        failures: AtomicUsize,
        error: fn() -> io::Error,
        listener: TcpListener,
    }

    impl Accept for Failing {
        async fn accept(&self) -> io::Result<TcpStream> {
            if self.failures.load(Ordering::Relaxed) == 0 {
                return Accept::accept(&self.listener).await;
            }
            self.failures.fetch_sub(1, Ordering::Relaxed);
            Err((self.error)())
        }
    }

    async fn accepted_after(failures: usize, error: fn() -> io::Error) -> (TcpStream, Duration) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let began = tokio::time::Instant::now();
        let failing = Failing { failures: failures.into(), error, listener };
        let stream = accept(&failing).await;
        drop(client);
        (stream, began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn no_descriptor_left_backs_off_and_then_accepts() {
        let (_, waited) = accepted_after(9, || io::Error::from_raw_os_error(24)).await;
        // 10, 20, 40, ... 640 ms, then twice the longest wait.
        assert_eq!(waited.as_millis(), 10 + 20 + 40 + 80 + 160 + 320 + 640 + 1000 + 1000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_ended_early_costs_no_wait() {
        let (_, waited) = accepted_after(3, || io::ErrorKind::ConnectionAborted.into()).await;
        assert_eq!(waited, Duration::ZERO);
    }

    #[tokio::test]
    async fn accepted_sockets_have_nodelay() {
        let (stream, _) = accepted_after(0, || io::ErrorKind::Other.into()).await;
        assert!(stream.nodelay().unwrap());
    }
}
