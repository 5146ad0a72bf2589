//! The `otlp` receiver's section.

use std::time::Duration;

/// `receivers.otlp`.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// `protocols.grpc`; `None` if it is not named.
    pub grpc: Option<Grpc>,
    /// `protocols.http`; `None` if it is not named.
    pub http: Option<Http>,
}

/// `protocols.grpc`.
#[derive(Debug, Clone, PartialEq)]
pub struct Grpc {
    /// `endpoint`, as `host:port`.
    pub endpoint: String,
    /// `max_recv_msg_size_mib`, in bytes; counted after decompression.
    pub max_message_bytes: usize,
    /// `max_concurrent_streams` per connection.
    pub max_concurrent_streams: u32,
    /// Limits of a connection.
    pub connection: Connection,
}

/// `protocols.http`.
#[derive(Debug, Clone, PartialEq)]
pub struct Http {
    /// `endpoint`, as `host:port`.
    pub endpoint: String,
    /// `max_request_body_size`, bytes; applies to the body as sent and as decompressed.
    pub max_body_bytes: usize,
    /// Limits of a connection.
    pub connection: Connection,
}

/// Limits that every listener sets on its connections.
#[derive(Debug, Clone, PartialEq)]
pub struct Connection {
    /// `read_header_timeout`: the time for a request's head.
    pub header_timeout: Duration,
    /// `read_timeout`: the time for a request's body.
    pub body_timeout: Duration,
    /// `idle_timeout`: a connection without a request is closed after this.
    pub idle_timeout: Duration,
    /// `max_connections`: more wait in the listener's backlog.
    pub max_connections: usize,
}

impl Default for Connection {
    fn default() -> Self {
        Connection {
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(300),
            max_connections: 1024,
        }
    }
}

impl Default for Grpc {
    fn default() -> Self {
        Grpc {
            endpoint: "127.0.0.1:4317".into(),
            max_message_bytes: 20 << 20,
            max_concurrent_streams: 128,
            connection: Connection::default(),
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Http { endpoint: "127.0.0.1:4318".into(), max_body_bytes: 20 << 20, connection: Connection::default() }
    }
}
