//! The token ledger and the histograms that are derived from spans. Knows what a call means;
//! knows no sockets.

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
