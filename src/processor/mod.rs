//! The stages of a pipeline, one file each.

pub mod genai_metrics;
pub mod settings;
