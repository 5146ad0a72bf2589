//! A page of metrics as Prometheus may see it: names translated, every family and every series
//! once. What would make a scraper refuse the whole page is left out here and counted, so that one
//! bad series never harms the rest; the writers below need check nothing.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::metrics::snapshot::{Bounds, Distribution, Exemplar, Family, Kind, Label, Scope, Series, Value};

use super::name;
use super::style::Style;

/// Why something is not on the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LeftOut {
    /// Nothing is left of the metric's name.
    InvalidName,
    /// Another metric has the name, with another type.
    TypeConflict,
    /// Another series of the family has the same labels.
    DuplicateSeries,
    /// The value does not fit the family's type, or is not finite.
    InvalidValue,
}

impl LeftOut {
    /// All reasons.
    pub const ALL: [LeftOut; 4] =
        [LeftOut::InvalidName, LeftOut::TypeConflict, LeftOut::DuplicateSeries, LeftOut::InvalidValue];

    /// The value of the `reason` label in self-metrics.
    pub const fn label(self) -> &'static str {
        match self {
            LeftOut::InvalidName => "invalid_name",
            LeftOut::TypeConflict => "type_conflict",
            LeftOut::DuplicateSeries => "duplicate_series",
            LeftOut::InvalidValue => "invalid_value",
        }
    }
}

/// Labels under Prometheus' names, not escaped; every name once, no empty value.
pub(super) type PageLabels = Vec<(Arc<str>, String)>;

/// What a scraper gets to see.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) families: Vec<PageFamily>,
    /// One entry for each series that is not there.
    pub(super) left_out: Vec<LeftOut>,
}

#[derive(Debug)]
pub(super) struct PageFamily {
    /// With the unit, without `_total` or `_info`.
    pub(super) name: String,
    pub(super) unit: Option<String>,
    /// One line, not escaped.
    pub(super) help: String,
    pub(super) kind: Kind,
    pub(super) series: Vec<PageSeries>,
}

#[derive(Debug)]
pub(super) struct PageSeries {
    pub(super) labels: PageLabels,
    pub(super) value: PageValue,
}

#[derive(Debug)]
pub(super) enum PageValue {
    Integer(u64, Option<PageExemplar>),
    Double(f64),
    Histogram { bounds: Bounds, counts: Box<[u64]>, sum: f64, exemplars: Vec<(usize, PageExemplar)> },
}

#[derive(Debug)]
pub(super) struct PageExemplar {
    pub(super) labels: PageLabels,
    pub(super) value: f64,
    pub(super) time_unix_nano: u64,
}

/// Characters that an exemplar's labels may have, names and values together (OpenMetrics 1.0,
/// "Exemplars").
const EXEMPLAR_CHARACTERS: usize = 128;

impl Page {
    pub(super) fn new(families: Vec<Family>, style: &Style) -> Self {
        let mut builder = Builder {
            page: Page { families: Vec::new(), left_out: Vec::new() },
            by_name: HashMap::new(),
            taken: HashSet::new(),
            label_names: HashMap::new(),
        };
        // OpenMetrics wants `target` in front of everything else.
        let (target, rest): (Vec<_>, Vec<_>) = families.into_iter().partition(|family| family.kind == Kind::Info);
        for family in target.into_iter().chain(rest) {
            builder.add(family, &style.namespace);
        }
        builder.page
    }
}

/// A family's place on the page, and the label sets it has, each in the order of names.
struct Place {
    at: usize,
    seen: HashSet<PageLabels>,
}

struct Builder {
    page: Page,
    by_name: HashMap<String, Place>,
    /// Every name that a family's samples or descriptors have.
    taken: HashSet<String>,
    label_names: HashMap<Box<str>, Arc<str>>,
}

impl Builder {
    fn add(&mut self, family: Family, namespace: &str) {
        // `target_info` is a name of the format's own.
        let namespace = if family.kind == Kind::Info { "" } else { family.namespace.unwrap_or(namespace) };
        let Some(name) = name::metric(namespace, &family.name, &family.unit, family.kind == Kind::Gauge) else {
            return self.leave_out(LeftOut::InvalidName, family.series.len());
        };
        let at = match self.by_name.get(&name.base) {
            Some(place) if self.page.families.get(place.at).is_some_and(|there| there.kind == family.kind) => place.at,
            Some(_) => return self.leave_out(LeftOut::TypeConflict, family.series.len()),
            None => {
                let names = sample_names(&name.base, family.kind);
                if names.iter().any(|name| self.taken.contains(name)) {
                    return self.leave_out(LeftOut::TypeConflict, family.series.len());
                }
                self.taken.extend(names);
                let place = Place { at: self.page.families.len(), seen: HashSet::new() };
                self.by_name.insert(name.base.clone(), place);
                self.page.families.push(PageFamily {
                    name: name.base.clone(),
                    unit: name.unit,
                    help: one_line(&family.help),
                    kind: family.kind,
                    series: Vec::new(),
                });
                self.page.families.len() - 1
            }
        };
        for series in family.series {
            match self.series(&name.base, family.kind, family.scope, series) {
                Ok(series) => {
                    if let Some(there) = self.page.families.get_mut(at) {
                        there.series.push(series);
                    }
                }
                Err(reason) => self.leave_out(reason, 1),
            }
        }
    }

    fn leave_out(&mut self, reason: LeftOut, series: usize) {
        self.page.left_out.extend(std::iter::repeat_n(reason, series));
    }

