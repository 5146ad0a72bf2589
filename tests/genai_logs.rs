//! Log records of the GenAI conventions, recorded and made up: what they say after translation, and
//! what must never change.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail")]

mod genai_support;
mod support;

use std::collections::BTreeSet;

use bytes::Bytes;
use dragoman::genai::Translator;
use dragoman::genai::log::{Became, DETAILS, Records};
use dragoman::genai::settings::{Genai, Originals, Target};
use dragoman::otlp::log_record::LogRecord as View;
use dragoman::otlp::logs::{Origin, Visitor, edit};
use dragoman::otlp::{Signal, json as otlp_json};
use genai_support::{all_settings, keep, main, replace};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use prost::Message;
use serde_json::{Value, json};
use support::translated::is_part;
use support::{cases, corpus};

struct Done {
    body: Bytes,
    records: Vec<LogRecord>,
    became: Vec<Became>,
}

fn translate(body: &Bytes, settings: &Genai) -> Done {
    struct All<'t> {
        body: &'t Bytes,
        records: Records<'t>,
        tally: dragoman::genai::Tally,
        became: Vec<Became>,
    }
    impl Visitor for All<'_> {
        fn log_record(&mut self, record: &mut View<'_>, origin: &Origin<'_>) {
            self.became.push(self.records.translate(record, origin, self.body, &mut self.tally));
        }
    }
    let translator = Translator::new(settings);
    let mut all = All { body, records: Records::new(&translator), tally: translator.tally(), became: Vec::new() };
    let outcome = edit(body, &mut all).unwrap();
    let dropped = all.became.iter().filter(|became| **became == Became::Folded).count();
    assert_eq!(outcome.received, outcome.kept + dropped, "the books balance");
    Done { records: records(&outcome.body), body: outcome.body, became: all.became }
}

fn records(body: &[u8]) -> Vec<LogRecord> {
    let request = ExportLogsServiceRequest::decode(body).unwrap();
    let scopes = request.resource_logs.into_iter().flat_map(|resource| resource.scope_logs);
    scopes.flat_map(|scope| scope.log_records).collect()
}

/// A value as JSON, whatever it is made of.
fn tree(value: Option<&AnyValue>) -> Value {
    match value.and_then(|value| value.value.as_ref()) {
        None => Value::Null,
        Some(any_value::Value::StringValue(text)) => json!(text),
        Some(any_value::Value::BoolValue(flag)) => json!(flag),
        Some(any_value::Value::IntValue(number)) => json!(number),
        Some(any_value::Value::DoubleValue(number)) => json!(number),
        Some(any_value::Value::ArrayValue(array)) => array.values.iter().map(|value| tree(Some(value))).collect(),
        Some(any_value::Value::KvlistValue(list)) => {
            Value::Object(list.values.iter().map(|entry| (entry.key.clone(), tree(entry.value.as_ref()))).collect())
        }
        Some(other) => panic!("{other:?}"),
    }
}

fn any(value: &Value) -> AnyValue {
    use opentelemetry_proto::tonic::common::v1::{ArrayValue, KeyValueList};
    let value = match value {
        Value::Null => None,
        Value::Bool(flag) => Some(any_value::Value::BoolValue(*flag)),
        Value::Number(number) if number.is_i64() => number.as_i64().map(any_value::Value::IntValue),
        Value::Number(number) => number.as_f64().map(any_value::Value::DoubleValue),
        Value::String(text) => Some(any_value::Value::StringValue(text.clone())),
        Value::Array(list) => Some(any_value::Value::ArrayValue(ArrayValue { values: list.iter().map(any).collect() })),
        Value::Object(members) => Some(any_value::Value::KvlistValue(KeyValueList {
            values: members.iter().map(|(key, value)| entry(key, value)).collect(),
        })),
    };
    AnyValue { value }
}

fn entry(key: &str, value: &Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(any(value)), ..KeyValue::default() }
}

fn attributes(record: &LogRecord) -> Value {
    Value::Object(record.attributes.iter().map(|entry| (entry.key.clone(), tree(entry.value.as_ref()))).collect())
}

/// An event as today's SDKs write it: a name, attributes, a body with structure; of one span.
fn event(name: &str, attributes: Value, body: Value) -> LogRecord {
    LogRecord {
        event_name: name.to_owned(),
        attributes: attributes.as_object().unwrap().iter().map(|(key, value)| entry(key, value)).collect(),
        body: (!body.is_null()).then(|| any(&body)),
        trace_id: vec![7; 16],
        span_id: vec![9; 8],
        ..LogRecord::default()
    }
}

