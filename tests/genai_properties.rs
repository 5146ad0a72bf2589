//! What holds for every mixture of keys and values, sensible or not, of one emitter or of several.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail")]

mod genai_support;

use dragoman::genai::coerce::{Coerced, coerce, is_of, written};
use dragoman::genai::content::{Direction, check_messages, check_system_instructions, check_tool_definitions};
use dragoman::genai::convention::{self, Convention};
use dragoman::genai::dialect::user::is_own as is_current_name;
use dragoman::genai::dialect::{Action, BUILT_IN};
use dragoman::genai::field::{Field, Type};
use dragoman::genai::operation::Scalar;
use dragoman::genai::settings::{Genai, Originals, Target};
use dragoman::genai::values::{self, Mapped};
use dragoman::otlp::value::Value;
use genai_support::mixture::{case, settings};
use genai_support::{Case, attributes, explain, translate, value_of};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// `PROPTEST_CASES` for a long run.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(2000);
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 500, ..ProptestConfig::default() }
}

/// Cargo's configuration sets the seed, also where nobody did: what is found by chance fails no other change.
#[test]
fn a_run_is_repeatable() {
    let by_cargo = std::env::var_os("CARGO").is_some();
    assert!(!by_cargo || matches!(ProptestConfig::default().rng_seed, RngSeed::Fixed(_)));
}

/// A span, for people.
fn told(span: &Span) -> String {
    let events: Vec<&str> = span.events.iter().map(|event| event.name.as_str()).collect();
    format!("{:?} {} {:#} {events:?}", span.name, span.kind, attributes(span))
}

