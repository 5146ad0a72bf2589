//! The plan: a configuration that was checked and can no longer be wrong. Which components run,
//! how they are joined to pipelines, and the program's own telemetry.
//!
//! What a configuration says is read by [`crate::config`]; what each component takes is in the
//! components' own `settings`; how references become pipelines is in `service::wiring`.

use std::fmt;
use std::sync::Arc;

use super::wiring::Wiring;
use super::{advice, authenticators, default, listeners};
use crate::auth::settings as auth;
use crate::config::{Config, Environment, Notation, Problems, Shown, Source, Warning};
use crate::exporter::settings as exporter;
use crate::extension::file_storage::FileStorage;
use crate::otlp::Signal;
use crate::processor::settings as processor;
use crate::receiver::settings as receiver;

pub use super::settings::{HealthCheck, Telemetry};

/// A checked configuration. Only what a pipeline or `service.extensions` uses is in it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// The receivers.
    pub receivers: Vec<(Id, receiver::Settings)>,
    /// The connectors: each is at least one pipeline's output and one pipeline's input.
    pub connectors: Vec<(Id, ConnectorSettings)>,
    /// The exporters.
    pub exporters: Vec<(Id, ExporterSettings)>,
    /// The extensions.
    pub extensions: Vec<(Id, ExtensionSettings)>,
    /// The pipelines, in the order of the file.
    pub pipelines: Vec<PipelinePlan>,
    /// The program's own telemetry.
    pub telemetry: Telemetry,
}

/// `service.pipelines.<id>`. Neither `receivers` nor `exporters` is empty.
#[derive(Debug, Clone, PartialEq)]
pub struct PipelinePlan {
    /// Its id.
    pub id: PipelineId,
    /// What flows through it.
    pub signal: Signal,
    /// Where it comes from.
    pub receivers: Vec<Input>,
    /// What is done with it, in this order. Processors are made anew for each pipeline, as in the
    /// Collector; so they stand here and not in the plan.
    pub stages: Vec<StagePlan>,
    /// Where it goes to.
    pub exporters: Vec<Output>,
}

/// One processor in its place.
#[derive(Debug, Clone, PartialEq)]
pub struct StagePlan {
    /// Its id.
    pub id: Id,
    /// Its settings.
    pub settings: ProcessorSettings,
}

/// Where a pipeline's telemetry comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// One of [`Plan::receivers`].
    Receiver(Id),
    /// One of [`Plan::connectors`].
    Connector(Id),
}

/// Where a pipeline's telemetry goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// One of [`Plan::exporters`].
    Exporter(Id),
    /// One of [`Plan::connectors`].
    Connector(Id),
}

impl Output {
    /// The exporter, if it is one.
    pub fn exporter(&self) -> Option<&Id> {
        match self {
            Output::Exporter(id) => Some(id),
            Output::Connector(_) => None,
        }
    }
}

/// A processor's settings.
#[derive(Debug, Clone, PartialEq)]
pub enum ProcessorSettings {
    /// `memory_limiter`.
    MemoryLimiter(processor::MemoryLimiter),
    /// `batch`; what it says is in the settings of the pipeline's exporters.
    Batch(processor::Batch),
    /// `genai`.
    Genai(processor::Genai),
    /// `drop`.
    Drop(processor::Drop),
    /// `fold_chunks`.
    FoldChunks(processor::FoldChunks),
}

/// A connector's settings.
#[derive(Debug, Clone, PartialEq)]
pub enum ConnectorSettings {
    /// `genai_metrics`.
    GenaiMetrics(processor::GenaiMetrics),
}

/// An exporter's settings.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "a plan has a handful, and they are read once")]
pub enum ExporterSettings {
    /// `otlp_grpc` and `otlp_http`.
    Otlp(exporter::Otlp),
    /// `prometheus`.
    Prometheus(exporter::Prometheus),
    /// `debug`.
    Debug(exporter::Debug),
}

/// An extension's settings.
#[derive(Debug, Clone, PartialEq)]
pub enum ExtensionSettings {
    /// `health_check`.
    HealthCheck(HealthCheck),
    /// `bearertokenauth` and `basicauth`.
    Auth(auth::Settings),
    /// `file_storage`.
    FileStorage(FileStorage),
}

/// A component's id as it was written: `type` or `type/name`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(Arc<str>);

/// The longest name behind the `/`, as in the Collector.
const MAX_NAME: usize = 1024;

impl Id {
    /// Reads `type` or `type/name`.
    pub(super) fn parse(text: &str) -> Option<Id> {
        let (kind, name) = match text.split_once('/') {
            Some((kind, name)) => (kind, Some(name)),
            None => (text, None),
        };
        let is_type = kind.starts_with(|c: char| c.is_ascii_alphabetic())
            && kind.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let is_name = name.is_none_or(is_name);
        (is_type && is_name).then(|| Id(text.into()))
    }

