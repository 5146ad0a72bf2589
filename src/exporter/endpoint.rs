//! What `endpoint` means: the URL of each signal, and whether it is encrypted.
//!
//! The Collector's rules: gRPC takes `host:port` or a URL and encrypts unless told otherwise; HTTP
//! takes a base URL, to which `/v1/traces` and its siblings are added, or a whole URL a signal.

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};
use thiserror::Error;

use super::settings::{Otlp, Transport};
use crate::otlp::Signal;

/// Why an endpoint cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EndpointError {
    /// Nothing was said.
    #[error("no endpoint is set; expected {}", expected(*transport))]
    Missing {
        /// The exporter's transport.
        transport: Transport,
    },
    /// Not a URL, nor `host:port`.
    #[error("{endpoint:?} is no endpoint; expected {}", expected(*transport))]
    Malformed {
        /// What was said.
        endpoint: String,
        /// The exporter's transport.
        transport: Transport,
    },
    /// Another scheme.
    #[error("{scheme}:// is not spoken here; expected {}", expected(*transport))]
    Scheme {
        /// What was said.
        scheme: String,
        /// The exporter's transport.
        transport: Transport,
    },
    /// `user:password@`. What was said is not repeated: it is a secret.
    #[error("an endpoint must not hold a user or password; use headers, such as `authorization: Basic ...`")]
    UserInfo,
    /// A bare host.
    #[error("{endpoint:?} has no port; expected {}", expected(Transport::Grpc))]
    Port {
        /// What was said.
        endpoint: String,
    },
    /// A path, where gRPC has its own.
    #[error("a gRPC endpoint has no path, found {path:?}; for OTLP over HTTP use the otlp_http exporter")]
    Path {
        /// What was said.
        path: String,
    },
}

fn expected(transport: Transport) -> &'static str {
    match transport {
        Transport::Grpc => "host:port, such as localhost:4317, or http://host:port or https://host:port",
        Transport::Http => "a URL, such as http://localhost:4318",
    }
}

/// Where requests of one signal go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// The whole URL.
    pub(crate) uri: Uri,
    /// For people: without the query, which can hold a key.
    pub(crate) shown: String,
}

impl Endpoint {
    /// Whether the connection is encrypted.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.uri.scheme() == Some(&Scheme::HTTPS)
    }
}

/// The endpoints of `settings`, by signal in the order of [`Signal::ALL`]; `None` for a signal that
/// this exporter was given no place for.
pub(crate) fn endpoints(settings: &Otlp) -> Result<[Option<Endpoint>; 3], EndpointError> {
    match settings.transport {
        Transport::Grpc => {
            let (scheme, authority) = grpc_authority(&settings.endpoint, settings.tls.insecure)?;
            let shown = format!("{scheme}://{authority}");
            let endpoint = |signal: Signal| {
                let path = PathAndQuery::from_static(signal.grpc_path());
                Some(Endpoint { uri: uri(scheme.clone(), authority.clone(), path)?, shown: shown.clone() })
            };
            Ok(Signal::ALL.map(endpoint))
        }
        Transport::Http => {
            let mut endpoints = [None, None, None];
            let signals = Signal::ALL.iter().zip(&settings.signal_endpoints);
            for ((signal, own), endpoint) in signals.zip(&mut endpoints) {
                *endpoint = match own {
                    Some(url) => Some(http_url(url, "")?),
                    None if settings.endpoint.is_empty() => None,
                    None => Some(http_url(&settings.endpoint, signal.http_path())?),
                };
            }
            match endpoints.iter().all(Option::is_none) {
                true => Err(EndpointError::Missing { transport: Transport::Http }),
                false => Ok(endpoints),
            }
        }
    }
}

fn uri(scheme: Scheme, authority: Authority, path: PathAndQuery) -> Option<Uri> {
    Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build().ok()
}

fn grpc_authority(endpoint: &str, insecure: bool) -> Result<(Scheme, Authority), EndpointError> {
    let transport = Transport::Grpc;
    if endpoint.is_empty() {
        return Err(EndpointError::Missing { transport });
    }
    // How grpc-go writes that a name is to be resolved by DNS, which it is here in any case.
    let endpoint = ["dns:///", "passthrough:///"].iter().find_map(|p| endpoint.strip_prefix(p)).unwrap_or(endpoint);
    let (scheme, rest) = match endpoint.split_once("://") {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, endpoint),
    };
    let is_url = scheme.is_some();
    let scheme = match scheme {
        Some("http") => Scheme::HTTP,
        Some("https") => Scheme::HTTPS,
        None if insecure => Scheme::HTTP,
        None => Scheme::HTTPS,
        Some(other) => return Err(EndpointError::Scheme { scheme: other.into(), transport }),
    };
    let (authority, path) = match rest.find(['/', '?']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let authority = parse_authority(authority, transport)?;
    if !matches!(path, "" | "/") {
        return Err(EndpointError::Path { path: path.split('?').next().unwrap_or_default().into() });
    }
    if !is_url && authority.port_u16().is_none() {
        return Err(EndpointError::Port { endpoint: endpoint.into() });
    }
    Ok((scheme, authority))
}

fn parse_authority(text: &str, transport: Transport) -> Result<Authority, EndpointError> {
    if text.contains('@') {
        return Err(EndpointError::UserInfo);
    }
    let malformed = || EndpointError::Malformed { endpoint: text.into(), transport };
    let authority: Authority = text.parse().map_err(|_| malformed())?;
    // `Authority` takes any digits, or none, for a port.
    let port = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
    if authority.host().is_empty() || (!port.is_empty() && authority.port_u16().is_none()) {
        return Err(malformed());
    }
    Ok(authority)
}

