//! The list: every type of component that a configuration may name, by which names, and for which
//! signals. A new component is one line here and one file with its `read`. What the Collector has beside
//! these is in [`super::elsewhere`].

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

impl<S> Component<S> {
    /// Whether an id's type names it.
    pub(super) fn is_called(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }
}
