//! How long a connection may keep us waiting: for the head of a request, and between requests.
//!
//! Hyper's own header timeout also runs between requests of a kept connection, and nothing bounds
//! the first bytes from which the HTTP version is told; so the bytes are watched here. The time for
//! a request's body is the handler's business.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::ahead::Ahead;

/// What an HTTP/2 client sends first (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Why a connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expired {
    /// A request's head, or HTTP/2's preface, did not come in time.
    Head,
    /// No request for the idle timeout.
    Idle,
}

/// A connection's clock.
#[derive(Debug)]
pub(super) struct Watch {
    state: Mutex<State>,
    /// A head began: the deadline moved to an earlier time.
    earlier: Notify,
    header_timeout: Duration,
    idle_timeout: Duration,
}

#[derive(Debug)]
struct State {
    protocol: Protocol,
    /// Requests that are being handled.
    busy: usize,
    /// Whether a head is awaited to its end, rather than a request at all.
    head: bool,
    since: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Protocol {
    /// So many bytes of the preface have come.
    Unknown(usize),
    Http1,
    Http2,
}

impl Watch {
    /// A clock that begins with waiting for the first head, as a new connection does.
    pub(super) fn new(header_timeout: Duration, idle_timeout: Duration) -> Self {
        let state = State { protocol: Protocol::Unknown(0), busy: 0, head: true, since: Instant::now() };
        Watch { state: Mutex::new(state), earlier: Notify::new(), header_timeout, idle_timeout }
    }

    /// A request's head is complete; it is handled until the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> Busy {
        let mut state = self.state();
        state.busy += 1;
        state.head = false;
        drop(state);
        Busy(Arc::clone(self))
    }

    /// The connection is being closed: what is left to be said must be said within the header timeout.
    pub(super) fn close_soon(&self) {
        let mut state = self.state();
        state.head = true;
        state.since = Instant::now();
    }

    /// Returns when the connection has kept us waiting for too long.
    pub(super) async fn expired(&self) -> Expired {
        loop {
            // Looked at anew each time: what was to happen at a deadline when the wait for it began
            // says nothing, since a request may have come meanwhile.
            let (deadline, expired) = self.deadline();
            match expired {
                Some(expired) if deadline <= Instant::now() => return expired,
                _ => {}
            }
            tokio::select! {
                () = self.earlier.notified() => {}
                () = tokio::time::sleep_until(deadline) => {}
            }
        }
    }

    /// When to look again, and what it means if nothing changes until then.
    fn deadline(&self) -> (Instant, Option<Expired>) {
        let state = self.state();
        match (state.busy, state.head) {
            (0, true) => (after(state.since, self.header_timeout), Some(Expired::Head)),
            (0, false) => (after(state.since, self.idle_timeout), Some(Expired::Idle)),
            // Whenever the request ends, its idle deadline is later than this.
            _ => (after(Instant::now(), self.idle_timeout), None),
        }
    }