fn http_url(text: &str, signal_path: &str) -> Result<Endpoint, EndpointError> {
    let transport = Transport::Http;
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    if rest.split(['/', '?']).next().is_some_and(|authority| authority.contains('@')) {
        return Err(EndpointError::UserInfo);
    }
    let without_query = text.split('?').next().unwrap_or_default();
    let malformed = || EndpointError::Malformed { endpoint: without_query.into(), transport };
    let scheme = match scheme {
        "http" => Scheme::HTTP,
        "https" => Scheme::HTTPS,
        "" => return Err(malformed()),
        other => return Err(EndpointError::Scheme { scheme: other.into(), transport }),
    };
    let (authority, path) = match rest.find(['/', '?']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let authority = parse_authority(authority, transport)?;
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path, None),
    };
    let path = match signal_path {
        "" if path.is_empty() => "/".to_owned(),
        "" => path.to_owned(),
        _ => format!("{}{signal_path}", path.trim_end_matches('/')),
    };
    let shown = format!("{scheme}://{authority}{path}");
    let whole = match query {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    let path: PathAndQuery = whole.parse().map_err(|_| malformed())?;
    let uri = uri(scheme, authority, path).ok_or_else(malformed)?;
    Ok(Endpoint { uri, shown })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exporter::settings::Tls;

    fn urls(settings: &Otlp) -> Vec<Option<String>> {
        endpoints(settings).unwrap().map(|endpoint| endpoint.map(|endpoint| endpoint.uri.to_string())).to_vec()
    }

    fn grpc(endpoint: &str, insecure: bool) -> Result<(Scheme, String), EndpointError> {
        grpc_authority(endpoint, insecure).map(|(scheme, authority)| (scheme, authority.to_string()))
    }

    #[test]
    fn grpc_encrypts_unless_told_otherwise() {
        let table = [
            ("localhost:4317", false, Scheme::HTTPS, "localhost:4317"),
            ("localhost:4317", true, Scheme::HTTP, "localhost:4317"),
            ("http://localhost:4317", false, Scheme::HTTP, "localhost:4317"),
            ("https://localhost:4317/", true, Scheme::HTTPS, "localhost:4317"),
            ("https://api.example.com", false, Scheme::HTTPS, "api.example.com"),
            ("[::1]:4317", true, Scheme::HTTP, "[::1]:4317"),
            ("dns:///jaeger:4317", true, Scheme::HTTP, "jaeger:4317"),
        ];
        for (endpoint, insecure, scheme, authority) in table {
            assert_eq!(grpc(endpoint, insecure), Ok((scheme, authority.to_owned())), "{endpoint}");
        }
    }

    #[test]
    fn what_is_no_grpc_endpoint_is_said() {
        let table = [
            ("", "no endpoint is set"),
            ("jaeger", "\"jaeger\" has no port"),
            ("jaeger:", "is no endpoint"),
            ("jaeger:99999", "is no endpoint"),
            (":4317", "is no endpoint"),
            ("http://", "is no endpoint"),
            ("unix:///run/otlp.sock", "unix:// is not spoken here"),
            ("https://host:443/v1/traces", "a gRPC endpoint has no path, found \"/v1/traces\""),
            ("https://user:secret@host:443", "must not hold a user"),
        ];
        for (endpoint, message) in table {
            let error = grpc(endpoint, false).unwrap_err().to_string();
            assert!(error.contains(message), "{endpoint}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn http_adds_the_signals_path_to_the_base() {
        for base in ["http://localhost:4318", "http://localhost:4318/"] {
            assert_eq!(
                urls(&Otlp::new(Transport::Http, base)),
                ["traces", "metrics", "logs"].map(|signal| Some(format!("http://localhost:4318/v1/{signal}")))
            );
        }
        let settings = Otlp::new(Transport::Http, "https://host/api/otlp?key=secret");
        let [traces, ..] = endpoints(&settings).unwrap();
        let traces = traces.unwrap();
        assert_eq!(traces.uri, "https://host/api/otlp/v1/traces?key=secret");
        assert_eq!(traces.shown, "https://host/api/otlp/v1/traces");
        assert!(traces.is_encrypted());
    }

    #[test]
    fn a_signals_own_url_is_taken_as_it_is() {
        let mut settings = Otlp::new(Transport::Http, "");
        settings.signal_endpoints = [Some("http://a:1/in".into()), None, Some("http://b:2".into())];
        assert_eq!(urls(&settings), [Some("http://a:1/in".into()), None, Some("http://b:2/".into())]);
    }

    #[test]
    fn what_is_no_http_endpoint_is_said() {
        let table = [
            ("", "no endpoint is set"),
            ("localhost:4318", "\"localhost:4318\" is no endpoint; expected a URL"),
            ("ftp://host", "ftp:// is not spoken here"),
            ("http://u:secret@host", "must not hold a user"),
            ("http://ho st/", "is no endpoint"),
            ("http://host/a b?key=secret", "is no endpoint"),
        ];
        for (endpoint, message) in table {
            let error = endpoints(&Otlp::new(Transport::Http, endpoint)).unwrap_err().to_string();
            assert!(error.contains(message), "{endpoint}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn all_signals_of_a_grpc_exporter_share_one_address() {
        let mut settings = Otlp::new(Transport::Grpc, "localhost:4317");
        settings.tls = Tls { insecure: true, ..Tls::default() };
        for (signal, endpoint) in Signal::ALL.iter().zip(endpoints(&settings).unwrap()) {
            let endpoint = endpoint.unwrap();
            assert_eq!(endpoint.uri.path(), signal.grpc_path());
            assert_eq!(endpoint.shown, "http://localhost:4317");
        }
    }
}
