//! The books of a pipeline: where every item is that it was given. Each is in exactly one place, and
//! moves in one step under one lock, so that the books balance whenever they are read:
//!
//! * received = dropped + refused + held + outgoing, and
//! * for each exporter: given + recovered + derived = exported + lost + queued.
//!
//! While a pipeline keeps its exporters, what is outgoing is given to each of them. Items on their
//! way through an exporter are [`OpenItems`]: whoever drops them without saying what became of them
//! has lost them, and the books say so. How the books are shown is [`crate::service`]'s business.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::otlp::answer::Reason;

/// Items that were dropped on the way and nobody said why: a defect, since every fate has a reason.
const ABANDONED: &str = "abandoned";

/// The books of one pipeline.
#[derive(Debug)]
pub struct Account {
    pipeline: Box<str>,
    balances: Mutex<Balances>,
}

/// The books of one pipeline at one moment, in items.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Balances {
    /// What came from receivers; of a request that is not valid, nothing can be counted.
    pub received: u64,
    /// What processors took out, by processor and reason.
    pub dropped: BTreeMap<(Box<str>, &'static str), u64>,
    /// What was refused, by reason; clients were told so.
    pub refused: BTreeMap<&'static str, u64>,
    /// What processors hold back for a while.
    pub held: u64,
    /// What was given to the exporters.
    pub outgoing: u64,
    /// What became of it, by exporter.
    pub exporters: BTreeMap<Box<str>, LegBalances>,
}

/// What became of the items of one pipeline in one exporter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LegBalances {
    /// What the pipeline gave.
    pub given: u64,
    /// What a durable queue held when the program started.
    pub recovered: u64,
    /// What a connector derived and gave.
    pub derived: u64,
    /// What waits or is under way.
    pub queued: u64,
    /// What was delivered.
    pub exported: u64,
    /// What was given up, by reason.
    pub lost: BTreeMap<&'static str, u64>,
    /// What of `queued` nobody has open: it waits on the disk for the next one who opens it.
    pub unopened: u64,
}

/// What became of the items of one request, as far as the pipeline goes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Items that came in.
    pub received: usize,
    /// Items that processors took out.
    pub dropped: Vec<(Box<str>, &'static str, usize)>,
    /// Items that a processor holds back from now on.
    pub held: usize,
    /// Items that go out.
    pub outgoing: usize,
}

/// How items come to an exporter without a request of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// From the disk, after a restart.
    Recovered,
    /// From a connector.
    Derived,
}

/// The books of every pipeline there is or was; a pipeline that is made anew goes on with its own.
#[derive(Debug, Default)]
pub struct Accounts(Mutex<BTreeMap<Box<str>, Arc<Account>>>);

impl Accounts {
    /// The books of a pipeline.
    pub fn of(&self, pipeline: &str) -> Arc<Account> {
        let mut accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(accounts.entry(pipeline.into()).or_insert_with(|| Account::new(pipeline)))
    }

    /// All of them, by pipeline.
    pub fn all(&self) -> Vec<Arc<Account>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

impl Account {
    /// Empty books.
    pub fn new(pipeline: &str) -> Arc<Account> {
        Arc::new(Account { pipeline: pipeline.into(), balances: Mutex::default() })
    }

    /// The pipeline's id.
    pub fn pipeline(&self) -> &str {
        &self.pipeline
    }

    /// All of it, at one moment.
    pub fn balances(&self) -> Balances {
        self.lock().clone()
    }

    /// The way to an exporter; opens its books.
    pub fn leg(self: &Arc<Self>, exporter: &str) -> Leg {
        self.lock().exporters.entry(exporter.into()).or_default();
        Leg { account: Arc::clone(self), exporter: exporter.into() }
    }

    /// A request was refused; `items` as far as they could be counted.
    pub fn refused(&self, reason: Reason, items: usize) {
        let mut books = self.lock();
        books.received += items as u64;
        add(&mut books.refused, reason.answer().label, items);
    }

    /// A request was taken. Opens what goes out, once for each of `legs`.
    pub fn taken(&self, outcome: Outcome, legs: &[Leg]) -> Vec<OpenItems> {
        let mut books = self.lock();
        books.received += outcome.received as u64;
        books.send(outcome, legs)
    }

