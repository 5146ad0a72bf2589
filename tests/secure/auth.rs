//! Credentials: who is let in, what the others are told, and what this program says of itself.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use dragoman::otlp::Signal;
use http::Request;
use http_body_util::Full;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::backend::Backend;
use crate::client::{Answer, Client, grpc_status, sample, status};
use crate::rig::{Rig, Way, plan};
use crate::support::{grpc, service, yaml};

const BEARER: (&str, &str) = ("bearertokenauth", "{ tokens: [first, second] }");
const TEAM: (&str, &str) = ("bearertokenauth/team", "{ scheme: '', header: X-Team, token: secret }");
/// `plain` in plain text; `slow` with the password `a`, hashed with bcrypt.
const BASIC: (&str, &str) = (
    "basicauth/server",
    "{ htpasswd: { inline: \"plain:pa:ss\\nslow:$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe\" } }",
);

fn basic(credentials: &str) -> String {
    format!("Basic {}", STANDARD.encode(credentials))
}

/// Sends two spans with these headers.
async fn ask(rig: &Rig, way: Way, headers: &[(&str, String)]) -> Answer {
    let mut request = match way {
        Way::Grpc => {
            let mut request = grpc(Signal::Traces);
            *request.uri_mut() = Signal::Traces.grpc_path().parse().unwrap();
            request
        }
        Way::Protobuf => Request::post("/v1/traces")
            .header("content-type", "application/x-protobuf")
            .body(Full::new(sample(Signal::Traces)))
            .unwrap(),
        Way::Json => Request::post("/v1/traces")
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from_static(b"{}")))
            .unwrap(),
    };
    for (name, value) in headers {
        let name: http::HeaderName = name.parse().unwrap();
        request.headers_mut().append(name, value.parse().unwrap());
    }
    match way {
        Way::Grpc => Client::http2(rig.address("OTLP gRPC")).await.send(request).await,
        _ => Client::http1(rig.address("OTLP HTTP")).await.send(request).await,
    }
}

#[tokio::test]
async fn who_is_let_in_and_what_the_others_are_told() {
    let header = |value: &str| vec![("authorization", value.to_owned())];
    let team = |value: &str| vec![("x-team", value.to_owned())];
    type Case<'c> = (Vec<(&'c str, String)>, bool);
    let cases: [(_, &str, Vec<Case<'_>>); 3] = [
        (
            BEARER,
            "Bearer",
            vec![
                (header("Bearer first"), true),
                (header("bearer second"), true),
                (header("Bearer third"), false),
                (header("Bearer"), false),
                (header("Bearer "), false),
                (header("Bearerfirst"), false),
                (header("first"), false),
                (header("Bearer first second"), false),
                (header(&basic("first:")), false),
                (vec![], false),
                (team("Bearer first"), false),
                ([header("Bearer first"), header("Bearer first")].concat(), false),
            ],
        ),
        (
            TEAM,
            "Bearer",
            vec![(team("secret"), true), (team("Secret"), false), (header("secret"), false), (vec![], false)],
        ),
        (
            BASIC,
            "Basic realm=\"dragoman\", charset=\"UTF-8\"",
            vec![
                (header(&basic("plain:pa:ss")), true),
                (header(&basic("slow:a")), true),
                (header(&basic("slow:a")), true),
                (header(&basic("slow:a").replace("Basic", "basic")), true),
                (header(&basic("plain:pa")), false),
                (header(&basic("slow:b")), false),
                (header(&basic("slow:b")), false),
                (header(&basic("nobody:a")), false),
                (header(&basic("plain")), false),
                (header(&basic("")), false),
                (header("Basic !!!"), false),
                (header(&format!("Basic {}", "A".repeat(10_000))), false),
                (header("Bearer first"), false),
                (vec![], false),
            ],
        ),
    ];
    for (extension, challenge, cases) in cases {
        let auth = format!("auth: {{ authenticator: {} }}", extension.0);
        let rig = service(&auth, &[extension]).await;
        let mut refused = 0;
        for (headers, is_let_in) in cases {
            for way in Way::ALL {
                let answer = ask(&rig, way, &headers).await;
                match (is_let_in, way) {
                    (true, Way::Grpc) => assert_eq!(answer.header("grpc-status"), "0", "{headers:?}"),
                    (true, _) => assert_eq!(answer.status, 200, "{headers:?}"),
                    (false, _) => {
                        is_told_off(&answer, way, challenge, &headers);
                        refused += 1;
                    }
                }
            }
        }
        let books = rig.books().await;
        let counted = books.sum("dragoman_receiver_refused_requests_total", &["reason=\"unauthenticated\""]);
        assert_eq!(counted, refused, "{}", books.0);
        assert_eq!(books.sum("otelcol_receiver_refused_spans_total", &[]), 0, "no body was read");
    }
}

