//! The README cannot rot: its configurations are valid, and those of `docs/backends.md`; its keys and
//! defaults are those of the commented example, and its tables name what the program has.
//!
//! A block of its own program's configuration is fenced as `yaml`; other programs' are `yml`.

#![allow(clippy::unwrap_used, reason = "helpers of tests stand outside of test functions")]

use std::path::Path;
use std::process::Command;

use dragoman::genai::dialect::BUILT_IN;
use dragoman::metrics::ledger::Suppressed;
use dragoman::otlp::answer::Reason;
use dragoman::service::plan::Plan;

const README: &str = include_str!("../README.md");
const BACKENDS: &str = include_str!("../docs/backends.md");
const EXAMPLE: &str = include_str!("../config.example.yaml");

fn validate(files: &[&Path]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dragoman"));
    // The README's certificates are its readers'.
    command.args(["validate", "--no-file-check"]).env_clear();
    for file in files {
        command.arg("--config").arg(file);
    }
    let output = command.output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The text of every block of a page with this info string.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}");
    let mut lines = page.lines();
    let mut blocks = Vec::new();
    while lines.by_ref().any(|line| line == fence) {
        blocks.push(lines.by_ref().take_while(|line| *line != "```").collect::<Vec<_>>().join("\n"));
    }
    blocks
}

/// The text between a heading and the next one of the same level.
fn chapter(heading: &str) -> &'static str {
    let (_, rest) = README.split_once(&format!("\n## {heading}\n")).unwrap();
    rest.split_once("\n## ").map_or(rest, |(chapter, _)| chapter)
}

/// The cells of every row of every table, headers and their rules left out.
fn rows(chapter: &str) -> Vec<Vec<&str>> {
    let is_rule = |line: &&str| line.starts_with("|---");
    let next = chapter.lines().skip(1).map(Some).chain([None]);
    let rows = chapter
        .lines()
        .zip(next)
        .filter(|(line, next)| line.starts_with('|') && !is_rule(line) && !next.as_ref().is_some_and(is_rule));
    rows.map(|(line, _)| line.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

/// What stands in backticks, if that is all.
fn code(cell: &str) -> Option<&str> {
    cell.strip_prefix('`')?.strip_suffix('`').filter(|code| !code.contains('`'))
}

#[test]
fn every_configuration_is_valid() {
    let folder = tempfile::tempdir().unwrap();
    let default = folder.path().join("dragoman.yaml");
    std::fs::write(&default, Plan::default_yaml()).unwrap();
    let mut blocks = blocks(README, "yaml");
    assert!(blocks.len() >= 4, "{} blocks", blocks.len());
    blocks.extend(self::blocks(BACKENDS, "yaml"));
    for (number, block) in blocks.iter().enumerate() {
        let file = folder.path().join(format!("block-{number}.yaml"));
        std::fs::write(&file, block).unwrap();
        // As the README says to: what differs, after the default.
        let (is_valid, problems) = validate(&[&default, &file]);
        assert!(is_valid && problems.is_empty(), "{problems}\n{block}");
    }
}

#[test]
fn every_key_and_default_is_in_the_example() {
    let rows = rows(chapter("Configuration reference"));
    assert!(rows.len() > 50, "{} rows", rows.len());
    for row in rows {
        // One table names the component in a column of its own.
        let row = if code(row[0]).is_some() { &row[..] } else { &row[1..] };
        let (Some(path), default) = (code(row[0]), row[1]) else { panic!("no key in {row:?}") };
        for name in path.split('.').map(|name| name.trim_end_matches("[]")).filter(|name| *name != "*") {
            assert!(is_a_word_of(EXAMPLE, name), "{path}: {name} is not in config.example.yaml");
        }
        if let (Some(default), Some(key)) = (code(default), path.rsplit('.').next()) {
            let line = format!("{key}: {default}");
            assert!(EXAMPLE.contains(&line), "{path}: config.example.yaml does not say {line}");
        }
    }
}

fn is_a_word_of(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|found| found == word)
}

#[test]
fn refusals_are_answered_as_the_table_says() {
    let rows = rows(chapter("What clients are answered"));
    let said: Vec<_> = rows
        .iter()
        .map(|row| (code(row[0]).unwrap(), row[1].split(' ').next().unwrap().to_owned(), row[2].to_owned()))
        .collect();
    let is: Vec<_> = Reason::ALL
        .iter()
        .map(|reason| reason.answer())
        .map(|answer| (answer.label, answer.grpc.to_string(), answer.http.to_string()))
        .collect();
    assert_eq!(said, is);
}

#[test]
fn every_dialect_is_named() {
    let chapter = chapter("What it does, in order");
    let missing: Vec<_> =
        BUILT_IN.iter().map(|dialect| dialect.name).filter(|name| !chapter.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_reason_of_the_ledger_is_named() {
    let missing: Vec<_> = Suppressed::ALL
        .map(Suppressed::name)
        .into_iter()
        .filter(|name| !chapter("Self-metrics").contains(&format!("`{name}`")))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn links_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for link in README.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link) {
        let (file, place) = link.split_once('#').unwrap_or((link, ""));
        let file = if file.is_empty() { "README.md" } else { file };
        let text = std::fs::read_to_string(root.join(file)).ok();
        assert!(text.is_some() || root.join(file).is_dir(), "{link}: there is no {file}");
        let mut headings = text.iter().flat_map(|text| text.lines()).filter_map(|line| line.strip_prefix('#'));
        assert!(
            place.is_empty() || headings.any(|heading| anchor(heading) == place),
            "{link}: {file} has no such heading"
        );
    }
}

/// What a heading is called in links.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().chars().filter_map(|c| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c.to_ascii_lowercase()),
        _ => None,
    });
    kept.collect()
}