    /// Before the `/`.
    pub fn component(&self) -> &str {
        self.0.split_once('/').map_or(&self.0, |(kind, _)| kind)
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_NAME && !name.chars().any(|c| c.is_whitespace() || c.is_control())
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A pipeline's id: `traces` or `traces/name`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PipelineId {
    /// Before the `/`.
    pub signal: Signal,
    /// Behind the `/`.
    pub name: Option<Arc<str>>,
}

impl PipelineId {
    /// Reads `traces`, `metrics` or `logs`, with or without `/name`.
    pub(super) fn parse(text: &str) -> Option<PipelineId> {
        let (signal, name) = match text.split_once('/') {
            Some((signal, name)) => (signal, Some(name)),
            None => (text, None),
        };
        let signal = Signal::ALL.into_iter().find(|known| known.name() == signal)?;
        name.is_none_or(is_name).then(|| PipelineId { signal, name: name.map(Arc::from) })
    }
}

impl fmt::Display for PipelineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{}/{name}", self.signal),
            None => write!(f, "{}", self.signal),
        }
    }
}

impl Plan {
    /// The plan of `sources`, later ones over earlier ones; without any, the embedded default, with
    /// an exporter to `OTEL_EXPORTER_OTLP_ENDPOINT` if the environment names one.
    ///
    /// # Errors
    /// Every mistake that can be found, each with its place. Nothing may be started then.
    pub fn load(sources: &[Source], environment: Environment<'_>) -> Result<(Plan, Vec<Warning>), Problems> {
        let (config, mut warnings) = Plan::config(sources, environment);
        if !config.is_readable() {
            return Err(config.into_problems());
        }
        let plan = Plan::read(&config);
        warnings.extend(config.finish()?);
        Ok((plan, warnings))
    }

    /// Meaningful only if nothing is reported.
    fn read(config: &Config) -> Plan {
        let wiring = Wiring::read(&mut config.root());
        listeners::check(&wiring);
        authenticators::check(&wiring);
        let pipelines = wiring.service.as_ref().map(|service| service.below(&["pipelines"]));
        let plan = wiring.into_plan();
        if let Some(pipelines) = pipelines {
            advice::check(&plan, &pipelines);
        }
        plan
    }

    /// The configuration of `sources`, merged: what is in force, without what is a default. Beside it what is
    /// wrong with it, if anything is.
    ///
    /// # Errors
    /// A source that cannot be read, or is no YAML.
    pub fn print(
        sources: &[Source],
        environment: Environment<'_>,
        shown: Shown,
        notation: Notation,
    ) -> Result<(String, Option<Problems>), Problems> {
        let (config, _) = Plan::config(sources, environment);
        if !config.is_readable() {
            return Err(config.into_problems());
        }
        Plan::read(&config);
        let text = config.print(shown, notation);
        Ok((text, config.finish().err()))
    }

    /// What [`Plan::load`] reads for `sources`, by the names that messages give it, in the order in which the
    /// later wins.
    pub fn read_from(sources: &[Source], environment: Environment<'_>) -> Vec<String> {
        Plan::effective(sources, environment).0.iter().map(Source::label).collect()
    }

    /// What to lay over this configuration, as a second `--config`, for it to translate and to count, if it
    /// does neither: YAML.
    pub fn advice(&self) -> Option<String> {
        advice::overlay(self)
    }

    /// What the `health_check` extensions that run say, whatever is wrong with the rest: a file that was
    /// broken after the start is no reason not to find the page of what runs.
    ///
    /// # Errors
    /// What cannot be read at all.
    pub fn health_checks(sources: &[Source], environment: Environment<'_>) -> Result<Vec<HealthCheck>, Problems> {
        let config = Plan::config(sources, environment).0;
        if !config.is_readable() {
            return Err(config.into_problems());
        }
        let extensions = Wiring::read(&mut config.root()).extensions.into_iter();
        let used = extensions.filter(|extension| extension.is_used.get()).filter_map(|extension| extension.known);
        let pages = used.filter_map(|(_, settings)| match settings {
            ExtensionSettings::HealthCheck(health_check) => Some(health_check),
            _ => None,
        });
        Ok(pages.collect())
    }

    fn config(sources: &[Source], environment: Environment<'_>) -> (Config, Vec<Warning>) {
        let (sources, warnings) = Plan::effective(sources, environment);
        (Config::load(&sources, environment), warnings)
    }

    /// `sources`; on the embedded default, if none of them is a configuration.
    fn effective(sources: &[Source], environment: Environment<'_>) -> (Vec<Source>, Vec<Warning>) {
        if !sources.iter().all(Source::is_set) {
            return (sources.to_vec(), Vec::new());
        }
        let (mut defaults, warnings) = default::sources(environment);
        defaults.extend_from_slice(sources);
        (defaults, warnings)
    }

    /// The embedded default's YAML, as `dragoman config` prints it.
    pub const fn default_yaml() -> &'static str {
        default::YAML
    }
}