/// Whether a target would have written the value itself: not a word of some emitter, not a count of
/// zero, which gives way to a count.
fn is_valid(field: Field, kind: Type, value: &Value<'_>) -> bool {
    let Coerced::Value(scalar) = coerce(field, value) else { return false };
    let is_word_of_an_emitter = |word: &str| {
        let rules = BUILT_IN.iter().flat_map(|dialect| dialect.keys);
        let of_field = rules.filter(
            |rule| matches!(rule.action, Action::Field(of) | Action::Copy(of) if of == field && rule.values.is_some()),
        );
        of_field.filter_map(|rule| rule.values).any(|words| match values::look(words, word) {
            Mapped::To(canonical) => canonical != word,
            Mapped::Nothing => true,
            Mapped::Unknown => false,
        })
    };
    let is_own_word = match (field, scalar.as_str()) {
        (Field::OperationName | Field::ProviderName, Some(word)) => word.trim() == word,
        // An URL is no address: its host is.
        (Field::ServerAddress, Some(address)) => !address.contains("://"),
        // A router's prefix goes if it is the provider.
        (Field::ResponseModel, Some(model)) => !model.contains('/'),
        _ => true,
    };
    let words: Vec<&str> = match &scalar {
        Scalar::Str(word) => vec![word],
        Scalar::Strings(words) => words.iter().map(|word| &**word).collect(),
        _ => Vec::new(),
    };
    let is_own_word = is_own_word && !words.into_iter().any(is_word_of_an_emitter);
    is_own_word && scalar != Scalar::Int(0) && is_of(kind, value) && written(&scalar, kind) == *value
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_second_pass_changes_nothing(case in case(), settings in settings()) {
        let once = translate(&case.request(), &settings);
        let twice = translate(&once.body, &settings);
        prop_assert!(once.body == twice.body, "once {}\ntwice {}", told(&once.spans[0]), told(&twice.spans[0]));
    }

    #[test]
    fn a_collector_with_the_newer_target_may_follow_one_with_the_older(case in case(), settings in settings()) {
        let older = Genai { target: Target::V1_41, ..settings.clone() };
        let newer = Genai { target: Target::Main, ..settings };
        let once = translate(&translate(&case.request(), &older).body, &newer);
        let twice = translate(&once.body, &newer);
        prop_assert!(once.body == twice.body, "once {}\ntwice {}", told(&once.spans[0]), told(&twice.spans[0]));
    }

    #[test]
    fn a_current_value_stays_as_it_is(case in case(), settings in settings()) {
        let done = translate(&case.clone().request(), &settings);
        let (before, after) = (case.span(), &done.spans[0]);
        let convention = Convention::of(settings.target);
        // A count that left a part out is noted as it was reported.
        let is_repaired = |field: Field, value: &Value<'_>| {
            let reported = match field {
                Field::UsageInputTokens => "dragoman.usage.reported_input_tokens",
                Field::UsageOutputTokens => "dragoman.usage.reported_output_tokens",
                _ => return false,
            };
            value_of(after, reported).as_ref() == Some(value)
        };
        for (name, kind, field) in Field::ALL.iter().filter_map(|field| {
            convention.name(*field).map(|(name, kind)| (name, kind, *field))
        }) {
            // Of some emitters arguments are Python's, which are no JSON.
            let is_python = matches!(field, Field::ToolCallArguments | Field::ToolCallResult)
                && case.speakers().any(|dialect| dialect.python);
            // Another name for it may be the right one for the operation.
            let is_refined = convention.refined.iter().any(|(_, name)| name.field == field)
                // Or an emitter's own rule knows that it writes something else there.
                || case.speakers().any(|dialect| dialect.keys.iter().any(|rule| {
                    rule.corrects && matches!(rule.action, Action::Field(of) if of == field)
                        || rule.key == name && matches!(rule.action, Action::Copy(_) | Action::Read(_))
                }));
            if let Some(value) = value_of(before, name)
                && !is_refined
                && !is_python
                && !is_repaired(field, &value)
                && is_valid(field, kind, &value)
            {
                prop_assert_eq!(value_of(after, name), Some(value), "{}", name);
            }
        }
        let text = |span: &Span, name: &str| value_of(span, name).and_then(|value| value.as_str().map(str::to_owned));
        let finish_reason = convention.finish_reason_in_messages;
        let is_current = |name: &str, text: &str| match name {
            convention::INPUT_MESSAGES => check_messages(text, Direction::Input),
            convention::OUTPUT_MESSAGES => check_messages(text, Direction::Output { finish_reason }),
            convention::SYSTEM_INSTRUCTIONS => check_system_instructions(text),
            _ => check_tool_definitions(text),
        };
        for name in [
            convention::INPUT_MESSAGES,
            convention::OUTPUT_MESSAGES,
            convention::SYSTEM_INSTRUCTIONS,
            convention::TOOL_DEFINITIONS,
        ] {
            let Some(before) = text(before, name).filter(|text| is_current(name, text)) else { continue };
            let after = text(after, name).unwrap_or_default();
            // Tool calls that stood beside messages without them are added.
            let calls = r#"{"type":"tool_call""#;
            prop_assert!(after == before || (after.contains(calls) && !before.contains(calls)), "{}: {}", name, after);
        }
    }

    #[test]
    fn nothing_disappears_unaccounted(case in case(), settings in settings()) {
        let body = case.clone().request();
        let done = translate(&body, &settings);
        let told = explain(&body, &settings);
        let (before, after) = (attributes(case.span()), attributes(&done.spans[0]));
        let keys = told.map(|told| told.keys).unwrap_or_default();
        let counted: u64 = done.tally.iter().map(|(_, _, _, count)| count).sum();
        prop_assert_eq!(counted, keys.len() as u64);
        if done.translations[0].is_none() {
            prop_assert!(done.body == body);
        }
        for entry in &keys {
            prop_assert_eq!(entry.outcome == "kept" && entry.removed, false, "{}", entry.key);
            prop_assert!(entry.outcome == "expressed" || !entry.reason.is_empty(), "{}", entry.key);
            prop_assert!(!entry.removed || settings.originals == Originals::Replace, "{}", entry.key);
        }
        for (key, value) in before.as_object().unwrap() {
            let fate = keys.iter().find(|entry| !entry.event && entry.on.is_none() && entry.key == *key);
            match (fate.map(|fate| fate.outcome), after.get(key)) {
                (Some("kept") | None, now) => prop_assert_eq!(now, Some(value), "{}", key),
                (Some(_), None) => {
                    prop_assert_eq!(settings.originals, Originals::Replace, "{}", key);
                    let to = fate.and_then(|fate| fate.to);
                    prop_assert!(to.is_none_or(|to| after.get(to).is_some()), "{}", key);
                }
                (Some(_), Some(now)) => {
                    prop_assert!(now == value || is_current_name(key, settings.target), "{}", key);
                }
            }
        }
        let events = |span: &Span| span.events.len();
        let gone = keys.iter().filter(|entry| entry.event && entry.removed).count();
        // An event whose attributes are read as the span's goes without a word of its own, but with all of them.
        let lent = keys.iter().filter(|entry| entry.on.is_some());
        let lenders = case.span().events.iter().filter(|event| {
            let mut own = lent.clone().filter(|entry| entry.on.as_deref() == Some(&event.name)).peekable();
            own.peek().is_some() && !event.attributes.is_empty()
        });
        let gone_at_most = gone + lenders.count();
        let left = events(case.span()) - events(&done.spans[0]);
        prop_assert!((gone..=gone_at_most).contains(&left), "{left} events are gone, {gone} told");
    }
}

