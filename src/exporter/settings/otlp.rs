//! Reads `exporters.otlp_grpc` and `exporters.otlp_http`: the Collector's keys. Where a key of the
//! Collector has no counterpart here, one that only tunes is warned about, and one on which safety,
//! delivery or content depends is refused.

use std::time::Duration;

use http::{HeaderName, HeaderValue};

use super::{Batch, Compression, Keepalive, Otlp, Queue, Retry, Tls, Transport, batch};
use crate::auth;
use crate::config::{Field, Secret, Section};
use crate::exporter::proxy::Proxies;
use crate::otlp::Signal;

/// A queue below this cannot hold one usual request, and a number below it is probably meant in
/// requests, as the Collector counts (1000 by default).
const LEAST_QUEUE: usize = 64 << 10;

/// A queue size without `sizer: bytes` below this is asked about: nobody means so few bytes.
const LIKELY_QUEUE: usize = 1 << 20;

/// A request below this has hardly room for one span in its resource and scope.
const LEAST_REQUEST: usize = 1 << 10;

/// The keys for whole URLs, in the order of [`Signal::ALL`].
const SIGNAL_ENDPOINTS: [&str; 3] = ["traces_endpoint", "metrics_endpoint", "logs_endpoint"];

/// What OTLP lets a client send at most.
const LARGEST_REQUEST: usize = 64 << 20;

/// How long Go's HTTP/2 client waits for an answer to a ping.
const HTTP2_PING_TIMEOUT: Duration = Duration::from_secs(15);

const COMPRESSIONS: &[(&str, Compression)] =
    &[("none", Compression::None), ("gzip", Compression::Gzip), ("zstd", Compression::Zstd)];

const NOT_SUPPORTED: &[(&str, &str)] = &[("middlewares", "leave it out; there are no middleware extensions here")];

const WITHOUT_EFFECT_GRPC: &[(&str, &str)] = &[
    ("balancer_name", "one connection is enough for a sidecar"),
    ("wait_for_ready", "failed exports are retried"),
    ("read_buffer_size", "buffers grow and shrink with the requests"),
    ("write_buffer_size", "buffers grow and shrink with the requests"),
    ("user_agent", "requests carry this program's name"),
    ("compression_params", "the fastest level is used"),
];

const WITHOUT_EFFECT_HTTP: &[(&str, &str)] = &[
    ("read_buffer_size", "buffers grow and shrink with the requests"),
    ("write_buffer_size", "buffers grow and shrink with the requests"),
    ("max_idle_conns", "connections are as many as num_consumers"),
    ("max_idle_conns_per_host", "connections are as many as num_consumers"),
    ("max_conns_per_host", "connections are as many as num_consumers"),
    ("idle_conn_timeout", "idle connections are closed in time"),
    ("disable_keep_alives", "connections are kept"),
    ("force_attempt_http2", "the server decides"),
    ("cookies", "cookies are not kept"),
    ("compression_params", "the fastest level is used"),
    ("profiles_endpoint", "there are no profiles here"),
];

/// Reads `otlp_grpc`.
pub fn read_grpc(section: &mut Section<'_>) -> Otlp {
    const EXPECTED: &str = "host:port, such as jaeger:4317, or a URL such as http://jaeger:4317";
    let mut otlp = read_common(section, Transport::Grpc);
    if let Some(field) = section.required("endpoint", EXPECTED) {
        otlp.endpoint = grpc_endpoint(&field, EXPECTED).unwrap_or_default();
        let says_how = section.has_any(&["tls"]) || otlp.endpoint.contains("://");
        if !says_how && otlp.endpoint.ends_with(":4317") {
            field.warn("is called with TLS; for plain text, which most servers speak on port 4317, set tls: { insecure: true }");
        }
    }
    if let Some(mut section) = section.section("keepalive") {
        let default = Keepalive::default();
        otlp.keepalive = Some(Keepalive {
            time: section.interval("time").unwrap_or(default.time),
            timeout: section.interval("timeout").unwrap_or(default.timeout),
            permit_without_stream: section.boolean("permit_without_stream").unwrap_or(false),
        });
    }
    section.without_effect(WITHOUT_EFFECT_GRPC);
    section.not_supported(&[
        ("authority", "tls.server_name_override"),
        ("proxy_url", "gRPC goes through the proxy that HTTPS_PROXY names in the environment"),
    ]);
    otlp
}

/// `host:port` or a URL without a path. `dns:///` is how gRPC says what is done anyway.
fn grpc_endpoint(field: &Field<'_>, expected: &str) -> Option<String> {
    let text = field.text()?;
    if let Some(target) = text.strip_prefix("dns:///") {
        if target.contains(':') && !target.contains('/') {
            return Some(target.to_owned());
        }
        field.refuse("is not host:port behind dns:///", expected);
        return None;
    }
    if !text.contains("://") {
        return field.server(expected);
    }
    let url = field.url(expected)?;
    if !matches!(url.path(), "" | "/") || url.query().is_some() {
        field.refuse("has a path, which gRPC has not", format!("{expected}; or use otlp_http"));
        return None;
    }
    Some(text.trim_end_matches('/').to_owned())
}

