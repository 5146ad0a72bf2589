//! What `tls` says, on either side: the Collector's keys.

use std::path::PathBuf;
use std::time::Duration;

use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};

use super::pem::{Identity, Pem};
use crate::config::{Secret, Section};
use crate::net::reread::LOOK_EVERY;

/// A version of TLS. Older ones are not spoken: they are broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// 1.2.
    V1_2,
    /// 1.3.
    V1_3,
}

/// `min_version` and `max_version`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    /// The oldest that is taken.
    pub min: Version,
    /// The newest.
    pub max: Version,
}

/// `tls` of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSettings {
    /// Who this program is.
    pub identity: Identity,
    /// `client_ca_file`: clients must have a certificate of one of these authorities (mTLS).
    pub client_ca_file: Option<PathBuf>,
    /// `client_ca_file_reload`: whether that file is followed as well.
    pub client_ca_file_reload: bool,
    /// `min_version`, `max_version`.
    pub versions: Versions,
    /// `reload_interval`: how often the files are looked at; zero is never.
    pub reload_interval: Duration,
}

/// `tls` of an exporter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientSettings {
    /// `insecure`: plain text. An endpoint that begins with `http://` says the same.
    pub insecure: bool,
    /// `insecure_skip_verify`: encrypt, but trust any certificate.
    pub insecure_skip_verify: bool,
    /// `ca_file`: trust these instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// `ca_pem`: the same as text.
    pub ca_pem: Option<Secret>,
    /// `include_system_ca_certs_pool`: trust the system's as well.
    pub include_system_ca_certs_pool: bool,
    /// Who this program is, if the server asks (mTLS).
    pub identity: Option<Identity>,
    /// `server_name_override`.
    pub server_name_override: Option<String>,
    /// `min_version`, `max_version`.
    pub versions: Versions,
    /// `reload_interval`: how often the files are looked at; zero is never.
    pub reload_interval: Duration,
}

const VERSIONS: &[(&str, Version)] = &[("1.2", Version::V1_2), ("1.3", Version::V1_3)];

const WITHOUT_NEED: &[(&str, &str)] =
    &[("cipher_suites", "only strong ones are offered"), ("curve_preferences", "only strong ones are offered")];

impl Versions {
    /// As rustls names them.
    pub(super) fn protocols(self) -> &'static [&'static SupportedProtocolVersion] {
        static BOTH: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
        match (self.min, self.max) {
            (Version::V1_2, Version::V1_3) => &BOTH,
            (_, Version::V1_2) => &BOTH[1..],
            (Version::V1_3, Version::V1_3) => &BOTH[..1],
        }
    }

    fn read(section: &mut Section<'_>) -> Versions {
        let default = Versions::default();
        let versions = Versions {
            min: section.choice("min_version", VERSIONS).unwrap_or(default.min),
            max: section.choice("max_version", VERSIONS).unwrap_or(default.max),
        };
        if versions.max < versions.min {
            section.refuse("min_version is above max_version", "max_version to be no less");
        }
        versions
    }
}

impl Default for Versions {
    fn default() -> Self {
        Versions { min: Version::V1_2, max: Version::V1_3 }
    }
}

impl Default for ClientSettings {
    fn default() -> Self {
        ClientSettings {
            insecure: false,
            insecure_skip_verify: false,
            ca_file: None,
            ca_pem: None,
            include_system_ca_certs_pool: false,
            identity: None,
            server_name_override: None,
            versions: Versions::default(),
            reload_interval: LOOK_EVERY,
        }
    }
}

impl ServerSettings {
    /// Reads `tls` of a listener's section, if it is there.
    pub fn read(listener: &mut Section<'_>) -> Option<ServerSettings> {
        let field = listener.field("tls").filter(|field| !field.is_null())?;
        let mut section = field.section()?;
        let identity = identity(&mut section);
        if identity.is_none() && !section.has_any(&["cert_file", "cert_pem", "key_file", "key_pem"]) {
            section.refuse("has no certificate", "cert_file and key_file");
        }
        let settings = ServerSettings {
            client_ca_file: path(&mut section, "client_ca_file"),
            client_ca_file_reload: section.boolean("client_ca_file_reload").unwrap_or(true),
            versions: Versions::read(&mut section),
            reload_interval: section.duration("reload_interval").unwrap_or(LOOK_EVERY),
            // Where there is none, the plan is not used.
            identity: identity
                .unwrap_or(Identity { certificate: Pem::File(PathBuf::new()), key: Pem::File(PathBuf::new()) }),
        };
        section.not_supported(&[
            ("ca_file", "client_ca_file is what clients' certificates are checked with"),
            ("ca_pem", "client_ca_file is what clients' certificates are checked with"),
            ("include_system_ca_certs_pool", "put all authorities into client_ca_file"),
            ("tpm", "keys are read from key_file"),
        ]);
        section.without_effect(WITHOUT_NEED);
        Some(settings)
    }
}

impl ClientSettings {
    /// Reads `tls` of an exporter.
    pub fn read(section: &mut Section<'_>) -> ClientSettings {
        let mut settings = ClientSettings {
            insecure: section.boolean("insecure").unwrap_or(false),
            insecure_skip_verify: section.boolean("insecure_skip_verify").unwrap_or(false),
            ca_file: path(section, "ca_file"),
            ca_pem: section.secret("ca_pem").filter(|text| !text.is_empty()),
            include_system_ca_certs_pool: section.boolean("include_system_ca_certs_pool").unwrap_or(false),
            identity: identity(section),
            server_name_override: section.text("server_name_override"),
            versions: Versions::read(section),
            reload_interval: section.duration("reload_interval").unwrap_or(LOOK_EVERY),
        };
        if settings.ca_file.is_some() && settings.ca_pem.is_some() {
            section.refuse("has ca_file and ca_pem", "one of the two");
        }
        if settings.insecure && settings.has_own_authorities() {
            // The Collector encrypts then, and nobody who named an authority means plain text.
            settings.insecure = false;
            section.without_effect(&[("insecure", "an authority is named, so that connections are encrypted")]);
        }
        section.not_supported(&[("tpm", "keys are read from key_file")]);
        section.without_effect(WITHOUT_NEED);
        settings
    }

    /// Whether it says itself whom to trust.
    pub(super) fn has_own_authorities(&self) -> bool {
        self.ca_file.is_some() || self.ca_pem.is_some()
    }
}

/// A file's path. Empty is unset, as in the Collector.
fn path(section: &mut Section<'_>, key: &'static str) -> Option<PathBuf> {
    section.file(key).filter(|path| !path.as_os_str().is_empty())
}

/// The certificate and the key, if both are there once.
fn identity(section: &mut Section<'_>) -> Option<Identity> {
    let mut pem = |file, text| match (path(section, file), section.secret(text).filter(|text| !text.is_empty())) {
        (Some(_), Some(_)) => {
            section.refuse(format!("has {file} and {text}"), "one of the two");
            None
        }
        (Some(path), None) => Some(Pem::File(path)),
        (None, text) => text.map(Pem::Text),
    };
    let (certificate, key) = (pem("cert_file", "cert_pem"), pem("key_file", "key_pem"));
    match (certificate, key) {
        (Some(certificate), Some(key)) => Some(Identity { certificate, key }),
        (None, None) => None,
        (certificate, _) => {
            let (is, missing) = if certificate.is_some() { ("certificate", "key_file") } else { ("key", "cert_file") };
            if !section.has_any(&["cert_file", "cert_pem"]) || !section.has_any(&["key_file", "key_pem"]) {
                section.refuse(format!("has a {is} without its other half"), format!("{missing} as well"));
            }
            None
        }
    }
}
