//! Every key that this version takes is in the file of what it promises
//! (docs/configuration-promise.md), or in a list of those that are not promised yet.
//!
//! Which keys a section takes is asked of the section: to a key that nobody can have meant it answers with
//! all that it knows.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use dragoman::config::Source;
use dragoman::service::plan::Plan;
use serde_yaml::{Mapping, Value};

const PROMISED: &str = include_str!(concat!("deploy/promised/", env!("CARGO_PKG_VERSION"), ".yaml"));

/// Keys that may still change, each as its path without names of components and places in lists. A key that
/// is here goes into the promised file once it is meant to stay.
const NOT_YET: [&str; 2] = [
    // Taken only as empty, which a Collector's file may have.
    "exporters.otlp_grpc.sending_queue.batch.partition",
    "processors.batch.metadata_keys",
];

/// Beginnings of paths below which the same code reads, so that one of each is enough.
const SAME: [(&str, &str); 6] = [
    ("receivers.otlp.protocols.http.", "receivers.otlp.protocols.grpc."),
    ("exporters.prometheus.tls.", "receivers.otlp.protocols.grpc.tls."),
    ("extensions.health_check.tls.", "receivers.otlp.protocols.grpc.tls."),
    ("exporters.otlp_http.", "exporters.otlp_grpc."),
    ("service.pipelines.metrics.", "service.pipelines.traces."),
    ("service.pipelines.logs.", "service.pipelines.traces."),
];

/// A key that is near to no other.
const STRANGE: &str = "0123456789-0123456789-0123456789";

/// A key on the way to a value, or the place of an item in a list.
#[derive(Debug, Clone)]
enum Step {
    Key(String),
    Item(usize),
}

/// The ways to every mapping.
fn mappings(value: &Value, way: &mut Vec<Step>, found: &mut Vec<Vec<Step>>) {
    match value {
        Value::Mapping(entries) => {
            found.push(way.clone());
            for (key, value) in entries {
                way.push(Step::Key(key.as_str().unwrap().to_owned()));
                mappings(value, way, found);
                way.pop();
            }
        }
        Value::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                way.push(Step::Item(index));
                mappings(item, way, found);
                way.pop();
            }
        }
        _ => {}
    }
}

fn at<'v>(value: &'v mut Value, way: &[Step]) -> &'v mut Mapping {
    let end = way.iter().fold(value, |value, step| match step {
        Step::Key(key) => value.get_mut(key.as_str()).unwrap(),
        Step::Item(index) => value.get_mut(*index).unwrap(),
    });
    end.as_mapping_mut().unwrap()
}

/// A key's path, without what the file's author chose.
fn path(way: &[Step], key: &str) -> String {
    let keys = way.iter().filter_map(|step| match step {
        Step::Key(key) => Some(key.split('/').next().unwrap()),
        Step::Item(_) => None,
    });
    let path = keys.chain([key]).collect::<Vec<_>>().join(".");
    match SAME.iter().find(|(like, _)| path.starts_with(like)) {
        Some((like, of)) => path.replacen(like, of, 1),
        None => path,
    }
}

/// The keys that the section at this place takes; none if its keys are the author's own words.
fn taken(file: &Value, way: &[Step]) -> Vec<String> {
    let mut file = file.clone();
    at(&mut file, way).insert(STRANGE.into(), Value::Null);
    let loaded = Plan::load(&[Source::Yaml(serde_yaml::to_string(&file).unwrap())], &|_| None);
    let Err(problems) = loaded else { return Vec::new() };
    let unknown = problems.problems.iter().find(|problem| problem.message == "unknown key");
    let Some(problem) = unknown else { return Vec::new() };
    assert!(problem.path.ends_with(STRANGE), "{problems}");
    let keys = problem.expected.as_deref().unwrap_or_else(|| panic!("{problems}"));
    keys.split(", ").flat_map(|keys| keys.split(" or ")).map(str::to_owned).collect()
}

#[test]
fn every_key_is_promised_or_said_not_to_be() {
    let file: Value = serde_yaml::from_str(PROMISED).unwrap();
    let mut ways = Vec::new();
    mappings(&file, &mut Vec::new(), &mut ways);
    let (mut promised, mut known) = (BTreeSet::new(), BTreeSet::new());
    for way in &ways {
        let keys = at(&mut file.clone(), way).keys().map(|key| path(way, key.as_str().unwrap())).collect::<Vec<_>>();
        promised.extend(keys);
        known.extend(taken(&file, way).iter().map(|key| path(way, key)));
    }
    assert!(known.len() > 100, "{known:?}");
    let not_yet: BTreeSet<String> = NOT_YET.iter().map(|key| (*key).to_owned()).collect();
    let forgotten: Vec<_> = known.iter().filter(|key| !promised.contains(*key) && !not_yet.contains(*key)).collect();
    assert!(
        forgotten.is_empty(),
        "these keys are taken and neither in tests/deploy/promised nor in NOT_YET: {forgotten:#?}"
    );
    let idle: Vec<_> = not_yet.iter().filter(|key| promised.contains(*key) || !known.contains(*key)).collect();
    assert!(idle.is_empty(), "these are promised, or there are none such: {idle:#?}");
}
