//! Attacks on the real program: what a hostile client, a hostile backend or hostile telemetry tries,
//! and what must hold. The program runs as a process of its own, so that its memory can be measured
//! and nothing of the test is in the way.
//!
//! | published attack | what it was | here |
//! |---|---|---|
//! | CVE-2024-36129 | decompression bomb, over HTTP and gRPC; there before anybody asked who sent it | `bombs`, `access` |
//! | CVE-2024-45043, CVE-2026-55701 | a way in without the credentials, or without a required header | `access` |
//! | CVE-2026-42602, CVE-2024-42368 | a token that was not checked, or compared until the first wrong byte | `access` |
//! | CVE-2023-44487, CVE-2025-8671 | HTTP/2 rapid reset, by the client or provoked | `http2` |
//! | CVE-2024-27316, CVE-2024-28182 and others of VU#421644 | HTTP/2 CONTINUATION flood | `http2` |
//! | CVE-2019-9512, -9515, -9518 | HTTP/2 floods of PING, SETTINGS, empty DATA | `http2` |
//! | CVE-2016-1544 | HPACK bomb: a large table entry named many times | `http2` |
//! | CVE-2026-39882, -40182, -40891, -44967 | exporters that read an unbounded answer | `backend` |
//! | CVE-2026-47256 | a path made of `service.name` | `text` |
//! | CVE-2026-29181 | cost of parsing `baggage` and other context headers | `heads` |
//! | CVE-2023-45142 | metric labels from methods, paths and agents of requests | `labels` |
//! | CVE-2025-58160 | escape sequences from requests in a log | `text` |
//! | snappy decoders before 0.153: memory corruption | no snappy here; no bytes decode as it | `bombs` |
//! | CVE-2026-42151, -42154, -2303 | inherited from Prometheus and Mongo modules that are not here | |

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod access;
mod backend;
mod bombs;
mod heads;
mod http2;
mod labels;
mod nesting;
mod rig;
mod slow;
mod text;

#[path = "../support/client.rs"]
mod client;
#[allow(dead_code, unreachable_pub, reason = "other tests use the rest of it")]
#[path = "../support/process.rs"]
mod process;
