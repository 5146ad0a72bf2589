//! Fewer and larger writes to a backend.
//!
//! HTTP/2 sends a request in frames of 16 KiB, since hardly a server takes larger ones, and `h2` writes and
//! flushes each by itself. A write costs the kernel more than its bytes do, so frames that are written while
//! a connection's task runs are gathered here and go out together: as TCP's cork does it, in user space. What
//! a task leaves when it has no more to write goes out when it runs again, which it is asked to do at once.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// So much is gathered at most, in a buffer that a connection keeps.
const GATHERED: usize = 64 << 10;

/// Less is not worth waiting for: heads, acknowledgements, small requests.
const WORTH_IT: usize = 8 << 10;

/// A connection whose writes are gathered.
#[derive(Debug)]
pub(crate) struct Corked<S> {
    inner: S,
    /// Written, and not yet sent from `sent` on.
    written: Vec<u8>,
    sent: usize,
    /// Whether something was written since the last flush.
    is_fresh: bool,
    is_on: bool,
}

impl<S> Corked<S> {
    /// What writes to `inner`, gathered if `is_on`.
    pub(crate) fn new(inner: S, is_on: bool) -> Self {
        Corked { inner, written: Vec::new(), sent: 0, is_fresh: false, is_on }
    }
}

impl<S: AsyncWrite + Unpin> Corked<S> {
    fn send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.written.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut self.inner).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => self.sent += sent,
            }
        }
        self.written.clear();
        self.sent = 0;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Corked<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let size: usize = slices.iter().map(|slice| slice.len()).sum();
        if this.written.len().saturating_add(size) > GATHERED {
            ready!(this.send(cx))?;
        }
        if !this.is_on || size > GATHERED {
            return Pin::new(&mut this.inner).poll_write_vectored(cx, slices);
        }
        if this.written.capacity() == 0 && size >= WORTH_IT {
            this.written.reserve_exact(GATHERED);
        }
        slices.iter().for_each(|slice| this.written.extend_from_slice(slice));
        this.is_fresh = true;
        Poll::Ready(Ok(size))
    }

    fn is_write_vectored(&self) -> bool {
        self.is_on || self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if std::mem::take(&mut this.is_fresh) && this.written.len() - this.sent >= WORTH_IT {
            // There may be more to come. If not, this is called again with nothing new.
            cx.waker().wake_by_ref();
            return Poll::Ready(Ok(()));
        }
        ready!(this.send(cx))?;
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.send(cx))?;
        Pin::new(&mut this.inner).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Corked<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<S: Connection> Connection for Corked<S> {
    fn connected(&self) -> Connected {
        self.inner.connected()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};

    use tokio::io::AsyncWriteExt;

    use super::*;

    /// Takes at most so many bytes with each write, and notes every write.
    #[derive(Default)]
    struct Backend {
        most: usize,
        writes: Vec<Vec<u8>>,
        is_closed: bool,
    }

    impl AsyncWrite for Backend {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            let taken = bytes.len().min(self.most);
            self.writes.push(bytes[..taken].to_vec());
            Poll::Ready(Ok(taken))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.is_closed = true;
            Poll::Ready(Ok(()))
        }
    }

    /// How often a task was asked to run again.
    #[derive(Default)]
    struct Asked(AtomicUsize);

    impl Wake for Asked {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn corked(most: usize) -> Corked<Backend> {
        Corked::new(Backend { most, ..Backend::default() }, true)
    }

    /// Frames as `h2` writes them: each is flushed before the next is written.
    async fn write_frames(stream: &mut Corked<Backend>, frames: &[Vec<u8>]) {
        for frame in frames {
            stream.write_all(frame).await.unwrap();
            stream.flush().await.unwrap();
        }
    }

    fn frames(count: usize, size: usize) -> Vec<Vec<u8>> {
        (0..count).map(|number| vec![number as u8; size]).collect()
    }

    #[tokio::test]
    async fn frames_go_out_together_and_whole_whatever_the_socket_takes() {
        let frames = frames(37, 16_393);
        for (most, writes) in [(usize::MAX, 13), (10_000, usize::MAX)] {
            let mut stream = corked(most);
            write_frames(&mut stream, &frames).await;
            // The connection's task runs once more, as it was asked to.
            stream.flush().await.unwrap();
            assert!(stream.inner.writes.len() <= writes, "{} writes", stream.inner.writes.len());
            assert_eq!(stream.inner.writes.concat(), frames.concat());
            assert!(stream.written.capacity() <= GATHERED);
        }
    }

    #[tokio::test]
    async fn what_is_held_back_is_asked_for_again_at_once() {
        let mut stream = corked(usize::MAX);
        let asked = Arc::new(Asked::default());
        let waker = Waker::from(Arc::clone(&asked));
        let mut cx = Context::from_waker(&waker);
        assert!(Pin::new(&mut stream).poll_write(&mut cx, &[1; WORTH_IT]).is_ready());
        assert!(Pin::new(&mut stream).poll_flush(&mut cx).is_ready());
        assert_eq!((stream.inner.writes.len(), asked.0.load(Ordering::SeqCst)), (0, 1));
        assert!(Pin::new(&mut stream).poll_flush(&mut cx).is_ready());
        assert_eq!((stream.inner.writes.len(), asked.0.load(Ordering::SeqCst)), (1, 1));
    }

    #[tokio::test]
    async fn what_is_small_goes_out_with_its_flush() {
        let mut stream = corked(usize::MAX);
        write_frames(&mut stream, &frames(3, WORTH_IT - 1)).await;
        assert_eq!(stream.inner.writes.len(), 3);
        assert!(stream.written.capacity() < GATHERED);
    }

    #[tokio::test]
    async fn the_end_of_a_connection_takes_along_what_was_held_back() {
        let mut stream = corked(usize::MAX);
        stream.write_all(&[7; 20_000]).await.unwrap();
        poll_fn(|cx| Pin::new(&mut stream).poll_shutdown(cx)).await.unwrap();
        assert_eq!((stream.inner.writes.concat().len(), stream.inner.is_closed), (20_000, true));
    }

    #[tokio::test]
    async fn a_connection_that_is_not_gathered_is_left_alone() {
        let mut stream = Corked::new(Backend { most: usize::MAX, ..Backend::default() }, false);
        write_frames(&mut stream, &frames(5, 16_393)).await;
        assert_eq!((stream.inner.writes.len(), stream.written.capacity()), (5, 0));
    }
}
