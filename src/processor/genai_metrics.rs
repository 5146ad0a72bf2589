//! The `genai_metrics` connector's tap: the last stage of a traces pipeline. It reads the calls
//! that the stages before it left, and hands them to the ledger once the batch was accepted.
//!
//! What counts as one call is the ledger's ([`crate::metrics::ledger`]); what the metrics look
//! like is the recorder's. This stage changes nothing.

use std::sync::Arc;

use crate::metrics::call::Call;
use crate::metrics::ledger::{Ledger, Recorder, Sightings};
use crate::otlp::span::Span;
use crate::otlp::traces::Spans;
use crate::pipeline::{Context, Pass, Stage};

/// The tap. Pipelines that feed the same connector share its ledger.
pub struct GenaiMetrics {
    ledger: Arc<Ledger>,
    recorder: Arc<dyn Recorder>,
}

impl GenaiMetrics {
    /// A tap that counts in `ledger` and records with `recorder`.
    pub fn new(ledger: Arc<Ledger>, recorder: Arc<dyn Recorder>) -> Self {
        GenaiMetrics { ledger, recorder }
    }
}

impl Stage for GenaiMetrics {
    fn pass(&self) -> Box<dyn Pass + Send + '_> {
        Box::new(Tap { stage: self, sightings: self.ledger.sightings() })
    }
}

struct Tap<'s> {
    stage: &'s GenaiMetrics,
    sightings: Sightings,
}

impl Pass for Tap<'_> {
    fn span(&mut self, span: &mut Span<'_>, context: &mut Context<'_, '_>) {
        self.sightings.span(span);
        if let Some(call) = Call::read(span, context.origin) {
            self.sightings.call(call);
        }
    }

    fn finish(&mut self, spans: &mut Spans) {
        // A dropped span may stand between two calls.
        for dropped in spans.records().iter().filter(|record| record.dropped) {
            self.sightings.link(dropped.trace_id, dropped.span_id, dropped.parent_span_id, false);
        }
    }

    fn commit(self: Box<Self>) {
        self.stage.ledger.settle(self.sightings, self.stage.recorder.as_ref());
    }
}
