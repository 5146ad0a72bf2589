//! Pages that are large: written one at a time, and so many unread ones at most.
//!
//! A page of ten thousand series takes megabytes, its reader decides how fast it is read, and anybody
//! who reaches the port may ask for one on each of his connections. So a page is written when it is its
//! turn ([`Unread::turn`]), and handed to the connection in pieces ([`Pieces`]): what a connection holds
//! besides is a piece or two. Who stands still while others wait loses the rest of his page.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

/// Pages at a time that are written or not wholly read: two scrapers with a page each on its way, and as
/// many that ask again.
const MOST: usize = 4;

/// Without having taken a piece for so long a reader stands still: longer than a lost packet takes to be
/// sent again, and far below the ten seconds that Prometheus gives a scrape.
const STANDSTILL: Duration = Duration::from_millis(500);

/// A timer that is so late says that this program stood still, and not a reader.
const LATE: Duration = Duration::from_millis(100);

/// Bytes of a page that a connection is given at a time.
const PIECE: usize = 64 << 10;

/// The pages of one address that are not read yet.
#[derive(Debug, Clone)]
pub struct Unread {
    places: Arc<Semaphore>,
    writing: Arc<Semaphore>,
    readers: Arc<Mutex<Vec<Weak<Rest>>>>,
}

impl Default for Unread {
    fn default() -> Self {
        Unread { places: Arc::new(Semaphore::new(MOST)), writing: Arc::new(Semaphore::new(1)), readers: Arc::default() }
    }
}

impl Unread {
    /// Waits until a page may be written, in the order of asking. `cut_off` is told of each reader who
    /// had to go for it.
    pub async fn turn(&self, cut_off: impl Fn()) -> Turn {
        let mut place = std::pin::pin!(acquire(&self.places));
        let place = loop {
            let due = self.next_standstill();
            tokio::select! {
                biased;
                place = &mut place => break place,
                () = sleep_until(due) => {
                    if due.elapsed() > LATE {
                        self.forgive();
                    } else if self.cut_one_off() {
                        cut_off();
                    }
                }
            }
        };
        Turn { unread: self.clone(), place, writing: acquire(&self.writing).await }
    }

    /// When the next reader will have stood still for too long.
    fn next_standstill(&self) -> Instant {
        let readers = self.readers();
        let moved = readers.iter().filter_map(Weak::upgrade).filter_map(|rest| rest.moved());
        moved.min().unwrap_or_else(Instant::now) + STANDSTILL
    }

    /// Gives every reader his time again.
    fn forgive(&self) {
        for rest in self.readers().iter().filter_map(Weak::upgrade) {
            if let Some(page) = &mut *rest.page() {
                page.moved = Instant::now();
            }
        }
    }

    /// Takes the page of the reader who stands still the longest, if any stands still for too long.
    fn cut_one_off(&self) -> bool {
        let readers = self.readers();
        let standing = readers.iter().filter_map(Weak::upgrade).filter_map(|rest| Some((rest.moved()?, rest)));
        let Some((moved, longest)) = standing.min_by_key(|(moved, _)| *moved) else { return false };
        moved.elapsed() >= STANDSTILL && longest.page().take().is_some()
    }

    fn readers(&self) -> MutexGuard<'_, Vec<Weak<Rest>>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn acquire(semaphore: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    match Arc::clone(semaphore).acquire_owned().await {
        Ok(permit) => permit,
        // These are never closed.
        Err(_) => std::future::pending().await,
    }
}

/// The turn to write a page; nobody else writes one until it is dropped or has become [`Pieces`].
#[derive(Debug)]
pub struct Turn {
    unread: Unread,
    place: OwnedSemaphorePermit,
    writing: OwnedSemaphorePermit,
}

impl Turn {
    /// The written page as the body of an answer.
    pub fn written(self, page: Bytes) -> Pieces {
        let Turn { unread, place, writing } = self;
        let length = page.len();
        let rest = Arc::new(Rest(Mutex::new(Some(Page { bytes: page, moved: Instant::now(), _place: place }))));
        let mut readers = unread.readers();
        readers.retain(|reader| reader.strong_count() > 0);
        readers.push(Arc::downgrade(&rest));
        drop(writing);
        Pieces { rest, left: length }
    }
}

/// What is not read of a page; nothing at its end, and if its reader was cut off.
#[derive(Debug)]
struct Rest(Mutex<Option<Page>>);

#[derive(Debug)]
struct Page {
    bytes: Bytes,
    /// When its reader took the last piece.
    moved: Instant,
    _place: OwnedSemaphorePermit,
}

impl Rest {
    fn page(&self) -> MutexGuard<'_, Option<Page>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn moved(&self) -> Option<Instant> {
        self.page().as_ref().map(|page| page.moved)
    }
}

