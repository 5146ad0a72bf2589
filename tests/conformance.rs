//! What becomes of every recorded emitter, for both targets.
//!
//! With `EMITTER=openinference-openai` (the beginning of a folder's name under `tests/corpus`) and
//! `-- --nocapture report`, what is not right is said case by case.

mod conformance_support;
mod support;

use conformance_support::measure::{TARGETS, measure};
use conformance_support::usage::Verdict;

/// What is not right, for who writes a dialect.
#[test]
fn report() {
    let Ok(prefix) = std::env::var("EMITTER") else { return };
    let mut wrong = 0;
    for emitter in measure(&prefix) {
        for case in &emitter.cases {
            for (target, measured) in TARGETS.iter().zip(&case.targets) {
                let tokens =
                    (measured.verdict() != Verdict::Exact && measured.verdict() != Verdict::Nothing).then(|| {
                        format!(
                            "billed {:?}, counted {:?}, in reverse {:?}, {}",
                            measured.billed,
                            measured.counted,
                            measured.reversed,
                            if measured.carried { "carried" } else { "not carried" }
                        )
                    });
                let tokens: Vec<String> = tokens.into_iter().collect();
                let findings = [
                    ("left", &measured.left),
                    ("lost", &measured.lost),
                    ("shape", &measured.violations),
                    ("again", &measured.restless),
                    ("tokens", &tokens),
                ];
                if findings.iter().all(|(_, found)| found.is_empty()) {
                    continue;
                }
                println!(
                    "{} → {}: {} spans, {} operations",
                    case.name,
                    target.name(),
                    measured.spans,
                    measured.operations
                );
                for (what, found) in findings {
                    let mut lines: Vec<(&String, usize)> = Vec::new();
                    for line in found {
                        match lines.iter_mut().find(|(known, _)| *known == line) {
                            Some((_, count)) => *count += 1,
                            None => lines.push((line, 1)),
                        }
                    }
                    for (line, count) in lines {
                        wrong += count;
                        let times = if count > 1 { format!(" (×{count})") } else { String::new() };
                        println!("  {what:6} {line}{times}");
                    }
                }
            }
        }
    }
    println!("{wrong} findings");
}
