//! The runs.

use dragoman::otlp::Signal;
use tokio::runtime::Builder;

use crate::load::Load;
use crate::page::Page;
use crate::process::Dragoman;
use crate::rig::{Auditor, Backends, configuration};
use crate::sink::Mood;

const A: (&str, &str) = ("exporter", "otlp_grpc/a");
const B: (&str, &str) = ("exporter", "otlp_http/b");
const TRACES: (&str, &str) = ("pipeline", "traces");

/// Room for some requests, not for all that come while nobody takes them.
const SMALL_QUEUE: &str = "{ queue_size: 65536, num_consumers: 4 }";

fn reason(name: &'static str) -> (&'static str, &'static str) {
    ("reason", name)
}

/// Of every state so many pages are read at least.
const PAGES: u64 = 10;

/// Something that is counted grows from here on.
fn grows(auditor: &Auditor, what: &str, count: impl Fn(&Page) -> i128) {
    let before = count(&auditor.now());
    auditor.until(what, |page| count(page) > before);
    auditor.look_again(PAGES);
}

#[test]
fn every_scrape_balances_through_overload_and_faults_to_the_end() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let backends = Backends::start(&runtime);
    let mut dragoman = Dragoman::start(&configuration(&folder, &backends, SMALL_QUEUE));
    let auditor = Auditor::start(dragoman.own_metrics);
    let load = Load::start(runtime.handle(), dragoman.grpc, dragoman.http);

    // All is well: what is not dropped or held goes out.
    grows(&auditor, "dropped spans", |page| page.dropped(&[TRACES]));
    grows(&auditor, "joined log records", |page| page.dropped(&[("pipeline", "logs")]));
    auditor.until("held spans", |page| page.held(&[TRACES]) > 0);
    for exporter in [A, B] {
        grows(&auditor, "exported", |page| page.exported(&[exporter]));
    }

    // Nobody takes anything: queues fill, requests are refused, patience ends.
    backends.feel(Mood::Down);
    auditor.until("queued", |page| page.queued(&[A]) > 0 && page.queued(&[B]) > 0);
    grows(&auditor, "refused", |page| page.refused(&[]));
    for exporter in [A, B] {
        grows(&auditor, "given up", |page| page.lost(&[exporter, reason("retries_exhausted")]));
    }

    // Faults that end in a delivery, and faults that do not.
    for mood in [Mood::Moody, Mood::Cutting, Mood::Slow] {
        backends.feel(mood);
        for exporter in [A, B] {
            grows(&auditor, "exported in spite of faults", |page| page.exported(&[exporter]));
        }
    }
    backends.feel(Mood::Silent);
    grows(&auditor, "refused while nobody answers", |page| page.refused(&[]));
    backends.feel(Mood::Rejecting);
    for exporter in [A, B] {
        grows(&auditor, "rejected", |page| page.lost(&[exporter, reason("rejected")]));
    }
    backends.feel(Mood::Partial);
    for exporter in [A, B] {
        grows(&auditor, "partly rejected", |page| page.lost(&[exporter, reason("partial_success")]));
    }

    // The end of the load; what waits goes out.
    backends.feel(Mood::Well);
    grows(&auditor, "exported again", |page| page.exported(&[A]));
    let (acknowledged, refused) = runtime.block_on(load.stop());
    auditor.until("drained", |page| page.on_the_way() == 0);
    let books = auditor.now();

    // What the outside saw. Every pipeline got every request of its signal.
    for (pipeline, signal) in [("traces", Signal::Traces), ("traces/raw", Signal::Traces), ("logs", Signal::Logs)] {
        let of = ("pipeline", pipeline);
        let taken = books.received(&[of]) - books.refused(&[of]);
        assert_eq!(taken, acknowledged.of(signal), "{pipeline}: acknowledged\n{}", books.text());
        assert_eq!(books.refused(&[of]), refused.of(signal), "{pipeline}: refused\n{}", books.text());
    }
    for (exporter, took) in [A, B].into_iter().zip(&backends.took) {
        for signal in Signal::ALL {
            let sent = format!("otelcol_exporter_sent_{}_total", signal.items());
            let sent = books.sum(&sent, &[exporter]);
            assert!(sent <= took.of(signal), "{exporter:?}: {sent} sent, {} {signal} arrived", took.of(signal));
        }
        let sent: i128 = Signal::ALL
            .iter()
            .map(|signal| books.sum(&format!("otelcol_exporter_sent_{}_total", signal.items()), &[exporter]))
            .sum();
        assert_eq!(books.exported(&[exporter]), sent, "the books of the pipelines and of the exporter");
    }

    auditor.expect_the_end();
    assert_eq!(dragoman.process.terminate(), Some(0), "{}", dragoman.process.log());
    let scrapes = auditor.finish();
    println!("{scrapes} scrapes, each balanced");
    runtime.shutdown_background();
}
