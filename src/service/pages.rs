//! The pages that are read: health, and on `/metrics` the Prometheus exporter's and the self-metrics'.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;

use crate::extension::health::Health;
use crate::metrics::exposition::Scrape;
use crate::metrics::own::Counter;
use crate::net::Handler;

/// Writes a page for the given `Accept` and `Accept-Encoding`.
pub(super) type Write = dyn Fn(Option<&str>, Option<&str>) -> Scrape + Send + Sync;

/// A page.
pub(super) enum Page {
    /// Whether requests are taken, on a path.
    Health(Health, String),
    /// `/metrics`. The counter is that of panics.
    Metrics(Arc<Write>, Counter),
}

impl Handler for Page {
    type Body = Full<Bytes>;

    async fn handle(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (write, panics) = match self {
            Page::Health(health, path) => return health.handler(path).handle(request).await,
            Page::Metrics(write, panics) => (write, panics),
        };
        if request.uri().path() != "/metrics" {
            return plain(StatusCode::NOT_FOUND, "metrics are at /metrics\n");
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return plain(StatusCode::METHOD_NOT_ALLOWED, "this page is only read: expected GET\n");
        }
        let write = Arc::clone(write);
        let [accept, encoding] = [ACCEPT, ACCEPT_ENCODING].map(|name| all(request.headers(), &name));
        // A large page takes tens of milliseconds: not on a thread that takes in telemetry.
        let page = tokio::task::spawn_blocking(move || write(accept.as_deref(), encoding.as_deref())).await;
        match page {
            Ok(scrape) => answer(scrape),
            Err(_) => {
                panics.increment();
                plain(StatusCode::INTERNAL_SERVER_ERROR, "a defect in dragoman ended this scrape\n")
            }
        }
    }
}

/// A header that may come in several lines.
fn all(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    (!values.is_empty()).then(|| values.join(","))
}

fn answer(scrape: Scrape) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(scrape.body));
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&scrape.content_type) {
        headers.insert(CONTENT_TYPE, value);
    }
    if let Some(encoding) = scrape.content_encoding {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    headers.insert(VARY, HeaderValue::from_static("accept, accept-encoding"));
    response
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