    /// Items that were held back go on: `outcome.received` of them leave their place.
    pub fn released(&self, outcome: Outcome, legs: &[Leg]) -> Vec<OpenItems> {
        let mut books = self.lock();
        books.held = books.held.saturating_sub(outcome.received as u64);
        books.send(outcome, legs)
    }

    /// Items that `processor` held back are not passed on.
    pub fn held_were_dropped(&self, processor: &str, reason: &'static str, items: usize) {
        let mut books = self.lock();
        books.held = books.held.saturating_sub(items as u64);
        add(&mut books.dropped, (processor.into(), reason), items);
    }

    fn lock(&self) -> MutexGuard<'_, Balances> {
        self.balances.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Balances {
    fn send(&mut self, outcome: Outcome, legs: &[Leg]) -> Vec<OpenItems> {
        for (processor, reason, items) in outcome.dropped {
            add(&mut self.dropped, (processor, reason), items);
        }
        self.held += outcome.held as u64;
        self.outgoing += outcome.outgoing as u64;
        let open = |leg: &Leg| {
            let books = self.exporters.entry(leg.exporter.clone()).or_default();
            books.given += outcome.outgoing as u64;
            books.queued += outcome.outgoing as u64;
            OpenItems { leg: Some(leg.clone()), items: outcome.outgoing }
        };
        legs.iter().map(open).collect()
    }
}

/// Adds to one of few counts; nothing is not worth a series.
fn add<K: Ord>(counts: &mut BTreeMap<K, u64>, key: K, items: usize) {
    if items > 0 {
        *counts.entry(key).or_default() += items as u64;
    }
}

/// The way of a pipeline's items through one exporter.
#[derive(Debug, Clone)]
pub struct Leg {
    account: Arc<Account>,
    exporter: Box<str>,
}

impl Leg {
    /// The pipeline's id.
    pub fn pipeline(&self) -> &str {
        self.account.pipeline()
    }

    /// Opens items that no client's request brought.
    pub fn open(&self, origin: Origin, items: usize) -> OpenItems {
        self.change(|books| {
            let mut new = items as u64;
            let from = match origin {
                Origin::Recovered => {
                    // What this process left on disk is in the books already.
                    let known = new.min(books.unopened);
                    books.unopened -= known;
                    new -= known;
                    &mut books.recovered
                }
                Origin::Derived => &mut books.derived,
            };
            *from += new;
            books.queued += new;
        });
        OpenItems { leg: Some(self.clone()), items }
    }

    fn change(&self, change: impl FnOnce(&mut LegBalances)) {
        // The entry was made with the leg.
        if let Some(books) = self.account.lock().exporters.get_mut(&self.exporter) {
            change(books);
        }
    }
}

/// Items of one pipeline in one exporter whose fate is not known yet. What is dropped without a fate
/// is counted as lost, reason `abandoned`.
#[derive(Debug)]
#[must_use = "what becomes of these items must be said"]
pub struct OpenItems {
    leg: Option<Leg>,
    items: usize,
}

impl OpenItems {
    /// Items of no pipeline, which nobody keeps books of.
    pub fn detached(items: usize) -> OpenItems {
        OpenItems { leg: None, items }
    }

    /// How many.
    pub fn items(&self) -> usize {
        self.items
    }

    /// Whose they are; `None` for items of no pipeline.
    pub fn leg(&self) -> Option<&Leg> {
        self.leg.as_ref()
    }

    /// Takes `items` of them apart, or as many as there are.
    pub fn split(&mut self, items: usize) -> OpenItems {
        let items = items.min(self.items);
        self.items -= items;
        OpenItems { leg: self.leg.clone(), items }
    }

    /// They were delivered.
    pub fn exported(self) {
        self.settle(|books, items| books.exported += items as u64);
    }

    /// They were given up.
    pub fn lost(self, reason: &'static str) {
        self.settle(|books, items| add(&mut books.lost, reason, items));
    }

