//! What becomes of every recorded emitter, for both targets: `docs/conformance.md`, which the test
//! holds. How to write the page anew, and how to see what is wrong with one emitter, stands there.

mod conformance_support;
mod support;

use std::path::PathBuf;
use std::sync::LazyLock;

use conformance_support::expected::{Expected, tokens};
use conformance_support::measure::{EmitterResult, Measured, measure};
use conformance_support::page::page;

static EXPECTED: LazyLock<Expected> = LazyLock::new(Expected::read);
static RESULTS: LazyLock<Vec<EmitterResult>> = LazyLock::new(|| measure(""));

fn is_not_yet(emitter: &EmitterResult) -> bool {
    EXPECTED.not_yet.contains(&emitter.name.as_str())
}

#[test]
fn every_emitter_is_translated_and_counted() {
    let understood = RESULTS.iter().filter(|emitter| !is_not_yet(emitter));
    let wrong: Vec<String> = understood.flat_map(|emitter| EXPECTED.complaints(emitter)).collect();
    assert!(wrong.is_empty(), "{} complaints\n{}", wrong.len(), wrong.join("\n"));
}

/// An emitter that is understood stays so.
#[test]
fn no_emitter_is_called_not_understood_without_a_reason() {
    let emitter = |name: &&str| {
        let emitter = RESULTS.iter().find(|emitter| emitter.name == **name);
        emitter.unwrap_or_else(|| panic!("not_yet.txt: there is no emitter {name}"))
    };
    let right = EXPECTED.not_yet.iter().filter(|name| EXPECTED.complaints(emitter(name)).is_empty());
    let right: Vec<&str> = right.copied().collect();
    assert!(right.is_empty(), "not_yet.txt: nothing is wrong with these, strike them out: {}", right.join(", "));
}

#[test]
fn every_exception_is_one() {
    for exception in &EXPECTED.exceptions {
        let mut cases = RESULTS.iter().flat_map(EmitterResult::measured);
        let is_needed = cases.any(|(case, measured, _)| {
            let mut findings = measured.findings.iter().filter_map(|finding| EXPECTED.exception(&case.name, finding));
            findings.any(|found| std::ptr::eq(found, exception))
        });
        assert!(is_needed, "exceptions.tsv: nothing is excepted by {exception}: strike it out");
    }
    for row in &EXPECTED.usage {
        let mut cases = RESULTS.iter().flat_map(|emitter| &emitter.cases);
        let case = cases.find(|case| case.name == row.case);
        let case = case.unwrap_or_else(|| panic!("usage.tsv: there is no case {}", row.case));
        assert_ne!(case.targets[0].billed, row.counted, "usage.tsv: {} is exact: strike it out", row.case);
    }
}

#[test]
fn the_page_says_what_was_measured() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/conformance.md");
    let page = page(&RESULTS, &EXPECTED);
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(&file, &page).unwrap();
    }
    let known = std::fs::read_to_string(&file).unwrap_or_default();
    let lines = page.lines().zip(known.lines().chain(std::iter::repeat("")));
    let other = lines.clone().filter(|(new, old)| new != old).map(|(new, old)| format!("-{old}\n+{new}"));
    let other: Vec<String> = other.take(20).collect();
    assert!(
        page == known,
        "docs/conformance.md is not what UPDATE_EXPECTED=1 cargo test --test conformance writes:\n{}",
        other.join("\n")
    );
}

/// What is wrong, for who writes a dialect.
#[test]
fn report() {
    let Ok(prefix) = std::env::var("EMITTER") else { return };
    let (mut cases, mut right) = (0, 0);
    for emitter in measure(&prefix) {
        for (case, measured, target) in emitter.measured() {
            let mut lines: Vec<String> = EXPECTED.faults(case, measured).map(ToString::to_string).collect();
            if !EXPECTED.is_counted(case, measured) {
                lines.push(format!("tokens   {}", tokens(measured)));
            }
            cases += 1;
            if lines.is_empty() {
                right += 1;
                continue;
            }
            let Measured { spans, operations, discarded, .. } = measured;
            println!("{} to {target}: {spans} spans, {operations} operations, {discarded} discarded", case.name);
            let mut counted: Vec<(&String, usize)> = Vec::new();
            for line in &lines {
                match counted.iter_mut().find(|(known, _)| *known == line) {
                    Some((_, count)) => *count += 1,
                    None => counted.push((line, 1)),
                }
            }
            for (line, count) in counted {
                let times = if count > 1 { format!(" ({count} times)") } else { String::new() };
                println!("  {line}{times}");
            }
        }
    }
    println!("{right} of {cases} cases and targets are right");
}