fn openai(name: &str, body: Value) -> LogRecord {
    event(name, json!({"gen_ai.system": "openai"}), body)
}

fn request(log_records: Vec<LogRecord>) -> Bytes {
    let scope =
        InstrumentationScope { name: "opentelemetry.instrumentation.openai_v2".to_owned(), ..Default::default() };
    let scope_logs = vec![ScopeLogs { scope: Some(scope), log_records, ..ScopeLogs::default() }];
    let request = ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs, ..Default::default() }] };
    request.encode_to_vec().into()
}

fn run(records: Vec<LogRecord>, settings: &Genai) -> Vec<LogRecord> {
    let once = translate(&request(records), settings);
    let twice = translate(&once.body, settings);
    assert_eq!(twice.body, once.body, "a second pass changes nothing");
    once.records
}

/// The one record that the events become, as its attributes.
fn one(records: Vec<LogRecord>, settings: &Genai) -> Value {
    let records = run(records, settings);
    assert_eq!(records.len(), 1, "{records:#?}");
    assert_eq!(records[0].event_name, DETAILS);
    assert_eq!(records[0].body, None);
    attributes(&records[0])
}

fn text(role: &str, content: &str) -> Value {
    json!({"role": role, "parts": [{"type": "text", "content": content}]})
}

fn answer(content: &str, reason: &str) -> Value {
    json!({"role": "assistant", "parts": [{"type": "text", "content": content}], "finish_reason": reason})
}

#[test]
fn the_events_of_one_call_become_one_record_in_their_order() {
    let events = || {
        vec![
            openai("gen_ai.system.message", json!({"content": "Be terse."})),
            openai("gen_ai.user.message", json!({"content": "Capital of France?"})),
            openai(
                "gen_ai.choice",
                json!({"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Paris"}}),
            ),
        ]
    };
    let expected = json!({
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.input.messages": [text("system", "Be terse."), text("user", "Capital of France?")],
        "gen_ai.output.messages": [answer("Paris", "stop")],
    });
    assert_eq!(one(events(), &replace()), expected);
    // The newer target has the reason in its attribute only.
    let newer = one(events(), &main());
    assert_eq!(newer["gen_ai.output.messages"], json!([text("assistant", "Paris")]));
    assert_eq!(newer["gen_ai.response.finish_reasons"], json!(["stop"]));
}

#[test]
fn a_name_in_an_attribute_and_a_body_of_json_text_say_the_same() {
    let old = |key: &str, name: &str, body: Value| {
        let mut record = openai("", Value::String(body.to_string()));
        record.attributes.push(entry(key, &json!(name)));
        record
    };
    for key in ["event.name", "event_name"] {
        let events = vec![
            old(key, "gen_ai.user.message", json!({"content": "Hi"})),
            old(key, "gen_ai.choice", json!({"index": 0, "finish_reason": "stop", "message": {"content": "Hello"}})),
        ];
        let call = one(events, &replace());
        assert_eq!(call["gen_ai.input.messages"], json!([text("user", "Hi")]));
        assert_eq!(call["gen_ai.output.messages"], json!([answer("Hello", "stop")]));
        assert_eq!(call.get(key), None, "{call}");
    }
}

#[test]
fn content_that_was_not_captured_leaves_roles_calls_and_reasons() {
    let call = json!({"id": "c1", "type": "function", "function": {"name": "weather"}});
    let events = vec![
        openai("gen_ai.user.message", Value::Null),
        openai("gen_ai.assistant.message", json!({"tool_calls": [call]})),
        openai("gen_ai.tool.message", json!({"id": "c1"})),
        openai("gen_ai.choice", json!({"index": 0, "finish_reason": "stop", "message": {"role": "assistant"}})),
    ];
    let call = one(events, &replace());
    assert_eq!(
        call["gen_ai.input.messages"],
        json!([
            {"role": "user", "parts": []},
            {"role": "assistant", "parts": [{"type": "tool_call", "id": "c1", "name": "weather"}]},
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": null}]},
        ])
    );
    let output = json!([{"role": "assistant", "parts": [], "finish_reason": "stop"}]);
    assert_eq!(call["gen_ai.output.messages"], output);
}

