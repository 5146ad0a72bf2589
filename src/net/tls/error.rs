//! Why TLS cannot be set up. Every text names the setting, the file and what to do, and none holds
//! anything of a key.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why TLS cannot be set up.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file could not be read.
    #[error("tls.{key} {path:?} cannot be read: {error}; expected {expected}, readable for this program's user")]
    Unreadable {
        /// The setting.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
        /// What belongs there.
        expected: &'static str,
    },
    /// A file or text holds something else.
    #[error("tls.{place}: {reason}; expected {expected}")]
    Content {
        /// The setting, with its file.
        place: String,
        /// What is wrong with it.
        reason: String,
        /// What belongs there.
        expected: &'static str,
    },
    /// A certificate and a key of two pairs.
    #[error(
        "the key of tls.{key} does not belong to the certificate of tls.{certificate}; expected the two of one pair"
    )]
    Mismatch {
        /// The certificate's setting, with its file.
        certificate: String,
        /// The key's.
        key: String,
    },
    /// The system trusts nobody.
    #[error("no trusted certificate was found on this system{reason}; set tls.ca_file, or tls.insecure for plain text")]
    NoSystemRoots {
        /// What was tried.
        reason: String,
    },
    /// `server_name_override` is neither a DNS name nor an IP address.
    #[error("tls.server_name_override {name:?} is neither a DNS name nor an IP address")]
    ServerName {
        /// What was said.
        name: String,
    },
    /// rustls refused its configuration.
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
}
