//! What was sent, what was acknowledged, what arrived, and the verdict.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard};

use dragoman::otlp::Signal;

use crate::items::Id;

/// Of so many lost or foreign items the way is told.
const TOLD: usize = 8;

/// One item's way.
#[derive(Debug)]
struct Item {
    signal: Signal,
    client: usize,
    /// Which life of the process it was sent to.
    life: usize,
    acknowledged: bool,
    /// How often it arrived, at each sink.
    arrived: Vec<u32>,
    /// It was on disk when it was delivered first: the process that took it was dead.
    recovered: bool,
}

#[derive(Debug, Default)]
struct Books {
    /// Which life of the process this is.
    life: usize,
    items: HashMap<Id, Item>,
    foreign: Vec<(usize, Id)>,
    refused: u64,
    given_up: u64,
    /// The last items of acknowledged requests.
    lasts: Vec<Id>,
    acknowledged: u64,
    arrivals: u64,
    missing: u64,
}

/// The ledger of one run.
#[derive(Debug)]
pub(crate) struct Ledger {
    sinks: usize,
    books: Mutex<Books>,
}

impl Ledger {
    pub(crate) fn new(sinks: usize) -> Ledger {
        Ledger { sinks, books: Mutex::default() }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap()
    }

    /// The process lives for the so many-th time.
    pub(crate) fn lives(&self, life: usize) {
        self.books().life = life;
    }

    /// A request is about to be sent.
    pub(crate) fn sent(&self, signal: Signal, client: usize, life: usize, ids: &[Id]) {
        let mut books = self.books();
        for id in ids {
            let item =
                Item { signal, client, life, acknowledged: false, arrived: vec![0; self.sinks], recovered: false };
            assert!(books.items.insert(*id, item).is_none(), "{id:016x} twice: a defect of this test");
        }
    }

    /// Its answer was read to the end, and it said that the request was taken.
    pub(crate) fn acknowledged(&self, ids: &[Id]) {
        let mut books = self.books();
        for id in ids {
            let item = books.items.get_mut(id).unwrap();
            item.acknowledged = true;
            let missing = item.arrived.iter().filter(|times| **times == 0).count();
            books.missing += missing as u64;
        }
        books.acknowledged += ids.len() as u64;
        books.lasts.extend(ids.last());
    }

    /// It was refused, to be sent again later.
    pub(crate) fn refused(&self, items: usize) {
        self.books().refused += items as u64;
    }

    /// No answer came, nor the end of the connection.
    pub(crate) fn given_up(&self) {
        self.books().given_up += 1;
    }

    /// Items stand in a request that a sink has read.
    pub(crate) fn arrived(&self, sink: usize, ids: &[Id]) {
        let mut books = self.books();
        let now = books.life;
        for id in ids {
            books.arrivals += 1;
            let Some(item) = books.items.get_mut(id) else {
                books.foreign.push((sink, *id));
                continue;
            };
            item.recovered |= item.arrived[sink] == 0 && item.life < now;
            item.arrived[sink] += 1;
            if item.arrived[sink] == 1 && item.acknowledged {
                books.missing -= 1;
            }
        }
    }

    /// Items acknowledged so far.
    pub(crate) fn acknowledgements(&self) -> u64 {
        self.books().acknowledged
    }

    /// Items that arrived so far, repetitions included.
    pub(crate) fn arrivals(&self) -> u64 {
        self.books().arrivals
    }

    /// Whether everything that was acknowledged has arrived wherever it should.
    pub(crate) fn complete(&self) -> bool {
        self.books().missing == 0
    }

    /// The last item of every acknowledged request.
    pub(crate) fn last_of_acknowledged(&self) -> Vec<Id> {
        self.books().lasts.clone()
    }

