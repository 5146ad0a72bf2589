//! A real Phoenix shows recorded requests, sent directly and by way of Dragoman. Its GraphQL API
//! is what its own pages read.

use std::net::SocketAddr;
use std::process::Command;

use serde_json::{Value, json};

use crate::isolated::isolated;
use crate::process::{Running, free_port, get, http};
use crate::recorded::{self, Answer, PATIENCE, Recording, Table, Way};
use crate::tools;

/// What the page of a project shows of each span.
const SPANS: &str = "{ projects { edges { node { name spans(first: 1000) { edges { node { \
                     name spanKind tokenCountPrompt tokenCountCompletion attributes context { traceId } } } } } } } }";

fn start(folder: &tempfile::TempDir) -> (Running, SocketAddr) {
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let mut process = Running::start(
        "phoenix",
        Command::new(tools().join("phoenix/bin/phoenix"))
            .arg("serve")
            .env("PHOENIX_HOST", address.ip().to_string())
            .env("PHOENIX_PORT", address.port().to_string())
            .env("PHOENIX_GRPC_PORT", free_port().to_string())
            .env("PHOENIX_WORKING_DIR", folder.path())
            .env("PHOENIX_SQL_DATABASE_URL", format!("sqlite:///{}", folder.path().join("phoenix.db").display()))
            .env("PHOENIX_TELEMETRY_ENABLED", "false"),
    );
    process.wait_long_for("health", PATIENCE, |_| get(address, "/healthz").ok().filter(|answer| answer.status == 200));
    (process, address)
}

/// The spans of a project; none if there is no such project yet.
fn ask(address: SocketAddr, project: &str) -> Option<Vec<Value>> {
    let query = json!({ "query": SPANS }).to_string();
    let answer = http(address, "POST", "/graphql", &[("content-type", "application/json")], query.as_bytes()).ok()?;
    let answer: Value = serde_json::from_slice(&answer.body).ok()?;
    let projects = answer["data"]["projects"]["edges"].as_array()?;
    let project = projects.iter().find(|edge| edge["node"]["name"] == project)?;
    let spans = project["node"]["spans"]["edges"].as_array()?;
    Some(spans.iter().map(|edge| edge["node"].clone()).collect())
}

/// What it takes for a model call has token counts; messages are in its own words, OpenInference,
/// whatever came in.
fn answer(spans: &[Value]) -> Answer {
    let mut answer = Answer::new();
    for span in spans {
        let shown = answer.entry(span["context"]["traceId"].as_str().unwrap().to_owned()).or_default();
        if let (Some(input), Some(output)) = (span["tokenCountPrompt"].as_u64(), span["tokenCountCompletion"].as_u64())
        {
            shown.add_tokens(input, output);
        }
        shown.inputs += usize::from(messages(span, "input").is_some());
        shown.outputs += usize::from(messages(span, "output").is_some());
    }
    answer
}

/// The messages that a span shows.
fn messages(span: &Value, direction: &str) -> Option<Vec<Value>> {
    let attributes: Value = serde_json::from_str(span["attributes"].as_str().unwrap()).unwrap();
    let messages = attributes["llm"][format!("{direction}_messages")].as_array()?;
    Some(messages.iter().map(|message| message["message"].clone()).collect())
}

#[test]
fn shows_tokens_and_messages() {
    isolated("phoenix::shows_tokens_and_messages", || {
        let folder = tempfile::tempdir().unwrap();
        let (mut phoenix, address) = start(&folder);
        let dragoman = recorded::dragoman(&folder, address, "x-project-name: translated");
        let recordings = Recording::all();
        for recording in &recordings {
            recording.send(Way::Direct, address, &[("x-project-name", Way::Direct.name())]);
            recording.send(Way::Translated, dragoman.http, &[]);
        }
        // It answers before it has stored anything.
        let count: usize = recordings.iter().map(|recording| recording.spans).sum();
        let mut shown = Table::new();
        for way in Way::BOTH {
            let spans = phoenix.wait_long_for(&format!("{count} spans, {}", way.name()), PATIENCE, |_| {
                ask(address, way.name()).filter(|spans| spans.len() >= count)
            });
            shown.extend(recorded::shown(&recordings, way, &answer(&spans)));
        }
        recorded::check_page("phoenix", &recordings, &shown);
    });
}
