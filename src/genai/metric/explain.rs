//! A metric before and after, data point by data point, with the rule: what [`super::translate`] noted
//! while it translated, told to people.

use serde_json::Value as Json;

use super::convention;
use super::translate::Fate;
use crate::genai::convention::Convention;
use crate::genai::explain::{Added, Change, FOREIGN, KeyExplanation};
use crate::genai::field::Field;
use crate::genai::settings::Target;
use crate::otlp::metrics::{Metric, Part, Point};
use crate::otlp::represent::json;

/// What spoke for a point's dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// The scope's name begins so.
    Scope(&'static str),
    /// The point has this attribute.
    Key(&'static str),
    /// The metric's name.
    Name,
}

/// What was done with an attribute of a point.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) from: &'static str,
    pub(super) to: &'static str,
    pub(super) said: Said,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// As it is, under the current key.
    Renamed,
    /// In the conventions' word, under the current key.
    Mapped,
    /// In the conventions' word; the key was current.
    Reworded,
    /// The current key says the same.
    Already,
    /// The current key says something else.
    Otherwise,
    /// The word has no equivalent.
    Nothing,
    /// The metric's name says it.
    InName,
}

impl Said {
    /// Outcome, reason and rule.
    const fn told(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Said::Renamed => ("expressed", "", "renamed"),
            Said::Mapped => ("expressed", "", "renamed, in the conventions' word"),
            Said::Reworded => ("expressed", "", "in the conventions' word"),
            Said::Already => ("expressed", "", "the same already stands in the target's words"),
            Said::Otherwise => ("kept", "conflict", "the target's own key says something else; this stays"),
            Said::Nothing => ("kept", "no_home", "the word names something else; it stays"),
            Said::InName => ("expressed", "", "the metric's name says it"),
        }
    }
}

/// What a translation notes for [`Told::explain`]: of each point what spoke for its dialect, and what was
/// done with its attributes.
#[derive(Debug, Default)]
pub struct Told(Vec<(Sign, Vec<Step>)>);

/// What a translation did to one data point.
#[derive(Debug, Clone, PartialEq)]
pub struct PointExplanation {
    /// Whose point it is; empty if nobody knows the metric.
    pub dialect: &'static str,
    /// What spoke for it.
    pub because: String,
    /// The metric's name.
    pub name: Change<String>,
    /// The metric's unit.
    pub unit: Change<String>,
    /// `expressed`, `kept` or `discarded`.
    pub outcome: &'static str,
    /// Why, as in `dragoman_genai_metrics_total`; `foreign` for a metric that nobody knows.
    pub reason: &'static str,
    /// The rule, in a few words.
    pub rule: &'static str,
    /// Every attribute.
    pub keys: Vec<KeyExplanation>,
    /// Attributes that no single key stands behind.
    pub added: Vec<Added>,
}

/// The attributes of a metric's points as they came.
pub type Before = Vec<Vec<(String, Json)>>;

/// What [`Told::explain`] needs to know of a metric before it is translated.
pub fn before(metric: &mut Metric<'_>) -> Before {
    let attributes = |point: &Point<'_>| -> Vec<(String, Json)> {
        point.attributes().map(|(key, value)| (key.to_owned(), json(&value.parse()))).collect()
    };
    metric.points().iter().map(attributes).collect()
}

impl Told {
    /// Begins the next point.
    pub(super) fn begin(&mut self, sign: Sign) -> Option<&mut Vec<Step>> {
        self.0.push((sign, Vec::new()));
        self.0.last_mut().map(|(_, steps)| steps)
    }

    pub(super) fn steps_of(&mut self, place: usize) -> Option<&mut Vec<Step>> {
        self.0.get_mut(place).map(|(_, steps)| steps)
    }

    /// What became of every point of a metric after its translation, in order. `fates` is empty for a metric
    /// that was not translated.
    pub fn explain(
        &self,
        metric: &mut Metric<'_>,
        before: Before,
        fates: &[Fate],
        target: Target,
    ) -> Vec<PointExplanation> {
        let mut told = Vec::new();
        for (place, attributes) in before.into_iter().enumerate() {
            let part = metric.points().get(place).and_then(Point::part);
            let (name, unit) = metric.identity(part.unwrap_or(Part::SELF));
            let name = Change { before: metric.name().to_owned(), after: name.to_owned() };
            let unit = Change { before: metric.unit().to_owned(), after: unit.to_owned() };
            let Some(point) = metric.points().get(place) else { continue };
            let (sign, steps) = self.0.get(place).map_or((None, &[][..]), |(sign, steps)| (Some(*sign), steps));
            let fate = fates.get(place);
            let keys: Vec<KeyExplanation> = attributes
                .into_iter()
                .map(|attribute| key(attribute, point, steps, fate.map_or("", |(dialect, ..)| dialect), target))
                .collect();
            let is_new = |key: &str| !keys.iter().any(|known| known.key == key || known.to == Some(key));
            let added = point.attributes().filter(|(key, _)| is_new(key));
            let added = added.map(|(key, value)| Added { key: key.to_owned(), value: json(&value.parse()) }).collect();
            let because = match sign {
                Some(Sign::Scope(scope)) => format!("the scope begins with {scope}"),
                Some(Sign::Key(key)) => format!("its points have the key {key}"),
                Some(Sign::Name) => format!("the metric is called {}", name.before),
                None => String::new(),
            };
            let (dialect, outcome, reason, rule) = match fate {
                Some((dialect, outcome, reason)) => (*dialect, *outcome, reason.name(), reason.because()),
                None => ("", "kept", "foreign", FOREIGN),
            };
            told.push(PointExplanation { dialect, because, name, unit, outcome, reason, rule, keys, added });
        }
        told
    }
}

/// What became of one attribute of a point.
fn key(
    (key, before): (String, Json),
    point: &Point<'_>,
    steps: &[Step],
    dialect: &'static str,
    target: Target,
) -> KeyExplanation {
    // What a later step did to what an earlier one had written is the earlier one's result.
    let step = steps.iter().rfind(|step| step.from == key);
    let is_own = || {
        let of_spans = Convention::of(target);
        let of_metrics = convention::Convention::of(target).names.iter().flat_map(|name| name.attributes);
        Field::ALL.iter().any(|field| of_spans.name(*field).is_some_and(|(name, _)| name == key))
            || of_metrics.map(|(attribute, _)| *attribute).any(|attribute| attribute == key)
    };
    let (outcome, reason, rule) = match step {
        Some(step) => step.said.told(),
        None if dialect.is_empty() => ("kept", "foreign", FOREIGN),
        None if is_own() => ("expressed", "current", "already in the target's words"),
        None => ("kept", "foreign", FOREIGN),
    };
    let to = step.filter(|step| outcome == "expressed" && step.said != Said::InName).map(|step| step.to);
    let after = to.and_then(|to| point.get(to)).map(|value| json(&value));
    KeyExplanation {
        removed: !point.has(&key),
        dialect: if reason == "foreign" { "" } else { dialect },
        outcome,
        reason,
        to,
        after,
        rule,
        ..KeyExplanation::foreign(key, false, before)
    }
}
