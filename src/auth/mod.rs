//! Who may send, and who this program says it is: the Collector's `bearertokenauth` and `basicauth`
//! extensions.
//!
//! This floor knows headers and files. Where a request is refused, and in which words, is the
//! receivers' business; which component uses which extension is the service's. Nothing here says which
//! part of a credential was wrong, and nothing repeats one.

mod basic;
mod bearer;
mod htpasswd;
pub mod settings;
mod tag;

use std::path::PathBuf;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use thiserror::Error;

use crate::net::reread::Live;
use basic::Users;
use bearer::Tokens;
use settings::Settings;

/// Why an extension cannot be started. No text holds a secret.
#[derive(Debug, Error)]
pub enum AuthError {
    /// A file could not be read.
    #[error("{key} {path:?} cannot be read: {error}; expected {expected}, readable for this program's user")]
    Unreadable {
        /// The setting.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
        /// What belongs there.
        expected: &'static str,
    },
    /// What was said cannot be used.
    #[error("{place}: {reason}")]
    Content {
        /// The setting, with its file.
        place: String,
        /// What is wrong, and what was expected.
        reason: String,
    },
}

/// Why a request is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// It does not say who it is, or not rightly.
    Unauthenticated,
    /// So many passwords wait to be checked that this one cannot wait as well; it may come back.
    Busy,
}

/// An extension that runs: it lets in, or it says who this program is, or both.
#[derive(Debug, Clone)]
pub struct Authenticator {
    /// For receivers.
    pub guard: Option<Arc<Guard>>,
    /// For exporters.
    pub credentials: Option<Arc<Credentials>>,
}

impl Authenticator {
    /// Starts the extension `id`: reads its files, and follows them. Must be called inside of a tokio
    /// runtime.
    ///
    /// # Errors
    /// What is wrong with the settings or the files.
    pub fn start(id: &str, settings: &Settings) -> Result<Authenticator, AuthError> {
        match settings {
            Settings::Bearer(bearer) => {
                let tokens = Arc::new(bearer::follow(id, bearer)?);
                let guard = Guard::Bearer { header: bearer.header.clone(), tokens: Arc::clone(&tokens) };
                let credentials = Credentials { header: bearer.header.clone(), value: Value::Bearer(tokens) };
                Ok(Authenticator { guard: Some(Arc::new(guard)), credentials: Some(Arc::new(credentials)) })
            }
            Settings::Htpasswd(htpasswd) => {
                let guard = Guard::Basic(Box::new(Users::follow(id, htpasswd)?));
                Ok(Authenticator { guard: Some(Arc::new(guard)), credentials: None })
            }
            Settings::Client(client) => {
                let value = Value::Basic(basic::follow(id, client)?);
                let credentials = Credentials { header: http::header::AUTHORIZATION, value };
                Ok(Authenticator { guard: None, credentials: Some(Arc::new(credentials)) })
            }
        }
    }
}

/// Lets requests in by their headers.
#[derive(Debug)]
pub enum Guard {
    /// By a token.
    Bearer {
        /// Where it stands.
        header: HeaderName,
        /// Those that are let in.
        tokens: Arc<Live<Tokens>>,
    },
    /// By name and password.
    Basic(Box<Users>),
}

impl Guard {
    /// Whether the request with these headers is let in.
    ///
    /// # Errors
    /// [`Denied`].
    pub async fn check(&self, headers: &HeaderMap) -> Result<(), Denied> {
        let one = |name: &HeaderName| {
            let mut values = headers.get_all(name).iter();
            // Of two, it would depend on the reader which one counts.
            values.next().filter(|_| values.next().is_none()).ok_or(Denied::Unauthenticated)
        };
        match self {
            Guard::Bearer { header, tokens } => match tokens.get().knows(one(header)?) {
                true => Ok(()),
                false => Err(Denied::Unauthenticated),
            },
            Guard::Basic(users) => users.check(one(&http::header::AUTHORIZATION)?).await,
        }
    }

    /// What `WWW-Authenticate` says to who was not let in (RFC 9110, section 11.6.1).
    pub fn challenge(&self) -> HeaderValue {
        match self {
            Guard::Bearer { tokens, .. } => tokens.get().challenge(),
            Guard::Basic(_) => HeaderValue::from_static("Basic realm=\"dragoman\", charset=\"UTF-8\""),
        }
    }
}

/// What this program sends to be let in.
#[derive(Debug)]
pub struct Credentials {
    header: HeaderName,
    value: Value,
}

#[derive(Debug)]
enum Value {
    Bearer(Arc<Live<Tokens>>),
    Basic(Live<HeaderValue>),
}

impl Credentials {
    /// The header of the next request.
    pub fn header(&self) -> (HeaderName, HeaderValue) {
        let value = match &self.value {
            Value::Bearer(tokens) => tokens.get().own(),
            Value::Basic(value) => HeaderValue::clone(&value.get()),
        };
        (self.header.clone(), value)
    }
}
