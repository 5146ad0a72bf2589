//! What `validate` says about broken configurations: the exact lines.

#![allow(clippy::unwrap_used, reason = "helpers of tests stand outside of test functions")]

use dragoman::config::{Place, Source};
use dragoman::service::plan::Plan;

fn environment(name: &str) -> Option<String> {
    match name {
        "TOKEN" => Some("hunter2\u{7}".into()),
        "NUMBER" => Some("hunter2".into()),
        "URL" => Some("ftp://user:hunter2@host".into()),
        "NAME" => Some("hunter2".into()),
        _ => None,
    }
}

/// A configuration around what a case is about.
fn whole(exporter: &str) -> String {
    format!(
        "receivers:\n  otlp: {{ protocols: {{ grpc: }} }}\n\
         service:\n  pipelines:\n    traces: {{ receivers: [otlp], exporters: [otlp/x] }}\n\
         exporters:\n  otlp/x:\n    endpoint: http://backend:4317\n{exporter}"
    )
}

fn problems_of(yaml: &str) -> Vec<String> {
    match Plan::load(&[Source::Yaml(yaml.to_owned())], &environment) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.to_string().lines().map(|line| line.replacen("yaml::", "", 1)).collect(),
    }
}

fn warnings_of(yaml: &str) -> Vec<String> {
    let (_, warnings) = Plan::load(&[Source::Yaml(yaml.to_owned())], &environment).unwrap();
    let warnings = warnings.iter().map(|warning| warning.to_string().replacen("yaml::", "", 1));
    // What every configuration is told that only forwards is tested in `config_advice.rs`.
    warnings.filter(|warning| !warning.contains("names the genai processor")).collect()
}

/// MLflow's pages, and others', give their users the whole URL.
#[test]
fn a_whole_url_where_the_base_should_be() {
    let warnings = |endpoint: &str| {
        warnings_of(&format!(
            "receivers:\n  otlp: {{ protocols: {{ grpc: }} }}\n\
             service:\n  pipelines:\n    traces: {{ receivers: [otlp], exporters: [otlp_http] }}\n\
             exporters:\n  otlp_http:\n    endpoint: {endpoint}\n"
        ))
    };
    assert_eq!(
        warnings("http://mlflow:5000/v1/traces"),
        ["8:5: warning: exporters.otlp_http.endpoint: is the base, so that requests go to ...\
             /v1/traces/v1/traces; leave /v1/traces out, or name the whole URL in traces_endpoint"]
    );
    assert_eq!(warnings("http://mlflow:5000/v1/metrics/").len(), 1);
    for base in ["http://mlflow:5000", "http://prometheus:9090/api/v1/otlp", "http://a/v1/tracesmore"] {
        assert_eq!(warnings(base), [""; 0], "{base}");
    }
}

