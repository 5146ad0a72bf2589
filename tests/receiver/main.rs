//! The OTLP receiver on real sockets: what it takes, what it refuses and in which words, and how it
//! begins and ends.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

#[path = "../support/client.rs"]
mod client;
#[path = "../support/raw.rs"]
mod raw;

mod grpc;
mod hostile;
mod http;
mod lifecycle;
mod support;
