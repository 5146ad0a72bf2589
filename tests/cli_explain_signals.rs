//! `dragoman explain`, the real program, on log records and metrics, and on what stages behind the
//! translation do: what it says is held against what comes out.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod genai_support;
mod support;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use bytes::Bytes;
use dragoman::genai::Translator;
use dragoman::genai::log::Records;
use dragoman::genai::metric;
use dragoman::genai::metric::translate::Said;
use dragoman::otlp::log_record::LogRecord as RecordView;
use dragoman::otlp::metrics::Metric as MetricView;
use dragoman::otlp::{Signal, json, logs, metrics};
use genai_support::{json_object, keep, main, replace};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::Message;
use serde_json::{Value, json};
use support::{cases, corpus};

/// What is said with these arguments about this input.
fn explain(arguments: &[&str], input: &[u8]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dragoman"));
    command.arg("explain").args(arguments).env_remove("NO_COLOR");
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || drop(pipe.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
    String::from_utf8(output.stdout).unwrap()
}

fn report(arguments: &[&str], input: &[u8]) -> Value {
    let all = [&["--all", "--format", "json"], arguments].concat();
    serde_json::from_str(&explain(&all, input)).unwrap()
}

fn recorded(path: &str) -> Vec<u8> {
    std::fs::read(corpus().join(path)).unwrap()
}

/// The recorded requests of a signal, of these emitters.
fn files(emitters: &[&str], suffix: &str) -> Vec<PathBuf> {
    let folders = emitters.iter().flat_map(|emitter| cases(emitter));
    let files = folders.flat_map(|case| std::fs::read_dir(case).unwrap().map(|entry| entry.unwrap().path()));
    let mut files: Vec<PathBuf> = files.filter(|file| file.to_string_lossy().ends_with(suffix)).collect();
    files.sort();
    files
}

/// A configuration that does nothing but translate, in a folder of its own.
fn translating(settings: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = "{ receivers: [otlp], processors: [genai], exporters: [debug] }";
    let text = format!(
        "receivers: {{ otlp: {{ protocols: {{ grpc: {{}} }} }} }}\n\
         processors: {{ genai: {settings} }}\n\
         exporters: {{ debug: {{}} }}\n\
         service: {{ pipelines: {{ traces: {pipeline}, metrics: {pipeline}, logs: {pipeline} }} }}\n"
    );
    let file = folder.path().join("dragoman.yaml");
    std::fs::write(&file, text).unwrap();
    let name = file.to_str().unwrap().to_owned();
    (folder, name)
}

/// The attributes that an item has in the end, if what is said of it is all.
fn told(item: &Value) -> Value {
    let mut after = BTreeMap::new();
    for key in item["keys"].as_array().unwrap() {
        let (name, to) = (key["key"].as_str().unwrap(), key["to"].as_str());
        if key["removed"] == json!(false) {
            let value = if to == Some(name) { &key["after"] } else { &key["before"] };
            after.entry(name.to_owned()).or_insert(value.clone());
        }
        let says = key["says"].as_array().cloned().unwrap_or_default();
        for said in says {
            after.insert(said["key"].as_str().unwrap().to_owned(), said["value"].clone());
        }
        // What was said on another record is that one's.
        if let (Some(to), Some(value)) = (to.filter(|to| *to != name), key.get("after")) {
            after.insert(to.to_owned(), value.clone());
        }
    }
    for added in item["added"].as_array().unwrap() {
        after.insert(added["key"].as_str().unwrap().to_owned(), added["value"].clone());
    }
    serde_json::to_value(after).unwrap()
}

/// Doubles are read back from text here, and may lose their last bit.
fn rounded(value: &Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => json!(format!("{:.9e}", number.as_f64().unwrap())),
        Value::Array(values) => values.iter().map(rounded).collect(),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(key, value)| (key.clone(), rounded(value))).collect())
        }
        other => other.clone(),
    }
}

fn log_records(body: &[u8]) -> Vec<LogRecord> {
    let request = ExportLogsServiceRequest::decode(body).unwrap();
    let scopes = request.resource_logs.into_iter().flat_map(|resource| resource.scope_logs);
    scopes.flat_map(|scope| scope.log_records).collect()
}

