//! The rules of translation, one by one, on spans that are as small as the rule allows.

mod genai_support;

use dragoman::genai::settings::{Genai, Mapping, Originals, Target};
use genai_support::{Case, keep, main, replace};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde_json::json;

#[test]
fn a_span_that_is_no_llm_operation_is_not_touched() {
    let foreign = [
        Case::new("GET /v1/chat").text("http.request.method", "GET").text("url.path", "/v1").int("server.port", 443),
        Case::new("SELECT").text("db.system", "sqlite").text("db.query.text", "select prompt_tokens"),
        Case::new("task").text("model", "gpt-4").text("metadata.user_api_key", "x").text("error.type", "E"),
        Case::new("job").int("input_tokens", 3),
    ];
    for case in foreign {
        let done = case.run(&replace());
        assert!(done.translation.is_none(), "{}", done.span.name);
        assert!(done.unchanged);
    }
}

#[test]
fn renamed_keys_take_the_current_name_and_go() {
    let done = Case::new("chat gpt-4o")
        .text("gen_ai.system", "az.ai.openai")
        .text("gen_ai.request.model", "gpt-4o")
        .int("gen_ai.usage.prompt_tokens", 29)
        .text("gen_ai.usage.completion_tokens", "13")
        .text("gen_ai.openai.request.response_format", "json_schema")
        .int("gen_ai.openai.request.seed", -7)
        .run(&replace());
    assert_eq!(
        done.json(),
        json!({
            "gen_ai.provider.name": "azure.ai.openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.usage.input_tokens": 29,
            "gen_ai.usage.output_tokens": 13,
            "gen_ai.output.type": "json",
            "gen_ai.request.seed": -7,
        })
    );
}

#[test]
fn keep_removes_nothing() {
    let done =
        Case::new("chat gpt-4o").text("gen_ai.system", "openai").int("gen_ai.usage.prompt_tokens", 29).run(&keep());
    assert_eq!(
        done.json(),
        json!({
            "gen_ai.system": "openai", "gen_ai.usage.prompt_tokens": 29,
            "gen_ai.provider.name": "openai", "gen_ai.usage.input_tokens": 29,
        })
    );
}

#[test]
fn an_existing_current_value_wins_and_a_conflict_is_kept_and_counted() {
    let done = Case::new("chat m")
        .int("gen_ai.usage.input_tokens", 30)
        .int("gen_ai.usage.prompt_tokens", 29)
        .int("gen_ai.usage.output_tokens", 13)
        .int("gen_ai.usage.completion_tokens", 13)
        .run(&replace());
    assert_eq!(
        done.json(),
        json!({"gen_ai.usage.input_tokens": 30, "gen_ai.usage.prompt_tokens": 29, "gen_ai.usage.output_tokens": 13})
    );
    assert!(done.counted("otel", "kept", "conflict", 1));
}

#[test]
fn a_zero_gives_way_to_a_count() {
    let done =
        Case::new("chat m").int("gen_ai.usage.input_tokens", 0).int("gen_ai.usage.prompt_tokens", 29).run(&replace());
    assert_eq!(done.json(), json!({"gen_ai.usage.input_tokens": 29}));
}

#[test]
fn what_cannot_be_coerced_stays() {
    let done = Case::new("chat m")
        .text("gen_ai.request.model", "m")
        .text("gen_ai.usage.prompt_tokens", "many")
        .run(&replace());
    assert_eq!(done.json(), json!({"gen_ai.request.model": "m", "gen_ai.usage.prompt_tokens": "many"}));
    assert!(done.counted("otel", "kept", "uncoercible", 1));
}

#[test]
fn values_under_current_names_are_repaired() {
    let done = Case::new("chat m")
        .text("gen_ai.response.finish_reasons", "[\"stop\"]")
        .text("gen_ai.usage.input_tokens", "29")
        .int("gen_ai.request.temperature", 1)
        .run(&replace());
    assert_eq!(
        done.json(),
        json!({
            "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.usage.input_tokens": 29,
            "gen_ai.request.temperature": 1.0,
        })
    );
}

