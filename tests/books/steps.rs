//! A move of the books is one step: whoever reads them in between sees it before or after. A page a
//! millisecond would hardly ever find a step in two halves; this does.

use std::sync::atomic::{AtomicUsize, Ordering};

use dragoman::otlp::answer::Reason;
use dragoman::pipeline::account::{Account, Balances, Origin, Outcome};

const ROUNDS: usize = 20_000;
const WRITERS: usize = 2;

/// What does not add up, if anything.
fn imbalance(books: &Balances) -> Option<String> {
    let Balances { received, dropped, refused, held, outgoing, exporters } = books;
    let fates = dropped.values().sum::<u64>() + refused.values().sum::<u64>() + held + outgoing;
    let legs = exporters.values().all(|leg| {
        leg.given == *outgoing
            && leg.given + leg.recovered + leg.derived == leg.exported + leg.lost.values().sum::<u64>() + leg.queued
    });
    (*received != fates || !legs).then(|| format!("{books:?}"))
}

#[test]
fn no_reader_sees_half_a_move() {
    let account = Account::new("traces");
    let legs = [account.leg("a"), account.leg("b")];
    let writing = AtomicUsize::new(WRITERS);
    let write = || {
        for _ in 0..ROUNDS {
            account.refused(Reason::QueueFull, 1);
            let outcome = Outcome { received: 7, dropped: vec![("drop".into(), "rule", 2)], held: 2, outgoing: 3 };
            for mut open in account.taken(outcome, &legs) {
                open.split(1).lost("rejected");
                open.exported();
            }
            for open in account.released(Outcome { received: 1, outgoing: 1, ..Outcome::default() }, &legs) {
                open.exported();
            }
            account.held_were_dropped("genai", "joined", 1);
            legs[0].open(Origin::Recovered, 1).exported();
        }
        writing.fetch_sub(1, Ordering::Relaxed);
    };
    std::thread::scope(|scope| {
        for _ in 0..WRITERS {
            scope.spawn(write);
        }
        let mut reads = 0u64;
        while writing.load(Ordering::Relaxed) > 0 {
            let found = imbalance(&account.balances());
            assert!(found.is_none(), "read {reads}: {found:?}");
            reads += 1;
        }
    });
    assert_eq!(imbalance(&account.balances()), None);
}
