//! What goes out together and what is cut, and that the books know it.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;

use super::*;
use crate::exporter::settings::Batch as BatchSettings;
use crate::pipeline::account::{Account, LegBalances, Outcome};

const MILLISECOND: Duration = Duration::from_millis(1);

fn items(items: usize) -> Limits {
    Limits { items, ..Limits::NONE }
}

/// 100 items or 200 ms.
fn batch() -> BatchSettings {
    BatchSettings { flush_timeout: 200 * MILLISECOND, min_size: items(100), max_size: Limits::NONE }
}

/// A request of spans with these names.
fn request(names: &[&str]) -> Vec<u8> {
    let spans = names.iter().map(|name| Span { name: (*name).into(), ..Default::default() }).collect();
    let scope_spans = vec![ScopeSpans { spans, schema_url: "https://example.org/1".into(), ..Default::default() }];
    ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans, ..Default::default() }] }
        .encode_to_vec()
}

/// Items of a pipeline on their way.
fn open(account: &Arc<Account>, items: usize) -> OpenItems {
    let outcome = Outcome { received: items, outgoing: items, ..Outcome::default() };
    account.taken(outcome, &[account.leg("otlp")]).remove(0)
}

fn books(account: &Account) -> LegBalances {
    let books = account.balances().exporters["otlp"].clone();
    assert_eq!(books.given, books.queued + books.exported + books.lost.values().sum::<u64>(), "{books:?}");
    books
}

impl Rig {
    fn batching(answers: impl IntoIterator<Item = Answer>, change: impl FnOnce(&mut BatchSettings)) -> Rig {
        Rig::new(answers, |settings| {
            let mut batch = batch();
            change(&mut batch);
            settings.batch = Some(batch);
            settings.queue.num_consumers = 10;
        })
    }

    /// The names of the spans of each attempt.
    fn names(&self) -> Vec<String> {
        let attempts = self.script.attempts.lock().unwrap();
        let names = attempts.iter().map(|(_, body)| {
            let request = ExportTraceServiceRequest::decode(&body[..]).unwrap();
            let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
            let spans = scopes.inspect(|scope| assert_eq!(scope.schema_url, "https://example.org/1"));
            spans.flat_map(|scope| &scope.spans).map(|span| span.name.as_str()).collect::<Vec<_>>().join(" ")
        });
        names.collect()
    }

    fn requests(&self) -> Vec<(usize, Cause)> {
        self.counts.requests.lock().unwrap().clone()
    }
}

#[tokio::test(start_paused = true)]
async fn what_comes_within_the_timeout_goes_out_together() {
    let rig = Rig::batching([ok()], |_| {});
    for name in ["a", "b", "c"] {
        rig.send(&request(&[name]), 1);
        rig.pass(60 * MILLISECOND).await;
    }
    rig.pass(15 * MILLISECOND).await;
    assert_eq!((rig.attempts().len(), rig.sent(), rig.held().1), (0, 0, 3), "they wait in the queue");
    rig.pass(20 * MILLISECOND).await;
    assert_eq!((rig.attempts(), rig.names()), (vec![0.2], vec!["a b c".to_owned()]));
    rig.send(&request(&["d"]), 1);
    rig.pass(SECOND).await;
    assert_eq!((rig.attempts(), rig.names()[1..].to_vec()), (vec![0.2, 0.415], vec!["d".to_owned()]));
    assert_eq!(rig.requests(), [(3, Cause::Timeout), (1, Cause::Timeout)]);
    assert_eq!((rig.sent(), rig.lost(), rig.held()), (4, vec![], (0, 0, 0)));
}

#[tokio::test(start_paused = true)]
async fn what_is_large_enough_is_not_waited_for() {
    let rig = Rig::batching([ok()], |_| {});
    for _ in 0..5 {
        rig.send(b"spans", 50);
    }
    rig.pass(MILLISECOND).await;
    assert_eq!((rig.attempts(), rig.requests()), (vec![0.0, 0.0], vec![(100, Cause::Size); 2]));
    rig.pass(SECOND).await;
    assert_eq!((rig.attempts(), rig.sent()), (vec![0.0, 0.0, 0.2], 250));
    let bytes = Rig::batching([ok()], |batch| batch.min_size = Limits { bytes: 10, ..Limits::NONE });
    bytes.send(b"spans", 1);
    bytes.send(b"spans", 1);
    bytes.pass(MILLISECOND).await;
    assert_eq!(bytes.requests(), [(2, Cause::Size)]);
}

