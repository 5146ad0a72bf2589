//! The queue on disk: receipts, restarts, what cannot be written or read.

use std::future::poll_fn;
use std::io;
use std::sync::atomic::AtomicBool;
use std::task::Poll;
use std::time::Duration;

use super::*;
use crate::pipeline::account::{Account, LegBalances, Outcome};
use crate::storage::files::{Access, File};
use crate::storage::folder::MODE;

/// The real disk, which can become full, or bring out a defect of who writes there.
#[derive(Clone, Default)]
struct Filling(Arc<AtomicBool>, Arc<AtomicBool>);

impl Files for Filling {
    fn list(&self, folder: &Path) -> io::Result<Vec<(String, u64)>> {
        Disk.list(folder)
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn File>> {
        Ok(Box::new(FillingFile(self.clone(), Disk.open(path, access)?)))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        Disk.remove(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Disk.rename(from, to)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        Disk.sync_folder(folder)
    }
}

struct FillingFile(Filling, Box<dyn File>);

impl File for FillingFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        assert!(!self.0.1.load(Ordering::Relaxed), "a file with a defect");
        match self.0.0.load(Ordering::Relaxed) {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => self.1.write_at(offset, bytes),
        }
    }

    fn read_at(&mut self, offset: u64, most: usize) -> io::Result<Vec<u8>> {
        self.1.read_at(offset, most)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.1.truncate(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.1.sync()
    }
}

#[derive(Default)]
struct Lost(Mutex<Vec<(usize, Loss)>>);

impl Observer for Lost {
    fn sent(&self, _: Signal, _: usize) {}

    fn failed(&self, _: Signal, items: usize, reason: Loss) {
        self.0.lock().unwrap().push((items, reason));
    }
}

const NAME: &str = "otlp/backend";

/// A queue in a folder, and the books of the pipeline that ends in it.
struct Rig {
    queue: Durable,
    account: Arc<Account>,
    disk: Filling,
    lost: Arc<Lost>,
}

impl Rig {
    fn open(folder: &Path, pipeline: &str) -> Rig {
        let folder = Folder::open(folder, false, MODE, Duration::ZERO).unwrap();
        let (account, disk, lost) = (Account::new(pipeline), Filling::default(), Arc::<Lost>::default());
        let options = Options::new(64 << 20, true);
        let opened = open_on(Arc::new(disk.clone()), &folder, options, NAME, Signal::Traces).unwrap();
        let legs = [account.leg(NAME)];
        let queue = Durable::new(&NAME.into(), Signal::Traces, Arc::clone(&lost) as _, opened, &legs);
        Rig { queue, account, disk, lost }
    }

    /// Three items of the pipeline.
    fn entry(&self, body: Bytes) -> Entry {
        let outcome = Outcome { received: 3, outgoing: 3, ..Outcome::default() };
        let open = self.account.taken(outcome, &[self.account.leg(NAME)]).remove(0);
        Entry { body, open }
    }

    fn send(&self, body: &Bytes) -> Receipt {
        self.queue.reserve(body.len()).unwrap();
        self.queue.push(body.len(), self.entry(body.clone()))
    }

    async fn must_take(&self, body: &Bytes) {
        self.send(body).wait().await.unwrap();
    }

    async fn next(&self) -> Next {
        tokio::time::timeout(Duration::from_secs(60), self.queue.take()).await.unwrap().unwrap()
    }

    async fn deliver(&self) -> Bytes {
        let Next { body, open, slot } = self.next().await;
        open.exported();
        self.queue.settle(slot);
        body
    }

