//! Dragoman between real peers: the official SDKs' exporters send, a real Jaeger and a real
//! Prometheus receive. `tests/real/install.sh` builds or installs them;
//! `cargo test --features real --test real` runs this.

#[path = "../support/mod.rs"]
mod support;

#[path = "../support/process.rs"]
mod process;

mod jaeger;
mod prometheus;
mod sdk;

use std::path::PathBuf;

/// Where `install.sh` puts what it installs.
fn tools() -> PathBuf {
    let cache = || {
        let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        base.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache")).join("dragoman-real")
    };
    std::env::var_os("DRAGOMAN_REAL_DIR").map(PathBuf::from).unwrap_or_else(cache)
}
