//! Log records, through the translation of a logs pipeline: each before and after, key by key, and which
//! records became one.

use bytes::Bytes;

use super::report::{DroppedBy, OriginReport, Recognised, RecordReport, Report, hex};
use crate::genai::explain::{Change, KeyExplanation};
use crate::genai::log::explain::{RecordExplanation, join};
use crate::genai::log::{Became, Records};
use crate::otlp::Signal;
use crate::otlp::log_record::LogRecord;
use crate::otlp::logs::{Origin, Visitor, edit};
use crate::otlp::represent::json;
use crate::otlp::wire::WireError;
use crate::service::trial::{Act, TrialPipeline};

/// The reason of the stage that folds, as in its metrics.
const FOLDED: &str = "folded";

/// Explains the log records of a request. Without a pipeline nothing becomes of them.
pub(super) fn explain(
    body: &Bytes,
    pipeline: Option<&TrialPipeline>,
    all: bool,
    report: &mut Report,
) -> Result<(), WireError> {
    let steps = pipeline.map(|pipeline| &*pipeline.steps).unwrap_or_default();
    let translation = steps.iter().find_map(|step| match &step.act {
        Act::Translate { translator, .. } => Some((step.id.as_str(), Records::new(translator))),
        Act::Drop(_) | Act::Count(_) | Act::Metrics(_) => None,
    });
    let (stage, records) = translation.unzip();
    let mut each = Each { body, records, found: Vec::new(), explained: Vec::new() };
    edit(body, &mut each)?;
    let Each { mut found, mut explained, .. } = each;
    join(&mut explained);
    let first = report.counts.log_records;
    for (record, told) in found.iter_mut().zip(explained) {
        take(record, told, first);
        if record.became == FOLDED {
            record.dropped = stage.map(|stage| DroppedBy { stage: stage.to_owned(), reason: FOLDED });
        }
    }
    for (number, mut record) in found.into_iter().enumerate() {
        record.number = first + number + 1;
        let is_event = record.became != "foreign";
        report.counts.log_records += 1;
        report.counts.events += usize::from(is_event);
        report.counts.changed_events += usize::from(is_event && record.changed);
        if let Some(by) = &record.dropped {
            report.drop_items(Signal::Logs, by, &record.event_name.before, 1);
        }
        if is_event || all {
            report.log_records.push(record);
        }
    }
    Ok(())
}

struct Each<'r> {
    body: &'r Bytes,
    /// `None` where nothing is translated.
    records: Option<Records<'r>>,
    found: Vec<RecordReport>,
    explained: Vec<RecordExplanation>,
}

impl Visitor for Each<'_> {
    fn log_record(&mut self, record: &mut LogRecord<'_>, origin: &Origin<'_>) {
        let name = record.event_name().to_owned();
        let mut report = RecordReport {
            number: 0,
            trace_id: hex(record.trace_id()),
            span_id: hex(record.span_id()),
            origin: OriginReport::new(origin.resource.get("service.name"), origin.scope_name, origin.scope_version),
            became: "foreign",
            changed: false,
            recognised: Recognised::default(),
            event_name: Change { before: name.clone(), after: name },
            body: None,
            keys: Vec::new(),
            added: Vec::new(),
            carries: Vec::new(),
            carried_by: None,
            dropped: None,
        };
        match &mut self.records {
            Some(records) => {
                self.explained.push(records.explain(record, origin, self.body));
                report.changed = record.is_dropped() || written(record) != record.source();
            }
            None => {
                report.body = record.body().map(|body| KeyExplanation::foreign("body".to_owned(), false, json(&body)));
                let keys = record
                    .attributes()
                    .map(|(key, value)| KeyExplanation::foreign(key.to_owned(), false, json(&value.parse())));
                report.keys = keys.collect();
            }
        }
        self.found.push(report);
    }
}

/// Takes up what was told of a record.
fn take(record: &mut RecordReport, told: RecordExplanation, first: usize) {
    record.became = match told.became {
        Became::Foreign => "foreign",
        Became::Current => "current",
        Became::Carrier => "carrier",
        Became::Folded => FOLDED,
        Became::Unread => "unread",
    };
    record.recognised = Recognised::new(told.dialect, told.margin, told.because);
    record.event_name = told.event_name;
    (record.body, record.keys, record.added) = (told.body, told.keys, told.added);
    record.carries = told.carries.into_iter().map(|number| first + number + 1).collect();
    record.carried_by = told.carried_by.map(|number| first + number + 1);
}

fn written(record: &LogRecord<'_>) -> Vec<u8> {
    let mut written = Vec::new();
    record.write(&mut written);
    written
}
