//! The life of the binary: another configuration while it runs, and every way in which it ends.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use super::process::{Dragoman, file, free_port, get, http};
use super::{corpus, default_on_free_ports, folder, post, run, text, to_a_silent_backend};

const RECORD: &str = "app-otel-0.66b1-database-dup/chat_mixed/02.logs.pb";

fn count(text: &str, part: &str) -> usize {
    text.matches(part).count()
}

fn reloads(dragoman: &Dragoman, outcome: &str) -> bool {
    let page = get(dragoman.own_metrics, "/metrics").unwrap().text();
    page.contains(&format!("dragoman_config_reloads_total{{outcome=\"{outcome}\"}} 1"))
}

/// Whether it takes a request now.
fn takes(dragoman: &Dragoman) {
    assert_eq!(post(dragoman, "/v1/logs", &corpus(RECORD)).status, 200);
}

#[test]
fn a_file_that_changes_is_taken_and_a_bad_one_is_not() {
    let folder = folder();
    let good = default_on_free_ports();
    let path = file(&folder, "dragoman.yaml", &good);
    let mut dragoman = Dragoman::start(&path);
    takes(&dragoman);

    let bad = good.replace("preset: sqlite", "preset: sqlight");
    std::fs::write(&path, &bad).unwrap();
    let log = dragoman.process.wait_for("a refusal", |log| log.contains("stays in force").then(|| log.to_owned()));
    let checked = run(&["validate", "--config", path.to_str().unwrap()]);
    let problem = text(&checked.stderr).lines().next().unwrap();
    assert!(problem.contains("sqlight") && log.contains(problem), "{problem} is not in\n{log}");
    assert!(reloads(&dragoman, "invalid"));
    takes(&dragoman);

    std::fs::write(&path, good.replace("telemetry: {", "telemetry: { logs: { level: debug },")).unwrap();
    dragoman.process.wait_for("a reload", |log| log.contains("the configuration is in force").then_some(()));
    assert!(reloads(&dragoman, "applied"));
    takes(&dragoman);
    assert_eq!(post(&dragoman, "/v1/logs", b"\x0a\xff").status, 400);
    dragoman.process.wait_for("the new level", |log| log.contains("DEBUG").then_some(()));
    assert_eq!(dragoman.process.terminate(), Some(0));
    assert_eq!(count(&dragoman.process.log(), " on 127.0.0.1:"), 5, "no listener was opened anew");
}

#[test]
fn a_hangup_reads_the_configuration_again() {
    let folder = folder();
    let good = default_on_free_ports();
    let path = file(&folder, "dragoman.yaml", &good);
    let mut dragoman = Dragoman::start_with(&path, &["--no-config-watch"]);
    dragoman.process.signal("HUP");
    dragoman.process.wait_for("that nothing changed", |log| log.contains("says what it said before").then_some(()));
    assert!(reloads(&dragoman, "unchanged"));

    // Another port for one listener; one that is in use changes nothing.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = "health_check: { endpoint: 127.0.0.1:0";
    assert!(good.contains(endpoint));
    let moved = |port: u16| good.replace(endpoint, &format!("health_check: {{ endpoint: 127.0.0.1:{port}"));
    std::fs::write(&path, moved(taken.local_addr().unwrap().port())).unwrap();
    dragoman.process.signal("HUP");
    let log = dragoman.process.wait_for("a refusal", |log| log.contains("stays in force").then(|| log.to_owned()));
    assert!(log.contains("(extensions.health_check.endpoint): another program already listens there"), "{log}");
    assert!(reloads(&dragoman, "failed"));
    assert_eq!(get(dragoman.health, "/").unwrap().status, 200);

    let port = free_port();
    std::fs::write(&path, moved(port)).unwrap();
    dragoman.process.signal("HUP");
    dragoman.process.wait_for("a reload", |log| log.contains("the configuration is in force").then_some(()));
    assert_eq!(get(([127, 0, 0, 1], port).into(), "/").unwrap().status, 200);
    takes(&dragoman);
    assert_eq!(dragoman.process.terminate(), Some(0));
}

/// A request of which the server has only a part.
struct HalfSent {
    stream: TcpStream,
    rest: Vec<u8>,
}

