//! One pass over a metrics request: every metric is shown to a [`Visitor`] once, and the request is
//! written once, afterwards, by copying what nobody changed.
//!
//! What a metric is and how it is changed is in [`metric`], one of its data points in [`point`]; what
//! stands around metrics is `otlp/envelope.rs`'s. Data points are what is counted.

pub mod metric;
pub mod point;

use bytes::Bytes;

use super::envelope::{self, Item, Names, Place};
pub use super::envelope::{Attributes, Origin, Outcome};
use super::wire::WireError;
pub use metric::{Kind, Metric, Part, Temporality};
pub use point::{Number, Point};

/// What sees the metrics of a request.
pub trait Visitor {
    /// One metric, in the order of the request. Changes are made through the metric.
    fn metric(&mut self, metric: &mut Metric<'_>, origin: &Origin<'_>);
}

/// Shows every metric of an encoded `ExportMetricsServiceRequest` to `visitor` and returns the
/// request with the changes made. The outcome counts data points. A metric whose points were all
/// dropped goes with them, and so do a scope and a resource of which nothing is left; what came empty
/// stays.
///
/// # Errors
/// Whatever prost would refuse. The visitor may have seen some metrics by then.
pub fn edit(body: &Bytes, visitor: &mut impl Visitor) -> Result<Outcome, WireError> {
    let (shape, items) = envelope::walk(body, &mut |metric: &mut Metric<'_>, origin| visitor.metric(metric, origin))?;
    Ok(envelope::finish(body, &shape, &items))
}

/// A metric after the walk.
#[derive(Debug)]
pub(super) struct Record {
    place: Place,
    dropped: bool,
    received: usize,
    kept: usize,
}

impl<'a> Item<'a> for Metric<'a> {
    const NAMES: Names = Names {
        request: ("ExportMetricsServiceRequest", "resource_metrics"),
        resource: ("ResourceMetrics", "scope_metrics"),
        scope: ("ScopeMetrics", "metrics"),
    };
    type Record = Record;

    fn parse_at(&mut self, bytes: &'a [u8], depth: Option<u32>) -> Result<(), WireError> {
        Metric::parse_at(self, bytes, depth)
    }

    fn source(&self) -> &'a [u8] {
        Metric::source(self)
    }

    fn is_edited(&self) -> bool {
        Metric::is_edited(self)
    }

    fn write(&self, out: &mut Vec<u8>) {
        Metric::write(self, out);
    }

    fn write_behind(&self, out: &mut Vec<u8>) {
        Metric::write_behind(self, out);
    }

    fn record(&self, place: Place) -> Record {
        let kept = self.live_points();
        Record { place, dropped: self.is_dropped(), received: self.point_count(), kept }
    }
}

impl envelope::Record for Record {
    fn place(&self) -> &Place {
        &self.place
    }

    fn is_dropped(&self) -> bool {
        self.dropped
    }

    fn counts(&self) -> (usize, usize) {
        (self.received, self.kept)
    }
}
