//! Binding an endpoint, and what to say when it cannot be bound.

use std::fmt;
use std::io;

use tokio::net::TcpListener;

/// An endpoint that cannot be listened on.
#[derive(Debug)]
pub struct BindError {
    endpoint: String,
    setting: String,
    source: io::Error,
}

/// Listens on `endpoint`, which is `host:port`; an empty host means all interfaces, port 0 any free
/// port. `setting` is the configuration path that an error names.
///
/// # Errors
/// [`BindError`], whose text says which setting to change.
pub async fn bind(endpoint: &str, setting: &str) -> Result<TcpListener, BindError> {
    let bound = match endpoint.strip_prefix(':') {
        Some(port) => match TcpListener::bind(format!("[::]:{port}")).await {
            // A machine without IPv6.
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                TcpListener::bind(format!("0.0.0.0:{port}")).await
            }
            bound => bound,
        },
        None => TcpListener::bind(endpoint).await,
    };
    bound.map_err(|source| BindError { endpoint: endpoint.into(), setting: setting.into(), source })
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BindError { endpoint, setting, source } = self;
        write!(f, "cannot listen on {endpoint} ({setting}): ")?;
        match source.kind() {
            io::ErrorKind::AddrInUse => {
                f.write_str("another program already listens there; stop it, or choose another port for this setting")
            }
            io::ErrorKind::AddrNotAvailable => f.write_str(
                "this machine has no such address; expected 127.0.0.1, 0.0.0.0 or an address of one of its interfaces",
            ),
            io::ErrorKind::PermissionDenied => {
                f.write_str("no permission; ports below 1024 need a privilege, choose a port from 1024 on")
            }
            _ => write!(f, "{source}; expected host:port, such as 127.0.0.1:4317"),
        }
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_in_use_names_the_address_and_the_setting() {
        let taken = bind("127.0.0.1:0", "a.endpoint").await.unwrap();
        let endpoint = taken.local_addr().unwrap().to_string();
        let error = bind(&endpoint, "receivers.otlp.protocols.grpc.endpoint").await.unwrap_err().to_string();
        assert!(error.contains(&endpoint), "{error}");
        assert!(error.contains("receivers.otlp.protocols.grpc.endpoint"), "{error}");
        assert!(error.contains("already listens"), "{error}");
    }

    #[tokio::test]
    async fn an_endpoint_without_a_port_says_what_was_expected() {
        let error = bind("localhost", "x").await.unwrap_err().to_string();
        assert!(error.contains("expected host:port"), "{error}");
    }

    #[tokio::test]
    async fn an_empty_host_is_every_interface() {
        let listener = bind(":0", "x").await.unwrap();
        assert!(listener.local_addr().unwrap().ip().is_unspecified());
    }
}
