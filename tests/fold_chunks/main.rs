//! `fold_chunks`: what is a chunk and what becomes of it, in every order of arrival; recorded servers
//! and clients, whose figures are `docs/streaming.md`.

#![allow(unreachable_pub, clippy::unwrap_used, reason = "helpers of tests, which may fail")]

#[path = "../support/mod.rs"]
mod support;

mod arrival;
mod config;
mod corpus;
mod memory;
mod rig;
mod rules;
