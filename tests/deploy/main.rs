//! What is shipped under `deploy/` holds together: `shipped` needs nothing else. With the feature `real`,
//! others' tools look at it, too (`tests/deploy/install.sh` installs them): `cluster` renders manifests and
//! the chart, `machine` asks Compose and systemd, `release` looks at what `deploy/release.sh` has built.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[cfg(feature = "real")]
#[allow(dead_code, unreachable_pub, reason = "other tests use the rest of it")]
#[path = "../support/process.rs"]
mod process;

#[cfg(feature = "real")]
mod cluster;
#[cfg(feature = "real")]
mod machine;
#[cfg(feature = "real")]
mod release;
mod shipped;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_yaml::Value;

/// What the configurations under `deploy/` read from the environment.
const ENVIRONMENT: [(&str, &str); 3] = [("MY_POD_IP", "10.0.0.7"), ("TOKEN", "secret"), ("HOME", "/nowhere")];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn parsed(path: impl AsRef<Path>) -> Value {
    let path = path.as_ref();
    let mut value: Value = serde_yaml::from_str(&read(path)).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    value.apply_merge().unwrap();
    value
}

/// The documents of a stream that hold anything.
#[cfg(feature = "real")]
fn documents(stream: &str) -> Vec<Value> {
    use serde::Deserialize;

    let documents = serde_yaml::Deserializer::from_str(stream).map(|one| Value::deserialize(one).unwrap());
    documents.filter(|document| !document.is_null()).collect()
}

/// `at(value, "spec.template.spec")`; null where there is nothing.
fn at<'v>(value: &'v Value, path: &str) -> &'v Value {
    path.split('.').fold(value, |value, key| value.get(key).unwrap_or(&Value::Null))
}

fn text<'v>(value: &'v Value, path: &str) -> &'v str {
    at(value, path).as_str().unwrap_or_else(|| panic!("{path} is no text in {value:?}"))
}

/// The items of a list, or none.
fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_sequence().into_iter().flatten()
}

/// Fails unless dragoman takes the configurations, the later merged over the earlier, without a warning.
fn assert_valid(what: &str, configurations: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_dragoman"));
    // Certificates are where it is deployed.
    command.args(["validate", "--no-file-check"]).env_clear().envs(ENVIRONMENT);
    for (number, configuration) in configurations.iter().enumerate() {
        let file = folder.path().join(format!("{number}.yaml"));
        std::fs::write(&file, configuration).unwrap();
        command.arg("--config").arg(&file);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{what}: {said}");
}

/// The text of every block with this info string.
fn blocks(document: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}");
    let mut lines = document.lines();
    let mut blocks = Vec::new();
    while lines.by_ref().any(|line| line == fence) {
        blocks.push(lines.by_ref().take_while(|line| *line != "```").collect::<Vec<_>>().join("\n"));
    }
    blocks
}

/// Every file below a folder whose name is this one, relative to the project.
fn files_named(folder: &str, name: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|found| found == name) {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// Where `install.sh` puts what it installs.
#[cfg(feature = "real")]
fn tools() -> PathBuf {
    let cache = || {
        let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        base.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache")).join("dragoman-real")
    };
    std::env::var_os("DRAGOMAN_REAL_DIR").map(PathBuf::from).unwrap_or_else(cache)
}

/// Runs a command in the project's folder, with this on its standard input: whether it ended well, what it
/// printed, and what it complained of.
#[cfg(feature = "real")]
fn run(command: &mut Command, input: &str) -> (bool, String, String) {
    use std::io::Write;
    use std::process::Stdio;

    let name = format!("{command:?}");
    let mut child = command
        .current_dir(root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{name}: {error}; tests/deploy/install.sh installs it"));
    // What is written is less than what a pipe holds, or read before anything is said.
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    // A command that does not read closes the pipe; what it says then is what counts.
    drop(writer.join().unwrap());
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

/// What a command prints, which must end well.
#[cfg(feature = "real")]
fn printed(command: &mut Command) -> String {
    let (is_good, output, complaints) = run(command, "");
    assert!(is_good, "{command:?}: {complaints}{output}");
    output
}

/// What `valid.py` says to these arguments and this input: whether all is valid, and what is not.
#[cfg(feature = "real")]
fn checked_by_schema(arguments: &[&str], input: &str) -> (bool, String) {
    let python = tools().join("deploy-python/bin/python");
    let (is_good, output, complaints) = run(Command::new(python).arg("tests/deploy/valid.py").args(arguments), input);
    (is_good, complaints + &output)
}
