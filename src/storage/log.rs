//! A log for many callers: one thread writes, and one sync serves all appends that came while the one
//! before it was under way. Nothing here blocks its caller but [`Log::open`] and [`Log::close`].
//!
//! Room is reserved before it is used, like in a queue in memory, and a log that cannot write says so
//! at that point. It tries by itself whether it can write again.

use std::any::Any;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use thiserror::Error;

use super::files::Files;
use super::frame::{FRAME, HEADER};
use super::recovery::{OpenError, Report};
use super::segments::{Failure, Failures, LARGEST_PAYLOAD, Options, Payload, Reader, Record, Segments};

/// What a record is charged at least: about what remembering it costs in memory, however small it is
/// on disk.
pub const LEAST_CHARGE: u64 = 256;

/// How long after a failure it is tried whether writing works again.
const PAUSE: Duration = Duration::from_secs(1);

/// Bytes that are written to try that, at most.
const PROBE: u64 = 1 << 20;

/// What is written at once is under this, one append apart, so that nobody waits for all the others.
const GROUP: usize = 16 << 20;

/// The stack of the thread: it calls nothing deep.
const STACK: usize = 512 << 10;

/// Why there is no room.
#[derive(Debug, Clone, Error)]
pub enum NoRoom {
    /// There will be, when records are acknowledged.
    #[error("{taken} of {capacity} bytes are taken")]
    Full {
        /// Bytes that are taken or reserved.
        taken: u64,
        /// Bytes that there are.
        capacity: u64,
    },
    /// There will never be.
    #[error("more than {capacity} bytes never fit")]
    TooLarge {
        /// Bytes that there are.
        capacity: u64,
    },
    /// The disk takes nothing at the moment.
    #[error(transparent)]
    Failed(Failure),
    /// The log is closed, or its thread is gone.
    #[error("the log is closed")]
    Closed,
}

/// Called when an append is on disk, or failed; on the log's thread, so it must be quick.
pub type Done = Box<dyn FnOnce(Result<Record, NoRoom>) + Send>;

/// How full a log is, and what went wrong in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Bytes of its files.
    pub on_disk: u64,
    /// Bytes that count against the bound: on disk, waiting to be, reserved.
    pub taken: u64,
    /// The bound.
    pub capacity: u64,
    /// Failed writes and syncs.
    pub failures: Failures,
}

/// A log. Dropped, it ends in the background; [`Log::close`] waits for it.
pub struct Log {
    shared: Arc<Shared>,
    reader: Reader,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    capacity: u64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    appends: VecDeque<Append>,
    acknowledged: Vec<Record>,
    /// Charges of what is reserved, and of what waits to be written.
    promised: u64,
    on_disk: u64,
    reclaimable: u64,
    /// What the records on disk are charged beyond their bytes.
    surcharge: u64,
    failure: Option<Failure>,
    failures: Failures,
    is_closing: bool,
    is_gone: bool,
}

struct Append {
    payload: Payload,
    reserved: u64,
    done: Done,
}

fn charge(bytes: u64) -> u64 {
    bytes.saturating_add(FRAME as u64).max(LEAST_CHARGE)
}

fn surcharge(record: &Record) -> u64 {
    LEAST_CHARGE.saturating_sub(record.bytes())
}

impl State {
    fn taken(&self) -> u64 {
        self.on_disk.saturating_sub(self.reclaimable) + self.surcharge + self.promised
    }

    fn copy(&mut self, segments: &Segments) {
        self.on_disk = segments.bytes();
        self.reclaimable = segments.reclaimable();
        self.failures = segments.failures();
    }
}

