//! The ledger's rules, one by one, each in every order of arrival.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::cloned_ref_to_slice_refs, reason = "requests of one span read as requests")]

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use dragoman::metrics::call::{Call, Usage};
use dragoman::metrics::ledger::{Direction, Ledger, LedgerWindow, Recorder, Suppressed};
use dragoman::otlp::span::Kind;
use dragoman::otlp::{SpanId, TraceId};
use proptest::prelude::*;

const LONG_ID: &str = "chatcmpl-AzKq3Zt9mTdW2fXb7cYvLpR8sNu4e";
const OTHER_ID: &str = "msg_01XFDUDYJgAACzvnptvVoYEL";

/// A span: of a call, or of something between calls.
#[derive(Debug, Clone)]
struct Item {
    call: Call,
    /// Whether the span is a GenAI operation at all.
    says_call: bool,
}

fn trace(n: u64) -> Option<TraceId> {
    TraceId::from_bytes(&u128::from(n).to_be_bytes())
}

fn span(n: u64) -> Option<SpanId> {
    SpanId::from_bytes(&n.to_be_bytes())
}

/// A chat of 100 input and 20 output tokens, from second 10 to second 20, in trace 1.
fn chat(id: u64) -> Item {
    let call = Call {
        trace_id: trace(1),
        span_id: span(id),
        parent_span_id: None,
        kind: Kind::Client,
        service: "app".into(),
        operation: "chat".into(),
        provider: "openai".into(),
        request_model: "gpt-4o-mini".into(),
        response_model: "gpt-4o-mini-2024-07-18".into(),
        response_id: String::new(),
        server_address: String::new(),
        server_port: None,
        error_type: None,
        usage: Usage { input: Some(100), output: Some(20), ..Usage::default() },
        start_time_unix_nano: 10_000_000_000,
        end_time_unix_nano: 20_000_000_000,
        time_to_first_chunk: None,
        content: 0,
    };
    Item { call, says_call: true }
}

/// A span that is no GenAI operation.
fn hop(id: u64) -> Item {
    Item { says_call: false, ..chat(id) }
}

impl Item {
    fn of(mut self, change: impl FnOnce(&mut Call)) -> Item {
        change(&mut self.call);
        self
    }

    fn trace(self, n: u64) -> Item {
        self.of(|call| call.trace_id = trace(n))
    }

    fn under(self, parent: u64) -> Item {
        self.of(|call| call.parent_span_id = span(parent))
    }

    fn id(self, id: &str) -> Item {
        self.of(|call| call.response_id = id.into())
    }

    fn kind(self, kind: Kind) -> Item {
        self.of(|call| call.kind = kind)
    }

    fn service(self, service: &str) -> Item {
        self.of(|call| call.service = service.into())
    }

    fn operation(self, operation: &str) -> Item {
        self.of(|call| call.operation = operation.into())
    }

    fn model(self, model: &str) -> Item {
        self.of(|call| {
            call.request_model = model.into();
            call.response_model = String::new();
        })
    }

    fn usage(self, input: u64, output: u64) -> Item {
        self.of(|call| call.usage = Usage { input: Some(input), output: Some(output), ..Usage::default() })
    }

    fn no_usage(self) -> Item {
        self.of(|call| call.usage = Usage::default())
    }

    fn at(self, start: u64, end: u64) -> Item {
        self.of(|call| {
            call.start_time_unix_nano = start * 1_000_000_000;
            call.end_time_unix_nano = end * 1_000_000_000;
        })
    }

    fn failed(self) -> Item {
        self.no_usage().of(|call| call.error_type = Some("RateLimitError".into()))
    }
}

#[derive(Debug, Default, Clone, PartialEq)]
struct Counted {
    input: u64,
    output: u64,
    durations: usize,
    suppressed: BTreeMap<&'static str, usize>,
    /// The services for which tokens were counted.
    services: Vec<String>,
}

