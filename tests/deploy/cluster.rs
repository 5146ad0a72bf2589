//! The manifests as a cluster gets them: rendered by kustomize and by Helm, valid by Kubernetes' own schemas in
//! the oldest version that is promised and in the newest that is known, and true to each other. No schema
//! says that a mounted volume is there, or that a probe's port has that name; [`assert_joined`] does.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_yaml::Value;

use super::{assert_valid, at, checked_by_schema, documents, items, printed, root, run, text, tools};

/// Of the chart's `kubeVersion` and the documents; `restartPolicy: Always` of init containers is on from here.
const OLDEST: &str = "1.29.0";
const NEWEST: &str = "1.37.0";

const CHART: &str = "deploy/helm/dragoman";
const MODES: [&str; 3] = ["deployment", "daemonset", "statefulset"];

fn helm() -> Command {
    Command::new(tools().join("bin/helm"))
}

fn template(version: &str, arguments: &[&str]) -> Command {
    let mut command = helm();
    command.args(["template", "release", CHART, "--namespace", "telemetry", "--kube-version", version]).args(arguments);
    command
}

/// What is rendered of the chart with the values that are kept beside it.
fn of_mode(mode: &str, version: &str) -> String {
    printed(&mut template(version, &["-f", &format!("{CHART}/ci/{mode}-values.yaml")]))
}

fn kustomized(folder: &str) -> String {
    printed(Command::new(tools().join("bin/kustomize")).args(["build", &format!("deploy/kubernetes/{folder}")]))
}

/// Fails unless all of it is valid in the oldest and in the newest version.
fn assert_valid_manifests(manifests: &[String]) {
    for version in [OLDEST, NEWEST] {
        let (is_valid, said) = checked_by_schema(&["kubernetes", version, "-"], &manifests.join("\n---\n"));
        assert!(is_valid, "{said}");
    }
}

#[test]
fn kustomizations_are_valid_and_joined() {
    let folders = ["sidecar", "daemonset", "gateway", "gateway-durable"];
    let mut manifests: Vec<_> = folders.into_iter().map(kustomized).collect();
    for (folder, manifests) in folders.iter().zip(&manifests) {
        assert_joined(folder, &documents(manifests));
    }
    // Not in a kustomization; to be added where the load is not steady.
    let autoscaling = super::read("deploy/kubernetes/gateway/autoscaling.yaml");
    let target = text(&documents(&autoscaling)[0], "spec.scaleTargetRef.name").to_owned();
    let gateway = documents(&manifests[2]);
    let is_it = |object: &Value| text(object, "kind") == "Deployment" && text(object, "metadata.name") == target;
    assert!(gateway.iter().any(is_it), "there is no Deployment {target}");
    manifests.push(autoscaling);
    assert_valid_manifests(&manifests);
}

#[test]
fn the_chart_is_clean() {
    for arguments in [vec![], vec!["deployment"], vec!["daemonset"], vec!["statefulset"]] {
        let values = arguments.iter().map(|mode| format!("--values={CHART}/ci/{mode}-values.yaml"));
        printed(helm().args(["lint", "--strict", CHART]).args(values));
    }
}

#[test]
fn the_chart_is_valid_and_joined_in_every_mode() {
    let mut kinds = BTreeSet::new();
    for version in [OLDEST, NEWEST] {
        let manifests = MODES.map(|mode| of_mode(mode, version));
        let (is_valid, said) = checked_by_schema(&["kubernetes", version, "-"], &manifests.join("\n---\n"));
        assert!(is_valid, "{said}");
        for (mode, manifests) in MODES.iter().zip(&manifests) {
            let objects = documents(manifests);
            assert_joined(mode, &objects);
            kinds.extend(objects.iter().map(|object| text(object, "kind").to_owned()));
        }
    }
    let definition = tools().join("servicemonitor.yaml");
    let (is_valid, said) =
        checked_by_schema(&["definition", definition.to_str().unwrap(), "-"], &of_mode("deployment", OLDEST));
    assert!(is_valid, "{said}");
    let known = "ConfigMap DaemonSet Deployment HorizontalPodAutoscaler NetworkPolicy PodDisruptionBudget Service \
                 ServiceAccount ServiceMonitor StatefulSet";
    assert_eq!(kinds.iter().map(String::as_str).collect::<Vec<_>>().join(" "), known);
    assert_joined("default", &documents(&printed(&mut template(NEWEST, &[]))));
}

/// `DRAGOMAN_GOLDEN=write` writes them anew; the difference is to be read.
#[test]
fn the_chart_renders_what_it_rendered() {
    for mode in MODES {
        let file = root().join(format!("tests/deploy/golden/{mode}.yaml"));
        let rendered = of_mode(mode, NEWEST);
        if std::env::var_os("DRAGOMAN_GOLDEN").is_some_and(|word| word == "write") {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, &rendered).unwrap();
        }
        let expected = std::fs::read_to_string(&file).unwrap();
        let first = rendered.lines().zip(expected.lines()).position(|(is, was)| is != was);
        assert!(rendered == expected, "{mode}: another than {file:?}, from line {:?}", first.map(|line| line + 1));
    }
}

