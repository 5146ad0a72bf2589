//! A real Jaeger gets translated traces over OTLP gRPC; its query API is what a person would see.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Command;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use serde_json::Value;

use crate::process::{Dragoman, Running, file, free_port, get, http};
use crate::support::{corpus, key_values, requests, spans};
use crate::tools;

pub(crate) struct Jaeger {
    _process: Running,
    _folder: tempfile::TempDir,
    pub(crate) otlp_grpc: SocketAddr,
    query: SocketAddr,
}

impl Jaeger {
    pub(crate) fn start() -> Jaeger {
        let folder = tempfile::tempdir().unwrap();
        let [grpc, http, health, query, query_grpc] =
            std::array::from_fn(|_| SocketAddr::from(([127, 0, 0, 1], free_port())));
        let config = format!(
            "service:\n  extensions: [jaeger_storage, jaeger_query, healthcheckv2]\n  \
             pipelines: {{ traces: {{ receivers: [otlp], exporters: [jaeger_storage_exporter] }} }}\n  \
             telemetry: {{ metrics: {{ level: none }} }}\nextensions:\n  \
             healthcheckv2: {{ use_v2: true, http: {{ endpoint: \"{health}\" }} }}\n  \
             jaeger_query: {{ storage: {{ traces: mem }}, grpc: {{ endpoint: \"{query_grpc}\" }}, http: {{ endpoint: \"{query}\" }} }}\n  \
             jaeger_storage: {{ backends: {{ mem: {{ memory: {{ max_traces: 10000 }} }} }} }}\n\
             receivers: {{ otlp: {{ protocols: {{ grpc: {{ endpoint: \"{grpc}\" }}, http: {{ endpoint: \"{http}\" }} }} }} }}\n\
             exporters: {{ jaeger_storage_exporter: {{ trace_storage: mem }} }}\n"
        );
        let config = file(&folder, "jaeger.yaml", &config);
        let binary = tools().join("bin/jaeger");
        let mut process = Running::start("jaeger", Command::new(binary).arg("--config").arg(config));
        process.wait_for("health", |_| get(health, "/status").ok().filter(|answer| answer.status == 200));
        Jaeger { _process: process, _folder: folder, otlp_grpc: grpc, query }
    }

    /// Whether it knows nothing of a trace.
    pub(crate) fn lacks(&self, id: &str) -> bool {
        get(self.query, &format!("/api/traces/{id}")).unwrap().status == 404
    }

    /// The spans of a trace, once there are `count` of them.
    pub(crate) fn trace(&mut self, id: &str, count: usize) -> Vec<Value> {
        self.trace_when(id, |spans| spans.len() >= count)
    }

    /// The spans of a trace, once they are what is waited for.
    pub(crate) fn trace_when(&mut self, id: &str, is_whole: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let query = self.query;
        self._process.wait_for(&format!("the spans of trace {id}"), |_| {
            let answer = get(query, &format!("/api/traces/{id}")).ok()?;
            let answer: Value = serde_json::from_slice(&answer.body).ok()?;
            let spans = answer["data"][0]["spans"].as_array()?.clone();
            is_whole(&spans).then_some(spans)
        })
    }
}

/// The tags of a span: key to (type, value).
pub(crate) fn tags(span: &Value) -> BTreeMap<String, (String, Value)> {
    let tags = span["tags"].as_array().unwrap();
    tags.iter()
        .map(|tag| (tag["key"].as_str().unwrap().into(), (tag["type"].as_str().unwrap().into(), tag["value"].clone())))
        .collect()
}

fn config(jaeger: &Jaeger) -> String {
    format!(
        "receivers:\n  otlp: {{ protocols: {{ grpc: {{ endpoint: 127.0.0.1:0 }}, http: {{ endpoint: 127.0.0.1:0 }} }} }}\n\
         processors:\n  genai:\n  drop/sqlite: {{ preset: sqlite }}\n\
         connectors:\n  genai_metrics:\n\
         exporters:\n  otlp_grpc/jaeger: {{ endpoint: \"{}\", tls: {{ insecure: true }} }}\n  prometheus: {{ endpoint: 127.0.0.1:0 }}\n\
         extensions:\n  health_check: {{ endpoint: 127.0.0.1:0 }}\n\
         service:\n  extensions: [health_check]\n  telemetry: {{ metrics: {{ address: 127.0.0.1:0 }} }}\n  pipelines:\n    \
         traces: {{ receivers: [otlp], processors: [genai, drop/sqlite], exporters: [otlp_grpc/jaeger, genai_metrics] }}\n    \
         metrics: {{ receivers: [genai_metrics], exporters: [prometheus] }}\n",
        jaeger.otlp_grpc
    )
}