/// `Host` in place of a name: the port goes where it belongs, unless it is said.
#[test]
fn a_port_does_not_stand_in_the_servers_address() {
    let address = |address| {
        let case = Case::new("chat m").text("gen_ai.request.model", "m").text("server.address", address);
        case.run(&replace()).json()
    };
    assert_eq!(address("h:8080")["server.address"], json!("h"));
    assert_eq!(address("h:8080")["server.port"], json!(8080));
    for stays in ["h", "::1", "fe80::1", "h:name", "/tmp/a.sock"] {
        assert_eq!(address(stays)["server.address"], json!(stays));
        assert_eq!(address(stays)["server.port"], json!(null));
    }
}

/// Gemini's calls have no id; an empty one would be that of all of them.
#[test]
fn an_empty_id_of_a_call_is_none() {
    let said = r#"[{"role":"assistant","parts":[{"type":"tool_call","id":"","name":"f","arguments":{"a":1}},{"type":"tool_call","id":"c","name":"f"}]},{"role":"user","parts":[{"type":"tool_call_response","id":"","response":"18"}]}]"#;
    let done =
        Case::new("chat m").text("gen_ai.request.model", "m").text("gen_ai.input.messages", said).run(&replace());
    assert_eq!(
        done.messages("gen_ai.input.messages"),
        json!([
            {"role": "assistant", "parts": [
                {"type": "tool_call", "name": "f", "arguments": {"a": 1}},
                {"type": "tool_call", "id": "c", "name": "f"},
            ]},
            {"role": "user", "parts": [{"type": "tool_call_response", "response": "18"}]},
        ])
    );
}

/// A provider's word that was renamed before its key was.
#[test]
fn an_old_word_under_the_current_key_is_repaired() {
    let provider = |word| Case::new("chat m").text("gen_ai.provider.name", word).run(&replace()).json();
    for (word, current) in [("gemini", "gcp.gemini"), ("vertex_ai", "gcp.vertex_ai"), ("in-house", "in-house")] {
        assert_eq!(provider(word)["gen_ai.provider.name"], json!(current));
    }
}

#[test]
fn the_exception_that_ended_a_call_is_its_error() {
    let call = || Case::new("chat m").text("gen_ai.system", "openai").text("gen_ai.request.model", "m");
    let thrown = |case: Case| {
        case.event("exception", &[("exception.type", "KeyError")])
            .event("exception", &[("exception.type", "openai.RateLimitError"), ("exception.message", "Slow down")])
    };
    let failed = thrown(call().failed()).run(&replace());
    assert_eq!(failed.json()["error.type"], json!("openai.RateLimitError"));
    assert_eq!(failed.event_names(), ["exception", "exception"]);
    // Handled, said otherwise, or nothing that a call is.
    assert_eq!(thrown(call()).run(&replace()).json()["error.type"], json!(null));
    let said = thrown(call().failed().text("error.type", "429")).run(&replace());
    assert_eq!(said.json()["error.type"], json!("429"));
    assert!(thrown(Case::new("GET").failed().text("http.request.method", "GET")).run(&replace()).unchanged);
    assert_eq!(call().failed().event("exception", &[]).run(&replace()).json()["error.type"], json!(null));
}

#[test]
fn a_total_goes_only_if_it_says_nothing_more() {
    let case = |total| {
        Case::new("chat m")
            .int("gen_ai.usage.input_tokens", 29)
            .int("gen_ai.usage.output_tokens", 13)
            .int("llm.usage.total_tokens", total)
            .run(&replace())
    };
    assert_eq!(case(42).json(), json!({"gen_ai.usage.input_tokens": 29, "gen_ai.usage.output_tokens": 13}));
    let above = case(50);
    assert_eq!(above.json()["llm.usage.total_tokens"], json!(50));
    assert!(above.reason("above_sum"));
    assert!(case(41).reason("below_sum"));

    let derived =
        Case::new("chat m").int("gen_ai.usage.input_tokens", 29).int("llm.usage.total_tokens", 42).run(&replace());
    assert_eq!(derived.json(), json!({"gen_ai.usage.input_tokens": 29, "gen_ai.usage.output_tokens": 13}));
    let alone = Case::new("chat m").text("gen_ai.request.model", "m").int("llm.usage.total_tokens", 42).run(&replace());
    assert_eq!(alone.json()["llm.usage.total_tokens"], json!(42));
}

