//! Ways past the credentials of a listener. What is taken and what refused, case by case, is in
//! `tests/secure/auth.rs`; here is what others got wrong.

use std::io::Write;

use base64::Engine as _;
use bytes::Bytes;
use dragoman::otlp::Signal;
use http::Request;
use http_body_util::Full;

use crate::bombs::gzip;
use crate::client::{Client, grpc_status, sample};
use crate::process::{get, http};
use crate::rig::{MIB, Setup, Target, frame, rest};

const TOKEN: &str = "a-token-of-some-length";

fn start() -> Target {
    Target::start(Setup {
        protocols: "auth: { authenticator: bearertokenauth }",
        extension: Some(("bearertokenauth", "token: a-token-of-some-length")),
        ..Setup::default()
    })
}

fn accepted(target: &Target) -> f64 {
    let page = target.own_metrics();
    let lines = page.lines().filter(|line| line.starts_with("otelcol_receiver_accepted_"));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

/// CVE-2024-36129 again: over gRPC the bomb went off before anybody asked who sent it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bomb_without_credentials_is_not_decompressed() {
    let target = start();
    let headers = [("content-encoding", "gzip")];
    for _ in 0..10 {
        assert_eq!(target.post("/v1/traces", "application/x-protobuf", &headers, &gzip()).status, 401);
        let request = Request::post(Signal::Traces.grpc_path())
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("grpc-encoding", "gzip");
        let request = request.body(Full::new(frame(true, &gzip()))).unwrap();
        let answer = Client::http2(target.dragoman.grpc).await.send(request).await;
        assert_eq!(grpc_status(&answer).0, tonic::Code::Unauthenticated as i64);
    }
    target.assert_grown_less_than(6 * MIB, "bombs of nobody");
}

/// CVE-2024-45043: a receiver that asked for the credentials on one of its ways in only. CVE-2026-55701:
/// one whose required headers were not required.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_is_no_way_in_without_credentials() {
    let target = start();
    let secret = format!("Bearer {TOKEN}");
    for signal in Signal::ALL {
        let body = sample(signal);
        let mut paths = vec![signal.http_path().to_owned(), format!("{}?access_token={TOKEN}", signal.http_path())];
        if signal == Signal::Traces {
            // LiteLLM's way in.
            paths.push("/".to_owned());
        }
        for (path, media_type) in
            paths.iter().flat_map(|path| [(path, "application/x-protobuf"), (path, "application/json")])
        {
            let body: &[u8] = if media_type.ends_with("json") { b"{}" } else { &body };
            for extra in [
                &[][..],
                &[("x-forwarded-for", "127.0.0.1"), ("x-real-ip", "127.0.0.1"), ("host", "localhost")],
                &[("x-authorization", secret.as_str()), ("proxy-authorization", &secret), ("cookie", &secret)],
                &[("x-original-url", "/health"), ("x-http-method-override", "GET")],
            ] {
                let answer = target.post(path, media_type, extra, body);
                assert_eq!(answer.status, 401, "{path} {media_type} {extra:?}");
            }
            // HTTP/2 on the same port.
            let mut client = Client::http2(target.dragoman.http).await;
            let answer = client.post(path, media_type, "", Bytes::copy_from_slice(body)).await;
            assert_eq!(answer.status, 401, "{path} over HTTP/2");
        }
        let answer = Client::http2(target.dragoman.grpc).await.call(signal, &body).await;
        assert_eq!(grpc_status(&answer).0, tonic::Code::Unauthenticated as i64);
        // The wrong port for it, and the right one without gRPC.
        let answer = http(
            target.dragoman.grpc,
            "POST",
            signal.http_path(),
            &[("content-type", "application/x-protobuf")],
            &body,
        );
        assert_ne!(answer.unwrap().status, 200);
        for method in ["GET", "PUT", "OPTIONS", "HEAD", "CONNECT", "X"] {
            let answer = http(target.dragoman.http, method, signal.http_path(), &[], &body).unwrap();
            assert!((400..500).contains(&answer.status), "{method}: {}", answer.status);
        }
    }
    // Credentials that come after the body are no credentials.
    let mut stream = target.connect(target.dragoman.http);
    let head = "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nConnection: close\r\n";
    let request = format!(
        "{head}Trailer: authorization\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nauthorization: {secret}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let answer = String::from_utf8_lossy(&rest(&mut stream)).into_owned();
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");

    assert_eq!(accepted(&target), 0.0);
    let answer =
        target.post("/v1/traces", "application/x-protobuf", &[("authorization", &secret)], &sample(Signal::Traces));
    assert_eq!((answer.status, accepted(&target)), (200, 2.0));
}

/// CVE-2026-42602: a token that was looked at and not checked. CVE-2024-42368: one that was compared
/// byte by byte until the first that differs, so that the time told how many were right; what no test
/// of time can show reliably is in the code, which compares
/// keyed digests in constant time (`src/auth/tag.rs`).
#[test]
fn a_token_is_right_as_a_whole_or_not_at_all() {
    let target = start();
    let body = sample(Signal::Traces);
    let post =
        |value: &str| target.post("/v1/traces", "application/x-protobuf", &[("authorization", value)], &body).status;
    assert_eq!(post(&format!("Bearer {TOKEN}")), 200);
    let unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.";
    let mut wrong: Vec<String> = (0..TOKEN.len()).map(|length| format!("Bearer {}", &TOKEN[..length])).collect();
    for token in
        [&format!("{TOKEN}x"), &format!("x{TOKEN}"), &TOKEN.to_uppercase(), unsigned, "*", "null", "undefined", "%"]
    {
        wrong.push(format!("Bearer {token}"));
    }
    wrong.extend([format!("Basic {TOKEN}"), TOKEN.to_owned(), format!("Bearer {TOKEN},{TOKEN}"), "x".repeat(30_000)]);
    for value in wrong {
        assert_eq!(post(&value), 401, "{value:.60}");
    }
    assert_eq!(accepted(&target), 2.0);
}

/// A password's hash is slow on purpose; who sends wrong ones must not have all of the processor, and
/// nobody else waits for them.
#[test]
fn wrong_passwords_do_not_hold_up_the_rest() {
    let target = Target::start(Setup {
        protocols: "auth: { authenticator: basicauth/server }",
        extension: Some((
            "basicauth/server",
            // Of the least cost that is in use: without optimisation each check takes many times as long, and
            // sixteen of them wait for one another.
            "htpasswd: { inline: \"plain:pass\\nslow:$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe\" }",
        )),
        ..Setup::default()
    });
    let body = sample(Signal::Traces);
    let post = |user: &str, password: &str| {
        let credentials = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        let headers = [("authorization", format!("Basic {credentials}"))];
        let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
        target.post("/v1/traces", "application/x-protobuf", &headers, &body).status
    };
    std::thread::scope(|scope| {
        let attackers: Vec<_> = (0..40)
            .map(|number| {
                scope.spawn(move || (0..3).map(|n| post("slow", &format!("{number}-{n}"))).collect::<Vec<_>>())
            })
            .collect();
        // While they are at it.
        for _ in 0..20 {
            assert_eq!(get(target.dragoman.health, "/").unwrap().status, 200);
            assert_eq!(post("plain", "pass"), 200);
        }
        for attacker in attackers {
            let answers = attacker.join().unwrap();
            assert!(answers.iter().all(|status| [401, 429, 503].contains(status)), "{answers:?}");
        }
    });
    target.assert_grown_less_than(20 * MIB, "wrong passwords");
}
