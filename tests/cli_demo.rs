//! `dragoman demo`, the real program: it tells the truth, fits a screen, and leaves nothing behind.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Output, Stdio};

/// The demo in a process group of its own, in an environment that must not matter to it.
fn start() -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dragoman"));
    command.arg("demo").env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9").stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).spawn().unwrap()
}

fn said(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!((output.status.code(), error.as_ref()), (Some(0), ""), "{text}");
    text
}

#[test]
fn it_counts_what_the_provider_bills_and_says_so() {
    let text = said(&start().wait_with_output().unwrap());
    let row = |title: &str| -> Vec<u64> {
        let line = text.lines().find(|line| line.trim_start().starts_with(title)).unwrap_or_else(|| panic!("{text}"));
        let numbers = line.trim_start().strip_prefix(title).unwrap();
        numbers.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
    };
    // Billed, counted, summed over spans; input and output. Billed is what the recordings' accounts say.
    assert_eq!(row("LiteLLM 1.40 proxy before ollama "), [19, 9, 19, 9, 19, 9]);
    assert_eq!(row("an app and its LiteLLM proxy, both report"), [17, 9, 17, 9, 34, 18]);
    assert_eq!(row("the proxy exports it again"), [0, 0, 0, 0, 17, 9]);
    assert_eq!(row("a web service with three databases "), [90, 36, 90, 36, 90, 36]);
    assert_eq!(row("together"), [185, 88, 185, 88, 219, 106]);
    assert!(text.contains("{service_name=\"litellm\", …model=\"codegemma\", …token_type=\"input\"}"), "{text}");
}

#[test]
fn it_shows_the_translation_and_the_tree() {
    let text = said(&start().wait_with_output().unwrap());
    for line in [
        "litellm_request → chat codegemma   INTERNAL → CLIENT",
        "\"False\"                   → gen_ai.request.stream = false",
        "tool_call get_weather({\"city\":\"Rome\"})",
        "23 spans in, 17 out; every span that stays has its parent",
        "✗ sqlite: 4 spans, dropped",
        "postgresql: 6 spans, kept",
        "redis: 2 spans, kept",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
    assert!(!text.contains("not as it should be"), "{text}");
}

#[test]
fn it_fits_and_has_no_colors_without_a_terminal() {
    let text = said(&start().wait_with_output().unwrap());
    assert!(text.lines().count() <= 80, "{} lines", text.lines().count());
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn several_run_at_once_and_leave_no_process_behind() {
    let children: Vec<Child> = (0..3).map(|_| start()).collect();
    for child in children {
        let group = child.id();
        said(&child.wait_with_output().unwrap());
        // A port that is still listened on would be a process of the group that still runs.
        let alive = Command::new("kill").args(["-0", "--", &format!("-{group}")]).output().unwrap();
        assert!(!alive.status.success(), "a process of the demo is still there");
    }
}
