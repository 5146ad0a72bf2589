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
    let read = format!("the configuration is read from {}, --set extensions.health_check.endpoint", path.display());
    assert!(dragoman.process.log().contains(&read), "{}", dragoman.process.log());
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
    let valid = |arguments: &[&str]| validate(arguments).1.lines().next().map(str::to_owned);
    assert_eq!(valid(&["--config", again]), valid(&arguments));
    assert_eq!(printed(&["--config", again, "--mode", "unredacted"]), whole);

    let broken = run(&["print-config", "--set=exporters.debug.pasword=hunter2"]);
    assert_eq!((broken.status.code(), text(&broken.stdout)), (Some(1), ""));
    assert!(text(&broken.stderr).contains("exporters.debug.pasword: unknown key"), "{}", text(&broken.stderr));
    assert!(!text(&broken.stderr).contains("hunter2"));
}

#[test]
fn json_says_what_yaml_says() {
    let endpoint = "--set=exporters.otlp_http={endpoint: 'http://${env:BACKEND:-a}:4318', headers: {a: hunter2}}";
    let used = "--set=service.pipelines.logs.exporters=[otlp_http]";
    for mode in ["redacted", "unredacted"] {
        let yaml = printed(&[endpoint, used, "--mode", mode]);
        let json = printed(&[endpoint, used, "--mode", mode, "--format=json"]);
        assert_ne!(json, yaml);
        let of_yaml: serde_json::Value = serde_yaml::from_str(&yaml).unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap(), of_yaml, "{mode}");
        assert_eq!(json.contains("hunter2"), mode == "unredacted");
        assert!(json.starts_with("{\n  \""), "two spaces, as the Collector has it: {json}");
    }
    assert_eq!(printed(&["--format", "yaml"]), printed(&[]), "YAML unless JSON is asked for");
    // What is printed whole is a configuration.
    let folder = folder();
    let whole = file(&folder, "whole.json", &printed(&[endpoint, used, "--mode=unredacted", "--format=JSON"]));
    let (code, said) = validate(&["--config", whole.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(run(&["print-config", "--format=toml"]).status.code(), Some(2));
    // The Collector's older name.
    let older = run(&["print-initial-config"]);
    assert_eq!(text(&older.stdout), printed(&[]));
}

#[test]
fn what_is_not_valid_is_printed_on_demand_and_says_so() {
    let wrong = [
        "--set=exporters.debug.verbosity=loud",
        "--set=exporters.otlp_http={headers: {a: hunter2}, proxy_url: 'http://me:hunter2'}",
        "--set=exporters.otlp_http.pasword=hunter2",
        "--set=processors.nonsense={ token: hunter2 }",
    ];
    let print = |more: &[&str]| run(&[&["print-config"][..], &wrong, more].concat());
    for more in [&[][..], &["--validate"], &["--validate=true"]] {
        let refused = print(more);
        assert_eq!((refused.status.code(), text(&refused.stdout)), (Some(1), ""), "{more:?}");
        let last = text(&refused.stderr).lines().last().unwrap().to_owned();
        assert_eq!(last, "not printed, because it is not valid; --validate=false prints it all the same");
    }
    let all_the_same = print(&["--validate=false"]);
    assert_eq!(all_the_same.status.code(), Some(0));
    let (yaml, said) = (text(&all_the_same.stdout), text(&all_the_same.stderr));
    assert_eq!(value(yaml, &["exporters", "debug", "verbosity"]), "\"loud\"");
    assert_eq!(value(yaml, &["exporters", "otlp_http", "headers", "a"]), "\"[REDACTED]\"");
    // No proxy: it breaks off after a password.
    assert_eq!(value(yaml, &["exporters", "otlp_http", "proxy_url"]), "\"[REDACTED]\"");
    // Nobody knows what this is.
    assert_eq!(value(yaml, &["exporters", "otlp_http", "pasword"]), "\"[REDACTED]\"");
    assert_eq!(value(yaml, &["processors", "nonsense", "token"]), "\"[REDACTED]\"");
    assert!(said.contains("exporters.debug.verbosity: found \"loud\"") && !said.contains("hunter2"), "{said}");
    assert_eq!(said.lines().last(), Some("not valid; printed all the same, as --validate=false says"));
    // Of what is no YAML there is nothing to print.
    let broken = run(&["print-config", "--validate=false", "--config=yaml:a: ["]);
    assert_eq!((broken.status.code(), text(&broken.stdout)), (Some(1), ""));
}

#[test]
fn what_was_read_is_said_also_of_a_configuration_that_is_not_valid() {
    let default = "embedded default, --set exporters.debug.verbosity (no --config was given)";
    let (code, said) = validate(&["--set=exporters.debug.verbosity=normal"]);
    assert_eq!((code, said), (Some(0), format!("valid: 3 pipelines, 2 exporters\nread: {default}\n")));
    let (code, said) = validate(&["--set=exporters.debug.verbosity=loud"]);
    assert_eq!((code, said.lines().last()), (Some(1), Some(format!("not valid; read: {default}").as_str())));
    let exporting = Dragoman::command().arg("validate").env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:4318").output();
    let said = text(&exporting.unwrap().stdout).to_owned();
    let read = "read: embedded default, OTEL_EXPORTER_OTLP_* variables (no --config was given)";
    assert_eq!(said.lines().last(), Some(read), "{said}");
}

#[test]
fn files_that_are_not_there_are_said_before_a_start_says_it() {
    let certificate =
        "--set=receivers.otlp.protocols.http.tls={ cert_file: /nowhere/tls.crt, key_file: /nowhere/tls.key }";
    let (code, said) = validate(&[certificate]);
    assert_eq!(code, Some(1), "{said}");
    let expected = "receivers.otlp.protocols.http.tls.cert_file \"/nowhere/tls.crt\" cannot be read: No such file";
    assert!(said.starts_with(expected), "{said}");
    assert!(said.contains("\nnot valid on this machine: ") && said.contains("read: embedded default"), "{said}");
    let started = run(&[certificate]);
    assert_eq!(started.status.code(), Some(1));
    assert!(text(&started.stderr).contains(expected), "{}", text(&started.stderr));
    let (code, said) = validate(&[certificate, "--no-file-check"]);
    assert_eq!(code, Some(0), "{said}");
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
    assert_eq!(text(&checked.unwrap().stdout), "valid: 3 pipelines, 2 exporters\nread: env:OTEL_CONFIG\n");
}
