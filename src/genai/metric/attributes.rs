//! A data point's attributes, put into the conventions' words. What stands under a current key stays;
//! an old key goes when all that it said is said.

use super::dialect::Attribute;
use super::explain::{Said, Step};
use crate::genai::settings::Originals;
use crate::genai::values::{Mapped, look};
use crate::otlp::metrics::Point;

/// How often a point's attributes are gone through at most: what one rule changes, another one that
/// stood before it may meet. A point of one emitter is done after the first time.
const PASSES: usize = 4;

/// Translates the attributes of a point that `rules` know.
/// `told` is for [`super::explain`].
pub(super) fn translate<'r, R>(
    point: &mut Point<'_>,
    rules: impl Fn() -> R,
    originals: Originals,
    mut told: Option<&mut Vec<Step>>,
) where
    R: Iterator<Item = &'r Attribute>,
{
    for _ in 0..PASSES {
        let mut changed = false;
        for rule in rules() {
            let (now, said) = if rule.from == rule.to { reword(point, rule) } else { rename(point, rule, originals) };
            changed |= now;
            if let (Some(told), Some(said)) = (told.as_deref_mut(), said) {
                told.push(Step { from: rule.from, to: rule.to, said });
            }
        }
        if !changed {
            return;
        }
    }
}

/// Returns whether anything changed, and what is to be told of it.
fn reword(point: &mut Point<'_>, rule: &Attribute) -> (bool, Option<Said>) {
    let to = mapped(point, rule.to, rule);
    if let Some(to) = to {
        point.set(rule.to, to);
    }
    (to.is_some(), to.map(|_| Said::Reworded))
}

/// Returns whether anything changed, and what is to be told of it.
fn rename(point: &mut Point<'_>, rule: &Attribute, originals: Originals) -> (bool, Option<Said>) {
    let Some(value) = point.get(rule.from) else { return (false, None) };
    let says = value.as_str().map_or(Says::Itself, |word| match rule.values.map(|table| look(table, word)) {
        None | Some(Mapped::Unknown) => Says::Itself,
        Some(Mapped::To(to)) if to == word => Says::Itself,
        Some(Mapped::To(to)) => Says::Word(to),
        // `Langchain` is no provider: there is nothing to say it with.
        Some(Mapped::Nothing) => Says::Nothing,
    });
    let is_said = point.get(rule.to).map(|current| match says {
        Says::Itself => current == value,
        Says::Word(to) => current.as_str() == Some(to),
        Says::Nothing => false,
    });
    let said = match (is_said, says) {
        (Some(true), _) => Said::Already,
        (Some(false), _) => Said::Otherwise,
        (None, Says::Nothing) => Said::Nothing,
        (None, Says::Itself) => Said::Renamed,
        (None, Says::Word(_)) => Said::Mapped,
    };
    let changed = match (is_said, says, originals) {
        (Some(true), _, Originals::Replace) => point.remove(rule.from),
        // Something else was said under the current key, or the same and the old one is to stay.
        (Some(_), ..) | (None, Says::Nothing, _) => false,
        (None, Says::Itself, Originals::Replace) => point.rename(rule.from, rule.to),
        (None, Says::Word(to), Originals::Replace) => {
            let renamed = point.rename(rule.from, rule.to);
            point.set(rule.to, to);
            renamed
        }
        (None, Says::Itself, Originals::Keep) => {
            let text = value.as_str().map(str::to_owned);
            let Some(text) = text else { return (false, None) };
            point.set(rule.to, text);
            true
        }
        (None, Says::Word(to), Originals::Keep) => {
            point.set(rule.to, to);
            true
        }
    };
    (changed, Some(said))
}

/// What an old key's value says under the current one.
#[derive(Clone, Copy)]
enum Says {
    Itself,
    Word(&'static str),
    Nothing,
}

/// The conventions' word for the text under `key`, if it is another one.
fn mapped(point: &Point<'_>, key: &str, rule: &Attribute) -> Option<&'static str> {
    let value = point.get(key)?;
    let word = value.as_str()?;
    match look(rule.values?, word) {
        Mapped::To(to) if to != word => Some(to),
        _ => None,
    }
}
