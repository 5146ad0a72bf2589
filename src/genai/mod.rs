//! What an LLM call *is*. Dialects read it from what an emitter says, conventions write it in a
//! target's words, and they meet in one file, [`translate`].
//!
//! Knows meaning; knows no sockets and no configuration.

pub mod content;
pub mod coerce;
pub mod convention;
pub mod dialect;
pub mod field;
mod index;
pub mod message;
pub mod operation;
pub mod settings;
pub mod values;
