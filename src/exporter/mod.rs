//! The ends of a pipeline: OTLP out with its queue and retries, Prometheus, debug.

pub mod prometheus;
pub mod settings;
