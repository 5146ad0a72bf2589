//! What a translated span says about its translation, what is counted of it, and what a repair leaves
//! behind: the parts of a translation that are for the people who run it.

mod genai_support;

use dragoman::genai::settings::Genai;
use genai_support::{Case, all_settings, explain, main, replace, translate};
use serde_json::json;

fn with_provenance(settings: Genai) -> Genai {
    Genai { provenance: true, ..settings }
}

fn litellm() -> Case {
    Case::new("litellm_request")
        .scope("litellm")
        .text("gen_ai.request.model", "gpt-4o")
        .text("gen_ai.system", "openai")
        .int("gen_ai.usage.prompt_tokens", 5)
        .text("llm.surprise.0.level", "high")
        .text("metadata.user_api_key", "x")
}

#[test]
fn provenance_is_off_by_default() {
    assert!(litellm().run(&replace()).keys().iter().all(|key| !key.starts_with("dragoman.")));
}

#[test]
fn a_span_says_how_it_was_translated() {
    let done = litellm().run(&with_provenance(replace()));
    let said = done.json();
    assert_eq!(said["dragoman.dialect"], json!("litellm"));
    assert_eq!(said["dragoman.target"], json!("1.41"));
    assert_eq!(said["dragoman.keys_not_expressed"], json!(["llm.surprise.0.level", "metadata.user_api_key"]));
}

#[test]
fn what_the_first_translation_said_of_itself_stays() {
    for settings in all_settings().map(with_provenance) {
        let once = translate(&litellm().request(), &settings);
        assert_eq!(once.body, translate(&once.body, &settings).body, "{settings:?}");
    }
    // On the way to the other target the dialect is still who wrote it, though the keys that told so
    // are gone, and the target is the new one.
    let openllmetry = Case::new("x").text("llm.request.type", "chat").text("gen_ai.system", "OpenAI");
    let once = translate(&openllmetry.request(), &with_provenance(replace()));
    let twice = translate(&once.body, &with_provenance(main()));
    let said = genai_support::attributes(&twice.spans[0]);
    assert_eq!((&said["dragoman.dialect"], &said["dragoman.target"]), (&json!("openllmetry"), &json!("main")));
}

#[test]
fn a_key_that_nobody_knows_is_counted_by_scope_and_key() {
    let done = litellm().run(&replace());
    let unmapped: Vec<_> = done.tally.unmapped.iter().collect();
    assert_eq!(unmapped, [(&("litellm".to_owned(), "llm.surprise.N.level".to_owned()), 1)]);
    // Also where nothing else is known of the span.
    let done = Case::new("x").scope("acme").text("gen_ai.novelty", "y").run(&replace());
    assert!(done.translation.is_none() && done.unchanged);
    let unmapped: Vec<_> = done.tally.unmapped.iter().collect();
    assert_eq!(unmapped, [(&("acme".to_owned(), "gen_ai.novelty".to_owned()), 1)]);
}

#[test]
fn operations_are_counted_by_name() {
    let chat = Case::new("x").text("gen_ai.operation.name", "chat").run(&replace());
    assert_eq!(chat.tally.operations.iter().collect::<Vec<_>>(), [(&"chat".to_owned(), 1)]);
    let foreign = Case::new("GET").text("http.route", "/").run(&replace());
    assert_eq!(foreign.tally.operations.iter().count(), 0);
}

// --- counts that are not the conventions' ----------------------------------------------------------

fn anthropic() -> Case {
    Case::new("x")
        .text("gen_ai.operation.name", "chat")
        .int("gen_ai.usage.prompt_tokens", 20)
        .int("gen_ai.usage.completion_tokens", 10)
        .int("gen_ai.usage.cache_read_input_tokens", 2048)
        .int("gen_ai.usage.cache_creation_input_tokens", 128)
}

#[test]
fn cached_tokens_outside_the_input_are_added() {
    let done = anthropic().run(&replace());
    assert_eq!(done.ints("gen_ai.usage.input_tokens"), [2196]);
    assert_eq!(done.ints("gen_ai.usage.cache_read.input_tokens"), [2048]);
    assert_eq!(done.ints("dragoman.usage.reported_input_tokens"), [20]);
    assert_eq!(done.translation.as_ref().unwrap().input_tokens, Some(2196));
    // The reason is a self-metric, and `explain` says it.
    assert!(
        done.tally
            .iter()
            .any(|(_, outcome, reason, count)| { (outcome, reason, count) == ("expressed", "input_without_cache", 1) })
    );
    let told = explain(&anthropic().request(), &replace()).unwrap();
    let key = told.keys.iter().find(|key| key.key == "gen_ai.usage.prompt_tokens").unwrap();
    assert_eq!((key.outcome, key.reason, key.removed), ("expressed", "input_without_cache", true));
    assert!(key.rule.contains("cached tokens"), "{}", key.rule);
}

/// The same numbers as members of one object: the key's claim carries the reason.
#[test]
fn a_repair_in_a_usage_object_is_told_too() {
    let usage = r#"{"input_tokens": 20, "output_tokens": 10, "cache_read_input_tokens": 2048}"#;
    let case = Case::new("mlflow.tracing.provider")
        .text("mlflow.spanType", "\"CHAT_MODEL\"")
        .text("mlflow.chat.tokenUsage", usage);
    let told = explain(&case.request(), &replace()).unwrap();
    let key = told.keys.iter().find(|key| key.key == "mlflow.chat.tokenUsage").unwrap();
    assert_eq!((key.outcome, key.reason), ("expressed", "input_without_cache"), "{}", key.rule);
    assert!(key.rule.contains("cached tokens"), "{}", key.rule);
}

#[test]
fn the_total_says_whether_the_cache_was_part_of_the_input() {
    let case = |total| {
        Case::new("x")
            .text("gen_ai.operation.name", "chat")
            .int("gen_ai.usage.input_tokens", 3000)
            .int("gen_ai.usage.output_tokens", 10)
            .int("gen_ai.usage.cache_read.input_tokens", 2048)
            .int("gen_ai.usage.total_tokens", total)
    };
    for settings in all_settings() {
        assert_eq!(case(5058).run(&settings).ints("gen_ai.usage.input_tokens"), [5048]);
        assert_eq!(case(3010).run(&settings).ints("gen_ai.usage.input_tokens"), [3000]);
    }
}

#[test]
fn reasoning_outside_the_output_is_added() {
    let case = Case::new("x")
        .text("gen_ai.operation.name", "chat")
        .int("gen_ai.usage.input_tokens", 7)
        .int("gen_ai.usage.output_tokens", 18)
        .int("gen_ai.usage.reasoning.output_tokens", 40);
    let done = case.run(&replace());
    assert_eq!(done.ints("gen_ai.usage.output_tokens"), [58]);
    assert_eq!(done.ints("dragoman.usage.reported_output_tokens"), [18]);
}

#[test]
fn a_repair_is_made_once() {
    for settings in all_settings() {
        let once = translate(&anthropic().request(), &settings);
        assert_eq!(once.body, translate(&once.body, &settings).body, "{settings:?}");
    }
}