/// The key for a whole URL and the signal's path, if that stands where its base should: what backends
/// tell their users is the whole one.
fn whole_url_key(url: &str) -> Option<(&'static str, &'static str)> {
    let paths = Signal::ALL.map(Signal::http_path);
    SIGNAL_ENDPOINTS.into_iter().zip(paths).find(|(_, path)| url.trim_end_matches('/').ends_with(path))
}

/// Reads `otlp_http`.
pub fn read_http(section: &mut Section<'_>) -> Otlp {
    const BASE: &str = "a URL such as http://jaeger:4318; /v1/traces and so on are added";
    const WHOLE: &str = "a whole URL such as http://jaeger:4318/v1/traces";
    let mut otlp = read_common(section, Transport::Http);
    let url = |field: Field<'_>, expected| field.url(expected).and_then(|_| field.text());
    otlp.signal_endpoints = SIGNAL_ENDPOINTS
        .map(|key| section.field(key).filter(|field| !field.is_null()).and_then(|field| url(field, WHOLE)));
    let has_own = section.has_any(&SIGNAL_ENDPOINTS);
    let base = if has_own {
        section.field("endpoint").filter(|field| !field.is_null())
    } else {
        section.required("endpoint", BASE)
    };
    if let Some(field) = base {
        let base = field.url(BASE).and_then(|_| field.text());
        if let Some((key, path)) = base.as_deref().and_then(whole_url_key) {
            field.warn(format!(
                "is the base, so that requests go to ...{path}{path}; leave {path} out, or name the whole URL in {key}"
            ));
        }
        otlp.endpoint = base.unwrap_or_default();
    }
    if let Some(time) = section.duration("http2_read_idle_timeout").filter(|time| !time.is_zero()) {
        let keepalive = Keepalive { time, timeout: HTTP2_PING_TIMEOUT, permit_without_stream: true };
        otlp.keepalive = Some(keepalive);
    }
    if let (Some(timeout), Some(keepalive)) = (section.interval("http2_ping_timeout"), &mut otlp.keepalive) {
        keepalive.timeout = timeout;
    }
    otlp.proxy_url = section.field("proxy_url").filter(|field| !field.is_null()).and_then(|field| proxy(&field));
    section.choice("encoding", &[("proto", ())]);
    section.without_effect(WITHOUT_EFFECT_HTTP);
    otlp
}

/// A proxy's URL. It is a secret if it holds a password, so no message shows it.
fn proxy(field: &Field<'_>) -> Option<Secret> {
    let text = if field.is_section() || field.is_list() { None } else { field.text() };
    match text.map(|text| (Proxies::fixed(&text).is_ok(), text)) {
        Some((_, text)) if text.is_empty() => None,
        Some((true, text)) => Some(text.into()),
        _ => {
            field.refuse_key("is not a proxy that can be used", "http://host:port, or http://user:password@host:port");
            None
        }
    }
}

fn read_common(section: &mut Section<'_>, transport: Transport) -> Otlp {
    let default = Otlp::new(transport, String::new());
    section.not_supported(NOT_SUPPORTED);
    let (queue, batch) =
        section.section("sending_queue").map_or_else(Default::default, |mut section| queue(&mut section));
    let from_batch = batch.map(|batch| batch.max_size.bytes).filter(|bytes| *bytes < usize::MAX);
    let max_request_size = section.count("max_request_size", "bytes", LEAST_REQUEST..=LARGEST_REQUEST);
    // What a batch may be in bytes is what a request may be, unless less is said beside it.
    let max_request_size = max_request_size.or(from_batch).unwrap_or(default.max_request_size);
    Otlp {
        headers: section.field("headers").map(|field| headers(&field)).unwrap_or_default(),
        compression: section.choice("compression", COMPRESSIONS).unwrap_or(default.compression),
        timeout: section.interval("timeout").unwrap_or(default.timeout),
        authenticator: auth::settings::reference(section),
        tls: section.section("tls").map_or_else(Tls::default, |mut section| Tls::read(&mut section)),
        retry: section.section("retry_on_failure").map_or_else(Retry::default, |mut section| retry(&mut section)),
        queue,
        batch: [batch; 3],
        max_request_size,
        ..default
    }
}

/// `{ name: value }`, or the Collector's newer list of `{ name: ..., value: ... }`. Values are
/// secrets: no message shows one.
fn headers(field: &Field<'_>) -> Vec<(String, Secret)> {
    let field = field.hidden();
    if field.is_null() {
        return Vec::new();
    }
    if !field.is_list() {
        let Some(mut section) = field.section() else { return Vec::new() };
        let entries = section.entries();
        return entries.iter().filter_map(|(name, value)| header(name, value, value)).collect();
    }
    let from_list = |item: Field<'_>| {
        let mut section = item.section()?;
        let name = section.required("name", "the header's name");
        let value = section.required("value", "the header's value");
        let (name, value) = (name?, value?);
        header(&name.text()?, &name, &value)
    };
    field.list().unwrap_or_default().into_iter().filter_map(from_list).collect()
}

