//! What a good configuration becomes: the plan.

#![allow(clippy::unwrap_used, reason = "helpers of tests stand outside of test functions")]

use std::time::Duration;

use dragoman::config::{Source, Warning};
use dragoman::exporter::settings::{Batch, Compression, Keepalive, Otlp, Queue, Retry, Tls, Transport};
use dragoman::otlp::Signal;
use dragoman::otlp::span::{Kind, StatusCode};
use dragoman::otlp::split::Limits;
use dragoman::processor::settings::{Drop, Genai, Mapping, MemoryLimiter, NativeMetrics, Originals, Pattern, Target};
use dragoman::service::plan::{
    ConnectorSettings, ExporterSettings, ExtensionSettings, Input, Output, Plan, ProcessorSettings,
};
use tracing::level_filters::LevelFilter;

fn nothing(_: &str) -> Option<String> {
    None
}

fn load(yaml: &[&str]) -> (Plan, Vec<Warning>) {
    let sources: Vec<Source> = yaml.iter().map(|text| Source::Yaml((*text).to_owned())).collect();
    Plan::load(&sources, &nothing).unwrap_or_else(|problems| panic!("{problems}"))
}

fn load_with(variables: &[(&str, &str)], sources: &[Source]) -> Result<(Plan, Vec<Warning>), String> {
    let environment =
        |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    Plan::load(sources, &environment).map_err(|problems| problems.to_string())
}

/// Around processors and exporters that a case is about, all used for traces.
fn traces(processor: &str, exporter: &str) -> Plan {
    let id = |text: &str| text.split_once(':').unwrap().0.to_owned();
    let (used_processor, used_exporter) = (id(processor), id(exporter));
    let yaml = format!(
        "receivers: {{ otlp: {{ protocols: {{ grpc: }} }} }}\nprocessors:\n  {processor}\nexporters:\n  {exporter}\n\
         service: {{ pipelines: {{ traces: {{ receivers: [otlp], processors: [{used_processor}], exporters: [{used_exporter}] }} }} }}\n"
    );
    load(&[&yaml]).0
}

fn processor(yaml: &str) -> ProcessorSettings {
    traces(yaml, "debug:").pipelines[0].stages[0].settings.clone()
}

fn otlp(yaml: &str) -> Otlp {
    match &traces("genai:", yaml).exporters[0].1 {
        ExporterSettings::Otlp(otlp) => otlp.clone(),
        other => panic!("{other:?}"),
    }
}

fn ids<T>(list: &[(dragoman::service::plan::Id, T)]) -> Vec<&str> {
    list.iter().map(|(id, _)| id.as_str()).collect()
}

#[test]
fn the_embedded_default() {
    let (plan, warnings) = load_with(&[], &[]).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(ids(&plan.receivers), ["otlp"]);
    let receiver = &plan.receivers[0].1;
    assert_eq!(receiver.grpc.as_ref().unwrap().endpoint, "127.0.0.1:4317");
    assert_eq!(receiver.http.as_ref().unwrap().endpoint, "127.0.0.1:4318");
    assert_eq!(ids(&plan.exporters), ["prometheus", "debug"]);
    assert_eq!(ids(&plan.extensions), ["health_check"]);
    let [(_, ConnectorSettings::GenaiMetrics(metrics))] = &plan.connectors[..] else { panic!("{plan:?}") };
    assert_eq!((metrics.per_service, metrics.max_series), (false, 2000));
    assert_eq!(plan.telemetry.metrics_address.as_deref(), Some("127.0.0.1:8888"));

    let [traces, metrics, logs] = &plan.pipelines[..] else { panic!("{plan:?}") };
    assert_eq!((traces.signal, metrics.signal, logs.signal), (Signal::Traces, Signal::Metrics, Signal::Logs));
    let id =
        |text: &str| plan.pipelines[0].stages.iter().map(|stage| &stage.id).find(|id| id.as_str() == text).cloned();
    assert!(id("memory_limiter").is_some() && id("genai").is_some() && id("drop/sqlite").is_some());
    let ExporterSettings::Debug(_) = &plan.exporters[1].1 else { panic!("{plan:?}") };
    assert_eq!(
        traces.exporters,
        [Output::Exporter(plan.exporters[1].0.clone()), Output::Connector(plan.connectors[0].0.clone())]
    );
    assert_eq!(
        metrics.receivers,
        [Input::Receiver(plan.receivers[0].0.clone()), Input::Connector(plan.connectors[0].0.clone())]
    );
    let ProcessorSettings::MemoryLimiter(limiter) = &logs.stages[0].settings else { panic!("{logs:?}") };
    assert_eq!(
        *limiter,
        MemoryLimiter {
            check_interval: Duration::from_secs(1),
            limit_bytes: 256 << 20,
            // 20 % of the limit, to the byte below.
            spike_bytes: (256 << 20) / 100 * 20,
        }
    );
}

