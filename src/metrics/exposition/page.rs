//! A page of metrics as Prometheus may see it: every family and every series once, each under a name
//! that is no other's. What would make a scraper refuse the whole page is left out here and counted,
//! so that one bad series never harms the rest; the writers ([`super::text`], [`super::protobuf`])
//! need check nothing.
//!
//! A page is written in two passes. The first looks at the families only: which become one, which
//! cannot be on one page. The second takes series after series and holds none.

use std::collections::{HashMap, HashSet};

use crate::metrics::snapshot::{Distribution, Family, Kind, Series, Value};

use super::accept::{Choice, Format};
use super::escaping::{Escaping, is_classic};
use super::labels::{LabelSet, Names};
use super::name::{self, MetricName};
use super::native;
use super::output::Output;
use super::protobuf::Protobuf;
use super::style::Style;
use super::text::Text;

/// Why a series is not on the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LeftOut {
    /// Nothing is left of the metric's name.
    InvalidName,
    /// Another metric has the name, with another type.
    TypeConflict,
    /// Another metric's samples have the name: `x_count` beside a histogram `x`.
    NameConflict,
    /// Another series of the family has the same labels.
    DuplicateSeries,
    /// The value does not fit the family's type, or contradicts itself.
    InvalidValue,
    /// An exponential histogram whose buckets are wider than Prometheus has any (scale below -4).
    ScaleTooCoarse,
}

impl LeftOut {
    /// All reasons.
    pub const ALL: [LeftOut; 6] = [
        LeftOut::InvalidName,
        LeftOut::TypeConflict,
        LeftOut::NameConflict,
        LeftOut::DuplicateSeries,
        LeftOut::InvalidValue,
        LeftOut::ScaleTooCoarse,
    ];

    /// The value of the `reason` label in self-metrics.
    pub const fn label(self) -> &'static str {
        match self {
            LeftOut::InvalidName => "invalid_name",
            LeftOut::TypeConflict => "type_conflict",
            LeftOut::NameConflict => "name_conflict",
            LeftOut::DuplicateSeries => "duplicate_series",
            LeftOut::InvalidValue => "invalid_value",
            LeftOut::ScaleTooCoarse => "scale_too_coarse",
        }
    }
}

/// How many metrics of a page are described in several ways. One description is shown, or none, and
/// the series are all there: help and unit are comments to Prometheus.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Disputed {
    /// Of these the first help is shown.
    pub help: usize,
    /// Of these no unit is shown.
    pub unit: usize,
}

/// One family of the page: what its descriptors say.
#[derive(Debug)]
pub(super) struct Section {
    /// As OpenMetrics calls it: without `_total` and `_info`.
    pub(super) name: String,
    /// What a counter's or info's samples have behind the name.
    pub(super) suffix: &'static str,
    /// What the name ends in.
    pub(super) unit: Option<String>,
    /// One line, not escaped.
    pub(super) help: String,
    pub(super) kind: Kind,
    /// The families that it is made of.
    members: Vec<Family>,
    help_conflict: bool,
    unit_conflict: bool,
}

impl Section {
    fn new(name: MetricName, family: Family, escaping: Escaping) -> Self {
        let full = escaping.metric(name.base + name.suffix);
        let name_in_openmetrics = full.strip_suffix(name.suffix).unwrap_or(&full).to_owned();
        let ends = |unit: &String| {
            is_classic(unit) && name_in_openmetrics.strip_suffix(unit.as_str()).is_some_and(|rest| rest.ends_with('_'))
        };
        Section {
            unit: name.unit.filter(ends),
            suffix: name.suffix,
            help: one_line(&family.help),
            kind: family.kind,
            members: vec![family],
            help_conflict: false,
            unit_conflict: false,
            name: name_in_openmetrics,
        }
    }

    /// Takes in another family of the name. What they say differently of help or unit is a comment,
    /// and the first or none is shown.
    fn add(&mut self, mut other: Section) {
        if self.help.is_empty() {
            self.help = std::mem::take(&mut other.help);
        } else if !other.help.is_empty() && self.help != other.help {
            self.help_conflict = true;
            tracing::debug!(
                metric = self.name,
                shown = self.help,
                other = other.help,
                "two descriptions of one metric"
            );
        }
        match (&self.unit, other.unit) {
            (Some(one), Some(another)) if *one != another => {
                tracing::debug!(metric = self.name, one, another, "two units of one metric: none is shown");
                self.unit_conflict = true;
                self.unit = None;
            }
            (None, another) if !self.unit_conflict => self.unit = another,
            _ => {}
        }
        self.members.append(&mut other.members);
    }

    /// The names that the family takes, as OpenMetrics reserves them. They are reserved in every
    /// format: a scraper that changes formats sees the same series.
    fn sample_names(&self) -> impl Iterator<Item = String> + '_ {
        let suffixes: &[&str] = match self.kind {
            Kind::Counter if self.suffix.is_empty() => &[""],
            Kind::Counter => &["", "_total", "_created"],
            Kind::Gauge => &[""],
            Kind::Summary => &["", "_sum", "_count", "_created"],
            Kind::Histogram => &["", "_bucket", "_sum", "_count", "_created"],
            Kind::Info => &["", "_info"],
        };
        suffixes.iter().map(|suffix| format!("{}{suffix}", self.name))
    }
}