#[derive(Default)]
struct Totals(Mutex<Counted>);

impl Recorder for Totals {
    fn tokens(&self, call: &Call, direction: Direction, tokens: u64) {
        let mut counted = self.0.lock().unwrap();
        match direction {
            Direction::Input => {
                counted.input += tokens;
                counted.services.push(call.service.clone());
            }
            Direction::Output => counted.output += tokens,
        }
    }

    fn duration(&self, _: &Call) {
        self.0.lock().unwrap().durations += 1;
    }

    fn suppressed(&self, _: &Call, reason: Suppressed) {
        *self.0.lock().unwrap().suppressed.entry(reason.name()).or_default() += 1;
    }
}

fn send(ledger: &Ledger, totals: &Totals, request: &[Item]) {
    let mut sightings = ledger.sightings();
    for item in request {
        let call = &item.call;
        let remote = call.kind == Kind::Server;
        sightings.link(call.trace_id, call.span_id, call.parent_span_id, remote);
        if item.says_call {
            sightings.call(call.clone());
        }
    }
    ledger.settle(sightings, totals);
}

fn ledger() -> Ledger {
    Ledger::new(&LedgerWindow::default(), false)
}

fn count_with(ledger: &Ledger, requests: &[&[Item]]) -> Counted {
    let totals = Totals::default();
    requests.iter().for_each(|request| send(ledger, &totals, request));
    totals.0.into_inner().unwrap()
}

fn count(requests: &[&[Item]]) -> Counted {
    count_with(&ledger(), requests)
}

/// Together in one request, forward and backward, and every span in a request of its own, in every
/// order of up to four.
fn in_every_order(items: &[Item]) -> Vec<(Vec<usize>, Counted)> {
    let mut orders = vec![vec![]];
    for n in 0..items.len() {
        orders = orders
            .into_iter()
            .flat_map(|order: Vec<usize>| {
                (0..=order.len()).map(move |at| {
                    let mut order = order.clone();
                    order.insert(at, n);
                    order
                })
            })
            .collect();
    }
    orders
        .into_iter()
        .flat_map(|order| {
            let items: Vec<Item> = order.iter().map(|n| items[*n].clone()).collect();
            let single: Vec<&[Item]> = items.iter().map(std::slice::from_ref).collect();
            [(order.clone(), count(&[&items])), (order, count(&single))]
        })
        .collect()
}

fn assert_always(items: &[Item], input: u64, output: u64) {
    for (order, counted) in in_every_order(items) {
        assert_eq!((counted.input, counted.output), (input, output), "order {order:?}: {counted:?}");
    }
}

/// As [`assert_always`], for spans of one process, which arrive in the order of their ends unless
/// they arrive together. `items` are in the order of their beginnings.
fn assert_for_a_process(items: &[Item], input: u64, output: u64) {
    let single: Vec<&[Item]> = items.iter().rev().map(std::slice::from_ref).collect();
    let counted = count(&single);
    assert_eq!((counted.input, counted.output), (input, output), "{counted:?}");
    let reversed: Vec<Item> = items.iter().rev().cloned().collect();
    for request in [items, &reversed] {
        let counted = count(&[request]);
        assert_eq!((counted.input, counted.output), (input, output), "{counted:?}");
    }
}

// --- 1: the same span ------------------------------------------------------------------------------

#[test]
fn a_span_that_is_exported_twice_is_counted_once() {
    let counted = count(&[&[chat(1)], &[chat(1)], &[chat(1), chat(1)]]);
    assert_eq!((counted.input, counted.output, counted.durations), (100, 20, 1));
    assert_eq!(counted.suppressed, BTreeMap::from([("re_export", 3)]));
}

#[test]
fn the_same_span_id_in_another_trace_is_another_span() {
    assert_eq!(count(&[&[chat(1), chat(1).trace(2).at(30, 40)]]).input, 200);
}

