//! What the binary has for whoever deploys it: the health check, completions and man pages.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};

use super::process::{Dragoman, file, free_port};
use super::{default_on_free_ports, folder, run, text};

/// What a health check says, with its exit code. An answer has the time that a busy machine takes, unless
/// `arguments` say another.
fn check(arguments: &[&str]) -> (Option<i32>, String) {
    let patient: &[&str] = if arguments.contains(&"--timeout") { &[] } else { &["--timeout", "60s"] };
    let done = run(&[&["healthcheck"], patient, arguments].concat());
    (done.status.code(), format!("{}{}", text(&done.stdout), text(&done.stderr)))
}

/// A server of one answer.
fn answering(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut read = [0; 1024];
        assert!(stream.read(&mut read).unwrap() > 0);
        stream.write_all(answer.as_bytes()).unwrap();
        // An answer that does not end.
        drop(stream.read(&mut read));
    });
    address
}

#[test]
fn the_health_page_of_the_configuration_is_asked() {
    let folder = folder();
    for (bound, path, asked) in
        [("127.0.0.1", "/", "127.0.0.1"), ("0.0.0.0", "/healthz", "127.0.0.1"), ("localhost", "/", "localhost")]
    {
        let port = free_port();
        let page = format!("health_check: {{ endpoint: \"{bound}:{port}\", path: {path}");
        let yaml = default_on_free_ports().replace("health_check: { endpoint: 127.0.0.1:0", &page);
        let path_of_file = file(&folder, "health.yaml", &yaml);
        let arguments = ["--config", path_of_file.to_str().unwrap()];
        let url = format!("http://{asked}:{port}{path}");

        let (code, said) = check(&arguments);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.starts_with(&format!("not healthy: {url} cannot be reached: ")), "{said}");

        let mut dragoman = Dragoman::start(&path_of_file);
        let (code, said) = check(&arguments);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.starts_with(&format!("healthy: {url} answers 200 OK: {{\"status\":\"Server avail")), "{said}");

        // What runs does not become ill by a file that it does not take.
        std::fs::write(&path_of_file, yaml.replace("preset: sqlite", "preset: sqlight")).unwrap();
        assert_eq!(check(&arguments).0, Some(0));
        assert_eq!(dragoman.process.terminate(), Some(0));
    }
}

#[test]
fn a_page_can_be_named_and_what_it_answers_is_said() {
    let ill = answering("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 20\r\n\r\nServer not available");
    let (code, said) = check(&["--endpoint", &format!("http://{ill}/status")]);
    let expected = format!("not healthy: http://{ill}/status answers 503 Service Unavailable: Server not available\n");
    assert_eq!((code, said), (Some(1), expected));

    let bare = answering("HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(
        check(&["--endpoint", &bare.to_string()]),
        (Some(0), format!("healthy: http://{bare}/ answers 204 No Content\n"))
    );

    let silent = answering("");
    let (code, said) = check(&["--endpoint", &silent.to_string(), "--timeout", "200ms"]);
    assert_eq!((code, said), (Some(1), format!("not healthy: http://{silent}/ does not answer within 200 ms\n")));

    let endless = answering("HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\nServer");
    let (code, said) = check(&["--endpoint", &endless.to_string(), "--timeout", "200ms"]);
    assert_eq!((code, said), (Some(1), format!("not healthy: http://{endless}/ does not answer within 200 ms\n")));

    let other = answering("220 mail.example.com ESMTP\x1b[2J\r\n");
    let (code, said) = check(&["--endpoint", &other.to_string()]);
    assert_eq!(code, Some(1));
    assert!(said.contains("does not answer as a web server does") && !said.contains('\x1b'), "{said}");
}

#[test]
fn what_cannot_be_asked_is_said() {
    for (endpoint, expected) in [
        ("https://127.0.0.1:13133/", "in plain text only"),
        ("ftp://127.0.0.1/", "is no page"),
        ("http://me:hunter2@127.0.0.1:13133/", "has credentials"),
        ("not a url", "is not a URL"),
    ] {
        let (code, said) = check(&["--endpoint", endpoint]);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(expected) && !said.contains("hunter2"), "{endpoint}: {said}");
    }
    let default = default_on_free_ports();
    for (yaml, expected) in [
        (default.clone(), "a port of the system's choice"),
        (default.replace("extensions: [health_check]", "extensions: []"), "no health_check"),
        (
            default.replace("127.0.0.1:0 }", "127.0.0.1:1, tls: { cert_file: a, key_file: b } }"),
            "(127.0.0.1:1) has tls: healthcheck asks in plain text only",
        ),
        ("a: [".to_owned(), "is not valid YAML"),
    ] {
        let (code, said) = check(&[&format!("--config=yaml:{yaml}")]);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(expected), "{expected}: {said}");
    }
    for timeout in ["0s", "3", "soon"] {
        assert_eq!(check(&["--timeout", timeout]).0, Some(2), "{timeout}");
    }
}

