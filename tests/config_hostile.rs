//! Whatever stands in a configuration: no panic, and an answer in bounded time and space.

#[allow(dead_code, reason = "the fuzz target uses the rest of it")]
#[path = "oracle/config.rs"]
mod config;

use config::load;
use dragoman::service::plan::Plan;
use proptest::prelude::*;

/// Words with which a mutated configuration stays near to a real one.
const WORDS: &[&str] = &[
    "receivers",
    "exporters",
    "processors",
    "connectors",
    "service",
    "pipelines",
    "traces",
    "metrics",
    "otlp",
    "debug",
    "genai",
    "drop",
    "fold_chunks",
    "genai_metrics",
    "endpoint",
    "protocols",
    "grpc",
    "http",
    "rules",
    "preset",
    "sqlite",
    "headers",
    "telemetry",
    "sending_queue",
    "queue_size",
    "timeout",
    "5s",
    "1",
    "-1",
    "1e400",
    "0x7fffffffffffffffff",
    "null",
    "true",
    "~",
    "''",
    "${env:A}",
    "${env:B}",
    "${env:C}",
    "${",
    "$$",
    "a::b",
    "::",
    "&a",
    "*a",
    "!t",
    "!!int x",
    "<<",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    ": ",
    "- ",
    "\n",
    "\n  ",
    "\n    ",
    "# c\n",
    "\"",
    "'",
    "|\n",
    "?",
    "---\n",
    "\u{feff}",
    "\t",
    "\u{0}",
    "é",
    "%YAML 1.1\n",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in any::<String>()) {
        let _ignored = load(&text).is_ok();
    }

    #[test]
    fn any_words(words in prop::collection::vec(prop::sample::select(WORDS), 0..60)) {
        let _ignored = load(&words.concat()).is_ok();
    }

    /// One line of the default replaced, removed or doubled.
    #[test]
    fn nearly_the_default(line in 0usize..30, words in prop::collection::vec(prop::sample::select(WORDS), 0..4), doubled in any::<bool>()) {
        let mut lines: Vec<String> = Plan::default_yaml().lines().map(str::to_owned).collect();
        let line = line % lines.len();
        if doubled {
            lines.insert(line, lines[line].clone());
        } else {
            lines[line] = words.concat();
        }
        let _ignored = load(&lines.join("\n")).is_ok();
    }

    /// A cut anywhere: half a file is what a full disk leaves.
    #[test]
    fn a_part_of_the_default(from in 0usize..2000, length in 0usize..2000) {
        let text: String = Plan::default_yaml().chars().skip(from).take(length).collect();
        let _ignored = load(&text).is_ok();
    }
}

/// Each of these cost seconds or gigabytes without its bound. How long the suite takes is what
/// would show it: a test must not depend on the clock.
#[test]
fn bombs() {
    let doubling: String = (1..40).map(|n| format!("x{n}: &x{n} [*x{}, *x{}]\n", n - 1, n - 1)).collect();
    for text in [
        format!("x0: &x0 [y]\n{doubling}"),
        "[".repeat(400_000),
        "{a: ".repeat(100_000),
        "- ".repeat(100_000),
        "? ".repeat(50_000),
        format!("receivers: {{ {} }}", "a: 1, ".repeat(20_000)),
        format!("{}: 1", "k".repeat(400_000)),
        format!("{}: 1", "a::".repeat(100_000)),
        format!("receivers: \"{}\"", "${env:A}".repeat(50_000)),
        format!("receivers: \"{}{}\"", "${env:C:-".repeat(20_000), "}".repeat(20_000)),
        format!("exporters: {{ debug: {{ verbosity: \"{}\" }} }}", "x".repeat(400_000)),
        "x".repeat(600 << 10),
        (0..40_000).map(|n| format!("k{n}: 1\n")).collect(),
    ] {
        load(&text).unwrap_err();
    }
}
