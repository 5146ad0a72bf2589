//! The waiting room of `join_logs`: log records that hold the content of a call wait for its span,
//! and the span for them, whichever comes first, for a bounded time and within bounds of number and
//! size. It is shared by the traces and the logs pipeline of one `genai` processor.
//!
//! Every item comes in by the commit of an accepted batch and leaves by [`Onward`], in the background:
//! joined, or as it came. What waits is in memory only. At the end of the program the room lets
//! everything go before the exporters' queues are drained; a crash loses what waits.
//!
//! What waits is kept by call, in `join/calls.rs`. What content is, and how it is put on a span, is known to
//! [`crate::genai::log::content`].

mod calls;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::settings::JoinLogs;
use crate::bounded::budget::Budget;
use crate::genai::log::content::Content;
use crate::genai::log::{Places, place};
use crate::genai::translate::Translator;
use crate::metrics::own::{Counter, Counters};
use crate::otlp::Signal;
use crate::otlp::answer::Retry;
use crate::otlp::log_record::LogRecord;
use crate::otlp::logs;
use crate::otlp::span::Span;
use crate::otlp::traces::{Envelope, Origin};
use crate::pipeline::Onward;
use calls::{Call, Inner, Item, Out, Ready, request, size};

/// How long the room waits before it tries an exporter again that had no room.
const RETRY_AFTER: Duration = Duration::from_millis(200);

/// About how many bytes go on as one request.
const REQUEST_BYTES: usize = 1 << 20;

/// Where the room's counts go.
#[derive(Debug, Clone)]
pub struct Books {
    /// `dragoman_join_items_total`: by `otel_signal` and `outcome`.
    pub outcomes: Counters,
    /// `dragoman_dropped_log_records_total{reason="joined"}`.
    pub joined: Counter,
    /// `dragoman_join_lost_items_total`: by `otel_signal` and `reason`.
    pub lost: Counters,
    /// The processor's id.
    pub processor: String,
}

impl Books {
    fn outcome(&self, signal: Signal, outcome: &str, items: usize) {
        if items > 0 {
            self.outcomes.with(&[&self.processor, signal.name(), outcome]).add_items(items);
        }
    }

    fn lose(&self, signal: Signal, items: usize, reason: &str) {
        if items > 0 {
            self.lost.with(&[&self.processor, signal.name(), reason]).add_items(items);
        }
    }
}

/// See the module's documentation.
pub struct Room {
    settings: JoinLogs,
    books: Books,
    inner: Mutex<Inner>,
    changed: Notify,
    spans: Way,
    logs: Way,
}

/// Where items of a signal go on. It is held while they do, so that whoever sets another one knows that
/// nobody is on the earlier one anymore.
type Way = RwLock<Option<Arc<dyn Onward>>>;

/// Room that a batch under way has reserved; given back if the batch is refused.
struct Reserved<'r> {
    room: &'r Room,
    items: usize,
    bytes: usize,
}

impl Reserved<'_> {
    /// Takes room for an item. `false` if there is none: the item goes through at once.
    fn take(&mut self, bytes: usize, envelope: &Envelope) -> bool {
        let size = size(bytes, envelope);
        let mut inner = self.room.inner();
        let fits = !inner.closed
            && inner.items < self.room.settings.max_items
            && size <= self.room.settings.max_bytes.saturating_sub(inner.bytes)
            && inner.memory.grow(size).is_ok();
        if fits {
            inner.items += 1;
            inner.bytes += size;
            self.items += 1;
            self.bytes += size;
        }
        fits
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        if self.items > 0 {
            let mut inner = self.room.inner();
            inner.items = inner.items.saturating_sub(self.items);
            inner.give_back(self.bytes);
        }
    }
}

impl Room {
    /// A room with these bounds.
    pub fn new(settings: JoinLogs, books: Books) -> Room {
        Room {
            settings,
            books,
            inner: Mutex::default(),
            changed: Notify::new(),
            spans: Way::default(),
            logs: Way::default(),
        }
    }

    /// Lets it claim what it holds. It takes nothing while half of the budget is taken: requests that
    /// come in go before what could wait and need not.
    pub fn within(self, memory: &Budget) -> Room {
        self.inner().memory = memory.capped(memory.limit() / 2).overdraw(0);
        self
    }

    /// Says where items of a signal go on, traces or logs, from now on. Nobody is on the earlier way
    /// when this returns.
    pub fn leads_to(&self, signal: Signal, onward: Arc<dyn Onward>) {
        *self.way(signal).write().unwrap_or_else(PoisonError::into_inner) = Some(onward);
    }

    fn way(&self, signal: Signal) -> &Way {
        match signal {
            Signal::Traces => &self.spans,
            Signal::Logs | Signal::Metrics => &self.logs,
        }
    }

    /// Held items that no exporter gets.
    fn lose(&self, signal: Signal, items: usize, reason: &'static str) {
        self.books.lose(signal, items, reason);
        self.drop_held(signal, items, reason);
    }

