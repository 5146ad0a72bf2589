//! Spans that mix what all emitters say: keys from every dialect's tables and families, current
//! names of both targets and a user's own, with values that fit and values that do not.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use dragoman::genai::convention;
use dragoman::genai::dialect::{Action, BUILT_IN, EventAction, List, Rule, Sign, SpanName};
use dragoman::genai::field::Field;
use dragoman::genai::settings::{Genai, Mapping, Originals, Target};
use dragoman::genai::values;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

use super::Case;

/// What keys are about; of one subject several keys meet on one span.
struct Subject {
    keys: Vec<String>,
}

/// Keys by what they are about, so that several say the same thing of one span.
static SUBJECTS: LazyLock<Vec<Subject>> = LazyLock::new(subjects);

/// Keys of the user's mappings.
const USER: &[(&str, &str)] = &[
    ("app.model", "gen_ai.request.model"),
    ("app.model.answered", "gen_ai.response.model"),
    ("app.in", "gen_ai.usage.input_tokens"),
    ("app.vendor", "gen_ai.provider.name"),
    ("app.kind", "gen_ai.operation.name"),
    ("app.written", "gen_ai.usage.cache_write.input_tokens"),
    ("app.prompt", "gen_ai.input.messages"),
    ("app.answer", "gen_ai.output.messages"),
    ("app.tools", "gen_ai.tool.definitions"),
    // Keys that dialects know, in the user's meaning.
    ("llm.request.model", "gen_ai.response.model"),
    ("gen_ai.prompt", "gen_ai.system_instructions"),
    ("llm.user", "gen_ai.conversation.id"),
    ("gen_ai.system", "gen_ai.agent.name"),
    // Keys that are current names.
    ("gen_ai.conversation.id", "gen_ai.agent.id"),
    ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"),
    ("gen_ai.provider.name", "gen_ai.provider.name"),
];

/// Keys that no rule says anything of, or that speak for an emitter only.
const OTHERS: &[&str] = &["http.request.method", "model", "langfuse.version", "gen_ai.unheard.of", "llm.unheard.of"];

/// What the tables say of a key's value.
#[derive(Clone, Copy)]
enum Hint {
    Words(&'static values::Table),
    Members(&'static [Rule]),
    /// As another hint says, or a text, as JSON text.
    Json,
}

/// What emitters write under a key.
static HINTS: LazyLock<HashMap<&'static str, Vec<Hint>>> = LazyLock::new(|| {
    fn of(action: Action, hints: &mut Vec<Hint>) {
        match action {
            Action::Members(rules) => hints.push(Hint::Members(rules)),
            Action::ByOperation(actions) | Action::BySpanName(actions) => {
                actions.iter().for_each(|(_, action)| of(*action, hints));
            }
            _ => {}
        }
    }
    let mut hints: HashMap<&str, Vec<Hint>> = HashMap::new();
    for dialect in BUILT_IN {
        let lent = dialect.events.iter().filter_map(|event| match event.action {
            EventAction::Rules(rules) => Some(rules),
            _ => None,
        });
        for rule in lent.flatten().chain(dialect.keys) {
            let hints = hints.entry(rule.key).or_default();
            hints.extend(rule.values.map(Hint::Words));
            of(rule.action, hints);
            hints.extend(dialect.json.then_some(Hint::Json));
        }
    }
    hints
});

/// Where a span may come from: what the tables look at, and what nobody does.
static ORIGINS: LazyLock<Vec<Origin>> = LazyLock::new(|| {
    let mut origins = vec![Origin::default(); 8];
    let scope = |scope, version, schema_url| Origin { scope, version, schema_url, resource: None };
    for tell in BUILT_IN.iter().flat_map(|dialect| dialect.tells) {
        origins.extend(match tell.sign {
            Sign::Scope(name) | Sign::ScopePrefix(name) => Some(scope(name, "", "")),
            Sign::UnversionedScopePrefix(name) => Some(scope(name, "0.40.0", "")),
            Sign::SchemaScopePrefix(name) => Some(scope(name, "2.1b0", "https://opentelemetry.io/schemas/1.30.0")),
            Sign::Resource(key, value) => Some(Origin { resource: Some((key, value)), ..Origin::default() }),
            _ => None,
        });
    }
    origins.extend([
        scope("opentelemetry.instrumentation.openai.v1", "0.40.0", ""),
        scope("opentelemetry.instrumentation.bedrock", "0.40.0", ""),
        scope("opentelemetry.instrumentation.openai_agents", "0.40.0", ""),
        scope("opentelemetry.instrumentation.openai_v2", "2.1b0", "https://opentelemetry.io/schemas/1.30.0"),
        scope("opentelemetry.instrumentation.openai_v2", "", ""),
        scope("app", "", ""),
    ]);
    origins
});