#[test]
fn an_exporters_keys() {
    // Line 9 is the first of the case.
    for (yaml, lines) in [
        ("", &[][..]),
        ("    endpiont: a:1\n", &["9:5: exporters.otlp/x.endpiont: unknown key; did you mean endpoint?"][..]),
        (
            "    timeout: 5\n",
            &[
                "9:14: exporters.otlp/x.timeout: found 5; expected a duration longer than zero with its unit, such as 200ms, 5s or 1m30s",
            ],
        ),
        (
            "    compression: snappy\n",
            &["9:18: exporters.otlp/x.compression: found \"snappy\"; expected none, gzip or zstd"],
        ),
        (
            "    tls: { insecure: \"true\" }\n",
            &["9:22: exporters.otlp/x.tls.insecure: found \"true\"; expected true or false; leave the quotes out"],
        ),
        (
            "    sending_queue:\n      queue_size: lots\n",
            &[
                "10:19: exporters.otlp/x.sending_queue.queue_size: found \"lots\"; expected a whole number of bytes, at least 1",
            ],
        ),
        (
            "    sending_queue: { queue_size: 1000 }\n",
            &[
                "9:34: exporters.otlp/x.sending_queue.queue_size: 1000 is too small for a queue in bytes; the Collector counts requests, a queue here is bounded in bytes: at least 65536, 67108864 by default",
            ],
        ),
        (
            "    sending_queue: { sizer: requests, queue_size: 1000 }\n",
            &[
                "9:29: exporters.otlp/x.sending_queue.sizer: \"requests\" is not how a queue is bounded here; bytes is the only sizer: write sizer: bytes, and queue_size in bytes (67108864 by default)",
            ],
        ),
        (
            "    sending_queue: { storage: file_storage }\n",
            &["9:31: exporters.otlp/x.sending_queue.storage: \"file_storage\" is not defined under extensions"],
        ),
        (
            "    retry_on_failure: { randomization_factor: 2, multiplier: 0.5, max_elapsed_time: 1s }\n",
            &[
                "9:5: exporters.otlp/x.retry_on_failure: max_elapsed_time is shorter than initial_interval: nothing would be retried; expected a longer one, or 0 for ever",
                "9:47: exporters.otlp/x.retry_on_failure.randomization_factor: found 2; expected a number from 0 to 1",
                "9:62: exporters.otlp/x.retry_on_failure.multiplier: found 0.5; expected a number from 1 to 100",
            ],
        ),
        ("    headers: [a]\n", &["9:15: exporters.otlp/x.headers[0]: found a value; expected a mapping of keys"]),
        (
            "    timeout: 5s\n    timeout: 6s\n",
            &["10:5: exporters.otlp/x.timeout: the key stands twice in one mapping"],
        ),
        (
            "    <<: { timeout: 5s }\n",
            &[
                "9:5: exporters.otlp/x.<<: merge keys are not supported; write the keys out, or alias (*name) a whole value",
            ],
        ),
        (
            "    timeout: !duration 5s\n",
            &[
                "9:14: exporters.otlp/x.timeout: a tag is not supported; leave it out, or quote the value if it begins with !",
            ],
        ),
        (
            "    timeout: ${env:NOBODY}\n",
            &[
                "9:14: exporters.otlp/x.timeout: the environment variable NOBODY is not set; set it, or give a default: ${env:NOBODY:-default}",
            ],
        ),
        // One mistake, one line: what could not be put in is not missing as well.
        (
            "  otlp/y:\n    endpoint: ${env:NOBODY}\n",
            &[
                "10:15: exporters.otlp/y.endpoint: the environment variable NOBODY is not set; set it, or give a default: ${env:NOBODY:-default}",
            ],
        ),
        (
            "    timeout: ${file:/x}\n",
            &[
                "9:14: exporters.otlp/x.timeout: ${file:...} is not supported; only the environment can be put in: ${env:NAME} or ${env:NAME:-default}",
            ],
        ),
    ] {
        assert_eq!(problems_of(&whole(yaml)), lines, "{yaml}");
    }
}

