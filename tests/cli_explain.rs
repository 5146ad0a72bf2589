//! `dragoman explain`, the real program: every form of input, what it says to people and to tools,
//! and how it refuses.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod genai_support;
mod support;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use dragoman::otlp::{Signal, json};
use genai_support::{attributes, replace, translate};
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::Value;
use support::{cases, corpus, requests};

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dragoman"));
    command.arg("explain").args(arguments).env_remove("NO_COLOR");
    command
}

fn explain(arguments: &[&str]) -> Output {
    command(arguments).stdin(Stdio::null()).output().unwrap()
}

fn explain_stdin(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = command(arguments);
    let child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = child.spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || drop(pipe.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

fn said(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    assert_eq!(error, "");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty(), "half an answer came with the refusal");
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn codegemma() -> PathBuf {
    corpus().join("litellm-proxy-1.40.18/codegemma_seed/00.traces.pb")
}

fn bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

fn path_text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// What is said below the name of the input.
fn below_name(text: &str) -> &str {
    text.split_once('\n').unwrap().1
}

#[test]
fn a_litellm_span_is_told_key_by_key() {
    let text = said(&explain(&[path_text(&codegemma())]));
    for line in [
        "3 spans, 1 LLM operation: 1 translated to 1.41, 0 current already",
        "litellm_request → chat codegemma   INTERNAL → CLIENT",
        "dialect litellm: the scope is litellm",
        "\"False\" → gen_ai.request.stream = false",
        "ollama → gen_ai.provider.name",
        "discarded: the total is the sum of input and output",
        "gen_ai.operation.name  chat",
        "user       Write a Python function that adds two numbers",
        "assistant  def add(a, b):\\n    return a + b  (stop)",
        "13 keys: 12 said in the target's words, 0 kept, 1 discarded",
        "2 spans are no LLM operation and not touched; --all shows every span",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "colors without a terminal");
}

/// A guardrail is none of the conventions' operations: it is not said to speak their words.
#[test]
fn what_no_target_has_words_for_is_told_so() {
    let case = corpus().join("llama-stack-0.4.4/shield");
    let shields = requests_of(&case).iter().map(|file| said(&explain(&[path_text(file)]))).collect::<String>();
    let told = shields.split("run_shield").nth(1).unwrap();
    let told = told.split("  kept:").next().unwrap();
    assert!(told.contains("no target has words for what it is"), "{told}");
}

fn requests_of(case: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(case).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.to_string_lossy().ends_with(".traces.pb"));
    files.sort();
    files
}

#[test]
fn every_form_of_a_recording_says_the_same() {
    let file = codegemma();
    let request = bytes(&file);
    let expected = said(&explain(&[path_text(&file)]));
    let json_text = json::encode(Signal::Traces, &request).unwrap();
    let pretty = serde_json::to_string_pretty(&serde_json::from_str::<Value>(&json_text).unwrap()).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(json_text.as_bytes()).unwrap();
    let mut behind_length = u32::try_from(request.len()).unwrap().to_be_bytes().to_vec();
    behind_length.extend(&request);
    let forms: [(&str, Vec<u8>); 6] = [
        ("protobuf", request.clone()),
        ("JSON", json_text.clone().into_bytes()),
        ("JSON on many lines", pretty.into_bytes()),
        ("JSON behind a byte order mark", format!("\u{feff}{json_text}\n").into_bytes()),
        ("gzip", gzip.finish().unwrap()),
        ("messages behind their length", behind_length),
    ];
    for (form, input) in forms {
        for arguments in [&["-"][..], &[]] {
            let text = said(&explain_stdin(arguments, &input));
            assert!(text.starts_with("standard input\n"), "{form}");
            assert_eq!(below_name(&text), below_name(&expected), "{form}");
        }
    }
}

#[test]
fn a_document_a_line_with_other_signals_between() {
    let traces = json::encode(Signal::Traces, &bytes(&codegemma())).unwrap();
    let metrics = requests(&corpus().join("sqlite-app-openllmetry-0.49.6/rag_sqlite"), "metrics.pb").remove(0);
    let metrics = json::encode(Signal::Metrics, &metrics).unwrap();
    let text = said(&explain_stdin(&["-"], format!("{traces}\n{metrics}\n\n{traces}\n").as_bytes()));
    assert!(text.contains("6 spans, 2 LLM operations: 2 translated"), "{text}");
    assert!(text.contains("9 data points, 8 of LLM metrics"), "{text}");
}

#[test]
fn metrics_alone_are_named_as_such() {
    let case = corpus().join("sqlite-app-openllmetry-0.49.6/rag_sqlite");
    let file = case.join("00.metrics.pb");
    let text = said(&explain(&[path_text(&file)]));
    assert!(!text.contains("span") && text.contains("data points"), "{text}");
    let report: Value = serde_json::from_str(&said(&explain(&["--format", "json", path_text(&file)]))).unwrap();
    assert_eq!((&report["counts"]["spans"], &report["spans"]), (&Value::from(0), &Value::Array(Vec::new())));
    assert!(report["counts"]["data_points"].as_u64().unwrap() > 0);
}

#[test]
fn a_refusal_names_the_file_and_the_place() {
    let folder = tempfile::tempdir().unwrap();
    let refusal = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        let refusal = refused(&explain(&[path_text(&path)]));
        assert!(refusal.contains(path_text(&path)), "{refusal}");
        assert!(!refusal.contains("panicked"), "{refusal}");
        refusal
    };
    let traces = bytes(&codegemma());
    let at = |text: &str, what: &str| assert!(text.contains(what), "{what:?} is not in {text:?}");

    at(&refusal("text", b"hello there"), "is text, and no JSON\n  expected recorded OTLP of traces, metrics or logs");
    at(&refusal("binary", b"\x9f\x01\x02hello there"), "at byte 0");
    at(&refusal("empty", b""), "is empty");
    at(&refusal("other.json", b"{\"a\": 1}"), "holds no span");
    at(&refusal("cut.pb", &traces[..700]), "at byte 0: the message ends in the middle");
    let mut broken = traces.clone();
    let key = broken.windows(16).position(|window| window == b"llm.is_streaming").unwrap();
    broken[key] = 0xff;
    at(&refusal("utf8.pb", &broken), "span at byte 139: KeyValue.key is not valid UTF-8");
    let lines = b"{\"resourceSpans\":[]}\n\n{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":7}]}]}]}";
    at(&refusal("lines.json", lines), "line 3 (byte 76): resourceSpans[0].scopeSpans[0].spans[0].traceId");
    at(&refusal("half.json", b"{\"resourceSpans\": [\n{\"scopeSpans\": ["), "line 2");
    at(&refusal("bad.gz", &[0x1f, 0x8b, 8, 0, 1, 2, 3]), "gzip");
    at(&refusal("length.pb", &[0, 0, 1, 0, 7]), "byte 4: the message should have 256 bytes, and 1 are left");
    at(&refused(&explain(&["/nonexistent/traces.pb"])), "/nonexistent/traces.pb: cannot be opened");
}

