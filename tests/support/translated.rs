//! Recorded requests through the translation, and what a person would want to know of the result:
//! one line a span, and promises that hold for every span of every case.

use std::path::Path;

use bytes::Bytes;
use dragoman::genai::settings::{Genai, Target};
use dragoman::genai::translate::{NoBatch, Translation, Translator};
use dragoman::otlp::traces::{self, Origin, Visitor};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::Value as Tree;

use super::{attribute, cases, int, requests, spans, text};

/// A span before and after its translation; `None` for what it was found to be if it is no
/// operation.
pub struct Translated {
    pub before: Span,
    pub after: Span,
    pub found: Option<Translation>,
}

struct Translating {
    translator: Translator,
    tally: dragoman::genai::Tally,
    found: Vec<Option<Translation>>,
}

impl Visitor for Translating {
    fn span(&mut self, span: &mut dragoman::otlp::span::Span<'_>, origin: &Origin<'_>) {
        self.found.push(self.translator.translate(span, origin, &mut NoBatch, &mut self.tally));
    }
}

/// A request translated, originals replaced.
pub fn translate(body: &Bytes, target: Target) -> (Bytes, Vec<Option<Translation>>) {
    translate_with(body, &Genai { target, ..Genai::default() })
}

/// A request translated.
pub fn translate_with(body: &Bytes, settings: &Genai) -> (Bytes, Vec<Option<Translation>>) {
    let translator = Translator::new(settings);
    let tally = translator.tally();
    let mut visitor = Translating { translator, tally, found: Vec::new() };
    let outcome = traces::edit(body, &mut visitor).unwrap();
    (outcome.body, visitor.found)
}

/// All spans of a case, translated; a second pass must change nothing, to either target.
pub fn translated(case: &Path) -> Vec<Translated> {
    let mut all = Vec::new();
    for body in requests(case, "traces.pb") {
        let (main, _) = translate(&body, Target::Main);
        assert_eq!(
            translate(&main, Target::Main).0,
            main,
            "{}: a second pass to main changed something",
            case.display()
        );
        let (once, found) = translate(&body, Target::V1_41);
        let (twice, _) = translate(&once, Target::V1_41);
        assert_eq!(twice, once, "{}: a second pass changed something", case.display());
        let spans = spans(&body).into_iter().zip(spans(&once)).zip(found);
        all.extend(spans.map(|((before, after), found)| Translated { before, after, found }));
    }
    all
}

/// `case.json`.
pub fn described(case: &Path) -> Tree {
    serde_json::from_slice(&std::fs::read(case.join("case.json")).unwrap()).unwrap()
}

/// The provider's own counts for the answer with this id, in the conventions' meaning: Anthropic's
/// input leaves out what was read from and written to the cache. None for a stream: several emitters
/// count the tokens of streams by themselves.
pub fn billed(case: &Tree, id: &str) -> Option<(i64, i64)> {
    let call = case["llm_calls"].as_array()?.iter().find(|call| call["id"] == id && call["stream"] == false)?;
    let cache = ["cache_creation_input_tokens", "cache_read_input_tokens"];
    let cached: i64 = cache.iter().filter_map(|key| call["usage"][key].as_i64()).sum();
    Some((call["input_tokens"].as_i64()? + cached, call["output_tokens"].as_i64().unwrap_or(0)))
}

/// The promises that hold for every span, whatever wrote it.
pub fn check_promises(case: &Path, spans: &[Translated], legacy: &[&str]) {
    let described = described(case);
    for Translated { before, after, found } in spans {
        let here = format!("{}: {}", case.display(), before.name);
        if found.is_none() {
            assert_eq!(before, after, "{here}: a span that is no operation was touched");
            continue;
        }
        for entry in &after.attributes {
            assert!(!legacy.iter().any(|prefix| is_legacy(&entry.key, prefix)), "{here}: {} is still there", entry.key);
        }
        for entry in &before.attributes {
            let value = attribute(&after.attributes, &entry.key);
            let said_elsewhere = legacy.iter().any(|prefix| is_legacy(&entry.key, prefix));
            let repaired = entry.key.starts_with("gen_ai.");
            assert!(value.is_some() || said_elsewhere || repaired, "{here}: {} is gone", entry.key);
            let same = value == entry.value.as_ref();
            assert!(same || said_elsewhere || repaired, "{here}: {} was changed", entry.key);
        }
        check_shapes(&here, &after.attributes);
        let counts =
            (int(&after.attributes, "gen_ai.usage.input_tokens"), int(&after.attributes, "gen_ai.usage.output_tokens"));
        if let (Some(id), (Some(input), output)) = (text(&after.attributes, "gen_ai.response.id"), counts)
            && let Some(billed) = billed(&described, id)
        {
            assert_eq!((input, output.unwrap_or(0)), billed, "{here}: not what the provider billed");
        }
    }
}

