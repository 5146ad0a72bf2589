//! The pages that are read: health, and on `/metrics` the Prometheus exporter's and the self-metrics'.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::Incoming;

use crate::extension::health::Health;
use crate::metrics::exposition::Scrape;
use crate::metrics::own::{Counter, Registry};
use crate::net::{Handler, Pieces, Unread};

/// Writes a page for the given `Accept` and `Accept-Encoding`.
pub(super) type Write = dyn Fn(Option<&str>, Option<&str>) -> Scrape + Send + Sync;

/// A page.
pub(super) enum Page {
    /// Whether requests are taken, on a path.
    Health(Health, String),
    /// `/metrics`.
    Metrics(Metrics),
}

/// How `/metrics` is answered.
pub(super) struct Metrics {
    write: Arc<Write>,
    unread: Unread,
    panics: Counter,
    cut_off: Counter,
}

impl Metrics {
    /// `panics` counts requests that a defect ended.
    pub(super) fn new(write: Arc<Write>, own: &Registry, panics: Counter) -> Metrics {
        let cut_off = own.counter(
            "dragoman_scrapes_cut_off_total",
            "Pages of metrics whose reader stood still while others waited for theirs",
        );
        Metrics { write, unread: Unread::default(), panics, cut_off }
    }

    /// A page for the given `Accept` and `Accept-Encoding`.
    async fn page(&self, accept: Option<String>, encoding: Option<String>) -> Response<PageBody> {
        let turn = self.unread.turn(|| {
            self.cut_off.increment();
            tracing::warn!("a scraper did not read its page while others waited; its connection is closed");
        });
        let (turn, write) = (turn.await, Arc::clone(&self.write));
        // A large page takes tens of milliseconds: not on a thread that takes in telemetry. The turn goes
        // along, since the work goes on when nobody waits for it anymore.
        let work = move || (write(accept.as_deref(), encoding.as_deref()), turn);
        match tokio::task::spawn_blocking(work).await {
            Ok((Scrape { body, content_type, content_encoding, .. }, turn)) => {
                let mut response = Response::new(Either::Right(turn.written(body)));
                let headers = response.headers_mut();
                if let Ok(value) = HeaderValue::from_str(&content_type) {
                    headers.insert(CONTENT_TYPE, value);
                }
                if let Some(encoding) = content_encoding {
                    headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
                }
                headers.insert(VARY, HeaderValue::from_static("accept, accept-encoding"));
                response
            }
            Err(_) => {
                self.panics.increment();
                plain(StatusCode::INTERNAL_SERVER_ERROR, "a defect in dragoman ended this scrape\n")
            }
        }
    }
}

/// What a page answers with.
pub(super) type PageBody = Either<Full<Bytes>, Pieces>;

impl Handler for Page {
    type Body = PageBody;

    async fn handle(&self, request: Request<Incoming>) -> Response<PageBody> {
        let metrics = match self {
            Page::Health(health, path) => return health.handler(path).handle(request).await.map(Either::Left),
            Page::Metrics(metrics) => metrics,
        };
        if request.uri().path() != "/metrics" {
            return plain(StatusCode::NOT_FOUND, "metrics are at /metrics\n");
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return plain(StatusCode::METHOD_NOT_ALLOWED, "this page is only read: expected GET\n");
        }
        let [accept, encoding] = [ACCEPT, ACCEPT_ENCODING].map(|name| all(request.headers(), &name));
        metrics.page(accept, encoding).await
    }
}

/// A header that may come in several lines.
fn all(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    (!values.is_empty()).then(|| values.join(","))
}

fn plain(status: StatusCode, text: &'static str) -> Response<PageBody> {
    let mut response = Response::new(Either::Left(Full::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