#[test]
fn calls_without_valid_ids_are_counted() {
    let nameless = chat(0).of(|call| call.trace_id = None);
    assert_eq!(count(&[&[nameless.clone()], &[nameless]]).input, 200);
}

// --- 2: what is a call -----------------------------------------------------------------------------

#[test]
fn wrappers_are_not_counted() {
    for operation in ["invoke_agent", "create_agent", "invoke_workflow", "execute_tool", "retrieval", "plan", "chain"] {
        let counted = count(&[&[chat(1).operation(operation)]]);
        assert_eq!((counted.input, counted.output), (0, 0), "{operation}");
        assert_eq!(counted.suppressed, BTreeMap::from([("not_a_model_call", 1)]), "{operation}");
    }
    let agent = chat(1).operation("invoke_agent").kind(Kind::Internal);
    assert_always(&[agent, chat(2).under(1), chat(3).under(1).id(LONG_ID).usage(7, 3).at(11, 12)], 107, 23);
}

#[test]
fn embeddings_have_input_only() {
    let counted = count(&[&[chat(1).operation("embeddings").usage(8, 3)]]);
    assert_eq!((counted.input, counted.output, counted.durations), (8, 0, 1));
}

#[test]
fn a_client_s_other_operations_have_durations_and_those_in_the_process_none() {
    assert_eq!(count(&[&[chat(1).operation("create_agent").no_usage()]]).durations, 1);
    assert_eq!(count(&[&[chat(1).operation("invoke_agent")]]).durations, 1);
    for operation in ["invoke_agent", "invoke_workflow", "execute_tool"] {
        assert_eq!(count(&[&[chat(1).operation(operation).kind(Kind::Internal)]]).durations, 0, "{operation}");
    }
    let again = chat(1).operation("retrieval").no_usage();
    assert_eq!(count(&[&[again.clone()], &[again]]).durations, 1);
}

#[test]
fn a_server_span_counts_when_nothing_below_it_does() {
    let server = chat(1).kind(Kind::Server).model("claude");
    assert_always(std::slice::from_ref(&server), 100, 20);
    assert_for_a_process(&[server.clone(), hop(2).under(1), chat(3).under(2).model("claude-3-5-sonnet")], 100, 20);
    assert_always(&[server.id(LONG_ID), chat(3).under(1).id(OTHER_ID)], 100, 20);
}

/// What an agent or a tool asks a model for is no part of the answer that started it, though its span stands
/// below that answer's (ADK's sub-agents).
#[test]
fn a_call_below_an_agent_or_a_tool_is_its_own() {
    for operation in ["invoke_agent", "execute_tool"] {
        let outer = chat(1).at(10, 40).kind(Kind::Internal);
        let between = chat(2).under(1).at(11, 39).operation(operation).kind(Kind::Internal).no_usage();
        let inner = chat(3).under(2).at(12, 20).usage(7, 3);
        assert_always(&[outer.clone(), between.clone(), inner.clone()], 107, 23);
        // A wrapper that sums up what is below it stays one.
        let sum = outer.usage(7, 3);
        assert_for_a_process(&[sum, between, inner], 7, 3);
    }
}

// --- 3: the same response id -----------------------------------------------------------------------

#[test]
fn one_response_id_is_one_call_in_whatever_trace() {
    assert_always(&[chat(1).id(LONG_ID), chat(2).id(LONG_ID).trace(2), chat(3).id(LONG_ID).trace(3)], 100, 20);
    // A cache hit: later, and no call.
    assert_always(&[chat(1).id(LONG_ID), chat(2).id(LONG_ID).at(50, 51)], 100, 20);
    // Siblings.
    assert_always(&[chat(1).under(9).id(LONG_ID), chat(2).under(9).id(LONG_ID)], 100, 20);
}

#[test]
fn calls_without_a_response_id_do_not_match() {
    assert_always(&[chat(1).trace(1), chat(2).trace(2)], 200, 40);
    assert_always(&[chat(1).under(9), chat(2).under(9)], 200, 40);
}

