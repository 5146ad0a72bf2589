//! A whole pipeline, with its books, and spans to send through it.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use dragoman::metrics::call::Call;
use dragoman::metrics::own::Counter;
use dragoman::otlp::Signal;
use dragoman::otlp::answer::Refusal;
use dragoman::otlp::span::Span as View;
use dragoman::pipeline::account::{Account, Balances};
use dragoman::pipeline::run::{Fanout, Pipeline, Sink, Step};
use dragoman::pipeline::{Batch, Consumer, Context, Exporter, Pass, Permit, Receipt, Stage};
use dragoman::processor::drop::DropSpans;
use dragoman::processor::fold_chunks::FoldChunks;
use dragoman::processor::fold_chunks::kind::{Kind, Kinds};
use dragoman::processor::genai::Genai;
use dragoman::processor::mend::{Memory, Share};
use dragoman::processor::settings::{self, DropMemory, DropRule};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;

use crate::support;

/// Keeps what it gets.
#[derive(Default)]
struct Caught(Mutex<Vec<Bytes>>);

impl Exporter for Caught {
    fn reserve(&self, _: Signal, _: usize) -> Result<Box<dyn Permit + '_>, Refusal> {
        Ok(Box::new(Room(self)))
    }
}

struct Room<'c>(&'c Caught);

impl Permit for Room<'_> {
    fn send(self: Box<Self>, batch: Batch) -> Receipt {
        self.0.0.lock().unwrap().push(batch.body.clone());
        batch.open.exported();
        Receipt::Taken
    }
}

/// What a connector reads of calls.
#[derive(Default)]
pub struct Tap(Mutex<Vec<Call>>);

impl Stage for Tap {
    fn pass(&self) -> Box<dyn Pass + Send + '_> {
        Box::new(Seen(&self.0))
    }
}

struct Seen<'t>(&'t Mutex<Vec<Call>>);

impl Pass for Seen<'_> {
    fn span(&mut self, span: &mut View<'_>, context: &mut Context<'_, '_>) {
        self.0.lock().unwrap().extend(Call::read(span, context.origin));
    }
}

/// A pipeline with `fold_chunks` in it.
pub struct Rig {
    fanout: Fanout,
    caught: Arc<Caught>,
    pub account: Arc<Account>,
    pub fold: Arc<FoldChunks>,
    pub drop: Arc<DropSpans>,
    tap: Arc<Tap>,
}

/// What folds, and what comes before and behind it.
#[derive(Clone)]
pub struct With {
    pub genai: Option<settings::Genai>,
    pub fold: settings::FoldChunks,
    pub drop: settings::Drop,
}

impl Default for With {
    fn default() -> Self {
        let sqlite = settings::Drop { rules: DropRule::sqlite(), ..settings::Drop::default() };
        With { genai: None, fold: settings::FoldChunks::default(), drop: sqlite }
    }
}

impl With {
    /// Folds these kinds.
    pub fn kinds(kinds: &[Kind]) -> With {
        With {
            fold: settings::FoldChunks { kinds: Kinds::new(kinds.iter().copied()), ..Default::default() },
            ..With::default()
        }
    }

    /// Remembers so many spans.
    pub fn memory(max_spans: usize) -> With {
        let memory = DropMemory { max_spans, ..DropMemory::default() };
        With { fold: settings::FoldChunks { memory, ..Default::default() }, ..With::default() }
    }

    /// Behind a translation.
    pub fn genai() -> With {
        With { genai: Some(settings::Genai::default()), ..With::default() }
    }

    pub fn start(self) -> Rig {
        let memory = Arc::new(Memory::new(&self.fold.memory));
        let share = |is_last| Share { memory: Arc::clone(&memory), is_last };
        let fold = Arc::new(FoldChunks::sharing(&self.fold, share(false)));
        let drop = Arc::new(DropSpans::sharing(&self.drop, share(true)));
        let (caught, tap, account) = (Arc::<Caught>::default(), Arc::<Tap>::default(), Account::new("traces"));
        let step = |id: &str, stage: Arc<dyn Stage>| Step { id: id.into(), stage: Some(stage), books: None };
        let mut steps: Vec<Step> = Vec::new();
        if let Some(genai) = &self.genai {
            steps.push(step("genai", Arc::new(Genai::new(genai))));
        }
        steps.push(step("fold_chunks", Arc::clone(&fold) as _));
        steps.push(step("drop", Arc::clone(&drop) as _));
        steps.push(step("tap", Arc::clone(&tap) as _));
        let sink = Sink { id: "caught".into(), exporter: Arc::clone(&caught) as _, enqueue_failed: None };
        let pipeline = Pipeline::new(Signal::Traces, Arc::clone(&account), Vec::new(), steps, vec![sink]);
        let fanout = Fanout::new([Arc::new(pipeline)], Counter::default());
        Rig { fanout, caught, account, fold, drop, tap }
    }
}