#[test]
fn everything_wrong_is_told_at_once_in_the_files_order() {
    let yaml = "\
receivers:
  otlp:
    protocols:
      grpc: { endpoint: localhost }
      http: { max_request_body_size: 20MiB }
processors:
  queue_batch:
  drop/x: { rules: [ { name: { regex: 'a(b' } }, {} ] }
  memory_limiter: { check_interval: 0s }
exporters:
  otlp/jaeger: { tls: { insecure: yes } }
  zipkin: { endpoint: http://zipkin:9411 }
service:
  extensions: [health_check]
  pipelines:
    trace: { receivers: [otlp], exporters: [otlp/jaeger] }
    metrics: { receivers: [otpl], processors: [drop/x, drop/x], exporters: [] }
    logs: { exporters: [otlp/jaegr, memory_limiter] }
";
    let expected = "\
4:25: receivers.otlp.protocols.grpc.endpoint: \"localhost\" has no port; expected host:port, such as 127.0.0.1:4317 or localhost:4317
5:38: receivers.otlp.protocols.http.max_request_body_size: found \"20MiB\"; expected a whole number of bytes from 1024 to 1073741824
7:3: processors.queue_batch: is not a processor of this program; put requests together with the batch processor, or with sending_queue.batch of an exporter
8:39: processors.drop/x.rules[0].name.regex: \"a(b\" is not a regular expression: unclosed group, at character 2; expected a regular expression of the regex crate (as RE2: no look-around, no backreferences)
8:50: processors.drop/x.rules[1]: names nothing; expected resource, scope, name, kind, status or attributes; all that are named must match
9:37: processors.memory_limiter.check_interval: found \"0s\"; expected a duration longer than zero with its unit, such as 200ms, 5s or 1m30s
11:3: exporters.otlp/jaeger.endpoint: is missing; expected host:port, such as jaeger:4317, or a URL such as http://jaeger:4317
11:35: exporters.otlp/jaeger.tls.insecure: found \"yes\"; expected true or false
12:3: exporters.zipkin: is not an exporter of this program; it is not part of this program: run a Collector behind it and export there with otlp_grpc
14:16: service.extensions[0]: \"health_check\" is not defined under extensions
16:5: service.pipelines.trace: \"trace\" is not a pipeline of a signal, with or without /name; did you mean traces?
17:5: service.pipelines.metrics: has no exporter; expected at least one in exporters
17:28: service.pipelines.metrics.receivers[0]: \"otpl\" is not defined under receivers or connectors; did you mean otlp?
17:48: service.pipelines.metrics.processors[0]: \"drop/x\" takes traces, not metrics; leave it out of this pipeline
17:56: service.pipelines.metrics.processors[1]: \"drop/x\" stands twice in one list; expected it once
18:5: service.pipelines.logs.receivers: is missing; expected at least one receiver
18:25: service.pipelines.logs.exporters[0]: \"otlp/jaegr\" is not defined under exporters or connectors; did you mean otlp/jaeger?
18:37: service.pipelines.logs.exporters[1]: \"memory_limiter\" is the id of a processor, and not defined under exporters or connectors; expected otlp/jaeger or zipkin";
    assert_eq!(problems_of(yaml).join("\n"), expected);
}

#[test]
fn how_pipelines_are_joined() {
    let with = |connectors: &str, pipelines: &str| {
        format!(
            "receivers: {{ otlp: {{ protocols: {{ grpc: , http: }} }} }}\nconnectors: {{ {connectors} }}\n\
             exporters: {{ debug: , prometheus: }}\nservice:\n  pipelines:\n{pipelines}"
        )
    };
    for (connectors, pipelines, lines) in [
        (
            "genai_metrics:",
            "    traces: { receivers: [otlp], exporters: [genai_metrics] }\n",
            &[
                "6:46: service.pipelines.traces.exporters[0]: \"genai_metrics\" gives to no pipeline; expected it under receivers of another pipeline too",
            ][..],
        ),
        (
            "genai_metrics:",
            "    metrics: { receivers: [genai_metrics], exporters: [debug] }\n",
            &[
                "6:28: service.pipelines.metrics.receivers[0]: \"genai_metrics\" takes from no pipeline; expected it under exporters of another pipeline too",
            ],
        ),
        (
            "genai_metrics:",
            "    logs: { receivers: [genai_metrics], exporters: [genai_metrics] }\n",
            &[
                "6:25: service.pipelines.logs.receivers[0]: \"genai_metrics\" gives metrics, not logs; leave it out of this pipeline",
                "6:53: service.pipelines.logs.exporters[0]: \"genai_metrics\" takes traces, not logs; leave it out of this pipeline",
            ],
        ),
        (
            "debug:",
            "    traces: { receivers: [otlp], exporters: [prometheus] }\n",
            &[
                "2:15: connectors.debug: \"debug\" is not a connector of this program; expected genai_metrics",
                "2:15: connectors.debug: is also the id of an exporter; give one of them another name: type/name",
                "6:46: service.pipelines.traces.exporters[0]: \"prometheus\" takes metrics, not traces; leave it out of this pipeline",
            ],
        ),
        (
            "spanmetrics:",
            "    traces: { receivers: [otlp], exporters: [debug] }\n",
            &[
                "2:15: connectors.spanmetrics: is not a connector of this program; the genai_metrics connector derives token and duration metrics from LLM spans",
            ],
        ),
        (
            "",
            "    {}\n",
            &["5:3: service.pipelines: has no pipeline; expected at least one of traces, metrics and logs"],
        ),
    ] {
        assert_eq!(problems_of(&with(connectors, pipelines)), lines, "{pipelines}");
    }
    assert_eq!(problems_of("receivers:\n"), ["1:1: service: is missing; expected pipelines below it"]);
}

#[test]
fn addresses() {
    let yaml = "\
receivers:
  otlp: { protocols: { grpc: { endpoint: 0.0.0.0:4317 }, http: } }
exporters:
  prometheus: { endpoint: '127.0.0.1:4317' }
  otlp/loop: { endpoint: 'http://localhost:4317' }
  otlp_http: { traces_endpoint: 'http://localhost:4318/v1/traces' }
extensions:
  health_check: { endpoint: localhost:8888 }
service:
  extensions: [health_check]
  pipelines:
    traces: { receivers: [otlp], exporters: [otlp/loop, otlp_http] }
    metrics: { receivers: [otlp], exporters: [prometheus, otlp_http] }
";
    let expected = "\
4:17: exporters.prometheus.endpoint: listens where receivers.otlp.protocols.grpc.endpoint does; give it a port of its own
5:16: exporters.otlp/loop.endpoint: exports to this program's own receivers.otlp.protocols.grpc.endpoint: telemetry would go round for ever; give it the address of the backend
6:16: exporters.otlp_http.traces_endpoint: exports to this program's own receivers.otlp.protocols.http.endpoint: telemetry would go round for ever; give it the address of the backend
9:1: service.telemetry.metrics.address: listens where extensions.health_check.endpoint does; give it a port of its own
13:59: service.pipelines.metrics.exporters[1]: \"otlp_http\" has no endpoint for metrics; expected endpoint or metrics_endpoint in exporters.otlp_http";
    assert_eq!(problems_of(yaml).join("\n"), expected);
}

#[test]
fn what_comes_from_the_environment_is_never_shown() {
    for yaml in [
        "    headers: { authorization: \"${env:TOKEN}\" }\n",
        "    headers: { authorization: \"Bearer ${TOKEN}\" }\n",
        "    timeout: ${env:NUMBER}\n",
        "    compression: x${env:NUMBER}\n",
        "    sending_queue: { queue_size: \"${env:NUMBER}\" }\n",
        "    tls: \"${env:NUMBER}\"\n",
        "    traces_endpoint: ${env:URL}\n    endpoint: ${env:URL}\n",
        "  otlphttp/x: { endpoint: \"${env:URL}\" }\n  prometheus: { namespace: \"${env:NAME}\\u0007\" }\n  otlp/y: { endpoint: \"http://${env:NAME}@x:1\" }\n",
        "extensions: { health_check: { endpoint: \"${env:NAME}\" } }\nprocessors: { drop: { rules: [ { name: { regex: \"(${env:NAME}\" } } ] } }\n",
    ] {
        let lines = problems_of(&whole(yaml)).join("\n");
        assert!(!lines.is_empty(), "{yaml}");
        assert!(!lines.contains("hunter2"), "{lines}");
    }
    let reference = "receivers: { otlp: { protocols: { grpc: } } }\nexporters: { debug: }\nservice: { pipelines: { traces: { receivers: [otlp], exporters: [\"${env:NAME}\"] } } }\n";
    assert_eq!(
        problems_of(reference),
        [
            "3:66: service.pipelines.traces.exporters[0]: a value from the environment is not defined under exporters or connectors; expected debug"
        ]
    );
    // Credentials that stand in the file are not repeated either.
    let lines = problems_of(&whole("  otlphttp/y: { endpoint: 'http://user:hunter2@x' }\n")).join("\n");
    assert!(lines.contains("has credentials") && !lines.contains("hunter2"), "{lines}");
}

#[test]
fn what_has_no_effect_is_said() {
    let base = whole(
        "    keepalive: { time: 30s }\n    wait_for_ready: false\n    sending_queue: { queue_size: 100000, enabled: false, batch: { min_size: 5 } }\n  debug:\n",
    );
    assert_eq!(
        warnings_of(&base),
        [
            "11:22: warning: exporters.otlp/x.sending_queue.queue_size: is in bytes here, not in requests; write sizer: bytes beside it if that is meant",
            "11:58: warning: exporters.otlp/x.sending_queue.batch: has no effect: without a queue (enabled: false) nothing waits",
            "12:3: warning: exporters.debug: is used by no pipeline and does not run",
        ]
    );
    let plain = whole("  otlp_grpc/y: { endpoint: jaeger:4317 }\n").replace("[otlp/x]", "[otlp/x, otlp_grpc/y]");
    let told = warnings_of(&plain);
    assert!(told.len() == 1 && told[0].contains("tls: { insecure: true }"), "{told:?}");
}

#[test]
fn batches() {
    let exporter = |settings: &str| problems_of(&whole(&format!("    sending_queue: {{ {settings} }}\n")));
    assert_eq!(
        exporter(
            "batch: { min_size: 10, max_size: 9, flush_timeout: 0s, sizer: requests, partition: { metadata_keys: [x] } }"
        ),
        [
            "9:22: exporters.otlp/x.sending_queue.batch: max_size is smaller than min_size (10); expected at least as much, or 0 for no limit",
            "9:73: exporters.otlp/x.sending_queue.batch.flush_timeout: found \"0s\"; expected a duration longer than zero with its unit, such as 200ms, 5s or 1m30s",
            "9:84: exporters.otlp/x.sending_queue.batch.sizer: \"requests\" is not how a batch is measured; items or bytes",
            "9:107: exporters.otlp/x.sending_queue.batch.partition.metadata_keys: is not supported; leave it out: requests are put together whatever headers they came with",
        ]
    );
    assert_eq!(
        exporter("sizer: bytes, queue_size: 100000, batch: { min_size: 100001 }"),
        [
            "9:56: exporters.otlp/x.sending_queue.batch: min_size (100001) is more than the queue has room for; expected at most queue_size (100000)"
        ]
    );
    let processor = |settings: &str| {
        whole("").replace("exporters: [otlp/x]", "exporters: [otlp/x], processors: [batch]")
            + &format!("processors:\n  batch: {{ {settings} }}\n")
    };
    assert_eq!(
        problems_of(&processor("send_batch_size: 10, send_batch_max_size: 9, metadata_keys: [tenant]")),
        [
            "10:3: processors.batch: send_batch_max_size is smaller than send_batch_size (10); expected at least as much, or 0 for no limit",
            "10:57: processors.batch.metadata_keys: is not supported; leave it out: requests are put together whatever headers they came with",
        ]
    );
    assert_eq!(
        warnings_of(&processor("metadata_keys: [], metadata_cardinality_limit: 1000")),
        ["10:31: warning: processors.batch.metadata_cardinality_limit: has no effect here: there are no metadata_keys"]
    );
}

#[test]
fn the_memory_limiter() {
    let with = |limiter: &str, processors: &str| {
        let pipeline = format!("exporters: [otlp/x], processors: [{processors}]");
        whole("").replace("exporters: [otlp/x]", &pipeline)
            + &format!("processors:\n  genai:\n  memory_limiter: {{ {limiter} }}\n")
    };
    assert_eq!(
        problems_of(&with("limit_mib: 10, spike_limit_mib: 10", "memory_limiter, genai")),
        [
            "11:53: processors.memory_limiter.spike_limit_mib: 10 is not below the limit: every request would be refused; expected less than the limit"
        ]
    );
    assert_eq!(
        problems_of(&with("limit_mib: ten", "memory_limiter, genai")),
        [
            "11:32: processors.memory_limiter.limit_mib: found \"ten\"; expected a whole number of MiB from 1 to 4294967296"
        ]
    );
    assert_eq!(
        problems_of(&with("limit_percentage: 10, spike_limit_percentage: 10", "memory_limiter, genai")),
        [
            "11:67: processors.memory_limiter.spike_limit_percentage: 10 is not below the limit: every request would be refused; expected less than the limit"
        ]
    );
    assert_eq!(
        warnings_of(&with("limit_mib: 10", "memory_limiter, genai")),
        [
            "11:21: warning: processors.memory_limiter.limit_mib: leaves little for requests: the program takes about as much without any"
        ]
    );
    let limiter = "limit_mib: 100, min_gc_interval_when_soft_limited: 10s";
    assert_eq!(
        warnings_of(&with(limiter, "genai, memory_limiter")),
        [
            "5:75: warning: service.pipelines.traces.processors[1]: should be the first processor: what comes before it works on requests that it then refuses",
            "11:37: warning: processors.memory_limiter.min_gc_interval_when_soft_limited: has no effect here: there is no garbage collector",
        ]
    );
}

#[test]
fn every_source_is_named_in_its_own_problems() {
    let directory = tempfile::tempdir().unwrap();
    let first = directory.path().join("first.yaml");
    let second = directory.path().join("second.yaml");
    let broken = directory.path().join("broken.yaml");
    let absent = directory.path().join("absent.yaml");
    std::fs::write(&first, format!("\u{feff}{}", whole("    timeout: soon\n    compression: lz4\n"))).unwrap();
    std::fs::write(&second, "# first line\nexporters: { otlp/x: { compression: gzip, time_out: 1s } }\n").unwrap();
    std::fs::write(&broken, "a: [1,\nb: }\n").unwrap();
    let file = |path: &std::path::Path| Source::File(path.to_owned());

    let problems = Plan::load(&[file(&first), file(&second)], &environment).unwrap_err();
    let places: Vec<_> = problems.problems.iter().map(|problem| (&problem.place, problem.path.as_str())).collect();
    let place = |path: &std::path::Path, line, column| Place {
        source: path.display().to_string(),
        position: Some((line, column)),
    };
    assert_eq!(
        places,
        [(&place(&first, 9, 14), "exporters.otlp/x.timeout"), (&place(&second, 2, 43), "exporters.otlp/x.time_out"),]
    );

    let problems = Plan::load(&[file(&first), file(&broken), file(&absent)], &environment).unwrap_err().to_string();
    assert!(problems.contains(&format!("{}:2:", broken.display())), "{problems}");
    assert!(problems.contains(&format!("{}: cannot be opened", absent.display())), "{problems}");
    assert_eq!(problems.lines().count(), 2, "what follows from an unreadable file is not told: {problems}");

    let problems = Plan::load(&[Source::Env("NOBODY".into())], &environment).unwrap_err().to_string();
    assert_eq!(problems, "env:NOBODY: the variable is not set; expected a configuration in it");
}

#[test]
fn a_substitution_in_brackets_without_quotes_is_explained() {
    let lines = problems_of("exporters:\n  otlp: { endpoint: ${env:NAME} }\n");
    assert_eq!(lines.len(), 1);
    assert!(lines[0].starts_with("2:") && lines[0].ends_with("needs quotes: \"${env:NAME}\""), "{lines:?}");
}

#[test]
fn a_flood_of_mistakes_is_cut() {
    let many: String = (0..500).map(|n| format!("    key{n}: 1\n")).collect();
    let lines = problems_of(&whole(&many));
    assert_eq!(lines.len(), 51);
    assert_eq!(lines[50], "and 450 more");
}

#[test]
fn what_a_prometheus_exporter_cannot_do_is_said() {
    let with = |keys: &str| {
        format!(
            "receivers: {{ otlp: {{ protocols: {{ grpc: }} }} }}
service: {{ pipelines: {{ metrics: {{ receivers: [otlp], exporters: [prometheus] }} }} }}
exporters:
  prometheus:
    {keys}
"
        )
    };
    for (keys, problem) in [
        ("metric_expiration: 5", "5:24: exporters.prometheus.metric_expiration: found 5"),
        ("translation_strategy: Dots", "5:27: exporters.prometheus.translation_strategy: found \"Dots\""),
        ("cardinality_limit: 0", "5:24: exporters.prometheus.cardinality_limit: found 0"),
        (
            "resource_constant_labels: { included: host.name }",
            "5:43: exporters.prometheus.resource_constant_labels.included",
        ),
        (
            "resource_constant_labels: { include: [host.name] }",
            "5:33: exporters.prometheus.resource_constant_labels.include",
        ),
        ("const_labels: [a]", "5:19: exporters.prometheus.const_labels"),
        ("auth: { authenticator: x }", "5:5: exporters.prometheus.auth: is not supported"),
    ] {
        let wrong = problems_of(&with(keys));
        assert!(wrong.iter().any(|line| line.starts_with(problem)), "{problem}: {wrong:#?}");
    }
    assert_eq!(
        warnings_of(&with("enable_open_metrics: true")),
        [
            "5:5: warning: exporters.prometheus.enable_open_metrics: has no effect here: OpenMetrics, with exemplars, is given to every scraper that accepts it"
        ]
    );
}

#[test]
fn a_mapping_of_a_current_name() {
    let load = |mappings: &str| {
        problems_of(&format!(
            "receivers:\n  otlp: {{ protocols: {{ grpc: }} }}\n\
             exporters:\n  otlp: {{ endpoint: http://backend:4317 }}\n\
             processors:\n  genai:\n    mappings: {mappings}\n\
             service:\n  pipelines:\n    traces: {{ receivers: [otlp], processors: [genai], exporters: [otlp] }}\n"
        ))
    };
    let lines = load("{ gen_ai.provider.name: gen_ai.agent.name }");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].contains("gen_ai.provider.name is a name of target 1.41 itself, whose values stay as they are"),
        "{lines:?}"
    );
    assert_eq!(load("[ { key: gen_ai.input.messages, to: gen_ai.output.messages } ]").len(), 1);
    // A legacy name, and a name that only the other target has.
    assert_eq!(load("{ gen_ai.prompt: gen_ai.system_instructions }"), [""; 0]);
    assert_eq!(load("{ gen_ai.usage.cache_write.input_tokens: gen_ai.usage.output_tokens }"), [""; 0]);
    // A name that nothing can be written to would be left out in silence.
    let lines = load("{ acme.model: gen_ai.request.modle }");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("\"gen_ai.request.modle\" is no attribute of the GenAI conventions"), "{lines:?}");
    assert!(lines[0].contains("did you mean gen_ai.request.model?"), "{lines:?}");
}