#[test]
fn a_short_response_id_needs_a_second_witness() {
    let ollama = |n| chat(n).trace(n).id("chatcmpl-417").model("codegemma");
    // Another call that happens to get the same of Ollama's thousand ids.
    assert_always(&[ollama(1).at(10, 20), ollama(2).at(30, 40).usage(55, 5)], 155, 25);
    assert_always(&[ollama(1), ollama(2).model("llama3:8b")], 200, 40);
    // The same time, or the same usage: the same call.
    assert_always(&[ollama(1).at(10, 20), ollama(2).at(11, 19)], 100, 20);
    assert_always(&[ollama(1).at(10, 20), ollama(2).at(30, 40)], 100, 20);
}

#[test]
fn of_two_reports_in_a_request_the_one_that_knows_more_counts() {
    let estimate = chat(1).id(LONG_ID).at(10, 12).usage(13, 16);
    let real = chat(2).trace(2).id(LONG_ID).at(10, 14).usage(16, 14);
    for request in [[estimate.clone(), real.clone()], [real, estimate]] {
        let counted = count(&[&request]);
        assert_eq!((counted.input, counted.output), (16, 14));
    }
}

#[test]
fn instrumentations_without_a_link_are_told_by_usage_and_time() {
    let inner = chat(1).trace(1).id(OTHER_ID).model("claude-3-5-sonnet").at(11, 19);
    let outer = chat(2).trace(2).model("").at(10, 20);
    assert_always(&[inner.clone(), outer.clone()], 100, 20);
    assert_always(&[inner.clone(), outer.clone().at(30, 40)], 200, 40);
    assert_always(&[inner.clone(), outer.clone().service("other")], 200, 40);
    assert_always(&[inner, outer.usage(100, 21)], 200, 41);
    // Two instrumented twice, side by side; the natural order, which is the end of the spans.
    let pair = |n: u64, id: &str| {
        [chat(n).trace(n).id(id).at(11, 19), chat(n + 1).trace(n + 1).at(10, 20).model("gpt-4o-mini")]
    };
    let ([a, b], [c, d]) = (pair(1, LONG_ID), pair(3, OTHER_ID));
    let both = [a, b, c, d];
    let single: Vec<&[Item]> = both.iter().map(std::slice::from_ref).collect();
    assert_eq!(count(&[&both]).input, 200);
    assert_eq!(count(&single).input, 200);
}

// --- 4: the same trace -----------------------------------------------------------------------------

/// `LangChain` with a cache: the second answer is the first one again, in a trace of its own.
#[test]
fn an_answer_from_a_cache_is_no_call() {
    let asked = |id: u64, trace: u64, content: u64| chat(id).trace(trace).of(|call| call.content = content);
    let first = || asked(1, 1, 77).id("chatcmpl-000000000000000000000073").at(10, 20);
    let again = || asked(2, 2, 77).at(30, 31);
    assert_always(&[first(), again()], 100, 20);

    // Each of what makes it a cache's answer is needed.
    let others = [
        asked(2, 2, 78).at(30, 31),
        again().of(|call| call.content = 0),
        again().at(30, 39),
        again().service("another"),
        again().usage(100, 21),
        again().id("chatcmpl-000000000000000000000074"),
    ];
    for other in others {
        let tokens = 20 + other.call.usage.output.unwrap();
        assert_always(&[first(), other], 200, tokens);
    }
}

#[test]
fn nested_instrumentations_are_one_call() {
    assert_always(&[chat(1).model("openai/gpt-4o-mini"), chat(2).under(1).at(11, 19)], 100, 20);
    assert_for_a_process(&[chat(1), hop(2).under(1), hop(3).under(2), chat(4).under(3).at(11, 19)], 100, 20);
    let embeddings = |n| chat(n).operation("embeddings").usage(8, 0).model("text-embedding-3-small");
    assert_always(&[embeddings(1), embeddings(2).under(1)], 8, 0);
}

