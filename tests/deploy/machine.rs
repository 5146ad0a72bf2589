//! What runs on one machine: the Compose file as Compose reads it, the unit as systemd judges it, and the
//! example's traffic against a real dragoman.

use std::process::Command;

use serde_yaml::Value;

use super::process::{Dragoman, file, http};
use super::{at, items, printed, read, root, run, text, tools};

#[test]
fn compose_reads_the_file() {
    // As `docker compose` does, from the file's folder.
    let mut command = Command::new("env");
    command.args(["--chdir", "deploy/compose"]).arg(tools().join("bin/compose")).arg("compose.yaml");
    let resolved: Value = serde_yaml::from_str(&printed(&mut command)).unwrap();
    assert_eq!(text(&resolved, "services.dragoman.image"), format!("dragoman:{}", env!("CARGO_PKG_VERSION")));
    let context = root().canonicalize().unwrap();
    assert_eq!(text(&resolved, "services.dragoman.build.context"), context.to_str().unwrap());
    for (name, service) in at(&resolved, "services").as_mapping().unwrap() {
        assert_eq!(at(service, "read_only").as_bool(), Some(true), "{name:?}");
        assert_eq!(items(at(service, "cap_drop")).collect::<Vec<_>>(), ["ALL"], "{name:?}");
        for port in items(at(service, "ports")) {
            assert_eq!(text(port, "host_ip"), "127.0.0.1", "{name:?} is open to the network");
        }
    }
}

#[test]
fn compose_refuses_a_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("compose.yaml");
    std::fs::write(&file, read("deploy/compose/compose.yaml").replace("stop_grace_period", "stop_grace")).unwrap();
    let (is_taken, _, said) = run(Command::new(tools().join("bin/compose")).arg(&file), "");
    assert!(!is_taken && said.contains("stop_grace"), "{said}");
}

/// The unit with a program that is there, since `verify` looks for it.
fn unit(change: &dyn Fn(String) -> String) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let unit = read("deploy/systemd/dragoman.service")
        .replace("/usr/local/bin/dragoman", env!("CARGO_BIN_EXE_dragoman"))
        // The page is installed with the archive.
        .replace("Documentation=man:dragoman(1)\n", "");
    std::fs::write(folder.path().join("dragoman.service"), change(unit)).unwrap();
    folder
}

fn analyze(arguments: &[&str], folder: &tempfile::TempDir) -> (bool, String) {
    let mut command = Command::new("systemd-analyze");
    let (is_good, output, complaints) = run(command.args(arguments).arg(folder.path().join("dragoman.service")), "");
    (is_good, output + &complaints)
}

#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    let (is_good, said) = analyze(&["verify", "--man=no"], &unit(&|unit| unit));
    assert!(is_good && said.is_empty(), "{said}");
    let misspelt = unit(&|unit| unit.replace("ProtectSystem=strict", "ProtectSystems=strict"));
    let (_, said) = analyze(&["verify", "--man=no"], &misspelt);
    assert!(said.contains("ProtectSystems"), "{said}");
}

/// systemd gives 0 to what can do nothing and 100 to what can do everything; without the directives it is 96.
#[test]
fn systemd_calls_the_unit_hardly_exposed() {
    let (is_good, said) = analyze(&["security", "--offline=true", "--threshold=12"], &unit(&|unit| unit));
    assert!(is_good, "{said}");
    let open = unit(&|unit| unit.replace("SystemCallFilter=", "#").replace("PrivateUsers=yes", ""));
    let (is_good, said) = analyze(&["security", "--offline=true", "--threshold=12"], &open);
    assert!(!is_good, "{said}");
}

/// What the traffic of the stack says that it sent is what the stack's configuration counts, in the target's
/// words; sqlite does not get through.
#[test]
fn the_traffic_is_counted_as_it_was_sent() {
    let configuration = read("deploy/compose/dragoman.yaml");
    // Without Jaeger, on free ports of loopback.
    let mut configuration: Value = serde_yaml::from_str(&configuration).unwrap();
    configuration["exporters"].as_mapping_mut().unwrap().remove("otlp_grpc/jaeger").unwrap();
    configuration["exporters"]["debug"]["verbosity"] = "detailed".into();
    let traces: Value = serde_yaml::from_str("[debug, genai_metrics]").unwrap();
    configuration["service"]["pipelines"]["traces"]["exporters"] = traces;
    let mut configuration = serde_yaml::to_string(&configuration).unwrap();
    for port in [4317, 4318, 8888, 9464, 13133] {
        configuration = configuration.replace(&format!("0.0.0.0:{port}"), "127.0.0.1:0");
    }
    let folder = tempfile::tempdir().unwrap();
    let mut dragoman = Dragoman::start(&file(&folder, "dragoman.yaml", &configuration));

    let mut traffic = Command::new("python3");
    traffic
        .arg("deploy/traffic/traffic.py")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", dragoman.http))
        .env("CALLS", "120")
        .env("CALLS_PER_SECOND", "10000");
    let said = printed(&mut traffic);
    let sent: serde_json::Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();

    let prometheus = dragoman.prometheus.unwrap();
    let page = || http(prometheus, "GET", "/metrics", &[], b"").unwrap().text();
    let counted = |what: &str, label: &str| sum(&page(), what, label);
    assert_eq!(counted("gen_ai_client_token_usage_sum", "\"input\""), sent["input_tokens"].as_f64().unwrap());
    assert_eq!(counted("gen_ai_client_token_usage_sum", "\"output\""), sent["output_tokens"].as_f64().unwrap());
    assert_eq!(counted("gen_ai_client_operation_duration_seconds_count", ""), 120.0);
    // The applications' own.
    assert_eq!(counted("http_server_request_duration_seconds_count", ""), 120.0);
    let failed = counted("gen_ai_client_operation_duration_seconds_count", "error_type=\"");
    assert_eq!(failed, sent["failed"].as_f64().unwrap());
    // What is shown is written by a thread of its own; at the end all of it is there.
    assert_eq!(dragoman.process.terminate(), Some(0), "{}", dragoman.process.log());
    let log = dragoman.process.log();
    let spans = |name: &str| log.lines().filter(|line| line.contains(name)).count();
    assert!(spans("POST /chat") >= 120 && spans("chat gpt-4o") > 0, "{log}");
    assert_eq!(spans("SELECT"), 0, "{log}");
    assert_eq!(spans("gen_ai.usage.prompt_tokens"), 0, "{log}");
}

/// The sum of the samples of this name whose labels contain this text.
fn sum(page: &str, name: &str, label: &str) -> f64 {
    let samples = page.lines().filter(|line| line.starts_with(&format!("{name}{{")) && line.contains(label));
    let value = |line: &str| line.rsplit_once("} ").unwrap().1.split(' ').next().unwrap().parse::<f64>().unwrap();
    samples.map(value).sum()
}
