//! The binary: how it starts, what it says when it does not, and how it ends.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(dead_code, unreachable_pub, reason = "other tests use the rest of the support")]

#[path = "cli_run/life.rs"]
mod life;
#[path = "cli_run/log.rs"]
mod log;
#[path = "support/process.rs"]
mod process;
#[path = "cli_run/settings.rs"]
mod settings;
#[path = "cli_run/tools.rs"]
mod tools;

use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};

use process::{Dragoman, file, get, http};

const DEFAULT: &str = include_str!("../src/service/default.yaml");

/// The embedded default on free ports.
fn default_on_free_ports() -> String {
    let mut yaml = DEFAULT.to_owned();
    for port in [4317, 4318, 9464, 13133, 8888] {
        let fixed = format!("127.0.0.1:{port}");
        assert!(yaml.contains(&fixed), "{fixed} is not in the default");
        yaml = yaml.replace(&fixed, "127.0.0.1:0");
    }
    yaml
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn run(arguments: &[&str]) -> Output {
    Dragoman::command().args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn corpus(path: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(path)).unwrap()
}

fn post(dragoman: &Dragoman, path: &str, body: &[u8]) -> process::Answer {
    http(dragoman.http, "POST", path, &[("content-type", "application/x-protobuf")], body).unwrap()
}

/// A pipeline of logs whose backend takes connections and never answers.
fn to_a_silent_backend(folder: &tempfile::TempDir, backend: &TcpListener) -> PathBuf {
    let yaml = default_on_free_ports().replace("exporters: [debug] }", "exporters: [otlp_grpc] }").replace(
        "exporters:\n",
        &format!("exporters:\n  otlp_grpc: {{ endpoint: \"http://{}\" }}\n", backend.local_addr().unwrap()),
    );
    file(folder, "silent.yaml", &yaml)
}

#[test]
fn config_prints_the_default_and_the_default_is_valid() {
    let printed = run(&["config"]);
    assert!(printed.status.success());
    assert_eq!(text(&printed.stdout), DEFAULT);
    let folder = folder();
    let path = file(&folder, "default.yaml", text(&printed.stdout));
    let checked = run(&["validate", "--config", path.to_str().unwrap()]);
    let valid = format!("valid: 3 pipelines, 2 exporters\nread: {}\n", path.display());
    assert_eq!((text(&checked.stdout), text(&checked.stderr)), (valid.as_str(), ""));
    let without = run(&["validate"]);
    let valid = "valid: 3 pipelines, 2 exporters\nread: embedded default (no --config was given)\n";
    assert_eq!(text(&without.stdout), valid);
    let small = "{receivers: {otlp: {protocols: {http: }}}, exporters: {debug: }, \
        service: {pipelines: {logs: {receivers: [otlp], exporters: [debug]}}}}";
    let small = run(&["validate", &format!("--config=yaml:{small}")]);
    assert_eq!((text(&small.stdout), text(&small.stderr)), ("valid: 1 pipeline, 1 exporter\nread: yaml:\n", ""));
}

#[test]
fn the_default_starts_and_ends_on_either_signal() {
    let folder = folder();
    let path = file(&folder, "default.yaml", &default_on_free_ports());
    for signal in ["TERM", "INT"] {
        let mut dragoman = Dragoman::start(&path);
        let health = get(dragoman.health, "/").unwrap();
        assert_eq!(health.status, 200);
        assert!(health.text().starts_with("{\"status\":\"Server available\",\"upSince\":\""), "{}", health.text());
        for address in [dragoman.grpc, dragoman.http, dragoman.prometheus.unwrap(), dragoman.own_metrics] {
            TcpStream::connect(address).unwrap();
        }
        dragoman.process.signal(signal);
        assert_eq!(dragoman.process.wait(), Some(0), "SIG{signal}");
        let log = dragoman.process.log();
        assert!(log.contains(&format!("SIG{signal}: taking no more requests")), "{log}");
        assert!(log.contains("everything that was accepted was delivered or counted"), "{log}");
    }
}

#[test]
fn while_it_ends_the_books_can_be_read_and_a_second_signal_ends_at_once() {
    let (folder, silent) = (folder(), TcpListener::bind("127.0.0.1:0").unwrap());
    let mut dragoman = Dragoman::start(&to_a_silent_backend(&folder, &silent));
    let record = corpus("app-otel-0.66b1-database-dup/chat_mixed/02.logs.pb");
    assert_eq!(post(&dragoman, "/v1/logs", &record).status, 200);
    dragoman.process.signal("TERM");
    dragoman.process.wait_for("the end to begin", |log| log.contains("SIGTERM: ").then_some(()));
    let health = dragoman.health;
    dragoman.process.wait_for("not ready", |_| (get(health, "/").unwrap().status == 503).then_some(()));
    assert!(get(dragoman.own_metrics, "/metrics").unwrap().text().contains("dragoman_exporter_held_items"));
    // The page says so first.
    let http = dragoman.http;
    dragoman.process.wait_for("no connection", |_| TcpStream::connect(http).is_err().then_some(()));
    dragoman.process.signal("INT");
    assert_eq!(dragoman.process.wait(), Some(3));
    let log = dragoman.process.log();
    assert!(log.contains("SIGINT again: leaving now; what was queued is lost"), "{log}");
}

#[test]
fn validate_and_run_say_the_same_of_a_broken_configuration() {
    let folder = folder();
    let broken = default_on_free_ports()
        .replace("preset: sqlite", "preset: sqlight")
        .replace("limit_mib: 256", "limit_mib: lots")
        .replace("exporters: [debug, prometheus]", "exporters: [debug, prometheus, otlp]");
    let path = file(&folder, "broken.yaml", &broken);
    let path = path.to_str().unwrap();
    let (checked, started) = (run(&["validate", "--config", path]), run(&["--config", path]));
    assert_eq!((checked.status.code(), started.status.code()), (Some(1), Some(1)));
    let problems = text(&checked.stderr).strip_suffix(&format!("not valid; read: {path}\n")).unwrap();
    assert_eq!(
        text(&started.stderr),
        format!("{problems}dragoman does not start: nothing was bound, nothing was accepted\n")
    );
    for (line, of) in [
        (4, "processors.memory_limiter.limit_mib: "),
        (6, "processors.drop/sqlite.preset: "),
        (21, "service.pipelines.metrics.exporters[2]: "),
    ] {
        let problem =
            problems.lines().find(|problem| problem.contains(of)).unwrap_or_else(|| panic!("{of}: {problems}"));
        assert!(problem.starts_with(&format!("{path}:{line}:")), "{problem}");
    }
    assert!(problems.contains("sqlite"), "what was expected is said: {problems}");
    assert!(text(&checked.stdout).is_empty() && text(&started.stdout).is_empty());
}

#[test]
fn a_port_in_use_names_its_setting_and_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (part, setting) in [
        ("grpc: { endpoint: 127.0.0.1:0", "receivers.otlp.protocols.grpc.endpoint"),
        ("http: { endpoint: 127.0.0.1:0", "receivers.otlp.protocols.http.endpoint"),
        ("prometheus: { endpoint: 127.0.0.1:0", "exporters.prometheus.endpoint"),
        ("health_check: { endpoint: 127.0.0.1:0", "extensions.health_check.endpoint"),
        ("address: 127.0.0.1:0", "service.telemetry.metrics.address"),
    ] {
        let yaml = default_on_free_ports();
        assert!(yaml.contains(part), "{part}");
        let yaml = yaml.replace(part, &part.replace("127.0.0.1:0", &address));
        let ended = run(&["--config", &format!("yaml:{yaml}")]);
        assert_eq!(ended.status.code(), Some(1), "{setting}");
        let said = text(&ended.stderr);
        let expected = format!("cannot listen on {address} ({setting}): another program already listens there");
        assert!(said.contains(&expected) && said.contains("choose another port"), "{said}");
        assert!(said.contains("dragoman does not start: nothing was accepted"), "{said}");
        assert!(!said.lines().any(|line| line.ends_with(" ready")), "{said}");
    }
}

