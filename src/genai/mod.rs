//! What an LLM call *is*. Dialects read it from what an emitter says, conventions write it in a
//! target's words, and they meet in one file, [`translate`].
//!
//! Knows meaning; knows no sockets and no configuration.

mod candidate;
pub mod coerce;
pub mod content;
pub mod convention;
pub mod dialect;
pub mod explain;
pub mod field;
mod fold;
mod index;
mod job;
pub mod log;
pub mod message;
pub mod metric;
pub mod operation;
mod passes;
mod read;
pub mod settings;
mod source;
mod tally;
pub mod translate;
mod usage;

pub mod values;
mod write;

pub use tally::{Capped, Tally};
pub use translate::Translator;