#[test]
fn targets_differ_in_cache_writes_top_k_and_streaming() {
    let case = || {
        Case::new("chat m")
            .int("gen_ai.usage.cache_creation.input_tokens", 5)
            .double("gen_ai.request.top_k", 40.0)
            .bool("llm.stream", false)
    };
    assert_eq!(
        case().run(&replace()).json(),
        json!({"gen_ai.usage.cache_creation.input_tokens": 5, "gen_ai.request.top_k": 40.0, "gen_ai.request.stream": false})
    );
    assert_eq!(
        case().run(&main()).json(),
        json!({"gen_ai.usage.cache_write.input_tokens": 5, "gen_ai.request.top_k": 40})
    );
    let back = Case::new("chat m").int("gen_ai.usage.cache_write.input_tokens", 5).run(&replace());
    assert_eq!(back.json(), json!({"gen_ai.usage.cache_creation.input_tokens": 5}));
    let retrieval = Case::new("retrieval")
        .text("gen_ai.operation.name", "retrieval")
        .double("gen_ai.request.top_k", 3.0)
        .run(&main());
    assert_eq!(retrieval.json(), json!({"gen_ai.operation.name": "retrieval", "gen_ai.retrieval.top_k": 3}));
}

#[test]
fn a_field_that_the_target_has_no_word_for_stays() {
    let case = || Case::new("chat m").text("gen_ai.request.model", "m").text("gen_ai.request.reasoning.level", "low");
    let old = case().run(&replace());
    assert!(old.unchanged);
    assert!(old.reason("no_home"));
    assert!(case().run(&main()).unchanged);
}

#[test]
fn messages_in_the_published_shape_stay_byte_for_byte() {
    // Odd spacing and an unknown member: legal, and not to be rewritten.
    let input = r#"[ {"role":"user","parts":[{"content":"Hi","type":"text"}],"name":null} ]"#;
    let output = r#"[{"role":"assistant","parts":[{"type":"text","content":"Yo"}],"finish_reason":"stop"}]"#;
    let case = || {
        Case::new("chat m")
            .text("gen_ai.operation.name", "chat")
            .text("gen_ai.input.messages", input)
            .text("gen_ai.output.messages", output)
    };
    for settings in [replace(), keep(), main()] {
        assert!(case().run(&settings).unchanged);
    }
}

