//! What is known to be wrong, and why: tables under `tests/expected` that only ever shrink.

use std::fmt;

use super::measure::{CaseResult, EmitterResult, Fault, Finding, Measured};
use crate::support::usage::{Differs, differs};

/// Findings that a recording leaves no other way.
pub struct Exception {
    /// The beginning of `EMITTER/CASE`.
    pub case: &'static str,
    /// What kind of finding.
    fault: &'static str,
    /// The finding's key.
    key: &'static str,
    /// Why.
    pub reason: &'static str,
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}…` {}: `{}`", self.case, self.fault, self.key)
    }
}

/// The tables.
pub struct Expected {
    /// Emitters whose dialect is not built yet, by the folder's name.
    pub not_yet: Vec<&'static str>,
    /// `exceptions.tsv`.
    pub exceptions: Vec<Exception>,
    /// `usage.tsv`.
    pub usage: Vec<Differs>,
}

/// How what is counted for a case stands to what was billed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// Nothing was billed, and nothing is counted.
    Nothing,
    /// What was billed.
    Exact,
    /// Nothing.
    None,
    /// Less.
    Under,
    /// More of something.
    Over,
    /// As `usage.tsv` says.
    Named,
}

impl Expected {
    /// Reads the tables.
    pub fn read() -> Expected {
        let not_yet = rows(include_str!("../expected/not_yet.txt")).collect();
        let exceptions = rows(include_str!("../expected/exceptions.tsv"));
        let exceptions = exceptions.map(|line| {
            let columns: Vec<&str> = line.split('\t').collect();
            let [case, fault, key, reason] = columns[..] else {
                panic!("exceptions.tsv: four columns are expected: {line}")
            };
            assert!(Fault::ALL.iter().any(|known| known.name() == fault), "exceptions.tsv: {fault} is no fault");
            Exception { case, fault, key, reason }
        });
        Expected { not_yet, exceptions: exceptions.collect(), usage: differs() }
    }

    /// The exception that a finding is.
    pub fn exception(&self, case: &str, finding: &Finding) -> Option<&Exception> {
        self.exceptions.iter().find(|exception| {
            case.starts_with(exception.case) && exception.fault == finding.fault.name() && exception.key == finding.key
        })
    }

    /// What is wrong with a case for a target and no exception.
    pub fn faults<'m>(&self, case: &CaseResult, measured: &'m Measured) -> impl Iterator<Item = &'m Finding> {
        measured.findings.iter().filter(|finding| self.exception(&case.name, finding).is_none())
    }

    /// How what is counted stands to what was billed, in the worse order of arrival.
    pub fn count(&self, case: &CaseResult, measured: &Measured) -> Count {
        let (counts, billed) = ([measured.counted, measured.reversed], measured.billed);
        let named = self.usage.iter().find(|row| row.case == case.name).map(|row| row.counted);
        if named.is_some_and(|named| counts == [named; 2]) {
            Count::Named
        } else if counts.iter().any(|counted| counted.0 > billed.0 || counted.1 > billed.1) {
            Count::Over
        } else if counts == [billed; 2] {
            if billed == (0, 0) { Count::Nothing } else { Count::Exact }
        } else if counts.contains(&(0, 0)) {
            Count::None
        } else {
            Count::Under
        }
    }

    /// Whether a count is right: what was billed, what is named, or nothing where nothing is said.
    pub fn is_counted(&self, case: &CaseResult, measured: &Measured) -> bool {
        let is_named = self.usage.iter().any(|row| row.case == case.name);
        match self.count(case, measured) {
            Count::Named => true,
            Count::Nothing | Count::Exact => !is_named,
            Count::None => !is_named && !measured.carried && measured.counted == measured.reversed,
            Count::Under | Count::Over => false,
        }
    }

    /// What is wrong with an emitter, in sentences.
    pub fn complaints(&self, emitter: &EmitterResult) -> Vec<String> {
        let mut found = Vec::new();
        for (case, measured, target) in emitter.measured() {
            let here = format!("{} to {target}", case.name);
            let faults = self.faults(case, measured);
            found.extend(faults.map(|fault| format!("{here}: {fault}")));
            if !self.is_counted(case, measured) {
                found.push(format!("{here}: tokens {}", tokens(measured)));
            }
        }
        found
    }
}

fn rows(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// A count in a sentence.
pub fn tokens(measured: &Measured) -> String {
    let carried = if measured.carried { "which the telemetry says" } else { "which the telemetry does not say" };
    let Measured { billed, counted, reversed, .. } = measured;
    let reversed = if reversed == counted { String::new() } else { format!(", in reverse {reversed:?}") };
    format!("billed {billed:?}, {carried}; counted {counted:?}{reversed}")
}
