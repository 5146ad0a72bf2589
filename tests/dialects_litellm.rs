//! LiteLLM's recorded spans of every era come out in the current words.

mod support;

use dragoman::genai::settings::Genai;
use dragoman::genai::translate::Translator;
use support::made::Made;
use support::translated::{check_expected, check_promises, described, line, translated};
use support::{attribute, cases, corpus, int, text};

const EMITTERS: &[&str] = &[
    "litellm-1.40.18",
    "litellm-1.53.1-py3.10",
    "litellm-1.80.17",
    "litellm-1.109.1",
    "litellm-1.109.1-optin",
    "litellm-1.109.1-otelv2",
    "litellm-proxy-1.40.18",
    "litellm-proxy-1.65.8",
    "litellm-proxy-1.109.1",
    "litellm-proxy-1.109.1-otelv2-content",
];

/// Keys whose whole content has a place in the current words.
const LEGACY: &[&str] = &[
    "SpanAttributes.LLM_PROMPTS.*",
    "SpanAttributes.LLM_COMPLETIONS.*",
    "SpanAttributes.LLM_REQUEST_FUNCTIONS.*",
    "gen_ai.prompt.*",
    "gen_ai.completion.*",
    "gen_ai.tool.*",
    "llm.request.functions.*",
    "llm.request.type",
    "llm.is_streaming",
    "llm.usage.total_tokens",
    "gen_ai.usage.total_tokens",
    "gen_ai.usage.prompt_tokens",
    "gen_ai.usage.completion_tokens",
    "gen_ai.system",
    "gen_ai.openai.response.service_tier",
];

#[test]
fn every_case_keeps_the_promises() {
    for case in EMITTERS.iter().flat_map(|emitter| cases(emitter)) {
        check_promises(&case, &translated(&case), LEGACY);
    }
}

#[test]
fn every_case_says_what_was_said() {
    check_expected("litellm.txt", EMITTERS);
}

/// A call that reached the provider is on exactly one span, with the provider's counts, wherever the
/// telemetry has them.
#[test]
fn every_answered_call_is_told_with_its_tokens() {
    for emitter in ["litellm-1.40.18", "litellm-1.80.17", "litellm-1.109.1", "litellm-proxy-1.65.8"] {
        for case in cases(emitter) {
            let described = described(&case);
            let spans = translated(&case);
            for call in described["llm_calls"].as_array().unwrap().iter().filter(|call| call["status"] == 200) {
                let Some(id) = call["id"].as_str() else { continue };
                let told = spans
                    .iter()
                    .filter(|span| {
                        span.found.is_some() && text(&span.after.attributes, "gen_ai.response.id") == Some(id)
                    })
                    .filter(|span| int(&span.after.attributes, "gen_ai.usage.input_tokens").is_some());
                // Streams of releases before 1.85 are exported twice.
                let told = told.count();
                let known = spans.iter().any(|span| text(&span.before.attributes, "gen_ai.response.id") == Some(id));
                assert!(!known || (1..=2).contains(&told), "{}: {id} is told {told} times", case.display());
            }
        }
    }
}

#[test]
fn the_codegemma_call_of_the_proxy() {
    let spans = translated(&corpus().join("litellm-proxy-1.40.18/codegemma_seed"));
    let call = &spans.iter().find(|span| span.before.name == "litellm_request").unwrap().after;
    assert_eq!(
        line(call),
        "chat codegemma CLIENT | chat ollama codegemma > codegemma | 19>9 cache -/- think - [stop] \
         | in user: \"Write a Python function that adds two numbers\" \
         | out assistant: \"def add(a, b):\\n    return a + b\" /stop"
    );
    for untouched in spans.iter().filter(|span| span.before.name != "litellm_request") {
        assert_eq!(untouched.before, untouched.after);
    }
}

#[test]
fn vendor_keys_and_costs_stay() {
    let spans = translated(&corpus().join("litellm-1.109.1/chat"));
    let call = spans.iter().find(|span| span.before.name == "litellm_request").unwrap();
    let kept =
        |key: &str| key.starts_with("metadata.") || key.starts_with("gen_ai.cost.") || key.starts_with("litellm.");
    let count = call.before.attributes.iter().filter(|entry| kept(&entry.key)).count();
    assert!(count > 20, "{count}");
    for entry in call.before.attributes.iter().filter(|entry| kept(&entry.key)) {
        assert_eq!(attribute(&call.after.attributes, &entry.key), entry.value.as_ref(), "{}", entry.key);
    }
}

#[test]
fn the_copy_of_the_raw_request_is_no_call() {
    for emitter in EMITTERS {
        for case in cases(emitter) {
            for span in translated(&case) {
                if span.before.name == "raw_gen_ai_request" {
                    assert!(span.found.is_none(), "{}", case.display());
                    assert_eq!(span.before, span.after);
                }
            }
        }
    }
}

#[test]
fn attributes_on_a_span_of_the_application_do_not_rename_it() {
    for span in translated(&corpus().join("litellm-1.80.17/in_parent")) {
        if span.before.name != "litellm_request" {
            assert_eq!((&span.before.name, span.before.kind), (&span.after.name, span.after.kind));
        }
    }
}

/// LiteLLM's keys: a translator built of the table knows each.
#[test]
fn usage_keys_of_every_era_are_usage() {
    let translator = Translator::new(&Genai::default());
    for key in [
        "gen_ai.usage.prompt_tokens",
        "gen_ai.usage.input_tokens",
        "metadata.usage_object",
        "prompt_tokens",
        "llm.usage.prompt_tokens",
    ] {
        assert!(translator.says_usage(key), "{key}");
    }
}

/// A guardrail is no operation of the conventions: it stays what it is, and is named so.
#[test]
fn a_guardrail_is_named_as_what_it_is() {
    let made = |scope: &str| {
        let span = Made::new(scope, "guardrail", said! { "guardrail_name" => "pii" });
        (span.found(), span.says_in_main())
    };
    let same = "guardrail (INTERNAL)\n  guardrail_name = pii\n".to_owned();
    assert_eq!(made("litellm"), (Some("guardrail".to_owned()), same.clone()));
    assert_eq!(made("app"), (None, same));
}
