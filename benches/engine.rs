//! What a request costs: 500 spans of about 1.1 KB, three quarters HTTP, 15 % sqlite, 10 % LLM
//! calls with prompts of 2 to 8 KB; and what one span of each sort costs.
//!
//! `memcpy` is the floor (a copy of the request), `prost` the usual way (decode and encode, without
//! a single edit). Run with `cargo bench --bench engine`; the figures are in `docs/performance.md`.

#[path = "support/mix.rs"]
mod mix;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dragoman::genai::settings::{Genai as GenaiSettings, Target};
use dragoman::genai::translate::{NoBatch, Translator};
use dragoman::metrics::families::Families;
use dragoman::metrics::ledger::{Ledger, LedgerWindow};
use dragoman::otlp::check::check;
use dragoman::otlp::json;
use dragoman::otlp::signal::Signal;
use dragoman::otlp::span::Span;
use dragoman::otlp::split::{Limits, Split};
use dragoman::otlp::traces::{Origin, Spans, Visitor, edit};
use dragoman::pipeline::{Context, Pass, Stage};
use dragoman::processor::drop::DropSpans;
use dragoman::processor::genai::Genai;
use dragoman::processor::genai_metrics::GenaiMetrics;
use dragoman::processor::settings::{Drop, DropRule};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

const SPANS: u64 = 500;

/// The stages of the embedded default, fused as a pipeline fuses them.
struct Stages(Vec<Arc<dyn Stage>>);

impl Stages {
    fn new() -> Self {
        let families = Families::new(Target::V1_41, 2000, Duration::from_secs(300));
        let ledger = Ledger::new(&LedgerWindow::default(), false);
        Stages(vec![
            Arc::new(Genai::new(&GenaiSettings::default())),
            Arc::new(DropSpans::new(&Drop { rules: DropRule::sqlite(), ..Drop::default() })),
            Arc::new(GenaiMetrics::new(Arc::new(ledger), Arc::new(families))),
        ])
    }

    fn process(&self, body: &Bytes) -> Bytes {
        let mut fused = Fused { body, passes: self.0.iter().map(|stage| stage.pass()).collect() };
        let outcome = edit(body, &mut fused).map(|outcome| outcome.body).unwrap_or_default();
        fused.passes.into_iter().for_each(|pass| pass.commit());
        outcome
    }
}

struct Fused<'s> {
    body: &'s Bytes,
    passes: Vec<Box<dyn Pass + Send + 's>>,
}

impl Visitor for Fused<'_> {
    fn span(&mut self, span: &mut Span<'_>, origin: &Origin<'_>) {
        let mut context = Context { origin, body: self.body, call: None };
        for pass in &mut self.passes {
            if !span.is_dropped() {
                pass.span(span, &mut context);
            }
        }
    }

    fn finish(&mut self, spans: &mut Spans) {
        self.passes.iter_mut().for_each(|pass| pass.finish(spans));
    }
}

/// Requests as they follow each other: no span comes twice.
fn requests(count: u64) -> Vec<Bytes> {
    (0..count).map(|index| Bytes::from(mix::request(SPANS, index * SPANS, mix::sort))).collect()
}

fn whole_requests(criterion: &mut Criterion) {
    let bodies = requests(200);
    let body = bodies[0].clone();
    let mut group = criterion.benchmark_group(format!("{SPANS} spans, {} bytes", body.len()));
    group.throughput(Throughput::Elements(SPANS));
    group.bench_function("memcpy", |bencher| bencher.iter(|| black_box(body.to_vec())));
    group.bench_function("two requests made one", |bencher| bencher.iter(|| [black_box(&body[..]); 2].concat()));
    let limits = Limits { bytes: body.len() / 4, ..Limits::NONE };
    group.bench_function("cut into parts of a quarter", |bencher| {
        bencher.iter(|| {
            let mut parts = Split::new(Signal::Traces, black_box(&body), limits);
            let mut count = 0;
            while let Ok(Some(part)) = parts.next() {
                count += black_box(part).items;
            }
            count
        });
    });
    group.bench_function("check", |bencher| bencher.iter(|| check(Signal::Traces, black_box(&body))));
    let stages = Stages::new();
    let mut next = bodies.iter().cycle();
    group.bench_function("default stages", |bencher| {
        bencher.iter(|| next.next().map(|body| stages.process(black_box(body))));
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

/// One span, parsed and shown to the translation.
fn single_spans(criterion: &mut Criterion) {
    let translator = Translator::new(&GenaiSettings::default());
    let mut tally = translator.tally();
    let origin = Origin::default();
    let mut group = criterion.benchmark_group("one span");
    for (name, sort, index) in [("HTTP", mix::Sort::Http, 0), ("LLM, 5 KB prompt", mix::Sort::Llm, 3)] {
        let bytes = mix::span(sort, index).encode_to_vec();
        group.bench_function(format!("{name}: parsed"), |bencher| {
            let mut span = Span::new();
            bencher.iter(|| span.parse(black_box(&bytes)));
        });
        group.bench_function(format!("{name}: parsed, translated, written"), |bencher| {
            let mut span = Span::new();
            let mut out = Vec::new();
            bencher.iter(|| {
                out.clear();
                let parsed = span.parse(black_box(&bytes)).is_ok();
                let translated = translator.translate(&mut span, &origin, &mut NoBatch, &mut tally).is_some();
                if span.is_edited() {
                    span.write(&mut out);
                }
                (parsed, translated, out.len())
            });
        });
    }
    group.finish();
}

criterion_group!(benches, whole_requests, single_spans);
criterion_main!(benches);