#[test]
fn arguments_become_objects_and_choices_stand_in_the_order_of_their_index() {
    let choice = |index: u64, content: &str| {
        openai("gen_ai.choice", json!({"index": index, "finish_reason": "length", "message": {"content": content}}))
    };
    let function = json!({"name": "weather", "arguments": "{\"city\":\"Paris\"}"});
    let asked = json!({"tool_calls": [{"id": "c1", "type": "function", "function": function}]});
    let events = vec![
        openai("gen_ai.assistant.message", asked),
        openai("gen_ai.tool.message", json!({"id": "c1", "content": "{\"temp\": 18}"})),
        choice(2, "c"),
        choice(0, "a"),
        choice(1, "b"),
    ];
    let call = one(events, &replace());
    let part = &call["gen_ai.input.messages"][0]["parts"][0];
    assert_eq!(part["arguments"], json!({"city": "Paris"}));
    let outputs: Vec<_> = call["gen_ai.output.messages"].as_array().unwrap().iter().collect();
    assert_eq!(outputs, [&answer("a", "length"), &answer("b", "length"), &answer("c", "length")]);
    assert_eq!(call["gen_ai.response.finish_reasons"], json!(["length", "length", "length"]));
}

#[test]
fn calls_beside_the_message_of_a_choice_are_part_of_it() {
    // OpenLLMetry's form.
    let call = json!({"id": "c1", "type": "function", "function": {"name": "weather", "arguments": {"city": "Paris"}}});
    let body = json!({"index": 1, "message": {"content": null}, "finish_reason": "tool_call", "tool_calls": [call]});
    let call = one(vec![openai("gen_ai.choice", body)], &replace());
    let part = json!({"type": "tool_call", "id": "c1", "name": "weather", "arguments": {"city": "Paris"}});
    let expected = json!([{"role": "assistant", "parts": [part], "finish_reason": "tool_call"}]);
    assert_eq!(call["gen_ai.output.messages"], expected);
}

#[test]
fn a_system_message_stands_apart_where_the_api_takes_it_apart() {
    for (provider, apart) in [("aws.bedrock", true), ("gemini", true), ("openai", false)] {
        let said =
            |name: &str, content: &str| event(name, json!({"gen_ai.system": provider}), json!({"content": content}));
        let events = vec![said("gen_ai.system.message", "Be terse."), said("gen_ai.user.message", "Hi")];
        let call = one(events, &replace());
        if apart {
            assert_eq!(call["gen_ai.system_instructions"], json!([{"type": "text", "content": "Be terse."}]));
            assert_eq!(call["gen_ai.input.messages"], json!([text("user", "Hi")]));
        } else {
            assert_eq!(call["gen_ai.input.messages"], json!([text("system", "Be terse."), text("user", "Hi")]));
        }
    }
}

#[test]
fn events_of_other_spans_and_events_without_ids_are_other_calls() {
    let of_span = |id: u8, content: &str| LogRecord {
        span_id: vec![id; 8],
        ..openai("gen_ai.user.message", json!({"content": content}))
    };
    let nowhere = |content: &str| LogRecord {
        span_id: vec![],
        trace_id: vec![],
        ..openai("gen_ai.user.message", json!({"content": content}))
    };
    let events = vec![of_span(1, "a"), of_span(2, "b"), of_span(1, "c"), nowhere("d"), nowhere("e")];
    let done = run(events, &replace());
    let said: Vec<Value> = done.iter().map(|record| attributes(record)["gen_ai.input.messages"].clone()).collect();
    assert_eq!(
        said,
        [
            json!([text("user", "b")]),
            json!([text("user", "a"), text("user", "c")]),
            json!([text("user", "d")]),
            json!([text("user", "e")]),
        ]
    );
}

#[test]
fn what_differs_from_event_to_event_goes_with_its_message() {
    let line = |number: i64, name: &str, body: Value| {
        event(name, json!({"gen_ai.system": "openai", "code.lineno": number, "thread": "main"}), body)
    };
    let events = vec![
        line(10, "gen_ai.user.message", json!({"content": "Hi"})),
        line(20, "gen_ai.choice", json!({"index": 0, "finish_reason": "stop", "message": {"content": "Hello"}})),
    ];
    let call = one(events, &replace());
    assert_eq!(call["thread"], "main");
    assert_eq!(call["code.lineno"], 20);
    assert_eq!(call["gen_ai.input.messages"][0]["code.lineno"], 10);
}

#[test]
fn events_that_contradict_each_other_are_not_one_call() {
    let of = |model: &str, content: &str| {
        let attributes = json!({"gen_ai.system": "openai", "gen_ai.request.model": model});
        event("gen_ai.user.message", attributes, json!({"content": content}))
    };
    let done = run(vec![of("a", "1"), of("a", "2"), of("b", "3")], &replace());
    let models: Vec<Value> = done.iter().map(|record| attributes(record)["gen_ai.request.model"].clone()).collect();
    assert_eq!(models, [json!("a"), json!("b")]);
}

