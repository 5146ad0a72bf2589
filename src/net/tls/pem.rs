//! Certificates and keys in PEM, from a file or from the configuration itself.

use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::error::TlsError;
use crate::config::Secret;
use crate::net::reread;

const CERTIFICATE: &str = "the certificate in PEM, and after it those between it and its authority";
const KEY: &str = "the certificate's private key in PEM (RSA, ECDSA or Ed25519), without a passphrase";
const AUTHORITIES: &str = "PEM certificates of certificate authorities";

/// A PEM text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pem {
    /// `*_file`.
    File(PathBuf),
    /// `*_pem`.
    Text(Secret),
}

/// A certificate and its key: `cert_file` or `cert_pem`, `key_file` or `key_pem`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate and its chain.
    pub certificate: Pem,
    /// The private key.
    pub key: Pem,
}

/// A setting that comes as a file or as a text.
struct Setting {
    file: &'static str,
    text: &'static str,
    expected: &'static str,
}

const CERT: Setting = Setting { file: "cert_file", text: "cert_pem", expected: CERTIFICATE };
const PRIVATE: Setting = Setting { file: "key_file", text: "key_pem", expected: KEY };

impl Identity {
    /// The chain and the key, as far as each can be told to be right by itself.
    pub(super) fn load(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
        let certificate = self.certificate.read(&CERT)?;
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&certificate)
            .collect::<Result<_, _>>()
            .map_err(|error| self.certificate.wrong(&CERT, reason(&error)))?;
        if chain.is_empty() {
            return Err(self.certificate.wrong(&CERT, "it holds no certificate"));
        }
        let key = self.key.read(&PRIVATE)?;
        let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| {
            let is_encrypted = String::from_utf8_lossy(&key).contains("ENCRYPTED");
            self.key.wrong(
                &PRIVATE,
                match error {
                    _ if is_encrypted => "it has a passphrase",
                    pem::Error::NoItemsFound => "it holds no private key",
                    _ => reason(&error),
                },
            )
        })?;
        Ok((chain, key))
    }

    /// What rustls says of a chain and a key, in the words of the settings.
    pub(super) fn refused(&self, error: rustls::Error) -> TlsError {
        match error {
            rustls::Error::InconsistentKeys(_) => {
                TlsError::Mismatch { certificate: self.certificate.place(&CERT), key: self.key.place(&PRIVATE) }
            }
            rustls::Error::InvalidCertificate(error) => {
                self.certificate.wrong(&CERT, format!("its first certificate cannot be used ({error:?})"))
            }
            _ => self.key.wrong(&PRIVATE, "it holds no key of a known kind"),
        }
    }

    /// The files to look at.
    pub(super) fn files(&self) -> impl Iterator<Item = PathBuf> + use<> {
        [self.certificate.file(), self.key.file()].into_iter().flatten()
    }
}

impl Pem {
    fn read(&self, setting: &Setting) -> Result<Vec<u8>, TlsError> {
        match self {
            Pem::File(path) => file(setting.file, path, setting.expected),
            Pem::Text(text) => Ok(text.reveal().as_bytes().to_vec()),
        }
    }

    fn wrong(&self, setting: &Setting, reason: impl Into<String>) -> TlsError {
        TlsError::Content { place: self.place(setting), reason: reason.into(), expected: setting.expected }
    }

    fn place(&self, setting: &Setting) -> String {
        match self {
            Pem::File(path) => format!("{} {path:?}", setting.file),
            Pem::Text(_) => setting.text.to_owned(),
        }
    }

    fn file(&self) -> Option<PathBuf> {
        match self {
            Pem::File(path) => Some(path.clone()),
            Pem::Text(_) => None,
        }
    }
}

fn file(key: &'static str, path: &Path, expected: &'static str) -> Result<Vec<u8>, TlsError> {
    reread::read(path).map_err(|error| TlsError::Unreadable { key, path: path.to_owned(), error, expected })
}

/// Adds the authorities of a file.
pub(super) fn add_file(roots: &mut RootCertStore, key: &'static str, path: &Path) -> Result<(), TlsError> {
    add(roots, format!("{key} {path:?}"), &file(key, path, AUTHORITIES)?)
}

/// Adds the authorities of a text.
pub(super) fn add_text(roots: &mut RootCertStore, key: &'static str, text: &Secret) -> Result<(), TlsError> {
    add(roots, key.to_owned(), text.reveal().as_bytes())
}

fn add(roots: &mut RootCertStore, place: String, pem: &[u8]) -> Result<(), TlsError> {
    let before = roots.len();
    let wrong = |reason: String| TlsError::Content { place: place.clone(), reason, expected: AUTHORITIES };
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| wrong(reason(&error).to_owned()))?;
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
    }
    if roots.len() == before {
        return Err(wrong("it holds no certificate".to_owned()));
    }
    Ok(())
}

/// The library's own words repeat lines of the text, which may be a key's.
fn reason(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => "it breaks off",
        _ => "it is no PEM text",
    }
}
