//! The OTLP exporter, over gRPC or HTTP: its settings, checked, become one lane for each signal.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use thiserror::Error;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::client::{Client, HeaderError};
use super::delivery::{self, Call, Lane, Stored};
use super::endpoint::{EndpointError, endpoints};
use super::grpc::Grpc;
use super::http::Http;
use super::observe::{DiskState, Observer, QueueState};
use super::proxy::{Proxies, ProxyError};
use super::queue::durable::Opened;
use super::settings::{Otlp, Transport};
use super::tls::Connector;
use crate::auth::Credentials;
use crate::bounded::budget::Budget;
use crate::net::tls::TlsError;
use crate::otlp::Signal;
use crate::otlp::answer::{Reason, Refusal};
use crate::pipeline::account::Leg;
use crate::pipeline::{Exporter, Permit};

/// Why an exporter cannot be started.
#[derive(Debug, Error)]
pub enum StartError {
    /// Its endpoint.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// Its TLS settings.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Its headers.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// Its proxy, or the environment's.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
}

/// A running OTLP exporter. It may stand at the end of any number of pipelines.
pub struct OtlpExporter {
    name: Arc<str>,
    /// In the order of [`Signal::ALL`]; `None` for a signal without an endpoint.
    lanes: [Option<Lane>; 3],
    died: CancellationToken,
}

/// What other components give to an exporter.
#[derive(Default)]
pub struct Given<'g> {
    /// What the extension that `auth.authenticator` names says.
    pub credentials: Option<Arc<Credentials>>,
    /// Queues on disk, for the signals that have one.
    pub stored: BTreeMap<Signal, Opened>,
    /// Those of all pipelines that end here, for the queues on disk.
    pub legs: &'g [Leg],
    /// What the exporter makes of requests, such as compressed ones, counts here.
    pub memory: Budget,
}

impl OtlpExporter {
    /// Starts an exporter. Nothing is connected until there is something to send. `name` is the
    /// component's id, such as `otlp_grpc/jaeger`. Must be called inside of a tokio runtime.
    ///
    /// # Errors
    /// What is wrong with the settings.
    pub fn start(name: &str, settings: &Otlp, observer: Arc<dyn Observer>) -> Result<OtlpExporter, StartError> {
        OtlpExporter::start_with(name, settings, observer, Given::default())
    }

    /// As [`OtlpExporter::start`], with what other components give.
    ///
    /// # Errors
    /// What is wrong with the settings.
    pub fn start_with(
        name: &str,
        settings: &Otlp,
        observer: Arc<dyn Observer>,
        given: Given<'_>,
    ) -> Result<OtlpExporter, StartError> {
        let Given { credentials, mut stored, legs, memory } = given;
        let endpoints = endpoints(settings)?;
        let encrypted = endpoints.iter().flatten().any(|endpoint| endpoint.is_encrypted());
        let proxies = Arc::new(match &settings.proxy_url {
            Some(url) => Proxies::fixed(url.reveal())?,
            None => Proxies::of_environment(&|name| std::env::var(name).ok())?,
        });
        let path = format!("exporters.{name}");
        let connector = Connector::new(&path, settings.transport, &settings.tls, encrypted, proxies.clone())?;
        let client =
            Client::new(settings.transport, connector, &settings.headers, credentials, settings.keepalive, proxies)?;
        let client = Arc::new(client);
        let name: Arc<str> = name.into();
        let lane_settings = delivery::Settings {
            name: name.clone(),
            compression: settings.compression,
            timeout: settings.timeout,
            retry: settings.retry.clone(),
            queue: settings.queue.clone(),
            died: CancellationToken::new(),
            batch: None,
            max_request_size: settings.max_request_size,
            memory,
        };
        let mut lanes = [None, None, None];
        for (((signal, endpoint), lane), batch) in
            Signal::ALL.into_iter().zip(endpoints).zip(&mut lanes).zip(settings.batch)
        {
            let Some(endpoint) = endpoint else { continue };
            let call: Box<dyn Call> = match settings.transport {
                Transport::Grpc => Box::new(Grpc::new(client.clone(), endpoint, settings.timeout)),
                Transport::Http => Box::new(Http::new(client.clone(), endpoint)),
            };
            let lane_settings = delivery::Settings { batch, ..lane_settings.clone() };
            let stored = stored.remove(&signal).map(|opened| Stored { opened, legs });
            *lane = Some(Lane::start(signal, lane_settings, call, observer.clone(), stored));
        }
        Ok(OtlpExporter { name, lanes, died: lane_settings.died })
    }

    /// Whether there is an endpoint for `signal`. A pipeline of another signal must not end here.
    pub fn takes(&self, signal: Signal) -> bool {
        self.lane(signal).is_some()
    }

    /// Cancelled when a part of it has ended by a defect, so that not all of what it holds is delivered
    /// anymore.
    pub fn died(&self) -> CancellationToken {
        self.died.clone()
    }

    /// How full the queue of `signal` is. Each signal has a queue of its own, of the whole
    /// configured size, as in the Collector.
    pub fn queue(&self, signal: Signal) -> QueueState {
        self.lane(signal).map(Lane::state).unwrap_or_default()
    }

    /// What the queue of `signal` has on disk, if it is there.
    pub fn disk(&self, signal: Signal) -> Option<DiskState> {
        self.lane(signal).and_then(Lane::disk)
    }

    /// Takes nothing more, attempts what is left until `deadline`, and reports the rest as lost.
    pub async fn shutdown(&self, deadline: Instant) {
        let stop = |index: usize| async move {
            if let Some(Some(lane)) = self.lanes.get(index) {
                lane.shutdown(deadline).await;
            }
        };
        tokio::join!(stop(0), stop(1), stop(2));
    }

    fn lane(&self, signal: Signal) -> Option<&Lane> {
        Signal::ALL.iter().zip(&self.lanes).find(|(own, _)| **own == signal).and_then(|(_, lane)| lane.as_ref())
    }
}

impl Exporter for OtlpExporter {
    fn reserve(&self, signal: Signal, bytes: usize) -> Result<Box<dyn Permit + '_>, Refusal> {
        match self.lane(signal) {
            Some(lane) => lane.reserve(bytes),
            None => Err(Refusal::new(
                Reason::Internal,
                format!("exporter {} has no endpoint for {signal}; set endpoint or {signal}_endpoint", self.name),
            )),
        }
    }
}

impl fmt::Debug for OtlpExporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtlpExporter").field("name", &self.name).finish_non_exhaustive()
    }
}
