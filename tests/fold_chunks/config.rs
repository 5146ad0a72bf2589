//! How it is configured, and what is said of a configuration that cannot be meant.

use std::time::Duration;

use dragoman::config::Source;
use dragoman::processor::fold_chunks::kind::Kind;
use dragoman::processor::settings::FoldChunks;
use dragoman::service::plan::{Plan, ProcessorSettings};

/// A pipeline of traces with these processors, and their section.
fn load(processors: &str, list: &str) -> Result<(Plan, Vec<String>), Vec<String>> {
    let yaml = format!(
        "receivers: {{ otlp: {{ protocols: {{ grpc: }} }} }}\n\
         processors:\n  {processors}\n\
         exporters: {{ debug: }}\n\
         service: {{ pipelines: {{ traces: {{ receivers: [otlp], processors: [{list}], exporters: [debug] }} }} }}\n"
    );
    let said = |problem: String| problem.replacen("yaml::", "", 1);
    match Plan::load(&[Source::Yaml(yaml)], &|_| None) {
        Ok((plan, warnings)) => Ok((plan, warnings.iter().map(|warning| said(warning.to_string())).collect())),
        Err(problems) => Err(problems.to_string().lines().map(|line| said(line.to_owned())).collect()),
    }
}

fn settings(section: &str) -> FoldChunks {
    let (plan, warnings) = load(&format!("genai: {{}}\n  {section}"), "genai, fold_chunks").unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    match &plan.pipelines[0].stages[1].settings {
        ProcessorSettings::FoldChunks(settings) => settings.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_preset_can_be_switched() {
    let folded = |settings: &FoldChunks| -> Vec<&str> {
        Kind::ALL.into_iter().filter(|kind| settings.kinds.has(*kind)).map(Kind::name).collect()
    };
    let default = settings("fold_chunks: {}");
    assert_eq!(folded(&default), ["asgi_send", "asgi_receive", "openllmetry", "langtrace", "mlflow"]);
    assert_eq!((default.memory.max_spans, default.memory.ttl), (32_768, Duration::from_secs(120)));
    let other = settings(
        "fold_chunks: { presets: { asgi_receive: false, mlflow: false, mastra: true }, memory: { max_spans: 7, ttl: 3s } }",
    );
    assert_eq!(folded(&other), ["asgi_send", "openllmetry", "langtrace", "mastra"]);
    assert_eq!((other.memory.max_spans, other.memory.ttl), (7, Duration::from_secs(3)));
}

#[test]
fn what_cannot_be_meant_is_said() {
    let none = Kind::ALL.map(|kind| format!("{}: false", kind.name())).join(", ");
    let problems = load(&format!("fold_chunks: {{ presets: {{ {none} }} }}"), "fold_chunks").unwrap_err();
    assert_eq!(problems[0], "3:3: processors.fold_chunks: folds nothing; expected at least one preset that is true");
    let problems = load("fold_chunks: { presets: { asgi_sent: true } }", "fold_chunks").unwrap_err();
    assert!(problems[0].contains("presets.asgi_sent") && problems[0].contains("asgi_send"), "{problems:?}");
}

#[test]
fn in_front_of_a_translation_it_is_warned_about() {
    let both = "fold_chunks: {}\n  genai: {}";
    let (_, warnings) = load(both, "fold_chunks, genai").unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("processors[0]: should come after genai"), "{warnings:?}");
    assert!(load(both, "genai, fold_chunks").unwrap().1.is_empty());
    let (_, alone) = load("fold_chunks: {}", "fold_chunks").unwrap();
    assert!(!alone.iter().any(|warning| warning.contains("should come after")), "{alone:?}");
}
