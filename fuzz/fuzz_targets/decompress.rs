//! Any bytes in every compression: never over the limit, and what the reference decoder makes of them.

#![no_main]

#[path = "../../tests/oracle/mod.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|data: &[u8]| oracle::target::decompress(data));
