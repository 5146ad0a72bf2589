//! Every configuration that is shipped is one, versions and ports are the same everywhere, and what one file
//! says of another is true.

use std::collections::BTreeSet;

use dragoman::service::plan::Plan;
use serde_yaml::Value;

use super::{assert_valid, at, blocks, files_named, items, parsed, read, root, text};

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// What a container of dragoman listens on: OTLP twice, metrics, its own metrics, health.
const PORTS: [u64; 5] = [4317, 4318, 8888, 9464, 13133];

#[test]
fn every_configuration_is_valid() {
    let files: Vec<_> = ["deploy/docker/config.yaml", "deploy/compose/dragoman.yaml", "deploy/llama-stack/config.yaml"]
        .into_iter()
        .map(Into::into)
        .chain(files_named("deploy/kubernetes", "config.yaml"))
        .collect();
    assert!(files.len() >= 6, "{files:?}");
    for file in files {
        assert_valid(&file.display().to_string(), &[&read(&file)]);
    }
    let of_operator = parsed("deploy/operator/collector.yaml");
    assert_valid("operator", &[&serde_yaml::to_string(at(&of_operator, "spec.config")).unwrap()]);
    let of_chart = parsed("deploy/helm/dragoman/values.yaml");
    assert_valid("chart", &[&serde_yaml::to_string(at(&of_chart, "config")).unwrap()]);
}

/// Without an address the operator writes readers of its own; its `internal/otelconfig/config.go` at 0.158.0.
#[test]
fn what_the_operator_adds_is_understood() {
    let mut resource = parsed("deploy/operator/collector.yaml");
    let metrics = "readers: [{ pull: { exporter: { prometheus: { host: 0.0.0.0, port: 8888 } } } }]";
    let metrics: Value = serde_yaml::from_str(metrics).unwrap();
    resource["spec"]["config"]["service"]["telemetry"]["metrics"] = metrics;
    resource["spec"]["config"]["extensions"]["health_check"]["path"] = "/".into();
    assert_valid("operator", &[&serde_yaml::to_string(at(&resource, "spec.config")).unwrap()]);
}

#[test]
fn snippets_in_the_documents_are_valid() {
    let default = Plan::default_yaml();
    let document = read("docs/deployment.md");
    let found = blocks(&document, "yaml");
    assert!(!found.is_empty());
    for block in found {
        assert_valid("docs/deployment.md", &[default, &block]);
    }
    let chart = serde_yaml::to_string(at(&parsed("deploy/helm/dragoman/values.yaml"), "config")).unwrap();
    let found = blocks(&read("deploy/helm/dragoman/README.md"), "yaml");
    assert!(!found.is_empty());
    for block in found {
        let values: Value = serde_yaml::from_str(&block).unwrap();
        assert_valid("the chart's README", &[&chart, &serde_yaml::to_string(at(&values, "config")).unwrap()]);
    }
}

#[test]
fn the_image_has_the_embedded_default_but_for_addresses_and_memory() {
    let image = read("deploy/docker/config.yaml").replace("0.0.0.0", "127.0.0.1");
    let mut image: Value = serde_yaml::from_str(&image).unwrap();
    let mut default: Value = serde_yaml::from_str(Plan::default_yaml()).unwrap();
    for configuration in [&mut image, &mut default] {
        configuration["processors"]["memory_limiter"]
            .as_mapping_mut()
            .unwrap()
            .retain(|key, _| key == "check_interval");
    }
    assert_eq!(image, default);
}

/// Ports that a configuration listens on.
fn listens_on(configuration: &Value) -> BTreeSet<u64> {
    let endpoints = [
        "receivers.otlp.protocols.grpc.endpoint",
        "receivers.otlp.protocols.http.endpoint",
        "exporters.prometheus.endpoint",
        "extensions.health_check.endpoint",
        "service.telemetry.metrics.address",
    ];
    endpoints.iter().map(|path| text(configuration, path).rsplit_once(':').unwrap().1.parse().unwrap()).collect()
}