#[test]
fn the_count_belongs_to_the_span_nearest_to_the_provider() {
    let outer = chat(1).service("app");
    let server = hop(2).under(1).service("gateway").kind(Kind::Server);
    let inner = chat(3).under(2).service("gateway").at(11, 19);
    for request in [[outer.clone(), server.clone(), inner.clone()], [inner, server, outer]] {
        assert_eq!(count(&[&request]).services, ["gateway"]);
    }
}

#[test]
fn another_model_below_a_call_is_another_call() {
    assert_always(&[chat(1), chat(2).under(1).model("gpt-4o").usage(30, 5).at(11, 19)], 130, 25);
}

#[test]
fn a_call_in_a_leaked_context_is_another_call() {
    // LangChain's instrumentation leaves its context behind, so the next call is its child.
    assert_always(&[chat(1).at(10, 20), chat(2).under(1).at(21, 30).usage(66, 11)], 166, 31);
    assert_always(&[chat(1).id(LONG_ID), chat(2).under(1).id(OTHER_ID).usage(66, 11).at(12, 15)], 166, 31);
}

#[test]
fn a_wrapper_with_the_sum_of_its_calls_is_no_call() {
    let wrapper = chat(1).id("resp_0123456789abcdef0123456789").usage(124, 28);
    let first = chat(2).under(1).id(LONG_ID).usage(57, 17).at(11, 14);
    let second = chat(3).under(1).id(OTHER_ID).usage(67, 11).at(15, 19);
    assert_eq!(count(&[&[wrapper.clone(), first.clone(), second.clone()]]).input, 124);
    assert_eq!(count(&[&[first], &[second], &[wrapper]]).input, 124);
}

// --- gateways that give ids of their own -----------------------------------------------------------

fn gateway() -> [Item; 3] {
    [
        chat(1).id("chatcmpl-4f56be7e-2f5a-4ebe-83d6-bb7e87e36b3c").service("app"),
        hop(2).under(1).service("gateway").kind(Kind::Server).at(11, 19),
        chat(3).under(2).id(OTHER_ID).service("gateway").at(12, 18),
    ]
}

#[test]
fn a_gateway_that_changes_the_response_id_does_not_double_the_call() {
    // Also when the server's span, which links the two, arrives last.
    assert_always(&gateway(), 100, 20);
}

#[test]
fn a_gateway_that_counts_otherwise_does_not_double_the_call() {
    // Input without what the cache gave, at the caller's.
    let [outer, server, inner] = gateway();
    let (outer, inner) = (outer.usage(20, 10), inner.usage(2196, 10));
    assert_eq!(count(&[&[outer.clone()], &[server.clone(), inner.clone()]]).input, 20);
    assert_eq!(count(&[&[server, inner], &[outer]]).input, 2196);
}

#[test]
fn a_gateway_s_calls_add_up_to_its_caller_s() {
    let [outer, server, first] = gateway();
    let outer = outer.usage(124, 28);
    let first = first.usage(57, 17);
    let second = chat(4).under(2).id(LONG_ID).service("gateway").usage(67, 11).at(15, 18);
    for requests in [
        &[&[outer.clone()][..], &[server.clone(), first.clone(), second.clone()]][..],
        &[&[server.clone(), first.clone(), second.clone()], &[outer.clone()]],
        &[&[server.clone()], &[second.clone()], &[first.clone()], &[outer.clone()]],
        &[&[outer, server, first, second]],
    ] {
        let counted = count(requests);
        assert_eq!((counted.input, counted.output), (124, 28));
    }
}

#[test]
fn a_gateway_s_own_calls_are_counted_beside_the_caller_s() {
    let [outer, server, inner] = gateway();
    let (outer, inner) = (outer.id(LONG_ID), inner.id(LONG_ID));
    // A guard rail asks the same model.
    let guard = chat(4).under(2).id(OTHER_ID).service("gateway").usage(50, 5).at(15, 16);
    for requests in [
        &[&[outer.clone()][..], &[server.clone(), guard.clone(), inner.clone()]][..],
        &[&[server.clone(), guard.clone(), inner.clone()], &[outer.clone()]],
        &[&[outer, server, guard, inner]],
    ] {
        assert_eq!(count(requests).input, 150);
    }
}

