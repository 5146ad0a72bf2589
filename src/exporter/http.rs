//! OTLP over HTTP: one POST of a protobuf body a request.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use hyper::body::Incoming;
use prost::Message as _;

use super::client::{Answered, Client, MESSAGE_LIMIT, Payload, Peer, Taken, read, read_words, taken, too_long};
use super::compress::Message;
use super::delivery::Call;
use super::endpoint::Endpoint;
use super::observe::Setback;
use super::redirect::{MOST_REDIRECTS, same_origin, target};
use super::retry::Failure;
use crate::otlp::status;
use crate::pipeline::Boxed;
use crate::text::escaped;

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

/// Statuses after which the same request may succeed (OTLP 1.11, "Failures").
const RETRYABLE: [(StatusCode, Setback); 4] = [
    (StatusCode::TOO_MANY_REQUESTS, Setback::Throttled),
    (StatusCode::BAD_GATEWAY, Setback::Unavailable),
    (StatusCode::SERVICE_UNAVAILABLE, Setback::Unavailable),
    (StatusCode::GATEWAY_TIMEOUT, Setback::Unavailable),
];

/// The POST of one signal.
pub(crate) struct Http {
    client: Arc<Client>,
    endpoint: Endpoint,
}

impl Http {
    /// A POST to `endpoint`.
    pub(crate) fn new(client: Arc<Client>, endpoint: Endpoint) -> Self {
        Http { client, endpoint }
    }

    async fn call(&self, message: &Message) -> Result<Taken, Failure> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROTOBUF));
        if let Some(encoding) = message.compression.token() {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        let mut uri = self.endpoint.uri.clone();
        for _ in 0..=MOST_REDIRECTS {
            let peer = if same_origin(&uri, &self.endpoint.uri) { Peer::Own } else { Peer::Other };
            let payload = Payload::new(bytes::Bytes::new(), message.body.clone());
            let Answered { response, lease } = self.client.post(peer, &uri, &headers, payload).await?;
            if response.status().is_redirection() {
                // Nothing is expected in its body; a connection with one is not used again.
                lease.done();
                uri = target(&uri, response.status(), response.headers()).map_err(Failure::Permanent)?;
                continue;
            }
            let answer = answer(response).await;
            lease.done();
            return answer;
        }
        Err(Failure::Permanent(format!("more than {MOST_REDIRECTS} redirects, one to the other")))
    }
}

impl Call for Http {
    fn call<'s>(&'s self, message: &'s Message) -> Boxed<'s, Result<Taken, Failure>> {
        Box::pin(self.call(message))
    }

    fn endpoint(&self) -> &str {
        &self.endpoint.shown
    }
}

async fn answer(response: Response<Incoming>) -> Result<Taken, Failure> {
    let (head, incoming) = response.into_parts();
    let protobuf = has_type(&head.headers, PROTOBUF);
    if head.status.is_success() {
        let read = read(incoming).await?;
        return match protobuf {
            _ if read.cut => Err(Failure::Permanent(too_long(head.status.as_str()))),
            true => taken(&read.body),
            false if has_type(&head.headers, JSON) => Ok(taken_json(&read.body)),
            // Some backends answer "OK" in words of their own. They took it.
            false => Ok(Taken::default()),
        };
    }
    let status = head.status;
    let delay = head.headers.get(RETRY_AFTER).and_then(|value| retry_after(value, SystemTime::now()));
    // The status alone decides, so a body that breaks off or is too long does not matter.
    let body = read_words(incoming).await;
    let text = match explanation(&body, protobuf) {
        text if text.is_empty() => status.to_string(),
        text => format!("{status}: {text}"),
    };
    Err(match RETRYABLE.iter().find(|(retryable, _)| *retryable == status) {
        Some((_, setback)) => Failure::Retryable(*setback, text, delay),
        None => Failure::Permanent(text),
    })
}

fn has_type(headers: &HeaderMap, media_type: &str) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(media_type)
}

/// A success in JSON, which some backends answer whatever they are asked in. One that says nothing
/// of a partial success took everything.
fn taken_json(body: &[u8]) -> Taken {
    let said: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let Some(partial) = said.get("partialSuccess") else { return Taken::default() };
    // 64-bit integers are text in protobuf's JSON, and numbers in many a server's.
    let count = |value: &serde_json::Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
    let names = ["rejectedSpans", "rejectedDataPoints", "rejectedLogRecords"];
    let rejected = names.iter().find_map(|name| count(partial.get(name)?)).unwrap_or(0);
    let message = partial.get("errorMessage").and_then(serde_json::Value::as_str).unwrap_or_default();
    Taken { rejected: usize::try_from(rejected).unwrap_or(usize::MAX), message: escaped(message, MESSAGE_LIMIT) }
}

/// What the backend says for people: the message of a `Status`, or else the text.
fn explanation(body: &[u8], protobuf: bool) -> String {
    match status::Status::decode(body) {
        Ok(status) if protobuf => escaped(&status.message, MESSAGE_LIMIT),
        _ => escaped(String::from_utf8_lossy(body).trim(), MESSAGE_LIMIT),
    }
}

/// `Retry-After`: seconds, or a date.
fn retry_after(value: &HeaderValue, now: SystemTime) -> Option<Duration> {
    let value = value.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    httpdate::parse_http_date(value).ok()?.duration_since(now).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_770);
        let parse = |text| retry_after(&HeaderValue::from_static(text), now).map(|delay| delay.as_secs());
        assert_eq!(parse("120"), Some(120));
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:37 GMT"), Some(7));
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:00 GMT"), None, "that was before now");
        assert_eq!(parse("-5"), None);
        assert_eq!(parse("soon"), None);
    }

    #[test]
    fn a_refusal_is_explained_in_the_backends_words() {
        let status = status::Status { code: 3, message: "bad span".into(), details: vec![] }.encode_to_vec();
        assert_eq!(explanation(&status, true), "bad span");
        assert_eq!(explanation(b"<html>\nno</html>", false), "<html>\\nno</html>");
        assert_eq!(explanation(b"not protobuf", true), "not protobuf");
        assert_eq!(explanation(b"", true), "");
    }

    #[test]
    fn a_partial_success_in_json_is_read() {
        let of = |rejected, message: &str| Taken { rejected, message: message.into() };
        assert_eq!(taken_json(b"{}"), Taken::default());
        assert_eq!(taken_json(b"<html>"), Taken::default());
        assert_eq!(taken_json(br#"{"partialSuccess":{}}"#), Taken::default());
        assert_eq!(taken_json(br#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"old"}}"#), of(3, "old"));
        assert_eq!(taken_json(br#"{"partialSuccess":{"rejectedLogRecords":2}}"#), of(2, ""));
        assert_eq!(taken_json(br#"{"partialSuccess":{"rejectedDataPoints":-2}}"#), of(0, ""));
        // Nesting beyond what is read is an answer in words of its own.
        assert_eq!(taken_json("[".repeat(100_000).as_bytes()), Taken::default());
    }

    #[test]
    fn the_content_type_is_compared_as_http_does() {
        let is = |value| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(value));
            has_type(&headers, PROTOBUF)
        };
        assert!(is("application/x-protobuf") && is("Application/X-Protobuf; charset=utf-8"));
        assert!(!is("application/json") && !has_type(&HeaderMap::new(), PROTOBUF));
    }
}