/// One answer for all that can be wrong, in the request's encoding, and nothing of what was sent.
fn is_told_off(answer: &Answer, way: Way, challenge: &str, headers: &[(&str, String)]) {
    const TOLD: &str = "this endpoint takes authenticated requests only, and the credentials are missing or wrong";
    match way {
        Way::Grpc => {
            assert_eq!(grpc_status(answer), (16, TOLD.to_owned(), None), "{headers:?}");
        }
        Way::Protobuf | Way::Json => {
            assert_eq!(answer.status, 401, "{headers:?}");
            assert_eq!(answer.header("www-authenticate"), challenge);
            let encoding = if way == Way::Json { "application/json" } else { "application/x-protobuf" };
            assert_eq!(answer.header("content-type"), encoding);
            assert_eq!(status(answer), (16, TOLD.to_owned(), None));
            assert_eq!(answer.header("retry-after"), "");
        }
    }
}

/// The answer comes before a byte of the body has, and a client that asks is not told to send it.
#[tokio::test]
async fn nobody_is_let_in_by_the_rest_of_the_request_and_its_body_is_not_waited_for() {
    let patient = "read_timeout: 1h, read_header_timeout: 1h, idle_timeout: 1h";
    let rig = service(&format!("auth: {{ authenticator: bearertokenauth }}, {patient}"), &[BEARER]).await;
    for (method, path, kind, more) in [
        ("POST", "/v1/traces", "application/x-protobuf", ""),
        ("POST", "/v1/traces", "application/json", "content-encoding: gzip\r\n"),
        ("POST", "/v1/traces", "application/x-protobuf", "expect: 100-continue\r\n"),
        // What else would be refused is not told to who may not ask.
        ("GET", "/v1/traces", "application/x-protobuf", ""),
        ("POST", "/nowhere", "application/x-protobuf", ""),
        ("POST", "/v1/traces", "text/plain", ""),
        ("POST", "/v1/traces", "application/x-protobuf", "content-encoding: none-such\r\n"),
    ] {
        let mut stream = TcpStream::connect(rig.address("OTLP HTTP")).await.unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: a\r\ncontent-type: {kind}\r\ncontent-length: 10000000\r\n\
             authorization: Bearer hunter2\r\n{more}\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // To the end: the connection is given up without a look at what would still come.
        let mut answer = String::new();
        #[allow(clippy::disallowed_methods, reason = "a server of the test's own")]
        let ended = tokio::time::timeout(Duration::from_secs(60), stream.read_to_string(&mut answer)).await;
        assert!(ended.is_ok(), "the connection waits for a body: {answer}");
        assert!(answer.starts_with("HTTP/1.1 401 "), "{head}{answer}");
        assert!(!answer.contains("hunter2"), "{answer}");
    }
    let mut sender = crate::client::http2_sender::<Never>(rig.address("OTLP gRPC")).await;
    let request = Request::post(format!("http://localhost{}", Signal::Traces.grpc_path()));
    let request = request.header("content-type", "application/grpc").body(Never).unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.headers()["grpc-status"], "16");
    let books = rig.books().await;
    assert_eq!(books.sum("dragoman_receiver_refused_requests_total", &["reason=\"unauthenticated\""]), 8);
}

/// A body that never comes.
struct Never;

impl http_body::Body for Never {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        std::task::Poll::Pending
    }
}

#[tokio::test]
async fn a_listener_is_open_only_where_nobody_asks() {
    let rig = service("auth: { authenticator: bearertokenauth }", &[BEARER]).await;
    let guarded = |what: &str| rig.running.addresses().iter().find(|a| a.what == what).unwrap().is_guarded;
    assert!(guarded("OTLP gRPC") && guarded("OTLP HTTP") && !guarded("self-metrics"));
    let rig = service("", &[BEARER]).await;
    assert!(rig.running.addresses().iter().all(|address| !address.is_guarded));
}

#[tokio::test]
async fn exporters_say_who_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "of-a-file\nanother\n").unwrap();
    let from_file = format!("{{ filename: {} }}", file.display());
    let client = "{ client_auth: { username: me, password: 'pass' } }";
    for (id, section, header, value) in [
        ("bearertokenauth", BEARER.1, "authorization", "Bearer first".to_owned()),
        ("bearertokenauth", &from_file, "authorization", "Bearer of-a-file".to_owned()),
        ("bearertokenauth/team", TEAM.1, "x-team", "secret".to_owned()),
        ("basicauth", client, "authorization", basic("me:pass")),
    ] {
        for exporter in ["otlp_grpc", "otlp_http"] {
            let mut backend = Backend::start([]).await;
            let settings = format!(
                "{{ endpoint: 'http://{}', headers: {{ authorization: overridden }}, auth: {{ authenticator: {id} }} }}",
                backend.address
            );
            let yaml = yaml("", &[(id, section)])
                .replace("exporters: { debug: {} }", &format!("exporters: {{ debug: {{}}, {exporter}: {settings} }}"))
                .replacen("exporters: [debug]", &format!("exporters: [debug, {exporter}]"), 1);
            let rig = Rig::start(plan(&yaml)).await;
            rig.must_take(Way::Protobuf, Signal::Traces, sample(Signal::Traces)).await;
            assert_eq!(backend.next().await.headers[header], value.as_str(), "{exporter} {section}");
        }
    }
}
