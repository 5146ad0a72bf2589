//! The parts of the program under the names that people set levels for: one table from names to
//! modules. What a name means is in `docs/logging.md`, too.

/// A part of the program.
#[derive(Debug)]
pub(super) struct Target {
    /// What people write.
    pub(super) name: &'static str,
    /// Its modules, with everything below them. Of several that fit, the longest counts.
    modules: &'static [&'static str],
    /// Whether its lines are held back when they repeat. Those that tell of the program's life are not.
    pub(super) is_held_back: bool,
}

const fn part(name: &'static str, modules: &'static [&'static str]) -> Target {
    Target { name, modules, is_held_back: true }
}

const fn life(name: &'static str, modules: &'static [&'static str]) -> Target {
    Target { name, modules, is_held_back: false }
}

/// All of them. The last one is what is not this program's own.
pub(super) const TARGETS: &[Target] = &[
    part("auth", &["dragoman::auth"]),
    life("cli", &["dragoman::cli"]),
    life("config", &["dragoman::config"]),
    part("exporter", &["dragoman::exporter"]),
    part("extension", &["dragoman::extension"]),
    part("genai", &["dragoman::genai"]),
    life("log", &["dragoman::log"]),
    part("memory", &["dragoman::bounded"]),
    part("metrics", &["dragoman::metrics"]),
    part("net", &["dragoman::net"]),
    part("otlp", &["dragoman::otlp"]),
    part("pipeline", &["dragoman::pipeline", "dragoman::defect"]),
    part("processor", &["dragoman::processor"]),
    part("queue", &["dragoman::exporter::queue"]),
    part("receiver", &["dragoman::receiver"]),
    life("service", &["dragoman::service"]),
    part("storage", &["dragoman::storage"]),
    part("libraries", &[]),
];

/// What is not in this program, and has no modules of its own in the table.
pub(super) const LIBRARIES: usize = TARGETS.len() - 1;

/// Where in [`TARGETS`] a module is.
pub(super) fn of_module(module: &str) -> usize {
    let fits =
        |prefix: &&&str| module.strip_prefix(**prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
    let longest = |target: &Target| target.modules.iter().filter(fits).map(|prefix| prefix.len()).max();
    let best = TARGETS.iter().enumerate().filter_map(|(index, target)| Some((longest(target)?, index))).max();
    best.map_or(LIBRARIES, |(_, index)| index)
}

/// Where in [`TARGETS`] a name is.
pub(super) fn named(name: &str) -> Option<usize> {
    TARGETS.iter().position(|target| target.name.eq_ignore_ascii_case(name))
}

/// Every name.
pub(super) fn names() -> impl Iterator<Item = &'static str> + Clone {
    TARGETS.iter().map(|target| target.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_in_the_longest_part_that_fits() {
        for (module, name) in [
            ("dragoman::exporter::delivery", "exporter"),
            ("dragoman::exporter::queue::durable", "queue"),
            ("dragoman::exporter::queues", "exporter"),
            ("dragoman::net", "net"),
            ("dragoman::network", "libraries"),
            ("h2::codec", "libraries"),
            ("", "libraries"),
        ] {
            assert_eq!(TARGETS[of_module(module)].name, name, "{module}");
        }
        assert_eq!(TARGETS[LIBRARIES].name, "libraries");
    }

    #[test]
    fn the_documentation_names_every_part() {
        let documentation = include_str!("../../docs/logging.md");
        for name in names() {
            assert!(documentation.contains(&format!("\n| `{name}` | ")), "{name}");
        }
    }

    /// Whoever adds a module says here whose it is.
    #[test]
    fn every_module_of_the_program_is_in_a_part() {
        let modules =
            include_str!("../lib.rs").lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
        let without = ["text"];
        for module in modules.filter(|module| !without.contains(module)) {
            assert_ne!(of_module(&format!("dragoman::{module}")), LIBRARIES, "{module}");
        }
    }
}