    /// They stay where they are, in a durable queue, until that is opened again: by another process, or
    /// by this one.
    pub fn stay_queued(mut self) {
        let items = mem::take(&mut self.items);
        if let Some(leg) = self.leg.take() {
            leg.change(|books| books.unopened += items as u64);
        }
    }

    fn settle(mut self, change: impl FnOnce(&mut LegBalances, usize)) {
        let items = mem::take(&mut self.items);
        if let Some(leg) = self.leg.take().filter(|_| items > 0) {
            leg.change(|books| {
                books.queued = books.queued.saturating_sub(items as u64);
                change(books, items);
            });
        }
    }
}

impl Drop for OpenItems {
    fn drop(&mut self) {
        if self.items > 0 {
            mem::replace(self, OpenItems::detached(0)).lost(ABANDONED);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn balanced(account: &Account) -> Balances {
        let books = account.balances();
        let sum = |counts: &mut dyn Iterator<Item = &u64>| counts.sum::<u64>();
        let out = sum(&mut books.dropped.values()) + sum(&mut books.refused.values()) + books.held + books.outgoing;
        assert_eq!(books.received, out, "{books:?}");
        for leg in books.exporters.values() {
            let fates = leg.exported + sum(&mut leg.lost.values()) + leg.queued;
            assert_eq!(leg.given + leg.recovered + leg.derived, fates, "{books:?}");
        }
        books
    }

    #[test]
    fn the_books_balance_after_every_move() {
        let account = Account::new("traces");
        let legs = [account.leg("otlp"), account.leg("debug")];
        account.refused(Reason::QueueFull, 7);
        assert_eq!(balanced(&account).received, 7);
        let dropped = vec![("drop/sqlite".into(), "rule", 3)];
        let mut open = account.taken(Outcome { received: 10, dropped, held: 2, outgoing: 5 }, &legs);
        assert_eq!(balanced(&account).exporters["otlp"].queued, 5);
        let mut otlp = open.remove(0);
        otlp.split(2).exported();
        balanced(&account);
        otlp.lost("rejected");
        balanced(&account);
        open.remove(0).exported();
        for open in account.released(Outcome { received: 1, outgoing: 1, ..Outcome::default() }, &legs) {
            open.exported();
            balanced(&account);
        }
        account.held_were_dropped("genai", "joined", 1);
        legs[0].open(Origin::Recovered, 4).exported();
        legs[0].open(Origin::Derived, 6).exported();
        let books = balanced(&account);
        assert_eq!((books.received, books.held, books.outgoing), (17, 0, 6));
        assert_eq!(books.refused["queue_full"], 7);
        let otlp = &books.exporters["otlp"];
        assert_eq!((otlp.given, otlp.recovered, otlp.derived), (6, 4, 6));
        assert_eq!((otlp.exported, otlp.lost["rejected"], otlp.queued), (13, 3, 0));
        assert_eq!(books.exporters["debug"].exported, 6);
    }

    #[test]
    fn what_is_dropped_without_a_word_is_lost_and_said_so() {
        let account = Account::new("logs");
        let open = account.taken(Outcome { received: 3, outgoing: 3, ..Outcome::default() }, &[account.leg("otlp")]);
        drop(open);
        assert_eq!(balanced(&account).exporters["otlp"].lost["abandoned"], 3);
    }

    #[test]
    fn what_stays_on_disk_is_not_recovered_by_the_process_that_left_it() {
        let account = Account::new("logs");
        let leg = account.leg("otlp");
        leg.open(Origin::Derived, 5).stay_queued();
        assert_eq!(balanced(&account).exporters["otlp"].queued, 5);
        let again = leg.open(Origin::Recovered, 7);
        let books = balanced(&account);
        let books = &books.exporters["otlp"];
        assert_eq!((books.recovered, books.queued, books.unopened), (2, 7, 0), "two are an earlier process'");
        again.exported();
        assert_eq!(balanced(&account).exporters["otlp"].queued, 0);
    }

    #[test]
    fn more_cannot_be_split_off_than_there_is() {
        let mut open = OpenItems::detached(3);
        assert_eq!((open.split(5).items(), open.items()), (3, 0));
    }
}
