//! Memory with a stated bound: what long-lived state is kept in. Knows nothing of telemetry.

pub mod available;
pub mod budget;
pub mod buffer;
pub mod recent;
