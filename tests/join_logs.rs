//! `join_logs`: the content of a call, where it stands in log records, meets the call's span. In both
//! orders, within bounds, and never at the cost of an item. Time stands still but for what the tests
//! let pass.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail")]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use dragoman::genai::settings::{Genai as Settings, JoinLogs, Target};
use dragoman::metrics::own::{Counter, Counters, Registry, known};
use dragoman::otlp::answer::{Reason, Refusal};
use dragoman::otlp::{Signal, check};
use dragoman::pipeline::account::Account;
use dragoman::pipeline::run::{Fanout, Pipeline, Release, Sink, Step};
use dragoman::pipeline::{Batch, Consumer, Exporter, Permit, Receipt};
use dragoman::processor::drop::DropSpans;
use dragoman::processor::genai::Genai;
use dragoman::processor::join::{Books, Room};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, KeyValueList, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// An exporter that keeps what it gets.
#[derive(Default)]
struct Caught {
    batches: Mutex<Vec<Batch>>,
    is_full: AtomicBool,
}

impl Exporter for Caught {
    fn reserve(&self, _: Signal, _: usize) -> Result<Box<dyn Permit + '_>, Refusal> {
        match self.is_full.load(Ordering::Relaxed) {
            true => Err(Refusal::new(Reason::QueueFull, "full")),
            false => Ok(Box::new(Caught_(self))),
        }
    }
}

struct Caught_<'c>(&'c Caught);

impl Permit for Caught_<'_> {
    fn send(self: Box<Self>, batch: Batch) -> Receipt {
        assert_eq!(check::check(batch.signal, &batch.body).unwrap(), batch.open.items());
        self.0.batches.lock().unwrap().push(batch);
        Receipt::Taken
    }
}

struct Rig {
    fanout: Fanout,
    caught: Arc<Caught>,
    room: Arc<Room>,
    folded: Counter,
    joined: Counter,
    lost: Counters,
    outcomes: Counters,
    received: Mutex<[usize; 2]>,
    accounts: [Arc<Account>; 2],
    dropped_spans: AtomicUsize,
    _stop: tokio_util::sync::DropGuard,
}

/// Rules as the preset has them.
fn sqlite() -> dragoman::processor::settings::Drop {
    use dragoman::processor::settings::{Drop, DropRule, Pattern};
    let attributes = vec![("db.system".to_owned(), Pattern::Exact("sqlite".to_owned()))];
    Drop { rules: vec![DropRule { attributes, ..DropRule::default() }], ..Drop::default() }
}

const WAIT: Duration = Duration::from_secs(10);

impl Rig {
    fn new(target: Target, settings: JoinLogs) -> Rig {
        let own = Registry::new();
        let caught = Arc::<Caught>::default();
        let joined = known::dropped_log_records(&own).with(&["genai", "joined"]);
        let folded = known::dropped_log_records(&own).with(&["genai", "folded"]);
        let (outcomes, lost) = (known::join_items(&own), known::join_lost_items(&own));
        let books = Books {
            outcomes: outcomes.clone(),
            joined: joined.clone(),
            lost: lost.clone(),
            processor: "genai".to_owned(),
        };
        let room = Arc::new(Room::new(settings, books));
        let pipelines = [Signal::Traces, Signal::Logs].map(|signal| {
            let genai = Genai::new(&Settings { target, ..Settings::default() });
            let genai = genai.counting_folded(folded.clone()).joining(Arc::clone(&room));
            let books = Some(known::Processor::new(&own, "genai", signal));
            let steps = vec![
                Step { id: "genai".into(), stage: Some(Arc::new(genai)), books },
                Step { id: "drop/sqlite".into(), stage: Some(Arc::new(DropSpans::new(&sqlite()))), books: None },
            ];
            let sink = Sink { id: "caught".into(), exporter: Arc::clone(&caught) as _, enqueue_failed: None };
            let account = Account::new(signal.name());
            let pipeline = Arc::new(Pipeline::new(signal, account, Vec::new(), steps, vec![sink]));
            room.leads_to(signal, Arc::new(Release::new(&pipeline, 0, Counter::default())));
            pipeline
        });
        let accounts = pipelines.each_ref().map(|pipeline| Arc::clone(pipeline.account()));
        let stop = CancellationToken::new();
        drop(tokio::spawn(Arc::clone(&room).run(stop.clone())));
        let fanout = Fanout::new(pipelines, Counter::default());
        let _stop = stop.drop_guard();
        Rig {
            fanout,
            caught,
            room,
            folded,
            joined,
            lost,
            outcomes,
            received: Mutex::default(),
            accounts,
            dropped_spans: AtomicUsize::new(0),
            _stop,
        }
    }

