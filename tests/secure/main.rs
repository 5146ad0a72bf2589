//! TLS, client certificates and credentials, on the whole service in one process: who is let in, who
//! is not, and what each is told.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

#[path = "../support/authority.rs"]
mod authority;
#[path = "../support/backend.rs"]
mod backend;
#[path = "../support/client.rs"]
mod client;
#[path = "../support/raw.rs"]
mod raw;
#[allow(dead_code, reason = "shared with the tests of the service")]
#[path = "../service/rig.rs"]
mod rig;

mod auth;
mod encrypted;
mod names;
mod reload;
mod support;
