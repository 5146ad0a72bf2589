//! Whether bytes are the export request of a signal, and how many items it carries.
//!
//! Accepts and refuses exactly what prost does for the generated messages. Spans are checked by
//! [`super::traces`], which reads them anyway; metrics and logs by the table in [`super::schema`].

use super::schema::{self, Items, Kind, Message, Rule};
use super::signal::Signal;
use super::wire::{Field, Payload, Reader, WireError, WireType};

/// Checks an encoded export request and counts its spans, data points or log records.
///
/// # Errors
/// What a strict peer would refuse it for; unknown fields are no reason.
pub fn check(signal: Signal, body: &[u8]) -> Result<usize, WireError> {
    match signal {
        Signal::Traces => super::traces::check(body),
        Signal::Metrics | Signal::Logs => check_message(schema::request(signal), Reader::new(body)),
    }
}

/// Counts the items of an encoded request that was checked before, without checking it again. Of
/// bytes that are no such request it counts what it can read.
pub fn count(signal: Signal, body: &[u8]) -> usize {
    count_message(schema::request(signal), body)
}

/// Returns the number of items in the message, itself included.
pub(super) fn check_message(message: &'static Message, mut reader: Reader<'_>) -> Result<usize, WireError> {
    let mut tally = Tally::default();
    while let Some(field) = reader.next()? {
        let Some(known) = message.field(field.number) else {
            reader.unknown()?;
            continue;
        };
        let inside = match known.kind {
            Kind::Message(inner) => {
                let content = field.bytes(message.name, known.name)?;
                check_message(inner, Reader::at_depth(content, reader.below())?)?
            }
            Kind::String => {
                field.string(message.name, known.name)?;
                0
            }
            kind => {
                check_scalar(message, known, kind.wire_type(), &field)?;
                0
            }
        };
        tally.add(known, inside);
    }
    Ok(tally.total() + usize::from(message.items == Items::Itself))
}

fn check_scalar(
    message: &'static Message,
    known: &schema::Field,
    expected: WireType,
    field: &Field<'_>,
) -> Result<(), WireError> {
    let found = field.payload.wire_type();
    if found == expected {
        return Ok(());
    }
    match field.payload {
        Payload::Bytes(packed) if known.rule.is_repeated() => {
            let mut reader = Reader::new(packed);
            while reader.packed(expected)?.is_some() {}
            Ok(())
        }
        _ => Err(WireError::WrongWireType { message: message.name, field: known.name, found, expected }),
    }
}

fn count_message(message: &'static Message, bytes: &[u8]) -> usize {
    match message.items {
        Items::None => 0,
        Items::Itself => 1,
        Items::Inside => {
            let mut tally = Tally::default();
            for field in super::value::fields(bytes) {
                if let (Some(known), Payload::Bytes(content)) = (message.field(field.number), field.payload)
                    && let Kind::Message(inner) = known.kind
                {
                    tally.add(known, count_message(inner, content));
                }
            }
            tally.total()
        }
    }
}

/// Counts items field by field. Of a `oneof` the last member is the message's, as for every
/// reader of protobuf; the items of an earlier one are not there.
#[derive(Default)]
pub(super) struct Tally {
    plain: usize,
    oneof: Option<(u32, usize)>,
}

impl Tally {
    pub(super) fn add(&mut self, field: &schema::Field, items: usize) {
        if field.rule != Rule::Oneof {
            self.plain += items;
            return;
        }
        self.oneof = Some(match self.oneof {
            // The same member again merges with the one before.
            Some((number, before)) if number == field.number => (number, before + items),
            _ => (field.number, items),
        });
    }

    pub(super) fn total(&self) -> usize {
        self.plain + self.oneof.map_or(0, |(_, items)| items)
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::metrics::v1::metric::Data;
    use opentelemetry_proto::tonic::metrics::v1::{
        Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics,
    };
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
    use prost::Message;

    use super::*;

    #[test]
    fn spans_of_all_scopes_count() {
        let scope = |spans| ScopeSpans { spans: vec![Span::default(); spans], ..Default::default() };
        let resource = ResourceSpans { scope_spans: vec![scope(2), scope(3)], ..Default::default() };
        let request = ExportTraceServiceRequest { resource_spans: vec![resource.clone(), resource] };
        let body = request.encode_to_vec();
        assert_eq!(count(Signal::Traces, &body), 10);
        assert!(count(Signal::Traces, &body[..body.len() - 1]) <= 10);
    }

    #[test]
    fn data_points_count_not_metrics() {
        let metric = |data| Metric { data: Some(data), ..Default::default() };
        let gauge = Data::Gauge(Gauge { data_points: vec![NumberDataPoint::default(); 4] });
        let points = vec![HistogramDataPoint { count: 1, ..Default::default() }; 2];
        let histogram = Data::Histogram(Histogram { data_points: points, aggregation_temporality: 2 });
        let scope = ScopeMetrics { metrics: vec![metric(gauge), metric(histogram)], ..Default::default() };
        let resource = ResourceMetrics { scope_metrics: vec![scope], ..Default::default() };
        let body = ExportMetricsServiceRequest { resource_metrics: vec![resource] }.encode_to_vec();
        assert_eq!(count(Signal::Metrics, &body), 6);
    }
}