    fn drop_held(&self, signal: Signal, items: usize, reason: &'static str) {
        let way = self.way(signal).read().unwrap_or_else(PoisonError::into_inner);
        if let Some(onward) = way.as_ref().filter(|_| items > 0) {
            onward.dropped(items, reason);
        }
    }

    /// Items of a signal that are here.
    pub fn held(&self, signal: Signal) -> usize {
        let [spans, logs] = self.inner().held;
        if signal == Signal::Traces { spans } else { logs }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what a committed batch held back. `reserved` is the room for it.
    fn come_in(&self, spans: Vec<Item>, logs: Vec<(Item, Content)>, mut reserved: Reserved<'_>) {
        if spans.is_empty() && logs.is_empty() {
            return;
        }
        // It is theirs now.
        reserved.items = 0;
        reserved.bytes = 0;
        let end = Instant::now() + self.settings.wait_duration;
        let mut inner = self.inner();
        inner.held[0] += spans.len();
        inner.held[1] += logs.len();
        let mut touched = Vec::with_capacity(spans.len() + logs.len());
        for log in logs {
            let key = log.0.key;
            inner.call(key, end).logs.push(log);
            touched.push(key);
        }
        for span in spans {
            let key = span.key;
            match &mut inner.call(key, end).span {
                free @ None => *free = Some(span),
                // The same span once more: an export that was repeated.
                Some(_) => inner.let_out(Signal::Traces, span, "repeated"),
            }
            touched.push(key);
        }
        let closed = inner.closed;
        for key in touched {
            if (closed || inner.calls.get(&key).is_some_and(Call::is_complete))
                && let Some(call) = inner.calls.remove(&key)
            {
                inner.leave(call);
            }
        }
        drop(inner);
        self.changed.notify_one();
    }

    /// Lets go what is complete and what waited long enough, until `stop` is cancelled.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        loop {
            let next = self.let_go(Instant::now());
            let wait = async {
                match next {
                    Some(next) => tokio::time::sleep_until(next).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.changed.notified() => {}
                () = wait => {}
            }
        }
    }

    /// Lets everything go; called once no requests come in anymore. What no exporter has room for
    /// until `deadline` is lost, and counted. Returns how much that is.
    pub async fn close(&self, deadline: Instant) -> usize {
        {
            let mut inner = self.inner();
            inner.closed = true;
            let calls: Vec<Call> = std::mem::take(&mut inner.calls).into_values().collect();
            calls.into_iter().for_each(|call| inner.leave(call));
        }
        while self.let_go(Instant::now()).is_some() {
            if Instant::now() >= deadline {
                break;
            }
            tokio::time::sleep(RETRY_AFTER.min(deadline - Instant::now())).await;
        }
        let left = std::mem::take(&mut self.inner().ready);
        let count = |queue: &VecDeque<Out>| queue.len();
        let carried: usize = left.spans.iter().map(|out| out.carries).sum();
        self.lose(Signal::Traces, count(&left.spans), "shutdown");
        self.lose(Signal::Logs, count(&left.logs) + carried, "shutdown");
        let lost = count(&left.spans) + count(&left.logs) + carried;
        let mut inner = self.inner();
        left.spans.iter().for_each(|out| inner.forget(Signal::Traces, out));
        left.logs.iter().for_each(|out| inner.forget(Signal::Logs, out));
        lost
    }

    /// Sends on what is ready. Returns when to look again, if anything is left.
    fn let_go(&self, now: Instant) -> Option<Instant> {
        let (spans, logs) = {
            let mut inner = self.inner();
            inner.expire(now);
            (std::mem::take(&mut inner.ready.spans), std::mem::take(&mut inner.ready.logs))
        };
        let spans = self.send(Signal::Traces, spans);
        let logs = self.send(Signal::Logs, logs);
        let is_stuck = !spans.is_empty() || !logs.is_empty();
        let mut inner = self.inner();
        // What became ready meanwhile goes after what could not go.
        let later = std::mem::replace(&mut inner.ready, Ready { spans, logs });
        let is_more = !later.spans.is_empty() || !later.logs.is_empty();
        inner.ready.spans.extend(later.spans);
        inner.ready.logs.extend(later.logs);
        let end = inner.ends.front().map(|(end, ..)| *end);
        match (is_stuck, is_more) {
            (true, _) => Some(end.map_or(now + RETRY_AFTER, |end| end.min(now + RETRY_AFTER))),
            (false, true) => Some(now),
            (false, false) => end,
        }
    }

