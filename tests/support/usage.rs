//! Cases in which the telemetry itself says something else than the provider billed:
//! `tests/expected/usage.tsv`.

/// A case, what is counted for it, and why that is not what was billed.
pub struct Differs {
    /// `EMITTER/CASE`.
    pub case: &'static str,
    /// Input and output tokens.
    pub counted: (u64, u64),
    /// Why.
    pub reason: &'static str,
}

/// All of them, in the file's order.
pub fn differs() -> Vec<Differs> {
    let text = include_str!("../expected/usage.tsv");
    let rows = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    rows.map(|line| {
        let columns: Vec<&str> = line.split('\t').collect();
        let [case, input, output, reason] = columns[..] else { panic!("usage.tsv: four columns are expected: {line}") };
        Differs { case, counted: (input.parse().unwrap(), output.parse().unwrap()), reason }
    })
    .collect()
}
