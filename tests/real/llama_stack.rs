//! Whole recorded Llama Stack servers, from 0.2.23 to 0.7.3, through the configuration of the Collector in
//! their telemetry set-up and the lines that `validate` says to add to it, into a real Jaeger and a real
//! Prometheus: what the set-up's panels ask has the right answer, and no trace has noise or orphans.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{HistogramDataPoint, Metric, NumberDataPoint, number_data_point};
use prost::Message;
use serde_json::Value;

use crate::jaeger::{Jaeger, hex};
use crate::process::{Dragoman, file, http};
use crate::scraper::{Sample, Scraper};
use crate::support::{cases, requests, spans, text};

/// A recorded server.
struct Server {
    emitter: &'static str,
    /// `exporters.prometheus.namespace`: the set-up changed it with the project's name.
    namespace: &'static str,
    /// Its HTTP histogram on the page, and how many of its units are a second.
    http: (&'static str, &'static str),
    /// Whether its spans say what models were called for.
    calls: bool,
    /// Spans of shields and of tools.
    shields: f64,
    tools: f64,
}

const MILLISECONDS: (&str, &str) = ("http.server.duration", "http_server_duration_milliseconds");
const SECONDS: (&str, &str) = ("http.server.request.duration", "http_server_request_duration_seconds");

const SERVERS: [Server; 6] = [
    // One shield, and every span of this server is exported twice.
    Server {
        emitter: "llama-stack-0.2.23",
        namespace: "llama_stack",
        http: MILLISECONDS,
        calls: true,
        shields: 2.0,
        tools: 0.0,
    },
    Server {
        emitter: "llama-stack-0.4.4",
        namespace: "llama_stack",
        http: MILLISECONDS,
        calls: true,
        shields: 1.0,
        tools: 1.0,
    },
    Server {
        emitter: "llama-stack-0.4.4-no-sqlite3",
        namespace: "llama_stack",
        http: MILLISECONDS,
        calls: true,
        shields: 1.0,
        tools: 0.0,
    },
    Server {
        emitter: "llama-stack-0.4.4-no-threading",
        namespace: "llama_stack",
        http: MILLISECONDS,
        calls: true,
        shields: 0.0,
        tools: 1.0,
    },
    Server {
        emitter: "llama-stack-0.7.2-optin",
        namespace: "ogx",
        http: SECONDS,
        calls: true,
        shields: 0.0,
        tools: 0.0,
    },
    // The instrumentation of OpenAI's library did not know its version 3.52, and was silent.
    Server {
        emitter: "llama-stack-0.7.3",
        namespace: "ogx",
        http: MILLISECONDS,
        calls: false,
        shields: 1.0,
        tools: 1.0,
    },
];

const SERVICE: &str = "llama-stack-server";

/// Cases of which no span says how many tokens they took.
const UNSAID: [(&str, &str); 5] = [
    ("llama-stack-0.2.23/responses", "a stream without usage"),
    ("llama-stack-0.2.23/responses_mcp", "a stream without usage"),
    ("llama-stack-0.2.23/responses_stream", "a stream without usage"),
    ("llama-stack-0.2.23/shield", "ollama's own protocol, of which there is no instrumentation"),
    ("llama-stack-0.4.4/completions_legacy", "the instrumentation has no span for it"),
];

/// As in the set-up's `otel-collector-config.yaml`, but for the addresses.
fn collector(jaeger: &Jaeger, namespace: &str) -> String {
    format!(
        "receivers:
  otlp:
    protocols:
      grpc:
        endpoint: 127.0.0.1:0
      http:
        endpoint: 127.0.0.1:0
processors:
  batch:
    timeout: 1s
    send_batch_size: 1024
exporters:
  otlp/jaeger:
    endpoint: {}
    tls:
      insecure: true
  prometheus:
    endpoint: 127.0.0.1:0
    namespace: {namespace}
  debug:
    verbosity: detailed
service:
  pipelines:
    traces:
      receivers: [otlp]
      processors: [batch]
      exporters: [otlp/jaeger, debug]
    metrics:
      receivers: [otlp]
      processors: [batch]
      exporters: [prometheus, debug]
",
        jaeger.otlp_grpc
    )
}