#[test]
fn a_configuration_comes_from_files_variables_and_arguments() {
    let folder = folder();
    let base = file(&folder, "base.yaml", &default_on_free_ports());
    let base = base.to_str().unwrap();
    let check = |arguments: &[&str]| {
        let mut command = Dragoman::command();
        command.arg("validate").env("DRAGOMAN_TEST", default_on_free_ports()).args(arguments);
        let output = command.output().unwrap();
        (output.status.code(), format!("{}{}", text(&output.stdout), text(&output.stderr)))
    };
    let valid = |read: &str| (Some(0), format!("valid: 3 pipelines, 2 exporters\nread: {read}\n"));
    assert_eq!(check(&["--config=env:DRAGOMAN_TEST"]), valid("env:DRAGOMAN_TEST"));
    assert_eq!(check(&[&format!("--config=file:{base}")]), valid(base));
    let more = "--config=yaml:exporters::debug::verbosity: detailed";
    assert_eq!(check(&["--config", base, more]), valid(&format!("{base}, yaml:")));

    let wrong = |arguments: &[&str], expected: &[&str]| {
        let (code, said) = check(arguments);
        assert_eq!(code, Some(1), "{said}");
        for part in expected {
            assert!(said.contains(part), "{part:?} is not in {said}");
        }
    };
    wrong(&["--config", base, "--config=yaml:exporters::debug::verbosity: loud"], &["yaml:", "loud", "basic"]);
    let missing = folder.path().join("missing.yaml");
    wrong(&["--config", missing.to_str().unwrap()], &["missing.yaml", "No such file"]);
    wrong(&["--config", folder.path().to_str().unwrap()], &["directory"]);
    wrong(&["--config=env:DRAGOMAN_TEST_UNSET"], &["env:DRAGOMAN_TEST_UNSET", "not set"]);
    wrong(&["--config=https://example.com/a.yaml"], &["not fetched from the network"]);
    let binary = file(&folder, "binary.yaml", "");
    std::fs::write(&binary, [0xff, 0xfe, 0x00]).unwrap();
    wrong(&["--config", binary.to_str().unwrap()], &["binary.yaml"]);
    let empty = file(&folder, "empty.yaml", "");
    wrong(&["--config", empty.to_str().unwrap()], &["empty.yaml"]);
}

