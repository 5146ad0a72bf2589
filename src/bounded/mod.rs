//! Memory with a stated bound: what requests may hold together, what long-lived state is kept in, and
//! how much there is of it. Knows nothing of telemetry.

pub mod available;
pub mod budget;
pub mod buffer;
pub mod recent;
pub mod work;
