//! All that is known of one key: who means what by it, and for whom it speaks.

use super::PrefixTell;
use super::scores::Dialects;
use crate::genai::dialect::{Action, Rule};
use crate::genai::field::Field;
use crate::genai::values::ValueMap;

/// What one dialect means by a key.
#[derive(Debug, Clone)]
pub(in crate::genai) struct Meaning {
    /// The dialect's number among those of the index.
    pub(in crate::genai) dialect: u8,
    /// Earlier rules of one dialect are preferred.
    pub(in crate::genai) order: u16,
    pub(in crate::genai) action: Action,
    pub(in crate::genai) values: ValueMap,
    pub(in crate::genai) guarded: bool,
    /// Counts only where something else speaks for the dialect.
    pub(in crate::genai) own: bool,
    /// Is believed before the current name, where the dialect leads.
    pub(in crate::genai) corrects: bool,
}

impl Meaning {
    /// What a rule says; `order` is its place in its table.
    pub(in crate::genai) fn new(dialect: u8, order: usize, rule: &Rule) -> Meaning {
        let Rule { action, guarded, own, corrects, .. } = *rule;
        let order = order.min(usize::from(u16::MAX) - 100) as u16;
        let values = rule.values.map_or(ValueMap::None, ValueMap::Table);
        Meaning { dialect, order, action, values, guarded, own, corrects }
    }

    /// Whether a span with such a key has to be looked at: it may be an operation, and whether it is
    /// is said by the guard or by what else stands on the span.
    pub(super) fn is_worth_a_look(&self) -> bool {
        self.guarded || self.starts()
    }

    /// Whether a span with such a key is an LLM operation, if this meaning counts.
    pub(in crate::genai) fn starts(&self) -> bool {
        if self.guarded {
            return false;
        }
        starts(self.action)
    }
}

fn starts(action: Action) -> bool {
    match action {
        Action::Field(field) => !is_general(field),
        Action::Keep(_) | Action::Sentinel(_) | Action::Url | Action::Read(_) => false,
        // What says which operation it is, makes it one.
        Action::Copy(field) => field == Field::OperationName,
        // A common word; the operation has to be said by something else.
        Action::ByOperation(_) | Action::Variables => false,
        Action::Members(rules) => rules.iter().any(|rule| starts(rule.action)),
        Action::BySpanName(actions) => actions.iter().any(|(_, action)| starts(*action)),
        Action::Marks => true,
        Action::Total
        | Action::Input
        | Action::Messages(_)
        | Action::Body(..)
        | Action::Output
        | Action::Instructions
        | Action::Tools
        | Action::Documents
        | Action::Piece(..)
        | Action::Usage => true,
    }
}

/// All that is known of a key.
#[derive(Debug, Default)]
pub(in crate::genai) struct Entry {
    /// Who means what by it, at most one meaning a dialect, in the order of the dialects.
    pub(in crate::genai) meanings: Vec<Meaning>,
    /// All who mean something by it.
    pub(super) dialects: Dialects,
    /// Those for whom it is a common word, which means something only where they speak.
    own: Dialects,
    /// For whom it speaks, and how loudly.
    pub(super) tells: Vec<(u8, u16)>,
    /// What its prefixes say, looked up beforehand: a known key is not compared with them span by span.
    pub(super) prefix_tells: Vec<PrefixTell>,
}

impl Entry {
    /// Those whose meaning may count where these speak: of those that mean something by a common word
    /// only the ones that do.
    #[inline]
    pub(in crate::genai) fn dialects(&self, speaking: Dialects) -> Dialects {
        self.dialects.without(self.own).or(self.own.and(speaking))
    }

    /// Those that mean something by it whoever speaks.
    pub(in crate::genai) fn shared(&self) -> Dialects {
        self.dialects.without(self.own)
    }

    /// What a dialect means by it.
    #[inline]
    pub(in crate::genai) fn meaning_of(&self, dialect: u8) -> Option<&Meaning> {
        self.meanings.get(self.dialects.before(dialect)).filter(|meaning| meaning.dialect == dialect)
    }

    pub(super) fn add(&mut self, meaning: Meaning) {
        if self.dialects.has(meaning.dialect) {
            return;
        }
        self.dialects.add(meaning.dialect);
        if meaning.own {
            self.own.add(meaning.dialect);
        }
        self.meanings.insert(self.dialects.before(meaning.dialect), meaning);
    }
}

/// Fields that every kind of span may have: they never make a span an LLM operation.
fn is_general(field: Field) -> bool {
    matches!(
        field,
        Field::ErrorType
            | Field::ServerAddress
            | Field::ServerPort
            | Field::UserId
            | Field::NetworkTransport
            | Field::RpcResponseStatusCode
            | Field::JsonrpcRequestId
            | Field::AzureResourceProviderNamespace
            | Field::AzureServiceRequestId
    )
}