impl HalfSent {
    fn to(dragoman: &mut Dragoman) -> HalfSent {
        let body = corpus(RECORD);
        let (first, rest) = body.split_at(body.len() / 2);
        let mut stream = TcpStream::connect(dragoman.http).unwrap();
        let length = body.len();
        let head = format!(
            "POST /v1/logs HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-protobuf\r\ncontent-length: {length}\r\n\
             expect: 100-continue\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        // It is asked for, so that it is known to be in flight.
        let mut asked = [0; 25];
        stream.read_exact(&mut asked).unwrap();
        assert_eq!(text(&asked), "HTTP/1.1 100 Continue\r\n\r\n");
        stream.write_all(first).unwrap();
        HalfSent { stream, rest: rest.to_vec() }
    }

    fn answer(mut self) -> String {
        self.stream.write_all(&self.rest).unwrap();
        let mut answer = String::new();
        #[allow(clippy::disallowed_methods, reason = "limited")]
        self.stream.take(1 << 20).read_to_string(&mut answer).unwrap();
        answer
    }
}

#[test]
fn a_request_in_flight_is_answered_and_delivered() {
    let folder = folder();
    let path = file(&folder, "default.yaml", &default_on_free_ports());
    let mut dragoman = Dragoman::start(&path);
    let half = HalfSent::to(&mut dragoman);
    dragoman.process.signal("TERM");
    let health = dragoman.health;
    dragoman.process.wait_for("not ready", |_| (get(health, "/").unwrap().status == 503).then_some(()));
    dragoman.process.wait_for("no connection", |_| TcpStream::connect(dragoman.http).is_err().then_some(()));
    let answer = half.answer();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(dragoman.process.wait(), Some(0));
    let log = dragoman.process.log();
    assert!(log.lines().any(|line| line.starts_with("logs  ")), "the debug exporter has it: {log}");
}

#[test]
fn a_request_that_does_not_end_is_cut_off_and_said() {
    let folder = folder();
    let path = file(&folder, "default.yaml", &default_on_free_ports());
    let mut dragoman = Dragoman::start_with(&path, &["--shutdown-timeout", "500ms"]);
    let _half = HalfSent::to(&mut dragoman);
    assert_eq!(dragoman.process.terminate(), Some(3));
    let log = dragoman.process.log();
    assert!(log.contains("requests that did not end in 100ms were cut off unanswered"), "{log}");
}

#[test]
fn what_a_backend_does_not_take_in_time_is_counted_and_in_the_exit_code() {
    let folder = folder();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut dragoman = Dragoman::start_with(&to_a_silent_backend(&folder, &silent), &["--shutdown-timeout", "1s"]);
    takes(&dragoman);
    assert_eq!(dragoman.process.terminate(), Some(3));
    let log = dragoman.process.log();
    let lost = log.lines().find(|line| line.contains("items undelivered; they are lost"));
    assert!(lost.is_some_and(|line| !line.contains("stopped with 0 ")), "{log}");
    assert!(log.contains("did not take in time"), "{log}");
}

#[test]
fn what_is_missing_fails_the_start_with_a_sentence() {
    let yaml = default_on_free_ports().replace(
        "exporters:\n",
        "exporters:\n  otlp_grpc: { endpoint: \"https://localhost:1\", tls: { ca_file: /nowhere/ca.pem } }\n",
    );
    let yaml = yaml.replace("exporters: [debug] }", "exporters: [otlp_grpc] }");
    let ended = run(&["--config", &format!("yaml:{yaml}")]);
    let said = text(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("/nowhere/ca.pem") && !said.contains(" on 127.0.0.1:"), "{said}");
    for timeout in ["soon", "25", "2d"] {
        let ended = run(&["--shutdown-timeout", timeout]);
        assert_eq!(ended.status.code(), Some(2), "{timeout}");
        assert!(text(&ended.stderr).contains("expected a duration with a unit"), "{}", text(&ended.stderr));
    }
}

/// Printed, not judged: the clock of a busy machine says little.
#[test]
fn the_time_from_start_to_ready_is_printed() {
    let folder = folder();
    let mut times = Vec::new();
    for _ in 0..5 {
        let [grpc, receiver, page, health, own] = [(); 5].map(|()| free_port());
        let mut yaml = super::DEFAULT.to_owned();
        for (fixed, free) in [(4317, grpc), (4318, receiver), (9464, page), (13133, health), (8888, own)] {
            yaml = yaml.replace(&format!("127.0.0.1:{fixed}"), &format!("127.0.0.1:{free}"));
        }
        let path = file(&folder, "timed.yaml", &yaml);
        let began = Instant::now();
        let mut command = Dragoman::command();
        let mut process = super::process::Running::start("dragoman", command.arg("--config").arg(path));
        let ready =
            || http(([127, 0, 0, 1], health).into(), "GET", "/", &[], b"").is_ok_and(|answer| answer.status == 200);
        while !ready() {
            assert!(began.elapsed() < Duration::from_secs(60), "{}", process.log());
            std::thread::sleep(Duration::from_micros(200));
        }
        times.push(began.elapsed());
        assert_eq!(process.terminate(), Some(0));
    }
    times.sort();
    eprintln!("start to ready: {:?}, the middle of five", times[2]);
}
