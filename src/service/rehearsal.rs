//! What a start would say of the files that a plan names (certificates, keys, passwords, tokens), without
//! starting: `validate`. Nothing is bound, connected or written; queues on disk are not opened.

use std::time::Duration;

use super::exporters::Exporter;
use super::plan::{ExtensionSettings, Plan};
use super::start::{StartError, wanted};
use crate::auth::Authenticator;

/// Everything that keeps `plan` from being started, as far as settings and files say. Must be called inside
/// of a tokio runtime.
pub fn rehearse(plan: &Plan) -> Vec<StartError> {
    let listeners = wanted(plan, Duration::ZERO).into_iter().map(|wanted| wanted.acceptor().map(drop));
    let authenticators = plan.extensions.iter().filter_map(|(id, settings)| match settings {
        ExtensionSettings::Auth(settings) => Some(
            Authenticator::start(id.as_str(), settings)
                .map(drop)
                .map_err(|source| StartError::Auth { id: id.clone(), source }),
        ),
        _ => None,
    });
    let exporters = plan.exporters.iter().map(|(id, settings)| Exporter::rehearse(id, settings, None));
    listeners.chain(authenticators).chain(exporters).filter_map(Result::err).collect()
}
