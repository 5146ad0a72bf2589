//! Where a backend sends a request instead: which redirects are followed, and which are refused with
//! a sentence.
//!
//! As Go's HTTP client, and so the Collector: 307 and 308, which keep method and body, up to ten of
//! them. Unlike it, 301 to 303 are not followed: it makes a GET without a body of them, and takes a
//! success of that for one of the export. And nothing configured goes to another origin, where Go
//! keeps back some headers and sends the others (RFC 9110, section 15.4, leaves both to the client).

use http::header::{HeaderMap, LOCATION};
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderValue, StatusCode, Uri};

use super::client::MESSAGE_LIMIT;
use crate::text::escaped;

/// As many as Go follows.
pub(crate) const MOST_REDIRECTS: usize = 10;

/// Where an answer from `from` redirects to; the error says why nobody goes there.
pub(crate) fn target(from: &Uri, status: StatusCode, headers: &HeaderMap) -> Result<Uri, String> {
    let location = headers.get(LOCATION).map(HeaderValue::as_bytes).unwrap_or_default();
    // A query can hold a key, and what stands before an @ a password.
    let shown = location.split(|byte| *byte == b'?').next().unwrap_or_default();
    let shown = shown.rsplit(|byte| *byte == b'@').next().unwrap_or_default();
    let shown = escaped(&String::from_utf8_lossy(shown), MESSAGE_LIMIT);
    let refused = |why: &str| format!("{status}, redirects to {shown:?}{why}");
    if !matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT) {
        return Err(refused(", which asks for a GET; set the endpoint to the URL that takes the requests"));
    }
    let to = resolve(from, location).ok_or_else(|| refused(", which is no http:// or https:// URL"))?;
    match (from.scheme() == Some(&Scheme::HTTPS), to.scheme() == Some(&Scheme::HTTPS)) {
        (true, false) => Err(refused(", where it would be read on the way; set the endpoint to it if that is meant")),
        (false, true) => Err(refused("; set the endpoint to it: each request would cross the network in plain first")),
        _ => Ok(to),
    }
}

/// Whether two URLs are one origin (RFC 9110, section 4.3.1).
pub(crate) fn same_origin(a: &Uri, b: &Uri) -> bool {
    let port = |uri: &Uri| uri.port_u16().unwrap_or(if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 });
    let host = |uri: &Uri| uri.host().unwrap_or_default().to_ascii_lowercase();
    a.scheme() == b.scheme() && host(a) == host(b) && port(a) == port(b)
}

/// A reference as a URL (RFC 3986, section 5.2), for the forms that servers send: a whole URL,
/// `//host/path`, `/path`, or a path beside the one of `base`.
fn resolve(base: &Uri, location: &[u8]) -> Option<Uri> {
    let text = std::str::from_utf8(location).ok()?;
    let text = text.split('#').next().unwrap_or_default();
    let scheme = base.scheme_str()?;
    let authority = base.authority()?;
    let absolute = match text {
        "" => return None,
        _ if text.starts_with("//") => format!("{scheme}:{text}"),
        _ if text.starts_with('/') => format!("{scheme}://{authority}{text}"),
        _ if text.contains("://") => text.to_owned(),
        // `mailto:` and the like.
        _ if text.split(['/', '?']).next().is_some_and(|first| first.contains(':')) => return None,
        _ => {
            let folder = base.path().rsplit_once('/').map_or("", |(folder, _)| folder);
            let slash = if text.starts_with('?') { base.path().trim_start_matches(folder) } else { "/" };
            format!("{scheme}://{authority}{folder}{slash}{text}")
        }
    };
    let uri: Uri = absolute.parse().ok()?;
    let known = matches!(uri.scheme_str(), Some("http" | "https"));
    let host = uri.authority().filter(|authority| !authority.host().is_empty() && !authority.as_str().contains('@'))?;
    if !known {
        return None;
    }
    let path = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    Uri::builder().scheme(uri.scheme()?.clone()).authority(host.clone()).path_and_query(path).build().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirect(from: &str, status: u16, location: &str) -> Result<String, String> {
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, HeaderValue::from_str(location).unwrap());
        target(&from.parse().unwrap(), StatusCode::from_u16(status).unwrap(), &headers).map(|uri| uri.to_string())
    }

    #[test]
    fn references_are_resolved() {
        let table = [
            ("/in/traces?key=1", "http://a:1/in/traces?key=1"),
            ("//b/x", "http://b/x"),
            ("http://b:2", "http://b:2/"),
            ("HTTP://b:2/x", "http://b:2/x"),
            ("other", "http://a:1/v1/other"),
            ("?again", "http://a:1/v1/traces?again"),
            ("/x#part", "http://a:1/x"),
        ];
        for (location, expected) in table {
            assert_eq!(redirect("http://a:1/v1/traces?key=0", 307, location).as_deref(), Ok(expected), "{location}");
            assert_eq!(redirect("http://a:1/v1/traces", 308, location).as_deref(), Ok(expected), "{location}");
        }
    }

    #[test]
    fn what_is_not_followed_says_why() {
        let table = [
            (301, "http://a/x", "asks for a GET"),
            (302, "http://a/x", "asks for a GET"),
            (303, "http://a/x", "asks for a GET"),
            (300, "http://a/x", "asks for a GET"),
            (307, "", "is no http:// or https:// URL"),
            (307, "mailto:a@b", "is no http:// or https:// URL"),
            (307, "ftp://b/x", "is no http:// or https:// URL"),
            (307, "http://user:hunter2@b/x", "is no http:// or https:// URL"),
            (308, "http:///x", "is no http:// or https:// URL"),
            (308, "https://b/x?key=hunter2", "set the endpoint to it"),
        ];
        for (status, location, words) in table {
            let error = redirect("http://a/v1/traces", status, location).unwrap_err();
            assert!(error.contains(words) && !error.contains("hunter2"), "{status} {location}: {error}");
        }
        let error = redirect("https://a/v1/traces", 307, "http://a/v1/traces").unwrap_err();
        assert!(error.contains("read on the way"), "{error}");
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let same = |a: &str, b: &str| same_origin(&a.parse().unwrap(), &b.parse().unwrap());
        assert!(same("http://a/x", "http://A:80/y") && same("https://a", "https://a:443"));
        assert!(!same("http://a", "https://a") && !same("http://a", "http://b") && !same("http://a:1", "http://a:2"));
        assert!(!same("http://a.b", "http://c.a.b"), "a name below is another host");
    }
}
