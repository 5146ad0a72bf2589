//! Dropping leaves no orphans, on recorded servers and on every order in which parents and
//! children can arrive.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail")]

mod support;

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use dragoman::otlp::traces;
use dragoman::otlp::traces::Visitor;
use dragoman::pipeline::{Context, Stage};
use dragoman::processor::drop::DropSpans;
use dragoman::processor::settings::{Drop, DropMemory, DropRule, Pattern};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;
use support::{cases, requests, spans, text};

fn sqlite() -> Drop {
    Drop { rules: DropRule::sqlite(), keep_errors: false, memory: DropMemory::default() }
}

fn run(stage: &DropSpans, body: &Bytes) -> Bytes {
    struct One<'s>(Box<dyn dragoman::pipeline::Pass + Send + 's>, &'s Bytes);
    impl Visitor for One<'_> {
        fn span(&mut self, span: &mut dragoman::otlp::span::Span<'_>, origin: &traces::Origin<'_>) {
            self.0.span(span, &mut Context { origin, body: self.1, call: None });
        }
        fn finish(&mut self, spans: &mut traces::Spans) {
            self.0.finish(spans);
        }
    }
    let mut pass = One(stage.pass(), body);
    let outcome = traces::edit(body, &mut pass).unwrap();
    pass.0.commit();
    outcome.body
}

fn is_sqlite(span: &Span) -> bool {
    ["db.system", "db.system.name"].iter().any(|key| text(&span.attributes, key) == Some("sqlite"))
}

/// Replays a recorded server, all cases in order, and checks what every backend would see.
#[tokio::test(start_paused = true)]
async fn recorded_servers_lose_their_sqlite_spans_and_nothing_else() {
    for emitter in [
        "llama-stack-0.4.4",
        "llama-stack-0.7.2-optin",
        "app-otel-0.66b1-default",
        "app-otel-0.66b1-database-dup",
        "app-otel-0.66b1-no-threading",
        "sqlite-app-openllmetry-0.49.6",
        "sqlite-app-dbdup-genai-openai-1.3b0",
    ] {
        let stage = DropSpans::new(&sqlite());
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for case in cases(emitter) {
            for body in requests(&case, "traces.pb") {
                before.extend(spans(&body));
                after.extend(spans(&run(&stage, &body)));
            }
        }
        let dropped: Vec<&Span> = before.iter().filter(|span| is_sqlite(span)).collect();
        assert!(dropped.len() > 4, "{emitter} has sqlite noise");
        assert_eq!(before.len() - dropped.len(), after.len(), "{emitter}: only sqlite spans go");
        assert!(!after.iter().any(is_sqlite), "{emitter}");
        assert_eq!(stage.counts().dropped.load(Ordering::Relaxed), dropped.len() as u64, "{emitter}");

        let dropped: HashSet<(&[u8], &[u8])> =
            dropped.iter().map(|span| (&span.trace_id[..], &span.span_id[..])).collect();
        for span in &after {
            assert!(
                !dropped.contains(&(&span.trace_id[..], &span.parent_span_id[..])),
                "{emitter}: {} is an orphan",
                span.name
            );
        }
        let kept: Vec<&Span> = before.iter().filter(|span| !is_sqlite(span)).collect();
        assert_eq!(kept, after.iter().collect::<Vec<_>>(), "{emitter}: what stays is untouched");
    }
}

#[test]
fn other_databases_with_the_same_names_and_scopes_stay() {
    let stage = DropSpans::new(&sqlite());
    let systems = |body: &Bytes| -> HashSet<String> {
        spans(body).iter().filter_map(|span| text(&span.attributes, "db.system").map(str::to_owned)).collect()
    };
    let mut seen = HashSet::new();
    for case in cases("app-otel-0.66b1-default") {
        for body in requests(&case, "traces.pb") {
            seen.extend(systems(&run(&stage, &body)));
        }
    }
    assert_eq!(seen, HashSet::from(["postgresql".to_owned(), "redis".to_owned()]));
}

// --- hand-made trees -------------------------------------------------------------------------

fn span(id: u8, parent: u8, name: &str, system: Option<&str>) -> Span {
    let attributes = system
        .map(|system| KeyValue {
            key: "db.system".into(),
            value: Some(AnyValue { value: Some(any_value::Value::StringValue(system.into())) }),
            ..KeyValue::default()
        })
        .into_iter()
        .collect();
    Span {
        trace_id: vec![7; 16],
        span_id: vec![id; 8],
        parent_span_id: if parent == 0 { vec![] } else { vec![parent; 8] },
        name: name.into(),
        attributes,
        ..Span::default()
    }
}

fn request(spans: Vec<Span>) -> Bytes {
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    Bytes::from(ExportTraceServiceRequest { resource_spans }.encode_to_vec())
}

