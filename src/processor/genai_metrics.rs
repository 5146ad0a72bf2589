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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use bytes::Bytes;

    use super::*;
    use crate::metrics::ledger::{Direction, LedgerWindow, Suppressed};
    use crate::otlp::traces::{Origin, Visitor, edit};

    #[derive(Default)]
    struct Log(Mutex<Vec<String>>);

    impl Recorder for Log {
        fn tokens(&self, call: &Call, direction: Direction, tokens: u64) {
            self.0.lock().unwrap().push(format!("{} {direction:?} {tokens}", call.request_model));
        }

        fn duration(&self, call: &Call) {
            self.0.lock().unwrap().push(format!("{} took its time", call.request_model));
        }

        fn suppressed(&self, _: &Call, reason: Suppressed) {
            self.0.lock().unwrap().push(reason.name().to_owned());
        }
    }

    struct Drive<'s>(Box<dyn Pass + Send + 's>, &'s Bytes);

    impl Visitor for Drive<'_> {
        fn span(&mut self, span: &mut Span<'_>, origin: &Origin<'_>) {
            self.0.span(span, &mut Context { origin, body: self.1, call: None });
        }

        fn finish(&mut self, spans: &mut Spans) {
            self.0.finish(spans);
        }
    }

    const REQUEST: &[u8] = include_bytes!("../../tests/corpus/openai-v2-2.4b0/chat/02.traces.pb");

    #[test]
    fn only_what_was_accepted_is_counted_and_nothing_is_changed() {
        let log = Arc::new(Log::default());
        let ledger = Arc::new(Ledger::new(&LedgerWindow::default(), false));
        let stage = GenaiMetrics::new(ledger, log.clone());
        let request = Bytes::from_static(REQUEST);

        let mut refused = Drive(stage.pass(), &request);
        edit(&request, &mut refused).unwrap();
        drop(refused);
        assert!(log.0.lock().unwrap().is_empty());

        for expected in
            [vec!["gpt-4o-mini took its time", "gpt-4o-mini Input 17", "gpt-4o-mini Output 9"], vec!["re_export"]]
        {
            let mut accepted = Drive(stage.pass(), &request);
            assert_eq!(edit(&request, &mut accepted).unwrap().body, request);
            accepted.0.commit();
            assert_eq!(std::mem::take(&mut *log.0.lock().unwrap()), expected);
        }
    }
}
