//! The runs.

use dragoman::otlp::Signal;
use tokio::runtime::{Builder, Runtime};

use crate::load::{Load, Tally};
use crate::page::Page;
use crate::process::Dragoman;
use crate::rig::{Auditor, Backends, Queue, Sending, configuration, configuration_with};
use crate::sink::Mood;

const A: (&str, &str) = ("exporter", "otlp_grpc/a");
const B: (&str, &str) = ("exporter", "otlp_http/b");
const TRACES: (&str, &str) = ("pipeline", "traces");

fn reason(name: &'static str) -> (&'static str, &'static str) {
    ("reason", name)
}

/// Of every state so many pages are read at least.
const PAGES: u64 = 5;

/// Something that is counted grows from here on.
fn grows(auditor: &Auditor, what: &str, count: impl Fn(&Page) -> i128) {
    let before = count(&auditor.now());
    auditor.until(what, |page| count(page) > before);
    auditor.look_again(PAGES);
}

/// Load with all backends well, then with none that takes anything, then with faults that end in a
/// delivery, then with faults that do not.
fn trouble(auditor: &Auditor, backends: &Backends) {
    grows(auditor, "dropped spans", |page| page.dropped(&[TRACES]));
    grows(auditor, "joined log records", |page| page.dropped(&[("pipeline", "logs")]));
    auditor.until("held spans", |page| page.held(&[TRACES]) > 0);
    for exporter in [A, B] {
        grows(auditor, "exported", |page| page.exported(&[exporter]));
    }

    backends.feel(Mood::Down);
    auditor.until("queued", |page| page.queued(&[A]) > 0 && page.queued(&[B]) > 0);
    grows(auditor, "refused", |page| page.refused(&[]));
    for exporter in [A, B] {
        grows(auditor, "given up", |page| page.lost(&[exporter, reason("retries_exhausted")]));
    }

    for mood in [Mood::Moody, Mood::Cutting, Mood::Slow] {
        backends.feel(mood);
        for exporter in [A, B] {
            grows(auditor, "exported in spite of faults", |page| page.exported(&[exporter]));
        }
    }
    backends.feel(Mood::Silent);
    grows(auditor, "refused while nobody answers", |page| page.refused(&[]));

    for (mood, why) in [(Mood::Rejecting, "rejected"), (Mood::Partial, "partial_success")] {
        backends.feel(mood);
        for exporter in [A, B] {
            grows(auditor, why, |page| page.lost(&[exporter, reason(why)]));
        }
    }
}

/// What the outside saw is what the books say; every pipeline got every request of its signal.
fn agrees(books: &Page, backends: &Backends, acknowledged: &Tally, refused: &Tally) {
    for (pipeline, signal) in [("traces", Signal::Traces), ("traces/raw", Signal::Traces), ("logs", Signal::Logs)] {
        let of = ("pipeline", pipeline);
        let taken = books.received(&[of]) - books.refused(&[of]);
        assert_eq!(taken, acknowledged.of(signal), "{pipeline}: acknowledged\n{}", books.text());
        assert_eq!(books.refused(&[of]), refused.of(signal), "{pipeline}: refused\n{}", books.text());
    }
    for (exporter, took) in [A, B].into_iter().zip(&backends.took) {
        let mut sent = 0;
        for signal in Signal::ALL {
            let of = books.sum(&format!("otelcol_exporter_sent_{}_total", signal.items()), &[exporter]);
            assert!(of <= took.of(signal), "{exporter:?}: {of} sent, {} {signal} arrived", took.of(signal));
            sent += of;
        }
        assert_eq!(books.exported(&[exporter]), sent, "the books of the pipelines and of the exporter");
    }
}

/// From the end of the load to the end of the process; how many pages were read.
fn to_the_end(mut dragoman: Dragoman, auditor: Auditor) -> u64 {
    auditor.expect_the_end();
    assert_eq!(dragoman.process.terminate(), Some(0), "{}", dragoman.process.log());
    auditor.finish()
}

