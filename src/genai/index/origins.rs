//! What scopes and resources say for dialects, found by the scope's name and without trying each of
//! the signs.

use super::scores::Scores;
use super::{Shown, Tell};
use crate::genai::dialect::Sign;
use crate::otlp::traces::Origin;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Origins {
    /// In the order of the dialects.
    tells: Vec<Tell>,
    /// How scopes' names begin, in order.
    scopes: Vec<Scope>,
    /// What does not ask for the scope's name, as places in `tells`.
    everywhere: Vec<usize>,
}

/// How a scope's name begins, and what it may say then.
#[derive(Debug)]
struct Scope {
    prefix: &'static str,
    /// The longest other prefix that this one begins with.
    shorter: Option<usize>,
    /// Places in `tells`, in order: its own, those of all shorter ones, and what counts everywhere.
    tells: Vec<usize>,
}

impl Origins {
    pub(super) fn add(&mut self, tell: Tell) {
        self.tells.push(tell);
    }

    /// To be called after the last [`Origins::add`].
    pub(super) fn settle(&mut self) {
        let scope_of = |tell: &Tell| scope_of(tell.sign);
        let mut prefixes: Vec<&'static str> = self.tells.iter().filter_map(scope_of).collect();
        prefixes.sort_unstable();
        prefixes.dedup();
        let places = |is_meant: &dyn Fn(Option<&str>) -> bool| {
            let meant = self.tells.iter().enumerate().filter(|(_, tell)| is_meant(scope_of(tell)));
            meant.map(|(place, _)| place).collect::<Vec<_>>()
        };
        self.scopes = prefixes
            .iter()
            .enumerate()
            .map(|(number, prefix)| Scope {
                prefix,
                // What a text begins with stands before it, and the longest of these last.
                shorter: prefixes[..number].iter().rposition(|other| prefix.starts_with(other)),
                tells: places(&|scope| scope.is_none_or(|scope| prefix.starts_with(scope))),
            })
            .collect();
        self.everywhere = places(&|scope| scope.is_none());
    }

    /// Adds what a scope and a resource say.
    pub(super) fn score(&self, origin: &Origin<'_>, scores: &mut Scores) -> Shown {
        let mut shown = Shown::default();
        for tell in self.of(origin.scope_name).iter().filter_map(|place| self.tells.get(*place)) {
            if shows(tell.sign, origin) {
                shown.add(*tell, scores);
            }
        }
        shown
    }

    /// What may be said where the scope has this name.
    fn of(&self, scope_name: &str) -> &[usize] {
        // All prefixes of the name stand before it, and begin one another: the last of those that do is
        // reached from whatever stands just before the name.
        let mut number = self.scopes.partition_point(|scope| scope.prefix <= scope_name).checked_sub(1);
        while let Some(scope) = number.and_then(|number| self.scopes.get(number)) {
            if scope_name.starts_with(scope.prefix) {
                return &scope.tells;
            }
            number = scope.shorter;
        }
        &self.everywhere
    }
}

/// How the scope's name has to begin.
fn scope_of(sign: Sign) -> Option<&'static str> {
    match sign {
        Sign::Scope(scope)
        | Sign::ScopePrefix(scope)
        | Sign::UnversionedScopePrefix(scope)
        | Sign::SchemaScopePrefix(scope) => Some(scope),
        Sign::Resource(..) | Sign::SpanName(_) | Sign::SpanNamePrefix(_) | Sign::Key(_) | Sign::KeyPrefix(_) => None,
    }
}

/// Whether a scope or a resource shows a sign; names and keys are looked at elsewhere.
fn shows(sign: Sign, origin: &Origin<'_>) -> bool {
    match sign {
        Sign::Scope(scope) => origin.scope_name == scope,
        Sign::ScopePrefix(prefix) => origin.scope_name.starts_with(prefix),
        Sign::UnversionedScopePrefix(prefix) => {
            origin.scope_name.starts_with(prefix)
                && origin.scope_version.starts_with("0.")
                && origin.schema_url.is_empty()
        }
        Sign::SchemaScopePrefix(prefix) => origin.scope_name.starts_with(prefix) && !origin.schema_url.is_empty(),
        Sign::Resource(key, value) => origin.resource.get(key).is_some_and(|found| found.as_str() == Some(value)),
        Sign::SpanName(_) | Sign::SpanNamePrefix(_) | Sign::Key(_) | Sign::KeyPrefix(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_by_the_name_is_what_is_found_by_trying_each() {
        let signs = [
            Sign::ScopePrefix("a.b"),
            Sign::Scope("a.b.c"),
            Sign::ScopePrefix("a"),
            Sign::Resource("k", "v"),
            Sign::UnversionedScopePrefix("a.b"),
            Sign::ScopePrefix("a.c"),
            Sign::Scope(""),
            Sign::ScopePrefix("b"),
        ];
        let mut origins = Origins::default();
        for (dialect, sign) in (0..).zip(signs) {
            origins.add(Tell { sign, dialect, weight: 1 });
        }
        origins.settle();
        for scope_name in ["", "a", "a.b", "a.b.c", "a.b.c.d", "a.bz", "a.c", "a.d", "b", "c", "0"] {
            let mut origin = Origin::default();
            (origin.scope_name, origin.scope_version) = (scope_name, "0.1");
            let mut scores = Scores::default();
            origins.score(&origin, &mut scores);
            let tried = (0u8..).zip(signs).filter(|(_, sign)| shows(*sign, &origin)).map(|(dialect, _)| (dialect, 1));
            assert_eq!(scores.iter().collect::<Vec<_>>(), tried.collect::<Vec<_>>(), "{scope_name}");
            let places = origins.of(scope_name);
            assert!(places.is_sorted() && places.contains(&3), "{scope_name}: {places:?}");
        }
    }
}