/// The request as the translation leaves it.
fn translated_logs(body: &Bytes, settings: &dragoman::genai::settings::Genai) -> Vec<LogRecord> {
    struct All<'t>(&'t Bytes, Records<'t>, dragoman::genai::Tally);
    impl logs::Visitor for All<'_> {
        fn log_record(&mut self, record: &mut RecordView<'_>, origin: &logs::Origin<'_>) {
            self.1.translate(record, origin, self.0, &mut self.2);
        }
    }
    let translator = Translator::new(settings);
    let mut all = All(body, Records::new(&translator), translator.tally());
    log_records(&logs::edit(body, &mut all).unwrap().body)
}

const LOG_EMITTERS: [&str; 9] = [
    "openai-v2-2.0b0",
    "openai-v2-2.4b0-content",
    "genai-openai-1.3b0-spanandevent",
    "dual-openllmetry-openai-0.49.6+openai-v2-2.4b0",
    "agent-framework-1.23.0",
    "google-adk-2.13.0",
    "litellm-1.109.1-optin",
    "openllmetry-0.62.4-events",
    "llama-stack-0.2.23",
];

#[test]
fn the_json_accounts_for_every_key_of_every_log_record() {
    let (mut seen, mut folded, mut moved) = (0, 0, 0);
    for (settings, name) in [(replace(), "{}"), (keep(), "{ originals: keep }"), (main(), "{ target: main }")] {
        let (_folder, config) = translating(name);
        for file in files(&LOG_EMITTERS, ".logs.pb") {
            let body = Bytes::from(std::fs::read(&file).unwrap());
            let report = report(&["--config", &config], &body);
            let (before, mut after) = (log_records(&body), translated_logs(&body, &settings).into_iter());
            let reports = report["log_records"].as_array().unwrap();
            assert_eq!((reports.len(), &report["counts"]["log_records"]), (before.len(), &json!(before.len())));
            for (report, before) in reports.iter().zip(&before) {
                seen += 1;
                let what = format!("{} under {name}: {report}", file.display());
                let keys = report["keys"].as_array().unwrap();
                assert_eq!(keys.len(), before.attributes.len(), "{what}");
                for key in keys.iter().chain(report.get("body")) {
                    assert!(["expressed", "kept", "discarded"].contains(&key["outcome"].as_str().unwrap()), "{what}");
                    assert!(key["outcome"] == "expressed" || !key["reason"].as_str().unwrap().is_empty(), "{what}");
                    assert_ne!(key["rule"], "", "{what}");
                }
                if report.get("dropped").is_some() {
                    folded += 1;
                    assert_eq!(report["dropped"], json!({"stage": "genai", "reason": "folded"}), "{what}");
                    let carrier = report["carried_by"].as_u64().unwrap();
                    let carrier = reports.iter().find(|other| other["number"] == json!(carrier)).unwrap();
                    assert!(carrier["carries"].as_array().unwrap().contains(&report["number"]), "{what}");
                    assert!(keys.iter().all(|key| key["outcome"] == "expressed"), "{what}");
                    continue;
                }
                let after = after.next().unwrap();
                assert_eq!(rounded(&told(report)), rounded(&json_object(&after.attributes)), "{what}");
                assert_eq!(report["changed"], json!(after != *before), "{what}");
                let has_body = |record: &LogRecord| record.body.as_ref().is_some_and(|body| body.value.is_some());
                let body = report.get("body");
                assert!(body.is_some() || !has_body(before), "{what}");
                if let Some(body) = body {
                    assert_eq!(body["removed"], json!(!has_body(&after)), "{what}");
                    moved += usize::from(body["removed"] == json!(true));
                }
            }
            assert!(after.next().is_none(), "{}", file.display());
        }
    }
    assert!(seen > 300 && folded > 60 && moved > 60, "{seen} records, {folded} folded, {moved} bodies are no test");
}

