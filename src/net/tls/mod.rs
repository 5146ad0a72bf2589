//! TLS on both sides: what `tls` says, certificates from files or from the configuration, and the two
//! configurations of rustls that come of it. Certificates follow their files ([`super::reread`]).
//!
//! A server's side is an [`Acceptor`], which [`super::serve`] uses; a client's is a [`ClientTls`], which
//! the exporters' connector uses. Keys and defaults are the Collector's, except that files are looked at
//! again without being asked for.

mod client;
mod error;
mod pem;
mod server;
mod settings;

pub use client::ClientTls;
pub use error::TlsError;
pub use pem::{Identity, Pem};
pub use server::Acceptor;
pub use settings::{ClientSettings, ServerSettings, Version, Versions};
