//! The stages of a pipeline, one file each.

pub mod drop;
pub mod fold_chunks;
pub mod genai;
pub mod genai_metrics;
pub mod join;
pub mod memory_limiter;
pub mod mend;
pub mod own_metrics;
pub mod settings;
