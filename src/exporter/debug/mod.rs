//! The debug exporter: telemetry as text for a person at a terminal.
//!
//! A thread of its own writes, because a terminal can be slow and a pipe can block. What it cannot
//! keep up with is left out, counted and said; the pipeline never waits. The text itself is made in
//! `basic` and `detailed`, on that thread.

use std::fmt;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::observe::{Loss, Observer};
use super::settings::{Debug, Verbosity};
use crate::defect;
use crate::otlp::Signal;
use crate::otlp::answer::Refusal;
use crate::pipeline::account::OpenItems;
use crate::pipeline::{Batch, CallNote, Exporter, Permit, Receipt};

mod basic;
mod detailed;
mod text;

/// Batches that may wait for the terminal.
const LONGEST_QUEUE: usize = 1024;

/// Bytes of what they hold on to: their calls, and with `detailed` the requests.
const LARGEST_QUEUE: usize = 16 << 20;

/// A running debug exporter.
pub struct DebugExporter {
    verbosity: Verbosity,
    observer: Arc<dyn Observer>,
    backlog: Arc<Backlog>,
    /// `None` after the shutdown began.
    sender: Mutex<Option<SyncSender<Job>>>,
    /// Resolves when the thread has written everything.
    written: Mutex<Option<oneshot::Receiver<()>>>,
    died: CancellationToken,
}

/// What the pipeline's and the writer's side share.
#[derive(Debug, Default)]
struct Backlog {
    /// Bytes that the batches in the queue hold on to.
    bytes: AtomicUsize,
    /// Batches left out since that was last said.
    left_out: AtomicU64,
}

/// A batch to be shown.
struct Job {
    signal: Signal,
    open: OpenItems,
    /// The request's size.
    size: usize,
    calls: Arc<[CallNote]>,
    /// The request, where more than its size is shown.
    body: Bytes,
}

impl Job {
    /// Bytes that it holds on to while it waits.
    fn held(&self) -> usize {
        let of_call = |note: &CallNote| {
            let CallNote { name, error, .. } = note;
            size_of::<CallNote>() + name.capacity() + error.as_ref().map_or(0, String::capacity)
        };
        self.body.len() + self.calls.iter().map(of_call).sum::<usize>()
    }
}

impl DebugExporter {
    /// Starts the exporter `name`, and its thread, which writes to `out`.
    ///
    /// # Errors
    /// If the system has no thread to give.
    pub fn start(
        name: &str,
        settings: &Debug,
        out: Box<dyn Write + Send>,
        observer: Arc<dyn Observer>,
    ) -> io::Result<DebugExporter> {
        let (sender, receiver) = sync_channel(LONGEST_QUEUE);
        let (done, written) = oneshot::channel();
        let backlog = Arc::new(Backlog::default());
        let writer = Writer {
            name: name.to_owned(),
            out,
            text: String::new(),
            observer: observer.clone(),
            backlog: backlog.clone(),
            broken: false,
        };
        let died = CancellationToken::new();
        let dies = died.clone();
        std::thread::Builder::new().name("debug".into()).spawn(move || {
            if catch_unwind(AssertUnwindSafe(|| writer.run(&receiver))).is_err() {
                dies.cancel();
            }
            // Nobody listens after a shutdown that ran out of time.
            done.send(()).ok();
        })?;
        Ok(DebugExporter {
            verbosity: settings.verbosity,
            observer,
            backlog,
            sender: Mutex::new(Some(sender)),
            written: Mutex::new(Some(written)),
            died,
        })
    }

    /// Cancelled when its thread has ended by a defect.
    pub fn died(&self) -> CancellationToken {
        self.died.clone()
    }

    /// Takes nothing more and waits until everything is written, but not beyond `deadline`: an
    /// output that blocks for ever must not hold up the program's end.
    pub async fn shutdown(&self, deadline: Instant) {
        drop(lock(&self.sender).take());
        let written = lock(&self.written).take();
        if let Some(written) = written {
            drop(tokio::time::timeout_at(deadline, written).await);
        }
    }

