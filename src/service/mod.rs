//! A checked configuration becomes running tasks: start and drain.

mod components;
mod default;
mod listeners;
pub mod plan;
pub mod settings;
mod wiring;
