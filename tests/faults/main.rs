//! Network faults between this program and a backend, and a program without descriptors: what was
//! acknowledged arrives once the fault is over, or is counted as lost with a reason.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

#[path = "../support/backend.rs"]
mod backend;
#[path = "../support/client.rs"]
mod client;
#[path = "../support/faulty.rs"]
mod faulty;
#[path = "../support/process.rs"]
#[allow(dead_code, unreachable_pub, reason = "a part of it is used")]
mod process;
#[path = "../support/proxy.rs"]
mod proxy;
#[path = "../support/raw.rs"]
mod raw;
#[path = "../service/rig.rs"]
#[allow(dead_code, reason = "a part of it is used")]
mod rig;

mod descriptors;
mod environment;
mod network;
