//! A part that dies takes readiness with it, and the program is told; a defect in one scrape does not.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::plan::{Plan, ProcessorSettings};
use super::start::{Running, start};
use crate::config::Source;
use crate::metrics::own::known;
use crate::metrics::snapshot::{Family, Source as Metrics};
use crate::otlp::Signal;
use crate::otlp::answer::Refusal;
use crate::pipeline::account::Account;
use crate::pipeline::run::Sink;
use crate::pipeline::{Exporter, Permit};

const YAML: &str = "
receivers: { otlp: { protocols: { grpc: { endpoint: 127.0.0.1:0 } } } }
processors: { memory_limiter: { check_interval: 1s, limit_mib: 4096 } }
connectors: { genai_metrics: { metrics_flush_interval: 1s } }
exporters: { debug: {} }
extensions: { health_check: { endpoint: 127.0.0.1:0 } }
service:
  extensions: [health_check]
  telemetry: { metrics: { address: 127.0.0.1:0 } }
  pipelines:
    traces: { receivers: [otlp], processors: [memory_limiter], exporters: [genai_metrics] }
    metrics: { receivers: [genai_metrics], exporters: [debug] }
";

fn plan() -> Plan {
    let (plan, _) = Plan::load(&[Source::Yaml(YAML.to_owned())], &|_| None).unwrap();
    plan
}

async fn running(plan: Plan) -> Running {
    start(plan, Duration::from_secs(5), Arc::new(|| Box::new(std::io::sink()))).await.unwrap()
}

/// The answer to a GET, as it comes.
async fn get(running: &Running, what: &str, path: &str) -> String {
    let address = running.addresses().iter().find(|address| address.what == what).unwrap().address;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    #[allow(clippy::disallowed_methods, reason = "limited")]
    stream.take(1 << 20).read_to_string(&mut answer).await.unwrap();
    answer
}

/// Waits for a death and looks at all that it is to bring about.
async fn assert_dies(running: Running, part: &str) {
    let death = tokio::time::timeout(Duration::from_secs(60), running.death()).await;
    assert_eq!(death.unwrap(), part);
    let health = get(&running, "health", "/").await;
    assert!(health.starts_with("HTTP/1.0 503"), "{health}");
    assert!(health.contains(&format!("Server not available: {part} ended by a defect")), "{health}");
    let page = get(&running, "self-metrics", "/metrics").await;
    assert!(page.contains(&format!("dragoman_task_deaths_total{{task=\"{part}\"}} 1")), "{page}");
    // The end is an orderly one all the same.
    running.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn any_task_that_dies_takes_readiness_with_it() {
    let running = running(plan()).await;
    assert!(get(&running, "health", "/").await.starts_with("HTTP/1.0 200"));
    let asked = CancellationToken::new();
    let task = async { panic!("a task with a defect") };
    let dead: tokio::task::JoinHandle<Option<()>> = running.ground.supervisor.spawn("a task", &asked, task);
    assert_eq!(dead.await.unwrap(), None);
    assert_dies(running, "a task").await;
}

/// An interval of nothing, which no configuration can say, is a panic of the timer.
#[tokio::test]
async fn the_memory_watch_is_not_missed_silently() {
    let mut plan = plan();
    for stage in plan.pipelines.iter_mut().flat_map(|pipeline| &mut pipeline.stages) {
        if let ProcessorSettings::MemoryLimiter(limiter) = &mut stage.settings {
            limiter.check_interval = Duration::ZERO;
        }
    }
    assert_dies(running(plan).await, "memory limiter memory_limiter").await;
}

/// Panics when it is asked for room.
struct Defective;

impl Exporter for Defective {
    fn reserve(&self, _: Signal, _: usize) -> Result<Box<dyn Permit + '_>, Refusal> {
        panic!("an exporter with a defect")
    }
}

#[tokio::test]
async fn nor_are_a_connectors_flushes() {
    let running = running(plan()).await;
    let (id, connector) = running.house.connectors.iter().next().unwrap();
    assert_eq!(id.as_str(), "genai_metrics");
    let sink = Sink { id: "defective".into(), exporter: Arc::new(Defective), enqueue_failed: None };
    let push = super::connector::Push { sink, leg: Account::new("metrics").leg("defective") };
    let call = crate::metrics::call::Call::sample();
    crate::metrics::ledger::Recorder::tokens(&*connector.families, &call, crate::metrics::ledger::Direction::Output, 1);
    connector.send_to(super::connector::Outlets { push: vec![push], interval: Duration::from_millis(1) });
    assert_dies(running, "connector genai_metrics").await;
}

#[tokio::test]
async fn nor_is_an_exporter() {
    let running = running(plan()).await;
    let (_, exporter) = running.house.exporters.iter().next().unwrap();
    let super::exporters::Kind::Debug(debug) = &exporter.kind else { panic!("there is one exporter") };
    debug.died().cancel();
    assert_dies(running, "exporter debug").await;
}

/// Cannot be shown.
struct Unshowable;

impl Metrics for Unshowable {
    fn collect(&self, _: &mut Vec<Family>) {
        panic!("metrics with a defect");
    }
}

#[tokio::test]
async fn a_defect_in_a_scrape_fails_that_scrape_and_is_counted() {
    let running = running(plan()).await;
    running.ground.own.add_source(Arc::new(Unshowable));
    let page = get(&running, "self-metrics", "/metrics").await;
    assert!(page.starts_with("HTTP/1.0 500"), "{page}");
    assert_eq!(running.ground.panics.get(), 1);
    assert!(get(&running, "health", "/").await.starts_with("HTTP/1.0 200"));
    assert_eq!(known::task_deaths(&running.ground.own).with(&["x"]).get(), 0);
    running.stop(Duration::from_secs(5)).await;
}
