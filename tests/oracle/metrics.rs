//! The same edits of metrics on the wire and on decoded structs.

use bytes::Bytes;
use dragoman::otlp::metrics::{Metric, Origin, Visitor, edit};
use dragoman::otlp::value::Value;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::Metric as ProstMetric;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::Message;

use super::edits::{Edit, Plan, apply_to_attributes, assert_attributes};
use super::generate::Entropy;

/// What points can be moved to, besides their own metric.
const PARTS: [(&str, &str); 4] = [("a", "s"), ("b", ""), ("", ""), ("gen_ai.client.token.usage", "{token}")];

/// One edit of one data point of one metric; `None` is every one.
#[derive(Debug)]
pub(crate) struct PointEdit {
    metric: Option<usize>,
    point: Option<usize>,
    change: Change,
}

#[derive(Debug)]
enum Change {
    Attributes(Edit),
    Restore,
    Move(usize),
    Drop,
}

/// Edits of data points.
pub(crate) fn plan(entropy: &mut Entropy<'_>) -> Vec<PointEdit> {
    let attributes = Plan::for_records(entropy).edits.into_iter().filter_map(|(metric, edit)| match edit {
        Edit::Set(..) | Edit::Remove(_) | Edit::Rename(..) => Some((metric, Change::Attributes(edit))),
        _ => None,
    });
    let mut edits: Vec<(Option<usize>, Change)> = attributes.collect();
    for _ in 0..entropy.below(8) {
        let change = match entropy.below(8) {
            0 => Change::Restore,
            1 => Change::Drop,
            number => Change::Move(number % PARTS.len()),
        };
        let metric = entropy.one_in(2).then(|| entropy.below(4));
        edits.insert(entropy.below(edits.len() + 1), (metric, change));
    }
    let edit = |(metric, change)| PointEdit { metric, point: entropy.one_in(2).then(|| entropy.below(3)), change };
    edits.into_iter().map(edit).collect()
}

/// A metric of prost's with what becomes of its points.
struct Reference {
    metric: ProstMetric,
    points: Vec<Point>,
    /// In the order in which they were asked for.
    parts: Vec<(String, String)>,
    touched: bool,
}

struct Point {
    came: Vec<KeyValue>,
    attributes: Vec<KeyValue>,
    /// `None`: dropped. 0: the metric's own, then [`Reference::parts`].
    part: Option<usize>,
}

struct Editor<'p> {
    plan: &'p [PointEdit],
    /// Empty when prost refuses the request.
    references: Vec<Reference>,
    seen: usize,
}

impl Visitor for Editor<'_> {
    fn metric(&mut self, metric: &mut Metric<'_>, _: &Origin<'_>) {
        let index = self.seen;
        self.seen += 1;
        let mut reference = self.references.get_mut(index);
        if let Some(reference) = &reference {
            reference.assert_reads_alike(metric);
        }
        for edit in self.plan.iter().filter(|edit| edit.metric.is_none_or(|target| target == index)) {
            for place in 0..metric.points().len() {
                if edit.point.is_none_or(|target| target == place) {
                    on_engine(&edit.change, metric, place);
                    if let Some(reference) = &mut reference {
                        reference.apply(&edit.change, place);
                    }
                }
            }
            if let Some(reference) = &reference {
                reference.assert_reads_alike(metric);
            }
        }
    }
}

fn on_engine(change: &Change, metric: &mut Metric<'_>, place: usize) {
    if let Change::Move(number) = change {
        let (name, unit) = PARTS[*number];
        let part = metric.part(name, unit);
        metric.points()[place].move_to(part);
        return;
    }
    let point = &mut metric.points()[place];
    match change {
        Change::Attributes(Edit::Set(key, value)) => point.set(key, Value::parse(&value.encode_to_vec())),
        Change::Attributes(Edit::Remove(key)) => drop(point.remove(key)),
        Change::Attributes(Edit::Rename(from, to)) => drop(point.rename(from, to)),
        Change::Attributes(other) => unreachable!("{other:?}"),
        Change::Restore => point.restore(),
        Change::Drop => point.drop_point(),
        Change::Move(_) => {}
    }
}

impl Reference {
    fn new(metric: ProstMetric) -> Reference {
        let mut metric = metric;
        let point = |attributes: &mut Vec<KeyValue>| Point {
            came: attributes.clone(),
            attributes: attributes.clone(),
            part: Some(0),
        };
        let points = attributes(&mut metric).into_iter().map(point).collect();
        Reference { metric, points, parts: Vec::new(), touched: false }
    }

    fn apply(&mut self, change: &Change, place: usize) {
        self.touched = true;
        let point = &mut self.points[place];
        match change {
            Change::Attributes(edit) => drop(apply_to_attributes(&mut point.attributes, edit)),
            Change::Restore => point.attributes = point.came.clone(),
            Change::Drop => point.part = None,
            Change::Move(number) => {
                let (name, unit) = PARTS[*number];
                let own = (self.metric.name.as_str(), self.metric.unit.as_str()) == (name, unit);
                let part = (name.to_owned(), unit.to_owned());
                point.part = Some(match self.parts.iter().position(|other| *other == part) {
                    _ if own => 0,
                    Some(place) => place + 1,
                    None => {
                        self.parts.push(part);
                        self.parts.len()
                    }
                });
            }
        }
    }

