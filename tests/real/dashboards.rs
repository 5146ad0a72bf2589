//! Every query of every dashboard and every rule, asked of a real Prometheus that scraped a sidecar
//! through which the corpus went: each has an answer, and where something can be provoked the answer is
//! not zero. What is sent is in [`traffic`].

mod traffic;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::process::{Dragoman, file, free_port};
use crate::scraper::Scraper;
use crate::tools;

/// A file of the repository.
fn deployed(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(path)
}

fn dashboards() -> Vec<(String, Value)> {
    let files = std::fs::read_dir(deployed("grafana/dashboards")).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<(String, Value)> = files
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
        })
        .collect();
    found.sort_by(|left, right| left.0.cmp(&right.0));
    found
}

/// Two pipelines to a page, and one to a backend that is not there.
fn config(target: &str, namespace: &str, folder: &Path, backend: u16) -> String {
    let queue = folder.join("queue");
    format!(
        "
receivers:
  otlp: {{ protocols: {{ grpc: {{ endpoint: 127.0.0.1:0 }}, http: {{ endpoint: 127.0.0.1:0 }} }} }}
  otlp/backup: {{ protocols: {{ http: {{ endpoint: 127.0.0.1:0 }} }} }}
processors:
  memory_limiter: {{ check_interval: 1s, limit_mib: 256 }}
  genai: {{ target: \"{target}\" }}
  drop/sqlite: {{ preset: sqlite }}
connectors:
  genai_metrics:
exporters:
  debug:
  prometheus: {{ endpoint: 127.0.0.1:0, namespace: \"{namespace}\" }}
  otlp_grpc/backup:
    endpoint: 127.0.0.1:{backend}
    tls: {{ insecure: true }}
    retry_on_failure: {{ initial_interval: 100ms, max_elapsed_time: 2s }}
    sending_queue: {{ storage: file_storage, sizer: bytes, queue_size: 100000 }}
extensions:
  health_check: {{ endpoint: 127.0.0.1:0 }}
  file_storage: {{ directory: {}, create_directory: true }}
service:
  extensions: [health_check, file_storage]
  telemetry: {{ metrics: {{ address: 127.0.0.1:0 }} }}
  pipelines:
    traces: {{ receivers: [otlp], processors: [memory_limiter, genai, drop/sqlite], exporters: [debug, genai_metrics] }}
    traces/backup: {{ receivers: [otlp/backup], exporters: [otlp_grpc/backup] }}
    metrics: {{ receivers: [otlp, genai_metrics], processors: [memory_limiter, genai], exporters: [prometheus] }}
    logs: {{ receivers: [otlp], processors: [memory_limiter, genai], exporters: [debug] }}
",
        queue.display()
    )
}

/// Prometheus with the files of `deploy/prometheus`, in which only addresses and intervals are others.
fn prometheus(dragoman: &Dragoman) -> Scraper {
    let folder = tempfile::tempdir().unwrap();
    for rules in ["rules.yml", "alerts.yml"] {
        std::fs::copy(deployed("prometheus").join(rules), folder.path().join(rules)).unwrap();
    }
    Scraper::configured(folder, |address| {
        let mut config = std::fs::read_to_string(deployed("prometheus/prometheus.yml")).unwrap();
        for (shipped, here) in [
            ("scrape_interval: 15s", "scrape_interval: 5s\n  scrape_timeout: 5s".to_owned()),
            ("evaluation_interval: 15s", "evaluation_interval: 1s".to_owned()),
            ("dragoman:9464", dragoman.prometheus.unwrap().to_string()),
            ("dragoman:8888", dragoman.own_metrics.to_string()),
            ("localhost:9090", address.to_string()),
        ] {
            assert!(config.contains(shipped), "{shipped} is not in prometheus.yml");
            config = config.replace(shipped, &here);
        }
        config
    })
}

/// Waits until both pages were scraped once more, which says what was sent before this.
fn wait_for_scrape(prometheus: &mut Scraper) {
    // A scrape may be under way: the one after it began now.
    let scrapes = "min(sum_over_time(up{job=~\"dragoman.*\"}[1h]))";
    let before = prometheus.value(scrapes).unwrap_or_default();
    prometheus.wait_for(scrapes, |now| now >= before + 2.0);
}

/// A query with the values of variables, as Grafana puts them in.
fn substituted(expression: &str, namespace: &str) -> String {
    let variables = [
        ("${namespace}", namespace),
        ("$__rate_interval", "1m"),
        ("$__range", "15m"),
        ("$__interval", "15s"),
        ("$service", ".*"),
        ("$model", ".*"),
        ("$job", "(dragoman)"),
        ("$instance", ".*"),
    ];
    let text = variables.iter().fold(expression.to_owned(), |text, (name, value)| text.replace(name, value));
    assert!(!text.contains('$'), "a variable that is not known: {text}");
    text
}

/// Panels whose value is zero here: nothing that is sent provokes a defect, a failing disk, a listener's
/// TLS or a series that cannot be shown.
const ZERO: [&str; 6] = [
    "Unaccounted for",
    "Tasks that died",
    "Requests that met a defect",
    "Failures of queues on disk",
    "Failed TLS handshakes",
    "Series left out of the last scrape",
];

/// What the variable of a namespace is for the exporter's key.
fn choice(namespace: &str) -> String {
    if namespace.is_empty() { "()".to_owned() } else { format!("{namespace}_") }
}

/// The sidecar of a target, everything that is sent to it, and the Prometheus that scraped it all.
fn filled(folder: &tempfile::TempDir, target: &str, namespace: &str) -> (Dragoman, Scraper) {
    let text = config(target, namespace, folder.path(), free_port());
    let path = file(folder, "dragoman.yaml", &text);
    let dragoman = Dragoman::start(&path);
    let backup = address_of(&dragoman, "otlp/backup");
    let mut prometheus = prometheus(&dragoman);
    prometheus.wait_for("min(up{job=~\"dragoman.*\"})", |up| up >= 1.0);
    for half in 0..2 {
        traffic::half(dragoman.http, half);
        for (repetition, configuration) in ["receivers: [", &text].into_iter().enumerate() {
            let round = u64::try_from(2 * half + repetition + 1).unwrap();
            traffic::steady(dragoman.http, round);
            traffic::servers(dragoman.http, round);
            traffic::refused(dragoman.http);
            traffic::until_full(backup);
            std::fs::write(&path, configuration).unwrap();
            dragoman.process.signal("HUP");
            wait_for_scrape(&mut prometheus);
        }
    }
    prometheus.wait_for("sum(dragoman_pipeline_lost_items_total{exporter=\"otlp_grpc/backup\"})", |lost| lost >= 1.0);
    wait_for_scrape(&mut prometheus);
    (dragoman, prometheus)
}

/// The address of a receiver that is not the first one.
fn address_of(dragoman: &Dragoman, receiver: &str) -> SocketAddr {
    let log = dragoman.process.log();
    let line = log.lines().find(|line| line.contains(&format!("(receivers.{receiver})"))).unwrap();
    line.split_whitespace().find_map(|word| word.parse().ok()).unwrap()
}

/// What is wrong with the queries of the panels, by panel.
fn asked(prometheus: &Scraper, name: &str, dashboard: &Value, namespace: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row") {
        let title = panel["title"].as_str().unwrap();
        let (mut largest, targets) = (0.0_f64, panel["targets"].as_array().unwrap());
        assert!(!targets.is_empty(), "{name}: {title} has no query");
        for target in targets {
            let expression = substituted(target["expr"].as_str().unwrap(), namespace);
            match prometheus.values(&expression) {
                Ok(values) if values.is_empty() => wrong.push(format!("{name}: {title}: no data\n  {expression}")),
                Ok(values) => largest = values.iter().map(|value| value.abs()).fold(largest, f64::max),
                Err(error) => wrong.push(format!("{name}: {title}: {error}\n  {expression}")),
            }
        }
        if largest == 0.0 && !ZERO.contains(&title) {
            wrong.push(format!("{name}: {title}: nothing but zeros"));
        }
    }
    wrong
}

/// Variables that are looked up have something to choose.
fn chosen(prometheus: &Scraper, name: &str, dashboard: &Value, namespace: &str) -> Vec<String> {
    let variables = dashboard["templating"]["list"].as_array().unwrap().iter();
    let queries = variables.filter(|variable| variable["type"] == "query").map(|variable| {
        let query = variable["query"]["query"].as_str().unwrap();
        let arguments = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')')).unwrap();
        arguments.rsplit_once(", ").unwrap()
    });
    let asked = queries.map(|(selector, label)| {
        let selector = substituted(selector, namespace);
        let found = prometheus.api(&format!("label/{label}/values"), &[("match[]", &selector)]);
        let count = found.as_ref().ok().and_then(|values| values.as_array()).map_or(0, Vec::len);
        (count == 0).then(|| format!("{name}: {selector} has no {label}: {found:?}"))
    });
    asked.flatten().collect()
}

/// Every rule is sound, and what it records is there; the books balance.
fn recorded(prometheus: &Scraper) -> Vec<String> {
    let rules = prometheus.api("rules", &[]).unwrap();
    let rules: Vec<Value> = rules["groups"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|group| group["rules"].as_array().unwrap().clone())
        .collect();
    assert!(rules.len() > 25, "{rules:#?}");
    let mut wrong = Vec::new();
    for rule in rules {
        let name = rule["name"].as_str().unwrap();
        if rule["health"] != "ok" {
            wrong.push(format!("rule {name}: {}", rule["lastError"]));
        }
        if rule["type"] == "recording" {
            match prometheus.values(name) {
                Ok(values) if values.is_empty() => wrong.push(format!("rule {name} records nothing")),
                Ok(values) if name.ends_with("imbalance_items") && values.iter().any(|value| *value != 0.0) => {
                    wrong.push(format!("{name}: {values:?}"));
                }
                Ok(_) => {}
                Err(error) => wrong.push(format!("rule {name}: {error}")),
            }
        }
    }
    wrong
}

/// The alerts that fire or are about to.
fn alerts(prometheus: &Scraper) -> BTreeSet<String> {
    let alerts = prometheus.api("alerts", &[]).unwrap();
    let names = alerts["alerts"].as_array().unwrap().iter().map(|alert| alert["labels"]["alertname"].as_str().unwrap());
    names.map(str::to_owned).collect()
}

/// The number of a stat panel.
fn number(prometheus: &Scraper, dashboard: &Value, title: &str, namespace: &str) -> f64 {
    let panels = dashboard["panels"].as_array().unwrap();
    let panel = panels.iter().find(|panel| panel["type"] == "stat" && panel["title"] == title).unwrap();
    let expression = substituted(panel["targets"][0]["expr"].as_str().unwrap(), namespace);
    let values = prometheus.values(&expression).unwrap();
    assert!(values.len() < 2, "{title} is one number: {values:?}");
    values.first().copied().unwrap_or(f64::NAN)
}

/// The prompt and completion tokens that the Llama Stack dashboard shows of a target, and what is wrong
/// with any query.
fn every_query(target: &str, namespace: &str) -> ([f64; 2], Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let (_dragoman, prometheus) = filled(&folder, target, namespace);
    let chosen_namespace = choice(namespace);
    // Both pages are scraped without a complaint.
    let mut wrong = prometheus.errors();
    wrong.extend(recorded(&prometheus));
    let dashboards = dashboards();
    assert_eq!(dashboards.len(), 3);
    for (name, dashboard) in &dashboards {
        wrong.extend(asked(&prometheus, name, dashboard, &chosen_namespace));
        wrong.extend(chosen(&prometheus, name, dashboard, &chosen_namespace));
    }
    if let Some(pages) = std::env::var_os("DRAGOMAN_DASHBOARD_PAGES") {
        draw(&prometheus, &chosen_namespace, &Path::new(&pages).join(target));
    }
    let alerts = alerts(&prometheus);
    let provoked = ["DragomanTelemetryLost", "DragomanRefusesRequests", "DragomanUnmappedKeysGrow", "LLMErrorRateHigh"];
    let missing = provoked.into_iter().filter(|name| !alerts.contains(*name));
    wrong.extend(missing.map(|name| format!("{name} does not fire")));
    let sound = ["DragomanBooksDoNotBalance", "DragomanTargetDown", "DragomanTaskDied", "DragomanMemoryNearLimit"];
    let firing = sound.into_iter().filter(|name| alerts.contains(*name));
    wrong.extend(firing.map(|name| format!("{name} fires")));
    let (_, llama_stack) = dashboards.iter().find(|(name, _)| name == "llama-stack.json").unwrap();
    let tokens = ["Prompt tokens", "Completion tokens"];
    let tokens = tokens.map(|title| number(&prometheus, llama_stack, title, &chosen_namespace));
    (tokens, wrong.into_iter().map(|line| format!("{target}: {line}")).collect())
}

/// Draws what a person would see, into a folder; for looking at, not for judging.
fn draw(prometheus: &Scraper, namespace: &str, folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/draw_dashboards.py");
    let drawn = Command::new("python3")
        .args([script, &format!("http://{}", prometheus.address()), namespace])
        .arg(deployed("grafana/dashboards"))
        .arg(folder)
        .status();
    assert!(drawn.unwrap().success());
}

#[test]
fn every_query_has_an_answer_under_either_target_and_the_tokens_are_the_same() {
    let [(old, mut wrong), (new, more)] = [("1.41", "llama_stack"), ("main", "")].map(|(t, n)| every_query(t, n));
    wrong.extend(more);
    assert!(wrong.is_empty(), "{} queries:\n{}", wrong.len(), wrong.join("\n"));
    assert!(old.iter().all(|tokens| *tokens > 10_000.0), "{old:?}");
    assert_eq!(old, new, "prompt and completion tokens under 1.41 and under main");
}

#[test]
fn the_dashboards_are_what_their_source_writes() {
    let checked = Command::new("python3").arg(deployed("grafana/source/generate.py")).arg("--check").output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

#[test]
fn every_field_of_a_dashboard_is_one_that_grafana_has() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/check_dashboards.py");
    let python = tools().join("python/bin/python");
    let checked = Command::new(python).arg(script).arg(deployed("grafana/dashboards")).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&checked.stdout), String::from_utf8_lossy(&checked.stderr));
    assert!(checked.status.success(), "{said}");
}