#[test]
fn a_recording_beyond_the_limit_is_refused() {
    let zeros = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut zeros = zeros;
    for _ in 0..65 {
        zeros.write_all(&vec![b' '; 1 << 20]).unwrap();
    }
    assert!(refused(&explain_stdin(&["-"], &zeros.finish().unwrap())).contains("decompresses to more than the limit"));
}

/// The attributes and events of a span, by how often each is there.
fn source_keys(span: &Span) -> BTreeMap<(String, bool), usize> {
    let mut keys = BTreeMap::new();
    let attributes = span.attributes.iter().map(|entry| (entry.key.clone(), false));
    for key in attributes.chain(span.events.iter().map(|event| (event.name.clone(), true))) {
        *keys.entry(key).or_insert(0) += 1;
    }
    keys
}

#[test]
fn the_json_accounts_for_every_key_of_every_span() {
    let emitters = [
        "litellm-proxy-1.40.18",
        "app+litellm-proxy-1.65.8",
        "litellm-1.109.1",
        "openllmetry-0.49.6",
        "openllmetry-0.62.4-events",
        "traceloop-sdk-0.62.4",
        "openai-v2-2.4b0-content",
        "app-otel-0.66b1-default",
    ];
    let mut spans_seen = 0;
    for case in emitters.iter().flat_map(|emitter| cases(emitter)) {
        let files = std::fs::read_dir(&case).unwrap().map(|entry| entry.unwrap().path());
        for file in files.filter(|file| path_text(file).ends_with("traces.pb")) {
            let name = path_text(&file);
            let report: Value = serde_json::from_str(&said(&explain(&["--all", "--format", "json", name]))).unwrap();
            let body = bytes(&file);
            let (before, after) = (support::spans(&body), translate(&body, &replace()).spans);
            let reports = report["spans"].as_array().unwrap();
            assert_eq!((reports.len(), report["counts"]["spans"].as_u64()), (before.len(), Some(before.len() as u64)));
            for ((report, before), after) in reports.iter().zip(&before).zip(&after) {
                spans_seen += 1;
                account(report, before, after, name);
            }
        }
    }
    assert!(spans_seen > 200, "{spans_seen} spans are no test");
}

/// Equal but for the last bit of doubles, which this test reads back from text.
fn same(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => (one - other).abs() <= one.abs() * 1e-12,
        _ => one == other,
    }
}

