//! Any bytes as a segment of a queue on disk: what is read back is what its checksums say.

#![no_main]

#[path = "../../tests/oracle/mod.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|data: &[u8]| oracle::target::segments(data));
