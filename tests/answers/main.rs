//! The answer matrix: what a client of either transport, in either encoding, with any signal is
//! answered in every situation that OTLP 1.11 names, and in those that its rules follow from.
//!
//! The rows are data, in `table` and `json`; `walk` sends each of them in every way that it can be
//! sent, to the real program on loopback. What a row expects is written down there in the
//! specification's numbers and never asked of `dragoman::otlp::answer`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

#[path = "../support/backend.rs"]
mod backend;
#[path = "../support/client.rs"]
mod client;
#[path = "../support/raw.rs"]
mod raw;
#[path = "../service/rig.rs"]
#[allow(dead_code, reason = "a part of it is used")]
mod rig;

mod generated;
mod json;
mod sending;
mod standing;
mod table;
mod walk;
