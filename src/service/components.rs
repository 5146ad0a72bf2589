//! The list: every type of component that a configuration may name, by which names, and for which
//! signals. A new component is one line here and one file with its `read`.

use super::plan::{ConnectorSettings, ExporterSettings, ExtensionSettings, ProcessorSettings};
use super::settings::HealthCheck;
use crate::auth::settings as auth;
use crate::config::Section;
use crate::exporter::settings as exporter;
use crate::extension::file_storage::FileStorage;
use crate::otlp::Signal;
use crate::processor::settings as processor;
use crate::receiver::settings as receiver;

/// A section of the configuration that defines components.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Receiver,
    Processor,
    Connector,
    Exporter,
    Extension,
}

impl Kind {
    /// The key at the top of a configuration.
    pub(super) const fn section(self) -> &'static str {
        match self {
            Kind::Receiver => "receivers",
            Kind::Processor => "processors",
            Kind::Connector => "connectors",
            Kind::Exporter => "exporters",
            Kind::Extension => "extensions",
        }
    }

    /// In a sentence.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Kind::Receiver => "a receiver",
            Kind::Processor => "a processor",
            Kind::Connector => "a connector",
            Kind::Exporter => "an exporter",
            Kind::Extension => "an extension",
        }
    }
}

/// A type of component.
#[derive(Debug)]
pub(super) struct Component<S: 'static> {
    /// Before the `/` of an id.
    pub(super) name: &'static str,
    /// Other spellings that the Collector has or had.
    pub(super) aliases: &'static [&'static str],
    /// Signals that may flow into it from a pipeline.
    pub(super) takes: &'static [Signal],
    /// Signals that may flow out of it into a pipeline.
    pub(super) gives: &'static [Signal],
    /// Reads its section.
    pub(super) read: fn(&mut Section<'_>) -> S,
}

const ALL: &[Signal] = &Signal::ALL;
const TRACES: &[Signal] = &[Signal::Traces];
const METRICS: &[Signal] = &[Signal::Metrics];
const NONE: &[Signal] = &[];

/// `receivers`.
pub(super) const RECEIVERS: &[Component<receiver::Settings>] =
    &[Component { name: "otlp", aliases: &[], takes: NONE, gives: ALL, read: receiver::read }];

/// `processors`.
pub(super) const PROCESSORS: &[Component<ProcessorSettings>] = &[
    Component {
        name: "memory_limiter",
        aliases: &[],
        takes: ALL,
        gives: ALL,
        read: |section| ProcessorSettings::MemoryLimiter(processor::memory_limiter::read(section)),
    },
    Component {
        name: "batch",
        aliases: &[],
        takes: ALL,
        gives: ALL,
        read: |section| ProcessorSettings::Batch(processor::batch::read(section)),
    },
    Component {
        name: "genai",
        aliases: &[],
        takes: ALL,
        gives: ALL,
        read: |section| ProcessorSettings::Genai(processor::genai::read(section)),
    },
    Component {
        name: "drop",
        aliases: &[],
        takes: TRACES,
        gives: TRACES,
        read: |section| ProcessorSettings::Drop(processor::drop::read(section)),
    },
    Component {
        name: "fold_chunks",
        aliases: &[],
        takes: TRACES,
        gives: TRACES,
        read: |section| ProcessorSettings::FoldChunks(processor::fold_chunks::read(section)),
    },
];

/// `connectors`.
pub(super) const CONNECTORS: &[Component<ConnectorSettings>] = &[Component {
    name: "genai_metrics",
    aliases: &[],
    takes: TRACES,
    gives: METRICS,
    read: |section| ConnectorSettings::GenaiMetrics(processor::genai_metrics::read(section)),
}];

/// `exporters`.
pub(super) const EXPORTERS: &[Component<ExporterSettings>] = &[
    Component {
        name: "otlp_grpc",
        aliases: &["otlp"],
        takes: ALL,
        gives: NONE,
        read: |section| ExporterSettings::Otlp(exporter::otlp::read_grpc(section)),
    },
    Component {
        name: "otlp_http",
        aliases: &["otlphttp"],
        takes: ALL,
        gives: NONE,
        read: |section| ExporterSettings::Otlp(exporter::otlp::read_http(section)),
    },
    Component {
        name: "prometheus",
        aliases: &[],
        takes: METRICS,
        gives: NONE,
        read: |section| ExporterSettings::Prometheus(exporter::prometheus::read(section)),
    },
    Component {
        name: "debug",
        aliases: &["logging"],
        takes: ALL,
        gives: NONE,
        read: |section| ExporterSettings::Debug(exporter::debug::read(section)),
    },
];

/// `extensions`.
pub(super) const EXTENSIONS: &[Component<ExtensionSettings>] = &[
    Component {
        name: "health_check",
        aliases: &[],
        takes: NONE,
        gives: NONE,
        read: |section| ExtensionSettings::HealthCheck(HealthCheck::read(section)),
    },
    Component {
        name: "bearertokenauth",
        aliases: &["bearer_token_auth"],
        takes: NONE,
        gives: NONE,
        read: |section| ExtensionSettings::Auth(auth::bearer(section)),
    },
    Component {
        name: "basicauth",
        aliases: &["basic_auth"],
        takes: NONE,
        gives: NONE,
        read: |section| ExtensionSettings::Auth(auth::basic(section)),
    },
    Component {
        name: "file_storage",
        aliases: &[],
        takes: NONE,
        gives: NONE,
        read: |section| ExtensionSettings::FileStorage(FileStorage::read(section)),
    },
];