#[test]
fn details_in_legacy_words_are_repaired() {
    // LiteLLM's form.
    let messages = json!([text("user", "Hi")]).to_string();
    let record = event(
        "",
        json!({"event_name": DETAILS, "gen_ai.system": "gemini", "gen_ai.input.messages": messages}),
        Value::Null,
    );
    let call = one(vec![record], &replace());
    let expected = json!({
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "gcp.gemini",
        "gen_ai.input.messages": [text("user", "Hi")],
    });
    assert_eq!(call, expected);
}

#[test]
fn details_that_are_current_pass_byte_for_byte() {
    let attributes = json!({
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.input.messages": [text("user", "Hi")],
        "gen_ai.output.messages": [answer("Hello", "stop")],
    });
    let body = request(vec![event(DETAILS, attributes, Value::Null)]);
    assert_eq!(translate(&body, &replace()).body.as_ptr(), body.as_ptr());
}

#[test]
fn originals_that_are_kept_stay_and_the_last_one_says_it_all_beside() {
    let events = vec![
        openai("gen_ai.user.message", json!({"content": "Hi"})),
        openai("gen_ai.choice", json!({"index": 0, "finish_reason": "stop", "message": {"content": "Hello"}})),
    ];
    let done = run(events.clone(), &keep());
    assert_eq!(done[0], events[0]);
    assert_eq!((&done[1].event_name, &done[1].body), (&events[1].event_name, &events[1].body));
    let said = attributes(&done[1]);
    assert_eq!(said["gen_ai.input.messages"], json!([text("user", "Hi")]));
    assert_eq!(said["gen_ai.output.messages"], json!([answer("Hello", "stop")]));
    assert_eq!((&said["gen_ai.system"], &said["gen_ai.provider.name"]), (&json!("openai"), &json!("openai")));
}

#[test]
fn records_that_are_no_events_of_the_conventions_are_not_touched() {
    let plain = |name: &str, attributes: Value, body: Value| event(name, attributes, body);
    let records = vec![
        plain("", json!({}), json!("a line of text")),
        plain("", json!({"event.name": "user_login", "gen_ai.system": "openai"}), Value::Null),
        plain("claude_code.api_request", json!({"model": "claude", "input_tokens": 3}), Value::Null),
        plain("codex.sse_event", json!({"model": "gpt-5", "input_token_count": 3}), Value::Null),
        plain("", json!({}), json!("Chat Model Prompt Content:\n[\"Hi\"]")),
        plain("gen_ai.user.message.extra", json!({"x": 1}), json!({"content": "Hi"})),
    ];
    let body = request(records);
    let done = translate(&body, &replace());
    assert_eq!(done.body.as_ptr(), body.as_ptr());
}

#[test]
fn content_may_stand_in_attributes() {
    let content = json!({"role": "user", "content": "Hi"}).to_string();
    let one_attribute = json!({"gen_ai.system": "openai", "gen_ai.event.content": content});
    let members = json!({"gen_ai.system": "openai", "role": "user", "content": "Hi"});
    for attributes in [one_attribute, members] {
        let call = one(vec![event("gen_ai.user.message", attributes, Value::Null)], &replace());
        let expected = json!({
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.input.messages": [text("user", "Hi")],
        });
        assert_eq!(call, expected);
    }
}

#[test]
fn a_user_may_type_json() {
    let record = openai("gen_ai.user.message", json!("{\"a\": 1}"));
    let call = one(vec![record], &replace());
    assert_eq!(call["gen_ai.input.messages"], json!([text("user", "{\"a\": 1}")]));
}

// --- recordings --------------------------------------------------------------------------------

/// Every recorded logs request.
fn recorded() -> Vec<(String, Bytes)> {
    let mut found = Vec::new();
    let mut emitters: Vec<_> = std::fs::read_dir(corpus()).unwrap().map(|entry| entry.unwrap().path()).collect();
    emitters.sort();
    for emitter in emitters.iter().filter(|path| path.is_dir()) {
        for case in cases(emitter.file_name().unwrap().to_str().unwrap()) {
            let mut files: Vec<_> = std::fs::read_dir(&case).unwrap().map(|entry| entry.unwrap().path()).collect();
            files.sort();
            for file in files {
                let name = file.display().to_string();
                let body = if name.ends_with(".logs.pb") {
                    std::fs::read(&file).unwrap()
                } else if name.ends_with(".logs.json") {
                    otlp_json::decode(Signal::Logs, &std::fs::read(&file).unwrap()).unwrap()
                } else {
                    continue;
                };
                found.push((name, Bytes::from(body)));
            }
        }
    }
    found
}

