//! A running service and what is asked of it.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use dragoman::config::Source;
use dragoman::otlp::Signal;
use dragoman::service::plan::Plan;
use dragoman::service::start::{Running, start};

use crate::client::{Answer, Client};

/// Longer than any step takes on a busy machine; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Grpc,
    Protobuf,
    Json,
}

impl Way {
    pub(crate) const ALL: [Way; 3] = [Way::Grpc, Way::Protobuf, Way::Json];
}

/// The plan of a configuration.
pub(crate) fn plan(yaml: &str) -> Plan {
    let (plan, _) = Plan::load(&[Source::Yaml(yaml.to_owned())], &|_| None).unwrap_or_else(|error| panic!("{error}"));
    plan
}

/// The embedded default, and what the environment adds to it, with every listener on a free port.
pub(crate) fn default_plan(environment: &dyn Fn(&str) -> Option<String>) -> Plan {
    use dragoman::service::plan::{ExporterSettings, ExtensionSettings};
    let (mut plan, warnings) = Plan::load(&[], environment).unwrap_or_else(|error| panic!("{error}"));
    assert!(warnings.is_empty(), "{warnings:?}");
    let free = || "127.0.0.1:0".to_owned();
    for (_, receiver) in &mut plan.receivers {
        receiver.grpc.as_mut().unwrap().endpoint = free();
        receiver.http.as_mut().unwrap().endpoint = free();
    }
    for (_, exporter) in &mut plan.exporters {
        if let ExporterSettings::Prometheus(prometheus) = exporter {
            prometheus.endpoint = free();
        }
    }
    for (_, extension) in &mut plan.extensions {
        if let ExtensionSettings::HealthCheck(health) = extension {
            health.endpoint = free();
        }
    }
    plan.telemetry.metrics_address = Some(free());
    plan
}

/// A running service.
pub(crate) struct Rig {
    pub(crate) running: Running,
    shown: Arc<Mutex<Vec<u8>>>,
}

impl Rig {
    pub(crate) async fn start(plan: Plan) -> Rig {
        let shown = Arc::<Mutex<Vec<u8>>>::default();
        let writer = Shown(shown.clone());
        let output = Arc::new(move || Box::new(writer.clone()) as Box<dyn Write + Send>);
        let running = start(plan, PATIENCE, output).await.unwrap();
        Rig { running, shown }
    }

    pub(crate) fn address(&self, what: &str) -> SocketAddr {
        let found = self.running.addresses().iter().find(|address| address.what == what);
        found.unwrap_or_else(|| panic!("no {what}")).address
    }

    /// Sends a request over a connection of its own.
    pub(crate) async fn send(&self, way: Way, signal: Signal, body: impl Into<Bytes>) -> Answer {
        match way {
            Way::Grpc => Client::http2(self.address("OTLP gRPC")).await.call(signal, &body.into()).await,
            Way::Protobuf => self.post(signal, "application/x-protobuf", body).await,
            Way::Json => self.post(signal, "application/json", body).await,
        }
    }

    async fn post(&self, signal: Signal, media_type: &str, body: impl Into<Bytes>) -> Answer {
        let mut client = Client::http1(self.address("OTLP HTTP")).await;
        client.post(signal.http_path(), media_type, "", body.into()).await
    }

    /// Sends a request that must be taken.
    pub(crate) async fn must_take(&self, way: Way, signal: Signal, body: impl Into<Bytes>) {
        let answer = self.send(way, signal, body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        if way == Way::Grpc {
            assert_eq!(answer.header("grpc-status"), "0", "{answer:?}");
        }
    }

    pub(crate) async fn health(&self) -> Answer {
        Client::http1(self.address("health")).await.get("/").await
    }

    /// The self-metrics.
    pub(crate) async fn books(&self) -> Page {
        Page::read(self.address("self-metrics")).await
    }

    /// The Prometheus exporter's page.
    pub(crate) async fn page(&self) -> Page {
        Page::read(self.address("Prometheus")).await
    }

    /// Scrapes the self-metrics until `done`.
    pub(crate) async fn books_when(&self, done: impl Fn(&Page) -> bool) -> Page {
        let scrapes = async {
            loop {
                let books = self.books().await;
                if done(&books) {
                    return books;
                }
            }
        };
        match tokio::time::timeout(PATIENCE, scrapes).await {
            Ok(books) => books,
            Err(_) => panic!("the books never said so:\n{}", self.books().await.0),
        }
    }

    /// Ends the service in good order; what its debug exporter wrote.
    pub(crate) async fn stop(self) -> String {
        let stopped = self.running.stop(Duration::from_secs(20)).await;
        assert!(stopped.drained && stopped.lost == 0, "{stopped:?}");
        String::from_utf8(std::mem::take(&mut *self.shown.lock().unwrap())).unwrap()
    }
}

/// A page of metrics.
pub(crate) struct Page(pub(crate) String);

impl Page {
    pub(crate) async fn read(address: SocketAddr) -> Page {
        let answer = Client::http1(address).await.get("/metrics").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        Page(String::from_utf8(answer.body.to_vec()).unwrap())
    }

    /// The sum of a metric's series that carry all of `labels`, written as on the page.
    pub(crate) fn sum(&self, name: &str, labels: &[&str]) -> u64 {
        let series = self.0.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?.strip_prefix(['{', ' '])?;
            labels.iter().all(|label| rest.contains(label)).then_some(rest)
        });
        series.map(|rest| rest.rsplit(' ').next().unwrap().parse::<f64>().unwrap() as u64).sum()
    }

    /// Whether there is any series of this name with these labels.
    pub(crate) fn has(&self, name: &str, labels: &[&str]) -> bool {
        self.0.lines().any(|line| {
            let rest = line.strip_prefix(name).filter(|rest| rest.starts_with(['{', ' ']));
            rest.is_some_and(|rest| labels.iter().all(|label| rest.contains(label)))
        })
    }
}

#[derive(Clone)]
struct Shown(Arc<Mutex<Vec<u8>>>);

impl Write for Shown {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
