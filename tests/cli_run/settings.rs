//! What the configuration is: `--set` over `--config`, `print-config`, and the list of components.

use super::process::{Dragoman, file, free_port, get};
use super::{default_on_free_ports, folder, run, text};

/// What `validate` says, with its exit code.
fn validate(arguments: &[&str]) -> (Option<i32>, String) {
    let done = run(&[&["validate"], arguments].concat());
    (done.status.code(), format!("{}{}", text(&done.stdout), text(&done.stderr)))
}

fn printed(arguments: &[&str]) -> String {
    let done = run(&[&["print-config"], arguments].concat());
    assert_eq!((done.status.code(), text(&done.stderr)), (Some(0), ""), "{arguments:?}");
    text(&done.stdout).to_owned()
}

/// The value at a path of the printed configuration, as JSON.
fn value(yaml: &str, path: &[&str]) -> String {
    let json: serde_json::Value = serde_yaml::from_str(yaml).unwrap();
    path.iter().fold(&json, |value, key| value.get(key).unwrap_or(&serde_json::Value::Null)).to_string()
}

#[test]
fn a_set_wins_over_every_file_and_the_last_over_the_first() {
    let folder = folder();
    let base = file(&folder, "base.yaml", &default_on_free_ports());
    let base = base.to_str().unwrap();
    let verbosity = ["exporters", "debug", "verbosity"];
    for (arguments, expected) in [
        (vec!["--config", base], "\"basic\""),
        (vec!["--set=exporters.debug.verbosity=normal", "--config", base], "\"normal\""),
        (
            vec![
                "--config",
                base,
                "--set",
                "exporters::debug::verbosity=normal",
                "--set=exporters.debug={verbosity: detailed}",
            ],
            "\"detailed\"",
        ),
        // Without a file it stands on the embedded default.
        (vec!["--set=exporters.debug.verbosity=detailed"], "\"detailed\""),
        // Nothing behind the key is the default.
        (vec!["--config", base, "--set=exporters.debug.verbosity="], "null"),
    ] {
        assert_eq!(value(&printed(&arguments), &verbosity), expected, "{arguments:?}");
    }
    // Lists are replaced; ids have slashes, and dots behind a backslash.
    let yaml = printed(&[
        "--config",
        base,
        r"--set=exporters.otlp_grpc/eu\.west.endpoint=jaeger:4317",
        "--set=exporters.otlp_grpc/eu\\.west.tls.insecure=true",
        r"--set=service.pipelines.traces.exporters=[debug, genai_metrics, otlp_grpc/eu.west]",
    ]);
    assert_eq!(value(&yaml, &["exporters", "otlp_grpc/eu.west", "endpoint"]), "\"jaeger:4317\"");
    assert_eq!(value(&yaml, &["exporters", "otlp_grpc/eu.west", "tls", "insecure"]), "true");
    let exporters = value(&yaml, &["service", "pipelines", "traces", "exporters"]);
    assert_eq!(exporters, "[\"debug\",\"genai_metrics\",\"otlp_grpc/eu.west\"]");
}

#[test]
fn what_is_wrong_with_a_set_names_it() {
    for (set, expected) in [
        (
            "exporters.debug.verbosity=loud",
            "--set exporters.debug.verbosity: exporters.debug.verbosity: found \"loud\"; expected ",
        ),
        (
            "exporters.debug.verbosty=basic",
            "--set exporters.debug.verbosty: exporters.debug.verbosty: unknown key; did you mean verbosity?",
        ),
        ("processors.memory_limiter.limit_mib='5'", "--set processors.memory_limiter.limit_mib: "),
        ("exporters.debug.verbosity=a: b", "--set exporters.debug.verbosity: is not valid YAML: "),
        ("exporters.debug.verbosity=[", "--set exporters.debug.verbosity: is not valid YAML: "),
        (
            "exporters.debug.verbosity=${env:DRAGOMAN_NO_SUCH}",
            "--set exporters.debug.verbosity: exporters.debug.verbosity: the environment variable DRAGOMAN_NO_SUCH is not set",
        ),
        ("exporters.debug", "--set exporters.debug: has no =; expected key.path=value"),
        ("exporters..debug=1", "--set exporters..debug: is not a path of keys"),
    ] {
        let (code, said) = validate(&["--set", set]);
        assert_eq!(code, Some(1), "{set}: {said}");
        assert!(said.lines().any(|line| line.starts_with(expected)), "{set}: {said}");
    }
}