/// What a machine with other programs on it needs, and the old names.
const BESIDE: &str = "
connectors: { genai_metrics: { compatibility: [llama_stack] } }
extensions: { health_check: { endpoint: 127.0.0.1:0 } }
service: { extensions: [health_check], telemetry: { metrics: { address: 127.0.0.1:0 } } }
";

/// The lines that `validate` says to add.
fn advice(config: &Path) -> String {
    let checked = Dragoman::command().args(["validate", "--config"]).arg(config).output().unwrap();
    assert!(checked.status.success());
    let said = String::from_utf8(checked.stderr).unwrap();
    let (_, lines) = said.split_once("as a second --config\n").unwrap_or_else(|| panic!("no advice in {said}"));
    lines.to_owned()
}

/// One span as it was recorded.
struct Recorded {
    parent: String,
    is_sqlite: bool,
    /// A message of ASGI's. A stream's become a number on the span that they are below.
    is_message: bool,
}

/// What a server sent, what of it was billed and what must come of it.
struct Recording {
    /// In the order of arrival: signal and body.
    requests: Vec<(&'static str, Bytes)>,
    /// By trace and span.
    traces: BTreeMap<String, BTreeMap<String, Recorded>>,
    /// Billed tokens, input and output, by model.
    billed: BTreeMap<String, [f64; 2]>,
}

impl Recording {
    fn of(emitter: &str) -> Recording {
        let mut recording = Recording { requests: Vec::new(), traces: BTreeMap::new(), billed: BTreeMap::new() };
        for case in cases(emitter) {
            let mut files: Vec<PathBuf> =
                std::fs::read_dir(&case).unwrap().map(|entry| entry.unwrap().path()).collect();
            files.sort();
            for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "pb")) {
                let name = file.file_name().unwrap().to_str().unwrap();
                let signal = ["traces", "metrics", "logs"].into_iter().find(|signal| name.contains(signal)).unwrap();
                recording.requests.push((signal, Bytes::from(std::fs::read(file).unwrap())));
            }
            for span in requests(&case, "traces.pb").iter().flat_map(|body| spans(body)) {
                let is_sqlite =
                    ["db.system", "db.system.name"].iter().any(|key| text(&span.attributes, key) == Some("sqlite"));
                let is_message = text(&span.attributes, "asgi.event.type").is_some();
                let recorded = Recorded { parent: hex(&span.parent_span_id), is_sqlite, is_message };
                recording.traces.entry(hex(&span.trace_id)).or_default().insert(hex(&span.span_id), recorded);
            }
            let name = format!("{emitter}/{}", case.file_name().unwrap().to_str().unwrap());
            if !UNSAID.iter().any(|(case, _)| *case == name) {
                let facts: Value = serde_json::from_slice(&std::fs::read(case.join("case.json")).unwrap()).unwrap();
                for call in facts["llm_calls"].as_array().unwrap() {
                    let tokens = ["input_tokens", "output_tokens"].map(|key| call[key].as_f64().unwrap_or_default());
                    let model = call["model"].as_str().unwrap_or_default().to_owned();
                    let billed = recording.billed.entry(model).or_default();
                    (billed[0], billed[1]) = (billed[0] + tokens[0], billed[1] + tokens[1]);
                }
            }
        }
        recording.billed.retain(|_, tokens| *tokens != [0.0; 2]);
        recording
    }

    /// The server's last report of its own metrics.
    fn report(&self) -> Option<ExportMetricsServiceRequest> {
        let (_, body) = self.requests.iter().rev().find(|(signal, _)| *signal == "metrics")?;
        Some(ExportMetricsServiceRequest::decode(&body[..]).unwrap())
    }
}

fn metrics(report: &mut ExportMetricsServiceRequest) -> impl Iterator<Item = &mut Metric> {
    let scopes = report.resource_metrics.iter_mut().flat_map(|resource| &mut resource.scope_metrics);
    scopes.flat_map(|scope| &mut scope.metrics)
}