fn is_legacy(key: &str, pattern: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => key.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())),
        None => key == pattern,
    }
}

fn check_shapes(here: &str, attributes: &[KeyValue]) {
    let types: Vec<(&str, &any_value::Value)> = attributes
        .iter()
        .filter_map(|entry| Some((entry.key.as_str(), entry.value.as_ref()?.value.as_ref()?)))
        .collect();
    for (key, value) in types {
        let good = match key {
            "gen_ai.operation.name"
            | "gen_ai.provider.name"
            | "gen_ai.request.model"
            | "gen_ai.response.model"
            | "gen_ai.response.id" => matches!(value, any_value::Value::StringValue(_)),
            "gen_ai.request.stream" => matches!(value, any_value::Value::BoolValue(_)),
            "gen_ai.response.finish_reasons" | "gen_ai.request.stop_sequences" => match value {
                any_value::Value::ArrayValue(list) => {
                    list.values.iter().all(|value| matches!(value.value, Some(any_value::Value::StringValue(_))))
                }
                _ => false,
            },
            key if key.starts_with("gen_ai.usage.") && key.ends_with("_tokens") => {
                matches!(value, any_value::Value::IntValue(_))
            }
            "gen_ai.input.messages" => messages(value, false),
            "gen_ai.output.messages" => messages(value, true),
            "gen_ai.system_instructions" => json(value).as_array().is_some_and(|parts| parts.iter().all(is_part)),
            "gen_ai.tool.definitions" => json(value)
                .as_array()
                .is_some_and(|tools| tools.iter().all(|tool| tool["type"].is_string() && tool["name"].is_string())),
            _ => true,
        };
        assert!(good, "{here}: {key} is {value:?}");
    }
}

fn json(value: &any_value::Value) -> Tree {
    match value {
        any_value::Value::StringValue(text) => serde_json::from_str(text).unwrap_or(Tree::Null),
        _ => Tree::Null,
    }
}

fn messages(value: &any_value::Value, output: bool) -> bool {
    json(value).as_array().is_some_and(|messages| {
        messages.iter().all(|message| {
            message["role"].is_string()
                && message["parts"].as_array().is_some_and(|parts| parts.iter().all(is_part))
                && (!output || message["finish_reason"].is_string())
        })
    })
}

/// The published shapes of parts, written down a second time.
pub fn is_part(part: &Tree) -> bool {
    let strings = |keys: &[&str]| keys.iter().all(|key| part[key].is_string());
    match part["type"].as_str() {
        Some("text" | "reasoning") => strings(&["content"]),
        Some("tool_call") => strings(&["name"]),
        Some("tool_call_response") => part.get("response").is_some(),
        Some("blob") => strings(&["modality", "content"]),
        Some("file") => strings(&["modality", "file_id"]),
        Some("uri") => strings(&["modality", "uri"]),
        Some("image_url" | "input_text" | "output_text" | "tool_use" | "tool_result" | "thinking") | None => false,
        Some(_) => true,
    }
}