#[test]
fn a_set_holds_for_run_reload_and_explain() {
    let folder = folder();
    let path = file(&folder, "dragoman.yaml", &default_on_free_ports());
    let port = free_port();
    let set = format!("extensions.health_check.endpoint=127.0.0.1:{port}");
    let mut dragoman = Dragoman::start_with(&path, &["--no-config-watch", "--set", &set]);
    assert_eq!(dragoman.health.port(), port);
    // Another file: what was set stays set.
    std::fs::write(&path, default_on_free_ports().replace("verbosity: basic", "verbosity: detailed")).unwrap();
    dragoman.process.signal("HUP");
    dragoman.process.wait_for("a reload", |log| log.contains("the configuration is in force").then_some(()));
    assert_eq!(get(([127, 0, 0, 1], port).into(), "/").unwrap().status, 200);
    assert_eq!(dragoman.process.terminate(), Some(0));

    let spans = "tests/corpus/litellm-proxy-1.40.18/codegemma_seed/00.traces.pb";
    for target in ["1.41", "main"] {
        let set = format!("processors.genai.target='{target}'");
        let explained = run(&["explain", spans, "--set", &set]);
        assert!(text(&explained.stdout).contains(&format!("target {target}")), "{}", text(&explained.stdout));
    }
}

#[test]
fn what_is_printed_is_the_configuration() {
    let folder = folder();
    let base = file(&folder, "base.yaml", &default_on_free_ports());
    let more = "{exporters: {otlp_http: {endpoint: 'http://${env:BACKEND:-localhost}:4318', headers: {a: hunter2}}}, \
        service: {pipelines: {traces: {exporters: [otlp_http, genai_metrics]}}}}";
    let more = file(&folder, "more.yaml", more);
    let arguments = ["--config", base.to_str().unwrap(), "--config", more.to_str().unwrap()];
    let redacted = printed(&arguments);
    assert_eq!(value(&redacted, &["exporters", "otlp_http", "headers", "a"]), "\"[REDACTED]\"");
    assert_eq!(value(&redacted, &["exporters", "otlp_http", "endpoint"]), "\"http://${env:BACKEND:-localhost}:4318\"");
    let whole = printed(&[&arguments[..], &["--mode", "unredacted"]].concat());
    assert_eq!(value(&whole, &["exporters", "otlp_http", "headers", "a"]), "\"hunter2\"");
    assert_eq!(value(&whole, &["exporters", "otlp_http", "endpoint"]), "\"http://localhost:4318\"");
    assert_eq!(value(&whole, &["service", "pipelines", "traces", "exporters"]), "[\"otlp_http\",\"genai_metrics\"]");
    // It is one that says the same.
    let again = file(&folder, "again.yaml", &whole);
    let again = again.to_str().unwrap();
    assert_eq!(validate(&["--config", again]), validate(&arguments));
    assert_eq!(printed(&["--config", again, "--mode", "unredacted"]), whole);

    let broken = run(&["print-config", "--set=exporters.debug.pasword=hunter2"]);
    assert_eq!((broken.status.code(), text(&broken.stdout)), (Some(1), ""));
    assert!(text(&broken.stderr).contains("exporters.debug.pasword: unknown key"), "{}", text(&broken.stderr));
    assert!(!text(&broken.stderr).contains("hunter2"));
}

#[test]
fn components_are_those_that_a_configuration_may_name() {
    let listed = run(&["components"]);
    assert_eq!((listed.status.code(), text(&listed.stderr)), (Some(0), ""));
    let listed: serde_json::Value = serde_yaml::from_str(text(&listed.stdout)).unwrap();
    assert_eq!(listed["buildinfo"]["version"], env!("CARGO_PKG_VERSION"));
    let mut count = 0;
    for (section, components) in listed.as_object().unwrap().iter().filter(|(section, _)| *section != "buildinfo") {
        for component in components.as_array().unwrap() {
            let stability = component["stability"].as_object().unwrap();
            assert!(!stability.is_empty(), "{component}");
            let aliases = component.get("aliases").and_then(|aliases| aliases.as_array()).cloned().unwrap_or_default();
            for name in aliases.iter().chain([&component["name"]]).map(|name| name.as_str().unwrap()) {
                let (_, said) = validate(&["--set", &format!("{section}.{name}/x=")]);
                assert!(!said.contains("of this program"), "{section} {name}: {said}");
                count += 1;
            }
        }
    }
    assert!(count >= 15, "{listed}");
    assert_eq!(listed["connectors"][0]["stability"]["traces-to-metrics"], "beta");
    // The Operator's way to give a configuration, with the components of its documentation.
    let default = default_on_free_ports();
    let checked =
        Dragoman::command().args(["validate", "--config=env:OTEL_CONFIG"]).env("OTEL_CONFIG", default).output();
    assert_eq!(text(&checked.unwrap().stdout), "valid: 3 pipelines, 2 exporters\n");
}
