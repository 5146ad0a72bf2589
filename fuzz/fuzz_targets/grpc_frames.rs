//! The frame of a gRPC call against tonic's reading of it.

#![no_main]

#[path = "../../tests/oracle/mod.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|data: &[u8]| oracle::target::grpc_frames(data));
