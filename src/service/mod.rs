//! A checked configuration becomes running tasks: start and drain.

mod authenticators;
mod batching;
mod components;
mod connector;
mod default;
mod listeners;
mod observers;
mod pages;
pub mod plan;
mod rooms;
pub mod settings;
pub mod start;
pub mod stop;
mod storages;
mod wiring;
