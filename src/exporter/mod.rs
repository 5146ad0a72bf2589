//! The ends of a pipeline: OTLP out with its queue and retries, Prometheus, debug.

mod client;
mod compress;
mod cork;
pub mod debug;
mod delivery;
mod dial;
mod endpoint;
mod grpc;
mod http;
mod notice;
pub mod observe;
pub mod otlp;
pub mod prometheus;
mod proxy;
pub mod queue;
mod redirect;
mod retry;
pub mod settings;
mod tls;
