//! Reads `sending_queue.batch`: the keys of the Collector's exporter helper.

use crate::config::{Field, Section};
use crate::exporter::settings::Batch;
use crate::otlp::split::Limits;

use std::time::Duration;

/// The Collector's defaults.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(200);
const MIN_SIZE: usize = 8192;

/// What sizes are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sizer {
    Items,
    Bytes,
}

impl Sizer {
    const fn unit(self) -> &'static str {
        match self {
            Sizer::Items => "items",
            Sizer::Bytes => "bytes",
        }
    }

    const fn limits(self, size: usize) -> Limits {
        match self {
            Sizer::Items => Limits { items: size, ..Limits::NONE },
            Sizer::Bytes => Limits { bytes: size, ..Limits::NONE },
        }
    }
}

/// Reads the section. `queue_in_bytes`: `sending_queue.sizer` says so, which then holds here too;
/// `queue_size` is the queue's, in bytes.
pub(super) fn read(section: &mut Section<'_>, queue_in_bytes: bool, queue_size: usize) -> Batch {
    let sizer = match section.field("sizer").filter(|field| !field.is_null()) {
        Some(field) => sizer(&field),
        None if queue_in_bytes => Sizer::Bytes,
        None => Sizer::Items,
    };
    let flush_timeout = section.interval("flush_timeout").unwrap_or(FLUSH_TIMEOUT);
    let written = section.count("min_size", sizer.unit(), 0..=usize::MAX);
    let min_size = written.unwrap_or(MIN_SIZE);
    let max_size = section.count("max_size", sizer.unit(), 0..=usize::MAX).unwrap_or(0);
    if max_size > 0 && max_size < min_size {
        section
            .refuse(format!("max_size is smaller than min_size ({min_size})"), "at least as much, or 0 for no limit");
    }
    if sizer == Sizer::Bytes && min_size > queue_size {
        section.refuse(
            format!("min_size ({min_size}) is more than the queue has room for"),
            format!("at most queue_size ({queue_size})"),
        );
    }
    if let Some(mut partition) = section.section("partition")
        && let Some(field) = partition.field("metadata_keys").filter(|field| !field.is_null() && !field.is_empty_list())
    {
        field.refuse_key("is not supported", "leave it out: requests are put together whatever headers they came with");
    }
    let max_size = if max_size == 0 { Limits::NONE } else { sizer.limits(max_size) };
    Batch { flush_timeout, min_size: sizer.limits(min_size), max_size }
}

fn sizer(field: &Field<'_>) -> Sizer {
    match field.text().unwrap_or_default().as_str() {
        "items" => return Sizer::Items,
        "bytes" => return Sizer::Bytes,
        "requests" => field.refuse_help("is not how a batch is measured", "items or bytes"),
        _ => field.refuse("is not a sizer", "items or bytes"),
    }
    Sizer::Items
}
