//! `processors.genai.mappings`: what a user says about keys of the user's own, a dialect like the
//! others. It stands before all of them.

use crate::genai::convention::{self, Convention};
use crate::genai::dialect::Action;
use crate::genai::field::Field;
use crate::genai::settings::{Mapping, Target};
use crate::genai::values::ValueMap;

/// The dialect's name.
pub const NAME: &str = "user";

const LISTS: [&str; 5] = [
    convention::INPUT_MESSAGES,
    convention::OUTPUT_MESSAGES,
    convention::SYSTEM_INSTRUCTIONS,
    convention::TOOL_DEFINITIONS,
    convention::RETRIEVAL_DOCUMENTS,
];

/// A rule whose key and words are the user's.
#[derive(Debug, Clone)]
pub(crate) struct UserRule {
    pub(crate) key: String,
    pub(crate) action: Action,
    pub(crate) values: ValueMap,
}

/// The meaning of a target's attribute; `None` if no target has an attribute of this name, which
/// a configuration should refuse.
pub fn meaning(attribute: &str) -> Option<Action> {
    match attribute {
        convention::INPUT_MESSAGES => return Some(Action::Input),
        convention::OUTPUT_MESSAGES => return Some(Action::Output),
        convention::SYSTEM_INSTRUCTIONS => return Some(Action::Instructions),
        convention::TOOL_DEFINITIONS => return Some(Action::Tools),
        convention::RETRIEVAL_DOCUMENTS => return Some(Action::Documents),
        _ => {}
    }
    let named = |field: &&Field| {
        convention::ALL.iter().any(|convention| {
            convention.all_names().any(|name| name.field == **field && name.attribute == Some(attribute))
        })
    };
    Field::ALL.iter().find(named).map(|field| Action::Field(*field))
}

/// The attributes that a mapping may name, for an error message.
pub fn targets() -> Vec<&'static str> {
    let mut names: Vec<&str> = convention::ALL
        .iter()
        .flat_map(|convention| convention.all_names().filter_map(|name| name.attribute))
        .chain(LISTS)
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Whether a key is one of the target's own names, which no mapping may have: a current value stays
/// as it is, and what other keys say would be mapped once it stands there.
pub fn is_own(key: &str, target: Target) -> bool {
    is_name_of(key, Convention::of(target))
}

fn is_name_of(key: &str, convention: &Convention) -> bool {
    LISTS.contains(&key) || convention.all_names().any(|name| name.attribute == Some(key))
}

/// The rules of a configuration; entries whose target attribute no convention knows, or whose key is
/// the target's own, are left out.
pub(crate) fn rules(mappings: &[Mapping], convention: &Convention) -> Vec<UserRule> {
    mappings
        .iter()
        .filter(|mapping| !is_name_of(&mapping.key, convention))
        .filter_map(|mapping| {
            let values = match mapping.values.is_empty() {
                true => ValueMap::None,
                false => ValueMap::User(mapping.values.clone().into()),
            };
            Some(UserRule { key: mapping.key.clone(), action: meaning(&mapping.to)?, values })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_names_an_attribute_of_any_target() {
        assert!(matches!(meaning("gen_ai.request.model"), Some(Action::Field(Field::RequestModel))));
        assert!(matches!(
            meaning("gen_ai.usage.cache_write.input_tokens"),
            Some(Action::Field(Field::UsageCacheWriteInputTokens))
        ));
        assert!(matches!(meaning("gen_ai.input.messages"), Some(Action::Input)));
        assert!(matches!(meaning("gen_ai.retrieval.documents"), Some(Action::Documents)));
        assert!(meaning("gen_ai.request.modle").is_none());
        assert!(targets().contains(&"gen_ai.tool.definitions"));
    }
}
