//! What the series of derived metrics are labelled with. An attribute that a call does not say is
//! no label.

use crate::metrics::call::Call;
use crate::metrics::ledger::Direction;
use crate::metrics::series::LabelRefs;

/// The value of `gen_ai.token.type`.
pub(super) const fn token_type(direction: Direction) -> &'static str {
    match direction {
        Direction::Input => "input",
        Direction::Output => "output",
    }
}

pub(super) fn service(call: &Call) -> LabelRefs<'_> {
    let mut labels = LabelRefs::new();
    labels.text("service.name", &call.service);
    labels
}

/// The attributes that every client metric has.
pub(super) fn operation<'c>(labels: &mut LabelRefs<'c>, call: &'c Call) {
    labels
        .text("gen_ai.operation.name", &call.operation)
        .text("gen_ai.provider.name", &call.provider)
        .text("gen_ai.request.model", &call.request_model)
        .text("gen_ai.response.model", &call.response_model)
        .text("server.address", &call.server_address);
    // "Conditionally required: if server.address is set", and of no use without it.
    if let (false, Some(port)) = (call.server_address.is_empty(), call.server_port) {
        labels.integer("server.port", i64::from(port));
    }
}

pub(super) fn with_error(call: &Call) -> LabelRefs<'_> {
    let mut labels = service(call);
    operation(&mut labels, call);
    labels.text("error.type", call.error_type.as_deref().unwrap_or_default());
    labels
}

/// A span's usage does not say how its tokens divide into text, image and audio.
pub(super) fn with_modality(call: &Call) -> LabelRefs<'_> {
    let mut labels = service(call);
    labels.text("gen_ai.token.modality", "unknown");
    operation(&mut labels, call);
    labels
}