#[derive(Debug, Clone, Copy, Default)]
struct Origin {
    scope: &'static str,
    version: &'static str,
    schema_url: &'static str,
    resource: Option<(&'static str, &'static str)>,
}

/// Names that a span may have.
static NAMES: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let mut names = vec!["mine", "mine", "mine", "x.completion", "chat gpt-4o", "raw_gen_ai_request"];
    for dialect in BUILT_IN {
        names.extend(dialect.tells.iter().filter_map(|tell| match tell.sign {
            Sign::SpanName(name) | Sign::SpanNamePrefix(name) => Some(name),
            _ => None,
        }));
        names.extend(dialect.span_names.iter().filter_map(|name| match name {
            SpanName::Exact(name) | SpanName::Prefix(name) | SpanName::Suffix(name) | SpanName::With(name, _) => {
                Some(*name)
            }
            SpanName::Any | SpanName::InScope(_) => None,
        }));
        names.extend(dialect.keys.iter().flat_map(|rule| match rule.action {
            Action::BySpanName(actions) => actions.iter().map(|(name, _)| *name).collect(),
            _ => Vec::new(),
        }));
    }
    names
});

/// Events that tables know, with the keys that mean something on them.
static EVENTS: LazyLock<Vec<(&str, Vec<&str>)>> = LazyLock::new(|| {
    let message = [
        "gen_ai.prompt",
        "gen_ai.completion",
        "message",
        "content",
        "tool_calls",
        "finish_reason",
        "id",
        "role",
        "other",
    ];
    let events = BUILT_IN.iter().flat_map(|dialect| dialect.events);
    let known = events.map(|event| {
        let keys = match event.action {
            EventAction::Message(rule) => message.iter().chain(rule.content).copied().collect(),
            EventAction::Rules(rules) => rules.iter().map(|rule| rule.key).chain(["other"]).collect(),
            // Any key that could stand on the span.
            EventAction::Attributes => Vec::new(),
            EventAction::Chunk => message.to_vec(),
        };
        (event.name.trim_end_matches('*'), keys)
    });
    known.chain([("exception", message.to_vec())]).collect()
});

