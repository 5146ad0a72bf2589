//! `target_info`: what is known of each job and instance beside these two. Points are not here; which
//! attributes become labels is in [`super::labels`].

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::family::Now;
use super::labels;
use crate::metrics::snapshot::{Family, Kind, Label, Labels, Series, Value};
use crate::otlp::metrics::Attributes;

/// The resources that were heard of lately.
#[derive(Debug)]
pub(super) struct Targets {
    most: usize,
    /// By job and instance.
    known: Mutex<HashMap<[String; 2], Target>>,
}

#[derive(Debug)]
struct Target {
    /// The fingerprint of all attributes.
    of: u64,
    labels: Labels,
    heard: u64,
}

impl Targets {
    pub(super) fn new(most: usize) -> Targets {
        Targets { most, known: Mutex::default() }
    }

    /// A resource was heard of. Of two that are the same job and instance the later one is shown.
    /// Returns whether there is room for it.
    pub(super) fn hear(&self, resource: &Attributes<'_>, of: u64, now: Now) -> bool {
        let name = labels::job_and_instance(resource);
        if name.iter().all(String::is_empty) {
            return true;
        }
        let mut known = self.lock();
        if let Some(target) = known.get_mut(&name) {
            target.heard = now.millis;
            if target.of != of {
                target.of = of;
                target.labels = labels::of_target(resource, &name).into();
            }
            return true;
        }
        if known.len() >= self.most {
            known.retain(|_, target| target.heard >= now.idle_before);
            if known.len() >= self.most {
                return false;
            }
        }
        let labels: Vec<Label> = labels::of_target(resource, &name);
        known.insert(name, Target { of, labels: labels.into(), heard: now.millis });
        true
    }

    /// What was idle goes; the rest as a family, if there is any.
    pub(super) fn snapshot(&self, now: Now) -> Option<Family> {
        let mut series: Vec<Series> = {
            let mut known = self.lock();
            known.retain(|_, target| target.heard >= now.idle_before);
            let with_labels = known.values().filter(|target| !target.labels.is_empty());
            with_labels.map(|target| Series::timeless(Labels::clone(&target.labels), Value::Integer(1, None))).collect()
        };
        series.sort_by(|a, b| a.labels.cmp(&b.labels));
        (!series.is_empty()).then(|| Family::own("target", "Target metadata", Kind::Info, series))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[String; 2], Target>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