/// A report as the same server may have sent it a minute earlier, in the middle of its work: half of each
/// count. The recorded servers ended before their second report.
fn earlier(report: &ExportMetricsServiceRequest) -> ExportMetricsServiceRequest {
    const MINUTE: u64 = 60_000_000_000;
    let mut report = report.clone();
    let number = |point: &mut NumberDataPoint| {
        point.time_unix_nano -= MINUTE;
        match &mut point.value {
            Some(number_data_point::Value::AsInt(number)) => *number /= 2,
            Some(number_data_point::Value::AsDouble(number)) => *number /= 2.0,
            None => {}
        }
    };
    let histogram = |point: &mut HistogramDataPoint| {
        point.time_unix_nano -= MINUTE;
        point.bucket_counts.iter_mut().for_each(|count| *count /= 2);
        point.count = point.bucket_counts.iter().sum();
        point.sum = point.sum.map(|sum| sum / 2.0);
        (point.min, point.max) = (None, None);
    };
    for metric in metrics(&mut report) {
        match &mut metric.data {
            Some(Data::Sum(sum)) => sum.data_points.iter_mut().for_each(number),
            Some(Data::Gauge(gauge)) => gauge.data_points.iter_mut().for_each(number),
            Some(Data::Histogram(data)) => data.data_points.iter_mut().for_each(histogram),
            Some(Data::ExponentialHistogram(_) | Data::Summary(_)) | None => {
                panic!("{} is of another kind", metric.name)
            }
        }
    }
    report
}

/// The points of a histogram added up: upper bounds and cumulative counts, the sum, the count.
struct Whole {
    buckets: Vec<(f64, f64)>,
    sum: f64,
    count: f64,
}

fn whole(report: &ExportMetricsServiceRequest, name: &str) -> Whole {
    let mut report = report.clone();
    let mut whole = Whole { buckets: Vec::new(), sum: 0.0, count: 0.0 };
    for metric in metrics(&mut report).filter(|metric| metric.name == name) {
        let Some(Data::Histogram(histogram)) = &metric.data else { panic!("{name} is no histogram") };
        for point in &histogram.data_points {
            whole.sum += point.sum.unwrap();
            whole.count += point.count as f64;
            let bounds = point.explicit_bounds.iter().copied().chain([f64::INFINITY]);
            let mut cumulative = 0;
            for (place, (bound, count)) in bounds.zip(&point.bucket_counts).enumerate() {
                cumulative += count;
                if whole.buckets.len() == place {
                    whole.buckets.push((bound, 0.0));
                }
                assert_eq!(whole.buckets[place].0, bound, "one metric, one set of bounds");
                whole.buckets[place].1 += cumulative as f64;
            }
        }
    }
    whole
}

impl Whole {
    /// As PromQL's `histogram_quantile`: linear within the bucket, the last bound beyond it.
    fn quantile(&self, quantile: f64) -> f64 {
        let rank = quantile * self.count;
        let at = self.buckets.iter().position(|(_, cumulative)| *cumulative >= rank).unwrap();
        let (start, before) = if at == 0 { (0.0, 0.0) } else { self.buckets[at - 1] };
        let (end, cumulative) = self.buckets[at];
        if end.is_infinite() { start } else { start + (end - start) * (rank - before) / (cumulative - before) }
    }
}

fn close(found: Option<f64>, expected: f64) -> bool {
    found.is_some_and(|found| (found - expected).abs() <= expected.abs() * 1e-9)
}

fn post(dragoman: &Dragoman, signal: &str, body: &[u8]) -> u16 {
    let headers = [("content-type", "application/x-protobuf")];
    http(dragoman.http, "POST", &format!("/v1/{signal}"), &headers, body).unwrap().status
}

/// A stack of which nothing changed but the thing in the middle.
struct Stack {
    dragoman: Dragoman,
    prometheus: Scraper,
    _folder: tempfile::TempDir,
}

