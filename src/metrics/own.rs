//! The program's metrics of itself: a registry of counters and gauges with bounded label sets.
//!
//! A metric is declared once, with its name, help and label names; a handle for one label set is an
//! instrument of prometheus-client, so counting never takes a lock (a histogram's own aside). Its
//! families are without bounds and its page is OpenMetrics only: the table and the page are ours. Which
//! metrics there are is written down in [`known`]; what the process uses, in [`process`].

pub mod known;
pub mod process;

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use prometheus_client::metrics::{counter, gauge};

use super::histogram::{Accumulator, Histogram};
use super::snapshot::{Family, Kind, Label, LabelValue, Labels, Series, Source, Value};

/// Label sets a metric has at most. All are bounded by configuration or by tables in the code; the
/// bound is for the one that turns out not to be.
const MAX_ROWS: usize = 1000;

/// The value of every label of the cell that takes what does not fit.
const OTHER: &str = "_other";

/// Bytes of a label's value that are kept.
const MAX_TEXT: usize = 256;

/// All metrics of the program itself. Cheap to clone; clones are the same registry.
#[derive(Clone, Default)]
pub struct Registry(Arc<Mutex<Declared>>);

#[derive(Default)]
struct Declared {
    tables: Vec<Arc<Table>>,
    sources: Vec<Arc<dyn Source>>,
}

impl Registry {
    /// An empty registry.
    pub fn new() -> Self {
        Registry::default()
    }

    /// Declares a counter with labels. Its name ends in `_total`. Declared again with the same
    /// name and labels, it is the same counter.
    pub fn counters(&self, name: &'static str, help: &'static str, labels: &'static [&'static str]) -> Counters {
        self.register(Counters::new(name, help, labels))
    }

    /// Declares a gauge with labels.
    pub fn gauges(&self, name: &'static str, help: &'static str, labels: &'static [&'static str]) -> Gauges {
        Gauges(self.declare(Table::new(name, help, Kind::Gauge, labels)))
    }

    /// Declares a histogram with labels, over fixed inclusive bounds. Declared again with the same name
    /// and labels, it is the same histogram.
    pub fn histograms(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &'static [&'static str],
        bounds: &'static [f64],
    ) -> Histograms {
        Histograms(self.declare(Table::new(name, help, Kind::Histogram, labels)), bounds)
    }

    /// Declares a counter without labels.
    pub fn counter(&self, name: &'static str, help: &'static str) -> Counter {
        self.counters(name, help, &[]).with(&[])
    }

    /// Shows a counter that was made elsewhere; returns the one that is shown, which is another if
    /// its name and labels were declared before.
    pub fn register(&self, counters: Counters) -> Counters {
        Counters(self.declare(counters.0))
    }

    /// Shows families that are not kept here.
    pub fn add_source(&self, source: Arc<dyn Source>) {
        self.declared().sources.push(source);
    }

    fn declare(&self, table: impl Into<Arc<Table>>) -> Arc<Table> {
        let table = table.into();
        let mut declared = self.declared();
        let same =
            |other: &&Arc<Table>| other.name == table.name && other.kind == table.kind && other.labels == table.labels;
        if let Some(earlier) = declared.tables.iter().find(same) {
            return Arc::clone(earlier);
        }
        declared.tables.push(Arc::clone(&table));
        table
    }

    fn declared(&self) -> MutexGuard<'_, Declared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source for Registry {
    fn collect(&self, families: &mut Vec<Family>) {
        // Copied out, so that no metric is read and no source asked while the registry is locked.
        let (tables, sources) = {
            let declared = self.declared();
            (declared.tables.clone(), declared.sources.clone())
        };
        // Among the sources are the books, which are written after the counters and so are read before them:
        // what is settled in the books of a page is counted on that page.
        let mut of_sources = Vec::new();
        for source in sources {
            source.collect(&mut of_sources);
        }
        families.extend(tables.iter().map(|table| table.family()).filter(|family| !family.series.is_empty()));
        families.append(&mut of_sources);
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let declared = self.declared();
        f.debug_list().entries(declared.tables.iter().map(|table| table.name)).finish()
    }
}

/// A counter with labels.
#[derive(Debug, Clone)]
pub struct Counters(Arc<Table>);

impl Counters {
    /// A counter that no registry shows yet; see [`Registry::register`].
    pub fn new(name: &'static str, help: &'static str, labels: &'static [&'static str]) -> Self {
        Counters(Arc::new(Table::new(name, help, Kind::Counter, labels)))
    }

    /// The counter with these label values, one for each label name. Shown from now on, at zero at
    /// first, so that a rate over it sees its first increase.
    pub fn with(&self, values: &[&str]) -> Counter {
        match self.0.cell(values, || Cell::Counted(counter::Counter::default())) {
            Cell::Counted(counter) => Counter(counter),
            Cell::Held(_) | Cell::Read(_) | Cell::Spread(_) => Counter::default(),
        }
    }
}