/// A page as it is read. An error ends the connection, so that nobody takes half a page for a whole one.
#[derive(Debug)]
pub struct Pieces {
    rest: Arc<Rest>,
    /// Bytes to come.
    left: usize,
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let piece = {
            let mut rest = self.rest.page();
            let Some(page) = &mut *rest else {
                let why = "others waited, and this page was not read on";
                return Poll::Ready(Some(Err(io::Error::new(io::ErrorKind::TimedOut, why))));
            };
            if page.bytes.len() <= PIECE {
                rest.take().map(|page| page.bytes).unwrap_or_default()
            } else {
                page.moved = Instant::now();
                // A copy: a slice would keep the whole page.
                Bytes::copy_from_slice(&page.bytes.split_to(PIECE))
            }
        };
        self.left -= piece.len();
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left as u64)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use http_body_util::BodyExt;

    use super::*;

    fn large() -> Bytes {
        (0..10 * PIECE + 7).map(|at| (at / 1000) as u8).collect()
    }

    async fn read(mut page: Pieces) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(frame) = page.frame().await {
            all.extend_from_slice(&frame.unwrap().into_data().unwrap());
        }
        all
    }

    /// Whether a future is not there yet, when all that can happen has happened.
    async fn waits<F: Future>(future: Pin<&mut F>) -> bool {
        tokio::select! {
            biased;
            _ = future => false,
            () = tokio::task::yield_now() => true,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn pages_are_written_one_at_a_time() {
        let unread = Unread::default();
        let turn = unread.turn(|| ()).await;
        let mut next = std::pin::pin!(unread.turn(|| ()));
        assert!(waits(next.as_mut()).await);
        let _page = turn.written(large());
        assert!(!waits(next.as_mut()).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_is_read_whole_and_gives_its_place_back() {
        let unread = Unread::default();
        for _ in 0..3 * MOST {
            let page = unread.turn(|| unreachable!("nobody stands still")).await.written(large());
            assert_eq!(page.size_hint().exact(), Some(large().len() as u64));
            assert_eq!(read(page).await, large());
        }
    }

    /// Such as that of a HEAD request.
    #[tokio::test(start_paused = true)]
    async fn a_page_that_is_let_go_gives_its_place_back() {
        let unread = Unread::default();
        for _ in 0..3 * MOST {
            drop(unread.turn(|| unreachable!("nobody stands still")).await.written(large()));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_stands_still_the_longest_is_cut_off_when_others_wait() {
        let unread = Unread::default();
        let cut = AtomicUsize::new(0);
        let count = || {
            cut.fetch_add(1, Ordering::Relaxed);
        };
        let mut pages = Vec::new();
        for _ in 0..MOST {
            pages.push(unread.turn(count).await.written(large()));
        }
        // All but the second go on reading, however slowly.
        let mut next = std::pin::pin!(unread.turn(count));
        for _ in 0..8 {
            assert!(waits(next.as_mut()).await);
            assert_eq!(cut.load(Ordering::Relaxed), 0);
            tokio::time::advance(STANDSTILL / 10).await;
            for at in [0, 2, 3] {
                pages[at].frame().await.unwrap().unwrap();
            }
        }
        let _turn = next.await;
        assert_eq!(cut.load(Ordering::Relaxed), 1);
        let error = pages[1].frame().await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        // They have two pieces and seven bytes to read, as before.
        assert_eq!(read(pages.remove(0)).await.len(), 2 * PIECE + 7);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_cut_off_for_a_standstill_of_the_program() {
        let unread = Unread::default();
        let mut pages = Vec::new();
        for _ in 0..MOST {
            pages.push(unread.turn(|| ()).await.written(large()));
        }
        let mut next = std::pin::pin!(unread.turn(|| ()));
        assert!(waits(next.as_mut()).await);
        tokio::time::advance(STANDSTILL + 2 * LATE).await;
        assert!(waits(next.as_mut()).await);
        for page in &mut pages {
            page.frame().await.unwrap().unwrap();
        }
        // On time, and for nothing else.
        tokio::time::advance(STANDSTILL / 2).await;
        assert!(waits(next.as_mut()).await);
        drop(pages);
        assert!(!waits(next.as_mut()).await);
    }

    /// Nobody needs the place of who is slow.
    #[tokio::test(start_paused = true)]
    async fn who_reads_slowly_is_left_alone_while_there_is_room() {
        let unread = Unread::default();
        let mut slow = unread.turn(|| ()).await.written(large());
        for _ in 0..5 {
            tokio::time::advance(STANDSTILL * 100).await;
            drop(unread.turn(|| unreachable!("there is room")).await.written(large()));
            slow.frame().await.unwrap().unwrap();
        }
    }
}
