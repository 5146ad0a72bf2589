//! The same edits of log records on the wire and on decoded structs.

use bytes::Bytes;
use dragoman::otlp::id::{SpanId, TraceId};
use dragoman::otlp::log_record::LogRecord;
use dragoman::otlp::logs::{Origin, Visitor, edit};
use dragoman::otlp::value::Value;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::LogRecord as ProstRecord;
use prost::Message;

use super::edits::{Edit, Plan, apply_to_attributes, assert_attributes, assert_value, same};
use super::engine::{Fate, Shape};

/// A record of prost's with what the engine knows beside it.
struct Reference {
    record: ProstRecord,
    fate: Fate,
}

struct Editor<'p> {
    plan: &'p Plan,
    /// Empty when prost refuses the request.
    references: Vec<Reference>,
    seen: usize,
}

impl Visitor for Editor<'_> {
    fn log_record(&mut self, record: &mut LogRecord<'_>, _: &Origin<'_>) {
        let index = self.seen;
        self.seen += 1;
        let mut reference = self.references.get_mut(index);
        if let Some(reference) = &reference {
            reference.assert_reads_alike(record);
        }
        for edit in self.plan.of(index) {
            on_engine(edit, record);
            if let Some(reference) = &mut reference {
                reference.apply(edit);
                reference.assert_reads_alike(record);
            }
        }
    }
}

fn on_engine(edit: &Edit, record: &mut LogRecord<'_>) {
    match edit {
        Edit::Set(key, value) => record.set(key, Value::parse(&value.encode_to_vec())),
        Edit::Remove(key) => drop(record.remove(key)),
        Edit::Rename(from, to) => drop(record.rename(from, to)),
        Edit::EventName(name) => record.set_event_name(name),
        Edit::Body(Some(body)) => record.set_body(Value::parse(&body.encode_to_vec())),
        Edit::Body(None) => drop(record.remove_body()),
        Edit::Drop => record.drop_record(),
        _ => unreachable!("no edit of a record"),
    }
}

impl Reference {
    fn apply(&mut self, edit: &Edit) {
        let record = &mut self.record;
        self.fate.touched |= apply_to_attributes(&mut record.attributes, edit);
        match edit {
            Edit::EventName(name) => {
                self.fate.touched |= record.event_name != *name;
                record.event_name = (*name).to_owned();
            }
            Edit::Body(Some(body)) if record.body.is_some() && same(&record.body, body) => {}
            Edit::Body(body) => {
                self.fate.touched |= record.body.is_some() || body.is_some();
                record.body = body.clone();
            }
            Edit::Drop => self.fate.dropped = true,
            _ => {}
        }
    }

    /// The engine reads back what was written, while it is being edited.
    fn assert_reads_alike(&self, record: &LogRecord<'_>) {
        let expected = &self.record;
        assert_eq!(record.event_name(), expected.event_name);
        assert_eq!(record.time_unix_nano(), expected.time_unix_nano);
        assert_eq!(record.observed_time_unix_nano(), expected.observed_time_unix_nano);
        assert_eq!(record.severity_number(), expected.severity_number);
        assert_eq!(record.severity_text(), expected.severity_text);
        assert_eq!(record.trace_id(), TraceId::from_bytes(&expected.trace_id));
        assert_eq!(record.span_id(), SpanId::from_bytes(&expected.span_id));
        assert_eq!(record.is_dropped(), self.fate.dropped);
        match (record.body(), &expected.body) {
            (None, None) => {}
            (body, expected) => assert_value(body, expected),
        }
        assert_attributes(record.attributes(), &expected.attributes, |key| record.get(key));
        // A record's attributes may go through a span's and come back as they were.
        let mut span = Vec::new();
        record.write_attributes_as_span(&mut span);
        let span = opentelemetry_proto::tonic::trace::v1::Span::decode(&span[..]).expect("a span");
        assert_eq!(format!("{:?}", span.attributes), format!("{:?}", expected.attributes));
    }
}

/// Edits a request on both ways and compares everything that is promised of the engine.
pub(crate) fn edit_on_both_ways(body: &[u8], plan: &Plan) {
    let body = Bytes::copy_from_slice(body);
    let decoded = ExportLogsServiceRequest::decode(&body[..]);
    let records = decoded.iter().flat_map(|request| &request.resource_logs).flat_map(|resource| &resource.scope_logs);
    let records = records.flat_map(|scope| &scope.log_records).cloned();
    let reference = |record| Reference { record, fate: Fate { dropped: false, touched: false } };
    let mut editor = Editor { plan, references: records.map(reference).collect(), seen: 0 };
    let outcome = match (edit(&body, &mut editor), &decoded) {
        (Ok(outcome), Ok(_)) => outcome,
        (Err(_), Err(_)) => return,
        (Ok(_), Err(error)) => panic!("prost refuses what the engine accepts: {error}"),
        (Err(error), Ok(_)) => panic!("the engine refuses what prost accepts: {error}"),
    };
    let (records, fates): (Vec<_>, Vec<_>) = editor.references.into_iter().map(|r| (r.record, r.fate)).unzip();
    assert_eq!(outcome.received, fates.len());
    assert_eq!(outcome.kept, fates.iter().filter(|fate| !fate.dropped).count());
    if !fates.iter().any(|fate| fate.touched || fate.dropped) {
        assert_eq!(outcome.body.as_ptr(), body.as_ptr(), "an untouched request is handed on as it came");
        assert_eq!(outcome.body.len(), body.len());
    }
    Shape::of(&body).assert_survives_in(&Shape::of(&outcome.body), &fates, &[5, 6, 12]);

    let expected = rebuild(decoded.unwrap_or_default(), records, &fates);
    let written = ExportLogsServiceRequest::decode(&outcome.body[..]).expect("what is written is a request");
    assert!(written.encode_to_vec() == expected.encode_to_vec(), "\nengine: {written:#?}\n prost: {expected:#?}");
}

fn rebuild(
    mut request: ExportLogsServiceRequest,
    records: Vec<ProstRecord>,
    fates: &[Fate],
) -> ExportLogsServiceRequest {
    let mut records = records.into_iter().zip(fates);
    request.resource_logs.retain_mut(|resource| {
        let came_empty = resource.scope_logs.is_empty();
        resource.scope_logs.retain_mut(|scope| {
            let came_empty = scope.log_records.is_empty();
            let its = records.by_ref().take(scope.log_records.len());
            scope.log_records = its.filter(|(_, fate)| !fate.dropped).map(|(record, _)| record).collect();
            came_empty || !scope.log_records.is_empty()
        });
        came_empty || !resource.scope_logs.is_empty()
    });
    request
}