/// One counter. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Counter(counter::Counter);

impl Counter {
    /// Adds one.
    pub fn increment(&self) {
        self.add(1);
    }

    /// Adds `amount`.
    pub fn add(&self, amount: u64) {
        self.0.inc_by(amount);
    }

    /// Adds a length.
    pub fn add_items(&self, items: usize) {
        self.add(u64::try_from(items).unwrap_or(u64::MAX));
    }

    /// What was counted so far.
    pub fn get(&self) -> u64 {
        self.0.get()
    }
}

/// A gauge with labels.
#[derive(Debug, Clone)]
pub struct Gauges(Arc<Table>);

impl Gauges {
    /// The gauge with these label values, one for each label name.
    pub fn with(&self, values: &[&str]) -> Gauge {
        match self.0.cell(values, || Cell::Held(Held::default())) {
            Cell::Held(gauge) => Gauge(gauge),
            // The gauge says its value itself; what is set here is not shown.
            Cell::Read(_) | Cell::Counted(_) | Cell::Spread(_) => Gauge::default(),
        }
    }

    /// Lets `read` say the gauge's value whenever it is looked at. `read` must not wait.
    pub fn observe(&self, values: &[&str], read: impl Fn() -> f64 + Send + Sync + 'static) {
        self.0.observe(values, Arc::new(read));
    }
}

/// A gauge that holds a number of whole things.
type Held = gauge::Gauge<u64, AtomicU64>;

/// One gauge of whole things. Clones are the same gauge.
#[derive(Debug, Clone, Default)]
pub struct Gauge(Held);

impl Gauge {
    /// Sets the value.
    pub fn set(&self, value: u64) {
        self.0.set(value);
    }

    /// The value.
    pub fn get(&self) -> u64 {
        self.0.get()
    }
}

/// A histogram with labels.
#[derive(Debug, Clone)]
pub struct Histograms(Arc<Table>, &'static [f64]);

impl Histograms {
    /// The histogram of one label set, whose values are in the order of their names.
    pub fn with(&self, values: &[&str]) -> Distribution {
        let new = || Cell::Spread(Arc::new(Mutex::new(Histogram::new(self.1))));
        match self.0.put(values, new) {
            Cell::Spread(histogram) => Distribution(histogram),
            Cell::Counted(_) | Cell::Held(_) | Cell::Read(_) => {
                Distribution(Arc::new(Mutex::new(Histogram::new(self.1))))
            }
        }
    }
}

/// A histogram of one label set; clones are the same histogram.
#[derive(Debug, Clone)]
pub struct Distribution(Arc<Mutex<Histogram>>);

impl Distribution {
    /// Adds a value; one that is not finite is left out.
    pub fn observe(&self, value: f64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).observe(value, None);
    }
}

/// One declared metric.
struct Table {
    name: &'static str,
    help: &'static str,
    kind: Kind,
    labels: &'static [&'static str],
    /// In the order of their label values, to be found by bisection.
    rows: RwLock<Vec<Row>>,
}

#[derive(Clone)]
struct Row {
    values: Box<[Box<str>]>,
    cell: Cell,
}

#[derive(Clone)]
enum Cell {
    Counted(counter::Counter),
    Held(Held),
    Read(Arc<dyn Fn() -> f64 + Send + Sync>),
    Spread(Arc<Mutex<Histogram>>),
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("name", &self.name).field("labels", &self.labels).finish_non_exhaustive()
    }
}

impl Table {
    fn new(name: &'static str, help: &'static str, kind: Kind, labels: &'static [&'static str]) -> Self {
        Table { name, help, kind, labels, rows: RwLock::new(Vec::new()) }
    }

    fn cell(&self, values: &[&str], new: impl FnOnce() -> Cell) -> Cell {
        {
            let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
            if let Ok(at) = find(&rows, values)
                && let Some(row) = rows.get(at)
            {
                return row.cell.clone();
            }
        }
        self.put(values, new)
    }

    fn observe(&self, values: &[&str], read: Arc<dyn Fn() -> f64 + Send + Sync>) {
        self.put(values, || Cell::Read(Arc::clone(&read)));
    }

    fn put(&self, values: &[&str], new: impl FnOnce() -> Cell) -> Cell {
        debug_assert_eq!(values.len(), self.labels.len(), "{}: a value for each label", self.name);
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        let others: Vec<&str> = self.labels.iter().map(|_| OTHER).collect();
        let values = if rows.len() < MAX_ROWS || find(&rows, values).is_ok() { values } else { &others };
        match find(&rows, values) {
            Ok(at) => rows.get(at).map_or_else(new, |row| row.cell.clone()),
            Err(at) => {
                let cell = new();
                let values = values.iter().map(|value| cut(value).into()).collect();
                rows.insert(at, Row { values, cell: cell.clone() });
                cell
            }
        }
    }

    fn family(&self) -> Family {
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner).clone();
        let series = rows.into_iter().map(|Row { values, cell }| {
            let labels: Labels = self
                .labels
                .iter()
                .zip(values)
                .map(|(key, value)| Label { key: Cow::Borrowed(*key), value: LabelValue::Text(value) })
                .collect();
            let value = match cell {
                Cell::Counted(counter) => Value::Integer(counter.get(), None),
                Cell::Held(gauge) => Value::Integer(gauge.get(), None),
                Cell::Read(read) => Value::Double(read(), None),
                Cell::Spread(histogram) => histogram.lock().unwrap_or_else(PoisonError::into_inner).read(),
            };
            Series::timeless(labels, value)
        });
        Family::own(self.name, self.help, self.kind, series.collect())
    }
}

