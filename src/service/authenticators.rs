//! Who names an authentication extension: it must be defined, must run, and must be of use there. A
//! name that leads nowhere is a mistake and never an open door.

use super::plan::{ExporterSettings, ExtensionSettings};
use super::wiring::{Wiring, find, ids};
use crate::auth::settings::Settings;
use crate::config::Field;
use crate::exporter::settings::Transport;

/// Reports what is wrong with the names.
pub(super) fn check(wiring: &Wiring<'_>) {
    for receiver in wiring.receivers.iter().filter(|receiver| receiver.is_used.get()) {
        let Some((_, settings)) = &receiver.known else { continue };
        let grpc = settings.grpc.as_ref().map(|grpc| ("grpc", &grpc.connection));
        let http = settings.http.as_ref().map(|http| ("http", &http.connection));
        for (protocol, connection) in grpc.into_iter().chain(http) {
            let Some(named) = &connection.authenticator else { continue };
            let field = receiver.field.below(&["protocols", protocol, "auth", "authenticator"]);
            if let Some(Settings::Client(_)) = running(wiring, &field, named) {
                let wrong = format!("names {named}, which has client_auth and lets nobody in");
                field.refuse_key(wrong, "name one with htpasswd, or a bearertokenauth");
            }
        }
    }
    for exporter in wiring.exporters.iter().filter(|exporter| exporter.is_used.get()) {
        let Some((_, ExporterSettings::Otlp(otlp))) = &exporter.known else { continue };
        let Some(named) = &otlp.authenticator else { continue };
        let field = exporter.field.below(&["auth", "authenticator"]);
        if let Some(Settings::Htpasswd(_)) = running(wiring, &field, named) {
            let wrong = format!("names {named}, which has htpasswd and says nobody's name");
            field.refuse_key(wrong, "name one with client_auth, or a bearertokenauth");
        }
        let endpoints = otlp.signal_endpoints.iter().flatten().chain([&otlp.endpoint]);
        let is_plain = |endpoint: &&String| match otlp.transport {
            Transport::Grpc => endpoint.starts_with("http://") || (otlp.tls.insecure && !endpoint.contains("://")),
            Transport::Http => endpoint.starts_with("http://"),
        };
        if endpoints.filter(|endpoint| !endpoint.is_empty()).any(|endpoint| is_plain(&endpoint)) {
            field.warn("sends credentials in plain text, which everybody on the way can read; use TLS");
        }
    }
}

/// The settings of the extension of this name, if it runs.
fn running<'w>(wiring: &'w Wiring<'_>, field: &Field<'_>, named: &str) -> Option<&'w Settings> {
    let Some(extension) = find(&wiring.extensions, named) else {
        field.refuse_word(named, "is not defined under extensions", ids(&wiring.extensions));
        return None;
    };
    if !extension.is_used.get() {
        let wrong = format!("names {named}, which does not run");
        field.refuse_key(wrong, format!("add {named} to service.extensions"));
    }
    match &extension.known {
        Some((_, ExtensionSettings::Auth(settings))) => Some(settings),
        Some(_) => {
            field.refuse_key(
                format!("names {named}, which authenticates nobody"),
                "name a bearertokenauth or basicauth",
            );
            None
        }
        None => None,
    }
}
