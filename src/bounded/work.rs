//! Computations that take longer than a task may keep its thread from others: decompressing,
//! transcoding and processing a large request.

use std::sync::LazyLock;
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Semaphore;
use tokio::task::block_in_place;

/// As many at once as there are processors: more would not be faster, and each has memory of its own
/// while it works.
static TURNS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(std::thread::available_parallelism().map_or(2, usize::from)));

/// What takes longer than this is done aside. To leave a thread to another one and to come back costs tens of
/// microseconds, and each thread that takes over keeps memory of the allocator's for itself.
const LONG: Duration = Duration::from_millis(2);

/// What is done with bytes, by how long it takes for each of them, as measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Decompressing: so many compressed bytes, each of which becomes some ten.
    Decompress(usize),
    /// Transcoding so many bytes of JSON.
    Transcode(usize),
    /// Walking through a request of so many bytes, with all stages.
    Process(usize),
}

impl Work {
    /// About how long it takes.
    fn takes(self) -> Duration {
        let nanoseconds = match self {
            Work::Decompress(bytes) => bytes.saturating_mul(50),
            Work::Transcode(bytes) => bytes.saturating_mul(3),
            // Half again as long as the mix of the benchmarks takes.
            Work::Process(bytes) => bytes.saturating_mul(2),
        };
        Duration::from_nanos(nanoseconds as u64)
    }

    fn is_long(self) -> bool {
        self.takes() > LONG
    }
}

/// Does `work` in its turn and aside from other tasks if it is long, and at once if not.
pub async fn aside<T>(what: Work, work: impl FnOnce() -> T) -> T {
    let can_wait = Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
    if !what.is_long() || !can_wait {
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

    use super::*;

    const LONG: Work = Work::Process(64 << 20);

    #[test]
    fn a_request_as_sdks_send_it_is_no_long_work_and_ten_of_them_are() {
        // 500 spans of 1.2 KB, the same in JSON, and a tenth of that compressed.
        for (work, is_long) in [
            (Work::Process(600_000), false),
            (Work::Process(6_000_000), true),
            (Work::Transcode(600_000), false),
            (Work::Transcode(6_000_000), true),
            (Work::Decompress(30_000), false),
            (Work::Decompress(60_000), true),
        ] {
            assert_eq!(work.is_long(), is_long, "{work:?}");
        }
    }

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
        assert_eq!(aside(Work::Process(1), || 8).await, 8);
    }
}
