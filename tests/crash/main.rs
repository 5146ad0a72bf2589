//! `kill -9`, again and again: the real binary under load is killed at random moments and started
//! again on the same folder, and every item that it acknowledged must arrive.
//!
//! ```text
//! cargo test --test crash                                                   a few runs
//! DRAGOMAN_CRASH_RUNS=1000 cargo test --test crash -- --nocapture           many
//! DRAGOMAN_CRASH_SEED=17 DRAGOMAN_CRASH_RUNS=1 cargo test --test crash      one of them again
//! DRAGOMAN_CRASH_QUEUE=memory cargo test --test crash                       must fail: memory dies with its process
//! ```
//!
//! What a run does is drawn from its seed; when exactly a signal strikes is the machine's affair.
//! Time decides nothing: what is waited for is a condition, and one that never comes fails loudly.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(dead_code, unreachable_pub, reason = "other tests use the rest of the support")]

#[path = "../support/client.rs"]
mod client;
#[path = "../support/process.rs"]
mod process;
#[path = "../support/sink.rs"]
mod sink;

mod clients;
mod items;
mod ledger;
mod run;
mod torn;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Instant;

use ledger::Totals;
use run::Run;

/// So many runs are part of every `cargo test`.
const SHORT: u64 = 5;

/// Of so many losing runs the folder is kept, and the details are shown at the end.
const SHOWN: usize = 3;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text}: expected a number")))
}

/// Whether the queue is the one in memory, with which this test must fail.
fn in_memory() -> bool {
    match std::env::var("DRAGOMAN_CRASH_QUEUE").as_deref() {
        Err(_) | Ok("file") => false,
        Ok("memory") => true,
        Ok(other) => panic!("DRAGOMAN_CRASH_QUEUE={other}: expected file or memory"),
    }
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let runs = number("DRAGOMAN_CRASH_RUNS").unwrap_or(SHORT);
    let first = number("DRAGOMAN_CRASH_SEED").unwrap_or_else(|| fastrand::u64(..1 << 40));
    println!("{runs} runs from seed {first}");
    let began = Instant::now();
    let mut totals = Totals::default();
    let mut losses = Vec::new();
    for done in 1..=runs {
        let seed = first + done - 1;
        let keep = !in_memory() && losses.len() < SHOWN;
        match catch_unwind(AssertUnwindSafe(|| Run::new(seed, in_memory()).finish(keep))) {
            Ok((of_run, loss)) => {
                totals.add(&of_run);
                if let Some(loss) = loss {
                    println!("seed {seed}: {loss}");
                    losses.push(format!("seed {seed}: {loss}"));
                }
            }
            Err(panic) => {
                println!("seed {seed} did not come to an end; before it:\n{totals}");
                resume_unwind(panic);
            }
        }
        if done % 50 == 0 || done == runs {
            println!("after {:.0?}:\n{totals}", began.elapsed());
        }
    }
    losses.truncate(SHOWN);
    assert!(totals.wrong() == 0, "acknowledged and lost, or never sent and arrived:\n{}\n{totals}", losses.join("\n"));
}