/// The texts in a value that people or tools wrote; JSON in text is taken apart.
fn said(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if text.is_empty() => {}
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(inner @ (Value::Object(_) | Value::Array(_))) => said(&inner, into),
            _ => drop(into.insert(text.clone())),
        },
        Value::Array(list) => list.iter().for_each(|value| said(value, into)),
        Value::Object(members) => {
            // What the kind of a block or call is called differs from API to API.
            let members =
                members.iter().filter(|(key, _)| !["type", "role", "finish_reason", "index"].contains(&&***key));
            members.for_each(|(_, value)| said(value, into));
        }
        Value::Null => {}
        // OpenLIT's word for a limit that was not set.
        Value::Number(number) if number.as_i64() == Some(-1) => {}
        // A whole number may become a double, where the convention says so.
        Value::Number(number) if number.as_i64().is_none() && number.as_f64().is_some_and(|it| it.fract() == 0.0) => {
            into.insert(format!("{:.0}", number.as_f64().unwrap_or_default()));
        }
        other => drop(into.insert(other.to_string())),
    }
}

fn all_said(records: &[LogRecord]) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for record in records {
        said(&tree(record.body.as_ref()), &mut all);
        let is_name = |key: &str| ["event.name", "event_name", "gen_ai.system"].contains(&key);
        for entry in record.attributes.iter().filter(|entry| !is_name(&entry.key)) {
            said(&tree(entry.value.as_ref()), &mut all);
        }
    }
    all
}

fn name_of(record: &LogRecord) -> String {
    let attribute = |key: &str| record.attributes.iter().find(|entry| entry.key == key);
    match &*record.event_name {
        "" => attribute("event.name")
            .or(attribute("event_name"))
            .map_or(String::new(), |entry| tree(entry.value.as_ref()).as_str().unwrap_or_default().to_owned()),
        name => name.to_owned(),
    }
}

fn is_legacy(name: &str) -> bool {
    name == "gen_ai.choice" || (name.starts_with("gen_ai.") && name.ends_with(".message"))
}

#[test]
fn of_recorded_events_nothing_is_lost_and_all_is_in_the_targets_words() {
    let mut legacy = 0;
    for (name, body) in recorded() {
        let before = records(&body);
        legacy += before.iter().filter(|record| is_legacy(&name_of(record))).count();
        for settings in all_settings() {
            let done = translate(&body, &settings);
            let here = format!("{name}, {settings:?}");
            assert_eq!(translate(&done.body, &settings).body, done.body, "{here}: not idempotent");
            let missing: Vec<_> = all_said(&before).difference(&all_said(&done.records)).cloned().collect();
            assert_eq!(missing, Vec::<String>::new(), "{here}");
            for (record, became) in before.iter().zip(&done.became) {
                if !name_of(record).starts_with("gen_ai.") {
                    assert_eq!(*became, Became::Foreign, "{here}");
                    assert!(done.records.contains(record), "{here}: a foreign record was touched");
                }
            }
            if settings.originals == Originals::Keep {
                assert_eq!(done.records.len(), before.len(), "{here}");
                continue;
            }
            for record in &done.records {
                check(&here, record, settings.target);
            }
        }
    }
    assert!(legacy > 200, "{legacy}");
}

fn check(here: &str, record: &LogRecord, target: Target) {
    let name = name_of(record);
    assert!(!is_legacy(&name), "{here}: {name} is left");
    if !name.starts_with("gen_ai.") {
        return;
    }
    assert_eq!(record.event_name, name, "{here}: the name is no name");
    let attributes = attributes(record);
    for legacy in ["gen_ai.system", "event.name", "event_name", "gen_ai.prompt", "gen_ai.completion"] {
        assert_eq!(attributes.get(legacy), None, "{here}: {legacy}");
    }
    for (key, output) in [("gen_ai.input.messages", false), ("gen_ai.output.messages", true)] {
        let Some(messages) = attributes.get(key) else { continue };
        let messages = messages.as_array().unwrap_or_else(|| panic!("{here}: {key} has no structure: {messages}"));
        for message in messages {
            assert!(message["role"].is_string(), "{here}: {message}");
            assert!(message["parts"].as_array().unwrap().iter().all(is_part), "{here}: {message}");
            if output && target == Target::V1_41 {
                assert!(message["finish_reason"].is_string(), "{here}: {message}");
            }
        }
    }
    if let Some(tools) = attributes.get("gen_ai.tool.definitions") {
        let good = |tool: &Value| tool["type"].is_string() && tool["name"].is_string();
        assert!(tools.as_array().unwrap().iter().all(good), "{here}: {tools}");
    }
}