/// Has the configuration read again, which is the so many-th time, and waits until it is in force.
fn in_force(dragoman: &mut Dragoman, times: usize) {
    dragoman.process.signal("HUP");
    let is_so = |log: &str| log.matches("the configuration is in force").count() >= times;
    dragoman.process.wait_for("the new configuration", |log| is_so(log).then_some(()));
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

#[test]
fn every_scrape_balances_through_overload_and_faults_to_the_end() {
    let (runtime, folder) = (runtime(), tempfile::tempdir().unwrap());
    let backends = Backends::start(&runtime);
    let dragoman = Dragoman::start(&configuration(&folder, &backends, Queue::Memory));
    let auditor = Auditor::start(dragoman.own_metrics);
    let load = Load::start(runtime.handle(), dragoman.grpc, dragoman.http);
    trouble(&auditor, &backends);
    backends.feel(Mood::Well);
    grows(&auditor, "exported again", |page| page.exported(&[A]));
    let (acknowledged, refused) = runtime.block_on(load.stop());
    auditor.until("drained", |page| page.on_the_way() == 0);
    agrees(&auditor.now(), &backends, &acknowledged, &refused);
    println!("{} scrapes, each balanced", to_the_end(dragoman, auditor));
    runtime.shutdown_background();
}

#[test]
fn every_scrape_balances_with_a_queue_on_disk_and_after_a_kill() {
    let (runtime, folder) = (runtime(), tempfile::tempdir().unwrap());
    let backends = Backends::start(&runtime);
    let config = configuration(&folder, &backends, Queue::File);
    let mut dragoman = Dragoman::start(&config);
    let auditor = Auditor::start(dragoman.own_metrics);
    let load = Load::start(runtime.handle(), dragoman.grpc, dragoman.http);
    trouble(&auditor, &backends);
    // From here on nothing is given up, so that whatever is queued once the backends are away stays there
    // until the kill, however late that comes.
    backends.feel(Mood::Well);
    configuration_with(&folder, &backends, Queue::File, Sending { consumers: 4, gives_up: false });
    in_force(&mut dragoman, 1);
    for exporter in [A, B] {
        grows(&auditor, "exported by exporters that do not give up", |page| page.exported(&[exporter]));
    }
    backends.feel(Mood::Down);
    auditor.look_again(PAGES);
    auditor.until("queued", |page| page.queued(&[A]) > 0 && page.queued(&[B]) > 0);
    load.expect_the_end();
    auditor.expect_the_end();
    dragoman.process.kill();
    runtime.block_on(load.stop());
    let mut scrapes = auditor.finish();

    // The next process begins with empty books, and what it found stands in them.
    let dragoman = Dragoman::start(&config);
    let auditor = Auditor::start(dragoman.own_metrics);
    for exporter in [A, B] {
        auditor.until("recovered", |page| page.recovered(&[exporter]) > 0);
    }
    auditor.look_again(PAGES);
    backends.feel(Mood::Well);
    let books = auditor.until("drained", |page| page.on_the_way() == 0);
    for exporter in [A, B] {
        let fates = books.exported(&[exporter]) + books.lost(&[exporter]);
        assert_eq!(books.recovered(&[exporter]), fates, "{exporter:?}\n{}", books.text());
    }
    scrapes += to_the_end(dragoman, auditor);
    println!("{scrapes} scrapes, each balanced");
    runtime.shutdown_background();
}

#[test]
fn every_scrape_balances_while_configurations_come_and_go() {
    for queue in [Queue::Memory, Queue::File] {
        let (runtime, folder) = (runtime(), tempfile::tempdir().unwrap());
        let backends = Backends::start(&runtime);
        let mut dragoman = Dragoman::start(&configuration(&folder, &backends, queue));
        let auditor = Auditor::start(dragoman.own_metrics);
        let load = Load::start(runtime.handle(), dragoman.grpc, dragoman.http);
        let moods = [Mood::Well, Mood::Moody, Mood::Slow, Mood::Overloaded, Mood::Cutting, Mood::Well];
        for (times, mood) in (1..).zip(moods) {
            backends.feel(mood);
            grows(&auditor, "received", |page| page.received(&[]));
            // Exporters are made anew, behind the same pipelines; what the old ones have goes on.
            configuration_with(&folder, &backends, queue, Sending { consumers: 4 + times, gives_up: true });
            in_force(&mut dragoman, times);
            grows(&auditor, "received after it", |page| page.received(&[]));
        }
        // The clients still have the connections that they began with, and got every answer.
        let (acknowledged, refused) = runtime.block_on(load.stop());
        auditor.until("drained", |page| page.on_the_way() == 0);
        agrees(&auditor.now(), &backends, &acknowledged, &refused);
        println!("{} scrapes, each balanced", to_the_end(dragoman, auditor));
        runtime.shutdown_background();
    }
}