    fn joining() -> Rig {
        Rig::new(Target::V1_41, JoinLogs { wait_duration: WAIT, ..JoinLogs::default() })
    }

    async fn send(&self, signal: Signal, body: Bytes) {
        let items = self.fanout.consume(signal, body).await.unwrap();
        self.received.lock().unwrap()[usize::from(signal == Signal::Logs)] += items;
        self.balance();
        settle().await;
        self.balance();
    }

    async fn spans(&self, spans: Vec<Span>) {
        self.send(Signal::Traces, traces(spans)).await;
    }

    async fn logs(&self, scope: &str, records: Vec<LogRecord>) {
        self.send(Signal::Logs, logs(scope, records)).await;
    }

    /// received = exported + dropped + held + lost, for both signals.
    fn balance(&self) {
        let batches = self.caught.batches.lock().unwrap();
        let exported =
            |signal| batches.iter().filter(|batch| batch.signal == signal).map(|batch| batch.open.items()).sum();
        let lost = |signal: Signal| self.lost.with(&["genai", signal.name(), "shutdown"]).get() as usize;
        let [spans, logs] = *self.received.lock().unwrap();
        let exported_spans: usize = exported(Signal::Traces);
        let dropped = self.dropped_spans.load(Ordering::Relaxed);
        assert_eq!(spans, exported_spans + dropped + self.room.held(Signal::Traces) + lost(Signal::Traces), "spans");
        let dropped = (self.folded.get() + self.joined.get()) as usize;
        let exported_logs: usize = exported(Signal::Logs);
        assert_eq!(logs, exported_logs + dropped + self.room.held(Signal::Logs) + lost(Signal::Logs), "log records");
        for (account, (received, held)) in
            self.accounts.iter().zip([(spans, self.room.held(Signal::Traces)), (logs, self.room.held(Signal::Logs))])
        {
            let books = account.balances();
            let dropped: u64 = books.dropped.values().sum();
            let refused: u64 = books.refused.values().sum();
            assert_eq!((books.received - refused, books.held), (received as u64, held as u64), "{books:?}");
            assert_eq!(books.received, dropped + refused + books.held + books.outgoing, "{books:?}");
        }
    }

    fn outcome(&self, signal: Signal, outcome: &str) -> u64 {
        self.outcomes.with(&["genai", signal.name(), outcome]).get()
    }

    fn sent_spans(&self) -> Vec<Value> {
        let batches = self.caught.batches.lock().unwrap();
        let bodies = batches.iter().filter(|batch| batch.signal == Signal::Traces).map(|batch| batch.body.clone());
        let requests = bodies.map(|body| ExportTraceServiceRequest::decode(body).unwrap());
        let scopes = requests.flat_map(|request| request.resource_spans).flat_map(|resource| {
            assert_eq!(resource.resource.unwrap().attributes[0].key, "service.name");
            resource.scope_spans
        });
        scopes
            .flat_map(|scope| {
                assert_eq!(scope.scope.unwrap().name, "scope.of.spans");
                scope.spans
            })
            .map(|span| attributes(&span.attributes))
            .collect()
    }

