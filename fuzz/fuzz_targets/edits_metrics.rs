//! Edits of data points on the wire against the same edits on prost's structs.

#![no_main]

#[path = "../../tests/oracle/mod.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|data: &[u8]| oracle::target::edits_metrics(data));
