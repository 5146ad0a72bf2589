//! Components of the Collector that are not here, and what to do instead: a table, in which `validate`
//! looks up what [`super::components`] does not have.
//!
//! Names are those of the contrib distribution's `metadata.yaml`, without underscores: in 2026 the
//! Collector renamed most of its components to have some (`k8sattributes` became `k8s_attributes`), and
//! takes both spellings.

use super::components::Kind;

/// Components of one section that have the same answer.
struct Absent {
    kind: Kind,
    names: &'static [&'static str],
    instead: &'static str,
}

const fn absent(kind: Kind, names: &'static [&'static str], instead: &'static str) -> Absent {
    Absent { kind, names, instead }
}

const SEND_OTLP: &str = "only OTLP is received: let the application send OTLP to the otlp receiver";
const ANOTHER_RECEIVES: &str =
    "only OTLP is received: leave it to a Collector in front, which sends OTLP to the otlp receiver";
const AGENT_BESIDE: &str =
    "only OTLP is received: leave it to a Collector or an agent beside, which needs nothing from here";
const COLLECTOR_BEHIND: &str =
    "it is not part of this program: run a Collector behind it and export there with otlp_grpc";
const NOT_NEEDED: &str = "leave it out: nothing here needs it";
const HEADERS: &str = "write the credentials into the exporter's headers, such as authorization: Bearer ${env:TOKEN}";
const GUARDS: &str =
    "receivers ask for credentials with bearertokenauth or basicauth, or for certificates with tls.client_ca_file";