    /// The program ends in good order.
    async fn stop(self) -> LegBalances {
        self.queue.close();
        self.queue.leave_waiting();
        self.queue.end().await;
        self.account.balances().exporters[NAME].clone()
    }
}

fn body(number: u8, bytes: usize) -> Bytes {
    vec![number; bytes].into()
}

#[tokio::test]
async fn what_was_acknowledged_and_not_delivered_comes_first_after_a_restart() {
    let root = tempfile::tempdir().unwrap();
    let rig = Rig::open(root.path(), "traces");
    for number in 1..=3 {
        rig.must_take(&body(number, 100)).await;
    }
    assert_eq!(rig.queue.state().items, 9);
    assert_eq!(rig.deliver().await, body(1, 100));
    // Under way when the program ends.
    let Next { open, slot, .. } = rig.next().await;
    assert!(slot.is_on_disk());
    open.stay_queued();
    rig.queue.leave(slot);
    let books = rig.stop().await;
    assert_eq!((books.given, books.exported, books.queued, books.lost.len()), (9, 3, 6, 0));

    let rig = Rig::open(root.path(), "traces");
    rig.must_take(&body(4, 100)).await;
    for number in 2..=4 {
        assert_eq!(rig.deliver().await, body(number, 100));
    }
    let state = rig.queue.state();
    assert_eq!((state.items, state.in_flight), (0, 0));
    let books = rig.stop().await;
    assert_eq!((books.recovered, books.given, books.exported, books.queued), (6, 3, 9, 0));
    assert_eq!(Rig::open(root.path(), "traces").queue.state().items, 0, "delivered once");
}

/// Far more than is kept in memory, in the order in which it came.
#[tokio::test]
async fn what_does_not_fit_into_memory_is_read_from_disk() {
    let root = tempfile::tempdir().unwrap();
    let rig = Rig::open(root.path(), "traces");
    for number in 0..12 {
        rig.must_take(&body(number, 1 << 20)).await;
    }
    let in_memory = rig.queue.shared.held().waiting.iter().map(Waiting::in_memory).sum::<usize>();
    assert_eq!(in_memory, IN_MEMORY);
    for number in 0..12 {
        assert_eq!(rig.deliver().await, body(number, 1 << 20));
    }
    assert_eq!(rig.queue.shared.held().in_memory, 0);
}

#[tokio::test]
async fn a_full_disk_is_refused_before_work_is_done_and_what_was_taken_is_sent() {
    let root = tempfile::tempdir().unwrap();
    let rig = Rig::open(root.path(), "traces");
    rig.must_take(&body(1, 100)).await;
    rig.disk.0.store(true, Ordering::Relaxed);
    let refusal = rig.send(&body(2, 100)).wait().await.unwrap_err();
    assert_eq!(refusal.reason, Reason::Unavailable);
    let folder = root.path().to_str().unwrap();
    assert!(refusal.message.contains(folder) && refusal.message.contains(NAME), "{refusal}");
    let Err(NoRoom::Failed(why)) = rig.queue.reserve(100) else { panic!("there was room") };
    assert!(why.contains(folder), "{why}");
    // It is in memory, and delivered while the program lives.
    assert_eq!(rig.deliver().await, body(1, 100));
    let Next { body: second, open, slot } = rig.next().await;
    assert_eq!((second, slot.is_on_disk()), (body(2, 100), false));
    open.exported();
    rig.queue.settle(slot);
    rig.disk.0.store(false, Ordering::Relaxed);
    let again = async {
        while rig.queue.reserve(100).is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), again).await.unwrap();
    rig.queue.release(100);
    let disk = rig.queue.disk().unwrap();
    assert!(disk.write_failures > 0 && disk.sync_failures == 0, "{disk:?}");
    assert_eq!(rig.stop().await.exported, 6);
}

#[tokio::test]
async fn a_pipeline_that_is_gone_keeps_its_items_on_disk() {
    let root = tempfile::tempdir().unwrap();
    let rig = Rig::open(root.path(), "traces/old");
    rig.must_take(&body(1, 100)).await;
    rig.stop().await;

    let rig = Rig::open(root.path(), "traces/new");
    assert_eq!(rig.queue.disk().unwrap().held_items, 3);
    assert_eq!(rig.queue.state().items, 0, "nobody sends it");
    rig.must_take(&body(2, 100)).await;
    assert_eq!(rig.deliver().await, body(2, 100));
    assert_eq!(rig.stop().await.recovered, 0);

    let rig = Rig::open(root.path(), "traces/old");
    assert_eq!(rig.queue.disk().unwrap().held_items, 0);
    assert_eq!(rig.deliver().await, body(1, 100));
    assert_eq!(rig.stop().await.recovered, 3);
}