    fn received(&self, bytes: &[u8]) {
        let mut state = self.state();
        if let Protocol::Unknown(matched) = state.protocol {
            let expected = PREFACE.get(matched..).unwrap_or_default();
            let length = expected.len().min(bytes.len());
            state.protocol = if expected.get(..length) != bytes.get(..length) {
                Protocol::Http1
            } else if length == expected.len() {
                // From here on frames that are no request (settings, pings) keep nobody waiting.
                state.head = false;
                state.since = Instant::now();
                Protocol::Http2
            } else {
                Protocol::Unknown(matched + length)
            };
        } else if state.protocol == Protocol::Http1 && state.busy == 0 && !state.head {
            state.head = true;
            state.since = Instant::now();
            drop(state);
            self.earlier.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A deadline; a timeout of zero is none, as in the Collector.
fn after(since: Instant, timeout: Duration) -> Instant {
    const NEVER: Duration = Duration::from_secs(365 * 86_400);
    let timeout = if timeout.is_zero() { NEVER } else { timeout.min(NEVER) };
    since + timeout
}

/// A request that is being handled.
#[derive(Debug)]
pub(super) struct Busy(Arc<Watch>);

impl Drop for Busy {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.busy = state.busy.saturating_sub(1);
        if state.busy == 0 {
            state.since = Instant::now();
        }
    }
}

/// A stream that is read ahead, and whose incoming bytes are watched as they are taken.
#[derive(Debug)]
pub(super) struct Watched<T> {
    inner: Ahead<T>,
    watch: Arc<Watch>,
}

impl<T> Watched<T> {
    pub(super) fn new(inner: T, watch: Arc<Watch>) -> Self {
        Watched { inner: Ahead::new(inner), watch }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buffer);
        match buffer.filled().get(before..) {
            Some(received) if !received.is_empty() => self.watch.received(received),
            _ => {}
        }
        polled
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(self.inner.get_mut()).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self.inner.get_mut()).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.get_ref().is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.inner.get_mut()).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.inner.get_mut()).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Duration = Duration::from_secs(10);
    const IDLE: Duration = Duration::from_secs(300);

    fn watch() -> (Arc<Watch>, Instant) {
        (Arc::new(Watch::new(HEADER, IDLE)), Instant::now())
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_says_nothing_has_the_header_timeout() {
        let (watch, began) = watch();
        assert_eq!(watch.expired().await, Expired::Head);
        assert_eq!(began.elapsed(), HEADER);
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_trickles_in_has_no_more_time_for_it() {
        let (watch, began) = watch();
        let trickle = async {
            for byte in b"POST /v1/traces HTTP/1.1\r\n" {
                watch.received(&[*byte]);
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            expired = watch.expired() => assert_eq!(expired, Expired::Head),
            () = trickle => {}
        }
        assert_eq!(began.elapsed(), HEADER);
    }

    #[tokio::test(start_paused = true)]
    async fn a_kept_connection_may_be_idle_but_not_begin_a_head_and_stop() {
        let (watch, began) = watch();
        watch.received(b"POST / HTTP/1.1\r\n\r\n");
        drop(watch.begin());
        let begin_head_later = async {
            tokio::time::sleep(Duration::from_secs(100)).await;
            watch.received(b"P");
            std::future::pending::<()>().await;
        };
        tokio::select! {
            expired = watch.expired() => assert_eq!(expired, Expired::Head),
            () = begin_head_later => {}
        }
        assert_eq!(began.elapsed(), Duration::from_secs(100) + HEADER);
    }

    /// A client that was accepted, and sends one request after another, for longer than a head may take.
    #[tokio::test(start_paused = true)]
    async fn a_busy_connection_outlives_the_header_timeout() {
        for first in [&b"POST / HTTP/1.1\r\n\r\n"[..], PREFACE] {
            let (watch, began) = watch();
            let requests = async {
                tokio::time::sleep(Duration::from_millis(100)).await;
                watch.received(first);
                for _ in 0..100 {
                    let busy = watch.begin();
                    tokio::time::sleep(Duration::from_millis(900)).await;
                    drop(busy);
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                std::future::pending::<()>().await;
            };
            tokio::select! {
                biased;
                expired = watch.expired() => assert_eq!(expired, Expired::Idle),
                () = requests => {}
            }
            assert_eq!(began.elapsed(), Duration::from_millis(100_000) + IDLE);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_in_flight_is_not_idle() {
        let (watch, began) = watch();
        let request = async {
            watch.received(b"POST / HTTP/1.1\r\n\r\n");
            let busy = watch.begin();
            tokio::time::sleep(Duration::from_secs(1000)).await;
            drop(busy);
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            () = request => {}
            expired = watch.expired() => assert_eq!(expired, Expired::Idle),
        }
        assert_eq!(began.elapsed(), Duration::from_secs(1000) + IDLE);
    }

    #[tokio::test(start_paused = true)]
    async fn http2_pings_neither_begin_a_head_nor_keep_an_idle_connection_open() {
        let (watch, began) = watch();
        let (first, second) = PREFACE.split_at(7);
        watch.received(first);
        watch.received(second);
        let pings = async {
            loop {
                watch.received(&[0, 0, 8, 6, 0, 0, 0, 0, 0]);
                tokio::time::sleep(Duration::from_secs(7)).await;
            }
        };
        tokio::select! {
            expired = watch.expired() => assert_eq!(expired, Expired::Idle),
            () = pings => {}
        }
        assert_eq!(began.elapsed(), IDLE);
    }
}
