//! Requests that are cut into parts against prost's reading of both.

#![no_main]

#[path = "../../tests/oracle/mod.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|data: &[u8]| oracle::target::split(data));