/// Writes families in a format.
pub(super) trait Writer {
    /// What stands in front of a family's first series.
    fn begin(&mut self, out: &mut Vec<u8>, section: &Section);

    /// A series. Its value was checked.
    fn series(&mut self, out: &mut Vec<u8>, section: &Section, labels: &LabelSet, series: &Series);

    /// What stands behind a family's last series.
    fn end(&mut self, out: &mut Vec<u8>);

    /// Whether a series is finished when it is written; a family always is.
    fn settles_series(&self) -> bool;

    /// What stands at the end of the page.
    fn finish(&mut self, out: &mut Vec<u8>);
}

/// Writes a page. Returns why series are not on it, an entry for each, and what is disputed.
pub(super) fn write(
    families: Vec<Family>,
    style: &Style,
    choice: &Choice,
    out: &mut Output,
) -> (Vec<LeftOut>, Disputed) {
    let mut left_out = Vec::new();
    let sections = sections(families, style, choice.escaping, &mut left_out);
    let disputed = Disputed {
        help: sections.iter().filter(|section| section.help_conflict).count(),
        unit: sections.iter().filter(|section| section.unit_conflict).count(),
    };
    let timestamps = style.send_timestamps;
    let mut writer: Box<dyn Writer> = match choice.format {
        Format::OpenMetrics => Box::new(Text::openmetrics(timestamps)),
        Format::Classic => Box::new(Text::classic(timestamps)),
        Format::Protobuf => Box::new(Protobuf::new(timestamps)),
    };
    let mut names = Names::new(style, choice.escaping);
    let mut labels = LabelSet::default();
    for mut section in sections {
        let mut seen: HashSet<u128> = HashSet::new();
        let mut begun = false;
        for family in std::mem::take(&mut section.members) {
            let scope = family.scope.filter(|_| style.scope_labels);
            for series in family.series {
                if let Err(reason) = check(section.kind, &series.value) {
                    left_out.push(reason);
                    continue;
                }
                labels.read(&mut names, &series.labels, reserved(section.kind), scope);
                if !seen.insert(labels.identity(&names)) {
                    left_out.push(LeftOut::DuplicateSeries);
                    continue;
                }
                if !begun {
                    writer.begin(&mut out.buffer, &section);
                    begun = true;
                }
                writer.series(&mut out.buffer, &section, &labels, &series);
                if writer.settles_series() {
                    out.settle();
                }
            }
        }
        if begun {
            writer.end(&mut out.buffer);
            out.settle();
        }
    }
    writer.finish(&mut out.buffer);
    (left_out, disputed)
}

/// The families that can be on one page, those of one name together.
fn sections(families: Vec<Family>, style: &Style, escaping: Escaping, left_out: &mut Vec<LeftOut>) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let mut by_name: HashMap<String, usize> = HashMap::new();
    let mut taken: HashSet<String> = HashSet::new();
    // OpenMetrics wants `target` in front of everything else.
    let (target, rest): (Vec<_>, Vec<_>) = families.into_iter().partition(|family| family.kind == Kind::Info);
    for family in target.into_iter().chain(rest) {
        let series = family.series.len();
        let mut leave_out = |reason| left_out.extend(std::iter::repeat_n(reason, series));
        // `target_info` is a name of the format's own.
        let namespace = match family.kind {
            Kind::Info => "",
            _ => family.namespace.unwrap_or(&style.namespace),
        };
        let Some(name) = name::metric(style.translation, namespace, &family.name, &family.unit, family.kind) else {
            leave_out(LeftOut::InvalidName);
            continue;
        };
        let section = Section::new(name, family, escaping);
        if let Some(at) = by_name.get(&section.name) {
            match sections.get_mut(*at) {
                Some(there) if there.kind == section.kind && there.suffix == section.suffix => there.add(section),
                _ => leave_out(LeftOut::TypeConflict),
            }
        } else if section.sample_names().any(|name| taken.contains(&name)) {
            leave_out(LeftOut::NameConflict);
        } else {
            taken.extend(section.sample_names());
            by_name.insert(section.name.clone(), sections.len());
            sections.push(section);
        }
    }
    sections
}

/// The label that the samples of a kind have of their own.
fn reserved(kind: Kind) -> &'static str {
    match kind {
        Kind::Histogram => "le",
        Kind::Summary => "quantile",
        Kind::Counter | Kind::Gauge | Kind::Info => "",
    }
}

/// Whether a value can be shown as the kind.
fn check(kind: Kind, value: &Value) -> Result<(), LeftOut> {
    let fits = match (kind, value) {
        (Kind::Counter | Kind::Gauge | Kind::Info, Value::Integer(..)) => true,
        (Kind::Gauge, Value::Signed(_) | Value::Double(..)) => true,
        (Kind::Counter, Value::Double(value, _)) => *value >= 0.0,
        (Kind::Histogram, Value::Histogram(Distribution { bounds, counts, .. })) => {
            counts.len() == bounds.len() + 1
                && bounds.iter().all(|bound| bound.is_finite())
                && bounds.is_sorted_by(|a, b| a < b)
        }
        (Kind::Histogram, Value::Native(distribution)) => return native::check(distribution),
        (Kind::Summary, Value::Summary(_)) => true,
        _ => false,
    };
    if fits { Ok(()) } else { Err(LeftOut::InvalidValue) }
}

fn one_line(help: &str) -> String {
    help.replace(|c: char| c.is_control(), " ")
}