#[test]
fn a_call_is_a_line_on_standard_output() {
    let folder = folder();
    let path = file(&folder, "default.yaml", &default_on_free_ports());
    let mut dragoman = Dragoman::start(&path);
    let traces = "litellm-proxy-1.40.18/codegemma_seed";
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(traces);
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.to_str().unwrap().ends_with("traces.pb") {
            assert_eq!(post(&dragoman, "/v1/traces", &std::fs::read(entry).unwrap()).status, 200);
        }
    }
    assert_eq!(dragoman.process.terminate(), Some(0));
    let log = dragoman.process.log();
    assert!(log.lines().any(|line| line == "  chat codegemma  19 → 9 tokens  29 ms  litellm→1.41"), "{log}");
    assert!(log.lines().any(|line| line.starts_with("traces  3 spans  ")), "{log}");
}

#[test]
fn nobody_needs_to_read_what_it_prints() {
    // `dragoman config | true`
    let mut config = Dragoman::command().arg("config").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(config.stdout.take());
    let mut said = String::new();
    config.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((config.wait().unwrap().code(), said.as_str()), (Some(0), ""));

    // A log whose reader went away: requests are answered, and the end is an orderly one.
    let folder = folder();
    let yaml = default_on_free_ports().replace("telemetry: {", "telemetry: { logs: { level: debug },");
    let path = file(&folder, "debug.yaml", &yaml);
    let mut command = Dragoman::command();
    command.arg("--config").arg(path).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = Killed(command.spawn().unwrap());
    drop(child.0.stdout.take());
    let mut log = BufReader::new(child.0.stderr.take().unwrap());
    let mut address = None;
    for line in log.by_ref().lines().map(Result::unwrap) {
        if line.contains("OTLP HTTP on ") {
            address = line.split_whitespace().find_map(|word| word.parse().ok());
        }
        if line.ends_with(" ready") {
            break;
        }
    }
    drop(log);
    let address = address.unwrap();
    let headers = [("content-type", "application/x-protobuf")];
    for _ in 0..3 {
        assert_eq!(http(address, "POST", "/v1/traces", &headers, b"\x0a\xff").unwrap().status, 400);
        assert_eq!(http(address, "POST", "/v1/traces", &headers, b"").unwrap().status, 200);
    }
    let pid = child.0.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(child.0.wait().unwrap().code(), Some(0));
}

/// A process that does not outlive its test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