/// A configuration with a `genai` processor in these pipelines.
fn joining(join_logs: &str, pipelines: &str) -> String {
    format!(
        "receivers: {{ otlp: {{ protocols: {{ grpc: }} }} }}\n\
         processors:\n  genai:\n    join_logs: {{ {join_logs} }}\n\
         exporters: {{ debug: }}\n\
         service:\n  pipelines:\n{pipelines}"
    )
}

#[test]
fn the_joining_of_logs() {
    let pipeline = |id: &str| format!("    {id}: {{ receivers: [otlp], processors: [genai], exporters: [debug] }}\n");
    let both = pipeline("traces") + &pipeline("logs");
    for (join_logs, pipelines, lines) in [
        ("", both.clone(), &[][..]),
        ("enabled: true", both.clone(), &[]),
        ("enabled: false", pipeline("traces"), &[]),
        (
            "enabled: true",
            pipeline("traces"),
            &["4:5: processors.genai.join_logs: joins nothing: genai stands in no pipeline of logs; put it into one \
               pipeline of traces and one of logs; others take one of another name"],
        ),
        (
            "enabled: true",
            both.clone() + &pipeline("logs/b"),
            &[
                "4:5: processors.genai.join_logs: cannot tell which call is whose: genai stands in 2 pipelines of logs; \
               put it into one pipeline of traces and one of logs; others take one of another name",
            ],
        ),
        (
            "enabled: true, wait_duration: 10m",
            both.clone(),
            &[
                "4:48: processors.genai.join_logs.wait_duration: \"10m\" is too long; expected at most 5m: what waits is lost \
               if the program crashes",
            ],
        ),
        (
            "enabled: true, wait: 5s",
            both.clone(),
            &[
                "4:33: processors.genai.join_logs.wait: unknown key; expected enabled, wait_duration, max_items or max_bytes",
            ],
        ),
        (
            "enabled: true, max_items: 0",
            both.clone(),
            &["4:44: processors.genai.join_logs.max_items: found 0; expected a whole number of spans and log records \
               from 1 to 1000000"],
        ),
    ] {
        assert_eq!(problems_of(&joining(join_logs, &pipelines)), lines, "{join_logs}\n{pipelines}");
    }
}

