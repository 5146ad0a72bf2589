//! Model families: what one model is called by an application, a gateway and a provider.
//!
//! `openai/gpt-4o-mini`, `gpt-4o-mini` and `gpt-4o-mini-2024-07-18` are one family. A family is
//! only ever used beside other evidence (same trace, one span below the other), so a suffix too
//! many that is cut costs nothing, while one too few counts a call twice.

use std::hash::{BuildHasher, Hash, Hasher};

/// The families under which a call may be known: of the model that was asked for and of the one
/// that answered. Hashes; zero is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Families([u32; 2]);

impl Families {
    pub(super) fn of(request_model: &str, response_model: &str, hasher: &impl BuildHasher) -> Families {
        Families([request_model, response_model].map(|model| match family(model) {
            "" => 0,
            name => {
                let mut state = hasher.build_hasher();
                name.bytes().for_each(|byte| byte.to_ascii_lowercase().hash(&mut state));
                (state.finish() as u32).max(1)
            }
        }))
    }

    /// Whether both may be the same model. A call that names no model may be any.
    pub(super) fn meet(self, other: Families) -> bool {
        let named = |families: Families| families.0.into_iter().filter(|family| *family != 0);
        if named(self).next().is_none() || named(other).next().is_none() {
            return true;
        }
        named(self).any(|one| named(other).any(|another| one == another))
    }
}

/// The part of a model's name that gateways, regions and release dates leave alone.
fn family(model: &str) -> &str {
    // Gateways and registries put themselves before the name: `openai/`, `models/`.
    let mut name = model.trim().rsplit('/').next().unwrap_or_default();
    // Bedrock puts region and vendor before it: `us.anthropic.claude-...`; not so `gpt-4.1`.
    while let Some((head, tail)) = name.split_once('.') {
        if head.is_empty() || tail.is_empty() || head.bytes().any(|byte| !byte.is_ascii_alphabetic() && byte != b'-') {
            break;
        }
        name = tail;
    }
    // Vertex AI: `claude-3-5-sonnet@20240620`.
    name = name.split('@').next().unwrap_or_default();
    name = without_bedrock_version(name);
    for latest in [":latest", "-latest"] {
        name = name.strip_suffix(latest).unwrap_or(name);
    }
    without_date(name)
}

/// `-v1:0`, as Bedrock ends its names.
fn without_bedrock_version(name: &str) -> &str {
    match name.rsplit_once("-v") {
        Some((head, version)) if version.split(':').all(|part| (1..=2).contains(&part.len()) && digits(part)) => head,
        _ => name,
    }
}

/// `-2024-07-18`, `-20240620`, `-0613`, `-002`.
fn without_date(name: &str) -> &str {
    let cut = |name: &str, lengths: &[usize]| -> Option<usize> {
        let mut rest = name;
        for length in lengths.iter().rev() {
            let (head, tail) = rest.rsplit_once('-')?;
            (tail.len() == *length && digits(tail)).then_some(())?;
            rest = head;
        }
        (!rest.is_empty()).then_some(rest.len())
    };
    [&[4, 2, 2][..], &[8], &[4], &[3]]
        .into_iter()
        .find_map(|lengths| cut(name, lengths))
        .and_then(|end| name.get(..end))
        .unwrap_or(name)
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_model_under_many_names_is_one_family() {
        for (name, expected) in [
            ("gpt-4o-mini", "gpt-4o-mini"),
            ("openai/gpt-4o-mini", "gpt-4o-mini"),
            ("gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
            ("gpt-4-0613", "gpt-4"),
            ("gpt-4.1", "gpt-4.1"),
            ("o3-mini", "o3-mini"),
            ("claude-3-5-sonnet-20240620", "claude-3-5-sonnet"),
            ("claude-3-5-sonnet@20240620", "claude-3-5-sonnet"),
            ("claude-3-5-sonnet-latest", "claude-3-5-sonnet"),
            ("us.anthropic.claude-3-5-sonnet-20240620-v1:0", "claude-3-5-sonnet"),
            ("bedrock/us-gov.anthropic.claude-3-5-sonnet-20240620-v1:0", "claude-3-5-sonnet"),
            ("models/gemini-1.5-flash-002", "gemini-1.5-flash"),
            ("ollama/codegemma:latest", "codegemma"),
            ("llama3:8b", "llama3:8b"),
            ("text-embedding-3-small", "text-embedding-3-small"),
            ("-2024-07-18", "-2024-07-18"),
            ("vendor/", ""),
            ("...", "..."),
            ("", ""),
        ] {
            assert_eq!(family(name), expected, "{name}");
        }
    }

    #[test]
    fn calls_meet_if_any_of_their_models_is_the_same() {
        let hasher = foldhash::quality::RandomState::default();
        let of = |request: &str, response: &str| Families::of(request, response, &hasher);
        assert!(of("GPT-4o-mini", "").meet(of("fast", "gpt-4o-mini-2024-07-18")));
        assert!(!of("gpt-4o", "gpt-4o-2024-08-06").meet(of("gpt-4o-mini", "")));
        assert!(of("", "").meet(of("gpt-4o", "")), "a call that names no model may be any");
    }
}
