//! An application's own series beside derived ones of the same name: on one page, a sum over the name
//! would count every call twice. What is derived stays.
//!
//! Which of the two goes on in a pipeline is [`crate::metrics::native`]'s rule. This is for what
//! came before the rule knew of the service, and for pipelines that have none.

use std::collections::HashSet;

use crate::metrics::snapshot::{Family, Label, LabelValue};

const SERVICE: &str = "service.name";
const OPERATION: &str = "gen_ai.operation.name";

/// Takes out of `own` what `derived` says of the same service and operation. Returns how many series
/// that were.
pub fn give_way(derived: &[Family], own: &mut Vec<Family>) -> usize {
    let said: HashSet<(&str, &str, &str)> = derived
        .iter()
        .flat_map(|family| family.series.iter().map(move |series| (&*family.name, &*series.labels)))
        .filter_map(|(name, labels)| Some((name, text(labels, SERVICE)?, text(labels, OPERATION).unwrap_or_default())))
        .flat_map(|(name, service, operation)| [(name, service, operation), (name, service, "")])
        .collect();
    let names: HashSet<&str> = said.iter().map(|(name, ..)| *name).collect();
    let mut gone = 0;
    own.retain_mut(|family| {
        if !names.contains(&*family.name) {
            return true;
        }
        let had = family.series.len();
        family.series.retain(|series| {
            let operation = text(&series.labels, OPERATION).unwrap_or_default();
            let job = text(&series.labels, "job").unwrap_or_default();
            // Of `namespace/name` the name; either may have a slash of its own.
            let services = std::iter::once(job).chain(job.match_indices('/').filter_map(|(at, _)| job.get(at + 1..)));
            !services.into_iter().any(|service| said.contains(&(&*family.name, service, operation)))
        });
        gone += had - family.series.len();
        !family.series.is_empty()
    });
    gone
}

fn text<'l>(labels: &'l [Label], key: &str) -> Option<&'l str> {
    labels.iter().find(|label| label.key == key).and_then(|label| match &label.value {
        LabelValue::Text(text) => Some(&**text),
        LabelValue::Integer(_) | LabelValue::Bool(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::snapshot::{Kind, Series, Value};

    fn family(name: &'static str, series: &[&[(&'static str, &str)]]) -> Family {
        let of = |labels: &&[(&'static str, &str)]| Series {
            labels: labels.iter().map(|(key, value)| Label::text(key, *value)).collect(),
            start_time_unix_nano: 0,
            time_unix_nano: 0,
            value: Value::Integer(1, None),
        };
        Family {
            name: name.into(),
            help: "".into(),
            unit: "".into(),
            kind: Kind::Gauge,
            scope: None,
            namespace: None,
            series: series.iter().map(of).collect(),
        }
    }

    #[test]
    fn what_is_derived_of_a_service_and_operation_stays_alone() {
        let derived = [family("usage", &[&[(SERVICE, "shop"), (OPERATION, "chat")]])];
        let mut own = vec![
            family(
                "usage",
                &[
                    &[("job", "shop"), (OPERATION, "chat")],
                    &[("job", "eu/shop"), (OPERATION, "chat")],
                    &[("job", "shop")],
                    &[("job", "shop"), (OPERATION, "embeddings")],
                    &[("job", "other"), (OPERATION, "chat")],
                ],
            ),
            family("duration", &[&[("job", "shop"), (OPERATION, "chat")]]),
        ];
        assert_eq!(give_way(&derived, &mut own), 3);
        assert_eq!(own.iter().map(|family| family.series.len()).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(give_way(&[], &mut own), 0);
    }
}
