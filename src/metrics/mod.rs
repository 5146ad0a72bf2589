//! The token ledger and the histograms that are derived from spans. Knows what a call means;
//! knows no sockets.

pub mod call;
pub mod ledger;
