//! Fewer and larger reads from a client.
//!
//! `h2` reads eight kilobytes at a time, and a read costs the kernel more than its bytes do. So where a client
//! sends more than what is asked for, it is read ahead, as far as it has come. The buffer for that is there
//! only as long as something is in it: a connection that is waited for has none.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, ReadBuf};
use tokio_util::io::poll_read_buf;

/// What is read ahead at most.
pub(super) const AHEAD: usize = 64 << 10;

/// Who asks for less is reading something small: a preface, the rest of a frame.
const WORTH_IT: usize = 4 << 10;

/// The reading side of a stream, read ahead of who reads it.
#[derive(Debug)]
pub(super) struct Ahead<T> {
    inner: T,
    come: BytesMut,
    /// Whether the last read filled all that it was given, so that there is probably more.
    is_more: bool,
}

impl<T> Ahead<T> {
    pub(super) fn new(inner: T) -> Self {
        Ahead { inner, come: BytesMut::new(), is_more: false }
    }

    /// The stream itself, to write to it.
    pub(super) fn get_mut(&mut self) -> &mut T {
        &mut self.inner
    }

    pub(super) fn get_ref(&self) -> &T {
        &self.inner
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Ahead<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.come.is_empty() {
            let room = buffer.remaining();
            if !this.is_more || room >= AHEAD {
                let before = buffer.filled().len();
                let polled = Pin::new(&mut this.inner).poll_read(cx, buffer);
                this.is_more = room >= WORTH_IT && buffer.filled().len() - before == room;
                return polled;
            }
            this.come.reserve(AHEAD);
            let read = poll_read_buf(Pin::new(&mut this.inner), cx, &mut this.come);
            this.is_more = matches!(read, Poll::Ready(Ok(bytes)) if bytes > room);
            match read {
                Poll::Ready(Ok(bytes)) if bytes > 0 => {}
                nothing => {
                    this.come = BytesMut::new();
                    return nothing.map_ok(|_| ());
                }
            }
        }
        let taken = this.come.len().min(buffer.remaining());
        if let Some(come) = this.come.get(..taken) {
            buffer.put_slice(come);
        }
        this.come.advance(taken);
        if this.come.is_empty() && !this.is_more {
            this.come = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use tokio::io::AsyncReadExt;

    use super::*;

    /// What comes, in pieces; each read takes of the first one only. Between two pieces is a wait.
    #[derive(Default)]
    struct Client {
        pieces: VecDeque<Vec<u8>>,
        waits: bool,
        /// How much each read asked for.
        reads: Vec<usize>,
    }

    impl AsyncRead for Client {
        fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            self.reads.push(buffer.remaining());
            if std::mem::take(&mut self.waits) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let Some(piece) = self.pieces.front_mut() else { return Poll::Ready(Ok(())) };
            let taken = piece.len().min(buffer.remaining());
            buffer.put_slice(&piece[..taken]);
            piece.drain(..taken);
            if piece.is_empty() {
                self.pieces.pop_front();
                self.waits = true;
            }
            Poll::Ready(Ok(()))
        }
    }

    fn client(pieces: &[usize]) -> Ahead<Client> {
        let pieces = pieces.iter().enumerate().map(|(number, size)| vec![number as u8 + 1; *size]).collect();
        Ahead::new(Client { pieces, ..Client::default() })
    }

    const ROOM: usize = 8 << 10;

    /// All of it, read as `h2` does.
    async fn read(stream: &mut Ahead<Client>) -> Vec<u8> {
        let mut all = Vec::new();
        let mut room = vec![0; ROOM];
        loop {
            match stream.read(&mut room).await.unwrap() {
                0 => return all,
                read => all.extend_from_slice(&room[..read]),
            }
        }
    }

    #[tokio::test]
    async fn large_bodies_take_few_reads_and_come_whole() {
        let mut stream = client(&[1_000_000, 3, 70_000, 8 << 10, 100]);
        let expected = stream.inner.pieces.iter().flatten().copied().collect::<Vec<u8>>();
        assert_eq!(read(&mut stream).await, expected);
        assert!(stream.inner.reads.len() <= 32, "{} reads", stream.inner.reads.len());
    }

    #[tokio::test]
    async fn a_connection_that_is_waited_for_holds_nothing() {
        let mut stream = client(&[200_000, 1]);
        let mut room = vec![0; ROOM];
        let mut most = 0;
        let mut waits = false;
        while !waits {
            let mut buffer = ReadBuf::new(&mut room);
            waits =
                std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut stream).poll_read(cx, &mut buffer).is_pending()))
                    .await;
            most = most.max(stream.come.capacity());
        }
        assert!((1..=AHEAD).contains(&most), "{most} bytes");
        assert_eq!(stream.come.capacity(), 0);
    }

    #[tokio::test]
    async fn what_is_small_is_read_as_it_is_asked_for() {
        let mut stream = client(&[24, 9, 100, 3]);
        assert_eq!(read(&mut stream).await.len(), 136);
        assert_eq!(stream.inner.reads.iter().copied().max(), Some(ROOM));
    }
}
