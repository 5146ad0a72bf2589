//! What runs beside the pipelines and sees no telemetry.

pub mod health;