fn cut(value: &str) -> &str {
    value.get(..value.floor_char_boundary(MAX_TEXT)).unwrap_or(value)
}

fn find(rows: &[Row], values: &[&str]) -> Result<usize, usize> {
    rows.binary_search_by(|row| row.values.iter().map(|value| &**value).cmp(values.iter().map(|value| cut(value))))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    fn shown(registry: &Registry) -> Vec<String> {
        let mut families = Vec::new();
        registry.collect(&mut families);
        families
            .iter()
            .flat_map(|family| {
                family.series.iter().map(|series| {
                    let labels: Vec<_> =
                        series.labels.iter().map(|label| format!("{}={}", label.key, label.value)).collect();
                    match &series.value {
                        Value::Integer(value, _) => format!("{}{{{}}} {value}", family.name, labels.join(",")),
                        other => format!("{}{{{}}} {other:?}", family.name, labels.join(",")),
                    }
                })
            })
            .collect()
    }

    /// The books are a source, and what is settled in them has been counted before.
    #[test]
    fn sources_are_read_before_counters_and_shown_behind_them() {
        struct Books(Counter);
        impl Source for Books {
            fn collect(&self, families: &mut Vec<Family>) {
                self.0.increment();
                let series = vec![Series::timeless(Labels::default(), Value::Integer(7, None))];
                families.push(Family::own("books", "", Kind::Counter, series));
            }
        }
        let registry = Registry::new();
        registry.add_source(Arc::new(Books(registry.counter("sent_total", ""))));
        assert_eq!(shown(&registry), ["sent_total{} 1", "books{} 7"]);
    }

    #[test]
    fn handles_of_one_label_set_count_together() {
        let registry = Registry::new();
        let first = registry.counters("sent_total", "Sent", &["exporter"]);
        let again = registry.counters("sent_total", "Sent", &["exporter"]);
        first.with(&["otlp"]).add(2);
        again.with(&["otlp"]).increment();
        again.with(&["debug"]);
        assert_eq!(shown(&registry), ["sent_total{exporter=debug} 0", "sent_total{exporter=otlp} 3"]);
    }

    #[test]
    fn a_gauge_can_be_asked() {
        let registry = Registry::new();
        let size = Arc::new(AtomicU64::new(7));
        let gauges = registry.gauges("queue_size", "Size", &["exporter"]);
        let seen = Arc::clone(&size);
        gauges.observe(&["otlp"], move || seen.load(Ordering::Relaxed) as f64);
        gauges.with(&["debug"]).set(1);
        size.store(9, Ordering::Relaxed);
        assert_eq!(shown(&registry), ["queue_size{exporter=debug} 1", "queue_size{exporter=otlp} Double(9.0, None)"]);
    }

    #[test]
    fn label_sets_are_bounded() {
        let registry = Registry::new();
        let keys = registry.counters("keys_total", "Keys", &["key", "reason"]);
        for number in 0..MAX_ROWS + 50 {
            keys.with(&[&number.to_string(), "odd"]).increment();
        }
        keys.with(&["3", "odd"]).increment();
        let shown = shown(&registry);
        assert_eq!(shown.len(), MAX_ROWS + 1);
        assert!(shown.contains(&"keys_total{key=_other,reason=_other} 50".to_owned()));
        assert!(shown.contains(&"keys_total{key=3,reason=odd} 2".to_owned()));
    }

    #[test]
    fn a_long_value_is_found_again() {
        let counters = Counters::new("a_total", "A", &["name"]);
        let long = "x".repeat(MAX_TEXT * 4);
        counters.with(&[&long]).increment();
        assert_eq!(counters.with(&[&long]).get(), 1);
    }
}
