//! What a request costs: 500 spans of about 1.1 KB, three quarters HTTP, 15 % sqlite, 10 % LLM
//! calls with prompts of 2 to 8 KB.
//!
//! `memcpy` is the floor (a copy of the request), `prost` the usual way (decode and encode, without
//! a single edit). Run with `cargo bench --bench engine`.

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dragoman::otlp::check::check;
use dragoman::otlp::signal::Signal;
use dragoman::otlp::span::{Kind, Span as SpanView};
use dragoman::otlp::traces::{Origin, Visitor, edit};
use dragoman::otlp::{json, value::Value};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;
use std::hint::black_box;

const SPANS: usize = 500;

fn text(key: &str, text: &str) -> KeyValue {
    attribute(key, any_value::Value::StringValue(text.to_owned()))
}

fn integer(key: &str, number: i64) -> KeyValue {
    attribute(key, any_value::Value::IntValue(number))
}

fn attribute(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), key_strindex: 0 }
}

fn span(number: usize, name: &str, kind: i32, attributes: Vec<KeyValue>) -> Span {
    let id = |seed: usize| (seed as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
    Span {
        trace_id: [id(number / 10 + 1), id(number / 10 + 7)].concat(),
        span_id: id(number + 1000).to_vec(),
        parent_span_id: if number.is_multiple_of(10) { vec![] } else { id(number / 10 * 10 + 1000).to_vec() },
        name: name.to_owned(),
        kind,
        start_time_unix_nano: 1_700_000_000_000_000_000 + number as u64 * 1_000_000,
        end_time_unix_nano: 1_700_000_000_000_500_000 + number as u64 * 1_000_000,
        attributes,
        status: Some(Status::default()),
        flags: 0x101,
        ..Span::default()
    }
}

fn http(number: usize) -> Span {
    let attributes = vec![
        text("http.request.method", "GET"),
        text("url.scheme", "https"),
        text("url.path", &format!("/api/v1/accounts/{number}/orders")),
        text("url.query", "page=1&page_size=50&sort=created_at&direction=descending"),
        text("url.full", &format!("https://shop.example.com/api/v1/accounts/{number}/orders?page=1&page_size=50")),
        text("http.route", "/api/v1/accounts/{account_id}/orders"),
        integer("http.response.status_code", 200),
        text("server.address", "shop.example.com"),
        integer("server.port", 443),
        text("network.protocol.version", "1.1"),
        text("network.peer.address", "10.12.31.7"),
        text("client.address", "203.0.113.195"),
        text(
            "user_agent.original",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0",
        ),
        text("thread.name", "ThreadPoolExecutor-0_3"),
        integer("thread.id", 140_213_002_114_816),
        text("enduser.id", &format!("user-{number:06}")),
        text("code.function.name", "shop.orders.views.OrderViewSet.list"),
        text("code.file.path", "/srv/app/shop/orders/views.py"),
    ];
    span(number, "GET /api/v1/accounts/{account_id}/orders", 2, attributes)
}

fn sqlite(number: usize) -> Span {
    let attributes = vec![
        text("db.system", "sqlite"),
        text("db.name", "/var/lib/app/chroma.sqlite3"),
        text("db.statement", "SELECT id, topic, name, dimension FROM collections WHERE tenant = ? AND database = ?"),
    ];
    span(number, "SELECT", 3, attributes)
}

fn llm(number: usize) -> Span {
    let prompt =
        "Summarise the following order history for the customer and name what is still open. ".repeat(24 + number % 72);
    let attributes = vec![
        text("gen_ai.system", "OpenAI"),
        text("llm.request.type", "chat"),
        text("gen_ai.request.model", "gpt-4o"),
        text("gen_ai.response.model", "gpt-4o-2024-08-06"),
        text("gen_ai.prompt.0.role", "system"),
        text("gen_ai.prompt.0.content", "You are a helpful assistant."),
        text("gen_ai.prompt.1.role", "user"),
        text("gen_ai.prompt.1.content", &prompt),
        text("gen_ai.completion.0.role", "assistant"),
        text("gen_ai.completion.0.content", "Two parcels are on their way, one waits for payment."),
        text("gen_ai.completion.0.finish_reason", "stop"),
        integer("gen_ai.usage.prompt_tokens", 532),
        integer("gen_ai.usage.completion_tokens", 118),
        integer("llm.usage.total_tokens", 650),
        attribute("llm.is_streaming", any_value::Value::BoolValue(false)),
    ];
    span(number, "openai.chat", 3, attributes)
}

fn request() -> Bytes {
    let spans = (0..SPANS).map(|number| match number % 20 {
        0..2 => llm(number),
        2..5 => sqlite(number),
        _ => http(number),
    });
    let resource = Resource {
        attributes: vec![text("service.name", "shop"), text("telemetry.sdk.language", "python")],
        ..Resource::default()
    };
    let scope = InstrumentationScope { name: "bench".to_owned(), version: "1.0".to_owned(), ..Default::default() };
    let scope_spans = vec![ScopeSpans { scope: Some(scope), spans: spans.collect(), schema_url: String::new() }];
    let resource = ResourceSpans { resource: Some(resource), scope_spans, schema_url: String::new() };
    Bytes::from(ExportTraceServiceRequest { resource_spans: vec![resource] }.encode_to_vec())
}

struct Look;

impl Visitor for Look {
    fn span(&mut self, span: &mut SpanView<'_>, _: &Origin<'_>) {
        black_box(span.source_keys().any(|key| key.starts_with("gen_ai.")));
    }
}

/// Drops sqlite, renames and sets a few keys of LLM spans: the shape of the real work.
struct Change;

impl Visitor for Change {
    fn span(&mut self, span: &mut SpanView<'_>, _: &Origin<'_>) {
        if span.get("db.system") == Some(Value::from("sqlite")) {
            return span.drop_span();
        }
        if span.has("gen_ai.system") {
            span.rename("gen_ai.usage.prompt_tokens", "gen_ai.usage.input_tokens");
            span.rename("gen_ai.usage.completion_tokens", "gen_ai.usage.output_tokens");
            span.remove("llm.usage.total_tokens");
            span.set("gen_ai.operation.name", "chat");
            span.set("gen_ai.provider.name", "openai");
            span.set_name("chat gpt-4o");
            span.set_kind(Kind::Client);
        }
    }
}

fn engine(criterion: &mut Criterion) {
    let body = request();
    let mut group = criterion.benchmark_group(format!("{SPANS} spans, {} bytes", body.len()));
    group.throughput(Throughput::Elements(SPANS as u64));
    group.bench_function("memcpy", |bencher| bencher.iter(|| black_box(body.to_vec())));
    group.bench_function("check", |bencher| bencher.iter(|| check(Signal::Traces, black_box(&body))));
    group.bench_function("walk, nothing changed", |bencher| bencher.iter(|| edit(black_box(&body), &mut Look)));
    group.bench_function("walk, sqlite dropped, LLM edited", |bencher| {
        bencher.iter(|| edit(black_box(&body), &mut Change));
    });
    group.bench_function("prost decode + encode", |bencher| {
        bencher.iter(|| ExportTraceServiceRequest::decode(black_box(&body[..])).map(|request| request.encode_to_vec()));
    });
    let text = json::encode(Signal::Traces, &body).unwrap_or_default();
    group.bench_function("JSON decode", |bencher| {
        bencher.iter(|| json::decode(Signal::Traces, black_box(text.as_bytes())));
    });
    group.finish();
}

criterion_group!(benches, engine);
criterion_main!(benches);