#[test]
fn promtool_takes_the_rules_and_every_alert_fires_and_does_not() {
    let run = |arguments: &[&str]| {
        let output = Command::new("promtool").args(arguments).current_dir(deployed("prometheus")).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "promtool {arguments:?}:\n{}", String::from_utf8_lossy(&said));
    };
    run(&["check", "config", "prometheus.yml"]);
    run(&["check", "rules", "rules.yml", "alerts.yml"]);
    let files = std::fs::read_dir(deployed("prometheus/tests")).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<String> = files.map(|path| path.to_str().unwrap().to_owned()).collect();
    run(&[&["test", "rules"][..], &files.iter().map(String::as_str).collect::<Vec<_>>()].concat());

    let read = |path: PathBuf| std::fs::read_to_string(path).unwrap();
    let tests: String = files.iter().map(|path| read(path.into())).collect();
    let runbook = read(deployed("../docs/alerts.md"));
    let rules = read(deployed("prometheus/alerts.yml"));
    let names: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(names.len() > 15, "{names:?}");
    for name in names {
        let firing = format!("ALERTS{{alertname=\"{name}\", alertstate=\"firing\"");
        let question = format!("expr: {firing}}}");
        let questions = tests.split(question.as_str()).skip(1);
        let silent = questions.filter(|rest| rest.lines().nth(2).is_some_and(|line| line.contains("exp_samples: []")));
        assert!(silent.count() > 0, "no test in which {name} does not fire");
        let fires = tests.contains(&format!("labels: {firing}, ")) || tests.contains(&format!("alertname: {name}\n"));
        assert!(fires, "no test in which {name} fires");
        assert!(runbook.contains(&format!("\n## {name}\n")), "docs/alerts.md has no section {name}");
        let address = format!("runbook: docs/alerts.md#{}\n", name.to_lowercase());
        assert!(rules.contains(&address), "{name} does not name its section");
    }
}
