//! `dragoman healthcheck`: asks the health page of a running dragoman, as an image's `HEALTHCHECK` and
//! a unit's `ExecStartPost` do where there is neither shell nor curl.
//!
//! Which page is asked is the configuration's `health_check` extension, or `--endpoint`. What the page
//! says is [`crate::extension::health`]'s.

use std::process::ExitCode;

use bytes::Bytes;
use http::header::HOST;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::arguments::{ConfigOptions, Healthcheck};
use super::{ENVIRONMENT, EXIT_CONFIGURATION, print, sources};
use crate::service::plan::Plan;
use crate::text::{duration, escaped};

/// The most of an answer that is read; the page has some hundred bytes.
const LONGEST_ANSWER: usize = 64 << 10;
/// The most of it that is shown, in characters.
const MOST_SHOWN: usize = 200;

pub(super) fn run(options: &Healthcheck, config: &ConfigOptions) -> ExitCode {
    let asked = match &options.endpoint {
        Some(endpoint) => page_at(endpoint),
        None => configured(config),
    };
    let answer = asked.and_then(|uri| match ask(&uri, options) {
        Ok((status, body)) if status.is_success() => Ok(format!("healthy: {uri} answers {status}{}\n", shown(&body))),
        Ok((status, body)) => Err(format!("not healthy: {uri} answers {status}{}", shown(&body))),
        Err(problem) => Err(format!("not healthy: {uri} {problem}")),
    });
    match answer {
        Ok(answer) => print(answer.as_bytes()),
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::from(EXIT_CONFIGURATION)
        }
    }
}

/// The page that `--endpoint` names.
fn page_at(endpoint: &str) -> Result<Uri, String> {
    const EXPECTED: &str = "expected a URL such as http://127.0.0.1:13133/";
    let text = if endpoint.contains("://") { endpoint.to_owned() } else { format!("http://{endpoint}") };
    let shown = escaped(endpoint, MOST_SHOWN);
    let uri: Uri = text.parse().map_err(|_| format!("--endpoint {shown} is not a URL; {EXPECTED}"))?;
    match uri.scheme_str() {
        Some("http") if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) => {
            Err(format!("--endpoint has credentials, which the page does not ask for; {EXPECTED}"))
        }
        Some("http") if uri.host().is_some_and(|host| !host.is_empty()) => Ok(uri),
        Some("https") => Err(format!("--endpoint {shown}: {NO_TLS}")),
        _ => Err(format!("--endpoint {shown} is no page; {EXPECTED}")),
    }
}

const NO_TLS: &str = "healthcheck asks in plain text only; let the platform's probe ask over https, or give the \
     program a second health_check/plain on loopback without tls and name that one";

/// The page of the configuration's `health_check`.
fn configured(config: &ConfigOptions) -> Result<Uri, String> {
    let pages = sources(config)
        .and_then(|sources| Plan::health_checks(&sources, ENVIRONMENT).map_err(|problems| problems.to_string()))
        .map_err(|problems| format!("{problems}\nno page is known to ask; name it with --endpoint"))?;
    let first = pages.first().ok_or("service.extensions has no health_check: there is no page to ask")?;
    let Some(page) = pages.iter().find(|page| page.tls.is_none()) else {
        return Err(format!("extensions.health_check ({}) has tls: {NO_TLS}", first.endpoint));
    };
    let (host, port) = page.endpoint.rsplit_once(':').unwrap_or((&page.endpoint, ""));
    if port == "0" {
        let endpoint = &page.endpoint;
        return Err(format!(
            "the health_check is on {endpoint}, a port of the system's choice; name it with --endpoint"
        ));
    }
    let host = match host {
        // Every address of the host: that of loopback is one of them.
        "0.0.0.0" => "127.0.0.1",
        "[::]" => "[::1]",
        host => host,
    };
    let uri = format!("http://{host}:{port}{}", page.path);
    uri.parse().map_err(|_| format!("extensions.health_check names no page that can be asked: {uri}"))
}

/// The answer's status and body, or why there is none.
fn ask(uri: &Uri, options: &Healthcheck) -> Result<(StatusCode, Bytes), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot be asked: {error}"))?;
    let answer = runtime.block_on(async { timeout(options.timeout, get(uri)).await });
    // A name that is still being resolved must not hold up the end.
    runtime.shutdown_background();
    answer.unwrap_or_else(|_| Err(format!("does not answer within {}", duration(options.timeout))))
}

async fn get(uri: &Uri) -> Result<(StatusCode, Bytes), String> {
    let (Some(host), Some(authority)) = (uri.host(), uri.authority()) else { return Err("has no host".to_owned()) };
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((name, uri.port_u16().unwrap_or(80)));
    let stream = stream.await.map_err(|error| format!("cannot be reached: {error}"))?;
    let broken = |error: hyper::Error| format!("does not answer as a web server does: {error}");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    tokio::spawn(connection);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::get(path).header(HOST, authority.as_str()).body(Empty::<Bytes>::new());
    let request = request.map_err(|error| format!("cannot be asked: {error}"))?;
    let (head, body) = sender.send_request(request).await.map_err(broken)?.into_parts();
    #[allow(clippy::disallowed_methods, reason = "limited")]
    let body = Limited::new(body, LONGEST_ANSWER).collect().await;
    let body = body.map_err(|error| format!("does not end its answer: {error}"))?;
    Ok((head.status, body.to_bytes()))
}

/// What the page says, for people.
fn shown(body: &[u8]) -> String {
    match String::from_utf8_lossy(body).trim() {
        "" => String::new(),
        text => format!(": {}", escaped(text, MOST_SHOWN)),
    }
}
