//! OTLP over gRPC and over HTTP: bytes in.

pub mod settings;
