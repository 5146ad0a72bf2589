//! A checked configuration becomes running tasks: start, reload and drain.

mod advice;
mod authenticators;
mod batching;
pub mod catalog;
mod components;
mod connector;
mod default;
mod doors;
mod elsewhere;
mod entrance;
mod exporters;
mod ground;
mod house;
mod kept;
mod listeners;
mod observers;
mod pages;
pub mod plan;
pub mod rehearsal;
mod rooms;
pub mod settings;
mod stages;
pub mod start;
pub mod stop;
mod storages;
mod supervisor;
#[cfg(test)]
mod tests;
pub mod trial;
mod wiring;
