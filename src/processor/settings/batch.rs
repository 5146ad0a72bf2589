//! Reads `processors.batch`: the Collector's keys. What is set here happens behind the queues of the
//! pipeline's exporters, so that nothing waits between a request and its acknowledgement.

use super::Batch;
use crate::config::Section;

/// As many items as the Collector's keys can say.
const MOST: usize = u32::MAX as usize;

/// Reads the section.
pub fn read(section: &mut Section<'_>) -> Batch {
    let default = Batch::default();
    let batch = Batch {
        send_batch_size: section.count("send_batch_size", "items", 0..=MOST).unwrap_or(default.send_batch_size),
        timeout: section.duration("timeout").unwrap_or(default.timeout),
        send_batch_max_size: section
            .count("send_batch_max_size", "items", 0..=MOST)
            .unwrap_or(default.send_batch_max_size),
    };
    if batch.send_batch_max_size > 0 && batch.send_batch_max_size < batch.send_batch_size {
        section.refuse(
            format!("send_batch_max_size is smaller than send_batch_size ({})", batch.send_batch_size),
            "at least as much, or 0 for no limit",
        );
    }
    if let Some(field) = section.field("metadata_keys").filter(|field| !field.is_null() && !field.is_empty_list()) {
        field.refuse_key("is not supported", "leave it out: requests are put together whatever headers they came with");
    }
    section.without_effect(&[("metadata_cardinality_limit", "there are no metadata_keys")]);
    batch
}
