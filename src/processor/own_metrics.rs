//! The `genai` stage of a metrics pipeline: metrics that applications send by themselves are put into
//! the target's words, and the rule against double numbers (`native_metrics`) is applied to those that
//! are derived from spans too.
//!
//! What a metric means is in [`crate::genai::metric`]; who speaks for a service, in
//! [`crate::metrics::native`].

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use foldhash::quality::RandomState;

use super::settings::{Genai as Settings, NativeMetrics};
use crate::bounded::recent::Recent;
use crate::genai::metric::explain::Told;
use crate::genai::metric::translate::{Said, Translation};
use crate::genai::metric::{Fate, Fates, Reason, Translator};
use crate::genai::settings::Target;
use crate::metrics::native::{Derived, Subject};
use crate::otlp::metrics::{Metric, Origin, Point};
use crate::pipeline::{Context, Pass, Stage};

/// Series of which it is remembered which scope says them.
const MAX_SPEAKERS: usize = 16_384;

/// A scope that was silent for so long speaks no more; ten of the SDKs' export intervals.
const SPEAKS_FOR: Duration = Duration::from_secs(600);

/// See the module's documentation.
pub struct OwnMetrics {
    translator: Translator,
    rule: NativeMetrics,
    /// Metrics that are derived and go where those of this pipeline go.
    derived: Vec<Arc<dyn Derived>>,
    hasher: RandomState,
    /// Under `defer`: which scope of a service speaks for a series.
    speakers: Mutex<Recent<u64, u64>>,
    fates: Mutex<Fates>,
}

impl OwnMetrics {
    /// The stage that `settings` describe, for a pipeline whose metrics meet those that are `derived`.
    pub fn new(settings: &Settings, derived: Vec<Arc<dyn Derived>>) -> OwnMetrics {
        OwnMetrics {
            translator: Translator::new(settings.target, settings.originals),
            rule: settings.native_metrics,
            derived,
            hasher: RandomState::default(),
            speakers: Mutex::new(Recent::new(MAX_SPEAKERS, SPEAKS_FOR)),
            fates: Mutex::default(),
        }
    }

    /// The target.
    pub fn target(&self) -> Target {
        self.translator.target()
    }

    /// Begins a request.
    pub fn begin(&self) -> OwnPass<'_> {
        OwnPass {
            stage: self,
            said: Said::default(),
            fates: Fates::default(),
            sent: HashSet::new(),
            speakers: HashMap::new(),
        }
    }

    /// `dragoman_genai_metrics_total`: what became of data points, of all accepted batches.
    pub fn fates(&self) -> Vec<(Fate, u64)> {
        self.fates.lock().unwrap_or_else(PoisonError::into_inner).iter().collect()
    }

    fn derives(&self, metric: &str) -> bool {
        self.derived.iter().any(|derived| derived.derives(metric))
    }

    fn is_derived(&self, subject: &Subject<'_>) -> bool {
        self.derived.iter().any(|derived| derived.has(subject))
    }
}

impl Stage for OwnMetrics {
    fn pass(&self) -> Box<dyn Pass + Send + '_> {
        Box::new(self.begin())
    }
}

/// The stage's work on one request.
pub struct OwnPass<'s> {
    stage: &'s OwnMetrics,
    said: Said,
    fates: Fates,
    /// Service, metric and operation of what the request holds; taken up when it was accepted.
    sent: HashSet<(String, String, String)>,
    /// Which scope speaks for a series, as of this request.
    speakers: HashMap<u64, u64>,
}

impl Pass for OwnPass<'_> {
    fn metric(&mut self, metric: &mut Metric<'_>, context: &mut Context<'_, '_>) {
        let translated = self.translate(metric, context.origin, context.body, None);
        translated.into_iter().flat_map(|translation| translation.fates).for_each(|fate| self.fates.count(fate));
    }

    fn drop_reason(&self) -> &'static str {
        "derived"
    }

    fn commit(self: Box<Self>) {
        let stage = self.stage;
        for (service, metric, operation) in &self.sent {
            for derived in &stage.derived {
                derived.give_way(&Subject { service, metric, operation });
            }
        }
        let mut speakers = stage.speakers.lock().unwrap_or_else(PoisonError::into_inner);
        speakers.tick();
        for (series, scope) in self.speakers {
            speakers.insert(series, scope);
        }
        drop(speakers);
        stage.fates.lock().unwrap_or_else(PoisonError::into_inner).add(&self.fates);
    }
}

impl OwnPass<'_> {
    /// Does all that the stage does to a metric; `None` for one that has nothing to do with GenAI. `told` is
    /// filled if it is there.
    pub fn translate(
        &mut self,
        metric: &mut Metric<'_>,
        origin: &Origin<'_>,
        body: &Bytes,
        told: Option<&mut Told>,
    ) -> Option<Translation> {
        let about = (body, &mut self.said);
        let mut translation = self.stage.translator.translate(metric, origin, about, &mut self.fates, told)?;
        if !self.stage.derived.is_empty() {
            self.apply_rule(metric, origin, &mut translation);
        }
        Some(translation)
    }

    /// Takes out what is derived too, or notes it for what is derived to give way.
    fn apply_rule(&mut self, metric: &mut Metric<'_>, origin: &Origin<'_>, translation: &mut Translation) {
        let service = text(origin.resource.get("service.name"));
        for place in 0..metric.points().len() {
            let Some((part, operation)) = metric
                .points()
                .get(place)
                .and_then(|point| Some((point.part()?, text(point.get("gen_ai.operation.name")))))
            else {
                continue;
            };
            let name = metric.identity(part).0.to_owned();
            let subject = Subject { service: &service, metric: &name, operation: &operation };
            let Some(point) = metric.points().get_mut(place) else { continue };
            match self.stage.rule {
                NativeMetrics::Replace if self.stage.is_derived(&subject) => {
                    point.drop_point();
                    translation.discard(place, Reason::Derived);
                }
                // Under `both` only older names, as Llama Stack's, are derived under the names that an
                // application may send too.
                NativeMetrics::Defer | NativeMetrics::Both if self.stage.derives(&name) => {
                    if self.speaks(origin, &service, &name, point) {
                        self.sent.insert((service.clone(), name, operation));
                    } else {
                        point.drop_point();
                        translation.discard(place, Reason::SecondScope);
                    }
                }
                NativeMetrics::Replace | NativeMetrics::Defer | NativeMetrics::Both => {}
            }
        }
    }

    /// Whether a scope is the one that speaks for a point's series: the first one that did. Two
    /// instrumentations of one process, as of LangChain and of OpenAI's library below it, each report
    /// every call. The model tells series apart and not the provider, which one of two may not know.
    fn speaks(&mut self, origin: &Origin<'_>, service: &str, name: &str, point: &Point<'_>) -> bool {
        let get = |key| text(point.get(key));
        let model =
            [get("gen_ai.response.model"), get("gen_ai.request.model")].into_iter().find(|model| !model.is_empty());
        let series = self.stage.hasher.hash_one((service, name, get("gen_ai.token.type"), model));
        let scope = self.stage.hasher.hash_one(origin.scope_name);
        let speaker = *self.speakers.entry(series).or_insert_with(|| {
            let mut speakers = self.stage.speakers.lock().unwrap_or_else(PoisonError::into_inner);
            speakers.tick();
            speakers.get(&series).copied().unwrap_or(scope)
        });
        speaker == scope
    }
}

fn text(value: Option<crate::otlp::value::Value<'_>>) -> String {
    value.as_ref().and_then(|value| value.as_str()).unwrap_or_default().to_owned()
}
