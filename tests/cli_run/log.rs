//! The log of the binary: which lines, in which form, where to, and what is not said twice.

use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use super::process::{Dragoman, Running, file, get};
use super::{default_on_free_ports, folder, post, text};

/// The embedded default on free ports, with a `logs` section.
fn with_logs(logs: &str) -> String {
    default_on_free_ports().replace("telemetry: {", &format!("telemetry: {{ logs: {{ {logs} }},"))
}

fn said(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// The lines of a file, each as the object that it is.
fn objects(path: &Path) -> Vec<serde_json::Value> {
    said(path)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect()
}

#[test]
fn the_environment_says_which_lines_and_what_it_misspells_is_said() {
    let folder = folder();
    let path = file(&folder, "dragoman.yaml", &with_logs("level: info, levels: { receiver: error }"));
    let mut command = Dragoman::command();
    command.env("DRAGOMAN_LOG", "receiver=debug,exportr=trace,net=lots").arg("--config").arg(&path);
    let mut dragoman = Dragoman::run(&mut command);
    assert_eq!(post(&dragoman, "/v1/logs", b"\x0a\xff").status, 400);
    dragoman.process.wait_for("the refusal", |log| log.contains("DEBUG receiver: request refused ").then_some(()));
    assert_eq!(dragoman.process.terminate(), Some(0));
    let log = dragoman.process.log();
    for expected in [
        "WARN log: DRAGOMAN_LOG: \"exportr\" is no part of the program; did you mean exporter?",
        "WARN log: DRAGOMAN_LOG: \"lots\" is no level; expected one of off, error, warn, info, debug, trace",
        "INFO cli: ready",
    ] {
        assert!(log.contains(expected), "{expected} is not in\n{log}");
    }

    let mut validate = Dragoman::command();
    let checked = validate.env("DRAGOMAN_LOG", "loud").arg("validate").output().unwrap();
    assert_eq!(checked.status.code(), Some(0));
    assert!(
        text(&checked.stderr).starts_with("warning: DRAGOMAN_LOG: \"loud\" is no level"),
        "{}",
        text(&checked.stderr)
    );

    // What is misspelt is said even where nothing else is.
    let mut off = Dragoman::command();
    let mut off = Running::start("dragoman", off.env("DRAGOMAN_LOG", "off,exportr=info").arg("--config").arg(&path));
    off.wait_for("the misspelling", |log| log.contains("\"exportr\"").then_some(()));
    off.terminate();
    assert_eq!(off.log().lines().filter(|line| !line.contains("\"exportr\"")).count(), 0, "{}", off.log());
}

#[test]
fn a_file_holds_an_object_a_line_and_follows_logrotate_and_reloads() {
    let folder = folder();
    let (log, moved) = (folder.path().join("dragoman.log"), folder.path().join("dragoman.log.1"));
    let at = |more: &str| {
        with_logs(&format!("encoding: json, output_paths: ['{}'], initial_fields: {{ pod: a-1 }}{more}", log.display()))
    };
    let path = file(&folder, "dragoman.yaml", &at(""));
    let mut process = Dragoman::spawn(&path, &["--no-config-watch"]);
    process.wait_for("ready", |_| said(&log).contains("\"message\":\"ready\"").then_some(()));
    let before = objects(&log);
    for line in &before {
        assert_eq!(
            (&line["level"], &line["target"], &line["pod"]),
            (&"info".into(), &"cli".into(), &"a-1".into()),
            "{line}"
        );
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'), "{line}");
    }
    std::fs::rename(&log, &moved).unwrap();
    std::fs::write(&path, at(", level: error")).unwrap();
    process.signal("HUP");
    process.wait_for("the new file", |_| log.exists().then_some(()));
    process.wait_for("the reload", |_| said(&log).contains("SIGHUP: reading").then_some(()));
    assert_eq!(objects(&moved).len(), before.len(), "nothing more goes to the file that was moved");
    let own = before.iter().find_map(|line| line["message"].as_str()?.strip_prefix("self-metrics on ")).unwrap();
    let own = own.split(' ').next().unwrap().parse().unwrap();
    let applied = "dragoman_config_reloads_total{outcome=\"applied\"} 1";
    process.wait_for("the new level", |_| get(own, "/metrics").unwrap().text().contains(applied).then_some(()));
    // What the new level leaves out: the end, and that the configuration is in force.
    assert_eq!(process.terminate(), Some(0));
    assert!(!said(&log).contains("stopped") && !said(&log).contains("SIGTERM"), "{}", said(&log));
    assert_eq!(process.log().lines().filter(|line| line.contains("\"timestamp\"")).count(), 0, "{}", process.log());
}

#[test]
fn a_file_that_cannot_be_written_costs_no_line_and_no_start() {
    let folder = folder();
    let log = folder.path().join("missing").join("dragoman.log");
    let path = file(&folder, "dragoman.yaml", &with_logs(&format!("output_paths: ['{}']", log.display())));
    let mut dragoman = Dragoman::start(&path);
    assert_eq!(dragoman.process.terminate(), Some(0));
    let said = dragoman.process.log();
    let complaint = format!("ERROR log: the log {} cannot be written: No such file or directory", log.display());
    assert_eq!(said.matches(&complaint).count(), 1, "{said}");
    assert!(said.contains("everything that was accepted was delivered or counted"), "{said}");
}

/// A process that may open few files cannot accept, again and again.
#[test]
fn a_failure_that_repeats_is_one_line_with_a_count() {
    let folder = folder();
    let path = file(&folder, "dragoman.yaml", &with_logs("sampling: { tick: 3s }"));
    let dragoman = Dragoman::command();
    let mut command = Command::new("sh");
    command
        .env_remove("OTEL_EXPORTER_OTLP_ENDPOINT")
        .env("NO_COLOR", "1")
        .args(["-c", "ulimit -n 48; exec \"$0\" \"$@\""]);
    command.arg(dragoman.get_program()).arg("--config").arg(&path);
    let mut dragoman = Dragoman::run(&mut command);
    let connections: Vec<_> = (0..64).map(|_| TcpStream::connect(dragoman.http).unwrap()).collect();
    let log = dragoman.process.wait_for("a count", |log| {
        let counted = log.lines().any(|line| line.contains("wait_ms=1000 … repeated "));
        counted.then(|| log.to_owned())
    });
    let lines: Vec<_> = log.lines().filter(|line| line.contains(" WARN net: cannot accept connections")).collect();
    assert_eq!(lines.iter().filter(|line| line.ends_with("wait_ms=1000")).count(), 1, "{log}");
    let counted = lines.iter().find(|line| line.contains("repeated")).unwrap();
    assert!(counted.contains("in the last 3 s"), "{counted}");
    drop(connections);
    assert_eq!(dragoman.process.terminate(), Some(0));
}
