//! Attempts, backoff and shutdown against a backend that is a script; time is paused.

use std::collections::VecDeque;

use super::*;
use crate::exporter::observe::Observer;
use crate::pipeline::account::{Account, OpenItems, Outcome};

mod merge;

const SECOND: Duration = Duration::from_secs(1);

type Answer = Result<Taken, Failure>;

/// Gives one answer after another and then the last one for ever; notes when each attempt came.
#[derive(Default)]
struct Script {
    answers: Mutex<VecDeque<Answer>>,
    /// How long an answer takes.
    delay: Duration,
    attempts: Mutex<Vec<(Instant, Bytes)>>,
}

impl Call for Arc<Script> {
    fn call<'s>(&'s self, message: &'s Message) -> Boxed<'s, Answer> {
        Box::pin(async move {
            self.attempts.lock().unwrap().push((Instant::now(), message.body.clone()));
            tokio::time::sleep(self.delay).await;
            let mut answers = self.answers.lock().unwrap();
            match answers.len() {
                1 => answers[0].clone(),
                _ => answers.pop_front().unwrap(),
            }
        })
    }

    fn endpoint(&self) -> &str {
        "http://backend:4317"
    }
}

#[derive(Default)]
struct Counts {
    sent: Mutex<usize>,
    lost: Mutex<Vec<(usize, Loss)>>,
    requests: Mutex<Vec<(usize, Cause)>>,
    retried: Mutex<Vec<Setback>>,
}

impl Observer for Counts {
    fn sent(&self, _: Signal, items: usize) {
        *self.sent.lock().unwrap() += items;
    }

    fn failed(&self, _: Signal, items: usize, reason: Loss) {
        self.lost.lock().unwrap().push((items, reason));
    }

    fn request(&self, _: Signal, items: usize, cause: Cause) {
        self.requests.lock().unwrap().push((items, cause));
    }

    fn retried(&self, _: Signal, why: Setback) {
        self.retried.lock().unwrap().push(why);
    }
}

fn settings() -> Settings {
    Settings {
        name: "otlp_grpc/backend".into(),
        compression: Compression::None,
        timeout: 5 * SECOND,
        retry: Retry { randomization_factor: 0.0, ..Retry::default() },
        queue: Queue { num_consumers: 1, bytes: 10_000, ..Queue::default() },
        died: CancellationToken::new(),
        batch: None,
        max_request_size: 4 << 20,
        memory: Budget::default(),
    }
}

struct Rig {
    lane: Lane,
    script: Arc<Script>,
    counts: Arc<Counts>,
    start: Instant,
}

impl Rig {
    fn new(answers: impl IntoIterator<Item = Answer>, change: impl FnOnce(&mut Settings)) -> Rig {
        Rig::slow(Duration::ZERO, answers, change)
    }

    fn slow(delay: Duration, answers: impl IntoIterator<Item = Answer>, change: impl FnOnce(&mut Settings)) -> Rig {
        let mut settings = settings();
        change(&mut settings);
        let answers = Mutex::new(answers.into_iter().collect());
        let script = Arc::new(Script { answers, delay, ..Script::default() });
        let counts = Arc::new(Counts::default());
        let lane = Lane::start(Signal::Traces, settings, Box::new(script.clone()), counts.clone(), None);
        Rig { lane, script, counts, start: Instant::now() }
    }

    fn send(&self, body: &[u8], items: usize) {
        self.send_open(body, OpenItems::detached(items));
    }

    fn send_open(&self, body: &[u8], open: OpenItems) {
        let body = Bytes::copy_from_slice(body);
        let permit = self.lane.reserve(body.len()).unwrap();
        let receipt = permit.send(Batch { signal: Signal::Traces, body, open, calls: Arc::new([]) });
        assert!(matches!(receipt, Receipt::Taken), "nobody waits for more than the queue in memory");
    }

    /// Lets everything happen that happens within `time`.
    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// When the attempts were, in seconds since the start.
    fn attempts(&self) -> Vec<f64> {
        let attempts = self.script.attempts.lock().unwrap();
        attempts.iter().map(|(at, _)| (at.duration_since(self.start).as_secs_f64() * 1e3).round() / 1e3).collect()
    }

    fn sent(&self) -> usize {
        *self.counts.sent.lock().unwrap()
    }

    fn lost(&self) -> Vec<(usize, Loss)> {
        self.counts.lost.lock().unwrap().clone()
    }

    fn retried(&self) -> Vec<Setback> {
        self.counts.retried.lock().unwrap().clone()
    }

    fn held(&self) -> (usize, usize, usize) {
        let state = self.lane.state();
        (state.bytes, state.items, state.in_flight)
    }
}