/// Every key of `before` is in the report once, and what the report says of it is true of `after`.
fn account(report: &Value, before: &Span, after: &Span, name: &str) {
    assert_eq!(report["changed"], Value::Bool(before != after), "{name}");
    assert_eq!(
        (&report["name"]["before"], &report["name"]["after"]),
        (&before.name[..].into(), &after.name[..].into())
    );
    let keys = report["keys"].as_array().unwrap();
    let mut counted = BTreeMap::new();
    let is_event = |key: &Value| key["event"] == Value::Bool(true);
    for key in keys {
        *counted.entry((key["key"].as_str().unwrap().to_owned(), is_event(key))).or_insert(0) += 1;
        assert!(["expressed", "kept", "discarded"].contains(&key["outcome"].as_str().unwrap()), "{name}: {key}");
        assert_ne!(key["rule"], "", "{name}: {key}");
    }
    assert_eq!(counted, source_keys(before), "{name}");

    let values = attributes(after);
    for key in keys.iter().filter(|key| !is_event(key)) {
        let still = values.get(key["key"].as_str().unwrap());
        assert_eq!(still.is_none(), key["removed"] == Value::Bool(true), "{name}: {key}");
        if key["outcome"] == "kept" {
            assert!(same(still.unwrap(), &key["before"]), "{name}: {key}");
        }
        if let Some(to) = key["to"].as_str() {
            assert!(same(&values[to], &key["after"]), "{name}: {key}");
        }
    }
    // And nothing came from nowhere.
    for added in values.as_object().unwrap().keys() {
        let says =
            |key: &Value| key["says"].as_array().is_some_and(|says| says.iter().any(|said| said["key"] == **added));
        let from_key = keys.iter().any(|key| key["to"] == **added || key["key"] == **added || says(key));
        let said = report["added"].as_array().unwrap().iter().any(|entry| entry["key"] == **added);
        assert!(from_key || said, "{name}: {added} is not explained");
    }
}

#[test]
fn no_line_is_wider_than_a_hundred_columns() {
    for case in
        ["openllmetry-0.49.6", "app+litellm-proxy-1.65.8", "traceloop-sdk-0.62.4"].iter().flat_map(|one| cases(one))
    {
        for input in requests(&case, "traces.pb") {
            for line in said(&explain_stdin(&["--all", "-"], &input)).lines() {
                assert!(line.chars().count() <= 100, "{}: {line}", case.display());
            }
        }
    }
}

#[test]
fn foreign_text_cannot_speak_to_the_terminal() {
    let text = json::encode(Signal::Traces, &bytes(&codegemma())).unwrap();
    let hostile = text.replace("litellm_request", "\\u001b[2Jlitellm").replace("codegemma\"", "a\\nb\\u202ec\"");
    assert_ne!(hostile, text);
    let shown = said(&explain_stdin(&["--all", "-"], hostile.as_bytes()));
    assert!(!shown.contains(['\u{1b}', '\u{202e}']), "{shown}");
    assert!(shown.contains("\\u{1b}[2Jlitellm"), "{shown}");
}

#[test]
fn the_target_and_the_users_mappings_count() {
    let file = codegemma();
    let report = |arguments: &[&str]| -> Value {
        let mut all = vec!["--format", "json"];
        all.extend(arguments);
        all.push(path_text(&file));
        serde_json::from_str(&said(&explain(&all))).unwrap()
    };
    assert_eq!(report(&[])["target"], "1.41");
    assert_eq!(report(&["--target", "main"])["target"], "main");

    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("dragoman.yaml");
    let mapping = "{ key: llm.is_streaming, to: gen_ai.request.model }";
    let text = format!(
        "receivers: {{ otlp: {{ protocols: {{ grpc: {{}} }} }} }}\n\
         processors: {{ genai: {{ target: main, mappings: [{mapping}] }} }}\n\
         exporters: {{ debug: {{}} }}\n\
         service: {{ pipelines: {{ traces: {{ receivers: [otlp], processors: [genai], exporters: [debug] }} }} }}\n"
    );
    std::fs::write(&config, text).unwrap();
    let config = path_text(&config);
    let mapped = report(&["--config", config]);
    assert_eq!(mapped["target"], "main");
    let keys = mapped["spans"][0]["keys"].as_array().unwrap();
    let streaming = keys.iter().find(|key| key["key"] == "llm.is_streaming").unwrap();
    assert_eq!(streaming["dialect"], "user", "{streaming}");
    assert_eq!(report(&["--config", config, "--target", "1.41"])["target"], "1.41");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let file = corpus().join("sqlite-app-genai-openai-1.3b0/lc_langgraph_sqlite/01.traces.pb");
    let mut child = command(&["--all", "--format", "json", path_text(&file)]);
    let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}
