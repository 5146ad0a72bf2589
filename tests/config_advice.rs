//! A configuration that was written for a Collector forwards, and it is said what it does not do: the lines
//! that `validate` prints make it translate and count, as they are.

#![allow(clippy::unwrap_used, reason = "helpers of tests stand outside of test functions")]

use dragoman::config::Source;
use dragoman::service::plan::{Id, Input, Output, PipelinePlan, Plan};

/// As Llama Stack's telemetry set-up has it.
const COLLECTOR: &str = "
receivers:
  otlp: { protocols: { grpc: { endpoint: 0.0.0.0:4317 }, http: { endpoint: 0.0.0.0:4318 } } }
processors:
  batch: { timeout: 1s, send_batch_size: 1024 }
exporters:
  otlp/jaeger: { endpoint: jaeger:4317, tls: { insecure: true } }
  otlphttp/mlflow: { endpoint: http://mlflow:5001, headers: { x-mlflow-experiment-id: \"0\" } }
  prometheus: { endpoint: 0.0.0.0:9464, namespace: llama_stack }
  debug: { verbosity: detailed }
service:
  pipelines:
    traces: { receivers: [otlp], processors: [batch], exporters: [otlp/jaeger, otlphttp/mlflow, debug] }
    metrics: { receivers: [otlp], processors: [batch], exporters: [prometheus, debug] }
";

/// The same file as this program's users get it.
const OURS: &str = include_str!("../deploy/llama-stack/config.yaml");

fn load(yaml: &[&str]) -> (Plan, Vec<String>) {
    let sources: Vec<Source> = yaml.iter().map(|text| Source::Yaml((*text).to_owned())).collect();
    let (plan, warnings) = Plan::load(&sources, &|_| None).unwrap_or_else(|problems| panic!("{problems}\n{yaml:?}"));
    let warnings = warnings.iter().map(ToString::to_string);
    // What a batch does not do is of no interest here.
    (plan, warnings.filter(|warning| !warning.contains(".processors[")).collect())
}

/// A pipeline in words: `otlp,genai_metrics > genai,batch > prometheus`.
fn words(pipeline: &PipelinePlan) -> String {
    let ids = |ids: Vec<&Id>| ids.into_iter().map(Id::as_str).collect::<Vec<_>>().join(",");
    let inputs = pipeline.receivers.iter().map(|input| match input {
        Input::Receiver(id) | Input::Connector(id) => id,
    });
    let outputs = pipeline.exporters.iter().map(|output| match output {
        Output::Exporter(id) | Output::Connector(id) => id,
    });
    let stages = pipeline.stages.iter().map(|stage| &stage.id);
    format!("{} > {} > {}", ids(inputs.collect()), ids(stages.collect()), ids(outputs.collect()))
}

fn pipelines(plan: &Plan) -> Vec<(String, String)> {
    plan.pipelines.iter().map(|pipeline| (pipeline.id.to_string(), words(pipeline))).collect()
}

/// The advice for a configuration, and what it becomes with it.
fn with_advice(yaml: &str) -> (String, Plan) {
    let (plan, warnings) = load(&[yaml]);
    let advice = plan.advice().unwrap_or_else(|| panic!("no advice for {yaml}"));
    assert!(warnings.iter().any(|warning| warning.contains("names the genai processor")), "{warnings:?}");
    let (better, warnings) = load(&[yaml, &advice]);
    assert_eq!((better.advice(), warnings), (None, Vec::new()), "{advice}");
    // Nothing of what was there is gone.
    assert_eq!(&better.exporters[..plan.exporters.len()], &plan.exporters[..]);
    assert_eq!(better.receivers, plan.receivers);
    (advice, better)
}

#[test]
fn the_collector_of_llama_stack_needs_these_lines() {
    let (_, plan) = with_advice(COLLECTOR);
    let expected = [
        ("traces", "otlp > genai,fold_chunks,drop/sqlite,batch > otlp/jaeger,otlphttp/mlflow,debug,genai_metrics"),
        ("metrics", "otlp,genai_metrics > genai,batch > prometheus,debug"),
    ];
    assert_eq!(pipelines(&plan), expected.map(|(id, words)| (id.to_owned(), words.to_owned())));
    // The page about it shows what is printed.
    let is_mlflow = |line: &&str| line.trim_start().starts_with("otlphttp/mlflow");
    let without = COLLECTOR.lines().filter(|line| !is_mlflow(line)).collect::<Vec<_>>().join("\n");
    let (advice, _) = with_advice(&without.replace("otlphttp/mlflow, ", ""));
    assert!(include_str!("../docs/from-the-collector.md").contains(&advice), "{advice}");
}

#[test]
fn the_file_that_is_deployed_is_theirs_with_these_lines() {
    let (_, theirs) = with_advice(COLLECTOR);
    let (ours, warnings) = load(&[OURS]);
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(ours.receivers, theirs.receivers);
    // Of their exporters MLflow's is a comment; a terminal is not for whole requests.
    for (id, settings) in ours.exporters.iter().filter(|(id, _)| id.as_str() != "debug") {
        let found = theirs.exporters.iter().find(|(other, _)| other == id).unwrap();
        assert_eq!(&found.1, settings, "{id}");
    }
    for (pipeline, other) in ours.pipelines.iter().zip(&theirs.pipelines) {
        let theirs = words(other).replace(",otlphttp/mlflow", "");
        assert_eq!(words(pipeline).replace(",batch", ""), theirs.replace(",batch", ""));
    }
    assert_eq!(ours.pipelines.len(), theirs.pipelines.len() + 1, "and one of logs");
}

#[test]
fn a_limiter_stays_first_and_every_pipeline_is_meant() {
    let yaml = "
receivers: { otlp: { protocols: { grpc: } } }
processors: { batch: , memory_limiter: }
exporters: { debug: , otlp/a: { endpoint: 'a:1' }, prometheus: }
service:
  pipelines:
    logs: { receivers: [otlp], processors: [memory_limiter], exporters: [otlp/a] }
    metrics/own: { receivers: [otlp], exporters: [otlp/a] }
    metrics/page: { receivers: [otlp], exporters: [prometheus] }
    traces: { receivers: [otlp], processors: [memory_limiter, batch], exporters: [otlp/a] }
    traces/b: { receivers: [otlp], exporters: [debug] }
";
    let (_, plan) = with_advice(yaml);
    let expected = [
        ("logs", "otlp > memory_limiter,genai > otlp/a"),
        ("metrics/own", "otlp > genai > otlp/a"),
        ("metrics/page", "otlp,genai_metrics > genai > prometheus"),
        ("traces", "otlp > memory_limiter,genai,fold_chunks,drop/sqlite,batch > otlp/a,genai_metrics"),
        ("traces/b", "otlp > genai,fold_chunks,drop/sqlite > debug,genai_metrics"),
    ];
    assert_eq!(pipelines(&plan), expected.map(|(id, words)| (id.to_owned(), words.to_owned())));
}

#[test]
fn without_a_pipeline_of_metrics_there_is_one_afterwards() {
    let yaml = "receivers: { otlp: { protocols: { grpc: } } }\nexporters: { debug: }\n\
                service: { pipelines: { traces: { receivers: [otlp], exporters: [debug] } } }\n";
    let (_, plan) = with_advice(yaml);
    assert_eq!(pipelines(&plan)[1], ("metrics".to_owned(), "genai_metrics >  > prometheus/genai".to_owned()));
}

#[test]
fn whatever_stands_in_an_id_the_lines_can_be_read() {
    for name in
        ["a,b", "a]b", "a: b".replace(' ', "").as_str(), "it's", "#", "\"", "*a", "{x}", "ä", "%40", "null", "-"]
    {
        let yaml = format!(
            "receivers: {{ otlp: {{ protocols: {{ grpc: }} }} }}\nexporters:\n  ? {id}\n  :\n\
             service:\n  pipelines:\n    ? {pipeline}\n    : {{ receivers: [otlp], exporters: [ {id} ] }}\n",
            id = format_args!("'debug/{}'", name.replace('\'', "''")),
            pipeline = format_args!("'traces/{}'", name.replace('\'', "''")),
        );
        let (advice, plan) = with_advice(&yaml);
        assert_eq!(plan.pipelines[0].id.to_string(), format!("traces/{name}"), "{advice}");
    }
}

#[test]
fn who_translates_or_has_no_spans_is_told_nothing() {
    for pipelines in [
        "traces: { receivers: [otlp], processors: [genai], exporters: [debug] }",
        "logs: { receivers: [otlp], processors: [genai], exporters: [debug] }, traces: { receivers: [otlp], exporters: [debug] }",
        "metrics: { receivers: [otlp], exporters: [debug] }",
        "traces: { receivers: [otlp], processors: [drop], exporters: [debug] }",
    ] {
        let yaml = format!(
            "receivers: {{ otlp: {{ protocols: {{ grpc: }} }} }}\nprocessors: {{ genai: , drop: {{ preset: sqlite }} }}\nexporters: {{ debug: }}\n\
             service: {{ pipelines: {{ {pipelines} }} }}\n"
        );
        let (plan, warnings) = load(&[&yaml]);
        let warnings: Vec<_> = warnings.iter().filter(|warning| !warning.contains("is used by no pipeline")).collect();
        assert_eq!((plan.advice(), warnings), (None, Vec::new()), "{pipelines}");
    }
}

/// The half of the advice that is easily forgotten: tokens would be there twice.
#[test]
fn own_and_derived_metrics_that_would_add_up_are_warned_about() {
    let yaml = |processors: &str, own: &str| {
        format!(
            "receivers: {{ otlp: {{ protocols: {{ grpc: }} }} }}\nprocessors: {{ genai: }}\nconnectors: {{ genai_metrics: }}\n\
             exporters: {{ debug: , debug/2: }}\nservice:\n  pipelines:\n    \
             traces: {{ receivers: [otlp], processors: [genai], exporters: [debug, genai_metrics] }}\n    \
             metrics/own: {{ receivers: [otlp], processors: [{processors}], exporters: [{own}] }}\n    \
             metrics/derived: {{ receivers: [genai_metrics], exporters: [debug/2] }}\n"
        )
    };
    let (_, warnings) = load(&[&yaml("", "debug, debug/2")]);
    assert_eq!(
        warnings,
        [
            "yaml::8:5: warning: service.pipelines.metrics/own: GenAI metrics that applications send and the derived ones add up in debug/2: name a genai processor here, whose native_metrics keeps them apart"
        ]
    );
    assert_eq!(load(&[&yaml("genai", "debug, debug/2")]).1, Vec::<String>::new());
    assert_eq!(load(&[&yaml("", "debug")]).1, Vec::<String>::new(), "they do not meet");
}