/// Regular expressions have no equality; their plans are compared as they print.
#[test]
fn the_example_is_the_default_with_comments() {
    let example = Source::File(concat!(env!("CARGO_MANIFEST_DIR"), "/config.example.yaml").into());
    let (plan, warnings) = load_with(&[], &[example]).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(format!("{plan:#?}"), format!("{:#?}", load_with(&[], &[]).unwrap().0));
}

/// A key in a comment is read by people as much as one that is not: with every comment that is a
/// key uncommented, the example still loads, and shows the defaults where it says so.
#[test]
fn the_examples_commented_keys_are_keys() {
    let uncommented = |line: &str| {
        let indent = line.len() - line.trim_start().len();
        let Some(comment) = line.trim_start().strip_prefix("# ").filter(|_| indent > 0) else { return line.to_owned() };
        // A comment in a comment.
        let comment = comment.replacen("# ", "", usize::from(comment.trim_start().starts_with("# ")));
        let words = comment.trim_start();
        let name = words.strip_prefix("- ").unwrap_or(words).split(':').next().unwrap();
        let is_key = words.contains(':') && name.chars().all(|c| c.is_ascii_lowercase() || "_/".contains(c));
        if is_key { format!("{}{comment}", &line[..indent]) } else { line.to_owned() }
    };
    let example = include_str!("../config.example.yaml");
    let text = example.lines().map(uncommented).collect::<Vec<_>>().join("\n");
    for key in [
        "\n        max_connections:",
        "\n  otlp_grpc/jaeger:",
        "\n      insecure_skip_verify:",
        "\n      - name:",
        "\n    window:",
    ] {
        assert!(text.contains(key) && !example.contains(key), "{key}:\n{text}");
    }
    let (plan, warnings) = load_with(&[("TOKEN", "x")], &[Source::Yaml(text)]).unwrap();
    assert_eq!(warnings.len(), 9, "what is shown and nobody uses: {warnings:?}");
    assert!(warnings.iter().all(|warning| warning.to_string().ends_with("does not run")), "{warnings:?}");
    let default = load_with(&[], &[]).unwrap().0;
    assert_eq!(plan.receivers, default.receivers);
    assert_eq!(format!("{:?}", plan.connectors), format!("{:?}", default.connectors));
    assert_eq!(format!("{:?}", plan.exporters), format!("{:?}", default.exporters));
    assert_eq!(format!("{:?}", plan.extensions), format!("{:?}", default.extensions));
    assert_eq!(plan.telemetry, default.telemetry);
}