#[test]
fn services_that_work_side_by_side_in_a_trace_are_not_one() {
    let of = |n: u64, id: &str, input| chat(n).under(n + 100).id(id).service(&format!("s{n}")).usage(input, 5);
    // Their parents are not known yet.
    assert_always(&[of(1, LONG_ID, 50), of(2, OTHER_ID, 60).at(11, 12)], 110, 10);
}

// --- 5: no usage -----------------------------------------------------------------------------------

#[test]
fn an_estimate_is_marked_and_not_counted() {
    let mut guess = chat(1).usage(13, 16);
    guess.call.usage.estimated = true;
    let counted = count(&[&[guess]]);
    assert_eq!((counted.input, counted.output, counted.durations), (0, 0, 1));
    assert_eq!(counted.suppressed, BTreeMap::from([("estimate", 1)]));
}

#[test]
fn usage_that_is_not_said_is_not_invented() {
    for (silent, reason) in [(chat(1).no_usage(), "no_usage"), (chat(1).usage(0, 0), "zero_usage")] {
        let counted = count(&[&[silent]]);
        assert_eq!((counted.input, counted.output, counted.durations), (0, 0, 1));
        assert_eq!(counted.suppressed, BTreeMap::from([(reason, 1)]));
    }
}

#[test]
fn a_failed_call_has_a_duration_and_misses_nothing() {
    let counted = count(&[&[chat(1).failed()]]);
    assert_eq!((counted.durations, counted.suppressed.len()), (1, 0));
}

#[test]
fn a_report_with_usage_counts_after_one_without() {
    let silent = chat(1).id(LONG_ID).no_usage();
    let full = chat(2).trace(2).id(LONG_ID);
    let again = chat(3).trace(3).id(LONG_ID);
    assert_always(&[silent.clone(), full.clone(), again], 100, 20);
    assert_eq!(count(&[&[silent], &[full]]).durations, 1);
    // The stream's consumer knows the usage, the client below it does not; and the other way round.
    assert_always(&[chat(1), chat(2).under(1).no_usage()], 100, 20);
    assert_always(&[chat(1).no_usage(), chat(2).under(1)], 100, 20);
    assert_eq!(count(&[&[chat(1).no_usage(), chat(2).under(1)]]).durations, 1);
}

#[test]
fn retries_below_a_call_are_calls() {
    let outer = chat(1);
    let failed = chat(2).under(1).failed().at(11, 12);
    let done = chat(3).under(1).at(13, 19);
    assert_always(&[outer.clone(), failed.clone(), done.clone()], 100, 20);
    assert_eq!(count(&[&[outer, failed, done]]).durations, 2);
}

// --- per service -----------------------------------------------------------------------------------

#[test]
fn per_service_counts_once_for_each_service() {
    let [outer, server, inner] = gateway();
    let (outer, inner) = (outer.id(LONG_ID), inner.id(LONG_ID));
    let twice = chat(4).under(1).service("app").id(LONG_ID);
    let later = chat(5).trace(5).service("app").id(LONG_ID);
    let ledger = Ledger::new(&LedgerWindow::default(), true);
    let mut counted = count_with(&ledger, &[&[outer, twice], &[server, inner.clone()], &[inner], &[later]]);
    counted.services.sort();
    assert_eq!(counted.services, ["app", "gateway"]);
    assert_eq!(counted.suppressed, BTreeMap::from([("re_export", 1), ("same_response_id", 2)]));
}