fn subjects() -> Vec<Subject> {
    let mut fields: Vec<(Field, Vec<String>)> = Field::ALL.iter().map(|field| (*field, Vec::new())).collect();
    let mut add = |field: Field, key: &str| {
        let (_, keys) = fields.iter_mut().find(|(of, _)| *of == field).unwrap();
        if !keys.iter().any(|known| known == key) {
            keys.push(key.to_owned());
        }
    };
    let (mut input, mut output, mut tools) = (Vec::new(), Vec::new(), Vec::new());
    let (mut counts, mut others) = (Vec::new(), Vec::new());
    let (mut documents, mut objects) = (Vec::new(), Vec::new());
    for convention in convention::ALL {
        for name in convention.all_names() {
            // Twice, for old and new keys together are the usual mixture.
            name.attribute.iter().for_each(|attribute| add(name.field, attribute));
        }
    }
    let mut by_dialect: Vec<Vec<String>> = Vec::new();
    for dialect in BUILT_IN {
        let tells = dialect.tells.iter().filter_map(|tell| match tell.sign {
            Sign::Key(key) => Some(key.to_owned()),
            Sign::KeyPrefix(prefix) => Some(format!("{prefix}told")),
            _ => None,
        });
        by_dialect.push(dialect.keys.iter().map(|rule| rule.key.to_owned()).chain(tells).collect());
        for rule in dialect.keys {
            let key = rule.key.to_owned();
            match rule.action {
                Action::Field(field) | Action::Copy(field) => add(field, rule.key),
                Action::Input | Action::Instructions | Action::Piece(List::Input, _) => input.push(key),
                Action::Output | Action::Piece(List::Output, _) => output.push(key),
                Action::Tools | Action::Piece(List::Tools, _) => tools.push(key),
                Action::Documents | Action::Piece(List::Documents, _) => documents.push(key),
                Action::Total | Action::Usage => counts.push(key),
                Action::Members(_) | Action::ByOperation(_) | Action::BySpanName(_) | Action::Variables => {
                    objects.push(key);
                }
                _ => others.push(key),
            }
        }
        for family in dialect.families {
            let keys = match family.list {
                List::Input => &mut input,
                List::Output => &mut output,
                List::Tools => &mut tools,
                List::Documents => &mut documents,
            };
            let start = keys.len();
            for (piece, _) in family.pieces {
                for number in [0, 1, 10] {
                    let piece = piece.replace('#', if number == 0 { "0" } else { "1" });
                    let key = format!("{}{number}.{piece}", family.prefix);
                    keys.push(key.trim_end_matches('.').to_owned());
                }
            }
            keys.extend(family.unindexed.iter().map(|(piece, _)| format!("{}{piece}", family.prefix)));
            by_dialect.last_mut().unwrap().extend(keys[start..].iter().cloned());
        }
        others.extend(dialect.kept.iter().map(|(prefix, _)| format!("{prefix}x")));
        for tell in dialect.tells {
            match tell.sign {
                Sign::Key(key) => others.push(key.to_owned()),
                Sign::KeyPrefix(prefix) => others.push(format!("{prefix}told")),
                _ => {}
            }
        }
    }
    others.extend(OTHERS.iter().map(|key| key.to_string()));
    others.extend(["traceloop.entity.name", "traceloop.entity.input", "traceloop.workflow.name"].map(str::to_owned));
    for (key, to) in USER {
        let subject = match *to {
            "gen_ai.input.messages" | "gen_ai.system_instructions" => &mut input,
            "gen_ai.output.messages" => &mut output,
            "gen_ai.tool.definitions" => &mut tools,
            _ => {
                let named = |field: &&Field| {
                    convention::ALL
                        .iter()
                        .any(|convention| convention.name(**field).is_some_and(|(name, _)| name == *to))
                };
                let field = Field::ALL.iter().find(named).unwrap();
                fields.iter_mut().find(|(of, _)| of == field).unwrap().1.push(key.to_string());
                continue;
            }
        };
        subject.push(key.to_string());
    }
    // What is computed from each other belongs together.
    let mut usage = counts;
    for (field, keys) in &fields {
        if matches!(field, Field::UsageInputTokens | Field::UsageOutputTokens) {
            usage.extend(keys.iter().cloned());
        }
    }
    usage.push("model".to_owned());
    let mut said: Vec<Vec<String>> = fields.into_iter().map(|(_, keys)| keys).filter(|keys| !keys.is_empty()).collect();
    let mut names = said[0].clone();
    names.extend(said[1].iter().chain(&said[2]).cloned());
    let mut chat = input.clone();
    chat.extend(output.iter().cloned());
    chat.extend(objects.iter().cloned());
    chat.extend(["gen_ai.response.finish_reasons", "llm.response.finish_reason"].map(str::to_owned));
    let mut kinds = said[0].clone();
    kinds.extend(objects.iter().cloned());
    said.extend([input, output, tools, documents, objects, kinds, usage.clone(), usage]);
    said.extend([others.clone(), others, names, chat]);
    // A dialect may have no keys of its own.
    said.extend(by_dialect.into_iter().filter(|keys| !keys.is_empty()));
    said.into_iter().map(|keys| Subject { keys }).collect()
}