const ABSENT: &[Absent] = &[
    // Receivers of what applications send in other words than OTLP.
    absent(
        Kind::Receiver,
        &[
            "carbon",
            "collectd",
            "datadog",
            "faro",
            "fluentforward",
            "influxdb",
            "jaeger",
            "libhoney",
            "loki",
            "opencensus",
            "otelarrow",
            "otlparrow",
            "sapm",
            "signalfx",
            "skywalking",
            "splunkhec",
            "statsd",
            "stef",
            "wavefront",
            "zipkin",
        ],
        SEND_OTLP,
    ),
    absent(
        Kind::Receiver,
        &["awsxray", "awsfirehose", "azureeventhub", "googlecloudpubsub", "kafka", "pulsar", "rabbitmq", "solace"],
        ANOTHER_RECEIVES,
    ),
    absent(
        Kind::Receiver,
        &["prometheus", "prometheusremotewrite", "prometheussimple", "simpleprometheus", "purefa", "purefb"],
        "only OTLP is received: let Prometheus scrape these targets itself",
    ),
    absent(
        Kind::Receiver,
        &[
            "filelog",
            "journald",
            "namedpipe",
            "syslog",
            "tcplog",
            "udplog",
            "webhookevent",
            "windowseventlog",
            "otlpjsonfile",
            "azureblob",
            "awss3",
            "awscloudwatch",
            "cloudflare",
        ],
        ANOTHER_RECEIVES,
    ),
    absent(
        Kind::Receiver,
        &[
            "activedirectoryds",
            "aerospike",
            "apache",
            "apachespark",
            "awscontainerinsight",
            "awscontainerinsightreceiver",
            "awsecscontainermetrics",
            "azuremonitor",
            "bigip",
            "chrony",
            "cloudfoundry",
            "couchdb",
            "dockerstats",
            "elasticsearch",
            "envoyals",
            "expvar",
            "filestats",
            "flinkmetrics",
            "github",
            "googlecloudmonitoring",
            "googlecloudspanner",
            "haproxy",
            "hostmetrics",
            "httpcheck",
            "iis",
            "jmx",
            "k8scluster",
            "k8sevents",
            "k8sobjects",
            "kafkametrics",
            "kubeletstats",
            "memcached",
            "mongodb",
            "mongodbatlas",
            "mysql",
            "netflow",
            "nginx",
            "nsxt",
            "ntp",
            "oracledb",
            "podmanstats",
            "postgresql",
            "receivercreator",
            "redis",
            "riak",
            "saphana",
            "snmp",
            "snowflake",
            "splunkenterprise",
            "sqlquery",
            "sqlserver",
            "sshcheck",
            "tcpcheck",
            "tlscheck",
            "vcenter",
            "windowsperfcounters",
            "zookeeper",
        ],
        AGENT_BESIDE,
    ),
    absent(Kind::Receiver, &["nop"], "leave it out: a pipeline begins with the otlp receiver or a connector"),
    // Processors.
    absent(
        Kind::Processor,
        &["queuebatch"],
        "put requests together with the batch processor, or with sending_queue.batch of an exporter",
    ),
    absent(
        Kind::Processor,
        &["filter", "spanpruning"],
        "the drop processor takes spans out, by rules, without leaving orphans",
    ),
    absent(Kind::Processor, &["genainormalizer"], "the genai processor does this, for more dialects"),
    absent(
        Kind::Processor,
        &["attributes", "resource", "span", "transform", "metricstransform", "schema"],
        "the genai processor renames what it knows, and more with its mappings; resource attributes can be said by the application (OTEL_RESOURCE_ATTRIBUTES); for the rest run a Collector behind it and export there with otlp_grpc",
    ),
    absent(
        Kind::Processor,
        &["resourcedetection"],
        "let the application say it: OTEL_RESOURCE_ATTRIBUTES, or the resource detectors of its SDK",
    ),
    absent(
        Kind::Processor,
        &["k8sattributes"],
        "a sidecar's pod is known beforehand: let the application say it, with OTEL_RESOURCE_ATTRIBUTES from the downward API",
    ),
    absent(
        Kind::Processor,
        &["tailsampling", "probabilisticsampler", "groupbytrace"],
        "sample in a Collector behind it, to which otlp_grpc exports: tokens are counted here before, so that the numbers are of all calls",
    ),
    absent(
        Kind::Processor,
        &["deltatocumulative"],
        "leave it out before a prometheus exporter, which adds delta points up itself; elsewhere run a Collector behind it and export there with otlp_grpc",
    ),
    absent(
        Kind::Processor,
        &[
            "coralogix",
            "cumulativetodelta",
            "deltatorate",
            "geoip",
            "groupbyattrs",
            "interval",
            "isolationforest",
            "logdedup",
            "metricsgeneration",
            "redaction",
            "remotetap",
            "routing",
            "sumologic",
        ],
        COLLECTOR_BEHIND,
    ),
    absent(Kind::Processor, &["metricstarttime"], NOT_NEEDED),
    // Connectors.
    absent(
        Kind::Connector,
        &["spanmetrics", "signaltometrics", "count", "sum"],
        "the genai_metrics connector derives token and duration metrics from LLM spans",
    ),
    absent(
        Kind::Connector,
        &["forward", "routing"],
        "name a receiver in several pipelines: each gets all of it, and its drop processor takes out what it is not to have",
    ),
    absent(
        Kind::Connector,
        &["failover"],
        "one backend an exporter: what it does not take waits in its sending_queue, on disk with file_storage",
    ),
    absent(
        Kind::Connector,
        &["datadog", "exceptions", "grafanacloud", "otlpjson", "roundrobin", "servicegraph"],
        COLLECTOR_BEHIND,
    ),
    // Exporters. Many backends take OTLP by now.
    absent(Kind::Exporter, &["jaeger", "jaegerthrift"], "Jaeger takes OTLP: otlp_grpc with its port 4317"),
    absent(Kind::Exporter, &["loki"], "Loki takes OTLP: otlp_http with endpoint http://loki:3100/otlp"),
    absent(
        Kind::Exporter,
        &["prometheusremotewrite"],
        "let Prometheus scrape the prometheus exporter, or send OTLP to it: otlp_http with endpoint http://prometheus:9090/api/v1/otlp, where Prometheus runs with --web.enable-otlp-receiver",
    ),
    absent(
        Kind::Exporter,
        &["datadog"],
        "a Datadog Agent takes OTLP: otlp_grpc with its port 4317, where otlp_config.receiver is set",
    ),
    absent(
        Kind::Exporter,
        &["elasticsearch"],
        "Elastic's APM Server takes OTLP: otlp_grpc with its port 8200; for indexes of your own run a Collector behind it",
    ),
    absent(Kind::Exporter, &["otelarrow", "opencensus"], "otlp_grpc sends OTLP, which whoever takes these takes too"),
    absent(
        Kind::Exporter,
        &["file", "nop"],
        "the debug exporter with verbosity: detailed shows everything on standard output",
    ),
    absent(
        Kind::Exporter,
        &[
            "alibabacloudlogservice",
            "awscloudwatchlogs",
            "awsemf",
            "awskinesis",
            "awss3",
            "awsxray",
            "azureblob",
            "azuredataexplorer",
            "azuremonitor",
            "bmchelix",
            "carbon",
            "cassandra",
            "clickhouse",
            "coralogix",
            "dataset",
            "doris",
            "faro",
            "googlecloud",
            "googlecloudpubsub",
            "googlemanagedprometheus",
            "honeycombmarker",
            "influxdb",
            "kafka",
            "loadbalancing",
            "logicmonitor",
            "logzio",
            "mezmo",
            "opensearch",
            "pulsar",
            "rabbitmq",
            "sapm",
            "sentry",
            "signalfx",
            "splunkhec",
            "stef",
            "sumologic",
            "syslog",
            "tencentcloudlogservice",
            "tinybird",
            "zipkin",
        ],
        COLLECTOR_BEHIND,
    ),
    // Extensions.
    absent(
        Kind::Extension,
        &["zpages", "pprof", "opamp", "remotetap", "datadog", "sumologic"],
        "leave it out: the state is in the self-metrics of service.telemetry.metrics",
    ),
    absent(Kind::Extension, &["healthcheckv2"], "the health_check extension answers on its port"),
    absent(Kind::Extension, &["memorylimiter"], "it is the memory_limiter processor here"),
    absent(
        Kind::Extension,
        &["memoryballast", "cgroupruntime"],
        "leave it out: limits are read from the container's cgroup, and no garbage is collected here",
    ),
    absent(Kind::Extension, &["dbstorage", "redisstorage"], "the file_storage extension keeps queues on disk"),
    absent(
        Kind::Extension,
        &["oauth2client", "headerssetter", "asapclient", "azureauth", "googleclientauth", "sigv4auth"],
        HEADERS,
    ),
    absent(Kind::Extension, &["oidc"], GUARDS),
    absent(Kind::Extension, &["jaegerremotesampling"], "let the SDKs ask Jaeger itself for their sampling strategies"),
    absent(
        Kind::Extension,
        &[
            "ack",
            "awsproxy",
            "dockerobserver",
            "ecsobserver",
            "ecstaskobserver",
            "hostobserver",
            "httpforwarder",
            "jaegerencoding",
            "jsonlogencoding",
            "k8sleaderelector",
            "k8sobserver",
            "kafkatopicsobserver",
            "otlpencoding",
            "skywalkingencoding",
            "textencoding",
            "zipkinencoding",
        ],
        NOT_NEEDED,
    ),
];