fn post(dragoman: &Dragoman, body: &[u8]) {
    let headers = [("content-type", "application/x-protobuf")];
    let answer = http(dragoman.http, "POST", "/v1/traces", &headers, body).unwrap();
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_litellm_trace_arrives_in_current_words() {
    let mut jaeger = Jaeger::start();
    let folder = tempfile::tempdir().unwrap();
    let dragoman = Dragoman::start(&file(&folder, "dragoman.yaml", &config(&jaeger)));
    let case = corpus().join("litellm-proxy-1.40.18/codegemma_seed");
    let mut sent = Vec::new();
    for body in requests(&case, "traces.pb") {
        post(&dragoman, &body);
        sent.extend(spans(&body));
    }
    let trace = hex(&sent[0].trace_id);
    let received = jaeger.trace(&trace, sent.len());
    let call = received
        .iter()
        .find(|span| span["operationName"] == "chat codegemma")
        .unwrap_or_else(|| panic!("no span named after the call: {received:#?}"));
    let tags = tags(call);
    let tag = |key: &str| tags.get(key).map(|(kind, value)| (kind.as_str(), value.clone()));
    assert_eq!(tag("gen_ai.operation.name"), Some(("string", "chat".into())));
    assert_eq!(tag("gen_ai.provider.name"), Some(("string", "ollama".into())));
    assert_eq!(tag("gen_ai.usage.input_tokens"), Some(("int64", 19.into())));
    assert_eq!(tag("gen_ai.usage.output_tokens"), Some(("int64", 9.into())));
    assert_eq!(tag("span.kind"), Some(("string", "client".into())));
    for (key, _) in tags.iter() {
        assert!(!key.starts_with("SpanAttributes.") && !key.starts_with("llm.usage."), "{key} is of the old words");
    }
}

/// A request of spans of one trace: id, parent, name, whether it is sqlite.
fn request(trace: &[u8; 16], spans: &[(u8, u8, &str, bool)]) -> Vec<u8> {
    let id = |id: u8| if id == 0 { Vec::new() } else { vec![id; 8] };
    let mark = [("db.system", any_value::Value::StringValue("sqlite".into()))];
    let span = |&(span, parent, name, sqlite): &(u8, u8, &str, bool)| Span {
        trace_id: trace.to_vec(),
        span_id: id(span),
        parent_span_id: id(parent),
        name: name.into(),
        start_time_unix_nano: 1_760_000_000_000_000_000,
        end_time_unix_nano: 1_760_000_001_000_000_000,
        attributes: key_values(if sqlite { &mark } else { &[] }),
        ..Span::default()
    };
    let scope = ScopeSpans { spans: spans.iter().map(span).collect(), ..ScopeSpans::default() };
    let resource = ResourceSpans { scope_spans: vec![scope], ..ResourceSpans::default() };
    ExportTraceServiceRequest { resource_spans: vec![resource] }.encode_to_vec()
}

/// No recording has a kept span under a sqlite span, so this one is made: children in the same
/// request and in the next hang on the nearest span that was kept.
#[test]
fn children_of_dropped_spans_hang_on_their_nearest_kept_ancestor() {
    let mut jaeger = Jaeger::start();
    let folder = tempfile::tempdir().unwrap();
    let dragoman = Dragoman::start(&file(&folder, "dragoman.yaml", &config(&jaeger)));
    let trace = [0x7a; 16];
    let first = [(1, 0, "GET /", false), (2, 1, "connect", true), (3, 2, "SELECT", true), (4, 3, "GET /same", false)];
    post(&dragoman, &request(&trace, &first));
    post(&dragoman, &request(&trace, &[(5, 3, "GET /next", false)]));
    let mut shown: Vec<_> = jaeger
        .trace(&hex(&trace), 3)
        .iter()
        .map(|span| {
            let parents = span["references"].as_array().unwrap().iter();
            let parents: Vec<_> = parents.map(|parent| parent["spanID"].as_str().unwrap().to_owned()).collect();
            (span["operationName"].as_str().unwrap().to_owned(), parents)
        })
        .collect();
    shown.sort();
    let root = || vec!["01".repeat(8)];
    assert_eq!(shown, [("GET /".into(), vec![]), ("GET /next".into(), root()), ("GET /same".into(), root())]);
}