/// Every data point of a request: the metric's name and unit, and its attributes.
fn points(body: &[u8]) -> Vec<(String, String, Value)> {
    let request = ExportMetricsServiceRequest::decode(body).unwrap();
    let scopes = request.resource_metrics.into_iter().flat_map(|resource| resource.scope_metrics);
    let mut found = Vec::new();
    for metric in scopes.flat_map(|scope| scope.metrics) {
        let attributes: Vec<Vec<KeyValue>> = match metric.data {
            Some(Data::Gauge(gauge)) => gauge.data_points.into_iter().map(|point| point.attributes).collect(),
            Some(Data::Sum(sum)) => sum.data_points.into_iter().map(|point| point.attributes).collect(),
            Some(Data::Histogram(of)) => of.data_points.into_iter().map(|point| point.attributes).collect(),
            Some(Data::ExponentialHistogram(of)) => of.data_points.into_iter().map(|point| point.attributes).collect(),
            Some(Data::Summary(of)) => of.data_points.into_iter().map(|point| point.attributes).collect(),
            None => Vec::new(),
        };
        let one =
            |attributes: Vec<KeyValue>| (metric.name.clone(), metric.unit.clone(), rounded(&json_object(&attributes)));
        found.extend(attributes.into_iter().map(one));
    }
    found
}

/// The request as the translation leaves it.
fn translated_metrics(body: &Bytes, settings: &dragoman::genai::settings::Genai) -> Bytes {
    struct All<'t>(&'t Bytes, metric::Translator, Said, metric::Fates);
    impl metrics::Visitor for All<'_> {
        fn metric(&mut self, metric: &mut MetricView<'_>, origin: &metrics::Origin<'_>) {
            self.1.translate(metric, origin, (self.0, &mut self.2), &mut self.3, None);
        }
    }
    let translator = metric::Translator::new(settings.target, settings.originals);
    let mut all = All(body, translator, Said::default(), metric::Fates::default());
    metrics::edit(body, &mut all).unwrap().body
}

fn sorted(mut points: Vec<(String, String, Value)>) -> Vec<String> {
    let mut texts: Vec<String> = points.drain(..).map(|point| format!("{point:?}")).collect();
    texts.sort();
    texts
}

#[test]
fn the_json_accounts_for_every_data_point() {
    let emitters = [
        "litellm-1.80.17-metrics-events",
        "openllmetry-0.16.6",
        "openllmetry-0.40.9",
        "openllmetry-0.62.4",
        "llama-stack-0.2.23",
        "llama-stack-0.7.3",
        "openlit-1.22.5",
        "openai-v2-2.4b0",
        "pydantic-ai-2.68.0-v6",
        "semantic-kernel-1.45.0",
    ];
    let (mut seen, mut moved) = (0, 0);
    for (settings, name) in [(replace(), "{}"), (keep(), "{ originals: keep }"), (main(), "{ target: main }")] {
        let (_folder, config) = translating(name);
        for file in files(&emitters, ".metrics.pb") {
            let body = Bytes::from(std::fs::read(&file).unwrap());
            let report = report(&["--config", &config], &body);
            let mut after = Vec::new();
            for metric in report["metrics"].as_array().unwrap() {
                for point in metric["points"].as_array().unwrap() {
                    seen += 1;
                    let what = format!("{} under {name}: {point}", file.display());
                    assert_eq!(point["name"]["before"], metric["name"], "{what}");
                    moved += usize::from(point["name"]["before"] != point["name"]["after"]);
                    assert_eq!(metric["known"], json!(point.get("dialect").is_some()), "{what}");
                    assert!(point["outcome"] == "expressed" || !point["reason"].as_str().unwrap().is_empty(), "{what}");
                    let of = |what: &str| point[what]["after"].as_str().unwrap().to_owned();
                    if point.get("dropped").is_none() {
                        after.push((of("name"), of("unit"), rounded(&told(point))));
                    }
                }
            }
            assert_eq!(report["counts"]["data_points"], json!(points(&body).len()), "{}", file.display());
            assert_eq!(sorted(after), sorted(points(&translated_metrics(&body, &settings))), "{}", file.display());
        }
    }
    assert!(seen > 500 && moved > 50, "{seen} points, {moved} of them moved, are no test");
}

