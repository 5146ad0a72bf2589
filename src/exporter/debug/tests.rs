//! The exporter and its thread, against a writer that is held up by the test.

use std::time::Duration;

use super::*;

/// Passes what is written on, once `open` says so.
struct Gate {
    open: Option<Receiver<()>>,
    written: Arc<Mutex<Vec<u8>>>,
}

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(open) = self.open.take() {
            open.recv().ok();
        }
        lock(&self.written).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Default)]
struct Counts {
    sent: AtomicUsize,
    lost: AtomicUsize,
}

impl Observer for Counts {
    fn sent(&self, _: Signal, items: usize) {
        self.sent.fetch_add(items, Ordering::SeqCst);
    }

    fn failed(&self, _: Signal, items: usize, reason: Loss) {
        assert!(matches!(reason, Loss::NotWritten | Loss::Defect), "{reason:?}");
        self.lost.fetch_add(items, Ordering::SeqCst);
    }
}

fn batch(body: Vec<u8>) -> Batch {
    let call = CallNote {
        name: "chat gpt-4o".into(),
        input_tokens: Some(532),
        output_tokens: Some(118),
        duration_nano: 1_240_000_000,
        dialect: "traceloop",
        target: "1.41",
        error: None,
    };
    Batch { signal: Signal::Traces, body: body.into(), open: OpenItems::detached(3), calls: Arc::new([call]) }
}

fn send(exporter: &DebugExporter, batch: Batch) {
    drop(exporter.reserve(batch.signal, batch.body.len()).unwrap().send(batch));
}

struct Rig {
    exporter: DebugExporter,
    written: Arc<Mutex<Vec<u8>>>,
    counts: Arc<Counts>,
    open: SyncSender<()>,
}

impl Rig {
    fn new(verbosity: Verbosity) -> Rig {
        let (open, gate) = sync_channel(1);
        let written = Arc::new(Mutex::default());
        let counts = Arc::new(Counts::default());
        let out = Box::new(Gate { open: Some(gate), written: written.clone() });
        let exporter = DebugExporter::start("debug", &Debug { verbosity }, out, counts.clone()).unwrap();
        Rig { exporter, written, counts, open }
    }

    async fn finish(&self) -> String {
        self.open.send(()).unwrap();
        self.exporter.shutdown(Instant::now() + Duration::from_secs(60)).await;
        String::from_utf8(lock(&self.written).clone()).unwrap()
    }

    fn counts(&self) -> (usize, usize) {
        (self.counts.sent.load(Ordering::SeqCst), self.counts.lost.load(Ordering::SeqCst))
    }
}

#[tokio::test]
async fn basic_shows_a_line_a_batch_and_a_line_a_call() {
    let rig = Rig::new(Verbosity::Basic);
    send(&rig.exporter, batch(vec![0; 12_400]));
    let expected = "traces  3 spans  12.4 KB\n  chat gpt-4o  532 → 118 tokens  1.24 s  traceloop→1.41\n";
    assert_eq!(rig.finish().await, expected);
    assert_eq!(rig.counts(), (3, 0));
}

#[tokio::test]
async fn a_slow_output_costs_lines_and_never_the_pipeline() {
    let rig = Rig::new(Verbosity::Basic);
    let extra = 500;
    for _ in 0..LONGEST_QUEUE + extra {
        send(&rig.exporter, batch(vec![0]));
    }
    let text = rig.finish().await;
    let shown = text.lines().filter(|line| line.starts_with("traces")).count();
    // The thread has taken one batch or none by the time that the queue is full.
    assert!((LONGEST_QUEUE..=LONGEST_QUEUE + 1).contains(&shown), "{shown}");
    let left_out = LONGEST_QUEUE + extra - shown;
    // One note or two, as the thread begins before the queue is full or after.
    let noted = text.lines().filter(|line| line.ends_with("not shown: this output is too slow)"));
    let noted: usize = noted.filter_map(|line| line.strip_prefix('(')?.split(' ').next()?.parse::<usize>().ok()).sum();
    assert_eq!(noted, left_out);
    assert_eq!(rig.counts(), (shown * 3, left_out * 3));
}