    fn show(&self, batch: Batch) {
        let Batch { signal, body, open, calls } = batch;
        let items = open.items();
        let size = body.len();
        let body = match self.verbosity {
            Verbosity::Basic => Bytes::new(),
            Verbosity::Detailed => body,
        };
        let job = Job { signal, open, size, calls, body };
        let held = job.held();
        let before = self.backlog.bytes.fetch_add(held, Ordering::Relaxed);
        // One batch of any size is taken if nothing else waits.
        let room = before == 0 || before.saturating_add(held) <= LARGEST_QUEUE;
        let left_out = match lock(&self.sender).as_ref().filter(|_| room) {
            Some(sender) => sender.try_send(job).err().map(|full| match full {
                TrySendError::Full(job) | TrySendError::Disconnected(job) => job,
            }),
            None => Some(job),
        };
        if let Some(job) = left_out {
            self.backlog.bytes.fetch_sub(held, Ordering::Relaxed);
            self.backlog.left_out.fetch_add(1, Ordering::Relaxed);
            self.observer.failed(signal, items, Loss::NotWritten);
            job.open.lost(Loss::NotWritten.label());
        }
    }
}

impl Exporter for DebugExporter {
    fn reserve(&self, _: Signal, _: usize) -> Result<Box<dyn Permit + '_>, Refusal> {
        Ok(Box::new(Show(self)))
    }
}

/// There is always room: what cannot be shown is left out.
struct Show<'e>(&'e DebugExporter);

impl Permit for Show<'_> {
    fn send(self: Box<Self>, batch: Batch) -> Receipt {
        if !batch.body.is_empty() {
            self.0.show(batch);
        }
        Receipt::Taken
    }
}

impl fmt::Debug for DebugExporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DebugExporter").field("verbosity", &self.verbosity).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The thread's side.
struct Writer {
    name: String,
    out: Box<dyn Write + Send>,
    /// Used again for each batch.
    text: String,
    observer: Arc<dyn Observer>,
    backlog: Arc<Backlog>,
    broken: bool,
}

impl Writer {
    fn run(mut self, jobs: &Receiver<Job>) {
        for job in jobs {
            self.text.clear();
            self.note_left_out();
            let (items, held) = (job.open.items(), job.held());
            // A defect that one batch brings out must not end the output of all others.
            let written = catch_unwind(AssertUnwindSafe(|| self.show(&job))).unwrap_or_else(|panic| {
                let defect = defect::message(panic.as_ref());
                error!("exporter {}: {items} items are not shown by a defect of dragoman: {defect}", self.name);
                Err(Loss::Defect)
            });
            match written {
                Ok(()) => {
                    self.observer.sent(job.signal, items);
                    job.open.exported();
                }
                Err(loss) => {
                    self.observer.failed(job.signal, items, loss);
                    job.open.lost(loss.label());
                }
            }
            self.backlog.bytes.fetch_sub(held, Ordering::Relaxed);
        }
        self.text.clear();
        self.note_left_out();
        self.write();
    }

    fn show(&mut self, job: &Job) -> Result<(), Loss> {
        basic::batch(&mut self.text, job.signal, job.open.items(), job.size);
        basic::calls(&mut self.text, &job.calls);
        detailed::request(&mut self.text, job.signal, &job.body);
        if self.write() { Ok(()) } else { Err(Loss::NotWritten) }
    }

    fn note_left_out(&mut self) {
        match self.backlog.left_out.swap(0, Ordering::Relaxed) {
            0 => {}
            1 => self.text.push_str("(1 batch is not shown: this output is too slow)\n"),
            more => {
                let line = format!("({more} batches are not shown: this output is too slow)\n");
                self.text.push_str(&line);
            }
        }
    }

    fn write(&mut self) -> bool {
        if self.broken {
            return false;
        }
        let written = self.out.write_all(self.text.as_bytes()).and_then(|()| self.out.flush());
        if let Err(error) = written {
            self.broken = true;
            warn!("exporter {}: its output cannot be written: {error}; nothing more is shown", self.name);
        }
        !self.broken
    }
}

#[cfg(test)]
mod tests;
