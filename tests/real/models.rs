//! Every message, instruction, tool definition and document that the corpus becomes is read by the
//! models that Phoenix generated from the conventions' JSON schemas: a judge that was not written
//! here. What they refuse, Phoenix does not show.

use std::fs::File;
use std::process::Command;

use dragoman::genai::settings::Target;
use serde_json::{Value, json};

use crate::process::file;
use crate::support::{replay, spans, text, translated};
use crate::tools;

const KEYS: [&str; 5] = [
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.tool.definitions",
    "gen_ai.retrieval.documents",
];

/// Whether a recording leaves a value no way to be of the published shape; why stands in the table, of which
/// `tests/conformance.rs` says that each row is needed.
fn is_excepted(case: &str, key: &str) -> bool {
    let mut rows = include_str!("../expected/exceptions.tsv").lines().filter(|line| !line.starts_with('#'));
    rows.any(|row| {
        let columns: Vec<&str> = row.split('\t').collect();
        matches!(columns[..], [beginning, "shape", of, _] if case.starts_with(beginning) && of == key)
    })
}

#[test]
fn every_translated_value_is_of_the_published_shape() {
    let mut lines = String::new();
    let mut expected = serde_json::Map::new();
    for emitter in replay::emitters() {
        for case in replay::cases(&emitter) {
            for request in &case.requests {
                let (body, _) = translated::translate(request, Target::V1_41);
                for span in spans(&body) {
                    for (key, value) in KEYS.iter().filter_map(|key| Some((key, text(&span.attributes, key)?))) {
                        let name = format!("{emitter}/{}", case.name);
                        if is_excepted(&name, key) {
                            continue;
                        }
                        let place = format!("{name}: {}", span.name);
                        lines.push_str(&json!({ "where": place, "key": key, "value": value }).to_string());
                        lines.push('\n');
                        let count = expected.entry(*key).or_insert(json!(0));
                        *count = json!(count.as_u64().unwrap() + 1);
                    }
                }
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let input = File::open(file(&folder, "values.ndjson", &lines)).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/read_messages.py");
    let output = Command::new(tools().join("phoenix/bin/python")).arg(script).stdin(input).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let (refused, read) = said.trim_end().rsplit_once('\n').unwrap_or(("", said.trim_end()));
    let first: Vec<&str> = refused.lines().take(20).collect();
    assert!(first.is_empty(), "{} refused, such as\n{}", refused.lines().count(), first.join("\n"));
    let read: Value = serde_json::from_str(read).unwrap();
    assert_eq!(read, Value::Object(expected), "every one was read");
    assert!(KEYS.iter().all(|key| read[key].as_u64() > Some(0)), "the corpus has each kind: {read}");
}
