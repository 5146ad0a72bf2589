//! Dragoman: a sidecar that translates LLM telemetry into the current OpenTelemetry GenAI semantic
//! conventions.
//!
//! The floors, from the ground up; imports go down only: [`otlp`], [`config`], [`log`], [`net`], [`auth`] and [`storage`], then
//! [`genai`] and [`metrics`], then [`pipeline`] and [`processor`], then [`receiver`], [`exporter`] and
//! [`extension`], then [`service`].

pub mod auth;
pub mod bounded;
pub mod cli;
pub mod config;
pub mod defect;
pub mod exporter;
pub mod extension;
pub mod genai;
pub mod log;
pub mod metrics;
pub mod net;
pub mod otlp;
pub mod pipeline;
pub mod processor;
pub mod receiver;
pub mod service;
pub mod storage;
pub(crate) mod text;
