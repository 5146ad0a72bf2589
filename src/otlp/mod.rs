//! The protocol as bytes: reading, checking and editing OTLP requests in their wire form, and
//! OTLP/JSON, status codes and answers around them.
//!
//! This floor knows protobuf and OTLP. It knows nothing of GenAI, of configuration or of sockets.

pub mod answer;
mod attributes;
pub mod check;
pub mod compression;
mod envelope;
pub mod grpc_frame;
pub mod id;
pub mod json;
pub mod log_record;
pub mod logs;
pub mod metrics;
pub mod outline;
mod patch;
pub(crate) mod represent;
pub mod response;
pub mod schema;
pub mod signal;
pub mod span;
pub mod split;
pub mod status;
mod tags;
pub mod traces;
pub mod value;
pub mod wire;

pub use id::{SpanId, TraceId};
pub use signal::Signal;