    fn sent_logs(&self) -> Vec<LogRecord> {
        let batches = self.caught.batches.lock().unwrap();
        let bodies = batches.iter().filter(|batch| batch.signal == Signal::Logs).map(|batch| batch.body.clone());
        let requests = bodies.map(|body| ExportLogsServiceRequest::decode(body).unwrap());
        let scopes = requests.flat_map(|request| request.resource_logs).flat_map(|resource| resource.scope_logs);
        scopes.flat_map(|scope| scope.log_records).collect()
    }
}

/// Lets the room's task do what it can do without time passing.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

async fn pass(duration: Duration) {
    tokio::time::advance(duration).await;
    settle().await;
}

fn any(value: &Value) -> AnyValue {
    let value = match value {
        Value::String(text) => any_value::Value::StringValue(text.clone()),
        Value::Number(number) => any_value::Value::IntValue(number.as_i64().unwrap()),
        Value::Array(list) => {
            let values = list.iter().map(any).collect();
            any_value::Value::ArrayValue(opentelemetry_proto::tonic::common::v1::ArrayValue { values })
        }
        Value::Object(members) => any_value::Value::KvlistValue(KeyValueList {
            values: members.iter().map(|(key, value)| entry(key, value)).collect(),
        }),
        other => panic!("{other}"),
    };
    AnyValue { value: Some(value) }
}

fn entry(key: &str, value: &Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(any(value)), ..KeyValue::default() }
}

fn entries(attributes: &Value) -> Vec<KeyValue> {
    attributes.as_object().unwrap().iter().map(|(key, value)| entry(key, value)).collect()
}

/// Texts and numbers; lists in JSON are taken apart.
fn attributes(entries: &[KeyValue]) -> Value {
    let tree = |entry: &KeyValue| match entry.value.clone().unwrap().value.unwrap() {
        any_value::Value::StringValue(text) => match text.starts_with('[') {
            true => serde_json::from_str(&text).unwrap(),
            false => json!(text),
        },
        any_value::Value::IntValue(number) => json!(number),
        any_value::Value::ArrayValue(list) => json!(list.values.len()),
        other => json!(format!("{other:?}")),
    };
    Value::Object(entries.iter().map(|entry| (entry.key.clone(), tree(entry))).collect())
}

fn call(id: u8) -> Span {
    Span {
        trace_id: vec![1; 16],
        span_id: vec![id; 8],
        name: "chat gpt-4o".to_owned(),
        kind: 3,
        attributes: entries(&json!({
            "gen_ai.operation.name": "chat",
            "gen_ai.system": "openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.usage.input_tokens": 17,
        })),
        ..Span::default()
    }
}

