//! Metrics that applications send by themselves: translated, counted once, and otherwise left alone.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests stand outside of test functions")]

#[path = "../support/mod.rs"]
mod support;

mod compatibility;
mod corpus;
mod hostile;
mod rules;
mod stage;
mod wanted;
