//! The byte engine against prost: edits, refusals, what must come through byte for byte.

#![no_main]

#[path = "../../tests/oracle/mod.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|data: &[u8]| oracle::target::engine(data));
