//! `dragoman components`: what a configuration may name, as the Collector's command of that name lists
//! it, with the other names beside.

use crate::service::catalog;

/// The list as YAML.
pub(super) fn yaml() -> String {
    let mut yaml = format!(
        "buildinfo:\n  command: dragoman\n  description: {}\n  version: {}\n",
        env!("CARGO_PKG_DESCRIPTION"),
        env!("CARGO_PKG_VERSION")
    );
    let mut section = "";
    for component in catalog::all() {
        if component.section != section {
            section = component.section;
            yaml += &format!("{section}:\n");
        }
        yaml += &format!("  - name: {}\n", component.name);
        if !component.aliases.is_empty() {
            yaml += &format!("    aliases: [{}]\n", component.aliases.join(", "));
        }
        yaml += "    stability:\n";
        for (does, stability) in component.stability {
            yaml += &format!("      {does}: {stability}\n");
        }
    }
    yaml
}