/// What the property above found, each under what it was found in.
mod found {
    use super::*;

    fn is_settled(case: &Case, settings: &Genai) -> Span {
        let mut once = translate(&case.clone().request(), settings);
        let twice = translate(&once.body, settings);
        assert!(once.body == twice.body, "once {}\ntwice {}", told(&once.spans[0]), told(&twice.spans[0]));
        once.spans.remove(0)
    }

    fn main() -> Genai {
        Genai { target: Target::Main, ..Genai::default() }
    }

    /// A key of another dialect becomes a list; Azure's client has words for nothing in such lists.
    #[test]
    fn a_word_that_becomes_a_list_is_read_in_the_words_of_the_current_name() {
        let case = |reason: &str| {
            let case = Case::new("reka.").scope("Azure.AI.Inference").kind(SpanKind::Unspecified);
            case.text("anthropic.message.stop_reason", reason)
        };
        let reasons = |reason: &str| {
            value_of(&is_settled(&case(reason), &main()), "gen_ai.response.finish_reasons")
                .map(|value| format!("{value:?}"))
        };
        assert_eq!(reasons("Unknown"), None);
        assert_eq!(reasons(r#"["none"]"#), None);
        assert_eq!(reasons(r#"["none", "stop"]"#), reasons("stop"));
        assert!(reasons("stop").is_some());
    }

    /// The same word, on a message.
    #[test]
    fn a_word_for_nothing_that_ends_a_message_is_no_finish_reason() {
        let case = Case::new("chat").scope("Azure.AI.Inference").text("gen_ai.completion.0.content", "Hello");
        let span = is_settled(&case.text("gen_ai.completion.0.finish_reason", "unknown"), &main());
        assert_eq!(value_of(&span, "gen_ai.response.finish_reasons"), None);
        assert!(value_of(&span, "gen_ai.completion.0.finish_reason").is_none());
    }

    /// Claude Code's quirk took the name that a translation had written for one of its own.
    #[test]
    fn a_name_that_a_translation_gave_says_nothing_of_the_provider() {
        let messages = r#"[{"role":"thinking","parts":[{"type":"text","content":"Hm"}],"finish_reason":"stop"}]"#;
        let case = Case::new(".mcp").scope("com.anthropic.claude_code").kind(SpanKind::Unspecified);
        let case = case.text("traceloop.prompt.key", "[]").text("gen_ai.prompt.name", messages);
        let event = vec![("content".into(), serde_json::json!(29)), ("content".into(), serde_json::json!("assistant"))];
        let span = is_settled(&case.structured_event("gen_ai.developer.message", event), &Genai::default());
        assert_eq!(value_of(&span, "gen_ai.provider.name"), None);
    }

    /// LiveKit's stages have messages and no operation. A key that stays for want of a home made another
    /// reader, to whom nothing says LiveKit any more, guess one.
    #[test]
    fn a_key_without_a_home_is_no_reason_to_guess_an_operation() {
        let messages = r#"[{"role":"user","parts":[{"type":"text","content":"Hi"}]}]"#;
        let case = Case::new("text_completion ").kind(SpanKind::Client);
        let case = case.text("gen_ai.memory.store.id", "together").text("lk.user_input", messages);
        let span = is_settled(&case, &Genai::default());
        assert_eq!(value_of(&span, "gen_ai.operation.name"), None);
        assert_eq!(value_of(&span, "gen_ai.input.messages"), Some(messages.into()));
    }
}