fn header(name: &str, place: &Field<'_>, value: &Field<'_>) -> Option<(String, Secret)> {
    if HeaderName::try_from(name).is_err() {
        // Not shown: what stands here by mistake may be a header's value.
        place.refuse_key("the header's name cannot be sent", "letters, digits and - are usual");
        return None;
    }
    let text = if value.is_section() || value.is_list() || value.is_null() { None } else { value.text() };
    match text.filter(|text| HeaderValue::try_from(text.as_str()).is_ok()) {
        Some(text) => Some((name.to_owned(), text.into())),
        None => {
            value.refuse_key("the header's value cannot be sent", "it must be text in one line, of visible characters");
            None
        }
    }
}

fn retry(section: &mut Section<'_>) -> Retry {
    let default = Retry::default();
    let retry = Retry {
        enabled: section.boolean("enabled").unwrap_or(default.enabled),
        initial_interval: section.interval("initial_interval").unwrap_or(default.initial_interval),
        randomization_factor: section
            .fraction("randomization_factor", 0.0..=1.0)
            .unwrap_or(default.randomization_factor),
        multiplier: section.fraction("multiplier", 1.0..=100.0).unwrap_or(default.multiplier),
        max_interval: section.interval("max_interval").unwrap_or(default.max_interval),
        max_elapsed_time: section.duration("max_elapsed_time").unwrap_or(default.max_elapsed_time),
    };
    if retry.enabled && !retry.max_elapsed_time.is_zero() && retry.max_elapsed_time < retry.initial_interval {
        section.refuse(
            "max_elapsed_time is shorter than initial_interval: nothing would be retried",
            "a longer one, or 0 for ever",
        );
    }
    retry
}

fn queue(section: &mut Section<'_>) -> (Queue, Option<Batch>) {
    let default = Queue::default();
    let enabled = section.boolean("enabled").unwrap_or(default.enabled);
    let num_consumers = section.count("num_consumers", "consumers", 1..=1000).unwrap_or(default.num_consumers);
    let sizer = section.field("sizer").filter(|field| !field.is_null());
    let is_in_bytes = sizer.as_ref().map(is_bytes);
    let size = section.field("queue_size").filter(|field| !field.is_null());
    let bytes = match (&size, is_in_bytes) {
        // The number is meant in something else, and that was said at `sizer`.
        (_, Some(false)) | (None, _) => None,
        (Some(field), _) => queue_bytes(field, is_in_bytes == Some(true)),
    };
    // Whether there is such an extension is seen where all of them are known.
    let storage = section.field("storage").filter(|field| !field.is_null());
    if let Some(field) = storage.as_ref().filter(|_| !enabled) {
        field.refuse("keeps nothing without a queue", "enabled: true, or no storage");
    }
    let storage = storage.and_then(|field| field.text()).map(String::into_boxed_str);
    section.not_supported(&[(
        "wait_for_result",
        "leave it out, or switch the queue off (enabled: false): then nothing waits, and what num_consumers cannot take at once is refused",
    )]);
    section.without_effect(&[("block_on_overflow", "a full queue answers at once that the client should come back")]);
    let queue = Queue { enabled, num_consumers, bytes: bytes.unwrap_or(default.bytes), storage };
    let batch = section.field("batch").filter(|field| !field.is_null());
    let settings = batch.as_ref().and_then(Field::section);
    let settings = settings.map(|mut section| batch::read(&mut section, is_in_bytes == Some(true), queue.bytes));
    if let Some(field) = batch.filter(|_| !enabled) {
        field.warn("has no effect: without a queue (enabled: false) nothing waits");
    }
    (queue, settings)
}

fn is_bytes(sizer: &Field<'_>) -> bool {
    let text = sizer.text().unwrap_or_default();
    match text.as_str() {
        "bytes" => return true,
        "requests" | "items" => sizer.refuse_help(
            "is not how a queue is bounded here",
            "bytes is the only sizer: write sizer: bytes, and queue_size in bytes (67108864 by default)",
        ),
        _ => sizer.refuse("is not a sizer", "bytes"),
    }
    false
}

fn queue_bytes(field: &Field<'_>, says_bytes: bool) -> Option<usize> {
    let bytes = field.whole("bytes", 1..=u64::MAX)?;
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    if bytes < LEAST_QUEUE {
        field.refuse_help(
            "is too small for a queue in bytes",
            format!(
                "the Collector counts requests, a queue here is bounded in bytes: at least {LEAST_QUEUE}, 67108864 by default"
            ),
        );
        return None;
    }
    if bytes < LIKELY_QUEUE && !says_bytes {
        field.warn("is in bytes here, not in requests; write sizer: bytes beside it if that is meant");
    }
    Some(bytes)
}
