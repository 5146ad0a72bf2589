//! The `otlp` receiver's section.

use std::time::Duration;

use crate::auth;
use crate::config::Section;
use crate::net::tls::ServerSettings;
use crate::otlp::Signal;

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

/// What every listener asks of its connections.
#[derive(Debug, Clone, PartialEq)]
pub struct Connection {
    /// `tls`; plain text without it.
    pub tls: Option<ServerSettings>,
    /// `auth.authenticator`: the extension that says who may send; everybody without it.
    pub authenticator: Option<String>,
    /// `read_header_timeout`: the time for a request's head.
    pub header_timeout: Duration,
    /// `read_timeout`: the time for a request's body.
    pub body_timeout: Duration,
    /// `idle_timeout`: a connection without a request is closed after this.
    pub idle_timeout: Duration,
    /// `max_connections`: more wait in the listener's backlog.
    pub max_connections: usize,
}

/// Keys of the Collector's server settings, of either protocol, that cannot be ignored.
const NOT_SUPPORTED: &[(&str, &str)] = &[("middlewares", "leave it out; there are no middleware extensions here")];

/// Keys of the Collector's server settings, of either protocol, that change nothing.
const WITHOUT_EFFECT: &[(&str, &str)] = &[
    ("include_metadata", "request headers are not passed on"),
    ("write_timeout", "answers are small"),
    ("read_buffer_size", "buffers grow and shrink with the requests"),
    ("write_buffer_size", "buffers grow and shrink with the requests"),
    ("keepalive", "idle_timeout closes idle connections"),
    ("keep_alives_enabled", "connections are kept until idle_timeout"),
    ("compression_algorithms", "gzip, zstd and deflate are always taken"),
    ("response_headers", "answers carry OTLP's own headers only"),
];

/// The paths that `*_url_path` may name: the only ones that are served.
const URL_PATHS: [(&str, Signal); 3] =
    [("traces_url_path", Signal::Traces), ("metrics_url_path", Signal::Metrics), ("logs_url_path", Signal::Logs)];

/// Reads `receivers.otlp`.
pub fn read(section: &mut Section<'_>) -> Settings {
    let mut settings = Settings { grpc: None, http: None };
    let Some(protocols) = section.required("protocols", "grpc: or http: below it, or both") else {
        return settings;
    };
    let Some(mut protocols) = protocols.section() else { return settings };
    settings.grpc = protocols.section("grpc").map(|mut section| Grpc::read(&mut section));
    settings.http = protocols.section("http").map(|mut section| Http::read(&mut section));
    if settings.grpc.is_none() && settings.http.is_none() {
        protocols.refuse("names no protocol", "grpc: or http: below it, or both");
    }
    settings
}

impl Grpc {
    fn read(section: &mut Section<'_>) -> Grpc {
        let default = Grpc::default();
        let grpc = Grpc {
            endpoint: section.listener("endpoint").unwrap_or(default.endpoint),
            max_message_bytes: max_body(section, "max_recv_msg_size_mib", true).unwrap_or(default.max_message_bytes),
            max_concurrent_streams: section
                .whole("max_concurrent_streams", "streams", 1..=100_000)
                .and_then(|streams| u32::try_from(streams).ok())
                .unwrap_or(default.max_concurrent_streams),
            connection: Connection::read(section),
        };
        section.choice("transport", &[("tcp", ()), ("tcp4", ()), ("tcp6", ())]);
        section.not_supported(NOT_SUPPORTED);
        section.without_effect(WITHOUT_EFFECT);
        grpc
    }
}

impl Http {
    fn read(section: &mut Section<'_>) -> Http {
        let default = Http::default();
        let http = Http {
            endpoint: section.listener("endpoint").unwrap_or(default.endpoint),
            max_body_bytes: max_body(section, "max_request_body_size", false).unwrap_or(default.max_body_bytes),
            connection: Connection::read(section),
        };
        for (key, signal) in URL_PATHS {
            if let Some(field) = section.field(key)
                && field
                    .text()
                    .is_some_and(|path| path.trim_start_matches('/') != signal.http_path().trim_start_matches('/'))
            {
                field.refuse("is not served here", signal.http_path());
            }
        }
        section.choice("transport", &[("tcp", ()), ("tcp4", ()), ("tcp6", ())]);
        section.not_supported(NOT_SUPPORTED);
        section.not_supported(&[("cors", "browsers cannot send to this version; let them send to your backend")]);
        section.without_effect(WITHOUT_EFFECT);
        http
    }
}

/// The bounds of a request: OTLP recommends 64 MiB, the length of a gRPC frame ends at 4 GiB.
fn max_body(section: &mut Section<'_>, key: &'static str, in_mebibytes: bool) -> Option<usize> {
    let bytes =
        if in_mebibytes { section.mebibytes(key, 1..=1024) } else { section.whole(key, "bytes", 1024..=1 << 30) };
    bytes.and_then(|bytes| usize::try_from(bytes).ok())
}

impl Connection {
    fn read(section: &mut Section<'_>) -> Connection {
        let default = Connection::default();
        Connection {
            tls: ServerSettings::read(section),
            authenticator: auth::settings::reference(section),
            header_timeout: section.interval("read_header_timeout").unwrap_or(default.header_timeout),
            body_timeout: section.interval("read_timeout").unwrap_or(default.body_timeout),
            idle_timeout: section.interval("idle_timeout").unwrap_or(default.idle_timeout),
            max_connections: section
                .count("max_connections", "connections", 1..=1_000_000)
                .unwrap_or(default.max_connections),
        }
    }
}

impl Default for Connection {
    fn default() -> Self {
        Connection {
            tls: None,
            authenticator: None,
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