impl Rig {
    /// Sends a request, and returns what came out of it, if anything did.
    pub async fn send(&self, body: Bytes) -> Option<Bytes> {
        self.fanout.consume(Signal::Traces, body).await.unwrap();
        assert_eq!(imbalance(&self.account.balances()), None);
        self.caught.0.lock().unwrap().pop()
    }

    /// As [`Rig::send`], with spans.
    pub async fn spans(&self, spans: Vec<Span>) -> Vec<Span> {
        let body = self.send(request(spans)).await;
        body.map(|body| support::spans(&body)).unwrap_or_default()
    }

    /// The only span that comes out for one.
    pub async fn span(&self, span: Span) -> Span {
        let mut out = self.spans(vec![span]).await;
        assert_eq!(out.len(), 1);
        out.remove(0)
    }

    /// The calls that a connector saw.
    pub fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.tap.0.lock().unwrap())
    }

    pub fn folded(&self, kind: Kind) -> u64 {
        self.fold.folded().find(|(of, _)| *of == kind).unwrap().1
    }

    /// Chunks that no span tells of: late, expired, evicted.
    pub fn untold(&self) -> [u64; 3] {
        let untold: Vec<(&str, u64)> = self.fold.untold().collect();
        assert_eq!([untold[0].0, untold[1].0, untold[2].0], ["late", "expired", "evicted"]);
        [untold[0].1, untold[1].1, untold[2].1]
    }
}

/// What does not add up, if anything.
fn imbalance(books: &Balances) -> Option<String> {
    let fates = books.dropped.values().sum::<u64>() + books.refused.values().sum::<u64>() + books.held + books.outgoing;
    let leg = &books.exporters["caught"];
    let adds_up = books.received == fates && leg.given == books.outgoing && leg.exported == books.outgoing;
    (!adds_up).then(|| format!("{books:?}"))
}

pub fn request(spans: Vec<Span>) -> Bytes {
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    Bytes::from(ExportTraceServiceRequest { resource_spans }.encode_to_vec())
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

pub fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

pub fn int(key: &str, value: i64) -> KeyValue {
    attribute(key, Value::IntValue(value))
}

pub fn double(key: &str, value: f64) -> KeyValue {
    attribute(key, Value::DoubleValue(value))
}

pub fn event(name: &str, milliseconds: u64, attributes: Vec<KeyValue>) -> Event {
    Event { name: name.into(), time_unix_nano: at(milliseconds), attributes, ..Event::default() }
}

pub fn link() -> Link {
    Link { trace_id: vec![9; 16], span_id: vec![9; 8], ..Link::default() }
}

pub fn error() -> Option<Status> {
    Some(Status { code: 2, message: "broken pipe".into() })
}

/// So many milliseconds after the beginning of time.
pub fn at(milliseconds: u64) -> u64 {
    1_700_000_000_000_000_000 + milliseconds * 1_000_000
}

/// A span of one trace; a parent of zero is none.
pub fn span(id: u64, parent: u64, name: &str, milliseconds: u64) -> Span {
    Span {
        trace_id: vec![7; 16],
        span_id: id.to_be_bytes().to_vec(),
        parent_span_id: if parent == 0 { Vec::new() } else { parent.to_be_bytes().to_vec() },
        name: name.into(),
        kind: SpanKind::Internal.into(),
        start_time_unix_nano: at(milliseconds),
        end_time_unix_nano: at(milliseconds + 1),
        ..Span::default()
    }
}

/// A server's span, which begins at the beginning of time.
pub fn server(id: u64) -> Span {
    Span { kind: SpanKind::Server.into(), end_time_unix_nano: at(5000), ..span(id, 0, "POST /chat", 0) }
}

/// A message of an ASGI server, as OpenTelemetry's instrumentation writes it.
pub fn asgi(id: u64, parent: u64, message: &str, milliseconds: u64) -> Span {
    let way =
        if ["http.request", "http.disconnect", "websocket.receive"].contains(&message) { "receive" } else { "send" };
    let mut span = span(id, parent, &format!("POST /chat http {way}"), milliseconds);
    span.attributes = vec![text("asgi.event.type", message)];
    span
}

/// The id that a span was made with.
pub fn id(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_be_bytes)
}

/// A span's attribute, for comparison.
pub fn value<'s>(span: &'s Span, key: &str) -> Option<&'s Value> {
    support::attribute(&span.attributes, key).and_then(|value| value.value.as_ref())
}

pub fn count(span: &Span, key: &str) -> Option<i64> {
    match value(span, key) {
        Some(Value::IntValue(count)) => Some(*count),
        None => None,
        other => panic!("{key}: {other:?}"),
    }
}

pub fn seconds(span: &Span, key: &str) -> Option<f64> {
    match value(span, key) {
        Some(Value::DoubleValue(seconds)) => Some(*seconds),
        None => None,
        other => panic!("{key}: {other:?}"),
    }
}

/// What is on a span of what is folded.
pub fn told(span: &Span) -> (Option<i64>, Option<i64>, Option<f64>) {
    (
        count(span, "dragoman.response.chunks"),
        count(span, "dragoman.request.chunks"),
        seconds(span, "dragoman.response.time_to_first_chunk"),
    )
}
