//! The books of the running program: its self-metrics are scraped without a pause while it is under
//! load and its backends fail in every way, and on every page, for every pipeline and exporter,
//!
//! ```text
//! received                     = dropped + refused + held + outgoing
//! given + recovered + derived  = exported + lost + queued        for each exporter
//! outgoing                     = given
//! ```
//!
//! Then every way out was used, and what the outside saw is what the books say.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(dead_code, unreachable_pub, reason = "other tests use the rest of the support")]

#[path = "../support/client.rs"]
mod client;
#[path = "../support/mod.rs"]
mod corpus;
#[path = "../support/process.rs"]
mod process;
#[path = "../support/sink.rs"]
mod sink;

mod audit;
mod load;
mod page;
mod rig;
mod steps;
