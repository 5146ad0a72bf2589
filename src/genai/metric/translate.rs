//! Where dialects and conventions meet: a metric's attributes are put into current words, and each of
//! its data points goes to the metric that the target has for it. A metric whose points go to several
//! is split; what the target cannot say stays where it was.
//!
//! A second pass changes nothing: what the target calls so already stays.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::BuildHasher;

use bytes::Bytes;
use foldhash::quality::FixedState;

use super::attributes;
use super::convention::{self, Convention, INFERENCE, Name, OTHER_OPERATIONS, TOKEN_TYPE};
use super::dialect::{self, Attribute, Dialect, OTEL, Row};
use super::explain::{Said as StepSaid, Sign, Step, Told};
use super::totals;
use super::{Direction, Measure, Reason, Says};
use crate::genai::settings::{Originals, Target};
use crate::otlp::metrics::{Kind, Metric, Origin, Part, Point, Visitor, edit};

const OPERATION: &str = "gen_ai.operation.name";

/// What became of a data point: the dialect, `expressed`, `kept` or `discarded`, and why.
pub type Fate = (&'static str, &'static str, Reason);

/// How many data points met which fate. The keys come from tables, so that there are few.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fates(BTreeMap<Fate, u64>);

impl Fates {
    /// Counts a point.
    pub fn count(&mut self, fate: Fate) {
        self.count_many(fate, 1);
    }

    fn count_many(&mut self, fate: Fate, points: u64) {
        *self.0.entry(fate).or_default() += points;
    }

    /// Adds other points' fates.
    pub fn add(&mut self, other: &Fates) {
        other.iter().for_each(|(fate, points)| self.count_many(fate, points));
    }

    /// All fates, in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = (Fate, u64)> {
        self.0.iter().map(|(fate, points)| (*fate, *points))
    }
}

/// A metric after its translation.
#[derive(Debug)]
pub struct Translation {
    /// What became of each data point, in order.
    pub fates: Vec<Fate>,
}

impl Translation {
    /// A point is taken out after all.
    pub fn discard(&mut self, place: usize, reason: Reason) {
        if let Some(fate) = self.fates.get_mut(place) {
            *fate = (fate.0, "discarded", reason);
        }
    }
}

/// What a request says of operations under the target's own names, of which another name for the same
/// would be a copy. Looked through at most once, and only when a metric is about to get a new name.
#[derive(Debug, Default)]
pub struct Said(Option<HashSet<u64, FixedState>>);

/// Translates metrics to one target.
#[derive(Debug)]
pub struct Translator {
    convention: &'static Convention,
    originals: Originals,
    index: HashMap<&'static str, Meaning, FixedState>,
}

/// What a metric's name means.
#[derive(Debug, Clone, Copy)]
struct Meaning {
    dialect: &'static Dialect,
    says: Says,
    row: Option<&'static Row>,
}

impl Translator {
    /// A translator to `target`.
    pub fn new(target: Target, originals: Originals) -> Translator {
        let mut index: HashMap<&'static str, Meaning, FixedState> = HashMap::default();
        for name in convention::ALL.iter().flat_map(|convention| convention.names) {
            let says = says(name);
            index.insert(name.name, Meaning { dialect: OTEL, says, row: None });
        }
        for dialect in dialect::ALL {
            for row in dialect.metrics {
                index.insert(row.name, Meaning { dialect, says: row.says, row: Some(row) });
            }
        }
        Translator { convention: Convention::of(target), originals, index }
    }

    /// The target.
    pub fn target(&self) -> Target {
        self.convention.target
    }

    /// Puts a metric into the target's words. `None` for one that has nothing to do with GenAI, which
    /// is left as it came. `body` is the whole request; `told` is filled if it is there.
    pub fn translate(
        &self,
        metric: &mut Metric<'_>,
        origin: &Origin<'_>,
        (body, said): (&Bytes, &mut Said),
        fates: &mut Fates,
        mut told: Option<&mut Told>,
    ) -> Option<Translation> {
        let mut meaning = self.meaning(metric.name())?;
        if meaning.row.and_then(|row| row.copy_in).is_some_and(|scope| origin.scope_name == scope) {
            meaning.says = Says::Nothing;
        }
        let only_with = meaning.row.and_then(|row| row.only_with);
        let points = metric.points();
        if only_with.is_some_and(|key| !points.iter().all(|point| point.has(key))) {
            return None;
        }
        if points.is_empty() {
            let points = metric.point_count() as u64;
            if points > 0 {
                fates.count_many((dialect(meaning, origin, None).0.name, "kept", Reason::TooMany), points);
            }
            return None;
        }
        for point in points.iter_mut() {
            let (dialect, sign) = dialect(meaning, origin, Some(point));
            let steps = told.as_deref_mut().and_then(|told| told.begin(sign));
            attributes::translate(point, || rules(meaning, dialect), self.originals, steps);
            for (key, value) in meaning.row.map(|row| row.implies).unwrap_or_default() {
                if !point.has(key) {
                    point.set(key, *value);
                }
            }
        }
        if self.originals == Originals::Replace && meaning.says == Says::Tokens(None) {
            for place in totals::redundant(points) {
                if let Some(point) = points.get_mut(place) {
                    point.drop_point();
                }
            }
        }
        let count = points.len();
        let fates = (0..count).map(|place| {
            let steps = told.as_deref_mut().and_then(|told| told.steps_of(place));
            self.point(metric, place, meaning, (origin, body, &mut *said), steps)
        });
        Some(Translation { fates: fates.collect() })
    }