impl Log {
    /// Opens the log in `folder`, which must be there. `visit` gets what an earlier process left, in
    /// order. `keep` is dropped when nothing is written any more. Blocks.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(
        files: Arc<dyn Files>,
        folder: &Path,
        options: Options,
        keep: Box<dyn Any + Send>,
        visit: &mut dyn FnMut(Record, &[u8]),
    ) -> Result<(Log, Report), OpenError> {
        let mut owed = 0;
        let (segments, report) = Segments::open(files, folder, options, &mut |record, payload| {
            owed += surcharge(&record);
            visit(record, payload);
        })?;
        let mut state = State { surcharge: owed, ..State::default() };
        state.copy(&segments);
        let shared =
            Arc::new(Shared { capacity: options.max_bytes, state: Mutex::new(state), changed: Condvar::new() });
        let reader = segments.reader();
        let of_thread = Arc::clone(&shared);
        let run = move || {
            let _gone = Gone(Arc::clone(&of_thread));
            of_thread.run(segments);
            drop(keep);
        };
        let started = thread::Builder::new().name("queue-log".to_owned()).stack_size(STACK).spawn(run);
        let thread =
            started.map_err(|source| OpenError::Io { what: "start a thread for", path: folder.to_owned(), source })?;
        Ok((Log { shared, reader, thread: Mutex::new(Some(thread)) }, report))
    }

    /// Sets room aside for a payload of `bytes`, until [`Log::append`] or [`Log::release`].
    ///
    /// # Errors
    /// [`NoRoom`].
    pub fn reserve(&self, bytes: usize) -> Result<(), NoRoom> {
        let mut state = self.shared.state();
        let charge = charge(bytes as u64);
        let capacity = self.shared.capacity;
        if state.is_closing || state.is_gone {
            return Err(NoRoom::Closed);
        }
        // A segment of its own, and one acknowledgement, is what the last record needs.
        if charge.saturating_add(2 * HEADER as u64) > capacity || bytes > LARGEST_PAYLOAD {
            return Err(NoRoom::TooLarge { capacity });
        }
        if let Some(failure) = &state.failure {
            return Err(NoRoom::Failed(failure.clone()));
        }
        let taken = state.taken();
        // What is taken may be over the capacity, where payloads grew after their reservation.
        if charge.saturating_add(HEADER as u64) > capacity.saturating_sub(taken) {
            return Err(NoRoom::Full { taken, capacity });
        }
        state.promised += charge;
        Ok(())
    }

    /// Gives back what was reserved for `bytes`.
    pub fn release(&self, bytes: usize) {
        let mut state = self.shared.state();
        state.promised = state.promised.saturating_sub(charge(bytes as u64));
    }

    /// Appends into the room that was reserved for `reserved` bytes. `done` is called in any case.
    pub fn append(&self, reserved: usize, payload: Payload, done: Done) {
        let mut state = self.shared.state();
        let reserved = charge(reserved as u64);
        if state.is_gone {
            state.promised = state.promised.saturating_sub(reserved);
            drop(state);
            return done(Err(NoRoom::Closed));
        }
        let needed = charge(payload.len() as u64);
        state.promised = state.promised.saturating_sub(reserved) + needed;
        state.appends.push_back(Append { payload, reserved: needed, done });
        drop(state);
        self.shared.changed.notify_all();
    }

    /// A record is no longer needed.
    pub fn acknowledge(&self, record: Record) {
        self.shared.state().acknowledged.push(record);
        self.shared.changed.notify_all();
    }

    /// Reads records beside this log.
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    /// Why nothing can be appended now, if that is so.
    pub fn failure(&self) -> Option<Failure> {
        self.shared.state().failure.clone()
    }

    /// How full it is.
    pub fn usage(&self) -> Usage {
        let state = self.shared.state();
        Usage { on_disk: state.on_disk, taken: state.taken(), capacity: self.shared.capacity, failures: state.failures }
    }

    /// Takes nothing more, finishes what was appended and acknowledged, and ends. Blocks.
    pub fn close(&self) {
        self.end();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A panic of the thread was told to those who waited for it.
            drop(thread.join());
        }
    }

    fn end(&self) {
        self.shared.state().is_closing = true;
        self.shared.changed.notify_all();
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.end();
    }
}

/// Tells whoever waits that nothing will be written any more, also when the thread panics.
struct Gone(Arc<Shared>);

impl Drop for Gone {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.is_gone = true;
        let left = std::mem::take(&mut state.appends);
        drop(state);
        for append in left {
            (append.done)(Err(NoRoom::Closed));
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread.
    fn run(&self, mut segments: Segments) {
        // What the last failure could not write, and when it is tried again.
        let mut wanted = 0;
        let mut try_at: Option<Instant> = None;
        loop {
            let mut state = self.state();
            // Also while there is work: acknowledgements of a long queue must not put it off.
            if let Some(at) = try_at.filter(|at| *at <= Instant::now()) {
                drop(state);
                let probed = segments.probe(wanted);
                state = self.state();
                state.copy(&segments);
                try_at = probed.is_err().then(|| at + PAUSE);
                state.failure = probed.err();
            }
            while state.appends.is_empty() && state.acknowledged.is_empty() && !state.is_closing {
                let Some(at) = try_at else {
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                    continue;
                };
                let left = at.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            }
            let is_idle = state.appends.is_empty() && state.acknowledged.is_empty();
            if is_idle && !state.is_closing {
                continue;
            }
            if is_idle {
                return;
            }
            let acknowledged = std::mem::take(&mut state.acknowledged);
            let mut group = Vec::new();
            let mut bytes = 0;
            while bytes < GROUP
                && let Some(append) = state.appends.pop_front()
            {
                bytes += append.payload.len();
                group.push(append);
            }
            drop(state);

            if !acknowledged.is_empty() {
                let surcharges: u64 = acknowledged.iter().map(surcharge).sum();
                segments.acknowledge(acknowledged);
                let mut state = self.state();
                state.surcharge = state.surcharge.saturating_sub(surcharges);
                state.copy(&segments);
            }
            if !group.is_empty() {
                wanted = (bytes as u64).min(PROBE);
                let has_failed = self.append(&mut segments, group);
                try_at = has_failed.then(|| Instant::now() + PAUSE);
            }
        }
    }

    /// Whether it failed.
    fn append(&self, segments: &mut Segments, group: Vec<Append>) -> bool {
        let mut payloads = Vec::with_capacity(group.len());
        let mut waiting = Vec::with_capacity(group.len());
        let mut promised = 0;
        for append in group {
            promised += append.reserved;
            payloads.push(append.payload);
            waiting.push(append.done);
        }
        let appended = segments.append(&payloads);
        drop(payloads);
        {
            let mut state = self.state();
            state.copy(segments);
            state.promised = state.promised.saturating_sub(promised);
            state.surcharge += appended.records.iter().map(surcharge).sum::<u64>();
            state.failure = appended.failure.clone();
        }
        let mut records = appended.records.into_iter();
        for done in waiting {
            let failed = || appended.failure.clone().map_or(NoRoom::Closed, NoRoom::Failed);
            done(records.next().ok_or_else(failed));
        }
        appended.failure.is_some()
    }
}