#[test]
fn a_value_that_there_is_not_is_refused() {
    for (wrong, named) in [
        ("mod=daemonset", "mod"),
        ("mode=sidecar", "mode"),
        ("image.digest=latest", "digest"),
        ("config.receiver.otlp=1", "receiver"),
        ("persistence.size=lots", "size"),
    ] {
        let (is_taken, _, said) = run(&mut template(NEWEST, &["--set", wrong]), "");
        assert!(!is_taken && said.contains(named), "{wrong}: {said}");
    }
}

/// The schemas are strict: a misspelt key is found, and so is one of a later Kubernetes.
#[test]
fn a_manifest_with_a_mistake_is_found() {
    let manifests = kustomized("sidecar");
    for (right, wrong) in [
        ("readOnlyRootFilesystem: true", "readOnlyRootFileSystem: true"),
        ("containerPort: 9464", "containerPort: metrics"),
        ("restartPolicy: Always", "restartPolicys: Always"),
    ] {
        assert!(manifests.contains(right));
        let (is_valid, said) = checked_by_schema(&["kubernetes", OLDEST, "-"], &manifests.replace(right, wrong));
        assert!(!is_valid, "{wrong}: {said}");
    }
}

#[test]
fn a_sidecar_starts_first_and_gates_the_application() {
    let objects = documents(&kustomized("sidecar"));
    let deployment = objects.iter().find(|object| text(object, "kind") == "Deployment").unwrap();
    let sidecar = items(at(deployment, "spec.template.spec.initContainers")).next().unwrap();
    assert_eq!(text(sidecar, "restartPolicy"), "Always");
    assert_eq!(at(sidecar, "startupProbe.httpGet.path"), "/");
}

/// Everything that one object says of another, or of itself, is true.
fn assert_joined(what: &str, objects: &[Value]) {
    let of_kind = |kind: &'static str| objects.iter().filter(move |object| text(object, "kind") == kind);
    let workloads: Vec<_> = ["Deployment", "DaemonSet", "StatefulSet"].into_iter().flat_map(of_kind).collect();
    assert_eq!(workloads.len(), 1, "{what}");
    let workload = workloads[0];
    let template = at(workload, "spec.template");
    let pod = at(template, "spec");
    let labels = at(template, "metadata.labels");
    let configuration = of_kind("ConfigMap").find_map(|map| at(map, "data").get("config.yaml")).unwrap();
    let configuration = configuration.as_str().unwrap();
    assert_valid(what, &[configuration]);

    let is_selected = |selector: &Value| {
        let selector = selector.as_mapping().unwrap();
        !selector.is_empty() && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
    };
    assert!(is_selected(at(workload, "spec.selector.matchLabels")), "{what}: the workload does not select its pods");

    let config_maps: BTreeSet<_> = of_kind("ConfigMap").map(|map| text(map, "metadata.name")).collect();
    let mut volumes = BTreeSet::new();
    for volume in items(at(pod, "volumes")) {
        volumes.insert(text(volume, "name"));
        if let Some(name) = at(volume, "configMap.name").as_str() {
            assert!(config_maps.contains(name), "{what}: there is no ConfigMap {name} in {config_maps:?}");
        }
    }
    let claims = items(at(workload, "spec.volumeClaimTemplates"));
    volumes.extend(claims.map(|claim| text(claim, "metadata.name")));

    let mut ports = BTreeSet::new();
    let mut mounted = BTreeSet::new();
    for container in items(at(pod, "initContainers")).chain(items(at(pod, "containers"))) {
        let name = text(container, "name");
        ports.extend(items(at(container, "ports")).map(|port| text(port, "name")));
        mounted.extend(items(at(container, "volumeMounts")).map(|mount| text(mount, "name")));
        assert_restricted(&format!("{what}: {name}"), pod, container);
        assert!(at(container, "resources.limits.memory").is_string(), "{what}: {name} may take all memory");
        if !at(workload, "spec.volumeClaimTemplates").is_null() {
            let group = at(container, "securityContext.runAsGroup").as_u64();
            assert_eq!(at(pod, "securityContext.fsGroup").as_u64(), group, "{what}: whose the volumes are");
        }
        if name == "dragoman" {
            assert_runs(what, pod, container, configuration);
        }
    }
    assert_eq!(mounted, volumes, "{what}: what is mounted, what is there");

    for service in of_kind("Service") {
        assert!(is_selected(at(service, "spec.selector")), "{what}: a Service selects nothing");
        for port in items(at(service, "spec.ports")) {
            assert!(ports.contains(text(port, "targetPort")), "{what}: {port:?}");
        }
    }
    for budget in of_kind("PodDisruptionBudget") {
        assert!(is_selected(at(budget, "spec.selector.matchLabels")), "{what}");
    }
    for policy in of_kind("NetworkPolicy") {
        assert!(is_selected(at(policy, "spec.podSelector.matchLabels")), "{what}");
        let named = items(at(policy, "spec.ingress")).flat_map(|rule| items(at(rule, "ports")));
        let named: Vec<_> = named.map(|port| text(port, "port")).collect();
        assert_eq!(named, ["otlp-grpc", "otlp-http", "metrics", "self-metrics"], "{what}");
    }
    if let Some(name) = at(workload, "spec.serviceName").as_str() {
        let own = of_kind("Service").find(|service| text(service, "metadata.name") == name);
        assert_eq!(own.map(|service| text(service, "spec.clusterIP")), Some("None"), "{what}");
    }
    for monitor in of_kind("ServiceMonitor") {
        let wanted = at(monitor, "spec.selector.matchLabels").as_mapping().unwrap();
        let fits =
            |service: &&Value| wanted.iter().all(|(key, value)| at(service, "metadata.labels").get(key) == Some(value));
        let services: Vec<_> = of_kind("Service").filter(fits).collect();
        assert_eq!(services.len(), 1, "{what}: each pod is to be scraped once");
        let offered: BTreeSet<_> = items(at(services[0], "spec.ports")).map(|port| text(port, "name")).collect();
        let scraped: BTreeSet<_> =
            items(at(monitor, "spec.endpoints")).map(|endpoint| text(endpoint, "port")).collect();
        assert_eq!(scraped, offered, "{what}");
    }
}

