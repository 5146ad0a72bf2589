//! Pages that are only read, such as health and metrics.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;

use super::Handler;

/// A handler that answers GET and HEAD with what a function makes of the request's head, and any
/// other method with 405. The function decides over paths.
#[derive(Debug, Clone)]
pub struct Get<F>(pub F);

impl<F> Get<F>
where
    F: Fn(&Parts) -> Response<Full<Bytes>> + Send + Sync + 'static,
{
    /// The answer to a request's head.
    pub fn answer(&self, head: &Parts) -> Response<Full<Bytes>> {
        if head.method == Method::GET || head.method == Method::HEAD {
            return (self.0)(head);
        }
        let mut response = Response::new(Full::from("this page is only read: expected GET\n"));
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        response
    }
}

impl<F> Handler for Get<F>
where
    F: Fn(&Parts) -> Response<Full<Bytes>> + Send + Sync + 'static,
{
    type Body = Full<Bytes>;

    async fn handle(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, _) = request.into_parts();
        self.answer(&head)
    }
}