impl Stack {
    fn start(server: &Server, jaeger: &Jaeger) -> Stack {
        let folder = tempfile::tempdir().unwrap();
        let config = file(&folder, "collector.yaml", &collector(jaeger, server.namespace));
        let lines = file(&folder, "genai.yaml", &advice(&config));
        let beside = file(&folder, "beside.yaml", BESIDE);
        let overlays = ["--config", lines.to_str().unwrap(), "--config", beside.to_str().unwrap()];
        let dragoman = Dragoman::start_with(&config, &overlays);
        let prometheus =
            Scraper::start(&[("otel-collector", dragoman.prometheus.unwrap()), ("dragoman", dragoman.own_metrics)]);
        Stack { dragoman, prometheus, _folder: folder }
    }

    /// Sends all that was recorded, with a report of the server's own metrics in between and a scrape after
    /// it. Records of logs have no way through the set-up's Collector, which has no pipeline for them.
    fn replay(&mut self, recording: &Recording, http_count: &str) {
        if let Some(report) = recording.report() {
            let report = earlier(&report).encode_to_vec();
            assert_eq!(post(&self.dragoman, "metrics", &report), 200);
            self.prometheus.wait_for(&format!("sum({http_count})"), |count| count > 0.0);
        }
        for (signal, body) in &recording.requests {
            let expected = if *signal == "logs" { 404 } else { 200 };
            assert_eq!(post(&self.dragoman, signal, body), expected, "{signal}");
        }
    }
}

/// Adds up series by model: a router says `openai/gpt-4o-mini` where the call behind it says `gpt-4o-mini`.
fn by_model(samples: Vec<Sample>, label: &str, recording: &Recording) -> BTreeMap<String, f64> {
    let mut sums = BTreeMap::new();
    for (labels, value) in samples {
        let said = labels.get(label).cloned().unwrap_or_default();
        let is = |model: &&String| said == **model || said.ends_with(&format!("/{model}"));
        *sums.entry(recording.billed.keys().find(is).cloned().unwrap_or(said)).or_default() += value;
    }
    sums
}

/// Tokens on the panels, by model, under the names since 0.4 and under those before.
fn tokens_are_what_was_billed(server: &Server, prometheus: &mut Scraper, recording: &Recording) {
    let usage = format!("{}_gen_ai_client_token_usage_sum", server.namespace);
    if !server.calls {
        for name in [&usage, "llama_stack_prompt_tokens_total", "llama_stack_tokens_total"] {
            assert_eq!(prometheus.ask(name), [], "nobody said anything of tokens");
        }
        return;
    }
    let billed = |places: &[usize]| -> BTreeMap<String, f64> {
        let of = |tokens: &[f64; 2]| places.iter().map(|place| tokens[*place]).sum();
        let all = recording.billed.iter().map(|(model, tokens)| (model.clone(), of(tokens)));
        all.filter(|(_, tokens)| *tokens > 0.0).collect()
    };
    let all: f64 = billed(&[0, 1]).values().sum();
    for name in [&usage, "llama_stack_tokens_total"] {
        prometheus.wait_for(&format!("sum({name}{{service_name=\"{SERVICE}\"}})"), |sum| sum >= all);
    }
    for (expression, label, places) in [
        (format!("{usage}{{gen_ai_token_type=\"input\"}}"), "gen_ai_request_model", &[0][..]),
        (format!("{usage}{{gen_ai_token_type=\"output\"}}"), "gen_ai_request_model", &[1]),
        ("llama_stack_prompt_tokens_total".to_owned(), "model_id", &[0]),
        ("llama_stack_completion_tokens_total".to_owned(), "model_id", &[1]),
        ("llama_stack_tokens_total".to_owned(), "model_id", &[0, 1]),
    ] {
        // What the server itself says of an operation stays only where there is no span of it: recorded
        // reports are of whole servers, of which some cases are not kept.
        let is_derived = |(labels, _): &Sample| labels.get("service_name").is_some_and(|name| name == SERVICE);
        let (samples, own): (Vec<Sample>, Vec<Sample>) = prometheus.ask(&expression).into_iter().partition(is_derived);
        let operation = |(labels, _): &Sample| labels.get("gen_ai_operation_name").cloned();
        let twice: Vec<_> =
            own.iter().filter(|one| samples.iter().any(|two| operation(one) == operation(two))).collect();
        assert!(twice.is_empty(), "{twice:?}");
        if label == "model_id" {
            let of_provider = |labels: &BTreeMap<String, String>| {
                labels["model_id"].strip_prefix(&labels["provider_id"]).is_some_and(|rest| rest.starts_with('/'))
            };
            assert!(samples.iter().all(|(labels, _)| of_provider(labels)), "{samples:?}");
        }
        assert_eq!(by_model(samples, label, recording), billed(places), "{expression}");
    }
}

