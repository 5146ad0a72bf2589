//! Metrics that applications send, through the translation of a metrics pipeline: each data point before and
//! after, key by key, and which metric it goes to.

use bytes::Bytes;

use super::report::{DroppedBy, MetricReport, OriginReport, PointReport, PointValue, Recognised, Report};
use crate::genai::metric::explain::{PointExplanation, Told, before};
use crate::genai::settings::Target;
use crate::otlp::Signal;
use crate::otlp::metrics::{Metric, Number, Origin, Point, Visitor, edit};
use crate::otlp::wire::WireError;
use crate::pipeline::Pass;
use crate::processor::own_metrics::OwnPass;
use crate::service::trial::{Act, TrialPipeline};

/// Explains the metrics of a request. Without a pipeline nothing becomes of them.
pub(super) fn explain(
    body: &Bytes,
    pipeline: Option<&TrialPipeline>,
    all: bool,
    report: &mut Report,
) -> Result<(), WireError> {
    let steps = pipeline.map(|pipeline| &*pipeline.steps).unwrap_or_default();
    let stage = steps.iter().find_map(|step| match &step.act {
        Act::Metrics(stage) => Some((step.id.as_str(), stage.target(), stage.begin())),
        Act::Translate { .. } | Act::Drop(_) | Act::Count(_) => None,
    });
    let mut each = Each { body, stage, all, report };
    edit(body, &mut each)?;
    if let Some((.., pass)) = each.stage {
        Box::new(pass).commit();
    }
    Ok(())
}

struct Each<'r> {
    body: &'r Bytes,
    /// `None` where nothing is translated.
    stage: Option<(&'r str, Target, OwnPass<'r>)>,
    all: bool,
    report: &'r mut Report,
}

impl Visitor for Each<'_> {
    fn metric(&mut self, metric: &mut Metric<'_>, origin: &Origin<'_>) {
        let came = before(metric);
        let values: Vec<PointValue> = metric.points().iter().map(value).collect();
        let mut told = Told::default();
        let (mut target, mut fates) = (Target::default(), None);
        if let Some((_, to, pass)) = &mut self.stage {
            target = *to;
            fates = pass.translate(metric, origin, self.body, Some(&mut told)).map(|translation| translation.fates);
        }
        let (known, fates) = (fates.is_some(), fates.unwrap_or_default());
        let by = |reason| self.stage.as_ref().map(|(stage, ..)| DroppedBy { stage: (*stage).to_owned(), reason });
        let explained = told.explain(metric, came, &fates, target);
        let points = explained.into_iter().zip(values).map(|(told, value)| point(told, value, by));
        let points: Vec<PointReport> = points.collect();
        let (changed, count) = (metric.is_edited(), metric.point_count());
        let counts = &mut self.report.counts;
        counts.data_points += count;
        if known {
            counts.known_data_points += count;
            let is_edited = |point: &&Point<'_>| point.is_edited() || point.is_dropped();
            let edited = metric.points().iter().filter(is_edited).count();
            let moved = points.iter().filter(|point| point.name.before != point.name.after).count();
            counts.changed_data_points += edited.max(moved);
        }
        for point in &points {
            if let Some(by) = &point.dropped {
                self.report.drop_items(Signal::Metrics, by, metric.name(), 1);
            }
        }
        self.report.counts.metrics += 1;
        if known || self.all {
            self.report.metrics.push(MetricReport {
                number: self.report.counts.metrics,
                origin: OriginReport::new(origin.resource.get("service.name"), origin.scope_name, origin.scope_version),
                name: metric.name().to_owned(),
                unit: metric.unit().to_owned(),
                instrument: metric.kind().map_or("", |kind| kind.name()),
                known,
                changed,
                points,
            });
        }
    }
}

fn point(told: PointExplanation, value: PointValue, by: impl Fn(&'static str) -> Option<DroppedBy>) -> PointReport {
    let dropped = if told.outcome == "discarded" { by(told.reason) } else { None };
    PointReport {
        recognised: Recognised::new(told.dialect, None, told.because),
        name: told.name,
        unit: told.unit,
        outcome: told.outcome,
        reason: told.reason,
        rule: told.rule,
        value,
        keys: told.keys,
        added: told.added,
        dropped,
    }
}

fn value(point: &Point<'_>) -> PointValue {
    let number = point.number().and_then(|number| match number {
        Number::Int(number) => Some(number.into()),
        Number::Double(number) => serde_json::Number::from_f64(number),
    });
    let (count, sum) = point.count_and_sum().unzip();
    PointValue { number, count, sum: sum.flatten() }
}
