//! Addresses: no two listeners in one place, and no exporter that sends to this program's own
//! receiver, where telemetry would go round for ever.

use std::net::IpAddr;

use super::plan::{ExporterSettings, ExtensionSettings};
use super::wiring::Wiring;
use crate::config::Field;

/// Something that listens.
struct Listener<'c> {
    address: Address,
    field: Field<'c>,
}

/// A host and port as far as two can be compared without asking the network.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Address {
    host: Host,
    port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    /// `localhost`: either loopback address.
    Localhost,
    Ip(IpAddr),
    Name(String),
}

/// Reports what is wrong with the addresses of what is used.
pub(super) fn check(wiring: &Wiring<'_>) {
    let receivers = receivers(wiring);
    for exporter in wiring.exporters.iter().filter(|exporter| exporter.is_used.get()) {
        let Some((_, ExporterSettings::Otlp(otlp))) = &exporter.known else { continue };
        let endpoints = [Some(&otlp.endpoint)].into_iter().chain(otlp.signal_endpoints.iter().map(Option::as_ref));
        for (endpoint, key) in endpoints.zip(["endpoint", "traces_endpoint", "metrics_endpoint", "logs_endpoint"]) {
            let Some(address) = endpoint.and_then(|endpoint| Address::of_server(endpoint)) else { continue };
            if let Some(own) = receivers.iter().find(|receiver| receiver.address.is_reached_by(&address)) {
                exporter.field.below(&[key]).refuse_place(
                    format!("exports to this program's own {}: telemetry would go round for ever", own.field.path()),
                    "give it the address of the backend",
                );
            }
        }
    }

    let mut taken = receivers;
    for listener in others(wiring) {
        taken.push(listener);
    }
    for (index, listener) in taken.iter().enumerate() {
        let earlier = taken.iter().take(index).find(|earlier| earlier.address.clashes_with(&listener.address));
        if let Some(earlier) = earlier {
            let clash = format!("listens where {} does", earlier.field.path());
            listener.field.refuse_place(clash, "give it a port of its own");
        }
    }
}

fn receivers<'c>(wiring: &Wiring<'c>) -> Vec<Listener<'c>> {
    let mut listeners = Vec::new();
    for receiver in wiring.receivers.iter().filter(|receiver| receiver.is_used.get()) {
        let Some((_, settings)) = &receiver.known else { continue };
        let grpc = settings.grpc.as_ref().map(|grpc| ("grpc", &grpc.endpoint));
        let http = settings.http.as_ref().map(|http| ("http", &http.endpoint));
        for (protocol, endpoint) in grpc.into_iter().chain(http) {
            let field = receiver.field.below(&["protocols", protocol, "endpoint"]);
            listeners.extend(Address::of_listener(endpoint).map(|address| Listener { address, field }));
        }
    }
    listeners
}

fn others<'c>(wiring: &Wiring<'c>) -> Vec<Listener<'c>> {
    let mut listeners = Vec::new();
    let mut add = |endpoint: &str, field: Field<'c>| {
        listeners.extend(Address::of_listener(endpoint).map(|address| Listener { address, field }));
    };
    for exporter in wiring.exporters.iter().filter(|exporter| exporter.is_used.get()) {
        if let Some((_, ExporterSettings::Prometheus(prometheus))) = &exporter.known {
            add(&prometheus.endpoint, exporter.field.below(&["endpoint"]));
        }
    }
    for extension in wiring.extensions.iter().filter(|extension| extension.is_used.get()) {
        if let Some((_, ExtensionSettings::HealthCheck(health_check))) = &extension.known {
            add(&health_check.endpoint, extension.field.below(&["endpoint"]));
        }
    }
    if let (Some(address), Some(service)) = (&wiring.telemetry.metrics_address, &wiring.service) {
        add(address, service.below(&["telemetry", "metrics", "address"]));
    }
    listeners
}

impl Address {
    fn of_listener(endpoint: &str) -> Option<Address> {
        let (host, port) = endpoint.rsplit_once(':')?;
        Some(Address { host: Host::new(host), port: port.parse().ok()? })
    }

    fn of_server(endpoint: &str) -> Option<Address> {
        let (scheme, rest) = endpoint.split_once("://").unwrap_or(("", endpoint));
        let authority: http::uri::Authority = rest.split(['/', '?']).next()?.parse().ok()?;
        let default = if scheme == "https" { 443 } else { 80 };
        Some(Address { host: Host::new(authority.host()), port: authority.port_u16().unwrap_or(default) })
    }

    /// Whether two listeners cannot both have their place. Port 0 is any free one.
    fn clashes_with(&self, other: &Address) -> bool {
        let is_everywhere = |host: &Host| matches!(host, Host::Ip(ip) if ip.is_unspecified());
        let same = match (&self.host, &other.host) {
            (Host::Ip(a), Host::Ip(b)) if a.is_ipv4() == b.is_ipv4() => {
                a == b || is_everywhere(&self.host) || is_everywhere(&other.host)
            }
            // `::` takes IPv4 as well; two addresses of two families are two places otherwise.
            (Host::Ip(a), Host::Ip(b)) => [a, b].into_iter().any(|ip| ip.is_ipv6() && ip.is_unspecified()),
            (Host::Localhost, Host::Ip(ip)) | (Host::Ip(ip), Host::Localhost) => {
                ip.is_loopback() || ip.is_unspecified()
            }
            (a, b) => a == b || is_everywhere(a) || is_everywhere(b),
        };
        same && self.port == other.port && self.port != 0
    }

    /// Whether who connects to `server` from this machine reaches this listener.
    fn is_reached_by(&self, server: &Address) -> bool {
        let is_here = |host: &Host| match host {
            Host::Localhost => true,
            Host::Ip(ip) => ip.is_loopback() || ip.is_unspecified(),
            Host::Name(_) => false,
        };
        let same = self.host == server.host || (is_here(&self.host) && is_here(&server.host));
        same && self.port == server.port && self.port != 0
    }
}

impl Host {
    fn new(text: &str) -> Host {
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        if bare.eq_ignore_ascii_case("localhost") {
            return Host::Localhost;
        }
        match bare.parse() {
            Ok(ip) => Host::Ip(ip),
            Err(_) => Host::Name(bare.to_ascii_lowercase()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_listeners_in_one_place() {
        let address = |text| Address::of_listener(text).unwrap();
        for (a, b, clash) in [
            ("127.0.0.1:1", "127.0.0.1:1", true),
            ("127.0.0.1:1", "127.0.0.1:2", false),
            ("127.0.0.1:0", "127.0.0.1:0", false),
            ("localhost:1", "127.0.0.1:1", true),
            ("localhost:1", "[::1]:1", true),
            ("127.0.0.1:1", "[::1]:1", false),
            ("0.0.0.0:1", "127.0.0.1:1", true),
            ("0.0.0.0:1", "[::1]:1", false),
            ("[::]:1", "127.0.0.1:1", true),
            ("10.0.0.1:1", "127.0.0.1:1", false),
            ("pod:1", "0.0.0.0:1", true),
            ("pod:1", "POD:1", true),
        ] {
            assert_eq!(address(a).clashes_with(&address(b)), clash, "{a} {b}");
            assert_eq!(address(b).clashes_with(&address(a)), clash, "{b} {a}");
        }
    }
}