// --- the window ------------------------------------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn what_is_older_than_the_window_is_forgotten() {
    let ledger = Ledger::new(&LedgerWindow { ttl: Duration::from_secs(600), max_spans: 100 }, false);
    assert_eq!(count_with(&ledger, &[&[chat(1), hop(2)]]).input, 100);
    tokio::time::advance(Duration::from_secs(600)).await;
    assert_eq!(count_with(&ledger, &[&[chat(1)]]).input, 0);
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(count_with(&ledger, &[&[]]).input, 0);
    assert_eq!(ledger.remembered(), (0, 0));
    assert_eq!(count_with(&ledger, &[&[chat(1)]]).input, 100);
}

#[test]
fn the_oldest_makes_room() {
    let ledger = Ledger::new(&LedgerWindow { max_spans: 3, ..LedgerWindow::default() }, false);
    let calls: Vec<Item> = (1..=4).map(|n| chat(n).trace(n)).collect();
    let single: Vec<&[Item]> = calls.iter().map(std::slice::from_ref).collect();
    assert_eq!(count_with(&ledger, &single).input, 400);
    assert_eq!(count_with(&ledger, &single[1..]).input, 0);
    assert_eq!(count_with(&ledger, &single[..1]).input, 100);
    assert_eq!(ledger.remembered().0, 3);
}

#[test]
fn traffic_without_calls_does_not_push_out_what_has_calls() {
    let ledger = Ledger::new(&LedgerWindow { max_spans: 64, ..LedgerWindow::default() }, false);
    let [outer, server, inner] = gateway();
    let totals = Totals::default();
    send(&ledger, &totals, &[server]);
    send(&ledger, &totals, &[inner.usage(90, 10)]);
    for n in 1000..2000 {
        send(&ledger, &totals, &[hop(n).trace(n)]);
    }
    send(&ledger, &totals, &[outer]);
    assert_eq!(totals.0.into_inner().unwrap().input, 90);
}

#[test]
fn a_million_distinct_calls_take_a_few_mib() {
    let ledger = ledger();
    let totals = Totals::default();
    for thousand in 0..1000 {
        let mut sightings = ledger.sightings();
        for n in thousand * 1000 + 1..=(thousand + 1) * 1000 {
            let item = chat(n).trace(n).under(n + 1).id(&format!("chatcmpl-{n:029}")).usage(n, 1);
            sightings.link(item.call.trace_id, item.call.span_id, item.call.parent_span_id, false);
            sightings.link(trace(n << 32), span(1), span(2), false);
            sightings.call(item.call);
        }
        ledger.settle(sightings, &totals);
    }
    let window = LedgerWindow::default().max_spans;
    assert_eq!(ledger.remembered(), (window, window + window / 8));
    assert!(ledger.bytes() < 6 << 20, "{} bytes", ledger.bytes());
    assert_eq!(totals.0.into_inner().unwrap().durations, 1_000_000);
}

#[test]
fn parents_in_a_circle_and_endless_chains_end() {
    let mut items: Vec<Item> = vec![chat(1).under(2).id(LONG_ID), chat(2).under(1).id(OTHER_ID).usage(5, 5)];
    items.extend((3..5000).map(|n| hop(n).under(n - 1)));
    items.push(chat(5000).under(4999).id("gen-1760000000-abcdefghij").usage(3, 1));
    assert_eq!(count(&[&items]).input, 108);
    let itself = chat(1).under(1);
    assert_eq!(count(&[&[itself]]).input, 100);
}

// --- properties ------------------------------------------------------------------------------------