fn ok() -> Answer {
    Ok(Taken::default())
}

fn busy() -> Answer {
    Err(Failure::Retryable(Setback::Unavailable, "busy".into(), None))
}

fn busy_for(delay: Duration) -> Answer {
    Err(Failure::Retryable(Setback::Throttled, "busy".into(), Some(delay)))
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_attempted_with_backoff_until_it_is_taken() {
    let rig = Rig::new([busy(), busy(), busy(), ok()], |_| {});
    rig.send(b"spans", 3);
    rig.pass(20 * SECOND).await;
    assert_eq!((rig.sent(), rig.held()), (0, (256, 3, 1)), "what is attempted is still held");
    rig.pass(60 * SECOND).await;
    assert_eq!(rig.attempts(), [0.0, 5.0, 12.5, 23.75]);
    assert!(rig.script.attempts.lock().unwrap().iter().all(|(_, body)| body == "spans"));
    assert_eq!((rig.sent(), rig.lost(), rig.held()), (3, vec![], (0, 0, 0)));
    assert_eq!(rig.retried(), [Setback::Unavailable; 3], "a success is no retry");
}

/// Notes how many items the books have in the queue whenever it is told of any.
struct Witness {
    account: Arc<Account>,
    queued: Mutex<Vec<u64>>,
}

impl Witness {
    fn note(&self) {
        self.queued.lock().unwrap().push(self.account.balances().exporters["backend"].queued);
    }
}

impl Observer for Witness {
    fn sent(&self, _: Signal, _: usize) {
        self.note();
    }

    fn failed(&self, _: Signal, _: usize, _: Loss) {
        self.note();
    }
}

/// A page reads the books first, so whatever is settled there must have been counted.
#[tokio::test(start_paused = true)]
async fn what_the_books_have_as_settled_is_counted() {
    let partly = Taken { rejected: 1, ..Taken::default() };
    for (answer, told) in [(ok(), 1), (Ok(partly), 2), (Err(Failure::Permanent("bad data".into())), 1), (busy(), 1)] {
        let account = Account::new("traces");
        let leg = account.leg("backend");
        let script = Arc::new(Script { answers: Mutex::new([answer].into()), ..Script::default() });
        let witness = Arc::new(Witness { account: Arc::clone(&account), queued: Mutex::default() });
        let lane = Lane::start(Signal::Traces, settings(), Box::new(script), witness.clone(), None);
        let outcome = Outcome { received: 3, outgoing: 3, ..Outcome::default() };
        let open = account.taken(outcome, &[leg]).remove(0);
        let batch = Batch { signal: Signal::Traces, body: Bytes::from_static(b"spans"), open, calls: Arc::new([]) };
        drop(lane.reserve(5).unwrap().send(batch));
        lane.shutdown(Instant::now() + SECOND).await;
        assert_eq!(*witness.queued.lock().unwrap(), vec![3; told]);
        assert_eq!(account.balances().exporters["backend"].queued, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_permanent_answer_is_not_repeated() {
    let rig = Rig::new([Err(Failure::Permanent("bad data".into())), ok()], |_| {});
    rig.send(b"one", 3);
    rig.send(b"two", 4);
    rig.pass(SECOND).await;
    assert_eq!((rig.sent(), rig.lost()), (4, vec![(3, Loss::Rejected)]));
    assert_eq!(rig.attempts().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_delay_that_the_backend_asks_for_holds_for_every_batch() {
    let rig = Rig::new([busy_for(20 * SECOND), ok()], |settings| settings.queue.num_consumers = 3);
    rig.send(b"one", 1);
    rig.pass(SECOND).await;
    rig.send(b"two", 1);
    rig.send(b"three", 1);
    rig.pass(18 * SECOND).await;
    assert_eq!(rig.attempts(), [0.0], "nothing comes before the time");
    rig.pass(60 * SECOND).await;
    assert_eq!((rig.attempts(), rig.sent()), (vec![0.0, 20.0, 20.0, 20.0], 3));
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_too_long_is_given_up_and_counted() {
    let rig = Rig::new([busy()], |settings| settings.retry.max_elapsed_time = 10 * SECOND);
    rig.send(b"spans", 3);
    rig.pass(60 * SECOND).await;
    assert_eq!(rig.attempts(), [0.0, 5.0]);
    assert_eq!((rig.lost(), rig.held()), (vec![(3, Loss::RetriesExhausted)], (0, 0, 0)));
    assert_eq!(rig.retried(), [Setback::Unavailable], "after the last attempt there is no other");
}

#[tokio::test(start_paused = true)]
async fn without_retries_one_attempt_decides() {
    let rig = Rig::new([busy(), ok()], |settings| settings.retry.enabled = false);
    rig.send(b"spans", 3);
    rig.pass(60 * SECOND).await;
    assert_eq!((rig.attempts().len(), rig.lost()), (1, vec![(3, Loss::RetriesExhausted)]));
    assert_eq!(rig.retried(), []);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_not_answered_ends_and_is_made_again() {
    let rig = Rig::slow(3600 * SECOND, [ok()], |_| {});
    rig.send(b"spans", 3);
    rig.pass(16 * SECOND).await;
    assert_eq!(rig.attempts(), [0.0, 10.0], "5 s timeout, 5 s backoff");
    assert_eq!(rig.retried(), [Setback::Timeout, Setback::Timeout]);
}

#[tokio::test(start_paused = true)]
async fn rejected_items_of_a_partial_success_are_lost_and_the_others_sent() {
    let partial = |rejected| Ok(Taken { rejected, message: "no".into() });
    let rig = Rig::new([partial(2), partial(0), partial(999)], |_| {});
    for _ in 0..3 {
        rig.send(b"spans", 5);
    }
    rig.pass(SECOND).await;
    assert_eq!(rig.attempts().len(), 3, "a partial success is never sent again");
    assert_eq!((rig.sent(), rig.lost()), (3 + 5, vec![(2, Loss::PartialSuccess), (5, Loss::PartialSuccess)]));
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_is_down_for_a_day_costs_an_attempt_every_thirty_seconds() {
    let rig = Rig::new([busy()], |settings| settings.retry.max_elapsed_time = Duration::ZERO);
    rig.send(b"spans", 3);
    rig.pass(24 * 3600 * SECOND).await;
    let attempts = rig.attempts().len();
    assert!((2_870..=2_890).contains(&attempts), "{attempts}");
    assert_eq!(rig.held().1, 3, "and nothing is given up");
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_for_now_and_names_itself() {
    let rig = Rig::new([busy(), ok()], |settings| settings.queue.bytes = 1000);
    rig.send(&[0; 900], 1);
    let refusal = rig.lane.reserve(500).map(drop).unwrap_err();
    assert_eq!(refusal.reason, Reason::QueueFull);
    assert!(refusal.retry_after.is_some());
    for part in ["otlp_grpc/backend", "traces", "900 of 1000 bytes", "500"] {
        assert!(refusal.message.contains(part), "{refusal}");
    }
    assert_eq!(rig.lane.reserve(1001).map(drop).unwrap_err().reason, Reason::TooLarge);
    assert!(rig.lane.reserve(100).is_err(), "even the least charge does not fit");
    rig.pass(60 * SECOND).await;
    drop(rig.lane.reserve(1000).unwrap());
    drop(rig.lane.reserve(1000).expect("a permit that was not used gave its room back"));
}

#[tokio::test(start_paused = true)]
async fn a_request_beyond_what_otlp_allows_is_never_sent() {
    let rig = Rig::new([ok()], |settings| settings.queue.bytes = 200 << 20);
    assert_eq!(rig.lane.reserve(LARGEST_REQUEST + 1).map(drop).unwrap_err().reason, Reason::TooLarge);
    let permit = rig.lane.reserve(LARGEST_REQUEST).unwrap();
    let body = Bytes::from(vec![0; LARGEST_REQUEST + 1]);
    permit.send(Batch { signal: Signal::Traces, body, open: OpenItems::detached(7), calls: Arc::new([]) });
    rig.pass(SECOND).await;
    assert_eq!((rig.attempts().len(), rig.lost()), (0, vec![(7, Loss::TooLarge)]));
}

#[tokio::test(start_paused = true)]
async fn a_request_of_which_nothing_is_left_is_not_sent() {
    let rig = Rig::new([ok()], |_| {});
    let permit = rig.lane.reserve(500).unwrap();
    permit.send(Batch {
        signal: Signal::Traces,
        body: Bytes::new(),
        open: OpenItems::detached(0),
        calls: Arc::new([]),
    });
    rig.pass(SECOND).await;
    assert_eq!((rig.attempts().len(), rig.held()), (0, (0, 0, 0)));
}

#[tokio::test(start_paused = true)]
async fn shutdown_drains_what_waits() {
    let rig = Rig::slow(SECOND, [busy_for(200 * SECOND), ok()], |_| {});
    for _ in 0..5 {
        rig.send(b"spans", 2);
    }
    rig.pass(2 * SECOND).await;
    rig.lane.shutdown(Instant::now() + 10 * SECOND).await;
    assert_eq!((rig.sent(), rig.lost(), rig.held()), (10, vec![], (0, 0, 0)));
    assert!(rig.start.elapsed() < 9 * SECOND, "and ends as soon as it is done: {:?}", rig.start.elapsed());
    assert_eq!(rig.lane.reserve(1).map(drop).unwrap_err().reason, Reason::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn shutdown_counts_what_it_could_not_deliver_in_time() {
    let rig = Rig::new([busy()], |_| {});
    for items in 1..=4 {
        rig.send(b"spans", items);
    }
    rig.pass(SECOND).await;
    rig.lane.shutdown(Instant::now() + 10 * SECOND).await;
    assert_eq!(rig.start.elapsed().as_secs(), 11);
    assert_eq!(rig.lost().iter().map(|(items, _)| items).sum::<usize>(), 10);
    assert!(rig.lost().iter().all(|(_, reason)| *reason == Loss::Shutdown));
    assert_eq!(rig.held(), (0, 0, 0));
    assert!(rig.attempts().len() >= 10, "it went on trying: {:?}", rig.attempts());
}

#[tokio::test(start_paused = true)]
async fn an_attempt_under_way_at_the_deadline_is_given_up() {
    let rig = Rig::slow(3600 * SECOND, [ok()], |settings| settings.timeout = Duration::ZERO);
    rig.send(b"spans", 3);
    rig.pass(SECOND).await;
    rig.lane.shutdown(Instant::now() + 2 * SECOND).await;
    assert_eq!((rig.start.elapsed().as_secs(), rig.lost()), (3, vec![(3, Loss::Shutdown)]));
}

#[tokio::test(start_paused = true)]
async fn what_was_reserved_before_the_shutdown_is_still_delivered() {
    let rig = Rig::new([ok()], |_| {});
    let permit = rig.lane.reserve(5).unwrap();
    let batch = Batch {
        signal: Signal::Traces,
        body: Bytes::from_static(b"spans"),
        open: OpenItems::detached(3),
        calls: Arc::new([]),
    };
    tokio::join!(rig.lane.shutdown(Instant::now() + 10 * SECOND), async {
        tokio::time::sleep(SECOND).await;
        permit.send(batch);
    });
    assert_eq!((rig.sent(), rig.lost()), (3, vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_is_dropped_accounts_for_what_it_held() {
    let Rig { lane, counts, .. } = {
        let rig = Rig::new([busy()], |_| {});
        rig.send(b"spans", 3);
        rig.pass(SECOND).await;
        rig
    };
    drop(lane);
    tokio::time::sleep(SECOND).await;
    assert_eq!(*counts.lost.lock().unwrap(), [(3, Loss::Shutdown)]);
}

/// Panics at a batch of this text, and takes every other.
struct Defective;

const DEFECT: &[u8] = b"defect";

impl Call for Defective {
    fn call<'s>(&'s self, message: &'s Message) -> Boxed<'s, Answer> {
        Box::pin(async move {
            tokio::time::sleep(SECOND).await;
            assert!(message.body != DEFECT, "a call with a defect");
            Ok(Taken::default())
        })
    }

    fn endpoint(&self) -> &str {
        "http://backend:4317"
    }
}

#[tokio::test(start_paused = true)]
async fn a_defect_loses_the_batch_that_brings_it_out_and_no_other() {
    let mut rig = Rig::new([Ok(Taken::default())], |_| ());
    let settings = rig.lane.shared.settings.clone();
    rig.lane = Lane::start(Signal::Traces, settings, Box::new(Defective), rig.counts.clone(), None);
    for (body, items) in [(DEFECT, 3), (b"sound", 4)] {
        rig.send(body, items);
    }
    rig.pass(10 * SECOND).await;
    assert_eq!(*rig.counts.sent.lock().unwrap(), 4);
    assert_eq!(*rig.counts.lost.lock().unwrap(), [(3, Loss::Defect)]);
    assert_eq!(rig.lane.state().bytes, 0, "its room is free");
    assert!(!rig.lane.shared.settings.died.is_cancelled(), "the consumer goes on");
}

/// Keeps no books.
struct Broken;

impl Observer for Broken {
    fn sent(&self, _: Signal, _: usize) {
        panic!("an observer with a defect");
    }

    fn failed(&self, _: Signal, _: usize, _: Loss) {}
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_ends_says_so() {
    let mut rig = Rig::new([Ok(Taken::default())], |_| ());
    let settings = rig.lane.shared.settings.clone();
    rig.lane = Lane::start(Signal::Traces, settings, Box::new(rig.script.clone()), Arc::new(Broken), None);
    assert!(!rig.lane.shared.settings.died.is_cancelled());
    rig.send(b"spans", 1);
    rig.pass(SECOND).await;
    assert!(rig.lane.shared.settings.died.is_cancelled());
}