const COLLECTOR_BEHIND: &str =
    "it is not part of this program: run a Collector behind it and export there with otlp_grpc";
const SEND_OTLP: &str = "only OTLP is received: let the application send OTLP to the otlp receiver";
const USE_BATCH: &str = "put requests together with the batch processor, or with sending_queue.batch of an exporter";
const USE_DROP: &str = "the drop processor takes spans out, by rules, without leaving orphans";
const USE_METRICS: &str = "the genai_metrics connector derives token and duration metrics from LLM spans";
const USE_HEADERS: &str =
    "write the credentials into the exporter's headers, such as authorization: Bearer ${env:TOKEN}";

/// Components that Collector files commonly have, and what to do about them here.
const ELSEWHERE: &[(Kind, &[&str], &str)] = &[
    (
        Kind::Receiver,
        &[
            "jaeger",
            "zipkin",
            "opencensus",
            "otlp_arrow",
            "otelarrow",
            "datadog",
            "skywalking",
            "kafka",
            "filelog",
            "file_log",
        ],
        SEND_OTLP,
    ),
    (
        Kind::Receiver,
        &[
            "prometheus",
            "prometheus_simple",
            "hostmetrics",
            "host_metrics",
            "kubeletstats",
            "k8s_cluster",
            "k8s_events",
            "statsd",
            "nop",
        ],
        "only OTLP is received: leave it to a Collector",
    ),
    (Kind::Processor, &["queuebatch", "queue_batch"], USE_BATCH),
    (Kind::Processor, &["filter", "spanpruning", "span_pruning"], USE_DROP),
    (Kind::Processor, &["gen_ai_normalizer", "genainormalizer"], "the genai processor does this, for more dialects"),
    (
        Kind::Processor,
        &[
            "attributes",
            "resource",
            "transform",
            "span",
            "redaction",
            "resourcedetection",
            "resource_detection",
            "k8sattributes",
            "k8s_attributes",
            "tail_sampling",
            "probabilistic_sampler",
            "groupbytrace",
            "groupbyattrs",
            "metricstransform",
            "metrics_transform",
            "metricsgeneration",
            "cumulativetodelta",
            "deltatocumulative",
            "routing",
            "remotetap",
            "schema",
            "geoip",
            "interval",
        ],
        COLLECTOR_BEHIND,
    ),
    (
        Kind::Connector,
        &["spanmetrics", "span_metrics", "signal_to_metrics", "signaltometrics", "count", "sum"],
        USE_METRICS,
    ),
    (
        Kind::Connector,
        &["forward", "routing", "failover", "servicegraph", "service_graph", "round_robin"],
        COLLECTOR_BEHIND,
    ),
    (Kind::Exporter, &["jaeger", "jaeger_thrift"], "Jaeger takes OTLP: otlp_grpc with its port 4317"),
    (Kind::Exporter, &["loki"], "Loki takes OTLP: otlp_http with endpoint http://loki:3100/otlp"),
    (
        Kind::Exporter,
        &["prometheusremotewrite", "prometheus_remote_write"],
        "let Prometheus scrape the prometheus exporter, or send OTLP to it: otlp_http with endpoint http://prometheus:9090/api/v1/otlp",
    ),
    (
        Kind::Exporter,
        &[
            "zipkin",
            "kafka",
            "datadog",
            "elasticsearch",
            "clickhouse",
            "awsxray",
            "googlecloud",
            "azuremonitor",
            "loadbalancing",
            "load_balancing",
            "otelarrow",
            "splunk_hec",
            "opensearch",
            "opencensus",
        ],
        COLLECTOR_BEHIND,
    ),
    (Kind::Exporter, &["file", "nop"], "the debug exporter with verbosity: detailed shows everything"),
    (
        Kind::Extension,
        &["zpages", "pprof", "opamp", "remotetap"],
        "leave it out: the state is in the self-metrics of service.telemetry.metrics",
    ),
    (Kind::Extension, &["healthcheckv2", "health_check_v2"], "the health_check extension answers on its port"),
    (Kind::Extension, &["memory_limiter"], "it is the memory_limiter processor here"),
    (Kind::Extension, &["db_storage", "redis_storage"], "the file_storage extension keeps queues on disk"),
    (Kind::Extension, &["oauth2client", "oauth2_client", "headers_setter"], USE_HEADERS),
    (
        Kind::Extension,
        &["oidc", "k8s_observer", "docker_observer", "sigv4auth"],
        "leave it out: it is not part of this program",
    ),
];

/// What to do instead of a component of the Collector that is not here.
pub(super) fn elsewhere(kind: Kind, name: &str) -> Option<&'static str> {
    ELSEWHERE.iter().find(|(of, names, _)| *of == kind && names.contains(&name)).map(|(.., instead)| *instead)
}

impl<S> Component<S> {
    /// Whether an id's type names it.
    pub(super) fn is_called(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_name_is_listed_twice() {
        let mut seen = HashSet::new();
        for (kind, names, _) in ELSEWHERE {
            for name in *names {
                assert!(seen.insert((kind.section(), *name)), "{name}");
            }
        }
        let exporters = EXPORTERS.iter().flat_map(|c| c.aliases.iter().chain([&c.name]));
        for name in exporters {
            assert!(seen.insert(("exporters", name)), "{name}");
        }
    }
}