#[tokio::test(start_paused = true)]
async fn what_would_be_too_much_waits_for_the_next_request() {
    let rig = Rig::batching([ok()], |batch| batch.max_size = items(100));
    for (name, count) in [("a", 60), ("b", 50), ("c", 50), ("d", 1)] {
        rig.send(&request(&[name]), count);
    }
    rig.pass(SECOND).await;
    assert_eq!(rig.names(), ["a", "b c", "d"]);
    assert_eq!(rig.requests(), [(60, Cause::Size), (100, Cause::Size), (1, Cause::Timeout)]);
    assert_eq!((rig.attempts(), rig.sent(), rig.held()), (vec![0.0, 0.0, 0.2], 161, (0, 0, 0)));
}

#[tokio::test(start_paused = true)]
async fn without_batch_or_without_a_queue_requests_go_out_as_they_came() {
    for enabled in [true, false] {
        let rig = Rig::new([ok()], |settings| {
            settings.queue.enabled = enabled;
            settings.queue.num_consumers = 2;
            settings.batch = (!enabled).then(batch);
        });
        rig.send(b"a", 1);
        rig.send(b"b", 2);
        rig.pass(MILLISECOND).await;
        assert_eq!(rig.requests(), [(1, Cause::AsReceived), (2, Cause::AsReceived)]);
        assert_eq!(rig.sent(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn one_request_of_many_stays_one_until_its_fate_is_known() {
    let rig = Rig::batching([busy(), ok()], |_| {});
    rig.send(&request(&["a"]), 1);
    rig.send(&request(&["b"]), 1);
    rig.pass(SECOND).await;
    rig.send(&request(&["c"]), 1);
    rig.pass(60 * SECOND).await;
    assert_eq!(rig.names(), ["a b", "c", "a b"]);
    assert_eq!((rig.sent(), rig.lost(), rig.requests().len()), (3, vec![], 2));
}

#[tokio::test(start_paused = true)]
async fn the_items_of_two_pipelines_in_one_request_are_each_accounted_for() {
    let (one, two) = (Account::new("traces/one"), Account::new("traces/two"));
    let partial = Taken { rejected: 4, message: "too old".into() };
    let rig = Rig::batching([Ok(partial), Err(Failure::Permanent("bad data".into()))], |_| {});
    rig.send_open(b"spans", open(&one, 3));
    rig.send_open(b"spans", open(&two, 5));
    assert_eq!((books(&one).queued, books(&two).queued), (3, 5));
    rig.pass(SECOND).await;
    assert_eq!((books(&one).lost["partial_success"], books(&one).exported), (3, 0), "the first are counted");
    assert_eq!((books(&two).lost["partial_success"], books(&two).exported), (1, 4));
    assert_eq!((rig.sent(), rig.lost()), (4, vec![(4, Loss::PartialSuccess)]));
    rig.send_open(b"spans", open(&one, 2));
    rig.send_open(b"spans", open(&two, 2));
    rig.pass(SECOND).await;
    assert_eq!((books(&one).lost["rejected"], books(&two).lost["rejected"]), (2, 2));
    assert_eq!((rig.lost()[1..].to_vec(), rig.held()), (vec![(4, Loss::Rejected)], (0, 0, 0)));
}

/// A rig whose backend takes about two of five spans at once.
fn cutting(answers: impl IntoIterator<Item = Answer>) -> (Rig, Arc<Account>) {
    let rig = Rig::new(answers, |settings| settings.max_request_size = request(&["0123456789"; 2]).len());
    let account = Account::new("traces");
    let names = ["a.........", "b.........", "c.........", "d.........", "e........."];
    rig.send_open(&request(&names), open(&account, 5));
    (rig, account)
}

#[tokio::test(start_paused = true)]
async fn parts_of_a_large_request_have_fates_of_their_own() {
    let partial = Taken { rejected: 1, message: "too old".into() };
    let (rig, account) = cutting([Ok(partial), Err(Failure::Permanent("bad data".into())), busy(), ok()]);
    rig.pass(SECOND).await;
    assert_eq!(rig.names(), ["a......... b.........", "c......... d.........", "e........."]);
    assert_eq!((rig.sent(), rig.lost()), (1, vec![(1, Loss::PartialSuccess), (2, Loss::Rejected)]));
    assert_eq!((books(&account).queued, rig.held().1), (1, 5), "its place is kept until all is settled");
    rig.pass(20 * SECOND).await;
    assert_eq!((rig.names().len(), rig.names()[3].as_str()), (4, "e........."));
    assert_eq!(rig.requests(), [(2, Cause::Cut), (2, Cause::Cut), (1, Cause::Cut)]);
    let books = books(&account);
    assert_eq!((books.exported, books.lost["partial_success"], books.lost["rejected"]), (2, 1, 2));
    assert_eq!((rig.sent(), rig.held()), (2, (0, 0, 0)));
}

#[tokio::test(start_paused = true)]
async fn what_is_put_together_never_grows_beyond_the_limit() {
    let limit = request(&["0123456789"; 8]).len();
    let rig = Rig::new([ok()], |settings| (settings.max_request_size, settings.batch) = (limit, Some(batch())));
    for name in ["a", "b", "c", "d", "e", "f"] {
        rig.send(&request(&[name]), 1);
    }
    // One that must be cut, and a span that is too large and has nothing that it could be cut from.
    rig.send(&request(&["0123456789"; 9]), 9);
    rig.send(&request(&["a".repeat(2 * limit).as_str(), "g"]), 2);
    rig.pass(SECOND).await;
    let sizes: Vec<_> = rig.script.attempts.lock().unwrap().iter().map(|(_, body)| body.len()).collect();
    assert_eq!((sizes.iter().filter(|size| **size > limit).count(), rig.sent(), rig.lost()), (1, 17, vec![]));
    assert!(sizes.len() <= 6, "{sizes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_large_request_that_cannot_be_cut_is_lost_and_says_so() {
    let rig = Rig::new([ok()], |settings| settings.max_request_size = 10);
    let account = Account::new("traces");
    rig.send_open(b"no protobuf at all", open(&account, 5));
    rig.pass(SECOND).await;
    assert_eq!((rig.attempts().len(), rig.lost()), (0, vec![(5, Loss::TooLarge)]));
    assert_eq!((books(&account).lost["too_large"], rig.held()), (5, (0, 0, 0)));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_does_not_wait_for_more() {
    let rig = Rig::batching([ok()], |batch| batch.flush_timeout = 3600 * SECOND);
    rig.send(&request(&["a"]), 1);
    rig.pass(SECOND).await;
    rig.send(&request(&["b"]), 1);
    rig.lane.shutdown(Instant::now() + 10 * SECOND).await;
    assert_eq!((rig.names(), rig.requests()), (vec!["a b".to_owned()], vec![(2, Cause::Stopping)]));
    assert_eq!((rig.start.elapsed(), rig.sent(), rig.held()), (SECOND, 2, (0, 0, 0)));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_does_not_wait_for_what_was_promised_a_place_either() {
    let rig = Rig::batching([ok()], |batch| batch.flush_timeout = 3600 * SECOND);
    let permit = rig.lane.reserve(5).unwrap();
    rig.send(&request(&["a"]), 1);
    tokio::join!(rig.lane.shutdown(Instant::now() + 10 * SECOND), async {
        rig.pass(SECOND).await;
        assert_eq!((rig.names(), rig.sent()), (vec!["a".to_owned()], 1));
        drop(permit);
    });
    assert_eq!(rig.start.elapsed(), SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_among_the_parts_takes_the_rest() {
    let (rig, account) = cutting([ok(), busy()]);
    rig.pass(SECOND).await;
    rig.lane.shutdown(Instant::now() + 2 * SECOND).await;
    assert_eq!((rig.sent(), rig.lost(), rig.held()), (2, vec![(3, Loss::Shutdown)], (0, 0, 0)));
    assert_eq!((books(&account).exported, books(&account).lost["shutdown"]), (2, 3));
}