/// Every line is there, in this order.
fn assert_lines(text: &str, lines: &[&str]) {
    let mut rest = text;
    for line in lines {
        let Some((_, behind)) = rest.split_once(line) else { panic!("{line:?} is not in its place in\n{text}") };
        rest = behind;
    }
}

#[test]
fn the_events_of_a_call_are_told_as_one() {
    let text = explain(&["-"], &recorded("openllmetry-0.62.4-events/tools/00.logs.pb"));
    assert_lines(
        &text,
        &[
            "6 log records, 6 events of LLM calls: 6 translated to 1.41, 0 as they came",
            "through pipeline logs: genai",
            "2  gen_ai.choice → gen_ai.client.inference.operation.details",
            "dialect openllmetry: the scope begins with opentelemetry.instrumentation.",
            "this record carries the call now",
            "1 other record goes into it: gen_ai.user.message",
            "→ gen_ai.output.messages",
            "user       What is the weather in Paris?",
            "assistant  tool_call get_weather({\"city\":\"Paris\"})  (tool_call)",
            "3 other records go into it: gen_ai.user.message, gen_ai.assistant.message, gen_ai.tool.message",
            "nothing is counted of log records",
            "4 log records dropped by genai: the record that carries their call says all that they said (folded)",
            "gen_ai.user.message 2 · gen_ai.assistant.message · gen_ai.tool.message",
        ],
    );
}

#[test]
fn metrics_are_told_once_for_all_points_with_one_fate() {
    let request = recorded("litellm-1.80.17-metrics-events/chat/00.metrics.pb");
    let text = explain(&["-"], &request);
    assert_lines(
        &text,
        &[
            "5 data points, 5 of LLM metrics: 5 translated to 1.41, 0 as they came",
            "2  gen_ai.client.token.usage   histogram, unit {token}",
            "dialect litellm: the scope begins with litellm",
            "= 2 points stay under their name, which is the target's",
            "says 17 in 1 measurement, 9 in 1 measurement",
            "gen_ai.system  openai → gen_ai.provider.name",
            "gen_ai.token.type      input, output",
            "3  gen_ai.client.token.cost   histogram, unit USD",
            "· 1 point stays under its name: the target has no words for it",
            "an application's own metrics are passed on, not counted again",
        ],
    );
    // What an application exports every minute is told once.
    let line = json::encode(Signal::Metrics, &request).unwrap();
    let again = explain(&["-"], format!("{line}\n{line}\n{line}\n").as_bytes());
    assert_eq!(again.matches("gen_ai.client.token.cost").count(), 1, "{again}");
    assert!(again.contains("6 data points in 3 requests"), "{again}");
    assert!(again.contains("= 6 points stay under their name"), "{again}");
}

#[test]
fn a_point_goes_to_the_targets_metric() {
    let text = explain(&["--target", "main", "-"], &recorded("openllmetry-0.16.6/anthropic_cache/00.metrics.pb"));
    assert_lines(
        &text,
        &[
            "4 data points, 4 of LLM metrics: 3 translated to main, 1 as they came",
            "llm.anthropic.completion.duration   histogram, unit s",
            "dialect openllmetry: the metric is called llm.anthropic.completion.duration",
            "→ 1 point goes to gen_ai.client.inference.duration",
            "+ added: what the metric's name says, or the target asks for",
            "gen_ai.provider.name   anthropic",
            "→ 1 point goes to gen_ai.client.inference.usage.input_tokens, unit token → {token}",
            "llm.usage.token_type  prompt → gen_ai.token.type",
        ],
    );
}

#[test]
fn llama_stacks_metrics_have_the_dialect_of_its_spans() {
    let report = report(&[], &recorded("llama-stack-0.2.23/shutdown/00.metrics.pb"));
    let dialects = report["metrics"].as_array().unwrap().iter().flat_map(|metric| metric["points"].as_array().unwrap());
    let dialects: Vec<&Value> = dialects.filter_map(|point| point.get("dialect")).collect();
    assert!(dialects.contains(&&json!("llama-stack")), "{dialects:?}");
}

