//! Any text as OTLP/JSON: refused, or a request that goes to JSON and back.

#![no_main]

#[path = "../../tests/oracle/mod.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|data: &[u8]| oracle::target::json_decode(data));
