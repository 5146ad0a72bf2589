//! A secret is never shown: the real binary, with a mark in every place where a secret can stand, in
//! good configurations and in broken ones, at the chattiest level, through success and failure.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(dead_code, unreachable_pub, reason = "other tests use the rest of the support")]

#[path = "support/authority.rs"]
mod authority;
#[path = "support/process.rs"]
mod process;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

use authority::Authority;
use dragoman::config::Source;
use dragoman::service::plan::Plan;
use process::{Dragoman, file, get, http};

/// Stands in every secret. Base64 of it in basic credentials, and what is inside of a key, are looked
/// for as well.
const MARK: &str = "hunter2-mark";

/// What must not be found, in any case of letters.
fn marks(key: &str) -> Vec<String> {
    use base64::Engine as _;
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("me:{MARK}"));
    // A line from the middle of the key.
    let inside = key.lines().nth(1).unwrap()[20..50].to_owned();
    [MARK.to_owned(), basic, inside].map(|mark| mark.to_lowercase()).to_vec()
}

fn assert_hidden(key: &str, what: &str, shown: &str) {
    let lower = shown.to_lowercase();
    for mark in marks(key) {
        assert!(!lower.contains(&mark), "{what} shows {mark}:\n{shown}");
    }
}

/// A backend that answers what it is told over HTTP/1.1 and keeps the heads of requests.
fn backend(answer: &'static str) -> (u16, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, seen) = (listener.local_addr().unwrap().port(), Arc::<Mutex<String>>::default());
    let heads = Arc::clone(&seen);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 8192];
            let length = stream.read(&mut head).unwrap_or(0);
            heads.lock().unwrap().push_str(&String::from_utf8_lossy(&head[..length]));
            stream.write_all(answer.as_bytes()).ok();
        }
    });
    (port, seen)
}