    /// The run's figures and, if there is anything wrong, what.
    pub(crate) fn verdict(&self) -> (Totals, Option<String>) {
        let books = self.books();
        let mut totals = Totals { runs: 1, refused: books.refused, given_up: books.given_up, ..Totals::default() };
        totals.foreign = books.foreign.len() as u64;
        let mut lost = Vec::new();
        for (id, item) in &books.items {
            totals.sent += 1;
            totals.acknowledged += u64::from(item.acknowledged);
            totals.recovered += u64::from(item.acknowledged && item.recovered);
            for (sink, &times) in item.arrived.iter().enumerate() {
                totals.arrived += u64::from(times > 0);
                totals.duplicates += u64::from(times.saturating_sub(1));
                if item.acknowledged && times == 0 {
                    totals.lost += 1;
                    lost.push((*id, sink, item));
                }
            }
        }
        if totals.wrong() == 0 {
            return (totals, None);
        }
        lost.sort_by_key(|(id, sink, _)| (*id, *sink));
        let mut told = format!("{} lost, {} never sent", totals.lost, totals.foreign);
        for (id, sink, item) in lost.iter().take(TOLD) {
            let Item { signal, client, life, .. } = item;
            told += &format!(
                "\n  {id:016x} ({signal}): acknowledged to client {client} in life {life}, not at sink {sink}"
            );
        }
        for (sink, id) in books.foreign.iter().take(TOLD) {
            told += &format!("\n  {id:016x}: at sink {sink}, never sent");
        }
        (totals, Some(told))
    }
}

/// The figures of runs.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) runs: u64,
    pub(crate) kills: u64,
    /// Of the kills, those before the program was ready.
    pub(crate) while_starting: u64,
    /// And those after SIGTERM.
    pub(crate) while_ending: u64,
    /// Lives that ended in good order after SIGTERM.
    pub(crate) ends: u64,
    /// Configurations that were taken, or were being taken when the signal came.
    pub(crate) reloads: u64,
    /// Files that were damaged between two lives.
    pub(crate) torn: u64,
    pub(crate) sent: u64,
    pub(crate) refused: u64,
    /// Requests that had neither an answer nor an end long after their process had died.
    pub(crate) given_up: u64,
    pub(crate) acknowledged: u64,
    /// Of these, how many came from the disk, in a later life than the one that took them.
    pub(crate) recovered: u64,
    /// Items that arrived, each counted once per sink.
    pub(crate) arrived: u64,
    pub(crate) duplicates: u64,
    pub(crate) lost: u64,
    pub(crate) foreign: u64,
}

impl Totals {
    pub(crate) fn add(&mut self, other: &Totals) {
        let Totals {
            runs,
            kills,
            while_starting,
            while_ending,
            ends,
            reloads,
            torn,
            sent,
            refused,
            given_up,
            acknowledged,
            recovered,
            arrived,
            duplicates,
            lost,
            foreign,
        } = other;
        self.runs += runs;
        self.kills += kills;
        self.while_starting += while_starting;
        self.while_ending += while_ending;
        self.ends += ends;
        self.reloads += reloads;
        self.torn += torn;
        self.sent += sent;
        self.refused += refused;
        self.given_up += given_up;
        self.acknowledged += acknowledged;
        self.recovered += recovered;
        self.arrived += arrived;
        self.duplicates += duplicates;
        self.lost += lost;
        self.foreign += foreign;
    }

    /// What must be zero.
    pub(crate) fn wrong(&self) -> u64 {
        self.lost + self.foreign
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  runs                   {:>10}", self.runs)?;
        let (starting, ending) = (self.while_starting, self.while_ending);
        writeln!(
            f,
            "  kills                  {:>10}   ({starting} before it was ready, {ending} after SIGTERM)",
            self.kills
        )?;
        writeln!(f, "  ends in good order     {:>10}", self.ends)?;
        writeln!(f, "  reloads                {:>10}", self.reloads)?;
        writeln!(f, "  torn files             {:>10}", self.torn)?;
        writeln!(
            f,
            "  items sent             {:>10}   ({} refused, {} requests given up)",
            self.sent, self.refused, self.given_up
        )?;
        writeln!(f, "  items acknowledged     {:>10}   ({} recovered)", self.acknowledged, self.recovered)?;
        writeln!(f, "  arrived, once per sink {:>10}", self.arrived)?;
        writeln!(f, "  duplicates             {:>10}", self.duplicates)?;
        writeln!(f, "  never sent             {:>10}", self.foreign)?;
        write!(f, "  lost                   {:>10}", self.lost)
    }
}