/// What the server says of itself: requests, how long they took, how many there are and how large.
fn requests_are_what_the_server_counted(server: &Server, prometheus: &mut Scraper, recording: &Recording) {
    let Some(report) = recording.report() else { return };
    let ((metric, name), namespace) = (server.http, server.namespace);
    let name = format!("{namespace}_{name}");
    let requests = whole(&report, metric);
    prometheus.wait_for(&format!("sum({name}_count)"), |count| count == requests.count);
    for quantile in [0.95, 0.99] {
        let expression = format!("histogram_quantile({quantile}, sum by (le) ({name}_bucket))");
        let (found, expected) = (prometheus.value(&expression), requests.quantile(quantile));
        assert!(close(found, expected), "{expression}: {found:?}, not {expected}");
        // As the panel asks it, of the rate.
        let expression = format!("histogram_quantile({quantile}, sum by (le) (rate({name}_bucket[5m])))");
        let found = prometheus.value(&expression);
        assert!(found.is_some_and(|found| found > 0.0 && found.is_finite()), "{expression}: {found:?}");
    }
    let rates = prometheus.ask(&format!("rate({name}_count[5m])"));
    let routes = prometheus.ask(&format!("{name}_count"));
    assert_eq!(rates.len(), routes.len(), "a rate of every route and status");
    assert!(rates.iter().map(|(_, rate)| rate).sum::<f64>() > 0.0, "{rates:?}");
    for (what, sizes) in [
        ("request", ["http.server.request.size", "http.server.request.body.size"]),
        ("response", ["http.server.response.size", "http.server.response.body.size"]),
    ] {
        let metric = sizes.into_iter().find(|metric| whole(&report, metric).count > 0.0).unwrap();
        let name = format!("{namespace}_{}_bytes_sum", metric.replace('.', "_"));
        let (found, expected) = (prometheus.value(&format!("sum({name})")), whole(&report, metric).sum);
        assert!(close(found, expected), "{what} sizes: {found:?}, not {expected}");
        assert!(prometheus.value(&format!("sum(rate({name}[5m]))")).is_some_and(|rate| rate > 0.0));
    }
    // All requests were answered when the report was made: the panel shows zero, and not nothing.
    assert_eq!(prometheus.value(&format!("sum({namespace}_http_server_active_requests)")), Some(0.0));
    // Since 0.7 the server counts requests of each of its interfaces by itself.
    let mut report = report;
    let counted = metrics(&mut report).find(|metric| metric.name == "llama_stack.requests_total");
    if let Some(Data::Sum(sum)) = counted.and_then(|metric| metric.data.take()) {
        let count = |point: &NumberDataPoint| match point.value {
            Some(number_data_point::Value::AsInt(number)) => number as f64,
            _ => panic!("{point:?}"),
        };
        let mut expected: BTreeMap<String, f64> = BTreeMap::new();
        for point in &sum.data_points {
            *expected.entry(text(&point.attributes, "api").unwrap().to_owned()).or_default() += count(point);
        }
        let found = prometheus.ask(&format!("sum by (api) ({namespace}_llama_stack_requests_total)"));
        let found: BTreeMap<_, _> = found.into_iter().map(|(labels, value)| (labels["api"].clone(), value)).collect();
        assert_eq!(found, expected);
    }
}

