//! `docs/conformance.md`: the numbers of every emitter and target, and what is known to be wrong.

use std::fmt::Write;

use super::expected::{Count, Expected};
use super::measure::{EmitterResult, Fault, TARGETS};

const HEAD: &str = "\
# Conformance

Every recorded request of `tests/corpus`, translated to both targets, and what a judge that shares no
code with the program says of the result. This page is written by

```
UPDATE_EXPECTED=1 cargo test --test conformance
```

and the test fails when the page is not what that command writes, or when an emitter is not right.
What is wrong with one emitter, case by case and key by key, says

```
EMITTER=openinference-openai cargo test --test conformance -- --nocapture report
```

with the beginning of a folder's name under `tests/corpus`.

| column | counts | judged by |
|---|---|---|
| cases, spans | what was recorded | |
| operations | spans with `gen_ai.operation.name` or `mcp.method.name` after translation | |
| left | legacy keys, members and span events that have a home and are not there | `tests/expected/homes.tsv` |
| lost | texts and numbers of what went away that stand nowhere in the span, and anything that `originals: keep` did not keep | their leaves; what the program discards with a reason is not lost |
| shape | values that are not of the published shape | `tests/conformance_support/shapes.rs` |
| restless | spans that a second pass changes, with originals replaced or kept; for main also those that come out otherwise by way of 1.41 | comparison |
| usage | cases in which the provider billed tokens | `case.json` |
| carried | of these, cases whose spans hold the provider's numbers | a search for the numbers |
| exact, none, under, over | what is counted, in order of arrival and in reverse, beside what was billed | the ledger |
| named | counts that differ because the telemetry does; below, with reasons | `tests/expected/usage.tsv` |

A case is right if it is exact, named, or none where nothing is carried. What is carried and not
exact is named: the search finds numbers too that only a wrapper says, or one of two reports that
contradict each other. By way of 1.41, two things
may stay that main says by leaving them out: `gen_ai.request.stream` = false, and the `finish_reason`
of a message, which `gen_ai.response.finish_reasons` says as well.
";

/// The whole page.
pub fn page(results: &[EmitterResult], expected: &Expected) -> String {
    let mut page = HEAD.to_owned();
    let (not_yet, understood): (Vec<_>, Vec<_>) =
        results.iter().partition(|emitter| expected.not_yet.contains(&emitter.name.as_str()));
    page.push_str("\n## Emitters\n\n");
    table(&mut page, &understood, expected);
    if !not_yet.is_empty() {
        page.push_str("\n## Emitters that are not understood yet\n\n");
        table(&mut page, &not_yet, expected);
    }
    page.push_str(
        "\n## Counts that differ because the telemetry does\n\n| why | cases, and what is counted |\n|---|---|\n",
    );
    let usage = expected.usage.iter().map(|row| {
        let (input, output) = row.counted;
        (row.reason, format!("`{}` {input} / {output}", row.case))
    });
    reasons(&mut page, usage);
    if !expected.exceptions.is_empty() {
        page.push_str("\n## Findings that are no faults\n\n| why | where |\n|---|---|\n");
        let exceptions = expected.exceptions.iter();
        reasons(&mut page, exceptions.map(|exception| (exception.reason, exception.to_string())));
    }
    page
}

fn table(page: &mut String, emitters: &[&EmitterResult], expected: &Expected) {
    page.push_str(
        "| emitter | target | cases | spans | operations | left | lost | shape | restless | usage | carried | exact | \
         none | under | over | named |\n|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    let mut totals = TARGETS.map(|_| Numbers::default());
    for emitter in emitters {
        for (place, target) in TARGETS.iter().enumerate() {
            let numbers = Numbers::of(emitter, place, expected);
            numbers.write(page, &emitter.name, target.name());
            totals[place].add(&numbers);
        }
    }
    for (total, target) in totals.iter().zip(TARGETS) {
        total.write(page, "**all**", target.name());
    }
}

/// The cells of a row.
#[derive(Default)]
struct Numbers([usize; 14]);

impl Numbers {
    fn of(emitter: &EmitterResult, target: usize, expected: &Expected) -> Numbers {
        let mut all = Numbers::default();
        for case in &emitter.cases {
            let measured = &case.targets[target];
            let faults: Vec<Fault> = expected.faults(case, measured).map(|finding| finding.fault).collect();
            let faults = Fault::ALL.map(|fault| faults.iter().filter(|found| **found == fault).count());
            let is_billed = measured.billed != (0, 0);
            let is_count = |count| usize::from(expected.count(case, measured) == count);
            let [left, lost, shape, restless] = faults;
            all.add(&Numbers([
                1,
                measured.spans,
                measured.operations,
                left,
                lost,
                shape,
                restless,
                usize::from(is_billed),
                usize::from(is_billed && measured.carried),
                is_count(Count::Exact),
                is_count(Count::None),
                is_count(Count::Under),
                is_count(Count::Over),
                is_count(Count::Named),
            ]));
        }
        all
    }

    fn add(&mut self, other: &Numbers) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, number)| *sum += number);
    }

    fn write(&self, page: &mut String, emitter: &str, target: &str) {
        write!(page, "| {emitter} | {target} |").unwrap();
        self.0.iter().for_each(|number| write!(page, " {number} |").unwrap());
        page.push('\n');
    }
}

/// One row a reason, in the order in which they come first.
fn reasons<'r>(page: &mut String, rows: impl Iterator<Item = (&'r str, String)>) {
    let mut grouped: Vec<(&str, Vec<String>)> = Vec::new();
    for (reason, what) in rows {
        match grouped.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, all)) => all.push(what),
            None => grouped.push((reason, vec![what])),
        }
    }
    for (reason, all) in grouped {
        writeln!(page, "| {reason} | {} |", all.join("<br>")).unwrap();
    }
}