/// What hostile or broken emitters may send: few traces, spans and ids, so that they collide.
fn anything() -> impl Strategy<Value = Vec<Item>> {
    let item = (
        (1u64..4, 0u64..12, 0u64..12, 0usize..4, 0usize..4),
        (0usize..4, 0u64..4, 0u64..3, 0u64..20, 0u64..20, any::<bool>()),
    );
    let item = item.prop_map(|((trace, span, parent, id, kind), (model, input, output, start, length, says_call))| {
        let kind = [Kind::Client, Kind::Internal, Kind::Server, Kind::Other(9)][kind];
        let item = chat(span).trace(trace).under(parent).kind(kind).usage(input * 10, output * 5);
        let item = item.id(["", "chatcmpl-7", LONG_ID, OTHER_ID][id]).at(start, start + length);
        let item = item.model(["", "gpt-4o", "openai/gpt-4o-2024-08-06", "o3"][model]);
        Item { says_call, ..item.service(["a", "b"][(span % 2) as usize]) }
    });
    // A span is what its id says: two different spans of one id would make the order matter.
    prop::collection::vec(item, 0..40).prop_map(|mut items| {
        items.sort_by_key(|item| (item.call.trace_id, item.call.span_id));
        items.dedup_by_key(|item| (item.call.trace_id, item.call.span_id));
        items.retain(|item| item.call.span_id.is_some());
        items
    })
}

/// Calls with an id each, seen by several instrumentations: in a chain below each other, or each in
/// a trace of its own, all exported twice.
fn views() -> impl Strategy<Value = (Vec<Item>, u64)> {
    let calls = prop::collection::vec((1u64..1000, 1usize..4, any::<bool>()), 1..8);
    calls.prop_map(|calls| {
        let mut items = Vec::new();
        for (n, (input, views, chained)) in calls.iter().enumerate() {
            let n = n as u64 * 10 + 1;
            for view in 0..*views as u64 {
                let item = chat(n + view).id(&format!("chatcmpl-{n:029}")).usage(*input, 1);
                let item = if *chained { item.trace(1).under(n + view - 1) } else { item.trace(n + view) };
                items.push(item.clone());
                items.push(item);
            }
        }
        (items, calls.iter().map(|(input, ..)| input).sum())
    })
}

proptest! {
    #[test]
    fn the_order_within_a_request_does_not_matter(
        (items, shuffled) in anything().prop_flat_map(|items| (Just(items.clone()), Just(items).prop_shuffle())),
    ) {
        let (one, other) = (count(&[&items]), count(&[&shuffled]));
        prop_assert_eq!((one.input, one.output, one.durations), (other.input, other.output, other.durations));
    }

    #[test]
    fn never_more_than_all_spans_say_and_nothing_is_silently_left_out(items in anything(), cut in 0usize..40) {
        let (first, second) = items.split_at(cut.min(items.len()));
        let counted = count(&[first, second, &items]);
        let calls = items.iter().filter(|item| item.says_call);
        let input: u64 = calls.clone().filter_map(|item| item.call.usage.input).sum();
        prop_assert!(counted.input <= input);
        let with_usage = calls.clone().filter(|item| item.call.billed().is_some()).count();
        let silent = calls.count() - with_usage;
        let unsaid = |name: &str| matches!(name, "no_usage" | "zero_usage");
        let suppressed: usize = counted.suppressed.iter().filter(|(name, _)| !unsaid(name)).map(|(_, n)| n).sum();
        let said_nothing: usize = counted.suppressed.iter().filter(|(name, _)| unsaid(name)).map(|(_, n)| n).sum();
        // Every span with usage came twice: counted at most once, and suppressed the other times.
        prop_assert_eq!(counted.services.len() + suppressed, with_usage * 2);
        prop_assert!(said_nothing <= silent);
    }

    #[test]
    fn every_call_is_counted_once_however_its_views_arrive(
        ((items, input), cuts) in (views().prop_flat_map(|(items, input)| (Just(items).prop_shuffle(), Just(input))),
            prop::collection::vec(1usize..5, 64)),
    ) {
        let mut rest = &items[..];
        let mut requests = Vec::new();
        for cut in cuts {
            let (request, more) = rest.split_at(cut.min(rest.len()));
            requests.push(request);
            rest = more;
        }
        requests.push(rest);
        prop_assert_eq!(count(&requests).input, input);
        prop_assert_eq!(count(&[&items]).input, input);
    }
}
