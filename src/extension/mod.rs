//! What runs beside the pipelines and sees no telemetry.

pub mod file_storage;
pub mod health;
