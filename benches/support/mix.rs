//! The traffic that the benchmarks measure: 75 % HTTP spans, 15 % sqlite spans and 10 % LLM spans
//! with prompts of 2 to 8 KB, about 1.1 KB a span on average, as an instrumented service with a
//! chatty HTTP layer and a sqlite store sends it.
#![allow(dead_code, unreachable_pub, reason = "every benchmark uses a part of it")]

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;

/// What a span is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// An HTTP client or server span.
    Http,
    /// A sqlite statement.
    Sqlite,
    /// A chat call in old words.
    Llm,
}

fn text(key: &str, value: impl Into<String>) -> KeyValue {
    let value = Some(any_value::Value::StringValue(value.into()));
    KeyValue { key: key.into(), value: Some(AnyValue { value }), ..KeyValue::default() }
}

fn number(key: &str, value: i64) -> KeyValue {
    let value = Some(any_value::Value::IntValue(value));
    KeyValue { key: key.into(), value: Some(AnyValue { value }), ..KeyValue::default() }
}

fn prose(length: usize, seed: u64) -> String {
    // English as prompts have it: mostly plain words, a line break and a quotation now and then, a
    // letter beyond ASCII once in a while.
    const WORDS: [&str; 48] = [
        "the",
        "quarterly",
        "figures",
        "show",
        "that",
        "nobody",
        "reads",
        "long",
        "prompts,",
        "and",
        "so",
        "we",
        "ask",
        "for",
        "a",
        "summary",
        "of",
        "every",
        "open",
        "order",
        "with",
        "its",
        "customer,",
        "amount",
        "due",
        "date",
        "in",
        "one",
        "table;",
        "then",
        "name",
        "three",
        "reasons",
        "why",
        "payment",
        "is",
        "late.\n",
        "Answer",
        "in",
        "plain",
        "words",
        "without",
        "\"legalese\"",
        "or",
        "footnotes.",
        "Café",
        "thank",
        "you.",
    ];
    let mut random = fastrand::Rng::with_seed(seed);
    let mut prose = String::with_capacity(length + 12);
    while prose.len() < length {
        prose.push_str(random.choice(WORDS).unwrap_or_default());
        prose.push(' ');
    }
    prose
}

fn http(index: u64) -> Vec<KeyValue> {
    vec![
        text("http.request.method", "POST"),
        text("url.full", format!("https://api.example.com/v1/customers/{index}/orders?expand=lines&page=3")),
        text("url.scheme", "https"),
        text("server.address", "api.example.com"),
        number("server.port", 443),
        text("network.protocol.version", "1.1"),
        text("network.peer.address", "192.0.2.17"),
        number("network.peer.port", 443),
        text("user_agent.original", "python-requests/2.32.3 example-service/4.11.0 (linux; x86_64)"),
        number("http.response.status_code", 200),
        number("http.request.body.size", 1843),
        number("http.response.body.size", 20_114),
        text("http.route", "/v1/customers/{id}/orders"),
        text("thread.name", "ThreadPoolExecutor-0_3"),
        number("thread.id", 140_213),
    ]
}

fn sqlite(index: u64) -> Vec<KeyValue> {
    vec![
        text("db.system", "sqlite"),
        text(
            "db.statement",
            "SELECT value, expiration FROM kvstore WHERE namespace = ? AND key = ? ORDER BY key LIMIT ?",
        ),
        text("db.name", "/var/lib/service/kvstore.db"),
        text("db.operation", format!("SELECT kvstore_{}", index % 7)),
    ]
}

fn llm(index: u64) -> Vec<KeyValue> {
    let prompt = 2048 + (index * 977 % 6) as usize * 1024;
    vec![
        text("gen_ai.system", "OpenAI"),
        text("llm.request.type", "chat"),
        text("gen_ai.request.model", "gpt-4o-mini"),
        text("gen_ai.response.model", "gpt-4o-mini-2024-07-18"),
        text("gen_ai.response.id", format!("chatcmpl-{index:024}")),
        number("gen_ai.request.max_tokens", 512),
        text("gen_ai.prompt.0.role", "system"),
        text("gen_ai.prompt.0.content", "You answer in one sentence and cite the figures."),
        text("gen_ai.prompt.1.role", "user"),
        text("gen_ai.prompt.1.content", prose(prompt, index)),
        text("gen_ai.completion.0.role", "assistant"),
        text("gen_ai.completion.0.content", prose(400, index + 1)),
        text("gen_ai.completion.0.finish_reason", "stop"),
        number("gen_ai.usage.prompt_tokens", 900 + index as i64 % 100),
        number("gen_ai.usage.completion_tokens", 90),
        number("llm.usage.total_tokens", 990 + index as i64 % 100),
        text("llm.headers", "None"),
    ]
}

/// One span; `index` makes it differ from others.
pub fn span(sort: Sort, index: u64) -> Span {
    let (name, kind, attributes) = match sort {
        Sort::Http => ("POST /v1/customers/{id}/orders", 3, http(index)),
        Sort::Sqlite => ("SELECT", 3, sqlite(index)),
        Sort::Llm => ("openai.chat", 3, llm(index)),
    };
    let mut span_id = [0x5a; 8];
    span_id[..8].copy_from_slice(&(index + 1).to_be_bytes());
    let mut trace_id = [0x11; 16];
    trace_id[8..].copy_from_slice(&(index / 10 + 1).to_be_bytes());
    Span {
        trace_id: trace_id.into(),
        span_id: span_id.into(),
        // Ten spans a trace; an HTTP span is above all others.
        parent_span_id: if index % 10 == 1 { Vec::new() } else { (index / 10 * 10 + 2).to_be_bytes().to_vec() },
        name: name.into(),
        kind,
        start_time_unix_nano: 1_760_000_000_000_000_000 + index,
        end_time_unix_nano: 1_760_000_000_500_000_000 + index,
        attributes,
        status: Some(Status::default()),
        flags: 0x101,
        ..Span::default()
    }
}

/// What the span at `index` is about in the mix.
pub fn sort(index: u64) -> Sort {
    match index % 20 {
        3 | 13 => Sort::Llm,
        5 | 10 | 15 => Sort::Sqlite,
        _ => Sort::Http,
    }
}

/// A request of `spans` spans, numbered from `first`.
pub fn request(spans: u64, first: u64, sort: impl Fn(u64) -> Sort) -> Vec<u8> {
    let spans = (first..first + spans).map(|index| span(sort(index), index)).collect();
    let scope = Some(InstrumentationScope {
        name: "opentelemetry.instrumentation.openai.v1".into(),
        version: "0.40.9".into(),
        ..Default::default()
    });
    let resource = Some(Resource {
        attributes: vec![text("service.name", "orders"), text("telemetry.sdk.language", "python")],
        ..Resource::default()
    });
    let scope_spans = vec![ScopeSpans { scope, spans, ..ScopeSpans::default() }];
    ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { resource, scope_spans, ..Default::default() }] }
        .encode_to_vec()
}