fn parents(body: &[u8]) -> Vec<(u8, u8)> {
    spans(body).iter().map(|span| (span.span_id[0], span.parent_span_id.first().copied().unwrap_or(0))).collect()
}

#[test]
fn a_child_moves_to_the_nearest_kept_ancestor_wherever_it_stands() {
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
        let tree = [
            span(1, 0, "request", None),
            span(2, 1, "connect", Some("sqlite")),
            span(3, 2, "PRAGMA", Some("sqlite")),
            span(4, 3, "work", None),
        ];
        let body = request(order.iter().map(|index| tree[*index].clone()).collect());
        let mut parents = parents(&run(&DropSpans::new(&sqlite()), &body));
        parents.sort_unstable();
        assert_eq!(parents, [(1, 0), (4, 1)], "order {order:?}");
    }
}

#[test]
fn children_of_a_dropped_root_become_roots() {
    let body = request(vec![span(1, 0, "connect", Some("sqlite")), span(2, 1, "work", None)]);
    assert_eq!(parents(&run(&DropSpans::new(&sqlite()), &body)), [(2, 0)]);
}

#[test]
fn a_dropped_parent_of_an_earlier_request_is_remembered() {
    let stage = DropSpans::new(&sqlite());
    let first = run(&stage, &request(vec![span(2, 1, "connect", Some("sqlite"))]));
    assert!(first.is_empty(), "nothing is left to send");
    let second = run(&stage, &request(vec![span(3, 2, "SELECT", Some("sqlite")), span(4, 3, "work", None)]));
    assert_eq!(parents(&second), [(4, 1)]);
    assert_eq!(stage.counts().reparented_from_memory.load(Ordering::Relaxed), 1);
}

#[test]
fn a_parent_whose_child_has_gone_out_already_is_kept() {
    let stage = DropSpans::new(&sqlite());
    assert_eq!(parents(&run(&stage, &request(vec![span(4, 3, "work", None)]))), [(4, 3)]);
    let late = run(&stage, &request(vec![span(3, 2, "SELECT", Some("sqlite")), span(2, 1, "connect", Some("sqlite"))]));
    assert_eq!(parents(&late), [(3, 1)], "the awaited span stays, and its own dropped parent is mended");
    assert_eq!(stage.counts().spared.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn what_the_memory_gave_up_is_counted() {
    let memory = DropMemory { max_spans: 2, ttl: Duration::from_secs(60) };
    let stage = DropSpans::new(&Drop { memory, ..sqlite() });
    run(&stage, &request((10..14).map(|id| span(id, 1, "SELECT", Some("sqlite"))).collect()));
    assert_eq!(stage.counts().forgotten.load(Ordering::Relaxed), 2);

    let stage = DropSpans::new(&sqlite());
    run(&stage, &request(vec![span(2, 1, "connect", Some("sqlite"))]));
    tokio::time::advance(DropMemory::default().ttl + Duration::from_secs(1)).await;
    let late = run(&stage, &request(vec![span(4, 2, "work", None)]));
    assert_eq!(parents(&late), [(4, 2)], "beyond the stated seconds nothing is known");
}

#[test]
fn a_cycle_of_dropped_spans_ends_and_is_counted() {
    let stage = DropSpans::new(&sqlite());
    let body =
        request(vec![span(2, 3, "a", Some("sqlite")), span(3, 2, "b", Some("sqlite")), span(4, 2, "work", None)]);
    assert_eq!(parents(&run(&stage, &body)), [(4, 2)]);
    assert_eq!(stage.counts().unmended.load(Ordering::Relaxed), 1);
}

#[test]
fn failed_spans_stay_where_asked() {
    let mut failed = span(2, 1, "INSERT", Some("sqlite"));
    failed.status = Some(Status { code: 2, message: "UNIQUE constraint failed".into() });
    let body = request(vec![failed]);
    assert!(run(&DropSpans::new(&sqlite()), &body).is_empty());
    let kept = run(&DropSpans::new(&Drop { keep_errors: true, ..sqlite() }), &body);
    assert_eq!(kept, body, "untouched, byte for byte");
}

#[test]
fn every_part_of_a_rule_must_match() {
    let rule = |name: &str, system: &str| DropRule {
        name: Some(Pattern::Regex(regex::Regex::new(name).unwrap())),
        attributes: vec![("db.system".into(), Pattern::Exact(system.into()))],
        ..DropRule::default()
    };
    let body = request(vec![span(2, 1, "SET key", Some("redis"))]);
    let survives = |rule: DropRule| {
        let stage = DropSpans::new(&Drop { rules: vec![rule], ..Drop::default() });
        !run(&stage, &body).is_empty()
    };
    assert!(!survives(rule("^SET ", "redis")));
    assert!(survives(rule("^GET ", "redis")));
    assert!(survives(rule("^SET ", "sqlite")));
    assert!(survives(DropRule::default()), "a rule that names nothing matches nothing");
}