/// The Pod Security Standard `restricted`, and a root that is read-only.
fn assert_restricted(what: &str, pod: &Value, container: &Value) {
    let security = at(container, "securityContext");
    let either = |path: &str| match at(security, path) {
        Value::Null => at(pod, &format!("securityContext.{path}")).clone(),
        own => own.clone(),
    };
    assert_eq!(either("runAsNonRoot"), true, "{what}");
    assert_eq!(text(&either("seccompProfile"), "type"), "RuntimeDefault", "{what}");
    assert_eq!(at(security, "allowPrivilegeEscalation").as_bool(), Some(false), "{what}");
    assert_eq!(at(security, "readOnlyRootFilesystem").as_bool(), Some(true), "{what}");
    assert_eq!(items(at(security, "capabilities.drop")).collect::<Vec<_>>(), ["ALL"], "{what}");
    assert!(either("runAsUser").as_u64() > Some(0), "{what}");
    let is_of_the_node = ["hostNetwork", "hostPID", "hostIPC"].iter().any(|key| pod.get(key).is_some());
    assert!(!is_of_the_node, "{what}");
}

/// Dragoman's own container: the ports of its configuration, probes that can be asked, time to end.
fn assert_runs(what: &str, pod: &Value, container: &Value, configuration: &str) {
    let ports = items(at(container, "ports"));
    let ports: Vec<_> = ports.map(|port| (text(port, "name"), at(port, "containerPort").as_u64().unwrap())).collect();
    let configuration: Value = serde_yaml::from_str(configuration).unwrap();
    for (name, endpoint) in [
        ("otlp-grpc", "receivers.otlp.protocols.grpc.endpoint"),
        ("otlp-http", "receivers.otlp.protocols.http.endpoint"),
        ("metrics", "exporters.prometheus.endpoint"),
        ("self-metrics", "service.telemetry.metrics.address"),
        ("health", "extensions.health_check.endpoint"),
    ] {
        let (host, port) = text(&configuration, endpoint).rsplit_once(':').unwrap();
        let is_for_others = host != "127.0.0.1";
        let opened = ports.iter().find(|(found, _)| *found == name).map(|(_, port)| port.to_string());
        assert_eq!(opened, is_for_others.then(|| port.to_owned()), "{what}: {endpoint}");
    }
    let has_address = items(at(container, "env")).any(|variable| {
        text(variable, "name") == "MY_POD_IP" && at(variable, "valueFrom.fieldRef.fieldPath") == "status.podIP"
    });
    assert!(has_address, "{what}");
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        let probe = at(container, probe);
        assert_eq!(text(probe, "httpGet.port"), "health", "{what}");
        assert_eq!(text(probe, "httpGet.path"), "/", "{what}");
    }
    let arguments: Vec<_> = items(at(container, "args")).map(|argument| argument.as_str().unwrap()).collect();
    let folder = Path::new(arguments[1]).parent().unwrap().to_str().unwrap();
    assert_eq!(arguments[0], "--config", "{what}");
    assert!(items(at(container, "volumeMounts")).any(|mount| text(mount, "mountPath") == folder), "{what}");
    let timeout = arguments.iter().skip_while(|argument| **argument != "--shutdown-timeout").nth(1).unwrap();
    let timeout: u64 = timeout.trim_end_matches('s').parse().unwrap();
    let sleep = at(container, "lifecycle.preStop.sleep.seconds").as_u64().unwrap_or(0);
    let grace = at(pod, "terminationGracePeriodSeconds").as_u64().unwrap();
    assert!(timeout + sleep < grace, "{what}: {timeout} s and {sleep} s do not fit into {grace} s");
}