    /// Sends items on in requests of bounded size. Returns what an exporter has no room for yet.
    fn send(&self, signal: Signal, mut out: VecDeque<Out>) -> VecDeque<Out> {
        while !out.is_empty() {
            let mut size = 0;
            let count = out.iter().take_while(|next| {
                let first = size == 0;
                size += next.item.size();
                first || size <= REQUEST_BYTES
            });
            let count = count.count();
            let body = request(out.iter().take(count).map(|out| &out.item));
            let answer = {
                let way = self.way(signal).read().unwrap_or_else(PoisonError::into_inner);
                match way.as_ref() {
                    Some(onward) => onward.send_on(&body),
                    None => return out,
                }
            };
            if let Err(refusal) = &answer
                && refusal.reason.answer().retry == Retry::Later
            {
                return out;
            }
            let sent: Vec<Out> = out.drain(..count).collect();
            let carried = sent.iter().map(|out| out.carries).sum();
            match answer {
                Ok(()) => {
                    self.drop_held(Signal::Logs, carried, "joined");
                    self.books.joined.add_items(carried);
                    self.books.outcome(Signal::Logs, "joined", carried);
                    sent.iter().for_each(|out| self.books.outcome(signal, out.outcome, 1));
                }
                Err(refusal) => {
                    tracing::error!("join_logs: {} held {signal} are lost: {refusal}", sent.len());
                    let reason = refusal.reason.answer().label;
                    self.lose(signal, sent.len(), reason);
                    self.lose(Signal::Logs, carried, reason);
                }
            }
            let mut inner = self.inner();
            sent.iter().for_each(|out| inner.forget(signal, out));
        }
        out
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// What one batch holds back. It comes in when the batch is committed.
pub(super) struct Joining<'r> {
    room: &'r Room,
    reserved: Reserved<'r>,
    envelopes: Envelopes,
    spans: Vec<Item>,
    logs: Vec<(Item, Content)>,
    went_by: [usize; 2],
}

impl<'r> Joining<'r> {
    pub(super) fn new(room: &'r Room) -> Joining<'r> {
        Joining {
            room,
            reserved: Reserved { room, items: 0, bytes: 0 },
            envelopes: Envelopes::default(),
            spans: Vec::new(),
            logs: Vec::new(),
            went_by: [0; 2],
        }
    }

    /// Holds a span back that lacks its content, if there is room.
    pub(super) fn span(&mut self, span: &mut Span<'_>, origin: &Origin<'_>) -> bool {
        let (Some(trace), Some(id)) = (span.trace_id(), span.span_id()) else { return false };
        let mut bytes = Vec::new();
        span.write(&mut bytes);
        let envelope = self.envelopes.of(origin);
        let is_held = self.reserved.take(bytes.len(), &envelope);
        match is_held {
            true => {
                span.hold_back();
                self.spans.push(Item { key: (trace, id), bytes, envelope });
            }
            false => self.went_by[0] += 1,
        }
        is_held
    }

    /// Holds back the log records of a request that have content, as far as there is room. Returns
    /// which ones.
    pub(super) fn logs(&mut self, translator: &Translator, body: &Bytes) -> Places {
        let mut look = Look { joining: self, translator, places: Places::default() };
        // Of a request that is refused nothing comes in.
        match logs::edit(body, &mut look) {
            Ok(_) => look.places,
            Err(_) => Places::default(),
        }
    }

    /// Items that wait from the commit on.
    pub(super) fn held(&self) -> usize {
        self.spans.len() + self.logs.len()
    }

    pub(super) fn commit(self) {
        let [spans, logs] = self.went_by;
        self.room.books.outcome(Signal::Traces, "no_room", spans);
        self.room.books.outcome(Signal::Logs, "no_room", logs);
        self.room.come_in(self.spans, self.logs, self.reserved);
    }
}

struct Look<'j, 'r> {
    joining: &'j mut Joining<'r>,
    translator: &'j Translator,
    places: Places,
}

impl logs::Visitor for Look<'_, '_> {
    fn log_record(&mut self, record: &mut LogRecord<'_>, origin: &Origin<'_>) {
        let (Some(trace), Some(span)) = (record.trace_id(), record.span_id()) else { return };
        let Some(content) = self.translator.content_of(record, origin) else { return };
        let joining = &mut *self.joining;
        let envelope = joining.envelopes.of(origin);
        if !joining.reserved.take(record.source().len(), &envelope) {
            joining.went_by[1] += 1;
            return;
        }
        self.places.insert(place(record));
        let item = Item { key: (trace, span), bytes: record.source().to_vec(), envelope };
        joining.logs.push((item, content));
    }
}

/// The envelopes of one request, each made once.
#[derive(Default)]
struct Envelopes(Option<(usize, Arc<Envelope>)>);

impl Envelopes {
    fn of(&mut self, origin: &Origin<'_>) -> Arc<Envelope> {
        match &self.0 {
            Some((place, envelope)) if *place == origin.place() => Arc::clone(envelope),
            _ => {
                let envelope = Arc::new(origin.envelope());
                self.0 = Some((origin.place(), Arc::clone(&envelope)));
                envelope
            }
        }
    }
}
