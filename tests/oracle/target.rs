//! The fuzz targets: what each does with its input.

use dragoman::otlp::signal::Signal;

use super::edits::Plan;
use super::engine::edit_on_both_ways;
use super::generate::{Entropy, Wildness, wire};

/// One byte counts the bytes of the edits, then they and the request follow. With 128 more the
/// request is made by the generator.
pub(crate) fn engine(data: &[u8]) {
    let Some((&first, rest)) = data.split_first() else { return };
    let Some((plan, body)) = rest.split_at_checked(usize::from(first & 0x7f)) else { return };
    let plan = Plan::new(&mut Entropy::new(plan));
    if first < 0x80 {
        edit_on_both_ways(body, &plan);
    } else {
        edit_on_both_ways(&wire(Signal::Traces, &mut Entropy::new(body), Wildness::Any), &plan);
    }
}

pub(crate) fn check(data: &[u8]) {
    Signal::ALL.into_iter().for_each(|signal| super::agree_on_refusal(signal, data));
}

pub(crate) fn json_decode(data: &[u8]) {
    Signal::ALL.into_iter().for_each(|signal| super::json_is_a_request_or_refused(signal, data));
}