/// A span in one line: name and kind, operation, provider, models, tokens, and the conversation.
pub fn line(span: &Span) -> String {
    let attributes = &span.attributes;
    let word = |key: &str| text(attributes, key).unwrap_or("-");
    let count = |key: &str| int(attributes, key).map_or("-".to_owned(), |count| count.to_string());
    let mut line = format!(
        "{} {} | {} {} {} > {} | {}>{} cache {}/{} think {}",
        span.name,
        match span.kind {
            1 => "INTERNAL",
            2 => "SERVER",
            3 => "CLIENT",
            _ => "?",
        },
        word("gen_ai.operation.name"),
        word("gen_ai.provider.name"),
        word("gen_ai.request.model"),
        word("gen_ai.response.model"),
        count("gen_ai.usage.input_tokens"),
        count("gen_ai.usage.output_tokens"),
        count("gen_ai.usage.cache_read.input_tokens"),
        count("gen_ai.usage.cache_creation.input_tokens"),
        count("gen_ai.usage.reasoning.output_tokens"),
    );
    if let Some(any_value::Value::BoolValue(true)) =
        attribute(attributes, "gen_ai.request.stream").and_then(|value| value.value.as_ref())
    {
        line.push_str(" stream");
    }
    if let Some(any_value::Value::ArrayValue(list)) =
        attribute(attributes, "gen_ai.response.finish_reasons").and_then(|value| value.value.as_ref())
    {
        let words = list.values.iter().filter_map(|value| match &value.value {
            Some(any_value::Value::StringValue(word)) => Some(word.as_str()),
            _ => None,
        });
        line.push_str(&format!(" [{}]", words.collect::<Vec<_>>().join(" ")));
    }
    for (key, name) in [
        ("gen_ai.workflow.name", "workflow"),
        ("gen_ai.agent.name", "agent"),
        ("gen_ai.tool.name", "tool"),
        ("gen_ai.tool.call.arguments", "arguments"),
        ("gen_ai.tool.call.result", "result"),
    ] {
        if let Some(said) = text(attributes, key) {
            line.push_str(&format!(" | {name} {}", short(said)));
        }
    }
    for (key, name) in [
        ("gen_ai.system_instructions", "instructions"),
        ("gen_ai.tool.definitions", "tools"),
        ("gen_ai.input.messages", "in"),
        ("gen_ai.output.messages", "out"),
    ] {
        let Some(list) = text(attributes, key).and_then(|json| serde_json::from_str::<Vec<Tree>>(json).ok()) else {
            continue;
        };
        line.push_str(&format!(" | {name}"));
        for item in &list {
            match (item["parts"].as_array(), item["name"].as_str()) {
                (Some(parts), _) => {
                    line.push_str(&format!(" {}:", item["role"].as_str().unwrap()));
                    line.extend(parts.iter().map(|part| format!(" {}", said(part))));
                    if let Some(reason) = item["finish_reason"].as_str() {
                        line.push_str(&format!(" /{reason}"));
                    }
                }
                (None, Some(tool)) => line.push_str(&format!(" {tool}{}", short(&item["parameters"].to_string()))),
                (None, None) => line.push_str(&format!(" {}", said(item))),
            }
        }
    }
    line
}

fn said(part: &Tree) -> String {
    let quoted = |key: &str| short(part[key].as_str().unwrap_or_default());
    match part["type"].as_str().unwrap_or_default() {
        "text" => format!("{:?}", quoted("content")),
        "reasoning" => format!("think {:?}", quoted("content")),
        "tool_call" => {
            format!("call {} {}{}", part["id"].as_str().unwrap_or("-"), quoted("name"), part["arguments"])
        }
        "tool_call_response" => format!("answer {} {}", part["id"].as_str().unwrap_or("-"), part["response"]),
        _ => short(&part.to_string()),
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// Compares the lines of all operations of some emitters with a file that was read by a person.
/// With `UPDATE_EXPECTED=1` the file is written anew, to be read again.
pub fn check_expected(file: &str, emitters: &[&str]) {
    let mut lines = Vec::new();
    for emitter in emitters {
        for case in cases(emitter) {
            let name = format!("{emitter}/{}", case.file_name().unwrap().to_str().unwrap());
            let operations = translated(&case).into_iter().filter(|span| span.found.is_some());
            lines.extend(operations.map(|span| format!("{name}: {}", line(&span.after))));
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/expected").join(file);
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, lines.join("\n") + "\n").unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    for (number, (line, expected)) in lines.iter().zip(expected.lines()).enumerate() {
        assert_eq!(line, expected, "{}:{}", path.display(), number + 1);
    }
    assert_eq!(lines.len(), expected.lines().count(), "{}", path.display());
}