/// The commands that `--help` lists, each with the long options that its own `--help` lists.
fn command_line() -> BTreeMap<String, Vec<String>> {
    let help = |arguments: &[&str]| text(&run(arguments).stdout).to_owned();
    let options = |help: &str| -> Vec<String> {
        let words = help.lines().filter(|line| line.trim_start().starts_with('-'));
        words
            .filter_map(|line| line.split_whitespace().find(|word| word.starts_with("--")))
            // What an option may take stands behind it: --validate[=<BOOLEAN>].
            .map(|word| word.split('[').next().unwrap().to_owned())
            .collect()
    };
    let whole = help(&["--help"]);
    let (_, commands) = whole.split_once("\nCommands:\n").unwrap();
    let commands = commands.lines().take_while(|line| !line.is_empty()).filter_map(|line| {
        let name = line.strip_prefix("  ")?.split(' ').next().filter(|name| !name.is_empty() && *name != "help")?;
        Some((name.to_owned(), options(&help(&[name, "--help"]))))
    });
    let mut all: BTreeMap<_, _> = commands.collect();
    all.insert(String::new(), options(&whole));
    assert!(all.len() >= 8 && all[""].contains(&"--shutdown-timeout".to_owned()), "{all:?}");
    assert!(all["explain"].contains(&"--target".to_owned()), "{all:?}");
    all
}

/// Whether a program of this name is there.
fn is_there(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// What a program makes of a text on its standard input.
fn through(program: &str, arguments: &[&str], input: &[u8]) -> (bool, String) {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    (output.status.success() && output.stderr.is_empty(), format!("{}{}", text(&output.stdout), text(&output.stderr)))
}

#[test]
fn completions_know_every_command_and_option() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(&["completions", shell]);
        assert!(script.status.success(), "{shell}");
        let script = text(&script.stdout);
        for (command, options) in command_line() {
            assert!(script.contains(&command), "{shell}: {command}");
            for option in options {
                // fish writes `-l config`.
                let name = if shell == "fish" { option.trim_start_matches('-') } else { &option };
                assert!(script.contains(name), "{shell}: {command} {option}");
            }
        }
        if ["bash", "zsh", "fish"].contains(&shell) && is_there(shell) {
            assert_eq!(through(shell, &["-n"], script.as_bytes()), (true, String::new()), "{shell}");
        }
    }
    assert_eq!(run(&["completions", "tcsh"]).status.code(), Some(2));
}

/// Bash itself completes.
#[test]
fn bash_completes() {
    if !is_there("bash") {
        return;
    }
    let script = run(&["completions", "bash"]);
    let completed = |words: &str| {
        let ask = "\nCOMP_WORDS=(WORDS)\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n\
            _dragoman dragoman \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD-1]}\"\necho \"${COMPREPLY[@]}\"\n";
        let script = format!("{}{}", text(&script.stdout), ask.replace("WORDS)", &format!("{words})")));
        let (is_good, said) = through("bash", &[], script.as_bytes());
        assert!(is_good, "{said}");
        said.trim_end().to_owned()
    };
    assert_eq!(completed("dragoman val"), "validate");
    assert_eq!(completed("dragoman explain --ta"), "--target");
    assert_eq!(completed("dragoman explain --target ''"), "1.41 main");
}

#[test]
fn man_pages_know_every_command_and_option() {
    let folder = folder();
    let out = folder.path().to_str().unwrap();
    assert_eq!(run(&["man", "--out", out]).status.code(), Some(0));
    for (command, options) in command_line() {
        let name = if command.is_empty() { "dragoman.1".to_owned() } else { format!("dragoman-{command}.1") };
        let page = std::fs::read(folder.path().join(&name)).unwrap();
        let arguments = if command.is_empty() { vec!["man"] } else { vec!["man", &command] };
        assert_eq!(run(&arguments).stdout, page, "{name}");
        let shown = match is_there("groff") {
            true => {
                let (is_good, shown) = through("groff", &["-man", "-Tutf8", "-ww", "-P-cbou", "-rLL=100n"], &page);
                assert!(is_good, "{name}: {shown}");
                shown
            }
            false => text(&page).replace("\\-", "-"),
        };
        for option in options {
            assert!(shown.contains(&option), "{name}: {option} is not in\n{shown}");
        }
        if command.is_empty() {
            for command in command_line().keys().filter(|command| !command.is_empty()) {
                assert!(shown.contains(&format!("dragoman-{command}(1)")), "{command} is not in\n{shown}");
            }
            assert!(shown.contains(env!("CARGO_PKG_VERSION")), "{shown}");
        }
    }
    let unknown = run(&["man", "validat"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert_eq!(text(&unknown.stderr), "dragoman has no command \"validat\"; did you mean validate?\n");
    let nowhere = Path::new(out).join("nowhere");
    let failed = run(&["man", "--out", nowhere.to_str().unwrap()]);
    assert_eq!(failed.status.code(), Some(1));
    assert!(text(&failed.stderr).contains("nowhere: cannot be written: No such file"), "{}", text(&failed.stderr));
}