#[test]
fn ports_are_the_same_everywhere() {
    let ports = BTreeSet::from(PORTS);
    let dockerfile = read("deploy/docker/Dockerfile");
    let exposed = dockerfile.lines().find_map(|line| line.strip_prefix("EXPOSE ")).unwrap();
    assert_eq!(exposed.split(' ').map(|port| port.parse().unwrap()).collect::<BTreeSet<u64>>(), ports);
    assert_eq!(listens_on(&parsed("deploy/docker/config.yaml")), ports);
    assert_eq!(listens_on(&parsed("deploy/compose/dragoman.yaml")), ports);
    for file in files_named("deploy/kubernetes", "config.yaml") {
        assert_eq!(listens_on(&parsed(&file)), ports, "{file:?}");
    }
    let compose = parsed("deploy/compose/compose.yaml");
    let published: BTreeSet<u64> = items(at(&compose, "services.dragoman.ports"))
        .map(|port| port.as_str().unwrap().strip_prefix("127.0.0.1:").unwrap().split(':').next().unwrap())
        .map(|port| port.parse().unwrap())
        .collect();
    assert_eq!(published, ports);
}

#[test]
fn versions_are_those_of_the_program() {
    let image = format!("dragoman:{VERSION}");
    let chart = parsed("deploy/helm/dragoman/Chart.yaml");
    assert_eq!(text(&chart, "appVersion"), VERSION);
    assert_eq!(text(&parsed("deploy/operator/collector.yaml"), "spec.image"), image);
    assert!(read("deploy/docker/Dockerfile").contains(&format!("\nARG VERSION={VERSION}\n")));
    assert!(read("deploy/compose/compose.yaml").contains(&format!("{{DRAGOMAN_IMAGE:-{image}}}")));
    let kustomizations: Vec<_> = files_named("deploy/kubernetes", "kustomization.yaml");
    assert_eq!(kustomizations.len(), 4);
    for file in kustomizations {
        let images = parsed(&file);
        assert_eq!(text(&images["images"][0], "newTag"), VERSION, "{file:?}");
    }
    for kind in ["deployment", "daemonset", "statefulset"] {
        for file in files_named("deploy/kubernetes", &format!("{kind}.yaml")) {
            assert!(read(&file).contains(&format!("image: {image}\n")), "{file:?}");
        }
    }
    let toolchain = read("rust-toolchain.toml");
    let channel = toolchain.lines().find_map(|line| line.strip_prefix("channel = ")).unwrap().trim_matches('"');
    assert!(read("deploy/docker/Dockerfile").contains(&format!("rust:{channel}-")));
}

/// Grafana finds the dashboards, Prometheus its rules, and both the services by their names.
#[test]
fn the_compose_stack_fits_together() {
    let compose = parsed("deploy/compose/compose.yaml");
    let folder = root().join("deploy/compose");
    let services = at(&compose, "services").as_mapping().unwrap();
    for (name, service) in services {
        let name = name.as_str().unwrap();
        for volume in items(at(service, "volumes")) {
            let source = volume.as_str().unwrap().split(':').next().unwrap();
            let is_named = at(&compose, "volumes").get(source).is_some();
            assert!(is_named || folder.join(source).exists(), "{name}: there is no {source}");
        }
        for key in ["read_only", "cap_drop", "security_opt", "mem_limit"] {
            assert!(service.get(key).is_some(), "{name} has no {key}");
        }
        assert!(name == "traffic" || service.get("healthcheck").is_some(), "{name}");
        let image = text(service, "image").trim_end_matches('}');
        let tag = image.rsplit_once(':').unwrap().1;
        assert!(tag != "latest" && tag.contains('.'), "{name}: {image} is not pinned");
    }
    let provisioning = parsed("deploy/grafana/provisioning/dashboards/dragoman.yaml");
    let path = text(&provisioning["providers"][0], "options.path");
    let mounts: Vec<_> = items(at(&compose, "services.grafana.volumes")).map(|mount| mount.as_str().unwrap()).collect();
    assert!(mounts.contains(&format!("../grafana/dashboards:{path}:ro").as_str()), "{mounts:?}");
    let hosts = |text: &str| services.keys().any(|name| text.starts_with(&format!("{}:", name.as_str().unwrap())));
    for source in items(at(&parsed("deploy/grafana/provisioning/datasources/dragoman.yaml"), "datasources")) {
        assert!(hosts(text(source, "url").strip_prefix("http://").unwrap()), "{source:?}");
    }
    for job in items(at(&parsed("deploy/prometheus/prometheus.yml"), "scrape_configs")) {
        for target in items(&job["static_configs"][0]["targets"]) {
            let target = target.as_str().unwrap();
            assert!(hosts(target) || target.starts_with("localhost:"), "{target}");
        }
    }
    let backend = parsed("deploy/compose/dragoman.yaml");
    assert!(hosts(at(&backend, "exporters")["otlp_grpc/jaeger"]["endpoint"].as_str().unwrap()));
}

