//! The explanation of a translation tells what the translation did.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail")]

mod genai_support;
mod support;

use dragoman::genai::Translator;
use dragoman::genai::explain::Explanation;
use dragoman::genai::translate::NoBatch;
use dragoman::otlp::traces::{Origin, Visitor, edit};
use genai_support::{all_settings, replace, translate};

fn explain(body: &bytes::Bytes, settings: &dragoman::genai::settings::Genai) -> (bytes::Bytes, Vec<Explanation>) {
    struct Each(Translator, Vec<Explanation>);
    impl Visitor for Each {
        fn span(&mut self, span: &mut dragoman::otlp::span::Span<'_>, origin: &Origin<'_>) {
            self.1.extend(self.0.explain(span, origin, &mut NoBatch));
        }
    }
    let mut each = Each(Translator::new(settings), Vec::new());
    let outcome = edit(body, &mut each).unwrap();
    (outcome.body, each.1)
}

#[test]
fn the_codegemma_call_is_explained_key_by_key() {
    let body = &support::requests(&support::corpus().join("litellm-proxy-1.40.18/codegemma_seed"), "traces.pb")[0];
    let (_, explanations) = explain(body, &replace());
    let [call] = &explanations[..] else { panic!("{explanations:?}") };
    assert_eq!((call.dialect, call.target), ("litellm", "1.41"));
    assert_eq!(call.because, "the scope is litellm");
    assert!(call.margin > 0);
    assert_eq!((call.name.before.as_str(), call.name.after.as_str()), ("litellm_request", "chat codegemma"));
    assert_eq!((call.kind.before, call.kind.after), ("INTERNAL", "CLIENT"));
    assert_eq!(call.keys.len(), 13);
    let key = |key: &str| call.keys.iter().find(|entry| entry.key == key).unwrap();
    let streaming = key("llm.is_streaming");
    assert_eq!(
        (streaming.to, streaming.outcome, streaming.removed),
        (Some("gen_ai.request.stream"), "expressed", true)
    );
    assert_eq!(streaming.before, serde_json::json!("False"));
    assert_eq!(streaming.after, Some(serde_json::json!(false)));
    let prompt = key("SpanAttributes.LLM_PROMPTS.0.content");
    assert_eq!(prompt.to, Some("gen_ai.input.messages"));
    assert_eq!(key("llm.usage.total_tokens").reason, "redundant");
    assert_eq!(key("gen_ai.request.model").reason, "current");
    assert!(call.keys.iter().all(|entry| !entry.rule.is_empty()));
    let added: Vec<&str> = call.added.iter().map(|entry| entry.key.as_str()).collect();
    assert_eq!(added, ["gen_ai.operation.name"]);
    assert!(serde_json::to_string(call).unwrap().contains("\"outcome\":\"expressed\""));
}

#[test]
fn explaining_and_translating_are_one() {
    for entry in std::fs::read_dir(support::corpus()).unwrap() {
        for case in support::cases(entry.unwrap().file_name().to_str().unwrap()) {
            for body in support::requests(&case, "traces.pb") {
                for settings in all_settings() {
                    let done = translate(&body, &settings);
                    let (explained, explanations) = explain(&body, &settings);
                    assert!(done.body == explained, "{}", case.display());
                    assert_eq!(explanations.len(), done.translations.iter().flatten().count());
                    let keys: usize = explanations.iter().map(|span| span.keys.len()).sum();
                    let counted: u64 = done.tally.iter().map(|(_, _, _, count)| count).sum();
                    assert_eq!(keys as u64, counted);
                }
            }
        }
    }
}