#[test]
fn chunks_are_one_line_and_what_is_counted_is_said() {
    let request = recorded("app+litellm-proxy-1.65.8/app_stream/01.traces.pb");
    let text = explain(&["-"], &request);
    assert_lines(
        &text,
        &[
            "counted: 16 input tokens, 14 output tokens, duration 0.071 s",
            "✗ discarded: a chunk of a stream, which is counted and goes",
            "event gen_ai.content.completion.chunk  {} (12 times)",
            "gen_ai.openai.api_base  http://127.0.0.1:14000/v1/",
            "→ server.address = 127.0.0.1",
            "+ added by fold_chunks",
            "dragoman.response.chunks  12",
        ],
    );
    assert_eq!(text.matches("completion.chunk").count(), 1);
    // Twelve of one name are one line also where each says something else and no stage takes them.
    let (_folder, config) = translating("{}");
    let mlflow = explain(&["--config", &config, "-"], &recorded("mlflow-3.17.2/chat_stream/00.traces.pb"));
    assert!(mlflow.contains("event mlflow.chunk.item.N"), "{mlflow}");
    assert!(!mlflow.contains("event mlflow.chunk.item.0"), "{mlflow}");

    // The same once more is a re-export.
    let line = json::encode(Signal::Traces, &request).unwrap();
    let report = report(&[], format!("{line}\n{line}\n").as_bytes());
    let counted = |number: usize| &report["spans"][number]["counted"];
    assert_eq!((&counted(0)["input_tokens"], counted(0).get("reason")), (&json!(16), None));
    assert_eq!((counted(1).get("input_tokens"), &counted(1)["reason"]), (None, &json!("re_export")));
    assert_eq!(counted(1)["because"], "the same span came before");
}

#[test]
fn dropped_spans_are_named_with_their_stage() {
    let request = recorded("app-otel-0.66b1-default/chat_mixed/00.traces.pb");
    let text = explain(&["-"], &request);
    assert!(text.contains(" spans dropped by drop/sqlite: a rule of it matches (rule)"), "{text}");
    let report = report(&[], &request);
    let dropped: Vec<&Value> =
        report["spans"].as_array().unwrap().iter().filter(|span| span["dropped"]["stage"] == "drop/sqlite").collect();
    let is_sqlite = |span: &&&Value| {
        let keys = span["keys"].as_array().unwrap();
        keys.iter().any(|key| {
            ["db.system", "db.system.name"].iter().any(|name| key["key"] == *name) && key["before"] == "sqlite"
        })
    };
    assert!(dropped.len() > 3 && dropped.iter().all(|span| is_sqlite(&span)), "{dropped:?}");
    let summed: u64 = report["dropped"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|of| of["stage"] == "drop/sqlite")
        .map(|of| of["items"].as_u64().unwrap())
        .sum();
    assert_eq!(summed as usize, dropped.len());
    // No span that stays points at one that goes.
    let gone: Vec<&Value> = report["spans"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|span| span.get("dropped").is_some())
        .map(|span| &span["span_id"])
        .collect();
    for span in report["spans"].as_array().unwrap().iter().filter(|span| span.get("dropped").is_none()) {
        let parent = span.get("new_parent_span_id").unwrap_or(&span["parent_span_id"]);
        assert!(!gone.contains(&parent), "{span}");
    }
}

/// A Collector's file of all signals: the metrics that are derived from the spans before them go.
#[test]
fn what_one_signal_says_counts_for_the_next() {
    let case = "openai-v2-2.4b0/chat";
    let line = |signal, name: &str| json::encode(signal, &recorded(&format!("{case}/{name}"))).unwrap();
    let (traces, metrics) = (line(Signal::Traces, "02.traces.pb"), line(Signal::Metrics, "01.metrics.pb"));
    let text = explain(&["-"], format!("{traces}\n{metrics}\n").as_bytes());
    assert_lines(&text, &["1 span, 1 LLM operation", "3 data points", "counted: 17 input tokens, 9 output tokens"]);
    assert!(text.contains("✗ 2 points dropped by genai: the metric of this name is derived"), "{text}");
    let alone = explain(&["-"], format!("{metrics}\n{traces}\n").as_bytes());
    assert!(alone.contains("= 2 points stay under their name"), "{alone}");
}