fn value() -> impl Strategy<Value = Value> {
    let words = select(vec![
        "gpt-4o",
        "text-embedding-3",
        "openai",
        "azure",
        "Azure",
        "ollama",
        "ollama/codegemma",
        "azure/gpt-4o",
        "Langchain",
        "Unknown",
        "chat",
        "completion",
        "acompletion",
        "text_completion",
        "embedding",
        "embeddings",
        "retrieval",
        "rerank",
        "vector_store_search",
        "unknown",
        "none",
        "null",
        "agent",
        "tool",
        "workflow",
        "task",
        "json_schema",
        "json",
        "user",
        "assistant",
        "thinking",
        "function",
        "ai",
        "stop",
        "tool_calls",
        "end_turn",
        "None",
        "True",
        "False",
        "29",
        " 29 ",
        "-1",
        "0",
        "1",
        "0.5",
        "",
        " ",
        "\"\"",
        "[]",
        "{}",
        "[null]",
        "chatcmpl-1",
        "cmpl-1",
        "call_1",
        "get_weather",
        "http://h:11434/v1",
        "https://api.openai.com/v1",
        "api.openai.com",
        "Hello",
    ]);
    let texts = select(vec![
        r#"{"a": 1}"#,
        r#"["stop"]"#,
        r#"["stop", "length"]"#,
        "['stop', None]",
        "{'prompt_tokens': 29, 'completion_tokens': 13}",
        r#"{"input_tokens": 5, "output_tokens": 0, "cache_read_input_tokens": 2}"#,
        "Usage(prompt_tokens=3, completion_tokens=0)",
        r#"[{"role":"user","content":"Hi"}]"#,
        r#"[{"role":"system","content":"Be brief."},{"role":"user","content":"Hello"}]"#,
        "[{'role': 'user', 'content': 'Hi'}]",
        r#"[{"role":"user","parts":[{"type":"text","content":"Hi"}]}]"#,
        r#"[{"role":"assistant","content":"Hello","finish_reason":"end_turn"}]"#,
        r#"[{"role":"assistant","parts":[{"type":"text","content":"Hello"}],"finish_reason":"stop"}]"#,
        r#"[{"role":"assistant","parts":[{"type":"text","content":"Hello"}]}]"#,
        r#"[{"role":"assistant","parts":[],"finish_reason":"end_turn"}]"#,
        r#"[{"role":"assistant","parts":[{"type":"tool_call","id":"call_1","name":"get_weather"}],"finish_reason":"tool_call"}]"#,
        r#"[{"role":"assistant","tool_calls":[{"id":"call_1","function":{"name":"get_weather","arguments":"{}"}}]}]"#,
        r#"[{"role":"assistant","parts":[]}]"#,
        r#"[{"role":"thinking","content":"Hm"},{"role":"assistant","content":"Hello"}]"#,
        r#"[{"role":"thinking","parts":[{"type":"text","content":"Hm"}],"finish_reason":"stop"}]"#,
        r#"[{"role":"unknown","parts":[{"type":"text","content":"Hm"}],"finish_reason":"stop"}]"#,
        r#"[{"type":"text","content":"Be brief."}]"#,
        r#"[{"type":"text","text":"Be brief."}]"#,
        "[{'type': 'text', 'text': 'Hi'}]",
        r#"[{"type":"function","function":{"name":"f"}}]"#,
        r#"[{"type":"function","name":"f"}]"#,
        r#"[{"role":"user","content":"cut"#,
        r#"{"messages":[{"role":"user","content":"Hi"}]}"#,
        r#"{"type":"object","properties":{}}"#,
    ]);
    let odd = select(vec![
        json!(["stop"]),
        json!([]),
        json!([""]),
        json!([1]),
        json!([{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]),
        json!([{"role": "assistant", "content": "Hello"}]),
        json!([{"type": "text", "content": "Be brief."}]),
        json!({"prompt_tokens": 4, "completion_tokens": 2}),
        json!({"city": "Paris"}),
        json!(null),
        json!(true),
        json!(false),
        json!(0.5),
        json!(29.0),
    ]);
    prop_oneof![
        5 => words.prop_map(|text| json!(text)),
        4 => texts.prop_map(|text| json!(text)),
        2 => odd,
        4 => select(vec![0, 0, 1, 1, -1, 5, 13, 13, 29, 29, 42]).prop_map(|number| json!(number)),
        1 => table_word(),
        1 => "[ -~]{0,12}".prop_map(|text| json!(text)),
    ]
}

/// A value that emitters write under such a key, out of so few that several keys agree.
fn fit(key: &str, choice: Index, seed: u64) -> Option<Value> {
    if !seed.is_multiple_of(4)
        && let Some(hints) = HINTS.get(key).filter(|hints| !hints.is_empty())
    {
        let value = match *choice.get(hints) {
            Hint::Words(table) => json!(choice.get(table).0),
            Hint::Members(rules) => {
                let object = object(rules, choice, seed);
                match seed % 7 {
                    0 => object,
                    1 => json!(object.to_string().replace('"', "'")),
                    _ => json!(object.to_string()),
                }
            }
            Hint::Json => fit_name(key, choice)?,
        };
        return Some(match hints.iter().any(|hint| matches!(hint, Hint::Json)) && !is_object_text(&value) {
            true => json!(value.to_string()),
            false => value,
        });
    }
    fit_name(key, choice)
}

fn is_object_text(value: &Value) -> bool {
    value.as_str().is_none_or(|text| text.starts_with(['{', '[']))
}

/// An object with some of the members that rules know, and perhaps one more.
fn object(rules: &[Rule], choice: Index, seed: u64) -> Value {
    let mut object = json!({});
    for (place, rule) in rules.iter().enumerate() {
        let seed = seed.rotate_left(place as u32 * 3 % 61);
        if rule.key.is_empty() || rule.key == "*" || !seed.is_multiple_of(3) {
            continue;
        }
        let value = rule.values.map(|table| json!(choice.get(table).0)).or_else(|| fit_name(rule.key, choice));
        let value = value.unwrap_or_else(|| match seed / 3 % 4 {
            0 => json!("Hello"),
            1 => json!(13),
            2 => json!([{"role": "assistant", "content": "Hello"}]),
            _ => json!("29"),
        });
        let mut at = &mut object;
        for step in rule.key.split('.') {
            if !at.is_object() {
                *at = json!({});
            }
            at = &mut at[step];
        }
        *at = value;
    }
    if seed.is_multiple_of(5) {
        object["unheard_of"] = json!(1);
    }
    object
}

/// As [`fit`], by the key's name alone.
fn fit_name(key: &str, choice: Index) -> Option<Value> {
    let last = key.rsplit('.').next().unwrap_or_default();
    let texts: &[&str] = match last {
        "role" => &["user", "assistant", "thinking", "unknown", "tool", "system"],
        "content" | "user" | "prompt" | "completion" | "reasoning" => &["Hello", "Hm", "Hello", ""],
        "finish_reason" | "stop_reason" => &["stop", "tool_calls", "end_turn"],
        "name" if key.contains("call") || key.contains("functions") => &["get_weather", "f"],
        "arguments" | "parameters" | "input_schema" => &["{}", r#"{"city":"Paris"}"#],
        "id" | "tool_call_id" => &["call_1", "chatcmpl-1"],
        "system" | "vendor" | "provider" => &["openai", "azure", "OpenAI", "Langchain", "ollama"],
        "type" | "operation" => &["chat", "completion", "embedding", "rerank", "acompletion"],
        "kind" => &["workflow", "agent", "tool", "task"],
        "model" => &["gpt-4o", "ollama/codegemma", "azure/gpt-4o", "text-embedding-3"],
        "messages" => &[
            r#"[{"role":"assistant","parts":[{"type":"text","content":"Hello"}]}]"#,
            r#"[{"role":"assistant","parts":[{"type":"text","content":"Hello"}],"finish_reason":"stop"}]"#,
            r#"[{"role":"assistant","content":"Hello"}]"#,
            r#"[{"role":"user","content":"Hello"}]"#,
            r#"[{"role":"thinking","content":"Hm"},{"role":"assistant","content":"Hello"}]"#,
            r#"[{"role":"assistant","tool_calls":[{"id":"call_1","function":{"name":"f","arguments":"{}"}}]}]"#,
        ],
        _ if last.contains("tokens") => return Some(json!(*choice.get(&[0, 5, 13, 29, 42]))),
        _ => return None,
    };
    Some(json!(*choice.get(texts)))
}

/// A word of the tables.
fn table_word() -> impl Strategy<Value = Value> {
    let tables: [&values::Table; 6] = [
        values::PROVIDER,
        values::OPERATION,
        values::LITELLM_CALL_TYPE,
        values::TRACELOOP_KIND,
        values::OUTPUT_TYPE,
        values::FINISH_REASON,
    ];
    let words: Vec<&str> = tables.iter().flat_map(|table| table.iter().map(|(word, _)| *word)).collect();
    select(words).prop_map(|word| json!(word))
}

/// Both targets, originals replaced and kept, with and without mappings.
pub fn settings() -> impl Strategy<Value = Genai> {
    let mapping = select(USER.to_vec()).prop_flat_map(|(key, to)| {
        let values = select(vec![
            vec![],
            vec![("openai", "azure"), ("chat", "completion"), ("29", "none")],
            vec![("gpt-4o", "ollama"), ("ollama", "gpt-4o"), ("openai", "Unknown"), ("azure", "azure.ai.openai")],
        ]);
        values.prop_map(move |values| Mapping {
            key: key.to_owned(),
            to: to.to_owned(),
            values: values.into_iter().map(|(from, to): (&str, &str)| (from.to_owned(), to.to_owned())).collect(),
        })
    });
    let mappings = prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec(mapping, 1..4)];
    (any::<bool>(), any::<bool>(), mappings).prop_map(|(main, keep, mappings)| Genai {
        target: if main { Target::Main } else { Target::V1_41 },
        originals: if keep { Originals::Keep } else { Originals::Replace },
        mappings,
        ..Genai::default()
    })
}

/// A span of any emitters.
pub fn case() -> impl Strategy<Value = Case> {
    let origin = select(ORIGINS.clone());
    let name = select(NAMES.clone());
    let kind = select(vec![SpanKind::Internal, SpanKind::Client, SpanKind::Server, SpanKind::Unspecified]);
    let entry = || (any::<Index>(), any::<Index>(), value(), any::<Option<(Index, u64)>>());
    let event = (any::<Index>(), prop::collection::vec(entry(), 0..4)).prop_map(|(event, entries)| {
        let (name, keys) = event.get(&EVENTS);
        let entries = entries.into_iter().map(|(subject, key, value, fitting)| {
            let key = match keys.is_empty() {
                true => key.get(&subject.get(&SUBJECTS).keys).clone(),
                false => key.get(keys).to_string(),
            };
            let value = fitting.and_then(|(choice, seed)| fit(&key, choice, seed)).unwrap_or(value);
            (key, value)
        });
        (*name, entries.collect::<Vec<_>>())
    });
    let keys = prop::collection::vec(any::<Index>(), 1..5).prop_flat_map(move |subjects| {
        prop::collection::vec(entry(), 0..20).prop_map(move |entries| {
            entries
                .into_iter()
                .map(|(subject, key, value, fitting)| {
                    let subject = subject.get(&subjects).get(&SUBJECTS);
                    let key = key.get(&subject.keys).clone();
                    let value = fitting.and_then(|(choice, seed)| fit(&key, choice, seed)).unwrap_or(value);
                    (key, value)
                })
                .collect::<Vec<_>>()
        })
    });
    let events = prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec(event, 0..3)];
    let twice = prop_oneof![9 => Just(false), 1 => Just(true)];
    (keys, origin, name, kind, events, twice).prop_map(|(entries, origin, name, kind, events, twice)| {
        let Origin { scope, version, schema_url, resource } = origin;
        let mut case = Case::new(name).scope(scope).version(version).schema_url(schema_url).kind(kind);
        if let Some((key, value)) = resource {
            case = case.resource(key, value);
        }
        let mut known = HashSet::new();
        for (key, value) in entries {
            // A key that stands there twice is rare, and no emitter means it.
            if known.insert(key.clone()) || twice {
                case = case.structured_or_empty(&key, value);
            }
        }
        events.into_iter().fold(case, |case, (name, entries)| case.structured_event(name, entries))
    })
}