    fn series(&mut self, name: &str, kind: Kind, scope: Option<Scope>, series: Series) -> Result<PageSeries, LeftOut> {
        let mut labels = self.labels(&series.labels, kind == Kind::Histogram);
        if let Some(scope) = scope {
            for (key, value) in [("otel_scope_name", scope.name), ("otel_scope_version", scope.version)] {
                if !value.is_empty() {
                    self.put(&mut labels, key.into(), value.to_owned());
                }
            }
        }
        let value = self.value(kind, series.value)?;
        // The same labels in another order are the same series.
        let mut identity = labels.clone();
        identity.sort_unstable();
        if let Some(place) = self.by_name.get_mut(name)
            && !place.seen.insert(identity)
        {
            return Err(LeftOut::DuplicateSeries);
        }
        Ok(PageSeries { labels, value })
    }

    fn value(&mut self, kind: Kind, value: Value) -> Result<PageValue, LeftOut> {
        match (kind, value) {
            (Kind::Counter, Value::Integer(value, exemplar)) => {
                Ok(PageValue::Integer(value, exemplar.and_then(|exemplar| self.exemplar(&exemplar))))
            }
            (Kind::Gauge, Value::Integer(value, _)) => Ok(PageValue::Integer(value, None)),
            (Kind::Info, Value::Integer(..)) => Ok(PageValue::Integer(1, None)),
            (Kind::Gauge, Value::Double(value, _)) if value.is_finite() => Ok(PageValue::Double(value)),
            (Kind::Counter, Value::Double(value, _)) if value.is_finite() && value >= 0.0 => {
                Ok(PageValue::Double(value))
            }
            (Kind::Histogram, Value::Histogram(Distribution { bounds, counts, sum, exemplars }))
                if counts.len() == bounds.len() + 1 && bounds.is_sorted_by(|a, b| a < b) =>
            {
                let sum = sum.filter(|sum| sum.is_finite()).ok_or(LeftOut::InvalidValue)?;
                let exemplars = exemplars
                    .into_iter()
                    .filter_map(|(bucket, exemplar)| Some((bucket, self.exemplar(&exemplar)?)))
                    .collect();
                Ok(PageValue::Histogram { bounds, counts, sum, exemplars })
            }
            _ => Err(LeftOut::InvalidValue),
        }
    }

    /// The ids first; an attribute only while there is room. `None` for an exemplar with nothing
    /// to say or no sensible value.
    fn exemplar(&mut self, exemplar: &Exemplar) -> Option<PageExemplar> {
        if !exemplar.value.is_finite() {
            return None;
        }
        let mut labels: PageLabels = Vec::new();
        if let Some(id) = exemplar.trace_id {
            labels.push(("trace_id".into(), id.to_string()));
        }
        if let Some(id) = exemplar.span_id {
            labels.push(("span_id".into(), id.to_string()));
        }
        let characters = |labels: &[(Arc<str>, String)]| -> usize {
            labels.iter().map(|(key, value)| key.chars().count() + value.chars().count()).sum()
        };
        let mut used = characters(&labels);
        for attribute in self.labels(&exemplar.attributes, false) {
            let more = characters(std::slice::from_ref(&attribute));
            if used + more <= EXEMPLAR_CHARACTERS && labels.iter().all(|(key, _)| *key != attribute.0) {
                used += more;
                labels.push(attribute);
            }
        }
        (!labels.is_empty()).then_some(PageExemplar {
            labels,
            value: exemplar.value,
            time_unix_nano: exemplar.time_unix_nano,
        })
    }

    /// Labels under Prometheus' names. Values of keys that become one name are joined with `;`, in
    /// the order of the keys.
    fn labels(&mut self, labels: &[Label], is_histogram: bool) -> PageLabels {
        let mut sorted: Vec<&Label> = labels.iter().collect();
        let mut out: PageLabels = Vec::with_capacity(labels.len() + 2);
        let names: HashSet<Arc<str>> = labels.iter().map(|label| self.label_name(&label.key)).collect();
        if names.len() < labels.len() {
            sorted.sort_by(|a, b| a.key.cmp(&b.key));
        }
        for label in sorted {
            let mut name = self.label_name(&label.key);
            if is_histogram && *name == *"le" {
                // The buckets' own label; Prometheus calls a label that gives way so.
                name = "exported_le".into();
            }
            let value = printable(label.value.to_string());
            if !value.is_empty() {
                self.put(&mut out, name, value);
            }
        }
        out
    }

    fn put(&self, labels: &mut PageLabels, name: Arc<str>, value: String) {
        match labels.iter_mut().find(|(other, _)| *other == name) {
            Some((_, values)) => {
                values.push(';');
                values.push_str(&value);
            }
            None => labels.push((name, value)),
        }
    }

    fn label_name(&mut self, key: &str) -> Arc<str> {
        if let Some(name) = self.label_names.get(key) {
            return Arc::clone(name);
        }
        let name: Arc<str> = name::label(key).into();
        self.label_names.insert(key.into(), Arc::clone(&name));
        name
    }
}

/// The names that are taken by a family, as OpenMetrics reserves them.
fn sample_names(base: &str, kind: Kind) -> Vec<String> {
    let suffixes: &[&str] = match kind {
        Kind::Counter => &["", "_total", "_created"],
        Kind::Gauge => &[""],
        Kind::Summary => &["", "_sum", "_count", "_created"],
        Kind::Histogram => &["", "_bucket", "_sum", "_count", "_created"],
        Kind::Info => &["", "_info"],
    };
    suffixes.iter().map(|suffix| format!("{base}{suffix}")).collect()
}

/// Control characters are legal in a label's value by the letter, but Prometheus' lexer takes a
/// NUL for the end of the page. A line break can be escaped and stays.
fn printable(text: String) -> String {
    let bad = |c: char| c.is_control() && c != '\n';
    if text.contains(bad) { text.replace(bad, "\u{fffd}") } else { text }
}

fn one_line(help: &str) -> String {
    help.replace(|c: char| c.is_control(), " ")
}
