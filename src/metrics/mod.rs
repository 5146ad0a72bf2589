//! The token ledger and the histograms that are derived from spans, and the metrics that applications
//! send, as far as they are kept here. Knows what a call means; knows no sockets.

pub mod application;
pub mod call;
pub mod exposition;
pub mod families;
mod histogram;
pub mod ledger;
pub mod native;
pub mod otlp;
pub mod own;
mod series;
pub mod snapshot;