/// A configuration with a mark in every secret that it has.
fn config(folder: &tempfile::TempDir, backends: [u16; 2], key: &str) -> String {
    let tokens = file(folder, "tokens", &format!("{MARK}-of-file\n"));
    let users = file(folder, "users", &format!("of-file:{MARK}\n"));
    let password = file(folder, "password", MARK);
    let [good, bad] = backends;
    let indented = key.replace('\n', "\n            ");
    let certificate = std::fs::read_to_string(folder.path().join("tls.crt")).unwrap().replace('\n', "\n            ");
    format!(
        "receivers:
  otlp:
    protocols:
      grpc:
        endpoint: 127.0.0.1:0
        auth: {{ authenticator: basicauth/server }}
        tls:
          cert_pem: |
            {certificate}
          key_pem: |
            {indented}
      http:
        endpoint: 127.0.0.1:0
        auth: {{ authenticator: bearertokenauth }}
exporters:
  otlp_http/good:
    endpoint: http://127.0.0.1:{good}
    traces_endpoint: http://127.0.0.1:{good}/v1/traces?api_key={MARK}
    headers: {{ x-api-key: {MARK}, x-env: \"${{env:SECRET}}\", x-default: \"${{env:NO_SUCH:-{MARK}}}\" }}
    proxy_url: http://proxy:{MARK}@127.0.0.1:{good}
    auth: {{ authenticator: basicauth/client }}
  otlp_http/bad:
    endpoint: http://127.0.0.1:{bad}?api_key={MARK}
    headers: [{{ name: x-api-key, value: {MARK} }}]
    retry_on_failure: {{ enabled: false }}
    auth: {{ authenticator: bearertokenauth/file }}
  otlp_grpc/nowhere:
    endpoint: 127.0.0.1:1
    headers: {{ authorization: \"Bearer {MARK}\" }}
    retry_on_failure: {{ enabled: false }}
  debug: {{ verbosity: detailed }}
  prometheus: {{ endpoint: 127.0.0.1:0 }}
extensions:
  health_check: {{ endpoint: 127.0.0.1:0 }}
  bearertokenauth: {{ tokens: [{MARK}-one, \"${{env:SECRET}}\"] }}
  bearertokenauth/file: {{ filename: {tokens} }}
  basicauth/server: {{ htpasswd: {{ file: {users}, inline: \"me:{MARK}\" }} }}
  basicauth/client: {{ client_auth: {{ username: me, password_file: {password} }} }}
service:
  extensions: [health_check, bearertokenauth, bearertokenauth/file, basicauth/server, basicauth/client]
  telemetry: {{ logs: {{ level: debug }}, metrics: {{ address: 127.0.0.1:0 }} }}
  pipelines:
    traces: {{ receivers: [otlp], exporters: [otlp_http/good, otlp_http/bad, otlp_grpc/nowhere, debug] }}
    metrics: {{ receivers: [otlp], exporters: [prometheus] }}
",
        tokens = tokens.display(),
        users = users.display(),
        password = password.display(),
    )
}

fn key_pair(folder: &tempfile::TempDir) -> String {
    let pair = Authority::new().issue("localhost");
    pair.write(folder.path());
    pair.key
}

const SPANS: &str = "litellm-proxy-1.40.18/chat/00.traces.pb";

#[test]
fn nothing_that_runs_shows_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let key = key_pair(&folder);
    let (good, sent) = backend("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let (bad, refused) = backend("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let path = file(&folder, "config.yaml", &config(&folder, [good, bad], &key));
    let mut command = Dragoman::command();
    command.env("SECRET", format!("{MARK}-of-env")).env("RUST_BACKTRACE", "1").arg("--config").arg(&path);
    let mut dragoman = Dragoman::run(&mut command);

    let spans = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(SPANS)).unwrap();
    let mut shown = String::new();
    let right = format!("Bearer {MARK}-one");
    let env = format!("Bearer {MARK}-of-env");
    let wrong = format!("Bearer {MARK}-wrong");
    let basic = format!("Basic {MARK}");
    for (authorization, status) in
        [(&right, 200), (&env, 200), (&wrong, 401), (&basic, 401), (&format!("{MARK}\tx"), 401)]
    {
        for kind in ["application/x-protobuf", "application/json"] {
            let body = if kind.ends_with("json") { b"{}" } else { &spans[..] };
            let headers = [("content-type", kind), ("authorization", authorization.as_str())];
            let answer = http(dragoman.http, "POST", "/v1/traces", &headers, body).unwrap();
            assert_eq!(answer.status, status, "{authorization}");
            shown += &format!("{}\n{}\n", answer.head, String::from_utf8_lossy(&answer.body));
        }
    }
    // Plain text and the mark where a TLS handshake is expected.
    let handshake = http(dragoman.grpc, "POST", &format!("/{MARK}"), &[("authorization", &right)], b"");
    shown += &handshake.map_or_else(|error| error.to_string(), |answer| answer.head);
    // The secrets arrived, in success and in failure, before it is said that nobody showed them.
    dragoman.process.wait_for("a failed export", |log| {
        let all = [&sent, &refused].iter().all(|seen| seen.lock().unwrap().contains(MARK));
        (all && log.contains("otlp_http/bad") && log.contains("otlp_grpc/nowhere")).then_some(())
    });
    assert!(sent.lock().unwrap().to_lowercase().contains(&marks(&key)[1]), "basic credentials were not sent");
    // Files that change to something that cannot be used are told about, with nothing of what is in them.
    for (name, content) in [("tokens", format!("{MARK} {MARK}")), ("users", format!("a:$apr1${MARK}"))] {
        // Put into its place whole, or half of it is refused as well.
        std::fs::rename(file(&folder, "new", &content), folder.path().join(name)).unwrap();
    }
    dragoman.process.wait_for("the files to be refused", |log| {
        (log.matches("cannot be used, what was read before stays").count() == 2).then_some(())
    });
    for (address, path) in
        [(dragoman.own_metrics, "/metrics"), (dragoman.prometheus.unwrap(), "/metrics"), (dragoman.health, "/")]
    {
        shown += &get(address, path).unwrap().text();
    }
    dragoman.process.terminate();
    assert_hidden(&key, "an answer or a page", &shown);
    assert_hidden(&key, "the log", &dragoman.process.log());
    assert!(dragoman.process.log().contains("DEBUG"), "the log is not at its chattiest");
}

#[test]
fn no_broken_configuration_shows_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let key = key_pair(&folder);
    let good = config(&folder, [4, 5], &key);
    let in_one_line = key.replace('\n', " ");
    let mut broken: Vec<(String, String)> = [
        // Values in the wrong shape or place.
        (format!("tokens: [{MARK}-one, \"${{env:SECRET}}\"]"), format!("tokens: {MARK}")),
        (format!("tokens: [{MARK}-one,"), format!("tokens: [[{MARK}],")),
        (
            format!("tokens: [{MARK}-one,"),
            format!("tokens: [{{ {MARK}: {MARK} }},").replace(&format!("{{ {MARK}:"), "{ a:"),
        ),
        (format!("{{ tokens: [{MARK}-one, \"${{env:SECRET}}\"] }}"), MARK.to_owned()),
        (format!("{{ tokens: [{MARK}-one, \"${{env:SECRET}}\"] }}"), format!("[{MARK}]")),
        (format!("tokens: [{MARK}-one,"), format!("scheme: \"{MARK} {MARK}\", tokens: [{MARK}-one,")),
        (format!("tokens: [{MARK}-one,"), format!("header: \"{MARK}: {MARK}\", tokens: [{MARK}-one,")),
        (format!("tokens: [{MARK}-one,"), format!("tokn: {MARK}, tokens: [{MARK}-one,")),
        (format!("tokens: [{MARK}-one,"), format!("token: {MARK}, token: {MARK}, tokens: [{MARK}-one,")),
        (format!("tokens: [{MARK}-one,"), format!("token: {{ value: {MARK} }}, tokens: [{MARK}-one,")),
        (format!("tokens: [{MARK}-one, \"${{env:SECRET}}\"]"), format!("token: \"{MARK}\\u00e9\"")),
        (format!("inline: \"me:{MARK}\""), format!("inline: \"{MARK}\"")),
        (format!("inline: \"me:{MARK}\""), format!("inline: \"me:$apr1${MARK}\"")),
        (format!("inline: \"me:{MARK}\""), format!("inline: [{MARK}]")),
        (format!("inline: \"me:{MARK}\""), format!("inlin: \"me:{MARK}\"")),
        ("username: me, password_file".to_owned(), format!("username: \"a:{MARK}\", password: {MARK}, password_file")),
        ("{ username: me, password_file".to_owned(), format!("{MARK} #")),
        (format!("headers: {{ x-api-key: {MARK},"), format!("headers: {{ \"x api key\": {MARK},")),
        (format!("headers: {{ x-api-key: {MARK},"), format!("headers: {{ x-api-key: \"{MARK}\\n\",")),
        (format!("headers: {{ x-api-key: {MARK},"), format!("headers: {{ x-api-key: [{MARK}],")),
        (format!("headers: [{{ name: x-api-key, value: {MARK} }}]"), format!("headers: \"x-api-key={MARK}\"")),
        (format!("headers: [{{ name: x-api-key, value: {MARK} }}]"), format!("headers: [\"x-api-key={MARK}\"]")),
        (
            format!("headers: [{{ name: x-api-key, value: {MARK} }}]"),
            format!("headers: [{{ name: \"x: {MARK}\", value: a }}]"),
        ),
        (format!("headers: [{{ name: x-api-key, value: {MARK} }}]"), format!("headers: {MARK}")),
        // What YAML reads as something else than text.
        (format!("x-api-key: {MARK},"), format!("x-api-key: !{MARK} a,")),
        (format!("x-api-key: {MARK},"), format!("x-api-key: *{MARK},")),
        (format!("x-api-key: {MARK},"), format!("x-api-key: &{MARK},")),
        (format!("x-api-key: {MARK},"), format!("x-api-key: @{MARK},")),
        (format!("x-api-key: {MARK},"), format!("x-api-key: %{MARK},")),
        (format!("x-api-key: {MARK},"), format!("x-api-key: `{MARK},")),
        (format!("x-api-key: {MARK},"), format!("x-api-key: \"{MARK},")),
        (format!("x-api-key: {MARK},"), format!("x-api-key: '{MARK},")),
        (format!("x-api-key: {MARK},"), format!("x-api-key: \"\\q{MARK}\",")),
        (format!("x-api-key: {MARK},"), format!("x-api-key: {MARK}: {MARK}: {{,")),
        (format!("x-api-key: {MARK},"), format!("x-api-key: {MARK} ], ")),
        // Endpoints with a key in their query, or with credentials.
        (format!("/v1/traces?api_key={MARK}"), format!("/v1/traces?api_key={MARK} {MARK}")),
        ("traces_endpoint: http://".to_owned(), "traces_endpoint: ftp://".to_owned()),
        ("traces_endpoint: http://".to_owned(), format!("traces_endpoint: http://me:{MARK}@")),
        (format!("?api_key={MARK}\n    headers"), format!("?api_key={MARK}#{MARK}\n    headers")),
        (
            format!("endpoint: http://127.0.0.1:5?api_key={MARK}"),
            format!("endpoint: http://127.0.0.1:x?api_key={MARK}"),
        ),
        (format!("endpoint: http://127.0.0.1:5?api_key={MARK}"), format!("endpoint: //127.0.0.1:1/?api_key={MARK}")),
        ("endpoint: 127.0.0.1:1\n".to_owned(), format!("endpoint: 127.0.0.1:1?api_key={MARK}\n")),
        ("endpoint: 127.0.0.1:1\n".to_owned(), format!("endpoint: me:{MARK}@127.0.0.1:1\n")),
        ("proxy_url: http://".to_owned(), "proxy_url: socks5://".to_owned()),
        ("proxy_url: http://".to_owned(), format!("proxy_url: {MARK}://")),
        ("proxy_url: http://".to_owned(), format!("proxy_url: http://{MARK} ")),
        // From the environment.
        ("endpoint: 127.0.0.1:1\n".to_owned(), "endpoint: ${env:SECRET}\n".to_owned()),
        ("level: debug".to_owned(), "level: ${env:SECRET}".to_owned()),
        (
            "retry_on_failure: { enabled: false }".to_owned(),
            "retry_on_failure: { enabled: \"${env:SECRET}\" }".to_owned(),
        ),
        ("retry_on_failure: { enabled: false }".to_owned(), "timeout: ${env:SECRET}".to_owned()),
        ("retry_on_failure: { enabled: false }".to_owned(), "retry_on_failure: ${env:SECRET}".to_owned()),
        (format!("${{env:NO_SUCH:-{MARK}}}"), format!("${{env:NO_SUCH:-{MARK}")),
        (format!("${{env:NO_SUCH:-{MARK}}}"), format!("${{file:/x:-{MARK}}}")),
        (format!("${{env:NO_SUCH:-{MARK}}}"), format!("${{env:NO_SUCH:-${{env:NOR_THIS}}{MARK}}}")),
        (format!("${{env:NO_SUCH:-{MARK}}}"), format!("\\n{MARK}${{env:NO_SUCH:-}}")),
        // Keys.
        ("tls:\n".to_owned(), format!("tls: {MARK}\n        tlsx:\n")),
        ("key_pem: |".to_owned(), format!("key_pem: {MARK}\n          key_pemm: |")),
        ("key_pem: |".to_owned(), "key_pem:".to_owned()),
        ("key_pem: |".to_owned(), "key_pem: [".to_owned()),
        ("key_pem: |".to_owned(), format!("key_pem: \"{in_one_line}\"\n          key_pemm: |")),
        ("key_pem: |".to_owned(), format!("key_pem: \"-----BEGIN {MARK}\"\n          key_pemm: |")),
        ("key_pem: |".to_owned(), "cert_file: a\n          key_pem: |".to_owned()),
        ("-----END PRIVATE KEY-----".to_owned(), String::new()),
        ("-----BEGIN PRIVATE KEY-----".to_owned(), format!("-----BEGIN PRIVATE KEY-----\n            {MARK}!")),
        ("-----BEGIN PRIVATE KEY-----".to_owned(), format!("-----BEGIN {MARK}\n            ")),
        ("-----BEGIN PRIVATE KEY-----".to_owned(), "-----BEGIN CERTIFICATE-----".to_owned()),
    ]
    .into();
    // A configuration that breaks off after a secret, at every one of them.
    let ends = good.match_indices(MARK).map(|(at, _)| at + MARK.len());
    broken.extend(ends.map(|end| (good[end..].to_owned(), String::new())));
    broken.push(("127.0.0.1:0".to_owned(), "127.0.0.1:99999".to_owned()));
    for (from, to) in &broken {
        assert!(good.contains(from.as_str()), "{from}");
        let path = file(&folder, "broken.yaml", &good.replacen(from.as_str(), to, 1));
        for arguments in [
            &["validate", "--config"][..],
            &["--config"],
            &["print-config", "--config"],
            &["print-config", "--validate=false", "--config"],
            &["print-config", "--validate=false", "--format=json", "--config"],
        ] {
            let mut command = Dragoman::command();
            let mut child = command.env("SECRET", MARK).env("RUST_BACKTRACE", "1").args(arguments).arg(&path);
            child = child.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
            let said = ended(child, arguments.len() > 1);
            assert_hidden(&key, &format!("{arguments:?} after {from:?} became {to:?}"), &said);
        }
    }
}

/// What a run says until it ends, or until it is ready, which a configuration that is only odd comes to.
fn ended(command: &mut std::process::Command, ends: bool) -> String {
    let mut process = process::Running::start("dragoman", command);
    if ends {
        process.wait();
    } else {
        process.until_ready_or_ended();
    }
    process.log()
}

/// What `print-config` masks is what is a secret, and nothing else.
#[test]
fn what_is_printed_shows_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let key = key_pair(&folder);
    let path = file(&folder, "config.yaml", &config(&folder, [4, 5], &key));
    let printed = |mode: &str| {
        let mut command = Dragoman::command();
        command.env("SECRET", MARK).args(["print-config", "--mode", mode, "--config"]).arg(&path);
        // What nobody reads may be anything, and a secret in a warning is one, too.
        let unread = format!("exporters.debug.sampling_initial={MARK}");
        let output =
            command.args(["--set", &format!("service.telemetry.resource.a={MARK}"), "--set", &unread]).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let redacted = printed("redacted");
    assert_hidden(&key, "print-config", &redacted);
    for shown in ["filename: ", "verbosity: detailed", "/v1/traces?[REDACTED]"] {
        assert!(redacted.contains(shown), "{shown} is not in\n{redacted}");
    }
    assert!(printed("unredacted").matches(MARK).count() > 10);
}

/// What is printed of a plan, and of the configuration that it was made of, for whoever debugs.
#[test]
fn no_debug_text_shows_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let key = key_pair(&folder);
    let source = Source::Yaml(config(&folder, [4, 5], &key));
    let (plan, warnings) = Plan::load(&[source], &|name| (name == "SECRET").then(|| MARK.to_owned())).unwrap();
    assert_hidden(&key, "Debug", &format!("{plan:?} {plan:#?} {warnings:?}"));
}
