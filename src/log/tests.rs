//! The whole log: macros in, lines in a file out.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tracing::subscriber::with_default;

use super::*;
use crate::config::{Config, Source};

/// A log in a file, and the file.
struct Case {
    _folder: TempDir,
    path: PathBuf,
    log: Log,
}

impl Case {
    /// `logs` is the section in YAML, without its output.
    fn new(logs: &str, environment: &str) -> Case {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let environment = environment.to_owned();
        let log = Log::new(&settings(logs, &path), &move |name| (name == VARIABLE).then(|| environment.clone()));
        Case { _folder: folder, path, log }
    }

    fn lines(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.path).unwrap();
        // Without times.
        text.lines().map(|line| line.get(24..).unwrap_or(line).trim_start().to_owned()).collect()
    }

    fn during(&self, say: impl FnOnce()) {
        with_default(Lines(self.log.clone()), say);
    }
}

fn settings(logs: &str, path: &Path) -> Logs {
    let paths = format!("{{ {logs} output_paths: [{}] }}", path.display());
    let config = Config::load(&[Source::Yaml(paths)], &|_| None);
    let logs = Logs::read(&mut config.root());
    config.finish().unwrap();
    logs
}

/// The modules of the program, as they would say it.
fn say() {
    tracing::debug!(target: "dragoman::exporter::delivery", "exporter, debug");
    tracing::info!(target: "dragoman::exporter::delivery", n = 5, "exporter, info");
    tracing::warn!(target: "dragoman::exporter::queue::durable", "queue, warn");
    tracing::info!(target: "dragoman::cli::run", "cli, info");
    tracing::info!(target: "h2::codec", "h2, info");
    tracing::warn!(target: "h2::codec", "h2, warn");
}

#[test]
fn levels_are_those_of_the_parts() {
    const EXPORTER: &str = "INFO exporter: exporter, info n=5";
    const QUEUE: &str = "WARN queue: queue, warn";
    const CLI: &str = "INFO cli: cli, info";
    for (logs, environment, lines) in [
        ("", "", &[EXPORTER, QUEUE, CLI, "WARN libraries: h2, warn"][..]),
        ("level: error,", "", &[]),
        ("level: error, levels: { Exporter: debug },", "", &["DEBUG exporter: exporter, debug", EXPORTER]),
        ("level: error, levels: { exporter: debug },", "exporter=off,queue=warn", &[QUEUE]),
        (
            "level: debug,",
            "off,cli=trace,libraries=info",
            &[CLI, "INFO libraries: h2, info", "WARN libraries: h2, warn"],
        ),
    ] {
        let case = Case::new(logs, environment);
        case.during(say);
        assert_eq!(case.lines(), lines, "{logs} {environment}");
    }
}

#[test]
fn what_the_environment_misspells_is_said_at_any_level() {
    let case = Case::new("level: off,", "exportr=debug,queue=warn");
    case.during(say);
    let said =
        "WARN log: DRAGOMAN_LOG: \"exportr\" is no part of the program; did you mean exporter?; the rest of it counts";
    assert_eq!(case.lines(), [said, "WARN queue: queue, warn"]);
}

#[test]
fn another_configuration_takes_effect_where_lines_are_written() {
    let case = Case::new("level: error,", "net=off");
    case.during(|| {
        say();
        assert!(case.lines().is_empty());
        case.log.set(&settings("level: info, encoding: json, initial_fields: { pod: a-1 },", &case.path));
        tracing::error!(target: "dragoman::net", "the environment still counts");
        say();
        case.log.set(&settings("level: off,", &case.path));
        say();
    });
    let text = std::fs::read_to_string(&case.path).unwrap();
    let objects: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects.len(), 4, "{text}");
    assert_eq!(objects[0]["message"], "exporter, info");
    assert_eq!((&objects[0]["fields"]["n"], &objects[0]["pod"]), (&5.into(), &"a-1".into()));
}

/// What is off is decided once, and asked no more.
#[test]
fn what_is_off_costs_no_question() {
    let case = Case::new("levels: { exporter: error },", "");
    case.during(|| {
        let mut evaluated = 0;
        for _ in 0..3 {
            tracing::warn!(target: "dragoman::exporter", n = { evaluated += 1; evaluated }, "off");
        }
        assert_eq!(evaluated, 0, "not even its fields");
    });
}

/// Whether a line is written is decided at its place in the source, once for each configuration.
#[test]
fn a_place_is_asked_once_until_levels_change() {
    use tracing::callsite::{Callsite, DefaultCallsite};

    static PLACE: DefaultCallsite = DefaultCallsite::new(&METADATA);
    static METADATA: Metadata<'static> = tracing::metadata! {
        name: "here", target: "dragoman::exporter", level: Level::INFO, fields: &["message"],
        callsite: &PLACE, kind: tracing::metadata::Kind::EVENT,
    };
    let case = Case::new("levels: { exporter: error },", "");
    let lines = Lines(case.log.clone());
    assert!(lines.register_callsite(PLACE.metadata()).is_never());
    assert_eq!(lines.max_level_hint(), Some(LevelFilter::INFO));
    case.log.set(&settings("level: debug,", &case.path));
    assert!(lines.register_callsite(PLACE.metadata()).is_always());
    assert_eq!(lines.max_level_hint(), Some(LevelFilter::DEBUG));
}

