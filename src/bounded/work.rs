//! Computations that take longer than a task may keep its thread from others: decompressing,
//! transcoding and processing a large request.

use std::sync::LazyLock;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Semaphore;
use tokio::task::block_in_place;

/// As many at once as there are processors: more would not be faster, and each has memory of its own
/// while it works.
static TURNS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(std::thread::available_parallelism().map_or(2, usize::from)));

/// From this size on a request's work takes more than about a millisecond: inflating makes some
/// 200 MB a second, of a tenth of that; the stages take 1.5 µs for a span of 1.2 KB.
pub const LONG: usize = 512 << 10;

/// Does `work` on `bytes` in its turn and aside from other tasks if it is long, and at once if not.
pub async fn aside<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    let can_wait = Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
    if bytes < LONG || !can_wait {
        return work();
    }
    // Never closed; without a turn the work is done all the same.
    let turn = TURNS.acquire().await;
    let done = block_in_place(work);
    drop(turn);
    done
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn long_work_leaves_the_thread_to_others_and_waits_for_its_turn() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            static AT_ONCE: AtomicUsize = AtomicUsize::new(0);
            static MOST: AtomicUsize = AtomicUsize::new(0);
            let (send, receive) = std::sync::mpsc::sync_channel::<()>(0);
            // Ends only when a task on the same single thread has run.
            let long = tokio::spawn(aside(LONG, move || receive.recv_timeout(Duration::from_secs(60))));
            let other = tokio::spawn(async move { send.send(()) });
            assert_eq!(long.await.unwrap(), Ok(()));
            assert_eq!(other.await.unwrap(), Ok(()));
            let works = (0..20).map(|_| {
                tokio::spawn(aside(LONG, || {
                    MOST.fetch_max(AT_ONCE.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(2));
                    AT_ONCE.fetch_sub(1, Ordering::SeqCst);
                }))
            });
            for work in works.collect::<Vec<_>>() {
                work.await.unwrap();
            }
            let processors = std::thread::available_parallelism().unwrap().get();
            assert!((1..=processors).contains(&MOST.load(Ordering::SeqCst)));
        });
    }

    #[tokio::test]
    async fn a_runtime_of_one_thread_does_it_at_once() {
        assert_eq!(aside(LONG, || 7).await, 7);
        assert_eq!(aside(1, || 8).await, 8);
    }
}