#[test]
fn forms_that_people_write() {
    let (plan, _) = load(&["
receivers: { otlp: { protocols: { grpc: , http: { endpoint: ':14318' } } } }
exporters: { debug: , otlp/a: { endpoint: 'dns:///jaeger:4317' }, otlphttp/b: { endpoint: 'https://x/otlp/' } }
extensions: { health_check: }
service:
  extensions: [health_check]
  telemetry: { metrics: { level: none }, logs: { level: DEBUG } }
  pipelines:
    traces: { receivers: [otlp], exporters: [otlp/a, otlphttp/b] }
    logs/two: { receivers: [otlp], processors: , exporters: [debug] }
"]);
    assert_eq!(plan.receivers[0].1.grpc.as_ref().unwrap().endpoint, "127.0.0.1:4317");
    assert_eq!(plan.receivers[0].1.http.as_ref().unwrap().endpoint, "0.0.0.0:14318");
    assert_eq!(ids(&plan.exporters), ["debug", "otlp/a", "otlphttp/b"]);
    let ExporterSettings::Otlp(grpc) = &plan.exporters[1].1 else { panic!() };
    assert_eq!((grpc.transport, grpc.endpoint.as_str()), (Transport::Grpc, "jaeger:4317"));
    let ExporterSettings::Otlp(http) = &plan.exporters[2].1 else { panic!() };
    assert_eq!((http.transport, http.endpoint.as_str()), (Transport::Http, "https://x/otlp/"));
    assert_eq!(plan.telemetry.metrics_address, None);
    assert_eq!(plan.telemetry.logs.levels.general(), Some(LevelFilter::DEBUG));
    assert_eq!(plan.pipelines[1].id.to_string(), "logs/two");
    let ExtensionSettings::HealthCheck(health_check) = &plan.extensions[0].1 else { panic!("{plan:?}") };
    assert_eq!((health_check.endpoint.as_str(), health_check.path.as_str()), ("127.0.0.1:13133", "/"));
}

#[test]
fn only_what_is_used_is_in_the_plan() {
    let (plan, warnings) = load(&["
receivers: { otlp: { protocols: { grpc: } }, otlp/idle: { protocols: { grpc: } } }
exporters: { debug: , prometheus: }
service: { pipelines: { traces: { receivers: [otlp], exporters: [debug] } } }
"]);
    assert_eq!((ids(&plan.receivers), ids(&plan.exporters)), (vec!["otlp"], vec!["debug"]));
    let unused = warnings.iter().filter(|warning| warning.to_string().ends_with("does not run")).count();
    assert_eq!(unused, 2, "{warnings:?}");
}

#[test]
fn every_key_of_an_otlp_exporter() {
    let exporter = "otlp_http/x: { endpoint: 'http://a:4318', traces_endpoint: 'http://b/t', headers: { X-One: 1.10, x-two: 'on' }, compression: zstd, timeout: 1m30s,
    proxy_url: 'http://proxy:3128', http2_read_idle_timeout: 20s, http2_ping_timeout: 3s,
    tls: { insecure: true, insecure_skip_verify: true, ca_file: /ca.pem, server_name_override: b },
    retry_on_failure: { enabled: false, initial_interval: 1s, randomization_factor: 0, multiplier: 2, max_interval: 3s, max_elapsed_time: 0 },
    sending_queue: { enabled: true, num_consumers: 3, sizer: bytes, queue_size: 100000, batch: { sizer: items, min_size: 5, max_size: 7, flush_timeout: 1s } },
    max_request_size: 1024 }";
    assert_eq!(
        otlp(exporter),
        Otlp {
            transport: Transport::Http,
            endpoint: "http://a:4318".into(),
            signal_endpoints: [Some("http://b/t".into()), None, None],
            // As it was written: 1.10 is not 1.1.
            headers: vec![("X-One".into(), "1.10".into()), ("x-two".into(), "on".into())],
            compression: Compression::Zstd,
            timeout: Duration::from_secs(90),
            authenticator: None,
            tls: Tls {
                // As the Collector: who names an authority means no plain text.
                insecure: false,
                insecure_skip_verify: true,
                ca_file: Some("/ca.pem".into()),
                server_name_override: Some("b".into()),
                ..Tls::default()
            },
            keepalive: Some(Keepalive {
                time: Duration::from_secs(20),
                timeout: Duration::from_secs(3),
                permit_without_stream: true,
            }),
            proxy_url: Some("http://proxy:3128".into()),
            retry: Retry {
                enabled: false,
                initial_interval: Duration::from_secs(1),
                randomization_factor: 0.0,
                multiplier: 2.0,
                max_interval: Duration::from_secs(3),
                max_elapsed_time: Duration::ZERO,
            },
            queue: Queue { enabled: true, num_consumers: 3, bytes: 100_000, storage: None },
            batch: [Some(Batch { flush_timeout: Duration::from_secs(1), min_size: items(5), max_size: items(7) }); 3],
            max_request_size: 1024,
        }
    );
    let newer = otlp("otlp: { endpoint: 'http://a:1', headers: [ { name: x-one, value: 'a' } ] }");
    assert_eq!(newer.headers, [("x-one".to_owned(), "a".into())]);
}

fn items(items: usize) -> Limits {
    Limits { items, ..Limits::NONE }
}

fn bytes(bytes: usize) -> Limits {
    Limits { bytes, ..Limits::NONE }
}

#[test]
fn what_is_put_together_has_the_collectors_defaults() {
    let batch = |settings: &str| {
        let otlp = otlp(&format!("otlp: {{ endpoint: 'http://a:1', {settings} }}"));
        (otlp.batch[0], otlp.max_request_size)
    };
    let default = Batch { flush_timeout: Duration::from_millis(200), min_size: items(8192), max_size: Limits::NONE };
    assert_eq!(batch(""), (None, 4 << 20), "as much as gRPC servers take");
    assert_eq!(batch("sending_queue: { batch: }"), (None, 4 << 20));
    assert_eq!(batch("sending_queue: { batch: {} }"), (Some(default), 4 << 20));
    // The queue's sizer is the batch's, where it is said.
    let in_bytes = Batch { min_size: bytes(8192), ..default };
    assert_eq!(batch("sending_queue: { sizer: bytes, batch: {} }"), (Some(in_bytes), 4 << 20));
    assert_eq!(batch("sending_queue: { sizer: bytes, batch: { sizer: items } }"), (Some(default), 4 << 20));
    // Whoever says how many bytes a batch may have says how many a request may have.
    let large = Batch { max_size: bytes(9 << 20), ..in_bytes };
    assert_eq!(batch("sending_queue: { batch: { sizer: bytes, max_size: 9437184 } }"), (Some(large), 9 << 20));
    let http = otlp("otlp_http: { endpoint: 'http://a:1' }");
    assert_eq!(http.max_request_size, 20 << 20, "as much as the Collector's HTTP receiver takes");
}

#[test]
fn a_batch_processor_sets_what_the_exporters_of_its_pipelines_put_together() {
    let (plan, warnings) = load(&["
receivers: { otlp: { protocols: { grpc: } } }
processors:
  batch:
  batch/large: { send_batch_size: 10000, timeout: 1s, send_batch_max_size: 20000 }
  batch/late: { send_batch_size: 100, timeout: 1h }
  batch/off: { timeout: 0s, send_batch_size: 50, send_batch_max_size: 50 }
exporters:
  otlp/shared: { endpoint: 'http://a:1' }
  otlp/own: { endpoint: 'http://b:1', sending_queue: { batch: { min_size: 7 } } }
  otlp_http/unqueued: { endpoint: 'http://c:1', sending_queue: { enabled: false } }
  debug:
service:
  pipelines:
    traces/one: { receivers: [otlp], processors: [batch/large], exporters: [otlp/shared, otlp/own, debug] }
    traces/two: { receivers: [otlp], processors: [batch/late], exporters: [otlp/shared] }
    traces/three: { receivers: [otlp], exporters: [otlp/shared] }
    metrics: { receivers: [otlp], processors: [batch], exporters: [otlp/shared] }
    metrics/two: { receivers: [otlp], processors: [batch], exporters: [otlp_http/unqueued, debug] }
    logs: { receivers: [otlp], processors: [batch/off], exporters: [otlp/shared] }
"]);
    let batch = |id: &str| {
        let (_, settings) = plan.exporters.iter().find(|(of, _)| of.as_str() == id).unwrap();
        let ExporterSettings::Otlp(otlp) = settings else { panic!("{settings:?}") };
        otlp.batch
    };
    let milliseconds = Duration::from_millis;
    let set = |flush_timeout, min_size, max_size| Some(Batch { flush_timeout, min_size, max_size });
    // Of two pipelines the smaller of each; one without a batch processor has no say.
    let traces = set(milliseconds(1000), items(100), items(20_000));
    let metrics = set(milliseconds(200), items(8192), Limits::NONE);
    // As in the Collector nothing is gathered without a timeout, and what is too large is still cut.
    let logs = set(Duration::ZERO, items(0), items(50));
    assert_eq!(batch("otlp/shared"), [traces, metrics, logs]);
    assert_eq!(batch("otlp/own"), [set(milliseconds(200), items(7), Limits::NONE); 3], "its own word is the last");
    assert_eq!(batch("otlp_http/unqueued"), [None; 3]);
    let told = warnings.iter().map(ToString::to_string);
    // It is a configuration in which nothing is translated, and it is told so; not here.
    let told: Vec<_> = told.filter(|told| !told.contains("no pipeline names the genai processor")).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("traces/two.processors[0]") && told[0].contains("the smaller of the two"), "{told:?}");
    assert!(told[1].contains("metrics/two.processors[0]") && told[1].contains("has no effect"), "{told:?}");
}

#[test]
fn processors() {
    let ProcessorSettings::Genai(genai) = processor(
        "genai: { target: 1.41, originals: keep, provenance: true, native_metrics: defer, mappings: [ { key: a.b, to: gen_ai.request.model, values: { x: y, 1: z } } ] }",
    ) else {
        panic!()
    };
    let Genai { target, originals, mappings, provenance, native_metrics, .. } = genai;
    assert_eq!((target, originals, provenance), (Target::V1_41, Originals::Keep, true));
    assert_eq!(native_metrics, NativeMetrics::Defer);
    let mapping = Mapping {
        key: "a.b".into(),
        to: "gen_ai.request.model".into(),
        values: vec![("x".into(), "y".into()), ("1".into(), "z".into())],
    };
    assert_eq!(mappings, [mapping]);
    let ProcessorSettings::Genai(short) = processor("genai: { target: main, mappings: { a.b: gen_ai.request.model } }")
    else {
        panic!()
    };
    assert_eq!((short.target, short.mappings[0].to.as_str()), (Target::Main, "gen_ai.request.model"));

    let ProcessorSettings::Drop(Drop { rules, keep_errors, memory }) = processor(
        "drop/x: { preset: sqlite, keep_errors: true, memory: { max_spans: 7, ttl: 3s }, rules: [ { name: { regex: 'GET /h.*|b' }, scope: s, kind: server, status: error, attributes: { n: 1 }, resource: { service.name: w } } ] }",
    ) else {
        panic!()
    };
    assert_eq!((keep_errors, memory.max_spans, memory.ttl), (true, 7, Duration::from_secs(3)));
    let [older, newer, own] = &rules[..] else { panic!("{rules:?}") };
    for (rule, key) in [(older, "db.system"), (newer, "db.system.name")] {
        let [(attribute, Pattern::Exact(value))] = &rule.attributes[..] else { panic!("{rule:?}") };
        assert_eq!((attribute.as_str(), value.as_str()), (key, "sqlite"));
        assert!(rule.name.is_none() && rule.scope.is_none() && rule.resource.is_empty(), "nothing else is looked at");
    }
    assert_eq!((own.kind, own.status), (Some(Kind::Server), Some(StatusCode::Error)));
    let Some(Pattern::Regex(name)) = &own.name else { panic!("{own:?}") };
    assert!(name.is_match("GET /health") && name.is_match("b"));
    assert!(!name.is_match("xGET /health") && !name.is_match("bb"), "it matches the whole value");
}

#[test]
fn a_share_of_the_memory() {
    let ProcessorSettings::MemoryLimiter(limiter) =
        processor("memory_limiter: { check_interval: 1s, limit_percentage: 50, spike_limit_percentage: 10 }")
    else {
        panic!()
    };
    assert!(limiter.limit_bytes > 1 << 20 && limiter.limit_bytes < 1 << 50);
    assert_eq!(limiter.spike_bytes, limiter.limit_bytes / 5, "10 % of what 50 % is of, as exact as integers are");
}

#[test]
fn the_collectors_newer_address_of_self_metrics() {
    let (plan, _) = load(&[
        Plan::default_yaml(),
        "service::telemetry::metrics: { readers: [ { pull: { exporter: { prometheus: { host: 0.0.0.0, port: 8889 } } } } ] }",
    ]);
    assert_eq!(plan.telemetry.metrics_address.as_deref(), Some("127.0.0.1:8888"), "an address goes before readers");
    let default = Plan::default_yaml().replace("telemetry: { metrics: { address: 127.0.0.1:8888 } }", "telemetry:");
    let (plan, _) = load(&[
        &default,
        "service::telemetry: { metrics: { readers: [ { pull: { exporter: { prometheus: { host: 0.0.0.0, port: 8889 } } } } ] } }",
    ]);
    assert_eq!(plan.telemetry.metrics_address.as_deref(), Some("0.0.0.0:8889"));
}

#[test]
fn later_sources_win() {
    let (plan, warnings) = load(&[
        Plan::default_yaml(),
        "processors: { genai: { target: main } }\nexporters: { otlp/jaeger: { endpoint: 'http://jaeger:4317' } }\nservice: { pipelines: { traces: { exporters: [otlp/jaeger] } } }",
        "# nothing",
        "exporters::otlp/jaeger::timeout: 2s",
        "connectors:\nservice::pipelines::metrics::receivers: [otlp]",
    ]);
    let ProcessorSettings::Genai(genai) = &plan.pipelines[0].stages[1].settings else { panic!() };
    assert_eq!(genai.target, Target::Main);
    assert_eq!(plan.pipelines[0].exporters.len(), 1, "lists are replaced");
    assert_eq!(plan.pipelines[0].stages.len(), 4, "what a later source does not say stays");
    let jaeger = plan.exporters.iter().find(|(id, _)| id.as_str() == "otlp/jaeger").unwrap();
    let ExporterSettings::Otlp(otlp) = &jaeger.1 else { panic!() };
    assert_eq!((otlp.timeout, otlp.endpoint.as_str()), (Duration::from_secs(2), "http://jaeger:4317"));
    assert!(plan.connectors.is_empty() && warnings.is_empty(), "{warnings:?}");
}

#[test]
fn sources_and_substitutions_from_the_environment() {
    let config = "
receivers: { otlp: { protocols: { grpc: { endpoint: \"${env:MY_POD_IP}:4317\", max_concurrent_streams: \"${STREAMS}\" } } } }
exporters: { otlp: { endpoint: \"${env:BACKEND:-jaeger:4317}\", tls: { insecure: \"${env:PLAIN}\" }, headers: { authorization: \"Bearer ${env:TOKEN}\", cash: a$$b } } }
service: { pipelines: { traces: { receivers: [otlp], exporters: \"${env:LIST}\" } } }
";
    let variables = [
        ("OTEL_CONFIG", config),
        ("MY_POD_IP", "10.0.0.7"),
        ("STREAMS", "64"),
        ("PLAIN", "true"),
        ("TOKEN", "a$$b"),
        ("LIST", "[otlp]"),
    ];
    let (plan, _) = load_with(&variables, &[Source::parse("env:OTEL_CONFIG").unwrap()]).unwrap();
    let grpc = plan.receivers[0].1.grpc.as_ref().unwrap();
    assert_eq!((grpc.endpoint.as_str(), grpc.max_concurrent_streams), ("10.0.0.7:4317", 64));
    let ExporterSettings::Otlp(otlp) = &plan.exporters[0].1 else { panic!() };
    assert_eq!((otlp.endpoint.as_str(), otlp.tls.insecure), ("jaeger:4317", true));
    assert_eq!(otlp.headers[0].1.reveal(), "Bearer a$$b", "what a variable holds is taken as it is");
    assert_eq!(otlp.headers[1].1.reveal(), "a$b");
}

#[test]
fn an_endpoint_in_the_environment_is_enough() {
    let endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";
    let protocol = "OTEL_EXPORTER_OTLP_PROTOCOL";
    let exporter = |variables: &[(&str, &str)]| {
        let (plan, warnings) = load_with(variables, &[]).unwrap();
        assert!(warnings.iter().all(|warning| !warning.to_string().contains("no effect")), "{warnings:?}");
        let default = load_with(&[], &[]).unwrap().0;
        let added = plan.exporters.iter().find(|(id, _)| id.as_str().ends_with("/environment")).unwrap();
        for (pipeline, before) in plan.pipelines.iter().zip(&default.pipelines) {
            let (last, others) = pipeline.exporters.split_last().unwrap();
            assert_eq!((last, others), (&Output::Exporter(added.0.clone()), &before.exporters[..]));
        }
        match &added.1 {
            ExporterSettings::Otlp(otlp) => otlp.clone(),
            other => panic!("{other:?}"),
        }
    };
    // The specification's defaults: HTTP, 10 s, no compression.
    let otlp = exporter(&[(endpoint, "http://collector:4318")]);
    assert_eq!((otlp.transport, otlp.endpoint.as_str()), (Transport::Http, "http://collector:4318"));
    assert_eq!((otlp.timeout, otlp.compression), (Duration::from_secs(10), Compression::None));
    assert_eq!(exporter(&[(endpoint, "http://jaeger:4317")]).transport, Transport::Grpc, "4317 is gRPC's port");
    assert_eq!(exporter(&[(endpoint, "http://jaeger:4317"), (protocol, "http/protobuf")]).transport, Transport::Http);

    let otlp = exporter(&[
        (endpoint, "collector:443"),
        (protocol, "grpc"),
        ("OTEL_EXPORTER_OTLP_INSECURE", "true"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20a$${env:X}\"b,x-team=core"),
    ]);
    assert_eq!((otlp.transport, otlp.endpoint.as_str(), otlp.tls.insecure), (Transport::Grpc, "collector:443", true));
    assert_eq!((otlp.timeout, otlp.compression), (Duration::from_millis(2500), Compression::Gzip));
    assert_eq!(otlp.headers[0].1.reveal(), "Bearer a$${env:X}\"b");
    assert_eq!(otlp.headers[1], ("x-team".to_owned(), "core".into()));
    let otlp = exporter(&[(endpoint, "https://collector:443"), ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem")]);
    assert_eq!(otlp.tls.ca_file.as_deref(), Some(std::path::Path::new("/ca.pem")));

    // Empty is unset.
    assert_eq!(load_with(&[(endpoint, "")], &[]).unwrap().0.exporters.len(), 2);
    // With a file, the file alone says where to export.
    let file = [Source::Yaml(Plan::default_yaml().to_owned())];
    assert_eq!(load_with(&[(endpoint, "http://collector:4318")], &file).unwrap().0.exporters.len(), 2);
}

#[test]
fn a_wrong_environment_is_named() {
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
    for (variables, expected) in [
        (
            vec![("OTEL_EXPORTER_OTLP_ENDPOINT", "collector-hunter2")],
            "OTEL_EXPORTER_OTLP_* variables: exporters.otlp_http/environment.endpoint: a value from the environment",
        ),
        (
            vec![endpoint, ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")],
            "OTEL_EXPORTER_OTLP_* variables: exporters.otlp_http/environment.encoding: found a value from the environment; expected proto",
        ),
        (
            vec![endpoint, ("OTEL_EXPORTER_OTLP_HEADERS", "hunter2")],
            "OTEL_EXPORTER_OTLP_* variables: exporters.otlp_http/environment.headers[0].name: the header's name cannot be sent",
        ),
        (
            vec![endpoint, ("OTEL_EXPORTER_OTLP_HEADERS", "a=hunter2%0A")],
            "OTEL_EXPORTER_OTLP_* variables: exporters.otlp_http/environment.headers[0].value: the header's value cannot be sent",
        ),
    ] {
        let told = load_with(&variables, &[]).unwrap_err();
        assert!(told.starts_with(expected), "{told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
}

/// The application's own variables, copied to the sidecar: telemetry must not go round.
#[test]
fn an_environment_that_names_this_program_is_not_followed() {
    for endpoint in ["http://localhost:4318", "http://127.0.0.1:4317/", "localhost:4317", "http://[::1]:4318"] {
        let (plan, warnings) = load_with(&[("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)], &[]).unwrap();
        assert_eq!(plan.exporters.len(), 2, "{endpoint}");
        assert!(warnings[0].to_string().contains("this program's own receiver"), "{warnings:?}");
    }
}