/// What to do instead of a component of the Collector that is not here.
pub(super) fn elsewhere(kind: Kind, name: &str) -> Option<&'static str> {
    let name = name.replace('_', "");
    let found = ABSENT.iter().find(|absent| absent.kind == kind && absent.names.contains(&name.as_str()));
    found.map(|absent| absent.instead)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::service::components::{CONNECTORS, Component, EXPORTERS, EXTENSIONS, PROCESSORS, RECEIVERS};

    #[test]
    fn a_name_is_here_or_there_and_has_one_answer() {
        fn here<S>(kind: Kind, list: &[Component<S>]) -> impl Iterator<Item = (&'static str, String)> {
            let names = list.iter().flat_map(|component| component.aliases.iter().chain([&component.name]));
            names.map(move |name| (kind.section(), name.replace('_', "")))
        }
        let mut seen: HashSet<(&str, String)> = here(Kind::Receiver, RECEIVERS)
            .chain(here(Kind::Processor, PROCESSORS))
            .chain(here(Kind::Connector, CONNECTORS))
            .chain(here(Kind::Exporter, EXPORTERS))
            .chain(here(Kind::Extension, EXTENSIONS))
            .collect();
        for absent in ABSENT {
            for name in absent.names {
                assert!(!name.contains('_'), "{name} is compared without underscores");
                assert!(seen.insert((absent.kind.section(), (*name).to_owned())), "{name}");
            }
        }
    }

    #[test]
    fn both_spellings_of_a_renamed_component_are_known() {
        for (kind, names) in [
            (Kind::Receiver, ["hostmetrics", "host_metrics"]),
            (Kind::Receiver, ["filelog", "file_log"]),
            (Kind::Processor, ["k8sattributes", "k8s_attributes"]),
            (Kind::Processor, ["resourcedetection", "resource_detection"]),
            (Kind::Processor, ["gen_ai_normalizer", "genainormalizer"]),
            (Kind::Connector, ["spanmetrics", "span_metrics"]),
            (Kind::Exporter, ["prometheusremotewrite", "prometheus_remote_write"]),
            (Kind::Exporter, ["loadbalancing", "load_balancing"]),
            (Kind::Extension, ["cgroupruntime", "cgroup_runtime"]),
        ] {
            let [before, after] = names.map(|name| elsewhere(kind, name));
            assert!(before.is_some() && before == after, "{names:?}");
        }
        assert_eq!(elsewhere(Kind::Exporter, "hostmetrics"), None, "of another section");
    }
}