/// What is cut off at the end is lost: everybody waits longer than the program takes.
#[test]
fn everybody_waits_for_the_end() {
    let seconds = |text: &str| text.trim_end_matches('s').parse::<u64>().unwrap();
    // `dragoman --help` says the default; the manifests say it again.
    let help = std::process::Command::new(env!("CARGO_BIN_EXE_dragoman")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let after = help.split_once("--shutdown-timeout").unwrap().1;
    let default = after.split_once("[default: ").unwrap().1.split(']').next().unwrap();
    let compose = parsed("deploy/compose/compose.yaml");
    assert!(seconds(text(&compose, "services.dragoman.stop_grace_period")) > seconds(default));
    let unit = read("deploy/systemd/dragoman.service");
    let stop = unit.lines().find_map(|line| line.strip_prefix("TimeoutStopSec=")).unwrap();
    assert!(seconds(stop) > seconds(default));
}

/// The table of values and the schema name what there is, and nothing else.
#[test]
fn every_value_of_the_chart_is_in_its_table_and_schema() {
    let values = parsed("deploy/helm/dragoman/values.yaml");
    let readme = read("deploy/helm/dragoman/README.md");
    let schema: serde_json::Value = serde_json::from_str(&read("deploy/helm/dragoman/values.schema.json")).unwrap();
    let names: BTreeSet<_> = values.as_mapping().unwrap().keys().map(|name| name.as_str().unwrap()).collect();
    for name in &names {
        assert!(readme.contains(&format!("`{name}")), "{name} is not in the table");
    }
    let known = schema["properties"].as_object().unwrap().keys().map(String::as_str);
    // Helm itself gives every chart `global`.
    assert_eq!(known.filter(|name| *name != "global").collect::<BTreeSet<_>>(), names);
    for row in readme.lines().filter(|line| line.starts_with("| `")) {
        for cell in row.trim_matches('|').split(" | ").next().unwrap().split('`').skip(1).step_by(2) {
            let name = cell.trim_start_matches('.').split('.').next().unwrap();
            assert!(cell.starts_with('.') || names.contains(name), "{cell} is in the table alone");
        }
    }
}

/// A version below 1.0 promises to its patches, later ones to their minor versions.
fn promised_by(version: &str) -> &str {
    let parts = if version.starts_with("0.") { 2 } else { 1 };
    let end = version.match_indices('.').nth(parts - 1).map_or(version.len(), |(at, _)| at);
    &version[..end]
}

#[test]
fn files_of_versions_with_the_same_promise_are_taken() {
    let mut versions: Vec<_> = std::fs::read_dir(root().join("tests/deploy/promised"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .map(|name| name.strip_suffix(".yaml").unwrap().to_owned())
        .collect();
    versions.sort();
    assert!(versions.iter().any(|version| version == VERSION), "{VERSION} has no file in tests/deploy/promised");
    for version in versions.iter().filter(|version| promised_by(version) == promised_by(VERSION)) {
        assert_valid(version, &[&read(format!("tests/deploy/promised/{version}.yaml"))]);
    }
}

#[test]
fn promises_end_with_a_major_version() {
    for (version, promise) in [("0.1.0", "0.1"), ("0.12.3", "0.12"), ("1.2.3", "1"), ("10.0.0", "10")] {
        assert_eq!(promised_by(version), promise);
    }
}