    fn meaning(&self, name: &str) -> Option<Meaning> {
        self.index.get(name).copied().or_else(|| {
            let begins = |dialect: &&&Dialect| dialect.kept.iter().any(|prefix| name.starts_with(prefix));
            let dialect = dialect::ALL.iter().find(begins)?;
            Some(Meaning { dialect, says: Says::Nothing, row: None })
        })
    }

    /// Gives one point to the metric that the target has for it.
    fn point(
        &self,
        metric: &mut Metric<'_>,
        place: usize,
        meaning: Meaning,
        (origin, body, said): (&Origin<'_>, &Bytes, &mut Said),
        mut steps: Option<&mut Vec<Step>>,
    ) -> Fate {
        let (old, unit) = (metric.name(), metric.unit());
        let (kind, monotonic) = (metric.kind(), metric.is_monotonic());
        let points = metric.points();
        let (dialect, _) = dialect(meaning, origin, points.get(place));
        let Some(point) = points.get_mut(place).filter(|point| !point.is_dropped()) else {
            return (dialect.name, "discarded", Reason::Redundant);
        };
        let mut destination = self.destination(meaning.says, point, kind, monotonic, unit);
        if let Ok(name) = destination
            && name.name != old
            && said.holds(self.convention, origin, body, name.name, operation_of(point))
        {
            destination = Err(Reason::Conflict);
        }
        match destination {
            Ok(name) if self.originals == Originals::Keep && name.name != old => {
                self.say(point, name, || rules(meaning, dialect), steps);
                (dialect.name, "kept", Reason::Originals)
            }
            Ok(name) => {
                self.say(point, name, || rules(meaning, dialect), steps);
                let mut is_changed = point.is_edited();
                if self.originals == Originals::Replace {
                    let part = metric.part(name.name, name.unit);
                    is_changed |= part != Part::SELF;
                    move_to(metric, place, part);
                }
                (dialect.name, "expressed", if is_changed { Reason::None } else { Reason::Current })
            }
            Err(reason) => {
                // Under the conventions' prefix the attributes are the conventions' too. Elsewhere
                // a metric that stays, stays as it is.
                if !old.starts_with("gen_ai.") {
                    point.restore();
                    if let Some(steps) = &mut steps {
                        steps.clear();
                    }
                    return (dialect.name, "kept", reason);
                }
                // What stays under a name of the target goes along with its other points.
                let own = self.convention.find(old).filter(|own| own.measures_in(unit) && fits(own, kind, monotonic));
                if let (Some(own), Originals::Replace) = (own, self.originals) {
                    let part = metric.part(own.name, own.unit);
                    move_to(metric, place, part);
                }
                (dialect.name, "kept", reason)
            }
        }
    }

    /// The target's metric for a point, or why there is none.
    fn destination(
        &self,
        says: Says,
        point: &Point<'_>,
        kind: Option<Kind>,
        monotonic: bool,
        unit: &str,
    ) -> Result<&'static Name, Reason> {
        let measure = match says {
            Says::Nothing => return Err(Reason::NoHome),
            Says::Is(measure) => measure,
            Says::Tokens(direction) => {
                let direction = direction.or_else(|| token_type(point)).ok_or(Reason::Direction)?;
                match kind {
                    Some(kind) if kind.is_histogram() => Measure::Tokens(direction),
                    _ => Measure::TokenTotal(direction),
                }
            }
            Says::Duration => {
                let [inference, other] =
                    [Measure::InferenceDuration, Measure::OperationDuration].map(|m| self.convention.say(m));
                match operation_of(point).as_deref() {
                    _ if inference.map(|name| name.name) == other.map(|name| name.name) => Measure::InferenceDuration,
                    Some(operation) if INFERENCE.contains(&operation) => Measure::InferenceDuration,
                    Some(operation) if OTHER_OPERATIONS.contains(&operation) => Measure::OperationDuration,
                    _ => return Err(Reason::Operation),
                }
            }
        };
        let Some(name) = self.convention.say(measure) else {
            // A sum of tokens under a target that has a histogram only.
            let total = matches!(measure, Measure::TokenTotal(_));
            return Err(if total { Reason::Instrument } else { Reason::NoHome });
        };
        if !fits(name, kind, monotonic) {
            return Err(Reason::Instrument);
        }
        if !name.measures_in(unit) {
            return Err(Reason::Unit);
        }
        Ok(name)
    }

