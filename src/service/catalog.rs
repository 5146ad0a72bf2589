//! What `components` lists, for people: every type of component with its other names, the
//! signals that it takes or gives, and how far it may be relied upon.

use super::components::{CONNECTORS, Component, EXPORTERS, EXTENSIONS, Kind, PROCESSORS, RECEIVERS};
use crate::otlp::Signal;

/// One type of component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The section of a configuration that defines it, such as `receivers`.
    pub section: &'static str,
    /// Its name, before the `/` of an id.
    pub name: &'static str,
    /// Other names that mean the same.
    pub aliases: &'static [&'static str],
    /// What it does, in the Collector's words (`traces`, `traces-to-metrics`, `extension`), each with its
    /// stability.
    pub stability: Vec<(String, &'static str)>,
}

/// The Collector's word for components whose keys stay what they are, and that may still have bugs; of all of
/// them, as long as the program's version begins with 0.
const STABILITY: &str = "beta";

/// Every type of component, section by section.
pub fn all() -> Vec<Listed> {
    let mut all = Vec::new();
    all.extend(RECEIVERS.iter().map(|component| listed(Kind::Receiver, component)));
    all.extend(PROCESSORS.iter().map(|component| listed(Kind::Processor, component)));
    all.extend(EXPORTERS.iter().map(|component| listed(Kind::Exporter, component)));
    all.extend(CONNECTORS.iter().map(|component| listed(Kind::Connector, component)));
    all.extend(EXTENSIONS.iter().map(|component| listed(Kind::Extension, component)));
    all
}

fn listed<S>(kind: Kind, component: &Component<S>) -> Listed {
    let name = |signal: &Signal| signal.name().to_owned();
    let does: Vec<String> = match kind {
        Kind::Receiver => component.gives.iter().map(name).collect(),
        Kind::Processor | Kind::Exporter => component.takes.iter().map(name).collect(),
        Kind::Connector => {
            let pairs = component.takes.iter().flat_map(|from| component.gives.iter().map(move |to| (from, to)));
            pairs.map(|(from, to)| format!("{from}-to-{to}")).collect()
        }
        Kind::Extension => vec!["extension".to_owned()],
    };
    let stability = does.into_iter().map(|does| (does, STABILITY)).collect();
    Listed { section: kind.section(), name: component.name, aliases: component.aliases, stability }
}