#[test]
fn a_rule_for_native_metrics_that_there_is_not() {
    let yaml = "receivers: { otlp: { protocols: { grpc: } } }\n\
        processors:\n  genai: { native_metrics: replac }\n\
        exporters: { debug: }\n\
        service: { pipelines: { metrics: { receivers: [otlp], processors: [genai], exporters: [debug] } } }\n";
    assert_eq!(
        problems_of(yaml),
        ["3:28: processors.genai.native_metrics: found \"replac\"; expected replace, defer or both"]
    );
    let list = problems_of(&yaml.replace("replac }", "[defer] }"));
    assert_eq!(list, ["3:28: processors.genai.native_metrics: found a list; expected replace, defer or both"]);
    for rule in ["replace", "defer", "both"] {
        assert_eq!(problems_of(&yaml.replace("replac }", &format!("{rule} }}"))), [""; 0]);
    }
}

/// A queue on disk, and where its folder is named.
#[test]
fn the_storage_of_a_queue() {
    let with = |storage: &str, extensions: &str, runs: &str| {
        whole(&format!("    sending_queue: {{ storage: {storage} }}\n"))
            .replace("service:\n", &format!("extensions: {{ {extensions} }}\nservice:\n  extensions: [{runs}]\n"))
    };
    let good = with("file_storage/a", "file_storage/a: { directory: /var/queues, timeout: 2s }", "file_storage/a");
    assert_eq!(problems_of(&good), [""; 0]);
    for (storage, extensions, runs, said) in [
        (
            "file_storage/b",
            "file_storage/a: , health_check: ",
            "file_storage/a",
            "sending_queue.storage: \"file_storage/b\" is not defined under extensions; did you mean file_storage/a?",
        ),
        (
            "file_storage",
            "file_storage: , health_check: ",
            "health_check",
            "sending_queue.storage: \"file_storage\" does not run; expected file_storage in the list service.extensions too",
        ),
        (
            "health_check",
            "health_check: ",
            "health_check",
            "sending_queue.storage: \"health_check\" is an extension that keeps nothing; expected the id of a file_storage extension",
        ),
        (
            "file_storage, enabled: false",
            "file_storage: ",
            "file_storage",
            "sending_queue.storage: \"file_storage\" keeps nothing without a queue; expected enabled: true, or no storage",
        ),
    ] {
        let told = problems_of(&with(storage, extensions, runs));
        assert_eq!(told.len(), 1, "{told:?}");
        let (place, rest) = told[0].split_once(": exporters.otlp/x.").unwrap();
        assert!(place.split(':').all(|number| number.parse::<u32>().is_ok()), "{told:?}");
        assert_eq!(rest, said);
    }
    let keys = "file_storage: { max_size: 10, directory_permissions: \"0500\", timeout: soon, dir: x }";
    let told = problems_of(&with("file_storage", keys, "file_storage")).join("\n");
    for said in [
        "extensions.file_storage.max_size: 10 is too small for a queue; expected at least 65536 bytes, or 0 for no bound",
        "extensions.file_storage.directory_permissions: \"0500\" locks this program out; expected the owner's rwx, as in 0750 or 0700",
        "extensions.file_storage.timeout: found \"soon\"; expected a duration",
        "extensions.file_storage.dir: unknown key",
    ] {
        assert!(told.contains(said), "{told}");
    }
    let keys = "file_storage: { fsync: false, recreate: true, compaction: { on_start: true, directory: /tmp } }";
    let told = warnings_of(&with("file_storage", keys, "file_storage")).join("\n");
    for said in [
        "extensions.file_storage.fsync: is off: requests are acknowledged before they are on the disk, and a power failure loses them",
        "extensions.file_storage.recreate: has no effect here",
        "extensions.file_storage.compaction: has no effect here",
    ] {
        assert!(told.contains(said), "{told}");
    }
}