#[test]
fn a_signal_without_a_pipeline_is_told_so() {
    let config = "yaml:{receivers: {otlp: {protocols: {grpc: {}}}}, processors: {genai: {}}, exporters: {debug: {}}, \
        service: {pipelines: {traces: {receivers: [otlp], processors: [genai], exporters: [debug]}}}}";
    let text = explain(&["--config", config, "-"], &recorded("openai-v2-2.4b0-content/chat/00.logs.pb"));
    assert!(text.contains("the configuration has no pipeline of logs: requests of them are refused"), "{text}");
    let text = explain(&["--config", config, "-"], &recorded("openai-v2-2.4b0/chat/02.traces.pb"));
    assert!(text.contains("not counted: its pipeline feeds no genai_metrics connector"), "{text}");
}

#[test]
fn every_form_of_every_signal_is_recognised() {
    let forms: [(Signal, &str); 2] = [
        (Signal::Logs, "openai-v2-2.4b0-content/chat/00.logs.pb"),
        (Signal::Metrics, "litellm-1.80.17-metrics-events/chat/00.metrics.pb"),
    ];
    for (signal, path) in forms {
        let request = recorded(path);
        let expected = explain(&["-"], &request);
        let line = json::encode(signal, &request).unwrap();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(line.as_bytes()).unwrap();
        let mut behind_length = u32::try_from(request.len()).unwrap().to_be_bytes().to_vec();
        behind_length.extend(&request);
        let zstd = zstd::encode_all(&request[..], 1).unwrap();
        for input in [line.into_bytes(), gzip.finish().unwrap(), behind_length, zstd] {
            assert_eq!(explain(&["-"], &input), expected, "{path}");
        }
    }
}

/// All that was ever recorded is taken for what it is, and told within a hundred columns.
#[test]
fn every_recorded_request_is_of_its_signal() {
    let mut seen = 0;
    for emitter in [
        "litellm-1.80.17-metrics-events",
        "openlit-1.45.0",
        "llama-stack-0.7.3",
        "openllmetry-0.62.4-events",
        "google-adk-2.13.0",
    ] {
        for (suffix, count, others) in [
            (".logs.pb", "log_records", ["spans", "data_points"]),
            (".metrics.pb", "data_points", ["spans", "log_records"]),
            (".traces.pb", "spans", ["log_records", "data_points"]),
        ] {
            for file in files(&[emitter], suffix) {
                seen += 1;
                let input = std::fs::read(&file).unwrap();
                let report = report(&[], &input);
                let counts = &report["counts"];
                assert!(counts[count].as_u64().unwrap() > 0, "{}: {counts}", file.display());
                assert!(others.iter().all(|other| counts[*other] == json!(0)), "{}: {counts}", file.display());
                for line in explain(&["--all", "-"], &input).lines() {
                    assert!(line.chars().count() <= 100, "{}: {line}", file.display());
                }
            }
        }
    }
    assert!(seen > 60, "{seen} requests are no test");
}

#[test]
fn foreign_text_of_any_signal_cannot_speak_to_the_terminal() {
    for (signal, path, word) in [
        (Signal::Logs, "openai-v2-2.4b0-content/chat/00.logs.pb", "opentelemetry.instrumentation.openai_v2"),
        (Signal::Logs, "openai-v2-2.4b0-content/chat/00.logs.pb", "gen_ai.system"),
        (Signal::Metrics, "litellm-1.80.17-metrics-events/chat/00.metrics.pb", "gen_ai.client.token.cost"),
        (Signal::Metrics, "litellm-1.80.17-metrics-events/chat/00.metrics.pb", "metadata.applied_guardrails"),
    ] {
        let text = json::encode(signal, &recorded(path)).unwrap();
        let hostile = text.replace(word, &format!("{word}\\u001b[2J\\u202e"));
        assert_ne!(hostile, text);
        let shown = explain(&["--all", "-"], hostile.as_bytes());
        assert!(!shown.contains(['\u{1b}', '\u{202e}']) && shown.contains("\\u{1b}[2J"), "{word}: {shown}");
    }
}