    /// Gives a point the attributes that the target's metric has.
    fn say<R>(&self, point: &mut Point<'_>, name: &Name, rules: impl Fn() -> R, mut steps: Option<&mut Vec<Step>>)
    where
        R: Iterator<Item = &'static Attribute>,
    {
        for (key, value) in name.attributes {
            // The direction follows from what is measured.
            if *key == TOKEN_TYPE || !point.has(key) {
                point.set(key, *value);
            }
        }
        if let (Originals::Replace, Measure::Tokens(direction) | Measure::TokenTotal(direction)) =
            (self.originals, name.measure)
            && self.convention.direction_in_name
            // What says something else than the name stays.
            && token_type(point) == Some(direction)
        {
            point.remove(TOKEN_TYPE);
            if let Some(steps) = &mut steps {
                steps.push(Step { from: TOKEN_TYPE, to: TOKEN_TYPE, said: StepSaid::InName });
            }
        }
        // What was held back by what is said otherwise now.
        attributes::translate(point, rules, self.originals, steps);
    }
}

impl Said {
    /// Whether the request says something of `operation` under `name`, in the same scope of the same
    /// service.
    fn holds(
        &mut self,
        convention: &'static Convention,
        origin: &Origin<'_>,
        body: &Bytes,
        name: &str,
        operation: Option<String>,
    ) -> bool {
        struct Look {
            convention: &'static Convention,
            said: HashSet<u64, FixedState>,
        }
        impl Visitor for Look {
            fn metric(&mut self, metric: &mut Metric<'_>, origin: &Origin<'_>) {
                let name = metric.name();
                if self.convention.find(name).is_some() {
                    for point in metric.points().iter() {
                        self.said.insert(place(origin, name, operation_of(point).as_deref()));
                    }
                }
            }
        }
        let said = self.0.get_or_insert_with(|| {
            let mut look = Look { convention, said: HashSet::default() };
            // The pass itself will meet the same error, and refuse the request.
            match edit(body, &mut look) {
                Ok(_) => look.said,
                Err(_) => HashSet::default(),
            }
        });
        said.contains(&place(origin, name, operation.as_deref()))
    }
}

fn place(origin: &Origin<'_>, name: &str, operation: Option<&str>) -> u64 {
    let resource = |key| origin.resource.get(key).and_then(|value| value.as_str().map(str::to_owned));
    let instance = ["service.name", "service.instance.id"].map(resource);
    FixedState::with_seed(0).hash_one((instance, origin.scope_name, origin.scope_version, name, operation))
}

fn move_to(metric: &mut Metric<'_>, place: usize, part: Part) {
    if let Some(point) = metric.points().get_mut(place) {
        point.move_to(part);
    }
}

fn operation_of(point: &Point<'_>) -> Option<String> {
    point.get(OPERATION).and_then(|value| value.as_str().map(str::to_owned))
}

fn token_type(point: &Point<'_>) -> Option<Direction> {
    match point.get(TOKEN_TYPE)?.as_str()? {
        "input" => Some(Direction::Input),
        "output" => Some(Direction::Output),
        _ => None,
    }
}

/// Whether a metric of this kind can have a name.
fn fits(name: &Name, kind: Option<Kind>, monotonic: bool) -> bool {
    match kind {
        Some(Kind::Sum) => name.counter && monotonic,
        Some(kind) => kind.is_histogram() && !name.counter,
        None => false,
    }
}

/// What a name of a target says, seen over all targets.
fn says(name: &Name) -> Says {
    let measures =
        convention::ALL.iter().flat_map(|convention| convention.names).filter(|other| other.name == name.name);
    let (mut tokens, mut duration) = (HashSet::new(), false);
    for other in measures {
        match other.measure {
            Measure::Tokens(direction) => drop(tokens.insert(direction)),
            Measure::OperationDuration => duration = true,
            _ => {}
        }
    }
    match (tokens.len(), duration) {
        (2.., _) => Says::Tokens(None),
        (_, true) => Says::Duration,
        _ => Says::Is(name.measure),
    }
}

/// Whose point it is: by its scope, or by what only one emitter attaches, or by its metric's name. The
/// name comes last, because it is what changes.
fn dialect(meaning: Meaning, origin: &Origin<'_>, point: Option<&Point<'_>>) -> (&'static Dialect, Sign) {
    let by_scope = |dialect: &&'static Dialect| {
        let scope = dialect.scopes.iter().find(|scope| origin.scope_name.starts_with(**scope))?;
        Some((*dialect, Sign::Scope(scope)))
    };
    let by_tell = |dialect: &&'static Dialect| {
        let (key, point) = dialect.tell.zip(point)?;
        point.has(key).then_some((*dialect, Sign::Key(key)))
    };
    let spoken = dialect::ALL.iter().find_map(by_scope).or_else(|| dialect::ALL.iter().find_map(by_tell));
    spoken.unwrap_or((meaning.dialect, Sign::Name))
}

/// What attributes mean, what is special before what is general.
fn rules(meaning: Meaning, dialect: &'static Dialect) -> impl Iterator<Item = &'static Attribute> {
    let row = meaning.row.map(|row| row.attributes).unwrap_or_default();
    let general = if std::ptr::eq(dialect, OTEL) { &[] } else { OTEL.attributes };
    row.iter().chain(dialect.attributes).chain(general)
}