/// Shields and tools are operations of their own, whatever their spans are called.
fn shields_and_tools_are_seen(server: &Server, prometheus: &mut Scraper) {
    for (operation, expected) in [("guardrail", server.shields), ("execute_tool", server.tools)] {
        let expression = format!("sum(dragoman_genai_operations_total{{operation=\"{operation}\"}})");
        if expected > 0.0 {
            prometheus.wait_for(&expression, |count| count == expected);
        } else {
            assert_eq!(prometheus.value(&expression), None, "{operation}");
        }
    }
}

/// What is not in Jaeger.
#[derive(Default)]
struct Gone {
    sqlite: usize,
    messages: usize,
}

/// Every span is there that is neither sqlite's nor a message's, none of sqlite's is, and every parent that
/// was ever sent is there too.
fn traces_are_whole_and_quiet(jaeger: &mut Jaeger, recording: &Recording) -> Gone {
    let mut gone = Gone::default();
    for (trace, recorded) in &recording.traces {
        let kept: BTreeSet<&str> =
            recorded.iter().filter(|(_, span)| !span.is_sqlite).map(|(id, _)| id.as_str()).collect();
        gone.sqlite += recorded.len() - kept.len();
        if kept.is_empty() {
            assert!(jaeger.lacks(trace), "trace {trace} is nothing but sqlite");
            continue;
        }
        let id_of = |span: &Value| span["spanID"].as_str().unwrap().to_owned();
        let is_whole = |spans: &[Value]| {
            let found: BTreeSet<String> = spans.iter().map(id_of).collect();
            kept.iter().all(|id| found.contains(*id) || recorded[*id].is_message)
        };
        let shown = jaeger.trace_when(trace, is_whole);
        let ids: BTreeSet<String> = shown.iter().map(id_of).collect();
        gone.messages += kept.iter().filter(|id| !ids.contains(**id)).count();
        for span in &shown {
            let (name, id) = (&span["operationName"], id_of(span));
            assert!(kept.contains(id.as_str()), "{name} in {trace} is sqlite's, or nobody's");
            for reference in span["references"].as_array().unwrap() {
                let parent = reference["spanID"].as_str().unwrap();
                let was_sent = recorded.contains_key(parent);
                assert!(ids.contains(parent) || !was_sent, "{name} in {trace} is an orphan of {parent}");
            }
            // A parent that is there was not forgotten either.
            let parent = &recorded[&id].parent;
            if recorded.get(parent).is_some_and(|parent| !parent.is_sqlite && !parent.is_message) {
                let references = span["references"].as_array().unwrap();
                assert!(
                    references.iter().any(|reference| reference["spanID"] == *parent),
                    "{name} in {trace} lost {parent}"
                );
            }
        }
    }
    gone
}

#[test]
fn recorded_servers_fill_the_panels_of_their_set_up() {
    let mut jaeger = Jaeger::start();
    for server in &SERVERS {
        println!("{}", server.emitter);
        let recording = Recording::of(server.emitter);
        let mut stack = Stack::start(server, &jaeger);
        stack.replay(&recording, &format!("{}_{}_count", server.namespace, server.http.1));
        tokens_are_what_was_billed(server, &mut stack.prometheus, &recording);
        requests_are_what_the_server_counted(server, &mut stack.prometheus, &recording);
        shields_and_tools_are_seen(server, &mut stack.prometheus);
        assert_eq!(stack.prometheus.errors(), Vec::<String>::new());
        let gone = traces_are_whole_and_quiet(&mut jaeger, &recording);
        assert!(gone.sqlite > 0 && gone.messages > 0, "the recording has its noise");
        // Another target than the one that was waited for, and scraped at another time.
        let dropped = (gone.sqlite + gone.messages) as f64;
        stack.prometheus.wait_for("sum(dragoman_dropped_spans_total)", |sum| sum >= dropped);
    }
}