#[tokio::test]
async fn what_the_disk_gives_back_changed_is_lost_and_counted() {
    let root = tempfile::tempdir().unwrap();
    let rig = Rig::open(root.path(), "traces");
    rig.must_take(&body(1, 100)).await;
    rig.must_take(&body(2, 100)).await;
    let place = rig.queue.path.clone();
    rig.stop().await;
    let rig = Rig::open(root.path(), "traces");
    let mut files = std::fs::read_dir(place).unwrap().map(|entry| entry.unwrap().path());
    let segment = files.find(|path| path.extension().is_some_and(|ending| ending == "segment")).unwrap();
    let mut bytes = std::fs::read(&segment).unwrap();
    let at = bytes.iter().position(|byte| *byte == 1).unwrap();
    let first = bytes.windows(50).position(|window| window == [1; 50]).unwrap_or(at);
    bytes[first] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    assert_eq!(rig.deliver().await, body(2, 100));
    assert_eq!(rig.queue.disk().unwrap().corrupt_records, 1);
    assert_eq!(*rig.lost.0.lock().unwrap(), [(3, Loss::Corrupt)]);
    let books = rig.stop().await;
    assert_eq!((books.recovered, books.exported, books.lost["corrupt"], books.queued), (6, 3, 3, 0));
}

/// A consumer that is dropped while it waits for the disk.
#[test]
fn a_read_that_nobody_waits_for_puts_the_entry_back() {
    // One thread for the disk, which is kept busy while it is to be slow.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let root = tempfile::tempdir().unwrap();
        let rig = Rig::open(root.path(), "traces");
        rig.must_take(&body(1, 100)).await;
        rig.stop().await;
        let rig = Rig::open(root.path(), "traces");
        let (release, busy) = std::sync::mpsc::sync_channel::<()>(0);
        let slow = tokio::task::spawn_blocking(move || busy.recv());
        let mut take = rig.queue.take();
        let is_read = poll_fn(|context| Poll::Ready(take.as_mut().poll(context).is_ready())).await;
        assert!(!is_read, "it must be read");
        assert_eq!(rig.queue.state().in_flight, 1);
        drop(take);
        assert_eq!(rig.queue.state().in_flight, 0);
        drop(release);
        assert!(slow.await.unwrap().is_err());
        assert_eq!(rig.deliver().await, body(1, 100));
        rig.stop().await;
    });
}

#[tokio::test]
async fn a_closed_queue_ends_after_what_is_still_being_written() {
    let root = tempfile::tempdir().unwrap();
    let rig = Rig::open(root.path(), "traces");
    let receipt = rig.send(&body(1, 100));
    rig.queue.reserve(10).unwrap();
    rig.queue.close();
    assert_eq!(rig.queue.reserve(10), Err(NoRoom::Closed));
    assert_eq!(rig.deliver().await, body(1, 100));
    receipt.wait().await.unwrap();
    let (last, ()) = tokio::join!(rig.queue.take(), async {
        tokio::task::yield_now().await;
        rig.queue.release(10);
    });
    assert!(last.is_none());
}

#[tokio::test]
async fn what_no_exporter_uses_is_said() {
    let root = tempfile::tempdir().unwrap();
    let rig = Rig::open(root.path(), "traces");
    rig.must_take(&body(1, 100)).await;
    rig.stop().await;
    let folder = Folder::open(root.path(), false, MODE, Duration::ZERO).unwrap();
    for _ in 0..2 {
        let left = found::left(&folder);
        assert_eq!(left.len(), 1);
        assert_eq!((left[0].exporter.as_str(), left[0].signal.as_str(), left[0].items), (NAME, "traces", 3));
    }
    drop(folder);
    assert_eq!(Rig::open(root.path(), "traces").deliver().await, body(1, 100), "it was left as it was");
}

#[tokio::test]
async fn a_writer_that_ended_by_a_defect_is_told_from_a_disk_that_takes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let rig = Rig::open(folder.path(), "traces");
    rig.disk.1.store(true, Ordering::Relaxed);
    rig.queue.reserve(100).unwrap();
    let receipt = rig.queue.push(100, rig.entry(Bytes::from(vec![1; 100])));
    assert_eq!(receipt.wait().await.unwrap_err().reason, Reason::Unavailable, "it is not acknowledged");
    // The writer's end is seen a moment later.
    let dead = async {
        loop {
            match rig.queue.reserve(100) {
                Ok(()) => rig.queue.release(100),
                Err(no_room) => return no_room,
            }
            tokio::task::yield_now().await;
        }
    };
    let dead = tokio::time::timeout(Duration::from_secs(60), dead).await.unwrap();
    assert!(matches!(dead, NoRoom::Dead(_)), "{dead:?}");
}
