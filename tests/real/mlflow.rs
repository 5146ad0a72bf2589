//! A real MLflow shows recorded requests, sent directly and by way of Dragoman. It reads some of
//! the old words by itself: the rows of `docs/backends.md` say which.

use std::net::SocketAddr;
use std::process::Command;

use serde_json::{Value, json};

use crate::isolated::isolated;
use crate::process::{Running, free_port, get, http};
use crate::recorded::{self, Answer, PATIENCE, Recording, Shown, Table, Way};
use crate::tools;

fn start(folder: &tempfile::TempDir) -> (Running, SocketAddr) {
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let mut process = Running::start(
        "mlflow",
        Command::new(tools().join("mlflow/bin/mlflow"))
            .args([
                "server",
                "--workers",
                "1",
                "--host",
                &address.ip().to_string(),
                "--port",
                &address.port().to_string(),
            ])
            .arg("--backend-store-uri")
            .arg(format!("sqlite:///{}", folder.path().join("mlflow.db").display()))
            .arg("--default-artifact-root")
            .arg(folder.path().join("artifacts"))
            .current_dir(folder.path())
            .env("MLFLOW_DISABLE_TELEMETRY", "true")
            .env("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false"),
    );
    process.wait_long_for("health", PATIENCE, |_| get(address, "/health").ok().filter(|answer| answer.status == 200));
    (process, address)
}

fn post(address: SocketAddr, path: &str, body: &Value) -> Option<Value> {
    let headers = [("content-type", "application/json")];
    let answer = http(address, "POST", path, &headers, body.to_string().as_bytes()).ok()?;
    serde_json::from_slice(&answer.body).ok()
}

/// A new experiment; its id.
fn experiment(address: SocketAddr, name: &str) -> String {
    let made = post(address, "/api/2.0/mlflow/experiments/create", &json!({ "name": name })).unwrap();
    made["experiment_id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
}

/// What an experiment shows. The ids of its traces are those of OTLP behind `tr-`.
fn ask(address: SocketAddr, experiment: &str) -> Answer {
    let location = json!({ "type": "MLFLOW_EXPERIMENT", "mlflow_experiment": { "experiment_id": experiment } });
    let query = json!({ "locations": [location], "max_results": 500 });
    let found = post(address, "/api/3.0/mlflow/traces/search", &query).unwrap();
    let traces = found["traces"].as_array().unwrap_or_else(|| panic!("{found}")).iter().map(|line| {
        let id = line["trace_id"].as_str().unwrap();
        let mut shown = Shown::default();
        let usage = line["trace_metadata"]["mlflow.trace.tokenUsage"].as_str();
        let usage = usage.map_or(Value::Null, |usage| serde_json::from_str(usage).unwrap());
        if let (Some(input), Some(output)) = (usage["input_tokens"].as_u64(), usage["output_tokens"].as_u64()) {
            shown.add_tokens(input, output);
        }
        let has = |key: &str| line[key].as_str().is_some_and(|text| !text.is_empty());
        Shown::add_content(&mut shown.listed, has("request_preview"), has("response_preview"));
        let trace = get(address, &format!("/api/3.0/mlflow/traces/get?trace_id={id}")).unwrap();
        let trace: Value = serde_json::from_slice(&trace.body).unwrap();
        for span in trace["trace"]["spans"].as_array().unwrap_or_else(|| panic!("{trace}")) {
            let attributes = span["attributes"].as_array().unwrap();
            let has = |key: &str| attributes.iter().any(|attribute| attribute["key"] == key);
            Shown::add_content(&mut shown.content, has("mlflow.spanInputs"), has("mlflow.spanOutputs"));
        }
        (id.trim_start_matches("tr-").to_owned(), shown)
    });
    traces.collect()
}

/// MLflow counts the outermost span that has a count, and an agent of Pydantic AI has one without
/// that of the agents which it calls.
const OUTERMOST: &str = "pydantic-ai-1.9.1-v1/nested_agents";

#[test]
fn shows_tokens_and_messages() {
    isolated("mlflow::shows_tokens_and_messages", || {
        let folder = tempfile::tempdir().unwrap();
        let (_mlflow, address) = start(&folder);
        let [direct, translated] = [Way::Direct, Way::Translated].map(|way| experiment(address, way.name()));
        let header = "x-mlflow-experiment-id";
        let mut dragoman = recorded::dragoman(Way::Translated, address, (header, &translated));
        let recordings = Recording::all();
        for recording in &recordings {
            recording.send(Way::Direct, address, &[(header, &direct)]);
            recording.send(Way::Translated, dragoman.http, &[]);
        }
        // It answers when it has stored.
        recorded::delivered(&mut dragoman, &recordings);
        let mut shown = Table::new();
        for (way, experiment) in [(Way::Direct, direct), (Way::Translated, translated)] {
            shown.extend(recorded::shown(&recordings, way, &ask(address, &experiment)));
        }
        println!("{}", recorded::table(&recordings, &shown));
        for recording in &recordings {
            let name = recording.name;
            let [direct, translated] = [Way::Direct, Way::Translated].map(|way| &shown[&(name, way)]);
            if name == OUTERMOST {
                assert_eq!(translated.tokens, direct.tokens, "{name}");
                continue;
            }
            recorded::assert_whole(recording, translated);
            if name.starts_with("openllmetry-0.16.6/") || name.starts_with("litellm-1.53.1/") {
                assert_eq!((direct.content, direct.listed), ((0, 0), (0, 0)), "{name}, without Dragoman");
                assert_eq!(translated.listed, (recording.calls, recording.calls), "{name}");
            }
            if name.starts_with("openllmetry-0.16.6/") || name.starts_with("traceloop-sdk-0.16.6/") {
                assert_eq!(direct.tokens, Some((0, 0)), "{name}, without Dragoman");
            }
        }
        recorded::check_page("mlflow", &recordings, &shown);
    });
}