#[tokio::test]
async fn requests_that_wait_for_a_slow_output_are_bounded_in_bytes() {
    let rig = Rig::new(Verbosity::Detailed);
    // An eighth of what may wait each, with the note of its call.
    for _ in 0..40 {
        send(&rig.exporter, batch(vec![0; LARGEST_QUEUE / 8 - 1024]));
    }
    assert!(rig.exporter.backlog.bytes.load(Ordering::Relaxed) <= LARGEST_QUEUE);
    drop(rig.finish().await);
    assert_eq!(rig.counts(), (8 * 3, 32 * 3));
    assert_eq!(rig.exporter.backlog.bytes.load(Ordering::Relaxed), 0);
}

/// A span of some bytes is a note of a hundred and more, and its name is whatever somebody sent.
#[tokio::test]
async fn calls_that_wait_for_a_slow_output_are_bounded_in_bytes() {
    let rig = Rig::new(Verbosity::Basic);
    let noted = |calls: usize, name: usize, error: usize| {
        let call = batch(Vec::new()).calls[0].clone();
        let call = CallNote { name: "n".repeat(name), error: Some("e".repeat(error)), ..call };
        Batch { calls: vec![call; calls].into(), ..batch(vec![0]) }
    };
    for _ in 0..4 {
        // Each a quarter and a little of what may wait.
        for (calls, name, error) in [(1, LARGEST_QUEUE / 4, 1), (1, 1, LARGEST_QUEUE / 4), (40_000, 1, 1)] {
            send(&rig.exporter, noted(calls, name, error));
            assert!(rig.exporter.backlog.bytes.load(Ordering::Relaxed) <= LARGEST_QUEUE);
        }
    }
    drop(rig.finish().await);
    assert_eq!(rig.counts(), (3 * 3, 9 * 3));
    assert_eq!(rig.exporter.backlog.bytes.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_request_larger_than_the_bound_is_shown_if_nothing_else_waits() {
    let rig = Rig::new(Verbosity::Detailed);
    send(&rig.exporter, batch(vec![0; LARGEST_QUEUE + 1]));
    drop(rig.finish().await);
    assert_eq!(rig.counts(), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn an_output_that_blocks_for_ever_does_not_hold_up_the_end() {
    let rig = Rig::new(Verbosity::Basic);
    send(&rig.exporter, batch(vec![0]));
    rig.exporter.shutdown(Instant::now() + Duration::from_secs(5)).await;
    send(&rig.exporter, batch(vec![0]));
    assert_eq!(rig.counts(), (0, 3), "what comes after the shutdown is counted");
}

#[tokio::test]
async fn a_closed_output_is_noticed_once_and_counted() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let counts = Arc::new(Counts::default());
    let exporter = DebugExporter::start("debug", &Debug::default(), Box::new(Closed), counts.clone()).unwrap();
    send(&exporter, batch(vec![0]));
    send(&exporter, batch(vec![0]));
    exporter.shutdown(Instant::now() + Duration::from_secs(60)).await;
    assert_eq!(counts.lost.load(Ordering::SeqCst), 6);
}

/// An output that panics at its first batch.
struct Defective(bool);

impl Write for Defective {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        assert!(std::mem::replace(&mut self.0, true), "an output with a defect");
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_defect_loses_the_batch_that_brings_it_out_and_no_other() {
    let counts = Arc::new(Counts::default());
    let out = Box::new(Defective(false));
    let exporter = DebugExporter::start("debug", &Debug::default(), out, counts.clone()).unwrap();
    send(&exporter, batch(vec![0]));
    send(&exporter, batch(vec![0]));
    exporter.shutdown(Instant::now() + Duration::from_secs(60)).await;
    let [lost, sent] = [&counts.lost, &counts.sent].map(|count| count.load(Ordering::SeqCst));
    assert_eq!((lost, sent), (3, 3));
    assert!(!exporter.died().is_cancelled(), "the thread goes on");
}

/// Keeps no books.
struct Broken;

impl Observer for Broken {
    fn sent(&self, _: Signal, _: usize) {
        panic!("an observer with a defect");
    }

    fn failed(&self, _: Signal, _: usize, _: Loss) {}
}

#[tokio::test]
async fn a_thread_that_ends_says_so() {
    let exporter = DebugExporter::start("debug", &Debug::default(), Box::new(io::sink()), Arc::new(Broken)).unwrap();
    let died = exporter.died();
    send(&exporter, batch(vec![0]));
    tokio::time::timeout(Duration::from_secs(60), died.cancelled()).await.unwrap();
}