#[test]
fn openai_messages_under_the_current_name_are_repaired() {
    let done = Case::new("chat m")
        .text("gen_ai.input.messages", r#"[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"}]"#)
        .text("gen_ai.output.messages", r#"[{"role":"assistant","content":"Yo"}]"#)
        .strings("gen_ai.response.finish_reasons", &["tool_calls"])
        .run(&replace());
    assert_eq!(
        done.messages("gen_ai.input.messages"),
        json!([
            {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
            {"role": "user", "parts": [{"type": "text", "content": "Hi"}]},
        ])
    );
    assert_eq!(
        done.messages("gen_ai.output.messages"),
        json!([{"role": "assistant", "parts": [{"type": "text", "content": "Yo"}], "finish_reason": "tool_call"}])
    );
}

#[test]
fn an_unknown_finish_reason_is_not_invented() {
    let output = r#"[{"role":"assistant","content":"Yo"}]"#;
    let old = Case::new("chat m").text("gen_ai.completion", output).run(&replace());
    assert_eq!(old.messages("gen_ai.output.messages")[0]["finish_reason"], json!(""));
    let new = Case::new("chat m").text("gen_ai.completion", output).run(&main());
    assert_eq!(new.messages("gen_ai.output.messages")[0].get("finish_reason"), None);
}

#[test]
fn what_is_cut_off_under_a_current_name_stays() {
    let cut = r#"[{"role":"user","parts":[{"type":"text","content":"Once upon"#;
    let done =
        Case::new("chat m").text("gen_ai.operation.name", "chat").text("gen_ai.input.messages", cut).run(&replace());
    assert!(done.unchanged);
    assert!(done.reason("shape"));
}

#[test]
fn span_events_become_messages_and_go() {
    let case = || {
        Case::new("chat m")
            .text("gen_ai.operation.name", "chat")
            .event("gen_ai.content.prompt", &[("gen_ai.prompt", r#"[{"role":"user","content":"Hi"}]"#)])
            .event("gen_ai.content.completion", &[("gen_ai.completion", r#"[{"role":"assistant","content":"Yo"}]"#)])
            .event("exception", &[("exception.type", "E")])
    };
    let done = case().run(&replace());
    assert_eq!(
        done.messages("gen_ai.input.messages"),
        json!([{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}])
    );
    assert_eq!(done.messages("gen_ai.output.messages")[0]["parts"][0]["content"], json!("Yo"));
    assert_eq!(done.event_names(), ["exception"]);
    assert_eq!(case().run(&keep()).event_names().len(), 3);
}

#[test]
fn per_message_events_become_messages() {
    let done = Case::new("chat m")
        .text("gen_ai.system", "openai")
        .event("gen_ai.system.message", &[("content", "Be brief.")])
        .event("gen_ai.user.message", &[("content", "Weather?"), ("gen_ai.system", "openai")])
        .event(
            "gen_ai.assistant.message",
            &[("tool_calls", r#"[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"q\":1}"}}]"#)],
        )
        .event("gen_ai.tool.message", &[("content", "sunny"), ("id", "c1")])
        .event("gen_ai.choice", &[("index", "0"), ("finish_reason", "stop"), ("message", "It is sunny.")])
        .event("gen_ai.choice", &[("finish_reason", "stop"), ("message", "Sun."), ("surprise", "1")])
        .run(&replace());
    assert_eq!(
        done.messages("gen_ai.input.messages"),
        json!([
            {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
            {"role": "user", "parts": [{"type": "text", "content": "Weather?"}]},
            {"role": "assistant", "parts": [{"type": "tool_call", "id": "c1", "name": "f", "arguments": {"q": 1}}]},
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "sunny"}]},
        ])
    );
    assert_eq!(done.messages("gen_ai.output.messages").as_array().unwrap().len(), 2);
    assert_eq!(done.json()["gen_ai.response.finish_reasons"], json!(["stop", "stop"]));
    // The event that says more than its message stays.
    assert_eq!(done.event_names(), ["gen_ai.choice"]);
    assert!(done.reason("says_more"));
}

#[test]
fn content_that_is_said_twice_is_written_once() {
    let done = Case::new("chat m")
        .text("gen_ai.operation.name", "chat")
        .text("gen_ai.input.messages", r#"[{"role":"user","parts":[{"type":"text","content":"Hi"}]}]"#)
        .text("gen_ai.prompt", r#"[{"role":"user","content":"Hi"}]"#)
        .run(&replace());
    assert_eq!(done.keys(), ["gen_ai.input.messages", "gen_ai.operation.name"]);
    let other = Case::new("chat m")
        .text("gen_ai.operation.name", "chat")
        .text("gen_ai.input.messages", r#"[{"role":"user","parts":[{"type":"text","content":"Hi"}]}]"#)
        .text("gen_ai.prompt", r#"[{"role":"user","content":"Ho"}]"#)
        .run(&replace());
    assert_eq!(other.keys(), ["gen_ai.input.messages", "gen_ai.operation.name", "gen_ai.prompt"]);
    assert!(other.reason("conflict"));
}

#[test]
fn the_provider_is_found_where_it_is_not_said() {
    let host = Case::new("chat m")
        .text("gen_ai.system", "openai")
        .text("server.address", "10.0.0.7")
        .int("server.port", 11434)
        .run(&replace());
    assert_eq!(host.json()["gen_ai.provider.name"], json!("ollama"));
    let model =
        Case::new("chat m").text("gen_ai.system", "Unknown").text("llm.request.model", "claude-3").run(&replace());
    assert_eq!(model.json(), json!({"gen_ai.provider.name": "anthropic", "gen_ai.request.model": "claude-3"}));
    // A framework's name says something, though not the provider.
    let framework =
        Case::new("chat m").text("gen_ai.system", "Langchain").text("llm.request.model", "x").run(&replace());
    assert_eq!(framework.json(), json!({"gen_ai.system": "Langchain", "gen_ai.request.model": "x"}));
}

#[test]
fn current_prompt_keys_are_not_taken_for_legacy_ones() {
    let done = Case::new("chat m")
        .text("gen_ai.request.model", "m")
        .text("gen_ai.prompt.name", "greet")
        .text("gen_ai.prompt.variable.who", "Ada")
        .run(&main());
    assert!(done.unchanged);
}

#[test]
fn a_users_mapping_is_a_dialect_like_the_others() {
    let mapping = |key: &str, to: &str, values: &[(&str, &str)]| Mapping {
        key: key.into(),
        to: to.into(),
        values: values.iter().map(|(from, to)| (from.to_string(), to.to_string())).collect(),
    };
    let settings = Genai {
        target: Target::V1_41,
        originals: Originals::Replace,
        mappings: vec![
            mapping("ai.vendor", "gen_ai.provider.name", &[("oai", "openai")]),
            mapping("ai.in", "gen_ai.usage.input_tokens", &[]),
            mapping("ai.typo", "gen_ai.nonsense", &[]),
        ],
        ..Genai::default()
    };
    let done = Case::new("call").text("ai.vendor", "oai").text("ai.in", "29").text("ai.typo", "x").run(&settings);
    assert_eq!(done.json(), json!({"gen_ai.provider.name": "openai", "gen_ai.usage.input_tokens": 29, "ai.typo": "x"}));
    assert!(done.counted("user", "expressed", "", 2));
    let word = Case::new("call").text("ai.vendor", "acme").run(&settings);
    assert_eq!(word.json(), json!({"gen_ai.provider.name": "acme"}));
}

#[test]
fn duplicate_keys_lose_nothing() {
    let done = Case::new("chat m")
        .int("gen_ai.usage.prompt_tokens", 29)
        .int("gen_ai.usage.prompt_tokens", 30)
        .text("gen_ai.request.model", "m")
        .text("gen_ai.request.model", "m")
        .run(&replace());
    assert!(done.keys().contains(&"gen_ai.request.model".to_owned()));
    let prompt: Vec<i64> = done.ints("gen_ai.usage.prompt_tokens");
    assert!(prompt.contains(&30), "{:?}", done.json());
}

#[test]
fn server_spans_and_the_applications_own_names_stay() {
    let done = Case::new("POST /chat")
        .kind(SpanKind::Server)
        .text("gen_ai.operation.name", "chat")
        .text("gen_ai.system", "openai")
        .text("gen_ai.request.model", "m")
        .run(&replace());
    assert_eq!(done.span.name, "POST /chat");
    assert_eq!(done.span.kind(), SpanKind::Server);
    assert_eq!(done.json()["gen_ai.provider.name"], json!("openai"));
}

#[test]
fn structured_messages_are_legal_and_stay() {
    let done = Case::new("chat m")
        .structured("gen_ai.input.messages", json!([{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]))
        .structured("gen_ai.tool.call.arguments", json!({"city": "Paris"}))
        .run(&replace());
    assert!(done.unchanged);
}
