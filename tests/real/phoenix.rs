//! A real Phoenix shows recorded requests, sent directly and by way of Dragoman. Its GraphQL API
//! is what its own pages read.

use std::net::SocketAddr;
use std::process::Command;

use serde_json::{Value, json};

use crate::isolated::isolated;
use crate::process::{Running, free_port, get, http};
use crate::recorded::{self, Answer, PATIENCE, Recording, Shown, Table, Way};
use crate::tools;

/// What the page of a project shows of each span.
const SPANS: &str = "{ projects { edges { node { name spans(first: 1000) { edges { node { \
                     tokenCountPrompt tokenCountCompletion attributes input { value } output { value } parentId \
                     context { traceId } } } } } } } }";

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
        let has = |direction| messages(span, direction).is_some();
        Shown::add_content(&mut shown.content, has("input"), has("output"));
        if span["parentId"].as_str().is_none_or(str::is_empty) {
            let has = |direction: &str| span[direction]["value"].is_string();
            Shown::add_content(&mut shown.listed, has("input"), has("output"));
        }
    }
    answer
}

/// The messages that a span shows.
fn messages(span: &Value, direction: &str) -> Option<Vec<Value>> {
    let attributes: Value = serde_json::from_str(span["attributes"].as_str().unwrap()).unwrap();
    let messages = attributes["llm"][format!("{direction}_messages")].as_array()?;
    Some(messages.iter().map(|message| message["message"].clone()).collect())
}

/// Emitters of which Phoenix, without Dragoman, shows no messages, and these tokens.
const BLANK: [(&str, Option<(u64, u64)>); 5] = [
    ("litellm-1.53.1/", Some((0, 0))),
    ("litellm-proxy-1.40.18/", Some((0, 0))),
    ("openllmetry-0.16.6/", None),
    ("traceloop-sdk-0.16.6/", None),
    ("openllmetry-0.49.6/chat", Some((17, 9))),
];

#[test]
fn shows_tokens_and_messages() {
    isolated("phoenix::shows_tokens_and_messages", || {
        let folder = tempfile::tempdir().unwrap();
        let (mut phoenix, address) = start(&folder);
        let header = |way: Way| ("x-project-name", way.name());
        let [translate, keep] = [Way::Translated, Way::Kept].map(|way| recorded::dragoman(way, address, header(way)));
        let recordings = Recording::all();
        for recording in &recordings {
            recording.send(Way::Direct, address, &[header(Way::Direct)]);
            recording.send(Way::Translated, translate.http, &[]);
            recording.send(Way::Kept, keep.http, &[]);
        }
        // It answers before it has stored anything.
        let count: usize = recordings.iter().map(|recording| recording.spans).sum();
        let mut shown = Table::new();
        for way in Way::ALL {
            let spans = phoenix.wait_long_for(&format!("{count} spans, {}", way.name()), PATIENCE, |_| {
                ask(address, way.name()).filter(|spans| spans.len() >= count)
            });
            assert_eq!(spans.len(), count, "{}", way.name());
            if way == Way::Translated {
                let says = |direction: &str, role: &str, content: &str| {
                    let is = |message: &Value| message["role"] == role && message["content"] == content;
                    let said =
                        spans.iter().filter_map(|span| messages(span, direction)).flatten().any(|said| is(&said));
                    assert!(said, "no {direction} message {content:?} in {spans:#?}");
                };
                says("input", "user", "Write a Python function that adds two numbers");
                says("output", "assistant", "def add(a, b):\n    return a + b");
            }
            shown.extend(recorded::shown(&recordings, way, &answer(&spans)));
        }
        println!("{}", recorded::table(&recordings, &shown));
        for (prefix, tokens) in BLANK {
            let blank: Vec<_> = recordings.iter().filter(|recording| recording.name.starts_with(prefix)).collect();
            assert!(!blank.is_empty(), "{prefix}");
            for recording in blank {
                let direct = &shown[&(recording.name, Way::Direct)];
                assert_eq!((direct.tokens, direct.content), (tokens, (0, 0)), "{}, without Dragoman", recording.name);
            }
        }
        for recording in &recordings {
            let [direct, translated, kept] = Way::ALL.map(|way| &shown[&(recording.name, way)]);
            recorded::assert_whole(recording, translated);
            recorded::assert_whole(recording, kept);
            assert!(kept.listed.0 >= direct.listed.0 && kept.listed.1 >= direct.listed.1, "{}", recording.name);
        }
        recorded::check_page("phoenix", &recordings, &shown);
    });
}
