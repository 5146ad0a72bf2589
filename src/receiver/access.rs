//! Letting requests in, before anything else is done about them.

use std::sync::Arc;

use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, Response, StatusCode};

use crate::auth::{Denied, Guard};
use crate::otlp::answer::{Reason, Refusal};

/// Who lets requests in; nobody is kept out without one.
#[derive(Debug)]
pub(super) struct Access(pub(super) Option<Arc<Guard>>);

impl Access {
    /// Whether a request with these headers is let in. The refusal says neither which part of its
    /// credentials was wrong nor anything of them.
    pub(super) async fn check(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let Some(guard) = &self.0 else { return Ok(()) };
        guard.check(headers).await.map_err(|denied| match denied {
            Denied::Unauthenticated => Refusal::new(
                Reason::Unauthenticated,
                "this endpoint takes authenticated requests only, and the credentials are missing or wrong",
            ),
            Denied::Busy => Refusal::new(Reason::Unavailable, "too many credentials are being checked at this moment"),
        })
    }

    /// Says how to authenticate where HTTP demands it.
    pub(super) fn challenge<B>(&self, response: &mut Response<B>) {
        if let Some(guard) = &self.0
            && response.status() == StatusCode::UNAUTHORIZED
        {
            response.headers_mut().insert(WWW_AUTHENTICATE, guard.challenge());
        }
    }
}