    fn assert_reads_alike(&self, metric: &mut Metric<'_>) {
        assert_eq!((metric.name(), metric.unit()), (self.metric.name.as_str(), self.metric.unit.as_str()));
        assert_eq!(metric.point_count(), self.points.len());
        assert_eq!(metric.live_points(), self.points.iter().filter(|point| point.part.is_some()).count());
        assert_eq!(metric.points().len(), self.points.len());
        for (point, expected) in metric.points().iter().zip(&self.points) {
            assert_eq!(point.is_dropped(), expected.part.is_none());
            assert_attributes(point.attributes(), &expected.attributes, |key| point.get(key));
        }
    }

    /// What goes on: a metric for each part that has points, the metric itself if it came with none.
    fn into_metrics(self) -> Vec<ProstMetric> {
        let Reference { metric, points, parts, .. } = self;
        if points.is_empty() {
            return vec![metric];
        }
        let own = (metric.name.clone(), metric.unit.clone());
        let of = |(place, (name, unit)): (usize, (String, String))| {
            let mut part = ProstMetric { name, unit, ..metric.clone() };
            let mut of_points = points.iter();
            retain(&mut part, || of_points.next().is_some_and(|point| point.part == Some(place)));
            let left = points.iter().filter(|point| point.part == Some(place));
            let mut count = 0;
            for (attributes, point) in attributes(&mut part).into_iter().zip(left) {
                attributes.clone_from(&point.attributes);
                count += 1;
            }
            (count > 0).then_some(part)
        };
        [own].into_iter().chain(parts).enumerate().filter_map(of).collect()
    }
}

/// The attributes of every data point.
fn attributes(metric: &mut ProstMetric) -> Vec<&mut Vec<KeyValue>> {
    match &mut metric.data {
        Some(Data::Gauge(data)) => data.data_points.iter_mut().map(|point| &mut point.attributes).collect(),
        Some(Data::Sum(data)) => data.data_points.iter_mut().map(|point| &mut point.attributes).collect(),
        Some(Data::Histogram(data)) => data.data_points.iter_mut().map(|point| &mut point.attributes).collect(),
        Some(Data::ExponentialHistogram(data)) => {
            data.data_points.iter_mut().map(|point| &mut point.attributes).collect()
        }
        Some(Data::Summary(data)) => data.data_points.iter_mut().map(|point| &mut point.attributes).collect(),
        None => Vec::new(),
    }
}

fn retain(metric: &mut ProstMetric, mut keep: impl FnMut() -> bool) {
    match &mut metric.data {
        Some(Data::Gauge(data)) => data.data_points.retain(|_| keep()),
        Some(Data::Sum(data)) => data.data_points.retain(|_| keep()),
        Some(Data::Histogram(data)) => data.data_points.retain(|_| keep()),
        Some(Data::ExponentialHistogram(data)) => data.data_points.retain(|_| keep()),
        Some(Data::Summary(data)) => data.data_points.retain(|_| keep()),
        None => {}
    }
}

/// Edits a request on both ways and compares everything that is promised of the engine.
pub(crate) fn edit_on_both_ways(body: &[u8], plan: &[PointEdit]) {
    let body = Bytes::copy_from_slice(body);
    let decoded = ExportMetricsServiceRequest::decode(&body[..]);
    let references: Vec<Reference> = decoded.iter().flat_map(flatten).collect();
    let mut editor = Editor { plan, references, seen: 0 };
    let outcome = match (edit(&body, &mut editor), &decoded) {
        (Ok(outcome), Ok(_)) => outcome,
        (Err(_), Err(_)) => return,
        (Ok(_), Err(error)) => panic!("prost refuses what the engine accepts: {error}"),
        (Err(error), Ok(_)) => panic!("the engine refuses what prost accepts: {error}"),
    };
    let references = editor.references;
    let points = || references.iter().flat_map(|reference| &reference.points);
    assert_eq!(outcome.received, points().count());
    assert_eq!(outcome.kept, points().filter(|point| point.part.is_some()).count());
    if !references.iter().any(|reference| reference.touched) {
        assert_eq!(outcome.body.as_ptr(), body.as_ptr(), "an untouched request is handed on as it came");
        assert_eq!(outcome.body.len(), body.len());
    }
    let expected = rebuild(decoded.unwrap_or_default(), references);
    let written = ExportMetricsServiceRequest::decode(&outcome.body[..]).expect("what is written is a request");
    // Compared as bytes, because NaN is not equal to itself.
    assert!(written.encode_to_vec() == expected.encode_to_vec(), "\nengine: {written:#?}\n prost: {expected:#?}");
}

fn flatten(request: &ExportMetricsServiceRequest) -> Vec<Reference> {
    let scopes = request.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
    scopes.flat_map(|scope| &scope.metrics).map(|metric| Reference::new(metric.clone())).collect()
}

/// As for spans: what lost everything goes, what came empty stays.
fn rebuild(mut request: ExportMetricsServiceRequest, references: Vec<Reference>) -> ExportMetricsServiceRequest {
    let mut references = references.into_iter();
    request.resource_metrics.retain_mut(|resource| {
        let came_empty = resource.scope_metrics.is_empty();
        resource.scope_metrics.retain_mut(|scope| {
            let came_empty = scope.metrics.is_empty();
            let metrics = references.by_ref().take(scope.metrics.len());
            scope.metrics = metrics.flat_map(Reference::into_metrics).collect();
            came_empty || !scope.metrics.is_empty()
        });
        came_empty || !resource.scope_metrics.is_empty()
    });
    request
}
