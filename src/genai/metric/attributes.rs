//! A data point's attributes, put into the conventions' words. What stands under a current key stays;
//! an old key goes when all that it said is said.

use super::dialect::Attribute;
use crate::genai::settings::Originals;
use crate::genai::values::{Mapped, look};
use crate::otlp::metrics::Point;

/// Translates the attributes of a point that `rules` know.
pub(super) fn translate<'r>(point: &mut Point<'_>, rules: impl Iterator<Item = &'r Attribute>, originals: Originals) {
    for rule in rules {
        if rule.from == rule.to {
            reword(point, rule);
        } else {
            rename(point, rule, originals);
        }
    }
}

fn reword(point: &mut Point<'_>, rule: &Attribute) {
    if let Some(to) = mapped(point, rule.to, rule) {
        point.set(rule.to, to);
    }
}

fn rename(point: &mut Point<'_>, rule: &Attribute, originals: Originals) {
    let Some(value) = point.get(rule.from) else { return };
    let says = value.as_str().map_or(Says::Itself, |word| match rule.values.map(|table| look(table, word)) {
        None | Some(Mapped::Unknown) => Says::Itself,
        Some(Mapped::To(to)) if to == word => Says::Itself,
        Some(Mapped::To(to)) => Says::Word(to),
        // `Langchain` is no provider: there is nothing to say it with.
        Some(Mapped::Nothing) => Says::Nothing,
    });
    let current = match point.get(rule.to) {
        None => None,
        Some(current) => Some(match says {
            Says::Itself => current == value,
            Says::Word(to) => current.as_str() == Some(to),
            Says::Nothing => false,
        }),
    };
    match (current, says, originals) {
        (Some(true), _, Originals::Replace) => drop(point.remove(rule.from)),
        // Something else was said under the current key, or the same and the old one is to stay.
        (Some(_), ..) | (None, Says::Nothing, _) => {}
        (None, Says::Itself, Originals::Replace) => drop(point.rename(rule.from, rule.to)),
        (None, Says::Word(to), Originals::Replace) => {
            point.rename(rule.from, rule.to);
            point.set(rule.to, to);
        }
        (None, Says::Itself, Originals::Keep) => {
            let text = value.as_str().map(str::to_owned);
            if let Some(text) = text {
                point.set(rule.to, text);
            }
        }
        (None, Says::Word(to), Originals::Keep) => point.set(rule.to, to),
    }
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