fn traces(spans: Vec<Span>) -> Bytes {
    let resource = Resource { attributes: entries(&json!({"service.name": "shop"})), ..Resource::default() };
    let scope = InstrumentationScope { name: "scope.of.spans".to_owned(), ..Default::default() };
    let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { resource: Some(resource), scope_spans, ..Default::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec().into()
}

fn logs(scope: &str, log_records: Vec<LogRecord>) -> Bytes {
    let scope = InstrumentationScope { name: scope.to_owned(), ..Default::default() };
    let scope_logs = vec![ScopeLogs { scope: Some(scope), log_records, ..ScopeLogs::default() }];
    let resource_logs = vec![ResourceLogs { scope_logs, ..Default::default() }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec().into()
}

fn record(id: u8, name: &str, attributes: Value, body: Value) -> LogRecord {
    LogRecord {
        trace_id: vec![1; 16],
        span_id: vec![id; 8],
        event_name: name.to_owned(),
        attributes: entries(&attributes),
        body: (!body.is_null()).then(|| any(&body)),
        ..LogRecord::default()
    }
}

fn prompt(id: u8) -> LogRecord {
    record(id, "gen_ai.user.message", json!({"gen_ai.system": "openai"}), json!({"content": "Hi"}))
}

fn choice(id: u8) -> LogRecord {
    let body = json!({"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello"}});
    record(id, "gen_ai.choice", json!({"gen_ai.system": "openai"}), body)
}

const OPENAI: &str = "opentelemetry.instrumentation.openai_v2";

fn said() -> (Value, Value) {
    (
        json!([{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]),
        json!([{"role": "assistant", "parts": [{"type": "text", "content": "Hello"}], "finish_reason": "stop"}]),
    )
}

fn assert_joined(span: &Value) {
    let (input, output) = said();
    assert_eq!(span["gen_ai.input.messages"], input);
    assert_eq!(span["gen_ai.output.messages"], output);
    assert_eq!((&span["gen_ai.provider.name"], &span["gen_ai.system"]), (&json!("openai"), &Value::Null));
    assert_eq!(span["gen_ai.usage.input_tokens"], 17);
}

#[tokio::test(start_paused = true)]
async fn content_and_span_meet_whichever_comes_first() {
    for target in [Target::V1_41, Target::Main] {
        for order in 0..3 {
            let rig = Rig::new(target, JoinLogs { wait_duration: WAIT, ..JoinLogs::default() });
            match order {
                0 => {
                    rig.logs(OPENAI, vec![prompt(2), choice(2)]).await;
                    assert!(rig.caught.batches.lock().unwrap().is_empty());
                    assert_eq!(rig.room.held(Signal::Logs), 2);
                    rig.spans(vec![call(2)]).await;
                }
                1 => {
                    rig.spans(vec![call(2)]).await;
                    assert_eq!(rig.room.held(Signal::Traces), 1);
                    rig.logs(OPENAI, vec![prompt(2), choice(2)]).await;
                }
                // Between them, in requests of their own.
                _ => {
                    rig.logs(OPENAI, vec![prompt(2)]).await;
                    rig.spans(vec![call(2)]).await;
                    rig.logs(OPENAI, vec![choice(2)]).await;
                }
            }
            let spans = rig.sent_spans();
            assert_eq!(spans.len(), 1, "order {order}");
            assert_joined(&spans[0]);
            assert_eq!((rig.sent_logs().len(), rig.joined.get()), (0, 2));
            assert_eq!(rig.outcome(Signal::Traces, "joined"), 1);
            assert_eq!((rig.room.held(Signal::Traces), rig.room.held(Signal::Logs)), (0, 0));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn when_the_wait_ends_everything_goes_on_with_what_came() {
    let rig = Rig::joining();
    rig.spans(vec![call(2), call(3)]).await;
    rig.logs(OPENAI, vec![prompt(3), prompt(4), choice(4)]).await;
    pass(WAIT - Duration::from_millis(1)).await;
    assert!(rig.caught.batches.lock().unwrap().is_empty());
    pass(Duration::from_millis(2)).await;
    rig.balance();
    let spans = rig.sent_spans();
    assert_eq!(spans.len(), 2);
    let with_prompt: Vec<_> = spans.iter().filter(|span| span.get("gen_ai.input.messages").is_some()).collect();
    assert_eq!(with_prompt.len(), 1);
    assert_eq!(with_prompt[0]["gen_ai.input.messages"], said().0);
    assert!(spans.iter().all(|span| span["gen_ai.provider.name"] == "openai"));
    // Those of a span that never came become what they become without the option.
    let records = rig.sent_logs();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].event_name, "gen_ai.client.inference.operation.details");
    assert_eq!((rig.folded.get(), rig.joined.get()), (1, 1));
    let outcomes = ["partly_joined", "alone"].map(|outcome| rig.outcome(Signal::Traces, outcome));
    assert_eq!((outcomes, rig.outcome(Signal::Logs, "alone")), ([1, 1], 2));
    assert_eq!((rig.room.held(Signal::Traces), rig.room.held(Signal::Logs)), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn one_side_of_a_conversation_is_not_all_of_it() {
    for (first, second) in [(choice(2), prompt(2)), (prompt(2), choice(2))] {
        let rig = Rig::joining();
        rig.spans(vec![call(2)]).await;
        rig.logs(OPENAI, vec![first]).await;
        assert_eq!(rig.room.held(Signal::Traces), 1);
        rig.logs(OPENAI, vec![second]).await;
        assert_joined(&rig.sent_spans()[0]);
    }
}

#[tokio::test(start_paused = true)]
async fn only_what_may_have_another_half_waits() {
    let rig = Rig::joining();
    let attribute = |mut span: Span, key: &str, value: Value| {
        span.attributes.retain(|entry| entry.key != key);
        span.attributes.push(entry(key, &value));
        span
    };
    let with_content = attribute(call(2), "gen_ai.prompt.0.content", json!("Hi"));
    let embeddings = attribute(call(3), "gen_ai.operation.name", json!("embeddings"));
    let foreign = Span { attributes: entries(&json!({"http.method": "GET"})), ..call(4) };
    let agent = attribute(call(5), "gen_ai.operation.name", json!("invoke_agent"));
    let without_id = Span { span_id: vec![], ..call(6) };
    rig.spans(vec![with_content, embeddings, foreign, agent, without_id]).await;
    assert_eq!(rig.sent_spans().len(), 5);
    let nothing_captured = record(2, "gen_ai.user.message", json!({"gen_ai.system": "openai"}), Value::Null);
    let without_id = LogRecord { span_id: vec![], ..prompt(2) };
    let line = record(2, "", json!({}), json!("a line of text"));
    rig.logs(OPENAI, vec![nothing_captured, without_id, line]).await;
    assert_eq!(rig.sent_logs().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_span_that_waits_is_not_a_dropped_one() {
    let rig = Rig::joining();
    let below = |id: u8, parent: u8, attributes: Value| Span {
        parent_span_id: vec![parent; 8],
        attributes: entries(&attributes),
        ..call(id)
    };
    let noise = below(3, 2, json!({"db.system": "sqlite"}));
    let child = below(4, 2, json!({"http.method": "GET"}));
    let grandchild = below(5, 3, json!({"http.method": "POST"}));
    rig.dropped_spans.store(1, Ordering::Relaxed);
    rig.spans(vec![call(2), noise, child, grandchild]).await;
    pass(WAIT + Duration::from_secs(1)).await;
    rig.balance();
    let batches = rig.caught.batches.lock().unwrap();
    let requests = batches.iter().map(|batch| ExportTraceServiceRequest::decode(batch.body.clone()).unwrap());
    let scopes = requests.flat_map(|request| request.resource_spans).flat_map(|resource| resource.scope_spans);
    let spans: Vec<Span> = scopes.flat_map(|scope| scope.spans).collect();
    let parents: Vec<(u8, u8)> =
        spans.iter().map(|span| (span.span_id[0], span.parent_span_id.first().copied().unwrap_or(0))).collect();
    assert_eq!(parents, [(4, 2), (5, 2), (2, 0)]);
}

#[tokio::test(start_paused = true)]
async fn over_a_bound_items_go_through_at_once() {
    let bounds = [
        JoinLogs { wait_duration: WAIT, max_items: 2, ..JoinLogs::default() },
        JoinLogs { wait_duration: WAIT, max_bytes: 1100, ..JoinLogs::default() },
    ];
    for settings in bounds {
        let rig = Rig::new(Target::V1_41, settings);
        rig.spans(vec![call(2), call(3), call(4)]).await;
        let sent = rig.sent_spans().len();
        assert!(rig.room.held(Signal::Traces) > 0 && sent > 0, "{settings:?}: {sent}");
        assert_eq!(rig.outcome(Signal::Traces, "no_room"), sent as u64);
        // There is room again once something left.
        pass(WAIT + Duration::from_millis(1)).await;
        assert_eq!(rig.sent_spans().len(), 3);
        rig.spans(vec![call(5)]).await;
        assert_eq!(rig.room.held(Signal::Traces), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn of_events_of_which_some_find_no_room_none_is_lost() {
    let rig = Rig::new(Target::V1_41, JoinLogs { wait_duration: WAIT, max_items: 1, ..JoinLogs::default() });
    rig.logs(OPENAI, vec![prompt(2), prompt(2), choice(2)]).await;
    // One waits, two are folded into one.
    assert_eq!((rig.room.held(Signal::Logs), rig.sent_logs().len(), rig.folded.get()), (1, 1, 1));
    pass(WAIT + Duration::from_millis(1)).await;
    rig.balance();
    // A list of a record shows here as how many it holds.
    let messages = |record: &LogRecord| {
        let all = attributes(&record.attributes);
        ["gen_ai.input.messages", "gen_ai.output.messages"]
            .map(|key| all[key].as_u64().unwrap_or(0))
            .iter()
            .sum::<u64>()
    };
    assert_eq!(rig.sent_logs().iter().map(messages).sum::<u64>(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_no_exporter_has_room_for_is_held_and_tried_again() {
    let rig = Rig::joining();
    rig.spans(vec![call(2)]).await;
    rig.logs(OPENAI, vec![prompt(2)]).await;
    rig.caught.is_full.store(true, Ordering::Relaxed);
    pass(WAIT + Duration::from_secs(1)).await;
    rig.balance();
    assert_eq!((rig.room.held(Signal::Traces), rig.room.held(Signal::Logs)), (1, 1));
    rig.caught.is_full.store(false, Ordering::Relaxed);
    pass(Duration::from_secs(1)).await;
    rig.balance();
    assert_eq!(rig.sent_spans()[0]["gen_ai.input.messages"], said().0);
}

#[tokio::test(start_paused = true)]
async fn at_the_end_everything_goes_on_and_what_cannot_is_counted() {
    let rig = Rig::joining();
    rig.spans(vec![call(2), call(3)]).await;
    rig.logs(OPENAI, vec![prompt(3), prompt(4)]).await;
    let lost = rig.room.close(tokio::time::Instant::now() + Duration::from_secs(5)).await;
    assert_eq!((lost, rig.sent_spans().len(), rig.sent_logs().len()), (0, 2, 1));
    rig.balance();

    let rig = Rig::joining();
    rig.spans(vec![call(2)]).await;
    rig.logs(OPENAI, vec![prompt(2), prompt(4)]).await;
    rig.caught.is_full.store(true, Ordering::Relaxed);
    let lost = rig.room.close(tokio::time::Instant::now() + Duration::from_secs(5)).await;
    assert_eq!(lost, 3);
    rig.balance();
    assert_eq!((rig.room.held(Signal::Traces), rig.room.held(Signal::Logs)), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_refused_request_leaves_nothing_behind() {
    let rig = Rig::joining();
    let mut body = traces(vec![call(2)]).to_vec();
    body.extend_from_slice(&[0x0a, 0xff]);
    rig.fanout.consume(Signal::Traces, body.into()).await.unwrap_err();
    assert_eq!(rig.room.held(Signal::Traces), 0);
    // Neither an item nor its room: as many as fit still fit.
    let settings = JoinLogs { wait_duration: WAIT, max_items: 1, ..JoinLogs::default() };
    let rig = Rig::new(Target::V1_41, settings);
    let mut body = traces(vec![call(2)]).to_vec();
    body.extend_from_slice(&[0x0a, 0xff]);
    rig.fanout.consume(Signal::Traces, body.into()).await.unwrap_err();
    rig.spans(vec![call(3)]).await;
    assert_eq!(rig.room.held(Signal::Traces), 1);
}

#[tokio::test(start_paused = true)]
async fn a_span_that_is_exported_twice_goes_on_twice() {
    let rig = Rig::joining();
    rig.spans(vec![call(2)]).await;
    rig.spans(vec![call(2)]).await;
    rig.logs(OPENAI, vec![prompt(2), choice(2)]).await;
    let spans = rig.sent_spans();
    assert_eq!(spans.len(), 2);
    assert_eq!(spans.iter().filter(|span| span.get("gen_ai.input.messages").is_some()).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_record_says_beside_its_content_goes_with_its_message() {
    let rig = Rig::joining();
    let mut with_more = prompt(2);
    with_more.attributes.push(entry("thread.name", &json!("main")));
    rig.logs(OPENAI, vec![with_more, choice(2)]).await;
    rig.spans(vec![call(2)]).await;
    assert_eq!(rig.sent_spans()[0]["gen_ai.input.messages"][0]["thread.name"], "main");
}

#[tokio::test(start_paused = true)]
async fn spring_ais_records() {
    let rig = Rig::joining();
    let logger = |name: &str| format!("org.springframework.ai.chat.observation.{name}ObservationHandler");
    let line = |body: &str| record(2, "", json!({}), json!(body));
    rig.logs(&logger("ChatModelPromptContent"), vec![line("Chat Model Prompt Content:\n[\"Be terse.\", \"Hi\"]\n")])
        .await;
    // Not escaped, so that it is no JSON.
    rig.logs(&logger("ChatModelCompletion"), vec![line("Chat Model Completion:\n[\"say \"Hello\"\"]\n")]).await;
    rig.spans(vec![call(2)]).await;
    let span = &rig.sent_spans()[0];
    let contents = |key: &str| -> Vec<String> {
        let messages = span[key].as_array().unwrap();
        messages.iter().map(|message| message["parts"][0]["content"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(contents("gen_ai.input.messages"), ["Be terse.", "Hi"]);
    assert_eq!(contents("gen_ai.output.messages"), ["say \"Hello\""]);
    assert_eq!(rig.joined.get(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_records_into_which_awss_distribution_moves_content() {
    let rig = Rig::joining();
    let body = json!({
        "input": {"messages": [{"role": "system", "content": "Be terse."}, {"role": "user", "content": "Hi"}]},
        "output": {"messages": [{"role": "assistant", "content": "Hello"}]},
    });
    rig.logs("strands.telemetry.tracer", vec![record(2, "strands.telemetry.tracer", json!({}), body)]).await;
    rig.spans(vec![call(2)]).await;
    let span = &rig.sent_spans()[0];
    assert_eq!(span["gen_ai.input.messages"][1], said().0[0]);
    assert_eq!(span["gen_ai.output.messages"][0]["parts"], said().1[0]["parts"]);
    assert_eq!(rig.sent_logs().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn claude_codes_bodies_are_copied_for_they_say_more() {
    let rig = Rig::joining();
    let request = json!({
        "model": "claude-sonnet-4",
        "max_tokens": 100,
        "system": [{"type": "text", "text": "Be terse."}],
        "messages": [{"role": "user", "content": "Hi"}],
    });
    let response = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "stop_reason": "end_turn",
        "content": [{"type": "text", "text": "Hello"}], "usage": {"input_tokens": 17},
    });
    let body = |name: &str, body: &Value| record(2, name, json!({"body": body.to_string()}), Value::Null);
    let cut_off = record(2, "claude_code.api_request_body", json!({"body": "{\"messages\": [{\"ro"}), Value::Null);
    let records =
        vec![body("claude_code.api_request_body", &request), body("claude_code.api_response_body", &response), cut_off];
    rig.logs("com.anthropic.claude_code.events", records.clone()).await;
    rig.spans(vec![call(2)]).await;
    let span = &rig.sent_spans()[0];
    assert_eq!(span["gen_ai.system_instructions"], json!([{"type": "text", "content": "Be terse."}]));
    assert_eq!(span["gen_ai.input.messages"], said().0);
    assert_eq!(span["gen_ai.output.messages"], said().1);
    let sent = rig.sent_logs();
    assert!(sent.len() == 3 && records.iter().all(|record| sent.contains(record)), "{sent:?}");
    assert_eq!((rig.joined.get(), rig.outcome(Signal::Logs, "copied")), (0, 2));
}
