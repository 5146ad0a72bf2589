//! The whole service in one process: a configuration is started on free ports, clients send to it,
//! a fake backend receives, and the pages are scraped.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

#[path = "../support/backend.rs"]
mod backend;
#[path = "../support/client.rs"]
mod client;
#[path = "../support/mod.rs"]
mod corpus;
#[path = "../support/raw.rs"]
mod raw;

mod batch;
mod books;
mod defaults;
mod defect;
mod join;
mod limiter;
mod native;
mod outage;
mod path;
mod receipt;
mod reload;
mod rig;
mod storage;
