//! Reads `exporters.debug`.

use super::{Debug, Verbosity};
use crate::config::Section;

/// The Collector's `normal` is a line a record; the nearest here is `basic`.
const VERBOSITIES: &[(&str, Verbosity)] =
    &[("basic", Verbosity::Basic), ("normal", Verbosity::Basic), ("detailed", Verbosity::Detailed)];

/// Reads the section.
pub fn read(section: &mut Section<'_>) -> Debug {
    let debug = Debug { verbosity: section.choice("verbosity", VERBOSITIES).unwrap_or_default() };
    section.without_effect(&[
        ("sampling_initial", "every batch is shown"),
        ("sampling_thereafter", "every batch is shown"),
        ("use_internal_logger", "it writes to standard output"),
        ("output_paths", "it writes to standard output"),
        ("sending_queue", "it writes at once"),
    ]);
    debug
}