/// One place in the source that fails in the same way.
fn fail(times: usize) {
    for _ in 0..times {
        tracing::warn!(target: "dragoman::exporter", error = "refused", "no answer");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_repeats_is_one_line_with_a_count() {
    let case = Case::new("", "");
    let turning = tokio::spawn(case.log.clone().turn());
    let _default = tracing::subscriber::set_default(Lines(case.log.clone()));
    let line = "WARN exporter: no answer error=refused";
    fail(1000);
    assert_eq!(case.lines(), [line]);
    // Nobody says anything more, and the count is told all the same.
    tokio::time::sleep(Duration::from_secs(60)).await;
    let counted = format!("{line} … repeated 999 times in the last 10 s");
    assert_eq!(case.lines(), [line, &counted]);
    fail(3);
    tokio::time::sleep(Duration::from_secs(3)).await;
    case.log.end();
    let at_the_end = format!("{line} … repeated twice in the last 3 s").replace("twice", "2 times");
    assert_eq!(case.lines(), [line, &counted, line, &at_the_end]);
    turning.abort();
}

#[tokio::test(start_paused = true)]
async fn what_tells_of_the_program_and_what_was_asked_for_is_never_held_back() {
    let case = Case::new("level: debug,", "");
    case.during(|| {
        for _ in 0..50 {
            tracing::info!(target: "dragoman::cli::run", "the configuration is in force");
            tracing::warn!(target: "dragoman::service::stop", "stopping");
            tracing::debug!(target: "dragoman::receiver", "request refused");
        }
    });
    case.log.end();
    assert_eq!(case.lines().len(), 150);
}

#[tokio::test(start_paused = true)]
async fn it_is_held_back_in_json_too_and_not_where_that_is_off() {
    let case = Case::new("encoding: json,", "");
    case.during(|| fail(5));
    case.log.end();
    let text = std::fs::read_to_string(&case.path).unwrap();
    let objects: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects.len(), 2, "{text}");
    assert_eq!((&objects[1]["repeated"], &objects[1]["message"]), (&4.into(), &"no answer".into()));
    assert_eq!(objects[0]["repeated"], serde_json::Value::Null);

    let case = Case::new("sampling: { enabled: false },", "");
    case.during(|| fail(5));
    assert_eq!(case.lines().len(), 5);
}

#[test]
fn mistakes_in_the_section_are_named() {
    for (logs, expected) in [
        ("level: verbose", "logs.level: found \"verbose\"; expected off, error, warn, info, debug or trace"),
        (
            "levels: { exportr: debug }",
            "logs.levels.exportr: \"exportr\" is no part of the program that writes lines; did you mean exporter?",
        ),
        ("levels: { exporter: loud }", "logs.levels.exporter: found \"loud\""),
        ("encoding: logfmt", "logs.encoding: found \"logfmt\"; expected console or json"),
        ("output_paths: []", "logs.output_paths: a list has 0 places"),
        ("output_paths: [\"tcp://a:1\"]", "logs.output_paths[0]: \"tcp://a:1\" is not a place for a log"),
        ("output_paths: [\"\"]", "logs.output_paths[0]: "),
        ("sampling: { tick: 0s }", "logs.sampling.tick: "),
        ("sampling: { initial: 0 }", "logs.sampling.initial: "),
        ("initial_fields: { level: a }", "logs.initial_fields.level: is a key that every line has of its own"),
    ] {
        let config = Config::load(&[Source::Yaml(format!("logs: {{ {logs} }}"))], &|_| None);
        config.root().section("logs").map(|mut section| Logs::read(&mut section));
        let problems = config.finish().unwrap_err().to_string();
        assert!(problems.contains(expected) && problems.lines().count() == 1, "{logs}: {problems}");
    }
    let config = Config::load(&[Source::Yaml("output_paths: [stdout, 'file:///var/log/a', b/c]".into())], &|_| None);
    let outputs = Logs::read(&mut config.root()).outputs;
    assert_eq!(outputs, [To::Stdout, To::File("/var/log/a".into()), To::File("b/c".into())]);
}

#[test]
fn a_line_has_an_end_whatever_was_said() {
    let case = Case::new("", "");
    let hostile = "a\nERROR b\x1b[2J\u{202e}";
    case.during(|| {
        tracing::warn!(target: "dragoman::cli", error = %"é".repeat(1 << 20), n = 5, "{}", "x".repeat(1 << 20));
        tracing::warn!(target: "dragoman::cli", wait = 5u128, text = "said", error = %hostile, "said {hostile}");
    });
    let lines = case.lines();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].ends_with("… n=5") && lines[0].chars().count() < 3 * record::LONGEST, "{:.100}", lines[0]);
    let said = "a\\nERROR b\\u{1b}[2J\\u{202e}";
    assert_eq!(lines[1], format!("WARN cli: said {said} wait=5 text=said error={said}"));
}
